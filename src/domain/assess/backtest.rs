//! Today's triggers over the history: when each would have tripped, for how long, and what the journal knows of it. A poll and a
//! standing are judged by the same poll, as live.
//!
//! A trigger is armed from a deployment on, so the history is cut into watches: one from each deployment that the journal knows,
//! and where it knows of none for the length of a watch, one as if the service had been deployed then. Each watch has the hour
//! before it for its baseline and the seven days before it for its noise.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Body, Event, StepKind};
use crate::domain::judge::{BaselineKind, PollState};
use crate::domain::observe::{Buckets, SeriesKey};
use crate::domain::policy::{Metric, Policy, Service, Trigger};
use crate::domain::record::DeployState;
use crate::domain::time::Instant;

use super::data::{Data, Group};
use super::poll::{Ground, Poll, look_back, poll, stand};
use super::rollout::ceil_minute;

/// A trip is confirmed by what the journal has of the service within this many seconds before its begin or after its end.
const NEAR: i64 = 3600;
/// Trips that are kept one by one.
const KEPT: usize = 200;

/// What the journal knows of one service in one environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// When a deployment of a new version began, oldest first.
    pub deployments: Vec<Instant>,
    /// What speaks for a trip: when, and what it was.
    pub harm: Vec<(Instant, String)>,
}

impl Known {
    /// Read off the events, oldest first; incidents count for every service of their release.
    #[must_use]
    pub fn of(events: &[Event], policy: &Policy, service: &str, environment: &str) -> Self {
        let mut out = Self::default();
        let mut versions: Option<String> = None;
        for event in events {
            match &event.body {
                Body::DeploymentSeen {
                    service: s,
                    environment: e,
                    version,
                    state,
                    started_at,
                    ..
                } if s == service && e == environment => {
                    if versions.as_deref() != Some(version) {
                        out.deployments.push(started_at.unwrap_or(event.at));
                        versions = Some(version.clone());
                    }
                    if matches!(state, DeployState::Failed) {
                        out.harm
                            .push((event.at, format!("failed deployment of {version}")));
                    }
                }
                Body::PlanStarted { plan } => {
                    let own = plan.steps.iter().any(|step| {
                        matches!(step.kind, StepKind::Act { .. })
                            && step.service == service
                            && step.environment == environment
                    });
                    if own {
                        out.harm.push((event.at, "rollback".to_owned()));
                    }
                }
                Body::IncidentDeclared { title, .. } => {
                    let release = event.release.as_deref();
                    if concerns(events, policy, release, service) {
                        out.harm.push((event.at, format!("incident {title}")));
                    }
                }
                _ => {}
            }
        }
        out.deployments.sort_unstable();
        out.harm.sort_unstable();
        out
    }

    /// What the journal has near a span.
    fn near(&self, from: i64, to: i64) -> Option<String> {
        self.harm
            .iter()
            .find(|(at, _)| {
                let at = at.timestamp();
                at >= from - NEAR && at <= to + NEAR
            })
            .map(|(at, what)| format!("{what} at {} UTC", at.format("%Y-%m-%d %H:%M")))
    }
}

/// Does that release change the service? Of one that is known nowhere any more, nothing is said.
fn concerns(events: &[Event], policy: &Policy, release: Option<&str>, service: &str) -> bool {
    let Some(id) = release else {
        return false;
    };
    let planned = events.iter().rev().find_map(|e| match &e.body {
        Body::ReleasePlanned { plan } if plan.id == id => Some(plan),
        _ => None,
    });
    planned
        .or_else(|| policy.release(id))
        .is_some_and(|r| r.changes.iter().any(|c| c.service == service))
}

/// One trip that would have been.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastTrip {
    /// When it would have tripped.
    pub at: Instant,
    /// When it would have been clear again, or its watch ended.
    pub until: Instant,
    /// Still tripped when its watch ended.
    pub open: bool,
    /// The farthest that it was, in the limit's unit, and the limit then.
    pub worst: Option<(f64, f64)>,
    /// What the journal has near it: an incident, a rollback or a failed deployment of that service. `None`: not confirmed.
    pub confirmed_by: Option<String>,
}

/// One trigger over the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastTrigger {
    /// Service.
    pub service: String,
    /// Trigger id.
    pub trigger: String,
    /// Watches that were looked at.
    pub watches: u32,
    /// Of these, begun by a deployment that the journal knows; the others as if the service had been deployed then.
    pub deployed: u32,
    /// Minutes judged.
    pub minutes: u64,
    /// Of these, minutes in which it could not be told.
    pub untold: u64,
    /// Why it could not, the commonest reason.
    pub why: Option<String>,
    /// Trips in all.
    pub trips: u32,
    /// Trips with an incident, a rollback or a failed deployment near them.
    pub confirmed: u32,
    /// The first of them, one by one.
    pub each: Vec<PastTrip>,
}

