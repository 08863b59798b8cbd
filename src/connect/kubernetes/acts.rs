//! Acts: planned on the object as it is, sent with the version that was read, looked up by their mark.

use std::time::Duration;

use serde_json::{Value, json};

use super::Kubernetes;
use super::api::{self, Kind, Object, Patch, Patched, Within};
use super::plan::{Plan, essence, lacks_full, plan, took_effect};
use super::rollout::{current_hash, stable_hash};
use super::session::Session;
use super::shape::{Mark, flag, marks, number, text};
use crate::connect::driver::Preview;
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::observe::{Fault, FaultKind};
use crate::domain::text::clean;

/// Most tries where only the controller's book-keeping went on between reading and writing. Each one before was refused by the
/// server, so nothing is done twice.
const TRIES: usize = 4;
/// How long a rolled-back Rollout is watched for the controller to begin, before it is promoted past its steps.
const BEGIN: Duration = Duration::from_secs(20);
/// The same where a mark is looked up: it is looked up again soon.
const BEGIN_SOON: Duration = Duration::from_secs(2);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(500);

/// Why an act did not come to a confirmation.
enum Stop {
    Refused(String),
    Unknown(String),
}

/// Why a rollout was not promoted past its steps.
enum Short {
    /// It will not be: refused, or no longer what it was.
    Never(String),
    /// Not yet, or it is not known.
    NotYet(String),
}

/// What came of one try.
enum Sent {
    /// The object as it is now.
    Done(Value),
    /// It is not as it was read: nothing was changed.
    Moved(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Refused(format!("nothing was sent: {fault}"))
    }
}

impl Kubernetes {
    /// Performs an act once.
    pub(super) async fn perform(&self, act: &Act) -> Outcome {
        match self.try_act(act).await {
            Ok(receipt) => Outcome::Confirmed { receipt },
            Err(Stop::Refused(why)) => Outcome::Refused {
                why: self.said(&why),
            },
            Err(Stop::Unknown(why)) => Outcome::Unknown {
                why: self.said(&why),
            },
        }
    }

    async fn try_act(&self, act: &Act) -> Result<Receipt, Stop> {
        let session = self.session().await?;
        let object = self.target(&session, act).await?;
        let mut live = api::get(&session.transport, &object).await?;
        let sets = if needs_sets(act.verb) {
            self.sets(&session, &object).await?
        } else {
            Vec::new()
        };
        let begun = essence(&live);
        let mut marked = false;
        for _ in 0..TRIES {
            let made = plan(act, &object, &live, &sets, self.now()).map_err(|why| {
                Stop::Refused(format!("{}: {why}; nothing was sent", object.id()))
            })?;
            let fault = match self
                .send(&session, &object, &made, &mut live, &mut marked)
                .await?
            {
                Sent::Done(done) => return self.finish(&session, &object, &made, done).await,
                Sent::Moved(fault) => fault,
            };
            let before = std::mem::replace(
                &mut live,
                api::get(&session.transport, &object).await.map_err(moved)?,
            );
            if essence(&live) != begun {
                return Err(Stop::Refused(format!(
                    "{} moved while it was asked: look at it again; nothing was changed",
                    object.id()
                )));
            }
            if version_of(&live) == version_of(&before) {
                // Nobody wrote to it: the server means the change itself.
                return Err(Stop::Refused(fault.to_string()));
            }
        }
        Err(Stop::Refused(format!(
            "{} is written to all the time: it was refused {TRIES} times; nothing was changed",
            object.id()
        )))
    }

