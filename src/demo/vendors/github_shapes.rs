//! How GitHub shows the world: users, deployments, runs, checks, commits.

use chrono::Duration;
use serde_json::{Value, json};

use super::{hex, number, stamp};
use crate::demo::act::{Accepted, Act};
use crate::demo::scenario::Scenario;
use crate::demo::shop::{Commit, Service};
use crate::demo::state::STAGING;
use crate::demo::world::{QUEUE, View};
use crate::domain::time::Instant;

/// Where the simulated vendor says it lives; links in answers that are for people point here.
const HTML: &str = "https://github.example";

/// The links that the vendor puts into a repository.
const LINKS: [&str; 36] = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];

/// A repository of the world.
pub struct Repo<'a> {
    /// Owner as asked for.
    pub owner: &'a str,
    /// Its service.
    pub service: &'a Service,
    /// Base of API links: `http://host:port`.
    pub api: &'a str,
}

/// A deployment before it is shown.
pub struct Deployment {
    /// Id.
    pub id: u64,
    /// Ref.
    pub reference: String,
    /// Environment.
    pub environment: String,
    /// Description.
    pub description: String,
    /// Payload.
    pub payload: Value,
    /// Account.
    pub by: String,
    /// Creation.
    pub at: Instant,
    /// Statuses, newest first: state, when, description.
    pub statuses: Vec<(String, Instant, String)>,
}

