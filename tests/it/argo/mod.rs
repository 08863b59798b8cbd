//! A rollback by the program itself against an Argo CD that keeps its contract and misbehaves: each ends in the one right outcome,
//! and the rollback is asked for once.

mod flights;
mod programs;
mod reload;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use cockpit::app::port::{Fact, Order};
use cockpit::domain::contract;
use cockpit::domain::event::{Body, StepState};
use cockpit::domain::situation::{Permission, PlanView, Refusal, Request, Situation};
use cockpit::domain::time::{Clock, Now};
use cockpit::runtime::engine::{Engine, Start};
use cockpit::runtime::journal::{Author, encode};
use cockpit::runtime::load::{Place, load_file};
use cockpit::store::{Append, NewEvent, OpenOptions, Store};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::fake::{Fake, Says, Seen};

/// World seconds a real second: two minutes without a trace are six seconds.
const SPEED: f64 = 20.0;
/// As long as anything is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

const METRIC: &str = r#"[connections.prom]
connector = "prometheus"
url = "URL"
[metrics.error_rate]
connection = "prom"
kind = "ratio"
by = { service = "service" }
numerator = "sum by (service) (increase(bad[$bucket]))"
denominator = "sum by (service) (increase(all[$bucket]))"
"#;
const TRIGGER: &str = r#"[[service.trigger]]
metric = "error_rate"
above = "5%"
window = "1m"
for = "1m"
then = "propose"
"#;

/// A clock that runs faster.
struct Fast {
    start: Instant,
    base: DateTime<Utc>,
}

impl Clock for Fast {
    fn now(&self) -> Now {
        let gone = self.start.elapsed();
        let scaled = chrono::Duration::from_std(gone.mul_f64(SPEED)).unwrap();
        Now {
            world: self.base + scaled,
            real: self.base + chrono::Duration::from_std(gone).unwrap(),
        }
    }
    fn speed(&self) -> f64 {
        SPEED
    }
}

/// What goes wrong with the rollback.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    /// The answer takes its time.
    Slow,
    /// Another operation is running (409).
    Conflict,
    /// Auto-sync is put back on as soon as it is held.
    AutoSyncOn,
    /// Done, and the connection ends without an answer.
    DiesAfter,
    /// The connection ends, and nothing was done.
    DiesBefore,
    /// Done, and answered twice: yes, then no.
    Twice,
    /// Done, and the old version does not come up.
    NeverServes,
}

/// The commit that a version was deployed from.
fn revision(version: &str) -> String {
    format!("{:0<40}", version.replace('.', "c"))
}

/// The application as Argo CD holds it.
struct App {
    version: String,
    wanted: String,
    automated: Value,
    history: Vec<(u64, String)>,
    wrong: Wrong,
    /// It follows a branch: its source names no version.
    branch: bool,
    health: &'static str,
    clock: Arc<Fast>,
    /// When the good version was back, Unix seconds.
    back: Option<i64>,
    /// What happens as an act arrives.
    arrives: Option<Arrives>,
}

/// Told an act's method, and whether it was performed; says whether it is to be.
type Arrives = Box<dyn FnMut(&str, bool) -> bool + Send>;

impl App {
    fn json(&self, at: &str) -> Value {
        let history: Vec<Value> = self
            .history
            .iter()
            .map(|(id, version)| {
                let source = if self.branch { "main" } else { version.as_str() };
                json!({ "id": id, "revision": revision(version), "deployedAt": at, "source": { "targetRevision": source } })
            })
            .collect();
        json!({
            "metadata": { "name": "checkout", "uid": "u1", "namespace": "argocd", "labels": { "environment": "production" } },
            "spec": { "source": { "targetRevision": if self.branch { "main" } else { self.wanted.as_str() } }, "syncPolicy": { "automated": self.automated } },
            "status": {
                "sync": { "status": "Synced", "revision": revision(&self.wanted) },
                "health": { "status": self.health, "lastTransitionTime": at },
                "summary": { "images": [format!("shop/checkout:{}", self.version)] },
                "history": history,
                "operationState": { "phase": "Succeeded", "startedAt": at, "finishedAt": at },
            },
        })
    }

