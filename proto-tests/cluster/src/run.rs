//! `make run`: a durable cluster, the proxy in front of it, until Ctrl-C.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::account::Account;
use crate::cluster::{Cluster, random_word, write_secret};
use crate::control::Control;
use crate::error::{Context, Error, Result};
use crate::install::{Extension, build_extension};
use crate::ports::{free_port, is_free};
use crate::proxy::Proxy;

/// Between two looks at the processes and at Ctrl-C.
const STEP: Duration = Duration::from_millis(50);

/// The proxy of a test run waits longer than one that people use: a slow machine is no dead server, and a dead one refuses.
const PATIENT: [(&str, &str); 2] =
    [("ERMINE_POOL_CONNECT_TIMEOUT", "15s"), ("ERMINE_POOL_WAIT_TIMEOUT", "15s")];

/// The first MongoDB user.
const USER: &str = "ermine";

/// The file that marks a data directory as ours and keeps a second run out.
const LOCK: &str = "lock";

/// What to run, and where.
#[derive(Debug)]
pub struct Setup {
    /// The directory of the data; `None` is `var` in the current directory.
    pub data: Option<PathBuf>,
    /// The proxy's program.
    pub proxy: PathBuf,
    /// The extension to install.
    pub extension: Extension,
    /// The ports of the primary and the secondary endpoint on 127.0.0.1.
    pub ports: [u16; 2],
}

/// Starts everything, says how to connect, and stops everything at Ctrl-C.
///
/// # Errors
/// A sentence that says what is in the way, or which part ended by itself.
#[allow(clippy::print_stdout, reason = "talks to the person at the terminal")]
pub fn run(setup: &Setup) -> Result<()> {
    let stop = stop_flag()?;
    for port in setup.ports {
        if !is_free(port) {
            return Err(Error::new(format!(
                "port {port} on 127.0.0.1 is taken by another program: stop that program, or choose other ports \
                 with `make run PORT=… SECONDARY_PORT=…`"
            )));
        }
    }
    let data = data_directory(setup.data.as_deref())?;
    fs::create_dir_all(&data).context(|| format!("create {}", data.display()))?;
    let empty = fs::read_dir(&data).context(|| format!("read {}", data.display()))?.next().is_none();
    if !empty && !data.join(LOCK).exists() {
        return Err(Error::new(format!("{} is not empty and was not made by `make run`", data.display())));
    }
    let _lock = lock(&data)?;
    let password = login_password(&data)?;
    println!("Starting PostgreSQL, a primary and a standby, in {} …", data.display());
    let cluster =
        Cluster::builder().directory(&data).extension(setup.extension.clone()).login(USER, &password);
    let cluster = cluster.start()?;
    println!("  primary: {}  standby: {}", place(&cluster, true), place(&cluster, false));
    println!("Starting Ermine (log: {}) …", data.join("ermine.log").display());
    let mut proxy = Proxy::spawn(&setup.proxy, &cluster, setup.ports, &[])?;
    proxy.await_listening(&stop)?;
    if !stop.load(Ordering::Relaxed) {
        println!(
            "Ermine is up. Ctrl-C stops everything; the data stays. Port {} is the primary endpoint, port {} \
                  the read-only secondary one:\n",
            setup.ports[0], setup.ports[1]
        );
        for port in setup.ports {
            println!("mongosh 'mongodb://{USER}:{password}@127.0.0.1:{port}/'");
        }
    }
    let ended = loop {
        if stop.load(Ordering::Relaxed) {
            break None;
        }
        if let Some(what) = ended(&cluster, &mut proxy) {
            break Some(what);
        }
        std::thread::sleep(STEP);
    };
    println!("\nStopping …");
    proxy.stop()?;
    cluster.stop()?;
    match ended {
        None => Ok(()),
        Some(what) => Err(Error::new(format!("{what} ended by itself; its log is in {}", data.display()))),
    }
}

