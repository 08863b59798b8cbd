//! The journal folded: `fold` of the events is a release's state; there is no other.

mod sentence;

use std::collections::{BTreeMap, VecDeque};

use super::act::{Act, Outcome};
use super::event::{
    Body, Closing, Contract, Debt, Event, HandoffItem, Measured, Plan, PlanStep, StepKind,
    StepState,
};
use super::policy::{Change, ChangeKind, Release, Reversible, RiskClass, Section, Then};
use super::record::DeployState;
use super::time::Instant;
use super::verdict::Verdict;

pub use sentence::sentence;

/// How many of the latest events are kept for the screen.
const KEPT_LINES: usize = 1000;
/// How many deployment lengths are kept a service, for its P90.
const KEPT_LENGTHS: usize = 50;
/// Within so many hours a broken glass is reviewed (SEMANTICS 2).
const REVIEW_HOURS: i64 = 24;

/// An act and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ActState {
    /// The act.
    pub act: Act,
    /// When it was intended.
    pub at: Instant,
    /// Who intended it.
    pub actor: String,
    /// What came of it; `None`: unknown, to be reconciled.
    pub outcome: Option<(Outcome, Instant)>,
}

/// The line is stopped there.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// Since when.
    pub at: Instant,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Service → the act that asked it to pause.
    pub acts: BTreeMap<String, String>,
    /// Service → why it cannot be paused from here.
    pub cannot: BTreeMap<String, String>,
}

/// A version that earned healthy.
#[derive(Clone, Debug, PartialEq)]
pub struct Healthy {
    /// Version.
    pub version: String,
    /// When it had earned it.
    pub at: Instant,
    /// The revision of the source that it was deployed from, where the vendor says it.
    pub revision: Option<String>,
}

/// What was last journaled of a service's deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Version.
    pub version: String,
    /// State.
    pub state: DeployState,
    /// Steps finished.
    pub step: Option<u32>,
    /// Steps in all.
    pub steps: Option<u32>,
    /// Share of traffic in percent.
    pub weight: Option<f64>,
    /// When this version's rollout began.
    pub started: Instant,
    /// When it was first seen to serve; a rollout that failed, was cancelled or cannot be read never has.
    pub finished: Option<Instant>,
    /// (when, steps finished, weight): every step of this version, oldest first.
    pub reached: Vec<(Instant, u32, Option<f64>)>,
    /// When the state last changed.
    pub changed: Instant,
    /// How many events told of it.
    pub seen: u64,
    /// When the last of them was written: what was read before says nothing new.
    pub told: Instant,
}

impl Track {
    /// It ended without serving to this day: failed, cancelled, or another version took its place.
    pub fn withdrawn(&self) -> bool {
        matches!(
            self.state,
            DeployState::Failed | DeployState::Cancelled | DeployState::Superseded
        )
    }

    /// Does what is seen now begin anew: another version, or the same one again after its traffic was taken away? What was
    /// judged, accepted or tripped before says nothing of it.
    fn begins_anew(&self, version: &str, state: DeployState, weight: Option<f64>) -> bool {
        if self.version != version {
            return true;
        }
        let serves = |weight: Option<f64>| weight.is_some_and(|w| w > 0.0);
        let served = self.reached.iter().any(|(_, _, weight)| serves(*weight));
        // A health check that fails for a while takes no traffic away.
        let withdrawn = match self.state {
            DeployState::Failed => self.weight == Some(0.0),
            _ => self.withdrawn() && !serves(self.weight),
        };
        let emptied = self.weight == Some(0.0) && served && serves(weight);
        (state.in_flight() || state == DeployState::Succeeded) && (withdrawn || emptied)
    }
}

/// A rollback plan and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanState {
    /// The plan.
    pub plan: Plan,
    /// When it began.
    pub started: Instant,
    /// Step id → state, sentence, when.
    pub steps: BTreeMap<String, (StepState, String, Instant)>,
    /// Did the old version serve again; the sentence; when.
    pub ended: Option<(bool, String, Instant)>,
    /// Seconds: trip to request, request to live, request to clear.
    pub times: (Option<i64>, Option<i64>, Option<i64>),
}

impl PlanState {
    /// State of a step; not journaled yet is waiting.
    pub fn state(&self, step: &str) -> StepState {
        self.steps
            .get(step)
            .map_or(StepState::Waiting, |(state, _, _)| *state)
    }
    /// Still to be carried on.
    pub fn running(&self) -> bool {
        self.ended.is_none()
    }
}

