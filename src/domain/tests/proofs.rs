//! Checklist items that rest on something outside, the two clocks, and ticks that take themselves back.

use chrono::Duration;
use rstest::rstest;
use serde_json::json;

use crate::domain::event::Body;
use crate::domain::observe::Fault;
use crate::domain::policy::{Check, Section, Severity, Then, Trigger};
use crate::domain::record::{Build, BuildState, DeployState};
use crate::domain::situation::ItemView;
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

fn with(check: Check, section: Section) -> World {
    let mut p = policy();
    p.checklist = vec![item("it", section, check)];
    World::new(p)
}

fn it(w: &World) -> ItemView {
    w.assess().checklist.items[0].clone()
}

fn word(w: &World) -> String {
    it(w).mark.word
}

fn parity() -> World {
    with(Check::Parity { environment: None }, Section::PreDeploy)
}

/// Staging serves that version of checkout, and of payments what production has.
fn staging(w: &mut World, version: &str) {
    for (name, version) in [("checkout", version), ("payments", OLD)] {
        let mut d = deployment(name, version);
        d.id = format!("{name}-staging");
        d.environment = "staging".into();
        w.vendors.deployments.push(d);
    }
    w.read();
}

#[test]
fn parity_is_what_serves_below_beside_the_same_neighbours() {
    let mut w = parity();
    assert_eq!(word(&w), "not run");
    assert!(it(&w).note.contains("target.staging"), "{}", it(&w).note);
    staging(&mut w, NEW);
    assert_eq!(word(&w), "done", "{:?}", it(&w));
    let at = w.vendors.deployments.len() - 2;
    let mut other = w.clone();
    other.vendors.deployments[at].version = "2.13.0".into();
    other.vendors.deployments[at].desired = None;
    other.read();
    assert_eq!(word(&other), "failed");
    assert!(it(&other).note.contains("staging serves checkout 2.13.0"));
    let mut rolling = w.clone();
    rolling.vendors.deployments[at].state = DeployState::Running;
    rolling.read();
    assert_eq!(word(&rolling), "undecided");
    let mut drifted = w.clone();
    drifted.vendors.deployments[at].desired = Some("2.15.0".into());
    drifted.read();
    assert_eq!(word(&drifted), "undecided");
    let mut neighbour = w.clone();
    neighbour.vendors.deployments[at + 1].version = "9.9.9".into();
    neighbour.read();
    assert_eq!(word(&neighbour), "failed");
    assert!(it(&neighbour).note.contains("payments is 9.9.9 in staging"));
    w.silent = vec!["deployments/".into()];
    w.set_now(w.now.world + Duration::hours(1));
    assert_eq!(word(&w), "undecided", "stale");
    let mut lowest = parity();
    lowest.policy.releases[0].environment = "staging".into();
    assert!(it(&lowest).note.contains("no environment stands below"));
}

fn scan(connection: Option<&str>, reads_check: bool) -> World {
    let mut p = policy();
    p.checklist = vec![item(
        "it",
        Section::PreDeploy,
        Check::SecurityScan {
            connection: connection.map(str::to_owned),
            up_to: Severity::Medium,
        },
    )];
    use crate::domain::record::RecordKind as K;
    let kind = if reads_check { K::Check } else { K::Finding };
    let mut scanner = p.connections["git"].clone();
    scanner.name = "scanner".into();
    scanner.reads = [(
        "findings".to_owned(),
        crate::domain::policy::ReadOffer { kind, every: 300 },
    )]
    .into();
    p.connections.insert("scanner".into(), scanner);
    World::new(p)
}

#[rstest]
#[case(json!([]), "undecided")]
#[case(json!([{ "scanned_at": "2026-11-17T12:00:00Z", "version": NEW }]), "done")]
#[case(json!([{ "scanned_at": "2026-11-17T12:00:00Z", "version": OLD }]), "undecided")]
#[case(json!([{ "scanned_at": "2026-11-17T12:00:00Z" }, { "severity": "medium", "title": "a" }]), "done")]
#[case(json!([{ "scanned_at": "2026-11-17T12:00:00Z" }, { "severity": "HIGH", "title": "a" }]), "failed")]
#[case(json!([{ "severity": "HIGH", "title": "a" }]), "failed")]
#[case(json!([{ "scanned_at": "2026-11-17T12:00:00Z" }, { "severity": "strange", "title": "a" }]), "failed")]
#[case(json!([{ "scanned_at": "2026-11-17T12:00:00Z" }, { "severity": "high", "state": "fixed" }]), "done")]
#[case(json!([{ "scanned_at": "2026-11-17T12:00:00Z" }, { "severity": "high", "version": "1.0" }]), "done")]
#[case(json!([{ "scanned_at": "2026-11-10T12:00:00Z" }]), "undecided")]
fn a_scan_passes_only_where_it_ran_and_found_nothing_graver(
    #[case] findings: serde_json::Value,
    #[case] expected: &str,
) {
    let mut w = scan(Some("scanner"), false);
    w.vendors.findings = findings.as_array().unwrap().clone();
    w.read();
    assert_eq!(word(&w), expected, "{:?}", it(&w));
}

