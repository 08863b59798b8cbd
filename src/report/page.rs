//! A page of calm text: headings, sentences that wrap, tables whose columns line up. Nothing reaches it that is not cleaned.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use crate::domain::text::clean;

/// The narrowest page: below it words would be torn to pieces.
pub const NARROWEST: usize = 20;
/// Room that the last column of a table needs to stay beside the others.
const LAST: usize = 16;
/// Space between two columns.
const GAP: usize = 2;

/// One column's text and side.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    right: bool,
}

/// A cell whose text begins at the column's left.
pub fn cell(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        right: false,
    }
}

/// A cell whose text ends at the column's right: numbers and ages.
pub fn right(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        right: true,
    }
}

/// Text being written.
#[derive(Debug)]
pub struct Page {
    width: usize,
    ascii: bool,
    out: String,
}

impl Page {
    /// An empty page. `width` is in columns; less than [`NARROWEST`] counts as that.
    pub fn new(width: usize, ascii: bool) -> Self {
        Self {
            width: width.max(NARROWEST),
            ascii,
            out: String::new(),
        }
    }

    /// The text, each line ended by a newline.
    pub fn finish(self) -> String {
        self.out
    }

    /// An empty line and a heading.
    pub fn heading(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.put(0, text);
    }

    /// A sentence, wrapped; further lines stand two columns deeper.
    pub fn put(&mut self, indent: usize, text: &str) {
        let text = self.tame(text);
        if text.is_empty() {
            return;
        }
        let indent = indent.min(self.width / 4);
        let hanging = indent + 2;
        for (i, line) in wrap(&text, self.width - hanging).iter().enumerate() {
            let depth = if i == 0 { indent } else { hanging };
            self.line(depth, line);
        }
    }

    /// Rows whose columns line up. The last column takes what is left and wraps; where it would have no room, each row becomes
    /// a sentence, so that nothing is lost.
    pub fn table(&mut self, indent: usize, rows: &[Vec<Cell>]) {
        let rows: Vec<Vec<Cell>> = rows.iter().map(|r| self.tame_row(r)).collect();
        let count = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count)
            .map(|i| {
                rows.iter()
                    .map(|r| r.get(i).map_or(0, |c| columns(&c.text)))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let Some((last, fixed)) = widths.split_last() else {
            return;
        };
        let before: usize = indent
            + fixed
                .iter()
                .filter(|w| **w > 0)
                .map(|w| w + GAP)
                .sum::<usize>();
        let fits = before + (*last).min(LAST) <= self.width;
        for row in rows {
            if fits {
                self.row(indent, &row, fixed, before);
            } else {
                let words: Vec<String> = row
                    .into_iter()
                    .map(|c| c.text)
                    .filter(|t| !t.is_empty())
                    .collect();
                self.put(indent, &words.join(", "));
            }
        }
    }

    fn row(&mut self, indent: usize, row: &[Cell], fixed: &[usize], before: usize) {
        let mut line = String::new();
        for (i, width) in fixed.iter().enumerate().filter(|(_, w)| **w > 0) {
            let cell = row
                .get(i)
                .map_or(Cow::Owned(Cell::default()), Cow::Borrowed);
            let room = " ".repeat(width - columns(&cell.text));
            let (a, b) = if cell.right {
                (room.as_str(), cell.text.as_str())
            } else {
                (cell.text.as_str(), room.as_str())
            };
            line.push_str(a);
            line.push_str(b);
            line.push_str(&" ".repeat(GAP));
        }
        let last = row.get(fixed.len()).map_or("", |c| c.text.as_str());
        let mut wrapped = wrap(last, self.width - before).into_iter();
        line.push_str(&wrapped.next().unwrap_or_default());
        self.line(indent, line.trim_end());
        for rest in wrapped {
            self.line(before, &rest);
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn tame_row(&self, row: &[Cell]) -> Vec<Cell> {
        row.iter()
            .map(|c| Cell {
                text: self.tame(&c.text),
                right: c.right,
            })
            .collect()
    }

    /// Cleaned, and in ASCII where asked.
    fn tame(&self, text: &str) -> String {
        let text = clean(text, usize::MAX);
        if self.ascii { ascii(&text) } else { text }
    }
}

/// The text in ASCII: signs of ours in their usual spelling, every other character as `?`.
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            '→' => out.push_str("->"),
            '←' => out.push_str("<-"),
            '×' => out.push('x'),
            '…' => out.push_str("..."),
            '–' | '—' | '−' => out.push('-'),
            '·' | '•' => out.push('.'),
            '≥' => out.push_str(">="),
            '≤' => out.push_str("<="),
            '±' => out.push_str("+-"),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            '\u{a0}' | '\u{202f}' => out.push(' '),
            _ if c.width().unwrap_or(0) == 0 => {}
            _ => out.push('?'),
        }
    }
    out
}

/// Columns of a text: the sum of its characters' widths.
fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Lines of at most `width` columns, broken between words; a longer word is broken inside.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let long = columns(word);
        let gap = usize::from(used > 0);
        if used + gap + long <= width {
            push(&mut lines, &" ".repeat(gap));
            push(&mut lines, word);
            used += gap + long;
        } else if long <= width {
            lines.push(word.to_owned());
            used = long;
        } else {
            used = torn(&mut lines, word, used, width);
        }
    }
    lines
}

/// Breaks a word that is longer than a line; returns how much of the last line is used.
fn torn(lines: &mut Vec<String>, word: &str, used: usize, width: usize) -> usize {
    let mut used = if used > 0 && used + 4 < width {
        push(lines, " ");
        used + 1
    } else {
        if used > 0 {
            lines.push(String::new());
        }
        0
    };
    for c in word.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            lines.push(String::new());
            used = 0;
        }
        let mut buffer = [0; 4];
        push(lines, c.encode_utf8(&mut buffer));
        used += wide;
    }
    used
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_last_one_wraps() {
        let mut page = Page::new(34, false);
        page.table(
            2,
            &[
                vec![
                    cell("checkout"),
                    right("4 m"),
                    cell("stale: 503 from argo, twice"),
                ],
                vec![cell("日本"), right("now"), cell("")],
            ],
        );
        let expected =
            "  checkout  4 m  stale: 503 from\n                 argo, twice\n  日本      now\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn a_table_without_room_says_the_same_in_sentences() {
        let mut page = Page::new(20, false);
        page.table(
            0,
            &[vec![
                cell("a-service-name"),
                cell("verifying"),
                cell("note"),
            ]],
        );
        assert_eq!(page.finish(), "a-service-name,\n  verifying, note\n");
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken_and_kept() {
        let mut page = Page::new(20, false);
        page.put(0, &"x".repeat(50));
        assert_eq!(page.finish().chars().filter(|c| *c == 'x').count(), 50);
    }

    #[test]
    fn ascii_spells_our_signs() {
        assert_eq!(ascii("2.4× → 5 – é日…"), "2.4x -> 5 - ??...");
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_wider_than_the_page(text in "\\PC{0,200}", width in 0usize..90, ascii: bool) {
            let mut page = Page::new(width, ascii);
            page.put(2, &text);
            page.table(2, &[vec![cell(text.clone()), right("1"), cell(text)]]);
            for line in page.finish().lines() {
                let wide = columns(line);
                proptest::prop_assert!(wide <= width.max(NARROWEST), "{wide} of {width}: {line:?}");
            }
        }
    }
}
