//! Calendars: an .ics file on this machine or at an address, read with conditional requests.
//!
//! One read, `events`: the entries of a horizon around now, recurrences expanded. What is not understood is a fault with
//! its lines, so that a freeze never vanishes silently.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::Duration;
use chrono_tz::Tz;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::context::{DriverContext, Line};
use super::driver::{Driver, Preview, ReadSpan};
use super::ics::read_ics;
use super::process::beside;
use super::transport::Request;
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::connector::ConnectorSpec;
use crate::domain::diag::Diag;
use crate::domain::needs::{CALENDAR_AHEAD, CALENDAR_BACK};
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;
use crate::domain::record::Records;
use crate::domain::time::{Clock, Span};

/// Largest file, bytes.
const LARGEST: u64 = 8 << 20;

/// Where the calendar lies.
enum Where {
    File(PathBuf),
    Address(Box<Line>),
}

/// A connection to one calendar.
pub struct Calendar {
    name: String,
    place: Where,
    zone: Tz,
    clock: Arc<dyn Clock>,
}

impl Calendar {
    /// A driver for the calendar that the settings `file` or `url` name. Nothing is read here.
    ///
    /// # Errors
    /// Neither or both are given, a zone of an unknown name, a connector file that cannot be used.
    pub fn new(
        connection: &Connection,
        spec: &ConnectorSpec,
        context: &DriverContext,
    ) -> Result<Self, Vec<Diag>> {
        let refuse = |setting: &str, why: &str| Err(vec![context.diag(connection, setting, why)]);
        let zone = match context.text("timezone").map(str::parse::<Tz>) {
            None => context.shared.zone,
            Some(Ok(zone)) => zone,
            Some(Err(_)) => return refuse("timezone", "is no IANA zone, such as Europe/Berlin"),
        };
        let address = connection.settings.contains_key("url");
        let place = match (context.text("file"), address) {
            (Some(_), true) => return refuse("file", "give file or url, not both"),
            (None, false) => return refuse("url", "give file or url"),
            (Some(file), false) => {
                if context.shared.endpoints.is_some() {
                    return refuse("file", "a [demo] file reads no file");
                }
                Where::File(beside(&context.shared.file, file))
            }
            (None, true) => Where::Address(Box::new(
                context.line(connection, spec).map_err(|diag| vec![diag])?,
            )),
        };
        Ok(Self {
            name: format!("{} ({})", spec.name, connection.name),
            place,
            zone,
            clock: Arc::clone(&context.shared.clock),
        })
    }

    async fn bytes(&self) -> Result<Vec<u8>, Fault> {
        match &self.place {
            Where::File(path) => {
                let unreadable = |why: String| {
                    Fault::new(
                        FaultKind::Unreachable,
                        format!("{}: {} cannot be read: {why}", self.name, path.display()),
                        "look at the file and its rights",
                    )
                };
                let size = tokio::fs::metadata(path)
                    .await
                    .map_err(|e| unreadable(e.to_string()))?
                    .len();
                if size > LARGEST {
                    return Err(Fault::new(
                        FaultKind::TooLarge,
                        format!("{}: {} is larger than 8 MiB", self.name, path.display()),
                        "name a smaller calendar",
                    ));
                }
                tokio::fs::read(path)
                    .await
                    .map_err(|e| unreadable(e.to_string()))
            }
            Where::Address(line) => {
                let transport = line.transport().await?;
                let reply = transport.fetch(&Request::get("")).await?;
                Ok(reply.body.to_vec())
            }
        }
    }

    async fn events(&self) -> Result<Answer, Fault> {
        let bytes = self.bytes().await?;
        let now = self.clock.now().world;
        let horizon = Span::new(
            now - Duration::days(CALENDAR_BACK),
            now + Duration::days(CALENDAR_AHEAD),
        );
        let zone = self.zone;
        let read = tokio::task::spawn_blocking(move || read_ics(&bytes, horizon, zone)).await;
        match read {
            Ok(Ok(events)) => Ok(Answer {
                records: Records::Event(events),
                newest: None,
                partial: None,
                interval: None,
            }),
            Ok(Err(refused)) => Err(Fault::new(
                FaultKind::BadShape,
                format!("{}: {refused}", self.name),
                "mend the calendar; until then it counts as unread, and a start is refused",
            )),
            Err(_) => Err(Fault::new(
                FaultKind::BadShape,
                format!("{}: the calendar could not be read", self.name),
                "report this file",
            )),
        }
    }
}

impl Driver for Calendar {
    fn read<'a>(
        &'a self,
        call: &'a Call,
        _span: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            if call.read != "events" {
                return Err(Fault::new(
                    FaultKind::Config,
                    format!(
                        "{}: there is no read \"{}\", only events",
                        self.name, call.read
                    ),
                    "",
                ));
            }
            self.events().await
        })
    }

    fn act<'a>(&'a self, _act: &'a Act) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            Outcome::Refused {
                why: format!("{} is only read", self.name),
            }
        })
    }

    fn find<'a>(&'a self, _act: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        Box::pin(async move { Ok(None) })
    }

    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(async move {
            let answer = self.events().await?;
            Ok(format!("{} entries around now", answer.records.len()))
        })
    }

    fn preview(&self, _act: &Act) -> Option<Preview> {
        None
    }

    fn verbs(&self) -> Vec<Verb> {
        Vec::new()
    }

    fn changes<'a>(&'a self, _call: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        None
    }
}
