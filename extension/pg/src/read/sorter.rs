//! Sorting documents with PostgreSQL's own sort: in `work_mem`, beyond it in temporary files.

use std::borrow::Borrow;

use engine::Doc;
use engine::sort::SortSpec;
use pgrx::pg_sys::{self, Datum};

use crate::error::Result;
use crate::sys::{payload, varlena};
use crate::xact::check_interrupts;

/// `bytea < bytea`
const BYTEA_LESS: u32 = 1957;

/// A sort in the making, then its result.
///
/// Each item is one bytea: sort key, running number (so equal keys stay in their order), document, length of the key.
/// Keys are prefix-free, so what follows them only decides between equal ones.
pub struct Sorter<S: Borrow<SortSpec>> {
    spec: S,
    state: *mut pg_sys::Tuplesortstate,
    count: u64,
    item: Vec<u8>,
    memory: pg_sys::MemoryContext,
}

impl<S: Borrow<SortSpec>> Sorter<S> {
    /// Only the first `bound` documents are wanted, if given.
    pub fn new(spec: S, bound: Option<i64>) -> Sorter<S> {
        // SAFETY: plain calls; `drop` ends the sort, or after an ERROR its memory context and resource owner do.
        unsafe {
            let state = pg_sys::tuplesort_begin_datum(
                pg_sys::BYTEAOID,
                pg_sys::Oid::from(BYTEA_LESS),
                pg_sys::InvalidOid,
                false,
                pg_sys::work_mem,
                core::ptr::null_mut(),
                if bound.is_some() { pg_sys::TUPLESORT_ALLOWBOUNDED as i32 } else { 0 },
            );
            if let Some(bound) = bound.filter(|b| *b > 0) {
                pg_sys::tuplesort_set_bound(state, bound);
            }
            let name = c"ermine sort item".as_ptr();
            let memory = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                name,
                0,
                8 << 10,
                8 << 20,
            );
            Sorter { spec, state, count: 0, item: Vec::new(), memory }
        }
    }

    /// Adds a document.
    pub fn put(&mut self, document: &[u8]) -> Result<()> {
        let key = self.spec.borrow().key(Doc::trusted(document))?.0;
        self.item.clear();
        self.item.extend_from_slice(&key);
        self.item.extend_from_slice(&self.count.to_be_bytes());
        self.item.extend_from_slice(document);
        self.item.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.count += 1;
        // SAFETY: the sort copies the value; the copy made here goes with the context.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.memory);
            pg_sys::tuplesort_putdatum(self.state, varlena(&self.item), false);
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextReset(self.memory);
        }
        Ok(())
    }

    /// Sorts what was put; then [`Sorter::next`] gives it.
    pub fn sort(&mut self) {
        // SAFETY: called once, after the last `put`.
        unsafe { pg_sys::tuplesort_performsort(self.state) };
    }

    /// The next document.
    pub fn next(&mut self) -> Option<&[u8]> {
        check_interrupts();
        // SAFETY: the sort has been performed; the value is copied into `memory` and lives until the next step.
        unsafe {
            pg_sys::MemoryContextReset(self.memory);
            let before = pg_sys::MemoryContextSwitchTo(self.memory);
            let (mut value, mut null) = (Datum::null(), false);
            let found =
                pg_sys::tuplesort_getdatum(self.state, true, &mut value, &mut null, core::ptr::null_mut());
            pg_sys::MemoryContextSwitchTo(before);
            if !found {
                return None;
            }
            let item = payload(value).0;
            let (rest, len) = item.split_last_chunk::<4>()?;
            rest.get(u32::from_be_bytes(*len) as usize + 8..)
        }
    }
}

/// A sort in the middle of a pipeline.
impl<'h> engine::stage::Sorting<'h> for Sorter<SortSpec>
where
    Sorter<SortSpec>: 'h,
{
    fn put(&mut self, document: &[u8]) -> engine::Result<()> {
        Sorter::put(self, document).map_err(|e| engine::Error::new(engine::codes::INTERNAL_ERROR, e.message))
    }

    fn sorted(mut self: Box<Self>) -> engine::stage::Docs<'h> {
        self.sort();
        Box::new(std::iter::from_fn(move || self.next().map(|d| Ok(d.to_vec()))))
    }
}

impl<S: Borrow<SortSpec>> Drop for Sorter<S> {
    fn drop(&mut self) {
        // After an ERROR the memory context and the resource owner do this.
        if !std::thread::panicking() {
            // SAFETY: made by `new`, used by nobody else.
            unsafe {
                pg_sys::tuplesort_end(self.state);
                pg_sys::MemoryContextDelete(self.memory);
            }
        }
    }
}
