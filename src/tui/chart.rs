//! A line in braille: value and old version, baseline as a band, threshold as a line with its value, the deployment as a mark, axes
//! with units. Points are folded into columns here, lowest and highest of each kept, so that no peak is lost.

use chrono_tz::Tz;
use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::pen::{Pen, rect};
use super::text::width;
use super::theme::Theme;
use crate::app::layout::Area;
use crate::app::words;
use crate::domain::policy::Unit;
use crate::domain::situation::Chart;

/// How a chart is written.
#[derive(Clone, Debug)]
pub struct Look {
    /// How values are written.
    pub unit: Unit,
    /// Zone of the time axis.
    pub zone: Tz,
    /// What the threshold is called.
    pub label: String,
    /// The newest points are old: nothing stands out.
    pub old: bool,
    /// Seconds drawn, up to the newest point; `None`: from where the chart itself begins.
    pub range: Option<i64>,
}

/// A chart to be drawn.
pub struct Plot<'a> {
    chart: &'a Chart,
    look: &'a Look,
    theme: &'a Theme,
    new: Vec<(i64, f64)>,
    old: Vec<(i64, f64)>,
    window: Option<(i64, i64)>,
}

/// The points in the window; where the minutes do not reach back so far, the ten-minute points before them.
fn within(near: &[(i64, f64)], far: &[(i64, f64)], window: (i64, i64)) -> Vec<(i64, f64)> {
    let first = near.first().map_or(i64::MAX, |(t, _)| *t);
    let far = far.iter().filter(|(t, _)| *t < first);
    far.chain(near)
        .filter(|(t, _)| *t >= window.0 && *t <= window.1)
        .copied()
        .collect()
}

/// The ranges that are drawn.
#[derive(Clone, Copy, Debug)]
struct Scale {
    x: (i64, i64),
    y: (f64, f64),
}

/// Lowest and highest value of each column of dots; `None`: no data there.
type Columns = Vec<Option<(f64, f64)>>;

impl<'a> Plot<'a> {
    /// A chart with its look.
    #[must_use]
    pub fn new(chart: &'a Chart, look: &'a Look, theme: &'a Theme) -> Self {
        let newest = chart.new.iter().chain(&chart.old).map(|(t, _)| *t).max();
        let window = newest.and_then(|newest| match (look.range, chart.from) {
            (Some(range), _) => Some((newest.saturating_sub(range), newest)),
            (None, Some(from)) => Some((from, newest)),
            (None, None) => None,
        });
        let all = (i64::MIN, i64::MAX);
        let far = match look.range {
            Some(_) => chart.far.as_slice(),
            None => &[],
        };
        Self {
            chart,
            look,
            theme,
            new: within(&chart.new, far, window.unwrap_or(all)),
            old: within(&chart.old, &[], window.unwrap_or(all)),
            window: window.filter(|_| look.range.is_some()),
        }
    }

    /// Draws into `area`; where there is nothing to draw, it says why.
    pub fn draw(&self, buf: &mut Buffer, area: Area) {
        let area_in = rect(area, buf);
        if area_in.is_empty() {
            return;
        }
        let Some(scale) = self.scale() else {
            let why = self
                .chart
                .empty
                .as_deref()
                .unwrap_or("no data in this window");
            Pen::new(buf, self.theme, area, area.h / 2).put(why, self.theme.dim);
            return;
        };
        let low = self.look.unit.show(scale.y.0);
        let high = self.look.unit.show(scale.y.1);
        let labels = width(&low)
            .max(width(&high))
            .max(6)
            .min(usize::from(area.w) / 3);
        let labels = u16::try_from(labels).unwrap_or(0);
        let axis = u16::from(area.h > 2);
        let plot = Area::new(
            area.x + labels + 1,
            area.y,
            area.w.saturating_sub(labels + 1),
            area.h - axis,
        );
        if plot.w < 2 || plot.h < 1 {
            return;
        }
        self.band(buf, plot, scale);
        self.marks(buf, plot, scale);
        self.threshold(buf, plot, scale);
        self.line(buf, plot, scale, &self.old, self.theme.old, "o");
        let value = if self.look.old {
            self.theme.old
        } else {
            self.theme.value
        };
        self.line(buf, plot, scale, &self.new, value, "*");
        self.limit(buf, plot, scale);
        self.values(buf, area, plot, scale, (&low, &high), labels);
        if axis > 0 {
            self.times(buf, area, plot, scale);
        }
    }

