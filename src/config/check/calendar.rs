//! `[[calendar]]`: calendars and their mapping rules.

use super::Check;
use crate::config::place::{join, shown};
use crate::config::raw::calendar::{Calendar, Rule};
use crate::config::suggest;
use crate::domain::policy::{CalendarSource, Environment, Service};
use crate::domain::window::Scope;
use crate::domain::window::event::{Becomes, EventRule};

impl Check<'_> {
    pub(super) fn calendars(
        &mut self,
        services: &[Service],
        environments: &[Environment],
    ) -> Vec<CalendarSource> {
        let raw = self.raw;
        let mut out: Vec<CalendarSource> = Vec::new();
        for (n, calendar) in raw.calendar.iter().enumerate() {
            let path = format!("calendar[{n}]");
            self.expect_connection(
                &join(&path, "connection"),
                &calendar.connection,
                Some("event"),
            );
            self.calendar_read(&path, calendar);
            let at_rules = join(&path, "rules");
            if calendar.rules.is_empty() && !self.found.spoiled(&at_rules) {
                let why = "the calendar has no rule, so its entries would become nothing";
                self.found.error(
                    &at_rules,
                    why,
                    Some("rules = [{ summary = \"*freeze*\", becomes = \"freeze\" }]".into()),
                );
            }
            let rules = calendar.rules.iter().enumerate();
            let rules = rules
                .filter_map(|(r, rule)| {
                    self.rule(&format!("{at_rules}[{r}]"), rule, services, environments)
                })
                .collect();
            let name = calendar
                .name
                .clone()
                .unwrap_or_else(|| calendar.connection.clone());
            if out.iter().any(|c| c.name == name) {
                self.found.error(
                    &path,
                    "there are two calendars of this name",
                    Some("give them a `name`".into()),
                );
            }
            out.push(CalendarSource {
                name,
                connection: calendar.connection.clone(),
                read: calendar.read.clone(),
                rules,
            });
        }
        out
    }

    /// A connector that has several reads of entries is told which.
    fn calendar_read(&mut self, path: &str, calendar: &Calendar) {
        let Some(info) = self.connector_of(&calendar.connection) else {
            return;
        };
        let offered = info.reads_of("event");
        let names = offered.join(", ");
        match &calendar.read {
            Some(read) if !offered.is_empty() && !offered.contains(&read.as_str()) => {
                let why = format!(
                    "connector {} has no read {} of entries",
                    info.id,
                    shown(read)
                );
                let help = suggest::advice(read, offered.iter().copied(), "leave it out");
                self.found.error(&join(path, "read"), why, Some(help));
            }
            None if offered.len() > 1 => {
                let why = format!(
                    "connector {} has several reads of entries: {names}",
                    info.id
                );
                let help = format!("choose one: read = \"{}\"", offered.first().unwrap_or(&""));
                self.found.error(&join(path, "connection"), why, Some(help));
            }
            _ => {}
        }
    }

    fn rule(
        &mut self,
        path: &str,
        rule: &Rule,
        services: &[Service],
        environments: &[Environment],
    ) -> Option<EventRule> {
        let scope = Scope {
            services: rule.services.clone(),
            environments: rule.environments.clone(),
            regions: rule.regions.clone(),
            teams: rule.teams.clone(),
        };
        self.scope(path, &scope, services, environments);
        let becomes = rule.becomes?;
        if becomes != Becomes::Freeze {
            for key in ["strength", "override_by", "except", "rollback"] {
                let here = join(path, key);
                if self.found.has(&here) && !self.found.spoiled(&here) {
                    self.found.error_at_key(
                        &here,
                        format!("`{key}` has a meaning only for a freeze"),
                        None,
                    );
                }
            }
        }
        Some(EventRule {
            summary: rule.summary.clone(),
            category: rule.category.clone(),
            status: rule.status.clone(),
            project: rule.project.clone(),
            becomes,
            scope,
            strength: rule.strength,
            override_by: rule.override_by.clone(),
            except: rule.except.iter().map(|e| e.word().to_owned()).collect(),
            rollback: rule.rollback,
            owner: rule.owner.clone(),
        })
    }
}
