//! A situation with everything in it, for tests and benches: the canary at 40 %, P95 drifting.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::act::{Act, Danger, Verb};
use crate::domain::event::{Debt, HandoffItem, Plan, PlanStep, StepKind, StepState};
use crate::domain::observe::{Fault, FaultKind, Freshness};
use crate::domain::policy::{
    Change, ChangeKind, Purpose, Release, Reversible, RiskClass, Section, Then, Unit,
};
use crate::domain::record::DeployState;
use crate::domain::situation::*;
use crate::domain::time::{Instant, Now, Span};
use crate::domain::verdict::Verdict;

use super::key::Key;
use super::model::Model;
use super::msg::Msg;
use super::options::Options;
use super::port::Fact;
use super::update::update;

const RELEASE: &str = "checkout-2026.47";

/// 16:42 CET on a Saturday.
#[must_use]
pub fn now() -> Now {
    let at = at(0);
    Now {
        world: at,
        real: at,
    }
}

/// So many seconds after [`now`].
#[must_use]
pub fn at(seconds: i64) -> Instant {
    // 2026-11-21T15:42:00Z.
    chrono::DateTime::from_timestamp(1_795_275_720 + seconds, 0).unwrap_or_default()
}

fn mark(word: &str, tone: Tone) -> Mark {
    Mark::new(word, tone)
}

/// A model of that size which has seen `situation`.
///
/// # Panics
/// Never: the table's own keys have no conflict.
#[must_use]
pub fn model(size: (u16, u16), options: Options, situation: Option<Situation>) -> Model {
    let mut m = match Model::new(options, size, now()) {
        Ok(m) => m,
        Err(_) => unreachable!("the table's keys conflict"),
    };
    if let Some(s) = situation {
        update(&mut m, now(), Msg::Fact(Fact::Assessed(Arc::new(s))));
    }
    m
}

/// Presses keys, written as in the table.
pub fn press(m: &mut Model, keys: &[&str]) -> Vec<super::msg::Effect> {
    let mut out = Vec::new();
    for k in keys {
        if let Ok(key) = Key::parse(k) {
            let now = m.now;
            out.extend(update(m, now, Msg::Key(key)));
        }
    }
    out
}

/// The permit for the rollback.
#[must_use]
pub fn rollback_permit() -> Permit {
    Permit {
        action: "rollback".into(),
        title: "Roll back checkout in PRODUCTION".into(),
        service: Some("checkout".into()),
        environment: Some("production".into()),
        from: Some("2.14.0".into()),
        to: Some("2.13.4".into()),
        effects: vec![
            "1 switch auto-sync off in argo (a debt until it is on again)".into(),
            "2 roll checkout back to 2.13.4 (history 17)".into(),
            "3 wait until 2.13.4 serves".into(),
            "4 wait until the triggers are clear".into(),
            "passport 10/10: rehearsed 2 d ago, 4 m".into(),
        ],
        warnings: vec!["payments 5.3.1 calls checkout; it stays".into()],
        danger: Danger::High,
        typed: Some("checkout".into()),
        inputs: vec![Input {
            key: "reason".into(),
            label: "reason".into(),
            required: true,
            default: "P95 1.6× of 1.5× for 5 m".into(),
        }],
        basis: "b4s1s".into(),
        expected: Some(240),
    }
}

fn refusal() -> Refusal {
    Refusal {
        rule: "gate/checkout/p95/40 %".into(),
        why: "gate p95 after the step at 40 % is undecided: n=6 of 10".into(),
        owner: Some("ana".into()),
        until: Some(at(240)),
        way_out: Some("wait for 4 more minutes, or accept it with a reason (A)".into()),
        overridable: false,
    }
}

