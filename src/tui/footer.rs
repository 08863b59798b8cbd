//! The footer: a filter being typed, what the program said, the tour's hint, or the keys.

use ratatui::buffer::Buffer;

use super::pen::Pen;
use super::theme::Theme;
use crate::app::Model;
use crate::app::action::{self, Action};
use crate::app::layout::Area;
use crate::app::model::Loudness;
use crate::domain::situation::{Phase, Tone};

/// Acts in the order in which the footer names them.
const FIRST: [&str; 9] = [
    "deploy", "brief", "promote", "resume", "rollback", "abort", "pause", "handoff", "close",
];

/// Paints the footer.
pub fn footer(model: &Model, theme: &Theme, buf: &mut Buffer, area: Area) {
    let mut pen = Pen::new(buf, theme, area, 0);
    if let Some((_, edit)) = &model.filtering {
        pen.put(" /", theme.key).put(edit.text(), theme.text);
        pen.put(" ", theme.cursor);
        pen.right("enter keeps · esc clears ", theme.dim);
        return;
    }
    keys_right(model, theme, &mut pen);
    if let Some(notice) = model.notice() {
        let (tone, end) = match notice.loudness {
            Loudness::Info => (Tone::Plain, String::new()),
            Loudness::Error => {
                let key = model.keymap.label("messages");
                (Tone::Fail, format!(" (esc dismisses, {key} lists)"))
            }
        };
        pen.put(&format!(" {}{end}", notice.text), theme.tone(tone));
        return;
    }
    let in_flight = model.in_flight.values().next();
    if let Some(f) = in_flight {
        let age = crate::domain::time::duration_words(model.now.real - f.since);
        let more = model.in_flight.len() - 1;
        let more = if more > 0 {
            format!(" (+{more})")
        } else {
            String::new()
        };
        pen.put(&format!(" under way: {}{more}, {age}", f.label), theme.hold);
        return;
    }
    let demo = model.situation.as_ref();
    let demo = demo.is_some_and(|s| s.band.flags.iter().any(|f| f == "DEMO"));
    if demo && model.tour.shown && model.overlays.is_empty() {
        let hint = model.tour.hint(|id| model.keymap.label(id));
        pen.put(&format!(" {hint}"), theme.bright);
        return;
    }
    pen.gap(1);
    for a in acts(model) {
        act(model, theme, &mut pen, a);
    }
    looks(model, theme, &mut pen);
}

/// The acts that the situation speaks of, in the footer's order.
fn acts(model: &Model) -> Vec<&'static Action> {
    let Some(s) = &model.situation else {
        return Vec::new();
    };
    let under_way =
        s.current.is_some() && !matches!(s.band.phase, None | Some(Phase::Planned | Phase::Ready));
    let mut found: Vec<&'static Action> = action::offered(model.options.read_only)
        .filter(|a| FIRST.contains(&a.id) && s.permits.contains_key(a.id))
        .filter(|a| !(under_way && a.id == "deploy"))
        .collect();
    // First what comes next, then, with something in flight, the way back.
    let place = |id: &str| FIRST.iter().position(|f| *f == id);
    found.sort_by_key(|a| match a.id {
        id if id == s.next.action => (0, None),
        "rollback" if under_way => (1, None),
        id => (2, place(id)),
    });
    found
}

fn act(model: &Model, theme: &Theme, pen: &mut Pen<'_>, a: &Action) {
    let key = model.keymap.label(a.id);
    if key.is_empty() || pen.left() < key.len() + a.verb.len() + 4 {
        return;
    }
    match model.refusals(a) {
        Some(refusals) => {
            pen.put(&key, theme.dim).gap(1).put(a.verb, theme.dim);
            let why = refusals.first().map_or("", |r| r.why.as_str());
            let room = pen.left().saturating_sub(30).min(44);
            if room > 16 {
                let why = super::text::cut(why, room, theme.ascii).into_owned();
                pen.put(&format!(" (blocked: {why})"), theme.dim);
            } else {
                pen.put(" (blocked)", theme.dim);
            }
        }
        None => {
            pen.put(&key, theme.key).gap(1).put(a.verb, theme.text);
            if a.danger > crate::domain::act::Danger::Low {
                pen.put(theme.glyph("…", "..."), theme.dim);
            }
        }
    }
    pen.gap(2);
}

fn looks(model: &Model, theme: &Theme, pen: &mut Pen<'_>) {
    let calendar = model.focused_list() == Some(crate::app::list::ListId::Calendar);
    let own: &[&str] = if calendar {
        &["view", "timeline", "go-to", "what-if", "utc", "today"]
    } else {
        &[]
    };
    let all = ["evidence", "filter", "zoom", "feeds", "next-pane"];
    for id in own.iter().chain(&all) {
        let Some(a) = action::by_id(id) else {
            continue;
        };
        let key = model.keymap.label(id);
        if pen.left() < key.len() + a.verb.len() + 4 {
            return;
        }
        pen.put(&key, theme.key)
            .gap(1)
            .put(a.verb, theme.dim)
            .gap(2);
    }
}

fn keys_right(model: &Model, theme: &Theme, pen: &mut Pen<'_>) {
    let text = format!(
        "{} help  {} commands ",
        model.keymap.label("help"),
        model.keymap.label("commands")
    );
    let short = format!("{} help ", model.keymap.label("help"));
    let text = if pen.left() >= 60 { text } else { short };
    pen.right(&text, theme.text);
}
