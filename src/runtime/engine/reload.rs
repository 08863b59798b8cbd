//! cockpit.toml changed on disk: a broken file keeps the old policy and says so; a good one comes into force and is
//! journaled with its difference (SEMANTICS 13).

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::diff;
use crate::domain::event::Body;
use crate::domain::policy::Policy;
use crate::domain::rules::Rules;
use crate::domain::situation::{Duty, Phase, Task};

use super::super::load::{LoadError, load_file};
use super::Engine;

/// When a file was last written.
pub(super) fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}

impl Engine {
    /// Reads the file again when it changed. True when the policy or its fault did.
    pub(super) async fn reload(&mut self) -> bool {
        let seen = modified(&self.loaded.path);
        if seen.is_none() || seen == self.file_seen {
            return false;
        }
        self.file_seen = seen;
        let fault = match load_file(&self.place, &self.loaded.path) {
            Ok(loaded) if loaded.policy.digest == self.policy.digest => None,
            Ok(loaded) => match self.held_back(&loaded.policy) {
                Some(why) => Some(why),
                None => {
                    let changes = diff(&self.policy, &loaded.policy);
                    let digest = loaded.policy.digest.clone();
                    self.policy = Arc::new(loaded.policy.clone());
                    self.loaded = loaded;
                    self.introduce();
                    self.say(crate::app::port::Fact::Keys(self.policy.keys.clone()));
                    self.observed.rules = Some(Arc::new(Rules::of(
                        &self.policy,
                        &self.observed,
                        self.clock.now(),
                    )));
                    self.connect();
                    self.journal_policy(digest, changes).await;
                    None
                }
            },
            Err(LoadError::Wrong { diags, .. }) => {
                let first = diags.first().map(ToString::to_string).unwrap_or_default();
                Some(format!(
                    "cockpit.toml has {} errors; the policy read before stays in force: {first}",
                    diags.len()
                ))
            }
            Err(e) => Some(format!(
                "cockpit.toml cannot be used; the policy read before stays in force: {e}"
            )),
        };
        self.observed.session.config_fault = fault;
        true
    }

    /// During a release, connections and freezes stay as they were when it began: a freeze that vanished or a
    /// connection that points elsewhere would change the ground under it.
    fn held_back(&self, new: &Policy) -> Option<String> {
        let flying = self.situation.releases.iter().find(|r| {
            matches!(
                r.phase,
                Phase::Deploying | Phase::Verifying | Phase::Watching
            )
        })?;
        let moved: Vec<&String> = self
            .policy
            .connections
            .iter()
            .filter(|(name, c)| {
                new.connections
                    .get(*name)
                    .is_none_or(|n| n.settings != c.settings || n.connector != c.connector)
            })
            .map(|(name, _)| name)
            .collect();
        let gone: Vec<&str> = self
            .policy
            .freezes
            .iter()
            .filter(|f| !new.freezes.contains(f))
            .map(|f| f.name.as_str())
            .collect();
        if moved.is_empty() && gone.is_empty() {
            return None;
        }
        let mut what = Vec::new();
        if !moved.is_empty() {
            what.push(format!(
                "connection {}",
                moved
                    .iter()
                    .map(|m| m.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
        if !gone.is_empty() {
            what.push(format!("freeze {}", gone.join(", ")));
        }
        Some(format!(
            "cockpit.toml changes {} while {} is in flight: the policy read before stays in force until it is closed",
            what.join(" and "),
            flying.plan.id
        ))
    }

    async fn journal_policy(&mut self, digest: String, changes: Vec<String>) {
        let duty = Duty {
            key: format!("policy/{digest}/{}", self.journal.head.0),
            release: None,
            task: Task::Record {
                actor: self.author.actor.clone(),
                known_by: self.author.known_by.clone(),
                bodies: vec![Body::PolicyLoaded { digest, changes }],
            },
        };
        if let Err(why) = self.perform(duty, None).await {
            self.say(crate::app::port::Fact::Trouble(format!(
                "the new policy cannot be journaled: {why}"
            )));
        }
    }
}
