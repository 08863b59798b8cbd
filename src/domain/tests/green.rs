//! Laws 1 and 2: green is earned on fresh data.

use chrono::Duration;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;

use crate::domain::observe::Freshness;
use crate::domain::situation::{Advice, Situation, Tone};
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

/// Paths of everything green in the situation, the journal's own lines left out.
fn greens(s: &Situation) -> Vec<String> {
    fn walk(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                let pass = |key: &str| map.get(key).and_then(Value::as_str) == Some("pass");
                if pass("tone") || pass("verdict") {
                    out.push(path.to_owned());
                }
                for (key, v) in map {
                    walk(v, &format!("{path}/{key}"), out);
                }
            }
            Value::Array(list) => {
                for (i, v) in list.iter().enumerate() {
                    let name = v.get("id").or(v.get("need")).and_then(Value::as_str);
                    let name = name.map_or_else(|| i.to_string(), str::to_owned);
                    walk(v, &format!("{path}[{name}]"), out);
                }
            }
            _ => {}
        }
    }
    let mut value = serde_json::to_value(s).unwrap();
    value.as_object_mut().unwrap().remove("journal");
    let mut out = Vec::new();
    walk(&value, "", &mut out);
    if matches!(s.band.advice, Advice::Go | Advice::Proceed) {
        out.push("/band/advice".into());
    }
    out.sort();
    out
}

/// What may be green without any reading: the journal's proofs and what the file alone says.
fn unread(path: &str) -> bool {
    let own = [
        "/lines[healthy]",
        "/lines[path]",
        "/lines[rehearsal]",
        "/lines[expected]",
        // Windows and freezes of the file alone; with a calendar see below.
        "/lines[freeze]",
        "/checklist/items[tests]",
    ];
    own.iter().any(|o| path.contains(o)) || path.starts_with("/calendar/st")
}

fn bad_greens(s: &Situation) -> Vec<String> {
    greens(s).into_iter().filter(|p| !unread(p)).collect()
}

fn worlds() -> Vec<(&'static str, World)> {
    let mut failed = World::deployed();
    failed
        .traffic
        .insert("checkout".into(), (6000.0, 0.01, 0.2));
    failed.minutes(8).unwrap();
    let mut gated = World::deployed();
    gated.minutes(12).unwrap();
    let mut watched = World::shipped();
    watched.minutes(75).unwrap();
    vec![
        ("planned", World::default()),
        ("canary", World::deployed()),
        ("gated", gated),
        ("failed", failed),
        ("watched", watched),
    ]
}

#[test]
fn a_fresh_world_has_something_green() {
    for (name, w) in worlds() {
        assert!(!bad_greens(&w.assess()).is_empty(), "{name}");
    }
}

#[test]
fn nothing_is_green_when_every_feed_is_stale_or_never_read() {
    for (name, mut w) in worlds() {
        let kept = ["/checkpoints", "/checklist/items"];
        let history = |p: &String| name == "watched" && kept.iter().any(|k| p.contains(k));
        let later = w.now.world + Duration::hours(2);
        let mut stale = w.clone();
        stale.set_now(later);
        let mut left = bad_greens(&stale.assess());
        left.retain(|p| !history(p) && !p.contains("/checklist/items"));
        assert_eq!(left, Vec::<String>::new(), "{name}, stale");
        w.observed.feeds.clear();
        let mut left = bad_greens(&w.assess());
        left.retain(|p| !history(p) && !p.contains("/checklist/items"));
        assert_eq!(left, Vec::<String>::new(), "{name}, never read");
    }
}

#[test]
fn a_configured_calendar_that_was_not_read_closes_and_greens_nothing() {
    let mut p = policy();
    p.calendars = vec![crate::domain::policy::CalendarSource {
        name: "company".into(),
        connection: "ical".into(),
        ..Default::default()
    }];
    let mut w = World::new(p);
    w.compile();
    assert!(w.assess().calendar.state.word == "open");
    w.observed.feeds.remove("calendar/company");
    let s = w.assess();
    assert_eq!(s.calendar.state.word, "unknown");
    let freeze = s.passports[0].lines.iter().find(|l| l.id == "freeze");
    assert_ne!(freeze.unwrap().verdict, Verdict::Pass);
    let greens = greens(&s);
    assert!(
        !greens.iter().any(|p| p.contains("/calendar/")),
        "{greens:?}"
    );
}

