//! What the engine says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::app::calendar;
use crate::app::keymap::Keymap;
use crate::app::list::{Ids, ListId};
use crate::app::listed::Listed;
use crate::app::model::{Loudness, Model, Overlay};
use crate::app::msg::Effect;
use crate::app::port::Fact;
use crate::domain::situation::{Advice, Permission, Situation};
use crate::domain::verdict::Verdict;

pub(super) fn fact(model: &mut Model, fact: Fact) -> Vec<Effect> {
    match fact {
        Fact::Assessed(situation) => assessed(model, situation),
        Fact::Done { seq, result } => {
            done(model, seq, result);
            Vec::new()
        }
        Fact::Looked(span) => {
            calendar::answered(model, span);
            Vec::new()
        }
        Fact::Document { title, markdown } => {
            model.overlays.push(Overlay::Document {
                title,
                markdown,
                scroll: 0,
            });
            Vec::new()
        }
        Fact::Keys(keys) => {
            rebind(model, keys);
            Vec::new()
        }
        Fact::Trouble(text) => {
            model.say(Loudness::Error, text);
            Vec::new()
        }
        Fact::Fatal(why) => {
            // What does not fit into the alarm's line is read at length.
            if why.len() > 80 {
                model.overlays.push(Overlay::Document {
                    title: "The engine stopped".into(),
                    markdown: why.clone(),
                    scroll: 0,
                });
            }
            model.fatal = Some(why);
            Vec::new()
        }
    }
}

/// The file's keys come into force; with a conflict the keys before stay.
fn rebind(model: &mut Model, keys: BTreeMap<String, String>) {
    if keys == model.options.keymap {
        return;
    }
    match Keymap::new(model.options.read_only, &keys) {
        Ok(keymap) => {
            model.keymap = keymap;
            model.options.keymap = keys;
        }
        Err(conflicts) => {
            for conflict in conflicts {
                model.say(Loudness::Error, format!("[keys] is not used: {conflict}"));
            }
        }
    }
}

fn done(
    model: &mut Model,
    seq: u64,
    result: Result<String, Vec<crate::domain::situation::Refusal>>,
) {
    let label = model
        .in_flight
        .remove(&seq)
        .map_or_else(|| "act".to_string(), |f| f.label);
    match result {
        Ok(sentence) => model.say(Loudness::Info, sentence),
        Err(refusals) => {
            let first = refusals
                .first()
                .map_or("no reason given", |r| r.why.as_str());
            model.say(Loudness::Error, format!("{label}: refused: {first}"));
            model.overlays.push(Overlay::Refusal {
                label,
                key: None,
                refusals,
                selected: 0,
            });
        }
    }
}

fn assessed(model: &mut Model, new: Arc<Situation>) -> Vec<Effect> {
    // A late judgement never takes the place of a newer one.
    if let Some(old) = &model.situation
        && old.now.real > new.now.real
    {
        return Vec::new();
    }
    let old = model.situation.replace(Arc::clone(&new));
    let mut effects = Vec::new();
    match &old {
        None => {
            land(model, &new);
            model.tour.resume(&new);
        }
        Some(old) => {
            unticked(model, old, &new);
            effects.extend(news(model, old, &new));
            effects.extend(standstill(model, old, &new));
        }
    }
    model.calendar.stale = true;
    model.tour.watch(&new);
    spoken(model, &new);
    follow(model, &new);
    let title = title(&new);
    if title != model.title {
        model.title.clone_from(&title);
        effects.push(Effect::Title(title));
    }
    effects
}

/// `checkout 2026.47: ROLL BACK (production)`.
fn title(s: &Situation) -> String {
    let band = &s.band;
    let what = band.release.as_deref().unwrap_or(&s.title);
    format!("{what}: {} ({})", band.advice.word(), band.environment)
}

