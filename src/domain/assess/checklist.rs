//! The checklist: every item proven by a rule or ticked by hand, and unticked when its proof ages out (SEMANTICS 4).

use crate::domain::policy::{Check, ChecklistItem, Section};
use crate::domain::situation::{
    ChecklistView, Evidence, ItemView, Mark, Phase, SectionProgress, Situation, Tone,
};
use crate::domain::time::{self, Instant};
use crate::domain::verdict::Verdict;

use super::proofs::{Proof, automatic, manual};
use super::{Proofs, View, risk};

/// The whole list of the current release.
pub(super) fn checklist(view: &View<'_>, s: &Situation, proofs: &mut Proofs) -> ChecklistView {
    if view.release.is_none() {
        return ChecklistView::default();
    }
    let mut items = Vec::new();
    for item in &view.policy.checklist {
        let (one, proof) = judge(view, s, item);
        let mut evidence = prove(view, item, &one, &proof);
        if item.check == Check::Approved {
            evidence.lines.extend(approved_by(view, s));
        }
        proofs.insert(format!("item/{}", item.id), evidence);
        items.push(one);
    }
    let done = |i: &ItemView| i.verdict == Verdict::Pass || i.mark.word == "waived";
    let section = match s.releases.first().map(|r| r.phase) {
        Some(Phase::Planned | Phase::Ready) | None => Section::PreDeploy,
        Some(Phase::Deploying) => Section::Deploy,
        Some(_) => Section::PostDeploy,
    };
    let next = items
        .iter()
        .find(|i| i.section == section && !done(i))
        .or_else(|| items.iter().find(|i| i.section <= section && !done(i)))
        .map(|i| i.id.clone());
    ChecklistView {
        done: count(&items, done),
        next,
        sections: progress(&items),
        items,
    }
}

fn count(items: &[ItemView], wanted: impl Fn(&ItemView) -> bool) -> u32 {
    u32::try_from(items.iter().filter(|i| wanted(i)).count()).unwrap_or(u32::MAX)
}

/// How far each section is that has items; what is waived is counted by itself.
fn progress(items: &[ItemView]) -> Vec<SectionProgress> {
    [Section::PreDeploy, Section::Deploy, Section::PostDeploy]
        .into_iter()
        .map(|section| SectionProgress {
            section,
            done: count(items, |i| {
                i.section == section && i.verdict == Verdict::Pass
            }),
            waived: count(items, |i| i.section == section && i.mark.word == "waived"),
            items: count(items, |i| i.section == section),
        })
        .filter(|s| s.items > 0)
        .collect()
}

fn judge(view: &View<'_>, s: &Situation, item: &ChecklistItem) -> (ItemView, Proof) {
    let kept = view.state.and_then(|state| {
        state
            .kept
            .iter()
            .rev()
            .find(|(section, _)| *section == item.section)
            .and_then(|(_, evidence)| evidence.get(&item.id))
    });
    let waived = view.state.and_then(|state| state.waivers.get(&item.id));
    let by_rule = item.check != Check::Manual;
    let proof = match &item.check {
        Check::Manual => manual(view, item),
        _ => automatic(view, s, item).aged(view.at(), item),
    };
    let mut out = ItemView {
        id: item.id.clone(),
        section: item.section,
        title: item.title.clone(),
        automatic: by_rule,
        mark: mark(&proof.verdict, by_rule),
        verdict: proof.verdict.clone(),
        note: proof.note.clone(),
        at: proof.at,
        clocks: clocks(view.at(), item, &proof),
    };
    if let Some(words) = kept {
        // The section's phase ended: its evidence stands as it was then.
        let was = words
            .split_once(": ")
            .map_or((words.as_str(), ""), |(a, b)| (a, b));
        out.mark = Mark::new(
            was.0,
            if was.0 == "done" {
                Tone::Pass
            } else {
                Tone::Hold
            },
        );
        out.note = format!("{} (as it was when the phase ended)", was.1);
        out.verdict = if was.0 == "done" {
            Verdict::Pass
        } else {
            Verdict::not_run(out.note.clone())
        };
        out.clocks = "kept as it was when the phase ended".to_owned();
    } else if let Some((who, reason, _)) = waived.filter(|_| out.verdict != Verdict::Pass) {
        out.mark = Mark::new("waived", Tone::Hold);
        out.note = format!("({who}): {reason}; debt");
    }
    (out, proof)
}

