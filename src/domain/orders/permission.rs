//! Approvals, overrides, acceptance, and the debts they leave.

use crate::domain::assess::approvals::{
    asker, barred, class_of, digest, images, lasts as approval_lasts, rule,
};
use crate::domain::assess::overrides::{lasts, may_confirm, names, needs_second, pending, terms};
use crate::domain::assess::{
    POLICY, UNKNOWN, act_approval_messages, act_glass_messages, is_review,
};
use crate::domain::event::Body;
use crate::domain::situation::Refusal;

use super::{Order, Tasks};

fn refuse(rule: &str, why: impl Into<String>) -> Tasks {
    Err(vec![Refusal::new(rule, why)])
}

impl Order<'_, '_> {
    /// The name of `[people]` for what was typed, and how that person is known: as oneself at one's own login, else by word.
    fn person(&self, typed: &str) -> (String, String) {
        let name = self.view.policy.known_as(typed);
        let session = &self.view.observed.session;
        let how = if self.view.policy.same_person(&name, &session.actor) {
            session.known_by.clone()
        } else {
            format!("by word, taken by {}", session.actor)
        };
        (name, how)
    }

    /// Not by the author, not by the driver, not by the one who asks.
    pub(super) fn approve(&self) -> Tasks {
        let view = self.view;
        let Some(release) = view.release else {
            return Ok(Vec::new());
        };
        let (by, how) = self.person(&self.input("by"));
        if let Some(what) = barred(view, release, &by) {
            return refuse("approval", format!("{by} is {what} and may not approve"));
        }
        // At one's own login one approves oneself, unless one asked for it; a name that is only typed is another's.
        let session = &view.observed.session;
        let own = view.policy.same_person(&by, &session.actor);
        let asked = asker(view, release).is_some_and(|a| view.policy.same_person(&a, &by));
        if asked || (own && session.known_by != "os user") {
            let why = format!("{by} is the one who asks and may not approve");
            return refuse("approval", why);
        }
        let Some(rule) = rule(view, release) else {
            return Ok(Vec::new());
        };
        let role = view.policy.roles(&by).iter().find(|r| rule.of.contains(r));
        let Some(role) = role.cloned() else {
            return Err(vec![
                Refusal::new(
                    "approval",
                    format!("{by} has none of the roles {}", rule.of.join(", ")),
                )
                .way_out("give the role in [people.NAME] of cockpit.toml"),
            ]);
        };
        self.events(vec![Body::Approved {
            by,
            role,
            digest: digest(view, release),
            expires: view.at() + approval_lasts(view),
            how,
            record: None,
            images: images(view, release),
        }])
    }

    /// Journaled first, then told over every channel.
    pub(super) fn ask_approval(&self) -> Tasks {
        let view = self.view;
        let Some((release, rule)) = view.release.and_then(|r| Some((r, rule(view, r)?))) else {
            return Ok(Vec::new());
        };
        let note = self.input("note");
        let mut tasks = self.events(vec![Body::ApprovalAsked {
            of: rule.of.clone(),
            count: rule.count,
            digest: digest(view, release),
            note: note.clone(),
        }])?;
        let class = class_of(view, release);
        let messages = act_approval_messages(view, release, rule, class, &note, self.nonce);
        tasks.extend(messages);
        Ok(tasks)
    }

    pub(super) fn accept(&self, subject: &str) -> Tasks {
        let gate = self.s.gates.iter().find(|g| g.id == subject);
        self.events(vec![Body::Accepted {
            subject: subject.to_owned(),
            reason: self.input("reason"),
            n: gate.map_or(0, |g| g.n),
            smallest_visible: gate.and_then(|g| g.smallest_visible),
            due: self.in_hours(24),
        }])
    }

    /// Given at once, asked of a second person, or confirmed by that person.
    pub(super) fn overrule(&self, rule: &str) -> Tasks {
        if pending(self.view, rule).is_some() {
            return self.confirm(rule);
        }
        let view = self.view;
        let terms = terms(view, rule);
        let actor = self.actor();
        if needs_second(view, &terms, &actor) {
            return self.events(vec![Body::OverrideAsked {
                rule: rule.to_owned(),
                reason: self.input("reason"),
                until: view.at() + lasts(view),
                may: may_confirm(view, &terms, &actor).unwrap_or_default(),
            }]);
        }
        self.events(vec![Body::Overridden {
            rule: rule.to_owned(),
            reason: self.input("reason"),
            expires: view.at() + lasts(view),
            second: None,
            second_known_by: None,
            asked_by: None,
            break_glass: false,
        }])
    }

