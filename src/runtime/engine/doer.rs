//! Orders and duties done: journal first, then the act, then its outcome (law 4).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant as Tick;

use crate::app::port::Fact;
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::assess::assess;
use crate::domain::event::{Body, StepState};
use crate::domain::observe::{Fault, FaultKind, Subject, lock_name};
use crate::domain::orders::decide;
use crate::domain::situation::{Duty, Refusal, Request, Task};
use crate::store::{Append, Appended, Holding, LeaseTaken, NewEvent, StoreError};

use super::super::journal::{Author, encode};
use super::{Engine, Msg};

/// The same act is looked up at most this often.
const LOOK_UP: Duration = Duration::from_secs(10);
/// As good as never, in this process.
const NEVER: Duration = Duration::from_secs(365 * 86_400);
/// Reading the target again may take this long; then the order is refused.
const REREAD: Duration = Duration::from_secs(10);

impl Engine {
    /// Does what is owed. True when the journal went on, so that there may be more.
    pub(super) async fn duties(&mut self) -> bool {
        let owed: Vec<Duty> = self
            .situation
            .owed
            .iter()
            .filter(|d| !self.done.contains(&d.key))
            .cloned()
            .collect();
        let before = self.journal.head.0;
        for duty in owed {
            // A journal that takes no writes is in the session's fault by now, and on screen as BLIND.
            let _ = self.perform(duty, None).await;
        }
        self.journal.head.0 != before
    }

    /// A confirmed wish: the targets are read again, the permit is judged again, then it is done.
    pub(super) async fn act_on(&mut self, seq: u64, request: Request) {
        if let Err(e) = self.store.can_write().await {
            self.observed.session.journal_fault = Some(e.to_string());
            self.refuse(seq, vec![Refusal::new("journal", e.to_string())]);
            return;
        }
        self.observed.session.journal_fault = None;
        if touches_a_target(&request.action) {
            self.reread().await;
        }
        let nonce = nonce();
        let decided = decide(
            &self.policy,
            &self.journal,
            &self.observed,
            self.clock.now(),
            &request,
            &nonce,
        );
        match decided {
            Err(refusals) => self.refuse(seq, refusals),
            Ok(duties) => {
                // Of a stopped line each answer stands in its list: one word says that it was asked.
                let line = request.action == "stop_line";
                let acts = duties
                    .iter()
                    .filter(|d| matches!(d.task, Task::Perform { .. }) && !line)
                    .count();
                for duty in duties {
                    let order = Some(seq).filter(|_| !line);
                    if let Err(why) = self.perform(duty, order).await {
                        self.refuse(seq, vec![Refusal::new("journal", why)]);
                        return;
                    }
                }
                if acts == 0 {
                    let said = if line {
                        "the line is stopped: who obeys stands at the deploys"
                    } else {
                        "journaled"
                    };
                    self.say(Fact::Done {
                        seq,
                        result: Ok(said.to_owned()),
                    });
                }
            }
        }
    }

    /// Reads the live deployments of the current release's services again (law 3).
    async fn reread(&mut self) {
        let needs: Vec<_> = self
            .slots
            .values()
            .filter(|s| matches!(s.need.subject, Subject::Deployments { .. }))
            .map(|s| s.need.clone())
            .collect();
        let now = self.clock.now().world;
        let connections = Arc::clone(&self.connections);
        let reads = needs.iter().map(|need| {
            let connections = Arc::clone(&connections);
            async move {
                (
                    need,
                    tokio::time::timeout(REREAD, connections.read(&need.call, None)).await,
                )
            }
        });
        for (need, result) in futures::future::join_all(reads).await {
            let feed = self.observed.feeds.entry(need.id.clone()).or_default();
            match result {
                Ok(Ok(answer)) => {
                    feed.fault = None;
                    self.answered(need, now, answer);
                }
                Ok(Err(fault)) => {
                    feed.fault = Some(fault);
                    // What cannot be read again cannot be acted upon.
                    feed.last = None;
                }
                Err(_) => feed.last = None,
            }
        }
    }

    /// Carries out one duty.
    ///
    /// # Errors
    /// A sentence when the journal could not be written: then nothing was sent.
    pub(super) async fn perform(&mut self, duty: Duty, order: Option<u64>) -> Result<(), String> {
        match duty.task {
            Task::Record {
                actor,
                known_by,
                bodies,
            } => {
                let author = Author {
                    actor,
                    known_by,
                    host: self.author.host.clone(),
                };
                self.append(&author, duty.release.as_deref(), &duty.key, &bodies, false)
                    .await?;
                self.done.insert(duty.key);
                Ok(())
            }
            Task::Perform { before, act, step } => {
                // What is put back is compared with the live field of this moment.
                if step.is_some()
                    && act.verb == Verb::ReleaseHold
                    && !self.still_owed(&duty.key).await
                {
                    return Ok(());
                }
                self.lock(&act).await?;
                let author = self.author.clone();
                let mut bodies = before;
                bodies.push(Body::Intended { act: act.clone() });
                let held = step.is_some();
                let written = self
                    .append(&author, duty.release.as_deref(), &duty.key, &bodies, held)
                    .await?;
                self.done.insert(duty.key);
                if written.iter().any(|a| a.fresh) {
                    self.send(act, step, order);
                } else if let Some(seq) = order {
                    // Another cockpit confirmed the same on the same ground, and was first.
                    let why = format!("{} was asked by another cockpit just now", act.summary);
                    self.refuse(
                        seq,
                        vec![
                            Refusal::new("asked", why)
                                .way_out("it is not sent twice; what comes of it is shown here"),
                        ],
                    );
                }
                Ok(())
            }
            Task::Reconcile { act, step } => {
                self.look_up(duty.key, act, step);
                Ok(())
            }
        }
    }