    fn roll_back(&mut self, id: u64) -> Says {
        let refuse = |code: u16, why: &str| {
            Says::status(
                code,
                json!({ "error": why, "code": 9, "message": why }).to_string(),
            )
        };
        if !self.automated.is_null() {
            return refuse(
                400,
                "rollback cannot be initiated when auto-sync is enabled",
            );
        }
        match self.wrong {
            Wrong::Conflict => return refuse(409, "another operation is already in progress"),
            Wrong::DiesBefore => return Says::Close,
            _ => {}
        }
        let Some(version) = self
            .history
            .iter()
            .find(|(i, _)| *i == id)
            .map(|(_, v)| v.clone())
        else {
            return refuse(404, "history entry not found");
        };
        let next = self.history.last().unwrap().0 + 1;
        self.history.push((next, version.clone()));
        self.version = version;
        self.back = Some(self.clock.now().world.timestamp());
        if self.wrong == Wrong::NeverServes {
            self.health = "Progressing";
        }
        let yes = Says::json(&self.json("2026-11-20T10:00:00Z"));
        match self.wrong {
            Wrong::Slow => Says::Late(Duration::from_millis(1500), Box::new(yes)),
            Wrong::DiesAfter => Says::Close,
            Wrong::Twice => {
                let no = refuse(409, "another operation is already in progress");
                Says::Twice(Box::new(yes), Box::new(no))
            }
            _ => yes,
        }
    }

    /// What Prometheus would say: one error in a hundred, and one in five while the bad version serves.
    fn series(&self, seen: &Seen) -> Value {
        let form: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(seen.path.split_once('?').unwrap().1.as_bytes())
                .into_owned()
                .collect();
        let number = |key: &str| form[key].parse::<f64>().unwrap() as i64;
        let (start, end, step) = (number("start"), number("end"), number("step"));
        let since = (self.clock.base - chrono::Duration::minutes(20)).timestamp();
        let value = |t: i64| {
            let bad = t > since && self.back.is_none_or(|b| t <= b);
            let errors = if bad { 20 } else { 1 };
            step * if form["query"].contains("bad") {
                errors
            } else {
                100
            } / 10
        };
        let values: Vec<Value> = (0..=(end - start) / step)
            .map(|i| start + i * step)
            .map(|t| json!([t, value(t).to_string()]))
            .collect();
        let series = json!({ "metric": { "service": "checkout" }, "values": values });
        json!({ "status": "success", "data": { "resultType": "matrix", "result": [series] } })
    }

    fn answer(&mut self, seen: &Seen) -> Says {
        if !self.arrived(seen, false) {
            return Says::Close;
        }
        let says = self.performed(seen);
        self.arrived(seen, true);
        says
    }

    fn arrived(&mut self, seen: &Seen, performed: bool) -> bool {
        let arrives = self.arrives.as_mut().filter(|_| seen.method != "GET");
        arrives.is_none_or(|arrives| arrives(&seen.method, performed))
    }

    fn performed(&mut self, seen: &Seen) -> Says {
        let path = seen.path.split('?').next().unwrap();
        let now = "2026-11-20T10:00:00Z";
        match (seen.method.as_str(), path) {
            ("GET", "/api/v1/applications") => Says::json(&json!({ "items": [self.json(now)] })),
            ("GET", "/api/v1/applications/checkout") => Says::json(&self.json(now)),
            ("GET", "/api/v1/stream/applications") => Says::status(404, "{}"),
            ("PATCH", _) => {
                let patch: Value =
                    serde_json::from_str(seen.json()["patch"].as_str().unwrap()).unwrap();
                if self.wrong != Wrong::AutoSyncOn {
                    self.automated = patch["spec"]["syncPolicy"]["automated"].clone();
                }
                Says::json(&self.json(now))
            }
            ("GET", "/api/v1/query_range") => Says::json(&self.series(seen)),
            ("POST", "/api/v1/applications/checkout/rollback") => {
                self.roll_back(seen.json()["id"].as_u64().unwrap())
            }
            _ => Says::status(404, "{}"),
        }
    }
}

/// A folder, a cockpit.toml, an Argo CD.
struct Flight {
    folder: tempfile::TempDir,
    fake: Fake,
    app: Arc<Mutex<App>>,
    clock: Arc<Fast>,
    /// With a metric and a trigger on it.
    measured: bool,
}

impl Flight {
    async fn new(wrong: Wrong) -> Self {
        Self::with(wrong, false).await
    }

    async fn with(wrong: Wrong, measured: bool) -> Self {
        let clock = Arc::new(Fast {
            start: Instant::now(),
            base: Utc::now(),
        });
        let app = Arc::new(Mutex::new(App {
            version: "2.14.0".into(),
            wanted: "2.14.0".into(),
            automated: json!({ "prune": true, "selfHeal": true }),
            history: vec![(11, "2.13.4".into()), (12, "2.14.0".into())],
            wrong,
            branch: false,
            health: "Healthy",
            clock: clock.clone(),
            back: None,
            arrives: None,
        }));
        let shared = app.clone();
        let fake = Fake::start(move |seen| shared.lock().unwrap().answer(seen)).await;
        let flight = Self {
            folder: tempfile::tempdir().unwrap(),
            fake,
            app,
            clock,
            measured,
        };
        std::fs::write(flight.file(), flight.toml()).unwrap();
        flight.seed(None).await;
        flight
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cockpit.toml")
    }

