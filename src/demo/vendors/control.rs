//! The control port, for tests and `demo --serve`: what was accepted, what is broken, what time it is. No vendor has it and no
//! connector knows it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::Params;
use crate::demo::VENDORS;
use crate::demo::scenario::Fault;
use crate::demo::world::World;
use crate::domain::time::Clock;

/// The routes.
pub fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/__world/acts", get(acts))
        .route("/__world/now", get(now))
        .route("/__world/advance", post(advance))
        .route("/__world/fault", get(faults).post(add).delete(clear))
        .with_state(world)
}

/// `{"counts": {word: n}, "acts": [...], "requests": {vendor: n}}`: acts from outside alone, in order.
async fn acts(State(world): State<Arc<World>>) -> Response {
    let view = world.view();
    let acts: Vec<Value> = view
        .acts
        .iter()
        .filter(|act| act.number > 0)
        .map(|act| json!(act))
        .collect();
    super::json(
        200,
        &json!({ "counts": world.counts(), "acts": acts, "requests": world.faults.asked() }),
    )
}

/// `{"world", "real", "speed", "scenario"}`.
async fn now(State(world): State<Arc<World>>) -> Response {
    let now = world.clock.now();
    super::json(
        200,
        &json!({ "world": now.world, "real": now.real, "speed": world.clock.speed(), "scenario": world.scenario.id }),
    )
}

/// `{"seconds": n}` moves world time on.
async fn advance(State(world): State<Arc<World>>, body: String) -> Response {
    let seconds = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|body| body.get("seconds").and_then(Value::as_i64));
    match seconds.filter(|seconds| (0..=31_536_000).contains(seconds)) {
        Some(seconds) => {
            world.clock.advance(chrono::Duration::seconds(seconds));
            if let Some(path) = world.beat_path() {
                crate::demo::log::beat(&path, world.clock.world());
            }
            now(State(world)).await
        }
        None => super::json(
            400,
            &json!({ "error": "seconds: a whole number from 0 to a year is wanted" }),
        ),
    }
}

/// A [`Fault`] as JSON; answers its number.
async fn add(State(world): State<Arc<World>>, body: String) -> Response {
    match serde_json::from_str::<Fault>(&body) {
        Ok(fault) if VENDORS.contains(&fault.vendor.as_str()) => {
            super::json(200, &json!({ "fault": world.faults.add(fault) }))
        }
        Ok(fault) => super::json(
            400,
            &json!({ "error": format!("no vendor is called {:?}; there are: {}", fault.vendor, VENDORS.join(", ")) }),
        ),
        Err(why) => super::json(400, &json!({ "error": why.to_string() })),
    }
}

async fn faults(State(world): State<Arc<World>>) -> Response {
    let all: Vec<Value> = world
        .faults
        .all()
        .into_iter()
        .map(|(number, fault)| json!({ "number": number, "fault": fault }))
        .collect();
    super::json(200, &Value::Array(all))
}

/// `?vendor=` clears that vendor's, without it all.
async fn clear(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    world.faults.clear(params.get("vendor"));
    super::json(200, &json!({}))
}
