//! Secrets, hostile text, depth and length: what a file may try, and what is never shown of it.

use proptest::prelude::*;

use super::connectors;
use super::errors::BASE;
use crate::config::{load, render};

/// Ways to write a secret where none belongs, each with a second error on its line.
const LEAKS: [&str; 12] = [
    "[connections.x]\nconnector = 'github'\ntoken = \"SESAME\"",
    "[connections.x]\nconnector = 'github'\ntoken = SESAME",
    "[connections.x]\nconnector = 'github'\ntoken SESAME",
    "[connections.x]\nconnector = 'github'\ntoken = \"SESAME",
    "[connections.x]\nconnector = 'github'\ntoken = '''\nSESAME\n'''\nfoo = 1",
    "[connections.x]\nconnector = 'github'\ntoken = [\n  [\"SESAME\"]\n]",
    "[connections]\nx = { connector = 'github', tken = 'SESAME', owner = 1 }",
    "connections.x = { token = 'SESAME', connector = 'nothing' }",
    "[connections.x]\nconnector = 'prometheus'\nurl = 'http://ana:SESAME@host'",
    "[connections.x]\nconnector = 'prometheus'\nurl = 'SESAME'",
    "[[service]]\nname = 'a'\napi_token = 'SESAME'",
    "[connections.x]\nconnector = 'prometheus'\n# token = 'SESAME'\nurl = 3 # SESAME",
];

#[test]
fn a_secret_is_never_echoed() {
    for leak in LEAKS {
        let text = format!("{BASE}{leak}\n");
        let diags = load(&text, "f", &connectors()).unwrap_err();
        let lines: String = diags.iter().map(|d| format!("{d}\n")).collect();
        assert!(!lines.contains("SESAME"), "{lines}");
        let drawn = render(&diags, &text, false);
        assert!(!drawn.contains("SESAME"), "{leak}\n{drawn}");
        assert!(drawn.contains("error"), "{drawn}");
    }
}

#[test]
fn hostile_text_reaches_neither_policy_nor_screen() {
    for snippet in [
        "[[service]]\nname = \"a\\u001b[2Jb\"",
        "[[service]]\nname = \"a\\u202eb\"",
        "[connections.\"x\\u001b]0;owned\\u0007\"]\nconnector = 'prometheus'",
        "\"tit\\u200ble\" = 1",
        "[[release]]\nid = \"a\\nb\"\nenvironment = 'production'\nchanges = [{ service = 'checkout', to = '1' }]",
    ] {
        let text = format!("{BASE}{snippet}\n# \u{1b}[31m raw \u{202e}\n");
        let diags = load(&text, "f\u{1b}[2J", &connectors()).unwrap_err();
        let drawn = render(&diags, &text, false);
        let lines: String = diags.iter().map(|d| format!("{d}\n")).collect();
        for out in [drawn, lines] {
            assert!(
                !out.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{200b}']),
                "{out:?}"
            );
        }
    }
}

#[test]
fn findings_are_drawn_with_their_line_and_advice() {
    let text = format!("{BASE}slo = {{ error_rte = \"1%\" }}\n");
    let diags = load(&text, "cockpit.toml", &connectors()).unwrap_err();
    let plain = render(&diags, &text, false);
    assert!(plain.contains("cockpit.toml:18:9"), "{plain}");
    assert!(
        plain.contains("slo = { error_rte = \"1%\" }")
            && plain.contains("did you mean \"error_rate\"?"),
        "{plain}"
    );
    assert!(!plain.contains('\u{1b}'));
    assert!(render(&diags, &text, true).contains('\u{1b}'));
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = 200_000;
    for text in [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{a=".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        "x = 1\n".repeat(deep * 2),
        (0..20_000).map(|n| format!("key{n} = 1\n")).collect(),
    ] {
        let diags = load(&text, "f", &connectors()).unwrap_err();
        assert!(render(&diags, &text, false).len() < 200_000);
    }
}

#[test]
fn many_findings_are_all_reported_and_a_hundred_drawn() {
    let text: String = (0..150).map(|n| format!("key{n} = 1\n")).collect();
    let diags = load(&text, "f", &connectors()).unwrap_err();
    assert!(diags.len() >= 150);
    assert!(render(&diags, &text, false).ends_with(&format!("and {} more", diags.len() - 100)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}|[\\[\\]{}=\"'.,#\n a-z0-9]{0,200}") {
        let diags = match load(&text, "f", &connectors()) {
            Ok((_, warnings)) => warnings,
            Err(diags) => diags,
        };
        let _ = render(&diags, &text, true);
    }

    #[test]
    fn a_secret_is_never_drawn_whatever_surrounds_it(
        before in "[\\[\\]{}=\"'.,# \na-z]{0,12}", after in "[\\[\\]{}=\"'.,# \na-z]{0,12}",
        key in "(url|token|owner|to ken|\"t.k\"|tok)", form in 0_usize..6,
    ) {
        let value = match form {
            0 => format!("{key} = \"SESAME\""),
            1 => format!("{key} = 'SESAME'"),
            2 => format!("{key} = SESAME"),
            3 => format!("{key} = [\"a\", {{ b = 'SESAME' }}]"),
            4 => format!("{key} = \"\"\"\nSESAME\n\"\"\""),
            _ => format!("{key}.x = {{ y = \"SESAME\" }}"),
        };
        // The value stands in its connection's table, with anything around it on its line.
        let before = before.replace(['\n', '[', '#'], " ");
        let text = format!("{BASE}[connections.x]\nconnector = 'github'\n{before}{value}{after}\nevery = 3\n");
        if let Err(diags) = load(&text, "f", &connectors()) {
            let lines: String = diags.iter().map(|d| format!("{d}\n")).collect();
            prop_assert!(!lines.contains("SESAME"), "{}", lines);
            let drawn = render(&diags, &text, false);
            prop_assert!(!drawn.contains("SESAME"), "{}", drawn);
        }
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_is_read_without_a_panic(at in 0_usize..5000, put in "\\PC{0,6}") {
        let full = include_str!("full.toml");
        let mut at = at % full.len();
        while !full.is_char_boundary(at) { at -= 1; }
        let text = format!("{}{put}{}", &full[..at], full.get(at + put.len()..).unwrap_or(""));
        for text in [text.as_str(), &full[..at]] {
            if let Err(diags) = load(text, "f", &connectors()) {
                prop_assert!(!diags.is_empty());
                let _ = render(&diags, text, false);
            }
        }
    }
}
