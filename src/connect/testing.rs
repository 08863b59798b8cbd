//! Runs a connector file's own test rows, without any network: `cockpit connector test FILE`, and our tests for the shipped files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::context::{DriverContext, Shared};
use super::driver::Driver;
use super::engine;
use super::place::Source;
use super::registry;
use super::transport::{Canned, Clients, Failure, Payload, Reply, Request};
use crate::domain::act::{Act, Outcome};
use crate::domain::connector::{ConnectorSpec, DriverKind, SettingKind, TestAnswer, TestSpec};
use crate::domain::diag::Diag;
use crate::domain::observe::{Call, Fault, FaultKind};
use crate::domain::policy::{Connection, Setting};
use crate::domain::secret::SecretRef;
use crate::domain::text::clean;
use crate::domain::time::{Clock, Instant, Now};

/// What one test row came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `read deployments (1)`.
    pub name: String,
    /// What differs; `Ok` when nothing does.
    pub outcome: Result<(), String>,
}

/// Runs all test rows of a connector file. `dir` is where its `fixtures/…` lie. A read or action without a row is a failed row.
///
/// # Errors
/// The file's own mistakes.
pub async fn run(source: &Source, dir: &Path) -> Result<Vec<Row>, Vec<Diag>> {
    let spec = registry::parse(source).map_err(|d| vec![d])?;
    if spec.driver != DriverKind::Http {
        return Ok(Vec::new());
    }
    super::compile::compile(&spec, source)?;
    let mut rows = Vec::new();
    for (i, test) in spec.test.iter().enumerate() {
        let name = match (&test.read, &test.action) {
            (Some(read), _) => format!("read {read} ({})", i + 1),
            (None, Some(action)) => format!("action {action} ({})", i + 1),
            (None, None) => format!("health ({})", i + 1),
        };
        let outcome = run_row(source, &spec, test, dir).await;
        rows.push(Row { name, outcome });
    }
    rows.extend(untested(&spec));
    Ok(rows)
}

fn untested(spec: &ConnectorSpec) -> Vec<Row> {
    let row = |kind: &str, name: &String| Row {
        name: format!("{kind} {name}"),
        outcome: Err("it has no [[test]] row".into()),
    };
    let has = |pick: fn(&TestSpec) -> &Option<String>, name: &String| {
        spec.test.iter().any(|t| pick(t).as_ref() == Some(name))
    };
    let reads = spec.read.keys().filter(|n| !has(|t| &t.read, n));
    let actions = spec.action.keys().filter(|n| !has(|t| &t.action, n));
    reads
        .map(|n| row("read", n))
        .chain(actions.map(|n| row("action", n)))
        .collect()
}

/// The time of every test row.
struct Still;
impl Clock for Still {
    fn now(&self) -> Now {
        let at: Instant = chrono::DateTime::UNIX_EPOCH + chrono::Duration::days(20_000);
        Now {
            world: at,
            real: at,
        }
    }
}

/// What was sent, as a `sends` table describes it.
type Sent = Arc<Mutex<Vec<Value>>>;

