//! The proxy without a cluster: on free ports, in a thread with its own runtime, in front of whatever a URL says.
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use ermine::config::{self, Endpoint};
use ermine::server::handle::Context;
use ermine::server::{Bound, serve};
use ermine::tasks::Tasks;
use tokio::sync::oneshot;

/// A running proxy; dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    /// Where its primary endpoint listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<bool>>,
}

impl Proxy {
    /// Starts one with these settings; PostgreSQL is a closed port unless they say otherwise.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let mut raw = config::Raw::default();
        raw.flag("postgresql_url", "postgres://nobody@127.0.0.1:1/none");
        for (name, text) in settings {
            raw.flag(name, text);
        }
        let config = Arc::new(config::check(raw).unwrap().config);
        let (report, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                report.send(listener.local_addr().unwrap()).unwrap();
                let cx = Arc::new(Context::new(config, Tasks::new()));
                let listeners = vec![Bound::tcp(Endpoint::Primary, listener)];
                serve(cx, listeners, async {
                    let _ = stopped.await;
                })
                .await
            })
        });
        Self { address: address.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Tells it to stop.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
    }

    /// Stops it and waits. True if every request had finished.
    pub fn join(&mut self) -> bool {
        self.stop();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.join();
        }
    }
}
