//! 2,000 rules over 10 years: what a question costs once they are compiled, and what compiling costs; the month of 500 releases; a
//! calendar of 5,000 recurring events, from its reading to the judgement of everything with it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use chrono::{Duration, TimeZone, Utc};
use chrono_tz::Tz;
// The test kit names the library's modules by `crate::domain`.
use cockpit::domain;
use cockpit::domain::assess::calendar_span;
use cockpit::domain::calendar::{Look, Scope};
use criterion::{Criterion, criterion_group, criterion_main};
use domain::record::{Event, Records};
use domain::recur::{EventSpan, Schedule};
use domain::rules::Rules;
use domain::time::Span;
use domain::window::{Compiled, RuleBook, Target};
use serde_json::{Value, json};
use std::hint::black_box;

#[path = "../src/domain/testkit.rs"]
mod testkit;

use testkit::{World, change, policy, release, service, tuesday};

/// 1,000 weekly windows, 500 monthly recurrences, 300 weekly cron freezes and 200 one-off freezes, in four zones.
fn book() -> RuleBook {
    let zones = [
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Australia__Sydney,
        Tz::Australia__Lord_Howe,
    ];
    let rule = |n: usize| json!({ "name": format!("rule {n}"), "schedule": schedule(n), "timezone": zones.get(n % 4).map(|z| z.name()) });
    let windows: Vec<Value> = (0..1_000).map(rule).collect();
    let freezes: Vec<Value> = (1_000..2_000).map(rule).collect();
    serde_json::from_value(json!({ "windows": windows, "freezes": freezes }))
        .unwrap_or_else(|e| unreachable!("{e}"))
}

fn schedule(n: usize) -> Value {
    let (hour, day, year) = (n % 24, 1 + n % 28, 2026 + n % 10);
    match n {
        0..1_000 => json!({
            "kind": "weekly", "days": ["mon", "tue", "wed", "thu"],
            "from": format!("{:02}:{:02}", 6 + n % 8, n % 60), "to": format!("{:02}:00", 15 + n % 6),
        }),
        1_000..1_500 => json!({
            "kind": "rrule", "start": format!("2026-01-{day:02}T{hour:02}:00"), "length": "10m",
            "rules": ["FREQ=MONTHLY"],
        }),
        1_500..1_800 => {
            json!({ "kind": "cron", "cron": format!("{} {hour} * * 5", n % 60), "length": "5m" })
        }
        _ => json!({
            "kind": "once", "start": format!("{year}-12-{day:02}"), "end": format!("{year}-12-{:02}", day + 1),
        }),
    }
}

fn calendar(c: &mut Criterion) {
    let from = Utc.timestamp_nanos(1_767_225_600_000_000_000); // 2026-01-01
    let to = from + Duration::days(3_653);
    let book = book();
    assert!(
        book.windows
            .iter()
            .all(|w| matches!(w.schedule, Schedule::Weekly { .. }))
    );
    let compile =
        || Compiled::new(book.clone(), from, to).unwrap_or_else(|e| unreachable!("{e:?}"));
    let rules = compile();
    let timeline = rules.timeline(&Target::default(), &[]);
    let mut minute = 0_i64;
    c.bench_function("2,000 rules, 10 years: state_at + next_change", |b| {
        b.iter(|| {
            minute = (minute + 7_919) % (3_653 * 1_440);
            let at = from + Duration::minutes(minute);
            black_box((timeline.state_at(at), timeline.next_change(at)))
        });
    });
    c.bench_function("2,000 rules: strip of a month", |b| {
        b.iter(|| {
            black_box(timeline.strip(from + Duration::days(900), from + Duration::days(931)))
        });
    });
    let mut slow = c.benchmark_group("once per policy");
    slow.sample_size(10);
    slow.bench_function("compile 2,000 rules over 10 years", |b| {
        b.iter(|| black_box(compile()))
    });
    slow.bench_function("timeline of one target", |b| {
        b.iter(|| black_box(rules.timeline(&Target::default(), &[])));
    });
    slow.finish();
}

/// 500 releases of 500 services over a month, some of them in each other's way.
fn month() -> World {
    let mut p = policy();
    p.services = (0..500)
        .map(|n| service(&format!("service-{n:03}"), &[]))
        .collect();
    p.releases = (0..500_i64)
        .map(|n| {
            let name = format!("service-{:03}", n - n % 7);
            let mut r = release(&format!("release-{n:03}"), vec![change(&name, "2.0.0")]);
            r.planned = Some(tuesday() + Duration::minutes(n * 86));
            r.driver = Some(format!("driver-{}", n % 40));
            r
        })
        .collect();
    let mut w = World::new(p);
    w.vendors.oncall = vec![testkit::oncall(1, "kim")];
    w.read();
    w
}

