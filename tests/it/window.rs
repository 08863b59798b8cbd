//! `cockpit window --at` against an independent calculation: minutes of UTC are walked, each converted to the wall clock, and every
//! rule is decided by looking at what the wall clock reads. Nothing of the program's time engine is used for it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::{
    DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Offset, Timelike, Utc, Weekday,
};
use chrono_tz::Tz;
use cockpit::domain::journal::Journal;
use cockpit::domain::observe::{Feed, Observation, Observed};
use cockpit::domain::policy::Policy;
use cockpit::domain::record::Records;
use cockpit::domain::rules::Rules;
use cockpit::domain::time::{Now, Span};
use cockpit::domain::window::{Opening, Target};
use cockpit::runtime::load::Index;
use serde_json::Value;

type Utc0 = DateTime<Utc>;

/// A zone with what its VTIMEZONE says: standard and daylight offset, and when each begins (on the clock before).
struct Place {
    zone: Tz,
    standard: &'static str,
    daylight: &'static str,
    spring: (&'static str, &'static str),
    autumn: (&'static str, &'static str),
}

const PLACES: [Place; 4] = [
    Place {
        zone: Tz::America__New_York,
        standard: "-0500",
        daylight: "-0400",
        spring: ("20070311T020000", "FREQ=YEARLY;BYMONTH=3;BYDAY=2SU"),
        autumn: ("20071104T020000", "FREQ=YEARLY;BYMONTH=11;BYDAY=1SU"),
    },
    Place {
        zone: Tz::Europe__Berlin,
        standard: "+0100",
        daylight: "+0200",
        spring: ("19960331T020000", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"),
        autumn: ("19961027T030000", "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"),
    },
    Place {
        zone: Tz::Australia__Sydney,
        standard: "+1000",
        daylight: "+1100",
        spring: ("20081005T020000", "FREQ=YEARLY;BYMONTH=10;BYDAY=1SU"),
        autumn: ("20080406T030000", "FREQ=YEARLY;BYMONTH=4;BYDAY=1SU"),
    },
    Place {
        zone: Tz::Australia__Lord_Howe,
        standard: "+1030",
        daylight: "+1100",
        spring: ("20081005T020000", "FREQ=YEARLY;BYMONTH=10;BYDAY=1SU"),
        autumn: ("20080406T020000", "FREQ=YEARLY;BYMONTH=4;BYDAY=1SU"),
    },
];

/// Every minute of a week with two days on either side: the instant, and what the wall clock reads.
struct Walk {
    minutes: Vec<(Utc0, NaiveDateTime)>,
    /// The week itself, as indexes.
    week: std::ops::Range<usize>,
}

const MARGIN: usize = 2 * 1_440;

impl Walk {
    /// Three days before to four days after the day that holds `middle`.
    fn around(middle: Utc0, zone: Tz) -> Self {
        let midnight = middle - Duration::seconds(i64::from(middle.num_seconds_from_midnight()));
        let from = midnight - Duration::days(5);
        let minutes: Vec<_> = (0..11 * 1_440)
            .map(|m| {
                let at = from + Duration::minutes(m);
                (at, at.with_timezone(&zone).naive_local())
            })
            .collect();
        let week = MARGIN..minutes.len() - MARGIN;
        Self { minutes, week }
    }

    fn dates(&self) -> Vec<NaiveDate> {
        let mut dates: Vec<NaiveDate> =
            self.minutes.iter().map(|(_, local)| local.date()).collect();
        dates.sort_unstable();
        dates.dedup();
        dates
    }

    /// Minutes at which the wall clock reads that; where a jump skips it, the first minute after the jump.
    fn reads(&self, wanted: NaiveDateTime) -> Vec<usize> {
        let exact: Vec<usize> = self
            .minutes
            .iter()
            .enumerate()
            .filter(|(_, (_, local))| *local == wanted)
            .map(|(n, _)| n)
            .collect();
        if !exact.is_empty() {
            return exact;
        }
        let after = self.minutes.iter().position(|(_, local)| *local > wanted);
        vec![after.unwrap_or(self.minutes.len())]
    }

    /// As .ics data reads a skipped time: with the offset before the jump.
    fn reads_ics(&self, wanted: NaiveDateTime) -> Vec<usize> {
        let before = self.minutes.iter().rposition(|(_, local)| *local < wanted);
        let exact = self.minutes.iter().any(|(_, local)| *local == wanted);
        match before {
            Some(n) if !exact => {
                let (at, local) = self.minutes[n];
                let offset = local - at.naive_utc();
                let wanted = (wanted - offset).and_utc();
                let found = self.minutes.iter().position(|(at, _)| *at >= wanted);
                vec![found.unwrap_or(self.minutes.len())]
            }
            _ => self.reads(wanted),
        }
    }
}

/// Which end of a doubtful time counts.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    Window,
    Freeze,
}

