//! A primary and standbys with the extension, and the proxy in front of them in this process.
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ermine::config::{
    Config, Endpoint, Limits, Log, LogFormat, PgTarget, Pool, RunAsUser, ServerVersion, X509Users,
};
use ermine::server::handle::Context;
use ermine::server::{Bound, serve};
use ermine::tasks::Tasks;
use ermine_cluster::{Builder, Cluster, Extension, LogMark, Node, build_extension};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client::Client;

/// The user that every cluster of the tests has.
pub const USER: &str = "tester";
/// Its password; the characters are those that URLs trip over.
pub const PASSWORD: &str = "pa:ss@w/o=r,d";

/// What differs between stages.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many standbys.
    pub standbys: usize,
    /// Settings of the servers.
    pub settings: Vec<(&'static str, &'static str)>,
    /// Whether clients have to log in.
    pub auth: bool,
    /// Connections for requests, per node.
    pub connections: usize,
    /// Connections that cursors may hold, per node.
    pub cursor_connections: usize,
    /// When idle cursors are closed.
    pub cursor_timeout: Duration,
    /// How long a request waits for a connection.
    pub wait: Duration,
    /// The role of the URL is a superuser, so that it may act as every user.
    pub superuser: bool,
    /// As whom statements of users run.
    pub run_as_user: RunAsUser,
    /// When connections that nobody uses are closed.
    pub max_idle: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            standbys: 1,
            settings: Vec::new(),
            auth: true,
            connections: 24,
            cursor_connections: 4,
            cursor_timeout: Duration::from_secs(600),
            wait: Duration::from_secs(60),
            superuser: false,
            run_as_user: RunAsUser::Auto,
            max_idle: None,
        }
    }
}

/// The cluster and the proxy. Dropping it stops both.
#[derive(Debug)]
pub struct Stage {
    /// The PostgreSQL servers.
    pub cluster: Cluster,
    proxy: Proxy,
}

/// The proxy, in a thread with its own runtime.
#[derive(Debug)]
pub struct Proxy {
    /// Where the primary endpoint listens.
    pub primary: SocketAddr,
    /// Where the secondary endpoint listens.
    pub secondary: SocketAddr,
    /// What its connections share.
    pub context: Arc<Context>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// Builds the extension, starts the servers and the proxy, and waits until both nodes are known to it.
    pub fn new(options: &Options) -> Self {
        build_extension().expect("the extension compiles");
        let extension = Extension::of_this_tree().expect("the extension is built");
        let builder =
            Cluster::builder().extension(extension).standbys(options.standbys).login(USER, PASSWORD);
        let with = |builder: Builder, (name, value): &(&str, &str)| builder.setting(name, value);
        let builder = options.settings.iter().fold(builder.log_statements(), with);
        let cluster = builder.start().expect("the cluster starts");
        if options.superuser {
            cluster.primary().execute("ALTER ROLE ermine_service SUPERUSER").expect("a superuser");
        }
        cluster.wait_replayed().expect("the standbys follow");
        let standbys: Vec<_> = cluster.standbys().iter().collect();
        let proxy = Proxy::start(Some(cluster.primary()), &standbys, options);
        Self { cluster, proxy }
    }

    /// A client of the primary endpoint that has not logged in.
    pub fn stranger(&self) -> Client {
        Client::connect(self.proxy.primary)
    }

    /// A client of the primary endpoint.
    pub fn primary(&self) -> Client {
        Client::connect(self.proxy.primary).logged_in(USER, PASSWORD)
    }

    /// A client of the secondary endpoint.
    pub fn secondary(&self) -> Client {
        Client::connect(self.proxy.secondary).logged_in(USER, PASSWORD)
    }

    /// The addresses of the primary and the secondary endpoint.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        [self.proxy.primary, self.proxy.secondary]
    }

    /// What the proxy's connections share.
    pub fn context(&self) -> &Arc<Context> {
        &self.proxy.context
    }

    /// The present ends of the servers' logs.
    pub fn marks(&self) -> Marks {
        let standbys = self.cluster.standbys().iter().map(Node::log_mark).collect();
        Marks { primary: self.cluster.primary().log_mark(), standbys }
    }

    /// Waits until the standbys have everything that the primary has.
    pub fn replayed(&self) {
        self.cluster.wait_replayed().expect("the standbys follow");
    }
}

