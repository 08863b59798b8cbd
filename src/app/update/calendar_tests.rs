//! The calendar pane: (model, message) → (model, effects).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::sync::Arc;

use super::moves::own;
use crate::app::action::{ACTIONS, Own, Scope};
use crate::app::calendar::{self, View};
use crate::app::fixture::{self, looked, press};
use crate::app::key::Key;
use crate::app::layout::Pane;
use crate::app::list::ListId;
use crate::app::model::{Model, Overlay};
use crate::app::msg::{Effect, Msg};
use crate::app::options::Options;
use crate::app::port::{Fact, Order};
use crate::app::update::update;
use crate::domain::calendar::{About, Look, Suppose};

const SIZES: [(u16, u16); 3] = [(200, 50), (120, 40), (80, 24)];

fn at(size: (u16, u16)) -> Model {
    fixture::model(size, Options::default(), Some(fixture::story()))
}

fn calendar_pane() -> Model {
    let mut m = at((200, 50));
    press(&mut m, &["1"]);
    m
}

/// A key without the engine's answer.
fn key(m: &mut Model, text: &str) -> Vec<Effect> {
    let now = m.now;
    update(m, now, Msg::Key(Key::parse(text).unwrap()))
}

fn look(effects: &[Effect]) -> Option<Look> {
    effects.iter().find_map(|e| match e {
        Effect::Order(Order::Look(look)) => Some((**look).clone()),
        _ => None,
    })
}

fn answer(m: &mut Model, look: &Look) -> Vec<Effect> {
    let now = m.now;
    update(m, now, Msg::Fact(Fact::Looked(Arc::new(looked(look)))))
}

fn requests(effects: &[Effect]) -> Vec<(String, Vec<(String, String)>)> {
    let act = |e: &Effect| match e {
        Effect::Order(Order::Act { request, .. }) => Some((
            request.action.clone(),
            request.inputs.clone().into_iter().collect(),
        )),
        _ => None,
    };
    effects.iter().filter_map(act).collect()
}

#[test]
fn the_small_pane_stays_calm_and_the_first_key_gives_it_room() {
    let mut m = calendar_pane();
    assert_eq!(calendar::drawn(&m), None);
    assert_eq!(
        look(&press(&mut m, &["j"])),
        None,
        "nothing is asked for the strip"
    );
    press(&mut m, &["e"]);
    assert_eq!((calendar::drawn(&m), m.zoom), (Some(View::Day), true));
    press(&mut m, &["esc"]);
    assert_eq!(calendar::drawn(&m), None);
    press(&mut m, &["e"]);
    assert_eq!(calendar::drawn(&m), Some(View::Day), "the same view again");
    let mut m = calendar_pane();
    press(&mut m, &["z"]);
    assert_eq!(
        calendar::drawn(&m),
        Some(View::Week),
        "zoomed it uses the room"
    );
    let mut m = at((80, 24));
    press(&mut m, &["1"]);
    assert_eq!(calendar::drawn(&m), None, "one pane shows the agenda first");
}

#[test]
fn keys_go_through_the_views_and_back() {
    for size in SIZES {
        let mut m = at(size);
        press(&mut m, &["1"]);
        for view in [View::Day, View::Week, View::Month, View::Lanes] {
            press(&mut m, &["e"]);
            assert_eq!(calendar::drawn(&m), Some(view), "{size:?}");
            assert!(calendar::span(&m).is_some(), "{size:?}: not answered");
        }
        press(&mut m, &["e"]);
        assert_eq!(m.calendar.view, View::Agenda);
        own(&mut m, Own::TurnView(false));
        assert_eq!(m.calendar.view, View::Lanes);
        press(&mut m, &["e", "t"]);
        assert_eq!(m.calendar.view, View::Lanes);
    }
}

#[test]
fn one_question_is_out_at_a_time_and_the_last_wish_is_asked_then() {
    let mut m = calendar_pane();
    let first = look(&key(&mut m, "t")).unwrap();
    for _ in 0..50 {
        assert_eq!(look(&key(&mut m, "right")), None, "the answer is still out");
    }
    let second = look(&answer(&mut m, &first)).unwrap();
    assert!(second.seq > first.seq);
    assert_eq!(second.span, calendar::period(&m));
    assert!(
        calendar::span(&m).is_none(),
        "the old days are not drawn as the new ones"
    );
    assert_eq!(
        look(&answer(&mut m, &first)),
        None,
        "a late answer is dropped"
    );
    assert_eq!(look(&answer(&mut m, &second)), None);
    assert!(calendar::span(&m).is_some());
}

