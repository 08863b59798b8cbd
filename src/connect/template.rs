//! `{{ scope.name }}`: the only thing a template can do is to put a value in its place.
//!
//! Values are never rendered twice. In a path each one is a percent-encoded segment (or part of one); in JSON a leaf that is a
//! bare `{{ x }}` keeps x's type. Secrets stand only where they belong, which is checked when the file is loaded.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Where a template stands; decides about secrets and encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An authentication value or a base address: secrets allowed, values as they are.
    Auth,
    /// A path: secrets allowed, values percent-encoded.
    Path,
    /// A query value, header, form field or sentence: no secrets.
    Text,
    /// A JSON leaf: a secret only as the whole leaf.
    Leaf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Value { path: Vec<String>, filter: Filter },
}

/// What is done to a value on its way into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// As its place wants it.
    Usual,
    /// In a path: slashes stay slashes.
    Slashes,
    /// In a JSON leaf: the value as JSON text, for vendors that want a document inside a string.
    Json,
    /// In a JSON leaf: a text of digits as a number.
    Number,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
    place: Place,
}

/// Why a template is refused, and where in it (byte offset).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// One sentence.
    pub message: String,
    /// Byte range in the template.
    pub at: std::ops::Range<usize>,
}

/// Which names a template may use: scope → its names; `None`: any name below it.
pub type Names = BTreeMap<&'static str, Option<Vec<String>>>;

/// The values a template is rendered with: scope → value.
#[derive(Clone, Debug, Default)]
pub struct Values {
    scopes: BTreeMap<&'static str, Value>,
}

impl Values {
    /// The same with one more scope.
    #[must_use]
    pub fn with(mut self, scope: &'static str, value: Value) -> Self {
        self.scopes.insert(scope, value);
        self
    }

    /// The value of a scope; null when it is not there.
    #[must_use]
    pub fn scope(&self, scope: &str) -> Value {
        self.scopes.get(scope).cloned().unwrap_or_default()
    }

    fn get(&self, path: &[String]) -> Option<&Value> {
        let (scope, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.scopes.get(scope.as_str())?, |v, key| match v {
                Value::Array(items) => items.get(key.parse::<usize>().ok()?),
                _ => v.get(key),
            })
    }
}

