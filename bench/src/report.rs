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

/// Prints a line.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Prints what the watched processes held at several moments.
pub(crate) fn connections(target: &str, moments: &str, states: &[Vec<State>], count: usize) {
    println!("\n{target}: {moments}");
    println!("{:<14}{:>12}{:>10}{:>10}{:>10}", "process", "memory KiB", "files", "threads", "children");
    for state in states.iter().flatten() {
        let kilobytes = state.resident / 1024;
        println!(
            "{:<14}{kilobytes:>12}{:>10}{:>10}{:>10}",
            state.name, state.files, state.threads, state.children
        );
    }
    let [Some(before), Some(open)] = [0, 1].map(|moment| states.get(moment)) else { return };
    for (before, open) in before.iter().zip(open) {
        let kilobytes = open.resident.saturating_sub(before.resident) / 1024;
        #[allow(clippy::cast_precision_loss, reason = "kilobytes stay far below 2^53")]
        let each = kilobytes as f64 / (count.max(1) as f64);
        println!("{}: {each:.1} KiB more for each connection at the second moment", open.name);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 || values.is_empty() {
        at(middle)
    } else {
        f64::midpoint(at(middle - 1), at(middle))
    }
}

#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a run stay far below 2^53")]
fn quantile(turns: &[Turn], q: f64) -> f64 {
    median(turns.iter().map(|t| t.latencies.value_at_quantile(q) as f64 / 1000.0).collect())
}

fn throughput(turns: &[Turn]) -> f64 {
    median(turns.iter().map(|t| t.throughput).collect())
}

fn moved(turns: &[Turn]) -> f64 {
    median(turns.iter().map(|t| t.moved).collect())
}

fn cpu(turns: &[Turn], process: usize) -> f64 {
    median(turns.iter().filter_map(|t| t.cpu.get(process).copied()).collect())
}

#[allow(clippy::cast_precision_loss, reason = "bytes of memory stay far below 2^53")]
fn resident(turns: &[Turn], process: usize) -> f64 {
    median(turns.iter().filter_map(|t| t.resident.get(process).map(|bytes| *bytes as f64)).collect())
}

/// Prints medians over the turns, each target's throughput over the last target's, and what a target costs over the floor.
pub(crate) fn print(tables: &[Table], plan: &Plan, as_json: bool) {
    if as_json {
        println!(
            "{}",
            json!({ "rounds": plan.rounds, "seconds": plan.turn.as_secs_f64(), "rate": plan.rate,
                "workloads": tables.iter().map(to_json).collect::<Vec<_>>() })
        );
        return;
    }
    for table in tables {
        heading(table, plan);
        print!(
            "{:<12}{:>10}{:>7}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "target", "op/s", "ratio", "MB/s", "p50", "p95", "p99", "p99.9"
        );
        table.processes.iter().for_each(|p| print!("{:>14}", format!("cpu {p}")));
        table.processes.iter().skip(1).for_each(|p| print!("{:>14}", format!("MiB {p}")));
        println!();
        let last = table.targets.last().map_or(f64::NAN, |(_, _, turns)| throughput(turns));
        for (name, _, turns) in &table.targets {
            let rate = throughput(turns);
            print!("{name:<12}{rate:>10.0}{:>7.2}{:>9.1}", rate / last, rate * moved(turns) / 1e6);
            [0.5, 0.95, 0.99, 0.999].iter().for_each(|q| print!("{:>9.0}", quantile(turns, *q)));
            (0..table.processes.len()).for_each(|p| print!("{:>14.1}", cpu(turns, p)));
            (1..table.processes.len()).for_each(|p| print!("{:>14.1}", resident(turns, p) / 1_048_576.0));
            println!();
        }
        costs(table).iter().for_each(|cost| println!("{cost}"));
    }
}

fn heading(table: &Table, plan: &Plan) {
    let frames =
        if table.pipeline > 1 { format!(" with {} frames each", table.pipeline) } else { String::new() };
    let rate =
        plan.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("open loop, {rate:.0} op/s"));
    println!(
        "\n{}: {} connections{frames}, {rate}, medians of {} turns of {} s; latencies in µs, CPU in µs per operation",
        table.workload,
        table.connections,
        plan.rounds,
        plan.turn.as_secs_f64()
    );
}

/// What each target costs over the last one, if that is PostgreSQL itself. CPU is that of the process named like the target.
fn costs(table: &Table) -> Vec<String> {
    let Some((floor_name, true, floor)) = table.targets.last() else { return Vec::new() };
    let others = table.targets.iter().rev().skip(1).rev();
    let cost = |(name, _, turns): &(String, bool, Vec<Turn>)| {
        let process = table.processes.iter().position(|process| process == name);
        let own = process.map_or_else(String::new, |process| {
            let each = cpu(turns, process);
            let per_megabyte = each / (moved(turns) / 1e6);
            format!(", CPU {each:.1} µs per operation, {per_megabyte:.0} µs per MB")
        });
        format!(
            "cost of {name} over {floor_name}: {:.0} % of the throughput, p50 {:+.0} µs, p99 {:+.0} µs{own}",
            100.0 * throughput(turns) / throughput(floor),
            quantile(turns, 0.5) - quantile(floor, 0.5),
            quantile(turns, 0.99) - quantile(floor, 0.99),
        )
    };
    others.map(cost).collect()
}

fn to_json(table: &Table) -> Value {
    let targets: Vec<Value> = table
        .targets
        .iter()
        .map(|(name, _, turns)| {
            let each = |figure: &dyn Fn(usize) -> f64| -> serde_json::Map<String, Value> {
                table.processes.iter().enumerate().map(|(i, p)| (p.clone(), json!(figure(i)))).collect()
            };
            json!({ "target": name, "operations_per_second": throughput(turns),
                "operations_per_second_of_turns": turns.iter().map(|t| t.throughput).collect::<Vec<_>>(),
                "bytes_per_operation": moved(turns),
                "p50_us": quantile(turns, 0.5), "p95_us": quantile(turns, 0.95),
                "p99_us": quantile(turns, 0.99), "p999_us": quantile(turns, 0.999),
                "cpu_us_per_operation": each(&|i| cpu(turns, i)), "resident_bytes": each(&|i| resident(turns, i)) })
        })
        .collect();
    json!({ "workload": table.workload, "connections": table.connections, "frames": table.pipeline,
        "targets": targets, "costs": costs(table) })
}
