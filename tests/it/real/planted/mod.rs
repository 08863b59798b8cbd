//! Real Prometheus histories with planted harm: the program's verdicts are what the rules say of the server's own numbers.
//!
//! What is expected is reckoned here from raw samples, by the rules written out once more ([`rules`]); what the rules promise
//! whatever chance does (nothing unharmed fails or trips, five times the failures at high traffic fail at once) is asserted by itself.

mod ledger;
mod rules;
mod story;
mod trip;

use std::collections::BTreeMap;

use cockpit::domain::event::Body;
use serde_json::Value;

use self::ledger::{Ledger, What};
use self::rules::{Part, Question};
use self::story::{Against, Case, HALF, Harm, began, open_metrics};
use self::trip::{Trip, gate, moment};
use crate::real::prometheus::RealPrometheus;
use crate::real::world::World;

const HIGH: f64 = 200.0;
const LOW: f64 = 1.0;

/// Services in the release that is being deployed, and of which some serve alone.
fn flown() -> Vec<Case> {
    use Against::{Hour, Stable};
    let mut out = Vec::new();
    let mut add = |traffic: f64, times: f64, against: Against, ages: &[i64]| {
        for age in ages {
            let name = format!(
                "{}-{}-{times}-{age}",
                if traffic > 10.0 { "high" } else { "low" },
                if against == Hour { "hour" } else { "canary" },
            );
            out.push(Case::new(&name, traffic, times, against, *age));
        }
    };
    add(HIGH, 1.0, Hour, &[2, 3, 5, 8, 12, 20, 40, 60]);
    add(HIGH, 1.0, Stable, &[3, 5, 10, 20, 45, 90]);
    add(LOW, 1.0, Hour, &[6, 20, 60, 90]);
    add(LOW, 1.0, Stable, &[10, 60, 110]);
    add(HIGH, 1.3, Hour, &[20, 60]);
    add(HIGH, 1.3, Stable, &[20, 60]);
    add(LOW, 1.3, Hour, &[60]);
    add(HIGH, 2.0, Hour, &[15, 60]);
    add(HIGH, 2.0, Stable, &[25, 60]);
    add(LOW, 2.0, Hour, &[20, 60]);
    add(LOW, 2.0, Stable, &[60]);
    add(HIGH, 5.0, Hour, &[3, 12, 30]);
    add(HIGH, 5.0, Stable, &[3, 12, 30]);
    add(LOW, 5.0, Hour, &[10, 60]);
    add(LOW, 5.0, Stable, &[30, 110]);
    // Both shares of a canary count, each for itself.
    for times in [1.0, 5.0] {
        let mut two = Case::new(&format!("two-parts-{times}"), HIGH, times, Stable, 40);
        two.two_parts = true;
        out.push(two);
        let mut blurred = Case::new(&format!("blurred-{times}"), HIGH, times, Stable, 40);
        blurred.blurred = true;
        out.push(blurred);
    }
    out.push(Case::new("calm", HIGH, 1.0, Hour, 40));
    out.push(Case::new("slower", HIGH, 3.0, Hour, 25).harm(Harm::Slow));
    out.push(Case::new("selling-half", HIGH, 0.5, Hour, 25).harm(Harm::Orders));
    out.push(Case::new("silent", HIGH, 0.0, Hour, 25).harm(Harm::Silence));
    out.push(Case::new("cured", HIGH, 0.0, Hour, 25).harm(Harm::Cured));
    for (name, age, gap) in [
        ("gap-small", 40, (20, 18)),
        ("gap-large", 40, (20, 12)),
        ("gap-before", 20, (90, 20)),
    ] {
        let mut case = Case::new(name, HIGH, 1.0, Hour, age);
        case.gap = Some(gap);
        out.push(case);
    }
    let mut bad = Case::new("gap-before-5", HIGH, 5.0, Hour, 20);
    bad.gap = Some((90, 20));
    out.push(bad);
    out
}

