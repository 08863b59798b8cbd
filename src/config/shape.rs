//! Holds every key of a file against the format's JSON schema: unknown keys, wrong types, missing keys, values outside their set and
//! texts that are not what their format says are all found in one walk, each with its place.
//!
//! What is wrong is left out of the result, so that the checks after it see only sound values and their findings are reported
//! in the same run.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Findings, hostile, join, shown};
use super::raw;
use super::suggest;

/// A type's JSON schema; `inline`: without references, for the walk.
pub fn schema_of<T: JsonSchema>(inline: bool) -> Value {
    SchemaSettings::draft2020_12()
        .with(|s| s.inline_subschemas = inline)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Walks the whole file; the sound part as JSON, dates as texts.
pub fn walk(schema: &Value, root: &DeTable<'_>, found: &mut Findings<'_>) -> Value {
    table(schema, root, "", found)
}

fn table(schema: &Value, table: &DeTable<'_>, path: &str, found: &mut Findings<'_>) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let other = schema.get("additionalProperties");
    let open = match other {
        Some(Value::Bool(open)) => *open,
        _ => true,
    };
    let mut out = Map::new();
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        let here = join(path, name);
        found.remember(&here, key.span(), value.span());
        if name.is_empty() || name.chars().any(hostile) {
            found.error_at_key(
                &here,
                "a key holds control or invisible characters, or is empty",
                None,
            );
            continue;
        }
        let inner = match properties.and_then(|p| p.get(name)) {
            Some(known) => known,
            None if open => other.unwrap_or(&Value::Bool(true)),
            None => {
                unknown_key(name, &here, properties, found);
                continue;
            }
        };
        if let Some(sound) = value_of(inner, value, &here, found) {
            out.insert(name.to_owned(), sound);
        }
    }
    missing_keys(schema, table, path, found);
    Value::Object(out)
}

fn unknown_key(
    name: &str,
    here: &str,
    properties: Option<&Map<String, Value>>,
    found: &mut Findings<'_>,
) {
    let known: Vec<&str> = properties
        .into_iter()
        .flat_map(|p| p.keys().map(String::as_str))
        .collect();
    let help = suggest::advice(name, known.iter().copied(), "no key is known here");
    found.error_at_key(here, format!("unknown key \"{}\"", shown(name)), Some(help));
}

fn missing_keys(schema: &Value, table: &DeTable<'_>, path: &str, found: &mut Findings<'_>) {
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if table.get(name).is_none() {
            found.error(&join(path, name), format!("`{name}` is missing"), None);
        }
    }
}

/// The alternatives of a schema, `null` left out.
fn alternatives(schema: &Value) -> Vec<&Value> {
    match schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        Some(Value::Array(list)) => list.iter().flat_map(alternatives).collect(),
        _ if schema.get("type").is_some_and(|t| t == "null") => Vec::new(),
        _ => vec![schema],
    }
}

fn value_of(
    schema: &Value,
    value: &Spanned<DeValue<'_>>,
    path: &str,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let choices = alternatives(schema);
    let fitting = choices.iter().find(|s| takes(s, value.get_ref()));
    let Some(fit) = fitting else {
        return wrong_type(&choices, value, path, found);
    };
    match value.get_ref() {
        DeValue::Table(inner) => Some(table(fit, inner, path, found)),
        DeValue::Array(items) => {
            let inner = fit.get("items").unwrap_or(&Value::Bool(true));
            let mut out = Vec::new();
            for (n, item) in items.iter().enumerate() {
                let here = format!("{path}[{n}]");
                found.remember(&here, item.span(), item.span());
                out.push(value_of(inner, item, &here, found));
            }
            // A list with a hole would shift what comes after it, so all of it is left out.
            let sound: Option<Vec<Value>> = out.into_iter().collect();
            if sound.is_none() {
                found.spoil(path);
            }
            sound.map(Value::Array)
        }
        DeValue::String(text) => text_of(&choices, fit, text, path, found),
        DeValue::Boolean(b) => Some(Value::Bool(*b)),
        DeValue::Datetime(at) => Some(Value::String(at.to_string())),
        DeValue::Integer(_) | DeValue::Float(_) => number(fit, value.get_ref(), path, found),
    }
}