impl PastTrigger {
    /// Trips that the journal knows no reason for.
    #[must_use]
    pub fn not_confirmed(&self) -> u32 {
        self.trips - self.confirmed
    }
}

/// Where the numbers of a backtest come from.
pub struct History<'a> {
    /// Buckets by series: minutes, and ten-minute blocks.
    pub metrics: &'a BTreeMap<SeriesKey, Buckets>,
    /// Begin and end, Unix seconds.
    pub span: (i64, i64),
    /// Length of a watch, seconds.
    pub watch: i64,
}

/// Runs one trigger of a service over the history.
#[must_use]
pub fn backtest(
    history: &History<'_>,
    metric: &Metric,
    service: &Service,
    trigger: &Trigger,
    known: &Known,
) -> PastTrigger {
    let mut out = PastTrigger {
        service: service.name.clone(),
        trigger: trigger.id.clone(),
        watches: 0,
        deployed: 0,
        minutes: 0,
        untold: 0,
        why: None,
        trips: 0,
        confirmed: 0,
        each: Vec::new(),
    };
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for (begin, end, real) in watches(history, known) {
        out.watches += 1;
        out.deployed += u32::from(real);
        let data = Data::offline(metric, &service.name, history.metrics);
        let ground = Ground {
            data: &data,
            slo: service.slo.get(&metric.id).copied(),
            new: Group::Whole,
            old: Group::Whole,
            kind: BaselineKind::Hour,
            week: None,
            since: ceil_minute(begin),
            deployed: begin,
        };
        one(&ground, trigger, end, known, &mut out, &mut reasons);
    }
    out.why = reasons
        .into_iter()
        .max_by_key(|(_, n)| *n)
        .map(|(why, _)| why);
    out
}

/// One watch, minute by minute.
fn one(
    ground: &Ground<'_, '_>,
    trigger: &Trigger,
    end: i64,
    known: &Known,
    out: &mut PastTrigger,
    reasons: &mut BTreeMap<String, u64>,
) {
    let wanted = look_back(trigger);
    let mut polls: VecDeque<Poll> = VecDeque::new();
    let mut trip: Option<(i64, Option<(f64, f64)>)> = None;
    let mut at = ground.since + 60;
    while at <= end {
        let poll = poll(ground, trigger, at);
        out.minutes += 1;
        if let PollState::Undecided { why } = &poll.state {
            out.untold += 1;
            *reasons.entry(why.clone()).or_default() += 1;
        }
        let seen = poll.value.zip(poll.limit);
        polls.push_back(poll);
        if polls.len() > wanted {
            polls.pop_front();
        }
        let standing = stand(trigger, polls.make_contiguous(), trip.is_some());
        trip = match (trip.take(), standing.tripped) {
            (None, true) => Some((at, seen)),
            (Some((began, worst)), true) => Some((began, farther(trigger, worst, seen))),
            (Some((began, worst)), false) => {
                ended(out, known, (began, at), worst, false);
                None
            }
            (None, false) => None,
        };
        at += 60;
    }
    if let Some((began, worst)) = trip {
        ended(out, known, (began, end), worst, true);
    }
}

fn farther(
    trigger: &Trigger,
    worst: Option<(f64, f64)>,
    seen: Option<(f64, f64)>,
) -> Option<(f64, f64)> {
    let Some(was) = worst else {
        return seen;
    };
    let above = trigger.above || !trigger.burn.is_empty();
    Some(seen.filter(|is| (is.0 > was.0) == above).unwrap_or(was))
}

fn ended(
    out: &mut PastTrigger,
    known: &Known,
    (began, until): (i64, i64),
    worst: Option<(f64, f64)>,
    open: bool,
) {
    let confirmed_by = known.near(began, until);
    out.trips += 1;
    out.confirmed += u32::from(confirmed_by.is_some());
    let time = |t: i64| chrono::DateTime::from_timestamp(t, 0);
    if let (Some(at), Some(until)) = (time(began), time(until))
        && out.each.len() < KEPT
    {
        out.each.push(PastTrip {
            at,
            until,
            open,
            worst,
            confirmed_by,
        });
    }
}

/// Begin, end and whether the journal knows the deployment that began it.
fn watches(history: &History<'_>, known: &Known) -> Vec<(i64, i64, bool)> {
    let (from, to) = history.span;
    let length = history.watch.max(3600);
    let mut starts: Vec<i64> = known
        .deployments
        .iter()
        .map(Instant::timestamp)
        .filter(|t| *t > from && *t < to)
        .collect();
    starts.dedup();
    starts.push(to);
    let mut out = Vec::new();
    let mut at = from;
    let mut real = false;
    for next in starts {
        while at < next {
            let end = (at + length).min(next);
            out.push((at, end, real));
            real = false;
            at = end;
        }
        real = true;
    }
    out
}
