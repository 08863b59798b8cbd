//! Situations with everything in them, for the tests of every face that is text.

use std::collections::BTreeMap;

use crate::domain::act::{Act, Danger, Verb};
use crate::domain::event::{Debt, HandoffItem, Plan, PlanStep, StepKind, StepState};
use crate::domain::observe::{Fault, FaultKind, Freshness};
use crate::domain::policy::*;
use crate::domain::record::DeployState;
use crate::domain::situation::*;
use crate::domain::time::{Instant, Now, Span};
use crate::domain::verdict::Verdict;

const RELEASE: &str = "checkout-2026.47";

/// So many seconds after Saturday 21 November 2026, 16:42 in Berlin.
pub(crate) fn at(seconds: i64) -> Instant {
    chrono::DateTime::from_timestamp(1_795_275_720 + seconds, 0).unwrap()
}

pub(crate) fn now() -> Now {
    Now {
        world: at(0),
        real: at(0),
    }
}

fn pass() -> Mark {
    Mark::new("pass", Tone::Pass)
}

fn undecided() -> Mark {
    Mark::new("undecided", Tone::Unknown)
}

fn band() -> Band {
    Band {
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
                evidence: None,
            },
        ],
        driver: Some("ana".into()),
        armed: "auto off".into(),
        countdown: None,
        lease: "drives: this process holds the driver's lease".into(),
    }
}

fn release() -> ReleaseView {
    let change = Change {
        service: "checkout".into(),
        from: Some("2.13.4".into()),
        to: "2.14.0".into(),
        kind: ChangeKind::Version,
        reversible: Reversible::Until("orders are written in the new shape".into()),
    };
    ReleaseView {
        plan: Release {
            id: RELEASE.into(),
            title: "checkout 2026.47".into(),
            environment: "production".into(),
            planned: Some(at(-1200)),
            length: Some(3600),
            driver: Some("ana".into()),
            author: Some("joel".into()),
            changes: vec![change],
            purpose: Purpose::Regular,
            significant: false,
            risk: RiskClass::Normal,
            failure_modes: vec!["the new cart is slow".into()],
            deadlines: Default::default(),
            depends_on: Vec::new(),
        },
        phase: Phase::Deploying,
        closing: None,
        driver: Some("ana".into()),
        contract: Some("77c1d2e3f4a5b6c7d8e9".into()),
        contract_diff: vec!["checkout: trigger p95 above 900 ms was 800 ms (ana)".into()],
        started: Some(at(-1080)),
        finished: None,
        commits: [(
            "checkout".to_owned(),
            vec![
                "9f3ac01 Fix the cart (#812)".into(),
                "1c2d3e4 Faster totals, by @mira".into(),
            ],
        )]
        .into(),
        tripped: vec![],
        approvals: vec!["joel as release manager, until 18:00".into()],
        reviewed: None,
    }
}

fn calendar() -> CalendarView {
    let seg = |from: i64, to: Option<i64>, mark: Mark, rule: &str| StripSegment {
        span: Span {
            start: at(from * 3600 - 42 * 60),
            end: to.map(|t| at(t * 3600 - 42 * 60)),
        },
        mark,
        rules: vec![rule.into()],
    };
    CalendarView {
        conflicts: Vec::new(),
        unsure: Vec::new(),
        deadlines: Vec::new(),
        order: Vec::new(),
        state: Mark::new("open", Tone::Pass),
        reasons: vec!["open: window working hours until 18:00".into()],
        next: Some((at(78 * 60), "closed".into())),
        strip: vec![
            seg(
                -16,
                Some(-7),
                Mark::new("closed", Tone::Hold),
                "outside every window",
            ),
            seg(-7, Some(2), Mark::new("open", Tone::Pass), "working hours"),
            seg(
                2,
                Some(41),
                Mark::new("closed", Tone::Hold),
                "outside every window",
            ),
            seg(41, Some(65), Mark::new("FREEZE", Tone::Fail), "quarter end"),
            seg(
                65,
                None,
                Mark::new("unknown", Tone::Unknown),
                "calendar holidays was not read",
            ),
        ],
        releases: vec![CalendarRelease {
            id: RELEASE.into(),
            title: "checkout 2026.47".into(),
            environment: "production".into(),
            at: Some(at(-1080)),
            mark: Mark::new("deploying", Tone::Plain),
            note: String::new(),
        }],
        unread: vec!["holidays".into()],
        last_shipped: Some("payments 2026.46, Thu 11:20".into()),
    }
}

