//! The situation: everything any face of the cockpit shows, already judged. Faces render it and decide nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::{Act, Danger};
pub use super::conflict::{Conflict, ConflictKind, DeadlineKind, DeadlineView, Party, PartyKind};
use super::event::{Body, Closing, Debt, HandoffItem, Plan, StepState};
use super::observe::{Fault, Freshness};
use super::policy::{Release, RiskClass, Section, Then, Unit};
use super::record::DeployState;
use super::time::{Instant, Now, Span};
use super::verdict::Verdict;

/// Version of the JSON face.
pub const FORMAT: u32 = 1;

/// What a word means to the eye. Never shown without its word (law 8).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Says nothing about good or bad.
    #[default]
    Plain,
    /// Earned green.
    Pass,
    /// Bad.
    Fail,
    /// Needs a person, or waits.
    Hold,
    /// Not known.
    Unknown,
}

/// A word with its meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// The word shown on every face.
    pub word: String,
    /// Its meaning.
    pub tone: Tone,
}

impl Mark {
    /// A word with its meaning.
    pub fn new(word: impl Into<String>, tone: Tone) -> Self {
        Self {
            word: word.into(),
            tone,
        }
    }
}

impl From<&Verdict> for Mark {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::new("pass", Tone::Pass),
            Verdict::Fail => Self::new("fail", Tone::Fail),
            Verdict::Undecided { .. } => Self::new("undecided", Tone::Unknown),
            Verdict::NotRun { .. } => Self::new("not run", Tone::Unknown),
        }
    }
}

/// What stands behind a verdict: label and value, a line each, with its query, source and age.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Evidence {
    /// Heading.
    pub title: String,
    /// Label and value.
    pub lines: Vec<(String, String)>,
    /// The exact query.
    pub query: Option<String>,
    /// A page a person can open.
    pub link: Option<String>,
    /// Which connection it came from.
    pub source: Option<String>,
    /// When that was read.
    pub read_at: Option<Instant>,
    /// How fresh it is.
    pub freshness: Option<Freshness>,
}

/// Phases of a release.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Planned; the contract is not sealed.
    #[default]
    Planned,
    /// The contract is sealed.
    Ready,
    /// A rollout is under way.
    Deploying,
    /// All steps are done; the last gate looks.
    Verifying,
    /// T+0 … T+72 h.
    Watching,
    /// Ended.
    Closed,
    /// Ended, and its review is recorded.
    Reviewed,
}

impl Phase {
    /// Ended, reviewed or not.
    #[must_use]
    pub fn over(self) -> bool {
        matches!(self, Self::Closed | Self::Reviewed)
    }

    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Ready => "ready",
            Self::Deploying => "deploying",
            Self::Verifying => "verifying",
            Self::Watching => "watching",
            Self::Closed => "closed",
            Self::Reviewed => "reviewed",
        }
    }
}

/// The band's one word (SEMANTICS 12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Nothing can be told, or nothing can be journaled.
    Blind,
    /// A rollback plan runs.
    RollingBack,
    /// A trigger tripped or a critical gate failed.
    RollBack,
    /// The same, past the point of no return.
    RollForward,
    /// The start is refused.
    NoGo,
    /// The start is permitted.
    Go,
    /// Wait.
    Hold,
    /// Go on.
    Proceed,
    /// The watch runs.
    Watching,
    /// The release ended.
    Closed,
    /// No release is planned.
    #[default]
    Idle,
}

impl Advice {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blind => "BLIND",
            Self::RollingBack => "ROLLING BACK",
            Self::RollBack => "ROLL BACK",
            Self::RollForward => "ROLL FORWARD",
            Self::NoGo => "NO-GO",
            Self::Go => "GO",
            Self::Hold => "HOLD",
            Self::Proceed => "PROCEED",
            Self::Watching => "WATCHING",
            Self::Closed => "CLOSED",
            Self::Idle => "NO RELEASE",
        }
    }
    /// Its meaning to the eye.
    pub fn tone(self) -> Tone {
        match self {
            Self::RollBack | Self::RollForward | Self::NoGo => Tone::Fail,
            Self::Blind => Tone::Unknown,
            Self::RollingBack | Self::Hold => Tone::Hold,
            Self::Go | Self::Proceed => Tone::Pass,
            Self::Watching | Self::Closed | Self::Idle => Tone::Plain,
        }
    }
}

