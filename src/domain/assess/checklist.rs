//! The checklist: every item proven by a rule or ticked by hand, and unticked when its proof ages out (SEMANTICS 4).

use crate::domain::observe::Freshness;
use crate::domain::policy::{Check, ChecklistItem, Section};
use crate::domain::record::{BuildState, Records};
use crate::domain::situation::{ChecklistView, Evidence, ItemView, Mark, Phase, Situation, Tone};
use crate::domain::time::{self, Instant};
use crate::domain::verdict::Verdict;

use super::{Proofs, View, approvals, clock, passport, risk};

/// Days after which a review of the escalation policy no longer counts.
const REVIEW_DAYS: i64 = 30;

/// A proof: verdict, words, since when.
struct Proof {
    verdict: Verdict,
    note: String,
    at: Option<Instant>,
}

impl Proof {
    fn new(verdict: Verdict, note: impl Into<String>) -> Self {
        Self {
            verdict,
            note: note.into(),
            at: None,
        }
    }
    fn undecided(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::new(Verdict::undecided(why.clone(), 0), why)
    }
    fn not_run(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::new(Verdict::not_run(why.clone()), why)
    }
    fn at(mut self, at: Option<Instant>) -> Self {
        self.at = at;
        self
    }
}

/// The whole list of the current release.
pub(super) fn checklist(view: &View<'_>, s: &Situation, proofs: &mut Proofs) -> ChecklistView {
    if view.release.is_none() {
        return ChecklistView::default();
    }
    let items: Vec<ItemView> = view
        .policy
        .checklist
        .iter()
        .map(|item| judge(view, s, item))
        .collect();
    for item in &items {
        let mut proof = prove(view, item);
        let own = |i: &&ChecklistItem| i.id == item.id && i.check == Check::Approved;
        if view.policy.checklist.iter().any(|i| own(&i)) {
            proof.lines.extend(approved_by(view, s));
        }
        proofs.insert(format!("item/{}", item.id), proof);
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
        done: u32::try_from(items.iter().filter(|i| done(i)).count()).unwrap_or(0),
        next,
        items,
    }
}

