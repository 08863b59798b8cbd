//! The Prometheus driver on a real Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use cockpit::connect::Connections;
use cockpit::connect::driver::ReadSpan;
use cockpit::domain::observe::{Answer, Fault, FaultKind};
use cockpit::domain::record::{Records, Series};
use serde_json::Value;

use super::http;
use super::prometheus::RealPrometheus;
use super::running::until;
use super::world::{REGRESSED, SERVICES};
use super::{call, connections};

const ERRORS: &str =
    r#"sum by (service, track) (increase(http_requests_total{code="500"}[$bucket]))"#;

fn open(server: &RealPrometheus) -> Connections {
    connections(&[("prom", "prometheus", &[("url", &server.url())])])
}

fn span(start: i64, end: i64, step: i64) -> Option<ReadSpan> {
    let at = |seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap();
    Some(ReadSpan {
        start: at(start),
        end: at(end),
        step: chrono::Duration::seconds(step),
    })
}

fn series(answer: Answer) -> Vec<Series> {
    match answer.records {
        Records::Series(series) => series,
        other => panic!("{other:?}"),
    }
}

/// What a plain parse into a tree of values makes of the server's own answer.
fn plainly(answer: &Value) -> Vec<Series> {
    let mut all: Vec<Series> = answer["data"]["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| Series {
            labels: serde_json::from_value(one["metric"].clone()).unwrap(),
            points: one["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| {
                    (
                        pair[0].as_i64().unwrap(),
                        pair[1].as_str().unwrap().parse::<f64>().unwrap(),
                    )
                })
                .filter(|point| point.1.is_finite())
                .collect(),
        })
        .collect();
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all
}

#[tokio::test]
async fn folding_equals_what_a_plain_parse_of_the_same_answer_gives() {
    let Some(server) = RealPrometheus::shared("folding") else {
        return;
    };
    let (start, end) = (server.world.end - 6 * 3600, server.world.end);
    let queries = [
        ERRORS.replace("$bucket", "60s"),
        // NaN wherever nothing was asked, infinity wherever nothing succeeded.
        r#"http_requests_total{code="500"} / (http_requests_total{code="500"} - 1 > -1) * 0 / 0"#
            .to_owned(),
        r#"sum by (service) (http_requests_total{code="500"}) / 0"#.to_owned(),
        "http_request_p95_seconds".to_owned(),
        "no_such_metric".to_owned(),
    ];
    let connections = open(&server);
    for query in queries {
        let said = http::json(
            server.port(),
            "/api/v1/query_range",
            &[
                ("query", &query),
                ("start", &start.to_string()),
                ("end", &end.to_string()),
                ("step", "60"),
            ],
        );
        let answer = connections
            .read(
                &call("prom", "range", &[("query", &query)]),
                span(start, end, 60),
            )
            .await
            .unwrap();
        let want = plainly(&said);
        let newest = want.iter().flat_map(|s| &s.points).map(|p| p.0).max();
        assert_eq!(answer.newest.map(|at| at.timestamp()), newest, "{query}");
        assert_eq!(answer.partial, None);
        assert_eq!(series(answer), want, "{query}");
    }
}

#[tokio::test]
async fn the_regressed_service_alone_stands_out() {
    let Some(server) = RealPrometheus::shared("regression") else {
        return;
    };
    let end = server.world.end;
    let connections = open(&server);
    let mut sums: BTreeMap<(String, String, bool), f64> = BTreeMap::new();
    for (failed, query) in [
        (true, ERRORS),
        (
            false,
            r"sum by (service, track) (increase(http_requests_total[$bucket]))",
        ),
    ] {
        let query = query.replace("$bucket", "2m");
        let answer = connections
            .read(
                &call("prom", "range", &[("query", &query)]),
                span(end - 1740, end, 60),
            )
            .await
            .unwrap();
        for one in series(answer) {
            let key = (
                one.labels["service"].clone(),
                one.labels["track"].clone(),
                failed,
            );
            sums.insert(key, one.points.iter().map(|p| p.1).sum());
        }
    }
    let rate = |service: &str, track: &str| {
        let sum = |failed| sums[&(service.to_owned(), track.to_owned(), failed)];
        sum(true) / sum(false)
    };
    for service in SERVICES {
        let ratio = rate(service, "canary") / rate(service, "stable");
        assert_eq!(ratio > 2.0, service == REGRESSED, "{service}: {ratio}");
        let exact = server.world.risen(service, "canary", "500", 30) as f64
            / (server.world.risen(service, "canary", "500", 30)
                + server.world.risen(service, "canary", "200", 30)) as f64;
        assert!(
            (rate(service, "canary") - exact).abs() / exact < 0.1,
            "{service}"
        );
    }
}

