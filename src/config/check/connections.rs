//! `[connections.*]`: settings against their connector. No value of a setting is ever repeated in a message.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Check;
use crate::config::connectors::{ConnectorInfo, SettingInfo, SettingKind};
use crate::config::place::{join, shown};
use crate::config::raw;
use crate::config::suggest;
use crate::domain::policy::{Connection, Setting};
use crate::domain::secret::SecretRef;
use crate::domain::time::parse_duration;

/// Drivers that run a program or talk past http: not for the embedded world.
const NOT_IN_DEMO: [&str; 3] = ["command", "git", "smtp"];

/// How a secret is written.
const HOW: &str = "write a reference: env:NAME, file:PATH or command:PROGRAM ARG …";

impl Check<'_> {
    pub(super) fn connections(&mut self) -> BTreeMap<String, Connection> {
        let raw = &self.raw.connections;
        raw.iter()
            .map(|(name, c)| (name.clone(), self.connection(name, c)))
            .collect()
    }

    fn connection(&mut self, name: &str, raw: &raw::Connection) -> Connection {
        let path = join("connections", name);
        let mut settings = BTreeMap::new();
        if let Some(info) = self.connector(&path, &raw.connector) {
            self.in_demo(&path, &info);
            for (key, value) in &raw.settings {
                let here = join(&path, key);
                let Some(setting) = info.settings.iter().find(|s| s.name == *key) else {
                    self.unknown_setting(&here, key, &info);
                    continue;
                };
                if let Some(value) = self.setting(&here, setting, value) {
                    settings.insert(key.clone(), value);
                }
            }
            self.missing_settings(&path, raw, &info);
        }
        if raw.every.is_some_and(|e| e.0 == 0) {
            self.found
                .error(&join(&path, "every"), "the time between reads is 0", None);
        }
        Connection {
            name: name.to_owned(),
            connector: raw.connector.clone(),
            settings,
            every: raw.every.map(|e| e.0),
            reads: Default::default(),
            verbs: Vec::new(),
            settles: 0,
            rollback_by_history: false,
        }
    }

    fn connector(&mut self, path: &str, id: &str) -> Option<ConnectorInfo> {
        if let Some(info) = self.known.get(id) {
            return Some(info);
        }
        let here = join(path, "connector");
        let ids = self.known.ids();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let none = "no connector is installed";
        if self.expect(&here, "connector", id, &ids, none) {
            // It is there, but what it takes is not known: nothing of this connection could be checked.
            let help = format!("`cockpit connector show {}` says what is wrong", shown(id));
            let why = format!("the file of connector \"{}\" cannot be used", shown(id));
            self.found.error(&here, why, Some(help));
        }
        None
    }

    fn unknown_setting(&mut self, here: &str, key: &str, info: &ConnectorInfo) {
        let names = info
            .settings
            .iter()
            .map(|s| s.name.as_str())
            .chain(["every"]);
        let names: Vec<&str> = names.collect();
        let help = suggest::advice(key, names.iter().copied(), "it has none");
        let message = format!("connector {} has no such setting", info.id);
        self.found.error_at_key(here, message, Some(help));
    }

    fn missing_settings(&mut self, path: &str, raw: &raw::Connection, info: &ConnectorInfo) {
        for setting in &info.settings {
            let here = join(path, &setting.name);
            if raw.settings.contains_key(&setting.name) || self.found.spoiled(&here) {
                continue;
            }
            // What has a default address elsewhere must not leave the embedded world.
            let demo_url = self.demo
                && setting.kind == SettingKind::Url
                && (setting.required || setting.default.is_some());
            let required =
                setting.required && setting.default.is_none() && !(self.demo && setting.secret);
            if !required && !demo_url {
                continue;
            }
            let help = if setting.secret {
                Some(HOW.to_owned())
            } else if demo_url {
                Some("in a [demo] file: url = \"demo:NAME\"".to_owned())
            } else {
                setting.help.clone()
            };
            self.found.error(
                &here,
                format!("connector {} needs `{}`", info.id, setting.name),
                help,
            );
        }
    }

    fn in_demo(&mut self, path: &str, info: &ConnectorInfo) {
        if self.demo && NOT_IN_DEMO.contains(&info.driver.as_str()) {
            let why = format!(
                "a [demo] file reaches only the embedded world, and {} goes past it",
                info.driver
            );
            self.found.error(&join(path, "connector"), why, None);
        }
    }

    fn setting(&mut self, path: &str, info: &SettingInfo, value: &Value) -> Option<Setting> {
        let read = if info.secret {
            secret(value)
        } else {
            plain(info, value)
        };
        let read = match read {
            Ok(read) => read,
            Err(why) => {
                let help = if info.secret {
                    HOW.to_owned()
                } else {
                    info.help.clone().unwrap_or_default()
                };
                self.found
                    .error(path, why, Some(help).filter(|h| !h.is_empty()));
                return None;
            }
        };
        self.demo_setting(path, info, &read);
        if matches!(&read, Setting::Text(text) if info.kind != SettingKind::Url && is_reference(text))
        {
            let why = format!(
                "`{}` is no secret: the text is taken as it stands and not looked up",
                info.name
            );
            self.found
                .warn(path, why, Some("write the value itself".into()));
        }
        Some(read)
    }

    /// A `[demo]` file reaches `demo:NAME` only; no other file knows such a place.
    fn demo_setting(&mut self, path: &str, info: &SettingInfo, value: &Setting) {
        let inside = matches!(value, Setting::Text(text) if demo_name(text));
        let why = match (self.demo, value) {
            // A reference may stand here, as in the file it will become; it is never looked up.
            (true, _) if info.kind == SettingKind::Url && !inside => {
                "a [demo] file reaches only the embedded world: write \"demo:NAME\""
            }
            (true, _) if info.kind == SettingKind::Path => "a [demo] file reads no other file",
            (false, _) if info.kind == SettingKind::Url && inside => {
                "demo: addresses exist only in a file with [demo]"
            }
            _ => return,
        };
        self.found.error(path, why, None);
    }
}

