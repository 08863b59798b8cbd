//! `cockpit window`: do windows and freezes permit a start, and if not, why and until when?

use serde::Serialize;

use crate::domain::observe::Subject;
use crate::domain::policy::Policy;
use crate::domain::rules::Rules;
use crate::domain::time::{Instant, Now, earliest};
use crate::domain::window::{HoldKind, Standing, Target, WindowState};

use super::args::{Args, WindowArgs};
use super::session::{self, Session};
use super::{exit, fail, out};

/// The JSON answer. Times are RFC 3339 in UTC.
#[derive(Serialize)]
struct Answer {
    at: Instant,
    state: &'static str,
    next_change: Option<Instant>,
    reasons: Vec<Reason>,
}

/// A rule behind it.
#[derive(Serialize)]
struct Reason {
    rule: String,
    kind: HoldKind,
    from: Option<Instant>,
    until: Option<Instant>,
    owner: Option<String>,
}

/// Answers; exit code 0 open, 1 closed, 2 unknown.
pub fn window(args: &Args, wanted: &WindowArgs) -> u8 {
    session::look(args, |session| ask(session, wanted))
}

async fn ask(mut session: Session, wanted: &WindowArgs) -> u8 {
    let policy = session.engine.policy();
    let target = match target(&policy, wanted) {
        Ok(target) => target,
        Err(why) => return fail(exit::USAGE, why),
    };
    if !policy.calendars.is_empty() {
        let wait = wanted.patience.wait;
        let calendars =
            |need: &crate::domain::observe::Need| matches!(need.subject, Subject::Calendar { .. });
        session
            .engine
            .look_for(&mut session.inbox, wait, calendars)
            .await;
    }
    let now = session.engine.now();
    let at = match wanted.at.as_deref().map(|text| instant(text, &policy)) {
        None => now.world,
        Some(Ok(at)) => at,
        Some(Err(why)) => return fail(exit::USAGE, why),
    };
    let observed = session.engine.observed();
    // The index is made around the time that is asked about; the calendars' health is that of now.
    let around = Now {
        world: at,
        real: now.real,
    };
    let rules = Rules::of(&policy, observed, around);
    for problem in &rules.problems {
        out::complain(&format!("cockpit: {problem}"));
    }
    let Some(compiled) = &rules.compiled else {
        return answer(wanted, &policy, at, None);
    };
    let health = rules.calendars(&policy, observed, now);
    let standing = compiled.timeline(&target, &health).state_at(at);
    // A calendar entry that was not understood could be a freeze.
    let known = rules.problems.is_empty() || !standing.state.is_open();
    let code = answer(wanted, &policy, at, known.then_some(&standing));
    session.engine.close().await;
    code
}

fn target(policy: &Policy, wanted: &WindowArgs) -> Result<Target, String> {
    let service = match &wanted.service {
        Some(name) => Some(policy.service(name).ok_or_else(|| {
            let names: Vec<&str> = policy.services.iter().map(|s| s.name.as_str()).collect();
            format!(
                "no service is called {name}: there are {}",
                names.join(", ")
            )
        })?),
        None => None,
    };
    let names: Vec<&str> = policy
        .environments
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    let environment = match &wanted.environment {
        Some(name) if !names.contains(&name.as_str()) => {
            return Err(format!(
                "no environment is called {name}: there are {}",
                names.join(", ")
            ));
        }
        Some(name) => Some(name.clone()),
        None => names.last().map(|name| (*name).to_owned()),
    };
    Ok(Target {
        service: service.map(|s| s.name.clone()),
        environment,
        region: None,
        team: service.and_then(|s| s.team.clone()),
        kinds: wanted.kinds.clone(),
    })
}

/// RFC 3339, or a local time of the file's zone.
fn instant(text: &str, policy: &Policy) -> Result<Instant, String> {
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&chrono::Utc));
    }
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|shape| chrono::NaiveDateTime::parse_from_str(text, shape).ok())
        .map(|local| earliest(local, policy.timezone))
        .ok_or_else(|| {
            format!(
                "--at {text} is no time: write RFC 3339, such as 2026-12-01T10:00:00+01:00, or local, such as 2026-12-01T10:00"
            )
        })
}

fn answer(wanted: &WindowArgs, policy: &Policy, at: Instant, standing: Option<&Standing>) -> u8 {
    let state = standing.map_or("unknown", |s| s.state.word());
    let next = standing.and_then(|s| s.next_change.at());
    if wanted.json {
        let holds = standing.map(|s| s.state.holds()).unwrap_or_default();
        out::json(&Answer {
            at,
            state,
            next_change: next,
            reasons: holds
                .iter()
                .map(|h| Reason {
                    rule: h.rule.clone(),
                    kind: h.kind,
                    from: h.from,
                    until: h.until,
                    owner: h.owner.clone(),
                })
                .collect(),
        });
    } else {
        let when = crate::domain::words::both_zones(at, policy.timezone);
        let mut text = format!("{state} at {when}\n");
        let reasons = standing.map(|s| s.reasons(policy.timezone));
        for reason in
            reasons.unwrap_or_else(|| vec!["a rule or calendar entry is not understood".into()])
        {
            text.push_str(&format!("  {}\n", crate::domain::text::clean(&reason, 300)));
        }
        if let Some(next) = next {
            let when = crate::domain::words::both_zones(next, policy.timezone);
            text.push_str(&format!("  next change: {when}\n"));
        }
        out::put(&text);
    }
    match standing.map(|s| &s.state) {
        Some(WindowState::Open { .. }) => exit::PASS,
        Some(WindowState::Closed { .. }) => exit::FAIL,
        Some(WindowState::Unknown { .. }) | None => exit::UNDECIDED,
    }
}