/// 5,000 events, each once a week for a year and more, an hour long; by turns freezes, windows, releases and holidays.
fn events() -> Vec<Event> {
    (0..5_000_i64)
        .map(|n| {
            let first = tuesday() - Duration::days(9) + Duration::minutes(n * 2);
            Event {
                uid: format!("event-{n}"),
                summary: format!(
                    "{} {n}",
                    ["freeze", "window", "release", "day off"][n as usize % 4]
                ),
                recurring: true,
                spans: (0..60)
                    .map(|week| {
                        let start = first + Duration::days(7 * week);
                        EventSpan::plain(Span::new(start, start + Duration::hours(1)))
                    })
                    .collect(),
                ..Event::default()
            }
        })
        .collect()
}

fn crowded() -> World {
    let mut p = policy();
    p.calendars = vec![
        serde_json::from_value(json!({
            "name": "company", "connection": "ical", "rules": [
                { "summary": "freeze *", "becomes": "freeze" },
                { "summary": "window *", "becomes": "window" },
                { "summary": "release *", "becomes": "release" },
                { "summary": "day off *", "becomes": "holiday" },
            ],
        }))
        .unwrap(),
    ];
    let mut w = World::new(p);
    w.vendors.events.insert("company".into(), events());
    w.read();
    w.compile();
    w
}

fn whole(c: &mut Criterion) {
    let w = month();
    assert!(!w.assess().calendar.conflicts.is_empty());
    c.bench_function("assess with 500 releases in a month", |b| {
        b.iter(|| black_box(w.assess()))
    });
    let look = Look {
        seq: 1,
        span: Span::new(
            tuesday() - Duration::days(16),
            tuesday() + Duration::days(19),
        ),
        scope: Scope::default(),
        suppose: None,
        about: None,
        draft: None,
    };
    let shown = calendar_span(&w.policy, &w.journal, &w.observed, w.now, &look);
    assert!(shown.bars.len() > 250, "{}", shown.bars.len());
    c.bench_function("what a month of 500 releases shows", |b| {
        b.iter(|| {
            black_box(calendar_span(
                &w.policy,
                &w.journal,
                &w.observed,
                w.now,
                &look,
            ))
        });
    });
    let few = {
        let mut few = w.clone();
        few.policy.releases.truncate(1);
        few
    };
    c.bench_function("the same with one release", |b| {
        b.iter(|| black_box(few.assess()))
    });
    let w = crowded();
    let rules = w.observed.rules.clone().unwrap();
    assert_eq!(rules.problems, Vec::<String>::new());
    let Some(Records::Event(list)) = w
        .observed
        .feeds
        .get("calendar/company")
        .and_then(|f| f.last.as_ref())
        .map(|o| &o.records)
    else {
        unreachable!("the calendar was read");
    };
    assert_eq!(list.len(), 5_000);
    let compiled = rules.compiled.as_ref().unwrap();
    let target = Target {
        environment: Some("production".into()),
        ..Target::default()
    };
    let timeline = compiled.timeline(&target, &[]);
    let mut minute = 0;
    c.bench_function("5,000 recurring events: state_at + next_change", |b| {
        b.iter(|| {
            minute = (minute + 7_919) % (390 * 1_440);
            let at = tuesday() + Duration::minutes(minute);
            black_box((timeline.state_at(at), timeline.next_change(at)))
        });
    });
    c.bench_function("5,000 recurring events: assess", |b| {
        b.iter(|| black_box(w.assess()))
    });
    let mut later = w.clone();
    c.bench_function("5,000 recurring events: assess, each a second later", |b| {
        b.iter(|| {
            let next = later.now.world + Duration::seconds(1);
            later.set_now(next);
            black_box(later.assess())
        });
    });
    let mut slow = c.benchmark_group("once per reading");
    slow.sample_size(10);
    slow.bench_function("5,000 recurring events: map and compile", |b| {
        b.iter(|| black_box(Rules::of(&w.policy, &w.observed, w.now)));
    });
    slow.bench_function("5,000 recurring events: first timeline and strip", |b| {
        b.iter_batched(
            || Rules::of(&w.policy, &w.observed, w.now),
            |rules| {
                let timeline = rules.compiled.as_ref().unwrap().timeline(&target, &[]);
                black_box(timeline.strip(tuesday(), tuesday() + Duration::days(31)))
            },
            criterion::BatchSize::PerIteration,
        );
    });
    slow.finish();
}

criterion_group!(benches, calendar, whole);
criterion_main!(benches);
