//! A row's own words: one line for filter and copy, and label and value where no evidence stands behind it.

use crate::domain::situation::{Evidence, Situation};
use crate::domain::time::Instant;

use super::rows::{Item, Row};
use super::words;

/// The row as one line of plain text.
#[must_use]
pub fn plain(item: &Item<'_>) -> String {
    match item {
        Item::Heading(text, right) => format!("{text} {right}"),
        Item::Columns => "service version step state age".into(),
        Item::Text(_, text) => text.to_string(),
        Item::Reason(r) => r.text.clone(),
        Item::Day(date, _, segments) => {
            let words: Vec<&str> = segments.iter().map(|s| s.mark.word.as_str()).collect();
            format!("{} {}", date.format("%a %-d %b"), words.join(" "))
        }
        Item::Planned(r) => format!("{} {} {}", r.title, r.environment, r.mark.word),
        Item::Deploy(d) => format!(
            "{} {} {}→{} {} {}",
            d.service,
            d.environment,
            d.from.as_deref().unwrap_or("?"),
            d.version,
            d.mark.word,
            d.note
        ),
        Item::Check(i) => format!("{} {} {}", i.title, i.mark.word, i.note),
        Item::Step(step, state, said, _) => format!("{} {} {said}", step.title, state.word()),
        Item::Checkpoint(c) => format!("T+{} {} {}", words::seconds(c.after), c.mark.word, c.note),
        Item::Metric(m) => format!(
            "{} {} {} {} {}",
            m.service,
            m.title,
            m.shown,
            m.mark.word,
            m.distance.as_deref().unwrap_or("")
        ),
        Item::Gate(g) => format!("gate {} {} {} {}", g.service, g.gate, g.mark.word, g.said),
        Item::Trigger(t) => format!(
            "trigger {} {} {} {}",
            t.service, t.trigger, t.mark.word, t.distance
        ),
        Item::Oncall(r) => format!("level {} {} {} {}", r.level, r.person, r.mark.word, r.note),
        Item::Alert(a) => format!(
            "alert {} {} {}",
            a.name,
            a.service.as_deref().unwrap_or(""),
            a.mark.word
        ),
        Item::Journal(j) => format!("{} {} {}", j.at.to_rfc3339(), j.actor, j.text),
        Item::Debt(d) => format!(
            "{} {} due {}",
            d.debt.what,
            d.debt.owner,
            d.debt.due.to_rfc3339()
        ),
        Item::Feed(f) => format!(
            "{} {} {} {}",
            f.source,
            f.what,
            f.mark.word,
            f.fault.as_ref().map_or(String::new(), ToString::to_string)
        ),
        Item::Proof(l) => format!("{} {} {}", l.title, l.mark.word, l.note),
        Item::Handed(item, taken) => {
            format!("{} {}", if *taken { "taken" } else { "open" }, item.text)
        }
        Item::Release(r) => format!("{} {} {}", r.plan.id, r.plan.title, r.phase.word()),
        Item::Notice(n) => n.text.clone(),
    }
}

/// What stands behind a row: the situation's evidence, or the row's own fields.
#[must_use]
pub fn evidence(s: &Situation, row: &Row<'_>) -> Evidence {
    let kept = row
        .evidence
        .as_ref()
        .and_then(|k| s.evidence.get(&*k.text()));
    kept.cloned().unwrap_or_else(|| own(s, row))
}

