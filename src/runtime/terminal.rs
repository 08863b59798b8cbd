//! The terminal's guard: everything that was switched on is switched off again, once, also on a panic and after a signal.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};
use std::thread::ThreadId;

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, queue};

use crate::tui;

/// Is the terminal ours?
static OURS: AtomicBool = AtomicBool::new(false);
/// The thread whose panic restores the terminal.
static OWNER: OnceLock<ThreadId> = OnceLock::new();

/// Longest text that goes to the clipboard, in bytes; terminals drop much more.
const COPY: usize = 48 * 1024;

/// Remembers the terminal's title; XTWINOPS 22 and 23, ignored where unknown.
const PUSH_TITLE: &[u8] = b"\x1b[22;2t";
const POP_TITLE: &[u8] = b"\x1b[23;2t";

/// Holds the terminal; dropping it restores.
#[derive(Debug)]
pub struct Guard {
    _private: (),
}

impl Guard {
    /// Takes the terminal: raw mode, alternate screen, paste and focus reports, no cursor, title remembered. Asks it nothing.
    ///
    /// # Errors
    /// Where the terminal is gone or none.
    pub fn enter() -> io::Result<Self> {
        let _ = OWNER.set(std::thread::current().id());
        install_hook();
        crossterm::style::force_color_output(true);
        let guard = Self { _private: () };
        guard.take()?;
        Ok(guard)
    }

    /// Takes it again after it was given back, or after somebody else changed it while the program was stopped.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn take(&self) -> io::Result<()> {
        if OURS.swap(true, Ordering::SeqCst) {
            // Stopped from outside: the shell has put its own modes in place.
            disable_raw_mode()?;
        }
        enable_raw_mode()?;
        let mut out = Vec::new();
        out.extend_from_slice(PUSH_TITLE);
        queue!(
            out,
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange,
            cursor::Hide,
            Clear(ClearType::All)
        )?;
        write_out(&out)
    }

    /// Gives it back; a second time does nothing.
    pub fn give_back(&self) {
        restore();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal if it is ours. Errors are dropped: there is nobody left to tell.
pub fn restore() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = Vec::new();
    let queued = queue!(
        out,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        SetTitle(""),
        LeaveAlternateScreen,
        cursor::Show
    );
    out.extend_from_slice(POP_TITLE);
    let _ = queued.and_then(|()| write_out(&out));
    let _ = disable_raw_mode();
}

/// A panic on the interface's thread restores the terminal before its words are printed. One that is caught and shown in its pane, or
/// that ends another thread, leaves the screen alone and goes to the log.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let mine = OWNER.get() == Some(&std::thread::current().id());
            if OURS.load(Ordering::SeqCst) && (!mine || tui::contained()) {
                tracing::error!(panic = %info, "a part of the program panicked");
                return;
            }
            restore();
            before(info);
        }));
    });
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Collects a frame; nothing reaches the terminal before [`Frames::commit`], so that a frame is one write.
#[derive(Clone, Debug, Default)]
pub struct Frames(Rc<RefCell<Vec<u8>>>);

impl Frames {
    /// Writes what was collected.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn commit(&self) -> io::Result<()> {
        let mut bytes = self.0.borrow_mut();
        if bytes.is_empty() {
            return Ok(());
        }
        let result = write_out(&bytes);
        bytes.clear();
        result
    }

    /// Begins a frame that the terminal shows at once.
    ///
    /// # Errors
    /// None in practice: memory is written.
    pub fn begin(&mut self) -> io::Result<()> {
        queue!(self, BeginSynchronizedUpdate)
    }

    /// Ends the frame and writes it. One in which no cell changed is dropped: nothing is written between changes.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn end(&mut self) -> io::Result<()> {
        // Every changed cell is reached by a move of the cursor, `CSI row ; column H`; what frames every frame has no H.
        if !self.0.borrow().contains(&b'H') {
            self.0.borrow_mut().clear();
            return Ok(());
        }
        queue!(self, EndSynchronizedUpdate)?;
        self.commit()
    }

    /// Sends text to the terminal's clipboard (OSC 52), control characters removed, length limited.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut kept = String::new();
        for line in text.lines() {
            kept.push_str(&tui::text::clean(line));
            kept.push('\n');
        }
        let end = (0..=COPY.min(kept.len()))
            .rev()
            .find(|i| kept.is_char_boundary(*i));
        kept.truncate(end.unwrap_or(0));
        let one_line = kept.trim_end();
        queue!(self, CopyToClipboard::to_clipboard_from(one_line))?;
        self.commit()
    }

    /// Sets the title.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn title(&mut self, title: &str) -> io::Result<()> {
        let title: String = tui::text::clean(title).chars().take(120).collect();
        queue!(self, SetTitle(title))?;
        self.commit()
    }

    /// Mouse reports on or off.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        if on {
            queue!(self, EnableMouseCapture)?;
        } else {
            queue!(self, DisableMouseCapture)?;
        }
        self.commit()
    }

    /// Bell, and a notification for terminals that know OSC 9 or OSC 777.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn notify(&mut self, title: &str, body: &str) -> io::Result<()> {
        let (title, body) = (field(title), field(body));
        // The word in front keeps OSC 9 from being read as a progress report ("9;4;…").
        write!(
            self,
            "\x1b]9;cockpit: {title}, {body}\x07\x1b]777;notify;{title};{body}\x07\x07"
        )?;
        self.commit()
    }
}

/// Text for one field of an OSC: no controls, no separator.
fn field(text: &str) -> String {
    let clean = tui::text::clean(text);
    let kept = clean.chars().map(|c| if c == ';' { ',' } else { c });
    kept.take(200).collect()
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Does nothing: [`Frames::commit`] writes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_collected_until_it_is_committed() {
        let mut f = Frames::default();
        f.begin().unwrap();
        f.write_all(b"x").unwrap();
        f.flush().unwrap();
        assert_eq!(&*f.0.borrow(), b"\x1b[?2026hx");
    }

    #[test]
    fn a_frame_without_a_change_is_dropped() {
        use ratatui::{
            Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect,
        };
        let mut f = Frames::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, 9, 2));
        let mut t = Terminal::with_options(
            CrosstermBackend::new(f.clone()),
            TerminalOptions { viewport },
        )
        .unwrap();
        for (text, changed) in [("a", true), ("a", false), ("b", true)] {
            f.begin().unwrap();
            t.draw(|frame| frame.render_widget(text, frame.area()))
                .unwrap();
            assert_eq!(f.0.borrow().contains(&b'H'), changed, "{text}");
            if !changed {
                f.end().unwrap();
            }
            assert_eq!(f.0.borrow().is_empty(), !changed);
            f.0.borrow_mut().clear();
        }
    }

    #[test]
    fn notification_fields_carry_no_escape_and_no_separator() {
        assert_eq!(field("a;b\x1b]0;x\x07"), "a,b\u{fffd}]0,x\u{fffd}");
    }

    #[test]
    fn restoring_what_is_not_ours_does_nothing() {
        restore();
        restore();
        assert!(!OURS.load(Ordering::SeqCst));
    }
}
