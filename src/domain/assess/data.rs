//! Buckets of one metric of one service, added up per group and span (SEMANTICS 5). Counts come from 60 s buckets; noise
//! and the seven days before from ten-minute blocks.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::judge::{BaselineKind, Block, Counts, Direction, MIN_BASELINE_EVENTS, Noise};
use crate::domain::needs::{BLOCK, BUCKET, metric_need};
use crate::domain::observe::{Buckets, Freshness, SeriesKey};
use crate::domain::policy::{Metric, MetricKind};
use crate::domain::record::Part;

use super::View;
use super::metrics::HOUR;

/// The store looked when this share of its other buckets is there.
const LOOKED: f64 = 0.9;
/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// Seconds of a block of history.
pub(super) const BLOCK_SECONDS: i64 = 600;

/// Which group of a service's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group<'a> {
    /// All of them added up.
    Whole,
    /// One label value.
    Named(&'a str),
}

impl Group<'_> {
    fn holds(self, group: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Named(name) => name == group,
        }
    }
}

/// One metric of one service: its buckets by part, ready to be added up.
pub(crate) struct Data<'a> {
    pub metric: &'a Metric,
    parts: Vec<(&'a SeriesKey, &'a Buckets)>,
    /// Up to where every part was read, Unix seconds of a whole minute: a numerator that was read a little earlier than its
    /// denominator would otherwise look like a minute without errors.
    read_to: Option<i64>,
    /// Freshness of the feeds, by the slowest part.
    feed: Freshness,
    /// Largest cadence of the parts, seconds.
    cadence: i64,
    /// Why the answer is partial.
    pub partial: Option<String>,
    noise: OnceCell<(i64, Noise)>,
}

/// What is known of a metric's feeds: the same for every service.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    read_to: Option<i64>,
    feed: Freshness,
    cadence: i64,
    partial: Option<String>,
}

impl Heard {
    pub fn of(view: &View<'_>, metric: &Metric) -> Self {
        let mut out = Self {
            read_to: None,
            feed: super::metric_freshness(view, metric),
            cadence: 0,
            partial: None,
        };
        for (part, _) in metric.parts() {
            if let (Some(seen), _) = view.feed(&metric_need(&metric.id, part, BUCKET)) {
                let to = seen.newest.timestamp().div_euclid(60) * 60;
                out.read_to = Some(out.read_to.map_or(to, |t: i64| t.min(to)));
                out.cadence = out
                    .cadence
                    .max(i64::try_from(seen.cadence).unwrap_or(i64::MAX));
                out.partial = out.partial.take().or_else(|| seen.partial.clone());
            }
        }
        out
    }
}

impl<'a> Data<'a> {
    pub fn of(view: &View<'a>, metric: &'a Metric, heard: &Heard, service: &str) -> Self {
        let from = SeriesKey {
            metric: metric.id.clone(),
            service: service.to_owned(),
            group: String::new(),
            part: Part::Numerator,
            step: 0,
        };
        Self {
            metric,
            parts: view
                .observed
                .metrics
                .range(from..)
                .take_while(|(k, _)| k.service == service && k.metric == metric.id)
                .collect(),
            read_to: heard.read_to,
            feed: heard.feed,
            cadence: heard.cadence,
            partial: heard.partial.clone(),
            noise: OnceCell::new(),
        }
    }

    /// Kept buckets without a feed: what was read once, for a look at the past. All of it counts as read.
    pub fn offline(
        metric: &'a Metric,
        service: &str,
        metrics: &'a BTreeMap<SeriesKey, Buckets>,
    ) -> Self {
        let from = SeriesKey {
            metric: metric.id.clone(),
            service: service.to_owned(),
            group: String::new(),
            part: Part::Numerator,
            step: 0,
        };
        Self {
            metric,
            parts: metrics
                .range(from..)
                .take_while(|(k, _)| k.metric == metric.id && k.service == service)
                .collect(),
            read_to: Some(i64::MAX),
            feed: Freshness::Fresh,
            cadence: 60,
            partial: None,
            noise: OnceCell::new(),
        }
    }

