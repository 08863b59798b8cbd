//! Checklist, acceptance, debts and the close.

use crate::domain::act::Danger;
use crate::domain::assess::rollout::Rollout;
use crate::domain::assess::{POLICY, UNKNOWN, View, gates};
use crate::domain::ground::Held;
use crate::domain::policy::Reversible;
use crate::domain::situation::{GateView, Input, Permit, Refusal, Situation};
use crate::domain::verdict::Verdict;

use super::{basis, no_release, permit, reason, typed};

pub(super) fn close(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let state = view.state;
    if state.is_some_and(|x| x.closing.is_some()) {
        return Err(vec![Refusal::new("phase", "the release is closed")]);
    }
    let mut refusals = Vec::new();
    let rolled_back = state.is_some_and(|x| x.rolled_back().is_some());
    let started = state.is_some_and(|x| !x.tracks.is_empty());
    if s.plan.as_ref().is_some_and(|p| p.ended.is_none()) {
        refusals.push(Refusal::new("rollback", "a rollback is running"));
    }
    let gone = replaced(view);
    if started && !rolled_back && gone.is_none() {
        match &s.watch {
            Some(w) if w.until > view.at() => {
                let mut r = Refusal::new("watch", "the watch is not over");
                r.until = Some(w.until);
                refusals.push(r.way_out("hand it off"));
            }
            Some(_) => {}
            None => refusals.push(Refusal::new("phase", "the rollout is not over")),
        }
    }
    for debt in s
        .debts
        .iter()
        .filter(|d| d.debt.release.as_deref() == Some(release.id.as_str()))
    {
        let handed = debt.debt.owner != view.observed.session.actor && !debt.debt.owner.is_empty();
        if is_review(&debt.debt.id) {
            refusals.push(
                Refusal::new(
                    format!("debt/{}", debt.debt.id),
                    format!("{} (mandatory)", debt.debt.what),
                )
                .way_out("settle it with what the review found, by somebody else"),
            );
        } else if !handed || debt.overdue {
            refusals.push(
                Refusal::new(
                    format!("debt/{}", debt.debt.id),
                    format!("debt open: {}", debt.debt.what),
                )
                .way_out("settle it, or hand it to a named owner"),
            );
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut p = permit(
        view,
        "close",
        format!("Close {}", release.title),
        Danger::Medium,
    );
    p.effects.push(if rolled_back {
        "as rolled back".to_owned()
    } else if !started {
        "as abandoned".to_owned()
    } else if let Some(served) = gone {
        if served {
            "as superseded"
        } else {
            "as abandoned"
        }
        .to_owned()
    } else if s.watch.as_ref().is_some_and(|w| {
        !w.checkpoints.is_empty() && w.checkpoints.iter().all(|c| c.mark.word == "pass")
    }) {
        "as shipped".to_owned()
    } else {
        "as shipped, unproven".to_owned()
    });
    p.inputs.push(reason(false, ""));
    p.basis = basis(view, &[]);
    Ok(p)
}

/// The review of a closed release, recorded.
pub(super) fn review(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let state = view.state.filter(|x| x.closing.is_some()).ok_or_else(|| {
        vec![
            Refusal::new("phase", "the release is not closed yet")
                .way_out("close it; then its review is recorded"),
        ]
    })?;
    if let Some(done) = &state.reviewed {
        return Err(vec![Refusal::new(
            "review",
            format!("{} reviewed it already", done.by),
        )]);
    }
    let mut p = permit(
        view,
        "review",
        format!("Record the review of {}", release.title),
        Danger::Medium,
    );
    p.effects
        .push("the release is reviewed; its outcome stays as it is".to_owned());
    let broke = state.overrides.values().find(|o| o.break_glass);
    if let Some(broke) = broke {
        let by = &broke.by;
        p.effects
            .push(format!("by somebody else than {by}, who broke the glass"));
    }
    p.inputs.push(Input {
        key: "reviewer".to_owned(),
        label: "reviewed by".to_owned(),
        required: true,
        default: match broke {
            Some(_) => String::new(),
            None => view.observed.session.actor.clone(),
        },
    });
    p.inputs.push(Input {
        key: "found".to_owned(),
        label: "what the review found".to_owned(),
        required: true,
        default: String::new(),
    });
    Ok(p)
}

/// What a person wants on record: also the event that ends the way back of a change.
pub(super) fn note(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let mut p = permit(view, "note", "Note in the journal", Danger::Medium);
    for change in &release.changes {
        let Reversible::Until(event) = &change.reversible else {
            continue;
        };
        if !view.state.is_some_and(|s| s.noted(event)) {
            p.effects.push(format!(
                "\"{event}\" noted in these words: there is no way back for {} {} then",
                change.service, change.to
            ));
        }
    }
    p.inputs.push(Input {
        key: "text".to_owned(),
        label: "what happened".to_owned(),
        required: true,
        default: String::new(),
    });
    Ok(p)
}

/// Nothing of the release serves any more, by the journal and by fresh live records: `Some(true)` where all of it had
/// served and other versions took its place.
fn replaced(view: &View<'_>) -> Option<bool> {
    let started: Vec<&Rollout<'_>> = view.rollouts.iter().filter(|r| r.track.is_some()).collect();
    let gone = !started.is_empty()
        && started.iter().all(|r| {
            r.withdrawn()
                && r.freshness.usable()
                && r.record.is_some_and(|d| d.version != r.change.to)
        });
    gone.then(|| {
        started.len() == view.rollouts.len()
            && started
                .iter()
                .all(|r| r.track.is_some_and(|t| t.finished.is_some()))
    })
}

pub(super) fn tick(view: &View<'_>, id: &str, title: &str) -> Result<Permit, Vec<Refusal>> {
    if view.state.is_some_and(|s| s.ticks.contains_key(id)) {
        return Err(vec![
            Refusal::new("checklist", "ticked already").way_out("space takes it back"),
        ]);
    }
    let mut p = permit(
        view,
        &format!("tick/{id}"),
        format!("Tick: {title}"),
        Danger::Low,
    );
    p.inputs.push(Input {
        key: "note".to_owned(),
        label: "note".to_owned(),
        required: false,
        default: String::new(),
    });
    Ok(p)
}

pub(super) fn untick(view: &View<'_>, id: &str, title: &str) -> Result<Permit, Vec<Refusal>> {
    if !view.state.is_some_and(|s| s.ticks.contains_key(id)) {
        return Err(vec![Refusal::new("checklist", "it is not ticked")]);
    }
    Ok(permit(
        view,
        &format!("untick/{id}"),
        format!("Untick: {title}"),
        Danger::Low,
    ))
}

pub(super) fn waive(
    view: &View<'_>,
    automatic: bool,
    id: &str,
    title: &str,
    verdict: &Verdict,
) -> Result<Permit, Vec<Refusal>> {
    if !automatic {
        return Err(vec![Refusal::new(
            "checklist",
            "a manual item is ticked, not waived",
        )]);
    }
    if *verdict == Verdict::Pass {
        return Err(vec![Refusal::new("checklist", "it passes")]);
    }
    let mut p = permit(
        view,
        &format!("waive/{id}"),
        format!("Waive: {title}"),
        Danger::Medium,
    );
    p.effects
        .push("a debt of yours, due in 24 h; shown as waived, never as passed".to_owned());
    p.inputs.push(reason(true, ""));
    Ok(p)
}

pub(super) fn accept(view: &View<'_>, gate: &GateView) -> Result<Permit, Vec<Refusal>> {
    match &gate.verdict {
        Verdict::Pass => return Err(vec![Refusal::new("gate", "it passed")]),
        Verdict::Fail => {
            return Err(vec![
                Refusal::new("gate", "a Fail cannot be accepted").way_out("R rolls back"),
            ]);
        }
        Verdict::NotRun { why } => {
            return Err(vec![Refusal::new("gate", format!("it did not run: {why}"))]);
        }
        Verdict::Undecided { .. } if gate.accepted => {
            return Err(vec![Refusal::new("gate", "accepted already")]);
        }
        Verdict::Undecided { .. } if !gates::fresh(view, gate) => {
            return Err(vec![
                Refusal::new(
                    "gate",
                    "its data is stale or partial: nobody can take it as seen",
                )
                .way_out("wait for the feed"),
            ]);
        }
        Verdict::Undecided { .. } => {}
    }
    let mut p = permit(
        view,
        &format!("accept/{}", gate.id),
        format!("Accept undecided: gate {}", gate.gate),
        Danger::High,
    );
    p.effects.push(format!("n = {}", gate.n));
    p.effects.push(match gate.smallest_visible {
        Some(x) => format!("a regression below {x:.2}× would not have shown"),
        None => "no regression of any size would have shown yet".to_owned(),
    });
    let open = gate
        .metrics
        .iter()
        .filter(|(_, mark, _)| mark.word != "pass");
    p.effects
        .extend(open.map(|(metric, mark, words)| format!("{metric} {}: {words}", mark.word)));
    p.effects
        .push("reads ACCEPTED, is a debt, is never green".to_owned());
    p.inputs.push(reason(true, ""));
    p.typed = typed(view);
    p.basis = basis(view, &[&gate.id]);
    Ok(p)
}

/// The debt of a broken glass: only a review settles it.
pub(crate) fn is_review(debt: &str) -> bool {
    debt.contains("break-glass/")
}

/// The change of the file that a debt speaks of.
pub(crate) fn held_by<'a>(view: &View<'a>, debt: &str) -> Option<&'a Held> {
    let name = debt.strip_prefix(POLICY)?;
    view.observed.session.held.iter().find(|h| h.name == name)
}

