//! One press, one act: what was asked a moment ago is not asked again while it is on its way, unknown, or not to be seen yet (law 4).

use chrono::Duration;
use serde_json::Value;

use crate::domain::act::{Outcome, Verb};
use crate::domain::assess::View;
use crate::domain::assess::rollout::Rollout;
use crate::domain::assess::unknown;
use crate::domain::journal::ActState;
use crate::domain::record::Deployment;
use crate::domain::situation::Refusal;
use crate::domain::time::age_words;

/// What was confirmed and is still not to be seen after so many seconds may be asked again.
const SHOWS_WITHIN: i64 = 600;

/// Where a rollout stood, as an act keeps it: if the record still says this, the act is not to be seen yet.
pub(crate) fn stood(record: &Deployment) -> String {
    format!(
        "{} {:?} {:?} {}",
        record.version,
        record.step,
        record.weight,
        record.state.word()
    )
}

/// The key of [`stood`] among an act's arguments.
pub(crate) const STOOD: &str = "stood";

/// Why that act may not be asked of that service now: the same was asked already.
pub(super) fn asked(view: &View<'_>, rollout: &Rollout<'_>, verb: Verb) -> Option<Refusal> {
    let name = rollout.service.name.as_str();
    let mine = view.journal.acts.values().filter(|a| {
        a.act.verb == verb
            && a.act.service.as_deref() == Some(name)
            && a.act.environment.as_deref() == Some(view.environment())
    });
    let last = mine.max_by_key(|a| (a.at, &a.act.id))?;
    let what = format!(
        "{} of {name} was asked {} ago by {}",
        verb.word(),
        age_words(view.at() - last.at),
        last.actor
    );
    match &last.outcome {
        Some((Outcome::Refused { .. }, _)) => None,
        Some((Outcome::Confirmed { .. }, at)) => unseen(view, rollout, last, *at, &what),
        _ if unknown::is_unknown(view, last) => Some(
            Refusal::new("asked", format!("{what}; whether it happened is not known"))
                .way_out("look at the vendor, then settle it by word among the debts (d, s)"),
        ),
        _ => Some(
            Refusal::new("asked", format!("{what}; its answer is not there yet"))
                .way_out("wait for it"),
        ),
    }
}

/// Confirmed, and the vendor's record does not show it.
fn unseen(
    view: &View<'_>,
    rollout: &Rollout<'_>,
    act: &ActState,
    confirmed: crate::domain::time::Instant,
    what: &str,
) -> Option<Refusal> {
    if rollout.read_at.is_none_or(|read| read < confirmed) {
        let why = format!("{what} and confirmed; the live record was not read since");
        return Some(Refusal::new("asked", why).way_out("wait for it"));
    }
    let until = confirmed + Duration::seconds(SHOWS_WITHIN);
    if until <= view.at() || seen(view, rollout, act) {
        return None;
    }
    let why = format!("{what} and confirmed; the vendor does not show it yet");
    let mut refusal = Refusal::new("asked", why).way_out("wait for it, or look at the vendor");
    refusal.until = Some(until);
    Some(refusal)
}

fn seen(view: &View<'_>, rollout: &Rollout<'_>, act: &ActState) -> bool {
    let text = |key: &str| act.act.args.get(key).and_then(Value::as_str);
    if act.act.verb != Verb::Deploy {
        // Acts of earlier programs did not keep where it stood.
        let before = text(STOOD);
        return before.is_none() || rollout.record.map(stood).as_deref() != before;
    }
    let version = text("version");
    let track = act
        .act
        .release
        .as_ref()
        .and_then(|r| view.journal.release(r))
        .and_then(|r| r.tracks.get(&rollout.service.name));
    rollout.record.map(|d| d.version.as_str()) == version
        || track.is_some_and(|t| Some(t.version.as_str()) == version && t.told >= act.at)
}
