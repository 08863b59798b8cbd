//! `[[release]]`.

use super::Check;
use super::cycle::cycles;
use super::people::People;
use crate::config::place::{join, shown};
use crate::config::raw::people::{
    Change as RawChange, Deadlines as RawDeadlines, Release as RawRelease,
};
use crate::config::raw::scalar::{FlagOrText, When};
use crate::domain::conflict::DeadlineKind;
use crate::domain::policy::{Change, Deadlines, Environment, Release, Reversible, Service};
use crate::domain::recur::moment::Moment;
use crate::domain::time::day_start;

impl Check<'_> {
    pub(super) fn releases(
        &mut self,
        services: &[Service],
        environments: &[Environment],
        people: &People,
    ) -> Vec<Release> {
        let raw = self.raw;
        self.duplicates("release", "id", raw.release.iter().map(|r| r.id.as_str()));
        self.release_order();
        raw.release
            .iter()
            .enumerate()
            .map(|(n, r)| self.release(&format!("release[{n}]"), r, services, environments, people))
            .collect()
    }

    /// What releases depend on is there, and leads in no circle.
    fn release_order(&mut self) {
        let raw = self.raw;
        let ids: Vec<&str> = raw.release.iter().map(|r| r.id.as_str()).collect();
        for (n, release) in raw.release.iter().enumerate() {
            for (d, id) in release.depends_on.iter().enumerate() {
                let path = format!("release[{n}].depends_on[{d}]");
                self.expect(&path, "release", id, &ids, "define it: [[release]]");
            }
        }
        let nodes: Vec<_> = raw
            .release
            .iter()
            .map(|r| (r.id.as_str(), r.depends_on.as_slice()))
            .collect();
        for (at, cycle) in cycles(&nodes) {
            let names: Vec<String> = cycle.iter().map(|n| shown(n)).collect();
            self.found.error(
                &format!("release[{at}].depends_on"),
                format!(
                    "the releases depend on each other in a circle: {}",
                    names.join(" → ")
                ),
                Some("none of them could ever start; leave one out".into()),
            );
        }
    }

    /// A day as a deadline still counts; the deadlines follow each other.
    fn deadlines(&mut self, path: &str, raw: &RawDeadlines) -> Deadlines {
        let zone = self.zone;
        let instant = |when: Option<When>| {
            when.map(|w| match w.0 {
                Moment::Day(day) => day_start(day.succ_opt().unwrap_or(day), zone),
                other => other.resolve(zone).earliest(),
            })
        };
        let out = Deadlines {
            code_freeze: instant(raw.code_freeze),
            testing: instant(raw.testing),
            deploy: instant(raw.deploy),
        };
        let list = out.list();
        for pair in list.windows(2) {
            if let [(first, a), (second, b)] = pair
                && b < a
            {
                let key = match second {
                    DeadlineKind::CodeFreeze => "code_freeze",
                    DeadlineKind::Testing => "testing",
                    DeadlineKind::Deploy => "deploy",
                };
                self.found.error(
                    &join(path, key),
                    format!(
                        "the deadline \"{}\" lies before \"{}\"",
                        second.word(),
                        first.word()
                    ),
                    None,
                );
            }
        }
        out
    }

    fn release(
        &mut self,
        path: &str,
        raw: &RawRelease,
        services: &[Service],
        environments: &[Environment],
        people: &People,
    ) -> Release {
        self.named(&join(path, "id"), &raw.id);
        let names: Vec<&str> = environments.iter().map(|e| e.name.as_str()).collect();
        self.expect(
            &join(path, "environment"),
            "environment",
            &raw.environment,
            &names,
            "define it under [environments]",
        );
        for (key, name) in [("driver", &raw.driver), ("author", &raw.author)] {
            if let Some(name) = name {
                self.person(&join(path, key), name, people);
            }
        }
        if raw.length.is_some_and(|l| l.0 == 0) {
            self.found
                .error(&join(path, "length"), "the release takes no time", None);
        }
        let at_changes = join(path, "changes");
        if raw.changes.is_empty() && !self.found.spoiled(&at_changes) {
            let help = "changes = [{ service = \"…\", to = \"…\" }]";
            self.found.error(
                &at_changes,
                "the release changes nothing",
                Some(help.into()),
            );
        }
        let changes = raw.changes.iter().enumerate();
        let changes = changes
            .map(|(n, c)| self.change(&format!("{at_changes}[{n}]"), c, services))
            .collect();
        Release {
            id: raw.id.clone(),
            title: raw.title.clone().unwrap_or_else(|| raw.id.clone()),
            environment: raw.environment.clone(),
            planned: raw.planned.map(|w| w.0.resolve(self.zone).earliest()),
            length: raw.length.map(|l| l.0),
            driver: raw.driver.clone(),
            author: raw.author.clone(),
            changes,
            purpose: raw.purpose,
            significant: raw.significant,
            risk: raw.risk,
            failure_modes: raw.failure_modes.clone(),
            deadlines: self.deadlines(&join(path, "deadlines"), &raw.deadlines),
            depends_on: raw.depends_on.clone(),
        }
    }

    fn change(&mut self, path: &str, raw: &RawChange, services: &[Service]) -> Change {
        let names: Vec<&str> = services.iter().map(|s| s.name.as_str()).collect();
        self.expect(
            &join(path, "service"),
            "service",
            &raw.service,
            &names,
            "define it: [[service]]",
        );
        if raw.to.trim().is_empty() && !self.found.spoiled(&join(path, "to")) {
            self.found
                .error(&join(path, "to"), "the change leads nowhere", None);
        }
        let reversible = match &raw.reversible {
            None => Reversible::Undeclared,
            Some(FlagOrText::Flag(true)) => Reversible::Yes,
            Some(FlagOrText::Flag(false)) => Reversible::No,
            Some(FlagOrText::Text(text)) => match text.trim().strip_prefix("until ") {
                Some(event) if !event.trim().is_empty() => {
                    Reversible::Until(event.trim().to_owned())
                }
                _ => {
                    let help = "write true, false or \"until EVENT\"";
                    self.found.error(
                        &join(path, "reversible"),
                        format!("\"{}\" is not understood", shown(text)),
                        Some(help.into()),
                    );
                    Reversible::No
                }
            },
        };
        Change {
            service: raw.service.clone(),
            from: raw.from.clone(),
            to: raw.to.clone(),
            kind: raw.kind,
            reversible,
        }
    }
}
