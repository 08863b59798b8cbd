//! What is painted, looked at cell by cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::theme::Theme;
use super::view;
use crate::app::{Model, Options, ThemeName, fixture};

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

/// Prints frames: `cargo test --lib tui::tests::show -- --ignored --nocapture`.
#[test]
#[ignore = "prints frames for a person to look at"]
fn show() {
    let size = (200, 50);
    for s in [fixture::story(), fixture::rolling_back()] {
        let m = fixture::model(size, Options::default(), Some(s));
        println!("{}\n", text(&painted(&m, &theme())));
    }
    let mut m = fixture::model((120, 40), Options::default(), Some(fixture::tripped()));
    fixture::press(&mut m, &["R"]);
    println!("{}\n", text(&painted(&m, &theme())));
    let mut m = fixture::model((80, 24), Options::default(), Some(fixture::story()));
    println!("{}\n", text(&painted(&m, &theme())));
    fixture::press(&mut m, &["p"]);
    println!("{}\n", text(&painted(&m, &theme())));
    let m = fixture::model((40, 10), Options::default(), Some(fixture::story()));
    println!("{}\n", text(&painted(&m, &theme())));
}
