//! From the text of a file to a [`Policy`], or to everything that is wrong with it.

mod calendar;
mod connections;
mod cycle;
mod gates;
mod metrics;
mod people;
mod releases;
mod services;
mod windows;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use chrono_tz::Tz;
use serde_json::Value;
use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::connectors::ConnectorIndex;
use super::place::{Findings, join, shown};
use super::raw::File;
use super::suggest;
use super::{render, shape};
use crate::domain::diag::Diag;
use crate::domain::policy::{Demo, Environment, Limits, Policy};

/// Longest file that is read, in bytes: far beyond any real one, so that a wrong path is not chewed for minutes.
pub const MAX_BYTES: usize = 2 << 20;

/// The scenarios of the embedded world.
pub const SCENARIOS: [&str; 5] = ["regression", "happy", "blackout", "freeze", "watch"];

static SCHEMA: LazyLock<Value> = LazyLock::new(|| shape::schema_of::<File>(true));

/// Reads a cockpit.toml: the policy and what its author should know, or everything that is wrong with it.
///
/// `file` is the name the person gave, for messages. No value of a setting that may be secret is ever repeated.
///
/// # Errors
/// Every error of the file, each with line, column, key and sentence, in the order of the file; warnings among them.
pub fn load(
    text: &str,
    file: &str,
    known: &dyn ConnectorIndex,
) -> Result<(Policy, Vec<Diag>), Vec<Diag>> {
    let mut found = Findings::new(file, text);
    if text.len() > MAX_BYTES {
        let why = format!("the file is longer than {} MiB", MAX_BYTES >> 20);
        found.error("", why, None);
        return Err(found.into_diags());
    }
    let Some(raw) = read(text, &mut found) else {
        return Err(found.into_diags());
    };
    let mut check = Check {
        found,
        zone: raw.timezone.map_or(Tz::UTC, |z| z.0),
        demo: raw.demo.is_some(),
        known,
        raw: &raw,
    };
    let policy = check.policy(text, file);
    if check.found.any_error() {
        return Err(check.found.into_diags());
    }
    Ok((policy, check.found.into_diags()))
}

/// The digest that names a file's bytes, in hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Syntax and shape. `None` where the text is no TOML at all: nothing else could be said about it.
fn read(text: &str, found: &mut Findings<'_>) -> Option<File> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        found.error_at(span, "", shown(&render::sentence(error.message())), None);
    }
    if !errors.is_empty() {
        return None;
    }
    let sound = shape::walk(&SCHEMA, root.get_ref(), found);
    match serde_path_to_error::deserialize(sound) {
        Ok(file) => Some(file),
        Err(error) => {
            // The schema and the structs are one source, so this is a shape that a schema cannot express.
            let path = error.path().to_string();
            found.error(&path, shown(&error.into_inner().to_string()), None);
            None
        }
    }
}

/// The checks: what they look at, and what they found.
struct Check<'a> {
    found: Findings<'a>,
    raw: &'a File,
    known: &'a dyn ConnectorIndex,
    zone: Tz,
    demo: bool,
}