    /// What is drawn: all points with a value, band and threshold included. Flat lines get room around them.
    fn scale(&self) -> Option<Scale> {
        let points = || self.new.iter().chain(&self.old);
        let mut x: Option<(i64, i64)> = None;
        let mut y: Option<(f64, f64)> = None;
        for (t, v) in points().filter(|(_, v)| v.is_finite()) {
            x = Some(x.map_or((*t, *t), |(a, b)| (a.min(*t), b.max(*t))));
            y = Some(y.map_or((*v, *v), |(a, b)| (a.min(*v), b.max(*v))));
        }
        let (mut x, (mut low, mut high)) = (x?, y?);
        let band = self
            .chart
            .band
            .map_or([None, None], |(a, b)| [Some(a), Some(b)]);
        let more = band.into_iter().chain([self.chart.threshold]);
        for v in more.flatten().filter(|v| v.is_finite()) {
            low = low.min(v);
            high = high.max(v);
        }
        if low > 0.0 && low < high * 0.5 {
            low = 0.0;
        }
        let span = high - low;
        let room = if span > 0.0 && span.is_finite() {
            span * 0.05
        } else {
            (high.abs() * 0.1).max(f64::MIN_POSITIVE)
        };
        let bottom = if low == 0.0 { 0.0 } else { low - room };
        if let Some(window) = self.window {
            x = window;
        }
        if x.0 == x.1 {
            x = (x.0 - 30, x.1 + 30);
        }
        Some(Scale {
            x,
            y: (bottom, high + room),
        })
    }

    fn threshold(&self, buf: &mut Buffer, plot: Area, scale: Scale) {
        let Some(value) = self.chart.threshold.filter(|v| v.is_finite()) else {
            return;
        };
        let row = scale.row(value, plot.h);
        let dash = self.theme.glyph("╌", "-");
        let dashes = dash.repeat(usize::from(plot.w));
        Pen::new(buf, self.theme, plot, row).put(&dashes, self.theme.threshold);
    }

    /// The threshold's value, over whatever was drawn there: at the start of its line, where the newest points are not.
    fn limit(&self, buf: &mut Buffer, plot: Area, scale: Scale) {
        if let Some(value) = self.chart.threshold.filter(|v| v.is_finite()) {
            let label = format!("{} {} ", self.look.label, self.look.unit.show(value));
            let row = scale.row(value, plot.h);
            Pen::new(buf, self.theme, plot, row).put(&label, self.theme.threshold);
        }
    }

    fn band(&self, buf: &mut Buffer, plot: Area, scale: Scale) {
        let Some((low, high)) = self
            .chart
            .band
            .filter(|(a, b)| a.is_finite() && b.is_finite())
        else {
            return;
        };
        let (top, bottom) = (scale.row(high, plot.h), scale.row(low, plot.h));
        let fill = self.theme.glyph("░", ".").repeat(usize::from(plot.w));
        for row in top..=bottom {
            Pen::new(buf, self.theme, plot, row).put(&fill, self.theme.baseline);
        }
    }

    /// A line through the whole plot where the deployment began, a short one at the foot where a step took effect and from
    /// where on the numbers are the new version's own.
    fn marks(&self, buf: &mut Buffer, plot: Area, scale: Scale) {
        let foot = plot.h - (plot.h / 3).max(1);
        for (at, _) in &self.chart.steps {
            self.upright(buf, plot, scale, *at, foot, self.theme.glyph("╎", ":"));
        }
        if let Some(at) = self.chart.clean_at {
            self.upright(buf, plot, scale, at, foot, self.theme.glyph("╿", "!"));
        }
        if let Some(at) = self.chart.deploy_at {
            self.upright(buf, plot, scale, at, 0, self.theme.glyph("┊", "|"));
        }
    }

