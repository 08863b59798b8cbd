//! "Is it hurting anyone?": the new version's counts held against their baseline by the judge (SEMANTICS 5 and 6).

use std::collections::BTreeSet;

use crate::domain::judge::{
    self, BaselineKind, CountsInput, Elapsed, Judgement, SEVEN_DAYS_TOLERANCE, Segment, SeriesInput,
};
use crate::domain::needs::{BUCKET, metric_need};
use crate::domain::observe::Freshness;
use crate::domain::policy::{Metric, MetricKind, Service, Unit};
use crate::domain::situation::{Evidence, Mark, MetricView, Tone, TriggerView};
use crate::domain::time;
use crate::domain::verdict::Verdict;

use super::chart::chart;
use super::data::{Data, Group, Heard};
use super::rollout::{Rollout, Stretch, ceil_minute};
use super::week::{Week, week};
use super::{Proofs, View, clock};

/// Seconds in the hour before a deployment.
pub(super) const HOUR: i64 = 3600;
/// Live value: the last five minutes.
const LIVE: i64 = 300;
/// Of a judged span, the share of minutes that may be missing; more is a gap, and a gap never passes.
const MAY_MISS: f64 = 0.1;

/// What a service's change is compared with now.
pub(super) struct Setting<'a> {
    pub new: Group<'a>,
    pub old: Group<'a>,
    pub kind: BaselineKind,
    /// Judged from here, Unix seconds.
    pub since: i64,
    /// Newest bucket.
    pub until: i64,
    /// When the deployment began.
    pub deployed: i64,
    /// Earlier and present stretches of a canary.
    pub stretches: Vec<Stretch>,
    /// Why it may not pass.
    pub barred: Option<String>,
    /// The hours of other days, where these are the baseline.
    pub week: Option<Week>,
}

impl Setting<'_> {
    /// From here on it is held against other days.
    fn against(&mut self, week: Week) {
        self.kind = BaselineKind::SevenDays;
        self.week = Some(week);
    }
}

/// The comparison for a rollout: the stable group beside the canary, else the hour before the deployment, else that hour on the
/// seven days before.
///
/// # Errors
/// The verdict where there is nothing to compare.
pub(super) fn setting<'a>(
    view: &View<'_>,
    data: &Data<'a>,
    rollout: &Rollout<'_>,
) -> Result<Setting<'a>, Verdict> {
    let metric = data.metric;
    let deployed = rollout
        .started()
        .ok_or_else(|| Verdict::not_run("not deployed yet: nothing to judge"))?
        .timestamp();
    let until = data
        .newest()
        .ok_or_else(|| Verdict::undecided(format!("{} has no data of it", metric.id), 0))?;
    let since = rollout
        .clean_start()
        .filter(|_| !rollout.unsplit() || rollout.track.is_some_and(|t| t.weight.is_none()))
        .ok_or_else(|| Verdict::not_run("no step took effect yet"))?;
    let mut set = Setting {
        new: Group::Whole,
        old: Group::Whole,
        kind: BaselineKind::Hour,
        since,
        until,
        deployed,
        stretches: Vec::new(),
        barred: None,
        week: None,
    };
    let groups = metric
        .canary
        .as_deref()
        .zip(metric.stable.as_deref())
        .filter(|_| metric.separable());
    match groups {
        Some((canary, stable)) if rollout.splits() => {
            let now = view.at().timestamp();
            for name in [canary, stable] {
                if data.freshness_of(Group::Named(name), now) == Freshness::Stale {
                    return Err(Verdict::undecided(
                        format!("stale: {} of {name} stopped", metric.id),
                        0,
                    ));
                }
            }
            set.new = Group::Named(canary);
            set.old = Group::Named(stable);
            set.kind = BaselineKind::Concurrent;
            set.stretches = rollout.stretches();
        }
        _ if rollout.splits() => {
            set.barred = Some(format!(
                "{} cannot tell canary from stable: it may fail, never pass",
                metric.id
            ));
        }
        _ if rollout.unsplit() => {
            set.barred =
                Some("both versions serve in unknown shares: it may fail, never pass".to_owned());
        }
        _ => {}
    }
    if set.kind == BaselineKind::Hour && metric.kind == MetricKind::Ratio {
        let hour = data.counts(set.old, deployed - HOUR, deployed);
        if hour.is_none_or(|c| c.total <= 0.0) {
            let days = week(view, data, rollout.service, deployed, deployed);
            if days.days > 0 {
                set.against(days);
            }
        }
    }
    Ok(set)
}

