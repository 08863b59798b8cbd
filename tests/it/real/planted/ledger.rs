//! What the server itself holds: raw samples of its counters, added up by hand. No function of its query language is asked.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rules::{Noise, noise};
use crate::real::http;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Labels and samples of a counter.
type Samples = BTreeMap<i64, f64>;

/// Which of a service's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Failed among all.
    Errors,
    /// Slower than half a second among all that were timed.
    Slow,
    /// Orders among requests.
    Orders,
}

impl What {
    pub fn of(metric: &str) -> Self {
        match metric {
            "slow" => Self::Slow,
            "conversion" => Self::Orders,
            _ => Self::Errors,
        }
    }
}

/// Raw samples by labels (a name without its digest): minute by minute of the last hours, and every ten minutes of the days before.
pub struct Ledger {
    minutes: Vec<(BTreeMap<String, String>, Samples)>,
    blocks: Vec<(BTreeMap<String, String>, Samples)>,
}

impl Ledger {
    /// As the server has it at `until`.
    pub fn of(port: u16, until: i64) -> Self {
        let counters = "{__name__=~\"http_requests_total|http_request_duration_seconds_(count|bucket)|orders_total\"}";
        let ten = until.div_euclid(600) * 600;
        Self {
            minutes: series(&http::json(
                port,
                "/api/v1/query",
                &[
                    ("query", &format!("{counters}[4h]")),
                    ("time", &until.to_string()),
                ],
            )),
            blocks: series(&http::json(
                port,
                "/api/v1/query_range",
                &[
                    ("query", counters),
                    ("start", &(ten - 7 * DAY - 4 * 3600).to_string()),
                    ("end", &ten.to_string()),
                    ("step", "600"),
                ],
            )),
        }
    }

    /// Events and total of a part of a service's traffic over `(from, to]`, and in how many minutes there was any.
    pub fn counts(
        &self,
        service: &str,
        track: Option<&str>,
        what: What,
        from: i64,
        to: i64,
    ) -> (f64, f64, f64) {
        let sum = |wanted: &dyn Fn(&BTreeMap<String, String>) -> bool| {
            let mut total = 0.0;
            let mut seen = std::collections::BTreeSet::new();
            for (labels, samples) in &self.minutes {
                let here = labels["service"] == service
                    && track.is_none_or(|t| labels.get("track").map(String::as_str) == Some(t));
                if here && wanted(labels) {
                    for (at, rise) in rises(samples, 60) {
                        if at > from && at <= to {
                            total += rise;
                            seen.insert(at);
                        }
                    }
                }
            }
            (total, seen.len() as f64)
        };
        let (total, minutes) = sum(&|l| is_total(l, what));
        let events = match what {
            What::Slow => total - sum(&|l| is_quick(l)).0,
            _ => sum(&|l| is_event(l, what)).0,
        };
        (events, total, minutes)
    }

    /// Events and total of a whole service in the ten minutes that end at `at`.
    fn block(&self, service: &str, what: What) -> BTreeMap<i64, (f64, f64)> {
        let mut out: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for (labels, samples) in self.blocks.iter().filter(|(l, _)| l["service"] == service) {
            for (at, rise) in rises(samples, 600) {
                let one = out.entry(at).or_default();
                if is_total(labels, what) {
                    one.1 += rise;
                }
                match what {
                    What::Slow if is_total(labels, what) => one.0 += rise,
                    What::Slow if is_quick(labels) => one.0 -= rise,
                    What::Slow => {}
                    _ if is_event(labels, what) => one.0 += rise,
                    _ => {}
                }
            }
        }
        out
    }

    /// Noise of the seven days before `until`.
    pub fn noise(&self, service: &str, what: What, until: i64) -> Noise {
        let mut days: BTreeMap<i64, Vec<(f64, f64)>> = BTreeMap::new();
        for (at, block) in self.block(service, what) {
            if at <= until && at > until - 7 * DAY && block.1 > 0.0 {
                days.entry((until - at).div_euclid(DAY))
                    .or_default()
                    .push(block);
            }
        }
        noise(
            &days
                .into_values()
                .filter(|day| day.len() > 1)
                .collect::<Vec<_>>(),
        )
    }

    /// The hour that ends at `until`'s time of day on these days before (1 is the day before), in whole ten minutes.
    pub fn hours(&self, service: &str, what: What, until: i64, days: &[i64]) -> (f64, f64, f64) {
        let end = until.div_euclid(600) * 600;
        let blocks = self.block(service, what);
        let mut out = (0.0, 0.0, 0.0);
        for day in days {
            for (_, (events, total)) in blocks.range(end - day * DAY - 3599..=end - day * DAY) {
                out = (out.0 + events, out.1 + total, out.2 + 10.0);
            }
        }
        out
    }
}

fn is_total(labels: &BTreeMap<String, String>, what: What) -> bool {
    match what {
        What::Slow => labels["__name__"] == "http_request_duration_seconds_count",
        _ => labels["__name__"] == "http_requests_total",
    }
}

fn is_event(labels: &BTreeMap<String, String>, what: What) -> bool {
    match what {
        What::Orders => labels["__name__"] == "orders_total",
        _ => is_total(labels, what) && labels["code"] == "500",
    }
}

fn is_quick(labels: &BTreeMap<String, String>) -> bool {
    labels["__name__"] == "http_request_duration_seconds_bucket" && labels["le"] == "0.5"
}

/// From sample to sample that lie so far apart; a counter that fell began again at nothing.
fn rises(samples: &Samples, step: i64) -> impl Iterator<Item = (i64, f64)> + '_ {
    samples
        .iter()
        .zip(samples.iter().skip(1))
        .filter(move |((a, _), (b, _))| **b - **a == step)
        .map(|((_, a), (at, b))| (*at, if b < a { *b } else { b - a }))
}

fn series(answer: &Value) -> Vec<(BTreeMap<String, String>, Samples)> {
    let one = |one: &Value| {
        let samples = one["values"].as_array().unwrap().iter().map(|pair| {
            let at = pair[0].as_f64().unwrap() as i64;
            (at, pair[1].as_str().unwrap().parse().unwrap())
        });
        (
            serde_json::from_value(one["metric"].clone()).unwrap(),
            samples.collect(),
        )
    };
    answer["data"]["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(one)
        .collect()
}