fn deployments() -> Vec<DeployRow> {
    let row = |service: &str, version: &str, state: DeployState, tone| DeployRow {
        id: format!("{service}/production"),
        service: service.into(),
        environment: "production".into(),
        version: version.into(),
        state,
        mark: Mark::new(state.word(), tone),
        freshness: Some(Freshness::Fresh),
        read_at: Some(at(-5)),
        since: Some(at(-360)),
        release: Some(RELEASE.into()),
        ..DeployRow::default()
    };
    vec![
        DeployRow {
            from: Some("2.13.4".into()),
            step: Some((3, 5)),
            weight: Some(40.0),
            strategy: Some("canary".into()),
            auto_sync: Some(false),
            ..row("checkout", "2.14.0", DeployState::Verifying, Tone::Hold)
        },
        DeployRow {
            freshness: Some(Freshness::Stale),
            read_at: Some(at(-190)),
            note: "503 from argo".into(),
            ..row("search", "1.1.0", DeployState::Unknown, Tone::Unknown)
        },
        DeployRow {
            release: None,
            unplanned: true,
            ..row("mailer", "3.1.1", DeployState::Running, Tone::Hold)
        },
    ]
}

fn item(
    section: Section,
    id: &str,
    title: &str,
    verdict: Verdict,
    mark: Mark,
    note: &str,
) -> ItemView {
    let at = verdict.is_green().then(|| at(-600));
    ItemView {
        id: id.into(),
        section,
        title: title.into(),
        automatic: true,
        verdict,
        mark,
        note: note.into(),
        at,
        clocks: String::new(),
    }
}

fn checklist() -> ChecklistView {
    use Section::{Deploy, PostDeploy, PreDeploy};
    let not_run = || Verdict::not_run("after the last step");
    ChecklistView {
        items: vec![
            item(
                PreDeploy,
                "tests",
                "tests green",
                Verdict::Pass,
                Mark::new("done", Tone::Pass),
                "auto",
            ),
            item(
                PreDeploy,
                "brief",
                "on-call briefed",
                not_run(),
                Mark::new("waived", Tone::Hold),
                "ana, debt",
            ),
            item(
                PreDeploy,
                "support",
                "support knows",
                not_run(),
                Mark::new("open", Tone::Hold),
                "by hand",
            ),
            item(
                Deploy,
                "observed",
                "observed in real time",
                Verdict::Pass,
                Mark::new("done", Tone::Pass),
                "auto",
            ),
            item(
                PostDeploy,
                "p95",
                "within baseline",
                Verdict::undecided("n=6 of 10", 6),
                undecided(),
                "n=6 of 10",
            ),
        ],
        done: 3,
        next: Some("support".into()),
        sections: Vec::new(),
    }
}

fn metrics() -> Vec<MetricView> {
    let metric =
        |service: &str, id: &str, title: &str, unit: Unit, value: f64, ratio: Option<f64>| {
            MetricView {
                id: format!("{service}/{id}"),
                service: service.into(),
                metric: id.into(),
                title: title.into(),
                unit,
                value: Some(value),
                shown: unit.show(value),
                ratio,
                baseline: "stable beside it".into(),
                verdict: Verdict::Pass,
                mark: pass(),
                distance: Some("1.1× of 2×, 0 s of 5 m".into()),
                chart: Chart {
                    new: vec![(at(-60).timestamp(), value)],
                    ..Chart::default()
                },
                freshness: Freshness::Fresh,
                newest: Some(at(-20)),
                counts: Some("17 of 4,812 beside 41 of 12,300".into()),
            }
        };
    vec![
        MetricView {
            verdict: Verdict::undecided("n=6 of 10", 6),
            mark: undecided(),
            counts: None,
            ..metric("checkout", "p95", "P95", Unit::Seconds, 0.341, Some(1.4))
        },
        metric(
            "checkout",
            "error_rate",
            "error rate",
            Unit::Percent,
            0.0042,
            Some(1.1),
        ),
        metric(
            "payments",
            "error_rate",
            "error rate",
            Unit::Percent,
            0.001,
            Some(f64::NAN),
        ),
    ]
}

