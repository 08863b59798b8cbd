//! Journal lines, debts and the open handoff as the faces show them.

use crate::domain::journal::{Journal, sentence};
use crate::domain::situation::{DebtView, HandoffView, JournalLine};

use super::View;

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
    let mut list: Vec<DebtView> = view
        .journal
        .debts
        .values()
        .map(|debt| DebtView {
            overdue: debt.due < view.at(),
            debt: debt.clone(),
        })
        .collect();
    list.sort_by_key(|d| d.debt.due);
    list
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
