//! Calendars: an .ics file, or an address that is asked only for changes. What the file says is read by [`super::ics`]; one line that is
//! not understood is a fault, so that no freeze ever vanishes.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::Duration;
use chrono_tz::Tz;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::context::{DriverContext, Line};
use super::driver::{Driver, Preview, ReadSpan};
use super::ics::read_ics;
use super::transport::Request;
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::connector::ConnectorSpec;
use crate::domain::diag::Diag;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;
use crate::domain::record::Records;
use crate::domain::text::clean;
use crate::domain::time::{Clock, Span};

/// Entries that ended longer ago are left out.
const BEHIND: Duration = Duration::days(60);
/// How far ahead recurrences are expanded.
const AHEAD: Duration = Duration::days(400);
/// Largest file, in bytes.
const LARGEST: u64 = 8 << 20;

/// Where the calendar lies.
enum Place {
    File(PathBuf),
    Address(Box<Line>),
}

/// One calendar.
pub struct Calendar {
    name: String,
    place: Place,
    zone: Tz,
    clock: Arc<dyn Clock>,
}

impl Calendar {
    /// Opens a calendar; nothing is read here.
    ///
    /// # Errors
    /// Neither or both of `file` and `url`, a zone that does not exist, an address that cannot be used.
    pub fn new(
        connection: &Connection,
        spec: &ConnectorSpec,
        context: &DriverContext,
    ) -> Result<Self, Vec<Diag>> {
        let refuse =
            |setting: &str, message: String| vec![context.diag(connection, setting, message)];
        let zone = match context.text("timezone") {
            None => context.shared.zone,
            Some(name) => name.parse().map_err(|_| {
                refuse(
                    "timezone",
                    format!(
                        "there is no zone {}; write for example Europe/Berlin",
                        clean(name, 40)
                    ),
                )
            })?,
        };
        let url = context.text("url").is_some() || context.secrets.has("url");
        let place = match (context.text("file"), url) {
            (Some(path), false) => Place::File(PathBuf::from(path)),
            (None, true) => Place::Address(Box::new(
                context.line(connection, spec).map_err(|d| vec![d])?,
            )),
            _ => return Err(refuse("file", "give file or url, one of them".into())),
        };
        Ok(Self {
            name: format!("{} ({})", spec.name, connection.name),
            place,
            zone,
            clock: context.shared.clock.clone(),
        })
    }

    /// The calendar's bytes.
    async fn bytes(&self) -> Result<Vec<u8>, Fault> {
        match &self.place {
            Place::Address(line) => {
                let transport = line.transport().await?;
                // The address may itself be a secret: no part of it is shown.
                let request = Request {
                    template: "(calendar)".into(),
                    ..Request::get("")
                };
                Ok(transport.fetch(&request).await?.body.to_vec())
            }
            Place::File(path) => {
                let fault = |kind: FaultKind, why: String| {
                    let what = format!(
                        "{}: {}: {why}",
                        self.name,
                        clean(&path.display().to_string(), 200)
                    );
                    Fault::new(kind, what, "mend this connection's file")
                };
                let found = tokio::fs::metadata(path)
                    .await
                    .map_err(|e| fault(FaultKind::NotFound, e.to_string()))?;
                if found.len() > LARGEST {
                    return Err(fault(FaultKind::TooLarge, "it is larger than 8 MiB".into()));
                }
                tokio::fs::read(path)
                    .await
                    .map_err(|e| fault(FaultKind::NotFound, e.to_string()))
            }
        }
    }

    async fn entries(&self) -> Result<Records, Fault> {
        let bytes = self.bytes().await?;
        let now = self.clock.now().world;
        let (horizon, zone) = (Span::new(now - BEHIND, now + AHEAD), self.zone);
        let read = tokio::task::spawn_blocking(move || read_ics(&bytes, horizon, zone)).await;
        let bad = |why: String| {
            Fault::new(
                FaultKind::BadShape,
                format!("{}: {}", self.name, clean(&why, 300)),
                "mend the entry in the calendar: as long as it is not understood, nothing of the calendar counts",
            )
        };
        match read {
            Ok(Ok(events)) => Ok(Records::Event(events)),
            Ok(Err(refused)) => Err(bad(refused.to_string())),
            Err(_) => Err(bad("reading it broke off".into())),
        }
    }

    fn no_acts(&self) -> Fault {
        Fault::new(
            FaultKind::Refused,
            format!("{}: a calendar is only read", self.name),
            "",
        )
    }
}

impl Driver for Calendar {
    fn read<'a>(
        &'a self,
        _: &'a Call,
        _: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async {
            Ok(Answer {
                records: self.entries().await?,
                newest: None,
                partial: None,
                interval: None,
            })
        })
    }

    fn act<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Outcome> {
        let why = self.no_acts().to_string();
        Box::pin(async { Outcome::Refused { why } })
    }

    fn find<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        Box::pin(async { Err(self.no_acts()) })
    }

    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(async {
            let records = self.entries().await?;
            Ok(format!("{} entries", records.len()))
        })
    }

    fn preview(&self, _: &Act) -> Option<Preview> {
        None
    }

    fn verbs(&self) -> Vec<Verb> {
        Vec::new()
    }

    fn changes<'a>(&'a self, _: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        None
    }
}
