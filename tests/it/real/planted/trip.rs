//! The program on a part of the story: its file, the rollouts that a tool tells it of, and a journal of what it saw so far.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use cockpit::domain::contract;
use cockpit::domain::event::{Body, Event};
use cockpit::domain::record::DeployState;
use cockpit::domain::time::Instant;
use cockpit::runtime::journal::{Author, decode, encode};
use cockpit::runtime::load::{Place, load_file};
use cockpit::store::{Append, NewEvent, OpenOptions, Store};
use serde_json::{Value, json};

use super::story::{Against, Case, HALF, Harm, began};
use crate::real::prometheus::RealPrometheus;
use crate::real::running::until;
use crate::real::world::World;

/// A folder of its own.
pub struct Trip {
    folder: tempfile::TempDir,
    trust: String,
}

impl Trip {
    /// One release of all these services, with this tolerance's gates and these triggers' limits.
    pub fn of(server: &RealPrometheus, cases: &[Case]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("rollouts");
        let list = folder.path().join("rollouts.json");
        let rollouts: Vec<Value> = cases.iter().map(|c| rollout(server.world, c)).collect();
        std::fs::write(&list, Value::from(rollouts).to_string()).unwrap();
        std::fs::write(&tool, format!("#!/bin/sh\nexec cat '{}'\n", list.display())).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("cockpit.toml");
        std::fs::write(
            &file,
            toml(&server.url(), &tool.display().to_string(), cases),
        )
        .unwrap();
        let place = Place {
            config: Some(file.clone()),
            data_dir: Some(folder.path().join("data")),
            ..Place::default()
        };
        let loaded = load_file(&place, &file).unwrap();
        let trust = loaded.subject.digest;
        let trip = Self { folder, trust };
        let contract = contract::of(&loaded.policy, loaded.policy.release("all-1").unwrap());
        let first = cases.iter().map(|c| began(server.world, c)).min().unwrap();
        let mut events = vec![(
            moment(first),
            Body::ContractSealed {
                digest: contract::digest(&contract),
                contract,
            },
        )];
        events.extend(cases.iter().flat_map(|c| seen(server.world, c)));
        events.sort_by_key(|(at, _)| *at);
        trip.journal(events);
        trip
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(crate::pty::binary());
        command
            .arg("--config")
            .arg(self.folder.path().join("cockpit.toml"))
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args(["--trust", &self.trust])
            .args(words);
        command
    }

    /// A command's JSON, and its exit code.
    pub fn json(&self, words: &[&str]) -> (Value, i32) {
        let out = self.command(words).output().unwrap();
        let answer = serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
        (answer, out.status.code().unwrap_or(-1))
    }

    /// `cockpit watch` until so many checkpoints stand in the journal.
    pub fn watch(&self, checkpoints: usize) -> Vec<Event> {
        let log = std::fs::File::create(self.folder.path().join("watch.log")).unwrap();
        let mut child = self
            .command(&["watch", "all-1"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let taken = || {
            let mut events = self.events();
            events.retain(|e| matches!(e.body, Body::CheckpointTaken { .. }));
            events
        };
        let there = until(Duration::from_secs(90), || {
            std::thread::park_timeout(Duration::from_millis(200));
            taken().len() >= checkpoints
        });
        let _ = child.kill();
        let _ = child.wait();
        let said = std::fs::read_to_string(self.folder.path().join("watch.log")).unwrap();
        assert!(
            there,
            "{} of {checkpoints} checkpoints:\n{said}",
            taken().len()
        );
        taken()
    }

    fn journal(&self, bodies: Vec<(Instant, Body)>) {
        let author = Author {
            actor: "ana".to_owned(),
            known_by: "os user".to_owned(),
            host: "here".to_owned(),
        };
        let events: Vec<NewEvent> = bodies
            .iter()
            .map(|(at, body)| encode(body, &author, Some("all-1"), *at, None).unwrap())
            .collect();
        self.store(async |store| {
            let append = Append {
                events,
                ..Append::default()
            };
            store.append(append).await.unwrap();
        });
    }

    fn events(&self) -> Vec<Event> {
        self.store(async |store| {
            let stored = store.events_since(0).await.unwrap();
            stored.iter().map(|e| decode(e).unwrap()).collect()
        })
    }

    fn store<T>(&self, work: impl AsyncFnOnce(&Store) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let data = self.folder.path().join("data");
            let store = Store::open(&data, OpenOptions::default()).await.unwrap();
            let out = work(&store).await;
            store.close().await;
            out
        })
    }
}

