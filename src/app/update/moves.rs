//! Moving: rows, pages, panes, overlays.

use crate::app::action::Own;
use crate::app::calendar::{self, View};
use crate::app::edit::Edit;
use crate::app::fields;
use crate::app::layout::{Pane, Shape};
use crate::app::list::{Ids, ListId, Named};
use crate::app::listed::Listed;
use crate::app::model::{Loudness, Model, Overlay, RANGES};
use crate::app::msg::Effect;
use crate::app::port::Order;
use crate::app::rows::{self, Key, Row};
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
        Own::Zoom => zoom(model),
        Own::Range(longer) => range(model, longer),
        Own::Step(by) => step(model, i64::from(by)),
        Own::Page(by) if in_calendar(model) && model.calendar.suppose.is_some() => {
            calendar::shift(model, i64::from(by) * 96);
        }
        Own::Page(by) if in_calendar(model) && calendar::drawn(model).is_some() => {
            calendar::page(model, i64::from(by));
        }
        Own::Page(by) => step(model, i64::from(by) * page(model)),
        Own::Ends(last) if in_calendar(model) && calendar::is_grid(model) => {
            calendar::ends(model, last);
        }
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
            meant: None,
            complaint: None,
        }),
        Own::TurnView(on) => {
            // From the small pane the first key gives it room; the next ones turn.
            let small = model.shape() == Shape::Wide && !model.zoom;
            let to = if small && model.calendar.view != View::Agenda {
                model.calendar.view
            } else {
                model.calendar.view.turn(on)
            };
            calendar::show(model, to);
        }
        Own::View(view) => calendar::show(model, view),
        Own::Side(by) if model.calendar.suppose.is_some() => calendar::shift(model, by),
        Own::Side(by) if calendar::drawn(model).is_some() => calendar::sideways(model, by),
        Own::Side(_) => {}
        Own::Today => {
            model.calendar.cursor = None;
        }
        Own::Utc => {
            model.calendar.utc = !model.calendar.utc;
            let word = if model.calendar.utc {
                "UTC"
            } else {
                "local time"
            };
            model.say(Loudness::Info, format!("the calendar is in {word}"));
        }
        Own::Suppose => {
            if let Err(why) = calendar::suppose(model) {
                model.say(Loudness::Info, why);
            }
        }
        Own::Tour => model.tour.shown = !model.tour.shown,
        Own::Look => look(model),
        Own::Suspend => return vec![Effect::Suspend],
        Own::Redraw => return vec![Effect::Redraw],
    }
    Vec::new()
}

/// Is the calendar's pane what the keys go to?
fn in_calendar(model: &Model) -> bool {
    model.focused_list() == Some(ListId::Calendar)
}

/// The calendar uses the room: without a view chosen it shows the week.
fn zoom(model: &mut Model) {
    model.zoom = !model.zoom;
    let calm = model.calendar.view == View::Agenda;
    if model.zoom && calm && in_calendar(model) && model.shape() == Shape::Wide {
        calendar::show(model, View::Week);
    }
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
    if model.calendar.suppose.take().is_some() {
        model.say(Loudness::Info, "what-if is over; nothing was saved");
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
    } else if model.range.is_some() && model.pane == Pane::Metrics && !model.on_band {
        model.range = None;
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

/// The next longer or shorter span; from "since the deployment" an hour.
fn range(model: &mut Model, longer: bool) {
    let next = match model.range {
        None => Some(3600),
        Some(now) if longer => RANGES.into_iter().find(|r| *r > now),
        Some(now) => RANGES.into_iter().rev().find(|r| *r < now),
    };
    if let Some(next) = next {
        model.range = Some(next);
    }
    let span = model.range.unwrap_or(3600);
    let span = crate::domain::words::seconds(u64::try_from(span).unwrap_or(0));
    model.say(Loudness::Info, format!("charts over {span}"));
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
    if list == ListId::Calendar && model.calendar.suppose.is_some() {
        // Down the day is later.
        calendar::shift(model, by.clamp(-24, 24) * 4);
        return;
    }
    if list == ListId::Calendar && calendar::is_grid(model) {
        calendar::upright(model, by);
        return;
    }
    let mut state = model.lists.get(&list).cloned().unwrap_or_default();
    state.step(&Listed::of(model, list), by);
    model.lists.insert(list, state);
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
    let row = rows
        .iter()
        .find(|r| r.id.as_ref().is_some_and(|id| id.is(selected)))?;
    Some(f(row, s))
}

fn evidence(model: &mut Model) {
    let shown = with_selected(model, |row, s| {
        let whole = |key: &Option<Key<'_>>| key.as_ref().map(Named::whole);
        let id = whole(&row.id);
        match calendar::about(model, id.as_deref().unwrap_or_default()) {
            Some(_) => (id, fields::evidence(s, row)),
            None => (whole(&row.evidence), fields::evidence(s, row)),
        }
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
    let date = found(model, text)?;
    super::go(model, Pane::Calendar);
    calendar::choose(model, date);
    let id = format!("calendar/day/{date}");
    let listed = || Listed::of(model, ListId::Calendar).position(&id);
    if calendar::drawn(model).is_none() && listed().is_none() {
        // Beyond the eight days of the small pane: a month has it.
        calendar::show(model, View::Month);
    }
    model.lists.entry(ListId::Calendar).or_default().selected = Some(id);
    Ok(())
}

/// The date that is typed.
///
/// # Errors
/// Why it is none.
pub(super) fn found(model: &Model, text: &str) -> Result<chrono::NaiveDate, String> {
    if model.situation.is_none() {
        return Err("nothing was read yet".into());
    }
    let date = crate::domain::dates::typed(text, calendar::today(model))?.date;
    if (1971..=2105).contains(&chrono::Datelike::year(&date)) {
        Ok(date)
    } else {
        Err(format!("{date} lies beyond every calendar"))
    }
}
