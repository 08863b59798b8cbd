//! Alertmanager's API v2: firing alerts, status, silences.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Duration};
use serde_json::{Value, json};

use super::{Params, hex, stamp};
use crate::demo::act::Act;
use crate::demo::alerts::Alert;
use crate::demo::world::{Refusal, View, World};

/// The routes.
pub fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/-/ready", get(|| async { "OK" }))
        .route("/api/v2/status", get(status))
        .route(
            "/api/v2/receivers",
            get(|| async { super::json(200, &json!([{ "name": "oncall" }])) }),
        )
        .route("/api/v2/alerts", get(alerts))
        .route("/api/v2/silences", get(silences).post(silence))
        .route("/api/v2/silence/{id}", get(one_silence).delete(end_silence))
}

async fn status(State(world): State<Arc<World>>) -> Response {
    let body = json!({
        "cluster": { "name": "demo", "status": "ready", "peers": [] },
        "config": { "original": "route:\n  receiver: oncall\nreceivers:\n  - name: oncall\n" },
        "uptime": stamp(world.scenario.starts - Duration::days(20)),
        "versionInfo": {
            "version": "0.28.1", "revision": hex("alertmanager", 40), "branch": "HEAD",
            "buildUser": "demo", "buildDate": "20250307-15:05:18", "goVersion": "go1.23.7",
        },
    });
    super::json(200, &body)
}

/// The silences that were made, as the vendor shows them.
fn all_silences(view: &View) -> Vec<Value> {
    let mut silences: Vec<Value> = Vec::new();
    for accepted in view.acts.iter() {
        match &accepted.act {
            Act::Silence { id, body } => {
                let mut shown = body.clone();
                if let Some(fields) = shown.as_object_mut() {
                    fields.insert("id".to_owned(), json!(id));
                    fields.insert("updatedAt".to_owned(), json!(stamp(accepted.at)));
                    fields.entry("annotations").or_insert_with(|| json!({}));
                }
                silences.push(shown);
            }
            Act::SilenceEnd { id } => {
                if let Some(fields) = silences
                    .iter_mut()
                    .find(|s| s.get("id") == Some(&json!(id)))
                    .and_then(Value::as_object_mut)
                {
                    fields.insert("endsAt".to_owned(), json!(stamp(accepted.at)));
                    fields.insert("updatedAt".to_owned(), json!(stamp(accepted.at)));
                }
            }
            _ => {}
        }
    }
    for silence in &mut silences {
        let time = |name: &str| {
            silence
                .get(name)
                .and_then(Value::as_str)
                .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        };
        let state = match (time("startsAt"), time("endsAt")) {
            (_, Some(end)) if end <= view.now => "expired",
            (Some(start), _) if start > view.now => "pending",
            _ => "active",
        };
        if let Some(fields) = silence.as_object_mut() {
            fields.insert("status".to_owned(), json!({ "state": state }));
        }
    }
    silences
}

