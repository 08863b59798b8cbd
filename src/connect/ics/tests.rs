#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;
use crate::domain::recur::Lean;
use crate::domain::time::Instant;
use crate::domain::window::event::EventStatus;
use proptest::prelude::*;
use rstest::rstest;

const BERLIN: Tz = Tz::Europe__Berlin;

fn utc(text: &str) -> Instant {
    text.parse().unwrap()
}

fn years(from: i32, to: i32) -> Span {
    Span::new(
        utc(&format!("{from}-01-01T00:00:00Z")),
        utc(&format!("{to}-01-01T00:00:00Z")),
    )
}

/// A calendar around the lines of its components, with the line ends of the standard.
fn calendar(lines: &str) -> Vec<u8> {
    let lines: Vec<&str> = lines.trim().lines().map(str::trim).collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n",
        lines.join("\r\n")
    )
    .into_bytes()
}

fn event(lines: &str) -> Vec<u8> {
    calendar(&format!(
        "BEGIN:VEVENT\nUID:1\n{}\nEND:VEVENT",
        lines.trim()
    ))
}

fn read(bytes: &[u8]) -> Vec<CalendarEvent> {
    read_ics(bytes, years(2026, 2028), BERLIN).unwrap()
}

fn refused(bytes: &[u8]) -> String {
    read_ics(bytes, years(2026, 2028), BERLIN)
        .unwrap_err()
        .to_string()
}

fn texts(events: &[CalendarEvent]) -> Vec<String> {
    let text = |at: Instant| at.format("%Y-%m-%dT%H:%M").to_string();
    let mut spans: Vec<Span> = events
        .iter()
        .flat_map(|e| e.spans.iter().map(|s| s.span))
        .collect();
    spans.sort();
    spans
        .iter()
        .map(|s| format!("{}/{}", text(s.start), s.end.map_or("-".into(), text)))
        .collect()
}

// ---- the contract files: each parses or is refused with a clear sentence -----------------------------------------------------

/// What every file of the contracts folder must come to: how many events between 1990 and 2030, or a part of the refusal.
const CONTRACTS: [(&str, Result<usize, &str>); 33] = [
    ("alarm_google_future.ics", Ok(1)),
    ("america_new_york.ics", Ok(1)),
    (
        "america_new_york_forward_reference.ics",
        Err("line 5: the event has DTSTART twice"),
    ),
    ("bom_calendar.ics", Ok(0)),
    (
        "broken_ical.ics",
        Err(
            "line 4: \"DTSTART;;VALUE=DATE-TIME:20140409T093000\" has a parameter that is not understood",
        ),
    ),
    ("event_with_recurrence.ics", Ok(1)),
    (
        "event_with_recurrence_exdates_on_different_lines.ics",
        Ok(1),
    ),
    ("example.ics", Ok(3)),
    ("icaljs-daily_recur.ics", Ok(1)),
    ("icaljs-day_long_recur_yearly.ics", Ok(1)),
    ("icaljs-duration_instead_of_dtend.ics", Ok(1)),
    (
        "icaljs-google_birthday.ics",
        Err("RDATE:20131210Z is neither a date"),
    ),
    ("icaljs-multiple_rrules.ics", Ok(1)),
    ("icaljs-only_dtstart_date.ics", Ok(1)),
    ("icaljs-parserv2.ics", Ok(1)),
    ("icaljs-rdate_exdate.ics", Ok(1)),
    ("icaljs-recur_instances.ics", Ok(3)),
    ("icaljs-recur_instances_finite.ics", Ok(1)),
    ("issue_112_missing_tzinfo_on_exdate.ics", Ok(1)),
    ("issue_1231_recurrence.ics", Ok(1)),
    ("issue_156_RDATE_with_PERIOD_TZID_khal.ics", Ok(1)),
    (
        "issue_464_invalid_rdate.ics",
        Err("line 6: RDATE:199709T180000Z is neither a date"),
    ),
    ("issue_466_respect_unique_timezone.ics", Ok(1)),
    (
        "issue_526_calendar_with_different_events.ics",
        Err("the time zone \"Western/Central Europe\" is neither known nor defined"),
    ),
    ("issue_70_rrule_causes_attribute_error.ics", Ok(1)),
    ("issue_798_freebusy.ics", Ok(0)),
    (
        "multiple_timezones.ics",
        Err("RDATE with VALUE=TIME is not understood"),
    ),
    ("pacific_fiji.ics", Err("the event has DTSTART twice")),
    (
        "rfc_5545_RDATE_example.ics",
        Err("line 2: the event has no DTSTART (and 5 more)"),
    ),
    ("rfc_7986_properties.ics", Ok(0)),
    (
        "timezone_rdate.ics",
        Err("line 53: \"SUMMARY=testevent\" has no colon"),
    ),
    ("timezoned.ics", Ok(1)),
    ("x_location.ics", Ok(1)),
];