impl Repo<'_> {
    fn url(&self, rest: &str) -> String {
        format!(
            "{}/repos/{}/{}/{rest}",
            self.api, self.owner, self.service.name
        )
    }

    /// The commit that a ref names: the version's own, for tags with and without `v`.
    #[must_use]
    pub fn sha(&self, reference: &str) -> String {
        let is_sha =
            reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_sha {
            reference.to_owned()
        } else {
            hex(&format!("{} {}", self.service.name, version(reference)), 40)
        }
    }

    /// The version that a ref names.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<&str> {
        if matches!(reference, "main" | "refs/heads/main" | "HEAD") {
            return Some(self.service.newest());
        }
        self.service
            .versions()
            .find(|known| *known == version(reference) || self.sha(known) == reference)
    }

    /// Every deployment, newest first.
    #[must_use]
    pub fn deployments(&self, view: &View) -> Vec<Deployment> {
        let mut all = Vec::new();
        for (suffix, environment) in [("", "production"), (STAGING, "staging")] {
            let app = format!("{}{suffix}", self.service.name);
            let first = view
                .timelines
                .get(&app)
                .and_then(|timeline| timeline.states().first());
            let entries = first
                .map(|(_, app)| app.history.as_slice())
                .unwrap_or_default();
            let last = entries.len().saturating_sub(1);
            for (index, entry) in entries.iter().enumerate() {
                let mut statuses = vec![
                    ("success".to_owned(), entry.deployed, String::new()),
                    ("in_progress".to_owned(), entry.started, String::new()),
                ];
                if index < last {
                    statuses.insert(0, ("inactive".to_owned(), entry.deployed, String::new()));
                }
                all.push(Deployment {
                    id: number(&format!("{app} {}", entry.id)),
                    reference: format!("v{}", entry.revision),
                    environment: environment.to_owned(),
                    description: String::new(),
                    payload: json!({}),
                    by: entry.by.clone(),
                    at: entry.started,
                    statuses,
                });
            }
        }
        all.extend(
            view.acts
                .iter()
                .filter_map(|accepted| self.made(view, accepted)),
        );
        all.sort_by_key(|deployment| std::cmp::Reverse((deployment.at, deployment.id)));
        all
    }

    fn made(&self, view: &View, accepted: &Accepted) -> Option<Deployment> {
        let Act::Deployment {
            repo,
            id,
            reference,
            environment,
            description,
            payload,
            by,
        } = &accepted.act
        else {
            return None;
        };
        if *repo != self.service.name {
            return None;
        }
        let mut statuses: Vec<(String, Instant, String)> = view
            .acts
            .iter()
            .filter_map(|later| match &later.act {
                Act::DeploymentStatus {
                    deployment,
                    state,
                    description,
                    ..
                } if deployment == id => Some((state.clone(), later.at, description.clone())),
                _ => None,
            })
            .collect();
        if self.service.delivery == "github" {
            statuses.extend(self.progress(view, accepted.at, reference, environment));
        }
        statuses.sort_by_key(|(_, at, _)| std::cmp::Reverse(*at));
        Some(Deployment {
            id: *id,
            reference: reference.clone(),
            environment: environment.clone(),
            description: description.clone(),
            payload: payload.clone(),
            by: by.clone(),
            at: accepted.at,
            statuses,
        })
    }

    /// How a deployment that GitHub runs got on.
    fn progress(
        &self,
        view: &View,
        at: Instant,
        reference: &str,
        environment: &str,
    ) -> Vec<(String, Instant, String)> {
        let mut statuses = vec![("queued".to_owned(), at, String::new())];
        if view.now >= at + QUEUE {
            statuses.push(("in_progress".to_owned(), at + QUEUE, String::new()));
        }
        if let Some(done) = self.done(view, at, reference, environment) {
            statuses.push((
                "success".to_owned(),
                done,
                "Deployment finished successfully.".to_owned(),
            ));
        }
        statuses
    }

    /// When a version took all traffic after it was asked for at `at`, if it has by now.
    #[must_use]
    pub fn done(
        &self,
        view: &View,
        at: Instant,
        reference: &str,
        environment: &str,
    ) -> Option<Instant> {
        let suffix = if environment == "staging" {
            STAGING
        } else {
            ""
        };
        let timeline = view
            .timelines
            .get(&format!("{}{suffix}", self.service.name))?;
        let mut later = timeline
            .states()
            .iter()
            .filter(|(from, _)| *from > at + QUEUE && *from <= view.now);
        later
            .find(|(_, app)| {
                app.rollout.stable.version == version(reference) && app.rollout.canary.is_none()
            })
            .map(|(from, _)| *from)
    }

    /// A deployment as shown.
    #[must_use]
    pub fn deployment(&self, deployment: &Deployment) -> Value {
        let id = deployment.id;
        let updated = deployment
            .statuses
            .first()
            .map_or(deployment.at, |(_, at, _)| *at);
        json!({
            "url": self.url(&format!("deployments/{id}")),
            "id": id,
            "node_id": hex(&format!("deployment {id}"), 20),
            "sha": self.sha(&deployment.reference),
            "ref": deployment.reference,
            "task": "deploy",
            "payload": deployment.payload,
            "original_environment": deployment.environment,
            "environment": deployment.environment,
            "description": deployment.description,
            "creator": user(&deployment.by),
            "created_at": stamp(deployment.at),
            "updated_at": stamp(updated),
            "statuses_url": self.url(&format!("deployments/{id}/statuses")),
            "repository_url": self.url("").trim_end_matches('/'),
            "transient_environment": false,
            "production_environment": deployment.environment == "production",
        })
    }

    /// The statuses of a deployment as shown, newest first.
    #[must_use]
    pub fn statuses(&self, deployment: &Deployment) -> Vec<Value> {
        let id = deployment.id;
        let shown = deployment.statuses.iter().map(|(state, at, description)| {
            let status = number(&format!("{id} {state} {}", stamp(*at)));
            json!({
                "url": self.url(&format!("deployments/{id}/statuses/{status}")),
                "id": status,
                "node_id": hex(&format!("status {status}"), 20),
                "state": state,
                "creator": user(&deployment.by),
                "description": description,
                "environment": deployment.environment,
                "target_url": "",
                "created_at": stamp(*at),
                "updated_at": stamp(*at),
                "deployment_url": self.url(&format!("deployments/{id}")),
                "repository_url": self.url("").trim_end_matches('/'),
                "environment_url": format!("https://{}.acme.example", self.service.name),
                "log_url": format!("{HTML}/{}/{}/actions", self.owner, self.service.name),
            })
        });
        shown.collect()
    }

    /// A workflow run as shown.
    #[must_use]
    #[allow(clippy::too_many_arguments)] // one field each
    pub fn run(
        &self,
        id: u64,
        name: &str,
        file: &str,
        event: &str,
        reference: &str,
        by: &str,
        at: Instant,
        updated: Instant,
        status: &str,
        conclusion: Option<&str>,
    ) -> Value {
        let sha = self.sha(reference);
        let api = |rest: &str| self.url(&format!("actions/runs/{id}{rest}"));
        json!({
            "id": id, "name": name, "node_id": hex(&format!("run {id}"), 20),
            "check_suite_id": number(&format!("suite {id}")), "check_suite_node_id": hex(&format!("suite {id}"), 20),
            "head_branch": reference, "head_sha": sha, "path": format!(".github/workflows/{file}"),
            "run_number": id % 1000, "run_attempt": 1, "event": event, "display_title": format!("{name} {reference}"),
            "status": status, "conclusion": conclusion, "workflow_id": number(&format!("{} {file}", self.service.name)),
            "url": api(""), "html_url": format!("{HTML}/{}/{}/actions/runs/{id}", self.owner, self.service.name),
            "pull_requests": [], "created_at": stamp(at), "updated_at": stamp(updated), "run_started_at": stamp(at),
            "actor": user(by), "triggering_actor": user(by),
            "jobs_url": api("/jobs"), "logs_url": api("/logs"), "check_suite_url": self.url(&format!("check-suites/{}", number(&format!("suite {id}")))),
            "artifacts_url": api("/artifacts"), "cancel_url": api("/cancel"), "rerun_url": api("/rerun"),
            "workflow_url": self.url(&format!("actions/workflows/{file}")),
            "head_commit": {
                "id": sha, "tree_id": hex(&format!("tree {sha}"), 40), "message": format!("{} {reference}", self.service.name), "timestamp": stamp(at),
                "author": { "name": by, "email": format!("{by}@acme.example") }, "committer": { "name": "GitHub", "email": "noreply@github.example" },
            },
            "repository": self.repository(), "head_repository": self.repository(),
        })
    }

    /// The repository as shown inside other answers, with its many links.
    #[must_use]
    pub fn repository(&self) -> Value {
        let name = &self.service.name;
        let mut shown = json!({
            "id": number(name), "node_id": hex(name, 20), "name": name, "full_name": format!("{}/{name}", self.owner), "private": true,
            "owner": user(self.owner), "html_url": format!("{HTML}/{}/{name}", self.owner), "description": null, "fork": false,
            "url": self.url("").trim_end_matches('/'), "default_branch": "main",
        });
        if let Some(fields) = shown.as_object_mut() {
            for link in LINKS {
                fields.insert(format!("{link}_url"), json!(self.url(link)));
            }
        }
        shown
    }

    /// The runs, newest first: one of CI for each version, one for each dispatch.
    #[must_use]
    pub fn runs(&self, scenario: &Scenario, view: &View) -> Vec<Value> {
        let dispatched = view.acts.iter().rev().filter_map(|accepted| {
            let Act::Dispatch {
                repo,
                id,
                workflow,
                reference,
                inputs,
                by,
            } = &accepted.act
            else {
                return None;
            };
            if *repo != self.service.name {
                return None;
            }
            let text = |name: &str, or: &str| {
                inputs
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or(or)
                    .to_owned()
            };
            let done = self.done(
                view,
                accepted.at,
                &text("version", reference),
                &text("environment", "production"),
            );
            let (status, conclusion, updated) = match done {
                Some(done) => ("completed", Some("success"), done),
                None if view.now >= accepted.at + QUEUE => {
                    ("in_progress", None, accepted.at + QUEUE)
                }
                None => ("queued", None, accepted.at),
            };
            let name = workflow.split('.').next().unwrap_or(workflow);
            Some(self.run(
                *id,
                name,
                workflow,
                "workflow_dispatch",
                reference,
                by,
                accepted.at,
                updated,
                status,
                conclusion,
            ))
        });
        let built = self.service.versions().map(|version| {
            let at = built_at(scenario, self.service, version);
            let reference = format!("v{version}");
            let id = number(&format!("{} ci {version}", self.service.name));
            self.run(
                id,
                "ci",
                "ci.yml",
                "push",
                &reference,
                author(scenario, self.service, version),
                at,
                at + Duration::minutes(11),
                "completed",
                Some("success"),
            )
        });
        dispatched
            .chain(built.collect::<Vec<_>>().into_iter().rev())
            .collect()
    }

    /// The checks of a version: all green, because CI let it through.
    #[must_use]
    pub fn checks(&self, scenario: &Scenario, version: &str) -> Vec<Value> {
        let sha = self.sha(version);
        let at = built_at(scenario, self.service, version);
        let checks = [
            ("unit", 4),
            ("integration", 7),
            ("acceptance", 11),
            ("security-scan", 3),
        ];
        let shown = checks.map(|(name, minutes)| {
            let id = number(&format!("{} {version} {name}", self.service.name));
            let html = format!("{HTML}/{}/{}/runs/{id}", self.owner, self.service.name);
            json!({
                "id": id, "head_sha": sha, "node_id": hex(&format!("check {id}"), 20), "external_id": "", "name": name,
                "url": self.url(&format!("check-runs/{id}")), "html_url": html, "details_url": html,
                "status": "completed", "conclusion": "success",
                "started_at": stamp(at), "completed_at": stamp(at + Duration::minutes(minutes)),
                "output": { "title": null, "summary": null, "text": null, "annotations_count": 0, "annotations_url": self.url(&format!("check-runs/{id}/annotations")) },
                "check_suite": { "id": number(&format!("suite {version}")) },
                "app": actions_app(),
                "pull_requests": [],
            })
        });
        shown.to_vec()
    }

    /// A commit as shown.
    #[must_use]
    pub fn commit(&self, scenario: &Scenario, commit: &Commit, index: usize) -> Value {
        let sha = hex(
            &format!(
                "{} {} {index} {}",
                commit.service, commit.version, commit.message
            ),
            40,
        );
        self.commit_of(
            &sha,
            &commit.message,
            &commit.author,
            built_at(scenario, self.service, &commit.version) - Duration::hours(2),
        )
    }

    /// A commit of a version as shown: the one that its tag names.
    #[must_use]
    pub fn tagged(&self, scenario: &Scenario, version: &str) -> Value {
        let message = format!("{} {version}", self.service.name);
        self.commit_of(
            &self.sha(version),
            &message,
            author(scenario, self.service, version),
            built_at(scenario, self.service, version),
        )
    }

    fn commit_of(&self, sha: &str, message: &str, by: &str, at: Instant) -> Value {
        let person =
            json!({ "name": by, "email": format!("{by}@acme.example"), "date": stamp(at) });
        let url = self.url(&format!("commits/{sha}"));
        let html = format!("{HTML}/{}/{}/commit/{sha}", self.owner, self.service.name);
        let tree = hex(&format!("tree {sha}"), 40);
        json!({
            "url": url, "sha": sha, "node_id": hex(&format!("commit {sha}"), 20), "html_url": html, "comments_url": format!("{url}/comments"),
            "commit": {
                "url": self.url(&format!("git/commits/{sha}")), "author": person, "committer": person, "message": message,
                "tree": { "url": self.url(&format!("git/trees/{tree}")), "sha": tree }, "comment_count": 0,
                "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null },
            },
            "author": user(by), "committer": user(by), "parents": [{ "url": url, "sha": hex(&format!("parent {sha}"), 40) }],
        })
    }
}

