//! An answer becomes an observation.

use std::collections::BTreeMap;

use crate::domain::needs::{BUCKET, LAST_HOUR};
use crate::domain::observe::{Answer, Fault, Freshness, Need, Observation, SeriesKey, Subject};
use crate::domain::policy::{Metric, MetricKind};
use crate::domain::record::{Part, Records, Series};
use crate::domain::rules::Rules;
use crate::domain::time::Instant;

use super::Engine;

/// Counts of events that nothing was added to for so many seconds are not late: there were none.
const QUIET: i64 = 900;
/// The service label of a metric that is one number for everything.
const WHOLE: &str = "";

impl Engine {
    /// Takes the result of a read. False: it says what was known and fresh already.
    pub(super) fn took(
        &mut self,
        id: &str,
        seq: u64,
        read_at: Instant,
        result: Result<Answer, Fault>,
    ) -> bool {
        let now = self.clock.now();
        let tick = self.tick();
        let Some(slot) = self.slots.get_mut(id) else {
            return false;
        };
        if !slot.accept(seq) {
            return false;
        }
        slot.again(result.as_ref().err(), self.clock.as_ref(), tick);
        let need = slot.need.clone();
        let fresh = self.observed.of(id, now).1 == Freshness::Fresh;
        let feed = self.observed.feeds.entry(id.to_owned()).or_default();
        feed.source.clone_from(&need.call.connection);
        feed.reading = false;
        match result {
            Err(fault) => {
                tracing::warn!(need = id, %fault, "a read failed");
                feed.failing_since.get_or_insert(now.world);
                feed.fault = Some(fault);
                true
            }
            Ok(answer) => {
                let failed = feed.fault.take().is_some();
                feed.failing_since = None;
                self.answered(&need, read_at, answer) || failed || !fresh
            }
        }
    }

    /// Takes an answer in. False: it says the same as the one before.
    pub(super) fn answered(&mut self, need: &Need, read_at: Instant, answer: Answer) -> bool {
        let mut newest = answer.newest.unwrap_or(read_at).min(read_at);
        let mut records = answer.records;
        let mut changed = false;
        let mut buckets_came = false;
        if let (Subject::Metric { metric, part, step }, Records::Series(series)) =
            (&need.subject, &mut records)
        {
            let series = std::mem::take(series);
            changed = self.fold_series(metric, *part, *step, series);
            buckets_came = changed;
            if let (Some(slot), Some(lookback)) = (self.slots.get_mut(&need.id), need.call.lookback)
            {
                let oldest = lookback.oldest(read_at.timestamp());
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
                // New pods have no series of errors before their first one. Where there ever was one and none for so long, an
                // answer says that there were none up to the bucket before it; whether there was traffic the total tells. One
                // that lags a little stays as old as it is.
                let bucket = chrono::Duration::seconds(i64::try_from(*step).unwrap_or(60));
                if *part == Part::Numerator
                    && newest > chrono::DateTime::UNIX_EPOCH
                    && read_at - newest > chrono::Duration::seconds(QUIET) + bucket
                {
                    newest = read_at - bucket;
                }
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
        changed |= feed.last.as_ref().is_none_or(|before| {
            (&before.records, &before.partial) != (&observation.records, &observation.partial)
        });
        feed.last = Some(observation);
        *self.changed_needs.entry(need.id.clone()).or_default() |= buckets_came;
        if calendar {
            self.observed.rules = Some(std::sync::Arc::new(Rules::of(
                &self.policy,
                &self.observed,
                self.clock.now(),
            )));
        }
        changed
    }

    /// Adds the buckets to what is there. False: all of them were there.
    fn fold_series(&mut self, metric: &str, part: Part, step: u64, series: Vec<Series>) -> bool {
        let Some(spec) = self.policy.metric(metric) else {
            return false;
        };
        let whole = self.horizon(step);
        let mut changed = false;
        for one in series {
            let key = series_key(spec, &one.labels, part, step);
            let Some(horizon) = self.kept_from(&key.service, step, whole) else {
                continue;
            };
            let buckets = self.observed.metrics.entry(key).or_default();
            for (at, value) in one.points {
                if value.is_finite() && at >= horizon {
                    changed |= buckets.insert(at, value) != Some(value);
                }
            }
            while buckets
                .first_key_value()
                .is_some_and(|(at, _)| *at < horizon)
            {
                buckets.pop_first();
            }
        }
        changed
    }

    /// From where on a service's buckets are kept; `None`: not at all. `whole` where it is followed or no service's own.
    pub(super) fn kept_from(&self, service: &str, step: u64, whole: i64) -> Option<i64> {
        if service == WHOLE || self.followed.contains(service) {
            return Some(whole);
        }
        let hour = self.clock.now().world.timestamp() - i64::try_from(LAST_HOUR).unwrap_or(7200);
        (step == BUCKET).then_some(hour.max(whole))
    }

    /// Buckets older than this are let go.
    pub(super) fn horizon(&self, step: u64) -> i64 {
        let back = self
            .slots
            .values()
            .filter_map(|s| s.need.call.lookback)
            .filter(|l| l.step == step)
            .map(|l| l.seconds)
            .max()
            .or_else(|| self.lookback(step))
            .unwrap_or(8 * 86_400);
        self.clock.now().world.timestamp() - i64::try_from(back).unwrap_or(0) - 3600
    }

    /// How far back buckets of that length are wanted, before the first reads are planned.
    fn lookback(&self, step: u64) -> Option<u64> {
        crate::domain::needs::needs(&self.policy, &self.journal, self.clock.now())
            .iter()
            .filter_map(|n| n.call.lookback)
            .filter(|l| l.step == step)
            .map(|l| l.seconds)
            .max()
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