fn contracts() -> Option<std::path::PathBuf> {
    let root = std::env::var_os("COCKPIT_CONTRACTS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/contracts"),
        std::path::PathBuf::from,
    );
    let folder = root.join("icalendar/examples");
    if !folder.is_dir() {
        println!("not applicable: the icalendar contracts are absent");
        return None;
    }
    Some(folder)
}

#[test]
fn each_contract_file_parses_or_is_refused_with_a_sentence() {
    let Some(folder) = contracts() else { return };
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let got = read_ics(&std::fs::read(&path).unwrap(), years(1990, 2030), BERLIN);
        let got = got.map(|events| events.len()).map_err(|e| e.to_string());
        let expected = CONTRACTS.iter().find(|(file, _)| *file == name);
        let fits = match (&got, expected) {
            (Ok(n), Some((_, Ok(expected)))) => n == expected,
            (Err(text), Some((_, Err(part)))) => text.contains(part) && text.starts_with("line "),
            (got, None) => {
                got.as_ref().is_ok() || got.as_ref().is_err_and(|t| t.starts_with("line "))
            }
            _ => false,
        };
        if !fits {
            wrong.push(format!("{name}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_contract_files_cut_anywhere_never_panic_and_never_lose_an_event_silently() {
    let Some(folder) = contracts() else { return };
    for (name, _) in CONTRACTS
        .iter()
        .filter(|(_, expected)| matches!(expected, Ok(n) if *n > 0))
    {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let whole = std::str::from_utf8(&bytes).unwrap().trim_end().len();
        for cut in (1..whole).step_by(37) {
            assert!(
                read_ics(&bytes[..cut], years(1990, 2030), BERLIN).is_err(),
                "{name} cut at {cut}"
            );
        }
    }
}

#[test]
fn contract_files_give_the_times_they_mean() {
    let Some(folder) = contracts() else { return };
    let file = |name: &str| {
        read_ics(
            &std::fs::read(folder.join(name)).unwrap(),
            years(1990, 2030),
            BERLIN,
        )
        .unwrap()
    };
    // A VTIMEZONE under a name of its own.
    assert_eq!(
        texts(&file("america_new_york.ics")),
        ["2014-08-29T12:00/2014-08-29T14:00"]
    );
    // A day's DTEND equal to its DTSTART is that day.
    assert_eq!(
        texts(&file("example.ics"))[0],
        "2021-12-31T23:00/2022-01-01T23:00"
    );
    assert_eq!(
        texts(&file("icaljs-rdate_exdate.ics")),
        [
            "2024-06-09T03:00/2024-06-09T03:00",
            "2024-06-10T03:00/2024-06-10T03:00",
            "2024-06-12T03:00/2024-06-12T03:00"
        ]
    );
    let instances = texts(&file("icaljs-recur_instances.ics"));
    // The first instance moved from 10:00 to 15:00; three are taken out; a PERIOD lasts its own time.
    assert_eq!(instances[0], "2012-10-02T22:00/2012-10-02T22:30");
    assert!(!instances.contains(&"2012-10-02T17:00/2012-10-02T17:30".into()));
    assert!(
        !instances.iter().any(|s| s.starts_with("2012-12-04")),
        "an EXDATE"
    );
    assert!(instances.contains(&"2023-11-25T09:00/2023-11-25T12:30".into()));
    assert!(
        instances.contains(&"2012-11-07T04:00/2012-11-07T04:30".into()),
        "the changed RDATE"
    );
    assert!(!instances.iter().any(|s| s.starts_with("2012-11-05T18:00")));
    // PERIODs in a zone with a vendor's name.
    let periods = texts(&file("issue_156_RDATE_with_PERIOD_TZID_khal.ics"));
    assert_eq!(
        (periods.len(), periods[1].as_str()),
        (19, "2018-04-03T13:00/2018-04-03T14:00")
    );
}

// ---- our own files -----------------------------------------------------------------------------------------------------------

#[test]
fn whole_days_are_half_open_and_in_the_policys_zone() {
    let events = read(&event(
        "DTSTART;VALUE=DATE:20261228\nDTEND;VALUE=DATE:20270104\nSUMMARY:Freeze: quarter end",
    ));
    assert_eq!(texts(&events), ["2026-12-27T23:00/2027-01-03T23:00"]);
    assert!(events[0].all_day);
    assert_eq!(events[0].summary, "Freeze: quarter end");
}

#[test]
fn a_vtimezone_may_stand_after_its_use_and_have_odd_offsets() {
    let events = read(&calendar(
        "BEGIN:VEVENT
         UID:1
         DTSTART;TZID=Odd:20260701T120000
         DTEND;TZID=Odd:20260701T130000
         END:VEVENT
         BEGIN:VTIMEZONE
         TZID:Odd
         BEGIN:STANDARD
         DTSTART:19700101T000000
         TZOFFSETFROM:+002946
         TZOFFSETTO:+002946
         END:STANDARD
         END:VTIMEZONE",
    ));
    assert_eq!(events[0].spans[0].span.start, utc("2026-07-01T11:30:14Z"));
}

const OWN_BERLIN: &str = "BEGIN:VTIMEZONE
    TZID:Own
    BEGIN:DAYLIGHT
    DTSTART:19700329T020000
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0200
    END:DAYLIGHT
    BEGIN:STANDARD
    DTSTART:19701025T030000
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    END:STANDARD
    END:VTIMEZONE";

// A file's own zone and the IANA zone with the same rules agree, in both doubtful hours too.
#[rstest]
#[case("20260329T023000", "2026-03-29T01:30", "2026-03-29T02:30")]
#[case("20261025T023000", "2026-10-25T00:30", "2026-10-25T02:30")]
#[case("20260715T120000", "2026-07-15T10:00", "2026-07-15T11:00")]
fn own_and_known_zones_agree(#[case] start: &str, #[case] from: &str, #[case] to: &str) {
    let at = |tzid: &str| {
        let end = start.replace("T02", "T03").replace("T12", "T13");
        let end = if tzid == "x" {
            String::new()
        } else {
            format!("DTEND;TZID={tzid}:{end}")
        };
        read(&calendar(&format!(
            "BEGIN:VEVENT\nUID:1\nDTSTART;TZID={tzid}:{start}\n{end}\nEND:VEVENT\n{OWN_BERLIN}"
        )))
    };
    let (own, known) = (at("Own"), at("Europe/Berlin"));
    assert_eq!(own[0].spans, known[0].spans);
    let first = &texts(&own)[0];
    assert!(first.starts_with(from), "{first}");
    // In the spring the gap swallowed the hour between the ends: its length is kept.
    assert_eq!(first.split('/').nth(1).unwrap(), to);
}

#[test]
fn an_end_that_occurs_twice_leans_by_what_the_event_becomes() {
    let events = read(&event(
        "DTSTART;TZID=Europe/Berlin:20261025T010000\nDTEND;TZID=Europe/Berlin:20261025T023000",
    ));
    let span = events[0].spans[0];
    assert_eq!(
        span.leaning(Lean::Longer).unwrap().end,
        Some(utc("2026-10-25T01:30:00Z"))
    );
    assert_eq!(
        span.leaning(Lean::Shorter).unwrap().end,
        Some(utc("2026-10-25T00:30:00Z"))
    );
    assert_eq!(span.span.end, Some(utc("2026-10-25T00:30:00Z")));
}

#[test]
fn wall_clock_ends_are_kept_and_durations_count_days_on_the_calendar() {
    let nightly = "DTSTART;TZID=Europe/Berlin:20261023T220000\nRRULE:FREQ=DAILY;COUNT=3";
    let walls = read(&event(&format!(
        "{nightly}\nDTEND;TZID=Europe/Berlin:20261024T060000"
    )));
    assert_eq!(
        texts(&walls)[1..],
        [
            "2026-10-24T20:00/2026-10-25T05:00",
            "2026-10-25T21:00/2026-10-26T05:00"
        ]
    );
    let elapsed = read(&event(&format!("{nightly}\nDURATION:PT8H")));
    assert_eq!(texts(&elapsed)[1], "2026-10-24T20:00/2026-10-25T04:00");
    let day = read(&event(&format!("{nightly}\nDURATION:P1D")));
    assert_eq!(texts(&day)[1], "2026-10-24T20:00/2026-10-25T21:00");
}

#[test]
fn changed_and_cancelled_instances_apply() {
    let master = "BEGIN:VEVENT\nUID:s\nDTSTART:20261102T100000Z\nDTEND:20261102T110000Z\nRRULE:FREQ=WEEKLY;COUNT=4\nEND:VEVENT";
    let with = |change: &str| {
        texts(&read(&calendar(&format!(
            "{master}\nBEGIN:VEVENT\nUID:s\n{change}\nEND:VEVENT"
        ))))
    };
    let moved =
        with("RECURRENCE-ID:20261109T100000Z\nDTSTART:20261110T120000Z\nDTEND:20261110T140000Z");
    assert_eq!(
        moved,
        [
            "2026-11-02T10:00/2026-11-02T11:00",
            "2026-11-10T12:00/2026-11-10T14:00",
            "2026-11-16T10:00/2026-11-16T11:00",
            "2026-11-23T10:00/2026-11-23T11:00"
        ]
    );
    let cancelled =
        with("RECURRENCE-ID:20261109T100000Z\nDTSTART:20261109T100000Z\nSTATUS:CANCELLED");
    assert_eq!(cancelled.len(), 3);
    let later = with(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20261116T100000Z\nDTSTART:20261117T090000Z\nDURATION:PT30M",
    );
    assert_eq!(
        later[2..],
        [
            "2026-11-17T09:00/2026-11-17T09:30",
            "2026-11-24T09:00/2026-11-24T09:30"
        ]
    );
    // A change of an instance that is not there is kept: a freeze never vanishes.
    let orphan =
        with("RECURRENCE-ID:20270101T100000Z\nDTSTART:20270101T100000Z\nDTEND:20270101T110000Z");
    assert_eq!(orphan.len(), 5);
}

#[test]
fn cancelled_series_go_and_the_newest_version_holds() {
    assert_eq!(
        read(&event(
            "DTSTART:20261102T100000Z\nDTEND:20261102T110000Z\nSTATUS:CANCELLED"
        )),
        []
    );
    let version = |n: u32, hour: u32| {
        format!(
            "BEGIN:VEVENT\nUID:v\nSEQUENCE:{n}\nDTSTART:20261102T{hour}0000Z\nDURATION:PT1H\nEND:VEVENT\n"
        )
    };
    let events = read(&calendar(&(version(2, 12) + &version(1, 10))));
    assert_eq!(texts(&events), ["2026-11-02T12:00/2026-11-02T13:00"]);
    // Equal versions are both kept.
    assert_eq!(
        read(&calendar(&(version(1, 12) + &version(1, 10)))).len(),
        2
    );
}

#[test]
fn exceptions_and_additions() {
    let events = read(&event(
        "DTSTART;TZID=Europe/Berlin:20261005T090000
         DURATION:PT1H
         RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261116T080000Z
         EXDATE;TZID=Europe/Berlin:20261012T090000,20261019T090000
         EXDATE;VALUE=DATE:20261026
         RDATE;TZID=Europe/Berlin:20261014T150000
         RDATE;VALUE=PERIOD:20261015T100000Z/20261015T103000Z,20261016T100000Z/PT2H",
    ));
    assert_eq!(
        texts(&events),
        [
            "2026-10-05T07:00/2026-10-05T08:00",
            "2026-10-14T13:00/2026-10-14T14:00",
            "2026-10-15T10:00/2026-10-15T10:30",
            "2026-10-16T10:00/2026-10-16T12:00",
            "2026-11-02T08:00/2026-11-02T09:00",
            "2026-11-09T08:00/2026-11-09T09:00",
            "2026-11-16T08:00/2026-11-16T09:00",
        ]
    );
}

#[test]
fn zones_with_vendors_names_are_known() {
    let events = read(&event(
        "DTSTART;TZID=W. Europe Standard Time:20260701T120000\nDURATION:PT1H",
    ));
    assert_eq!(texts(&events), ["2026-07-01T10:00/2026-07-01T11:00"]);
}

#[test]
fn a_leap_day_recurs_every_four_years() {
    let bytes = event("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY");
    let events = read_ics(&bytes, years(2025, 2034), Tz::UTC).unwrap();
    assert_eq!(
        texts(&events),
        [
            "2028-02-29T00:00/2028-03-01T00:00",
            "2032-02-29T00:00/2032-03-01T00:00"
        ]
    );
}

#[test]
fn texts_from_outside_are_cleaned_and_cut() {
    let long = "x".repeat(10_000);
    let events = read(&event(&format!(
        "DTSTART:20261102T100000Z\nSUMMARY:a\u{1b}[31mb\u{202e}c\\, d\\ne\nDESCRIPTION:{long}\nCATEGORIES:Ops,a\\,b\nSTATUS:TENTATIVE"
    )));
    assert_eq!(events[0].summary, "a [31mbc, d e");
    assert_eq!(events[0].description.chars().count(), 2_000);
    assert_eq!(events[0].categories, ["Ops", "a,b"]);
    assert_eq!(events[0].status, EventStatus::Tentative);
}

#[test]
fn folds_may_split_a_character() {
    let mut bytes = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261102T100000Z\r\nSUMMARY:caf\xC3\r\n \xA9\r\n".to_vec();
    bytes.extend_from_slice(b"END:VEVENT\r\nEND:VCALENDAR\r\n");
    assert_eq!(read(&bytes)[0].summary, "café");
}

#[rstest]
#[case(
    "DTSTART:20261102T100000Z\nRRULE:FREQ=FORTNIGHTLY",
    "line 6: FREQ=FORTNIGHTLY is not a frequency of a recurrence rule"
)]
#[case(
    "DTSTART;TZID=Nowhere/Land:20261102T100000",
    "line 5: the time zone \"Nowhere/Land\" is neither known nor defined"
)]
#[case(
    "DTSTART:20261302T100000Z",
    "line 5: DTSTART:20261302T100000Z is neither a date"
)]
#[case("DTSTART:tomorrow", "line 5: DTSTART:tomorrow is neither a date")]
#[case(
    "DTSTART:20261102T100000Z\nDTEND:20261102T090000Z",
    "line 6: the event ends before it starts"
)]
#[case(
    "DTSTART:20261102T100000Z\nDTEND;VALUE=DATE:20261103",
    "line 6: DTSTART and DTEND must both be days"
)]
#[case(
    "DTSTART:20261102T100000Z\nDURATION:PT",
    "line 6: \"PT\" is not a length"
)]
#[case(
    "DTSTART:20261102T100000Z\nDURATION:-PT1H",
    "line 6: \"-PT1H\" is not a length"
)]
#[case(
    "DTSTART:20261102T100000Z\nDURATION:PT1H\nDTEND:20261102T110000Z",
    "line 7: the event has both DTEND and DURATION"
)]
#[case("DTSTART:20261102T100000Z\nEXRULE:FREQ=DAILY", "line 6: EXRULE")]
#[case(
    "DTSTART:20261102T100000Z\nRDATE;VALUE=DATE:20261103",
    "line 6: RDATE names a day"
)]
#[case(
    "DTSTART:20261102T100000Z\nRDATE:20261103T100000Z,",
    "line 6: RDATE: is neither a date"
)]
#[case("SUMMARY:never", "line 3: the event has no DTSTART")]
#[case(
    "DTSTART:20261102T100000Z\nRRULE:FREQ=SECONDLY",
    "line 3: the recurrence rule"
)]
fn what_is_not_understood_is_refused_with_its_line(#[case] lines: &str, #[case] sentence: &str) {
    let said = refused(&event(lines));
    assert!(said.starts_with(sentence), "{said}");
}