fn gates() -> Vec<GateView> {
    let gate = |id: &str, verdict: Verdict, said: &str| GateView {
        id: format!("gate/checkout/{id}/3"),
        service: "checkout".into(),
        gate: id.into(),
        step: 3,
        critical: true,
        mark: Mark::from(&verdict),
        metrics: vec![(id.into(), Mark::from(&verdict), said.into())],
        verdict,
        accepted: false,
        said: said.into(),
        n: 6,
        smallest_visible: Some(1.9),
        opened: Some(at(-360)),
        visible_from: Vec::new(),
    };
    vec![
        gate(
            "p95",
            Verdict::undecided("n=6 of 10", 6),
            "n=6 of 10, 4 m more",
        ),
        gate(
            "error_rate",
            Verdict::Pass,
            "n=4812, 1.1× [0.9, 1.3] of 1.5×",
        ),
    ]
}

fn triggers() -> Vec<TriggerView> {
    vec![TriggerView {
        id: "trigger/checkout/p95>slo".into(),
        service: "checkout".into(),
        trigger: "p95>slo".into(),
        metric: "p95".into(),
        then: Then::Propose,
        mark: Mark::new("clear", Tone::Pass),
        tripped: false,
        tripped_at: None,
        distance: "341 ms of 800 ms, 0 s of 5 m".into(),
        share: Some(0.43),
        held: (0, 300),
        undecided: None,
    }]
}

fn passport() -> Passport {
    let line = |id: &str, title: &str, verdict: Verdict, note: &str| PassportLine {
        id: id.into(),
        title: title.into(),
        mark: Mark::from(&verdict),
        verdict,
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
                Verdict::Pass,
                "sha256:9f3a",
            ),
            line(
                "rehearsed",
                "rehearsed within 30 days",
                Verdict::not_run("never rehearsed"),
                "never rehearsed",
            ),
        ],
        passed: 1,
        no_return: None,
        expected: Some(240),
    }
}

fn oncall() -> OncallView {
    let row = |level, person: &str, mark: Mark, note: &str| OncallRow {
        level,
        person: person.into(),
        until: Some(at(7 * 3600)),
        mark,
        note: note.into(),
    };
    OncallView {
        rows: vec![
            row(
                1,
                "mira",
                Mark::new("briefed", Tone::Hold),
                "slack, 50 s ago",
            ),
            row(2, "joel", Mark::new("not told", Tone::Plain), ""),
        ],
        brief: Mark::new("sent", Tone::Hold),
        note: "not acknowledged".into(),
        escalates_at: Some(at(250)),
        incidents: vec!["INC-204 slow carts (sev 2)".into()],
        alerts: vec![
            AlertRow {
                name: "CheckoutLatencyHigh".into(),
                service: Some("checkout".into()),
                mark: Mark::new("firing", Tone::Fail),
                since: Some(at(-180)),
                until: None,
            },
            AlertRow {
                name: "DiskFull".into(),
                service: None,
                mark: Mark::new("silenced", Tone::Plain),
                since: Some(at(-9000)),
                until: Some(at(5400)),
            },
        ],
        freshness: Some(Freshness::Fresh),
        empty: None,
    }
}

fn journal() -> Vec<JournalLine> {
    let line = |seq, ago: i64, actor: &str, text: &str| JournalLine {
        seq,
        at: at(-ago),
        actor: actor.into(),
        known_by: if actor == "cockpit" {
            "program"
        } else {
            "os user"
        }
        .into(),
        release: Some(RELEASE.into()),
        text: text.into(),
        tone: Tone::Plain,
    };
    vec![
        line(
            56,
            171,
            "cockpit",
            "gate error_rate of checkout after step 3: pass",
        ),
        line(55, 360, "ana", "promoted checkout to 40 %"),
        line(54, 1100, "ana", "contract sealed"),
    ]
}

