//! cockpit.toml changed on disk, or while no cockpit ran: a broken file keeps the old policy and says so; a good one comes into force
//! and is journaled with its difference. What an open release stands on stays as it was sealed, here and after a restart, until the
//! release closes or a person takes the change by its name (SEMANTICS 13).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::diff;
use crate::config::trust::Trust;
use crate::domain::event::Body;
use crate::domain::ground;
use crate::domain::rules::Rules;
use crate::domain::situation::{Duty, Task};

use super::super::load::{LoadError, load_file};
use super::Engine;

/// Git may take this long to say who wrote the file.
const GIT: Duration = Duration::from_secs(2);

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
            Ok(loaded) if loaded.policy.digest == self.loaded.policy.digest => None,
            Ok(loaded) => {
                let changes = diff(&self.loaded.policy, &loaded.policy);
                self.loaded = loaded;
                self.stand_on_the_file();
                self.introduce();
                self.say(crate::app::port::Fact::Keys(self.policy.keys.clone()));
                self.journal_policy(changes).await;
                None
            }
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

    /// What the journal said since changes what of the file is in force: a contract was sealed, a release closed, a change taken.
    pub(super) fn stand(&mut self) {
        let held = ground::held(&self.loaded.policy, &self.journal);
        if held != self.observed.session.held {
            self.stand_on_the_file();
        }
    }

    fn stand_on_the_file(&mut self) {
        let held = ground::held(&self.loaded.policy, &self.journal);
        let file = &self.loaded.policy;
        let policy = ground::in_force(file, &self.journal, &held, &self.policy);
        self.observed.session.held = held;
        self.policy = Arc::new(policy);
        let now = self.clock.now();
        self.observed.rules = Some(Arc::new(Rules::of(&self.policy, &self.observed, now)));
        // Before it runs there are no connections yet.
        if self.running {
            self.connect();
        }
    }

    /// A file that was changed while no cockpit ran is journaled as well. The embedded world brings its own.
    pub(super) async fn journal_start(&mut self) {
        self.running = true;
        let known = self.journal.policy.as_deref() == Some(self.policy.digest.as_str());
        let writes = (self.acts || self.records) && !self.place.read_only;
        if known || !writes || self.policy.demo.is_some() {
            return;
        }
        let changes = match self.journal.policy {
            None => Vec::new(),
            Some(_) => vec!["changed while no cockpit ran: what differs is not known".to_owned()],
        };
        self.journal_policy(changes).await;
    }

    async fn journal_policy(&mut self, mut changes: Vec<String>) {
        let held = self.observed.session.held.iter();
        changes.extend(held.map(|h| format!("not in force: {}", h.said)));
        let digest = self.policy.digest.clone();
        let trusted = self.loaded.trust == Trust::Granted;
        let (actor, known_by) = match author_of(&self.loaded.path, trusted).await {
            Some(author) => author,
            None => (self.author.actor.clone(), self.author.known_by.clone()),
        };
        // Two cockpits that see the same change write it once.
        let before = self.journal.policy.as_deref().unwrap_or("nothing");
        let at = self.journal.policy_by.as_ref();
        let at = at.map_or(0, |(_, _, at)| at.timestamp());
        let duty = Duty {
            key: format!("policy/{digest}/{before}/{at}"),
            release: None,
            task: Task::Record {
                actor,
                known_by,
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

/// Who wrote the file, and how that is known: Git where it is committed and unchanged since, else the file's owner.
async fn author_of(path: &Path, trusted: bool) -> Option<(String, String)> {
    let [git, owner] = crate::domain::assess::WRITTEN_BY.map(str::to_owned);
    // A repository's own settings may run programs: only where the file is trusted.
    if trusted && let Some(name) = committed_by(path).await {
        return Some((name, git));
    }
    Some((owner_of(path)?, owner))
}

async fn committed_by(path: &Path) -> Option<String> {
    let clean = git(path, &["status", "--porcelain", "--"]).await?;
    if !clean.is_empty() {
        return None;
    }
    let name = git(path, &["log", "-1", "--format=%an", "--"]).await?;
    let name = crate::domain::text::clean(name.trim(), 80);
    (!name.is_empty()).then_some(name)
}

async fn git(path: &Path, words: &[&str]) -> Option<String> {
    let folder = path.parent()?;
    let mut command = tokio::process::Command::new("git");
    command
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "log.showSignature=false",
            "-C",
        ])
        .arg(folder)
        .args(words)
        .arg(path)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(GIT, command.output())
        .await
        .ok()?
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(unix)]
fn owner_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata(path).ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| crate::domain::text::clean(name, 80))
    })
}

#[cfg(not(unix))]
fn owner_of(_: &Path) -> Option<String> {
    None
}
