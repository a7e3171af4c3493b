//! Two ways to the same thing, in turns.

use std::fs;
use std::time::Instant;

use crate::Failure;

/// What one round of a way took for each operation, in microseconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    /// The backend's own time on a processor: other programs of the machine disturb it less.
    cpu: f64,
}

/// A row of the table.
pub struct Row {
    /// What is done.
    pub name: String,
    ours: Cost,
    plain: Cost,
    /// So many times plain SQL's time is wanted at most.
    target: f64,
}

/// Nanoseconds a process has spent on a processor (proc(5), schedstat).
fn on_cpu(pid: u32) -> Result<f64, Failure> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    Ok(text.split(' ').next().unwrap_or("").parse()?)
}

fn round(pid: u32, work: &mut dyn FnMut() -> Result<usize, Failure>) -> Result<Cost, Failure> {
    let (cpu, start) = (on_cpu(pid)?, Instant::now());
    let operations = work()? as f64;
    let wall = start.elapsed().as_secs_f64() * 1e6;
    Ok(Cost { wall: wall / operations, cpu: (on_cpu(pid)? - cpu) / 1e3 / operations })
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn medians(all: &[Cost]) -> Cost {
    let of = |f: fn(&Cost) -> f64| median(all.iter().map(f).collect());
    Cost { wall: of(|c| c.wall), cpu: of(|c| c.cpu) }
}

/// A way: does a number of operations and says how many.
pub type Work<'a> = &'a mut dyn FnMut() -> Result<usize, Failure>;

/// Runs both ways in turns, after one round of each that does not count; all in the backend `pid`.
pub fn compare(
    name: &str,
    target: f64,
    (pid, rounds): (u32, usize),
    ours: Work<'_>,
    plain: Work<'_>,
) -> Result<Row, Failure> {
    ours()?;
    plain()?;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        a.push(round(pid, ours)?);
        b.push(round(pid, plain)?);
    }
    let row = Row { name: name.into(), ours: medians(&a), plain: medians(&b), target };
    println!("{}", row.line());
    Ok(row)
}

impl Row {
    /// The heading of [`Row::line`].
    pub const HEAD: &'static str = "\
| each, in µs (medians)                            |     ours |    plain | ratio | ours, CPU | plain, CPU | ratio | target |
|--------------------------------------------------|---------:|---------:|------:|----------:|-----------:|------:|-------:|";

    /// One line of a table.
    pub fn line(&self) -> String {
        format!(
            "| {:<48} | {:>8.1} | {:>8.1} | {:>5.2} | {:>9.1} | {:>10.1} | {:>5.2} | {:>6.2} |{}",
            self.name,
            self.ours.wall,
            self.plain.wall,
            self.ours.wall / self.plain.wall,
            self.ours.cpu,
            self.plain.cpu,
            self.ours.cpu / self.plain.cpu,
            self.target,
            if self.met() { "" } else { " MISSED" },
        )
    }

    /// Whether the target is met, by the clock on the wall.
    pub fn met(&self) -> bool {
        self.ours.wall / self.plain.wall <= self.target
    }
}
