//! The band, the NEXT line and the alarms: on screen at all times.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::pen::Pen;
use super::text::width;
use super::theme::Theme;
use crate::app::Model;
use crate::app::layout::{Area, Shape};
use crate::app::list::ListId;
use crate::app::words;
use crate::domain::situation::{Band, Situation, Tone};
use crate::domain::time::duration_words;

/// Paints the band into its one line, or two when compact.
pub fn band(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area) {
    let Some(s) = &model.situation else {
        return loading(model, theme, buf, area);
    };
    if model.shape() == Shape::Wide {
        wide(model, s, theme, buf, area);
    } else {
        compact(model, s, theme, buf, area);
    }
}

/// Before anything was read: what is known without reading.
fn loading(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area) {
    let mut pen = Pen::new(buf, theme, area, 0);
    pen.put("cockpit", theme.bright);
    for flag in &model.options.flags {
        pen.gap(1).put(flag, theme.flag);
    }
    if model.options.read_only && !model.options.flags.iter().any(|f| f == "READ-ONLY") {
        pen.gap(1).put("READ-ONLY", theme.flag);
    }
    bar(&mut pen, theme);
    match model.fatal {
        Some(_) => pen.put("STOPPED", theme.fail),
        None => pen.put(&format!("reading {} …", model.options.config), theme.text),
    };
}

fn bar(pen: &mut Pen<'_>, theme: &Theme) {
    pen.put(theme.glyph(" │ ", " | "), theme.dim);
}

fn head(model: &Model, s: &Situation, theme: &Theme, pen: &mut Pen<'_>) {
    let b = &s.band;
    let style = if b.protected {
        theme.protected
    } else {
        theme.environment
    };
    pen.put(&format!(" {} ", b.environment.to_uppercase()), style);
    for flag in &b.flags {
        pen.gap(1).put(flag, theme.flag);
    }
    if model.options.read_only && !b.flags.iter().any(|f| f == "READ-ONLY") {
        pen.gap(1).put("READ-ONLY", theme.flag);
    }
    if model.calendar.suppose.is_some() {
        pen.gap(1).put("WHAT-IF", theme.flag);
    }
}

fn advice_style(b: &Band, theme: &Theme) -> Style {
    theme
        .tone(b.advice.tone())
        .add_modifier(ratatui::style::Modifier::BOLD)
}

fn wide(model: &Model, s: &Situation, theme: &Theme, buf: &mut Buffer, area: Area) {
    let b = &s.band;
    let mut pen = Pen::new(buf, theme, area, 0);
    let bar = theme.glyph("│ ", "| ");
    pen.right(&format!("{bar}{} ", clock(model, s)), theme.text);
    if !b.armed.is_empty() {
        pen.right(&format!("{bar}{}", b.armed), theme.text);
    }
    head(model, s, theme, &mut pen);
    // The first reason must be readable: where the line is short, the driver goes, then the phase.
    let release = b.release.as_deref().map_or(0, |r| width(r) + 3);
    let reason = b.reasons.first().map_or(0, |r| width(&r.text));
    let need = release + 3 + width(b.advice.word()) + 2 + reason + 1;
    let mut spare = pen.left().saturating_sub(need);
    let phase = b.phase.map(|p| format!(", {}", p.word()));
    let phase = phase.filter(|p| b.release.is_some() && width(p) <= spare);
    spare -= phase.as_deref().map_or(0, width);
    let driver = b.driver.as_ref().map(|d| format!("{bar}driver {d}"));
    if let Some(driver) = driver.filter(|d| width(d) < spare) {
        pen.right(&driver, theme.text);
    }
    if let Some(release) = &b.release {
        self::bar(&mut pen, theme);
        pen.put(release, theme.bright);
        pen.put(phase.as_deref().unwrap_or(""), theme.dim);
    }
    self::bar(&mut pen, theme);
    pen.put(b.advice.word(), advice_style(b, theme));
    pen.put("  ", theme.text);
    reasons(model, b, theme, &mut pen);
}

/// The reasons, the selected one shown so. When they do not all fit, the selected one comes first.
fn reasons(model: &Model, b: &Band, theme: &Theme, pen: &mut Pen<'_>) {
    let selected = model.selected(ListId::Band);
    let chosen = b.reasons.iter().position(|r| {
        selected.is_some() && selected.as_deref() == Some(r.evidence.as_deref().unwrap_or(&r.text))
    });
    let total: usize = b.reasons.iter().map(|r| width(&r.text) + 3).sum();
    let first = if model.on_band && total > pen.left() {
        chosen.unwrap_or(0)
    } else {
        0
    };
    for (i, r) in b.reasons.iter().enumerate().skip(first) {
        if i > first {
            pen.put(theme.glyph(" · ", " . "), theme.dim);
        }
        let style = if model.on_band && chosen == Some(i) {
            theme.selected
        } else {
            theme.text
        };
        let more = b.reasons.len() - i - 1;
        let next = b.reasons.get(i + 1).map_or(0, |r| width(&r.text) + 3);
        let note = format!("+{more} more");
        let room = pen.left().saturating_sub(width(&r.text));
        if more > 0 && next > room {
            pen.put(&r.text, style);
            if room > width(&note) {
                pen.gap(1).put(&note, theme.dim);
            }
            return;
        }
        pen.put(&r.text, style);
    }
}

