//! Journal lines, debts and the open handoff as the faces show them.

use chrono::Duration;

use crate::domain::event::Debt;
use crate::domain::journal::{Journal, sentence};
use crate::domain::situation::{DebtView, HandoffView, JournalLine};

use super::{View, unknown};

/// A change of the file that is not in force wants a decision within this many hours.
const DECIDE_HOURS: i64 = 24;

/// How many lines a situation carries.
const SHOWN: usize = 300;

/// Latest lines, newest first.
pub(super) fn lines(journal: &Journal) -> Vec<JournalLine> {
    journal
        .lines
        .iter()
        .rev()
        .take(SHOWN)
        .map(|event| {
            let (text, tone) = sentence(&event.body);
            JournalLine {
                seq: event.seq,
                at: event.at,
                actor: event.actor.clone(),
                known_by: event.known_by.clone(),
                release: event.release.clone(),
                text,
                tone,
            }
        })
        .collect()
}

/// Open debts, the one due first first.
pub(super) fn debts(view: &View<'_>) -> Vec<DebtView> {
    let mut owed: Vec<Debt> = view.journal.debts.values().cloned().collect();
    owed.extend(unknown::debts(view));
    owed.extend(held(view));
    let mut list: Vec<DebtView> = owed
        .into_iter()
        .map(|debt| DebtView {
            overdue: debt.due < view.at(),
            debt,
        })
        .collect();
    list.sort_by_key(|d| d.debt.due);
    list
}

/// What the debts of changes that wait for a person begin with.
pub(crate) const POLICY: &str = "policy/";

/// Changes of cockpit.toml that are not in force, while a release stands on the old.
fn held(view: &View<'_>) -> Vec<Debt> {
    let loaded = view.journal.policy_by.as_ref();
    let since = loaded.map_or(view.at(), |(_, _, at)| *at);
    let held = view.observed.session.held.iter();
    held.map(|h| Debt {
        id: format!("{POLICY}{}", h.name),
        what: format!("{}; take it by its name, or change it back", h.said),
        owner: loaded.map(|(who, _, _)| who.clone()).unwrap_or_default(),
        due: since + Duration::hours(DECIDE_HOURS),
        release: None,
    })
    .collect()
}

/// The latest handoff of the current release that still has lines to take.
pub(super) fn handoff(view: &View<'_>) -> Option<HandoffView> {
    let state = view.state?;
    let last = state.handoffs.last()?;
    Some(HandoffView {
        id: last.id.clone(),
        from: last.from.clone(),
        to: last.to.clone(),
        at: last.at,
        items: last.items.clone(),
    })
}
