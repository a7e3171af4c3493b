//! What the profiler keeps: for each database a level and the documents of its `system.profile`.
//!
//! The extension lets nobody write to a collection of that name, so the process keeps the documents itself, as many of the
//! latest as MongoDB's capped collection would hold, and loses them when it ends.
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bson::RawDocumentBuf;

/// What a database's documents may take, in bytes: the size of MongoDB's `system.profile`.
const MAX_BYTES: usize = 1024 * 1024;
/// Databases beyond this number are not profiled: their names are made up by clients.
const MAX_DATABASES: usize = 64;

/// Which operations a database's profiler records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// None.
    #[default]
    Off,
    /// Those that are slow.
    Slow,
    /// All.
    All,
}

impl Level {
    /// As `profile` tells it.
    pub fn number(self) -> i32 {
        match self {
            Self::Off => 0,
            Self::Slow => 1,
            Self::All => 2,
        }
    }
}

#[derive(Debug, Default)]
struct Profile {
    level: Level,
    documents: VecDeque<RawDocumentBuf>,
    bytes: usize,
}

/// The profilers of all databases.
#[derive(Debug, Default)]
pub struct Profiler {
    /// Some database is profiled. All that a request looks at otherwise.
    on: AtomicBool,
    databases: Mutex<HashMap<Box<str>, Profile>>,
}

impl Profiler {
    fn databases(&self) -> MutexGuard<'_, HashMap<Box<str>, Profile>> {
        // Whole after every statement.
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if some database is profiled.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// The level of a database.
    pub fn level(&self, db: &str) -> Level {
        self.databases().get(db).map_or(Level::Off, |profile| profile.level)
    }

    /// Sets the level of a database and keeps its documents. False if too many are profiled already.
    pub fn set(&self, db: &str, level: Level) -> bool {
        let mut databases = self.databases();
        databases.retain(|_, profile| profile.level != Level::Off || !profile.documents.is_empty());
        if let Some(profile) = databases.get_mut(db) {
            profile.level = level;
        } else if level != Level::Off {
            if databases.len() >= MAX_DATABASES {
                return false;
            }
            databases.insert(db.into(), Profile { level, ..Profile::default() });
        }
        let on = databases.values().any(|profile| profile.level != Level::Off);
        self.on.store(on, Ordering::Relaxed);
        true
    }

    /// Keeps a document, and lets go of the oldest ones.
    pub fn add(&self, db: &str, document: RawDocumentBuf) {
        let mut databases = self.databases();
        let Some(profile) = databases.get_mut(db) else { return };
        profile.bytes += document.as_bytes().len();
        profile.documents.push_back(document);
        while profile.bytes > MAX_BYTES
            && let Some(oldest) = profile.documents.pop_front()
        {
            profile.bytes = profile.bytes.saturating_sub(oldest.as_bytes().len());
        }
    }

    /// A database's documents, the oldest first.
    pub fn documents(&self, db: &str) -> Vec<RawDocumentBuf> {
        self.databases().get(db).map_or_else(Vec::new, |profile| profile.documents.iter().cloned().collect())
    }

    /// Lets go of a database's documents. True if there were any.
    pub fn clear(&self, db: &str) -> bool {
        let mut databases = self.databases();
        let Some(profile) = databases.get_mut(db) else { return false };
        profile.bytes = 0;
        !std::mem::take(&mut profile.documents).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn a_database_has_its_own_level_and_documents() {
        let profiler = Profiler::default();
        assert!(!profiler.is_on() && profiler.level("a") == Level::Off);
        profiler.add("a", rawdoc! { "n": 0 });
        assert!(profiler.documents("a").is_empty());
        assert!(profiler.set("a", Level::All) && profiler.is_on());
        profiler.add("a", rawdoc! { "n": 1 });
        assert_eq!((profiler.level("a"), profiler.level("b")), (Level::All, Level::Off));
        assert!(profiler.set("a", Level::Off) && !profiler.is_on());
        assert_eq!(profiler.documents("a"), [rawdoc! { "n": 1 }]);
        assert!(profiler.clear("a") && !profiler.clear("a"));
    }

    #[test]
    fn the_oldest_give_way() {
        let profiler = Profiler::default();
        profiler.set("a", Level::All);
        let text = "x".repeat(1000);
        for n in 0..2000 {
            profiler.add("a", rawdoc! { "n": n, "text": &*text });
        }
        let kept = profiler.documents("a");
        let bytes: usize = kept.iter().map(|document| document.as_bytes().len()).sum();
        assert!(bytes <= MAX_BYTES && bytes > MAX_BYTES - 2000);
        assert_eq!(kept.last().unwrap().get_i32("n").unwrap(), 1999);
    }

    #[test]
    fn made_up_databases_end_somewhere() {
        let profiler = Profiler::default();
        for n in 0..MAX_DATABASES {
            assert!(profiler.set(&n.to_string(), Level::Slow));
        }
        assert!(!profiler.set("one more", Level::Slow));
        assert!(profiler.set("0", Level::Off) && profiler.set("one more", Level::Slow));
    }
}
