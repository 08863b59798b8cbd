//! What changed, a line each: the headless watch.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::plain::next;
use crate::domain::situation::{Mark, Situation};
use crate::domain::text::clean;
use crate::domain::words;

/// Columns after which a line is cut: long enough for a sentence, too short to flood a log.
const LONGEST: usize = 500;

/// Of what kind a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The word of advice and its reasons.
    Advice,
    /// What to do next.
    Next,
    /// The driver's lease, an armed trigger, a countdown.
    Wheel,
    /// Something that has a state: a gate, a trigger, a checkpoint, a feed …
    State,
    /// A sentence that came or went: troubles, incidents, suspects.
    Sentence,
    /// A line of the journal.
    Journal,
    /// Where it stands as the watch ends, or as this process does.
    End,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// World time, RFC 3339 in the file's zone.
    pub at: String,
    /// Of what kind.
    pub kind: Kind,
    /// What changed, where it has a name: `checkpoint T+1h`.
    pub name: Option<String>,
    /// The word before.
    pub was: Option<String>,
    /// The word now; `None`: gone.
    pub is: Option<String>,
    /// The sentence, as the plain face prints it.
    pub text: String,
}

impl Change {
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            at: String::new(),
            kind,
            name: None,
            was: None,
            is: None,
            text: text.into(),
        }
    }

    fn of(name: &str, was: Option<&String>, is: Option<&String>) -> Self {
        let text = match (was, is) {
            (Some(was), Some(is)) => format!("{name}: {was} → {is}"),
            (None, Some(is)) => format!("{name}: {is}"),
            // What a feed no longer tells is a change too: silence is not health.
            (_, None) => format!("{name}: gone"),
        };
        Self {
            name: Some(name.to_owned()),
            was: was.cloned(),
            is: is.cloned(),
            ..Self::new(Kind::State, text)
        }
    }

    fn cleaned(mut self, at: &str) -> Self {
        self.at = at.to_owned();
        for part in [&mut self.name, &mut self.was, &mut self.is]
            .into_iter()
            .flatten()
        {
            *part = clean(part, LONGEST);
        }
        self.text = clean(&self.text, LONGEST);
        self
    }

    /// The plain line: time and sentence.
    #[must_use]
    pub fn line(&self) -> String {
        clean(&format!("{} {}", self.at, self.text), LONGEST)
    }

    /// The same as one line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn time(s: &Situation) -> String {
    let at = s.now.world.with_timezone(&s.timezone);
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}

/// What changed since `previous`, oldest first; without `previous`, where things stand. Empty when nothing changed. No text holds
/// a control character.
#[must_use]
pub fn changes(s: &Situation, previous: Option<&Situation>) -> Vec<Change> {
    let mut said = Vec::new();
    band(s, previous, &mut said);
    states(s, previous, &mut said);
    arrivals(s, previous, &mut said);
    journal(s, previous, &mut said);
    let at = time(s);
    said.into_iter().map(|c| c.cleaned(&at)).collect()
}

/// The same as lines, each headed by the local time in RFC 3339.
#[must_use]
pub fn line(s: &Situation, previous: Option<&Situation>) -> Vec<String> {
    changes(s, previous).iter().map(Change::line).collect()
}

/// Where the release stands, for the last line; `why` says what ended the process, where the watch did not end by itself.
#[must_use]
pub fn standing(s: &Situation, why: Option<&str>) -> Change {
    let release = s.band.release.as_deref().unwrap_or("no release");
    let phase = s.band.phase.map_or("no phase", |p| p.word());
    let mut text = match why {
        Some(why) => format!("{why}; {release} stands: {phase}, {}", s.band.advice.word()),
        None => format!("{release}: {phase}, {}", s.band.advice.word()),
    };
    if let Some(w) = &s.watch {
        match &w.end {
            Some(end) => text.push_str(&format!(
                "; the watch ended: {}; {}",
                end.mark.word, end.said
            )),
            None => text.push_str(&format!("; {}", w.so_far)),
        }
    }
    let reasons: Vec<&str> = s.band.reasons.iter().map(|r| r.text.as_str()).collect();
    if !reasons.is_empty() && s.watch.as_ref().is_none_or(|w| w.end.is_none()) {
        text.push_str(&format!("; {}", reasons.join("; ")));
    }
    Change {
        name: Some(release.to_owned()),
        is: Some(phase.to_owned()),
        ..Change::new(Kind::End, text)
    }
    .cleaned(&time(s))
}