impl Template {
    /// Parses and checks a template.
    ///
    /// # Errors
    /// An unended `{{`, a name that is not known there, a secret where none may stand.
    pub fn parse(text: &str, place: Place, names: &Names) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(rest) = text.get(at..) {
            let Some(open) = rest.find("{{") else {
                if !rest.is_empty() {
                    pieces.push(Piece::Plain(rest.to_owned()));
                }
                break;
            };
            let start = at + open;
            if open > 0 {
                pieces.push(Piece::Plain(
                    rest.get(..open).unwrap_or_default().to_owned(),
                ));
            }
            let inner = text.get(start + 2..).unwrap_or_default();
            let Some(close) = inner.find("}}") else {
                return Err(TemplateError {
                    message: "{{ without }}".into(),
                    at: start..text.len(),
                });
            };
            let end = start + close + 4;
            let piece = expression(inner.get(..close).unwrap_or_default(), place, names).map_err(
                |message| TemplateError {
                    message,
                    at: start..end,
                },
            )?;
            pieces.push(piece);
            at = end;
        }
        let template = Self {
            text: text.to_owned(),
            pieces,
            place,
        };
        if place == Place::Leaf && template.uses("secret") && template.bare().is_none() {
            return Err(TemplateError {
                message: "in JSON a secret stands alone: the whole value is \"{{ secret.NAME }}\""
                    .into(),
                at: 0..text.len(),
            });
        }
        Ok(template)
    }

    /// The template as written: what faults, previews and the journal show.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does it use that scope?
    #[must_use]
    pub fn uses(&self, scope: &str) -> bool {
        self.paths().any(|p| p.first().is_some_and(|s| s == scope))
    }

    /// The names it uses below a scope.
    pub fn names<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = &'a str> {
        self.paths().filter_map(move |p| {
            (p.first()? == scope)
                .then(|| p.get(1).map(String::as_str))
                .flatten()
        })
    }

    fn paths(&self) -> impl Iterator<Item = &Vec<String>> {
        self.pieces.iter().filter_map(|p| match p {
            Piece::Value { path, .. } => Some(path),
            Piece::Plain(_) => None,
        })
    }

    /// The one value of a bare `{{ x }}`.
    fn bare(&self) -> Option<&Vec<String>> {
        match self.pieces.as_slice() {
            [
                Piece::Value {
                    path,
                    filter: Filter::Usual,
                },
            ] => Some(path),
            _ => None,
        }
    }

    /// The text with every value in its place; a value that is missing or null is empty.
    ///
    /// # Errors
    /// In a path: a value that is empty, `.` or `..`, or no plain value at all.
    pub fn render(&self, values: &Values) -> Result<String, String> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(text) => out.push_str(text),
                Piece::Value { path, filter } => {
                    let value = values.get(path);
                    if *filter == Filter::Json {
                        out.push_str(&value.unwrap_or(&Value::Null).to_string());
                        continue;
                    }
                    let text = plain(value, path)?;
                    if self.place == Place::Path {
                        out.push_str(&segment(&text, path, *filter == Filter::Slashes)?);
                    } else {
                        out.push_str(&text);
                    }
                }
            }
        }
        if self.place == Place::Path {
            self.check_segments(&out, values)?;
        }
        Ok(out)
    }

    /// No segment of a rendered path is empty or a dot; one slash at the template's own end is fine.
    fn check_segments(&self, path: &str, values: &Values) -> Result<(), String> {
        let inner = path.strip_prefix('/').unwrap_or(path);
        let inner = match inner.strip_suffix('/') {
            Some(shorter) if self.text.ends_with('/') => shorter,
            _ => inner,
        };
        if path.is_empty() || !inner.split('/').any(|s| matches!(s, "" | "." | "..")) {
            return Ok(());
        }
        let empty = |p: &&Vec<String>| plain(values.get(p), p).is_ok_and(|t| t.is_empty());
        Err(match self.paths().find(empty) {
            Some(name) => format!("{} is empty and cannot stand in a path", name.join(".")),
            None => "the path has an empty or a dot segment".into(),
        })
    }

    /// A JSON leaf: a bare `{{ x }}` keeps x's type.
    ///
    /// # Errors
    /// Inside a longer text: a value that is no plain value.
    pub fn render_leaf(&self, values: &Values) -> Result<Value, String> {
        if let [
            Piece::Value {
                path,
                filter: Filter::Number,
            },
        ] = self.pieces.as_slice()
        {
            let text = plain(values.get(path), path)?;
            return match serde_json::from_str::<Value>(&text) {
                Ok(number @ Value::Number(_)) => Ok(number),
                _ => Err(format!("{} is no number", path.join("."))),
            };
        }
        match self.bare() {
            Some(path) => Ok(values.get(path).cloned().unwrap_or_default()),
            None => self.render(values).map(Value::String),
        }
    }
}

/// A JSON value whose strings are templates.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTemplate {
    /// A string.
    Leaf(Template),
    /// A number, a flag or null.
    Fixed(Value),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Map(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Parses every leaf.
    ///
    /// # Errors
    /// The first leaf's error, with the keys that lead to it.
    pub fn parse(value: &Value, names: &Names) -> Result<Self, (Vec<String>, TemplateError)> {
        match value {
            Value::String(text) => Template::parse(text, Place::Leaf, names)
                .map(Self::Leaf)
                .map_err(|e| (Vec::new(), e)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, v)| Self::parse(v, names).map_err(|e| under(i.to_string(), e)))
                .collect::<Result<_, _>>()
                .map(Self::List),
            Value::Object(map) => map
                .iter()
                .map(|(k, v)| {
                    Self::parse(v, names)
                        .map(|t| (k.clone(), t))
                        .map_err(|e| under(k.clone(), e))
                })
                .collect::<Result<_, _>>()
                .map(Self::Map),
            other => Ok(Self::Fixed(other.clone())),
        }
    }

    /// The value with every leaf rendered.
    ///
    /// # Errors
    /// As [`Template::render_leaf`].
    pub fn render(&self, values: &Values) -> Result<Value, String> {
        match self {
            Self::Leaf(template) => template.render_leaf(values),
            Self::Fixed(value) => Ok(value.clone()),
            Self::List(items) => items.iter().map(|t| t.render(values)).collect(),
            Self::Map(map) => map
                .iter()
                .map(|(k, t)| Ok((k.clone(), t.render(values)?)))
                .collect::<Result<serde_json::Map<_, _>, _>>()
                .map(Value::Object),
        }
    }

    /// All leaves.
    pub fn leaves(&self) -> Vec<&Template> {
        match self {
            Self::Leaf(template) => vec![template],
            Self::Fixed(_) => Vec::new(),
            Self::List(items) => items.iter().flat_map(Self::leaves).collect(),
            Self::Map(map) => map.iter().flat_map(|(_, t)| t.leaves()).collect(),
        }
    }
}

