//! (model, message) → (model, effects).

use std::sync::Arc;

use super::*;
use crate::app::action;
use crate::app::fixture::{self, press};
use crate::app::key::{Code, Key};
use crate::app::model::{Model, Overlay};
use crate::app::options::Options;
use crate::app::port::Fact;
use crate::app::tour::Stop;
use crate::domain::situation::{Permission, Situation};

const WIDE: (u16, u16) = (200, 50);

fn story() -> Model {
    fixture::model(WIDE, Options::default(), Some(fixture::story()))
}

fn with(s: Situation) -> Model {
    fixture::model(WIDE, Options::default(), Some(s))
}

fn tell(m: &mut Model, fact: Fact) -> Vec<Effect> {
    let now = m.now;
    update(m, now, Msg::Fact(fact))
}

fn assess(m: &mut Model, s: Situation) -> Vec<Effect> {
    tell(m, Fact::Assessed(Arc::new(s)))
}

fn acts(effects: &[Effect]) -> Vec<String> {
    let act = |e: &Effect| match e {
        Effect::Order(Order::Act { request, .. }) => Some(request.action.clone()),
        _ => None,
    };
    effects.iter().filter_map(act).collect()
}

fn top(m: &Model) -> String {
    match m.overlays.last() {
        None => "panes".into(),
        Some(Overlay::Dialog(d)) => format!("dialog {}", d.permit.action),
        Some(Overlay::Refusal { label, .. }) => format!("refusal {label}"),
        Some(Overlay::Evidence { shown, .. }) => format!("evidence {}", shown.title),
        Some(Overlay::Quit { .. }) => "quit".into(),
        Some(Overlay::List(l)) => format!("list {}", l.title()),
        Some(Overlay::Help { .. }) => "help".into(),
        Some(Overlay::Palette { .. }) => "palette".into(),
        Some(Overlay::Document { title, .. }) => format!("document {title}"),
        Some(Overlay::GoTo { .. }) => "goto".into(),
    }
}

#[test]
fn it_lands_on_the_next_thing_to_do() {
    let mut m = story();
    assert!(m.on_band);
    press(&mut m, &["enter"]);
    assert!(top(&m).starts_with("evidence gate p95"), "{}", top(&m));
    let mut s = fixture::story();
    s.band.advice = crate::domain::situation::Advice::NoGo;
    let m = with(s);
    assert_eq!(m.pane, Pane::Checklist);
    assert_eq!(m.selected(ListId::Checklist).as_deref(), Some("dashboards"));
}

#[test]
fn the_chart_follows_the_advice_until_a_row_is_chosen() {
    let mut m = story();
    assert_eq!(
        m.selected(ListId::Metrics).as_deref(),
        Some("gate/checkout/p95/3")
    );
    assess(&mut m, fixture::tripped());
    assert_eq!(
        m.selected(ListId::Metrics).as_deref(),
        Some("trigger/checkout/p95-high")
    );
    assert_eq!(shown_metric(&m).unwrap().id, "checkout/p95");
    press(&mut m, &["4"]);
    assess(&mut m, fixture::story());
    assert_eq!(
        m.selected(ListId::Metrics).as_deref(),
        Some("trigger/checkout/p95-high"),
        "in the focused pane nothing moves"
    );
    press(&mut m, &["G", "1"]);
    assess(&mut m, fixture::tripped());
    assert_eq!(
        m.selected(ListId::Metrics).as_deref(),
        Some("metric/payments/error_rate")
    );
}

#[test]
fn a_steering_key_is_about_the_selected_deployment() {
    let mut s = fixture::story();
    for key in ["abort", "abort/payments"] {
        let mut permit = fixture::rollback_permit();
        permit.action = key.into();
        s.permits.insert(key.into(), Permission::Granted(permit));
    }
    s.band.environment.clone_from(&s.deployments[0].environment);
    let row = s.deployments.iter().find(|d| d.service == "payments");
    let row = row.unwrap().id.clone();
    let mut m = with(s);
    press(&mut m, &["2", "g"]);
    for _ in 0..20 {
        if m.selected(ListId::Deploys).as_ref() == Some(&row) {
            break;
        }
        press(&mut m, &["j"]);
    }
    press(&mut m, &["a"]);
    assert_eq!(top(&m), "dialog abort/payments");
    press(&mut m, &["esc", "1", "a"]);
    assert_eq!(top(&m), "dialog abort", "nothing is selected: the first");
}