    /// The second person: never the one who asked, whatever the name is written like.
    fn confirm(&self, rule: &str) -> Tasks {
        let view = self.view;
        let Some(asked) = pending(view, rule) else {
            return refuse(rule, "nobody asked for this override");
        };
        let (second, how) = self.person(&self.input("second"));
        let may = may_confirm(view, &terms(view, rule), &asked.by);
        let who = names(may.as_deref(), &asked.by);
        if view.policy.same_person(&second, &asked.by) {
            return Err(vec![
                Refusal::new(
                    rule,
                    format!(
                        "{} asked for it: the second person is somebody else",
                        asked.by
                    ),
                )
                .way_out(format!("{who} may confirm it")),
            ]);
        }
        if may.is_some_and(|list| !list.contains(&second)) {
            return Err(vec![
                Refusal::new(rule, format!("{second} may not confirm it"))
                    .way_out(format!("{who} may")),
            ]);
        }
        self.events(vec![Body::Overridden {
            rule: rule.to_owned(),
            reason: asked.reason.clone(),
            expires: view.at() + lasts(view),
            second: Some(second),
            second_known_by: Some(how),
            asked_by: Some(asked.by.clone()),
            break_glass: false,
        }])
    }

    pub(super) fn decline(&self, rule: &str) -> Tasks {
        self.events(vec![Body::OverrideDropped {
            rule: rule.to_owned(),
            by: self.actor(),
            why: self.input("reason"),
        }])
    }

    /// Journaled first, then told to the rule's owner and the next level.
    pub(super) fn break_glass(&self, rule: &str) -> Tasks {
        let view = self.view;
        let reason = self.input("reason");
        let mut tasks = self.events(vec![Body::Overridden {
            rule: rule.to_owned(),
            reason: reason.clone(),
            expires: view.at() + lasts(view),
            second: None,
            second_known_by: None,
            asked_by: Some(self.actor()),
            break_glass: true,
        }])?;
        if let Some(release) = view.release {
            let by = self.actor();
            let expires = view.at() + lasts(view);
            let messages = act_glass_messages(view, release, rule, &by, &reason, expires);
            tasks.extend(messages);
        }
        Ok(tasks)
    }

    pub(super) fn settle(&self, debt: &str) -> Tasks {
        let owner = self.s.debts.iter().find(|d| d.debt.id == debt);
        let owner = owner.map(|d| d.debt.owner.clone()).unwrap_or_default();
        if is_review(debt) {
            return self.reviewed(debt, &owner);
        }
        if debt.starts_with(UNKNOWN) {
            return self.by_word(debt);
        }
        if debt.starts_with(POLICY) {
            return self.take_change(debt);
        }
        let to = self.input("to");
        if !to.is_empty() && owner == to {
            let why =
                format!("{to} owes it already: handing it to oneself only moves its due time");
            return refuse("debt", why);
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

    /// A closed release's review, on record.
    pub(super) fn review(&self) -> Tasks {
        let (by, how) = self.person(&self.input("reviewer"));
        let broke = self.view.state.and_then(|x| {
            let glass = x.overrides.values().filter(|o| o.break_glass);
            glass.map(|o| o.by.clone()).next()
        });
        if let Some(broke) = broke.filter(|b| self.view.policy.same_person(&by, b)) {
            return Err(vec![
                Refusal::new(
                    "review",
                    format!("{broke} broke the glass: somebody else reviews it"),
                )
                .way_out("name the person who reviewed it"),
            ]);
        }
        let document = self.input("document");
        self.events(vec![Body::Reviewed {
            by,
            how,
            found: self.input("found"),
            document: Some(document).filter(|d| !d.is_empty()),
        }])
    }

    /// A broken glass is reviewed by somebody who did not break it.
    fn reviewed(&self, debt: &str, owner: &str) -> Tasks {
        let (reviewer, how) = self.person(&self.input("reviewer"));
        let broke = self.broke_glass(debt).unwrap_or_else(|| owner.to_owned());
        if self.view.policy.same_person(&reviewer, &broke) {
            return Err(vec![
                Refusal::new(
                    "review",
                    format!("{broke} broke the glass: somebody else reviews it"),
                )
                .way_out("name the person who reviewed it"),
            ]);
        }
        self.events(vec![Body::DebtSettled {
            debt: debt.to_owned(),
            how: format!("reviewed by {reviewer} ({how}): {}", self.input("how")),
        }])
    }

    /// Who broke it, by the journal: the debt may have been handed on.
    fn broke_glass(&self, debt: &str) -> Option<String> {
        let (release, rule) = debt.split_once("/break-glass/")?;
        let state = self.view.journal.release(release)?;
        state.overrides.get(rule).map(|o| o.by.clone())
    }
}
