//! The dialog that confirms an act, and the question before leaving.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::super::pen::Pen;
use super::super::text::{width, wrap};
use super::super::theme::Theme;
use super::{frame, middle};
use crate::app::Model;
use crate::app::dialog::{Dialog, Field, Spot};
use crate::app::layout::Area;
use crate::app::words;
use crate::domain::situation::Tone;

/// Paints a dialog: what it touches, what it does, what must be typed, and the buttons, which are always in sight.
pub fn dialog(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area, d: &Dialog) {
    let body = body(d, theme, usize::from(area.w.saturating_sub(4)));
    let fields = u16::try_from(d.fields.len()).unwrap_or(u16::MAX);
    let foot = fields.saturating_add(3);
    let lines = u16::try_from(body.len())
        .unwrap_or(u16::MAX)
        .saturating_add(foot + 2);
    let area = middle(area, lines);
    let inner = frame(theme, buf, area, &d.permit.title, "esc cancels · tab moves");
    let room = inner.h.saturating_sub(foot.min(inner.h.saturating_sub(1)));
    let scroll = d.scroll.min(body.len().saturating_sub(usize::from(room)));
    for ((text, style), row) in body.iter().skip(scroll).zip(0..room) {
        Pen::new(buf, theme, inner, row).gap(1).put(text, *style);
    }
    let hidden = body.len().saturating_sub(usize::from(room) + scroll);
    if hidden > 0 {
        let note = format!("{hidden} more: pgdn ");
        Pen::new(buf, theme, inner, room.saturating_sub(1)).right(&note, theme.hold);
    }
    let first = inner.h.saturating_sub(fields.saturating_add(2)).max(room);
    let labels = d.fields.iter().map(|f| width(&f.label)).max().unwrap_or(0);
    let labels = labels.min(usize::from(inner.w) / 2);
    for (row, (i, f)) in (first..).zip(d.fields.iter().enumerate()) {
        let focused = d.spot == Spot::Field(i);
        field(theme, buf, (inner, row), (f, labels), focused);
    }
    let complaint = d.complaint.clone().or_else(|| {
        d.moved
            .then(|| "what you saw has moved: esc, and look again".to_string())
    });
    if let Some(text) = complaint {
        let row = inner.h.saturating_sub(2);
        Pen::new(buf, theme, inner, row)
            .gap(1)
            .put(&text, theme.fail);
    }
    let confirm = format!("{} ({})", d.verb, d.confirm_key());
    buttons(model, theme, buf, inner, "Cancel", &confirm, d.spot);
}

fn body(d: &Dialog, theme: &Theme, w: usize) -> Vec<(String, Style)> {
    let p = &d.permit;
    let mut out: Vec<(String, Style)> = Vec::new();
    let arrow = theme.glyph("→", "->");
    let mut facts = Vec::new();
    if let Some(service) = &p.service {
        facts.push(service.clone());
    }
    if let Some(env) = &p.environment {
        facts.push(format!("in {}", env.to_uppercase()));
    }
    match (&p.from, &p.to) {
        (Some(from), Some(to)) => facts.push(format!("{from} {arrow} {to}")),
        (None, Some(to)) => facts.push(format!("{arrow} {to}")),
        (Some(from), None) => facts.push(format!("from {from}")),
        (None, None) => {}
    }
    if let Some(seconds) = p.expected {
        facts.push(format!("est. {}", words::seconds(seconds)));
    }
    let mut add = |text: &str, style: Style| {
        for line in wrap(&super::super::text::clean(text), w) {
            out.push((line, style));
        }
    };
    if !facts.is_empty() {
        add(&facts.join("  "), theme.bright);
    }
    for line in &p.effects {
        add(line, theme.text);
    }
    for line in &p.warnings {
        add(&format!("! {line}"), theme.tone(Tone::Hold));
    }
    out
}

pub(super) fn field(
    theme: &Theme,
    buf: &mut Buffer,
    (inner, row): (Area, u16),
    (f, labels): (&Field, usize),
    focused: bool,
) {
    let mut pen = Pen::new(buf, theme, inner, row);
    let style = if focused { theme.bright } else { theme.dim };
    pen.gap(1).column_middle(&f.label, labels, style).gap(2);
    let text = f.edit.text();
    if !focused {
        let shown = if text.is_empty() { "…" } else { text };
        pen.put(shown, theme.text);
        return;
    }
    // The end of what is typed stays in sight.
    let cursor = f.edit.cursor();
    let room = pen.left().saturating_sub(1);
    let skip = cursor.saturating_sub(room);
    let before: String = text.chars().take(cursor).skip(skip).collect();
    let at: String = text.chars().skip(cursor).take(1).collect();
    let after: String = text.chars().skip(cursor + 1).collect();
    pen.put(&before, theme.text);
    pen.put(if at.is_empty() { " " } else { &at }, theme.cursor);
    pen.put(&after, theme.text);
}

pub(super) fn buttons(
    model: &Model,
    theme: &Theme,
    buf: &mut Buffer,
    inner: Area,
    cancel: &str,
    confirm: &str,
    spot: Spot,
) {
    let style = |on: bool| if on { theme.selected } else { theme.text };
    let mut pen = Pen::new(buf, theme, inner, inner.h.saturating_sub(1));
    let mark = |on: bool| if on { ">" } else { " " };
    let (c, a) = (spot == Spot::Cancel, spot == Spot::Confirm);
    pen.gap(1);
    pen.put(&format!("{}[ {cancel} ]", mark(c)), style(c))
        .gap(2);
    pen.put(&format!("{}[ {confirm} ]", mark(a)), style(a));
    if model.options.read_only {
        pen.gap(2).put("read-only", theme.flag);
    }
}

/// Paints the question before leaving.
pub fn quit(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area, leave: bool) {
    let busy = model.under_way();
    let n = u16::try_from(busy.len()).unwrap_or(8).min(8);
    let area = middle(area, n + 6);
    let inner = frame(
        theme,
        buf,
        area,
        "Leave while something is under way?",
        "esc stays",
    );
    for (text, row) in busy.iter().zip(0..n) {
        Pen::new(buf, theme, inner, row)
            .gap(1)
            .put(text, theme.hold);
    }
    let note =
        "Nothing is lost: the journal has it, and opening the cockpit again goes on from there.";
    for (line, row) in wrap(note, usize::from(inner.w.saturating_sub(2)))
        .iter()
        .zip(n..)
    {
        Pen::new(buf, theme, inner, row)
            .gap(1)
            .put(line, theme.text);
    }
    let spot = if leave { Spot::Confirm } else { Spot::Cancel };
    buttons(model, theme, buf, inner, "Stay", "leave (enter)", spot);
}
