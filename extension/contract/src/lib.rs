//! Replays recorded calls of the SQL API against a live server.
