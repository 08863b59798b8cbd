//! Recurring rules become half-open intervals: one-off dates, weekly hours, cron with a length, RRULE with exceptions, and the
//! spans of calendar events.
//!
//! SEMANTICS 1 decides every doubtful local time: what forbids grows, what permits shrinks ([`Lean`]).

mod dates;
pub mod moment;
pub mod rrule;
mod text;

use self::moment::{Day, Length, Moment, TimeOfDay};
use self::rrule::{Budget, MAX_OCCURRENCES, Rrule};
use super::time::{Instant, Resolved, Span, resolve};
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::CronParser;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way a local time leans that occurs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lean {
    /// First start, second end: a freeze, so that no hole opens.
    Longer,
    /// Second start, first end: a window, so that nothing is permitted twice.
    Shorter,
}

impl Lean {
    fn start(self, at: Resolved) -> Instant {
        match self {
            Self::Longer => at.earliest(),
            Self::Shorter => at.latest(),
        }
    }

    fn end(self, at: Resolved) -> Instant {
        match self {
            Self::Longer => at.latest(),
            Self::Shorter => at.earliest(),
        }
    }

    /// The span between two local times, or `None` where nothing is left of it.
    #[must_use]
    pub fn span(self, start: Resolved, end: Resolved) -> Option<Span> {
        let span = Span::new(self.start(start), self.end(end));
        (!span.is_empty()).then_some(span)
    }

    /// The span of a given elapsed length from a local start.
    #[must_use]
    pub fn span_for(self, start: Resolved, length: Duration) -> Option<Span> {
        let begin = self.start(start);
        let span = Span {
            start: begin,
            end: begin.checked_add_signed(length),
        };
        (!span.is_empty()).then_some(span)
    }
}

/// A calendar event's interval. Where one of its local ends occurs twice, a freeze and a window made of it differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventSpan {
    /// As RFC 5545 reads it (the first of two). Start and end are equal where the event has no length.
    pub span: Span,
    /// The readings for a freeze and for a window, where they differ from `span`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
}

/// How an event whose local start or end occurs twice reads as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fold {
    /// First start, second end.
    pub freeze: Span,
    /// Second start, first end; `None` where that is empty and the window does not occur.
    pub window: Option<Span>,
}

impl EventSpan {
    /// A span without doubtful ends.
    #[must_use]
    pub fn plain(span: Span) -> Self {
        Self { span, fold: None }
    }

    /// From one time to another that each may occur twice.
    #[must_use]
    pub fn between(start: Resolved, end: Resolved) -> Self {
        let span = Span::new(start.earliest(), end.earliest());
        let twice = |at: Resolved| matches!(at, Resolved::Twice { .. });
        // An entry without length has none, whichever of the two it is.
        let doubtful = start != end && (twice(start) || twice(end));
        let fold = doubtful.then(|| Fold {
            freeze: Lean::Longer.span(start, end).unwrap_or(span),
            window: Lean::Shorter.span(start, end),
        });
        Self { span, fold }
    }

    /// The interval for a rule of this kind; `None` where it holds no time.
    #[must_use]
    pub fn leaning(&self, lean: Lean) -> Option<Span> {
        let span = match (self.fold, lean) {
            (None, _) => Some(self.span),
            (Some(fold), Lean::Longer) => Some(fold.freeze),
            (Some(fold), Lean::Shorter) => fold.window,
        };
        span.filter(|span| !span.is_empty())
    }
}

