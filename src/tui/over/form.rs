//! A form: every field with what is wrong with it, and below what the rules say of what is typed.

use ratatui::buffer::Buffer;

use super::super::calendar::judged;
use super::super::pen::Pen;
use super::super::text::width;
use super::super::theme::Theme;
use super::dialog::{buttons, field};
use super::{frame, middle};
use crate::app::Model;
use crate::app::dialog::{Dialog, Live, Spot};
use crate::app::layout::Area;

/// Paints a form.
pub fn form(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area, d: &Dialog, live: &Live) {
    let fields = u16::try_from(d.fields.len()).unwrap_or(u16::MAX);
    let lines = u16::try_from(live.lines.len()).unwrap_or(u16::MAX);
    let area = middle(area, fields.saturating_add(lines.max(6)).saturating_add(7));
    let hint = "tab moves · w or enter on write · esc cancels";
    let inner = frame(theme, buf, area, &d.permit.title, hint);
    let foot = 2.min(inner.h);
    let list = fields.min(inner.h.saturating_sub(foot));
    let focus = match d.spot {
        Spot::Field(i) => u16::try_from(i).unwrap_or(0),
        _ => 0,
    };
    // Where not all fields fit, the focused one is among those drawn.
    let first = (focus + 1).saturating_sub(list);
    let labels = d.fields.iter().map(|f| width(&f.label)).max().unwrap_or(0);
    for (row, i) in (0..list).zip(first..fields) {
        let Some(f) = d.fields.get(usize::from(i)) else {
            continue;
        };
        let focused = d.spot == Spot::Field(usize::from(i));
        let used = labels + width(f.edit.text()) + 6;
        field(theme, buf, (inner, row), (f, labels), focused);
        if let Some(why) = d.problem(f) {
            let empty = f.edit.text().trim().is_empty();
            let look = if empty { theme.dim } else { theme.fail };
            let x = u16::try_from(used).unwrap_or(u16::MAX);
            let x = x.min(inner.w / 2 + 6);
            let place = Area::new(inner.x + x, inner.y, inner.w.saturating_sub(x), inner.h);
            let sign = if empty { "" } else { theme.glyph("✗ ", "x ") };
            Pen::new(buf, theme, place, row).put(&format!("{sign}{why}"), look);
        }
    }
    let top = list + u16::from(list + foot < inner.h);
    let room = inner.h.saturating_sub(top + foot);
    let place = Area::new(inner.x, inner.y + top, inner.w, room);
    if live.lines.is_empty() {
        let text = "windows, freezes, fit, cover and conflicts stand here once environment, services and start are there";
        Pen::new(buf, theme, place, 0).gap(1).put(text, theme.dim);
    } else {
        judged(theme, buf, place, &live.lines);
    }
    if let Some(text) = &d.complaint {
        let row = inner.h.saturating_sub(2);
        let place = Area::new(inner.x, inner.y + row, inner.w, 1);
        Pen::new(buf, theme, place, 0).gap(1).put(text, theme.fail);
    }
    let confirm = format!("{} ({})", d.verb, d.confirm_key());
    buttons(model, theme, buf, inner, "Cancel", &confirm, d.spot);
}