/// The two clocks of a proof: how old the fact is and may be, when it was read and until when that counts.
fn clocks(now: Instant, item: &ChecklistItem, proof: &Proof) -> String {
    let span = |s: u64| {
        time::duration_words(chrono::Duration::seconds(
            i64::try_from(s).unwrap_or(i64::MAX / 1000),
        ))
    };
    let mut words = Vec::new();
    if let Some(at) = proof.at {
        words.push(format!(
            "fact of {}, counts {}",
            ago(now, at),
            span(item.shelf_life)
        ));
    }
    if let Some((at, limit)) = proof.read {
        words.push(format!("read {}, counts {}", ago(now, at), span(limit)));
    }
    words.join("; ")
}

fn ago(now: Instant, at: Instant) -> String {
    match time::age_words(now - at).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    }
}

fn mark(verdict: &Verdict, automatic: bool) -> Mark {
    match verdict {
        Verdict::Pass => Mark::new("done", Tone::Pass),
        Verdict::Fail => Mark::new("failed", Tone::Fail),
        Verdict::Undecided { .. } => Mark::new("undecided", Tone::Unknown),
        Verdict::NotRun { .. } if automatic => Mark::new("not run", Tone::Unknown),
        Verdict::NotRun { .. } => Mark::new("open", Tone::Plain),
    }
}

fn prove(view: &View<'_>, item: &ChecklistItem, one: &ItemView, proof: &Proof) -> Evidence {
    let mut lines = vec![
        ("item".to_owned(), one.title.clone()),
        ("section".to_owned(), one.section.word().to_lowercase()),
        ("state".to_owned(), one.mark.word.clone()),
        ("proof".to_owned(), one.note.clone()),
        (
            "proven".to_owned(),
            if one.automatic {
                "by a rule"
            } else {
                "by hand"
            }
            .to_owned(),
        ),
    ];
    if one.mark.word == "waived" {
        // What the rule says stays readable behind the waiver.
        lines.push(("the rule says".to_owned(), proof.note.clone()));
    }
    let span = |s: u64| {
        time::duration_words(chrono::Duration::seconds(
            i64::try_from(s).unwrap_or(i64::MAX / 1000),
        ))
    };
    if let Some(at) = proof.at {
        lines.push((
            "the fact".to_owned(),
            format!(
                "of {}; counts for {}",
                ago(view.at(), at),
                span(item.shelf_life)
            ),
        ));
    }
    if let Some((at, limit)) = proof.read {
        lines.push((
            "was read".to_owned(),
            format!("{}; counts for {}", ago(view.at(), at), span(limit)),
        ));
    }
    lines.extend(proof.more.iter().cloned());
    Evidence {
        title: one.title.clone(),
        lines,
        read_at: proof.read.map(|(at, _)| at),
        source: proof.source.clone(),
        ..Evidence::default()
    }
}

/// Behind `approved`: who, how known, what does not count, and what the class is made of.
fn approved_by(view: &View<'_>, s: &Situation) -> Vec<(String, String)> {
    let a = &s.clearance.approval;
    let mut lines = vec![("approval".to_owned(), a.said.clone())];
    for given in &a.given {
        let counts = match &given.void {
            Some(why) => format!("does not count: {why}"),
            None => format!(
                "until {}",
                super::clock_full(given.expires, view.at(), view.policy.timezone)
            ),
        };
        lines.push((
            given.by.clone(),
            format!("as {}, {}, {counts}", given.role, given.how),
        ));
    }
    lines.extend(a.records.iter().map(|r| ("record".to_owned(), r.clone())));
    if !a.digest.is_empty() {
        let short: String = a.digest.chars().take(12).collect();
        lines.push(("bound to".to_owned(), short));
    }
    lines.extend(s.clearance.risk.iter().flat_map(risk::lines));
    lines
}

/// The words kept of every item of a section when its phase ends.
pub(super) fn evidence_of(
    list: &ChecklistView,
    section: Section,
) -> std::collections::BTreeMap<String, String> {
    list.items
        .iter()
        .filter(|i| i.section == section)
        .map(|i| (i.id.clone(), format!("{}: {}", i.mark.word, i.note)))
        .collect()
}

/// Ticks that aged out in sections whose phase is not over: item, who ticked, when.
pub(super) fn aged_ticks(view: &View<'_>) -> Vec<(String, String, Instant)> {
    let Some(state) = view.state else {
        return Vec::new();
    };
    view.policy
        .checklist
        .iter()
        .filter(|item| {
            !state
                .kept
                .iter()
                .any(|(section, _)| *section == item.section)
        })
        .filter_map(|item| {
            let (who, at, _) = state.ticks.get(&item.id)?;
            let shelf = i64::try_from(item.shelf_life).unwrap_or(i64::MAX);
            ((view.at() - *at).num_seconds() > shelf).then(|| (item.id.clone(), who.clone(), *at))
        })
        .collect()
}
