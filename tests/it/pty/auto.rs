//! An armed automatic trigger in the real binary: its countdown is in sight, can be stopped, starts over after a clock jump, and at
//! its end rolls back once.

use std::path::Path;
use std::time::{Duration, Instant};

use super::terminal::{Start, Terminal};
use super::tour::rolled_back_once;
use super::world::{acts, advance, count, journal};

/// Seconds of the countdown in these tests.
const COUNTDOWN: u64 = 20;

/// The shipped file with a trigger that trips in the first minute and acts by itself.
fn file(folder: &Path) -> String {
    let shipped = include_str!("../../../cockpit.toml");
    let before = "above = \"2x baseline\"\nwindow = \"5m\"\nfor = \"5m\"\nthen = \"propose\"";
    let armed = "above = \"1.5x baseline\"\nwindow = \"2m\"\nfor = \"1m\"\nthen = \"automatic\"";
    assert!(shipped.contains(before));
    let mut text = shipped.replace(before, armed);
    assert!(!text.contains("\n[limits]"));
    text.push_str(&format!("\n[limits]\ncountdown = \"{COUNTDOWN}s\"\n"));
    let path = folder.join("cockpit.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn fly(folder: &Path, data: &Path) -> Terminal {
    let file = file(folder);
    Terminal::start(Start {
        args: vec!["--config", &file, "--data-dir", data.to_str().unwrap()],
        ..Start::default()
    })
}

/// Seconds left on the countdown, as it stands on the screen.
fn left(t: &Terminal) -> Option<u64> {
    let text = t.text();
    let (_, rest) = text.split_once(" IN ")?;
    let (seconds, rest) = rest.split_once(" s  ")?;
    rest.starts_with("rollback by trigger")
        .then(|| seconds.trim().parse().ok())
        .flatten()
}

fn kinds(data: &Path, kind: &str) -> usize {
    let all = journal(data);
    // The world's own past has a rehearsed rollback in it.
    let own = |release: Option<&str>| release == Some("checkout-2026.47");
    all.iter()
        .filter(|e| e.event.kind == kind && own(e.event.release.as_deref()))
        .count()
}

#[test]
fn a_countdown_starts_over_after_a_clock_jump_and_at_its_end_rolls_back_once() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut t = fly(folder.path(), data.path());
    t.see("auto armed by ana@");
    t.until("a countdown", |t| left(t).is_some());
    assert!(t.text().contains("cancels"), "{}", t.text());
    // The clocks jump: what was known is stale, and the countdown begins again after a fresh reading, in sight from its first
    // second. More than once, since it matters in which order the feeds come back.
    for ran in [11, 6, 6, 6] {
        t.until("part of it to be over", |t| {
            left(t).is_some_and(|s| s + ran <= COUNTDOWN)
        });
        advance(data.path(), 30);
        t.until("the countdown to start over", |t| {
            left(t).is_some_and(|s| s >= COUNTDOWN - 4)
        });
    }
    assert_eq!(kinds(data.path(), "plan_started"), 0);
    let again = Instant::now();
    t.until("the rollback", |t| t.text().contains("ROLLBACK "));
    assert!(
        again.elapsed() >= Duration::from_secs(COUNTDOWN - 6),
        "{:?}",
        again.elapsed()
    );
    t.until("the act at the vendor", |_| {
        count(&acts(data.path()), "argocd.rollback") > 0
    });
    rolled_back_once(&acts(data.path()));
    assert_eq!(kinds(data.path(), "plan_started"), 1);
    // Pressing the key now starts no second one.
    t.send("R");
    t.until("an answer to R", |t| {
        ["Refused", "running", "[ Cancel ]"]
            .iter()
            .any(|words| t.text().contains(words))
    });
    assert_eq!(kinds(data.path(), "plan_started"), 1);
}

#[test]
fn a_countdown_that_is_cancelled_rolls_nothing_back() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut t = fly(folder.path(), data.path());
    t.until("a countdown", |t| left(t).is_some());
    // One key: what stops something must not ask twice.
    t.send("c");
    t.until("no countdown", |t| left(t).is_none());
    // It would have ended by now, and the trigger still stands.
    let end = Instant::now() + Duration::from_secs(COUNTDOWN + 4);
    t.until("the countdown's time", |_| Instant::now() >= end);
    assert_eq!(left(&t), None, "{}", t.text());
    assert_eq!(kinds(data.path(), "countdown_cancelled"), 1);
    assert_eq!(kinds(data.path(), "plan_started"), 0);
    assert_eq!(count(&acts(data.path()), "argocd.rollback"), 0);
    t.send("q");
    assert_eq!(t.end(), 0);
}
