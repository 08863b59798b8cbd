//! Words of a command line with places for values. A value fills exactly one word and never becomes an option.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::text::clean;

/// A program and its words, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    program: String,
    words: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Arg(String),
    Intent,
}

impl Template {
    /// `{{ args.NAME }}` and `{{ intent.id }}` stand for values, in every word but the program.
    ///
    /// # Errors
    /// Why the words are no command line.
    pub(super) fn new(words: &[String]) -> Result<Self, String> {
        let (program, rest) = words
            .split_first()
            .ok_or("is empty: the program comes first")?;
        if program.trim().is_empty() || program.contains("{{") || program.contains('\0') {
            return Err("must begin with a program's name, which holds no value".to_owned());
        }
        Ok(Self {
            program: program.clone(),
            words: rest
                .iter()
                .map(|word| pieces(word))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// The words with their values.
    ///
    /// # Errors
    /// A value that is missing, is no single text, or would become an option.
    pub(super) fn render(
        &self,
        args: &BTreeMap<String, Value>,
        intent: Option<&str>,
    ) -> Result<Vec<String>, String> {
        let mut out = vec![self.program.clone()];
        let mut only_operands = false;
        for word in &self.words {
            let text = word
                .iter()
                .map(|piece| piece.value(args, intent))
                .collect::<Result<String, _>>()?;
            let begins_with_value = !matches!(word.first(), Some(Piece::Text(_)) | None);
            if begins_with_value && text.starts_with('-') && !only_operands {
                return Err(format!(
                    "the value \"{}\" begins with - and would become an option (put \"--\" before it)",
                    clean(&text, 40)
                ));
            }
            only_operands |= !begins_with_value && text == "--";
            out.push(text);
        }
        Ok(out)
    }

    /// The words as they were written, for a preview.
    pub(super) fn shown(&self) -> String {
        let mut words = vec![self.program.clone()];
        words.extend(self.words.iter().map(|word| {
            word.iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Arg(name) => format!("{{{{ args.{name} }}}}"),
                    Piece::Intent => "{{ intent.id }}".to_owned(),
                })
                .collect()
        }));
        words.join(" ")
    }
}

impl Piece {
    fn value(
        &self,
        args: &BTreeMap<String, Value>,
        intent: Option<&str>,
    ) -> Result<String, String> {
        let text = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::Intent => intent.ok_or("a read has no intent")?.to_owned(),
            Self::Arg(name) => match args.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                Some(Value::Array(_) | Value::Object(_)) => {
                    return Err(format!("args.{name} is no single value"));
                }
                Some(Value::Null) | None => return Err(format!("args.{name} is missing")),
            },
        };
        if text.contains('\0') {
            return Err("a value holds a NUL".to_owned());
        }
        Ok(text)
    }
}

fn pieces(word: &str) -> Result<Vec<Piece>, String> {
    if word.contains('\0') {
        return Err("holds a NUL".to_owned());
    }
    let mut out = Vec::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, tail) = after
            .split_once("}}")
            .ok_or_else(|| format!("has an unclosed {{{{ in \"{word}\""))?;
        if !before.is_empty() {
            out.push(Piece::Text(before.to_owned()));
        }
        out.push(match name.trim() {
            "intent.id" => Piece::Intent,
            name => Piece::Arg(
                name.strip_prefix("args.")
                    .filter(|n| {
                        !n.is_empty()
                            && n.chars()
                                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
                    })
                    .ok_or_else(|| format!("knows args.NAME and intent.id, not \"{name}\""))?
                    .to_owned(),
            ),
        });
        rest = tail;
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest.to_owned()));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn render(words: &[&str], args: &[(&str, Value)]) -> Result<Vec<String>, String> {
        let words: Vec<_> = words.iter().map(|w| (*w).to_owned()).collect();
        let args = args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect();
        Template::new(&words)?.render(&args, Some("act-1"))
    }

    #[test]
    fn values_fill_their_places() {
        let words = [
            "roll",
            "--to={{ args.version }}",
            "{{args.n}}",
            "{{ intent.id }}/{{ args.version }}",
            "",
        ];
        assert_eq!(
            render(
                &words,
                &[("version", "1 2; rm -rf".into()), ("n", 3.into())]
            )
            .unwrap(),
            ["roll", "--to=1 2; rm -rf", "3", "act-1/1 2; rm -rf", ""]
        );
    }

    #[rstest]
    #[case("-x")]
    #[case("--output=/etc/passwd")]
    #[case("-")]
    fn a_value_never_becomes_an_option(#[case] value: &str) {
        assert!(
            render(&["p", "{{ args.v }}"], &[("v", value.into())])
                .unwrap_err()
                .contains("option")
        );
        assert_eq!(
            render(&["p", "--", "{{ args.v }}"], &[("v", value.into())]).unwrap()[2],
            value
        );
        assert_eq!(
            render(&["p", "to:{{ args.v }}"], &[("v", value.into())]).unwrap()[1],
            format!("to:{value}")
        );
    }

    #[test]
    fn a_value_that_reads_like_the_end_of_options_ends_nothing() {
        assert!(
            render(
                &["p", "{{ args.v }}", "{{ args.v }}"],
                &[("v", "--".into())]
            )
            .is_err()
        );
    }

    #[test]
    fn an_empty_first_value_does_not_hide_an_option() {
        let args = [("a", "".into()), ("b", "-x".into())];
        assert!(render(&["p", "{{ args.a }}{{ args.b }}"], &args).is_err());
    }

    #[rstest]
    #[case(&[])]
    #[case(&[""])]
    #[case(&["{{ args.v }}"])]
    #[case(&["p", "{{ args.v"])]
    #[case(&["p", "{{ secret.token }}"])]
    #[case(&["p", "{{ args. }}"])]
    #[case(&["p", "{{ args.missing }}"])]
    #[case(&["p", "{{ args.list }}"])]
    #[case(&["p", "{{ args.nul }}"])]
    fn what_cannot_be_a_command_line_is_refused(#[case] words: &[&str]) {
        assert!(
            render(
                words,
                &[
                    ("v", "x".into()),
                    ("list", vec![1].into()),
                    ("nul", "a\0".into())
                ]
            )
            .is_err()
        );
    }

    #[test]
    fn values_are_never_rendered_twice() {
        assert_eq!(
            render(&["p", "{{ args.v }}"], &[("v", "{{ intent.id }}".into())]).unwrap()[1],
            "{{ intent.id }}"
        );
    }

    proptest! {
        #[test]
        fn the_number_of_words_never_changes(value in "\\PC*") {
            if let Ok(words) = render(&["p", "a{{ args.v }}", "{{ args.v }}"], &[("v", value.clone().into())]) {
                prop_assert_eq!(words, ["p".to_owned(), format!("a{value}"), value]);
            } else {
                prop_assert!(value.starts_with('-'));
            }
        }
    }
}