#[test]
fn a_scan_may_be_a_command_and_says_how_to_configure_it() {
    let none = scan(None, false);
    assert_eq!(word(&none), "not run");
    assert!(it(&none).note.contains("set connection"), "{:?}", it(&none));
    let mut w = scan(Some("scanner"), true);
    assert_eq!(word(&w), "done");
    w.vendors.exit = 1;
    w.read();
    assert_eq!(word(&w), "failed");
    let id = format!("item/it/checkout/{NEW}");
    let feed = w.observed.feeds.get_mut(&id).unwrap();
    feed.last = None;
    feed.fault = Some(Fault::new(
        crate::domain::observe::FaultKind::Timeout,
        "the scanner did not answer",
        "",
    ));
    assert!(it(&w).note.contains("the scanner did not answer"));
}

fn smoke(connection: bool, required: &[&str], section: Section) -> World {
    let mut p = policy();
    let mut runner = p.connections["git"].clone();
    runner.name = "runner".into();
    runner.reads = [(
        "check".to_owned(),
        crate::domain::policy::ReadOffer {
            kind: crate::domain::record::RecordKind::Check,
            every: 60,
        },
    )]
    .into();
    p.connections.insert("runner".into(), runner);
    p.checklist = vec![
        item("tests", Section::PreDeploy, Check::Manual),
        item(
            "it",
            section,
            Check::SmokeTest {
                connection: connection.then(|| "runner".to_owned()),
                required: required.iter().map(|r| (*r).to_owned()).collect(),
                environment: None,
            },
        ),
    ];
    World::new(p)
}

fn last(w: &World) -> ItemView {
    w.assess().checklist.items.last().unwrap().clone()
}

#[test]
fn a_smoke_test_runs_after_each_step_where_the_version_serves() {
    let mut w = smoke(true, &[], Section::Deploy);
    assert_eq!(last(&w).mark.word, "not run");
    assert!(last(&w).note.contains("after the first step"));
    w.start();
    w.minutes(1).unwrap();
    assert_eq!(last(&w).mark.word, "done", "{:?}", last(&w));
    // The next step took effect: what ran before it proves nothing.
    w.silent = vec!["item/".into()];
    w.minutes(12).unwrap();
    w.silent.clear();
    w.read();
    w.silent = vec!["item/".into()];
    w.act("promote", &[]).unwrap();
    w.set_now(w.now.world + Duration::seconds(30));
    w.read();
    w.engine().unwrap();
    assert_eq!(last(&w).mark.word, "undecided", "{:?}", last(&w));
    assert!(last(&w).note.contains("before the present step"));
    w.silent.clear();
    w.vendors.exit = 3;
    w.minutes(1).unwrap();
    assert_eq!(last(&w).mark.word, "failed");
    let bare = smoke(false, &[], Section::Deploy);
    assert!(
        last(&bare).note.contains("required = "),
        "{:?}",
        last(&bare)
    );
}

#[test]
fn a_smoke_test_may_be_ci_runs_begun_after_the_step() {
    let mut w = smoke(false, &["smoke"], Section::Deploy);
    w.start();
    let build = |w: &World, minutes: i64, state| Build {
        name: "smoke".into(),
        state,
        version: NEW.into(),
        started_at: Some(w.now.world + Duration::minutes(minutes)),
        finished_at: Some(w.now.world + Duration::minutes(minutes + 1)),
        ..Build::default()
    };
    for (minutes, state, expected) in [
        (-5, BuildState::Succeeded, "not run"),
        (1, BuildState::Succeeded, "done"),
        (1, BuildState::Failed, "failed"),
        (1, BuildState::Running, "undecided"),
    ] {
        w.vendors.builds = vec![build(&w, minutes, state)];
        w.read();
        assert_eq!(last(&w).mark.word, expected, "{minutes} {state:?}");
    }
    w.vendors.builds.clear();
    w.read();
    assert_eq!(last(&w).mark.word, "not run");
}