/// When a rule applies. Local times are read in the zone handed to [`Schedule::occurrences`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Once, from `start` to `end`; a day as `end` is the first day after it. Without an end it has no known end.
    Once {
        /// First moment.
        start: Moment,
        /// First moment after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<Moment>,
    },
    /// On weekdays from one time of day to another, over midnight where `to` is not after `from`. `days` are those on which it starts.
    Weekly {
        /// Days on which it starts; at least one.
        days: Vec<Day>,
        /// Wall-clock start.
        from: TimeOfDay,
        /// Wall-clock end, of the next day where it is not after `from`.
        to: TimeOfDay,
        /// First day on which it may start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<NaiveDate>,
        /// Last day on which it may start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        through: Option<NaiveDate>,
    },
    /// At the wall-clock times of a cron pattern, each for an elapsed length.
    Cron {
        /// Five fields (minute hour day month weekday), or six with leading seconds.
        cron: String,
        /// Elapsed length of each.
        length: Length,
    },
    /// By recurrence rules (RFC 5545).
    Rrule(Recurrence),
    /// Intervals known beforehand: those of calendar events.
    Listed {
        /// In any order.
        spans: Vec<EventSpan>,
    },
}

/// A recurrence: DTSTART, an end or a length, RRULEs, exceptions and additions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// DTSTART: the first occurrence, which every rule counts from.
    pub start: Moment,
    /// Wall-clock end of the first occurrence; all keep its wall-clock distance. Exactly one of `end` and `length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Moment>,
    /// Elapsed length of each occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// RRULE values, such as `FREQ=MONTHLY;BYDAY=-1FR`; several are joined.
    #[serde(default)]
    pub rules: Vec<String>,
    /// EXDATE: starts that do not occur; a day removes each start on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Moment>,
    /// RDATE: further starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<Moment>,
}

impl Schedule {
    /// The intervals that share time with `[from, to)`, ascending by start, whole (not cut at the edges). They may overlap each other.
    ///
    /// # Errors
    /// A sentence where a pattern or rule is not understood, an end lies before its start, or it makes too many occurrences. What is
    /// not understood is never an empty list.
    pub fn occurrences(
        &self,
        from: Instant,
        to: Instant,
        zone: Tz,
        lean: Lean,
    ) -> Result<Vec<Span>, String> {
        let horizon = Span::new(from, to);
        let mut spans = match self {
            Self::Once { start, end } => vec![once(*start, *end, zone, lean)?]
                .into_iter()
                .flatten()
                .collect(),
            Self::Weekly {
                days,
                from,
                to,
                since,
                through,
            } => weekly(days, (*from, *to), (*since, *through), horizon, zone, lean)?,
            Self::Cron { cron, length } => cron_spans(cron, *length, horizon, zone, lean)?,
            Self::Rrule(recurrence) => recurrence.spans(horizon, zone, lean)?,
            Self::Listed { spans } => spans.iter().filter_map(|s| s.leaning(lean)).collect(),
        };
        spans.retain(|span| span.overlaps(&horizon));
        spans.sort_unstable();
        Ok(spans)
    }

    /// Whether it is understood, whatever the horizon: for a check at load.
    ///
    /// # Errors
    /// The sentence that [`Schedule::occurrences`] would give.
    pub fn check(&self, zone: Tz) -> Result<(), String> {
        let anchor = match self {
            Self::Once { start, .. } => start.resolve(zone).earliest(),
            Self::Rrule(recurrence) => recurrence.start.resolve(zone).earliest(),
            _ => Utc
                .with_ymd_and_hms(2026, 1, 1, 0, 0, 0)
                .earliest()
                .unwrap_or_default(),
        };
        let year_on = anchor
            .checked_add_signed(Duration::days(366))
            .unwrap_or(anchor);
        self.occurrences(anchor, year_on, zone, Lean::Longer)
            .map(|_| ())
    }
}

fn once(start: Moment, end: Option<Moment>, zone: Tz, lean: Lean) -> Result<Option<Span>, String> {
    let begin = start.resolve(zone);
    let Some(end) = end else {
        return Ok(Some(Span::open_ended(lean.start(begin))));
    };
    let finish = end.resolve(zone);
    if finish.latest() <= begin.earliest() {
        return Err(format!("the end {end} is not after the start {start}"));
    }
    Ok(lean.span(begin, finish))
}