/// More minutes of the judged span without data than may miss.
fn gap(data: &Data<'_>, set: &Setting<'_>) -> Option<String> {
    let (seen, expected) = data.filled(set.new, set.since, set.until);
    let missing = expected.saturating_sub(seen);
    (missing as f64 > expected as f64 * MAY_MISS)
        .then(|| format!("{missing} of {expected} minutes have no data"))
}

/// Is what the metric is judged by read and whole: its feeds, and each group that the rollout is told apart by (law 2)?
pub(super) fn fed(view: &View<'_>, data: &Data<'_>, rollout: &Rollout<'_>) -> bool {
    let now = view.at().timestamp();
    let groups = [&data.metric.canary, &data.metric.stable];
    let stopped = |group: &Option<String>| {
        let name = group.as_deref().unwrap_or_default();
        data.freshness_of(Group::Named(name), now) == Freshness::Stale
    };
    data.freshness(now).usable()
        && data.partial.is_none()
        && !(rollout.splits() && data.metric.separable() && groups.into_iter().any(stopped))
}

/// Is a judgement made of numbers, over a span without a gap? What passed earlier stands only beside such a one.
pub(super) fn sound(
    view: &View<'_>,
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    judgement: &Judgement,
) -> bool {
    let numbers = judgement.new.is_some() || judgement.series.is_some();
    numbers && setting(view, data, rollout).is_ok_and(|set| gap(data, &set).is_none())
}

/// The judge's word on one metric of one rollout.
///
/// # Errors
/// The verdict where there is nothing to judge.
pub(super) fn judge_metric(
    view: &View<'_>,
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    tolerance: f64,
    elapsed: Elapsed,
    critical: u32,
) -> Result<Judgement, Verdict> {
    never(view, data)?;
    let set = setting(view, data, rollout)?;
    let judgement = judge_set(view, data, rollout, set, tolerance, elapsed, critical)?;
    Ok(believed(view, data, judgement))
}

fn never(view: &View<'_>, data: &Data<'_>) -> Result<(), Verdict> {
    if super::metric_freshness(view, data.metric) == Freshness::Never {
        return Err(Verdict::not_run(format!(
            "{} was never read",
            data.metric.id
        )));
    }
    Ok(())
}

/// Laws 1 and 2: what is stale or partial neither passes nor fails.
fn believed(view: &View<'_>, data: &Data<'_>, mut judgement: Judgement) -> Judgement {
    if !data.freshness(view.at().timestamp()).usable() {
        let age = newest_age(view, data).unwrap_or_else(|| "of unknown age".to_owned());
        judgement.verdict = Verdict::undecided(format!("stale: newest data {age}"), judgement.n);
    } else if let Some(why) = &data.partial {
        judgement.verdict = Verdict::undecided(format!("partial answer: {why}"), judgement.n);
    }
    judgement
}

fn judge_set(
    view: &View<'_>,
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    mut set: Setting<'_>,
    tolerance: f64,
    elapsed: Elapsed,
    critical: u32,
) -> Result<Judgement, Verdict> {
    if set.until <= set.since {
        let from = clock_of(view, set.since);
        let why = format!("clean from {from}: no full minute of the new version yet");
        return Err(Verdict::undecided(why, 0));
    }
    if let Some(gap) = gap(data, &set) {
        set.barred.get_or_insert(gap);
    }
    if data.metric.kind == MetricKind::Ratio {
        judge_ratio(data, rollout, &set, tolerance, elapsed, critical)
            .map_err(|why| Verdict::undecided(why, 0))
    } else {
        Ok(judge_points(data, &set, elapsed))
    }
}