#[test]
fn before_the_deployment_a_smoke_test_looks_below() {
    let mut w = smoke(true, &[], Section::PreDeploy);
    assert_eq!(last(&w).mark.word, "not run");
    staging(&mut w, NEW);
    assert_eq!(last(&w).mark.word, "done", "{:?}", last(&w));
    let mut other = smoke(true, &[], Section::PreDeploy);
    staging(&mut other, OLD);
    assert_eq!(last(&other).mark.word, "not run");
    assert!(last(&other).note.contains("staging serves checkout"));
}

#[test]
fn both_clocks_are_shown_and_each_of_them_unticks() {
    let check = Check::CiGreen {
        required: vec!["unit".into()],
    };
    let mut w = with(check, Section::PreDeploy);
    w.vendors.builds = vec![Build {
        name: "unit".into(),
        state: BuildState::Succeeded,
        version: NEW.into(),
        finished_at: Some(w.now.world - Duration::hours(3)),
        ..Build::default()
    }];
    w.read();
    assert_eq!(word(&w), "done");
    assert_eq!(
        it(&w).clocks,
        "fact of 3 h ago, counts 12 h; read just now, counts 2 m"
    );
    let lines = w.assess().evidence["item/it"].lines.clone();
    let says = |key: &str| lines.iter().find(|(k, _)| k == key).unwrap().1.clone();
    assert!(says("the fact").contains("counts for 12 h"));
    assert!(says("was read").contains("counts for 2 m"));
    // The reading is too old, though the fact is not.
    let mut unread = w.clone();
    unread.set_now(w.now.world + Duration::minutes(3));
    assert_eq!(word(&unread), "undecided");
    // The fact is too old, though it was read just now.
    w.set_now(w.now.world + Duration::hours(10));
    w.read();
    assert_eq!(word(&w), "undecided");
    assert!(it(&w).note.contains("aged out"), "{}", it(&w).note);
}

#[test]
fn a_tick_that_ages_out_takes_itself_back_says_so_and_can_be_ticked_again() {
    let mut w = World::default();
    w.act("tick/tests", &[]).unwrap();
    w.set_now(w.now.world + Duration::hours(13));
    w.read();
    w.engine().unwrap();
    let item = w.assess().checklist.items[0].clone();
    assert_eq!(item.mark.word, "undecided");
    assert!(item.note.contains("unticked itself"), "{}", item.note);
    let event = w.events.last().unwrap();
    assert_eq!(event.actor, "cockpit");
    assert!(matches!(&event.body, Body::Unticked { why, .. } if why.contains("aged out")));
    w.engine().unwrap();
    w.act("tick/tests", &[]).unwrap();
    assert_eq!(w.assess().checklist.items[0].mark.word, "done");
}

#[test]
fn progress_counts_waived_by_itself_and_never_as_passed() {
    let mut p = policy();
    p.checklist.push(item(
        "rehearsed",
        Section::PreDeploy,
        Check::RollbackRehearsed,
    ));
    let mut w = World::new(p);
    w.act("tick/tests", &[]).unwrap();
    w.act("waive/rehearsed", &[]).unwrap();
    let s = w.assess();
    let words: Vec<String> = s.checklist.sections.iter().map(|p| p.words()).collect();
    assert_eq!(words, ["1/2, 1 waived", "0/1", "0/1"]);
    let lines = &s.evidence["item/rehearsed"].lines;
    assert!(lines.iter().any(|(k, _)| k == "the rule says"), "{lines:?}");
}

#[test]
fn what_is_not_configured_says_which_line_would() {
    type Bare = fn(&mut World);
    let cases: [(Check, Bare, &str); 6] = [
        (
            Check::CiGreen { required: vec![] },
            |w| w.policy.services[0].builds = None,
            "set builds",
        ),
        (
            Check::ArtifactPresent,
            |w| w.policy.services[0].registry = None,
            "set registry and image",
        ),
        (
            Check::DashboardsReachable,
            |w| w.policy.services[0].dashboards.clear(),
            "set dashboards",
        ),
        (
            Check::Gates,
            |w| w.policy.services[0].gates.clear(),
            "add [[service.gate]]",
        ),
        (
            Check::WithinBaseline,
            |w| w.policy.services[0].triggers.clear(),
            "add [[service.trigger]]",
        ),
        (
            Check::Parity { environment: None },
            |w| w.policy.services[0].deployments = None,
            "set deployments",
        ),
    ];
    for (check, bare, line) in cases {
        let mut w = with(check.clone(), Section::PreDeploy);
        bare(&mut w);
        let item = it(&w);
        assert_eq!(item.mark.word, "not run", "{check:?}");
        assert!(matches!(item.verdict, Verdict::NotRun { .. }));
        assert!(item.note.contains(line), "{check:?}: {}", item.note);
    }
}

