//! A metric's past, read once in chunks through the same connection as its present.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use crate::connect::driver::ReadSpan;
use crate::domain::event::Event;
use crate::domain::needs::{metric_need, span_read};
use crate::domain::observe::{Buckets, Call, Fault, FaultKind, SeriesKey};
use crate::domain::policy::Metric;
use crate::domain::record::{Part, Records};

use super::super::journal::decode;
use super::Engine;
use super::ingest::series_key;

/// Buckets asked for at once: far below what a metrics store refuses, and small enough for 500 services in one answer.
const CHUNK: i64 = 1440;
/// No chunk may take longer than this.
const LONGEST: Duration = Duration::from_secs(60);

impl Engine {
    /// Opens the connections for reads of the past.
    pub fn ready(&mut self) {
        self.connect();
    }

    /// Reads a metric's buckets of `step` seconds over `(from, to]` (Unix seconds), and keeps those of `services`; why any of it
    /// is partial.
    ///
    /// # Errors
    /// The first fault: a history with a hole is no history.
    pub async fn past(
        &self,
        metric: &Metric,
        services: &BTreeSet<String>,
        step: u64,
        (from, to): (i64, i64),
        into: &mut BTreeMap<SeriesKey, Buckets>,
    ) -> Result<Option<String>, Fault> {
        let missing = || {
            Fault::new(
                FaultKind::Config,
                format!(
                    "{} cannot be read: connection {} reads no series",
                    metric.id, metric.connection
                ),
                "name a connection that reads series",
            )
        };
        let read = self
            .policy
            .connections
            .get(&metric.connection)
            .and_then(span_read)
            .ok_or_else(missing)?;
        let mut partial = None;
        for (part, query) in metric.parts() {
            let call = Call {
                connection: metric.connection.clone(),
                read: read.to_owned(),
                args: BTreeMap::from([("query".to_owned(), query.to_owned())]),
                lookback: None,
            };
            for span in chunks(i64::try_from(step).unwrap_or(60), from, to) {
                let why = self
                    .chunk(metric, services, (part, step), (&call, span), into)
                    .await?;
                partial = partial.or(why);
            }
        }
        Ok(partial)
    }

    async fn chunk(
        &self,
        metric: &Metric,
        services: &BTreeSet<String>,
        (part, step): (Part, u64),
        (call, span): (&Call, ReadSpan),
        into: &mut BTreeMap<SeriesKey, Buckets>,
    ) -> Result<Option<String>, Fault> {
        let read = self.connections.read(call, Some(span));
        let answer = tokio::time::timeout(LONGEST, read).await.map_err(|_| {
            Fault::new(
                FaultKind::Timeout,
                format!(
                    "{}: no answer within {} s",
                    metric_need(&metric.id, part, step),
                    LONGEST.as_secs()
                ),
                "ask for fewer days, or see why the store is slow",
            )
        })??;
        if let Records::Series(list) = answer.records {
            for one in list {
                let key = series_key(metric, &one.labels, part, step);
                if services.contains(&key.service) {
                    let points = one.points.into_iter().filter(|(_, v)| v.is_finite());
                    into.entry(key).or_default().extend(points);
                }
            }
        }
        Ok(answer.partial)
    }

    /// Every event of the journal, oldest first; one that this program does not know ends the list with its sentence.
    ///
    /// # Errors
    /// What the store says.
    pub async fn events(&self) -> Result<Vec<Event>, String> {
        let stored = self
            .store
            .events_since(0)
            .await
            .map_err(|e| e.to_string())?;
        stored.iter().map(decode).collect()
    }
}

/// Spans of at most [`CHUNK`] buckets, aligned to the step, that cover `(from, to]`.
fn chunks(step: i64, from: i64, to: i64) -> Vec<ReadSpan> {
    let step = step.max(1);
    let last = to.div_euclid(step) * step;
    let mut first = from.div_euclid(step) * step + step;
    let mut out = Vec::new();
    while first <= last {
        let end = (first + (CHUNK - 1) * step).min(last);
        if let (Some(start), Some(end)) = (
            DateTime::from_timestamp(first, 0),
            DateTime::from_timestamp(end, 0),
        ) {
            out.push(ReadSpan {
                start,
                end,
                step: TimeDelta::seconds(step),
            });
        }
        first = end + step;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_bucket_once() {
        for (step, from, to) in [
            (60, 30, 60 * 4000 + 7),
            (600, 0, 600 * 1440),
            (60, 100, 100),
            (60, 0, 60),
        ] {
            let mut seen = Vec::new();
            for span in chunks(step, from, to) {
                let mut at = span.start.timestamp();
                let before = seen.len();
                while at <= span.end.timestamp() {
                    seen.push(at);
                    at += step;
                }
                assert!((seen.len() - before) as i64 <= CHUNK);
            }
            let want: Vec<i64> = (1..)
                .map(|i| i * step)
                .skip_while(|t| *t <= from)
                .take_while(|t| *t <= to)
                .collect();
            assert_eq!(seen, want, "{step} {from} {to}");
        }
    }
}
