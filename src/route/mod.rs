//! Where a request goes: one pure function of the table's entry, the endpoint and the read preference.
pub mod plan;
pub mod read_pref;
