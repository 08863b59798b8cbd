//! One row of a list, in columns.

use ratatui::style::Style;

use super::pen::Pen;
use super::text::width;
use super::theme::Theme;
use crate::app::Model;
use crate::app::layout::Area;
use crate::app::model::Loudness;
use crate::app::rows::{Item, Row};
use crate::app::words;
use crate::domain::event::StepState;
use crate::domain::observe::Freshness;
use crate::domain::situation::{
    CheckpointView, DebtView, DeployRow, FeedView, GateView, ItemView, Mark, MetricView, Situation,
    StripSegment, Tone, TriggerView,
};
use crate::domain::time::Instant;

/// Column widths, the same for all rows of a list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    name: usize,
    second: usize,
    word: usize,
    environment: bool,
}

impl Shape {
    /// Measures the rows for an area.
    #[must_use]
    pub fn of(rows: &[Row<'_>], area: Area) -> Self {
        let total = usize::from(area.w);
        let mut shape = Self::default();
        let mut environment = None;
        for r in rows {
            let (name, second, word) = match &r.item {
                Item::Deploy(d) => {
                    if environment.get_or_insert(&d.environment) != &&d.environment {
                        shape.environment = true;
                    }
                    (&d.service, versions(d, "→").chars().count(), &d.mark)
                }
                Item::Metric(m) => (&m.service, width(&m.title), &m.mark),
                Item::Gate(g) => (&g.service, width(&g.gate) + 5, &g.mark),
                Item::Trigger(t) => (&t.service, width(&t.trigger) + 8, &t.mark),
                Item::Oncall(o) => (&o.person, 0, &o.mark),
                Item::Feed(f) => (&f.source, width(&f.what), &f.mark),
                _ => continue,
            };
            shape.name = shape.name.max(width(name));
            shape.second = shape.second.max(second);
            shape.word = shape.word.max(width(&word.word));
        }
        shape.name = shape.name.min((total / 4).max(6));
        shape.second = shape.second.min((total / 3).max(8));
        shape.word = shape.word.min(12);
        shape
    }
}

struct Cx<'a> {
    model: &'a Model,
    s: &'a Situation,
    theme: &'a Theme,
    shape: &'a Shape,
}