/// The judge's word for a checkpoint: the last min(60 min, time since clean start) that ends at `at`, against the hours that
/// end at its time of day on the seven days before, else against the hour before the deployment (SEMANTICS 10).
///
/// # Errors
/// The verdict where there is nothing to judge.
pub(super) fn judge_checkpoint(
    view: &View<'_>,
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    tolerance: f64,
    at: i64,
) -> Result<Judgement, Verdict> {
    never(view, data)?;
    let mut set = setting(view, data, rollout)?;
    if let Some(clean) = super::watch::clean(rollout, at).filter(|_| rollout.withdrawn()) {
        set.since = clean;
    }
    set.until = set.until.min(at.div_euclid(60) * 60);
    set.since = set.since.max(ceil_minute(at - HOUR));
    if data.metric.kind != MetricKind::Ratio
        || set.until <= set.since
        || set.kind == BaselineKind::Concurrent
    {
        let j = judge_set(view, data, rollout, set, tolerance, Elapsed::Whole, 1)?;
        return Ok(believed(view, data, j));
    }
    let old = week(view, data, rollout.service, set.deployed, set.until);
    let days = old.days;
    let enough = days >= judge::MIN_DAYS;
    if enough {
        set.against(old);
    }
    let hour = set.kind == BaselineKind::Hour;
    let mut j = judge_set(view, data, rollout, set, tolerance, Elapsed::Whole, 1)?;
    if !enough && hour {
        j.notes.push(format!(
            "against the hour before: only {days} clean days of history"
        ));
    }
    Ok(believed(view, data, j))
}

fn newest_age(view: &View<'_>, data: &Data<'_>) -> Option<String> {
    let newest = data.newest()?;
    let age = view.at().timestamp() - newest;
    Some(format!(
        "{} old",
        time::age_words(chrono::Duration::seconds(age))
    ))
}

pub(super) fn clock_of(view: &View<'_>, at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0)
        .map_or_else(String::new, |t| clock(t, view.policy.timezone))
}

fn judge_ratio(
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    set: &Setting<'_>,
    tolerance: f64,
    elapsed: Elapsed,
    critical: u32,
) -> Result<Judgement, String> {
    let mut input = match set.kind {
        BaselineKind::Concurrent => concurrent(data, set)?,
        _ => {
            let new = data
                .counts(set.new, set.since, set.until)
                .ok_or("no traffic on the new version")?;
            let old = match &set.week {
                Some(week) => week.counts,
                None => data
                    .counts(set.old, set.deployed - HOUR, set.deployed)
                    .ok_or("no traffic in the hour before the deployment")?,
            };
            CountsInput::new(new, old, set.kind)
        }
    };
    fill(&mut input, data, rollout, set);
    input.tolerance = tolerance;
    if let Some(week) = &set.week {
        input.days = Some(week.days);
        input.tolerance = tolerance.max(SEVEN_DAYS_TOLERANCE);
    }
    input.elapsed = elapsed;
    input.critical_metrics = critical;
    let mut judgement = judge::judge_counts(&input);
    judgement
        .notes
        .extend(set.week.as_ref().and_then(|w| w.left_out.clone()));
    Ok(judgement)
}

fn fill(input: &mut CountsInput, data: &Data<'_>, rollout: &Rollout<'_>, set: &Setting<'_>) {
    input.noise = data.noise(set.deployed, set.kind);
    input.direction = data.metric.direction;
    input.slo = rollout.service.slo.get(&data.metric.id).copied();
    input.pass_barred.clone_from(&set.barred);
}

/// Counts of each weight of the canary on their own, the present one last.
fn concurrent(data: &Data<'_>, set: &Setting<'_>) -> Result<CountsInput, String> {
    let mut parts: Vec<Segment> = Vec::new();
    for stretch in &set.stretches {
        let to = stretch.until.unwrap_or(set.until).min(set.until);
        if to <= stretch.clean {
            continue;
        }
        let new = data.counts(set.new, stretch.clean, to);
        let old = data.counts(set.old, stretch.clean, to);
        if let (Some(new), Some(baseline)) = (new, old) {
            parts.push(Segment { new, baseline });
        }
    }
    let now = parts
        .pop()
        .ok_or("no traffic on canary and stable at the same time yet")?;
    let mut input = CountsInput::new(now.new, now.baseline, set.kind);
    input.earlier = parts;
    Ok(input)
}