fn permits() -> BTreeMap<String, Permission> {
    let simple = |action: &str, title: &str, danger| {
        Permission::Granted(Permit {
            action: action.into(),
            title: title.into(),
            service: Some("checkout".into()),
            environment: Some("production".into()),
            from: None,
            to: None,
            effects: vec!["written to the journal".into()],
            warnings: vec![],
            danger,
            typed: None,
            inputs: vec![],
            basis: format!("basis of {action}"),
            expected: None,
        })
    };
    let freeze = Refusal {
        rule: "freeze/quarter end".into(),
        why: "a freeze holds: quarter end".into(),
        owner: Some("finance".into()),
        until: Some(at(45 * 3600)),
        way_out: Some("an override by the release manager".into()),
        overridable: true,
    };
    [
        ("rollback", Permission::Granted(rollback_permit())),
        ("promote", Permission::Refused(vec![refusal()])),
        ("deploy", Permission::Refused(vec![freeze, refusal()])),
        (
            "pause",
            simple("pause", "Pause checkout in PRODUCTION", Danger::Medium),
        ),
        (
            "abort",
            simple("abort", "Abort checkout in PRODUCTION", Danger::High),
        ),
        (
            "brief",
            simple("brief", "Send the brief to mira", Danger::Medium),
        ),
        (
            "handoff",
            simple("handoff", "Hand off to joel", Danger::Medium),
        ),
        (
            "tick/dashboards",
            simple("tick/dashboards", "Tick dashboards configured", Danger::Low),
        ),
        (
            "settle/auto-sync/checkout",
            simple(
                "settle/auto-sync/checkout",
                "Settle auto-sync off",
                Danger::Medium,
            ),
        ),
        (
            "take/release/checkout",
            simple("take/release/checkout", "Take it", Danger::Low),
        ),
        (
            "override/freeze/quarter end",
            simple(
                "override/freeze/quarter end",
                "Override the freeze quarter end",
                Danger::High,
            ),
        ),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_string(), v))
    .collect()
}

fn series(base: f64, drift: f64, n: i64) -> Vec<(i64, f64)> {
    let start = at(0).timestamp() - n * 60;
    (0..n)
        .map(|i| {
            #[allow(clippy::cast_precision_loss)]
            let x = i as f64;
            let wave = (x / 3.0).sin() * 0.08 + (x / 7.0).cos() * 0.05;
            #[allow(clippy::cast_precision_loss)]
            let grown = if i > n * 2 / 3 {
                drift * (x / n as f64)
            } else {
                0.0
            };
            (start + i * 60, base * (1.0 + wave + grown))
        })
        .collect()
}

fn metric(
    id: (&str, &str),
    title: &str,
    unit: Unit,
    base: f64,
    drift: f64,
    points: i64,
) -> MetricView {
    let new = series(base, drift, points);
    let value = new.last().map(|(_, v)| *v);
    let (service, name) = id;
    let bad = drift > 0.3;
    MetricView {
        id: format!("{service}/{name}"),
        service: service.into(),
        metric: name.into(),
        title: title.into(),
        unit,
        value,
        shown: value.map_or("no data".into(), |v| unit.show(v)),
        ratio: value.map(|v| v / base),
        baseline: "7 days, same hours".into(),
        verdict: if bad {
            Verdict::Undecided {
                why: "n=6 of 10".into(),
                n: 6,
            }
        } else {
            Verdict::Pass
        },
        mark: if bad {
            mark("undecided", Tone::Unknown)
        } else {
            mark("pass", Tone::Pass)
        },
        distance: Some(if bad {
            "1.4× of 1.5×, 0 s of 5 m".into()
        } else {
            "1.1× of 2×".into()
        }),
        chart: Chart {
            old: series(base * 0.95, 0.0, points),
            band: Some((base * 0.8, base * 1.2)),
            threshold: Some(base * 1.5),
            deploy_at: Some(at(-1080).timestamp()),
            clean_at: None,
            empty: None,
            new,
        },
        freshness: Freshness::Fresh,
        newest: Some(at(-20)),
        counts: Some("n=6 of 10".into()),
    }
}

fn item(section: Section, id: &str, title: &str, state: (&str, Tone), note: &str) -> ItemView {
    ItemView {
        id: id.into(),
        section,
        title: title.into(),
        automatic: note == "auto",
        verdict: if state.1 == Tone::Pass {
            Verdict::Pass
        } else {
            Verdict::NotRun { why: note.into() }
        },
        mark: mark(state.0, state.1),
        note: note.into(),
        at: (state.1 == Tone::Pass).then(|| at(-600)),
    }
}

