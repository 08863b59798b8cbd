//! `cockpit backtest`: today's triggers over the history in the metrics store and the journal. It reads, and does nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::assess::backtest::{History, Known, PastTrigger, PastTrip, backtest as run};
use crate::domain::event::Event;
use crate::domain::needs::{BLOCK, BUCKET};
use crate::domain::observe::{Buckets, SeriesKey};
use crate::domain::policy::{Metric, Policy, Service, Trigger};
use crate::domain::text::clean;
use crate::domain::time::Instant;
use crate::domain::words;
use crate::runtime::engine::Engine;

use super::args::{Args, BacktestArgs};
use super::session::{self, Session};
use super::{exit, fail, out};

/// More services than this are not kept in memory at once.
const MOST_SERVICES: usize = 50;
/// What a watch needs of the past before it: seven days of noise, and the hour of its baseline.
const BEFORE: i64 = 7 * 86_400 + 7_200;
/// Of the minutes, the share that may be untold for the answer to count as one.
const MAY_MISS: f64 = 0.1;

/// The JSON answer.
#[derive(Serialize)]
struct Answer<'a> {
    /// Begin of the history.
    from: Instant,
    /// Its end.
    until: Instant,
    /// Days of it.
    days: u16,
    /// A trigger each.
    triggers: &'a [PastTrigger],
    /// Trips in all, those with an incident, a rollback or a failed deployment near them, and the others.
    trips: u32,
    confirmed: u32,
    not_confirmed: u32,
    /// What the answer lacks, a sentence each.
    notes: &'a [String],
}

/// Runs it; exit code 0 told, 2 where a tenth of the minutes or more could not be told, 3 where there is no trigger.
pub fn backtest(args: &Args, wanted: &BacktestArgs) -> u8 {
    session::look(args, |session| async move {
        match told(session, wanted).await {
            Ok(code) | Err(code) => code,
        }
    })
}

/// A service with the triggers that are run for it.
type Chosen = (Service, Vec<Trigger>);

async fn told(mut session: Session, wanted: &BacktestArgs) -> Result<u8, u8> {
    let engine = &mut session.engine;
    if let Some(release) = &wanted.release {
        let focus = engine.focus(release).await;
        focus.map_err(|why| fail(exit::USAGE, why))?;
    }
    let policy = engine.policy();
    let chosen = chosen(engine, &policy, wanted).map_err(|why| fail(exit::USAGE, why))?;
    if chosen.iter().all(|(_, triggers)| triggers.is_empty()) {
        return Ok(fail(
            exit::NOT_RUN,
            "there is no trigger to run: add [[service.trigger]]",
        ));
    }
    let events = engine
        .events()
        .await
        .map_err(|why| fail(exit::UNREACHABLE, why))?;
    engine.ready();
    let now = engine.now().world;
    let until = now.timestamp().div_euclid(60) * 60;
    let from = until - i64::from(wanted.days) * 86_400;
    let mut notes = Vec::new();
    let mut results = Vec::new();
    for metric in &policy.metrics {
        let here = |t: &&Trigger| t.metric == metric.id;
        if !chosen.iter().any(|(_, list)| list.iter().any(|t| here(&t))) {
            continue;
        }
        let kept = read(engine, metric, &chosen, (from, until), &mut notes).await?;
        let history = History {
            metrics: &kept,
            span: (from, until),
            watch: i64::try_from(policy.limits.watch).unwrap_or(86_400),
        };
        for (service, triggers) in &chosen {
            let known = known(&events, &policy, service);
            for trigger in triggers.iter().filter(here) {
                results.push(run(&history, metric, service, trigger, &known));
            }
        }
    }
    results.sort_by(|a, b| (&a.service, &a.trigger).cmp(&(&b.service, &b.trigger)));
    say(&policy, wanted, (from, until), &results, &notes);
    session.engine.close().await;
    Ok(code(&results, &notes))
}

fn chosen(engine: &Engine, policy: &Policy, wanted: &BacktestArgs) -> Result<Vec<Chosen>, String> {
    let sealed = wanted.release.as_ref().and_then(|id| {
        let state = engine.journal().release(id)?;
        state.contract.as_ref().map(|(_, contract, _)| contract)
    });
    let s = engine.situation();
    let of_release: Option<Vec<&str>> = wanted.release.as_ref().map(|id| {
        let release = s.releases.iter().find(|r| r.plan.id == *id);
        release
            .into_iter()
            .flat_map(|r| r.plan.changes.iter().map(|c| c.service.as_str()))
            .collect()
    });
    let own = |service: &&Service| match (&wanted.service, &of_release) {
        (Some(name), _) => service.name == *name,
        (None, Some(list)) => list.contains(&service.name.as_str()),
        (None, None) => true,
    };
    let list: Vec<&Service> = policy.services.iter().filter(own).collect();
    if list.is_empty() {
        let names: Vec<&str> = policy.services.iter().map(|s| s.name.as_str()).collect();
        let name = wanted.service.as_deref().unwrap_or_default();
        return Err(format!(
            "no service is called {name}: there are {}",
            names.join(", ")
        ));
    }
    if list.len() > MOST_SERVICES {
        return Err(format!(
            "{} services are too many at once: name one with --service, or a release",
            list.len()
        ));
    }
    Ok(list
        .into_iter()
        .map(|service| {
            let triggers = sealed
                .and_then(|c| c.triggers.get(&service.name))
                .unwrap_or(&service.triggers);
            (service.clone(), triggers.clone())
        })
        .collect())
}

