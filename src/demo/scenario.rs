//! Scenarios are data: `assets/demo/shop.toml` describes the shop that all of them share (services, people, commits, calendar),
//! and `assets/demo/{regression,happy,blackout,freeze,watch}.toml` what happens in it. Both are compiled in.
//!
//! # The format
//!
//! Offsets (`at`, `from`, `to`) count from `starts`, the moment the story's deployment began; they are durations with an
//! optional sign: `"+18m"`, `"-2d"`, `"90s"`.
//!
//! A scenario file:
//!
//! - `format = 1`, `id`, `title`, `seed` (every number of the world follows from it), `starts` and `opens` (RFC 3339: when the
//!   story begins and the world time at which the demo opens), `gap_cap` (how much world time at most passes between the last
//!   sign of life of one run and the start of the next).
//! - `[[app]]`: what is special about one application at the start: `service`, `auto_sync`, `target` (the chart version that the
//!   application wants).
//! - `[[act]]`: the script: `at` and one [`Act`] (`kind` and its fields), e.g. a sync, a promotion, a message, an incident.
//! - `[[effect]]`: what a version does to its service once it serves: curves of `[minutes since it first served, multiplier]`
//!   pairs, linear between the points, flat outside: `errors` (on the error ratio), `latency` (on every duration), `conversion`.
//! - `[[fault]]`: which vendor fails from when to when, and how; see [`Fault`].
//! - `[[event]]`: entries of the calendar feed beside those of the shop; `appears` hides one until that offset.
//! - `[[alert]]`: alerts that fire from when to when.
//! - `[[journal]]`: what people did before the demo opened: `at`, `actor`, `kind` and a free table `fields`. The world does not
//!   read them; whoever starts the demo turns them into journal events.
//!
//! The shop file: `[[service]]` ([`Service`]), `[[person]]` ([`Person`]), `[[commit]]` ([`Commit`]), `[[event]]`.

use std::fmt;

use chrono::Duration;
use serde::{Deserialize, Deserializer};

use super::act::Act;
use super::shop::{CalendarEvent, Commit, Person, Service};
use crate::domain::time::Instant;

const SHOP: &str = include_str!("../../assets/demo/shop.toml");

/// The scenarios that are compiled in: name and text.
const SCENARIOS: [(&str, &str); 5] = [
    (
        "regression",
        include_str!("../../assets/demo/regression.toml"),
    ),
    ("happy", include_str!("../../assets/demo/happy.toml")),
    ("blackout", include_str!("../../assets/demo/blackout.toml")),
    ("freeze", include_str!("../../assets/demo/freeze.toml")),
    ("watch", include_str!("../../assets/demo/watch.toml")),
];

/// The names of the scenarios that are compiled in, the default first.
#[must_use]
pub fn names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).collect()
}

/// A signed span from the story's start; written like `"+7m30s"`, `"-2d"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub Duration);

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(from)?;
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(&text)),
        };
        let span = humantime::parse_duration(digits)
            .map_err(|e| D::Error::custom(format!("{text:?}: {e}")))?;
        let span = Duration::from_std(span).map_err(D::Error::custom)?;
        Ok(Self(if negative { -span } else { span }))
    }
}

/// A scenario could not be loaded. A test loads all of them, so a user sees this for an unknown name alone.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is no scenario of that name.
    #[error("no scenario is called {asked:?}; there are: {}", names().join(", "))]
    Unknown {
        /// The name that was asked for.
        asked: String,
    },
    /// A file does not read.
    #[error("assets/demo/{file}.toml: {why}")]
    Broken {
        /// File name without its ending.
        file: String,
        /// What is wrong.
        why: String,
    },
}

/// What a version does to its service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Service.
    pub service: String,
    /// Version.
    pub version: String,
    /// Multiplier of the error ratio by minutes since it first served.
    #[serde(default)]
    pub errors: Vec<(f64, f64)>,
    /// Multiplier of every duration.
    #[serde(default)]
    pub latency: Vec<(f64, f64)>,
    /// Multiplier of the conversion.
    #[serde(default)]
    pub conversion: Vec<(f64, f64)>,
}

/// How a vendor fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers with `status` and an error body; the request has no effect.
    Status,
    /// Takes the request and never answers while the fault lasts.
    Hang,
    /// Does what was asked, then cuts the connection in the middle of the answer.
    Cut,
    /// Answers 200 with something that is not the vendor's format.
    Garbage,
    /// Answers properly, `delay_ms` late.
    Slow,
}

/// A fault of one vendor; from a scenario, or put in through the control port.
#[derive(Clone, Debug, PartialEq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Vendor's name as in [`super::VENDORS`].
    pub vendor: String,
    /// How.
    pub kind: FaultKind,
    /// HTTP status for [`FaultKind::Status`].
    #[serde(default = "unavailable")]
    pub status: u16,
    /// Real milliseconds for [`FaultKind::Slow`].
    #[serde(default)]
    pub delay_ms: u64,
    /// `Retry-After` in seconds beside the status.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// Only requests whose path contains this.
    #[serde(default)]
    pub path: String,
    /// Only requests of this method.
    #[serde(default)]
    pub method: String,
    /// Ends by itself after this many requests.
    #[serde(default)]
    pub times: Option<u32>,
    /// For [`FaultKind::Hang`]: do what was asked first, so that only the answer is missing.
    #[serde(default)]
    pub accepted: bool,
}

