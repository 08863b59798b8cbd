//! What is painted, looked at cell by cell.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::theme::Theme;
use super::view;
use crate::app::{Model, Options, ThemeName, fixture};
use crate::domain::situation::Situation;

pub(crate) fn painted(model: &Model, theme: &Theme) -> Buffer {
    let (w, h) = model.size;
    let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
    view(model, theme, &mut buf);
    buf
}

pub(crate) fn text(buf: &Buffer) -> String {
    let line = |y| {
        let mut out = String::new();
        let mut skip = 0;
        for x in 0..buf.area.width {
            let symbol = buf[(x, y)].symbol();
            if skip == 0 {
                out.push_str(symbol);
                skip = super::text::width(symbol).max(1);
            }
            skip -= 1;
        }
        out.trim_end().to_string()
    };
    (0..buf.area.height)
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn theme() -> Theme {
    Theme::load(ThemeName::Default, true, false)
}

/// The frame as text, each line followed by its styled stretches: `column-column style`.
fn dump(buf: &Buffer) -> String {
    let lines = text(buf);
    let mut out = String::new();
    for (y, line) in (0..buf.area.height).zip(lines.lines()) {
        out.push_str(line);
        out.push('\n');
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in 0..buf.area.width {
            let cell = &buf[(x, y)];
            if cell.symbol() == " " && !cell.modifier.contains(Modifier::REVERSED) {
                continue;
            }
            let style = look(cell);
            match runs.last_mut() {
                Some((_, to, last)) if *last == style => *to = x,
                _ => runs.push((x, x, style)),
            }
        }
        let marked = runs.iter().filter(|(.., style)| !style.is_empty());
        let marked: Vec<String> = marked.map(|(a, b, s)| format!("{a}-{b} {s}")).collect();
        if !marked.is_empty() {
            out.push_str(&format!("      ~ {}\n", marked.join(", ")));
        }
    }
    out
}

fn look(cell: &Cell) -> String {
    let mut words = Vec::new();
    if cell.fg != Color::Reset {
        words.push(cell.fg.to_string().to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on-{}", cell.bg.to_string().to_lowercase()));
    }
    for (bit, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::UNDERLINED, "underline"),
        (Modifier::REVERSED, "reverse"),
    ] {
        if cell.modifier.contains(bit) {
            words.push(word.into());
        }
    }
    words.join("+")
}

const SIZES: [(u16, u16); 3] = [(200, 50), (120, 40), (80, 24)];

/// Every screen that is worth looking at: name, situation, keys, read-only.
fn screens() -> Vec<(&'static str, Option<Situation>, Vec<&'static str>, bool)> {
    let f = |s| Some(s);
    vec![
        ("loading", None, vec![], false),
        ("story", f(fixture::story()), vec![], false),
        ("tripped", f(fixture::tripped()), vec!["T"], false),
        ("rolling-back", f(fixture::rolling_back()), vec![], false),
        ("dialog", f(fixture::tripped()), vec!["R"], false),
        ("refusal", f(fixture::story()), vec!["p"], false),
        ("evidence", f(fixture::story()), vec!["enter"], false),
        ("help", f(fixture::story()), vec!["?"], false),
        ("palette", f(fixture::story()), vec![":", "p", "a"], false),
        ("feeds", f(fixture::story()), vec!["f"], false),
        ("passport", f(fixture::story()), vec!["v"], false),
        ("zoomed", f(fixture::story()), vec!["4", "z", "j"], false),
        (
            "range",
            f(fixture::story()),
            vec!["4", "z", "]", "]", "]", "]", "]", "]", "]", "]"],
            false,
        ),
        ("blackout", f(fixture::blackout()), vec!["T"], false),
        ("empty", f(fixture::empty()), vec!["3"], false),
        ("read-only", f(fixture::story()), vec!["R"], true),
        (
            "calendar-day",
            f(fixture::story()),
            vec!["1", "e", "@", "m", "o", "n", "enter"],
            false,
        ),
        (
            "calendar-week",
            f(fixture::story()),
            vec!["1", "e", "e"],
            false,
        ),
        (
            "calendar-month",
            f(fixture::story()),
            vec!["1", "e", "e", "e", "right", "down"],
            false,
        ),
        (
            "calendar-timeline",
            f(fixture::story()),
            vec!["1", "t", "j"],
            false,
        ),
        (
            "calendar-utc",
            f(fixture::story()),
            vec!["1", "t", "Z"],
            false,
        ),
        (
            "calendar-what-if",
            f(fixture::story()),
            vec!["1", "t", "j", "I", "right", "down"],
            false,
        ),
        (
            "calendar-what-if-month",
            f(fixture::story()),
            vec!["1", "t", "j", "I", "E", "pgdn"],
            false,
        ),
        (
            "calendar-evidence",
            f(fixture::story()),
            vec!["1", "e", "e", "@", "m", "o", "n", "enter", "enter"],
            false,
        ),
        (
            "go-to",
            f(fixture::story()),
            vec!["@", "+", "3", "d"],
            false,
        ),
        ("plan", f(fixture::story()), vec!["N"], false),
        (
            "plan-typed",
            f(fixture::story()),
            vec!["N", "x", "tab", "y"],
            false,
        ),
    ]
}

fn screen(name: &str, size: (u16, u16), ascii: bool) -> Model {
    let all = screens();
    let (_, s, keys, read_only) = all.into_iter().find(|s| s.0 == name).unwrap();
    let options = Options {
        read_only,
        ascii,
        ..Options::default()
    };
    let mut m = fixture::model(size, options, s);
    fixture::press(&mut m, &keys);
    m
}

#[test]
fn the_screens_look_as_they_did() {
    for (name, ..) in screens() {
        for size in SIZES {
            let m = screen(name, size, false);
            let shot = dump(&painted(&m, &theme()));
            insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), shot);
        }
    }
}

