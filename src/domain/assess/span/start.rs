//! A release's start at some time: window, freezes, fit, cover, conflicts, and where its watch would end.

use chrono::Duration;

use crate::domain::calendar::Line;
use crate::domain::policy::Release;
use crate::domain::situation::{Mark, Refusal, Tone};
use crate::domain::time::{Instant, duration_words};
use crate::domain::window::{HoldKind, SegmentKind, WindowState};
use crate::domain::words::both_zones;

use super::super::View;
use super::super::calendar::{ask, needed, start_refusals, targets};
use super::super::{conflicts, oncall, permits};
use super::{Cx, times};

/// Every line about a start at that time, and its mark.
pub(super) fn judge(cx: &Cx<'_>, release: &Release, at: Instant) -> (Vec<Line>, Mark) {
    cx.judged(release, at, |view| {
        let mut refusals = start_refusals(view, release);
        refusals.extend(permits::cover(view));
        let mark = mark(&refusals);
        let mut lines = Vec::new();
        window(view, release, &refusals, &mut lines);
        fit(view, release, &refusals, &mut lines);
        cover(view, release, &refusals, &mut lines);
        conflict(cx, release, &mut lines);
        watch(view, release, &mut lines);
        (lines, mark)
    })
}

fn mark(refusals: &[Refusal]) -> Mark {
    let unknown = refusals.iter().any(|r| label(r) == "calendar");
    match refusals.first() {
        None => Mark::new("permitted", Tone::Pass),
        Some(_) if unknown => Mark::new("unknown", Tone::Unknown),
        Some(r) => Mark::new(format!("refused: {}", label(r)), Tone::Fail),
    }
}

/// `freeze/quarter end` is about a freeze.
fn label(refusal: &Refusal) -> &str {
    refusal.rule.split('/').next().unwrap_or("rule")
}

fn tone(label: &str) -> Tone {
    match label {
        "calendar" => Tone::Unknown,
        "window" => Tone::Hold,
        _ => Tone::Fail,
    }
}

fn refused(view: &View<'_>, refusal: &Refusal) -> Line {
    let label = label(refusal);
    let mut text = refusal.why.clone();
    // The sentence of a freeze or window says owner and end already.
    if !matches!(label, "freeze" | "window" | "calendar") {
        if let Some(owner) = &refusal.owner {
            text = format!("{text}; owner {owner}");
        }
        if let Some(until) = refusal.until {
            text = format!("{text}; until {}", both_zones(until, view.policy.timezone));
        }
    }
    Line::new(label, text, tone(label))
}

/// Windows and freezes: why not, or until when and by whom.
fn window(view: &View<'_>, release: &Release, refusals: &[Refusal], lines: &mut Vec<Line>) {
    let by_rule = |r: &&Refusal| matches!(label(r), "freeze" | "window" | "calendar");
    let found: Vec<Line> = refusals.iter().filter(by_rule).map(|r| refused(view, r)).collect();
    if !found.is_empty() {
        lines.extend(found);
        return;
    }
    let Some(target) = targets(view, release).into_iter().next() else {
        return;
    };
    let zone = view.policy.timezone;
    if let Some(standing) = ask(view, &target, |t| t.state_at(view.at())) {
        let open = standing.state.is_open();
        for sentence in standing.reasons(zone) {
            lines.push(Line::new("window", sentence, if open { Tone::Pass } else { Tone::Hold }));
        }
        // A freeze that ends the permission is named with its owner.
        if let WindowState::Open { until: Some(until), .. } = standing.state {
            let next = ask(view, &target, |t| t.state_at(until)).map(|s| s.state);
            for hold in next.iter().flat_map(|s| s.holds()).filter(|h| h.kind == HoldKind::Freeze) {
                let owner = hold.owner.as_ref().map_or(String::new(), |o| format!(" ({o})"));
                let text = format!("{}{owner} begins {}", hold.rule, both_zones(until, zone));
                lines.push(Line::new("freeze", text, Tone::Plain));
            }
        }
    }
}

fn fit(view: &View<'_>, release: &Release, refusals: &[Refusal], lines: &mut Vec<Line>) {
    let (need, how) = needed(view, release);
    let needs = format!("needs {} ({how})", duration_words(Duration::seconds(need)));
    match refusals.iter().find(|r| label(r) == "fit") {
        Some(r) => lines.push(Line::new("fit", format!("{} It {needs}", r.why), Tone::Fail)),
        None => {
            let shut = refusals.iter().any(|r| matches!(label(r), "freeze" | "window" | "calendar"));
            let (word, tone) = if shut { ("", Tone::Plain) } else { ("fits: ", Tone::Pass) };
            lines.push(Line::new("fit", format!("{word}{needs}"), tone));
        }
    }
}

/// Who is on call for the whole of it.
fn cover(view: &View<'_>, release: &Release, refusals: &[Refusal], lines: &mut Vec<Line>) {
    if let Some(r) = refusals.iter().find(|r| label(r) == "cover") {
        lines.push(refused(view, r));
        return;
    }
    let oncall = &view.policy.oncall;
    if oncall.connection.is_none() && oncall.rotations.is_empty() {
        lines.push(Line::new("cover", "cover is not configured", Tone::Plain));
        return;
    }
    let (need, _) = needed(view, release);
    let to = view.at() + Duration::seconds(need.max(1));
    let first: Vec<String> = oncall::schedule(view, view.at(), to, 8)
        .into_iter()
        .filter(|t| t.level == 1)
        .map(|t| match t.until {
            Some(until) => format!("{} until {}", t.person, both_zones(until, view.policy.timezone)),
            None => t.person,
        })
        .collect();
    lines.push(Line::new("cover", first.join(", then "), Tone::Pass));
}

/// Plans in each other's way, seen from the real now.
fn conflict(cx: &Cx<'_>, release: &Release, lines: &mut Vec<Line>) {
    let view = cx.view(cx.observed, cx.now.world, None);
    for text in conflicts::conflicts(&view) {
        if text.contains(release.id.as_str()) && !release.id.is_empty() {
            lines.push(Line::new("conflict", text, Tone::Hold));
        }
    }
}

/// Where its watch ends, and the first freeze that it runs into.
fn watch(view: &View<'_>, release: &Release, lines: &mut Vec<Line>) {
    let Some((_, span)) = times(view, release) else {
        return;
    };
    let (Some(end), Some(target)) = (span.end, targets(view, release).into_iter().next()) else {
        return;
    };
    let zone = view.policy.timezone;
    let length = duration_words(end - span.start);
    let text = format!("to {}, {length} after the last step", both_zones(end, zone));
    lines.push(Line::new("watch", text, Tone::Plain));
    let met = ask(view, &target, |t| t.strip(span.start, end)).unwrap_or_default();
    if let Some(freeze) = met.iter().find(|s| s.kind == SegmentKind::Freeze) {
        let text = format!(
            "runs into freeze {} at {}",
            freeze.rules.join(", "),
            both_zones(freeze.span.start, zone)
        );
        lines.push(Line::new("watch", text, Tone::Hold));
    }
}
