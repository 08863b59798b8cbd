//! From a confirmed wish to events and acts. The situation is judged again first: where target, permit or rules moved
//! since the dialog was shown, the act is refused (law 3).

use std::collections::BTreeMap;

use chrono::Duration;

use super::act::{Act, Verb};
use super::assess::View;
use super::assess::{act_brief_text, act_messages, act_steer, next_service};
use super::contract;
use super::event::{Body, Closing, HandoffItem, Plan};
use super::dates;
use super::journal::Journal;
use super::observe::Observed;
use super::planning;
use super::policy::Policy;
use super::record::DeployState;
use super::rollback;
use super::situation::{Duty, Permission, Permit, Refusal, Request, Situation, Task};
use super::time::Now;

/// Decides a request: tasks in order, or why not. `nonce` makes act ids unique; the caller draws it at random.
///
/// # Errors
/// The refusals, each with rule, reason and way out.
pub fn decide(
    policy: &Policy,
    journal: &Journal,
    observed: &Observed,
    now: Now,
    request: &Request,
    nonce: &str,
) -> Result<Vec<Duty>, Vec<Refusal>> {
    super::assess::with_view(policy, journal, observed, now, |view, s| {
        let permit = match s.permits.get(&request.action) {
            None => {
                return Err(vec![Refusal::new(
                    "action",
                    format!("{} is not possible now", request.action),
                )]);
            }
            Some(Permission::Refused(refusals)) => return Err(refusals.clone()),
            Some(Permission::Granted(permit)) => permit,
        };
        check(permit, request)?;
        let order = Order {
            view,
            s,
            request,
            nonce,
        };
        order.tasks()
    })
}

/// Basis and inputs.
fn check(permit: &Permit, request: &Request) -> Result<(), Vec<Refusal>> {
    if permit.basis != request.basis {
        return Err(vec![
            Refusal::new(
                "moved",
                "the target or the rules moved since the dialog was shown",
            )
            .way_out("look again and confirm anew"),
        ]);
    }
    if let Some(word) = &permit.typed
        && request.inputs.get("typed") != Some(word)
    {
        return Err(vec![Refusal::new(
            "typed",
            format!("type {word} to confirm"),
        )]);
    }
    let missing: Vec<Refusal> = permit
        .inputs
        .iter()
        .filter(|i| {
            i.required
                && request
                    .inputs
                    .get(&i.key)
                    .is_none_or(|v| v.trim().is_empty())
        })
        .map(|i| Refusal::new("input", format!("{} is missing", i.label)))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(missing)
    }
}

/// Builds the rollback plan of the current release's started services; `picks` names targets where none is on record.
///
/// # Errors
/// A refusal where a target is not known.
pub(crate) fn rollback_plan(
    view: &View<'_>,
    s: &Situation,
    reason: &str,
    picks: &BTreeMap<String, String>,
) -> Result<Plan, Vec<Refusal>> {
    let Some(release) = view.release else {
        return Err(vec![Refusal::new("release", "no release is open")]);
    };
    let order: Vec<String> = view.services().iter().map(|x| x.name.clone()).collect();
    let mut parts = Vec::new();
    for name in &order {
        let Some(rollout) = view.rollout(name) else {
            continue;
        };
        let Some(record) = rollout
            .record
            .filter(|d| d.version == rollout.change.to && d.state != DeployState::Queued)
        else {
            continue;
        };
        let known = s
            .passports
            .iter()
            .find(|p| &p.service == name)
            .and_then(|p| p.to.clone());
        let to = known
            .or_else(|| {
                picks
                    .get(&format!("to/{name}"))
                    .filter(|v| record.history.iter().any(|h| &h.version == *v))
                    .cloned()
            })
            .ok_or_else(|| {
                vec![Refusal::new(
                    "passport",
                    format!("no target for {name}: pick a version of its history"),
                )]
            })?;
        let can_hold = rollout
            .service
            .deployments
            .as_ref()
            .and_then(|c| view.policy.connections.get(c))
            .is_some_and(|c| c.can(Verb::Hold) && c.can(Verb::ReleaseHold));
        parts.push(rollback::Part {
            service: rollout.service,
            record,
            from: rollout.change.to.clone(),
            to,
            can_hold,
        });
    }
    let number = view.state.map_or(0, |x| x.plans.len()) + 1;
    let tripped = s.triggers.iter().filter_map(|t| t.tripped_at).min();
    Ok(rollback::plan(
        &format!("rollback/{}/{number}", release.id),
        &release.id,
        &release.environment,
        reason,
        tripped,
        &parts,
    ))
}

