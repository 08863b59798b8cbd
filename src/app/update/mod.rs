//! The pure update: a message changes the model and gives effects. Nothing is judged here: an act asks the situation's permits.

mod acts;
mod facts;
mod keys;
mod moves;

use crate::domain::situation::{MetricView, Situation, Tone};
use crate::domain::time::Now;

use super::calendar::View;
use super::layout::{Layout, Pane};
use super::list::{Ids, ListId, Named};
use super::listed::{self, Listed};
use super::model::{Loudness, Model};
use super::msg::{Effect, Mouse, Msg};
use super::port::Order;
use super::{calendar, fields, rows};

/// Takes in what happened at `now` and gives what is to be done.
pub fn update(model: &mut Model, now: Now, msg: Msg) -> Vec<Effect> {
    model.now = now;
    let before = Standing::of(model);
    let mut effects = match msg {
        Msg::Key(key) => keys::key(model, key),
        Msg::Pasted(text) => keys::paste(model, &text),
        Msg::Mouse(mouse) => pointer(model, mouse),
        Msg::Resized(w, h) => {
            model.size = (w, h);
            Vec::new()
        }
        Msg::Focused(focused) => {
            model.focused = focused;
            Vec::new()
        }
        Msg::Fact(fact) => facts::fact(model, fact),
        Msg::EngineGone => {
            if model.fatal.is_none() && !model.quitting {
                model.fatal = Some("it ended without a word".into());
            }
            Vec::new()
        }
        Msg::Ticked => Vec::new(),
    };
    model.found.renew(model.situation.as_ref());
    calendar::sync(model);
    if before == Standing::of(model) {
        settle_focused(model);
    } else {
        settle(model);
    }
    effects.extend(tell(model));
    let look = calendar::ask(model);
    effects.extend(look.map(|look| Effect::Order(Order::Look(Box::new(look)))));
    effects
}

/// What decides which lists are drawn, how large, and with which rows. While it stays the same, a message can have moved
/// something in the focused list alone.
#[derive(PartialEq)]
struct Standing {
    situation: *const Situation,
    size: (u16, u16),
    pane: Pane,
    on_band: bool,
    zoom: bool,
    overlays: usize,
    notices: u64,
    filtering: Option<ListId>,
    view: View,
    looked: Option<u64>,
}

impl Standing {
    fn of(model: &Model) -> Self {
        Self {
            situation: model
                .situation
                .as_ref()
                .map_or(std::ptr::null(), std::sync::Arc::as_ptr),
            size: model.size,
            pane: model.pane,
            on_band: model.on_band,
            zoom: model.zoom,
            overlays: model.overlays.len(),
            notices: model.notices.last().map_or(0, |n| n.number),
            filtering: model.filtering.as_ref().map(|(list, _)| *list),
            view: model.calendar.view,
            looked: model.calendar.span.as_ref().map(|s| s.look.seq),
        }
    }
}

fn settle_focused(model: &mut Model) {
    if let Some(list) = model.focused_list() {
        let layout = model.layout();
        settle_one(model, &layout, list);
    }
}

/// Brings every drawn list in order: selection in sight, nothing scrolled past its end.
fn settle(model: &mut Model) {
    let layout = model.layout();
    let mut drawn: Vec<ListId> = layout.panes.iter().map(|(p, _)| p.list()).collect();
    drawn.push(ListId::Band);
    drawn.extend(model.overlays.iter().filter_map(|o| match o {
        super::model::Overlay::List(list) => Some(*list),
        _ => None,
    }));
    for list in drawn {
        settle_one(model, &layout, list);
    }
}

fn settle_one(model: &mut Model, layout: &Layout, list: ListId) {
    let Some(area) = model.list_area_in(layout, list) else {
        return;
    };
    // The ids are borrowed from the model: the list's state is put back when they are done with.
    let mut state = model.lists.get(&list).cloned().unwrap_or_default();
    let ids = Listed::of(model, list);
    let next = next_of(model, list);
    if let Some(next) = next.filter(|_| !state.touched && state.filter.is_empty()) {
        state.selected = Some(next);
    }
    if matches!(list, ListId::Band | ListId::Journal | ListId::Messages) {
        state.follow_top(&ids);
    }
    state.settle(&ids, usize::from(area.h));
    drop(ids);
    model.lists.insert(list, state);
}

/// The row that a list opens at: of the checklist the next thing to do.
fn next_of(model: &Model, list: ListId) -> Option<String> {
    let s = model.situation.as_ref()?;
    let here = list == ListId::Checklist && rows::visible_plan(s).is_none();
    s.checklist.next.clone().filter(|_| here)
}