#[test]
fn after_a_clock_jump_everything_is_stale_until_it_is_read_again() {
    for (name, mut w) in worlds() {
        w.observed.not_before = Some(w.now.world + Duration::seconds(1));
        let s = w.assess();
        assert_eq!(s.band.advice, Advice::Blind, "{name}");
        assert!(s.feeds.iter().all(|f| f.freshness == Freshness::Stale));
        assert!(
            !bad_greens(&s)
                .iter()
                .any(|p| p.contains("/gates") || p.contains("/metrics") || p.contains("/triggers")),
            "{name}"
        );
        w.quiet_minute();
        assert_ne!(w.assess().band.advice, Advice::Blind, "{name}");
    }
}

/// What each feed is needed for: when it is gone, nothing of that kind may be green.
#[rstest]
#[case("metric/error_rate/num/60", &["/gates", "/metrics[checkout/error_rate]", "error_rate>"])]
#[case("metric/error_rate/den/60", &["/gates", "/metrics[checkout/error_rate]", "error_rate>"])]
#[case("deployments/", &["/deployments", "lines[rights]", "lines[fights]"])]
#[case("artifact/", &["lines[artifact]"])]
#[case("commits/", &["lines[changes]", "lines[migrations]"])]
fn a_feed_that_is_silent_or_partial_takes_its_greens_with_it(
    #[case] feed: &str,
    #[case] needles: &[&str],
) {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    let has = |w: &World, needle: &str| {
        greens(&w.assess())
            .iter()
            .any(|p| p.contains(needle) && !p.contains("feed"))
    };
    for needle in needles {
        assert!(has(&w, needle), "{needle} is green when fresh");
    }
    let mut stale = w.clone();
    let mut never = w.clone();
    let mut partial = w.clone();
    for (need, f) in &mut stale.observed.feeds {
        if need.starts_with(feed) {
            let seen = f.last.as_mut().unwrap();
            seen.read_at -= Duration::hours(3);
        }
    }
    never
        .observed
        .feeds
        .retain(|need, _| !need.starts_with(feed));
    for (need, f) in &mut partial.observed.feeds {
        if need.starts_with(feed) {
            f.last.as_mut().unwrap().partial = Some("a page is missing".into());
        }
    }
    for needle in needles {
        assert!(!has(&stale, needle), "{needle}, stale");
        assert!(!has(&never, needle), "{needle}, never read");
        if !feed.starts_with("deployments") && !feed.starts_with("artifact") {
            assert!(!has(&partial, needle), "{needle}, partial");
        }
    }
}

#[test]
fn fresh_to_one_and_a_half_cadences_stale_from_two() {
    let mut w = World::default();
    let read = w.now.world;
    for (seconds, ms, word) in [
        (22, 500, Freshness::Fresh),
        (22, 501, Freshness::Aging),
        (29, 999, Freshness::Aging),
        (30, 0, Freshness::Stale),
    ] {
        w.set_now(read + Duration::seconds(seconds) + Duration::milliseconds(ms));
        let (_, freshness) = w.observed.of("deployments/cd", w.now);
        assert_eq!(freshness, word, "{seconds}.{ms}");
    }
}

#[test]
fn a_service_whose_own_series_stopped_is_stale_though_the_feed_is_fresh() {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    assert_eq!(w.assess().gates[0].verdict, Verdict::Pass);
    let cut = w.now.world.timestamp() - 300;
    for (key, buckets) in &mut w.observed.metrics {
        if key.service == "checkout" {
            buckets.retain(|at, _| *at <= cut);
        }
    }
    let s = w.assess();
    assert_ne!(s.gates[0].verdict, Verdict::Pass, "{:?}", s.gates[0]);
    let m = s
        .metrics
        .iter()
        .find(|m| m.id == "checkout/error_rate")
        .unwrap();
    assert_eq!(m.freshness, Freshness::Stale);
    assert!(s.triggers.iter().all(|t| t.undecided.is_some()));
}

