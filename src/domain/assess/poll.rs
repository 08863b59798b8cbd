//! One trigger at any moment, read off the buckets: its polls, and where it stands by them (SEMANTICS 7). The live triggers and
//! the backtest both judge by these functions.
//!
//! A poll is the end of a 60 s bucket, so that a trigger's history is read off the data and not off this process's
//! memory: after a restart it stands where it stood.

use crate::domain::judge::{self, BaselineKind, Counts, Direction, PollInput, PollState, Side};
use crate::domain::needs::{BLOCK, BUCKET};
use crate::domain::policy::{BurnPair, Limit, MetricKind, Trigger};

use super::data::{Data, Group};
use super::metrics::median;
use super::week::Week;

/// The hour before a deployment, seconds.
const HOUR: i64 = 3600;
/// Windows from here on are read off the ten-minute blocks of the history, seconds.
const LONG: u64 = 2 * 3600;
/// Of a burn rate's window, the share of buckets that may be missing.
const MAY_MISS: f64 = 0.1;
/// The newest block ends less than three blocks before the poll, seconds: it is read once a block, after it ended, and one
/// reading may fail.
const BLOCK_LAG: i64 = 1799;

/// What a trigger is held against: whose buckets, which baseline, from when on.
pub(crate) struct Ground<'d, 'a> {
    /// The metric's buckets of the service.
    pub data: &'d Data<'a>,
    /// The service's objective for the metric.
    pub slo: Option<f64>,
    /// The new version's buckets.
    pub new: Group<'a>,
    /// The old version's.
    pub old: Group<'a>,
    /// Concurrent, the hour before, or other days.
    pub kind: BaselineKind,
    /// The hours of other days, where these are the baseline.
    pub week: Option<Week>,
    /// Clean start, Unix seconds: polls end after it.
    pub since: i64,
    /// When the deployment began: the hour before it is the baseline.
    pub deployed: i64,
}

/// One poll as far as it concerns the trigger.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    /// What it says.
    pub state: PollState,
    /// Where the metric is, in the limit's unit.
    pub value: Option<f64>,
    /// Where the limit is.
    pub limit: Option<f64>,
    /// What more there is to say: from where on it counts at this traffic, or over which windows it burns.
    pub reach: Option<String>,
    /// It still mixes old and new until then (Unix seconds): it may trip, and is not clear.
    pub mixed: Option<i64>,
}

/// Where a trigger stands by its polls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    /// Every poll of `for` was breached, or it tripped before and was not quiet for all of `for` since.
    pub tripped: bool,
    /// Seconds breached so far.
    pub held: u64,
    /// Breached now.
    pub breached: bool,
    /// It cannot be told, and why.
    pub undecided: Option<String>,
}

/// How many polls lie in `for`: five minutes mean breached at both ends of them, six polls a minute apart.
pub(crate) fn count(trigger: &Trigger) -> usize {
    within(trigger.hold_for)
}

/// How many polls are looked at: a gap does not take back what was breached before it, for as long as `for` once more.
pub(crate) fn look_back(trigger: &Trigger) -> usize {
    within(trigger.hold_for.saturating_mul(2))
}

fn within(seconds: u64) -> usize {
    usize::try_from(seconds.div_ceil(60).saturating_add(1)).unwrap_or(usize::MAX)
}

/// The polls up to `until` that say where the trigger stands, oldest first: those of `for`, and behind a gap those before it.
/// Fewer where the clean start lies in them.
pub(crate) fn polls(ground: &Ground<'_, '_>, trigger: &Trigger, until: i64) -> Vec<Poll> {
    let wanted = count(trigger);
    let (mut breached, mut clear) = (0, 0);
    let mut out: Vec<Poll> = Vec::new();
    for i in 0..look_back(trigger) {
        let at = until - i64::try_from(i).unwrap_or(i64::MAX / 60) * 60;
        // Behind a gap it is looked for as many of one kind as lie in `for`, until one of the other kind comes.
        let settled = breached.max(clear) >= wanted || (breached > 0 && clear > 0);
        if at <= ground.since || (i >= wanted && settled) {
            break;
        }
        let poll = poll(ground, trigger, at);
        breached += usize::from(poll.state == PollState::Breached);
        clear += usize::from(poll.state == PollState::Clear);
        out.push(poll);
    }
    out.reverse();
    out
}