    fn each(&self, group: Group<'_>, part: Part, step: u64) -> impl Iterator<Item = &'a Buckets> {
        self.parts
            .iter()
            .filter(move |(k, _)| k.part == part && k.step == step && group.holds(&k.group))
            .map(|(_, b)| *b)
    }

    /// Sum over `(from, to]` and how many different buckets had data.
    fn sum(&self, group: Group<'_>, part: Part, step: u64, from: i64, to: i64) -> (f64, usize) {
        if to <= from {
            return (0.0, 0);
        }
        let mut total = 0.0;
        let mut groups = 0;
        let mut count = 0;
        let mut seen = BTreeSet::new();
        for buckets in self.each(group, part, step) {
            groups += 1;
            for (at, value) in buckets.range(from + 1..=to) {
                total += value;
                if groups == 1 {
                    count += 1;
                }
                seen.insert(*at);
            }
        }
        (total, if groups > 1 { seen.len() } else { count })
    }

    /// The base part: what proves that there was traffic at all.
    fn base(&self) -> Part {
        match self.metric.kind {
            MetricKind::Ratio => Part::Denominator,
            _ => Part::Value,
        }
    }

    /// Does this service have no bucket of it at all, neither now nor in the history?
    pub fn bare(&self) -> bool {
        self.parts.iter().all(|(_, b)| b.is_empty())
    }

    /// End of the newest bucket of a group, as far as every part was read. Of a count no series is an answer too: none.
    pub fn newest_of(&self, group: Group<'_>) -> Option<i64> {
        let read_to = self.read_to?;
        if self.metric.kind == MetricKind::Count && read_to < i64::MAX {
            return Some(read_to);
        }
        self.each(group, self.base(), BUCKET)
            .filter_map(|b| b.range(..=read_to).next_back().map(|(at, _)| *at))
            .max()
    }

    /// End of the newest bucket of the service, any group.
    pub fn newest(&self) -> Option<i64> {
        self.newest_of(Group::Whole)
    }

    /// Law 2 for this service: the feed may be fresh while this service's own series stopped.
    pub fn freshness(&self, now: i64) -> Freshness {
        self.feed.max(self.freshness_of(Group::Whole, now))
    }

    /// How old the newest bucket of a group is; fresh where there is none at all, which reads "no data" elsewhere.
    pub fn freshness_of(&self, group: Group<'_>, now: i64) -> Freshness {
        let Some(newest) = self.newest_of(group) else {
            return Freshness::Fresh;
        };
        let age = now - newest;
        if age.saturating_mul(2) <= self.cadence.saturating_mul(3) {
            Freshness::Fresh
        } else if age < self.cadence.saturating_mul(2) {
            Freshness::Aging
        } else {
            Freshness::Stale
        }
    }

    /// Events, totals and how many buckets had a total over `(from, to]`, of all groups, in buckets of that length.
    pub fn totals(&self, step: u64, from: i64, to: i64) -> (f64, f64, usize) {
        let (total, seen) = self.sum(Group::Whole, Part::Denominator, step, from, to);
        let (events, _) = self.sum(Group::Whole, Part::Numerator, step, from, to);
        (events, total, seen)
    }

    /// Counts over `(from, to]` in live buckets; `None` where nothing was seen. A numerator without any bucket is zero:
    /// a service without errors has no error series.
    pub fn counts(&self, group: Group<'_>, from: i64, to: i64) -> Option<Counts> {
        let (total, buckets) = self.sum(group, Part::Denominator, BUCKET, from, to);
        if buckets == 0 {
            return None;
        }
        let (events, _) = self.sum(group, Part::Numerator, BUCKET, from, to);
        Some(Counts::new(events, total).over(buckets as f64))
    }

    /// Counts over `(from, to]`; with fewer events than a baseline needs also over as many minutes before it as it takes, no
    /// further back than `reach` seconds before `to`. A minute of 300 requests at 1 % has three events, and its group a rate
    /// all the same.
    pub fn counts_back(&self, group: Group<'_>, from: i64, to: i64, reach: i64) -> Option<Counts> {
        let near = self.counts(group, from, to)?;
        if near.events >= MIN_BASELINE_EVENTS {
            return Some(near);
        }
        let (mut events, mut total) = (near.events, near.total);
        let mut minutes = near.minutes.unwrap_or(0.0);
        for (_, e, t) in self.pairs(group, BUCKET, to - reach, from).iter().rev() {
            if events >= MIN_BASELINE_EVENTS {
                break;
            }
            (events, total, minutes) = (events + e, total + t, minutes + 1.0);
        }
        Some(Counts::new(events, total).over(minutes))
    }

    /// End of the newest bucket of the service of that length at or before `at`.
    pub fn newest_block(&self, step: u64, at: i64) -> Option<i64> {
        self.each(Group::Whole, self.base(), step)
            .filter_map(|b| b.range(..=at).next_back().map(|(at, _)| *at))
            .max()
    }

    /// How many of the buckets of `(from, to]` have data, and how many there should be.
    pub fn filled(&self, group: Group<'_>, from: i64, to: i64) -> (usize, usize) {
        let expected = usize::try_from((to - from).div_euclid(60)).unwrap_or(0);
        let (_, buckets) = self.sum(group, self.base(), BUCKET, from, to);
        (buckets, expected)
    }

    /// Does every bucket of `(from, to]` have data?
    pub fn whole(&self, group: Group<'_>, from: i64, to: i64) -> bool {
        let (seen, expected) = self.filled(group, from, to);
        expected > 0 && seen >= expected
    }

    /// Points of a series over `(from, to]`: of several groups the worst one counts. What is no number is no point.
    pub fn points(&self, group: Group<'_>, from: i64, to: i64) -> Vec<(i64, f64)> {
        let worse = |a: f64, b: f64| match self.metric.direction {
            Direction::LowerIsBetter => a.max(b),
            Direction::HigherIsBetter => a.min(b),
        };
        self.merged(group, Part::Value, BUCKET, from, to, worse)
    }

    /// Buckets of one part over `(from, to]`, several groups joined by `join`, ascending.
    fn merged(
        &self,
        group: Group<'_>,
        part: Part,
        step: u64,
        from: i64,
        to: i64,
        join: impl Fn(f64, f64) -> f64,
    ) -> Vec<(i64, f64)> {
        if to <= from {
            return Vec::new();
        }
        let mut out: Vec<(i64, f64)> = Vec::new();
        for buckets in self.each(group, part, step) {
            out.extend(
                buckets
                    .range(from + 1..=to)
                    .filter(|(_, v)| v.is_finite())
                    .map(|(at, v)| (*at, *v)),
            );
        }
        out.sort_by_key(|(at, _)| *at);
        out.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1 = join(a.1, b.1);
            }
            same
        });
        out
    }

    /// Events and totals over `(from, to]`, bucket by bucket of that length; buckets without a total are left out.
    fn pairs(&self, group: Group<'_>, step: u64, from: i64, to: i64) -> Vec<(i64, f64, f64)> {
        let add = |a: f64, b: f64| a + b;
        let events = self.merged(group, Part::Numerator, step, from, to, add);
        let totals = self.merged(group, Part::Denominator, step, from, to, add);
        let mut left = events.into_iter().peekable();
        totals
            .into_iter()
            .map(|(at, total)| {
                while left.next_if(|(t, _)| *t < at).is_some() {}
                let seen = left.next_if(|(t, _)| *t == at).map_or(0.0, |(_, v)| v);
                (at, seen, total)
            })
            .collect()
    }

    /// Rate per bucket of a ratio, or the series itself, for the chart.
    pub fn line(&self, group: Group<'_>, from: i64, to: i64) -> Vec<(i64, f64)> {
        if self.metric.kind != MetricKind::Ratio {
            return self.points(group, from, to);
        }
        self.pairs(group, BUCKET, from, to)
            .into_iter()
            .filter(|(_, _, total)| *total > 0.0)
            .map(|(at, events, total)| (at, events / total))
            .collect()
    }

    /// The whole service in ten-minute points over `(from, to]`: a ratio's rate, or the worst of the block.
    pub fn far_line(&self, from: i64, to: i64) -> Vec<(i64, f64)> {
        if self.metric.kind == MetricKind::Ratio {
            return self
                .pairs(Group::Whole, BLOCK, from, to)
                .into_iter()
                .filter(|(_, _, total)| *total > 0.0)
                .map(|(at, events, total)| (at, events / total))
                .collect();
        }
        self.merged(
            Group::Whole,
            Part::Value,
            BLOCK,
            from,
            to,
            |a, b| match self.metric.direction {
                Direction::LowerIsBetter => a.max(b),
                Direction::HigherIsBetter => a.min(b),
            },
        )
    }

    /// Noise of the whole service from the seven days before `until`, in days of 24 hours. Reckoned once. Groups beside each
    /// other may share it; what was counted at another time never does.
    pub fn noise(&self, until: i64, kind: BaselineKind) -> Noise {
        if self.metric.shared_noise && kind == BaselineKind::Concurrent {
            return Noise::Shared;
        }
        let (at, noise) = self
            .noise
            .get_or_init(|| (until, self.measure_noise(until)));
        if *at == until {
            *noise
        } else {
            self.measure_noise(until)
        }
    }

    fn measure_noise(&self, until: i64) -> Noise {
        let mut days: BTreeMap<i64, Vec<Block>> = BTreeMap::new();
        for (at, events, total) in self.pairs(Group::Whole, BLOCK, until - 7 * DAY, until) {
            let day = (until - at).div_euclid(DAY);
            days.entry(day).or_default().push(Block { events, total });
        }
        let days: Vec<Vec<Block>> = days.into_values().collect();
        Noise::from_history(&days)
    }

    /// Counts of the hour that ends at `end`, off the blocks of the history; `None` where one of them is missing.
    pub fn hour(&self, end: i64) -> Option<Counts> {
        let from = end - HOUR;
        let (total, seen) = self.sum(Group::Whole, Part::Denominator, BLOCK, from, end);
        if (seen as i64) < HOUR / BLOCK_SECONDS {
            return None;
        }
        let (events, _) = self.sum(Group::Whole, Part::Numerator, BLOCK, from, end);
        Some(Counts::new(events, total).over(HOUR as f64 / 60.0))
    }

    /// How many things a count metric saw in the span, and in the same span of each of the seven days before. A bucket without a
    /// value is none where `beside`, a ratio of the same store, shows that the store looked then; else the span does not count.
    pub fn things(
        &self,
        deployed: i64,
        from: i64,
        to: i64,
        beside: Option<&Data<'_>>,
    ) -> (Option<u64>, Vec<u64>) {
        let number = |v: f64| (v.is_finite() && v >= 0.0).then(|| v.round() as u64);
        let count = |step: u64, from: i64, to: i64| {
            let (total, seen) = self.sum(Group::Whole, Part::Value, step, from, to);
            let expected = (to - from).div_euclid(i64::try_from(step).unwrap_or(60));
            let whole = expected > 0 && seen as i64 >= expected;
            let looked = whole || beside.is_some_and(|d| d.recorded(step, from, to));
            number(total).filter(|_| looked)
        };
        let read = self.read_to.is_some_and(|t| t >= to);
        let now = count(BUCKET, from, to).filter(|_| read);
        // A span shorter than a block has no equal in the history: the whole blocks bound it from above.
        let earlier = spans_before(deployed, to, to - from)
            .into_iter()
            .filter_map(|(a, b)| count(BLOCK, a, b))
            .collect();
        (now, earlier)
    }

    /// Was there traffic on record in nearly every bucket of the span?
    fn recorded(&self, step: u64, from: i64, to: i64) -> bool {
        let (_, seen) = self.sum(Group::Whole, self.base(), step, from, to);
        let expected = (to - from).div_euclid(i64::try_from(step).unwrap_or(60));
        expected > 0 && seen as f64 >= expected as f64 * LOOKED
    }
}

/// The span that ends at `until`'s time of day on each of the seven days before `deployed`, in whole blocks.
fn spans_before(deployed: i64, until: i64, span: i64) -> Vec<(i64, i64)> {
    let length = ((span + BLOCK_SECONDS / 2).div_euclid(BLOCK_SECONDS)).max(1) * BLOCK_SECONDS;
    let end = until.div_euclid(BLOCK_SECONDS) * BLOCK_SECONDS;
    // Rounded down it may lie before the deployment, and still be the same day's.
    let first = (end - deployed + DAY - 1).div_euclid(DAY).max(1);
    (first..first + 7)
        .map(|day| (end - day * DAY - length, end - day * DAY))
        .collect()
}