/// A metric's minutes over the span, and its ten-minute blocks from before it on.
async fn read(
    engine: &Engine,
    metric: &Metric,
    chosen: &[Chosen],
    (from, until): (i64, i64),
    notes: &mut Vec<String>,
) -> Result<BTreeMap<SeriesKey, Buckets>, u8> {
    let services: BTreeSet<String> = chosen.iter().map(|(s, _)| s.name.clone()).collect();
    let mut kept = BTreeMap::new();
    for (step, back) in [(BUCKET, 7_200), (BLOCK, BEFORE)] {
        let partial = engine
            .past(metric, &services, step, (from - back, until), &mut kept)
            .await
            .map_err(|fault| fail(exit::UNREACHABLE, clean(&fault.to_string(), 500)))?;
        if let Some(why) = partial {
            notes.push(format!(
                "{}: partial answer: {}",
                metric.id,
                clean(&why, 300)
            ));
        }
    }
    Ok(kept)
}

/// Where deployments are watched: the last environment of the promotion order.
fn known(events: &[Event], policy: &Policy, service: &Service) -> Known {
    let environment = policy.environments.last().map_or("", |e| e.name.as_str());
    Known::of(events, policy, &service.name, environment)
}

fn code(results: &[PastTrigger], notes: &[String]) -> u8 {
    let untold = |t: &PastTrigger| t.untold as f64 > t.minutes as f64 * MAY_MISS;
    if !notes.is_empty() || results.is_empty() || results.iter().any(untold) {
        exit::UNDECIDED
    } else {
        exit::PASS
    }
}

fn say(
    policy: &Policy,
    wanted: &BacktestArgs,
    (from, until): (i64, i64),
    results: &[PastTrigger],
    notes: &[String],
) {
    let time = |t: i64| chrono::DateTime::from_timestamp(t, 0).unwrap_or_default();
    let trips = results.iter().map(|t| t.trips).sum();
    let confirmed = results.iter().map(|t| t.confirmed).sum();
    if wanted.json {
        out::json(&Answer {
            from: time(from),
            until: time(until),
            days: wanted.days,
            triggers: results,
            trips,
            confirmed,
            not_confirmed: trips - confirmed,
            notes,
        });
        return;
    }
    let mut lines = vec![format!(
        "{} to {} UTC: {trips} trips, {confirmed} confirmed by an incident, a rollback or a failed deployment near them, {} not confirmed",
        time(from).format("%Y-%m-%d %H:%M"),
        time(until).format("%Y-%m-%d %H:%M"),
        trips - confirmed
    )];
    for one in results {
        lines.extend(trigger(policy, one));
    }
    lines.extend(notes.iter().map(|n| format!("note: {n}")));
    let lines: Vec<String> = lines.iter().map(|l| clean(l, 400)).collect();
    out::put(&lines.join("\n"));
}

/// One trigger: its counts, then a line a trip.
fn trigger(policy: &Policy, one: &PastTrigger) -> Vec<String> {
    let length = words::seconds(policy.limits.watch);
    let mut head = format!(
        "{} {}: {} trips in {} watches of at most {length} ({} after a deployment, {} as if there had been one): {} confirmed, {} not confirmed",
        one.service,
        one.trigger,
        one.trips,
        one.watches,
        one.deployed,
        one.watches - one.deployed,
        one.confirmed,
        one.not_confirmed(),
    );
    if one.untold > 0 {
        head.push_str(&format!(
            "; it could not be told in {} of {} minutes",
            one.untold, one.minutes
        ));
        if let Some(why) = &one.why {
            head.push_str(&format!(" ({why})"));
        }
    }
    let mut lines = vec![head];
    lines.extend(one.each.iter().map(|t| format!("  {}", trip(t))));
    let more = usize::try_from(one.trips).unwrap_or(0) - one.each.len().min(one.trips as usize);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

fn trip(t: &PastTrip) -> String {
    let seconds = u64::try_from((t.until - t.at).num_seconds()).unwrap_or(0);
    let mut text = format!(
        "{} UTC for {}",
        t.at.format("%Y-%m-%d %H:%M"),
        words::seconds(seconds)
    );
    if t.open {
        text.push_str(" (until its watch ended)");
    }
    if let Some((value, limit)) = t.worst {
        text.push_str(&format!(", up to {:.2} times its limit", value / limit));
    }
    match &t.confirmed_by {
        Some(what) => text.push_str(&format!(": confirmed by {what}")),
        None => text.push_str(": not confirmed"),
    }
    text
}
