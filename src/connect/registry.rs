//! The connector files: those shipped with the program, and the user's directory, whose files replace ours by id.

use std::collections::BTreeMap;
use std::path::Path;

use super::place::Source;
use crate::domain::connector::{ConnectorSpec, FORMAT};
use crate::domain::diag::{Diag, Severity};
use crate::domain::text::clean;

/// Largest connector file, in bytes.
const LARGEST: u64 = 1 << 20;

/// The files shipped with the program: id and text.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "alertmanager",
        include_str!("../../assets/connectors/alertmanager.toml"),
    ),
    (
        "argocd",
        include_str!("../../assets/connectors/argocd.toml"),
    ),
    (
        "calendar",
        include_str!("../../assets/connectors/calendar.toml"),
    ),
    (
        "command",
        include_str!("../../assets/connectors/command.toml"),
    ),
    ("git", include_str!("../../assets/connectors/git.toml")),
    (
        "github",
        include_str!("../../assets/connectors/github.toml"),
    ),
    (
        "gitlab",
        include_str!("../../assets/connectors/gitlab.toml"),
    ),
    (
        "google-calendar",
        include_str!("../../assets/connectors/google-calendar.toml"),
    ),
    (
        "jenkins",
        include_str!("../../assets/connectors/jenkins.toml"),
    ),
    ("jira", include_str!("../../assets/connectors/jira.toml")),
    (
        "kubernetes",
        include_str!("../../assets/connectors/kubernetes.toml"),
    ),
    (
        "monday",
        include_str!("../../assets/connectors/monday.toml"),
    ),
    ("oci", include_str!("../../assets/connectors/oci.toml")),
    (
        "pagerduty",
        include_str!("../../assets/connectors/pagerduty.toml"),
    ),
    (
        "prometheus",
        include_str!("../../assets/connectors/prometheus.toml"),
    ),
    (
        "servicenow",
        include_str!("../../assets/connectors/servicenow.toml"),
    ),
    ("slack", include_str!("../../assets/connectors/slack.toml")),
];

/// All connector files by id, read when asked for.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    files: BTreeMap<String, Source>,
}

impl Registry {
    /// The shipped files, and those of `dir` over them. A file of the user's that replaces ours is said as a warning.
    #[must_use]
    pub fn load(dir: Option<&Path>) -> (Self, Vec<Diag>) {
        let mut files: BTreeMap<String, Source> = SHIPPED
            .iter()
            .map(|(id, text)| {
                let source = Source {
                    file: format!("{id}.toml (shipped)"),
                    text: (*text).to_owned(),
                };
                ((*id).to_owned(), source)
            })
            .collect();
        let mut diags = Vec::new();
        for path in dir.map(toml_files).unwrap_or_default() {
            match read_own(&path) {
                Ok((id, source)) => {
                    if SHIPPED.iter().any(|(ours, _)| *ours == id) {
                        let mut note = Diag::error(
                            source.file.clone(),
                            format!(
                                "the connector {id} is taken from this file, not the one shipped"
                            ),
                        );
                        note.severity = Severity::Warning;
                        diags.push(note);
                    }
                    files.insert(id, source);
                }
                Err(diag) => diags.push(diag),
            }
        }
        (Self { files }, diags)
    }

    /// The ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// A connector's file.
    #[must_use]
    pub fn source(&self, id: &str) -> Option<&Source> {
        self.files.get(id)
    }
}

/// Reads a connector's text: its shape, version and id.
///
/// # Errors
/// A placed diagnostic.
pub fn parse(source: &Source) -> Result<ConnectorSpec, Diag> {
    let spec: ConnectorSpec = source.read()?;
    if spec.format != FORMAT {
        return Err(source.at(
            &["format"],
            None,
            format!(
                "format {} is not known; this program reads {FORMAT}",
                spec.format
            ),
        ));
    }
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if spec.id.is_empty() || !spec.id.chars().all(word) {
        return Err(source.at(&["id"], None, "an id is made of a-z, 0-9, - and _"));
    }
    Ok(spec)
}

/// The `.toml` files of a folder, by name; an unreadable folder has none.
fn toml_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    found.sort();
    found
}

/// A user's file and the id it declares. The rest is read only when a connection uses it.
fn read_own(path: &Path) -> Result<(String, Source), Diag> {
    let file = path.display().to_string();
    let size = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    if size > LARGEST {
        return Err(Diag::error(file, "a connector file is at most 1 MiB"));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Diag::error(file.clone(), format!("cannot be read: {e}")))?;
    #[derive(serde::Deserialize)]
    struct Head {
        id: String,
    }
    let source = Source { file, text };
    let head: Head = source.read()?;
    Ok((clean(&head.id, 80), source))
}