/// When a rule holds, in the simplest words.
enum When {
    /// On days that pass, from one wall-clock time to another (of the next day where it is not later).
    Days(fn(NaiveDate) -> bool, (u32, u32), (u32, u32)),
    /// From one wall-clock time to another, once.
    Once(fn(&Walk) -> (NaiveDateTime, NaiveDateTime)),
    /// At every wall-clock time that passes, for elapsed minutes; the second flag: an hour that comes twice is met twice by a freeze.
    Times(fn(NaiveDateTime) -> bool, usize, bool),
    /// As `Days`, inside .ics data.
    Ics(fn(NaiveDate) -> bool, (u32, u32), (u32, u32)),
}

fn clock(date: NaiveDate, (hour, minute): (u32, u32)) -> NaiveDateTime {
    date.and_hms_opt(hour, minute, 0).unwrap()
}

impl When {
    /// For every minute of the walk: does it hold?
    fn holds(&self, walk: &Walk, rule: Rule) -> Vec<bool> {
        let mut holds = vec![false; walk.minutes.len()];
        let mut mark = |from: usize, to: usize| {
            for cell in holds.iter_mut().take(to).skip(from) {
                *cell = true;
            }
        };
        let first = |list: Vec<usize>| *list.first().unwrap();
        let last = |list: Vec<usize>| *list.last().unwrap();
        let mut between = |start: Vec<usize>, end: Vec<usize>| match rule {
            Rule::Freeze => mark(first(start), last(end)),
            Rule::Window => mark(last(start), first(end)),
        };
        match self {
            Self::Days(on, from, to) | Self::Ics(on, from, to) => {
                let ics = matches!(self, Self::Ics(..));
                for date in walk.dates().into_iter().filter(|d| on(*d)) {
                    let until = if to > from {
                        date
                    } else {
                        date.succ_opt().unwrap()
                    };
                    let read = |at| {
                        if ics {
                            walk.reads_ics(at)
                        } else {
                            walk.reads(at)
                        }
                    };
                    between(read(clock(date, *from)), read(clock(until, *to)));
                }
            }
            Self::Once(span) => {
                let (from, to) = span(walk);
                between(walk.reads(from), walk.reads(to));
            }
            Self::Times(at, length, both) => {
                for date in walk.dates() {
                    for minute in 0..1_440 {
                        let local = clock(date, (minute / 60, minute % 60));
                        if !at(local) {
                            continue;
                        }
                        let starts = walk.reads(local);
                        let starts = match rule {
                            Rule::Window => vec![last(starts)],
                            Rule::Freeze if *both => starts,
                            Rule::Freeze => vec![first(starts)],
                        };
                        for start in starts {
                            mark(start, start + length);
                        }
                    }
                }
            }
        }
        holds
    }
}

fn weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Fri | Weekday::Sat | Weekday::Sun)
}

fn sunday(date: NaiveDate) -> bool {
    date.weekday() == Weekday::Sun
}

fn any(_: NaiveDate) -> bool {
    true
}

