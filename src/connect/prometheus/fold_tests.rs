use super::*;
use crate::connect::prometheus::sink::{Columns, Fold, Grid};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

type Points = Vec<(i64, f64)>;

fn points(body: &str) -> Result<Folded<Points>, Unfit> {
    fold(body.as_bytes(), &Vec::new())
}

#[test]
fn a_matrix_becomes_series_without_nan_and_infinity() {
    let folded = points(
        r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"service":"a","track":"c\u0061nary"},"values":[[60,"1"],[120.5,"2.5e3"],[180,"NaN"],[240,"+Inf"],[300,"-Inf"]]},
            {"metric":{"service":"b"},"values":[[60,"0"]],"histograms":[[60,{"count":"3"}]]}]}}"#,
    )
    .unwrap();
    let all: Vec<_> = folded.series.iter().collect();
    assert_eq!(all[0].0["track"], "canary");
    assert_eq!(all[0].1, &[(60, 1.0), (120, 2500.0)]);
    assert_eq!(all[1].1, &[(60, 0.0)]);
    assert_eq!(folded.newest, Some(120));
    assert_eq!(folded.partial, None);
}

#[test]
fn the_newest_of_a_series_that_stopped_is_where_it_stopped() {
    let folded = points(
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[60,"1"],[120,"NaN"]]}]}}"#,
    );
    assert_eq!(folded.unwrap().newest, Some(60));
}

#[rstest]
#[case::vector(r#"[{"metric":{},"value":[1700000000.123,"7"]}]"#)]
#[case::scalar(r#"[1700000000.123,"7"]"#)]
#[case::scalar_at_a_whole_second(r#"[1700000000,"7"]"#)]
fn instant_answers_are_one_point(#[case] result: &str) {
    let body = format!(r#"{{"data":{{"result":{result},"resultType":"x"}},"status":"success"}}"#);
    let folded = points(&body).unwrap();
    assert_eq!(
        folded.series.values().next().unwrap(),
        &[(1_700_000_000, 7.0)]
    );
}

#[test]
fn an_empty_result_is_an_answer_without_a_newest_time() {
    for result in ["[]", "null"] {
        let body =
            format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":{result}}}}}"#);
        let folded = points(&body).unwrap();
        assert!(folded.series.is_empty() && folded.newest.is_none());
    }
}

#[rstest]
#[case(r#""warnings":["exceeded \u001b[31mlimit"]"#, "exceeded limit")]
#[case(r#""isPartial":true"#, "the server says that the answer is partial")]
#[case(
    r#""warnings":["a","b","c","d","e"],"isPartial":true"#,
    "the server says that the answer is partial; a; b; c; and 2 more"
)]
fn what_the_server_warns_of_makes_the_answer_partial(#[case] field: &str, #[case] says: &str) {
    let body = format!(r#"{{"status":"success","data":{{"result":[]}},{field}}}"#);
    assert_eq!(points(&body).unwrap().partial.as_deref(), Some(says));
}

#[test]
fn a_false_partial_mark_and_null_notes_are_whole() {
    let body = r#"{"status":"success","isPartial":false,"warnings":null,"data":{"result":[]}}"#;
    assert_eq!(points(body).unwrap().partial, None);
}

#[test]
fn what_the_server_remarks_on_the_query_leaves_the_answer_whole() {
    let body = r#"{"status":"success","infos":["PromQL info: metric might not be a counter"],"data":{"result":[]}}"#;
    assert_eq!(points(body).unwrap().partial, None);
}

#[test]
fn an_error_brings_the_vendors_words() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected\u0007 \")\"","data":null}"#;
    let want = (
        "bad_data".to_owned(),
        "parse error: unexpected \")\"".to_owned(),
    );
    assert_eq!(vendor_error(body.as_bytes()), Some(want.clone()));
    assert_eq!(
        points(body),
        Err(Unfit::Vendor {
            kind: want.0,
            message: want.1
        })
    );
    assert_eq!(vendor_error(b"<html>gateway</html>"), None);
}

#[rstest]
#[case("")]
#[case("[]")]
#[case("null")]
#[case("<html>")]
#[case(r#"{"status":"success"}"#)]
#[case(r#"{"status":"success","data":{}}"#)]
#[case(r#"{"status":"maybe","data":{"result":[]}}"#)]
#[case(r#"{"status":"success","data":{"result":[{}]}}"#)]
#[case(r#"{"status":"success","data":{"result":[{"metric":{}}]}}"#)]
#[case(r#"{"status":"success","data":{"result":[{"metric":{},"values":[[60]]}]}}"#)]
#[case(r#"{"status":"success","data":{"result":[{"metric":{},"values":[["60","1"]]}]}}"#)]
#[case(r#"{"status":"success","data":{"result":[{"metric":{},"values":[[60,"many"]]}]}}"#)]
#[case(r#"{"status":"success","data":{"result":[{"metric":{},"values":[[60,"1",2]]}]}}"#)]
#[case(r#"{"status":"success","data":{"result":[60]}}"#)]
#[case(r#"{"status":"success","data":{"result":[]}} trailing"#)]
fn another_shape_is_said_to_be_one(#[case] body: &str) {
    assert!(
        matches!(points(body), Err(Unfit::Shape(words)) if !words.is_empty()),
        "{body}"
    );
}

