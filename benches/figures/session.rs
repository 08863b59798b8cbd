//! A program in a pseudo-terminal of 200x50; every chunk that it writes is stamped when it is read.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// Columns and rows.
pub const SIZE: (u16, u16) = (200, 50);

/// What is started.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The file and its words.
    pub argv: Vec<String>,
    /// Its variables.
    pub env: Vec<(String, String)>,
}

impl Program {
    /// A program without words.
    pub fn new(file: &Path, words: &[&str]) -> Self {
        let mut argv = vec![file.display().to_string()];
        argv.extend(words.iter().map(|w| (*w).to_owned()));
        Self {
            argv,
            env: Vec::new(),
        }
    }
}

/// A running program.
pub struct Session {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn std::io::Write + Send>,
    chunks: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    /// When it was started.
    pub began: Instant,
    /// Bytes so far.
    pub bytes: usize,
    _master: Box<dyn MasterPty + Send>,
}

impl Session {
    /// Starts it. The terminal answers no query.
    pub fn start(program: &Program) -> Self {
        let (cols, rows) = SIZE;
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(&program.argv[0]);
        command.args(&program.argv[1..]);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        for (name, value) in &program.env {
            command.env(name, value);
        }
        command.cwd(std::env::temp_dir());
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (tx, chunks) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || tx.send((Instant::now(), buffer[..n].to_vec())).is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        Self {
            child,
            writer,
            chunks,
            screen: vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0),
            began,
            bytes: 0,
            _master: pair.master,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// The next chunk before `end`: when it came, and whether it changed the screen.
    pub fn chunk(&mut self, end: Instant) -> Option<(Instant, Vec<u8>)> {
        let left = end.saturating_duration_since(Instant::now());
        let (at, bytes) = self.chunks.recv_timeout(left).ok()?;
        self.bytes += bytes.len();
        self.screen.process(&bytes);
        Some((at, bytes))
    }

    /// When the screen first fulfilled `holds`.
    pub fn until(
        &mut self,
        limit: Duration,
        holds: impl Fn(&vt100::Screen) -> bool,
    ) -> Option<Instant> {
        let end = Instant::now() + limit;
        loop {
            let (at, _) = self.chunk(end)?;
            if holds(self.screen.screen()) {
                return Some(at);
            }
        }
    }

    /// Takes in what comes for so long.
    pub fn take(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while self.chunk(end).is_some() {}
    }

    /// Types; when.
    pub fn send(&mut self, keys: &str) -> Instant {
        let at = Instant::now();
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
        at
    }

    /// Sends a signal; when.
    pub fn signal(&self, signal: Signal) -> Instant {
        let at = Instant::now();
        let pid = i32::try_from(self.id())
            .ok()
            .and_then(Pid::from_raw)
            .unwrap();
        kill_process(pid, signal).unwrap();
        at
    }

    /// The screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// The row of the first cell in reverse at or below `from`.
    pub fn marked(&self, from: u16) -> Option<u16> {
        let (rows, cols) = (SIZE.1, SIZE.0);
        (from..rows).find(|r| {
            (0..cols).any(|c| self.screen().cell(*r, c).is_some_and(vt100::Cell::inverse))
        })
    }

    /// Processor time of the process, threads that ended included: to the nanosecond over those that live, else in the kernel's
    /// ticks of 10 ms.
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let of = |task: std::fs::DirEntry| -> Option<u64> {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse().ok()
        };
        let living = Duration::from_nanos(tasks.flatten().filter_map(of).sum());
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let fields: Vec<&str> = text
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let all = Duration::from_millis(ticks * 10);
        if all > living + Duration::from_millis(30) {
            all
        } else {
            living
        }
    }

    /// Proportional set size in MB (10^6 bytes).
    pub fn pss(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id())).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix("Pss:")).unwrap();
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        kib * 1024.0 / 1e6
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            if let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

/// Does the screen show a painted page?
pub fn painted(screen: &vt100::Screen) -> bool {
    screen
        .contents()
        .chars()
        .filter(|c| !c.is_whitespace())
        .count()
        >= 100
}