/// Services in the release that is being watched; every new version serves alone for over an hour.
fn watched() -> Vec<Case> {
    let mut out = Vec::new();
    for (traffic, times, number) in [
        (HIGH, 1.0, 4),
        (LOW, 1.0, 3),
        (HIGH, 1.3, 2),
        (HIGH, 2.0, 1),
        (LOW, 2.0, 1),
        (HIGH, 5.0, 1),
        (LOW, 5.0, 1),
    ] {
        for n in 1..=number {
            let name = format!(
                "{}-week-{times}-{n}",
                if traffic > 10.0 { "high" } else { "low" }
            );
            out.push(Case::new(&name, traffic, times, Against::Week, 70));
        }
    }
    out
}

/// What the server says of one service up to a minute.
struct Known<'a> {
    ledger: &'a Ledger,
    world: World,
    case: &'a Case,
}

impl Known<'_> {
    /// When the new version began.
    fn began(&self) -> i64 {
        began(self.world, self.case)
    }

    fn beside(&self, metric: &str) -> bool {
        self.case.against == Against::Stable && metric == "error_rate"
    }

    /// The hour before the deployment was not scraped.
    fn hourless(&self) -> bool {
        self.case
            .gap
            .is_some_and(|(from, _)| from > self.case.age + 60)
    }

    fn part(&self, metric: &str, (from, to): (i64, i64)) -> Part {
        let (service, what) = (&self.case.name, What::of(metric));
        let counts = |track, from, to| self.ledger.counts(service, track, what, from, to);
        let beside = self.beside(metric);
        let (x1, n1, t1) = counts(beside.then_some("canary"), from, to);
        let (x0, n0, t0) = if beside {
            counts(Some("stable"), from, to)
        } else if self.hourless() {
            let days = days_of(self.began());
            self.ledger.hours(service, what, self.began(), &days)
        } else {
            counts(None, self.began() - 3600, self.began())
        };
        Part {
            x1,
            n1,
            t1,
            x0,
            n0,
            t0,
        }
    }

    fn question(&self, metric: &str, spans: &[(i64, i64)]) -> Question {
        let week = self.hourless() && !self.beside(metric);
        Question {
            parts: spans.iter().map(|s| self.part(metric, *s)).collect(),
            noise: self
                .ledger
                .noise(&self.case.name, What::of(metric), self.began()),
            tolerance: if week { 2.0 } else { 1.5 },
            higher: metric == "conversion",
            beside: self.beside(metric),
            week,
            k: 1.0,
            may_pass: true,
        }
    }

    /// Since the new version began, each share of a canary for itself.
    fn whole(&self, metric: &str, until: i64) -> Question {
        let mut spans = vec![(self.began(), until)];
        if self.case.two_parts && metric == "error_rate" {
            let half = self.world.end - HALF * 60;
            spans = vec![(self.began(), half), (half, until)];
        }
        let mut out = self.question(metric, &spans);
        let t1: f64 = out.parts.iter().map(|p| p.t1).sum();
        let gap = t1 < 0.9 * ((until - self.began()) / 60) as f64;
        let mixed = self.case.against == Against::Stable && !self.beside(metric);
        out.may_pass = !gap && !mixed;
        out
    }

    /// Did every look of the last five minutes breach so many times the baseline?
    fn trips(&self, until: i64, times: f64) -> bool {
        (0..6).all(|i| {
            let at = until - i * 60;
            let from = (at - 300).max(self.began());
            at > self.began() && self.question("error_rate", &[(from, at)]).breached(times)
        })
    }
}

/// Days before of the same kind, working or not, where there are three of them; else all seven.
fn days_of(at: i64) -> Vec<i64> {
    use chrono::Datelike as _;
    let free = |day: i64| moment(at - day * 86_400).weekday().num_days_from_monday() >= 5;
    let alike: Vec<i64> = (1..=7).filter(|day| free(*day) == free(0)).collect();
    if alike.len() >= 3 {
        alike
    } else {
        (1..=7).collect()
    }
}

fn word(v: &Value) -> &str {
    v["verdict"]["verdict"].as_str().unwrap()
}

/// A line of the table at the end.
fn line(case: &Case, metric: &str, verdict: &str, counts: &str, trigger: &str) -> String {
    format!(
        "{:<20} {:>5}/s {:>4}x {:<7} {:>3} min  {:<10} {:<9} {counts}  {trigger}",
        case.name,
        case.traffic,
        case.times,
        format!("{:?}", case.against),
        case.age,
        metric,
        verdict,
    )
}