struct Order<'a, 'b> {
    view: &'b View<'a>,
    s: &'b Situation,
    request: &'b Request,
    nonce: &'b str,
}

type Tasks = Result<Vec<Duty>, Vec<Refusal>>;

impl Order<'_, '_> {
    fn input(&self, key: &str) -> String {
        self.request
            .inputs
            .get(key)
            .map(|v| v.trim().to_owned())
            .unwrap_or_default()
    }

    fn release(&self) -> Option<String> {
        self.view.release.map(|r| r.id.clone())
    }

    fn actor(&self) -> String {
        self.view.observed.session.actor.clone()
    }

    fn duty(&self, suffix: &str, task: Task) -> Duty {
        Duty {
            key: format!("order/{}/{}{suffix}", self.nonce, self.request.action),
            release: self.release(),
            task,
        }
    }

    /// Events by the person at the keys.
    fn events(&self, bodies: Vec<Body>) -> Tasks {
        let session = &self.view.observed.session;
        Ok(vec![self.duty(
            "",
            Task::Record {
                actor: session.actor.clone(),
                known_by: session.known_by.clone(),
                bodies,
            },
        )])
    }

    fn in_hours(&self, hours: i64) -> super::time::Instant {
        self.view.at() + Duration::hours(hours)
    }

    fn tasks(&self) -> Tasks {
        let (verb, subject) = self
            .request
            .action
            .split_once('/')
            .unwrap_or((&self.request.action, ""));
        match verb {
            "seal" => self.seal(),
            "drive" => self.events(vec![Body::DriverTook {
                driver: self.actor(),
            }]),
            "deploy" => self.deploy(),
            "promote" => self.steer(Verb::Promote),
            "abort" => self.steer(Verb::Abort),
            "pause" => self.steer(Verb::Pause),
            "resume" => self.steer(Verb::Resume),
            "stop_line" => self.stop_line(),
            "rollback" => {
                let plan = rollback_plan(
                    self.view,
                    self.s,
                    &self.input("reason"),
                    &self.request.inputs,
                )?;
                // The key is the plan's id: two cockpits that press at once start one plan.
                let mut tasks = self.events(vec![Body::PlanStarted { plan: plan.clone() }])?;
                for task in &mut tasks {
                    task.key = format!("plan/{}", plan.id);
                }
                Ok(tasks)
            }
            "brief" => self.brief(),
            "ack" => self.ack(),
            "handoff" => self.handoff(),
            "take" => self.take(subject),
            "incident" => self.incident(),
            "approve" => self.approve(),
            "cancel_countdown" => self.cancel(),
            "close" => self.close(),
            "tick" => self.events(vec![Body::Ticked {
                item: subject.to_owned(),
                note: self.input("note"),
            }]),
            "untick" => self.events(vec![Body::Unticked {
                item: subject.to_owned(),
                why: "taken back".to_owned(),
            }]),
            "waive" => self.events(vec![Body::Waived {
                item: subject.to_owned(),
                reason: self.input("reason"),
                due: self.in_hours(24),
            }]),
            "accept" => self.accept(subject),
            "override" => self.overrule(subject),
            "settle" => self.settle(subject),
            "plan" => self.plan(),
            "move" => self.shift(subject),
            _ => Err(vec![Refusal::new(
                "action",
                format!("{} is not an act", self.request.action),
            )]),
        }
    }

    fn seal(&self) -> Tasks {
        let Some(release) = self.view.release else {
            return Ok(Vec::new());
        };
        let contract = contract::of(self.view.policy, release);
        let mut bodies = vec![Body::ContractSealed {
            digest: contract::digest(&contract),
            contract,
        }];
        if self
            .s
            .releases
            .first()
            .and_then(|r| r.driver.as_ref())
            .is_none()
        {
            bodies.push(Body::DriverTook {
                driver: self.actor(),
            });
        }
        self.events(bodies)
    }

