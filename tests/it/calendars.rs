//! Calendars over the wire: what a hostile or moving vendor does to them, how Google is signed in to, and that the file that
//! `cockpit calendar --ics` writes is one that others read.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cockpit::connect::context::{DriverContext, Shared};
use cockpit::connect::driver::Driver;
use cockpit::connect::engine;
use cockpit::connect::ics::read_ics;
use cockpit::connect::place::Source;
use cockpit::connect::registry::{self, SHIPPED};
use cockpit::domain::agenda::{Agenda, Entry, Kind, uid};
use cockpit::domain::observe::{Call, FaultKind};
use cockpit::domain::policy::{Connection, Setting};
use cockpit::domain::record::{Event, Records};
use cockpit::domain::secret::SecretRef;
use cockpit::domain::time::Span;
use cockpit::runtime::load::Index;
use serde_json::{Value, json};

use crate::fake::{Fake, Says};
use crate::wire::Still;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn secret(value: &str) -> Setting {
    Setting::Secret(SecretRef::Command(vec!["echo".into(), value.into()]))
}

/// A connection with these settings, in Berlin.
fn open(id: &str, settings: &[(&str, Setting)]) -> Box<dyn Driver> {
    let (_, text) = SHIPPED.iter().find(|(i, _)| *i == id).unwrap();
    let source = Source {
        file: format!("{id}.toml"),
        text: (*text).to_owned(),
    };
    let spec = registry::parse(&source).unwrap();
    let settings: BTreeMap<String, Setting> = settings
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect();
    let value = json!({ "name": "c", "connector": id, "settings": settings, "every": null });
    let connection: Connection = serde_json::from_value(value).unwrap();
    let shared = Shared {
        file: "cockpit.toml".into(),
        clock: Arc::new(Still),
        redactor: Arc::default(),
        clients: Arc::default(),
        endpoints: None,
        canned: None,
        zone: chrono_tz::Europe::Berlin,
    };
    let context = DriverContext::new(&connection, &spec, &shared).unwrap();
    engine::open(&connection, &spec, &source, &context).unwrap()
}

fn text(value: &str) -> Setting {
    Setting::Text(value.into())
}

async fn read(
    driver: &dyn Driver,
    name: &str,
) -> Result<Vec<Event>, cockpit::domain::observe::Fault> {
    let call = Call {
        connection: "c".into(),
        read: name.into(),
        args: BTreeMap::new(),
        lookback: None,
    };
    match driver.read(&call, None).await?.records {
        Records::Event(events) => Ok(events),
        other => panic!("{other:?}"),
    }
}

fn google(url: &str) -> Box<dyn Driver> {
    let settings = [
        ("url", text(url)),
        ("calendar", text("primary")),
        ("token", secret("tok-1")),
    ];
    open("google-calendar", &settings)
}

