//! Runs cases against one target from many threads and keeps the score.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use crate::lists::Entry;
use crate::replay::{Failure, Judge, replay};
use crate::target::Target;

/// How long a server that went down may take to come back.
const RECOVERY: Duration = Duration::from_secs(60);

/// How often a case with a time limit may run again, alone, until the machine is fast enough for it.
const AGAIN: usize = 3;

/// Recorded documents nest deep, and so does the code that walks them.
const STACK: usize = 64 << 20;

/// How one case ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The first difference, or why the case could not be run.
    pub failure: Option<String>,
    /// Every step with what was expected and what came.
    pub trace: Vec<String>,
}

/// The cases' common ground.
#[derive(Debug)]
pub struct Suite {
    target: Target,
    /// Held for reading by every case; for writing by one that runs alone.
    alone: RwLock<()>,
    database: AtomicU32,
    scores: Mutex<BTreeMap<String, Score>>,
}

/// The score of one topic.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    passed: u32,
    with_mongodb: u32,
    total: u32,
}

impl Suite {
    /// A suite over an open target.
    pub fn new(target: Target) -> Self {
        // Names differ between runs against the same server.
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let first = if target.is_ours() { 0 } else { u32::try_from(seconds % 100 * 10_000).unwrap_or(0) };
        Self { target, alone: RwLock::default(), database: AtomicU32::new(first), scores: Mutex::default() }
    }

    /// The server under test.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the target has what the case needs.
    pub fn can_run(&self, entry: &Entry) -> bool {
        !entry.case.on_standby() || self.target.has_standby()
    }

    /// Runs a case and counts it. A case during which the server went down runs again alone, so that the blame
    /// falls on the one that took it down; so does one with a time limit that differs, for a limit of some
    /// milliseconds finds a busy server at another place than an idle one.
    pub fn run(&self, entry: &Entry) -> Verdict {
        let deep = |work: &(dyn Fn() -> (Result<(), Failure>, Vec<String>) + Sync)| {
            std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
                let joined = thread.map(std::thread::ScopedJoinHandle::join);
                match joined {
                    Ok(Ok(result)) => result,
                    _ => (Err(Failure::Differs("the replay itself panicked".into())), Vec::new()),
                }
            })
        };
        let work = || {
            let mut judge = Judge { approximate: entry.case.approximate(), trace: Vec::new() };
            let result = replay(&self.target, &entry.case, &self.database(), &mut judge);
            (result, judge.trace)
        };
        let (mut result, mut trace) = {
            let _shared = self.alone.read().unwrap_or_else(PoisonError::into_inner);
            deep(&work)
        };
        if let Err(Failure::ServerLost(_)) = result {
            let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
            self.await_server();
            (result, trace) = deep(&work);
            if let Err(Failure::ServerLost(_)) = result {
                self.await_server();
            }
        }
        for _ in 0..AGAIN {
            if !(entry.case.timed() && entry.not_yet.is_none() && matches!(result, Err(Failure::Differs(_))))
            {
                break;
            }
            let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
            (result, trace) = deep(&work);
        }
        let failure = result.err().map(|failure| match failure {
            Failure::Differs(why) => why,
            Failure::ServerLost(why) => format!("the server went down: {why}"),
        });
        let mut scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        let score = scores.entry(entry.case.topic().into()).or_default();
        score.total += 1;
        score.passed += u32::from(failure.is_none());
        score.with_mongodb += u32::from(failure.is_none() && entry.follows_mongodb);
        Verdict { failure, trace }
    }

    /// A name of 9 bytes that no other case of this run has.
    pub fn database(&self) -> String {
        format!("db_{:06}", self.database.fetch_add(1, Ordering::Relaxed) % 1_000_000)
    }

    /// Holds a verdict against the list of cases that do not pass yet.
    ///
    /// # Errors
    /// What is wrong: a difference in a case that is not listed, or none in one that is.
    pub fn judge(entry: &Entry, verdict: &Verdict) -> Result<(), String> {
        match (&verdict.failure, &entry.not_yet) {
            (None, None) | (Some(_), Some(_)) => Ok(()),
            (Some(failure), None) => Err(format!("{failure}\n\n{}", verdict.trace.join("\n"))),
            (None, Some(_)) => {
                Err("passes, but not_yet.txt lists it: remove the line (--shrink does it)".into())
            }
        }
    }

    /// Waits until both nodes answer again.
    fn await_server(&self) {
        let give_up = Instant::now() + RECOVERY;
        let answers = |standby| self.target.connect(standby, None).is_ok();
        while !(answers(false) && (!self.target.has_standby() || answers(true))) && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The table of topics.
    pub fn summary(&self) -> String {
        let scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from("topic                   passed   of     %   (MongoDB's answer)\n");
        let mut all = Score::default();
        let mut line = |name: &str, score: Score| {
            let percent = 100.0 * f64::from(score.passed) / f64::from(score.total.max(1));
            let Score { passed, total, with_mongodb } = score;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:22} {passed:7} {total:5} {percent:5.1}   {with_mongodb}");
        };
        for (topic, score) in scores.iter() {
            line(topic, *score);
            all.passed += score.passed;
            all.total += score.total;
            all.with_mongodb += score.with_mongodb;
        }
        line("all", all);
        text
    }
}
