//! Runs a part of the corpus and shows what differs; see README.md.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::lists::{Entry, load, shrink_not_yet, write_table};
use contract::suite::{Suite, Verdict};
use contract::target::Target;

const USAGE: &str =
    "usage: contract [--trace] [--summary] [--candidates] [--shrink] [--threads N] [FILTER]...

Runs the cases whose topic::name contains a FILTER (all without one) and prints each failure.
  --trace       every step with what was expected and what came
  --summary     only the table of topics
  --candidates  lines for not_yet.txt for the cases that fail and are not listed
  --adopt       for the chosen cases with mongodb_differs: writes our answers to mongodb.jsonl. For
                answers that somebody has found to be MongoDB's; review the diff
  --reason TEXT with --adopt: why, also for cases without mongodb_differs
  --shrink      removes from not_yet.txt the cases that pass
  --table       writes the table of topics into README.md from the lists, without a server
  --threads N   cases at the same time (6)";

struct Options {
    trace: bool,
    summary: bool,
    candidates: bool,
    shrink: bool,
    adopt: bool,
    table: bool,
    reason: Option<String>,
    threads: usize,
    filters: Vec<String>,
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut trace, mut summary, mut candidates, mut shrink, mut adopt) = (false, false, false, false, false);
    let mut table = false;
    let (mut threads, mut filters, mut reason) = (6, Vec::new(), None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("trace") | Short('t') => trace = true,
            Long("summary") => summary = true,
            Long("candidates") => candidates = true,
            Long("shrink") => shrink = true,
            Long("adopt") => adopt = true,
            Long("table") => table = true,
            Long("reason") => reason = Some(arguments.value()?.string()?),
            Long("threads") => threads = arguments.value()?.parse()?,
            Value(filter) => filters.push(filter.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Options { trace, summary, candidates, shrink, adopt, table, reason, threads, filters })
}

fn main() -> ExitCode {
    let run = options().map_err(|e| format!("{e}\n\n{USAGE}")).and_then(|options| run(&options));
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, String> {
    if options.table {
        write_table()?;
        return Ok(true);
    }
    let target = Target::open()?;
    if target.is_ours() && !target.knows_official_cursors() {
        eprintln!(
            "the extension has no setting ermine.official_cursors: sorted results will differ in persistconnection"
        );
    }
    let suite = Suite::new(target);
    let chosen = |entry: &Entry| {
        let id = entry.id();
        (options.filters.is_empty() || options.filters.iter().any(|filter| id.contains(filter.as_str())))
            && suite.can_run(entry)
    };
    let entries: Vec<Entry> = load(suite.target().is_ours())?.into_iter().filter(chosen).collect();
    if options.adopt {
        if options.filters.is_empty() {
            return Err("--adopt needs the names of cases".into());
        }
        println!(
            "{} lines written to mongodb.jsonl",
            contract::adopt::adopt(&suite, &entries, options.reason.as_deref())?
        );
        return Ok(true);
    }
    let verdicts = run_all(&suite, &entries, options.threads);
    let wrong = report(options, &entries, &verdicts);
    if options.shrink {
        let passed = entries.iter().zip(&verdicts).filter(|(_, verdict)| verdict.failure.is_none());
        let names: Vec<&str> = passed.map(|(entry, _)| entry.case.name()).collect();
        println!("{} lines removed from not_yet.txt", shrink_not_yet(&names)?);
        write_table()?;
    }
    if !options.candidates {
        print!("\n{}", suite.summary());
    }
    Ok(wrong == 0)
}

fn run_all(suite: &Suite, entries: &[Entry], threads: usize) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![None; entries.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((i, entry)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, entries.get(i)?)))
                {
                    let verdict = suite.run(entry);
                    if let Ok(mut verdicts) = verdicts.lock() {
                        verdicts[i] = Some(verdict);
                    }
                }
            });
        }
    });
    verdicts.into_inner().unwrap_or_default().into_iter().flatten().collect()
}

/// Prints what was asked for and gives the number of cases that are not as the lists say.
fn report(options: &Options, entries: &[Entry], verdicts: &[Verdict]) -> usize {
    let mut wrong = 0;
    for (entry, verdict) in entries.iter().zip(verdicts) {
        wrong += usize::from(Suite::judge(entry, verdict).is_err());
        let Some(failure) = &verdict.failure else {
            if entry.not_yet.is_some() && !options.summary && !options.candidates {
                println!("PASSES though not_yet.txt lists it: {}", entry.id());
            }
            continue;
        };
        if options.candidates {
            if entry.not_yet.is_none() {
                let reason: String = failure.replace('\n', " ").chars().take(160).collect();
                println!("{}: {reason}", entry.case.name());
            }
        } else if !options.summary {
            let listed = if entry.not_yet.is_some() { " (listed)" } else { "" };
            println!("FAILS{listed} {}\n  {failure}", entry.id());
            if let Some(line) = entry.case.mongodb_differs() {
                println!("  MongoDB: {line}");
            }
            if options.trace {
                println!("  {}", verdict.trace.join("\n  "));
            }
        }
    }
    wrong
}