fn items() -> Vec<ItemView> {
    use Section::{Deploy, PostDeploy, PreDeploy};
    let (done, open) = (("done", Tone::Pass), ("open", Tone::Plain));
    vec![
        item(PreDeploy, "tests", "tests green", done, "auto"),
        item(PreDeploy, "rehearsed", "rollback rehearsed", done, "auto"),
        item(
            PreDeploy,
            "brief",
            "on-call brief",
            ("waived", Tone::Hold),
            "ana, debt",
        ),
        item(
            PreDeploy,
            "dashboards",
            "dashboards configured",
            ("open", Tone::Hold),
            "by hand",
        ),
        item(
            PreDeploy,
            "flags",
            "flags off for the new path",
            ("failed", Tone::Fail),
            "flag new-cart is on",
        ),
        item(Deploy, "realtime", "observed in real time", done, "auto"),
        item(
            Deploy,
            "errors",
            "error rate tracked from minute 1",
            open,
            "auto",
        ),
        item(
            Deploy,
            "team",
            "deploy team present for 30 m",
            open,
            "by hand",
        ),
        item(
            PostDeploy,
            "p95",
            "P95 within the baseline",
            ("undecided", Tone::Unknown),
            "n=6 of 10",
        ),
        item(
            PostDeploy,
            "conversion",
            "conversion within the baseline",
            ("not run", Tone::Unknown),
            "after the last step",
        ),
        item(PostDeploy, "notes", "release notes sent", open, "by hand"),
    ]
}

fn deployments() -> Vec<DeployRow> {
    let row = |service: &str, from: &str, version: &str, state, tone| DeployRow {
        id: format!("{service}/production"),
        service: service.into(),
        environment: "production".into(),
        from: Some(from.into()),
        version: version.into(),
        state,
        mark: mark(DeployState::word(state), tone),
        freshness: Some(Freshness::Fresh),
        read_at: Some(at(-5)),
        since: Some(at(-360)),
        release: Some(RELEASE.into()),
        ..DeployRow::default()
    };
    vec![
        DeployRow {
            step: Some((3, 5)),
            weight: Some(40.0),
            strategy: Some("canary".into()),
            auto_sync: Some(false),
            ..row(
                "checkout",
                "2.13.4",
                "2.14.0",
                DeployState::Verifying,
                Tone::Hold,
            )
        },
        DeployRow {
            step: Some((5, 5)),
            ..row(
                "payments",
                "5.3.0",
                "5.3.1",
                DeployState::Succeeded,
                Tone::Pass,
            )
        },
        DeployRow {
            mark: mark("UNKNOWN", Tone::Unknown),
            note: "stale: 503 from argo".into(),
            freshness: Some(Freshness::Stale),
            read_at: Some(at(-190)),
            ..row(
                "search",
                "1.0.0",
                "1.1.0-rc.3+build.2026.11.21.9f3ac01d",
                DeployState::Unknown,
                Tone::Unknown,
            )
        },
        DeployRow {
            release: None,
            unplanned: true,
            ..row("mailer", "3.1.0", "3.1.1", DeployState::Running, Tone::Hold)
        },
    ]
}

fn strip() -> Vec<StripSegment> {
    let seg = |from: i64, to: i64, word: &str, tone, rule: &str| StripSegment {
        span: Span::new(at(from * 3600 - 42 * 60), at(to * 3600 - 42 * 60)),
        mark: mark(word, tone),
        rules: vec![rule.into()],
    };
    vec![
        seg(-16, -7, "closed", Tone::Hold, "weekend"),
        seg(-7, 2, "open", Tone::Pass, "window"),
        seg(2, 41, "closed", Tone::Hold, "window"),
        seg(41, 49, "open", Tone::Pass, "window"),
        seg(49, 65, "closed", Tone::Hold, "window"),
        seg(65, 120, "FREEZE", Tone::Fail, "quarter end"),
        seg(
            120,
            180,
            "unknown",
            Tone::Unknown,
            "calendar holidays was not read",
        ),
    ]
}

