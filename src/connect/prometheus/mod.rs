//! Metrics of everything that answers like Prometheus: Prometheus, Thanos, Mimir, Cortex, VictoriaMetrics, a Grafana
//! data-source proxy.
//!
//! Reads: `range` (argument `query`; its `$bucket` becomes the span's step, such as `60s`; optional `columns` and `fold`
//! for a chart; optional `only`, a JSON list of values of the label `only_label`, beside series that lack it; `series` is the same
//! read) and `query` (an instant). An answer's newest data is the newest finite sample of any series, so that a
//! source that stopped shows its age. A result without any finite sample has no newest time: it is as new as the answer,
//! and without samples no verdict can come of it.

pub mod fold;
pub mod sink;

use std::sync::Arc;

use chrono::DateTime;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use reqwest::Method;

use self::fold::{Folded, Unfit};
use self::sink::{Columns, Fold, Grid, Sink};
use crate::connect::context::{DriverContext, Line};
use crate::connect::driver::{Driver, Preview, ReadSpan};
use crate::connect::transport::{Payload, Reply, Request, Transport};
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::connector::ConnectorSpec;
use crate::domain::diag::Diag;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;
use crate::domain::record::{Records, Series};

/// Points a series in one request; servers refuse more than 11,000.
const MAX_POINTS: i64 = 11_000;

/// Parameters above this length in bytes go as a form: addresses have limits on the way.
const MAX_ADDRESS: usize = 1_500;

/// Answers above this size in bytes are folded off the loop.
const INLINE: usize = 128 * 1024;

/// Most columns that may be asked for.
const MAX_COLUMNS: usize = 10_000;

/// A connection to a Prometheus-compatible server.
pub struct Prometheus {
    line: Line,
}

impl Prometheus {
    /// A driver for the server whose address before `/api/v1` is the setting `url`. Nothing is sent here.
    ///
    /// # Errors
    /// An address or a connector file that cannot be used.
    pub fn new(
        connection: &Connection,
        spec: &ConnectorSpec,
        context: &DriverContext,
    ) -> Result<Self, Vec<Diag>> {
        let line = context.line(connection, spec).map_err(|diag| vec![diag])?;
        Ok(Self { line })
    }

    async fn server(&self) -> Result<Server, Fault> {
        let transport = self.line.transport().await?;
        Ok(Server { transport })
    }
}

/// The way to the server, open.
struct Server {
    transport: Arc<Transport>,
}

impl Server {
    async fn series(&self, call: &Call, span: Option<ReadSpan>) -> Result<Answer, Fault> {
        let query = self.argument(call, "query")?;
        let narrow = self.narrow(call, query)?;
        let query = narrow.as_deref().unwrap_or(query);
        match call.read.as_str() {
            "range" | "series" => {
                let span = span.ok_or_else(|| self.config("the read \"range\" needs a span"))?;
                self.range(call, query, Times::of(span)).await
            }
            "query" => {
                let mut fields = Vec::new();
                if let Some(times) = span.map(Times::of) {
                    fields.push(("query".to_owned(), times.bucketed(query)));
                    fields.push(("time".to_owned(), times.end.to_string()));
                } else {
                    fields.push(("query".to_owned(), query.to_owned()));
                }
                let request = request("/api/v1/query", fields);
                Ok(answer(self.ask(&request, Vec::new()).await?, |points| {
                    points
                }))
            }
            other => Err(self.config(&format!(
                "there is no read \"{other}\", only range and query"
            ))),
        }
    }

    async fn range(&self, call: &Call, query: &str, times: Times) -> Result<Answer, Fault> {
        let Some(columns) = call.args.get("columns").filter(|c| !c.is_empty()) else {
            return Ok(answer(
                self.stretches(query, times, Vec::new()).await?,
                |points| points,
            ));
        };
        let count = columns
            .parse::<usize>()
            .ok()
            .filter(|n| (1..=MAX_COLUMNS).contains(n))
            .ok_or_else(|| self.config(&format!("columns is 1 to {MAX_COLUMNS}")))?;
        let fold = Fold::named(call.args.get("fold").map_or("mean", String::as_str))
            .ok_or_else(|| self.config("fold is sum, mean or max"))?;
        let grid = Grid::over(times.start, times.end, times.step, count);
        let folded = self.stretches(query, times, Columns::new(grid)).await?;
        Ok(answer(folded, |columns| columns.points(fold)))
    }

