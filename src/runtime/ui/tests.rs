//! The loop in a real pseudo-terminal: this test program runs itself as the child that draws.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::*;
use crate::app::fixture;
use crate::app::port::Order;
use crate::domain::time::Now;

const CHILD: &str = "runtime::ui::tests::child_process";

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> Now {
        fixture::now()
    }
}

/// Not a test of its own: what the others run in their pseudo-terminal.
#[test]
fn child_process() {
    let Ok(mode) = std::env::var("COCKPIT_UI_CHILD") else {
        return;
    };
    let ending = run_ui(Options::default(), Arc::new(Fixed), || {
        let (facts, facts_end) = tokio::sync::mpsc::unbounded_channel();
        let (orders, mut orders_end) = tokio::sync::mpsc::unbounded_channel();
        if mode == "panic" {
            panic!("engine would not start");
        }
        let _ = facts.send(Fact::Assessed(Arc::new(fixture::story())));
        std::thread::spawn(move || {
            if mode == "engine-panic" {
                panic!("engine died");
            }
            while let Some(order) = orders_end.blocking_recv() {
                match order {
                    Order::Act { seq, request } => {
                        let result = Ok(format!("confirmed {}", request.action));
                        let _ = facts.send(Fact::Done { seq, result });
                    }
                    Order::Shutdown => return,
                    _ => {}
                }
            }
        });
        EngineHandle {
            facts: facts_end,
            orders,
        }
    });
    println!("ENDED {ending:?}");
}