/// The local days that can start an interval reaching into the horizon.
fn local_days(horizon: Span, zone: Tz, reach: Duration) -> (NaiveDate, NaiveDate) {
    let shift = |at: Instant, by: Duration| {
        at.checked_add_signed(by)
            .unwrap_or(at)
            .with_timezone(&zone)
            .date_naive()
    };
    let end = horizon.end.unwrap_or(horizon.start);
    (
        shift(horizon.start, -(reach + Duration::days(1))),
        shift(end, Duration::days(1)),
    )
}

fn weekly(
    days: &[Day],
    (from, to): (TimeOfDay, TimeOfDay),
    (since, through): (Option<NaiveDate>, Option<NaiveDate>),
    horizon: Span,
    zone: Tz,
    lean: Lean,
) -> Result<Vec<Span>, String> {
    if days.is_empty() {
        return Err("a weekly rule names no days".into());
    }
    if let (Some(since), Some(through)) = (since, through)
        && through < since
    {
        return Err(format!(
            "a weekly rule ends ({through}) before it begins ({since})"
        ));
    }
    let (first, last) = local_days(horizon, zone, Duration::days(2));
    let first = since.map_or(first, |day| day.max(first));
    let last = through.map_or(last, |day| day.min(last));
    let over_midnight = to.0 <= from.0;
    let mut spans = Vec::new();
    for day in first.iter_days().take_while(|day| *day <= last) {
        if !days.iter().any(|d| d.weekday() == day.weekday()) {
            continue;
        }
        let Some(end_day) = (if over_midnight {
            day.succ_opt()
        } else {
            Some(day)
        }) else {
            break;
        };
        spans.extend(lean.span(
            resolve(day.and_time(from.0), zone),
            resolve(end_day.and_time(to.0), zone),
        ));
    }
    Ok(spans)
}

fn cron_spans(
    pattern: &str,
    length: Length,
    horizon: Span,
    zone: Tz,
    lean: Lean,
) -> Result<Vec<Span>, String> {
    if length.0 <= 0 {
        return Err(format!(
            "the cron rule \"{pattern}\" needs a length of at least a second"
        ));
    }
    let cron: Cron = CronParser::builder()
        .dom_and_dow(false)
        .build()
        .parse(pattern)
        .map_err(|e| format!("\"{pattern}\" is not a cron pattern: {e}"))?;
    let length = length.duration();
    let (first, last) = local_days(horizon, zone, length);
    let end = last.and_time(NaiveTime::MIN).and_utc();
    // The pattern is walked on the wall clock (as if it were UTC), and each time then placed in the zone by our own rules: a library's
    // idea of DST never decides about a freeze.
    let mut at = first.and_time(NaiveTime::MIN).and_utc();
    let mut inclusive = true;
    let both = lean == Lean::Longer && steps_hours(pattern);
    let mut spans = Vec::new();
    if cron.find_next_occurrence(&at, true).is_err() {
        return Err(format!("the cron pattern \"{pattern}\" never occurs again"));
    }
    while let Ok(next) = cron.find_next_occurrence(&at, inclusive) {
        if next >= end {
            break;
        }
        (at, inclusive) = (next, false);
        push_start(
            resolve(next.naive_utc(), zone),
            length,
            lean,
            both,
            &mut spans,
        );
        if spans.len() > MAX_OCCURRENCES {
            return Err(format!(
                "the cron rule \"{pattern}\" occurs more than {MAX_OCCURRENCES} times; write one longer span"
            ));
        }
    }
    Ok(spans)
}

/// Whether the pattern names several hours by a star or a step: an hour that occurs twice is then met twice, so that a freeze has no hole.
fn steps_hours(pattern: &str) -> bool {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let hour = if fields.len() > 5 {
        fields.get(2)
    } else {
        fields.get(1)
    };
    hour.is_some_and(|hour| hour.contains(['*', '/']))
        || pattern.trim().eq_ignore_ascii_case("@hourly")
}

