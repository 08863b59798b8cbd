//! Views that are read: evidence and documents.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::super::pen::Pen;
use super::super::text::{clean, width, wrap};
use super::super::theme::Theme;
use super::{frame, middle};
use crate::app::Model;
use crate::app::layout::Area;
use crate::app::words;
use crate::domain::situation::{Evidence, Tone};

/// Paints evidence: label and value, query, source, age, link.
pub fn evidence(
    model: &Model,
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    e: &Evidence,
    scroll: usize,
) {
    let inner = frame(theme, buf, area, &e.title, "y copies · esc back");
    let mut rows: Vec<(String, String, Style)> = e
        .lines
        .iter()
        .map(|(l, v)| (l.clone(), v.clone(), theme.text))
        .collect();
    if let Some(query) = &e.query {
        rows.push(("query".into(), query.clone(), theme.bright));
    }
    if let Some(source) = &e.source {
        rows.push(("source".into(), source.clone(), theme.text));
    }
    if let (Some(at), Some(s)) = (e.read_at, &model.situation) {
        let age = words::age(at, model.world());
        let text = format!(
            "{} {}, {age}",
            words::clock_seconds(at, s.timezone),
            words::zone_word(at, s.timezone)
        );
        rows.push(("read at".into(), text, theme.text));
    }
    if let Some(f) = e.freshness {
        let tone = if f.usable() {
            Tone::Plain
        } else {
            Tone::Unknown
        };
        rows.push(("freshness".into(), f.word().into(), theme.tone(tone)));
    }
    if let Some(link) = &e.link {
        rows.push(("link".into(), link.clone(), theme.text));
    }
    let label = rows.iter().map(|r| width(&r.0)).max().unwrap_or(0);
    let label = label.min(usize::from(inner.w) / 3);
    let room = usize::from(inner.w).saturating_sub(label + 4);
    let mut lines = Vec::new();
    for (name, value, style) in &rows {
        for (i, part) in wrap(&clean(value), room).into_iter().enumerate() {
            let name = if i == 0 { name.as_str() } else { "" };
            lines.push((name, part, *style));
        }
    }
    let most = lines.len().saturating_sub(usize::from(inner.h));
    for ((name, value, style), row) in lines.iter().skip(scroll.min(most)).zip(0..inner.h) {
        let mut pen = Pen::new(buf, theme, inner, row);
        pen.gap(1).column(name, label, theme.dim).gap(2);
        pen.put(value, *style);
    }
    if lines.is_empty() {
        Pen::new(buf, theme, inner, 0)
            .gap(1)
            .put("nothing more is known", theme.dim);
    }
}

/// Paints a document: headings and tables as they stand, long lines wrapped.
pub fn document(
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    title: &str,
    markdown: &str,
    scroll: usize,
) {
    let room = usize::from(area.w.saturating_sub(4));
    let lines: Vec<(String, Style)> = markdown
        .lines()
        .flat_map(|line| {
            let style = if line.starts_with('#') {
                theme.bright
            } else {
                theme.text
            };
            let text = clean(line).into_owned();
            wrap(&text, room).into_iter().map(move |l| (l, style))
        })
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let area = middle(area, height.saturating_add(2));
    let inner = frame(theme, buf, area, title, "y copies · esc back");
    let most = lines.len().saturating_sub(usize::from(inner.h));
    for ((text, style), row) in lines.iter().skip(scroll.min(most)).zip(0..inner.h) {
        Pen::new(buf, theme, inner, row).gap(1).put(text, *style);
    }
}
