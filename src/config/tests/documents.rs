//! What is written about the format is read by the program that it is about.

use std::path::{Path, PathBuf};

use super::connectors;
use crate::config::starter::{Answers, StarterConnection, starter};
use crate::config::{load, reference, schema};
use crate::domain::diag::Severity;

const BEGIN: &str = "<!-- reference: written from the schema by a test; COCKPIT_BLESS=1 cargo test rewrites it -->\n";
const END: &str = "<!-- end of reference -->\n";

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn answers() -> Answers {
    let connection = |name: &str, connector: &str, settings: &[(&str, &str)]| StarterConnection {
        name: name.into(),
        connector: connector.into(),
        settings: settings
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
    };
    Answers {
        title: "Say \"hello\"\u{1b}[2J".into(),
        timezone: chrono_tz::Europe::Berlin,
        services: vec!["checkout".into(), "odd name".into()],
        connections: vec![
            connection("prom", "prometheus", &[("url", "http://prom:9090")]),
            connection(
                "argo",
                "argocd",
                &[("url", "https://argo"), ("token", "env:ARGO_TOKEN")],
            ),
        ],
        metrics: Some("prom".into()),
        deployments: Some("argo".into()),
        ..Answers::default()
    }
}

#[test]
fn the_starter_is_read_without_a_complaint() {
    for answers in [Answers::default(), answers()] {
        let text = starter(&answers);
        let (policy, warnings) =
            load(&text, "cockpit.toml", &connectors()).unwrap_or_else(|d| panic!("{d:#?}\n{text}"));
        assert_eq!(warnings, vec![], "{text}");
        assert_eq!(policy.services.len(), answers.services.len());
        assert_eq!(policy.limits, crate::domain::policy::Limits::default());
    }
}

#[test]
fn the_starters_comments_are_sound_when_they_are_taken_in() {
    let sound: String = starter(&answers())
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            // A commented line of TOML is one with a key or a table; anything else is prose.
            Some(code)
                if code.starts_with('[')
                    || code
                        .split_once(" = ")
                        .is_some_and(|(k, _)| !k.contains(' ')) =>
            {
                format!("{code}\n")
            }
            _ => format!("{line}\n"),
        })
        .filter(|line| {
            !line.starts_with("connection = \"company\"")
                && !line.starts_with("connection = \"pager\"")
        })
        .collect();
    let diags = load(&sound, "f", &connectors()).err().unwrap_or_default();
    let wrong: Vec<String> = diags
        .iter()
        .filter(|d| {
            d.severity == Severity::Error
                && !d.message.contains("is missing")
                && !d.message.starts_with("no ")
                && !d.message.contains("duplicate")
                && !d.message.contains("matches no")
        })
        .map(ToString::to_string)
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "{sound}");
}

/// Every default of the schema, as `key = value`.
fn defaults(schema: &serde_json::Value, out: &mut Vec<String>) {
    for (key, property) in schema
        .get("properties")
        .and_then(|p| p.as_object())
        .into_iter()
        .flatten()
    {
        match property.get("default") {
            Some(
                value @ (serde_json::Value::String(_)
                | serde_json::Value::Bool(_)
                | serde_json::Value::Number(_)),
            ) if *value != "" => {
                out.push(format!("{key} = {}", reference::literal(value)));
            }
            _ => {}
        }
        for inner in [
            Some(property),
            property.get("items"),
            property.get("additionalProperties"),
        ]
        .into_iter()
        .flatten()
        {
            defaults(inner, out);
        }
    }
}

