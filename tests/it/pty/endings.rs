//! However it ends, the terminal is given back.

use std::time::Duration;

use rustix::process::Signal;

use super::terminal::{PATIENCE, Start, Terminal};
use super::tour::confirm_rollback;

/// Far more than the figure (20 ms, see `benches/figures.rs`), so that a loaded machine does not fail it.
const SOON: Duration = Duration::from_millis(500);

#[test]
fn q_leaves_at_once_and_gives_the_terminal_back() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["--fresh"]);
    t.see("NEXT");
    assert!(t.screen().alternate_screen() && t.screen().hide_cursor());
    assert!(t.screen().bracketed_paste() && t.faults().contains("raw mode"));
    t.send("q");
    let took = t.given_back();
    assert!(took < SOON, "{took:?}");
    assert_eq!(t.end(), 0);
    assert!(t.restored(), "{}", t.faults());
}

#[test]
fn a_signal_gives_the_terminal_back_reads_in_flight_or_not() {
    let data = tempfile::tempdir().unwrap();
    for (signal, number, ready) in [
        (Signal::TERM, 15, "PRODUCTION"),
        (Signal::INT, 2, "reading cockpit.toml"),
        (Signal::HUP, 1, "NEXT"),
    ] {
        let mut t = Terminal::demo(data.path(), &["--fresh"]);
        t.see(ready);
        t.signal(signal);
        let took = t.given_back();
        assert!(took < SOON, "{signal:?}: {took:?}");
        assert_eq!(t.end(), 128 + number, "{signal:?}");
        assert!(t.restored(), "{signal:?}: {}", t.faults());
    }
}

#[test]
fn a_terminal_that_goes_away_ends_the_program() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["--fresh"]);
    t.see("NEXT");
    t.hang_up();
    let ended = crate::real::running::until(PATIENCE, || t.ended());
    assert!(ended, "it runs on without a terminal");
}

#[test]
fn q_asks_while_an_act_is_in_flight() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["--fresh"]);
    t.see("ROLL BACK");
    confirm_rollback(&mut t);
    t.see("ROLLBACK ");
    t.send("q");
    t.see("Leave while something is under way?");
    // Stay has the focus.
    t.send("\r");
    t.gone("Leave while something is under way?");
    assert!(!t.ended());
    t.send("q");
    t.see("Leave while something is under way?");
    t.send("\t\r");
    assert_eq!(t.end(), 0);
    assert!(t.restored(), "{}", t.faults());
}

#[test]
fn a_storm_of_sizes_ends_in_a_whole_picture() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["--fresh"]);
    t.see("PRODUCTION");
    for i in 0u16..60 {
        t.resize(1 + i * 37 % 220, 1 + i * 13 % 60);
        t.send("jk");
    }
    t.resize(200, 50);
    t.see("PRODUCTION");
    t.until("all six panes", |t| {
        [
            "1 Calendar",
            "2 Deploys",
            "3 Checklist",
            "4 Metrics",
            "5 On-call",
            "6 Journal",
        ]
        .iter()
        .all(|p| t.text().contains(p))
    });
    t.send("q");
    assert_eq!(t.end(), 0);
    assert!(t.restored(), "{}", t.faults());
}

#[test]
fn without_a_terminal_it_prints_text_and_no_escape() {
    let data = tempfile::tempdir().unwrap();
    let out = std::process::Command::new(super::terminal::binary())
        .args([
            "--data-dir",
            data.path().to_str().unwrap(),
            "demo",
            "--fresh",
        ])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        text.contains("production") && text.contains("NEXT"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
    // Whatever it says, it is no pass (1), or not known yet (2).
    assert!(matches!(out.status.code(), Some(1 | 2)), "{text}");
}

#[test]
fn without_a_file_it_says_what_it_looked_for_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let mut t = Terminal::start(Start {
        folder: Some(folder.path()),
        env: vec![("XDG_CONFIG_HOME", home), ("HOME", home)],
        ..Start::default()
    });
    assert_eq!(t.end(), 78);
    let text = t.text();
    for words in ["cockpit.toml", "cockpit init", "cockpit demo"] {
        assert!(text.contains(words), "{text}");
    }
    assert!(
        !String::from_utf8_lossy(&t.raw).contains("[?1049h"),
        "the screen was never taken"
    );
}
