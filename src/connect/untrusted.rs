//! What stands for a connection of a file that is not trusted: it says so and does nothing.

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::driver::{Driver, Preview, ReadSpan};
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::connector::ConnectorSpec;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;

/// A connection that nothing is asked of.
pub struct Untrusted {
    name: String,
    verbs: Vec<Verb>,
}

impl Untrusted {
    /// Knows the connector's verbs and no more.
    #[must_use]
    pub fn new(connection: &Connection, spec: &ConnectorSpec) -> Self {
        Self {
            name: format!("{} ({})", spec.name, connection.name),
            verbs: spec.action.values().map(|a| a.verb).collect(),
        }
    }

    fn fault(&self) -> Fault {
        Fault::new(
            FaultKind::Refused,
            format!("{}: the file is not trusted", self.name),
            "not trusted: run cockpit trust",
        )
    }
}

impl Driver for Untrusted {
    fn read<'a>(
        &'a self,
        _: &'a Call,
        _: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async { Err(self.fault()) })
    }
    fn act<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Outcome> {
        let why = self.fault().to_string();
        Box::pin(async { Outcome::Refused { why } })
    }
    fn find<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        Box::pin(async { Err(self.fault()) })
    }
    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(async { Err(self.fault()) })
    }
    fn preview(&self, _: &Act) -> Option<Preview> {
        None
    }
    fn verbs(&self) -> Vec<Verb> {
        self.verbs.clone()
    }
    fn changes<'a>(&'a self, _: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        None
    }
}
