//! The shipped connectors against the vendors' own API descriptions and examples, where these lie beside the package.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use cockpit::connect::context::{DriverContext, Shared};
use cockpit::connect::engine;
use cockpit::connect::place::Source;
use cockpit::connect::registry::{self, SHIPPED};
use cockpit::connect::transport::{Canned, Reply, Request};
use cockpit::domain::connector::{ConnectorSpec, RequestSpec};
use cockpit::domain::observe::Call;
use serde_json::{Value, json};

use crate::wire::{Still, connection};

/// The folder of API descriptions; `None` where there is none.
pub fn contracts() -> Option<PathBuf> {
    let beside = || {
        let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        ["../shared/contracts", "../../shared/contracts"]
            .iter()
            .map(|p| package.join(p))
            .find(|p| p.is_dir())
    };
    std::env::var_os("COCKPIT_CONTRACTS")
        .map(PathBuf::from)
        .filter(|p| p.is_dir())
        .or_else(beside)
}

pub fn json_file(path: &PathBuf) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn shipped(id: &str) -> (ConnectorSpec, Source) {
    let (_, text) = SHIPPED.iter().find(|(i, _)| *i == id).unwrap();
    let source = Source {
        file: format!("{id}.toml"),
        text: (*text).to_owned(),
    };
    (registry::parse(&source).unwrap(), source)
}

/// Every request of a connector, with the name of what makes it.
fn requests(spec: &ConnectorSpec) -> Vec<(String, RequestSpec)> {
    let mut out = Vec::new();
    if let Some(health) = &spec.health {
        out.push(("health".to_owned(), health.request.clone()));
    }
    for (name, read) in &spec.read {
        out.extend(read.request.clone().map(|r| (format!("read.{name}"), r)));
        out.extend(
            read.each
                .clone()
                .map(|e| (format!("read.{name}.each"), e.request)),
        );
    }
    for (name, action) in &spec.action {
        out.extend(
            action
                .request
                .clone()
                .map(|r| (format!("action.{name}"), r)),
        );
        out.extend(
            action
                .find
                .clone()
                .map(|f| (format!("action.{name}.find"), f.request)),
        );
        let steps = action.steps.iter();
        out.extend(steps.map(|s| (format!("action.{name}.steps.{}", s.name), s.request.clone())));
    }
    out
}

/// Segments with `*` for whatever is filled in.
fn shape(path: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut depth = 0;
    for c in path.chars() {
        match c {
            '{' if depth == 0 => {
                plain.push('*');
                depth = 1;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
        .split('/')
        .filter(|s| !s.is_empty())
        .map(|s| {
            if s.contains('*') {
                "*".to_owned()
            } else {
                s.to_owned()
            }
        })
        .collect()
}

/// Paths that the cut descriptions leave out, checked against the vendor's documentation instead.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "argocd",
        "/api/v1/applications/{{ item.metadata.name }}/resource",
    ),
    (
        "argocd",
        "/api/v1/applications/{{ args.app }}/resource/actions/v2",
    ),
    ("slack", "/api/auth.test"),
    ("slack", "/api/conversations.history"),
    (
        "jenkins",
        "/job/{{ settings.job | path }}/buildWithParameters",
    ),
    (
        "github",
        "/repos/{{ settings.owner }}/{{ settings.repo }}/milestones",
    ),
    // The stage view's own API, of the plugin that every pipeline has.
    (
        "jenkins",
        "/job/{{ settings.job | path }}/{{ item.number }}/wfapi/describe",
    ),
    (
        "jenkins",
        "/job/{{ settings.job | path }}/{{ args.id }}/wfapi/pendingInputActions",
    ),
    (
        "jenkins",
        "/job/{{ settings.job | path }}/{{ args.id }}/wfapi/inputSubmit",
    ),
    // The description has them of the last build only.
    (
        "jenkins",
        "/job/{{ settings.job | path }}/{{ args.id }}/stop",
    ),
    (
        "jenkins",
        "/job/{{ settings.job | path }}/{{ args.id }}/api/json",
    ),
];

/// The names of a request's query parameters.
fn asked(spec: &ConnectorSpec, read: &str) -> Vec<String> {
    let read = &spec.read[read];
    let mut names: Vec<String> = read
        .request
        .as_ref()
        .unwrap()
        .query
        .keys()
        .cloned()
        .collect();
    if let Some(cockpit::domain::connector::Paginate::Cursor { param, .. }) = &read.paginate {
        names.push(param.clone());
    }
    names
}

#[test]
fn what_calendars_are_asked_for_is_what_the_vendors_describe() {
    let Some(dir) = contracts() else {
        println!("not applicable: no API descriptions beside the package");
        return;
    };
    if let Some(api) = json_file(&dir.join("google-calendar").join("discovery.json")) {
        let (spec, _) = shipped("google-calendar");
        let list = &api["resources"]["events"]["methods"]["list"];
        let base = format!(
            "{}{}",
            api["rootUrl"].as_str().unwrap(),
            api["servicePath"].as_str().unwrap()
        );
        let ours = spec.settings["url"]
            .default
            .as_ref()
            .unwrap()
            .as_str()
            .unwrap();
        assert_eq!(format!("{ours}/"), base);
        for (name, request) in requests(&spec) {
            assert_eq!(
                shape(&request.path),
                shape(list["path"].as_str().unwrap()),
                "{name}"
            );
        }
        for name in asked(&spec, "events") {
            assert!(list["parameters"].get(&name).is_some(), "{name}");
        }
        let fields = &api["schemas"]["Event"]["properties"];
        for field in [
            "id",
            "iCalUID",
            "status",
            "summary",
            "description",
            "location",
            "start",
            "end",
            "endTimeUnspecified",
            "recurringEventId",
            "originalStartTime",
            "eventType",
            "extendedProperties",
        ] {
            assert!(fields.get(field).is_some(), "{field}");
        }
        for field in [
            "timeZone",
            "summary",
            "items",
            "nextPageToken",
            "accessRole",
        ] {
            assert!(
                api["schemas"]["Events"]["properties"].get(field).is_some(),
                "{field}"
            );
        }
        for field in ["date", "dateTime"] {
            assert!(
                api["schemas"]["EventDateTime"]["properties"]
                    .get(field)
                    .is_some(),
                "{field}"
            );
        }
    } else {
        println!("not applicable: no API description of google-calendar");
    }
    if let Some(api) = json_file(&dir.join("jira").join("openapi.json")) {
        let (spec, _) = shipped("jira");
        let known =
            &api["paths"]["/rest/api/3/project/{projectIdOrKey}/version"]["get"]["parameters"];
        let known: Vec<&str> = known
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|p| p["name"].as_str())
            .collect();
        for name in asked(&spec, "versions") {
            assert!(known.contains(&name.as_str()), "{name}: {known:?}");
        }
        let fields = &api["components"]["schemas"]["Version"]["properties"];
        for field in [
            "id",
            "name",
            "description",
            "archived",
            "released",
            "overdue",
            "startDate",
            "releaseDate",
        ] {
            assert!(fields.get(field).is_some(), "{field}");
        }
    } else {
        println!("not applicable: no API description of jira");
    }
}

