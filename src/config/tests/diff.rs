//! What a reload says.

use super::connectors;
use crate::config::{diff, load};
use crate::domain::policy::Policy;

const FULL: &str = include_str!("full.toml");

fn policy(text: &str) -> Policy {
    load(text, "cockpit.toml", &connectors()).unwrap().0
}

fn lines(old: &str, new: &str) -> Vec<String> {
    assert!(FULL.contains(old), "{old}");
    diff(&policy(FULL), &policy(&FULL.replacen(old, new, 1)))
}

#[test]
fn the_same_rules_in_other_words_are_no_change() {
    assert_eq!(
        lines("title = \"Shop\"", "# a comment\ntitle = \"Shop\""),
        Vec::<String>::new()
    );
}

#[test]
fn each_change_is_a_line_and_what_stays_in_force_says_so() {
    const STAYS: &str = "; releases that are sealed and open keep the old one until they close, unless it is taken by name";
    const SEALED: &str = "; sealed contracts keep the old one";
    for (old, new, expected) in [
        (
            "title = \"Shop\"",
            "title = \"Store\"",
            "title: Shop → Store".to_owned(),
        ),
        (
            "name = \"quarter end\"",
            "name = \"year end\"",
            format!("freeze \"quarter end\" is gone{STAYS}"),
        ),
        (
            "http://prometheus.internal:9090",
            "http://other:9090/secret",
            format!(
                "connection \"prom\" url: http://prometheus.internal:9090 → http://other:9090{STAYS}"
            ),
        ),
        (
            "p95 = \"0.6s\"",
            "p95 = \"0.5s\"",
            format!("service \"checkout\" slo p95: 0.6 → 0.5{SEALED}"),
        ),
        (
            "tolerance = 2",
            "tolerance = 3",
            format!("service \"checkout\" gate \"40%\" tolerance: 2.0 → 3.0{SEALED}"),
        ),
        (
            "shop-checkout-prod",
            "bank",
            format!(
                "service \"checkout\" target production application: shop-checkout-prod → bank{STAYS}"
            ),
        ),
        (
            "presence = \"20m\"",
            "presence = \"1h\"",
            "limits presence: 20 m → 1 h".to_owned(),
        ),
        (
            "env:ARGO_TOKEN",
            "env:OTHER",
            format!("connection \"argo\" token: env:ARGO_TOKEN → env:OTHER{STAYS}"),
        ),
        (
            "driver = \"ana\"",
            "driver = \"ben\"",
            "release \"2026.47\" driver: ana → ben".to_owned(),
        ),
        (
            "[environments.staging]\n[environments.production]\nprotected = true",
            "[environments.production]\nprotected = true\n[environments.staging]",
            "the order of promotion of the environments changed".to_owned(),
        ),
        (
            "[[service]]\nname = \"payments\"",
            "[[service]]\nname = \"search\"\n[[service]]\nname = \"payments\"",
            "service \"search\" is new".to_owned(),
        ),
    ] {
        let lines = lines(old, new);
        assert!(lines.contains(&expected), "{expected}\n{lines:#?}");
    }
}