#[test]
fn the_stopped_line_stands_over_the_deployments_until_it_is_let_go() {
    use crate::domain::situation::{LineSystem, LineView, Mark, Tone};
    let mut s = fixture::story();
    let system = |service: &str, word: &str, note: &str| LineSystem {
        service: service.into(),
        mark: Mark::new(word, Tone::Hold),
        note: note.into(),
    };
    s.line = Some(LineView {
        environment: "production".into(),
        since: s.now.world,
        by: "ana".into(),
        reason: "baskets are lost".into(),
        systems: vec![
            system("checkout", "obeyed", "paused"),
            system("mailer", "cannot pause", "connector github cannot pause"),
        ],
    });
    let mut m = with(s);
    press(&mut m, &["2"]);
    let rows: Vec<String> = rows::rows(&m, ListId::Deploys)
        .iter()
        .map(rows::Row::plain)
        .collect();
    let text = rows.join("\n");
    for part in [
        "LINE STOPPED",
        "by ana",
        "baskets are lost",
        "checkout: obeyed, paused",
        "mailer: cannot pause, connector github cannot pause",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_refused_act_says_why_and_sends_nothing() {
    let mut m = story();
    let effects = press(&mut m, &["p"]);
    assert_eq!(acts(&effects), Vec::<String>::new());
    assert_eq!(top(&m), "refusal promote");
    press(&mut m, &["enter", "space", "p"]);
    assert_eq!(top(&m), "refusal promote", "nothing but esc leaves it");
    press(&mut m, &["esc"]);
    assert_eq!(top(&m), "panes");
}

#[test]
fn no_key_alone_acts_unless_it_is_undone_by_a_key() {
    let keys: Vec<&str> = action::ACTIONS
        .iter()
        .flat_map(|a| a.keys)
        .copied()
        .collect();
    for key in keys {
        for pane in ["1", "2", "3", "4", "5", "6", "0"] {
            let mut m = with(fixture::rolling_back());
            press(&mut m, &[pane]);
            for act in acts(&press(&mut m, &[key])) {
                assert!(
                    act.starts_with("tick/") || act.starts_with("take/"),
                    "{key}: {act}"
                );
            }
        }
    }
}

#[test]
fn a_rollback_wants_the_name_and_the_confirming_key() {
    let mut m = with(fixture::tripped());
    let mut effects = press(&mut m, &["R", "R", "R", "enter"]);
    assert_eq!(top(&m), "panes", "enter on Cancel closes");
    effects.extend(press(&mut m, &["R", "right", "enter"]));
    assert_eq!(top(&m), "dialog rollback", "the name is missing");
    assert_eq!(acts(&effects), Vec::<String>::new());
    let typed = ["c", "h", "e", "c", "k", "o", "u", "t", "enter", "enter"];
    assert_eq!(acts(&press(&mut m, &typed)), Vec::<String>::new());
    assert_eq!(acts(&press(&mut m, &["space"])), ["rollback"]);
    assert_eq!(m.under_way(), ["Roll back checkout in PRODUCTION"]);
    assert_eq!(m.tour.stop, Stop::Watch);
    tell(
        &mut m,
        Fact::Done {
            seq: 1,
            result: Ok("rollback started".into()),
        },
    );
    assert!(m.under_way().is_empty());
    assert_eq!(m.notice().unwrap().text, "rollback started");
}

#[test]
fn a_dialog_whose_target_moved_cannot_be_confirmed() {
    let mut m = with(fixture::tripped());
    press(&mut m, &["R"]);
    let mut moved = fixture::tripped();
    let mut permit = fixture::rollback_permit();
    permit.basis = "another".into();
    moved
        .permits
        .insert("rollback".into(), Permission::Granted(permit));
    assess(&mut m, moved);
    let keys = [
        "c", "h", "e", "c", "k", "o", "u", "t", "enter", "right", "enter",
    ];
    assert_eq!(acts(&press(&mut m, &keys)), Vec::<String>::new());
    assert_eq!(top(&m), "dialog rollback");
}

#[test]
fn a_refusal_that_comes_back_from_the_engine_is_shown_and_kept() {
    let mut m = story();
    press(&mut m, &["3"]);
    select(&mut m, ListId::Checklist, "dashboards");
    assert_eq!(acts(&press(&mut m, &["space"])), ["tick/dashboards"]);
    let refusal = crate::domain::situation::Refusal::new("moved", "the item was removed");
    tell(
        &mut m,
        Fact::Done {
            seq: 1,
            result: Err(vec![refusal]),
        },
    );
    assert_eq!(top(&m), "refusal tick dashboards");
    press(&mut m, &["esc", "M"]);
    assert!(
        rows::rows(&m, ListId::Messages)
            .iter()
            .any(|r| r.plain().contains("removed"))
    );
}

fn select(m: &mut Model, list: ListId, id: &str) {
    m.lists.entry(list).or_default().selected = Some(id.into());
}

#[test]
fn a_row_that_vanished_is_not_acted_upon_and_nothing_takes_its_place() {
    let mut m = story();
    press(&mut m, &["3"]);
    select(&mut m, ListId::Checklist, "dashboards");
    let mut s = fixture::story();
    s.checklist.items.retain(|i| i.id != "dashboards");
    assess(&mut m, s);
    assert_eq!(m.selected(ListId::Checklist), None);
    assert_eq!(acts(&press(&mut m, &["space"])), Vec::<String>::new());
    let mut s = fixture::story();
    s.checklist.items.reverse();
    assess(&mut m, s);
    assert_eq!(
        m.selected(ListId::Checklist).as_deref(),
        Some("dashboards"),
        "it follows the id"
    );
}

#[test]
fn what_is_not_drawn_gets_no_keys() {
    let mut m = fixture::model((80, 24), Options::default(), Some(fixture::story()));
    press(&mut m, &["3"]);
    select(&mut m, ListId::Checklist, "dashboards");
    press(&mut m, &["2"]);
    assert_eq!(acts(&press(&mut m, &["space"])), Vec::<String>::new());
    assert_eq!(acts(&press(&mut m, &["3", "space"])), ["tick/dashboards"]);
    // Under an overlay the pane below gets none either, nor do acts.
    let mut m = story();
    press(&mut m, &["3"]);
    select(&mut m, ListId::Checklist, "dashboards");
    for over in ["d", "f", "p", "?", ":"] {
        let effects = press(&mut m, &[over, "space", "R", "b"]);
        assert_eq!(acts(&effects), Vec::<String>::new(), "{over}");
        assert!(!top(&m).starts_with("dialog"), "{over}");
        press(&mut m, &["esc"]);
    }
}

#[test]
fn a_tiny_window_takes_only_the_way_out() {
    let mut m = fixture::model((30, 8), Options::default(), Some(fixture::story()));
    let keys: Vec<&str> = action::ACTIONS
        .iter()
        .flat_map(|a| a.keys)
        .copied()
        .filter(|k| !["q", "ctrl-c", "ctrl-z"].contains(k))
        .collect();
    assert!(press(&mut m, &keys).is_empty());
    assert_eq!(top(&m), "panes");
    assert_eq!(press(&mut m, &["q"]), [Effect::Quit]);
    let mut m = fixture::model((30, 8), Options::default(), Some(fixture::rolling_back()));
    assert!(
        press(&mut m, &["q", "q"]).is_empty(),
        "it must be asked, so it must be drawn"
    );
}

#[test]
fn leaving_asks_while_something_is_under_way() {
    let mut m = story();
    assert_eq!(press(&mut m, &["q"]), [Effect::Quit]);
    let mut m = with(fixture::rolling_back());
    assert!(press(&mut m, &["q"]).is_empty());
    assert_eq!(top(&m), "quit");
    assert!(
        press(&mut m, &["q", "q", "enter"]).is_empty(),
        "Stay has the focus"
    );
    assert_eq!(top(&m), "panes");
    assert_eq!(press(&mut m, &["q", "tab", "enter"]), [Effect::Quit]);
}

#[test]
fn read_only_offers_no_act_anywhere() {
    let options = Options {
        read_only: true,
        ..Options::default()
    };
    for action in action::ACTIONS.iter().filter(|a| a.is_act()) {
        for pane in ["1", "2", "3", "4", "5", "6", "0", "d", "h", "f"] {
            let mut m = fixture::model(WIDE, options.clone(), Some(fixture::rolling_back()));
            press(&mut m, &[pane]);
            let effects = press(&mut m, action.keys);
            assert_eq!(acts(&effects), Vec::<String>::new(), "{}", action.id);
            let top = top(&m);
            assert!(
                !top.starts_with("dialog") && !top.starts_with("refusal"),
                "{}",
                action.id
            );
            // Not even when the action itself is handed in.
            let effects = super::acts::act(&mut m, action, Key::char('x'));
            assert!(effects.is_empty(), "{}", action.id);
        }
    }
}

#[test]
fn esc_only_backs_out() {
    let mut m = story();
    for open in ["p", "enter", "?", ":", "@", "d", "R", "z"] {
        let mut n = m.clone();
        let effects = press(&mut n, &[open, "esc", "esc", "esc", "esc", "esc"]);
        let harmless = |e: &Effect| matches!(e, Effect::Order(Order::Focus { .. }));
        assert!(effects.iter().all(harmless), "{open}: {effects:?}");
        assert_eq!(top(&n), "panes");
        assert!(!n.zoom);
    }
    assert!(press(&mut m, &["esc"; 9]).is_empty());
    assert!(!m.quitting);
}

#[test]
fn pasted_text_is_never_run_as_keys() {
    let mut m = with(fixture::tripped());
    let now = m.now;
    assert!(update(&mut m, now, Msg::Pasted("R\tcheckout\nq".into())).is_empty());
    assert_eq!(top(&m), "panes");
    assert!(m.notice().unwrap().text.contains("dropped"));
    press(&mut m, &["R"]);
    update(&mut m, now, Msg::Pasted("checkout".into()));
    let Some(Overlay::Dialog(d)) = m.overlays.last() else {
        panic!("no dialog");
    };
    assert!(
        d.fields
            .iter()
            .all(|f| f.expects.is_none() || f.edit.text().is_empty())
    );
    press(&mut m, &["shift-tab"]);
    update(&mut m, now, Msg::Pasted("check\u{1b}out\n".into()));
    let Some(Overlay::Dialog(d)) = m.overlays.last() else {
        panic!("no dialog");
    };
    assert_eq!(d.fields.last().unwrap().edit.text(), "checkout");
}

#[test]
fn the_palette_opens_what_the_key_opens_and_wants_another_key_to_confirm() {
    let mut m = with(fixture::tripped());
    press(&mut m, &[":", "r", "o", "l", "l", "space", "b", "enter"]);
    assert_eq!(top(&m), "dialog rollback");
    let Some(Overlay::Dialog(d)) = m.overlays.last() else {
        panic!("no dialog");
    };
    assert_eq!(d.confirm_key(), Key::char(' '));
    // A row's act is not done from afar.
    press(&mut m, &["esc", "2", ":", "t", "i", "c", "k", "enter"]);
    assert!(m.in_flight.is_empty());
}

#[test]
fn a_filter_narrows_and_esc_clears_it() {
    let mut m = story();
    press(&mut m, &["6", "/", "g", "a", "t", "e"]);
    assert_eq!(rows::rows(&m, ListId::Journal).len(), 3);
    press(&mut m, &["enter", "q"]);
    assert!(m.quitting, "after enter the keys are keys again");
    let mut m = story();
    press(&mut m, &["6", "/", "q", "esc"]);
    assert_eq!(rows::rows(&m, ListId::Journal).len(), 10);
    assert!(!m.quitting);
}

#[test]
fn a_tripped_trigger_rings_once_and_only_while_nobody_looks() {
    // A terminal that never says whether it has the focus rings, too.
    for (focus, rings) in [(Some(true), 0), (Some(false), 1), (None, 1)] {
        let mut m = story();
        let now = m.now;
        if let Some(focus) = focus {
            update(&mut m, now, Msg::Focused(focus));
        }
        let effects = assess(&mut m, fixture::tripped());
        assert_eq!(
            effects.iter().filter(|e| is_bell(e)).count(),
            rings,
            "{focus:?}"
        );
        assert!(!assess(&mut m, fixture::tripped()).iter().any(is_bell));
    }
}

#[test]
fn a_trip_of_a_release_that_is_not_looked_at_rings_once_and_looking_at_it_does_not() {
    let mut m = story();
    let mut s = fixture::story();
    s.releases[1].tripped = vec!["search: trigger p95>slo tripped: 900 ms".into()];
    let effects = assess(&mut m, s.clone());
    let said: Vec<String> = effects
        .iter()
        .filter(|e| is_bell(e))
        .map(|e| format!("{e:?}"))
        .collect();
    assert_eq!(said.len(), 1);
    assert!(
        said[0].contains(&s.releases[1].plan.title) && said[0].contains("900 ms"),
        "{said:?}"
    );
    assert!(!assess(&mut m, s.clone()).iter().any(is_bell));
    let mut there = fixture::tripped();
    there.current = Some(s.releases[1].plan.id.clone());
    there.releases = s.releases;
    assert!(
        !assess(&mut m, there).iter().any(is_bell),
        "looked at, not tripped just now"
    );
}

#[test]
fn a_rollback_that_stands_still_rings_once() {
    let mut m = story();
    assess(&mut m, fixture::rolling_back());
    let now = m.now;
    update(&mut m, now, Msg::Focused(false));
    let mut s = fixture::rolling_back();
    s.plan.as_mut().unwrap().stuck = Some("2.13.4 does not serve after 30 m".into());
    let effects = assess(&mut m, s.clone());
    assert_eq!(effects.iter().filter(|e| is_bell(e)).count(), 1);
    assert!(!assess(&mut m, s).iter().any(is_bell));
}

fn is_bell(e: &Effect) -> bool {
    matches!(e, Effect::Notify { .. })
}

#[test]
fn an_older_situation_never_takes_the_place_of_a_newer() {
    let mut m = story();
    let mut old = fixture::tripped();
    old.now.real -= chrono::Duration::seconds(5);
    assess(&mut m, old);
    assert_eq!(m.situation.unwrap().band.advice.word(), "HOLD");
}

#[test]
fn the_engine_hears_what_is_looked_at_once() {
    let mut m = Model::new(Options::default(), WIDE, fixture::now()).unwrap();
    let focus = |e: &Effect| matches!(e, Effect::Order(Order::Focus { .. }));
    let first = assess(&mut m, fixture::story());
    assert_eq!(first.iter().filter(|e| focus(e)).count(), 1);
    assert!(!assess(&mut m, fixture::story()).iter().any(focus));
    let moved = press(&mut m, &["4", "j", "j", "j"]);
    let want = Effect::Order(Order::Focus {
        release: Some("checkout-2026.47".into()),
        service: Some("payments".into()),
    });
    assert_eq!(moved, [want]);
}

#[test]
fn what_went_wrong_stays_until_it_is_dismissed() {
    let mut m = story();
    tell(&mut m, Fact::Trouble("the journal is slow".into()));
    press(&mut m, &["j", "k", "m"]);
    assert_eq!(m.notice().unwrap().text, "the journal is slow");
    press(&mut m, &["esc"]);
    assert!(m.notice().is_none());
    press(&mut m, &["M"]);
    assert!(
        rows::rows(&m, ListId::Messages)
            .iter()
            .any(|r| r.plain().contains("slow"))
    );
}

#[test]
fn a_refusal_on_screen_follows_the_situation() {
    let mut m = story();
    press(&mut m, &["p"]);
    let mut s = fixture::story();
    let permit = fixture::rollback_permit();
    s.permits
        .insert("promote".into(), Permission::Granted(permit));
    assess(&mut m, s);
    assert_eq!(top(&m), "panes");
    assert_eq!(m.notice().unwrap().text, "promote: permitted now");
}

#[test]
fn an_override_is_asked_for_from_the_refusal_and_answers_it() {
    let mut m = story();
    press(&mut m, &["D"]);
    assert_eq!(top(&m), "refusal deploy");
    press(&mut m, &["o"]);
    assert_eq!(top(&m), "dialog override/freeze/quarter end");
    press(&mut m, &["esc"]);
    assert_eq!(top(&m), "refusal deploy");
    let effects = press(&mut m, &["o", "right", "enter"]);
    assert_eq!(acts(&effects), ["override/freeze/quarter end"]);
    assert_eq!(top(&m), "panes");
    press(&mut m, &["D", "j", "o"]);
    assert_eq!(
        top(&m),
        "refusal override gate/checkout/p95/40 %",
        "no permit: not offered"
    );
}

/// A request is open: the same key confirms it, another declines it, and the glass is beside them.
#[test]
fn a_second_person_answers_from_the_refusal() {
    let rule = "freeze/quarter end";
    let mut s = fixture::story();
    let mut confirm = fixture::rollback_permit();
    confirm.action = format!("override/{rule}");
    confirm.typed = None;
    confirm.inputs = vec![crate::domain::situation::Input {
        key: "second".into(),
        label: "second person".into(),
        required: true,
        default: String::new(),
    }];
    for prefix in ["override", "decline_override", "break_glass"] {
        let mut p = confirm.clone();
        p.action = format!("{prefix}/{rule}");
        s.permits.insert(p.action.clone(), Permission::Granted(p));
    }
    let mut m = with(s);
    for (key, prefix) in [
        ("n", "decline_override"),
        ("O", "break_glass"),
        ("o", "override"),
    ] {
        press(&mut m, &["D", key]);
        assert_eq!(top(&m), format!("dialog {prefix}/{rule}"));
        press(&mut m, &["esc", "esc"]);
        assert_eq!(top(&m), "panes");
    }
    // The one field that is empty takes what is typed; without a name nothing is sent.
    assert_eq!(
        acts(&press(&mut m, &["D", "o", "right", "enter"])),
        Vec::<String>::new()
    );
    let effects = press(&mut m, &["t", "o", "m", "tab", "tab", "enter"]);
    let sent = effects.iter().find_map(|e| match e {
        Effect::Order(Order::Act { request, .. }) => Some(request.clone()),
        _ => None,
    });
    let sent = sent.unwrap();
    assert_eq!(sent.action, format!("override/{rule}"));
    assert_eq!(sent.inputs["second"], "tom");
    assert_eq!(top(&m), "panes", "the refusal below is answered");
}

#[test]
fn a_release_that_was_chosen_stays_the_one_also_behind_an_older_situation() {
    let mut m = story();
    let mut other = fixture::story();
    let mut second = other.releases[0].clone();
    second.plan.id = "search-2026.47".into();
    other.releases.insert(1, second);
    assess(&mut m, other.clone());
    let told = |effects: &[Effect]| {
        effects.iter().find_map(|e| match e {
            Effect::Order(Order::Focus { release, .. }) => Some(release.clone()),
            _ => None,
        })
    };
    let effects = press(&mut m, &["l", "j", "space"]);
    assert_eq!(told(&effects), Some(Some("search-2026.47".into())));
    assert_eq!(top(&m), "panes");
    // An answer from before the choice does not take it back.
    assert_eq!(told(&assess(&mut m, other.clone())), None);
    other.releases.truncate(1);
    assert_eq!(
        told(&assess(&mut m, other)),
        Some(fixture::story().current),
        "it is gone"
    );
}

#[test]
fn what_waits_for_a_second_person_stands_above_the_debts() {
    let mut s = fixture::story();
    s.clearance
        .overrides
        .push(crate::domain::situation::OverrideView {
            rule: "freeze/x".into(),
            mark: crate::domain::situation::Mark::new("asked", Tone::Hold),
            by: "ana".into(),
            reason: "fire".into(),
            until: s.now.world,
            may: vec!["tom".into()],
            second: None,
            break_glass: false,
            said: "override of freeze/x asked by ana (fire): tom may confirm until 18:52".into(),
        });
    let m = with(s);
    let rows = rows::rows(&m, ListId::Debts);
    assert!(
        rows[0].plain().contains("tom may confirm"),
        "{}",
        rows[0].plain()
    );
}

#[test]
fn a_dead_engine_is_said_and_takes_no_acts() {
    let mut m = story();
    let now = m.now;
    update(&mut m, now, Msg::EngineGone);
    assert!(m.silent());
    assert_eq!(
        acts(&press(&mut m, &["R", "3", "space"])),
        Vec::<String>::new()
    );
    assert!(m.notice().unwrap().text.contains("engine stopped"));
    assert_eq!(press(&mut m, &["q"]), [Effect::Quit]);
}

#[test]
fn dates_are_found_or_refused_with_a_sentence() {
    let mut m = story();
    press(&mut m, &["@", "m", "o", "n", "enter"]);
    assert_eq!(
        m.selected(ListId::Calendar).as_deref(),
        Some("calendar/day/2026-11-23")
    );
    for text in ["+3", "24", "2026-11-28", "today", "tomorrow", "2027-06-01"] {
        assert!(moves::go_to(&mut m, text).is_ok(), "{text}");
    }
    assert!(
        moves::go_to(&mut m, "soon")
            .unwrap_err()
            .contains("no date")
    );
    assert!(
        moves::go_to(&mut m, "9999-01-01")
            .unwrap_err()
            .contains("beyond")
    );
}

#[test]
fn nothing_ticks_faster_than_it_must() {
    let mut s = fixture::story();
    s.oncall.escalates_at = None;
    let m = with(s);
    assert_eq!((m.next_change() - m.now.real).num_seconds(), 15);
    let m = with(fixture::rolling_back());
    assert_eq!((m.next_change() - m.now.real).num_seconds(), 1);
}

#[test]
fn keys_before_the_first_situation_do_no_harm() {
    for key in action::ACTIONS.iter().flat_map(|a| a.keys) {
        let mut m = Model::new(Options::default(), WIDE, fixture::now()).unwrap();
        let effects = press(&mut m, &[key, "enter", "j", "G", "esc"]);
        assert!(acts(&effects).is_empty(), "{key}");
    }
}

#[test]
fn the_mouse_is_off_until_it_is_wanted() {
    let mut m = story();
    let now = m.now;
    let click = Msg::Mouse(Mouse::Pressed(5, 45));
    update(&mut m, now, click.clone());
    assert!(m.on_band);
    assert_eq!(press(&mut m, &["m"]), [Effect::Mouse(true)]);
    update(&mut m, now, click);
    assert_eq!((m.on_band, m.pane), (false, Pane::Journal));
    assert!(m.selected(ListId::Journal).is_some());
    update(&mut m, now, Msg::Mouse(Mouse::Wheel(5, 45, true)));
}

#[test]
fn copying_gives_the_evidence_as_text() {
    let mut m = story();
    let effects = press(&mut m, &["enter", "y"]);
    let Some(Effect::Copy(text)) = effects.last() else {
        panic!("{effects:?}");
    };
    assert!(text.contains("query: histogram_quantile"));
    assert_eq!(Key::plain(Code::Enter).to_string(), "enter");
}

#[test]
fn the_checklist_opens_at_the_next_thing_to_do_until_a_key_is_pressed_in_it() {
    let mut m = fixture::model((200, 50), Options::default(), Some(fixture::story()));
    let selected = |m: &Model| m.lists[&ListId::Checklist].selected.clone();
    assert_eq!(selected(&m).as_deref(), Some("dashboards"));
    let tell = |m: &mut Model, next: &str| {
        let mut s = fixture::story();
        s.checklist.next = Some(next.into());
        let now = m.now;
        update(m, now, Msg::Fact(Fact::Assessed(std::sync::Arc::new(s))));
    };
    tell(&mut m, "tests");
    assert_eq!(selected(&m).as_deref(), Some("tests"));
    fixture::press(&mut m, &["3", "j"]);
    let chosen = selected(&m);
    assert_ne!(chosen.as_deref(), Some("tests"));
    tell(&mut m, "dashboards");
    assert_eq!(selected(&m), chosen, "it stays under the finger");
}

#[test]
fn what_unticks_itself_is_said() {
    let mut m = fixture::model((200, 50), Options::default(), Some(fixture::story()));
    let mut s = fixture::story();
    let item = s
        .checklist
        .items
        .iter_mut()
        .find(|i| i.id == "tests")
        .unwrap();
    assert_eq!(item.verdict, crate::domain::verdict::Verdict::Pass);
    item.verdict = crate::domain::verdict::Verdict::Fail;
    item.note = "unit of 2.14.0 is red".into();
    let now = m.now;
    update(
        &mut m,
        now,
        Msg::Fact(Fact::Assessed(std::sync::Arc::new(s))),
    );
    let said = &m.notices.last().unwrap().text;
    assert!(
        said.contains("unticked itself: tests green: unit"),
        "{said}"
    );
}

#[test]
fn the_charts_range_goes_from_15_m_to_72_h_and_back_out_by_esc() {
    let mut m = fixture::model((200, 50), Options::default(), Some(fixture::story()));
    fixture::press(&mut m, &["4", "["]);
    assert_eq!(m.range, Some(3600));
    fixture::press(&mut m, &["[", "[", "[", "["]);
    assert_eq!(m.range, Some(900));
    fixture::press(&mut m, &["]"; 20]);
    assert_eq!(m.range, Some(259_200));
    fixture::press(&mut m, &["esc", "esc"]);
    assert_eq!(m.range, None);
    fixture::press(&mut m, &["3", "]"]);
    assert_eq!(m.range, None, "only where the charts are");
}
