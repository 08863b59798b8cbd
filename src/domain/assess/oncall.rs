//! Who is on call, what they were told, who is told next (SEMANTICS 9).

use chrono::Duration;

use crate::domain::act::Outcome;
use crate::domain::observe::{Freshness, Subject};
use crate::domain::policy::Policy;
use crate::domain::record::{Alert, AlertState, IncidentState, Oncall, Records};
use crate::domain::situation::{AlertRow, Evidence, Mark, OncallRow, OncallView, Tone};
use crate::domain::time::Instant;

use super::{Proofs, View, clock};

/// Every turn that is known: the vendor's schedule, else the rotations of cockpit.toml.
pub(super) fn turns(view: &View<'_>) -> Vec<Oncall> {
    match &view.policy.oncall.connection {
        Some(name) => match view.feed(&format!("oncall/{name}")).0.map(|o| &o.records) {
            Some(Records::Oncall(list)) => list.clone(),
            _ => Vec::new(),
        },
        None => rotations(view),
    }
}

/// Is somebody scheduled at level 1 without a break until then? `Err` says who is the last, and until when.
///
/// # Errors
/// The last person known and the end of their shift; `None` where nobody is known now.
pub(super) fn covered(view: &View<'_>, until: Instant) -> Result<(), Option<(String, Instant)>> {
    if view.policy.oncall.connection.is_none() {
        // A rotation goes on by itself.
        let anybody = people(view).iter().any(|p| p.level == 1);
        return if anybody { Ok(()) } else { Err(None) };
    }
    let turns = turns(view);
    let mut at = view.at();
    let mut last = None;
    while at < until {
        let next = turns
            .iter()
            .filter(|t| t.level == 1 && t.from.is_none_or(|f| f <= at))
            .filter(|t| t.until.is_none_or(|u| u > at))
            .max_by_key(|t| (t.until.is_none(), t.until));
        match next.map(|t| (t.person.clone(), t.until)) {
            None => return Err(last),
            Some((_, None)) => return Ok(()),
            Some((person, Some(end))) => {
                at = end;
                last = Some((person, end));
            }
        }
    }
    Ok(())
}

/// Who is on call by level now.
pub(crate) fn people(view: &View<'_>) -> Vec<Oncall> {
    let mut list = turns(view);
    list.retain(|o| o.from.is_none_or(|t| t <= view.at()) && o.until.is_none_or(|t| t > view.at()));
    for one in &mut list {
        one.person = known_as(view.policy, one);
    }
    list.sort_by(|a, b| (a.level, &a.person).cmp(&(b.level, &b.person)));
    list.dedup_by(|a, b| a.level == b.level && a.person == b.person);
    list
}

/// The name that `[people]` gives somebody whom a vendor calls otherwise.
fn known_as(policy: &Policy, one: &Oncall) -> String {
    let called = |name: &String| *name == one.person || one.contact.as_ref() == Some(name);
    policy
        .people
        .iter()
        .find(|(_, p)| p.vendor.iter().any(called))
        .map_or_else(|| one.person.clone(), |(name, _)| name.clone())
}

fn rotations(view: &View<'_>) -> Vec<Oncall> {
    view.policy
        .oncall
        .rotations
        .iter()
        .filter_map(|r| {
            let turn = i64::try_from(r.turn).ok().filter(|t| *t > 0)?;
            let passed = (view.at() - r.start).num_seconds();
            let index = passed.div_euclid(turn);
            if passed < 0 {
                return None;
            }
            let count = i64::try_from(r.people.len()).ok().filter(|n| *n > 0)?;
            let person = r
                .people
                .get(usize::try_from(index.rem_euclid(count)).ok()?)?;
            Some(Oncall {
                level: r.level,
                person: person.clone(),
                contact: None,
                schedule: Some("cockpit.toml".to_owned()),
                from: Some(r.start + Duration::seconds(index * turn)),
                until: Some(r.start + Duration::seconds((index + 1) * turn)),
            })
        })
        .collect()
}

/// When the next level is told: `ack_within` after the last message or escalation, unless somebody acknowledged.
pub(crate) fn escalates_at(view: &View<'_>) -> Option<Instant> {
    let state = view.state?;
    if !state.acks.is_empty() || state.closing.is_some() || !told(view) {
        return None;
    }
    if state
        .escalations
        .iter()
        .any(|(level, _, _)| level.is_none())
    {
        return None;
    }
    let first = state.briefs.iter().map(|b| b.at).min()?;
    let last = state.escalations.iter().map(|(_, _, at)| *at).max();
    let wait = i64::try_from(view.policy.oncall.ack_within.max(30)).unwrap_or(300);
    Some(last.unwrap_or(first).max(first) + Duration::seconds(wait))
}

/// Was a message of the brief sent (its delivery may be unknown)?
fn told(view: &View<'_>) -> bool {
    view.state.is_some_and(|s| !s.briefs.is_empty())
}

/// The on-call pane.
pub(super) fn oncall(view: &View<'_>, proofs: &mut Proofs) -> OncallView {
    let people = people(view);
    let freshness = view
        .policy
        .oncall
        .connection
        .as_ref()
        .map(|name| view.feed(&format!("oncall/{name}")).1);
    let mut out = OncallView {
        rows: people.iter().map(|p| row(view, p)).collect(),
        freshness,
        escalates_at: escalates_at(view),
        incidents: incidents(view),
        alerts: alerts(view),
        ..OncallView::default()
    };
    (out.brief, out.note) = brief(view);
    if out.rows.is_empty() {
        out.empty = Some(match (&view.policy.oncall.connection, freshness) {
            (None, _) => {
                "cover not configured: set [oncall] connection or rotations in cockpit.toml"
                    .to_owned()
            }
            (Some(name), Some(Freshness::Never)) => format!("{name} was not read yet"),
            (Some(name), _) => format!("{name} names nobody on call now"),
        });
    }
    let mut evidence = Evidence {
        title: "on-call".to_owned(),
        lines: vec![(
            "brief".to_owned(),
            format!("{}: {}", out.brief.word, out.note),
        )],
        freshness,
        source: view.policy.oncall.connection.clone(),
        ..Evidence::default()
    };
    for row in &out.rows {
        evidence.lines.push((
            format!("level {}", row.level),
            format!("{} {} {}", row.person, row.mark.word, row.note),
        ));
    }
    proofs.insert("oncall".to_owned(), evidence);
    out
}

