//! The timeline: what holds when on top, then a lane each for releases, windows, freezes, cover and watches.

use ratatui::buffer::Buffer;

use super::super::pen::Pen;
use super::super::text::width;
use super::super::theme::Theme;
use super::axis::{Axis, fill};
use super::{cursor_at, style};
use crate::app::Model;
use crate::app::calendar::{self, LaneRow};
use crate::app::layout::Area;
use crate::app::list::ListId;
use crate::app::words;
use crate::domain::calendar::{Bar, CalendarSpan, Lane};
use crate::domain::situation::Tone;

/// Columns of a lane's label.
const LABEL: u16 = 12;

/// Paints the timeline: axis and state in `head`, a lane a row in `body`; gives how many are hidden below.
pub fn lanes(
    model: &Model,
    span: &CalendarSpan,
    theme: &Theme,
    buf: &mut Buffer,
    head: Area,
    body: Area,
) -> usize {
    let zone = calendar::zone(model);
    let room = |a: Area| Area::new(a.x + LABEL, a.y, a.w.saturating_sub(LABEL), a.h);
    let axis = Axis::new(span.look.span, room(head));
    axis.hours(theme, buf, 0, zone, head);
    Pen::new(buf, theme, head, 1).put("state", theme.dim);
    let strip: Vec<_> = span.strip.iter().collect();
    axis.strip(theme, buf, head, 1, &strip);
    let now = cursor_at(model);
    axis.now(theme, buf, head, 1, now);
    let rows = calendar::lanes(model);
    let state = model
        .lists
        .get(&ListId::Calendar)
        .cloned()
        .unwrap_or_default();
    let focused = model.focused_list() == Some(ListId::Calendar);
    for (lane, row) in rows.iter().skip(state.offset).zip(0..body.h) {
        one(model, theme, buf, (body, row), &axis, lane);
        axis.now(theme, buf, body, row, now);
        if focused && state.selected.as_deref() == Some(lane.id.as_str()) {
            let label = Area::new(body.x, body.y, LABEL - 1, body.h);
            Pen::over(buf, label, row, theme.selected);
        }
    }
    if rows.is_empty() {
        Pen::new(buf, theme, body, 0).put(
            "nothing lies in these days, or nothing matches the filter",
            theme.dim,
        );
    }
    rows.len()
        .saturating_sub(state.offset + usize::from(body.h))
}

fn one(
    model: &Model,
    theme: &Theme,
    buf: &mut Buffer,
    (area, row): (Area, u16),
    axis: &Axis,
    lane: &LaneRow<'_>,
) {
    let label = Area::new(area.x, area.y, LABEL - 1, area.h);
    Pen::new(buf, theme, label, row).put(&lane.label, theme.dim);
    let mut after = 0;
    for (n, bar) in lane.bars.iter().enumerate() {
        let Some((a, b)) = axis.columns(bar.span) else {
            continue;
        };
        let look = match bar.lane {
            Lane::Release if bar.supposed => theme.hold,
            Lane::Release => theme.bright,
            _ => style(theme, bar.mark.tone),
        };
        axis.fill(theme, buf, (area, row), (a, b), glyph(theme, bar), look);
        let text = words_of(model, bar);
        let inside = width(&text) + 2 <= usize::from(b - a);
        let next = lane.bars.get(n + 1).and_then(|x| axis.columns(x.span));
        let free = next.map_or(u16::MAX, |(x, _)| x);
        if inside {
            axis.put(theme, buf, (area, row), a + 1, &text, look);
        } else if b < free && b >= after {
            // Beside its bar, as far as the next one.
            let room = usize::from(free.saturating_sub(b + 1)).max(1);
            let cut = super::super::text::cut(&text, room.saturating_sub(1), theme.ascii);
            axis.put(theme, buf, (area, row), b + 1, &cut, look);
            after = b + 1 + u16::try_from(width(&cut)).unwrap_or(0);
        } else {
            let cut = super::super::text::cut(&text, usize::from(b - a), theme.ascii);
            axis.put(theme, buf, (area, row), a, &cut, look);
        }
    }
}

/// A lane's own fill, so that it is told without colour.
fn glyph(theme: &Theme, bar: &Bar) -> &'static str {
    match bar.lane {
        Lane::Release => theme.glyph("█", "="),
        Lane::Watch => "~",
        Lane::Cover => theme.glyph("─", "-"),
        Lane::Holiday => theme.glyph("·", "."),
        Lane::Deadline => "!",
        Lane::Window | Lane::Freeze => fill(theme, bar.mark.tone),
    }
}

fn words_of(model: &Model, bar: &Bar) -> String {
    let zone = calendar::zone(model);
    let at = |t| words::moment(t, model.world(), zone);
    match bar.lane {
        Lane::Release => {
            let what_if = if bar.supposed { "WHAT-IF " } else { "" };
            format!("{what_if}{} {}", bar.name, bar.mark.word)
        }
        Lane::Watch => match bar.span.end {
            Some(end) => format!("{} watch to {}", bar.name, at(end)),
            None => format!("{} watch", bar.name),
        },
        Lane::Window => bar.mark.word.clone(),
        Lane::Freeze => format!("{} {}", bar.mark.word, bar.name),
        Lane::Cover | Lane::Holiday | Lane::Deadline if bar.mark.tone == Tone::Plain => {
            bar.name.clone()
        }
        _ => format!("{} {}", bar.name, bar.mark.word),
    }
}
