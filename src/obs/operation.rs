//! The operation that a client's task is about, as far as the layers below the commands have to do with it: whether
//! somebody wants it to end, and which backend of PostgreSQL works for it.
//!
//! One [`Signal`] per client connection, made once and used by one request after the other: a request costs no more than a
//! few stores into memory that nobody else touches. What runs outside a client's task belongs to no operation.
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

tokio::task_local! {
    static CURRENT: Arc<Signal>;
}

/// A process of a PostgreSQL server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    /// The place of the node among all nodes.
    pub node: u32,
    /// Its process id there.
    pub process: u32,
}

/// What others may tell and ask an operation.
#[derive(Debug, Default)]
pub struct Signal {
    killed: AtomicBool,
    waker: Mutex<Option<Waker>>,
    /// The backend, packed; 0: none works for it.
    backend: AtomicU64,
}

impl Signal {
    /// Runs a client's task: what it awaits finds this signal.
    pub fn scope<F: Future>(self: Arc<Self>, task: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, task)
    }

    /// Another operation begins, which nobody has killed yet.
    pub fn renew(&self) {
        self.killed.store(false, Ordering::Release);
    }

    /// Asks the operation to end, now and at everything that it begins later.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// It was asked to end.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Which backend runs a statement of it.
    pub fn backend(&self) -> Option<Backend> {
        let packed = self.backend.load(Ordering::Relaxed);
        let [process, node] =
            [packed, packed >> 32].map(|half| u32::try_from(half & 0xffff_ffff).unwrap_or(0));
        (packed != 0).then_some(Backend { node, process })
    }

    /// True if it was killed; if not, the task is woken when it is.
    fn poll_killed(&self, cx: &Context<'_>) -> bool {
        if self.is_killed() {
            return true;
        }
        {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        // It may have been killed while nobody could be woken.
        self.is_killed()
    }
}

/// True if the operation of this task was asked to end.
pub fn is_killed() -> bool {
    CURRENT.try_with(|signal| signal.is_killed()).unwrap_or(false)
}

/// A backend begins a statement of this task's operation.
pub fn works(backend: Backend) {
    let packed = u64::from(backend.node) << 32 | u64::from(backend.process);
    let _ = CURRENT.try_with(|signal| signal.backend.store(packed, Ordering::Relaxed));
}

/// No backend works for this task's operation any more.
pub fn rests() {
    let _ = CURRENT.try_with(|signal| signal.backend.store(0, Ordering::Relaxed));
}

/// The work's outcome, or None as soon as this task's operation is killed. The work is not dropped then: it may go on.
pub async fn unless_killed<F: Future>(mut work: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        match CURRENT.try_with(|signal| signal.poll_killed(cx)) {
            Ok(true) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    async fn never() -> Option<()> {
        unless_killed(pin!(std::future::pending())).await
    }

    #[tokio::test]
    async fn a_kill_wakes_what_waits_and_stops_what_comes() {
        let signal = Arc::new(Signal::default());
        let running = Arc::clone(&signal).scope(async {
            assert!(!is_killed());
            assert_eq!(unless_killed(pin!(async { 1 })).await, Some(1));
            assert_eq!(never().await, None);
            assert!(is_killed());
            // What was done all the same is told.
            assert_eq!(unless_killed(pin!(async { 2 })).await, Some(2));
            assert_eq!(never().await, None);
        });
        let kill = async {
            tokio::task::yield_now().await;
            signal.kill();
        };
        tokio::join!(running, kill);
        signal.renew();
        assert!(!signal.is_killed());
    }

    #[tokio::test]
    async fn the_backend_is_that_of_the_statement() {
        let signal = Arc::new(Signal::default());
        let backend = Backend { node: 2, process: u32::MAX };
        let task = async {
            works(backend);
            assert_eq!(signal.backend(), Some(backend));
            rests();
        };
        Arc::clone(&signal).scope(task).await;
        assert_eq!(signal.backend(), None);
        // Outside of a client's task nothing happens.
        works(backend);
        assert!(signal.backend().is_none() && !is_killed());
    }
}
