//! What is on the screen in each mode and size.

use vt100::Color;

use super::terminal::{Start, Terminal, contains};
use super::world::advance;

/// The demo with more words and variables.
fn demo(
    data: &std::path::Path,
    words: &[&str],
    env: &[(&str, &str)],
    size: (u16, u16),
) -> Terminal {
    let mut args = vec!["--data-dir", data.to_str().unwrap()];
    args.extend(words);
    args.extend(["demo", "--fresh"]);
    Terminal::start(Start {
        args,
        size,
        env: env.to_vec(),
        ..Start::default()
    })
}

/// The colour and the emphasis of the first cell of `text`.
fn style(t: &Terminal, text: &str) -> (Color, Color, bool, bool) {
    let (row, column) = t
        .find(text)
        .unwrap_or_else(|| panic!("no {text}:\n{}", t.text()));
    let cell = t.screen().cell(row, column).unwrap();
    (cell.fgcolor(), cell.bgcolor(), cell.bold(), cell.inverse())
}

/// Does any cell have a colour?
fn coloured(t: &Terminal) -> bool {
    cells(t).any(|c| c.fgcolor() != Color::Default || c.bgcolor() != Color::Default)
}

fn cells(t: &Terminal) -> impl Iterator<Item = &vt100::Cell> {
    let (rows, columns) = t.screen().size();
    let (rows, columns) = (u16::from(rows), u16::from(columns));
    (0..rows)
        .flat_map(move |r| (0..columns).map(move |c| (r, c)))
        .filter_map(|(r, c)| t.screen().cell(r, c))
}

/// The rows in which a cell is green; not those of proofs that were kept in the journal, which no feed can make old.
fn green(t: &Terminal) -> String {
    let (rows, columns) = t.screen().size();
    let edge = t.find("3 Checklist").map_or(0, |at| at.1 - 1);
    let kept = |row: u16| {
        let line = t
            .screen()
            .contents_between(row, edge, row, u16::from(columns));
        ["as it was", "done, "].iter().any(|w| line.contains(w))
    };
    let is = |c: Color| [Color::Idx(2), Color::Idx(10)].contains(&c);
    let mut found = String::new();
    for row in 0..u16::from(rows) {
        for column in 0..u16::from(columns) {
            let cell = t.screen().cell(row, column).unwrap();
            if (is(cell.fgcolor()) || is(cell.bgcolor())) && !(column >= edge && kept(row)) {
                found.push_str(cell.contents());
            }
        }
    }
    found
}

#[test]
fn no_color_keeps_bold_and_reverse() {
    let data = tempfile::tempdir().unwrap();
    let mut t = demo(data.path(), &[], &[("NO_COLOR", "1")], (200, 50));
    t.see("ROLL BACK");
    assert!(!coloured(&t), "a colour in spite of NO_COLOR");
    assert!(style(&t, "ROLL BACK").2, "the advice is bold");
    t.send("2");
    t.until("a selected row in reverse", |t| {
        cells(t).any(vt100::Cell::inverse)
    });
    let raw = String::from_utf8_lossy(&t.raw).into_owned();
    for part in raw.split("\x1b[").skip(1) {
        let Some((numbers, _)) = part.split_once('m') else {
            continue;
        };
        if !numbers.chars().all(|c| c.is_ascii_digit() || c == ';') {
            continue;
        }
        for n in numbers.split(';').filter_map(|n| n.parse::<u16>().ok()) {
            assert!(
                !matches!(n, 30..=38 | 40..=48 | 90..=97 | 100..=107),
                "SGR {numbers}"
            );
        }
    }
    t.send("q");
    assert_eq!(t.end(), 0);
}

#[test]
fn colour_says_the_same_as_the_words() {
    let data = tempfile::tempdir().unwrap();
    let mut t = demo(
        data.path(),
        &["--color", "always"],
        &[("NO_COLOR", "1")],
        (200, 50),
    );
    t.see("ROLL BACK");
    assert!(coloured(&t), "--color always is stronger than NO_COLOR");
    assert_eq!(style(&t, "ROLL BACK").0, Color::Idx(1));
    t.kill();
    let mut t = demo(data.path(), &["--color", "never"], &[], (200, 50));
    t.see("ROLL BACK");
    assert!(!coloured(&t));
}