/// Runs `command` beside a throw-away cluster with the proxy in front of it, and gives its status. It finds in
/// the environment: both endpoints (`ERMINE_PRIMARY_URI`, `ERMINE_SECONDARY_URI`), the nodes' logs with every
/// statement (`CLUSTER_PRIMARY_LOG`, `CLUSTER_STANDBY_LOG`), and a socket for requests to kill and start the nodes
/// `primary` and `standby1` (`CLUSTER_CONTROL`). For those who start proxies of their own: the program (`CLUSTER_PROXY`) and
/// the nodes' URLs (`CLUSTER_PRIMARY_URL`, `CLUSTER_STANDBY_URL`). For those who measure: the processes (`CLUSTER_PROXY_PID`, `CLUSTER_PRIMARY_PID`); they want no `log_statements`.
///
/// # Errors
/// When something does not start.
pub fn with(proxy: &Path, command: &[std::ffi::OsString], log_statements: bool) -> Result<ExitStatus> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Error::new("there is no command to run"))?;
    build_extension()?;
    let builder = Cluster::builder().extension(Extension::of_this_tree()?);
    let cluster = if log_statements { builder.log_statements() } else { builder }.start()?;
    let login = cluster.login().cloned().ok_or_else(|| Error::new("the cluster has no user"))?;
    let (first, second) = (free_port()?, free_port()?);
    let program_of_proxy = proxy;
    let mut proxy = Proxy::spawn(proxy, &cluster, [first, second], &PATIENT)?;
    proxy.await_listening(&AtomicBool::new(false))?;
    let uri = |port| format!("mongodb://{}:{}@127.0.0.1:{port}/", login.user, login.password);
    let socket = cluster.directory().join("control");
    let control = Control::listen(&socket)?;
    let mut command = Command::new(program);
    command.args(arguments).env("ERMINE_PRIMARY_URI", uri(first)).env("ERMINE_SECONDARY_URI", uri(second));
    command.env("CLUSTER_PRIMARY_LOG", cluster.primary().log_file()).env("CLUSTER_CONTROL", &socket);
    command.env("CLUSTER_STANDBY_LOG", cluster.standby().log_file());
    command
        .env("CLUSTER_PROXY", program_of_proxy.canonicalize().unwrap_or_else(|_| program_of_proxy.to_owned()))
        .env("CLUSTER_STANDBY_URL", cluster.standby().url());
    command
        .env("CLUSTER_PRIMARY_URL", cluster.primary().url())
        .env("CLUSTER_PROXY_PID", proxy.id().to_string());
    command
        .env("CLUSTER_PRIMARY_PID", cluster.primary().pid().map_or_else(String::new, |pid| pid.to_string()));
    let status = std::thread::scope(|scope| {
        scope.spawn(|| control.serve(&cluster));
        let status = command.status().context(|| format!("run {}", program.display()));
        Control::end(&socket)?;
        status
    })?;
    if !status.success() {
        eprint_tail(proxy.log());
    }
    proxy.stop()?;
    Ok(status)
}

/// Shows the end of a log to whoever looks for the cause of a failure.
#[allow(clippy::print_stderr, reason = "talks to the person at the terminal")]
fn eprint_tail(log: &Path) {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    eprintln!("The proxy's last words:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
}

/// Removes the data of [`run`].
///
/// # Errors
/// When it is in use, or the directory does not look like one of ours.
#[allow(clippy::print_stdout, reason = "talks to the person at the terminal")]
pub fn clean_data(data: Option<&Path>) -> Result<()> {
    let data = data_directory(data)?;
    if !data.exists() {
        println!("There is no data in {}.", data.display());
        return Ok(());
    }
    if !data.join(LOCK).exists() {
        return Err(Error::new(format!("{} was not made by `make run`; it is left alone", data.display())));
    }
    let _lock = lock(&data)?;
    fs::remove_dir_all(&data).context(|| format!("remove {}", data.display()))?;
    println!("Removed {}.", data.display());
    Ok(())
}

/// Set by Ctrl-C and its kin. A second Ctrl-C ends the process at once; the watchdog stops the rest.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let second = signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop));
        let first = second.and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        first.context(|| "watch for signals".into())?;
    }
    Ok(stop)
}

/// The wished directory; or `var` here, or, when the servers' user cannot enter that (a clone below /root), one
/// that it can.
#[allow(clippy::print_stdout, reason = "talks to the person at the terminal")]
fn data_directory(wish: Option<&Path>) -> Result<PathBuf> {
    let here = std::env::current_dir().context(|| "find the current directory".into())?;
    if let Some(wish) = wish {
        return Ok(here.join(wish));
    }
    let (var, account) = (here.join("var"), Account::choose()?);
    if account.can_reach(&var) {
        return Ok(var);
    }
    let name = var.display().to_string().replace('/', "-");
    let other = Path::new("/var/lib").join(format!("ermine{name}"));
    println!(
        "{} runs PostgreSQL and cannot enter {}: the data lies in {}.",
        account.name(),
        here.display(),
        other.display()
    );
    Ok(other)
}

/// Two runs on the same data would destroy it.
fn lock(data: &Path) -> Result<File> {
    let path = data.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.context(|| format!("open {}", path.display()))?;
    file.try_lock().map_err(|_| {
        Error::new(format!("another `make run` uses {}: stop that one first", data.display()))
    })?;
    Ok(file)
}

/// The first user's password, made once.
fn login_password(data: &Path) -> Result<String> {
    let file = data.join("login-password");
    if let Ok(password) = fs::read_to_string(&file) {
        return Ok(password);
    }
    let password = random_word()?;
    write_secret(&file, &password)?;
    Ok(password)
}

fn place(cluster: &Cluster, primary: bool) -> String {
    let node = if primary { cluster.primary() } else { cluster.standby() };
    format!("127.0.0.1:{}", node.port())
}

/// The first part that no longer runs.
fn ended(cluster: &Cluster, proxy: &mut Proxy) -> Option<String> {
    if !proxy.is_running() {
        return Some("Ermine".into());
    }
    let down = std::iter::once(cluster.primary()).chain(cluster.standbys()).find(|node| !node.is_running());
    down.map(|node| format!("PostgreSQL's {}", node.name()))
}