#[test]
fn without_colour_the_screens_keep_bold_and_reverse() {
    let mono = Theme::load(ThemeName::Default, false, false);
    for name in [
        "story",
        "tripped",
        "dialog",
        "palette",
        "blackout",
        "calendar-day",
        "calendar-week",
        "calendar-month",
        "calendar-timeline",
        "calendar-what-if",
        "plan",
    ] {
        let m = screen(name, (80, 24), false);
        let buf = painted(&m, &mono);
        assert!(
            buf.content
                .iter()
                .all(|c| c.fg == Color::Reset && c.bg == Color::Reset)
        );
        insta::assert_snapshot!(format!("mono-{name}-80x24"), dump(&buf));
    }
    let m = screen("dialog", (120, 40), false);
    let buf = painted(&m, &mono);
    let cancel = find(&buf, "[ Cancel ]").unwrap();
    assert!(
        buf[cancel].modifier.contains(Modifier::REVERSED),
        "Cancel is not shown as focused"
    );
}

#[test]
fn in_ascii_nothing_else_is_drawn() {
    for (name, ..) in screens() {
        let m = screen(name, (120, 40), true);
        let theme = Theme::load(ThemeName::Default, true, true);
        let buf = painted(&m, &theme);
        let glyphs = "▰▱✓✗·│┌┐└┘├┤┬┴┼─▸◂░┊╌▴…";
        for c in &buf.content {
            let c = c.symbol().chars().next().unwrap();
            let braille = ('\u{2800}'..='\u{28ff}').contains(&c);
            assert!(
                !braille && !glyphs.contains(c),
                "{name}: {c}\n{}",
                text(&buf)
            );
        }
    }
    let m = screen("story", (80, 24), true);
    let theme = Theme::load(ThemeName::Default, true, true);
    insta::assert_snapshot!("ascii-story-80x24", text(&painted(&m, &theme)));
}

fn find(buf: &Buffer, words: &str) -> Option<(u16, u16)> {
    let text = text(buf);
    let (y, line) = text.lines().enumerate().find(|(_, l)| l.contains(words))?;
    let byte = line.find(words)?;
    let x = super::text::width(&line[..byte]);
    Some((u16::try_from(x).unwrap(), u16::try_from(y).unwrap()))
}

fn greens(buf: &Buffer) -> usize {
    let pass = theme().pass.fg.unwrap();
    buf.content
        .iter()
        .filter(|c| c.fg == pass && c.symbol() != " ")
        .count()
}

#[test]
fn in_a_blackout_nothing_is_green_in_any_view() {
    assert!(greens(&painted(&screen("story", (200, 50), false), &theme())) > 0);
    for size in SIZES {
        for keys in [
            "", "1", "2", "3", "4", "5", "6", "f", "v", "d", "l", "enter", "?",
        ] {
            let mut m = fixture::model(size, Options::default(), Some(fixture::blackout()));
            fixture::press(&mut m, &[keys]);
            let buf = painted(&m, &theme());
            assert_eq!(greens(&buf), 0, "{size:?} {keys}\n{}", text(&buf));
        }
    }
}

#[test]
fn old_news_is_not_green_either() {
    let mut m = screen("story", (200, 50), false);
    m.now.real += chrono::Duration::seconds(crate::app::model::SILENCE + 1);
    let buf = painted(&m, &theme());
    assert_eq!(greens(&buf), 0);
    assert!(text(&buf).contains("NO NEWS"));
    let mut m = screen("story", (200, 50), false);
    let now = m.now;
    let fatal = crate::app::port::Fact::Fatal("the journal cannot be read".into());
    crate::app::update(&mut m, now, crate::app::Msg::Fact(fatal));
    let buf = painted(&m, &theme());
    assert_eq!(greens(&buf), 0);
    assert!(text(&buf).contains("ENGINE STOPPED  the journal cannot be read"));
}

#[test]
fn an_engine_that_cannot_start_is_read_at_length() {
    let mut m = screen("loading", (120, 40), false);
    let why = "cockpit.toml:65:1: connections.argo.token: no such setting\ncockpit.toml:70:1: connections.pagerduty.from: no such setting";
    let now = m.now;
    let fatal = crate::app::port::Fact::Fatal(why.into());
    crate::app::update(&mut m, now, crate::app::Msg::Fact(fatal));
    let shot = text(&painted(&m, &theme()));
    for words in [
        "STOPPED",
        "connections.pagerduty.from: no such setting",
        "q  leave",
    ] {
        assert!(shot.contains(words), "{words} missing\n{shot}");
    }
}

