//! The calendar pane with room: a day, a week, a month, or lanes. Every stretch has its word; colour and fill only help.

mod axis;
mod lanes;
mod month;
mod week;

use ratatui::buffer::Buffer;

use super::pane;
use super::pen::Pen;
use super::text::wrap;
use super::theme::Theme;
use crate::app::Model;
use crate::app::calendar::{self, View};
use crate::app::layout::Area;
use crate::app::list::ListId;
use crate::app::words;
use crate::domain::calendar::{CalendarSpan, Line, WhatIf};
use crate::domain::situation::{Situation, Tone};
use crate::domain::time::Instant;

use axis::Axis;

/// Paints a detailed view inside the border; gives how many rows are hidden below.
pub fn pane(
    model: &Model,
    s: &Situation,
    theme: &Theme,
    buf: &mut Buffer,
    view: View,
    inner: Area,
) -> usize {
    let (head, body) = calendar::split(model, inner);
    header(model, theme, buf, head, view);
    let panel = calendar::panel(model, inner).min(head.h.saturating_sub(1));
    let place = Area::new(head.x, head.y + 1, head.w, panel);
    what_if(model, theme, buf, place);
    let Some(span) = calendar::span(model) else {
        Pen::new(buf, theme, body, 0).put("asking the calendar …", theme.dim);
        return 0;
    };
    let below = Area::new(
        head.x,
        head.y + 1 + panel,
        head.w,
        head.h.saturating_sub(1 + panel),
    );
    match view {
        View::Week => week::week(model, span, theme, buf, body),
        View::Month => month::month(model, span, theme, buf, body),
        View::Lanes => return lanes::lanes(model, span, theme, buf, below, body),
        View::Day | View::Agenda => return day(model, s, span, theme, buf, below, body),
    }
    0
}

/// What is shown, for whom, in which zone; what is to be known beside it at the right.
fn header(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area, view: View) {
    let day = calendar::cursor(model);
    let days = calendar::days(model);
    let range = match (days.first(), days.last()) {
        (Some(a), Some(b)) if a != b => {
            format!("{} – {}", a.format("%a %-d %b"), b.format("%a %-d %b %Y"))
        }
        _ => day.format("%a %-d %b %Y").to_string(),
    };
    let title = match view {
        View::Month => day.format("%B %Y").to_string(),
        View::Week => format!("week {}, {range}", day.format("%-V")),
        _ => range,
    };
    let zone = calendar::zone(model);
    let zone = if model.calendar.utc {
        "UTC".to_owned()
    } else {
        words::zone_word(model.world(), zone)
    };
    let mut pen = Pen::new(buf, theme, area, 0);
    let dot = theme.glyph(" · ", " . ");
    pen.put(&title, theme.bright);
    pen.put(&format!("{dot}{zone}"), theme.text);
    let Some(span) = calendar::span(model) else {
        return;
    };
    pen.put(&format!("{dot}{}", span.whom), theme.dim);
    let more: usize = span.more.iter().map(|(_, n)| n).sum();
    if more > 0 {
        pen.put(
            &format!("{dot}{more} more are not drawn: filter with /"),
            theme.hold,
        );
    }
    for note in &span.notes {
        pen.put(&format!("{dot}{note}"), theme.unknown);
    }
}