/// The first situation: the cockpit lands on the next thing to do.
fn land(model: &mut Model, s: &Situation) {
    use crate::app::layout::Pane;
    let item = s.checklist.next.clone();
    let before = matches!(s.band.advice, Advice::NoGo | Advice::Go | Advice::Idle);
    if let (true, Some(item)) = (before, item) {
        model.pane = Pane::Checklist;
        let state = model.lists.entry(ListId::Checklist).or_default();
        state.selected = Some(item);
    } else if !s.band.reasons.is_empty() {
        model.on_band = true;
        model.pane = Pane::Metrics;
    }
}

/// The chart shows what the advice speaks of, until a person chooses a row. In the focused pane nothing moves by itself.
fn spoken(model: &mut Model, s: &Situation) {
    let chosen = model.lists.get(&ListId::Metrics).is_some_and(|l| l.chosen);
    if chosen || model.focused_list() == Some(ListId::Metrics) {
        return;
    }
    let rows = Listed::of(model, ListId::Metrics);
    let known = |key: &&str| rows.position(key).is_some();
    let keys = s.band.reasons.iter().filter_map(|r| r.evidence.as_deref());
    if let Some(key) = keys.into_iter().find(known) {
        let key = key.to_string();
        model.lists.entry(ListId::Metrics).or_default().selected = Some(key);
    }
}

/// A proof that aged out or turned bad took its tick back by itself: that is said, not left to be noticed.
fn unticked(model: &mut Model, old: &Situation, new: &Situation) {
    if old.current != new.current {
        return;
    }
    for item in &new.checklist.items {
        let was = old.checklist.items.iter().find(|i| i.id == item.id);
        let done = was.is_some_and(|i| i.verdict == Verdict::Pass);
        let by_itself = item.automatic || matches!(item.verdict, Verdict::Undecided { .. });
        if done && by_itself && item.verdict != Verdict::Pass {
            let text = format!("unticked itself: {}: {}", item.title, item.note);
            model.say(Loudness::Info, text);
        }
    }
}

/// A rollback that stands still and wants a person, said once.
fn standstill(model: &Model, old: &Situation, new: &Situation) -> Option<Effect> {
    let stuck = |s: &Situation| s.plan.as_ref().is_some_and(|p| p.stuck.is_some());
    let why = new.plan.as_ref()?.stuck.clone()?;
    (!stuck(old) && !model.focused).then(|| Effect::Notify {
        title: format!("rollback stands still ({})", new.band.environment),
        body: why,
    })
}

/// What the person must hear of although they look elsewhere: triggers that tripped just now, together in one message.
fn news(model: &Model, old: &Situation, new: &Situation) -> Option<Effect> {
    if model.focused {
        return None;
    }
    let before: BTreeSet<&str> = old
        .triggers
        .iter()
        .filter(|t| t.tripped)
        .map(|t| t.id.as_str())
        .collect();
    // Of a release that is looked at only now, nothing is news.
    let tripped: Vec<_> = new
        .triggers
        .iter()
        .filter(|t| t.tripped && !before.contains(t.id.as_str()) && old.current == new.current)
        .collect();
    let elsewhere = elsewhere(old, new);
    let Some(first) = tripped.first() else {
        let (title, _) = elsewhere.first()?;
        let body = elsewhere.iter().map(|(_, text)| text.as_str());
        return Some(Effect::Notify {
            title: format!("{title}: TRIPPED"),
            body: body.collect::<Vec<_>>().join("; "),
        });
    };
    let mut services: Vec<&str> = tripped.iter().map(|t| t.service.as_str()).collect();
    services.dedup();
    let body = tripped
        .iter()
        .map(|t| format!("trigger {} tripped: {}", t.trigger, t.distance))
        .chain(elsewhere.iter().map(|(r, text)| format!("{r}: {text}")));
    let title = match services.len() {
        0 | 1 => first.service.clone(),
        _ => services.join(", "),
    };
    Some(Effect::Notify {
        title: format!(
            "{title}: {} ({})",
            new.band.advice.word(),
            new.band.environment
        ),
        body: body.collect::<Vec<_>>().join("; "),
    })
}

