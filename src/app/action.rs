//! The action table: dispatch, help, footer, palette, conflict check, README and man page all come from it.

use crate::domain::act::Danger;

use super::calendar::View;
use super::layout::Pane;
use super::list::ListId;
use super::port::DocumentKind;

/// Heading in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Changes something.
    Acts,
    /// Works on the selected row.
    Row,
    /// Goes somewhere.
    Move,
    /// Shows something.
    Show,
    /// The program itself.
    Program,
}

impl Group {
    /// The heading.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Acts => "Acts",
            Self::Row => "On the selected row",
            Self::Move => "Moving",
            Self::Show => "Looking",
            Self::Program => "Program",
        }
    }
}

/// Where a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everywhere but in dialogs.
    Global,
    /// While this list is drawn and has the focus.
    List(ListId),
    /// In the view that shows why something is refused.
    Refusal,
}

impl Scope {
    /// In words, for the help.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Global => "everywhere",
            Self::List(list) => list.title(),
            Self::Refusal => "refusal",
        }
    }
}

/// What the interface does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Ends, after a question while an act is in flight.
    Quit,
    /// Help.
    Help,
    /// Commands.
    Palette,
    /// Filters the focused list.
    Filter,
    /// Next pane, or the one before.
    Cycle(bool),
    /// A pane by number.
    Pane(Pane),
    /// The band's reasons.
    Band,
    /// One pane over the whole window.
    Zoom,
    /// A longer span on the charts, or a shorter one.
    Range(bool),
    /// By so many rows.
    Step(i32),
    /// By so many pages.
    Page(i32),
    /// First row, or last.
    Ends(bool),
    /// Evidence of the row.
    Evidence,
    /// Backs out.
    Back,
    /// Copies the row.
    Copy,
    /// Mouse on or off.
    Mouse,
    /// Reads every feed.
    ReadNow,
    /// A list over the panes.
    List(ListId),
    /// A document.
    Document(DocumentKind),
    /// A date on the calendar.
    GoTo,
    /// The calendar's next view, or the one before.
    TurnView(bool),
    /// A view of the calendar.
    View(View),
    /// The day before or after; while something is supposed, a quarter of an hour.
    Side(i64),
    /// Back to today.
    Today,
    /// Times in UTC or local.
    Utc,
    /// What if?
    Suppose,
    /// The tour's hint on or off.
    Tour,
    /// The selected release becomes the one that everything is about.
    Look,
    /// To the shell.
    Suspend,
    /// Paints everything again.
    Redraw,
}

/// What an action comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// An act under this permit.
    Act(&'static str),
    /// An act under this prefix and the selected row's id.
    ActOn(&'static str),
    /// The interface's own.
    Own(Own),
}

/// One action.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Stable id, for rebinding and the palette.
    pub id: &'static str,
    /// Keys as [`super::key::Key::parse`] reads them; none: palette only.
    pub keys: &'static [&'static str],
    /// Heading.
    pub group: Group,
    /// A few words for footer and palette.
    pub verb: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// How much harm it can do.
    pub danger: Danger,
    /// Where its keys count.
    pub scope: Scope,
    /// What it comes to.
    pub task: Task,
}

impl Action {
    /// Does it change something, here or outside? Read-only mode removes it.
    #[must_use]
    pub fn is_act(&self) -> bool {
        matches!(self.task, Task::Act(_) | Task::ActOn(_))
    }

    /// Permit key, given the selected row's id.
    #[must_use]
    pub fn permit(&self, row: Option<&str>) -> Option<String> {
        match self.task {
            Task::Act(key) => Some(key.into()),
            Task::ActOn(prefix) => row.map(|id| format!("{prefix}/{id}")),
            Task::Own(_) => None,
        }
    }
}

/// The actions offered in this mode. Read-only removes every act, here and nowhere else.
pub fn offered(read_only: bool) -> impl Iterator<Item = &'static Action> {
    ACTIONS.iter().filter(move |a| !(read_only && a.is_act()))
}

/// The action of that id.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|a| a.id == id)
}

const fn act(
    id: &'static str,
    keys: &'static [&'static str],
    verb: &'static str,
    danger: Danger,
    help: &'static str,
) -> Action {
    Action {
        id,
        keys,
        group: Group::Acts,
        verb,
        help,
        danger,
        scope: Scope::Global,
        task: Task::Act(id),
    }
}

