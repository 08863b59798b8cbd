//! Events become intervals: recurrence sets, exceptions, changed instances.

use super::Problem;
use super::event::{Lasts, RawEvent, Status, When};
use super::zone::Zone;
use crate::domain::recur::rrule::Budget;
use crate::domain::recur::{EventSpan, Fold, Lean, joined_starts};
use crate::domain::time::{Instant, Resolved, Span};
use crate::domain::window::event::{CalendarEvent, EventStatus};
use chrono::{Duration, NaiveDate, NaiveDateTime};
use std::collections::{BTreeMap, HashSet};

/// One occurrence: where the series puts it, and when it takes place.
#[derive(Clone, Debug)]
struct Occurrence {
    local: NaiveDateTime,
    zone: Zone,
    lasts: Lasts,
}

/// Occurrences by the instant at which the series puts them (what RECURRENCE-ID and EXDATE name).
type Series = BTreeMap<Instant, Occurrence>;

/// All events that share time with the horizon.
pub(super) fn expand(
    raws: Vec<RawEvent>,
    horizon: Span,
    budget: &mut Budget,
    problems: &mut Vec<Problem>,
) -> Vec<CalendarEvent> {
    let mut by_uid: BTreeMap<String, Vec<RawEvent>> = BTreeMap::new();
    for raw in raws {
        by_uid.entry(raw.uid.clone()).or_default().push(raw);
    }
    let mut events = Vec::new();
    for (_, group) in by_uid {
        if let Err(problem) = expand_group(group, horizon, budget, &mut events) {
            problems.push(problem);
        }
    }
    events.sort_by_key(|event| event.spans.first().map(|s| s.span));
    events
}

/// A series and its changed instances.
fn expand_group(
    group: Vec<RawEvent>,
    horizon: Span,
    budget: &mut Budget,
    events: &mut Vec<CalendarEvent>,
) -> Result<(), Problem> {
    let (masters, changes): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|raw| raw.changes.is_none());
    let masters = newest(masters, |_| None);
    let changes = newest(changes, |raw| {
        raw.changes.as_ref().map(|(when, _)| when.instant())
    });
    let (ranges, singles): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|raw| raw.changes.as_ref().is_some_and(|c| c.1));
    // A changed range may move occurrences into the horizon from beside it.
    let shift = ranges
        .iter()
        .filter_map(shift_of)
        .map(|by| by.abs())
        .max()
        .unwrap_or_default();
    let mut series = Vec::new();
    for master in masters {
        let set = occurrences(&master, horizon, shift, budget)?;
        series.push((master, set));
    }
    for change in singles {
        take(&mut series, &change, |at, id| at == id);
        let set = occurrences(&change, horizon, Duration::zero(), budget)?;
        push(change, set, horizon, events);
    }
    apply_ranges(ranges, &mut series, horizon, budget, events)?;
    for (master, set) in series {
        push(master, set, horizon, events);
    }
    Ok(())
}

/// Of those about the same instance, the ones with the highest SEQUENCE; a tie keeps all, so that nothing vanishes.
fn newest(mut raws: Vec<RawEvent>, id: impl Fn(&RawEvent) -> Option<Instant>) -> Vec<RawEvent> {
    let mut highest: BTreeMap<Option<Instant>, i64> = BTreeMap::new();
    for raw in &raws {
        let top = highest.entry(id(raw)).or_insert(raw.sequence);
        *top = (*top).max(raw.sequence);
    }
    raws.retain(|raw| highest.get(&id(raw)).is_none_or(|top| raw.sequence >= *top));
    raws
}

/// How far a change moves its instance on the wall clock.
fn shift_of(change: &RawEvent) -> Option<Duration> {
    let (id, _) = change.changes.as_ref()?;
    Some(change.start.local - change.start.zone.local(id.instant()))
}

