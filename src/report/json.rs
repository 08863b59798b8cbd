//! The JSON face: the situation itself, and the schema that describes it.

use std::fmt::Write as _;

use crate::domain::situation::{FORMAT, Situation};
use crate::domain::text::is_clean;

/// The situation as JSON, indented. `format` names the version of this face (1); a number that is no number is `null`. Characters
/// that could steer a terminal are written as `\u` escapes, so that the text may be shown as it is.
#[must_use]
pub fn json(s: &Situation) -> String {
    value(s)
}

/// Anything as JSON, indented and as safe to show as [`json`].
#[must_use]
pub fn value(value: &impl serde::Serialize) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => tame(&text),
        Err(e) => {
            let error = format!("the answer cannot be written as JSON: {e}");
            serde_json::json!({ "format": FORMAT, "error": error }).to_string()
        }
    }
}

/// The schema of [`json`]'s answer.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Situation).to_value()
}

/// Escapes every character that is not fit for a screen. Such a character can only stand inside a string.
fn tame(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        let mut buffer = [0; 4];
        if c.is_ascii_graphic() || matches!(c, ' ' | '\n') || (!c.is_ascii() && fit(c, &mut buffer))
        {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Would the character be left alone behind a letter?
fn fit(c: char, buffer: &mut [u8; 4]) -> bool {
    let one: &str = c.encode_utf8(buffer);
    is_clean(&format!("a{one}b"))
}
