//! Alerts of the world: scheduled by the scenario, now and then by chance, and by one rule that watches what versions do.

use std::collections::BTreeMap;

use chrono::Duration;

use super::noise;
use super::scenario::Scenario;
use super::series::{HISTORY_DAYS, Metrics};
use super::timeline::Timeline;
use crate::domain::time::Instant;

/// An alert that fires or fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Alert name.
    pub name: String,
    /// Service.
    pub service: String,
    /// Severity label.
    pub severity: String,
    /// Sentence for people.
    pub summary: String,
    /// First moment.
    pub from: Instant,
    /// First moment after it, where it is over.
    pub to: Option<Instant>,
}

impl Alert {
    /// Whether it fires at `at`.
    #[must_use]
    pub fn fires(&self, at: Instant) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }
}

/// Every alert that began by `now`, by start. The rule: errors at twice the usual or more for 5 minutes fire
/// `ErrorRateHigh`; a minute below ends it.
#[must_use]
pub fn until(
    scenario: &Scenario,
    metrics: &Metrics,
    timelines: &BTreeMap<String, Timeline>,
    now: Instant,
) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = scenario
        .alerts
        .iter()
        .map(|alert| Alert {
            name: alert.name.clone(),
            service: alert.service.clone(),
            severity: alert.severity.clone(),
            summary: alert.summary.clone(),
            from: scenario.at(alert.from),
            to: alert.to.map(|to| scenario.at(to)),
        })
        .collect();
    alerts.extend(by_chance(scenario, now));
    let mut watched: Vec<&str> = scenario
        .effects
        .iter()
        .map(|effect| effect.service.as_str())
        .collect();
    watched.dedup();
    for service in watched {
        alerts.extend(by_rule(scenario, metrics, timelines, service, now));
    }
    alerts.retain(|alert| alert.from <= now);
    alerts.sort_by(|a, b| (a.from, &a.name, &a.service).cmp(&(b.from, &b.name, &b.service)));
    alerts
}

/// One in five services has a short alert on a day; none near the story's beginning, which belongs to the script.
#[allow(clippy::cast_possible_truncation)] // seconds of a day
fn by_chance(scenario: &Scenario, now: Instant) -> Vec<Alert> {
    let first = scenario.starts - Duration::days(HISTORY_DAYS);
    let (quiet_from, quiet_to) = (
        scenario.starts - Duration::hours(2),
        scenario.starts + Duration::hours(2),
    );
    let mut alerts = Vec::new();
    for day in first.timestamp().div_euclid(86_400)..=now.timestamp().div_euclid(86_400) {
        for service in &scenario.services {
            let mut words = noise::stream(
                scenario.seed,
                noise::key(&format!("{}/alerts", service.name)),
                day,
            );
            let (chance, when, length) = (
                words.word().uniform(),
                words.word().uniform(),
                words.word().uniform(),
            );
            let from = Instant::from_timestamp(day * 86_400 + (when * 86_000.0) as i64, 0)
                .unwrap_or_default();
            let to = from + Duration::seconds(300 + (length * 900.0) as i64);
            if chance < 0.2 && (to <= quiet_from || from >= quiet_to) {
                alerts.push(Alert {
                    name: "PodRestarted".to_owned(),
                    service: service.name.clone(),
                    severity: "warning".to_owned(),
                    summary: format!("A pod of {} was restarted", service.name),
                    from,
                    to: Some(to),
                });
            }
        }
    }
    alerts
}

/// How far back the rule is evaluated: what fired longer ago is over.
const RULE_SPAN: Duration = Duration::hours(72);

fn by_rule(
    scenario: &Scenario,
    metrics: &Metrics,
    timelines: &BTreeMap<String, Timeline>,
    service: &str,
    now: Instant,
) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    let mut at = scenario.starts.max(now - RULE_SPAN);
    let (mut bad_since, mut good_since, mut firing) = (None, at, false);
    while at <= now {
        if metrics.harm(timelines, service, at) >= 2.0 {
            let since = *bad_since.get_or_insert(at);
            good_since = at;
            if !firing && at - since >= Duration::minutes(5) {
                firing = true;
                alerts.push(Alert {
                    name: "ErrorRateHigh".to_owned(),
                    service: service.to_owned(),
                    severity: "critical".to_owned(),
                    summary: format!("Errors of {service} above twice the usual for 5 minutes"),
                    from: at,
                    to: None,
                });
            }
        } else if at - good_since >= Duration::minutes(1) || !firing {
            bad_since = None;
            if firing && let Some(last) = alerts.last_mut() {
                last.to = Some(at);
            }
            firing = false;
        }
        at += Duration::seconds(15);
    }
    alerts
}
