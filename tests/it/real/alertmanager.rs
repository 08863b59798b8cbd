//! A real Alertmanager, told of alerts and silences over its own API.

use std::process::Command;

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use super::running::Running;
use super::{http, program};

/// A running Alertmanager that belongs to no cluster.
pub struct RealAlertmanager {
    server: Running,
    _folder: tempfile::TempDir,
}

impl RealAlertmanager {
    /// An empty one; `None` (and said) where it is not installed.
    pub fn start(test: &str) -> Option<Self> {
        let program = program(test, "prometheus-alertmanager")?;
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(
            &config,
            "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n",
        )
        .unwrap();
        let build = |port: u16| {
            let mut command = Command::new(&program);
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.path={}",
                    folder.path().join("data").display()
                ))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--cluster.listen-address=")
                .current_dir(folder.path());
            command
        };
        let ready = |port| http::answers(port, "/-/ready");
        let server = Running::start(None, &folder.path().join("log"), build, ready);
        Some(Self {
            server,
            _folder: folder,
        })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Tells it of a firing alert of a service.
    pub fn fire(&self, name: &str, service: &str) {
        let alert = json!([{
            "labels": {"alertname": name, "service": service, "severity": "critical"},
            "annotations": {"summary": format!("{name} of {service}")},
            "startsAt": (Utc::now() - Duration::minutes(5)).to_rfc3339(),
        }]);
        self.post("/api/v2/alerts", &alert);
    }

    /// Silences a service's alerts for an hour.
    pub fn silence(&self, service: &str) {
        let silence = json!({
            "matchers": [{"name": "service", "value": service, "isRegex": false, "isEqual": true}],
            "startsAt": Utc::now().to_rfc3339(),
            "endsAt": (Utc::now() + Duration::hours(1)).to_rfc3339(),
            "createdBy": "ann", "comment": "known",
        });
        self.post("/api/v2/silences", &silence);
    }

    /// What it says of its alerts itself.
    pub fn alerts(&self) -> Value {
        http::json(self.port(), "/api/v2/alerts", &[])
    }

    fn post(&self, path: &str, body: &Value) {
        let (status, said) = http::request(self.port(), "POST", path, &body.to_string()).unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&said));
    }
}
