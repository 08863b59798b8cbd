//! One row of a list, in columns.

use std::borrow::Cow;

use ratatui::style::Style;

use super::day;
use super::pen::Pen;
use super::text::width;
use super::theme::Theme;
use crate::app::Model;
use crate::app::layout::Area;
use crate::app::list::Ids;
use crate::app::listed::{Columns, Listed};
use crate::app::model::Loudness;
use crate::app::rows::Item;
use crate::app::words;
use crate::domain::event::StepState;
use crate::domain::observe::Freshness;
use crate::domain::situation::{
    CheckpointView, DebtView, DeployRow, FeedView, GateView, ItemView, Mark, MetricView, Situation,
    Tone, TriggerView,
};
use crate::domain::time::Instant;

/// Column widths of a list, the same for all its rows, and the one row that is read first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    columns: Columns,
    bar: usize,
    narrow: bool,
    /// The row that needs a person most; at most one a list.
    pub loudest: Option<usize>,
}

impl Shape {
    /// Measures the rows for an area.
    #[must_use]
    pub fn of(s: &Situation, rows: &Listed<'_>, area: Area) -> Self {
        let total = usize::from(area.w);
        let mut columns = rows.columns(|rows| measure(s, rows));
        let narrow = total < 56 && !(days(rows) && total > 40);
        let share = if columns.deploys { 4 } else { 3 };
        columns.name = columns.name.min((total / share).max(6)).min(18);
        columns.second = columns.second.min((total / 3).max(8));
        columns.word = columns.word.min(12);
        Self {
            bar: if narrow { columns.bar.1 } else { columns.bar.0 },
            loudest: columns.loudest,
            columns,
            narrow,
        }
    }
}

/// Are there days among them? Then the rows are few, and are all here.
fn days(rows: &Listed<'_>) -> bool {
    match rows {
        Listed::Rows(rows) => rows.iter().any(|r| matches!(r.item, Item::Day(..))),
        _ => false,
    }
}

fn measure(s: &Situation, rows: &Listed<'_>) -> Columns {
    let mut columns = Columns::default();
    let mut loudest = Tone::Plain;
    let mut one = |i: usize, item: &Item<'_>| {
        columns.loudest = match urgency(s, item) {
            Tone::Fail if loudest != Tone::Fail => {
                loudest = Tone::Fail;
                Some(i)
            }
            Tone::Hold if loudest == Tone::Plain => {
                loudest = Tone::Hold;
                Some(i)
            }
            _ => columns.loudest,
        };
        widen(&mut columns, s, item);
    };
    match rows {
        Listed::Rows(rows) => rows.iter().enumerate().for_each(|(i, r)| one(i, &r.item)),
        _ => (0..rows.len()).for_each(|i| {
            if let Some(row) = rows.row(i) {
                one(i, &row.item);
            }
        }),
    }
    columns
}

/// Widens the columns for one row.
fn widen(columns: &mut Columns, s: &Situation, item: &Item<'_>) {
    let (name, (second, more), word): (Cow<'_, str>, (&str, usize), &Mark) = match item {
        Item::Deploy(d) => {
            let bar = |narrow| width(&step_bar(d, true, narrow));
            columns.bar = (columns.bar.0.max(bar(false)), columns.bar.1.max(bar(true)));
            columns.deploys = true;
            // In characters, as versions are cut.
            columns.second = columns.second.max(versions(d, ">").chars().count());
            (place(s, d), ("", 0), &d.mark)
        }
        Item::Metric(m) => (m.service.as_str().into(), (&m.title, 0), &m.mark),
        Item::Gate(g) => (g.service.as_str().into(), (&g.gate, 5), &g.mark),
        Item::Trigger(t) => (t.service.as_str().into(), (&t.trigger, 8), &t.mark),
        Item::Oncall(o) => (o.person.as_str().into(), ("", 0), &o.mark),
        Item::Feed(f) => (f.source.as_str().into(), (&f.what, 0), &f.mark),
        Item::Journal(j) => {
            columns.time = columns.time.max(width(&when(s, j.at)));
            columns.name = columns.name.max(width(&j.actor)).min(12);
            return;
        }
        _ => return,
    };
    wider(&mut columns.name, &name, 0);
    wider(&mut columns.second, second, more);
    wider(&mut columns.word, &word.word, 0);
}

/// Makes a column as wide as a text and so much more. No text is wider than its bytes: most need not be measured.
fn wider(column: &mut usize, text: &str, more: usize) {
    if text.len() + more > *column {
        *column = (*column).max(width(text) + more);
    }
}

