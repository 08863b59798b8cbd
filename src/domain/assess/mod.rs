//! The one place where verdicts, permissions and refusals are made: policy, journal, observations and time in,
//! the [`Situation`] out. Pure; called again after every fact.

mod advice;
mod agenda;
pub(crate) mod approvals;
pub mod backtest;
mod calendar;
mod chart;
mod checklist;
mod conflicts;
mod cover;
mod data;
mod deadlines;
mod deploys;
mod feeds;
mod gates;
pub(crate) mod holds;
mod line;
mod lines;
mod metrics;
mod need;
mod oncall;
mod order;
pub(crate) mod overrides;
mod owed;
mod passport;
mod permits;
mod plan;
pub(crate) mod poll;
mod proofs;
mod risk;
mod rollout;
mod sources;
mod span;
mod start_at;
mod stranded;
mod suspects;
mod triggers;
mod unknown;
mod watch;
mod week;

use std::collections::BTreeMap;

use super::journal::{Journal, ReleaseState};
use super::needs::{self, open_releases};
use super::observe::{Freshness, Need, Observation, Observed};
use super::planning;
use super::policy::{Policy, Release, Service};
use super::situation::{Clearance, Evidence, FORMAT, Phase, ReleaseView, RiskView, Situation};
use super::time::{Instant, Now};

use data::{Data, Heard};
use rollout::Rollout;

/// Everything the rules look at, with the current release picked out.
pub(crate) struct View<'a> {
    pub policy: &'a Policy,
    /// What the file says, without what was sealed, attached or moved.
    pub file: &'a Policy,
    pub journal: &'a Journal,
    pub observed: &'a Observed,
    pub now: Now,
    pub release: Option<&'a Release>,
    pub state: Option<&'a ReleaseState>,
    pub rollouts: Vec<Rollout<'a>>,
    /// Service → the buckets of every metric, for the services of the current release.
    pub data: BTreeMap<&'a str, Vec<Data<'a>>>,
    /// The vendors' live records by what names them.
    pub records: Option<rollout::Named<'a>>,
    /// Every need of now.
    pub needs: Vec<Need>,
    /// Risk of the current release.
    pub risk: Option<RiskView>,
    /// Judged only for what is owed to this release: what concerns all releases is left out.
    pub aside: bool,
}

impl<'a> View<'a> {
    /// Without a current release: for questions about any time and service.
    pub fn bare(
        policy: &'a Policy,
        journal: &'a Journal,
        observed: &'a Observed,
        now: Now,
    ) -> Self {
        Self {
            policy,
            file: policy,
            journal,
            observed,
            now,
            release: None,
            state: None,
            rollouts: Vec::new(),
            data: BTreeMap::new(),
            records: None,
            needs: Vec::new(),
            risk: None,
            aside: true,
        }
    }
    /// World time.
    pub fn at(&self) -> Instant {
        self.now.world
    }
    /// The last answer to a need and its freshness.
    pub fn feed(&self, need: &str) -> (Option<&'a Observation>, Freshness) {
        self.observed.of(need, self.now)
    }
    /// Environment of the current release, or the last (most protected) one.
    pub fn environment(&self) -> &'a str {
        self.release.map_or_else(
            || {
                self.policy
                    .environments
                    .last()
                    .map_or("", |e| e.name.as_str())
            },
            |r| r.environment.as_str(),
        )
    }
    /// Is that environment protected?
    pub fn protected(&self) -> bool {
        self.policy
            .environment(self.environment())
            .is_some_and(|e| e.protected)
    }
    /// The services of the current release, dependencies first.
    pub fn services(&self) -> Vec<&'a Service> {
        let Some(release) = self.release else {
            return Vec::new();
        };
        let mut order = super::rollback::dependency_order(self.policy);
        order.retain(|name| release.changes.iter().any(|c| &c.service == name));
        order
            .iter()
            .filter_map(|name| self.policy.service(name))
            .collect()
    }
    /// The buckets of a metric of a service of the current release.
    pub fn data(&self, service: &str, metric: &str) -> Option<&Data<'a>> {
        self.data
            .get(service)?
            .iter()
            .find(|d| d.metric.id == metric)
    }
    /// The rollout of one service of the current release.
    pub fn rollout(&self, service: &str) -> Option<&Rollout<'a>> {
        self.rollouts.iter().find(|r| r.service.name == service)
    }
}

