//! The calendar with room: its views, a date, a plan written, and a what-if that is saved only when it is written.

use super::terminal::Terminal;
use super::world::journal;

const RIGHT: &str = "\x1b[C";
const DOWN: &str = "\x1b[B";
const UP: &str = "\x1b[A";
const BACKSPACE: &str = "\x7f";

/// How many events of a kind the journal holds.
fn count(data: &std::path::Path, kind: &str) -> usize {
    journal(data)
        .iter()
        .filter(|e| e.event.kind == kind)
        .count()
}

/// Clears a field of so many characters and types another text.
fn retype(t: &mut Terminal, old: usize, new: &str) {
    t.send(&format!("{}{new}", BACKSPACE.repeat(old)));
}

#[test]
fn the_views_a_date_a_plan_and_a_what_if() {
    let data = tempfile::tempdir().unwrap();
    let mut t = Terminal::demo(data.path(), &["--fresh"]);
    t.see("ROLL BACK");
    // Zoomed, the calendar uses the room: the week, Monday first.
    t.send("1z");
    t.see("week 47, Mon 16 Nov");
    t.see("web 2026.47 planned");
    assert!(t.find("Mon 16 ·").unwrap().0 < t.find("Sun 22 ·").unwrap().0);
    assert!(
        t.text().contains("open") && t.text().contains("closed"),
        "{}",
        t.text()
    );
    t.send("e");
    t.see("November 2026");
    t.send("t");
    t.see("watch to");
    t.see("on call 1");
    // UTC and back.
    t.send("Z");
    t.see("· UTC ·");
    t.send("Z");
    t.gone("· UTC ·");
    // A date is read as it is typed.
    t.send("@notaday");
    t.see("\"notaday\" is no date");
    retype(&mut t, 7, "+9d");
    t.see("Thursday 26 November 2026");
    t.send("\r");
    t.see("Thu 26 Nov");
    t.send("n");
    t.see("Tue 17 Nov");
    plan(&mut t);
    t.see("media 48 planned");
    assert_eq!(count(data.path(), "release_planned"), 1);
    what_if(&mut t);
    assert_eq!(
        count(data.path(), "release_moved"),
        0,
        "a what-if was saved"
    );
    write(&mut t);
    t.until("the move in the journal", |_| {
        count(data.path(), "release_moved") == 1
    });
    // The screen says so, wherever the release stands.
    t.see("web 2026.47 planned");
    t.send("\r");
    t.see("moved by ana");
    t.see("file says");
    t.send("\x1b");
    t.gone("file says");
    t.send("q");
    assert_eq!(t.end(), 0);
}

/// `N`: what is typed is judged as it is typed, and nothing is saved before `w`.
fn plan(t: &mut Terminal) {
    t.send("N");
    t.see("Plan a release");
    t.send("media-48\tmedia 48\t\tmedai 9.9.9");
    t.see("did you mean media?");
    retype(t, 11, "media 9.9.9\tthu 22:00");
    t.see("outside working hours");
    retype(t, 5, "10:00");
    t.see("open by working hours");
    t.gone("did you mean");
    // Past the other fields and Cancel.
    t.send("\t\t\t\t\t\t\t\t");
    t.see(">[ write (enter) ]");
    t.send("w");
    t.gone("Plan a release");
}

/// The web release at other times: windows change live, and nothing real is done.
fn what_if(t: &mut Terminal) {
    t.send("/web 2026.47\r");
    t.gone("media 48 planned");
    t.send("gI");
    t.see("web 2026.47 at Wed 18 Nov 2026 10:00 CET (09:00 UTC)");
    t.send(RIGHT);
    t.see("10:15 CET (09:15 UTC)");
    t.send(&DOWN.repeat(9));
    t.see("19:15 CET (18:15 UTC)");
    t.see("refused: window · web 2026.47");
    t.send("R");
    t.see("WHAT-IF is on");
    assert!(!t.text().contains("[ Cancel ]"), "{}", t.text());
    // Left without a trace.
    t.send("\x1b");
    t.gone("WHAT-IF ");
}

/// The same again, and this time it is written.
fn write(t: &mut Terminal) {
    t.send("I");
    t.see("web 2026.47 at Wed 18 Nov 2026 10:00 CET");
    t.send(&format!("{DOWN}{DOWN}{UP}"));
    t.see("11:00 CET (10:00 UTC)");
    t.send("w");
    t.see("Move web 2026.47");
    t.see("2026-11-18T11:00:00+01:00");
    t.send(&format!("{RIGHT}\r"));
    t.gone("Move web 2026.47");
}