fn calendar() -> CalendarView {
    CalendarView {
        state: mark("open", Tone::Pass),
        reasons: vec!["open: window weekend-day until 18:00".into()],
        next: Some((at(78 * 60), "closed".into())),
        strip: strip(),
        releases: vec![
            CalendarRelease {
                id: RELEASE.into(),
                title: "checkout 2026.47".into(),
                environment: "production".into(),
                at: Some(at(-1080)),
                mark: mark("deploying", Tone::Plain),
            },
            CalendarRelease {
                id: "search-2026.48".into(),
                title: "search 2026.48".into(),
                environment: "production".into(),
                at: Some(at(42 * 3600)),
                mark: mark("planned", Tone::Plain),
            },
        ],
        unread: vec!["holidays".into()],
        last_shipped: Some("payments 2026.46, Thu 11:20".into()),
    }
}

fn oncall() -> OncallView {
    OncallView {
        rows: vec![
            OncallRow {
                level: 1,
                person: "mira".into(),
                until: Some(at(7 * 3600)),
                mark: mark("told", Tone::Hold),
                note: "slack, 50 s ago".into(),
            },
            OncallRow {
                level: 2,
                person: "joel".into(),
                until: None,
                mark: mark("not told", Tone::Plain),
                note: String::new(),
            },
        ],
        brief: mark("sent", Tone::Hold),
        note: "not acknowledged".into(),
        escalates_at: Some(at(250)),
        incidents: vec!["INC-204 slow carts (sev 2)".into()],
        alerts: vec![
            AlertRow {
                name: "CheckoutLatencyHigh".into(),
                service: Some("checkout".into()),
                mark: mark("firing", Tone::Fail),
                since: Some(at(-180)),
            },
            AlertRow {
                name: "DiskFull".into(),
                service: None,
                mark: mark("silenced", Tone::Plain),
                since: Some(at(-9000)),
            },
        ],
        freshness: Some(Freshness::Fresh),
        empty: None,
    }
}

fn journal() -> Vec<JournalLine> {
    let texts = [
        "ticked \"dashboards configured\"",
        "gate error-rate after 40 %: pass, n=4812",
        "promoted checkout to 40 %",
        "gate error-rate after 10 %: pass, n=1201",
        "deployment of checkout 2.14.0 began",
        "brief sent to mira over slack #releases",
        "contract sealed: 3 gates, 2 triggers",
        "approved by joel as release manager",
        "switched auto-sync off for checkout: debt until 18:00",
        "planned checkout 2026.47",
    ];
    let mut seq = 57;
    texts
        .iter()
        .enumerate()
        .map(|(i, text)| {
            seq -= 1;
            JournalLine {
                seq,
                at: at(-171 - 160 * i64::try_from(i).unwrap_or(0)),
                actor: if i % 3 == 1 { "cockpit" } else { "ana" }.into(),
                known_by: "os user".into(),
                release: Some(RELEASE.into()),
                text: (*text).into(),
                tone: if text.contains("pass") {
                    Tone::Pass
                } else {
                    Tone::Plain
                },
            }
        })
        .collect()
}

fn gates() -> Vec<GateView> {
    let gate = |id: &str, verdict: Verdict, said: &str| GateView {
        id: format!("gate/checkout/{id}/3"),
        service: "checkout".into(),
        gate: id.into(),
        step: 3,
        critical: true,
        mark: Mark::from(&verdict),
        verdict,
        accepted: false,
        said: said.into(),
        metrics: vec![(
            id.replace("p95-", ""),
            mark("undecided", Tone::Unknown),
            said.into(),
        )],
        n: 6,
        smallest_visible: Some(0.2),
        opened: Some(at(-360)),
    };
    vec![
        gate(
            "p95",
            Verdict::Undecided {
                why: "n=6 of 10".into(),
                n: 6,
            },
            "n=6 of 10, 4 m more",
        ),
        gate("error_rate", Verdict::Pass, "n=4812, +0.02 % of +0.10 %"),
    ]
}

fn triggers() -> Vec<TriggerView> {
    vec![TriggerView {
        id: "trigger/checkout/p95-high".into(),
        service: "checkout".into(),
        trigger: "p95-high".into(),
        metric: "p95".into(),
        then: Then::Propose,
        mark: mark("clear", Tone::Pass),
        tripped: false,
        tripped_at: None,
        distance: "1.4× of 1.5×, 0 s of 5 m".into(),
        share: Some(0.93),
        held: (0, 300),
        undecided: None,
    }]
}

