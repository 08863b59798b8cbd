//! Approvals: asked for, given, written down.

use crate::domain::act::Danger;
use crate::domain::assess::View;
use crate::domain::assess::approvals::{
    approval, approvers, asker, barred, class_of, digest, lasts, rule,
};
use crate::domain::policy::{ApprovalRule, Release};
use crate::domain::situation::{Input, Permit, Refusal};
use crate::domain::words;

use super::{basis, no_release, permit};

/// The rule that asks for approvals, or the refusal where none does.
fn wanted<'a>(view: &View<'a>) -> Result<(&'a Release, &'a ApprovalRule), Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let rule = rule(view, release).ok_or_else(|| {
        let class = class_of(view, release).word();
        vec![Refusal::new(
            "approval",
            format!("class {class} needs no approval"),
        )]
    })?;
    Ok((release, rule))
}

/// Gives an approval as oneself, or writes one down by word.
pub(super) fn approve(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let (release, rule) = wanted(view)?;
    let title = format!("Approve {}", release.title);
    let mut p = permit(view, "approve", title, Danger::Medium);
    let actor = &view.observed.session.actor;
    let session = &view.observed.session;
    let own = session.known_by == "os user"
        && approvers(view, release, rule).contains(actor)
        && asker(view, release).is_none_or(|by| !view.policy.same_person(&by, actor));
    p.inputs.push(Input {
        key: "by".to_owned(),
        label: format!("who approves ({})", rule.of.join(" or ")),
        required: true,
        default: if own { actor.clone() } else { String::new() },
    });
    p.effects.push(format!(
        "class {}: {} of {}; neither the author nor the driver",
        class_of(view, release).word(),
        rule.count,
        rule.of.join(" or ")
    ));
    p.effects.push(if own {
        format!("you are {actor}, known as the OS user; another name is by word, taken by you")
    } else {
        format!("by word, taken by {actor}: not the one who asks")
    });
    let hours = u64::try_from(lasts(view).num_seconds()).unwrap_or(0);
    p.effects.push(format!(
        "bound to versions and contract, void when either changes; expires after {}",
        words::seconds(hours)
    ));
    p.basis = basis(view, &[&digest(view, release)]);
    Ok(p)
}

/// Asks those who may approve, over every channel.
pub(super) fn ask_approval(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let (release, rule) = wanted(view)?;
    if let Ok(words) = approval(view) {
        return Err(vec![Refusal::new("approval", format!("approved {words}"))]);
    }
    let title = format!("Ask for approval of {}", release.title);
    let mut p = permit(view, "ask_approval", title, Danger::Medium);
    let able = approvers(view, release, rule);
    let who = if able.is_empty() {
        rule.of.join(" or ")
    } else {
        able.join(", ")
    };
    let channels = &view.policy.oncall.channels;
    if channels.is_empty() {
        p.effects
            .push(format!("no channel is configured: tell {who} yourself"));
    }
    for channel in channels {
        let place = channel.args.get("channel").map_or("", String::as_str);
        p.effects
            .push(format!("{who}: asked over {} {place}", channel.connection));
    }
    if able.is_empty() && !view.policy.people.is_empty() {
        p.warnings.push(format!(
            "nobody in [people] with {} is neither author nor driver",
            rule.of.join(" or ")
        ));
    }
    for name in view.policy.people.keys() {
        if let Some(what) = barred(view, release, name) {
            p.effects
                .push(format!("{name} is {what} and may not approve"));
        }
    }
    p.inputs.push(Input {
        key: "note".to_owned(),
        label: "note".to_owned(),
        required: false,
        default: String::new(),
    });
    p.basis = basis(view, &[&digest(view, release)]);
    Ok(p)
}
