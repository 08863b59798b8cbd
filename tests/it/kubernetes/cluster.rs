//! A cluster for the tests: the part of the Kubernetes API that is used, kept to its contract (versions, conflicts, pages, bookmarks,
//! 410), with a controller that does what Argo Rollouts does, and able to misbehave.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};

/// What reached it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub content: String,
    pub authorization: String,
    pub body: Value,
}

/// What is wrong with the next patches, one each.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// This one goes well.
    Nothing,
    /// The controller writes to the object just before.
    Noise,
    /// Somebody else changes the object just before.
    Changed,
    /// It is done, and no answer comes.
    Silent,
    /// It is done, and the connection breaks within the answer.
    Cut,
    /// Answered so, and not done.
    Status(u16),
    /// Done, and answered with something else.
    Answer(&'static str),
}

#[derive(Default)]
pub struct Inner {
    objects: BTreeMap<(String, String, String), Value>,
    version: u64,
    /// Versions below are forgotten.
    pub oldest: u64,
    events: Vec<(u64, String, String, Value)>,
    pub seen: Vec<Seen>,
    pub wrong: VecDeque<Wrong>,
    /// Resources that this cluster does not know, or does not show: their status.
    pub refused: BTreeMap<String, u16>,
    /// Objects of one page at most.
    pub page: usize,
    /// The continue token grows old after the first page.
    pub pages_expire: bool,
    /// The controller is away.
    pub idle: bool,
    /// Watches that end: after so many lines.
    pub watch_lines: Option<usize>,
    pub token: Option<String>,
}

/// The running cluster; it ends when dropped.
pub struct Cluster {
    pub addr: SocketAddr,
    pub inner: Arc<Mutex<Inner>>,
    changed: tokio::sync::watch::Sender<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = (Arc<Mutex<Inner>>, tokio::sync::watch::Sender<u64>);

impl Cluster {
    pub async fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            version: 100,
            page: 500,
            ..Inner::default()
        }));
        let (changed, _) = tokio::sync::watch::channel(0);
        let router = Router::new()
            .fallback(answer)
            .with_state((inner.clone(), changed.clone()));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            addr,
            inner,
            changed,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Puts an object there, as the server stores it.
    pub fn put(&self, plural: &str, mut object: Value) {
        let mut inner = self.inner.lock().unwrap();
        object["metadata"]["generation"]
            .as_i64()
            .is_none()
            .then(|| object["metadata"]["generation"] = 1.into());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", object["metadata"]["name"]).into();
        }
        inner.store(plural, object);
        drop(inner);
        self.changed.send_modify(|n| *n += 1);
    }

    pub fn get(&self, plural: &str, name: &str) -> Value {
        let inner = self.inner.lock().unwrap();
        let found = inner
            .objects
            .iter()
            .find(|((p, _, n), _)| p == plural && n == name);
        found.map(|(_, v)| v.clone()).unwrap_or_default()
    }

    /// Tells the watches of a quiet time.
    pub fn bookmark(&self, plural: &str) {
        let mut inner = self.inner.lock().unwrap();
        inner.version += 1;
        let version = inner.version;
        let object = json!({ "metadata": { "resourceVersion": version.to_string() } });
        inner
            .events
            .push((version, plural.to_owned(), "BOOKMARK".to_owned(), object));
        drop(inner);
        self.changed.send_modify(|n| *n += 1);
    }

    pub fn say(&self, wrong: impl IntoIterator<Item = Wrong>) {
        self.inner.lock().unwrap().wrong = wrong.into_iter().collect();
    }

    pub fn patches(&self) -> Vec<Seen> {
        let inner = self.inner.lock().unwrap();
        inner
            .seen
            .iter()
            .filter(|s| s.method == "PATCH")
            .cloned()
            .collect()
    }

    /// The controller comes back and does what was left to it.
    pub fn wake(&self, name: &str) {
        let now = self.get("rollouts", name);
        let mut inner = self.inner.lock().unwrap();
        inner.idle = false;
        inner.control("rollouts", &json!({}), now);
        drop(inner);
        self.changed.send_modify(|n| *n += 1);
    }

    pub fn asked(&self, part: &str) -> Vec<Seen> {
        let inner = self.inner.lock().unwrap();
        let hits = inner.seen.iter().filter(|s| s.path.contains(part));
        hits.cloned().collect()
    }
}

