//! What the pages say, the program does: every example is read by it, every link leads somewhere, and the tables that come from the
//! code are those of the code. `COCKPIT_BLESS=1` rewrites the tables.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use cockpit::app::action::{ACTIONS, Group};
use cockpit::connect::place::Source;
use cockpit::connect::testing;
use cockpit::runtime::load::Index;

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn page(name: &str) -> String {
    fs::read_to_string(root(name)).unwrap()
}

/// All pages for people.
fn pages() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root("docs"))
        .unwrap()
        .map(|e| format!("docs/{}", e.unwrap().file_name().to_string_lossy()))
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.extend(
        [
            "README.md",
            "ARCHITECTURE.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
        ]
        .map(str::to_owned),
    );
    names
}

/// The code blocks of that language, joined: the parts of one example stand in several.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts
        .filter_map(|p| p.split("```").next().map(str::to_owned))
        .collect()
}

/// The file's mistakes and warnings, each with its place.
fn read(text: &str) -> Vec<String> {
    let (index, diags) = Index::new(None);
    assert!(diags.is_empty(), "{diags:?}");
    match cockpit::config::load(text, "cockpit.toml", &index) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(diags) => diags.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_readmes_example_is_a_sound_file() {
    let text = blocks(&page("README.md"), "toml").join("\n");
    assert!(text.contains("[connections.argo]"));
    assert_eq!(read(&text), Vec::<String>::new());
}

#[test]
fn the_first_flights_examples_make_one_sound_file() {
    let text = blocks(&page("docs/first-flight.md"), "toml");
    assert_eq!(text.len(), 3);
    // The target of a service stands behind that service, as TOML wants it.
    let at = text[0].find("[[service.gate]]").unwrap();
    let whole = format!(
        "{}{}\n{}{}",
        &text[0][..at],
        text[1],
        &text[0][at..],
        text[2]
    );
    assert_eq!(read(&whole), Vec::<String>::new());
}

#[test]
fn the_calendars_examples_make_one_sound_file() {
    let text = blocks(&page("docs/calendars.md"), "toml").join("\n");
    assert!(text.contains("[connections.google]") && text.contains("[[calendar]]"));
    assert_eq!(read(&text), Vec::<String>::new());
}

#[tokio::test]
async fn the_connectors_example_passes_its_own_rows() {
    let text = blocks(&page("docs/connectors.md"), "toml").remove(0);
    let source = Source {
        file: "ferry.toml".into(),
        text,
    };
    let rows = testing::run(&source, &root("docs"))
        .await
        .unwrap_or_else(|d| panic!("{d:#?}"));
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!(row.outcome, Ok(()), "{}", row.name);
    }
}

#[test]
fn every_link_of_a_page_leads_to_a_file() {
    for name in pages() {
        let text = page(&name);
        let folder = root(&name).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(folder.join(file).exists(), "{name}: {target} leads nowhere");
        }
    }
}

#[test]
fn the_architecture_stays_short() {
    assert!(page("ARCHITECTURE.md").lines().count() <= 150);
}

#[test]
fn the_keys_of_the_readme_are_those_of_the_action_table() {
    let mut table = String::new();
    for group in [
        Group::Acts,
        Group::Row,
        Group::Move,
        Group::Show,
        Group::Program,
    ] {
        let _ = writeln!(table, "\n| {} | | |\n| --- | --- | --- |", group.word());
        for action in ACTIONS.iter().filter(|a| a.group == group) {
            let keys: Vec<String> = action.keys.iter().map(|k| format!("`{k}`")).collect();
            let keys = if keys.is_empty() {
                "by `:`".to_owned()
            } else {
                keys.join(" ")
            };
            let _ = writeln!(table, "| {keys} | {} | {} |", action.verb, action.help);
        }
    }
    hold("README.md", "keys", &table);
}

#[test]
fn the_commands_of_the_readme_are_those_of_the_program() {
    let mut table = String::from("\n| command | what it does |\n| --- | --- |\n");
    let command = cockpit::cli::Args::command();
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = writeln!(table, "| `cockpit` | {about} |");
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(table, "| `cockpit {}` | {about} |", sub.get_name());
    }
    hold("README.md", "commands", &table);
}

/// Holds what stands between `<!-- NAME -->` and `<!-- /NAME -->` against `expected`.
fn hold(file: &str, name: &str, expected: &str) {
    let text = page(file);
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = text.find(&begin).unwrap() + begin.len();
    let to = text.find(&end).unwrap();
    let expected = format!("{expected}\n");
    if text[from..to] == *expected {
        return;
    }
    if std::env::var_os("COCKPIT_BLESS").is_some() {
        fs::write(
            root(file),
            format!("{}{expected}{}", &text[..from], &text[to..]),
        )
        .unwrap();
        return;
    }
    panic!(
        "the {name} of {file} are not those of the program; COCKPIT_BLESS=1 cargo test writes them"
    );
}

/// A page names no command that the program does not have.
#[test]
fn every_command_that_a_page_names_exists() {
    let command = cockpit::cli::Args::command();
    let known: Vec<String> = command
        .get_subcommands()
        .map(|s| s.get_name().to_owned())
        .collect();
    for name in pages() {
        let text = page(&name);
        for (at, _) in text.match_indices("cockpit ") {
            let before = text[..at].chars().next_back();
            if !matches!(before, Some('`' | '\n')) {
                continue;
            }
            let word: String = text[at + 8..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase())
                .collect();
            assert!(
                word.is_empty() || known.contains(&word),
                "{name} names `cockpit {word}`, which does not exist"
            );
        }
    }
}
