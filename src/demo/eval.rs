//! Evaluates the PromQL subset over the world's counters. Labels do not depend on time here, so a query is compiled once into
//! slots (one for each series of the answer) and then run at each step.

use std::collections::BTreeMap;

use super::alerts::Alert;
use super::promql::{Expr, How, Selector};
use super::series::{CODES, EDGES, Family, Group, Reader};

/// A label set.
pub type Labels = BTreeMap<String, String>;

/// A compiled query.
pub struct Plan {
    node: Node,
    /// The label set of each slot; `None` for a scalar, which has one slot.
    pub labels: Option<Vec<Labels>>,
}

enum Node {
    Number(f64),
    /// Values or growth of sources.
    Sources {
        sources: Vec<Source>,
        range: Option<f64>,
        per_second: bool,
        offset: f64,
    },
    Aggregate {
        how: How,
        of: Box<Node>,
        members: Vec<Vec<usize>>,
    },
    Quantile {
        q: f64,
        of: Box<Node>,
        groups: Vec<Vec<(f64, usize)>>,
    },
    Unless {
        left: Box<Node>,
        right: Box<Node>,
        /// For each slot at the left, its equals at the right.
        others: Vec<Vec<usize>>,
    },
    CountOver {
        of: Box<Node>,
        range: f64,
        step: f64,
    },
    Binary {
        operator: char,
        left: Box<Node>,
        right: Box<Node>,
        pairs: Vec<(usize, usize)>,
    },
}

/// Where a series' numbers come from.
enum Source {
    Counter(Group, usize),
    /// Seconds in total: requests times the mean of a log-normal.
    Total {
        group: Group,
        mean_s: f64,
    },
    /// 1 while one of the spans is on.
    Spans(Vec<(i64, Option<i64>)>),
    Up,
}

