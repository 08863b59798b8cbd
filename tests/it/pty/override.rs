//! The override's journey: a hard freeze refuses, one asks, the same one is refused as second person, another confirms.

use std::time::Duration;

use super::terminal::Terminal;
use super::world::{advance, control, journal};

/// Shift-tab: from Cancel to the last line to fill in.
const BACK_TAB: &str = "\x1b[Z";
const REFUSED: &str = "Refused: deploy";
const RULE: &str = "freeze/FREEZE flash sale";

/// The release that waits becomes the one that everything is about.
fn look_at_search(t: &mut Terminal) {
    for _ in 0..5 {
        t.send("l");
        t.see("web 2026.47  production");
        t.send("j");
        t.quiet(Duration::from_millis(300));
        t.send(" ");
        t.gone("web 2026.47  production");
        t.quiet(Duration::from_millis(500));
        if t.text().contains("│ search 2026.47") {
            return;
        }
    }
    panic!("search is not looked at:\n{}", t.text());
}

/// `D` until it is refused by the freeze alone: before that its calendar, images and deployments have to be read.
fn refused_by_the_freeze(t: &mut Terminal) {
    for _ in 0..60 {
        t.send("u");
        t.quiet(Duration::from_millis(500));
        t.send("D");
        t.until("an answer to D", |t| {
            t.text().contains(REFUSED) || t.text().contains("[ Cancel ]")
        });
        // A frame may still be coming.
        t.quiet(Duration::from_millis(300));
        let alone = t.text().contains(RULE) && t.text().matches("rule      ").count() == 1;
        if alone {
            return;
        }
        t.send("\x1b");
        t.until("the panes", |t| {
            !t.text().contains(REFUSED) && !t.text().contains("[ Cancel ]")
        });
    }
    panic!("not refused by the freeze alone:\n{}", t.text());
}

#[test]
fn a_hard_freeze_is_overridden_by_two_and_by_nobody_alone() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["freeze", "--fresh"]);
    t.see("checkout 2026.47");
    control(data.path());
    // Ten to five, and the flash sale's freeze has begun: it says what it strands.
    advance(data.path(), 9 * 60);
    look_at_search(&mut t);
    refused_by_the_freeze(&mut t);
    // Why, whose rule, until when, and the way out.
    for words in [
        "frozen by FREEZE flash sale",
        "until     ",
        "08:00 CET",
        "way out",
        "o override",
    ] {
        assert!(t.text().contains(words), "no {words}:\n{}", t.text());
    }
    // Ana drives and is no release manager: she asks.
    t.send("o");
    t.see("Ask to override");
    assert!(
        t.text().contains("tom has to confirm it, not you"),
        "{}",
        t.text()
    );
    t.send(&format!("{BACK_TAB}search{BACK_TAB}the index is broken"));
    t.until("what was typed", |t| {
        t.text().contains("the index is broken")
    });
    t.send("\t\t\t\r");
    t.gone("[ Cancel ]");
    t.see("override of freeze/FREEZE flash sale asked by ana");
    // Still refused; the same key now confirms, and not for her.
    refused_by_the_freeze(&mut t);
    assert!(t.text().contains("o confirm"), "{}", t.text());
    t.send("o");
    t.see("Confirm the override");
    confirm_as(&mut t, "Ana");
    t.see("ana asked for it: the second person is somebody else");
    t.send("\x1b");
    t.gone("Refused: Confirm the override");
    // What went wrong stays below until it is dismissed.
    t.send("\x1b");
    t.gone("ana asked for it: the second person is somebody else");
    // Another name, by word.
    refused_by_the_freeze(&mut t);
    t.send("o");
    t.see("Confirm the override");
    confirm_as(&mut t, "tom");
    t.see("second person tom (by word, taken by ana)");
    // Permitted now: the dialog opens, and Cancel has the focus.
    t.see("NEXT  D  deploy");
    t.send("D");
    t.see("[ Cancel ]");
    assert!(
        t.text().contains("8.1.0") && t.text().contains("8.2.0"),
        "{}",
        t.text()
    );
    t.send("\x1b");
    t.gone("[ Cancel ]");
    // And it is owed.
    t.send("d");
    t.see("overrode freeze/FREEZE flash sale: the index is broken");
    t.send("\x1b");
    let kinds: Vec<String> = journal(data.path())
        .iter()
        .map(|e| e.event.kind.clone())
        .filter(|k| k.starts_with("overr"))
        .collect();
    assert_eq!(kinds, ["override_asked", "overridden"]);
}

/// The name, the typed word, and the button.
fn confirm_as(t: &mut Terminal, name: &str) {
    t.send(&format!("{BACK_TAB}search{BACK_TAB}{name}"));
    t.until("the name", |t| {
        let rows: Vec<String> = t.screen().rows(0, 200).collect();
        rows.iter()
            .any(|r| r.contains("second person") && r.contains(name))
    });
    t.send("\t\t\t\r");
    t.gone("[ Cancel ]");
}
