//! "Is it hurting anyone?": buckets added up per service, group and span, held against their baseline by the judge
//! (SEMANTICS 5 and 6). Counts come from 60 s buckets; noise from the ten-minute blocks of the seven days before.

use std::collections::BTreeMap;

use crate::domain::judge::{
    self, BaselineKind, Block, Counts, CountsInput, Direction, Elapsed, Judgement, Noise, Segment,
    SeriesInput,
};
use crate::domain::needs::{BLOCK, BUCKET, metric_need};
use crate::domain::observe::{Freshness, SeriesKey};
use crate::domain::policy::{Limit, Metric, MetricKind, Service, Unit};
use crate::domain::record::Part;
use crate::domain::situation::{Chart, Evidence, Mark, MetricView, Tone};
use crate::domain::time;
use crate::domain::verdict::Verdict;

use super::rollout::{Rollout, Stretch};
use super::{Proofs, View, clock, metric_freshness, triggers};

/// Seconds in the hour before a deployment.
const HOUR: i64 = 3600;
/// Live value: the last five minutes.
const LIVE: i64 = 300;
/// Longest chart, seconds.
const CHART: i64 = 3 * HOUR;

/// Which group of a service's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group<'a> {
    /// All of them added up.
    Whole,
    /// One label value.
    Named(&'a str),
}

/// One metric of one service: its buckets by part, ready to be added up.
pub(super) struct Data<'a> {
    pub metric: &'a Metric,
    parts: BTreeMap<(String, Part, u64), &'a crate::domain::observe::Buckets>,
}

impl<'a> Data<'a> {
    pub fn of(view: &View<'a>, metric: &'a Metric, service: &str) -> Self {
        let from = SeriesKey {
            metric: metric.id.clone(),
            service: service.to_owned(),
            group: String::new(),
            part: Part::Numerator,
            step: 0,
        };
        let parts = view
            .observed
            .metrics
            .range(from..)
            .take_while(|(k, _)| k.metric == metric.id && k.service == service)
            .map(|(k, b)| ((k.group.clone(), k.part, k.step), b))
            .collect();
        Self { metric, parts }
    }

    fn each(
        &self,
        group: Group<'_>,
        part: Part,
        step: u64,
    ) -> impl Iterator<Item = &'a crate::domain::observe::Buckets> + '_ {
        let wanted = match group {
            Group::Whole => None,
            Group::Named(name) => Some(name.to_owned()),
        };
        self.parts
            .iter()
            .filter(move |((g, p, s), _)| {
                *p == part && *s == step && wanted.as_ref().is_none_or(|w| w == g)
            })
            .map(|(_, b)| *b)
    }

    /// Sum over `(from, to]` and how many different buckets had data.
    fn sum(&self, group: Group<'_>, part: Part, step: u64, from: i64, to: i64) -> (f64, usize) {
        let mut total = 0.0;
        let mut seen = std::collections::BTreeSet::new();
        for buckets in self.each(group, part, step) {
            for (at, value) in buckets.range(from + 1..=to) {
                total += value;
                seen.insert(*at);
            }
        }
        (total, seen.len())
    }

    /// The base part: what proves that there was traffic at all.
    fn base(&self) -> Part {
        match self.metric.kind {
            MetricKind::Ratio => Part::Denominator,
            _ => Part::Value,
        }
    }

    /// End of the newest bucket of the service, any group.
    pub fn newest(&self) -> Option<i64> {
        self.each(Group::Whole, self.base(), BUCKET)
            .filter_map(|b| b.keys().next_back().copied())
            .max()
    }

    /// Counts over `(from, to]` in live buckets; `None` where nothing was seen. A numerator without any bucket is zero:
    /// a service without errors has no error series.
    pub fn counts(&self, group: Group<'_>, from: i64, to: i64) -> Option<Counts> {
        let (total, buckets) = self.sum(group, Part::Denominator, BUCKET, from, to);
        if buckets == 0 {
            return None;
        }
        let (events, _) = self.sum(group, Part::Numerator, BUCKET, from, to);
        Some(Counts::new(events, total).over(buckets as f64))
    }

