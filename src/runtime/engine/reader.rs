//! When what is read: an interval with jitter a need, back-off after a fault, `Retry-After` respected, a limit a
//! connection. A late answer never overwrites a newer one.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::Instant as Tick;

use crate::connect::Connections;
use crate::connect::driver::ReadSpan;
use crate::domain::needs::{BUCKET, LAST_HOUR, followed, needs};
use crate::domain::observe::{Answer, Call, Fault, FaultKind, Need, Subject};
use crate::domain::record::Records;
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
/// From so many services on, what is further back than the last hours is asked for the followed ones alone.
const MANY: usize = 50;
/// Most services that are named in one question.
const NAMED: usize = 40;
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
    /// The engine's start: what is read together is counted from it.
    origin: Tick,
}

impl Slot {
    fn new(need: Need, now: Tick, origin: Tick) -> Self {
        Self {
            need,
            origin,
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

    /// A bucket that is longer than the time between its readings ages slower than it is read: nothing is lost by the whole
    /// interval, and metrics that are read at the same moment are judged once.
    fn in_step(&self) -> bool {
        let every = self.need.every;
        self.need.call.lookback.is_some_and(|l| l.step > every)
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
            None if self.in_step() => {
                self.failures = 0;
                wait = every
                    .saturating_sub(remainder(now.saturating_duration_since(self.origin), every));
            }
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

/// What is left of a span after whole intervals.
fn remainder(span: Duration, every: Duration) -> Duration {
    let every = every.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(span.as_nanos() % every).unwrap_or(0))
}

/// One question of a turn.
struct Asked {
    call: Call,
    span: Option<ReadSpan>,
    /// Where the server refuses the narrowed question: the whole one.
    whole: Option<Call>,
}

/// Asks one after another; the answers are one.
async fn ask(connections: &Connections, asked: Vec<Asked>) -> Result<Answer, Fault> {
    let mut joined: Option<Answer> = None;
    for one in asked {
        let answer = match (connections.read(&one.call, one.span).await, &one.whole) {
            (Err(fault), Some(whole)) if fault.kind == FaultKind::Refused => {
                connections.read(whole, one.span).await?
            }
            (result, _) => result?,
        };
        joined = Some(match joined {
            Some(before) => join(before, answer),
            None => answer,
        });
    }
    joined.ok_or_else(|| Fault::new(FaultKind::Config, "nothing was asked", ""))
}

fn join(mut before: Answer, later: Answer) -> Answer {
    if let (Records::Series(all), Records::Series(more)) = (&mut before.records, later.records) {
        all.extend(more);
    }
    before.newest = before.newest.max(later.newest);
    before.partial = before.partial.or(later.partial);
    before.interval = before.interval.max(later.interval);
    before
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
        let mut due: Vec<(u64, String)> = self
            .slots
            .iter()
            .filter(|(_, s)| !s.running && s.due <= now)
            .map(|(id, s)| (s.need.call.lookback.map_or(0, |l| l.step), id.clone()))
            .collect();
        // What serves now before what was: the history of hundreds of services keeps a server busy for seconds.
        due.sort_unstable();
        for (_, id) in due {
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
                    let mut slot = Slot::new(need, now, self.origin);
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
        let asked = self.asked(id, now);
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
            let read = ask(&connections, asked);
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

    /// The questions of a need's next reading. A series is read whole at first, then only its tail. Of many services, blocks and
    /// what is further back than the last hours are asked for the followed ones alone: the others' would be thrown away.
    fn asked(&self, id: &str, now: Instant) -> Vec<Asked> {
        let Some(slot) = self.slots.get(id) else {
            return Vec::new();
        };
        let plain = |span| Asked {
            call: slot.need.call.clone(),
            span,
            whole: None,
        };
        let Some((span, step)) = self.span(slot, now) else {
            return vec![plain(None)];
        };
        let recent = recent(span, step);
        let narrowed = self.narrowed(&slot.need);
        match narrowed.filter(|_| step != BUCKET || span.start < recent.start) {
            None => vec![plain(Some(span))],
            Some(call) => {
                let whole = Some(slot.need.call.clone());
                let mut asked = vec![Asked {
                    call,
                    span: Some(span),
                    whole,
                }];
                if step == BUCKET {
                    asked.push(plain(Some(recent)));
                }
                asked
            }
        }
    }

    /// The question for the followed services alone, where that is worth it.
    fn narrowed(&self, need: &Need) -> Option<Call> {
        let Subject::Metric { metric, .. } = &need.subject else {
            return None;
        };
        let spec = self.policy.metric(metric)?;
        let connection = self.policy.connections.get(&spec.connection)?;
        let (all, few) = (self.policy.services.len(), self.followed.len());
        if connection.connector != "prometheus" || all < MANY || few * 4 > all || few > NAMED {
            return None;
        }
        let names: Vec<&str> = self.followed.iter().map(String::as_str).collect();
        let mut call = need.call.clone();
        call.args
            .insert("only_label".to_owned(), spec.service_label.clone());
        call.args
            .insert("only".to_owned(), serde_json::to_string(&names).ok()?);
        Some(call)
    }

    /// The span of a series read, and its buckets' length.
    fn span(&self, slot: &Slot, now: Instant) -> Option<(ReadSpan, u64)> {
        let lookback = slot.need.call.lookback?;
        let step = i64::try_from(lookback.step).ok().filter(|s| *s > 0)?;
        let end = now.timestamp().div_euclid(step) * step;
        let oldest = lookback.oldest(now.timestamp());
        let newest = self.newest(&slot.need);
        let start = match (slot.covered, newest) {
            (Some(covered), Some(newest)) if covered <= oldest => (newest - 2 * step).max(oldest),
            _ => oldest,
        };
        let mut span = ReadSpan {
            start: chrono::DateTime::from_timestamp(start, 0)?,
            end: chrono::DateTime::from_timestamp(end, 0)?,
            step: TimeDelta::seconds(step),
        };
        if slot.taken == 0 && lookback.step == BUCKET {
            // Of services that are not followed the store may lack the last minutes.
            span.start = span.start.min(recent(span, lookback.step).start);
        }
        Some((span, lookback.step))
    }
}

/// The last hours of a span: what is kept of every service.
fn recent(span: ReadSpan, step: u64) -> ReadSpan {
    let step = i64::try_from(step).unwrap_or(60).max(1);
    let back = i64::try_from(LAST_HOUR).unwrap_or(7200).div_euclid(step) * step;
    ReadSpan {
        start: span.end - TimeDelta::seconds(back),
        ..span
    }
}
