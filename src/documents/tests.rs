use proptest::prelude::*;

use super::*;
use crate::report::fixture::{GROUNDS, empty, policy, rolling_back, story, watching};

fn written(kind: Kind, s: &Situation) -> String {
    render(kind, s, &policy(), None).unwrap()
}

#[test]
fn a_brief() {
    insta::assert_snapshot!(written(Kind::Brief, &story()));
}

#[test]
fn a_handoff_during_a_rollback() {
    insta::assert_snapshot!(written(Kind::Handoff, &rolling_back()));
}

#[test]
fn a_review_during_the_watch() {
    insta::assert_snapshot!(written(Kind::Review, &watching()));
}

#[test]
fn release_notes() {
    insta::assert_snapshot!(written(Kind::Notes, &story()));
}

#[test]
fn the_demo_is_stamped_and_the_head_is_named() {
    for kind in [Kind::Brief, Kind::Handoff, Kind::Review, Kind::Notes] {
        let text = written(kind, &story());
        assert!(text.contains("**DEMO"), "{text}");
        assert!(text.contains("Journal head 56 77aa01b2"), "{text}");
        assert!(!written(kind, &watching()).contains("DEMO"));
    }
}

#[test]
fn without_a_release_only_the_handoff_is_written() {
    assert!(written(Kind::Handoff, &empty()).contains("No release is planned."));
    for kind in [Kind::Brief, Kind::Review, Kind::Notes] {
        let error = render(kind, &empty(), &policy(), None).unwrap_err();
        assert!(error.starts_with("no release is planned"), "{error}");
    }
}

#[test]
fn a_template_of_the_users_takes_the_place_of_ours() {
    let text = render(
        Kind::Brief,
        &story(),
        &policy(),
        Some("{{ release.title }}!"),
    )
    .unwrap();
    assert_eq!(text, "checkout 2026.47!\n");
}

#[test]
fn a_broken_template_names_its_line() {
    let error = render(
        Kind::Brief,
        &story(),
        &policy(),
        Some("one\n{{ relase.title }}"),
    )
    .unwrap_err();
    assert!(error.contains("brief.md, line 2"), "{error}");
}

#[test]
fn no_template_can_switch_the_escaping_off() {
    let mut s = story();
    s.releases[0].plan.title = "[x](http://evil) <b>@all".into();
    for template in [
        "{% autoescape false %}{{ release.title }}{% endautoescape %}",
        "{% set t %}{{ release.title }}{% endset %}{{ t }}",
        "{{ release.title ~ '' }}",
        "{{ [release.title] | join(' ') }}",
        "{{ release.title | upper }}",
    ] {
        let text = render(Kind::Brief, &s, &policy(), Some(template)).unwrap();
        assert!(
            !text.contains('@') && !text.contains('<') && !text.contains("[x]"),
            "{template}: {text}"
        );
    }
    for template in ["{{ release.title | safe }}", "{{ release.title | e }}"] {
        render(Kind::Brief, &s, &policy(), Some(template)).unwrap_err();
    }
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\x00-\\x{2fff}]{0,40}",
        "[@#<>\\[\\]()!*_`~|&:/.w\\\\ 0-9a-c\n-]{0,40}",
        Just("[click](https://evil) <img src=x onerror=y> @channel <!here> #12 \u{1b}[2J www.evil.com".to_owned()),
        Just("\n\n# heading\n- item\n[a]: http://evil\n<http://evil>".to_owned()),
    ]
}

/// Links of the policy stand between `<` and `>`; everything else must hold none.
fn without_our_links(text: &str) -> String {
    text.replace("<https://wiki.example/checkout>", "")
        .replace("<https://grafana.example/d/checkout>", "")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_text_makes_markup(text in hostile()) {
        for ground in GROUNDS.iter() {
            let s = ground.with(&text);
            for kind in [Kind::Brief, Kind::Handoff, Kind::Review, Kind::Notes] {
                let Ok(page) = render(kind, &s, &policy(), None) else { continue };
                let page = without_our_links(&page);
                prop_assert!(!page.contains('@') && !page.contains('<') && !page.replace(r"\://", "").contains("://"), "{}", page);
                prop_assert!(!page.to_lowercase().contains("www."), "{}", page);
                prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{:?}", page);
                for (i, _) in page.match_indices(['[', ']', '*', '`', '~', '|']) {
                    let ours = page[i..].starts_with("**") || page[..i].ends_with('*') || page[i..].starts_with("`cockpit") || page[..i].ends_with("export");
                    let before = page[..i].chars().rev().take_while(|c| *c == '\\').count();
                    prop_assert!(ours || before % 2 == 1, "{} at {i} in {page}", &page[i..i + 1]);
                }
            }
        }
    }

    #[test]
    fn a_value_stays_on_its_line_and_is_kept(text in hostile()) {
        let written = escape(&text);
        prop_assert!(!written.contains('\n'));
        let letters = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).count();
        prop_assert!(letters(&written) >= letters(&crate::domain::text::clean(&text, 2_000)));
    }
}
