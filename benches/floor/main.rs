//! The floor: the least that a ratatui and tokio program does to draw what the cockpit draws and to answer a key. Every
//! figure of the cockpit is read beside it, in the same run.
//!
//! It takes the terminal, paints a band, six bordered panes and a footer full of text, moves a mark on `j` and `k` (and
//! the arrows), repaints on a resize, and gives the terminal back on `q`, TERM, INT or HUP. It knows no feed, asks the
//! terminal nothing, and draws only when something changed.
//!
//! With the word `--each` it draws after each key, as programs do that do not take what is queued first.
//!
//! `cargo bench --bench floor` says how to start it; a measuring tool starts the program itself in a terminal of its own.

use std::io::IsTerminal as _;

use crossterm::event::{Event, KeyCode, KeyEventKind};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};
use ratatui::{DefaultTerminal, Frame};
use tokio::signal::unix::{SignalKind, signal};

/// Rows of a pane that can be marked.
const ROWS: usize = 20;

fn main() -> std::io::Result<()> {
    if !std::io::stdout().is_terminal() || std::env::args().any(|word| word == "--bench") {
        println!(
            "the floor is drawn on a terminal of its own: start {}",
            std::env::current_exe()?.display()
        );
        return Ok(());
    }
    let mut terminal = ratatui::try_init()?;
    let outcome = run(&mut terminal);
    ratatui::restore();
    outcome
}

/// Paints first, and starts tokio after that, as the cockpit does.
fn run(terminal: &mut DefaultTerminal) -> std::io::Result<()> {
    let mut marked = 0;
    terminal.draw(|frame| page(frame, marked))?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(answer(terminal, &mut marked))
}

/// Answers keys: takes all that are queued, then draws once.
async fn answer(terminal: &mut DefaultTerminal, marked: &mut usize) -> std::io::Result<()> {
    let each = std::env::args().any(|word| word == "--each");
    let (say, mut events) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = crossterm::event::read() {
            if say.send(event).is_err() {
                return;
            }
        }
    });
    let mut ends = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    let [terminate, interrupt, hangup] = &mut ends;
    loop {
        let first = tokio::select! {
            event = events.recv() => match event {
                Some(event) => event,
                // The terminal is gone.
                None => return Ok(()),
            },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
        };
        let mut next = Some(first);
        let mut changed = false;
        while let Some(event) = next {
            match apply(&event, marked) {
                Change::Redraw if each => {
                    terminal.draw(|frame| page(frame, *marked))?;
                }
                Change::Quit => return Ok(()),
                Change::Redraw => changed = true,
                Change::Nothing => {}
            }
            next = events.try_recv().ok();
        }
        if changed {
            terminal.draw(|frame| page(frame, *marked))?;
        }
    }
}

enum Change {
    Nothing,
    Redraw,
    Quit,
}

fn apply(event: &Event, marked: &mut usize) -> Change {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
            KeyCode::Char('q') => Change::Quit,
            KeyCode::Char('j') | KeyCode::Down => {
                *marked = (*marked + 1) % ROWS;
                Change::Redraw
            }
            KeyCode::Char('k') | KeyCode::Up => {
                *marked = (*marked + ROWS - 1) % ROWS;
                Change::Redraw
            }
            _ => Change::Nothing,
        },
        Event::Resize(..) => Change::Redraw,
        _ => Change::Nothing,
    }
}

/// A band, six panes and a footer: as many cells as the cockpit's page.
fn page(frame: &mut Frame, marked: usize) {
    let [band, upper, lower, footer] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let lines = vec![
        Line::styled("FLOOR  20 services  all quiet", bold),
        Line::from("NEXT  press j and k"),
    ];
    frame.render_widget(Paragraph::new(lines), band);
    let titles = [
        "CALENDAR",
        "DEPLOYS",
        "CHECKLIST",
        "METRICS",
        "ON CALL",
        "JOURNAL",
    ];
    let thirds = [
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Fill(1),
    ];
    let above: [Rect; 3] = Layout::horizontal(thirds).areas(upper);
    let below: [Rect; 3] = Layout::horizontal(thirds).areas(lower);
    for (title, area) in titles.into_iter().zip(above.into_iter().chain(below)) {
        pane(frame, title, area, marked);
    }
    frame.render_widget(Paragraph::new("j down  k up  q quit"), footer);
}

fn pane(frame: &mut Frame, title: &str, area: Rect, marked: usize) {
    let line = |row: usize| {
        let text =
            format!("{row:>2}  service-{row:02}  running  step 2 of 5  0.{row:02} %  12:{row:02}");
        if row == marked {
            Line::styled(text, Style::new().add_modifier(Modifier::REVERSED))
        } else {
            Line::from(text)
        }
    };
    let lines: Vec<_> = (0..ROWS).map(line).collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(title)),
        area,
    );
}
