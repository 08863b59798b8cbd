//! Places in the file: which bytes a key path speaks of, and what may be shown of a text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::domain::diag::{Diag, Severity};

/// Longest piece of the file repeated in a message, in characters.
const SHOWN: usize = 60;

/// Where a key and its value stand.
#[derive(Clone, Debug)]
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

/// The findings about one file, and where its keys stand.
pub struct Findings<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    places: BTreeMap<String, Place>,
    /// Paths that were already reported: what hangs on them is not reported again.
    spoiled: BTreeSet<String>,
    diags: Vec<Diag>,
}

impl<'a> Findings<'a> {
    /// Nothing found yet.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            file,
            text,
            line_starts,
            places: BTreeMap::new(),
            spoiled: BTreeSet::new(),
            diags: Vec::new(),
        }
    }

    /// Remembers where a key and its value stand.
    pub fn remember(&mut self, path: &str, key: Range<usize>, value: Range<usize>) {
        self.places.insert(path.to_owned(), Place { key, value });
    }

    /// Where a key begins in the file; orders tables as they were written.
    pub fn start(&self, path: &str) -> usize {
        self.places.get(path).map_or(usize::MAX, |p| p.key.start)
    }

    /// Whether the file has this key.
    pub fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// Whether this path, or one above it, was already reported.
    pub fn spoiled(&self, path: &str) -> bool {
        ancestors(path).any(|p| self.spoiled.contains(p))
    }

    /// Marks a path as reported.
    pub fn spoil(&mut self, path: &str) {
        self.spoiled.insert(path.to_owned());
    }

    /// An error at the value of `path` (of the nearest key above it where it is not written).
    pub fn error(&mut self, path: &str, message: impl Into<String>, help: Option<String>) {
        let span = self.nearest(path).map(|p| p.value.clone());
        self.push(Severity::Error, path, span, message.into(), help);
        self.spoil(path);
    }

    /// An error at the key itself.
    pub fn error_at_key(&mut self, path: &str, message: impl Into<String>, help: Option<String>) {
        let span = self.nearest(path).map(|p| p.key.clone());
        self.push(Severity::Error, path, span, message.into(), help);
        self.spoil(path);
    }

    /// An error at bytes of the file.
    pub fn error_at(
        &mut self,
        span: Range<usize>,
        path: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.push(Severity::Error, path, Some(span), message.into(), help);
    }

    /// A warning at the value of `path`.
    pub fn warn(&mut self, path: &str, message: impl Into<String>, help: Option<String>) {
        let span = self.nearest(path).map(|p| p.value.clone());
        self.push(Severity::Warning, path, span, message.into(), help);
    }

    /// Whether any error was found.
    pub fn any_error(&self) -> bool {
        self.diags.iter().any(|d| d.severity == Severity::Error)
    }

    /// All findings, in the order of the file.
    pub fn into_diags(mut self) -> Vec<Diag> {
        self.diags.sort_by_key(|d| (d.line, d.col));
        self.diags.dedup();
        self.diags
    }

    fn nearest(&self, path: &str) -> Option<&Place> {
        ancestors(path).find_map(|p| self.places.get(p))
    }

    fn push(
        &mut self,
        severity: Severity,
        path: &str,
        span: Option<Range<usize>>,
        message: String,
        help: Option<String>,
    ) {
        let (line, col) = span.as_ref().map_or((0, 0), |s| self.line_col(s.start));
        self.diags.push(Diag {
            severity,
            file: cleaned(self.file, 4096),
            line,
            col,
            span: span.map(|s| (s.start, s.end)),
            key: cleaned(path, 200),
            message,
            help,
        });
    }

    fn line_col(&self, at: usize) -> (u32, u32) {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = line
            .checked_sub(1)
            .and_then(|i| self.line_starts.get(i))
            .copied()
            .unwrap_or(0);
        let column = self
            .text
            .get(start..at)
            .map_or(at - start, |before| before.chars().count());
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (narrow(line), narrow(column + 1))
    }
}

/// `a.b[0].c`, `a.b[0]`, `a.b`, `a`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |p| {
        let cut = p.rfind(['.', '[']).unwrap_or(0);
        p.get(..cut).filter(|p| !p.is_empty())
    })
}

/// `path.key`, or `key` at the top.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A piece of the file as it may be shown: no control characters, no bidi overrides, not endless.
pub fn shown(text: &str) -> String {
    cleaned(text, SHOWN)
}

fn cleaned(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == max {
            out.push('…');
            break;
        }
        if hostile(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that never belong into a name: control characters (also line breaks), bidi controls and invisible ones.
pub fn hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_falls_back_to_what_is_written() {
        let mut found = Findings::new("f", "[a]\nb = 1\n");
        found.remember("a", 0..3, 0..3);
        found.error("a.list[2].name", "missing", None);
        let diags = found.into_diags();
        assert_eq!((diags[0].line, diags[0].col), (1, 1));
        assert_eq!(diags[0].key, "a.list[2].name");
    }

    #[test]
    fn columns_count_characters() {
        let text = "ä = 1\nöö = \"x\"\n";
        let mut found = Findings::new("f", text);
        let at = text.find('"').unwrap();
        found.error_at(at..at + 3, "öö", "no", None);
        assert_eq!(
            found.into_diags().first().map(|d| (d.line, d.col)),
            Some((2, 6))
        );
    }

    #[test]
    fn hostile_text_is_escaped_and_cut() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}b"), "a\\u{1b}[2J\\u{202e}b");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), SHOWN + 1);
    }
}
