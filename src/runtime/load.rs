//! From a file on disk to a policy with everything the rules need: found, read, checked, its connectors known, its
//! trust looked up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::config::connectors::{ConnectorIndex, ConnectorInfo, SettingInfo, SettingKind};
use crate::config::trust::{Subject, Trust, check};
use crate::config::{self, find_file};
use crate::connect::registry::{Registry, SHIPPED, parse};
use crate::domain::act::Verb;
use crate::domain::connector::{ConnectorSpec, DriverKind, SettingKind as SpecKind};
use crate::domain::diag::Diag;
use crate::domain::policy::{Policy, ReadOffer};
use crate::domain::time::parse_duration;

/// Seconds between reads where neither connector nor connection says.
const EVERY: u64 = 30;

/// Where things are and how the program was started.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--trust DIGEST`: counts as granted for this run.
    pub trust: Option<String>,
}

/// A file that was read, whether or not it may act.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where it lies.
    pub path: PathBuf,
    /// The policy.
    pub policy: Policy,
    /// Its text, for excerpts.
    pub text: String,
    /// Warnings.
    pub warnings: Vec<Diag>,
    /// May it act?
    pub trust: Trust,
    /// What trust is about.
    pub subject: Subject,
    /// The user's own connector files.
    pub connector_dir: Option<PathBuf>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No file.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be read.
    #[error("{path} cannot be read: {why}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is wrong; every error at once, with the text they speak of.
    #[error("{}", .diags.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong {
        /// What is wrong.
        diags: Vec<Diag>,
        /// The file's text.
        text: String,
    },
    /// The list of trusted files cannot be used.
    #[error("{0}")]
    Trust(String),
}

/// The connectors there are, for the check of a file.
pub struct Index {
    registry: Registry,
    /// Each file is parsed once, however many services of cockpit.toml speak of it; `None`: it is not sound.
    parsed: RefCell<BTreeMap<String, Option<Rc<Parsed>>>>,
}

struct Parsed {
    spec: ConnectorSpec,
    info: ConnectorInfo,
}

impl Index {
    /// Shipped connectors and those of the user's directory.
    #[must_use]
    pub fn new(dir: Option<&Path>) -> (Self, Vec<Diag>) {
        let (registry, diags) = Registry::load(dir);
        let parsed = RefCell::default();
        (Self { registry, parsed }, diags)
    }

    fn parsed(&self, id: &str) -> Option<Rc<Parsed>> {
        let source = self.registry.source(id)?;
        let mut parsed = self.parsed.borrow_mut();
        parsed
            .entry(id.to_owned())
            .or_insert_with(|| {
                let spec = parse(source).ok()?;
                let info = info(&spec);
                Some(Rc::new(Parsed { spec, info }))
            })
            .clone()
    }

    fn offers(&self, policy: &mut Policy) {
        for connection in policy.connections.values_mut() {
            let Some(parsed) = self.parsed(&connection.connector) else {
                continue;
            };
            let spec = &parsed.spec;
            connection.reads = spec
                .read
                .iter()
                .map(|(name, read)| {
                    let every = read
                        .every
                        .as_deref()
                        .and_then(|e| parse_duration(e).ok())
                        .and_then(|d| u64::try_from(d.num_seconds()).ok())
                        .unwrap_or(EVERY);
                    (
                        name.clone(),
                        ReadOffer {
                            kind: read.record,
                            every,
                        },
                    )
                })
                .collect();
            // A program of one's own does what it is given words for, and nothing else.
            let named = |action: &str| {
                spec.driver != DriverKind::Command || connection.settings.contains_key(action)
            };
            connection.verbs = spec
                .action
                .iter()
                .filter(|(name, _)| named(name))
                .map(|(_, a)| a.verb)
                .collect();
            connection.rollback_by_history = spec
                .action
                .values()
                .filter(|a| a.verb == Verb::Rollback)
                .filter_map(|a| a.args.get("history_id"))
                .any(|arg| arg.default.is_none());
            let finds = spec.action.values().filter_map(|a| a.find.as_ref());
            connection.settles = finds
                .filter_map(|f| f.settled().ok().flatten())
                .max()
                .unwrap_or(0);
        }
    }
}

impl ConnectorIndex for Index {
    fn ids(&self) -> Vec<String> {
        self.registry.ids().map(str::to_owned).collect()
    }

    fn get(&self, id: &str) -> Option<ConnectorInfo> {
        self.parsed(id).map(|p| p.info.clone())
    }
}

/// A connector, as far as a connection is checked against it.
fn info(spec: &ConnectorSpec) -> ConnectorInfo {
    let settings = spec
        .settings
        .iter()
        .map(|(name, s)| SettingInfo {
            name: name.clone(),
            required: s.required,
            secret: s.secret,
            kind: match s.kind {
                SpecKind::Text => SettingKind::Text,
                SpecKind::Url => SettingKind::Url,
                SpecKind::Number => SettingKind::Number,
                SpecKind::Flag => SettingKind::Flag,
                SpecKind::List => SettingKind::List,
                SpecKind::Path => SettingKind::Path,
            },
            default: s.default.as_ref().map(ToString::to_string),
            choices: Vec::new(),
            help: s.help.clone(),
        })
        .collect();
    let word = |record| {
        serde_json::to_value(record)
            .ok()?
            .as_str()
            .map(str::to_owned)
    };
    let named_reads: Vec<(String, String)> = spec
        .read
        .iter()
        .filter_map(|(name, read)| Some((name.clone(), word(read.record)?)))
        .collect();
    ConnectorInfo {
        id: spec.id.clone(),
        driver: driver_word(spec.driver).to_owned(),
        settings,
        reads: named_reads.iter().map(|(_, word)| word.clone()).collect(),
        named_reads,
        verbs: spec.action.values().map(|a| a.verb).collect(),
    }
}