fn feeds() -> Vec<FeedView> {
    let mut fault = Fault::new(
        FaultKind::Server,
        "503 from argo /api/v1/applications",
        "look at argo's own status",
    );
    fault.retry_at = Some(at(60));
    vec![
        FeedView {
            need: "deployments/search".into(),
            source: "argo".into(),
            what: "deployments of search".into(),
            mark: Mark::new("server error", Tone::Unknown),
            read_at: Some(at(-190)),
            freshness: Freshness::Stale,
            fault: Some(fault),
            feeds_verdict: true,
        },
        FeedView {
            need: "metric/p95/value/60".into(),
            source: "prom".into(),
            what: "P95".into(),
            mark: Mark::new("fresh", Tone::Pass),
            read_at: Some(at(-12)),
            freshness: Freshness::Fresh,
            fault: None,
            feeds_verdict: true,
        },
    ]
}

fn permits() -> BTreeMap<String, Permission> {
    let rollback = Permit {
        action: "rollback".into(),
        title: "Roll back checkout in PRODUCTION".into(),
        service: Some("checkout".into()),
        environment: Some("production".into()),
        from: Some("2.14.0".into()),
        to: Some("2.13.4".into()),
        effects: vec![
            "switch auto-sync off in argo".into(),
            "roll checkout back to 2.13.4".into(),
        ],
        warnings: vec![],
        danger: Danger::High,
        typed: Some("checkout".into()),
        inputs: vec![],
        basis: "b4s1s".into(),
        expected: Some(240),
    };
    let mut refusal = Refusal::new("gate/checkout/p95", "gate p95 after step 3 is undecided")
        .way_out("wait, or accept it with a reason");
    refusal.owner = Some("ana".into());
    refusal.until = Some(at(240));
    [
        ("rollback".to_owned(), Permission::Granted(rollback)),
        ("promote".to_owned(), Permission::Refused(vec![refusal])),
    ]
    .into()
}

fn debt() -> DebtView {
    let debt = Debt {
        id: "hold/checkout/production".into(),
        what: "auto-sync of checkout is off".into(),
        owner: "ana".into(),
        due: at(78 * 60),
        release: Some(RELEASE.into()),
    };
    DebtView {
        debt,
        overdue: false,
    }
}

/// A canary at 40 %, held by an undecided gate.
pub(crate) fn story() -> Situation {
    Situation {
        format: FORMAT,
        now: now(),
        title: "Shop".into(),
        timezone: chrono_tz::Europe::Berlin,
        band: band(),
        next: NextStep {
            action: "".into(),
            verb: "wait for gate p95".into(),
            why: "n=6 of 10".into(),
            expected: Some(240),
        },
        current: Some(RELEASE.into()),
        releases: vec![release()],
        clearance: Default::default(),
        calendar: calendar(),
        deployments: deployments(),
        line: None,
        checklist: checklist(),
        metrics: metrics(),
        gates: gates(),
        step_verdict: crate::domain::verdict::Verdict::undecided("n=6 of 10", 6),
        triggers: triggers(),
        passports: vec![passport()],
        plan: None,
        oncall: oncall(),
        watch: None,
        journal: journal(),
        head: (
            56,
            "77aa01b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4d5e6f708192a3b4c5d6e7".into(),
        ),
        debts: vec![debt()],
        handoff: None,
        feeds: feeds(),
        permits: permits(),
        evidence: BTreeMap::new(),
        troubles: vec![],
        owed: vec![],
        counting: Vec::new(),
    }
}