const fn on(
    id: &'static str,
    keys: &'static [&'static str],
    verb: &'static str,
    danger: Danger,
    scope: Scope,
    help: &'static str,
) -> Action {
    Action {
        id,
        keys,
        group: Group::Row,
        verb,
        help,
        danger,
        scope,
        task: Task::ActOn(id),
    }
}

const fn own(
    id: &'static str,
    keys: &'static [&'static str],
    group: Group,
    verb: &'static str,
    task: Own,
    help: &'static str,
) -> Action {
    Action {
        id,
        keys,
        group,
        verb,
        help,
        danger: Danger::Low,
        scope: Scope::Global,
        task: Task::Own(task),
    }
}

/// The interface's own, where that list has the focus.
const fn at(
    id: &'static str,
    keys: &'static [&'static str],
    list: ListId,
    verb: &'static str,
    task: Own,
    help: &'static str,
) -> Action {
    let mut action = own(id, keys, Group::Show, verb, task, help);
    action.scope = Scope::List(list);
    action
}

/// What the calendar does by itself.
const fn cal(
    id: &'static str,
    keys: &'static [&'static str],
    group: Group,
    verb: &'static str,
    task: Own,
    help: &'static str,
) -> Action {
    let mut action = own(id, keys, group, verb, task, help);
    action.scope = Scope::List(ListId::Calendar);
    action
}

use Danger::{High, Low, Medium};
use Group::{Move, Program, Show};

