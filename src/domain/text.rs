//! Text from outside made fit for a screen, a journal and a file.
//!
//! A vendor's answer, a commit's title or a command's output may hold escape codes that move the cursor, bidi overrides that
//! reorder what is read, or a megabyte where a word is expected. Nothing of it is shown before it passed [`clean`].

use unicode_width::UnicodeWidthChar;

/// How many marks of no width may follow one another before the rest is dropped: enough for every script, too few to paint over lines.
const MARKS: usize = 4;

/// The text on one line, at most `max` columns wide (a cut ends in `…`), without control characters, escape sequences, bidi
/// controls and invisible characters. Newlines and tabs become single spaces; leading and trailing space is dropped.
#[must_use]
pub fn clean(text: &str, max: usize) -> String {
    if max == 0 {
        return String::new();
    }
    let mut out = Line::new(max);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            // The one-character form of ESC [.
            '\u{9b}' => skip_until_final(&mut rest),
            _ if c.is_whitespace() => out.space(),
            _ if c.is_control() || invisible(c) => {}
            _ => out.push(c),
        }
        if out.full {
            break;
        }
    }
    out.finish()
}

/// Whether [`clean`] would leave the text as it is, whatever its width.
#[must_use]
pub fn is_clean(text: &str) -> bool {
    clean(text, usize::MAX) == text
}

/// Like [`clean`], line by line: at most `lines` lines of at most `max` columns, for a command's output.
#[must_use]
pub fn clean_lines(text: &str, max: usize, lines: usize) -> String {
    text.lines()
        .take(lines)
        .map(|line| clean(line, max))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A line being written, with its width so far.
struct Line {
    text: String,
    width: usize,
    max: usize,
    marks: usize,
    pending_space: bool,
    full: bool,
    /// Byte length and width to which the text is cut back for the `…`.
    cut: usize,
}

impl Line {
    fn new(max: usize) -> Self {
        Self {
            text: String::new(),
            width: 0,
            max,
            marks: 0,
            pending_space: false,
            full: false,
            cut: 0,
        }
    }

    fn space(&mut self) {
        self.pending_space = !self.text.is_empty();
    }

    fn push(&mut self, c: char) {
        let width = c.width().unwrap_or(0);
        if width == 0 {
            self.marks += 1;
            if self.marks > MARKS || self.text.is_empty() || self.pending_space {
                return;
            }
            self.text.push(c);
            return;
        }
        self.marks = 0;
        let wanted = width + usize::from(self.pending_space);
        if wanted > self.max.saturating_sub(self.width) {
            self.text.truncate(self.cut);
            self.text.push('…');
            self.full = true;
            return;
        }
        if std::mem::take(&mut self.pending_space) {
            self.append(' ', 1);
        }
        self.append(c, width);
    }

    fn append(&mut self, c: char, width: usize) {
        // The last place at which one column is left for the ellipsis.
        if self.width < self.max {
            self.cut = self.text.len();
        }
        self.text.push(c);
        self.width += width;
        if self.width < self.max {
            self.cut = self.text.len();
        }
    }

    fn finish(self) -> String {
        self.text
    }
}

/// Characters that show nothing, reorder what follows, or smuggle text: bidi controls, zero-width, tags, soft hyphen, byte order mark.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// After ESC: a CSI sequence up to its final byte, an OSC/DCS/APC/PM/SOS string up to BEL or ST, or one character.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.next() {
        Some('[') => skip_until_final(rest),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
        Some(' '..='/') => {
            rest.next();
        }
        _ => {}
    }
}

/// The parameters of a CSI sequence, then its final byte (0x40..=0x7e).
fn skip_until_final(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = rest.peek() {
        match c {
            ' '..='?' => {
                rest.next();
            }
            '@'..='~' => {
                rest.next();
                return;
            }
            _ => return,
        }
    }
}

/// A control string up to BEL or ESC \ (an unended one takes the line's rest: better nothing than its payload).
fn skip_string(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = rest.next() {
        match c {
            '\u{7}' | '\u{9c}' | '\n' => return,
            '\u{1b}' => {
                if rest.peek() == Some(&'\\') {
                    rest.next();
                }
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain", "plain")]
    #[case("two\r\nlines\tand  more\n", "two lines and more")]
    #[case("\u{1b}[31mred\u{1b}[0m", "red")]
    #[case("a\u{1b}]0;owned\u{7}b", "ab")]
    #[case("a\u{1b}]8;;http://x\u{1b}\\b", "ab")]
    #[case("a\u{9b}2Jb", "ab")]
    #[case("a\u{1b}(Bb", "ab")]
    #[case("bell\u{7}\u{0}\u{7f}\u{85}end", "bell end")]
    #[case("x\u{202e}evil\u{2066}y\u{200b}z\u{feff}", "xevilyz")]
    #[case("e\u{301}", "e\u{301}")]
    #[case("日本語 ok", "日本語 ok")]
    fn hostile_text_is_tamed(#[case] from: &str, #[case] to: &str) {
        assert_eq!(clean(from, 100), to);
    }

    #[rstest]
    #[case("abcdef", 6, "abcdef")]
    #[case("abcdefg", 6, "abcde…")]
    #[case("abc def", 4, "abc…")]
    #[case("日本語", 5, "日本…")]
    #[case("日本語", 4, "日…")]
    #[case("abc", 0, "")]
    #[case("abc", 1, "…")]
    fn width_is_limited(#[case] from: &str, #[case] max: usize, #[case] to: &str) {
        assert_eq!(clean(from, max), to);
    }

    #[test]
    fn marks_do_not_pile_up() {
        let zalgo = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(clean(&zalgo, 10).chars().count(), 2 + MARKS);
    }

    #[test]
    fn lines_are_kept_where_wanted() {
        assert_eq!(clean_lines("a\u{1b}[1m\nb\nc", 10, 2), "a\nb");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_in_what_comes_out_is_clean(text in "\\PC*|[\\x00-\\x{2fff}]{0,200}", max in 0usize..60) {
            use unicode_width::UnicodeWidthStr;
            let out = clean(&text, max);
            proptest::prop_assert!(!out.chars().any(|c| c.is_control() || invisible(c)), "{out:?}");
            let by_char: usize = out.chars().map(|c| c.width().unwrap_or(0)).sum();
            proptest::prop_assert!(by_char <= max, "{} > {max}: {out:?} ({})", by_char, out.width());
            proptest::prop_assert_eq!(clean(&out, max), out);
        }
    }
}
