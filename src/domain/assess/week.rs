//! The baseline of other days: the same hour on the seven days before a deployment (SEMANTICS 5).

use chrono::{Datelike, Weekday};

use crate::domain::disturbed::{concerns, disturbed, during};
use crate::domain::judge::{Counts, MIN_DAYS};
use crate::domain::observe::Feed;
use crate::domain::policy::Service;
use crate::domain::record::Records;
use crate::domain::time::Instant;

use super::View;
use super::data::{BLOCK_SECONDS, DAY, Data};
use super::metrics::HOUR;

/// Days that are looked at.
const DAYS: i64 = 7;
/// Weeks before these days in which their weekdays are looked for.
const FURTHER: i64 = 3;
/// How far from its own time of day another slot of a day may lie, seconds.
const NEAREST: i64 = 2 * HOUR;

/// The hours of other days that a judgement is held against, added up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Week {
    /// Their counts.
    pub counts: Counts,
    /// How many days these are of.
    pub days: u32,
    /// Which days were left out and why; none where all seven were used.
    pub left_out: Option<String>,
}

/// One day's slot, or why there is none.
type Slot = (Instant, Result<Counts, String>);

/// The hour that ends at `until`'s time of day (in whole blocks of ten minutes) on the seven days before `deployed`, Unix
/// seconds. A day whose hour has no data, or in which the service or one it depends on was being deployed or in an incident,
/// gives its nearest clean hour within two, or the hour of its weekday in the three weeks before, as far as they were read; else
/// it is left out. Days of the same kind are preferred where there are enough.
pub(super) fn week(
    view: &View<'_>,
    data: &Data<'_>,
    service: &Service,
    deployed: i64,
    until: i64,
) -> Week {
    let end = until.div_euclid(BLOCK_SECONDS) * BLOCK_SECONDS;
    // Never the day of the deployment itself: its hour is another baseline.
    let first = (end - deployed + DAY - 1).div_euclid(DAY).max(1);
    let mut slots: Vec<Slot> = (first..first + DAYS)
        .filter_map(|day| {
            let at = chrono::DateTime::from_timestamp(end - day * DAY, 0)?;
            Some((at, slot(view, data, service, deployed, at.timestamp())))
        })
        .collect();
    prefer_alike(view, until, &mut slots);
    let mut sum = Counts::new(0.0, 0.0);
    let mut days = 0;
    for counts in slots.iter().filter_map(|(_, slot)| slot.as_ref().ok()) {
        sum.events += counts.events;
        sum.total += counts.total;
        sum.minutes = Some(sum.minutes.unwrap_or(0.0) + counts.minutes.unwrap_or(0.0));
        days += 1;
    }
    Week {
        counts: sum,
        days,
        left_out: left_out(view, &slots),
    }
}

/// The clean hour of a day that lies nearest to `wanted`, or weeks before it; the reason is that of the hour itself.
fn slot(
    view: &View<'_>,
    data: &Data<'_>,
    service: &Service,
    deployed: i64,
    wanted: i64,
) -> Result<Counts, String> {
    let clean = |end: i64| match trouble(view, service, end - HOUR, end) {
        Some(why) => Err(why),
        None => data
            .hour(end)
            .ok_or_else(|| "no data of all of it".to_owned()),
    };
    let own = clean(wanted);
    let Err(why) = own else {
        return own;
    };
    (1..=NEAREST / BLOCK_SECONDS)
        .flat_map(|n| [wanted - n * BLOCK_SECONDS, wanted + n * BLOCK_SECONDS])
        .filter(|end| *end <= deployed)
        .chain((1..=FURTHER).map(|week| wanted - week * 7 * DAY))
        .find_map(|end| clean(end).ok())
        .ok_or(why)
}

/// What disturbed the service, or one that it depends on, in that span: by the journal, or an incident that was filed.
fn trouble(view: &View<'_>, service: &Service, from: i64, to: i64) -> Option<String> {
    let span = (from, to);
    let filed = |feed: &Feed| match feed.last.as_ref().map(|o| &o.records) {
        Some(Records::Incident(list)) => list.iter().any(|i| {
            i.service.as_deref().is_some_and(|s| concerns(service, s))
                && i.started_at.is_some_and(|at| during(view.policy, at, span))
        }),
        _ => false,
    };
    disturbed(view.policy, view.journal, service, span).or_else(|| {
        let any = view.observed.feeds.values().any(filed);
        any.then(|| "an incident".to_owned())
    })
}

/// Where three days or more are of the same kind as this one, working or not, they alone count.
fn prefer_alike(view: &View<'_>, until: i64, slots: &mut [Slot]) {
    let free = |at: Instant| {
        let day = at.with_timezone(&view.policy.timezone).weekday();
        matches!(day, Weekday::Sat | Weekday::Sun)
    };
    let Some(own) = chrono::DateTime::from_timestamp(until, 0).map(free) else {
        return;
    };
    let alike = slots
        .iter()
        .filter(|(at, slot)| free(*at) == own && slot.is_ok())
        .count();
    if u32::try_from(alike).unwrap_or(u32::MAX) < MIN_DAYS {
        return;
    }
    for (_, slot) in slots
        .iter_mut()
        .filter(|(at, slot)| free(*at) != own && slot.is_ok())
    {
        *slot = Err("another kind of day".to_owned());
    }
}

/// `left out: Sat 14 Nov and Sun 15 Nov (another kind of day)`, oldest first.
fn left_out(view: &View<'_>, slots: &[Slot]) -> Option<String> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for (at, slot) in slots.iter().rev() {
        let Err(why) = slot else {
            continue;
        };
        let local = at.with_timezone(&view.policy.timezone);
        let day = local.format("%a %-d %b").to_string();
        match groups.iter_mut().find(|(w, _)| w == why) {
            Some((_, days)) => days.push(day),
            None => groups.push((why, vec![day])),
        }
    }
    let words: Vec<String> = groups
        .into_iter()
        .map(|(why, days)| format!("{} ({why})", days.join(", ")))
        .collect();
    (!words.is_empty()).then(|| format!("left out: {}", words.join("; ")))
}
