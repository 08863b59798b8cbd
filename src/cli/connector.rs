//! `cockpit connector list|show|new|test`: for who adds a vendor.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::connect::place::Source;
use crate::connect::registry::{Registry, SHIPPED, parse};
use crate::connect::testing;
use crate::domain::connector::{ConnectorSpec, DriverKind};
use crate::domain::text::clean;
use crate::runtime::load::config_dir;

use super::args::ConnectorCommand;
use super::{exit, fail, out, session};

/// A new connector: one read with its row, and where the rest is told.
const NEW: &str = include_str!("connector.toml");

/// Does what is asked of connectors.
pub fn connector(what: &ConnectorCommand) -> u8 {
    match what {
        ConnectorCommand::List { json } => list(*json),
        ConnectorCommand::Show { id, source } => show(id, *source),
        ConnectorCommand::New { id, output } => new(id, output.as_deref()),
        ConnectorCommand::Test { file } => test(file),
    }
}

fn folder() -> Option<PathBuf> {
    config_dir().map(|dir| dir.join("connectors"))
}

fn registry() -> Registry {
    let (registry, diags) = Registry::load(folder().as_deref());
    for diag in diags {
        out::complain(&format!("cockpit: {diag}"));
    }
    registry
}

fn word<T: serde::Serialize>(value: T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn list(json: bool) -> u8 {
    let registry = registry();
    let mut rows = Vec::new();
    let mut code = exit::PASS;
    for id in registry.ids() {
        let Some(source) = registry.source(id) else {
            continue;
        };
        match parse(source) {
            Ok(spec) => {
                let shipped = SHIPPED.iter().any(|(_, text)| *text == source.text);
                let reads: Vec<&String> = spec.read.keys().collect();
                let acts: Vec<&String> = spec.action.keys().collect();
                rows.push(json!({ "id": id, "name": spec.name, "driver": word(spec.driver), "verified": word(spec.verified),
                    "shipped": shipped, "file": source.file, "reads": reads, "acts": acts }));
            }
            Err(diag) => {
                out::complain(&format!("cockpit: {diag}"));
                code = exit::CONFIG;
            }
        }
    }
    if json {
        out::json(&rows);
        return code;
    }
    let text = |row: &serde_json::Value, key: &str| {
        clean(
            row.get(key).and_then(|v| v.as_str()).unwrap_or_default(),
            60,
        )
    };
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let own = row.get("shipped") == Some(&serde_json::Value::Bool(false));
            format!(
                "{:<16} {:<16} {:<11} checked against: {}{}",
                text(row, "id"),
                text(row, "name"),
                text(row, "driver"),
                text(row, "verified"),
                if own { ", your own" } else { "" }
            )
        })
        .collect();
    out::put(&lines.join("\n"));
    code
}

fn show(id: &str, whole: bool) -> u8 {
    let registry = registry();
    let Some(source) = registry.source(id) else {
        let ids: Vec<&str> = registry.ids().collect();
        return fail(
            exit::USAGE,
            format!(
                "no connector is called {}: there are {}",
                clean(id, 60),
                ids.join(", ")
            ),
        );
    };
    if whole {
        let text = crate::domain::text::clean_lines(&source.text, 1000, 10_000);
        // Line by line, so that indentation and blank lines stay as they are where nothing is hostile.
        let same = source.text.lines().all(crate::domain::text::is_clean);
        out::put(if same { &source.text } else { &text });
        return exit::PASS;
    }
    match parse(source) {
        Ok(spec) => {
            out::put(&described(&spec, source));
            exit::PASS
        }
        Err(diag) => fail(exit::CONFIG, diag),
    }
}

