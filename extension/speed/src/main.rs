//! What the extension's calls cost beside plain SQL that does the same: `cargo run --release -p speed`, README.md.

mod cases;
mod data;
mod measure;

use std::process::{Command, ExitCode};

use ermine_cluster::{Cluster, Extension};

/// Whatever ends the run.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is wanted on the command line.
pub struct Options {
    /// Documents in the collection.
    pub documents: i64,
    /// Rounds of each way.
    pub rounds: usize,
    /// Only the cases with this word in their name.
    pub only: String,
}

fn options() -> Result<Options, Failure> {
    use lexopt::prelude::*;
    let mut options = Options { documents: 1_000_000, rounds: 9, only: String::new() };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("documents") => {
                options.documents = arguments.value()?.parse::<i64>()?.max(1000) / 1000 * 1000
            }
            Long("rounds") => options.rounds = arguments.value()?.parse::<usize>()?.max(1),
            Long("only") => options.only = arguments.value()?.string()?,
            _ => return Err("speed [--documents N] [--rounds N] [--only WORD]".into()),
        }
    }
    Ok(options)
}

/// The release build of the extension, up to date.
fn extension() -> Result<Extension, Failure> {
    if std::env::var_os("ERMINE_EXTENSION_LIB").is_none() {
        let build = ["build", "--release", "--locked", "--quiet", "-p", "ermine-pg"];
        if !Command::new("cargo")
            .args(build)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status()?
            .success()
        {
            return Err("the extension does not build".into());
        }
        let library = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/libermine.so");
        return Ok(Extension::with_library(library.into()));
    }
    Ok(Extension::of_this_tree()?)
}

fn run() -> Result<bool, Failure> {
    let options = options()?;
    let cluster = Cluster::builder().extension(extension()?).without_login().standbys(0);
    let settings = [
        ("shared_buffers", "1GB"),
        ("max_wal_size", "4GB"),
        ("checkpoint_timeout", "1h"),
        ("autovacuum", "off"),
        ("max_parallel_workers_per_gather", "0"),
    ];
    let cluster = settings.iter().fold(cluster, |b, (name, value)| b.setting(name, value)).start()?;
    let mut config = postgres::Config::new();
    let primary = cluster.primary();
    config.host_path(primary.socket_dir()).port(primary.port()).user("postgres").dbname("ermine");
    cases::run(config.connect(postgres::NoTls)?, &options)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a target is missed");
            ExitCode::FAILURE
        }
        Err(e) => {
            // A database's error tells what it is only in its source.
            let mut cause = Some(&*e as &dyn std::error::Error);
            while let Some(e) = cause {
                eprintln!("{e}");
                cause = e.source();
            }
            ExitCode::FAILURE
        }
    }
}
