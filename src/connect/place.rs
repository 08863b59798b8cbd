//! Finds the place in a TOML text that a key path speaks of, and reads files with every mistake placed.

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::template::did_you_mean;
use crate::domain::diag::Diag;

/// A file's text with its name.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file as the person named it.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads the text into a type.
    ///
    /// # Errors
    /// A placed diagnostic; an unknown key gets a did-you-mean.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Diag> {
        let parsed = toml::de::Deserializer::parse(&self.text)
            .map_err(|e| self.toml_error(&e, String::new()))?;
        serde_path_to_error::deserialize(parsed).map_err(|e| {
            let path = e.path().to_string();
            let key = if path == "." { String::new() } else { path };
            self.toml_error(e.inner(), key)
        })
    }

    fn toml_error(&self, error: &toml::de::Error, key: String) -> Diag {
        let message = error.message().trim().to_owned();
        let help = unknown_field(&message);
        let mut diag = self.at_span(error.span(), key, message);
        diag.help = help;
        diag
    }

    /// An error at a key path; `within` is a byte range inside that key's string value.
    #[must_use]
    pub fn at(
        &self,
        keys: &[&str],
        within: Option<std::ops::Range<usize>>,
        message: impl Into<String>,
    ) -> Diag {
        let span = self.locate(keys).map(|span| self.narrow(span, within));
        self.at_span(span, keys.join("."), message)
    }

    fn at_span(
        &self,
        span: Option<std::ops::Range<usize>>,
        key: String,
        message: impl Into<String>,
    ) -> Diag {
        let mut diag = Diag::error(self.file.clone(), message);
        diag.key = key;
        if let Some(span) = span {
            let before = self.text.get(..span.start).unwrap_or_default();
            diag.line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX);
            let line = before.rsplit('\n').next().unwrap_or_default();
            diag.col = u32::try_from(line.chars().count() + 1).unwrap_or(u32::MAX);
            diag.span = Some((span.start, span.end));
        }
        diag
    }

    /// The byte range of a key path's value; of its nearest parent when the key itself is not there.
    #[must_use]
    pub fn locate(&self, keys: &[&str]) -> Option<std::ops::Range<usize>> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut span = None;
        let mut at: Option<&DeValue<'_>> = None;
        for key in keys {
            let next = match at {
                None => table.get_ref().get(*key),
                Some(DeValue::Table(inner)) => inner.get(*key),
                Some(DeValue::Array(items)) => key.parse::<usize>().ok().and_then(|i| items.get(i)),
                Some(_) => None,
            };
            match next {
                Some(value) => {
                    span = Some(value.span());
                    at = Some(value.get_ref());
                }
                None => break,
            }
        }
        span
    }

    /// A range inside a literal string's content, where it can be told exactly; else the whole value.
    fn narrow(
        &self,
        value: std::ops::Range<usize>,
        within: Option<std::ops::Range<usize>>,
    ) -> std::ops::Range<usize> {
        let (Some(within), Some(raw)) = (within, self.text.get(value.clone())) else {
            return value;
        };
        let quote = match raw {
            r if r.starts_with("'''\n") => 4,
            r if r.starts_with("'''") || r.starts_with("\"\"\"") => 3,
            r if r.starts_with('\'') || (r.starts_with('"') && !r.contains('\\')) => 1,
            _ => return value,
        };
        let (start, end) = (
            value.start + quote + within.start,
            value.start + quote + within.end,
        );
        if end <= value.end && self.text.is_char_boundary(start) && self.text.is_char_boundary(end)
        {
            start..end.max(start)
        } else {
            value
        }
    }
}

/// The did-you-mean of serde's "unknown field" sentence.
fn unknown_field(message: &str) -> Option<String> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let word = quoted.next()?;
    let help = did_you_mean(word, quoted);
    (!help.is_empty()).then(|| help.trim_start_matches("; ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::connector::ConnectorSpec;

    fn source(text: &str) -> Source {
        Source {
            file: "x.toml".into(),
            text: text.into(),
        }
    }

    #[test]
    fn mistakes_have_a_line_and_a_key() {
        let s = source(
            "format = 1\nid = \"x\"\nname = \"X\"\ndriver = \"http\"\n[http]\ntimout = \"5s\"\n",
        );
        let diag = s.read::<ConnectorSpec>().unwrap_err();
        assert_eq!((diag.line, diag.key.as_str()), (6, "http.timout"), "{diag}");
        assert_eq!(diag.help.as_deref(), Some("did you mean timeout?"));
        let diag = source("format = = 1").read::<ConnectorSpec>().unwrap_err();
        assert_eq!(diag.line, 1);
    }

    #[test]
    fn a_place_inside_a_filter_is_found() {
        let s = source("[read.x.map]\nid = \".id | lenght\"\nst = '''\n.a |\nfoo'''\n");
        let diag = s.at(&["read", "x", "map", "id"], Some(6..12), "no");
        assert_eq!((diag.line, diag.col), (2, 13));
        let diag = s.at(&["read", "x", "map", "st"], Some(5..8), "no");
        assert_eq!((diag.line, diag.col), (5, 1));
        let diag = s.at(&["read", "x", "none"], None, "no");
        assert_eq!(diag.line, 1, "the nearest parent");
    }
}
