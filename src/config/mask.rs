//! Hides what may be a secret in an excerpt of the file, byte for byte, so that spans still fit.
//!
//! It works on lines and not on the parsed file, because the line that does not parse is the one that is shown. Under `[connections]`
//! (and under tables that the format does not know) a value is hidden unless it is known to be harmless; elsewhere a line is hidden from
//! its `=` on where it speaks of a secret.

use super::place::hostile;

/// Words that speak of a secret.
const SECRET_WORDS: [&str; 9] = [
    "token",
    "secret",
    "passw",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "private",
    "webhook",
];
/// Keys of a connection whose values are always shown.
const HARMLESS: [&str; 2] = ["connector", "every"];
/// Values that only point at a secret, or at the embedded world.
const REFERENCES: [&str; 4] = ["env:", "file:", "keyring:", "demo:"];
/// Tables that hold no connections.
const OTHER_TABLES: [&str; 16] = [
    "approvals",
    "calendar",
    "checklist",
    "defaults",
    "demo",
    "environments",
    "freeze",
    "keys",
    "limits",
    "metrics",
    "notify",
    "oncall",
    "people",
    "release",
    "service",
    "window",
];

/// The text with values that may be secret, and every hostile character, replaced by as many bytes of `*` or `?`.
pub fn masked(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut connections = false;
    // The quotes of a text of several lines that is not closed yet, and whether it is hidden.
    let mut open: Option<(&'static str, bool)> = None;
    for line in source.split_inclusive('\n') {
        let trimmed = line.trim();
        if let Some((quotes, hide)) = open {
            // What stands after the closing quotes belongs to a line that began out of sight.
            out.push_str(&if hide { stars(line) } else { plain(line) });
            if line.contains(quotes) {
                open = None;
            }
        } else if let Some(table) = header(trimmed) {
            connections = !OTHER_TABLES.contains(&table);
            out.push_str(&plain(line));
        } else if trimmed.starts_with('#') || trimmed.is_empty() {
            // A disabled line of a connection may hold what an enabled one would.
            out.push_str(&if connections {
                stars(line)
            } else {
                plain(line)
            });
        } else {
            let hide = connections || trimmed.starts_with("connections") || speaks(trimmed);
            out.push_str(&if hide { hidden(line) } else { plain(line) });
            open = left_open(line).map(|quotes| (quotes, hide));
        }
    }
    out
}

/// The first word of a table's header; a list on a line of its own (`["a"],`, `[true]`) is none.
fn header(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or(line).trim_end();
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let path = inner.trim_matches(['[', ']', ' ', '\t']);
    let name = path.split('.').next()?.trim();
    (name == "connections" || OTHER_TABLES.contains(&name) || (word(name) && path.contains('.')))
        .then_some(name)
}

fn word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn speaks(line: &str) -> bool {
    let line = line.to_lowercase();
    SECRET_WORDS.iter().any(|w| line.contains(w))
}

/// A line with its value hidden; only the key in front of `=` is shown, and a value that is plainly harmless.
fn hidden(line: &str) -> String {
    let Some((key, rest)) = line.split_once('=') else {
        return stars(line);
    };
    if !key.trim().split('.').all(word) {
        return stars(line);
    }
    let value = rest.trim();
    let name = key.trim().rsplit('.').next().unwrap_or_default();
    let shown =
        HARMLESS.contains(&name) || REFERENCES.iter().any(|r| unquoted(value).starts_with(r));
    let whole = quoted_word(value) || matches!(value, "true" | "false");
    let value = if shown && whole || matches!(value, "true" | "false") {
        plain(rest)
    } else {
        stars(rest)
    };
    format!("{}={value}", plain(key))
}

/// Nothing but one quoted text without quotes in it.
fn quoted_word(value: &str) -> bool {
    ['"', '\''].iter().any(|quote| {
        value
            .strip_prefix(*quote)
            .and_then(|v| v.strip_suffix(*quote))
            .is_some_and(|inner| !inner.contains(['"', '\'', ' ', ',', '=']))
    })
}

fn unquoted(value: &str) -> &str {
    value.trim_start_matches(['"', '\''])
}

/// The quotes that a line opens for several lines and does not close.
fn left_open(line: &str) -> Option<&'static str> {
    ["\"\"\"", "'''"]
        .into_iter()
        .find(|quotes| line.matches(quotes).count() % 2 == 1)
}

fn stars(text: &str) -> String {
    each(text, |c| (!c.is_ascii_whitespace()).then_some('*'))
}

fn plain(text: &str) -> String {
    each(text, |c| {
        (hostile(c) && !matches!(c, '\n' | '\r' | '\t')).then_some('?')
    })
}

/// Replaces characters by as many bytes of an ASCII one.
fn each(text: &str, with: impl Fn(char) -> Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match with(c) {
            Some(mask) => out.extend(std::iter::repeat_n(mask, c.len_utf8())),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "[connections.x]\ntoken = \"env:A\"\n",
        "[connections.x]\ntoken = \"env:A\"\n"
    )]
    #[case(
        "[connections.x]\nurl = \"http://a\"\n",
        "[connections.x]\nurl = **********\n"
    )]
    #[case("[connections.x]\ntls = true\n", "[connections.x]\ntls = true\n")]
    #[case(
        "[connections.x]\nlist = [\n  [SESAME]\n]\n",
        "[connections.x]\nlist = *\n  ********\n*\n"
    )]
    #[case("[conections.x]\nurl = 1\n", "[conections.x]\nurl = *\n")]
    #[case("[metrics.x]\nquery = 'up'\n", "[metrics.x]\nquery = 'up'\n")]
    #[case(
        "[metrics.x]\nquery = '''\na\n'''\nb = 1\n",
        "[metrics.x]\nquery = '''\na\n'''\nb = 1\n"
    )]
    #[case("api_token = 'ö'\n", "api_token = ****\n")]
    #[case("a = \"\u{1b}\u{202e}\"\n", "a = \"????\"\n")]
    fn lines(#[case] text: &str, #[case] expected: &str) {
        let masked = masked(text);
        assert_eq!(masked, expected);
        assert_eq!(masked.len(), text.len());
    }
}