/// One reason for the advice, with the way to its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The sentence.
    pub text: String,
    /// Key into [`Situation::evidence`].
    pub evidence: Option<String>,
}

/// The permanent band.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Band {
    /// Environment of the current release, as a word.
    pub environment: String,
    /// Is it protected?
    pub protected: bool,
    /// DEMO, SOLO, READ-ONLY, UNTRUSTED, where true.
    pub flags: Vec<String>,
    /// Current release's title.
    pub release: Option<String>,
    /// Its phase.
    pub phase: Option<Phase>,
    /// The one word.
    pub advice: Advice,
    /// First reasons.
    pub reasons: Vec<Reason>,
    /// Who drives.
    pub driver: Option<String>,
    /// Where an automatic trigger is armed: `auto off`, `auto armed by ana@host 4711`, `not armed: nobody watching`.
    pub armed: String,
    /// A cancellable countdown: what it will do and when, in real time.
    pub countdown: Option<Countdown>,
    /// Who holds the current release's driver's lease, as this process stands to it: `drives: this process holds the lease`,
    /// `observes: lou@tower 7 holds the lease`. Empty without an open release.
    #[serde(default)]
    pub lease: String,
}

/// A countdown in sight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Countdown {
    /// What happens at its end.
    pub what: String,
    /// When, in real time.
    pub ends_real: Instant,
}

/// The NEXT line: key, verb, why, expected time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextStep {
    /// Action id, whose key the screen shows; empty when there is nothing to press.
    pub action: String,
    /// What to do.
    pub verb: String,
    /// Why.
    pub why: String,
    /// Expected seconds.
    pub expected: Option<u64>,
}

/// One stretch of the calendar strip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StripSegment {
    /// From, until.
    pub span: Span,
    /// open, closed, FREEZE, unknown.
    pub mark: Mark,
    /// Rules that hold.
    pub rules: Vec<String>,
}

/// The calendar pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarView {
    /// State at `now` for the current release's scope.
    pub state: Mark,
    /// Why, a sentence per rule.
    pub reasons: Vec<String>,
    /// Next change: when, and what it changes to.
    pub next: Option<(Instant, String)>,
    /// Eight days from the start of today, local.
    pub strip: Vec<StripSegment>,
    /// Releases with their planned or actual time.
    pub releases: Vec<CalendarRelease>,
    /// Calendars that could not be read.
    pub unread: Vec<String>,
    /// Last release that shipped.
    pub last_shipped: Option<String>,
    /// Plans that are in each other's way, in the order of their times.
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
    /// Why further conflicts cannot be told yet: a calendar that is unread, a schedule that ends; a sentence each.
    #[serde(default)]
    pub unsure: Vec<String>,
    /// Deadlines of the open releases, earliest first.
    #[serde(default)]
    pub deadlines: Vec<DeadlineView>,
    /// The open releases in the order in which they can go live: what a release builds on stands before it.
    #[serde(default)]
    pub order: Vec<String>,
}

/// A release on the calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarRelease {
    /// Release id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Environment.
    pub environment: String,
    /// When.
    pub at: Option<Instant>,
    /// Phase as a word.
    pub mark: Mark,
    /// Who planned or moved it, where that was not done in cockpit.toml: `moved by ana 16:40 (file says 10:00)`.
    #[serde(default)]
    pub note: String,
}

