//! A trip is told over the channels: one message for those of a moment, once, also after a crash and for a release that nobody
//! looks at (SEMANTICS 7).

use crate::domain::act::Verb;
use crate::domain::policy::{Channel, Limit, Then};
use crate::domain::testkit::*;

fn world() -> World {
    let mut p = policy();
    let second = trigger(Limit::Baseline(3.0), "error_rate", 300, Then::Notify);
    p.services[0].triggers.push(second);
    p.releases
        .push(release("z-other", vec![change("payments", "9.9.9")]));
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w
}

fn told(w: &World) -> Vec<String> {
    let posts = w
        .vendors
        .done
        .iter()
        .filter(|a| a.verb == Verb::PostMessage && a.id.contains("/trip/"));
    posts
        .map(|a| a.args["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn two_triggers_of_a_moment_are_one_message() {
    let mut w = world();
    w.minutes(20).unwrap();
    let texts = told(&w);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].contains("2 triggers tripped. ROLL BACK"),
        "{}",
        texts[0]
    );
    assert!(texts[0].contains(">Baseline(2.0)") && texts[0].contains(">Baseline(3.0)"));
    w.restart();
    w.minutes(5).unwrap();
    assert_eq!(told(&w).len(), 1, "after a restart, too");
    // Clear, and another trip: that is news.
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.01));
    w.minutes(15).unwrap();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(15).unwrap();
    assert_eq!(told(&w).len(), 2);
}

#[test]
fn one_that_trips_later_is_told_of_alone() {
    let mut p = policy();
    let slow = trigger(Limit::Baseline(3.0), "error_rate", 600, Then::Notify);
    p.services[0].triggers.push(slow);
    let mut w = World::new(p);
    w.start();
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.2));
    w.minutes(25).unwrap();
    let texts = told(&w);
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[1].contains("a trigger tripped"), "{}", texts[1]);
    assert!(!texts[1].contains("Baseline(2.0)"), "{}", texts[1]);
}

#[test]
fn each_channel_hears_it_and_a_crash_repeats_nothing() {
    let mut start = world();
    start.policy.oncall.channels.push(Channel {
        connection: "chat".into(),
        args: [("channel".to_owned(), "#on-call".to_owned())].into(),
    });
    start.minutes(4).unwrap();
    let mut crashed = 0;
    for point in 0.. {
        let mut w = start.clone();
        w.crash_in = Some(point);
        let whole = w.minutes(10).is_ok();
        w.restart();
        w.minutes(10).unwrap();
        assert!(w.vendors.performed.values().all(|n| *n == 1), "{point}");
        // Killed between the two trips, each has a message of its own.
        let trips = w.journal.acts.keys().filter(|id| id.contains("/trip/"));
        let trips = trips.count();
        assert!(trips == 2 || trips == 4, "{point}: {trips}");
        if whole {
            assert_eq!(told(&w).len(), 2);
            break;
        }
        crashed += 1;
    }
    assert!(crashed > 4, "{crashed}");
}

#[test]
fn a_release_that_nobody_looks_at_is_told_of_and_in_sight() {
    let mut w = world();
    w.observed.session.focus.0 = Some("z-other".into());
    w.minutes(12).unwrap();
    assert_eq!(told(&w).len(), 1);
    let s = w.assess();
    assert_eq!(s.current.as_deref(), Some("z-other"));
    assert!(
        s.troubles[0].starts_with("Shop shop-47: checkout: trigger"),
        "{:?}",
        s.troubles
    );
    let here = s.releases.iter().find(|r| r.plan.id == RELEASE).unwrap();
    assert_eq!(here.tripped.len(), 2);
    // The words stay while the numbers move: nobody hears of the same trip again.
    let before = s.troubles;
    w.minutes(1).unwrap();
    assert_eq!(w.assess().troubles, before);
    // One that only watches says nothing: the driver's process does.
    let mut w = world();
    w.observed.session.drives.clear();
    w.minutes(12).unwrap();
    assert!(told(&w).is_empty());
}