fn own(s: &Situation, row: &Row<'_>) -> Evidence {
    let mut e = Evidence {
        title: plain(&row.item),
        ..Evidence::default()
    };
    let mut lines = Lines(s, Vec::new());
    match &row.item {
        Item::Deploy(d) => {
            lines.put("service", &d.service);
            lines.put("environment", &d.environment);
            lines.put("from", d.from.as_deref().unwrap_or("unknown"));
            lines.put("version", &d.version);
            lines.put("state", &d.mark.word);
            lines.put("release", d.release.as_deref().unwrap_or("none: unplanned"));
            lines.put("note", &d.note);
            lines.at("since", d.since);
            e.link.clone_from(&d.url);
            e.read_at = d.read_at;
            e.freshness = d.freshness;
        }
        Item::Check(i) => {
            lines.put("item", &i.id);
            lines.put("state", &i.mark.word);
            lines.put("proof", if i.automatic { "by a rule" } else { "by hand" });
            lines.put("note", &i.note);
            lines.at("since", i.at);
        }
        Item::Metric(m) => {
            lines.put("service", &m.service);
            lines.put("value", &m.shown);
            lines.put("baseline", &m.baseline);
            lines.put("verdict", &m.mark.word);
            lines.put("distance", m.distance.as_deref().unwrap_or(""));
            lines.put("counts", m.counts.as_deref().unwrap_or(""));
            lines.at("newest data", m.newest);
            e.freshness = Some(m.freshness);
        }
        Item::Gate(g) => {
            lines.put("gate", &g.gate);
            lines.put("after step", &g.step.to_string());
            lines.put("verdict", &g.mark.word);
            lines.put("known", &g.said);
            lines.put("n", &g.n.to_string());
            for (metric, mark, said) in &g.metrics {
                lines.put(metric, &format!("{}: {said}", mark.word));
            }
            lines.at("looking since", g.opened);
        }
        Item::Trigger(t) => {
            lines.put("trigger", &t.trigger);
            lines.put("metric", &t.metric);
            lines.put("state", &t.mark.word);
            lines.put("distance", &t.distance);
            lines.put("undecided", t.undecided.as_deref().unwrap_or(""));
            lines.at("tripped", t.tripped_at);
        }
        Item::Journal(j) => {
            lines.put("sequence", &j.seq.to_string());
            lines.at("when", Some(j.at));
            lines.put("who", &format!("{} ({})", j.actor, j.known_by));
            lines.put("release", j.release.as_deref().unwrap_or(""));
            lines.put("what", &j.text);
        }
        Item::Feed(f) => {
            lines.put("need", &f.need);
            lines.put("for", &f.what);
            lines.put("state", &f.mark.word);
            if let Some(fault) = &f.fault {
                lines.put("fault", &fault.what);
                lines.put("what to do", &fault.hint);
                lines.at("tried again", fault.retry_at);
            }
            e.source = Some(f.source.clone());
            e.read_at = f.read_at;
            e.freshness = Some(f.freshness);
        }
        Item::Debt(d) => {
            lines.put("debt", &d.debt.what);
            lines.put("owner", &d.debt.owner);
            lines.at("due", Some(d.debt.due));
            lines.put("release", d.debt.release.as_deref().unwrap_or(""));
        }
        Item::Step(step, state, said, at) => {
            lines.put("step", &step.title);
            lines.put("service", &step.service);
            lines.put("environment", &step.environment);
            lines.put("state", state.word());
            lines.put("said", said);
            lines.at("since", *at);
        }
        Item::Release(r) => {
            release(&mut lines, r);
            if s.current.as_deref() == Some(r.plan.id.as_str()) {
                clearance(&mut lines, s);
            }
        }
        other => lines.put("line", &plain(other)),
    }
    e.lines = lines.1;
    e
}

fn release(lines: &mut Lines<'_>, r: &crate::domain::situation::ReleaseView) {
    lines.put("release", &r.plan.title);
    lines.put("environment", &r.plan.environment);
    lines.put("phase", r.closing.map_or(r.phase.word(), |c| c.word()));
    lines.put("driver", r.driver.as_deref().unwrap_or("nobody"));
    for c in &r.plan.changes {
        let from = c.from.as_deref().unwrap_or("what serves");
        lines.put("change", &format!("{} {from} → {}", c.service, c.to));
    }
    lines.put("contract", r.contract.as_deref().unwrap_or("not sealed"));
    for line in r.contract_diff.iter() {
        lines.put("differs", line);
    }
    for line in r.approvals.iter() {
        lines.put("approval", line);
    }
    lines.at("planned", r.plan.planned);
    lines.at("started", r.started);
    lines.at("finished", r.finished);
}

/// Class, approvals and overrides of the current release.
fn clearance(lines: &mut Lines<'_>, s: &Situation) {
    let c = &s.clearance;
    if let Some(risk) = &c.risk {
        let sum = format!("{}, {} points", risk.class.word(), risk.total);
        lines.put("risk", &sum);
        for p in risk.points.iter().filter(|p| p.points > 0) {
            lines.put(&p.title, &format!("{} ({})", p.said, p.points));
        }
    }
    lines.put("approval", &c.approval.said);
    for o in &c.overrides {
        lines.put("override", &o.said);
    }
}

struct Lines<'a>(&'a Situation, Vec<(String, String)>);

impl Lines<'_> {
    fn put(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.1.push((label.into(), value.into()));
        }
    }
    fn at(&mut self, label: &str, at: Option<Instant>) {
        if let Some(at) = at {
            let s = self.0;
            let words = words::both_zones(at, s.timezone);
            let age = crate::domain::time::duration_words((s.now.world - at).abs());
            let side = if at > s.now.world { "in" } else { "ago:" };
            self.put(label, &format!("{words}, {side} {age}"));
        }
    }
}

/// Evidence as plain text, for the clipboard.
#[must_use]
pub fn evidence_text(e: &Evidence) -> String {
    let mut out = format!("{}\n", e.title);
    for (label, value) in &e.lines {
        out.push_str(&format!("{label}: {value}\n"));
    }
    for (label, value) in [
        ("query", &e.query),
        ("source", &e.source),
        ("link", &e.link),
    ] {
        if let Some(value) = value {
            out.push_str(&format!("{label}: {value}\n"));
        }
    }
    if let Some(at) = e.read_at {
        out.push_str(&format!("read at: {}\n", at.to_rfc3339()));
    }
    out
}
