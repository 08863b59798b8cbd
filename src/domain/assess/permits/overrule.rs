//! Overrides: asked, confirmed by a second person, declined, and done alone where nobody answers.

use crate::domain::act::Danger;
use crate::domain::assess::overrides::{
    glass_from, lasts, may_confirm, names, needs_second, pending, terms, told,
};
use crate::domain::assess::{View, clock_full};
use crate::domain::situation::{Input, Permit, Refusal};
use crate::domain::words;

use super::{basis, permit, reason, typed};

/// The override of a rule: given at once, asked of a second person, or confirmed as the second person.
pub(super) fn overrule(view: &View<'_>, refusal: &Refusal) -> Result<Permit, Vec<Refusal>> {
    let rule = refusal.rule.as_str();
    let mut p = if pending(view, rule).is_some() {
        confirm(view, rule)
    } else {
        ask(view, rule)?
    };
    p.effects.insert(0, refusal.why.clone());
    p.typed = typed(view);
    let state = pending(view, rule).map_or_else(String::new, |a| format!("{} {}", a.by, a.at));
    p.basis = basis(view, &[rule, &state]);
    Ok(p)
}

/// How long it holds, as people read it.
fn length(view: &View<'_>) -> String {
    words::seconds(u64::try_from(lasts(view).num_seconds()).unwrap_or(0))
}

fn ask(view: &View<'_>, rule: &str) -> Result<Permit, Vec<Refusal>> {
    let terms = terms(view, rule);
    let actor = &view.observed.session.actor;
    if !needs_second(view, &terms, actor) {
        let key = format!("override/{rule}");
        let mut p = permit(view, &key, format!("Override {rule}"), Danger::High);
        let line = format!("lasts {}, is a debt of yours", length(view));
        p.effects.push(line);
        p.inputs.push(reason(true, ""));
        return Ok(p);
    }
    let may = may_confirm(view, &terms, actor);
    if may.as_ref().is_some_and(Vec::is_empty) {
        return Err(vec![nobody(view, rule, &terms.roles)]);
    }
    let key = format!("override/{rule}");
    let mut p = permit(view, &key, format!("Ask to override {rule}"), Danger::High);
    let why = if terms.hard {
        "a hard freeze wants a second person".to_owned()
    } else {
        format!("you hold none of the roles {}", terms.roles.join(", "))
    };
    let who = names(may.as_deref(), actor);
    p.effects
        .push(format!("{why}: {who} has to confirm it, not you"));
    p.effects.push(format!(
        "stays open {}; then it lasts {} and is a debt of yours",
        length(view),
        length(view)
    ));
    p.inputs.push(reason(true, ""));
    Ok(p)
}

/// Nobody could confirm it, whoever asks.
fn nobody(view: &View<'_>, rule: &str, roles: &[String]) -> Refusal {
    let actor = &view.observed.session.actor;
    let own = view.policy.roles(actor);
    let own = if own.is_empty() {
        "none".to_owned()
    } else {
        own.join(", ")
    };
    let needs = if roles.is_empty() {
        "a second person, and [people] lists nobody else".to_owned()
    } else {
        format!(
            "one of: {}, and nobody in [people] could give or confirm it",
            roles.join(", ")
        )
    };
    Refusal::new(rule, format!("an override needs {needs}")).way_out(format!(
        "you are {actor} with roles {own}; O breaks the glass"
    ))
}

fn confirm(view: &View<'_>, rule: &str) -> Permit {
    let key = format!("override/{rule}");
    let mut p = permit(
        view,
        &key,
        format!("Confirm the override of {rule}"),
        Danger::High,
    );
    let Some(asked) = pending(view, rule) else {
        return p;
    };
    let may = may_confirm(view, &terms(view, rule), &asked.by);
    let zone = view.policy.timezone;
    p.effects
        .push(format!("{} asked for it: {}", asked.by, asked.reason));
    p.effects.push(format!(
        "{} may confirm until {}; {} may not",
        names(may.as_deref(), &asked.by),
        clock_full(asked.until, view.at(), zone),
        asked.by
    ));
    p.effects.push(format!(
        "lasts {} from now, is a debt of {}",
        length(view),
        asked.by
    ));
    let actor = &view.observed.session.actor;
    let able = may.is_none_or(|list| list.iter().any(|n| view.policy.same_person(n, actor)));
    let other = !view.policy.same_person(actor, &asked.by);
    p.inputs.push(Input {
        key: "second".to_owned(),
        label: "second person".to_owned(),
        required: true,
        default: if able && other {
            actor.clone()
        } else {
            String::new()
        },
    });
    p
}

