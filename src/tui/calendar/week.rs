//! Monday to Sunday: a day a band of rows, its hours from left to right, its releases below.

use chrono::NaiveDate;
use ratatui::buffer::Buffer;

use super::super::pen::Pen;
use super::super::theme::Theme;
use super::axis::Axis;
use super::cursor_at;
use crate::app::Model;
use crate::app::calendar::{self, bars_on, strip_on};
use crate::app::layout::Area;
use crate::app::words;
use crate::domain::calendar::{CalendarSpan, Lane};
use crate::domain::situation::StripSegment;

/// Columns of the day's name.
const NAME: u16 = 8;

/// Paints the week.
pub fn week(model: &Model, span: &CalendarSpan, theme: &Theme, buf: &mut Buffer, area: Area) {
    let days = calendar::days(model);
    let count = u16::try_from(days.len().max(1)).unwrap_or(7);
    let hours = Area::new(area.x + NAME, area.y, area.w.saturating_sub(NAME), area.h);
    let zone = calendar::zone(model);
    if let Some(first) = days.first() {
        let whole = calendar::span_of(zone, *first, 1);
        Axis::new(whole, hours).hours(theme, buf, 0, zone, area);
    }
    let each = (area.h.saturating_sub(1) / count).max(1);
    for (n, day) in (0u16..).zip(days) {
        let top = 1 + n * each;
        if top < area.h {
            let h = each.min(area.h - top);
            let place = Area::new(area.x, area.y + top, area.w, h);
            one(model, span, theme, buf, place, day);
        }
    }
}

fn one(
    model: &Model,
    span: &CalendarSpan,
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    day: NaiveDate,
) {
    let zone = calendar::zone(model);
    let chosen = calendar::cursor(model) == day;
    let today = calendar::today(model) == day;
    let mark = if chosen { theme.glyph("▸", ">") } else { " " };
    let look = if today { theme.bright } else { theme.text };
    let mut pen = Pen::new(buf, theme, area, 0);
    pen.put(mark, theme.bright);
    pen.put(&day.format("%a %-d").to_string(), look);
    if chosen {
        let name = Area::new(area.x, area.y, NAME - 1, 1);
        Pen::over(buf, name, 0, theme.selected);
    }
    let hours = Area::new(area.x + NAME, area.y, area.w.saturating_sub(NAME), area.h);
    let axis = Axis::new(calendar::span_of(zone, day, 1), hours);
    let strip = strip_on(model, span, day);
    let mute = axis.strip(theme, buf, area, 0, &strip);
    axis.now(theme, buf, area, 0, cursor_at(model));
    let mut lines = words_of(model, span, day);
    let quiet = mute_words(&mute, zone, day);
    if !quiet.is_empty() {
        lines.push((quiet, theme.dim));
    }
    let room = hours.h.saturating_sub(1);
    if room == 0 {
        return;
    }
    // Where there is room, also what only lasts through the day.
    let spare = usize::from(room).saturating_sub(lines.len());
    lines.extend(
        lasting(model, span, day)
            .into_iter()
            .take(spare)
            .map(|text| (text, theme.dim)),
    );
    if lines.len() > usize::from(room) {
        // One line for all of them: what comes first in the day is read first.
        let all: Vec<String> = lines.iter().map(|(text, _)| text.clone()).collect();
        Pen::new(buf, theme, hours, 1).put(&all.join("; "), theme.text);
        return;
    }
    for ((text, look), row) in lines.iter().zip(1..=room) {
        Pen::new(buf, theme, hours, row).put(text, *look);
    }
}

/// Releases that start on the day, then freezes, holidays and deadlines of it, each with its word.
fn words_of(
    model: &Model,
    span: &CalendarSpan,
    day: NaiveDate,
) -> Vec<(String, ratatui::style::Style)> {
    let zone = calendar::zone(model);
    let text = ratatui::style::Style::new();
    let mut out = Vec::new();
    for bar in bars_on(model, span, day) {
        let starts = bar.span.start.with_timezone(&zone);
        let here = starts.date_naive() == day;
        let clock = starts.format("%H:%M");
        match bar.lane {
            Lane::Release if here => {
                let what_if = if bar.supposed { "WHAT-IF " } else { "" };
                out.push((
                    format!("{what_if}{clock} {} {}", bar.name, bar.mark.word),
                    text,
                ));
            }
            Lane::Holiday => out.push((format!("holiday {}", bar.name), text)),
            Lane::Deadline if here => out.push((format!("{clock} deadline {}", bar.name), text)),
            Lane::Watch => {
                let end = bar.span.end.map(|e| e.with_timezone(&zone));
                if let Some(end) = end.filter(|e| e.date_naive() == day) {
                    let words = format!("{} watch of {} ends", end.format("%H:%M"), bar.name);
                    out.push((words, text));
                }
            }
            _ => {}
        }
    }
    out
}

/// Who is on call on the day, and which watches run through it.
fn lasting(model: &Model, span: &CalendarSpan, day: NaiveDate) -> Vec<String> {
    let zone = calendar::zone(model);
    let bars = bars_on(model, span, day);
    let mut people: Vec<&str> = bars
        .iter()
        .filter(|b| b.lane == Lane::Cover)
        .map(|b| b.name.as_str())
        .collect();
    people.dedup();
    let ends = |b: &crate::domain::calendar::Bar| b.span.end.map(|e| e.with_timezone(&zone));
    let watched: Vec<String> = bars
        .iter()
        .filter(|b| b.lane == Lane::Watch && ends(b).is_some_and(|e| e.date_naive() > day))
        .map(|b| b.name.clone())
        .collect();
    let mut out = Vec::new();
    if !watched.is_empty() {
        out.push(format!("watch of {} runs", watched.join(", ")));
    }
    if !people.is_empty() {
        out.push(format!("on call {}", people.join(", ")));
    }
    out
}

fn mute_words(mute: &[&StripSegment], zone: chrono_tz::Tz, day: NaiveDate) -> String {
    let one = |s: &&StripSegment| {
        let name = s.rules.first().filter(|_| s.mark.word != "closed");
        let name = name.map_or(String::new(), |n| format!(" {n}"));
        format!(
            "{} {}{name}",
            words::from_to(s.span, day, zone),
            s.mark.word
        )
    };
    mute.iter().map(one).collect::<Vec<_>>().join(", ")
}
