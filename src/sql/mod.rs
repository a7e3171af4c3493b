//! The SQL surface: one constant per function, and the one place that runs them.
pub mod calls;
pub mod run;

pub use calls::SqlCall;
pub use run::{Budget, FirstPage, Page, Param};