    /// A plan as it was typed, read again.
    fn plan(&self) -> Tasks {
        let view = self.view;
        let inputs = &self.request.inputs;
        let draft = planning::draft(view.policy, view.journal, inputs, view.at());
        let refusals: Vec<Refusal> = draft
            .problems
            .into_iter()
            .map(|(key, why)| Refusal::new(format!("plan/{key}"), why))
            .collect();
        match draft.release {
            Some(plan) if refusals.is_empty() => {
                let id = plan.id.clone();
                self.planned(&id, Body::ReleasePlanned { plan })
            }
            _ => Err(refusals),
        }
    }

    /// A release at another start.
    fn shift(&self, id: &str) -> Tasks {
        let view = self.view;
        let wrong = |why: String| Err(vec![Refusal::new("plan/start", why)]);
        let all = planning::releases(view.policy, view.journal);
        let Some(release) = all.into_iter().find(|r| r.id == id) else {
            return wrong(format!("no release is called {id}"));
        };
        let to = match dates::instant(&self.input("start"), view.at(), view.policy.timezone) {
            Ok(to) if to < view.at() => return wrong("that lies in the past".to_owned()),
            Ok(to) if Some(to) == release.planned => {
                return wrong(format!("{} is planned for then already", release.title));
            }
            Ok(to) => to,
            Err(why) => return wrong(why),
        };
        let file = match planning::moved(view.journal, release) {
            Some(moved) => moved.file,
            None => view.policy.release(id).and_then(|r| r.planned),
        };
        let from = release.planned;
        self.planned(id, Body::ReleaseMoved { to, from, file })
    }

    /// An event of a release that need not be the current one.
    fn planned(&self, id: &str, body: Body) -> Tasks {
        let mut tasks = self.events(vec![body])?;
        for task in &mut tasks {
            task.release = Some(id.to_owned());
        }
        Ok(tasks)
    }

    fn perform(&self, act: Act, before: Vec<Body>) -> Duty {
        Duty {
            key: format!("act/{}", act.id),
            release: act.release.clone(),
            task: Task::Perform {
                before,
                act,
                step: None,
            },
        }
    }

    /// The first service in dependency order that is not deployed yet.
    fn deploy(&self) -> Tasks {
        let act = self
            .view
            .release
            .zip(next_service(self.view))
            .and_then(|(release, rollout)| {
                act_steer(release, rollout, Verb::Deploy, "release", self.nonce)
            });
        match act {
            Some(act) => Ok(vec![self.perform(act, Vec::new())]),
            None => Err(vec![Refusal::new(
                "deploy",
                "the vendor's live record of the service is not known",
            )]),
        }
    }

    fn steer(&self, verb: Verb) -> Tasks {
        let Some(release) = self.view.release else {
            return Ok(Vec::new());
        };
        let reason = self.input("reason");
        for rollout in &self.view.rollouts {
            let moving = rollout
                .record
                .is_some_and(|d| d.state.in_flight() && d.version == rollout.change.to);
            if !moving {
                continue;
            }
            if let Some(act) = act_steer(release, rollout, verb, &reason, self.nonce) {
                return Ok(vec![self.perform(act, Vec::new())]);
            }
        }
        Err(vec![Refusal::new("phase", "no rollout is under way")])
    }

    fn stop_line(&self) -> Tasks {
        let Some(release) = self.view.release else {
            return Ok(Vec::new());
        };
        Ok(self
            .view
            .rollouts
            .iter()
            .filter(|r| {
                r.record
                    .is_some_and(|d| d.state.in_flight() && d.version == r.change.to)
            })
            .filter(|r| {
                let connection = r.service.deployments.as_ref();
                connection
                    .and_then(|c| self.view.policy.connections.get(c))
                    .is_some_and(|c| c.can(Verb::Pause))
            })
            .filter_map(|r| act_steer(release, r, Verb::Pause, &self.input("reason"), self.nonce))
            .map(|act| self.perform(act, Vec::new()))
            .collect())
    }

