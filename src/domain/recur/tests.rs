#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;
use proptest::prelude::*;
use rstest::rstest;

fn utc(text: &str) -> Instant {
    text.parse().unwrap()
}

fn texts(spans: &[Span]) -> Vec<String> {
    let text = |at: Instant| at.format("%Y-%m-%dT%H:%M").to_string();
    spans
        .iter()
        .map(|s| format!("{}/{}", text(s.start), s.end.map_or("-".into(), text)))
        .collect()
}

fn weekly_rule(days: &[Day], from: &str, to: &str) -> Schedule {
    Schedule::Weekly {
        days: days.to_vec(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        since: None,
        through: None,
    }
}

const ALL: [Day; 7] = [
    Day::Mon,
    Day::Tue,
    Day::Wed,
    Day::Thu,
    Day::Fri,
    Day::Sat,
    Day::Sun,
];

// A nightly rule on both DST days of four zones: wall-clock ends are kept; where an end occurs twice the freeze grows and the window shrinks.
#[rstest]
#[case(
    "Europe/Berlin",
    "2026-03-29",
    "01:30",
    "03:30",
    Lean::Longer,
    "2026-03-29T00:30/2026-03-29T01:30"
)]
#[case(
    "Europe/Berlin",
    "2026-10-25",
    "01:30",
    "02:30",
    Lean::Longer,
    "2026-10-24T23:30/2026-10-25T01:30"
)]
#[case(
    "Europe/Berlin",
    "2026-10-25",
    "01:30",
    "02:30",
    Lean::Shorter,
    "2026-10-24T23:30/2026-10-25T00:30"
)]
#[case(
    "Europe/Berlin",
    "2026-10-25",
    "02:15",
    "04:00",
    Lean::Longer,
    "2026-10-25T00:15/2026-10-25T03:00"
)]
#[case(
    "Europe/Berlin",
    "2026-10-25",
    "02:15",
    "04:00",
    Lean::Shorter,
    "2026-10-25T01:15/2026-10-25T03:00"
)]
#[case(
    "America/New_York",
    "2026-03-08",
    "02:15",
    "04:00",
    Lean::Shorter,
    "2026-03-08T07:00/2026-03-08T08:00"
)]
#[case(
    "America/New_York",
    "2026-11-01",
    "00:30",
    "01:30",
    Lean::Longer,
    "2026-11-01T04:30/2026-11-01T06:30"
)]
#[case(
    "America/New_York",
    "2026-11-01",
    "00:30",
    "01:30",
    Lean::Shorter,
    "2026-11-01T04:30/2026-11-01T05:30"
)]
#[case(
    "Australia/Sydney",
    "2026-10-04",
    "02:30",
    "05:00",
    Lean::Longer,
    "2026-10-03T16:00/2026-10-03T18:00"
)]
#[case(
    "Australia/Sydney",
    "2026-04-05",
    "02:30",
    "05:00",
    Lean::Longer,
    "2026-04-04T15:30/2026-04-04T19:00"
)]
#[case(
    "Australia/Sydney",
    "2026-04-05",
    "02:30",
    "05:00",
    Lean::Shorter,
    "2026-04-04T16:30/2026-04-04T19:00"
)]
#[case(
    "Australia/Lord_Howe",
    "2026-10-04",
    "02:10",
    "04:00",
    Lean::Longer,
    "2026-10-03T15:30/2026-10-03T17:00"
)]
#[case(
    "Australia/Lord_Howe",
    "2026-04-05",
    "01:00",
    "01:45",
    Lean::Longer,
    "2026-04-04T14:00/2026-04-04T15:15"
)]
#[case(
    "Australia/Lord_Howe",
    "2026-04-05",
    "01:00",
    "01:45",
    Lean::Shorter,
    "2026-04-04T14:00/2026-04-04T14:45"
)]
fn weekly_hours_on_dst_days(
    #[case] zone: Tz,
    #[case] day: NaiveDate,
    #[case] from: &str,
    #[case] to: &str,
    #[case] lean: Lean,
    #[case] expected: &str,
) {
    let schedule = Schedule::Weekly {
        days: ALL.to_vec(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        since: Some(day),
        through: Some(day),
    };
    let noon = day.and_hms_opt(0, 0, 0).unwrap().and_utc();
    let spans = schedule
        .occurrences(
            noon - Duration::days(3),
            noon + Duration::days(3),
            zone,
            lean,
        )
        .unwrap();
    assert_eq!(texts(&spans), [expected]);
}

#[test]
fn a_window_that_shrinks_to_nothing_does_not_occur() {
    // 02:00-02:30 on the night the clocks go back: second start 01:00Z, first end 00:30Z.
    let rule = weekly_rule(&[Day::Sun], "02:00", "02:30");
    let at = |lean| {
        rule.occurrences(
            utc("2026-10-24T12:00:00Z"),
            utc("2026-10-25T12:00:00Z"),
            Tz::Europe__Berlin,
            lean,
        )
        .unwrap()
    };
    assert_eq!(at(Lean::Shorter), []);
    assert_eq!(
        texts(&at(Lean::Longer)),
        ["2026-10-25T00:00/2026-10-25T01:30"]
    );
    // And one that lies wholly in the gap does not occur either.
    let spring = rule.occurrences(
        utc("2026-03-28T12:00:00Z"),
        utc("2026-03-29T12:00:00Z"),
        Tz::Europe__Berlin,
        Lean::Longer,
    );
    assert_eq!(spring.unwrap(), []);
}

#[test]
fn weekly_hours_run_over_midnight() {
    let rule = weekly_rule(&[Day::Fri], "22:00", "06:00");
    let spans = rule
        .occurrences(
            utc("2026-11-21T00:00:00Z"),
            utc("2026-11-21T01:00:00Z"),
            Tz::Europe__Berlin,
            Lean::Shorter,
        )
        .unwrap();
    assert_eq!(texts(&spans), ["2026-11-20T21:00/2026-11-21T05:00"]);
    let whole_day = weekly_rule(&[Day::Sat], "00:00", "24:00");
    let spans = whole_day
        .occurrences(
            utc("2026-11-21T12:00:00Z"),
            utc("2026-11-21T13:00:00Z"),
            Tz::Europe__Berlin,
            Lean::Shorter,
        )
        .unwrap();
    assert_eq!(texts(&spans), ["2026-11-20T23:00/2026-11-21T23:00"]);
}

#[test]
fn dates_are_half_open_days() {
    let rule = Schedule::Once {
        start: "2026-12-28".parse().unwrap(),
        end: Some("2027-01-04".parse().unwrap()),
    };
    let all = rule.occurrences(
        utc("2026-01-01T00:00:00Z"),
        utc("2028-01-01T00:00:00Z"),
        Tz::Europe__Berlin,
        Lean::Longer,
    );
    assert_eq!(texts(&all.unwrap()), ["2026-12-27T23:00/2027-01-03T23:00"]);
    let after = rule.occurrences(
        utc("2027-01-03T23:00:00Z"),
        utc("2028-01-01T00:00:00Z"),
        Tz::Europe__Berlin,
        Lean::Longer,
    );
    assert_eq!(after.unwrap(), []);
    let wrong = Schedule::Once {
        start: "2026-12-28".parse().unwrap(),
        end: Some("2026-12-28".parse().unwrap()),
    };
    assert!(
        wrong
            .check(Tz::UTC)
            .unwrap_err()
            .contains("not after the start")
    );
}

#[rstest]
#[case("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", Lean::Longer, &["2026-03-29T01:00/2026-03-29T02:00"])]
#[case("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", Lean::Longer, &["2026-10-25T00:30/2026-10-25T01:30"])]
#[case("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", Lean::Shorter, &["2026-10-25T01:30/2026-10-25T02:30"])]
fn cron_fires_once_on_dst_days(
    #[case] pattern: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] lean: Lean,
    #[case] expected: &[&str],
) {
    let rule = Schedule::Cron {
        cron: pattern.into(),
        length: Length(3_600),
    };
    assert_eq!(
        texts(
            &rule
                .occurrences(utc(from), utc(to), Tz::Europe__Berlin, lean)
                .unwrap()
        ),
        expected
    );
}

#[test]
fn an_hourly_freeze_has_no_hole_when_the_hour_occurs_twice() {
    let rule = Schedule::Cron {
        cron: "0 * * * *".into(),
        length: Length(3_600),
    };
    let (from, to) = (utc("2026-10-24T12:00:00Z"), utc("2026-10-25T12:00:00Z"));
    let spans = rule
        .occurrences(from, to, Tz::Europe__Berlin, Lean::Longer)
        .unwrap();
    let mut reached = from;
    for span in spans {
        assert!(span.start <= reached, "a hole before {}", span.start);
        reached = reached.max(span.end.unwrap());
    }
    assert!(reached >= to);
}

#[rstest]
#[case("61 * * * *", 3_600)]
#[case("hello", 3_600)]
#[case("", 3_600)]
#[case("0 9 * * *", 0)]
fn a_cron_pattern_that_is_not_understood_is_an_error(#[case] pattern: &str, #[case] length: i64) {
    let rule = Schedule::Cron {
        cron: pattern.into(),
        length: Length(length),
    };
    assert!(rule.check(Tz::UTC).is_err());
}

fn starts(start: &str, rule: &str, until_year: i32) -> Vec<String> {
    let start: NaiveDateTime = start.parse().unwrap();
    let to = NaiveDate::from_ymd_opt(until_year, 1, 1)
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap();
    rule.parse::<Rrule>()
        .unwrap()
        .local_starts(
            start,
            start,
            to,
            &|at| at.and_utc(),
            &mut Budget::for_rule(),
        )
        .unwrap()
        .iter()
        .map(|at| at.format("%Y-%m-%dT%H").to_string())
        .collect()
}

// The examples of RFC 5545 section 3.8.5.3 (DTSTART 1997-09-02 09:00 unless said), with the results printed there.
#[rstest]
#[case("1997-09-02T09:00:00", "FREQ=DAILY;COUNT=3", &["1997-09-02T09", "1997-09-03T09", "1997-09-04T09"])]
#[case("1997-09-02T09:00:00", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,TH", &["1997-09-02T09", "1997-09-04T09", "1997-09-16T09", "1997-09-18T09"])]
#[case("1997-09-05T09:00:00", "FREQ=MONTHLY;COUNT=3;BYDAY=1FR", &["1997-09-05T09", "1997-10-03T09", "1997-11-07T09"])]
#[case("1997-09-22T09:00:00", "FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", &["1997-09-22T09", "1997-10-20T09", "1997-11-17T09"])]
#[case("1997-09-28T09:00:00", "FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3", &["1997-09-28T09", "1997-10-29T09", "1997-11-28T09"])]
#[case("1997-09-10T09:00:00", "FREQ=MONTHLY;INTERVAL=18;COUNT=6;BYMONTHDAY=10,11,12,13,14,15", &["1997-09-10T09", "1997-09-11T09", "1997-09-12T09", "1997-09-13T09", "1997-09-14T09", "1997-09-15T09"])]
#[case("1997-06-10T09:00:00", "FREQ=YEARLY;COUNT=4;BYMONTH=6,7", &["1997-06-10T09", "1997-07-10T09", "1998-06-10T09", "1998-07-10T09"])]
#[case("1997-01-01T09:00:00", "FREQ=YEARLY;INTERVAL=3;COUNT=5;BYYEARDAY=1,100,200", &["1997-01-01T09", "1997-04-10T09", "1997-07-19T09", "2000-01-01T09", "2000-04-09T09"])]
#[case("1997-05-19T09:00:00", "FREQ=YEARLY;BYDAY=20MO;COUNT=3", &["1997-05-19T09", "1998-05-18T09", "1999-05-17T09"])]
#[case("1997-05-12T09:00:00", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", &["1997-05-12T09", "1998-05-11T09", "1999-05-17T09"])]
#[case("1996-11-05T09:00:00", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3", &["1996-11-05T09", "2000-11-07T09", "2004-11-02T09"])]
#[case("1997-09-04T09:00:00", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", &["1997-09-04T09", "1997-10-07T09", "1997-11-06T09"])]
#[case("1997-09-29T09:00:00", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3", &["1997-09-29T09", "1997-10-30T09", "1997-11-27T09"])]
#[case("1997-08-05T09:00:00", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", &["1997-08-05T09", "1997-08-10T09", "1997-08-19T09", "1997-08-24T09"])]
#[case("1997-08-05T09:00:00", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", &["1997-08-05T09", "1997-08-17T09", "1997-08-19T09", "1997-08-31T09"])]
#[case("2007-01-15T09:00:00", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", &["2007-01-15T09", "2007-01-30T09", "2007-02-15T09", "2007-03-15T09", "2007-03-30T09"])]
#[case("1997-09-02T09:00:00", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", &["1997-09-02T09", "1997-09-02T12", "1997-09-02T15"])]
#[case("2024-02-29T09:00:00", "FREQ=YEARLY;COUNT=3", &["2024-02-29T09", "2028-02-29T09", "2032-02-29T09"])]
#[case("2024-01-31T09:00:00", "FREQ=MONTHLY;COUNT=3", &["2024-01-31T09", "2024-03-31T09", "2024-05-31T09"])]
// DTSTART that does not match its rule is still the first occurrence, and counts.
#[case("2026-11-21T09:00:00", "FREQ=WEEKLY;BYDAY=MO;COUNT=2", &["2026-11-21T09", "2026-11-23T09"])]
fn rules_expand_as_the_rfc_prints_them(
    #[case] start: &str,
    #[case] rule: &str,
    #[case] expected: &[&str],
) {
    assert_eq!(starts(start, rule, 2040), expected);
}

#[rstest]
#[case("FREQ=FORTNIGHTLY")]
#[case("INTERVAL=2")]
#[case("FREQ=DAILY;INTERVAL=0")]
#[case("FREQ=DAILY;COUNT=2;UNTIL=20260101")]
#[case("FREQ=DAILY;UNTIL=tomorrow")]
#[case("FREQ=WEEKLY;BYDAY=2MO")]
#[case("FREQ=WEEKLY;BYMONTHDAY=2")]
#[case("FREQ=MONTHLY;BYWEEKNO=2")]
#[case("FREQ=MONTHLY;BYDAY=XX")]
#[case("FREQ=MONTHLY;BYDAY=é")]
#[case("FREQ=MONTHLY;BYMONTHDAY=0")]
#[case("FREQ=DAILY;BYHOUR=24")]
#[case("FREQ=DAILY;BYSETPOS=1")]
#[case("FREQ=DAILY;FREQ=DAILY")]
#[case("FREQ=DAILY;SKIP=FORWARD")]
#[case("FREQ")]
#[case("")]
fn rules_that_are_not_understood_are_errors(#[case] rule: &str) {
    assert!(rule.parse::<Rrule>().is_err(), "{rule}");
}

#[test]
fn a_rule_keeps_its_wall_clock_ends_or_its_elapsed_length() {
    let base = Recurrence {
        start: "2026-10-24T22:00".parse().unwrap(),
        end: Some("2026-10-25T06:00".parse().unwrap()),
        length: None,
        rules: vec!["FREQ=DAILY;COUNT=2".into()],
        except: vec![],
        extra: vec![],
    };
    let (from, to) = (utc("2026-10-20T00:00:00Z"), utc("2026-10-30T00:00:00Z"));
    let walls = Schedule::Rrule(base.clone())
        .occurrences(from, to, Tz::Europe__Berlin, Lean::Longer)
        .unwrap();
    assert_eq!(
        texts(&walls),
        [
            "2026-10-24T20:00/2026-10-25T05:00",
            "2026-10-25T21:00/2026-10-26T05:00"
        ]
    );
    let elapsed = Recurrence {
        end: None,
        length: Some(Length(8 * 3_600)),
        ..base.clone()
    };
    let spans = Schedule::Rrule(elapsed)
        .occurrences(from, to, Tz::Europe__Berlin, Lean::Longer)
        .unwrap();
    assert_eq!(
        texts(&spans),
        [
            "2026-10-24T20:00/2026-10-25T04:00",
            "2026-10-25T21:00/2026-10-26T05:00"
        ]
    );
    let changed = Recurrence {
        except: vec!["2026-10-25".parse().unwrap()],
        extra: vec!["2026-10-28T22:00".parse().unwrap()],
        ..base
    };
    let spans = Schedule::Rrule(changed)
        .occurrences(from, to, Tz::Europe__Berlin, Lean::Longer)
        .unwrap();
    assert_eq!(
        texts(&spans),
        [
            "2026-10-24T20:00/2026-10-25T05:00",
            "2026-10-28T21:00/2026-10-29T05:00"
        ]
    );
}

#[test]
fn a_rule_too_fine_is_refused() {
    let rule = Recurrence {
        start: "2026-01-01T00:00".parse().unwrap(),
        end: None,
        length: Some(Length(1)),
        rules: vec!["FREQ=SECONDLY".into()],
        except: vec![],
        extra: vec![],
    };
    assert!(
        Schedule::Rrule(rule)
            .check(Tz::UTC)
            .unwrap_err()
            .contains("more than")
    );
}

#[test]
fn schedules_survive_json() {
    for text in [
        r#"{"kind":"once","start":"2026-12-28","end":"2027-01-04"}"#,
        r#"{"kind":"weekly","days":["mon","thu"],"from":"09:30","to":"16:00"}"#,
        r#"{"kind":"cron","cron":"0 9 * * *","length":"3600s"}"#,
        r#"{"kind":"rrule","start":"2026-01-01T09:00:00","length":"60s","rules":["FREQ=DAILY"]}"#,
    ] {
        let schedule: Schedule = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&schedule).unwrap(), text);
    }
    assert!(
        serde_json::from_str::<Schedule>(
            r#"{"kind":"weekly","days":["mon"],"from":"25:00","to":"16:00"}"#
        )
        .is_err()
    );
}