fn push_start(start: Resolved, length: Duration, lean: Lean, both: bool, spans: &mut Vec<Span>) {
    spans.extend(lean.span_for(start, length));
    if both && let Resolved::Twice { second, .. } = start {
        spans.extend(lean.span_for(Resolved::Once(second), length));
    }
}

/// How long each occurrence lasts.
#[derive(Clone, Copy)]
enum Lasting {
    /// So far on the wall clock.
    WallClock(Duration),
    /// So long elapsed.
    Elapsed(Duration),
}

impl Recurrence {
    fn lasting(&self, zone: Tz) -> Result<Lasting, String> {
        let start = self.start.local(zone);
        let lasting = match (self.end, self.length) {
            (Some(end), None) => Lasting::WallClock(end.local(zone) - start),
            (None, Some(length)) => Lasting::Elapsed(length.duration()),
            (None, None) => return Err("a recurrence needs an end or a length".into()),
            (Some(_), Some(_)) => {
                return Err("a recurrence has an end and a length; give one of them".into());
            }
        };
        let (Lasting::WallClock(by) | Lasting::Elapsed(by)) = lasting;
        if by <= Duration::zero() {
            return Err(format!(
                "the recurrence that starts {} ends before it has lasted a second",
                self.start
            ));
        }
        Ok(lasting)
    }

    fn spans(&self, horizon: Span, zone: Tz, lean: Lean) -> Result<Vec<Span>, String> {
        // A start given in UTC recurs in UTC.
        let zone = if matches!(self.start, Moment::Fixed(_)) {
            Tz::UTC
        } else {
            zone
        };
        let lasting = self.lasting(zone)?;
        let (Lasting::WallClock(reach) | Lasting::Elapsed(reach)) = lasting;
        let (first, last) = local_days(horizon, zone, reach);
        let (from, to) = (
            first.and_time(NaiveTime::MIN),
            last.and_time(NaiveTime::MIN),
        );
        let rules = self
            .rules
            .iter()
            .map(|text| text.parse::<Rrule>())
            .collect::<Result<Vec<_>, _>>()?;
        let both = lean == Lean::Longer && rules.iter().any(Rrule::steps_within_day);
        let earliest = |at| resolve(at, zone).earliest();
        let starts = joined_starts(
            self.start.local(zone),
            &rules,
            from,
            to,
            &earliest,
            &mut Budget::for_rule(),
        )?;
        let extra = self.extra.iter().map(|moment| match moment {
            Moment::Day(day) => day.and_time(self.start.local(zone).time()),
            other => other.local(zone),
        });
        let mut spans = Vec::new();
        for start in starts.into_iter().chain(extra) {
            if self.except.iter().any(|except| except.names(start, zone)) {
                continue;
            }
            match lasting {
                Lasting::Elapsed(length) => {
                    push_start(resolve(start, zone), length, lean, both, &mut spans)
                }
                Lasting::WallClock(by) => {
                    let Some(end) = start.checked_add_signed(by) else {
                        continue;
                    };
                    spans.extend(lean.span(resolve(start, zone), resolve(end, zone)));
                }
            }
        }
        Ok(spans)
    }
}

/// The starts of several rules that share a DTSTART, ascending, each once; DTSTART alone where there is no rule.
///
/// # Errors
/// As [`Rrule::local_starts`].
pub fn joined_starts(
    start: NaiveDateTime,
    rules: &[Rrule],
    from: NaiveDateTime,
    to: NaiveDateTime,
    instant_of: &dyn Fn(NaiveDateTime) -> Instant,
    budget: &mut Budget,
) -> Result<Vec<NaiveDateTime>, String> {
    let mut starts = if start >= from && start < to {
        vec![start]
    } else {
        Vec::new()
    };
    for rule in rules {
        starts.extend(rule.local_starts(start, from, to, instant_of, budget)?);
    }
    starts.sort_unstable();
    starts.dedup();
    Ok(starts)
}

#[cfg(test)]
mod tests;
