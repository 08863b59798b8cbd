//! Each vendor's manners: what it refuses, how it pages, who answers.

use serde_json::{Value, json};

use super::{AUTH, PD, advance, ask, get, post, start};

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_refuses_as_the_vendor_does() {
    let handle = start("happy").await;
    let ready = get(&handle, "prometheus", "/-/ready").await;
    assert_eq!(ready.status, 200);
    let bad = get(&handle, "prometheus", "/api/v1/query?query=topk(3%2Cup)").await;
    assert_eq!(bad.status, 400);
    assert_eq!(bad.json()["errorType"], "bad_data");
    let wide = get(
        &handle,
        "prometheus",
        "/api/v1/query_range?query=up&start=0&end=11001&step=1",
    )
    .await;
    assert_eq!(wide.status, 400);
    assert!(wide.body.contains("11,000 points"));
    let most = get(
        &handle,
        "prometheus",
        "/api/v1/query_range?query=up&start=0&end=11000&step=1",
    )
    .await;
    assert_eq!(most.status, 200);
    let step = get(
        &handle,
        "prometheus",
        "/api/v1/query_range?query=up&start=0&end=10&step=0",
    )
    .await;
    assert_eq!(step.status, 400);
    let empty = get(&handle, "prometheus", "/api/v1/query?query=nothing_here").await;
    assert_eq!(
        empty.json()["data"],
        json!({ "resultType": "vector", "result": [] })
    );
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let posted = ask(
        &handle,
        "prometheus",
        "POST /api/v1/query",
        form,
        "query=1%2B1&time=5",
    )
    .await;
    assert_eq!(
        posted.unwrap().json()["data"],
        json!({ "resultType": "scalar", "result": [5.0, "2"] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn github_pages_caches_compares_and_deploys() {
    let handle = start("regression").await;
    let bare = ask(
        &handle,
        "github",
        "GET /rate_limit",
        "User-Agent: t\r\n",
        "",
    )
    .await;
    assert_eq!(bare.unwrap().status, 401);
    let page = get(
        &handle,
        "github",
        "/repos/acme/checkout/deployments?per_page=2",
    )
    .await;
    assert_eq!(page.json().as_array().unwrap().len(), 2);
    assert!(
        page.header("link").contains("page=2>; rel=\"next\""),
        "{page:?}"
    );
    let tag = page.header("etag").to_owned();
    let known = format!("{AUTH}If-None-Match: {tag}\r\n");
    let again = ask(
        &handle,
        "github",
        "GET /repos/acme/checkout/deployments?per_page=2",
        &known,
        "",
    )
    .await;
    assert_eq!(again.unwrap().status, 304);
    let compared = get(
        &handle,
        "github",
        "/repos/acme/checkout/compare/v2.13.4...v2.14.0",
    )
    .await
    .json();
    assert_eq!(
        (&compared["status"], &compared["ahead_by"]),
        (&json!("ahead"), &json!(4))
    );
    let messages = compared["commits"].to_string();
    assert!(
        messages.contains("\\u001b[2J") && messages.contains('\u{202e}'),
        "hostile on purpose"
    );
    let files = compared["files"].to_string();
    assert!(files.contains("migrations/0042_delivery_slot.sql"));
    let checks = get(
        &handle,
        "github",
        "/repos/acme/checkout/commits/v2.14.0/check-runs",
    )
    .await
    .json();
    assert_eq!(checks["total_count"], 4);
    assert_eq!(
        get(&handle, "github", "/repos/acme/nothing/deployments")
            .await
            .status,
        404
    );
    // What GitHub delivers changes the world; the record carries the caller's mark.
    let body = json!({ "ref": "v2026.47", "environment": "production", "payload": { "intent": "i-1" }, "description": "" });
    let made = post(&handle, "github", "/repos/acme/web/deployments", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/repos/acme/web/deployments/{}/statuses", made.json()["id"]);
    let state = |answer: Value| answer[0]["state"].clone();
    assert_eq!(state(get(&handle, "github", &path).await.json()), "queued");
    advance(&handle, 12).await;
    assert_eq!(
        state(get(&handle, "github", &path).await.json()),
        "in_progress"
    );
    advance(&handle, 120).await;
    assert_eq!(state(get(&handle, "github", &path).await.json()), "success");
    let listed = get(&handle, "github", "/repos/acme/web/deployments")
        .await
        .json();
    assert_eq!(listed[0]["payload"]["intent"], "i-1");
    let order =
        json!({ "ref": "main", "inputs": { "version": "1.4.0", "environment": "production" } });
    let path = "/repos/acme/admin/actions/workflows/deploy.yml/dispatches";
    assert_eq!(post(&handle, "github", path, &order).await.status, 204);
    advance(&handle, 120).await;
    let runs = get(
        &handle,
        "github",
        "/repos/acme/admin/actions/runs?event=workflow_dispatch",
    )
    .await
    .json();
    assert_eq!(runs["workflow_runs"][0]["conclusion"], "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_answer_and_incidents_are_acknowledged() {
    let handle = start("regression").await;
    let oncalls = get(&handle, "pagerduty", "/oncalls").await.json();
    let names: Vec<&str> = oncalls["oncalls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["user"]["summary"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Mira Okafor", "Joel Lindqvist", "Tom Brandt"]);
    assert_eq!(
        get(&handle, "pagerduty", "/incidents?statuses[]=triggered")
            .await
            .json()["incidents"],
        json!([])
    );
    let sent = post(
        &handle,
        "slack",
        "/api/chat.postMessage",
        &json!({ "channel": "oncall", "text": "brief" }),
    )
    .await
    .json();
    let ts = sent["ts"].as_str().unwrap().to_owned();
    let reactions = format!("/api/reactions.get?channel=C0ONCALL1&timestamp={ts}");
    let first = get(&handle, "slack", &reactions).await.json();
    assert_eq!(first["message"]["reactions"], Value::Null);
    advance(&handle, 31).await;
    let then = get(&handle, "slack", &reactions).await.json();
    assert_eq!(
        then["message"]["reactions"][0]["users"],
        json!(["U0MIRA001"])
    );
    assert_eq!(
        get(
            &handle,
            "slack",
            "/api/reactions.get?channel=nope&timestamp=1"
        )
        .await
        .json()["error"],
        "channel_not_found"
    );
    advance(&handle, 180).await;
    let open = get(&handle, "pagerduty", "/incidents?statuses[]=triggered")
        .await
        .json();
    let id = open["incidents"][0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "incident": { "type": "incident_reference", "status": "acknowledged" } })
        .to_string();
    let path = format!("PUT /incidents/{id}");
    let anonymous = ask(
        &handle,
        "pagerduty",
        &path,
        "Authorization: Token token=x\r\n",
        &body,
    )
    .await
    .unwrap();
    assert_eq!(anonymous.status, 400, "the From header is required");
    let acked = ask(&handle, "pagerduty", &path, PD, &body).await.unwrap();
    assert_eq!(acked.json()["incident"]["status"], "acknowledged");
    assert_eq!(
        acked.json()["incident"]["acknowledgements"][0]["acknowledger"]["summary"],
        "Ana Keller"
    );
    let critical = get(
        &handle,
        "alertmanager",
        "/api/v2/alerts?filter=alertname%3D%22ErrorRateHigh%22",
    )
    .await
    .json();
    assert_eq!(critical[0]["labels"]["service"], "checkout");
    assert_eq!(critical[0]["status"]["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendar_and_the_registry() {
    let handle = start("freeze").await;
    let before = get(&handle, "ics", "/releases.ics").await;
    assert!(
        before.body.starts_with("BEGIN:VCALENDAR\r\n")
            && before.body.ends_with("END:VCALENDAR\r\n")
    );
    assert!(before.body.lines().all(|line| line.len() <= 75));
    assert!(!before.body.contains("flash sale"));
    advance(&handle, 70).await;
    let after = get(&handle, "ics", "/releases.ics").await;
    assert!(after.body.contains("SUMMARY:FREEZE flash sale"));
    assert!(
        after
            .body
            .contains("DTSTART;TZID=Europe/Berlin:20261117T165000")
    );
    assert_ne!(before.header("etag"), after.header("etag"));
    let head = ask(
        &handle,
        "registry",
        "HEAD /v2/shop/checkout/manifests/2.13.4",
        "",
        "",
    )
    .await
    .unwrap();
    assert_eq!(head.status, 200);
    let digest = head.header("docker-content-digest").to_owned();
    let by_digest = get(
        &handle,
        "registry",
        &format!("/v2/shop/checkout/manifests/{digest}"),
    )
    .await;
    let sum = crate::demo::vendors::hex(&by_digest.body, 64);
    assert_eq!(digest, format!("sha256:{sum}"));
    assert_eq!(
        head.header("content-length"),
        by_digest.body.len().to_string()
    );
    let absent = get(&handle, "registry", "/v2/shop/checkout/manifests/9.9.9").await;
    assert_eq!(
        (absent.status, absent.json()["errors"][0]["code"].clone()),
        (404, json!("MANIFEST_UNKNOWN"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_prints_where_the_vendors_are() {
    let mut out = Vec::new();
    crate::demo::serve("happy", None, 1.0, false, &mut out, std::future::ready(()))
        .await
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 9);
    assert!(
        text.lines().all(|line| line.contains(" http://127.0.0.1:")),
        "{text}"
    );
}
