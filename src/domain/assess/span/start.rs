//! A release's start at some time: window, freezes, fit, cover, conflicts, and where its watch would end.

use chrono::Duration;

use crate::domain::calendar::Line;
use crate::domain::policy::Release;
use crate::domain::situation::{ConflictKind, Mark, Refusal, Tone};
use crate::domain::time::{Instant, duration_words};
use crate::domain::window::{HoldKind, WindowState};
use crate::domain::words::both_zones;

use super::super::View;
use super::super::calendar::{ask, needed, start_refusals, targets};
use super::super::{oncall, permits};
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
        watch(view, release, &mut lines);
        plans(cx, release, &mut lines);
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
    let found: Vec<Line> = refusals
        .iter()
        .filter(by_rule)
        .map(|r| refused(view, r))
        .collect();
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
            lines.push(Line::new(
                "window",
                sentence,
                if open { Tone::Pass } else { Tone::Hold },
            ));
        }
        // A freeze that ends the permission is named with its owner.
        if let WindowState::Open {
            until: Some(until), ..
        } = standing.state
        {
            let next = ask(view, &target, |t| t.state_at(until)).map(|s| s.state);
            for hold in next
                .iter()
                .flat_map(|s| s.holds())
                .filter(|h| h.kind == HoldKind::Freeze)
            {
                let owner = hold
                    .owner
                    .as_ref()
                    .map_or(String::new(), |o| format!(" ({o})"));
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
        Some(r) => lines.push(Line::new(
            "fit",
            format!("{} It {needs}", r.why),
            Tone::Fail,
        )),
        None => {
            let shut = refusals
                .iter()
                .any(|r| matches!(label(r), "freeze" | "window" | "calendar"));
            let (word, tone) = if shut {
                ("", Tone::Plain)
            } else {
                ("fits: ", Tone::Pass)
            };
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
            Some(until) => format!(
                "{} until {}",
                t.person,
                both_zones(until, view.policy.timezone)
            ),
            None => t.person,
        })
        .collect();
    lines.push(Line::new("cover", first.join(", then "), Tone::Pass));
}

/// Plans in each other's way and deadlines, as of the real now. Windows, freezes, fit and cover were said above.
fn plans(cx: &Cx<'_>, release: &Release, lines: &mut Vec<Line>) {
    use ConflictKind::{Cover, Deadline, Fit, Freeze, Window};
    let found = cx.plans();
    for deadline in found.deadlines.iter().filter(|d| d.release == release.id) {
        let at = both_zones(deadline.at, cx.policy.timezone);
        let open = match deadline.open.as_slice() {
            [] => String::new(),
            open => format!(": {}", open.join("; ")),
        };
        let text = format!(
            "{} {at}, {}{open}",
            deadline.kind.word(),
            deadline.mark.word
        );
        lines.push(Line::new("deadline", text, deadline.mark.tone));
    }
    for conflict in found.conflicts.iter().filter(|c| c.concerns(&release.id)) {
        let said = matches!(conflict.kind, Freeze | Window | Fit | Cover | Deadline);
        if !said {
            lines.push(Line::new("conflict", conflict.to_string(), Tone::Hold));
        }
    }
    for line in found.unsure {
        lines.push(Line::new("conflict", line, Tone::Unknown));
    }
}

/// Where its watch ends. What it runs into is a conflict.
fn watch(view: &View<'_>, release: &Release, lines: &mut Vec<Line>) {
    let Some((_, Some(span))) = times(view, release) else {
        return;
    };
    let Some(end) = span.end else {
        return;
    };
    let length = duration_words(end - span.start);
    let at = both_zones(end, view.policy.timezone);
    let text = format!("to {at}, {length} after the last step");
    lines.push(Line::new("watch", text, Tone::Plain));
}
