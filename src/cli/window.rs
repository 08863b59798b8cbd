//! `cockpit window`: may a start happen, and if not, why and until when?

use std::io::BufRead as _;

use crate::domain::assess::{StartAnswer, StartQuestion, StartState, Starts};
use crate::domain::observe::{Need, Subject};
use crate::domain::policy::Policy;
use crate::domain::text::clean;
use crate::domain::time::{Instant, earliest};
use crate::domain::window::Target;
use crate::domain::words::both_zones;

use super::args::{Args, WindowArgs};
use super::session::{self, Session};
use super::{exit, fail, out};

/// Answers; exit code 0 open, 1 closed, 2 unknown; of several instants the highest.
pub fn window(args: &Args, wanted: &WindowArgs) -> u8 {
    session::look(args, |session| ask(session, wanted))
}

async fn ask(mut session: Session, wanted: &WindowArgs) -> u8 {
    let policy = session.engine.policy();
    let target = match target(&policy, wanted) {
        Ok(target) => target,
        Err(why) => return fail(exit::USAGE, why),
    };
    let covered = wanted.service.is_some() && !wanted.rules_only;
    let wants = |need: &Need| match need.subject {
        Subject::Calendar { .. } => true,
        Subject::Oncall => covered,
        _ => false,
    };
    if !policy.calendars.is_empty() || (covered && policy.oncall.connection.is_some()) {
        let wait = wanted.patience.wait;
        session
            .engine
            .look_for(&mut session.inbox, wait, wants)
            .await;
    }
    let question = StartQuestion {
        target,
        rules_only: wanted.rules_only,
    };
    let code = {
        let engine = &session.engine;
        let now = engine.now();
        let starts = Starts::new(&policy, engine.journal(), engine.observed(), now, question);
        answers(starts, wanted, &policy, now.world)
    };
    session.engine.close().await;
    code
}

/// Every instant that was asked about, one after the other.
fn answers(mut starts: Starts<'_>, wanted: &WindowArgs, policy: &Policy, now: Instant) -> u8 {
    let several = wanted.at.len() > 1 || wanted.at.iter().any(|at| at == "-");
    let mut worst = exit::PASS;
    let mut one = |text: Option<&str>| {
        let at = text.map_or(Ok(now), |text| instant(text, policy))?;
        let answer = starts.at(at);
        worst = worst.max(match answer.state {
            StartState::Open => exit::PASS,
            StartState::Closed => exit::FAIL,
            StartState::Unknown => exit::UNDECIDED,
        });
        Ok::<bool, String>(match (wanted.json, several) {
            (true, false) => out::json(&answer),
            (true, true) => out::put(&serde_json::to_string(&answer).unwrap_or_default()),
            (false, _) => out::put(&text_of(&answer, policy)),
        })
    };
    let asked = (|| {
        if wanted.at.is_empty() {
            one(None)?;
        }
        for text in &wanted.at {
            if text != "-" {
                one(Some(text))?;
                continue;
            }
            for line in std::io::stdin().lock().lines() {
                let line = line.map_err(|e| format!("the times cannot be read: {e}"))?;
                // Nobody reads any more: the rest is not answered.
                if !line.trim().is_empty() && !one(Some(line.trim()))? {
                    break;
                }
            }
        }
        Ok::<(), String>(())
    })();
    match asked {
        Ok(()) => worst,
        Err(why) => fail(exit::USAGE, why),
    }
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
                "--at {} is no time: write RFC 3339, such as 2026-12-01T10:00:00+01:00, or local, such as 2026-12-01T10:00",
                clean(text, 60)
            )
        })
}

fn text_of(answer: &StartAnswer, policy: &Policy) -> String {
    let zone = policy.timezone;
    let mut text = format!(
        "{} at {}\n",
        answer.state.word(),
        both_zones(answer.at, zone)
    );
    let reasons = answer.reasons.iter().map(|r| &r.sentence);
    for line in reasons.chain(&answer.notes) {
        text.push_str(&format!("  {}\n", clean(line, 300)));
    }
    if let Some(next) = answer.next_change {
        text.push_str(&format!("  next change: {}\n", both_zones(next, zone)));
    }
    text
}
