//! `ermine-cluster`: what `make run` and `make clean-data` call, and a throw-away cluster for the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ermine_cluster::run::{Setup, clean_data, run, with};
use ermine_cluster::{Cluster, Error, Extension, Result, build_extension};
use lexopt::prelude::*;

const USAGE: &str = "usage: ermine-cluster COMMAND

  run --proxy FILE [--extension FILE] [--data DIR] [--port N] [--secondary-port N]
        a primary, a standby and Ermine in front of them, until Ctrl-C
  clean-data [--data DIR]
        removes the data of `run`
  with --proxy FILE [--quiet] -- PROGRAM [ARGUMENT]...
        runs a program beside a throw-away cluster with Ermine in front, whose endpoints it finds in
        ERMINE_PRIMARY_URI and ERMINE_SECONDARY_URI (more: the documentation of run::with); --quiet logs no statements
  up [--standbys N]
        a throw-away primary with standbys and the debug build of the extension, until Ctrl-C";

/// Every option of every command.
struct Options {
    command: String,
    proxy: Option<PathBuf>,
    extension: Option<PathBuf>,
    data: Option<PathBuf>,
    ports: [u16; 2],
    standbys: usize,
    quiet: bool,
    program: Vec<OsString>,
}

fn options() -> std::result::Result<Options, lexopt::Error> {
    let mut arguments = lexopt::Parser::from_env();
    let mut options = Options {
        command: String::new(),
        proxy: None,
        extension: None,
        data: None,
        ports: [27017, 27018],
        standbys: 1,
        quiet: false,
        program: Vec::new(),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(command) if options.command.is_empty() => options.command = command.string()?,
            Value(word) if options.command == "with" => {
                options.program = std::iter::once(word).chain(arguments.raw_args()?).collect();
            }
            Long("quiet") => options.quiet = true,
            Long("proxy") => options.proxy = Some(arguments.value()?.into()),
            Long("extension") => options.extension = Some(arguments.value()?.into()),
            Long("data") => options.data = Some(arguments.value()?.into()),
            Long("port") => options.ports[0] = arguments.value()?.parse()?,
            Long("secondary-port") => options.ports[1] = arguments.value()?.parse()?,
            Long("standbys") => options.standbys = arguments.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let result = options().map_err(|e| Error::new(format!("{e}\n\n{USAGE}"))).and_then(command);
    match result {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn command(options: Options) -> Result<ExitCode> {
    let proxy = options.proxy.ok_or_else(|| Error::new(format!("--proxy is missing\n\n{USAGE}")));
    match options.command.as_str() {
        "run" => {
            let extension =
                options.extension.map_or_else(Extension::of_this_tree, |l| Ok(Extension::with_library(l)));
            run(&Setup { data: options.data, proxy: proxy?, extension: extension?, ports: options.ports })?;
        }
        "clean-data" => clean_data(options.data.as_deref())?,
        "with" => {
            let code = with(&proxy?, &options.program, !options.quiet)?.code();
            return Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
        }
        "up" => up(options.standbys)?,
        _ => return Err(Error::new(USAGE)),
    }
    Ok(ExitCode::SUCCESS)
}

/// For the terminal of somebody who works on the extension.
fn up(standbys: usize) -> Result<()> {
    build_extension()?;
    let cluster = Cluster::builder().extension(Extension::of_this_tree()?).standbys(standbys);
    let cluster = cluster.without_login().log_statements().start()?;
    for node in std::iter::once(cluster.primary()).chain(cluster.standbys()) {
        println!(
            "{}: psql -h {} -p {} -U postgres ermine",
            node.name(),
            node.socket_dir().display(),
            node.port()
        );
        println!("  log: {}  service role: {}", node.log_file().display(), node.url());
    }
    println!("Ctrl-C stops and removes it.");
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        let flag = signal_hook::flag::register(signal, Arc::clone(&stop));
        flag.map_err(|e| Error::new(format!("cannot watch for signals: {e}")))?;
    }
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
