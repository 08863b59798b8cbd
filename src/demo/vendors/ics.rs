//! The calendar feed: one iCalendar file (RFC 5545) with its zone, folded lines, ETag.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::hex;
use crate::demo::scenario::Scenario;
use crate::demo::shop::CalendarEvent;
use crate::demo::world::World;
use crate::domain::time::Instant;

/// The routes.
pub fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/releases.ics", get(feed))
        .route("/", get(feed))
}

async fn feed(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    let text = calendar(&world.scenario, world.view().now);
    let tag = format!("\"{}\"", hex(&text, 32));
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes())
    {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    (
        [
            (
                header::CONTENT_TYPE,
                "text/calendar; charset=utf-8".to_owned(),
            ),
            (header::ETAG, tag),
        ],
        text,
    )
        .into_response()
}

/// The zone of the shop, as calendars carry it.
const ZONE: [&str; 18] = [
    "BEGIN:VTIMEZONE",
    "TZID:Europe/Berlin",
    "BEGIN:DAYLIGHT",
    "TZNAME:CEST",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "DTSTART:19810329T020000",
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
    "END:DAYLIGHT",
    "BEGIN:STANDARD",
    "TZNAME:CET",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "DTSTART:19961027T030000",
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
    "END:STANDARD",
    "END:VTIMEZONE",
    "",
];

/// The feed as it stands at `now`.
#[must_use]
pub fn calendar(scenario: &Scenario, now: Instant) -> String {
    let mut lines: Vec<String> = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Acme//Releases//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
    ]
    .into_iter()
    .chain([
        "X-WR-CALNAME:Releases and freezes",
        "X-WR-TIMEZONE:Europe/Berlin",
        "REFRESH-INTERVAL;VALUE=DURATION:PT5M",
    ])
    .chain(ZONE.into_iter().filter(|line| !line.is_empty()))
    .map(str::to_owned)
    .collect();
    let shown = scenario
        .events
        .iter()
        .filter(|event| event.appears.is_none_or(|from| scenario.at(from) <= now));
    for event in shown {
        lines.extend(entry(scenario, event));
    }
    lines.push("END:VCALENDAR".to_owned());
    lines.iter().map(|line| fold(line)).collect()
}

fn entry(scenario: &Scenario, event: &CalendarEvent) -> Vec<String> {
    let made = event
        .appears
        .map_or(scenario.starts - chrono::Duration::days(60), |from| {
            scenario.at(from)
        });
    let mut lines = vec![
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}", event.uid),
        format!("DTSTAMP:{}", made.format("%Y%m%dT%H%M%SZ")),
        moment("DTSTART", &event.start, scenario),
        moment("DTEND", &event.end, scenario),
        format!("SUMMARY:{}", escape(&event.summary)),
    ];
    if !event.description.is_empty() {
        lines.push(format!("DESCRIPTION:{}", escape(&event.description)));
    }
    if !event.categories.is_empty() {
        let list: Vec<String> = event
            .categories
            .iter()
            .map(|category| escape(category))
            .collect();
        lines.push(format!("CATEGORIES:{}", list.join(",")));
    }
    lines.extend(event.rrule.iter().map(|rule| format!("RRULE:{rule}")));
    lines.push("STATUS:CONFIRMED".to_owned());
    lines.push("END:VEVENT".to_owned());
    lines
}

fn moment(name: &str, text: &str, scenario: &Scenario) -> String {
    let digits: String = text
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == 'T')
        .collect();
    if digits.contains('T') {
        format!("{name};TZID={}:{digits}", scenario.timezone)
    } else {
        format!("{name};VALUE=DATE:{digits}")
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace(';', "\\;")
        .replace(',', "\\,")
        .replace('\n', "\\n")
}

/// A line of at most 75 bytes, continued with a space, ended with CRLF.
fn fold(line: &str) -> String {
    let mut folded = String::new();
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > 75 {
            folded.push_str("\r\n ");
            width = 1;
        }
        folded.push(c);
        width += c.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}
