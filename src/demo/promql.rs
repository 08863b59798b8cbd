//! The subset of PromQL that the simulated Prometheus answers, parsed: selectors, `increase`, `rate`, `histogram_quantile`,
//! `sum`/`count`/`avg`/`min`/`max` with `by`, numbers, `+ - * /`, `unless`, `count_over_time((…)[range:step])` and parentheses. All
//! else is the vendor's `bad_data`.

use super::pattern::Pattern;

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A number.
    Number(f64),
    /// A selector; with a range it stands inside `increase` or `rate` alone.
    Select(Selector),
    /// Growth over the range; a second's share of it for `rate`.
    Growth {
        /// What grows.
        of: Selector,
        /// `rate` instead of `increase`.
        per_second: bool,
    },
    /// An aggregation over labels.
    Aggregate {
        /// How.
        how: How,
        /// Labels kept.
        by: Vec<String>,
        /// Over what.
        of: Box<Expr>,
    },
    /// `histogram_quantile(q, of)`.
    Quantile {
        /// q.
        q: f64,
        /// Buckets.
        of: Box<Expr>,
    },
    /// The left series that have no equal at the right.
    Unless {
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// `count_over_time(of[range:step])`: how many of the steps have a value.
    CountOver {
        /// Over what.
        of: Box<Expr>,
        /// Seconds.
        range: f64,
        /// Seconds.
        step: f64,
    },
    /// Two operands.
    Binary {
        /// `+ - * /`.
        operator: char,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
}

/// How an aggregation puts values together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the vendor's words
pub enum How {
    Sum,
    Count,
    Avg,
    Min,
    Max,
}

/// A metric name with matchers, and spans in seconds.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// Metric name.
    pub name: String,
    /// Matchers.
    pub matchers: Vec<Matcher>,
    /// Range.
    pub range: Option<f64>,
    /// Offset into the past.
    pub offset: f64,
}

/// One label matcher.
#[derive(Clone, Debug)]
pub struct Matcher {
    label: String,
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Is(String),
    Like(Pattern),
}

impl Matcher {
    /// Whether a label set passes; an absent label is empty.
    #[must_use]
    pub fn passes(&self, labels: &std::collections::BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.label).map_or("", String::as_str);
        let hit = match &self.test {
            Test::Is(text) => text == value,
            Test::Like(pattern) => pattern.matches(value),
        };
        hit != self.negated
    }
}

/// Parses a query.
///
/// # Errors
/// The sentence that goes into the vendor's `error` field.
pub fn parse(text: &str) -> Result<Expr, String> {
    if text.len() > 4096 {
        return Err("query is too long".to_owned());
    }
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser {
        chars: &chars,
        at: 0,
        depth: 0,
    };
    let found = parser
        .whole()
        .map_err(|why| format!("1:{}: parse error: {why}", parser.at + 1))?;
    parser.space();
    match parser.peek() {
        None => Ok(found),
        Some(rest) => Err(format!(
            "1:{}: parse error: unexpected character: {rest:?}",
            parser.at + 1
        )),
    }
}

