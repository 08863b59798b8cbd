//! `cockpit ack`, `approve` and `override`: wishes of a person, judged by the same rules as in the interface.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::act::Outcome;
use crate::domain::journal::Journal;
use crate::domain::situation::{Duty, Permission, Permit, Refusal, Request, Task};
use crate::domain::text::clean;

use super::args::{AckArgs, ApproveArgs, Args, OverrideArgs};
use super::session::{self, Session};
use super::{exit, fail, out};

/// How long the outcome of an act is waited for.
const OUTCOME: Duration = Duration::from_secs(60);

/// Records an acknowledgement by word.
pub fn ack(args: &Args, wanted: &AckArgs) -> u8 {
    let inputs = wanted.by.iter().map(|by| ("person", by.clone())).collect();
    let wait = wanted.patience.wait;
    on_release(args, "ack", &wanted.release, inputs, wanted.dry_run, wait)
}

/// Gives an approval, writes one down by word, or asks for it.
pub fn approve(args: &Args, wanted: &ApproveArgs) -> u8 {
    let (action, inputs) = if wanted.ask {
        let note = wanted.note.clone();
        ("ask_approval", note.map(|n| ("note", n)))
    } else {
        ("approve", wanted.by.clone().map(|by| ("by", by)))
    };
    on_release(
        args,
        action,
        &wanted.release,
        inputs.into_iter().collect(),
        wanted.dry_run,
        wanted.patience.wait,
    )
}

/// Asks for an override, gives or confirms it, declines it, or breaks the glass; without a rule it lists them.
pub fn overrule(args: &Args, wanted: &OverrideArgs) -> u8 {
    let Some(rule) = &wanted.rule else {
        return session::look(args, |mut session| async move {
            if let Err(why) = session.engine.focus(&wanted.release).await {
                return fail(exit::USAGE, why);
            }
            let wait = wanted.patience.wait;
            let engine = &mut session.engine;
            engine.look_for(&mut session.inbox, wait, |_| true).await;
            let code = list(&session);
            session.engine.close().await;
            code
        });
    };
    let verb = match (wanted.decline, wanted.break_glass) {
        (true, _) => "decline_override",
        (_, true) => "break_glass",
        _ => "override",
    };
    let given = [
        ("reason", &wanted.reason),
        ("second", &wanted.second),
        ("typed", &wanted.typed),
    ];
    let inputs = given
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.clone()?)))
        .collect();
    let action = format!("{verb}/{rule}");
    let wait = wanted.patience.wait;
    on_release(args, &action, &wanted.release, inputs, wanted.dry_run, wait)
}

/// What is asked for, what holds, and what could be overridden: exit code 0, or 1 where there is nothing.
fn list(session: &Session) -> u8 {
    let s = session.engine.situation();
    let mut lines: Vec<String> = s
        .clearance
        .overrides
        .iter()
        .map(|o| format!("{}: {}", o.mark.word, o.said))
        .collect();
    for (key, permission) in &s.permits {
        let Some(rule) = key.strip_prefix("override/") else {
            continue;
        };
        lines.push(match permission {
            Permission::Granted(p) => {
                let typed = p.typed.as_ref().map(|t| format!("; --typed {t}"));
                let asks: Vec<String> = p
                    .inputs
                    .iter()
                    .filter(|i| i.required)
                    .map(|i| format!("--{}", i.key))
                    .collect();
                format!(
                    "{rule}: {} ({}{})",
                    p.title,
                    asks.join(" "),
                    typed.unwrap_or_default()
                )
            }
            Permission::Refused(list) => {
                let why: Vec<&str> = list.iter().map(|r| r.why.as_str()).collect();
                format!("{rule}: {}", why.join("; "))
            }
        });
    }
    if lines.is_empty() {
        out::complain("cockpit: no rule that can be overridden refuses the start");
        return exit::FAIL;
    }
    for line in lines {
        out::put(&clean(&line, 500));
    }
    exit::PASS
}

