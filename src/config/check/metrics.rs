//! `[metrics.*]`.

use super::Check;
use crate::config::place::join;
use crate::config::raw;
use crate::config::raw::scalar::Query;
use crate::domain::policy::{Metric, MetricKind, Unit};

impl Check<'_> {
    pub(super) fn metrics(&mut self) -> Vec<Metric> {
        let raw = &self.raw.metrics;
        let mut ids: Vec<&String> = raw.keys().collect();
        ids.sort_by_key(|id| self.found.start(&join("metrics", id)));
        ids.into_iter()
            .filter_map(|id| raw.get(id).map(|m| self.metric(id, m)))
            .collect()
    }

    fn metric(&mut self, id: &str, raw: &raw::Metric) -> Metric {
        let path = join("metrics", id);
        self.expect_connection(&join(&path, "connection"), &raw.connection, Some("series"));
        let kind = raw.kind.unwrap_or(MetricKind::Gauge);
        if raw.kind.is_some() {
            self.queries(&path, kind, raw);
        }
        if raw.every.0 == 0 {
            self.found
                .error(&join(&path, "every"), "the time between reads is 0", None);
        }
        if raw.by.group.is_none() && raw.groups.is_some() {
            let help = "name the label: by = { service = \"service\", group = \"track\" }";
            self.found.error(
                &join(&path, "groups"),
                "groups are given, but not the label that tells them apart",
                Some(help.into()),
            );
        }
        if raw.by.group.is_some() && raw.groups.is_none() {
            let why = "without `groups` canary and stable cannot be told apart: a canary gate on this metric may fail, but never pass";
            self.found.warn(
                &join(&path, "by"),
                why,
                Some("groups = { canary = \"canary\", stable = \"stable\" }".into()),
            );
        }
        let text = |q: &Option<Query>| q.as_ref().map(|q| q.0.trim().to_owned());
        Metric {
            id: id.to_owned(),
            title: raw.title.clone().unwrap_or_else(|| id.replace('_', " ")),
            connection: raw.connection.clone(),
            kind,
            direction: raw.direction,
            service_label: raw.by.service.clone(),
            group_label: raw.by.group.clone(),
            canary: raw.groups.as_ref().map(|g| g.canary.clone()),
            stable: raw.groups.as_ref().map(|g| g.stable.clone()),
            numerator: text(&raw.numerator),
            denominator: text(&raw.denominator),
            query: text(&raw.query),
            unit: raw.unit.unwrap_or(match kind {
                MetricKind::Ratio => Unit::Percent,
                MetricKind::Quantile => Unit::Seconds,
                MetricKind::Gauge | MetricKind::Count => Unit::Number,
            }),
            decides: raw.decides,
            shared_noise: raw.noise == raw::Noise::Shared,
            every: raw.every.0,
        }
    }

    /// A ratio has two queries, everything else one.
    fn queries(&mut self, path: &str, kind: MetricKind, raw: &raw::Metric) {
        let ratio = kind == MetricKind::Ratio;
        let parts = [
            ("numerator", &raw.numerator, ratio),
            ("denominator", &raw.denominator, ratio),
            ("query", &raw.query, !ratio),
        ];
        for (key, query, wanted) in parts {
            let here = join(path, key);
            match query {
                Some(q) if wanted && q.0.trim().is_empty() => {
                    self.found.error(&here, "the query is empty", None);
                }
                None if wanted && !self.found.spoiled(&here) => {
                    let help = if ratio {
                        "a ratio has `numerator` (the events that count) and `denominator` (all events)"
                    } else {
                        "quantile, gauge and count have one `query`"
                    };
                    self.found
                        .error(&here, format!("`{key}` is missing"), Some(help.into()));
                }
                Some(_) if !wanted => {
                    let why = format!("`{key}` has no meaning for this kind");
                    self.found.error_at_key(
                        &here,
                        why,
                        Some(if ratio {
                            "a ratio has `numerator` and `denominator`".into()
                        } else {
                            "use `query`, or kind = \"ratio\"".into()
                        }),
                    );
                }
                _ => {}
            }
        }
    }
}
