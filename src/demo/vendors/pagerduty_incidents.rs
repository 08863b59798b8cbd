//! PagerDuty's incidents: listed, opened, acknowledged, resolved, noted.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::pagerduty::{
    HTML, merge, paged, policy_reference, problem, reference, service_id, user_reference,
};
use super::{Params, hex, number, stamp};
use crate::demo::act::Act;
use crate::demo::world::{Refusal, View, World};

/// Every incident, newest first.
pub(super) fn all(world: &World, view: &View) -> Vec<Value> {
    let mut found = Vec::new();
    for accepted in view.acts.iter() {
        match &accepted.act {
            Act::Incident {
                id,
                title,
                service,
                urgency,
                key,
            } => {
                let first = world
                    .scenario
                    .people
                    .iter()
                    .find(|person| person.level == 1);
                let at = stamp(accepted.at);
                let service_id = service_id(service);
                found.push(json!({
                    "id": id, "type": "incident", "summary": format!("[#{}] {title}", found.len() + 4701), "incident_number": found.len() + 4701,
                    "title": title, "status": "triggered", "urgency": urgency, "incident_key": if key.is_empty() { hex(id, 32) } else { key.clone() },
                    "created_at": at, "updated_at": at, "last_status_change_at": at, "resolved_at": null,
                    "service": reference("service", "services", &service_id, service),
                    "assignments": first.map(|person| json!({ "at": at, "assignee": user_reference(person) })).into_iter().collect::<Vec<_>>(),
                    "acknowledgements": [], "escalation_policy": policy_reference(), "teams": [], "pending_actions": [],
                    "last_status_change_by": reference("service", "services", &service_id, service),
                    "priority": null, "resolve_reason": null, "assigned_via": "escalation_policy", "is_mergeable": true,
                    "self": format!("{HTML}/api/incidents/{id}"), "html_url": format!("{HTML}/incidents/{id}"),
                }));
            }
            Act::IncidentStatus { id, status, by } => {
                let at = stamp(accepted.at);
                let who = world
                    .scenario
                    .people
                    .iter()
                    .find(|person| person.email == *by)
                    .map_or_else(
                        || json!({ "type": "user_reference", "summary": by }),
                        user_reference,
                    );
                let Some(incident) = found
                    .iter_mut()
                    .find(|incident| incident.get("id") == Some(&json!(id)))
                else {
                    continue;
                };
                merge(incident, "status", json!(status));
                merge(incident, "updated_at", json!(at));
                merge(incident, "last_status_change_at", json!(at));
                merge(incident, "last_status_change_by", who.clone());
                if status == "acknowledged" {
                    merge(
                        incident,
                        "acknowledgements",
                        json!([{ "at": at, "acknowledger": who }]),
                    );
                } else {
                    merge(incident, "resolved_at", json!(at));
                    merge(incident, "assignments", json!([]));
                }
            }
            _ => {}
        }
    }
    found.reverse();
    found
}

pub(super) async fn incidents(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let mut items = all(&world, &world.view());
    let fits = |item: &Value, name: &str, path: &str| {
        let value = item
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default();
        params.all(name).next().is_none() || params.all(name).any(|wanted| wanted == value)
    };
    items.retain(|item| {
        fits(item, "statuses[]", "/status")
            && fits(item, "service_ids[]", "/service/id")
            && fits(item, "urgencies[]", "/urgency")
            && fits(item, "incident_key", "/incident_key")
    });
    super::json(200, &paged("incidents", items, &params))
}

pub(super) async fn incident(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    one(&world, &world.view(), &id)
}

fn one(world: &World, view: &View, id: &str) -> Response {
    match all(world, view)
        .into_iter()
        .find(|incident| incident.get("id") == Some(&json!(id)))
    {
        Some(incident) => super::json(200, &json!({ "incident": incident })),
        None => problem(404, 2100, "Not Found", &[]),
    }
}

/// The `From` header, which the vendor wants on every change of an incident.
fn from(world: &World, headers: &HeaderMap) -> Result<String, Box<Response>> {
    let from = headers
        .get("from")
        .and_then(|from| from.to_str().ok())
        .unwrap_or_default();
    let known = world
        .scenario
        .people
        .iter()
        .any(|person| person.email == from);
    match (from.contains('@'), known) {
        (true, true) => Ok(from.to_owned()),
        (true, false) => Err(Box::new(problem(
            400,
            2001,
            "Invalid Input Provided",
            &["Requester User Not Found"],
        ))),
        (false, _) => Err(Box::new(problem(
            400,
            2001,
            "Invalid Input Provided",
            &["From header must be a valid email"],
        ))),
    }
}

fn refused(refusal: &Refusal) -> Response {
    problem(
        refusal.status,
        if refusal.status == 404 { 2100 } else { 2001 },
        &refusal.why,
        &[&refusal.why],
    )
}

async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| problem(500, 2000, &e.to_string(), &[]))
}

