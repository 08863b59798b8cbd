//! Runs a connector file: the driver behind `driver = "http"`.

mod act;
mod filter;
mod read;
mod request;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::compile::{Call as Asked, Program, by_setting, compile};
use super::context::{DriverContext, Line};
use super::driver::{Driver, Preview, ReadSpan};
use super::jq::Scope;
use super::place::Source;
use super::secrets::Secrets;
use super::sse;
use super::template::Values;
use super::transport::{Reply, Request, Transport};
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::connector::{ArgSpec, ConnectorSpec};
use crate::domain::diag::Diag;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;
use crate::domain::text::clean;

/// A stream may be silent for so long before it is opened anew.
const STREAM_SILENCE: Duration = Duration::from_secs(300);
/// Bytes after which a stream is opened anew.
const STREAM_LIMIT: usize = 256 << 20;
/// Columns of a record that a fault quotes.
const EXCERPT: usize = 120;

/// One connection by a connector file.
pub struct Engine {
    program: Program,
    line: Line,
    settings: Value,
    secrets: Arc<Secrets>,
    seen: read::Seen,
    /// The zone of days and of times that name none.
    zone: chrono_tz::Tz,
}

/// Compiles the connector's file and builds the connection.
///
/// # Errors
/// Every mistake in the file, or the connection's url.
pub fn open(
    connection: &Connection,
    spec: &ConnectorSpec,
    source: &Source,
    context: &DriverContext,
) -> Result<Box<dyn Driver>, Vec<Diag>> {
    let program = compile(spec, source)?;
    let line = context.line(connection, spec).map_err(|d| vec![d])?;
    Ok(Box::new(Engine {
        program,
        line,
        settings: context.settings.clone(),
        secrets: context.secrets.clone(),
        seen: read::Seen::default(),
        zone: context.shared.zone,
    }))
}

/// A setting that says something.
fn set<'a>(settings: &'a Value, name: &str) -> Option<&'a Value> {
    settings
        .get(name)
        .filter(|v| !v.is_null() && v.as_str() != Some(""))
}

/// Arguments by name: those given, and defaults for those that are not.
///
/// # Errors
/// The first one that is declared without a default and not given.
fn arguments(
    declared: &BTreeMap<String, ArgSpec>,
    given: impl IntoIterator<Item = (String, Value)>,
    settings: &Value,
) -> Result<Value, String> {
    let mut all: serde_json::Map<String, Value> = given.into_iter().collect();
    for (name, spec) in declared {
        if all.contains_key(name) {
            continue;
        }
        let default = match by_setting(spec) {
            Some(name) => set(settings, name),
            None => spec.default.as_ref(),
        };
        let Some(default) = default else {
            let help = spec.help.as_deref().unwrap_or("the connector asks for it");
            return Err(format!("the argument {name} is missing ({help})"));
        };
        let other = default
            .as_str()
            .and_then(|t| t.strip_prefix("{{ args.")?.strip_suffix(" }}"));
        let value = match other {
            Some(other) => all.get(other).cloned().unwrap_or_default(),
            None => default.clone(),
        };
        all.insert(name.clone(), value);
    }
    Ok(Value::Object(all))
}

/// An answer's headers for filters: names in lower case, the first of each.
fn header_values(reply: &Reply) -> Value {
    let mut map = serde_json::Map::new();
    for (name, value) in &reply.headers {
        if let Ok(text) = value.to_str() {
            map.entry(name.as_str()).or_insert_with(|| text.into());
        }
    }
    Value::Object(map)
}

impl Engine {
    fn fault(&self, kind: FaultKind, what: &str, hint: &str) -> Fault {
        Fault::new(kind, format!("{}: {what}", self.line.name()), hint)
    }

    /// Settings and arguments, for templates.
    fn values(&self, args: &Value) -> Values {
        Values::default()
            .with("settings", self.settings.clone())
            .with("args", args.clone())
    }

    /// Settings, arguments and the answer's head, for filters.
    fn scope(&self, args: &Value, intent: &Value, reply: Option<&Reply>) -> Scope {
        Scope {
            settings: self.settings.clone(),
            args: args.clone(),
            intent: intent.clone(),
            status: reply.map_or(Value::Null, |r| r.status.into()),
            headers: reply.map_or(Value::Null, header_values),
        }
    }

