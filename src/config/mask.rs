//! Hides what may be a secret in an excerpt of the file, byte for byte, so that spans still fit.
//!
//! It works on lines and not on the parsed file, because the line that does not parse is the one that is shown. In `[connections]`
//! every value is hidden that is not known to be harmless; elsewhere those whose key sounds like a secret.

use super::place::hostile;

/// Parts of a key that sound like a secret.
const SECRET_WORDS: [&str; 12] = [
    "token",
    "secret",
    "passw",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "private",
    "auth",
    "hook",
    "dsn",
    "pin",
];
/// Keys of a connection whose values are always shown.
const HARMLESS: [&str; 2] = ["connector", "every"];
/// Values that only point at a secret.
const REFERENCES: [&str; 4] = ["env:", "file:", "keyring:", "demo:"];

/// The text with values that may be secret, and every hostile character, replaced by as many bytes of `*` or `?`.
pub fn masked(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut connections = false;
    let mut until: Option<&'static str> = None;
    for line in source.split_inclusive('\n') {
        if let Some(quote) = until {
            let (inside, after) = line
                .find(quote)
                .map_or((line, ""), |at| line.split_at(at + quote.len()));
            out.push_str(&stars(inside));
            if !after.is_empty() || inside.ends_with(quote) {
                until = None;
                out.push_str(&stars(after));
            }
            continue;
        }
        let trimmed = line.trim_start();
        if let Some(name) = header(trimmed) {
            connections = name == "connections";
            out.push_str(&harmless_bytes(line));
            continue;
        }
        let inside = connections || trimmed.starts_with("connections");
        out.push_str(&mask_line(line, inside, &mut until));
    }
    out
}

/// The first word of a table's header. A list on its own line (`["a"],` or `[true]`) is none.
fn header(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or(line).trim_end();
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let name = inner
        .trim_matches(['[', ']', ' ', '\t'])
        .split('.')
        .next()?
        .trim();
    let word = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    (word && !matches!(name, "true" | "false" | "inf" | "nan")).then_some(name)
}

/// One line: keys stay, values are judged by their key and by where they stand.
fn mask_line(line: &str, connections: bool, until: &mut Option<&'static str>) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut key = String::new();
    let mut in_value = false;
    while let Some(c) = rest.chars().next() {
        let hide = in_value && hidden(&key, connections);
        if c == '#' && !hide {
            // A comment: shown, unless it stands where secrets do (a disabled line is one).
            out.push_str(&if connections {
                stars(rest)
            } else {
                harmless_bytes(rest)
            });
            return out;
        }
        let taken = match c {
            '"' | '\'' => {
                let (text, open) = quoted(rest);
                *until = open;
                text.len()
            }
            _ if is_bare(c) => rest.find(|c: char| !is_bare(c)).unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        let (token, after) = rest.split_at(taken);
        if in_value {
            out.push_str(&value(token, hide));
        } else {
            out.push_str(&harmless_bytes(token));
        }
        match c {
            '=' => in_value = true,
            ',' | '{' | '}' | '\n' => {
                in_value = in_value && c == ',' && !next_is_key(after);
                if !in_value {
                    key.clear();
                }
            }
            _ if !in_value && (is_bare(c) || matches!(c, '"' | '\'')) => key.push_str(token),
            _ => {}
        }
        rest = after;
    }
    // A line of a connection without any `=` is a slip: a value may stand anywhere on it.
    if connections && !line.contains('=') {
        return stars(line);
    }
    out
}

/// After a comma: another key (in an inline table), or another value (in a list)?
fn next_is_key(after: &str) -> bool {
    let word = after
        .trim_start()
        .trim_start_matches(|c: char| is_bare(c) || matches!(c, '"' | '\'' | ' '));
    word.starts_with('=')
}

fn hidden(key: &str, connections: bool) -> bool {
    let key = key.to_lowercase();
    let bare = key.trim_matches(['"', '\'']);
    let sounds = SECRET_WORDS.iter().any(|w| bare.contains(w));
    sounds || (connections && !HARMLESS.contains(&bare))
}

fn value(token: &str, hide: bool) -> String {
    let inner = token.trim_matches(['"', '\'']);
    let harmless = !hide
        || matches!(inner, "true" | "false")
        || REFERENCES.iter().any(|r| inner.starts_with(r))
        || token
            .chars()
            .all(|c| !is_bare(c) && !matches!(c, '"' | '\''));
    if harmless {
        harmless_bytes(token)
    } else {
        stars(token)
    }
}

fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '=' | ',' | '{' | '}' | '[' | ']' | '"' | '\'' | '#')
}

/// A quoted text at the start of `rest`, and the closing quote to wait for where the line ends before it.
fn quoted(rest: &str) -> (&str, Option<&'static str>) {
    for (quote, escapes) in [("\"\"\"", true), ("'''", false), ("\"", true), ("'", false)] {
        let Some(body) = rest.strip_prefix(quote) else {
            continue;
        };
        let long = quote.len() == 3;
        return match end_of(body, quote, escapes) {
            Some(end) => (rest.get(..quote.len() + end).unwrap_or(rest), None),
            None => (rest, long.then_some(quote)),
        };
    }
    (rest, None)
}

fn end_of(body: &str, quote: &str, escapes: bool) -> Option<usize> {
    let mut skip = false;
    for (at, c) in body.char_indices() {
        if skip {
            skip = false;
        } else if escapes && c == '\\' {
            skip = true;
        } else if body.get(at..).is_some_and(|r| r.starts_with(quote)) {
            return Some(at + quote.len());
        }
    }
    None
}

fn stars(text: &str) -> String {
    text.chars()
        .map(|c| {
            if matches!(c, '\n' | '\r') {
                c.to_string()
            } else {
                "*".repeat(c.len_utf8())
            }
        })
        .collect()
}

fn harmless_bytes(text: &str) -> String {
    text.chars()
        .map(|c| {
            if hostile(c) && !matches!(c, '\n' | '\r' | '\t') {
                "?".repeat(c.len_utf8())
            } else {
                c.to_string()
            }
        })
        .collect()
}