fn middle_sunday(walk: &Walk) -> NaiveDate {
    let middle = walk.minutes.len() / 2;
    let mut date = walk.minutes[middle].1.date();
    while !sunday(date) {
        date = date.succ_opt().unwrap();
    }
    date
}

/// Name, keys of cockpit.toml (`DATE` is the Sunday of the week), and the same in words.
fn rules() -> Vec<(&'static str, &'static str, When)> {
    vec![
        (
            "weekly",
            "days = [\"fri\", \"sat\", \"sun\"]\nfrom = \"01:30\"\nto = \"03:15\"\n",
            When::Days(weekend, (1, 30), (3, 15)),
        ),
        (
            "night",
            "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\nfrom = \"22:00\"\nto = \"02:15\"\n",
            When::Days(any, (22, 0), (2, 15)),
        ),
        (
            "dates",
            "start = DATET01:40:00\nend = DATET02:50:00\n",
            When::Once(|walk| {
                let day = middle_sunday(walk);
                (clock(day, (1, 40)), clock(day, (2, 50)))
            }),
        ),
        (
            "day",
            "start = DATE\nend = NEXT\n",
            When::Once(|walk| {
                let day = middle_sunday(walk);
                (clock(day, (0, 0)), clock(day.succ_opt().unwrap(), (0, 0)))
            }),
        ),
        (
            "cron",
            "cron = \"15 2 * * *\"\nduration = \"90m\"\n",
            When::Times(|t| (t.hour(), t.minute()) == (2, 15), 90, false),
        ),
        (
            "hourly",
            "cron = \"45 * * * *\"\nduration = \"20m\"\n",
            When::Times(|t| t.minute() == 45, 20, true),
        ),
        (
            "monthly",
            "start = 2020-01-26T01:15:00\nend = 2020-01-26T02:45:00\nrrule = \"FREQ=MONTHLY;BYDAY=-1SU,1SU,2SU\"\n",
            When::Days(
                |d| {
                    let next = d + Duration::days(7);
                    sunday(d) && (d.day() <= 14 || next.month() != d.month())
                },
                (1, 15),
                (2, 45),
            ),
        ),
        (
            "leap",
            "start = 2020-02-29T22:30:00\nduration = \"4h\"\nrrule = \"FREQ=YEARLY\"\nrdate = [2027-03-01T22:30:00]\nexdate = [2024-02-29]\n",
            When::Times(
                |t| {
                    let leap =
                        (t.month(), t.day()) == (2, 29) && t.year() >= 2020 && t.year() != 2024;
                    let added = t.date() == NaiveDate::from_ymd_opt(2027, 3, 1).unwrap();
                    (leap || added) && (t.hour(), t.minute()) == (22, 30)
                },
                240,
                false,
            ),
        ),
    ]
}

/// One environment a rule and kind; `all` has a window and a freeze of each of two rules. Local times are those of `zone`.
fn file(zone: Tz, sunday: NaiveDate) -> String {
    let mut out =
        format!("title = \"T\"\ntimezone = \"{zone}\"\n[[service]]\nname = \"checkout\"\n");
    let day = |text: &str| {
        text.replace("DATE", &sunday.to_string())
            .replace("NEXT", &sunday.succ_opt().unwrap().to_string())
    };
    for (name, keys, _) in rules() {
        for kind in ["window", "freeze"] {
            let _ = write!(
                out,
                "[environments.{kind}-{name}]\n[[{kind}]]\nname = \"{name}\"\nenvironments = [\"{kind}-{name}\"{}]\n{}",
                if together(kind, name) {
                    ", \"all\""
                } else {
                    ""
                },
                day(keys)
            );
        }
    }
    out.push_str("[environments.all]\n");
    out
}

fn together(kind: &str, name: &str) -> bool {
    matches!(
        (kind, name),
        ("window", "night" | "cron" | "monthly") | ("freeze", "hourly" | "dates")
    )
}

