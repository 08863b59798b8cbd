#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::event::{Becomes, CalendarEvent, EventRule, EventStatus, map_events};
use super::*;
use crate::domain::recur::{EventSpan, Recurrence};
use crate::domain::time::Span;
use chrono::{Duration, NaiveDateTime};
use proptest::prelude::*;

fn utc(text: &str) -> Instant {
    text.parse().unwrap()
}

const BERLIN: Tz = Tz::Europe__Berlin;

fn window(name: &str, days: &str, from: &str, to: &str) -> Window {
    let days = days
        .split(' ')
        .map(|d| serde_json::from_value(serde_json::json!(d)).unwrap())
        .collect();
    Window {
        name: name.into(),
        scope: Scope {
            environments: vec!["prod*".into()],
            ..Scope::default()
        },
        schedule: Schedule::Weekly {
            days,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            since: None,
            through: None,
        },
        timezone: BERLIN,
        source: Source::Config,
        owner: None,
    }
}

fn freeze(name: &str, start: &str, end: Option<&str>) -> Freeze {
    Freeze {
        name: name.into(),
        scope: Scope::default(),
        schedule: Schedule::Once {
            start: start.parse().unwrap(),
            end: end.map(|e| e.parse().unwrap()),
        },
        timezone: BERLIN,
        strength: Strength::Hard,
        override_by: vec!["cto".into()],
        except: vec!["security".into()],
        rollback: RollbackUnder::Allowed,
        source: Source::Config,
        owner: Some("finance".into()),
    }
}

fn production() -> Target {
    Target {
        service: Some("checkout".into()),
        environment: Some("production".into()),
        ..Target::default()
    }
}

fn compiled(windows: Vec<Window>, freezes: Vec<Freeze>) -> Compiled {
    Compiled::new(
        RuleBook { windows, freezes },
        utc("2026-01-01T00:00:00Z"),
        utc("2028-01-01T00:00:00Z"),
    )
    .unwrap()
}

fn change(timeline: &Timeline<'_>, at: &str) -> Option<Instant> {
    timeline.next_change(utc(at)).at()
}

#[test]
fn no_window_in_scope_is_open_until_the_next_freeze() {
    let rules = compiled(
        vec![window("hours", "mon", "09:00", "16:00")],
        vec![freeze("quarter end", "2026-12-28", Some("2027-01-04"))],
    );
    let staging = Target {
        environment: Some("staging".into()),
        ..Target::default()
    };
    let timeline = rules.timeline(&staging, &[]);
    let now = timeline.state_at(utc("2026-12-20T12:00:00Z"));
    assert!(timeline.has_no_window());
    assert_eq!(
        now.state,
        WindowState::Open {
            until: Some(utc("2026-12-27T23:00:00Z")),
            by: vec![]
        }
    );
    assert_eq!(now.sentence(BERLIN), "open: no window is in scope");
}

#[test]
fn a_freeze_beats_a_window_and_says_why_and_until_when() {
    let rules = compiled(
        vec![window("working hours", "mon tue wed thu", "09:30", "16:00")],
        vec![freeze("quarter end", "2026-12-28", Some("2027-01-04"))],
    );
    let timeline = rules.timeline(&production(), &[]);
    let now = timeline.state_at(utc("2026-12-29T10:00:00Z"));
    assert!(now.state.is_frozen() && !now.state.is_open());
    assert_eq!(
        now.sentence(BERLIN),
        "frozen by quarter end (finance) through Sun 3 Jan, until 2027-01-04 00:00 CET (23:00 UTC)"
    );
    // Closed until the window opens on Monday morning, not merely until the freeze ends.
    assert_eq!(now.next_change.at(), Some(utc("2027-01-04T08:30:00Z")));
    // The window's own end, and the freeze's start, are both closings.
    assert_eq!(
        change(&timeline, "2026-12-22T10:00:00Z"),
        Some(utc("2026-12-22T15:00:00Z"))
    );
    let closed = timeline.state_at(utc("2026-12-25T10:00:00Z"));
    assert_eq!(
        closed.sentence(BERLIN),
        "closed: outside working hours, which opens 2026-12-28 09:30 CET (08:30 UTC)"
    );
    // That opening falls into the freeze, so the state changes later.
    assert_eq!(closed.next_change.at(), Some(utc("2027-01-04T08:30:00Z")));
}

