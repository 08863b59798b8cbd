//! The agenda as calm text.

use chrono_tz::Tz;

use super::page::{Page, cell};
use super::plain::Options;
use crate::domain::agenda::{Agenda, Entry};
use crate::domain::words;

/// Every entry on a line, what is missing above them.
#[must_use]
pub fn agenda(agenda: &Agenda, zone: Tz, options: Options) -> String {
    let mut page = Page::new(options.width, options.ascii);
    page.heading(&format!(
        "CALENDAR {} to {}",
        words::both_zones(agenda.from, zone),
        words::both_zones(agenda.to, zone)
    ));
    for name in &agenda.unread {
        page.put(2, &format!("unknown: calendar {name} was not read"));
    }
    for problem in &agenda.problems {
        page.put(2, &format!("unknown: {problem}"));
    }
    for line in &agenda.calendars {
        page.put(2, line);
    }
    if agenda.entries.is_empty() {
        page.put(2, "nothing stands there");
    }
    let rows: Vec<_> = agenda
        .entries
        .iter()
        .map(|e| {
            vec![
                cell(start(e, zone)),
                cell(end(e, zone)),
                cell(e.kind.word()),
                cell(about(e)),
            ]
        })
        .collect();
    page.table(2, &rows);
    page.finish()
}

fn start(e: &Entry, zone: Tz) -> String {
    let local = e.start.with_timezone(&zone);
    local.format("%a %-d %b %Y %H:%M").to_string()
}

fn end(e: &Entry, zone: Tz) -> String {
    match e.end {
        None => "no known end".to_owned(),
        Some(end) if end == e.start => String::new(),
        Some(end) => {
            let (from, to) = (e.start.with_timezone(&zone), end.with_timezone(&zone));
            let same = from.date_naive() == to.date_naive();
            let shape = if same {
                "to %H:%M"
            } else {
                "to %a %-d %b %H:%M"
            };
            to.format(shape).to_string()
        }
    }
}

fn about(e: &Entry) -> String {
    let gone = if e.cancelled { "given up" } else { "" };
    let owner = e.owner.as_deref().map(|o| format!("owner {o}"));
    let parts = [
        e.title.as_str(),
        gone,
        &e.environments.join(", "),
        owner.as_deref().unwrap_or_default(),
        e.note.as_str(),
        e.source.as_str(),
    ];
    let kept: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    kept.join("; ")
}