/// Who the program is in the journal.
pub(crate) const PROGRAM: &str = "cockpit";

/// Evidence gathered while judging.
pub(crate) type Proofs = BTreeMap<String, Evidence>;

pub use agenda::agenda;
pub(crate) use calendar::crossed_by;
pub(crate) use lines::POLICY;
pub(crate) use owed::{
    approval_messages as act_approval_messages, brief_text as act_brief_text,
    ended_by_hand as end_plan, glass_messages as act_glass_messages, messages as act_messages,
    steer as act_steer,
};
pub(crate) use permits::{
    STOOD, attachable, further_candidates, held_by, in_line, is_review, next_service, steered,
    stood,
};
pub use span::calendar_span;
pub use start_at::{ReasonKind, StartAnswer, StartQuestion, StartReason, StartState, Starts};
pub(crate) use unknown::DEBT as UNKNOWN;

/// Judges everything.
pub fn assess(policy: &Policy, journal: &Journal, observed: &Observed, now: Now) -> Situation {
    let file = policy;
    let policy = &*planning::effective(file, journal);
    let (view, mut s) = judge(file, policy, journal, observed, now, None);
    others(&view, &mut s);
    unrestored(&view, &mut s);
    s
}

/// Auto-sync that a closed release left off is put back as well, as soon as its source no longer asks for the bad version.
fn unrestored(view: &View<'_>, s: &mut Situation) {
    for id in needs::unrestored(view.journal) {
        if view.release.is_some_and(|r| r.id == id) {
            continue;
        }
        let (_, other) = judge(
            view.file,
            view.policy,
            view.journal,
            view.observed,
            view.now,
            Some(id),
        );
        s.owed.extend(other.owed);
    }
}

/// What is owed to releases that are not the current one: what a person looks at must not stop another release's
/// rollback, gates, checkpoints or escalation.
fn others(view: &View<'_>, s: &mut Situation) {
    for release in open_releases(view.policy, view.journal) {
        let here = view.release.is_some_and(|r| r.id == release.id);
        let active = view
            .journal
            .release(&release.id)
            .is_some_and(|x| !x.tracks.is_empty() || !x.briefs.is_empty() || !x.plans.is_empty());
        if here || !active {
            continue;
        }
        let focus = Some(release.id.as_str());
        let (_, other) = judge(
            view.file,
            view.policy,
            view.journal,
            view.observed,
            view.now,
            focus,
        );
        s.counting.extend(other.counting);
        let tripped = view.journal.release(&release.id).map(tripped);
        for text in tripped.unwrap_or_default().into_iter().rev() {
            s.troubles.insert(0, format!("{}: {text}", release.title));
        }
        if let Some(countdown) = &other.band.countdown {
            // It must be in sight, whatever a person looks at (law 3).
            s.troubles.insert(
                0,
                format!(
                    "{}: {} at {} UTC; look at that release to stop it",
                    release.title,
                    countdown.what,
                    countdown.ends_real.format("%H:%M:%S")
                ),
            );
        }
        for duty in other.owed {
            if !s.owed.iter().any(|d| d.key == duty.key) {
                s.owed.push(duty);
            }
        }
    }
}

