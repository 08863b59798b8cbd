//! The reference of every key, written from the schema, so that the documentation cannot say anything else.

use std::fmt::Write as _;

use serde_json::Value;

use super::raw::File;
use super::shape::schema_of;

/// Every table of the format with its keys, what they take and their defaults, as Markdown.
#[must_use]
pub fn reference() -> String {
    let schema = schema_of::<File>(true);
    let mut out = String::new();
    let mut tables = vec![("the file itself".to_owned(), schema)];
    let mut at = 0;
    while let Some((name, schema)) = tables.get(at).cloned() {
        at += 1;
        table(&mut out, &name, &schema, &mut tables);
    }
    out
}

fn table(out: &mut String, name: &str, schema: &Value, tables: &mut Vec<(String, Value)>) {
    let _ = writeln!(
        out,
        "### {name}\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- |"
    );
    let required: Vec<&str> = list(schema.get("required"));
    for (key, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let here = match name {
            "the file itself" => key.clone(),
            _ => format!("{}.{key}", name.trim_matches(['[', ']'])),
        };
        let takes = takes(&here, property, tables);
        let default = match property.get("default") {
            _ if required.contains(&key.as_str()) => "required".to_owned(),
            Some(value) if !empty(value) && !value.is_object() => format!("`{}`", literal(value)),
            _ => "–".to_owned(),
        };
        let what = text(property, "description")
            .replace('\n', " ")
            .replace('|', "\\|");
        let _ = writeln!(out, "| `{key}` | {takes} | {default} | {what} |");
    }
    if schema
        .get("additionalProperties")
        .is_some_and(|a| *a != Value::Bool(false))
    {
        let _ = writeln!(out, "| *any other* | | – | as its connector says |");
    }
    out.push('\n');
}

/// A value as cockpit.toml writes it.
pub fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn list(value: Option<&Value>) -> Vec<&str> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn text<'v>(schema: &'v Value, key: &str) -> &'v str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What a key takes, in words; a table it holds is written down for later.
fn takes(here: &str, schema: &Value, tables: &mut Vec<(String, Value)>) -> String {
    if let Some(Value::Array(choices)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        let mut words: Vec<String> = Vec::new();
        for choice in choices.iter().filter(|c| text(c, "type") != "null") {
            let word = takes(here, choice, tables);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        return words.join(" or ");
    }
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return format!("`\"{word}\"`");
    }
    if schema.get("enum").is_some() {
        let words = list(schema.get("enum"));
        return words
            .iter()
            .map(|w| format!("`\"{w}\"`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|k| *k != "null")
            .unwrap_or_default(),
        Some(Value::String(kind)) => kind,
        _ => "",
    };
    match (kind, text(schema, "format")) {
        (_, "length") => "length".into(),
        (_, "moment") => "day or time".into(),
        (_, "time-of-day") => "time of day".into(),
        (_, "zone") => "time zone".into(),
        (_, "page") => "address".into(),
        (_, "query") => "query".into(),
        ("array", _) => array(here, schema, tables),
        ("object", _) => object(here, schema, tables),
        ("boolean", _) => "true, false".into(),
        ("integer", _) => "whole number".into(),
        ("number", _) => "number".into(),
        _ => "text".into(),
    }
}

fn array(here: &str, schema: &Value, tables: &mut Vec<(String, Value)>) -> String {
    let items = schema.get("items").unwrap_or(&Value::Null);
    if items.get("properties").is_some() {
        remember(format!("[[{here}]]"), items, tables);
        return format!("tables `[[{here}]]`");
    }
    format!("list of {}", takes(here, items, tables))
}

fn object(here: &str, schema: &Value, tables: &mut Vec<(String, Value)>) -> String {
    if schema.get("properties").is_some() {
        remember(format!("[{here}]"), schema, tables);
        return format!("table `[{here}]`");
    }
    let inner = schema.get("additionalProperties").unwrap_or(&Value::Null);
    if inner.get("properties").is_some() {
        remember(format!("[{here}.NAME]"), inner, tables);
        return format!("tables `[{here}.NAME]`");
    }
    format!("by name: {}", takes(here, inner, tables))
}

fn remember(name: String, schema: &Value, tables: &mut Vec<(String, Value)>) {
    if !tables.iter().any(|(known, _)| *known == name) {
        tables.push((name, schema.clone()));
    }
}
