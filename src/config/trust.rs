//! Trust (law 9): a file may say whom to ask, what to run and which secret to take, so lying there is not enough.
//!
//! A person looks at what a file reaches and grants it; the digest of the file and of the local connector files it uses is then kept
//! in the data directory. An edit that changes nothing of what is reached (a title, a window, a gate) needs no new grant; a changed
//! connection, address, command, connector, secret reference, channel or deployment target does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::check::digest;
use super::place::shown;
use crate::domain::policy::{Policy, Setting};
use crate::domain::time::Instant;

/// The file in the data directory.
const FILE: &str = "trust.toml";

/// What trust is about: one file, its digest, and what it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Where the file lies, absolute and without links.
    pub path: PathBuf,
    /// SHA-256 over the file and the local connector files in use, in hex: what `--trust DIGEST` names.
    pub digest: String,
    /// What it reaches, by key: shown to the person, with a digest of each value.
    pub reach: BTreeMap<String, String>,
    /// The embedded world needs no trust: the file can reach nothing else.
    pub demo: bool,
}

/// Whether a file may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Yes.
    Granted,
    /// Nobody granted it yet; what it reaches, a line each.
    Never(Vec<String>),
    /// It was granted, and reaches something else now; what changed, a line each.
    Changed(Vec<String>),
}

/// The list of granted files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is damaged.
    #[error("{path} is damaged: {why}; move it away and grant your files again", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Book {
    file: Vec<Entry>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: PathBuf,
    digest: String,
    granted: String,
    reach: BTreeMap<String, String>,
}

impl Subject {
    /// What must be trusted: the file's bytes, its policy, and the connector files of this machine that it uses (name and bytes).
    #[must_use]
    pub fn new(
        path: &Path,
        bytes: &[u8],
        policy: &Policy,
        connectors: &[(String, Vec<u8>)],
    ) -> Self {
        let mut connectors: Vec<&(String, Vec<u8>)> = connectors.iter().collect();
        connectors.sort();
        let mut hash = Sha256::new();
        hash.update(digest(bytes));
        let mut reach = reach(policy);
        for (name, bytes) in connectors {
            let of = digest(bytes);
            hash.update(name.len().to_le_bytes());
            hash.update(name);
            hash.update(&of);
            reach.insert(
                format!("connector {}", shown(name)),
                mark("a file of this machine", &of),
            );
        }
        Self {
            path: path.to_owned(),
            digest: hex(&hash.finalize()),
            reach,
            demo: policy.demo.is_some(),
        }
    }

    /// What it reaches, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |(key, value): (&String, &String)| format!("{key} = {}", without_mark(value));
        self.reach.iter().map(line).collect()
    }
}

/// Whether the file may act now.
///
/// # Errors
/// The list cannot be read or is damaged: the caller treats the file as not trusted.
pub fn check(data_dir: &Path, subject: &Subject) -> Result<Trust, TrustError> {
    if subject.demo {
        return Ok(Trust::Granted);
    }
    let book = read(data_dir)?;
    let Some(entry) = book.file.iter().find(|e| e.path == subject.path) else {
        return Ok(Trust::Never(subject.lines()));
    };
    if entry.digest == subject.digest || entry.reach == subject.reach {
        return Ok(Trust::Granted);
    }
    Ok(Trust::Changed(changes(&entry.reach, &subject.reach)))
}

/// Whether the file may act now: [`check`], yes or no.
///
/// # Errors
/// As [`check`].
pub fn is_trusted(data_dir: &Path, subject: &Subject) -> Result<bool, TrustError> {
    Ok(check(data_dir, subject)? == Trust::Granted)
}

/// Keeps that a person granted this file as it is now.
///
/// # Errors
/// The list cannot be read or written, or is damaged.
pub fn grant(data_dir: &Path, subject: &Subject, at: Instant) -> Result<(), TrustError> {
    let mut book = read(data_dir)?;
    book.file.retain(|e| e.path != subject.path);
    book.file.push(Entry {
        path: subject.path.clone(),
        digest: subject.digest.clone(),
        granted: at.to_rfc3339(),
        reach: subject.reach.clone(),
    });
    write(data_dir, &book)
}