#[rstest]
#[case(b"", "line 1: the file is empty")]
#[case(b"<html><body>Sign in</body></html>", "line 1: this is no calendar")]
#[case(
    b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261102T100000Z\nEND:VEVENT\n",
    "line 1: the file ends inside the VCALENDAR"
)]
#[case(
    b"BEGIN:VCALENDAR\nEND:VEVENT\n",
    "line 2: END:VEVENT inside the VCALENDAR that began on line 1"
)]
#[case(b"END:VCALENDAR\n", "line 1: END:VCALENDAR without its BEGIN")]
#[case(
    b"BEGIN:VCALENDAR\nMETHOD:CANCEL\nEND:VCALENDAR\n",
    "line 2: METHOD:CANCEL"
)]
#[case(
    b"BEGIN:VCALENDAR\nX:\xFF\nEND:VCALENDAR\n",
    "line 2: the text is not UTF-8"
)]
#[case(
    b"BEGIN:VCALENDAR\nCALSCALE:HEBREW\nEND:VCALENDAR\n",
    "line 2: the calendar scale"
)]
fn files_that_are_no_calendar_are_refused(#[case] bytes: &[u8], #[case] sentence: &str) {
    let said = refused(bytes);
    assert!(said.starts_with(sentence), "{said}");
}

