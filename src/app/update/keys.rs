//! Keys: to the field being typed, to the view on top, else through the keymap. What is not drawn gets none.

use super::{acts, moves};
use crate::app::action::{Action, Group, Own, Scope, Task};
use crate::app::dialog::Answer;
use crate::app::edit::Edit;
use crate::app::key::{Code, Key};
use crate::app::layout::Shape;
use crate::app::model::{Loudness, Model, Overlay};
use crate::app::msg::Effect;
use crate::app::palette;

pub(super) fn key(model: &mut Model, key: Key) -> Vec<Effect> {
    if model.shape() == Shape::Tiny {
        return tiny(model, key);
    }
    // What was good to know is gone with the next key; what went wrong stays until it is dismissed.
    if model.notice().is_some_and(|n| n.loudness == Loudness::Info) {
        model.dismiss();
    }
    if model.filtering.is_some() {
        filtering(model, key);
        return Vec::new();
    }
    if key.ctrl && key.code == Code::Char('c') && !model.overlays.is_empty() {
        // As in a shell: ctrl-c drops what is open rather than being typed or swallowed.
        return moves::own(model, Own::Back);
    }
    let Some(top) = model.overlays.last_mut() else {
        return bound(model, key);
    };
    match top {
        Overlay::Dialog(d) => {
            let answer = d.key(key);
            let label = d.permit.title.clone();
            match answer {
                Answer::Open => Vec::new(),
                Answer::Cancelled => moves::own(model, Own::Back),
                Answer::Confirmed(request) => {
                    model.overlays.pop();
                    // What was supposed is written: from here on it is real.
                    if request.action.starts_with("move/") {
                        model.calendar.suppose = None;
                    }
                    // An override was asked for from the refusal below: that is answered now.
                    if matches!(model.overlays.last(), Some(Overlay::Refusal { .. })) {
                        model.overlays.pop();
                    }
                    acts::send(model, label, request)
                }
            }
        }
        Overlay::Quit { leave } => {
            let leave = *leave;
            quit(model, key, leave)
        }
        Overlay::Help { .. } | Overlay::Palette { .. } | Overlay::GoTo { .. } => typed(model, key),
        _ => bound(model, key),
    }
}

/// Too small a window shows a sentence and takes only the way out, as long as nothing must be asked.
fn tiny(model: &mut Model, key: Key) -> Vec<Effect> {
    match model.keymap.find(key, &[Scope::Global]).map(|a| a.task) {
        Some(Task::Own(Own::Quit)) if model.under_way().is_empty() => moves::own(model, Own::Quit),
        Some(Task::Own(Own::Suspend)) => vec![Effect::Suspend],
        _ => Vec::new(),
    }
}

fn filtering(model: &mut Model, key: Key) {
    let Some((list, mut edit)) = model.filtering.take() else {
        return;
    };
    let state = model.lists.entry(list).or_default();
    match key.code {
        Code::Enter => {
            state.filter = edit.text().to_string();
            // What is filtered out is not selected any more.
            state.selected = None;
        }
        Code::Esc => state.filter.clear(),
        _ => {
            edit.key(key);
            model.filtering = Some((list, edit));
        }
    }
}

/// A key through the keymap.
fn bound(model: &mut Model, key: Key) -> Vec<Effect> {
    let mut scopes = Vec::new();
    if let Some(list) = model
        .focused_list()
        .filter(|l| model.list_area(*l).is_some())
    {
        // What is under the cursor when a key comes stays there.
        model.lists.entry(list).or_default().touched = true;
        scopes.push(Scope::List(list));
    }
    if matches!(model.overlays.last(), Some(Overlay::Refusal { .. })) {
        scopes.push(Scope::Refusal);
    }
    scopes.push(Scope::Global);
    let Some(action) = model.keymap.find(key, &scopes) else {
        return unbound(model, key);
    };
    if !model.overlays.is_empty() && !over_panes(action) {
        return Vec::new();
    }
    run(model, action, key)
}

/// What still counts while something covers the panes: moving in it, looking, leaving. An act wants its own view.
fn over_panes(action: &Action) -> bool {
    match action.task {
        Task::ActOn(_) => true,
        Task::Act(_) => false,
        Task::Own(own) => {
            action.group != Group::Move || matches!(own, Own::Step(_) | Own::Page(_) | Own::Ends(_))
        }
    }
}

/// A key that read-only mode took away says so, instead of seeming dead.
fn unbound(model: &mut Model, key: Key) -> Vec<Effect> {
    let acts = crate::app::action::ACTIONS.iter();
    let name = key.to_string();
    let taken = acts
        .filter(|a| a.is_act() && a.scope == Scope::Global)
        .find(|a| a.keys.contains(&name.as_str()));
    if let (true, Some(action)) = (model.options.read_only, taken) {
        let text = format!("read-only: {} is not offered here", action.verb);
        model.say(Loudness::Info, text);
    }
    Vec::new()
}

