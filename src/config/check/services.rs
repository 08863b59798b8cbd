//! `[[service]]` and `[defaults]`: connections, targets, objectives, dependencies.

use std::collections::BTreeMap;

use super::Check;
use super::cycle::cycles;
use crate::config::limit;
use crate::config::place::{join, shown};
use crate::config::raw::scalar::Amount;
use crate::config::raw::service::{self as raw, Target};
use crate::domain::act::Verb;
use crate::domain::policy::{Environment, Metric, Service, Then};

/// Stands for a service's name in texts of `[defaults]`.
const NAME: &str = "{service}";

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
        let named = |text: &str| text.replace(NAME, &raw.name);
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
        let holds = triggers.iter().find(|t| t.then == Then::Hold);
        let mute = deployments
            .as_deref()
            .and_then(|name| self.connector_of(name))
            .filter(|info| !info.verbs.is_empty() && !info.verbs.contains(&Verb::Pause))
            .map(|info| info.id);
        if let (Some(trigger), Some(connector)) = (holds, mute) {
            let why = format!(
                "trigger {} of {} holds, and connector {connector} cannot pause",
                trigger.id,
                shown(&raw.name)
            );
            let help = "the hold stands here, as a debt that refuses promote; the vendor goes on";
            self.found.warn(path, why, Some(help.into()));
        }
        Service {
            name: raw.name.clone(),
            team: raw.team.clone().or_else(|| base.team.clone()),
            depends_on: raw.depends_on.clone(),
            deployments,
            commits,
            builds,
            registry,
            image: raw
                .image
                .clone()
                .or_else(|| base.image.as_deref().map(named)),
            target: self.target(path, raw, environments),
            slo,
            runbook: (raw.runbook.as_ref().map(|p| p.0.clone()))
                .or_else(|| base.runbook.as_ref().map(|p| named(&p.0))),
            dashboards: match &raw.dashboards {
                Some(own) => own.iter().map(|p| p.0.clone()).collect(),
                None => base.dashboards.iter().map(|p| named(&p.0)).collect(),
            },
            gates,
            triggers,
            irreversible: raw
                .irreversible
                .clone()
                .unwrap_or_else(|| base.irreversible.clone()),
            fought_by: raw.fought_by.clone().or_else(|| {
                let base = base.fought_by.as_ref();
                base.map(|list| list.iter().map(|line| named(line)).collect())
            }),
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

    /// Target tables by environment, `""` for what holds everywhere; the service's own replace the defaults', key by key.
    fn target(
        &mut self,
        path: &str,
        raw: &raw::Service,
        environments: &[Environment],
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        let base = &self.raw.defaults.target;
        let mut out = self.targets("defaults.target", base, environments);
        for value in out.values_mut().flat_map(BTreeMap::values_mut) {
            *value = value.replace(NAME, &raw.name);
        }
        for (environment, own) in self.targets(&join(path, "target"), &raw.target, environments) {
            // What the service says for every environment holds against what the defaults say for one.
            if environment.is_empty() {
                for values in out.values_mut() {
                    values.retain(|key, _| !own.contains_key(key));
                }
            }
            out.entry(environment).or_default().extend(own);
        }
        out.retain(|_, values| !values.is_empty());
        out
    }

    fn targets(
        &mut self,
        path: &str,
        targets: &BTreeMap<String, Target>,
        environments: &[Environment],
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        let names: Vec<&str> = environments.iter().map(|e| e.name.as_str()).collect();
        let mut out: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (key, target) in targets {
            match target {
                Target::Value(value) => {
                    let common = out.entry(String::new()).or_default();
                    common.insert(key.clone(), value.text());
                }
                Target::Environment(values) => {
                    let none = "define it under [environments]";
                    self.expect(&join(path, key), "environment", key, &names, none);
                    let values = values.iter().map(|(k, v)| (k.clone(), v.text()));
                    out.entry(key.clone()).or_default().extend(values);
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

    fn dependencies(&mut self, services: &[Service]) {
        let names: Vec<&str> = services.iter().map(|s| s.name.as_str()).collect();
        for (n, service) in services.iter().enumerate() {
            for (d, name) in service.depends_on.iter().enumerate() {
                let path = format!("service[{n}].depends_on[{d}]");
                self.expect(&path, "service", name, &names, "define it: [[service]]");
            }
        }
        let nodes: Vec<_> = services
            .iter()
            .map(|s| (s.name.as_str(), s.depends_on.as_slice()))
            .collect();
        for (at, cycle) in cycles(&nodes) {
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
