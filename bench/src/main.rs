//! `ermine-bench`: the same operations against MongoDB endpoints and, as SQL calls, straight against PostgreSQL.
//!
//! Targets take turns (A B A B …), so that ratios come from one run on one machine. The client speaks raw frames with
//! commands encoded beforehand: what it costs itself is little, and the same for every target.

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
