//! On-call: timers in the journal, each level once, acknowledgement by the right person.

use chrono::Duration;

use crate::domain::act::{Act, Verb};
use crate::domain::event::Body;
use crate::domain::policy::Channel;
use crate::domain::record::Reaction;
use crate::domain::testkit::*;

fn briefed() -> World {
    let mut w = World::default();
    w.act("brief", &[]).unwrap();
    w
}

fn told(w: &World) -> Vec<String> {
    let posts = w
        .vendors
        .done
        .iter()
        .filter(|a| a.verb == Verb::PostMessage);
    posts.map(person).collect()
}

fn person(act: &Act) -> String {
    let text = act.args["text"].as_str().unwrap();
    text.split(':').next().unwrap().to_owned()
}

fn react(w: &mut World, name: &str, person: &str) {
    w.vendors.reactions = vec![Reaction {
        name: name.into(),
        people: vec![person.into()],
    }];
}

#[test]
fn nobody_answers_level_by_level_then_the_release_manager_each_once() {
    let mut w = briefed();
    assert_eq!(told(&w), ["kai"]);
    w.minutes(4).unwrap();
    assert_eq!(told(&w).len(), 1);
    w.minutes(1).unwrap();
    assert_eq!(told(&w), ["kai", "lou"], "level 2 after five minutes");
    w.minutes(4).unwrap();
    assert_eq!(told(&w).len(), 2);
    w.minutes(1).unwrap();
    assert_eq!(
        told(&w),
        ["kai", "lou", "lou"],
        "lou is the release manager too"
    );
    w.minutes(60).unwrap();
    assert_eq!(told(&w).len(), 3);
    assert_eq!(w.assess().oncall.brief.word, "nobody answered");
    assert!(w.vendors.performed.values().all(|n| *n == 1));
}

#[test]
fn killed_anywhere_every_level_is_told_once() {
    let start = briefed();
    for point in 0.. {
        let mut w = start.clone();
        w.crash_in = Some(point);
        if w.minutes(20).is_ok() {
            assert!(point > 3);
            break;
        }
        w.restart();
        w.minutes(25).unwrap();
        assert!(w.vendors.performed.values().all(|n| *n == 1), "{point}");
        // Killed between intent and message: looked up and found unsent, which is said, not repeated.
        let escalations = w.journal.release(RELEASE).unwrap().escalations.len();
        assert_eq!(escalations, 2, "{point}");
        assert_eq!(
            w.journal.release(RELEASE).unwrap().briefs.len(),
            3,
            "{point}"
        );
    }
}

#[test]
fn two_channels_of_one_connection_are_two_messages() {
    let mut p = policy();
    let second = [("channel".to_owned(), "#on-call".to_owned())];
    p.oncall.channels.push(Channel {
        connection: "chat".into(),
        args: second.into(),
    });
    let mut w = World::new(p);
    w.act("brief", &[]).unwrap();
    assert_eq!(told(&w).len(), 2);
    w.minutes(6).unwrap();
    assert_eq!(told(&w).len(), 4);
}

#[test]
fn a_reaction_acknowledges_under_the_person_s_name_and_stops_the_timer() {
    let mut w = briefed();
    react(&mut w, "eyes", "U-kai");
    w.minutes(1).unwrap();
    assert!(w.journal.release(RELEASE).unwrap().acks.is_empty());
    react(&mut w, "white_check_mark", "U-ana");
    w.minutes(1).unwrap();
    assert!(
        w.journal.release(RELEASE).unwrap().acks.is_empty(),
        "the driver answers herself"
    );
    react(&mut w, "white_check_mark", "U-kai");
    w.minutes(1).unwrap();
    let acks = w.journal.release(RELEASE).unwrap().acks.clone();
    assert_eq!(
        (acks[0].0.as_str(), acks[0].1.as_str()),
        ("kai", "reaction")
    );
    let s = w.assess();
    assert_eq!(s.oncall.rows[0].mark.word, "acked");
    assert_eq!(s.oncall.escalates_at, None);
    w.minutes(30).unwrap();
    assert_eq!(told(&w).len(), 1);
    assert_eq!(w.journal.release(RELEASE).unwrap().acks.len(), 1);
}

#[test]
fn a_driver_on_call_acknowledges_to_themselves_and_it_says_so() {
    let mut p = policy();
    p.oncall.release_manager = None;
    let mut w = World::new(p);
    w.vendors.oncall[0].person = "ana".into();
    w.read();
    w.act("brief", &[]).unwrap();
    let acks = w.journal.release(RELEASE).unwrap().acks.clone();
    assert!(acks[0].1.starts_with("self"), "{acks:?}");
}

#[test]
fn by_word_records_who_took_it() {
    let mut w = World::default();
    assert!(w.permit("ack").is_err(), "no brief yet");
    w.act("brief", &[]).unwrap();
    w.act("ack", &[("person", "kai")]).unwrap();
    assert!(
        w.journal.release(RELEASE).unwrap().acks[0]
            .1
            .contains("taken by ana")
    );
    assert!(w.permit("ack").is_err());
}

#[test]
fn the_timer_stands_in_the_journal() {
    let mut w = briefed();
    let due = w.assess().oncall.escalates_at;
    assert_eq!(due, Some(w.now.world + Duration::minutes(5)));
    w.minutes(3).unwrap();
    w.restart();
    assert_eq!(w.assess().oncall.escalates_at, due);
}

#[test]
fn a_rotation_turns_and_does_not_begin_early() {
    let mut p = policy();
    p.oncall.connection = None;
    p.oncall.rotations = vec![crate::domain::policy::Rotation {
        level: 1,
        people: vec!["kai".into(), "lou".into()],
        start: tuesday(),
        turn: 7 * 86_400,
    }];
    let mut w = World::new(p);
    let who = |w: &World| w.assess().oncall.rows.first().map(|r| r.person.clone());
    assert_eq!(who(&w).as_deref(), Some("kai"));
    w.set_now(tuesday() + Duration::days(7));
    assert_eq!(who(&w).as_deref(), Some("lou"));
    w.set_now(tuesday() - Duration::seconds(1));
    assert_eq!(who(&w), None);
}

#[test]
fn a_handoff_is_taken_line_by_line_by_the_receiver() {
    let mut w = World::deployed();
    w.minutes(1).unwrap();
    w.act("pause", &[]).unwrap();
    w.engine().unwrap();
    w.act("handoff", &[("to", "lou")]).unwrap();
    let handoff = w.assess().handoff.unwrap();
    let debt = handoff
        .items
        .iter()
        .find(|(i, _)| i.id.starts_with("debt/"))
        .unwrap()
        .0
        .clone();
    assert!(
        handoff
            .items
            .iter()
            .any(|(i, _)| i.id.starts_with("trigger/"))
    );
    let key = format!("take/{}", debt.id);
    assert!(w.act(&key, &[]).is_err(), "the giver does not take it");
    w.observed.session.actor = "lou".into();
    w.act(&key, &[]).unwrap();
    assert_eq!(w.journal.debts["hold/checkout/production"].owner, "lou");
    assert!(
        w.assess()
            .handoff
            .unwrap()
            .items
            .iter()
            .filter(|(_, taken)| *taken)
            .count()
            == 1
    );
    let given = |b: &Body| matches!(b, Body::HandoffGiven { head, .. } if !head.is_empty());
    assert!(w.events.iter().any(|e| given(&e.body)));
}