    fn brief(&self) -> Tasks {
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

    fn ack(&self) -> Tasks {
        self.events(vec![Body::Acknowledged {
            person: self.input("person"),
            how: format!("by word, taken by {}", self.actor()),
        }])
    }

    /// Where each release stands, debts, triggers, checkpoints, who to wake: line by line.
    fn handoff(&self) -> Tasks {
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

    fn take(&self, item: &str) -> Tasks {
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

    fn incident(&self) -> Tasks {
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

    /// By word: not by the author, not by the driver, not by the one who types.
    fn approve(&self) -> Tasks {
        let Some(release) = self.view.release else {
            return Ok(Vec::new());
        };
        let by = self.input("by");
        let driver = self.s.releases.first().and_then(|r| r.driver.clone());
        for (who, what) in [
            (release.author.clone(), "the author"),
            (driver, "the driver"),
            (Some(self.actor()), "the one who asks"),
        ] {
            if who.as_ref() == Some(&by) {
                return Err(vec![Refusal::new(
                    "approval",
                    format!("{by} is {what} and may not approve"),
                )]);
            }
        }
        let Some(rule) = self.view.policy.approvals.get(&release.risk) else {
            return Ok(Vec::new());
        };
        let roles = self
            .view
            .policy
            .people
            .get(&by)
            .map(|p| p.roles.clone())
            .unwrap_or_default();
        let Some(role) = roles.into_iter().find(|r| rule.of.contains(r)) else {
            return Err(vec![
                Refusal::new(
                    "approval",
                    format!("{by} has none of the roles {}", rule.of.join(", ")),
                )
                .way_out("give the role in [people.NAME] of cockpit.toml"),
            ]);
        };
        let contract = self
            .view
            .state
            .and_then(|x| x.contract.as_ref())
            .map(|(_, c, _)| c.clone())
            .unwrap_or_else(|| contract::of(self.view.policy, release));
        let lasts = i64::try_from(self.view.policy.limits.approval_lasts).unwrap_or(4 * 3600);
        self.events(vec![Body::Approved {
            by,
            role,
            digest: contract::approval_digest(release, &contract),
            expires: self.view.at() + Duration::seconds(lasts),
        }])
    }

    fn cancel(&self) -> Tasks {
        let bodies = self
            .s
            .triggers
            .iter()
            .filter(|t| t.tripped)
            .map(|t| Body::CountdownCancelled {
                service: t.service.clone(),
                trigger: t.trigger.clone(),
            })
            .collect();
        self.events(bodies)
    }

    fn close(&self) -> Tasks {
        let permit = match self.s.permits.get("close") {
            Some(Permission::Granted(p)) => p,
            _ => return Ok(Vec::new()),
        };
        let how = permit
            .effects
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let closing = match how {
            "as rolled back" => Closing::RolledBack,
            "as abandoned" => Closing::Abandoned,
            "as superseded" => Closing::Superseded,
            "as shipped" => Closing::Shipped,
            _ => Closing::ShippedUnproven,
        };
        self.events(vec![Body::ReleaseClosed {
            closing,
            detail: self.input("reason"),
        }])
    }

    fn accept(&self, subject: &str) -> Tasks {
        let gate = self.s.gates.iter().find(|g| g.id == subject);
        self.events(vec![Body::Accepted {
            subject: subject.to_owned(),
            reason: self.input("reason"),
            n: gate.map_or(0, |g| g.n),
            smallest_visible: gate.and_then(|g| g.smallest_visible),
            due: self.in_hours(24),
        }])
    }

    fn overrule(&self, rule: &str) -> Tasks {
        let second = Some(self.input("second")).filter(|x| !x.is_empty());
        let own = self.actor().to_lowercase();
        if second.as_ref().is_some_and(|x| x.to_lowercase() == own) {
            return Err(vec![Refusal::new(
                rule,
                "the second person may not be the one who asks",
            )]);
        }
        let lasts =
            i64::try_from(self.view.policy.limits.override_lasts.min(86_400)).unwrap_or(7200);
        self.events(vec![Body::Overridden {
            rule: rule.to_owned(),
            reason: self.input("reason"),
            expires: self.view.at() + Duration::seconds(lasts),
            second,
        }])
    }

    fn settle(&self, debt: &str) -> Tasks {
        let to = self.input("to");
        let owner = self.s.debts.iter().find(|d| d.debt.id == debt);
        if owner.is_some_and(|d| d.debt.owner == to) {
            return Err(vec![Refusal::new(
                "debt",
                format!("{to} owes it already: handing it to oneself only moves its due time"),
            )]);
        }
        if !to.is_empty() {
            return self.events(vec![Body::DebtHanded {
                debt: debt.to_owned(),
                to,
                due: self.in_hours(24),
            }]);
        }
        self.events(vec![Body::DebtSettled {
            debt: debt.to_owned(),
            how: self.input("how"),
        }])
    }
}