/// One row of the deploys pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeployRow {
    /// Stable id: service/environment.
    pub id: String,
    /// Service.
    pub service: String,
    /// Environment.
    pub environment: String,
    /// Old version, where known.
    pub from: Option<String>,
    /// Version being rolled out or serving.
    pub version: String,
    /// State.
    pub state: DeployState,
    /// State as shown (unknown when stale).
    pub mark: Mark,
    /// Steps finished and in all.
    pub step: Option<(u32, u32)>,
    /// Share of traffic in percent.
    pub weight: Option<f64>,
    /// Words for the strategy: canary, rolling, blue-green.
    pub strategy: Option<String>,
    /// Since when it is in this state.
    pub since: Option<Instant>,
    /// How fresh the record is.
    pub freshness: Option<Freshness>,
    /// When it was read.
    pub read_at: Option<Instant>,
    /// Vendor's words, or why the feed fails.
    pub note: String,
    /// Release it belongs to.
    pub release: Option<String>,
    /// In flight, or ended lately, and no release names that version there.
    pub unplanned: bool,
    /// Is auto-sync on?
    pub auto_sync: Option<bool>,
    /// A page a person can open.
    pub url: Option<String>,
}

/// The line that was stopped, and who obeyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LineView {
    /// Environment.
    pub environment: String,
    /// Since when.
    pub since: Instant,
    /// By whom.
    pub by: String,
    /// Why, as typed.
    pub reason: String,
    /// Each system that was to be paused.
    pub systems: Vec<LineSystem>,
}

/// One system under a stopped line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LineSystem {
    /// Service.
    pub service: String,
    /// obeyed, asked, confirmed, not paused yet, over, refused, unknown, not asked, cannot pause.
    pub mark: Mark,
    /// In words.
    pub note: String,
}

/// One checklist item, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemView {
    /// Stable id.
    pub id: String,
    /// Where it stands.
    pub section: Section,
    /// What it says.
    pub title: String,
    /// Is it proven by a rule rather than by hand?
    pub automatic: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Word shown: done, open, failed, waived, undecided, not run.
    pub mark: Mark,
    /// Who, age, or why not.
    pub note: String,
    /// Since when it is proven.
    pub at: Option<Instant>,
    /// The proof's two clocks in words: how old the fact is and may be, how long ago it was read and how long that counts.
    #[serde(default)]
    pub clocks: String,
}

/// How far one section of the checklist is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SectionProgress {
    /// Which.
    pub section: Section,
    /// Passed.
    pub done: u32,
    /// Waived: a debt, never passed.
    pub waived: u32,
    /// In all.
    pub items: u32,
}

impl SectionProgress {
    /// `2/4`, `2/4, 1 waived`.
    pub fn words(&self) -> String {
        match self.waived {
            0 => format!("{}/{}", self.done, self.items),
            n => format!("{}/{}, {n} waived", self.done, self.items),
        }
    }
}

/// The checklist pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChecklistView {
    /// Items in order.
    pub items: Vec<ItemView>,
    /// Done or waived.
    pub done: u32,
    /// The item to do next.
    pub next: Option<String>,
    /// Section by section, those that have items.
    #[serde(default)]
    pub sections: Vec<SectionProgress>,
}

/// A line to draw. A bucket without data has no point; a value that is no number is written as `null`: no data in that bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chart {
    /// (bucket end, value) of the new version, or of the whole service, a minute a point. `null`: no data in that bucket.
    #[serde(with = "super::points")]
    #[schemars(with = "Vec<(i64, Option<f64>)>")]
    pub new: Vec<(i64, f64)>,
    /// The same of the old version beside it. `null`: no data in that bucket.
    #[serde(with = "super::points")]
    #[schemars(with = "Vec<(i64, Option<f64>)>")]
    pub old: Vec<(i64, f64)>,
    /// Ten-minute points of up to 72 h, for the service in focus. `null`: no data in that bucket.
    #[serde(default, with = "super::points")]
    #[schemars(with = "Vec<(i64, Option<f64>)>")]
    pub far: Vec<(i64, f64)>,
    /// Unix seconds from which on the line is drawn where no range is chosen.
    #[serde(default)]
    pub from: Option<i64>,
    /// Baseline band: low and high.
    pub band: Option<(f64, f64)>,
    /// Threshold line.
    pub threshold: Option<f64>,
    /// When the deployment began.
    pub deploy_at: Option<i64>,
    /// From when on the new version's numbers are its own.
    pub clean_at: Option<i64>,
    /// Steps of the rollout: when each took effect, and its share of traffic or its number.
    #[serde(default)]
    pub steps: Vec<(i64, String)>,
    /// Why there is nothing to draw.
    pub empty: Option<String>,
}

