use proptest::prelude::*;

use super::fixture::{GROUNDS, empty, now, rolling_back, story, watching};
use super::*;
use crate::domain::event::Closing;
use crate::domain::situation::{Advice, Mark, Phase, Situation, Tone, WatchEnd};
use crate::domain::verdict::Verdict;

fn wide(s: &Situation) -> String {
    plain(
        s,
        Options {
            width: 120,
            ascii: false,
            now: now(),
        },
    )
}

#[test]
fn a_canary_held_by_an_undecided_gate() {
    insta::assert_snapshot!(wide(&story()));
}

#[test]
fn a_rollback_under_way() {
    insta::assert_snapshot!(wide(&rolling_back()));
}

#[test]
fn a_watch_in_ascii_on_a_narrow_page() {
    let text = plain(
        &watching(),
        Options {
            width: 60,
            ascii: true,
            now: now(),
        },
    );
    assert!(text.is_ascii());
    insta::assert_snapshot!(text);
}

#[test]
fn nothing_configured() {
    insta::assert_snapshot!(wide(&empty()));
}

#[test]
fn every_state_of_every_pane_has_its_word() {
    let text = wide(&rolling_back());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in [
        "PRODUCTION",
        "DEMO",
        "ROLLING BACK",
        "COUNTDOWN: roll back checkout in 45 s",
        "verifying",
        "stale",
        "unplanned",
        "waived",
        "undecided",
        "tripped",
        "confirmed",
        "asked",
        "waiting",
        "not run",
        "silenced",
        "firing",
        "owed",
        "taken",
        "server error",
        "refused: promote",
        "until Sat 21 Nov 2026 16:46 CET (15:46 UTC)",
        "never rehearsed",
        "head 56",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
}

#[test]
fn a_trigger_that_cannot_be_told_shows_its_distance() {
    let mut s = story();
    s.triggers[0].distance = "no value of 800 ms, 0 s of 5 m (p95: stale)".into();
    s.triggers[0].undecided = Some("p95: stale".into());
    let text = wide(&s);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("of 800 ms, 0 s of 5 m"), "{text}");
}

#[test]
fn an_accepted_gate_never_reads_as_a_pass() {
    let mut s = story();
    for g in &mut s.gates {
        g.accepted = true;
        g.verdict = Verdict::undecided("n=6 of 10", 6);
        g.mark = Mark::new("pass", Tone::Pass);
    }
    assert!(wide(&s).contains("checkout p95 after step 3: ACCEPTED"));
    assert_eq!(gate_exit(&s), 2);
}

#[test]
fn json_holds_what_the_schema_requires_and_comes_back_equal() {
    let mut s = story();
    s.metrics.retain(|m| m.ratio.is_none_or(f64::is_finite));
    let value: serde_json::Value = serde_json::from_str(&json(&s)).unwrap();
    assert_eq!(value["format"], 1);
    let schema = schema();
    for key in schema["required"].as_array().unwrap() {
        assert!(
            value.get(key.as_str().unwrap()).is_some(),
            "{key} is missing"
        );
    }
    for key in value.as_object().unwrap().keys() {
        assert!(
            schema["properties"].get(key).is_some(),
            "{key} is not described"
        );
    }
    assert_eq!(serde_json::from_value::<Situation>(value).unwrap(), s);
}

#[test]
fn json_escapes_what_could_steer_a_terminal_and_loses_nothing() {
    let hostile = "a\u{9b}2J\u{202e}b\u{7f}\u{e0041}";
    let mut s = story();
    s.title = hostile.into();
    s.metrics.clear();
    let text = json(&s);
    assert!(
        text.contains(r"a\u009b2J\u202eb\u007f\udb40\udc41"),
        "{text}"
    );
    assert_eq!(
        serde_json::from_str::<Situation>(&text).unwrap().title,
        hostile
    );
}