#[test]
fn a_numerator_that_lags_is_not_a_minute_without_errors() {
    let mut w = World::deployed();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.05));
    w.minutes(3).unwrap();
    let ratio = |w: &World| {
        let s = w.assess();
        let m = s.metrics.iter().find(|m| m.id == "checkout/error_rate");
        m.unwrap().value.unwrap()
    };
    assert!((ratio(&w) - 0.05).abs() < 1e-9);
    // The denominator has one more minute than the numerator.
    let end = w.now.world.timestamp();
    for (key, buckets) in &mut w.observed.metrics {
        if key.part == crate::domain::record::Part::Numerator && key.step == 60 {
            buckets.remove(&end);
        }
    }
    let feed = w
        .observed
        .feeds
        .get_mut("metric/error_rate/num/60")
        .unwrap();
    feed.last.as_mut().unwrap().newest -= Duration::seconds(60);
    assert!((ratio(&w) - 0.05).abs() < 1e-9, "{}", ratio(&w));
}

#[test]
fn what_is_no_number_never_passes() {
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        let mut w = World::deployed();
        w.minutes(12).unwrap();
        for buckets in w.observed.metrics.values_mut() {
            for value in buckets.values_mut() {
                *value = bad;
            }
        }
        let s = w.assess();
        let left: Vec<String> = bad_greens(&s)
            .into_iter()
            .filter(|p| p.contains("/gates") || p.contains("error_rate"))
            .filter(|p| !p.contains("feed"))
            .collect();
        assert!(left.is_empty(), "{bad}: {left:?}");
    }
}

#[test]
fn a_canary_that_cannot_be_told_apart_may_fail_but_never_passes() {
    for (rate, word) in [(0.01, "undecided"), (0.9, "fail")] {
        let mut p = policy();
        p.metrics[0].canary = None;
        let mut w = World::new(p);
        w.start();
        w.traffic.insert("checkout".into(), (6000.0, 0.01, rate));
        w.minutes(20).unwrap();
        assert_eq!(w.assess().gates[0].verdict.word(), word);
    }
}

#[rstest]
#[case(0.01)]
#[case(0.05)]
#[case(0.1)]
fn a_trigger_is_not_clear_where_the_canary_cannot_be_told_apart(#[case] rate: f64) {
    let mut p = policy();
    p.metrics[0].canary = None;
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, rate));
    w.minutes(12).unwrap();
    let s = w.assess();
    let t = s.triggers.iter().find(|t| t.metric == "error_rate");
    let t = t.unwrap();
    assert_ne!(t.mark.tone, Tone::Pass, "{t:?}");
    assert!(t.distance.contains("of 2.0×"), "{}", t.distance);
    assert!(t.distance.contains("cannot tell"), "{}", t.distance);
    // What can be told apart is clear.
    let other = s.triggers.iter().find(|t| t.metric == "p95").unwrap();
    assert_eq!(other.mark.word, "clear");
}

/// A gate on a ratio and on a series that decides.
fn two_metrics() -> World {
    let mut p = policy();
    p.metrics[1].decides = true;
    p.services[0].gates[0].metrics.push("p95".into());
    World::new(p)
}

#[rstest]
#[case("canary")]
#[case("stable")]
fn a_pass_does_not_outlive_the_series_of_its_group(#[case] group: &str) {
    let mut w = World::deployed();
    w.minutes(12).unwrap();
    assert_eq!(w.assess().gates[0].verdict, Verdict::Pass);
    let cut = w.now.world.timestamp() - 300;
    for (key, buckets) in &mut w.observed.metrics {
        if key.service == "checkout" && key.group == group && key.step == 60 {
            buckets.retain(|at, _| *at <= cut);
        }
    }
    let s = w.assess();
    assert!(
        matches!(s.gates[0].verdict, Verdict::Undecided { .. }),
        "{:?}",
        s.gates[0]
    );
    assert_eq!(s.band.advice, Advice::Hold);
    assert_ne!(s.step_verdict, Verdict::Pass);
    assert!(w.permit("promote").is_err());
}