/// One metric of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricView {
    /// Stable id: service/metric.
    pub id: String,
    /// Service.
    pub service: String,
    /// Metric id.
    pub metric: String,
    /// Title.
    pub title: String,
    /// How values are written.
    pub unit: Unit,
    /// Latest value.
    pub value: Option<f64>,
    /// The same in words.
    pub shown: String,
    /// Ratio to the baseline.
    pub ratio: Option<f64>,
    /// Which baseline, in words.
    pub baseline: String,
    /// Verdict of the judge on what is known now.
    pub verdict: Verdict,
    /// Word shown.
    pub mark: Mark,
    /// Distance to its trigger in words: `1.3× of 2×, 0 s of 5 m`.
    pub distance: Option<String>,
    /// The line.
    pub chart: Chart,
    /// How fresh it is.
    pub freshness: Freshness,
    /// Newest data.
    pub newest: Option<Instant>,
    /// Counts behind it: new and baseline, events of total.
    pub counts: Option<String>,
}

/// A gate, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateView {
    /// `gate/SERVICE/GATE/STEP`.
    pub id: String,
    /// Service.
    pub service: String,
    /// Gate id.
    pub gate: String,
    /// Step it stands after.
    pub step: u32,
    /// Must it pass?
    pub critical: bool,
    /// Verdict.
    pub verdict: Verdict,
    /// Word shown; ACCEPTED where a person took an Undecided.
    pub mark: Mark,
    /// Accepted by a person.
    pub accepted: bool,
    /// One line: what is known, how long it needs.
    pub said: String,
    /// A line a metric.
    pub metrics: Vec<(String, Mark, String)>,
    /// Sample size, for accepting.
    pub n: u64,
    /// Smallest regression that would show by now.
    pub smallest_visible: Option<f64>,
    /// When it began to look.
    pub opened: Option<Instant>,
    /// The power meter: a regression and from when on it would show at the present traffic.
    #[serde(default)]
    pub visible_from: Vec<(f64, Instant)>,
}

/// A trigger with its distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerView {
    /// `trigger/SERVICE/TRIGGER`.
    pub id: String,
    /// Service.
    pub service: String,
    /// Trigger id.
    pub trigger: String,
    /// Metric id.
    pub metric: String,
    /// What happens when it trips.
    pub then: Then,
    /// State: clear, breached, tripped, undecided, not run.
    pub mark: Mark,
    /// Tripped (and not cleared since).
    pub tripped: bool,
    /// When it tripped.
    pub tripped_at: Option<Instant>,
    /// Distance in words.
    pub distance: String,
    /// Current ratio or value against the limit, 1.0 = at the limit.
    pub share: Option<f64>,
    /// Seconds breached so far, of.
    pub held: (u64, u64),
    /// Cannot be told, and why.
    pub undecided: Option<String>,
}

/// One line of the passport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassportLine {
    /// Stable id.
    pub id: String,
    /// What it says.
    pub title: String,
    /// Verdict.
    pub verdict: Verdict,
    /// Word shown.
    pub mark: Mark,
    /// Proof, or what is missing.
    pub note: String,
}

/// The proof that rollback would work now, for one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Passport {
    /// Service.
    pub service: String,
    /// Environment.
    pub environment: String,
    /// From this version.
    pub from: Option<String>,
    /// To this version.
    pub to: Option<String>,
    /// Other versions to pick from, with their evidence.
    pub others: Vec<(String, String)>,
    /// Line by line.
    pub lines: Vec<PassportLine>,
    /// How many pass.
    pub passed: u32,
    /// Past the point of no return, and why.
    pub no_return: Option<String>,
    /// Expected seconds.
    pub expected: Option<u64>,
}

