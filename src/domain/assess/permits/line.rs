//! Stop the line: everything that is in flight in the environment, whosever release it is.

use std::collections::BTreeSet;

use crate::domain::act::{Danger, Verb};
use crate::domain::assess::View;
use crate::domain::assess::line::stopped;
use crate::domain::assess::rollout::record_of;
use crate::domain::policy::Service;
use crate::domain::record::{DeployState, Deployment};
use crate::domain::situation::{DeployRow, Input, Permit, Refusal, Situation};

use super::{basis, permit, reason};

/// A deployment under way in the environment.
pub(crate) struct InLine<'a> {
    pub service: &'a Service,
    pub record: &'a Deployment,
    /// Why it cannot be paused from here.
    pub cannot: Option<String>,
}

/// Every deployment under way in the environment, by the last record read, also of other releases and of none.
pub(crate) fn in_line<'a>(view: &View<'a>, rows: &[DeployRow]) -> Vec<InLine<'a>> {
    let here = rows.iter().filter(|d| {
        // A record that is stale counts as well: it may be under way still.
        d.environment == view.environment() && d.state.in_flight()
    });
    let services = here.filter_map(|d| view.policy.service(&d.service));
    services
        .filter_map(|s| Some((s, record_of(view, s, view.environment()).0?)))
        .map(|(service, record)| {
            let connection = service.deployments.as_deref().unwrap_or_default();
            let able = view.policy.connections.get(connection);
            let cannot = match able {
                Some(c) if c.can(Verb::Pause) => None,
                Some(c) => Some(format!("connector {} cannot pause", c.connector)),
                None => Some(format!("there is no connection {connection}")),
            };
            InLine {
                service,
                record,
                cannot,
            }
        })
        .collect()
}

pub(super) fn stop(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    if let Some(line) = stopped(view) {
        let why = format!("the line is stopped already, by {}", line.by);
        return Err(vec![
            Refusal::new("line", why).way_out("L lets it go; who obeyed stands at the deploys"),
        ]);
    }
    let mut p = permit(view, "stop_line", "Stop the line", Danger::High);
    p.service = None;
    let mut parts: Vec<String> = Vec::new();
    for one in in_line(view, &s.deployments) {
        let (name, version) = (&one.service.name, &one.record.version);
        parts.push(format!("{name} {version} {}", one.record.state.word()));
        match one.cannot {
            Some(why) => p
                .warnings
                .push(format!("{name} {version}: {why}: it goes on")),
            None if one.record.state == DeployState::Paused => {
                p.effects
                    .push(format!("hold {name} {version}, which is paused"));
            }
            None => p.effects.push(format!("pause {name} {version}")),
        }
    }
    let connections: BTreeSet<&str> = view
        .policy
        .services
        .iter()
        .filter_map(|s| s.deployments.as_deref())
        .collect();
    for name in connections {
        let (_, freshness) = view.feed(&format!("deployments/{name}"));
        if !freshness.usable() {
            p.warnings.push(format!(
                "{name} is {}: what is under way there may be missing here",
                freshness.word()
            ));
        }
    }
    if parts.is_empty() {
        p.effects.push("nothing is under way".to_owned());
    }
    p.effects.push(format!(
        "no deployment in {} starts or goes on until the line is let go; abort and rollback pass",
        view.environment()
    ));
    p.typed = Some("stop".to_owned());
    p.inputs.push(reason(true, ""));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    p.basis = basis(view, &parts);
    Ok(p)
}

pub(super) fn let_go(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let Some(line) = stopped(view) else {
        return Err(vec![Refusal::new("line", "the line is not stopped")]);
    };
    let mut p = permit(view, "let_go", "Let the line go", Danger::High);
    p.service = None;
    p.effects.push(
        "deployments may start and go on again; what was paused stays so until it is resumed"
            .to_owned(),
    );
    p.typed = view.protected().then(|| "go".to_owned());
    p.inputs.push(Input {
        key: "how".to_owned(),
        label: "why it may go on".to_owned(),
        required: true,
        default: String::new(),
    });
    p.basis = basis(view, &[&line.at.to_rfc3339()]);
    Ok(p)
}