fn judge(view: &View<'_>, s: &Situation, item: &ChecklistItem) -> ItemView {
    let kept = view.state.and_then(|state| {
        state
            .kept
            .iter()
            .rev()
            .find(|(section, _)| *section == item.section)
            .and_then(|(_, evidence)| evidence.get(&item.id))
    });
    let waived = view.state.and_then(|state| state.waivers.get(&item.id));
    let automatic = item.check != Check::Manual;
    let proof = match &item.check {
        Check::Manual => manual(view, item),
        _ => automatic_proof(view, s, item),
    };
    let mut out = ItemView {
        id: item.id.clone(),
        section: item.section,
        title: item.title.clone(),
        automatic,
        mark: mark(&proof.verdict, automatic),
        verdict: proof.verdict,
        note: proof.note,
        at: proof.at,
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
    } else if let Some((who, reason, _)) = waived.filter(|_| out.verdict != Verdict::Pass) {
        out.mark = Mark::new("waived", Tone::Hold);
        out.note = format!("({who}): {reason}; debt");
    }
    out
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

fn manual(view: &View<'_>, item: &ChecklistItem) -> Proof {
    let Some((who, at, note)) = view.state.and_then(|s| s.ticks.get(&item.id)) else {
        return Proof::not_run("space ticks it");
    };
    let age = view.at() - *at;
    let shelf = i64::try_from(item.shelf_life).unwrap_or(i64::MAX);
    if age.num_seconds() > shelf {
        return Proof::undecided(format!(
            "ticked by {who} {} ago: aged out, tick it again",
            time::age_words(age)
        ));
    }
    let note = if note.is_empty() {
        format!("{who} {}", clock(*at, view.policy.timezone))
    } else {
        format!("{who} {}: {note}", clock(*at, view.policy.timezone))
    };
    Proof::new(Verdict::Pass, note).at(Some(*at))
}

fn automatic_proof(view: &View<'_>, s: &Situation, item: &ChecklistItem) -> Proof {
    match &item.check {
        Check::CiGreen { required } => each_change(view, |service, version| {
            ci(view, service, version, required)
        }),
        Check::ArtifactPresent => {
            each_change(view, |service, version| artifact(view, service, version))
        }
        Check::RollbackRehearsed => each_change(view, |service, _| {
            let line = passport::rehearsal(
                view.policy,
                view.journal,
                view.at(),
                service,
                view.environment(),
            );
            Proof::new(line.verdict, line.note)
        }),
        Check::PassportValid => passports(s),
        Check::Approved => match approvals::approval(view) {
            Ok(note) => Proof::new(Verdict::Pass, note),
            Err(refusal) => Proof::not_run(refusal.why),
        },
        Check::OncallBriefed => match view.state.and_then(|s| s.acks.first()) {
            Some((person, how, at)) => {
                Proof::new(Verdict::Pass, format!("{person} ({how})")).at(Some(*at))
            }
            None => Proof::not_run(s.oncall.note.clone()),
        },
        Check::EscalationReviewed => reviewed(view, item),
        Check::DashboardsReachable => dashboards(view),
        Check::Gates => gates(s),
        Check::WithinBaseline => within(s),
        Check::Observed => observed(view),
        Check::Command { .. } => command(view, item),
        Check::Manual => manual(view, item),
    }
}

/// The worst proof over all changes.
fn each_change(view: &View<'_>, proof: impl Fn(&str, &str) -> Proof) -> Proof {
    let rank = |v: &Verdict| match v {
        Verdict::Pass => 0,
        Verdict::NotRun { .. } => 1,
        Verdict::Undecided { .. } => 2,
        Verdict::Fail => 3,
    };
    view.release
        .into_iter()
        .flat_map(|r| r.changes.iter())
        .map(|c| proof(&c.service, &c.to))
        .max_by_key(|p| rank(&p.verdict))
        .unwrap_or_else(|| Proof::not_run("the release changes nothing"))
}

fn ci(view: &View<'_>, service: &str, version: &str, required: &[String]) -> Proof {
    if view
        .policy
        .service(service)
        .is_none_or(|s| s.builds.is_none())
    {
        return Proof::not_run(format!("set builds of service {service} in cockpit.toml"));
    }
    let (seen, freshness) = view.feed(&format!("builds/{service}/{version}"));
    let Some(Records::Build(list)) = seen.map(|o| &o.records) else {
        return Proof::undecided(format!("CI of {service} {version} was never read"));
    };
    if !freshness.usable() {
        return Proof::undecided(format!("CI of {service} is {}", freshness.word()));
    }
    let newest = |name: &str| {
        list.iter()
            .filter(|b| b.name.eq_ignore_ascii_case(name))
            .max_by_key(|b| b.started_at)
    };
    let mut names: Vec<String> = required.to_vec();
    if names.is_empty() {
        names = list.iter().map(|b| b.name.clone()).collect();
        names.sort();
        names.dedup();
    }
    if names.is_empty() {
        return Proof::not_run(format!("no CI run of {service} {version} is on record"));
    }
    if let Some(why) = seen.and_then(|o| o.partial.as_ref()) {
        return Proof::undecided(format!(
            "CI of {service} {version} is a partial answer: {why}"
        ));
    }
    for name in &names {
        match newest(name).map(|b| b.state) {
            Some(BuildState::Succeeded) => {}
            Some(BuildState::Failed | BuildState::Cancelled) => {
                return Proof::new(Verdict::Fail, format!("{name} of {version} is red"));
            }
            Some(BuildState::Queued | BuildState::Running | BuildState::Unknown) => {
                return Proof::undecided(format!("{name} of {version} has not ended"));
            }
            None => return Proof::not_run(format!("no run named {name} for {version}")),
        }
    }
    let at = list.iter().filter_map(|b| b.finished_at).max();
    Proof::new(Verdict::Pass, format!("{} green", names.join(", "))).at(at)
}

fn artifact(view: &View<'_>, service: &str, version: &str) -> Proof {
    if view
        .policy
        .service(service)
        .is_none_or(|s| s.registry.is_none())
    {
        return Proof::not_run(format!(
            "set registry and image of service {service} in cockpit.toml"
        ));
    }
    let (seen, freshness) = view.feed(&format!("artifact/{service}/{version}"));
    match (seen.map(|o| (&o.records, o.read_at)), freshness.usable()) {
        (Some((Records::Artifact(list), at)), true) => match list.first() {
            Some(a) if a.present => Proof::new(
                Verdict::Pass,
                a.digest.clone().unwrap_or_else(|| version.to_owned()),
            )
            .at(Some(at)),
            _ => Proof::new(
                Verdict::Fail,
                format!("{service} {version} is not in the registry"),
            ),
        },
        _ => Proof::undecided(format!("the registry's answer is {}", freshness.word())),
    }
}

fn passports(s: &Situation) -> Proof {
    if s.passports.is_empty() {
        return Proof::not_run("no service to roll back");
    }
    for passport in &s.passports {
        let worst = passport
            .lines
            .iter()
            .find(|l| l.verdict == Verdict::Fail)
            .or_else(|| passport.lines.iter().find(|l| l.verdict != Verdict::Pass));
        if let Some(line) = worst {
            return Proof::new(
                line.verdict.clone(),
                format!(
                    "{} of {}: {}",
                    passport.passed,
                    passport.lines.len(),
                    line.title
                ),
            );
        }
    }
    Proof::new(
        Verdict::Pass,
        s.passports
            .iter()
            .map(|p| format!("{} of {}", p.passed, p.lines.len()))
            .collect::<Vec<_>>()
            .join(", "),
    )
}

/// Reviewed by hand, for thirty days.
fn reviewed(view: &View<'_>, item: &ChecklistItem) -> Proof {
    let Some((who, at, _)) = view.state.and_then(|s| s.ticks.get(&item.id)) else {
        return Proof::not_run("space records that you reviewed it");
    };
    let age = view.at() - *at;
    if age.num_days() >= REVIEW_DAYS {
        return Proof::undecided(format!("reviewed {} ago: aged out", time::age_words(age)));
    }
    Proof::new(
        Verdict::Pass,
        format!("{who}, {} ago", time::age_words(age)),
    )
    .at(Some(*at))
}

fn dashboards(view: &View<'_>) -> Proof {
    let missing: Vec<&str> = view
        .rollouts
        .iter()
        .filter(|r| r.service.dashboards.is_empty())
        .map(|r| r.service.name.as_str())
        .collect();
    if !missing.is_empty() {
        return Proof::not_run(format!(
            "set dashboards of {} in cockpit.toml",
            missing.join(", ")
        ));
    }
    if view.rollouts.is_empty() {
        return Proof::not_run("the release changes nothing");
    }
    let worst = view
        .policy
        .metrics
        .iter()
        .map(|m| (super::metric_freshness(view, m), m))
        .max_by_key(|(f, _)| *f);
    match worst {
        Some((Freshness::Fresh | Freshness::Aging, _)) => Proof::new(
            Verdict::Pass,
            "configured, and the metrics behind them answer",
        ),
        Some((f, m)) => Proof::undecided(format!("{} is {}", m.id, f.word())),
        None => Proof::not_run("no metric is configured"),
    }
}

fn gates(s: &Situation) -> Proof {
    if s.gates.is_empty() {
        return Proof::not_run("no gate was due yet");
    }
    if let Some(bad) = s.gates.iter().find(|g| g.verdict == Verdict::Fail) {
        return Proof::new(Verdict::Fail, format!("gate {} failed", bad.gate));
    }
    match s.gates.iter().find(|g| g.verdict != Verdict::Pass) {
        Some(open) if open.accepted => {
            Proof::undecided(format!("gate {} ACCEPTED undecided", open.gate))
        }
        Some(open) => Proof::undecided(format!("gate {} {}", open.gate, open.mark.word)),
        None => Proof::new(Verdict::Pass, "every gate that was due passed"),
    }
}

fn within(s: &Situation) -> Proof {
    if let Some(t) = s.triggers.iter().find(|t| t.tripped) {
        return Proof::new(Verdict::Fail, format!("trigger {} tripped", t.trigger));
    }
    if let Some((t, why)) = s
        .triggers
        .iter()
        .find_map(|t| t.undecided.as_ref().map(|why| (t, why)))
    {
        return Proof::undecided(format!("trigger {} undecided: {why}", t.trigger));
    }
    if let Some(t) = s.triggers.iter().find(|t| t.mark.tone != Tone::Pass) {
        return Proof::not_run(format!("trigger {} is {}", t.trigger, t.mark.word));
    }
    let Some(watch) = &s.watch else {
        return Proof::not_run("begins after the last step");
    };
    let taken: Vec<_> = watch
        .checkpoints
        .iter()
        .filter(|c| c.mark.word != "ahead" && c.mark.word != "due")
        .collect();
    match taken.iter().find(|c| c.mark.tone != Tone::Pass) {
        Some(c) if c.mark.tone == Tone::Fail => Proof::new(Verdict::Fail, "a checkpoint failed"),
        Some(_) => Proof::undecided("a checkpoint is undecided"),
        None if taken.is_empty() => Proof::not_run("no checkpoint was due yet"),
        None => Proof::new(Verdict::Pass, format!("{} checkpoints passed", taken.len())),
    }
}

/// The driver's process is alive: this one, or one whose lease has not lapsed.
fn observed(view: &View<'_>) -> Proof {
    let Some(release) = view.release else {
        return Proof::not_run("no release");
    };
    let session = &view.observed.session;
    if session.drives.contains(&release.id) {
        return Proof::new(Verdict::Pass, "this cockpit watches");
    }
    match session.leases.get(&release.id) {
        Some(holder) => Proof::new(Verdict::Pass, format!("{holder} watches")),
        None => Proof::undecided("nobody watches: no cockpit holds the driver's lease"),
    }
}

fn command(view: &View<'_>, item: &ChecklistItem) -> Proof {
    let (seen, freshness) = view.feed(&format!("item/{}", item.id));
    let fault = view
        .observed
        .feeds
        .get(&format!("item/{}", item.id))
        .and_then(|f| f.fault.as_ref());
    match seen.map(|o| (&o.records, o.read_at)) {
        Some((Records::Check(list), at)) if freshness.usable() => match list.first() {
            Some(run) if run.exit == Some(0) => {
                Proof::new(Verdict::Pass, first_line(&run.output)).at(Some(at))
            }
            Some(run) => Proof::new(
                Verdict::Fail,
                format!(
                    "exit {}: {}",
                    run.exit
                        .map_or_else(|| "none".to_owned(), |e| e.to_string()),
                    first_line(&run.output)
                ),
            ),
            None => Proof::undecided("the command said nothing"),
        },
        _ => Proof::undecided(fault.map_or_else(
            || format!("its command's outcome is {}", freshness.word()),
            ToString::to_string,
        )),
    }
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect()
}

fn prove(view: &View<'_>, item: &ItemView) -> Evidence {
    let mut lines = vec![
        ("item".to_owned(), item.title.clone()),
        ("section".to_owned(), item.section.word().to_lowercase()),
        ("state".to_owned(), item.mark.word.clone()),
        ("proof".to_owned(), item.note.clone()),
        (
            "proven".to_owned(),
            if item.automatic {
                "by a rule"
            } else {
                "by hand"
            }
            .to_owned(),
        ),
    ];
    if let Some(at) = item.at {
        lines.push(("age".to_owned(), time::age_words(view.at() - at)));
    }
    Evidence {
        title: item.title.clone(),
        lines,
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
