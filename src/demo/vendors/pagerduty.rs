//! PagerDuty's REST API: who is on call, incidents, acknowledgement, notes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use chrono::Duration;
use serde_json::{Value, json};

use super::{Params, credential, hex, number, stamp};
use crate::demo::act::Act;
use crate::demo::scenario::Person;
use crate::demo::world::{Refusal, View, World};

/// The routes; a token is asked for on all of them.
pub fn routes() -> Router<Arc<World>> {
    Router::new()
        .route(
            "/abilities",
            get(|| async { super::json(200, &json!({ "abilities": ["teams", "urgencies"] })) }),
        )
        .route("/oncalls", get(oncalls))
        .route("/users", get(users))
        .route("/services", get(services))
        .route("/escalation_policies", get(policies))
        .route("/schedules", get(schedules))
        .route("/incidents", get(incidents).post(create).put(update_many))
        .route("/incidents/{id}", get(incident).put(update_one))
        .route("/incidents/{id}/notes", get(notes).post(note))
        .fallback(|| async { problem(404, 2100, "Not Found", &[]) })
        .layer(axum::middleware::from_fn(token))
}

fn problem(status: u16, code: u32, message: &str, errors: &[&str]) -> Response {
    super::json(
        status,
        &json!({ "error": { "message": message, "code": code, "errors": errors } }),
    )
}

async fn token(headers: HeaderMap, request: Request, next: Next) -> Response {
    let known = credential(&headers, "Token token=").or_else(|| credential(&headers, "Bearer "));
    if known.is_none() {
        return super::json(
            401,
            &json!({ "error": { "message": "Unauthorized", "code": 2006, "errors": ["Invalid token"] } }),
        );
    }
    next.run(request).await
}

const HTML: &str = "https://acme.pagerduty.example";

fn reference(kind: &str, path: &str, id: &str, summary: &str) -> Value {
    json!({
        "id": id, "type": format!("{kind}_reference"), "summary": summary,
        "self": format!("{HTML}/api/{path}/{id}"), "html_url": format!("{HTML}/{path}/{id}"),
    })
}

const POLICY: &str = "PSHOP01";

fn policy_reference() -> Value {
    reference(
        "escalation_policy",
        "escalation_policies",
        POLICY,
        "Shop production",
    )
}

fn user_reference(person: &Person) -> Value {
    reference("user", "users", &person.pagerduty, &person.full)
}

fn user(person: &Person) -> Value {
    json!({
        "id": person.pagerduty, "type": "user", "summary": person.full, "name": person.full, "email": person.email,
        "self": format!("{HTML}/api/users/{}", person.pagerduty), "html_url": format!("{HTML}/users/{}", person.pagerduty),
        "time_zone": "Europe/Berlin", "role": "user", "job_title": null, "teams": [], "contact_methods": [],
    })
}

fn schedule_id(level: u32) -> String {
    format!("PSCHED{level}")
}

fn schedule(level: u32) -> Value {
    reference(
        "schedule",
        "schedules",
        &schedule_id(level),
        &format!("Shop level {level}"),
    )
}

/// One page in the vendor's classic envelope.
fn paged(name: &str, items: Vec<Value>, params: &Params) -> Value {
    let (limit, offset) = (
        params.number("limit", 25).clamp(1, 100),
        params.number("offset", 0),
    );
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(offset).take(limit).collect();
    let mut body = json!({ "limit": limit, "offset": offset, "more": offset + shown.len() < total, "total": null });
    if params.get("total") == Some("true") {
        merge(&mut body, "total", json!(total));
    }
    merge(&mut body, name, Value::Array(shown));
    body
}

