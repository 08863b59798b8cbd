//! Trust: what needs a new grant, what does not, and what is said about it.

use std::path::Path;

use super::connectors;
use crate::config::load;
use crate::config::trust::{Subject, Trust, TrustError, check, grant, is_trusted};
use crate::domain::time::Instant;

const FULL: &str = include_str!("full.toml");

fn subject(text: &str) -> Subject {
    let (policy, _) = load(text, "cockpit.toml", &connectors()).unwrap();
    Subject::new(
        Path::new("/shop/cockpit.toml"),
        text.as_bytes(),
        &policy,
        &[("hub.toml".into(), b"id = 1".to_vec())],
    )
}

fn at() -> Instant {
    "2026-11-17T16:00:00Z".parse().unwrap()
}

#[test]
fn a_file_is_trusted_only_after_a_grant_and_says_what_it_reaches() {
    let dir = tempfile::tempdir().unwrap();
    let subject = subject(FULL);
    let Trust::Never(lines) = check(dir.path(), &subject).unwrap() else {
        panic!()
    };
    for line in [
        "connections.prom.url = http://prometheus.internal:9090",
        "connections.argo.token = env:ARGO_TOKEN",
        "connections.smoke.argv = ./smoke --quick",
        "connector hub.toml = a file of this machine",
    ] {
        assert!(lines.iter().any(|l| l == line), "{line} in {lines:#?}");
    }
    assert!(!is_trusted(dir.path(), &subject).unwrap());
    grant(dir.path(), &subject, at()).unwrap();
    assert!(is_trusted(dir.path(), &subject).unwrap());
    // Another file of the same content was not granted.
    let elsewhere = Subject {
        path: "/other/cockpit.toml".into(),
        ..subject
    };
    assert!(!is_trusted(dir.path(), &elsewhere).unwrap());
}

#[test]
fn an_edit_that_reaches_nothing_else_needs_no_new_grant() {
    let dir = tempfile::tempdir().unwrap();
    grant(dir.path(), &subject(FULL), at()).unwrap();
    let edited = subject(
        &FULL
            .replace("title = \"Shop\"", "title = \"Store\"")
            .replace("16:00", "15:00"),
    );
    assert_ne!(edited.digest, subject(FULL).digest);
    assert!(is_trusted(dir.path(), &edited).unwrap());
}

#[test]
fn whatever_is_reached_differently_asks_again_and_is_named() {
    for (old, new, line) in [
        (
            "prometheus.internal:9090",
            "evil.example:9090",
            "changed: connections.prom.url: http://prometheus.internal:9090 → http://evil.example:9090",
        ),
        (
            "https://slack.com/api",
            "https://slack.com/other",
            "changed: connections.chat.url (still https://slack.com, but not the same behind it)",
        ),
        (
            "env:ARGO_TOKEN",
            "env:HOME",
            "changed: connections.argo.token: env:ARGO_TOKEN → env:HOME",
        ),
        (
            "pass show slack",
            "pass show bank",
            "changed: connections.chat.token: command:pass show slack → command:pass show bank",
        ),
        (
            "\"--quick\"",
            "\"--wipe\"",
            "changed: connections.smoke.argv: ./smoke --quick → ./smoke --wipe",
        ),
        (
            "#releases",
            "#world",
            "changed: oncall.channels[0]: chat channel=#releases → chat channel=#world",
        ),
        (
            "#flights",
            "#world",
            "changed: notify.channels[0]: chat channel=#flights → chat channel=#world",
        ),
        (
            "shop-checkout-prod",
            "bank-prod",
            "changed: service checkout (still deployed by argo, but not the same behind it)",
        ),
        (
            "[connections.smoke]",
            "[connections.second]\nconnector = \"oci\"\nurl = \"https://second\"\n[connections.smoke]",
            "new: connections.second.url = https://second",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        grant(dir.path(), &subject(FULL), at()).unwrap();
        let Trust::Changed(lines) = check(dir.path(), &subject(&FULL.replace(old, new))).unwrap()
        else {
            panic!("{new} needs no grant")
        };
        assert!(lines.iter().any(|l| l == line), "{line} in {lines:#?}");
    }
}

#[test]
fn a_changed_connector_file_asks_again() {
    let dir = tempfile::tempdir().unwrap();
    let before = subject(FULL);
    grant(dir.path(), &before, at()).unwrap();
    let (policy, _) = load(FULL, "cockpit.toml", &connectors()).unwrap();
    let after = Subject::new(
        &before.path,
        FULL.as_bytes(),
        &policy,
        &[("hub.toml".into(), b"id = 2".to_vec())],
    );
    assert_ne!(before.digest, after.digest);
    assert!(matches!(check(dir.path(), &after), Ok(Trust::Changed(lines)) if lines.len() == 1));
}

#[test]
fn a_damaged_list_trusts_nobody_and_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("trust.toml"), "file = 3").unwrap();
    let subject = subject(FULL);
    assert!(matches!(
        is_trusted(dir.path(), &subject),
        Err(TrustError::Damaged { .. })
    ));
    assert!(grant(dir.path(), &subject, at()).is_err());
    assert_eq!(
        std::fs::read_to_string(dir.path().join("trust.toml")).unwrap(),
        "file = 3"
    );
}

#[test]
fn the_embedded_world_needs_no_trust() {
    let dir = tempfile::tempdir().unwrap();
    let text = "timezone = 'UTC'\n[demo]\n[environments.production]\n[connections.p]\nconnector = 'prometheus'\nurl = 'demo:prometheus'";
    assert!(is_trusted(dir.path(), &subject(text)).unwrap());
}
