//! The terminal's events, read on a thread of their own, and what they mean to the interface. Releases, and keys with modifiers
//! that nothing is bound to, give no message.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::app::Msg;
use crate::app::key::{Code, Key};
use crate::app::msg::Mouse;

/// Longest paste that is taken, in bytes; no field holds more.
const PASTE: usize = 64 * 1024;

/// Events that wait for the interface at most; then the terminal waits.
const QUEUE: usize = 1024;
/// How long is looked for events that came together with the last one. crossterm gives them only to a question that takes time,
/// and spends less than a millisecond turning.
const REST: Duration = Duration::from_micros(100);

/// What the terminal says. Dropped, it is listened to no more.
///
/// The reading is a thread of its own since a read may not come back: of a key sequence that was cut off, and (crossterm 0.29) of a
/// terminal that is gone, which ends in a loop. Signals and facts are heard all the same.
#[derive(Debug)]
pub struct Input {
    events: Receiver<io::Result<Event>>,
    /// The reader ends when this is closed.
    _open: OwnedFd,
}

impl Input {
    /// Begins to listen.
    ///
    /// # Errors
    /// Where there is no terminal, or no thread.
    pub fn listen() -> io::Result<Self> {
        let (closed, open) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (say, events) = channel(QUEUE);
        let terminal = terminal()?;
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || read(&terminal, &closed, &say))?;
        Ok(Self {
            events,
            _open: open,
        })
    }

    /// The next event; `None` where the terminal is gone.
    pub async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }

    /// The next event that is here already.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn queued(&mut self) -> io::Result<Option<Event>> {
        use tokio::sync::mpsc::error::TryRecvError;
        match self.events.try_recv() {
            Ok(event) => event.map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The terminal that crossterm reads: standard input, or else the one that controls this process.
fn terminal() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if rustix::termios::isatty(&stdin) {
        return stdin.as_fd().try_clone_to_owned();
    }
    Ok(std::fs::File::open("/dev/tty")?.into())
}

/// Reads until the terminal or the listener is gone.
fn read(terminal: &OwnedFd, closed: &OwnedFd, say: &Sender<io::Result<Event>>) {
    loop {
        let mut ends = [
            PollFd::new(terminal, PollFlags::IN),
            PollFd::new(closed, PollFlags::IN),
        ];
        match poll(&mut ends, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(why) => {
                let _ = say.blocking_send(Err(why.into()));
                return;
            }
            Ok(_) => {}
        }
        let [terminal, closed] = ends.map(|end| end.revents());
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        if terminal.intersects(gone) || !closed.is_empty() {
            return;
        }
        while let Some(event) = ready() {
            let failed = event.is_err();
            if say.blocking_send(event).is_err() || failed {
                return;
            }
        }
    }
}

/// The next event of those that are here. Asked twice: on a busy machine the first question may be over before it began.
fn ready() -> Option<io::Result<Event>> {
    let here = || match crossterm::event::poll(REST) {
        Ok(true) => Some(crossterm::event::read()),
        Ok(false) => None,
        Err(why) => Some(Err(why)),
    };
    here().or_else(here)
}

/// The message an event means, if any.
pub fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => pressed(key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Pasted(shortened(text))),
        Event::Mouse(mouse) => pointer(mouse).map(Msg::Mouse),
        Event::Resize(w, h) => Some(Msg::Resized(w, h)),
        Event::FocusGained => Some(Msg::Focused(true)),
        Event::FocusLost => Some(Msg::Focused(false)),
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > PASTE {
        let end = (0..=PASTE).rev().find(|i| text.is_char_boundary(*i));
        text.truncate(end.unwrap_or(0));
    }
    text
}

fn pressed(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let known = KeyModifiers::SHIFT | KeyModifiers::CONTROL | KeyModifiers::ALT;
    if !known.contains(key.modifiers) {
        return None;
    }
    let code = match key.code {
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Code::Char(c.to_ascii_lowercase())
        }
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => Code::BackTab,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    Some(Key {
        code,
        ctrl: key.modifiers.contains(KeyModifiers::CONTROL),
        alt: key.modifiers.contains(KeyModifiers::ALT),
    })
}

fn pointer(mouse: MouseEvent) -> Option<Mouse> {
    let (x, y) = (mouse.column, mouse.row);
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Mouse::Pressed(x, y)),
        MouseEventKind::ScrollDown => Some(Mouse::Wheel(x, y, true)),
        MouseEventKind::ScrollUp => Some(Mouse::Wheel(x, y, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(code: KeyCode, modifiers: KeyModifiers, kind: KeyEventKind) -> Event {
        Event::Key(KeyEvent::new_with_kind(code, modifiers, kind))
    }

    #[test]
    fn keys_read_as_the_table_writes_them() {
        let name = |code, modifiers| {
            let e = event(code, modifiers, KeyEventKind::Press);
            match message(e) {
                Some(Msg::Key(k)) => k.to_string(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(name(KeyCode::Char('R'), KeyModifiers::SHIFT), "R");
        assert_eq!(name(KeyCode::Char('C'), KeyModifiers::CONTROL), "ctrl-c");
        assert_eq!(name(KeyCode::BackTab, KeyModifiers::SHIFT), "shift-tab");
        assert_eq!(name(KeyCode::Char(' '), KeyModifiers::NONE), "space");
        assert_eq!(name(KeyCode::Char('q'), KeyModifiers::SUPER), "None");
    }

    #[test]
    fn releases_are_nothing_and_pastes_are_bounded() {
        let e = event(
            KeyCode::Char('q'),
            KeyModifiers::NONE,
            KeyEventKind::Release,
        );
        assert!(message(e).is_none());
        let Some(Msg::Pasted(text)) = message(Event::Paste("é".repeat(PASTE))) else {
            panic!("no paste");
        };
        assert!(text.len() <= PASTE);
    }
}