/// What would be: never mistaken for what is.
fn what_if(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area) {
    if area.h == 0 {
        return;
    }
    let found = model
        .calendar
        .span
        .as_ref()
        .and_then(|s| s.what_if.as_ref());
    let mut pen = Pen::new(buf, theme, area, 0);
    pen.put("WHAT-IF", theme.flag).gap(1);
    let Some(what) = found else {
        let supposed = model.calendar.suppose.as_ref();
        let text = match supposed {
            Some(s) => format!(
                "at {}: asking the calendar …",
                words::both_zones(s.at(), real_zone(model))
            ),
            None => String::new(),
        };
        pen.put(&text, theme.dim);
        return;
    };
    sentence(model, theme, &mut pen, what);
    let room = usize::from(area.w).saturating_sub(12);
    let mut row = 1;
    for line in &what.lines {
        let tone = theme.tone(line.tone);
        for (n, text) in wrap(&line.text, room).iter().enumerate() {
            let mut pen = Pen::new(buf, theme, area, row);
            let label = if n == 0 { line.label.as_str() } else { "" };
            pen.gap(2)
                .column(label, 9, theme.dim)
                .gap(1)
                .put(text, tone);
            row += 1;
        }
        if row + 1 >= area.h {
            break;
        }
    }
    let left = what.lines.len().saturating_sub(usize::from(row));
    let keys = keys(model);
    let last = Area::new(area.x, area.y + area.h.saturating_sub(1), area.w, 1);
    let mut pen = Pen::new(buf, theme, last, 0);
    if left > 0 {
        pen.right(&format!("{left} more: enter on the release "), theme.dim);
    }
    pen.gap(2).put(&keys, theme.dim);
}

fn real_zone(model: &Model) -> chrono_tz::Tz {
    model
        .situation
        .as_ref()
        .map_or(chrono_tz::UTC, |s| s.timezone)
}

/// `permitted · web 2026.47 at Tue 24 Nov 2026 10:15 CET (09:15 UTC), really Wed 10:00`: a narrow screen cuts what is known anyway.
pub fn sentence(model: &Model, theme: &Theme, pen: &mut Pen<'_>, what: &WhatIf) {
    let zone = real_zone(model);
    pen.put(&what.mark.word, theme.tone(what.mark.tone))
        .put(theme.glyph(" · ", " . "), theme.text)
        .put(&what.title, theme.bright);
    pen.put(
        &format!(" at {}", words::both_zones(what.at, zone)),
        theme.text,
    );
    if let Some(was) = what.was.filter(|was| *was != what.at) {
        let was = words::moment(was, model.world(), zone);
        pen.put(&format!(", really {was}"), theme.dim);
    }
}

fn keys(model: &Model) -> String {
    let key = |id: &str| model.keymap.label(id);
    format!(
        "arrows 15 m / 1 h, pages 1 day · {} release or now · {} writes it · esc leaves, nothing saved",
        key("what-if"),
        key("move")
    )
}

/// One day: its hours as a line, then everything in it.
fn day(
    model: &Model,
    s: &Situation,
    span: &CalendarSpan,
    theme: &Theme,
    buf: &mut Buffer,
    head: Area,
    body: Area,
) -> usize {
    let zone = calendar::zone(model);
    let whole = calendar::span_of(zone, calendar::cursor(model), 1);
    let room = Area::new(head.x, head.y, head.w, 1);
    let axis = Axis::new(whole, room);
    axis.hours(theme, buf, 0, zone, head);
    let strip: Vec<_> = span.strip.iter().collect();
    axis.strip(theme, buf, head, 1, &strip);
    axis.now(theme, buf, head, 1, cursor_at(model));
    pane::list(model, s, theme, buf, ListId::Calendar, body)
}

/// Where the now-cursor stands: at the time supposed, if it is one.
fn cursor_at(model: &Model) -> Instant {
    use crate::domain::calendar::Suppose;
    match &model.calendar.suppose {
        Some(Suppose::Now { at }) => *at,
        _ => model.world(),
    }
}

/// Lines of a plan or what-if, label and sentence.
pub fn judged(theme: &Theme, buf: &mut Buffer, area: Area, lines: &[Line]) {
    let room = usize::from(area.w).saturating_sub(12);
    let mut row = 0;
    for line in lines {
        for (n, text) in wrap(&line.text, room).iter().enumerate() {
            let mut pen = Pen::new(buf, theme, area, row);
            let label = if n == 0 { line.label.as_str() } else { "" };
            pen.gap(1).column(label, 9, theme.dim).gap(1);
            pen.put(text, theme.tone(line.tone));
            row = row.saturating_add(1);
        }
    }
}

/// The tone's style, dimmed where it says nothing.
fn style(theme: &Theme, tone: Tone) -> ratatui::style::Style {
    if tone == Tone::Plain {
        theme.dim
    } else {
        theme.tone(tone)
    }
}

#[cfg(test)]
mod tests;
