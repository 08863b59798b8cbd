//! The metrics of the world: counters per service, environment and track, drawn an hour at a time from (seed, series, hour).
//!
//! Requests are Poisson around a daily curve with minute noise (5 % on the error ratio, 3 % on traffic) and day effects (4 %),
//! inside what the judge's guarantee covers. Before the story's hour a counter moves in 60 s grains, from then on in 15 s grains,
//! so that a roll-out or a roll-back shows within seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{Datelike, Duration, Offset, TimeZone};

use super::noise::{self, Word};
use super::scenario::{Multipliers, Scenario};
use super::shop::Service;
use super::state::{App, Live, STAGING};
use super::timeline::Timeline;
use crate::domain::time::Instant;

/// Days of history before the story.
pub const HISTORY_DAYS: i64 = 9;
/// Seconds between two samples of a series; a query sees nothing newer than the last one.
pub const SCRAPE_S: i64 = 15;
/// Upper edges of the duration histogram, seconds, as the `le` label shows them.
pub const EDGES: [&str; 14] = [
    "0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.8", "1", "1.5", "2.5", "5", "10", "+Inf",
];
/// Status codes that are counted.
pub const CODES: [&str; 4] = ["200", "404", "500", "503"];
/// Share of traffic that staging sees.
const STAGING_SHARE: f64 = 0.02;
/// Share of requests for what does not exist.
const NOT_FOUND: f64 = 0.012;

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Requests by status code; columns as in [`CODES`].
    Requests,
    /// Requests by duration; columns cumulative as in [`EDGES`].
    Durations,
    /// Carts opened, orders placed.
    Business,
}

impl Family {
    fn columns(self) -> usize {
        match self {
            Self::Requests => CODES.len(),
            Self::Durations => EDGES.len(),
            Self::Business => 2,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Durations => "durations",
            Self::Business => "business",
        }
    }
}

/// One group of counters that are drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Index of the service.
    pub service: usize,
    /// Staging instead of production.
    pub staging: bool,
    /// The canary instead of the stable pods.
    pub canary: bool,
    /// What is counted.
    pub family: Family,
}

/// An hour of counters: running sums at every grain, all columns of a grain together.
#[derive(Debug)]
struct Hour {
    grain_s: i64,
    columns: usize,
    sums: Vec<f32>,
}

impl Hour {
    /// The sum of `column` from the hour's start to `second` within it, linear inside a grain.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation
    )] // 0..=3600
    fn upto(&self, column: usize, second: f64) -> f64 {
        let place = (second / self.grain_s as f64).max(0.0);
        let whole = place.floor();
        let index = whole as usize;
        let low = self.sum(index, column);
        let high = self.sum(index + 1, column);
        low + (high - low) * (place - whole)
    }

    fn sum(&self, grain: usize, column: usize) -> f64 {
        let last = self.sums.len() / self.columns.max(1);
        let at = grain.min(last.saturating_sub(1)) * self.columns + column;
        f64::from(self.sums.get(at).copied().unwrap_or(0.0))
    }
}

/// The metrics: draws hours and keeps those that are over.
#[derive(Debug)]
pub struct Metrics {
    scenario: Arc<Scenario>,
    fine_from: i64,
    kept: Mutex<HashMap<(Group, i64), Arc<Hour>>>,
}

/// How many hours are kept before the memory is emptied (at most 27 MB).
const KEPT_HOURS: usize = 8_000;

