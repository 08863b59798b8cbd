//! Journal events. Append-only: a kind is never removed or renamed, fields are only added with a default.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::{Act, Outcome};
use super::ground::Ground;
use super::policy::{Gate, Metric, Release, RiskClass, Section, Trigger};
use super::record::DeployState;
use super::time::Instant;
use super::verdict::Verdict;

/// Body version written today.
pub const VERSION: u32 = 1;

/// One event as the store keeps it, decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When, world time.
    pub at: Instant,
    /// Who.
    pub actor: String,
    /// How the actor is known: `os user`, `by word`, `vendor`, `program`.
    pub known_by: String,
    /// On which machine.
    pub host: String,
    /// Release it belongs to.
    pub release: Option<String>,
    /// What happened.
    pub body: Body,
    /// Own hash, hex.
    pub hash: String,
}

/// The sealed gates and triggers of one release, and what their words mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Contract {
    /// Service → its gates.
    pub gates: BTreeMap<String, Vec<Gate>>,
    /// Service → its triggers.
    pub triggers: BTreeMap<String, Vec<Trigger>>,
    /// Service → its objectives by metric. Contracts sealed earlier have none: then the file's count.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub slo: BTreeMap<String, BTreeMap<String, f64>>,
    /// How each metric is measured. Contracts sealed earlier have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// What it stands on beside that; no part of its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
}

/// What a rollback does, in order (SEMANTICS 8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Unique: `rollback/RELEASE/N`.
    pub id: String,
    /// Release.
    pub release: String,
    /// Why, as typed or derived.
    pub reason: String,
    /// When the trigger tripped that called for it.
    pub tripped_at: Option<Instant>,
    /// In the order of execution.
    pub steps: Vec<PlanStep>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// Unique within the plan, such as `checkout/rollback`.
    pub id: String,
    /// Service.
    pub service: String,
    /// Environment.
    pub environment: String,
    /// What it is.
    pub kind: StepKind,
    /// The sentence shown.
    pub title: String,
}

/// What a plan's step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum StepKind {
    /// Switch off what would fight it.
    Hold {
        /// The act.
        act: Act,
    },
    /// Go back.
    Act {
        /// The act.
        act: Act,
        /// From this version.
        from: String,
        /// To this version.
        to: String,
    },
    /// Wait until the old version serves.
    AwaitVersion {
        /// Which.
        version: String,
    },
    /// Wait until the triggers are clear.
    AwaitClear,
    /// Put back what was held, when the source no longer names the bad version; until then a debt.
    Restore {
        /// The act.
        act: Act,
        /// The version that must no longer be asked for.
        bad: String,
    },
}

/// State of a plan's step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    #[default]
    Waiting,
    /// Sent, or being waited for.
    Asked,
    /// Done.
    Confirmed,
    /// Certainly not done.
    Refused,
    /// May or may not have been done.
    Unknown,
    /// Left to a debt.
    Deferred,
}

impl StepState {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Asked => "asked",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Deferred => "deferred",
        }
    }
}

/// How a release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// The watch passed.
    Shipped,
    /// The watch ended undecided.
    ShippedUnproven,
    /// Rolled back.
    RolledBack,
    /// A later release took its place.
    Superseded,
    /// Given up before it was deployed.
    Abandoned,
}

impl Closing {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::ShippedUnproven => "shipped, unproven",
            Self::RolledBack => "rolled back",
            Self::Superseded => "superseded",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One line of a handoff, acknowledged by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandoffItem {
    /// Stable within the handoff, such as `release/checkout-2026.47` or `debt/auto-sync/checkout`.
    pub id: String,
    /// The sentence.
    pub text: String,
}

/// The numbers of one verdict, as seen when it was journaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Metric id.
    pub metric: String,
    /// Verdict.
    pub verdict: Verdict,
    /// The numbers in words: counts, estimate, interval, tolerance.
    pub said: String,
}

