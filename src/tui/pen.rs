//! Writing into cells: one line at a time, from left to right, never past its end.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::text::{clean, cut, cut_middle, plain, width};
use super::theme::Theme;
use crate::app::layout::Area;

/// The area as ratatui has it, kept inside the buffer.
#[must_use]
pub fn rect(area: Area, buf: &Buffer) -> Rect {
    Rect::new(area.x, area.y, area.w, area.h).intersection(buf.area)
}

/// One line being written.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    theme: &'a Theme,
    x: u16,
    y: u16,
    end: u16,
}

impl<'a> Pen<'a> {
    /// A line of `area`, the `row`-th from its top. A row outside writes nothing.
    pub fn new(buf: &'a mut Buffer, theme: &'a Theme, area: Area, row: u16) -> Self {
        let line = Area::new(area.x, area.y.saturating_add(row), area.w, 1);
        let r = rect(line, buf);
        let inside = r.height == 1 && row < area.h;
        Self {
            buf,
            theme,
            x: r.x,
            y: r.y,
            end: if inside { r.right() } else { r.x },
        }
    }

    /// Columns left.
    #[must_use]
    pub fn left(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    /// Writes, cutting at the end.
    pub fn put(&mut self, text: &str, style: Style) -> &mut Self {
        if self.left() == 0 || text.is_empty() {
            return self;
        }
        let text = self.ready(text);
        let text = cut(&text, self.left(), self.theme.ascii);
        self.raw(&text, style)
    }

    /// Cleaned, and in ASCII where that is wanted.
    fn ready<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match clean(text) {
            cleaned if !self.theme.ascii => cleaned,
            Cow::Borrowed(text) => plain(text),
            Cow::Owned(text) => Cow::Owned(plain(&text).into_owned()),
        }
    }

    fn raw(&mut self, text: &str, style: Style) -> &mut Self {
        let (x, _) = self
            .buf
            .set_stringn(self.x, self.y, text, self.left(), style);
        self.x = x;
        self
    }

    /// Skips so many columns.
    pub fn gap(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.saturating_add(columns).min(self.end);
        self
    }

    /// Writes into a column of `w`, cut at the end, and goes behind it.
    pub fn column(&mut self, text: &str, w: usize, style: Style) -> &mut Self {
        let w = w.min(self.left());
        let text = self.ready(text);
        let text = cut(&text, w, self.theme.ascii);
        self.at_column(&text, w, style)
    }

    /// The same, cut in the middle: for versions.
    pub fn column_middle(&mut self, text: &str, w: usize, style: Style) -> &mut Self {
        let w = w.min(self.left());
        let text = self.ready(text);
        let text = cut_middle(&text, w, self.theme.ascii);
        self.at_column(&text, w, style)
    }

    fn at_column(&mut self, text: &str, w: usize, style: Style) -> &mut Self {
        let (start, end) = (self.x, self.end);
        if w > 0 {
            self.raw(text, style);
        }
        let w = u16::try_from(w).unwrap_or(u16::MAX);
        self.x = start.saturating_add(w).min(end);
        self
    }

    /// Writes at the right edge and ends the line before it; nothing where it does not fit.
    pub fn right(&mut self, text: &str, style: Style) -> &mut Self {
        let text = self.ready(text);
        let w = u16::try_from(width(&text)).unwrap_or(u16::MAX);
        if w > 0 && usize::from(w) <= self.left() {
            let x = self.end - w;
            self.buf
                .set_stringn(x, self.y, &text, usize::from(w), style);
            self.end = x.saturating_sub(1).max(self.x);
        }
        self
    }

    /// Lays a style over the whole line as it was at the beginning.
    pub fn over(buf: &mut Buffer, area: Area, row: u16, style: Style) {
        if row < area.h {
            let line = Area::new(area.x, area.y.saturating_add(row), area.w, 1);
            let r = rect(line, buf);
            buf.set_style(r, style);
        }
    }
}
