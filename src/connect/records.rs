//! Turns mapped items into records: text cleaned, times in any of the three usual writings, every fault naming its field.

use chrono::DateTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::record::{
    Alert, Artifact, Build, CheckRun, Commit, Deployment, Event, Incident, Oncall, Reaction,
    RecordKind, Records, Series,
};
use crate::domain::text::{clean, is_clean};
use crate::domain::time::Instant;

/// Widest text kept in a record, in columns.
const WIDEST: usize = 500;
/// Nothing that a release cockpit reads happened before 1971: vendors write "never" as year 1 or 1970.
const EARLIEST: i64 = 31_536_000;

/// Why an item is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field; may be empty.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

/// A record kind's fields; empty for the kinds that are kept as they came.
#[must_use]
pub fn fields(kind: RecordKind) -> Vec<String> {
    fn of<T: Default + Serialize>() -> Vec<String> {
        match serde_json::to_value(T::default()) {
            Ok(Value::Object(map)) => map.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
    match kind {
        RecordKind::Deployment => of::<Deployment>(),
        RecordKind::Build => of::<Build>(),
        RecordKind::Series => of::<Series>(),
        RecordKind::Alert => of::<Alert>(),
        RecordKind::Oncall => of::<Oncall>(),
        RecordKind::Incident => of::<Incident>(),
        RecordKind::Commit => of::<Commit>(),
        RecordKind::Artifact => of::<Artifact>(),
        RecordKind::Event => of::<Event>(),
        RecordKind::Reaction => of::<Reaction>(),
        RecordKind::Check => of::<CheckRun>(),
        _ => Vec::new(),
    }
}

/// The kind's word in connector files.
#[must_use]
pub fn word(kind: RecordKind) -> String {
    match serde_json::to_value(kind) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Fields without which a record means nothing.
fn required(kind: RecordKind) -> &'static [&'static str] {
    match kind {
        RecordKind::Deployment => &["service"],
        RecordKind::Build | RecordKind::Incident | RecordKind::Commit | RecordKind::Event => {
            &["id"]
        }
        RecordKind::Alert | RecordKind::Reaction => &["name"],
        RecordKind::Oncall => &["person", "level"],
        RecordKind::Artifact => &["id", "present"],
        _ => &[],
    }
}

/// Types the items as records of one kind.
///
/// # Errors
/// The number of the first item that does not fit, and why.
pub fn build(kind: RecordKind, items: Vec<Value>) -> Result<Records, (usize, Misfit)> {
    Ok(match kind {
        RecordKind::Deployment => Records::Deployment(typed::<Deployment>(kind, items)?),
        RecordKind::Build => Records::Build(typed::<Build>(kind, items)?),
        RecordKind::Series => Records::Series(typed::<Series>(kind, items)?),
        RecordKind::Alert => Records::Alert(typed::<Alert>(kind, items)?),
        RecordKind::Oncall => Records::Oncall(typed::<Oncall>(kind, items)?),
        RecordKind::Incident => Records::Incident(typed::<Incident>(kind, items)?),
        RecordKind::Commit => Records::Commit(typed::<Commit>(kind, items)?),
        RecordKind::Artifact => Records::Artifact(typed::<Artifact>(kind, items)?),
        RecordKind::Event => Records::Event(typed::<Event>(kind, items)?),
        RecordKind::Reaction => Records::Reaction(typed::<Reaction>(kind, items)?),
        RecordKind::Check => Records::Check(typed::<CheckRun>(kind, items)?),
        _ => Records::Other(items.iter().map(|v| clean_json(v, WIDEST)).collect()),
    })
}

fn typed<T: DeserializeOwned>(
    kind: RecordKind,
    items: Vec<Value>,
) -> Result<Vec<T>, (usize, Misfit)> {
    items
        .into_iter()
        .enumerate()
        .map(|(i, item)| one(kind, item).map_err(|misfit| (i, misfit)))
        .collect()
}

fn one<T: DeserializeOwned>(kind: RecordKind, item: Value) -> Result<T, Misfit> {
    let misfit = |field: &str, why: String| Misfit {
        field: field.to_owned(),
        why,
    };
    let Value::Object(map) = item else {
        return Err(misfit("", "the item is not an object".into()));
    };
    let fields = fields(kind);
    let mut out = Map::new();
    for (key, value) in map {
        if value.is_null() || !fields.contains(&key) {
            continue;
        }
        let value = tidy(&key, value).map_err(|why| misfit(&key, why))?;
        if !value.is_null() {
            out.insert(key, value);
        }
    }
    for field in required(kind) {
        if out.get(*field).is_none_or(|v| v.as_str() == Some("")) {
            return Err(misfit(field, "it is missing".into()));
        }
    }
    serde_path_to_error::deserialize(Value::Object(out)).map_err(|e| {
        let path = e.path().to_string();
        misfit(&path, clean(&e.into_inner().to_string(), 200))
    })
}

/// Cleans a field and writes its times the one way; null where a time says "never".
fn tidy(key: &str, value: Value) -> Result<Value, String> {
    match key {
        // Put back exactly as it was: kept as it is, or not at all.
        "hold_field" if whole_is_clean(&value) => Ok(value),
        "hold_field" => Err("it holds control characters and could not be put back exactly".into()),
        "started_at" | "step_at" | "finished_at" | "fast_until" | "at" | "from" | "until"
        | "silenced_until" => time_value(&value),
        "history" => each_object(value, &["at"], true),
        "spans" => each_object(value, &["start", "end"], false),
        "weight" => match value.as_f64() {
            Some(w) if (0.0..=100.0).contains(&w) => Ok(value),
            _ => Err(format!("{value} is no share between 0 and 100")),
        },
        _ => Ok(clean_json(&value, WIDEST)),
    }
}

/// A list of objects with times in them; `strict` drops nulls so that defaults apply.
fn each_object(value: Value, times: &[&str], strict: bool) -> Result<Value, String> {
    let Value::Array(items) = value else {
        return Err("it is not a list".into());
    };
    items
        .into_iter()
        .map(|item| {
            let Value::Object(map) = item else {
                return Err("it holds something that is not an object".to_owned());
            };
            let mut out = Map::new();
            for (key, value) in map {
                let value = if times.contains(&key.as_str()) {
                    time_value(&value)?
                } else {
                    clean_json(&value, WIDEST)
                };
                if !(strict && value.is_null()) {
                    out.insert(key, value);
                }
            }
            Ok(Value::Object(out))
        })
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

fn time_value(value: &Value) -> Result<Value, String> {
    Ok(match time(value)? {
        Some(at) => serde_json::to_value(at).unwrap_or_default(),
        None => Value::Null,
    })
}

/// RFC 3339, Unix seconds or milliseconds (numbers, or texts of digits); `None` for null, an empty text, 0 and years before 1971.
///
/// # Errors
/// What is no time.
pub fn time(value: &Value) -> Result<Option<Instant>, String> {
    let no_time = || format!("{} is no time", clean(&value.to_string(), 60));
    let at = match value {
        Value::Null => return Ok(None),
        Value::Number(n) => from_unix(n.as_f64().ok_or_else(no_time)?),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(n) => from_unix(n),
            Err(_) => DateTime::parse_from_rfc3339(text.trim())
                .or_else(|_| DateTime::parse_from_str(text.trim(), "%Y-%m-%dT%H:%M:%S%.f%z"))
                .ok()
                .map(|at| at.to_utc()),
        },
        _ => None,
    };
    let at = at.ok_or_else(no_time)?;
    Ok((at.timestamp() >= EARLIEST).then_some(at))
}

/// Seconds up to the year 5138, milliseconds above.
fn from_unix(n: f64) -> Option<Instant> {
    if !n.is_finite() {
        return None;
    }
    let millis = if n.abs() < 1e11 { n * 1000.0 } else { n };
    DateTime::from_timestamp_millis(millis.round() as i64)
}

/// Every string and key of a JSON value cleaned.
#[must_use]
pub fn clean_json(value: &Value, max: usize) -> Value {
    match value {
        Value::String(text) => Value::String(clean(text, max)),
        Value::Array(items) => items.iter().map(|v| clean_json(v, max)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| (clean(k, max), clean_json(v, max)))
            .collect(),
        other => other.clone(),
    }
}

fn whole_is_clean(value: &Value) -> bool {
    match value {
        Value::String(text) => is_clean(text),
        Value::Array(items) => items.iter().all(whole_is_clean),
        Value::Object(map) => map.iter().all(|(k, v)| is_clean(k) && whole_is_clean(v)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!("2026-11-21T12:00:00Z"), Some("2026-11-21T12:00:00Z"))]
    #[case(json!("2026-11-21T13:00:00+01:00"), Some("2026-11-21T12:00:00Z"))]
    #[case(json!("2026-11-21T12:00:00.000+0000"), Some("2026-11-21T12:00:00Z"))]
    #[case(json!(1_795_262_400), Some("2026-11-21T12:00:00Z"))]
    #[case(json!(1_795_262_400_000i64), Some("2026-11-21T12:00:00Z"))]
    #[case(json!("1795262400"), Some("2026-11-21T12:00:00Z"))]
    #[case(json!("0001-01-01T00:00:00Z"), None)]
    #[case(json!(0), None)]
    #[case(json!(""), None)]
    fn times_come_in_three_writings(#[case] from: Value, #[case] to: Option<&str>) {
        assert_eq!(time(&from), Ok(to.map(|t| t.parse().unwrap())));
    }

    #[test]
    fn what_is_no_time_is_said() {
        for bad in [
            json!("soon"),
            json!({}),
            json!(1e300),
            json!("2026-13-01T00:00:00Z"),
        ] {
            assert!(time(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hostile_text_is_cleaned_and_held_fields_stay_exact() {
        let item = json!({"service": "a\u{1b}[31mb\u{202e}", "version": "1\n2", "state": "running",
            "hold_field": {"automated": {"prune": true}}, "message": "x".repeat(10_000), "weight": 40});
        let Ok(Records::Deployment(list)) = build(RecordKind::Deployment, vec![item]) else {
            panic!("no deployment")
        };
        assert_eq!(
            (list[0].service.as_str(), list[0].version.as_str()),
            ("ab", "1 2")
        );
        assert_eq!(list[0].message.as_ref().unwrap().chars().count(), WIDEST);
        assert_eq!(
            list[0].hold_field,
            Some(json!({"automated": {"prune": true}}))
        );
    }

    #[rstest]
    #[case(json!({"version": "1"}), "service")]
    #[case(json!({"service": ""}), "service")]
    #[case(json!({"service": "a", "state": "Progressing"}), "state")]
    #[case(json!({"service": "a", "weight": 140}), "weight")]
    #[case(json!({"service": "a", "step": -1}), "step")]
    #[case(json!({"service": "a", "started_at": "soon"}), "started_at")]
    #[case(json!({"service": "a", "history": [{"id": 5}]}), "history[0].id")]
    #[case(json!({"service": "a", "hold_field": "\u{1b}[1m"}), "hold_field")]
    #[case(json!([]), "")]
    fn a_misfit_names_its_field(#[case] item: Value, #[case] field: &str) {
        let (_, misfit) = build(RecordKind::Deployment, vec![item]).unwrap_err();
        assert_eq!(misfit.field, field, "{misfit:?}");
    }
}