impl Metrics {
    /// The metrics of a scenario.
    #[must_use]
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let fine_from = scenario.starts.timestamp().div_euclid(3600);
        Self {
            scenario,
            fine_from,
            kept: Mutex::new(HashMap::new()),
        }
    }

    /// The first moment that has data.
    #[must_use]
    pub fn first(&self) -> Instant {
        self.scenario.starts - Duration::days(HISTORY_DAYS)
    }

    /// A reader for one query at world time `now`, over these timelines.
    #[must_use]
    pub fn reader<'a>(
        &'a self,
        timelines: &'a std::collections::BTreeMap<String, Timeline>,
        now: Instant,
    ) -> Reader<'a> {
        let horizon = now.timestamp().div_euclid(SCRAPE_S) * SCRAPE_S;
        Reader {
            metrics: self,
            timelines,
            horizon,
            hours: HashMap::new(),
        }
    }

    /// The error multiplier that production's canary (or else its stable version) of `service` has at `at`: what the alert rule sees.
    #[must_use]
    pub fn harm(
        &self,
        timelines: &std::collections::BTreeMap<String, Timeline>,
        service: &str,
        at: Instant,
    ) -> f64 {
        let Some(app) = timelines.get(service).and_then(|timeline| timeline.at(at)) else {
            return 1.0;
        };
        match &app.rollout.canary {
            Some(canary) if app.rollout.weight > 0 => self.effect(service, canary, at).errors,
            _ => self.effect(service, &app.rollout.stable, at).errors,
        }
    }

    #[allow(clippy::cast_precision_loss)] // seconds of days
    fn effect(&self, service: &str, live: &Live, at: Instant) -> Multipliers {
        self.scenario.effect(
            service,
            &live.version,
            (at - live.since).num_seconds() as f64 / 60.0,
        )
    }

    fn draw(&self, group: Group, hour: i64, timeline: Option<&Timeline>) -> Hour {
        let grain_s = if hour >= self.fine_from { SCRAPE_S } else { 60 };
        let columns = group.family.columns();
        let mut sums = vec![0.0_f32; columns];
        let Some(service) = self.scenario.services.get(group.service) else {
            return Hour {
                grain_s,
                columns,
                sums,
            };
        };
        let env = if group.staging {
            "staging"
        } else {
            "production"
        };
        let track = if group.canary { "canary" } else { "stable" };
        let name = format!("{}/{env}/{track}", service.name);
        let mut counts = noise::stream(
            self.scenario.seed,
            noise::key(&format!("{name}/{}", group.family.word())),
            hour,
        );
        let mut jitter = noise::stream(self.scenario.seed, noise::key(&name), hour);
        let shared = Shared::new(&self.scenario, service, group.staging, hour);
        let mut running = vec![0.0_f64; columns];
        let mut minute = (-1, jitter.word());
        for grain in 0..3600 / grain_s {
            let second = grain * grain_s;
            if second / 60 != minute.0 {
                minute = (
                    second / 60,
                    if minute.0 < 0 {
                        minute.1
                    } else {
                        jitter.word()
                    },
                );
            }
            let at =
                Instant::from_timestamp(hour * 3600 + second + grain_s / 2, 0).unwrap_or_default();
            let means = self.means(group, service, timeline, &shared, at, minute.1);
            let mut below = 0.0;
            for (column, total) in running.iter_mut().enumerate() {
                let word = counts.word();
                #[allow(clippy::cast_precision_loss)] // 15 or 60
                let count = word.count(means.get(column).copied().unwrap_or(0.0) * grain_s as f64);
                // Histogram columns are cumulative: an edge counts all that is faster.
                below = if group.family == Family::Durations {
                    below + count
                } else {
                    count
                };
                *total += below;
            }
            #[allow(clippy::cast_possible_truncation)] // an hour's counts stay below 2^24
            sums.extend(running.iter().map(|total| *total as f32));
        }
        Hour {
            grain_s,
            columns,
            sums,
        }
    }

    /// Expected events a second, per column.
    fn means(
        &self,
        group: Group,
        service: &Service,
        timeline: Option<&Timeline>,
        shared: &Shared,
        at: Instant,
        minute: Word,
    ) -> Vec<f64> {
        let Some(app) = timeline.and_then(|timeline| timeline.at(at)) else {
            return Vec::new();
        };
        let Some((live, share)) = serving(app, group.canary) else {
            return Vec::new();
        };
        let effect = if group.staging {
            Multipliers::default()
        } else {
            self.effect(&service.name, live, at)
        };
        let (traffic_z, error_z) = minute.normals();
        let rate = shared.rate(at) * share * (0.03 * traffic_z).exp();
        match group.family {
            Family::Requests => {
                let errors = (service.errors
                    * shared.errors
                    * effect.errors
                    * (0.05 * error_z - 0.00125).exp())
                .min(0.9);
                vec![
                    rate * (1.0 - errors - NOT_FOUND).max(0.0),
                    rate * NOT_FOUND,
                    rate * errors * 0.7,
                    rate * errors * 0.3,
                ]
            }
            Family::Durations => {
                let scale = service.p50_ms / 1000.0
                    * shared.latency
                    * effect.latency
                    * (0.01 * error_z).exp();
                let mut before = 0.0;
                EDGES
                    .iter()
                    .map(|edge| {
                        let upto = edge
                            .parse::<f64>()
                            .map_or(1.0, |edge| faster(edge, scale, service.sigma));
                        let part = (upto - before).max(0.0);
                        before = upto;
                        rate * part
                    })
                    .collect()
            }
            Family::Business => {
                let carts = service.carts / service.rps.max(f64::EPSILON) * rate;
                vec![
                    carts,
                    carts
                        * (service.conversion * effect.conversion * (0.02 * error_z).exp())
                            .min(1.0),
                ]
            }
        }
    }
}