#[test]
fn a_new_situation_asks_again_and_nobody_looking_asks_nothing() {
    let mut m = calendar_pane();
    press(&mut m, &["t"]);
    let news = |m: &mut Model| {
        let now = m.now;
        let effects = update(
            m,
            now,
            Msg::Fact(Fact::Assessed(Arc::new(fixture::story()))),
        );
        look(&effects)
    };
    let again = news(&mut m).unwrap();
    answer(&mut m, &again);
    press(&mut m, &["esc"]);
    assert_eq!(news(&mut m), None);
    assert!(m.calendar.span.is_none());
}

#[test]
fn days_weeks_and_months_are_gone_through_with_the_arrows() {
    let mut m = calendar_pane();
    let day = |m: &Model| calendar::cursor(m).to_string();
    press(&mut m, &["e", "right"]);
    assert_eq!(day(&m), "2026-11-22");
    press(&mut m, &["left", "left", "pgup"]);
    assert_eq!(day(&m), "2026-11-19");
    press(&mut m, &["n", "e", "down"]);
    assert_eq!(day(&m), "2026-11-22", "in the week down is a day");
    press(&mut m, &["pgdn", "g"]);
    assert_eq!(day(&m), "2026-11-23");
    press(&mut m, &["G"]);
    assert_eq!(day(&m), "2026-11-29");
    press(&mut m, &["n", "e", "j"]);
    assert_eq!(day(&m), "2026-11-28", "in the month down is a week");
    press(&mut m, &["pgdn"]);
    assert_eq!(day(&m), "2026-12-28");
    press(&mut m, &["g"]);
    assert_eq!(day(&m), "2026-12-01");
    press(&mut m, &["G"]);
    assert_eq!(day(&m), "2026-12-31");
    assert_eq!(
        m.selected(ListId::Calendar).as_deref(),
        Some("calendar/day/2026-12-31")
    );
}

#[test]
fn a_date_is_read_as_it_is_typed() {
    let mut m = at((200, 50));
    press(&mut m, &["@"]);
    let seen = |m: &Model| match m.overlays.last() {
        Some(Overlay::GoTo {
            meant, complaint, ..
        }) => (meant.map(|d| d.to_string()), complaint.clone()),
        _ => panic!("no question for a date"),
    };
    assert_eq!(seen(&m), (None, None), "nothing typed is nothing wrong");
    press(&mut m, &["t", "o", "m"]);
    assert!(seen(&m).1.unwrap().contains("\"tom\" is no date"));
    press(&mut m, &["o", "r", "r", "o", "w"]);
    assert_eq!(seen(&m), (Some("2026-11-22".into()), None));
    press(&mut m, &["enter"]);
    assert_eq!((m.pane, m.overlays.len()), (Pane::Calendar, 0));
    assert_eq!(
        m.selected(ListId::Calendar).as_deref(),
        Some("calendar/day/2026-11-22")
    );
    assert!(!m.zoom, "a day of the strip needs no other view");
    press(&mut m, &["@", "2", "4", ".", "1", "2", ".", "enter"]);
    assert_eq!(calendar::drawn(&m), Some(View::Month));
    assert_eq!(calendar::cursor(&m).to_string(), "2026-12-24");
}

#[test]
fn the_zone_shown_is_local_or_utc() {
    let mut m = calendar_pane();
    press(&mut m, &["e"]);
    let local = calendar::period(&m);
    press(&mut m, &["Z"]);
    assert_eq!(calendar::zone(&m), chrono_tz::UTC);
    assert_eq!((calendar::period(&m).start - local.start).num_hours(), 1);
    press(&mut m, &["Z"]);
    assert_eq!(calendar::period(&m), local);
}

#[test]
fn a_filter_scopes_the_question_and_the_rest_filters_the_rows() {
    let mut m = calendar_pane();
    press(&mut m, &["t", "/"]);
    let mut last = None;
    for c in "team:shop search".chars() {
        let typed = if c == ' ' {
            "space".to_owned()
        } else {
            c.to_string()
        };
        let effects = key(&mut m, &typed);
        if let Some(look) = look(&effects) {
            answer(&mut m, &look);
            last = Some(look);
        }
    }
    press(&mut m, &["enter"]);
    assert_eq!(last.unwrap().scope.team.as_deref(), Some("shop"));
    let rows = calendar::lanes(&m);
    assert!(
        !rows.is_empty()
            && rows
                .iter()
                .all(|r| r.bars.iter().all(|b| b.name.contains("search")))
    );
}