fn unavailable() -> u16 {
    503
}

/// A fault with its time.
#[derive(Clone, Debug, Deserialize)]
pub struct TimedFault {
    /// First moment.
    pub from: Offset,
    /// First moment after it; none lasts.
    #[serde(default)]
    pub to: Option<Offset>,
    /// What fails and how.
    #[serde(flatten)]
    pub fault: Fault,
}

/// An alert that fires for a while.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertSpec {
    /// Alert name.
    pub name: String,
    /// Service.
    pub service: String,
    /// Severity label.
    pub severity: String,
    /// Sentence for people.
    #[serde(default)]
    pub summary: String,
    /// First moment.
    pub from: Offset,
    /// First moment after it; none lasts.
    #[serde(default)]
    pub to: Option<Offset>,
}

/// What is special about one application at the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppStart {
    /// Service.
    pub service: String,
    /// Whether Argo CD syncs by itself.
    #[serde(default)]
    pub auto_sync: bool,
    /// The chart version the application wants; the live one where none is given.
    #[serde(default)]
    pub target: Option<String>,
}

/// An act of the script.
#[derive(Clone, Debug, Deserialize)]
pub struct Scripted {
    /// When.
    pub at: Offset,
    /// What.
    #[serde(flatten)]
    pub act: Act,
}

