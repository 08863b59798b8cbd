//! Kubernetes: Argo Rollouts and plain Deployments as live records, and the acts on them.
//!
//! Spoken over this program's own HTTP rules, so that a cluster is asked the way every other vendor is: secrets are redacted, answers
//! bounded, "too many requests" heeded, and an act knows how far it got. A kubeconfig (also with client certificates, token files and
//! plugins), a pod's own account, or plain `url` and `token`.

mod acts;
mod analysis;
mod api;
mod config;
mod deployment;
mod exec;
mod plan;
mod rollout;
mod session;
mod shape;
mod watch;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};

use self::api::{Kind, List, Object, Within};
use self::session::{Kubeconfig, Session};
use self::shape::text;
use super::context::{DriverContext, Line};
use super::driver::{Driver, Preview, ReadSpan};
use super::process::beside;
use super::records;
use super::transport::{Options, Redactor};
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::connector::ConnectorSpec;
use crate::domain::diag::Diag;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;
use crate::domain::record::RecordKind;
use crate::domain::text::clean;
use crate::domain::time::{Clock, Instant};

/// Analysis runs looked at in one read; more make it partial.
const MOST_RUNS: usize = 60;
/// How many of them at a time.
const AT_ONCE: usize = 8;

/// Where a cluster is.
enum Place {
    /// At a plain address.
    Address(Box<Line>),
    /// Where a kubeconfig says.
    Config(Kubeconfig, Box<Options>),
}

/// A connection to one cluster.
pub struct Kubernetes {
    name: String,
    place: Place,
    /// As the connection says it: `*` is all namespaces, `None` the context's own.
    namespace: Option<String>,
    selector: Option<String>,
    environment: Option<String>,
    kinds: Vec<Kind>,
    clock: Arc<dyn Clock>,
    redactor: Arc<Redactor>,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
    /// What the last whole read was like.
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    /// From where a watch goes on.
    versions: BTreeMap<Kind, String>,
    /// How long it took.
    took: Duration,
}

impl Kubernetes {
    /// A driver by the connection's settings: `kubeconfig`, `context`, `exec`, `env`, or `url` and `token`; `namespace`, `selector`,
    /// `environment`, `kinds`. Nothing is read or run here.
    ///
    /// # Errors
    /// Settings that contradict each other; a kind that is not known; in a demo file anything but `url`.
    pub fn new(
        connection: &Connection,
        spec: &ConnectorSpec,
        context: &DriverContext,
    ) -> Result<Self, Vec<Diag>> {
        let refuse = |key: &str, what: &str| vec![context.diag(connection, key, what)];
        let kinds = kinds_of(&words(context, "kinds")).map_err(|other| {
            refuse(
                "kinds",
                &format!("{other} is neither rollouts nor deployments"),
            )
        })?;
        let place = if connection.settings.contains_key("url") {
            for key in ["kubeconfig", "context", "exec"] {
                if context.text(key).is_some() {
                    return Err(refuse(key, &format!("give url or {key}, not both")));
                }
            }
            let line = context.line(connection, spec).map_err(|d| vec![d])?;
            Place::Address(Box::new(line))
        } else if context.shared.endpoints.is_some() {
            return Err(refuse("url", "a [demo] file reads no kubeconfig: give url"));
        } else {
            let files: Vec<PathBuf> = context
                .text("kubeconfig")
                .map(|path| beside(&context.shared.file, path))
                .into_iter()
                .collect();
            let from = Kubeconfig {
                files,
                context: context.text("context").map(str::to_owned),
                exec: context.text("exec").map(str::to_owned),
                env: words(context, "env"),
            };
            let options = context.options(connection, spec).map_err(|d| vec![d])?;
            Place::Config(from, Box::new(options))
        };
        Ok(Self {
            name: format!("{} ({})", spec.name, connection.name),
            place,
            namespace: context.text("namespace").map(str::to_owned),
            selector: context.text("selector").map(str::to_owned),
            environment: context.text("environment").map(str::to_owned),
            kinds,
            clock: context.shared.clock.clone(),
            redactor: context.shared.redactor.clone(),
            session: tokio::sync::Mutex::default(),
            last: Arc::default(),
        })
    }

