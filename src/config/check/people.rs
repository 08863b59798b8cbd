//! `[people]`, `[approvals]`, `[[checklist]]`, `[oncall]` and `[notify]`.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::config::place::{join, shown};
use crate::config::raw::people::{self as raw, CheckKind};
use crate::domain::act::Verb;
use crate::domain::policy::{
    ApprovalRule, Channel, Check as Proof, ChecklistItem, Notice, Notify, OncallPolicy, Person,
    RiskClass, RiskTable, Rotation, Section,
};

/// More than a person reads through before a deploy.
const MOST_ITEMS: usize = 14;
const DAY: u64 = 86_400;

/// People by name.
pub type People = BTreeMap<String, Person>;

impl Check<'_> {
    pub(super) fn people(&mut self) -> People {
        let raw = self.raw;
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for (name, person) in &raw.people {
            for os in person.os.list() {
                if let Some(other) = owners.insert(os.clone(), name) {
                    let why = format!(
                        "the OS user \"{}\" is already {}: nobody could tell who acted",
                        shown(&os),
                        shown(other)
                    );
                    self.found.error(&format!("people.{name}.os"), why, None);
                }
            }
        }
        raw.people
            .iter()
            .map(|(name, p)| {
                (
                    name.clone(),
                    Person {
                        os: p.os.list(),
                        vendor: p.vendor.list(),
                        roles: p.roles.list(),
                    },
                )
            })
            .collect()
    }

    /// Where people are named in the file, every name must be one of them.
    pub(super) fn person(&mut self, path: &str, name: &str, people: &People) {
        if !people.is_empty() {
            let names: Vec<&str> = people.keys().map(String::as_str).collect();
            self.expect(path, "person", name, &names, "");
        }
    }

    pub(super) fn approvals(&mut self, people: &People) -> BTreeMap<RiskClass, ApprovalRule> {
        let raw = &self.raw.approvals;
        let classes = [
            ("low", RiskClass::Low, &raw.low),
            ("normal", RiskClass::Normal, &raw.normal),
            ("high", RiskClass::High, &raw.high),
        ];
        let mut out = BTreeMap::new();
        for (word, class, rule) in classes {
            let Some(rule) = rule else { continue };
            let path = join("approvals", word);
            if rule.of.is_empty() && !self.found.spoiled(&join(&path, "of")) {
                self.found
                    .error(&join(&path, "of"), "no role may approve", None);
            }
            let able = people
                .values()
                .filter(|p| p.roles.iter().any(|r| rule.of.contains(r)))
                .count();
            if !people.is_empty() && able < rule.count as usize {
                let why = format!(
                    "{} approvals are asked for, but only {able} people have such a role",
                    rule.count
                );
                self.found.warn(
                    &path,
                    why,
                    Some("give people roles: [people.NAME] roles = [\"…\"]".into()),
                );
            }
            out.insert(
                class,
                ApprovalRule {
                    of: rule.of.clone(),
                    count: rule.count,
                },
            );
        }
        out
    }

    /// The connection whose records hold approvals: it must read change records or tickets.
    pub(super) fn approval_records(&mut self) -> Option<String> {
        let name = self.raw.approvals.connection.clone()?;
        let here = "approvals.connection";
        self.expect_connection(here, &name, None);
        if let Some(info) = self.connector_of(&name) {
            let reads = |kind: &str| info.reads.iter().any(|r| r == kind);
            let checked = !info.reads.is_empty() && info.driver != "command";
            if checked && !reads("change") && !reads("ticket") {
                let message = format!("connector {} reads no change records or tickets", info.id);
                let help = format!("it reads {}", info.reads.join(", "));
                self.found.error(here, message, Some(help));
            }
        }
        Some(name)
    }

    pub(super) fn risk(&mut self) -> RiskTable {
        let raw = &self.raw.risk;
        if raw.high_from < raw.normal_from {
            let why = "a release would be high before it is normal: high_from is below normal_from";
            self.found.error("risk.high_from", why, None);
        }
        RiskTable {
            normal_from: raw.normal_from,
            high_from: raw.high_from,
            many_commits: raw.many_commits,
            commits: raw.commits,
            many_files: raw.many_files,
            files: raw.files,
            risky_paths: raw.risky_paths.clone(),
            paths: raw.paths,
            idle_days: raw.idle_days,
            idle: raw.idle,
            often_failed: raw.often_failed,
            failed: raw.failed,
            window_left: raw.window_left.0,
            window: raw.window,
            conflict: raw.conflict,
            irreversible: raw.irreversible,
            late_days: raw.late_days.clone(),
            late: raw.late,
            holiday: raw.holiday,
            unknown: raw.unknown,
        }
    }

    pub(super) fn checklist(&mut self) -> Vec<ChecklistItem> {
        let raw = &self.raw.checklist;
        if raw.len() > MOST_ITEMS {
            let why = format!(
                "the checklist has {} items; more than {MOST_ITEMS} are ticked without being read, so that it protects nobody",
                raw.len()
            );
            self.found.error(
                &format!("checklist[{MOST_ITEMS}]"),
                why,
                Some("join items, or make some of them automatic gates".into()),
            );
        }
        let mut ids = BTreeSet::new();
        let mut out = Vec::new();
        for (n, item) in raw.iter().enumerate() {
            let path = format!("checklist[{n}]");
            let at_title = join(&path, "title");
            if item.title.trim().is_empty() && !self.found.spoiled(&at_title) {
                self.found.error(&at_title, "the item says nothing", None);
            }
            let id = item.id.clone().unwrap_or_else(|| slug(&item.title));
            if !id.is_empty() && !ids.insert(id.clone()) {
                let help = "give one of them another `id`: ticks are kept by it";
                self.found.error(
                    &path,
                    format!("two items have the id \"{}\"", shown(&id)),
                    Some(help.into()),
                );
            }
            let check = self.proof(&path, item);
            let shelf_life = self.shelf_life(&path, item);
            out.push(ChecklistItem {
                id,
                section: item.section.unwrap_or(Section::PreDeploy),
                title: item.title.clone(),
                check,
                shelf_life,
            });
        }
        out
    }

    fn shelf_life(&mut self, path: &str, item: &raw::Item) -> u64 {
        if item.shelf_life.is_some_and(|l| l.0 == 0) {
            self.found.error(
                &join(path, "shelf_life"),
                "the proof would age out at once",
                None,
            );
        }
        item.shelf_life.map_or(
            match item.check {
                CheckKind::Manual => self.raw.limits.manual_shelf_life.0,
                CheckKind::Command => 300,
                CheckKind::SmokeTest => DAY,
                CheckKind::SecurityScan => 7 * DAY,
                _ => 30 * DAY,
            },
            |l| l.0,
        )
    }

    fn proof(&mut self, path: &str, item: &raw::Item) -> Proof {
        self.keys_of(path, item);
        match item.check {
            CheckKind::Manual => Proof::Manual,
            CheckKind::CiGreen => Proof::CiGreen {
                required: item.required.clone(),
            },
            CheckKind::ArtifactPresent => Proof::ArtifactPresent,
            CheckKind::RollbackRehearsed => Proof::RollbackRehearsed,
            CheckKind::PassportValid => Proof::PassportValid,
            CheckKind::Approved => Proof::Approved,
            CheckKind::OncallBriefed => Proof::OncallBriefed,
            CheckKind::EscalationReviewed => Proof::EscalationReviewed,
            CheckKind::DashboardsReachable => Proof::DashboardsReachable,
            CheckKind::Gates => Proof::Gates,
            CheckKind::WithinBaseline => Proof::WithinBaseline,
            CheckKind::Observed => Proof::Observed,
            CheckKind::Parity => Proof::Parity {
                environment: self.place(path, item),
            },
            CheckKind::SecurityScan => Proof::SecurityScan {
                connection: self.reader(path, item),
                up_to: item.up_to.unwrap_or_default(),
            },
            CheckKind::SmokeTest => Proof::SmokeTest {
                connection: item.connection.as_ref().map(|_| self.command(path, item)),
                required: item.required.clone(),
                environment: self.place(path, item),
            },
            CheckKind::Command => Proof::Command {
                connection: self.command(path, item),
            },
        }
    }

    /// Keys that say nothing for this kind of check.
    fn keys_of(&mut self, path: &str, item: &raw::Item) {
        use CheckKind as K;
        let given = [
            (
                "required",
                !item.required.is_empty(),
                &[K::CiGreen, K::SmokeTest][..],
                "\"ci-green\" and \"smoke-test\"",
            ),
            (
                "connection",
                item.connection.is_some(),
                &[K::Command, K::SmokeTest, K::SecurityScan],
                "\"command\", \"smoke-test\" and \"security-scan\"",
            ),
            (
                "environment",
                item.environment.is_some(),
                &[K::Parity, K::SmokeTest],
                "\"parity\" and \"smoke-test\"",
            ),
            (
                "up_to",
                item.up_to.is_some(),
                &[K::SecurityScan],
                "\"security-scan\"",
            ),
        ];
        for (key, set, kinds, names) in given {
            if set && !kinds.contains(&item.check) {
                self.found.error_at_key(
                    &join(path, key),
                    format!("`{key}` has a meaning only for check = {names}"),
                    None,
                );
            }
        }
        if item.check == K::SmokeTest && item.connection.is_some() && !item.required.is_empty() {
            self.found.error_at_key(
                &join(path, "required"),
                "a smoke test is run by `connection` or read from the CI runs of `required`, not both",
                None,
            );
        }
    }

    /// An environment of the file.
    fn place(&mut self, path: &str, item: &raw::Item) -> Option<String> {
        let name = item.environment.clone()?;
        let names: Vec<&str> = self.raw.environments.keys().map(String::as_str).collect();
        let none = format!("define it: [environments.{}]", shown(&name));
        self.expect(
            &join(path, "environment"),
            "environment",
            &name,
            &names,
            &none,
        );
        Some(name)
    }

    /// A connection that reads findings, or runs a check.
    fn reader(&mut self, path: &str, item: &raw::Item) -> Option<String> {
        let name = item.connection.clone()?;
        let here = join(path, "connection");
        self.expect_connection(&here, &name, None);
        if let Some(info) = self.connector_of(&name)
            && info.driver != "command"
            && !info.reads.is_empty()
            && !info.reads.iter().any(|r| r == "finding")
        {
            self.found.error(
                &here,
                format!("{} reads no findings", shown(&name)),
                Some("name a connection that reads findings, or one of driver command".into()),
            );
        }
        Some(name)
    }

    fn command(&mut self, path: &str, item: &raw::Item) -> String {
        let here = join(path, "connection");
        let Some(name) = &item.connection else {
            let help = "name a connection of driver command: connection = \"…\"";
            self.found.error(
                &here,
                "check = \"command\" needs a `connection`",
                Some(help.into()),
            );
            return String::new();
        };
        self.expect_connection(&here, name, None);
        if let Some(info) = self.connector_of(name)
            && info.driver != "command"
        {
            self.found.error(
                &here,
                format!("connector {} runs no command", info.id),
                None,
            );
        }
        name.clone()
    }

    pub(super) fn oncall(&mut self, people: &People) -> OncallPolicy {
        let raw = &self.raw.oncall;
        if let Some(name) = &raw.connection {
            self.expect_connection("oncall.connection", name, Some("oncall"));
        }
        if raw.ack_within.0 == 0 {
            self.found
                .error("oncall.ack_within", "nobody can answer at once", None);
        }
        if let Some(name) = &raw.release_manager {
            self.person("oncall.release_manager", name, people);
        }
        let rotations = raw
            .rotation
            .iter()
            .enumerate()
            .filter_map(|(n, r)| self.rotation(n, r, people))
            .collect();
        let channels = raw
            .channels
            .iter()
            .enumerate()
            .map(|(n, c)| self.channel(&format!("oncall.channels[{n}].connection"), c))
            .collect();
        OncallPolicy {
            connection: raw.connection.clone(),
            rotations,
            channels,
            ack_within: raw.ack_within.0,
            release_manager: raw.release_manager.clone(),
        }
    }

    fn rotation(&mut self, n: usize, raw: &raw::Rotation, people: &People) -> Option<Rotation> {
        let path = format!("oncall.rotation[{n}]");
        let at_people = join(&path, "people");
        if raw.people.is_empty() && !self.found.spoiled(&at_people) {
            self.found.error(&at_people, "nobody takes a turn", None);
        }
        for (p, name) in raw.people.iter().enumerate() {
            self.person(&format!("{at_people}[{p}]"), name, people);
        }
        if raw.turn.0 == 0 {
            self.found
                .error(&join(&path, "turn"), "a turn has no length", None);
        }
        Some(Rotation {
            level: raw.level,
            people: raw.people.clone(),
            start: raw.start?.0.resolve(self.zone).earliest(),
            turn: raw.turn.0,
        })
    }

    pub(super) fn notify(&mut self) -> Notify {
        let raw = &self.raw.notify;
        if raw.on.is_empty() && !raw.channels.is_empty() {
            self.found
                .error("notify.on", "nothing is told of nothing", None);
        }
        let channels = raw
            .channels
            .iter()
            .enumerate()
            .map(|(n, c)| self.channel(&format!("notify.channels[{n}].connection"), c))
            .collect();
        let mut on: Vec<Notice> = raw
            .on
            .iter()
            .map(|n| match n {
                raw::Notice::Trip => Notice::Trip,
                raw::Notice::Checkpoint => Notice::Checkpoint,
                raw::Notice::End => Notice::End,
            })
            .collect();
        on.sort_unstable();
        on.dedup();
        Notify { channels, on }
    }

    fn channel(&mut self, here: &str, raw: &raw::Channel) -> Channel {
        self.expect_connection(here, &raw.connection, None);
        if let Some(info) = self.connector_of(&raw.connection)
            && !info.verbs.is_empty()
            && !info.verbs.contains(&Verb::PostMessage)
        {
            self.found.error(
                here,
                format!("connector {} posts no messages", info.id),
                None,
            );
        }
        Channel {
            connection: raw.connection.clone(),
            args: raw
                .args
                .iter()
                .map(|(k, v)| (k.clone(), v.text()))
                .collect(),
        }
    }
}

/// A title as an id: `Tests green` → `tests-green`.
fn slug(title: &str) -> String {
    let words = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}