#[test]
fn lines_say_what_changed_and_nothing_else() {
    let s = story();
    assert!(line(&s, Some(&s)).is_empty());
    insta::assert_snapshot!(line(&rolling_back(), Some(&s)).join("\n"));
    let first = line(&s, None);
    assert!(
        first.iter().any(|l| l.contains("HOLD: gate p95 undecided")),
        "{first:#?}"
    );
}

#[test]
fn lines_tell_what_came_into_the_journal() {
    let mut before = story();
    before.head.0 = 54;
    let said = line(&story(), Some(&before));
    let journal: Vec<_> = said.iter().filter(|l| l.contains("journal")).collect();
    assert_eq!(journal.len(), 2);
    assert!(
        journal[0].starts_with("2026-11-21T16:42:00+01:00 journal 55: ana: promoted"),
        "{journal:?}"
    );
}

#[test]
fn what_is_no_longer_told_is_a_change() {
    let mut s = story();
    s.deployments.clear();
    let said = line(&s, Some(&story()));
    assert!(
        said.iter()
            .any(|l| l.ends_with("deployment checkout in production: gone")),
        "{said:?}"
    );
}

#[rstest::rstest]
#[case(Advice::Go, 0)]
#[case(Advice::Proceed, 0)]
#[case(Advice::NoGo, 1)]
#[case(Advice::RollBack, 1)]
#[case(Advice::RollForward, 1)]
#[case(Advice::RollingBack, 1)]
#[case(Advice::Hold, 2)]
#[case(Advice::Blind, 2)]
#[case(Advice::Watching, 3)]
#[case(Advice::Closed, 2)]
#[case(Advice::Idle, 3)]
fn each_word_has_its_exit_code(#[case] advice: Advice, #[case] code: u8) {
    let mut s = story();
    s.band.advice = advice;
    assert_eq!(exit_code(&s), code);
}

#[test]
fn a_watch_earns_its_zero() {
    let mut s = watching();
    assert_eq!(exit_code(&s), 2);
    let marks = |s: &mut Situation, tone| {
        for c in &mut s.watch.as_mut().unwrap().checkpoints {
            c.mark.tone = tone;
        }
    };
    marks(&mut s, Tone::Pass);
    assert_eq!(exit_code(&s), 0);
    marks(&mut s, Tone::Plain);
    assert_eq!(exit_code(&s), 3);
    marks(&mut s, Tone::Fail);
    s.band.advice = Advice::Hold;
    assert_eq!(exit_code(&s), 1);
}

#[test]
fn a_closed_release_answers_by_its_outcome() {
    let mut s = story();
    s.band.advice = Advice::Closed;
    s.releases[0].phase = Phase::Closed;
    let codes = [
        (Closing::Shipped, 0),
        (Closing::RolledBack, 1),
        (Closing::ShippedUnproven, 2),
        (Closing::Superseded, 3),
        (Closing::Abandoned, 3),
    ];
    for (closing, code) in codes {
        s.releases[0].closing = Some(closing);
        assert_eq!(exit_code(&s), code, "{closing:?}");
    }
}

#[test]
fn a_watch_ends_with_the_code_of_its_verdict() {
    let ended = |verdict: Verdict, superseded: Option<&str>| {
        let mut s = watching();
        s.watch.as_mut().unwrap().end = Some(WatchEnd {
            mark: Mark::from(&verdict),
            verdict,
            superseded_by: superseded.map(str::to_owned),
            said: "3 of 3 checkpoints passed".into(),
            at: s.now.world,
        });
        s
    };
    let codes = [
        (Verdict::Pass, None, 0),
        (Verdict::Fail, None, 1),
        (Verdict::undecided("T+1 h undecided", 2), None, 2),
        (Verdict::not_run("no checkpoint was taken"), None, 3),
        (Verdict::Pass, Some("checkout 2.15.0"), 3),
        (Verdict::Fail, Some("checkout 2.15.0"), 1),
    ];
    for (verdict, superseded, code) in codes {
        let s = ended(verdict.clone(), superseded);
        assert_eq!(watch_exit(&s), Some(code), "{verdict:?} {superseded:?}");
    }
    let mut s = watching();
    assert_eq!(watch_exit(&s), None, "it goes on");
    s.watch.as_mut().unwrap().lapsed = true;
    assert_eq!(watch_exit(&s), Some(2), "nobody will end it");
    let mut s = story();
    for phase in [Phase::Closed, Phase::Reviewed] {
        s.releases[0].phase = phase;
        s.releases[0].closing = Some(Closing::RolledBack);
        assert_eq!(watch_exit(&s), Some(1));
    }
}

