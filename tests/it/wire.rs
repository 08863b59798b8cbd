//! Every shipped connector over real sockets: what a vendor may do wrong, and how often an act reaches it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};
use cockpit::connect::context::{DriverContext, Shared};
use cockpit::connect::driver::Driver;
use cockpit::connect::engine;
use cockpit::connect::place::Source;
use cockpit::connect::registry::{self, SHIPPED};
use cockpit::domain::act::{Act, Outcome};
use cockpit::domain::connector::{ConnectorSpec, DriverKind, TestSpec};
use cockpit::domain::observe::{Call, Fault, FaultKind};
use cockpit::domain::policy::{Connection, Setting};
use cockpit::domain::record::Records;
use cockpit::domain::secret::SecretRef;
use cockpit::domain::time::{Clock, Now};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::fake::{Fake, Says, Seen};

const TOKEN: &str = "tok-4711-hush";

/// A clock that stands still.
pub struct Still;
impl Clock for Still {
    fn now(&self) -> Now {
        let at: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        Now {
            world: at,
            real: at,
        }
    }
}

/// The shipped HTTP connectors, with times and sizes that suit a test.
fn shipped() -> Vec<(ConnectorSpec, Source)> {
    SHIPPED
        .iter()
        .map(|(id, text)| {
            let source = Source {
                file: format!("{id}.toml"),
                text: (*text).to_owned(),
            };
            let mut spec = registry::parse(&source).unwrap();
            spec.http.timeout = "300ms".into();
            spec.http.max_body = "32KiB".into();
            (spec, source)
        })
        .filter(|(spec, _)| spec.driver == DriverKind::Http)
        .collect()
}

pub fn connection(spec: &ConnectorSpec, url: &str, given: &BTreeMap<String, Value>) -> Connection {
    let mut settings = BTreeMap::new();
    for (name, known) in &spec.settings {
        let setting = match given.get(name) {
            _ if known.secret => {
                Setting::Secret(SecretRef::Command(vec!["echo".into(), TOKEN.into()]))
            }
            _ if name == "url" => Setting::Text(url.into()),
            Some(Value::String(text)) => Setting::Text(text.clone()),
            None if known.required => Setting::Text("x".into()),
            _ => continue,
        };
        settings.insert(name.clone(), setting);
    }
    let value = json!({ "name": "c", "connector": spec.id, "settings": settings, "every": null });
    serde_json::from_value(value).unwrap()
}

fn open(
    spec: &ConnectorSpec,
    source: &Source,
    url: &str,
    given: &BTreeMap<String, Value>,
) -> Box<dyn Driver> {
    let connection = connection(spec, url, given);
    let shared = Shared {
        file: "cockpit.toml".into(),
        clock: Arc::new(Still),
        redactor: Arc::default(),
        clients: Arc::default(),
        endpoints: None,
        canned: None,
        zone: chrono_tz::UTC,
    };
    let context = DriverContext::new(&connection, spec, &shared).unwrap();
    engine::open(&connection, spec, source, &context).unwrap()
}

/// One row per read and per action: the first that is expected to go well.
fn rows(spec: &ConnectorSpec, actions: bool) -> Vec<TestSpec> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for row in &spec.test {
        let Some(name) = (if actions {
            row.action.clone()
        } else {
            row.read.clone()
        }) else {
            continue;
        };
        let goes_well =
            row.fault.is_none() && row.outcome.as_deref().is_none_or(|o| o == "confirmed");
        if !seen.contains(&name) && goes_well {
            seen.push(name);
            out.push(row.clone());
        }
    }
    out
}

fn call(row: &TestSpec) -> Call {
    Call {
        connection: "c".into(),
        read: row.read.clone().unwrap(),
        args: row
            .args
            .iter()
            .map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned()))
            .collect(),
        lookback: None,
    }
}

/// Reads everything that every connector offers from a vendor that gives these answers one after the other; one list per answer.
async fn faults_of(list: &[Says]) -> Vec<Vec<(String, Result<usize, Fault>)>> {
    let mut out = vec![Vec::new(); list.len()];
    let mut reads = 0;
    for (spec, source) in shipped() {
        for row in rows(&spec, false) {
            let now = Arc::new(Mutex::new(list[0].clone()));
            let says = now.clone();
            let fake = Fake::start(move |_| says.lock().unwrap().clone()).await;
            let driver = open(&spec, &source, &fake.url(), &row.settings);
            reads += 1;
            for (i, says) in list.iter().enumerate() {
                *now.lock().unwrap() = says.clone();
                let got = driver.read(&call(&row), None).await;
                if let Err(fault) = &got {
                    assert!(!fault.to_string().contains(TOKEN), "{fault}");
                    assert!(
                        fault.what.starts_with(&format!("{} (c):", spec.name)),
                        "{fault}"
                    );
                    assert!(!fault.what.contains('\u{1b}'), "{fault:?}");
                }
                let name = format!("{}.{}", spec.id, row.read.clone().unwrap());
                out[i].push((name, got.map(|a| a.records.len())));
            }
        }
    }
    assert!(reads >= 8, "every connector reads something");
    out
}

