//! How each kind of checklist item is proven (SEMANTICS 4). A proof has two clocks: when it was read, and how old the fact is.

use crate::domain::observe::{Freshness, Observation};
use crate::domain::policy::{Check, ChecklistItem};
use crate::domain::record::{BuildState, CheckRun, Records};
use crate::domain::situation::{Situation, Tone};
use crate::domain::time::{self, Instant};
use crate::domain::verdict::Verdict;

use super::{View, approvals, clock, passport, sources};

/// What an item rests on.
pub(super) struct Proof {
    pub verdict: Verdict,
    /// In words: who, what, or what is missing.
    pub note: String,
    /// When the fact came true; how long it counts is the item's shelf life.
    pub at: Option<Instant>,
    /// When it was read, and how many seconds a reading counts.
    pub read: Option<(Instant, u64)>,
    /// Which connection said so.
    pub source: Option<String>,
    /// More lines for the evidence view.
    pub more: Vec<(String, String)>,
}

impl Proof {
    pub fn new(verdict: Verdict, note: impl Into<String>) -> Self {
        Self {
            verdict,
            note: note.into(),
            at: None,
            read: None,
            source: None,
            more: Vec::new(),
        }
    }
    pub fn undecided(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::new(Verdict::undecided(why.clone(), 0), why)
    }
    pub fn not_run(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::new(Verdict::not_run(why.clone()), why)
    }
    pub fn at(mut self, at: Option<Instant>) -> Self {
        self.at = at;
        self
    }
    /// Read then, from there; a reading counts for two cadences.
    pub fn read(mut self, seen: Option<&Observation>) -> Self {
        if let Some(seen) = seen {
            self.read = Some((seen.read_at, seen.cadence.saturating_mul(2)));
            self.source = Some(seen.source.clone());
        }
        self
    }
    /// A fact that is older than its shelf life proves nothing any more.
    pub fn aged(mut self, now: Instant, item: &ChecklistItem) -> Self {
        let shelf = i64::try_from(item.shelf_life).unwrap_or(i64::MAX);
        if let (Verdict::Pass, Some(at)) = (&self.verdict, self.at)
            && (now - at).num_seconds() > shelf
        {
            let why = format!("{}: aged out, {} old", self.note, time::age_words(now - at));
            self.verdict = Verdict::undecided(why.clone(), 0);
            self.note = why;
        }
        self
    }
}

/// Ticked by a person, and not too long ago.
pub(super) fn manual(view: &View<'_>, item: &ChecklistItem) -> Proof {
    let Some((who, at, note)) = view.state.and_then(|s| s.ticks.get(&item.id)) else {
        return unticked(view, item).unwrap_or_else(|| Proof::not_run("space ticks it"));
    };
    let age = view.at() - *at;
    let shelf = i64::try_from(item.shelf_life).unwrap_or(i64::MAX);
    if age.num_seconds() > shelf {
        return Proof::undecided(format!(
            "ticked by {who} {} ago: aged out, tick it again",
            time::age_words(age)
        ))
        .at(Some(*at));
    }
    let note = if note.is_empty() {
        format!("{who} {}", clock(*at, view.policy.timezone))
    } else {
        format!("{who} {}: {note}", clock(*at, view.policy.timezone))
    };
    Proof::new(Verdict::Pass, note).at(Some(*at))
}

/// What took the tick away by itself, so that nobody wonders where it went.
fn unticked(view: &View<'_>, item: &ChecklistItem) -> Option<Proof> {
    let (who, at, why) = view.state?.unticked.get(&item.id)?;
    (who == super::PROGRAM).then(|| {
        Proof::undecided(format!(
            "unticked itself at {}: {why}",
            clock(*at, view.policy.timezone)
        ))
    })
}

