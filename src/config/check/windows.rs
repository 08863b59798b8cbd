//! `[[window]]` and `[[freeze]]`: when, and what they concern.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::Check;
use crate::config::place::{join, shown};
use crate::config::raw::calendar::Times;
use crate::config::raw::scalar::When;
use crate::config::suggest;
use crate::domain::policy::{CalendarSource, Environment, Service};
use crate::domain::recur::moment::{Length, Moment};
use crate::domain::recur::{Recurrence, Schedule};
use crate::domain::window::event::Becomes;
use crate::domain::window::{Freeze, Scope, Source, Target, Window, glob_matches};

/// Why a rule's times are refused, and the key to blame.
type Wrong = (&'static str, String);

impl Check<'_> {
    pub(super) fn windows(
        &mut self,
        services: &[Service],
        environments: &[Environment],
    ) -> Vec<Window> {
        let raw = self.raw;
        self.duplicates("window", "name", raw.window.iter().map(|w| w.name.as_str()));
        let mut out = Vec::new();
        for (n, w) in raw.window.iter().enumerate() {
            let path = format!("window[{n}]");
            self.named(&join(&path, "name"), &w.name);
            let scope = Scope {
                services: w.services.clone(),
                environments: w.environments.clone(),
                regions: w.regions.clone(),
                teams: w.teams.clone(),
            };
            self.scope(&path, &scope, services, environments);
            let timezone = w.timezone.map_or(self.zone, |z| z.0);
            let Some(schedule) = self.schedule(&path, w.times(), timezone) else {
                continue;
            };
            out.push(Window {
                name: w.name.clone(),
                scope,
                schedule,
                timezone,
                source: Source::Config,
                owner: w.owner.clone(),
            });
        }
        out
    }

    pub(super) fn freezes(
        &mut self,
        services: &[Service],
        environments: &[Environment],
    ) -> Vec<Freeze> {
        let raw = self.raw;
        self.duplicates("freeze", "name", raw.freeze.iter().map(|f| f.name.as_str()));
        let mut out = Vec::new();
        for (n, f) in raw.freeze.iter().enumerate() {
            let path = format!("freeze[{n}]");
            self.named(&join(&path, "name"), &f.name);
            let scope = Scope {
                services: f.services.clone(),
                environments: f.environments.clone(),
                regions: f.regions.clone(),
                teams: f.teams.clone(),
            };
            self.scope(&path, &scope, services, environments);
            let timezone = f.timezone.map_or(self.zone, |z| z.0);
            let Some(schedule) = self.schedule(&path, f.times(), timezone) else {
                continue;
            };
            if f.owner.is_none() {
                self.found.warn(
                    &path,
                    "the freeze has no owner: a refusal could not say whom to ask",
                    Some("owner = \"…\"".into()),
                );
            }
            out.push(Freeze {
                name: f.name.clone(),
                scope,
                schedule,
                timezone,
                strength: f.strength,
                override_by: f.override_by.clone(),
                except: f.except.iter().map(|e| e.word().to_owned()).collect(),
                rollback: f.rollback,
                source: Source::Config,
                owner: f.owner.clone(),
            });
        }
        out
    }

    /// A protected environment without a window is open at all times but freezes.
    pub(super) fn unguarded(
        &mut self,
        windows: &[Window],
        calendars: &[CalendarSource],
        environments: &[Environment],
    ) {
        let mapped = calendars.iter().flat_map(|c| &c.rules);
        let scopes: Vec<&Scope> = windows
            .iter()
            .map(|w| &w.scope)
            .chain(
                mapped
                    .filter(|r| r.becomes == Becomes::Window)
                    .map(|r| &r.scope),
            )
            .collect();
        for environment in environments.iter().filter(|e| e.protected) {
            let target = Target {
                environment: Some(environment.name.clone()),
                ..Target::default()
            };
            if !scopes.iter().any(|scope| scope.covers(&target)) && !self.found.spoiled("window") {
                let path = join("environments", &environment.name);
                let why = format!(
                    "{} is protected, but no window limits when it is deployed to: it is open at all times but freezes",
                    shown(&environment.name)
                );
                self.found
                    .warn(&path, why, Some("write a [[window]] for it".into()));
            }
        }
    }

    /// Every glob matches something.
    pub(super) fn scope(
        &mut self,
        path: &str,
        scope: &Scope,
        services: &[Service],
        environments: &[Environment],
    ) {
        let names = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let regions = services
            .iter()
            .flat_map(|s| s.target.values())
            .filter_map(|t| t.get("region"));
        let keys = [
            (
                "services",
                "service",
                &scope.services,
                names(services.iter().map(|s| s.name.as_str()).collect()),
            ),
            (
                "environments",
                "environment",
                &scope.environments,
                names(environments.iter().map(|e| e.name.as_str()).collect()),
            ),
            (
                "regions",
                "region",
                &scope.regions,
                names(regions.map(String::as_str).collect()),
            ),
            (
                "teams",
                "team",
                &scope.teams,
                names(services.iter().filter_map(|s| s.team.as_deref()).collect()),
            ),
        ];
        for (key, what, globs, mut known) in keys {
            known.sort_unstable();
            known.dedup();
            for (n, glob) in globs.iter().enumerate() {
                let here = format!("{path}.{key}[{n}]");
                if known.iter().any(|name| glob_matches(glob, name)) || self.found.spoiled(&here) {
                    continue;
                }
                let help =
                    suggest::advice(glob, known.iter().map(String::as_str), "none is defined");
                self.found.error(
                    &here,
                    format!(
                        "\"{}\" matches no {what}: the rule would concern nothing",
                        shown(glob)
                    ),
                    Some(help),
                );
            }
        }
    }

    fn schedule(&mut self, path: &str, times: Times<'_>, zone: Tz) -> Option<Schedule> {
        let read = schedule_of(times).and_then(|schedule| match schedule.check(zone) {
            Ok(()) => Ok(schedule),
            Err(why) => Err((blame(times), why)),
        });
        match read {
            Ok(schedule) => Some(schedule),
            Err((key, why)) => {
                let here = if key.is_empty() {
                    path.to_owned()
                } else {
                    join(path, key)
                };
                // A key of it was already reported as wrong: it may be why.
                let known = KEYS.iter().any(|k| self.found.spoiled(&join(path, k)));
                if !known {
                    self.found.error(&here, why, None);
                }
                None
            }
        }
    }
}

