//! The program itself on a real Prometheus: what it prints is what the server says, and what it cannot read is not green.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cockpit::runtime::load::{Place, load_file};
use serde_json::{Value, json};

use super::http;
use super::prometheus::RealPrometheus;
use super::world::{CANARY, REGRESSED, SERVICES, World};

/// Minutes that the latest step has lasted: the gate's new data.
const STEP: i64 = 60;

/// A folder with a cockpit.toml on that server, and a tool that prints where every service's rollout stands.
struct Flight {
    folder: tempfile::TempDir,
    trust: String,
}

impl Flight {
    fn on(server: &RealPrometheus) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("rollouts");
        let list = json_file(folder.path(), server.world);
        std::fs::write(&tool, format!("#!/bin/sh\nexec cat '{}'\n", list.display())).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("cockpit.toml");
        std::fs::write(&file, toml(&server.url(), &tool)).unwrap();
        let place = Place {
            config: Some(file.clone()),
            data_dir: Some(folder.path().join("data")),
            ..Place::default()
        };
        let trust = load_file(&place, &file).unwrap().subject.digest;
        Self { folder, trust }
    }

    /// `cockpit status --json`: the situation.
    fn status(&self) -> Value {
        let out = Command::new(crate::pty::binary())
            .arg("--config")
            .arg(self.folder.path().join("cockpit.toml"))
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args(["--trust", &self.trust, "status", "--json", "--wait", "90s"])
            .output()
            .unwrap();
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
    }
}

/// Where each rollout stands: at its canary, for as long as the world says.
fn json_file(folder: &Path, world: World) -> PathBuf {
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
    let list: Vec<Value> = SERVICES.iter().map(one).collect();
    std::fs::write(&file, Value::from(list).to_string()).unwrap();
    file
}

fn toml(url: &str, tool: &Path) -> String {
    let services: String = SERVICES
        .iter()
        .map(|s| format!("[[service]]\nname = \"{s}\"\nteam = \"t\"\n"))
        .collect();
    let changes: String = SERVICES
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
above = "2x baseline"
window = "5m"
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

#[test]
fn explore() {
    let Some(server) = RealPrometheus::shared("explore") else {
        return;
    };
    let flight = Flight::on(&server);
    let s = flight.status();
    println!("{:#}", s["band"]);
    for m in s["metrics"].as_array().unwrap() {
        let mut m = m.clone();
        m["chart"] = json!(null);
        println!("{m}");
    }
    for key in ["gates", "triggers", "feeds", "troubles", "deployments"] {
        for m in s[key].as_array().unwrap() {
            println!("{key} {m}");
        }
    }
    println!(
        "{}",
        s["evidence"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    );
    let _: BTreeMap<String, Value> = BTreeMap::new();
    let _ = http::answers(server.port(), "/-/ready");
}
