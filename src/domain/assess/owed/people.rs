//! What people are owed: their answers on record, the next level in time, each message once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::act::{Act, Verb};
use crate::domain::assess::{View, driver, oncall};
use crate::domain::event::Body;
use crate::domain::policy::{Channel, Release};
use crate::domain::situation::{Duty, Situation, Task};

use super::Owed;

impl Owed<'_, '_> {
    /// A person answered a brief with a reaction.
    pub(super) fn acks(&mut self) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        if !state.acks.is_empty() {
            return;
        }
        let policy = self.view.policy;
        let named = |vendor: &String| {
            policy
                .people
                .iter()
                .find(|(_, p)| p.vendor.contains(vendor))
                .map_or_else(|| vendor.clone(), |(name, _)| name.clone())
        };
        let driver = driver(release, Some(state));
        let on_call: Vec<String> = oncall::people(self.view)
            .into_iter()
            .map(|p| named(&p.person))
            .collect();
        for brief in &state.briefs {
            // The one who sent it answers only when on call too.
            let answer = self
                .view
                .observed
                .reactions(&brief.act)
                .iter()
                .filter(|r| means_yes(&r.name))
                .flat_map(|r| r.people.iter())
                .map(named)
                .find(|p| driver.as_ref() != Some(p) || on_call.contains(p));
            if let Some(person) = answer {
                self.record_as(
                    &person,
                    "vendor",
                    format!("ack/{}/{}", release.id, brief.act),
                    Some(&release.id),
                    vec![Body::Acknowledged {
                        person: person.clone(),
                        how: "reaction".to_owned(),
                    }],
                );
                return;
            }
        }
    }

    /// No acknowledgement in time: the next level, after the last one the release manager.
    pub(super) fn escalate(&mut self) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        if oncall::escalates_at(self.view).is_none_or(|t| t > self.view.at()) {
            return;
        }
        let told = state.briefs.iter().map(|b| b.level);
        let asked = state.escalations.iter().filter_map(|(level, _, _)| *level);
        let reached = told.chain(asked).max().unwrap_or(1);
        let people = oncall::people(self.view);
        let number = state.escalations.len() + 1;
        let (level, person) = match people.iter().find(|p| p.level > reached) {
            Some(next) => (Some(next.level), next.person.clone()),
            None => {
                let manager = self.view.policy.oncall.release_manager.clone();
                (
                    None,
                    manager.unwrap_or_else(|| "release manager".to_owned()),
                )
            }
        };
        self.record(
            format!("escalate/{}/{number}", release.id),
            Some(&release.id),
            vec![Body::Escalated { level, person }],
        );
    }

    /// The messages of every escalation in the journal, each once, also after a crash between the two.
    pub(super) fn tell(&mut self, s: &Situation) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        if !state.acks.is_empty() {
            return;
        }
        let last = state.briefs.iter().map(|b| b.level).max().unwrap_or(1);
        for (i, (level, person, _)) in state.escalations.iter().enumerate() {
            let nonce = format!("esc{}", i + 1);
            let text = brief_text(self.view, s, release, person);
            // The release manager stands after the last level.
            let level = level.unwrap_or(last + 1);
            for duty in messages(self.view, release, level, person, &text, &nonce) {
                let sent = match &duty.task {
                    Task::Perform { act, .. } => state.briefs.iter().any(|b| b.act == act.id),
                    _ => true,
                };
                if !sent {
                    self.list.push(duty);
                }
            }
        }
    }
}

fn means_yes(reaction: &str) -> bool {
    matches!(
        reaction,
        "white_check_mark"
            | "heavy_check_mark"
            | "ballot_box_with_check"
            | "+1"
            | "thumbsup"
            | "ok_hand"
            | "ok"
    )
}

/// One message a channel to a person, each with its own duty.
pub(crate) fn messages(
    view: &View<'_>,
    release: &Release,
    level: u32,
    person: &str,
    text: &str,
    nonce: &str,
) -> Vec<Duty> {
    view.policy
        .oncall
        .channels
        .iter()
        .enumerate()
        .map(|(i, channel)| {
            let act = message(
                release,
                channel,
                text,
                &format!("{}/brief/{nonce}/{i}/{}", release.id, channel.connection),
            );
            let place = channel.args.get("channel").map_or("", String::as_str);
            Duty {
                key: format!("message/{}", act.id),
                release: Some(release.id.clone()),
                task: Task::Perform {
                    before: vec![Body::Briefed {
                        level,
                        person: person.to_owned(),
                        channel: format!("{} {place}", channel.connection).trim().to_owned(),
                        act: act.id.clone(),
                    }],
                    act,
                    step: None,
                },
            }
        })
        .collect()
}

fn message(release: &Release, channel: &Channel, text: &str, id: &str) -> Act {
    let mut args: BTreeMap<String, Value> = channel
        .args
        .iter()
        .map(|(k, v)| (k.clone(), Value::String(v.clone())))
        .collect();
    args.insert("text".to_owned(), Value::String(text.to_owned()));
    Act {
        id: id.to_owned(),
        connection: channel.connection.clone(),
        verb: Verb::PostMessage,
        args,
        release: Some(release.id.clone()),
        service: None,
        environment: Some(release.environment.clone()),
        reason: "brief".to_owned(),
        summary: format!("brief about {} over {}", release.title, channel.connection),
    }
}

/// The brief as sent over a channel: short, plain; the whole of it is the document.
pub(crate) fn brief_text(
    view: &View<'_>,
    s: &Situation,
    release: &Release,
    person: &str,
) -> String {
    let mut lines = vec![format!(
        "{person}: {} goes to {}. Acknowledge with a check mark.",
        release.title, release.environment
    )];
    for rollout in &view.rollouts {
        lines.push(format!(
            "{}: {} to {}",
            rollout.service.name,
            rollout
                .record
                .map_or("?", |d| d.previous.as_deref().unwrap_or(&d.version)),
            rollout.change.to
        ));
        if let Some(book) = &rollout.service.runbook {
            lines.push(format!("runbook: {book}"));
        }
    }
    for mode in &release.failure_modes {
        lines.push(format!("may go wrong: {mode}"));
    }
    for passport in &s.passports {
        lines.push(format!(
            "rollback of {} to {}: passport {} of {}",
            passport.service,
            passport.to.as_deref().unwrap_or("a version to pick"),
            passport.passed,
            passport.lines.len()
        ));
    }
    for trigger in &s.triggers {
        lines.push(format!(
            "rolls back when {}: {}",
            trigger.trigger, trigger.service
        ));
    }
    lines.push(format!(
        "journal head {} {}",
        s.head.0,
        s.head.1.get(..12).unwrap_or(&s.head.1)
    ));
    lines.join("\n")
}