/// Removes from every series the occurrences whose place `meant(place, id)` names.
fn take(
    series: &mut [(RawEvent, Series)],
    change: &RawEvent,
    meant: impl Fn(Instant, Instant) -> bool,
) -> Series {
    let mut taken = Series::new();
    let Some((id, _)) = &change.changes else {
        return taken;
    };
    let id_at = id.instant();
    for (_, set) in series {
        let found: Vec<Instant> = set
            .iter()
            .filter(|(at, o)| meant(**at, id_at) || (id.day && o.local.date() == id.local.date()))
            .map(|(at, _)| *at)
            .collect();
        taken.extend(found.into_iter().filter_map(|at| set.remove_entry(&at)));
    }
    taken
}

/// RANGE=THISANDFUTURE: the instance and all later ones move and last as the change says, up to the next such change.
fn apply_ranges(
    mut ranges: Vec<RawEvent>,
    series: &mut [(RawEvent, Series)],
    horizon: Span,
    budget: &mut Budget,
    events: &mut Vec<CalendarEvent>,
) -> Result<(), Problem> {
    ranges
        .sort_by_key(|raw| std::cmp::Reverse(raw.changes.as_ref().map(|(when, _)| when.instant())));
    for change in ranges {
        let taken = take(series, &change, |at, id| at >= id);
        let mut set = occurrences(&change, horizon, Duration::zero(), budget)?;
        let by = shift_of(&change).unwrap_or_default();
        for (place, old) in taken {
            let base = change
                .start
                .zone
                .local(old.zone.resolve(old.local).earliest());
            let Some(local) = base.checked_add_signed(by) else {
                continue;
            };
            // The change itself is there already, by its own DTSTART.
            if local != change.start.local {
                set.insert(
                    place,
                    Occurrence {
                        local,
                        zone: change.start.zone.clone(),
                        lasts: change.lasts,
                    },
                );
            }
        }
        push(change, set, horizon, events);
    }
    Ok(())
}

/// The recurrence set of one event around the horizon: rules and RDATEs without EXDATEs.
fn occurrences(
    raw: &RawEvent,
    horizon: Span,
    shift: Duration,
    budget: &mut Budget,
) -> Result<Series, Problem> {
    let zone = &raw.start.zone;
    let margin = raw.lasts.about() + shift + Duration::days(2);
    let end = horizon.end.unwrap_or(horizon.start);
    let from = horizon
        .start
        .checked_sub_signed(margin)
        .map(|at| zone.local(at));
    let to = end
        .checked_add_signed(shift + Duration::days(2))
        .map(|at| zone.local(at));
    let (from, to) = (
        from.unwrap_or(NaiveDateTime::MIN),
        to.unwrap_or(NaiveDateTime::MAX),
    );
    let instant_of = |at| zone.resolve(at).earliest();
    let starts = joined_starts(raw.start.local, &raw.rules, from, to, &instant_of, budget)
        .map_err(|e| Problem::new(raw.line, e))?;
    let mut set = Series::new();
    for local in starts {
        set.insert(
            instant_of(local),
            Occurrence {
                local,
                zone: zone.clone(),
                lasts: raw.lasts,
            },
        );
    }
    for extra in &raw.extra {
        let at = extra.start.instant();
        let lasts = extra.lasts.unwrap_or(raw.lasts);
        // A PERIOD at a start that is there already may only lengthen it.
        if set
            .get(&at)
            .is_none_or(|there| there.lasts.about() < lasts.about())
        {
            set.insert(
                at,
                Occurrence {
                    local: extra.start.local,
                    zone: extra.start.zone.clone(),
                    lasts,
                },
            );
        }
    }
    let except = Exceptions::new(&raw.except);
    set.retain(|at, o| !except.name(*at, o));
    Ok(set)
}

/// EXDATEs: an instant names the occurrence at it, a day those that start on it.
struct Exceptions {
    instants: HashSet<Instant>,
    days: HashSet<NaiveDate>,
}