#[test]
fn ascii_is_ascii_in_every_pane() {
    let data = tempfile::tempdir().unwrap();
    let mut t = demo(data.path(), &["--ascii"], &[], (120, 40));
    t.see("ROLL BACK");
    for keys in ["4z", "z1", "2", "3", "5", "6", "?", "\x1b", ":", "\x1b"] {
        // A breath before the key: an escape and a letter at once are one key.
        t.quiet(std::time::Duration::from_millis(200));
        t.send(keys);
        t.quiet(std::time::Duration::from_millis(200));
        let text = t.text();
        assert!(
            text.is_ascii(),
            "after {keys}: {:?}",
            text.chars().find(|c| !c.is_ascii())
        );
    }
}

#[test]
fn a_paste_outside_a_field_is_dropped_with_a_note() {
    let data = tempfile::tempdir().unwrap();
    let mut t = demo(data.path(), &[], &[], (200, 50));
    t.see("ROLL BACK");
    t.send("\x1b[200~Rcheckout\rq\x1b[201~");
    t.see("a paste of 11 characters was dropped");
    assert!(!t.text().contains("Cancel") && !t.ended());
    // Into a field it goes as text.
    t.send(":\x1b[200~roll\x1b[201~");
    t.see(" : roll ");
    t.escape("enter does it");
    t.send("q");
    assert_eq!(t.end(), 0);
}

#[test]
fn a_terminal_that_answers_nothing_is_flown_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let mut t = Terminal::start(Start {
        args: vec!["--data-dir", folder, "demo", "--fresh"],
        answers: false,
        env: vec![("TERM", "vt100")],
        ..Start::default()
    });
    t.see("ROLL BACK");
    for query in [
        &b"\x1b[6n"[..],
        b"\x1b[c",
        b"\x1b[>c",
        b"\x1b]11;?",
        b"\x1b[?u",
    ] {
        assert!(!contains(&t.raw, query), "the terminal was asked {query:?}");
    }
    t.send("q");
    assert_eq!(t.end(), 0);
}

#[test]
fn eighty_by_twenty_four_shows_one_pane_under_the_band() {
    let data = tempfile::tempdir().unwrap();
    let mut t = demo(data.path(), &[], &[], (80, 24));
    t.see("ROLL BACK");
    for (key, here, elsewhere) in [
        ("2", "service    ", "baseline"),
        ("4", "baseline", "service    "),
        ("5", "until Mon", "baseline"),
    ] {
        t.send(key);
        t.until(here, |t| {
            t.text().contains(here) && !t.text().contains(elsewhere)
        });
        for words in ["PRODUCTION", "ROLL BACK", "auto off", "NEXT", "gate"] {
            assert!(t.text().contains(words), "no {words}:\n{}", t.text());
        }
    }
    t.resize(30, 8);
    t.until("a sentence", |t| t.text().contains("too small"));
    t.send("R");
    t.resize(80, 24);
    t.see("ROLL BACK");
    assert!(
        !t.text().contains("Cancel"),
        "a key was taken by what is not drawn:\n{}",
        t.text()
    );
}

#[test]
fn read_only_offers_no_act() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let mut t = demo(data.path(), &[], &[], (80, 24));
    t.see("ROLL BACK");
    t.kill();
    let mut t = Terminal::start(Start {
        args: vec!["--read-only", "--data-dir", folder, "demo"],
        ..Start::default()
    });
    t.see("ROLL BACK");
    t.see("READ-ONLY");
    t.send("R");
    t.see("read-only: roll back is not offered here");
    t.send("?");
    t.see("Moving");
    assert!(
        !t.text().contains("each step confirmed"),
        "help names an act:\n{}",
        t.text()
    );
    t.escape("Moving");
    t.send(":rollback");
    t.see(" : rollback ");
    t.send("\r");
    t.quiet(std::time::Duration::from_millis(300));
    assert!(!t.text().contains("[ Cancel ]"), "{}", t.text());
    assert_eq!(
        super::world::acts(data.path())["acts"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
}

#[test]
fn when_every_feed_is_dark_nothing_is_green() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let mut t = Terminal::start(Start {
        args: vec!["--data-dir", folder, "demo", "blackout", "--fresh"],
        ..Start::default()
    });
    t.see("checkout 2026.47");
    t.until("something green", |t| !green(t).is_empty());
    // Six minutes and a half on, all of them fail.
    advance(data.path(), 400);
    let end = std::time::Instant::now() + super::terminal::PATIENCE;
    while !green(&t).is_empty() {
        let late = std::time::Instant::now() > end;
        assert!(!late, "green: {}\n{}", green(&t), t.text());
        t.quiet(std::time::Duration::from_millis(200));
    }
    for pane in ["1", "2", "3", "4", "5", "6"] {
        t.send(pane);
        t.quiet(std::time::Duration::from_millis(300));
        assert_eq!(green(&t), "", "pane {pane}:\n{}", t.text());
    }
}
