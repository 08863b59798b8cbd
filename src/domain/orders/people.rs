//! Brief, acknowledgement, handoff and incident.

use std::collections::BTreeMap;

use crate::domain::act::{Act, Verb};
use crate::domain::assess::{act_brief_text, act_messages};
use crate::domain::event::{Body, HandoffItem};
use crate::domain::situation::Refusal;

use super::{Order, Tasks};

impl Order<'_, '_> {
    pub(super) fn brief(&self) -> Tasks {
        let (Some(release), Some(first)) = (self.view.release, self.s.oncall.rows.first()) else {
            return Err(vec![Refusal::new(
                "on-call",
                "nobody is known to be on call",
            )]);
        };
        let text = act_brief_text(self.view, self.s, release, &first.person);
        let mut tasks = act_messages(
            self.view,
            release,
            first.level,
            &first.person,
            &text,
            self.nonce,
        );
        // A driver who is on call acknowledges to themselves, labelled so.
        if first.person == self.actor() {
            tasks.extend(self.events(vec![Body::Acknowledged {
                person: first.person.clone(),
                how: "self: the driver is on call".to_owned(),
            }])?);
        }
        Ok(tasks)
    }

    pub(super) fn ack(&self) -> Tasks {
        self.events(vec![Body::Acknowledged {
            person: self.input("person"),
            how: format!("by word, taken by {}", self.actor()),
        }])
    }

    /// Where each release stands, debts, triggers, checkpoints, who to wake: line by line.
    pub(super) fn handoff(&self) -> Tasks {
        let s = self.s;
        let mut items: Vec<HandoffItem> = Vec::new();
        let mut add = |id: String, text: String| items.push(HandoffItem { id, text });
        for release in s.releases.iter().filter(|r| r.closing.is_none()) {
            let advice = if Some(&release.plan.id) == s.current.as_ref() {
                format!(", {}", s.band.advice.word())
            } else {
                String::new()
            };
            add(
                format!("release/{}", release.plan.id),
                format!("{}: {}{advice}", release.plan.title, release.phase.word()),
            );
        }
        for debt in &s.debts {
            add(
                format!("debt/{}", debt.debt.id),
                format!(
                    "{} ({}, due {} UTC)",
                    debt.debt.what,
                    debt.debt.owner,
                    debt.debt.due.format("%F %H:%M")
                ),
            );
        }
        for trigger in &s.triggers {
            add(
                trigger.id.clone(),
                format!(
                    "trigger {} {}: {}",
                    trigger.trigger, trigger.mark.word, trigger.distance
                ),
            );
        }
        if let Some(watch) = &s.watch
            && let Some(next) = watch.checkpoints.iter().find(|c| c.mark.word == "ahead")
        {
            add(
                "checkpoint".to_owned(),
                format!("next checkpoint {} UTC", next.due.format("%F %H:%M")),
            );
        }
        for alert in s.oncall.alerts.iter().filter(|a| a.mark.word == "silenced") {
            add(
                format!("silence/{}", alert.name),
                format!("alert {} is silenced", alert.name),
            );
        }
        for row in &s.oncall.rows {
            add(
                format!("wake/{}", row.level),
                format!("wake level {}: {}", row.level, row.person),
            );
        }
        let state = self.view.state;
        let since = state
            .and_then(|x| x.handoffs.last())
            .map(|h| h.at)
            .unwrap_or_else(|| self.in_hours(-12));
        self.events(vec![Body::HandoffGiven {
            id: format!("handoff/{}", self.nonce),
            to: self.input("to"),
            since,
            items,
            head: format!("{} {}", s.head.0, s.head.1),
        }])
    }

    pub(super) fn take(&self, item: &str) -> Tasks {
        let Some(handoff) = &self.s.handoff else {
            return Err(vec![Refusal::new("handoff", "no handoff is open")]);
        };
        let mut bodies = vec![Body::HandoffTaken {
            id: handoff.id.clone(),
            item: item.to_owned(),
        }];
        // A debt that is taken changes its owner.
        if let Some(debt) = item.strip_prefix("debt/")
            && let Some(open) = self.s.debts.iter().find(|d| d.debt.id == debt)
        {
            bodies.push(Body::DebtHanded {
                debt: debt.to_owned(),
                to: handoff.to.clone(),
                due: open.debt.due,
            });
        }
        self.events(bodies)
    }

    pub(super) fn incident(&self) -> Tasks {
        let title = self.input("title");
        let vendor = self
            .view
            .policy
            .connections
            .values()
            .find(|c| c.can(Verb::CreateIncident));
        let Some(connection) = vendor else {
            return self.events(vec![Body::IncidentDeclared { title, act: None }]);
        };
        let service = self.view.rollouts.first().map(|r| r.service.name.clone());
        let act = Act {
            id: format!("incident/{}", self.nonce),
            connection: connection.name.clone(),
            verb: Verb::CreateIncident,
            args: BTreeMap::from([
                ("title".to_owned(), title.clone().into()),
                (
                    "service".to_owned(),
                    service.clone().unwrap_or_default().into(),
                ),
            ]),
            release: self.release(),
            service,
            environment: Some(self.view.environment().to_owned()),
            reason: title.clone(),
            summary: format!("declare an incident: {title}"),
        };
        let declared = Body::IncidentDeclared {
            title,
            act: Some(act.id.clone()),
        };
        Ok(vec![self.perform(act, vec![declared])])
    }
}
