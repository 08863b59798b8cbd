//! The borders between the folders of `src`, read from their `use` lines. ARCHITECTURE.md explains them; a border moves there and
//! here, deliberately.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folder, what of ours it may import, and the rule as people read it.
const IMPORTS: &[(&str, &[&str], &str)] = &[
    (
        "domain",
        &[],
        "domain imports nothing of ours: the rules know neither faces nor tools",
    ),
    ("config", &["domain"], "config imports domain alone"),
    ("store", &["domain"], "store imports domain alone"),
    ("connect", &["domain"], "connect imports domain alone"),
    ("documents", &["domain"], "documents imports domain alone"),
    ("app", &["domain"], "app imports domain alone"),
    ("report", &["domain"], "report imports domain alone"),
    ("demo", &["domain"], "demo imports domain alone"),
    (
        "tui",
        &["app", "domain"],
        "tui imports app and domain alone",
    ),
    (
        "runtime",
        &[
            "app",
            "config",
            "connect",
            "documents",
            "domain",
            "report",
            "store",
            "tui",
        ],
        "runtime imports neither cli nor demo",
    ),
    (
        "cli",
        &[
            "app",
            "config",
            "connect",
            "demo",
            "documents",
            "domain",
            "report",
            "runtime",
            "store",
            "tui",
        ],
        "cli imports what is ours",
    ),
];

/// A word, the folders that may hold it, and the rule.
const WORDS: &[(&str, &[&str], &str)] = &[
    (
        "reqwest",
        &["connect"],
        "only connect knows reqwest: every request passes its rules",
    ),
    (
        "ratatui",
        &["tui", "runtime"],
        "only tui and runtime know ratatui",
    ),
    (
        "crossterm",
        &["tui", "runtime"],
        "only tui and runtime know crossterm",
    ),
    ("sqlx", &["store"], "only store knows sqlx"),
    ("axum", &["demo"], "only demo serves HTTP"),
    (
        "Utc::now",
        &["runtime", "demo"],
        "only runtime and demo ask the time: everybody else is handed it",
    ),
    (
        "Local::now",
        &["runtime", "demo"],
        "only runtime and demo ask the time: everybody else is handed it",
    ),
    (
        "SystemTime::now",
        &["runtime", "demo"],
        "only runtime and demo ask the time: everybody else is handed it",
    ),
    (
        "Instant::now",
        &["runtime", "demo"],
        "only runtime and demo ask the time: everybody else is handed it",
    ),
];

/// A word and the folders that must not hold it.
const BARRED: &[(&str, &[&str], &str)] = &[(
    "tokio",
    &["app", "tui", "domain", "report", "documents"],
    "app, tui, domain, report and documents are not asynchronous: they know no tokio",
)];

/// A breach of a rule: file, line and the rule's sentence.
fn breaches(folder: &str, file: &str, source: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (number, line) in code(source) {
        let mut broken =
            |rule: &str| out.push(format!("{file}:{number}: {rule}\n    {}", line.trim()));
        if let Some((_, allowed, rule)) = IMPORTS.iter().find(|(name, ..)| *name == folder) {
            for ours in imported(&line) {
                if ours != folder && !allowed.contains(&ours.as_str()) {
                    broken(rule);
                }
            }
        }
        for (word, allowed, rule) in WORDS {
            if holds(&line, word) && !allowed.contains(&folder) {
                broken(rule);
            }
        }
        for (word, barred, rule) in BARRED {
            if holds(&line, word) && barred.contains(&folder) {
                broken(rule);
            }
        }
    }
    out
}

/// The lines that are built into the program, without comments: a file's tests follow `#[cfg(test)] mod … {` and end with it.
/// A `use` over several lines becomes one.
fn code(source: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    let mut lines = source.lines().enumerate().peekable();
    let mut open = false;
    while let Some((at, line)) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            skip_item(&mut lines);
            continue;
        }
        let line = line.split("//").next().unwrap_or_default();
        if line.trim().is_empty() {
            continue;
        }
        let begins = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "]
            .iter()
            .any(|u| line.trim_start().starts_with(u));
        match out.last_mut() {
            Some((_, last)) if open => last.push_str(line.trim()),
            _ => out.push((at + 1, line.to_owned())),
        }
        open = (open || begins) && !line.contains(';');
    }
    out
}

/// Skips what a `#[cfg(test)]` stands before: to its `;`, or to the closing brace at its own depth.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let mut indent = None;
    for (_, line) in lines.by_ref() {
        let depth = line.len() - line.trim_start().len();
        let own = *indent.get_or_insert(depth);
        let ends = line.trim_end().ends_with(';')
            || line.trim_end().ends_with('}')
            || line.trim_end().ends_with("});");
        if depth == own && ends && !line.trim_start().starts_with("#[") {
            return;
        }
    }
}

