//! Calendars: what their entries become, that a release is one thing, days off, days without a freeze, and the agenda.

use chrono::Duration;

use crate::domain::agenda::{Agenda, Kind};
use crate::domain::assess;
use crate::domain::gaps::without_freeze;
use crate::domain::policy::{CalendarSource, Policy};
use crate::domain::record::Event;
use crate::domain::recur::EventSpan;
use crate::domain::rules::Rules;
use crate::domain::testkit::*;
use crate::domain::time::{Instant, Span};
use crate::domain::window::Target;

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn entry(uid: &str, summary: &str, start: &str, end: &str) -> Event {
    Event {
        uid: uid.into(),
        summary: summary.into(),
        spans: vec![EventSpan::plain(Span::new(at(start), at(end)))],
        ..Event::default()
    }
}

/// A policy with one calendar, whose name is not that of its connection.
fn with_calendar(rules: serde_json::Value) -> Policy {
    let mut p = policy();
    p.calendars = vec![CalendarSource {
        name: "company".into(),
        connection: "ical".into(),
        rules: serde_json::from_value(rules).unwrap(),
        ..CalendarSource::default()
    }];
    p
}

fn world(rules: serde_json::Value, events: Vec<Event>) -> World {
    let mut w = World::new(with_calendar(rules));
    w.vendors.events.insert("company".into(), events);
    w.read();
    w.compile();
    w
}

fn rules(w: &World) -> Rules {
    Rules::of(&w.policy, &w.observed, w.now)
}

#[test]
fn the_first_rule_that_matches_decides_and_what_none_matches_is_counted() {
    let mut scheduled = entry(
        "3",
        "CHG1 Move the database",
        "2026-11-18T09:00:00Z",
        "2026-11-18T11:00:00Z",
    );
    scheduled.state = "Scheduled".into();
    scheduled.project = "Platform".into();
    scheduled.categories = vec!["ci:checkout".into()];
    let w = world(
        serde_json::json!([
            { "status": "scheduled", "project": "plat*", "category": "CI:*", "becomes": "freeze", "strength": "hard", "owner": "platform" },
            { "summary": "*freeze*", "becomes": "freeze" },
            { "summary": "*", "status": "done", "becomes": "nothing" },
        ]),
        vec![
            entry("1", "Lunch", "2026-11-18T11:00:00Z", "2026-11-18T12:00:00Z"),
            entry("2", "Lunch", "2026-11-19T11:00:00Z", "2026-11-19T12:00:00Z"),
            scheduled,
        ],
    );
    let rules = rules(&w);
    let book = rules.compiled.as_ref().unwrap().book();
    assert_eq!(book.freezes.len(), 1);
    assert_eq!(book.freezes[0].owner.as_deref(), Some("platform"));
    let tally = &rules.tallies[0];
    assert_eq!(
        (tally.entries, tally.unmatched.as_slice()),
        (3, &["Lunch".to_owned()][..])
    );
    assert_eq!(
        tally.sentence(),
        "3 entries: 1 freeze; 1 that no rule matches: Lunch"
    );
    // It stands in the evidence of the calendar, and changes nothing else: the office is open.
    let s = w.assess();
    assert_eq!(s.calendar.state.word, "open");
    let lines = &s.evidence["calendar"].lines;
    assert!(
        lines
            .iter()
            .any(|(what, how)| what == "entries of company" && how.contains("Lunch"))
    );
}

#[test]
fn an_entry_that_cannot_be_a_freeze_makes_its_calendar_unknown() {
    let w = world(
        serde_json::json!([{ "summary": "freeze*", "becomes": "freeze" }]),
        vec![
            entry(
                "1",
                "Freeze without an end",
                "2026-12-01T09:00:00Z",
                "2026-12-01T09:00:00Z",
            ),
            entry(
                "2",
                "Freeze",
                "2026-12-02T09:00:00Z",
                "2026-12-02T10:00:00Z",
            ),
        ],
    );
    let s = w.assess();
    assert_eq!(s.calendar.state.word, "unknown");
    assert_eq!(s.calendar.unread, ["company"]);
    assert!(
        s.calendar.reasons.iter().any(|r| r.contains("has no end")),
        "{:?}",
        s.calendar.reasons
    );
}

#[test]
fn a_partial_or_stale_reading_is_unknown() {
    let mut w = world(serde_json::json!([{ "becomes": "nothing" }]), Vec::new());
    assert_eq!(w.assess().calendar.state.word, "open");
    let feed = w.observed.feeds.get_mut("calendar/company").unwrap();
    feed.last.as_mut().unwrap().partial = Some("only the first page".into());
    assert_eq!(w.assess().calendar.state.word, "unknown");
    let feed = w.observed.feeds.get_mut("calendar/company").unwrap();
    feed.last.as_mut().unwrap().partial = None;
    let later = w.now.world + Duration::minutes(11);
    w.set_now(later);
    assert_eq!(w.assess().calendar.state.word, "unknown");
}