    /// Sends the mark where the act needs one ahead, then the act.
    async fn send(
        &self,
        session: &Session,
        object: &Object,
        made: &Plan,
        live: &mut Value,
        marked: &mut bool,
    ) -> Result<Sent, Stop> {
        if let (Some(mark), false) = (&made.mark, *marked) {
            match api::patch(&session.transport, object, mark).await {
                Patched::Done(now) => {
                    *live = now;
                    *marked = true;
                }
                Patched::Moved(fault) => return Ok(Sent::Moved(fault)),
                // The mark alone does nothing: the act was not sent, so it did not happen.
                Patched::Refused(fault) | Patched::Unclear(fault) => {
                    return Err(Stop::Refused(format!(
                        "our mark could not be written, so nothing was asked: {fault}"
                    )));
                }
            }
        }
        let mut act = made.act.clone();
        if made.mark.is_some() {
            act = at_version(act, live);
        }
        match api::patch(&session.transport, object, &act).await {
            Patched::Done(now) => Ok(Sent::Done(now)),
            Patched::Moved(fault) => Ok(Sent::Moved(fault)),
            Patched::Refused(fault) if act.status && fault.kind == FaultKind::NotFound => {
                Err(Stop::Refused(format!(
                    "{fault}; Argo Rollouts before 0.10 has no status to write to"
                )))
            }
            Patched::Refused(fault) => Err(Stop::Refused(fault.to_string())),
            Patched::Unclear(fault) => Err(Stop::Unknown(fault.to_string())),
        }
    }

    /// The receipt; a rollback to something older than what is stable is promoted past its steps. Until that is known the act is
    /// unknown: looking it up by its mark finishes it.
    async fn finish(
        &self,
        session: &Session,
        object: &Object,
        made: &Plan,
        done: Value,
    ) -> Result<Receipt, Stop> {
        let mut receipt = Receipt {
            id: Some(object.id()),
            ..Receipt::default()
        };
        let generation = number(&done, "/metadata/generation");
        receipt
            .fields
            .insert("generation".into(), json!(generation));
        if let Some(hash) = &made.then_full {
            let said = match self
                .skip_steps(session, object, hash, generation, BEGIN)
                .await
            {
                Ok(said) => said.to_owned(),
                Err(Short::Never(why)) => self.said(&by_steps(&why)),
                Err(Short::NotYet(why)) => {
                    return Err(Stop::Unknown(format!(
                        "the template is back, but it is not promoted past its steps yet: {why}"
                    )));
                }
            };
            receipt
                .fields
                .insert("steps".into(), clean(&said, 300).into());
        }
        Ok(receipt)
    }

