//! Services with a known harm in them: eight days of noisy traffic, and a new version since so many minutes.
//!
//! Requests are Poisson around a daily curve, failures Poisson around a share that has good and bad days and good and bad minutes.
//! Everything comes from the service's name, so the same story is told at every run; only its clock differs. The text goes on for a
//! while behind now, as a server that is scraped would: what is read is fresh for as long as a test takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::real::world::{STEP, World};

/// Minutes before now.
const PAST: i64 = 8 * 1440;
/// Minutes behind now.
const AHEAD: i64 = 20;
/// Upper edges of the buckets of a request's time, in seconds, and the share of requests below them.
const EDGES: [(&str, f64); 5] = [
    ("0.1", 0.50),
    ("0.25", 0.85),
    ("0.5", 0.98),
    ("1", 0.996),
    ("+Inf", 1.0),
];
/// Minutes that the last part of a canary in two parts has half of the traffic; before it had a fifth.
pub const HALF: i64 = 20;

/// What the new version is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// It is a canary, and the stable version serves beside it.
    Stable,
    /// It serves alone: the hour before.
    Hour,
    /// It serves alone and is watched: the same hour on the days before.
    Week,
}

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// So many times the failures.
    Errors,
    /// So many times the requests slower than half a second.
    Slow,
    /// So many times the orders.
    Orders,
    /// No request reaches the new version.
    Silence,
    /// It has no failures, and therefore no series of them.
    Cured,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// Requests a second, both versions together.
    pub traffic: f64,
    pub harm: Harm,
    /// So many times as much; 1 changes nothing.
    pub times: f64,
    pub against: Against,
    /// Minutes that the new version has been there.
    pub age: i64,
    /// Its series do not tell canary from stable.
    pub blurred: bool,
    /// The canary had a fifth of the traffic until the last [`HALF`] minutes.
    pub two_parts: bool,
    /// Minutes before now that were not scraped, from the first to before the second.
    pub gap: Option<(i64, i64)>,
}

impl Case {
    pub fn new(name: &str, traffic: f64, times: f64, against: Against, age: i64) -> Self {
        Self {
            name: name.to_owned(),
            traffic,
            harm: Harm::Errors,
            times,
            against,
            age,
            blurred: false,
            two_parts: false,
            gap: None,
        }
    }

    pub fn harm(mut self, harm: Harm) -> Self {
        self.harm = harm;
        self
    }

    pub fn high(&self) -> bool {
        self.traffic >= 50.0
    }

    /// Does the canary have a series of its own?
    fn separate(&self) -> bool {
        self.against == Against::Stable && !self.blurred
    }

    /// Are its requests timed and its orders counted?
    pub fn detailed(&self) -> bool {
        matches!(self.harm, Harm::Slow | Harm::Orders | Harm::Silence)
            || self.name.starts_with("calm")
    }

    /// Share of the traffic on the canary, in percent, minute by minute after it began.
    pub fn weight(&self, since: i64) -> f64 {
        if self.two_parts && since <= self.age - HALF {
            20.0
        } else {
            50.0
        }
    }
}

/// Every service, told until `world.end` and a little longer.
pub fn open_metrics(world: World, cases: &[Case]) -> String {
    let mut families: BTreeMap<&str, String> = BTreeMap::new();
    for case in cases {
        tell(world, case, &mut families);
    }
    let mut out = String::new();
    for (family, text) in families {
        let _ = writeln!(out, "# TYPE {family} {}", kind(family));
        out.push_str(&text);
    }
    out.push_str("# EOF\n");
    out
}

fn kind(family: &str) -> &'static str {
    if family.ends_with("seconds") {
        "histogram"
    } else {
        "counter"
    }
}

/// When the new version began, in Unix seconds.
pub fn began(world: World, case: &Case) -> i64 {
    world.end - case.age * STEP
}

/// A counter: its head, its value, and the samples so far.
struct Counter {
    head: String,
    value: u64,
    text: String,
}

impl Counter {
    fn new(head: String) -> Self {
        Self {
            head,
            value: 0,
            text: String::new(),
        }
    }

    fn add(&mut self, rise: u64, at: i64, scraped: bool) {
        self.value += rise;
        if scraped {
            let _ = writeln!(self.text, "{} {} {at}", self.head, self.value);
        }
    }
}