fn under(
    key: String,
    (mut path, error): (Vec<String>, TemplateError),
) -> (Vec<String>, TemplateError) {
    path.insert(0, key);
    (path, error)
}

/// `scope.name.name` or `scope.name | path`.
fn expression(text: &str, place: Place, names: &Names) -> Result<Piece, String> {
    let (name, filter) = match text.split_once('|') {
        Some((name, filter)) => (name.trim(), Some(filter.trim())),
        None => (text.trim(), None),
    };
    let filter = match filter {
        None => Filter::Usual,
        Some("path") if place == Place::Path => Filter::Slashes,
        Some("json") if place == Place::Leaf => Filter::Json,
        Some("number") if place == Place::Leaf => Filter::Number,
        Some("path") => return Err("`| path` belongs into a path".into()),
        Some("json" | "number") => {
            return Err("`| json` and `| number` belong into a JSON body".into());
        }
        Some(other) => {
            return Err(format!(
                "no such filter: {other}; there are `| path`, `| json` and `| number`"
            ));
        }
    };
    let path: Vec<String> = name.split('.').map(str::to_owned).collect();
    let plain = |s: &String| {
        !s.is_empty()
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    if !path.iter().all(plain) {
        return Err(format!(
            "{{{{ {name} }}}} is not a name such as settings.url"
        ));
    }
    known(&path, place, names)?;
    Ok(Piece::Value { path, filter })
}

/// Is the name known there, and may it stand there?
fn known(path: &[String], place: Place, names: &Names) -> Result<(), String> {
    let (Some(scope), second) = (path.first(), path.get(1)) else {
        return Err("{{ }} is empty".into());
    };
    if scope == "secret" && place == Place::Text {
        return Err(
            "a secret may stand in [auth], in a path and as a whole JSON value, nowhere else"
                .into(),
        );
    }
    let Some(allowed) = names.get(scope.as_str()) else {
        let known: Vec<&str> = names.keys().copied().collect();
        return Err(format!(
            "{scope} is not known here; there is {}",
            known.join(", ")
        ));
    };
    let (Some(allowed), Some(second)) = (allowed, second) else {
        return Ok(());
    };
    if allowed.contains(second) {
        return Ok(());
    }
    let near = did_you_mean(second, allowed.iter().map(String::as_str));
    Err(format!("{scope}.{second} is not declared{near}"))
}

/// `; did you mean x?` where something is near, else what there is.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let best = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), *k))
        .min();
    match best {
        Some((distance, near)) if distance <= 1 + near.len() / 4 => {
            format!("; did you mean {near}?")
        }
        _ if known.is_empty() => String::new(),
        _ => format!("; there is {}", known.join(", ")),
    }
}

fn plain(value: Option<&Value>, path: &[String]) -> Result<String, String> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(n)) => Ok(n.to_string()),
        Some(Value::Bool(b)) => Ok(b.to_string()),
        Some(_) => Err(format!(
            "{} is a list or an object and cannot stand in a text",
            path.join(".")
        )),
    }
}