    /// Waits until the controller has taken up the template, then promotes it fully.
    async fn skip_steps(
        &self,
        session: &Session,
        object: &Object,
        hash: &str,
        generation: Option<i64>,
        begin: Duration,
    ) -> Result<&'static str, Short> {
        let wait = async {
            loop {
                let live = api::get(&session.transport, object)
                    .await
                    .map_err(|f| Short::NotYet(f.to_string()))?;
                let seen = text(&live, "/status/observedGeneration").and_then(|g| g.parse().ok());
                if number(&live, "/metadata/generation") != generation {
                    return Err(Short::Never("it was changed again".to_owned()));
                }
                if seen == generation && current_hash(&live) == hash {
                    return Ok(live);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let mut live = tokio::time::timeout(begin, wait).await.map_err(|_| {
            Short::NotYet(format!(
                "the controller did not begin within {} s",
                begin.as_secs()
            ))
        })??;
        for _ in 0..TRIES {
            if stable_hash(&live) == hash || flag(&live, "/status/promoteFull") {
                return Ok("it is back without steps");
            }
            let patch = Patch {
                status: true,
                form: api::Form::Merge,
                body: json!({ "metadata": {}, "status": { "promoteFull": true } }),
            };
            match api::patch(&session.transport, object, &at_version(patch, &live)).await {
                Patched::Done(_) => return Ok("promoted past its steps"),
                Patched::Moved(_) => {
                    live = api::get(&session.transport, object)
                        .await
                        .map_err(|f| Short::NotYet(f.to_string()))?;
                    if current_hash(&live) != hash {
                        return Err(Short::Never("it was changed again".to_owned()));
                    }
                }
                Patched::Refused(fault) => return Err(Short::Never(fault.to_string())),
                Patched::Unclear(fault) => return Err(Short::NotYet(fault.to_string())),
            }
        }
        Err(Short::NotYet("it is written to all the time".to_owned()))
    }

    /// Looks for an act's mark, and for acts on the status also for its effect. A rollback of which only the template went out is
    /// finished here: that patch holds for that template alone and does the same however often it is sent.
    pub(super) async fn look_up(&self, act: &Act) -> Result<Option<Receipt>, Fault> {
        let session = self.session().await?;
        let object = self.target(&session, act).await?;
        let live = api::get(&session.transport, &object).await?;
        let all = marks(&live);
        let mine: Option<&Mark> = all.iter().find(|m| m.id == act.id);
        let Some(mark) = mine.filter(|m| took_effect(act, m, &live)) else {
            return Ok(None);
        };
        let mut receipt = Receipt {
            id: Some(object.id()),
            ..Receipt::default()
        };
        if let Some(hash) = lacks_full(act, mark, &live) {
            let generation = number(&live, "/metadata/generation");
            let said = match self
                .skip_steps(&session, &object, hash, generation, BEGIN_SOON)
                .await
            {
                Ok(said) => said.to_owned(),
                Err(Short::Never(why)) => by_steps(&why),
                Err(Short::NotYet(why)) => {
                    return Err(self.fault(
                        FaultKind::Unreachable,
                        &format!(
                            "the template is back, but it is not promoted past its steps: {why}"
                        ),
                        "it is tried again",
                    ));
                }
            };
            let said = self.said(&clean(&said, 300));
            receipt.fields.insert("steps".into(), said.into());
        }
        Ok(Some(receipt))
    }

    /// What an act would send.
    pub(super) fn shown(&self, act: &Act) -> Option<Preview> {
        let (status, body) = super::plan::shown(act)?;
        let tail = if status { "/status" } else { "" };
        Some(Preview {
            method: "PATCH".to_owned(),
            path: format!("/apis/{{group}}/namespaces/{{namespace}}/{{kind}}/{{name}}{tail}"),
            body: self.redact_json(&body),
        })
    }

    /// The object that an act is about: by the record's id, else by the name of application or service.
    async fn target(&self, session: &Session, act: &Act) -> Result<Object, Fault> {
        let arg = |name: &str| act.args.get(name).and_then(Value::as_str);
        for id in [arg("id"), arg("app")].into_iter().flatten() {
            if let Some(object) = Object::parse(id) {
                return Ok(object);
            }
        }
        let name = arg("app")
            .or_else(|| arg("service"))
            .or(act.service.as_deref());
        let (Some(name), Some(namespace)) = (name, self.namespace(session)) else {
            return Err(self.fault(
                FaultKind::Config,
                "which object is meant is not said",
                "set app = \"rollout/NAMESPACE/NAME\" in the service's target",
            ));
        };
        for kind in [Kind::Rollout, Kind::Deployment] {
            let object = Object {
                kind,
                namespace: namespace.clone(),
                name: name.to_owned(),
            };
            match api::get(&session.transport, &object).await {
                Ok(_) => return Ok(object),
                Err(fault) if fault.kind == FaultKind::NotFound => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(self.fault(
            FaultKind::NotFound,
            &format!("{namespace} has neither a Rollout nor a Deployment {name}"),
            "look at the service's target in cockpit.toml",
        ))
    }

    async fn sets(&self, session: &Session, object: &Object) -> Result<Vec<Value>, Fault> {
        let within = Within {
            namespace: Some(&object.namespace),
            selector: None,
        };
        Ok(api::list(&session.transport, Kind::ReplicaSet, within)
            .await?
            .items)
    }
}

fn by_steps(why: &str) -> String {
    format!("it goes back step by step: promote it fully ({why})")
}

/// The object could not be read again: what was sent before was refused by the server.
fn moved(fault: Fault) -> Stop {
    Stop::Refused(format!(
        "it moved while it was asked, and cannot be read again: {fault}; nothing was changed"
    ))
}

fn needs_sets(verb: Verb) -> bool {
    verb == Verb::Rollback
}

/// The patch, holding for the object as it is read now.
fn at_version(mut patch: Patch, live: &Value) -> Patch {
    let version = version_of(live).cloned().unwrap_or_default();
    if let Some(meta) = patch
        .body
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
    {
        meta.insert("resourceVersion".into(), version);
    }
    patch
}

fn version_of(live: &Value) -> Option<&Value> {
    live.pointer("/metadata/resourceVersion")
}