    fn toml(&self) -> String {
        let planned = (self.clock.base - chrono::Duration::minutes(20)).format("%Y-%m-%dT%H:%M:%S");
        let user = std::env::var("USER")
            .or_else(|_| std::env::var("LOGNAME"))
            .unwrap_or_else(|_| "unknown".into());
        format!(
            r#"title = "argo"
timezone = "UTC"
[environments.production]
[connections.argo]
connector = "argocd"
url = "{url}"
token = "command:echo hush-hush"
{metric}[defaults]
deployments = "argo"
[people]
me = {{ os = "{user}", roles = ["driver"] }}
[[service]]
name = "checkout"
team = "shop"
{trigger}[[release]]
id = "shop-47"
title = "checkout"
environment = "production"
driver = "me"
author = "me"
planned = {planned}
length = "1h"
changes = [{{ service = "checkout", from = "2.13.4", to = "2.14.0", reversible = true }}]
"#,
            url = self.fake.url(),
            metric = if self.measured {
                METRIC.replace("URL", &self.fake.url())
            } else {
                String::new()
            },
            trigger = if self.measured { TRIGGER } else { "" },
        )
    }

    fn place(&self) -> Place {
        let mut place = Place {
            config: Some(self.file()),
            data_dir: Some(self.folder.path().join("data")),
            ..Place::default()
        };
        let loaded = load_file(&place, &self.file()).unwrap();
        place.trust = Some(loaded.subject.digest);
        place
    }

    /// The old version earned healthy here; the contract was sealed, and the new version was seen.
    async fn seed(&self, revision: Option<String>) {
        let place = self.place();
        let policy = load_file(&place, &self.file()).unwrap().policy;
        let contract = contract::of(&policy, policy.release("shop-47").unwrap());
        let bodies = [
            Body::EarnedHealthy {
                service: "checkout".into(),
                environment: "production".into(),
                version: "2.13.4".into(),
                revision,
            },
            Body::ContractSealed {
                digest: contract::digest(&contract),
                contract,
            },
        ];
        let author = Author {
            actor: "me".into(),
            known_by: "os user".into(),
            host: "here".into(),
        };
        let at = self.clock.base - chrono::Duration::minutes(30);
        let events: Vec<NewEvent> = bodies
            .iter()
            .map(|body| encode(body, &author, Some("shop-47"), at, None).unwrap())
            .collect();
        let store = Store::open(&self.folder.path().join("data"), OpenOptions::default())
            .await
            .unwrap();
        let append = Append {
            events,
            ..Append::default()
        };
        store.append(append).await.unwrap();
        store.close().await;
    }

    /// How often the rollback was asked for.
    fn asked(&self) -> usize {
        let posts = self.fake.seen();
        posts.iter().filter(|s| s.method == "POST").count()
    }
}

/// A running cockpit.
struct Cockpit {
    orders: UnboundedSender<Order>,
    facts: UnboundedReceiver<Fact>,
    latest: Option<Arc<Situation>>,
    task: tokio::task::JoinHandle<()>,
}

impl Cockpit {
    async fn start(flight: &Flight) -> Self {
        let (facts_tx, facts) = unbounded_channel();
        let (orders, orders_rx) = unbounded_channel();
        let start = Start {
            place: flight.place(),
            text: None,
            world: None,
            clock: flight.clock.clone(),
            acts: true,
        };
        let (engine, inbox) = Engine::open(start, facts_tx).await.unwrap();
        let task = tokio::spawn(engine.run(inbox, orders_rx));
        Self {
            orders,
            facts,
            latest: None,
            task,
        }
    }

    /// Waits for a situation of which that can be said.
    async fn until<T>(&mut self, what: &str, look: impl Fn(&Situation) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = self.latest.as_deref().and_then(&look) {
                    return found;
                }
                if let Fact::Assessed(situation) = self.facts.recv().await.expect("it runs") {
                    self.latest = Some(situation);
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!(
                "{what} did not come: {:?}",
                self.latest
                    .as_ref()
                    .map(|s| (&s.plan, s.permits.get("rollback")))
            ),
        }
    }

    /// The confirmed wish to roll back, as the dialog would send it.
    async fn wish(&mut self) -> Request {
        let permit = self
            .until("the permit to roll back", |s| {
                match s.permits.get("rollback") {
                    Some(Permission::Granted(permit)) if permit.to.as_deref() == Some("2.13.4") => {
                        Some(permit.clone())
                    }
                    _ => None,
                }
            })
            .await;
        let mut inputs: std::collections::BTreeMap<String, String> = permit
            .inputs
            .iter()
            .map(|i| (i.key.clone(), "it hurts".to_owned()))
            .collect();
        inputs.extend(permit.typed.map(|word| ("typed".to_owned(), word)));
        Request {
            action: permit.action,
            basis: permit.basis,
            inputs,
        }
    }

