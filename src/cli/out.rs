//! What is printed: a reader that went away (`| head`) is no error, and nothing printed here carries an escape code.

use std::io::Write as _;

/// Prints a text with one newline at its end. False when nobody reads any more.
pub fn put(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.trim_end_matches('\n')).is_ok() && out.flush().is_ok()
}

/// Prints a text as it is.
pub fn raw(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    write!(out, "{text}").is_ok() && out.flush().is_ok()
}

/// Prints a value as indented JSON.
pub fn json(value: &impl serde::Serialize) -> bool {
    put(&crate::report::value(value))
}

/// Says something to the person, beside the answer.
pub fn complain(text: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}
