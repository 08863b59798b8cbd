//! Brief, acknowledgement, handoff, incident, and who drives.

use crate::domain::act::{Danger, Verb};
use crate::domain::assess::{View, driver, oncall};
use crate::domain::situation::{HandoffView, Input, Permit, Refusal};

use super::{basis, no_release, permit};

pub(super) fn brief(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    if view.policy.oncall.channels.is_empty() {
        return Err(vec![
            Refusal::new("channel", "no channel is configured")
                .way_out("add [[oncall.channel]] to cockpit.toml"),
        ]);
    }
    let people = oncall::people(view);
    let Some(first) = people.first() else {
        return Err(vec![
            Refusal::new("on-call", "nobody is known to be on call")
                .way_out("set [oncall] connection or rotations"),
        ]);
    };
    let mut p = permit(
        view,
        "brief",
        format!("Brief on-call about {}", release.title),
        Danger::Medium,
    );
    for channel in &view.policy.oncall.channels {
        let place = channel.args.get("channel").map_or("", String::as_str);
        p.effects.push(format!(
            "{} is told over {} {place}",
            first.person, channel.connection
        ));
    }
    p.effects.push(format!(
        "no acknowledgement within {} s: the next level is told",
        view.policy.oncall.ack_within
    ));
    if view.state.is_some_and(|s| !s.briefs.is_empty()) {
        p.warnings
            .push("a brief was sent already: this sends it again".to_owned());
    }
    p.basis = basis(view, &[&first.person]);
    Ok(p)
}

pub(super) fn ack(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let state = view.state.filter(|s| !s.briefs.is_empty());
    let Some(state) = state else {
        return Err(vec![
            Refusal::new("brief", "no brief was sent").way_out("b briefs on-call"),
        ]);
    };
    if let Some((person, _, _)) = state.acks.first() {
        return Err(vec![Refusal::new(
            "brief",
            format!("{person} acknowledged already"),
        )]);
    }
    let mut p = permit(
        view,
        "ack",
        "Record an acknowledgement by word",
        Danger::Low,
    );
    p.inputs.push(Input {
        key: "person".to_owned(),
        label: "who acknowledged".to_owned(),
        required: true,
        default: oncall::people(view)
            .first()
            .map(|o| o.person.clone())
            .unwrap_or_default(),
    });
    p.effects.push(format!(
        "recorded as by word, taken by {}",
        view.observed.session.actor
    ));
    p.basis = basis(view, &[]);
    Ok(p)
}

pub(super) fn handoff(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    view.release.ok_or_else(no_release)?;
    let mut p = permit(view, "handoff", "Hand off", Danger::Low);
    p.inputs.push(Input {
        key: "to".to_owned(),
        label: "to whom".to_owned(),
        required: true,
        default: oncall::people(view)
            .iter()
            .map(|o| o.person.clone())
            .find(|person| *person != view.observed.session.actor)
            .unwrap_or_default(),
    });
    p.effects
        .push("the receiver takes it line by line; what is not taken stays with you".to_owned());
    p.basis = basis(view, &[]);
    Ok(p)
}

pub(super) fn incident(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    view.release.ok_or_else(no_release)?;
    let mut p = permit(view, "incident", "Declare an incident", Danger::Medium);
    p.inputs.push(Input {
        key: "title".to_owned(),
        label: "what is happening".to_owned(),
        required: true,
        default: String::new(),
    });
    let opens = view
        .policy
        .connections
        .values()
        .find(|c| c.can(Verb::CreateIncident));
    p.effects.push(match opens {
        Some(c) => format!("opened at {}, and journaled", c.name),
        None => "journaled; no connection can open incidents".to_owned(),
    });
    p.basis = basis(view, &[]);
    Ok(p)
}

pub(super) fn take(
    view: &View<'_>,
    handoff: &HandoffView,
    id: &str,
    text: &str,
) -> Result<Permit, Vec<Refusal>> {
    let actor = &view.observed.session.actor;
    if *actor == handoff.from && *actor != handoff.to {
        return Err(vec![Refusal::new(
            "handoff",
            format!("{} takes it over, line by line", handoff.to),
        )]);
    }
    let mut p = permit(view, &format!("take/{id}"), "Take over", Danger::Low);
    p.effects.push(text.to_owned());
    Ok(p)
}

pub(super) fn drive(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let session = &view.observed.session;
    if session.drives.contains(&release.id)
        && driver(release, view.state).as_deref() == Some(&session.actor)
    {
        return Err(vec![Refusal::new("driver", "you drive it already")]);
    }
    if let Some(holder) = session
        .leases
        .get(&release.id)
        .filter(|_| !session.drives.contains(&release.id))
    {
        return Err(vec![
            Refusal::new("lease", format!("{holder} holds the driver's lease"))
                .way_out("it lapses 30 s after that cockpit ends"),
        ]);
    }
    let mut p = permit(view, "drive", "Take the wheel", Danger::Low);
    p.effects
        .push(format!("{} drives {}", session.actor, release.title));
    p.basis = basis(view, &[&session.actor]);
    Ok(p)
}