/// Environment → for every minute of the walk whether a start is permitted.
fn expected(walk: &Walk) -> Vec<(String, Vec<bool>)> {
    let mut out = Vec::new();
    let mut open = vec![false; walk.minutes.len()];
    let mut frozen = vec![false; walk.minutes.len()];
    for (name, _, when) in rules() {
        for (kind, rule) in [("window", Rule::Window), ("freeze", Rule::Freeze)] {
            let holds = when.holds(walk, rule);
            if together(kind, name) {
                let union = if kind == "window" {
                    &mut open
                } else {
                    &mut frozen
                };
                for (all, one) in union.iter_mut().zip(&holds) {
                    *all |= one;
                }
            }
            let permitted = holds.iter().map(|h| *h == (rule == Rule::Window));
            out.push((format!("{kind}-{name}"), permitted.collect()));
        }
    }
    let all = open.iter().zip(&frozen).map(|(o, f)| *o && !*f);
    out.push(("all".to_owned(), all.collect()));
    out
}

/// The Sundays in a span on which a zone's clocks change.
fn changes(zone: Tz, from: Utc0, to: Utc0) -> Vec<Utc0> {
    let offset = |at: Utc0| at.with_timezone(&zone).offset().fix();
    let mut out = Vec::new();
    let mut at = from;
    while at < to {
        let next = at + Duration::hours(1);
        if offset(at) != offset(next) {
            out.push(next);
        }
        at = next;
    }
    out
}

fn utc(text: &str) -> Utc0 {
    text.parse().unwrap()
}

/// Both changes of 2026, and the 29th of February 2028 (with the day after, 2027, by an RDATE).
fn weeks(zone: Tz) -> Vec<Utc0> {
    let mut weeks = changes(
        zone,
        utc("2026-01-01T00:00:00Z"),
        utc("2027-01-01T00:00:00Z"),
    );
    assert_eq!(weeks.len(), 2, "{zone}");
    weeks.push(utc("2028-02-29T12:00:00Z"));
    weeks.push(utc("2027-03-01T12:00:00Z"));
    weeks
}

fn policy(text: &str) -> Policy {
    let (index, _) = Index::new(None);
    match cockpit::config::load(text, "cockpit.toml", &index) {
        Ok((policy, _)) => policy,
        Err(diags) => panic!("{diags:#?}\n{text}"),
    }
}

/// Compares every minute of the week, the word and the next change, with what the library says.
fn compare(
    policy: &Policy,
    observed: &Observed,
    now: Now,
    walk: &Walk,
    expected: &[(String, Vec<bool>)],
) {
    let middle = walk.minutes[walk.minutes.len() / 2].0;
    let rules = Rules::around(policy, observed, middle, now);
    let compiled = rules.compiled.as_ref().expect("rules");
    let health = rules.calendars(policy, observed, now);
    for (environment, permitted) in expected {
        let target = Target {
            environment: Some(environment.clone()),
            ..Target::default()
        };
        let timeline = compiled.timeline(&target, &health);
        // The next flip of each minute, from the end.
        let mut next = vec![None; permitted.len()];
        for n in (0..permitted.len() - 1).rev() {
            next[n] = if permitted[n + 1] == permitted[n] {
                next[n + 1]
            } else {
                Some(walk.minutes[n + 1].0)
            };
        }
        for n in walk.week.clone() {
            let (at, local) = walk.minutes[n];
            let opening = timeline.opening(at);
            let place = || format!("{environment} at {at} ({local} {})", policy.timezone);
            assert_eq!(
                matches!(opening, Opening::Open(_)),
                permitted[n],
                "{}",
                place()
            );
            assert_ne!(opening, Opening::Unknown, "{}", place());
            if let Some(flip) = next[n] {
                assert_eq!(timeline.next_change(at).at(), Some(flip), "{}", place());
            }
            if n % 97 == 0 {
                assert_eq!(
                    timeline.state_at(at).state.is_open(),
                    permitted[n],
                    "{}",
                    place()
                );
            }
        }
    }
}