struct Pty {
    screen: Arc<Mutex<(vt100::Parser, Vec<u8>)>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Option<Box<dyn portable_pty::MasterPty + Send>>,
    deaf: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Pty {
    fn start(mode: &str) -> Self {
        let size = PtySize {
            rows: 40,
            cols: 120,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut cmd = CommandBuilder::new(std::env::current_exe().unwrap());
        cmd.args(["--exact", CHILD, "--nocapture", "--test-threads=1"]);
        cmd.env("COCKPIT_UI_CHILD", mode);
        cmd.env("TERM", "xterm-256color");
        cmd.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(cmd).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let screen = Arc::new(Mutex::new((
            vt100::Parser::new(40.try_into().unwrap(), 120.try_into().unwrap(), 0),
            Vec::new(),
        )));
        let shared = Arc::clone(&screen);
        let deaf = Arc::new(AtomicBool::new(false));
        let ear = Arc::clone(&deaf);
        let reading = std::thread::spawn(move || {
            let mut buf = [0u8; 65536];
            while let Ok(n) = reader.read(&mut buf) {
                if n == 0 || ear.load(Ordering::SeqCst) {
                    return;
                }
                let mut s = shared.lock().unwrap();
                s.0.process(&buf[..n]);
                s.1.extend_from_slice(&buf[..n]);
            }
        });
        Self {
            screen,
            writer,
            child,
            master: Some(pair.master),
            deaf,
            reader: Some(reading),
        }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().0.screen().contents()
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap().1).into_owned()
    }

    /// Waits until the screen satisfies `want`, at most 20 s.
    fn until(&self, what: &str, want: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !want(self) {
            assert!(Instant::now() < deadline, "no {what}:\n{}", self.text());
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    fn see(&self, text: &str) {
        self.until(text, |p| p.text().contains(text));
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn kill(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn modes_are_off(&self) {
        let s = self.screen.lock().unwrap();
        let screen = s.0.screen();
        assert!(!screen.alternate_screen(), "alternate screen left on");
        assert!(!screen.hide_cursor(), "cursor left hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste left on");
        assert_eq!(
            screen.mouse_protocol_mode(),
            vt100::MouseProtocolMode::None,
            "mouse left on"
        );
    }

    fn cooked(&self) -> bool {
        let termios = self.master.as_ref().and_then(|m| m.get_termios());
        termios.is_some_and(|t| t.local_flags.bits() & libc::ICANON != 0)
    }

    fn ended(&mut self) {
        self.until("end", |p| {
            p.text().contains("ENDED") || p.text().contains("panicked")
        });
        self.child.wait().unwrap();
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_frame_asks_the_terminal_nothing_and_q_restores_everything() {
    let mut pty = Pty::start("story");
    pty.see("gate p95 undecided");
    assert!(!pty.cooked());
    let raw = pty.raw();
    for query in ["\x1b[6n", "\x1b[c", "\x1b[?u", "\x1b]11;?"] {
        assert!(!raw.contains(query), "asked {query:?}");
    }
    let first = raw.find("reading cockpit.toml").unwrap();
    assert!(
        first < raw.find("undecided").unwrap(),
        "the first frame came late"
    );
    assert!(raw.contains("\x1b]0;checkout 2026.47: HOLD (PRODUCTION)"));
    pty.press("m");
    pty.see("mouse on");
    pty.press("\x1bq");
    pty.press("q");
    pty.ended();
    assert!(pty.text().contains("Ok(Quit)"), "{}", pty.text());
    pty.modes_are_off();
    assert!(pty.cooked());
}

#[test]
fn signals_restore_the_terminal_at_once() {
    use rustix::process::Signal as S;
    for (signal, number) in [(S::TERM, 15), (S::INT, 2), (S::HUP, 1)] {
        let mut pty = Pty::start("story");
        pty.see("gate p95 undecided");
        let sent = Instant::now();
        pty.kill(signal);
        pty.until("restored screen", |p| {
            !p.screen.lock().unwrap().0.screen().alternate_screen()
        });
        let took = sent.elapsed();
        pty.ended();
        assert!(
            pty.text().contains(&format!("Signal({number})")),
            "{}",
            pty.text()
        );
        pty.modes_are_off();
        assert!(pty.cooked());
        // 20 ms is the aim on an idle machine; a test machine may be busy.
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
}

#[test]
fn a_panic_restores_the_terminal_before_its_words() {
    let mut pty = Pty::start("panic");
    pty.see("engine would not start");
    pty.child.wait().unwrap();
    pty.modes_are_off();
    assert!(pty.cooked());
}

#[test]
fn another_threads_panic_leaves_the_screen_alone() {
    let mut pty = Pty::start("engine-panic");
    pty.see("ENGINE STOPPED");
    assert!(!pty.text().contains("panicked"), "{}", pty.text());
    pty.press("q");
    pty.ended();
    pty.modes_are_off();
}

#[test]
fn ctrl_z_stops_clean_and_comes_back_whole() {
    let mut pty = Pty::start("story");
    pty.see("gate p95 undecided");
    pty.press("\x1a");
    pty.until("restored screen", |p| {
        !p.screen.lock().unwrap().0.screen().alternate_screen()
    });
    pty.until("cooked mode", Pty::cooked);
    pty.modes_are_off();
    pty.kill(rustix::process::Signal::CONT);
    pty.see("gate p95 undecided");
    pty.until("raw mode", |p| !p.cooked());
    pty.press("?");
    pty.see("type to search");
    pty.press("\x1b");
    pty.until("closed help", |p| !p.text().contains("type to search"));
    pty.press("q");
    pty.ended();
}

#[test]
fn a_lost_terminal_ends_the_program() {
    let mut pty = Pty::start("story");
    pty.see("gate p95 undecided");
    // The reader lets go of the terminal with the next frame. Only then may the writer go: it says goodbye with an Enter, which
    // closes the help again, and a busy program that sees both keys at once has no frame to draw.
    pty.deaf.store(true, Ordering::SeqCst);
    pty.press("?");
    pty.reader.take().unwrap().join().unwrap();
    pty.master = None;
    pty.writer = Box::new(std::io::sink());
    let deadline = Instant::now() + Duration::from_secs(20);
    while pty.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it lives on without a terminal");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A paste whose end never comes: what follows belongs to it, and everything else goes on.
#[test]
fn a_key_sequence_that_was_cut_off_does_not_stop_the_program() {
    let mut pty = Pty::start("story");
    pty.see("gate p95 undecided");
    pty.press("\x1b[200~cut");
    let drawn = pty.raw().len();
    pty.master
        .as_ref()
        .unwrap()
        .resize(PtySize {
            rows: 24,
            cols: 80,
            pixel_width: 0,
            pixel_height: 0,
        })
        .unwrap();
    pty.until("frame of the new size", |p| p.raw().len() > drawn);
    pty.kill(rustix::process::Signal::TERM);
    pty.ended();
}

#[test]
fn five_hundred_keys_are_drawn_in_a_few_frames() {
    let mut pty = Pty::start("story");
    pty.see("gate p95 undecided");
    let before = pty.raw().matches("\x1b[?2026h").count();
    pty.press("6");
    pty.press(&"jk".repeat(250));
    pty.press("2");
    pty.press("?");
    pty.see("type to search");
    let frames = pty.raw().matches("\x1b[?2026h").count() - before;
    assert!(frames < 40, "{frames} frames");
}