/// The request is declined by somebody else, or withdrawn by the one who asked.
pub(super) fn decline(view: &View<'_>, rule: &str) -> Option<Permit> {
    let asked = pending(view, rule)?;
    let own = view
        .policy
        .same_person(&asked.by, &view.observed.session.actor);
    let verb = if own { "Withdraw" } else { "Decline" };
    let key = format!("decline_override/{rule}");
    let title = format!("{verb} the override of {rule}");
    let mut p = permit(view, &key, title, Danger::Medium);
    p.effects
        .push(format!("{} asked for it: {}", asked.by, asked.reason));
    p.inputs.push(reason(true, ""));
    p.basis = basis(view, &[rule, &asked.at.to_rfc3339()]);
    Some(p)
}

/// Alone, where no second person answers. `None`: the rule never wanted one.
pub(super) fn break_glass(
    view: &View<'_>,
    refusal: &Refusal,
) -> Option<Result<Permit, Vec<Refusal>>> {
    let rule = refusal.rule.as_str();
    let terms = terms(view, rule);
    let actor = &view.observed.session.actor;
    let asked = pending(view, rule);
    let asker = asked.map_or(actor, |a| &a.by);
    if !needs_second(view, &terms, asker) {
        return None;
    }
    let may = may_confirm(view, &terms, asker);
    let somebody = may.as_ref().is_none_or(|list| !list.is_empty());
    let who = names(may.as_deref(), asker);
    match asked {
        None if somebody => Some(Err(vec![
            Refusal::new(
                rule,
                "nobody was asked yet: the glass is for when nobody answers",
            )
            .way_out(format!("o asks {who}")),
        ])),
        Some(a) if somebody && glass_from(view, a) > view.at() => {
            let mut wait = Refusal::new(rule, format!("{who} was asked and may still answer"));
            wait.until = Some(glass_from(view, a));
            wait.owner = terms.owner;
            Some(Err(vec![wait.way_out("wait; then O breaks the glass")]))
        }
        _ => Some(Ok(glass(
            view,
            refusal,
            &who,
            asked.map(|a| a.reason.as_str()),
        ))),
    }
}

fn glass(view: &View<'_>, refusal: &Refusal, who: &str, asked: Option<&str>) -> Permit {
    let rule = refusal.rule.as_str();
    let key = format!("break_glass/{rule}");
    let mut p = permit(view, &key, format!("BREAK GLASS on {rule}"), Danger::High);
    p.effects.push(refusal.why.clone());
    p.effects.push(match asked {
        Some(_) => format!("{who} did not answer: you override it alone"),
        None => format!("{who} could confirm it: you override it alone"),
    });
    let told = told(view, rule).join(" and ");
    let channels: Vec<&str> = view
        .policy
        .oncall
        .channels
        .iter()
        .map(|c| c.connection.as_str())
        .collect();
    p.effects.push(match (told.as_str(), channels.as_slice()) {
        ("", []) => {
            "nobody is told: the rule has no owner, and no channel is configured".to_owned()
        }
        ("", _) => format!("told over {}", channels.join(", ")),
        (names, []) => format!("no channel is configured: tell {names} yourself"),
        (names, _) => format!("{names} are told over {}", channels.join(", ")),
    });
    p.effects
        .push(format!("lasts {}, is a debt of yours", length(view)));
    p.warnings
        .push("a review is mandatory, due in 24 h: the release does not close before".to_owned());
    p.inputs.push(reason(true, asked.unwrap_or_default()));
    p.typed = typed(view);
    p.basis = basis(view, &["glass", rule]);
    p
}