impl Check<'_> {
    fn policy(&mut self, text: &str, file: &str) -> Policy {
        let environments = self.environments();
        let connections = self.connections();
        let metrics = self.metrics();
        let services = self.services(&metrics, &environments);
        let windows = self.windows(&services, &environments);
        let freezes = self.freezes(&services, &environments);
        let calendars = self.calendars(&services, &environments);
        self.unguarded(&windows, &calendars, &environments);
        let people = self.people();
        Policy {
            digest: digest(text.as_bytes()),
            file: file.to_owned(),
            title: self.title(file),
            timezone: self.zone,
            demo: self.demo_world(),
            calendars,
            approvals: self.approvals(&people),
            approval_records: self.approval_records(),
            risk: self.risk(),
            checklist: self.checklist(),
            oncall: self.oncall(&people),
            notify: self.notify(),
            releases: self.releases(&services, &environments, &people),
            limits: self.limits(),
            keys: self.keys(),
            environments,
            connections,
            metrics,
            services,
            windows,
            freezes,
            people,
        }
    }

    fn title(&self, file: &str) -> String {
        if let Some(title) = &self.raw.title {
            return title.clone();
        }
        std::path::Path::new(file)
            .parent()
            .and_then(|p| p.file_name())
            .map(|name| shown(&name.to_string_lossy()))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "Cockpit".to_owned())
    }

    fn demo_world(&mut self) -> Option<Demo> {
        let demo = self.raw.demo.as_ref()?;
        if !SCENARIOS.contains(&demo.scenario.as_str()) {
            let help = suggest::advice(&demo.scenario, SCENARIOS, "");
            let message = format!("no scenario \"{}\"", shown(&demo.scenario));
            self.found.error("demo.scenario", message, Some(help));
        }
        Some(Demo {
            scenario: demo.scenario.clone(),
        })
    }

    /// In the order in which the file writes them: that is the promotion order.
    fn environments(&mut self) -> Vec<Environment> {
        let mut names: Vec<&String> = self.raw.environments.keys().collect();
        names.sort_by_key(|name| self.found.start(&join("environments", name)));
        if names.is_empty() && !self.found.spoiled("environments") {
            let help = "write at least one, such as [environments.production]";
            self.found.error_at(
                0..0,
                "environments",
                "no environment is defined",
                Some(help.into()),
            );
        }
        names
            .into_iter()
            .map(|name| Environment {
                name: name.clone(),
                protected: self.raw.environments.get(name).is_some_and(|e| e.protected),
                exclusive: self.raw.environments.get(name).is_some_and(|e| e.exclusive),
            })
            .collect()
    }

    fn limits(&mut self) -> Limits {
        let raw = &self.raw.limits;
        if raw.override_lasts.0 > 24 * 3600 {
            self.found.error(
                "limits.override_lasts",
                "an override lasts at most 24h",
                None,
            );
        }
        if raw.gate_max < raw.gate_min {
            self.found
                .error("limits.gate_max", "gate_max is shorter than gate_min", None);
        }
        if raw.watch_long < raw.watch {
            self.found.error(
                "limits.watch_long",
                "watch_long is shorter than watch",
                None,
            );
        }
        if raw.countdown.0 < 10 {
            let why = "a countdown of less than 10s cannot be cancelled by a person";
            self.found.error("limits.countdown", why, None);
        }
        Limits {
            presence: raw.presence.0,
            deploy_length: raw.deploy_length.0,
            manual_shelf_life: raw.manual_shelf_life.0,
            override_lasts: raw.override_lasts.0,
            approval_lasts: raw.approval_lasts.0,
            countdown: raw.countdown.0,
            gate_min: raw.gate_min.0,
            gate_max: raw.gate_max.0,
            watch: raw.watch.0,
            watch_long: raw.watch_long.0,
        }
    }

    fn keys(&mut self) -> std::collections::BTreeMap<String, String> {
        for (key, action) in &self.raw.keys {
            if action.trim().is_empty() {
                self.found
                    .error(&join("keys", key), "the key names no action", None);
            }
        }
        self.raw.keys.clone()
    }

    /// Reports a name that should be one of `known`; true where it is.
    fn expect(&mut self, path: &str, what: &str, name: &str, known: &[&str], none: &str) -> bool {
        if known.contains(&name) {
            return true;
        }
        if !self.found.spoiled(path) {
            let message = format!("no {what} \"{}\"", shown(name));
            let help = Some(suggest::advice(name, known.iter().copied(), none));
            // Where the name is the key (`slo.NAME`), the key is shown, else the value.
            if path.ends_with(&format!(".{name}")) {
                self.found.error_at_key(path, message, help);
            } else {
                self.found.error(path, message, help);
            }
        }
        false
    }

    /// Reports a connection that is not defined, or cannot do what is asked of it.
    fn expect_connection(&mut self, path: &str, name: &str, reads: Option<&str>) {
        let names: Vec<&str> = self.raw.connections.keys().map(String::as_str).collect();
        let none = format!("define it: [connections.{}]", shown(name));
        if !self.expect(path, "connection", name, &names, &none) {
            return;
        }
        let Some(wanted) = reads else { return };
        let Some(info) = self.connector_of(name) else {
            return;
        };
        // A command reads whatever its programs print.
        let checked = !info.reads.is_empty() && info.driver != "command";
        if checked && !info.reads.iter().any(|r| r == wanted) {
            let message = format!("connector {} reads no {wanted}", info.id);
            let help = format!("it reads {}", info.reads.join(", "));
            self.found.error(path, message, Some(help));
        }
    }

    fn connector_of(&self, connection: &str) -> Option<super::connectors::ConnectorInfo> {
        let raw = self.raw.connections.get(connection)?;
        self.known.get(&raw.connector)
    }

    /// Reports names that stand twice in a list of tables.
    fn duplicates<'n>(&mut self, list: &str, key: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        for (n, name) in names.enumerate() {
            if !name.is_empty() && !seen.insert(name.to_owned()) {
                let path = format!("{list}[{n}].{key}");
                self.found
                    .error(&path, format!("\"{}\" is defined twice", shown(name)), None);
            }
        }
    }

    /// Reports a name that is empty or all blanks.
    fn named(&mut self, path: &str, name: &str) {
        if name.trim().is_empty() && !self.found.spoiled(path) {
            self.found.error(path, "the name is empty", None);
        }
    }
}