impl Inner {
    fn store(&mut self, plural: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let part = |key: &str| {
            object["metadata"][key]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let key = (plural.to_owned(), part("namespace"), part("name"));
        let kind = if self.objects.contains_key(&key) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.events.push((
            self.version,
            plural.to_owned(),
            kind.to_owned(),
            object.clone(),
        ));
        self.objects.insert(key, object.clone());
        object
    }

    fn patch(&mut self, at: &At, content: &str, body: &Value) -> Result<Value, (u16, String)> {
        let key = (
            at.plural.clone(),
            at.namespace.clone().unwrap_or_default(),
            at.name.clone().unwrap_or_default(),
        );
        let Some(old) = self.objects.get(&key).cloned() else {
            return Err((404, "not found".into()));
        };
        let mut new = old.clone();
        match content {
            "application/merge-patch+json" => {
                let wanted = &body["metadata"]["resourceVersion"];
                if !wanted.is_null() && *wanted != old["metadata"]["resourceVersion"] {
                    return Err((409, "the object has been modified".into()));
                }
                merge(&mut new, body);
            }
            "application/json-patch+json" => {
                for operation in body.as_array().unwrap() {
                    operate(&mut new, operation)
                        .map_err(|why| (422, format!("the server rejected our request: {why}")))?;
                }
            }
            other => return Err((415, format!("no such patch: {other}"))),
        }
        // The status is a resource of its own: each patch changes only its part.
        if at.status {
            let status = new["status"].take();
            new = old.clone();
            new["status"] = status;
        } else {
            new["status"] = old["status"].clone();
            if new["spec"] != old["spec"] {
                let generation = old["metadata"]["generation"].as_i64().unwrap_or(1);
                new["metadata"]["generation"] = (generation + 1).into();
            }
        }
        let stored = self.store(&at.plural, new);
        if !self.idle {
            self.control(&at.plural, &old, stored.clone());
        }
        Ok(stored)
    }

    /// What Argo Rollouts' and Kubernetes' controllers do next.
    fn control(&mut self, plural: &str, old: &Value, mut now: Value) {
        let generation = now["metadata"]["generation"].as_i64().unwrap_or(1);
        if plural == "deployments" {
            now["status"]["observedGeneration"] = generation.into();
            self.settle(plural, now);
            return;
        }
        now["status"]["observedGeneration"] = generation.to_string().into();
        let hash = hash_of(&now["spec"]["template"]);
        if old["spec"]["template"] != now["spec"]["template"] {
            now["status"]["currentPodHash"] = hash.clone().into();
            now["status"]["currentStepIndex"] = 0.into();
            now["status"]["abort"] = Value::Null;
            let back = now["status"]["stableRS"] == json!(hash);
            now["status"]["phase"] = if back { "Healthy" } else { "Progressing" }.into();
            now["status"]["pauseConditions"] = Value::Null;
            now["status"]["controllerPause"] = Value::Null;
        }
        let cleared = !old["status"]["pauseConditions"].is_null()
            && now["status"]["pauseConditions"].is_null();
        if cleared && old["spec"]["template"] == now["spec"]["template"] {
            let index = now["status"]["currentStepIndex"].as_i64().unwrap_or(0);
            now["status"]["currentStepIndex"] = (index + 1).into();
            now["status"]["controllerPause"] = Value::Null;
            now["status"]["phase"] = "Progressing".into();
        }
        if now["status"]["promoteFull"] == true {
            now["status"]["pauseConditions"] = Value::Null;
            now["status"]["controllerPause"] = Value::Null;
            now["status"]["promoteFull"] = Value::Null;
            now["status"]["stableRS"] = now["status"]["currentPodHash"].clone();
            now["status"]["phase"] = "Healthy".into();
        }
        if now["status"]["abort"] == true {
            now["status"]["phase"] = "Degraded".into();
            now["status"]["message"] = "RolloutAborted: Rollout is aborted".into();
        }
        self.settle(plural, now);
    }

    /// A controller writes only what differs.
    fn settle(&mut self, plural: &str, now: Value) {
        let part = |key: &str| now["metadata"][key].as_str().unwrap_or_default().to_owned();
        let key = (plural.to_owned(), part("namespace"), part("name"));
        let mut now = now;
        if let Some(status) = now["status"].as_object_mut() {
            status.retain(|_, value| !value.is_null());
        }
        if self.objects.get(&key) != Some(&now) {
            self.store(plural, now);
        }
    }
}

/// The hash that the fake's controllers give a template: its image.
pub fn hash_of(template: &Value) -> String {
    let image = template["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or("none");
    image.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// RFC 7386.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

/// RFC 6902, as far as it is used.
fn operate(into: &mut Value, operation: &Value) -> Result<(), String> {
    let path = operation["path"].as_str().unwrap();
    let value = operation["value"].clone();
    match operation["op"].as_str().unwrap() {
        "test" => match into.pointer(path) {
            Some(found) if *found == value => Ok(()),
            found => Err(format!("{path} is {found:?}")),
        },
        "replace" => {
            *into.pointer_mut(path).ok_or(format!("no {path}"))? = value;
            Ok(())
        }
        "add" => {
            let (parent, key) = path.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/").replace("~0", "~");
            let parent = into.pointer_mut(parent).ok_or(format!("no {parent}"))?;
            parent
                .as_object_mut()
                .ok_or("no object")?
                .insert(key, value);
            Ok(())
        }
        other => Err(format!("no operation {other}")),
    }
}

/// What a path names.
struct At {
    plural: String,
    namespace: Option<String>,
    name: Option<String>,
    status: bool,
}

fn at(path: &str) -> Option<At> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = match parts.as_slice() {
        ["apis", "argoproj.io", "v1alpha1", rest @ ..]
        | ["apis", "apps", "v1", rest @ ..]
        | ["apis", "autoscaling", "v2", rest @ ..] => rest,
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
        rest => (None, rest),
    };
    let (plural, name, status) = match rest {
        [plural] => (plural, None, false),
        [plural, name] => (plural, Some((*name).to_owned()), false),
        [plural, name, "status"] => (plural, Some((*name).to_owned()), true),
        _ => return None,
    };
    Some(At {
        plural: (*plural).to_owned(),
        namespace,
        name,
        status,
    })
}

fn trouble(code: u16, message: &str) -> Response {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message });
    (StatusCode::from_u16(code).unwrap(), axum::Json(body)).into_response()
}