    /// The way to the cluster, opened when first needed.
    async fn session(&self) -> Result<Arc<Session>, Fault> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.as_ref().filter(|s| s.holds()) {
            return Ok(session.clone());
        }
        let session = Arc::new(match &self.place {
            Place::Address(line) => Session::direct(line.transport().await?),
            Place::Config(from, options) => Session::open(from, (**options).clone()).await?,
        });
        *kept = Some(session.clone());
        Ok(session)
    }

    fn now(&self) -> Instant {
        self.clock.now().world
    }

    /// The one namespace that is looked at; `None`: all.
    fn namespace(&self, session: &Session) -> Option<String> {
        match self.namespace.as_deref() {
            Some("*") => None,
            Some(name) => Some(name.to_owned()),
            None => Some(
                session
                    .namespace
                    .clone()
                    .unwrap_or_else(|| "default".to_owned()),
            ),
        }
    }

    fn fault(&self, kind: FaultKind, what: &str, hint: &str) -> Fault {
        let what = format!("{}: {}", self.name, clean(what, 300));
        self.redactor.fault(Fault::new(kind, what, hint))
    }

    fn said(&self, text: &str) -> String {
        self.redactor.redact(text)
    }

    fn redact_json(&self, value: &Value) -> Value {
        self.redactor.redact_json(value)
    }

    /// One kind's objects. A cluster without Argo Rollouts has none of them, where Deployments are read too.
    async fn list(&self, session: &Session, kind: Kind, labelled: bool) -> Result<List, Fault> {
        let namespace = self.namespace(session);
        let within = Within {
            namespace: namespace.as_deref(),
            selector: self.selector.as_deref().filter(|_| labelled),
        };
        match api::list(&session.transport, kind, within).await {
            Err(fault)
                if fault.kind == FaultKind::NotFound
                    && kind == Kind::Rollout
                    && self.kinds.len() > 1 =>
            {
                Ok(List::default())
            }
            other => other,
        }
    }

    async fn deployments(&self) -> Result<Answer, Fault> {
        let session = self.session().await?;
        let begun = self.clock.now().real;
        let mut partial = Vec::new();
        let mut versions = BTreeMap::new();
        let mut live: BTreeMap<Kind, Vec<Value>> = BTreeMap::new();
        for kind in &self.kinds {
            let list = self.list(&session, *kind, true).await?;
            partial.extend(list.partial);
            if !list.version.is_empty() {
                versions.insert(*kind, list.version);
            }
            live.insert(*kind, list.items);
        }
        let rollouts = live.remove(&Kind::Rollout).unwrap_or_default();
        let plain = live.remove(&Kind::Deployment).unwrap_or_default();
        let sets = if rollouts.is_empty() && plain.is_empty() {
            Vec::new()
        } else {
            let list = self.list(&session, Kind::ReplicaSet, false).await?;
            partial.extend(list.partial);
            list.items
        };
        let (mut runs, missed) = self.analyses(&session, &rollouts).await;
        partial.extend(missed);
        // Who may not list them does not know of any, which the passport says; the deployments are no worse for it.
        let scalers = match rollouts.len() + plain.len() {
            0 => None,
            _ => self.list(&session, Kind::Autoscaler, false).await.ok(),
        };
        let took = (self.clock.now().real - begun).to_std().unwrap_or_default();
        let environment = self.environment.as_deref();
        let mut items: Vec<Value> = rollouts
            .iter()
            .map(|ro| {
                let own = runs.remove(&id_of(Kind::Rollout, ro)).unwrap_or_default();
                let record = rollout::record(ro, &sets, &own, environment);
                with_scalers(record, "Rollout", ro, scalers.as_ref())
            })
            .collect();
        items.extend(plain.iter().filter(|d| !stands_in(d, &rollouts)).map(|d| {
            let record = deployment::record(d, &sets, environment);
            with_scalers(record, "Deployment", d, scalers.as_ref())
        }));
        // Its times carry their offset.
        let typed = records::build(RecordKind::Deployment, items, chrono_tz::UTC);
        let records = typed.map_err(|(at, misfit)| {
            let what = format!("record {}: {}: {}", at + 1, misfit.field, misfit.why);
            self.fault(FaultKind::BadShape, &what, "look at that object")
        })?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last { versions, took };
        Ok(Answer {
            records,
            newest: None,
            partial: (!partial.is_empty()).then(|| partial.join("; ")),
            interval: None,
        })
    }

    /// The analysis runs that rollouts name, as records, by the rollout's id. One that cannot be read is told so, and is no proof.
    async fn analyses(
        &self,
        session: &Session,
        rollouts: &[Value],
    ) -> (BTreeMap<String, Vec<Value>>, Option<String>) {
        let wanted: Vec<(String, Object)> = rollouts
            .iter()
            .flat_map(|ro| {
                let id = id_of(Kind::Rollout, ro);
                let namespace = text(ro, "/metadata/namespace").unwrap_or_default();
                let run = move |name: &str| Object {
                    kind: Kind::AnalysisRun,
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                };
                rollout::analysis_names(ro)
                    .into_iter()
                    .map(move |name| (id.clone(), run(name)))
            })
            .collect();
        let missed = (wanted.len() > MOST_RUNS).then(|| {
            format!(
                "only the first {MOST_RUNS} of {} analysis runs",
                wanted.len()
            )
        });
        let transport = &session.transport;
        let got: Vec<(String, Value)> = stream::iter(wanted.into_iter().take(MOST_RUNS))
            .map(|(id, object)| async move {
                let record = match api::get(transport, &object).await {
                    Ok(run) => analysis::record(&run),
                    Err(fault) => json!({ "name": object.name, "state": "unknown", "message": fault.to_string() }),
                };
                (id, record)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (id, record) in got {
            out.entry(id).or_default().push(record);
        }
        (out, missed)
    }

    async fn says(&self) -> Result<String, Fault> {
        let session = self.session().await?;
        let version = api::version(&session.transport).await?;
        let namespace = self.namespace(&session);
        let within = Within {
            namespace: namespace.as_deref(),
            selector: self.selector.as_deref(),
        };
        let mut counts = Vec::new();
        for kind in &self.kinds {
            match api::glance(&session.transport, *kind, within).await {
                Ok((_, count)) => counts.push(format!("{count} {}", kind.plural())),
                Err(fault) if fault.kind == FaultKind::NotFound && self.kinds.len() > 1 => {
                    counts.push(format!("no {}", kind.plural()));
                }
                Err(fault) => return Err(fault),
            }
        }
        let place = match (session.context.as_str(), namespace.as_deref()) {
            ("", namespace) => namespace.unwrap_or("all namespaces").to_owned(),
            (context, namespace) => {
                format!("{context}, {}", namespace.unwrap_or("all namespaces"))
            }
        };
        Ok(format!(
            "Kubernetes {} ({}): {}",
            clean(&version, 40),
            clean(&place, 120),
            counts.join(", ")
        ))
    }

    /// The watches of all kinds, as soon as the way to the cluster is open.
    async fn watched(&self) -> BoxStream<'static, Result<(), Fault>> {
        let session = match self.session().await {
            Ok(session) => session,
            Err(fault) => return stream::iter([Err(fault)]).boxed(),
        };
        let wanted = watch::Wanted {
            transport: session.transport.clone(),
            namespace: self.namespace(&session),
            selector: self.selector.clone(),
        };
        let kinds = {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let from = |kind: &Kind| (*kind, last.versions.get(kind).cloned());
            self.kinds.iter().map(from).collect()
        };
        let last = self.last.clone();
        // A cluster whose list takes long is asked for it more rarely.
        let gap = move || {
            let took = last.lock().unwrap_or_else(PoisonError::into_inner).took;
            watch::GAP.max(took * 4)
        };
        watch::spaced(watch::changes(&wanted, kinds), gap)
    }
}

