//! The regular expressions of label matchers, anchored at both ends as Prometheus has them: literals, `.`, classes, groups,
//! alternation, `*`, `+`, `?`, and the escapes `\d`, `\w` and of punctuation. Anything else is refused.

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Vec<Piece>>);

#[derive(Clone, Debug)]
struct Piece {
    what: What,
    min: u32,
    max: u32,
}

#[derive(Clone, Debug)]
enum What {
    Any,
    Char(char),
    Class(Vec<(char, char)>, bool),
    Group(Vec<Vec<Piece>>),
}

/// Steps a match may take; more means the pattern is not for us.
const STEPS: u32 = 100_000;

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// A sentence for what is not understood.
    pub fn new(text: &str) -> Result<Self, String> {
        let chars: Vec<char> = text.chars().collect();
        let mut parser = Parser {
            chars: &chars,
            at: 0,
        };
        let branches = parser.branches()?;
        match parser.peek() {
            None => Ok(Self(branches)),
            Some(rest) => Err(format!(
                "unexpected {rest:?} in regular expression {text:?}"
            )),
        }
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        let mut steps = STEPS;
        self.0
            .iter()
            .any(|branch| run(branch, &chars, &mut steps, &|rest, _| rest.is_empty()))
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek();
        self.at += usize::from(found.is_some());
        found
    }

    fn branches(&mut self) -> Result<Vec<Vec<Piece>>, String> {
        let mut branches = vec![self.pieces()?];
        while self.peek() == Some('|') {
            self.at += 1;
            branches.push(self.pieces()?);
        }
        Ok(branches)
    }

    fn pieces(&mut self) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        while let Some(found) = self.peek().filter(|c| !matches!(c, '|' | ')')) {
            self.at += 1;
            let what = match found {
                '.' => What::Any,
                '(' => self.group()?,
                '[' => self.class()?,
                '\\' => self.escape()?,
                '^' | '$' => continue,
                '*' | '+' | '?' | '{' => {
                    return Err(format!(
                        "{found:?} has nothing to repeat, or is not supported"
                    ));
                }
                literal => What::Char(literal),
            };
            let (min, max) = match self.peek() {
                Some('*') => (0, u32::MAX),
                Some('+') => (1, u32::MAX),
                Some('?') => (0, 1),
                _ => (1, 1),
            };
            self.at += usize::from((min, max) != (1, 1));
            pieces.push(Piece { what, min, max });
        }
        Ok(pieces)
    }

    fn group(&mut self) -> Result<What, String> {
        if self.peek() == Some('?') {
            self.at += 1;
            if self.next() != Some(':') {
                return Err("only (?: groups are supported".to_owned());
            }
        }
        let branches = self.branches()?;
        if self.next() == Some(')') {
            Ok(What::Group(branches))
        } else {
            Err("missing )".to_owned())
        }
    }

    fn class(&mut self) -> Result<What, String> {
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            let low = match self.next() {
                Some(']') => return Ok(What::Class(ranges, negated)),
                Some('\\') => self.next(),
                other => other,
            };
            let low = low.ok_or("missing ]")?;
            if self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|c| *c != ']') {
                self.at += 1;
                ranges.push((low, self.next().unwrap_or(low)));
            } else {
                ranges.push((low, low));
            }
        }
    }

    fn escape(&mut self) -> Result<What, String> {
        match self.next() {
            Some('d') => Ok(What::Class(vec![('0', '9')], false)),
            Some('w') => Ok(What::Class(
                vec![('0', '9'), ('a', 'z'), ('A', 'Z'), ('_', '_')],
                false,
            )),
            Some(c) if !c.is_alphanumeric() => Ok(What::Char(c)),
            other => Err(format!("escape {other:?} is not supported")),
        }
    }
}

type Rest<'a> = &'a dyn Fn(&[char], &mut u32) -> bool;

fn run(pieces: &[Piece], text: &[char], steps: &mut u32, rest: Rest<'_>) -> bool {
    match pieces.split_first() {
        None => rest(text, steps),
        Some((piece, others)) => repeat(piece, 0, text, steps, &|text, steps| {
            run(others, text, steps, rest)
        }),
    }
}

fn repeat(piece: &Piece, done: u32, text: &[char], steps: &mut u32, rest: Rest<'_>) -> bool {
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
        return false;
    }
    let more = done < piece.max
        && once(&piece.what, text, steps, &|left, steps| {
            // A turn that ate nothing would repeat for ever.
            left.len() < text.len() && repeat(piece, done + 1, left, steps, rest)
        });
    more || (done >= piece.min && rest(text, steps))
}

fn once(what: &What, text: &[char], steps: &mut u32, rest: Rest<'_>) -> bool {
    if let What::Group(branches) = what {
        return branches.iter().any(|branch| run(branch, text, steps, rest));
    }
    let Some((first, left)) = text.split_first() else {
        return false;
    };
    let fits = match what {
        What::Any => true,
        What::Char(c) => c == first,
        What::Class(ranges, negated) => {
            ranges
                .iter()
                .any(|(low, high)| (low..=high).contains(&first))
                != *negated
        }
        What::Group(_) => false,
    };
    fits && rest(left, steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Pattern;

    #[test]
    fn matches_like_an_anchored_regular_expression() {
        let fits = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().matches(text);
        assert!(fits("5..", "503") && !fits("5..", "5030") && !fits("5..", "1503"));
        assert!(fits("checkout|payments", "payments") && !fits("checkout|payments", "payment"));
        assert!(fits("(a|b)+c?", "abab") && fits("(?:a|b)+c?", "abc") && !fits("(a|b)+c?", "c"));
        assert!(fits(".*", "") && fits(".+", "x") && !fits(".+", ""));
        assert!(fits("[^a]x|[4-5]0", "bx") && fits("[^a]x|[4-5]0", "40") && !fits("[^a]x", "ax"));
        assert!(Pattern::new("[45]{2}").is_err());
        assert!(fits(r"2\.14\.\d", "2.14.0") && !fits(r"2\.14\.\d", "2x14.0"));
        assert!(!fits("(a*)*b", &"a".repeat(60)), "no blow-up");
        assert!(
            Pattern::new("(a").is_err()
                && Pattern::new("*a").is_err()
                && Pattern::new("[a").is_err()
        );
    }
}
