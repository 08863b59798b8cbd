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

/// The metric that is drawn.
fn shown<'a>(model: &Model, s: &'a Situation) -> Option<&'a MetricView> {
    let id = shown_metric(model)?;
    s.metrics.iter().find(|m| m.id == id)
}

/// `: checkout, since deploy 16:24`.
#[must_use]
pub fn subtitle(model: &Model, s: &Situation) -> String {
    let Some(m) = shown(model, s) else {
        return String::new();
    };
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
        && let Some(m) = shown(model, s)
    {
        headline(s, m, theme, buf, top);
        let area = Area::new(top.x, top.y + 1, top.w, top.h - 1);
        let look = Look {
            unit: m.unit,
            zone: s.timezone,
            label: threshold_label(s, m),
            old: !m.freshness.usable(),
        };
        Plot::new(&m.chart, &look, theme).draw(buf, area);
    }
    pane::list(model, s, theme, buf, ListId::Metrics, below)
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
