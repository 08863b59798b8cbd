//! Acts outside a rollback plan of which nobody knows what came of them: in sight until a look-up or a person settles it (law 4).

use std::collections::BTreeSet;

use chrono::Duration;

use crate::domain::act::{Act, Outcome, Verb};
use crate::domain::event::Debt;
use crate::domain::journal::{ActState, Journal};
use crate::domain::record::{Deployment, Records};

use super::View;
use super::owed::act_of;

/// An act without an outcome that is not on its way from here counts as unknown after this many seconds.
const FOREIGN_ACT: i64 = 60;
/// It wants a decision within this many hours.
const HOURS: i64 = 4;

/// What the debts of such acts begin with.
pub(crate) const DEBT: &str = "unknown/";

/// Acts of rollback plans: their steps say what is known of them.
fn in_plans(journal: &Journal) -> BTreeSet<&str> {
    let plans = journal.releases.values().flat_map(|r| r.plans.iter());
    plans
        .flat_map(|p| p.plan.steps.iter())
        .filter_map(act_of)
        .map(|a| a.id.as_str())
        .collect()
}

/// A message that may not have arrived counts as not delivered and can be sent again.
fn tells(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::PostMessage | Verb::UpdateMessage | Verb::Comment
    )
}

/// Is it not known whether it happened? One on its way from here is not unknown yet.
pub(super) fn is_unknown(view: &View<'_>, act: &ActState) -> bool {
    match &act.outcome {
        Some((Outcome::Unknown { .. }, _)) => true,
        Some(_) => false,
        None => {
            !view.observed.session.in_flight.contains(&act.act.id)
                && (view.at() - act.at).num_seconds() >= FOREIGN_ACT
        }
    }
}

/// Acts outside a plan to be looked up, oldest first.
pub(super) fn open<'a>(view: &View<'a>) -> Vec<&'a ActState> {
    let unknown = view.journal.acts.values().filter(|a| is_unknown(view, a));
    let unknown = unknown.filter(|a| a.outcome.is_none() || !tells(a.act.verb));
    let mut list: Vec<&ActState> = unknown.collect();
    if list.is_empty() {
        return list;
    }
    let planned = in_plans(view.journal);
    list.retain(|a| !planned.contains(a.act.id.as_str()));
    list.sort_by_key(|a| (a.at, &a.act.id));
    list
}

/// Those that a person must hear of.
pub(super) fn all<'a>(view: &View<'a>) -> Vec<&'a ActState> {
    let mut list = open(view);
    list.retain(|a| !tells(a.act.verb));
    list
}

/// What is said of it.
pub(super) fn words(act: &ActState) -> String {
    let why = match &act.outcome {
        Some((Outcome::Unknown { why }, _)) => format!(" ({why})"),
        _ => String::new(),
    };
    format!("{}: not known whether it happened{why}", act.act.summary)
}

/// Each as a debt: it is not journaled, and gone when its outcome is.
pub(super) fn debts(view: &View<'_>) -> Vec<Debt> {
    all(view)
        .into_iter()
        .map(|a| Debt {
            id: format!("{DEBT}{}", a.act.id),
            what: format!(
                "{}; look at {} and settle it by word",
                words(a),
                a.act.connection
            ),
            owner: a.actor.clone(),
            due: a.at + Duration::hours(HOURS),
            release: a.act.release.clone(),
        })
        .collect()
}

/// The live record that carries the act's mark back, where a vendor does.
pub(super) fn marked<'a>(view: &View<'a>, act: &Act) -> Option<&'a Deployment> {
    let (seen, freshness) = view.feed(&format!("deployments/{}", act.connection));
    let Some(Records::Deployment(list)) = seen.filter(|_| freshness.usable()).map(|o| &o.records)
    else {
        return None;
    };
    list.iter().find(|d| d.intent.as_deref() == Some(&act.id))
}