#[test]
fn series_with_the_same_labels_are_one_and_stay_in_order() {
    let folded = points(
        r#"{"status":"success","data":{"result":[{"metric":{"a":"b"},"values":[[120,"2"]]},{"metric":{"a":"b"},"values":[[60,"1"]]}]}}"#,
    )
    .unwrap();
    assert_eq!(
        folded.series.into_values().collect::<Vec<_>>(),
        [vec![(60, 1.0), (120, 2.0)]]
    );
}

#[test]
fn times_outside_the_calendar_are_left_out() {
    let folded = points(
        r#"{"status":"success","data":{"result":[{"metric":{},"values":[[-5,"1"],[1e300,"1"],[60,"1"]]}]}}"#,
    );
    assert_eq!(folded.unwrap().newest, Some(60));
}

/// What a plain parse into a tree of values gives, the slow way.
fn plainly(body: &serde_json::Value) -> BTreeMap<Labels, Points> {
    let mut all = BTreeMap::new();
    for series in body["data"]["result"].as_array().unwrap() {
        let labels: Labels = serde_json::from_value(series["metric"].clone()).unwrap();
        let points = series["values"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|pair| {
                let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
                value
                    .is_finite()
                    .then(|| (pair[0].as_i64().unwrap(), value))
            });
        all.insert(labels, points.collect());
    }
    all
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let word = prop_oneof![
        Just("status"),
        Just("success"),
        Just("error"),
        Just("errorType"),
        Just("data"),
        Just("result"),
        Just("metric"),
        Just("values"),
        Just("value"),
        Just("warnings"),
        Just("infos"),
        Just("isPartial"),
        Just("NaN"),
        Just("1"),
        Just("histograms"),
    ]
    .prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        word.clone().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(word.clone(), inner, 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

fn value_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => any::<f64>().prop_map(|v| v.to_string()),
        1 => prop_oneof![Just("NaN"), Just("+Inf"), Just("-Inf")].prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn arbitrary_json_never_panics(body in any_json()) {
        let text = body.to_string();
        let _ = points(&text);
        let _ = fold(text.as_bytes(), &Columns::new(Grid::over(0, 600, 60, 3)));
    }

    #[test]
    fn arbitrary_data_inside_an_envelope_never_panics(data in any_json(), cut in 0_usize..400) {
        let text = json!({"status": "success", "data": {"result": data}}).to_string();
        let _ = points(&text);
        let _ = fold(text.as_bytes().get(..cut).unwrap_or(text.as_bytes()), &Points::new());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = fold(&bytes, &Points::new());
    }

    #[test]
    fn folding_equals_a_plain_parse(rows in prop::collection::btree_map("[a-z]{1,6}", prop::collection::vec(value_text(), 0..20), 0..6)) {
        let result: Vec<_> = rows.iter().map(|(name, values)| {
            let values: Vec<_> = values.iter().enumerate().map(|(i, v)| json!([60 * (i + 1), v])).collect();
            json!({"metric": {"service": name}, "values": values})
        }).collect();
        let body = json!({"status": "success", "data": {"resultType": "matrix", "result": result}});
        let folded = points(&body.to_string()).unwrap();
        prop_assert_eq!(folded.series, plainly(&body));
    }

    #[test]
    fn columns_lose_no_increment(values in prop::collection::vec(0_u32..1000, 1..200), columns in 1_usize..40) {
        let pairs: Vec<_> = values.iter().enumerate().map(|(i, v)| json!([60 * (i + 1), v.to_string()])).collect();
        let body = json!({"status": "success", "data": {"result": [{"metric": {}, "values": pairs}]}}).to_string();
        let grid = Grid::over(60, 60 * i64::try_from(values.len()).unwrap(), 60, columns);
        let folded = fold(body.as_bytes(), &Columns::new(grid)).unwrap();
        let points = folded.series.values().next().unwrap().points(Fold::Sum);
        prop_assert!(points.len() <= columns);
        prop_assert_eq!(points.iter().map(|p| p.1).sum::<f64>(), values.iter().map(|v| f64::from(*v)).sum::<f64>());
        prop_assert_eq!(folded.newest, Some(60 * i64::try_from(values.len()).unwrap()));
    }
}
