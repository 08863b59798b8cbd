//! What a frame costs: the whole six-pane page with a chart of 4 × 1000 points, and what a key costs.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use cockpit::app::{Msg, Options, ThemeName, fixture, key::Key, update};
use cockpit::tui::{self, theme::Theme};
use criterion::{Criterion, criterion_group, criterion_main};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn draw(c: &mut Criterion) {
    let size = (200, 50);
    let model = fixture::model(size, Options::default(), Some(fixture::story_with(1000)));
    let theme = Theme::load(ThemeName::Default, true, false);
    let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    c.bench_function("six panes, 4 x 1000 points, 200x50", |b| {
        b.iter(|| {
            buf.reset();
            tui::view(black_box(&model), &theme, &mut buf);
        });
    });
    let mut model = model;
    let now = model.now;
    c.bench_function("a key", |b| {
        b.iter(|| update(&mut model, now, Msg::Key(Key::char('j'))));
    });
}

criterion_group!(benches, draw);
criterion_main!(benches);