#[test]
fn edges_are_half_open() {
    let rules = compiled(vec![window("hours", "mon", "09:00", "16:00")], vec![]);
    let timeline = rules.timeline(&production(), &[]);
    let word = |at: &str| timeline.state_at(utc(at)).state.word();
    assert_eq!(word("2026-11-23T07:59:59Z"), "closed");
    assert_eq!(word("2026-11-23T08:00:00Z"), "open");
    assert_eq!(word("2026-11-23T14:59:59.999Z"), "open");
    assert_eq!(word("2026-11-23T15:00:00Z"), "closed");
}

#[test]
fn intervals_of_a_rule_that_touch_are_one() {
    let mut nightly = freeze("all day, every day", "2026-12-01", None);
    nightly.schedule = Schedule::Cron {
        cron: "0 0 * * *".into(),
        length: "24h".parse().unwrap(),
    };
    nightly.timezone = Tz::UTC;
    let rules = compiled(vec![], vec![nightly]);
    let hold = rules
        .timeline(&production(), &[])
        .state_at(utc("2026-06-01T12:00:00Z"))
        .state
        .holds()[0]
        .clone();
    assert!(
        hold.until.unwrap() >= utc("2028-01-01T00:00:00Z"),
        "{:?}",
        hold.until
    );
    assert!(
        hold.from.unwrap() <= utc("2026-01-01T00:00:00Z"),
        "{:?}",
        hold.from
    );
}

#[test]
fn frozen_without_a_known_end_is_a_state_of_its_own() {
    let rules = compiled(vec![], vec![freeze("incident", "2026-11-20T12:00", None)]);
    let timeline = rules.timeline(&production(), &[]);
    let now = timeline.state_at(utc("2026-11-21T10:00:00Z"));
    assert_eq!(now.next_change, NextChange::NoKnownEnd);
    assert_eq!(
        now.sentence(BERLIN),
        "frozen by incident (finance) with no known end"
    );
    assert!(matches!(now.state, WindowState::Closed { until: None, .. }));
    assert_eq!(
        change(&timeline, "2026-11-20T10:00:00Z"),
        Some(utc("2026-11-20T11:00:00Z"))
    );
    assert_eq!(
        timeline.fit(utc("2026-11-21T10:00:00Z"), Duration::minutes(5)),
        Fit::NotOpen
    );
}

#[test]
fn an_exempted_kind_of_change_passes_and_it_is_said() {
    let rules = compiled(
        vec![],
        vec![freeze("quarter end", "2026-12-28", Some("2027-01-04"))],
    );
    let target = Target {
        kinds: vec!["security".into()],
        ..production()
    };
    let timeline = rules.timeline(&target, &[]);
    let now = timeline.state_at(utc("2026-12-29T10:00:00Z"));
    assert!(now.state.is_open());
    assert_eq!(
        now.reasons(BERLIN).last().unwrap(),
        "quarter end (finance) does not hold for security changes"
    );
}

#[test]
fn an_unread_or_stale_calendar_is_unknown_and_acts_as_closed() {
    let rules = compiled(
        vec![],
        vec![freeze("quarter end", "2026-12-28", Some("2027-01-04"))],
    );
    let health = |read, stale| CalendarHealth {
        name: "finance".into(),
        read,
        stale,
        since: Some(utc("2026-12-20T10:00:00Z")),
        scopes: vec![Scope {
            environments: vec!["production".into()],
            ..Scope::default()
        }],
    };
    for (bad, sentence) in [
        (
            health(false, false),
            "unknown: calendar finance was never read",
        ),
        (
            health(true, true),
            "unknown: calendar finance is stale since 2026-12-20 11:00 CET (10:00 UTC)",
        ),
    ] {
        let timeline = rules.timeline(&production(), std::slice::from_ref(&bad));
        let now = timeline.state_at(utc("2026-12-21T10:00:00Z"));
        assert_eq!(now.state.word(), "unknown");
        assert!(!now.state.is_open());
        assert_eq!(now.sentence(BERLIN), sentence);
        assert_eq!(
            now.next_change,
            NextChange::WhenRead {
                calendars: vec!["finance".into()]
            }
        );
        assert_eq!(
            timeline.fit(utc("2026-12-21T10:00:00Z"), Duration::minutes(5)),
            Fit::Unknown
        );
        // A freeze that is known is told as well.
        let frozen = timeline.state_at(utc("2026-12-29T10:00:00Z"));
        assert_eq!(frozen.state.holds().len(), 2);
        // Another environment is not concerned.
        let staging = Target {
            environment: Some("staging".into()),
            ..Target::default()
        };
        assert!(
            rules
                .timeline(&staging, &[bad])
                .state_at(utc("2026-12-21T10:00:00Z"))
                .state
                .is_open()
        );
    }
    let good = rules.timeline(&production(), &[health(true, false)]);
    assert!(good.state_at(utc("2026-12-21T10:00:00Z")).state.is_open());
}