/// A rollback that put the old version back: when, and the seconds from request to old version live.
pub type RollbackDone = (Instant, Option<i64>);

/// A message of a brief.
#[derive(Clone, Debug, PartialEq)]
pub struct Briefed {
    /// Level.
    pub level: u32,
    /// Person.
    pub person: String,
    /// Channel.
    pub channel: String,
    /// Act that carries it.
    pub act: String,
    /// When.
    pub at: Instant,
}

/// A trip of a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// When.
    pub at: Instant,
    /// The numbers.
    pub said: String,
    /// When it was clear again.
    pub cleared: Option<Instant>,
    /// Somebody stopped its countdown.
    pub cancelled: bool,
}

/// A hold that a tripped trigger asked for: it stands whatever the vendor can do, until a person lets it go.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerHold {
    /// The trigger.
    pub trigger: String,
    /// The numbers of its trip.
    pub said: String,
    /// When it tripped.
    pub at: Instant,
}

/// A handoff and which lines were taken.
#[derive(Clone, Debug, PartialEq)]
pub struct HandoffState {
    /// Its id.
    pub id: String,
    /// Giver.
    pub from: String,
    /// Receiver.
    pub to: String,
    /// When.
    pub at: Instant,
    /// Lines, each taken or not.
    pub items: Vec<(HandoffItem, bool)>,
}

/// A release was moved to another start.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// The new start.
    pub to: Instant,
    /// The start before.
    pub from: Option<Instant>,
    /// What cockpit.toml said at the move.
    pub file: Option<Instant>,
    /// Who moved it last.
    pub by: String,
    /// When it was moved last.
    pub at: Instant,
}

/// An approval.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// Who approved.
    pub by: String,
    /// In which role.
    pub role: String,
    /// Digest of what was approved.
    pub digest: String,
    /// When it expires.
    pub expires: Instant,
    /// How the approver is known.
    pub how: String,
    /// The vendor's record that holds it.
    pub record: Option<String>,
    /// Service → content digest of its image as it was then.
    pub images: BTreeMap<String, String>,
}

/// An override in force, or one that was.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Reason as typed.
    pub reason: String,
    /// First instant at which it no longer holds.
    pub expires: Instant,
    /// When it was given.
    pub at: Instant,
    /// Who asked for it and owes it.
    pub by: String,
    /// Second person, and how that person is known.
    pub second: Option<(String, String)>,
    /// Done alone because nobody answered.
    pub break_glass: bool,
}

/// A request that waits for somebody's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Who asked.
    pub by: String,
    /// Reason or note as typed.
    pub reason: String,
    /// When.
    pub at: Instant,
    /// First instant at which it can no longer be answered.
    pub until: Instant,
}

/// A watch that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchOver {
    /// The verdict over all of it, or so far.
    pub verdict: Verdict,
    /// What took its place.
    pub superseded_by: Option<String>,
    /// One sentence.
    pub detail: String,
    /// When.
    pub at: Instant,
}

/// A review of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// Who.
    pub by: String,
    /// How that person is known.
    pub how: String,
    /// What it found.
    pub found: String,
    /// When it was recorded.
    pub at: Instant,
}