/// Which look this is: every point from the tenth on is one, and a checkpoint is a test of its own.
fn look(elapsed: Elapsed, points: usize) -> u32 {
    match elapsed {
        Elapsed::Whole => 1,
        Elapsed::Minutes(_) => u32::try_from(points.saturating_sub(9)).unwrap_or(1).max(1),
    }
}

fn judge_points(data: &Data<'_>, set: &Setting<'_>, elapsed: Elapsed) -> Judgement {
    let values = |points: Vec<(i64, f64)>| points.into_iter().map(|(_, v)| v).collect::<Vec<_>>();
    let new = values(data.points(set.new, set.since, set.until));
    let old = values(match set.kind {
        BaselineKind::Concurrent => data.points(set.old, set.since - HOUR, set.until),
        _ => data.points(set.old, set.deployed - HOUR, set.deployed),
    });
    let mut input = SeriesInput::new(new, old, set.kind);
    input.direction = data.metric.direction;
    input.decides = data.metric.decides;
    input.look = look(elapsed, input.new.len());
    input.pass_barred.clone_from(&set.barred);
    judge::judge_series(&input)
}

/// Every metric of every service, those of the current release first. A person who looks at one moves nothing: who walks down
/// the list must come to its end.
pub(super) fn all(
    view: &View<'_>,
    heard: &[Heard],
    triggers: &[TriggerView],
    proofs: &mut Proofs,
) -> Vec<MetricView> {
    let own = view.services();
    let named: BTreeSet<&str> = own.iter().map(|s| s.name.as_str()).collect();
    let others = view.policy.services.iter();
    let others = others.filter(|s| !named.contains(s.name.as_str()));
    let services: Vec<&Service> = own.iter().copied().chain(others).collect();
    let metrics: Vec<Asked<'_>> = view
        .policy
        .metrics
        .iter()
        .zip(heard)
        .map(|(metric, heard)| Asked::of(view, metric, heard))
        .collect();
    let mut out = Vec::with_capacity(services.len() * metrics.len());
    for service in services {
        for asked in &metrics {
            let metric = asked.metric;
            let one = match view.data(&service.name, &metric.id) {
                Some(data) => one(view, service, data, triggers),
                None => {
                    let data = Data::of(view, metric, asked.heard, &service.name);
                    one(view, service, &data, triggers)
                }
            };
            proofs.insert(
                format!("metric/{}", one.id),
                prove(view, service, asked, &one),
            );
            out.push(one);
        }
    }
    out
}

/// What is the same of a metric for every service.
struct Asked<'a> {
    metric: &'a Metric,
    heard: &'a Heard,
    queries: String,
    read_at: Option<time::Instant>,
}

impl<'a> Asked<'a> {
    fn of(view: &View<'_>, metric: &'a Metric, heard: &'a Heard) -> Self {
        let need = metric
            .parts()
            .first()
            .map(|(part, _)| metric_need(&metric.id, *part, BUCKET));
        let read = need.as_ref().and_then(|n| view.feed(n).0);
        Self {
            metric,
            heard,
            queries: queries(metric),
            read_at: read.map(|o| o.read_at),
        }
    }
}