#[test]
fn every_request_is_one_that_the_vendor_describes() {
    let Some(dir) = contracts() else {
        println!("not applicable: no API descriptions beside the package");
        return;
    };
    let mut unknown = Vec::new();
    for (id, _) in SHIPPED {
        let Some(api) = json_file(&dir.join(id).join("openapi.json")) else {
            println!("not applicable: no API description of {id}");
            continue;
        };
        let (spec, _) = shipped(id);
        for (name, request) in requests(&spec) {
            let method = request.method.as_deref().unwrap_or("GET").to_lowercase();
            let ours = shape(&request.path);
            let known = api["paths"].as_object().unwrap().iter().any(|(path, ops)| {
                let theirs = shape(path);
                // A description may leave out the prefix that its servers have.
                ours.ends_with(&theirs)
                    && ours.len() - theirs.len() <= 2
                    && ops.get(&method).is_some()
            });
            let left_out = LEFT_OUT.iter().any(|(i, p)| i == id && *p == request.path);
            if left_out {
                println!("{id}: {name}: left out of the description at hand");
            } else if !known {
                unknown.push(format!("{id}: {name}: {method} {}", request.path));
            }
        }
    }
    assert!(unknown.is_empty(), "not described:\n{}", unknown.join("\n"));
}

/// Reads an example through a connector; other requests than the first are answered 404.
async fn map(
    id: &str,
    read: &str,
    args: &[(&str, &str)],
    body: Value,
    second: Option<Value>,
) -> Vec<Value> {
    let (spec, source) = shipped(id);
    let connection = connection(&spec, "https://vendor.example", &Default::default());
    let first = std::sync::atomic::AtomicBool::new(true);
    let canned: Canned = Arc::new(move |_: &Request, url: &url::Url| {
        let is_first = first.swap(false, std::sync::atomic::Ordering::SeqCst);
        let (status, body) = match (is_first, &second) {
            (true, _) => (200, body.clone()),
            (false, Some(second)) => (200, second.clone()),
            (false, None) => (404, Value::Null),
        };
        Ok(Reply {
            status,
            headers: Default::default(),
            body: Bytes::from(body.to_string()),
            url: url.clone(),
        })
    });
    let shared = Shared {
        file: String::new(),
        clock: Arc::new(Still),
        redactor: Arc::default(),
        clients: Arc::default(),
        endpoints: None,
        canned: Some(canned),
        zone: chrono_tz::UTC,
    };
    let context = DriverContext::new(&connection, &spec, &shared).unwrap();
    let driver = engine::open(&connection, &spec, &source, &context).unwrap();
    let call = Call {
        connection: "c".into(),
        read: read.into(),
        args: args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        lookback: None,
    };
    let answer = driver
        .read(&call, None)
        .await
        .unwrap_or_else(|f| panic!("{id} {read}: {f}"));
    let records = serde_json::to_value(answer.records).unwrap();
    records["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_vendors_own_examples_are_understood() {
    let Some(dir) = contracts() else {
        println!("not applicable: no examples beside the package");
        return;
    };
    let example = |id: &str, name: &str| {
        let found = json_file(&dir.join(id).join("examples").join(name));
        if found.is_none() {
            println!("not applicable: no example {id}/{name}");
        }
        found
    };
    for name in ["application-healthy", "application-degraded"] {
        if let Some(mut app) = example("argocd", &format!("{name}.application.json")) {
            // The examples are tests of the vendor's health rules; some have no name.
            app["metadata"]["name"] = json!("checkout");
            let got = map(
                "argocd",
                "deployments",
                &[],
                json!({ "items": [app.clone()] }),
                None,
            )
            .await;
            assert_eq!(got[0]["service"], app["metadata"]["name"], "{name}");
            let state = if name.ends_with("healthy") {
                "succeeded"
            } else {
                "failed"
            };
            assert_eq!(got[0]["state"], state, "{name}: {}", got[0]);
        }
    }
    let list = example("github", "repos_list-deployments.response_200.default.json");
    let statuses = example(
        "github",
        "repos_list-deployment-statuses.response_200.default.json",
    );
    if let (Some(list), Some(statuses)) = (list, statuses) {
        let got = map("github", "deployments", &[], list, Some(statuses)).await;
        assert_eq!(
            (&got[0]["id"], &got[0]["state"]),
            (&json!("1"), &json!("succeeded"))
        );
    }
    if let Some(runs) = example(
        "github",
        "actions_list-workflow-runs-for-repo.response_200.default.json",
    ) {
        let got = map("github", "runs", &[], runs.clone(), None).await;
        assert_eq!(got.len(), runs["workflow_runs"].as_array().unwrap().len());
        assert_ne!(got[0]["state"], "unknown");
    }
    if let Some(checks) = example("github", "checks_list-for-ref.response_200.default.json") {
        let got = map(
            "github",
            "builds",
            &[("version", "1.4.0")],
            checks.clone(),
            None,
        )
        .await;
        assert_eq!(got.len(), checks["check_runs"].as_array().unwrap().len());
        assert_ne!(got[0]["state"], "unknown");
    }
    if let Some(releases) = example("github", "repos_list-releases.response_200.default.json") {
        let got = map("github", "releases", &[], releases.clone(), None).await;
        assert_eq!(got[0]["uid"], releases[0]["tag_name"]);
        assert_eq!(
            got[0]["spans"][0]["span"]["start"],
            releases[0]["published_at"]
        );
        assert_eq!(got[0]["state"], "published");
    }
    let versions = "GET_rest.api.3.project.projectIdOrKey.version.response_200.json";
    if let Some(mut versions) = example("jira", versions) {
        versions["isLast"] = json!(true);
        let got = map("jira", "versions", &[], versions.clone(), None).await;
        // The second one of the example has no date yet.
        assert_eq!(got.len(), 1);
        assert_eq!(got[0]["summary"], versions["values"][0]["name"]);
        assert_eq!(got[0]["state"], "released");
        assert_eq!(got[0]["spans"][0]["span"]["start"], "2010-07-06T00:00:00Z");
    }
    let issues = "GET_rest.api.3.search.jql.response_200.json";
    if let Some(mut issues) = example("jira", issues) {
        // The example's issue carries no label.
        issues["issues"][0]["fields"]["labels"] = json!(["r-1"]);
        let got = map(
            "jira",
            "change",
            &[("release", "r-1")],
            issues.clone(),
            None,
        )
        .await;
        assert_eq!(got[0]["id"], issues["issues"][0]["key"]);
        assert_eq!(got[0]["state"], "requested");
    }
    if let Some(compare) = example(
        "github",
        "repos_compare-commits-with-basehead.response_200.default.json",
    ) {
        let args = [("from", "a"), ("to", "b")];
        let got = map("github", "commits", &args, compare.clone(), None).await;
        assert_eq!(got[0]["id"], compare["commits"][0]["sha"]);
        assert!(!got[0]["paths"].as_array().unwrap().is_empty());
    }
}

#[test]
fn shapes_ignore_what_is_filled_in() {
    assert_eq!(shape("/a/{{ settings.x | path }}/b"), shape("/a/{y}/b"));
    assert_eq!(shape("/c/{{ a }}...{{ b }}"), ["c", "*"]);
    assert_ne!(shape("/a/b"), shape("/a/c"));
}
