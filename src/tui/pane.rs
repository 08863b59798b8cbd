//! A pane: title on its border, rows, and what to do where there are none.

use ratatui::buffer::Buffer;

use super::pen::Pen;
use super::text::wrap;
use super::theme::Theme;
use super::{metrics, row};
use crate::app::Model;
use crate::app::layout::{Area, Pane, Shape};
use crate::app::list::{Ids, ListId, Named};
use crate::app::listed::{self, Listed};
use crate::app::rows;
use crate::app::words;
use crate::domain::situation::Situation;

/// Paints a pane inside its border, which is drawn already.
pub fn pane(model: &Model, theme: &Theme, buf: &mut Buffer, pane: Pane, area: Area) {
    title(model, theme, buf, pane, area);
    let inner = area.inner();
    let Some(s) = &model.situation else {
        let text = match model.fatal {
            Some(_) => "nothing was read".to_string(),
            None => format!("reading {} …", model.options.config),
        };
        Pen::new(buf, theme, inner, 0).put(&text, theme.dim);
        return;
    };
    let detailed = crate::app::calendar::drawn(model).filter(|_| pane == Pane::Calendar);
    let below = if let Some(view) = detailed {
        super::calendar::pane(model, s, theme, buf, view, inner)
    } else if pane == Pane::Metrics && !s.metrics.is_empty() {
        metrics::pane(model, s, theme, buf, inner)
    } else {
        list(model, s, theme, buf, pane.list(), inner)
    };
    more(theme, buf, area, below);
}

/// How many rows are hidden below, at the end of the area's own upper border; left out where the title reaches that far.
pub fn more(theme: &Theme, buf: &mut Buffer, area: Area, below: usize) {
    let text = format!(" {below} more ");
    let w = u16::try_from(text.len()).unwrap_or(u16::MAX);
    if below == 0 || area.w < w + 4 {
        return;
    }
    let place = Area::new(area.x + area.w - w - 2, area.y, w, 1);
    let free = (place.x..place.x + w).all(|x| {
        let cell = buf.cell((x, place.y));
        cell.is_some_and(|c| "─┬┴┼-+".contains(c.symbol()))
    });
    if free {
        Pen::new(buf, theme, place, 0).put(&text, theme.dim);
    }
}

fn title(model: &Model, theme: &Theme, buf: &mut Buffer, pane: Pane, area: Area) {
    let focused = model.pane == pane && !model.on_band && model.overlays.is_empty();
    let style = if focused {
        theme.title_focused
    } else {
        theme.title
    };
    let top = Area::new(area.x + 1, area.y, area.w.saturating_sub(2), 1);
    let mut pen = Pen::new(buf, theme, top, 0);
    if model.shape() == Shape::Compact {
        return tabs(model, theme, &mut pen, pane);
    }
    let mark = if focused { theme.glyph("▸", ">") } else { "" };
    let name = pane.list().title();
    let extra = model.situation.as_ref().map(|s| subtitle(model, s, pane));
    let filter = filter_words(model, pane.list());
    let extra = extra.unwrap_or_default();
    let text = format!("{mark}{} {name}{extra}{filter} ", pane.number());
    pen.put(&text, style);
}

fn filter_words(model: &Model, list: ListId) -> String {
    let filter = model.filter(list);
    if filter.is_empty() {
        String::new()
    } else {
        format!("  /{filter}")
    }
}

/// One pane at a time: the others' numbers and names stand on the border.
fn tabs(model: &Model, theme: &Theme, pen: &mut Pen<'_>, here: Pane) {
    let names: usize = Pane::ALL.iter().map(|p| p.list().title().len() + 4).sum();
    let long = names + 4 <= pen.left();
    for pane in Pane::ALL {
        let name = pane.list().title();
        if pane == here {
            let extra = model.situation.as_ref().map(|s| subtitle(model, s, pane));
            let extra = match pane {
                Pane::Checklist => extra.filter(|_| !long),
                Pane::Calendar => model
                    .calendar
                    .suppose
                    .as_ref()
                    .map(|_| " WHAT-IF".to_owned()),
                _ => None,
            };
            let filter = filter_words(model, pane.list());
            let text = format!(
                " {} {name}{}{filter} ",
                pane.number(),
                extra.unwrap_or_default()
            );
            pen.put(&text, theme.title_focused);
        } else if long {
            pen.put(&format!(" {} {name} ", pane.number()), theme.title);
        } else {
            pen.put(&format!(" {} ", pane.number()), theme.title);
        }
    }
}

