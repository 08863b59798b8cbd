//! Thin borders whose neighbours share edges: where lines meet, the glyph that joins them.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use crate::app::layout::Area;

const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

const FINE: [&str; 16] = [
    " ", "│", "│", "│", "─", "┘", "┐", "┤", "─", "└", "┌", "├", "─", "┴", "┬", "┼",
];
const PLAIN: [&str; 16] = [
    " ", "|", "|", "|", "-", "+", "+", "+", "-", "+", "+", "+", "-", "+", "+", "+",
];

/// Draws the borders of all areas in one go.
pub fn edges(buf: &mut Buffer, areas: &[Area], style: Style, ascii: bool) {
    let (w, h) = (usize::from(buf.area.width), usize::from(buf.area.height));
    let mut mask = vec![0u8; w * h];
    let mut add = |x: u16, y: u16, bits: u8| {
        let (x, y) = (usize::from(x), usize::from(y));
        if x < w
            && y < h
            && let Some(cell) = mask.get_mut(y * w + x)
        {
            *cell |= bits;
        }
    };
    for a in areas.iter().filter(|a| a.w > 1 && a.h > 1) {
        let (right, low) = (a.x + a.w - 1, a.y + a.h - 1);
        for x in a.x..=right {
            let bits = (if x > a.x { LEFT } else { 0 }) | (if x < right { RIGHT } else { 0 });
            add(x, a.y, bits);
            add(x, low, bits);
        }
        for y in a.y..=low {
            let bits = (if y > a.y { UP } else { 0 }) | (if y < low { DOWN } else { 0 });
            add(a.x, y, bits);
            add(right, y, bits);
        }
    }
    let glyphs = if ascii { PLAIN } else { FINE };
    for (i, bits) in mask.iter().enumerate().filter(|(_, bits)| **bits != 0) {
        let (x, y) = (i % w, i / w);
        let at = (u16::try_from(x).unwrap_or(0), u16::try_from(y).unwrap_or(0));
        if let (Some(cell), Some(glyph)) = (buf.cell_mut(at), glyphs.get(usize::from(*bits))) {
            cell.set_symbol(glyph).set_style(style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn neighbours_share_edges() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 5, 3));
        let two = [Area::new(0, 0, 3, 3), Area::new(2, 0, 3, 3)];
        edges(&mut buf, &two, Style::new(), false);
        let line = |y| (0..5).map(|x| buf[(x, y)].symbol()).collect::<String>();
        assert_eq!([line(0), line(1), line(2)], ["┌─┬─┐", "│ │ │", "└─┴─┘"]);
        edges(&mut buf, &[Area::new(4, 2, 9, 9)], Style::new(), true);
    }
}
