//! YAML as kubeconfig files use it → JSON. Anchors and tags are refused: a kubeconfig has none, and a file that grows when it is
//! read is no kubeconfig.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// Deepest nesting that is read.
const DEEPEST: usize = 32;

/// The first document of the text.
///
/// # Errors
/// What is wrong and in which line; never a value of the file, which may be a secret.
pub fn read(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut done = Value::Null;
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|e| format!("line {}: it is not YAML", e.marker().line()))?;
        let line = span.start.line();
        let refuse = |what: &str| Err(format!("line {line}: {what}"));
        let value = match event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return refuse("anchors are not read");
            }
            Event::Alias(_) => return refuse("aliases are not read"),
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => return refuse("tags are not read"),
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                if open.len() > DEEPEST {
                    return refuse("it is nested too deep");
                }
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                if open.len() > DEEPEST {
                    return refuse("it is nested too deep");
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Value::Array(list),
                Some(Open::Map(map, _)) => Value::Object(map),
                None => return refuse("it is not YAML"),
            },
            Event::DocumentEnd => return Ok(done),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {
                continue;
            }
        };
        match open.last_mut() {
            None => done = value,
            Some(parent) => parent
                .take(value)
                .map_err(|what| format!("line {line}: {what}"))?,
        }
    }
    Ok(done)
}

/// A list or a map that is not complete yet.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

impl Open {
    fn take(&mut self, value: Value) -> Result<(), &'static str> {
        match self {
            Self::List(list) => list.push(value),
            Self::Map(map, key) => match key.take() {
                Some(key) if map.contains_key(&key) => return Err("a key stands there twice"),
                Some(key) => drop(map.insert(key, value)),
                None => {
                    *key = Some(match value {
                        Value::String(text) => text,
                        Value::Bool(_) | Value::Number(_) | Value::Null => value.to_string(),
                        Value::Array(_) | Value::Object(_) => return Err("a key is no word"),
                    });
                }
            },
        }
        Ok(())
    }
}

/// A word as YAML's core schema takes it; quoted and block texts stay texts.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            // 007 and +5 stay words: an id must not change by being read.
            Ok(n) if n.to_string() == text => Value::Number(Number::from(n)),
            _ => Value::String(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kubeconfig_becomes_json() {
        let text = "apiVersion: v1\nkind: Config\n# a comment\ncurrent-context: prod\nclusters:\n- cluster:\n    server: https://k8s:6443\n    insecure-skip-tls-verify: false\n  name: c\nusers:\n- name: u\n  user:\n    token: \"12345\"\n    exec:\n      args: [get-token, --region, eu]\n      env: null\n    data: >-\n      aa\n      bb\ncontexts: []\nn: 5\n";
        assert_eq!(
            read(text),
            Ok(
                json!({"apiVersion": "v1", "kind": "Config", "current-context": "prod",
                "clusters": [{"cluster": {"server": "https://k8s:6443", "insecure-skip-tls-verify": false}, "name": "c"}],
                "users": [{"name": "u", "user": {"token": "12345", "exec": {"args": ["get-token", "--region", "eu"], "env": null}, "data": "aa bb"}}],
                "contexts": [], "n": 5})
            )
        );
        assert_eq!(read("{\"a\": [1, \"x\"]}"), Ok(json!({"a": [1, "x"]})));
        assert_eq!(read(""), Ok(Value::Null));
    }

    #[test]
    fn what_is_refused_names_its_line_and_no_value() {
        for (text, part) in [
            ("a: &x 1\nb: *x", "line 1: anchors"),
            ("a: !!binary aGk=", "line 1: tags"),
            ("a: 1\na: secret-4711", "line 2: a key stands there twice"),
            ("a: [secret-4711", "it is not YAML"),
            ("? [a]\n: 1", "a key is no word"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(part) && !why.contains("4711"), "{text}: {why}");
        }
        let deep = format!("a: {}{}", "[".repeat(60), "]".repeat(60));
        assert!(read(&deep).unwrap_err().contains("too deep"));
    }
}