/// Paints one row.
pub fn row(
    model: &Model,
    s: &Situation,
    theme: &Theme,
    mut pen: Pen<'_>,
    item: &Item<'_>,
    shape: &Shape,
) {
    let cx = Cx {
        model,
        s,
        theme,
        shape,
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
        Item::Day(date, today, segments) => cx.day(pen, *date, *today, segments),
        Item::Planned(r) => {
            let at = r.at.map_or("no date".into(), |at| super::at(s, at));
            pen.right(&r.mark.word, theme.tone(r.mark.tone));
            pen.column(&at, 12, theme.dim).gap(1);
            pen.put(&r.title, theme.text);
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
            pen.column(&o.person, shape.name.max(8), theme.text).gap(1);
            pen.put(&o.mark.word, theme.tone(o.mark.tone));
            let until = o.until.map(|u| format!("until {}", super::at(s, u)));
            let note = [Some(o.note.clone()).filter(|n| !n.is_empty()), until];
            for text in note.into_iter().flatten() {
                pen.put(&format!(", {text}"), theme.dim);
            }
        }
        Item::Alert(a) => {
            if let Some(since) = a.since {
                pen.right(&cx.age(since), theme.dim);
            }
            pen.put(&a.mark.word, theme.tone(a.mark.tone)).gap(1);
            pen.put(&a.name, theme.text);
            if let Some(service) = &a.service {
                pen.put(&format!(" {service}"), theme.dim);
            }
        }
        Item::Journal(j) => {
            let at = words::clock_seconds(j.at, s.timezone);
            let today = (s.now.world - j.at).num_hours() < 20;
            let at = if today { at } else { super::at(s, j.at) };
            pen.column(&at, 12, theme.dim).gap(1);
            pen.column(&j.actor, 10, theme.dim).gap(1);
            pen.put(&j.text, theme.tone(j.tone));
        }
        Item::Debt(d) => cx.debt(pen, d),
        Item::Feed(f) => cx.feed(pen, f),
        Item::Proof(l) => {
            cx.mark(pen, &l.mark, 10);
            pen.put(&l.title, theme.text);
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

    /// A day in words: when it is open or frozen; today carries the cursor.
    fn day(&self, pen: &mut Pen<'_>, date: chrono::NaiveDate, today: bool, segs: &[&StripSegment]) {
        let theme = self.theme;
        let cursor = if today { theme.glyph("▸", ">") } else { " " };
        let style = if today { theme.bright } else { theme.text };
        pen.put(cursor, theme.bright);
        pen.column(&date.format("%a %-d").to_string(), 7, style);
        let zone = self.s.timezone;
        let mut first = true;
        for seg in segs {
            let starts = seg.span.start.with_timezone(&zone);
            let clock = if starts.date_naive() == date && !(first && midnight(starts)) {
                format!("{} ", starts.format("%H:%M"))
            } else {
                String::new()
            };
            let now = today && seg.span.contains(self.model.world());
            let style = theme.tone(seg.mark.tone);
            let style = if now {
                style.add_modifier(ratatui::style::Modifier::UNDERLINED)
            } else {
                style
            };
            pen.put(&clock, theme.dim);
            pen.put(&seg.mark.word, style);
            if now {
                pen.put(theme.glyph("◂", "<"), theme.bright);
            }
            pen.gap(1);
            first = false;
        }
        if let Some(rule) = segs.iter().find_map(|s| s.rules.first())
            && segs.len() == 1
        {
            pen.put(rule, theme.dim);
        }
    }

    fn deploy(&self, pen: &mut Pen<'_>, d: &DeployRow) {
        let (theme, shape) = (self.theme, self.shape);
        let stale = d.freshness.is_some_and(|f| !f.usable());
        let age = d.read_at.map(|at| self.age(at)).unwrap_or("never".into());
        let loud = if stale { theme.unknown } else { theme.dim };
        pen.right(&format!("{age:>5}"), loud);
        let word = if d.unplanned {
            format!("{}, unplanned", d.mark.word)
        } else {
            d.mark.word.clone()
        };
        let w = shape.word.max(9);
        pen.column(
            &d.service,
            shape.name,
            if stale { theme.dim } else { theme.bright },
        );
        pen.gap(1);
        if shape.environment {
            pen.column(&d.environment, 10, theme.dim).gap(1);
        }
        let arrow = theme.glyph("→", ">");
        let room = shape.second.min(pen.left().saturating_sub(w + 15).max(8));
        pen.column_middle(&versions(d, arrow), room, theme.text);
        pen.gap(1);
        if !d.note.is_empty() && (stale || d.step.is_none()) {
            pen.put(&word, theme.tone(d.mark.tone)).gap(1);
            pen.put(&d.note, theme.dim);
            return;
        }
        let bar = step_bar(d, theme);
        if width(&bar) + w + 2 <= pen.left() {
            pen.column(&bar, 13, theme.text).gap(1);
        }
        pen.put(&word, theme.tone(d.mark.tone));
        let strategy = d.strategy.as_deref().unwrap_or("");
        let since = d.since.map(|at| format!("for {}", self.age(at)));
        let sync = (d.auto_sync == Some(false)).then(|| "auto-sync off".to_string());
        for text in [Some(strategy.to_string()), since, sync]
            .into_iter()
            .flatten()
        {
            if !text.is_empty() && width(&text) + 2 < pen.left() {
                pen.put(&format!(" {text}"), theme.dim);
            }
        }
    }

    fn check(&self, pen: &mut Pen<'_>, i: &ItemView) {
        let theme = self.theme;
        let age = i.at.map(|at| self.age(at)).unwrap_or_default();
        let next = self.s.checklist.next.as_deref() == Some(i.id.as_str());
        let style = if next { theme.bright } else { theme.text };
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
        let title = room.saturating_sub(width(&note)).max(room.min(12));
        pen.column(&i.title, title.min(width(&i.title)), style)
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
        let tone = match state {
            StepState::Confirmed => Tone::Pass,
            StepState::Asked | StepState::Deferred => Tone::Hold,
            StepState::Refused => Tone::Fail,
            StepState::Unknown => Tone::Unknown,
            StepState::Waiting => Tone::Plain,
        };
        if let Some(at) = at {
            pen.right(&self.age(at), self.theme.dim);
        }
        self.mark(pen, &Mark::new(state.word(), tone), 9);
        pen.put(title, self.theme.text);
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
        pen.column(&m.service, shape.name, theme.dim).gap(1);
        pen.column(&m.title, shape.second, theme.text).gap(1);
        let shown = format!("{:>9}", m.shown);
        pen.column(&shown, 9, theme.bright).gap(1);
        pen.column(&m.mark.word, shape.word.max(4), theme.tone(m.mark.tone));
        let distance = m.distance.clone().or_else(|| {
            m.ratio
                .map(|r| format!("{r:.1}{} baseline", theme.glyph("×", "x")))
        });
        pen.gap(1).put(&distance.unwrap_or_default(), theme.dim);
    }

    fn gate(&self, pen: &mut Pen<'_>, g: &GateView) {
        let (theme, shape) = (self.theme, self.shape);
        pen.column(&g.service, shape.name, theme.dim).gap(1);
        pen.column(&format!("gate {}", g.gate), shape.second, theme.text);
        let step = format!("{:>10}", format!("step {}", g.step));
        pen.column(&step, 10, theme.dim).gap(1);
        pen.column(&g.mark.word, shape.word.max(4), theme.tone(g.mark.tone));
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
        pen.column(&t.service, shape.name, theme.dim).gap(1);
        pen.column(&format!("trigger {}", t.trigger), shape.second, theme.text);
        pen.column(&format!("{then:>10}"), 10, theme.dim).gap(1);
        pen.column(&t.mark.word, shape.word.max(4), theme.tone(t.mark.tone));
        let said = t.undecided.as_deref().unwrap_or(&t.distance);
        pen.gap(1).put(said, theme.dim);
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
        pen.column(&f.mark.word, shape.word.max(10), theme.tone(f.mark.tone))
            .gap(1);
        pen.column(&f.source, shape.name, theme.text).gap(1);
        pen.column(&f.what, shape.second, theme.text).gap(1);
        if let Some(fault) = &f.fault {
            pen.put(&fault.what, theme.text);
            if !fault.hint.is_empty() {
                pen.put(&format!("; {}", fault.hint), theme.bright);
            }
        }
    }
}

fn midnight(at: chrono::DateTime<chrono_tz::Tz>) -> bool {
    use chrono::Timelike;
    at.num_seconds_from_midnight() == 0
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
fn step_bar(d: &DeployRow, theme: &Theme) -> String {
    let Some((done, all)) = d.step else {
        return d.weight.map_or(String::new(), |w| format!("{w:.0} %"));
    };
    let all = all.clamp(1, 8);
    let done = done.min(all);
    let (full, open) = (theme.glyph("▰", "#"), theme.glyph("▱", "-"));
    let bar = format!(
        "{}{}",
        full.repeat(done as usize),
        open.repeat((all - done) as usize)
    );
    match d.weight {
        Some(w) => format!("{bar} {w:>3.0} %"),
        None => bar,
    }
}

/// Style helper for other modules: the mark's glyph and word in one string.
#[must_use]
pub fn mark_words(theme: &Theme, mark: &Mark) -> (String, Style) {
    (
        format!("{} {}", glyph(theme, mark), mark.word),
        theme.tone(mark.tone),
    )
}