#[test]
fn outside_the_horizon_nothing_is_known() {
    let rules = compiled(vec![], vec![]);
    let timeline = rules.timeline(&production(), &[]);
    let late = timeline.state_at(utc("2031-01-01T00:00:00Z"));
    assert_eq!(late.state.word(), "unknown");
    assert_eq!(late.reasons(BERLIN).len(), 1);
    assert_eq!(
        timeline.next_change(utc("2026-06-01T00:00:00Z")),
        NextChange::NotBefore {
            at: utc("2028-01-01T00:00:00Z")
        }
    );
}

#[test]
fn fit_compares_with_the_closing() {
    let rules = compiled(vec![window("hours", "mon", "09:00", "16:00")], vec![]);
    let timeline = rules.timeline(&production(), &[]);
    let at = utc("2026-11-23T14:48:00Z");
    let short = timeline.fit(at, Duration::minutes(47));
    assert_eq!(
        short.sentence(),
        "Closes in 12 min; this release needs 47 min."
    );
    assert!(!short.fits());
    assert!(
        timeline.fit(at, Duration::minutes(12)).fits(),
        "ending as it closes fits"
    );
    assert!(!timeline.fit(at, Duration::seconds(721)).fits());
}

#[test]
fn scopes_match_by_globs_and_an_open_question_sees_every_freeze() {
    let mut narrow = freeze("payments only", "2026-12-01", Some("2026-12-02"));
    narrow.scope = Scope {
        services: vec!["pay*".into()],
        environments: vec!["production".into()],
        ..Scope::default()
    };
    let rules = compiled(vec![], vec![narrow]);
    let at = utc("2026-12-01T12:00:00Z");
    let ask = |service: Option<&str>, environment: Option<&str>| {
        let target = Target {
            service: service.map(Into::into),
            environment: environment.map(Into::into),
            ..Target::default()
        };
        rules.timeline(&target, &[]).state_at(at).state.is_open()
    };
    assert!(!ask(Some("payments"), Some("production")));
    assert!(ask(Some("payments"), Some("staging")));
    assert!(ask(Some("checkout"), Some("production")));
    assert!(!ask(None, Some("production")));
    assert!(!ask(None, None));
}

#[test]
fn a_rule_that_is_not_understood_refuses_the_book() {
    let mut bad = freeze("nightly", "2026-12-01", None);
    bad.schedule = Schedule::Rrule(Recurrence {
        start: "2026-01-01".parse().unwrap(),
        end: None,
        length: Some("1h".parse().unwrap()),
        rules: vec!["FREQ=NIGHTLY".into()],
        except: vec![],
        extra: vec![],
    });
    let book = RuleBook {
        windows: vec![],
        freezes: vec![bad, freeze("fine", "2026-12-01", None)],
    };
    let problems = Compiled::new(
        book,
        utc("2026-01-01T00:00:00Z"),
        utc("2027-01-01T00:00:00Z"),
    )
    .unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].to_string(),
        "freeze \"nightly\": FREQ=NIGHTLY is not a frequency of a recurrence rule"
    );
}

#[test]
fn answers_and_rules_survive_json_and_have_a_schema() {
    let rules = compiled(
        vec![window("hours", "mon", "09:00", "16:00")],
        vec![freeze("quarter end", "2026-12-28", Some("2027-01-04"))],
    );
    let now = rules
        .timeline(&production(), &[])
        .state_at(utc("2026-12-29T10:00:00Z"));
    let json = serde_json::to_value(&now).unwrap();
    assert_eq!(json["state"], "closed");
    assert_eq!(json["holds"][0]["kind"], "freeze");
    assert_eq!(serde_json::from_value::<Standing>(json).unwrap(), now);
    let book = serde_json::to_string(rules.book()).unwrap();
    assert_eq!(
        &serde_json::from_str::<RuleBook>(&book).unwrap(),
        rules.book()
    );
    assert!(schemars::schema_for!(Standing).as_object().is_some());
    assert!(schemars::schema_for!(RuleBook).as_object().is_some());
}