/// `demo:` and a plain word.
fn demo_name(text: &str) -> bool {
    text.strip_prefix("demo:").is_some_and(|name| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/'))
    })
}

/// A reference; whatever else stands there is not repeated.
fn secret(value: &Value) -> Result<Setting, String> {
    let refused = || "a secret is never written in this file".to_owned();
    let text = value.as_str().ok_or_else(refused)?;
    SecretRef::try_from(text.to_owned())
        .map(Setting::Secret)
        .map_err(|_| refused())
}

fn plain(info: &SettingInfo, value: &Value) -> Result<Setting, String> {
    if !info.choices.is_empty()
        && !value
            .as_str()
            .is_some_and(|v| info.choices.iter().any(|c| c == v))
    {
        return Err(format!("expected one of {}", info.choices.join(", ")));
    }
    let setting = match (info.kind, value) {
        (SettingKind::Url, Value::String(text)) => url(text)?,
        (SettingKind::Length, Value::String(text)) => {
            parse_duration(text)
                .map_err(|_| "expected a length of time such as \"30s\"".to_owned())?;
            Setting::Text(text.clone())
        }
        (SettingKind::Text | SettingKind::Path, Value::String(text)) => Setting::Text(text.clone()),
        (SettingKind::Text, Value::Number(n)) => Setting::Text(n.to_string()),
        (SettingKind::Number, Value::Number(n)) => Setting::Number(n.as_f64().unwrap_or(0.0)),
        (SettingKind::Flag, Value::Bool(flag)) => Setting::Flag(*flag),
        (SettingKind::List, Value::String(text)) => Setting::List(vec![text.clone()]),
        (SettingKind::List, Value::Array(items)) => Setting::List(
            items
                .iter()
                .map(|i| i.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or("expected a list of texts")?,
        ),
        (kind, _) => return Err(format!("expected {}", kind_word(kind))),
    };
    Ok(setting)
}

fn kind_word(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Text => "a text",
        SettingKind::Url => "an address such as \"https://vendor.example\"",
        SettingKind::Number => "a number",
        SettingKind::Flag => "true or false",
        SettingKind::List => "a list of texts",
        SettingKind::Path => "the path of a file or folder",
        SettingKind::Length => "a length of time such as \"30s\"",
    }
}

/// Whether the text has the form of a reference to a secret.
fn is_reference(text: &str) -> bool {
    let kinds = ["env:", "file:", "keyring:", "command:"];
    kinds.iter().any(|kind| text.starts_with(kind))
}

/// An address; a private one may itself be a reference to a secret.
fn url(text: &str) -> Result<Setting, String> {
    if demo_name(text) {
        return Ok(Setting::Text(text.to_owned()));
    }
    if is_reference(text) {
        return SecretRef::try_from(text.to_owned()).map(Setting::Secret);
    }
    let url = url::Url::parse(text).map_err(|e| format!("this is no address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https addresses are read".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address never holds a user name or password; use the connector's settings, with a secret reference".into());
    }
    Ok(Setting::Text(text.to_owned()))
}
