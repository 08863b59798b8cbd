//! Simulated vendors in a process of their own, and a cockpit.toml that flies against them as against real ones.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cockpit::runtime::load::{Place, load_file};

use super::session::Program;

/// The running vendors; ended when dropped.
pub struct Vendors {
    child: Child,
    control: String,
    addresses: Vec<(String, String)>,
}

impl Vendors {
    /// Starts them, with the world's time brought to the real one.
    pub fn start(cockpit: &Path, data: &Path) -> Self {
        let mut child = Command::new(cockpit)
            .arg("--data-dir")
            .arg(data)
            .args(["demo", "--serve", "--fresh"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses = Vec::new();
        let control = loop {
            let line = lines.next().unwrap().unwrap();
            let (name, url) = line.split_once(' ').unwrap();
            if name == "control" {
                break url.trim_start_matches("http://").to_owned();
            }
            addresses.push((name.to_owned(), url.to_owned()));
        };
        let vendors = Self {
            child,
            control,
            addresses,
        };
        let now: serde_json::Value =
            serde_json::from_str(&vendors.ask("GET", "/__world/now", "")).unwrap();
        let at = |key: &str| {
            chrono::DateTime::parse_from_rfc3339(now[key].as_str().unwrap())
                .unwrap()
                .timestamp()
        };
        let behind = at("real") - at("world");
        if behind > 0 {
            vendors.ask(
                "POST",
                "/__world/advance",
                &format!("{{\"seconds\": {behind}}}"),
            );
        }
        vendors
    }

    /// From now on no vendor answers.
    pub fn hang(&self) {
        for (vendor, _) in &self.addresses {
            self.ask(
                "POST",
                "/__world/fault",
                &format!("{{\"vendor\": \"{vendor}\", \"kind\": \"hang\"}}"),
            );
        }
    }

    /// All answer again.
    pub fn answer(&self) {
        self.ask("DELETE", "/__world/fault", "");
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{body}",
            self.control
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// The cockpit on the repository's own file, without its `[demo]` table, at these vendors.
    pub fn flight(&self, cockpit: &Path, folder: &Path) -> Program {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("cockpit.toml");
        let mut text = std::fs::read_to_string(own).unwrap();
        text = text.replace("[demo]\nscenario = \"regression\"\n", "");
        for (vendor, url) in &self.addresses {
            text = text.replace(&format!("\"demo:{vendor}\""), &format!("\"{url}\""));
        }
        let left =
            |line: &&str| line.starts_with("url = \"demo:") || line.contains(", url = \"demo:");
        assert_eq!(text.lines().find(left), None, "a connection has no vendor");
        let file = folder.join("cockpit.toml");
        std::fs::write(&file, text).unwrap();
        let data: PathBuf = folder.join("data");
        let place = Place {
            config: Some(file.clone()),
            data_dir: Some(data.clone()),
            ..Place::default()
        };
        let digest = load_file(&place, &file).unwrap().subject.digest;
        let (file, data) = (file.display().to_string(), data.display().to_string());
        let mut program = Program::new(
            cockpit,
            &["--config", &file, "--data-dir", &data, "--trust", &digest],
        );
        for name in [
            "ARGOCD_TOKEN",
            "PAGERDUTY_TOKEN",
            "SLACK_TOKEN",
            "GITHUB_TOKEN",
        ] {
            program.env.push((name.to_owned(), "a-token".to_owned()));
        }
        program
    }
}

impl Drop for Vendors {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