fn row(view: &View<'_>, person: &Oncall) -> OncallRow {
    let tz = view.policy.timezone;
    let state = view.state;
    let ack = state.and_then(|s| s.acks.iter().find(|(p, _, _)| *p == person.person));
    let brief = state.and_then(|s| s.briefs.iter().rev().find(|b| b.level == person.level));
    let (mark, note) = match (ack, brief) {
        (Some((_, how, at)), _) => (
            Mark::new("acked", Tone::Pass),
            format!("{} ({how})", clock(*at, tz)),
        ),
        (None, Some(b)) => {
            let outcome = view
                .journal
                .acts
                .get(&b.act)
                .and_then(|a| a.outcome.as_ref());
            match outcome {
                Some((Outcome::Confirmed { .. }, _)) => (
                    Mark::new("told", Tone::Hold),
                    format!("{} over {}", clock(b.at, tz), b.channel),
                ),
                Some((Outcome::Refused { why }, _)) => {
                    (Mark::new("not told", Tone::Fail), why.clone())
                }
                _ => (
                    Mark::new("delivery unknown", Tone::Unknown),
                    format!("{} over {}", clock(b.at, tz), b.channel),
                ),
            }
        }
        (None, None) => (Mark::new("not told", Tone::Plain), String::new()),
    };
    OncallRow {
        level: person.level,
        person: person.person.clone(),
        until: person.until,
        mark,
        note,
    }
}

fn brief(view: &View<'_>) -> (Mark, String) {
    let tz = view.policy.timezone;
    let Some(state) = view.state else {
        return (Mark::new("not sent", Tone::Plain), String::new());
    };
    if let Some((person, how, at)) = state.acks.first() {
        return (
            Mark::new("acknowledged", Tone::Pass),
            format!("by {person} at {} ({how})", clock(*at, tz)),
        );
    }
    if state
        .escalations
        .iter()
        .any(|(level, _, _)| level.is_none())
    {
        return (
            Mark::new("nobody answered", Tone::Fail),
            "the release manager was told; it stays open".to_owned(),
        );
    }
    match state.briefs.last() {
        Some(b) => (
            Mark::new("sent", Tone::Hold),
            format!("to {} at {} over {}", b.person, clock(b.at, tz), b.channel),
        ),
        None => (
            Mark::new("not sent", Tone::Plain),
            "b briefs on-call".to_owned(),
        ),
    }
}

/// Alerts of every connection that has them, firing first.
pub(crate) fn all_alerts(view: &View<'_>) -> Vec<(Alert, Freshness)> {
    let mut out = Vec::new();
    for need in &view.needs {
        if need.subject != Subject::Alerts {
            continue;
        }
        let (seen, freshness) = view.feed(&need.id);
        if let Some(Records::Alert(list)) = seen.map(|o| &o.records) {
            out.extend(list.iter().map(|a| (a.clone(), freshness)));
        }
    }
    out
}

fn alerts(view: &View<'_>) -> Vec<AlertRow> {
    let mut rows: Vec<AlertRow> = all_alerts(view)
        .into_iter()
        .filter(|(a, _)| a.state != AlertState::Resolved)
        .map(|(a, freshness)| {
            let (word, tone) = match a.state {
                AlertState::Firing => ("firing", Tone::Fail),
                AlertState::Silenced => ("silenced", Tone::Hold),
                AlertState::Pending => ("pending", Tone::Hold),
                AlertState::Resolved => ("resolved", Tone::Plain),
                AlertState::Unknown => ("unknown", Tone::Unknown),
            };
            AlertRow {
                name: a.name,
                service: a.service,
                mark: if freshness.usable() {
                    Mark::new(word, tone)
                } else {
                    Mark::new(format!("{word} (stale)"), Tone::Unknown)
                },
                since: a.started_at,
                until: a.silenced_until.filter(|_| a.state == AlertState::Silenced),
            }
        })
        .collect();
    rows.sort_by_key(|r| (r.mark.word != "firing", std::cmp::Reverse(r.since)));
    rows
}

fn incidents(view: &View<'_>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in view.policy.connections.keys() {
        let (seen, freshness) = view.feed(&format!("incidents/{name}"));
        let age = if freshness.usable() { "" } else { " (stale)" };
        if let Some(Records::Incident(list)) = seen.map(|o| &o.records) {
            out.extend(
                list.iter()
                    .filter(|i| i.state != IncidentState::Resolved)
                    .map(|i| {
                        let state = match i.state {
                            IncidentState::Triggered => "triggered",
                            IncidentState::Acknowledged => "acknowledged",
                            IncidentState::Resolved => "resolved",
                            IncidentState::Unknown => "unknown",
                        };
                        format!("{state}{age}: {}", i.title)
                    }),
            );
        }
    }
    if let Some(state) = view.state {
        out.extend(
            state.incidents.iter().map(|(title, at)| {
                format!("declared {}: {title}", clock(*at, view.policy.timezone))
            }),
        );
    }
    out
}
