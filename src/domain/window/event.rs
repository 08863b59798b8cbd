//! Calendar events, and the mapping rules that turn them into releases, windows, freezes and holidays.

use super::{Freeze, RollbackUnder, RuleBook, Scope, Source, Strength, Window, glob_matches};
use crate::domain::recur::{EventSpan, Schedule};
use crate::domain::time::Span;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
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
    /// The vendor's own word for its state, such as `released` or `scheduled`; empty where it has none.
    #[serde(default)]
    pub state: String,
    /// The project, board, repository or calendar that it is filed under; empty where the vendor does not say.
    #[serde(default)]
    pub project: String,
}

/// Joins records that differ in their intervals alone: vendors that expand a series send one record an occurrence. The order of
/// first appearance is kept.
#[must_use]
pub fn joined(events: Vec<CalendarEvent>) -> Vec<CalendarEvent> {
    let mut out: Vec<CalendarEvent> = Vec::new();
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for event in events {
        let same = places.entry(event.uid.clone()).or_default();
        let there = same.iter().copied().find(|at| {
            out.get(*at).is_some_and(|known| {
                let mut bare = event.clone();
                bare.spans.clone_from(&known.spans);
                bare.recurring = known.recurring;
                *known == bare
            })
        });
        match there.and_then(|at| out.get_mut(at)) {
            Some(known) => {
                known.recurring = true;
                known.spans.extend(event.spans);
                known.spans.sort_by_key(|s| s.span);
            }
            None => {
                same.push(out.len());
                out.push(event);
            }
        }
    }
    out
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
    /// A day that matters to the business, such as a sale: it forbids nothing by itself, but `cockpit check` asks for a freeze.
    Event,
    /// Nothing: the event is left out on purpose.
    Nothing,
}

/// A mapping rule: the first that matches an event decides about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// A glob over the title, upper and lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// A glob over each category, upper and lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// A glob over the vendor's word for its state, upper and lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// A glob over the project it is filed under, upper and lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
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
    /// Whether it is about this event: all given keys must match.
    #[must_use]
    pub fn matches(&self, event: &CalendarEvent) -> bool {
        let like = |glob: &Option<String>, text: &str| {
            glob.as_ref()
                .is_none_or(|glob| glob_matches(&glob.to_lowercase(), &text.to_lowercase()))
        };
        let category =
            self.category.is_none() || event.categories.iter().any(|c| like(&self.category, c));
        category
            && like(&self.summary, &event.summary)
            && like(&self.status, &event.state)
            && like(&self.project, &event.project)
    }
}

/// A release, a holiday or a day that matters, found in a calendar.
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
    /// Who answers for it, by the mapping rule.
    #[serde(default)]
    pub owner: Option<String>,
    /// The vendor's word for its state; empty where it has none.
    #[serde(default)]
    pub state: String,
}

impl Dated {
    /// How surely it is the release of that id and title (SEMANTICS 3: a release is one thing wherever it appears): larger is
    /// surer, `None`: it is not. Its UID is the id; or its title holds the id as a word of its own; or the titles are the same.
    #[must_use]
    pub fn is_release(&self, id: &str, title: &str) -> Option<usize> {
        if self.uid == id {
            Some(usize::MAX)
        } else if holds_word(&self.name, id) {
            Some(id.len() + 1)
        } else {
            (!title.is_empty() && self.name == title).then_some(1)
        }
    }
}

/// Whether `word` stands in the text with neither letters, digits nor what ids are made of beside it: `2.14` stands in
/// "Release 2.14." and not in "2.14.1".
fn holds_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text.get(..at).unwrap_or_default();
            let mut after = text.get(at + word.len()..).unwrap_or_default().chars();
            let open = !before
                .chars()
                .next_back()
                .is_some_and(|c| inside(c) || c == '.');
            let closed = match after.next() {
                None => true,
                Some('.') => !after.next().is_some_and(inside),
                Some(c) => !inside(c),
            };
            open && closed
        })
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
    /// Days that matter.
    #[serde(default)]
    pub events: Vec<Dated>,
    /// How many were left out on purpose.
    #[serde(default)]
    pub left_out: usize,
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
        let Some(rule) = rules.iter().find(|rule| rule.matches(event)) else {
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
        owner: rule.owner.clone(),
        state: event.state.clone(),
    };
    match rule.becomes {
        Becomes::Release => mapped.releases.push(dated()),
        Becomes::Holiday => mapped.holidays.push(dated()),
        Becomes::Event => mapped.events.push(dated()),
        Becomes::Nothing => mapped.left_out += 1,
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
