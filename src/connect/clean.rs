//! Text from outside, made safe to show: one pass that drops escape sequences, control characters and everything that
//! reorders or hides text, and cuts what is too long.

/// Longest text of one line kept from a vendor, in characters.
pub const LINE: usize = 500;

/// One line: line breaks and tabs become single spaces; cut to `max` characters with an ellipsis.
#[must_use]
pub fn line(raw: &str, max: usize) -> String {
    let mut out = String::new();
    let mut kept = 0_usize;
    let mut gap = false;
    for c in Safe::new(raw) {
        if c.is_whitespace() {
            gap = kept > 0;
            continue;
        }
        let needed = 1 + usize::from(gap);
        if kept + needed > max {
            while kept >= max.max(1) && out.pop().is_some() {
                kept -= 1;
            }
            out.push('…');
            return out;
        }
        if gap {
            out.push(' ');
            gap = false;
        }
        out.push(c);
        kept += needed;
    }
    out
}

/// Several lines: line feeds and tabs stay, carriage returns go; at most `max` bytes, cut at a character's border.
#[must_use]
pub fn block(raw: &str, max: usize) -> String {
    let mut out = String::new();
    for c in Safe::new(raw) {
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(c);
    }
    out
}

/// Bytes as text (invalid UTF-8 becomes the replacement character), then as [`line`]. Only the first `16 × max` bytes are
/// looked at, so that a message of any size costs the same.
#[must_use]
pub fn line_bytes(raw: &[u8], max: usize) -> String {
    let head = raw.get(..max.saturating_mul(16)).unwrap_or(raw);
    line(&String::from_utf8_lossy(head), max)
}

/// Characters that survive, escape sequences already taken out.
struct Safe<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
}

impl<'a> Safe<'a> {
    fn new(raw: &'a str) -> Self {
        Self {
            chars: raw.chars().peekable(),
        }
    }

    /// Skips what follows an ESC: a CSI up to its final byte, a string (OSC, DCS, APC, PM, SOS) up to its end on the
    /// same line, else one character. An unfinished sequence ends at a line break, so that it cannot swallow the rest.
    fn skip_escape(&mut self) {
        match self.chars.next_if(|c| *c != '\n') {
            Some('[') => self.skip_csi(),
            Some(']' | 'P' | '_' | '^' | 'X') => self.skip_string(),
            _ => {}
        }
    }

    fn skip_csi(&mut self) {
        while let Some(c) = self.chars.next_if(|c| ('\u{20}'..='\u{7e}').contains(c)) {
            if ('\u{40}'..='\u{7e}').contains(&c) {
                return;
            }
        }
    }

    fn skip_string(&mut self) {
        while let Some(c) = self.chars.next_if(|c| *c != '\n') {
            match c {
                '\u{7}' | '\u{9c}' => return,
                '\u{1b}' => {
                    self.chars.next_if_eq(&'\\');
                    return;
                }
                _ => {}
            }
        }
    }
}

impl Iterator for Safe<'_> {
    type Item = char;
    fn next(&mut self) -> Option<char> {
        loop {
            match self.chars.next()? {
                '\u{1b}' => self.skip_escape(),
                '\u{9b}' => self.skip_csi(),
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => self.skip_string(),
                '\u{2028}' | '\u{2029}' | '\u{85}' => return Some('\n'),
                c if harmful(c) => {}
                c => return Some(c),
            }
        }
    }
}

/// Control characters and format characters that reorder, join invisibly or hide text. The zero-width joiner stays:
/// names in several scripts need it.
fn harmful(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain words", "plain words")]
    #[case("\u{1b}[31mred\u{1b}[0m", "red")]
    #[case("a\u{1b}]0;title\u{7}b", "ab")]
    #[case("a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "alink")]
    #[case("a\u{9b}2Jb", "ab")]
    #[case("abc\u{202e}txt.exe", "abctxt.exe")]
    #[case("  two\r\n\tlines ", "two lines")]
    #[case("\u{1b}]0;never closed\nnext", "next")]
    #[case("bell\u{7} nul\0", "bell nul")]
    #[case("Zoë 👩‍🚀", "Zoë 👩‍🚀")]
    fn a_line_keeps_words_and_nothing_else(#[case] raw: &str, #[case] want: &str) {
        assert_eq!(line(raw, LINE), want);
    }

    #[test]
    fn long_text_is_cut_with_a_sign() {
        assert_eq!(line(&"x".repeat(40), 10), format!("{}…", "x".repeat(9)));
        assert_eq!(line("0123456789", 10), "0123456789");
        assert_eq!(block("äöü", 5), "äö");
        assert_eq!(line_bytes(&[b'a', 0xff, b'b'], 10), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn nothing_harmful_survives(raw in "\\PC*|[\\x00-\\xff\u{202a}-\u{202e}\u{1b}\\[\\]]*", max in 1_usize..80) {
            let one = line(&raw, max);
            prop_assert!(one.chars().count() <= max);
            prop_assert!(!one.chars().any(|c| c.is_control() || harmful(c)));
            prop_assert!(block(&raw, max).len() <= max);
            prop_assert!(!block(&raw, 1000).chars().any(harmful));
        }
    }
}
