//! The corpus as tests, one per case, against one cluster that all share.

use std::process::ExitCode;
use std::sync::Arc;

use contract::lists::load;
use contract::suite::Suite;
use contract::target::Target;
use libtest_mimic::{Arguments, Failed, Trial};

/// Cases mostly wait for the server, and some for each other's locks.
const THREADS: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    match run(&arguments) {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    if arguments.list {
        let trials = load(true)?.iter().map(|entry| Trial::test(entry.id(), || Ok(()))).collect();
        return Ok(libtest_mimic::run(arguments, trials).exit_code());
    }
    let suite = Arc::new(Suite::new(Target::open()?));
    let entries = load(suite.target().is_ours())?;
    let skipped = entries.iter().filter(|entry| !suite.can_run(entry)).count();
    let trials = entries.into_iter().filter(|entry| suite.can_run(entry)).map(|entry| {
        let suite = Arc::clone(&suite);
        Trial::test(entry.id(), move || {
            let verdict = suite.run(&entry);
            Suite::judge(&entry, &verdict).map_err(Failed::from)
        })
    });
    let conclusion = libtest_mimic::run(arguments, trials.collect());
    println!("{}", suite.summary());
    if skipped > 0 {
        println!("{skipped} cases of the standby left out: CONTRACT_STANDBY_URI is not set");
    }
    Ok(conclusion.exit_code())
}