    fn upright(
        &self,
        buf: &mut Buffer,
        plot: Area,
        scale: Scale,
        at: i64,
        from: u16,
        glyph: &'static str,
    ) {
        let Some(x) = self.column_of(at, plot, scale) else {
            return;
        };
        let column = Area::new(plot.x + x, plot.y, 1, plot.h);
        for row in from..plot.h {
            Pen::new(buf, self.theme, column, row).put(glyph, self.theme.deploy);
        }
    }

    fn column_of(&self, at: i64, plot: Area, scale: Scale) -> Option<u16> {
        let inside = at >= scale.x.0 && at <= scale.x.1;
        inside.then(|| {
            let dot = scale.column(at, usize::from(plot.w));
            u16::try_from(dot).unwrap_or(0)
        })
    }

    /// Labels of the marks under the plot: the deployment, from where on it is clean, the steps.
    fn labels(&self, clock: &dyn Fn(i64) -> String) -> Vec<(i64, String)> {
        let mut out = Vec::new();
        if let Some(at) = self.chart.deploy_at {
            let text = format!("{}deploy {}", self.theme.glyph("▴", "^"), clock(at));
            out.push((at, text));
        }
        if let Some(at) = self.chart.clean_at {
            out.push((at, format!("{}clean", self.theme.glyph("▵", "^"))));
        }
        for (at, name) in &self.chart.steps {
            let name = crate::domain::text::clean(name, 12);
            out.push((*at, format!("{}{name}", self.theme.glyph("▵", "^"))));
        }
        out
    }

    /// Folds points into `n` columns, lowest and highest of each.
    fn fold(points: &[(i64, f64)], scale: Scale, n: usize) -> Columns {
        let mut out: Columns = vec![None; n];
        for (t, v) in points.iter().filter(|(_, v)| v.is_finite()) {
            if let Some(slot) = out.get_mut(scale.column(*t, n)) {
                *slot = Some(slot.map_or((*v, *v), |(a, b)| (a.min(*v), b.max(*v))));
            }
        }
        out
    }

    fn line(
        &self,
        buf: &mut Buffer,
        plot: Area,
        scale: Scale,
        points: &[(i64, f64)],
        style: Style,
        plain: &'static str,
    ) {
        if points.is_empty() {
            return;
        }
        if self.theme.ascii {
            return self.plain_line(buf, plot, scale, points, style, plain);
        }
        let (w, h) = (usize::from(plot.w) * 2, usize::from(plot.h) * 4);
        let columns = Self::fold(points, scale, w);
        let reach = reach(&columns);
        let mut dots = vec![0u8; usize::from(plot.w) * usize::from(plot.h)];
        let mut before: Option<(usize, usize, usize)> = None;
        for (x, column) in columns.iter().enumerate() {
            let Some((low, high)) = column else {
                continue;
            };
            let (top, bottom) = (scale.dot(*high, h), scale.dot(*low, h));
            if let Some((x0, top0, bottom0)) = before.filter(|(x0, ..)| x - x0 <= reach) {
                join(
                    &mut dots,
                    usize::from(plot.w),
                    (x0, (top0 + bottom0) / 2),
                    (x, (top + bottom) / 2),
                );
            }
            for y in top..=bottom {
                set(&mut dots, usize::from(plot.w), x, y);
            }
            before = Some((x, top, bottom));
        }
        for (i, bits) in dots.iter().enumerate().filter(|(_, b)| **b != 0) {
            let (x, y) = (i % usize::from(plot.w), i / usize::from(plot.w));
            let at = (
                plot.x + u16::try_from(x).unwrap_or(0),
                plot.y + u16::try_from(y).unwrap_or(0),
            );
            if let (Some(cell), Some(c)) =
                (buf.cell_mut(at), char::from_u32(0x2800 + u32::from(*bits)))
            {
                cell.reset();
                cell.set_char(c).set_style(style);
            }
        }
    }

