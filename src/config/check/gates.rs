//! Gates and triggers: a service's own, those of `[defaults]`, and the two that ship.

use std::collections::BTreeMap;

use super::Check;
use crate::config::limit;
use crate::config::place::{join, shown};
use crate::config::raw::scalar::Length;
use crate::config::raw::service as raw;
use crate::domain::policy::{
    After, BurnPair, Direction, Gate, Limit, Metric, MetricKind, Then, Trigger,
};
use crate::domain::time::parse_duration;

/// The longest window of a burn rate, seconds: the history that is kept.
const LONGEST_BURN: u64 = 7 * 86_400;

impl Check<'_> {
    pub(super) fn gates_of(
        &mut self,
        path: &str,
        raw: &raw::Service,
        metrics: &[Metric],
    ) -> Vec<Gate> {
        let Some(own) = &raw.gate else {
            return self
                .raw
                .defaults
                .gate
                .iter()
                .filter_map(|g| plain_gate(g).ok())
                .collect();
        };
        let mut gates: Vec<Gate> = Vec::new();
        for (n, gate) in own.iter().enumerate() {
            let here = format!("{path}.gate[{n}]");
            let Some(gate) = self.gate(&here, gate, metrics) else {
                continue;
            };
            if gates.iter().any(|g| g.id == gate.id) {
                let help = "name all its metrics in one gate";
                self.found.error(
                    &join(&here, "after"),
                    format!("there are two gates after \"{}\"", gate.id),
                    Some(help.into()),
                );
            }
            gates.push(gate);
        }
        gates
    }

    pub(super) fn gate(&mut self, path: &str, raw: &raw::Gate, metrics: &[Metric]) -> Option<Gate> {
        let at_metrics = join(path, "metrics");
        if raw.metrics.is_empty() && !self.found.spoiled(&at_metrics) {
            let help = "name at least one; a gate without a metric would pass everything";
            self.found.error(
                &at_metrics,
                "the gate looks at no metric",
                Some(help.into()),
            );
        }
        for (n, id) in raw.metrics.iter().enumerate() {
            let here = format!("{at_metrics}[{n}]");
            self.metric_named(&here, id, metrics);
            let silent = |m: &&Metric| m.id == *id && m.kind != MetricKind::Ratio && !m.decides;
            if metrics.iter().any(|m| silent(&m)) {
                self.found.warn(
                    &here,
                    format!("{} decides nothing: the gate never passes", shown(id)),
                    Some("set decides = true at the metric, or take it out of the gate".into()),
                );
            }
        }
        if !raw.tolerance.is_finite() || raw.tolerance <= 1.0 {
            self.found.error(
                &join(path, "tolerance"),
                "the tolerated ratio is above 1; 1.5 is usual",
                None,
            );
        }
        match plain_gate(raw) {
            Ok(gate) => Some(gate),
            Err(why) => {
                self.found.error(
                    &join(path, "after"),
                    why,
                    Some("write \"step\" or a share such as \"40%\"".into()),
                );
                None
            }
        }
    }

    pub(super) fn triggers_of(
        &mut self,
        path: &str,
        raw: &raw::Service,
        metrics: &[Metric],
        slo: &BTreeMap<String, f64>,
    ) -> Vec<Trigger> {
        let mut triggers: Vec<Trigger> = Vec::new();
        match &raw.trigger {
            Some(own) => {
                for (n, trigger) in own.iter().enumerate() {
                    let here = format!("{path}.trigger[{n}]");
                    let Some(trigger) = self.trigger(&here, trigger, metrics) else {
                        continue;
                    };
                    if trigger.limit == Limit::Slo && !slo.contains_key(&trigger.metric) {
                        let help = format!("slo = {{ {} = … }}", trigger.metric);
                        self.found.error(
                            &here,
                            format!(
                                "{} has no objective for {}",
                                shown(&raw.name),
                                trigger.metric
                            ),
                            Some(help),
                        );
                    }
                    if triggers.iter().any(|t| t.id == trigger.id) {
                        self.found.error(
                            &here,
                            format!("the trigger {} is defined twice", trigger.id),
                            None,
                        );
                        continue;
                    }
                    triggers.push(trigger);
                }
            }
            None => {
                let base = self.raw.defaults.trigger.iter();
                let base = base.filter_map(|t| plain_trigger(t, metrics).ok().flatten());
                triggers
                    .extend(base.filter(|t| t.limit != Limit::Slo || slo.contains_key(&t.metric)));
            }
        }
        if self.raw.defaults.shipped_triggers {
            for shipped in shipped_triggers(metrics, slo) {
                if !triggers.iter().any(|t| t.id == shipped.id) {
                    triggers.push(shipped);
                }
            }
        }
        triggers
    }

    pub(super) fn trigger(
        &mut self,
        path: &str,
        raw: &raw::Trigger,
        metrics: &[Metric],
    ) -> Option<Trigger> {
        let at = join(path, "metric");
        if self.found.spoiled(&at) {
            return None;
        }
        self.metric_named(&at, &raw.metric, metrics)?;
        if raw.burn_rate.is_some() && raw.window.is_some() {
            self.found.error_at_key(
                &join(path, "window"),
                "the windows of a burn rate stand in it: \"14.4 over 1h/5m\"",
                None,
            );
        }
        for (key, length) in [("for", raw.hold_for), ("window", raw.window)] {
            if length == Some(Length(0)) {
                self.found.error(&join(path, key), "the length is 0", None);
            }
        }
        match plain_trigger(raw, metrics) {
            Ok(trigger) => trigger,
            Err((key, why)) => {
                let here = if key.is_empty() {
                    path.to_owned()
                } else {
                    join(path, key)
                };
                if !["above", "below"]
                    .iter()
                    .any(|k| self.found.spoiled(&join(path, k)))
                {
                    self.found.error(&here, why, None);
                }
                None
            }
        }
    }
}