#[test]
fn enter_tells_the_rules_of_a_day_and_of_a_release() {
    let mut m = calendar_pane();
    press(&mut m, &["e", "e", "right"]);
    let asked = look(&key(&mut m, "enter")).unwrap();
    assert!(matches!(&asked.about, Some(About::Span { title, .. }) if title == "Sun 22 Nov 2026"));
    answer(&mut m, &asked);
    let shown = |m: &Model| match m.overlays.last() {
        Some(Overlay::Evidence { shown, .. }) => shown.lines.clone(),
        _ => panic!("no evidence"),
    };
    assert!(
        shown(&m).iter().any(|(label, _)| label == "release"),
        "{:?}",
        shown(&m)
    );
    press(&mut m, &["esc", "n", "t", "j"]);
    let asked = look(&key(&mut m, "enter")).unwrap();
    assert_eq!(asked.about, Some(About::Release("search-2026.48".into())));
    // Also from the small pane's rows.
    let mut m = calendar_pane();
    m.lists.entry(ListId::Calendar).or_default().selected =
        Some("calendar/release/search-2026.48".into());
    let asked = look(&key(&mut m, "enter")).unwrap();
    assert_eq!(asked.about, Some(About::Release("search-2026.48".into())));
}

fn supposing() -> Model {
    let mut m = calendar_pane();
    press(&mut m, &["t", "j", "I"]);
    m
}

fn supposed(m: &Model) -> String {
    m.calendar
        .suppose
        .as_ref()
        .unwrap()
        .at()
        .format("%d %H:%M")
        .to_string()
}

#[test]
fn a_what_if_moves_by_quarters_hours_and_days() {
    let mut m = supposing();
    assert!(
        matches!(&m.calendar.suppose, Some(Suppose::Release { id, .. }) if id == "search-2026.48")
    );
    // Planned at 09:42 UTC: onto whole quarters from the first step on.
    assert_eq!(supposed(&m), "23 09:42");
    press(&mut m, &["right"]);
    assert_eq!(supposed(&m), "23 09:45");
    press(&mut m, &["left"]);
    assert_eq!(supposed(&m), "23 09:30");
    press(&mut m, &["down", "down", "up"]);
    assert_eq!(supposed(&m), "23 10:30");
    press(&mut m, &["pgdn"]);
    assert_eq!(supposed(&m), "24 10:30");
    assert_eq!(
        m.calendar
            .span
            .as_ref()
            .unwrap()
            .what_if
            .as_ref()
            .unwrap()
            .mark
            .word,
        "refused: freeze"
    );
    press(&mut m, &["pgup", "pgup", "pgup", "pgup"]);
    assert_eq!(
        supposed(&m),
        "21 15:30",
        "never before the quarter that runs"
    );
    press(&mut m, &["I"]);
    assert!(matches!(m.calendar.suppose, Some(Suppose::Now { .. })));
}

#[test]
fn nothing_real_is_done_from_a_what_if_and_esc_leaves_it() {
    for a in ACTIONS.iter().filter(|a| a.is_act() && a.id != "move") {
        let mut m = supposing();
        // Those without a key are in the palette only.
        let Some(key) = a.keys.first().filter(|_| a.scope == Scope::Global) else {
            continue;
        };
        let effects = press(&mut m, &[key]);
        assert!(requests(&effects).is_empty(), "{}", a.id);
        assert!(m.overlays.is_empty(), "{}: {:?}", a.id, m.overlays);
        assert!(m.notice().unwrap().text.contains("WHAT-IF"), "{}", a.id);
    }
    let mut m = supposing();
    let effects = press(&mut m, &["right", "pgdn", "esc"]);
    assert!(requests(&effects).is_empty());
    assert_eq!(m.calendar.suppose, None);
    assert_eq!(
        calendar::drawn(&m),
        Some(View::Lanes),
        "esc backs out of one thing"
    );
    press(&mut m, &["R"]);
    assert!(!m.overlays.is_empty(), "real again");
}