/// Which version a track runs and with which share of the traffic; `None` while the track has no pods.
fn serving(app: &App, canary: bool) -> Option<(&Live, f64)> {
    let rollout = &app.rollout;
    let part = rollout
        .canary
        .as_ref()
        .map_or(0.0, |_| f64::from(rollout.weight) / 100.0);
    if canary {
        rollout
            .canary
            .as_ref()
            .filter(|_| part > 0.0)
            .map(|live| (live, part))
    } else {
        Some((&rollout.stable, 1.0 - part)).filter(|(_, share)| *share > 0.0)
    }
}

/// P(duration < edge) of a log-normal with median `scale` seconds.
fn faster(edge: f64, scale: f64, sigma: f64) -> f64 {
    0.5 * statrs::function::erf::erfc(-(edge / scale).ln() / (sigma * std::f64::consts::SQRT_2))
}

/// What all tracks of a service share within an hour.
struct Shared {
    rps: f64,
    errors: f64,
    latency: f64,
    weekend: bool,
    offset_s: i64,
}

impl Shared {
    fn new(scenario: &Scenario, service: &Service, staging: bool, hour: i64) -> Self {
        let at = Instant::from_timestamp(hour * 3600, 0).unwrap_or_default();
        let local = scenario.timezone.from_utc_datetime(&at.naive_utc());
        let day = i64::from(local.num_days_from_ce());
        let mut words = noise::stream(scenario.seed, noise::key(&service.name), day);
        let (traffic, errors) = words.word().normals();
        let (latency, _) = words.word().normals();
        Self {
            rps: service.rps * (0.04 * traffic).exp() * if staging { STAGING_SHARE } else { 1.0 },
            errors: (0.04 * errors).exp(),
            latency: (0.015 * latency).exp(),
            weekend: local.weekday().number_from_monday() > 5,
            offset_s: i64::from(local.offset().fix().local_minus_utc()),
        }
    }

    /// Requests a second at `at`: a day's curve with its low at 4 and its high at 16 local time, weekends a fifth lower.
    #[allow(clippy::cast_precision_loss)] // seconds of a day
    fn rate(&self, at: Instant) -> f64 {
        let second = (at.timestamp() + self.offset_s).rem_euclid(86_400) as f64;
        let turn = std::f64::consts::TAU * (second / 86_400.0 - 16.0 / 24.0);
        let curve = 1.0 + 0.5 * turn.cos() + 0.12 * (2.0 * turn).cos();
        self.rps * curve * if self.weekend { 0.8 } else { 1.0 }
    }
}

/// Reads counters for one query; see [`Metrics::reader`].
pub struct Reader<'a> {
    metrics: &'a Metrics,
    timelines: &'a std::collections::BTreeMap<String, Timeline>,
    horizon: i64,
    hours: HashMap<(Group, i64), Arc<Hour>>,
}