/// A debt: temporary, owned, due (law 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Debt {
    /// Stable id, such as `hold/checkout/production`.
    pub id: String,
    /// What is owed, in words.
    pub what: String,
    /// Who owes it.
    pub owner: String,
    /// When it is due.
    pub due: Instant,
    /// Release it belongs to.
    pub release: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// A policy came into force.
    PolicyLoaded {
        /// Its digest.
        digest: String,
        /// What differs from the one before, a line each.
        changes: Vec<String>,
    },
    /// A release was planned here (or taken over from cockpit.toml or a calendar).
    ReleasePlanned {
        /// The plan.
        plan: Release,
    },
    /// A planned release was moved to another start.
    ReleaseMoved {
        /// The new start.
        to: Instant,
        /// The start before.
        from: Option<Instant>,
        /// What cockpit.toml said then; `None` where it said nothing. When it says something else later, that is the newer word.
        #[serde(default)]
        file: Option<Instant>,
    },
    /// Gates and triggers were sealed.
    ContractSealed {
        /// Digest of the contract.
        digest: String,
        /// The contract.
        contract: Contract,
    },
    /// Somebody took the wheel.
    DriverTook {
        /// Who.
        driver: String,
    },
    /// A checklist item was ticked by hand.
    Ticked {
        /// Item id.
        item: String,
        /// Note.
        note: String,
    },
    /// A tick was taken back.
    Unticked {
        /// Item id.
        item: String,
        /// Why.
        why: String,
    },
    /// An automatic item was waived.
    Waived {
        /// Item id.
        item: String,
        /// Reason as typed.
        reason: String,
        /// When the debt is due.
        due: Instant,
    },
    /// A section's phase ended; its evidence as it was.
    SectionKept {
        /// Which.
        section: Section,
        /// Item id → words.
        evidence: BTreeMap<String, String>,
    },
    /// An approval was given.
    Approved {
        /// Who approved (the actor may have written it down for them).
        by: String,
        /// In which role.
        role: String,
        /// Digest of what was approved.
        digest: String,
        /// When it expires.
        expires: Instant,
        /// How the approver is known: `os user`, `by word, taken by ana`, `change record CHG0030192 at snow`.
        #[serde(default)]
        how: String,
        /// The vendor's record that holds it, where one does.
        #[serde(default)]
        record: Option<String>,
        /// Service → content digest of its image, where the registry told it then.
        #[serde(default)]
        images: BTreeMap<String, String>,
    },
    /// Approval was asked for.
    ApprovalAsked {
        /// Roles that may approve.
        of: Vec<String>,
        /// How many are needed.
        count: u32,
        /// Digest of what is to be approved.
        digest: String,
        /// What was said to them.
        note: String,
    },
    /// Risk class and points of a release as its deployment began; they count from then on.
    RiskJudged {
        /// The class.
        class: RiskClass,
        /// Sum of the points.
        total: u32,
        /// Each point in words.
        points: Vec<String>,
    },
    /// Somebody asked to override a rule; a second person has to confirm it.
    OverrideAsked {
        /// Rule name, such as `freeze/quarter end`.
        rule: String,
        /// Reason as typed.
        reason: String,
        /// Until when it may be confirmed.
        until: Instant,
        /// Who may, as it was then; empty: anybody but the asker.
        may: Vec<String>,
    },
    /// A request for an override was declined, or withdrawn by the one who asked.
    OverrideDropped {
        /// Rule name.
        rule: String,
        /// Who dropped it.
        by: String,
        /// Why, as typed.
        why: String,
    },
    /// A freeze was crossed by an act that it lets pass.
    FreezeCrossed {
        /// The freeze.
        freeze: String,
        /// What crossed it, such as a plan's id.
        by: String,
    },
    /// A rule was overridden.
    Overridden {
        /// Rule name, such as `freeze/quarter end`.
        rule: String,
        /// Reason as typed.
        reason: String,
        /// When it ends.
        expires: Instant,
        /// Second person, for a hard freeze.
        second: Option<String>,
        /// How the second person is known: `os user`, `by word, taken by ana`.
        #[serde(default)]
        second_known_by: Option<String>,
        /// Who asked, where another person confirmed it; else the actor.
        #[serde(default)]
        asked_by: Option<String>,
        /// No second person answered: done alone, told to the rule's owner, to be reviewed.
        #[serde(default)]
        break_glass: bool,
    },
    /// An Undecided was accepted by a person.
    Accepted {
        /// Gate or trigger, such as `gate/checkout/40%`.
        subject: String,
        /// Reason as typed.
        reason: String,
        /// Sample size shown then.
        n: u64,
        /// Smallest regression that would have shown.
        smallest_visible: Option<f64>,
        /// When the debt is due.
        due: Instant,
    },
    /// An act is about to be sent.
    Intended {
        /// The act, complete.
        act: Act,
    },
    /// What came of an act.
    Concluded {
        /// Its id.
        act: String,
        /// What came of it.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// A brief goes out to a level over a channel.
    Briefed {
        /// Escalation level, from 1.
        level: u32,
        /// Person told.
        person: String,
        /// Channel, such as `slack #releases`.
        channel: String,
        /// Id of the act that carries it.
        act: String,
    },
    /// A person acknowledged the brief.
    Acknowledged {
        /// Who.
        person: String,
        /// How: `reaction`, `cockpit ack`, `by word`, `self`.
        how: String,
    },
    /// Nobody answered in time: the next level, or the release manager, is told.
    Escalated {
        /// Level that is told now; `None`: the release manager.
        level: Option<u32>,
        /// Who.
        person: String,
    },
    /// A vendor's deployment changed state, step or version.
    DeploymentSeen {
        /// Service.
        service: String,
        /// Environment.
        environment: String,
        /// Version.
        version: String,
        /// State.
        state: DeployState,
        /// Steps finished.
        step: Option<u32>,
        /// Steps in all.
        steps: Option<u32>,
        /// Share of traffic in percent.
        weight: Option<f64>,
        /// When the vendor says it began.
        started_at: Option<Instant>,
    },
    /// A service's version earned healthy: it served for an hour without a failing verdict.
    EarnedHealthy {
        /// Service.
        service: String,
        /// Environment.
        environment: String,
        /// Version.
        version: String,
        /// The revision of the source that it was deployed from, where the vendor says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
    },
    /// A gate reached a verdict.
    GateJudged {
        /// Service.
        service: String,
        /// Gate id.
        gate: String,
        /// Step it stands after.
        step: u32,
        /// Verdict.
        verdict: Verdict,
        /// The numbers.
        measured: Vec<Measured>,
    },
    /// A trigger tripped.
    TriggerTripped {
        /// Service.
        service: String,
        /// Trigger id.
        trigger: String,
        /// The numbers in words.
        said: String,
    },
    /// A tripped trigger is clear again.
    TriggerCleared {
        /// Service.
        service: String,
        /// Trigger id.
        trigger: String,
    },
    /// Somebody stopped an armed countdown.
    CountdownCancelled {
        /// Service.
        service: String,
        /// Trigger id.
        trigger: String,
    },
    /// A rollback plan begins.
    PlanStarted {
        /// The plan.
        plan: Plan,
    },
    /// A plan's step changed state.
    PlanStepped {
        /// Plan id.
        plan: String,
        /// Step id.
        step: String,
        /// State.
        state: StepState,
        /// One sentence.
        detail: String,
    },
    /// A plan ended.
    PlanEnded {
        /// Plan id.
        plan: String,
        /// Did the old version serve again?
        done: bool,
        /// One sentence.
        detail: String,
        /// Seconds from trip to request, where a trigger called for it.
        trip_to_request: Option<i64>,
        /// Seconds from request to old version live.
        to_live: Option<i64>,
        /// Seconds from request to metrics clear.
        to_clear: Option<i64>,
    },
    /// Something temporary was done: a debt.
    DebtIncurred {
        /// The debt.
        debt: Debt,
    },
    /// A debt was settled.
    DebtSettled {
        /// Its id.
        debt: String,
        /// How.
        how: String,
    },
    /// A debt was handed to another owner.
    DebtHanded {
        /// Its id.
        debt: String,
        /// New owner.
        to: String,
        /// New due time.
        due: Instant,
    },
    /// A checkpoint of the watch was taken.
    CheckpointTaken {
        /// Which: seconds after the last step.
        after: u64,
        /// Computed later than due.
        late: bool,
        /// Service → numbers.
        measured: BTreeMap<String, Vec<Measured>>,
        /// Verdict over all.
        verdict: Verdict,
    },
    /// A release's watch ended, by its time or because another deployment took its place.
    WatchEnded {
        /// The verdict over all of it; of one that was superseded, the verdict so far.
        verdict: Verdict,
        /// What took its place: `checkout 2.15.0 at 2026-11-17 18:00 UTC`.
        #[serde(default)]
        superseded_by: Option<String>,
        /// One sentence.
        detail: String,
    },
    /// The review of a closed release was recorded.
    Reviewed {
        /// Who reviewed.
        by: String,
        /// How that person is known: `os user`, `by word, taken by ana`.
        #[serde(default)]
        how: String,
        /// What the review found, as typed.
        found: String,
        /// Digest of the review document that was read, where it was written by this program.
        #[serde(default)]
        document: Option<String>,
    },
    /// An incident was declared.
    IncidentDeclared {
        /// Title.
        title: String,
        /// Act that opened it at a vendor, where one did.
        act: Option<String>,
    },
    /// A handoff was written.
    HandoffGiven {
        /// Its id.
        id: String,
        /// To whom.
        to: String,
        /// Start of the span it covers.
        since: Instant,
        /// Its lines.
        items: Vec<HandoffItem>,
        /// Journal head named in it.
        head: String,
    },
    /// The receiver took one line of it.
    HandoffTaken {
        /// Handoff id.
        id: String,
        /// Item id.
        item: String,
    },
    /// A release ended.
    ReleaseClosed {
        /// How.
        closing: Closing,
        /// One sentence.
        detail: String,
    },
    /// A remark.
    Noted {
        /// Text.
        text: String,
    },
    /// The line was stopped: what was in flight is asked to pause, and nothing starts until it is let go.
    LineStopped {
        /// Environment.
        environment: String,
        /// Why, as typed.
        reason: String,
        /// Service → the act that asks it to pause.
        acts: BTreeMap<String, String>,
        /// Service → why it cannot be paused from here.
        cannot: BTreeMap<String, String>,
    },
    /// The line was let go.
    LineLetGo {
        /// Environment.
        environment: String,
        /// Why, as typed.
        how: String,
    },
    /// A deployment that nobody planned became part of a release.
    Attached {
        /// Service.
        service: String,
        /// Environment.
        environment: String,
        /// Its version.
        version: String,
        /// The version before it, where that is known.
        from: Option<String>,
        /// The version that the release had planned in its place.
        #[serde(default)]
        planned: Option<String>,
    },
    /// Something that an open release stands on was changed in cockpit.toml, and a person took the change by its name.
    ChangeTaken {
        /// What: `freeze/NAME`, `connection/NAME`, `service/NAME`, `release/ID`.
        name: String,
        /// Digest of what the file said then.
        digest: String,
        /// Why, as typed.
        reason: String,
    },
}