proptest! {
    // A rule asked for a late horizon gives what it gives from its start on: jumping over periods loses nothing.
    #[test]
    fn a_jump_loses_nothing(
        freq in prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        interval in 1..5_u32,
        part in prop::sample::select(vec!["", ";BYDAY=MO,FR", ";BYMONTH=2,7", ";BYHOUR=3,20"]),
        offset in 0..2_000_i64,
    ) {
        let rule: Rrule = format!("FREQ={freq};INTERVAL={interval}{part}").parse().unwrap();
        let start = NaiveDate::from_ymd_opt(2019, 3, 31).unwrap().and_hms_opt(9, 0, 0).unwrap();
        let (from, to) = (start + Duration::days(offset), start + Duration::days(offset + 400));
        let whole = rule.local_starts(start, start, to, &|at| at.and_utc(), &mut Budget::for_rule()).unwrap();
        let late = rule.local_starts(start, from, to, &|at| at.and_utc(), &mut Budget::for_rule()).unwrap();
        let expected: Vec<_> = whole.into_iter().filter(|at| *at >= from).collect();
        prop_assert_eq!(late, expected);
    }

    // Any text is a rule or an error, never a panic.
    #[test]
    fn any_text_is_a_rule_or_an_error(text in "\\PC{0,40}", head in prop::sample::select(vec!["", "FREQ=DAILY;", "FREQ=MONTHLY;BYDAY="])) {
        let _ = format!("{head}{text}").parse::<Rrule>();
        let _ = text.parse::<Moment>();
    }

    // Whatever the rule, the freeze made of it contains the window made of it.
    #[test]
    fn a_freeze_contains_the_window(minute in 0..1_440_u32, length in 1..1_440_u32, spring in any::<bool>()) {
        let clock = |m: u32| TimeOfDay(NaiveTime::from_hms_opt(m / 60 % 24, m % 60, 0).unwrap());
        let rule = Schedule::Weekly { days: ALL.to_vec(), from: clock(minute), to: clock(minute + length), since: None, through: None };
        let at = utc(if spring { "2026-03-29T00:00:00Z" } else { "2026-10-25T00:00:00Z" });
        for zone in [Tz::Europe__Berlin, Tz::Australia__Lord_Howe, Tz::America__New_York] {
            let horizon = (at - Duration::days(40), at + Duration::days(10));
            let longer = rule.occurrences(horizon.0, horizon.1, zone, Lean::Longer).unwrap();
            for window in rule.occurrences(horizon.0, horizon.1, zone, Lean::Shorter).unwrap() {
                prop_assert!(longer.iter().any(|f| f.start <= window.start && f.end >= window.end));
            }
        }
    }
}