fn compact(model: &Model, s: &Situation, theme: &Theme, buf: &mut Buffer, area: Area) {
    let b = &s.band;
    let mut pen = Pen::new(buf, theme, area, 0);
    head(model, s, theme, &mut pen);
    pen.gap(1).put(b.advice.word(), advice_style(b, theme));
    pen.right(&format!("{} ", clock(model, s)), theme.text);
    if let Some(release) = b.release.as_ref().filter(|r| width(r) + 3 <= pen.left()) {
        bar(&mut pen, theme);
        pen.put(release, theme.bright);
    }
    let mut pen = Pen::new(buf, theme, area, 1);
    let driver = b.driver.as_ref().map(|d| format!("driver {d}"));
    let armed = super::text::cut_middle(&b.armed, 20, theme.ascii).into_owned();
    pen.right(&armed, theme.text);
    if let Some(driver) = driver.filter(|d| width(d) + 40 <= pen.left()) {
        pen.right(&format!("{driver} {}", theme.glyph("│", "|")), theme.text);
    }
    pen.gap(1);
    reasons(model, b, theme, &mut pen);
}

fn clock(model: &Model, s: &Situation) -> String {
    let now = model.world();
    let zone = words::zone_word(now, s.timezone);
    format!("{} {zone}", words::clock(now, s.timezone))
}

/// Paints the NEXT line: a countdown in sight, else key, verb, why, expected time; debts at its right.
pub fn next(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area) {
    let Some(s) = &model.situation else {
        let mut pen = Pen::new(buf, theme, area, 0);
        pen.put(" NEXT  ", theme.dim);
        let key = model.keymap.label("quit");
        if model.fatal.is_some() {
            pen.put(&key, theme.key).gap(2).put(
                "leave, mend what is named below, and start again",
                theme.bright,
            );
        } else {
            pen.put("wait for the first judgement; ", theme.text);
            pen.put(&key, theme.key).put(" leaves", theme.text);
        }
        return;
    };
    let mut pen = Pen::new(buf, theme, area, 0);
    debts(model, s, theme, &mut pen);
    if let Some(c) = &s.band.countdown {
        let left = duration_words(c.ends_real - model.now.real);
        let style = theme.tone(Tone::Fail);
        pen.put(&format!(" IN {left}  {}", c.what), style);
        let key = model.keymap.label("cancel_countdown");
        if !key.is_empty() {
            pen.gap(2).put(&key, theme.key).put(" cancels", theme.text);
        }
        return;
    }
    pen.put(" NEXT  ", theme.dim);
    let key = model.keymap.label(action_of(&s.next.action));
    if !key.is_empty() {
        pen.put(&key, theme.key).gap(2);
    }
    pen.put(&s.next.verb, theme.bright);
    if !s.next.why.is_empty() {
        pen.put(": ", theme.text).put(&s.next.why, theme.text);
    }
    if let Some(seconds) = s.next.expected {
        let words = words::seconds(seconds);
        pen.put(
            &format!("{}est. {words}", theme.glyph(" · ", " . ")),
            theme.dim,
        );
    }
}

/// `tick/tests` is the action `tick`.
fn action_of(action: &str) -> &str {
    action.split('/').next().unwrap_or(action)
}

fn debts(model: &Model, s: &Situation, theme: &Theme, pen: &mut Pen<'_>) {
    let Some(first) = s.debts.first() else {
        return;
    };
    let overdue = s.debts.iter().any(|d| d.overdue);
    let style = theme.tone(if overdue { Tone::Fail } else { Tone::Hold });
    let word = if overdue { "overdue, " } else { "" };
    let due = super::at(s, first.debt.due);
    let n = s.debts.len();
    let long = format!(
        "debts {n}: {} ({}, {word}due {due}) ",
        first.debt.what, first.debt.owner
    );
    let room = pen.left() * 2 / 5;
    if width(&long) <= room {
        pen.right(&long, style);
    } else {
        let key = model.keymap.label("debts");
        pen.right(&format!("debts {n} ({key}) "), style);
    }
}

/// Paints what is wrong with the program itself and the rollback under way.
pub fn alarms(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area) {
    let lines = crate::app::alarms::alarms(model);
    for ((tone, text), row) in lines.iter().zip(0..area.h) {
        let mut pen = Pen::new(buf, theme, area, row);
        pen.gap(1).put(text, theme.tone(*tone));
    }
}