/// One release.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReleaseState {
    /// Plan journaled here, when it does not stand in cockpit.toml.
    pub plan: Option<Release>,
    /// Who journaled it, and when.
    pub planned_by: Option<(String, Instant)>,
    /// The last move.
    pub moved: Option<Moved>,
    /// Service → the deployment that was attached, and the version that was planned in its place.
    pub attached: BTreeMap<String, (Change, Option<String>)>,
    /// Driver.
    pub driver: Option<String>,
    /// Sealed contract: digest, contract, when.
    pub contract: Option<(String, Contract, Instant)>,
    /// Item → who, when, note.
    pub ticks: BTreeMap<String, (String, Instant, String)>,
    /// Item → who took its tick back last (the program, where it aged out), when, why.
    pub unticked: BTreeMap<String, (String, Instant, String)>,
    /// Item → who, reason, due.
    pub waivers: BTreeMap<String, (String, String, Instant)>,
    /// Section → evidence as it was.
    pub kept: Vec<(Section, BTreeMap<String, String>)>,
    /// Approvals, oldest first.
    pub approvals: Vec<Approval>,
    /// Who asked for approval last, the note, when, and the digest asked about.
    pub approval_asked: Option<(String, String, Instant, String)>,
    /// Rule → its latest override.
    pub overrides: BTreeMap<String, Override>,
    /// Rule → request for an override that nobody answered.
    pub asked: BTreeMap<String, Asked>,
    /// Class, sum and points as the deployment began.
    pub risk: Option<(RiskClass, u32, Vec<String>)>,
    /// Freezes that were crossed: name, what crossed it, when.
    pub crossed: Vec<(String, String, Instant)>,
    /// Subject → who, reason.
    pub accepted: BTreeMap<String, (String, String)>,
    /// Messages of the brief.
    pub briefs: Vec<Briefed>,
    /// Who acknowledged, how, when.
    pub acks: Vec<(String, String, Instant)>,
    /// Level (`None`: release manager), person, when.
    pub escalations: Vec<(Option<u32>, String, Instant)>,
    /// Service → deployment.
    pub tracks: BTreeMap<String, Track>,
    /// `gate/SERVICE/GATE/STEP` → verdict, numbers, when.
    pub gates: BTreeMap<String, (Verdict, Vec<Measured>, Instant)>,
    /// (service, trigger) → latest trip.
    pub trips: BTreeMap<(String, String), Trip>,
    /// Plans, oldest first.
    pub plans: Vec<PlanState>,
    /// Seconds after → verdict, late, when.
    pub checkpoints: BTreeMap<u64, (Verdict, bool, Instant)>,
    /// Seconds after → service → the numbers seen.
    pub measured: BTreeMap<u64, BTreeMap<String, Vec<Measured>>>,
    /// How the watch ended.
    pub watch_end: Option<WatchOver>,
    /// The review of the closed release.
    pub reviewed: Option<Review>,
    /// Handoffs, oldest first.
    pub handoffs: Vec<HandoffState>,
    /// Title and when.
    pub incidents: Vec<(String, Instant)>,
    /// How it ended, sentence, when.
    pub closing: Option<(Closing, String, Instant)>,
    /// What people noted, and when first.
    pub notes: BTreeMap<String, Instant>,
    /// Service → the hold that a trigger of the sealed contract asked for and nobody let go yet.
    pub holds: BTreeMap<String, TriggerHold>,
}

impl ReleaseState {
    /// Did somebody note that this happened? Case and spaces around it do not matter.
    pub fn noted(&self, event: &str) -> bool {
        let event = event.trim().to_lowercase();
        self.notes.keys().any(|n| n.trim().to_lowercase() == event)
    }
    /// The plan that still runs, if any.
    pub fn running_plan(&self) -> Option<&PlanState> {
        self.plans.iter().rev().find(|p| p.running())
    }
    /// The rollback that put the old version back; none where what it took away came back since.
    pub fn rolled_back(&self) -> Option<&PlanState> {
        self.last_done().filter(|plan| !self.came_back(plan))
    }
    /// Did a rollback of this release ever put the old version back?
    pub fn ever_rolled_back(&self) -> bool {
        self.last_done().is_some()
    }
    fn last_done(&self) -> Option<&PlanState> {
        self.plans
            .iter()
            .rev()
            .find(|p| p.ended.as_ref().is_some_and(|(done, _, _)| *done))
    }
    /// Was one of a plan's services seen on its new version after the plan's end?
    fn came_back(&self, plan: &PlanState) -> bool {
        let Some((_, _, ended)) = &plan.ended else {
            return false;
        };
        let acts = |s: &&PlanStep| matches!(s.kind, StepKind::Act { .. });
        plan.plan
            .steps
            .iter()
            .filter(acts)
            .filter_map(|s| self.tracks.get(&s.service))
            .any(|t| !t.withdrawn() && t.told > *ended)
    }
}