fn plan() -> PlanView {
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
    let back = StepKind::Act {
        act: act(Verb::Rollback),
        from: "2.14.0".into(),
        to: "2.13.4".into(),
    };
    PlanView {
        plan: Plan {
            id: format!("rollback/{RELEASE}/1"),
            release: RELEASE.into(),
            reason: "P95 over 800 ms for 5 m".into(),
            tripped_at: Some(at(-40)),
            steps: vec![
                step(
                    "hold",
                    "switch auto-sync off",
                    StepKind::Hold {
                        act: act(Verb::Hold),
                    },
                ),
                step("rollback", "go back to 2.13.4", back),
                step(
                    "clear",
                    "wait until the triggers are clear",
                    StepKind::AwaitClear,
                ),
            ],
        },
        started: at(-20),
        states: [
            (
                "checkout/hold".to_owned(),
                (StepState::Confirmed, "argo says automated: null".to_owned()),
            ),
            (
                "checkout/rollback".to_owned(),
                (StepState::Asked, "sent to argo".to_owned()),
            ),
        ]
        .into(),
        times: [
            ("checkout/hold".to_owned(), at(-18)),
            ("checkout/rollback".to_owned(), at(-12)),
        ]
        .into(),
        ended: None,
        stuck: None,
        times_to: (Some(20), None, None),
    }
}

/// The trigger tripped and the rollback runs; the release is being handed over.
pub(crate) fn rolling_back() -> Situation {
    let mut s = story();
    s.band.advice = Advice::RollingBack;
    s.band.reasons = vec![Reason {
        text: "P95 over 800 ms for 5 m".into(),
        evidence: None,
    }];
    for t in &mut s.triggers {
        t.tripped = true;
        t.tripped_at = Some(at(-40));
        t.mark = Mark::new("tripped", Tone::Fail);
        t.distance = "910 ms of 800 ms, 5 m of 5 m".into();
    }
    s.plan = Some(plan());
    s.band.countdown = Some(Countdown {
        what: "roll back checkout".into(),
        ends_real: at(45),
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
                    id: "debt/hold".into(),
                    text: "auto-sync is off, due 18:00".into(),
                },
                true,
            ),
        ],
    });
    s
}

/// The watch after the last step; one checkpoint passed, one is late and undecided.
pub(crate) fn watching() -> Situation {
    let mut s = story();
    s.band.flags.clear();
    s.band.phase = Some(Phase::Watching);
    s.band.advice = Advice::Watching;
    s.band.reasons = vec![Reason {
        text: "next checkpoint T+1 h at 17:30".into(),
        evidence: None,
    }];
    let point = |after: u64, mark: Mark, note: &str| CheckpointView {
        after,
        due: at(i64::try_from(after).unwrap() - 720),
        mark,
        note: note.into(),
    };
    s.watch = Some(WatchView {
        since: at(-720),
        until: at(86_400 - 720),
        checkpoints: vec![
            point(300, pass(), ""),
            point(1800, undecided(), "late; 12 of 400 requests"),
            point(3600, Mark::new("ahead", Tone::Plain), "at 17:30"),
        ],
        suspects: Vec::new(),
        so_far: "1 of 3 checkpoints passed, 1 undecided".into(),
        end: None,
        lapsed: false,
    });
    if let Some(d) = s.debts.first_mut() {
        d.overdue = true;
    }
    s
}

/// Nothing is connected, nothing is planned.
pub(crate) fn empty() -> Situation {
    let empty = "nobody is on call: add [oncall] to cockpit.toml or a connection that reads one";
    Situation {
        band: Band {
            environment: "no environment".into(),
            armed: "auto off".into(),
            ..Band::default()
        },
        next: NextStep {
            action: "plan".into(),
            verb: "plan a release".into(),
            why: "none is planned".into(),
            expected: None,
        },
        current: None,
        releases: vec![],
        clearance: Default::default(),
        calendar: CalendarView {
            state: Mark::new("unknown", Tone::Unknown),
            ..CalendarView::default()
        },
        deployments: vec![],
        line: None,
        checklist: ChecklistView::default(),
        metrics: vec![],
        gates: vec![],
        triggers: vec![],
        passports: vec![],
        oncall: OncallView {
            empty: Some(empty.into()),
            ..OncallView::default()
        },
        journal: vec![],
        head: (0, String::new()),
        debts: vec![],
        feeds: vec![],
        permits: BTreeMap::new(),
        troubles: vec!["cockpit.toml names no connection".into()],
        ..story()
    }
}

