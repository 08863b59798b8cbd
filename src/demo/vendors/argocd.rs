//! Argo CD's API: applications, their stream, their Rollouts, and what can be done to them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::argocd_shapes as shapes;
use super::{Params, credential, hex};
use crate::demo::act::{Act, Info};
use crate::demo::scenario::Scenario;
use crate::demo::state::App;
use crate::demo::world::{Refusal, View, World};

/// The routes.
pub fn routes() -> Router<Arc<World>> {
    let app = "/api/v1/applications/{name}";
    Router::new()
        .route("/api/v1/applications", get(list))
        .route(app, get(one).patch(patch))
        .route(&format!("{app}/sync"), post(sync))
        .route(&format!("{app}/rollback"), post(rollback))
        .route(&format!("{app}/operation"), delete(terminate))
        .route(&format!("{app}/resource"), get(resource))
        .route(
            &format!("{app}/resource/actions"),
            get(actions).post(action_v1),
        )
        .route(&format!("{app}/resource/actions/v2"), post(action_v2))
        .route(&format!("{app}/resource-tree"), get(tree))
        .route(
            &format!("{app}/revisions/{{revision}}/metadata"),
            get(metadata),
        )
        .route(
            &format!("{app}/syncwindows"),
            get(|| async { super::json(200, &json!({ "canSync": true })) }),
        )
        .route(
            "/api/v1/stream/applications",
            get(super::argocd_stream::stream),
        )
        .route(
            "/api/v1/session/userinfo",
            get(|| async {
                super::json(
                    200,
                    &json!({ "loggedIn": true, "username": ACCOUNT, "iss": "argocd" }),
                )
            }),
        )
        .route_layer(axum::middleware::from_fn(bearer))
        .route(
            "/api/version",
            get(|| async { super::json(200, &version()) }),
        )
        .fallback(|| async { failure(404, 5, "Not Found") })
}

/// The account behind the token.
const ACCOUNT: &str = "cockpit";

fn version() -> Value {
    json!({
        "Version": "v3.1.5+cfeed49", "BuildDate": "2026-08-20T14:41:02Z", "GitCommit": hex("argocd", 40), "GitTag": "v3.1.5",
        "GitTreeState": "clean", "GoVersion": "go1.24.6", "Compiler": "gc", "Platform": "linux/amd64",
    })
}

/// An error as the gateway before gRPC writes it.
fn failure(status: u16, code: u8, why: &str) -> Response {
    super::json(
        status,
        &json!({ "error": why, "code": code, "message": why }),
    )
}

/// `FailedPrecondition`: the vendor's answer to an act that does not fit.
const PRECONDITION: u8 = 9;

fn refuse(why: impl Into<String>) -> Refusal {
    Refusal::new(400, why)
}

fn denied() -> Refusal {
    // The vendor does not tell a missing application from a forbidden one.
    Refusal::new(403, "permission denied")
}

fn answer(made: Result<Value, Refusal>) -> Response {
    match made {
        Ok(body) => super::json(200, &body),
        Err(Refusal { status: 403, why }) => failure(403, 7, &why),
        Err(Refusal { status, why }) => {
            failure(status, if status == 503 { 14 } else { PRECONDITION }, &why)
        }
    }
}

async fn bearer(headers: HeaderMap, request: Request, next: Next) -> Response {
    match credential(&headers, "Bearer ") {
        Some(_) => next.run(request).await,
        None => failure(401, 16, "no session information"),
    }
}

async fn list(State(world): State<Arc<World>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let view = world.view();
    let selected = |app: &Value| {
        params
            .get("selector")
            .unwrap_or_default()
            .split(',')
            .filter(|part| !part.is_empty())
            .all(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let labels = app.pointer("/metadata/labels");
                labels
                    .and_then(|labels| labels.get(name))
                    .and_then(Value::as_str)
                    == Some(value.trim_start_matches('='))
            })
    };
    let items: Vec<Value> = view
        .timelines
        .keys()
        .filter(|name| {
            params
                .get("name")
                .is_none_or(|wanted| wanted == name.as_str())
        })
        .filter_map(|name| shown(&world.scenario, &view, name))
        .filter(selected)
        .collect();
    super::json(
        200,
        &json!({ "metadata": { "resourceVersion": "700000" }, "items": items }),
    )
}

/// An application that Argo CD delivers; those of GitHub are none of its business.
pub(super) fn shown(scenario: &Scenario, view: &View, name: &str) -> Option<Value> {
    let ours = shapes::service(scenario, name).is_some_and(|service| service.delivery == "argocd");
    ours.then(|| shapes::application(scenario, view, name))
        .flatten()
}

async fn one(State(world): State<Arc<World>>, Path(name): Path<String>) -> Response {
    answer(shown(&world.scenario, &world.view(), &name).ok_or_else(denied))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SyncBody {
    revision: String,
    infos: Vec<Info>,
    #[serde(rename = "dryRun")]
    dry_run: bool,
}

fn body<T: serde::de::DeserializeOwned + Default>(text: &str) -> Result<T, Refusal> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|e| refuse(format!("json: cannot unmarshal: {e}")))
}

