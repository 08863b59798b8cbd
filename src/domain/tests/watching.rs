//! The watch, its checkpoints, and the checklist.

use chrono::Duration;

use crate::domain::event::{Body, Closing};
use crate::domain::policy::{Check, MetricKind, Section};
use crate::domain::record::{Build, BuildState};
use crate::domain::situation::Tone;
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

fn checkpoints(w: &World) -> Vec<(u64, String, bool)> {
    let state = w.journal.release(RELEASE).unwrap();
    let each = state.checkpoints.iter();
    each.map(|(after, (v, late, _))| (*after, v.word().to_owned(), *late))
        .collect()
}

#[test]
fn checkpoints_come_when_they_are_due_each_once() {
    let mut w = World::shipped();
    w.minutes(4).unwrap();
    assert!(checkpoints(&w).is_empty());
    w.minutes(62).unwrap();
    let seen = checkpoints(&w);
    let due: Vec<u64> = seen.iter().map(|c| c.0).collect();
    assert_eq!(due, [300, 1800, 3600]);
    assert!(seen.iter().all(|c| c.1 == "pass" && !c.2), "{seen:?}");
    let taken = w
        .events
        .iter()
        .filter(|e| matches!(e.body, Body::CheckpointTaken { .. }));
    assert_eq!(taken.count(), 3);
}

#[test]
fn one_that_was_slept_through_is_late_and_about_its_own_hour() {
    let mut w = World::shipped();
    w.minutes(1).unwrap();
    // An hour of harm while nobody looks, healed long before the cockpit is back.
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.05));
    for _ in 0..64 {
        w.quiet_minute();
    }
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.01));
    for _ in 0..120 {
        w.quiet_minute();
    }
    w.engine().unwrap();
    let seen = checkpoints(&w);
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|c| c.2), "late: {seen:?}");
    assert_eq!(seen[2].1, "fail", "{seen:?}");
}

/// Minutes slept since the last step, and what was taken on return: seconds after, late or not.
#[rstest::rstest]
#[case(4, &[])]
#[case(7, &[(300, false)])]
#[case(11, &[(300, true)])]
#[case(33, &[(300, true), (1800, false)])]
#[case(40, &[(300, true), (1800, true)])]
#[case(250, &[(300, true), (1800, true), (3600, true), (14_400, true)])]
fn what_was_due_meanwhile_is_taken_from_history_and_marked(
    #[case] slept: u32,
    #[case] expected: &[(u64, bool)],
) {
    let mut w = World::shipped();
    for _ in 0..slept {
        w.quiet_minute();
    }
    w.engine().unwrap();
    let seen = checkpoints(&w);
    let taken: Vec<(u64, bool)> = seen.iter().map(|c| (c.0, c.2)).collect();
    assert_eq!(taken, expected, "{seen:?}");
    assert!(seen.iter().all(|c| c.1 == "pass"), "{seen:?}");
    w.engine().unwrap();
    assert_eq!(checkpoints(&w).len(), expected.len(), "each once");
}

#[test]
fn another_version_is_watched_from_the_start() {
    let mut w = World::shipped();
    w.minutes(40).unwrap();
    assert_eq!(checkpoints(&w).len(), 2);
    w.policy.releases[0].changes[0].to = "2.14.1".into();
    let now = w.now.world;
    let d = w.record("checkout");
    d.version = "2.14.1".into();
    (d.started_at, d.finished_at) = (Some(now), Some(now));
    w.minutes(3).unwrap();
    assert!(checkpoints(&w).is_empty(), "none of the new version yet");
    w.minutes(4).unwrap();
    assert_eq!(checkpoints(&w), [(300, "pass".to_owned(), false)]);
    let first = |b: &Body| matches!(b, Body::CheckpointTaken { after: 300, .. });
    assert_eq!(w.events.iter().filter(|e| first(&e.body)).count(), 2);
}

#[test]
fn nothing_is_taken_on_stale_data() {
    let mut w = World::shipped();
    w.silent = vec!["metric/".into()];
    for _ in 0..40 {
        w.quiet_minute();
        w.engine().unwrap();
    }
    assert!(checkpoints(&w).is_empty());
    w.silent.clear();
    w.minutes(1).unwrap();
    assert_eq!(checkpoints(&w).len(), 2);
}

#[test]
fn a_watch_closes_as_shipped_only_when_every_checkpoint_passed() {
    let mut w = World::shipped();
    let why = w.permit("close").unwrap_err();
    assert!(
        why.iter().any(|r| r.rule == "watch" && r.until.is_some()),
        "{why:?}"
    );
    w.minutes(2).unwrap();
    for (verdict, closing) in [
        (Verdict::Pass, Closing::Shipped),
        (
            Verdict::undecided("little traffic", 3),
            Closing::ShippedUnproven,
        ),
    ] {
        let mut w = w.clone();
        for after in [300, 1800, 3600, 14_400, 86_400] {
            w.append(Body::CheckpointTaken {
                after,
                late: false,
                measured: Default::default(),
                verdict: verdict.clone(),
            });
        }
        w.set_now(w.now.world + Duration::hours(25));
        w.read();
        w.act("close", &[]).unwrap();
        assert_eq!(
            w.journal
                .release(RELEASE)
                .unwrap()
                .closing
                .clone()
                .unwrap()
                .0,
            closing
        );
    }
    // A watch without a single checkpoint proves nothing.
    w.policy.limits.watch = 60;
    w.minutes(2).unwrap();
    w.act("close", &[]).unwrap();
    let closing = w
        .journal
        .release(RELEASE)
        .unwrap()
        .closing
        .clone()
        .unwrap()
        .0;
    assert_eq!(closing, Closing::ShippedUnproven);
}

