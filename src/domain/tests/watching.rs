//! The watch, its checkpoints, and the checklist.

use chrono::Duration;

use crate::domain::act::Verb;
use crate::domain::event::{Body, Closing};
use crate::domain::policy::{
    Channel, Check, Limit, MetricKind, Notice, Notify, Policy, Section, Then,
};
use crate::domain::record::{Build, BuildState, DeployState};
use crate::domain::situation::{Advice, Phase, Tone};
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

/// Deployed and promoted to the end, under a policy of one's own.
fn shipped(p: Policy) -> World {
    let mut w = World::new(p);
    w.start();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
        w.engine().unwrap();
    }
    w
}

fn ends(w: &World) -> Vec<(Verdict, Option<String>, String)> {
    let of = |b: &Body| match b {
        Body::WatchEnded {
            verdict,
            superseded_by,
            detail,
        } => Some((verdict.clone(), superseded_by.clone(), detail.clone())),
        _ => None,
    };
    w.events.iter().filter_map(|e| of(&e.body)).collect()
}

#[test]
fn the_watch_ends_once_with_the_verdict_over_all_of_it() {
    let mut w = World::shipped();
    w.policy.limits.watch = 3600;
    w.minutes(59).unwrap();
    assert!(ends(&w).is_empty());
    w.minutes(10).unwrap();
    let all = ends(&w);
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0],
        (Verdict::Pass, None, "3 of 3 checkpoints passed".to_owned())
    );
    let s = w.assess();
    let watch = s.watch.as_ref().unwrap();
    assert_eq!(watch.end.as_ref().unwrap().mark.word, "pass");
    assert_eq!(s.band.advice, Advice::Watching);
    assert!(
        s.band.reasons[0].text.contains("the watch ended: pass"),
        "{:?}",
        s.band
    );
    assert_eq!(s.next.action, "close");
    let proof = &s.evidence["checkpoint/3600"];
    assert!(
        proof
            .lines
            .iter()
            .any(|(k, v)| k == "checkout error_rate" && v.contains("against")),
        "{proof:?}"
    );
    w.minutes(30).unwrap();
    assert_eq!(ends(&w).len(), 1);
}

#[test]
fn a_failed_checkpoint_fails_the_watch_and_an_unread_one_leaves_it_undecided() {
    let mut w = World::shipped();
    w.policy.limits.watch = 3600;
    w.minutes(10).unwrap();
    let mut bad = w.clone();
    bad.append(Body::CheckpointTaken {
        after: 1800,
        late: false,
        measured: Default::default(),
        verdict: Verdict::Fail,
    });
    bad.minutes(56).unwrap();
    assert_eq!(ends(&bad)[0].0, Verdict::Fail);
    // The store went away for good: what was not read is given up an hour after the end, and never before.
    w.silent = vec!["metric/".into()];
    for feed in w.observed.feeds.values_mut() {
        feed.failing_since = Some(w.now.world);
    }
    for _ in 0..100 {
        w.quiet_minute();
    }
    w.engine().unwrap();
    assert!(ends(&w).is_empty(), "half an hour after the end");
    for _ in 0..30 {
        w.quiet_minute();
    }
    w.engine().unwrap();
    let all = ends(&w);
    assert_eq!(all[0].0.word(), "undecided", "{all:?}");
    assert!(all[0].0.why().unwrap().contains("not taken"), "{all:?}");
}

#[test]
fn the_next_deployment_supersedes_the_watch_and_keeps_the_verdict_so_far() {
    let mut p = policy();
    p.releases
        .push(release("z-next", vec![change("checkout", "2.15.0")]));
    let mut w = shipped(p);
    w.minutes(40).unwrap();
    let begun = w.now.world;
    *w.record("checkout") = deployment("checkout", "2.15.0");
    let next = w.record("checkout");
    (next.state, next.weight, next.started_at) = (DeployState::Running, Some(10.0), Some(begun));
    w.observed.session.focus.0 = Some(RELEASE.into());
    w.minutes(30).unwrap();
    let of = |w: &World| {
        let points = &w.journal.release(RELEASE).unwrap().checkpoints;
        points.keys().copied().collect::<Vec<u64>>()
    };
    assert_eq!(of(&w), [300, 1800], "none of what came after it");
    let end = w
        .journal
        .release(RELEASE)
        .unwrap()
        .watch_end
        .clone()
        .unwrap();
    assert_eq!(end.verdict, Verdict::Pass, "the verdict so far is kept");
    assert!(end.superseded_by.unwrap().starts_with("checkout 2.15.0"));
    assert!(
        end.detail.contains("2 of 5 checkpoints passed"),
        "{}",
        end.detail
    );
    let s = w.assess();
    let later = &s.watch.as_ref().unwrap().checkpoints[2];
    assert_eq!(later.mark.word, "not taken");
    assert_ne!(later.mark.tone, Tone::Pass);
}