impl Reader<'_> {
    /// Unix seconds of the newest sample.
    #[must_use]
    pub fn horizon(&self) -> i64 {
        self.horizon
    }

    /// The services of the world.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.metrics.scenario.services
    }

    /// How much the counter in `column` of `group` grew in `(from, to]` (Unix seconds); `None` where there is no sample, because
    /// the span lies outside the data or the track had no pods in it.
    pub fn increase(&mut self, group: Group, column: usize, from: f64, to: f64) -> Option<f64> {
        #[allow(clippy::cast_precision_loss)] // seconds since 1970
        let (first, last) = (self.metrics.first().timestamp() as f64, self.horizon as f64);
        let (from, to) = (from.max(first), to.min(last));
        if from >= to || !self.present(group, from, to) {
            return None;
        }
        Some(self.upto(group, column, to, from) - self.upto(group, column, from, from))
    }

    /// The counter's sum from the start of the hour of `base` to `at`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // hours since 1970
    fn upto(&mut self, group: Group, column: usize, at: f64, base: f64) -> f64 {
        let (first, last) = ((base / 3600.0).floor() as i64, (at / 3600.0).floor() as i64);
        let whole: f64 = (first..last)
            .map(|hour| self.hour(group, hour).upto(column, 3600.0))
            .sum();
        whole
            + self
                .hour(group, last)
                .upto(column, at - last as f64 * 3600.0)
    }

    /// Whether the group's pods existed at some moment of the span.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // seconds since 1970
    pub fn present(&self, group: Group, from: f64, to: f64) -> bool {
        if !group.canary {
            return true;
        }
        let (from, to) = (from as i64, to as i64);
        let Some(timeline) = self.timeline(group) else {
            return false;
        };
        let states = timeline.states();
        let ends = states
            .iter()
            .skip(1)
            .map(|(at, _)| at.timestamp())
            .chain(std::iter::once(i64::MAX));
        states.iter().zip(ends).any(|((start, app), end)| {
            start.timestamp() < to && end > from && serving(app, true).is_some()
        })
    }

    fn timeline(&self, group: Group) -> Option<&Timeline> {
        let service = self.services().get(group.service)?;
        let suffix = if group.staging { STAGING } else { "" };
        self.timelines.get(&format!("{}{suffix}", service.name))
    }

    fn hour(&mut self, group: Group, hour: i64) -> Arc<Hour> {
        if let Some(known) = self.hours.get(&(group, hour)) {
            return Arc::clone(known);
        }
        let over = (hour + 1) * 3600 <= self.horizon;
        let kept = || {
            self.metrics
                .kept
                .lock()
                .unwrap_or_else(|lock| lock.into_inner())
        };
        let stored = if over {
            kept().get(&(group, hour)).cloned()
        } else {
            None
        };
        let found = stored.unwrap_or_else(|| {
            let drawn = Arc::new(self.metrics.draw(group, hour, self.timeline(group)));
            if over {
                let mut kept = kept();
                if kept.len() >= KEPT_HOURS {
                    kept.clear();
                }
                kept.insert((group, hour), Arc::clone(&drawn));
            }
            drawn
        });
        self.hours.insert((group, hour), Arc::clone(&found));
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::cast_precision_loss
    )]
    use super::*;
    use crate::demo::opening::initial;

    const STABLE: Group = Group {
        service: 0,
        staging: false,
        canary: false,
        family: Family::Requests,
    };

    fn world() -> (Arc<Scenario>, Metrics) {
        let scenario = Arc::new(Scenario::load("regression").unwrap());
        (Arc::clone(&scenario), Metrics::new(scenario))
    }

    #[test]
    fn a_bucket_is_the_same_alone_and_in_company() {
        let (scenario, metrics) = world();
        let timelines = initial(&scenario);
        let to = (scenario.starts - Duration::days(3)).timestamp() as f64;
        let alone = Metrics::new(Arc::clone(&scenario))
            .reader(&timelines, scenario.opens)
            .increase(STABLE, 2, to - 60.0, to);
        let mut reader = metrics.reader(&timelines, scenario.opens);
        let many: Vec<_> = (0..600)
            .rev()
            .map(|k| {
                reader.increase(
                    STABLE,
                    2,
                    to - 60.0 * f64::from(k + 1),
                    to - 60.0 * f64::from(k),
                )
            })
            .collect();
        assert_eq!(many.last().unwrap(), &alone);
        assert!(alone.unwrap() > 0.0);
        let parts: f64 = many.iter().flatten().sum();
        let whole = reader.increase(STABLE, 2, to - 36_000.0, to).unwrap();
        assert!((parts - whole).abs() < 0.5, "{parts} {whole}");
    }

    #[test]
    fn another_seed_is_another_world() {
        let (scenario, metrics) = world();
        let mut other = Scenario::clone(&scenario);
        other.seed += 1;
        let timelines = initial(&scenario);
        let to = scenario.starts.timestamp() as f64;
        let other = Metrics::new(Arc::new(other));
        let one = metrics
            .reader(&timelines, scenario.opens)
            .increase(STABLE, 2, to - 600.0, to);
        assert_ne!(
            one,
            other
                .reader(&timelines, scenario.opens)
                .increase(STABLE, 2, to - 600.0, to)
        );
    }

    #[test]
    fn nothing_lies_in_the_future_nor_before_history() {
        let (scenario, metrics) = world();
        let timelines = initial(&scenario);
        let mut reader = metrics.reader(&timelines, scenario.opens);
        let now = scenario.opens.timestamp() as f64;
        assert_eq!(reader.increase(STABLE, 0, now + 1.0, now + 61.0), None);
        let first = metrics.first().timestamp() as f64;
        assert_eq!(
            reader.increase(STABLE, 0, first - 120.0, first - 60.0),
            None
        );
        assert_eq!(
            reader.increase(
                Group {
                    canary: true,
                    ..STABLE
                },
                0,
                now - 60.0,
                now
            ),
            None,
            "no canary, no series"
        );
    }

    #[test]
    fn the_error_ratio_is_calm_before_the_story() {
        let (scenario, metrics) = world();
        let timelines = initial(&scenario);
        let mut reader = metrics.reader(&timelines, scenario.opens);
        let service = &scenario.services[0];
        for day in 1..8 {
            let to = (scenario.starts - Duration::days(day)).timestamp() as f64;
            let all: f64 = (0..4)
                .map(|c| reader.increase(STABLE, c, to - 3600.0, to).unwrap())
                .sum();
            let bad: f64 = (2..4)
                .map(|c| reader.increase(STABLE, c, to - 3600.0, to).unwrap())
                .sum();
            let ratio = bad / all / service.errors;
            assert!((0.85..1.17).contains(&ratio), "day {day}: {ratio}");
        }
    }
}