fn evidence() -> BTreeMap<String, Evidence> {
    let e = Evidence {
        title: "gate p95 of checkout after the step at 40 %".into(),
        lines: [
            ("verdict", "undecided: n=6 of 10"),
            ("window", "16:36–16:42, since the step took effect"),
            ("n", "6 buckets of 10 needed"),
            ("value", "0.341 s"),
            ("bound", "+18 % (90 % upper)"),
            ("threshold", "+10 %"),
        ]
        .into_iter()
        .map(|(a, b)| (a.to_string(), b.to_string()))
        .collect(),
        query: Some(
            "histogram_quantile(0.95, sum by (le, version) (rate(http_request_duration_seconds_bucket{service=\"checkout\"}[5m])))"
                .into(),
        ),
        link: Some("http://127.0.0.1:9090/graph?g0.expr=checkout_p95".into()),
        source: Some("prometheus".into()),
        read_at: Some(at(-12)),
        freshness: Some(Freshness::Fresh),
    };
    [("gate/checkout/p95/3".to_string(), e)]
        .into_iter()
        .collect()
}

fn feeds() -> Vec<FeedView> {
    vec![
        FeedView {
            need: "deployments/search".into(),
            source: "argo".into(),
            what: "deployments of search".into(),
            mark: mark("server error", Tone::Unknown),
            read_at: Some(at(-190)),
            freshness: Freshness::Stale,
            fault: Some(Fault::new(
                FaultKind::Server,
                "503 from argo /api/v1/applications/search",
                "look at argo's own status; the cockpit reads on",
            )),
            feeds_verdict: true,
        },
        FeedView {
            need: "metric/p95/value/60".into(),
            source: "prometheus".into(),
            what: "P95 of checkout".into(),
            mark: mark("fresh", Tone::Pass),
            read_at: Some(at(-12)),
            freshness: Freshness::Fresh,
            fault: None,
            feeds_verdict: true,
        },
    ]
}

fn passport() -> Passport {
    let line = |id: &str, title: &str, note: &str| PassportLine {
        id: id.into(),
        title: title.into(),
        verdict: Verdict::Pass,
        mark: mark("pass", Tone::Pass),
        note: note.into(),
    };
    Passport {
        service: "checkout".into(),
        environment: "production".into(),
        from: Some("2.14.0".into()),
        to: Some("2.13.4".into()),
        others: vec![("2.13.3".into(), "served 6 d, healthy".into())],
        lines: vec![
            line(
                "artifact",
                "the old version is in the registry",
                "sha256:9f3a…",
            ),
            line("rehearsed", "rehearsed within 30 days", "2 d ago, 4 m"),
            line(
                "migration",
                "no migration that cannot be undone",
                "none in 2.14.0",
            ),
        ],
        passed: 3,
        no_return: None,
        expected: Some(240),
    }
}

fn release() -> ReleaseView {
    ReleaseView {
        plan: Release {
            id: RELEASE.into(),
            title: "checkout 2026.47".into(),
            environment: "production".into(),
            planned: Some(at(-1200)),
            length: Some(3600),
            driver: Some("ana".into()),
            author: Some("joel".into()),
            changes: vec![Change {
                service: "checkout".into(),
                from: Some("2.13.4".into()),
                to: "2.14.0".into(),
                kind: ChangeKind::default(),
                reversible: Reversible::default(),
            }],
            purpose: Purpose::default(),
            significant: false,
            risk: RiskClass::default(),
            failure_modes: vec!["the new cart is slow".into()],
        },
        phase: Phase::Deploying,
        closing: None,
        driver: Some("ana".into()),
        contract: Some("sha256:77c1".into()),
        contract_diff: vec![],
        started: Some(at(-1080)),
        finished: None,
        commits: BTreeMap::new(),
        approvals: vec!["joel as release manager, until 18:00".into()],
    }
}

