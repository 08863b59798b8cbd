//! Parses arguments, calls the library, maps to an exit code; nothing else.

fn main() {}
