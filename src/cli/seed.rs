//! What a new world's journal begins with: the scenario's entries as journal events.
//!
//! An entry's `kind` is an event's kind and its `fields` are the event's body; a text such as `+5m` in a field that
//! holds a time counts from the story's deployment, like the entry's own `at`. `contract_sealed` needs no fields:
//! it seals what the policy says.

use serde_json::Value;

use crate::demo::JournalEntry;
use crate::domain::contract;
use crate::domain::event::Body;
use crate::domain::policy::{Policy, Release};
use crate::runtime::engine::Seed;

/// Fields that hold a time.
const TIMES: [&str; 5] = ["due", "expires", "started_at", "tripped_at", "planned"];

/// The seeds of a world.
///
/// # Errors
/// The entry that is no event, in a sentence.
pub fn seeds(policy: &Policy, entries: &[JournalEntry]) -> Result<Vec<Seed>, String> {
    let mut planned = Vec::new();
    let mut out = Vec::new();
    for entry in entries {
        let seed = seed(policy, &planned, entry)?;
        if let Body::ReleasePlanned { plan } = &seed.body {
            planned.push(plan.clone());
        }
        out.push(seed);
    }
    Ok(out)
}

fn seed(policy: &Policy, planned: &[Release], entry: &JournalEntry) -> Result<Seed, String> {
    // As cockpit.toml has it, or as an earlier entry plans it.
    let plan = |id: &str| {
        let own = policy.release(id);
        own.or_else(|| planned.iter().find(|p| p.id == id))
    };
    let seeded = &entry.entry;
    let mut fields = serde_json::to_value(&seeded.fields).map_err(|e| e.to_string())?;
    let release = fields
        .as_object_mut()
        .and_then(|o| o.remove("release"))
        .and_then(|r| r.as_str().map(str::to_owned));
    let known_by = fields
        .as_object_mut()
        .and_then(|o| o.remove("known_by"))
        .and_then(|r| r.as_str().map(str::to_owned))
        .unwrap_or_else(|| "demo".to_owned());
    let zero = entry.at - seeded.at.0;
    times(&mut fields, zero);
    let body = match seeded.kind.as_str() {
        "contract_sealed" => {
            let plan = release
                .as_deref()
                .and_then(plan)
                .ok_or_else(|| format!("the scenario seals {release:?}, which nothing plans"))?;
            let contract = contract::of(policy, plan);
            Body::ContractSealed {
                digest: contract::digest(&contract),
                contract,
            }
        }
        "approved" => {
            if let (Some(plan), Some(fields)) =
                (release.as_deref().and_then(plan), fields.as_object_mut())
            {
                let digest = contract::approval_digest(plan, &contract::of(policy, plan));
                fields.insert("digest".to_owned(), Value::String(digest));
            }
            body(&seeded.kind, fields)?
        }
        kind => body(kind, fields)?,
    };
    Ok(Seed {
        at: entry.at,
        actor: seeded.actor.clone(),
        known_by,
        release,
        body,
    })
}

fn body(kind: &str, mut fields: Value) -> Result<Body, String> {
    if let Some(object) = fields.as_object_mut() {
        object.insert("kind".to_owned(), Value::String(kind.to_owned()));
    }
    serde_json::from_value(fields).map_err(|e| format!("the scenario's journal entry {kind}: {e}"))
}

/// Offsets become instants.
fn times(value: &mut Value, zero: crate::domain::time::Instant) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                let offset = TIMES
                    .contains(&key.as_str())
                    .then(|| {
                        serde_json::from_value::<crate::demo::scenario::Offset>(inner.clone()).ok()
                    })
                    .flatten();
                match offset {
                    Some(offset) => *inner = Value::String((zero + offset.0).to_rfc3339()),
                    None => times(inner, zero),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| times(v, zero)),
        _ => {}
    }
}
