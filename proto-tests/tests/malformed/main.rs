//! Thousands of broken messages over real sockets, in front of a real primary, always the same ones. Each is answered
//! with well-formed replies or ends its own connection; nothing panics, no backend dies, memory stays within the
//! limits, and a client beside it notices nothing.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
mod answers;
mod messages;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use answers::{Tally, check, exchange};
use bson::doc;
use messages::{aimed, bodies, broken_command, broken_message, seeds};
use proto_tests::stage::{Options, Stage};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

/// Clients that send broken messages at the same time.
const CLIENTS: usize = 4;
/// Messages of each of them.
const MESSAGES: usize = 3000;
/// One message of the largest size, twice (compressed and not), for every client; and what the test itself takes.
const MEMORY: u64 = CLIENTS as u64 * 2 * 48_000_000 + 200_000_000;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A client that writes and reads all the time; how often it did, and what it lost.
fn neighbour(stage: &Stage, end: &AtomicBool) -> i32 {
    let mut client = stage.primary();
    let mut written = 0;
    while !end.load(Ordering::Relaxed) {
        client.ok(doc! { "insert": "beside", "documents": [{ "_id": written }], "$db": "neighbour" });
        written += 1;
        let reply = client.ok(doc! { "count": "beside", "$db": "neighbour" });
        assert_eq!(reply.get_i32("n").unwrap(), written);
    }
    written
}

#[test]
fn thousands_of_broken_messages() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().name().is_some_and(|name| name.starts_with("tokio")) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
    let stage = Stage::new(&Options { auth: false, standbys: 0, ..Options::default() });
    stage
        .stranger()
        .ok(doc! { "insert": "c", "documents": [{ "a": 1 }, { "a": "x", "l": [{ "b": 0 }] }], "$db": "m" });
    let mark = stage.cluster.primary().log_mark();
    let address = stage.addresses()[0];
    let (seeds, bodies, end) = (seeds(), bodies(), AtomicBool::new(false));
    let (tallies, beside) = thread::scope(|scope| {
        let beside = scope.spawn(|| neighbour(&stage, &end));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (seeds, bodies) = (&seeds, &bodies);
                scope.spawn(move || {
                    let mut random = SmallRng::seed_from_u64(20_261_123 + number as u64);
                    let mut tally = Tally::default();
                    let aimed = if number == 0 { aimed() } else { Vec::new() };
                    let broken = (0..MESSAGES).map(|n| match n % 3 {
                        0 => broken_message(&mut random, seeds),
                        _ => broken_command(&mut random, bodies),
                    });
                    for message in aimed.into_iter().chain(broken) {
                        check(&message, &exchange(address, &message), &mut tally);
                    }
                    tally
                })
            })
            .collect();
        let tallies: Vec<_> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        end.store(true, Ordering::Relaxed);
        (tallies, beside.join())
    });
    let total = tallies.into_iter().map(Result::unwrap).fold(Tally::default(), |sum, tally| Tally {
        messages: sum.messages + tally.messages,
        answers: sum.answers + tally.answers,
        errors: sum.errors + tally.errors,
        silent: sum.silent + tally.silent,
    });
    let beside = beside.unwrap();
    println!("{total:?}, {beside} writes beside them, {} MB at most", peak() / 1_000_000);
    assert!(total.messages >= CLIENTS * MESSAGES && total.errors > 1000 && total.silent > 1000, "{total:?}");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "something panicked");
    let log = mark.text();
    assert!(!log.contains("terminated by signal") && !log.contains("PANIC:"), "a backend died");
    assert!(beside > 10, "{beside}");
    assert!(peak() < MEMORY, "{} bytes of memory", peak());
}
