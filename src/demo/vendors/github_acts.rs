//! What can be done through GitHub: deployment records and their statuses, starting a workflow.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::github::{Asked, Ends, missing, problem};
use super::{number, stamp};
use crate::demo::act::Act;
use crate::demo::world::Refusal;

/// The account behind the token.
const ACCOUNT: &str = "ana";

fn refused(refusal: &Refusal) -> Response {
    problem(refusal.status, &refusal.why)
}

/// Runs an act beside the event loop, because it waits for the disk.
async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| problem(500, &e.to_string()))
}

fn text(body: &Value, name: &str) -> String {
    body.get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub(super) async fn create(
    State(world): Ends,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    blocking(move || {
        let Some(repo) = asked.repo() else {
            return missing();
        };
        let Ok(body) = serde_json::from_str::<Value>(&body) else {
            return problem(400, "Problems parsing JSON");
        };
        let reference = text(&body, "ref");
        if repo.resolve(&reference).is_none() {
            return problem(422, &format!("No ref found for: {reference}"));
        }
        let environment = Some(text(&body, "environment"))
            .filter(|e| !e.is_empty())
            .unwrap_or_else(|| "production".to_owned());
        let made = asked.world.act(|view| {
            let id = number(&format!(
                "deployment {} {}",
                view.acts.len(),
                stamp(view.now)
            ));
            let act = Act::Deployment {
                repo: asked.service.clone(),
                id,
                reference,
                environment,
                description: text(&body, "description"),
                payload: body.get("payload").cloned().unwrap_or_else(|| json!({})),
                by: ACCOUNT.to_owned(),
            };
            Ok((act, id))
        });
        match made {
            Ok((view, id)) => match repo.deployments(&view).iter().find(|d| d.id == id) {
                Some(found) => super::json(201, &repo.deployment(found)),
                None => missing(),
            },
            Err(refusal) => refused(&refusal),
        }
    })
    .await
}

const STATES: [&str; 7] = [
    "error",
    "failure",
    "inactive",
    "in_progress",
    "queued",
    "pending",
    "success",
];

pub(super) async fn add_status(
    State(world): Ends,
    Path((owner, name, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    blocking(move || {
        let Some(repo) = asked.repo() else {
            return missing();
        };
        let Ok(body) = serde_json::from_str::<Value>(&body) else {
            return problem(400, "Problems parsing JSON");
        };
        let state = text(&body, "state");
        if !STATES.contains(&state.as_str()) {
            return problem(422, "Validation Failed");
        }
        let made = asked.world.act(|view| {
            if repo.deployments(view).iter().all(|d| d.id != id) {
                return Err(Refusal::new(404, "Not Found"));
            }
            let act = Act::DeploymentStatus {
                repo: asked.service.clone(),
                deployment: id,
                state,
                description: text(&body, "description"),
            };
            Ok((act, ()))
        });
        match made {
            Ok((view, ())) => {
                let all = repo.deployments(&view);
                let newest = all
                    .iter()
                    .find(|d| d.id == id)
                    .and_then(|d| repo.statuses(d).into_iter().next());
                newest.map_or_else(missing, |status| super::json(201, &status))
            }
            Err(refusal) => refused(&refusal),
        }
    })
    .await
}

pub(super) async fn dispatch(
    State(world): Ends,
    Path((owner, name, workflow)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    blocking(move || {
        let Some(repo) = asked.repo() else {
            return missing();
        };
        if !matches!(workflow.as_str(), "deploy.yml" | "rollback.yml") {
            return missing();
        }
        let Ok(body) = serde_json::from_str::<Value>(&body) else {
            return problem(400, "Problems parsing JSON");
        };
        let (reference, inputs) = (
            text(&body, "ref"),
            body.get("inputs").cloned().unwrap_or_else(|| json!({})),
        );
        let version = inputs
            .get("version")
            .and_then(Value::as_str)
            .unwrap_or(&reference);
        if repo.resolve(&reference).is_none() || repo.resolve(version).is_none() {
            return problem(422, &format!("No ref found for: {reference}"));
        }
        let details = body.get("return_run_details") == Some(&Value::Bool(true));
        let made = asked.world.act(|view| {
            let id = number(&format!("run {} {}", view.acts.len(), stamp(view.now)));
            let act = Act::Dispatch {
                repo: asked.service.clone(),
                id,
                workflow: workflow.clone(),
                reference,
                inputs,
                by: ACCOUNT.to_owned(),
            };
            Ok((act, id))
        });
        match made {
            Ok((_, id)) if details => {
                let url = format!("{}{}", asked.api, asked.path(&format!("actions/runs/{id}")));
                super::json(
                    200,
                    &json!({ "workflow_run_id": id, "run_url": url, "html_url": url }),
                )
            }
            Ok(_) => StatusCode::NO_CONTENT.into_response(),
            Err(refusal) => refused(&refusal),
        }
    })
    .await
}
