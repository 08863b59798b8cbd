//! What keeps a value a value: nothing in it becomes markup, a link or a mention.

use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Error, Output, State, Value};

use crate::domain::text::clean;

/// Columns after which a value is cut.
const LONGEST: usize = 2_000;

/// The text on one line of Markdown that shows it and nothing else. Control characters are gone; markup is escaped; `<` and `&`
/// are entities. An `@`, and a `#` before a digit, become their full-width twins: sites turn those into mentions and references
/// after Markdown was read, so that a backslash would not hold them back.
#[must_use]
pub fn escape(text: &str) -> String {
    let text = clean(text, LONGEST);
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map(|(_, c)| *c);
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push('＠'),
            '#' if at == 0 || next.is_some_and(|n| n.is_ascii_digit()) => out.push('＃'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // An address: `://` is what makes one a link by itself.
            ':' if next == Some('/') => out.push_str("\\:"),
            ':' if scheme(text.get(..at).unwrap_or_default()) => out.push_str("\\:"),
            '.' if www(text.get(..at).unwrap_or_default()) => out.push_str("\\."),
            // What begins a list, a heading's underline or a number when it stands first.
            '-' | '+' | '=' | '!' | '>' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if numbered(text.get(..at).unwrap_or_default(), next) => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Does the text end in the name of a scheme that links without slashes?
fn scheme(before: &str) -> bool {
    let before = before.to_ascii_lowercase();
    ["mailto", "xmpp", "tel", "javascript", "data"]
        .iter()
        .any(|s| before.ends_with(s))
}

/// Does the text end in `www`?
fn www(before: &str) -> bool {
    before.to_ascii_lowercase().ends_with("www")
}

/// Is this the dot of an ordered list's number?
fn numbered(before: &str, next: Option<char>) -> bool {
    !before.is_empty()
        && before.chars().all(|c| c.is_ascii_digit())
        && next.is_none_or(|c| c == ' ')
}

/// The filter `link`: an http(s) address without user and password becomes a link; anything else stays text.
pub fn link(text: &str) -> Value {
    Value::from_safe_string(address(text).map_or_else(|| escape(text), |url| format!("<{url}>")))
}

fn address(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let bare = url.username().is_empty() && url.password().is_none();
    if !(web && bare) {
        return None;
    }
    let mut out = String::new();
    for c in url.as_str().chars() {
        let safe = c.is_ascii_alphanumeric() || "-._~:/?#[]!$&'()*+,;=%".contains(c);
        if safe {
            out.push(c);
        } else {
            for byte in c.to_string().bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Some(out)
}

/// Writes a value into the page: escaped, unless it was escaped before (the filter `link`, a captured block). Nothing is written
/// for none.
pub fn format(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    let text = match value.kind() {
        ValueKind::None => return Ok(()),
        ValueKind::Undefined => {
            let kind = minijinja::ErrorKind::UndefinedError;
            return Err(Error::new(kind, "this name is not known to the page"));
        }
        _ => value.to_string(),
    };
    let written = if value.is_safe() { text } else { escape(&text) };
    out.write_str(&written).map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "Fix the cart (#812), thanks @mira",
        "Fix the cart (＃812), thanks ＠mira"
    )]
    #[case("[click](http://evil)", r"\[click\](http\://evil)")]
    #[case("see www.evil.example", r"see www\.evil.example")]
    #[case(
        "<script>alert(1)</script> &lt;",
        "&lt;script>alert(1)&lt;/script> &amp;lt;"
    )]
    #[case("*b* _i_ `c` ~s~ a|b $x$", r"\*b\* \_i\_ \`c\` \~s\~ a\|b \$x\$")]
    #[case("# heading", "＃ heading")]
    #[case("- item", r"\- item")]
    #[case("> quote", r"\> quote")]
    #[case("1. one", r"1\. one")]
    #[case("2.13.4", "2.13.4")]
    #[case("p95-high", "p95-high")]
    #[case("mailto:x", r"mailto\:x")]
    #[case("two\nlines\u{1b}[31m", "two lines")]
    fn a_value_stays_a_value(#[case] from: &str, #[case] to: &str) {
        assert_eq!(escape(from), to);
    }

    #[rstest]
    #[case("https://wiki.example/a b", "<https://wiki.example/a%20b>")]
    #[case("https://wiki.example/@ana>", "<https://wiki.example/%40ana%3E>")]
    #[case("https://user:word@wiki.example", r"https\://user:word＠wiki.example")]
    #[case("javascript:alert(1)", r"javascript\:alert(1)")]
    fn only_plain_web_addresses_become_links(#[case] from: &str, #[case] to: &str) {
        assert_eq!(link(from).to_string(), to);
    }
}
