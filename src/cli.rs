//! The command line: which configuration, which subcommand, which exit code.
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};

use crate::config::{self, Checked, Config, Problems, Raw, keys};
use crate::debug::Debug;
use crate::server::handle::Context;
use crate::server::stop::StopSignals;
use crate::server::{self, ListenError};
use crate::tasks::Tasks;
use crate::tls::{ServerTls, TlsError};
use crate::{command, obs, otlp, ping};

/// The process can't do what it was asked to. The only thing that ends it with an error.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] Problems),
    /// A listener can't be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The files of the TLS listeners are not usable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server that `ping` asked is not well.
    #[error(transparent)]
    Ping(#[from] ping::PingError),
    /// The system refuses threads, signals or output.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// 64 (EX_USAGE) for a bad configuration, 1 for everything else.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) => ExitCode::from(64),
            Self::Listen(_) | Self::Tls(_) | Self::Ping(_) | Self::System(_) => ExitCode::from(1),
        }
    }
}

/// Time for what `serve` left running, such as a name look-up in a thread.
const LAST_GRACE: Duration = Duration::from_millis(200);

/// Runs the program with the process's arguments and environment.
///
/// # Errors
/// See [`StartError`]; nothing was printed about it yet.
pub fn main(arguments: impl IntoIterator<Item = String>) -> Result<ExitCode, StartError> {
    let matches = match arguments_known().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            error.print()?;
            return Ok(ExitCode::from(if error.use_stderr() { 64 } else { 0 }));
        }
    };
    match matches.subcommand() {
        Some(("config", sub)) => {
            print(if sub.get_flag("markdown") { config::markdown() } else { config::example_toml() })?;
        }
        Some(("commands", _)) => print(command::markdown())?,
        Some(("check-config", _)) => {
            let Checked { config, notes, faults } = load(&matches)?;
            if !faults.0.is_empty() {
                return Err(faults.into());
            }
            config.tls.clone().map(ServerTls::load).transpose()?;
            print(summary(&config, &notes))?;
        }
        Some(("ping", _)) => {
            let config = load(&matches)?.config;
            runtime()?.block_on(ping::ping(&config))?;
        }
        _ => return run(load(&matches)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// The arguments that exist: every setting and every foreign one as a flag, from the table of settings.
fn arguments_known() -> Command {
    let mut command = Command::new("ermine")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Speaks the MongoDB wire protocol and keeps the data in PostgreSQL")
        .arg(value_flag("config").value_name("FILE").help("Configuration file [env: ERMINE_CONFIG]"))
        .subcommand(Command::new("run").about("Serves clients; the default"))
        .subcommand(
            Command::new("ping").about("Asks the listeners of this configuration whether they answer"),
        )
        .subcommand(
            Command::new("commands").about("Prints the commands that clients can use").arg(markdown_flag()),
        )
        .subcommand(
            Command::new("check-config").about("Says what is wrong with the configuration, or what it is"),
        )
        .subcommand(
            Command::new("config").about("Prints every setting as an example file").arg(markdown_flag()),
        );
    for key in keys::KEYS {
        let mut help = format!("{} [env: {}]", key.help, key.variable());
        if !key.default.is_empty() {
            help.push_str(&format!(" [default: {}]", key.default));
        }
        let mut flag = value_flag(key.name).help(help);
        if key.default == "true" {
            flag = flag.num_args(0..=1).default_missing_value("true").require_equals(true);
        }
        command = command.arg(flag);
    }
    command = command
        .arg(Arg::new("no_auth").long("no-auth").global(true).hide(true).action(clap::ArgAction::SetTrue));
    for foreign in keys::FOREIGN {
        command = command.arg(value_flag(foreign.name).hide(true));
    }
    command
}

fn markdown_flag() -> Arg {
    Arg::new("markdown").long("markdown").action(clap::ArgAction::SetTrue).help("As a table")
}

fn value_flag(name: &'static str) -> Arg {
    Arg::new(name)
        .long(name.replace('_', "-"))
        .global(true)
        .num_args(1)
        .allow_hyphen_values(true)
        .value_name("VALUE")
}

/// Gathers flags, environment and file, and checks them.
fn load(matches: &ArgMatches) -> Result<Checked, Problems> {
    let mut raw = Raw::default();
    let given = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    // Values that are not UTF-8 can't be settings.
    let variables = || {
        std::env::vars_os()
            .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
    };
    let from_environment = variables().find(|(name, _)| name == "ERMINE_CONFIG").map(|(_, path)| path);
    if let Some(path) =
        given("config").map(str::to_owned).or(from_environment).filter(|path| !path.is_empty())
    {
        match std::fs::read_to_string(PathBuf::from(&path)) {
            Ok(text) => raw.toml(&text),
            Err(error) => raw.problem("config", format!("{path} can't be read: {error}")),
        }
    }
    raw.environment(variables().filter(|(name, _)| name != "ERMINE_CONFIG"));
    let names = keys::KEYS.iter().map(|key| key.name).chain(keys::FOREIGN.iter().map(|foreign| foreign.name));
    for name in names {
        if let Some(text) = given(name) {
            raw.flag(name, text);
        }
    }
    if matches.get_flag("no_auth") {
        raw.flag("auth", "false");
    }
    config::check(raw)
}

fn run(Checked { config, notes, faults }: Checked) -> Result<ExitCode, StartError> {
    obs::start(&config.log);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    for note in notes {
        tracing::warn!("{note}");
    }
    for fault in &faults.0 {
        tracing::error!(setting = fault.key, "{}; until it is corrected there is no storage", fault.message);
    }
    let runtime = runtime()?;
    let finished = runtime.block_on(async {
        let mut signals = StopSignals::new()?;
        let tls = config.tls.clone().map(ServerTls::load).transpose()?.map(Arc::new);
        let listeners = server::bind(&config.listeners, tls.as_ref()).await?;
        let watchers = match &config.debug {
            Some(address) => server::open(address).await?,
            None => Vec::new(),
        };
        let tasks = Tasks::new();
        if let Some(tls) = tls.clone() {
            tasks.spawn(tls.watch(tasks.stopping().clone()));
        }
        let otel = config.otel.clone();
        let cx = Arc::new(Context::new(Arc::new(config), tasks.clone()));
        let debug = Debug::new(Arc::clone(&cx), tls);
        let told = Arc::clone(&debug);
        let exports = otlp::start(&otel, &tasks, move || told.metrics());
        for listener in watchers {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "serving metrics and probes");
            }
            tasks.spawn(Arc::clone(&debug).serve(listener));
        }
        let (told, stop) = tokio::sync::oneshot::channel::<()>();
        let mut serving = std::pin::pin!(server::serve(cx, listeners, async {
            // The sender is not dropped before it has sent.
            let _ = stop.await;
        }));
        tokio::select! {
            finished = &mut serving => return Ok::<_, StartError>(finished),
            () = signals.next() => {
                let _ = told.send(());
            }
        }
        // A second signal ends the wait for running requests.
        let finished = tokio::select! {
            finished = serving => finished,
            () = signals.next() => false,
        };
        exports.finish().await;
        Ok(finished)
    })?;
    runtime.shutdown_timeout(LAST_GRACE);
    Ok(if finished { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// What a configuration comes to, without secrets.
fn summary(config: &Config, notes: &[String]) -> String {
    use fmt::Write;
    let mut text = String::from("the configuration is usable\n");
    for listener in &config.listeners {
        // Writing to a String can't fail.
        let _ = writeln!(text, "listener: {} ({})", listener.address, listener.endpoint);
    }
    for target in config.primary.iter().chain(&config.standbys) {
        let _ = writeln!(text, "postgresql: {target}");
    }
    for note in notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn print(text: impl AsRef<str>) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_ref().as_bytes())
}
