//! Acts: sent once, looked up by their mark, previewed without secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Engine, arguments, filter, set};
use crate::connect::compile::{Action, Find, Jq, Step, by_setting};
use crate::connect::driver::Preview;
use crate::connect::jq::Scope;
use crate::connect::records::clean_json;
use crate::connect::template::{JsonTemplate, Template, Values};
use crate::connect::transport::{Failure, Reach, Reply, Transport};
use crate::domain::act::{Act, Outcome, Receipt};
use crate::domain::observe::{Fault, FaultKind};
use crate::domain::text::clean;

/// Widest text kept in a receipt.
const WIDEST: usize = 500;

/// An act that did not come to a confirmation.
enum Stop {
    Refused(String),
    Unknown(String),
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(why) => Self::Refused { why },
            Stop::Unknown(why) => Self::Unknown { why },
        }
    }
}

/// What templates and filters know of an act.
fn intent(act: &Act) -> Value {
    json!({
        "id": act.id, "reason": act.reason, "summary": act.summary, "release": act.release,
        "service": act.service, "environment": act.environment, "verb": act.verb,
    })
}

fn refused(fault: &Fault) -> Stop {
    Stop::Refused(format!("nothing was sent: {fault}"))
}

impl Engine {
    /// The action for an act's verb. Where a connector has several, the one most of whose required arguments are given.
    fn action_for(&self, act: &Act) -> Option<&Action> {
        let fits = |action: &&Action| {
            let required = action
                .args
                .iter()
                .filter(|(_, a)| a.default.is_none() || by_setting(a).is_some());
            let (given, missing): (Vec<_>, Vec<_>) = required.partition(|(name, spec)| {
                act.args.contains_key(*name)
                    || by_setting(spec).is_some_and(|s| set(&self.settings, s).is_some())
            });
            (missing.is_empty(), given.len())
        };
        self.program
            .actions
            .values()
            .filter(|a| a.verb == act.verb)
            .max_by_key(fits)
    }

    fn known_action(&self, act: &Act) -> Result<(&Action, Value), Fault> {
        let Some(action) = self.action_for(act) else {
            let what = format!("its connector cannot {}", act.verb.word());
            return Err(self.fault(
                FaultKind::Refused,
                &what,
                "do it at the vendor and note it by word",
            ));
        };
        let args = arguments(&action.args, act.args.clone(), &self.settings)
            .map_err(|why| self.fault(FaultKind::Config, &why, "set it in the service's target"))?;
        Ok((action, args))
    }

    /// Performs an act once.
    pub(super) async fn send_act(&self, act: &Act) -> Outcome {
        match self.try_act(act).await {
            Ok(receipt) => Outcome::Confirmed { receipt },
            Err(stop) => stop.into(),
        }
    }

    async fn try_act(&self, act: &Act) -> Result<Receipt, Stop> {
        let (action, args) = self.known_action(act).map_err(|f| refused(&f))?;
        let transport = self.line.transport().await.map_err(|f| refused(&f))?;
        let intent = intent(act);
        let mut steps = serde_json::Map::new();
        let values = self.values(&args).with("intent", intent.clone());
        for step in &action.steps {
            let values = values.clone().with("steps", Value::Object(steps.clone()));
            let taken = self.step(&transport, step, &values, &args, &intent).await?;
            steps.insert(step.name.clone(), taken);
        }
        let values = values.with("steps", Value::Object(steps));
        let mut request = self
            .request(&action.call, &values)
            .await
            .map_err(|f| refused(&f))?;
        request.idempotent = action.idempotent;
        request.act = true;
        let reply = transport.try_send(&request).await.map_err(stop)?;
        judge(&transport, &request, &reply, &action.call.statuses)?;
        let body = self
            .json(&transport, &request, &reply)
            .unwrap_or(Value::Null);
        for fail in self.program.fail.iter().chain(&action.fail) {
            match self.failed(fail, &reply, &body, &args, &intent).await {
                Ok(None) => {}
                Ok(Some(why)) => {
                    let what = format!("the answer says it did not happen: {why}");
                    return Err(Stop::Refused(
                        transport
                            .fault(&request, FaultKind::Refused, &what, "")
                            .to_string(),
                    ));
                }
                Err(fault) => return Err(Stop::Unknown(fault.to_string())),
            }
        }
        let scope = self.scope(&args, &intent, Some(&reply));
        Ok(self.receipt(&transport, &action.receipt, body, scope).await)
    }