async fn answer(State((inner, changed)): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = |name: header::HeaderName| {
        let found = head.headers.get(name).and_then(|v| v.to_str().ok());
        found.unwrap_or_default().to_owned()
    };
    let query = head.uri.query().unwrap_or_default();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        content: text(header::CONTENT_TYPE),
        authorization: text(header::AUTHORIZATION),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let (wrong, place) = {
        let mut inner = inner.lock().unwrap();
        inner.seen.push(seen.clone());
        if inner
            .token
            .as_ref()
            .is_some_and(|t| seen.authorization != format!("Bearer {t}"))
        {
            return trouble(401, "Unauthorized");
        }
        if seen.path == "/version" {
            return axum::Json(json!({ "major": "1", "minor": "31", "gitVersion": "v1.31.2" }))
                .into_response();
        }
        let Some(place) = at(&seen.path) else {
            return trouble(404, "the server could not find the requested resource");
        };
        if let Some(code) = inner.refused.get(&place.plural) {
            return trouble(*code, "the server does not show that here");
        }
        let wrong = (seen.method == "PATCH")
            .then(|| inner.wrong.pop_front())
            .flatten();
        (wrong, place)
    };
    match (seen.method.as_str(), &place.name) {
        ("GET", None) if seen.query.contains_key("watch") => watch(inner, changed, &seen, &place),
        ("GET", None) => list(&mut inner.lock().unwrap(), &seen, &place),
        ("GET", Some(_)) => one(&inner.lock().unwrap(), &place),
        ("PATCH", Some(_)) => patched((inner, changed), wrong, &seen, &place).await,
        _ => trouble(405, "method not allowed"),
    }
}