#[tokio::test]
async fn a_query_kept_to_some_services_answers_as_the_whole_one_does_of_them() {
    let Some(server) = RealPrometheus::shared("some services") else {
        return;
    };
    let (start, end) = (server.world.end - 3600, server.world.end);
    let connections = open(&server);
    let list = r#"["checkout","pay\"ments$1","search"]"#;
    for query in [
        ERRORS,
        "sum(increase(http_requests_total[$bucket])) # of all",
    ] {
        let read = |args: Vec<(&'static str, &'static str)>| {
            let mut all = vec![("query", query)];
            all.extend(args);
            let call = call("prom", "range", &all);
            let connections = &connections;
            async move { series(connections.read(&call, span(start, end, 60)).await.unwrap()) }
        };
        let some = read(vec![("only", list), ("only_label", "service")]).await;
        let mut want = read(Vec::new()).await;
        want.retain(|s| {
            let service = s.labels.get("service");
            service.is_none_or(|s| s == "checkout" || s == "search")
        });
        assert!(!want.is_empty());
        assert_eq!(some, want, "{query}");
    }
}

#[tokio::test]
async fn eight_days_are_more_points_than_the_server_gives_at_once() {
    let Some(server) = RealPrometheus::shared("many points") else {
        return;
    };
    let (start, end) = (server.world.start(), server.world.end);
    let query =
        format!("http_requests_total{{service=\"{REGRESSED}\",track=\"stable\",code=\"200\"}}");
    let encoded = url::form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>();
    let path = format!("/api/v1/query_range?query={encoded}&start={start}&end={end}&step=60");
    let (status, _) = http::request(server.port(), "GET", &path, "").unwrap();
    assert_eq!(status, 400, "the server itself refuses so many");
    let answer = open(&server)
        .read(
            &call("prom", "range", &[("query", &query)]),
            span(start, end, 60),
        )
        .await
        .unwrap();
    let all = series(answer);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].points.len(), 8 * 24 * 60);
    assert!(
        all[0].points.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1),
        "a counter in order of time"
    );
    let total = server.world.risen(REGRESSED, "stable", "200", 8 * 24 * 60);
    assert_eq!(all[0].points.last(), Some(&(end, total as f64)));
}

#[tokio::test]
async fn columns_of_eight_days_hold_every_request() {
    let Some(server) = RealPrometheus::shared("columns") else {
        return;
    };
    let (start, end) = (server.world.end - 24 * 3600, server.world.end);
    let query = "sum(http_request_p95_seconds)";
    let connections = open(&server);
    let whole = series(
        connections
            .read(
                &call("prom", "range", &[("query", query)]),
                span(start, end, 60),
            )
            .await
            .unwrap(),
    );
    let args = [("query", query), ("columns", "120"), ("fold", "sum")];
    let folded = series(
        connections
            .read(&call("prom", "range", &args), span(start, end, 60))
            .await
            .unwrap(),
    );
    let sum = |list: &[Series]| list[0].points.iter().map(|p| p.1).sum::<f64>();
    assert!(folded[0].points.len() <= 120);
    assert!((sum(&whole) - sum(&folded)).abs() < 1e-6);
}

#[tokio::test]
async fn a_bad_query_comes_back_with_the_server_s_words() {
    let Some(server) = RealPrometheus::shared("bad query") else {
        return;
    };
    let fault = open(&server)
        .read(
            &call("prom", "query", &[("query", "sum(http_requests_total")]),
            None,
        )
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.what.contains("HTTP 400: bad_data") && fault.what.contains("parse error"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_killed_server_is_unreachable_and_comes_back_by_itself() {
    let Some(mut server) = RealPrometheus::start("kill and restart") else {
        return;
    };
    let connections = open(&server);
    let one = call("prom", "query", &[("query", "vector(1)")]);
    assert!(
        connections
            .health("prom")
            .await
            .unwrap()
            .contains("Prometheus")
    );
    assert_eq!(series(connections.read(&one, None).await.unwrap()).len(), 1);
    server.kill();
    let fault: Fault = connections.read(&one, None).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    assert_eq!(
        connections.health("prom").await.unwrap_err().kind,
        FaultKind::Unreachable
    );
    server.restart();
    assert!(until(Duration::from_secs(30), || http::answers(
        server.port(),
        "/-/ready"
    )));
    assert_eq!(series(connections.read(&one, None).await.unwrap()).len(), 1);
}