#[test]
fn every_minute_of_the_dst_weeks_as_an_independent_calculation_has_it() {
    for place in &PLACES {
        for middle in weeks(place.zone) {
            let walk = Walk::around(middle, place.zone);
            let policy = policy(&file(place.zone, middle_sunday(&walk)));
            let now = Now {
                world: middle,
                real: middle,
            };
            compare(&policy, &Observed::default(), now, &walk, &expected(&walk));
        }
    }
}

// ---- calendars ------------------------------------------------------------------------------------------------------------

/// A calendar whose zone is described by the file alone: a freeze every Sunday 01:30 to 02:30, taken out on the second Sunday of the
/// walk and put on its Wednesday instead, and a window 22:00 to 02:15 on Saturdays.
fn calendar(place: &Place, first: NaiveDate) -> String {
    let second = first + Duration::days(7);
    let moved = second + Duration::days(3);
    let (standard, daylight) = (place.standard, place.daylight);
    let begins = |(start, rule): (&str, &str), from: &str, to: &str| {
        format!("DTSTART:{start}\r\nRRULE:{rule}\r\nTZOFFSETFROM:{from}\r\nTZOFFSETTO:{to}\r\n")
    };
    let day = |d: NaiveDate| d.format("%Y%m%d").to_string();
    let saturday = first - Duration::days(8);
    let ago = first - Duration::days(7);
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//T//EN\r\nBEGIN:VTIMEZONE\r\nTZID:The Office\r\nBEGIN:DAYLIGHT\r\n{}END:DAYLIGHT\r\nBEGIN:STANDARD\r\n{}END:STANDARD\r\nEND:VTIMEZONE\r\n\
BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:freeze\r\nDTSTART;TZID=The Office:{}T013000\r\nDTEND;TZID=The Office:{}T023000\r\nRRULE:FREQ=WEEKLY;BYDAY=SU\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:freeze\r\nRECURRENCE-ID;TZID=The Office:{}T013000\r\nDTSTART;TZID=The Office:{}T013000\r\nDTEND;TZID=The Office:{}T023000\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:b\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:window\r\nDTSTART;TZID=The Office:{}T220000\r\nDTEND;TZID=The Office:{}T021500\r\nRRULE:FREQ=WEEKLY;BYDAY=SA\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        begins(place.spring, standard, daylight),
        begins(place.autumn, daylight, standard),
        day(ago),
        day(ago),
        day(second),
        day(moved),
        day(moved),
        day(saturday),
        day(saturday.succ_opt().unwrap()),
    )
}

const CALENDAR: &str = "[environments.frozen]\n[environments.opened]\n[connections.company]\nconnector = \"calendar\"\nfile = \"company.ics\"\n\
[[calendar]]\nname = \"company\"\nconnection = \"company\"\nrules = [\n{ summary = \"freeze\", becomes = \"freeze\", environments = [\"frozen\"] },\n\
{ summary = \"window\", becomes = \"window\", environments = [\"opened\"] } ]\n";

/// What that calendar should say; the first Sunday is that of the change.
fn expected_of_calendar(walk: &Walk, first: NaiveDate) -> Vec<(String, Vec<bool>)> {
    let moved = first + Duration::days(10);
    let mut frozen = When::Ics(sunday, (1, 30), (2, 30)).holds(walk, Rule::Freeze);
    // The walk reaches neither the Sunday that was taken out nor its Wednesday, unless the change lies late in it.
    assert!(
        walk.dates()
            .last()
            .is_some_and(|last| *last < first + Duration::days(7))
    );
    assert!(moved > first);
    let opened =
        When::Ics(|d| d.weekday() == Weekday::Sat, (22, 0), (2, 15)).holds(walk, Rule::Window);
    for cell in &mut frozen {
        *cell = !*cell;
    }
    vec![("frozen".to_owned(), frozen), ("opened".to_owned(), opened)]
}