/// Trips when it is breached and as many polls as lie in `for` were, with no clear one between them; a gap makes it undecided,
/// it neither resets nor trips. `polls` are oldest first; `tripped`: it had tripped before.
pub(crate) fn stand(trigger: &Trigger, polls: &[Poll], tripped: bool) -> Standing {
    let why = |p: &Poll| match &p.state {
        PollState::Undecided { why } => Some(why.clone()),
        _ => None,
    };
    // Since the newest clear poll; what is undecided in between neither counts nor resets.
    let since_clear = || {
        polls
            .iter()
            .rev()
            .take_while(|p| p.state != PollState::Clear)
    };
    let breached = since_clear()
        .filter(|p| p.state == PollState::Breached)
        .count();
    let gap = since_clear().find_map(why);
    let now = polls.last().map(|p| &p.state);
    let full = now == Some(&PollState::Breached) && breached >= count(trigger);
    // A tripped trigger is clear again when as many polls as lie in `for` were, with no breached one between them.
    let clear = polls.iter().rev();
    let clear = clear.take_while(|p| p.state != PollState::Breached);
    let clear = clear.filter(|p| p.state == PollState::Clear).count();
    let quiet = now == Some(&PollState::Clear) && (clear >= count(trigger) || clear == polls.len());
    Standing {
        tripped: full || (tripped && !quiet),
        held: (breached.saturating_sub(1) as u64 * 60).min(trigger.hold_for),
        breached: breached > 0,
        undecided: gap.filter(|_| !full),
    }
}

fn undecided(why: impl Into<String>) -> Poll {
    Poll {
        state: PollState::Undecided { why: why.into() },
        value: None,
        limit: None,
        reach: None,
        mixed: None,
    }
}

/// The poll at the end of the bucket `at`.
pub(crate) fn poll(ground: &Ground<'_, '_>, trigger: &Trigger, at: i64) -> Poll {
    if !trigger.burn.is_empty() {
        return burn_poll(ground, trigger, at);
    }
    let window = i64::try_from(trigger.window).unwrap_or(60).max(60);
    let from = (at - window).max(ground.since);
    if ground.data.metric.kind == MetricKind::Ratio {
        if !ground.data.whole(ground.new, from, at) {
            return undecided("a gap in the data");
        }
        ratio_poll(ground, trigger, from, at)
    } else {
        series_poll(ground, trigger, at)
    }
}

fn ratio_poll(ground: &Ground<'_, '_>, trigger: &Trigger, from: i64, at: i64) -> Poll {
    let data = ground.data;
    let limit = match trigger.limit {
        Limit::Baseline(times) => judge::Limit::TimesBaseline(times),
        Limit::Value(v) => judge::Limit::Value(v),
        Limit::Slo => match ground.slo {
            Some(slo) => judge::Limit::Value(slo),
            None => return undecided(format!("no slo for {} is configured", data.metric.id)),
        },
    };
    let old: Option<Counts> = match ground.kind {
        BaselineKind::Concurrent => data.counts_back(ground.old, from, at, HOUR),
        _ => match &ground.week {
            Some(week) => Some(week.counts),
            None => data.counts(ground.old, ground.deployed - HOUR, ground.deployed),
        },
    };
    // A limit that is a value is compared with no group that could share the noise.
    let kind = match limit {
        judge::Limit::TimesBaseline(_) => ground.kind,
        judge::Limit::Value(_) => BaselineKind::Hour,
    };
    let noise = data.noise(ground.deployed, kind);
    let Some(window) = data.counts(ground.new, from, at) else {
        return undecided("no traffic");
    };
    let judged = judge::judge_poll(&PollInput {
        window,
        baseline: old,
        kind: ground.kind,
        days: ground.week.as_ref().map(|w| w.days),
        noise,
        limit,
        side: if trigger.above {
            Side::Above
        } else {
            Side::Below
        },
    });
    Poll {
        reach: judged.reach(limit),
        state: judged.state,
        value: judged.value,
        limit: judged.limit,
        mixed: None,
    }
}

