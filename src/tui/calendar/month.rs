//! A month in weeks from Monday on: each day its number, the word of its state, and what starts on it.

use chrono::{Datelike, NaiveDate};
use ratatui::buffer::Buffer;

use super::super::pen::Pen;
use super::super::text::width;
use super::super::theme::Theme;
use crate::app::Model;
use crate::app::calendar::{self, bars_on, day_mark, strip_on};
use crate::app::layout::Area;
use crate::domain::calendar::{Bar, CalendarSpan, Lane};
use crate::domain::situation::{StripSegment, Tone};

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Paints the month.
pub fn month(model: &Model, span: &CalendarSpan, theme: &Theme, buf: &mut Buffer, area: Area) {
    let days = calendar::days(model);
    let weeks = u16::try_from(days.len().div_ceil(7).max(1)).unwrap_or(6);
    let w = area.w / 7;
    let h = (area.h.saturating_sub(1) / weeks).max(1);
    if w < 4 {
        return;
    }
    for (name, n) in NAMES.iter().zip(0u16..) {
        let place = Area::new(area.x + n * w, area.y, w, 1);
        Pen::new(buf, theme, place, 0).gap(1).put(name, theme.dim);
    }
    for (n, day) in (0u16..).zip(days) {
        let top = 1 + (n / 7) * h;
        if top < area.h {
            let h = h.min(area.h - top);
            let place = Area::new(area.x + (n % 7) * w, area.y + top, w.saturating_sub(1), h);
            cell(model, span, theme, buf, place, day);
        }
    }
}

fn cell(
    model: &Model,
    span: &CalendarSpan,
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    day: NaiveDate,
) {
    let chosen = calendar::cursor(model) == day;
    let today = calendar::today(model) == day;
    let inside = calendar::cursor(model).month() == day.month();
    let strip = strip_on(model, span, day);
    let bars = bars_on(model, span, day);
    let mut pen = Pen::new(buf, theme, area, 0);
    pen.put(
        if chosen { theme.glyph("▸", ">") } else { " " },
        theme.bright,
    );
    let number = if day.day() == 1 && area.w > 12 {
        day.format("%-d %b").to_string()
    } else {
        day.day().to_string()
    };
    let look = match (today, inside) {
        (true, _) => theme.bright,
        (_, true) => theme.text,
        _ => theme.dim,
    };
    pen.put(&number, look).gap(1);
    if today {
        pen.put("now ", theme.bright);
    }
    if let Some(mark) = day_mark(&strip) {
        let tone = if inside { mark.tone } else { Tone::Plain };
        pen.put(&mark.word, super::style(theme, tone));
        if mark.tone == Tone::Pass {
            let hours = hours(model, &strip, day);
            if width(&hours) < pen.left() {
                pen.gap(1).put(&hours, theme.dim);
            }
        }
    }
    let lines = lines(model, &strip, &bars, day);
    let room = usize::from(area.h.saturating_sub(1));
    if room == 0 && !lines.is_empty() {
        pen.right(&format!("+{}", lines.len()), theme.text);
    }
    let shown = if lines.len() > room {
        room.saturating_sub(1)
    } else {
        room
    };
    for ((text, tone), row) in lines.iter().take(shown).zip(1u16..) {
        let mut pen = Pen::new(buf, theme, area, row);
        let look = if *tone == Tone::Plain {
            theme.text
        } else {
            theme.tone(*tone)
        };
        pen.gap(1).put(text, look);
    }
    if lines.len() > room && room > 0 {
        let row = area.h.saturating_sub(1);
        let first = lines.first().map_or("", |(t, _)| t.as_str());
        // With one line alone the first is named and the rest counted.
        let text = if shown == 0 {
            format!("{} {first}", lines.len())
        } else {
            format!("+{} more", lines.len() - shown)
        };
        Pen::new(buf, theme, area, row).gap(1).put(&text, theme.dim);
    }
    if chosen {
        Pen::over(buf, area, 0, theme.selected);
    }
}

/// `09:30–18:00`: when the day is open, if that is one stretch.
fn hours(model: &Model, strip: &[&StripSegment], day: NaiveDate) -> String {
    let mut open = strip.iter().filter(|s| s.mark.tone == Tone::Pass);
    match (open.next(), open.next()) {
        (Some(one), None) => crate::app::words::from_to(one.span, day, calendar::zone(model))
            .trim()
            .to_owned(),
        _ => String::new(),
    }
}

/// What a day's cell says below its first line.
fn lines(
    model: &Model,
    strip: &[&StripSegment],
    bars: &[&Bar],
    day: NaiveDate,
) -> Vec<(String, Tone)> {
    let zone = calendar::zone(model);
    let mut out: Vec<(String, Tone)> = Vec::new();
    let starts = |b: &Bar| b.span.start.with_timezone(&zone);
    for bar in bars.iter().filter(|b| b.lane == Lane::Release) {
        if starts(bar).date_naive() == day {
            let what_if = if bar.supposed { "WHAT-IF " } else { "" };
            let text = format!("{what_if}{} {}", starts(bar).format("%H:%M"), bar.name);
            out.push((
                text,
                if bar.supposed {
                    Tone::Hold
                } else {
                    Tone::Plain
                },
            ));
        }
    }
    for bar in bars.iter().filter(|b| b.lane == Lane::Deadline) {
        out.push((
            format!("{} {}", starts(bar).format("%H:%M"), bar.name),
            Tone::Plain,
        ));
    }
    let mut freezes: Vec<&str> = strip
        .iter()
        .filter(|s| s.mark.tone == Tone::Fail)
        .flat_map(|s| s.rules.iter().map(String::as_str))
        .collect();
    freezes.dedup();
    out.extend(freezes.into_iter().map(|f| (f.to_owned(), Tone::Fail)));
    for bar in bars.iter().filter(|b| b.lane == Lane::Holiday) {
        out.push((bar.name.clone(), Tone::Plain));
    }
    for bar in bars.iter().filter(|b| b.lane == Lane::Watch) {
        let end = bar.span.end.map(|e| e.with_timezone(&zone));
        if let Some(end) = end.filter(|e| e.date_naive() == day) {
            out.push((format!("watch to {}", end.format("%H:%M")), Tone::Plain));
        }
    }
    out
}
