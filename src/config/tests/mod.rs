//! The format as a whole: what loads, what is refused, where, and with which words.

mod diff;
mod documents;
mod errors;
mod errors_more;
mod hostile;
mod load;
mod trust;

use super::connectors::{ConnectorInfo, SettingInfo, SettingKind};
use crate::domain::act::Verb;

fn setting(name: &str, kind: SettingKind) -> SettingInfo {
    SettingInfo {
        name: name.into(),
        kind,
        ..SettingInfo::default()
    }
}

/// A few connectors, as `connect` would describe them.
pub fn connectors() -> Vec<ConnectorInfo> {
    let url = || SettingInfo {
        required: true,
        ..setting("url", SettingKind::Url)
    };
    let text = |name| SettingInfo {
        required: true,
        ..setting(name, SettingKind::Text)
    };
    let token = || SettingInfo {
        required: true,
        secret: true,
        ..setting("token", SettingKind::Text)
    };
    let optional = |info: SettingInfo| SettingInfo {
        required: false,
        ..info
    };
    let info = |id: &str, driver: &str, settings, reads: &[&str], verbs: &[Verb]| ConnectorInfo {
        id: id.into(),
        driver: driver.into(),
        settings,
        reads: reads.iter().map(|r| (*r).to_owned()).collect(),
        verbs: verbs.to_vec(),
        named_reads: Vec::new(),
    };
    let github_url = SettingInfo {
        default: Some("https://api.github.com".into()),
        ..setting("url", SettingKind::Url)
    };
    vec![
        info(
            "prometheus",
            "prometheus",
            vec![url(), optional(token())],
            &["series", "alert"],
            &[],
        ),
        info(
            "argocd",
            "argocd",
            vec![url(), token()],
            &["deployment"],
            &[Verb::Deploy, Verb::Rollback],
        ),
        info(
            "github",
            "http",
            vec![github_url, text("owner"), text("repo"), token()],
            &["deployment", "build", "commit"],
            &[Verb::Deploy],
        ),
        info("oci", "http", vec![url()], &["artifact"], &[]),
        info(
            "pagerduty",
            "http",
            vec![url(), token(), setting("from", SettingKind::Text)],
            &["oncall", "incident"],
            &[Verb::Ack],
        ),
        info(
            "slack",
            "http",
            vec![url(), token()],
            &["reaction"],
            &[Verb::PostMessage],
        ),
        info(
            "alertmanager",
            "http",
            vec![url()],
            &["alert"],
            &[Verb::Silence],
        ),
        info(
            "calendar",
            "calendar",
            vec![optional(url())],
            &["event"],
            &[],
        ),
        info("ical", "calendar", vec![url()], &["event"], &[]),
        info(
            "command",
            "command",
            vec![SettingInfo {
                required: true,
                ..setting("argv", SettingKind::List)
            }],
            &["check"],
            &[Verb::Run],
        ),
        info(
            "git",
            "git",
            vec![SettingInfo {
                required: true,
                ..setting("path", SettingKind::Path)
            }],
            &["commit"],
            &[],
        ),
    ]
}
