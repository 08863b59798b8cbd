//! The world's answers beside the vendors' own API descriptions, where those are at hand: every required field is there, every
//! field has a name and a type that the vendor knows. Nulls pass, because the vendors' descriptions are wrong about them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Answer, advance, ask, get, post, start};

/// The folder of the descriptions: `COCKPIT_CONTRACTS`, or `shared/contracts` beside the package or one of its parents.
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("COCKPIT_CONTRACTS") {
        return Some(PathBuf::from(named));
    }
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut places = package.ancestors().skip(1).take(3);
    places
        .find(|place| place.join("shared/contracts/INDEX.md").exists())
        .map(|place| place.join("shared/contracts"))
}

struct Description {
    text: Value,
    /// Whether a name that it does not list is a fault.
    complete: bool,
}

impl Description {
    fn read(system: &str) -> Option<Self> {
        let Some(folder) = folder() else {
            println!("not applicable: no contracts folder beside the package ({system})");
            return None;
        };
        let path = folder.join(system).join("openapi.json");
        let text = std::fs::read_to_string(&path).unwrap();
        // Slack's description is of 2021 and leaves out fields that its own examples carry.
        Some(Self {
            text: serde_json::from_str(&text).unwrap(),
            complete: system != "slack",
        })
    }

    /// The schema of an operation's answer, in OpenAPI 3 or Swagger 2.
    fn answer(&self, method: &str, path: &str, code: &str) -> &Value {
        let answer = &self.text["paths"][path][method]["responses"][code];
        let answer = self.resolve(answer);
        let schema = match answer.pointer("/content/application~1json/schema") {
            Some(schema) => schema,
            None => &answer["schema"],
        };
        assert!(schema.is_object(), "{method} {path} {code} has no schema");
        schema
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(path) => self.resolve(self.text.pointer(path.trim_start_matches('#')).unwrap()),
            None => schema,
        }
    }

    /// What is wrong with `value` at `place`, by `schema`.
    fn faults(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let schema = self.resolve(schema);
        if value.is_null() {
            return Vec::new();
        }
        let branches = ["oneOf", "anyOf"]
            .iter()
            .find_map(|word| schema.get(*word)?.as_array());
        if let Some(branches) = branches {
            let each: Vec<Vec<String>> = branches
                .iter()
                .map(|branch| self.faults(branch, value, place))
                .collect();
            return each.into_iter().min_by_key(Vec::len).unwrap_or_default();
        }
        let mut wrong = Vec::new();
        let parts: Vec<&Value> = match schema.get("allOf").and_then(Value::as_array) {
            Some(all) => all
                .iter()
                .map(|part| self.resolve(part))
                .chain([schema])
                .collect(),
            None => vec![schema],
        };
        let kind = schema.get("type").and_then(Value::as_str);
        let fits = match kind {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            _ => true,
        };
        if !fits {
            return vec![format!("{place}: {value} is no {}", kind.unwrap_or("?"))];
        }
        if let (Some(items), Some(list)) = (
            schema.get("items").filter(|items| items.is_object()),
            value.as_array(),
        ) {
            for (index, item) in list.iter().enumerate() {
                wrong.extend(self.faults(items, item, &format!("{place}[{index}]")));
            }
        }
        let Some(object) = value.as_object() else {
            return wrong;
        };
        for part in &parts {
            for name in part
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                if !object.contains_key(name.as_str().unwrap()) {
                    wrong.push(format!("{place}: {name} is missing"));
                }
            }
        }
        let known: Vec<&serde_json::Map<String, Value>> = parts
            .iter()
            .filter_map(|part| part.get("properties")?.as_object())
            .collect();
        let open = known.is_empty()
            || parts.iter().any(|part| {
                part.get("additionalProperties")
                    .is_some_and(|more| *more != json!(false))
            });
        for (name, value) in object {
            match known.iter().find_map(|properties| properties.get(name)) {
                Some(schema) => {
                    wrong.extend(self.faults(schema, value, &format!("{place}.{name}")))
                }
                None if open || !self.complete => {}
                None => wrong.push(format!("{place}.{name} is not known to the vendor")),
            }
        }
        wrong
    }

    fn check(&self, method: &str, path: &str, code: &str, answer: &Answer) {
        assert_eq!(
            answer.status.to_string(),
            if code == "default" {
                answer.status.to_string()
            } else {
                code.to_owned()
            },
            "{}",
            answer.body
        );
        let wrong = self.faults(self.answer(method, path, code), &answer.json(), path);
        assert!(wrong.is_empty(), "{method} {path}:\n{}", wrong.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_answers_as_described() {
    let Some(description) = Description::read("argocd") else {
        return;
    };
    let handle = start("regression").await;
    let app = "/api/v1/applications/checkout";
    for (path, described) in [
        ("/api/v1/applications", "/api/v1/applications"),
        (app, "/api/v1/applications/{name}"),
        (
            "/api/v1/applications/checkout/resource-tree",
            "/api/v1/applications/{applicationName}/resource-tree",
        ),
        (
            "/api/v1/applications/checkout/revisions/2.14.0/metadata",
            "/api/v1/applications/{name}/revisions/{revision}/metadata",
        ),
        (
            "/api/v1/applications/checkout/syncwindows",
            "/api/v1/applications/{name}/syncwindows",
        ),
        ("/api/version", "/api/version"),
    ] {
        description.check("get", described, "200", &get(&handle, "argocd", path).await);
    }
    let body = json!({ "infos": [{ "name": "intent", "value": "i-1" }] });
    let synced = post(&handle, "argocd", &format!("{app}/sync"), &body).await;
    description.check("post", "/api/v1/applications/{name}/sync", "200", &synced);
    assert_eq!(
        synced.json()["status"]["operationState"]["operation"]["info"][0]["value"],
        "i-1"
    );
    let refused = post(
        &handle,
        "argocd",
        &format!("{app}/rollback"),
        &json!({ "id": 1 }),
    )
    .await;
    description.check(
        "post",
        "/api/v1/applications/{name}/rollback",
        "default",
        &refused,
    );
    let bare = ask(&handle, "argocd", &format!("GET {app}"), "", "")
        .await
        .unwrap();
    assert_eq!(bare.status, 401);
    description.check("get", "/api/v1/applications/{name}", "default", &bare);
}

#[tokio::test(flavor = "multi_thread")]
async fn github_answers_as_described() {
    let Some(description) = Description::read("github") else {
        return;
    };
    let handle = start("regression").await;
    let repo = "/repos/acme/checkout";
    let all = "/repos/{owner}/{repo}";
    let body = json!({ "ref": "v2.14.0", "environment": "production" });
    let made = post(&handle, "github", &format!("{repo}/deployments"), &body).await;
    description.check("post", &format!("{all}/deployments"), "201", &made);
    let id = made.json()["id"].clone();
    let one = format!("{all}/deployments/{{deployment_id}}");
    let status = post(
        &handle,
        "github",
        &format!("{repo}/deployments/{id}/statuses"),
        &json!({ "state": "in_progress" }),
    )
    .await;
    description.check("post", &format!("{one}/statuses"), "201", &status);
    for (path, described) in [
        ("/deployments".to_owned(), format!("{all}/deployments")),
        (format!("/deployments/{id}"), one.clone()),
        (
            format!("/deployments/{id}/statuses"),
            format!("{one}/statuses"),
        ),
        ("/actions/runs".to_owned(), format!("{all}/actions/runs")),
        (
            "/compare/v2.13.4...v2.14.0".to_owned(),
            format!("{all}/compare/{{basehead}}"),
        ),
        (
            "/commits/v2.14.0/check-runs".to_owned(),
            format!("{all}/commits/{{ref}}/check-runs"),
        ),
    ] {
        description.check(
            "get",
            &described,
            "200",
            &get(&handle, "github", &format!("{repo}{path}")).await,
        );
    }
    description.check(
        "get",
        "/rate_limit",
        "200",
        &get(&handle, "github", "/rate_limit").await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_and_alertmanager_answer_as_described() {
    let (Some(prometheus), Some(alertmanager)) = (
        Description::read("prometheus"),
        Description::read("alertmanager"),
    ) else {
        return;
    };
    let handle = start("regression").await;
    advance(&handle, 300).await;
    let now = handle.clock.world().timestamp();
    let range = format!(
        "/api/v1/query_range?query=up&start={}&end={now}&step=60",
        now - 600
    );
    prometheus.check(
        "get",
        "/query_range",
        "200",
        &get(&handle, "prometheus", &range).await,
    );
    prometheus.check(
        "get",
        "/query",
        "200",
        &get(&handle, "prometheus", "/api/v1/query?query=up").await,
    );
    prometheus.check(
        "get",
        "/query",
        "default",
        &get(&handle, "prometheus", "/api/v1/query?query=(").await,
    );
    prometheus.check(
        "get",
        "/alerts",
        "200",
        &get(&handle, "prometheus", "/api/v1/alerts").await,
    );
    prometheus.check(
        "get",
        "/status/buildinfo",
        "200",
        &get(&handle, "prometheus", "/api/v1/status/buildinfo").await,
    );
    let silence = json!({
        "matchers": [{ "name": "service", "value": "checkout", "isRegex": false }], "startsAt": "2026-11-17T15:00:00Z",
        "endsAt": "2026-11-17T18:00:00Z", "createdBy": "ana", "comment": "known",
    });
    let made = post(&handle, "alertmanager", "/api/v2/silences", &silence).await;
    alertmanager.check("post", "/silences", "200", &made);
    let alerts = get(&handle, "alertmanager", "/api/v2/alerts").await;
    alertmanager.check("get", "/alerts", "200", &alerts);
    let hit = alerts
        .json()
        .as_array()
        .unwrap()
        .iter()
        .any(|alert| alert["status"]["state"] == "suppressed");
    assert!(hit, "the silence holds: {}", alerts.body);
    alertmanager.check(
        "get",
        "/silences",
        "200",
        &get(&handle, "alertmanager", "/api/v2/silences").await,
    );
    alertmanager.check(
        "get",
        "/status",
        "200",
        &get(&handle, "alertmanager", "/api/v2/status").await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_answers_as_described() {
    let Some(description) = Description::read("slack") else {
        return;
    };
    let handle = start("regression").await;
    let posted = post(
        &handle,
        "slack",
        "/api/chat.postMessage",
        &json!({ "channel": "oncall", "text": "brief" }),
    )
    .await;
    description.check("post", "/chat.postMessage", "200", &posted);
    let ts = posted.json()["ts"].clone();
    let edited = post(
        &handle,
        "slack",
        "/api/chat.update",
        &json!({ "channel": "oncall", "ts": ts, "text": "brief, again" }),
    )
    .await;
    description.check("post", "/chat.update", "200", &edited);
    description.check(
        "get",
        "/auth.test",
        "200",
        &get(&handle, "slack", "/api/auth.test").await,
    );
    let added = post(
        &handle,
        "slack",
        "/api/reactions.add",
        &json!({ "channel": "oncall", "timestamp": ts, "name": "eyes" }),
    )
    .await;
    description.check("post", "/reactions.add", "200", &added);
}