/// A rollback plan under way or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// The plan.
    pub plan: Plan,
    /// When it began.
    pub started: Instant,
    /// Step id → state and sentence.
    pub states: BTreeMap<String, (StepState, String)>,
    /// When a step reached its state.
    pub times: BTreeMap<String, Instant>,
    /// Ended: did the old version serve again, and the sentence.
    pub ended: Option<(bool, String)>,
    /// A step stands at refused or unknown and needs a person.
    pub stuck: Option<String>,
    /// Seconds from trip to request, request to live, request to clear.
    pub times_to: (Option<i64>, Option<i64>, Option<i64>),
}

/// Somebody on call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OncallRow {
    /// 1 is paged first.
    pub level: u32,
    /// Who.
    pub person: String,
    /// End of the shift.
    pub until: Option<Instant>,
    /// Was briefed, acknowledged, not told.
    pub mark: Mark,
    /// How and when.
    pub note: String,
}

/// The on-call pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OncallView {
    /// By level.
    pub rows: Vec<OncallRow>,
    /// The brief: not sent, sent, acknowledged, nobody answered.
    pub brief: Mark,
    /// In words.
    pub note: String,
    /// When the next level is told.
    pub escalates_at: Option<Instant>,
    /// Open incidents, a line each.
    pub incidents: Vec<String>,
    /// Alerts firing and silenced.
    pub alerts: Vec<AlertRow>,
    /// How fresh it is.
    pub freshness: Option<Freshness>,
    /// Why it is empty, with the line that would fill it.
    pub empty: Option<String>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertRow {
    /// Name.
    pub name: String,
    /// Service.
    pub service: Option<String>,
    /// firing, silenced, pending.
    pub mark: Mark,
    /// Since when.
    pub since: Option<Instant>,
    /// A silenced one: when its silence lapses, where that is known.
    #[serde(default)]
    pub until: Option<Instant>,
}

/// One checkpoint of the watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointView {
    /// Seconds after the last step.
    pub after: u64,
    /// When it is due.
    pub due: Instant,
    /// Word shown.
    pub mark: Mark,
    /// Numbers, late or not.
    pub note: String,
}

/// What else changed while something got worse. A suspect, not the culprit: nothing links it to the regression but time and
/// dependency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suspect {
    /// The service that got worse.
    pub worse: String,
    /// What changed.
    pub service: String,
    /// To this version.
    pub version: String,
    /// Its release; `None`: unplanned.
    pub release: Option<String>,
    /// When its deployment began.
    pub at: Instant,
    /// How far apart by dependency: 0 is the service itself; `None`: no dependency either way.
    pub distance: Option<u32>,
    /// The same in words: `checkout calls it`.
    pub said: String,
}

/// The watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchView {
    /// When the last step took effect.
    pub since: Instant,
    /// When it ends.
    pub until: Instant,
    /// Checkpoints in order.
    pub checkpoints: Vec<CheckpointView>,
    /// Where something got worse: everything that changed in the watch, nearest first. Empty while nothing did.
    #[serde(default)]
    pub suspects: Vec<Suspect>,
    /// What it comes to so far: `3 of 7 checkpoints passed`.
    #[serde(default)]
    pub so_far: String,
    /// How it ended, by the journal.
    #[serde(default)]
    pub end: Option<WatchEnd>,
    /// Its time is over for so long that nobody will journal its end any more: no driver does.
    #[serde(default)]
    pub lapsed: bool,
}

/// How a watch ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchEnd {
    /// The verdict over all of it; of one that was superseded, the verdict so far.
    pub verdict: Verdict,
    /// Its word.
    pub mark: Mark,
    /// What took its place, where something did.
    pub superseded_by: Option<String>,
    /// One sentence.
    pub said: String,
    /// When.
    pub at: Instant,
}

