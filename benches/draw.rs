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

/// The calendar's month and timeline with 500 releases in them.
fn calendar(c: &mut Criterion) {
    let size = (200, 50);
    let theme = Theme::load(ThemeName::Default, true, false);
    for (name, keys) in [
        ("month", ["1", "e", "e", "e"]),
        ("timeline", ["1", "t", "j", "k"]),
    ] {
        let mut model = fixture::model(size, Options::default(), Some(fixture::story()));
        fixture::press(&mut model, &keys);
        let mut span = model.calendar.span.as_deref().cloned().unwrap();
        let (bar, hour) = (
            span.bars.first().cloned().unwrap(),
            chrono::Duration::hours(1),
        );
        for n in 0..500 {
            let mut more = bar.clone();
            more.id = format!("calendar/release/{n}");
            more.span.start = span.look.span.start + hour * (n * 2 % 960);
            more.span.end = Some(more.span.start + hour);
            span.bars.push(more);
        }
        model.calendar.span = Some(std::sync::Arc::new(span));
        let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        c.bench_function(&format!("{name} of 500 releases, 200x50"), |b| {
            b.iter(|| {
                buf.reset();
                tui::view(black_box(&model), &theme, &mut buf);
            });
        });
    }
}

criterion_group!(benches, draw, calendar);
criterion_main!(benches);