    /// An earlier call, repeated until its condition holds.
    async fn step(
        &self,
        transport: &Transport,
        step: &Step,
        values: &Values,
        args: &Value,
        intent: &Value,
    ) -> Result<Value, Stop> {
        for turn in 0..step.max {
            if turn > 0 {
                tokio::time::sleep(step.every).await;
            }
            let mut request = self
                .request(&step.call, values)
                .await
                .map_err(|f| refused(&f))?;
            request.act = true;
            let reply = transport.try_send(&request).await.map_err(|failure| {
                if matches!(step.call.method.as_str(), "GET" | "HEAD") {
                    refused(&failure.fault)
                } else {
                    stop(failure)
                }
            })?;
            if !step.call.statuses.contains(&reply.status)
                && let Some(fault) = transport.status_fault(&request, &reply)
            {
                return Err(refused(&fault));
            }
            let body = self
                .json(transport, &request, &reply)
                .unwrap_or(Value::Null);
            let scope = self.scope(args, intent, Some(&reply));
            let bad = |why: String| {
                let what = format!("step {}: {why}", step.name);
                refused(&transport.fault(&request, FaultKind::BadShape, &what, ""))
            };
            let taken = filter::one(&step.take, body, scope.clone())
                .await
                .map_err(bad)?;
            let Some(until) = &step.until else {
                return Ok(taken);
            };
            let done = filter::one(until, taken.clone(), scope)
                .await
                .map_err(bad)?;
            if !matches!(done, Value::Null | Value::Bool(false)) {
                return Ok(taken);
            }
        }
        Err(Stop::Refused(format!(
            "nothing was sent: step {} did not come to its end after {} times",
            step.name, step.max
        )))
    }

    /// What a `fail` filter says of an answer; `None`: nothing.
    pub(super) async fn failed(
        &self,
        fail: &Jq,
        reply: &Reply,
        body: &Value,
        args: &Value,
        intent: &Value,
    ) -> Result<Option<String>, Fault> {
        let scope = self.scope(args, intent, Some(reply));
        let input = json!({ "status": reply.status, "headers": scope.headers, "body": body });
        let said = filter::all(fail, input, scope, 100)
            .await
            .map_err(|why| self.fault(FaultKind::BadShape, &format!("fail: {why}"), ""))?;
        Ok(said
            .into_iter()
            .find(|v| !matches!(v, Value::Null | Value::Bool(false)))
            .map(|v| clean(v.as_str().unwrap_or(&v.to_string()), 200)))
    }

    /// The receipt's fields; one that cannot be had is left out, for the act has happened.
    async fn receipt(
        &self,
        transport: &Transport,
        map: &[(String, Jq)],
        body: Value,
        scope: Scope,
    ) -> Receipt {
        let mut receipt = Receipt::default();
        for (name, code) in map {
            let value = filter::one(code, body.clone(), scope.clone())
                .await
                .unwrap_or_default();
            let text = || {
                let plain = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                clean(&plain, WIDEST)
            };
            match name.as_str() {
                _ if value.is_null() => {}
                "id" => receipt.id = Some(text()),
                "url" => receipt.url = Some(text()),
                _ => {
                    receipt
                        .fields
                        .insert(name.clone(), clean_json(&value, WIDEST));
                }
            }
        }
        transport.redactor().receipt(receipt)
    }