#[test]
fn what_was_due_before_it_was_superseded_is_still_taken() {
    let mut w = World::shipped();
    for _ in 0..20 {
        w.quiet_minute();
    }
    *w.record("checkout") = deployment("checkout", "2.15.0");
    let now = w.now.world;
    w.record("checkout").started_at = Some(now);
    for _ in 0..15 {
        w.quiet_minute();
    }
    w.engine().unwrap();
    assert_eq!(checkpoints(&w), [(300, "pass".to_owned(), true)]);
    let all = ends(&w);
    assert_eq!((all.len(), all[0].0.word()), (1, "pass"), "{all:?}");
    assert!(all[0].1.as_ref().unwrap().contains("checkout 2.15.0"));
}

#[test]
fn a_late_checkpoint_waits_for_the_history_it_is_compared_with() {
    let mut w = World::shipped();
    for _ in 0..40 {
        w.quiet_minute();
    }
    let history: Vec<String> = w
        .observed
        .feeds
        .keys()
        .filter(|k| k.starts_with("metric/") && k.ends_with("/600"))
        .cloned()
        .collect();
    assert!(!history.is_empty());
    let mut unread = w.clone();
    for id in history {
        unread.observed.feeds.remove(&id);
    }
    let owed = unread.assess().owed;
    assert!(!owed.iter().any(|d| d.key.starts_with("checkpoint/")));
    let owed = w.assess().owed;
    let due = owed.iter().filter(|d| d.key.starts_with("checkpoint/"));
    assert_eq!(due.count(), 2);
}

#[test]
fn a_metric_that_a_service_never_had_keeps_nothing_waiting() {
    let mut p = policy();
    p.metrics.push(metric("conversion", MetricKind::Ratio));
    let mut w = shipped(p);
    w.minutes(7).unwrap();
    assert_eq!(checkpoints(&w), [(300, "pass".to_owned(), false)]);
    let state = w.journal.release(RELEASE).unwrap();
    let seen = &state.measured[&300]["checkout"];
    let absent = seen.iter().find(|m| m.metric == "conversion").unwrap();
    assert_eq!(absent.verdict.word(), "not run");
}

#[test]
fn where_no_alert_fires_there_are_none_if_the_store_looked() {
    let mut p = policy();
    let mut alerts = metric("alerts", MetricKind::Count);
    alerts.group_label = None;
    p.metrics.push(alerts);
    let mut w = shipped(p);
    for _ in 0..31 {
        w.quiet_minute();
    }
    let mut blind = w.clone();
    w.engine().unwrap();
    let said = |w: &World| {
        let state = w.journal.release(RELEASE).unwrap();
        let seen = &state.measured[&1800]["checkout"];
        let alerts = seen.iter().find(|m| m.metric == "alerts").unwrap();
        (alerts.verdict.word().to_owned(), alerts.said.clone())
    };
    assert_eq!(
        said(&w),
        ("pass".into(), "0 over a baseline of 0 (0 against 0)".into())
    );
    // The store itself was away for ten minutes: that none fired then is not known.
    let now = blind.now.world.timestamp();
    for (key, buckets) in &mut blind.observed.metrics {
        if key.step == 60 {
            buckets.retain(|at, _| *at < now - 1500 || *at > now - 900);
        }
    }
    blind.engine().unwrap();
    let (word, words) = said(&blind);
    assert_eq!(word, "undecided");
    assert!(words.contains("not known"), "{words}");
}

fn told(w: &World) -> Vec<String> {
    let notices = w.vendors.done.iter();
    notices
        .filter(|a| a.verb == Verb::PostMessage && a.id.contains("/notice/"))
        .map(|a| a.args["text"].as_str().unwrap().to_owned())
        .collect()
}

fn notifying(mut p: Policy) -> Policy {
    p.notify = Notify {
        channels: vec![Channel {
            connection: "chat".into(),
            args: [("channel".to_owned(), "#flights".to_owned())].into(),
        }],
        on: vec![Notice::Trip, Notice::Checkpoint, Notice::End],
    };
    p.limits.watch = 1800;
    p
}

#[test]
fn every_change_is_told_once() {
    let mut w = shipped(notifying(policy()));
    assert!(told(&w).is_empty());
    w.minutes(36).unwrap();
    let said = told(&w);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[0].contains("checkpoint T+5 m: pass"), "{said:#?}");
    assert!(said[2].contains("the watch ended: pass"), "{said:#?}");
    w.restart();
    w.minutes(3).unwrap();
    assert_eq!(told(&w).len(), 3);
    // Nobody else tells: an observer drives nothing.
    let mut observer = shipped(notifying(policy()));
    observer.observed.session.drives.clear();
    observer.minutes(8).unwrap();
    assert!(told(&observer).is_empty());
}

