//! What approvals and overrides owe: vendors' records on record, the risk as the deployment began, people told.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::act::{Act, Verb};
use crate::domain::assess::approvals::{approvers, digest, images, to_journal};
use crate::domain::assess::overrides::told;
use crate::domain::assess::{View, risk};
use crate::domain::event::Body;
use crate::domain::policy::{ApprovalRule, Release, RiskClass};
use crate::domain::situation::{Duty, FeedView, Situation, Task};
use crate::domain::time::Instant;

use super::Owed;

impl Owed<'_, '_> {
    /// A change record or ticket says that somebody approved: journaled once, bound to what is planned now.
    pub(super) fn approvals(&mut self) {
        let Some(release) = self.view.release else {
            return;
        };
        for found in to_journal(self.view) {
            let at = found.record.at.map_or(0, |t| t.timestamp());
            let key = format!(
                "approved/{}/{}/{}/{at}",
                release.id, found.record.id, found.by
            );
            let body = Body::Approved {
                by: found.by.clone(),
                role: found.role,
                digest: digest(self.view, release),
                expires: found.expires,
                how: found.how,
                record: Some(found.record.id),
                images: images(self.view, release),
            };
            self.record_as(&found.by, "vendor", key, Some(&release.id), vec![body]);
        }
    }

    /// The class and its points are kept as they were when the deployment began.
    pub(super) fn risk(&mut self, s: &Situation) {
        // Aside, the conflicts that are part of it are left out.
        let (Some(release), Some(state), false) =
            (self.view.release, self.view.state, self.view.aside)
        else {
            return;
        };
        let Some(judged) = self.view.risk.as_ref().filter(|r| r.kept.is_empty()) else {
            return;
        };
        // What is still to be read is no evidence: its answer is waited for, or its fault.
        let behind = ["commits/", "deployments/", "calendar/"];
        let unread = |f: &FeedView| {
            !f.freshness.usable()
                && f.fault.is_none()
                && behind.iter().any(|b| f.need.starts_with(b))
        };
        if state.tracks.is_empty() || state.risk.is_some() || s.feeds.iter().any(unread) {
            return;
        }
        let body = Body::RiskJudged {
            class: judged.by_points,
            total: judged.total,
            points: judged.points.iter().map(risk::words).collect(),
        };
        self.record(
            format!("risk/{}", release.id),
            Some(&release.id),
            vec![body],
        );
    }

    /// Messages about a broken glass that a crash kept from going out.
    pub(super) fn glass(&mut self) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        for (rule, o) in state.overrides.iter().filter(|(_, o)| o.break_glass) {
            for duty in glass_messages(self.view, release, rule, &o.by, &o.reason, o.expires) {
                let sent = match &duty.task {
                    Task::Perform { act, .. } => self.view.journal.acts.contains_key(&act.id),
                    _ => true,
                };
                if !sent {
                    self.list.push(duty);
                }
            }
        }
    }
}

/// One message a channel, each with its own duty.
pub(super) fn messages(
    view: &View<'_>,
    release: &Release,
    id: &str,
    text: &str,
    what: &str,
) -> Vec<Duty> {
    let channels = view.policy.oncall.channels.iter().enumerate();
    channels
        .map(|(i, channel)| {
            let mut args: BTreeMap<String, Value> = channel
                .args
                .iter()
                .map(|(k, v)| (k.clone(), Value::String(v.clone())))
                .collect();
            args.insert("text".to_owned(), Value::String(text.to_owned()));
            let act = Act {
                id: format!("{}/{id}/{i}/{}", release.id, channel.connection),
                connection: channel.connection.clone(),
                verb: Verb::PostMessage,
                args,
                release: Some(release.id.clone()),
                service: None,
                environment: Some(release.environment.clone()),
                reason: what.to_owned(),
                summary: format!("{what} over {}", channel.connection),
            };
            Duty {
                key: format!("message/{}", act.id),
                release: Some(release.id.clone()),
                task: Task::Perform {
                    before: Vec::new(),
                    act,
                    step: None,
                },
            }
        })
        .collect()
}

/// Tells the rule's owner and the next level that the glass was broken; its end names it in the message's id.
pub(crate) fn glass_messages(
    view: &View<'_>,
    release: &Release,
    rule: &str,
    by: &str,
    reason: &str,
    expires: Instant,
) -> Vec<Duty> {
    let names = told(view, rule).join(", ");
    let services: Vec<&str> = release.changes.iter().map(|c| c.service.as_str()).collect();
    let text = format!(
        "{names}: BREAK GLASS. {by} overrode {rule} without a second person for {} ({}) in {}: {reason}. It holds until {} UTC; a review is due within 24 h.",
        release.title,
        services.join(", "),
        release.environment,
        expires.format("%F %H:%M")
    );
    let id = format!("glass/{}/{rule}", expires.timestamp());
    let what = format!("tell {names} that {by} broke the glass on {rule}");
    messages(view, release, &id, &text, &what)
}

/// Asks those who may approve.
pub(crate) fn approval_messages(
    view: &View<'_>,
    release: &Release,
    rule: &ApprovalRule,
    class: RiskClass,
    note: &str,
    nonce: &str,
) -> Vec<Duty> {
    let able = approvers(view, release, rule);
    let who = if able.is_empty() {
        rule.of.join(" or ")
    } else {
        able.join(", ")
    };
    let mut lines = vec![format!(
        "{who}: {} asks for {} approval{} of {} for {} (risk {}).",
        view.observed.session.actor,
        rule.count,
        if rule.count == 1 { "" } else { "s" },
        release.title,
        release.environment,
        class.word()
    )];
    for change in &release.changes {
        lines.push(format!("{}: to {}", change.service, change.to));
    }
    for point in view
        .risk
        .iter()
        .flat_map(|r| &r.points)
        .filter(|p| p.points > 0)
    {
        lines.push(risk::words(point));
    }
    if !note.is_empty() {
        lines.push(note.to_owned());
    }
    lines.push(format!("cockpit approve {} --by NAME", release.id));
    let id = format!("approval/{nonce}");
    let what = format!("ask {who} for approval");
    messages(view, release, &id, &lines.join("\n"), &what)
}