/// Judges everything and hands view and situation on, for an order that is decided on the same ground.
pub(crate) fn with_view<T>(
    policy: &Policy,
    journal: &Journal,
    observed: &Observed,
    now: Now,
    then: impl FnOnce(&View<'_>, &Situation) -> T,
) -> T {
    let file = policy;
    let policy = &*planning::effective(file, journal);
    let (view, s) = judge(file, policy, journal, observed, now, None);
    then(&view, &s)
}

/// `focus` makes that release the current one, whatever the person looks at.
fn judge<'a>(
    file: &'a Policy,
    policy: &'a Policy,
    journal: &'a Journal,
    observed: &'a Observed,
    now: Now,
    focus: Option<&str>,
) -> (View<'a>, Situation) {
    let mut view = View {
        policy,
        file,
        journal,
        observed,
        now,
        release: None,
        state: None,
        rollouts: Vec::new(),
        data: BTreeMap::new(),
        records: None,
        needs: needs::needs(policy, journal, now),
        risk: None,
        aside: focus.is_some(),
    };
    let releases = pick(&mut view, focus.or(observed.session.focus.0.as_deref()));
    view.records = Some(rollout::Named::of(&view));
    view.rollouts = rollout::all(&view);
    let heard: Vec<Heard> = policy.metrics.iter().map(|m| Heard::of(&view, m)).collect();
    view.data = view
        .rollouts
        .iter()
        .map(|r| {
            let name = r.service.name.as_str();
            let each = policy.metrics.iter().zip(&heard);
            let each = each.map(|(m, heard)| Data::of(&view, m, heard, name));
            (name, each.collect())
        })
        .collect();
    let mut proofs = Proofs::new();
    let calendar = calendar::calendar(&view, &mut proofs);
    view.risk = risk::judge(&view, &calendar.conflicts);
    risk::prove(&view, &mut proofs);
    let triggers = triggers::all(&view, &mut proofs);
    let mut s = Situation {
        format: FORMAT,
        now,
        title: policy.title.clone(),
        timezone: policy.timezone,
        band: Default::default(),
        next: Default::default(),
        current: view.release.map(|r| r.id.clone()),
        releases: releases.iter().map(|r| release_view(&view, r)).collect(),
        clearance: Clearance {
            risk: view.risk.clone(),
            approval: approvals::shown(&view),
            overrides: overrides::views(&view),
            stranded: stranded::stranded(&view),
        },
        calendar,
        deployments: deploys::rows(&view, &mut proofs),
        line: line::view(&view),
        checklist: Default::default(),
        metrics: metrics::all(&view, &heard, &triggers, &mut proofs),
        gates: gates::all(&view, &mut proofs),
        step_verdict: Situation::not_judged(),
        triggers,
        passports: passport::all(&view, &mut proofs),
        plan: plan::plan(&view),
        oncall: oncall::oncall(&view, &mut proofs),
        watch: watch::watch(&view, &mut proofs),
        journal: lines::lines(journal),
        head: journal.head.clone(),
        debts: lines::debts(&view),
        handoff: lines::handoff(&view),
        feeds: feeds::feeds(&view, &mut proofs),
        permits: BTreeMap::new(),
        evidence: BTreeMap::new(),
        troubles: feeds::troubles(&view),
        owed: Vec::new(),
        counting: Vec::new(),
    };
    stranded::tell(&mut s, &mut proofs);
    let shown = |r: &&ReleaseView| r.contract.is_some() || s.current.as_ref() == Some(&r.plan.id);
    for release in s.releases.iter().filter(shown) {
        let key = format!("release/{}", release.plan.id);
        proofs.insert(key, prove_release(&view, release));
    }
    s.checklist = checklist::checklist(&view, &s, &mut proofs);
    suspects::fill(&view, &mut s, &mut proofs);
    s.band.countdown = advice::countdown(&view, &s);
    s.permits = permits::all(&view, &s);
    advice::advise(&view, &mut s);
    s.counting = advice::counting(&view, &s);
    s.owed = owed::owed(&view, &s);
    s.evidence = proofs;
    (view, s)
}

/// Orders the releases and picks the current one: the one in focus, else one in flight, else the next planned, else
/// the one that ended last.
fn pick<'a>(view: &mut View<'a>, focus: Option<&str>) -> Vec<&'a Release> {
    let policy = view.policy;
    let journal = view.journal;
    let mut all = planning::releases(policy, journal);
    let rank = |r: &Release| {
        let focus = focus == Some(r.id.as_str());
        let phase = phase_of(view, r);
        let order = match phase {
            _ if focus => 0,
            Phase::Deploying | Phase::Verifying => 1,
            Phase::Watching => 2,
            Phase::Ready | Phase::Planned => 3,
            Phase::Closed => 4,
            Phase::Reviewed => 5,
        };
        (order, r.planned, r.id.clone())
    };
    all.sort_by_cached_key(|r| rank(r));
    view.release = all.first().copied();
    view.state = view.release.and_then(|r| journal.release(&r.id));
    all
}