impl Exceptions {
    fn new(except: &[When]) -> Self {
        let (days, times): (Vec<&When>, Vec<&When>) = except.iter().partition(|when| when.day);
        Self {
            instants: times.into_iter().map(When::instant).collect(),
            days: days.into_iter().map(|when| when.local.date()).collect(),
        }
    }

    fn name(&self, at: Instant, occurrence: &Occurrence) -> bool {
        self.instants.contains(&at) || self.days.contains(&occurrence.local.date())
    }
}

/// Adds what is left of an event, unless it is cancelled or lies outside the horizon.
fn push(raw: RawEvent, set: Series, horizon: Span, events: &mut Vec<CalendarEvent>) {
    let status = match raw.status {
        Status::Cancelled => return,
        Status::Confirmed => EventStatus::Confirmed,
        Status::Tentative => EventStatus::Tentative,
    };
    let mut spans: Vec<EventSpan> = set
        .values()
        .map(event_span)
        .filter(|s| touches(s, horizon))
        .collect();
    spans.sort_by_key(|s| s.span);
    if spans.is_empty() {
        return;
    }
    events.push(CalendarEvent {
        recurring: !raw.rules.is_empty() || !raw.extra.is_empty(),
        uid: raw.uid,
        summary: raw.summary,
        description: raw.description,
        categories: raw.categories,
        status,
        all_day: raw.start.day,
        location: raw.location,
        spans,
        state: raw.state,
        project: String::new(),
    });
}

/// Shares time with the horizon; an event without length when it lies inside.
fn touches(span: &EventSpan, horizon: Span) -> bool {
    let widest = span.fold.map_or(span.span, |fold| fold.freeze);
    widest.overlaps(&horizon) || (widest.is_empty() && horizon.contains(widest.start))
}

/// The intervals of an occurrence: as RFC 5545 reads it, and leaning either way where an end occurs twice.
fn event_span(occurrence: &Occurrence) -> EventSpan {
    let zone = &occurrence.zone;
    let start = zone.resolve(occurrence.local);
    let (end, exact) = match occurrence.lasts {
        Lasts::Wall(by) if by.is_zero() => {
            return EventSpan::plain(Span::new(start.earliest(), start.earliest()));
        }
        Lasts::Wall(by) => (
            occurrence
                .local
                .checked_add_signed(by)
                .map(|at| zone.resolve(at)),
            Duration::zero(),
        ),
        Lasts::Nominal { days: 0, exact } => return elapsed_span(start, exact),
        Lasts::Nominal { days, exact } => {
            let day =
                Duration::try_days(days).and_then(|by| occurrence.local.checked_add_signed(by));
            (day.map(|at| zone.resolve(at)), exact)
        }
    };
    let end = end.unwrap_or(start);
    let later = |at: Instant| at.checked_add_signed(exact).unwrap_or(at);
    let plain = Span::new(start.earliest(), later(end.earliest()));
    if plain.is_empty() {
        // A gap swallowed the wall-clock length: keep the length itself, so that a freeze does not vanish.
        return elapsed_span(start, occurrence.lasts.about());
    }
    let doubtful = [start, end]
        .iter()
        .any(|at| matches!(at, Resolved::Twice { .. }));
    let fold = doubtful.then(|| Fold {
        freeze: Span::new(start.earliest(), later(end.latest())),
        window: Some(Span::new(start.latest(), later(end.earliest())))
            .filter(|span| !span.is_empty()),
    });
    EventSpan { span: plain, fold }
}

fn elapsed_span(start: Resolved, length: Duration) -> EventSpan {
    let begin = start.earliest();
    let plain = Span::new(begin, begin.checked_add_signed(length).unwrap_or(begin));
    let fold = match start {
        Resolved::Twice { .. } => Lean::Longer.span_for(start, length).map(|freeze| Fold {
            freeze,
            window: Lean::Shorter.span_for(start, length),
        }),
        _ => None,
    };
    EventSpan { span: plain, fold }
}