/// The folded journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    /// Sequence and hash of the last event.
    pub head: (u64, String),
    /// Why nothing more may be written: an event this program does not know.
    pub unreadable: Option<String>,
    /// Releases by id.
    pub releases: BTreeMap<String, ReleaseState>,
    /// Acts by id.
    pub acts: BTreeMap<String, ActState>,
    /// (service, environment) → versions that earned healthy, oldest first.
    pub healthy: BTreeMap<(String, String), Vec<Healthy>>,
    /// (service, environment) → deployment last journaled.
    pub tracks: BTreeMap<(String, String), Track>,
    /// (service, environment) → rollbacks done, oldest first.
    pub rollbacks: BTreeMap<(String, String), Vec<RollbackDone>>,
    /// Service → lengths of its deployments in seconds, oldest first.
    pub lengths: BTreeMap<String, Vec<i64>>,
    /// Open debts by id.
    pub debts: BTreeMap<String, Debt>,
    /// Digest of the policy last loaded.
    pub policy: Option<String>,
    /// Who loaded it, how that is known, when.
    pub policy_by: Option<(String, String, Instant)>,
    /// Environment → its line, where it is stopped.
    pub stopped: BTreeMap<String, Stopped>,
    /// What of cockpit.toml was taken by name although an open release stands on the old → digest of what was taken.
    pub taken: BTreeMap<String, String>,
    /// Latest events, oldest first.
    pub lines: VecDeque<Event>,
}

impl Journal {
    /// Folds one event in. Events must come in the order of their sequence; one that was folded already changes nothing.
    pub fn apply(&mut self, event: Event) {
        if event.seq <= self.head.0 {
            return;
        }
        self.head = (event.seq, event.hash.clone());
        self.apply_global(&event);
        if let Some(id) = event.release.clone() {
            let release = self.releases.entry(id).or_default();
            release.apply(&event);
        }
        if self.lines.len() >= KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(event);
    }

    /// The last version other than `bad` that earned healthy there and is not held after a rollback: where a rollback goes.
    pub fn target(&self, service: &str, environment: &str, bad: &str) -> Option<&Healthy> {
        self.healthy
            .get(&(service.to_owned(), environment.to_owned()))?
            .iter()
            .rev()
            .find(|h| h.version != bad && !self.held(service, environment, &h.version))
    }

    /// Is that version held there after a rollback?
    pub fn held(&self, service: &str, environment: &str, version: &str) -> bool {
        self.debts
            .contains_key(&format!("held/{service}/{environment}/{version}"))
    }

    /// The release's state, if anything was journaled of it.
    pub fn release(&self, id: &str) -> Option<&ReleaseState> {
        self.releases.get(id)
    }

    fn apply_global(&mut self, event: &Event) {
        match &event.body {
            Body::PolicyLoaded { digest, .. } => {
                self.policy = Some(digest.clone());
                self.policy_by = Some((event.actor.clone(), event.known_by.clone(), event.at));
            }
            Body::Intended { act } => {
                self.acts.entry(act.id.clone()).or_insert_with(|| ActState {
                    act: act.clone(),
                    at: event.at,
                    actor: event.actor.clone(),
                    outcome: None,
                });
            }
            Body::Concluded { act, outcome } => {
                if let Some(state) = self.acts.get_mut(act) {
                    // What is certain stays: a later "unknown", or another process's late word, does not undo it.
                    let certain = state
                        .outcome
                        .as_ref()
                        .is_some_and(|(known, _)| !matches!(known, Outcome::Unknown { .. }));
                    if !certain {
                        state.outcome = Some((outcome.clone(), event.at));
                    }
                }
            }
            Body::DebtIncurred { debt } => {
                self.debts.insert(debt.id.clone(), debt.clone());
            }
            Body::DebtSettled { debt, .. } => {
                let owed = self.debts.remove(debt);
                self.let_go(event, debt, owed.and_then(|d| d.release));
            }
            Body::DebtHanded { debt, to, due } => {
                if let Some(open) = self.debts.get_mut(debt) {
                    open.owner.clone_from(to);
                    open.due = *due;
                }
            }
            Body::Waived { item, reason, due } => {
                self.owe(
                    event,
                    &format!("waiver/{item}"),
                    &format!("waived {item}: {reason}"),
                    *due,
                );
            }
            Body::Accepted {
                subject,
                reason,
                due,
                ..
            } => {
                self.owe(
                    event,
                    &format!("accepted/{subject}"),
                    &format!("accepted undecided {subject}: {reason}"),
                    *due,
                );
            }
            Body::Overridden { .. } => self.overridden(event),
            Body::EarnedHealthy {
                service,
                environment,
                version,
                revision,
            } => {
                self.healthy
                    .entry((service.clone(), environment.clone()))
                    .or_default()
                    .push(Healthy {
                        version: version.clone(),
                        at: event.at,
                        revision: revision.clone(),
                    });
            }
            Body::DeploymentSeen { .. } => self.track(event),
            Body::PlanEnded {
                plan,
                done: true,
                to_live,
                ..
            } => self.rolled_back(event, plan, *to_live),
            Body::LineStopped {
                environment,
                reason,
                acts,
                cannot,
            } => {
                self.stopped.insert(
                    environment.clone(),
                    Stopped {
                        at: event.at,
                        by: event.actor.clone(),
                        reason: reason.clone(),
                        acts: acts.clone(),
                        cannot: cannot.clone(),
                    },
                );
            }
            Body::LineLetGo { environment, .. } => {
                self.stopped.remove(environment);
            }
            Body::ChangeTaken { name, digest, .. } => {
                self.taken.insert(name.clone(), digest.clone());
            }
            _ => {}
        }
    }