/// The said counts are the server's own, and so are estimate and interval.
fn same_numbers(case: &Case, metric: &str, q: &Question, said: &str) {
    let sum = |of: fn(&Part) -> f64| q.parts.iter().map(of).sum::<f64>();
    let counts = format!(
        "{:.0}/{:.0} against {:.0}/{:.0}",
        sum(|p| p.x1),
        sum(|p| p.n1),
        sum(|p| p.x0),
        sum(|p| p.n0)
    );
    let who = format!("{} {metric}: {said}", case.name);
    assert!(
        said.starts_with(&counts),
        "{who}, and the server says {counts}"
    );
    let Some(estimate) = q.answer().estimate else {
        return;
    };
    assert!(
        said.contains(&format!(", {estimate:.2}×")),
        "{who}, and it is {estimate}"
    );
    // An hour that was scraped in part has no exact blocks.
    if case.gap.is_some() || q.higher {
        return;
    }
    let (low, high) = bounds(said);
    let near = |bound: f64, holds: &dyn Fn(f64) -> f64| {
        let (a, b) = (holds(bound - 0.006), holds(bound + 0.006));
        a.min(b) <= 50.0 && a.max(b) >= 50.0
    };
    if let Some(low) = low {
        assert!(near(low, &|r| q.fail(r)), "{who}: lower bound");
    }
    if let Some(high) = high.filter(|h| *h > 1.01 && *h < 100.0) {
        assert!(near(high, &|t| q.pass(t)), "{who}: upper bound");
    }
}

/// Both ends of the interval as they were said.
fn bounds(said: &str) -> (Option<f64>, Option<f64>) {
    let Some((low, high)) = said
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .and_then(|(inner, _)| inner.split_once(", "))
    else {
        return (None, None);
    };
    (low.parse().ok(), high.parse().ok())
}

/// What the rules promise of one verdict, whatever chance did.
fn promised(case: &Case, metric: &str, verdict: &str, who: &str) {
    let harmed = match (case.harm, metric) {
        (Harm::Errors, "error_rate" | "errors_whole") => case.times,
        (Harm::Slow, "slow" | "p95") => case.times,
        (Harm::Orders, "conversion") => 1.0 / case.times,
        (Harm::Cured, _) => 1.0,
        _ => 1.0,
    };
    assert!(harmed > 1.0 || verdict != "fail", "a false red: {who}");
    assert!(harmed <= 1.5 || verdict != "pass", "a false green: {who}");
    if case.against == Against::Stable && metric != "error_rate" {
        assert_ne!(verdict, "pass", "canary and stable mixed: {who}");
    }
    if case.harm == Harm::Silence {
        assert_eq!(verdict, "undecided", "no traffic: {who}");
    }
    let alone = metric == "error_rate" && case.high() && case.gap.is_none() && !case.blurred;
    if alone && case.harm == Harm::Errors && case.against != Against::Week {
        match case.times {
            t if t >= 5.0 => assert_eq!(verdict, "fail", "{who}"),
            t if t >= 2.0 && case.age >= 15 => assert_eq!(verdict, "fail", "{who}"),
            1.0 if case.age >= 40 && !case.two_parts => assert_eq!(verdict, "pass", "{who}"),
            _ => {}
        }
    }
}

#[test]
fn planted_regressions_are_judged_by_the_rules_and_nothing_clean_is_red() {
    let (flown, watched) = (flown(), watched());
    let all: Vec<Case> = flown.iter().chain(&watched).cloned().collect();
    let Some(server) = RealPrometheus::holding(
        "planted",
        World::until(chrono::Utc::now().timestamp()),
        |world| open_metrics(world, &all),
    ) else {
        return;
    };
    let mut table = Vec::new();
    looked_at(&server, &flown, &mut table);
    checkpoints(&server, &watched, &mut table);
    exits(&server, &flown);
    looked_back(&server, &flown);
    for line in &table {
        println!("{line}");
    }
}