/// A ref without `refs/tags/` and `v`.
fn version(reference: &str) -> &str {
    let short = reference.trim_start_matches("refs/tags/");
    short.strip_prefix('v').unwrap_or(short)
}

/// When a version was built: the day before staging had it.
fn built_at(scenario: &Scenario, service: &Service, version: &str) -> Instant {
    let ago = service
        .past
        .iter()
        .find(|past| past.version == version)
        .map_or(Duration::zero(), |past| past.ago.0);
    scenario.starts - ago - Duration::days(3)
}

fn author<'a>(scenario: &'a Scenario, service: &Service, version: &str) -> &'a str {
    let commit = scenario
        .commits
        .iter()
        .find(|commit| commit.service == service.name && commit.version == version);
    commit.map_or("sam", |commit| commit.author.as_str())
}

/// The app that runs the checks.
fn actions_app() -> Value {
    json!({
        "id": 15_368, "slug": "github-actions", "node_id": hex("github-actions", 20), "name": "GitHub Actions", "owner": user("github"),
        "description": "Automate your workflow from idea to production", "external_url": HTML, "html_url": format!("{HTML}/apps/github-actions"),
        "created_at": "2018-07-30T09:30:17Z", "updated_at": "2024-04-10T20:33:16Z",
        "permissions": { "checks": "write", "contents": "read" }, "events": ["check_run"],
    })
}

/// A user as shown.
#[must_use]
pub fn user(login: &str) -> Value {
    let login = if login.is_empty() { "acme-bot" } else { login };
    let url = |rest: &str| format!("{HTML}/users/{login}{rest}");
    json!({
        "login": login, "id": number(login), "node_id": hex(&format!("user {login}"), 20), "avatar_url": url("/avatar"), "gravatar_id": "",
        "url": url(""), "html_url": format!("{HTML}/{login}"), "followers_url": url("/followers"), "following_url": url("/following"),
        "gists_url": url("/gists"), "starred_url": url("/starred"), "subscriptions_url": url("/subscriptions"),
        "organizations_url": url("/orgs"), "repos_url": url("/repos"), "events_url": url("/events"),
        "received_events_url": url("/received_events"), "type": "User", "site_admin": false,
    })
}
