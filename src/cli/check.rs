//! `cockpit check`: the file, then every connection, one line each, with what to do.

use serde::Serialize;

use crate::app::keymap::Keymap;
use crate::config::trust::Trust;
use crate::domain::diag::Diag;
use crate::domain::gaps::without_freeze;
use crate::domain::needs::BUCKET;
use crate::domain::observe::{Need, Observed, Subject};
use crate::domain::policy::Policy;
use crate::domain::rules::Rules;
use crate::domain::text::clean;
use crate::domain::time::{Clock, Now};
use crate::runtime::clock::RealClock;
use crate::runtime::load::Loaded;

use super::args::{Args, CheckArgs};
use super::session::{self, Session};
use super::{exit, fail, forecast, out};

/// The JSON answer.
#[derive(Serialize)]
struct Answer {
    file: String,
    trusted: bool,
    warnings: Vec<String>,
    connections: Vec<Asked>,
    gates: Vec<String>,
}

/// One connection.
#[derive(Serialize)]
struct Asked {
    name: String,
    connector: String,
    /// `None`: it was not asked.
    ok: Option<bool>,
    said: String,
    todo: Option<String>,
}

/// Checks; exit code 0, 78 for the file or its trust, 69 where a connection fails.
pub fn check(args: &Args, wanted: &CheckArgs) -> u8 {
    let loaded = match session::load(args) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if wanted.offline {
        let mut answer = answer(&loaded);
        answer.warnings.extend(unasked(&loaded.policy));
        return said(wanted, &loaded, &answer);
    }
    if loaded.trust != Trust::Granted {
        let mut answer = answer(&loaded);
        answer.warnings.extend(unasked(&loaded.policy));
        for asked in &mut answer.connections {
            asked.said = "not asked: the file is not trusted".to_owned();
        }
        said(wanted, &loaded, &answer);
        return fail(
            exit::CONFIG,
            "no connection was asked: look at what the file reaches and grant it with `cockpit trust`",
        );
    }
    session::look(args, |session| ask(session, wanted))
}

/// Coming days for which the file itself holds no freeze; no calendar was asked.
fn unasked(policy: &Policy) -> Vec<String> {
    let now = RealClock.now();
    let rules = Rules::of(policy, &Observed::default(), now);
    let names: Vec<String> = policy.calendars.iter().map(|c| c.name.clone()).collect();
    without_freeze(policy, &rules, &names, now.world)
}

async fn ask(mut session: Session, wanted: &CheckArgs) -> u8 {
    let mut answer = answer(session.engine.loaded());
    let health = session.engine.health().await;
    for asked in &mut answer.connections {
        match health.get(&asked.name) {
            Some(Ok(said)) => {
                asked.ok = Some(true);
                asked.said.clone_from(said);
            }
            Some(Err(fault)) => {
                asked.ok = Some(false);
                asked.said.clone_from(&fault.what);
                asked.todo = Some(fault.hint.clone()).filter(|h| !h.is_empty());
            }
            None => {}
        }
    }
    let wants = |need: &Need| match &need.subject {
        Subject::Metric { step, .. } => *step == BUCKET,
        Subject::Calendar { .. } => true,
        _ => false,
    };
    let engine = &mut session.engine;
    engine
        .look_for(&mut session.inbox, wanted.wait, wants)
        .await;
    let found = calendars(&engine.policy(), engine.observed(), engine.now());
    answer.warnings.extend(found);
    answer.gates = forecast::gates(engine);
    let code = said(wanted, session.engine.loaded(), &answer);
    session.engine.close().await;
    code
}

fn answer(loaded: &Loaded) -> Answer {
    let policy = &loaded.policy;
    let mut warnings: Vec<String> = loaded.warnings.iter().map(Diag::to_string).collect();
    warnings.extend(gaps(policy));
    if let Err(conflicts) = Keymap::new(false, &policy.keys) {
        warnings.extend(conflicts.iter().map(|c| format!("[keys] is not used: {c}")));
    }
    Answer {
        file: loaded.path.display().to_string(),
        trusted: loaded.trust == Trust::Granted,
        warnings,
        connections: policy
            .connections
            .values()
            .map(|c| Asked {
                name: c.name.clone(),
                connector: c.connector.clone(),
                ok: None,
                said: "not asked".to_owned(),
                todo: None,
            })
            .collect(),
        gates: Vec::new(),
    }
}

