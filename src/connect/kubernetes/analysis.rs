//! What an AnalysisRun says, and what it cannot say: Argo Rollouts calls a metric successful that was never measured or never
//! could have failed.

use serde_json::{Value, json};

use super::shape::{list, number, text};
use crate::domain::text::clean;

/// Most metrics of one run that are told.
const MOST: usize = 20;
/// Providers whose measurement fails by itself, without a condition.
const JUDGES: [&str; 3] = ["job", "kayenta", "plugin"];

/// The run as a record's `analysis` entry.
#[must_use]
pub fn record(run: &Value) -> Value {
    let specs = {
        let own = list(run, "/spec/metrics");
        if own.is_empty() {
            list(run, "/spec/analysisSpec/metrics")
        } else {
            own
        }
    };
    let results = list(run, "/status/metricResults");
    let metrics: Vec<Value> = specs
        .iter()
        .take(MOST)
        .map(|spec| {
            let name = text(spec, "/name").unwrap_or("without a name");
            let result = results.iter().find(|r| text(r, "/name") == Some(name));
            json!({
                "name": name,
                "state": result.and_then(|r| text(r, "/phase")).unwrap_or("not begun").to_lowercase(),
                "measurements": result.map_or(0, measured),
                "doubt": doubt(spec, result),
            })
        })
        .collect();
    json!({
        "name": text(run, "/metadata/name").unwrap_or_default(),
        "state": text(run, "/status/phase").unwrap_or("unknown").to_lowercase(),
        "message": text(run, "/status/message"),
        "metrics": metrics,
    })
}

/// Measurements that came to an end, whatever they said.
fn measured(result: &Value) -> i64 {
    let sum = ["successful", "failed", "inconclusive", "error"]
        .iter()
        .filter_map(|key| number(result, &format!("/{key}")))
        .fold(0i64, i64::saturating_add);
    sum.max(number(result, "/count").unwrap_or(0)).max(0)
}

/// Why what a metric says proves nothing; `None` where it does.
fn doubt(spec: &Value, result: Option<&Value>) -> Option<String> {
    let provider = spec.get("provider").and_then(Value::as_object);
    let judges = provider.is_some_and(|p| p.keys().any(|k| JUDGES.contains(&k.as_str())));
    let conditions: Vec<&str> = ["/failureCondition", "/successCondition"]
        .iter()
        .filter_map(|p| text(spec, p).map(str::trim))
        .filter(|c| !c.is_empty())
        .collect();
    let phase = result.and_then(|r| text(r, "/phase")).unwrap_or_default();
    let mut found = Vec::new();
    if phase == "Successful" && result.is_none_or(|r| measured(r) == 0) {
        found.push("successful with 0 measurements".to_owned());
    }
    if !judges && conditions.is_empty() {
        found.push("it has no condition: it cannot fail".to_owned());
    } else if !judges && !conditions.iter().any(|c| looks(c)) {
        let said = clean(&conditions.join(", "), 80);
        found.push(format!(
            "its condition ({said}) never looks at the result: it proves nothing"
        ));
    }
    if result.is_some_and(|r| r.get("dryRun") == Some(&Value::Bool(true))) {
        found.push("it runs dry: it decides nothing".to_owned());
    }
    if phase == "Successful"
        && result.and_then(|r| text(r, "/message")) == Some("metric terminated")
    {
        found.push("it was ended from outside while it measured".to_owned());
    }
    let count = whole(spec.get("count"));
    match (whole(spec.get("failureLimit")), count) {
        (Some(limit), _) if limit < 0 => {
            found.push("its failureLimit is off: it cannot fail".to_owned());
        }
        (Some(limit), Some(count)) if limit >= count && count > 0 => found.push(format!(
            "its failureLimit {limit} is never passed in {count} measurements: it cannot fail"
        )),
        _ => {}
    }
    (!found.is_empty()).then(|| found.join("; "))
}

/// Does a condition look at what was measured? Argo Rollouts gives it as `result`; without it the answer is always the same.
fn looks(condition: &str) -> bool {
    condition
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| word == "result")
}

/// A number, or a text of digits (Kubernetes' int-or-string).
fn whole(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The sentences that name what proves nothing.
#[must_use]
pub fn doubts(records: &[Value]) -> Vec<String> {
    records
        .iter()
        .flat_map(|run| list(run, "/metrics"))
        .filter_map(|m| {
            let (name, doubt) = (text(m, "/name")?, text(m, "/doubt")?);
            Some(format!("analysis {name}: {doubt}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use rstest::rstest;

    fn run(spec: Value, result: Value) -> Value {
        let mut spec = spec;
        spec["name"] = "error-rate".into();
        let mut result = result;
        result["name"] = "error-rate".into();
        record(
            &json!({"metadata": {"name": "r"}, "spec": {"metrics": [spec]},
            "status": {"phase": "Successful", "metricResults": [result]}}),
        )
    }

    #[rstest]
    #[case(json!({"successCondition": "result < 1"}), json!({"phase": "Successful"}), Some("successful with 0 measurements"))]
    #[case(json!({"provider": {"prometheus": {}}}), json!({"phase": "Successful", "count": 3, "successful": 3}), Some("it has no condition: it cannot fail"))]
    #[case(json!({"provider": {"job": {}}}), json!({"phase": "Successful", "successful": 1}), None)]
    #[case(json!({"successCondition": "true"}), json!({"phase": "Successful", "successful": 3}), Some("its condition (true) never looks at the result: it proves nothing"))]
    #[case(json!({"successCondition": " 1 == 1 ", "failureCondition": "results > 2"}), json!({"phase": "Successful", "successful": 3}), Some("its condition (results > 2, 1 == 1) never looks at the result: it proves nothing"))]
    #[case(json!({"successCondition": " ", "failureCondition": ""}), json!({"phase": "Successful", "successful": 3}), Some("it has no condition: it cannot fail"))]
    #[case(json!({"successCondition": "true", "failureCondition": "result[0] > 2"}), json!({"phase": "Successful", "successful": 3}), None)]
    #[case(json!({"failureCondition": "result > 1", "count": "3", "failureLimit": 3}), json!({"phase": "Running", "failed": 1}), Some("its failureLimit 3 is never passed in 3 measurements: it cannot fail"))]
    #[case(json!({"failureCondition": "result > 1", "failureLimit": -1}), json!({"phase": "Running", "failed": 1}), Some("its failureLimit is off: it cannot fail"))]
    #[case(json!({"failureCondition": "result > 1"}), json!({"phase": "Successful", "successful": 2, "dryRun": true}), Some("it runs dry: it decides nothing"))]
    #[case(json!({"failureCondition": "result > 1", "count": 5, "failureLimit": 2}), json!({"phase": "Successful", "successful": 5}), None)]
    fn a_metric_that_proves_nothing_is_named(
        #[case] spec: Value,
        #[case] result: Value,
        #[case] doubt: Option<&str>,
    ) {
        let record = run(spec, result);
        assert_eq!(text(&record["metrics"][0], "/doubt"), doubt, "{record}");
        let said = doubts(&[record]);
        assert_eq!(
            said.first().map(String::as_str),
            doubt
                .map(|d| format!("analysis error-rate: {d}"))
                .as_deref()
        );
    }

    #[test]
    fn a_run_without_a_status_is_unknown() {
        let record = record(
            &json!({"metadata": {"name": "r"}, "spec": {"metrics": [{"name": "m", "failureCondition": "result > 1"}]}}),
        );
        assert_eq!(
            (&record["state"], &record["metrics"][0]["state"]),
            (&json!("unknown"), &json!("not begun"))
        );
    }
}
