//! Calendar events, and the mapping rules that turn them into releases, windows, freezes and holidays.

use super::{Freeze, RollbackUnder, RuleBook, Scope, Source, Strength, Window, glob_matches};
use crate::domain::recur::{EventSpan, Schedule};
use crate::domain::time::Span;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How sure an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// STATUS:CONFIRMED, or no status.
    #[default]
    Confirmed,
    /// STATUS:TENTATIVE: as a freeze it forbids, as a window it does not permit.
    Tentative,
}

/// An event of a calendar, its recurrences expanded over the horizon it was read for. Cancelled ones are not here. All texts are cleaned
/// and cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarEvent {
    /// The vendor's id; shared by a series and its changed instances.
    pub uid: String,
    /// Its title.
    pub summary: String,
    /// Its text, cut.
    #[serde(default)]
    pub description: String,
    /// Its categories.
    #[serde(default)]
    pub categories: Vec<String>,
    /// How sure it is.
    #[serde(default)]
    pub status: EventStatus,
    /// Whether it is made of whole days.
    pub all_day: bool,
    /// Where it takes place.
    #[serde(default)]
    pub location: String,
    /// Its intervals in the horizon, ascending by start.
    pub spans: Vec<EventSpan>,
    /// Whether it recurs.
    #[serde(default)]
    pub recurring: bool,
}

/// What an event becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Becomes {
    /// A planned release.
    Release,
    /// A time in which deploying is permitted.
    Window,
    /// A time in which it is not.
    Freeze,
    /// A day off: it forbids nothing by itself.
    Holiday,
    /// Nothing: the event is left out on purpose.
    Nothing,
}

/// A mapping rule: the first that matches an event decides about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// Only events of this calendar connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// A glob over the title, upper and lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// A glob over each category, upper and lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What a matching event becomes.
    pub becomes: Becomes,
    /// What the window or freeze concerns.
    #[serde(default)]
    pub scope: Scope,
    /// For a freeze: soft or hard.
    #[serde(default)]
    pub strength: Strength,
    /// For a freeze: roles that may override it.
    #[serde(default)]
    pub override_by: Vec<String>,
    /// For a freeze: kinds of change it does not hold for.
    #[serde(default)]
    pub except: Vec<String>,
    /// For a freeze: whether a rollback passes.
    #[serde(default)]
    pub rollback: RollbackUnder,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl EventRule {
    /// Whether it is about this event of this calendar: all given keys must match.
    #[must_use]
    pub fn matches(&self, calendar: &str, event: &CalendarEvent) -> bool {
        let like =
            |glob: &str, text: &str| glob_matches(&glob.to_lowercase(), &text.to_lowercase());
        self.calendar.as_deref().is_none_or(|name| name == calendar)
            && self
                .summary
                .as_deref()
                .is_none_or(|glob| like(glob, &event.summary))
            && self
                .category
                .as_deref()
                .is_none_or(|glob| event.categories.iter().any(|c| like(glob, c)))
    }
}

/// A release or holiday found in a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dated {
    /// The event's title.
    pub name: String,
    /// The calendar it comes from.
    pub calendar: String,
    /// The event's UID.
    pub uid: String,
    /// Its intervals, ascending; start and end are equal where it has no length.
    pub spans: Vec<Span>,
    /// What the mapping rule says it concerns.
    pub scope: Scope,
}

/// What a calendar's events became.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mapped {
    /// Windows and freezes.
    pub rules: RuleBook,
    /// Planned releases.
    pub releases: Vec<Dated>,
    /// Days off.
    pub holidays: Vec<Dated>,
    /// Titles that no rule matched: shown by `check`, so that a freeze in other words does not go unseen.
    pub unmatched: Vec<String>,
    /// Titles of tentative events that would have been windows: they permit nothing.
    pub tentative: Vec<String>,
}

/// Turns a calendar's events into rules. `zone` is only for showing: events carry instants.
///
/// # Errors
/// A sentence for each event that should become a freeze or a window but has no length; the calendar then counts as not understood.
pub fn map_events(
    calendar: &str,
    events: &[CalendarEvent],
    rules: &[EventRule],
    zone: Tz,
) -> Result<Mapped, Vec<String>> {
    let mut mapped = Mapped::default();
    let mut problems = Vec::new();
    for event in events {
        let Some(rule) = rules.iter().find(|rule| rule.matches(calendar, event)) else {
            mapped.unmatched.push(event.summary.clone());
            continue;
        };
        if matches!(rule.becomes, Becomes::Freeze | Becomes::Window)
            && event.spans.iter().any(|s| s.span.is_empty())
        {
            problems.push(format!(
                "calendar {calendar}: \"{}\" should become a {}, but it has no end; give the event one",
                event.summary,
                if rule.becomes == Becomes::Freeze { "freeze" } else { "window" },
            ));
            continue;
        }
        map_one(calendar, event, rule, zone, &mut mapped);
    }
    if problems.is_empty() {
        Ok(mapped)
    } else {
        Err(problems)
    }
}

fn map_one(
    calendar: &str,
    event: &CalendarEvent,
    rule: &EventRule,
    timezone: Tz,
    mapped: &mut Mapped,
) {
    let name = if event.summary.is_empty() {
        "(no title)".to_owned()
    } else {
        event.summary.clone()
    };
    let source = Source::Calendar {
        calendar: calendar.into(),
        uid: event.uid.clone(),
    };
    let schedule = Schedule::Listed {
        spans: event.spans.clone(),
    };
    let (scope, owner) = (rule.scope.clone(), rule.owner.clone());
    let dated = || Dated {
        name: name.clone(),
        calendar: calendar.into(),
        uid: event.uid.clone(),
        spans: event.spans.iter().map(|s| s.span).collect(),
        scope: rule.scope.clone(),
    };
    match rule.becomes {
        Becomes::Release => mapped.releases.push(dated()),
        Becomes::Holiday => mapped.holidays.push(dated()),
        Becomes::Nothing => {}
        Becomes::Window if event.status == EventStatus::Tentative => mapped.tentative.push(name),
        Becomes::Window => mapped.rules.windows.push(Window {
            name,
            scope,
            schedule,
            timezone,
            source,
            owner,
        }),
        Becomes::Freeze => mapped.rules.freezes.push(Freeze {
            name,
            scope,
            schedule,
            timezone,
            strength: rule.strength,
            override_by: rule.override_by.clone(),
            except: rule.except.clone(),
            rollback: rule.rollback,
            source,
            owner,
        }),
    }
}