pub(super) fn settle(view: &View<'_>, id: &str, what: &str) -> Result<Permit, Vec<Refusal>> {
    let mut p = permit(
        view,
        &format!("settle/{id}"),
        format!("Settle: {what}"),
        Danger::Medium,
    );
    if is_review(id) {
        p.effects
            .push("the review is mandatory: by somebody who did not break the glass".to_owned());
        p.inputs.push(Input {
            key: "reviewer".to_owned(),
            label: "reviewed by".to_owned(),
            required: true,
            default: String::new(),
        });
        p.inputs.push(Input {
            key: "how".to_owned(),
            label: "what the review found".to_owned(),
            required: true,
            default: String::new(),
        });
        return Ok(p);
    }
    if id.starts_with(UNKNOWN) {
        p.effects
            .push("its outcome is journaled as by your word; it is never sent again".to_owned());
        p.inputs.push(Input {
            key: "happened".to_owned(),
            label: "did it happen (yes, no)".to_owned(),
            required: true,
            default: String::new(),
        });
        p.inputs.push(Input {
            key: "how".to_owned(),
            label: "what the vendor shows".to_owned(),
            required: true,
            default: String::new(),
        });
        return Ok(p);
    }
    if let Some(held) = held_by(view, id) {
        p.title = format!("Take the file's change of {}", held.name);
        p.effects.push(format!(
            "what cockpit.toml says now comes into force under {}",
            held.release
        ));
        let name = held
            .name
            .split_once('/')
            .map_or(held.name.as_str(), |(_, n)| n);
        p.typed = Some(name.to_owned());
        p.danger = Danger::High;
        p.inputs.push(reason(true, ""));
        p.basis = basis(view, &[&held.name, &held.digest]);
        return Ok(p);
    }
    p.inputs.push(Input {
        key: "how".to_owned(),
        label: "how it was settled".to_owned(),
        required: true,
        default: String::new(),
    });
    p.inputs.push(Input {
        key: "to".to_owned(),
        label: "or hand it to (name)".to_owned(),
        required: false,
        default: String::new(),
    });
    Ok(p)
}