#[test]
fn events_become_rules() {
    let event = |summary: &str, start: &str, end: &str, status| CalendarEvent {
        uid: format!("{summary}@x"),
        summary: summary.into(),
        categories: vec!["Ops".into()],
        status,
        all_day: true,
        spans: vec![EventSpan::plain(Span::new(utc(start), utc(end)))],
        ..CalendarEvent::default()
    };
    let (a, b) = ("2026-12-27T23:00:00Z", "2027-01-03T23:00:00Z");
    let rule = |summary: &str, becomes| -> EventRule {
        serde_json::from_value(
            serde_json::json!({ "summary": summary, "becomes": becomes, "owner": "finance" }),
        )
        .unwrap()
    };
    let rules = [
        rule("FREEZE:*", Becomes::Freeze),
        rule("window*", Becomes::Window),
        rule("release *", Becomes::Release),
    ];
    let events = [
        event("Freeze: quarter end", a, b, EventStatus::Tentative),
        event("Window Monday", a, b, EventStatus::Tentative),
        event("Window Tuesday", a, b, EventStatus::Confirmed),
        event("Release 2.14", a, a, EventStatus::Confirmed),
        event("Lunch", a, b, EventStatus::Confirmed),
    ];
    let mapped = map_events("cal", &events, &rules, BERLIN).unwrap();
    assert_eq!(
        mapped.rules.freezes.len(),
        1,
        "a tentative freeze still forbids"
    );
    assert_eq!(mapped.rules.windows.len(), 1);
    assert_eq!(
        mapped.tentative,
        ["Window Monday"],
        "a tentative window permits nothing"
    );
    assert_eq!(mapped.releases.len(), 1);
    assert_eq!(mapped.unmatched, ["Lunch"]);
    let endless = [event("Freeze: when?", a, a, EventStatus::Confirmed)];
    assert!(map_events("cal", &endless, &rules, BERLIN).unwrap_err()[0].contains("has no end"));
}

// ---- laws, against brute force by the minute ------------------------------------------------------------------------------

/// A rule as a generator draws it: weekly hours, a one-off, a nightly cron or a recurrence, near the autumn DST change.
fn any_schedule() -> impl Strategy<Value = Schedule> {
    let start: NaiveDateTime = "2026-10-20T00:00:00".parse().unwrap();
    let moment = move |minutes: i64| {
        crate::domain::recur::moment::Moment::Local(start + Duration::minutes(minutes))
    };
    let clock = |m: u32| format!("{:02}:{:02}", m / 60, m % 60).parse().unwrap();
    let days: [crate::domain::recur::moment::Day; 7] =
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            .map(|d| serde_json::from_value(serde_json::json!(d)).unwrap());
    prop_oneof![
        (0..14_400_i64, 1..4_000_i64).prop_map(move |(at, length)| Schedule::Once {
            start: moment(at),
            end: Some(moment(at + length))
        }),
        (
            prop::sample::subsequence(days.to_vec(), 1..7),
            0..1_440_u32,
            0..1_440_u32
        )
            .prop_map(move |(days, from, to)| {
                Schedule::Weekly {
                    days,
                    from: clock(from),
                    to: clock(to),
                    since: None,
                    through: None,
                }
            }),
        (0..60_u32, 0..24_u32, 1..1_440_i64).prop_map(|(minute, hour, length)| Schedule::Cron {
            cron: format!("{minute} {hour} * * *"),
            length: crate::domain::recur::moment::Length(length * 60),
        }),
        (0..1_440_i64, 1..1_440_i64, 1..4_u32).prop_map(move |(at, length, interval)| {
            Schedule::Rrule(Recurrence {
                start: moment(at),
                end: Some(moment(at + length)),
                length: None,
                rules: vec![format!("FREQ=DAILY;INTERVAL={interval}")],
                except: vec![],
                extra: vec![],
            })
        }),
    ]
}

fn any_book() -> impl Strategy<Value = RuleBook> {
    let zones = [BERLIN, Tz::America__New_York, Tz::Australia__Lord_Howe];
    let window =
        (any_schedule(), prop::sample::select(zones.to_vec())).prop_map(|(schedule, timezone)| {
            Window {
                name: "w".into(),
                scope: Scope::default(),
                schedule,
                timezone,
                source: Source::Config,
                owner: None,
            }
        });
    let freeze =
        (any_schedule(), prop::sample::select(zones.to_vec())).prop_map(|(schedule, timezone)| {
            Freeze {
                schedule,
                timezone,
                ..freeze("f", "2026-01-01", None)
            }
        });
    (
        prop::collection::vec(window, 0..4),
        prop::collection::vec(freeze, 0..3),
    )
        .prop_map(|(windows, freezes)| RuleBook { windows, freezes })
}

/// The rules' own occurrences, without merging or index.
struct ByHand {
    windows: Vec<Span>,
    freezes: Vec<Span>,
    no_window: bool,
}

