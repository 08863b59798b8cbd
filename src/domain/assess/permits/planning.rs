//! Planning a release here, and moving one to another start.

use sha2::{Digest, Sha256};

use crate::domain::act::Danger;
use crate::domain::assess::{View, phase_of};
use crate::domain::contract::hex;
use crate::domain::planning::{self, FIELDS};
use crate::domain::policy::Release;
use crate::domain::situation::{Input, Permit, Phase, Refusal};
use crate::domain::words::both_zones;

use super::permit;

/// A plan depends on the file alone: what happens to other releases while somebody types does not undo it. What is typed is read again
/// when it is written.
pub(super) fn plan(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    if view.policy.services.is_empty() {
        return Err(vec![
            Refusal::new("service", "no service is configured").way_out("add [[service]]"),
        ]);
    }
    let mut p = permit(view, "plan", "Plan a release", Danger::Medium);
    p.service = None;
    p.environment = None;
    p.effects
        .push("written to the journal; cockpit.toml stays as it is".to_owned());
    p.inputs = FIELDS
        .iter()
        .map(|(key, label, required)| Input {
            key: (*key).to_owned(),
            label: (*label).to_owned(),
            required: *required,
            default: default(view, key),
        })
        .collect();
    p.basis = digest(&["plan", &view.policy.digest]);
    Ok(p)
}

fn default(view: &View<'_>, key: &str) -> String {
    match key {
        "environment" => view.environment().to_owned(),
        "driver" if view.policy.people.is_empty() => view.observed.session.actor.clone(),
        "driver" => Some(&view.observed.session.actor)
            .filter(|a| view.policy.people.contains_key(*a))
            .cloned()
            .unwrap_or_default(),
        "class" => "normal, regular, 24h".to_owned(),
        _ => String::new(),
    }
}

/// A release that has not begun may start at another time.
pub(super) fn shift(view: &View<'_>, release: &Release) -> Result<Permit, Vec<Refusal>> {
    let at = phase_of(view, release);
    if !matches!(at, Phase::Planned | Phase::Ready) {
        let why = format!("{} is {}: its start is over", release.title, at.word());
        return Err(vec![Refusal::new("phase", why)]);
    }
    let key = format!("move/{}", release.id);
    let mut p = permit(
        view,
        &key,
        format!("Move {}", release.title),
        Danger::Medium,
    );
    p.service = None;
    p.environment = Some(release.environment.clone());
    p.from = Some(match release.planned {
        Some(at) => both_zones(at, view.policy.timezone),
        None => "no date".to_owned(),
    });
    p.effects
        .push("written to the journal; cockpit.toml stays as it is".to_owned());
    if let Some(moved) = planning::moved(view.journal, release) {
        p.warnings.push(format!("{} moved it before", moved.by));
    }
    p.inputs.push(Input {
        key: "start".to_owned(),
        label: "new start".to_owned(),
        required: true,
        default: String::new(),
    });
    let planned = release.planned.map_or(String::new(), |t| t.to_rfc3339());
    p.basis = digest(&["move", &release.id, &planned, at.word()]);
    Ok(p)
}

fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hex(&hasher.finalize()).chars().take(16).collect()
}
