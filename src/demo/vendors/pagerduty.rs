//! PagerDuty's REST API: who is on call, incidents, acknowledgement, notes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use chrono::Duration;
use serde_json::{Value, json};

use super::pagerduty_incidents as incidents;
use super::{Params, credential, hex, stamp};
use crate::demo::shop::Person;
use crate::demo::world::World;

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
        .route(
            "/incidents",
            get(incidents::incidents)
                .post(incidents::create)
                .put(incidents::update_many),
        )
        .route(
            "/incidents/{id}",
            get(incidents::incident).put(incidents::update_one),
        )
        .route(
            "/incidents/{id}/notes",
            get(incidents::notes).post(incidents::note),
        )
        .fallback(|| async { problem(404, 2100, "Not Found", &[]) })
        .layer(axum::middleware::from_fn(token))
}

pub(super) fn problem(status: u16, code: u32, message: &str, errors: &[&str]) -> Response {
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

pub(super) const HTML: &str = "https://acme.pagerduty.example";

pub(super) fn reference(kind: &str, path: &str, id: &str, summary: &str) -> Value {
    json!({
        "id": id, "type": format!("{kind}_reference"), "summary": summary,
        "self": format!("{HTML}/api/{path}/{id}"), "html_url": format!("{HTML}/{path}/{id}"),
    })
}

const POLICY: &str = "PSHOP01";

pub(super) fn policy_reference() -> Value {
    reference(
        "escalation_policy",
        "escalation_policies",
        POLICY,
        "Shop production",
    )
}

pub(super) fn user_reference(person: &Person) -> Value {
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
pub(super) fn paged(name: &str, items: Vec<Value>, params: &Params) -> Value {
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

pub(super) fn merge(body: &mut Value, name: &str, value: Value) {
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

pub(super) fn service_id(name: &str) -> String {
    format!("P{}", hex(name, 6).to_uppercase())
}

async fn services(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let open = incidents::all(&world, &world.view());
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