/// Connector, read, settings, answer.
type Case = (
    &'static str,
    &'static str,
    Vec<(&'static str, Setting)>,
    Value,
);

/// Every source of entries, with an answer whose one title is hostile.
fn hostile() -> Vec<Case> {
    let title = "\u{1b}]0;owned\u{7}Free\u{202e}ze\r\nEND:VEVENT";
    let (long, token) = ("x".repeat(90_000), || secret("tok-1"));
    vec![
        (
            "google-calendar",
            "events",
            vec![("calendar", text("primary")), ("token", token())],
            json!({ "timeZone": "Europe/Berlin", "items": [{ "id": "a\u{7}", "summary": title, "description": long, "start": { "date": "2026-12-01" }, "end": { "date": "2026-12-02" } }] }),
        ),
        (
            "jira",
            "versions",
            vec![("project", text("SHOP")), ("access", token())],
            json!({ "isLast": true, "values": [{ "id": "a\u{7}", "name": title, "description": long, "releaseDate": "2026-12-01" }] }),
        ),
        (
            "github",
            "milestones",
            vec![
                ("owner", text("acme")),
                ("repo", text("shop")),
                ("token", token()),
            ],
            json!([{ "id": "a\u{7}", "title": title, "description": long, "due_on": "2026-12-01T08:00:00Z", "state": "open" }]),
        ),
        (
            "github",
            "releases",
            vec![
                ("owner", text("acme")),
                ("repo", text("shop")),
                ("token", token()),
            ],
            json!([{ "id": 1, "tag_name": "a\u{7}", "name": title, "published_at": "2026-12-01T08:00:00Z" }]),
        ),
        (
            "servicenow",
            "changes",
            vec![("token", token())],
            json!({ "result": [{ "short_description": { "value": title }, "number": { "value": "a\u{7}" }, "state": { "value": "-2" }, "start_date": { "value": "2026-12-01 08:00:00" }, "end_date": { "value": "2026-12-01 09:00:00" } }] }),
        ),
        (
            "monday",
            "items",
            vec![("board", text("1")), ("token", token())],
            json!({ "data": { "boards": [{ "name": title, "items_page": { "cursor": null, "items": [{ "id": "a\u{7}", "name": title, "column_values": [{ "id": "d", "type": "date", "value": "{\"date\":\"2026-12-01\"}" }] }] } }] } }),
        ),
    ]
}

#[tokio::test]
async fn hostile_titles_are_tame_whatever_the_vendor() {
    for (id, name, mut settings, answer) in hostile() {
        let fake = Fake::always(Says::json(&answer)).await;
        settings.push(("url", text(&fake.url())));
        let events = read(open(id, &settings).as_ref(), name)
            .await
            .unwrap_or_else(|f| panic!("{id}: {f}"));
        assert_eq!(events.len(), 1, "{id}");
        let shown = format!(
            "{} {} {}",
            events[0].uid, events[0].summary, events[0].project
        );
        assert!(
            !shown.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r', '\n']),
            "{id}: {shown:?}"
        );
        assert!(
            events[0].summary.contains("Freeze END:VEVENT"),
            "{id}: {shown:?}"
        );
        assert!(events[0].description.chars().count() <= 500, "{id}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_a_fault_and_never_a_shorter_calendar() {
    for (id, name, mut settings, answer) in hostile() {
        let whole = answer.to_string();
        let fake = Fake::always(Says::Cut(whole.as_bytes()[..whole.len() / 2].to_vec())).await;
        settings.push(("url", text(&fake.url())));
        let fault = read(open(id, &settings).as_ref(), name).await.unwrap_err();
        assert!(
            matches!(
                fault.kind,
                FaultKind::Unreachable | FaultKind::BadShape | FaultKind::Timeout
            ),
            "{id}: {fault}"
        );
    }
}

#[tokio::test]
async fn a_calendar_that_did_not_change_is_read_by_its_mark() {
    let page = json!({ "timeZone": "Europe/Berlin", "items": [{ "id": "a", "summary": "Freeze", "start": { "date": "2026-12-01" }, "end": { "date": "2026-12-02" } }] });
    let fake = Fake::start(move |seen| match seen.header("if-none-match") {
        Some("\"v1\"") => Says::status(304, ""),
        _ => Says::json(&page).with("etag", "\"v1\""),
    })
    .await;
    let driver = google(&fake.url());
    let first = read(driver.as_ref(), "events").await.unwrap();
    let again = read(driver.as_ref(), "events").await.unwrap();
    assert_eq!(first, again);
    assert_eq!(fake.seen()[1].header("if-none-match"), Some("\"v1\""));
    // Berlin's days, for that is where the calendar says it lives.
    assert_eq!(first[0].spans[0].span.start, at("2026-11-30T23:00:00Z"));
}

/// An .ics address.
fn ics(url: &str) -> Box<dyn Driver> {
    let (_, text) = SHIPPED.iter().find(|(i, _)| *i == "calendar").unwrap();
    let source = Source {
        file: "calendar.toml".into(),
        text: (*text).to_owned(),
    };
    let mut spec = registry::parse(&source).unwrap();
    spec.http.timeout = "2s".into();
    let value = json!({ "name": "c", "connector": "calendar", "settings": { "url": { "text": url } }, "every": null });
    let connection: Connection = serde_json::from_value(value).unwrap();
    let shared = Shared {
        file: "cockpit.toml".into(),
        clock: Arc::new(Still),
        redactor: Arc::default(),
        clients: Arc::default(),
        endpoints: None,
        canned: None,
        zone: chrono_tz::Europe::Berlin,
    };
    let context = DriverContext::new(&connection, &spec, &shared).unwrap();
    Box::new(cockpit::connect::calendar::Calendar::new(&connection, &spec, &context).unwrap())
}

const FREEZE: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:\u{1b}[2JFree\u{202e}ze\r\nDTSTART;VALUE=DATE:20261201\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:2\r\nSTATUS:CANCELLED\r\nSUMMARY:Gone\r\nDTSTART;VALUE=DATE:20261202\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[tokio::test]
async fn an_ics_address_may_do_wrong_in_every_way_and_never_reads_as_empty() {
    let huge = vec![b'x'; 9 << 20];
    let cases = [
        (Says::status(401, ""), FaultKind::Unauthorized),
        (Says::status(403, ""), FaultKind::Unauthorized),
        (Says::status(404, "no"), FaultKind::NotFound),
        (Says::status(500, ""), FaultKind::Server),
        (Says::Silence, FaultKind::Timeout),
        (
            Says::Cut(FREEZE.as_bytes()[..60].to_vec()),
            FaultKind::Unreachable,
        ),
        (Says::status(200, &FREEZE[..60]), FaultKind::BadShape),
        (
            Says::status(200, "<html>sign in</html>"),
            FaultKind::BadShape,
        ),
        (Says::status(200, ""), FaultKind::BadShape),
        (Says::status(200, "{}"), FaultKind::BadShape),
        (Says::status(200, huge), FaultKind::TooLarge),
        (
            Says::status(429, "").with("retry-after", "90"),
            FaultKind::RateLimited,
        ),
    ];
    for (says, kind) in cases {
        let shown = format!("{says:?}").chars().take(80).collect::<String>();
        let fake = Fake::always(says).await;
        let fault = read(ics(&fake.url()).as_ref(), "events")
            .await
            .expect_err(&shown);
        assert_eq!(fault.kind, kind, "{shown}: {fault}");
        if kind == FaultKind::RateLimited {
            assert_eq!(fault.retry_at, Some(at("2026-11-21T12:01:30Z")));
        }
    }
}

#[tokio::test]
async fn an_ics_address_is_read_by_its_marks_and_its_text_is_tame() {
    let fake = Fake::start(|seen| {
        let known = seen.header("if-none-match") == Some("\"v1\"")
            && seen.header("if-modified-since") == Some("Sat, 21 Nov 2026 10:00:00 GMT");
        if known {
            return Says::status(304, "");
        }
        Says::status(200, FREEZE)
            .with("etag", "\"v1\"")
            .with("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT")
    })
    .await;
    let driver = ics(&fake.url());
    let first = read(driver.as_ref(), "events").await.unwrap();
    assert_eq!(first.len(), 1, "a cancelled one is gone: {first:?}");
    assert!(first[0].summary.ends_with("Freeze"), "{first:?}");
    assert!(
        !first[0].summary.contains(['\u{1b}', '\u{202e}']),
        "{first:?}"
    );
    assert_eq!(first, read(driver.as_ref(), "events").await.unwrap());
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn more_pages_than_are_read_make_a_partial_calendar() {
    let fake = Fake::start(|seen| {
        let page = seen.path.matches("pageToken").count();
        Says::json(&json!({ "items": [{ "id": format!("{page}"), "start": { "date": "2026-12-01" } }], "nextPageToken": "more" }))
    })
    .await;
    let call = Call {
        connection: "c".into(),
        read: "events".into(),
        args: BTreeMap::new(),
        lookback: None,
    };
    let answer = google(&fake.url()).read(&call, None).await.unwrap();
    assert!(answer.partial.is_some());
}

#[tokio::test]
async fn a_cursor_goes_into_the_body_of_a_query() {
    let fake = Fake::start(|seen| {
        let cursor = seen.json()["variables"]["cursor"].clone();
        let (id, next) = match cursor.as_str() {
            None => ("1", json!("c2")),
            Some("c2") => ("2", Value::Null),
            other => panic!("{other:?}"),
        };
        let item = json!({ "id": id, "name": id, "column_values": [{ "id": "d", "type": "date", "value": "{\"date\":\"2026-12-01\"}" }] });
        Says::json(&json!({ "data": { "boards": [{ "name": "b", "items_page": { "cursor": next, "items": [item] } }] } }))
    })
    .await;
    let settings = [
        ("url", text(&fake.url())),
        ("board", text("4711")),
        ("token", secret("tok-1")),
    ];
    let events = read(open("monday", &settings).as_ref(), "items")
        .await
        .unwrap();
    let ids: Vec<&str> = events.iter().map(|e| e.uid.as_str()).collect();
    assert_eq!(ids, ["item-1", "item-2"]);
    let first = &fake.seen()[0];
    assert_eq!(first.json()["variables"]["board"], json!(["4711"]));
    // No Bearer: that is how monday wants it.
    assert_eq!(first.header("authorization"), Some("tok-1"));
}

#[tokio::test]
async fn google_is_signed_in_to_with_a_refresh_token_and_again_when_it_is_refused() {
    let fake = Fake::start(
        |seen| match (seen.path.as_str(), seen.header("authorization")) {
            ("/token", _) => {
                Says::json(&json!({ "access_token": "short-lived", "expires_in": 3600 }))
            }
            (_, Some("Bearer short-lived")) => Says::json(&json!({ "items": [] })),
            _ => Says::status(401, "{}"),
        },
    )
    .await;
    let settings = [
        ("url", text(&fake.url())),
        ("calendar", text("primary")),
        ("client_id", text("app")),
        ("client_secret", secret("hush")),
        ("refresh_token", secret("refresh-me")),
        ("token_url", text(&format!("{}/token", fake.url()))),
    ];
    let driver = open("google-calendar", &settings);
    assert_eq!(read(driver.as_ref(), "events").await.unwrap(), Vec::new());
    let seen = fake.seen();
    let form = String::from_utf8(seen[0].body.clone()).unwrap();
    for part in [
        "grant_type=refresh_token",
        "client_id=app",
        "client_secret=hush",
        "refresh_token=refresh-me",
    ] {
        assert!(form.contains(part), "{form}");
    }
    assert_eq!(seen[0].header("authorization"), None);
    // It is kept while it is good.
    read(driver.as_ref(), "events").await.unwrap();
    assert_eq!(fake.seen().iter().filter(|s| s.path == "/token").count(), 1);
}

#[tokio::test]
async fn a_service_accounts_key_that_is_none_is_told_without_showing_it() {
    let fake = Fake::always(Says::json(&json!({}))).await;
    let settings = [
        ("url", text(&fake.url())),
        ("calendar", text("primary")),
        ("key", secret("hush-hush-key")),
    ];
    let fault = read(open("google-calendar", &settings).as_ref(), "events")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Config);
    assert!(fault.what.contains("service account"), "{fault}");
    assert!(!fault.to_string().contains("hush"), "{fault}");
    assert!(fake.seen().is_empty(), "nothing was sent without a key");
}

/// What of a file's mistakes is said, with its place.
fn mistakes(text: &str) -> Vec<String> {
    let (index, _) = Index::new(None);
    match cockpit::config::load(text, "cockpit.toml", &index) {
        Ok(_) => Vec::new(),
        Err(diags) => diags.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_connector_with_several_reads_of_entries_is_told_which() {
    let file = |extra: &str| {
        format!(
            "timezone = \"Europe/Berlin\"\n[environments.production]\n[[service]]\nname = \"shop\"\n[connections.hub]\nconnector = \"github\"\nowner = \"a\"\nrepo = \"b\"\ntoken = \"env:T\"\n[[calendar]]\nconnection = \"hub\"\n{extra}rules = [{{ status = \"open\", becomes = \"release\" }}]\n"
        )
    };
    assert_eq!(
        mistakes(&file("read = \"milestones\"\n")),
        Vec::<String>::new()
    );
    let none = mistakes(&file(""));
    assert!(none[0].starts_with("cockpit.toml:11:14"), "{none:?}");
    assert!(
        none[0].contains("several reads of entries: milestones, releases"),
        "{none:?}"
    );
    let wrong = mistakes(&file("read = \"milestone\"\n"));
    assert!(wrong[0].starts_with("cockpit.toml:12:8"), "{wrong:?}");
    assert!(
        wrong[0].contains("did you mean \"milestones\"?"),
        "{wrong:?}"
    );
}

fn entry(kind: Kind, id: &str, title: &str, start: &str, end: Option<&str>) -> Entry {
    Entry {
        uid: uid(kind, &[id]),
        kind,
        release: Some(id.into()),
        title: title.into(),
        start: at(start),
        end: end.map(at),
        cancelled: false,
        services: vec!["checkout".into(), "payments".into()],
        environments: vec!["production".into()],
        owner: Some("ana".into()),
        source: "cockpit.toml".into(),
        note: "a note; with, all \\ of it".into(),
    }
}

#[test]
fn the_calendar_that_we_write_is_read_by_ourselves_and_by_another_parser() {
    let mut gone = entry(
        Kind::Release,
        "2.12",
        "given up",
        "2026-12-03T10:00:00Z",
        Some("2026-12-03T11:00:00Z"),
    );
    gone.cancelled = true;
    let agenda = Agenda {
        from: at("2026-11-01T00:00:00Z"),
        to: at("2027-02-01T00:00:00Z"),
        entries: vec![
            entry(
                Kind::Release,
                "2.14",
                "Größe; 40 %, neu: 龍の道 und noch viel mehr Text, damit die Zeile gebrochen wird",
                "2026-12-01T09:00:00Z",
                Some("2026-12-01T10:30:00Z"),
            ),
            entry(
                Kind::Watch,
                "2.14",
                "watch of 2.14",
                "2026-12-01T10:30:00Z",
                Some("2026-12-04T10:30:00Z"),
            ),
            entry(
                Kind::Freeze,
                "year end",
                "year end",
                "2026-12-20T23:00:00Z",
                None,
            ),
            gone,
        ],
        unread: Vec::new(),
        problems: Vec::new(),
        calendars: Vec::new(),
    };
    let file = cockpit::report::ics(&agenda, "Shop", at("2026-11-21T12:00:00Z"));
    let horizon = Span::new(agenda.from, agenda.to);
    let ours = read_ics(file.as_bytes(), horizon, chrono_tz::Europe::Berlin).unwrap();
    type Seen<'a> = (&'a str, DateTime<Utc>, Option<DateTime<Utc>>);
    let read: Vec<Seen<'_>> = ours
        .iter()
        .map(|e| {
            (
                e.summary.as_str(),
                e.spans[0].span.start,
                e.spans[0].span.end,
            )
        })
        .collect();
    let wanted =
        "Release Größe; 40 %, neu: 龍の道 und noch viel mehr Text, damit die Zeile gebrochen wird";
    assert_eq!(
        read,
        [
            (
                wanted,
                at("2026-12-01T09:00:00Z"),
                Some(at("2026-12-01T10:30:00Z"))
            ),
            (
                "watch of 2.14",
                at("2026-12-01T10:30:00Z"),
                Some(at("2026-12-04T10:30:00Z"))
            ),
            (
                "FREEZE year end",
                at("2026-12-20T23:00:00Z"),
                Some(at("2027-02-01T00:00:00Z"))
            ),
        ]
    );
    assert_eq!(ours[0].categories, ["RELEASE"]);
    assert_eq!(ours[0].project, "Shop");
    // Another program's eyes: the same events, names and moments, nothing refused.
    let theirs = calcard::icalendar::ICalendar::parse(&file).unwrap();
    let uids: Vec<&str> = theirs.uids().collect();
    assert_eq!(uids.len(), 4);
    assert!(uids.contains(&agenda.entries[0].uid.as_str()));
    let dates = theirs.expand_dates(calcard::common::timezone::Tz::UTC, 100);
    assert!(dates.errors.is_empty(), "{:?}", dates.errors);
    let mut starts: Vec<i64> = dates.events.iter().map(|e| e.start.timestamp()).collect();
    starts.sort_unstable();
    let mut known: Vec<i64> = agenda.entries.iter().map(|e| e.start.timestamp()).collect();
    known.sort_unstable();
    assert_eq!(starts, known);
}
