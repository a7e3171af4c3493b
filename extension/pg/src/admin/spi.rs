//! Columns of catalog queries, read without ceremony: NULL reads as the type's zero.

use crate::error::Result;
use crate::spi::{Cell, Param, query};

/// Runs a query of the catalogs and maps each row.
pub fn rows<T>(sql: &str, params: &[Param<'_>], map: impl Fn(&[Cell]) -> T) -> Result<Vec<T>> {
    Ok(query(sql, params)?.iter().map(|row| map(row)).collect())
}

/// A text column, counted from 0.
pub fn text(row: &[Cell], column: usize) -> String {
    row.get(column).and_then(Cell::text).unwrap_or_default().to_owned()
}

/// An integer column.
pub fn int(row: &[Cell], column: usize) -> i64 {
    row.get(column).and_then(Cell::int).unwrap_or_default()
}

/// A float8 column.
pub fn float(row: &[Cell], column: usize) -> f64 {
    if let Some(Cell::Float(f)) = row.get(column) { *f } else { 0.0 }
}

/// A bool column.
pub fn flag(row: &[Cell], column: usize) -> bool {
    row.get(column).and_then(Cell::bool).unwrap_or_default()
}