    fn order(&self, request: Request) {
        self.orders.send(Order::Act { seq: 1, request }).unwrap();
    }

    /// The refusal of an order.
    async fn refusal(&mut self) -> Vec<Refusal> {
        let waiting = async {
            loop {
                if let Fact::Done { result, .. } = self.facts.recv().await.expect("it runs") {
                    return result;
                }
            }
        };
        let result = tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("no answer to the order");
        result.expect_err("the order was not refused")
    }

    async fn ended(&mut self) -> PlanView {
        self.until("the plan's end", |s| {
            s.plan.clone().filter(|p| p.ended.is_some())
        })
        .await
    }

    async fn stop(self) {
        let _ = self.orders.send(Order::Shutdown);
        let _ = tokio::time::timeout(PATIENCE, self.task).await;
    }
}

fn state(plan: &PlanView, step: &str) -> StepState {
    plan.states
        .get(step)
        .map(|(state, _)| *state)
        .unwrap_or(StepState::Waiting)
}

/// Rolls back against an Argo CD with that fault.
async fn flown(wrong: Wrong) -> (PlanView, Flight) {
    let flight = Flight::new(wrong).await;
    let mut cockpit = Cockpit::start(&flight).await;
    let request = cockpit.wish().await;
    cockpit.order(request);
    let plan = cockpit.ended().await;
    cockpit.stop().await;
    (plan, flight)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_back_once_whatever_the_answer_is_like() {
    for wrong in [Wrong::Nothing, Wrong::Slow, Wrong::DiesAfter, Wrong::Twice] {
        let (plan, flight) = flown(wrong).await;
        assert!(plan.ended.as_ref().unwrap().0, "{wrong:?}: {plan:#?}");
        assert_eq!(flight.asked(), 1, "{wrong:?}");
        assert_eq!(
            state(&plan, "checkout/rollback"),
            StepState::Confirmed,
            "{wrong:?}"
        );
        let app = flight.app.lock().unwrap();
        assert_eq!(app.version, "2.13.4", "{wrong:?}");
        // Git still asks for the bad version: auto-sync stays off, as a debt.
        assert!(app.automated.is_null(), "{wrong:?}");
        assert_eq!(
            state(&plan, "checkout/restore"),
            StepState::Deferred,
            "{wrong:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_the_plan_and_is_not_repeated() {
    for wrong in [Wrong::Conflict, Wrong::AutoSyncOn] {
        let (plan, flight) = flown(wrong).await;
        let (done, why) = plan.ended.clone().unwrap();
        assert!(!done, "{wrong:?}: {why}");
        assert!(flight.asked() <= 1, "{wrong:?}");
        assert_eq!(flight.app.lock().unwrap().version, "2.14.0", "{wrong:?}");
        let part = match wrong {
            Wrong::Conflict => "another operation",
            _ => "auto-sync",
        };
        assert!(why.contains(part), "{wrong:?}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_no_trace_did_not_happen_and_is_not_sent_again() {
    let (plan, flight) = flown(Wrong::DiesBefore).await;
    let (done, why) = plan.ended.clone().unwrap();
    assert!(!done && why.contains("refused"), "{why}");
    assert_eq!(flight.asked(), 1);
    assert_eq!(flight.app.lock().unwrap().version, "2.14.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_moved_is_refused_before_anything_is_sent() {
    let flight = Flight::new(Wrong::Nothing).await;
    let mut cockpit = Cockpit::start(&flight).await;
    let request = cockpit.wish().await;
    {
        let mut app = flight.app.lock().unwrap();
        app.history.push((13, "2.15.0".into()));
        app.version = "2.15.0".into();
        app.wanted = "2.15.0".into();
    }
    cockpit.order(request);
    let refusals = cockpit.refusal().await;
    assert!(!refusals.is_empty());
    assert_eq!(flight.asked(), 0, "{refusals:?}");
    cockpit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cockpits_that_press_at_once_ask_once() {
    let flight = Flight::new(Wrong::Nothing).await;
    let mut one = Cockpit::start(&flight).await;
    let mut two = Cockpit::start(&flight).await;
    let (a, b) = (one.wish().await, two.wish().await);
    one.order(a);
    two.order(b);
    assert!(one.ended().await.ended.unwrap().0);
    assert!(two.ended().await.ended.unwrap().0);
    one.stop().await;
    two.stop().await;
    assert_eq!(flight.asked(), 1);
    let holds = flight
        .fake
        .seen()
        .iter()
        .filter(|s| s.method == "PATCH")
        .count();
    assert_eq!(holds, 1);
}