    /// A settled hold is no longer one, also where another release is looked at.
    fn let_go(&mut self, event: &Event, debt: &str, owner: Option<String>) {
        let Some(service) = debt.strip_prefix("hold/").and_then(|d| d.split('/').next()) else {
            return;
        };
        for release in owner.iter().chain(&event.release) {
            if let Some(state) = self.releases.get_mut(release) {
                state.holds.remove(service);
            }
        }
    }

    /// The override is a debt of the one who asked; a broken glass another one, which its review settles.
    fn overridden(&mut self, event: &Event) {
        let Body::Overridden {
            rule,
            reason,
            expires,
            asked_by,
            break_glass,
            ..
        } = &event.body
        else {
            return;
        };
        let owner = asked_by.as_ref().unwrap_or(&event.actor);
        let what = format!("overrode {rule}: {reason}");
        self.owe_as(owner, event, &format!("override/{rule}"), &what, *expires);
        if *break_glass {
            let what = format!("REVIEW: {owner} broke the glass on {rule}: {reason}");
            let due = event.at + chrono::Duration::hours(REVIEW_HOURS);
            self.owe_as(owner, event, &format!("break-glass/{rule}"), &what, due);
        }
    }

    fn owe(&mut self, event: &Event, id: &str, what: &str, due: Instant) {
        self.owe_as(&event.actor, event, id, what, due);
    }

    fn owe_as(&mut self, owner: &str, event: &Event, id: &str, what: &str, due: Instant) {
        let id = match &event.release {
            Some(release) => format!("{release}/{id}"),
            None => id.to_owned(),
        };
        self.debts.insert(
            id.clone(),
            Debt {
                id,
                what: what.to_owned(),
                owner: owner.to_owned(),
                due,
                release: event.release.clone(),
            },
        );
    }

    fn track(&mut self, event: &Event) {
        let Body::DeploymentSeen {
            service,
            environment,
            ..
        } = &event.body
        else {
            return;
        };
        let key = (service.clone(), environment.clone());
        let before = self.tracks.get(&key).cloned();
        if let Some(track) = tracked(before.as_ref(), event) {
            let ended_now = track.finished.is_some()
                && track.state == DeployState::Succeeded
                && before
                    .as_ref()
                    .is_some_and(|b| b.version == track.version && b.finished.is_none());
            if let (true, Some(finished)) = (ended_now, track.finished) {
                let lengths = self.lengths.entry(service.clone()).or_default();
                lengths.push((finished - track.started).num_seconds());
                if lengths.len() > KEPT_LENGTHS {
                    lengths.remove(0);
                }
            }
            self.tracks.insert(key, track);
        }
    }

    fn rolled_back(&mut self, event: &Event, plan: &str, to_live: Option<i64>) {
        let Some(state) = event
            .release
            .as_ref()
            .and_then(|r| self.releases.get(r))
            .and_then(|r| r.plans.iter().find(|p| p.plan.id == plan))
        else {
            return;
        };
        if state.ended.is_some() {
            return;
        }
        // Only services that were acted upon: the plan's other steps stand under a service for their place on screen.
        let places: std::collections::BTreeSet<_> = state
            .plan
            .steps
            .iter()
            .filter(|s| matches!(s.kind, StepKind::Act { .. }))
            .map(|s| (s.service.clone(), s.environment.clone()))
            .collect();
        for place in places {
            self.rollbacks
                .entry(place)
                .or_default()
                .push((event.at, to_live));
        }
    }
}

