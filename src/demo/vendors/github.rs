//! GitHub's REST API: deployments and their statuses, workflow runs and dispatch, comparison of versions, checks.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::github_acts as acts;
use super::github_shapes::{Repo, user};
use super::{Params, credential, hex};
use crate::demo::shop::Commit;
use crate::demo::world::World;

/// The routes; a token is asked for on all of them.
pub fn routes() -> Router<Arc<World>> {
    let repo = "/repos/{owner}/{repo}";
    Router::new()
        .route("/rate_limit", get(rate_limit))
        .route(
            "/user",
            get(|headers: HeaderMap| async move { reply(&headers, &user("ana")) }),
        )
        .route(repo, get(repository))
        .route(
            &format!("{repo}/deployments"),
            get(deployments).post(acts::create),
        )
        .route(&format!("{repo}/deployments/{{id}}"), get(deployment))
        .route(
            &format!("{repo}/deployments/{{id}}/statuses"),
            get(statuses).post(acts::add_status),
        )
        .route(&format!("{repo}/actions/runs"), get(runs))
        .route(&format!("{repo}/actions/runs/{{id}}"), get(run))
        .route(
            &format!("{repo}/actions/workflows/{{workflow}}/runs"),
            get(workflow_runs),
        )
        .route(
            &format!("{repo}/actions/workflows/{{workflow}}/dispatches"),
            post(acts::dispatch),
        )
        .route(&format!("{repo}/compare/{{basehead}}"), get(compare))
        .route(
            &format!("{repo}/commits/{{reference}}/check-runs"),
            get(checks),
        )
        .route(
            &format!("{repo}/commits/{{reference}}/status"),
            get(combined),
        )
        .fallback(|| async { problem(404, "Not Found") })
        .layer(axum::middleware::from_fn(token))
}

pub(super) fn problem(status: u16, message: &str) -> Response {
    super::json(
        status,
        &json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() }),
    )
}

async fn token(headers: HeaderMap, request: Request, next: Next) -> Response {
    if headers.get(header::USER_AGENT).is_none() {
        return (StatusCode::FORBIDDEN, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header").into_response();
    }
    if credential(&headers, "Bearer ")
        .or_else(|| credential(&headers, "token "))
        .is_none()
    {
        return problem(401, "Requires authentication");
    }
    let mut answer = next.run(request).await;
    for (name, value) in [
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "4832"),
        ("x-ratelimit-used", "168"),
        ("x-ratelimit-resource", "core"),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    if let Ok(reset) = HeaderValue::from_str(&reset().to_string()) {
        answer.headers_mut().insert("x-ratelimit-reset", reset);
    }
    answer
}

/// The end of the running hour in real time: a client sleeps in real time.
fn reset() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    (now / 3600 + 1) * 3600
}

/// 200 with an ETag, or 304 where the caller has it.
fn reply(headers: &HeaderMap, body: &Value) -> Response {
    let tag = format!("W/\"{}\"", hex(&body.to_string(), 40));
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut answer = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        super::json(200, body)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// One page of `items` with the vendor's `Link` header; `wrap` puts the page into its envelope, given the total.
fn page(
    headers: &HeaderMap,
    api: &str,
    path: &str,
    params: &Params,
    items: Vec<Value>,
    wrap: impl Fn(Vec<Value>, usize) -> Value,
) -> Response {
    let per_page = params.number("per_page", 30).clamp(1, 100);
    let page = params.number("page", 1).max(1);
    let total = items.len();
    let last = total.div_ceil(per_page).max(1);
    let shown = items
        .into_iter()
        .skip((page - 1) * per_page)
        .take(per_page)
        .collect();
    let mut answer = reply(headers, &wrap(shown, total));
    let link = |number: usize, relation: &str| {
        format!("<{api}{path}?per_page={per_page}&page={number}>; rel=\"{relation}\"")
    };
    let mut links = Vec::new();
    if page > 1 {
        links.extend([link(page - 1, "prev"), link(1, "first")]);
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if let Some(value) = HeaderValue::from_str(&links.join(", "))
        .ok()
        .filter(|_| !links.is_empty())
    {
        answer.headers_mut().insert(header::LINK, value);
    }
    answer
}

/// `http://host:port` as the caller knows it.
fn api(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    format!("http://{host}")
}

/// What a handler is asked about.
pub(super) struct Asked {
    pub(super) world: Arc<World>,
    pub(super) owner: String,
    pub(super) service: String,
    pub(super) api: String,
}

impl Asked {
    pub(super) fn new(world: &Arc<World>, owner: &str, repo: &str, headers: &HeaderMap) -> Self {
        Self {
            world: Arc::clone(world),
            owner: owner.to_owned(),
            service: repo.to_owned(),
            api: api(headers),
        }
    }

    pub(super) fn repo(&self) -> Option<Repo<'_>> {
        let service = self.world.scenario.service(&self.service)?;
        Some(Repo {
            owner: &self.owner,
            service,
            api: &self.api,
        })
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}/{rest}", self.owner, self.service)
    }
}