/// A release's phase: what was journaled of it and nothing else.
pub(crate) fn phase_of(view: &View<'_>, release: &Release) -> Phase {
    let Some(state) = view.journal.release(&release.id) else {
        return Phase::Planned;
    };
    if state.closing.is_some() {
        return match state.reviewed {
            Some(_) => Phase::Reviewed,
            None => Phase::Closed,
        };
    }
    let started = !state.tracks.is_empty();
    if started {
        // A rollout that failed or was cancelled never settles by itself: a person goes on, rolls back or closes.
        let settled = state.rolled_back().is_some()
            || release.changes.iter().all(|c| {
                state
                    .tracks
                    .get(&c.service)
                    .is_some_and(|t| t.finished.is_some() && t.version == c.to)
            });
        if !settled || state.running_plan().is_some() {
            return Phase::Deploying;
        }
        if state.rolled_back().is_some() {
            return Phase::Watching;
        }
        let last = state.tracks.values().filter_map(|t| t.finished).max();
        let looking = i64::try_from(view.policy.limits.gate_max).unwrap_or(600);
        let verified = last.is_some_and(|t| (view.at() - t).num_seconds() >= looking);
        return if verified {
            Phase::Watching
        } else {
            Phase::Verifying
        };
    }
    if state.contract.is_some() {
        Phase::Ready
    } else {
        Phase::Planned
    }
}

fn release_view(view: &View<'_>, release: &Release) -> ReleaseView {
    let state = view.journal.release(&release.id);
    let commits = release
        .changes
        .iter()
        .map(|c| {
            let (seen, _) = view.feed(&format!("commits/{}/{}", release.id, c.service));
            let lines = match seen.map(|o| &o.records) {
                Some(super::record::Records::Commit(list)) => list
                    .iter()
                    .map(|c| {
                        let short: String = c.id.chars().take(8).collect();
                        match &c.author {
                            Some(author) => format!("{short} {} ({author})", c.title),
                            None => format!("{short} {}", c.title),
                        }
                    })
                    .collect(),
                _ => Vec::new(),
            };
            (c.service.clone(), lines)
        })
        .collect();
    ReleaseView {
        plan: release.clone(),
        phase: phase_of(view, release),
        reviewed: state.and_then(|s| s.reviewed.as_ref()).map(|r| {
            let at = r.at.format("%Y-%m-%d %H:%M");
            format!("by {} ({}) at {at} UTC: {}", r.by, r.how, r.found)
        }),
        closing: state.and_then(|s| s.closing.as_ref()).map(|c| c.0),
        driver: driver(release, state),
        contract: state
            .and_then(|s| s.contract.as_ref())
            .map(|(digest, _, _)| digest.clone()),
        contract_diff: contract_diff(view, release, state),
        started: state.and_then(|s| s.tracks.values().map(|t| t.started).min()),
        finished: state.and_then(|s| s.tracks.values().filter_map(|t| t.finished).max()),
        commits,
        approvals: state
            .map(|s| {
                s.approvals
                    .iter()
                    .filter(|a| a.expires > view.at())
                    .map(|a| {
                        format!(
                            "{} as {} ({}), until {} UTC",
                            a.by,
                            a.role,
                            a.how,
                            a.expires.format("%H:%M")
                        )
                    })
                    .collect()
            })
            .unwrap_or_default(),
        tripped: state
            .filter(|s| s.closing.is_none())
            .map(tripped)
            .unwrap_or_default(),
    }
}

/// Trips that are not clear again, as journaled: the words stay the same while the numbers move.
fn tripped(state: &ReleaseState) -> Vec<String> {
    let open = state
        .trips
        .iter()
        .filter(|(_, trip)| trip.cleared.is_none());
    open.map(|((service, trigger), trip)| {
        format!("{service}: trigger {trigger} tripped: {}", trip.said)
    })
    .collect()
}