fn driver_word(kind: DriverKind) -> &'static str {
    match kind {
        DriverKind::Http => "http",
        DriverKind::Prometheus => "prometheus",
        DriverKind::Git => "git",
        DriverKind::Command => "command",
        DriverKind::Calendar => "calendar",
        DriverKind::Kubernetes => "kubernetes",
    }
}

/// The data directory: the one that is named, else the user's own (the demo's apart from it).
#[must_use]
pub fn data_dir(place: &Place, demo: bool) -> PathBuf {
    place.data_dir.clone().unwrap_or_else(|| {
        let base = dirs().map_or_else(|| PathBuf::from(".cockpit"), |d| d.data_dir().to_owned());
        if demo { base.join("demo") } else { base }
    })
}

/// Where the journal of that file lies: each scenario of the embedded world has its own, unless one is named.
#[must_use]
pub fn journal_dir(place: &Place, policy: &Policy) -> PathBuf {
    let dir = data_dir(place, policy.demo.is_some());
    match &policy.demo {
        Some(demo) if place.data_dir.is_none() => dir.join(&demo.scenario),
        _ => dir,
    }
}

/// The person's own template of a document: `templates/NAME.md` in their configuration directory; `None` where there
/// is none.
///
/// # Errors
/// A sentence when it is there and cannot be read.
pub fn template(name: &str) -> Result<Option<String>, String> {
    let Some(dir) = config_dir() else {
        return Ok(None);
    };
    let path = dir.join("templates").join(format!("{name}.md"));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{} cannot be read: {e}", path.display())),
    }
}

/// The user's configuration directory.
#[must_use]
pub fn config_dir() -> Option<PathBuf> {
    dirs().map(|d| d.config_dir().to_owned())
}

fn dirs() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("", "", "cockpit")
}

/// Finds and reads the file.
///
/// # Errors
/// See [`LoadError`].
pub fn load(place: &Place) -> Result<Loaded, LoadError> {
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let path = find_file(place.config.as_deref(), &cwd, config_dir().as_deref())
        .map_err(|e| LoadError::NotFound(e.to_string()))?;
    load_file(place, &path)
}

/// Reads a file.
///
/// # Errors
/// See [`LoadError`].
pub fn load_file(place: &Place, path: &Path) -> Result<Loaded, LoadError> {
    let unreadable = |why: String| LoadError::Unreadable {
        path: path.to_owned(),
        why,
    };
    let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        unreadable(format!(
            "it is not UTF-8 at byte {}",
            e.utf8_error().valid_up_to()
        ))
    })?;
    load_text(place, path, text)
}

/// Reads a text that stands for a file at `path` (the demo's own when no file is given).
///
/// # Errors
/// See [`LoadError`].
pub fn load_text(place: &Place, path: &Path, text: String) -> Result<Loaded, LoadError> {
    let connector_dir = config_dir().map(|d| d.join("connectors"));
    let (index, mut warnings) = Index::new(connector_dir.as_deref());
    let shown = path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    );
    let (mut policy, more) =
        config::load(&text, &shown, &index).map_err(|diags| LoadError::Wrong {
            diags,
            text: text.clone(),
        })?;
    warnings.extend(more);
    index.offers(&mut policy);
    let absolute = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // Relative paths in the file start beside it.
    policy.file = absolute.display().to_string();
    let locals = local_connectors(&index, &policy);
    let subject = Subject::new(&absolute, text.as_bytes(), &policy, &locals);
    let trust = if place.trust.as_deref() == Some(subject.digest.as_str()) {
        Trust::Granted
    } else {
        check(&data_dir(place, policy.demo.is_some()), &subject)
            .map_err(|e| LoadError::Trust(e.to_string()))?
    };
    Ok(Loaded {
        path: absolute,
        policy,
        text,
        warnings,
        trust,
        subject,
        connector_dir,
    })
}

/// The user's own connector files that the policy uses: they are part of what is trusted.
fn local_connectors(index: &Index, policy: &Policy) -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<(String, Vec<u8>)> = policy
        .connections
        .values()
        .filter_map(|c| index.registry.source(&c.connector))
        .filter(|s| !SHIPPED.iter().any(|(_, text)| *text == s.text))
        .map(|s| (s.file.clone(), s.text.clone().into_bytes()))
        .collect();
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_connection_offers_what_it_was_given_words_for_and_says_how_it_rolls_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cockpit.toml");
        let text = r#"title = "own"
timezone = "UTC"
[environments.production]
[connections.own]
connector = "command"
deployments = ["true"]
rollback = ["true"]
[connections.argo]
connector = "argocd"
url = "https://argo.example"
token = "command:echo hush-hush"
"#;
        std::fs::write(&file, text).unwrap();
        let policy = load_file(&Place::default(), &file).unwrap().policy;
        let own = &policy.connections["own"];
        assert_eq!(own.verbs, [Verb::Rollback]);
        assert!(!own.rollback_by_history);
        let argo = &policy.connections["argo"];
        assert!(argo.can(Verb::Hold) && argo.rollback_by_history);
    }
}
