//! Triggers: agreed conditions that call for rollback, with their distance at all times (SEMANTICS 7). How one is judged stands
//! in [`super::poll`].

use chrono::Duration;

use crate::domain::policy::{Limit, Metric, Service, Trigger};
use crate::domain::situation::{Evidence, Mark, Tone, TriggerView};
use crate::domain::time;

use super::data::{Data, Group};
use super::metrics::{Setting, clock_of, setting, sourced};
use super::poll::{Ground, Poll, polls, stand};
use super::rollout::Rollout;
use super::{Proofs, View};

/// The sealed triggers of a service, else those of the file.
pub(super) fn sealed<'v>(view: &'v View<'_>, service: &'v Service) -> &'v [Trigger] {
    view.state
        .and_then(|s| s.contract.as_ref())
        .and_then(|(_, c, _)| c.triggers.get(&service.name))
        .unwrap_or(&service.triggers)
}

/// Every trigger of the current release's services.
pub(super) fn all(view: &View<'_>, proofs: &mut Proofs) -> Vec<TriggerView> {
    let mut out = Vec::new();
    for rollout in &view.rollouts {
        for trigger in sealed(view, rollout.service) {
            let one = one(view, rollout, trigger);
            proofs.insert(one.id.clone(), prove(view, &one, trigger));
            out.push(one);
        }
    }
    out
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
    match judged(view, rollout, trigger) {
        Err(why) => {
            let distance = distance(view, service, trigger, None, out.held);
            out.distance = format!("{distance} ({why})");
            if rollout.started().is_some() {
                out.mark = Mark::new("undecided", Tone::Unknown);
                out.undecided = Some(why);
            }
        }
        Ok((polls, barred)) => show(view, service, trigger, &polls, barred, &mut out),
    }
    if out.tripped {
        out.mark = Mark::new("TRIPPED", Tone::Fail);
    }
    out
}

/// The polls of the last `for`, oldest first, and why it may trip and never be clear.
fn judged(
    view: &View<'_>,
    rollout: &Rollout<'_>,
    trigger: &Trigger,
) -> Result<(Vec<Poll>, Option<String>), String> {
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
    let ground = ground(data, rollout.service, metric, &set, trigger);
    let polls = polls(&ground, trigger, set.until);
    if polls.is_empty() {
        return Err(format!(
            "clean from {}: no full minute yet",
            clock_of(view, set.since)
        ));
    }
    // A burn rate is the service's, of both versions: what it mixes stands in its polls.
    let barred = set.barred.filter(|_| trigger.burn.is_empty());
    Ok((polls, barred))
}

fn ground<'d, 'a>(
    data: &'d Data<'a>,
    service: &Service,
    metric: &Metric,
    set: &Setting<'a>,
    trigger: &Trigger,
) -> Ground<'d, 'a> {
    // An objective is the service's: its budget burns by both versions.
    let whole = !trigger.burn.is_empty();
    Ground {
        data,
        slo: service.slo.get(&metric.id).copied(),
        new: if whole { Group::Whole } else { set.new },
        old: set.old,
        kind: set.kind,
        week: set.week.clone(),
        since: set.since,
        deployed: set.deployed,
    }
}