#[test]
fn what_is_supposed_is_written_by_its_key_and_a_confirmation() {
    let mut m = supposing();
    let effects = press(&mut m, &["right", "w"]);
    assert!(requests(&effects).is_empty(), "a key alone writes nothing");
    let Some(Overlay::Dialog(d)) = m.overlays.last() else {
        panic!("no dialog");
    };
    assert_eq!(d.permit.action, "move/search-2026.48");
    let effects = press(&mut m, &["right", "enter"]);
    let inputs = vec![("start".to_owned(), "2026-11-23T10:45:00+01:00".to_owned())];
    assert_eq!(
        requests(&effects),
        [("move/search-2026.48".to_owned(), inputs)]
    );
    assert_eq!(m.calendar.suppose, None);
    // Now cannot be written.
    let mut m = supposing();
    press(&mut m, &["I", "w"]);
    assert!(m.overlays.is_empty());
}

#[test]
fn read_only_looks_and_supposes_and_writes_nothing() {
    let options = Options {
        read_only: true,
        ..Options::default()
    };
    let mut m = fixture::model((200, 50), options, Some(fixture::story()));
    press(&mut m, &["1", "t", "j", "I", "right"]);
    assert!(m.calendar.suppose.is_some());
    press(&mut m, &["w"]);
    assert!(m.overlays.is_empty());
    press(&mut m, &["esc", "N"]);
    assert!(m.overlays.is_empty());
}

#[test]
fn a_plan_is_judged_as_it_is_typed_and_written_once_it_is_sound() {
    let mut m = at((200, 50));
    let asked = look(&key(&mut m, "N")).unwrap();
    assert_eq!(
        asked.draft.as_ref().unwrap().get("environment").unwrap(),
        "production"
    );
    answer(&mut m, &asked);
    let form = |m: &Model| match m.overlays.last() {
        Some(Overlay::Dialog(d)) => (**d).clone(),
        _ => panic!("no form"),
    };
    assert!(
        form(&m)
            .problem(&form(&m).fields[0])
            .unwrap()
            .contains("missing")
    );
    // `w` in a field is a letter; with a problem nothing is written.
    let effects = press(&mut m, &["w"]);
    assert!(requests(&effects).is_empty());
    assert_eq!(form(&m).fields[0].edit.text(), "w");
    assert!(
        form(&m).problem(&form(&m).fields[0]).is_none(),
        "judged anew with each key"
    );
    assert!(
        form(&m)
            .live
            .unwrap()
            .lines
            .iter()
            .any(|l| l.label == "conflict")
    );
    // The required fields are filled in, then `w` on the button writes.
    for field in 1..11 {
        press(&mut m, &["tab"]);
        if field == 3 || field == 4 {
            press(&mut m, &["x"]);
        }
    }
    let effects = press(&mut m, &["tab", "tab", "w"]);
    let sent = requests(&effects);
    assert_eq!(sent.len(), 1, "{:?}", form(&m).complaint);
    assert_eq!(sent[0].0, "plan");
    assert!(sent[0].1.contains(&("id".to_owned(), "w".to_owned())));
}

#[test]
fn a_plan_that_is_wrong_or_not_read_yet_is_not_written() {
    let mut m = at((200, 50));
    press(&mut m, &["N", "shift-tab", "shift-tab"]);
    // shift-tab from the first field: the write button lies before it, and Cancel.
    let mut effects = press(&mut m, &["tab", "enter"]);
    effects.extend(press(&mut m, &["w"]));
    assert!(requests(&effects).is_empty());
    let mut m = at((200, 50));
    let asked = look(&key(&mut m, "N")).unwrap();
    answer(&mut m, &asked);
    for text in ["x", "tab", "tab", "tab", "x", "tab", "x"] {
        key(&mut m, text);
    }
    for _ in 0..8 {
        key(&mut m, "tab");
    }
    let effects = key(&mut m, "w");
    assert!(requests(&effects).is_empty(), "not judged yet");
    let Some(Overlay::Dialog(d)) = m.overlays.last() else {
        panic!("no form");
    };
    assert!(d.complaint.as_ref().unwrap().contains("being read"));
}

#[test]
fn a_chosen_day_is_the_plans_first_wish() {
    let mut m = calendar_pane();
    press(&mut m, &["@", "+", "3", "enter", "N"]);
    let Some(Overlay::Dialog(d)) = m.overlays.last() else {
        panic!("no form");
    };
    let start = d
        .fields
        .iter()
        .find(|f| f.key.as_deref() == Some("start"))
        .unwrap();
    assert_eq!(start.edit.text(), "2026-11-24 10:00");
}
