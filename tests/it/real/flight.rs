//! The program itself on a real Prometheus: what it prints is what the server says, and what it cannot read is not green.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cockpit::domain::contract;
use cockpit::domain::event::Body;
use cockpit::domain::record::DeployState;
use cockpit::runtime::journal::{Author, encode};
use cockpit::runtime::load::{Place, load_file};
use cockpit::store::{Append, NewEvent, OpenOptions, Store};
use serde_json::{Value, json};

use super::http;
use super::prometheus::RealPrometheus;
use super::running::until;
use super::world::{CANARY, REGRESSED, SERVICES, World};

/// Minutes that the latest step has lasted: the gate's new data.
const STEP: i64 = 60;

/// A folder with a cockpit.toml on that server, and a tool that prints where the services' rollouts stand.
pub struct Flight {
    folder: tempfile::TempDir,
    trust: String,
    services: Vec<&'static str>,
}

impl Flight {
    /// Of these services, with a trigger above so many times the baseline over that window.
    pub fn on(
        server: &RealPrometheus,
        services: &[&'static str],
        (above, window): (&str, &str),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("rollouts");
        let list = json_file(folder.path(), server.world, services);
        std::fs::write(&tool, format!("#!/bin/sh\nexec cat '{}'\n", list.display())).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("cockpit.toml");
        std::fs::write(&file, toml(&server.url(), &tool, services, (above, window))).unwrap();
        let place = Place {
            config: Some(file.clone()),
            data_dir: Some(folder.path().join("data")),
            ..Place::default()
        };
        let trust = load_file(&place, &file).unwrap().subject.digest;
        Self {
            folder,
            trust,
            services: services.to_vec(),
        }
    }

    /// The tool knows of no rollout.
    pub fn nothing_deployed(&self) {
        std::fs::write(self.folder.path().join("rollouts.json"), "[]").unwrap();
    }

    /// A command on this file: what it printed, and its exit code.
    pub fn run(&self, words: &[&str]) -> (std::process::Output, i32) {
        let out = Command::new(crate::pty::binary())
            .arg("--config")
            .arg(self.folder.path().join("cockpit.toml"))
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args(["--trust", &self.trust])
            .args(words)
            .output()
            .unwrap();
        let code = out.status.code().unwrap_or(-1);
        (out, code)
    }

    /// `cockpit status --json`: the situation.
    fn status(&self) -> Value {
        let (out, _) = self.run(&["status", "--json", "--wait", "90s"]);
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
    }
}

/// Where each rollout stands: at its canary, for as long as the world says.
fn json_file(folder: &Path, world: World, services: &[&str]) -> PathBuf {
    let at = |minutes: i64| {
        chrono::DateTime::from_timestamp(world.end - minutes * 60, 0)
            .unwrap()
            .to_rfc3339()
    };
    let one = |service: &&str| {
        json!({
            "id": service, "service": service, "environment": "production", "version": "2.0.0", "previous": "1.0.0",
            "desired": "2.0.0", "state": "paused", "vendor_state": "paused", "strategy": "canary", "step": 1, "steps": 2,
            "weight": 50.0, "started_at": at(CANARY), "step_at": at(STEP), "actor": "ana",
        })
    };
    let file = folder.join("rollouts.json");
    let list: Vec<Value> = services.iter().map(one).collect();
    std::fs::write(&file, Value::from(list).to_string()).unwrap();
    file
}

fn toml(url: &str, tool: &Path, flown: &[&str], (above, window): (&str, &str)) -> String {
    let services: String = flown
        .iter()
        .map(|s| format!("[[service]]\nname = \"{s}\"\nteam = \"t\"\n"))
        .collect();
    let changes: String = flown
        .iter()
        .map(|s| {
            format!(
                "  {{ service = \"{s}\", from = \"1.0.0\", to = \"2.0.0\", reversible = true }},\n"
            )
        })
        .collect();
    let planned =
        (chrono::Utc::now() - chrono::Duration::minutes(CANARY)).format("%Y-%m-%dT%H:%M:%S");
    format!(
        r#"title = "real"
timezone = "UTC"
[environments.production]
[connections.prom]
connector = "prometheus"
url = "{url}"
[connections.tool]
connector = "command"
deployments = ["{tool}"]
[metrics.error_rate]
connection = "prom"
kind = "ratio"
by = {{ service = "service", group = "track" }}
groups = {{ canary = "canary", stable = "stable" }}
numerator = 'sum by (service, track) (increase(http_requests_total{{code="500"}}[$bucket]))'
denominator = 'sum by (service, track) (increase(http_requests_total[$bucket]))'
[defaults]
deployments = "tool"
[[defaults.gate]]
after = "step"
metrics = ["error_rate"]
[[defaults.trigger]]
metric = "error_rate"
above = "{above}"
window = "{window}"
for = "5m"
then = "propose"
[people]
ana = {{ os = "ana", roles = ["driver"] }}
[[release]]
id = "all-1"
title = "all at once"
environment = "production"
driver = "ana"
author = "ana"
planned = {planned}
length = "4h"
changes = [
{changes}]
{services}"#,
        tool = tool.display()
    )
}

/// What a cockpit that watched the rollouts begin has in its journal: the contract sealed, each canary seen at its step.
pub fn watched(flight: &Flight, world: World) {
    let file = flight.folder.path().join("cockpit.toml");
    let data = flight.folder.path().join("data");
    let place = Place {
        config: Some(file.clone()),
        data_dir: Some(data.clone()),
        ..Place::default()
    };
    let policy = load_file(&place, &file).unwrap().policy;
    let contract = contract::of(&policy, policy.release("all-1").unwrap());
    let began = chrono::DateTime::from_timestamp(world.end - CANARY * 60, 0).unwrap();
    let mut bodies = vec![Body::ContractSealed {
        digest: contract::digest(&contract),
        contract,
    }];
    bodies.extend(flight.services.iter().map(|service| Body::DeploymentSeen {
        service: (*service).to_owned(),
        environment: "production".to_owned(),
        version: "2.0.0".to_owned(),
        state: DeployState::Paused,
        step: Some(1),
        steps: Some(2),
        weight: Some(50.0),
        started_at: Some(began),
    }));
    let author = Author {
        actor: "ana".to_owned(),
        known_by: "os user".to_owned(),
        host: "here".to_owned(),
    };
    let events: Vec<NewEvent> = bodies
        .iter()
        .map(|body| encode(body, &author, Some("all-1"), began, None).unwrap())
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(&data, OpenOptions::default()).await.unwrap();
        let append = Append {
            events,
            ..Append::default()
        };
        store.append(append).await.unwrap();
        store.close().await;
    });
}

