//! `cockpit gate` on a real Prometheus: its exit code is the verdict, and it waits no longer than it must.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::flight::{Flight, watched};
use super::prometheus::RealPrometheus;
use super::world::REGRESSED;

fn gate(flight: &Flight, wait: &str) -> (Value, i32, Duration) {
    let begun = Instant::now();
    let (out, code) = flight.run(&["gate", "all-1", "--json", "--wait", wait]);
    let answer = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    (answer, code, begun.elapsed())
}

#[test]
fn the_exit_code_is_the_verdict_and_a_decided_gate_is_not_waited_for() {
    let Some(server) = RealPrometheus::start("gate") else {
        return;
    };
    let bad = Flight::on(&server, &[REGRESSED, "search"], ("2x baseline", "5m"));
    // Nothing was deployed yet: no gate looks.
    let planned = Flight::on(&server, &["search"], ("2x baseline", "5m"));
    planned.nothing_deployed();
    let (answer, code, _) = gate(&planned, "3s");
    assert_eq!(code, 3, "{answer:#}");
    // It begins as it is first seen: a minute of data decides nothing.
    let fresh = Flight::on(&server, &["search"], ("2x baseline", "5m"));
    let (answer, code, took) = gate(&fresh, "3s");
    assert_eq!(
        (code, &answer["verdict"]["verdict"]),
        (2, &"undecided".into()),
        "{answer:#}"
    );
    assert!(took >= Duration::from_secs(3), "{took:?}");
    watched(&bad, server.world);
    let (answer, code, took) = gate(&bad, "10m");
    assert_eq!(
        (code, &answer["verdict"]["verdict"]),
        (1, &"fail".into()),
        "{answer:#}"
    );
    assert!(took < Duration::from_secs(300), "{took:?}");
    drop(server);
    // What a server has ends when it was started: where the machine was too busy to ask in time, a fresh one is asked again.
    let mut passed = None;
    for _ in 0..4 {
        let Some(server) = RealPrometheus::start("gate") else {
            return;
        };
        let good = Flight::on(&server, &["search", "orders"], ("2x baseline", "5m"));
        watched(&good, server.world);
        let (answer, code, _) = gate(&good, "60s");
        assert_ne!(code, 1, "{answer:#}");
        if code == 0 {
            assert_eq!(answer["verdict"]["verdict"], "pass", "{answer:#}");
            passed = Some(server);
            break;
        }
    }
    let mut server = passed.expect("a good canary passes");
    // A dead server decides nothing, and the wait is kept.
    server.kill();
    let dark = Flight::on(&server, &["search"], ("2x baseline", "5m"));
    watched(&dark, server.world);
    let (answer, code, took) = gate(&dark, "4s");
    assert!((2..=3).contains(&code), "{answer:#}");
    assert_ne!(answer["verdict"]["verdict"], "pass");
    assert!(took >= Duration::from_secs(4), "{took:?}");
}
