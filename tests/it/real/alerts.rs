//! Alerts of a real Alertmanager.

use std::time::Duration;

use super::alertmanager::RealAlertmanager;
use super::running::until;

#[test]
fn the_server_tells_firing_alerts_from_silenced_ones() {
    let Some(server) = RealAlertmanager::start("alerts") else {
        return;
    };
    server.fire("HighErrorRate", "checkout");
    server.fire("HighLatency", "search");
    server.silence("search");
    let state = |service: &str| {
        let alerts = server.alerts();
        let found = alerts
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["labels"]["service"] == service);
        found.map(|a| a["status"]["state"].as_str().unwrap().to_owned())
    };
    assert!(until(Duration::from_secs(20), || state("search")
        .as_deref()
        == Some("suppressed")));
    assert!(until(Duration::from_secs(20), || state("checkout")
        .as_deref()
        == Some("active")));
    assert!(server.url().ends_with(&server.port().to_string()));
}
