//! What is missing on the calendar: a coming quarter end, holiday set or day that matters for which no freeze is on record (SEMANTICS 2).

use chrono::{Datelike, Duration, NaiveDate};
use chrono_tz::Tz;

use super::policy::Policy;
use super::recur::Lean;
use super::rules::Rules;
use super::time::{Instant, Span, day_start};
use super::window::event::Dated;
use super::window::{Freeze, Target};

/// How far ahead it looks, days.
const AHEAD: i64 = 90;
/// Holidays with no more than so many hours between them are one set: a weekend does not part them.
const SET: i64 = 72;

/// A sentence for each quarter end, holiday set and day that matters in the next 90 days that no freeze of a protected environment (of
/// any environment, where none is protected) touches. `unread`: calendars that may hold one, but could not be read.
#[must_use]
pub fn without_freeze(
    policy: &Policy,
    rules: &Rules,
    unread: &[String],
    now: Instant,
) -> Vec<String> {
    let Some(compiled) = &rules.compiled else {
        return Vec::new();
    };
    let horizon = Span::new(now, now + Duration::days(AHEAD));
    let targets = targets(policy);
    let concerns = |f: &&Freeze| targets.iter().any(|t| f.scope.covers(t));
    let frozen: Vec<Span> = compiled
        .book()
        .freezes
        .iter()
        .filter(concerns)
        .flat_map(|f| {
            let end = horizon.end.unwrap_or(now) + Duration::days(2);
            // What is not understood is a problem of its own, and refuses everything anyway.
            let found = f.schedule.occurrences(now, end, f.timezone, Lean::Longer);
            found.unwrap_or_default()
        })
        .collect();
    let zone = policy.timezone;
    let mut days = quarter_ends(horizon, zone);
    days.extend(holiday_sets(&rules.holidays, horizon));
    days.extend(rules.events.iter().flat_map(|e| {
        let ahead = e.spans.iter().filter(|s| ahead(s, horizon));
        ahead.map(|s| (e.name.clone(), *s))
    }));
    days.sort_by_key(|(_, span)| *span);
    let maybe = match unread {
        [] => String::new(),
        names => format!(" (not read, so one may stand there: {})", names.join(", ")),
    };
    days.into_iter()
        .filter(|(_, span)| !frozen.iter().any(|f| meets(f, span)))
        .map(|(what, span)| {
            let when = words(span, zone);
            format!(
                "no freeze is on record for {what}, {when}{maybe}: add a [[freeze]], or an entry to a calendar whose rules make one of it"
            )
        })
        .collect()
}

fn targets(policy: &Policy) -> Vec<Target> {
    let of = |name: &str| Target {
        environment: Some(name.to_owned()),
        ..Target::default()
    };
    let guarded = policy.environments.iter().filter(|e| e.protected);
    let guarded: Vec<Target> = guarded.map(|e| of(&e.name)).collect();
    if guarded.is_empty() {
        vec![Target::default()]
    } else {
        guarded
    }
}

/// Lies ahead, at least in part.
fn ahead(span: &Span, horizon: Span) -> bool {
    span.end.is_none_or(|end| end > horizon.start) && horizon.end.is_none_or(|to| span.start < to)
}

/// Shares time; what has no length when it lies inside.
fn meets(freeze: &Span, span: &Span) -> bool {
    freeze.overlaps(span) || (span.is_empty() && freeze.contains(span.start))
}

/// The last days of quarters.
fn quarter_ends(horizon: Span, zone: Tz) -> Vec<(String, Span)> {
    let first = horizon.start.with_timezone(&zone).date_naive();
    (0..=AHEAD)
        .filter_map(|n| first.checked_add_signed(Duration::days(n)))
        .filter(|day| is_quarter_end(*day))
        .filter_map(|day| {
            let next = day.succ_opt()?;
            let span = Span::new(day_start(day, zone), day_start(next, zone));
            let quarter = day.month() / 3;
            Some((format!("the end of quarter {quarter}"), span))
        })
        .collect()
}

fn is_quarter_end(day: NaiveDate) -> bool {
    day.month().is_multiple_of(3)
        && day
            .succ_opt()
            .is_some_and(|next| next.month() != day.month())
}

/// Holidays near each other, with their names.
fn holiday_sets(holidays: &[Dated], horizon: Span) -> Vec<(String, Span)> {
    let mut all: Vec<(Span, &str)> = holidays
        .iter()
        .flat_map(|h| h.spans.iter().map(|s| (*s, h.name.as_str())))
        .filter(|(s, _)| ahead(s, horizon))
        .collect();
    all.sort_unstable();
    let mut sets: Vec<(Span, Vec<&str>)> = Vec::new();
    for (span, name) in all {
        match sets.last_mut() {
            Some((set, names))
                if set
                    .end
                    .is_none_or(|end| span.start <= end + Duration::hours(SET)) =>
            {
                set.end = set.end.zip(span.end).map(|(a, b)| a.max(b));
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            _ => sets.push((span, vec![name])),
        }
    }
    sets.into_iter()
        .map(|(span, names)| (format!("the holidays ({})", names.join(", ")), span))
        .collect()
}

/// `Thu 31 Dec`, `Thu 24 Dec – Sun 27 Dec`: whole days as people read them.
fn words(span: Span, zone: Tz) -> String {
    let day = |at: Instant| at.with_timezone(&zone).format("%a %-d %b").to_string();
    let first = day(span.start);
    let last = span
        .end
        .map(|end| day((end - Duration::seconds(1)).max(span.start)));
    match last {
        Some(last) if last != first => format!("{first} – {last}"),
        Some(_) => first,
        None => format!("from {first}"),
    }
}
