//! Triggers: agreed conditions that call for rollback, with their distance at all times (SEMANTICS 7).
//!
//! A poll is the end of a 60 s bucket, so that a trigger's history is read off the data and not off this process's
//! memory: after a restart it stands where it stood.

use chrono::Duration;

use crate::domain::judge::{self, BaselineKind, Counts, PollInput, PollState, Side};
use crate::domain::policy::{Limit, MetricKind, Service, Trigger};
use crate::domain::situation::{Evidence, Mark, Tone, TriggerView};
use crate::domain::time;

use super::data::Data;
use super::metrics::{Setting, baseline, clock_of, setting};
use super::rollout::Rollout;
use super::{Proofs, View};

/// The sealed triggers of a service, else those of the file.
pub(super) fn sealed(view: &View<'_>, service: &Service) -> Vec<Trigger> {
    view.state
        .and_then(|s| s.contract.as_ref())
        .and_then(|(_, c, _)| c.triggers.get(&service.name))
        .cloned()
        .unwrap_or_else(|| service.triggers.clone())
}

/// Every trigger of the current release's services.
pub(super) fn all(view: &View<'_>, proofs: &mut Proofs) -> Vec<TriggerView> {
    let mut out = Vec::new();
    for rollout in &view.rollouts {
        for trigger in sealed(view, rollout.service) {
            let one = one(view, rollout, &trigger);
            proofs.insert(one.id.clone(), prove(&one, &trigger));
            out.push(one);
        }
    }
    out
}

/// One poll as far as it concerns the trigger.
#[derive(Clone, Debug)]
struct Poll {
    state: PollState,
    value: Option<f64>,
    limit: Option<f64>,
    reach: Option<String>,
}

fn one(view: &View<'_>, rollout: &Rollout<'_>, trigger: &Trigger) -> TriggerView {
    let service = rollout.service;
    let key = (service.name.clone(), trigger.id.clone());
    let trip = view.state.and_then(|s| s.trips.get(&key));
    let mut out = TriggerView {
        id: format!("trigger/{}/{}", service.name, trigger.id),
        service: service.name.clone(),
        trigger: trigger.id.clone(),
        metric: trigger.metric.clone(),
        then: trigger.then,
        mark: Mark::new("not run", Tone::Unknown),
        tripped: trip.is_some_and(|t| t.cleared.is_none()),
        tripped_at: trip.filter(|t| t.cleared.is_none()).map(|t| t.at),
        distance: String::new(),
        share: None,
        held: (0, trigger.hold_for),
        undecided: None,
    };
    match polls(view, rollout, trigger) {
        Err(why) => {
            out.distance.clone_from(&why);
            if rollout.started().is_some() {
                out.mark = Mark::new("undecided", Tone::Unknown);
                out.undecided = Some(why);
            }
        }
        Ok((polls, count)) => judge_polls(view, trigger, &polls, count, &mut out),
    }
    if out.tripped {
        out.mark = Mark::new("TRIPPED", Tone::Fail);
    }
    out
}

/// The polls of the last `for`, newest first, and how many there are when the clean start lies far enough back.
fn polls(
    view: &View<'_>,
    rollout: &Rollout<'_>,
    trigger: &Trigger,
) -> Result<(Vec<Poll>, usize), String> {
    let metric = view
        .policy
        .metric(&trigger.metric)
        .ok_or_else(|| format!("metric {} is gone from the file", trigger.metric))?;
    rollout
        .started()
        .ok_or_else(|| "armed when the deployment starts".to_owned())?;
    let data = view
        .data(&rollout.service.name, &metric.id)
        .ok_or_else(|| format!("{} was never read", metric.id))?;
    let freshness = data.freshness(view.at().timestamp());
    if !freshness.usable() {
        return Err(format!("{}: {}", metric.id, freshness.word()));
    }
    if let Some(why) = &data.partial {
        return Err(format!("{}: partial answer: {why}", metric.id));
    }
    let set = setting(view, data, rollout).map_err(|v| v.why().unwrap_or("no data").to_owned())?;
    let hold = i64::try_from(trigger.hold_for).unwrap_or(i64::MAX);
    // Held for five minutes means breached at both ends of them: six polls a minute apart.
    let count = usize::try_from(hold / 60 + 1).unwrap_or(usize::MAX);
    let polls: Vec<Poll> = (0..count)
        .map(|i| set.until - i64::try_from(i).unwrap_or(i64::MAX / 60) * 60)
        .take_while(|at| *at > set.since)
        .map(|at| poll(data, rollout, trigger, &set, at))
        .collect();
    if polls.is_empty() {
        return Err(format!(
            "clean from {}: no full minute yet",
            clock_of(view, set.since)
        ));
    }
    Ok((polls, count))
}

