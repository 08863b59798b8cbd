//! A release against freezes and windows.

use std::collections::BTreeMap;

use crate::domain::situation::{ConflictKind, Party, PartyKind};
use crate::domain::time::Instant;
use crate::domain::window::{Hold, HoldKind, RollbackUnder, Target, Timeline, WindowAt};

use super::{Found, Plan, Rulebook, View, clock};

/// The span that is still ahead meets these rules.
pub(super) fn find(
    view: &View<'_>,
    book: &Rulebook<'_>,
    plan: &Plan<'_>,
    targets: &[Target],
    out: &mut Found,
) {
    let from = plan.start.max(view.at());
    let mut frozen: BTreeMap<String, Hold> = BTreeMap::new();
    let mut ahead: BTreeMap<String, Hold> = BTreeMap::new();
    let mut fits: Option<Instant> = None;
    let mut outside: Option<Hold> = None;
    let mut closing: Option<(Instant, Hold)> = None;
    for target in targets {
        let Some(timeline) = book.timeline(target) else {
            continue;
        };
        if !timeline.knows(from) || !timeline.knows(plan.end) {
            out.unsure.push(format!(
                "{} lies outside the time that windows and freezes were computed for",
                plan.id()
            ));
            continue;
        }
        if from < plan.end && !plan.settled {
            for hold in timeline.freezes_within(from, plan.end) {
                keep(&mut frozen, hold);
            }
            fits = fits.max(timeline.next_fit(from, plan.end - from));
            window(&timeline, plan, from, &mut outside, &mut closing);
        }
        let after = plan.end.max(view.at());
        if after < plan.watched {
            let holds = timeline.freezes_within(after, plan.watched);
            // What began before the release was over is a conflict of its own.
            for hold in holds
                .into_iter()
                .filter(|h| h.from.is_some_and(|f| f >= plan.end))
            {
                keep(&mut ahead, hold);
            }
        }
    }
    for hold in frozen.values() {
        if !lifted(view, plan, hold, from) {
            meets(view, plan, hold, (from, fits), out);
        }
    }
    if let Some(hold) = outside.filter(|_| !plan.begun) {
        beside(view, plan, &hold, (from, fits), out);
    }
    if let Some((at, hold)) = closing {
        too_short(view, plan, &hold, (at, fits), out);
    }
    for hold in ahead.values() {
        watched(view, plan, hold, out);
    }
}

/// The earliest of a rule's occurrences.
fn keep(list: &mut BTreeMap<String, Hold>, hold: Hold) {
    match list.get(&hold.rule) {
        Some(known) if known.from <= hold.from => {}
        _ => {
            list.insert(hold.rule.clone(), hold);
        }
    }
}

fn window(
    timeline: &Timeline<'_>,
    plan: &Plan<'_>,
    from: Instant,
    outside: &mut Option<Hold>,
    closing: &mut Option<(Instant, Hold)>,
) {
    match timeline.window_at(from) {
        WindowAt::NoneInScope | WindowAt::Inside { until: None } => {}
        WindowAt::Outside { .. } => {
            if outside.is_none() {
                *outside = timeline.windows_waiting_at(from).into_iter().next();
            }
        }
        WindowAt::Inside { until: Some(until) } if until < plan.end => {
            if closing.as_ref().is_none_or(|(at, _)| until < *at)
                && let Some(hold) = timeline.windows_open_at(from).into_iter().next()
            {
                *closing = Some((until, hold));
            }
        }
        WindowAt::Inside { .. } => {}
    }
}

/// An override of that freeze is in force when it begins to matter.
fn lifted(view: &View<'_>, plan: &Plan<'_>, hold: &Hold, from: Instant) -> bool {
    let at = hold.from.map_or(from, |f| f.max(from));
    view.journal
        .release(plan.id())
        .and_then(|s| s.overrides.get(&format!("freeze/{}", hold.rule)))
        .is_some_and(|o| o.expires > at)
}

fn party(hold: &Hold) -> Party {
    let kind = match hold.kind {
        HoldKind::Freeze => PartyKind::Freeze,
        _ => PartyKind::Window,
    };
    Party::new(kind, hold.rule.clone(), hold.owner.clone())
}

fn whom(hold: &Hold) -> String {
    hold.owner.as_ref().map_or_else(
        || "override it with a reason".to_owned(),
        |owner| format!("ask {owner} for an override"),
    )
}