#[test]
fn a_pass_does_not_outlive_a_gap_and_a_sealed_metric_is_not_taken_out_of_the_file() {
    let mut w = two_metrics();
    w.start();
    w.minutes(15).unwrap();
    assert_eq!(w.assess().gates[0].verdict, Verdict::Pass);
    let mut gone = w.clone();
    gone.policy.metrics.remove(1);
    assert_eq!(gone.assess().gates[0].verdict, Verdict::Pass, "as sealed");
    let end = w.now.world.timestamp();
    for (key, buckets) in &mut w.observed.metrics {
        if key.service == "checkout" && key.group == "canary" && key.step == 60 {
            buckets.retain(|at, _| *at >= end || at.rem_euclid(180) != 0);
        }
    }
    let v = w.assess().gates[0].verdict.clone();
    assert!(v.why().is_some_and(|why| why.contains("no data")), "{v:?}");
}

#[test]
fn what_one_metric_passed_stands_while_the_other_is_looked_at() {
    let mut w = two_metrics();
    w.traffic.insert("checkout".into(), (60_000.0, 0.01, 0.01));
    w.start();
    w.minutes(6).unwrap();
    let gate = w.assess().gates[0].clone();
    let words = |i: usize| gate.metrics[i].1.word.as_str();
    assert_eq!((words(0), words(1)), ("pass", "undecided"), "{gate:?}");
    // A little worse from then on: too much to pass now, too little to fail.
    w.traffic.insert("checkout".into(), (60_000.0, 0.01, 0.017));
    w.minutes(8).unwrap();
    let gate = w.assess().gates[0].clone();
    assert!(gate.metrics[0].2.contains("passed before"), "{gate:?}");
    assert_eq!(gate.verdict, Verdict::Pass, "{gate:?}");
}

#[test]
fn a_metric_is_not_green_in_the_first_minutes() {
    let mut w = World::default();
    w.traffic.insert("checkout".into(), (60_000.0, 0.01, 0.01));
    w.start();
    let row = |w: &World| {
        let s = w.assess();
        let found = s.metrics.iter().find(|m| m.id == "checkout/error_rate");
        found.unwrap().clone()
    };
    for minute in 1..5 {
        w.minutes(1).unwrap();
        let row = row(&w);
        assert_ne!(row.verdict, Verdict::Pass, "minute {minute}");
        assert_ne!(row.mark.tone, Tone::Pass, "minute {minute}");
    }
    w.minutes(2).unwrap();
    assert_eq!(row(&w).verdict, Verdict::Pass);
}

#[test]
fn a_rollout_without_a_weight_or_at_zero_never_passes() {
    for weight in [None, Some(0.0)] {
        let mut w = World::deployed();
        w.record("checkout").weight = weight;
        w.minutes(20).unwrap();
        let s = w.assess();
        let gate = s.gates.last().unwrap();
        assert_ne!(gate.verdict, Verdict::Pass, "{weight:?} {gate:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Any mixture of stale, missing and partial feeds: nothing decides on one of them, and nothing panics.
    #[test]
    fn any_mixture_of_feeds(choices in proptest::collection::vec(0u8..4, 40)) {
        let mut w = World::deployed();
        w.minutes(7).unwrap();
        let ids: Vec<String> = w.observed.feeds.keys().cloned().collect();
        for (id, choice) in ids.iter().zip(choices.iter().cycle()) {
            match choice {
                1 => { w.observed.feeds.remove(id); }
                2 => if let Some(o) = w.observed.feeds.get_mut(id).and_then(|f| f.last.as_mut()) {
                    o.read_at -= Duration::hours(5);
                    o.newest -= Duration::hours(5);
                },
                3 => if let Some(o) = w.observed.feeds.get_mut(id).and_then(|f| f.last.as_mut()) {
                    o.partial = Some("cut".into());
                },
                _ => {}
            }
        }
        let s = w.assess();
        let good = |id: &str| w.observed.feeds.get(id).and_then(|f| f.last.as_ref())
            .is_some_and(|o| o.partial.is_none() && o.freshness(w.now.world).usable());
        let metric = good("metric/error_rate/num/60") && good("metric/error_rate/den/60");
        if !metric {
            prop_assert!(s.gates.iter().all(|g| g.verdict != Verdict::Pass));
            prop_assert_ne!(s.band.advice, Advice::Proceed);
        }
        if !good("deployments/cd") && w.observed.of("deployments/cd", w.now).1 > Freshness::Aging {
            prop_assert_ne!(s.band.advice, Advice::Proceed);
        }
    }
}