fn undecided(why: impl Into<String>) -> Poll {
    Poll {
        state: PollState::Undecided { why: why.into() },
        value: None,
        limit: None,
        reach: None,
    }
}

fn poll(
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    trigger: &Trigger,
    set: &Setting<'_>,
    at: i64,
) -> Poll {
    let window = i64::try_from(trigger.window).unwrap_or(60).max(60);
    let from = (at - window).max(set.since);
    if data.metric.kind == MetricKind::Ratio {
        if !data.whole(set.new, from, at) {
            return undecided("a gap in the data");
        }
        ratio_poll(data, rollout, trigger, set, from, at)
    } else {
        series_poll(data, rollout, trigger, set, at)
    }
}

fn ratio_poll(
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    trigger: &Trigger,
    set: &Setting<'_>,
    from: i64,
    at: i64,
) -> Poll {
    let limit = match trigger.limit {
        Limit::Baseline(times) => judge::Limit::TimesBaseline(times),
        Limit::Value(v) => judge::Limit::Value(v),
        Limit::Slo => match rollout.service.slo.get(&data.metric.id) {
            Some(slo) => judge::Limit::Value(*slo),
            None => return undecided(format!("no slo for {} is configured", data.metric.id)),
        },
    };
    let old: Option<Counts> = match set.kind {
        BaselineKind::Concurrent => data.counts(set.old, from, at),
        _ => data.counts(set.old, set.deployed - 3600, set.deployed),
    };
    let noise = data.noise(set.deployed);
    let Some(window) = data.counts(set.new, from, at) else {
        return undecided("no traffic");
    };
    let judged = judge::judge_poll(&PollInput {
        window,
        baseline: old,
        kind: set.kind,
        days: None,
        noise,
        limit,
        side: if trigger.above {
            Side::Above
        } else {
            Side::Below
        },
    });
    Poll {
        reach: judged.reach(limit),
        state: judged.state,
        value: judged.value,
        limit: judged.limit,
    }
}

/// Series need no evidence: the point itself against the limit.
fn series_poll(
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    trigger: &Trigger,
    set: &Setting<'_>,
    at: i64,
) -> Poll {
    let value = data.points(set.new, at - 60, at).last().map(|(_, v)| *v);
    let base = baseline(data, set);
    let (value, limit) = match trigger.limit {
        Limit::Value(v) => (value, Some(v)),
        Limit::Slo => (value, rollout.service.slo.get(&data.metric.id).copied()),
        Limit::Baseline(times) => (
            value
                .zip(base)
                .filter(|(_, b)| *b > 0.0)
                .map(|(v, b)| v / b),
            Some(times),
        ),
    };
    let state = match (value, limit.filter(|l| l.is_finite())) {
        (Some(v), Some(l)) if (trigger.above && v > l) || (!trigger.above && v < l) => {
            PollState::Breached
        }
        (Some(_), Some(_)) => PollState::Clear,
        (None, _) => PollState::Undecided {
            why: "no data".to_owned(),
        },
        (_, None) => PollState::Undecided {
            why: "no limit is configured".to_owned(),
        },
    };
    Poll {
        state,
        value,
        limit,
        reach: None,
    }
}

