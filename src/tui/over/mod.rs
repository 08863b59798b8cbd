//! What opens over the panes. The band and the NEXT line stay in sight.

mod dialog;
mod find;
mod form;
mod read;
mod refusal;

use ratatui::buffer::Buffer;

use super::pen::{Pen, rect};
use super::theme::Theme;
use super::{blank, edges, pane};
use crate::app::Model;
use crate::app::layout::Area;
use crate::app::model::Overlay;

/// Paints one overlay into its room.
pub fn over(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area, overlay: &Overlay) {
    match overlay {
        Overlay::Help { query, scroll } => find::help(model, theme, buf, area, query, *scroll),
        Overlay::Palette { query, selected } => {
            find::palette(model, theme, buf, area, query, *selected);
        }
        Overlay::GoTo {
            query,
            meant,
            complaint,
        } => {
            let found = meant.map(|d| d.format("%A %-d %B %Y").to_string());
            find::go_to(
                theme,
                buf,
                area,
                query,
                found.as_deref(),
                complaint.as_deref(),
            );
        }
        Overlay::Evidence { shown, scroll, .. } => {
            read::evidence(model, theme, buf, area, shown, *scroll);
        }
        Overlay::Document {
            title,
            markdown,
            scroll,
        } => read::document(theme, buf, area, title, markdown, *scroll),
        Overlay::Refusal {
            label,
            refusals,
            selected,
            ..
        } => refusal::refusal(model, theme, buf, area, label, refusals, *selected),
        Overlay::Dialog(d) => match &d.live {
            Some(live) => form::form(model, theme, buf, area, d, live),
            None => dialog::dialog(model, theme, buf, area, d),
        },
        Overlay::Quit { leave } => dialog::quit(model, theme, buf, area, *leave),
        Overlay::List(list) => {
            let inner = frame(theme, buf, area, list.title(), "esc back");
            if let Some(s) = &model.situation {
                let below = pane::list(model, s, theme, buf, *list, inner);
                pane::more(theme, buf, area, below);
            }
        }
    }
}

/// Empties the area, draws its border, title and hint; gives the room inside.
fn frame(theme: &Theme, buf: &mut Buffer, area: Area, title: &str, hint: &str) -> Area {
    let r = rect(area, buf);
    blank(buf, r);
    edges::edges(buf, &[area], theme.text, theme.ascii);
    let top = Area::new(area.x + 1, area.y, area.w.saturating_sub(2), 1);
    Pen::new(buf, theme, top, 0).put(&format!(" {title} "), theme.title_focused);
    let low = Area::new(
        area.x + 1,
        (area.y + area.h).saturating_sub(1),
        area.w.saturating_sub(2),
        1,
    );
    Pen::new(buf, theme, low, 0).right(&format!(" {hint} "), theme.dim);
    area.inner()
}

/// An area of so many lines (border included) in the middle of `area`.
fn middle(area: Area, lines: u16) -> Area {
    let h = lines.clamp(1, area.h.max(1)).min(area.h);
    Area::new(area.x, area.y + (area.h - h) / 2, area.w, h)
}