fn tell(world: World, case: &Case, families: &mut BTreeMap<&str, String>) {
    let name = &case.name;
    let label = |track: &str, code: &str| {
        let track = if case.blurred {
            String::new()
        } else {
            format!("track=\"{track}\",")
        };
        Counter::new(format!(
            "http_requests_total{{service=\"{name}\",{track}code=\"{code}\"}}"
        ))
    };
    let mut stable = [label("stable", "200"), label("stable", "500")];
    let mut canary = [label("canary", "200"), label("canary", "500")];
    let mut times = EDGES.map(|(le, _)| {
        Counter::new(format!(
            "http_request_duration_seconds_bucket{{service=\"{name}\",le=\"{le}\"}}"
        ))
    });
    let mut count = Counter::new(format!(
        "http_request_duration_seconds_count{{service=\"{name}\"}}"
    ));
    let mut orders = Counter::new(format!("orders_total{{service=\"{name}\"}}"));
    let mut dice = Dice::of(name);
    let mut day = Day::of(&mut dice);
    for i in -PAST..=AHEAD {
        let at = world.end + i * STEP;
        // Another mood begins three hours after this time of day.
        if (i - 180) % 1440 == 0 {
            day = Day::of(&mut dice);
        }
        let since = i + case.age;
        let new = since > 0;
        let scraped = case.gap.is_none_or(|(from, to)| !(-from..-to).contains(&i));
        let traffic = case.traffic * 60.0 * curve(i) * day.traffic;
        let times_of = |harm| {
            if new && case.harm == harm {
                case.times
            } else {
                1.0
            }
        };
        let silent = new && case.harm == Harm::Silence;
        let share = if new && case.against == Against::Stable {
            case.weight(since) / 100.0
        } else {
            0.0
        };
        let old_requests = dice.poisson(traffic * (1.0 - share) * f64::from(u8::from(!silent)));
        let new_requests = dice.poisson(traffic * share);
        let alone = case.against != Against::Stable;
        let base = 0.005 * day.failures;
        let harmed = base * times_of(Harm::Errors) * times_of(Harm::Cured);
        let old_failed = dice.part(old_requests, if alone { harmed } else { base });
        let new_failed = dice.part(new_requests, harmed);
        if since == 1 && alone {
            // New pods count from nothing.
            for counter in stable.iter_mut().chain(&mut times) {
                counter.value = 0;
            }
            (count.value, orders.value) = (0, 0);
        }
        if case.separate() {
            stable[0].add(old_requests - old_failed, at, scraped);
            stable[1].add(
                old_failed,
                at,
                scraped && !(new && case.harm == Harm::Cured),
            );
            // A canary is scraped as it begins.
            if since >= 0 {
                canary[0].add(new_requests - new_failed, at, scraped);
                canary[1].add(new_failed, at, scraped);
            }
        } else {
            let failed = old_failed + new_failed;
            stable[0].add(old_requests + new_requests - failed, at, scraped);
            stable[1].add(failed, at, scraped && !(new && case.harm == Harm::Cured));
        }
        if case.detailed() {
            let requests = old_requests + new_requests;
            let slow = dice.part(requests, 0.02 * day.failures * times_of(Harm::Slow));
            let quick = requests - slow;
            let edge = EDGES[2].1;
            for (counter, (_, share)) in times.iter_mut().zip(EDGES) {
                let rise = if share <= edge {
                    (quick as f64 * share / edge).round() as u64
                } else {
                    quick + (slow as f64 * (share - edge) / (1.0 - edge)).round() as u64
                };
                counter.add(rise, at, scraped);
            }
            count.add(requests, at, scraped);
            orders.add(
                dice.part(requests, 0.05 * times_of(Harm::Orders)),
                at,
                scraped,
            );
        }
    }
    let mut put = |family: &'static str, counters: &[Counter]| {
        let text = families.entry(family).or_default();
        for counter in counters {
            text.push_str(&counter.text);
        }
    };
    put("http_requests", &stable);
    put("http_requests", &canary);
    put("http_request_duration_seconds", &times);
    put("http_request_duration_seconds", &[count]);
    put("orders", &[orders]);
}

/// A day has a wave in it.
fn curve(i: i64) -> f64 {
    let turn = (i as f64 / 1440.0) * std::f64::consts::TAU;
    1.0 + 0.4 * turn.sin()
}

/// A day's mood.
struct Day {
    traffic: f64,
    failures: f64,
}

impl Day {
    fn of(dice: &mut Dice) -> Self {
        Self {
            traffic: dice.mood(0.08),
            failures: dice.mood(0.06),
        }
    }
}

/// Chance that depends on a name alone (Steele, Lea and Flood 2014, SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn of(name: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    fn even(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.even().ln()).sqrt() * (std::f64::consts::TAU * self.even()).cos()
    }

    /// A factor of mean 1 with that relative deviation.
    fn mood(&mut self, deviation: f64) -> f64 {
        (deviation * self.normal() - deviation * deviation / 2.0).exp()
    }

    /// Poisson; by the normal approximation from 50 on.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean >= 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.even(), 0);
        while product > limit {
            product *= self.even();
            count += 1;
        }
        count
    }

    /// The part of `total` that a share of this size is in a good or a bad minute.
    fn part(&mut self, total: u64, share: f64) -> u64 {
        let mood = self.mood(0.25);
        self.poisson(total as f64 * share * mood).min(total)
    }
}
