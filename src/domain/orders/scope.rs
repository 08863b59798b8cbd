//! What concerns more than the current release's own plan: the line, deployments that nobody planned, acts whose outcome is not
//! known, changes of the file.

use std::collections::BTreeMap;

use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::assess::{UNKNOWN, attachable, held_by, in_line};
use crate::domain::event::Body;
use crate::domain::policy::{Change, ChangeKind, Purpose, Release, Reversible, RiskClass};
use crate::domain::situation::{DeployRow, Refusal};

use super::{Order, Tasks};

impl Order<'_, '_> {
    /// One event says what is asked of whom; each pause is an act of its own.
    pub(super) fn stop_line(&self) -> Tasks {
        let environment = self.view.environment().to_owned();
        let reason = self.input("reason");
        let (mut acts, mut cannot) = (Vec::new(), BTreeMap::new());
        for one in in_line(self.view, &self.s.deployments) {
            let name = one.service.name.clone();
            if let Some(why) = one.cannot {
                cannot.insert(name, why);
                continue;
            }
            let row = self.row(&format!("{name}/{environment}"));
            let mut args: BTreeMap<_, _> = one
                .service
                .args(&environment)
                .into_iter()
                .map(|(k, v)| (k, v.into()))
                .collect();
            args.insert("id".to_owned(), one.record.id.clone().into());
            args.insert("version".to_owned(), one.record.version.clone().into());
            args.insert("ref".to_owned(), one.record.version.clone().into());
            args.insert("reason".to_owned(), reason.clone().into());
            acts.push(Act {
                id: format!("line/{environment}/{name}/{}", self.nonce),
                connection: one.service.deployments.clone().unwrap_or_default(),
                verb: Verb::Pause,
                args,
                release: row.and_then(|r| r.release.clone()),
                service: Some(name.clone()),
                environment: Some(environment.clone()),
                reason: reason.clone(),
                summary: format!("pause {name} {} in {environment}", one.record.version),
            });
        }
        let stopped = Body::LineStopped {
            environment,
            reason,
            acts: acts
                .iter()
                .map(|a| (a.service.clone().unwrap_or_default(), a.id.clone()))
                .collect(),
            cannot,
        };
        // First the word for all of it: whatever is cut off later is missing from its list, not from the journal.
        let mut tasks = self.events(vec![stopped])?;
        for task in &mut tasks {
            task.release = None;
        }
        tasks.extend(acts.into_iter().map(|act| self.perform(act, Vec::new())));
        Ok(tasks)
    }

    pub(super) fn let_go(&self) -> Tasks {
        let mut tasks = self.events(vec![Body::LineLetGo {
            environment: self.view.environment().to_owned(),
            how: self.input("how"),
        }])?;
        for task in &mut tasks {
            task.release = None;
        }
        Ok(tasks)
    }

    fn row(&self, id: &str) -> Option<&DeployRow> {
        self.s.deployments.iter().find(|d| d.id == id)
    }

    /// To an open release of that service, or to one of its own.
    pub(super) fn attach(&self, id: &str) -> Tasks {
        let Some(row) = self.row(id) else {
            return Err(vec![Refusal::new("deployments", format!("{id} is gone"))]);
        };
        let wanted = self.input("release");
        if wanted.is_empty() {
            let plan = self.of_its_own(row);
            let release = plan.id.clone();
            return self.planned(&release, Body::ReleasePlanned { plan });
        }
        let open = attachable(self.view, &row.service, &row.environment);
        let Some(release) = open.iter().find(|r| r.id == wanted) else {
            let why = format!(
                "{wanted} is no open release of {} in {}",
                row.service, row.environment
            );
            return Err(vec![
                Refusal::new("release", why).way_out("leave it empty for a release of its own"),
            ]);
        };
        let planned = release.changes.iter().find(|c| c.service == row.service);
        let body = Body::Attached {
            service: row.service.clone(),
            environment: row.environment.clone(),
            version: row.version.clone(),
            from: row.from.clone(),
            planned: planned.map(|c| c.to.clone()),
        };
        self.planned(&wanted, body)
    }

    fn of_its_own(&self, row: &DeployRow) -> Release {
        let name = |text: &str| -> String {
            let word = |c: char| {
                if c.is_alphanumeric() || "._-".contains(c) {
                    c
                } else {
                    '-'
                }
            };
            text.chars().map(word).collect()
        };
        let base = format!("{}-{}-unplanned", name(&row.service), name(&row.version));
        let taken = self.view.journal.release(&base).is_some();
        let id = if taken {
            format!("{base}-{}", self.view.at().timestamp())
        } else {
            base
        };
        Release {
            title: format!("{} {} (unplanned)", row.service, row.version),
            id,
            environment: row.environment.clone(),
            planned: row.since.or_else(|| Some(self.view.at())),
            length: None,
            driver: Some(self.actor()),
            author: None,
            changes: vec![Change {
                service: row.service.clone(),
                from: row.from.clone(),
                to: row.version.clone(),
                kind: ChangeKind::Version,
                reversible: Reversible::default(),
            }],
            purpose: Purpose::Regular,
            significant: false,
            risk: RiskClass::Normal,
            failure_modes: Vec::new(),
            deadlines: Default::default(),
            depends_on: Vec::new(),
        }
    }

    /// What came of an act, by a person's word.
    pub(super) fn by_word(&self, debt: &str) -> Tasks {
        let id = debt.strip_prefix(UNKNOWN).unwrap_or(debt);
        let Some(state) = self.view.journal.acts.get(id) else {
            return Err(vec![Refusal::new("act", format!("{id} is not known"))]);
        };
        let said = format!("by word, {}: {}", self.actor(), self.input("how"));
        let outcome = match self.input("happened").to_lowercase().as_str() {
            "yes" | "y" => Outcome::Confirmed {
                receipt: Receipt {
                    id: Some(said),
                    ..Receipt::default()
                },
            },
            "no" | "n" => Outcome::Refused { why: said },
            other => {
                let why = format!("{other} is neither yes nor no");
                return Err(vec![Refusal::new("input", why)]);
            }
        };
        let mut tasks = self.events(vec![Body::Concluded {
            act: id.to_owned(),
            outcome,
        }])?;
        for task in &mut tasks {
            task.release.clone_from(&state.act.release);
        }
        Ok(tasks)
    }

    /// A change of the file comes into force although a release stands on the old.
    pub(super) fn take_change(&self, debt: &str) -> Tasks {
        let Some(held) = held_by(self.view, debt) else {
            return Err(vec![Refusal::new("policy", "nothing of the kind is held")]);
        };
        let mut tasks = self.events(vec![Body::ChangeTaken {
            name: held.name.clone(),
            digest: held.digest.clone(),
            reason: self.input("reason"),
        }])?;
        for task in &mut tasks {
            task.release = Some(held.release.clone());
        }
        Ok(tasks)
    }
}