pub(super) fn run(model: &mut Model, action: &'static Action, key: Key) -> Vec<Effect> {
    match action.task {
        Task::Own(own) => moves::own(model, own),
        Task::Act(_) | Task::ActOn(_) => acts::act(model, action, key),
    }
}

fn quit(model: &mut Model, key: Key, leave: bool) -> Vec<Effect> {
    match key.code {
        Code::Esc => {
            model.overlays.pop();
        }
        Code::Enter if leave => {
            model.quitting = true;
            return vec![Effect::Quit];
        }
        Code::Enter => {
            model.overlays.pop();
        }
        Code::Left | Code::Right | Code::Tab | Code::BackTab => {
            if let Some(Overlay::Quit { leave }) = model.overlays.last_mut() {
                *leave = !*leave;
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Views in which one types: help, palette, date.
fn typed(model: &mut Model, key: Key) -> Vec<Effect> {
    if key.code == Code::Esc {
        return moves::own(model, Own::Back);
    }
    let read_only = model.options.read_only;
    match model.overlays.last_mut() {
        Some(Overlay::Help { query, scroll }) => {
            let lines = palette::help(read_only, query.text()).len();
            match key.code {
                Code::Down => *scroll = (*scroll + 1).min(lines.saturating_sub(1)),
                Code::Up => *scroll = scroll.saturating_sub(1),
                Code::PageDown => *scroll = (*scroll + 10).min(lines.saturating_sub(1)),
                Code::PageUp => *scroll = scroll.saturating_sub(10),
                _ if query.key(key) => *scroll = 0,
                _ => {}
            }
            Vec::new()
        }
        Some(Overlay::Palette { query, selected }) => {
            let found = palette::palette(read_only, query.text());
            let at = selected.and_then(|id| found.iter().position(|a| a.id == id));
            let at = at.unwrap_or(0);
            let pick = |i: usize| {
                found
                    .get(i.min(found.len().saturating_sub(1)))
                    .map(|a| a.id)
            };
            match key.code {
                Code::Down => *selected = pick(at + 1),
                Code::Up => *selected = pick(at.saturating_sub(1)),
                Code::Enter => return chosen(model, found.get(at).copied(), key),
                _ if query.key(key) => *selected = None,
                _ => {}
            }
            Vec::new()
        }
        Some(Overlay::GoTo { query, .. }) => {
            if key.code == Code::Enter {
                let text = query.text().to_string();
                match moves::go_to(model, &text) {
                    Ok(()) => {
                        model.overlays.pop();
                    }
                    Err(why) => {
                        if let Some(Overlay::GoTo { complaint, .. }) = model.overlays.last_mut() {
                            *complaint = Some(why);
                        }
                    }
                }
            } else {
                query.key(key);
                look_up(model);
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Says while it is typed which date is meant, or why it is none.
fn look_up(model: &mut Model) {
    let text = match model.overlays.last() {
        Some(Overlay::GoTo { query, .. }) => query.text().to_string(),
        _ => return,
    };
    let found = moves::found(model, &text);
    if let Some(Overlay::GoTo {
        complaint, meant, ..
    }) = model.overlays.last_mut()
    {
        *meant = found.as_ref().ok().copied();
        *complaint = found.err().filter(|_| !text.trim().is_empty());
    }
}

/// The palette's choice. What works on a row is refused where that row's list is not focused and drawn.
fn chosen(model: &mut Model, action: Option<&'static Action>, key: Key) -> Vec<Effect> {
    let Some(action) = action else {
        return Vec::new();
    };
    model.overlays.pop();
    let here = match action.scope {
        Scope::Global => true,
        Scope::List(list) => model.focused_list() == Some(list),
        Scope::Refusal => matches!(model.overlays.last(), Some(Overlay::Refusal { .. })),
    };
    if !here {
        let text = format!("{} works on a row of: {}", action.verb, action.scope.word());
        model.say(Loudness::Info, text);
        return Vec::new();
    }
    run(model, action, key)
}

/// A paste goes into a field; outside one it is dropped with a note, never run as keys.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    let into = |edit: &mut Edit| {
        edit.paste(text);
        true
    };
    let taken = if let Some((_, edit)) = &mut model.filtering {
        into(edit)
    } else {
        match model.overlays.last_mut() {
            Some(Overlay::Dialog(d)) => d.paste(text),
            Some(
                Overlay::Help { query, .. }
                | Overlay::Palette { query, .. }
                | Overlay::GoTo { query, .. },
            ) => into(query),
            _ => false,
        }
    };
    look_up(model);
    if !taken {
        let n = text.chars().count();
        let note = format!("a paste of {n} characters was dropped: no field has the focus");
        model.say(Loudness::Info, note);
    }
    Vec::new()
}
