//! A pseudo-terminal with a screen that can be read, and the real binary in it.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for what must come; a loaded machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How the binary is started.
pub struct Start<'a> {
    /// Arguments.
    pub args: Vec<&'a str>,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Variables beside the usual ones.
    pub env: Vec<(&'a str, &'a str)>,
    /// Its folder.
    pub folder: Option<&'a Path>,
    /// Is a cursor-position or device query answered?
    pub answers: bool,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self {
            args: Vec::new(),
            size: (200, 50),
            env: Vec::new(),
            folder: None,
            answers: true,
        }
    }
}

/// The running binary, its screen and every byte that it wrote. Killed when dropped.
pub struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn std::io::Write + Send>>,
    // Kept open, so that the modes can be read after the program's end.
    slave: Option<Box<dyn portable_pty::SlavePty + Send>>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    answers: bool,
    modes: String,
    /// Everything that was written so far.
    pub raw: Vec<u8>,
}

impl Terminal {
    /// Starts the binary.
    pub fn start(start: Start<'_>) -> Self {
        let (cols, rows) = start.size;
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        let mut command = CommandBuilder::new(binary());
        command.args(&start.args);
        command.env("TERM", "xterm-256color");
        for name in ["NO_COLOR", "COLORTERM", "CI"] {
            command.env_remove(name);
        }
        for (name, value) in &start.env {
            command.env(name, value);
        }
        let home = std::env::temp_dir();
        command.cwd(start.folder.unwrap_or(&home));
        let modes = modes(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (tx, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || tx.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            writer: Some(pair.master.take_writer().unwrap()),
            master: Some(pair.master),
            slave: Some(pair.slave),
            bytes,
            screen: vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0),
            answers: start.answers,
            modes,
            raw: Vec::new(),
        }
    }

    /// The demo on a data directory, at 200x50.
    pub fn demo(data: &Path, more: &[&str]) -> Self {
        let mut args = vec!["--data-dir", data.to_str().unwrap(), "demo"];
        args.extend(more);
        Self::start(Start {
            args,
            ..Start::default()
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Takes in what comes until `end`, at most one chunk; false where the time is over.
    fn take(&mut self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        match self.bytes.recv_timeout(left) {
            Ok(chunk) => {
                self.screen.process(&chunk);
                if self.answers && contains(&chunk, b"\x1b[6n") {
                    self.send("\x1b[1;1R");
                }
                self.raw.extend(chunk);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                // Nothing more comes: what is waited for is the program's end.
                std::thread::park_timeout(left.min(Duration::from_millis(5)));
                false
            }
        }
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// The screen's cells.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// The cells of a row that begin with `text`: its first column.
    pub fn find(&self, text: &str) -> Option<(u16, u16)> {
        let width = u16::from(self.screen().size().1);
        self.screen()
            .rows(0, width)
            .zip(0u16..)
            .find_map(|(line, row)| {
                let at = line.find(text)?;
                Some((row, u16::try_from(line[..at].chars().count()).unwrap()))
            })
    }

    /// Waits until the screen fulfils `holds`.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(
                Instant::now() < end && !self.ended(),
                "{what} does not come:\n{}",
                self.text()
            );
            self.take(end.min(Instant::now() + Duration::from_millis(100)));
        }
    }

    /// Waits until the screen has this text.
    pub fn see(&mut self, text: &str) {
        self.until(text, |t| t.text().contains(text));
    }

    /// Waits until the screen no longer has this text.
    pub fn gone(&mut self, text: &str) {
        self.until(&format!("the end of {text}"), |t| !t.text().contains(text));
    }

    /// Presses escape on what shows this text, and waits until it went. What follows is another key for certain: an escape
    /// and a letter in one breath are one key.
    pub fn escape(&mut self, text: &str) {
        self.see(text);
        self.send("\x1b");
        self.gone(text);
    }

    /// Takes in what comes until nothing came for so long.
    pub fn quiet(&mut self, pause: Duration) {
        let end = Instant::now() + PATIENCE;
        while self.take(Instant::now() + pause) {
            assert!(Instant::now() < end, "it never rests:\n{}", self.text());
        }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        if let Some(writer) = &mut self.writer {
            writer.write_all(keys.as_bytes()).unwrap();
            writer.flush().unwrap();
        }
    }

    /// Another size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.screen
            .screen_mut()
            .set_size(rows.try_into().unwrap(), cols.try_into().unwrap());
        let master = self.master.as_ref().unwrap();
        master.resize(size(cols, rows)).unwrap();
    }

    /// A signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Ends it as a crash would, and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.signal_quietly();
        let _ = self.child.wait();
    }

    fn signal_quietly(&self) {
        if let Some(pid) = self
            .child
            .process_id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Is it over?
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end; its exit code.
    pub fn end(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.take(Instant::now() + Duration::from_millis(50)) {}
                return status.exit_code();
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.text());
            self.take(Instant::now() + Duration::from_millis(5));
        }
    }

    /// Waits until the terminal is given back; how long that took.
    pub fn given_back(&mut self) -> Duration {
        let began = Instant::now();
        let end = began + PATIENCE;
        while !(self.restored()) {
            assert!(Instant::now() < end, "not restored: {}", self.faults());
            self.take(Instant::now() + Duration::from_millis(2));
        }
        began.elapsed()
    }

    /// Are screen, cursor, paste, focus, mouse and modes as they were before?
    pub fn restored(&self) -> bool {
        self.faults().is_empty()
    }

    /// What is not as it was before.
    pub fn faults(&self) -> String {
        let screen = self.screen();
        let left = [
            (screen.alternate_screen(), "alternate screen"),
            (screen.hide_cursor(), "hidden cursor"),
            (screen.bracketed_paste(), "bracketed paste"),
            (
                screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None,
                "mouse",
            ),
            (
                last(&self.raw, b"\x1b[?1004h") > last(&self.raw, b"\x1b[?1004l"),
                "focus reports",
            ),
            (
                last(&self.raw, b"\x1b[?2026h") > last(&self.raw, b"\x1b[?2026l"),
                "synchronized update",
            ),
            (
                self.master
                    .as_ref()
                    .is_some_and(|m| modes(&**m) != self.modes),
                "raw mode",
            ),
        ];
        let faults: Vec<_> = left.iter().filter(|l| l.0).map(|l| l.1).collect();
        faults.join(", ")
    }

    /// The terminal itself goes away, as when a connection drops.
    pub fn hang_up(&mut self) {
        self.slave = None;
        self.writer = None;
        self.master = None;
        // The reading end must go, too: its thread ends with the receiver.
        self.bytes = channel().1;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
        }
    }
}

/// The binary under test: the one that was built with the tests, or another build that `COCKPIT_TEST_BINARY` names.
pub fn binary() -> String {
    std::env::var("COCKPIT_TEST_BINARY")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_cockpit").to_owned())
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// The terminal's modes in words (raw or not, echo or not), to be compared.
fn modes(master: &dyn MasterPty) -> String {
    let modes = master.get_termios().unwrap();
    format!(
        "{:?} {:?} {:?}",
        modes.local_flags, modes.input_flags, modes.output_flags
    )
}

/// Is `part` in `all`?
pub fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|w| w == part)
}

/// Where `part` stands last in `all`.
fn last(all: &[u8], part: &[u8]) -> Option<usize> {
    all.windows(part.len()).rposition(|w| w == part)
}
