//! The agenda as an iCalendar file (RFC 5545) that other programs subscribe to: releases, freezes and watches, all times in UTC.

use chrono::Duration;

use crate::domain::agenda::{Agenda, Entry, Kind};
use crate::domain::text::clean;
use crate::domain::time::Instant;

/// Octets of a line without its break.
const LINE: usize = 75;
/// Columns of a text that are written.
const TEXT: usize = 500;

/// The file. `title` is the calendar's name, `now` the time at which it was made.
#[must_use]
pub fn ics(agenda: &Agenda, title: &str, now: Instant) -> String {
    let mut out = String::new();
    let name = escaped(title);
    for line in [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//cockpit//release calendar//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        &format!("NAME:{name}"),
        &format!("X-WR-CALNAME:{name}"),
        "X-WR-TIMEZONE:UTC",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
        "X-PUBLISHED-TTL:PT15M",
    ] {
        put(&mut out, line);
    }
    for entry in &agenda.entries {
        if matches!(entry.kind, Kind::Release | Kind::Freeze | Kind::Watch) {
            event(&mut out, entry, agenda.to, now);
        }
    }
    put(&mut out, "END:VCALENDAR");
    out
}

fn event(out: &mut String, entry: &Entry, to: Instant, now: Instant) {
    let title = match entry.kind {
        Kind::Freeze => format!("FREEZE {}", entry.title),
        Kind::Watch => entry.title.clone(),
        _ => format!("Release {}", entry.title),
    };
    // An end that is not known is written as the end of what was asked for, later each time.
    let end = entry
        .end
        .unwrap_or(to.max(entry.start + Duration::hours(1)));
    put(out, "BEGIN:VEVENT");
    put(out, &format!("UID:{}", entry.uid));
    put(out, &format!("DTSTAMP:{}", stamp(now)));
    put(out, &format!("DTSTART:{}", stamp(entry.start)));
    // An event that takes no time has no DTEND: it would have to be later than DTSTART.
    if end.timestamp() > entry.start.timestamp() {
        put(out, &format!("DTEND:{}", stamp(end)));
    }
    put(out, &format!("SUMMARY:{}", escaped(&title)));
    put(out, &format!("DESCRIPTION:{}", description(entry)));
    put(
        out,
        &format!("CATEGORIES:{}", entry.kind.word().to_uppercase()),
    );
    let status = if entry.cancelled {
        "CANCELLED"
    } else {
        "CONFIRMED"
    };
    put(out, &format!("STATUS:{status}"));
    put(out, "TRANSP:TRANSPARENT");
    put(out, "END:VEVENT");
}

/// The facts, one a line.
fn description(entry: &Entry) -> String {
    let list = |what: &str, items: &[String]| {
        (!items.is_empty()).then(|| format!("{what}: {}", items.join(", ")))
    };
    let lines = [
        entry.release.as_ref().map(|id| format!("release {id}")),
        list("services", &entry.services),
        list("environments", &entry.environments),
        entry.owner.as_ref().map(|o| format!("owner: {o}")),
        (!entry.note.is_empty()).then(|| entry.note.clone()),
        entry.end.is_none().then(|| "no known end".to_owned()),
        Some(format!("from {}", entry.source)),
    ];
    let lines: Vec<String> = lines.into_iter().flatten().map(|l| escaped(&l)).collect();
    lines.join("\\n")
}

fn stamp(at: Instant) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// TEXT of RFC 5545: cleaned, and what has a meaning there behind a backslash.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text, TEXT).chars() {
        if matches!(c, '\\' | ';' | ',') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A line, folded at 75 octets, never inside a character.
fn put(out: &mut String, line: &str) {
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > LINE {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(c);
        width += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, title: &str, end: Option<&str>) -> Entry {
        Entry {
            uid: format!("{}-1@cockpit", kind.word()),
            kind,
            release: None,
            title: title.to_owned(),
            start: "2026-12-28T00:00:00Z".parse().unwrap(),
            end: end.map(|e| e.parse().unwrap()),
            cancelled: false,
            services: vec!["checkout".into()],
            environments: Vec::new(),
            owner: Some("fin, ance".into()),
            source: "cockpit.toml".into(),
            note: String::new(),
        }
    }

    fn file(entries: Vec<Entry>) -> String {
        let agenda = Agenda {
            from: "2026-12-01T00:00:00Z".parse().unwrap(),
            to: "2027-02-01T00:00:00Z".parse().unwrap(),
            entries,
            unread: Vec::new(),
            problems: Vec::new(),
            calendars: Vec::new(),
        };
        ics(
            &agenda,
            "Shop; releases",
            "2026-11-21T12:00:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn every_line_keeps_the_rules_of_the_format() {
        let long =
            "Größe, Maß; und \\ ein sehr langer Titel: ".repeat(5) + "\u{1b}[2J\nBEGIN:VEVENT";
        let text = file(vec![
            entry(Kind::Freeze, &long, Some("2027-01-04T00:00:00Z")),
            entry(Kind::Release, "2.14", Some("2026-12-28T00:00:00Z")),
            entry(Kind::Window, "not written", None),
            entry(Kind::Watch, "no end", None),
        ]);
        for line in text.split_terminator("\r\n") {
            assert!(line.len() <= LINE, "{line:?}");
            assert!(!line.contains(['\r', '\n', '\u{1b}']), "{line:?}");
        }
        assert!(text.ends_with("END:VCALENDAR\r\n"));
        assert_eq!(text.matches("\nBEGIN:VEVENT").count(), 3);
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains("SUMMARY:FREEZE Größe\\, Maß\\; und \\\\ ein"));
        assert!(unfolded.contains("NAME:Shop\\; releases\r\n"));
        assert!(unfolded.contains("services: checkout\\nowner: fin\\, ance\\nfrom cockpit.toml"));
        // No end is later than its start, and one that is not known is that of the question.
        assert_eq!(unfolded.matches("DTEND:").count(), 2);
        assert!(unfolded.contains("DTEND:20270201T000000Z"));
    }

    #[test]
    fn what_was_given_up_is_taken_back() {
        let mut gone = entry(Kind::Release, "2.14", Some("2026-12-28T01:00:00Z"));
        gone.cancelled = true;
        assert!(file(vec![gone]).contains("STATUS:CANCELLED\r\n"));
    }
}