/// The track after a `DeploymentSeen`; a new version, and a new attempt at the same, starts a new one.
fn tracked(before: Option<&Track>, event: &Event) -> Option<Track> {
    let Body::DeploymentSeen {
        version,
        state,
        step,
        steps,
        weight,
        started_at,
        ..
    } = &event.body
    else {
        return None;
    };
    let mut track = match before.filter(|b| !b.begins_anew(version, *state, *weight)) {
        Some(b) => b.clone(),
        None => Track {
            version: version.clone(),
            state: *state,
            step: None,
            steps: *steps,
            weight: None,
            started: started_at.unwrap_or(event.at),
            finished: None,
            reached: Vec::new(),
            changed: event.at,
            // Counted on: the keys of the events hang on it.
            seen: before.map_or(0, |b| b.seen),
            told: event.at,
        },
    };
    track.seen += 1;
    track.told = event.at;
    // What was taken away and comes back serves anew from now on.
    if track.withdrawn() && *state == DeployState::Succeeded {
        track.finished = None;
    }
    if track.state != *state {
        track.changed = event.at;
    }
    if (track.step, track.weight) != (*step, *weight) || track.reached.is_empty() {
        track.reached.push((event.at, step.unwrap_or(0), *weight));
    }
    track.state = *state;
    track.step = *step;
    track.steps = steps.or(track.steps);
    track.weight = *weight;
    track.finished = match state {
        DeployState::Succeeded => track.finished.or(Some(event.at)),
        in_flight if in_flight.in_flight() => None,
        // A state that cannot be read neither ends a rollout nor undoes one.
        _ => track.finished,
    };
    Some(track)
}

impl ReleaseState {
    fn apply(&mut self, event: &Event) {
        match &event.body {
            Body::ReleasePlanned { plan } => {
                self.plan = Some(plan.clone());
                self.planned_by = Some((event.actor.clone(), event.at));
                // A new plan is a new word about the start, too.
                self.moved = None;
                self.attached.clear();
            }
            Body::ReleaseMoved { to, from, file } => {
                if let Some(plan) = &mut self.plan {
                    plan.planned = Some(*to);
                }
                self.moved = Some(Moved {
                    to: *to,
                    from: *from,
                    file: *file,
                    by: event.actor.clone(),
                    at: event.at,
                });
            }
            Body::ContractSealed { digest, contract } => {
                self.contract = Some((digest.clone(), contract.clone(), event.at));
            }
            Body::DriverTook { driver } => self.driver = Some(driver.clone()),
            Body::Attached {
                service,
                version,
                from,
                planned,
                ..
            } => self.attach(service, version, from.clone(), planned.clone()),
            Body::DeploymentSeen {
                service,
                version,
                state,
                weight,
                ..
            } => {
                let before = self.tracks.get(service);
                let anew = before.is_some_and(|b| b.begins_anew(version, *state, *weight));
                if let Some(track) = tracked(before, event) {
                    self.tracks.insert(service.clone(), track);
                }
                if anew {
                    self.forget(service, event.at);
                }
            }
            Body::GateJudged {
                service,
                gate,
                step,
                verdict,
                measured,
            } => {
                self.gates.insert(
                    format!("gate/{service}/{gate}/{step}"),
                    (verdict.clone(), measured.clone(), event.at),
                );
            }
            Body::CheckpointTaken {
                after,
                late,
                verdict,
                measured,
            } => {
                self.checkpoints
                    .insert(*after, (verdict.clone(), *late, event.at));
                self.measured.insert(*after, measured.clone());
            }
            // The first counts: two cockpits that saw the end write it once.
            Body::WatchEnded {
                verdict,
                superseded_by,
                detail,
            } if self.watch_end.is_none() => {
                self.watch_end = Some(WatchOver {
                    verdict: verdict.clone(),
                    superseded_by: superseded_by.clone(),
                    detail: detail.clone(),
                    at: event.at,
                });
            }
            Body::Reviewed { by, how, found, .. } => {
                self.reviewed = Some(Review {
                    by: by.clone(),
                    how: how.clone(),
                    found: found.clone(),
                    at: event.at,
                });
            }
            Body::IncidentDeclared { title, .. } => {
                self.incidents.push((title.clone(), event.at));
            }
            Body::ReleaseClosed { closing, detail } => {
                self.closing = Some((*closing, detail.clone(), event.at));
            }
            Body::Noted { text } => {
                self.notes.entry(text.clone()).or_insert(event.at);
            }
            _ => {
                self.apply_list(event);
                self.apply_people(event);
                self.apply_plan(event);
            }
        }
    }