#[test]
fn the_next_thing_to_do_is_the_first_open_one_of_the_phase() {
    let w = World::default();
    let s = w.assess();
    assert_eq!(s.checklist.next.as_deref(), Some("tests"));
    let w = World::deployed();
    assert_eq!(w.assess().checklist.next.as_deref(), Some("gates"));
}

/// An error budget of 1 % (the world's usual 1 % of errors burns it at pace 1).
fn burning(pairs: &[(f64, u64, u64)]) -> World {
    let mut p = policy();
    p.services[0].slo.insert("error_rate".into(), 0.01);
    let burn = pairs
        .iter()
        .map(|(times, long, short)| crate::domain::policy::BurnPair {
            times: *times,
            long: *long,
            short: *short,
        })
        .collect();
    p.services[0].triggers = vec![Trigger {
        burn,
        hold_for: 0,
        ..trigger(
            crate::domain::policy::Limit::Slo,
            "error_rate",
            0,
            Then::Propose,
        )
    }];
    let mut w = World::new(p);
    w.start();
    w
}

#[test]
fn a_burn_rate_trips_only_when_both_windows_exceed() {
    let mut w = burning(&[(14.4, 3600, 300)]);
    w.minutes(3).unwrap();
    let t = w.assess().triggers[0].clone();
    assert_eq!(t.mark.word, "not clear yet", "{t:?}");
    assert!(t.distance.starts_with("1.0× of 14.4×"), "{}", t.distance);
    assert!(
        t.distance.contains("mixes old and new until"),
        "{}",
        t.distance
    );
    // All of it fails: the short window exceeds at once, the long one only when a quarter of it is bad.
    w.traffic.insert("checkout".into(), (6000.0, 1.0, 1.0));
    let mut after = 0;
    for minute in 1..=40 {
        w.minutes(1).unwrap();
        if w.assess().triggers[0].tripped {
            after = minute;
            break;
        }
    }
    // 14.4 % of an hour is 8.7 minutes, beyond the 1 % that is usual.
    assert!((8..=10).contains(&after), "{after}");
    // Healed: the short window lets go of it although the long one still burns.
    w.traffic.insert("checkout".into(), (6000.0, 0.01, 0.01));
    w.minutes(7).unwrap();
    assert!(
        !w.assess().triggers[0].tripped,
        "{:?}",
        w.assess().triggers[0]
    );
}

#[test]
fn a_burn_rate_over_days_reads_the_history_and_says_what_is_missing() {
    let mut w = burning(&[(14.4, 3600, 300), (1.0, 3 * 86_400, 6 * 3600)]);
    w.minutes(3).unwrap();
    let t = w.assess().triggers[0].clone();
    assert!(t.undecided.is_none(), "{t:?}");
    assert!(t.distance.contains("burn 1 over 3d/6h"), "{}", t.distance);
    let key = |k: &crate::domain::observe::SeriesKey| k.step == 600;
    w.observed.metrics.retain(|k, _| !key(k));
    let t = w.assess().triggers[0].clone();
    assert!(t.undecided.as_ref().unwrap().contains("buckets have data"));
    w.policy.services[0].slo.remove("error_rate");
    let state = w.journal.releases.get_mut(RELEASE).unwrap();
    state.contract.as_mut().unwrap().1.slo.clear();
    let t = w.assess().triggers[0].clone();
    assert!(t.undecided.as_ref().unwrap().contains("no slo"), "{t:?}");
}