/// Tells the engine which release and service the person looks at, when that changed.
fn tell(model: &mut Model) -> Option<Effect> {
    let service = shown_metric(model).map(|m| m.service.clone());
    let situation = model.situation.as_ref()?;
    // A release that was chosen stays the one, also while an older situation is on screen.
    let known = |id: &String| situation.releases.iter().any(|r| r.plan.id == *id);
    let chosen = model.looking.clone().filter(known);
    let looks = (chosen.or_else(|| situation.current.clone()), service);
    if model.told == looks {
        return None;
    }
    model.told.clone_from(&looks);
    let (release, service) = looks;
    Some(Effect::Order(Order::Focus { release, service }))
}

/// The metric whose chart is drawn: the selected one, the selected gate's or trigger's, or the first.
#[must_use]
pub fn shown_metric(model: &Model) -> Option<&MetricView> {
    let s = model.situation.as_ref()?;
    let state = model.lists.get(&ListId::Metrics)?;
    let listed = Listed::of(model, ListId::Metrics);
    let selected = || match state.place(&listed).and_then(|at| listed.row(at)) {
        Some(row) => metric_of(s, &row.item),
        // Filtered away it is still the one that was chosen.
        None => {
            let id = state.selected.as_deref()?;
            let mut rows = listed::flights(s).into_iter();
            let row = rows.find(|r| r.id.as_ref().is_some_and(|key| key.is(id)))?;
            metric_of(s, &row.item)
        }
    };
    selected()
        .or_else(|| listed.metric(0))
        .or_else(|| s.metrics.first())
}

/// The metric that a row of the metrics pane speaks of.
fn metric_of<'a>(s: &'a Situation, item: &rows::Item<'a>) -> Option<&'a MetricView> {
    // A gate names its metrics by id or by title.
    let named = |service: &str, metric: &str| {
        let mut here = s.metrics.iter().filter(|m| m.service == service);
        here.find(|m| m.metric == metric || m.title == metric)
    };
    match item {
        rows::Item::Metric(m) => Some(m),
        rows::Item::Trigger(t) => named(&t.service, &t.metric),
        rows::Item::Gate(g) => {
            // The metric that holds the gate up, before those that pass.
            let mut metrics = g.metrics.iter();
            let open = metrics.find(|(_, mark, _)| mark.tone != Tone::Pass);
            named(&g.service, &open.or(g.metrics.first())?.0)
        }
        _ => None,
    }
}

fn pointer(model: &mut Model, mouse: Mouse) -> Vec<Effect> {
    let (x, y) = match mouse {
        Mouse::Pressed(x, y) | Mouse::Wheel(x, y, _) => (x, y),
    };
    if !model.mouse || model.filtering.is_some() {
        return Vec::new();
    }
    let layout = model.layout();
    if model.overlays.is_empty() {
        let Some((pane, _)) = layout.panes.iter().find(|(_, a)| a.holds(x, y)).copied() else {
            return Vec::new();
        };
        go(model, pane);
    }
    let Some(list) = model.focused_list() else {
        return Vec::new();
    };
    match mouse {
        Mouse::Wheel(_, _, down) => moves::step(model, if down { 1 } else { -1 }),
        Mouse::Pressed(..) => {
            let Some(area) = model.list_area_in(&layout, list) else {
                return Vec::new();
            };
            if area.holds(x, y) && !(list == ListId::Calendar && calendar::is_grid(model)) {
                let offset = model.lists.get(&list).map_or(0, |l| l.offset);
                let at = offset + usize::from(y - area.y);
                let id = Listed::of(model, list).name(at);
                let state = model.lists.entry(list).or_default();
                if id.is_some() {
                    state.selected = id;
                    state.chosen = true;
                    state.touched = true;
                }
            }
        }
    }
    Vec::new()
}

fn go(model: &mut Model, pane: Pane) {
    model.pane = pane;
    model.on_band = false;
}

/// The focused row's text, or the evidence on top, for the clipboard.
fn copy(model: &mut Model) -> Vec<Effect> {
    use super::model::Overlay;
    let text = match model.overlays.last() {
        Some(Overlay::Evidence { shown, .. }) => Some(fields::evidence_text(shown)),
        Some(Overlay::Document { markdown, .. }) => Some(markdown.clone()),
        Some(Overlay::Refusal { refusals, .. }) => Some(
            refusals
                .iter()
                .map(|r| format!("{}: {}", r.rule, r.why))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        _ => moves::with_selected(model, |row, _| row.plain()),
    };
    match text {
        Some(text) => {
            model.say(Loudness::Info, "copied (OSC 52)");
            vec![Effect::Copy(text)]
        }
        None => {
            model.say(Loudness::Info, "nothing is selected to copy");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod calendar_tests;
#[cfg(test)]
mod tests;