fn plain_gate(raw: &raw::Gate) -> Result<Gate, String> {
    let wrong = || format!("\"{}\" is no step", shown(&raw.after));
    let after = match raw.after.trim() {
        "step" => After::Step,
        text => {
            let share: f64 = text
                .strip_suffix('%')
                .and_then(|n| n.trim().parse().ok())
                .ok_or_else(wrong)?;
            if !(share > 0.0 && share <= 100.0) {
                return Err("a share of traffic is above 0% and at most 100%".into());
            }
            After::Percent(share)
        }
    };
    let id = match after {
        After::Step => "step".to_owned(),
        After::Percent(share) => format!("{share}%"),
    };
    Ok(Gate {
        id,
        after,
        metrics: raw.metrics.clone(),
        critical: raw.critical,
        tolerance: raw.tolerance,
    })
}

/// `Ok(None)` where its metric is not defined, which is reported elsewhere; else the key that is wrong, and why.
fn plain_trigger(
    raw: &raw::Trigger,
    metrics: &[Metric],
) -> Result<Option<Trigger>, (&'static str, String)> {
    let Some(metric) = metrics.iter().find(|m| m.id == raw.metric) else {
        return Ok(None);
    };
    if let Some(pairs) = &raw.burn_rate {
        if raw.above.is_some() || raw.below.is_some() {
            let why = "the trigger has a burn rate and a limit; write two triggers";
            return Err(("burn_rate", why.into()));
        }
        return burn(metric, pairs, raw.hold_for, raw.then)
            .map(Some)
            .map_err(|why| ("burn_rate", why));
    }
    let (key, above, given) = match (&raw.above, &raw.below) {
        (Some(given), None) => ("above", true, given),
        (None, Some(given)) => ("below", false, given),
        (None, None) => {
            let why = "the trigger has neither `above` nor `below` nor `burn_rate`";
            return Err(("", why.into()));
        }
        (Some(_), Some(_)) => {
            return Err((
                "below",
                "the trigger has `above` and `below`; write two triggers".into(),
            ));
        }
    };
    let limit = limit::limit(given, metric.unit).map_err(|why| (key, why))?;
    if let Limit::Baseline(times) = limit
        && (times > 1.0) != above
    {
        let why = if above {
            "a multiple above the baseline is more than 1"
        } else {
            "a multiple below the baseline is less than 1"
        };
        return Err((key, why.into()));
    }
    Ok(Some(trigger(
        metric,
        above,
        limit,
        raw.window,
        raw.hold_for.unwrap_or(Length(300)),
        raw.then,
    )))
}