/// Seconds of a duration such as `5m`, `1h30m`, `100ms`.
#[must_use]
pub fn seconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, after) = after.split_at(unit);
        let scale = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "y" => 31_536_000.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    (total > 0.0).then_some(total)
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.space();
        let hit = self.peek() == Some(wanted);
        self.at += usize::from(hit);
        hit
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(format!("expected {wanted:?}"))
        }
    }

    fn word(&mut self) -> String {
        self.space();
        let mut word = String::new();
        while let Some(c) = self
            .peek()
            .filter(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
        {
            word.push(c);
            self.at += 1;
        }
        word
    }

    fn whole(&mut self) -> Result<Expr, String> {
        let mut left = self.sum()?;
        loop {
            let start = self.at;
            if self.word() != "unless" {
                self.at = start;
                return Ok(left);
            }
            left = Expr::Unless {
                left: Box::new(left),
                right: Box::new(self.sum()?),
            };
        }
    }

    fn sum(&mut self) -> Result<Expr, String> {
        self.chain(&['+', '-'], Self::product)
    }

    fn product(&mut self) -> Result<Expr, String> {
        self.chain(&['*', '/'], Self::term)
    }

    fn chain(
        &mut self,
        operators: &[char],
        part: fn(&mut Self) -> Result<Expr, String>,
    ) -> Result<Expr, String> {
        let mut left = part(self)?;
        loop {
            self.space();
            let Some(operator) = self.peek().filter(|c| operators.contains(c)) else {
                return Ok(left);
            };
            self.at += 1;
            let right = part(self)?;
            left = Expr::Binary {
                operator,
                left: Box::new(left),
                right: Box::new(right),
            };
        }
    }

    fn term(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > 64 {
            return Err("nested too deeply".to_owned());
        }
        let found = self.term_inner();
        self.depth -= 1;
        found
    }

    fn term_inner(&mut self) -> Result<Expr, String> {
        self.space();
        if self.take('(') {
            let inner = self.whole()?;
            self.expect(')')?;
            return Ok(inner);
        }
        if self.peek().is_some_and(|c| c.is_ascii_digit() || c == '.') {
            return self.number().map(Expr::Number);
        }
        let start = self.at;
        let word = self.word();
        let how = match word.as_str() {
            "sum" => Some(How::Sum),
            "count" => Some(How::Count),
            "avg" => Some(How::Avg),
            "min" => Some(How::Min),
            "max" => Some(How::Max),
            _ => None,
        };
        self.space();
        let called = self.peek() == Some('(');
        match (how, word.as_str()) {
            (Some(how), _) => self.aggregate(how),
            (None, "increase" | "rate") if called => self.growth(word == "rate"),
            (None, "histogram_quantile") if called => self.quantile(),
            (None, "count_over_time") if called => self.count_over(),
            (None, other) if called => Err(format!("unknown function with name {other:?}")),
            _ => {
                self.at = start;
                let selector = self.selector()?;
                if selector.range.is_some() {
                    return Err(
                        "a range vector is only understood inside increase() and rate()".to_owned(),
                    );
                }
                Ok(Expr::Select(selector))
            }
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_digit() || *c == '.') {
            text.push(c);
            self.at += 1;
        }
        text.parse().map_err(|_| format!("bad number {text:?}"))
    }

    fn labels(&mut self) -> Result<Vec<String>, String> {
        self.expect('(')?;
        let mut labels = Vec::new();
        while !self.take(')') {
            let label = self.word();
            if label.is_empty() {
                return Err("expected a label name".to_owned());
            }
            labels.push(label);
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(labels)
    }

    fn by(&mut self) -> Result<Option<Vec<String>>, String> {
        let start = self.at;
        match self.word().as_str() {
            "by" => self.labels().map(Some),
            "without" => Err("\"without\" is not understood here".to_owned()),
            _ => {
                self.at = start;
                Ok(None)
            }
        }
    }

    fn aggregate(&mut self, how: How) -> Result<Expr, String> {
        let before = self.by()?;
        self.expect('(')?;
        let of = Box::new(self.whole()?);
        self.expect(')')?;
        let by = match before {
            Some(by) => by,
            None => self.by()?.unwrap_or_default(),
        };
        Ok(Expr::Aggregate { how, by, of })
    }

    fn growth(&mut self, per_second: bool) -> Result<Expr, String> {
        self.expect('(')?;
        let of = self.selector()?;
        self.expect(')')?;
        if of.range.is_none() {
            return Err("expected type range vector in call to function".to_owned());
        }
        Ok(Expr::Growth { of, per_second })
    }

    fn count_over(&mut self) -> Result<Expr, String> {
        self.expect('(')?;
        self.expect('(')?;
        let of = Box::new(self.whole()?);
        self.expect(')')?;
        self.expect('[')?;
        let text = self.word();
        let spans = text.split_once(':');
        let (range, step) = spans
            .and_then(|(range, step)| Some((seconds(range)?, seconds(step)?)))
            .filter(|(range, step)| range / step <= 1000.0)
            .ok_or_else(|| format!("not a valid subquery range: {text:?}"))?;
        self.expect(']')?;
        self.expect(')')?;
        Ok(Expr::CountOver { of, range, step })
    }

    fn quantile(&mut self) -> Result<Expr, String> {
        self.expect('(')?;
        self.space();
        let q = self.number()?;
        self.expect(',')?;
        let of = Box::new(self.sum()?);
        self.expect(')')?;
        Ok(Expr::Quantile { q, of })
    }

    fn selector(&mut self) -> Result<Selector, String> {
        let mut selector = Selector {
            name: self.word(),
            ..Selector::default()
        };
        if self.take('{') {
            while !self.take('}') {
                let matcher = self.matcher()?;
                selector.matchers.push(matcher);
                if !self.take(',') {
                    self.expect('}')?;
                    break;
                }
            }
        }
        if selector.name.is_empty() {
            return Err("a selector needs a metric name here".to_owned());
        }
        if self.take('[') {
            selector.range = Some(self.duration()?);
            self.expect(']')?;
        }
        let start = self.at;
        if self.word() == "offset" {
            selector.offset = self.duration()?;
        } else {
            self.at = start;
        }
        Ok(selector)
    }

    fn duration(&mut self) -> Result<f64, String> {
        let text = self.word();
        seconds(&text).ok_or_else(|| format!("not a valid duration string: {text:?}"))
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let label = self.word();
        self.space();
        let pair: String = self.chars.iter().skip(self.at).take(2).collect();
        let (negated, like, length) = match pair.as_str() {
            "!=" => (true, false, 2),
            "=~" => (false, true, 2),
            "!~" => (true, true, 2),
            other if other.starts_with('=') => (false, false, 1),
            _ => return Err("expected a label matching operator".to_owned()),
        };
        self.at += length;
        let text = self.string()?;
        let test = if like {
            Test::Like(Pattern::new(&text)?)
        } else {
            Test::Is(text)
        };
        Ok(Matcher {
            label,
            negated,
            test,
        })
    }

    fn string(&mut self) -> Result<String, String> {
        self.space();
        let quote = self
            .peek()
            .filter(|c| matches!(c, '"' | '\'' | '`'))
            .ok_or("expected a string")?;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                c if c == quote => return Ok(text),
                '\\' if quote != '`' => {
                    let escaped = self.peek().ok_or("unterminated string")?;
                    self.at += 1;
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    });
                }
                c => text.push(c),
            }
        }
        Err("unterminated quoted string".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_subset_parses() {
        for query in [
            "1 + 1",
            "up",
            r#"http_requests_total{service="checkout", code=~"5.."}"#,
            r#"sum by (service, track) (increase(http_requests_total{code=~"5..",}[60s]))"#,
            r#"sum(rate(x[5m])) by (service) / sum(rate(y{a!="b"}[5m] offset 1d)) by (service)"#,
            "histogram_quantile(0.95, sum by (le, service) (increase(x_bucket[1h30m])))",
            "count by (service) (ALERTS{alertstate='firing'}) * (2 + 3)",
        ] {
            assert!(parse(query).is_ok(), "{query}: {:?}", parse(query));
        }
    }

    #[test]
    fn all_else_is_refused_with_its_place() {
        for query in [
            "",
            "sum by (",
            "topk(3, x)",
            "x[5m]",
            "rate(x)",
            "rate(x[5x])",
            "{a=\"b\"}",
            "x{a}",
            "sum(x) > 1",
            "x{a=\"b",
            "1 +",
        ] {
            let why = parse(query).unwrap_err();
            assert!(why.contains("parse error"), "{query}: {why}");
        }
        assert!(parse(&"(".repeat(200)).is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds("100ms"), Some(0.1));
        assert_eq!(
            (seconds("5"), seconds(""), seconds("0s")),
            (None, None, None)
        );
    }
}