fn merge(body: &mut Value, name: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// People on call, by level; a shift runs from Monday 09:00 to Monday 09:00.
async fn oncalls(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let view = world.view();
    let (start, end) = shift(&world, view.now);
    let mut people: Vec<&Person> = world
        .scenario
        .people
        .iter()
        .filter(|person| person.level > 0)
        .collect();
    people.sort_by_key(|person| person.level);
    let wanted = |name: &str, id: &str| {
        params.all(name).next().is_none() || params.all(name).any(|asked| asked == id)
    };
    let expand = params.all("include[]").any(|include| include == "users");
    let items = people
        .into_iter()
        .filter(|person| {
            wanted("escalation_policy_ids[]", POLICY)
                && wanted("schedule_ids[]", &schedule_id(person.level))
                && wanted("user_ids[]", &person.pagerduty)
        })
        .map(|person| {
            json!({
                "user": if expand { user(person) } else { user_reference(person) },
                "schedule": schedule(person.level),
                "escalation_policy": policy_reference(),
                "escalation_level": person.level,
                "start": stamp(start),
                "end": stamp(end),
            })
        });
    super::json(200, &paged("oncalls", items.collect(), &params))
}

fn shift(
    world: &World,
    now: crate::domain::time::Instant,
) -> (crate::domain::time::Instant, crate::domain::time::Instant) {
    use chrono::{Datelike, TimeZone};
    let local = world
        .scenario
        .timezone
        .from_utc_datetime(&(now - Duration::hours(9)).naive_utc());
    let monday =
        local.date_naive() - Duration::days(i64::from(local.weekday().num_days_from_monday()));
    let at = |day: chrono::NaiveDate| {
        let nine = day.and_hms_opt(9, 0, 0).unwrap_or_default();
        world
            .scenario
            .timezone
            .from_local_datetime(&nine)
            .earliest()
            .map_or(now, |at| at.to_utc())
    };
    (at(monday), at(monday + Duration::days(7)))
}

async fn users(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    super::json(
        200,
        &paged(
            "users",
            world.scenario.people.iter().map(user).collect(),
            &params,
        ),
    )
}

fn service_id(name: &str) -> String {
    format!("P{}", hex(name, 6).to_uppercase())
}

async fn services(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let open = all(&world, &world.view());
    let items = world.scenario.services.iter().filter(|s| params.get("query").is_none_or(|q| s.name.contains(q))).map(|service| {
        let id = service_id(&service.name);
        let hit = open.iter().filter(|i| i.pointer("/service/id") == Some(&json!(id)));
        let worst = hit.filter_map(|i| i.get("status").and_then(Value::as_str)).fold("active", |worst, status| match (worst, status) {
            (_, "triggered") | ("critical", _) => "critical",
            (_, "acknowledged") => "warning",
            _ => worst,
        });
        json!({
            "id": id, "type": "service", "summary": service.name, "name": service.name, "status": worst, "description": null,
            "self": format!("{HTML}/api/services/{id}"), "html_url": format!("{HTML}/services/{id}"),
            "created_at": stamp(world.scenario.starts - Duration::days(400)), "escalation_policy": policy_reference(), "teams": [],
        })
    });
    super::json(200, &paged("services", items.collect(), &params))
}

async fn policies(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let mut levels: Vec<u32> = world
        .scenario
        .people
        .iter()
        .map(|person| person.level)
        .filter(|level| *level > 0)
        .collect();
    levels.sort_unstable();
    levels.dedup();
    let rules = levels.iter().map(|level| json!({ "id": format!("PRULE{level}"), "escalation_delay_in_minutes": 5, "targets": [schedule(*level)] }));
    let policy = json!({
        "id": POLICY, "type": "escalation_policy", "summary": "Shop production", "name": "Shop production", "num_loops": 0,
        "self": format!("{HTML}/api/escalation_policies/{POLICY}"), "html_url": format!("{HTML}/escalation_policies/{POLICY}"),
        "on_call_handoff_notifications": "if_has_services", "escalation_rules": rules.collect::<Vec<_>>(), "services": [], "teams": [], "description": null,
    });
    super::json(200, &paged("escalation_policies", vec![policy], &params))
}

async fn schedules(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let levels = world
        .scenario
        .people
        .iter()
        .filter(|person| person.level > 0);
    let items = levels.map(|person| {
        let id = schedule_id(person.level);
        json!({
            "id": id, "type": "schedule", "summary": format!("Shop level {}", person.level), "name": format!("Shop level {}", person.level),
            "time_zone": "Europe/Berlin", "self": format!("{HTML}/api/schedules/{id}"), "html_url": format!("{HTML}/schedules/{id}"),
            "users": [user_reference(person)], "escalation_policies": [policy_reference()], "description": null,
        })
    });
    super::json(200, &paged("schedules", items.collect(), &params))
}

/// Every incident, newest first.
fn all(world: &World, view: &View) -> Vec<Value> {
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

async fn incidents(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
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

async fn incident(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
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

async fn create(State(world): State<Arc<World>>, headers: HeaderMap, body: String) -> Response {
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

async fn update_one(
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

async fn update_many(
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

async fn notes(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
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

async fn note(
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