#[test]
fn a_calendar_with_its_own_zone_as_an_independent_calculation_has_it() {
    for place in &PLACES {
        for middle in weeks(place.zone).into_iter().take(2) {
            let walk = Walk::around(middle, place.zone);
            let first = middle_sunday(&walk);
            let ics = calendar(place, first);
            let span = Span::new(middle - Duration::days(40), middle + Duration::days(430));
            let events = cockpit::connect::ics::read_ics(ics.as_bytes(), span, Tz::UTC).unwrap();
            let policy = policy(&format!(
                "title = \"T\"\ntimezone = \"{}\"\n[[service]]\nname = \"checkout\"\n{CALENDAR}",
                place.zone
            ));
            let mut observed = Observed::default();
            let seen = Observation {
                need: "calendar/company".into(),
                source: "company".into(),
                read_at: middle,
                newest: middle,
                cadence: 300,
                records: Records::Event(events),
                partial: None,
            };
            observed.feeds.insert(
                "calendar/company".into(),
                Feed {
                    last: Some(seen),
                    ..Feed::default()
                },
            );
            let now = Now {
                world: middle,
                real: middle,
            };
            compare(
                &policy,
                &observed,
                now,
                &walk,
                &expected_of_calendar(&walk, first),
            );
            // The instance that was moved is gone from its Sunday and there on its Wednesday.
            let rules = Rules::around(&policy, &observed, middle, now);
            let health = rules.calendars(&policy, &observed, now);
            let target = Target {
                environment: Some("frozen".into()),
                ..Target::default()
            };
            let timeline = rules.compiled.as_ref().unwrap().timeline(&target, &health);
            for (days, frozen) in [(7, false), (10, true), (14, true)] {
                let local = clock(first + Duration::days(days), (2, 0));
                let at = local.and_local_timezone(place.zone).unwrap().to_utc();
                assert_eq!(timeline.opening(at) == Opening::Shut, frozen, "{at}");
            }
        }
    }
}

// ---- the program itself ---------------------------------------------------------------------------------------------------

/// Asks the program about many instants at once: (at, state, next change) a line.
fn ask(
    folder: &std::path::Path,
    environment: &str,
    times: &[Utc0],
) -> Vec<(Utc0, String, Option<Utc0>)> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cockpit"))
        .args([
            "window",
            "--json",
            "--at",
            "-",
            "--environment",
            environment,
        ])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("USER", "ana")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = times
        .iter()
        .map(|t| format!("{}\n", t.to_rfc3339()))
        .collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let json: Value = serde_json::from_str(line).unwrap();
            let time = |key: &str| json[key].as_str().map(utc);
            (
                time("at").unwrap(),
                json["state"].as_str().unwrap().to_owned(),
                time("next_change"),
            )
        })
        .collect()
}

/// Every seventh minute of the week, and each minute around every flip.
fn sample(walk: &Walk, permitted: &[bool]) -> Vec<usize> {
    let flips: Vec<usize> = (1..permitted.len())
        .filter(|n| permitted[*n] != permitted[*n - 1])
        .collect();
    walk.week
        .clone()
        .filter(|n| n % 7 == 0 || flips.iter().any(|f| f.abs_diff(*n) <= 2))
        .collect()
}

fn program_agrees(folder: &std::path::Path, walk: &Walk, environment: &str, permitted: &[bool]) {
    let asked = sample(walk, permitted);
    let times: Vec<Utc0> = asked.iter().map(|n| walk.minutes[*n].0).collect();
    let said = ask(folder, environment, &times);
    assert_eq!(said.len(), asked.len(), "{environment}");
    for (n, (at, state, change)) in asked.iter().zip(said) {
        assert_eq!(at, walk.minutes[*n].0);
        let word = if permitted[*n] { "open" } else { "closed" };
        assert_eq!(state, word, "{environment} at {at}");
        let flip = (*n + 1..permitted.len()).find(|m| permitted[*m] != permitted[*n]);
        if let Some(flip) = flip {
            assert_eq!(change, Some(walk.minutes[flip].0), "{environment} at {at}");
        }
    }
}

