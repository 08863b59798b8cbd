//! A release against the on-call schedule: its own span, and the days off that its watch runs into.

use chrono::{Datelike, Duration, Weekday};

use crate::domain::situation::{ConflictKind, Party, PartyKind};
use crate::domain::time::{self, Instant};
use crate::domain::window::Target;

use super::super::cover::{Cover, Shifts};
use super::{Found, Plan, Rulebook, View, clock};

pub(super) fn find(
    view: &View<'_>,
    book: &Rulebook<'_>,
    shifts: &Shifts,
    plan: &Plan<'_>,
    targets: &[Target],
    out: &mut Found,
) {
    if !shifts.configured() {
        return;
    }
    own_span(view, shifts, plan, out);
    let watched = plan.live.max(view.at());
    for (kind, name, from, until) in days_off(view, book, plan, targets) {
        // From the watch's begin on, so that a schedule that ends on the evening before is a gap and not merely unknown.
        let cover = match shifts.over(watched, until) {
            Cover::Gap {
                until: Some(next), ..
            } if next <= from => shifts.over(from, until),
            other => other,
        };
        let Some(said) = cover.sentence(|at| clock(view, at)) else {
            continue;
        };
        let Cover::Gap {
            from: begins,
            until: next,
            ..
        } = cover
        else {
            out.unsure.push(said);
            continue;
        };
        let gap = begins.max(from);
        let what = match kind {
            PartyKind::Holiday => format!("holiday {name}"),
            _ => "a weekend".to_owned(),
        };
        let way = if plan.begun {
            format!("arrange cover for {}", span_words(view, gap, next, until))
        } else {
            format!(
                "arrange cover for {}, or start {} so that its watch ends before",
                span_words(view, gap, next, until),
                plan.id()
            )
        };
        out.push(
            ConflictKind::Watch,
            (
                plan.party(),
                Party::new(kind, name, view.policy.oncall.release_manager.clone()),
            ),
            &from
                .with_timezone(&view.policy.timezone)
                .date_naive()
                .to_string(),
            (gap, Some(next.map_or(until, |n| n.min(until)))),
            format!(
                "the watch of {} (until {}) runs into {what} without cover: {said}",
                plan.id(),
                clock(view, plan.watched)
            ),
            way,
        );
    }
}

fn span_words(view: &View<'_>, gap: Instant, next: Option<Instant>, until: Instant) -> String {
    format!(
        "{} to {}",
        clock(view, gap),
        clock(view, next.map_or(until, |n| n.min(until)))
    )
}

fn own_span(view: &View<'_>, shifts: &Shifts, plan: &Plan<'_>, out: &mut Found) {
    let from = plan.start.max(view.at());
    if from >= plan.end {
        return;
    }
    let cover = shifts.over(from, plan.end);
    let Some(said) = cover.sentence(|at| clock(view, at)) else {
        return;
    };
    let Cover::Gap {
        from: gap, until, ..
    } = cover
    else {
        out.unsure.push(said);
        return;
    };
    let way = if plan.begun {
        "arrange cover until it is over".to_owned()
    } else {
        format!(
            "arrange cover for {}, or move {} to when somebody is on call",
            span_words(view, gap, until, plan.end),
            plan.id()
        )
    };
    out.push(
        ConflictKind::Cover,
        (
            plan.party(),
            Party::new(
                PartyKind::Cover,
                "",
                view.policy.oncall.release_manager.clone(),
            ),
        ),
        "",
        (gap, Some(until.map_or(plan.end, |u| u.min(plan.end)))),
        format!("{} has no cover: {said}", plan.id()),
        way,
    );
}

/// Weekends and holidays that the watch runs into: what, its name, and what of it the watch meets.
fn days_off(
    view: &View<'_>,
    book: &Rulebook<'_>,
    plan: &Plan<'_>,
    targets: &[Target],
) -> Vec<(PartyKind, String, Instant, Instant)> {
    let (from, to) = (plan.live.max(view.at()), plan.watched);
    let mut out: Vec<(PartyKind, String, Instant, Instant)> = Vec::new();
    if from >= to {
        return out;
    }
    let zone = view.policy.timezone;
    let mut day = from.with_timezone(&zone).date_naive();
    loop {
        let begin = time::day_start(day, zone);
        let next = day.succ_opt().unwrap_or(day);
        let end = time::day_start(next, zone);
        if begin >= to || end <= begin {
            break;
        }
        if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            match out.last_mut() {
                // Both days are one weekend.
                Some(last) if last.3 == begin => last.3 = end.min(to),
                _ => out.push((
                    PartyKind::Weekend,
                    String::new(),
                    begin.max(from),
                    end.min(to),
                )),
            }
        }
        day = next;
    }
    for (span, off) in book.rules.map(|r| r.days_off(from, to)).unwrap_or_default() {
        let concerned = targets.is_empty() || targets.iter().any(|t| off.scope.covers(t));
        let end = span.end.unwrap_or(span.start + Duration::days(1)).min(to);
        let begin = span.start.max(from);
        if concerned && begin < end {
            out.push((PartyKind::Holiday, off.name.clone(), begin, end));
        }
    }
    out
}
