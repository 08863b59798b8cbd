//! Many services on a real Prometheus: an exporter that it scrapes, what they did before written by its own backfill tool, and
//! a cockpit.toml about all of them with one canary under way.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cockpit::domain::contract;
use cockpit::domain::event::{Body, Contract};
use cockpit::domain::record::DeployState;
use cockpit::runtime::journal::{Author, encode};
use cockpit::runtime::load::{Place, load_file};
use cockpit::store::{Append, NewEvent, OpenOptions, Store};

use super::http;
use super::running::Running;

/// Most metrics that there are queries for.
pub const METRICS: usize = 6;
/// Minutes that the canary has been under way.
const CANARY: i64 = 30;
/// Upper edges of the histograms' buckets, and the share of requests below each.
const EDGES: [(&str, f64); 4] = [("0.1", 0.6), ("0.3", 0.9), ("1", 0.99), ("+Inf", 1.0)];

/// How much there is of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Services.
    pub services: usize,
    /// Metrics of each, at most [`METRICS`].
    pub metrics: usize,
    /// Seconds between two readings of the cockpit, and between two scrapes.
    pub every: u64,
    /// Minutes before now that every service has samples of.
    pub minutes: i64,
    /// Days before now that the released service has samples of.
    pub days: i64,
}

/// Name of a service.
pub fn name(i: usize) -> String {
    format!("service-{i:03}")
}

/// A Prometheus that scrapes these services.
pub struct Many {
    server: Running,
    folder: tempfile::TempDir,
    size: Size,
    began: i64,
}

impl Many {
    /// Starts exporter and server, both on free ports of this machine, with the past written.
    pub fn start((program, tool): (&Path, &Path), size: Size) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let began = chrono::Utc::now().timestamp();
        backfill(tool, folder.path(), size, began);
        let exporter = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let target = exporter.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in exporter.incoming() {
                let _ = stream.and_then(|s| answer(s, size, began));
            }
        });
        let config = folder.path().join("prometheus.yml");
        let every = size.every;
        std::fs::write(
            &config,
            format!(
                "global:\n  scrape_interval: {every}s\n  scrape_timeout: {every}s\nscrape_configs:\n  - job_name: services\n    \
                 honor_labels: true\n    static_configs:\n      - targets: [\"{target}\"]\n"
            ),
        )
        .unwrap();
        let build = |port: u16| {
            let mut command = Command::new(program);
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.path().join("data").display()
                ))
                .arg("--storage.tsdb.retention.time=30d")
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--log.level=warn")
                .current_dir(folder.path());
            command
        };
        let log = folder.path().join("log");
        let server = Running::start(None, &log, build, |port| http::answers(port, "/-/ready"));
        Self {
            server,
            folder,
            size,
            began,
        }
    }

    /// Range queries that the server has answered so far, and the bytes of its answers, by its own count.
    pub fn asked(&self) -> (f64, f64) {
        let (_, body) = http::request(self.server.port, "GET", "/metrics", "").unwrap();
        let text = String::from_utf8_lossy(&body);
        let sum = |metric: &str| -> f64 {
            text.lines()
                .filter(|l| l.starts_with(metric) && l.contains("handler=\"/api/v1/query_range\""))
                .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
                .sum()
        };
        (
            sum("prometheus_http_requests_total{"),
            sum("prometheus_http_response_size_bytes_sum{"),
        )
    }

    /// A cockpit.toml about these services, its place (trusted), and a journal in which the canary began.
    pub fn cockpit(&self, name: &str) -> Place {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let tool = deployments(&folder, self.size, self.began);
        let file = folder.join("cockpit.toml");
        std::fs::write(&file, toml(self.server.port, &tool, self.size, self.began)).unwrap();
        let mut place = Place {
            config: Some(file.clone()),
            data_dir: Some(folder.join("data")),
            ..Place::default()
        };
        let loaded = load_file(&place, &file).unwrap_or_else(|e| panic!("{e}"));
        place.trust = Some(loaded.subject.digest);
        let release = loaded.policy.release("canary").unwrap();
        let contract = contract::of(&loaded.policy, release);
        seed(&folder.join("data"), contract, self.began);
        place
    }
}

/// Requests that a service has had since long ago: five a second or more, in waves, never fewer than before.
fn requests(i: usize, t: i64) -> f64 {
    let t = t as f64;
    (5 + i % 7) as f64 * (t + 20.0 * (t / 300.0 + i as f64).sin())
}