/// An entry of the journal that the demo opens with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeded {
    /// When.
    pub at: Offset,
    /// Who.
    pub actor: String,
    /// Which kind of event, in the words of the scenario's author.
    pub kind: String,
    /// Whatever belongs to it.
    #[serde(default)]
    pub fields: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShopFile {
    timezone: String,
    service: Vec<Service>,
    person: Vec<Person>,
    #[serde(default)]
    commit: Vec<Commit>,
    #[serde(default)]
    event: Vec<CalendarEvent>,
    #[serde(default)]
    journal: Vec<Seeded>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoryFile {
    format: u32,
    id: String,
    title: String,
    seed: u64,
    starts: Instant,
    opens: Instant,
    gap_cap: Offset,
    #[serde(default)]
    app: Vec<AppStart>,
    #[serde(default)]
    act: Vec<Scripted>,
    #[serde(default)]
    effect: Vec<Effect>,
    #[serde(default)]
    fault: Vec<TimedFault>,
    #[serde(default)]
    event: Vec<CalendarEvent>,
    #[serde(default)]
    alert: Vec<AlertSpec>,
    #[serde(default)]
    journal: Vec<Seeded>,
}

/// A scenario with its shop: all that the world is made of, beside time and acts.
#[derive(Clone)]
pub struct Scenario {
    /// Name.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// Seed of every number.
    pub seed: u64,
    /// When the story's deployment began; offsets count from here.
    pub starts: Instant,
    /// World time at which a fresh demo opens.
    pub opens: Instant,
    /// World time that passes at most while no process runs.
    pub gap_cap: Duration,
    /// Zone of the shop.
    pub timezone: chrono_tz::Tz,
    /// Services, in the file's order.
    pub services: Vec<Service>,
    /// People.
    pub people: Vec<Person>,
    /// Commits.
    pub commits: Vec<Commit>,
    /// Entries of the calendar feed.
    pub events: Vec<CalendarEvent>,
    /// Applications that differ from the usual.
    pub apps: Vec<AppStart>,
    /// The script, by time.
    pub script: Vec<Scripted>,
    /// Effects of versions.
    pub effects: Vec<Effect>,
    /// Faults on a schedule.
    pub faults: Vec<TimedFault>,
    /// Alerts on a schedule.
    pub alerts: Vec<AlertSpec>,
    /// What the demo's journal opens with, by time.
    pub journal: Vec<Seeded>,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Scenario")
            .field("id", &self.id)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Scenario {
    /// Loads a compiled-in scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Unknown`] for a name that is not there; [`ScenarioError::Broken`] where a file is not in the format above.
    pub fn load(id: &str) -> Result<Self, ScenarioError> {
        let (name, text) = SCENARIOS
            .iter()
            .find(|(name, _)| *name == id)
            .ok_or_else(|| ScenarioError::Unknown {
                asked: id.to_owned(),
            })?;
        Self::parse(name, text, SHOP)
    }

    fn parse(name: &str, story: &str, shop: &str) -> Result<Self, ScenarioError> {
        let broken = |file: &str, why: String| ScenarioError::Broken {
            file: file.to_owned(),
            why,
        };
        let shop: ShopFile = toml::from_str(shop).map_err(|e| broken("shop", e.to_string()))?;
        let mut story: StoryFile =
            toml::from_str(story).map_err(|e| broken(name, e.to_string()))?;
        let timezone = shop
            .timezone
            .parse()
            .map_err(|_| broken("shop", format!("no zone {:?}", shop.timezone)))?;
        if story.format != 1 {
            return Err(broken(
                name,
                format!("format {} is not known; this program reads 1", story.format),
            ));
        }
        story.act.sort_by_key(|act| act.at);
        story.journal.extend(shop.journal);
        story.journal.sort_by_key(|entry| entry.at);
        let scenario = Self {
            id: story.id,
            title: story.title,
            seed: story.seed,
            starts: story.starts,
            opens: story.opens,
            gap_cap: story.gap_cap.0,
            timezone,
            services: shop.service,
            people: shop.person,
            commits: shop.commit,
            events: shop.event.into_iter().chain(story.event).collect(),
            apps: story.app,
            script: story.act,
            effects: story.effect,
            faults: story.fault,
            alerts: story.alert,
            journal: story.journal,
        };
        scenario.check(name).map(|()| scenario)
    }

    /// References between the parts hold: a service that does not exist is an author's slip, never silence.
    fn check(&self, file: &str) -> Result<(), ScenarioError> {
        let broken = |why: String| {
            Err(ScenarioError::Broken {
                file: file.to_owned(),
                why,
            })
        };
        let named = self
            .apps
            .iter()
            .map(|app| &app.service)
            .chain(self.effects.iter().map(|effect| &effect.service))
            .chain(self.alerts.iter().map(|alert| &alert.service))
            .chain(self.commits.iter().map(|commit| &commit.service))
            .chain(self.services.iter().flat_map(|service| &service.depends_on));
        for name in named {
            if self.service(name).is_none() {
                return broken(format!("no service is called {name:?}"));
            }
        }
        if let Some(fault) = self
            .faults
            .iter()
            .find(|f| !super::VENDORS.contains(&f.fault.vendor.as_str()))
        {
            return broken(format!("no vendor is called {:?}", fault.fault.vendor));
        }
        if let Some(service) = self.services.iter().find(|service| service.past.is_empty()) {
            return broken(format!("service {:?} has no past version", service.name));
        }
        Ok(())
    }

    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The instant that an offset names.
    #[must_use]
    pub fn at(&self, offset: Offset) -> Instant {
        self.starts + offset.0
    }

    /// The multipliers of a version that first served `minutes` ago.
    #[must_use]
    pub fn effect(&self, service: &str, version: &str, minutes: f64) -> Multipliers {
        self.effects
            .iter()
            .find(|effect| effect.service == service && effect.version == version)
            .map_or_else(Multipliers::default, |effect| Multipliers {
                errors: curve(&effect.errors, minutes),
                latency: curve(&effect.latency, minutes),
                conversion: curve(&effect.conversion, minutes),
            })
    }
}

/// What a version multiplies; 1 is harmless.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Multipliers {
    /// On the error ratio.
    pub errors: f64,
    /// On durations.
    pub latency: f64,
    /// On the conversion.
    pub conversion: f64,
}

impl Default for Multipliers {
    fn default() -> Self {
        Self {
            errors: 1.0,
            latency: 1.0,
            conversion: 1.0,
        }
    }
}

/// Linear between the points, flat outside; 1 where there is none.
fn curve(points: &[(f64, f64)], x: f64) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return 1.0;
    };
    if x <= first.0 {
        return first.1;
    }
    let pairs = points.iter().zip(points.iter().skip(1));
    for ((x0, y0), (x1, y1)) in pairs {
        if x <= *x1 {
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0).max(f64::EPSILON);
        }
    }
    last.1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_scenario_loads_and_has_twenty_services() {
        for name in names() {
            let scenario = Scenario::load(name).unwrap();
            assert_eq!(scenario.id, name);
            assert_eq!(scenario.services.len(), 20);
            assert_eq!((scenario.opens - scenario.starts).num_minutes(), 18);
        }
    }

    #[test]
    fn an_unknown_name_and_a_slip_are_said() {
        let unknown = Scenario::load("regresion").unwrap_err().to_string();
        assert!(
            unknown.contains("regression, happy, blackout, freeze, watch"),
            "{unknown}"
        );
        let story = SCENARIOS[0]
            .1
            .replace("service = \"checkout\"", "service = \"chekout\"");
        let slip = Scenario::parse("regression", &story, SHOP)
            .unwrap_err()
            .to_string();
        assert!(slip.contains("no service is called \"chekout\""), "{slip}");
    }

    #[test]
    fn curves_are_linear_between_points_and_flat_outside() {
        let points = [(2.0, 1.0), (4.0, 3.0)];
        assert!((curve(&points, 0.0) - 1.0).abs() < 1e-9);
        assert!((curve(&points, 3.0) - 2.0).abs() < 1e-9);
        assert!((curve(&points, 9.0) - 3.0).abs() < 1e-9);
        assert!((curve(&[], 9.0) - 1.0).abs() < 1e-9);
    }
}