    /// Does every bucket of `(from, to]` have data?
    pub fn whole(&self, group: Group<'_>, from: i64, to: i64) -> bool {
        let expected = usize::try_from((to - from).div_euclid(60)).unwrap_or(0);
        let (_, buckets) = self.sum(group, self.base(), BUCKET, from, to);
        expected > 0 && buckets >= expected
    }

    /// Points of a series over `(from, to]`: of several groups the worst one counts.
    pub fn points(&self, group: Group<'_>, from: i64, to: i64) -> Vec<(i64, f64)> {
        let mut out: BTreeMap<i64, f64> = BTreeMap::new();
        let worse = |a: f64, b: f64| match self.metric.direction {
            Direction::LowerIsBetter => a.max(b),
            Direction::HigherIsBetter => a.min(b),
        };
        for buckets in self.each(group, Part::Value, BUCKET) {
            for (at, value) in buckets.range(from + 1..=to) {
                out.entry(*at)
                    .and_modify(|v| *v = worse(*v, *value))
                    .or_insert(*value);
            }
        }
        out.into_iter().collect()
    }

    /// Rate per bucket of a ratio, or the series itself, for the chart.
    pub fn line(&self, group: Group<'_>, from: i64, to: i64) -> Vec<(i64, f64)> {
        if self.metric.kind != MetricKind::Ratio {
            return self.points(group, from, to);
        }
        let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for (part, which) in [(Part::Numerator, true), (Part::Denominator, false)] {
            for buckets in self.each(group, part, BUCKET) {
                for (at, value) in buckets.range(from + 1..=to) {
                    let slot = sums.entry(*at).or_default();
                    if which {
                        slot.0 += value;
                    } else {
                        slot.1 += value;
                    }
                }
            }
        }
        sums.into_iter()
            .filter(|(_, (_, total))| *total > 0.0)
            .map(|(at, (events, total))| (at, events / total))
            .collect()
    }

    /// Noise of the whole service from the seven days before `until`, in days of 24 hours.
    pub fn noise(&self, until: i64) -> Noise {
        if self.metric.shared_noise {
            return Noise::Shared;
        }
        let mut blocks: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for (part, events) in [(Part::Numerator, true), (Part::Denominator, false)] {
            for buckets in self.each(Group::Whole, part, BLOCK) {
                for (at, value) in buckets.range(until - 7 * 86_400 + 1..=until) {
                    let slot = blocks.entry(*at).or_default();
                    if events {
                        slot.0 += value;
                    } else {
                        slot.1 += value;
                    }
                }
            }
        }
        let mut days: BTreeMap<i64, Vec<Block>> = BTreeMap::new();
        for (at, (events, total)) in blocks {
            let day = (until - at).div_euclid(86_400);
            days.entry(day).or_default().push(Block { events, total });
        }
        let days: Vec<Vec<Block>> = days.into_values().collect();
        Noise::from_history(&days)
    }
}

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
}

/// The comparison for a rollout: the stable group beside the canary, else the hour before the deployment.
pub(super) fn setting<'a>(data: &Data<'a>, rollout: &Rollout<'a>) -> Result<Setting<'a>, String> {
    let metric = data.metric;
    let deployed = rollout
        .started()
        .ok_or("not deployed yet: nothing to judge")?
        .timestamp();
    let until = data.newest().ok_or("no data")?;
    let since = rollout.clean_start().ok_or("no step took effect yet")?;
    let separable = metric
        .canary
        .as_deref()
        .zip(metric.stable.as_deref())
        .filter(|_| metric.separable());
    match separable {
        Some((canary, stable)) if rollout.splits() => Ok(Setting {
            new: Group::Named(canary),
            old: Group::Named(stable),
            kind: BaselineKind::Concurrent,
            since,
            until,
            deployed,
            stretches: rollout.stretches(),
            barred: None,
        }),
        _ => Ok(Setting {
            new: Group::Whole,
            old: Group::Whole,
            kind: BaselineKind::Hour,
            since,
            until,
            deployed,
            stretches: Vec::new(),
            barred: rollout.splits().then(|| {
                format!(
                    "{} cannot tell canary from stable: it may fail, never pass",
                    metric.id
                )
            }),
        }),
    }
}