pub(super) async fn create(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    blocking(move || {
        if let Err(refusal) = from(&world, &headers) {
            return *refusal;
        }
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |path: &str| {
            body.pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (title, key, id) = (
            text("/incident/title"),
            text("/incident/incident_key"),
            text("/incident/service/id"),
        );
        let Some(service) = world
            .scenario
            .services
            .iter()
            .find(|service| service_id(&service.name) == id)
        else {
            return problem(
                400,
                2001,
                "Invalid Input Provided",
                &["Service cannot be empty"],
            );
        };
        if title.is_empty() {
            return problem(
                400,
                2001,
                "Invalid Input Provided",
                &["Title cannot be empty"],
            );
        }
        let made = world.act(|view| {
            let same = all(&world, view).into_iter().any(|i| {
                !key.is_empty()
                    && i.get("incident_key") == Some(&json!(key))
                    && i.get("status") != Some(&json!("resolved"))
            });
            if same {
                return Err(Refusal::new(
                    400,
                    "Open incident already exists on this service with the same incident key",
                ));
            }
            let id = format!(
                "Q{}",
                hex(
                    &format!("incident {} {}", view.acts.len(), stamp(view.now)),
                    12
                )
                .to_uppercase()
            );
            let urgency = Some(text("/incident/urgency"))
                .filter(|u| !u.is_empty())
                .unwrap_or_else(|| "high".to_owned());
            Ok((
                Act::Incident {
                    id: id.clone(),
                    title,
                    service: service.name.clone(),
                    urgency,
                    key: key.clone(),
                },
                id,
            ))
        });
        match made {
            Ok((view, id)) => {
                let mut answer = one(&world, &view, &id);
                *answer.status_mut() = axum::http::StatusCode::CREATED;
                answer
            }
            Err(refusal) => refused(&refusal),
        }
    })
    .await
}

fn set_status(world: &World, id: &str, status: &str, by: &str) -> Result<View, Refusal> {
    let made = world.act(|view| {
        let Some(incident) = all(world, view)
            .into_iter()
            .find(|incident| incident.get("id") == Some(&json!(id)))
        else {
            return Err(Refusal::new(404, "Not Found"));
        };
        if !matches!(status, "acknowledged" | "resolved") {
            return Err(Refusal::new(400, "Status is invalid"));
        }
        if incident.get("status") == Some(&json!("resolved")) {
            return Err(Refusal::new(400, "Incident Already Resolved"));
        }
        Ok((
            Act::IncidentStatus {
                id: id.to_owned(),
                status: status.to_owned(),
                by: by.to_owned(),
            },
            (),
        ))
    });
    made.map(|(view, ())| view)
}

pub(super) async fn update_one(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    blocking(move || {
        let by = match from(&world, &headers) {
            Ok(by) => by,
            Err(refusal) => return *refusal,
        };
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let status = body
            .pointer("/incident/status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match set_status(&world, &id, status, &by) {
            Ok(view) => one(&world, &view, &id),
            Err(refusal) => refused(&refusal),
        }
    })
    .await
}

pub(super) async fn update_many(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    blocking(move || {
        let by = match from(&world, &headers) {
            Ok(by) => by,
            Err(refusal) => return *refusal,
        };
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let asked = body
            .get("incidents")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut changed = Vec::new();
        for incident in asked {
            let text = |name: &str| {
                incident
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            match set_status(&world, &text("id"), &text("status"), &by) {
                Ok(view) => changed.extend(
                    all(&world, &view)
                        .into_iter()
                        .find(|i| i.get("id") == Some(&json!(text("id")))),
                ),
                Err(refusal) => return refused(&refusal),
            }
        }
        super::json(200, &json!({ "incidents": changed }))
    })
    .await
}

pub(super) async fn notes(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let view = world.view();
    let found = view.acts.iter().filter_map(|accepted| match &accepted.act {
        Act::Note {
            id: of,
            content,
            by,
        } if *of == id => Some(note_shape(&world, &id, content, by, &stamp(accepted.at))),
        _ => None,
    });
    super::json(200, &json!({ "notes": found.collect::<Vec<_>>() }))
}

fn note_shape(world: &World, incident: &str, content: &str, by: &str, at: &str) -> Value {
    let who = world
        .scenario
        .people
        .iter()
        .find(|person| person.email == by)
        .map(user_reference);
    json!({
        "id": format!("PN{}", number(&format!("{incident} {at} {content}"))), "user": who, "channel": { "summary": "The PagerDuty website or APIs" },
        "content": content, "created_at": at,
    })
}

pub(super) async fn note(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    blocking(move || {
        let by = match from(&world, &headers) {
            Ok(by) => by,
            Err(refusal) => return *refusal,
        };
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let content = body
            .pointer("/note/content")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let made = world.act(|view| {
            if all(&world, view)
                .iter()
                .all(|incident| incident.get("id") != Some(&json!(id)))
            {
                return Err(Refusal::new(404, "Not Found"));
            }
            if content.is_empty() {
                return Err(Refusal::new(400, "Content cannot be empty"));
            }
            Ok((
                Act::Note {
                    id: id.clone(),
                    content: content.clone(),
                    by: by.clone(),
                },
                (),
            ))
        });
        match made {
            Ok((view, ())) => super::json(
                201,
                &json!({ "note": note_shape(&world, &id, &content, &by, &stamp(view.now)) }),
            ),
            Err(refusal) => refused(&refusal),
        }
    })
    .await
}
