//! `cockpit backtest` on a real Prometheus that was filled with eight days: the planted regression trips once, nothing else does.

use serde_json::Value;

use super::flight::{Flight, watched};
use super::prometheus::RealPrometheus;
use super::world::{CANARY, REGRESSED};

fn backtest(flight: &Flight, words: &[&str]) -> (Value, i32) {
    let mut all = vec!["backtest", "--json"];
    all.extend(words);
    let (out, code) = flight.run(&all);
    let answer = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    (answer, code)
}

fn of<'a>(answer: &'a Value, service: &str, trigger: &str) -> &'a Value {
    let all = answer["triggers"].as_array().unwrap();
    all.iter()
        .find(|t| t["service"] == service && t["trigger"].as_str().unwrap().contains(trigger))
        .unwrap_or_else(|| panic!("{service} {trigger}: {answer:#}"))
}

#[test]
fn the_planted_regression_trips_once_and_the_quiet_services_never() {
    let Some(mut server) = RealPrometheus::start("backtest") else {
        return;
    };
    let flight = Flight::on(&server, &[REGRESSED, "search"], ("1.5x baseline", "30m"));
    let (answer, code) = backtest(&flight, &["--days", "1"]);
    assert_eq!(code, 0, "{answer:#}");
    let bad = of(&answer, REGRESSED, "1.5x");
    assert_eq!(bad["trips"], 1, "{bad:#}");
    // The journal knows of no rollback: the count says so, and is no percentage.
    assert_eq!(
        (&bad["confirmed"], &answer["not_confirmed"]),
        (&0.into(), &1.into())
    );
    let at = |key: &str| {
        chrono::DateTime::parse_from_rfc3339(bad["each"][0][key].as_str().unwrap())
            .unwrap()
            .timestamp()
    };
    let began = server.world.end - CANARY * 60;
    let after = (at("at") - began) / 60;
    assert!((15..=35).contains(&after), "{after} minutes: {bad:#}");
    let quiet = of(&answer, "search", "1.5x");
    assert_eq!(quiet["trips"], 0, "{quiet:#}");
    assert_eq!(quiet["minutes"], 1440);
    // With the deployment in the journal its watch begins there; and words say what JSON says.
    watched(&flight, server.world);
    let (answer, _) = backtest(&flight, &["--days", "1", "--release", "all-1"]);
    let bad = of(&answer, REGRESSED, "1.5x");
    assert_eq!(
        (&bad["deployed"], &bad["trips"]),
        (&1.into(), &1.into()),
        "{bad:#}"
    );
    let (out, code) = flight.run(&["backtest", "--days", "1", "--service", REGRESSED]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("1 trips in ") && text.contains("not confirmed"),
        "{text}"
    );
    assert!(!text.contains(" %"), "{text}");
    let (_, code) = flight.run(&["backtest", "--service", "nobody"]);
    assert_eq!(code, 64);
    // Where nothing can be read nothing is said.
    server.kill();
    let (out, code) = flight.run(&["backtest", "--days", "1"]);
    assert_eq!(code, 69, "{}", String::from_utf8_lossy(&out.stderr));
}