/// The record with the autoscalers that name the object; without them where they could not be listed whole.
fn with_scalers(mut record: Value, kind: &str, object: &Value, scalers: Option<&List>) -> Value {
    let Some(all) = scalers.filter(|l| l.partial.is_none()) else {
        return record;
    };
    let place = |v: &Value| text(v, "/metadata/namespace").map(str::to_owned);
    let own: Vec<String> = all
        .items
        .iter()
        .filter(|s| {
            place(s) == place(object)
                && text(s, "/spec/scaleTargetRef/kind") == Some(kind)
                && text(s, "/spec/scaleTargetRef/name") == text(object, "/metadata/name")
        })
        .map(|s| {
            format!(
                "HorizontalPodAutoscaler {} ({} to {} instances)",
                text(s, "/metadata/name").unwrap_or_default(),
                shape::number(s, "/spec/minReplicas").unwrap_or(1),
                shape::number(s, "/spec/maxReplicas").unwrap_or(0),
            )
        })
        .collect();
    if let Some(map) = record.as_object_mut() {
        map.insert("autoscalers".into(), json!(own));
    }
    record
}

impl Driver for Kubernetes {
    fn read<'a>(
        &'a self,
        call: &'a Call,
        _: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            if call.read == "deployments" {
                return self.deployments().await;
            }
            Err(self.fault(
                FaultKind::Config,
                &format!("there is no read \"{}\", only deployments", call.read),
                "",
            ))
        })
    }

    fn act<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Outcome> {
        Box::pin(self.perform(act))
    }

    fn find<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        Box::pin(self.look_up(act))
    }

    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(self.says())
    }

    fn preview(&self, act: &Act) -> Option<Preview> {
        self.shown(act)
    }

    fn verbs(&self) -> Vec<Verb> {
        vec![
            Verb::Deploy,
            Verb::Rollback,
            Verb::Promote,
            Verb::PromoteFull,
            Verb::Abort,
            Verb::Pause,
            Verb::Resume,
            Verb::Restart,
            Verb::Retry,
        ]
    }

    fn changes<'a>(&'a self, call: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        (call.read == "deployments").then(|| self.watched().into_stream().flatten().boxed())
    }
}