/// The judge's word on one metric of one rollout.
pub(super) fn judge_metric(
    view: &View<'_>,
    data: &Data<'_>,
    rollout: &Rollout<'_>,
    tolerance: f64,
    elapsed: Elapsed,
    critical: u32,
) -> Result<Judgement, Verdict> {
    let freshness = metric_freshness(view, data.metric);
    let n = 0;
    if freshness == Freshness::Never {
        return Err(Verdict::not_run(format!(
            "{} was never read",
            data.metric.id
        )));
    }
    let set = setting(data, rollout).map_err(Verdict::not_run)?;
    if set.until <= set.since {
        return Err(Verdict::undecided(
            format!(
                "clean from {}: no full minute of the new version yet",
                clock_of(view, set.since)
            ),
            n,
        ));
    }
    let mut judgement = if data.metric.kind == MetricKind::Ratio {
        judge_ratio(data, rollout, &set, tolerance, elapsed, critical)
            .map_err(|why| Verdict::undecided(why, n))?
    } else {
        judge_points(view, data, &set)
    };
    // Law 1 and 2: what is stale or partial may not pass or fail.
    if !freshness.usable() {
        let age = newest_age(view, data).unwrap_or_else(|| "of unknown age".to_owned());
        judgement.verdict = Verdict::undecided(format!("stale: newest data {age}"), judgement.n);
    } else if let Some(why) = partial(view, data.metric) {
        judgement.verdict = Verdict::undecided(format!("partial answer: {why}"), judgement.n);
    }
    Ok(judgement)
}

fn newest_age(view: &View<'_>, data: &Data<'_>) -> Option<String> {
    let newest = data.newest()?;
    let age = view.at().timestamp() - newest;
    Some(format!(
        "{} old",
        time::age_words(chrono::Duration::seconds(age))
    ))
}

fn partial(view: &View<'_>, metric: &Metric) -> Option<String> {
    metric.parts().iter().find_map(|(part, _)| {
        view.feed(&metric_need(&metric.id, *part, BUCKET))
            .0
            .and_then(|o| o.partial.clone())
    })
}

