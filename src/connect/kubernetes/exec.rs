//! Programs that a kubeconfig names to say who we are (`aws`, `gke-gcloud-auth-plugin`, `kubelogin`): run only where the connection
//! allows that very program, with a cleared environment, without a terminal, in their own process group, with a deadline.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::config::identity_of;
use crate::connect::process::{End, Job, More, environment, run};
use crate::domain::text::clean;
use crate::domain::time::Instant;

/// How long a plugin may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of its answer that are listened to.
const MAX_ANSWER: usize = 1 << 20;
/// Columns of its own words in a fault.
const EXCERPT: usize = 200;
/// The versions of the protocol that are spoken.
const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// A program that says who we are.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// As the kubeconfig names it.
    pub command: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    dir: PathBuf,
    version: String,
    hint: Option<String>,
    cluster: Option<Value>,
}

/// What a plugin said.
pub struct Grant {
    /// A token.
    pub token: Option<SecretString>,
    /// A client certificate with its key, PEM.
    pub identity: Option<SecretString>,
    /// Until when it holds.
    pub until: Option<Instant>,
}

impl Plugin {
    /// Reads `exec` of a user.
    ///
    /// # Errors
    /// A sentence: no program, a version of the protocol that is not spoken, a plugin that wants a terminal.
    pub fn read(exec: &Value, dir: &Path, cluster: Value) -> Result<Self, String> {
        let text = |key: &str| exec.get(key).and_then(Value::as_str).unwrap_or_default();
        let command = text("command");
        if command.is_empty() {
            return Err("its exec names no command".into());
        }
        let version = match text("apiVersion") {
            "" => VERSIONS.last().copied().unwrap_or_default(),
            known if VERSIONS.contains(&known) => known,
            other => {
                return Err(format!(
                    "its exec speaks {}, which is not known",
                    clean(other, 80)
                ));
            }
        };
        if text("interactiveMode") == "Always" {
            return Err(format!(
                "{} wants a terminal to ask questions: sign in by hand first",
                clean(command, 80)
            ));
        }
        let list = |key: &str| {
            exec.get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let args = list("args")
            .iter()
            .map(|a| {
                a.as_str()
                    .map(str::to_owned)
                    .unwrap_or_else(|| a.to_string())
            })
            .collect();
        let env = list("env")
            .iter()
            .filter_map(|e| {
                let of = |key: &str| e.get(key)?.as_str().map(str::to_owned);
                Some((of("name")?, of("value")?))
            })
            .collect();
        let wants_cluster = exec.get("provideClusterInfo") == Some(&Value::Bool(true));
        Ok(Self {
            command: command.to_owned(),
            args,
            env,
            dir: dir.to_owned(),
            version: version.to_owned(),
            hint: Some(text("installHint").to_owned()).filter(|h| !h.is_empty()),
            cluster: wants_cluster.then_some(cluster),
        })
    }

    /// Runs it. `names` are environment variables of ours that it may see beside `PATH` and `HOME`.
    ///
    /// # Errors
    /// A sentence without any secret.
    pub async fn ask(&self, names: &[String]) -> Result<Grant, String> {
        let mut env = environment(names);
        env.retain(|(known, _)| !self.env.iter().any(|(name, _)| known == name.as_str()));
        env.extend(self.env.iter().map(|(k, v)| (k.into(), v.into())));
        let mut spec = json!({ "interactive": false });
        if let (Some(cluster), Some(map)) = (&self.cluster, spec.as_object_mut()) {
            map.insert("cluster".into(), cluster.clone());
        }
        let info = json!({ "apiVersion": self.version, "kind": "ExecCredential", "spec": spec });
        env.push(("KUBERNETES_EXEC_INFO".into(), info.to_string().into()));
        let job = Job {
            program: self.command.as_str().into(),
            args: self.args.iter().map(Into::into).collect(),
            env,
            dir: Some(self.dir.clone()),
            input: Vec::new(),
            deadline: DEADLINE,
        };
        let mut out = Vec::new();
        let done = run(&job, |piece| {
            out.extend_from_slice(piece);
            if out.len() > MAX_ANSWER {
                More::Enough
            } else {
                More::Wanted
            }
        })
        .await
        .map_err(|e| self.failed(&format!("cannot be run: {e}")))?;
        match done.end {
            End::Code(0) => self.understand(&out),
            End::Code(code) => {
                let words = clean(&String::from_utf8_lossy(&done.error), EXCERPT);
                Err(self.failed(&format!("ended with code {code}: {words}")))
            }
            End::Deadline => Err(self.failed("did not end within 30 s")),
            End::Signal => Err(self.failed("was ended by a signal")),
            End::Enough => Err(self.failed("printed more than 1 MiB")),
        }
    }

    fn understand(&self, out: &[u8]) -> Result<Grant, String> {
        // What it printed may be a token: none of it is repeated.
        let value: Value = serde_json::from_slice(out)
            .map_err(|_| self.failed("ended with 0 but printed no JSON"))?;
        let status = value.get("status");
        let text = |key: &str| {
            status
                .and_then(|s| s.get(key))
                .and_then(Value::as_str)
                .filter(|t| !t.is_empty())
        };
        let token = text("token").map(SecretString::from);
        let identity = match (text("clientCertificateData"), text("clientKeyData")) {
            (Some(certificate), Some(key)) => Some(
                identity_of(certificate.as_bytes(), key.as_bytes()).map_err(|e| self.failed(&e))?,
            ),
            _ => None,
        };
        if token.is_none() && identity.is_none() {
            return Err(self.failed("printed neither a token nor a client certificate"));
        }
        let until = match text("expirationTimestamp") {
            None => None,
            Some(at) => Some(
                at.parse::<Instant>()
                    .map_err(|_| self.failed("printed an expirationTimestamp that is no time"))?,
            ),
        };
        Ok(Grant {
            token,
            identity,
            until,
        })
    }

    fn failed(&self, what: &str) -> String {
        let hint = self
            .hint
            .as_deref()
            .map(|h| format!(" ({})", clean(h, EXCERPT)))
            .unwrap_or_default();
        format!("{} {what}{hint}", clean(&self.command, 80))
    }
}

/// Base64 for the header of HTTP basic.
#[must_use]
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