    /// Appends events in one transaction; the first carries the key, the others its numbered ones.
    async fn append(
        &mut self,
        author: &Author,
        release: Option<&str>,
        key: &str,
        bodies: &[Body],
        under_lease: bool,
    ) -> Result<Vec<Appended>, String> {
        let now = self.clock.now();
        let mut events: Vec<NewEvent> = Vec::with_capacity(bodies.len());
        for (n, body) in bodies.iter().enumerate() {
            let key = if n == 0 {
                key.to_owned()
            } else {
                format!("{key}#{n}")
            };
            events.push(encode(body, author, release, now.world, Some(key))?);
        }
        let holding = release.filter(|_| under_lease).map(|r| Holding {
            lease: format!("driver/{r}"),
            holder: self.holder.clone(),
            now: now.real,
        });
        let result = self
            .store
            .append(Append {
                events,
                expect_head: None,
                holding,
            })
            .await;
        match result {
            Ok(written) => {
                self.observed.session.journal_fault = None;
                self.catch_up().await;
                Ok(written)
            }
            Err(e) => {
                if matches!(e, StoreError::LeaseLost { .. }) {
                    self.leases().await;
                } else {
                    self.observed.session.journal_fault = Some(e.to_string());
                }
                Err(e.to_string())
            }
        }
    }

    /// Is that still owed by a reading of now?
    async fn still_owed(&mut self, key: &str) -> bool {
        self.reread().await;
        let now = self.clock.now();
        let s = assess(&self.policy, &self.journal, &self.observed, now);
        s.owed.iter().any(|d| d.key == key)
    }

    /// Takes the lock on the service that an act moves. What only stops something is never locked out.
    async fn lock(&mut self, act: &Act) -> Result<(), String> {
        let moves = matches!(
            act.verb,
            Verb::Deploy
                | Verb::Rollback
                | Verb::Promote
                | Verb::Retry
                | Verb::Restart
                | Verb::Hold
                | Verb::ReleaseHold
        );
        let place = act.service.as_ref().zip(act.environment.as_ref());
        let Some((service, environment)) = place.filter(|_| moves) else {
            return Ok(());
        };
        let name = lock_name(service, environment);
        let real = self.clock.now().real;
        match self.store.take_lease(&name, &self.holder, real).await {
            Ok(LeaseTaken::Taken { .. }) => {
                self.locks.insert(name);
                Ok(())
            }
            Ok(LeaseTaken::Held(other)) => {
                self.leases().await;
                Err(format!(
                    "{} acts on {service} in {environment} now: nothing was sent; wait until that is through",
                    other.holder
                ))
            }
            Err(e) => Err(e.to_string()),
        }
    }

    fn send(&mut self, act: Act, step: Option<(String, String)>, order: Option<u64>) {
        self.observed.session.in_flight.push(act.id.clone());
        let (connections, tx) = (Arc::clone(&self.connections), self.tx.clone());
        tokio::spawn(async move {
            let outcome = connections.act(&act).await;
            let _ = tx.send(Msg::Acted {
                act,
                step,
                outcome,
                order,
            });
        });
    }

    /// An act came back: its outcome is journaled, and the live state is read again at once.
    pub(super) async fn acted(
        &mut self,
        act: Act,
        step: Option<(String, String)>,
        outcome: Outcome,
        order: Option<u64>,
    ) {
        self.observed.session.in_flight.retain(|id| *id != act.id);
        self.conclude(&act, step, &outcome, "").await;
        self.keep_locks().await;
        if let Some(seq) = order {
            let result = match &outcome {
                Outcome::Confirmed { .. } => Ok(format!("{}: confirmed", act.summary)),
                Outcome::Refused { why } => Err(vec![Refusal::new(
                    act.connection.clone(),
                    format!("{} refused: {why}", act.summary),
                )]),
                Outcome::Unknown { why } => Err(vec![
                    Refusal::new(
                        act.connection.clone(),
                        format!("{}: outcome unknown: {why}", act.summary),
                    )
                    .way_out("it is looked up by its mark; it is not sent again"),
                ]),
            };
            self.say(Fact::Done { seq, result });
        }
        self.read_targets();
    }