    /// Another version or attempt of a service began: its gates, their acceptances and its trips were about the one before, and
    /// so were the release's checkpoints.
    fn forget(&mut self, service: &str, at: Instant) {
        let gates = format!("gate/{service}/");
        self.gates.retain(|id, _| !id.starts_with(&gates));
        self.accepted.retain(|id, _| !id.starts_with(&gates));
        self.checkpoints.clear();
        for ((of, _), trip) in &mut self.trips {
            if of == service {
                trip.cleared.get_or_insert(at);
            }
        }
    }

    /// The attached version takes the place of what was planned for that service.
    fn attach(
        &mut self,
        service: &str,
        version: &str,
        from: Option<String>,
        planned: Option<String>,
    ) {
        let change = Change {
            service: service.to_owned(),
            from,
            to: version.to_owned(),
            kind: ChangeKind::Version,
            reversible: Reversible::default(),
        };
        let own = self.plan.iter_mut().flat_map(|p| p.changes.iter_mut());
        for own in own.filter(|c| c.service == service) {
            own.clone_from(&change);
        }
        self.attached.insert(service.to_owned(), (change, planned));
    }

    /// Checklist, approvals, overrides, acceptances.
    fn apply_list(&mut self, event: &Event) {
        let who = event.actor.clone();
        match &event.body {
            Body::Ticked { item, note } => {
                self.unticked.remove(item);
                self.ticks
                    .insert(item.clone(), (who, event.at, note.clone()));
            }
            Body::Unticked { item, why } => {
                self.ticks.remove(item);
                self.unticked
                    .insert(item.clone(), (who, event.at, why.clone()));
            }
            Body::Waived { item, reason, due } => {
                self.waivers
                    .insert(item.clone(), (who, reason.clone(), *due));
            }
            Body::SectionKept { section, evidence } => {
                self.kept.push((*section, evidence.clone()));
            }
            Body::Approved { .. } | Body::ApprovalAsked { .. } | Body::RiskJudged { .. } => {
                self.apply_approval(event);
            }
            Body::Overridden { .. } | Body::OverrideAsked { .. } | Body::FreezeCrossed { .. } => {
                self.apply_override(event);
            }
            Body::OverrideDropped { rule, .. } => {
                self.asked.remove(rule);
            }
            Body::Accepted {
                subject, reason, ..
            } => {
                self.accepted.insert(subject.clone(), (who, reason.clone()));
            }
            _ => {}
        }
    }

    fn apply_approval(&mut self, event: &Event) {
        match &event.body {
            Body::Approved {
                by,
                role,
                digest,
                expires,
                how,
                record,
                images,
            } => self.approvals.push(Approval {
                by: by.clone(),
                role: role.clone(),
                digest: digest.clone(),
                expires: *expires,
                how: if how.is_empty() {
                    event.known_by.clone()
                } else {
                    how.clone()
                },
                record: record.clone(),
                images: images.clone(),
            }),
            Body::ApprovalAsked { digest, note, .. } => {
                self.approval_asked =
                    Some((event.actor.clone(), note.clone(), event.at, digest.clone()));
            }
            // The first counts: two cockpits that see the same start write it once.
            Body::RiskJudged {
                class,
                total,
                points,
            } if self.risk.is_none() => self.risk = Some((*class, *total, points.clone())),
            _ => {}
        }
    }

    fn apply_override(&mut self, event: &Event) {
        match &event.body {
            Body::Overridden {
                rule,
                reason,
                expires,
                second,
                second_known_by,
                asked_by,
                break_glass,
            } => {
                self.asked.remove(rule);
                let known = second_known_by.clone().unwrap_or_else(|| "by word".into());
                self.overrides.insert(
                    rule.clone(),
                    Override {
                        reason: reason.clone(),
                        expires: *expires,
                        at: event.at,
                        by: asked_by.clone().unwrap_or_else(|| event.actor.clone()),
                        second: second.clone().map(|name| (name, known)),
                        break_glass: *break_glass,
                    },
                );
            }
            Body::OverrideAsked {
                rule,
                reason,
                until,
                ..
            } => {
                self.asked.insert(
                    rule.clone(),
                    Asked {
                        by: event.actor.clone(),
                        reason: reason.clone(),
                        at: event.at,
                        until: *until,
                    },
                );
            }
            Body::FreezeCrossed { freeze, by } => {
                self.crossed.push((freeze.clone(), by.clone(), event.at));
            }
            _ => {}
        }
    }

