//! Terminal events as the interface's messages. Releases, and keys with modifiers that nothing is bound to, give none.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::app::Msg;
use crate::app::key::{Code, Key};
use crate::app::msg::Mouse;

/// Longest paste that is taken, in bytes; no field holds more.
const PASTE: usize = 64 * 1024;

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
