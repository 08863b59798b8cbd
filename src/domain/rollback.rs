//! The plan of a rollback (SEMANTICS 8): hold what would fight it, act in reverse dependency order, watch, restore.

use std::collections::BTreeMap;

use serde_json::Value;

use super::act::{Act, Verb};
use super::event::{Plan, PlanStep, StepKind};
use super::policy::{Policy, Service};
use super::record::Deployment;
use super::time::Instant;

/// Services so that each stands after everything it depends on; by name where nothing decides.
///
/// `config` refuses cycles; should one slip through, its members follow in the order of their names.
pub fn dependency_order(policy: &Policy) -> Vec<String> {
    let mut left: BTreeMap<&str, &Service> = policy
        .services
        .iter()
        .map(|s| (s.name.as_str(), s))
        .collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, s)| !s.depends_on.iter().any(|d| left.contains_key(d.as_str())))
            .map(|(name, _)| *name)
            .collect();
        let next = if free.is_empty() {
            left.keys().copied().collect()
        } else {
            free
        };
        for name in next {
            left.remove(name);
            order.push(name.to_owned());
        }
    }
    order
}

/// What one service's part of a plan needs to be known.
pub struct Part<'a> {
    /// The service.
    pub service: &'a Service,
    /// The vendor's live record.
    pub record: &'a Deployment,
    /// Bad version.
    pub from: String,
    /// Version to go back to.
    pub to: String,
    /// The source's revision that version was deployed from, where it is on record.
    pub revision: Option<String>,
    /// Can the connection hold auto-sync?
    pub can_hold: bool,
}

/// Builds the plan. `parts` stand in dependency order; the plan acts in reverse. Act ids are derived from the plan's
/// id, so that the same plan asked twice carries the same marks.
pub fn plan(
    id: &str,
    release: &str,
    environment: &str,
    reason: &str,
    tripped_at: Option<Instant>,
    parts: &[Part<'_>],
) -> Plan {
    let mut steps = Vec::new();
    for part in parts.iter().rev() {
        steps_of(&mut steps, id, release, environment, reason, part);
    }
    let first = parts
        .first()
        .map(|p| p.service.name.clone())
        .unwrap_or_default();
    steps.push(PlanStep {
        id: "clear".to_owned(),
        service: first,
        environment: environment.to_owned(),
        kind: StepKind::AwaitClear,
        title: "wait until every trigger is clear".to_owned(),
    });
    // Restores come last: auto-sync would put the bad version back.
    let (restores, others): (Vec<_>, Vec<_>) = steps
        .into_iter()
        .partition(|s| matches!(s.kind, StepKind::Restore { .. }));
    Plan {
        id: id.to_owned(),
        release: release.to_owned(),
        reason: reason.to_owned(),
        tripped_at,
        steps: others.into_iter().chain(restores).collect(),
    }
}

fn steps_of(
    steps: &mut Vec<PlanStep>,
    plan: &str,
    release: &str,
    environment: &str,
    reason: &str,
    part: &Part<'_>,
) {
    let name = &part.service.name;
    let connection = part.service.deployments.clone().unwrap_or_default();
    let act = |verb: Verb, extra: Vec<(&str, Value)>, summary: String| {
        let mut args: BTreeMap<String, Value> = part
            .service
            .args(environment)
            .into_iter()
            .map(|(k, v)| (k, Value::String(v)))
            .collect();
        args.insert("id".to_owned(), Value::String(part.record.id.clone()));
        args.insert("reason".to_owned(), Value::String(reason.to_owned()));
        for (key, value) in extra {
            args.insert(key.to_owned(), value);
        }
        Act {
            id: format!("{plan}/{name}/{}", verb.word().replace(' ', "-")),
            connection: connection.clone(),
            verb,
            args,
            release: Some(release.to_owned()),
            service: Some(name.clone()),
            environment: Some(environment.to_owned()),
            reason: reason.to_owned(),
            summary,
        }
    };
    let step = |kind_id: &str, kind: StepKind, title: String| PlanStep {
        id: format!("{name}/{kind_id}"),
        service: name.clone(),
        environment: environment.to_owned(),
        kind,
        title,
    };
    let holds = part.can_hold && part.record.auto_sync == Some(true);
    let field = part.record.hold_field.clone().unwrap_or(Value::Null);
    if holds {
        let title = if part.record.hold_field.is_some() {
            format!("hold auto-sync of {name}, keeping the field as it is")
        } else {
            format!("hold auto-sync of {name}; its field was not read, so it is put back by hand")
        };
        let hold = act(Verb::Hold, vec![("field", field.clone())], title.clone());
        steps.push(step("hold", StepKind::Hold { act: hold }, title));
    }
    let entry = part.record.entry_of(&part.to, part.revision.as_deref());
    let ids: Vec<&String> = entry
        .iter()
        .flat_map(|h| std::iter::once(&h.id).chain(&h.also))
        .collect();
    let title = format!("roll {name} back {} → {}", part.from, part.to);
    let extra = vec![
        ("version", Value::String(part.to.clone())),
        ("ref", Value::String(part.to.clone())),
        ("from", Value::String(part.from.clone())),
    ];
    // Where going back takes one act a region, each is a step of its own: what came of it stands beside it.
    let count = ids.len().max(1);
    for n in 0..count {
        let mut extra = extra.clone();
        if let Some(id) = ids.get(n) {
            extra.push(("history_id", Value::String((*id).clone())));
        }
        let title = match count {
            1 => title.clone(),
            _ => format!("{title}, {} of {count}", n + 1),
        };
        let mut act = act(Verb::Rollback, extra, title.clone());
        let mut id = "rollback".to_owned();
        if n > 0 {
            act.id = format!("{}/{}", act.id, n + 1);
            id = format!("{id}/{}", n + 1);
        }
        let kind = StepKind::Act {
            act,
            from: part.from.clone(),
            to: part.to.clone(),
        };
        steps.push(step(&id, kind, title));
    }
    steps.push(step(
        "live",
        StepKind::AwaitVersion {
            version: part.to.clone(),
        },
        format!("wait until {name} {} serves", part.to),
    ));
    // What was not read cannot be put back exactly: then there is no restore, only a debt.
    if holds && part.record.hold_field.is_some() {
        let title = format!(
            "restore auto-sync of {name} once its source no longer names {}",
            part.from
        );
        let restore = act(Verb::ReleaseHold, vec![("field", field)], title.clone());
        steps.push(step(
            "restore",
            StepKind::Restore {
                act: restore,
                bad: part.from.clone(),
            },
            title,
        ));
    }
}
