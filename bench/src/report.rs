//! Tables and JSON. This is the one place that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the report is this program's output")]

use crate::connections::State;
use crate::error::Error;
use crate::run::{Plan, Table, Turn};
use serde_json::{Value, json};

/// Says why nothing was measured.
pub(crate) fn complain(e: &Error) {
    eprintln!("ermine-bench: {e}");
}

/// Prints what the watched processes held at several moments.
pub(crate) fn connections(target: &str, moments: &str, states: &[Vec<State>]) {
    println!("\n{target}: {moments}");
    println!("{:<14}{:>12}{:>10}{:>10}{:>10}", "process", "memory KiB", "files", "threads", "children");
    for state in states.iter().flatten() {
        let kilobytes = state.resident / 1024;
        println!(
            "{:<14}{kilobytes:>12}{:>10}{:>10}{:>10}",
            state.name, state.files, state.threads, state.children
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a run stay far below 2^53")]
fn quantile(turns: &[Turn], q: f64) -> f64 {
    median(turns.iter().map(|t| t.latencies.value_at_quantile(q) as f64 / 1000.0).collect())
}

fn throughput(turns: &[Turn]) -> f64 {
    median(turns.iter().map(|t| t.throughput).collect())
}

fn cpu(turns: &[Turn], process: usize) -> f64 {
    median(turns.iter().filter_map(|t| t.cpu.get(process).copied()).collect())
}

/// Prints medians over the turns, and each target's throughput over the last target's.
pub(crate) fn print(tables: &[Table], plan: &Plan, as_json: bool) {
    if as_json {
        println!(
            "{}",
            json!({ "connections": plan.connections, "rounds": plan.rounds,
            "seconds": plan.turn.as_secs(), "workloads": tables.iter().map(to_json).collect::<Vec<_>>() })
        );
        return;
    }
    for table in tables {
        println!(
            "\n{}: {} connections, medians of {} turns of {} s; latencies in µs, CPU in µs per operation",
            table.workload,
            plan.connections,
            plan.rounds,
            plan.turn.as_secs()
        );
        print!(
            "{:<14}{:>10}{:>8}{:>9}{:>9}{:>9}{:>9}",
            "target", "op/s", "ratio", "p50", "p95", "p99", "p99.9"
        );
        table.processes.iter().for_each(|p| print!("{:>14}", format!("cpu {p}")));
        println!();
        let last = table.targets.last().map_or(f64::NAN, |(_, turns)| throughput(turns));
        for (name, turns) in &table.targets {
            let rate = throughput(turns);
            print!("{name:<14}{rate:>10.0}{:>8.2}", rate / last);
            [0.5, 0.95, 0.99, 0.999].iter().for_each(|q| print!("{:>9.0}", quantile(turns, *q)));
            (0..table.processes.len()).for_each(|p| print!("{:>14.1}", cpu(turns, p)));
            println!();
        }
    }
}

fn to_json(table: &Table) -> Value {
    let targets: Vec<Value> = table
        .targets
        .iter()
        .map(|(name, turns)| {
            let cpu: serde_json::Map<String, Value> =
                table.processes.iter().enumerate().map(|(i, p)| (p.clone(), json!(cpu(turns, i)))).collect();
            json!({ "target": name, "operations_per_second": throughput(turns), "p50_us": quantile(turns, 0.5),
                "p95_us": quantile(turns, 0.95), "p99_us": quantile(turns, 0.99), "p999_us": quantile(turns, 0.999),
                "cpu_us_per_operation": cpu })
        })
        .collect();
    json!({ "workload": table.workload, "targets": targets })
}