fn all_are(got: &[(String, Result<usize, Fault>)], kind: FaultKind) {
    for (name, outcome) in got {
        let fault = outcome.as_ref().expect_err(name);
        assert_eq!(fault.kind, kind, "{name}: {fault}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let body = "{\"message\":\"no \\u001b[2Jway, tok-4711-hush\"}";
    // The last one puts the connection to sleep.
    let statuses = [404, 401, 403, 500, 429];
    let got = faults_of(&statuses.map(|s| Says::status(s, body))).await;
    all_are(&got[1], FaultKind::Unauthorized);
    all_are(&got[2], FaultKind::Unauthorized);
    all_are(&got[3], FaultKind::Server);
    all_are(&got[4], FaultKind::RateLimited);
    for (name, outcome) in &got[0] {
        match outcome {
            // A registry's 404 is the answer: not there.
            Ok(count) => assert_eq!((name.as_str(), *count), ("oci.artifact", 1)),
            Err(fault) => assert_eq!(fault.kind, FaultKind::NotFound, "{name}"),
        }
    }
}

#[tokio::test]
async fn slow_broken_and_huge_answers_are_faults() {
    let huge = Says::status(200, vec![b' '; 40_000]);
    let got = faults_of(&[Says::Silence, Says::Close, huge]).await;
    all_are(&got[0], FaultKind::Timeout);
    all_are(&got[1], FaultKind::Unreachable);
    for (name, outcome) in &got[2] {
        if name != "oci.artifact" {
            assert_eq!(
                outcome.as_ref().expect_err(name).kind,
                FaultKind::TooLarge,
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn answers_of_another_shape_are_never_an_empty_list() {
    let bodies = [
        "\"text\"",
        "42",
        "{}",
        "[1]",
        "null",
        "",
        "{\"items\":{\"a\":1}}",
        "<html>login</html>",
        "{\"a\":",
    ];
    let got = faults_of(&bodies.map(|b| Says::status(200, b))).await;
    for (body, list) in bodies.iter().zip(got) {
        for (name, outcome) in list {
            if name == "oci.artifact" {
                continue; // HEAD: there is no body
            }
            let fault = outcome.expect_err(&format!("{name} takes {body:?} for an answer"));
            assert!(
                matches!(fault.kind, FaultKind::BadShape | FaultKind::Refused),
                "{name} {body:?}: {fault}"
            );
        }
    }
}

#[tokio::test]
async fn a_vendor_that_asks_for_quiet_is_left_alone() {
    for (spec, source) in shipped() {
        let Some(row) = rows(&spec, false).into_iter().next() else {
            continue;
        };
        let fake = Fake::always(Says::status(429, "").with("retry-after", "90")).await;
        let driver = open(&spec, &source, &fake.url(), &row.settings);
        let fault = driver.read(&call(&row), None).await.unwrap_err();
        assert_eq!(
            fault.retry_at,
            Some(Still.now().real + Duration::seconds(90))
        );
        let again = driver.read(&call(&row), None).await.unwrap_err();
        assert_eq!(again.kind, FaultKind::RateLimited);
        assert_eq!(fake.seen().len(), 1, "{}", spec.id);
    }
}

fn act(spec: &ConnectorSpec, row: &TestSpec) -> Act {
    let action = &spec.action[row.action.as_ref().unwrap()];
    Act {
        id: "act-1".into(),
        connection: "c".into(),
        verb: action.verb,
        args: row.args.clone(),
        release: None,
        service: None,
        environment: None,
        reason: "test".into(),
        summary: String::new(),
    }
}

/// Answers the earlier calls as the row says, and what acts as `says` holds.
fn vendor(
    row: &TestSpec,
    says: Arc<Mutex<Says>>,
) -> impl Fn(&Seen) -> Says + Send + Sync + 'static {
    let earlier = row.answers.clone();
    move |seen| {
        if seen.method != "GET" {
            return says.lock().unwrap().clone();
        }
        let path = seen.path.split('?').next().unwrap();
        let found = earlier
            .iter()
            .find(|a| a.method.is_none() && a.path == path);
        let body = found.and_then(|a| a.body.clone()).unwrap_or_default();
        Says::status(
            found.and_then(|a| a.status).unwrap_or(200),
            body.to_string(),
        )
    }
}

#[tokio::test]
async fn an_act_is_sent_exactly_once_whatever_happens() {
    let refused = |o: &Outcome| matches!(o, Outcome::Refused { .. });
    let unknown = |o: &Outcome| matches!(o, Outcome::Unknown { .. });
    type Fits<'a> = &'a dyn Fn(&Outcome) -> bool;
    let cases: [(Says, Fits<'_>); 6] = [
        (Says::Close, &unknown),
        (Says::Silence, &unknown),
        (Says::status(500, "{}"), &unknown),
        (Says::status(200, "<html>please log in</html>"), &unknown),
        (Says::status(403, "{}"), &refused),
        (Says::status(429, "{}"), &refused),
    ];
    let mut tried = 0;
    for (spec, source) in shipped() {
        for row in rows(&spec, true) {
            let idempotent = spec.action[row.action.as_ref().unwrap()].idempotent;
            let now = Arc::new(Mutex::new(Says::Close));
            let fake = Fake::start(vendor(&row, now.clone())).await;
            let driver = open(&spec, &source, &fake.url(), &row.settings);
            let mut before = 0;
            for (says, fits) in &cases {
                *now.lock().unwrap() = says.clone();
                let outcome = driver.act(&act(&spec, &row)).await;
                let name = format!("{} {} {says:?}", spec.id, row.action.clone().unwrap());
                assert!(fits(&outcome), "{name}: {outcome:?}");
                assert!(!format!("{outcome:?}").contains(TOKEN), "{name}");
                let all = fake.seen().iter().filter(|s| s.method != "GET").count();
                let sent = all - std::mem::replace(&mut before, all);
                assert!(
                    sent == 1 || idempotent && sent > 1,
                    "{name}: sent {sent} times"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "only {tried} acts were tried");
}

#[tokio::test]
async fn an_act_that_cannot_connect_did_not_happen() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for (spec, source) in shipped() {
        for row in rows(&spec, true) {
            let driver = open(&spec, &source, &url, &row.settings);
            let outcome = driver.act(&act(&spec, &row)).await;
            assert!(
                matches!(outcome, Outcome::Refused { .. }),
                "{}: {outcome:?}",
                spec.id
            );
        }
    }
}

#[tokio::test]
async fn the_token_goes_where_it_belongs() {
    for (spec, source) in shipped() {
        let Some(row) = rows(&spec, false).into_iter().next() else {
            continue;
        };
        let fake = Fake::always(Says::status(500, "")).await;
        let driver = open(&spec, &source, &fake.url(), &row.settings);
        let _ = driver.read(&call(&row), None).await;
        let seen = fake.seen();
        let header = seen[0].header("authorization").unwrap_or_default();
        assert!(
            header.contains(TOKEN) || header.starts_with("Basic "),
            "{}: {header:?}",
            spec.id
        );
    }
}

/// A registry that gives no answer without a token of its own, as the public ones do.
async fn registry(realm: String) -> Fake {
    Fake::start(move |seen| match seen.header("authorization") {
        Some("Bearer once") => Says::status(200, "{}").with("docker-content-digest", "sha256:abc"),
        _ => Says::status(401, "{}").with(
            "www-authenticate",
            &format!(
                "Bearer realm=\"{realm}/token\",service=\"registry\",scope=\"repository:shop/checkout:pull\""
            ),
        ),
    })
    .await
}

#[tokio::test]
async fn a_registrys_challenge_is_answered_where_the_file_says_and_nowhere_else() {
    let (spec, source) = shipped().into_iter().find(|(s, _)| s.id == "oci").unwrap();
    let tokens = Fake::always(Says::status(200, r#"{"token":"once","expires_in":60}"#)).await;
    let images = registry(tokens.url()).await;
    let call = Call {
        connection: "c".into(),
        read: "artifact".into(),
        args: [("image", "shop/checkout"), ("version", "2.14.0")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        lookback: None,
    };
    let settings = |more: &[(&str, &str)]| {
        let all = more.iter().map(|(k, v)| ((*k).to_owned(), json!(*v)));
        all.collect::<BTreeMap<_, _>>()
    };
    // Another host than the registry, which the file does not name: no token is asked for, and no password leaves.
    let driver = open(&spec, &source, &images.url(), &settings(&[]));
    let fault = driver.read(&call, None).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unauthorized);
    assert!(fault.what.contains(&tokens.url()), "{fault}");
    assert!(fault.hint.contains("token_url"), "{fault}");
    assert_eq!(tokens.seen().len(), 0);
    // Named, it is asked for the scope that the registry wants, with the user's password.
    let named = settings(&[("token_url", &tokens.url()), ("user", "ana")]);
    let driver = open(&spec, &source, &images.url(), &named);
    let Records::Artifact(list) = driver.read(&call, None).await.unwrap().records else {
        panic!("no artifact");
    };
    assert!(list[0].present, "{list:?}");
    let asked = tokens.seen();
    assert_eq!(
        asked[0].path,
        "/token?service=registry&scope=repository%3Ashop%2Fcheckout%3Apull"
    );
    assert!(
        asked[0]
            .header("authorization")
            .is_some_and(|h| h.starts_with("Basic ")),
        "{asked:?}"
    );
    // A token that is not taken ends the read: nothing goes round in circles.
    let useless = Fake::always(Says::status(200, r#"{"token":"wrong"}"#)).await;
    let images = registry(useless.url()).await;
    let named = settings(&[("token_url", &useless.url())]);
    let driver = open(&spec, &source, &images.url(), &named);
    let fault = driver.read(&call, None).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unauthorized);
    assert_eq!((images.seen().len(), useless.seen().len()), (2, 1));
}

#[tokio::test]
async fn a_preview_holds_no_secret_and_no_value_in_its_path() {
    for (spec, source) in shipped() {
        for row in rows(&spec, true) {
            let driver = open(&spec, &source, "http://127.0.0.1:1", &row.settings);
            let preview = driver.preview(&act(&spec, &row)).unwrap();
            let request = spec.action[row.action.as_ref().unwrap()]
                .request
                .as_ref()
                .unwrap();
            assert_eq!(preview.path, request.path);
            assert!(!format!("{preview:?}").contains(TOKEN));
            assert_ne!(preview.method, "GET");
        }
    }
}

#[tokio::test]
async fn hostile_text_is_tame_when_it_arrives() {
    let (spec, source) = shipped()
        .into_iter()
        .find(|(s, _)| s.id == "alertmanager")
        .unwrap();
    let body = json!([{ "fingerprint": "f\u{202e}1", "labels": { "alertname": "\u{1b}]0;owned\u{7}High\nErrors" },
        "annotations": { "summary": "x".repeat(5000) }, "startsAt": "2026-11-20T10:00:00Z", "status": { "state": "active" } }]);
    let fake = Fake::always(Says::json(&body)).await;
    let driver = open(&spec, &source, &fake.url(), &BTreeMap::new());
    let call = Call {
        connection: "c".into(),
        read: "alerts".into(),
        args: BTreeMap::new(),
        lookback: None,
    };
    let Records::Alert(alerts) = driver.read(&call, None).await.unwrap().records else {
        panic!("no alerts")
    };
    assert_eq!(
        (alerts[0].id.as_str(), alerts[0].name.as_str()),
        ("f1", "High Errors")
    );
    assert!(alerts[0].summary.as_ref().unwrap().chars().count() <= 500);
}

#[tokio::test]
async fn the_stream_says_read_again_and_tells_its_own_failure() {
    let (spec, source) = shipped()
        .into_iter()
        .find(|(s, _)| s.id == "argocd")
        .unwrap();
    let text = "data: {\"result\":{\"type\":\"MODIFIED\"}}\n\n";
    let fake = Fake::always(Says::Open(text.into())).await;
    let driver = open(&spec, &source, &fake.url(), &BTreeMap::new());
    let call = Call {
        connection: "c".into(),
        read: "deployments".into(),
        args: BTreeMap::new(),
        lookback: None,
    };
    let mut events = driver.changes(&call).unwrap();
    assert_eq!(events.next().await, Some(Ok(())));
    assert_eq!(fake.seen()[0].header("accept"), Some("text/event-stream"));
    assert_eq!(fake.seen()[0].path, "/api/v1/stream/applications");

    let text = "data: {\"error\":{\"grpc_code\":7,\"message\":\"permission denied\"}}\n\n";
    let fake = Fake::always(Says::Open(text.into())).await;
    let driver = open(&spec, &source, &fake.url(), &BTreeMap::new());
    let mut events = driver.changes(&call).unwrap();
    let fault = events.next().await.unwrap().unwrap_err();
    assert!(fault.what.contains("permission denied"), "{fault}");
}