/// Rows of a list by the service that they speak of.
fn by_service<'a>(s: &'a Value, list: &str) -> BTreeMap<&'a str, Vec<&'a Value>> {
    let mut out: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for row in s[list].as_array().unwrap() {
        out.entry(row["service"].as_str().unwrap())
            .or_default()
            .push(row);
    }
    out
}

/// What the server itself counts for a part of the traffic over the last `minutes` full minutes until `end`.
fn counted(
    server: &RealPrometheus,
    service: &str,
    track: &str,
    code: &str,
    end: i64,
    minutes: i64,
) -> f64 {
    let query = format!(
        "sum(increase(http_requests_total{{service=\"{service}\",track=\"{track}\"{code}}}[60s]))"
    );
    let answer = http::json(
        server.port(),
        "/api/v1/query_range",
        &[
            ("query", &query),
            ("start", &(end - (minutes - 1) * 60).to_string()),
            ("end", &end.to_string()),
            ("step", "60"),
        ],
    );
    answer["data"]["result"][0]["values"]
        .as_array()
        .map_or(0.0, |values| {
            values
                .iter()
                .map(|pair| pair[1].as_str().unwrap().parse::<f64>().unwrap())
                .sum()
        })
}

#[test]
fn the_regressed_service_alone_is_red_and_a_dead_server_leaves_nothing_green() {
    let Some(mut server) = RealPrometheus::start("flight") else {
        return;
    };
    let flight = Flight::on(&server, &SERVICES, ("2x baseline", "5m"));
    watched(&flight, server.world);
    let s = flight.status();
    let metrics = by_service(&s, "metrics");
    let gates = by_service(&s, "gates");
    for service in SERVICES {
        let verdict = &metrics[service][0]["verdict"]["verdict"];
        let gate = &gates[service][0]["verdict"]["verdict"];
        let want = if service == REGRESSED { "fail" } else { "pass" };
        assert_eq!(verdict, want, "{service}: {:#}", short(metrics[service][0]));
        assert_eq!(gate, want, "{service}: {:#}", gates[service][0]);
    }
    let beyond: Vec<&str> = s["triggers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|t| t["share"].as_f64().is_some_and(|share| share >= 1.0))
        .map(|t| t["service"].as_str().unwrap())
        .collect();
    assert_eq!(
        beyond,
        [REGRESSED],
        "three times the baseline is above twice it"
    );
    figures(&server, &metrics);
    server.kill();
    // What was read before stays fresh for two minutes after its newest bucket.
    let stale = server.world.end + 125;
    assert!(until(Duration::from_secs(150), || {
        chrono::Utc::now().timestamp() >= stale
    }));
    let dark = flight.status();
    for (service, rows) in by_service(&dark, "metrics") {
        assert_ne!(rows[0]["verdict"]["verdict"], "pass", "{service}");
        assert_ne!(rows[0]["mark"]["tone"], "pass", "{service}");
    }
    for (service, rows) in by_service(&dark, "gates") {
        assert_ne!(rows[0]["verdict"]["verdict"], "pass", "{service}");
    }
    server.restart();
    assert!(until(Duration::from_secs(30), || http::answers(
        server.port(),
        "/-/ready"
    )));
    // It is read again, and its data, which nobody scrapes anew, stays as old as it is.
    assert!(!read(&dark), "a dead server is no source");
    let back = flight.status();
    assert!(read(&back), "{:#}", back["feeds"]);
    for (service, rows) in by_service(&back, "metrics") {
        assert_ne!(rows[0]["verdict"]["verdict"], "pass", "{service}");
    }
}

/// Was every part of the metrics read without a fault?
fn read(s: &Value) -> bool {
    let mut feeds = s["feeds"].as_array().unwrap().iter();
    feeds.all(|f| !f["need"].as_str().unwrap().starts_with("metric/") || f["fault"].is_null())
}

/// The figures shown are the server's own: the canary's rate over five minutes, and the counts of canary and stable pods since
/// the canary began.
fn figures(server: &RealPrometheus, metrics: &BTreeMap<&str, Vec<&Value>>) {
    for service in SERVICES {
        let row = metrics[service][0];
        let end = chrono::DateTime::parse_from_rfc3339(row["newest"].as_str().unwrap())
            .unwrap()
            .timestamp();
        let sum = |track, code, minutes| counted(server, service, track, code, end, minutes);
        let failed = ",code=\"500\"";
        let value = sum("canary", failed, 5) / sum("canary", "", 5);
        let shown = row["value"].as_f64().unwrap();
        assert!(
            (shown - value).abs() < 1e-9,
            "{service}: {shown}, and the server says {value}"
        );
        let minutes = (end - server.world.end) / 60 + CANARY;
        let counts = format!(
            "{}/{} against {}/{},",
            sum("canary", failed, minutes),
            sum("canary", "", minutes),
            sum("stable", failed, minutes),
            sum("stable", "", minutes)
        );
        let said = row["counts"].as_str().unwrap();
        assert!(
            said.starts_with(&counts),
            "{service}: {said}, and the server says {counts}"
        );
    }
}

fn short(row: &Value) -> Value {
    let mut row = row.clone();
    row["chart"] = Value::Null;
    row
}
