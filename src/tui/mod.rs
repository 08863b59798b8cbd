//! The view: borrows the model and paints; it decides nothing.

pub mod band;
pub mod calendar;
pub mod chart;
pub mod day;
pub mod edges;
pub mod footer;
pub mod metrics;
pub mod over;
pub mod pane;
pub mod pen;
pub mod row;
pub mod text;
pub mod theme;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Model;
use crate::app::layout::{Area, Shape};
use crate::domain::situation::Situation;

use pen::Pen;
use theme::Theme;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Is a part of the screen being drawn whose panic is caught and shown in its place? Then a panic hook leaves the terminal alone.
#[must_use]
pub fn contained() -> bool {
    CONTAINED.get()
}

/// Paints the model.
pub fn view(model: &Model, theme: &Theme, buf: &mut Buffer) {
    let silenced;
    let theme = if model.silent() {
        silenced = theme.clone().silenced();
        &silenced
    } else {
        theme
    };
    let layout = model.layout();
    if layout.shape == Shape::Tiny {
        return tiny(model, theme, buf);
    }
    part(buf, theme, layout.band, |buf| {
        band::band(model, theme, buf, layout.band);
    });
    part(buf, theme, layout.next, |buf| {
        band::next(model, theme, buf, layout.next);
    });
    band::alarms(model, theme, buf, layout.alarms);
    let areas: Vec<Area> = layout.panes.iter().map(|(_, a)| *a).collect();
    edges::edges(buf, &areas, theme.border, theme.ascii);
    for (pane, area) in &layout.panes {
        part(buf, theme, area.inner(), |buf| {
            pane::pane(model, theme, buf, *pane, *area);
        });
    }
    part(buf, theme, layout.footer, |buf| {
        footer::footer(model, theme, buf, layout.footer);
    });
    for overlay in &model.overlays {
        part(buf, theme, layout.over, |buf| {
            over::over(model, theme, buf, layout.over, overlay);
        });
    }
}

/// Paints one part; where that panics, its place shows so and the others live on.
fn part(buf: &mut Buffer, theme: &Theme, area: Area, paint: impl FnOnce(&mut Buffer)) {
    let outer = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(|| paint(buf)));
    CONTAINED.set(outer);
    if let Err(cause) = result {
        let why = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("no words");
        let r = pen::rect(area, buf);
        blank(buf, r);
        Pen::new(buf, theme, area, 0).put(&format!("cannot be drawn: {why}"), theme.fail);
    }
}

/// Empties the cells.
fn blank(buf: &mut Buffer, r: Rect) {
    for y in r.top()..r.bottom() {
        for x in r.left()..r.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

/// Too small a window: a sentence.
fn tiny(model: &Model, theme: &Theme, buf: &mut Buffer) {
    let (w, h) = model.size;
    let busy = model.under_way();
    let text = match busy.first() {
        None => format!("window too small: {w}×{h}, needs 40×10 (q leaves)"),
        Some(act) => format!("window too small: {w}×{h}, needs 40×10; under way: {act}"),
    };
    let area = Area::new(0, 0, w, h);
    for (line, row) in text::wrap(&text, usize::from(w)).iter().zip(0u16..) {
        Pen::new(buf, theme, area, row).put(line, theme.bright);
    }
}

/// A moment's clock reading in the situation's zone.
fn at(s: &Situation, t: crate::domain::time::Instant) -> String {
    crate::app::words::moment(t, s.now.world, s.timezone)
}

#[cfg(test)]
mod tests;