#[test]
fn every_default_stands_in_the_starter_or_is_named_here_with_its_reason() {
    // Not shown: what is off, and what only the embedded world has.
    let silent = [
        "scenario = \"regression\"",
        "protected = false",
        "exclusive = false",
        "count = 1",
        "service = \"service\"",
        "canary = \"canary\"",
        "stable = \"stable\"",
    ];
    let text = starter(&answers());
    let mut all = Vec::new();
    defaults(
        &crate::config::shape::schema_of::<crate::config::raw::File>(true),
        &mut all,
    );
    assert!(all.len() > 20, "{all:?}");
    let missing: Vec<&String> = all
        .iter()
        .filter(|d| !text.contains(d.as_str()) && !silent.contains(&d.as_str()))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn the_shipped_file_flies_the_demo_without_a_complaint() {
    let text = std::fs::read_to_string(root("cockpit.toml")).unwrap();
    assert!(text.lines().count() <= 320);
    let (policy, warnings) =
        load(&text, "cockpit.toml", &connectors()).unwrap_or_else(|d| panic!("{d:#?}"));
    assert_eq!(warnings, vec![]);
    assert!(policy.demo.is_some());
    assert_eq!(policy.services.len(), 20);
    let checkout = policy.service("checkout").unwrap();
    let gates: Vec<&str> = checkout.gates.iter().map(|g| g.id.as_str()).collect();
    assert_eq!(gates, ["20%", "40%", "70%"]);
    let triggers: Vec<&str> = checkout.triggers.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(
        triggers,
        [
            "error_rate>2x baseline",
            "error_rate>5x baseline",
            "slow>5x baseline",
            "p95>slo"
        ]
    );
    assert_eq!(
        checkout.args("staging").get("app").map(String::as_str),
        Some("checkout-staging")
    );
    assert_eq!(checkout.image.as_deref(), Some("shop/checkout"));
    assert_eq!(
        checkout.runbook.as_deref(),
        Some("https://wiki.acme.example/runbooks/checkout")
    );
    assert_eq!(checkout.slo.get("error_rate"), Some(&0.01));
}

/// The blocks of a language in a Markdown text.
fn blocks(markdown: &str, fence: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        if inside && line.trim_start() == "```" {
            inside = false;
        } else if inside {
            out.last_mut().unwrap().push_str(&format!("{line}\n"));
        } else if line.trim_start() == format!("```{fence}") {
            out.push(String::new());
            inside = true;
        }
    }
    out
}

#[test]
fn the_documentations_examples_make_one_sound_file() {
    let text = std::fs::read_to_string(root("docs/configuration.md")).unwrap();
    let whole: String = blocks(&text, "toml").concat();
    let (_, warnings) = load(&whole, "docs", &connectors()).unwrap_or_else(|d| panic!("{d:#?}"));
    assert_eq!(warnings, vec![]);
    let demo = blocks(&text, "toml demo");
    assert_eq!(demo.len(), 1);
    load(&demo[0], "docs", &connectors()).unwrap_or_else(|d| panic!("{d:#?}"));
}

#[test]
fn the_reference_in_the_documentation_is_the_schemas() {
    let path = root("docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (kept, after) = rest.split_once(END).unwrap();
    let now = format!("\n{}", reference());
    if std::env::var_os("COCKPIT_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{now}{END}{after}")).unwrap();
    } else {
        assert_eq!(kept, now, "run COCKPIT_BLESS=1 cargo test the_reference");
    }
}

#[test]
fn snippets_of_the_readme_are_read() {
    let Ok(text) = std::fs::read_to_string(root("README.md")) else {
        return;
    };
    for block in blocks(&text, "toml") {
        if toml::from_str::<toml::Table>(&block).is_err() {
            panic!("not TOML:\n{block}");
        }
        // A snippet may leave out what surrounds it, but what it says must have a meaning.
        if let Err(diags) = load(&block, "README.md", &connectors()) {
            let wrong = diags.iter().find(|d| {
                d.message.starts_with("unknown key") || d.message.starts_with("expected")
            });
            assert_eq!(wrong, None, "{block}");
        }
    }
}

#[test]
fn the_schema_is_closed_and_describes_every_key() {
    fn walk(schema: &serde_json::Value, path: &str) {
        for (key, property) in schema
            .get("properties")
            .and_then(|p| p.as_object())
            .into_iter()
            .flatten()
        {
            assert!(
                property.get("description").is_some(),
                "{path}.{key} has no description"
            );
        }
    }
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    walk(&schema, "");
    for (name, inner) in schema["$defs"].as_object().unwrap() {
        walk(inner, name);
    }
}