/// What differs, a line each.
fn changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, now) in new {
        match old.get(key) {
            None => lines.push(format!("new: {key} = {}", without_mark(now))),
            Some(was) if was != now => {
                let (was, now) = (without_mark(was), without_mark(now));
                lines.push(if was == now {
                    format!("changed: {key} (still {now}, but not the same behind it)")
                } else {
                    format!("changed: {key}: {was} → {now}")
                });
            }
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    lines.extend(gone.map(|key| format!("gone: {key}")));
    lines
}

/// Everything by which the program would touch the outside.
fn reach(policy: &Policy) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (name, connection) in &policy.connections {
        let key = format!("connections.{}", shown(name));
        out.insert(
            format!("{key}.connector"),
            mark(&connection.connector, &connection.connector),
        );
        for (setting, value) in &connection.settings {
            let (shown_value, whole) = show(value);
            out.insert(
                format!("{key}.{}", shown(setting)),
                mark(&shown_value, &whole),
            );
        }
    }
    let told = policy.notify.channels.iter().enumerate();
    let briefed = policy.oncall.channels.iter().enumerate();
    let channels = briefed
        .map(|(n, c)| (format!("oncall.channels[{n}]"), c))
        .chain(told.map(|(n, c)| (format!("notify.channels[{n}]"), c)));
    for (key, channel) in channels {
        let args: Vec<String> = channel
            .args
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let whole = format!("{} {}", channel.connection, args.join(" "));
        out.insert(key, mark(&shown(&whole), &whole));
    }
    for service in &policy.services {
        let key = format!("service {}", shown(&service.name));
        let named = [
            &service.deployments,
            &service.commits,
            &service.builds,
            &service.registry,
            &service.image,
        ];
        let whole = format!("{named:?} {:?}", service.target);
        let by = service.deployments.as_deref().unwrap_or("nothing");
        out.insert(key, mark(&format!("deployed by {}", shown(by)), &whole));
    }
    out
}

/// How a setting is shown, and its whole value: an address shows its host only, because its path may be a secret.
fn show(setting: &Setting) -> (String, String) {
    let whole = match setting {
        Setting::Text(text) => text.clone(),
        Setting::Number(n) => n.to_string(),
        Setting::Flag(flag) => flag.to_string(),
        Setting::List(words) => words.join(" "),
        Setting::Secret(secret) => secret.to_string(),
    };
    let shown_value = match url::Url::parse(&whole) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        _ => shown(&whole),
    };
    (shown_value, whole)
}

/// A value as shown, with a digest of the whole of it.
fn mark(shown: &str, whole: &str) -> String {
    let of = digest(whole.as_bytes());
    format!("{shown} #{}", of.get(..16).unwrap_or(&of))
}

fn without_mark(value: &str) -> &str {
    value.rsplit_once(" #").map_or(value, |(shown, _)| shown)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn read(data_dir: &Path) -> Result<Book, TrustError> {
    let path = data_dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Book::default()),
        Err(source) => return Err(TrustError::Io { path, source }),
    };
    toml::from_str(&text).map_err(|e| TrustError::Damaged {
        path,
        why: shown(e.message()),
    })
}

/// Writes beside it and renames, so that a crash leaves the old list; readable by its owner alone.
fn write(data_dir: &Path, book: &Book) -> Result<(), TrustError> {
    let path = data_dir.join(FILE);
    let failed = |source| TrustError::Io {
        path: path.clone(),
        source,
    };
    let text = toml::to_string_pretty(book).map_err(|e| failed(std::io::Error::other(e)))?;
    fs::create_dir_all(data_dir).map_err(failed)?;
    let beside = data_dir.join(format!("{FILE}.{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside).map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, &path))
        .map_err(|source| {
            // Best effort: what is left beside it does no harm.
            let _ = fs::remove_file(&beside);
            failed(source)
        })
}