fn subtitle(model: &Model, s: &Situation, pane: Pane) -> String {
    match pane {
        Pane::Calendar => {
            let state = &s.calendar.state.word;
            let state = match &s.calendar.next {
                Some((at, _)) => format!("  {state} until {}", super::at(s, *at)),
                None => format!("  {state}"),
            };
            let what_if = model.calendar.suppose.as_ref().map_or("", |_| "  WHAT-IF");
            format!("{state}{what_if}")
        }
        Pane::Checklist => {
            let c = &s.checklist;
            let steps = if rows::visible_plan(s).is_some() {
                "Rollback, "
            } else {
                ""
            };
            format!("  {steps}{}/{}", c.done, c.items.len())
        }
        Pane::Metrics => metrics::subtitle(model, s),
        Pane::Oncall => s
            .oncall
            .freshness
            .filter(|f| !f.usable())
            .map_or(String::new(), |f| format!("  {}", f.word())),
        Pane::Journal => format!("  {}", s.head.0),
        Pane::Deploys => {
            let unplanned = listed::unplanned_of(model);
            let line = s.line.as_ref().map(|_| "LINE STOPPED".to_owned());
            let count = (unplanned > 0).then(|| format!("{unplanned} unplanned"));
            let said: Vec<String> = line.into_iter().chain(count).collect();
            if said.is_empty() {
                String::new()
            } else {
                format!("  {}", said.join(", "))
            }
        }
    }
}

/// Paints a list's rows from its offset on; gives how many are hidden below.
pub fn list(
    model: &Model,
    s: &Situation,
    theme: &Theme,
    buf: &mut Buffer,
    list: ListId,
    area: Area,
) -> usize {
    let rows = Listed::of(model, list);
    if rows.is_empty() {
        empty(model, s, theme, buf, list, area);
        return 0;
    }
    let state = model.lists.get(&list).cloned().unwrap_or_default();
    let focused = model.focused_list() == Some(list);
    let shape = row::Shape::of(s, &rows, area);
    for (i, n) in (state.offset..rows.len()).zip(0..area.h) {
        let Some(r) = rows.row(i) else {
            break;
        };
        let pen = Pen::new(buf, theme, area, n);
        let loud = shape.loudest == Some(i);
        row::row(model, s, theme, pen, &r.item, (&shape, loud));
        let selected = r.id.as_ref().zip(state.selected.as_deref());
        let selected = selected.is_some_and(|(id, name)| id.is(name));
        if selected && focused {
            Pen::over(buf, area, n, theme.selected);
        }
    }
    rows.len()
        .saturating_sub(state.offset + usize::from(area.h))
}

/// An empty list says what would fill it, and how.
fn empty(model: &Model, s: &Situation, theme: &Theme, buf: &mut Buffer, list: ListId, area: Area) {
    let text = if model.filter(list).is_empty() {
        sentence(model, s, list)
    } else {
        format!(
            "nothing matches \"{}\"; esc clears the filter",
            model.filter(list)
        )
    };
    let lines = wrap(&text, usize::from(area.w));
    for (line, n) in lines.iter().zip(0..area.h) {
        Pen::new(buf, theme, area, n).put(line, theme.dim);
    }
}

fn sentence(model: &Model, s: &Situation, list: ListId) -> String {
    let key = |id: &str| model.keymap.label(id);
    let config = &model.options.config;
    match list {
        ListId::Calendar => {
            let last = s.calendar.last_shipped.as_deref().unwrap_or("nothing yet");
            format!("no window is configured: add [[window]] to {config}. Shipped last: {last}")
        }
        ListId::Deploys if s.feeds.is_empty() => {
            format!(
                "no connection: add [connection.NAME] to {config}; `cockpit connector list` shows which there are"
            )
        }
        ListId::Deploys => "no connection reports a deployment of these services".into(),
        ListId::Checklist if s.current.is_none() => {
            let next = s.calendar.next.as_ref();
            let next = next.map_or(String::new(), |(at, to)| {
                format!(
                    " Next: {} at {}.",
                    to,
                    words::moment(*at, s.now.world, s.timezone)
                )
            });
            let last = s.calendar.last_shipped.as_deref();
            let last = last.map_or(String::new(), |l| format!(" Shipped last: {l}."));
            format!(
                "no release is planned: {} plans one.{next}{last}",
                key("plan")
            )
        }
        ListId::Checklist => format!("no checklist: add [[checklist]] to {config}"),
        ListId::Metrics => format!("no metric is configured: add [metric.NAME] to {config}"),
        ListId::Oncall => s.oncall.empty.clone().unwrap_or_else(|| {
            format!("nobody is on call: add [oncall] to {config} or a connection that reads it")
        }),
        ListId::Journal => {
            "the journal is empty: what you do and what happens is written here".into()
        }
        ListId::Debts => "nothing is owed".into(),
        ListId::Feeds => format!("nothing is read: add [connection.NAME] to {config}"),
        ListId::Passport => "no release is planned that could be rolled back".into(),
        ListId::Plan => format!("no rollback ran; {} starts one", key("rollback")),
        ListId::Handoff => format!("no handoff is open; {} gives one", key("handoff")),
        ListId::Releases => format!("no release is planned; {} plans one", key("plan")),
        ListId::Messages => "nothing was said".into(),
        ListId::Band => String::new(),
    }
}
