//! A small world for the tests of the rules: a policy, a journal, observations, and vendors that do what they are asked.
//! The benches include this file too, so it names everything by its full path.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Duration};
use serde_json::json;

use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::assess::assess;
use crate::domain::event::{Body, Event, StepState};
use crate::domain::journal::Journal;
use crate::domain::needs::needs;
use crate::domain::observe::{Feed, Observation, Observed, SeriesKey, Subject};
use crate::domain::orders::decide;
use crate::domain::policy::*;
use crate::domain::record::*;
use crate::domain::rules::Rules;
use crate::domain::situation::{Duty, Permission, Permit, Refusal, Request, Situation, Task};
use crate::domain::time::{Instant, Now};

pub const RELEASE: &str = "shop-47";
pub const OLD: &str = "2.13.9";
pub const NEW: &str = "2.14.0";

pub fn at(text: &str) -> Instant {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// A Tuesday, inside the window.
pub fn tuesday() -> Instant {
    at("2026-11-17T14:00:00+01:00")
}

fn connection(name: &str, reads: &[(RecordKind, u64)], verbs: &[Verb]) -> Connection {
    Connection {
        name: name.into(),
        connector: format!("{name}-connector"),
        settings: BTreeMap::new(),
        every: None,
        reads: reads
            .iter()
            .map(|(kind, every)| {
                let offer = ReadOffer {
                    kind: *kind,
                    every: *every,
                };
                (format!("{kind:?}").to_lowercase(), offer)
            })
            .collect(),
        verbs: verbs.to_vec(),
        settles: 0,
        rollback_by_history: false,
    }
}

pub fn metric(id: &str, kind: MetricKind) -> Metric {
    let ratio = kind == MetricKind::Ratio;
    let query = |part: &str| Some(format!("{part} of {id}"));
    Metric {
        id: id.into(),
        title: id.into(),
        connection: "metrics".into(),
        kind,
        direction: Direction::LowerIsBetter,
        service_label: "service".into(),
        group_label: Some("group".into()),
        canary: Some("canary".into()),
        stable: Some("stable".into()),
        numerator: if ratio { query("bad") } else { None },
        denominator: if ratio { query("all") } else { None },
        query: if ratio { None } else { query("value") },
        unit: if ratio { Unit::Percent } else { Unit::Seconds },
        decides: false,
        shared_noise: false,
        every: 60,
    }
}

pub fn trigger(limit: Limit, metric: &str, hold_for: u64, then: Then) -> Trigger {
    Trigger {
        id: format!("{metric}>{limit:?}"),
        metric: metric.into(),
        above: true,
        limit,
        window: 300,
        hold_for,
        then,
        burn: Vec::new(),
    }
}

pub fn service(name: &str, depends_on: &[&str]) -> Service {
    Service {
        name: name.into(),
        team: Some("shop".into()),
        depends_on: depends_on.iter().map(|s| (*s).to_owned()).collect(),
        deployments: Some("cd".into()),
        commits: Some("git".into()),
        builds: Some("git".into()),
        registry: Some("registry".into()),
        image: Some(format!("shop/{name}")),
        target: BTreeMap::new(),
        slo: BTreeMap::from([("p95".to_owned(), 0.8)]),
        runbook: Some("https://wiki.example/runbook".into()),
        dashboards: vec!["https://graphs.example".into()],
        gates: vec![Gate {
            id: "step".into(),
            after: After::Step,
            metrics: vec!["error_rate".into()],
            critical: true,
            tolerance: 1.5,
        }],
        triggers: vec![
            trigger(Limit::Baseline(2.0), "error_rate", 300, Then::Propose),
            trigger(Limit::Slo, "p95", 300, Then::Notify),
        ],
        irreversible: Vec::new(),
        fought_by: None,
    }
}

pub fn change(service: &str, to: &str) -> Change {
    Change {
        service: service.into(),
        from: None,
        to: to.into(),
        kind: ChangeKind::Version,
        reversible: Reversible::Yes,
    }
}

pub fn release(id: &str, changes: Vec<Change>) -> Release {
    Release {
        id: id.into(),
        title: format!("Shop {id}"),
        environment: "production".into(),
        planned: Some(tuesday()),
        length: Some(1800),
        driver: Some("ana".into()),
        author: Some("ben".into()),
        changes,
        purpose: Purpose::Regular,
        significant: false,
        risk: RiskClass::Normal,
        failure_modes: vec!["baskets are lost".into()],
        deadlines: Default::default(),
        depends_on: Vec::new(),
    }
}

pub fn item(id: &str, section: Section, check: Check) -> ChecklistItem {
    ChecklistItem {
        id: id.into(),
        section,
        title: id.into(),
        check,
        shelf_life: 12 * 3600,
    }
}

fn person(os: &str, vendor: &str, roles: &[&str]) -> Person {
    Person {
        os: vec![os.into()],
        vendor: vec![vendor.into()],
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
    }
}

/// checkout (needs payments), production and staging, open Monday to Friday 9 to 17.
pub fn policy() -> Policy {
    use RecordKind as K;
    use Verb as V;
    let steer = [
        V::Deploy,
        V::Rollback,
        V::Promote,
        V::Abort,
        V::Pause,
        V::Resume,
        V::Hold,
        V::ReleaseHold,
    ];
    let connections = [
        connection("cd", &[(K::Deployment, 15)], &steer),
        connection("metrics", &[(K::Series, 60)], &[]),
        connection("chat", &[(K::Reaction, 30)], &[V::PostMessage]),
        connection(
            "pager",
            &[(K::Oncall, 300), (K::Alert, 30), (K::Incident, 60)],
            &[V::CreateIncident],
        ),
        connection("git", &[(K::Commit, 300), (K::Build, 60)], &[]),
        connection("registry", &[(K::Artifact, 300)], &[]),
        connection("ical", &[(K::Event, 300)], &[]),
    ];
    Policy {
        digest: "policy".into(),
        file: "cockpit.toml".into(),
        title: "Shop".into(),
        timezone: chrono_tz::Europe::Berlin,
        demo: None,
        environments: vec![
            Environment {
                name: "staging".into(),
                protected: false,
                exclusive: false,
            },
            Environment {
                name: "production".into(),
                protected: true,
                exclusive: false,
            },
        ],
        connections: connections
            .into_iter()
            .map(|c| (c.name.clone(), c))
            .collect(),
        metrics: vec![
            metric("error_rate", MetricKind::Ratio),
            metric("p95", MetricKind::Quantile),
        ],
        services: vec![service("checkout", &["payments"]), service("payments", &[])],
        windows: vec![
            serde_json::from_value(json!({
                "name": "office hours", "timezone": "Europe/Berlin", "owner": "release team",
                "scope": { "environments": ["production"] },
                "schedule": { "kind": "weekly", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00" },
            }))
            .unwrap(),
        ],
        freezes: Vec::new(),
        calendars: Vec::new(),
        approvals: BTreeMap::new(),
        approval_records: None,
        risk: RiskTable::default(),
        people: BTreeMap::from([
            ("ana".to_owned(), person("ana", "U-ana", &["release-manager"])),
            ("ben".to_owned(), person("ben", "U-ben", &["service-owner"])),
            ("kai".to_owned(), person("kai", "U-kai", &["service-owner"])),
            ("lou".to_owned(), person("lou", "U-lou", &["release-manager"])),
        ]),
        checklist: vec![
            item("tests", Section::PreDeploy, Check::Manual),
            item("gates", Section::Deploy, Check::Gates),
            item("within", Section::PostDeploy, Check::WithinBaseline),
        ],
        notify: Default::default(),
        oncall: OncallPolicy {
            connection: Some("pager".into()),
            rotations: Vec::new(),
            channels: vec![Channel {
                connection: "chat".into(),
                args: BTreeMap::from([("channel".to_owned(), "#releases".to_owned())]),
            }],
            ack_within: 300,
            release_manager: Some("lou".into()),
        },
        releases: vec![release(RELEASE, vec![change("checkout", NEW)])],
        limits: Limits::default(),
        keys: BTreeMap::new(),
    }
}

/// A freeze over a span, owned by finance.
pub fn freeze(name: &str, from: &str, to: &str) -> crate::domain::window::Freeze {
    serde_json::from_value(json!({
        "name": name, "timezone": "Europe/Berlin", "owner": "finance",
        "schedule": { "kind": "once", "start": from, "end": to },
    }))
    .unwrap()
}

pub fn deployment(service: &str, version: &str) -> Deployment {
    Deployment {
        id: format!("{service}-prod"),
        service: service.into(),
        environment: "production".into(),
        version: version.into(),
        desired: Some(version.into()),
        state: DeployState::Succeeded,
        vendor_state: "Healthy".into(),
        started_at: Some(tuesday() - Duration::days(3)),
        finished_at: Some(tuesday() - Duration::days(3)),
        auto_sync: Some(true),
        hold_field: Some(json!({ "automated": { "prune": true } })),
        history: vec![HistoryEntry {
            id: "7".into(),
            version: OLD.into(),
            at: Some(tuesday() - Duration::days(3)),
            also: Vec::new(),
            revision: None,
        }],
        ..Deployment::default()
    }
}

pub fn oncall(level: u32, person: &str) -> Oncall {
    Oncall {
        level,
        person: person.into(),
        ..Oncall::default()
    }
}

/// The cockpit was killed here.
#[derive(Debug, PartialEq)]
pub struct Crash;

/// What the vendors are like.
#[derive(Clone, Debug, Default)]
pub struct Vendors {
    pub deployments: Vec<Deployment>,
    pub alerts: Vec<Alert>,
    pub oncall: Vec<Oncall>,
    pub builds: Vec<Build>,
    pub commits: Vec<Commit>,
    pub reactions: Vec<Reaction>,
    /// Change records that hold approvals, as a connector brings them.
    pub changes: Vec<serde_json::Value>,
    pub events: BTreeMap<String, Vec<crate::domain::record::Event>>,
    pub absent: BTreeSet<String>,
    pub findings: Vec<serde_json::Value>,
    /// What a check ends with.
    pub exit: i32,
    /// Act id → how often it was performed.
    pub performed: BTreeMap<String, u32>,
    /// Verbs that are answered with a refusal.
    pub refuses: BTreeSet<Verb>,
    /// Verbs that are done but whose answer is lost.
    pub mumbles: BTreeSet<Verb>,
    /// Verbs whose request gets lost on the way, without an answer.
    pub loses: BTreeSet<Verb>,
    /// Verbs that are confirmed and change nothing.
    pub ignores: BTreeSet<Verb>,
    /// Marks cannot be looked up.
    pub forgetful: bool,
    /// Verbs that are confirmed and do not show for a long time.
    pub late: BTreeSet<Verb>,
    /// Every act that was done, in order.
    pub done: Vec<Act>,
}

impl Vendors {
    fn perform(&mut self, act: &Act, now: Instant) -> Outcome {
        *self.performed.entry(act.id.clone()).or_default() += 1;
        if self.refuses.contains(&act.verb) {
            return Outcome::Refused {
                why: "the vendor says no".into(),
            };
        }
        if self.loses.contains(&act.verb) {
            return Outcome::Unknown {
                why: "no answer".into(),
            };
        }
        if !self.late.contains(&act.verb) && !self.ignores.contains(&act.verb) {
            self.apply(act, now);
        }
        self.done.push(act.clone());
        if self.mumbles.contains(&act.verb) {
            return Outcome::Unknown {
                why: "no answer".into(),
            };
        }
        confirmed(&act.id)
    }

    fn apply(&mut self, act: &Act, now: Instant) {
        let text = |key: &str| {
            act.args
                .get(key)
                .and_then(|v| v.as_str())
                .map(str::to_owned)
        };
        let id = text("id").unwrap_or_default();
        let Some(d) = self.deployments.iter_mut().find(|d| d.id == id) else {
            return;
        };
        match act.verb {
            Verb::Deploy => {
                d.previous = Some(d.version.clone());
                d.version = text("version").unwrap();
                d.desired = Some(d.version.clone());
                d.state = DeployState::Paused;
                (d.step, d.steps, d.weight) = (Some(1), Some(3), Some(10.0));
                d.started_at = Some(now);
                d.finished_at = None;
            }
            Verb::Promote if d.weight == Some(10.0) => (d.step, d.weight) = (Some(2), Some(40.0)),
            Verb::Promote => {
                (d.step, d.weight) = (Some(3), Some(100.0));
                d.state = DeployState::Succeeded;
                d.finished_at = Some(now);
            }
            Verb::Rollback => {
                d.previous = Some(d.version.clone());
                d.version = text("version").unwrap();
                d.state = DeployState::Running;
                (d.step, d.weight) = (None, None);
            }
            Verb::PromoteFull => {
                (d.step, d.weight) = (d.steps, Some(100.0));
                d.state = DeployState::Succeeded;
                d.finished_at = Some(now);
            }
            Verb::Retry => {
                (d.step, d.weight) = (Some(1), Some(10.0));
                d.state = DeployState::Paused;
            }
            Verb::Abort => {
                d.version = d.previous.take().unwrap();
                d.state = DeployState::Succeeded;
                (d.step, d.weight) = (None, None);
            }
            Verb::Pause => d.state = DeployState::Paused,
            Verb::Resume => d.state = DeployState::Running,
            Verb::Hold => (d.auto_sync, d.hold_field) = (Some(false), None),
            Verb::ReleaseHold => {
                d.auto_sync = Some(true);
                d.hold_field = act.args.get("field").cloned();
            }
            _ => {}
        }
    }
}

fn confirmed(id: &str) -> Outcome {
    Outcome::Confirmed {
        receipt: Receipt {
            id: Some(format!("vendor-{id}")),
            ..Receipt::default()
        },
    }
}

/// Everything the rules look at, and the engine that does what is owed.
#[derive(Clone)]
pub struct World {
    pub policy: Policy,
    pub journal: Journal,
    pub observed: Observed,
    pub now: Now,
    pub events: Vec<Event>,
    pub keys: BTreeSet<String>,
    pub vendors: Vendors,
    /// Service → requests a minute, share of errors of stable and of canary (or of whatever is new).
    pub traffic: BTreeMap<String, (f64, f64, f64)>,
    /// Crash before the so-manieth write or act from now on.
    pub crash_in: Option<usize>,
    /// Feeds that are not read any more: prefixes of need ids.
    pub silent: Vec<String>,
}

impl Default for World {
    fn default() -> Self {
        Self::new(policy())
    }
}

impl World {
    /// Tuesday 14:00, everything fresh, a week of quiet history; ana sits at the keys and drives.
    pub fn new(policy: Policy) -> Self {
        let now = tuesday();
        let mut w = Self {
            journal: Journal::default(),
            observed: Observed::default(),
            now: Now {
                world: now,
                real: now,
            },
            events: Vec::new(),
            keys: BTreeSet::new(),
            vendors: Vendors {
                deployments: policy
                    .services
                    .iter()
                    .map(|s| deployment(&s.name, OLD))
                    .collect(),
                oncall: vec![oncall(1, "kai"), oncall(2, "lou")],
                commits: vec![Commit {
                    id: "c0ffee00c0ffee".into(),
                    title: "mend the basket".into(),
                    paths: vec!["src/basket.rs".into()],
                    ..Commit::default()
                }],
                ..Vendors::default()
            },
            traffic: policy
                .services
                .iter()
                .map(|s| (s.name.clone(), (6000.0, 0.01, 0.01)))
                .collect(),
            policy,
            crash_in: None,
            silent: Vec::new(),
        };
        w.observed.session.actor = "ana".into();
        w.observed.session.known_by = "os user".into();
        w.observed.session.host = "bridge".into();
        w.observed.session.drives = w.policy.releases.iter().map(|r| r.id.clone()).collect();
        w.history();
        let services: Vec<String> = w.policy.services.iter().map(|s| s.name.clone()).collect();
        for name in services {
            w.healthy(&name, OLD);
        }
        w.read();
        w
    }

    pub fn healthy(&mut self, service: &str, version: &str) {
        self.append_for(
            None,
            Body::EarnedHealthy {
                service: service.into(),
                environment: "production".into(),
                version: version.into(),
                revision: None,
            },
        );
    }

    fn put(&mut self, service: &str, group: &str, part: Part, step: u64, at: i64, value: f64) {
        let metric = if part == Part::Value {
            "p95"
        } else {
            "error_rate"
        };
        let key = SeriesKey {
            metric: metric.into(),
            service: service.into(),
            group: group.into(),
            part,
            step,
        };
        self.observed
            .metrics
            .entry(key)
            .or_default()
            .insert(at, value);
    }

    /// One live bucket of every service that ends at `end`.
    pub fn bucket(&mut self, end: i64) {
        for (service, (volume, stable, canary)) in self.traffic.clone() {
            let d = self
                .vendors
                .deployments
                .iter()
                .find(|d| d.service == service);
            let new = d.is_some_and(|d| d.version != OLD);
            let share = d
                .and_then(|d| d.weight)
                .filter(|_| new)
                .map_or(0.0, |w| w / 100.0);
            // Beyond the canary all of it is new.
            let whole = new && share >= 1.0;
            let groups = [("stable", 1.0 - share, stable), ("canary", share, canary)];
            for (group, part, rate) in groups {
                let (part, rate) = match (whole, group) {
                    (true, "stable") => (1.0, canary),
                    (true, _) => (0.0, canary),
                    _ => (part, rate),
                };
                if part > 0.0 {
                    let total = volume * part;
                    self.put(&service, group, Part::Denominator, 60, end, total);
                    self.put(&service, group, Part::Numerator, 60, end, total * rate);
                    self.put(&service, group, Part::Value, 60, end, 0.2);
                }
            }
        }
    }

    fn history(&mut self) {
        let now = self.now.world.timestamp();
        for i in 0..180 {
            self.bucket(now - i * 60);
        }
        for (service, (volume, stable, _)) in self.traffic.clone() {
            for i in 0..=(7 * 144 + 12) {
                let end = now - i * 600;
                self.put(
                    &service,
                    "stable",
                    Part::Denominator,
                    600,
                    end,
                    volume * 10.0,
                );
                self.put(
                    &service,
                    "stable",
                    Part::Numerator,
                    600,
                    end,
                    volume * 10.0 * stable,
                );
                self.put(&service, "stable", Part::Value, 600, end, 0.2);
            }
        }
    }

    /// Reads everything that is needed, now.
    pub fn read(&mut self) {
        for need in needs(&self.policy, &self.journal, self.now) {
            if self.silent.iter().any(|p| need.id.starts_with(p.as_str())) {
                continue;
            }
            let v = &self.vendors;
            let records = match &need.subject {
                Subject::Deployments { .. } => Records::Deployment(v.deployments.clone()),
                Subject::Metric { .. } => Records::Series(Vec::new()),
                Subject::Alerts => Records::Alert(v.alerts.clone()),
                Subject::Oncall => Records::Oncall(v.oncall.clone()),
                Subject::Incidents => Records::Incident(Vec::new()),
                Subject::Calendar { name } => {
                    Records::Event(v.events.get(name).cloned().unwrap_or_default())
                }
                Subject::Commits { .. } => Records::Commit(v.commits.clone()),
                Subject::Builds { .. } => Records::Build(v.builds.clone()),
                Subject::Artifact { version, .. } => Records::Artifact(vec![Artifact {
                    id: need.id.clone(),
                    version: version.clone(),
                    present: !v.absent.contains(version),
                    digest: Some("sha256:1".into()),
                }]),
                Subject::Approvals { .. } => Records::Other(v.changes.clone()),
                Subject::Reactions { .. } => Records::Reaction(v.reactions.clone()),
                Subject::Item { .. } if need.kind == RecordKind::Finding => {
                    Records::Other(v.findings.clone())
                }
                Subject::Item { .. } => Records::Check(vec![CheckRun {
                    exit: Some(v.exit),
                    output: "fine".into(),
                }]),
            };
            let seen = Observation {
                need: need.id.clone(),
                source: need.call.connection.clone(),
                read_at: self.now.world,
                newest: self.now.world,
                cadence: need.every.max(need.call.lookback.map_or(0, |l| l.step)),
                records,
                partial: None,
            };
            self.observed.feeds.insert(
                need.id.clone(),
                Feed {
                    source: need.call.connection.clone(),
                    last: Some(seen),
                    ..Feed::default()
                },
            );
        }
        if self.observed.rules.is_none() {
            self.compile();
        }
    }

    /// Windows and freezes anew, after policy or calendar changed.
    pub fn compile(&mut self) {
        let rules = Rules::of(&self.policy, &self.observed, self.now);
        self.observed.rules = Some(Arc::new(rules));
    }

    pub fn set_now(&mut self, to: Instant) {
        self.now = Now {
            world: to,
            real: to,
        };
    }

    /// So many minutes pass: traffic flows, everything is read, and the engine does what it owes.
    pub fn minutes(&mut self, count: u32) -> Result<(), Crash> {
        for _ in 0..count {
            self.quiet_minute();
            self.engine()?;
        }
        Ok(())
    }

    /// A minute in which nobody does what is owed.
    pub fn quiet_minute(&mut self) {
        let to = self.now.world + Duration::seconds(60);
        self.set_now(to);
        self.bucket(to.timestamp());
        for d in &mut self.vendors.deployments {
            if d.state == DeployState::Running && d.weight.is_none() {
                d.state = DeployState::Succeeded;
                d.finished_at = Some(to);
            }
        }
        self.read();
    }

    pub fn append(&mut self, body: Body) {
        self.append_for(Some(RELEASE), body);
    }

    pub fn append_for(&mut self, release: Option<&str>, body: Body) {
        self.append_as("ana", release, body);
    }

    pub fn append_as(&mut self, actor: &str, release: Option<&str>, body: Body) {
        let seq = self.events.len() as u64 + 1;
        let event = Event {
            seq,
            at: self.now.world,
            actor: actor.into(),
            known_by: "os user".into(),
            host: "bridge".into(),
            release: release.map(str::to_owned),
            body,
            hash: format!("hash{seq}"),
        };
        self.events.push(event.clone());
        self.journal.apply(event);
    }

    /// The cockpit starts anew: only the journal, the keys in it and the vendors remain.
    pub fn restart(&mut self) {
        self.crash_in = None;
        self.journal = Journal::default();
        for event in &self.events {
            self.journal.apply(event.clone());
        }
        self.read();
    }

    pub fn assess(&self) -> Situation {
        assess(&self.policy, &self.journal, &self.observed, self.now)
    }

    fn point(&mut self) -> Result<(), Crash> {
        match self.crash_in {
            Some(0) => Err(Crash),
            Some(n) => {
                self.crash_in = Some(n - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn write(
        &mut self,
        actor: &str,
        release: Option<&str>,
        bodies: Vec<Body>,
    ) -> Result<(), Crash> {
        self.point()?;
        for body in bodies {
            self.append_as(actor, release, body);
        }
        Ok(())
    }

    /// Does what is owed until nothing is.
    pub fn engine(&mut self) -> Result<(), Crash> {
        for _ in 0..50 {
            let owed = self.assess().owed;
            let before = self.events.len();
            for duty in owed {
                self.duty(duty)?;
            }
            if self.events.len() == before {
                return Ok(());
            }
            self.read();
        }
        panic!("the duties never end: {:#?}", self.assess().owed);
    }

    pub fn duty(&mut self, duty: Duty) -> Result<(), Crash> {
        let release = duty.release.as_deref();
        match duty.task {
            Task::Record { actor, bodies, .. } => {
                if !self.keys.contains(&duty.key) {
                    self.write(&actor, release, bodies)?;
                    self.keys.insert(duty.key);
                }
            }
            Task::Perform { before, act, step } => {
                if !self.keys.contains(&duty.key) {
                    let mut bodies = before;
                    bodies.push(Body::Intended { act: act.clone() });
                    self.write("cockpit", release, bodies)?;
                    self.keys.insert(duty.key);
                    self.point()?;
                    let outcome = self.vendors.perform(&act, self.now.world);
                    self.conclude(release, &act, step, outcome)?;
                }
            }
            Task::Reconcile { act, step } => {
                let outcome = match self.vendors.performed.contains_key(&act.id) {
                    _ if self.vendors.forgetful => return Ok(()),
                    true => confirmed(&act.id),
                    false => Outcome::Refused {
                        why: "the vendor has no trace of it".into(),
                    },
                };
                self.conclude(release, &act, step, outcome)?;
            }
        }
        Ok(())
    }

    fn conclude(
        &mut self,
        release: Option<&str>,
        act: &Act,
        step: Option<(String, String)>,
        outcome: Outcome,
    ) -> Result<(), Crash> {
        let state = match &outcome {
            Outcome::Confirmed { .. } => StepState::Confirmed,
            Outcome::Refused { .. } => StepState::Refused,
            Outcome::Unknown { .. } => StepState::Unknown,
        };
        let detail = outcome.word().to_owned();
        let mut bodies = vec![Body::Concluded {
            act: act.id.clone(),
            outcome,
        }];
        if let Some((plan, step)) = step {
            bodies.push(Body::PlanStepped {
                plan,
                step,
                state,
                detail,
            });
        }
        self.write("cockpit", release, bodies)
    }

    pub fn permit(&self, action: &str) -> Result<Permit, Vec<Refusal>> {
        match self.assess().permits.remove(action) {
            Some(Permission::Granted(p)) => Ok(p),
            Some(Permission::Refused(list)) => Err(list),
            None => Err(Vec::new()),
        }
    }

    /// A request as the dialog would make it: typed word, basis, and every input that is asked.
    pub fn request(&self, action: &str, inputs: &[(&str, &str)]) -> Request {
        let mut request = Request {
            action: action.into(),
            ..Request::default()
        };
        if let Ok(p) = self.permit(action) {
            request.basis = p.basis;
            if let Some(word) = p.typed {
                request.inputs.insert("typed".into(), word);
            }
            for input in p.inputs {
                let value = if let Some(words) = input.expects() {
                    words.to_owned()
                } else if input.default.is_empty() && input.required {
                    "because".to_owned()
                } else {
                    input.default
                };
                request.inputs.insert(input.key, value);
            }
        }
        for (key, value) in inputs {
            request.inputs.insert((*key).into(), (*value).into());
        }
        request
    }

    pub fn decide(&self, request: &Request) -> Result<Vec<Duty>, Vec<Refusal>> {
        let nonce = format!("n{}", self.events.len());
        decide(
            &self.policy,
            &self.journal,
            &self.observed,
            self.now,
            request,
            &nonce,
        )
    }

    /// A person does it, with everything typed.
    pub fn act(&mut self, action: &str, inputs: &[(&str, &str)]) -> Result<(), Vec<Refusal>> {
        let request = self.request(action, inputs);
        let actor = self.observed.session.actor.clone();
        for mut duty in self.decide(&request)? {
            if let Task::Record { actor: a, .. } = &mut duty.task {
                assert_eq!(*a, actor);
            }
            self.duty(duty).unwrap();
        }
        self.read();
        Ok(())
    }

    /// Sealed, ticked, deployed: the canary is at 10 %.
    pub fn deployed() -> Self {
        let mut w = Self::default();
        w.start();
        w
    }

    pub fn start(&mut self) {
        self.act("seal", &[]).unwrap();
        self.act("tick/tests", &[]).unwrap();
        self.act("deploy", &[]).unwrap();
        self.engine().unwrap();
    }

    /// What is sealed and ticked already starts.
    pub fn start_only(&mut self) {
        self.act("deploy", &[]).unwrap();
        self.engine().unwrap();
    }

    /// Deployed and promoted to the end.
    pub fn shipped() -> Self {
        let mut w = Self::deployed();
        for _ in 0..2 {
            w.minutes(12).unwrap();
            w.act("promote", &[]).unwrap();
            w.engine().unwrap();
        }
        w
    }

    pub fn record(&mut self, service: &str) -> &mut Deployment {
        self.vendors
            .deployments
            .iter_mut()
            .find(|d| d.service == service)
            .unwrap()
    }

    /// How often each act was performed, by verb.
    pub fn count(&self, verb: Verb) -> usize {
        self.vendors.done.iter().filter(|a| a.verb == verb).count()
    }
}