fn described(spec: &ConnectorSpec, source: &Source) -> String {
    let mut lines = vec![
        format!("{} ({}), {}", spec.name, spec.id, source.file),
        format!(
            "driver {}, checked against: {}",
            word(spec.driver),
            word(spec.verified)
        ),
    ];
    lines.extend(
        spec.docs
            .iter()
            .map(|docs| format!("the vendor's pages: {docs}")),
    );
    lines.push("settings:".to_owned());
    for (name, s) in &spec.settings {
        let mut about = vec![word(s.kind)];
        if s.required {
            about.push("required".to_owned());
        }
        if s.secret {
            about.push("a secret: only as env:NAME, file:PATH or command:PROGRAM ARG …".to_owned());
        }
        about.extend(s.default.as_ref().map(|d| format!("default {d}")));
        about.extend(s.help.clone());
        lines.push(format!("  {name}: {}", about.join("; ")));
    }
    lines.push("reads:".to_owned());
    for (name, read) in &spec.read {
        let every = read.every.as_deref().unwrap_or("30s");
        lines.push(format!(
            "  {name}: {} records, every {every}",
            word(read.record)
        ));
    }
    lines.push("acts:".to_owned());
    for (name, action) in &spec.action {
        let danger = word(action.danger);
        lines.push(format!(
            "  {name}: {} (danger {danger}): {}",
            action.verb.word(),
            action.summary
        ));
    }
    if spec.action.is_empty() {
        lines.push("  none".to_owned());
    }
    let cleaned: Vec<String> = lines
        .iter()
        .map(|line| {
            let indent = line.len() - line.trim_start().len();
            format!("{:indent$}{}", "", clean(line, 300))
        })
        .collect();
    cleaned.join("\n")
}

fn new(id: &str, output: Option<&Path>) -> u8 {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if id.is_empty() || !id.chars().all(fits) {
        return fail(exit::USAGE, "an id is made of a-z, 0-9, - and _");
    }
    let path = match (output, folder()) {
        (Some(path), _) => path.to_owned(),
        (None, Some(dir)) => dir.join(format!("{id}.toml")),
        (None, None) => {
            return fail(
                exit::USAGE,
                "no home folder is known: name a file with --output",
            );
        }
    };
    let text = NEW.replace("my-vendor", id);
    let written = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::File::create_new(&path))
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => {
            out::put(&format!(
                "{} is written; try its rows with `cockpit connector test {}`",
                path.display(),
                path.display()
            ));
            exit::PASS
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => fail(
            exit::CONFIG,
            format!(
                "{} is there already and is never overwritten",
                path.display()
            ),
        ),
        Err(e) => fail(
            exit::UNREACHABLE,
            format!("{} cannot be written: {e}", path.display()),
        ),
    }
}

fn test(file: &Path) -> u8 {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) => {
            return fail(
                exit::UNREACHABLE,
                format!("{} cannot be read: {e}", file.display()),
            );
        }
    };
    let source = Source {
        file: file.display().to_string(),
        text,
    };
    let dir = file.parent().unwrap_or(Path::new("."));
    let native = parse(&source).is_ok_and(|spec| spec.driver != DriverKind::Http);
    crate::connect::transport::ensure_crypto();
    let rows = match session::block_on(testing::run(&source, dir)) {
        Ok(Ok(rows)) => rows,
        Ok(Err(diags)) => {
            out::complain(&crate::config::render(&diags, &source.text, false));
            return exit::CONFIG;
        }
        Err(code) => return code,
    };
    if native {
        out::put("its driver is built in: it has no rows to run");
        return exit::PASS;
    }
    let mut lines = Vec::new();
    let mut failed = 0;
    for row in &rows {
        match &row.outcome {
            Ok(()) => lines.push(format!("ok      {}", clean(&row.name, 100))),
            Err(why) => {
                failed += 1;
                lines.push(format!(
                    "FAILED  {}: {}",
                    clean(&row.name, 100),
                    clean(why, 800)
                ));
            }
        }
    }
    lines.push(format!("{} rows, {failed} failed", rows.len()));
    out::put(&lines.join("\n"));
    if failed == 0 { exit::PASS } else { exit::FAIL }
}