/// How much a row asks for a person.
fn urgency(s: &Situation, item: &Item<'_>) -> Tone {
    let tone = match item {
        Item::Text(tone, _) => *tone,
        Item::Deploy(d) => d.mark.tone,
        Item::Check(i) if s.checklist.next.as_deref() == Some(&i.id) => Tone::Fail,
        Item::Step(_, StepState::Refused | StepState::Unknown, ..) => Tone::Fail,
        Item::Step(_, StepState::Asked, ..) => Tone::Hold,
        Item::Metric(m) => m.mark.tone,
        Item::Gate(g) => g.mark.tone,
        Item::Trigger(t) => t.mark.tone,
        Item::Oncall(o) => o.mark.tone,
        Item::Alert(a) => a.mark.tone,
        Item::Feed(f) => f.mark.tone,
        Item::Proof(l) => l.mark.tone,
        Item::Debt(d) if d.overdue => Tone::Fail,
        _ => Tone::Plain,
    };
    match (tone, item) {
        // In a list of verdicts what cannot be told is what a person looks into.
        (Tone::Unknown, Item::Gate(_) | Item::Deploy(_)) => Tone::Hold,
        (tone, _) => tone,
    }
}

/// When something was written: the clock today, with the day before.
fn when(s: &Situation, at: Instant) -> String {
    let day = |t: Instant| t.with_timezone(&s.timezone).date_naive();
    if day(at) == day(s.now.world) {
        words::clock_seconds(at, s.timezone)
    } else {
        super::at(s, at)
    }
}

struct Cx<'a> {
    model: &'a Model,
    s: &'a Situation,
    theme: &'a Theme,
    shape: &'a Shape,
    /// What the row is called is written in this.
    name: Style,
}

/// Paints one row; `loud`: it is the one that is read first.
pub fn row(
    model: &Model,
    s: &Situation,
    theme: &Theme,
    mut pen: Pen<'_>,
    item: &Item<'_>,
    (shape, loud): (&Shape, bool),
) {
    let name = if loud { theme.bright } else { theme.text };
    let cx = Cx {
        model,
        s,
        theme,
        shape,
        name,
    };
    let pen = &mut pen;
    match item {
        Item::Heading(text, right) => {
            pen.right(right, theme.dim);
            pen.put(text, theme.bright);
        }
        Item::Text(tone, text) => {
            pen.put(text, theme.tone(*tone));
        }
        Item::Reason(r) => {
            pen.put(&r.text, theme.text);
        }
        Item::Columns => {
            cx.columns(pen);
        }
        Item::Day(date, today, segments) => {
            let cursor = (*date, *today, model.world());
            day::day(pen, theme, s.timezone, cursor, segments, shape.narrow);
        }
        Item::Planned(r) => {
            let at = r.at.map_or("no date".into(), |at| super::at(s, at));
            pen.right(&r.mark.word, theme.tone(r.mark.tone));
            pen.column(&at, 12, theme.dim).gap(1);
            pen.put(&r.title, theme.text);
            if !r.note.is_empty() {
                pen.gap(1).put(&r.note, theme.dim);
            }
        }
        Item::Deploy(d) => cx.deploy(pen, d),
        Item::Check(i) => cx.check(pen, i),
        Item::Step(step, state, said, at) => cx.step(pen, &step.title, *state, said, *at),
        Item::Checkpoint(c) => cx.checkpoint(pen, c),
        Item::Metric(m) => cx.metric(pen, m),
        Item::Gate(g) => cx.gate(pen, g),
        Item::Trigger(t) => cx.trigger(pen, t),
        Item::Oncall(o) => {
            pen.column(&format!("{}", o.level), 2, theme.dim);
            pen.column(&o.person, shape.columns.name.max(6), name)
                .gap(1);
            pen.put(&o.mark.word, theme.tone(o.mark.tone));
            let until = o.until.map(|u| format!("until {}", super::at(s, u)));
            let note = if o.note.is_empty() {
                String::new()
            } else {
                format!(", {}", o.note)
            };
            let until = until.filter(|u| width(u) + width(&note) + 1 < pen.left());
            pen.right(until.as_deref().unwrap_or(""), theme.dim);
            pen.put(&note, theme.dim);
        }
        Item::Alert(a) => {
            let until = a.until.map(|t| format!("until {}", when(s, t)));
            if let Some(right) = until.or_else(|| a.since.map(|t| cx.age(t))) {
                pen.right(&right, theme.dim);
            }
            pen.put(&a.mark.word, theme.tone(a.mark.tone)).gap(1);
            pen.put(&a.name, name);
            if let Some(service) = &a.service {
                pen.put(&format!(" {service}"), theme.dim);
            }
        }
        Item::Journal(j) => {
            pen.column(&when(s, j.at), shape.columns.time, theme.dim)
                .gap(1);
            pen.column(&j.actor, shape.columns.name, theme.dim).gap(1);
            // What passed then is no verdict now: the journal is never green.
            let tone = if j.tone == Tone::Pass {
                Tone::Plain
            } else {
                j.tone
            };
            pen.put(&j.text, theme.tone(tone));
        }
        Item::Debt(d) => cx.debt(pen, d),
        Item::Feed(f) => cx.feed(pen, f),
        Item::Proof(l) => {
            cx.mark(pen, &l.mark, 10);
            pen.put(&l.title, name);
            pen.put(&format!("  {}", l.note), theme.dim);
        }
        Item::Handed(item, taken) => {
            let mark = if *taken {
                Mark::new("taken", Tone::Plain)
            } else {
                Mark::new("open", Tone::Hold)
            };
            cx.mark(pen, &mark, 7);
            pen.put(&item.text, theme.text);
        }
        Item::Release(r) => {
            let word = r.closing.map_or(r.phase.word(), |c| c.word());
            pen.right(r.driver.as_deref().unwrap_or("no driver"), theme.dim);
            pen.column(word, 12, theme.text).gap(1);
            pen.put(&r.plan.title, theme.bright);
            pen.put(&format!("  {}", r.plan.environment), theme.dim);
        }
        Item::Notice(n) => {
            let tone = match n.loudness {
                Loudness::Info => Tone::Plain,
                Loudness::Error => Tone::Fail,
            };
            pen.column(&words::clock_seconds(n.at, s.timezone), 9, theme.dim);
            pen.put(&n.text, theme.tone(tone));
        }
    }
}

