//! The world asked over its real ports.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss
)]

mod contracts;
mod vendors;

use std::time::{Duration, Instant as Ticks};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::scenario::Scenario;
use super::world::World;
use super::{WorldError, WorldHandle};

/// An answer: status, headers in lower case, body.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }
}

const AUTH: &str = "Authorization: Bearer dummy\r\nUser-Agent: test\r\n";
const PD: &str = "Authorization: Token token=dummy\r\nFrom: ana@acme.example\r\n";

async fn open(handle: &WorldHandle, vendor: &str, request: &str) -> TcpStream {
    let address = match vendor {
        "control" => handle.control,
        vendor => handle.endpoints[vendor],
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// `None` where the answer was cut off.
async fn ask(
    handle: &WorldHandle,
    vendor: &str,
    line: &str,
    headers: &str,
    body: &str,
) -> Option<Answer> {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: world\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    let mut stream = open(handle, vendor, &request).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
        .collect();
    let promised = headers
        .iter()
        .find(|(key, _)| key == "content-length")
        .and_then(|(_, v)| v.parse::<usize>().ok());
    if promised.is_some_and(|promised| body.len() < promised) && !line.starts_with("HEAD") {
        return None;
    }
    Some(Answer {
        status,
        headers,
        body: body.to_owned(),
    })
}

async fn get(handle: &WorldHandle, vendor: &str, path: &str) -> Answer {
    let auth = if vendor == "pagerduty" { PD } else { AUTH };
    ask(handle, vendor, &format!("GET {path}"), auth, "")
        .await
        .unwrap()
}

async fn post(handle: &WorldHandle, vendor: &str, path: &str, body: &Value) -> Answer {
    let headers = format!("{AUTH}Content-Type: application/json\r\n");
    ask(
        handle,
        vendor,
        &format!("POST {path}"),
        &headers,
        &body.to_string(),
    )
    .await
    .unwrap()
}

async fn advance(handle: &WorldHandle, seconds: i64) {
    let answer = post(
        handle,
        "control",
        "/__world/advance",
        &json!({ "seconds": seconds }),
    )
    .await;
    assert_eq!(answer.status, 200);
}

async fn start(scenario: &str) -> WorldHandle {
    World::start(scenario, None, 1.0, false).await.unwrap()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn matrix(handle: &WorldHandle, query: &str, start: i64, end: i64, step: i64) -> Vec<Value> {
    let path = format!(
        "/api/v1/query_range?query={}&start={start}&end={end}&step={step}",
        encoded(query)
    );
    let answer = get(handle, "prometheus", &path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["data"]["result"].as_array().unwrap().clone()
}

/// Counts of checkout in production by the end of each minute: (canary bad, canary all, stable bad, stable all).
async fn minutes(handle: &WorldHandle, from: i64, to: i64) -> Vec<[f64; 4]> {
    let mut rows = vec![[0.0; 4]; usize::try_from((to - from) / 60).unwrap() + 1];
    for (offset, codes) in [(0, r#",code=~"5..""#), (1, "")] {
        let query = format!(
            r#"sum by (track) (increase(http_requests_total{{service="checkout",env="production"{codes}}}[60s]))"#
        );
        for series in matrix(handle, &query, from, to, 60).await {
            let column = offset
                + if series["metric"]["track"] == "canary" {
                    0
                } else {
                    2
                };
            for point in series["values"].as_array().unwrap() {
                let row = (point[0].as_f64().unwrap() as i64 - from) / 60;
                rows[usize::try_from(row).unwrap()][column] =
                    point[1].as_str().unwrap().parse().unwrap();
            }
        }
    }
    rows
}

/// SEMANTICS 7: x·ln(x/m) − (x+a)·ln((a+x)/(a+m)).
fn evidence(x: f64, m: f64, a: f64) -> f64 {
    x * (x / m).ln() - (x + a) * ((a + x) / (a + m)).ln()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_regression_trips_within_ninety_seconds_of_opening_and_not_before() {
    let handle = start("regression").await;
    advance(&handle, 300).await;
    let scenario = Scenario::load("regression").unwrap();
    let opens = scenario.opens.timestamp();
    let from = opens - 18 * 60 - 60 * 60; // row 0 ends at 15:24
    let rows = minutes(&handle, from, opens + 240).await;
    let clock = |minute: usize| scenario.opens + chrono::Duration::minutes(minute as i64 - 78);
    let sum = |rows: &[[f64; 4]], column: usize| rows.iter().map(|row| row[column]).sum::<f64>();
    let hour = (sum(&rows[1..61], 2), sum(&rows[1..61], 3)); // 15:24 to 16:24
    // Both baselines of a trigger, and both readings of a clean start at 16:36 (the 40 % step) or not at all.
    let readings = [(true, 0), (true, 73), (false, 0), (false, 73)];
    // From no dispersion to more than this world's noise gives.
    let dispersions = [1.0, 1.5, 2.5];
    for ((concurrent, clean), phi) in readings
        .into_iter()
        .flat_map(|reading| dispersions.map(|phi| (reading, phi)))
    {
        let breached: Vec<bool> = (0..rows.len())
            .map(|minute| {
                // Until the new step's clean start the earlier step's counts stand.
                let cut = if minute < clean { 0 } else { clean };
                let span = &rows[minute.saturating_sub(4).max(cut)..=minute];
                let (x1, n1) = (sum(span, 0), sum(span, 1));
                let (x0, n0) = if concurrent {
                    (sum(span, 2), sum(span, 3))
                } else {
                    hour
                };
                let (x, m, a) = (x1 / phi, n1 * x0 / (n0 * phi), x0 / phi);
                n1 > 0.0 && x1 / n1 > 2.0 * x0 / n0 && evidence(x, m, a) >= 10.0
            })
            .collect();
        let first = (1..rows.len())
            .find(|minute| breached[*minute..].iter().all(|hit| *hit))
            .unwrap();
        // Six polls in a row, a minute apart, make five minutes.
        let trips = clock(first + 5) - scenario.opens;
        assert!(
            trips.num_seconds() > 0 && trips.num_seconds() <= 60,
            "concurrent {concurrent}, clean {clean}, dispersion {phi}: first breach ends {}, trips {trips}",
            clock(first)
        );
        assert!(breached[..first].iter().all(|hit| !hit), "no breach before");
    }
    let ratio = |rows: &[[f64; 4]]| (sum(rows, 0) / sum(rows, 1)) / (sum(rows, 2) / sum(rows, 3));
    assert!(
        ratio(&rows[73..74]) < 1.85,
        "a margin at 16:37: {}",
        ratio(&rows[73..74])
    );
    assert!(
        ratio(&rows[70..75]) > 2.15,
        "a margin at 16:38: {}",
        ratio(&rows[70..75])
    );
    assert!(
        (66..80).all(|minute| ratio(&rows[minute..=minute]) < 4.8),
        "the 5x trigger stays out of it"
    );
    // The gate of the 20 % step passed, as the story's journal says: 16:29 to 16:34, T = 1.5 (SEMANTICS 6).
    let gate = &rows[66..71];
    let phi = 1.1;
    let (x, a) = (sum(gate, 0) / (1.0 + 1.5 * (phi - 1.0)), sum(gate, 2) / phi);
    let m = sum(gate, 1) * sum(gate, 2) / (sum(gate, 3) * phi);
    let l = |r: f64| x * (r / 1.5).ln() - (x + a) * ((a + r * m) / (a + 1.5 * m)).ln();
    let pass = 0.6 * l(1.0).exp() + 0.2 * l(1.5_f64.sqrt()).exp() + 0.2 * l(0.5).exp();
    assert!(pass >= 50.0 && ratio(gate) < 1.5, "{pass} {}", ratio(gate));
    let last = &rows[74..79]; // 16:37 to 16:42
    assert!((2.2..2.9).contains(&ratio(last)), "{}", ratio(last));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_checkout_is_hurt_and_happy_hurts_nobody() {
    for (scenario, hurt) in [("regression", true), ("happy", false)] {
        let handle = start(scenario).await;
        let query = r#"sum by (service, track) (increase(http_requests_total{code=~"5..",env="production"}[4m])) / sum by (service, track) (increase(http_requests_total{env="production"}[4m]))"#;
        let path = format!("/api/v1/query?query={}", encoded(query));
        let answer = get(&handle, "prometheus", &path).await.json();
        let result = answer["data"]["result"].as_array().unwrap().clone();
        let spec = Scenario::load(scenario).unwrap();
        assert_eq!(result.len(), 21, "20 services and one canary");
        for series in result {
            let service = spec
                .service(series["metric"]["service"].as_str().unwrap())
                .unwrap();
            let ratio =
                series["value"][1].as_str().unwrap().parse::<f64>().unwrap() / service.errors;
            let canary = series["metric"]["track"] == "canary";
            if hurt && canary {
                assert!((2.1..3.2).contains(&ratio), "{ratio}");
            } else if service.rps * service.errors > 0.4 {
                assert!((0.6..1.5).contains(&ratio), "{}: {ratio}", service.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_refused_under_auto_sync_then_restores_the_metrics() {
    let handle = start("regression").await;
    let app = "/api/v1/applications/checkout";
    let shown = get(&handle, "argocd", app).await.json();
    let history = shown["status"]["history"].as_array().unwrap();
    let old = history
        .iter()
        .rfind(|entry| entry["revision"] == "2.13.4")
        .unwrap()["id"]
        .clone();
    let order = json!({ "id": old });
    let refused = post(&handle, "argocd", &format!("{app}/rollback"), &order).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["error"],
        "rollback cannot be initiated when auto-sync is enabled"
    );
    let held = shown["spec"]["syncPolicy"]["automated"].clone();
    assert_eq!(held, json!({ "prune": true, "selfHeal": true }));
    let off = json!({ "patchType": "merge", "patch": json!({ "spec": { "syncPolicy": { "automated": null } } }).to_string() });
    let patch = |body: Value| {
        let handle = &handle;
        async move {
            ask(
                handle,
                "argocd",
                &format!("PATCH {app}"),
                AUTH,
                &body.to_string(),
            )
            .await
            .unwrap()
        }
    };
    assert_eq!(patch(off).await.status, 200);
    let accepted = post(&handle, "argocd", &format!("{app}/rollback"), &order).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    assert_eq!(
        accepted.json()["status"]["operationState"]["phase"],
        "Running"
    );
    let again = post(&handle, "argocd", &format!("{app}/rollback"), &order).await;
    assert_eq!(
        again.json()["error"],
        "another operation is already in progress"
    );
    advance(&handle, 45).await;
    let after = get(&handle, "argocd", app).await.json();
    assert_eq!(after["status"]["health"]["status"], "Healthy");
    assert_eq!(after["status"]["sync"]["status"], "OutOfSync");
    assert_eq!(
        after["status"]["summary"]["images"],
        json!(["registry.acme.example/shop/checkout:2.13.4"])
    );
    advance(&handle, 400).await;
    let query = r#"sum by (track) (increase(http_requests_total{service="checkout",env="production",code=~"5.."}[5m])) / sum by (track) (increase(http_requests_total{service="checkout",env="production"}[5m]))"#;
    let path = format!("/api/v1/query?query={}", encoded(query));
    let result = get(&handle, "prometheus", &path).await.json()["data"]["result"].clone();
    assert_eq!(
        result.as_array().unwrap().len(),
        1,
        "the canary is gone: {result}"
    );
    let ratio: f64 = result[0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!((0.0013..0.0023).contains(&ratio), "{ratio}");
    let alerts = get(
        &handle,
        "alertmanager",
        "/api/v2/alerts?filter=service%3D%22checkout%22",
    )
    .await;
    assert_eq!(alerts.json(), json!([]));
    // Restoring the held field exactly makes Argo CD follow the source again.
    let on = json!({ "patchType": "merge", "patch": json!({ "spec": { "syncPolicy": { "automated": held } } }).to_string() });
    let restored = patch(on).await.json();
    assert_eq!(restored["spec"], shown["spec"]);
    advance(&handle, 40).await;
    let rollout = rollout(&handle).await;
    assert_eq!(
        rollout["status"]["canary"]["weights"]["canary"]["weight"],
        10
    );
    let acts = get(&handle, "control", "/__world/acts").await.json();
    assert_eq!(
        acts["counts"],
        json!({ "argocd.patch": 2, "argocd.rollback": 1 })
    );
}

async fn rollout(handle: &WorldHandle) -> Value {
    let path = "/api/v1/applications/checkout/resource?resourceName=checkout&namespace=shop&version=v1alpha1&group=argoproj.io&kind=Rollout";
    let answer = get(handle, "argocd", path).await.json();
    serde_json::from_str(answer["manifest"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_opens_at_forty_percent_and_can_be_promoted() {
    let handle = start("happy").await;
    let manifest = rollout(&handle).await;
    assert_eq!(manifest["status"]["phase"], "Paused");
    assert_eq!(manifest["status"]["currentStepIndex"], 5);
    assert_eq!(
        manifest["status"]["pauseConditions"][0]["reason"],
        "CanaryPauseStep"
    );
    let steps = manifest["spec"]["strategy"]["canary"]["steps"]
        .as_array()
        .unwrap();
    let weights: Vec<i64> = steps
        .iter()
        .filter_map(|step| step["setWeight"].as_i64())
        .collect();
    assert_eq!(weights, [10, 20, 40, 70, 100]);
    assert_eq!(
        manifest["status"]["canary"]["weights"]["canary"]["weight"],
        40
    );
    let payments = get(&handle, "argocd", "/api/v1/applications/payments").await;
    assert_eq!(payments.json()["status"]["sync"]["revision"], "5.3.1");
    assert_eq!(payments.json()["status"]["health"]["status"], "Healthy");
    let action = json!({ "resourceName": "checkout", "kind": "Rollout", "group": "argoproj.io", "action": "resume" });
    let path = "/api/v1/applications/checkout/resource/actions/v2";
    assert_eq!(post(&handle, "argocd", path, &action).await.status, 200);
    assert_eq!(
        rollout(&handle).await["status"]["canary"]["weights"]["canary"]["weight"],
        70
    );
    advance(&handle, 240).await;
    let done = rollout(&handle).await;
    assert_eq!(done["status"]["phase"], "Healthy");
    assert_eq!(
        done["spec"]["template"]["spec"]["containers"][0]["image"],
        "registry.acme.example/shop/checkout:2.14.0"
    );
    let late = post(&handle, "argocd", path, &action).await;
    assert_eq!(late.status, 400, "nothing to resume: {}", late.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_sends_all_and_then_what_changes() {
    let handle = start("happy").await;
    let request = format!(
        "GET /api/v1/stream/applications HTTP/1.1\r\nHost: w\r\nAccept: text/event-stream\r\n{AUTH}\r\n"
    );
    let stream = open(&handle, "argocd", &request).await;
    let mut lines = BufReader::new(stream).lines();
    let mut events = Vec::new();
    let deadline = Ticks::now() + Duration::from_secs(20);
    while Ticks::now() < deadline {
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let Some(data) = line.strip_prefix("data: ") else {
            assert!(
                !line.starts_with("HTTP/1.1 ") || line.contains("200"),
                "{line}"
            );
            continue;
        };
        let event: Value = serde_json::from_str(data).unwrap();
        events.push(event["result"].clone());
        if events.len() == 36 {
            // 18 services of Argo CD in two environments: then something happens.
            assert!(events.iter().all(|event| event["type"] == "ADDED"));
            let action =
                json!({ "resourceName": "checkout", "kind": "Rollout", "action": "abort" });
            post(
                &handle,
                "argocd",
                "/api/v1/applications/checkout/resource/actions/v2",
                &action,
            )
            .await;
        }
        if events.len() == 37 {
            break;
        }
    }
    let last = events.last().unwrap();
    assert_eq!(last["type"], "MODIFIED");
    assert_eq!(
        last["application"]["status"]["health"]["status"],
        "Degraded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_and_time_survive_a_restart_and_fresh_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let begin = |fresh| World::start("regression", Some(dir.path()), 1.0, fresh);
    let handle = begin(false).await.unwrap();
    let action = json!({ "resourceName": "checkout", "kind": "Rollout", "action": "abort" });
    let path = "/api/v1/applications/checkout/resource/actions/v2";
    assert_eq!(post(&handle, "argocd", path, &action).await.status, 200);
    let said = json!({ "channel": "oncall", "text": "brief" });
    assert_eq!(
        post(&handle, "slack", "/api/chat.postMessage", &said)
            .await
            .json()["ok"],
        true
    );
    advance(&handle, 30).await;
    let before = handle.clock.world();
    assert!(matches!(begin(false).await, Err(WorldError::Locked { .. })));
    // As after a kill: nothing is said goodbye to.
    drop(handle);
    let deadline = Ticks::now() + Duration::from_secs(10);
    let handle = loop {
        match begin(false).await {
            Ok(handle) => break handle,
            Err(WorldError::Locked { .. }) if Ticks::now() < deadline => {
                tokio::task::yield_now().await
            }
            Err(why) => panic!("{why}"),
        }
    };
    assert!(handle.clock.world() >= before);
    assert_eq!(rollout(&handle).await["status"]["abort"], true);
    let acts = get(&handle, "control", "/__world/acts").await.json();
    assert_eq!(
        acts["counts"],
        json!({ "argocd.rollout": 1, "slack.message": 1 })
    );
    handle.shutdown().await;
    let deadline = Ticks::now() + Duration::from_secs(10);
    let handle = loop {
        match begin(true).await {
            Ok(handle) => break handle,
            Err(WorldError::Locked { .. }) if Ticks::now() < deadline => {
                tokio::task::yield_now().await
            }
            Err(why) => panic!("{why}"),
        }
    };
    assert_eq!(rollout(&handle).await["status"]["phase"], "Paused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_answer_was_accepted_once_and_a_status_not_at_all() {
    let handle = start("regression").await;
    let control = |body: Value| {
        let handle = &handle;
        async move { post(handle, "control", "/__world/fault", &body).await }
    };
    control(json!({ "vendor": "slack", "kind": "status", "status": 500, "times": 1 })).await;
    control(json!({ "vendor": "slack", "kind": "cut", "times": 1 })).await;
    assert_eq!(
        control(json!({ "vendor": "slck", "kind": "cut" }))
            .await
            .status,
        400
    );
    let headers = format!("{AUTH}Content-Type: application/json\r\n");
    let body = json!({ "channel": "C0ONCALL1", "text": "brief" }).to_string();
    let send = || {
        ask(
            &handle,
            "slack",
            "POST /api/chat.postMessage",
            &headers,
            &body,
        )
    };
    assert_eq!(send().await.unwrap().status, 500);
    assert!(send().await.is_none(), "cut off");
    assert_eq!(handle.world.counts().get("slack.message"), Some(&1));
    // Hanging after the act: the caller gives up, the act stands.
    control(json!({ "vendor": "slack", "kind": "hang", "accepted": true })).await;
    let hung = tokio::time::timeout(Duration::from_millis(300), send()).await;
    assert!(hung.is_err());
    assert_eq!(handle.world.counts().get("slack.message"), Some(&2));
    let cleared = ask(&handle, "control", "DELETE /__world/fault", "", "").await;
    assert_eq!(cleared.unwrap().status, 200);
    assert_eq!(send().await.unwrap().json()["ok"], true);
    let acts = get(&handle, "control", "/__world/acts").await.json();
    assert_eq!(acts["requests"]["slack"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_go_dark_one_after_another_and_most_come_back() {
    let handle = start("blackout").await;
    let probes = [
        ("prometheus", "/api/v1/query?query=up"),
        ("argocd", "/api/v1/applications/checkout"),
        ("github", "/rate_limit"),
        ("pagerduty", "/oncalls"),
        ("slack", "/api/auth.test"),
        ("ics", "/releases.ics"),
        ("registry", "/v2/"),
        ("alertmanager", "/api/v2/alerts"),
    ];
    let fine = |answer: Option<Answer>| {
        answer.is_some_and(|a| a.status == 200 && !a.body.contains("Sign in"))
    };
    let mut seen = Vec::new();
    for _ in 0..13 {
        let mut up = Vec::new();
        for (vendor, path) in probes {
            let auth = if vendor == "pagerduty" { PD } else { AUTH };
            let line = format!("GET {path}");
            let asked = ask(&handle, vendor, &line, auth, "");
            let answer = tokio::time::timeout(Duration::from_millis(400), asked).await;
            if fine(answer.ok().flatten()) {
                up.push(vendor);
            }
        }
        seen.push(up);
        advance(&handle, 60).await;
    }
    let counts: Vec<usize> = seen.iter().map(Vec::len).collect();
    assert_eq!(counts.first(), Some(&8), "{seen:?}");
    assert!(counts.contains(&0), "{seen:?}");
    assert!(
        counts[..=6].windows(2).all(|pair| pair[1] <= pair[0]),
        "{seen:?}"
    );
    assert_eq!(counts.last(), Some(&7), "all but the calendar: {seen:?}");
    assert!(!seen.last().unwrap().contains(&"ics"));
}

/// The repository's own cockpit.toml flies this world: what it names has to be here.
#[test]
fn the_shipped_config_names_what_the_world_has() {
    let config: toml::Table = toml::from_str(include_str!("../../../cockpit.toml")).unwrap();
    let scenario = Scenario::load(config["demo"]["scenario"].as_str().unwrap()).unwrap();
    for (name, connection) in config["connections"].as_table().unwrap() {
        let vendor = connection["url"]
            .as_str()
            .unwrap()
            .strip_prefix("demo:")
            .unwrap();
        assert!(super::VENDORS.contains(&vendor), "{name}");
    }
    let services = config["service"].as_array().unwrap();
    assert_eq!(services.len(), scenario.services.len());
    for service in services {
        let known = scenario.service(service["name"].as_str().unwrap()).unwrap();
        let depends = service.get("depends_on").and_then(|d| d.as_array());
        let depends: Vec<&str> = depends
            .into_iter()
            .flatten()
            .map(|d| d.as_str().unwrap())
            .collect();
        assert_eq!(depends, known.depends_on);
    }
    for release in config["release"].as_array().unwrap() {
        for change in release["changes"].as_array().unwrap() {
            let known = scenario
                .service(change["service"].as_str().unwrap())
                .unwrap();
            for end in ["from", "to"] {
                assert!(known.versions().any(|v| v == change[end].as_str().unwrap()));
            }
        }
    }
}

/// Every metric of the shipped config has data: for the canary of checkout, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_queries_are_answered() {
    let handle = start("regression").await;
    let config: toml::Table = toml::from_str(include_str!("../../../cockpit.toml")).unwrap();
    let opens = handle.world.scenario.opens.timestamp();
    let mut asked = 0;
    for (name, metric) in config["metrics"].as_table().unwrap() {
        // Of alerts there may be none.
        if metric["kind"].as_str() == Some("count") {
            continue;
        }
        for part in ["numerator", "denominator", "query"] {
            let Some(query) = metric.get(part).and_then(|q| q.as_str()) else {
                continue;
            };
            asked += 1;
            let query = query.replace("$bucket", "60s");
            let series = matrix(&handle, &query, opens - 540, opens, 60).await;
            let canary = series
                .iter()
                .find(|s| s["metric"]["track"] == "canary")
                .unwrap_or_else(|| panic!("{name}.{part}"));
            assert_eq!(canary["metric"]["service"], "checkout");
            let numbers = canary["values"].as_array().unwrap();
            assert!(numbers.len() >= 10, "{name}.{part}");
            let positive = |p: &Value| p[1].as_str().unwrap().parse::<f64>().unwrap() > 0.0;
            assert!(numbers.iter().all(positive), "{name}.{part}");
        }
    }
    assert!(asked >= 8);
}