/// The id that an object's record has.
fn id_of(kind: Kind, object: &Value) -> String {
    format!(
        "{}/{}/{}",
        kind.word(),
        text(object, "/metadata/namespace").unwrap_or_default(),
        text(object, "/metadata/name").unwrap_or_default()
    )
}

/// A Deployment that only lends its template to a Rollout.
fn stands_in(deployment: &Value, rollouts: &[Value]) -> bool {
    let name = text(deployment, "/metadata/name");
    let namespace = text(deployment, "/metadata/namespace");
    rollouts.iter().any(|ro| {
        text(ro, "/spec/workloadRef/kind") == Some("Deployment")
            && text(ro, "/spec/workloadRef/name") == name
            && text(ro, "/metadata/namespace") == namespace
    })
}

/// The words of a list setting.
fn words(context: &DriverContext, key: &str) -> Vec<String> {
    let list = context.settings.get(key).and_then(Value::as_array);
    let items = list.into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The kinds by their names; both where none is named.
fn kinds_of(names: &[String]) -> Result<Vec<Kind>, String> {
    if names.is_empty() {
        return Ok(vec![Kind::Rollout, Kind::Deployment]);
    }
    let one = |name: &String| match name.as_str() {
        "rollouts" => Ok(Kind::Rollout),
        "deployments" => Ok(Kind::Deployment),
        other => Err(other.to_owned()),
    };
    let mut out = names.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    out.sort();
    out.dedup();
    Ok(out)
}
