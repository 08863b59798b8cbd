//! Prometheus' HTTP API: instant and range queries by GET and form POST, alerts, build information, readiness.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::{Params, stamp};
use crate::demo::eval::{self, Labels};
use crate::demo::promql;
use crate::demo::world::World;
use crate::domain::time::Instant;

/// More points than this a series are refused, as by the vendor.
const MAX_POINTS: f64 = 11_000.0;

/// The routes.
pub fn routes() -> Router<Arc<World>> {
    Router::new()
        .route(
            "/-/ready",
            get(|| async { "Prometheus Server is Ready.\n" }),
        )
        .route(
            "/-/healthy",
            get(|| async { "Prometheus Server is Healthy.\n" }),
        )
        .route(
            "/api/v1/status/buildinfo",
            get(|| async { super::json(200, &build()) }),
        )
        .route("/api/v1/query", get(instant).post(instant))
        .route("/api/v1/query_range", get(range).post(range))
        .route("/api/v1/alerts", get(alerts))
}

fn build() -> Value {
    json!({ "status": "success", "data": {
        "version": "3.7.3", "revision": super::hex("prometheus", 40), "branch": "HEAD",
        "buildUser": "demo", "buildDate": "20251030-07:26:10", "goVersion": "go1.25.3",
    }})
}

/// A failure in the vendor's shape.
struct Bad {
    status: u16,
    kind: &'static str,
    why: String,
}

fn bad(name: &str, why: impl std::fmt::Display) -> Bad {
    Bad {
        status: 400,
        kind: "bad_data",
        why: format!("invalid parameter {name:?}: {why}"),
    }
}

impl IntoResponse for Bad {
    fn into_response(self) -> Response {
        super::json(
            self.status,
            &json!({ "status": "error", "errorType": self.kind, "error": self.why }),
        )
    }
}

async fn instant(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
    body: String,
) -> Response {
    answer(move || instant_data(&world, &both(query, body))).await
}

async fn range(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
    body: String,
) -> Response {
    answer(move || range_data(&world, &both(query, body))).await
}

fn both(query: Option<String>, body: String) -> Params {
    Params::parse(&[body, query.unwrap_or_default()].join("&"))
}

/// Runs a query beside the event loop: days of history take a while to draw.
async fn answer(work: impl FnOnce() -> Result<Value, Bad> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(data)) => super::json(200, &json!({ "status": "success", "data": data })),
        Ok(Err(bad)) => bad.into_response(),
        Err(_) => Bad {
            status: 500,
            kind: "internal",
            why: "the query ended badly".to_owned(),
        }
        .into_response(),
    }
}

fn instant_data(world: &World, params: &Params) -> Result<Value, Bad> {
    let view = world.view();
    let now = unix(view.now);
    let time = match params.get("time") {
        Some(text) => moment(text).ok_or_else(|| {
            bad(
                "time",
                format!("cannot parse {text:?} to a valid timestamp"),
            )
        })?,
        None => now,
    };
    let alerts = world.alerts(&view);
    let mut reader = world.metrics.reader(&view.timelines, view.now);
    let plan = plan(params, &reader, &alerts)?;
    let values = plan.run(time, &mut reader);
    let Some(labels) = &plan.labels else {
        let value = values.first().copied().flatten().unwrap_or(f64::NAN);
        return Ok(json!({ "resultType": "scalar", "result": [time, number(value)] }));
    };
    let found = labels.iter().zip(values).filter_map(|(labels, value)| {
        value.map(|value| json!({ "metric": labels, "value": [time, number(value)] }))
    });
    Ok(json!({ "resultType": "vector", "result": found.collect::<Vec<_>>() }))
}

fn range_data(world: &World, params: &Params) -> Result<Value, Bad> {
    let time = |name: &str| {
        let text = params.get(name).unwrap_or_default();
        moment(text).ok_or_else(|| bad(name, format!("cannot parse {text:?} to a valid timestamp")))
    };
    let (start, end) = (time("start")?, time("end")?);
    let text = params.get("step").unwrap_or_default();
    let step = text
        .parse::<f64>()
        .ok()
        .or_else(|| promql::seconds(text))
        .filter(|step| step.is_finite())
        .ok_or_else(|| bad("step", format!("cannot parse {text:?} to a valid duration")))?;
    if end < start {
        return Err(bad("end", "end timestamp must not be before start time"));
    }
    if step <= 0.0 {
        return Err(bad(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if (end - start) / step > MAX_POINTS {
        let why = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
        return Err(Bad {
            status: 400,
            kind: "bad_data",
            why: why.to_owned(),
        });
    }
    let view = world.view();
    let alerts = world.alerts(&view);
    let mut reader = world.metrics.reader(&view.timelines, view.now);
    let plan = plan(params, &reader, &alerts)?;
    let labels = plan.labels.clone().unwrap_or_else(|| vec![Labels::new()]);
    let mut series: Vec<Vec<Value>> = vec![Vec::new(); labels.len()];
    let mut turn = 0.0;
    while start + turn * step <= end {
        let at = start + turn * step;
        for (points, value) in series.iter_mut().zip(plan.run(at, &mut reader)) {
            if let Some(value) = value {
                points.push(json!([at, number(value)]));
            }
        }
        turn += 1.0;
    }
    let found = labels
        .iter()
        .zip(series)
        .filter(|(_, points)| !points.is_empty());
    let result: Vec<Value> = found
        .map(|(labels, points)| json!({ "metric": labels, "values": points }))
        .collect();
    Ok(json!({ "resultType": "matrix", "result": result }))
}

fn plan(
    params: &Params,
    reader: &crate::demo::series::Reader<'_>,
    alerts: &[crate::demo::alerts::Alert],
) -> Result<eval::Plan, Bad> {
    let expr =
        promql::parse(params.get("query").unwrap_or_default()).map_err(|why| bad("query", why))?;
    eval::compile(&expr, reader, alerts).map_err(|why| Bad {
        status: 422,
        kind: "execution",
        why,
    })
}

#[allow(clippy::cast_precision_loss)] // milliseconds since 1970
fn unix(at: Instant) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

/// Unix seconds of a number or an RFC 3339 time.
fn moment(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.or_else(|| {
        chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| unix(at.to_utc()))
    })
}

/// A sample value as the vendor writes it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 {
            "+Inf".to_owned()
        } else {
            "-Inf".to_owned()
        }
    } else {
        value.to_string()
    }
}

async fn alerts(State(world): State<Arc<World>>) -> Response {
    let view = world.view();
    let firing = world.alerts(&view).into_iter().filter(|alert| alert.fires(view.now)).map(|alert| {
        json!({
            "labels": { "alertname": alert.name, "service": alert.service, "severity": alert.severity, "env": "production" },
            "annotations": { "summary": alert.summary },
            "state": "firing", "activeAt": stamp(alert.from), "value": "1e+00",
        })
    });
    super::json(
        200,
        &json!({ "status": "success", "data": { "alerts": firing.collect::<Vec<_>>() } }),
    )
}