    /// Asks stretch by stretch, each within the server's limit of points.
    async fn stretches<S>(&self, query: &str, times: Times, empty: S) -> Result<Folded<S>, Fault>
    where
        S: Sink + Send + Sync + 'static,
    {
        let query = times.bucketed(query);
        let mut whole: Option<Folded<S>> = None;
        for (start, end) in times.stretches() {
            let fields = [
                ("query", query.clone()),
                ("start", start.to_string()),
                ("end", end.to_string()),
                ("step", times.step.to_string()),
            ];
            let fields = fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            let next = self
                .ask(&request("/api/v1/query_range", fields), empty.clone())
                .await?;
            match whole.as_mut() {
                Some(whole) => whole.join(next),
                None => whole = Some(next),
            }
        }
        whole.ok_or_else(|| self.config("the span is empty"))
    }

    /// One request, folded.
    async fn ask<S>(&self, request: &Request, empty: S) -> Result<Folded<S>, Fault>
    where
        S: Sink + Send + Sync + 'static,
    {
        let reply = self.transport.send(request).await?;
        if let Some(fault) = self.refusal(request, &reply) {
            return Err(fault);
        }
        let body = reply.body;
        let folded = if body.len() > INLINE {
            match tokio::task::spawn_blocking(move || fold::fold(&body, &empty)).await {
                Ok(folded) => folded,
                Err(_) => Err(Unfit::Shape("folding it was interrupted".to_owned())),
            }
        } else {
            fold::fold(&body, &empty)
        };
        folded.map_err(|unfit| match unfit {
            Unfit::Vendor { kind, message } => self.transport.fault(
                request,
                vendor_kind(&kind),
                &format!("{kind}: {message}"),
                hint(&kind),
            ),
            Unfit::Shape(words) => self.transport.fault(
                request,
                FaultKind::BadShape,
                &format!("this is no Prometheus answer: {words}"),
                "is the url the address before /api/v1, and does no login page stand between?",
            ),
        })
    }

    /// A status outside 2xx, with the vendor's own words where it gives them.
    fn refusal(&self, request: &Request, reply: &Reply) -> Option<Fault> {
        let fault = self.transport.status_fault(request, reply)?;
        let Some((kind, message)) = fold::vendor_error(&reply.body) else {
            return Some(fault);
        };
        let what = format!("HTTP {}: {kind}: {message}", reply.status);
        Some(match reply.status {
            401 | 403 => self
                .transport
                .fault(request, fault.kind, &what, &fault.hint),
            _ => self
                .transport
                .fault(request, vendor_kind(&kind), &what, hint(&kind)),
        })
    }

    async fn says(&self) -> Result<String, Fault> {
        let host = self.transport.host();
        let request = Request::get("/api/v1/status/buildinfo");
        let reply = self.transport.send(&request).await?;
        if matches!(reply.status, 401 | 403)
            && let Some(fault) = self.refusal(&request, &reply)
        {
            return Err(fault);
        }
        if let Some(version) = version(&reply) {
            return Ok(format!("{version} on {host}"));
        }
        // Older servers and some proxies know no such page, but whoever answers a query is there.
        let probe = Request::get("/api/v1/query").with_query("query", "1");
        self.ask::<Vec<(i64, f64)>>(&probe, Vec::new()).await?;
        Ok(format!("answers queries on {host} and names no version"))
    }

    /// The query for some values of a label alone, where that is asked.
    fn narrow(&self, call: &Call, query: &str) -> Result<Option<String>, Fault> {
        let Some((values, label)) = call.args.get("only").zip(call.args.get("only_label")) else {
            return Ok(None);
        };
        let values: Vec<String> = serde_json::from_str(values)
            .map_err(|e| self.config(&format!("only is a JSON list of texts: {e}")))?;
        Ok(Some(only(query, label, &values)))
    }

    fn argument<'c>(&self, call: &'c Call, name: &str) -> Result<&'c str, Fault> {
        match call.args.get(name).map(String::as_str) {
            Some(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(self.config(&format!(
                "the read \"{}\" needs the argument {name}",
                call.read
            ))),
        }
    }

    fn config(&self, what: &str) -> Fault {
        Fault::new(
            FaultKind::Config,
            format!("{}: {what}", self.transport.name()),
            "mend it in cockpit.toml",
        )
    }
}

