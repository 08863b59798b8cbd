//! `[[calendar]]`: calendars and their mapping rules.

use super::Check;
use crate::config::place::join;
use crate::config::raw::calendar::Rule;
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
                rules,
            });
        }
        out
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
            calendar: None,
            summary: rule.summary.clone(),
            category: rule.category.clone(),
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