/// Where it stands, as shown.
fn show(
    view: &View<'_>,
    service: &Service,
    trigger: &Trigger,
    polls: &[Poll],
    barred: Option<String>,
    out: &mut TriggerView,
) {
    let standing = stand(trigger, polls, out.tripped);
    let newest = polls.last();
    out.tripped = standing.tripped;
    out.held.0 = standing.held;
    out.share = newest.and_then(|p| share(trigger, p));
    out.distance = distance(view, service, trigger, newest, out.held);
    if let Some(why) = standing.undecided {
        out.mark = Mark::new("undecided", Tone::Unknown);
        out.distance = format!("{} ({why})", out.distance);
        out.undecided = Some(why);
    } else if standing.breached {
        out.mark = Mark::new("breached", Tone::Hold);
    } else if let Some(until) = newest.and_then(|p| p.mixed) {
        // It may trip, and it never passes while old and new are mixed (SEMANTICS 5).
        out.mark = Mark::new("not clear yet", Tone::Plain);
        out.distance = format!(
            "{}; mixes old and new until {}",
            out.distance,
            moment(view, until)
        );
    } else if let Some(why) = barred {
        // A canary ten times as bad is hardly seen over the whole service (SEMANTICS 5).
        out.mark = Mark::new("not clear yet", Tone::Plain);
        out.distance = format!("{}; {why}", out.distance);
    } else {
        out.mark = Mark::new("clear", Tone::Pass);
    }
}

fn moment(view: &View<'_>, at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).map_or_else(String::new, |t| {
        crate::domain::words::moment(t, view.at(), view.policy.timezone)
    })
}

fn share(trigger: &Trigger, poll: &Poll) -> Option<f64> {
    let (value, limit) = (poll.value?, poll.limit?);
    let above = trigger.above || !trigger.burn.is_empty();
    if limit <= 0.0 || value < 0.0 || (above && value <= 0.0) {
        return None;
    }
    Some(if above {
        value / limit
    } else {
        // None at all is the farthest that it can fall.
        (limit / value).min(f64::MAX)
    })
}

/// The limit where no poll says it, in its own unit.
fn limit_of(service: &Service, trigger: &Trigger) -> Option<f64> {
    if let Some(pair) = trigger.burn.first() {
        return Some(pair.times);
    }
    match trigger.limit {
        Limit::Baseline(times) => Some(times),
        Limit::Value(v) => Some(v),
        Limit::Slo => service.slo.get(&trigger.metric).copied(),
    }
}

fn distance(
    view: &View<'_>,
    service: &Service,
    trigger: &Trigger,
    poll: Option<&Poll>,
    held: (u64, u64),
) -> String {
    let show = |v: f64| match trigger.limit {
        _ if !trigger.burn.is_empty() => format!("{v:.1}×"),
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
        .or_else(|| limit_of(service, trigger))
        .map_or_else(|| "no limit".to_owned(), show);
    let words = |s: u64| time::duration_words(Duration::seconds(i64::try_from(s).unwrap_or(0)));
    let mut text = format!("{value} of {limit}");
    if held.1 > 0 {
        text.push_str(&format!(", {} of {}", words(held.0), words(held.1)));
    }
    if let Some(reach) = poll.and_then(|p| p.reach.as_ref()) {
        text.push_str(&format!(" ({reach})"));
    }
    text
}

fn prove(view: &View<'_>, one: &TriggerView, trigger: &Trigger) -> Evidence {
    let mut lines = vec![
        ("trigger".to_owned(), one.trigger.clone()),
        ("state".to_owned(), one.mark.word.clone()),
        ("distance".to_owned(), one.distance.clone()),
    ];
    if trigger.burn.is_empty() {
        lines.push(("window".to_owned(), format!("{} s", trigger.window)));
    }
    for pair in &trigger.burn {
        lines.push(("burn rate".to_owned(), format!("{pair}, both must exceed")));
    }
    lines.push(("for".to_owned(), format!("{} s", trigger.hold_for)));
    lines.push((
        "then".to_owned(),
        format!("{:?}", trigger.then).to_lowercase(),
    ));
    if let Some(at) = one.tripped_at {
        lines.push((
            "tripped".to_owned(),
            format!("{} UTC", at.format("%H:%M:%S")),
        ));
    }
    if let Some(why) = &one.undecided {
        lines.push(("cannot be told".to_owned(), why.clone()));
    }
    let title = format!("trigger {} of {}", one.trigger, one.service);
    let metrics: Vec<&Metric> = view.policy.metric(&trigger.metric).into_iter().collect();
    sourced(view, &one.service, &metrics, title, lines)
}
