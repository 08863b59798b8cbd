//! A one-line text field: text, cursor, and nothing else.

/// Longest text a field takes, in characters.
pub const LIMIT: usize = 500;

/// One line being edited. The cursor counts characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    text: String,
    cursor: usize,
}

impl Edit {
    /// A field holding `text`, cursor behind it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let cursor = text.chars().count();
        Self { text, cursor }
    }

    /// What it holds.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor stands, in characters.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    fn byte(&self, at: usize) -> usize {
        self.text
            .char_indices()
            .nth(at)
            .map_or(self.text.len(), |(i, _)| i)
    }

    /// Types one character; control characters and what is over [`LIMIT`] are dropped.
    pub fn insert(&mut self, c: char) {
        if c.is_control() || self.text.chars().count() >= LIMIT {
            return;
        }
        let at = self.byte(self.cursor);
        self.text.insert(at, c);
        self.cursor += 1;
    }

    /// Pastes: line ends and tabs become spaces, other control characters are dropped.
    pub fn paste(&mut self, text: &str) {
        for c in text.trim_end().chars() {
            self.insert(if matches!(c, '\n' | '\t') { ' ' } else { c });
        }
    }

    /// Deletes before the cursor.
    pub fn backspace(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.delete();
        }
    }

    /// Deletes at the cursor.
    pub fn delete(&mut self) {
        let at = self.byte(self.cursor);
        if at < self.text.len() {
            self.text.remove(at);
        }
    }

    /// Moves by one character; past the ends it stays.
    pub fn step(&mut self, right: bool) {
        self.cursor = if right {
            (self.cursor + 1).min(self.text.chars().count())
        } else {
            self.cursor.saturating_sub(1)
        };
    }

    /// Moves to the start or the end.
    pub fn jump(&mut self, end: bool) {
        self.cursor = if end { self.text.chars().count() } else { 0 };
    }

    /// Handles an editing key; `false` where it is none.
    pub fn key(&mut self, key: super::key::Key) -> bool {
        use super::key::Code;
        match (key.code, key.types()) {
            (_, Some(c)) => self.insert(c),
            (Code::Backspace, _) => self.backspace(),
            (Code::Delete, _) => self.delete(),
            (Code::Left, _) => self.step(false),
            (Code::Right, _) => self.step(true),
            (Code::Home, _) => self.jump(false),
            (Code::End, _) => self.jump(true),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_by_characters() {
        let mut e = Edit::new("añb");
        e.step(false);
        e.backspace();
        assert_eq!((e.text(), e.cursor()), ("ab", 1));
        e.paste("x\ny\u{1b}[2J");
        assert_eq!(e.text(), "ax y[2Jb");
        e.jump(false);
        e.delete();
        assert_eq!(e.text(), "x y[2Jb");
    }

    #[test]
    fn a_field_has_a_limit() {
        let mut e = Edit::default();
        e.paste(&"x".repeat(2 * LIMIT));
        assert_eq!(e.text().len(), LIMIT);
    }
}
