//! Background tasks that the stop signal reaches and waits for. The only place that spawns.
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks and ends them: every long-lived part of the process gets a clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    /// The same for those who only look: the token takes a lock.
    stopped: Arc<AtomicBool>,
}

impl Tasks {
    /// Starts without any task, not stopping.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` in the background; [`Tasks::finish`] waits for it. A loop has to end by itself when
    /// [`Tasks::stopping`] is cancelled.
    #[expect(clippy::disallowed_methods, reason = "this is the tracked spawn that the ban points to")]
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(task))
    }

    /// How many are running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Cancelled once the process has been told to stop. Nothing new may begin after that; a request that
    /// only waits (an awaitable hello) answers at once.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// True once the process has been told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Tells every task to stop and waits for them, at most `grace`. True if all ended in time.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.stopped.store(true, Ordering::Release);
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait()).await.is_ok()
    }
}
