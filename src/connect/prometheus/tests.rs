use std::collections::BTreeMap;

use super::*;
use crate::connect::fake::{Fake, Says, Seen};
use crate::connect::fake_native::open_native;
use crate::domain::policy::Setting;
use rstest::rstest;

fn driver(fake: &Fake) -> Prometheus {
    let settings = BTreeMap::from([("url".to_owned(), Setting::Text(fake.url()))]);
    let (connection, spec, context) = open_native("prometheus", settings, false).unwrap();
    Prometheus::new(&connection, &spec, &context).unwrap()
}

fn call(read: &str, args: &[(&str, &str)]) -> Call {
    Call {
        connection: "prom".into(),
        read: read.into(),
        args: args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        lookback: None,
    }
}

fn span(start: i64, end: i64, step: i64) -> Option<ReadSpan> {
    Some(ReadSpan {
        start: DateTime::from_timestamp(start, 0).unwrap(),
        end: DateTime::from_timestamp(end, 0).unwrap(),
        step: chrono::Duration::seconds(step),
    })
}

fn fields(seen: &Seen) -> BTreeMap<String, String> {
    let text = seen.path.split_once('?').map_or_else(
        || String::from_utf8_lossy(&seen.body).into_owned(),
        |(_, query)| query.to_owned(),
    );
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

/// A server of one counter that rises by one a bucket, refusing too many points as Prometheus does.
fn one_a_bucket(seen: &Seen) -> Says {
    let fields = fields(seen);
    let number = |name: &str| fields[name].parse::<i64>().unwrap();
    let (start, end, step) = (number("start"), number("end"), number("step"));
    if (end - start) / step + 1 > 11_000 {
        return Says::status(
            400,
            r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries"}"#,
        );
    }
    let values: Vec<_> = (start..=end)
        .step_by(step as usize)
        .map(|t| serde_json::json!([t, "1"]))
        .collect();
    Says::json(
        &serde_json::json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {"service": "a"}, "values": values}]}}),
    )
}

#[tokio::test]
async fn a_range_is_asked_in_buckets_and_answered_in_series() {
    let fake = Fake::start(one_a_bucket).await;
    let args = [("query", "increase(x[$bucket])")];
    let answer = driver(&fake)
        .read(&call("range", &args), span(600, 900, 60))
        .await
        .unwrap();
    let asked = fields(&fake.seen()[0]);
    assert_eq!(fake.seen()[0].method, "GET");
    assert_eq!(asked["query"], "increase(x[60s])");
    let Records::Series(series) = &answer.records else {
        panic!()
    };
    assert_eq!(series[0].points.len(), 6);
    assert_eq!(series[0].labels["service"], "a");
    assert_eq!(answer.newest.unwrap().timestamp(), 900);
    assert_eq!(answer.partial, None);
}

#[tokio::test]
async fn a_long_query_goes_as_a_form() {
    let fake = Fake::start(one_a_bucket).await;
    let long = format!("sum(x{{service=~\"{}\"}})", "service-name|".repeat(300));
    driver(&fake)
        .read(&call("range", &[("query", &long)]), span(0, 60, 60))
        .await
        .unwrap();
    assert_eq!(fake.seen()[0].method, "POST");
    assert_eq!(fields(&fake.seen()[0])["query"], long);
}

#[tokio::test]
async fn more_points_than_the_server_gives_are_asked_for_in_stretches() {
    let fake = Fake::start(one_a_bucket).await;
    let end = 60 * 25_000;
    let answer = driver(&fake)
        .read(&call("range", &[("query", "x")]), span(60, end, 60))
        .await
        .unwrap();
    assert_eq!(fake.seen().len(), 3);
    let Records::Series(series) = &answer.records else {
        panic!()
    };
    let times: Vec<_> = series[0].points.iter().map(|p| p.0).collect();
    assert_eq!(times, (1..=25_000).map(|i| i * 60).collect::<Vec<_>>());
    assert_eq!(answer.newest.unwrap().timestamp(), end);
}

#[tokio::test]
async fn columns_hold_the_whole_span_in_few_points() {
    let fake = Fake::start(one_a_bucket).await;
    let args = [("query", "x"), ("columns", "100"), ("fold", "sum")];
    let answer = driver(&fake)
        .read(&call("range", &args), span(60, 60 * 25_000, 60))
        .await
        .unwrap();
    let Records::Series(series) = &answer.records else {
        panic!()
    };
    assert_eq!(series[0].points.len(), 100);
    assert!(
        series[0]
            .points
            .iter()
            .all(|p| (p.1 - 250.0).abs() < f64::EPSILON)
    );
}

