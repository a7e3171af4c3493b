//! Who moves the bytes of a connection: the request that waits for them, in its own task.
//!
//! tokio-postgres parts a connection into a client and a driver that is to run beside it, usually as a task. Each statement
//! then wakes that task to be sent, and is woken by it when the answer is there: two changes of tasks, often between two
//! threads. Here the waiting request polls the driver itself, so that the socket wakes the request at once. In exchange
//! nobody watches a connection that is not in use: whether it lives is looked at when it is taken again.
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio_postgres::Error;

/// How often statement and driver are polled in turns before other tasks get theirs. When the task has used its share of
/// time up, tokio's sockets wake it at once and give nothing, which would never end otherwise.
const TURNS: usize = 16;

type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// The driver of one connection.
pub(super) struct Driver {
    /// None once the connection has ended.
    running: Mutex<Option<Running>>,
    bell: Arc<Bell>,
    waker: Waker,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl Driver {
    pub(super) fn new(running: impl Future<Output = Result<(), Error>> + Send + 'static) -> Self {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        Self { running: Mutex::new(Some(Box::pin(running))), bell, waker }
    }

    /// Waits for what a statement gives, and moves the connection's bytes meanwhile. Nothing else does: a future of the
    /// connection's client that is awaited elsewhere does not end.
    pub(super) fn drive<T>(&self, statement: impl Future<Output = T>) -> impl Future<Output = T> {
        // In a box: what waits for it would otherwise carry its whole size several times.
        let mut statement = Box::pin(statement);
        // Whoever is woken by this connection later must not be us.
        let unregister = Unregister(&self.bell);
        poll_fn(move |cx| {
            let _registered = &unregister;
            self.poll(cx, statement.as_mut())
        })
    }

    fn poll<T>(&self, cx: &mut Context<'_>, mut statement: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        self.bell.listen(cx.waker());
        for _ in 0..TURNS {
            if let Poll::Ready(outcome) = statement.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                return Poll::Ready(outcome);
            }
            self.move_bytes();
            if !self.bell.take() {
                return Poll::Pending;
            }
        }
        self.bell.forward();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// What has arrived is read and what waits is sent. False if the connection has ended.
    pub(super) fn move_bytes(&self) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(driver) = running.as_mut() else { return false };
        match driver.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => true,
            // Its drop tells the client, whose statement fails; the reason is of no use to anybody.
            Poll::Ready(_) => {
                *running = None;
                false
            }
        }
    }
}

/// What statement and driver ring for each other and the socket rings for both. While the task is at work that needs no
/// waking, only another turn; the task is woken when it waits.
#[derive(Debug, Default)]
struct Bell(Mutex<Listener>);

#[derive(Debug, Default)]
struct Listener {
    task: Option<Waker>,
    /// The task is at work and looks at `rung` before it waits.
    working: bool,
    rung: bool,
}

impl Bell {
    fn listener(&self) -> MutexGuard<'_, Listener> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task begins to work.
    fn listen(&self, task: &Waker) {
        let mut listener = self.listener();
        if !listener.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            listener.task = Some(task.clone());
        }
        listener.working = true;
        listener.rung = false;
    }

    /// True if it has rung since: another turn is due. Otherwise the task waits from now on.
    fn take(&self) -> bool {
        let mut listener = self.listener();
        let rung = std::mem::take(&mut listener.rung);
        listener.working = rung;
        rung
    }

    /// The task stops working although another turn is due.
    fn forward(&self) {
        self.listener().working = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut listener = self.listener();
        listener.rung = true;
        if !listener.working
            && let Some(task) = &listener.task
        {
            task.wake_by_ref();
        }
    }
}

/// Takes the task off the bell.
struct Unregister<'a>(&'a Bell);

impl Drop for Unregister<'_> {
    fn drop(&mut self) {
        let mut listener = self.0.listener();
        listener.task = None;
        listener.working = false;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A driver that answers every question, and ends when nobody can ask any more or when it is told to.
    fn echo() -> (Driver, mpsc::UnboundedSender<u32>, mpsc::UnboundedReceiver<u32>) {
        let (ask, mut asked) = mpsc::unbounded_channel();
        let (answer, answers) = mpsc::unbounded_channel();
        let running = async move {
            while let Some(question) = asked.recv().await {
                if question == 0 || answer.send(question + 1).is_err() {
                    break;
                }
            }
            Ok(())
        };
        (Driver::new(running), ask, answers)
    }

    #[test]
    fn an_answer_in_one_poll_wakes_nobody() {
        let (driver, ask, mut answers) = echo();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut work = pin!(driver.drive(async {
            ask.send(1).unwrap();
            answers.recv().await
        }));
        let outcome = work.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!(outcome, Poll::Ready(Some(2)));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_happens_while_the_task_waits_wakes_it_and_later_nobody() {
        let (driver, ask, mut answers) = echo();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        {
            let mut work = pin!(driver.drive(answers.recv()));
            assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            ask.send(1).unwrap();
            assert_eq!(count.0.load(Ordering::SeqCst), 1);
            assert_eq!(work.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Some(2)));
        }
        ask.send(2).unwrap();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(driver.move_bytes());
    }

    #[test]
    fn the_end_is_seen_by_who_waits_and_by_who_looks() {
        let (driver, ask, mut answers) = echo();
        ask.send(0).unwrap();
        let mut work = pin!(driver.drive(answers.recv()));
        assert_eq!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(None));
        assert!(!driver.move_bytes());
    }

    #[test]
    fn a_task_that_is_always_rung_for_gives_way() {
        let driver = Driver::new(std::future::pending());
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let restless = poll_fn(|cx: &mut Context<'_>| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let mut work = pin!(driver.drive(restless));
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
