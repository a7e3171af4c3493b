//! When operations begin: at once after the one before (closed loop), or at times fixed beforehand (open loop).

use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// When one connection's operations begin.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// As soon as the one before is done, until this time.
    Closed(Option<Instant>, Duration),
    /// At the times that come, however late the connection gets to them.
    Open(mpsc::UnboundedReceiver<Instant>),
}

impl Schedule {
    /// When the next operation should begin; it is that time, or later. None: the turn is over.
    pub(crate) async fn next(&mut self) -> Option<Instant> {
        match self {
            Schedule::Closed(end, length) => {
                let now = Instant::now();
                (now < *end.get_or_insert(now + *length)).then_some(now)
            }
            Schedule::Open(times) => times.recv().await,
        }
    }
}

/// Tells the connections when to begin. A thread of its own, because timers of the runtime go by milliseconds.
#[derive(Debug)]
pub(crate) struct Pacer {
    interval: Duration,
    count: u64,
    to: Vec<mpsc::UnboundedSender<Instant>>,
}

/// Waits for the thread when dropped.
#[derive(Debug)]
pub(crate) struct Pacing(Option<std::thread::JoinHandle<()>>);

impl Pacer {
    /// Schedules for so many connections, which take turns at a rate over all of them.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of operations")]
    pub(crate) fn new(rate: Option<f64>, connections: usize, length: Duration) -> (Self, Vec<Schedule>) {
        let Some(rate) = rate else {
            let closed = (0..connections).map(|_| Schedule::Closed(None, length)).collect();
            return (Self { interval: Duration::ZERO, count: 0, to: Vec::new() }, closed);
        };
        let (to, from): (Vec<_>, Vec<_>) = (0..connections).map(|_| mpsc::unbounded_channel()).unzip();
        let count = (rate * length.as_secs_f64()) as u64;
        let interval = length.div_f64(rate.max(0.001) * length.as_secs_f64().max(0.001));
        (Self { interval, count, to }, from.into_iter().map(Schedule::Open).collect())
    }

    /// Begins. The times are multiples of the interval from `start`, whenever the thread gets to tell them.
    pub(crate) fn start(self, start: Instant) -> Pacing {
        if self.to.is_empty() {
            return Pacing(None);
        }
        Pacing(Some(std::thread::spawn(move || {
            let mut due = start;
            for connection in self.to.iter().cycle().take(usize::try_from(self.count).unwrap_or(usize::MAX)) {
                due += self.interval;
                let wait = due.saturating_duration_since(Instant::now());
                if wait > Duration::ZERO {
                    std::thread::sleep(wait);
                }
                if connection.send(due).is_err() {
                    return;
                }
            }
        })))
    }
}

impl Drop for Pacing {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn late_operations_keep_their_time() {
        let (pacer, mut schedules) = Pacer::new(Some(1000.0), 2, Duration::from_millis(20));
        let start = Instant::now();
        let pacing = pacer.start(start);
        std::thread::sleep(Duration::from_millis(60));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        while let Some(due) = schedules[0].next().await {
            first.push(due.duration_since(start).as_millis());
        }
        while let Some(due) = schedules[1].next().await {
            second.push(due.duration_since(start).as_millis());
        }
        assert_eq!(first, (0..10).map(|i| 2 * i + 1).collect::<Vec<_>>());
        assert_eq!(second, (0..10).map(|i| 2 * i + 2).collect::<Vec<_>>());
        drop(pacing);
    }
}