pub(super) fn missing() -> Response {
    problem(404, "Not Found")
}

pub(super) type Ends = State<Arc<World>>;

async fn rate_limit(headers: HeaderMap) -> Response {
    let core = json!({ "limit": 5000, "used": 168, "remaining": 4832, "reset": reset() });
    let search = json!({ "limit": 30, "used": 0, "remaining": 30, "reset": reset() });
    reply(
        &headers,
        &json!({ "resources": { "core": core, "search": search }, "rate": core }),
    )
}

async fn repository(
    State(world): Ends,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    match asked.repo() {
        Some(repo) => reply(&headers, &repo.repository()),
        None => missing(),
    }
}

async fn deployments(
    State(world): Ends,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    let Some(repo) = asked.repo() else {
        return missing();
    };
    let params = Params::parse(&query.unwrap_or_default());
    let fits = |name: &str, value: &str| {
        params
            .get(name)
            .is_none_or(|wanted| wanted.is_empty() || wanted == value)
    };
    let all = repo.deployments(&world.view());
    let wanted = all.iter().filter(|d| {
        fits("environment", &d.environment)
            && fits("ref", &d.reference)
            && fits("sha", &repo.sha(&d.reference))
            && fits("task", "deploy")
    });
    let items = wanted.map(|d| repo.deployment(d)).collect();
    page(
        &headers,
        &asked.api,
        &asked.path("deployments"),
        &params,
        items,
        |page, _| Value::Array(page),
    )
}