/// One line of the journal pane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalLine {
    /// Position.
    pub seq: u64,
    /// When.
    pub at: Instant,
    /// Who.
    pub actor: String,
    /// How known.
    pub known_by: String,
    /// Release.
    pub release: Option<String>,
    /// The sentence.
    pub text: String,
    /// Its meaning.
    pub tone: Tone,
}

/// A debt as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DebtView {
    /// The debt.
    pub debt: Debt,
    /// Past its due time.
    pub overdue: bool,
}

/// One feed's health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedView {
    /// Need id.
    pub need: String,
    /// Connection.
    pub source: String,
    /// What it is for, in words.
    pub what: String,
    /// Word shown: fresh, aging, stale, never read, or the fault's kind.
    pub mark: Mark,
    /// When it was read.
    pub read_at: Option<Instant>,
    /// How fresh.
    pub freshness: Freshness,
    /// Why it fails, and what to do.
    pub fault: Option<Fault>,
    /// Does a verdict hang on it?
    pub feeds_verdict: bool,
}

/// An open handoff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HandoffView {
    /// Its id.
    pub id: String,
    /// Who gave it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// When.
    pub at: Instant,
    /// Its lines, each taken or not.
    pub items: Vec<(HandoffItem, bool)>,
}

/// A release as the faces show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseView {
    /// The plan in force.
    pub plan: Release,
    /// Phase.
    pub phase: Phase,
    /// How it ended.
    pub closing: Option<Closing>,
    /// Who drives.
    pub driver: Option<String>,
    /// Digest of the sealed contract.
    pub contract: Option<String>,
    /// What differs between the sealed contract and cockpit.toml now, a line each.
    pub contract_diff: Vec<String>,
    /// When the first deployment began.
    pub started: Option<Instant>,
    /// When the last step took effect.
    pub finished: Option<Instant>,
    /// Commits by service, newest first, cleaned.
    pub commits: BTreeMap<String, Vec<String>>,
    /// Approvals in force, a line each.
    pub approvals: Vec<String>,
    /// Who reviewed it when it was over, and what was found.
    #[serde(default)]
    pub reviewed: Option<String>,
    /// Triggers that tripped and are not clear again, by the journal, a line each.
    #[serde(default)]
    pub tripped: Vec<String>,
}

/// What must be typed or chosen in a dialog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Key in [`Request::inputs`].
    pub key: String,
    /// Label.
    pub label: String,
    /// May not be left empty.
    pub required: bool,
    /// Filled in at opening.
    pub default: String,
}

/// Key of the input that acknowledges that there is no way back.
pub const ACKNOWLEDGE_KEY: &str = "acknowledge";
/// What must stand in it, word for word.
pub const ACKNOWLEDGE: &str = "no way back";

impl Input {
    /// The words that it must hold, where not any will do.
    pub fn expects(&self) -> Option<&'static str> {
        (self.key == ACKNOWLEDGE_KEY).then_some(ACKNOWLEDGE)
    }
}

/// Permission for one action, bound to what was seen when it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Permit {
    /// Action key, such as `rollback` or `tick/tests-green`.
    pub action: String,
    /// Title of the dialog.
    pub title: String,
    /// Service it touches.
    pub service: Option<String>,
    /// Environment it touches.
    pub environment: Option<String>,
    /// From what.
    pub from: Option<String>,
    /// To what.
    pub to: Option<String>,
    /// What will happen, a line each.
    pub effects: Vec<String>,
    /// Warnings that do not block.
    pub warnings: Vec<String>,
    /// How dangerous.
    pub danger: Danger,
    /// The word that must be typed to confirm.
    pub typed: Option<String>,
    /// What else is asked.
    pub inputs: Vec<Input>,
    /// Digest of target, versions and rules seen; if it differs at execution, the act is refused.
    pub basis: String,
    /// Expected seconds.
    pub expected: Option<u64>,
}

/// Why an action is not permitted, and until when (law 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Rule, such as `freeze/quarter end`.
    pub rule: String,
    /// The sentence.
    pub why: String,
    /// Who owns the rule.
    pub owner: Option<String>,
    /// When it ends.
    pub until: Option<Instant>,
    /// What to do about it.
    pub way_out: Option<String>,
    /// May an override lift it?
    pub overridable: bool,
}

