//! When what is read: an interval with jitter a need, back-off after a fault, `Retry-After` respected, a limit a
//! connection. A late answer never overwrites a newer one.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::Instant as Tick;

use crate::connect::driver::ReadSpan;
use crate::domain::needs::{followed, needs};
use crate::domain::observe::{Fault, FaultKind, Need, Subject};
use crate::domain::time::{Clock, Instant};

use super::{Engine, Msg};

/// Reads of one connection at a time.
const AT_ONCE: usize = 4;
/// Polled at this share of `every`, so that an answer is there before the last one ages.
const EAGER: f64 = 0.8;
/// No read may take longer than this, whatever its driver says.
const LONGEST: Duration = Duration::from_secs(60);
/// Above this speed reads are not spread, and what is due within this world time is read together.
const SPREAD_UP_TO: f64 = 60.0;
const TOGETHER: Duration = Duration::from_secs(10);
/// A stream that ended is opened again after this.
const REOPEN: Duration = Duration::from_secs(5);

/// The schedule of one need.
pub(super) struct Slot {
    pub need: Need,
    due: Tick,
    /// Before every tick of its life.
    born: Tick,
    running: bool,
    /// When the read that runs was started, in real time.
    started: Tick,
    /// Told to read again while a read was on its way: that one may not show the change.
    asked: bool,
    seq: u64,
    taken: u64,
    failures: u32,
    streaming: bool,
    /// Series: from where on everything was read (Unix seconds).
    pub covered: Option<i64>,
}

impl Slot {
    fn new(need: Need, now: Tick) -> Self {
        Self {
            need,
            due: now,
            born: now,
            running: false,
            started: now,
            asked: false,
            seq: 0,
            taken: 0,
            failures: 0,
            streaming: false,
            covered: None,
        }
    }

    /// Read as soon as possible.
    pub fn soon(&mut self) {
        self.asked = self.running;
        self.due = self.born;
    }

    /// A read is on its way, for no longer than `limit`.
    pub fn on_its_way(&self, limit: Duration) -> bool {
        self.running && self.started.elapsed() < limit
    }

    /// Neither an answer nor a fault yet.
    pub fn never_answered(&self) -> bool {
        self.taken == 0
    }

    /// Is this answer newer than the last one taken?
    pub fn accept(&mut self, seq: u64) -> bool {
        self.running = false;
        if seq <= self.taken {
            return false;
        }
        self.taken = seq;
        true
    }

    /// When to read again, counted from `now`.
    pub fn again(&mut self, fault: Option<&Fault>, clock: &dyn Clock, now: Tick) {
        let every = Duration::from_secs(self.need.every.max(1)).div_f64(clock.speed());
        let spread = if clock.speed() > SPREAD_UP_TO {
            1.0
        } else {
            jitter(&self.need.id, self.seq)
        };
        let mut wait = every.mul_f64(EAGER * spread);
        match fault {
            None => self.failures = 0,
            Some(fault) => {
                self.failures = (self.failures + 1).min(8);
                let growth = 2u32.saturating_pow(self.failures - 1);
                wait = wait.mul_f64(0.5).saturating_mul(growth).min(every * 2);
                if let Some(at) = fault.retry_at {
                    let until = (at - clock.now().world).to_std().unwrap_or_default();
                    wait = wait.max(until.div_f64(clock.speed()));
                }
                if fault.kind == FaultKind::Unauthorized {
                    wait = every * 2;
                }
            }
        }
        if std::mem::take(&mut self.asked) && fault.is_none() {
            wait = Duration::ZERO;
        }
        self.due = now + wait;
    }
}

/// 0.9 … 1.0, spread by need and turn, so that a hundred feeds do not ask at once.
fn jitter(id: &str, seq: u64) -> f64 {
    let mut hash = seq.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    0.9 + (hash % 1000) as f64 / 10_000.0
}

impl Engine {
    /// Starts the reads that are due.
    pub(super) fn schedule(&mut self) {
        let every = super::PLAN.div_f64(self.clock.speed().clamp(1.0, 20.0));
        let head = self.journal.head.0;
        if self
            .planned
            .is_none_or(|(at, seen)| seen != head || at.elapsed() >= every)
        {
            self.planned = Some((Tick::now(), head));
            self.plan();
        }
        let speed = self.clock.speed();
        let ahead = if speed > SPREAD_UP_TO {
            TOGETHER.div_f64(speed)
        } else {
            Duration::ZERO
        };
        let now = self.tick() + ahead;
        let due: Vec<String> = self
            .slots
            .iter()
            .filter(|(_, s)| !s.running && s.due <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.start_read(&id);
        }
    }