#[test]
fn trips_of_one_moment_are_one_message_and_a_crash_sends_none_twice() {
    let mut p = notifying(policy());
    for s in &mut p.services {
        s.triggers.push(trigger(
            Limit::Baseline(1.8),
            "error_rate",
            300,
            Then::Notify,
        ));
    }
    let mut w = shipped(p);
    w.minutes(10).unwrap();
    let before = told(&w).len();
    w.traffic.insert("checkout".into(), (6000.0, 0.3, 0.3));
    while !w.assess().triggers.iter().any(|t| t.tripped) {
        w.quiet_minute();
    }
    for crash in 0..8 {
        let mut w = w.clone();
        w.crash_in = Some(crash);
        let _ = w.engine();
        w.restart();
        w.minutes(2).unwrap();
        let said = told(&w);
        // After a crash between the two the other one is found a minute later: a message of its own.
        for limit in ["Baseline(2.0)", "Baseline(1.8)"] {
            let times: usize = said.iter().map(|t| t.matches(limit).count()).sum();
            assert!(times <= 1, "{crash}: {said:#?}");
        }
    }
    w.engine().unwrap();
    let said = told(&w);
    assert_eq!(said.len(), before + 1, "{said:#?}");
    assert_eq!(said[before].matches("tripped").count(), 2, "{said:#?}");
}

#[test]
fn a_closed_release_is_reviewed_once_and_keeps_its_outcome() {
    let mut w = World::shipped();
    w.policy.limits.watch = 60;
    w.minutes(12).unwrap();
    let why = w.permit("review").unwrap_err();
    assert!(why.iter().any(|r| r.rule == "phase"), "{why:?}");
    w.act("close", &[]).unwrap();
    let mut glass = w.clone();
    w.act("review", &[("reviewer", "ben"), ("found", "nothing")])
        .unwrap();
    let s = w.assess();
    assert_eq!(s.releases[0].phase, Phase::Reviewed);
    assert_eq!(s.band.advice, Advice::Closed);
    assert_eq!(s.releases[0].closing, Some(Closing::ShippedUnproven));
    assert!(s.releases[0].reviewed.as_ref().unwrap().contains("ben"));
    assert!(s.band.reasons[1].text.contains("reviewed by ben"));
    assert!(w.permit("review").unwrap_err()[0].why.contains("ben"));
    // Who broke the glass does not review it.
    glass.append(Body::Overridden {
        rule: "freeze/x".into(),
        reason: "it burns".into(),
        expires: glass.now.world + Duration::hours(1),
        second: None,
        second_known_by: None,
        asked_by: Some("ana".into()),
        break_glass: true,
    });
    assert_eq!(glass.assess().next.action, "review");
    let own = glass.act("review", &[("reviewer", "ana"), ("found", "fine")]);
    assert!(own.unwrap_err()[0].why.contains("somebody else"));
    glass
        .act("review", &[("reviewer", "ben"), ("found", "fine")])
        .unwrap();
    assert_eq!(glass.assess().releases[0].phase, Phase::Reviewed);
}

#[test]
fn a_release_whose_own_watch_still_runs_is_a_suspect_too() {
    let mut p = policy();
    p.releases
        .push(release("a-pay", vec![change("payments", NEW)]));
    let mut w = World::new(p);
    *w.record("payments") = deployment("payments", NEW);
    w.record("payments").started_at = Some(w.now.world);
    w.record("payments").finished_at = Some(w.now.world);
    w.engine().unwrap();
    for _ in 0..45 {
        w.quiet_minute();
    }
    w.observed.session.focus.0 = Some(RELEASE.into());
    w.start();
    for _ in 0..2 {
        w.minutes(12).unwrap();
        w.act("promote", &[]).unwrap();
        w.engine().unwrap();
    }
    w.minutes(10).unwrap();
    w.traffic.insert("checkout".into(), (6000.0, 0.3, 0.3));
    w.minutes(12).unwrap();
    let s = w.assess();
    let list = &s.watch.as_ref().unwrap().suspects;
    let said: Vec<(&str, Option<u32>)> = list
        .iter()
        .map(|x| (x.service.as_str(), x.distance))
        .collect();
    assert_eq!(said, [("checkout", Some(0)), ("payments", Some(1))]);
    // Nobody is named as the cause: no reason of the band and no NEXT speaks of another release.
    let spoken = format!("{:?} {:?}", s.band.reasons, s.next);
    assert!(!spoken.contains("payments"), "{spoken}");
}
