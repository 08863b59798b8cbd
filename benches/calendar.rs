//! 2,000 rules over 10 years: what a question costs once they are compiled, and what compiling costs.

use chrono::{Duration, TimeZone, Utc};
use chrono_tz::Tz;
use cockpit::domain::recur::Schedule;
use cockpit::domain::window::{Compiled, RuleBook, Target};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::hint::black_box;

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

criterion_group!(benches, calendar);
criterion_main!(benches);