fn one(
    view: &View<'_>,
    service: &Service,
    data: &Data<'_>,
    triggers: &[TriggerView],
) -> MetricView {
    let metric = data.metric;
    let rollout = view.rollout(&service.name);
    let freshness = data.freshness(view.at().timestamp());
    let newest = data.newest();
    let set = rollout.and_then(|r| setting(view, data, r).ok());
    let judged = match rollout {
        Some(rollout) => {
            // Looked at all the time like a gate: nothing passes in the first minutes.
            let looked = set.as_ref().map_or(0, |s| view.at().timestamp() - s.since);
            let elapsed = Elapsed::Minutes(looked.max(0) as f64 / 60.0);
            let (tolerance, critical) = super::gates::terms(view, service, metric);
            judge_metric(view, data, rollout, tolerance, elapsed, critical)
        }
        None => Err(Verdict::not_run("no release of this service is open")),
    };
    let group = set.as_ref().map_or(Group::Whole, |s| s.new);
    let value = newest.and_then(|n| live(data, group, n));
    let (verdict, judgement) = match judged {
        Ok(j) => (j.verdict.clone(), Some(j)),
        Err(v) => (v, None),
    };
    let old = set.as_ref().and_then(|s| baseline(data, s));
    let distance = triggers
        .iter()
        .filter(|t| t.service == service.name && t.metric == metric.id)
        .max_by(|a, b| a.share.unwrap_or(0.0).total_cmp(&b.share.unwrap_or(0.0)))
        .map(|t| t.distance.clone());
    MetricView {
        id: format!("{}/{}", service.name, metric.id),
        service: service.name.clone(),
        metric: metric.id.clone(),
        title: metric.title.clone(),
        unit: metric.unit,
        value,
        shown: value.map_or_else(|| "no data".to_owned(), |v| metric.unit.show(v)),
        ratio: value.zip(old).filter(|(_, b)| *b > 0.0).map(|(v, b)| v / b),
        baseline: set
            .as_ref()
            .map(|s| baseline_words(metric, s.kind, old))
            .unwrap_or_default(),
        mark: mark(&verdict, value, freshness),
        verdict,
        distance,
        chart: chart(view, service, data, rollout, set.as_ref()),
        freshness,
        newest: newest.and_then(|n| chrono::DateTime::from_timestamp(n, 0)),
        counts: judgement.as_ref().map(|j| said(j, metric.unit)),
    }
}

fn baseline_words(metric: &Metric, kind: BaselineKind, value: Option<f64>) -> String {
    let what = match kind {
        BaselineKind::Concurrent => "stable beside it",
        BaselineKind::Hour => "the hour before",
        BaselineKind::SevenDays => "the 7 days before",
    };
    match value {
        Some(v) => format!("{} ({what})", metric.unit.show(v)),
        None => format!("no data ({what})"),
    }
}

/// The word for a metric: the verdict's, or that there is nothing to judge.
fn mark(verdict: &Verdict, value: Option<f64>, freshness: Freshness) -> Mark {
    if !freshness.usable() {
        return Mark::new(freshness.word(), Tone::Unknown);
    }
    match verdict {
        Verdict::NotRun { .. } if value.is_some() => Mark::new("shown", Tone::Plain),
        other => Mark::from(other),
    }
}

/// The value of the last five minutes.
pub(super) fn live(data: &Data<'_>, group: Group<'_>, newest: i64) -> Option<f64> {
    if data.metric.kind == MetricKind::Ratio {
        let c = data.counts(group, newest - LIVE, newest)?;
        return Some(c.events / c.total).filter(|v| v.is_finite());
    }
    data.points(group, newest - LIVE, newest)
        .last()
        .map(|(_, v)| *v)
}

/// What it is compared with, as one number.
pub(super) fn baseline(data: &Data<'_>, set: &Setting<'_>) -> Option<f64> {
    if let Some(week) = &set.week {
        return Some(week.counts.events / week.counts.total).filter(|v| v.is_finite());
    }
    let (from, to) = match set.kind {
        BaselineKind::Concurrent => (set.since, set.until),
        _ => (set.deployed - HOUR, set.deployed),
    };
    if data.metric.kind == MetricKind::Ratio {
        let c = data.counts(set.old, from, to)?;
        return Some(c.events / c.total).filter(|v| v.is_finite());
    }
    median(data.points(set.old, from, to))
}