/// The keys that say when.
const KEYS: [&str; 12] = [
    "start", "end", "days", "from", "to", "since", "through", "rrule", "exdate", "rdate", "cron",
    "duration",
];

/// The key most likely at fault where the whole is not understood.
fn blame(times: Times<'_>) -> &'static str {
    if times.cron.is_some() {
        "cron"
    } else if times.rrule.is_some() {
        "rrule"
    } else if times.end.is_some() {
        "end"
    } else {
        ""
    }
}

/// Which of the four shapes the keys make.
fn schedule_of(t: Times<'_>) -> Result<Schedule, Wrong> {
    let weekly = t.days.is_some() || t.from.is_some() || t.to.is_some();
    let recurring = t.rrule.is_some() || !t.rdate.is_empty() || !t.exdate.is_empty();
    let once = t.start.is_some() || t.end.is_some();
    match (t.cron, recurring, weekly, once) {
        (Some(cron), false, false, false) => {
            let length = t.duration.ok_or(("duration", "a cron rule needs a `duration`".to_owned()))?;
            without(&[("since", t.since.is_some()), ("through", t.through.is_some())], "a cron rule")?;
            Ok(Schedule::Cron { cron: cron.to_owned(), length: Length(i64::try_from(length.0).unwrap_or(i64::MAX)) })
        }
        (None, true, false, _) => recurrence(t),
        (None, false, true, false) => weekly_rule(t),
        (None, false, false, true) => one_off(t),
        (None, false, false, false) => Err(("", "it never says when: give start and end, days with from and to, rrule, or cron with duration".into())),
        _ => Err(("", "it says when in two ways: give either start and end, or days with from and to, or rrule with start, or cron with duration".into())),
    }
}

fn without(keys: &[(&'static str, bool)], what: &str) -> Result<(), Wrong> {
    match keys.iter().find(|(_, given)| *given) {
        Some((key, _)) => Err((key, format!("`{key}` has no meaning for {what}"))),
        None => Ok(()),
    }
}

fn one_off(t: Times<'_>) -> Result<Schedule, Wrong> {
    without(
        &[
            ("since", t.since.is_some()),
            ("through", t.through.is_some()),
        ],
        "a one-off rule",
    )?;
    let start = t.start.ok_or(("start", "`start` is missing".to_owned()))?.0;
    let end = match (t.end, t.duration) {
        (Some(_), Some(_)) => {
            return Err((
                "duration",
                "it has `end` and `duration`; give one of them".into(),
            ));
        }
        (Some(end), None) => Some(end.0),
        (None, None) => None,
        (None, Some(length)) => {
            return Ok(Schedule::Rrule(Recurrence {
                start,
                end: None,
                length: Some(Length(i64::try_from(length.0).unwrap_or(i64::MAX))),
                rules: Vec::new(),
                except: Vec::new(),
                extra: Vec::new(),
            }));
        }
    };
    Ok(Schedule::Once { start, end })
}

fn weekly_rule(t: Times<'_>) -> Result<Schedule, Wrong> {
    without(&[("duration", t.duration.is_some())], "a weekly rule")?;
    let days = t.days.ok_or((
        "days",
        "`days` is missing, such as [\"mon\", \"tue\"]".to_owned(),
    ))?;
    if days.is_empty() {
        return Err(("days", "no day is named: it would never occur".into()));
    }
    Ok(Schedule::Weekly {
        days: days.to_vec(),
        from: t
            .from
            .ok_or(("from", "`from` is missing, such as \"09:30\"".to_owned()))?
            .0,
        to: t
            .to
            .ok_or(("to", "`to` is missing, such as \"16:00\"".to_owned()))?
            .0,
        since: t.since.map(|w| day("since", w)).transpose()?,
        through: t.through.map(|w| day("through", w)).transpose()?,
    })
}

fn day(key: &'static str, when: When) -> Result<NaiveDate, Wrong> {
    match when.0 {
        Moment::Day(day) => Ok(day),
        _ => Err((key, format!("`{key}` is a day, such as 2026-12-28"))),
    }
}

fn recurrence(t: Times<'_>) -> Result<Schedule, Wrong> {
    without(
        &[
            ("since", t.since.is_some()),
            ("through", t.through.is_some()),
        ],
        "a recurrence",
    )?;
    let start = t
        .start
        .ok_or((
            "start",
            "a recurrence counts from its `start`, which is missing".to_owned(),
        ))?
        .0;
    Ok(Schedule::Rrule(Recurrence {
        start,
        end: t.end.map(|w| w.0),
        length: t
            .duration
            .map(|l| Length(i64::try_from(l.0).unwrap_or(i64::MAX))),
        rules: t.rrule.map(|r| r.list()).unwrap_or_default(),
        except: t.exdate.iter().map(|w| w.0).collect(),
        extra: t.rdate.iter().map(|w| w.0).collect(),
    }))
}