/// Metrics, gates and triggers of `cockpit status`.
fn looked_at(server: &RealPrometheus, cases: &[Case], table: &mut Vec<String>) {
    let (s, _) = Trip::of(server, cases).json(&["status", "--json", "--wait", "90s"]);
    let rows = s["metrics"].as_array().unwrap();
    let newest = |row: &Value| {
        let at = row["newest"].as_str()?;
        Some(
            chrono::DateTime::parse_from_rfc3339(at)
                .unwrap()
                .timestamp(),
        )
    };
    let ledger = Ledger::of(server.port(), rows.iter().filter_map(newest).max().unwrap());
    let now = chrono::DateTime::parse_from_rfc3339(s["now"]["world"].as_str().unwrap()).unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let known = Known {
            ledger: &ledger,
            world: server.world,
            case,
        };
        let mine = |list: &str| {
            let all = s[list].as_array().unwrap().iter();
            all.filter(|r| r["service"] == case.name.as_str())
                .collect::<Vec<_>>()
        };
        let minutes = (now.timestamp() - known.began()) / 60;
        let mut judged: BTreeMap<&str, Question> = BTreeMap::new();
        let triggers = triggered(
            &known,
            &mine("triggers"),
            newest(mine("metrics")[0]).unwrap(),
        );
        for row in mine("metrics") {
            let metric = row["metric"].as_str().unwrap();
            let verdict = word(row);
            let said = row["counts"].as_str().unwrap_or_default();
            let who = format!(
                "{} {metric}: {verdict} {said} {}",
                case.name, row["verdict"]["why"]
            );
            promised(case, metric, verdict, &who);
            if gate(case).contains(&metric) || metric == "error_rate" {
                table.push(line(case, metric, verdict, said, &triggers));
            }
            let silent = case.harm == Harm::Silence;
            let known_to = case.detailed() || metric.starts_with("error");
            let blurred = case.blurred && metric == "error_rate";
            if silent || !known_to || blurred {
                assert_ne!(verdict, "pass", "no data: {who}");
                continue;
            }
            if metric == "p95" {
                continue;
            }
            let mut q = known.whole(metric, newest(row).unwrap());
            same_numbers(case, metric, &q, said);
            q.may_pass &= minutes >= 5;
            let expected = q.answer();
            if expected.verdict != verdict {
                wrong.push(format!("{who}, and by the rules it is {expected:?}"));
            }
            judged.insert(metric, q);
        }
        gates(case, &mine("gates"), judged, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A gate joins what its metrics say, and asks more evidence for a Fail the more of them it has.
fn gates(
    case: &Case,
    rows: &[&Value],
    mut judged: BTreeMap<&str, Question>,
    wrong: &mut Vec<String>,
) {
    let [row] = rows else {
        panic!("{} has {} gates", case.name, rows.len());
    };
    let verdict = word(row);
    let who = format!("gate of {}: {:#}", case.name, row);
    if case.harm == Harm::Silence {
        return assert_eq!(verdict, "undecided", "no traffic: {who}");
    }
    let metrics = gate(case);
    let each: Vec<&str> = metrics
        .iter()
        .map(|m| {
            let q = judged.get_mut(m).unwrap();
            q.k = metrics.len() as f64;
            q.answer().verdict
        })
        .collect();
    let expected = ["fail", "undecided"]
        .into_iter()
        .find(|w| each.contains(w))
        .unwrap_or("pass");
    if verdict != expected {
        wrong.push(format!("{who}, and by the rules it is {expected}"));
    }
}

/// Where the triggers stand; the one of twice the baseline tripped exactly where every look of its time was breached.
fn triggered(known: &Known<'_>, rows: &[&Value], until: i64) -> String {
    let case = known.case;
    let mut said = String::new();
    for row in rows {
        let tripped = row["tripped"].as_bool().unwrap();
        let who = format!("{}: {:#}", case.name, row);
        let bad = case.times > 1.5 || matches!(case.harm, Harm::Slow | Harm::Orders);
        assert!(bad || !tripped, "a false trip: {who}");
        let id = row["trigger"].as_str().unwrap();
        if row["metric"] == "error_rate" && id.contains("2x") && !case.blurred {
            said = format!(
                "{} {}",
                row["mark"]["word"].as_str().unwrap(),
                row["distance"].as_str().unwrap()
            );
            if case.harm != Harm::Silence {
                assert_eq!(tripped, known.trips(until, 2.0), "{who}");
            }
            if case.high() && case.times >= 5.0 && case.age >= 12 && case.gap.is_none() {
                assert!(tripped, "{who}");
            }
        }
    }
    assert!(
        case.blurred || !said.is_empty(),
        "{} has no trigger",
        case.name
    );
    said
}

/// The exit code of `cockpit gate` is the verdict.
fn exits(server: &RealPrometheus, cases: &[Case]) {
    for (name, expected) in [
        ("high-hour-1-60", 0),
        ("high-canary-5-30", 1),
        ("low-hour-2-60", 2),
        ("silent", 2),
        ("cured", 0),
    ] {
        let own: Vec<Case> = cases.iter().filter(|c| c.name == name).cloned().collect();
        let wait = if expected == 2 { "4s" } else { "60s" };
        let trip = Trip::of(server, &own);
        let (answer, code) = trip.json(&["gate", "all-1", "--json", "--wait", wait]);
        assert_eq!(code, expected, "{name}: {answer:#}");
    }
}

/// `cockpit backtest`: over two days of what nothing was planted in, no trigger trips.
fn looked_back(server: &RealPrometheus, cases: &[Case]) {
    let clean = |c: &&Case| c.times == 1.0 && c.harm == Harm::Errors && !c.blurred && !c.two_parts;
    let own: Vec<Case> = cases.iter().filter(clean).cloned().collect();
    let (answer, code) = Trip::of(server, &own).json(&["backtest", "--json", "--days", "2"]);
    // Two: of a metric that a service does not have nothing could be told.
    assert_eq!(code, 2, "{answer:#}");
    let triggers = answer["triggers"].as_array().unwrap();
    assert!(triggers.len() >= 2 * own.len(), "{answer:#}");
    for one in triggers {
        assert_eq!(one["trips"], 0, "a false trip: {one:#}");
        assert!(one["minutes"].as_u64().unwrap() > 2800, "{one:#}");
    }
}

/// The watch's first three checkpoints, an hour late, against the same hour of the days before.
fn checkpoints(server: &RealPrometheus, cases: &[Case], table: &mut Vec<String>) {
    let taken = Trip::of(server, cases).watch(3);
    let ledger = Ledger::of(server.port(), server.world.end);
    let mut wrong = Vec::new();
    for event in &taken {
        let Body::CheckpointTaken {
            after,
            late,
            measured,
            ..
        } = &event.body
        else {
            continue;
        };
        assert!(*late, "T+{after}");
        for case in cases {
            let known = Known {
                ledger: &ledger,
                world: server.world,
                case,
            };
            let to = known.began() + i64::try_from(*after).unwrap();
            let (x0, n0, t0) = ledger.hours(&case.name, What::Errors, to, &days_of(to));
            let mut q = known.question("error_rate", &[(known.began(), to)]);
            (q.week, q.tolerance) = (true, 2.0);
            let part = q.parts.first_mut().unwrap();
            (part.x0, part.n0, part.t0) = (x0, n0, t0);
            for one in &measured[&case.name] {
                let verdict = one.verdict.word();
                let who = format!(
                    "{} {} T+{after}: {verdict} {}",
                    case.name, one.metric, one.said
                );
                promised(case, &one.metric, verdict, &who);
                if one.metric == "error_rate" {
                    table.push(line(
                        case,
                        &format!("T+{} min", after / 60),
                        verdict,
                        &one.said,
                        "",
                    ));
                }
                if case.times >= 5.0 && case.high() {
                    assert_eq!(verdict, "fail", "{who}");
                }
                if case.times == 1.0 && case.high() && *after > 300 {
                    assert_eq!(verdict, "pass", "{who}");
                }
                let expected = q.answer();
                if expected.verdict != verdict {
                    wrong.push(format!("{who}, and by the rules it is {expected:?}"));
                } else {
                    same_numbers(case, &one.metric, &q, &one.said);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