async fn run_row(
    source: &Source,
    spec: &ConnectorSpec,
    test: &TestSpec,
    dir: &Path,
) -> Result<(), String> {
    let sent = Sent::default();
    let answers = test
        .answers
        .iter()
        .map(|a| Ok((a.clone(), body_of(a, dir)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let connection = connection(spec, test)?;
    let shared = Shared {
        file: "test".into(),
        clock: Arc::new(Still),
        redactor: Arc::default(),
        clients: Arc::new(Clients::default()),
        endpoints: None,
        canned: Some(canned(answers, sent.clone())),
        zone: chrono_tz::UTC,
    };
    let said = |diags: Vec<Diag>| {
        let lines: Vec<String> = diags.iter().map(ToString::to_string).collect();
        lines.join("; ")
    };
    let context = DriverContext::new(&connection, spec, &shared).map_err(said)?;
    let driver = engine::open(&connection, spec, source, &context).map_err(said)?;
    match (&test.read, &test.action) {
        (Some(read), _) => check_read(driver.as_ref(), read, test).await,
        (None, Some(action)) => check_action(driver.as_ref(), spec, action, test, &sent).await,
        (None, None) => check_health(driver.as_ref(), test).await,
    }
}

/// A connection with the row's settings; what is required and not given gets a dummy.
fn connection(spec: &ConnectorSpec, test: &TestSpec) -> Result<Connection, String> {
    let mut settings = BTreeMap::new();
    for (name, known) in &spec.settings {
        let setting = match test.settings.get(name) {
            _ if known.secret => Setting::Secret(SecretRef::Env("DUMMY".into())),
            Some(Value::String(s)) => Setting::Text(s.clone()),
            Some(Value::Bool(b)) => Setting::Flag(*b),
            Some(Value::Number(n)) => Setting::Number(n.as_f64().unwrap_or_default()),
            Some(Value::Array(items)) => Setting::List(
                items
                    .iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect(),
            ),
            Some(other) => return Err(format!("settings.{name}: {other} is no setting")),
            None if known.kind == SettingKind::Url => {
                Setting::Text("https://vendor.example".into())
            }
            None if known.required => Setting::Text("dummy".into()),
            None => continue,
        };
        settings.insert(name.clone(), setting);
    }
    if let Some(name) = test
        .settings
        .keys()
        .find(|n| !spec.settings.contains_key(*n))
    {
        return Err(format!("settings.{name} is not declared"));
    }
    // Through serde, so that what a connection may carry besides takes its defaults.
    let connection =
        json!({ "name": "test", "connector": spec.id, "settings": settings, "every": null });
    serde_json::from_value(connection).map_err(|e| e.to_string())
}

fn body_of(answer: &TestAnswer, dir: &Path) -> Result<Bytes, String> {
    Ok(match &answer.body {
        None => Bytes::new(),
        Some(Value::String(name)) if name.starts_with("fixtures/") && !name.contains("..") => {
            Bytes::from(std::fs::read(dir.join(name)).map_err(|e| format!("{name}: {e}"))?)
        }
        Some(Value::String(text)) => Bytes::from(text.clone()),
        Some(value) => Bytes::from(value.to_string()),
    })
}

/// Answers by method, path and query; the first that fits.
fn canned(answers: Vec<(TestAnswer, Bytes)>, sent: Sent) -> Canned {
    Arc::new(move |request: &Request, url: &Url| {
        let query: Vec<(String, String)> = url
            .query_pairs()
            .map(|(k, v)| (k.into_owned(), v.into_owned()))
            .collect();
        sent.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(shown(request, url));
        let fits = |a: &TestAnswer| {
            a.method.as_deref().unwrap_or("GET") == request.method.as_str()
                && a.path == url.path()
                && a.query
                    .iter()
                    .all(|(k, v)| query.iter().any(|(n, w)| n == k && w == v))
        };
        let Some((answer, body)) = answers.iter().find(|(a, _)| fits(a)) else {
            let what = format!(
                "the row has no answer for {} {}",
                request.method,
                url.path()
            );
            return Err(Failure::not_sent(Fault::new(FaultKind::Config, what, "")));
        };
        let headers = answer.headers.iter().filter_map(|(k, v)| {
            HeaderName::from_bytes(k.as_bytes())
                .ok()
                .zip(HeaderValue::from_str(v).ok())
        });
        Ok(Reply {
            status: answer.status.unwrap_or(200),
            headers: headers.collect::<HeaderMap>(),
            body: body.clone(),
            url: url.clone(),
        })
    })
}

fn shown(request: &Request, url: &Url) -> Value {
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(k, v)| (k.to_lowercase(), v.clone().into()))
        .collect();
    let query: serde_json::Map<String, Value> = url
        .query_pairs()
        .map(|(k, v)| (k.into_owned(), v.into_owned().into()))
        .collect();
    let mut out = json!({ "method": request.method.as_str(), "path": url.path(), "headers": headers, "query": query });
    let body = match &request.body {
        Payload::Empty => None,
        Payload::Json(value) => Some(("json", value.clone())),
        Payload::Form(fields) => {
            let map: serde_json::Map<String, Value> = fields
                .iter()
                .map(|(k, v)| (k.clone(), v.clone().into()))
                .collect();
            Some(("form", Value::Object(map)))
        }
    };
    if let (Some((kind, value)), Some(map)) = (body, out.as_object_mut()) {
        map.insert(kind.to_owned(), value);
    }
    out
}

async fn check_read(driver: &dyn Driver, read: &str, test: &TestSpec) -> Result<(), String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let call = Call {
        connection: "test".into(),
        read: read.to_owned(),
        args: test
            .args
            .iter()
            .map(|(k, v)| (k.clone(), text(v)))
            .collect(),
        lookback: None,
    };
    match (driver.read(&call, None).await, &test.fault) {
        (Err(fault), Some(kind)) => same(&json!(kind), &json!(fault.kind), "fault"),
        (Ok(_), Some(kind)) => Err(format!("it was read, and {kind} was expected")),
        (Err(fault), None) => Err(fault.to_string()),
        (Ok(answer), None) => {
            let records = serde_json::to_value(&answer.records).unwrap_or_default();
            let items = records.get("items").cloned().unwrap_or_default();
            let expected = test.expect.clone().unwrap_or_default();
            same(&Value::Array(expected), &items, "records")
        }
    }
}

async fn check_health(driver: &dyn Driver, test: &TestSpec) -> Result<(), String> {
    match (driver.health().await, &test.fault) {
        (Err(fault), Some(kind)) => same(&json!(kind), &json!(fault.kind), "fault"),
        (Err(fault), None) => Err(fault.to_string()),
        (Ok(said), _) => same(
            &test.expect.clone().unwrap_or_default().into(),
            &json!([said]),
            "health",
        ),
    }
}

async fn check_action(
    driver: &dyn Driver,
    spec: &ConnectorSpec,
    name: &str,
    test: &TestSpec,
    sent: &Sent,
) -> Result<(), String> {
    let action = spec.action.get(name).ok_or("there is no such action")?;
    let act = Act {
        id: "intent-1".into(),
        connection: "test".into(),
        verb: action.verb,
        args: test.args.clone(),
        release: None,
        service: None,
        environment: None,
        reason: "a test".into(),
        summary: action.summary.clone(),
    };
    if let Some(finds) = test.finds {
        return check_find(driver, &act, finds, test).await;
    }
    let outcome = driver.act(&act).await;
    let word = test.outcome.as_deref().unwrap_or("confirmed");
    if outcome.word() != word {
        return Err(format!("{word} was expected, and it came to {outcome:?}"));
    }
    if let Some(expected) = &test.sends {
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        let last = sent.last().cloned().unwrap_or_default();
        same(expected, &last, "sends")?;
    }
    if let (Some(expected), Outcome::Confirmed { receipt }) = (&test.receipt, &outcome) {
        same(
            expected,
            &serde_json::to_value(receipt).unwrap_or_default(),
            "receipt",
        )?;
    }
    Ok(())
}

/// The mark of a row is `intent-1`.
async fn check_find(
    driver: &dyn Driver,
    act: &Act,
    finds: bool,
    test: &TestSpec,
) -> Result<(), String> {
    let found = driver.find(act).await.map_err(|f| f.to_string())?;
    match (found, finds) {
        (None, false) => Ok(()),
        (None, true) => Err("its mark was not found".into()),
        (Some(_), false) => Err("a mark was found, and none was expected".into()),
        (Some(receipt), true) => match &test.receipt {
            Some(expected) => same(
                expected,
                &serde_json::to_value(receipt).unwrap_or_default(),
                "receipt",
            ),
            None => Ok(()),
        },
    }
}

/// Everything expected is there and the same. Lists have the same length; `"null"` stands for nothing.
fn same(expected: &Value, got: &Value, at: &str) -> Result<(), String> {
    match (expected, got) {
        (Value::String(word), Value::Null) if word == "null" => Ok(()),
        (Value::Object(wanted), Value::Object(have)) => {
            wanted.iter().try_for_each(|(key, value)| {
                same(
                    value,
                    have.get(key).unwrap_or(&Value::Null),
                    &format!("{at}.{key}"),
                )
            })
        }
        (Value::Array(wanted), Value::Array(have)) if wanted.len() == have.len() => wanted
            .iter()
            .zip(have)
            .enumerate()
            .try_for_each(|(i, (w, h))| same(w, h, &format!("{at}[{i}]"))),
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => Ok(()),
        (a, b) if a == b => Ok(()),
        (a, b) => Err(format!(
            "{at}: expected {}, got {}",
            clean(&a.to_string(), 300),
            clean(&b.to_string(), 300)
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[tokio::test]
    async fn every_row_of_every_shipped_connector_passes() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/connectors");
        let mut failed = Vec::new();
        let mut count = 0;
        for (id, text) in registry::SHIPPED {
            let source = Source {
                file: format!("{id}.toml"),
                text: (*text).to_owned(),
            };
            match run(&source, &dir).await {
                Err(diags) => failed.extend(diags.iter().map(ToString::to_string)),
                Ok(rows) => {
                    count += rows.len();
                    let bad = rows
                        .into_iter()
                        .filter_map(|r| Some((r.name, r.outcome.err()?)));
                    failed.extend(bad.map(|(name, why)| format!("{id}: {name}: {why}")));
                }
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        assert!(count > 40, "only {count} rows were run");
    }

    fn shipped(id: &str) -> ConnectorSpec {
        let (all, _) = registry::Registry::load(None);
        registry::parse(all.source(id).unwrap()).unwrap()
    }

    #[test]
    fn a_queue_gives_a_mark_time_and_some_absences_prove_nothing() {
        let settles = |id: &str, action: &str| {
            let spec = shipped(id);
            spec.action[action].find.as_ref().unwrap().settled()
        };
        assert_eq!(settles("argocd", "deploy"), Ok(Some(30)));
        assert_eq!(settles("jenkins", "rollback"), Ok(Some(600)));
        assert_eq!(settles("github", "dispatch_back"), Ok(None));
    }

    #[tokio::test]
    async fn what_a_find_and_a_default_say_is_checked_at_load() {
        let text = r#"
format = 1
id = "x"
name = "X"
driver = "http"
[settings]
url = { required = true, type = "url" }
[action.run]
verb = "run"
summary = "Run"
danger = "low"
args = { flow = { default = "{{ settings.floww }}" } }
[action.run.request]
method = "POST"
path = "/run"
form = { "{{ settings.urk }}" = "x" }
[action.run.find]
request = { path = "/runs" }
take = "."
settles = "soon"
"#;
        let source = Source {
            file: "x.toml".into(),
            text: text.into(),
        };
        let diags = run(&source, Path::new(".")).await.unwrap_err();
        let said: Vec<String> = diags.iter().map(ToString::to_string).collect();
        let said = said.join("\n");
        for part in [
            "settings.floww is not declared",
            "settings.urk is not declared",
            "soon",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_difference_is_seen() {
        let got = json!([{"a": 1, "b": null, "c": [1]}]);
        assert!(same(&json!([{"a": 1.0, "b": "null"}]), &got, "x").is_ok());
        for bad in [
            json!([]),
            json!([{"a": 2}]),
            json!([{"b": "x"}]),
            json!([{"c": []}]),
            json!([{"d": 1}]),
        ] {
            assert!(same(&bad, &got, "x").is_err(), "{bad}");
        }
    }
}