#[test]
fn a_high_risk_release_is_watched_for_72_hours() {
    let mut w = World::shipped();
    let hours = |w: &World| {
        let watch = w.assess().watch.unwrap();
        (
            (watch.until - watch.since).num_hours(),
            watch.checkpoints.len(),
        )
    };
    assert_eq!(hours(&w), (24, 5));
    w.policy.releases[0].significant = true;
    assert_eq!(hours(&w), (72, 7));
}

#[test]
fn alert_volume_is_judged_by_its_own_rule() {
    for (alerts, word) in [(0.0, "pass"), (30.0, "fail")] {
        let mut p = policy();
        let mut alerts_metric = metric("alerts", MetricKind::Count);
        alerts_metric.group_label = None;
        p.metrics.push(alerts_metric);
        let mut w = World::new(p);
        w.start();
        let put = |w: &mut World, step: u64, at: i64, value: f64| {
            let key = crate::domain::observe::SeriesKey {
                metric: "alerts".into(),
                service: "checkout".into(),
                group: String::new(),
                part: crate::domain::record::Part::Value,
                step,
            };
            w.observed.metrics.entry(key).or_default().insert(at, value);
        };
        let now = w.now.world.timestamp();
        for i in 0..=(8 * 144) {
            put(&mut w, 600, (now / 600 - i) * 600, 0.0);
        }
        for i in 0..200 {
            put(&mut w, 60, now + i * 60, if i == 60 { alerts } else { 0.0 });
        }
        for _ in 0..2 {
            w.minutes(12).unwrap();
            w.act("promote", &[]).unwrap();
        }
        w.minutes(66).unwrap();
        let last = w.events.iter().rev().find_map(|e| match &e.body {
            Body::CheckpointTaken { measured, .. } => Some(measured["checkout"].clone()),
            _ => None,
        });
        let last = last.unwrap();
        let volume = last.iter().find(|m| m.metric == "alerts").unwrap();
        assert_eq!(volume.verdict.word(), word, "{volume:?}");
        assert!(volume.said.contains("against 0"), "{}", volume.said);
    }
}

fn with(check: Check, section: Section) -> World {
    let mut p = policy();
    p.checklist = vec![item("it", section, check)];
    World::new(p)
}

fn it(w: &World) -> (String, Tone) {
    let item = w.assess().checklist.items[0].clone();
    (item.mark.word, item.mark.tone)
}

#[test]
fn a_tick_ages_out_and_says_so() {
    let mut w = World::default();
    w.act("tick/tests", &[]).unwrap();
    w.set_now(w.now.world + Duration::hours(12));
    assert_eq!(w.assess().checklist.items[0].mark.word, "done");
    w.set_now(w.now.world + Duration::seconds(1));
    let item = w.assess().checklist.items[0].clone();
    assert_eq!(item.mark.word, "undecided");
    assert!(item.note.contains("aged out"));
}

#[test]
fn ci_is_green_only_when_every_level_is() {
    let levels = ["unit", "acceptance"];
    let required = levels.map(str::to_owned).to_vec();
    let mut w = with(Check::CiGreen { required }, Section::PreDeploy);
    let build = |name: &str, state| Build {
        name: name.into(),
        state,
        version: NEW.into(),
        ..Build::default()
    };
    for (second, word) in [
        (None, "not run"),
        (Some(BuildState::Running), "undecided"),
        (Some(BuildState::Failed), "failed"),
        (Some(BuildState::Unknown), "undecided"),
        (Some(BuildState::Succeeded), "done"),
    ] {
        w.vendors.builds = vec![build("unit", BuildState::Succeeded)];
        w.vendors
            .builds
            .extend(second.map(|s| build("acceptance", s)));
        w.read();
        assert_eq!(it(&w).0, word, "{second:?}");
    }
    let feed = format!("builds/checkout/{NEW}");
    let seen = w
        .observed
        .feeds
        .get_mut(&feed)
        .unwrap()
        .last
        .as_mut()
        .unwrap();
    seen.partial = Some("page 1 of 3".into());
    assert_eq!(it(&w).0, "undecided");
    w.vendors.builds.clear();
    w.policy.checklist[0].check = Check::CiGreen {
        required: Vec::new(),
    };
    w.read();
    assert_eq!(it(&w).0, "not run", "no run at all is not green");
}

#[test]
fn observed_wants_a_living_driver() {
    let mut w = with(Check::Observed, Section::Deploy);
    assert_eq!(it(&w).0, "done");
    w.observed.session.drives.clear();
    assert_eq!(it(&w).0, "undecided");
    w.observed
        .session
        .leases
        .insert(RELEASE.into(), "lou@tower 7".into());
    assert_eq!(it(&w).0, "done");
}