    fn read_targets(&mut self) {
        for slot in self.slots.values_mut() {
            let live = matches!(
                slot.need.subject,
                Subject::Deployments { .. } | Subject::Incidents | Subject::Reactions { .. }
            );
            if live {
                slot.soon();
            }
        }
    }

    async fn conclude(
        &mut self,
        act: &Act,
        step: Option<(String, String)>,
        outcome: &Outcome,
        how: &str,
    ) {
        let mut bodies = vec![Body::Concluded {
            act: act.id.clone(),
            outcome: outcome.clone(),
        }];
        if let Some((plan, step)) = step {
            let (state, detail) = match outcome {
                Outcome::Confirmed { .. } => (StepState::Confirmed, how.to_owned()),
                Outcome::Refused { why } => (StepState::Refused, why.clone()),
                Outcome::Unknown { why } => (StepState::Unknown, why.clone()),
            };
            bodies.push(Body::PlanStepped {
                plan,
                step,
                state,
                detail,
            });
        }
        let author = Author {
            actor: "cockpit".to_owned(),
            known_by: "program".to_owned(),
            host: self.author.host.clone(),
        };
        let key = format!("concluded/{}/{}", act.id, outcome.word());
        if let Err(why) = self
            .append(&author, act.release.as_deref(), &key, &bodies, false)
            .await
        {
            self.say(Fact::Trouble(format!(
                "{} was {} but that cannot be journaled: {why}",
                act.summary,
                outcome.word()
            )));
        }
    }

    /// Asks the vendor whether an act's mark is there.
    fn look_up(&mut self, key: String, act: Act, step: Option<(String, String)>) {
        let recent = self
            .looked
            .get(&key)
            .is_some_and(|t| t.elapsed() < LOOK_UP.div_f64(self.clock.speed()));
        if recent {
            return;
        }
        self.looked.insert(key.clone(), Tick::now());
        let (connections, tx) = (Arc::clone(&self.connections), self.tx.clone());
        tokio::spawn(async move {
            let found = connections.find(&act).await;
            let _ = tx.send(Msg::Found {
                act,
                step,
                found,
                key,
            });
        });
    }

    /// The vendor answered whether the mark is there.
    pub(super) async fn found(
        &mut self,
        act: Act,
        step: Option<(String, String)>,
        found: Result<Option<Receipt>, Fault>,
        key: &str,
    ) {
        if found.as_ref().is_err_and(no_way) {
            // There is nobody to ask: a person settles it by word.
            self.looked.insert(key.to_owned(), Tick::now() + NEVER);
            return;
        }
        let age = self
            .journal
            .acts
            .get(&act.id)
            .map_or(0, |a| (self.clock.now().world - a.at).num_seconds());
        let settles = self
            .connections
            .settles(&act)
            .and_then(|s| i64::try_from(s.as_secs()).ok());
        let Some(outcome) = told(found, age, settles) else {
            return;
        };
        self.conclude(&act, step, &outcome, "found at the vendor by its mark")
            .await;
        self.read_targets();
    }
}

/// The connector has no way to look an act up: asking again brings nothing.
fn no_way(fault: &Fault) -> bool {
    fault.kind == FaultKind::Config || fault.hint.contains("settle it by word")
}

/// What a look-up `age` seconds after the intent tells; `None`: it stays unknown and is looked up again. A mark that is not there yet may
/// still come: the connector says for how many seconds, or that absence never proves anything.
fn told(found: Result<Option<Receipt>, Fault>, age: i64, settles: Option<i64>) -> Option<Outcome> {
    match found {
        Ok(Some(receipt)) => Some(Outcome::Confirmed { receipt }),
        Ok(None) if settles.is_some_and(|s| age >= s) => Some(Outcome::Refused {
            why: "looked up at the vendor: its mark is not there".to_owned(),
        }),
        Ok(None) | Err(_) => None,
    }
}

/// Acts whose target is read again after the confirmation.
fn touches_a_target(action: &str) -> bool {
    let verb = action.split_once('/').map_or(action, |(verb, _)| verb);
    matches!(
        verb,
        "deploy"
            | "promote"
            | "promote_full"
            | "retry"
            | "restart"
            | "abort"
            | "pause"
            | "resume"
            | "rollback"
            | "stop_line"
            | "attach"
    )
}

/// Ten random characters: makes an act's id unique.
fn nonce() -> String {
    use rand::RngExt;
    let mut rng = rand::rng();
    (0..10)
        .map(|_| char::from(b'a' + rng.random_range(0..26u8)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_mark_settles_an_act_only_when_the_connector_says_so() {
        let word = |age, settles| told(Ok(None), age, settles).map(|o| o.word());
        assert_eq!(word(30, Some(30)), Some("refused"));
        // Jenkins keeps an accepted build in its queue.
        assert_eq!(word(30, Some(600)), None);
        assert_eq!(word(600, Some(600)), Some("refused"));
        assert_eq!(word(1_000_000, None), None);
        let there = told(Ok(Some(Receipt::default())), 0, None);
        assert_eq!(there.map(|o| o.word()), Some("confirmed"));
    }
}