impl ByHand {
    fn new(book: &RuleBook, from: Instant, to: Instant) -> Self {
        use crate::domain::recur::Lean;
        let all =
            |schedule: &Schedule, zone, lean| schedule.occurrences(from, to, zone, lean).unwrap();
        Self {
            windows: book
                .windows
                .iter()
                .flat_map(|w| all(&w.schedule, w.timezone, Lean::Shorter))
                .collect(),
            freezes: book
                .freezes
                .iter()
                .flat_map(|f| all(&f.schedule, f.timezone, Lean::Longer))
                .collect(),
            no_window: book.windows.is_empty(),
        }
    }

    fn open(&self, at: Instant) -> bool {
        let holds = |spans: &[Span]| spans.iter().any(|span| span.contains(at));
        !holds(&self.freezes) && (self.no_window || holds(&self.windows))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_next_change_is_the_first_change(book in any_book()) {
        let (from, to) = (utc("2026-10-24T00:00:00Z"), utc("2026-11-02T00:00:00Z"));
        let rules = Compiled::new(book.clone(), from - Duration::days(3), to).unwrap();
        let timeline = rules.timeline(&Target::default(), &[]);
        let minutes = (to - from).num_minutes();
        let by_hand = ByHand::new(&book, from - Duration::days(20), to + Duration::days(20));
        let mut expected = timeline.next_change(from).at();
        let mut was = by_hand.open(from);
        prop_assert_eq!(timeline.state_at(from).state.is_open(), was);
        for minute in 0..minutes {
            let at = from + Duration::minutes(minute);
            let open = by_hand.open(at);
            prop_assert_eq!(timeline.state_at(at).state.is_open(), open, "at {}", at);
            if open != was {
                prop_assert_eq!(expected, Some(at), "the change came at another time");
                expected = timeline.next_change(at).at();
                was = open;
            } else {
                prop_assert!(expected.is_none_or(|change| change > at), "{:?} at {} changes nothing", expected, at);
            }
        }
    }

    #[test]
    fn more_windows_open_more_and_more_freezes_open_less(a in any_book(), b in any_book(), minute in 0..12_960_i64) {
        let (from, to) = (utc("2026-10-20T00:00:00Z"), utc("2026-11-02T00:00:00Z"));
        let at = utc("2026-10-24T00:00:00Z") + Duration::minutes(minute);
        let open = |windows: &[&Vec<Window>], freezes: &[&Vec<Freeze>]| {
            let book = RuleBook {
                windows: windows.iter().flat_map(|w| w.iter().cloned()).collect(),
                freezes: freezes.iter().flat_map(|f| f.iter().cloned()).collect(),
            };
            Compiled::new(book, from, to).unwrap().timeline(&Target::default(), &[]).state_at(at).state.is_open()
        };
        let alone = open(&[&a.windows], &[&a.freezes]);
        prop_assert!(!open(&[&a.windows], &[&a.freezes, &b.freezes]) || alone, "a freeze opened something");
        if !a.windows.is_empty() {
            prop_assert!(open(&[&a.windows, &b.windows], &[&a.freezes]) || !alone, "a window closed something");
        }
        // Order does not matter.
        prop_assert_eq!(open(&[&a.windows, &b.windows], &[&b.freezes, &a.freezes]), open(&[&b.windows, &a.windows], &[&a.freezes, &b.freezes]));
    }

    #[test]
    fn the_strip_agrees_with_the_state(book in any_book(), begin in 0..4_000_i64, length in 1..8_000_i64) {
        let (from, to) = (utc("2026-10-20T00:00:00Z"), utc("2026-11-02T00:00:00Z"));
        let rules = Compiled::new(book, from, to).unwrap();
        let timeline = rules.timeline(&Target::default(), &[]);
        let start = from - Duration::days(1) + Duration::minutes(begin);
        let end = start + Duration::minutes(length);
        let strip = timeline.strip(start, end);
        prop_assert_eq!(strip.first().unwrap().span.start, start);
        prop_assert_eq!(strip.last().unwrap().span.end, Some(end));
        for pair in strip.windows(2) {
            prop_assert_eq!(pair[0].span.end, Some(pair[1].span.start));
            prop_assert!(pair[0] != pair[1]);
        }
        for segment in &strip {
            for at in [segment.span.start, segment.span.end.unwrap() - Duration::seconds(1)] {
                let state = timeline.state_at(at).state;
                let kind = match &state {
                    WindowState::Open { .. } => SegmentKind::Open,
                    WindowState::Closed { .. } if state.is_frozen() => SegmentKind::Freeze,
                    WindowState::Closed { .. } => SegmentKind::Closed,
                    WindowState::Unknown { .. } => SegmentKind::Unknown,
                };
                prop_assert_eq!(segment.kind, kind, "at {}", at);
            }
        }
    }
}
