//! Acts: ask the situation's permits, open a dialog or say why not. The engine judges again what is sent.

use std::collections::BTreeMap;

use crate::app::action::{Action, Scope, Task};
use crate::app::calendar;
use crate::app::dialog::Dialog;
use crate::app::key::Key;
use crate::app::list::ListId;
use crate::app::model::{InFlight, Loudness, Model, Overlay};
use crate::app::msg::Effect;
use crate::app::port::Order;
use crate::app::tour::Stop;
use crate::domain::act::Danger;
use crate::domain::calendar::Suppose;
use crate::domain::situation::{Permission, Permit, Refusal, Request};

/// Starts an act with the key that asked for it.
pub(super) fn act(model: &mut Model, action: &'static Action, opener: Key) -> Vec<Effect> {
    if model.options.read_only {
        model.say(Loudness::Info, "read-only: nothing is changed from here");
        return Vec::new();
    }
    if let Some(why) = &model.fatal {
        let why = format!("the engine stopped: {why}; nothing can be done from here");
        model.say(Loudness::Error, why);
        return Vec::new();
    }
    if model.calendar.suppose.is_some() && action.id != "move" {
        let why = "WHAT-IF is on: nothing real is done from it; esc leaves it";
        model.say(Loudness::Info, why);
        return Vec::new();
    }
    let row = match action.task {
        Task::ActOn(_) => match subject(model, action) {
            Some(id) => Some(id),
            None => {
                model.say(
                    Loudness::Info,
                    format!("nothing is selected to {}", action.verb),
                );
                return Vec::new();
            }
        },
        _ => None,
    };
    let Some(key) = action.permit(row.as_deref()) else {
        return Vec::new();
    };
    let key = other_way(model, action, key);
    let label = match &row {
        Some(row) => format!("{} {row}", action.verb),
        None => action.verb.to_string(),
    };
    let permission = model.situation.as_ref().and_then(|s| s.permits.get(&key));
    match permission.cloned() {
        Some(Permission::Granted(permit)) => granted(model, action, permit, opener, label),
        Some(Permission::Refused(refusals)) => refused(model, label, Some(key), refusals),
        None => {
            let why = match &model.situation {
                None => "nothing was read yet".to_string(),
                Some(_) => format!("there is nothing to {} now", action.verb),
            };
            refused(model, label, None, vec![Refusal::new("not offered", why)])
        }
    }
}

/// Space on a ticked item takes the tick back, as everywhere. What steers a rollout is about the selected one, where several are
/// under way.
fn other_way(model: &Model, action: &Action, key: String) -> String {
    let Some(s) = &model.situation else {
        return key;
    };
    if action.scope == Scope::Global
        && model.focused_list() == Some(ListId::Deploys)
        && let Some(row) = model.selected(ListId::Deploys)
        && let Some(d) = s.deployments.iter().find(|d| d.id == row)
        && d.environment == s.band.environment
    {
        let own = format!("{key}/{}", d.service);
        if s.permits.contains_key(&own) {
            return own;
        }
    }
    if action.id == "tick" && !matches!(s.permits.get(&key), Some(Permission::Granted(_))) {
        let back = key.replacen("tick/", "untick/", 1);
        if matches!(s.permits.get(&back), Some(Permission::Granted(_))) {
            return back;
        }
    }
    key
}

/// What a row act works on: the selected row, or the selected refusal's rule.
fn subject(model: &Model, action: &Action) -> Option<String> {
    if action.id == "move" {
        return match &model.calendar.suppose {
            Some(Suppose::Release { id, .. }) => Some(id.clone()),
            Some(Suppose::Now { .. }) => None,
            None => calendar::subject(model),
        };
    }
    match model.overlays.last() {
        Some(Overlay::Refusal {
            refusals, selected, ..
        }) => refusals.get(*selected).map(|r| r.rule.clone()),
        _ => {
            let list = model.focused_list()?;
            model.list_area(list)?;
            model.selected(list)
        }
    }
}

fn granted(
    model: &mut Model,
    action: &'static Action,
    permit: Permit,
    opener: Key,
    label: String,
) -> Vec<Effect> {
    let asks = permit.typed.is_some()
        || !permit.warnings.is_empty()
        || permit
            .inputs
            .iter()
            .any(|i| i.required && i.default.is_empty());
    // Only what is low in the table and low in the permit, and asks nothing, goes without a dialog: a tick, a line taken,
    // a countdown stopped. Each is undone by one key.
    if action.danger == Danger::Low && permit.danger == Danger::Low && !asks {
        let request = Request {
            action: permit.action.clone(),
            basis: permit.basis.clone(),
            inputs: permit
                .inputs
                .iter()
                .map(|i| (i.key.clone(), i.default.clone()))
                .collect(),
        };
        return send(model, label, request);
    }
    let mut dialog = match action.id {
        "plan" => Dialog::form("write", permit, opener),
        _ => Dialog::new(action.verb, permit, opener),
    };
    match action.id {
        "move" => dialog.fill(&calendar::written(model)),
        "plan" => dialog.fill(&start_on(model)),
        _ => {}
    }
    model.overlays.push(Overlay::Dialog(Box::new(dialog)));
    Vec::new()
}

/// A plan begins with the day that is chosen on the calendar.
fn start_on(model: &Model) -> BTreeMap<String, String> {
    match model.calendar.cursor {
        Some(day) if day > calendar::today(model) => {
            BTreeMap::from([("start".to_owned(), format!("{day} 10:00"))])
        }
        _ => BTreeMap::new(),
    }
}

fn refused(
    model: &mut Model,
    label: String,
    key: Option<String>,
    refusals: Vec<Refusal>,
) -> Vec<Effect> {
    model.overlays.push(Overlay::Refusal {
        label,
        key,
        refusals,
        selected: 0,
    });
    Vec::new()
}

/// Sends a confirmed wish to the engine.
pub(super) fn send(model: &mut Model, label: String, request: Request) -> Vec<Effect> {
    match request.action.as_str() {
        "rollback" => model.tour.did(Stop::Rollback),
        "handoff" => model.tour.did(Stop::Handoff),
        _ => {}
    }
    let seq = model.next_seq;
    model.next_seq += 1;
    model.say(Loudness::Info, format!("{label}: asked"));
    model.in_flight.insert(
        seq,
        InFlight {
            label,
            since: model.now.real,
        },
    );
    vec![Effect::Order(Order::Act { seq, request })]
}