#[test]
fn a_calendar_of_windows_that_is_empty_permits_nothing() {
    let mapped = serde_json::json!([{ "summary": "window*", "becomes": "window", "scope": { "environments": ["production"] } }]);
    let open = entry(
        "1",
        "Window",
        "2026-11-17T12:00:00Z",
        "2026-11-17T18:00:00Z",
    );
    let mut w = world(mapped, vec![open]);
    w.policy.windows.clear();
    w.compile();
    assert_eq!(w.assess().calendar.state.word, "open");
    w.vendors.events.clear();
    w.read();
    w.compile();
    let s = w.assess();
    assert_eq!(s.calendar.state.word, "closed", "{:?}", s.calendar.reasons);
}

#[test]
fn an_unread_calendar_closes_what_its_rules_concern() {
    let one = |scope: serde_json::Value| serde_json::json!([{ "summary": "*freeze*", "becomes": "freeze", "scope": scope }]);
    let state = |w: &World, environment: &str| {
        let rules = rules(w);
        let health = rules.calendars(&w.policy, &w.observed, w.now);
        let target = Target {
            environment: Some(environment.into()),
            ..Target::default()
        };
        let compiled = rules.compiled.as_ref().unwrap();
        compiled
            .timeline(&target, &health)
            .state_at(w.now.world)
            .state
            .word()
            .to_owned()
    };
    let mut w = world(
        one(serde_json::json!({ "environments": ["production"] })),
        Vec::new(),
    );
    w.observed.feeds.remove("calendar/company");
    assert_eq!(
        (
            state(&w, "production").as_str(),
            state(&w, "staging").as_str()
        ),
        ("unknown", "open")
    );
    let mut w = world(one(serde_json::json!({})), Vec::new());
    w.observed.feeds.remove("calendar/company");
    assert_eq!(state(&w, "staging"), "unknown");
}

#[test]
fn a_release_is_one_thing_wherever_it_appears() {
    let mut p = with_calendar(serde_json::json!([{ "becomes": "release" }]));
    let mut second = release("2.14", vec![change("payments", NEW)]);
    second.planned = None;
    p.releases.push(second);
    let mut w = World::new(p);
    let day = |d: &str| {
        (
            format!("2026-11-{d}T09:00:00Z"),
            format!("2026-11-{d}T10:00:00Z"),
        )
    };
    let one = |uid: &str, title: &str, d: &str| {
        let (start, end) = day(d);
        entry(uid, title, &start, &end)
    };
    w.vendors.events.insert(
        "company".into(),
        vec![
            one("a", "Release 2.14: baskets.", "24"),
            one("b", "Release 2.14.1", "25"),
            one(RELEASE, "Anything", "26"),
        ],
    );
    w.read();
    w.compile();
    let rows = w.assess().calendar.releases;
    let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
    // 2.14 takes its time from the calendar; 2.14.1 is another release, which only the calendar knows.
    assert_eq!(ids.len(), 3, "{ids:?}");
    let of = |id: &str| rows.iter().find(|r| r.id == id).unwrap();
    assert_eq!(of("2.14").at, Some(at("2026-11-24T09:00:00Z")));
    assert_eq!(of(RELEASE).at, Some(tuesday()));
    assert_eq!(of("b").mark.word, "in calendar company");
}

#[test]
fn days_off_are_told_for_a_target_and_a_span() {
    let w = world(
        serde_json::json!([{ "summary": "*day", "becomes": "holiday", "scope": { "environments": ["production"] } }]),
        vec![
            entry(
                "2",
                "Boxing Day",
                "2026-12-25T23:00:00Z",
                "2026-12-26T23:00:00Z",
            ),
            entry(
                "1",
                "Christmas Day",
                "2026-12-24T23:00:00Z",
                "2026-12-25T23:00:00Z",
            ),
        ],
    );
    let rules = rules(&w);
    let target = |environment: &str| Target {
        environment: Some(environment.into()),
        ..Target::default()
    };
    let span = Span::new(at("2026-12-25T08:00:00Z"), at("2026-12-28T08:00:00Z"));
    let names = |t: &Target| -> Vec<String> {
        let found = rules.days_off(span.start, span.end.unwrap());
        let here = found.into_iter().filter(|(_, h)| h.scope.covers(t));
        here.map(|(_, h)| h.name.clone()).collect()
    };
    assert_eq!(
        names(&target("production")),
        ["Christmas Day", "Boxing Day"]
    );
    assert_eq!(names(&target("staging")), Vec::<String>::new());
    let off = |when: &str| {
        rules
            .day_off(&target("production"), at(when))
            .map(|h| h.name.as_str())
    };
    assert_eq!(off("2026-12-26T22:59:59Z"), Some("Boxing Day"));
    assert_eq!(off("2026-12-26T23:00:00Z"), None);
}