pub fn moment(seconds: i64) -> Instant {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap()
}

/// When the present share of a canary in two parts began.
fn half(world: World) -> i64 {
    world.end - HALF * 60
}

fn rollout(world: World, case: &Case) -> Value {
    let at = began(world, case);
    let (state, step, weight) = standing(case);
    let step_at = if case.two_parts { half(world) } else { at };
    json!({
        "id": case.name, "service": case.name, "environment": "production", "version": "2.0.0", "previous": "1.0.0",
        "desired": "2.0.0", "state": state.word(), "vendor_state": state.word(), "strategy": "canary", "step": step, "steps": 3,
        "weight": weight, "started_at": moment(at).to_rfc3339(), "step_at": moment(step_at).to_rfc3339(), "actor": "ana",
    })
}

/// State, steps finished and weight now.
fn standing(case: &Case) -> (DeployState, u32, f64) {
    match case.against {
        Against::Stable => (DeployState::Paused, 1 + u32::from(case.two_parts), 50.0),
        _ => (DeployState::Succeeded, 3, 100.0),
    }
}

fn seen(world: World, case: &Case) -> Vec<(Instant, Body)> {
    let at = began(world, case);
    let (state, step, weight) = standing(case);
    let body = |step, weight| Body::DeploymentSeen {
        service: case.name.clone(),
        environment: "production".to_owned(),
        version: "2.0.0".to_owned(),
        state,
        step: Some(step),
        steps: Some(3),
        weight: Some(weight),
        started_at: Some(moment(at)),
    };
    if case.two_parts {
        vec![
            (moment(at), body(1, case.weight(1))),
            (moment(half(world)), body(step, weight)),
        ]
    } else {
        vec![(moment(at), body(step, weight))]
    }
}

/// The metrics of a service's gate.
pub fn gate(case: &Case) -> &'static [&'static str] {
    match case.harm {
        _ if case.blurred => &["errors_whole"],
        Harm::Slow => &["error_rate", "slow"],
        Harm::Orders => &["conversion"],
        Harm::Silence => &["error_rate", "p95"],
        Harm::Errors | Harm::Cured => &["error_rate"],
    }
}

fn toml(url: &str, tool: &str, cases: &[Case]) -> String {
    let mut services = String::new();
    let mut changes = String::new();
    for case in cases {
        let name = &case.name;
        services.push_str(&format!(
            "[[service]]\nname = \"{name}\"\nteam = \"t\"\n[[service.gate]]\nafter = \"step\"\nmetrics = {:?}\n",
            gate(case)
        ));
        changes.push_str(&format!(
            "  {{ service = \"{name}\", from = \"1.0.0\", to = \"2.0.0\", reversible = true }},\n"
        ));
    }
    let mut detailed = String::new();
    if cases.iter().any(Case::detailed) {
        detailed.push_str(DETAILED);
    }
    let planned = (chrono::Utc::now() - chrono::Duration::hours(3)).format("%Y-%m-%dT%H:%M:%S");
    format!(
        r#"title = "planted"
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
[metrics.errors_whole]
connection = "prom"
kind = "ratio"
numerator = 'sum by (service) (increase(http_requests_total{{code="500"}}[$bucket]))'
denominator = 'sum by (service) (increase(http_requests_total[$bucket]))'
{detailed}
[defaults]
deployments = "tool"
[[defaults.trigger]]
metric = "error_rate"
above = "2x baseline"
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
{services}"#
    )
}

const DETAILED: &str = r#"
[metrics.slow]
connection = "prom"
kind = "ratio"
numerator = '''sum by (service) (increase(http_request_duration_seconds_count[$bucket]))
  - sum by (service) (increase(http_request_duration_seconds_bucket{le="0.5"}[$bucket]))'''
denominator = 'sum by (service) (increase(http_request_duration_seconds_count[$bucket]))'
[metrics.conversion]
connection = "prom"
kind = "ratio"
direction = "higher-is-better"
numerator = 'sum by (service) (increase(orders_total[$bucket]))'
denominator = 'sum by (service) (increase(http_requests_total[$bucket]))'
[metrics.p95]
connection = "prom"
kind = "quantile"
query = 'histogram_quantile(0.95, sum by (service, le) (rate(http_request_duration_seconds_bucket[$bucket])))'
decides = true
"#;