/// The story as the demo opens it, `points` buckets a series.
#[must_use]
pub fn story_with(points: i64) -> Situation {
    Situation {
        format: FORMAT,
        now: now(),
        title: "cockpit".into(),
        timezone: chrono_tz::Europe::Berlin,
        band: Band {
            environment: "PRODUCTION".into(),
            protected: true,
            flags: vec!["DEMO".into(), "SOLO".into()],
            release: Some("checkout 2026.47".into()),
            phase: Some(Phase::Deploying),
            advice: Advice::Hold,
            reasons: vec![
                Reason {
                    text: "gate p95 undecided (n=6 of 10)".into(),
                    evidence: Some("gate/checkout/p95/3".into()),
                },
                Reason {
                    text: "search: stale for 3 m".into(),
                    evidence: Some("deploy/search/production".into()),
                },
            ],
            driver: Some("ana".into()),
            armed: "auto off".into(),
            countdown: None,
        },
        next: NextStep {
            action: "promote".into(),
            verb: "wait for gate p95".into(),
            why: "n=6 of 10".into(),
            expected: Some(240),
        },
        current: Some(RELEASE.into()),
        releases: vec![release()],
        calendar: calendar(),
        deployments: deployments(),
        checklist: ChecklistView {
            items: items(),
            done: 4,
            next: Some("dashboards".into()),
        },
        metrics: vec![
            metric(("checkout", "p95"), "P95", Unit::Seconds, 0.24, 0.5, points),
            metric(
                ("checkout", "error_rate"),
                "error rate",
                Unit::Percent,
                0.0042,
                0.05,
                points,
            ),
            metric(
                ("checkout", "conversion"),
                "conversion",
                Unit::Percent,
                0.031,
                0.0,
                points,
            ),
            metric(
                ("payments", "error_rate"),
                "error rate",
                Unit::Percent,
                0.001,
                0.0,
                points,
            ),
        ],
        gates: gates(),
        triggers: triggers(),
        passports: vec![passport()],
        plan: None,
        oncall: oncall(),
        watch: None,
        journal: journal(),
        head: (56, "77aa".into()),
        debts: vec![DebtView {
            debt: Debt {
                id: "auto-sync/checkout".into(),
                what: "auto-sync off".into(),
                owner: "ana".into(),
                due: at(78 * 60),
                release: Some(RELEASE.into()),
            },
            overdue: false,
        }],
        handoff: None,
        feeds: feeds(),
        permits: permits(),
        evidence: evidence(),
        troubles: vec![],
        owed: vec![],
    }
}

/// The story as the demo opens it.
#[must_use]
pub fn story() -> Situation {
    story_with(60)
}

/// The trigger tripped.
#[must_use]
pub fn tripped() -> Situation {
    let mut s = story();
    s.band.advice = Advice::RollBack;
    s.band.reasons = vec![Reason {
        text: "P95 1.6× of 1.5× for 5 m".into(),
        evidence: Some("trigger/checkout/p95-high".into()),
    }];
    s.next = NextStep {
        action: "rollback".into(),
        verb: "roll back".into(),
        why: "P95 1.6× of 1.5× for 5 m · passport 3/3".into(),
        expected: Some(240),
    };
    for t in &mut s.triggers {
        t.tripped = true;
        t.tripped_at = Some(at(-10));
        t.mark = mark("tripped", Tone::Fail);
        t.distance = "1.6× of 1.5×, 5 m of 5 m".into();
    }
    s
}

