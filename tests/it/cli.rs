//! Every subcommand: what it prints, its exit code, and what it says when it cannot.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A person's machine: nothing of ours on it, and a folder that is empty but for what a test puts there.
struct Machine {
    home: TempDir,
    folder: TempDir,
}

const RELEASE: &str = "checkout-2026.47";

impl Machine {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With the repository's own file: it flies the embedded world.
    fn demo() -> Self {
        let machine = Self::new();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("cockpit.toml");
        fs::copy(shipped, machine.folder.path().join("cockpit.toml")).unwrap();
        machine
    }

    fn with(text: &str) -> Self {
        let machine = Self::new();
        fs::write(machine.folder.path().join("cockpit.toml"), text).unwrap();
        machine
    }

    fn command(&self) -> Command {
        let mut command = Command::cargo_bin("cockpit").unwrap();
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("USER", "ana")
            .timeout(Duration::from_secs(120));
        command
    }

    fn run(&self, words: &[&str]) -> Said {
        let output = self.command().args(words).output().unwrap();
        Said::of(words, &output)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[derive(Debug)]
struct Said {
    #[allow(dead_code)] // told when an assertion fails
    words: String,
    out: String,
    err: String,
    code: i32,
}

impl Said {
    fn of(words: &[&str], output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let said = Self {
            words: words.join(" "),
            out: text(&output.stdout),
            err: text(&output.stderr),
            code: output.status.code().unwrap_or(-1),
        };
        assert!(
            !said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'),
            "an escape code in a pipe: {said:?}"
        );
        said
    }

    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    fn says(self, what: &str) -> Self {
        assert!(self.out.contains(what), "no {what:?} in {self:#?}");
        self
    }

    #[track_caller]
    fn complains(self, what: &str) -> Self {
        assert!(self.err.contains(what), "no {what:?} in {self:#?}");
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

fn commands(command: &clap::Command, above: &[String], out: &mut Vec<Vec<String>>) {
    for sub in command.get_subcommands() {
        let mut words = above.to_vec();
        words.push(sub.get_name().to_owned());
        out.push(words.clone());
        commands(sub, &words, out);
    }
}

#[test]
fn every_command_has_help_and_refuses_strange_words() {
    use clap::CommandFactory as _;
    let machine = Machine::new();
    let mut all = Vec::new();
    commands(&cockpit::cli::Args::command(), &[], &mut all);
    assert!(all.len() > 25, "{all:?}");
    for words in all {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.push("--help");
        machine.run(&words).ends(0).says("Usage: cockpit");
        *words.last_mut().unwrap() = "--no-such-flag";
        machine.run(&words).ends(64).complains("--no-such-flag");
    }
}

#[test]
fn without_a_file_it_says_where_it_looked_and_what_to_do() {
    let machine = Machine::new();
    let lookers: &[&[&str]] = &[
        &[],
        &["status"],
        &["check"],
        &["trust"],
        &["window"],
        &["calendar"],
        &["gate", "x"],
        &["watch", "x"],
        &["brief", "x"],
        &["ack", "x"],
        &["journal", "verify"],
    ];
    for words in lookers {
        machine
            .run(words)
            .ends(78)
            .complains("cockpit.toml")
            .complains("cockpit init")
            .complains("cockpit demo");
    }
}

#[test]
fn a_broken_file_is_said_with_its_place() {
    let machine = Machine::with("title = \"x\"\ntimezon = \"UTC\"\n");
    for words in [["check"], ["trust"], ["status"]] {
        machine
            .run(&words)
            .ends(78)
            .complains("cockpit.toml:2")
            .complains("timezone");
    }
}

#[test]
fn status_prints_text_and_json_and_keeps_to_its_data_dir() {
    let machine = Machine::demo();
    let data = machine.path("data");
    let said = machine.run(&["status", "--data-dir", &data]);
    assert!((0..=3).contains(&said.code), "{said:#?}");
    let said = said.says("CALENDAR");
    assert!(said.out.contains("checkout"), "{said:#?}");
    assert!(Path::new(&data).join("cockpit.db").exists());
    let json = machine.run(&["status", "--json", "--data-dir", &data]);
    assert_eq!(json.json()["format"], 1);
    // The interface in a pipe is the same text.
    let piped = machine.run(&["--data-dir", &data]);
    assert!(piped.out.contains("CALENDAR"), "{piped:#?}");
    machine.run(&["status", "--wait", "soon"]).ends(64);
}

#[test]
fn check_asks_every_connection() {
    let machine = Machine::demo();
    let said = machine.run(&["check", "--json", "--wait", "90s"]).ends(0);
    let json = said.json();
    let asked = json["connections"].as_array().unwrap();
    assert!(asked.len() >= 8, "{said:#?}");
    assert!(asked.iter().all(|c| c["ok"] == true), "{said:#?}");
    let gates = json["gates"].to_string();
    assert!(gates.contains("checkout 20%: needs about"), "{said:#?}");
    machine
        .run(&["check", "--offline"])
        .ends(0)
        .says("ok ")
        .says("unknown  argo (argocd): not asked");
}

const PROM: &str = "title = \"T\"\ntimezone = \"UTC\"\n[environments.production]\nprotected = true\n\
[connections.prom]\nconnector = \"prometheus\"\nurl = \"http://127.0.0.1:1\"\n[[service]]\nname = \"checkout\"\n";

#[test]
fn trust_is_asked_before_anything_is_reached() {
    let machine = Machine::with(PROM);
    machine
        .run(&["check"])
        .ends(78)
        .says("warning")
        .says("no window")
        .says("not asked: the file is not trusted")
        .complains("cockpit trust");
    // Nobody is there to be asked, and no is the default.
    machine
        .run(&["trust"])
        .ends(64)
        .says("connections.prom.url = http://127.0.0.1:1")
        .complains("--digest");
    machine
        .run(&["trust", "--show"])
        .ends(1)
        .says("not trusted");
    machine
        .run(&["trust", "--digest", "0123"])
        .ends(78)
        .complains("does not have that digest");
    let shown = machine.run(&["trust", "--show"]).ends(1);
    let digest = shown
        .out
        .lines()
        .find_map(|l| l.strip_prefix("digest "))
        .unwrap();
    // For one run.
    machine
        .run(&["check", "--trust", digest])
        .ends(69)
        .says("FAILED   prom");
    machine.run(&["trust", "--show"]).ends(1);
    machine
        .run(&["trust", "--digest", digest])
        .ends(0)
        .says("Granted");
    machine.run(&["trust", "--show"]).ends(0);
    machine.run(&["check"]).ends(69).says("FAILED   prom");
    // Another address is another file.
    let moved = PROM.replace("127.0.0.1:1", "127.0.0.1:2");
    fs::write(machine.folder.path().join("cockpit.toml"), moved).unwrap();
    machine
        .run(&["trust", "--show"])
        .ends(1)
        .says("changed: connections.prom.url");
    machine.run(&["trust", "--yes"]).ends(0);
    machine.run(&["trust"]).ends(0).says("trusted already");
}

#[test]
fn init_writes_a_sound_file_and_overwrites_none() {
    let machine = Machine::new();
    machine.run(&["init"]).ends(64).complains("no terminal");
    machine
        .run(&["init", "--yes", "--timezone", "Mars/Olympus"])
        .ends(64)
        .complains("no time zone");
    machine
        .run(&[
            "init",
            "--yes",
            "--title",
            "Bakery \"west\"",
            "--timezone",
            "Europe/Berlin",
            "--service",
            "oven",
            "--service",
            "till",
            "--prometheus",
            "http://127.0.0.1:9090",
            "--argocd",
            "https://argocd.example",
            "--github",
            "acme/oven",
        ])
        .ends(0)
        .says("cockpit check");
    machine
        .run(&["check", "--offline"])
        .ends(0)
        .says("2 services")
        .says("hub (github)");
    let before = fs::read(machine.path("cockpit.toml")).unwrap();
    machine
        .run(&["init", "--yes"])
        .ends(78)
        .complains("never overwritten");
    assert_eq!(fs::read(machine.path("cockpit.toml")).unwrap(), before);
}

#[test]
fn what_it_prints_of_itself() {
    let machine = Machine::new();
    let schema = machine.run(&["schema"]).ends(0).json();
    assert!(schema["properties"]["connections"].is_object());
    let schema = machine.run(&["schema", "--situation"]).ends(0).json();
    assert!(schema["properties"]["band"].is_object());
    machine
        .run(&["completions", "bash"])
        .ends(0)
        .says("_cockpit()");
    machine.run(&["completions", "tcsh"]).ends(64);
    machine
        .run(&["man"])
        .ends(0)
        .says(".TH cockpit")
        .says(".SH KEYS")
        .says("roll back")
        .says("EXIT STATUS");
}

#[test]
fn keys_that_cannot_be_used_are_said_by_check() {
    let machine = Machine::with(&format!("{PROM}[keys]\n\"x\" = \"fly-away\"\n"));
    machine
        .run(&["check", "--offline"])
        .ends(0)
        .says("[keys] is not used")
        .says("fly-away");
}

const WINDOWS: &str = "title = \"T\"\ntimezone = \"Europe/Berlin\"\n[environments.staging]\n[environments.production]\nprotected = true\n\
[[service]]\nname = \"checkout\"\n[[window]]\nname = \"office\"\nenvironments = [\"production\"]\ndays = [\"mon\", \"tue\"]\nfrom = \"09:00\"\nto = \"16:00\"\n\
[[freeze]]\nname = \"audit\"\nenvironments = [\"production\"]\nstart = 2026-12-07\nend = 2026-12-08\nexcept = [\"security\"]\nowner = \"finance\"\n";

#[test]
fn window_answers_for_any_time_without_asking_anybody() {
    let machine = Machine::with(WINDOWS);
    // Tuesday the 1st of December 2026, ten o'clock in Berlin.
    let open = machine
        .run(&["window", "--at", "2026-12-01T10:00:00+01:00", "--json"])
        .ends(0)
        .json();
    assert_eq!(open["state"], "open");
    assert_eq!(open["at"], "2026-12-01T09:00:00Z");
    assert_eq!(open["next_change"], "2026-12-01T15:00:00Z");
    assert_eq!(open["reasons"][0]["rule"], "office");
    assert_eq!(open["reasons"][0]["kind"], "window");
    // Local times are the file's.
    machine
        .run(&["window", "--at", "2026-12-01T08:59"])
        .ends(1)
        .says("closed at");
    // The Monday after is frozen, but not for security.
    let frozen = machine
        .run(&[
            "window",
            "--at",
            "2026-12-07T10:00",
            "--service",
            "checkout",
            "--json",
        ])
        .ends(1)
        .json();
    assert_eq!(frozen["reasons"][0]["kind"], "freeze");
    assert_eq!(frozen["reasons"][0]["owner"], "finance");
    assert_eq!(frozen["reasons"][0]["until"], "2026-12-07T23:00:00Z");
    machine
        .run(&["window", "--at", "2026-12-07T10:00", "--kind", "security"])
        .ends(0);
    machine
        .run(&[
            "window",
            "--at",
            "2026-12-06T10:00",
            "--environment",
            "staging",
        ])
        .ends(0)
        .says("no window is in scope");
    machine
        .run(&["window", "--at", "noon"])
        .ends(64)
        .complains("RFC 3339");
    machine
        .run(&["window", "--service", "chekout"])
        .ends(64)
        .complains("there are checkout");
    machine
        .run(&["window", "--environment", "moon"])
        .ends(64)
        .complains("staging, production");
}

#[test]
fn an_unread_calendar_is_never_open() {
    let text = format!(
        "{WINDOWS}[connections.company]\nconnector = \"calendar\"\nurl = \"http://127.0.0.1:1/x.ics\"\n\
[[calendar]]\nname = \"company\"\nconnection = \"company\"\nrules = [{{ summary = \"*freeze*\", becomes = \"freeze\" }}]\n"
    );
    let machine = Machine::with(&text);
    let said = machine
        .run(&["window", "--at", "2026-12-01T10:00", "--json"])
        .ends(2);
    assert_eq!(said.json()["reasons"][0]["kind"], "calendar");
}

#[test]
fn the_calendar_as_text_and_json() {
    let machine = Machine::demo();
    let said = machine.run(&["calendar"]).says("CALENDAR");
    let json = machine.run(&["calendar", "--json"]);
    assert_eq!(json.code, said.code);
    assert!(!json.json()["strip"].as_array().unwrap().is_empty());
}

#[test]
fn the_calendar_of_a_span_as_text_json_and_a_file_for_others() {
    let text = format!(
        "{WINDOWS}[[release]]\nid = \"2026.50\"\ntitle = \"Baskets, new\"\nenvironment = \"production\"\nplanned = \"2026-12-08T10:00\"\n\
changes = [{{ service = \"checkout\", to = \"2.15\" }}]\n"
    );
    let machine = Machine::with(&text);
    let span = ["calendar", "--from", "2026-12-01", "--to", "2026-12-31"];
    let with = |flag: &'static str| {
        let mut words = span.to_vec();
        words.push(flag);
        words
    };
    machine
        .run(&span)
        .ends(0)
        .says("audit")
        .says("Baskets, new");
    let json = machine.run(&with("--json")).ends(0).json();
    assert_eq!(json["from"], "2026-11-30T23:00:00Z");
    // The day that is named last is part of it.
    assert_eq!(json["to"], "2026-12-31T23:00:00Z");
    let kinds: Vec<&str> = json["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    for kind in ["release", "watch", "freeze", "window"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let file = machine.run(&with("--ics")).ends(0);
    assert!(file.out.starts_with("BEGIN:VCALENDAR\r\n") && file.out.ends_with("END:VCALENDAR\r\n"));
    assert!(
        file.out.contains("SUMMARY:FREEZE audit\r\n"),
        "{}",
        file.out
    );
    assert!(
        file.out.contains("SUMMARY:Release Baskets\\, new\r\n"),
        "{}",
        file.out
    );
    assert!(
        file.out.contains("DTSTART:20261208T090000Z\r\n"),
        "{}",
        file.out
    );
    machine
        .run(&["calendar", "--from", "2026-12-01", "--to", "2026-11-01"])
        .ends(64)
        .complains("not after");
    machine
        .run(&["calendar", "--from", "soon"])
        .ends(64)
        .complains("no day or time");
    machine
        .run(&["calendar", "--from", "2026-01-01", "--to", "2028-01-01"])
        .ends(64)
        .complains("at most 400 days");
}

#[test]
fn a_file_for_others_says_what_is_missing_in_it() {
    let text = format!(
        "{WINDOWS}[connections.company]\nconnector = \"calendar\"\nfile = \"none.ics\"\n\
[[calendar]]\nname = \"all of us\"\nconnection = \"company\"\nrules = [{{ summary = \"*freeze*\", becomes = \"freeze\" }}]\n"
    );
    let machine = Machine::with(&text);
    let words = [
        "calendar",
        "--ics",
        "--from",
        "2026-12-01",
        "--to",
        "2026-12-31",
    ];
    machine.run(&["trust", "--yes"]).ends(0);
    machine
        .run(&words)
        .ends(2)
        .complains("the calendar all of us was not read")
        .says("FREEZE audit");
    let ics = "BEGIN:VCALENDAR\r\nX-WR-CALNAME:Company\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Company freeze\r\nDTSTART;VALUE=DATE:20261214\r\nDTEND;VALUE=DATE:20261216\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Party\r\nDTSTART;VALUE=DATE:20261217\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    fs::write(machine.path("none.ics"), ics).unwrap();
    // A calendar's own name is not its connection's: its freeze holds all the same.
    machine
        .run(&words)
        .ends(0)
        .says("SUMMARY:FREEZE Company freeze\r\n");
    machine
        .run(&["window", "--at", "2026-12-14T10:00", "--json"])
        .ends(1);
    let said = machine.run(&["check"]);
    assert!(
        said.out.contains("1 that no rule matches: Party"),
        "{said:#?}"
    );
}

#[test]
fn a_coming_day_without_a_freeze_is_a_warning() {
    let machine = Machine::with(WINDOWS);
    // Ninety days hold the end of a quarter, whenever this runs, or come close to one.
    let said = machine.run(&["check", "--offline"]).ends(0);
    let today = chrono::Utc::now().date_naive();
    use chrono::Datelike as _;
    let soon = (2..89).any(|n| {
        let day = today + chrono::Days::new(n);
        day.day() == 1 && matches!(day.month(), 1 | 4 | 7 | 10)
    });
    assert_eq!(
        said.out
            .contains("no freeze is on record for the end of quarter"),
        soon,
        "{said:#?}"
    );
    let always = format!("{WINDOWS}[[freeze]]\nname = \"always\"\nstart = 2020-01-01\n");
    let said = Machine::with(&always).run(&["check", "--offline"]).ends(0);
    assert!(!said.out.contains("no freeze is on record"), "{said:#?}");
}

#[test]
fn the_judge_says_its_verdict_by_its_exit_code() {
    let machine = Machine::new();
    let ratio = |new: &str, baseline: &str| {
        machine.run(&[
            "judge",
            "--kind",
            "ratio",
            "--baseline",
            baseline,
            "--new",
            new,
        ])
    };
    ratio("31/4100", "12/4800").ends(1).says("fail");
    ratio("900/100000", "1000/100000").ends(0).says("pass");
    ratio("20/4100", "12/4800").ends(2).says("undecided");
    ratio("many", "12/4800").ends(64).complains("31/4100");
    ratio("5000/4100", "12/4800")
        .ends(64)
        .complains("more events");
    let json = machine
        .run(&[
            "judge",
            "--kind",
            "ratio",
            "--baseline",
            "12/4800",
            "--new",
            "31/4100",
            "--json",
        ])
        .ends(1)
        .json();
    assert_eq!(json["verdict"], "fail");
    for (flag, value) in [
        ("--tolerance", "0.5"),
        ("--phi", "0.2"),
        ("--day-sd=-1", ""),
    ] {
        let mut words = vec![
            "judge",
            "--kind",
            "ratio",
            "--baseline",
            "1/2",
            "--new",
            "1/2",
            flag,
        ];
        words.extend(Some(value).filter(|v| !v.is_empty()));
        machine.run(&words).ends(64);
    }
    let file = |name: &str, level: f64| {
        let lines: Vec<String> = (0..40)
            .map(|i| format!("{i},{}", level + f64::from(i % 7)))
            .collect();
        fs::write(
            machine.path(name),
            format!("minute,p95\n{}\n", lines.join("\n")),
        )
        .unwrap();
        machine.path(name)
    };
    let (old, same, worse) = (
        file("a.csv", 100.0),
        file("b.csv", 101.0),
        file("c.csv", 200.0),
    );
    let quantile = |new: &str| {
        machine.run(&[
            "judge",
            "--kind",
            "quantile",
            "--baseline",
            &old,
            "--new",
            new,
        ])
    };
    quantile(&same).ends(0);
    quantile(&worse).ends(1);
    quantile("none.csv").ends(64).complains("none.csv");
    fs::write(machine.path("bad.csv"), "1\nx\n").unwrap();
    quantile(&machine.path("bad.csv"))
        .ends(64)
        .complains("bad.csv:2");
}

#[test]
fn the_judge_answers_a_pipeline_in_json_with_every_key() {
    let machine = Machine::new();
    let judge = |words: &[&str]| {
        let mut all = vec!["judge", "--json"];
        all.extend(words);
        machine.run(&all)
    };
    let ratio = [
        "--kind",
        "ratio",
        "--baseline",
        "1000/100000",
        "--new",
        "900/100000",
    ];
    let with = |more: &[&'static str]| [&ratio[..], more].concat();
    let keys = |answer: &serde_json::Value| {
        for key in [
            "verdict",
            "n",
            "estimate",
            "interval",
            "tolerance",
            "p_value",
            "smallest_visible",
        ] {
            assert!(answer.get(key).is_some(), "{key}: {answer:#}");
        }
    };
    let plain = judge(&ratio).ends(0).json();
    keys(&plain);
    assert_eq!(
        (&plain["n"], &plain["tolerance"]),
        (&100_000.into(), &1.5.into())
    );
    assert_eq!(plain["notes"], serde_json::json!(["Poisson assumed"]));
    assert!(
        (plain["estimate"].as_f64().unwrap() - 0.9).abs() < 1e-9,
        "{plain:#}"
    );
    assert!(
        plain["interval"]["upper"].as_f64().unwrap() < 1.5,
        "{plain:#}"
    );
    assert!(
        plain["smallest_visible"].as_f64().unwrap() >= 1.5,
        "{plain:#}"
    );
    assert!(plain["p_value"].is_null(), "evidence is no p-value");
    machine
        .run(&[&["judge"][..], &ratio].concat())
        .ends(0)
        .says("Poisson assumed");
    // What is given is not assumed, and costs evidence.
    let noisy = judge(&with(&["--phi", "40"])).ends(2).json();
    assert_eq!(noisy["notes"], serde_json::json!([]));
    judge(&with(&["--day-sd", "0.3"])).ends(2);
    let strict = judge(&with(&["--tolerance", "1.01"])).ends(2).json();
    assert_eq!(strict["tolerance"], 1.01);
    // A fall of what should be high is as bad as a rise of what should be low.
    let half = [
        "--kind",
        "ratio",
        "--baseline",
        "5000/100000",
        "--new",
        "2500/100000",
    ];
    judge(&half).ends(0);
    judge(&[&half[..], &["--direction", "higher-is-better"]].concat()).ends(1);
    // No data is no pass.
    judge(&[
        "--kind",
        "ratio",
        "--baseline",
        "1000/100000",
        "--new",
        "0/0",
    ])
    .ends(2);
    judge(&["--kind", "ratio", "--baseline", "0/0", "--new", "0/100"]).ends(2);
    let file = |name: &str, values: &[f64]| {
        let lines: Vec<String> = values.iter().map(f64::to_string).collect();
        fs::write(machine.path(name), lines.join("\n")).unwrap();
        machine.path(name)
    };
    let level = |base: f64| (0..40).map(|i| base + f64::from(i % 7)).collect::<Vec<_>>();
    let old = file("old.csv", &level(100.0));
    let quantile = |new: &str, more: &[&str]| {
        judge(
            &[
                &["--kind", "quantile", "--baseline", &old, "--new", new][..],
                more,
            ]
            .concat(),
        )
    };
    let same = quantile(&file("same.csv", &level(101.0)), &[])
        .ends(0)
        .json();
    keys(&same);
    assert_eq!((&same["n"], &same["tolerance"]), (&40.into(), &1.25.into()));
    assert!(
        same["p_value"]
            .as_f64()
            .is_some_and(|p| (0.0..=1.0).contains(&p)),
        "{same:#}"
    );
    // Seven of ten points a hundredfold, the rest as ever.
    let mut part = level(100.0);
    part.truncate(10);
    part.iter_mut().take(7).for_each(|v| *v *= 100.0);
    let part = quantile(&file("part.csv", &part), &[]);
    assert_ne!(part.json()["verdict"], "pass");
    quantile(&file("few.csv", &level(100.0)[..9]), &[]).ends(2);
    quantile(&file("empty.csv", &[]), &[]).ends(2);
    quantile(
        &file("low.csv", &level(50.0)),
        &["--direction", "higher-is-better"],
    )
    .ends(1);
    fs::write(machine.path("nan.csv"), "1\nNaN\n").unwrap();
    quantile(&machine.path("nan.csv"), &[])
        .ends(64)
        .complains("nan.csv:2");
    quantile(&old, &["--phi", "2"])
        .ends(64)
        .complains("--kind ratio");
}

#[test]
fn documents_are_printed_and_a_stranger_is_named() {
    let machine = Machine::demo();
    for (word, holds) in [
        ("brief", "checkout"),
        ("handoff", "checkout"),
        ("review", "checkout"),
        ("notes", "2.14.0"),
    ] {
        machine.run(&[word, RELEASE]).ends(0).says("# ").says(holds);
    }
    machine
        .run(&["brief", "nonsense"])
        .ends(64)
        .complains(RELEASE);
    // A person's own template takes the place of ours.
    let own = machine.home.path().join(".config/cockpit/templates");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("notes.md"), "# own {{ release.title }}\n").unwrap();
    machine
        .run(&["notes", RELEASE])
        .ends(0)
        .says("# own checkout");
    fs::write(own.join("notes.md"), "{{ nothing }}\n").unwrap();
    machine
        .run(&["notes", RELEASE])
        .ends(78)
        .complains("line 1");
}

#[test]
fn a_wish_is_rehearsed_done_once_and_refused_with_its_reason() {
    let machine = Machine::demo();
    machine
        .run(&["brief", RELEASE, "--send", "--dry-run", "--wait", "90s"])
        .ends(0)
        .says("would send over slack: POST")
        .says("Nothing was done");
    let head =
        |m: &Machine| m.run(&["journal", "verify", "--json"]).ends(0).json()["count"].clone();
    let before = head(&machine);
    // The author may not approve; somebody with the role may.
    machine
        .run(&["approve", RELEASE, "--by", "lena"])
        .ends(1)
        .complains("may not approve");
    machine
        .run(&["approve", RELEASE, "--by", "tom", "--dry-run"])
        .ends(0)
        .says("would journal approved");
    assert_eq!(head(&machine), before);
    machine.run(&["approve", RELEASE, "--by", "tom"]).ends(0);
    assert_ne!(head(&machine), before);
    machine
        .run(&["approve", RELEASE, "--by", "tom", "--read-only"])
        .ends(1);
}

/// A release whose brief goes out by a program that ends as it is told.
const BRIEF: &str = r##"title = "brief"
timezone = "UTC"
[environments.production]
[connections.chat]
connector = "command"
post_message = ["./chat"]
[people.ana]
os = "ana"
[people.kai]
os = "kai"
[oncall]
channels = [{ connection = "chat", channel = "#releases" }]
[[oncall.rotation]]
level = 1
people = ["kai"]
start = 2026-11-02T09:00:00
turn = "7d"
[[service]]
name = "checkout"
[[release]]
id = "r1"
title = "one"
environment = "production"
driver = "ana"
changes = [{ service = "checkout", from = "1.0.0", to = "2.0.0", reversible = true }]
"##;

#[test]
fn a_brief_of_which_nobody_knows_whether_it_arrived_ends_with_two() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::with(BRIEF);
    let tool = machine.folder.path().join("chat");
    let ends = |script: &str| {
        fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    };
    ends("exit 75");
    machine.run(&["trust", "--yes"]).ends(0);
    let send = ["brief", "r1", "--send", "--wait", "5s"];
    machine.run(&send).ends(2).complains("outcome unknown");
    ends("echo no such channel >&2; exit 1");
    machine.run(&send).ends(1).complains("no such channel");
    ends("echo '{\"id\": \"m1\"}'");
    machine.run(&send).ends(0).complains("confirmed");
}

#[test]
fn a_backtest_reads_the_demo_s_history_and_ends_with_its_counts() {
    let machine = Machine::demo();
    let words = ["backtest", "--days", "2", "--service", "checkout"];
    let said = machine.run(&words).says("watches of at most 1 d");
    assert!([0, 2].contains(&said.code), "{said:#?}");
    let json = machine
        .run(&["backtest", "--days", "2", "--service", "checkout", "--json"])
        .json();
    let all = json["triggers"].as_array().unwrap();
    assert!(all.len() >= 3, "{json:#}");
    for t in all {
        assert_eq!(t["minutes"], 2 * 1440, "{t:#}");
        assert!(t["confirmed"].as_u64() <= t["trips"].as_u64());
    }
    machine
        .run(&["backtest", "--service", "nobody"])
        .ends(64)
        .complains("checkout");
    machine.run(&["backtest", "--days", "0"]).ends(64);
    Machine::with(BRIEF).run(&["backtest"]).ends(3);
}

/// A release under a hard freeze, and no vendor at all.
const FROZEN: &str = r#"
timezone = "Europe/Berlin"
[environments.production]
protected = true
[[service]]
name = "checkout"
[[freeze]]
name = "year end"
start = 2020-01-01
strength = "hard"
override_by = ["release-manager"]
owner = "finance"
[people.ana]
os = "ana"
roles = ["driver"]
[people.lena]
os = "lena"
roles = ["service-owner"]
[people.tom]
os = "tom"
roles = ["release-manager"]
[approvals]
normal = { of = ["release-manager"], count = 1 }
[[release]]
id = "r1"
environment = "production"
driver = "ana"
author = "lena"
changes = [{ service = "checkout", to = "2.0.0" }]
"#;

#[test]
fn an_override_is_asked_for_refused_to_its_asker_and_confirmed_by_another() {
    let machine = Machine::with(FROZEN);
    machine.run(&["trust", "--yes"]).ends(0);
    let rule = "freeze/year end";
    machine
        .run(&["override", "r1"])
        .ends(0)
        .says("freeze/year end: Ask to override freeze/year end (--reason; --typed checkout)");
    machine
        .run(&["override", "r1", rule, "--reason", "fire"])
        .ends(1)
        .complains("type checkout to confirm");
    let typed = |more: &[&str]| {
        let mut words = vec!["override", "r1", rule, "--typed", "checkout"];
        words.extend(more);
        machine.run(&words)
    };
    typed(&["--second", "tom", "--reason", "fire", "--dry-run"])
        .ends(0)
        .says("would journal override_asked");
    typed(&["--reason", "fire"]).ends(0);
    machine
        .run(&["override", "r1"])
        .ends(0)
        .says("asked: override of freeze/year end asked by ana (fire): tom may confirm until");
    for own in ["ana", "ANA"] {
        typed(&["--second", own])
            .ends(1)
            .complains("ana asked for it: the second person is somebody else; tom may confirm it");
    }
    typed(&["--second", "lena"])
        .ends(1)
        .complains("lena may not confirm it");
    typed(&["--break-glass", "--reason", "fire"])
        .ends(1)
        .complains("tom was asked and may still answer");
    // Tom, at his own keys on the same journal.
    let mut command = machine.command();
    let words = ["override", "r1", rule, "--typed", "checkout"];
    let output = command.env("USER", "tom").args(words).output().unwrap();
    Said::of(&words, &output).ends(0);
    machine
        .run(&["override", "r1"])
        .ends(0)
        .says("freeze/year end is overridden by ana until")
        .says("second person tom (os user)");
    let json = machine.run(&["status", "--json"]).json();
    assert_eq!(
        json["clearance"]["overrides"][0]["mark"]["word"],
        "in force"
    );
    let debts = json["debts"].as_array().unwrap();
    assert_eq!(debts[0]["debt"]["owner"], "ana");
    machine.run(&["override", "r1"]).ends(0);
}

#[test]
fn an_approval_is_asked_for_and_given_at_ones_own_login() {
    let machine = Machine::with(FROZEN);
    machine.run(&["trust", "--yes"]).ends(0);
    machine
        .run(&["approve", "r1", "--ask", "--note", "before four"])
        .ends(0);
    machine
        .run(&["status", "--plain"])
        .says("approval: class normal needs 1 approval of release-manager; has 0; asked by ana")
        .says("risk normal:");
    let mut command = machine.command();
    let words = ["approve", "r1", "--by", "tom"];
    let output = command.env("USER", "tom").args(words).output().unwrap();
    Said::of(&words, &output).ends(0);
    let json = machine.run(&["status", "--json"]).json();
    assert_eq!(json["clearance"]["approval"]["given"][0]["how"], "os user");
    machine.run(&["approve", "r1"]).ends(64).complains("--by");
}

#[test]
fn the_gate_of_a_release_has_an_exit_code() {
    let machine = Machine::demo();
    let said = machine.run(&["gate", RELEASE, "--wait", "5s", "--json"]);
    let json = said.json();
    assert!(!json["gates"].as_array().unwrap().is_empty(), "{said:#?}");
    let word = json["verdict"]["verdict"].as_str().unwrap();
    let code = match word {
        "pass" => 0,
        "fail" => 1,
        "undecided" => 2,
        _ => 3,
    };
    assert_eq!(said.code, code, "{said:#?}");
    // Words say the same.
    let text = machine.run(&["gate", RELEASE, "--wait", "5s"]);
    assert!(
        text.out
            .starts_with(["pass", "fail", "undecided", "not run"][text.code as usize]),
        "{text:#?}"
    );
    machine
        .run(&["gate", "nonsense"])
        .ends(64)
        .complains(RELEASE);
}

#[test]
fn the_journal_is_verified_exported_and_copied() {
    let machine = Machine::demo();
    machine
        .run(&["journal", "verify"])
        .ends(69)
        .complains("no journal");
    machine.run(&["status", "--data-dir", "data"]);
    let data = ["--data-dir", "data"];
    let run = |words: &[&str]| machine.run(&[words, &data[..]].concat());
    let verified = run(&["journal", "verify", "--json"]).ends(0).json();
    let head = verified["head"].as_str().unwrap().to_owned();
    run(&["journal", "verify", &head]).ends(0).says("verified");
    let other = format!("{}:000000000000", head.split(':').next().unwrap());
    run(&["journal", "verify", &other]).ends(1).says("broken");
    run(&["journal", "verify", "x"])
        .ends(64)
        .complains("42:0123456789abcdef");
    let lines = run(&["journal", "export"]).ends(0).out;
    assert_eq!(
        lines.lines().count() as u64,
        verified["count"].as_u64().unwrap()
    );
    run(&["journal", "export", "out.jsonl"]).ends(0);
    assert_eq!(
        fs::read_to_string(machine.path("out.jsonl")).unwrap(),
        lines
    );
    run(&["journal", "export", "out.jsonl"]).ends(69);
    run(&["journal", "verify", "--export", "out.jsonl", &head]).ends(0);
    let forged = lines.replacen("ana", "eva", 1);
    fs::write(machine.path("forged.jsonl"), forged).unwrap();
    run(&["journal", "verify", "--export", "forged.jsonl"]).ends(1);
    run(&["journal", "backup", "copy.db"])
        .ends(0)
        .says("verified");
    run(&["journal", "backup", "copy.db"]).ends(69);
}

#[test]
fn connectors_are_listed_shown_begun_and_tested() {
    let machine = Machine::new();
    machine
        .run(&["connector", "list"])
        .ends(0)
        .says("argocd")
        .says("prometheus");
    assert!(
        machine
            .run(&["connector", "list", "--json"])
            .ends(0)
            .json()
            .as_array()
            .unwrap()
            .len()
            >= 11
    );
    machine
        .run(&["connector", "show", "argocd"])
        .ends(0)
        .says("token")
        .says("rollback");
    machine
        .run(&["connector", "show", "argocd", "--source"])
        .ends(0)
        .says("[read.deployments]");
    machine
        .run(&["connector", "show", "argo"])
        .ends(64)
        .complains("argocd");
    let shipped = format!(
        "{}/assets/connectors/github.toml",
        env!("CARGO_MANIFEST_DIR")
    );
    machine
        .run(&["connector", "test", &shipped])
        .ends(0)
        .says("0 failed");
    machine.run(&["connector", "new", "Bad Id"]).ends(64);
    // A begun connector passes its own rows, and is there by its id.
    machine.run(&["connector", "new", "ferry"]).ends(0);
    let file = machine
        .home
        .path()
        .join(".config/cockpit/connectors/ferry.toml");
    let name = file.display().to_string();
    machine
        .run(&["connector", "test", &name])
        .ends(0)
        .says("2 rows, 0 failed");
    machine
        .run(&["connector", "list"])
        .ends(0)
        .says("ferry")
        .says("your own");
    machine
        .run(&["connector", "new", "ferry"])
        .ends(78)
        .complains("never overwritten");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("live: \"succeeded\"", "live: \"failed\""),
    )
    .unwrap();
    machine
        .run(&["connector", "test", &name])
        .ends(1)
        .says("FAILED");
    fs::write(&file, "format = 1\nidd = \"x\"\n").unwrap();
    machine.run(&["connector", "test", &name]).ends(78);
    machine
        .run(&["connector", "test", "none.toml"])
        .ends(69)
        .complains("none.toml");
}

#[test]
fn the_log_is_kept_only_when_asked_for() {
    let machine = Machine::with(PROM);
    let log = machine.folder.path().join("data/cockpit.log");
    machine.run(&["check", "--data-dir", "data"]);
    assert!(!log.exists());
    machine
        .run(&["trust", "--yes", "--data-dir", "data"])
        .ends(0);
    machine
        .command()
        .env("COCKPIT_LOG", "debug")
        .args(["status", "--wait", "5s", "--data-dir", "data"])
        .output()
        .unwrap();
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("begins") && text.contains("Status"), "{text}");
    machine
        .run(&["status", "--log", "loud"])
        .ends(64)
        .complains("no log level");
}

/// A watch under way: its lines come one by one, and a signal ends it.
#[test]
fn watch_prints_a_line_a_change_and_ends_on_a_signal() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    for (signal, number) in [
        (rustix::process::Signal::TERM, 15),
        (rustix::process::Signal::INT, 2),
        (rustix::process::Signal::HUP, 1),
    ] {
        let machine = Machine::demo();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_cockpit"))
            .args(["watch", RELEASE])
            .current_dir(machine.folder.path())
            .env_clear()
            .env("HOME", machine.home.path())
            .env("USER", "ana")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("checkout 2026.47"), "{first}");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        // Reading on until it closes its end: a pipe that is full would keep it from ending.
        for line in lines.map_while(Result::ok) {
            assert!(!line.contains('\u{1b}'), "{line}");
            assert!(Instant::now() < end, "it goes on after the signal");
        }
        assert_eq!(child.wait().unwrap().code(), Some(128 + number));
    }
    Machine::demo()
        .run(&["watch", "nonsense"])
        .ends(64)
        .complains(RELEASE);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::Stdio;
    let machine = Machine::new();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_cockpit"))
        .args(["schema", "--situation"])
        .env_clear()
        .env("HOME", machine.home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}
