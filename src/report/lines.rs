//! What changed, a line each: the headless watch.

use std::collections::BTreeMap;

use super::plain::next;
use crate::domain::situation::{Mark, Situation};
use crate::domain::text::clean;
use crate::domain::words;

/// Columns after which a line is cut: long enough for a sentence, too short to flood a log.
const LONGEST: usize = 500;

/// What changed since `previous`, oldest first, each line headed by the local time in RFC 3339; without `previous`, where things
/// stand. Empty when nothing changed. No line holds a control character.
#[must_use]
pub fn line(s: &Situation, previous: Option<&Situation>) -> Vec<String> {
    let at = s.now.world.with_timezone(&s.timezone);
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, false);
    let mut said = Vec::new();
    band(s, previous, &mut said);
    states(s, previous, &mut said);
    arrivals(s, previous, &mut said);
    journal(s, previous, &mut said);
    said.iter()
        .map(|text| clean(&format!("{at} {text}"), LONGEST))
        .collect()
}

fn band(s: &Situation, previous: Option<&Situation>, said: &mut Vec<String>) {
    let reasons = |s: &Situation| {
        let all: Vec<&str> = s.band.reasons.iter().map(|r| r.text.as_str()).collect();
        all.join("; ")
    };
    let changed =
        previous.is_none_or(|p| p.band.advice != s.band.advice || reasons(p) != reasons(s));
    if changed {
        let release = s.band.release.as_deref().unwrap_or("no release");
        let phase = s
            .band
            .phase
            .map_or(String::new(), |p| format!(", {}", p.word()));
        let why = reasons(s);
        let colon = if why.is_empty() { "" } else { ": " };
        said.push(format!(
            "{release}{phase}: {}{colon}{why}",
            s.band.advice.word()
        ));
    }
    if previous.is_none_or(|p| next(p) != next(s)) {
        said.push(next(s));
    }
    if previous.is_none_or(|p| p.band.armed != s.band.armed) && !s.band.armed.is_empty() {
        said.push(s.band.armed.clone());
    }
    let countdown = |s: &Situation| s.band.countdown.as_ref().map(|c| c.what.clone());
    let (was, is) = (previous.and_then(countdown), countdown(s));
    if was != is {
        said.push(match (was, is) {
            (_, Some(what)) => format!("countdown: {what}"),
            (Some(what), None) => format!("countdown over: {what}"),
            (None, None) => return,
        });
    }
}

/// Words of everything that has a state: a line for each that is new, gone or other.
fn states(s: &Situation, previous: Option<&Situation>, said: &mut Vec<String>) {
    let now = words_of(s);
    let before = previous.map(words_of).unwrap_or_default();
    for (name, word) in &now {
        match before.get(name) {
            Some(old) if old == word => {}
            Some(old) => said.push(format!("{name}: {old} → {word}")),
            None => said.push(format!("{name}: {word}")),
        }
    }
    // What a feed no longer tells is a change too: silence is not health.
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        said.push(format!("{name}: gone"));
    }
}

fn words_of(s: &Situation) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |name: String, word: String| {
        out.insert(name, word);
    };
    let word = |m: &Mark| {
        if m.word.is_empty() {
            "unknown".to_owned()
        } else {
            m.word.clone()
        }
    };
    put("calendar".into(), word(&s.calendar.state));
    for d in &s.deployments {
        let step = d
            .step
            .map_or(String::new(), |(i, n)| format!(", step {i} of {n}"));
        let weight = d.weight.map_or(String::new(), |w| format!(", {w:.0} %"));
        let name = format!("deployment {} in {}", d.service, d.environment);
        put(
            name,
            format!("{} {}{step}{weight}", d.version, word(&d.mark)),
        );
    }
    for g in &s.gates {
        let name = format!("gate {} {} after step {}", g.service, g.gate, g.step);
        put(
            name,
            if g.accepted {
                "ACCEPTED".into()
            } else {
                word(&g.mark)
            },
        );
    }
    for t in &s.triggers {
        put(
            format!("trigger {} {}", t.service, t.trigger),
            word(&t.mark),
        );
    }
    for m in &s.metrics {
        put(format!("metric {} {}", m.service, m.metric), word(&m.mark));
    }
    for i in &s.checklist.items {
        put(format!("checklist {}", i.title), word(&i.mark));
    }
    for p in &s.passports {
        put(
            format!("passport {}", p.service),
            format!("{} of {}", p.passed, p.lines.len()),
        );
    }
    if let Some(p) = &s.plan {
        for step in &p.plan.steps {
            let state = p
                .states
                .get(&step.id)
                .map_or("waiting", |(state, _)| state.word());
            put(
                format!("rollback {} {}", step.service, step.title),
                state.into(),
            );
        }
    }
    if let Some(w) = &s.watch {
        for c in &w.checkpoints {
            put(
                format!("checkpoint T+{}", words::seconds(c.after)),
                word(&c.mark),
            );
        }
    }
    put("brief".into(), word(&s.oncall.brief));
    for f in &s.feeds {
        // Fresh and aging alternate on every read; only what stops counting is news.
        let fault = f
            .fault
            .as_ref()
            .map(|x| format!("; {x}"))
            .unwrap_or_default();
        let state = if f.freshness.usable() && f.fault.is_none() {
            "read".into()
        } else {
            word(&f.mark)
        };
        put(
            format!("feed {} ({})", f.what, f.source),
            format!("{state}{fault}"),
        );
    }
    for d in &s.debts {
        let state = if d.overdue { "overdue" } else { "owed" };
        put(
            format!("debt {} ({})", d.debt.what, d.debt.owner),
            state.into(),
        );
    }
    out
}

/// Sentences that were not there before.
fn arrivals(s: &Situation, previous: Option<&Situation>, said: &mut Vec<String>) {
    let new = |now: &[String], before: Option<&[String]>, what: &str, said: &mut Vec<String>| {
        for text in now.iter().filter(|t| before.is_none_or(|b| !b.contains(t))) {
            said.push(format!("{what}: {text}"));
        }
        for text in before
            .unwrap_or_default()
            .iter()
            .filter(|t| !now.contains(t))
        {
            said.push(format!("{what} over: {text}"));
        }
    };
    new(
        &s.troubles,
        previous.map(|p| p.troubles.as_slice()),
        "trouble",
        said,
    );
    let incidents = previous.map(|p| p.oncall.incidents.as_slice());
    new(&s.oncall.incidents, incidents, "incident", said);
}

/// Journal lines since the last look; none on the first.
fn journal(s: &Situation, previous: Option<&Situation>, said: &mut Vec<String>) {
    let Some(previous) = previous else {
        return;
    };
    let mut new: Vec<_> = s
        .journal
        .iter()
        .filter(|j| j.seq > previous.head.0)
        .collect();
    new.sort_by_key(|j| j.seq);
    said.extend(
        new.iter()
            .map(|j| format!("journal {}: {}: {}", j.seq, j.actor, j.text)),
    );
}