    /// Brings the slots in line with what is needed.
    fn plan(&mut self) {
        let wanted = needs(&self.policy, &self.journal, self.clock.now());
        let ids: std::collections::HashSet<&str> = wanted.iter().map(|n| n.id.as_str()).collect();
        self.slots.retain(|id, _| ids.contains(id.as_str()));
        let now = self.tick();
        for need in wanted {
            match self.slots.get_mut(&need.id) {
                Some(slot) => slot.need = need,
                None => {
                    let mut slot = Slot::new(need, now);
                    if let Subject::Metric { metric, part, step } = &slot.need.subject {
                        slot.covered = self.covered.remove(&(metric.clone(), *part, *step));
                    }
                    self.slots.insert(slot.need.id.clone(), slot);
                }
            }
        }
        self.follow();
    }

    /// When a service is followed from now on, its history is read whole.
    fn follow(&mut self) {
        let followed: std::collections::BTreeSet<String> = followed(&self.policy, &self.journal)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if followed.is_subset(&self.followed) {
            self.followed = followed;
            return;
        }
        for slot in self.slots.values_mut() {
            if slot.covered.take().is_some() {
                slot.soon();
            }
        }
        self.kept.clear();
        self.followed = followed;
    }

    /// When the next read is due.
    pub(super) fn next_due(&self) -> Tick {
        self.slots
            .values()
            .filter(|s| !s.running)
            .map(|s| s.due)
            .min()
            .unwrap_or_else(|| self.tick() + Duration::from_secs(60))
    }

    fn start_read(&mut self, id: &str) {
        let now = self.clock.now().world;
        let span = self.span(id, now);
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        slot.running = true;
        slot.started = Tick::now();
        slot.seq += 1;
        let (need, seq) = (slot.need.clone(), slot.seq);
        let limit = Arc::clone(
            self.limits
                .entry(need.call.connection.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))),
        );
        let first = !slot.streaming;
        slot.streaming = true;
        if let Some(feed) = self.observed.feeds.get_mut(id) {
            feed.reading = true;
        }
        let (connections, tx) = (Arc::clone(&self.connections), self.tx.clone());
        if first {
            self.stream(need.clone());
        }
        tokio::spawn(async move {
            let _permit = limit.acquire().await;
            let read = connections.read(&need.call, span);
            let result = match tokio::time::timeout(LONGEST, read).await {
                Ok(result) => result,
                Err(_) => Err(Fault::new(
                    FaultKind::Timeout,
                    format!(
                        "{}: no answer within {} s",
                        need.call.connection,
                        LONGEST.as_secs()
                    ),
                    "see whether the vendor is slow or unreachable",
                )),
            };
            // The age counts from when it was asked for: what came after may not be in the answer.
            let _ = tx.send(Msg::Read {
                need: need.id,
                seq,
                read_at: now,
                result,
            });
        });
    }

    /// A vendor's stream only says "read again"; a quiet one is no data.
    fn stream(&self, need: Need) {
        let connections = Arc::clone(&self.connections);
        let tx = self.tx.clone();
        tokio::spawn(async move {
            loop {
                let Some(mut changes) = connections.changes(&need.call) else {
                    return;
                };
                while let Some(Ok(())) = changes.next().await {
                    if tx
                        .send(Msg::Changed {
                            need: need.id.clone(),
                        })
                        .is_err()
                    {
                        return;
                    }
                }
                if tx.is_closed() {
                    return;
                }
                tokio::time::sleep(REOPEN).await;
            }
        });
    }

    /// The span of a series read: whole at first, then only its tail.
    fn span(&self, id: &str, now: Instant) -> Option<ReadSpan> {
        let slot = self.slots.get(id)?;
        let lookback = slot.need.call.lookback?;
        let step = i64::try_from(lookback.step).ok().filter(|s| *s > 0)?;
        let back = i64::try_from(lookback.seconds).ok()?;
        let end = now.timestamp().div_euclid(step) * step;
        let oldest = (end - back).div_euclid(step) * step;
        let newest = self.newest(&slot.need);
        let start = match (slot.covered, newest) {
            (Some(covered), Some(newest)) if covered <= oldest => (newest - 2 * step).max(oldest),
            _ => oldest,
        };
        Some(ReadSpan {
            start: chrono::DateTime::from_timestamp(start, 0)?,
            end: chrono::DateTime::from_timestamp(end, 0)?,
            step: TimeDelta::seconds(step),
        })
    }
}