#[test]
fn a_zone_that_is_broken_is_told_only_where_it_is_used() {
    let broken = "BEGIN:VTIMEZONE\nTZID:Broken\nX-INVALID:1\nEND:VTIMEZONE";
    let with = |tzid: &str| {
        calendar(&format!(
            "{broken}\nBEGIN:VEVENT\nDTSTART;TZID={tzid}:20261102T100000\nDURATION:PT1H\nEND:VEVENT"
        ))
    };
    assert_eq!(read(&with("UTC")).len(), 1);
    assert!(
        refused(&with("Broken"))
            .starts_with("line 3: the VTIMEZONE has neither STANDARD nor DAYLIGHT")
    );
}

#[test]
fn five_thousand_recurring_events_are_read() {
    let one = |n: usize| {
        format!(
            "BEGIN:VEVENT\nUID:{n}\nDTSTART;TZID=Europe/Berlin:20200106T{:02}0000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\nEND:VEVENT\n",
            n % 24
        )
    };
    let all: String = (0..5_000).map(one).collect();
    let horizon = Span::new(utc("2026-11-01T00:00:00Z"), utc("2026-12-01T00:00:00Z"));
    assert_eq!(
        read_ics(&calendar(&all), horizon, BERLIN).unwrap().len(),
        5_000
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_ics(&bytes, years(2026, 2027), BERLIN);
    }

    // Lines of the right vocabulary in the wrong order with wrong values: an answer or a refusal.
    #[test]
    fn no_properties_make_it_panic(lines in prop::collection::vec((
        prop::sample::select(vec!["DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE", "DTSTART;VALUE=DATE", "RECURRENCE-ID;RANGE=THISANDFUTURE", "DTSTART;TZID=Europe/Berlin"]),
        prop_oneof![
            prop::sample::select(vec!["20261102T100000Z", "20261102", "00010101T000000", "99991231T235959Z", "20261102T100000", "P1D", "PT99999999H", "P9999999W", "FREQ=YEARLY;BYDAY=53MO", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=9", "FREQ=DAILY;INTERVAL=4294967295", "FREQ=WEEKLY;UNTIL=99991231", "20261102T100000Z/P1D", "1"]).prop_map(String::from),
            "[0-9TZP/,=-]{0,20}",
        ],
    ), 0..8)) {
        let body: String = lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let _ = read_ics(&event(&format!("X:1\n{body}")), years(2026, 2027), BERLIN);
    }
}
