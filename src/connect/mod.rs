//! How the outside is read and acted upon: connector format and engine, HTTP rules, native drivers.
//!
//! [`Connections`] is the door: opened from a policy, it reads, acts, looks up and asks after health by a connection's name.

pub mod auth;
pub mod calendar;
pub mod command;
pub mod compile;
pub mod context;
pub mod driver;
pub mod engine;
#[cfg(test)]
#[allow(dead_code)]
pub(crate) mod fake;
#[cfg(test)]
pub(crate) mod fake_native;
pub mod git;
pub mod ics;
pub mod jq;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod pages;
pub mod place;
pub mod process;
pub mod prometheus;
pub mod records;
pub mod registry;
pub mod secrets;
pub mod sse;
pub mod template;
pub mod testing;
pub mod transport;
mod untrusted;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures::stream::BoxStream;

use context::{DriverContext, Shared};
use driver::{Driver, Preview, ReadSpan};
use place::Source;
use registry::Registry;
use template::did_you_mean;
use transport::{Clients, Redactor};

use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::connector::{ConnectorSpec, DriverKind};
use crate::domain::diag::Diag;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::{Connection, Policy};
use crate::domain::time::Clock;

/// How a policy's connections are opened.
pub struct ConnectOptions {
    /// `Some`: a `[demo]` file. Nothing but these ports of this machine is reached, and no secret is looked up.
    pub endpoints: Option<BTreeMap<String, SocketAddr>>,
    /// The user's own connector files.
    pub connector_dir: Option<PathBuf>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// False: nothing is run, no secret is looked up, no request leaves this machine.
    pub trusted: bool,
}

/// A policy's connections, ready for use.
pub struct Connections {
    drivers: BTreeMap<String, Box<dyn Driver>>,
    redactor: Arc<Redactor>,
}

impl Connections {
    /// No connection at all: what there is before a policy's are opened.
    #[must_use]
    pub fn none() -> Self {
        Self {
            drivers: BTreeMap::new(),
            redactor: Arc::default(),
        }
    }

    /// Opens every connection of the policy. One that cannot be opened is left out and said; nothing is sent and no secret is
    /// looked up here.
    #[must_use]
    pub fn open(policy: &Policy, options: ConnectOptions) -> (Self, Vec<Diag>) {
        let (registry, mut diags) = Registry::load(options.connector_dir.as_deref());
        let shared = Shared {
            file: policy.file.clone(),
            clock: options.clock,
            redactor: Arc::default(),
            clients: Arc::new(Clients::new(options.endpoints.is_some())),
            endpoints: options.endpoints.map(Arc::new),
            canned: None,
            zone: policy.timezone,
        };
        let mut drivers = BTreeMap::new();
        for (name, connection) in &policy.connections {
            match open_one(connection, &registry, &shared, options.trusted) {
                Ok(driver) => {
                    drivers.insert(name.clone(), driver);
                }
                Err(mut found) => diags.append(&mut found),
            }
        }
        let redactor = shared.redactor;
        (Self { drivers, redactor }, diags)
    }

    /// The connection's driver.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn Driver> {
        self.drivers.get(name).map(AsRef::as_ref)
    }

    /// The names of all opened connections.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.drivers.keys().map(String::as_str)
    }

    /// Takes known secrets out of a text, for logs.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.redactor.redact(text)
    }

    /// Performs one read.
    ///
    /// # Errors
    /// The driver's fault; a `Config` fault for an unknown connection.
    pub async fn read(&self, call: &Call, span: Option<ReadSpan>) -> Result<Answer, Fault> {
        self.known(&call.connection)?.read(call, span).await
    }

    /// Performs an act once.
    pub async fn act(&self, act: &Act) -> Outcome {
        match self.known(&act.connection) {
            Ok(driver) => driver.act(act).await,
            Err(fault) => Outcome::Refused {
                why: fault.to_string(),
            },
        }
    }

    /// Looks for an act's mark.
    ///
    /// # Errors
    /// The driver's fault; a `Config` fault for an unknown connection.
    pub async fn find(&self, act: &Act) -> Result<Option<Receipt>, Fault> {
        self.known(&act.connection)?.find(act).await
    }

    /// After which time an absent mark means that the act did not happen; `None`: never.
    #[must_use]
    pub fn settles(&self, act: &Act) -> Option<std::time::Duration> {
        self.get(&act.connection)?.settles(act)
    }

    /// The connection's health in one sentence.
    ///
    /// # Errors
    /// The driver's fault; a `Config` fault for an unknown connection.
    pub async fn health(&self, name: &str) -> Result<String, Fault> {
        self.known(name)?.health().await
    }

    /// What an act would send; `None` when nothing here performs it.
    #[must_use]
    pub fn preview(&self, act: &Act) -> Option<Preview> {
        self.get(&act.connection)?.preview(act)
    }

    /// The verbs a connection can perform; none for an unknown one.
    #[must_use]
    pub fn verbs(&self, name: &str) -> Vec<Verb> {
        self.get(name).map(Driver::verbs).unwrap_or_default()
    }

    /// The connection's stream of changes for a read, where it has one.
    #[must_use]
    pub fn changes<'a>(&'a self, call: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        self.get(&call.connection)?.changes(call)
    }

    fn known(&self, name: &str) -> Result<&dyn Driver, Fault> {
        self.get(name).ok_or_else(|| {
            let near = did_you_mean(name, self.names());
            Fault::new(
                FaultKind::Config,
                format!("there is no connection {name}{near}"),
                "look at [connections] in the file, and at what `cockpit check` says of it",
            )
        })
    }
}

/// Reads the connection's connector file, checks both, and builds its driver.
fn open_one(
    connection: &Connection,
    registry: &Registry,
    shared: &Shared,
    trusted: bool,
) -> Result<Box<dyn Driver>, Vec<Diag>> {
    let Some(source) = registry.source(&connection.connector) else {
        let near = did_you_mean(&connection.connector, registry.ids());
        let mut diag = Diag::error(
            shared.file.clone(),
            format!("there is no connector {}{near}", connection.connector),
        );
        diag.key = format!("connections.{}.connector", connection.name);
        return Err(vec![diag]);
    };
    let spec = registry::parse(source).map_err(|diag| vec![diag])?;
    let context = DriverContext::new(connection, &spec, shared)?;
    if !trusted {
        return Ok(Box::new(untrusted::Untrusted::new(connection, &spec)));
    }
    open_driver(connection, &spec, source, &context)
}

/// Builds the driver that the connector file names. Native drivers are added here.
fn open_driver(
    connection: &Connection,
    spec: &ConnectorSpec,
    source: &Source,
    context: &DriverContext,
) -> Result<Box<dyn Driver>, Vec<Diag>> {
    match spec.driver {
        DriverKind::Http => engine::open(connection, spec, source, context),
        DriverKind::Prometheus => Ok(Box::new(prometheus::Prometheus::new(
            connection, spec, context,
        )?)),
        DriverKind::Git => Ok(Box::new(git::Git::new(connection, context)?)),
        DriverKind::Command => Ok(Box::new(command::Command::new(connection, context)?)),
        DriverKind::Calendar => Ok(Box::new(calendar::Calendar::new(
            connection, spec, context,
        )?)),
        #[cfg(feature = "kubernetes")]
        DriverKind::Kubernetes => Ok(Box::new(kubernetes::Kubernetes::new(
            connection, spec, context,
        )?)),
        #[cfg(not(feature = "kubernetes"))]
        DriverKind::Kubernetes => Err(vec![context.diag(
            connection,
            "connector",
            "this build has no Kubernetes: build it with the feature kubernetes",
        )]),
    }
}
