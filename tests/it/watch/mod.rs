//! `cockpit watch` as a service: the real binary over the embedded world, at speed.

mod flight;
mod interrupted;
mod service;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cockpit::domain::event::Body;
use serde_json::Value;
use tempfile::TempDir;

use crate::pty::world;
use crate::real::running::until;

pub const RELEASE: &str = "checkout-2026.47";

/// A small shop that is read every five minutes: 72 hours of it pass in well under a minute and a half.
const FILE: &str = r##"
title = "Shop"
timezone = "Europe/Berlin"
service = [
    { name = "payments", gate = [{ after = "50%", metrics = ["error_rate"] }] },
    { name = "checkout", depends_on = ["payments"] },
]
[demo]
scenario = "watch"
[environments.production]
protected = true
[connections.prom]
connector = "prometheus"
url = "demo:prometheus"
[connections.argo]
connector = "argocd"
url = "demo:argocd"
token = "env:ARGOCD_TOKEN"
every = "5m"
[connections.slack]
connector = "slack"
url = "demo:slack"
token = "env:SLACK_TOKEN"
[metrics.error_rate]
connection = "prom"
kind = "ratio"
every = "5m"
by = { service = "service", group = "track" }
groups = { canary = "canary", stable = "stable" }
numerator = 'sum by (service, track) (increase(http_requests_total{env="production", code=~"5..", service=~"checkout|payments"}[$bucket]))'
denominator = 'sum by (service, track) (increase(http_requests_total{env="production", service=~"checkout|payments"}[$bucket]))'
[metrics.p95]
connection = "prom"
kind = "quantile"
every = "5m"
query = 'histogram_quantile(0.95, sum by (le, service) (increase(http_request_duration_seconds_bucket{env="production", service=~"checkout|payments"}[$bucket])))'
[metrics.conversion]
connection = "prom"
kind = "ratio"
direction = "higher-is-better"
every = "5m"
numerator = 'sum by (service) (increase(orders_total{env="production", service="checkout"}[$bucket]))'
denominator = 'sum by (service) (increase(carts_total{env="production", service="checkout"}[$bucket]))'
[metrics.alerts]
connection = "prom"
kind = "count"
every = "5m"
query = 'sum by (service) (count_over_time((ALERTS{alertstate="firing"} unless ALERTS{alertstate="firing"} offset 1m)[$bucket:1m]))'
[defaults]
deployments = "argo"
[[defaults.gate]]
after = "step"
metrics = ["error_rate"]
[[window]]
name = "always"
environments = ["production"]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "23:59"
[people]
ana = { os = "ana", roles = ["driver"] }
tom = { os = "tom", roles = ["release-manager"] }
lena = { os = "lena", roles = ["service-owner"] }
[notify]
channels = [{ connection = "slack", channel = "C0ONCALL1" }]
[[release]]
id = "checkout-2026.47"
title = "checkout 2026.47"
environment = "production"
driver = "ana"
author = "lena"
planned = 2026-11-17T16:00:00
significant = true
changes = [
    { service = "payments", from = "5.3.0", to = "5.3.1" },
    { service = "checkout", from = "2.13.4", to = "2.14.0", reversible = true },
]
"##;

/// A machine with that file on it.
pub struct Site {
    folder: TempDir,
    home: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            home: tempfile::tempdir().unwrap(),
        };
        std::fs::write(site.folder.path().join("cockpit.toml"), FILE).unwrap();
        site
    }

    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cockpit"));
        command
            .arg("--data-dir")
            .arg(self.data())
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("USER", "ana");
        command
    }

    /// Starts it and gathers what it prints.
    pub fn start(&self, words: &[&str]) -> Flying {
        let mut child = self
            .command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let complained = Arc::new(Mutex::new(Vec::new()));
        let out = gather(child.stdout.take().unwrap(), &said);
        let err = gather(child.stderr.take().unwrap(), &complained);
        Flying {
            child,
            said,
            complained,
            readers: vec![out, err],
        }
    }

    /// The events of the journal, its chain checked.
    pub fn events(&self) -> Vec<(Body, u64)> {
        let stored = world::journal(&self.data());
        stored
            .iter()
            .map(|e| (serde_json::from_slice(&e.event.body).unwrap(), e.seq))
            .collect()
    }

    /// Seconds after, late or not, verdict, numbers: every checkpoint in the journal.
    pub fn checkpoints(&self) -> Vec<(u64, bool, String, usize)> {
        let events = self.events();
        let taken = events.into_iter().filter_map(|(body, _)| match body {
            Body::CheckpointTaken {
                after,
                late,
                measured,
                verdict,
            } => Some((
                after,
                late,
                verdict.word().to_owned(),
                measured
                    .values()
                    .flatten()
                    .filter(|m| !m.said.is_empty())
                    .count(),
            )),
            _ => None,
        });
        taken.collect()
    }
}

fn gather(
    from: impl std::io::Read + Send + 'static,
    into: &Arc<Mutex<Vec<String>>>,
) -> std::thread::JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    })
}

/// A process under way; ended when dropped.
pub struct Flying {
    pub child: Child,
    said: Arc<Mutex<Vec<String>>>,
    complained: Arc<Mutex<Vec<String>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Flying {
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    pub fn complained(&self) -> Vec<String> {
        self.complained.lock().unwrap().clone()
    }

    /// Waits until a line has all these words.
    #[track_caller]
    pub fn says(&self, words: &[&str], limit: u64) {
        let there = until(Duration::from_secs(limit), || {
            let said = self.said.lock().unwrap();
            said.iter().any(|l| words.iter().all(|w| l.contains(w)))
        });
        assert!(
            there,
            "no line with {words:?} within {limit} s; the last ones: {:#?}; {:#?}",
            self.said().iter().rev().take(12).collect::<Vec<_>>(),
            self.complained()
        );
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; the exit code, -1 where a signal killed it.
    #[track_caller]
    pub fn ends(&mut self, limit: u64) -> i32 {
        let mut code = None;
        let ended = until(Duration::from_secs(limit), || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        assert!(
            ended,
            "it goes on after {limit} s; the last lines: {:#?}",
            self.said().iter().rev().take(12).collect::<Vec<_>>()
        );
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        code.unwrap().code().unwrap_or(-1)
    }

    /// What it occupies, in KiB, by the kernel's count.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .find_map(|l| {
                l.strip_prefix("VmRSS:")?
                    .trim()
                    .split(' ')
                    .next()?
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// World time of a running world, seconds since the watch of this scenario began (about 16:40 local time).
pub fn hours(site: &Site) -> f64 {
    let control = world::control(&site.data());
    let Ok((_, body)) = crate::real::http::request(control, "GET", "/__world/now", "") else {
        return f64::NAN;
    };
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let now = value["world"].as_str().unwrap_or_default();
    let began: chrono::DateTime<chrono::Utc> = "2026-11-17T15:40:00Z".parse().unwrap();
    now.parse::<chrono::DateTime<chrono::Utc>>()
        .map_or(f64::NAN, |t| (t - began).num_seconds() as f64 / 3600.0)
}