#[test]
fn a_section_is_kept_as_it_was_done_or_not() {
    let mut p = policy();
    p.checklist.push(item(
        "rehearsed",
        Section::PreDeploy,
        Check::RollbackRehearsed,
    ));
    let mut w = World::new(p);
    w.act("seal", &[]).unwrap();
    w.act("tick/tests", &[]).unwrap();
    w.act("waive/rehearsed", &[]).unwrap();
    w.act("deploy", &[]).unwrap();
    w.minutes(1).unwrap();
    w.append(Body::Unticked {
        item: "tests".into(),
        why: String::new(),
    });
    w.set_now(w.now.world + Duration::hours(30));
    let s = w.assess();
    let words: Vec<&str> = s
        .checklist
        .items
        .iter()
        .map(|i| i.mark.word.as_str())
        .collect();
    assert_eq!(words.first(), Some(&"done"));
    let waived = s
        .checklist
        .items
        .iter()
        .find(|i| i.id == "rehearsed")
        .unwrap();
    assert_eq!(waived.mark.word, "waived");
    assert_ne!(waived.verdict, Verdict::Pass);
    assert!(waived.note.contains("as it was when the phase ended"));
}

#[test]
fn what_was_open_when_its_phase_ended_is_never_done() {
    let mut w = World::default();
    // Somebody deployed at the vendor, past the checklist.
    *w.record("checkout") = deployment("checkout", NEW);
    w.record("checkout").state = crate::domain::record::DeployState::Running;
    w.minutes(1).unwrap();
    w.act("tick/tests", &[]).unwrap();
    let s = w.assess();
    assert_eq!(s.checklist.items[0].mark.word, "open");
    assert_ne!(s.checklist.items[0].verdict, Verdict::Pass);
    assert_eq!(s.checklist.done, 0);
}

#[test]
fn a_regression_lists_what_else_changed_and_names_nobody() {
    let mut p = policy();
    p.releases
        .push(release("z-pay", vec![change("payments", NEW)]));
    p.services.push(service("search", &[]));
    p.releases
        .push(release("z-search", vec![change("search", NEW)]));
    let mut w = World::new(p);
    w.start();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
        w.engine().unwrap();
    }
    for (name, release) in [("search", "z-search"), ("payments", "z-pay")] {
        *w.record(name) = deployment(name, NEW);
        w.record(name).started_at = Some(w.now.world);
        w.minutes(1).unwrap();
        assert!(
            w.journal
                .release(release)
                .unwrap()
                .tracks
                .contains_key(name)
        );
    }
    w.observed.session.focus.0 = Some(RELEASE.into());
    w.minutes(10).unwrap();
    let suspects = |w: &World| w.assess().watch.unwrap().suspects;
    assert!(suspects(&w).is_empty(), "nothing got worse");
    w.traffic.insert("checkout".into(), (6000.0, 0.3, 0.3));
    w.minutes(12).unwrap();
    let list = suspects(&w);
    let said: Vec<(&str, &str)> = list
        .iter()
        .map(|x| (x.service.as_str(), x.said.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("checkout", "the service itself"),
            ("payments", "checkout calls it"),
            ("search", "no dependency either way"),
        ]
    );
    let proof = &w.assess().evidence["watch/suspects"];
    assert!(proof.lines.last().unwrap().1.contains("nothing links any"));
    // With nothing else changed there is no riddle.
    let mut alone = World::shipped();
    alone.minutes(10).unwrap();
    alone.traffic.insert("checkout".into(), (6000.0, 0.3, 0.3));
    alone.minutes(12).unwrap();
    assert!(suspects(&alone).is_empty());
}

#[test]
fn few_alerts_in_the_first_minutes_pass_and_the_end_can_be_shipped() {
    let mut p = policy();
    let mut alerts = metric("alerts", MetricKind::Count);
    alerts.group_label = None;
    p.metrics.push(alerts);
    let mut w = World::new(p);
    let put = |w: &mut World, step: u64, at: i64| {
        let key = crate::domain::observe::SeriesKey {
            metric: "alerts".into(),
            service: "checkout".into(),
            group: String::new(),
            part: crate::domain::record::Part::Value,
            step,
        };
        w.observed.metrics.entry(key).or_default().insert(at, 0.0);
    };
    let now = w.now.world.timestamp();
    for i in 0..=(8 * 144) {
        put(&mut w, 600, (now / 600 - i) * 600);
    }
    for i in 0..200 {
        put(&mut w, 60, now + i * 60);
    }
    w.start();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
    }
    w.minutes(7).unwrap();
    let first = w.events.iter().rev().find_map(|e| match &e.body {
        Body::CheckpointTaken {
            after: 300,
            measured,
            ..
        } => Some(measured["checkout"].clone()),
        _ => None,
    });
    let volume = first.unwrap();
    let volume = volume.iter().find(|m| m.metric == "alerts").unwrap();
    assert_eq!(volume.verdict, Verdict::Pass, "{volume:?}");
}