/// Spans of unix seconds, then labels, of what `ALERTS` shows.
fn alert_sources(alerts: &[Alert]) -> Vec<(Labels, Source)> {
    let mut by_labels: BTreeMap<Labels, Vec<(i64, Option<i64>)>> = BTreeMap::new();
    for alert in alerts {
        let labels = labels(&[
            ("__name__", "ALERTS"),
            ("alertname", &alert.name),
            ("alertstate", "firing"),
            ("env", "production"),
            ("service", &alert.service),
            ("severity", &alert.severity),
        ]);
        by_labels
            .entry(labels)
            .or_default()
            .push((alert.from.timestamp(), alert.to.map(|to| to.timestamp())));
    }
    by_labels
        .into_iter()
        .map(|(labels, spans)| (labels, Source::Spans(spans)))
        .collect()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Every series of a metric name.
fn series(name: &str, reader: &Reader<'_>, alerts: &[Alert]) -> Vec<(Labels, Source)> {
    if name == "ALERTS" {
        return alert_sources(alerts);
    }
    let mut found = Vec::new();
    for (service, spec) in reader.services().iter().enumerate() {
        if name == "up" {
            let instance = format!("{}.shop.svc:8080", spec.name);
            let labels = labels(&[
                ("__name__", "up"),
                ("env", "production"),
                ("instance", &instance),
                ("job", &spec.name),
                ("service", &spec.name),
            ]);
            found.push((labels, Source::Up));
            continue;
        }
        for (staging, env) in [(false, "production"), (true, "staging")] {
            for (canary, track) in [(false, "stable"), (true, "canary")] {
                let base = labels(&[
                    ("__name__", name),
                    ("env", env),
                    ("job", "gateway"),
                    ("service", &spec.name),
                    ("track", track),
                ]);
                let group = |family| Group {
                    service,
                    staging,
                    canary,
                    family,
                };
                let with = |label: &str, values: &[&str], family| {
                    values
                        .iter()
                        .enumerate()
                        .map(|(column, value)| {
                            let mut all = base.clone();
                            all.insert(label.to_owned(), (*value).to_owned());
                            (all, Source::Counter(group(family), column))
                        })
                        .collect::<Vec<_>>()
                };
                let business = spec.carts > 0.0;
                let mean_s = spec.p50_ms / 1000.0 * (spec.sigma * spec.sigma / 2.0).exp();
                match name {
                    "http_requests_total" => found.extend(with("code", &CODES, Family::Requests)),
                    "http_request_duration_seconds_bucket" => {
                        found.extend(with("le", &EDGES, Family::Durations))
                    }
                    "http_request_duration_seconds_count" => {
                        found.push((
                            base,
                            Source::Counter(group(Family::Durations), EDGES.len() - 1),
                        ));
                    }
                    "http_request_duration_seconds_sum" => {
                        found.push((
                            base,
                            Source::Total {
                                group: group(Family::Durations),
                                mean_s,
                            },
                        ));
                    }
                    "carts_total" if business => {
                        found.push((base, Source::Counter(group(Family::Business), 0)))
                    }
                    "orders_total" if business => {
                        found.push((base, Source::Counter(group(Family::Business), 1)))
                    }
                    _ => {}
                }
            }
        }
    }
    found
}

/// Compiles an expression.
///
/// # Errors
/// The vendor's sentence for operands that do not fit.
pub fn compile(expr: &Expr, reader: &Reader<'_>, alerts: &[Alert]) -> Result<Plan, String> {
    match expr {
        Expr::Number(value) => Ok(Plan {
            node: Node::Number(*value),
            labels: None,
        }),
        Expr::Select(selector) => Ok(select(selector, false, reader, alerts, false)),
        Expr::Growth { of, per_second } => Ok(select(of, *per_second, reader, alerts, true)),
        Expr::Aggregate { how, by, of } => aggregate(*how, by, compile(of, reader, alerts)?),
        Expr::Quantile { q, of } => quantile(*q, compile(of, reader, alerts)?),
        Expr::Unless { left, right } => unless(
            compile(left, reader, alerts)?,
            compile(right, reader, alerts)?,
        ),
        Expr::CountOver { of, range, step } => {
            let of = compile(of, reader, alerts)?;
            Ok(Plan {
                node: Node::CountOver {
                    of: Box::new(of.node),
                    range: *range,
                    step: *step,
                },
                labels: of.labels,
            })
        }
        Expr::Binary {
            operator,
            left,
            right,
        } => binary(
            *operator,
            compile(left, reader, alerts)?,
            compile(right, reader, alerts)?,
        ),
    }
}

fn select(
    selector: &Selector,
    per_second: bool,
    reader: &Reader<'_>,
    alerts: &[Alert],
    nameless: bool,
) -> Plan {
    let mut labels = Vec::new();
    let mut sources = Vec::new();
    for (mut all, source) in series(&selector.name, reader, alerts) {
        if selector.matchers.iter().all(|matcher| matcher.passes(&all)) {
            if nameless {
                all.remove("__name__");
            }
            labels.push(all);
            sources.push(source);
        }
    }
    let node = Node::Sources {
        sources,
        range: selector.range,
        per_second,
        offset: selector.offset,
    };
    Plan {
        node,
        labels: Some(labels),
    }
}

fn aggregate(how: How, by: &[String], of: Plan) -> Result<Plan, String> {
    let Some(inner) = of.labels else {
        return Err(
            "1:1: parse error: expected type instant vector in aggregation expression, got scalar"
                .to_owned(),
        );
    };
    let mut groups: BTreeMap<Labels, Vec<usize>> = BTreeMap::new();
    for (slot, all) in inner.iter().enumerate() {
        let kept = all
            .iter()
            .filter(|(name, _)| by.contains(name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        groups.entry(kept).or_default().push(slot);
    }
    let (labels, members) = groups.into_iter().unzip();
    Ok(Plan {
        node: Node::Aggregate {
            how,
            of: Box::new(of.node),
            members,
        },
        labels: Some(labels),
    })
}

fn unless(left: Plan, right: Plan) -> Result<Plan, String> {
    let (Some(l), Some(r)) = (left.labels, right.labels) else {
        return Err(
            "1:1: parse error: set operator \"unless\" not allowed in binary scalar expression"
                .to_owned(),
        );
    };
    let nameless = |all: &Labels| {
        let mut all = all.clone();
        all.remove("__name__");
        all
    };
    let mut places: BTreeMap<Labels, Vec<usize>> = BTreeMap::new();
    for (slot, all) in r.iter().enumerate() {
        places.entry(nameless(all)).or_default().push(slot);
    }
    let others = l
        .iter()
        .map(|all| places.get(&nameless(all)).cloned().unwrap_or_default())
        .collect();
    Ok(Plan {
        node: Node::Unless {
            left: Box::new(left.node),
            right: Box::new(right.node),
            others,
        },
        labels: Some(l),
    })
}

fn quantile(q: f64, of: Plan) -> Result<Plan, String> {
    let Some(inner) = of.labels else {
        return Err("1:1: parse error: expected type instant vector in call to function \"histogram_quantile\", got scalar".to_owned());
    };
    let mut groups: BTreeMap<Labels, Vec<(f64, usize)>> = BTreeMap::new();
    for (slot, all) in inner.iter().enumerate() {
        let mut rest = all.clone();
        rest.remove("__name__");
        let edge = match rest.remove("le").as_deref() {
            Some("+Inf") => f64::INFINITY,
            Some(edge) => edge.parse().unwrap_or(f64::NAN),
            None => continue,
        };
        groups.entry(rest).or_default().push((edge, slot));
    }
    for edges in groups.values_mut() {
        edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let (labels, groups) = groups.into_iter().unzip();
    Ok(Plan {
        node: Node::Quantile {
            q,
            of: Box::new(of.node),
            groups,
        },
        labels: Some(labels),
    })
}

fn binary(operator: char, left: Plan, right: Plan) -> Result<Plan, String> {
    let nameless = |mut all: Labels| {
        all.remove("__name__");
        all
    };
    let (labels, pairs) = match (left.labels, right.labels) {
        (None, None) => (None, vec![(0, 0)]),
        (Some(l), None) => {
            let pairs = (0..l.len()).map(|slot| (slot, 0)).collect();
            (Some(l.into_iter().map(nameless).collect::<Vec<_>>()), pairs)
        }
        (None, Some(r)) => {
            let pairs = (0..r.len()).map(|slot| (0, slot)).collect();
            (Some(r.into_iter().map(nameless).collect()), pairs)
        }
        (Some(l), Some(r)) => {
            let mut places: BTreeMap<Labels, usize> = BTreeMap::new();
            for (slot, all) in r.into_iter().map(nameless).enumerate() {
                if places.insert(all, slot).is_some() {
                    return Err("found duplicate series for the match group on the right hand-side of the operation;many-to-many matching not allowed: matching labels must be unique on one side".to_owned());
                }
            }
            let matched = l.into_iter().map(nameless).enumerate();
            let both = matched.filter_map(|(slot, all)| {
                places.get(&all).map(|other| (all.clone(), (slot, *other)))
            });
            let (labels, pairs) = both.unzip();
            (Some(labels), pairs)
        }
    };
    Ok(Plan {
        node: Node::Binary {
            operator,
            left: Box::new(left.node),
            right: Box::new(right.node),
            pairs,
        },
        labels,
    })
}

impl Plan {
    /// The value of each slot at `at` (Unix seconds); `None` where a series has no sample.
    pub fn run(&self, at: f64, reader: &mut Reader<'_>) -> Vec<Option<f64>> {
        self.node.run(at, reader)
    }
}

impl Node {
    fn run(&self, at: f64, reader: &mut Reader<'_>) -> Vec<Option<f64>> {
        match self {
            Self::Number(value) => vec![Some(*value)],
            Self::Sources {
                sources,
                range,
                per_second,
                offset,
            } => {
                let at = at - offset;
                sources
                    .iter()
                    .map(|source| source.value(at, *range, *per_second, reader))
                    .collect()
            }
            Self::Aggregate { how, of, members } => {
                let inner = of.run(at, reader);
                members
                    .iter()
                    .map(|slots| {
                        together(*how, slots.iter().filter_map(|slot| value(&inner, *slot)))
                    })
                    .collect()
            }
            Self::Quantile { q, of, groups } => {
                let inner = of.run(at, reader);
                groups
                    .iter()
                    .map(|edges| {
                        let buckets: Vec<(f64, f64)> = edges
                            .iter()
                            .filter_map(|(edge, slot)| {
                                value(&inner, *slot).map(|count| (*edge, count))
                            })
                            .collect();
                        if buckets.is_empty() {
                            None
                        } else {
                            Some(bucket_quantile(*q, &buckets))
                        }
                    })
                    .collect()
            }
            Self::Unless {
                left,
                right,
                others,
            } => {
                let (left, right) = (left.run(at, reader), right.run(at, reader));
                left.into_iter()
                    .zip(others)
                    .map(|(l, slots)| {
                        let there = slots.iter().any(|slot| value(&right, *slot).is_some());
                        l.filter(|_| !there)
                    })
                    .collect()
            }
            Self::CountOver { of, range, step } => {
                // Steps lie on multiples of the step, in the half-open span that ends here.
                let mut seen: Vec<Option<f64>> = Vec::new();
                let mut moment = (at / step).floor() * step;
                while moment > at - range {
                    let values = of.run(moment, reader);
                    seen.resize(values.len().max(seen.len()), None);
                    for (slot, one) in seen.iter_mut().zip(values) {
                        if one.is_some() {
                            *slot = Some(slot.unwrap_or(0.0) + 1.0);
                        }
                    }
                    moment -= step;
                }
                seen
            }
            Self::Binary {
                operator,
                left,
                right,
                pairs,
            } => {
                let (left, right) = (left.run(at, reader), right.run(at, reader));
                pairs
                    .iter()
                    .map(|(l, r)| Some(calculate(*operator, value(&left, *l)?, value(&right, *r)?)))
                    .collect()
            }
        }
    }
}

fn value(values: &[Option<f64>], slot: usize) -> Option<f64> {
    values.get(slot).copied().flatten()
}

fn calculate(operator: char, left: f64, right: f64) -> f64 {
    match operator {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        _ => left / right,
    }
}

#[allow(clippy::cast_precision_loss)] // a number of series
fn together(how: How, values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    if values.is_empty() {
        return None;
    }
    let sum: f64 = values.iter().sum();
    Some(match how {
        How::Sum => sum,
        How::Count => values.len() as f64,
        How::Avg => sum / values.len() as f64,
        How::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        How::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// The vendor's rule: linear inside the bucket that holds the rank; the lower edge of the last finite bucket's end for the
/// open one; NaN without events or without an open bucket.
fn bucket_quantile(q: f64, buckets: &[(f64, f64)]) -> f64 {
    let Some((last_edge, total)) = buckets.last().copied() else {
        return f64::NAN;
    };
    if last_edge.is_finite() || total <= 0.0 || !(0.0..=1.0).contains(&q) {
        return f64::NAN;
    }
    let rank = q * total;
    let (mut low, mut below) = (0.0, 0.0);
    for (edge, count) in buckets {
        if *count >= rank {
            if edge.is_infinite() {
                return low;
            }
            let width = count - below;
            return if width > 0.0 {
                low + (edge - low) * (rank - below) / width
            } else {
                *edge
            };
        }
        (low, below) = (*edge, *count);
    }
    low
}

/// A sample older than this is not a series' value any more, as in Prometheus.
const LOOKBACK_S: f64 = 300.0;

impl Source {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // seconds since 1970
    fn value(
        &self,
        at: f64,
        range: Option<f64>,
        per_second: bool,
        reader: &mut Reader<'_>,
    ) -> Option<f64> {
        let newest = reader.horizon() as f64;
        match (self, range) {
            (Self::Counter(group, column), Some(range)) => {
                let grown = reader.increase(*group, *column, at - range, at)?;
                Some(if per_second { grown / range } else { grown })
            }
            (Self::Total { group, mean_s }, range) => {
                let counter = Self::Counter(*group, EDGES.len() - 1);
                counter
                    .value(at, range, per_second, reader)
                    .map(|count| count * mean_s)
            }
            (Self::Counter(group, column), None) => {
                if at - newest > LOOKBACK_S || !reader.present(*group, at - LOOKBACK_S, at) {
                    return None;
                }
                reader.increase(*group, *column, 0.0, at)
            }
            (Self::Spans(spans), None) => {
                let at = at as i64;
                let on = spans
                    .iter()
                    .any(|(from, to)| *from <= at && to.is_none_or(|to| at < to));
                (on && at as f64 - newest <= LOOKBACK_S).then_some(1.0)
            }
            (Self::Up, None) => (at - newest <= LOOKBACK_S).then_some(1.0),
            // Growth of what is no counter: nothing grows.
            (Self::Spans(_) | Self::Up, Some(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::cast_precision_loss
    )]
    use super::*;
    use crate::demo::opening::initial;
    use crate::demo::promql::parse;
    use crate::demo::scenario::Scenario;
    use crate::demo::series::Metrics;
    use std::sync::Arc;

    fn ask(query: &str) -> Vec<(Labels, f64)> {
        let scenario = Arc::new(Scenario::load("regression").unwrap());
        let metrics = Metrics::new(Arc::clone(&scenario));
        let timelines = initial(&scenario);
        let mut reader = metrics.reader(&timelines, scenario.opens);
        let plan = compile(&parse(query).unwrap(), &reader, &[]).unwrap();
        let values = plan.run(scenario.opens.timestamp() as f64, &mut reader);
        let labels = plan.labels.unwrap_or_else(|| vec![Labels::new()]);
        labels
            .into_iter()
            .zip(values)
            .filter_map(|(l, v)| v.map(|v| (l, v)))
            .collect()
    }

    #[test]
    fn sums_group_and_divide() {
        assert_eq!(ask("1 + 2 * 3")[0].1, 7.0);
        let by_code = ask(
            r#"sum by (code) (increase(http_requests_total{service="checkout",env="production"}[5m]))"#,
        );
        assert_eq!(by_code.len(), 4);
        let all =
            ask(r#"sum(increase(http_requests_total{service="checkout",env="production"}[5m]))"#)
                [0]
            .1;
        assert!((by_code.iter().map(|(_, v)| v).sum::<f64>() - all).abs() < 1e-6);
        let share = ask(
            r#"sum by (service) (rate(http_requests_total{code=~"5..",env="production"}[1h])) / sum by (service) (rate(http_requests_total{env="production"}[1h]))"#,
        );
        assert_eq!(share.len(), 20);
        assert!(
            share.iter().all(|(_, v)| (0.0001..0.006).contains(v)),
            "{share:?}"
        );
    }

    #[test]
    fn quantiles_follow_the_distribution() {
        let p95 = ask(
            r#"histogram_quantile(0.95, sum by (le, service) (increase(http_request_duration_seconds_bucket{service="checkout",env="production"}[10m])))"#,
        );
        assert_eq!(p95.len(), 1);
        assert!((0.56..0.66).contains(&p95[0].1), "{p95:?}"); // 220 ms x exp(1.645 x 0.62) = 610 ms
        assert_eq!(p95[0].0.get("service").unwrap(), "checkout");
    }

    #[test]
    fn the_vendors_rule_for_buckets() {
        let buckets = [(1.0, 50.0), (2.0, 100.0), (f64::INFINITY, 100.0)];
        assert!((bucket_quantile(0.75, &buckets) - 1.5).abs() < 1e-9);
        assert!((bucket_quantile(1.0, &[(1.0, 5.0), (f64::INFINITY, 10.0)]) - 1.0).abs() < 1e-9);
        assert!(bucket_quantile(0.5, &[(1.0, 0.0), (f64::INFINITY, 0.0)]).is_nan());
    }

    #[test]
    fn what_is_not_there_is_no_series() {
        assert!(ask("nothing_total").is_empty());
        assert!(
            ask(r#"sum by (service) (increase(http_requests_total{service="nobody"}[5m]))"#)
                .is_empty()
        );
        assert_eq!(ask("up").len(), 20);
    }
}
