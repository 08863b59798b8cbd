//! Views in which one types to find: help, commands, a date.

use ratatui::buffer::Buffer;

use super::super::pen::Pen;
use super::super::theme::Theme;
use super::{frame, middle};
use crate::app::Model;
use crate::app::action::{Action, Scope};
use crate::app::edit::Edit;
use crate::app::layout::Area;
use crate::app::palette::{self, HelpLine};

fn prompt(theme: &Theme, buf: &mut Buffer, inner: Area, sign: &str, query: &Edit, hint: &str) {
    let mut pen = Pen::new(buf, theme, inner, 0);
    pen.gap(1).put(sign, theme.key).gap(1);
    pen.put(query.text(), theme.bright).put(" ", theme.cursor);
    if query.text().is_empty() {
        pen.gap(1).put(hint, theme.dim);
    }
}

fn below(inner: Area) -> Area {
    Area::new(
        inner.x,
        inner.y + 1.min(inner.h),
        inner.w,
        inner.h.saturating_sub(1),
    )
}

/// Paints the help.
pub fn help(
    model: &Model,
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    query: &Edit,
    scroll: usize,
) {
    let inner = frame(theme, buf, area, "Help", "arrows scroll · esc back");
    prompt(theme, buf, inner, "?", query, "type to search");
    let list = below(inner);
    let lines = palette::help(model.options.read_only, query.text());
    if lines.is_empty() {
        Pen::new(buf, theme, list, 0)
            .gap(1)
            .put("nothing is called that", theme.dim);
    }
    let most = lines.len().saturating_sub(usize::from(list.h));
    for (line, row) in lines.iter().skip(scroll.min(most)).zip(0..list.h) {
        let mut pen = Pen::new(buf, theme, list, row);
        match line {
            HelpLine::Heading(group) => {
                pen.gap(1).put(group.word(), theme.bright);
            }
            HelpLine::Action(a) => {
                let keys: Vec<String> = model
                    .keymap
                    .keys(a.id)
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                pen.gap(2).column(&keys.join(" "), 12, theme.key).gap(1);
                pen.column(a.verb, 20, theme.text).gap(1);
                pen.put(a.help, theme.dim);
                if a.scope != Scope::Global {
                    pen.put(&format!(" In: {}.", a.scope.word()), theme.dim);
                }
            }
        }
    }
}

/// Paints the commands.
pub fn palette(
    model: &Model,
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    query: &Edit,
    selected: Option<&str>,
) {
    let inner = frame(theme, buf, area, "Commands", "enter does it · esc back");
    prompt(theme, buf, inner, ":", query, "type a few letters");
    let list = below(inner);
    let found = palette::palette(model.options.read_only, query.text());
    if found.is_empty() {
        Pen::new(buf, theme, list, 0)
            .gap(1)
            .put("nothing is called that", theme.dim);
    }
    let at = selected
        .and_then(|id| found.iter().position(|a| a.id == id))
        .unwrap_or(0);
    let first = (at + 1).saturating_sub(usize::from(list.h));
    for ((i, a), row) in found.iter().enumerate().skip(first).zip(0..list.h) {
        command(model, theme, buf, list, row, a);
        if i == at {
            Pen::over(buf, list, row, theme.selected);
        }
    }
}

fn command(model: &Model, theme: &Theme, buf: &mut Buffer, list: Area, row: u16, a: &Action) {
    let mut pen = Pen::new(buf, theme, list, row);
    pen.gap(1).column(&model.keymap.label(a.id), 10, theme.key);
    let blocked = model.refusals(a).and_then(<[_]>::first);
    let style = if blocked.is_some() {
        theme.dim
    } else {
        theme.text
    };
    pen.column(a.verb, 22, style).gap(1);
    match blocked {
        Some(r) => pen.put(&format!("blocked: {}", r.why), theme.dim),
        None => pen.put(a.help, theme.dim),
    };
}

/// Paints the question for a date.
pub fn go_to(
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    query: &Edit,
    found: Option<&str>,
    complaint: Option<&str>,
) {
    let area = middle(area, 5);
    let inner = frame(theme, buf, area, "Go to a date", "enter goes · esc back");
    prompt(
        theme,
        buf,
        inner,
        "@",
        query,
        "2026-11-24, 24, +3d, mon, tomorrow",
    );
    if let Some(found) = found.filter(|_| !query.text().trim().is_empty()) {
        let text = format!("{} {found}", theme.glyph("→", "->"));
        Pen::new(buf, theme, inner, 1).gap(1).put(&text, theme.text);
    }
    if let Some(why) = complaint {
        Pen::new(buf, theme, inner, 1).gap(1).put(why, theme.fail);
    }
}