#[test]
fn a_change_says_the_same_as_a_line_and_as_json() {
    let before = watching();
    let mut s = before.clone();
    s.watch.as_mut().unwrap().checkpoints[2].mark = Mark::new("pass", Tone::Pass);
    s.band.lease = "observes: lou@tower 7 holds the driver's lease".into();
    let all = changes(&s, Some(&before));
    let lines: Vec<String> = all.iter().map(Change::line).collect();
    assert_eq!(lines, line(&s, Some(&before)));
    let point = all
        .iter()
        .find(|c| {
            c.name
                .as_deref()
                .is_some_and(|n| n.starts_with("checkpoint"))
        })
        .unwrap();
    assert_eq!(
        (point.was.as_deref(), point.is.as_deref(), point.kind),
        (Some("ahead"), Some("pass"), Kind::State)
    );
    let value: serde_json::Value = serde_json::from_str(&point.json()).unwrap();
    assert_eq!(value["kind"], "state");
    assert_eq!(value["is"], "pass");
    assert!(lines.iter().any(|l| l.contains("observes: lou@tower 7")));
    let last = standing(&s, Some("ended by SIGTERM")).line();
    assert!(
        last.contains("ended by SIGTERM") && last.contains("of 3 checkpoints passed"),
        "{last}"
    );
}

#[test]
fn the_exit_code_of_a_gate_is_the_verdict_on_its_step() {
    let mut s = story();
    assert_eq!(gate_exit(&s), 2);
    // It was judged before: what stands beside it changes nothing here.
    s.gates.clear();
    for (verdict, code) in [
        (Verdict::Pass, 0),
        (Verdict::Fail, 1),
        (Verdict::undecided("trigger undecided", 3), 2),
        (Verdict::not_run("no gate looked"), 3),
    ] {
        s.step_verdict = verdict;
        assert_eq!(gate_exit(&s), code);
    }
}

#[test]
fn an_unread_calendar_is_not_open() {
    let mut s = story();
    assert_eq!(calendar_exit(&s), 2);
    s.calendar.unread.clear();
    assert_eq!(calendar_exit(&s), 0);
    s.calendar.state = Mark::new("FREEZE", Tone::Fail);
    assert_eq!(calendar_exit(&s), 1);
}

/// Escape codes, bidi overrides, tags, mentions, links and whatever else comes.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\x00-\\x{2fff}]{0,40}",
        "\\PC{0,40}",
        Just("\u{1b}]8;;http://evil\u{1b}\\click\u{9b}2J\u{202e}txt\r\n\u{7}".to_owned()),
    ]
}

fn unfit(text: &str) -> Option<char> {
    text.chars().find(|c| {
        *c != '\n'
            && !c.is_ascii_graphic()
            && *c != ' '
            && !crate::domain::text::is_clean(&format!("a{c}b"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_text_steers_the_terminal(text in hostile(), width in 0usize..200, ascii: bool) {
        for ground in GROUNDS.iter() {
            let s = ground.with(&text);
            let page = plain(&s, Options { width, ascii, now: now() });
            prop_assert_eq!(unfit(&page), None, "{:?}", page);
            prop_assert!(!ascii || page.is_ascii());
            prop_assert_eq!(unfit(&json(&s)), None);
            let lines = line(&s, Some(&story())).join("\n");
            prop_assert_eq!(unfit(&lines), None, "{:?}", lines);
        }
    }
}
