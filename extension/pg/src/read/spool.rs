//! Results that are computed as a whole and read page by page: files that every backend of the server can go on with.
//!
//! They lie below PostgreSQL's own directory of temporary files with its own prefix, so the server empties them when it
//! starts and base backups leave them out. On a standby it is the same. A name begins with the cursor's number.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pgrx::pg_sys;

use crate::error::{Error, Result};

/// Relative to the data directory, which is a backend's working directory.
const FOLDER: &str = "base/pgsql_tmp/pgsql_tmp_ermine_cursors";

/// Cursors that nobody has read for this long are removed when another one is opened (MongoDB's cursorTimeoutMillis).
const IDLE: Duration = Duration::from_secs(600);

/// No document of a result is larger: MongoDB's limit for intermediate documents is 64 MiB.
const LARGEST: usize = 64 << 20;

fn failed(what: &str, e: &io::Error) -> Error {
    Error::native(b"58030", format!("cannot {what} a cursor's file: {e}"))
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(FOLDER).join(name)
}

/// A name as [`Writer`] makes them: nothing that could lead elsewhere.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_hexdigit() || c == b'.') && !name.contains("..")
}

/// A file being written.
pub struct Writer {
    name: String,
    file: BufWriter<File>,
    kept: bool,
}

impl Writer {
    /// A new file for this cursor; 0 for one that only its name leads to.
    pub fn new(cursor: i64) -> Result<Writer> {
        fs::create_dir_all(FOLDER).map_err(|e| failed("make the folder of", &e))?;
        remove_idle(IDLE);
        let name = format!("{cursor}.{:016x}{:016x}", random()?, random()?);
        let file = File::options().write(true).create_new(true).open(path(&name));
        let file = BufWriter::new(file.map_err(|e| failed("make", &e))?);
        Ok(Writer { name, file, kept: false })
    }

    /// Appends a document.
    pub fn put(&mut self, document: &[u8]) -> Result<()> {
        self.file.write_all(document).map_err(|e| failed("write", &e))
    }

    /// Ends it: the file's name.
    pub fn finish(mut self) -> Result<String> {
        self.file.flush().map_err(|e| failed("write", &e))?;
        self.kept = true;
        Ok(self.name.clone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.kept {
            // Also when an error ended the writing: a part of a result must not be found later.
            let _ = fs::remove_file(path(&self.name));
        }
    }
}

/// A random number of PostgreSQL's strong source.
pub fn random() -> Result<u64> {
    let mut bytes = [0u8; 8];
    // SAFETY: fills the buffer of the length given.
    if unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) } {
        return Ok(u64::from_le_bytes(bytes));
    }
    Err(crate::error::internal("no random numbers"))
}

/// Reading a file from an offset.
pub struct Reader {
    file: BufReader<File>,
    offset: u64,
    next: Option<Vec<u8>>,
}

impl Reader {
    /// Opens a file; `None` when there is none of this name (expired, killed, or the server was started anew).
    pub fn open(name: &str, offset: u64) -> Result<Option<Reader>> {
        if !is_name(name) {
            return Ok(None);
        }
        let file = match File::options().read(true).write(true).open(path(name)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed("open", &e)),
        };
        // Being read keeps it from expiring.
        file.set_modified(SystemTime::now()).map_err(|e| failed("touch", &e))?;
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(offset)).map_err(|e| failed("read", &e))?;
        Ok(Some(Reader { file, offset, next: None }))
    }

    /// The document at the offset, without moving on.
    pub fn peek(&mut self) -> Result<Option<&[u8]>> {
        if self.next.is_none() {
            let mut head = [0u8; 4];
            match self.file.read_exact(&mut head) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(e) => return Err(failed("read", &e)),
            }
            let len = u32::from_le_bytes(head) as usize;
            // An offset that this file did not give out leads into the middle of a document.
            if !(5..=LARGEST).contains(&len) {
                return Err(crate::error::internal("a cursor's position is not in its file"));
            }
            let mut document = vec![0; len];
            document[..4].copy_from_slice(&head);
            self.file.read_exact(&mut document[4..]).map_err(|e| failed("read", &e))?;
            self.next = Some(document);
        }
        Ok(self.next.as_deref())
    }

    /// Moves on behind the document that was peeked at.
    pub fn advance(&mut self) {
        if let Some(document) = self.next.take() {
            self.offset += document.len() as u64;
        }
    }

    /// Where the next document begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

/// Removes a file.
pub fn remove(name: &str) {
    if is_name(name) {
        // Somebody else may have removed it: the outcome is the same.
        let _ = fs::remove_file(path(name));
    }
}

/// Removes the files of these cursors.
pub fn remove_cursors(cursors: &[i64]) {
    each(|name, file| {
        let cursor = name.split('.').next().and_then(|s| s.parse::<i64>().ok());
        if cursor.is_some_and(|c| cursors.contains(&c)) {
            let _ = fs::remove_file(file.path());
        }
    });
}

/// Removes files that have not been read for this long.
pub fn remove_idle(idle: Duration) {
    each(|_, file| {
        let modified = file.metadata().and_then(|m| m.modified());
        if modified.is_ok_and(|m| m.elapsed().is_ok_and(|age| age > idle)) {
            let _ = fs::remove_file(file.path());
        }
    });
}

fn each(mut f: impl FnMut(&str, &fs::DirEntry)) {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    for file in entries.flatten() {
        if let Some(name) = file.file_name().to_str() {
            f(name, &file);
        }
    }
}
