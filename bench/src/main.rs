//! `ermine-bench`: the same operations against MongoDB endpoints and, as SQL calls, straight against PostgreSQL.
//!
//! Targets take turns (A B A B …), so that ratios come from one run on one machine. The client speaks raw frames with
//! commands encoded beforehand: what it costs itself is little, and the same for every target.

mod connections;
mod cpu;
mod driver;
mod error;
mod floor;
mod forward;
mod mongo;
mod pace;
mod report;
mod run;
mod scram;
mod target;
mod tls;
mod wire;
mod workload;
mod zipf;

use clap::Parser;
use error::Error;
use run::Load;
use target::Target;

/// Measures throughput, latency and CPU time per operation.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// A target: `name=mongodb://user:password@host:port/?tls=true&tlsCAFile=…&compressors=zstd` for raw frames,
    /// `name=driver+mongodb://…` for the official driver or, for the floor, `name=postgresql://…`. Repeatable; the first
    /// target of raw frames (or the first at all) is filled with documents before the run.
    #[arg(long = "target", required_unless_present = "serve_forward", value_name = "NAME=URI")]
    targets: Vec<Target>,
    /// What to run: `NAME[@CONNECTIONS[xFRAMES]]`, where a connection sends so many frames together; repeatable. Names: ping,
    /// connect, find-by-id, find-by-id100b, find-by-id16k, find100, find10000, insert1, insert100, insert1000, update,
    /// ycsb-a, ycsb-b, ycsb-c, count, group.
    #[arg(long = "workload", default_value = "find-by-id")]
    workloads: Vec<Load>,
    /// Connections, where a workload names none.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Operations per second over all connections, begun at fixed times (open loop); without it each connection begins one
    /// as soon as the one before is answered (closed loop).
    #[arg(long)]
    rate: Option<f64>,
    /// Puts a plain TCP forwarder, in a process of its own, in front of the last target, which must be PostgreSQL, and makes it
    /// a further target named `forward`: what a proxy costs that does nothing.
    #[arg(long)]
    forward: bool,
    /// The most connections to a PostgreSQL target; it is left out where a workload has more.
    #[arg(long, default_value_t = 64)]
    backends: usize,
    /// Documents in the collection.
    #[arg(long, default_value_t = 100_000)]
    documents: i32,
    /// Size of a document in bytes.
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 5.0, overrides_with = "seconds")]
    seconds: f64,
    /// Turns of each target.
    #[arg(long, default_value_t = 5, overrides_with = "rounds")]
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
    /// Uses the documents of the run before.
    #[arg(long)]
    keep: bool,
    /// Serves as the forwarder of `--forward`.
    #[arg(long, value_name = "HOST:PORT", hide = true)]
    serve_forward: Option<String>,
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

async fn measure(mut args: Args) -> Result<(), Error> {
    if let Some(to) = &args.serve_forward {
        return forward::serve(to);
    }
    if args.idle.is_some() || args.churn.is_some() {
        return count_connections(&args).await;
    }
    let mut forwarder = None;
    if args.forward
        && let Some(floor) = args.targets.last()
    {
        let (running, target, watched) = forward::Forwarder::start(floor)?;
        forwarder = Some(running);
        args.targets.insert(args.targets.len() - 1, target);
        args.pids.push(watched);
    }
    let kinds: Vec<_> = args.workloads.iter().map(|load| load.kind).collect();
    let shape = workload::Shape::new(args.database, args.documents, args.size);
    if !args.keep {
        run::fill(&args.targets, &shape, &kinds).await?;
    }
    let plan = run::Plan {
        connections: args.connections,
        rate: args.rate,
        turn: std::time::Duration::from_secs_f64(args.seconds),
        rounds: args.rounds,
        backends: args.backends,
    };
    let mut tables = Vec::new();
    for load in args.workloads {
        tables.push(run::workload(load, &shape, &plan, &args.targets, &args.pids).await?);
    }
    drop(forwarder);
    report::print(&tables, &plan, args.json);
    Ok(())
}

async fn count_connections(args: &Args) -> Result<(), Error> {
    for target in &args.targets {
        if let Some(count) = args.idle {
            let states = connections::idle(target, count, &args.pids).await?;
            report::connections(&target.name, "before, with all open, after", &states, count);
        }
        if let Some(rate) = args.churn {
            let (opened, states) = connections::churn(target, rate, args.seconds, &args.pids).await?;
            let what = format!("before, and after {opened} connections in {} s", args.seconds);
            report::connections(&target.name, &what, &states, opened);
        }
    }
    Ok(())
}