impl Refusal {
    /// A refusal by a rule.
    pub fn new(rule: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            why: why.into(),
            owner: None,
            until: None,
            way_out: None,
            overridable: false,
        }
    }
    /// The same with a way out.
    #[must_use]
    pub fn way_out(mut self, way: impl Into<String>) -> Self {
        self.way_out = Some(way.into());
        self
    }
}

/// May an action be taken now?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // a few dozen of them, nearly all granted
pub enum Permission {
    /// Yes, on this basis.
    Granted(Permit),
    /// No, for these reasons.
    Refused(Vec<Refusal>),
}

/// A confirmed wish to act: the permit's basis and what the person typed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Action key.
    pub action: String,
    /// Basis of the permit that was shown.
    pub basis: String,
    /// Typed inputs.
    pub inputs: BTreeMap<String, String>,
}

/// What the program itself owes now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Duty {
    /// Written with the event; a second one with the same key does nothing (survives crashes).
    pub key: String,
    /// Release it belongs to.
    pub release: Option<String>,
    /// What to do.
    pub task: Task,
}

/// The duty's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Append these to the journal.
    Record {
        /// Who it is attributed to: the program, or a vendor's person.
        actor: String,
        /// How that is known.
        known_by: String,
        /// The events.
        bodies: Vec<Body>,
    },
    /// Append `before`, perform the act, append its outcome (and `PlanStepped` where it is a plan's step).
    Perform {
        /// Events written in the same transaction as the intent.
        before: Vec<Body>,
        /// The act.
        act: Act,
        /// The plan and step it belongs to.
        step: Option<(String, String)>,
    },
    /// Look up an act's mark at the vendor and conclude it.
    Reconcile {
        /// The act.
        act: Act,
        /// The plan and step it belongs to.
        step: Option<(String, String)>,
    },
}

/// One named point of a release's risk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RiskPoint {
    /// Stable id: commits, files, paths, idle, failed, window, conflicts, irreversible, late, holiday.
    pub id: String,
    /// What is looked at.
    pub title: String,
    /// Points it adds.
    pub points: u32,
    /// The numbers behind it, or why they are not known.
    pub said: String,
    /// Are they known?
    pub known: bool,
}

/// Why a release's class is what it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RiskView {
    /// The class that counts: the higher of the declared one and that of the points.
    pub class: RiskClass,
    /// As declared.
    pub declared: RiskClass,
    /// By the points.
    pub by_points: RiskClass,
    /// Sum of the points.
    pub total: u32,
    /// Sum from which it is normal, and from which it is high.
    pub from: (u32, u32),
    /// Line by line; empty where the class was kept as the deployment began.
    pub points: Vec<RiskPoint>,
    /// Kept as it was when the deployment began: the points in words.
    pub kept: Vec<String>,
}

/// An approval on record, and whether it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalLine {
    /// Who.
    pub by: String,
    /// In which role.
    pub role: String,
    /// How the approver is known.
    pub how: String,
    /// When it expires.
    pub expires: Instant,
    /// Why it does not count; `None` where it does.
    pub void: Option<String>,
}

/// Approvals of the current release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ApprovalView {
    /// approved, asked, needed, not needed.
    pub mark: Mark,
    /// One sentence.
    pub said: String,
    /// Roles that may approve.
    pub of: Vec<String>,
    /// How many are needed.
    pub count: u32,
    /// What they are bound to: digest of versions and contract.
    pub digest: String,
    /// On record, oldest first.
    pub given: Vec<ApprovalLine>,
    /// What change records or tickets say, a line each.
    pub records: Vec<String>,
}