async fn deployment(
    State(world): Ends,
    Path((owner, name, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    let Some(repo) = asked.repo() else {
        return missing();
    };
    match repo.deployments(&world.view()).iter().find(|d| d.id == id) {
        Some(found) => reply(&headers, &repo.deployment(found)),
        None => missing(),
    }
}

async fn statuses(
    State(world): Ends,
    Path((owner, name, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    let Some(repo) = asked.repo() else {
        return missing();
    };
    let params = Params::parse(&query.unwrap_or_default());
    match repo.deployments(&world.view()).iter().find(|d| d.id == id) {
        Some(found) => {
            let path = asked.path(&format!("deployments/{id}/statuses"));
            page(
                &headers,
                &asked.api,
                &path,
                &params,
                repo.statuses(found),
                |page, _| Value::Array(page),
            )
        }
        None => missing(),
    }
}

fn run_page(
    asked: &Asked,
    headers: &HeaderMap,
    path: &str,
    query: Option<String>,
    workflow: Option<&str>,
) -> Response {
    let Some(repo) = asked.repo() else {
        return missing();
    };
    let params = Params::parse(&query.unwrap_or_default());
    let is = |run: &Value, field: &str, wanted: &str| {
        run.get(field).and_then(Value::as_str) == Some(wanted)
    };
    let mut items = repo.runs(&asked.world.scenario, &asked.world.view());
    items.retain(|run| {
        let status = params
            .get("status")
            .is_none_or(|s| is(run, "status", s) || is(run, "conclusion", s));
        let head = params
            .get("head_sha")
            .is_none_or(|sha| is(run, "head_sha", sha));
        let branch = params
            .get("branch")
            .is_none_or(|branch| is(run, "head_branch", branch));
        let event = params
            .get("event")
            .is_none_or(|event| is(run, "event", event));
        let flow = workflow.is_none_or(|file| {
            run.get("path")
                .and_then(Value::as_str)
                .is_some_and(|path| path.ends_with(file))
        });
        status && head && branch && event && flow
    });
    page(
        headers,
        &asked.api,
        path,
        &params,
        items,
        |page, total| json!({ "total_count": total, "workflow_runs": page }),
    )
}

async fn runs(
    State(world): Ends,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    run_page(&asked, &headers, &asked.path("actions/runs"), query, None)
}

async fn workflow_runs(
    State(world): Ends,
    Path((owner, name, workflow)): Path<(String, String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    run_page(
        &asked,
        &headers,
        &asked.path(&format!("actions/workflows/{workflow}/runs")),
        query,
        Some(&workflow),
    )
}

async fn run(
    State(world): Ends,
    Path((owner, name, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    let Some(repo) = asked.repo() else {
        return missing();
    };
    let all = repo.runs(&world.scenario, &world.view());
    all.iter()
        .find(|run| run.get("id") == Some(&json!(id)))
        .map_or_else(missing, |run| reply(&headers, run))
}

async fn compare(
    State(world): Ends,
    Path((owner, name, basehead)): Path<(String, String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    let Some(repo) = asked.repo() else {
        return missing();
    };
    let params = Params::parse(&query.unwrap_or_default());
    let ends = basehead
        .split_once("...")
        .and_then(|(base, head)| Some((repo.resolve(base)?, repo.resolve(head)?)));
    let Some((base, head)) = ends else {
        return missing();
    };
    let versions: Vec<&str> = repo.service.versions().collect();
    let place = |version: &str| {
        versions
            .iter()
            .position(|known| *known == version)
            .unwrap_or(0)
    };
    let (from, to) = (place(base), place(head));
    let between = |low: usize, high: usize| -> Vec<(usize, &Commit)> {
        let commits = world.scenario.commits.iter().enumerate();
        commits
            .filter(|(_, c)| {
                c.service == name
                    && (low + 1..=high).contains(&place(&c.version))
                    && versions.contains(&c.version.as_str())
            })
            .collect()
    };
    let (ahead, behind) = (between(from.min(to), to), between(to, from.max(to)));
    let status = match from.cmp(&to) {
        std::cmp::Ordering::Less => "ahead",
        std::cmp::Ordering::Equal => "identical",
        std::cmp::Ordering::Greater => "behind",
    };
    let commits: Vec<Value> = ahead
        .iter()
        .map(|(index, commit)| repo.commit(&world.scenario, commit, *index))
        .collect();
    let mut paths: Vec<&String> = ahead.iter().flat_map(|(_, commit)| &commit.files).collect();
    paths.sort();
    paths.dedup();
    let url = format!(
        "{}{}",
        asked.api,
        asked.path(&format!("compare/{basehead}"))
    );
    let files: Vec<Value> = paths
        .iter()
        .map(|path| json!({
            "sha": hex(path, 40), "filename": path, "status": "modified", "additions": 12, "deletions": 4, "changes": 16,
            "blob_url": url, "raw_url": url, "contents_url": url, "patch": "",
        }))
        .collect();
    let path = asked.path(&format!("compare/{basehead}"));
    page(
        &headers,
        &asked.api,
        &path,
        &params,
        commits,
        |page, total| {
            json!({
                "url": url, "html_url": url, "permalink_url": url, "diff_url": format!("{url}.diff"), "patch_url": format!("{url}.patch"),
                "base_commit": repo.tagged(&world.scenario, base),
                "merge_base_commit": repo.tagged(&world.scenario, if from <= to { base } else { head }),
                "status": status, "ahead_by": total, "behind_by": behind.len(), "total_commits": total, "commits": page, "files": files,
            })
        },
    )
}

async fn checks(
    State(world): Ends,
    Path((owner, name, reference)): Path<(String, String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    let Some(repo) = asked.repo() else {
        return missing();
    };
    let Some(version) = repo.resolve(&reference) else {
        return problem(422, &format!("No commit found for SHA: {reference}"));
    };
    let params = Params::parse(&query.unwrap_or_default());
    let path = asked.path(&format!("commits/{reference}/check-runs"));
    let mut items = repo.checks(&world.scenario, version);
    items.retain(|check| {
        params
            .get("check_name")
            .is_none_or(|name| check.get("name").and_then(Value::as_str) == Some(name))
    });
    page(
        &headers,
        &asked.api,
        &path,
        &params,
        items,
        |page, total| json!({ "total_count": total, "check_runs": page }),
    )
}

async fn combined(
    State(world): Ends,
    Path((owner, name, reference)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::new(&world, &owner, &name, &headers);
    let Some(repo) = asked.repo() else {
        return missing();
    };
    match repo.resolve(&reference) {
        Some(version) => {
            let url = format!(
                "{}{}",
                asked.api,
                asked.path(&format!("commits/{reference}/status"))
            );
            reply(
                &headers,
                &json!({ "state": "success", "statuses": [], "sha": repo.sha(version), "total_count": 0, "repository": { "name": name }, "commit_url": url, "url": url }),
            )
        }
        None => problem(422, &format!("No commit found for SHA: {reference}")),
    }
}