/// The upper median of a series' points.
pub(super) fn median(points: Vec<(i64, f64)>) -> Option<f64> {
    let mut values: Vec<f64> = points.into_iter().map(|(_, v)| v).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The exact queries of a metric, a line a part: what the store is asked, the bucket's length filled in.
pub(super) fn queries(metric: &Metric) -> String {
    metric
        .parts()
        .iter()
        .map(|(part, q)| format!("{}: {}", part.key(), q.replace("$bucket", "60s")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The judgement in one line: counts, estimate, interval, tolerance.
pub(super) fn said(j: &Judgement, unit: Unit) -> String {
    let mut text = match (&j.new, &j.baseline_counts, &j.series) {
        (Some(new), Some(old), _) => format!(
            "{:.0}/{:.0} against {:.0}/{:.0}",
            new.events, new.total, old.events, old.total
        ),
        (_, _, Some(s)) => format!(
            "median {} of {} points against {} of {}",
            unit.show(s.new_median),
            s.new_points,
            unit.show(s.baseline_median),
            s.baseline_points
        ),
        _ => format!("n={}", j.n),
    };
    if let Some(estimate) = j.estimate {
        text.push_str(&format!(", {estimate:.2}×"));
    }
    match (j.interval.lower, j.interval.upper) {
        (Some(low), Some(high)) => text.push_str(&format!(" [{low:.2}, {high:.2}]")),
        (Some(low), None) => text.push_str(&format!(" [{low:.2}, no upper bound yet]")),
        (None, Some(high)) => text.push_str(&format!(" [–, {high:.2}]")),
        (None, None) => {}
    }
    text.push_str(&format!(", tolerance {:.2}×", j.tolerance));
    if let Some(visible) = j.smallest_visible {
        text.push_str(&format!(", {visible:.2}× would show by now"));
    }
    for note in &j.notes {
        text.push_str("; ");
        text.push_str(note);
    }
    text
}

fn prove(view: &View<'_>, service: &Service, asked: &Asked<'_>, one: &MetricView) -> Evidence {
    let mut lines = vec![
        ("value".to_owned(), one.shown.clone()),
        ("baseline".to_owned(), one.baseline.clone()),
        ("verdict".to_owned(), one.mark.word.clone()),
    ];
    if let Some(ratio) = one.ratio {
        lines.insert(2, ("ratio".to_owned(), format!("{ratio:.2}×")));
    }
    if let Some(why) = one.verdict.why() {
        lines.push(("why".to_owned(), why.to_owned()));
    }
    if let Some(counts) = &one.counts {
        lines.push(("counts".to_owned(), counts.clone()));
    }
    if let Some(distance) = &one.distance {
        lines.push(("trigger".to_owned(), distance.clone()));
    }
    if let Some(newest) = one.newest {
        lines.push((
            "newest data".to_owned(),
            format!("{} ago", time::age_words(view.at() - newest)),
        ));
    }
    Evidence {
        title: format!("{} of {}", asked.metric.title, one.service),
        lines,
        query: Some(asked.queries.clone()),
        link: service.dashboards.first().cloned(),
        source: Some(asked.metric.connection.clone()),
        read_at: asked.read_at,
        freshness: Some(one.freshness),
    }
}

/// Evidence that rests on metrics of a service: their queries, sources, the oldest reading and the worst freshness.
pub(super) fn sourced(
    view: &View<'_>,
    service: &str,
    metrics: &[&Metric],
    title: String,
    lines: Vec<(String, String)>,
) -> Evidence {
    let joined = |mut words: Vec<String>, with: &str| {
        words.dedup();
        Some(words.join(with)).filter(|w| !w.is_empty())
    };
    let read = metrics.iter().flat_map(|m| {
        let parts = m.parts().into_iter();
        parts.map(|(part, _)| {
            let need = metric_need(&m.id, part, BUCKET);
            view.feed(&need).0.map(|o| o.read_at)
        })
    });
    let freshness = metrics.iter().map(|m| match view.data(service, &m.id) {
        Some(data) => data.freshness(view.at().timestamp()),
        None => super::metric_freshness(view, m),
    });
    Evidence {
        title,
        lines,
        query: joined(metrics.iter().map(|m| queries(m)).collect(), "\n"),
        link: view
            .policy
            .service(service)
            .and_then(|s| s.dashboards.first().cloned()),
        source: joined(metrics.iter().map(|m| m.connection.clone()).collect(), ", "),
        // A part that was never read has no age, and then the whole has none.
        read_at: read.min().flatten(),
        freshness: freshness.max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_a_look_and_a_checkpoint_is_one_alone() {
        for (points, wanted) in [(0, 1), (9, 1), (10, 1), (11, 2), (60, 51)] {
            assert_eq!(look(Elapsed::Minutes(3.0), points), wanted);
            assert_eq!(look(Elapsed::Whole, points), 1);
        }
    }
}
