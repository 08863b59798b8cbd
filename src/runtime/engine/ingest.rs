//! An answer becomes an observation.

use std::collections::BTreeMap;

use crate::domain::needs::BUCKET;
use crate::domain::observe::{Answer, Fault, Need, Observation, SeriesKey, Subject};
use crate::domain::policy::{Metric, MetricKind};
use crate::domain::record::{Part, Records, Series};
use crate::domain::rules::Rules;
use crate::domain::time::Instant;

use super::Engine;

/// The service label of a metric that is one number for everything.
const WHOLE: &str = "";

impl Engine {
    /// Takes the result of a read.
    pub(super) async fn took(
        &mut self,
        id: &str,
        seq: u64,
        read_at: Instant,
        result: Result<Answer, Fault>,
    ) {
        let now = self.clock.now().world;
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        if !slot.accept(seq) {
            return;
        }
        slot.again(result.as_ref().err(), self.clock.as_ref());
        let need = slot.need.clone();
        let feed = self.observed.feeds.entry(id.to_owned()).or_default();
        feed.source.clone_from(&need.call.connection);
        feed.reading = false;
        match result {
            Err(fault) => {
                tracing::warn!(need = id, %fault, "a read failed");
                feed.failing_since.get_or_insert(now);
                feed.fault = Some(fault);
            }
            Ok(answer) => {
                feed.fault = None;
                feed.failing_since = None;
                self.answered(&need, read_at, answer);
            }
        }
    }

    pub(super) fn answered(&mut self, need: &Need, read_at: Instant, answer: Answer) {
        let mut newest = answer.newest.unwrap_or(read_at).min(read_at);
        let mut records = answer.records;
        if let (Subject::Metric { metric, part, step }, Records::Series(series)) =
            (&need.subject, &mut records)
        {
            let series = std::mem::take(series);
            self.fold_series(metric, *part, *step, series);
            if let (Some(slot), Some(lookback)) = (self.slots.get_mut(&need.id), need.call.lookback)
            {
                let step = i64::try_from(lookback.step).unwrap_or(60).max(1);
                let end = read_at.timestamp().div_euclid(step) * step;
                let oldest = end - i64::try_from(lookback.seconds).unwrap_or(0);
                slot.covered = Some(slot.covered.map_or(oldest, |c| c.min(oldest)));
            }
            // A series that stopped shows by its newest bucket, however often it is read. Of a count, no series at
            // all is an answer too: none.
            let counts = self
                .policy
                .metric(metric)
                .is_some_and(|m| m.kind == MetricKind::Count);
            if counts {
                newest = read_at;
            } else {
                newest = self
                    .newest(need)
                    .and_then(|t| chrono::DateTime::from_timestamp(t, 0))
                    .map_or(chrono::DateTime::UNIX_EPOCH, |t| t.min(read_at));
            }
        }
        let bucket = match need.subject {
            Subject::Metric { step, .. } => step,
            _ => 0,
        };
        let cadence = need
            .every
            .max(bucket)
            .max(answer.interval.unwrap_or(0))
            .max(1);
        let observation = Observation {
            need: need.id.clone(),
            source: need.call.connection.clone(),
            read_at,
            newest,
            cadence,
            records,
            partial: answer.partial,
        };
        let calendar = matches!(need.subject, Subject::Calendar { .. });
        let feed = self.observed.feeds.entry(need.id.clone()).or_default();
        feed.last = Some(observation);
        self.changed_needs.insert(need.id.clone());
        if calendar {
            self.observed.rules = Some(std::sync::Arc::new(Rules::of(
                &self.policy,
                &self.observed,
                self.clock.now(),
            )));
        }
    }

    fn fold_series(
        &mut self,
        metric: &str,
        part: crate::domain::record::Part,
        step: u64,
        series: Vec<Series>,
    ) {
        let Some(spec) = self.policy.metric(metric) else {
            return;
        };
        let horizon = self.horizon(step);
        for one in series {
            let key = series_key(spec, &one.labels, part, step);
            let buckets = self.observed.metrics.entry(key).or_default();
            for (at, value) in one.points {
                if value.is_finite() {
                    buckets.insert(at, value);
                }
            }
            while buckets
                .first_key_value()
                .is_some_and(|(at, _)| *at < horizon)
            {
                buckets.pop_first();
            }
        }
    }

    /// Buckets older than this are let go.
    fn horizon(&self, step: u64) -> i64 {
        let back = self
            .slots
            .values()
            .filter_map(|s| s.need.call.lookback)
            .filter(|l| l.step == step)
            .map(|l| l.seconds)
            .max()
            .unwrap_or(if step == BUCKET { 7200 } else { 8 * 86_400 });
        self.clock.now().world.timestamp() - i64::try_from(back).unwrap_or(0) - 3600
    }

    /// The newest bucket of a metric's part, over all series.
    pub(super) fn newest(&self, need: &Need) -> Option<i64> {
        let Subject::Metric { metric, part, step } = &need.subject else {
            return None;
        };
        self.observed
            .metrics
            .iter()
            .filter(|(k, _)| k.metric == *metric && k.part == *part && k.step == *step)
            .filter_map(|(_, b)| b.last_key_value().map(|(at, _)| *at))
            .max()
    }
}

/// The key of a series with these labels.
pub(super) fn series_key(
    metric: &Metric,
    labels: &BTreeMap<String, String>,
    part: Part,
    step: u64,
) -> SeriesKey {
    SeriesKey {
        metric: metric.id.clone(),
        service: labels
            .get(&metric.service_label)
            .map_or(WHOLE, String::as_str)
            .to_owned(),
        group: metric
            .group_label
            .as_ref()
            .and_then(|l| labels.get(l))
            .cloned()
            .unwrap_or_default(),
        part,
        step,
    }
}