fn segment(text: &str, path: &[String], slashes: bool) -> Result<String, String> {
    let one = |part: &str| {
        if matches!(part, "." | "..") {
            return Err(format!(
                "{} is a dot segment and cannot stand in a path",
                path.join(".")
            ));
        }
        Ok(utf8_percent_encode(part, SEGMENT).to_string())
    };
    if slashes {
        let parts: Result<Vec<String>, String> = text.split('/').map(one).collect();
        return parts.map(|p| p.join("/"));
    }
    one(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn names() -> Names {
        let list = |l: &[&str]| Some(l.iter().map(|s| (*s).to_owned()).collect());
        Names::from([
            ("settings", list(&["owner", "url"])),
            ("secret", list(&["token"])),
            ("args", list(&["ref", "n", "o"])),
            ("item", None),
        ])
    }
    fn values() -> Values {
        Values::default()
            .with(
                "settings",
                json!({"owner": "a/b c", "url": "{{ args.ref }}"}),
            )
            .with("secret", json!({"token": "t?k"}))
            .with(
                "args",
                json!({"ref": "..", "n": 5, "o": {"x": [1, "\"}"]}, "e": ""}),
            )
            .with("item", json!({"m": {"name": "é"}}))
    }

    #[rstest]
    #[case(
        Place::Path,
        "/r/{{ settings.owner }}/{{item.m.name}}",
        Ok("/r/a%2Fb%20c/%C3%A9")
    )]
    #[case(Place::Path, "/r/{{ settings.owner | path }}", Ok("/r/a/b%20c"))]
    #[case(Place::Path, "/r/{{ secret.token }}", Ok("/r/t%3Fk"))]
    #[case(Place::Path, "/r/{{ args.ref }}", Err("dot segment"))]
    #[case(Place::Path, "/r/{{ item.none }}", Err("empty"))]
    #[case(Place::Path, "/r/{{ args.o }}", Err("list or an object"))]
    #[case(Place::Text, "n={{ args.n }}{{ item.none }}", Ok("n=5"))]
    // Not rendered a second time.
    #[case(Place::Text, "{{ settings.url }}", Ok("{{ args.ref }}"))]
    #[case(Place::Auth, "token={{ secret.token }}", Ok("token=t?k"))]
    fn texts_render(
        #[case] place: Place,
        #[case] text: &str,
        #[case] expected: Result<&str, &str>,
    ) {
        let got = Template::parse(text, place, &names())
            .unwrap()
            .render(&values());
        match expected {
            Ok(text) => assert_eq!(got.as_deref(), Ok(text)),
            Err(part) => assert!(got.unwrap_err().contains(part)),
        }
    }

    #[rstest]
    #[case(Place::Text, "{{ secret.token }}", "nowhere else")]
    #[case(Place::Leaf, "x {{ secret.token }}", "stands alone")]
    #[case(Place::Path, "/{{ settings.ower }}", "did you mean owner?")]
    #[case(Place::Path, "/{{ setings.owner }}", "is not known here")]
    #[case(Place::Path, "/{{ settings.owner", "without }}")]
    #[case(Place::Path, "/{{ settings.owner | upper }}", "no such filter")]
    #[case(Place::Path, "/{{ 1 + 1 }}", "is not a name")]
    fn mistakes_are_named(#[case] place: Place, #[case] text: &str, #[case] part: &str) {
        let error = Template::parse(text, place, &names()).unwrap_err();
        assert!(error.message.contains(part), "{}", error.message);
    }

    #[test]
    fn an_empty_value_beside_other_text_is_fine_in_a_path() {
        let t = |text: &str| {
            Template::parse(text, Place::Path, &names())
                .unwrap()
                .render(&values())
        };
        assert_eq!(
            t("/c/{{ item.none }}v{{ args.n }}...x"),
            Ok("/c/v5...x".into())
        );
        assert_eq!(t("/c/{{ args.n }}/"), Ok("/c/5/".into()));
        assert!(
            t("/c/{{ item.none }}/")
                .unwrap_err()
                .contains("item.none is empty")
        );
        assert!(t("/c/{{ item.none | path }}/x").is_err());
        assert!(t("/c/.{{ item.none }}").is_err());
    }

    #[test]
    fn json_text_inside_a_string_is_whole() {
        let leaf = Template::parse("{\"a\":{{ args.o | json }}}", Place::Leaf, &names()).unwrap();
        let Value::String(text) = leaf.render_leaf(&values()).unwrap() else {
            panic!("no text")
        };
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({"a": {"x": [1, "\"}"]}})
        );
    }

    #[test]
    fn json_keeps_types_and_cannot_be_left() {
        let template = json!({"a": "{{ args.o }}", "b": "n {{ args.n }}", "c": ["{{ args.n }}", true], "d": "{{ secret.token }}"});
        let got = JsonTemplate::parse(&template, &names())
            .unwrap()
            .render(&values())
            .unwrap();
        assert_eq!(
            got,
            json!({"a": {"x": [1, "\"}"]}, "b": "n 5", "c": [5, true], "d": "t?k"})
        );
        let bad = json!({"a": {"b": "{{ nope.x }}"}});
        assert_eq!(
            JsonTemplate::parse(&bad, &names()).unwrap_err().0,
            ["a", "b"]
        );
    }
}
