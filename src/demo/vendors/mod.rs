//! The vendors: one router each, answering in the vendor's own shape out of the same world.

pub mod alertmanager;
pub mod argocd;
pub mod argocd_shapes;
pub mod argocd_stream;
pub mod control;
pub mod github;
pub mod github_acts;
pub mod github_shapes;
pub mod ics;
pub mod pagerduty;
pub mod pagerduty_incidents;
pub mod prometheus;
pub mod registry;
pub mod slack;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fault::{Seat, guard};
use super::world::World;
use crate::domain::time::Instant;

/// The router of a vendor behind its faults; `None` for a name that is not in [`super::VENDORS`].
pub fn router(world: &Arc<World>, vendor: &'static str) -> Option<Router> {
    let shared = Arc::clone(world);
    let routes = match vendor {
        "prometheus" => prometheus::routes(),
        "alertmanager" => alertmanager::routes(),
        "argocd" => argocd::routes(),
        "github" => github::routes(),
        "pagerduty" => pagerduty::routes(),
        "slack" => slack::routes(),
        "ics" => ics::routes(),
        "registry" => registry::routes(),
        _ => return None,
    };
    let seat = Seat {
        world: Arc::clone(world),
        vendor,
    };
    Some(
        routes
            .layer(axum::middleware::from_fn_with_state(seat, guard))
            .with_state(shared),
    )
}

/// An answer in JSON.
pub(super) fn json(code: u16, body: &Value) -> Response {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        code,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        body.to_string(),
    )
        .into_response()
}

/// Name and value pairs of a query string or a form, in order; names may repeat.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(text: &str) -> Self {
        Self(
            url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str, default: usize) -> usize {
        self.get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }
}

/// The credential behind `scheme` in the Authorization header, if it is not empty.
pub(super) fn credential<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value
        .strip_prefix(scheme)
        .map(str::trim)
        .filter(|secret| !secret.is_empty())
}

/// RFC 3339 in UTC to the second.
pub(super) fn stamp(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The first `digits` hex digits of a digest: stable ids for commits, manifests, nodes.
pub(super) fn hex(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .chars()
        .take(digits)
        .collect()
}

/// A stable positive number for a name, as vendors' numeric ids.
pub(super) fn number(text: &str) -> u64 {
    super::noise::key(text) % 9_000_000_000 + 1_000_000
}
