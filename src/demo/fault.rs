//! Failures: those of the scenario by world time, those of a test through the control port.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::scenario::{Fault, FaultKind};
use super::world::World;

/// Faults put in by hand, and how often each vendor was asked.
#[derive(Debug, Default)]
pub struct Faults {
    put_in: Mutex<Vec<(u64, Fault)>>,
    next: std::sync::atomic::AtomicU64,
    asked: Mutex<std::collections::BTreeMap<String, u64>>,
}

impl Faults {
    /// Puts one in; its number.
    pub fn add(&self, fault: Fault) -> u64 {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        self.list().push((number, fault));
        number
    }

    /// Takes out those of `vendor`, or all.
    pub fn clear(&self, vendor: Option<&str>) {
        self.list()
            .retain(|(_, fault)| vendor.is_some_and(|vendor| fault.vendor != vendor));
    }

    /// Those that are in.
    #[must_use]
    pub fn all(&self) -> Vec<(u64, Fault)> {
        self.list().clone()
    }

    /// How often each vendor was asked.
    #[must_use]
    pub fn asked(&self) -> std::collections::BTreeMap<String, u64> {
        self.asked
            .lock()
            .unwrap_or_else(|lock| lock.into_inner())
            .clone()
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Fault)>> {
        self.put_in.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    fn count(&self, vendor: &str) {
        *self
            .asked
            .lock()
            .unwrap_or_else(|lock| lock.into_inner())
            .entry(vendor.to_owned())
            .or_default() += 1;
    }

    /// The fault by hand that hits a request; one with `times` is used up by it.
    fn hit(&self, vendor: &str, method: &str, path: &str) -> Option<(u64, Fault)> {
        let mut list = self.list();
        let place = list
            .iter()
            .position(|(_, fault)| fits(fault, vendor, method, path))?;
        let (number, fault) = list.get_mut(place)?;
        let found = (*number, fault.clone());
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                list.remove(place);
            }
        }
        Some(found)
    }
}

fn fits(fault: &Fault, vendor: &str, method: &str, path: &str) -> bool {
    fault.vendor == vendor
        && (fault.method.is_empty() || fault.method.eq_ignore_ascii_case(method))
        && (fault.path.is_empty() || path.contains(&fault.path))
}

/// A world and the vendor that a router plays.
#[derive(Clone)]
pub struct Seat {
    /// The world.
    pub world: Arc<World>,
    /// The vendor's name.
    pub vendor: &'static str,
}

impl Seat {
    /// The fault of the scenario that hits a request now.
    fn scheduled(&self, method: &str, path: &str) -> Option<Fault> {
        let now = self.world.clock.world();
        let scenario = &self.world.scenario;
        let on = |from, to: Option<_>| {
            scenario.at(from) <= now && to.is_none_or(|to| now < scenario.at(to))
        };
        let timed = scenario
            .faults
            .iter()
            .find(|f| on(f.from, f.to) && fits(&f.fault, self.vendor, method, path));
        timed.map(|timed| timed.fault.clone())
    }

    fn still(&self, number: Option<u64>, fault: &Fault, method: &str, path: &str) -> bool {
        match number {
            // A fault for one request was taken out when it hit; its request hangs for good.
            Some(number) => {
                fault.times.is_some()
                    || self
                        .world
                        .faults
                        .all()
                        .iter()
                        .any(|(other, _)| *other == number)
            }
            None => self
                .scheduled(method, path)
                .is_some_and(|now| now.kind == FaultKind::Hang),
        }
    }
}

/// Stands before every route of a vendor.
pub async fn guard(State(seat): State<Seat>, request: Request, next: Next) -> Response {
    let (method, path) = (
        request.method().to_string(),
        request.uri().path().to_owned(),
    );
    seat.world.faults.count(seat.vendor);
    let (number, fault) = match seat.world.faults.hit(seat.vendor, &method, &path) {
        Some((number, fault)) => (Some(number), fault),
        None => match seat.scheduled(&method, &path) {
            Some(fault) => (None, fault),
            None => return next.run(request).await,
        },
    };
    match fault.kind {
        FaultKind::Status => status(&seat, &fault),
        FaultKind::Garbage => {
            let page = "<!doctype html><html><head><title>Sign in</title></head><body><form action=\"/sso\">\u{1b}[31m";
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        FaultKind::Slow => {
            tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
            next.run(request).await
        }
        FaultKind::Cut => cut(next.run(request).await).await,
        FaultKind::Hang => {
            let mut kept = Some((request, next));
            let mut answer = None;
            if fault.accepted
                && let Some((request, next)) = kept.take()
            {
                answer = Some(next.run(request).await);
            }
            while seat.still(number, &fault, &method, &path) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            match (answer, kept) {
                (Some(answer), _) => answer,
                (None, Some((request, next))) => next.run(request).await,
                (None, None) => StatusCode::GATEWAY_TIMEOUT.into_response(),
            }
        }
    }
}

fn status(seat: &Seat, fault: &Fault) -> Response {
    let code = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut answer = (code, axum::Json(error_body(seat.vendor, code))).into_response();
    if let Some(value) = fault
        .retry_after
        .and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok())
    {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

/// An error in the vendor's shape.
#[must_use]
pub fn error_body(vendor: &str, code: StatusCode) -> Value {
    let why = code.canonical_reason().unwrap_or("error");
    match vendor {
        "prometheus" => json!({ "status": "error", "errorType": "unavailable", "error": why }),
        "argocd" => json!({ "error": why, "code": 14, "message": why }),
        "github" => {
            json!({ "message": why, "documentation_url": "https://docs.github.com/rest", "status": code.as_str() })
        }
        "pagerduty" => json!({ "error": { "code": 2000, "message": why, "errors": [why] } }),
        "slack" => {
            json!({ "ok": false, "error": if code == StatusCode::TOO_MANY_REQUESTS { "ratelimited" } else { "internal_error" } })
        }
        "registry" => json!({ "errors": [{ "code": "UNKNOWN", "message": why, "detail": null }] }),
        _ => json!(why),
    }
}

/// Sends half of what the answer promised, then breaks the connection.
async fn cut(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let whole = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    let promised = whole.len().max(2);
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(promised));
    let parts: Vec<Result<Bytes, std::io::Error>> =
        vec![Ok(half), Err(std::io::Error::other("cut"))];
    Response::from_parts(head, Body::from_stream(futures::stream::iter(parts)))
}