#[test]
fn the_program_says_so_too_for_any_instant() {
    for place in &PLACES {
        for middle in weeks(place.zone).into_iter().take(2) {
            let walk = Walk::around(middle, place.zone);
            let folder = tempfile::tempdir().unwrap();
            let text = file(place.zone, middle_sunday(&walk));
            fs::write(folder.path().join("cockpit.toml"), text).unwrap();
            for (environment, permitted) in expected(&walk) {
                if matches!(environment.as_str(), "all" | "freeze-hourly") {
                    program_agrees(folder.path(), &walk, &environment, &permitted);
                }
            }
        }
    }
}

#[test]
fn the_program_reads_a_calendar_file_so() {
    // Calendars are read around the real time, so the changes are those that lie ahead.
    let now = utc(&Utc::now().format("%Y-%m-%dT%H:00:00Z").to_string());
    let place = &PLACES[1];
    let ahead = changes(place.zone, now, now + Duration::days(400));
    let middle = ahead[0];
    let walk = Walk::around(middle, place.zone);
    let first = middle_sunday(&walk);
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "title = \"T\"\ntimezone = \"{}\"\n[[service]]\nname = \"checkout\"\n{CALENDAR}",
        place.zone
    );
    fs::write(folder.path().join("cockpit.toml"), text).unwrap();
    fs::write(folder.path().join("company.ics"), calendar(place, first)).unwrap();
    let trusted = Command::new(env!("CARGO_BIN_EXE_cockpit"))
        .args(["trust", "--yes"])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("USER", "ana")
        .output()
        .unwrap();
    assert!(trusted.status.success(), "{trusted:?}");
    for (environment, permitted) in expected_of_calendar(&walk, first) {
        program_agrees(folder.path(), &walk, &environment, &permitted);
    }
    // Beyond what the calendar was read for, nothing is open.
    let far = now + Duration::days(900);
    assert_eq!(ask(folder.path(), "opened", &[far])[0].1, "unknown");
}

/// The journal is not asked: it only has to be there.
#[test]
fn without_a_service_fit_and_cover_are_not_asked() {
    let policy = policy(&file(
        Tz::UTC,
        NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
    ));
    let (journal, observed) = (Journal::default(), Observed::default());
    let at = utc("2026-11-22T01:45:00Z");
    let now = Now {
        world: at,
        real: at,
    };
    let ask = |service: Option<&str>| {
        let question = cockpit::domain::assess::StartQuestion {
            target: Target {
                service: service.map(Into::into),
                environment: Some("window-weekly".into()),
                ..Target::default()
            },
            rules_only: false,
        };
        cockpit::domain::assess::Starts::new(&policy, &journal, &observed, now, question).at(at)
    };
    let rules = ask(None);
    assert_eq!(
        (rules.state.word(), rules.next_change),
        ("open", Some(utc("2026-11-22T03:15:00Z")))
    );
    // 30 min and 30 min of presence: until 02:15 it fits.
    let service = ask(Some("checkout"));
    assert_eq!(
        (service.state.word(), service.next_change),
        ("open", Some(utc("2026-11-22T02:15:01Z")))
    );
}

// ---- conflicts ------------------------------------------------------------------------------------------------------------

/// A folder with two releases in two days' time, `minutes` apart, and more lines of the file.
fn plans(minutes: i64, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |m: i64| {
        let at = Utc::now() + Duration::days(2) + Duration::minutes(m);
        at.format("%Y-%m-%dT%H:%M:00Z").to_string()
    };
    let release = |id: &str, m: i64, driver: &str| {
        format!(
            "[[release]]\nid = \"{id}\"\nenvironment = \"production\"\nplanned = {}\nlength = \"30m\"\ndriver = \"{driver}\"\nchanges = [{{ service = \"checkout\", to = \"2\" }}]\n",
            at(m)
        )
    };
    let text = format!(
        "title = \"T\"\ntimezone = \"Europe/Berlin\"\n[environments.production]\n[[service]]\nname = \"checkout\"\n{}{}{more}",
        release("one", 0, "ana"),
        release("two", minutes, "ben")
    );
    fs::write(folder.path().join("cockpit.toml"), text).unwrap();
    folder
}