fn band(s: &Situation, previous: Option<&Situation>, said: &mut Vec<Change>) {
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
        let text = format!("{release}{phase}: {}{colon}{why}", s.band.advice.word());
        said.push(Change {
            was: previous.map(|p| p.band.advice.word().to_owned()),
            is: Some(s.band.advice.word().to_owned()),
            ..Change::new(Kind::Advice, text)
        });
    }
    if previous.is_none_or(|p| next(p) != next(s)) {
        said.push(Change::new(Kind::Next, next(s)));
    }
    if previous.is_none_or(|p| p.band.lease != s.band.lease) && !s.band.lease.is_empty() {
        said.push(Change::new(Kind::Wheel, s.band.lease.clone()));
    }
    if previous.is_none_or(|p| p.band.armed != s.band.armed) && !s.band.armed.is_empty() {
        said.push(Change::new(Kind::Wheel, s.band.armed.clone()));
    }
    let countdown = |s: &Situation| s.band.countdown.as_ref().map(|c| c.what.clone());
    let (was, is) = (previous.and_then(countdown), countdown(s));
    if was != is {
        let text = match (was, is) {
            (_, Some(what)) => format!("countdown: {what}"),
            (Some(what), None) => format!("countdown over: {what}"),
            (None, None) => return,
        };
        said.push(Change::new(Kind::Wheel, text));
    }
}

/// Words of everything that has a state: a line for each that is new, gone or other.
fn states(s: &Situation, previous: Option<&Situation>, said: &mut Vec<Change>) {
    let now = words_of(s);
    let before = previous.map(words_of).unwrap_or_default();
    for (name, word) in &now {
        let was = before.get(name);
        if was != Some(word) {
            said.push(Change::of(name, was, Some(word)));
        }
    }
    for (name, was) in before.iter().filter(|(name, _)| !now.contains_key(*name)) {
        said.push(Change::of(name, Some(was), None));
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
fn arrivals(s: &Situation, previous: Option<&Situation>, said: &mut Vec<Change>) {
    let mut new = |now: &[String], before: Option<&[String]>, what: &str| {
        for text in now.iter().filter(|t| before.is_none_or(|b| !b.contains(t))) {
            said.push(Change::new(Kind::Sentence, format!("{what}: {text}")));
        }
        for text in before
            .unwrap_or_default()
            .iter()
            .filter(|t| !now.contains(t))
        {
            said.push(Change::new(Kind::Sentence, format!("{what} over: {text}")));
        }
    };
    let troubles = previous.map(|p| p.troubles.as_slice());
    new(&s.troubles, troubles, "trouble");
    let incidents = previous.map(|p| p.oncall.incidents.as_slice());
    new(&s.oncall.incidents, incidents, "incident");
    let before = previous.map(suspects);
    new(&suspects(s), before.as_deref(), "suspect");
}

/// Suspects in words: none of them is the cause, for nothing links any.
fn suspects(s: &Situation) -> Vec<String> {
    let all = s.watch.iter().flat_map(|w| w.suspects.iter());
    all.map(|x| {
        let release = x.release.as_deref().unwrap_or("unplanned");
        let at = x.at.format("%Y-%m-%d %H:%M");
        format!(
            "while {} got worse, {} {} ({release}) had begun at {at} UTC: {}",
            x.worse, x.service, x.version, x.said
        )
    })
    .collect()
}

/// Journal lines since the last look; none on the first.
fn journal(s: &Situation, previous: Option<&Situation>, said: &mut Vec<Change>) {
    let Some(previous) = previous else {
        return;
    };
    let mut new: Vec<_> = s
        .journal
        .iter()
        .filter(|j| j.seq > previous.head.0)
        .collect();
    new.sort_by_key(|j| j.seq);
    said.extend(new.iter().map(|j| {
        let text = format!("journal {}: {}: {}", j.seq, j.actor, j.text);
        Change::new(Kind::Journal, text)
    }));
}