/// The policy beside [`story`]: one service with a runbook and a dashboard.
pub(crate) fn policy() -> Policy {
    let service = Service {
        name: "checkout".into(),
        team: Some("shop".into()),
        depends_on: vec![],
        deployments: Some("argo".into()),
        commits: None,
        builds: None,
        registry: None,
        image: None,
        target: BTreeMap::new(),
        slo: BTreeMap::new(),
        runbook: Some("https://wiki.example/checkout".into()),
        dashboards: vec!["https://grafana.example/d/checkout".into()],
        gates: vec![],
        triggers: vec![],
        irreversible: vec![],
        fought_by: None,
    };
    Policy {
        digest: "d1".into(),
        file: "cockpit.toml".into(),
        title: "Shop".into(),
        timezone: chrono_tz::Europe::Berlin,
        demo: None,
        environments: vec![Environment {
            name: "production".into(),
            protected: true,
            exclusive: false,
        }],
        connections: BTreeMap::new(),
        metrics: vec![],
        services: vec![service],
        windows: vec![],
        freezes: vec![],
        calendars: vec![],
        approvals: BTreeMap::new(),
        approval_records: None,
        risk: Default::default(),
        people: BTreeMap::new(),
        checklist: vec![],
        notify: Default::default(),
        oncall: OncallPolicy {
            release_manager: Some("rosa".into()),
            ack_within: 300,
            ..OncallPolicy::default()
        },
        releases: vec![],
        limits: Limits::default(),
        keys: BTreeMap::new(),
    }
}

/// A situation and where its free texts stand: every string that is no enumerated word and no time.
pub(crate) struct Ground {
    value: serde_json::Value,
    paths: Vec<String>,
}

impl Ground {
    pub(crate) fn of(s: &Situation) -> Self {
        Self {
            value: serde_json::to_value(s).unwrap(),
            paths: free_texts(s),
        }
    }

    /// The situation with each of them replaced, keys that are shown as well.
    pub(crate) fn with(&self, text: &str) -> Situation {
        let mut value = self.value.clone();
        for path in &self.paths {
            *value.pointer_mut(path).unwrap() = text.into();
        }
        let mut out: Situation = serde_json::from_value(value).unwrap();
        out.permits = out
            .permits
            .into_iter()
            .map(|(k, v)| (format!("{k} {text}"), v))
            .collect();
        for r in &mut out.releases {
            r.commits = [(text.to_owned(), vec![text.to_owned()])].into();
        }
        out
    }
}

/// All situations of this file.
pub(crate) static GROUNDS: std::sync::LazyLock<Vec<Ground>> = std::sync::LazyLock::new(|| {
    [story(), rolling_back(), watching(), empty()]
        .iter()
        .map(Ground::of)
        .collect()
});

/// Pointers to the strings that may be anything.
fn free_texts(s: &Situation) -> Vec<String> {
    let value = serde_json::to_value(s).unwrap();
    let mut all = Vec::new();
    collect(&value, &mut String::new(), &mut all);
    all.retain(|path| {
        let mut tried = value.clone();
        *tried.pointer_mut(path).unwrap() = "anything at all".into();
        serde_json::from_value::<Situation>(tried).is_ok()
    });
    all
}

fn collect(value: &serde_json::Value, path: &mut String, out: &mut Vec<String>) {
    let mut into = |key: String, child: &serde_json::Value, out: &mut Vec<String>| {
        let before = path.len();
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        collect(child, path, out);
        path.truncate(before);
    };
    match value {
        serde_json::Value::String(_) => out.push(path.clone()),
        serde_json::Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(i, v)| into(i.to_string(), v, out)),
        serde_json::Value::Object(map) => map.iter().for_each(|(k, v)| into(k.clone(), v, out)),
        _ => {}
    }
}