    fn plain_line(
        &self,
        buf: &mut Buffer,
        plot: Area,
        scale: Scale,
        points: &[(i64, f64)],
        style: Style,
        glyph: &'static str,
    ) {
        let columns = Self::fold(points, scale, usize::from(plot.w));
        for (column, x) in columns.iter().zip(0u16..) {
            let Some((low, high)) = column else {
                continue;
            };
            for row in scale.row(*high, plot.h)..=scale.row(*low, plot.h) {
                let at = (plot.x + x, plot.y + row);
                if let Some(cell) = buf.cell_mut(at) {
                    cell.reset();
                    cell.set_symbol(glyph).set_style(style);
                }
            }
        }
    }

    fn values(
        &self,
        buf: &mut Buffer,
        area: Area,
        plot: Area,
        scale: Scale,
        ends: (&str, &str),
        labels: u16,
    ) {
        let side = Area::new(area.x, area.y, labels, plot.h);
        let mut write = |row: u16, text: &str| {
            Pen::new(buf, self.theme, side, row).right(text, self.theme.dim);
        };
        write(0, ends.1);
        if plot.h > 1 {
            write(plot.h - 1, ends.0);
        }
        if plot.h > 4 {
            let middle = self.look.unit.show((scale.y.0 + scale.y.1) / 2.0);
            write(plot.h / 2, &middle);
        }
    }

    fn times(&self, buf: &mut Buffer, area: Area, plot: Area, scale: Scale) {
        let row = plot.h;
        let line = Area::new(plot.x, area.y, plot.w, area.h);
        let days = scale.x.1.saturating_sub(scale.x.0) > 20 * 3600;
        let clock = |t: i64| {
            chrono::DateTime::from_timestamp(t, 0)
                .map(|at| match days {
                    // Over more than a day a clock alone says nothing.
                    true => at
                        .with_timezone(&self.look.zone)
                        .format("%a %H:%M")
                        .to_string(),
                    false => words::clock(at, self.look.zone),
                })
                .unwrap_or_default()
        };
        let mut pen = Pen::new(buf, self.theme, line, row);
        pen.right(&clock(scale.x.1), self.theme.dim);
        let start = clock(scale.x.0);
        pen.put(&start, self.theme.dim);
        let used = u16::try_from(width(&start)).unwrap_or(0) + 1;
        // What comes first in importance gets its place; what would stand in another's is left out.
        let end = u16::try_from(width(&clock(scale.x.1))).unwrap_or(0) + 1;
        let mut taken: Vec<(u16, u16)> = vec![(0, used), (plot.w.saturating_sub(end), plot.w)];
        for (at, text) in self.labels(&clock) {
            let Some(x) = self.column_of(at, plot, scale) else {
                continue;
            };
            let end = x + u16::try_from(width(&text)).unwrap_or(0);
            if taken.iter().any(|(a, b)| x < *b && *a < end + 1) || end > plot.w {
                continue;
            }
            taken.push((x, end + 1));
            Pen::new(buf, self.theme, line, row)
                .gap(x)
                .put(&text, self.theme.text);
        }
    }
}

/// Columns without data that a line still crosses: a little more than the usual distance between points.
fn reach(columns: &Columns) -> usize {
    let filled = columns.iter().filter(|c| c.is_some()).count();
    (columns.len() / filled.max(1)).saturating_mul(2).max(2)
}

fn set(dots: &mut [u8], w: usize, x: usize, y: usize) {
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let bit = BITS.get(x % 2).and_then(|c| c.get(y % 4));
    if let (Some(cell), Some(bit)) = (dots.get_mut(y / 4 * w + x / 2), bit) {
        *cell |= bit;
    }
}

/// A line of dots between two, both included.
fn join(dots: &mut [u8], w: usize, from: (usize, usize), to: (usize, usize)) {
    let span = to.0 - from.0;
    let mut before = from.1;
    for step in 1..=span {
        let down = to.1 >= from.1;
        let rise = to.1.abs_diff(from.1) * step / span.max(1);
        let y = if down { from.1 + rise } else { from.1 - rise };
        for y in before.min(y)..=before.max(y) {
            set(dots, w, from.0 + step, y);
        }
        before = y;
    }
}