/// The rollback runs: its second step is asked for.
#[must_use]
pub fn rolling_back() -> Situation {
    let mut s = tripped();
    let act = |verb| Act {
        id: "a1".into(),
        connection: "argo".into(),
        verb,
        args: BTreeMap::new(),
        release: Some(RELEASE.into()),
        service: Some("checkout".into()),
        environment: Some("production".into()),
        reason: "P95".into(),
        summary: "roll back".into(),
    };
    let step = |id: &str, title: &str, kind| PlanStep {
        id: format!("checkout/{id}"),
        service: "checkout".into(),
        environment: "production".into(),
        kind,
        title: title.into(),
    };
    let steps = vec![
        step(
            "hold",
            "switch auto-sync off",
            StepKind::Hold {
                act: act(Verb::Hold),
            },
        ),
        step(
            "rollback",
            "roll checkout back to 2.13.4",
            StepKind::Act {
                act: act(Verb::Rollback),
                from: "2.14.0".into(),
                to: "2.13.4".into(),
            },
        ),
        step(
            "serves",
            "wait until 2.13.4 serves",
            StepKind::AwaitVersion {
                version: "2.13.4".into(),
            },
        ),
        step(
            "clear",
            "wait until the triggers are clear",
            StepKind::AwaitClear,
        ),
    ];
    s.band.advice = Advice::RollingBack;
    s.plan = Some(PlanView {
        plan: Plan {
            id: format!("rollback/{RELEASE}/1"),
            release: RELEASE.into(),
            reason: "P95".into(),
            tripped_at: Some(at(-40)),
            steps,
        },
        started: at(-20),
        states: [
            (
                "checkout/hold",
                StepState::Confirmed,
                "argo says automated: null",
            ),
            ("checkout/rollback", StepState::Asked, "sent to argo"),
        ]
        .into_iter()
        .map(|(id, state, said)| (id.to_string(), (state, said.to_string())))
        .collect(),
        times: [("checkout/hold", -18), ("checkout/rollback", -12)]
            .into_iter()
            .map(|(id, t)| (id.to_string(), at(t)))
            .collect(),
        ended: None,
        stuck: None,
        times_to: (Some(20), None, None),
    });
    s.handoff = Some(HandoffView {
        id: "handoff/1".into(),
        from: "ana".into(),
        to: "joel".into(),
        at: at(-5),
        items: vec![
            (
                HandoffItem {
                    id: "release/checkout".into(),
                    text: "checkout 2026.47 is rolling back".into(),
                },
                false,
            ),
            (
                HandoffItem {
                    id: "debt/auto-sync/checkout".into(),
                    text: "auto-sync off, due 18:00".into(),
                },
                true,
            ),
        ],
    });
    s
}

/// Every feed is dead: nothing passes.
#[must_use]
pub fn blackout() -> Situation {
    let mut s = story();
    s.band.advice = Advice::Blind;
    s.band.reasons = vec![Reason {
        text: "every feed is stale for 4 m".into(),
        evidence: None,
    }];
    let unknown = |m: &mut Mark, word: &str| *m = mark(word, Tone::Unknown);
    for d in &mut s.deployments {
        unknown(&mut d.mark, "UNKNOWN");
        d.freshness = Some(Freshness::Stale);
        d.read_at = Some(at(-240));
        d.note = "stale: argo unreachable".into();
    }
    for m in &mut s.metrics {
        unknown(&mut m.mark, "undecided");
        m.freshness = Freshness::Stale;
        m.newest = Some(at(-240));
    }
    for g in &mut s.gates {
        unknown(&mut g.mark, "undecided");
    }
    for t in &mut s.triggers {
        unknown(&mut t.mark, "undecided");
    }
    for i in &mut s.checklist.items {
        unknown(&mut i.mark, "undecided");
    }
    for p in &mut s.passports {
        p.passed = 0;
        for l in &mut p.lines {
            unknown(&mut l.mark, "undecided");
        }
    }
    for f in &mut s.feeds {
        unknown(&mut f.mark, "unreachable");
        f.freshness = Freshness::Stale;
    }
    for seg in &mut s.calendar.strip {
        unknown(&mut seg.mark, "unknown");
    }
    unknown(&mut s.calendar.state, "unknown");
    for j in &mut s.journal {
        j.tone = Tone::Plain;
    }
    s
}

/// Nothing is connected and nothing is planned.
#[must_use]
pub fn empty() -> Situation {
    let mut s = story();
    s.band = Band {
        environment: "no environment".into(),
        armed: "auto off".into(),
        ..Band::default()
    };
    s.next = NextStep {
        action: "plan".into(),
        verb: "plan a release".into(),
        why: "none is planned".into(),
        expected: None,
    };
    s.current = None;
    s.releases.clear();
    s.calendar = CalendarView {
        state: mark("unknown", Tone::Unknown),
        ..CalendarView::default()
    };
    s.deployments.clear();
    s.checklist = ChecklistView::default();
    s.metrics.clear();
    s.gates.clear();
    s.triggers.clear();
    s.passports.clear();
    s.oncall = OncallView {
        empty: Some(
            "nobody is on call: add [oncall] to cockpit.toml or a connection that reads one".into(),
        ),
        ..OncallView::default()
    };
    s.journal.clear();
    s.debts.clear();
    s.feeds.clear();
    s.permits.clear();
    s
}
