//! What commands without a screen ask of the engine: look until something is known, judge one wish, ask every
//! connection how it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant as Tick;

use crate::app::port::Fact;
use crate::connect::driver::Preview;
use crate::domain::act::Act;
use crate::domain::journal::Journal;
use crate::domain::observe::{Fault, FaultKind, Need, Observed};
use crate::domain::orders::decide;
use crate::domain::situation::{Duty, Refusal, Request, Situation};
use crate::domain::time::Now;

use super::{Engine, Inbox};

/// The number of the only order of a command.
const ONLY: u64 = 1;
/// Asked for its health, a connection may take this long.
const HEALTH: Duration = Duration::from_secs(20);

impl Engine {
    /// Makes a release the current one, as if a person looked at it.
    ///
    /// # Errors
    /// The releases there are, in a sentence, when none has that id.
    pub async fn focus(&mut self, release: &str) -> Result<(), String> {
        let known: Vec<&str> = self
            .situation
            .releases
            .iter()
            .map(|r| r.plan.id.as_str())
            .collect();
        if !known.contains(&release) {
            let there = if known.is_empty() {
                "no release is planned".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            };
            return Err(format!("no release is called {release}: {there}"));
        }
        self.observed.session.focus.0 = Some(release.to_owned());
        self.judge().await;
        Ok(())
    }

    /// Journals what is seen (deployments, gates, trips) without taking any driver's lease: no step, no message and no
    /// rollback is done by this process.
    pub fn keep_records(&mut self) {
        self.records = true;
    }

    /// Reads until every need that `wanted` names was answered or failed, or `patience` is over; then judges.
    pub async fn look_for(
        &mut self,
        inbox: &mut Inbox,
        patience: Duration,
        wanted: impl Fn(&Need) -> bool,
    ) -> Arc<Situation> {
        let end = Tick::now() + patience;
        self.connect();
        self.running = true;
        loop {
            self.schedule();
            let waiting = self
                .slots
                .values()
                .any(|s| s.never_answered() && wanted(&s.need));
            if !waiting || Tick::now() >= end {
                break;
            }
            tokio::select! {
                msg = inbox.rx.recv() => {
                    if let Some(msg) = msg {
                        self.take(msg).await;
                    }
                }
                () = tokio::time::sleep_until(end.min(self.real(self.next_due()))) => {}
            }
        }
        self.judge().await;
        Arc::clone(&self.situation)
    }

    /// Does one wish and waits for its end: what became of it, or why it was refused.
    ///
    /// # Errors
    /// The refusals, each with its way out.
    pub async fn order_once(
        &mut self,
        inbox: &mut Inbox,
        request: Request,
        patience: Duration,
    ) -> Result<String, Vec<Refusal>> {
        let (tx, mut rx) = unbounded_channel();
        let facts = std::mem::replace(&mut self.facts, tx);
        self.act_on(ONLY, request).await;
        let end = Tick::now() + patience;
        let mut said = Vec::new();
        let result = loop {
            done(&mut rx, &mut said);
            // One wish may be several acts, such as a brief over two channels: the last one is waited for.
            if !said.is_empty() && self.observed.session.in_flight.is_empty() {
                break all(std::mem::take(&mut said));
            }
            tokio::select! {
                msg = inbox.rx.recv() => {
                    if let Some(msg) = msg {
                        self.take(msg).await;
                    }
                }
                () = tokio::time::sleep_until(end) => break Err(vec![
                    Refusal::new("time", "the act was sent and its outcome is not known yet")
                        .way_out("it is looked up by its mark when the cockpit runs; it is not sent again"),
                ]),
            }
        };
        self.facts = facts;
        self.judge().await;
        result
    }

    /// What a wish would come to, without doing any of it.
    ///
    /// # Errors
    /// The refusals.
    pub fn rehearse(&self, request: &Request) -> Result<Vec<Duty>, Vec<Refusal>> {
        decide(
            &self.policy,
            &self.journal,
            &self.observed,
            self.clock.now(),
            request,
            "dry-run",
        )
    }

    /// What an act would send, redacted; `None` where nothing here performs it.
    #[must_use]
    pub fn preview(&self, act: &Act) -> Option<Preview> {
        self.connections.preview(act)
    }

    /// Every connection of the file and how it is, in a sentence.
    pub async fn health(&mut self) -> BTreeMap<String, Result<String, Fault>> {
        let (tx, mut rx) = unbounded_channel();
        let facts = std::mem::replace(&mut self.facts, tx);
        self.connect();
        self.facts = facts;
        let mut said = Vec::new();
        while let Ok(fact) = rx.try_recv() {
            if let Fact::Trouble(text) = fact {
                said.push(text);
            }
        }
        let asked = self.policy.connections.keys().map(|name| {
            let connections = Arc::clone(&self.connections);
            async move {
                let health = tokio::time::timeout(HEALTH, connections.health(name));
                let late = || {
                    let what = format!("{name} did not answer within {} s", HEALTH.as_secs());
                    Fault::new(
                        FaultKind::Timeout,
                        what,
                        "look at the address and the network",
                    )
                };
                (name.clone(), health.await.unwrap_or_else(|_| Err(late())))
            }
        });
        let mut out: BTreeMap<_, _> = futures::future::join_all(asked).await.into_iter().collect();
        for (name, health) in &mut out {
            // One that could not be opened: its own mistake says more than that it is missing.
            let key = format!("connections.{name}");
            if self.connections.get(name).is_none()
                && let Some(why) = said.iter().find(|text| text.contains(&key))
            {
                *health = Err(Fault::new(FaultKind::Config, why.clone(), ""));
            }
        }
        out
    }

    /// What was observed.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The journal, folded.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The time by the engine's clock.
    #[must_use]
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The file as it was read.
    #[must_use]
    pub fn loaded(&self) -> &super::Loaded {
        &self.loaded
    }

    /// Gives back what it holds.
    pub async fn close(self) {
        self.leave().await;
    }
}

fn done(
    facts: &mut tokio::sync::mpsc::UnboundedReceiver<Fact>,
    said: &mut Vec<Result<String, Vec<Refusal>>>,
) {
    while let Ok(fact) = facts.try_recv() {
        if let Fact::Done { result, .. } = fact {
            said.push(result);
        }
    }
}

/// Done only when every part is.
fn all(said: Vec<Result<String, Vec<Refusal>>>) -> Result<String, Vec<Refusal>> {
    let mut words = Vec::new();
    let mut refusals = Vec::new();
    for one in said {
        match one {
            Ok(text) => words.push(text),
            Err(more) => refusals.extend(more),
        }
    }
    if refusals.is_empty() {
        Ok(words.join("; "))
    } else {
        Err(refusals)
    }
}
