//! Overrides: which roles a rule lets, who may be the second person, what was asked and not answered (SEMANTICS 2).

use chrono::Duration;

use crate::domain::journal::{Asked, Override};
use crate::domain::situation::{Mark, OverrideView, Tone};
use crate::domain::time::Instant;
use crate::domain::window::Strength;

use super::{View, clock_full, oncall};

/// What a rule says about its override.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Roles that may override it; empty: everybody may.
    pub roles: Vec<String>,
    /// A second person is needed whoever asks.
    pub hard: bool,
    /// Who answers for the rule.
    pub owner: Option<String>,
}

/// The terms of a rule. Of freezes with one name the hardest counts; windows, fit and cover name no roles.
pub(crate) fn terms(view: &View<'_>, rule: &str) -> Terms {
    let mut terms = Terms::default();
    let rules = view.observed.rules.as_deref();
    let Some(book) = rules.and_then(|r| r.compiled.as_ref()).map(|c| c.book()) else {
        return terms;
    };
    if let Some(name) = rule.strip_prefix("freeze/") {
        for freeze in book.freezes.iter().filter(|f| f.name == name) {
            terms.hard |= freeze.strength == Strength::Hard;
            if terms.roles.is_empty() {
                terms.roles.clone_from(&freeze.override_by);
            }
            terms.owner = terms.owner.or_else(|| freeze.owner.clone());
        }
    } else if let Some(name) = rule.strip_prefix("window/") {
        let window = book.windows.iter().find(|w| w.name == name);
        terms.owner = window.and_then(|w| w.owner.clone());
    }
    terms
}

/// Does the person at the keys hold a role that the rule lets?
pub(crate) fn entitled(view: &View<'_>, terms: &Terms, person: &str) -> bool {
    let own = view.policy.roles(person);
    terms.roles.is_empty() || terms.roles.iter().any(|r| own.contains(r))
}

/// Must a second person confirm what this one asks? A hard freeze always wants one; else it is wanted where the asker
/// holds none of the roles.
pub(crate) fn needs_second(view: &View<'_>, terms: &Terms, asker: &str) -> bool {
    terms.hard || !entitled(view, terms, asker)
}

/// Who may confirm what `asker` asks: one of the two holds a role that the rule lets, and they are two. `None`: nobody
/// is listed in `[people]`, so anybody who is not the asker.
pub(crate) fn may_confirm(view: &View<'_>, terms: &Terms, asker: &str) -> Option<Vec<String>> {
    let people = &view.policy.people;
    if people.is_empty() {
        return None;
    }
    let asker_may = entitled(view, terms, asker);
    let names = people.keys().filter(|name| {
        !view.policy.same_person(name, asker) && (asker_may || entitled(view, terms, name))
    });
    Some(names.cloned().collect())
}

/// The open request for an override of that rule: neither answered nor over.
pub(crate) fn pending<'a>(view: &View<'a>, rule: &str) -> Option<&'a Asked> {
    view.state?
        .asked
        .get(rule)
        .filter(|asked| asked.until > view.at())
}

/// From when on nobody is waited for any longer: as long as an acknowledgement is.
pub(crate) fn glass_from(view: &View<'_>, asked: &Asked) -> Instant {
    asked.at + Duration::seconds(i64::try_from(view.policy.oncall.ack_within).unwrap_or(300))
}

/// Seconds an override lasts: as configured, never above 24 h.
pub(crate) fn lasts(view: &View<'_>) -> Duration {
    let seconds = view.policy.limits.override_lasts.min(86_400);
    Duration::seconds(i64::try_from(seconds).unwrap_or(7200))
}

/// Who is told of a broken glass: the rule's owner, and the next escalation level (after the last the release manager).
pub(crate) fn told(view: &View<'_>, rule: &str) -> Vec<String> {
    let owner = terms(view, rule).owner;
    let briefs = view.state.map(|s| &s.briefs);
    let escalations = view.state.map(|s| &s.escalations);
    let reached = briefs
        .into_iter()
        .flatten()
        .map(|b| b.level)
        .chain(escalations.into_iter().flatten().filter_map(|(l, ..)| *l))
        .max()
        .unwrap_or(0);
    let next = oncall::people(view)
        .into_iter()
        .find(|p| p.level > reached)
        .map(|p| p.person)
        .or_else(|| view.policy.oncall.release_manager.clone());
    let mut names: Vec<String> = owner.into_iter().chain(next).collect();
    names.dedup();
    names
}

/// What is asked for and what holds, for every face.
pub(super) fn views(view: &View<'_>) -> Vec<OverrideView> {
    let Some(state) = view.state else {
        return Vec::new();
    };
    let open = state
        .asked
        .iter()
        .filter(|(_, asked)| asked.until > view.at())
        .map(|(rule, asked)| asked_view(view, rule, asked));
    let held = state
        .overrides
        .iter()
        .filter(|(_, o)| o.expires > view.at())
        .map(|(rule, o)| held_view(view, rule, o));
    open.chain(held).collect()
}

/// `tom or lena`, or `anybody but ana`.
pub(crate) fn names(may: Option<&[String]>, asker: &str) -> String {
    match may {
        None => format!("anybody but {asker}"),
        Some([]) => "nobody in [people]".to_owned(),
        Some(list) => list.join(" or "),
    }
}

fn asked_view(view: &View<'_>, rule: &str, asked: &Asked) -> OverrideView {
    let may = may_confirm(view, &terms(view, rule), &asked.by);
    let said = format!(
        "override of {rule} asked by {} ({}): {} may confirm until {}",
        asked.by,
        asked.reason,
        names(may.as_deref(), &asked.by),
        clock_full(asked.until, view.at(), view.policy.timezone)
    );
    OverrideView {
        rule: rule.to_owned(),
        mark: Mark::new("asked", Tone::Hold),
        by: asked.by.clone(),
        reason: asked.reason.clone(),
        until: asked.until,
        may: may.unwrap_or_default(),
        second: None,
        break_glass: false,
        said,
    }
}

fn held_view(view: &View<'_>, rule: &str, o: &Override) -> OverrideView {
    let until = clock_full(o.expires, view.at(), view.policy.timezone);
    let how = match (&o.second, o.break_glass) {
        (_, true) => ", BREAK GLASS: nobody answered, to be reviewed".to_owned(),
        (Some((name, known)), _) => format!(", second person {name} ({known})"),
        (None, _) => String::new(),
    };
    OverrideView {
        rule: rule.to_owned(),
        mark: Mark::new("in force", Tone::Hold),
        by: o.by.clone(),
        reason: o.reason.clone(),
        until: o.expires,
        may: Vec::new(),
        second: o.second.clone(),
        break_glass: o.break_glass,
        said: format!(
            "{rule} is overridden by {} until {until} ({}){how}",
            o.by, o.reason
        ),
    }
}
