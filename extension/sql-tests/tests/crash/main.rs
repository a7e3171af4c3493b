//! Crashes in the middle of writes, again and again: nothing that was acknowledged is lost, nothing is applied twice, and
//! every index answers as a scan does, on the primary and on its standby.
//!
//! `ERMINE_CRASH_KILLS=50 cargo test -p sql-tests --test crash -- --nocapture` is the long form; `ERMINE_CRASH_SEED`
//! repeats the choices of a run (not its timing).

mod check;
mod log;
mod model;
mod writer;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ermine_cluster::{Cluster, Extension, build_extension};
use sql_tests::{Client, Rng, Session, address};
use writer::{Indexer, Writer};

/// Concurrent writers, each with documents of its own.
const WRITERS: i32 = 4;

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |v| v.parse().expect(variable))
}

fn cluster() -> Cluster {
    build_extension().expect("the extension builds");
    let extension = Extension::of_this_tree().expect("the extension's files");
    let builder = Cluster::builder().extension(extension).without_login();
    // As in production: what is acknowledged is on the disk. Vacuum and checkpoints get into the way often.
    let settings = [("fsync", "on"), ("full_page_writes", "on"), ("autovacuum_naptime", "1s")];
    let more =
        [("max_wal_size", "64MB"), ("checkpoint_timeout", "30s"), ("checkpoint_completion_target", "0.1")];
    let builder = settings.iter().chain(&more).fold(builder, |b, (name, value)| b.setting(name, value));
    builder.start().expect("a cluster")
}

#[test]
fn acknowledged_writes_and_indexes_survive_crashes() {
    let kills = number("ERMINE_CRASH_KILLS", 3);
    let mut rng = Rng(number("ERMINE_CRASH_SEED", 7) as u64);
    let cluster = cluster();
    let mut session = Session::open(cluster.primary());
    writer::prepare(&mut session);
    log::prepare(&mut session);
    drop(session);
    let mut writers: Vec<Writer> = (0..WRITERS).map(|w| Writer::new(w, rng.below(1 << 30) as u64)).collect();
    let mut logs: Vec<log::Log> = (1..=2).map(log::Log::new).collect();
    let mut indexer = Indexer::default();
    let mut totals = check::Figures::default();
    for kill in 1..=kills {
        let acknowledged = AtomicUsize::new(0);
        let wanted = 20 + rng.below(150);
        let (primary, address) = (cluster.primary(), address(cluster.primary()));
        // All are connected before the server may be killed.
        let connect = || Client::connect(&address).expect("a connection");
        std::thread::scope(|scope| {
            for writer in &mut writers {
                let (client, acknowledged) = (connect(), &acknowledged);
                scope.spawn(move || writer.run(client, acknowledged));
            }
            for log in &mut logs {
                let client = connect();
                scope.spawn(move || log.run(client));
            }
            let client = connect();
            scope.spawn(|| indexer.run(client));
            let patience = Instant::now() + Duration::from_secs(180);
            while acknowledged.load(Ordering::Relaxed) < wanted {
                assert!(Instant::now() < patience, "the writers make no progress");
                std::thread::sleep(Duration::from_millis(1));
            }
            if rng.below(3) == 0 {
                // A checkpoint is under way when the crash comes. It fails with it.
                scope.spawn(|| drop(primary.execute("CHECKPOINT")));
            }
            if rng.below(4) == 0 {
                cluster.standby().kill_all().expect("kill the standby");
            }
            // The server comes back by itself after the loss of one process, and is started after the loss of all.
            if kill % 3 == 0 {
                check::kill_one_backend(primary, &mut rng);
            } else {
                primary.kill_all().expect("kill the primary");
            }
        });
        if !primary.is_running() {
            primary.start().expect("the primary recovers");
        }
        if !cluster.standby().is_running() {
            cluster.standby().start().expect("the standby recovers");
        }
        let mut session = check::reconnect(primary);
        let all = check::documents(&mut session);
        let in_doubt = writers.iter_mut().map(|w| w.settle(&all)).filter(|doubt| *doubt).count();
        for writer in &mut writers {
            writer.send_again(&mut session);
        }
        indexer.settle(&mut session);
        log::settle(&mut logs, &mut session);
        let before = totals.answers;
        totals.compare(&mut session, &mut rng, "primary");
        cluster.wait_replayed().expect("the standby catches up");
        let mut standby = check::reconnect(cluster.standby());
        assert_eq!(
            check::documents(&mut standby),
            check::documents(&mut session),
            "the standby has other rows"
        );
        assert_eq!(log::ids(&mut standby), log::ids(&mut session), "the standby has another log");
        totals.compare(&mut standby, &mut rng, "standby");
        println!(
            "kill {kill}: {} acknowledged, {in_doubt} in doubt, {} documents, {} answers of indexes compared",
            acknowledged.load(Ordering::Relaxed),
            check::documents(&mut session).len(),
            totals.answers - before,
        );
        totals.acknowledged += acknowledged.load(Ordering::Relaxed);
        totals.in_doubt += in_doubt;
    }
    let again: usize = writers.iter().map(|w| w.sent_again).sum();
    println!(
        "{kills} kills, {} acknowledged writes, 0 lost, 0 applied twice; {} in doubt at a crash, {again} sent again under \
         their number; {} answers of indexes as those of scans",
        totals.acknowledged, totals.in_doubt, totals.answers,
    );
}