/// Trips when every poll of `for` was breached; a gap makes it undecided, it neither resets nor trips.
fn judge_polls(
    view: &View<'_>,
    trigger: &Trigger,
    polls: &[Poll],
    count: usize,
    out: &mut TriggerView,
) {
    let why = |p: &Poll| match &p.state {
        PollState::Undecided { why } => Some(why.clone()),
        _ => None,
    };
    // Since the newest clear poll; what is undecided in between neither counts nor resets.
    let since_clear: Vec<&Poll> = polls
        .iter()
        .take_while(|p| p.state != PollState::Clear)
        .collect();
    let breached = since_clear
        .iter()
        .filter(|p| p.state == PollState::Breached)
        .count();
    let gap = since_clear.iter().find_map(|p| why(p));
    let full = breached == polls.len() && polls.len() >= count;
    out.held.0 = (breached.saturating_sub(1) as u64 * 60).min(trigger.hold_for);
    let newest = polls.first();
    out.share = newest.and_then(|p| share(trigger, p));
    out.distance = distance(view, trigger, newest, out.held);
    if full {
        out.tripped = true;
    } else if let Some(why) = gap {
        out.mark = Mark::new("undecided", Tone::Unknown);
        out.distance = format!("{} ({why})", out.distance);
        out.undecided = Some(why);
    } else if breached > 0 {
        out.mark = Mark::new("breached", Tone::Hold);
    } else {
        out.mark = Mark::new("clear", Tone::Pass);
        // A tripped trigger is clear again when no poll of `for` was breached.
        let quiet = polls.iter().all(|p| p.state == PollState::Clear);
        out.tripped &= !quiet;
    }
}

fn share(trigger: &Trigger, poll: &Poll) -> Option<f64> {
    let (value, limit) = (poll.value?, poll.limit?);
    if limit <= 0.0 || value <= 0.0 {
        return None;
    }
    Some(if trigger.above {
        value / limit
    } else {
        limit / value
    })
}

fn distance(view: &View<'_>, trigger: &Trigger, poll: Option<&Poll>, held: (u64, u64)) -> String {
    let show = |v: f64| match trigger.limit {
        Limit::Baseline(_) => format!("{v:.1}×"),
        _ => view
            .policy
            .metric(&trigger.metric)
            .map_or_else(|| format!("{v:.2}"), |m| m.unit.show(v)),
    };
    let value = poll
        .and_then(|p| p.value)
        .map_or_else(|| "no value".to_owned(), show);
    let limit = poll
        .and_then(|p| p.limit)
        .map_or_else(|| "no limit".to_owned(), show);
    let words = |s: u64| time::duration_words(Duration::seconds(i64::try_from(s).unwrap_or(0)));
    let mut text = format!("{value} of {limit}, {} of {}", words(held.0), words(held.1));
    if let Some(reach) = poll.and_then(|p| p.reach.as_ref()) {
        text.push_str(&format!(" ({reach})"));
    }
    text
}

fn prove(one: &TriggerView, trigger: &Trigger) -> Evidence {
    let mut lines = vec![
        ("trigger".to_owned(), one.trigger.clone()),
        ("state".to_owned(), one.mark.word.clone()),
        ("distance".to_owned(), one.distance.clone()),
        ("window".to_owned(), format!("{} s", trigger.window)),
        ("for".to_owned(), format!("{} s", trigger.hold_for)),
        (
            "then".to_owned(),
            format!("{:?}", trigger.then).to_lowercase(),
        ),
    ];
    if let Some(at) = one.tripped_at {
        lines.push((
            "tripped".to_owned(),
            format!("{} UTC", at.format("%H:%M:%S")),
        ));
    }
    if let Some(why) = &one.undecided {
        lines.push(("cannot be told".to_owned(), why.clone()));
    }
    Evidence {
        title: format!("trigger {} of {}", one.trigger, one.service),
        lines,
        ..Evidence::default()
    }
}
