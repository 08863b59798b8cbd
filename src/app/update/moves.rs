//! Moving: rows, pages, panes, overlays.

use chrono::NaiveDate;

use crate::app::action::Own;
use crate::app::edit::Edit;
use crate::app::fields;
use crate::app::layout::{Pane, Shape};
use crate::app::list::ListId;
use crate::app::model::{Loudness, Model, Overlay};
use crate::app::msg::Effect;
use crate::app::port::Order;
use crate::app::rows::{self, Row};
use crate::app::tour::Stop;
use crate::domain::situation::Situation;

/// Does what the interface does by itself.
pub(super) fn own(model: &mut Model, own: Own) -> Vec<Effect> {
    match own {
        Own::Quit => return quit(model),
        Own::Back => back(model),
        Own::Help => model.overlays.push(Overlay::Help {
            query: Edit::default(),
            scroll: 0,
        }),
        Own::Palette => model.overlays.push(Overlay::Palette {
            query: Edit::default(),
            selected: None,
        }),
        Own::Filter => filter(model),
        Own::Cycle(on) => cycle(model, on),
        Own::Pane(pane) => {
            super::go(model, pane);
            model.tour.did(Stop::Band);
        }
        Own::Band => {
            model.on_band = true;
            model.tour.did(Stop::Band);
        }
        Own::Zoom => model.zoom = !model.zoom,
        Own::Step(by) => step(model, i64::from(by)),
        Own::Page(by) => step(model, i64::from(by) * page(model)),
        Own::Ends(last) => step(model, if last { i64::MAX / 2 } else { i64::MIN / 2 }),
        Own::Evidence => evidence(model),
        Own::Copy => return super::copy(model),
        Own::Mouse => {
            model.mouse = !model.mouse;
            let word = if model.mouse { "on" } else { "off" };
            model.say(Loudness::Info, format!("mouse {word}"));
            return vec![Effect::Mouse(model.mouse)];
        }
        Own::ReadNow => {
            model.say(Loudness::Info, "reading every feed now");
            return vec![Effect::Order(Order::ReadNow)];
        }
        Own::List(list) => open(model, list),
        Own::Document(kind) => {
            model.say(Loudness::Info, "writing the document …");
            return vec![Effect::Order(Order::Document(kind))];
        }
        Own::GoTo => model.overlays.push(Overlay::GoTo {
            query: Edit::default(),
            complaint: None,
        }),
        Own::Tour => model.tour.shown = !model.tour.shown,
        Own::Look => look(model),
        Own::Suspend => return vec![Effect::Suspend],
        Own::Redraw => return vec![Effect::Redraw],
    }
    Vec::new()
}

fn quit(model: &mut Model) -> Vec<Effect> {
    if model.under_way().is_empty() || model.fatal.is_some() {
        model.quitting = true;
        return vec![Effect::Quit];
    }
    if !matches!(model.overlays.last(), Some(Overlay::Quit { .. })) {
        model.overlays.push(Overlay::Quit { leave: false });
    }
    Vec::new()
}

/// `esc`: only backs out, one thing at a time.
fn back(model: &mut Model) {
    if let Some(closed) = model.overlays.pop() {
        match closed {
            Overlay::Evidence { .. } => model.tour.did(Stop::Evidence),
            Overlay::Refusal { .. } if model.tour.stop == Stop::Promote => {
                model.tour.did(Stop::Promote);
            }
            _ => {}
        }
        return;
    }
    if model.dismiss() {
        return;
    }
    if let Some(state) = model
        .focused_list()
        .and_then(|l| model.lists.get_mut(&l))
        .filter(|s| !s.filter.is_empty())
    {
        state.filter.clear();
    } else if model.zoom {
        model.zoom = false;
    } else if model.on_band {
        model.on_band = false;
    }
}

/// The selected release becomes the one that everything is about; the engine is told with the next word to it.
fn look(model: &mut Model) {
    let chosen = with_selected(model, |row, _| match &row.item {
        rows::Item::Release(r) => Some((r.plan.id.clone(), r.plan.title.clone())),
        _ => None,
    });
    let Some((id, title)) = chosen.flatten() else {
        model.say(Loudness::Info, "no release is selected");
        return;
    };
    model.looking = Some(id);
    model.overlays.pop();
    model.say(Loudness::Info, format!("looking at {title}"));
}

fn open(model: &mut Model, list: ListId) {
    if matches!(model.overlays.last(), Some(Overlay::List(l)) if *l == list) {
        return;
    }
    model.overlays.retain(|o| !matches!(o, Overlay::List(_)));
    model.overlays.push(Overlay::List(list));
}

fn filter(model: &mut Model) {
    match model.focused_list() {
        Some(ListId::Band) | None => model.say(Loudness::Info, "no list is focused to filter"),
        Some(list) => {
            let text = model.filter(list).to_string();
            model.filtering = Some((list, Edit::new(text)));
        }
    }
}

