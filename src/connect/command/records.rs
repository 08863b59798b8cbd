//! What a program printed, as records: checked strictly, so that a misspelt field is an error and not an empty column.

use chrono::DateTime;
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;

use crate::connect::records::{build, fields};
use crate::domain::observe::Answer;
use crate::domain::record::{RecordKind, Records};
use crate::domain::text::clean;
use crate::domain::time::Instant;

/// Columns of a text that are kept.
const TEXT: usize = 500;
/// Most records of one answer.
const MAX_ITEMS: usize = 10_000;

/// Names of reads.
pub(super) const NAMES: [(&str, RecordKind); 17] = [
    ("deployments", RecordKind::Deployment),
    ("builds", RecordKind::Build),
    ("series", RecordKind::Series),
    ("alerts", RecordKind::Alert),
    ("oncall", RecordKind::Oncall),
    ("incidents", RecordKind::Incident),
    ("commits", RecordKind::Commit),
    ("artifact", RecordKind::Artifact),
    ("tags", RecordKind::Artifact),
    ("events", RecordKind::Event),
    ("reactions", RecordKind::Reaction),
    ("check", RecordKind::Check),
    ("flags", RecordKind::Flag),
    ("tickets", RecordKind::Ticket),
    ("changes", RecordKind::Change),
    ("findings", RecordKind::Finding),
    ("services", RecordKind::Service),
];

/// The kind that a read of that name yields.
pub(super) fn kind(read: &str) -> Option<RecordKind> {
    NAMES
        .iter()
        .find(|(name, _)| *name == read)
        .map(|(_, kind)| *kind)
}

/// A complete answer, as new as it is.
pub(super) fn whole(records: Records) -> Answer {
    Answer {
        records,
        newest: None,
        partial: None,
        interval: None,
    }
}

/// The object form of an answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    items: Vec<Value>,
    #[serde(default)]
    partial: Option<String>,
    #[serde(default)]
    newest: Option<Instant>,
    #[serde(default)]
    interval: Option<u64>,
}

/// A list of records, or an object with `items` and what is to be said about them. Days and times without an offset are read in `zone`.
///
/// # Errors
/// What does not fit, with the item's number and the field.
pub(super) fn answer(kind: RecordKind, value: Value, zone: Tz) -> Result<Answer, String> {
    let wrapped = match value {
        Value::Array(items) => Wrapped {
            items,
            partial: None,
            newest: None,
            interval: None,
        },
        Value::Object(_) => {
            serde_json::from_value(value).map_err(|e| clean(&e.to_string(), TEXT))?
        }
        _ => return Err("it printed neither a list nor an object with items".to_owned()),
    };
    let mut items = wrapped.items;
    let mut partial = wrapped.partial.map(|why| clean(&why, TEXT));
    if items.len() > MAX_ITEMS {
        items.truncate(MAX_ITEMS);
        partial = Some(format!("only the first {MAX_ITEMS} records"));
    }
    strays(kind, &items)?;
    let records = build(kind, items, zone).map_err(|(at, misfit)| {
        let field = if misfit.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", misfit.field)
        };
        format!("item {}: {field}{}", at + 1, misfit.why)
    })?;
    let newest = wrapped.newest.or_else(|| newest_bucket(&records));
    Ok(Answer {
        records,
        newest,
        partial,
        interval: wrapped.interval,
    })
}

/// For series, the newest bucket of any: a source that stopped must show its age.
fn newest_bucket(records: &Records) -> Option<Instant> {
    let Records::Series(series) = records else {
        return None;
    };
    let newest = series.iter().flat_map(|s| &s.points).map(|p| p.0).max()?;
    DateTime::from_timestamp(newest, 0)
}

/// A field that no record of the kind has is an error; the kinds that are kept as they came have no fields.
fn strays(kind: RecordKind, items: &[Value]) -> Result<(), String> {
    let known = fields(kind);
    if known.is_empty() {
        return Ok(());
    }
    for (at, item) in items.iter().enumerate() {
        let stray = item
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .find(|key| !known.contains(key));
        if let Some(stray) = stray {
            return Err(format!("item {}: {}", at + 1, stray_field(stray, &known)));
        }
    }
    Ok(())
}

fn stray_field(stray: &str, fields: &[String]) -> String {
    let near = fields
        .iter()
        .min_by_key(|name| strsim::damerau_levenshtein(name, stray))
        .filter(|name| strsim::damerau_levenshtein(name, stray) <= 2);
    let stray = clean(stray, 60);
    match near {
        Some(near) => format!("there is no field \"{stray}\", did you mean \"{near}\"?"),
        None => format!(
            "there is no field \"{stray}\"; fields are {}",
            fields.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::DeployState;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    #[test]
    fn deployments_are_read_and_cleaned() {
        let value = json!([{"id": "1", "service": "a\u{1b}[2J", "state": "running", "started_at": "2026-11-21T12:00:00Z",
            "previous": null, "hold_field": {"x": "as it was"}, "history": [{"id": "9", "version": "v1"}]}]);
        let answer = answer(RecordKind::Deployment, value, Tz::UTC).unwrap();
        let Records::Deployment(list) = answer.records else {
            panic!()
        };
        assert_eq!(list[0].service, "a");
        assert_eq!(list[0].state, DeployState::Running);
        assert_eq!(list[0].hold_field, Some(json!({"x": "as it was"})));
        assert_eq!(list[0].history[0].version, "v1");
        assert_eq!(answer.partial, None);
    }

    #[test]
    fn an_object_says_more_about_its_items() {
        let value = json!({"items": [{"labels": {"a": "b"}, "points": [[60, 1.5]]}], "partial": "half", "interval": 30});
        let answer = answer(RecordKind::Series, value, Tz::UTC).unwrap();
        assert_eq!(answer.newest.unwrap().timestamp(), 60);
        assert_eq!(
            (answer.partial.as_deref(), answer.interval),
            (Some("half"), Some(30))
        );
    }

    #[rstest]
    #[case(json!([{"id": "1", "sate": "running"}]), "item 1: there is no field \"sate\", did you mean \"state\"?")]
    #[case(json!([{"service": "a"}, {"service": "a", "state": "rolling"}]), "item 2: state: unknown variant")]
    #[case(json!([3]), "item 1: the item is not an object")]
    #[case(json!("words"), "neither a list")]
    #[case(json!({"itmes": []}), "unknown field `itmes`")]
    #[case(json!([{"started_at": "yesterday"}]), "item 1: started_at")]
    fn what_does_not_fit_is_named(#[case] value: Value, #[case] words: &str) {
        let why = answer(RecordKind::Deployment, value, Tz::UTC).unwrap_err();
        assert!(why.contains(words), "{why}");
    }

    #[test]
    fn too_many_items_are_partial() {
        let value = Value::Array(vec![json!({"name": "x"}); MAX_ITEMS + 1]);
        let answer = answer(RecordKind::Alert, value, Tz::UTC).unwrap();
        assert_eq!(answer.records.len(), MAX_ITEMS);
        assert!(answer.partial.is_some());
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in "\\PC*", at in 0_usize..NAMES.len()) {
            let value = serde_json::from_str(&text).unwrap_or_else(|_| json!([{text.clone(): text}]));
            let _ = answer(NAMES[at].1, value, Tz::UTC);
        }
    }
}
