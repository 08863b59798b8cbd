//! Text on its way to cells: cleaned, measured, cut.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The last guard: no control character and no bidi override reaches a cell.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) || !text.chars().any(hostile) {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().map(|c| match c {
        '\n' | '\t' => ' ',
        c if hostile(c) => '\u{fffd}',
        c => c,
    });
    Cow::Owned(kept.collect())
}

fn hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The glyphs that our own sentences use, in ASCII. Letters stay what they are.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    const PLAIN: [(char, &str); 9] = [
        ('…', "..."),
        ('×', "x"),
        ('→', "->"),
        ('·', "."),
        ('–', "-"),
        ('│', "|"),
        ('≥', ">="),
        ('≤', "<="),
        ('\u{fffd}', "?"),
    ];
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match PLAIN.iter().find(|(from, _)| *from == c) {
            Some((_, to)) => out.push_str(to),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Columns the text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    // Most names are plain: a column a byte, without looking every character up.
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return text.len();
    }
    text.width()
}

/// The text, cut at its end to `most` columns with an ellipsis.
#[must_use]
pub fn cut(text: &str, most: usize, ascii: bool) -> Cow<'_, str> {
    if width(text) <= most {
        return Cow::Borrowed(text);
    }
    let dots = if ascii { "~" } else { "…" };
    Cow::Owned(match most {
        0 => String::new(),
        _ => format!("{}{dots}", head(text, most - 1)),
    })
}

/// The text, cut in its middle: a version's end tells more than its middle.
#[must_use]
pub fn cut_middle(text: &str, most: usize, ascii: bool) -> Cow<'_, str> {
    if width(text) <= most {
        return Cow::Borrowed(text);
    }
    let dots = if ascii { "~" } else { "…" };
    if most < 3 {
        return cut(text, most, ascii);
    }
    let front = (most - 1).div_ceil(2);
    let back = most - 1 - front;
    Cow::Owned(format!("{}{dots}{}", head(text, front), tail(text, back)))
}

fn head(text: &str, most: usize) -> &str {
    let mut used = 0;
    for (i, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > most {
            return text.get(..i).unwrap_or("");
        }
    }
    text
}

fn tail(text: &str, most: usize) -> &str {
    let mut used = 0;
    for (i, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > most {
            return text.get(i + c.len_utf8()..).unwrap_or("");
        }
    }
    text
}

/// The text broken into lines of at most `most` columns, at spaces where there are any.
#[must_use]
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    if most == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= most {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > most {
            let part = head(word, most);
            let part = if part.is_empty() { word } else { part };
            lines.push(part.to_string());
            word = word.get(part.len()..).unwrap_or("");
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_disarmed() {
        assert_eq!(clean("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(clean("a\u{202e}b\u{9b}c\nd"), "a\u{fffd}b\u{fffd}c d");
        assert_eq!(clean("żółw 漢字 é"), "żółw 漢字 é");
    }

    #[test]
    fn ascii_replaces_glyphs_and_leaves_letters() {
        assert_eq!(plain("1.4× → żółw …"), "1.4x -> żółw ...");
    }

    #[test]
    fn cuts_by_columns() {
        assert_eq!(cut("abcdef", 4, false), "abc…");
        assert_eq!(cut("漢字漢字", 4, false), "漢…");
        assert_eq!(cut_middle("1.1.0-rc.3+build.9f3a", 9, false), "1.1.…9f3a");
        assert_eq!(cut_middle("abc", 2, true), "a~");
        assert_eq!(cut("abc", 0, false), "");
        for most in 0..12 {
            assert!(width(&cut("漢字漢字x", most, false)) <= most);
            assert!(width(&cut_middle("漢字漢字x", most, false)) <= most);
        }
    }

    #[test]
    fn wraps_at_spaces_and_through_long_words() {
        assert_eq!(wrap("ab cd efghij", 5), ["ab cd", "efghi", "j"]);
        assert_eq!(wrap("", 5), [""]);
        assert!(wrap("漢字", 1).len() >= 2);
    }
}
