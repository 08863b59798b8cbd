//! Time from left to right: where an instant stands, and stretches with their words.

use chrono::Timelike;
use chrono_tz::Tz;
use ratatui::buffer::Buffer;
use ratatui::style::{Modifier, Style};

use super::super::pen::Pen;
use super::super::text::width;
use super::super::theme::Theme;
use super::style;
use crate::app::layout::Area;
use crate::domain::situation::{StripSegment, Tone};
use crate::domain::time::{Instant, Span};

/// A span of time over columns.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    from: i64,
    to: i64,
    x: u16,
    w: u16,
}

impl Axis {
    /// The span over the columns of `area`.
    #[must_use]
    pub fn new(span: Span, area: Area) -> Self {
        let from = span.start.timestamp();
        let to = span.end.map_or(from + 1, |t| t.timestamp()).max(from + 1);
        Self {
            from,
            to,
            x: area.x,
            w: area.w,
        }
    }

    /// Column of an instant from the axis' left, kept on it; its width for the end.
    #[must_use]
    pub fn column(&self, at: Instant) -> u16 {
        let seconds = (at.timestamp() - self.from).clamp(0, self.to - self.from);
        let column = seconds.saturating_mul(i64::from(self.w)) / (self.to - self.from);
        u16::try_from(column).unwrap_or(self.w).min(self.w)
    }

    /// First and last-but-one column of a span; at least one column where it touches the axis.
    #[must_use]
    pub fn columns(&self, span: Span) -> Option<(u16, u16)> {
        let start = span.start.timestamp();
        let end = span.end.map_or(i64::MAX, |t| t.timestamp());
        if start >= self.to || end < self.from || self.w == 0 {
            return None;
        }
        let a = self.column(span.start).min(self.w - 1);
        let b = span.end.map_or(self.w, |t| self.column(t)).max(a + 1);
        Some((a, b))
    }

    /// Hours along the axis, as many as there is room for; midnights with their day where the axis holds several.
    pub fn hours(&self, theme: &Theme, buf: &mut Buffer, row: u16, zone: Tz, area: Area) {
        let days = (self.to - self.from + 43_200) / 86_400;
        let every = [1, 2, 3, 6, 12, 24]
            .into_iter()
            .find(|h| i64::from(self.w) * 3600 * h / (self.to - self.from) >= 7)
            .unwrap_or(24);
        let mut at = self.from;
        let mut free = 0;
        while at < self.to {
            let Some(here) = chrono::DateTime::from_timestamp(at, 0) else {
                return;
            };
            let local = here.with_timezone(&zone);
            let midnight = local.hour() == 0;
            if midnight || i64::from(local.hour()) % every == 0 {
                let text = if midnight && days > 1 {
                    local.format("%a %-d").to_string()
                } else {
                    local.format("%H").to_string()
                };
                let x = self.column(here);
                if x >= free {
                    let place = Area::new(self.x + x, area.y, self.w.saturating_sub(x), area.h);
                    let look = if midnight && days > 1 {
                        theme.text
                    } else {
                        theme.dim
                    };
                    Pen::new(buf, theme, place, row).put(&text, look);
                    free = x + u16::try_from(width(&text)).unwrap_or(0) + 1;
                }
            }
            at += 3600;
        }
    }

    /// What holds when, in one line: filled by kind, each stretch with its word where it fits. Gives the stretches without one.
    pub fn strip<'a>(
        &self,
        theme: &Theme,
        buf: &mut Buffer,
        area: Area,
        row: u16,
        strip: &[&'a StripSegment],
    ) -> Vec<&'a StripSegment> {
        let mut mute = Vec::new();
        for seg in strip {
            let Some((a, b)) = self.columns(seg.span) else {
                continue;
            };
            let word = &seg.mark.word;
            let rule = seg.rules.first().map_or("", String::as_str);
            let named = if seg.mark.tone == Tone::Fail && !rule.is_empty() {
                format!("{word} {rule}")
            } else {
                word.clone()
            };
            let look = style(theme, seg.mark.tone);
            self.fill(
                theme,
                buf,
                (area, row),
                (a, b),
                fill(theme, seg.mark.tone),
                look,
            );
            let room = usize::from(b - a);
            let text = [named.as_str(), word.as_str()]
                .into_iter()
                .find(|t| width(t) + 2 <= room);
            match text {
                Some(text) => self.put(theme, buf, (area, row), a + 1, text, look),
                None => mute.push(*seg),
            }
        }
        mute
    }

    /// Fills columns with a glyph.
    pub fn fill(
        &self,
        theme: &Theme,
        buf: &mut Buffer,
        (area, row): (Area, u16),
        (a, b): (u16, u16),
        glyph: &str,
        look: Style,
    ) {
        let w = b.saturating_sub(a);
        let place = Area::new(self.x + a, area.y, w, area.h);
        Pen::new(buf, theme, place, row).put(&glyph.repeat(usize::from(w)), look);
    }

    /// Writes from a column on.
    pub fn put(
        &self,
        theme: &Theme,
        buf: &mut Buffer,
        (area, row): (Area, u16),
        x: u16,
        text: &str,
        look: Style,
    ) {
        let place = Area::new(self.x + x, area.y, self.w.saturating_sub(x), area.h);
        Pen::new(buf, theme, place, row).put(text, look);
    }

    /// The now-cursor in a row; nothing where now lies elsewhere.
    pub fn now(&self, theme: &Theme, buf: &mut Buffer, area: Area, row: u16, now: Instant) {
        let at = now.timestamp();
        if at < self.from || at >= self.to {
            return;
        }
        let look = theme.bright.add_modifier(Modifier::REVERSED);
        let x = self.column(now).min(self.w.saturating_sub(1));
        self.put(theme, buf, (area, row), x, "|", look);
    }
}

/// What fills a stretch of that meaning.
#[must_use]
pub fn fill(theme: &Theme, tone: Tone) -> &'static str {
    match tone {
        Tone::Pass => theme.glyph("─", "-"),
        Tone::Fail => "#",
        Tone::Unknown => "?",
        Tone::Hold => "!",
        Tone::Plain => theme.glyph("·", "."),
    }
}