fn silenced_by(silences: &[Value], labels: &Value) -> Vec<String> {
    let fits = |silence: &&Value| {
        let matchers = silence.get("matchers").and_then(Value::as_array);
        matchers.is_some_and(|matchers| {
            !matchers.is_empty()
                && matchers.iter().all(|matcher| {
                    let text = |name: &str| {
                        matcher
                            .get(name)
                            .and_then(Value::as_str)
                            .unwrap_or_default()
                    };
                    let value = labels
                        .get(text("name"))
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    let hit = if matcher.get("isRegex") == Some(&Value::Bool(true)) {
                        crate::demo::pattern::Pattern::new(text("value"))
                            .is_ok_and(|pattern| pattern.matches(value))
                    } else {
                        value == text("value")
                    };
                    hit != (matcher.get("isEqual") == Some(&Value::Bool(false)))
                })
        })
    };
    let active = silences
        .iter()
        .filter(|s| s.pointer("/status/state") == Some(&json!("active")));
    active
        .filter(fits)
        .filter_map(|s| s.get("id").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}

fn shape(alert: &Alert, view: &View, silences: &[Value]) -> Value {
    let labels = json!({ "alertname": alert.name, "service": alert.service, "severity": alert.severity, "env": "production" });
    let by = silenced_by(silences, &labels);
    json!({
        "annotations": { "summary": alert.summary },
        // A firing alert carries an end a few minutes ahead, which each evaluation moves on.
        "endsAt": stamp(view.now + Duration::minutes(4)),
        "startsAt": stamp(alert.from),
        "updatedAt": stamp(view.now),
        "fingerprint": hex(&labels.to_string(), 16),
        "generatorURL": format!("http://prometheus.shop.example/graph?g0.expr={}", alert.name),
        "receivers": [{ "name": "oncall" }],
        "status": { "state": if by.is_empty() { "active" } else { "suppressed" }, "silencedBy": by, "inhibitedBy": [], "mutedBy": [] },
        "labels": labels,
    })
}

/// `filter=name="value"` and its kin; `None` for one that does not read.
fn filter(text: &str) -> Option<(String, bool, String)> {
    let place = text.find(['=', '!'])?;
    let (name, rest) = text.split_at(place);
    let (negated, value) = match rest.strip_prefix("!=") {
        Some(value) => (true, value),
        None => (false, rest.strip_prefix('=')?),
    };
    Some((
        name.trim().to_owned(),
        negated,
        value.trim().trim_matches('"').to_owned(),
    ))
}

async fn alerts(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let mut filters = Vec::new();
    for text in params.all("filter") {
        match filter(text) {
            Some(filter) => filters.push(filter),
            None => return super::json(400, &json!(format!("bad matcher format: {text}"))),
        }
    }
    let view = world.view();
    let silences = all_silences(&view);
    let shown = world
        .alerts(&view)
        .into_iter()
        .filter(|alert| alert.fires(view.now))
        .map(|alert| shape(&alert, &view, &silences));
    let wanted = shown.filter(|alert| {
        let label = |name: &str| {
            alert
                .pointer(&format!("/labels/{name}"))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let suppressed = alert.pointer("/status/state") == Some(&json!("suppressed"));
        filters
            .iter()
            .all(|(name, negated, value)| (label(name) == *value) != *negated)
            && !(suppressed && params.get("silenced") == Some("false"))
            && (suppressed || params.get("active") != Some("false"))
    });
    super::json(200, &Value::Array(wanted.collect()))
}

async fn silences(State(world): State<Arc<World>>) -> Response {
    super::json(200, &Value::Array(all_silences(&world.view())))
}

async fn silence(State(world): State<Arc<World>>, body: String) -> Response {
    let Ok(body) = serde_json::from_str::<Value>(&body) else {
        return super::json(400, &json!("parsing silence body from \"\" failed"));
    };
    let matchers = body
        .get("matchers")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty());
    let told = ["startsAt", "endsAt", "createdBy", "comment"]
        .iter()
        .all(|name| body.get(name).is_some_and(Value::is_string));
    if !matchers || !told {
        return super::json(
            422,
            &json!({ "code": 602, "message": "matchers, startsAt, endsAt, createdBy and comment are required" }),
        );
    }
    let made = world.act(|view| {
        let id = uuid(&format!("silence {} {}", view.acts.len(), stamp(view.now)));
        Ok((
            Act::Silence {
                id: id.clone(),
                body,
            },
            id,
        ))
    });
    match made {
        Ok((_, id)) => super::json(200, &json!({ "silenceID": id })),
        Err(refusal) => super::json(refusal.status, &json!(refusal.why)),
    }
}

fn uuid(text: &str) -> String {
    let digits = hex(text, 32);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

async fn one_silence(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    match all_silences(&world.view())
        .into_iter()
        .find(|s| s.get("id") == Some(&json!(id)))
    {
        Some(silence) => super::json(200, &silence),
        None => super::json(404, &json!("")),
    }
}

async fn end_silence(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let ended = world.act(|view| {
        if all_silences(view)
            .iter()
            .any(|s| s.get("id") == Some(&json!(id)))
        {
            Ok((Act::SilenceEnd { id: id.clone() }, ()))
        } else {
            Err(Refusal::new(404, format!("silence {id} not found")))
        }
    });
    match ended {
        Ok(_) => super::json(200, &json!({})),
        Err(refusal) => super::json(refusal.status, &json!(refusal.why)),
    }
}