/// Places in the logs of all servers.
#[derive(Debug)]
pub struct Marks {
    primary: LogMark,
    standbys: Vec<LogMark>,
}

impl Marks {
    /// The primary ran a statement with this text since.
    pub fn primary_ran(&self, part: &str) -> bool {
        self.primary.ran(part)
    }

    /// A standby ran a statement with this text since.
    pub fn standby_ran(&self, part: &str) -> bool {
        self.standbys.iter().any(|mark| mark.ran(part))
    }

    /// No server ran a function of the extension since.
    pub fn nothing_ran(&self) -> bool {
        // The background's question for the version belongs to no request.
        let asked = |mark: &LogMark| {
            let of_surface =
                |text: &String| text.contains("documentdb_api") && !text.contains("binary_version");
            mark.statements().iter().any(of_surface)
        };
        !asked(&self.primary) && !self.standbys.iter().any(asked)
    }
}

impl Proxy {
    /// Starts the proxy in front of these nodes.
    pub fn start(primary: Option<&Node>, standbys: &[&Node], options: &Options) -> Self {
        let standbys: Vec<_> = standbys.iter().map(|node| node.url()).collect();
        Self::at(primary.map(Node::url), &standbys, options)
    }

    /// Starts the proxy in front of whatever answers at these URLs.
    pub fn at(primary: Option<String>, standbys: &[String], options: &Options) -> Self {
        let target = |name: String, url: &str| PgTarget::new(name, url.parse().expect("a URL"));
        let config = Config {
            listeners: Vec::new(),
            debug: None,
            tls: None,
            x509_users: X509Users::Off,
            primary: primary.map(|url| target("primary".into(), &url)),
            standbys: standbys
                .iter()
                .enumerate()
                .map(|(n, url)| target(format!("standby-{n}"), url))
                .collect(),
            pool: Pool {
                max_connections: NonZeroUsize::new(options.connections).expect("not zero"),
                max_cursor_connections: NonZeroUsize::new(options.cursor_connections).expect("not zero"),
                max_lifetime: None,
                max_idle: options.max_idle,
                wait_timeout: options.wait,
                connect_timeout: Duration::from_secs(60),
                health_interval: Duration::from_millis(500),
                run_as_user: options.run_as_user,
            },
            limits: Limits {
                max_client_connections: NonZeroUsize::new(500).expect("not zero"),
                handshake_timeout: Duration::from_secs(30),
                idle_timeout: None,
                max_standby_lag: None,
                cursor_timeout: options.cursor_timeout,
                session_timeout: Duration::from_secs(1800),
            },
            auth: options.auth,
            server_version: ServerVersion::V8,
            slow_command_threshold: None,
            roles: true,
            otel: ermine::config::Otel::default(),
            log: Log { filter: "off".into(), format: LogFormat::Text },
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (send, receive) = std::sync::mpsc::channel();
        let run = async move {
            let bind = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let (primary, secondary) = (bind().await, bind().await);
            let addresses = (primary.local_addr().expect("bound"), secondary.local_addr().expect("bound"));
            let context = Arc::new(Context::new(Arc::new(config), Tasks::new()));
            send.send((addresses, Arc::clone(&context))).expect("somebody waits");
            let bound =
                vec![Bound::tcp(Endpoint::Primary, primary), Bound::tcp(Endpoint::Secondary, secondary)];
            let stopping = async {
                let _ = stopped.await;
            };
            serve(context, bound, stopping).await;
        };
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(run);
        });
        let ((primary, secondary), context) = receive.recv().expect("the proxy starts");
        crate::wait_until("the proxy knows its nodes", || {
            context.pools.nodes().iter().all(|node| !matches!(node.role(), ermine::pool::Role::Unknown))
        });
        Self { primary, secondary, context, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