/// An override asked for, in force, or over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideView {
    /// Rule, such as `freeze/quarter end`.
    pub rule: String,
    /// asked, in force.
    pub mark: Mark,
    /// Who asked.
    pub by: String,
    /// Reason as typed.
    pub reason: String,
    /// Until when it may be confirmed, or holds.
    pub until: Instant,
    /// Who may confirm it; empty while asked: anybody but the one who asked.
    pub may: Vec<String>,
    /// Second person and how known.
    pub second: Option<(String, String)>,
    /// The glass was broken: nobody answered.
    pub break_glass: bool,
    /// One sentence with all of it.
    pub said: String,
}

/// What a freeze that began, or is about to, leaves hanging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stranded {
    /// The freeze.
    pub freeze: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When it begins; `None`: it is in force.
    pub begins: Option<Instant>,
    /// When it ends.
    pub until: Option<Instant>,
    /// rollout, watch, hold, queued release.
    pub what: String,
    /// Release.
    pub release: String,
    /// Service, where it is one.
    pub service: Option<String>,
    /// The ways out: word, action key.
    pub offers: Vec<(String, String)>,
    /// One sentence with all of it.
    pub said: String,
}

/// What the current release still needs of people: class, approvals, overrides; and what a freeze strands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Clearance {
    /// Risk of the current release.
    pub risk: Option<RiskView>,
    /// Its approvals.
    pub approval: ApprovalView,
    /// Its overrides: asked for first.
    pub overrides: Vec<OverrideView>,
    /// What freezes leave hanging, over all open releases.
    pub stranded: Vec<Stranded>,
}

/// The whole situation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Situation {
    /// [`FORMAT`].
    pub format: u32,
    /// When it was assessed.
    pub now: Now,
    /// Title.
    pub title: String,
    /// Zone of local times.
    #[schemars(with = "String")]
    pub timezone: chrono_tz::Tz,
    /// The band.
    pub band: Band,
    /// The NEXT line.
    pub next: NextStep,
    /// Current release's id.
    pub current: Option<String>,
    /// All releases, current first.
    pub releases: Vec<ReleaseView>,
    /// Risk, approvals, overrides, and what freezes strand.
    #[serde(default)]
    pub clearance: Clearance,
    /// Calendar pane.
    pub calendar: CalendarView,
    /// Deploys pane.
    pub deployments: Vec<DeployRow>,
    /// The line, while it is stopped.
    #[serde(default)]
    pub line: Option<LineView>,
    /// Checklist pane.
    pub checklist: ChecklistView,
    /// Metrics pane: the current release's services first.
    pub metrics: Vec<MetricView>,
    /// Gates of the current release.
    pub gates: Vec<GateView>,
    /// The verdict on going on from the present step: never a pass where the band does not say so.
    #[serde(default = "Situation::not_judged")]
    pub step_verdict: Verdict,
    /// Triggers of the current release.
    pub triggers: Vec<TriggerView>,
    /// Passports of the current release's services.
    pub passports: Vec<Passport>,
    /// Rollback plan, latest.
    pub plan: Option<PlanView>,
    /// On-call pane.
    pub oncall: OncallView,
    /// The watch.
    pub watch: Option<WatchView>,
    /// Latest journal lines, newest first.
    pub journal: Vec<JournalLine>,
    /// Sequence and hash of the journal's head.
    pub head: (u64, String),
    /// Debts.
    pub debts: Vec<DebtView>,
    /// Open handoff.
    pub handoff: Option<HandoffView>,
    /// Feeds, worst first.
    pub feeds: Vec<FeedView>,
    /// Action key → permission.
    pub permits: BTreeMap<String, Permission>,
    /// Evidence key → evidence.
    pub evidence: BTreeMap<String, Evidence>,
    /// Things that are wrong with the set-up, a sentence each (config on reload, journal, trust).
    pub troubles: Vec<String>,
    /// What the program owes now: the engine does it.
    #[serde(skip)]
    pub owed: Vec<Duty>,
    /// Countdowns of automatic triggers that run in this process, by release and trigger: the engine remembers when each began.
    #[serde(skip)]
    pub counting: Vec<String>,
}

impl Situation {
    /// The verdict of a step that nobody looked at.
    pub fn not_judged() -> Verdict {
        Verdict::not_run("nothing was judged")
    }
}