async fn patched(shared: Shared, wrong: Option<Wrong>, seen: &Seen, place: &At) -> Response {
    let (inner, changed) = shared;
    let done = {
        let mut inner = inner.lock().unwrap();
        let key = (
            place.plural.clone(),
            place.namespace.clone().unwrap_or_default(),
            place.name.clone().unwrap_or_default(),
        );
        match &wrong {
            Some(Wrong::Noise) => {
                let mut object = inner.objects[&key].clone();
                object["status"]["availableReplicas"] = (inner.version as i64).into();
                inner.store(&place.plural, object);
            }
            Some(Wrong::Changed) => {
                let mut object = inner.objects[&key].clone();
                object["metadata"]["generation"] = 99.into();
                object["spec"]["replicas"] = 99.into();
                inner.store(&place.plural, object);
            }
            Some(Wrong::Status(code)) => return trouble(*code, "not now"),
            _ => {}
        }
        inner.patch(place, &seen.content, &seen.body)
    };
    changed.send_modify(|n| *n += 1);
    let object = match done {
        Ok(object) => object,
        Err((code, why)) => return trouble(code, &why),
    };
    match wrong {
        Some(Wrong::Silent) => std::future::pending().await,
        Some(Wrong::Cut) => {
            let half = object.to_string().into_bytes()[..20].to_vec();
            let parts = [Ok(Bytes::from(half)), Err(std::io::Error::other("gone"))];
            Body::from_stream(stream::iter(parts)).into_response()
        }
        Some(Wrong::Answer(text)) => text.into_response(),
        _ => axum::Json(object).into_response(),
    }
}

fn matches(object: &Value, seen: &Seen) -> bool {
    let Some(selector) = seen.query.get("labelSelector") else {
        return true;
    };
    selector.split(',').all(|part| {
        let (key, value) = part.split_once('=').unwrap();
        object["metadata"]["labels"][key] == value
    })
}

fn list(inner: &mut Inner, seen: &Seen, place: &At) -> Response {
    let all: Vec<Value> = inner
        .objects
        .iter()
        .filter(|((plural, namespace, _), _)| {
            *plural == place.plural && place.namespace.as_ref().is_none_or(|n| n == namespace)
        })
        .map(|(_, v)| v.clone())
        .filter(|v| matches(v, seen))
        .collect();
    let from: usize = match seen.query.get("continue") {
        Some(_) if inner.pages_expire => {
            inner.pages_expire = false;
            return trouble(410, "The provided continue parameter is too old");
        }
        Some(token) => token.parse().unwrap(),
        None => 0,
    };
    let size = match seen.query.get("limit") {
        Some(limit) => inner.page.min(limit.parse().unwrap()),
        None => usize::MAX,
    };
    let items: Vec<Value> = all.iter().skip(from).take(size).cloned().collect();
    let left = all.len() - from - items.len();
    let mut meta = json!({ "resourceVersion": inner.version.to_string() });
    if left > 0 {
        meta["continue"] = (from + items.len()).to_string().into();
        meta["remainingItemCount"] = left.into();
    }
    axum::Json(json!({ "kind": "List", "apiVersion": "v1", "metadata": meta, "items": items }))
        .into_response()
}

fn one(inner: &Inner, place: &At) -> Response {
    let key = (
        place.plural.clone(),
        place.namespace.clone().unwrap_or_default(),
        place.name.clone().unwrap_or_default(),
    );
    match inner.objects.get(&key) {
        Some(object) => axum::Json(object.clone()).into_response(),
        None => trouble(404, "not found"),
    }
}

fn watch(
    inner: Arc<Mutex<Inner>>,
    changed: tokio::sync::watch::Sender<u64>,
    seen: &Seen,
    place: &At,
) -> Response {
    let from: u64 = seen.query["resourceVersion"].parse().unwrap();
    let (plural, left) = {
        let inner = inner.lock().unwrap();
        if from < inner.oldest {
            let line = json!({ "type": "ERROR", "object": { "kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version" } });
            return Body::from(format!("{line}\n")).into_response();
        }
        (place.plural.clone(), inner.watch_lines)
    };
    let state = (inner, changed.subscribe(), from, left);
    let lines = stream::unfold(state, move |(inner, mut changed, from, left)| {
        let plural = plural.clone();
        async move {
            if left == Some(0) {
                return None;
            }
            loop {
                changed.mark_unchanged();
                let next = {
                    let inner = inner.lock().unwrap();
                    let mut of = inner.events.iter();
                    of.find(|(version, p, ..)| *version > from && *p == plural)
                        .cloned()
                };
                if let Some((version, _, kind, object)) = next {
                    let line = json!({ "type": kind, "object": object });
                    let out = Ok::<_, std::io::Error>(Bytes::from(format!("{line}\n")));
                    return Some((out, (inner, changed, version, left.map(|n| n - 1))));
                }
                if changed.changed().await.is_err() {
                    return None;
                }
            }
        }
    });
    Body::from_stream(lines).into_response()
}

/// As long as a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
