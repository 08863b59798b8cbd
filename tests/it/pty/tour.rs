//! The five-minute tour, from the first screen to the handoff, and what is left of it after a crash.

use super::terminal::Terminal;
use super::world::{acts, count, journal};

/// Shift-tab: from Cancel to the last line to fill in.
const BACK_TAB: &str = "\x1b[Z";

/// Opens the rollback's dialog, once what it needs was read: before that it is refused with why.
pub fn open_rollback(t: &mut Terminal) {
    t.see("NEXT  R  roll back");
    for _ in 0..100 {
        t.send("R");
        t.until("an answer to R", |t| {
            ["[ Cancel ]", "Refused: roll back", "permitted now"]
                .iter()
                .any(|words| t.text().contains(words))
        });
        if t.text().contains("[ Cancel ]") {
            return;
        }
        t.send("\x1b");
        t.until("the panes", |t| {
            !["Refused: roll back", "permitted now"]
                .iter()
                .any(|words| t.text().contains(words))
        });
        t.quiet(std::time::Duration::from_millis(500));
    }
    panic!("refused again and again:\n{}", t.text());
}

/// `R`, the word typed, a reason given, confirmed.
pub fn confirm_rollback(t: &mut Terminal) {
    open_rollback(t);
    t.send(&format!("{BACK_TAB}checkout-2026.47{BACK_TAB} drill"));
    t.until("what was typed", |t| {
        t.text().contains("drill") && t.text().matches("checkout-2026.47").count() > 1
    });
    t.send("\t\t\t\r");
    t.gone("[ Cancel ]");
}

#[test]
fn the_tour_from_the_first_screen_to_the_handoff_and_after_a_crash() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["--fresh", "--speed", "10"]);
    t.see("ROLL BACK");
    for words in [
        "PRODUCTION",
        "DEMO",
        "checkout 2026.47",
        "driver ana",
        "auto off",
        "tour 1/8",
    ] {
        assert!(t.text().contains(words), "no {words}:\n{}", t.text());
    }
    // A reason, and what stands behind it.
    t.send("0");
    t.see("tour 2/8");
    t.send("\r");
    t.escape("esc back");
    // Going on is refused, with why and until when.
    t.send("p");
    t.see("Refused: promote");
    assert!(t.text().contains("until "), "{}", t.text());
    t.escape("Refused: promote");
    // The trigger trips without a key.
    t.see("of 2.0×, 5 m of 5 m");
    // Cancel has the focus: Enter does nothing.
    open_rollback(&mut t);
    t.send("\r");
    t.gone("[ Cancel ]");
    let asked = acts(data.path());
    assert_eq!(asked["acts"].as_array().map(Vec::len), Some(0), "{asked}");
    // Typed and confirmed, it is done step by step.
    confirm_rollback(&mut t);
    t.see("ROLLBACK ");
    t.send("x");
    t.see("confirmed");
    t.send("\x1b");
    t.see("to hand off, line by line");
    let rolled = acts(data.path());
    rolled_back_once(&rolled);
    t.send("H");
    t.see("[ Cancel ]");
    t.send("\t\r");
    t.see("journaled");
    t.send("\x1b");
    t.see("tour 7/8");
    let before = journal(data.path());
    assert!(
        before.iter().any(|e| e.event.kind.starts_with("handoff")),
        "no handoff is written"
    );
    // The hard way out, and back.
    t.kill();
    let mut t = Terminal::demo(data.path(), &["--speed", "10"]);
    t.see("2.13.4");
    // Its handoff is open again, and the tour goes on behind it.
    t.see("tour 8/8");
    let after = journal(data.path());
    assert_eq!(
        after[..before.len()],
        before[..],
        "the journal lost or changed something"
    );
    let kinds = |of: &[cockpit::store::StoredEvent], kind: &str| {
        of.iter().filter(|e| e.event.kind == kind).count()
    };
    for kind in ["plan_started", "plan_ended", "intended", "trigger_tripped"] {
        assert_eq!(kinds(&after, kind), kinds(&before, kind), "{kind} again");
    }
    rolled_back_once(&acts(data.path()));
    t.send("q");
    assert_eq!(t.end(), 0);
}

/// One rollback a service, and no application held or let go twice.
pub fn rolled_back_once(acts: &serde_json::Value) {
    assert!(
        (1..=2).contains(&count(acts, "argocd.rollback")),
        "{acts:#}"
    );
    let mut seen = std::collections::BTreeSet::new();
    for one in acts["acts"].as_array().unwrap() {
        let act = &one["act"];
        if act["kind"] == "rollback" {
            let app = act["app"].as_str().unwrap().to_owned();
            assert!(
                seen.insert(app),
                "a service was rolled back twice: {acts:#}"
            );
        }
    }
}