fn moved(view: &View<'_>, plan: &Plan<'_>, fits: Option<Instant>) -> Option<String> {
    fits.map(|at| format!("move {} to {}, where it fits", plan.id(), clock(view, at)))
}

fn meets(
    view: &View<'_>,
    plan: &Plan<'_>,
    hold: &Hold,
    (from, fits): (Instant, Option<Instant>),
    out: &mut Found,
) {
    let at = hold.from.map_or(from, |f| f.max(from));
    let until = hold.until.map_or(plan.end, |u| u.min(plan.end));
    let passes = match hold.rollback {
        Some(RollbackUnder::Override) => "a rollback needs an override, too",
        _ => "a rollback passes it",
    };
    let way = match (plan.begun, moved(view, plan, fits)) {
        (true, _) => format!(
            "be through before {}, or hold it; {passes}",
            clock(view, at)
        ),
        (false, Some(moved)) => format!("{moved}, or {}", whom(hold)),
        (false, None) => whom(hold),
    };
    out.push(
        ConflictKind::Freeze,
        (plan.party(), party(hold)),
        "",
        (at, Some(until)),
        format!(
            "{} meets freeze {} at {}",
            plan.id(),
            hold.rule,
            clock(view, at)
        ),
        way,
    );
}

fn beside(
    view: &View<'_>,
    plan: &Plan<'_>,
    hold: &Hold,
    (from, fits): (Instant, Option<Instant>),
    out: &mut Found,
) {
    let opens = hold.until.map_or_else(
        || format!("{} never opens again", hold.rule),
        |at| format!("{} opens {}", hold.rule, clock(view, at)),
    );
    let way = moved(view, plan, fits).unwrap_or_else(|| {
        format!(
            "no window has room for it: shorten it, or ask {} for one",
            hold.owner.as_deref().unwrap_or("the window's owner")
        )
    });
    out.push(
        ConflictKind::Window,
        (plan.party(), party(hold)),
        "",
        (from, hold.until),
        format!(
            "{} starts {} outside every window; {opens}",
            plan.id(),
            clock(view, from)
        ),
        way,
    );
}

fn too_short(
    view: &View<'_>,
    plan: &Plan<'_>,
    hold: &Hold,
    (at, fits): (Instant, Option<Instant>),
    out: &mut Found,
) {
    let need = super::super::need::words((plan.end - plan.start.max(view.at())).num_seconds());
    let way = if plan.begun {
        "nothing is stopped by it; see that somebody stays".to_owned()
    } else {
        moved(view, plan, fits)
            .unwrap_or_else(|| "no window has room for it: shorten it".to_owned())
    };
    out.push(
        ConflictKind::Fit,
        (plan.party(), party(hold)),
        "",
        (at, Some(plan.end)),
        format!(
            "{} needs {need}, until {}; {} closes {}",
            plan.id(),
            clock(view, plan.end),
            hold.rule,
            clock(view, at)
        ),
        way,
    );
}

fn watched(view: &View<'_>, plan: &Plan<'_>, hold: &Hold, out: &mut Found) {
    let Some(from) = hold.from else {
        return;
    };
    let latest = from - (plan.watched - plan.start);
    let after = hold
        .until
        .map(|until| format!(", or after it ({})", clock(view, until)));
    let way = if plan.begun {
        format!(
            "agree with {} now how a repair gets through",
            hold.owner.as_deref().unwrap_or("the freeze's owner")
        )
    } else if latest >= view.at() {
        format!(
            "start {} by {}, so that the watch is over before it{}",
            plan.id(),
            clock(view, latest),
            after.unwrap_or_default()
        )
    } else {
        format!(
            "start {} after the freeze{}, or agree with {} how a repair gets through",
            plan.id(),
            hold.until
                .map(|until| format!(" ({})", clock(view, until)))
                .unwrap_or_default(),
            hold.owner.as_deref().unwrap_or("the freeze's owner")
        )
    };
    let until = hold.until.map_or(plan.watched, |u| u.min(plan.watched));
    out.push(
        ConflictKind::Watch,
        (plan.party(), party(hold)),
        "",
        (from, Some(until)),
        format!(
            "the watch of {} (until {}) runs into freeze {} at {}",
            plan.id(),
            clock(view, plan.watched),
            hold.rule,
            clock(view, from)
        ),
        way,
    );
}
