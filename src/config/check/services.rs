//! `[[service]]` and `[defaults]`: connections, targets, objectives, gates, triggers, dependencies.

use std::collections::BTreeMap;

use super::Check;
use crate::config::limit;
use crate::config::place::{join, shown};
use crate::config::raw::scalar::{Amount, Length};
use crate::config::raw::service::{self as raw, Target};
use crate::domain::policy::{
    After, Direction, Environment, Gate, Limit, Metric, MetricKind, Service, Then, Trigger,
};

impl Check<'_> {
    pub(super) fn services(
        &mut self,
        metrics: &[Metric],
        environments: &[Environment],
    ) -> Vec<Service> {
        let raw = self.raw;
        self.duplicates(
            "service",
            "name",
            raw.service.iter().map(|s| s.name.as_str()),
        );
        self.default_references(metrics);
        let services: Vec<Service> = raw
            .service
            .iter()
            .enumerate()
            .map(|(n, s)| self.service(&format!("service[{n}]"), s, metrics, environments))
            .collect();
        self.dependencies(&services);
        services
    }

    fn service(
        &mut self,
        path: &str,
        raw: &raw::Service,
        metrics: &[Metric],
        environments: &[Environment],
    ) -> Service {
        self.named(&join(path, "name"), &raw.name);
        let base = &self.raw.defaults;
        let mut connection = |key: &str, own: &Option<String>, base: &Option<String>, reads| {
            if let Some(name) = own {
                self.expect_connection(&join(path, key), name, Some(reads));
            }
            own.clone().or_else(|| base.clone())
        };
        let deployments = connection(
            "deployments",
            &raw.deployments,
            &base.deployments,
            "deployment",
        );
        let commits = connection("commits", &raw.commits, &base.commits, "commit");
        let builds = connection("builds", &raw.builds, &base.builds, "build");
        let registry = connection("registry", &raw.registry, &base.registry, "artifact");
        let slo = self.objectives(path, &raw.slo, metrics);
        let gates = self.gates_of(path, raw, metrics);
        let triggers = self.triggers_of(path, raw, metrics, &slo);
        if deployments.is_some() && gates.is_empty() && !self.found.spoiled(path) {
            let why = format!(
                "{} has no gate: its rollouts would never be judged",
                shown(&raw.name)
            );
            self.found.warn(
                path,
                why,
                Some("[[defaults.gate]] metrics = [\"…\"] gives every service one".into()),
            );
        }
        Service {
            name: raw.name.clone(),
            team: raw.team.clone().or_else(|| base.team.clone()),
            depends_on: raw.depends_on.clone(),
            deployments,
            commits,
            builds,
            registry,
            image: raw.image.clone(),
            target: self.target(path, &raw.target, environments),
            slo,
            runbook: raw.runbook.as_ref().map(|p| p.0.clone()),
            dashboards: raw.dashboards.iter().map(|p| p.0.clone()).collect(),
            gates,
            triggers,
            irreversible: raw
                .irreversible
                .clone()
                .unwrap_or_else(|| base.irreversible.clone()),
        }
    }

    /// What `[defaults]` names is checked once, not once per service.
    fn default_references(&mut self, metrics: &[Metric]) {
        let base = &self.raw.defaults;
        let named = [
            ("deployments", &base.deployments, "deployment"),
            ("commits", &base.commits, "commit"),
            ("builds", &base.builds, "build"),
            ("registry", &base.registry, "artifact"),
        ];
        for (key, name, reads) in named {
            if let Some(name) = name {
                self.expect_connection(&join("defaults", key), name, Some(reads));
            }
        }
        for (n, gate) in base.gate.iter().enumerate() {
            self.gate(&format!("defaults.gate[{n}]"), gate, metrics);
        }
        for (n, trigger) in base.trigger.iter().enumerate() {
            self.trigger(&format!("defaults.trigger[{n}]"), trigger, metrics);
        }
        self.objectives_in("defaults.slo", &base.slo, metrics);
    }

    /// Target tables by environment, `""` for what holds everywhere; the service's own replace the defaults'.
    fn target(
        &mut self,
        path: &str,
        own: &BTreeMap<String, Target>,
        environments: &[Environment],
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut out: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (base, targets) in [
            ("defaults.target".to_owned(), &self.raw.defaults.target),
            (join(path, "target"), own),
        ] {
            for (key, target) in targets {
                match target {
                    Target::Value(value) => {
                        out.entry(String::new())
                            .or_default()
                            .insert(key.clone(), value.text());
                    }
                    Target::Environment(values) => {
                        let names: Vec<&str> =
                            environments.iter().map(|e| e.name.as_str()).collect();
                        self.expect(
                            &join(&base, key),
                            "environment",
                            key,
                            &names,
                            "define it under [environments]",
                        );
                        let values = values.iter().map(|(k, v)| (k.clone(), v.text()));
                        out.entry(key.clone()).or_default().extend(values);
                    }
                }
            }
        }
        out
    }

    fn objectives(
        &mut self,
        path: &str,
        own: &BTreeMap<String, Amount>,
        metrics: &[Metric],
    ) -> BTreeMap<String, f64> {
        let mut out = self
            .raw
            .defaults
            .slo
            .iter()
            .filter_map(|(id, given)| {
                let metric = metrics.iter().find(|m| m.id == *id)?;
                Some((id.clone(), limit::amount(given, metric.unit).ok()?))
            })
            .collect::<BTreeMap<_, _>>();
        out.extend(self.objectives_in(&join(path, "slo"), own, metrics));
        out
    }

    fn objectives_in(
        &mut self,
        path: &str,
        slo: &BTreeMap<String, Amount>,
        metrics: &[Metric],
    ) -> BTreeMap<String, f64> {
        let mut out = BTreeMap::new();
        for (id, given) in slo {
            let here = join(path, id);
            let Some(metric) = self.metric_named(&here, id, metrics) else {
                continue;
            };
            match limit::amount(given, metric.unit) {
                Ok(value) if value >= 0.0 => {
                    out.insert(id.clone(), value);
                }
                Ok(_) => self
                    .found
                    .error(&here, "an objective is not negative", None),
                Err(why) => self.found.error(&here, why, None),
            }
        }
        out
    }

    pub(super) fn metric_named<'m>(
        &mut self,
        path: &str,
        id: &str,
        metrics: &'m [Metric],
    ) -> Option<&'m Metric> {
        let ids: Vec<&str> = metrics.iter().map(|m| m.id.as_str()).collect();
        let none = format!("define it: [metrics.{}]", shown(id));
        if !self.expect(path, "metric", id, &ids, &none) {
            return None;
        }
        metrics.iter().find(|m| m.id == id)
    }

    fn gates_of(&mut self, path: &str, raw: &raw::Service, metrics: &[Metric]) -> Vec<Gate> {
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

    fn gate(&mut self, path: &str, raw: &raw::Gate, metrics: &[Metric]) -> Option<Gate> {
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
            self.metric_named(&format!("{at_metrics}[{n}]"), id, metrics);
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

    fn triggers_of(
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

    fn trigger(&mut self, path: &str, raw: &raw::Trigger, metrics: &[Metric]) -> Option<Trigger> {
        let at = join(path, "metric");
        if self.found.spoiled(&at) {
            return None;
        }
        self.metric_named(&at, &raw.metric, metrics)?;
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

    fn dependencies(&mut self, services: &[Service]) {
        let names: Vec<&str> = services.iter().map(|s| s.name.as_str()).collect();
        for (n, service) in services.iter().enumerate() {
            for (d, name) in service.depends_on.iter().enumerate() {
                let path = format!("service[{n}].depends_on[{d}]");
                self.expect(&path, "service", name, &names, "define it: [[service]]");
            }
        }
        for (at, cycle) in cycles(services) {
            let path = format!("service[{at}].depends_on");
            let names: Vec<String> = cycle.iter().map(|n| shown(n)).collect();
            let why = format!(
                "the services depend on each other in a circle: {}",
                names.join(" → ")
            );
            self.found.error(
                &path,
                why,
                Some("no order of deploying and rolling back exists; leave one out".into()),
            );
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
    let (key, above, given) = match (&raw.above, &raw.below) {
        (Some(given), None) => ("above", true, given),
        (None, Some(given)) => ("below", false, given),
        (None, None) => return Err(("", "the trigger has neither `above` nor `below`".into())),
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
    }
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

/// Every circle among the dependencies, once: the index of a service on it, and the names along it, first and last the same.
fn cycles(services: &[Service]) -> Vec<(usize, Vec<&str>)> {
    let index: BTreeMap<&str, usize> = services
        .iter()
        .enumerate()
        .map(|(n, s)| (s.name.as_str(), n))
        .collect();
    let next = |at: usize| -> Vec<usize> {
        services
            .get(at)
            .into_iter()
            .flat_map(|s| &s.depends_on)
            .filter_map(|d| index.get(d.as_str()).copied())
            .collect()
    };
    // 0: not seen, 1: on the way here, 2: done. An explicit stack: a long chain must not overflow the program's.
    let mut state = vec![0_u8; services.len()];
    let mut found = Vec::new();
    for root in 0..services.len() {
        let mut stack = vec![(root, next(root), 0_usize)];
        if state.get(root) != Some(&0) {
            continue;
        }
        set(&mut state, root, 1);
        while let Some((at, edges, done)) = stack.last_mut() {
            let Some(&to) = edges.get(*done) else {
                set(&mut state, *at, 2);
                stack.pop();
                continue;
            };
            *done += 1;
            match state.get(to) {
                Some(0) => {
                    set(&mut state, to, 1);
                    stack.push((to, next(to), 0));
                }
                Some(1) => {
                    let way = stack.iter().map(|(n, ..)| *n).skip_while(|n| *n != to);
                    let names = way
                        .chain([to])
                        .filter_map(|n| services.get(n))
                        .map(|s| s.name.as_str());
                    found.push((to, names.collect()));
                }
                _ => {}
            }
        }
    }
    found
}

fn set(state: &mut [u8], at: usize, value: u8) {
    if let Some(cell) = state.get_mut(at) {
        *cell = value;
    }
}