/// Writes a sample of every series of a service: each line's head and its value.
fn samples(i: usize, t: i64, began: i64, mut put: impl FnMut(&str, &str, f64)) {
    // Counted from a week before, so that a counter stays small.
    let since = began - 10 * 86_400;
    let canary = began - CANARY * 60;
    let all = requests(i, t - since);
    let groups = match (i, t > canary) {
        (0, true) => {
            let new = (all - requests(0, canary - since)) * 0.2;
            vec![("stable", all - new), ("canary", new)]
        }
        _ => vec![("stable", all)],
    };
    let service = name(i);
    for (track, count) in groups {
        let labels = format!("service=\"{service}\",track=\"{track}\"");
        let failed = (count * 0.01).floor();
        put(
            "http_requests_total",
            &format!("{labels},code=\"500\""),
            failed,
        );
        put(
            "http_requests_total",
            &format!("{labels},code=\"200\""),
            count.floor() - failed,
        );
        for (edge, share) in EDGES {
            put(
                "http_request_duration_seconds_bucket",
                &format!("{labels},le=\"{edge}\""),
                (count * share).floor(),
            );
        }
    }
    let labels = format!("service=\"{service}\"");
    put("orders_total", &labels, (all * 0.1).floor());
    let wave = ((t as f64) / 400.0 + i as f64).sin();
    put("queue_depth", &labels, (50.0 + 30.0 * wave).floor());
}

/// One scrape.
fn answer(mut stream: TcpStream, size: Size, began: i64) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        // Until the empty line that ends a request's head.
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim_end().is_empty() {
                break;
            }
        }
        let now = chrono::Utc::now().timestamp();
        let mut body = String::with_capacity(size.services * 1000);
        for i in 0..size.services {
            samples(i, now, began, |metric, labels, value| {
                let _ = writeln!(body, "{metric}{{{labels}}} {value}");
            });
        }
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