impl Driver for Prometheus {
    fn read<'a>(
        &'a self,
        call: &'a Call,
        span: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move { self.server().await?.series(call, span).await })
    }
    fn act<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Outcome> {
        let why = format!("{}: metrics are only read", self.line.name());
        Box::pin(async move { Outcome::Refused { why } })
    }
    fn find<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        let what = format!(
            "{}: metrics are only read, no act leaves a mark there",
            self.line.name()
        );
        Box::pin(async move { Err(Fault::new(FaultKind::Config, what, "")) })
    }
    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(async move { self.server().await?.says().await })
    }
    fn preview(&self, _: &Act) -> Option<Preview> {
        None
    }
    fn verbs(&self) -> Vec<Verb> {
        Vec::new()
    }
    fn changes<'a>(&'a self, _: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        None
    }
}

/// A span in whole Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    start: i64,
    end: i64,
    step: i64,
}

impl Times {
    fn of(span: ReadSpan) -> Self {
        Self {
            start: span.start.timestamp(),
            end: span.end.timestamp(),
            step: span.step.num_seconds().max(1),
        }
    }

    fn bucketed(self, query: &str) -> String {
        query.replace("$bucket", &format!("{}s", self.step))
    }

    /// First and last bucket end of each request; none for an empty span.
    fn stretches(self) -> impl Iterator<Item = (i64, i64)> {
        let length = self.step.saturating_mul(MAX_POINTS - 1);
        let next = self.step.saturating_mul(MAX_POINTS);
        std::iter::successors(Some(self.start), move |start| start.checked_add(next))
            .take_while(move |start| *start <= self.end)
            .map(move |start| (start, start.saturating_add(length).min(self.end)))
    }
}

/// GET, or a form where the parameters are long; both may be sent twice.
fn request(path: &str, fields: Vec<(String, String)>) -> Request {
    let length: usize = fields.iter().map(|(k, v)| k.len() + v.len()).sum();
    let mut request = Request::get(path);
    if length > MAX_ADDRESS {
        request.method = Method::POST;
        request.body = Payload::Form(fields);
    } else {
        request.query = fields;
    }
    request
}

fn answer<S>(folded: Folded<S>, points: impl Fn(S) -> Vec<(i64, f64)>) -> Answer {
    let newest = folded.newest.and_then(|at| DateTime::from_timestamp(at, 0));
    let series = folded
        .series
        .into_iter()
        .map(|(labels, sink)| Series {
            labels,
            points: points(sink),
        })
        .collect();
    Answer {
        records: Records::Series(series),
        newest,
        partial: folded.partial,
        interval: None,
    }
}

/// Of a query's series those alone that have one of the values in that label, and those that lack it: the set operator drops the
/// others before they are written into the answer.
fn only(query: &str, label: &str, values: &[String]) -> String {
    let mut out = format!("(\n{query}\n) and on ({label}) (vector(1)");
    for value in values {
        // A JSON text is a text of PromQL too; a dollar would name a group of the expression, of which there is none.
        let text = serde_json::Value::from(value.replace('$', "$$"));
        out.push_str(&format!(
            " or label_replace(vector(1), \"{label}\", {text}, \"\", \"\")"
        ));
    }
    out.push(')');
    out
}

/// What kind of fault the vendor's `errorType` is.
fn vendor_kind(kind: &str) -> FaultKind {
    match kind {
        "timeout" | "canceled" => FaultKind::Timeout,
        "internal" | "unavailable" => FaultKind::Server,
        "not_found" => FaultKind::NotFound,
        "too_many_requests" => FaultKind::RateLimited,
        _ => FaultKind::Refused,
    }
}

fn hint(kind: &str) -> &'static str {
    match kind {
        "timeout" | "canceled" => "the query is too slow: aggregate more, or ask over fewer series",
        "internal" | "unavailable" | "too_many_requests" => {
            "the server has a fault: it is tried again"
        }
        _ => "check this metric's query in cockpit.toml",
    }
}

/// Product and version of a build page.
fn version(reply: &Reply) -> Option<String> {
    if !reply.is_success() {
        return None;
    }
    let page: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    let data = page.get("data")?;
    let text = |name: &str| data.get(name).and_then(serde_json::Value::as_str);
    let product = text("application").unwrap_or("Prometheus API");
    Some(crate::domain::text::clean(
        &format!("{product} {}", text("version")?),
        80,
    ))
}

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod tests;
