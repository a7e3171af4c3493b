//! `ermine-bench`: the same operations against MongoDB endpoints and, as SQL calls, straight against PostgreSQL.
//!
//! Targets take turns (A B A B …), so that ratios come from one run on one machine. The client speaks raw frames with
//! commands encoded beforehand: what it costs itself is little, and the same for every target.

mod connections;
mod cpu;
mod error;
mod floor;
mod mongo;
mod report;
mod run;
mod scram;
mod target;
mod workload;

use clap::Parser;
use error::Error;
use target::Target;
use workload::Kind;

/// Measures throughput, latency and CPU time per operation.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// A target: `name=mongodb://user:password@host:port` or, for the floor, `name=postgresql://…`. Repeatable; the
    /// first MongoDB target (or the first at all) is filled with documents before the run.
    #[arg(long = "target", required = true, value_name = "NAME=URI")]
    targets: Vec<Target>,
    /// What to run; repeatable.
    #[arg(long = "workload", value_enum, default_values_t = [Kind::FindById])]
    workloads: Vec<Kind>,
    /// Connections, each with one operation under way.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Documents in the collection.
    #[arg(long, default_value_t = 100_000)]
    documents: i32,
    /// Size of a document in bytes.
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Turns of each target.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A process whose CPU time is reported, with its children: `name=pid`. Repeatable.
    #[arg(long = "pid", value_name = "NAME=PID")]
    pids: Vec<cpu::Watched>,
    /// Database and collection to use.
    #[arg(long, default_value = "bench")]
    database: String,
    /// Instead of workloads: opens so many connections, authenticated and idle, and tells what each of them costs.
    #[arg(long, value_name = "CONNECTIONS")]
    idle: Option<usize>,
    /// Instead of workloads: for `--seconds`, opens so many connections a second, each of which logs in, pings and closes.
    #[arg(long, value_name = "PER_SECOND")]
    churn: Option<u32>,
    /// Print one JSON document instead of tables.
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    match measure(Args::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            report::complain(&e);
            std::process::ExitCode::FAILURE
        }
    }
}

async fn measure(args: Args) -> Result<(), Error> {
    if args.idle.is_some() || args.churn.is_some() {
        for target in &args.targets {
            if let Some(count) = args.idle {
                report::connections(
                    &target.name,
                    "before, with all open, after",
                    &connections::idle(target, count, &args.pids).await?,
                );
            }
            if let Some(rate) = args.churn {
                let (opened, states) = connections::churn(target, rate, args.seconds, &args.pids).await?;
                let what = format!("before, and after {opened} connections in {} s", args.seconds);
                report::connections(&target.name, &what, &states);
            }
        }
        return Ok(());
    }
    let shape = workload::Shape { database: args.database, documents: args.documents, size: args.size };
    run::fill(&args.targets, &shape).await?;
    let plan = run::Plan {
        connections: args.connections,
        turn: std::time::Duration::from_secs(args.seconds),
        rounds: args.rounds,
    };
    let mut tables = Vec::new();
    for kind in args.workloads {
        tables.push(run::workload(kind, &shape, &plan, &args.targets, &args.pids).await?);
    }
    report::print(&tables, &plan, args.json);
    Ok(())
}