/// Every action.
#[rustfmt::skip]
pub const ACTIONS: &[Action] = &[
    act("deploy", &["D"], "deploy", High, "Start the release's deployments in their order."),
    act("promote", &["p"], "promote", High, "Go on to the rollout's next step."),
    act("pause", &["P"], "pause", Medium, "Hold the rollout where it is."),
    act("resume", &["r"], "resume", Medium, "Go on after a pause."),
    act("promote_full", &[], "promote fully", High, "Go on past all steps, pauses and analyses at once."),
    act("retry", &[], "retry the rollout", High, "Roll the same version out anew after it was aborted or failed."),
    act("restart", &[], "restart instances", Medium, "Replace the instances of a service; the version stays."),
    act("abort", &["a"], "abort", High, "Stop the rollout and return to the old version."),
    act("rollback", &["R"], "roll back", High, "Go back to the version before, step by step, each step confirmed."),
    Action { scope: Scope::List(ListId::Plan), ..act("end_rollback", &["e"], "end the rollback", High, "End a rollback where it stands; what it holds stays held, as a debt.") },
    act("stop_line", &["X"], "stop the line", High, "Hold every deployment in scope and show which systems obeyed."),
    act("let_go", &["L"], "let the line go", High, "Let deployments start and go on again after the line was stopped."),
    act("cancel_countdown", &["c"], "cancel the countdown", Low, "Stop an armed automatic rollback before it begins."),
    act("brief", &["b"], "brief", Medium, "Tell the person on call what changes and what to watch."),
    act("ack", &["K"], "acknowledge", Medium, "Record that the person on call has the brief."),
    act("drive", &["W"], "take the wheel", Medium, "Become the release's driver, where nobody else holds the lease."),
    act("handoff", &["H"], "hand off", Medium, "Hand the release to the next driver, line by line."),
    act("incident", &["i"], "declare an incident", Medium, "Open an incident with the release's evidence in it."),
    act("plan", &["N"], "plan a release", Medium, "Plan a release and check it against windows and conflicts."),
    act("seal", &["S"], "seal the contract", Medium, "Seal gates and triggers; from then on they are agreed."),
    act("approve", &["V"], "approve", Medium, "Give or write down an approval for the release."),
    act("ask_approval", &["E"], "ask for approval", Medium, "Ask those who may approve the release, over every channel."),
    act("note", &[], "note", Medium, "Write into the journal what happened; the event until which a change is reversible ends its way back."),
    act("close", &["C"], "close the release", Medium, "End the release; every debt must be settled or handed over."),
    act("review", &["Q"], "record the review", Medium, "Record what the review of the closed release found, and by whom."),
    on("attach", &["t"], "attach", Medium, Scope::List(ListId::Deploys), "Attach a deployment that nobody planned to a release: then it is judged, watched and can be rolled back."),
    on("tick", &["space"], "tick", Low, Scope::List(ListId::Checklist), "Tick the selected checklist item by hand."),
    on("untick", &["U"], "take the tick back", Low, Scope::List(ListId::Checklist), "Take a tick back, with the reason."),
    on("waive", &["w"], "waive", Medium, Scope::List(ListId::Checklist), "Waive an item with a reason; it becomes a debt."),
    on("accept", &["A"], "accept undecided", Medium, Scope::List(ListId::Metrics), "Accept an undecided gate with a reason; it becomes a debt and never turns green."),
    on("move", &["w"], "move", Medium, Scope::List(ListId::Calendar), "Write the release's new start, as supposed, into the journal."),
    on("settle", &["s"], "settle", Medium, Scope::List(ListId::Debts), "Settle the selected debt, say what came of an act, or take a change of the file by its name."),
    on("take", &["space"], "take", Low, Scope::List(ListId::Handoff), "Take the selected line of the handoff."),
    on("override", &["o"], "override", High, Scope::Refusal, "Override the rule that refuses, with a reason and an end; ask a second person for it, or confirm as one."),
    on("decline_override", &["n"], "decline the override", Medium, Scope::Refusal, "Decline an override that somebody asked for, or withdraw one's own request."),
    on("break_glass", &["O"], "break the glass", High, Scope::Refusal, "Override alone where no second person answers: told to the rule's owner, to be reviewed."),

    own("pane-1", &["1"], Move, "calendar", Own::Pane(Pane::Calendar), "Go to the calendar."),
    own("pane-2", &["2"], Move, "deploys", Own::Pane(Pane::Deploys), "Go to the deployments."),
    own("pane-3", &["3"], Move, "checklist", Own::Pane(Pane::Checklist), "Go to the checklist."),
    own("pane-4", &["4"], Move, "metrics", Own::Pane(Pane::Metrics), "Go to the metrics, gates and triggers."),
    own("pane-5", &["5"], Move, "on-call", Own::Pane(Pane::Oncall), "Go to on-call, incidents and alerts."),
    own("pane-6", &["6"], Move, "journal", Own::Pane(Pane::Journal), "Go to the journal."),
    own("band", &["0"], Move, "reasons", Own::Band, "Go to the band's reasons."),
    own("next-pane", &["tab"], Move, "next pane", Own::Cycle(true), "Go to the next pane."),
    own("previous-pane", &["shift-tab"], Move, "previous pane", Own::Cycle(false), "Go to the pane before."),
    own("down", &["j", "down"], Move, "down", Own::Step(1), "Select the next row."),
    own("up", &["k", "up"], Move, "up", Own::Step(-1), "Select the row before."),
    own("page-down", &["pgdn"], Move, "page down", Own::Page(1), "Go one page down."),
    own("page-up", &["pgup"], Move, "page up", Own::Page(-1), "Go one page up."),
    own("top", &["g", "home"], Move, "first row", Own::Ends(false), "Select the first row."),
    own("bottom", &["G", "end"], Move, "last row", Own::Ends(true), "Select the last row."),
    own("go-to", &["@"], Move, "go to a date", Own::GoTo, "Go to a date on the calendar: 2026-11-24, 24, +3d, mon, tomorrow."),
    cal("day-before", &["left"], Move, "day before", Own::Side(-1), "Go to the day before; in a what-if a quarter of an hour earlier (up and down: an hour, pages: a day)."),
    cal("day-after", &["right"], Move, "day after", Own::Side(1), "Go to the day after; in a what-if a quarter of an hour later."),
    cal("today", &["n"], Move, "today", Own::Today, "Go back to today."),

    own("evidence", &["enter"], Show, "evidence", Own::Evidence, "Show what stands behind the row: query, numbers, age, link."),
    own("filter", &["/"], Show, "filter", Own::Filter, "Filter the list by words; on the calendar also by team:NAME, service:NAME and env:NAME."),
    own("zoom", &["z"], Show, "zoom", Own::Zoom, "Give the pane the whole window, or give it back."),
    at("range-shorter", &["["], ListId::Metrics, "shorter range", Own::Range(false), "Draw the charts over a shorter span, down to 15 m."),
    at("range-longer", &["]"], ListId::Metrics, "longer range", Own::Range(true), "Draw the charts over a longer span, up to 72 h."),
    cal("view", &["e"], Show, "next view", Own::TurnView(true), "Show the calendar as agenda, day, week, month, timeline of lanes."),
    cal("view-back", &[], Show, "view before", Own::TurnView(false), "The same the other way round."),
    cal("view-day", &[], Show, "one day", Own::View(View::Day), "Show one day of the calendar, everything in it a row."),
    cal("view-week", &[], Show, "week", Own::View(View::Week), "Show a week of the calendar, Monday first."),
    cal("view-month", &[], Show, "month", Own::View(View::Month), "Show a month of the calendar."),
    cal("timeline", &["t"], Show, "timeline", Own::View(View::Lanes), "Show lanes over four days: releases, windows, freezes, cover, watches."),
    cal("utc", &["Z"], Show, "UTC or local", Own::Utc, "Show the calendar's times in UTC, or local again."),
    cal("what-if", &["I"], Show, "what if", Own::Suppose, "Suppose another start of the selected release, or another time; arrows move it, nothing is saved until it is written."),
    own("debts", &["d"], Show, "debts", Own::List(ListId::Debts), "List what was done for a while and is still owed."),
    own("feeds", &["f"], Show, "feeds", Own::List(ListId::Feeds), "List every feed with its age, its fault and what to do."),
    own("passport", &["v"], Show, "rollback passport", Own::List(ListId::Passport), "Show the proof that a rollback would work now."),
    own("steps", &["x"], Show, "rollback steps", Own::List(ListId::Plan), "Show the rollback's steps: asked, confirmed, refused, unknown."),
    own("handoff-lines", &["h"], Show, "open handoff", Own::List(ListId::Handoff), "Show the open handoff's lines, taken or not."),
    own("releases", &["l"], Show, "releases", Own::List(ListId::Releases), "List the releases with phase, driver and contract."),
    Action { scope: Scope::List(ListId::Releases), ..own("look", &["space"], Show, "look at it", Own::Look, "Make the selected release the one that everything is about.") },
    own("messages", &["M"], Show, "messages", Own::List(ListId::Messages), "List what the program said, also what went wrong."),
    own("read-brief", &["B"], Show, "read the brief", Own::Document(DocumentKind::Brief), "Show the brief as it would be sent."),
    own("read-handoff", &[], Show, "read the handoff", Own::Document(DocumentKind::Handoff), "Show the handoff as it would be written."),
    own("read-review", &[], Show, "read the review", Own::Document(DocumentKind::Review), "Show the review of the release."),
    own("copy", &["y"], Show, "copy", Own::Copy, "Copy the row or the evidence to the terminal's clipboard (OSC 52)."),

    own("help", &["?"], Program, "help", Own::Help, "Show every key; type to search."),
    own("commands", &[":"], Program, "commands", Own::Palette, "Find an action by name."),
    own("back", &["esc"], Program, "back", Own::Back, "Back out: close, clear the filter, unzoom. Never does anything else."),
    own("read-now", &["u"], Program, "read now", Own::ReadNow, "Read every feed now."),
    own("mouse", &["m"], Program, "mouse", Own::Mouse, "Turn the mouse on or off; off leaves selecting to the terminal."),
    own("tour", &["T"], Program, "tour", Own::Tour, "Hide or show the tour's hint."),
    own("redraw", &["f5"], Program, "redraw", Own::Redraw, "Paint the whole window again."),
    own("suspend", &["ctrl-z"], Program, "suspend", Own::Suspend, "Go to the shell; `fg` comes back."),
    own("quit", &["q", "ctrl-c"], Program, "quit", Own::Quit, "Leave; asks while an act is in flight."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_has_help_verb_and_its_own_id() {
        let mut ids = BTreeSet::new();
        for a in ACTIONS {
            assert!(ids.insert(a.id), "{} twice", a.id);
            assert!(a.help.ends_with('.') && !a.verb.is_empty(), "{}", a.id);
        }
    }

    #[test]
    fn read_only_removes_every_act_and_nothing_else() {
        let left: Vec<_> = offered(true).collect();
        assert!(left.iter().all(|a| matches!(a.task, Task::Own(_))));
        let own = ACTIONS.iter().filter(|a| matches!(a.task, Task::Own(_)));
        assert_eq!(left.len(), own.count());
        assert_eq!(offered(false).count(), ACTIONS.len());
    }

    #[test]
    fn what_harms_is_never_done_by_a_row_key_at_once() {
        for a in ACTIONS
            .iter()
            .filter(|a| a.danger == Danger::Low && a.is_act())
        {
            assert!(
                ["tick", "untick", "take", "cancel_countdown"].contains(&a.id),
                "{}",
                a.id
            );
        }
    }
}