/// What calendars leave open: one that was not read, entries that no rule matches (a freeze in other words must not go unseen), and
/// coming days without a freeze.
fn calendars(policy: &Policy, observed: &Observed, now: Now) -> Vec<String> {
    let rules = Rules::of(policy, observed, now);
    let mut out = rules.problems.clone();
    let unread: Vec<String> = rules
        .calendars(policy, observed, now)
        .into_iter()
        .filter(|c| !c.is_good())
        .map(|c| c.name)
        .collect();
    let told = |name: &&String| !rules.bad_calendars.contains(name);
    out.extend(
        unread
            .iter()
            .filter(told)
            .map(|name| format!("the calendar {name} was not read")),
    );
    for tally in &rules.tallies {
        let name = &tally.calendar;
        let unmatched = tally.unmatched_words();
        out.extend(unmatched.map(|words| format!("entries of the calendar {name}: {words}")));
        if !tally.tentative.is_empty() {
            let titles = tally.tentative.join("; ");
            out.push(format!(
                "entries of the calendar {name} that are tentative, so they permit nothing: {titles}"
            ));
        }
    }
    out.extend(without_freeze(policy, &rules, &unread, now.world));
    out
}

/// What a sound file may still lack.
fn gaps(policy: &Policy) -> Vec<String> {
    let mut out = Vec::new();
    let without = |what: &str, has: &dyn Fn(&crate::domain::policy::Service) -> bool, do_: &str| {
        let names: Vec<&str> = policy
            .services
            .iter()
            .filter(|s| !has(s))
            .map(|s| s.name.as_str())
            .collect();
        (!names.is_empty()).then(|| format!("without {what}: {}; {do_}", names.join(", ")))
    };
    out.extend(without(
        "deployments",
        &|s| s.deployments.is_some(),
        "name the connection in `deployments`, else nothing of them is seen or moved",
    ));
    out.extend(without(
        "a runbook",
        &|s| s.runbook.is_some(),
        "give `runbook`: the one who is woken will want it",
    ));
    out.extend(without(
        "gates",
        &|s| !s.gates.is_empty(),
        "add a [[service.gate]] or a [[defaults.gate]]",
    ));
    if policy.oncall.connection.is_none() && policy.oncall.rotations.is_empty() {
        out.push(
            "nobody is known to be on call: give [oncall] a connection or a rotation".to_owned(),
        );
    }
    out
}

fn said(wanted: &CheckArgs, loaded: &Loaded, answer: &Answer) -> u8 {
    if wanted.json {
        out::json(answer);
    } else {
        out::put(&text(loaded, answer));
    }
    if answer.connections.iter().any(|c| c.ok == Some(false)) {
        exit::UNREACHABLE
    } else {
        exit::PASS
    }
}

fn text(loaded: &Loaded, answer: &Answer) -> String {
    let policy = &loaded.policy;
    let line = |word: &str, text: &str| format!("{word:<8} {}", clean(text, 500));
    let head = format!(
        "{}: {} services, {} environments, {} metrics, {} releases",
        answer.file,
        policy.services.len(),
        policy.environments.len(),
        policy.metrics.len(),
        policy.releases.len()
    );
    let mut lines = vec![line("ok", &head)];
    lines.extend(answer.warnings.iter().map(|w| line("warning", w)));
    for c in &answer.connections {
        let word = match c.ok {
            Some(true) => "ok",
            Some(false) => "FAILED",
            None => "unknown",
        };
        let todo = c
            .todo
            .as_ref()
            .map(|t| format!("; {t}"))
            .unwrap_or_default();
        let text = format!("{} ({}): {}{todo}", c.name, c.connector, c.said);
        lines.push(line(word, &text));
    }
    lines.extend(answer.gates.iter().map(|g| line("gate", g)));
    lines.join("\n")
}
