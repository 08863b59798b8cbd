//! The metrics pane: headline, chart, and one line for each metric, gate and trigger.

use ratatui::buffer::Buffer;

use super::chart::{Look, Plot};
use super::pane;
use super::pen::Pen;
use super::theme::Theme;
use crate::app::Model;
use crate::app::layout::{Area, metrics_split};
use crate::app::list::ListId;
use crate::app::update::shown_metric;
use crate::domain::policy::Then;
use crate::domain::situation::{MetricView, Situation};

/// `: checkout, since deploy 16:24`, or over the range that was chosen.
#[must_use]
pub fn subtitle(model: &Model, s: &Situation) -> String {
    let Some(m) = shown_metric(model) else {
        return String::new();
    };
    if let Some(range) = model.range {
        let span = crate::domain::words::seconds(u64::try_from(range).unwrap_or(0));
        return format!(": {}, {span}", m.service);
    }
    let deploy = m
        .chart
        .deploy_at
        .and_then(|t| chrono::DateTime::from_timestamp(t, 0));
    match deploy {
        Some(at) => format!(": {}, since deploy {}", m.service, super::at(s, at)),
        None => format!(": {}", m.service),
    }
}

/// Paints the pane; gives how many rows are hidden below.
pub fn pane(model: &Model, s: &Situation, theme: &Theme, buf: &mut Buffer, inner: Area) -> usize {
    let rows = s.metrics.len() + s.gates.len() + s.triggers.len();
    let (top, below) = metrics_split(inner, rows);
    if top.h > 0
        && let Some(m) = shown_metric(model)
    {
        if model.zoom {
            grid(model, s, m, theme, buf, top);
        } else {
            headline(s, m, theme, buf, top);
            let area = Area::new(top.x, top.y + 1, top.w, top.h - 1);
            plot(model, s, m, theme, buf, area);
        }
    }
    pane::list(model, s, theme, buf, ListId::Metrics, below)
}

fn plot(model: &Model, s: &Situation, m: &MetricView, theme: &Theme, buf: &mut Buffer, area: Area) {
    let look = Look {
        unit: m.unit,
        zone: s.timezone,
        label: threshold_label(s, m),
        old: !m.freshness.usable(),
        range: model.range,
    };
    Plot::new(&m.chart, &look, theme).draw(buf, area);
}

/// Lowest cell of the grid: two lines of words, four of chart.
const CELL: u16 = 6;
/// Narrowest cell of the grid.
const NARROW: u16 = 38;

/// Every metric of the service side by side, the shown one first: error rate, P95, P99, the business metric, alerts, each with
/// its distance. What has no room is in the list below.
fn grid(
    model: &Model,
    s: &Situation,
    shown: &MetricView,
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
) {
    let mut all: Vec<&MetricView> = s
        .metrics
        .iter()
        .filter(|m| m.service == shown.service)
        .collect();
    all.sort_by_key(|m| m.id != shown.id);
    let most = usize::from((area.w / NARROW).clamp(1, 3));
    let high = usize::from((area.h / CELL).max(1));
    // As few columns as give every metric a place, and no more than fit.
    let columns = (1..=most)
        .find(|c| all.len().div_ceil(*c) <= high)
        .unwrap_or(most);
    let lines = all.len().div_ceil(columns).clamp(1, high);
    let (w, h) = (
        area.w / u16::try_from(columns).unwrap_or(1),
        area.h / u16::try_from(lines).unwrap_or(1),
    );
    for (i, m) in all.into_iter().take(columns * lines).enumerate() {
        let at = |n: usize, size: u16| u16::try_from(n).unwrap_or(0) * size;
        let cell = Area::new(
            area.x + at(i % columns, w),
            area.y + at(i / columns, h),
            w.saturating_sub(u16::from(columns > 1)),
            h,
        );
        one(model, s, m, theme, buf, cell);
    }
}

/// A cell of the grid: value and verdict, distance and comparison, chart.
fn one(model: &Model, s: &Situation, m: &MetricView, theme: &Theme, buf: &mut Buffer, cell: Area) {
    let mut pen = Pen::new(buf, theme, cell, 0);
    if !m.freshness.usable() {
        let age = m.newest.map(|at| crate::app::words::age(at, s.now.world));
        let words = format!("{} {}", m.freshness.word(), age.unwrap_or_default());
        pen.right(words.trim_end(), theme.unknown);
    }
    pen.put(&m.title, theme.bright).gap(1);
    pen.put(&m.shown, theme.bright).gap(1);
    pen.put(&m.mark.word, theme.tone(m.mark.tone));
    if let Some(ratio) = m.ratio.filter(|r| r.is_finite()) {
        let times = theme.glyph("×", "x");
        pen.gap(1)
            .put(&format!("{ratio:.1}{times} baseline"), theme.text);
    }
    let mut pen = Pen::new(buf, theme, cell, 1);
    let bar = theme.glyph(" │ ", " | ");
    let distance = m.distance.as_deref().unwrap_or("no trigger looks at it");
    pen.put(distance, theme.text);
    // Canary beside stable, in numbers; the chart draws both lines.
    if let Some((_, old)) = m.chart.old.last().filter(|(_, v)| v.is_finite()) {
        pen.put(bar, theme.dim)
            .put(&format!("stable {}", m.unit.show(*old)), theme.old);
    }
    let area = Area::new(cell.x, cell.y + 2, cell.w, cell.h.saturating_sub(2));
    plot(model, s, m, theme, buf, area);
}

/// `error rate 0.42 % | 2.4× baseline | rollback at 2.0× for 5 m`.
fn headline(s: &Situation, m: &MetricView, theme: &Theme, buf: &mut Buffer, area: Area) {
    let bar = theme.glyph(" │ ", " | ");
    let mut pen = Pen::new(buf, theme, area, 0);
    if !m.freshness.usable() {
        let age = m.newest.map(|at| crate::app::words::age(at, s.now.world));
        let words = format!("{} {}", m.freshness.word(), age.unwrap_or_default());
        pen.right(words.trim_end(), theme.unknown);
    }
    pen.put(&m.title, theme.bright).gap(1);
    pen.put(&m.shown, theme.bright).gap(1);
    pen.put(&m.mark.word, theme.tone(m.mark.tone));
    if let Some(ratio) = m.ratio.filter(|r| r.is_finite()) {
        let times = theme.glyph("×", "x");
        pen.put(bar, theme.dim);
        pen.put(&format!("{ratio:.1}{times} baseline"), theme.text);
        if !m.baseline.is_empty() {
            pen.put(&format!(" ({})", m.baseline), theme.dim);
        }
    }
    for t in s
        .triggers
        .iter()
        .filter(|t| t.service == m.service && t.metric == m.metric)
    {
        let verb = match t.then {
            Then::Notify => "tells",
            Then::Hold => "holds",
            Then::Propose => "rollback proposed",
            Then::Automatic => "rollback automatic",
        };
        pen.put(bar, theme.dim);
        pen.put(&format!("{verb}: {}", t.distance), theme.text);
    }
    if let Some(counts) = &m.counts {
        pen.put(bar, theme.dim).put(counts, theme.dim);
    }
}

fn threshold_label(s: &Situation, m: &MetricView) -> String {
    let trigger = s
        .triggers
        .iter()
        .any(|t| t.service == m.service && t.metric == m.metric);
    if trigger { "trigger" } else { "limit" }.into()
}