/// What the file says now that was not sealed, and with whom it came.
fn contract_diff(view: &View<'_>, release: &Release, state: Option<&ReleaseState>) -> Vec<String> {
    let Some((_, sealed, _)) = state.and_then(|s| s.contract.as_ref()) else {
        return Vec::new();
    };
    let mut lines = super::contract::diff(sealed, &super::contract::of(view.file, release));
    if lines.is_empty() {
        return lines;
    }
    if let Some((who, known_by, at)) = &view.journal.policy_by {
        let at = at.format("%Y-%m-%d %H:%M");
        // Whoever ran the program when the file was read need not have written it.
        let author = if WRITTEN_BY.contains(&known_by.as_str()) {
            format!("the file was written by {who} ({known_by}), read at {at} UTC")
        } else {
            format!("its author is not known; {who} ({known_by}) loaded the file at {at} UTC")
        };
        lines.push(format!("{author}; what was sealed counts"));
    }
    lines
}

/// How the author of a file may be known, as the journal says it.
pub const WRITTEN_BY: [&str; 2] = ["git", "owner of the file"];

/// What stands behind a release: its contract as sealed, and what differs from the file.
fn prove_release(view: &View<'_>, release: &ReleaseView) -> Evidence {
    let mut lines = vec![
        ("release".to_owned(), release.plan.title.clone()),
        ("phase".to_owned(), release.phase.word().to_owned()),
    ];
    let state = view.journal.release(&release.plan.id);
    let mut put = |key: &str, value: String| lines.push((key.to_owned(), value));
    put("environment", release.plan.environment.clone());
    if let Some(driver) = &release.driver {
        put("driver", driver.clone());
    }
    for change in &release.plan.changes {
        let from = change.from.as_deref().unwrap_or("what serves");
        put(
            "change",
            format!("{} {from} → {}", change.service, change.to),
        );
    }
    for approval in &release.approvals {
        put("approval", approval.clone());
    }
    if let Some(reviewed) = &release.reviewed {
        put("reviewed", reviewed.clone());
    }
    match state.and_then(|s| s.contract.as_ref()) {
        Some((digest, contract, at)) => {
            let short: String = digest.chars().take(12).collect();
            put(
                "contract",
                format!("{short}, sealed {} UTC", at.format("%Y-%m-%d %H:%M")),
            );
            lines.extend(super::contract::lines(contract));
        }
        None => put("contract", "not sealed".to_owned()),
    }
    lines.extend(
        release
            .contract_diff
            .iter()
            .map(|line| ("differs".to_owned(), line.clone())),
    );
    Evidence {
        title: release.plan.title.clone(),
        lines,
        ..Evidence::default()
    }
}

fn driver(release: &Release, state: Option<&ReleaseState>) -> Option<String> {
    state
        .and_then(|s| s.driver.clone())
        .or_else(|| release.driver.clone())
}

/// What a clock time is called here: local, the zone is said once in the band.
pub(crate) fn clock(at: Instant, tz: chrono_tz::Tz) -> String {
    at.with_timezone(&tz).format("%H:%M").to_string()
}

/// Local time with its day where it is another day, and UTC beside it.
pub(crate) fn clock_full(at: Instant, now: Instant, tz: chrono_tz::Tz) -> String {
    let local = at.with_timezone(&tz);
    let same_day = local.date_naive() == now.with_timezone(&tz).date_naive();
    let shape = if same_day { "%H:%M" } else { "%a %-d %b %H:%M" };
    format!("{} ({} UTC)", local.format(shape), at.format("%H:%M"))
}

/// Is any feed of a metric part configured for that connection at all?
pub(crate) fn metric_freshness(view: &View<'_>, metric: &super::policy::Metric) -> Freshness {
    metric
        .parts()
        .iter()
        .map(|(part, _)| {
            let id = needs::metric_need(&metric.id, *part, needs::BUCKET);
            view.feed(&id).1
        })
        .max()
        .unwrap_or(Freshness::Never)
}