#[test]
fn coming_days_without_a_freeze_are_warned_of() {
    let holidays = || {
        vec![
            entry(
                "1",
                "Christmas",
                "2026-12-24T23:00:00Z",
                "2026-12-26T23:00:00Z",
            ),
            entry(
                "2",
                "New Year",
                "2026-12-31T23:00:00Z",
                "2027-01-01T23:00:00Z",
            ),
            entry(
                "3",
                "Winter sale",
                "2026-12-10T08:00:00Z",
                "2026-12-10T08:00:00Z",
            ),
            entry(
                "4",
                "Easter",
                "2027-03-25T23:00:00Z",
                "2027-03-29T22:00:00Z",
            ),
        ]
    };
    let mapped =
        serde_json::json!([{ "summary": "*sale", "becomes": "event" }, { "becomes": "holiday" }]);
    let mut w = world(mapped, holidays());
    let warned = |w: &World| without_freeze(&w.policy, &rules(w), &[], w.now.world);
    let all = warned(&w);
    let begins: Vec<&str> = all.iter().map(|l| l.split(':').next().unwrap()).collect();
    assert_eq!(
        begins,
        [
            "no freeze is on record for Winter sale, Thu 10 Dec",
            "no freeze is on record for the holidays (Christmas), Fri 25 Dec – Sat 26 Dec",
            "no freeze is on record for the end of quarter 4, Thu 31 Dec",
            "no freeze is on record for the holidays (New Year), Fri 1 Jan",
        ]
    );
    // A freeze of another environment is none for the protected one; one that touches the day is.
    let mut staging = freeze("s", "2026-12-01", "2027-01-10");
    staging.scope.environments = vec!["staging".into()];
    w.policy.freezes = vec![staging];
    assert_eq!(warned(&w).len(), 4);
    w.policy
        .freezes
        .push(freeze("year end", "2026-12-26", "2027-01-04"));
    assert_eq!(warned(&w).len(), 1);
    w.policy
        .freezes
        .push(freeze("sale", "2026-12-10", "2026-12-11"));
    assert_eq!(warned(&w), Vec::<String>::new());
    let unread = vec!["company".to_owned()];
    w.policy.freezes.clear();
    let said = without_freeze(&w.policy, &rules(&w), &unread, w.now.world);
    assert!(said[0].contains("not read, so one may stand there: company"));
}

fn agenda(w: &World, from: &str, to: &str) -> Agenda {
    let (from, to) = (at(from), at(to));
    let rules = Rules::around(&w.policy, &w.observed, from, w.now);
    assess::agenda(
        &w.policy,
        &w.journal,
        &w.observed,
        &rules,
        w.now,
        (from, to),
    )
}

#[test]
fn the_agenda_holds_releases_watches_freezes_and_days_off() {
    let mut w = world(
        serde_json::json!([{ "summary": "*day", "becomes": "holiday" }, { "summary": "ship*", "becomes": "release" }]),
        vec![
            entry(
                "1",
                "Thanksgiving Day",
                "2026-11-25T23:00:00Z",
                "2026-11-26T23:00:00Z",
            ),
            entry(
                "2",
                "Ship the catalogue",
                "2026-11-20T09:00:00Z",
                "2026-11-20T09:00:00Z",
            ),
        ],
    );
    w.policy.windows.clear();
    w.policy.freezes = vec![freeze("audit", "2026-11-19", "2026-11-20")];
    let a = agenda(&w, "2026-11-17T00:00:00Z", "2026-12-01T00:00:00Z");
    let kinds: Vec<(Kind, &str)> = a
        .entries
        .iter()
        .map(|e| (e.kind, e.title.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Kind::Release, "Shop shop-47"),
            (Kind::Watch, "watch of shop-47"),
            (Kind::Freeze, "audit"),
            (Kind::Release, "Ship the catalogue"),
            (Kind::Holiday, "Thanksgiving Day"),
        ]
    );
    assert!(a.is_whole());
    let watch = &a.entries[1];
    assert_eq!(watch.end.unwrap() - watch.start, Duration::hours(24));
    // The same entries have the same names when they are asked for again, and a release keeps its own when it moves.
    let uids = |a: &Agenda| -> Vec<String> { a.entries.iter().map(|e| e.uid.clone()).collect() };
    assert_eq!(
        uids(&agenda(&w, "2026-11-16T00:00:00Z", "2026-12-05T00:00:00Z")),
        uids(&a)
    );
    w.policy.releases[0].planned = Some(tuesday() + Duration::hours(3));
    w.policy.releases[0].significant = true;
    let moved = agenda(&w, "2026-11-17T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_eq!(moved.entries[0].uid, a.entries[0].uid);
    assert_ne!(moved.entries[0].start, a.entries[0].start);
    assert_eq!(
        moved.entries[1].end.unwrap() - moved.entries[1].start,
        Duration::hours(72)
    );
    w.observed.feeds.remove("calendar/company");
    let blind = agenda(&w, "2026-11-17T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_eq!(
        (blind.is_whole(), blind.unread.as_slice()),
        (false, &["company".to_owned()][..])
    );
}

#[test]
fn an_agenda_beyond_what_calendars_are_read_for_says_so() {
    let w = world(serde_json::json!([{ "becomes": "nothing" }]), Vec::new());
    let a = agenda(&w, "2027-12-01T00:00:00Z", "2028-03-01T00:00:00Z");
    assert!(a.problems[0].contains("are read from"), "{:?}", a.problems);
}
