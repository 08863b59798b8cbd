//! Holds: rollouts that a person (or a trigger) stopped and nobody let go on yet. Temporary, so each is a debt (law 6).

use crate::domain::act::{Outcome, Verb};
use crate::domain::journal::ActState;
use crate::domain::policy::Release;

use super::View;

/// The act that holds a service's rollout now: the latest steering act, where it is a pause that was not refused.
pub(super) fn held<'a>(view: &View<'a>, release: &Release, service: &str) -> Option<&'a ActState> {
    let last = view
        .journal
        .acts
        .values()
        .filter(|a| {
            a.act.release.as_deref() == Some(release.id.as_str())
                && a.act.service.as_deref() == Some(service)
                && steers(a.act.verb)
                && !matches!(a.outcome, Some((Outcome::Refused { .. }, _)))
        })
        .max_by_key(|a| (a.at, a.act.verb != Verb::Pause))?;
    (last.act.verb == Verb::Pause).then_some(last)
}

fn steers(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Pause
            | Verb::Resume
            | Verb::Promote
            | Verb::PromoteFull
            | Verb::Abort
            | Verb::Deploy
            | Verb::Retry
            | Verb::Rollback
    )
}

/// Id of the debt that a held rollout is.
pub(super) fn debt_id(service: &str, environment: &str) -> String {
    format!("hold/{service}/{environment}")
}