fn ours<'a>(world: &World, view: &'a View, name: &str) -> Result<&'a Arc<App>, Refusal> {
    let service =
        shapes::service(&world.scenario, name).filter(|service| service.delivery == "argocd");
    service.and_then(|_| view.app(name)).ok_or_else(denied)
}

/// Does an act and answers with the application after it.
fn changed(
    world: &World,
    name: &str,
    decide: impl FnOnce(&View, &Arc<App>) -> Result<Act, Refusal>,
) -> Result<Value, Refusal> {
    let (view, ()) =
        world.act(|view| decide(view, ours(world, view, name)?).map(|act| (act, ())))?;
    shown(&world.scenario, &view, name).ok_or_else(denied)
}

async fn blocking(work: impl FnOnce() -> Result<Value, Refusal> + Send + 'static) -> Response {
    // An act waits for the disk.
    answer(
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|e| Err(Refusal::new(503, e.to_string()))),
    )
}

async fn sync(State(world): State<Arc<World>>, Path(name): Path<String>, text: String) -> Response {
    blocking(move || {
        let body: SyncBody = body(&text)?;
        if body.dry_run {
            ours(&world, &world.view(), &name)?;
            return shown(&world.scenario, &world.view(), &name).ok_or_else(denied);
        }
        changed(&world, &name, |_, app| {
            let revision = if body.revision.is_empty() { app.target().to_owned() } else { body.revision };
            if app.automated() && revision != app.target() {
                return Err(refuse(format!("Cannot sync to {revision}: auto-sync currently set to {}", app.target())));
            }
            if app.busy() {
                return Err(refuse("another operation is already in progress"));
            }
            let service = shapes::service(&world.scenario, &name).ok_or_else(denied)?;
            if !service.versions().any(|known| known == revision) {
                return Err(refuse(format!(
                    "failed to resolve revision {revision:?}: chart {:?} version {revision:?} not found in https://charts.acme.example repository",
                    service.name
                )));
            }
            Ok(Act::Sync { app: name.clone(), revision, by: ACCOUNT.to_owned(), automated: false, infos: body.infos })
        })
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RollbackBody {
    id: i64,
    #[serde(rename = "dryRun")]
    dry_run: bool,
}

async fn rollback(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    text: String,
) -> Response {
    blocking(move || {
        let body: RollbackBody = body(&text)?;
        let check = |app: &Arc<App>| {
            if app.automated() {
                return Err(refuse(
                    "rollback cannot be initiated when auto-sync is enabled",
                ));
            }
            if app.busy() {
                return Err(refuse("another operation is already in progress"));
            }
            if app.history.iter().all(|entry| entry.id != body.id) {
                return Err(refuse(format!(
                    "application {name} does not have deployment with id {}",
                    body.id
                )));
            }
            Ok(())
        };
        if body.dry_run {
            let view = world.view();
            check(ours(&world, &view, &name)?)?;
            return shown(&world.scenario, &view, &name).ok_or_else(denied);
        }
        changed(&world, &name, |_, app| {
            check(app)?;
            Ok(Act::Rollback {
                app: name.clone(),
                id: body.id,
                by: ACCOUNT.to_owned(),
            })
        })
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PatchBody {
    patch: String,
    #[serde(rename = "patchType")]
    patch_type: String,
}

async fn patch(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    text: String,
) -> Response {
    blocking(move || {
        let body: PatchBody = body(&text)?;
        let patch: Value = serde_json::from_str(&body.patch).map_err(|e| refuse(format!("error unmarshalling patch: {e}")))?;
        changed(&world, &name, |_, app| {
            let mut whole = json!({ "spec": app.spec, "metadata": { "annotations": app.annotations } });
            match body.patch_type.as_str() {
                "merge" => merge(&mut whole, &patch),
                "" | "json" => json_patch(&mut whole, &patch).map_err(refuse)?,
                other => return Err(refuse(format!("Patch type '{other}' is not supported"))),
            }
            let part = |path: &str| whole.pointer(path).cloned().unwrap_or_else(|| json!({}));
            let spec = part("/spec");
            if spec.pointer("/source/targetRevision").and_then(Value::as_str).is_none() {
                return Err(refuse("application spec is invalid: InvalidSpecError: spec.source.targetRevision is required"));
            }
            Ok(Act::Patch { app: name.clone(), spec, annotations: part("/metadata/annotations") })
        })
    })
    .await
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Some(object) = target.as_object_mut() {
        for (name, value) in fields {
            if value.is_null() {
                object.remove(name);
            } else {
                merge(object.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// The operations of RFC 6902 that the vendor's users need: add, replace, remove, test on objects.
fn json_patch(target: &mut Value, patch: &Value) -> Result<(), String> {
    let steps = patch.as_array().ok_or("a JSON patch is a list")?;
    for step in steps {
        let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default();
        let (path, operation) = (text("path"), text("op"));
        let (parent, name) = path
            .rsplit_once('/')
            .ok_or_else(|| format!("bad path {path:?}"))?;
        let name = name.replace("~1", "/").replace("~0", "~");
        let found = target.pointer(path).cloned();
        let object = target
            .pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .ok_or_else(|| format!("{operation} operation does not apply: doc is missing path: {path}: missing value"))?;
        match (operation, found) {
            ("add", _) | ("replace", Some(_)) => {
                object.insert(name, step.get("value").cloned().unwrap_or_default());
            }
            ("remove", Some(_)) => {
                object.remove(&name);
            }
            ("test", found) if found.as_ref() == step.get("value") => {}
            _ => {
                return Err(format!(
                    "{operation} operation does not apply: doc is missing path or differs: {path}"
                ));
            }
        }
    }
    Ok(())
}

async fn terminate(State(world): State<Arc<World>>, Path(name): Path<String>) -> Response {
    blocking(move || {
        changed(&world, &name, |_, app| {
            if app.busy() {
                Ok(Act::Terminate { app: name.clone() })
            } else {
                Err(refuse(
                    "Unable to terminate operation. No operation is in progress",
                ))
            }
        })
        .map(|_| json!({}))
    })
    .await
}

async fn resource(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let view = world.view();
    let asked = |key: &str| params.get(key).unwrap_or_default();
    let service = shapes::service(&world.scenario, &name).map(|service| service.name.clone());
    let found = ours(&world, &view, &name).and_then(|_| {
        if asked("kind") == "Rollout" && Some(asked("resourceName")) == service.as_deref() {
            shapes::rollout(&world.scenario, &view, &name).ok_or_else(denied)
        } else {
            let what = format!(
                "{} {} {} not found as part of application {name}",
                asked("kind"),
                asked("group"),
                asked("resourceName")
            );
            Err(refuse(what))
        }
    });
    answer(found.map(|manifest| json!({ "manifest": manifest.to_string() })))
}

const ACTIONS: [&str; 7] = [
    "abort",
    "pause",
    "promote-full",
    "restart",
    "resume",
    "retry",
    "skip-current-step",
];

async fn actions(State(world): State<Arc<World>>, Path(name): Path<String>) -> Response {
    let view = world.view();
    let listed = ours(&world, &view, &name).map(|_| {
        let actions = ACTIONS.map(|action| {
            let mut trial = view.timelines.get(&name).cloned();
            let fits = trial
                .as_mut()
                .is_some_and(|timeline| timeline.action(view.now, action).is_ok());
            json!({ "name": action, "disabled": !fits })
        });
        json!({ "actions": actions })
    });
    answer(listed)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ActionBody {
    action: String,
    kind: String,
    #[serde(rename = "resourceName")]
    resource_name: String,
}

/// The older form: where in the query, which action as a JSON string in the body.
async fn action_v1(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    text: String,
) -> Response {
    let params = Params::parse(&query.unwrap_or_default());
    let read = |key: &str| params.get(key).unwrap_or_default().to_owned();
    let action = serde_json::from_str::<String>(&text).unwrap_or_default();
    let body = ActionBody {
        action,
        kind: read("kind"),
        resource_name: read("resourceName"),
    };
    blocking(move || act(&world, &name, &body)).await
}

async fn action_v2(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    text: String,
) -> Response {
    blocking(move || act(&world, &name, &body(&text)?)).await
}

fn act(world: &World, name: &str, body: &ActionBody) -> Result<Value, Refusal> {
    changed(world, name, |view, _| {
        let service = shapes::service(&world.scenario, name).map(|service| service.name.as_str());
        if body.kind != "Rollout" || Some(body.resource_name.as_str()) != service {
            return Err(refuse(format!(
                "{} {} not found as part of application {name}",
                body.kind, body.resource_name
            )));
        }
        if !ACTIONS.contains(&body.action.as_str()) {
            return Err(refuse(format!(
                "action {:?} does not exist for argoproj.io/Rollout",
                body.action
            )));
        }
        let mut trial = view.timelines.get(name).cloned().ok_or_else(denied)?;
        trial.action(view.now, &body.action).map_err(refuse)?;
        Ok(Act::Rollout {
            app: name.to_owned(),
            action: body.action.clone(),
        })
    })
    .map(|_| json!({}))
}

async fn tree(State(world): State<Arc<World>>, Path(name): Path<String>) -> Response {
    let view = world.view();
    answer(
        ours(&world, &view, &name)
            .and_then(|_| shapes::tree(&world.scenario, &view, &name).ok_or_else(denied)),
    )
}

async fn metadata(
    State(world): State<Arc<World>>,
    Path((name, revision)): Path<(String, String)>,
) -> Response {
    let view = world.view();
    let found = ours(&world, &view, &name).and_then(|app| {
        let service = shapes::service(&world.scenario, &name).ok_or_else(denied)?;
        if !service.versions().any(|known| known == revision) {
            return Err(refuse(format!("revision {revision} not found")));
        }
        let at = app
            .history
            .iter()
            .find(|entry| entry.revision == revision)
            .map_or(world.scenario.starts, |entry| entry.started);
        Ok(shapes::revision(
            &world.scenario,
            service,
            &revision,
            at - chrono::Duration::hours(3),
        ))
    });
    answer(found)
}
