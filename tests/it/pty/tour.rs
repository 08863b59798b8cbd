//! The five-minute tour, from the first screen to the handoff, and what is left of it after a crash.

use std::time::Duration;

use super::terminal::Terminal;
use super::world::{acts, count, journal};

/// `R`, the word typed, confirmed: the rollback is asked for.
pub fn confirm_rollback(t: &mut Terminal) {
    open_rollback(t);
    // Typing goes into the first line to fill in.
    t.send("checkout-2026.47");
    t.see("type checkout");
}

/// Opens the rollback's dialog, once everything that it needs was read.
pub fn open_rollback(t: &mut Terminal) {
    t.until("a rollback that is permitted", |t| {
        !t.text().contains("R roll back (blocked") && !t.text().contains("(never read) argo")
    });
    t.send("R");
    t.see("[ Cancel ]");
}

#[test]
fn explore() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["--fresh", "--speed", "5"]);
    t.see("ROLL BACK");
    for keys in ["", "0", "\r", "\x1b", "p", "\x1b\x1b"] {
        t.send(keys);
        t.quiet(Duration::from_millis(400));
        println!("=== {keys:?}\n{}", t.text());
    }
    open_rollback(&mut t);
    println!("=== R\n{}", t.text());
    t.send("checkout");
    t.quiet(Duration::from_millis(400));
    println!("=== typed\n{}", t.text());
    t.send("\t\t\r");
    for i in 0..12 {
        let end = std::time::Instant::now() + Duration::from_secs(5);
        t.until("time", |_| std::time::Instant::now() > end);
        println!("=== after {i}\n{}", t.text());
    }
    t.send("H");
    t.quiet(Duration::from_millis(400));
    println!("=== H\n{}", t.text());
    let a = acts(data.path());
    println!("{a:#} {}", count(&a, "argocd.rollback"));
    t.kill();
    for e in journal(data.path()) {
        let body: String = String::from_utf8_lossy(&e.event.body)
            .chars()
            .take(160)
            .collect();
        println!("{} {} {}", e.seq, e.event.kind, body);
    }
}
