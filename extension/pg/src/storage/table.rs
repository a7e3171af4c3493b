//! An open data table.

use pgrx::pg_sys;

use crate::catalog::Collection;
use crate::error::{Error, Result};

/// What a table is opened for: decides the lock and the privilege asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// SELECT
    Read,
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
    /// INSERT, while nobody else writes
    Replace,
}

impl Access {
    fn lock(self) -> i32 {
        match self {
            Access::Read => pg_sys::AccessShareLock as i32,
            Access::Replace => pg_sys::ShareRowExclusiveLock as i32,
            _ => pg_sys::RowExclusiveLock as i32,
        }
    }

    fn privilege(self) -> pg_sys::AclMode {
        let bits = match self {
            Access::Read => pg_sys::ACL_SELECT,
            Access::Insert | Access::Replace => pg_sys::ACL_INSERT,
            Access::Update => pg_sys::ACL_UPDATE,
            Access::Delete => pg_sys::ACL_DELETE,
        };
        bits as pg_sys::AclMode
    }
}

/// A data table, open until dropped. Its lock stays until the transaction ends, as PostgreSQL's do.
pub struct Table {
    rel: pg_sys::Relation,
    shard: i64,
    pk: pg_sys::Oid,
    order: Option<pg_sys::Oid>,
}

impl Table {
    /// Opens a collection's table. The caller has refused views.
    ///
    /// # Errors
    /// 42501 without the privilege; 42P01 when the table has just been dropped.
    pub fn open(c: &Collection, access: Access) -> Result<Table> {
        let gone = || Error::native(b"42P01", format!("collection '{}' does not exist", c.name));
        Self::open_if_there(c, access)?.ok_or_else(gone)
    }

    /// [`Table::open`]; `None` when the table has just been dropped.
    ///
    /// # Errors
    /// 42501 without the privilege.
    pub fn open_if_there(c: &Collection, access: Access) -> Result<Option<Table>> {
        let Some(table) = Self::lock(c, access) else { return Ok(None) };
        table.require(access)?;
        Ok(Some(table))
    }

    /// Opens a table without asking for the privilege: the caller calls [`Table::require`] where a refusal belongs.
    pub fn lock(c: &Collection, access: Access) -> Option<Table> {
        // SAFETY: the oid of the catalog entry; try_table_open gives null for a table that is gone.
        let rel = unsafe { pg_sys::try_table_open(c.heap, access.lock()) };
        if rel.is_null() {
            return None;
        }
        // Not a moment earlier: a `Table` closes its relation when it is dropped.
        Some(Table { rel, shard: c.id, pk: c.pk, order: c.capped.map(|capped| capped.order) })
    }

    /// Asks for the privilege.
    ///
    /// # Errors
    /// 42501 without it.
    pub fn require(&self, access: Access) -> Result<()> {
        // SAFETY: the relation is open.
        let allowed =
            unsafe { pg_sys::pg_class_aclcheck((*self.rel).rd_id, pg_sys::GetUserId(), access.privilege()) };
        if allowed == pg_sys::AclResult::ACLCHECK_OK {
            return Ok(());
        }
        Err(Error::native(b"42501", format!("permission denied for table documents_{}", self.shard)))
    }

    /// PostgreSQL's descriptor; live as long as this value.
    pub fn relation(&self) -> pg_sys::Relation {
        self.rel
    }

    /// Number of the file with the rows: another one when they were all written anew (compact, VACUUM FULL).
    pub fn file(&self) -> i64 {
        // SAFETY: the relation is open and locked.
        i64::from(u32::from(unsafe { (*self.rel).rd_node.relNode }))
    }

    /// The shard key value of an unsharded collection.
    pub fn shard(&self) -> i64 {
        self.shard
    }

    /// At the last vacuum most pages held nothing but rows that everybody sees.
    pub fn is_mostly_visible(&self) -> bool {
        // SAFETY: the relation is open, and its catalog row lives with it.
        let (pages, visible) =
            unsafe { ((*(*self.rel).rd_rel).relpages, (*(*self.rel).rd_rel).relallvisible) };
        visible > 0 && visible >= pages / 2
    }

    /// Oid of the primary key.
    pub fn pk(&self) -> pg_sys::Oid {
        self.pk
    }

    /// Oid of the index on the order of insertion, which capped collections have.
    pub fn order(&self) -> Option<pg_sys::Oid> {
        self.order
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // After an ERROR the resource owner has closed it, or will.
        if !std::thread::panicking() {
            // SAFETY: opened by `open`; NoLock keeps the lock.
            unsafe { pg_sys::table_close(self.rel, pg_sys::NoLock as i32) };
        }
    }
}