#[test]
fn a_burn_rate_needs_its_newest_blocks() {
    let cut = |blocks: i64| {
        let mut w = burning(&[(1.0, 3 * 86_400, 6 * 3600)]);
        let newest = w.now.world.timestamp();
        for (key, buckets) in &mut w.observed.metrics {
            if key.step == 600 {
                buckets.retain(|at, _| *at <= newest - blocks * 600);
            }
        }
        w.minutes(3).unwrap();
        w.assess().triggers[0].clone()
    };
    assert_eq!(cut(1).undecided, None, "one is not read yet");
    let t = cut(3);
    assert!(
        t.undecided
            .is_some_and(|why| why.contains("newest buckets"))
    );
}

#[test]
fn an_old_contract_without_burn_rates_keeps_its_digest() {
    let t = trigger(
        crate::domain::policy::Limit::Baseline(2.0),
        "error_rate",
        300,
        Then::Propose,
    );
    let json = serde_json::to_string(&t).unwrap();
    assert!(!json.contains("burn"), "{json}");
    let back: Trigger = serde_json::from_str(&json).unwrap();
    assert_eq!(back, t);
}

#[test]
fn a_changed_contract_is_shown_with_its_author_and_the_sealed_one_stays_readable() {
    let mut w = World::deployed();
    w.policy.services[0].triggers[0].hold_for = 600;
    w.policy.services[0].gates[0].tolerance = 2.0;
    w.append_as(
        "lou",
        None,
        Body::PolicyLoaded {
            digest: "other".into(),
            changes: vec!["service checkout".into()],
        },
    );
    let s = w.assess();
    let diff = s.releases[0].contract_diff.join("\n");
    assert!(diff.contains("hold_for 300, the file has 600"), "{diff}");
    assert!(diff.contains("tolerance 1.5, the file has 2"), "{diff}");
    assert!(
        diff.contains("its author is not known; lou (os user) loaded the file"),
        "{diff}"
    );
    let mut known = w.clone();
    let body = known.events.last().unwrap().body.clone();
    known.append_as("mia", None, body);
    if let Some((_, how, _)) = &mut known.journal.policy_by {
        *how = "git".into();
    }
    let diff = known.assess().releases[0].contract_diff.join("\n");
    assert!(diff.contains("the file was written by mia (git)"), "{diff}");
    let lines = &s.evidence[&format!("release/{RELEASE}")].lines;
    let sealed = lines.iter().find(|(k, _)| k == "trigger checkout").unwrap();
    assert!(sealed.1.contains("for 5 m, then propose"), "{}", sealed.1);
}

#[test]
fn the_power_meter_says_from_when_on_a_regression_would_show() {
    let mut p = policy();
    p.limits.gate_max = 3600;
    let mut w = World::new(p);
    // Little traffic: one error a minute on the canary's share.
    w.traffic.insert("checkout".into(), (1000.0, 0.01, 0.01));
    w.start();
    w.minutes(3).unwrap();
    let gate = w.assess().gates[0].clone();
    assert!(gate.said.contains("more at this traffic"), "{}", gate.said);
    assert!(gate.said.contains("visible from about "), "{}", gate.said);
    let (ratio, at) = gate.visible_from[0];
    assert_eq!(ratio, 2.0);
    assert!(at > w.now.world, "{at}");
    // When that time has come, it is visible.
    let wait = (at - w.now.world).num_minutes() + 2;
    w.minutes(u32::try_from(wait).unwrap()).unwrap();
    let gate = w.assess().gates[0].clone();
    assert!(gate.smallest_visible.unwrap() <= 2.1, "{gate:?}");
}

#[test]
fn what_a_person_accepts_reads_accepted_is_a_debt_and_never_green() {
    let mut w = World::deployed();
    w.minutes(2).unwrap();
    let gate = w.assess().gates[0].clone();
    assert!(
        matches!(gate.verdict, Verdict::Undecided { .. }),
        "{gate:?}"
    );
    let key = format!("accept/{}", gate.id);
    let permit = w.permit(&key).unwrap();
    let said = permit.effects.join("\n");
    assert!(said.contains("n = ") && said.contains("would"), "{said}");
    assert!(
        permit
            .inputs
            .iter()
            .any(|i| i.key == "reason" && i.required)
    );
    w.act(&key, &[("reason", "little traffic at night")])
        .unwrap();
    let s = w.assess();
    let gate = &s.gates[0];
    assert_eq!(gate.mark.word, "ACCEPTED");
    assert_ne!(gate.mark.tone, crate::domain::situation::Tone::Pass);
    assert!(!gate.verdict.is_green());
    assert!(
        s.debts
            .iter()
            .any(|d| d.debt.what.contains("little traffic at night")),
        "{:?}",
        s.debts
    );
}
