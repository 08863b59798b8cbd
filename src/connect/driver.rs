//! What every way of reaching the outside offers, whatever its protocol.

use chrono::Duration;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::observe::{Answer, Call, Fault};
use crate::domain::time::Instant;

/// The span of a series read, already aligned: `start` and `end` are multiples of `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSpan {
    /// End of the first bucket wanted.
    pub start: Instant,
    /// End of the last bucket wanted.
    pub end: Instant,
    /// Bucket length.
    pub step: Duration,
}

/// What an act would send, secrets and rendered paths left out (`--dry-run`, the journal).
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// HTTP method, or the driver's own word (`argv`).
    pub method: String,
    /// The path's template, never the rendered one.
    pub path: String,
    /// The body, redacted.
    pub body: serde_json::Value,
}

/// One connection, ready to be read and acted upon. Reads may be repeated; acts never are, unless the connector
/// says that they are idempotent.
pub trait Driver: Send + Sync {
    /// Performs one read.
    ///
    /// # Errors
    /// A [`Fault`] in one sentence; nothing is retried beyond the driver's own idempotent retries.
    fn read<'a>(
        &'a self,
        call: &'a Call,
        span: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>>;

    /// Performs an act once. Anything after the first byte went out that is not a clear answer is `Unknown`.
    fn act<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Outcome>;

    /// Looks for an act's mark. `Ok(None)`: it is certainly not there. `Err`: it cannot be told.
    ///
    /// # Errors
    /// A [`Fault`]; also when the connector has no way to look.
    fn find<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>>;

    /// After which time an absent mark means that the act did not happen; `None`: absence proves nothing, and the act stays unknown.
    fn settles(&self, _act: &Act) -> Option<std::time::Duration> {
        Some(std::time::Duration::from_secs(
            crate::domain::connector::SETTLES,
        ))
    }

    /// The connection's health in one sentence.
    ///
    /// # Errors
    /// A [`Fault`] that says what to do.
    fn health(&self) -> BoxFuture<'_, Result<String, Fault>>;

    /// What an act would send; `None` when the connector has no such action.
    fn preview(&self, act: &Act) -> Option<Preview>;

    /// The verbs it can perform.
    fn verbs(&self) -> Vec<Verb>;

    /// A stream that says "read again" whenever the vendor tells of a change. It ends when the connection does;
    /// the caller reconnects and polls meanwhile. `None`: this read has no stream.
    fn changes<'a>(&'a self, call: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>>;
}