    /// The answer as JSON; null where it is empty.
    fn json(
        &self,
        transport: &Transport,
        request: &Request,
        reply: &Reply,
    ) -> Result<Value, Fault> {
        if reply.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply.body).map_err(|e| {
            let said = transport.excerpt(&reply.body);
            transport.fault(
                request,
                FaultKind::BadShape,
                &format!(
                    "the answer is not JSON ({}): {said}",
                    clean(&e.to_string(), 80)
                ),
                "check the url: it may point at a web page, a login or a proxy",
            )
        })
    }

    /// Sends a read; statuses that the request names are answers.
    async fn ask(
        &self,
        transport: &Transport,
        asked: &Asked,
        request: &Request,
        args: &Value,
    ) -> Result<(Reply, Value), Fault> {
        let reply = transport.send(request).await?;
        if !asked.statuses.contains(&reply.status)
            && let Some(fault) = transport.status_fault(request, &reply)
        {
            return Err(fault);
        }
        let body = self.json(transport, request, &reply)?;
        if let Some(fail) = &self.program.fail
            && let Some(why) = self.failed(fail, &reply, &body, args, &Value::Null).await?
        {
            let what = format!("the answer says it failed: {why}");
            return Err(transport.fault(
                request,
                FaultKind::Refused,
                &what,
                "look at the connection's settings and rights",
            ));
        }
        Ok((reply, body))
    }

    async fn look(&self) -> Result<String, Fault> {
        let Some((asked, says)) = &self.program.health else {
            return Err(self.fault(
                FaultKind::Refused,
                "its connector has no health question",
                "its reads tell whether it works",
            ));
        };
        let none = Value::Object(serde_json::Map::new());
        let transport = self.line.transport().await?;
        let request = self.request(asked, &self.values(&none)).await?;
        let (reply, body) = self.ask(&transport, asked, &request, &none).await?;
        let Some(says) = says else {
            return Ok("it answers".into());
        };
        let scope = self.scope(&none, &Value::Null, Some(&reply));
        let said = filter::one(says, body, scope)
            .await
            .map_err(|why| self.fault(FaultKind::BadShape, &format!("health.says: {why}"), ""))?;
        let said = said
            .as_str()
            .map_or_else(|| said.to_string(), str::to_owned);
        Ok(clean(&transport.redactor().redact(&said), 200))
    }

    /// Opens the stream of a read and turns each chunk that completes an event into "read again".
    async fn open_stream(
        &self,
        asked: &Asked,
        args: &Value,
    ) -> Result<BoxStream<'static, Result<(), Fault>>, Fault> {
        let transport = self.line.transport().await?;
        let request = self.request(asked, &self.values(args)).await?;
        let chunks = transport
            .stream_within(&request, STREAM_SILENCE, STREAM_LIMIT)
            .await?;
        let refused = move |why: &str| {
            let what = format!("the stream says: {}", clean(why, 160));
            transport.fault(
                &request,
                FaultKind::Refused,
                &what,
                "it is read at intervals meanwhile",
            )
        };
        let mut parser = sse::Parser::default();
        let events = chunks.filter_map(move |chunk| {
            let out = match chunk {
                Err(fault) => Some(Err(fault)),
                Ok(bytes) => {
                    let events = parser.feed(&bytes);
                    let error = events.iter().find_map(|e| sse::meaning(e).err());
                    match error {
                        Some(why) => Some(Err(refused(&why))),
                        None => (!events.is_empty()).then_some(Ok(())),
                    }
                }
            };
            futures::future::ready(out)
        });
        Ok(events.boxed())
    }
}

impl Driver for Engine {
    fn read<'a>(
        &'a self,
        call: &'a Call,
        _span: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(self.perform(call))
    }

    fn act<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Outcome> {
        Box::pin(self.send_act(act))
    }

    fn find<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        Box::pin(self.find_act(act))
    }

    fn settles(&self, act: &Act) -> Option<Duration> {
        self.settled(act)
    }

    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(self.look())
    }

    fn preview(&self, act: &Act) -> Option<Preview> {
        self.preview_act(act)
    }

    fn verbs(&self) -> Vec<Verb> {
        let mut verbs: Vec<Verb> = self.program.actions.values().map(|a| a.verb).collect();
        verbs.sort();
        verbs.dedup();
        verbs
    }

    fn changes<'a>(&'a self, call: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        let read = self.program.reads.get(&call.read)?;
        let asked = read.stream.as_ref()?;
        let given = call.args.iter().map(|(k, v)| (k.clone(), v.clone().into()));
        let args = arguments(&read.args, given, &self.settings);
        let opened = async move {
            let args = args.map_err(|why| self.fault(FaultKind::Config, &why, ""))?;
            self.open_stream(asked, &args).await
        };
        let flat = futures::stream::once(opened).flat_map(|opened| match opened {
            Ok(events) => events,
            Err(fault) => futures::stream::once(futures::future::ready(Err(fault))).boxed(),
        });
        Some(flat.boxed())
    }
}

#[cfg(test)]
mod tests;