impl Body {
    /// The kind's stable name, as the store keeps it beside the bytes.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PolicyLoaded { .. } => "policy_loaded",
            Self::ReleasePlanned { .. } => "release_planned",
            Self::ReleaseMoved { .. } => "release_moved",
            Self::ContractSealed { .. } => "contract_sealed",
            Self::DriverTook { .. } => "driver_took",
            Self::Ticked { .. } => "ticked",
            Self::Unticked { .. } => "unticked",
            Self::Waived { .. } => "waived",
            Self::SectionKept { .. } => "section_kept",
            Self::Approved { .. } => "approved",
            Self::ApprovalAsked { .. } => "approval_asked",
            Self::RiskJudged { .. } => "risk_judged",
            Self::OverrideAsked { .. } => "override_asked",
            Self::OverrideDropped { .. } => "override_dropped",
            Self::FreezeCrossed { .. } => "freeze_crossed",
            Self::Overridden { .. } => "overridden",
            Self::Accepted { .. } => "accepted",
            Self::Intended { .. } => "intended",
            Self::Concluded { .. } => "concluded",
            Self::Briefed { .. } => "briefed",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Escalated { .. } => "escalated",
            Self::DeploymentSeen { .. } => "deployment_seen",
            Self::EarnedHealthy { .. } => "earned_healthy",
            Self::GateJudged { .. } => "gate_judged",
            Self::TriggerTripped { .. } => "trigger_tripped",
            Self::TriggerCleared { .. } => "trigger_cleared",
            Self::CountdownCancelled { .. } => "countdown_cancelled",
            Self::PlanStarted { .. } => "plan_started",
            Self::PlanStepped { .. } => "plan_stepped",
            Self::PlanEnded { .. } => "plan_ended",
            Self::DebtIncurred { .. } => "debt_incurred",
            Self::DebtSettled { .. } => "debt_settled",
            Self::DebtHanded { .. } => "debt_handed",
            Self::CheckpointTaken { .. } => "checkpoint_taken",
            Self::WatchEnded { .. } => "watch_ended",
            Self::Reviewed { .. } => "reviewed",
            Self::IncidentDeclared { .. } => "incident_declared",
            Self::HandoffGiven { .. } => "handoff_given",
            Self::HandoffTaken { .. } => "handoff_taken",
            Self::ReleaseClosed { .. } => "release_closed",
            Self::Noted { .. } => "noted",
            Self::LineStopped { .. } => "line_stopped",
            Self::LineLetGo { .. } => "line_let_go",
            Self::Attached { .. } => "attached",
            Self::ChangeTaken { .. } => "change_taken",
        }
    }
}