/// Whether a schema takes a value of this type; numbers are looked at more closely later.
fn takes(schema: &Value, value: &DeValue<'_>) -> bool {
    let is = |name: &str| match schema.get("type") {
        None => true,
        Some(Value::String(t)) => t == name,
        Some(Value::Array(list)) => list.iter().any(|t| t == name),
        Some(_) => false,
    };
    match value {
        DeValue::Table(_) => is("object"),
        DeValue::Array(_) => is("array"),
        DeValue::String(_) => is("string"),
        DeValue::Boolean(_) => is("boolean"),
        DeValue::Integer(_) => is("integer") || is("number"),
        DeValue::Float(_) => is("number"),
        DeValue::Datetime(_) => format_of(schema) == Some("moment"),
    }
}

fn wrong_type(
    choices: &[&Value],
    value: &Spanned<DeValue<'_>>,
    path: &str,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let mut wanted: Vec<&str> = choices.iter().map(|s| type_word(s)).collect();
    wanted.dedup();
    let message = format!(
        "expected {}, found {}",
        wanted.join(" or "),
        found_word(value.get_ref())
    );
    found.error(path, message, None);
    None
}

fn format_of(schema: &Value) -> Option<&str> {
    schema.get("format").and_then(Value::as_str)
}

fn type_word(schema: &Value) -> &'static str {
    match (
        schema
            .get("type")
            .and_then(|t| t.as_str().or_else(|| t.get(0).and_then(Value::as_str))),
        format_of(schema),
    ) {
        (_, Some("length")) => "a length of time such as \"5m\"",
        (_, Some("moment")) => "a day or a time",
        (_, Some("time-of-day")) => "a time of day such as \"09:30\"",
        (Some("object"), _) => "a table",
        (Some("array"), _) => "a list",
        (Some("boolean"), _) => "true or false",
        (Some("integer"), _) => "a whole number",
        (Some("number"), _) => "a number",
        _ => "a text",
    }
}

fn found_word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Table(_) => "a table",
        DeValue::Array(_) => "a list",
        DeValue::String(_) => "a text",
        DeValue::Boolean(_) => "true or false",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Datetime(_) => "a date or time",
    }
}

fn text_of(
    choices: &[&Value],
    schema: &Value,
    text: &str,
    path: &str,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let long = format_of(schema) == Some("query");
    if let Some(c) = text
        .chars()
        .find(|c| hostile(*c) && !(long && matches!(c, '\n' | '\t' | '\r')))
    {
        let message = format!(
            "the text holds U+{:04X}, a control or invisible character",
            u32::from(c)
        );
        found.error(path, message, Some("write it without".into()));
        return None;
    }
    if let Err((why, help)) =
        in_set(choices, text).and_then(|()| raw::scalar::check(format_of(schema), text))
    {
        found.error(path, why, help);
        return None;
    }
    Some(Value::String(text.to_owned()))
}

/// Where the schema lists the words it takes: is it one of them?
fn in_set(choices: &[&Value], text: &str) -> Result<(), (String, Option<String>)> {
    let mut words: Vec<&str> = Vec::new();
    for schema in choices {
        if let Some(Value::Array(list)) = schema.get("enum") {
            words.extend(list.iter().filter_map(Value::as_str));
        } else if let Some(word) = schema.get("const").and_then(Value::as_str) {
            words.push(word);
        } else if schema.get("type").is_none_or(|t| t == "string") {
            // One alternative takes any text.
            return Ok(());
        }
    }
    if words.is_empty() || words.contains(&text) {
        return Ok(());
    }
    let help = match suggest::nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("one of {}", words.join(", ")),
    };
    Err((format!("\"{}\" is not known here", shown(text)), Some(help)))
}

fn number(
    schema: &Value,
    value: &DeValue<'_>,
    path: &str,
    found: &mut Findings<'_>,
) -> Option<Value> {
    let read = match value {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix())
            .ok()
            .map(Value::from),
        DeValue::Float(f) => f
            .as_str()
            .parse::<f64>()
            .ok()
            .filter(|f| f.is_finite())
            .map(Value::from),
        _ => None,
    };
    let least = schema.get("minimum").and_then(Value::as_f64);
    let most = schema.get("maximum").and_then(Value::as_f64);
    let as_float = read.as_ref().and_then(Value::as_f64);
    let why = match (as_float, least, most) {
        (None, ..) => "the number is too large, or none".to_owned(),
        (Some(n), Some(least), _) if n < least => format!("must be {least} or more"),
        (Some(n), _, Some(most)) if n > most => format!("must be {most} or less"),
        _ => return read,
    };
    found.error(path, why, None);
    None
}