/// The folders of ours that a line names: `crate::store::…`, `cockpit::store`, `crate::{store, tui::view}`.
fn imported(line: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for root in ["crate::", "cockpit::"] {
        for (at, _) in line.match_indices(root) {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &line[at + root.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                out.extend(group_roots(group));
            } else {
                out.insert(word(rest));
            }
        }
    }
    out.retain(|name| IMPORTS.iter().any(|(folder, ..)| folder == name));
    out
}

/// The first words of a group's members: `store, tui::{a, b}}` → store, tui.
fn group_roots(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut out = Vec::new();
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                out.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    out
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Does the line hold the word as a path's part, outside of texts?
fn holds(line: &str, word: &str) -> bool {
    let outside: String = line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    outside.match_indices(word).any(|(at, _)| {
        let before = outside[..at].chars().next_back();
        let after = outside[at + word.len()..].chars().next();
        let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        // A module of ours may be called like a crate: `super::ratatui` is not the crate.
        !part(before) && !part(after) && (word.contains("::") || !outside[..at].ends_with("mod "))
    })
}

/// Where the folders lie: beside the package that is being tested.
fn src() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    package
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
        .join("src")
}

/// Files that are compiled into tests alone.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        let stem = name.trim_end_matches(".rs");
        stem == "tests" || stem == "fixture" || stem.ends_with("_tests")
    })
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn every_folder_keeps_to_its_borders() {
    let src = src();
    let mut out = Vec::new();
    let mut seen = 0;
    for (folder, ..) in IMPORTS {
        let mut all = Vec::new();
        let dir = src.join(folder);
        if dir.is_dir() {
            files(&dir, &mut all);
        }
        all.extend(Some(src.join(format!("{folder}.rs"))).filter(|f| f.is_file()));
        assert!(
            !all.is_empty(),
            "there is no folder src/{folder}: the border test names one that is gone"
        );
        for path in all {
            let name = path.strip_prefix(&src).unwrap();
            if !is_test(name) {
                seen += 1;
                out.extend(breaches(
                    folder,
                    &format!("src/{}", name.display()),
                    &fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    assert!(seen > 50, "only {seen} files were read");
    assert!(
        out.is_empty(),
        "{} broken borders:\n{}",
        out.len(),
        out.join("\n")
    );
}

#[test]
fn every_folder_has_a_border() {
    let src = src();
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let known = IMPORTS.iter().any(|(folder, ..)| *folder == name);
        assert!(
            known || name == "lib" || name == "main",
            "src/{name} has no rule in tests/it/architecture.rs"
        );
    }
}

#[test]
fn the_test_sees_what_it_forbids() {
    let seen = |folder: &str, source: &str| breaches(folder, "x.rs", source).join("\n");
    assert!(
        seen("domain", "use crate::store::Journal;").contains("domain imports nothing of ours")
    );
    assert!(
        seen(
            "store",
            "use crate::{\n    domain::time,\n    connect::Http,\n};"
        )
        .contains("store imports domain alone")
    );
    assert!(
        seen("report", "let x = crate::documents::escape(t);")
            .contains("report imports domain alone")
    );
    assert!(seen("app", "use tokio::sync::mpsc;").contains("know no tokio"));
    assert!(seen("store", "let t = std::time::Instant::now();").contains("ask the time"));
    assert!(seen("config", "use reqwest::Url;").contains("only connect knows reqwest"));
    assert!(seen("demo", "pub use crate::connect::fake;").contains("demo imports domain alone"));
}

#[test]
fn the_test_lets_pass_what_is_allowed() {
    let none = |folder: &str, source: &str| {
        assert_eq!(breaches(folder, "x.rs", source), Vec::<String>::new())
    };
    none(
        "tui",
        "use crate::app::Model;\nuse ratatui::Frame; // not crate::store",
    );
    none(
        "domain",
        "//! Never reqwest.\n/// [`crate::store`] keeps it.\nuse super::time::Instant;\nlet x = \"tokio ratatui\";",
    );
    none(
        "report",
        "fn a() {}\n#[cfg(test)]\nmod tests {\n    use crate::documents::Kind;\n}\nfn b() {}",
    );
    none(
        "report",
        "#[cfg(test)]\npub(crate) mod fixture;\nuse crate::domain::text::clean;",
    );
    none("runtime", "let t = chrono::Utc::now();");
}

#[test]
fn code_after_a_files_tests_is_still_read() {
    let source = "#[cfg(test)]\nmod tests {\n    use crate::store::A;\n}\nuse crate::store::B;";
    assert_eq!(breaches("domain", "x.rs", source).len(), 1);
}
