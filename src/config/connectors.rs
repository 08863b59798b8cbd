//! What the configuration must know of the connectors: their ids, settings and drivers.
//!
//! The connectors themselves belong to `connect`; whoever starts the program hands their index in.

use crate::domain::act::Verb;

/// What a setting holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text; the default.
    #[default]
    Text,
    /// An http or https address.
    Url,
    /// A number.
    Number,
    /// true or false.
    Flag,
    /// Several words.
    List,
    /// A file or folder on this machine.
    Path,
    /// A length of time such as `30s`.
    Length,
}

/// One setting of a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingInfo {
    /// Its key.
    pub name: String,
    /// Must the file give it?
    pub required: bool,
    /// Given only as a reference to a secret.
    pub secret: bool,
    /// What it holds.
    pub kind: SettingKind,
    /// Has the connector a value where the file gives none?
    pub default: Option<String>,
    /// The only values taken; empty: any.
    pub choices: Vec<String>,
    /// One sentence for the person.
    pub help: Option<String>,
}

/// A connector, as far as a connection is checked against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectorInfo {
    /// Its id.
    pub id: String,
    /// Its driver: http, prometheus, kubernetes, argocd, calendar, smtp, git, command.
    pub driver: String,
    /// Its settings.
    pub settings: Vec<SettingInfo>,
    /// The words of the records it reads, such as `deployment` and `series`; empty: not known, so not checked.
    pub reads: Vec<String>,
    /// The verbs it can perform.
    pub verbs: Vec<Verb>,
    /// Its reads by name, each with the word of its records; empty: not known, so not checked.
    pub named_reads: Vec<(String, String)>,
}

impl ConnectorInfo {
    /// The names of the reads that yield such records.
    #[must_use]
    pub fn reads_of(&self, record: &str) -> Vec<&str> {
        self.named_reads
            .iter()
            .filter(|(_, word)| word == record)
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// All connectors there are.
pub trait ConnectorIndex {
    /// Their ids.
    fn ids(&self) -> Vec<String>;
    /// The connector of that id.
    fn get(&self, id: &str) -> Option<ConnectorInfo>;
}

impl ConnectorIndex for [ConnectorInfo] {
    fn ids(&self) -> Vec<String> {
        self.iter().map(|c| c.id.clone()).collect()
    }
    fn get(&self, id: &str) -> Option<ConnectorInfo> {
        self.iter().find(|c| c.id == id).cloned()
    }
}

impl ConnectorIndex for Vec<ConnectorInfo> {
    fn ids(&self) -> Vec<String> {
        self.as_slice().ids()
    }
    fn get(&self, id: &str) -> Option<ConnectorInfo> {
        ConnectorIndex::get(self.as_slice(), id)
    }
}