fn cycle(model: &mut Model, on: bool) {
    model.tour.did(Stop::Band);
    // The band stands before the first pane and after the last.
    let all = Pane::ALL.len() + 1;
    let at = if model.on_band {
        0
    } else {
        model.pane.number()
    };
    let to = (at + if on { 1 } else { all - 1 }) % all;
    match to.checked_sub(1).and_then(|i| Pane::ALL.get(i)) {
        Some(pane) => super::go(model, *pane),
        None => model.on_band = true,
    }
}

fn page(model: &Model) -> i64 {
    let area = model.focused_list().and_then(|l| model.list_area(l));
    area.map_or(10, |a| i64::from(a.h).max(2) - 1)
}

/// By so many rows, or lines where there are no rows.
pub(super) fn step(model: &mut Model, by: i64) {
    let move_line = |at: usize, most: usize| {
        let at = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(by);
        usize::try_from(at.max(0)).unwrap_or(0).min(most)
    };
    match model.overlays.last_mut() {
        Some(Overlay::Evidence { scroll, shown, .. }) => {
            *scroll = move_line(*scroll, shown.lines.len() + 6);
            return;
        }
        Some(Overlay::Document {
            scroll, markdown, ..
        }) => {
            *scroll = move_line(*scroll, markdown.lines().count());
            return;
        }
        Some(Overlay::Refusal {
            selected, refusals, ..
        }) => {
            *selected = move_line(*selected, refusals.len().saturating_sub(1));
            return;
        }
        _ => {}
    }
    let Some(list) = model.focused_list() else {
        return;
    };
    let ids = rows::ids(model, list);
    model.lists.entry(list).or_default().step(&ids, by);
}

/// Gives the focused list's selected row to `f`.
pub(super) fn with_selected<T>(
    model: &Model,
    f: impl FnOnce(&Row<'_>, &Situation) -> T,
) -> Option<T> {
    let list = model.focused_list()?;
    model.list_area(list)?;
    let selected = model.lists.get(&list)?.selected.as_deref()?;
    let s = model.situation.as_ref()?;
    let rows = rows::rows(model, list);
    let row = rows.iter().find(|r| r.id.as_deref() == Some(selected))?;
    Some(f(row, s))
}

fn evidence(model: &mut Model) {
    let shown = with_selected(model, |row, s| {
        (row.evidence.clone(), fields::evidence(s, row))
    });
    match shown {
        Some((key, shown)) => model.overlays.push(Overlay::Evidence {
            key,
            shown,
            scroll: 0,
        }),
        None => model.say(Loudness::Info, "nothing is selected"),
    }
}

/// Goes to a date on the calendar; the sentence where it cannot.
pub(super) fn go_to(model: &mut Model, text: &str) -> Result<(), String> {
    let s = model.situation.clone().ok_or("nothing was read yet")?;
    let today = s.now.world.with_timezone(&s.timezone).date_naive();
    let date = date(text, today)?;
    let strip = format!("calendar/day/{date}");
    let ids = rows::ids(model, ListId::Calendar);
    let id = if ids.iter().flatten().any(|id| *id == strip) {
        strip
    } else {
        let near = s.calendar.releases.iter().find(|r| {
            r.at.is_some_and(|at| at.with_timezone(&s.timezone).date_naive() >= date)
        });
        match near {
            Some(r) => format!("calendar/release/{}", r.id),
            None => {
                return Err(format!(
                    "{date} lies beyond the eight days shown and no release is planned from then on"
                ));
            }
        }
    };
    super::go(model, Pane::Calendar);
    if model.shape() == Shape::Wide && model.zoom {
        model.zoom = true;
    }
    model.lists.entry(ListId::Calendar).or_default().selected = Some(id);
    Ok(())
}

/// `2026-11-24`, `24`, `24.11.`, `+3`, `mon` or `today`.
fn date(text: &str, today: NaiveDate) -> Result<NaiveDate, String> {
    use chrono::Datelike;
    let text = text.trim().to_lowercase();
    let ahead = |n: u64| today.checked_add_days(chrono::Days::new(n));
    let found = if text == "today" {
        Some(today)
    } else if let Some(n) = text.strip_prefix('+') {
        n.parse().ok().and_then(ahead)
    } else if let Ok(day) = text.parse::<chrono::Weekday>() {
        let days = (7 + day.num_days_from_monday() - today.weekday().num_days_from_monday()) % 7;
        ahead(u64::from(days))
    } else if let Ok(day) = text.parse::<u32>() {
        let this = today.with_day(day).filter(|d| *d >= today);
        this.or_else(|| {
            let next = today
                .with_day(1)?
                .checked_add_months(chrono::Months::new(1))?;
            next.with_day(day)
        })
    } else {
        text.parse().ok()
    };
    found.ok_or_else(|| {
        format!("\"{text}\" is no date; write for example 2026-11-24, 24, +3, mon or today")
    })
}