#[test]
fn green_and_red_stand_beside_their_words() {
    // Every coloured cell belongs to a run that holds a word of at least two letters, or stands right before one.
    let buf = painted(&screen("story", (200, 50), false), &theme());
    let pass = theme().pass.fg.unwrap();
    for y in 0..buf.area.height {
        let line: Vec<bool> = (0..buf.area.width)
            .map(|x| buf[(x, y)].fg == pass)
            .collect();
        if line.iter().any(|g| *g) {
            let words: String = (0..buf.area.width)
                .filter(|x| line[*x as usize])
                .map(|x| buf[(x, y)].symbol().to_string())
                .collect();
            assert!(
                words.chars().filter(|c| c.is_alphabetic()).count() >= 2,
                "{words}"
            );
        }
    }
}

#[test]
fn every_size_paints_without_panic() {
    for (name, ..) in screens() {
        for w in (0..30).chain([39, 40, 41, 60, 119, 120]) {
            for h in (0..12).chain([35, 36]) {
                let m = screen(name, (w, h), w % 2 == 0);
                let shot = text(&painted(&m, &theme()));
                assert!(!shot.contains("cannot be drawn"), "{name} {w}x{h}\n{shot}");
            }
        }
    }
}

#[test]
fn a_frame_smaller_than_the_model_believes_is_painted_too() {
    let m = screen("dialog", (200, 50), false);
    for (w, h) in [(0, 0), (1, 1), (80, 24), (199, 49), (200, 3)] {
        let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
        view(&m, &theme(), &mut buf);
        assert!(
            !text(&buf).contains("cannot be drawn"),
            "{w}x{h}\n{}",
            text(&buf)
        );
    }
}

#[test]
fn hostile_text_reaches_no_cell() {
    let evil = "\u{1b}[31mX\u{7}\u{202e}\u{9b}2J\u{0}漢\u{200b}字\r\n\u{feff}";
    let json = serde_json::to_string(&fixture::rolling_back()).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    poison(&mut value, evil);
    let s: Situation = serde_json::from_value(value).unwrap();
    for size in SIZES {
        for keys in [
            "", "3", "4", "5", "6", "f", "v", "d", "l", "h", "x", "R", "p", "enter",
        ] {
            let mut m = fixture::model(size, Options::default(), Some(s.clone()));
            fixture::press(&mut m, &[keys]);
            let buf = painted(&m, &theme());
            for cell in &buf.content {
                let bad = |c: char| c.is_control() || "\u{202e}\u{200b}\u{feff}".contains(c);
                assert!(!cell.symbol().chars().any(bad), "{:?}", cell.symbol());
            }
            assert!(!text(&buf).contains("cannot be drawn"), "{}", text(&buf));
        }
    }
}

/// Adds `evil` to every free text in the situation.
fn poison(value: &mut serde_json::Value, evil: &str) {
    const FREE: [&str; 15] = [
        "text", "why", "note", "title", "word", "said", "what", "release", "driver", "armed",
        "distance", "service", "hint", "person", "shown",
    ];
    match value {
        serde_json::Value::Object(map) => {
            for (key, v) in map.iter_mut() {
                match v {
                    serde_json::Value::String(s) if FREE.contains(&key.as_str()) => {
                        s.push_str(evil);
                    }
                    other => poison(other, evil),
                }
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(|v| poison(v, evil)),
        _ => {}
    }
}

#[test]
fn the_environment_stands_on_every_screen() {
    for (name, s, ..) in screens() {
        for size in SIZES.into_iter().chain([(40, 10)]) {
            if s.is_none() || name == "empty" {
                continue;
            }
            let shot = text(&painted(&screen(name, size, false), &theme()));
            assert!(shot.contains("PRODUCTION"), "{name} {size:?}\n{shot}");
            assert!(shot.contains("NEXT"), "{name} {size:?}\n{shot}");
        }
    }
}

#[test]
fn a_broken_pane_shows_its_error_and_the_others_live() {
    let mut buf = Buffer::empty(Rect::new(0, 0, 40, 3));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    super::part(
        &mut buf,
        &theme(),
        crate::app::layout::Area::new(0, 1, 40, 1),
        |_| {
            panic!("index out of range");
        },
    );
    std::panic::set_hook(hook);
    assert!(text(&buf).contains("cannot be drawn: index out of range"));
    assert!(!super::contained());
}

/// Draws a screen at every size, and prints it for a person to look at:
/// `SCREEN=story cargo test --lib tui::tests::show -- --nocapture`.
#[test]
fn show() {
    let want = std::env::var("SCREEN").unwrap_or_else(|_| "story".into());
    for size in [(200, 50), (120, 36), (80, 24), (40, 10)] {
        println!(
            "{}\n",
            text(&painted(&screen(&want, size, false), &theme()))
        );
    }
}