impl Scale {
    fn column(self, t: i64, n: usize) -> usize {
        let (from, to) = self.x;
        let span = i128::from(to) - i128::from(from);
        let at = i128::from(t.clamp(from, to)) - i128::from(from);
        let last = i128::try_from(n.saturating_sub(1)).unwrap_or(0);
        usize::try_from(at * last / span.max(1)).unwrap_or(0)
    }

    /// 0 at the top, `h − 1` at the bottom.
    fn dot(self, v: f64, h: usize) -> usize {
        let (low, high) = self.y;
        // Halved before the difference: the largest numbers must not overflow.
        let share = (v / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        let share = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.5
        };
        let last = h.saturating_sub(1);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let y = ((1.0 - share) * last as f64).round() as usize;
        y.min(last)
    }

    fn row(self, v: f64, h: u16) -> u16 {
        u16::try_from(self.dot(v, usize::from(h) * 4) / 4).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    fn draw(chart: &Chart, size: (u16, u16), ascii: bool) -> String {
        let theme = Theme {
            ascii,
            ..Theme::default()
        };
        let look = Look {
            unit: Unit::Number,
            zone: chrono_tz::UTC,
            label: "limit".into(),
            old: false,
            range: None,
        };
        let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        Plot::new(chart, &look, &theme).draw(&mut buf, Area::new(0, 0, size.0, size.1));
        let line = |y| {
            (0..size.0)
                .map(|x| buf[(x, y)].symbol())
                .collect::<String>()
        };
        (0..size.1).map(line).collect::<Vec<_>>().join("\n")
    }

    fn points(values: &[f64]) -> Vec<(i64, f64)> {
        values
            .iter()
            .enumerate()
            .map(|(i, v)| (i as i64 * 60, *v))
            .collect()
    }

    #[test]
    fn a_single_peak_among_a_thousand_points_is_seen() {
        let mut values = vec![1.0; 1000];
        values[617] = 9.0;
        let chart = Chart {
            new: points(&values),
            ..Chart::default()
        };
        let text = draw(&chart, (60, 8), true);
        let top = text.lines().next().unwrap();
        assert!(top.contains('*'), "{text}");
    }

    #[test]
    fn nothing_to_draw_says_why() {
        let chart = Chart {
            empty: Some("prometheus has no series".into()),
            new: points(&[f64::NAN, f64::INFINITY]),
            ..Chart::default()
        };
        assert!(draw(&chart, (40, 5), false).contains("prometheus has no series"));
    }

    #[test]
    fn strange_numbers_and_sizes_draw_without_panic() {
        let wild = [
            f64::MAX,
            f64::MIN,
            0.0,
            f64::NAN,
            1e-300,
            -0.0,
            f64::INFINITY,
        ];
        for n in 0..wild.len() {
            let chart = Chart {
                new: points(&wild[..n]),
                old: vec![(i64::MAX, 1.0), (i64::MIN, 2.0)],
                band: Some((f64::MIN, f64::MAX)),
                threshold: Some(f64::MAX),
                deploy_at: Some(0),
                ..Chart::default()
            };
            for w in 0..30 {
                for h in 0..12 {
                    draw(&chart, (w, h), w % 2 == 0);
                }
            }
        }
    }

    #[test]
    fn threshold_band_and_deploy_are_drawn_with_their_words() {
        let chart = Chart {
            new: points(&[1.0, 2.0, 3.0, 2.0, 1.0, 1.0, 2.0, 3.0]),
            band: Some((1.0, 1.5)),
            threshold: Some(2.5),
            deploy_at: Some(120),
            ..Chart::default()
        };
        let text = draw(&chart, (60, 9), false);
        for word in ["limit 2.50", "░", "┊", "deploy 00:02", "00:07"] {
            assert!(text.contains(word), "{word} missing:\n{text}");
        }
    }
}
