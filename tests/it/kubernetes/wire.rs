//! What a server may answer, and that the driver tells it apart and never takes it for an empty cluster.

use cockpit::connect::driver::Driver;
use cockpit::domain::observe::FaultKind;
use serde_json::json;

use super::cluster::Cluster;
use super::{Hand, TOKEN, call, canary, driver, open, record, spec};
use crate::fake::{Fake, Says};

async fn fault_of(says: Says) -> (FaultKind, String) {
    let fake = Fake::always(says).await;
    let url = fake.url();
    let settings = [
        ("url", url.as_str()),
        ("token", TOKEN),
        ("namespace", "shop"),
    ];
    let k8s = driver(&spec(), &settings, Hand::new()).unwrap();
    let fault = k8s.read(&call(), None).await.unwrap_err();
    let text = fault.to_string();
    assert!(text.starts_with("Kubernetes (k8s): "), "{text}");
    assert!(!text.contains(TOKEN) && !text.contains('\u{1b}'), "{text}");
    (fault.kind, text)
}

#[tokio::test]
async fn hard_answers_are_told_apart() {
    let status = |code: u16| {
        Says::status(
            code,
            format!("{{\"kind\":\"Status\",\"message\":\"no \\u001b[2Jway, {TOKEN}\"}}"),
        )
    };
    let cases = [
        (status(401), FaultKind::Unauthorized),
        (status(403), FaultKind::Unauthorized),
        (status(500), FaultKind::Server),
        (
            status(429).with("retry-after", "90"),
            FaultKind::RateLimited,
        ),
        (Says::Silence, FaultKind::Timeout),
        (Says::Close, FaultKind::Unreachable),
        (
            Says::Cut(b"{\"kind\":\"List\",\"items\":[".to_vec()),
            FaultKind::Unreachable,
        ),
        (Says::status(200, vec![b' '; 80_000]), FaultKind::TooLarge),
    ];
    for (says, kind) in cases {
        let (got, text) = fault_of(says.clone()).await;
        assert_eq!(got, kind, "{says:?}: {text}");
    }
    for body in [
        "\"text\"",
        "42",
        "{}",
        "[1]",
        "null",
        "",
        "{\"items\":[]}",
        "{\"kind\":\"PodList\",\"items\":{}}",
        "{\"kind\":\"List\",\"items\":[{}]}",
        "{\"kind\":\"List\",\"items\":[4]}",
        "<html>login</html>",
        "{\"a\":",
    ] {
        let (got, text) = fault_of(Says::status(200, body)).await;
        assert_eq!(got, FaultKind::BadShape, "{body}: {text}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_quiet_is_left_alone() {
    let fake = Fake::always(Says::status(429, "").with("retry-after", "90")).await;
    let url = fake.url();
    let k8s = driver(&spec(), &[("url", &url), ("token", TOKEN)], Hand::new()).unwrap();
    assert!(
        k8s.read(&call(), None)
            .await
            .unwrap_err()
            .retry_at
            .is_some()
    );
    let again = k8s.read(&call(), None).await.unwrap_err();
    assert_eq!(again.kind, FaultKind::RateLimited);
    assert_eq!(fake.seen().len(), 1);
    assert_eq!(
        fake.seen()[0].header("authorization"),
        Some(format!("Bearer {TOKEN}").as_str())
    );
}

#[tokio::test]
async fn hostile_text_is_tame_when_it_arrives() {
    let cluster = Cluster::start().await;
    canary(&cluster);
    let mut rollout = cluster.get("rollouts", "checkout");
    rollout["status"]["message"] =
        format!("\u{1b}]0;owned\u{7}a\u{202e}b {}", "x".repeat(5000)).into();
    rollout["metadata"]["annotations"]["cockpit/intents"] =
        json!([{ "id": "\u{1b}[2Jact" }]).to_string().into();
    rollout["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] =
        "evil\u{202e}\n:x".into();
    cluster.put("rollouts", rollout);
    let live = record(&open(&cluster), "checkout").await;
    let text = format!("{live:?}");
    assert!(
        !text.contains("\\u{1b}") && !text.contains("\\u{202e}") && !text.contains("\\n"),
        "{text}"
    );
    assert!(live.message.unwrap().chars().count() <= 500);
}