#[tokio::test]
async fn an_instant_is_asked_at_the_span_s_end_or_now() {
    let fake = Fake::always(Says::status(200, r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[90.5,"3"]}]}}"#)).await;
    let d = driver(&fake);
    let answer = d
        .read(&call("query", &[("query", "x")]), None)
        .await
        .unwrap();
    assert_eq!(answer.newest.unwrap().timestamp(), 90);
    assert!(!fields(&fake.seen()[0]).contains_key("time"));
    d.read(&call("query", &[("query", "x[$bucket]")]), span(0, 90, 30))
        .await
        .unwrap();
    assert_eq!(fields(&fake.seen()[1])["time"], "90");
    assert_eq!(fields(&fake.seen()[1])["query"], "x[30s]");
}

#[rstest]
#[case(400, "bad_data", FaultKind::Refused)]
#[case(422, "execution", FaultKind::Refused)]
#[case(503, "timeout", FaultKind::Timeout)]
#[case(500, "internal", FaultKind::Server)]
#[case(401, "unauthorized", FaultKind::Unauthorized)]
#[case(200, "bad_data", FaultKind::Refused)]
#[tokio::test]
async fn the_vendors_words_are_in_the_fault(
    #[case] status: u16,
    #[case] kind: &str,
    #[case] is: FaultKind,
) {
    let body =
        format!(r#"{{"status":"error","errorType":"{kind}","error":"1:5: parse error\u001b[2J"}}"#);
    let fake = Fake::always(Says::status(status, body)).await;
    let fault = driver(&fake)
        .read(&call("query", &[("query", "x(")]), None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, is);
    assert!(
        fault.what.ends_with(&format!("{kind}: 1:5: parse error")),
        "{}",
        fault.what
    );
    assert!(!fault.hint.is_empty());
}

#[rstest]
#[case("range", &[("query", "x")], None)]
#[case("range", &[], Some((0, 60)))]
#[case("range", &[("query", "  ")], Some((0, 60)))]
#[case("range", &[("query", "x")], Some((60, 0)))]
#[case("range", &[("query", "x"), ("columns", "0")], Some((0, 60)))]
#[case("range", &[("query", "x"), ("columns", "9"), ("fold", "median")], Some((0, 60)))]
#[case("labels", &[("query", "x")], None)]
#[tokio::test]
async fn a_read_that_cannot_be_made_is_refused_before_it_is_sent(
    #[case] read: &str,
    #[case] args: &[(&str, &str)],
    #[case] over: Option<(i64, i64)>,
) {
    let fake = Fake::start(one_a_bucket).await;
    let over = over.and_then(|(start, end)| span(start, end, 60));
    let fault = driver(&fake)
        .read(&call(read, args), over)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Config);
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn a_login_page_is_no_answer() {
    let fake = Fake::always(Says::status(200, "<html>Please log in</html>")).await;
    let fault = driver(&fake)
        .read(&call("query", &[("query", "x")]), None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::BadShape);
}

#[rstest]
#[case(
    r#"{"status":"success","data":{"version":"2.53.3"}}"#,
    "Prometheus API 2.53.3 on 127.0.0.1"
)]
#[case(
    r#"{"status":"success","data":{"application":"Grafana Mimir","version":"2.14"}}"#,
    "Grafana Mimir 2.14 on 127.0.0.1"
)]
#[tokio::test]
async fn health_names_the_version(#[case] body: &str, #[case] says: &str) {
    let fake = Fake::always(Says::status(200, body)).await;
    assert_eq!(driver(&fake).health().await.unwrap(), says);
}

#[tokio::test]
async fn health_without_a_build_page_asks_a_query() {
    let fake = Fake::start(|seen| {
        if seen.path.contains("buildinfo") {
            Says::status(404, "404 page not found")
        } else {
            Says::status(
                200,
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#,
            )
        }
    })
    .await;
    assert!(
        driver(&fake)
            .health()
            .await
            .unwrap()
            .starts_with("answers queries")
    );
    let broken = Fake::always(Says::status(404, "nothing")).await;
    assert_eq!(
        driver(&broken).health().await.unwrap_err().kind,
        FaultKind::NotFound
    );
    let closed = Fake::always(Says::status(401, "who?")).await;
    assert_eq!(
        driver(&closed).health().await.unwrap_err().kind,
        FaultKind::Unauthorized
    );
}
