//! Plans that are in each other's way (SEMANTICS 3), each with both parties and the way out.

use std::collections::BTreeSet;

use chrono::Duration;

use crate::domain::policy::{Policy, Release};
use crate::domain::time::Span;
use crate::domain::window::{SegmentKind, Target};

use super::calendar::{ask, needed, targets};
use super::{View, clock_full, driver, open_releases};

/// A dependency that is released so soon after is in the way too, minutes.
const AFTER: i64 = 30;

/// Every conflict between open releases, and of each with the calendar, in the order of their times.
pub(super) fn conflicts(view: &View<'_>) -> Vec<String> {
    let planned: Vec<(&Release, Span)> = open_releases(view.policy, view.journal)
        .into_iter()
        .filter_map(|r| Some((r, span(view, r)?)))
        .collect();
    let mut sorted = planned;
    sorted.sort_by_key(|(r, s)| (s.start, r.id.clone()));
    let mut out = Vec::new();
    for (i, (a, a_span)) in sorted.iter().enumerate() {
        for (b, b_span) in sorted.iter().skip(i + 1) {
            pair(view, (a, *a_span), (b, *b_span), &mut out);
        }
        frozen(view, a, *a_span, &mut out);
    }
    let mut seen = BTreeSet::new();
    out.retain(|line| seen.insert(line.clone()));
    out
}

/// From its actual or planned start for as long as it needs.
fn span(view: &View<'_>, release: &Release) -> Option<Span> {
    let started = view
        .journal
        .release(&release.id)
        .and_then(|s| s.tracks.values().map(|t| t.started).min());
    let start = started.or(release.planned)?;
    let (need, _) = needed(view, release);
    Some(Span::new(start, start + Duration::seconds(need)))
}

fn pair(view: &View<'_>, a: (&Release, Span), b: (&Release, Span), out: &mut Vec<String>) {
    let (first, second) = (a.0, b.0);
    let overlap = a.1.overlaps(&b.1);
    let way = format!("move {} or {}", first.id, second.id);
    if first.environment == second.environment {
        for change in &first.changes {
            if overlap && second.changes.iter().any(|c| c.service == change.service) {
                out.push(format!(
                    "{} is in {} and in {} at the same time: {way}",
                    change.service, first.id, second.id
                ));
            }
        }
        let mut soon = a.1;
        soon.end = soon.end.map(|t| t + Duration::minutes(AFTER));
        if soon.overlaps(&b.1) {
            for (x, y) in [(first, second), (second, first)] {
                for (service, needs) in dependencies(view.policy, x, y) {
                    out.push(format!(
                        "{service} of {} depends on {needs}, which {} releases in the same span: {way}",
                        x.id, y.id
                    ));
                }
            }
        }
    }
    let drivers = [first, second].map(|r| driver(r, view.journal.release(&r.id)));
    if let [Some(one), Some(other)] = drivers
        && overlap
        && one == other
    {
        out.push(format!(
            "{one} drives {} and {} at the same time: {way}, or let somebody else drive one",
            first.id, second.id
        ));
    }
}

/// (service of x, service of y) where the first depends on the second.
fn dependencies(policy: &Policy, x: &Release, y: &Release) -> Vec<(String, String)> {
    x.changes
        .iter()
        .filter_map(|c| policy.service(&c.service))
        .flat_map(|s| s.depends_on.iter().map(|d| (s.name.clone(), d.clone())))
        .filter(|(_, d)| y.changes.iter().any(|c| &c.service == d))
        .collect()
}

/// A freeze inside the release's span.
fn frozen(view: &View<'_>, release: &Release, span: Span, out: &mut Vec<String>) {
    let Some(end) = span.end.filter(|t| *t > view.at()) else {
        return;
    };
    let from = span.start.max(view.at());
    for target in targets(view, release) {
        for (rule, at) in freezes(view, &target, from, end) {
            out.push(format!(
                "{} meets freeze {rule} at {}: move {} or ask the freeze's owner",
                release.id,
                clock_full(at, view.at(), view.policy.timezone),
                release.id
            ));
        }
    }
}

fn freezes(
    view: &View<'_>,
    target: &Target,
    from: crate::domain::time::Instant,
    to: crate::domain::time::Instant,
) -> Vec<(String, crate::domain::time::Instant)> {
    ask(view, target, |t| t.strip(from, to))
        .unwrap_or_default()
        .into_iter()
        .filter(|s| s.kind == SegmentKind::Freeze)
        .flat_map(|s| {
            let at = s.span.start;
            s.rules.into_iter().map(move |rule| (rule, at))
        })
        .collect()
}