fn run(folder: &std::path::Path, words: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cockpit"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("USER", "ana")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn conflicts_name_both_parties_and_the_way_out_on_every_face() {
    let folder = plans(20, "");
    let (code, text, _) = run(folder.path(), &["conflicts"]);
    assert_eq!(code, 1, "{text}");
    for words in [
        "CONFLICTS: 1",
        "same service: checkout is in one and in two at the same time",
        "between: release one (ana) and release two (ben)",
        "way out: move one or two",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (code, json, _) = run(folder.path(), &["conflicts", "--json", "--release", "two"]);
    assert_eq!(code, 1);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["conflicts"][0]["kind"], "same-service");
    assert_eq!(json["conflicts"][0]["other"]["name"], "two");
    assert_eq!(json["order"], serde_json::json!(["one", "two"]));
    // The calendar and the whole situation say it too.
    for command in ["calendar", "status"] {
        let (_, text, _) = run(folder.path(), &[command, "--wait", "1s"]);
        assert!(text.contains("CONFLICTS: 1"), "{command}: {text}");
    }
    let (code, _, err) = run(folder.path(), &["conflicts", "--release", "three"]);
    assert_eq!(code, 64);
    assert!(err.contains("there are one, two"), "{err}");
    let apart = plans(120, "");
    let (code, text, _) = run(apart.path(), &["conflicts"]);
    assert_eq!(
        (code, text.contains("CONFLICTS: none")),
        (0, true),
        "{text}"
    );
    let unread = "[connections.company]\nconnector = \"calendar\"\nurl = \"http://127.0.0.1:1/x.ics\"\n\
[[calendar]]\nname = \"company\"\nconnection = \"company\"\nrules = [{ summary = \"*\", becomes = \"freeze\" }]\n";
    let (code, text, _) = run(plans(120, unread).path(), &["conflicts", "--wait", "1s"]);
    assert_eq!(
        (code, text.contains("CONFLICTS: not known")),
        (2, true),
        "{text}"
    );
}

#[test]
fn a_start_of_a_service_wants_room_and_somebody_on_call() {
    let folder = plans(
        600,
        "[[window]]\nname = \"office\"\ndays = [\"mon\", \"tue\"]\nfrom = \"09:00\"\nto = \"16:00\"\n\
[[oncall.rotation]]\npeople = [\"ana\"]\nstart = 2026-12-08T00:00:00\n",
    );
    let ask = |words: &[&str]| {
        let (code, text, err) = run(
            folder.path(),
            &[&["window", "--json", "--service", "checkout"], words].concat(),
        );
        let json: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{err}"));
        (code, json)
    };
    let (code, json) = ask(&["--at", "2026-12-08T14:59"]);
    assert_eq!((code, &json["state"]), (0, &Value::from("open")), "{json}");
    assert_eq!(json["next_change"], "2026-12-08T14:00:01Z");
    let (code, json) = ask(&["--at", "2026-12-08T15:30"]);
    assert_eq!(code, 1);
    let fit = &json["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["kind"] == "fit")
        .unwrap();
    assert_eq!(
        (&fit["rule"], &fit["until"]),
        (&Value::from("fit"), &Value::from("2026-12-08T15:00:00Z"))
    );
    assert_eq!(json["next_change"], "2026-12-14T08:00:00Z");
    // The first turn has not begun.
    let (code, json) = ask(&["--at", "2026-12-07T10:00"]);
    assert_eq!(
        (code, &json["reasons"][1]["kind"]),
        (1, &Value::from("cover")),
        "{json}"
    );
    let (code, _) = ask(&["--at", "2026-12-07T10:00", "--rules-only"]);
    assert_eq!(code, 0);
    // Several at once: a line each, the highest exit code.
    let (code, text, _) = run(
        folder.path(),
        &[
            "window",
            "--json",
            "--at",
            "2026-12-08T10:00",
            "--at",
            "2026-12-09T10:00",
        ],
    );
    assert_eq!((code, text.lines().count()), (1, 2), "{text}");
}