/// Triggers of the releases that nobody looks at which tripped just now: release and sentence.
fn elsewhere(old: &Situation, new: &Situation) -> Vec<(String, String)> {
    let others = new
        .releases
        .iter()
        .filter(|r| Some(&r.plan.id) != new.current.as_ref());
    let fresh = others.flat_map(|r| {
        let was = old.releases.iter().find(|o| o.plan.id == r.plan.id);
        let known = move |text: &&String| was.is_some_and(|o| o.tripped.contains(text));
        let said = r.tripped.iter().filter(move |text| !known(text));
        said.map(|text| (r.plan.title.clone(), text.clone()))
    });
    fresh.collect()
}

/// Open views follow the new situation: evidence shows the newest numbers, a dialog notices that its target moved.
fn follow(model: &mut Model, s: &Situation) {
    let mut permitted = None;
    for overlay in &mut model.overlays {
        match overlay {
            Overlay::Evidence {
                key: Some(key),
                shown,
                ..
            } => {
                if let Some(e) = s.evidence.get(key) {
                    shown.clone_from(e);
                }
            }
            Overlay::Refusal {
                label,
                key: Some(key),
                refusals,
                selected,
            } => match s.permits.get(key) {
                Some(Permission::Refused(now)) => {
                    // The selected reason stays the selected one, by its rule.
                    let rule = refusals.get(*selected).map(|r| r.rule.clone());
                    let at = now.iter().position(|r| Some(&r.rule) == rule.as_ref());
                    *selected = at.unwrap_or(0);
                    refusals.clone_from(now);
                }
                Some(Permission::Granted(_)) => permitted = Some((key.clone(), label.clone())),
                None => {}
            },
            Overlay::Dialog(d) => {
                let same = matches!(
                    s.permits.get(&d.permit.action),
                    Some(Permission::Granted(p)) if p.basis == d.permit.basis
                );
                d.moved = !same;
            }
            _ => {}
        }
    }
    if let Some((gone, label)) = permitted {
        let same =
            |o: &Overlay| matches!(o, Overlay::Refusal { key, .. } if key.as_ref() == Some(&gone));
        model.overlays.retain(|o| !same(o));
        model.say(Loudness::Info, format!("{label}: permitted now"));
    }
    keep_up(model);
}

/// Keeps a new trouble that came with the situation, so that it is found among the messages later.
fn keep_up(model: &mut Model) {
    let Some(s) = model.situation.clone() else {
        return;
    };
    for trouble in &s.troubles {
        let known = model.notices.iter().any(|n| n.text == *trouble);
        if !known {
            model.note(Loudness::Error, trouble.clone(), true);
        }
    }
    // A list over the panes whose subject is gone closes itself rather than showing nothing.
    model.overlays.retain(|o| match o {
        Overlay::List(ListId::Handoff) => s.handoff.is_some(),
        Overlay::List(ListId::Plan) => s.plan.is_some(),
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Options;
    use crate::app::action::Scope;
    use crate::app::key::Key;
    use crate::domain::time::Now;

    fn model() -> Model {
        let at = chrono::DateTime::UNIX_EPOCH;
        let now = Now {
            world: at,
            real: at,
        };
        Model::new(Options::default(), (120, 40), now).unwrap()
    }

    fn means(model: &Model, key: char) -> &'static str {
        let found = model.keymap.find(Key::char(key), &[Scope::Global]);
        found.map_or("nothing", |a| a.id)
    }

    #[test]
    fn the_files_keys_come_into_force_and_a_conflict_keeps_those_before() {
        let mut model = model();
        let keys = |id: &str| Fact::Keys(BTreeMap::from([("x".to_owned(), id.to_owned())]));
        fact(&mut model, keys("rollback"));
        assert_eq!(means(&model, 'x'), "rollback");
        fact(&mut model, keys("no-such-action"));
        assert_eq!(means(&model, 'x'), "rollback");
        let said = &model.notices.last().unwrap().text;
        assert!(
            said.contains("[keys]") && said.contains("no-such-action"),
            "{said}"
        );
        fact(&mut model, Fact::Keys(BTreeMap::new()));
        assert_ne!(means(&model, 'x'), "rollback");
    }
}