    /// Brief, acknowledgement, escalation, handoff.
    fn apply_people(&mut self, event: &Event) {
        match &event.body {
            Body::Briefed {
                level,
                person,
                channel,
                act,
            } => self.briefs.push(Briefed {
                level: *level,
                person: person.clone(),
                channel: channel.clone(),
                act: act.clone(),
                at: event.at,
            }),
            Body::Acknowledged { person, how } => {
                self.acks.push((person.clone(), how.clone(), event.at));
            }
            Body::Escalated { level, person } => {
                self.escalations.push((*level, person.clone(), event.at));
            }
            Body::HandoffGiven { id, to, items, .. } => self.handoffs.push(HandoffState {
                id: id.clone(),
                from: event.actor.clone(),
                to: to.clone(),
                at: event.at,
                items: items.iter().map(|i| (i.clone(), false)).collect(),
            }),
            Body::HandoffTaken { id, item } => {
                let taken = self
                    .handoffs
                    .iter_mut()
                    .filter(|h| &h.id == id)
                    .flat_map(|h| h.items.iter_mut())
                    .filter(|(i, _)| &i.id == item);
                for (_, flag) in taken {
                    *flag = true;
                }
            }
            _ => {}
        }
    }

    /// Was it agreed in the sealed contract that this trigger holds?
    pub fn holds_on(&self, service: &str, trigger: &str) -> bool {
        let sealed = self.contract.as_ref().map(|(_, c, _)| &c.triggers);
        sealed
            .and_then(|t| t.get(service))
            .is_some_and(|list| list.iter().any(|t| t.id == trigger && t.then == Then::Hold))
    }

    /// Triggers and rollback plans.
    fn apply_plan(&mut self, event: &Event) {
        match &event.body {
            Body::TriggerTripped {
                service,
                trigger,
                said,
            } => {
                self.trips.insert(
                    (service.clone(), trigger.clone()),
                    Trip {
                        at: event.at,
                        said: said.clone(),
                        cleared: None,
                        cancelled: false,
                    },
                );
                if self.holds_on(service, trigger) {
                    let hold = TriggerHold {
                        trigger: trigger.clone(),
                        said: said.clone(),
                        at: event.at,
                    };
                    self.holds.entry(service.clone()).or_insert(hold);
                }
            }
            Body::TriggerCleared { service, trigger } => {
                if let Some(trip) = self.trips.get_mut(&(service.clone(), trigger.clone())) {
                    trip.cleared = Some(event.at);
                }
            }
            Body::CountdownCancelled { service, trigger } => {
                if let Some(trip) = self.trips.get_mut(&(service.clone(), trigger.clone())) {
                    trip.cancelled = true;
                }
            }
            // The same plan from two processes, or merged twice, is one plan.
            Body::PlanStarted { plan } if self.plans.iter().any(|p| p.plan.id == plan.id) => {}
            Body::PlanStarted { plan } => self.plans.push(PlanState {
                plan: plan.clone(),
                started: event.at,
                steps: BTreeMap::new(),
                ended: None,
                times: (None, None, None),
            }),
            Body::PlanStepped {
                plan,
                step,
                state,
                detail,
            } => {
                if let Some(p) = self.plans.iter_mut().find(|p| &p.plan.id == plan) {
                    p.steps
                        .insert(step.clone(), (*state, detail.clone(), event.at));
                }
            }
            Body::PlanEnded {
                plan,
                done,
                detail,
                trip_to_request,
                to_live,
                to_clear,
            } => {
                if let Some(p) = self
                    .plans
                    .iter_mut()
                    .find(|p| &p.plan.id == plan && p.ended.is_none())
                {
                    p.ended = Some((*done, detail.clone(), event.at));
                    if *done {
                        let gone = |s: &&PlanStep| matches!(s.kind, StepKind::Act { .. });
                        for step in p.plan.steps.iter().filter(gone) {
                            self.holds.remove(&step.service);
                        }
                    }
                    p.times = (*trip_to_request, *to_live, *to_clear);
                }
            }
            _ => {}
        }
    }
}