    /// Looks for an act's mark.
    pub(super) async fn find_act(&self, act: &Act) -> Result<Option<Receipt>, Fault> {
        let (action, args) = self.known_action(act)?;
        let Some(find) = &action.find else {
            let what = format!(
                "its connector has no way to look up whether it did {}",
                act.verb.word()
            );
            return Err(self.fault(
                FaultKind::Refused,
                &what,
                "look at the vendor and settle it by word",
            ));
        };
        let mut place: Option<&Find> = Some(find);
        // The way of a mark: first where it comes first, so that one that moves on meanwhile is met later.
        let mut way = Vec::new();
        while let Some(find) = place {
            way.push(find);
            place = find.before.as_deref();
        }
        for find in way.into_iter().rev() {
            let found = self.find_in(act, find, &args).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// After which time an absent mark means that the act did not happen; `None`: never.
    pub(super) fn settled(&self, act: &Act) -> Option<Duration> {
        let (action, _) = self.known_action(act).ok()?;
        action.find.as_ref()?.settles
    }

    async fn find_in(
        &self,
        act: &Act,
        find: &Find,
        args: &Value,
    ) -> Result<Option<Receipt>, Fault> {
        let transport = self.line.transport().await?;
        let intent = intent(act);
        let values = self.values(args).with("intent", intent.clone());
        let request = self.request(&find.call, &values).await?;
        let (reply, body) = self.ask(&transport, &find.call, &request, args).await?;
        let scope = self.scope(args, &intent, Some(&reply));
        let found = filter::one(&find.take, body, scope.clone())
            .await
            .map_err(|why| self.fault(FaultKind::BadShape, &format!("find: {why}"), ""))?;
        if matches!(found, Value::Null | Value::Bool(false)) {
            return Ok(None);
        }
        Ok(Some(
            self.receipt(&transport, &find.receipt, found, scope).await,
        ))
    }

    /// What an act would send. Values that earlier calls give, and secrets, stay templates.
    pub(super) fn preview_act(&self, act: &Act) -> Option<Preview> {
        let (action, args) = self.known_action(act).ok()?;
        let values = self.values(&args).with("intent", intent(act));
        let body = match (&action.call.json, &action.call.form) {
            (Some(json), _) => shown_json(json, &values),
            (None, Some(form)) => form
                .iter()
                .map(|(name, t)| (plain(name, &values), shown(t, &values)))
                .filter(|(_, v)| v.as_str() != Some(""))
                .collect(),
            (None, None) => Value::Null,
        };
        Some(Preview {
            method: action.call.method.to_string(),
            path: action.call.path.text().to_owned(),
            body: clean_json(&body, WIDEST),
        })
    }
}

/// A form field's name as it is sent.
fn plain(name: &Template, values: &Values) -> String {
    name.render(values).unwrap_or_else(|_| name.text().into())
}

fn shown(template: &Template, values: &Values) -> Value {
    if template.uses("secret") || template.uses("steps") {
        return template.text().into();
    }
    template
        .render_leaf(values)
        .unwrap_or_else(|_| template.text().into())
}

fn shown_json(template: &JsonTemplate, values: &Values) -> Value {
    match template {
        JsonTemplate::Leaf(leaf) => shown(leaf, values),
        JsonTemplate::Fixed(value) => value.clone(),
        JsonTemplate::List(items) => items.iter().map(|t| shown_json(t, values)).collect(),
        JsonTemplate::Map(map) => map
            .iter()
            .map(|(k, t)| (k.clone(), shown_json(t, values)))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect(),
    }
}

fn unclear(fault: &Fault) -> Stop {
    Stop::Unknown(format!(
        "{}; it is not known whether it happened",
        fault.what
    ))
}

/// How far it got decides: what certainly did nothing is refused, everything else is unknown.
fn stop(failure: Failure) -> Stop {
    match failure.reach {
        Reach::NotSent => refused(&failure.fault),
        Reach::Answered => Stop::Refused(failure.fault.to_string()),
        Reach::Unclear => unclear(&failure.fault),
    }
}

/// Is the answer's status a clear one?
fn judge(
    transport: &Transport,
    request: &crate::connect::transport::Request,
    reply: &Reply,
    statuses: &[u16],
) -> Result<(), Stop> {
    if statuses.contains(&reply.status) {
        return Ok(());
    }
    if let Some(fault) = transport.status_fault(request, reply) {
        return Err(match reply.status {
            307 | 308 | 400..=407 | 409..=499 => Stop::Refused(fault.to_string()),
            _ => unclear(&fault),
        });
    }
    if reply.body.trim_ascii_start().starts_with(b"<") {
        let what = "it was answered by a web page (a login, a proxy?)";
        let fault = transport.fault(
            request,
            FaultKind::BadShape,
            what,
            "look at the vendor whether it happened",
        );
        return Err(Stop::Unknown(fault.to_string()));
    }
    Ok(())
}
