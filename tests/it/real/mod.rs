//! Real servers, started with private folders on free ports of 127.0.0.1 and ended by their process id.
//!
//! A test whose server is not installed says so by [`skip`] and passes; `tests/run` counts these and fails on any.

mod alertmanager;
mod alerts;
mod backtest;
mod clone;
mod commits;
mod flight;
mod gate;
pub mod http;
mod load;
mod many;
mod metrics;
mod planted;
mod prometheus;
pub mod running;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use cockpit::connect::{ConnectOptions, Connections};
use cockpit::domain::observe::Call;
use cockpit::domain::policy::Policy;
use cockpit::domain::time::{Clock, Now};
use serde_json::json;

/// Prints that a test did not run, and adds a line to the file that `COCKPIT_SKIPS` names.
pub fn skip(name: &str, reason: &str) {
    let line = format!("SKIPPED: {name}: {reason}");
    println!("{line}");
    if let Some(path) = std::env::var_os("COCKPIT_SKIPS") {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// The program's place in `PATH`; says that the test is skipped where it is nowhere.
pub fn program(test: &str, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|p| p.is_file());
    if found.is_none() {
        skip(test, &format!("{name} is not installed"));
    }
    found
}

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Now {
        let at = chrono::Utc::now();
        Now {
            world: at,
            real: at,
        }
    }
}

/// A connection: its name, its connector, its settings.
pub type Wanted<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// A policy of nothing but these connections, opened.
pub fn connections(list: &[Wanted<'_>]) -> Connections {
    let one = |(name, connector, settings): &Wanted<'_>| {
        let settings: BTreeMap<_, _> = settings
            .iter()
            .map(|(k, v)| (*k, json!({"text": v})))
            .collect();
        let connection =
            json!({"name": name, "connector": connector, "settings": settings, "every": null});
        ((*name).to_owned(), connection)
    };
    let policy = json!({
        "digest": "", "file": "cockpit.toml", "title": "test", "timezone": "UTC", "demo": null, "environments": [],
        "connections": list.iter().map(one).collect::<BTreeMap<_, _>>(),
        "metrics": [], "services": [], "windows": [], "freezes": [], "calendars": [], "approvals": {}, "people": {},
        "checklist": [], "oncall": {}, "releases": [], "limits": {}, "keys": {},
    });
    let policy: Policy = serde_json::from_value(policy).unwrap();
    let options = ConnectOptions {
        endpoints: None,
        connector_dir: None,
        clock: Arc::new(WallClock),
        trusted: true,
    };
    let (connections, diags) = Connections::open(&policy, options);
    assert!(diags.is_empty(), "{diags:?}");
    connections
}

/// A read of a connection.
pub fn call(connection: &str, read: &str, args: &[(&str, &str)]) -> Call {
    Call {
        connection: connection.to_owned(),
        read: read.to_owned(),
        args: args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        lookback: None,
    }
}