/// By the item's rule.
pub(super) fn automatic(view: &View<'_>, s: &Situation, item: &ChecklistItem) -> Proof {
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
        Check::Gates => gates(view, s),
        Check::WithinBaseline => within(view, s),
        Check::Observed => observed(view),
        Check::Parity { environment } => each_change(view, |service, version| {
            sources::parity(view, service, version, environment.as_deref())
        }),
        Check::SecurityScan { connection, up_to } => each_change(view, |service, version| {
            sources::scan(view, item, connection.as_deref(), *up_to, service, version)
        }),
        Check::SmokeTest {
            connection,
            required,
            environment,
        } => each_change(view, |service, version| {
            sources::smoke(
                view,
                item,
                connection.as_deref(),
                required,
                environment.as_deref(),
                (service, version),
            )
        }),
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
        // Of equals the oldest fact, so that one that ages out is not hidden behind a younger one.
        .max_by_key(|p| (rank(&p.verdict), p.at.map(std::cmp::Reverse)))
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
        return Proof::undecided(format!("CI of {service} is {}", freshness.word())).read(seen);
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
    // The oldest of the runs that prove it: the others are younger.
    let at = names
        .iter()
        .filter_map(|name| newest(name).and_then(|b| b.finished_at))
        .min();
    Proof::new(Verdict::Pass, format!("{} green", names.join(", ")))
        .at(at)
        .read(seen)
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
            .at(Some(at))
            .read(seen),
            _ => Proof::new(
                Verdict::Fail,
                format!("{service} {version} is not in the registry"),
            )
            .read(seen),
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

/// Reviewed by hand, for as long as the item says (thirty days).
fn reviewed(view: &View<'_>, item: &ChecklistItem) -> Proof {
    let Some((who, at, _)) = view.state.and_then(|s| s.ticks.get(&item.id)) else {
        return unticked(view, item)
            .unwrap_or_else(|| Proof::not_run("space records that you reviewed it"));
    };
    let age = view.at() - *at;
    if age.num_seconds() > i64::try_from(item.shelf_life).unwrap_or(i64::MAX) {
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

fn gates(view: &View<'_>, s: &Situation) -> Proof {
    if s.gates.is_empty() {
        let sealed = |r: &super::rollout::Rollout<'_>| super::gates::sealed(view, r.service);
        if let Some(bare) = view.rollouts.iter().find(|r| sealed(r).is_empty()) {
            return Proof::not_run(format!(
                "add [[service.gate]] to service {} in cockpit.toml",
                bare.service.name
            ));
        }
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

fn within(view: &View<'_>, s: &Situation) -> Proof {
    let open =
        |r: &&super::rollout::Rollout<'_>| super::triggers::sealed(view, r.service).is_empty();
    if let Some(bare) = view.rollouts.iter().find(open) {
        return Proof::not_run(format!(
            "add [[service.trigger]] to service {} in cockpit.toml",
            bare.service.name
        ));
    }
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
        Some((Records::Check(list), at)) if freshness.usable() => {
            ended(list.first()).at(Some(at)).read(seen)
        }
        _ => Proof::undecided(fault.map_or_else(
            || format!("its command's outcome is {}", freshness.word()),
            ToString::to_string,
        )),
    }
}

/// A program's end: 0 passes, everything else fails; one that never ended proves nothing.
pub(super) fn ended(run: Option<&CheckRun>) -> Proof {
    let Some(run) = run else {
        return Proof::undecided("the command said nothing");
    };
    let mut proof = match run.exit {
        Some(0) => Proof::new(Verdict::Pass, first_line(&run.output)),
        Some(code) => Proof::new(
            Verdict::Fail,
            format!("exit {code}: {}", first_line(&run.output)),
        ),
        None => Proof::new(
            Verdict::Fail,
            format!("exit none: {}", first_line(&run.output)),
        ),
    };
    let lines = run.output.lines().take(40);
    proof.more = lines
        .map(|line| ("printed".to_owned(), line.chars().take(200).collect()))
        .collect();
    proof
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect()
}
