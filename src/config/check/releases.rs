//! `[[release]]`.

use super::Check;
use super::people::People;
use crate::config::place::{join, shown};
use crate::config::raw::people::{Change as RawChange, Release as RawRelease};
use crate::config::raw::scalar::FlagOrText;
use crate::domain::policy::{Change, Environment, Release, Reversible, Service};

impl Check<'_> {
    pub(super) fn releases(
        &mut self,
        services: &[Service],
        environments: &[Environment],
        people: &People,
    ) -> Vec<Release> {
        let raw = self.raw;
        self.duplicates("release", "id", raw.release.iter().map(|r| r.id.as_str()));
        raw.release
            .iter()
            .enumerate()
            .map(|(n, r)| self.release(&format!("release[{n}]"), r, services, environments, people))
            .collect()
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
            FlagOrText::Flag(true) => Reversible::Yes,
            FlagOrText::Flag(false) => Reversible::No,
            FlagOrText::Text(text) => match text.trim().strip_prefix("until ") {
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