/// The service, with its environment where that is not the current release's.
fn place<'a>(s: &Situation, d: &'a DeployRow) -> Cow<'a, str> {
    let here = s.releases.first().map(|r| r.plan.environment.as_str());
    if here.is_none_or(|env| env == d.environment) {
        return d.service.as_str().into();
    }
    format!("{} ({})", d.service, d.environment).into()
}

/// `2.13.4→2.14.0`.
fn versions(d: &DeployRow, arrow: &str) -> String {
    match &d.from {
        Some(from) if *from != d.version => format!("{from}{arrow}{}", d.version),
        _ => d.version.clone(),
    }
}

impl Cx<'_> {
    fn age(&self, at: Instant) -> String {
        words::age(at, self.model.world())
    }

    /// Glyph and word, in a column of `w`.
    fn mark(&self, pen: &mut Pen<'_>, mark: &Mark, w: usize) {
        let style = self.theme.tone(mark.tone);
        pen.put(glyph(self.theme, mark), style).gap(1);
        pen.column(&mark.word, w, style).gap(1);
    }

    /// In a narrow list the word stands at the right, where nothing cuts it …
    fn word_right(&self, pen: &mut Pen<'_>, mark: &Mark) {
        if self.shape.narrow {
            pen.right(&mark.word, self.theme.tone(mark.tone));
        }
    }

    /// … in a wide one in its column.
    fn word_here(&self, pen: &mut Pen<'_>, mark: &Mark) {
        if !self.shape.narrow {
            pen.column(
                &mark.word,
                self.shape.columns.word.max(4),
                self.theme.tone(mark.tone),
            );
        }
    }

    /// The deploys' headings, over the same columns.
    fn columns(&self, pen: &mut Pen<'_>) {
        let (dim, shape) = (self.theme.dim, self.shape);
        pen.right("  age", dim);
        pen.column("service", shape.columns.name, dim).gap(1);
        let w = if shape.narrow {
            9
        } else {
            shape.columns.word.max(9)
        };
        let room = shape.columns.second.min(
            pen.left()
                .saturating_sub(w + shape.bar + if shape.narrow { 8 } else { 2 })
                .max(8),
        );
        pen.column("version", room, dim).gap(1);
        if shape.bar > 0 && shape.bar + 1 + w <= pen.left() {
            pen.column("step", shape.bar, dim).gap(1);
        }
        pen.put("state", dim);
    }

    fn deploy(&self, pen: &mut Pen<'_>, d: &DeployRow) {
        let (theme, shape) = (self.theme, self.shape);
        let stale = d.freshness.is_some_and(|f| !f.usable());
        let age = d.read_at.map(|at| self.age(at)).unwrap_or("never".into());
        let loud = if stale { theme.unknown } else { theme.dim };
        pen.right(&format!("{age:>5}"), loud);
        let word = if d.unplanned {
            format!("unplanned, {}", d.mark.word)
        } else {
            d.mark.word.clone()
        };
        let w = if shape.narrow {
            9
        } else {
            shape.columns.word.max(9)
        };
        pen.column(
            &d.service,
            shape.columns.name,
            if stale { theme.dim } else { theme.bright },
        );
        pen.gap(1);
        let arrow = theme.glyph("→", ">");
        let room = shape.columns.second.min(
            pen.left()
                .saturating_sub(w + shape.bar + if shape.narrow { 8 } else { 2 })
                .max(8),
        );
        pen.column_middle(&versions(d, arrow), room, theme.text);
        pen.gap(1);
        if !d.note.is_empty() && (stale || d.step.is_none()) {
            pen.put(&word, theme.tone(d.mark.tone)).gap(1);
            pen.put(&d.note, theme.dim);
            return;
        }
        if shape.bar > 0 && shape.bar + 1 + w <= pen.left() {
            let bar = step_bar(d, theme.ascii, shape.narrow);
            pen.column(&bar, shape.bar, theme.text).gap(1);
        }
        pen.put(&word, theme.tone(d.mark.tone));
        let strategy = d.strategy.as_deref().unwrap_or("");
        let since = d.since.map(|at| format!("for {}", self.age(at)));
        let sync = d.release.is_some() && d.auto_sync == Some(false);
        let sync = sync.then(|| "auto-sync off".to_string());
        // In a narrow list the share of traffic stands behind the state instead of behind the bar.
        let weight = d.weight.filter(|w| shape.narrow && *w < 100.0);
        let weight = weight.map(|w| format!("{w:.0} %"));
        for text in [weight, Some(strategy.to_string()), since, sync]
            .into_iter()
            .flatten()
        {
            if !text.is_empty() && width(&text) < pen.left() {
                pen.put(&format!(" {text}"), theme.dim);
            }
        }
    }

    fn check(&self, pen: &mut Pen<'_>, i: &ItemView) {
        let theme = self.theme;
        let age = i.at.map(|at| self.age(at)).unwrap_or_default();
        pen.right(&age, theme.dim);
        // The word is never left out: where the line is short, note and title give way.
        let word = &i.mark.word;
        pen.put(glyph(theme, &i.mark), theme.tone(i.mark.tone))
            .gap(1);
        let room = pen.left().saturating_sub(width(word) + 2);
        let note = if i.note.is_empty() {
            String::new()
        } else {
            format!(", {}", i.note)
        };
        let title = room.saturating_sub(width(&note)).max(room * 3 / 5);
        pen.column(&i.title, title.min(width(&i.title)), self.name)
            .gap(2);
        pen.put(word, theme.tone(i.mark.tone));
        pen.put(&note, theme.dim);
    }

    fn step(
        &self,
        pen: &mut Pen<'_>,
        title: &str,
        state: StepState,
        said: &str,
        at: Option<Instant>,
    ) {
        // Done is no verdict: a confirmed step has its tick, and stays uncoloured.
        let (sign, tone) = match state {
            StepState::Confirmed => (self.theme.glyph("✓", "+"), Tone::Plain),
            StepState::Asked | StepState::Deferred => ("!", Tone::Hold),
            StepState::Refused => (self.theme.glyph("✗", "x"), Tone::Fail),
            StepState::Unknown => ("?", Tone::Unknown),
            StepState::Waiting => (self.theme.glyph("·", "."), Tone::Plain),
        };
        if let Some(at) = at {
            pen.right(&self.age(at), self.theme.dim);
        }
        let style = self.theme.tone(tone);
        pen.put(sign, style)
            .gap(1)
            .column(state.word(), 9, style)
            .gap(1);
        pen.put(title, self.name);
        if !said.is_empty() {
            pen.put(&format!("  {said}"), self.theme.dim);
        }
    }

    fn checkpoint(&self, pen: &mut Pen<'_>, c: &CheckpointView) {
        pen.right(&super::at(self.s, c.due), self.theme.dim);
        pen.column(
            &format!("T+{}", words::seconds(c.after)),
            8,
            self.theme.text,
        );
        self.mark(pen, &c.mark, 9);
        pen.put(&c.note, self.theme.dim);
    }

    fn metric(&self, pen: &mut Pen<'_>, m: &MetricView) {
        let (theme, shape) = (self.theme, self.shape);
        if m.freshness != Freshness::Fresh {
            let age = m.newest.map(|at| self.age(at)).unwrap_or_default();
            pen.right(&format!("{} {age}", m.freshness.word()), theme.unknown);
        }
        self.word_right(pen, &m.mark);
        pen.column(&m.service, shape.columns.name, theme.dim).gap(1);
        pen.column(&m.title, shape.columns.second, self.name).gap(1);
        let shown = format!("{:>9}", m.shown);
        pen.column(&shown, 9, self.name).gap(1);
        self.word_here(pen, &m.mark);
        let distance = m.distance.clone().or_else(|| {
            m.ratio
                .map(|r| format!("{r:.1}{} baseline", theme.glyph("×", "x")))
        });
        pen.gap(1).put(&distance.unwrap_or_default(), theme.dim);
    }

    fn gate(&self, pen: &mut Pen<'_>, g: &GateView) {
        let (theme, shape) = (self.theme, self.shape);
        self.word_right(pen, &g.mark);
        pen.column(&g.service, shape.columns.name, theme.dim).gap(1);
        pen.column(&format!("gate {}", g.gate), shape.columns.second, self.name);
        let step = format!("{:>10}", format!("step {}", g.step));
        pen.column(&step, 10, theme.dim).gap(1);
        self.word_here(pen, &g.mark);
        pen.gap(1).put(&g.said, theme.dim);
    }

    fn trigger(&self, pen: &mut Pen<'_>, t: &TriggerView) {
        let (theme, shape) = (self.theme, self.shape);
        let then = match t.then {
            crate::domain::policy::Then::Notify => "tells",
            crate::domain::policy::Then::Hold => "holds",
            crate::domain::policy::Then::Propose => "proposes",
            crate::domain::policy::Then::Automatic => "automatic",
        };
        self.word_right(pen, &t.mark);
        pen.column(&t.service, shape.columns.name, theme.dim).gap(1);
        pen.column(
            &format!("trigger {}", t.trigger),
            shape.columns.second,
            self.name,
        );
        pen.column(&format!("{then:>10}"), 10, theme.dim).gap(1);
        self.word_here(pen, &t.mark);
        pen.gap(1).put(&t.distance, theme.dim);
    }

    fn debt(&self, pen: &mut Pen<'_>, d: &DebtView) {
        let theme = self.theme;
        let (word, tone) = if d.overdue {
            ("overdue", Tone::Fail)
        } else {
            ("owed", Tone::Hold)
        };
        let due = format!("due {}", super::at(self.s, d.debt.due));
        pen.right(&due, theme.tone(tone));
        pen.column(word, 8, theme.tone(tone)).gap(1);
        pen.column(&d.debt.owner, 10, theme.text).gap(1);
        pen.put(&d.debt.what, theme.text);
        if let Some(release) = &d.debt.release {
            pen.put(&format!("  {release}"), theme.dim);
        }
    }

    fn feed(&self, pen: &mut Pen<'_>, f: &FeedView) {
        let (theme, shape) = (self.theme, self.shape);
        let age = f.read_at.map(|at| self.age(at)).unwrap_or("never".into());
        pen.right(&format!("{age:>5}"), theme.dim);
        pen.column(
            &f.mark.word,
            shape.columns.word.max(10),
            theme.tone(f.mark.tone),
        )
        .gap(1);
        pen.column(&f.source, shape.columns.name, theme.text).gap(1);
        pen.column(&f.what, shape.columns.second, theme.text).gap(1);
    }
}

/// The mark that stands before a word.
fn glyph(theme: &Theme, mark: &Mark) -> &'static str {
    match mark.tone {
        Tone::Pass => theme.glyph("✓", "+"),
        Tone::Fail => theme.glyph("✗", "x"),
        Tone::Hold => "!",
        Tone::Unknown => "?",
        Tone::Plain => theme.glyph("·", "."),
    }
}

/// `▰▰▰▱▱ 40 %`.
fn step_bar(d: &DeployRow, ascii: bool, narrow: bool) -> String {
    let Some((done, all)) = d.step else {
        let weight = d.weight.filter(|_| !narrow);
        return weight.map_or(String::new(), |w| format!("{w:.0} %"));
    };
    let all = all.clamp(1, 8);
    let done = done.min(all);
    let (full, open) = if ascii { ("#", "-") } else { ("▰", "▱") };
    let bar = format!(
        "{}{}",
        full.repeat(done as usize),
        open.repeat((all - done) as usize)
    );
    match d.weight {
        Some(w) if !narrow => format!("{bar} {w:>3.0} %"),
        _ => bar,
    }
}