/// Series need no evidence: the point itself against the limit.
fn series_poll(ground: &Ground<'_, '_>, trigger: &Trigger, at: i64) -> Poll {
    let value = ground
        .data
        .points(ground.new, at - 60, at)
        .last()
        .map(|(_, v)| *v);
    let (value, limit) = match trigger.limit {
        Limit::Value(v) => (value, Some(v)),
        Limit::Slo => (value, ground.slo),
        Limit::Baseline(times) => (
            value
                .zip(series_baseline(ground, at))
                .filter(|(_, b)| *b > 0.0)
                .map(|(v, b)| v / b),
            Some(times),
        ),
    };
    let state = match (value, limit.filter(|l| l.is_finite())) {
        (Some(v), Some(l)) if (trigger.above && v > l) || (!trigger.above && v < l) => {
            PollState::Breached
        }
        (Some(_), Some(_)) => PollState::Clear,
        (None, _) => PollState::Undecided {
            why: "no data".to_owned(),
        },
        (_, None) => PollState::Undecided {
            why: "no limit is configured".to_owned(),
        },
    };
    Poll {
        state,
        value,
        limit,
        reach: None,
        mixed: None,
    }
}

/// The median that a series is compared with.
fn series_baseline(ground: &Ground<'_, '_>, at: i64) -> Option<f64> {
    let (from, to) = match ground.kind {
        BaselineKind::Concurrent => (ground.since, at),
        _ => (ground.deployed - HOUR, ground.deployed),
    };
    median(ground.data.points(ground.old, from, to))
}

/// Breached when both windows of any pair burn the budget faster than the pair allows. The objective is the service's, so
/// both versions count: a window that reaches back before the clean start mixes them, may trip, and is not clear.
fn burn_poll(ground: &Ground<'_, '_>, trigger: &Trigger, at: i64) -> Poll {
    let data = ground.data;
    if data.metric.kind != MetricKind::Ratio {
        return undecided("a burn rate needs a ratio");
    }
    let Some(slo) = ground.slo else {
        return undecided(format!("no slo for {} is configured", data.metric.id));
    };
    let mut nearest: Option<(f64, f64, BurnPair)> = None;
    let mut breached = false;
    let mut why = None;
    for pair in &trigger.burn {
        let both = burn(data, slo, pair.long, at)
            .and_then(|long| burn(data, slo, pair.short, at).map(|short| long.min(short)));
        match both {
            Ok(rate) => {
                breached |= rate > pair.times;
                let share = rate / pair.times;
                if nearest.is_none_or(|(s, _, _)| share > s) {
                    nearest = Some((share, rate, *pair));
                }
            }
            Err(reason) => why = why.or(Some(format!("{pair}: {reason}"))),
        }
    }
    let longest = trigger.burn.iter().map(|p| p.long).max().unwrap_or(0);
    let clean = ground.since + i64::try_from(longest).unwrap_or(i64::MAX / 2);
    Poll {
        state: match why {
            _ if breached => PollState::Breached,
            Some(why) => PollState::Undecided { why },
            None => PollState::Clear,
        },
        value: nearest.map(|(_, rate, _)| rate),
        limit: nearest.map(|(_, _, pair)| pair.times),
        reach: nearest.map(|(_, _, pair)| format!("burn {pair}")),
        mixed: Some(clean).filter(|clean| *clean > at),
    }
}

/// How many times the sustainable pace the budget burns over a window that ends at `at`: share of bad events over the share
/// that the objective allows.
fn burn(data: &Data<'_>, slo: f64, window: u64, at: i64) -> Result<f64, String> {
    let (step, lag) = if window >= LONG {
        (BLOCK, BLOCK_LAG)
    } else {
        (BUCKET, 0)
    };
    // A window that ends before the newest buckets came would tell of the past alone.
    let to = data
        .newest_block(step, at)
        .filter(|to| at - to <= lag)
        .ok_or("none of its newest buckets have data")?;
    let window_seconds = i64::try_from(window).map_err(|_| "the window is too long".to_owned())?;
    let (events, total, seen) = data.totals(step, to - window_seconds, to);
    let expected = (window / step.max(1)) as f64;
    if (seen as f64) < expected * (1.0 - MAY_MISS) {
        return Err(format!("{seen} of {expected:.0} buckets have data"));
    }
    if total <= 0.0 {
        return Err("no traffic".to_owned());
    }
    let (bad, budget) = match data.metric.direction {
        Direction::LowerIsBetter => (events / total, slo),
        Direction::HigherIsBetter => (1.0 - events / total, 1.0 - slo),
    };
    if budget.is_nan() || budget <= 0.0 {
        return Err("the objective leaves no budget".to_owned());
    }
    Some(bad / budget)
        .filter(|rate| rate.is_finite())
        .ok_or_else(|| "the numbers are no rate".to_owned())
}