fn trigger(
    metric: &Metric,
    above: bool,
    limit: Limit,
    window: Option<Length>,
    hold_for: Length,
    then: Then,
) -> Trigger {
    let sign = if above { '>' } else { '<' };
    Trigger {
        id: format!("{}{sign}{}", metric.id, limit::words(limit, metric.unit)),
        metric: metric.id.clone(),
        above,
        limit,
        window: window.unwrap_or(hold_for).0,
        hold_for: hold_for.0,
        then,
        burn: Vec::new(),
    }
}

/// A trigger by burn rates of the metric's objective.
fn burn(
    metric: &Metric,
    pairs: &[String],
    hold_for: Option<Length>,
    then: Then,
) -> Result<Trigger, String> {
    if metric.kind != MetricKind::Ratio {
        return Err(format!(
            "{} is no ratio: a budget burns by bad events of all events",
            shown(&metric.id)
        ));
    }
    if pairs.is_empty() {
        return Err("there is no pair; write for example [\"14.4 over 1h/5m\"]".into());
    }
    let burn: Vec<BurnPair> = pairs.iter().map(|p| pair(p)).collect::<Result<_, _>>()?;
    let words: Vec<String> = burn.iter().map(ToString::to_string).collect();
    Ok(Trigger {
        id: format!("{}>burn {}", metric.id, words.join(", ")),
        metric: metric.id.clone(),
        above: true,
        limit: Limit::Slo,
        window: burn.iter().map(|p| p.short).min().unwrap_or(300),
        hold_for: hold_for.map_or(0, |l| l.0),
        then,
        burn,
    })
}

/// `14.4 over 1h/5m`.
fn pair(text: &str) -> Result<BurnPair, String> {
    let wrong = || {
        format!(
            "\"{}\" is no burn rate; write for example \"14.4 over 1h/5m\"",
            shown(text)
        )
    };
    let (times, windows) = text.split_once("over").ok_or_else(wrong)?;
    let (long, short) = windows.split_once('/').ok_or_else(wrong)?;
    let times: f64 = times
        .trim()
        .trim_end_matches(['x', '×'])
        .trim_end()
        .parse()
        .map_err(|_| wrong())?;
    let span = |text: &str| {
        parse_duration(text)
            .ok()
            .and_then(|d| u64::try_from(d.num_seconds()).ok())
            .ok_or_else(wrong)
    };
    let (long, short) = (span(long)?, span(short)?);
    if !times.is_finite() || times <= 0.0 {
        return Err(wrong());
    }
    if short < 60 || long <= short || long > LONGEST_BURN {
        return Err(format!(
            "\"{}\": the long window comes first, the short one is at least 1m, and 7d of history are kept",
            shown(text)
        ));
    }
    Ok(BurnPair { times, long, short })
}

/// What ships beside a service's own triggers (SEMANTICS 7): `5x` over 1 m for 1 m on every ratio that should be low, and every
/// quantile with an objective over it for 5 m.
fn shipped_triggers(metrics: &[Metric], slo: &BTreeMap<String, f64>) -> Vec<Trigger> {
    let mut out = Vec::new();
    for metric in metrics
        .iter()
        .filter(|m| m.direction == Direction::LowerIsBetter)
    {
        let minute = Length(60);
        match metric.kind {
            MetricKind::Ratio => out.push(trigger(
                metric,
                true,
                Limit::Baseline(5.0),
                Some(minute),
                minute,
                Then::Propose,
            )),
            MetricKind::Quantile if slo.contains_key(&metric.id) => {
                out.push(trigger(
                    metric,
                    true,
                    Limit::Slo,
                    None,
                    Length(300),
                    Then::Propose,
                ));
            }
            _ => {}
        }
    }
    out
}
