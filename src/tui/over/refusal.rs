//! Why an act is refused: rule, reason, owner, end in local time and UTC, way out.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::super::pen::Pen;
use super::super::text::{clean, wrap};
use super::super::theme::Theme;
use super::{frame, middle};
use crate::app::Model;
use crate::app::layout::Area;
use crate::app::words;
use crate::domain::situation::{Refusal, Tone};
use crate::domain::time::duration_words;

/// Paints the refusals.
pub fn refusal(
    model: &Model,
    theme: &Theme,
    buf: &mut Buffer,
    area: Area,
    label: &str,
    refusals: &[Refusal],
    selected: usize,
) {
    let w = usize::from(area.w.saturating_sub(4));
    let mut lines: Vec<(String, Style)> = Vec::new();
    let mut starts = Vec::new();
    for (i, r) in refusals.iter().enumerate() {
        starts.push(lines.len());
        one(
            model,
            theme,
            r,
            (i == selected, refusals.len() > 1),
            w,
            &mut lines,
        );
        lines.push((String::new(), theme.text));
    }
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let area = middle(area, height);
    let hint = refusals.get(selected).map(|r| ways(model, r));
    let hint = format!("{}y copies · esc back", hint.unwrap_or_default());
    let inner = frame(theme, buf, area, &format!("Refused: {label}"), &hint);
    let start = starts.get(selected).copied().unwrap_or(0);
    let most = lines.len().saturating_sub(usize::from(inner.h));
    for ((text, style), row) in lines.iter().skip(start.min(most)).zip(0..inner.h) {
        Pen::new(buf, theme, inner, row).gap(1).put(text, *style);
    }
}

/// What may be done about the rule: `o override`; once asked, `o confirm · n decline`; `O break the glass`.
fn ways(model: &Model, refusal: &Refusal) -> String {
    let offered = |prefix: &str| {
        let key = format!("{prefix}/{}", refusal.rule);
        let permits = model.situation.as_ref().map(|s| &s.permits);
        permits.is_some_and(|p| p.contains_key(&key))
    };
    let asked = offered("decline_override");
    let confirm = if asked { "confirm" } else { "override" };
    [
        ("override", confirm, refusal.overridable),
        ("decline_override", "decline", asked),
        ("break_glass", "break the glass", offered("break_glass")),
    ]
    .into_iter()
    .filter(|(_, _, shown)| *shown)
    .map(|(id, words, _)| (model.keymap.label(id), words))
    .filter(|(key, _)| !key.is_empty())
    .map(|(key, words)| format!("{key} {words} · "))
    .collect()
}

fn one(
    model: &Model,
    theme: &Theme,
    r: &Refusal,
    (selected, many): (bool, bool),
    w: usize,
    lines: &mut Vec<(String, Style)>,
) {
    let mark = match (many, selected) {
        (true, true) => "> ",
        (true, false) => "  ",
        (false, _) => "",
    };
    let mut add = |text: String, style: Style| {
        for line in wrap(&clean(&text), w) {
            lines.push((line, style));
        }
    };
    add(format!("{mark}{}", r.why), theme.tone(Tone::Fail));
    add(format!("rule      {}", r.rule), theme.text);
    if let Some(owner) = &r.owner {
        add(format!("owner     {owner}"), theme.text);
    }
    let until = match (&r.until, &model.situation) {
        (Some(at), Some(s)) => {
            let left = duration_words(*at - model.world());
            format!("{}, in {left}", words::both_zones(*at, s.timezone))
        }
        _ => "no end is known".into(),
    };
    add(format!("until     {until}"), theme.bright);
    if let Some(way) = &r.way_out {
        add(format!("way out   {way}"), theme.text);
    }
}
