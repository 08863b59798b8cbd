//! The journal, kept observations and the cache, on SQLite in the data directory.