/// Writes what was before: half a minute apart for all, a minute apart and longer for the released one.
fn backfill(tool: &Path, folder: &Path, size: Size, began: i64) {
    let file = folder.join("past.om");
    std::fs::write(&file, past(size, began)).unwrap();
    let out = Command::new(tool)
        .args(["tsdb", "create-blocks-from", "--max-block-duration=240h"])
        .args(["openmetrics", "--quiet"])
        .arg(&file)
        .arg(folder.join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    std::fs::remove_file(file).unwrap();
}

fn past(size: Size, began: i64) -> String {
    let mut families: [(&str, &str, String); 4] = [
        ("http_requests", "counter", String::new()),
        ("http_request_duration_seconds", "unknown", String::new()),
        ("orders", "counter", String::new()),
        ("queue_depth", "gauge", String::new()),
    ];
    let near = began - size.minutes * 60;
    for i in 0..size.services {
        let far = if i == 0 {
            began - size.days * 86_400
        } else {
            near
        };
        let times = (far..near).step_by(60).chain((near..began).step_by(30));
        for t in times {
            samples(i, t, began, |metric, labels, value| {
                let of = families.iter_mut().find(|(f, ..)| metric.starts_with(f));
                let Some((.., text)) = of else { return };
                let _ = writeln!(text, "{metric}{{{labels}}} {value} {t}");
            });
        }
    }
    let mut out = String::new();
    for (family, kind, text) in families {
        // A family of that kind may only hold names that end in it; a histogram's buckets alone are of unknown kind.
        let family = match kind {
            "unknown" => "http_request_duration_seconds_bucket",
            _ => family,
        };
        let _ = writeln!(out, "# TYPE {family} {kind}");
        out.push_str(&text);
    }
    out.push_str("# EOF\n");
    out
}

/// A tool that prints where every service's deployment stands; its path.
fn deployments(folder: &Path, size: Size, began: i64) -> PathBuf {
    let at = |seconds: i64| {
        chrono::DateTime::from_timestamp(seconds, 0)
            .unwrap()
            .to_rfc3339()
    };
    let canary = at(began - CANARY * 60);
    let one = |i: usize| {
        let service = name(i);
        if i == 0 {
            serde_json::json!({
                "id": service, "service": service, "environment": "production", "version": "2.0.0", "previous": "1.0.0",
                "desired": "2.0.0", "state": "paused", "vendor_state": "paused", "strategy": "canary", "step": 1, "steps": 2,
                "weight": 20.0, "started_at": canary, "step_at": canary, "actor": "ana",
            })
        } else {
            serde_json::json!({
                "id": service, "service": service, "environment": "production", "version": "1.0.0", "desired": "1.0.0",
                "state": "succeeded", "vendor_state": "healthy", "strategy": "rolling",
                "started_at": at(began - 90_000), "finished_at": at(began - 89_000), "actor": "ana",
            })
        }
    };
    let list: Vec<_> = (0..size.services).map(one).collect();
    let json = folder.join("deployments.json");
    std::fs::write(&json, serde_json::Value::from(list).to_string()).unwrap();
    let tool = folder.join("deployments");
    std::fs::write(&tool, format!("#!/bin/sh\nexec cat '{}'\n", json.display())).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    tool
}

/// The metrics' tables.
fn metrics(size: Size) -> String {
    let by = "by = { service = \"service\", group = \"track\" }\ngroups = { canary = \"canary\", stable = \"stable\" }\n";
    let all = "sum by (service, track) (increase(http_requests_total[$bucket]))";
    let quantile = |q: &str| {
        format!(
            "kind = \"quantile\"\n{by}query = 'histogram_quantile({q}, sum by (le, service, track) \
             (increase(http_request_duration_seconds_bucket[$bucket])))'\n"
        )
    };
    let bucket = |edge: &str| {
        format!(
            "sum by (service, track) (increase(http_request_duration_seconds_bucket{{le=\"{edge}\"}}[$bucket]))"
        )
    };
    let tables: [(&str, String); METRICS] = [
        (
            "error_rate",
            format!(
                "kind = \"ratio\"\n{by}numerator = 'sum by (service, track) \
                 (increase(http_requests_total{{code=\"500\"}}[$bucket]))'\ndenominator = '{all}'\n"
            ),
        ),
        (
            "slow",
            format!(
                "kind = \"ratio\"\n{by}numerator = '{} - {}'\ndenominator = '{all}'\n",
                bucket("+Inf"),
                bucket("1")
            ),
        ),
        ("p95", quantile("0.95")),
        ("p99", quantile("0.99")),
        (
            "orders",
            "kind = \"count\"\ndirection = \"higher-is-better\"\nquery = 'sum by (service) (increase(orders_total[$bucket]))'\n"
                .to_owned(),
        ),
        (
            "queue",
            "kind = \"gauge\"\nquery = 'max by (service) (queue_depth)'\n".to_owned(),
        ),
    ];
    let mut out = String::new();
    for (id, table) in tables.iter().take(size.metrics) {
        let _ = write!(
            out,
            "[metrics.{id}]\nconnection = \"prom\"\nevery = \"{}s\"\n{table}",
            size.every
        );
    }
    out
}

fn toml(port: u16, tool: &Path, size: Size, began: i64) -> String {
    let services: String = (0..size.services)
        .map(|i| {
            format!(
                "[[service]]\nname = \"{}\"\nteam = \"team-{}\"\n",
                name(i),
                i % 20
            )
        })
        .collect();
    let planned = chrono::DateTime::from_timestamp(began - CANARY * 60, 0).unwrap();
    format!(
        r#"title = "many"
timezone = "UTC"
[environments.production]
[connections.prom]
connector = "prometheus"
url = "http://127.0.0.1:{port}"
[connections.tool]
connector = "command"
deployments = ["{tool}"]
{metrics}[defaults]
deployments = "tool"
[[defaults.gate]]
after = "step"
metrics = ["error_rate"]
[[defaults.trigger]]
metric = "error_rate"
above = "3x baseline"
window = "5m"
for = "5m"
then = "propose"
[people]
ana = {{ os = "ana", roles = ["driver"] }}
[[release]]
id = "canary"
title = "one of many"
environment = "production"
driver = "ana"
author = "ana"
planned = {planned}
length = "4h"
changes = [{{ service = "{first}", from = "1.0.0", to = "2.0.0", reversible = true }}]
{services}"#,
        tool = tool.display(),
        metrics = metrics(size),
        planned = planned.format("%Y-%m-%dT%H:%M:%S"),
        first = name(0),
    )
}

/// What a cockpit that watched the canary begin has in its journal.
fn seed(data: &Path, contract: Contract, began: i64) {
    let at = chrono::DateTime::from_timestamp(began - CANARY * 60, 0).unwrap();
    let bodies = [
        Body::ContractSealed {
            digest: contract::digest(&contract),
            contract,
        },
        Body::DeploymentSeen {
            service: name(0),
            environment: "production".to_owned(),
            version: "2.0.0".to_owned(),
            state: DeployState::Paused,
            step: Some(1),
            steps: Some(2),
            weight: Some(20.0),
            started_at: Some(at),
        },
    ];
    let author = Author {
        actor: "ana".to_owned(),
        known_by: "os user".to_owned(),
        host: "here".to_owned(),
    };
    let events: Vec<NewEvent> = bodies
        .iter()
        .map(|body| encode(body, &author, Some("canary"), at, None).unwrap())
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(data, OpenOptions::default()).await.unwrap();
        let append = Append {
            events,
            ..Append::default()
        };
        store.append(append).await.unwrap();
        store.close().await;
    });
}
