//! Where things stand for a window of so many cells. What has no place here is not drawn and gets no keys.

use super::list::ListId;

/// The six panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    /// 1.
    Calendar,
    /// 2.
    Deploys,
    /// 3.
    Checklist,
    /// 4.
    Metrics,
    /// 5.
    Oncall,
    /// 6.
    Journal,
}

impl Pane {
    /// In the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Calendar,
        Self::Deploys,
        Self::Checklist,
        Self::Metrics,
        Self::Oncall,
        Self::Journal,
    ];

    /// Its number.
    #[must_use]
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|p| *p == self).unwrap_or(0) + 1
    }

    /// Its list.
    #[must_use]
    pub fn list(self) -> ListId {
        match self {
            Self::Calendar => ListId::Calendar,
            Self::Deploys => ListId::Deploys,
            Self::Checklist => ListId::Checklist,
            Self::Metrics => ListId::Metrics,
            Self::Oncall => ListId::Oncall,
            Self::Journal => ListId::Journal,
        }
    }
}

/// A rectangle of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Left.
    pub x: u16,
    /// Top.
    pub y: u16,
    /// Width.
    pub w: u16,
    /// Height.
    pub h: u16,
}

impl Area {
    /// A rectangle.
    #[must_use]
    pub fn new(x: u16, y: u16, w: u16, h: u16) -> Self {
        Self { x, y, w, h }
    }

    /// Without its border.
    #[must_use]
    pub fn inner(self) -> Self {
        Self {
            x: self.x.saturating_add(1),
            y: self.y.saturating_add(1),
            w: self.w.saturating_sub(2),
            h: self.h.saturating_sub(2),
        }
    }

    /// Does the cell lie inside?
    #[must_use]
    pub fn holds(self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x < self.x + self.w && y < self.y + self.h
    }
}

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A sentence.
    Tiny,
    /// One pane.
    Compact,
    /// Six panes.
    Wide,
}

impl Shape {
    /// From 120×36 wide, from 40×10 compact.
    #[must_use]
    pub fn of(size: (u16, u16)) -> Self {
        match size {
            (w, h) if w >= 120 && h >= 36 => Self::Wide,
            (w, h) if w >= 40 && h >= 10 => Self::Compact,
            _ => Self::Tiny,
        }
    }
}

/// Where everything stands.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How much fits.
    pub shape: Shape,
    /// The band: one line, two when compact.
    pub band: Area,
    /// The NEXT line.
    pub next: Area,
    /// Lines for what is wrong or under way, one each.
    pub alarms: Area,
    /// The drawn panes, borders included; neighbours share edges.
    pub panes: Vec<(Pane, Area)>,
    /// The footer.
    pub footer: Area,
    /// Room for what opens over the panes.
    pub over: Area,
}

/// The layout for `size`; `alarms` lines stand between NEXT and the panes.
#[must_use]
pub fn layout(size: (u16, u16), focus: Pane, zoom: bool, alarms: u16) -> Layout {
    let (w, h) = size;
    let shape = Shape::of(size);
    let band_h = if shape == Shape::Compact { 2 } else { 1 };
    let alarms = alarms.min(if h < 14 { 1 } else { 3 });
    let top = band_h + 1 + alarms;
    let body = Area::new(0, top.min(h), w, h.saturating_sub(top + 1));
    let panes = match shape {
        Shape::Tiny => Vec::new(),
        Shape::Compact => vec![(focus, body)],
        Shape::Wide if zoom => vec![(focus, body)],
        Shape::Wide => six(body),
    };
    Layout {
        shape,
        band: Area::new(0, 0, w, band_h),
        next: Area::new(0, band_h, w, 1),
        alarms: Area::new(0, band_h + 1, w, alarms),
        panes,
        footer: Area::new(0, h.saturating_sub(1), w, 1),
        over: over(body, shape),
    }
}

fn over(body: Area, shape: Shape) -> Area {
    if shape != Shape::Wide {
        return body;
    }
    let w = body.w.saturating_sub(16).min(112);
    let h = body.h.saturating_sub(4);
    Area::new(body.x + (body.w - w) / 2, body.y + (body.h - h) / 2, w, h)
}

/// Six panes over `body`, edges shared: calendar, deploys and metrics, on-call left of the checklist; the journal below.
fn six(body: Area) -> Vec<(Pane, Area)> {
    let right = (body.w / 4).clamp(36, 52);
    let left = body.w - right + 1;
    let calendar = (left / 3).clamp(32, 44);
    let oncall = (left / 3).clamp(30, 44);
    let journal = (body.h / 5).clamp(5, 11);
    let upper = body.h - journal + 1;
    let top = (upper * 2 / 5).clamp(8, 16);
    let middle = upper - top + 1;
    let (x, y) = (body.x, body.y);
    let low = y + top - 1;
    vec![
        (Pane::Calendar, Area::new(x, y, calendar, top)),
        (
            Pane::Deploys,
            Area::new(x + calendar - 1, y, left - calendar + 1, top),
        ),
        (Pane::Checklist, Area::new(x + left - 1, y, right, upper)),
        (Pane::Metrics, Area::new(x, low, left - oncall + 1, middle)),
        (
            Pane::Oncall,
            Area::new(x + left - oncall, low, oncall, middle),
        ),
        (Pane::Journal, Area::new(x, y + upper - 1, body.w, journal)),
    ]
}

/// The metrics pane inside its border: headline and chart above, the list below. The chart is left out where it would be too low
/// to read.
#[must_use]
pub fn metrics_split(inner: Area, rows: usize) -> (Area, Area) {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).max(1);
    let list = rows.min((inner.h / 3).max(3)).min(inner.h);
    let chart = inner.h - list;
    if chart < 6 {
        return (Area::new(inner.x, inner.y, inner.w, 0), inner);
    }
    (
        Area::new(inner.x, inner.y, inner.w, chart),
        Area::new(inner.x, inner.y + chart, inner.w, list),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_begin_where_they_are_promised() {
        assert_eq!(Shape::of((120, 36)), Shape::Wide);
        assert_eq!(Shape::of((119, 36)), Shape::Compact);
        assert_eq!(Shape::of((120, 35)), Shape::Compact);
        assert_eq!(Shape::of((40, 10)), Shape::Compact);
        assert_eq!(Shape::of((39, 10)), Shape::Tiny);
        assert_eq!(Shape::of((40, 9)), Shape::Tiny);
    }

    #[test]
    fn six_panes_cover_the_body_and_share_edges() {
        for (w, h) in [(120, 36), (200, 50), (300, 90), (121, 200), (500, 36)] {
            let l = layout((w, h), Pane::Deploys, false, 2);
            assert_eq!(l.panes.len(), 6);
            for y in l.panes[0].1.y..l.footer.y {
                for x in 0..w {
                    assert!(
                        l.panes.iter().any(|(_, a)| a.holds(x, y)),
                        "{w}x{h}: {x},{y}"
                    );
                }
            }
            for (p, a) in &l.panes {
                assert!(a.x + a.w <= w && a.y + a.h <= l.footer.y, "{w}x{h} {p:?}");
                assert!(a.inner().h >= 3 && a.inner().w >= 26, "{w}x{h} {p:?} {a:?}");
            }
        }
    }

    #[test]
    fn compact_draws_the_focused_pane_alone() {
        let l = layout((80, 24), Pane::Metrics, false, 0);
        assert_eq!(l.panes.len(), 1);
        assert_eq!(l.panes[0].0, Pane::Metrics);
        assert!(layout((30, 9), Pane::Metrics, false, 0).panes.is_empty());
    }
}