fn clock_of(view: &View<'_>, at: i64) -> String {
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
    let noise = data.noise(set.deployed);
    let mut input = match set.kind {
        BaselineKind::Concurrent => concurrent(data, set)?,
        _ => {
            let new = data
                .counts(set.new, set.since, set.until)
                .ok_or("no traffic on the new version")?;
            let old = data
                .counts(set.old, set.deployed - HOUR, set.deployed)
                .ok_or("no traffic in the hour before the deployment")?;
            CountsInput::new(new, old, set.kind)
        }
    };
    input.noise = noise;
    input.tolerance = tolerance;
    input.direction = data.metric.direction;
    input.elapsed = elapsed;
    input.critical_metrics = critical;
    input.slo = rollout.service.slo.get(&data.metric.id).copied();
    input.pass_barred.clone_from(&set.barred);
    Ok(judge::judge_counts(&input))
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

fn judge_points(view: &View<'_>, data: &Data<'_>, set: &Setting<'_>) -> Judgement {
    let new: Vec<f64> = data
        .points(set.new, set.since, set.until)
        .into_iter()
        .map(|(_, v)| v)
        .collect();
    let old: Vec<f64> = match set.kind {
        BaselineKind::Concurrent => data.points(set.old, set.since - HOUR, set.until),
        _ => data.points(set.old, set.deployed - HOUR, set.deployed),
    }
    .into_iter()
    .map(|(_, v)| v)
    .collect();
    let mut input = SeriesInput::new(new, old, set.kind);
    input.direction = data.metric.direction;
    input.decides = data.metric.decides;
    input.look = u32::try_from(input.new.len().saturating_sub(9))
        .unwrap_or(1)
        .max(1);
    input.pass_barred = set.barred.clone().or_else(|| {
        (!data.metric.separable() && set.kind == BaselineKind::Concurrent)
            .then(|| format!("clean from {}", clock_of(view, set.since)))
    });
    judge::judge_series(&input)
}

/// Every metric of the services on screen: those of the current release, else the one in focus.
pub(super) fn all(view: &View<'_>, proofs: &mut Proofs) -> Vec<MetricView> {
    let mut services: Vec<&Service> = view.services();
    if services.is_empty() {
        services = view.policy.services.iter().collect();
    } else {
        let rest = view
            .policy
            .services
            .iter()
            .filter(|s| !services.iter().any(|x| x.name == s.name));
        let rest: Vec<&Service> = rest.collect();
        services.extend(rest);
    }
    if let Some(focus) = view.observed.session.focus.1.as_deref() {
        services.sort_by_key(|s| s.name != focus);
    }
    let mut out = Vec::new();
    for service in services {
        for metric in &view.policy.metrics {
            let one = one(view, service, metric);
            proofs.insert(format!("metric/{}", one.id), prove(view, metric, &one));
            out.push(one);
        }
    }
    out
}

fn one(view: &View<'_>, service: &Service, metric: &Metric) -> MetricView {
    let data = Data::of(view, metric, &service.name);
    let rollout = view.rollout(&service.name);
    let freshness = metric_freshness(view, metric);
    let newest = data.newest();
    let judged = match rollout {
        Some(rollout) => judge_metric(
            view,
            &data,
            rollout,
            super::gates::tolerance(service, metric),
            Elapsed::Whole,
            1,
        ),
        None => Err(Verdict::not_run("no release of this service is open")),
    };
    let (group, deployed) = match rollout.and_then(|r| setting(&data, r).ok()) {
        Some(set) => (set.new, Some(set)),
        None => (Group::Whole, None),
    };
    let value = newest.and_then(|n| live(&data, group, n));
    let (verdict, judgement) = match judged {
        Ok(j) => (j.verdict.clone(), Some(j)),
        Err(v) => (v, None),
    };
    let baseline_value = deployed.as_ref().and_then(|s| baseline(&data, s));
    let ratio = value
        .zip(baseline_value)
        .filter(|(_, b)| *b > 0.0)
        .map(|(v, b)| v / b);
    let trigger = rollout
        .and_then(|_| triggers::nearest(view, service, metric))
        .map(|t| t.distance);
    MetricView {
        id: format!("{}/{}", service.name, metric.id),
        service: service.name.clone(),
        metric: metric.id.clone(),
        title: metric.title.clone(),
        unit: metric.unit,
        value,
        shown: value.map_or_else(|| "no data".to_owned(), |v| metric.unit.show(v)),
        ratio,
        baseline: deployed
            .as_ref()
            .map(|s| {
                let what = match s.kind {
                    BaselineKind::Concurrent => "stable beside it",
                    BaselineKind::Hour => "the hour before",
                    BaselineKind::SevenDays => "the 7 days before",
                };
                match baseline_value {
                    Some(v) => format!("{} ({what})", metric.unit.show(v)),
                    None => format!("no data ({what})"),
                }
            })
            .unwrap_or_default(),
        mark: mark(&verdict, value, freshness),
        verdict,
        distance: trigger,
        chart: chart(view, service, &data, rollout, deployed.as_ref()),
        freshness,
        newest: newest.and_then(|n| chrono::DateTime::from_timestamp(n, 0)),
        counts: judgement.as_ref().map(|j| said(j, metric.unit)),
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
fn live(data: &Data<'_>, group: Group<'_>, newest: i64) -> Option<f64> {
    if data.metric.kind == MetricKind::Ratio {
        let c = data.counts(group, newest - LIVE, newest)?;
        return (c.total > 0.0).then(|| c.events / c.total);
    }
    data.points(group, newest - LIVE, newest)
        .last()
        .map(|(_, v)| *v)
}

/// What it is compared with, as one number.
pub(super) fn baseline(data: &Data<'_>, set: &Setting<'_>) -> Option<f64> {
    let (from, to) = match set.kind {
        BaselineKind::Concurrent => (set.since, set.until),
        _ => (set.deployed - HOUR, set.deployed),
    };
    if data.metric.kind == MetricKind::Ratio {
        let c = data.counts(set.old, from, to)?;
        return (c.total > 0.0).then(|| c.events / c.total);
    }
    let mut values: Vec<f64> = data
        .points(set.old, from, to)
        .into_iter()
        .map(|(_, v)| v)
        .collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn chart(
    view: &View<'_>,
    service: &Service,
    data: &Data<'_>,
    rollout: Option<&Rollout<'_>>,
    set: Option<&Setting<'_>>,
) -> Chart {
    let Some(newest) = data.newest() else {
        return Chart {
            empty: Some(format!(
                "no data of {} for {} was read",
                data.metric.id, service.name
            )),
            ..Chart::default()
        };
    };
    let deployed = rollout.and_then(|r| r.started()).map(|t| t.timestamp());
    let from = deployed
        .map_or(newest - HOUR, |d| d - 20 * 60)
        .max(newest - CHART);
    let new = set.map_or(Group::Whole, |s| s.new);
    let old = set
        .filter(|s| s.kind == BaselineKind::Concurrent)
        .map(|s| s.old);
    Chart {
        new: data.line(new, from, newest),
        old: old.map(|g| data.line(g, from, newest)).unwrap_or_default(),
        band: band(data, set, newest),
        threshold: threshold(view, service, data, set),
        deploy_at: deployed,
        clean_at: set.map(|s| s.since),
        empty: None,
    }
}

/// Baseline band: 5th to 95th percentile of the hour's points (of the last hour where nothing is deployed).
fn band(data: &Data<'_>, set: Option<&Setting<'_>>, newest: i64) -> Option<(f64, f64)> {
    let (group, to) = match set {
        Some(s) => (s.old, s.deployed),
        None => (Group::Whole, newest),
    };
    let mut values: Vec<f64> = data
        .line(group, to - HOUR, to)
        .into_iter()
        .map(|(_, v)| v)
        .collect();
    if values.len() < 10 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        values
            .get(((values.len() - 1) as f64 * share) as usize)
            .copied()
    };
    at(0.05).zip(at(0.95))
}

/// Where the nearest trigger's limit lies, in the metric's unit.
fn threshold(
    view: &View<'_>,
    service: &Service,
    data: &Data<'_>,
    set: Option<&Setting<'_>>,
) -> Option<f64> {
    let trigger = triggers::sealed(view, service)
        .into_iter()
        .find(|t| t.metric == data.metric.id)?;
    match trigger.limit {
        Limit::Value(v) => Some(v),
        Limit::Slo => service.slo.get(&data.metric.id).copied(),
        Limit::Baseline(times) => set.and_then(|s| baseline(data, s)).map(|b| b * times),
    }
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

fn prove(view: &View<'_>, metric: &Metric, one: &MetricView) -> Evidence {
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
    let need = metric
        .parts()
        .first()
        .map(|(part, _)| metric_need(&metric.id, *part, BUCKET));
    let read = need.as_ref().and_then(|n| view.feed(n).0);
    Evidence {
        title: format!("{} of {}", metric.title, one.service),
        lines,
        query: Some(
            metric
                .parts()
                .iter()
                .map(|(part, q)| format!("{}: {q}", part.key()))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        link: view
            .policy
            .service(&one.service)
            .and_then(|s| s.dashboards.first().cloned()),
        source: Some(metric.connection.clone()),
        read_at: read.map(|o| o.read_at),
        freshness: Some(one.freshness),
    }
}
