//! How much time the commands on each collection took, for `top`.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Collections beyond this number are not counted: their names are made up by clients.
const MOST: usize = 10_000;

/// What `top` tells apart; the places of [`Times::rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// find.
    Query = 3,
    /// getMore.
    GetMore = 4,
    /// insert.
    Insert = 5,
    /// update.
    Update = 6,
    /// delete.
    Remove = 7,
    /// Every other command.
    Command = 8,
}

/// The words of `top`, in its order.
pub const ROWS: [&str; 9] =
    ["total", "readLock", "writeLock", "queries", "getmore", "insert", "update", "remove", "commands"];
const TOTAL: usize = 0;
const READ: usize = 1;
const WRITE: usize = 2;

/// The sums of one collection.
#[derive(Debug, Default)]
pub struct Times([(AtomicU64, AtomicU64); 9]);

impl Times {
    fn add(&self, row: usize, micros: u64) {
        if let Some((time, count)) = self.0.get(row) {
            time.fetch_add(micros, Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each word with its microseconds and its count.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let sums =
            self.0.iter().map(|(time, count)| (time.load(Ordering::Relaxed), count.load(Ordering::Relaxed)));
        ROWS.into_iter().zip(sums).map(|(word, (time, count))| (word, time, count))
    }
}

type Databases = HashMap<Box<str>, HashMap<Box<str>, Arc<Times>>>;

/// The sums of all collections since the start.
#[derive(Debug, Default)]
pub struct Usage(RwLock<Databases>);

impl Usage {
    fn read(&self) -> RwLockReadGuard<'_, Databases> {
        // The maps are whole after every statement.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Databases> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command on this collection took so long.
    pub fn add(&self, db: &str, collection: &str, kind: Kind, writes: bool, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let known = self.read().get(db).and_then(|names| names.get(collection)).map(Arc::clone);
        let Some(times) = known.or_else(|| self.enter(db, collection)) else { return };
        for row in [TOTAL, if writes { WRITE } else { READ }, kind as usize] {
            times.add(row, micros);
        }
    }

    fn enter(&self, db: &str, collection: &str) -> Option<Arc<Times>> {
        let mut databases = self.write();
        let all: usize = databases.values().map(HashMap::len).sum();
        if all >= MOST {
            return None;
        }
        let names = databases.entry(db.into()).or_default();
        Some(Arc::clone(names.entry(collection.into()).or_default()))
    }

    /// The collection is gone; without a name, the whole database.
    pub fn forget(&self, db: &str, collection: Option<&str>) {
        let mut databases = self.write();
        match collection {
            None => {
                databases.remove(db);
            }
            Some(collection) => {
                if let Some(names) = databases.get_mut(db) {
                    names.remove(collection);
                }
            }
        }
    }

    /// All collections by their full names, sorted.
    pub fn all(&self) -> Vec<(String, Arc<Times>)> {
        let databases = self.read();
        let each = databases.iter().flat_map(|(db, names)| {
            names.iter().map(move |(name, times)| (format!("{db}.{name}"), Arc::clone(times)))
        });
        let mut all: Vec<_> = each.collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(usage: &Usage, ns: &str) -> Vec<(&'static str, u64, u64)> {
        let all = usage.all();
        let found = all.iter().find(|(name, _)| name == ns);
        found.map_or_else(Vec::new, |(_, times)| times.rows().filter(|(_, _, count)| *count > 0).collect())
    }

    #[test]
    fn sums_by_kind() {
        let usage = Usage::default();
        let ms = Duration::from_millis;
        usage.add("d", "c", Kind::Query, false, ms(2));
        usage.add("d", "c", Kind::Insert, true, ms(3));
        usage.add("d", "c", Kind::Insert, true, ms(4));
        let want = [
            ("total", 9000, 3),
            ("readLock", 2000, 1),
            ("writeLock", 7000, 2),
            ("queries", 2000, 1),
            ("insert", 7000, 2),
        ];
        assert_eq!(told(&usage, "d.c"), want);
        usage.forget("d", Some("c"));
        assert!(told(&usage, "d.c").is_empty());
        usage.add("d", "c", Kind::Command, false, ms(1));
        usage.forget("d", None);
        assert!(usage.all().is_empty());
    }

    #[test]
    fn made_up_names_end_somewhere() {
        let usage = Usage::default();
        for n in 0..MOST + 10 {
            usage.add("d", &n.to_string(), Kind::Query, false, Duration::ZERO);
        }
        assert_eq!(usage.all().len(), MOST);
    }
}
