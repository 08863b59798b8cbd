//! Attaching a deployment that nobody planned to a release, so that gates, watch and rollback are there for it.

use crate::domain::act::Danger;
use crate::domain::assess::{View, open_releases};
use crate::domain::policy::Release;
use crate::domain::situation::{DeployRow, Input, Permit, Refusal};

use super::{basis, permit};

/// Open releases that change the service there.
pub(crate) fn attachable<'a>(
    view: &View<'a>,
    service: &str,
    environment: &str,
) -> Vec<&'a Release> {
    let open = open_releases(view.policy, view.journal).into_iter();
    let own = open.filter(|r| r.environment == environment);
    own.filter(|r| r.changes.iter().any(|c| c.service == service))
        .collect()
}

pub(super) fn attach(view: &View<'_>, row: &DeployRow) -> Result<Permit, Vec<Refusal>> {
    let open = attachable(view, &row.service, &row.environment);
    let mut p = permit(
        view,
        &format!("attach/{}", row.id),
        format!("Attach {} {} to a release", row.service, row.version),
        Danger::Medium,
    );
    p.service = Some(row.service.clone());
    p.environment = Some(row.environment.clone());
    p.from.clone_from(&row.from);
    p.to = Some(row.version.clone());
    let before = row.from.as_deref().unwrap_or("not known");
    p.effects.push(format!(
        "{} {before} → {} is judged, watched and rolled back as that release's change",
        row.service, row.version
    ));
    p.effects.push("nothing is asked of the vendor".to_owned());
    let names: Vec<&str> = open.iter().map(|r| r.id.as_str()).collect();
    let label = if names.is_empty() {
        "release (none of this service is open: empty for one of its own)".to_owned()
    } else {
        format!("release: {}, or empty for one of its own", names.join(", "))
    };
    p.inputs.push(Input {
        key: "release".to_owned(),
        label,
        required: false,
        default: names.first().map(|n| (*n).to_owned()).unwrap_or_default(),
    });
    p.basis = basis(view, &[&row.id, &row.version, before]);
    Ok(p)
}