fn on_release(
    args: &Args,
    action: &str,
    release: &str,
    inputs: Vec<(&'static str, String)>,
    dry: bool,
    wait: Duration,
) -> u8 {
    session::look(args, |mut session| async move {
        if let Err(why) = session.engine.focus(release).await {
            return fail(exit::USAGE, why);
        }
        session
            .engine
            .look_for(&mut session.inbox, wait, |_| true)
            .await;
        wish(session, action, inputs, dry).await
    })
}

/// Takes the permit as it is now and does what it permits, or shows what that would be. The exit code: 0 done, 1 refused,
/// 2 where something was sent and nobody knows whether it happened.
pub async fn wish(
    mut session: Session,
    action: &str,
    inputs: Vec<(&'static str, String)>,
    dry: bool,
) -> u8 {
    let s = session.engine.situation();
    let permit = match s.permits.get(action) {
        Some(Permission::Granted(permit)) => permit,
        Some(Permission::Refused(refusals)) => return refused(action, refusals),
        None => return fail(exit::FAIL, format!("{action} is not possible now")),
    };
    let request = request(permit, inputs);
    let engine = &mut session.engine;
    let code = if dry {
        match engine.rehearse(&request) {
            Ok(duties) => {
                for duty in &duties {
                    out::put(&shown(engine, duty));
                }
                out::put("Nothing was done.");
                exit::PASS
            }
            Err(refusals) => refused(action, &refusals),
        }
    } else {
        let before: BTreeSet<String> = engine.journal().acts.keys().cloned().collect();
        match engine
            .order_once(&mut session.inbox, request, OUTCOME)
            .await
        {
            Ok(said) => {
                out::complain(&format!("{}: {}", permit.title, clean(&said, 300)));
                exit::PASS
            }
            Err(refusals) => {
                let code = refused(action, &refusals);
                if open(engine.journal(), &before) {
                    exit::UNDECIDED
                } else {
                    code
                }
            }
        }
    };
    session.engine.close().await;
    code
}

/// Was an act sent since of which nobody knows whether it happened?
fn open(journal: &Journal, before: &BTreeSet<String>) -> bool {
    journal
        .acts
        .iter()
        .filter(|(id, _)| !before.contains(*id))
        .any(|(_, act)| {
            let outcome = act.outcome.as_ref().map(|(outcome, _)| outcome);
            matches!(outcome, None | Some(Outcome::Unknown { .. }))
        })
}

fn request(permit: &Permit, given: Vec<(&'static str, String)>) -> Request {
    let mut request = Request {
        action: permit.action.clone(),
        basis: permit.basis.clone(),
        ..Request::default()
    };
    for input in permit.inputs.iter().filter(|i| !i.default.is_empty()) {
        request
            .inputs
            .insert(input.key.clone(), input.default.clone());
    }
    let given = given
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    request.inputs.extend(given);
    request
}

/// What a duty would journal and send.
fn shown(engine: &crate::runtime::engine::Engine, duty: &Duty) -> String {
    let (bodies, act) = match &duty.task {
        Task::Record { bodies, .. } => (bodies, None),
        Task::Perform { before, act, .. } => (before, Some(act)),
        Task::Reconcile { act, .. } => return format!("would look up {}", clean(&act.id, 100)),
    };
    let mut lines: Vec<String> = bodies
        .iter()
        .map(|body| format!("would journal {}: {}", body.kind(), one_line(body)))
        .collect();
    if let Some(act) = act {
        lines.push(match engine.preview(act) {
            Some(p) => format!(
                "would send over {}: {} {} {}",
                act.connection,
                p.method,
                clean(&p.path, 300),
                one_line(&p.body)
            ),
            None => format!("nothing at {} can {}", act.connection, act.verb.word()),
        });
    }
    lines.join("\n")
}

fn one_line(value: &impl serde::Serialize) -> String {
    clean(&serde_json::to_string(value).unwrap_or_default(), 2000)
}

fn refused(action: &str, refusals: &[Refusal]) -> u8 {
    for refusal in refusals {
        let mut line = format!("{action} is refused by {}: {}", refusal.rule, refusal.why);
        if let Some(owner) = &refusal.owner {
            line.push_str(&format!(" (owner {owner})"));
        }
        if let Some(until) = refusal.until {
            line.push_str(&format!(", until {}", until.to_rfc3339()));
        }
        if let Some(way) = &refusal.way_out {
            line.push_str(&format!("; {way}"));
        }
        out::complain(&format!("cockpit: {}", clean(&line, 500)));
    }
    exit::FAIL
}
