//! A server's process: started, watched until it is ready, ended by its own id.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; ended when dropped.
pub struct Running {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

impl Running {
    /// Starts the command that `build` makes for a port, until `ready` says so. With `port: None` a free port is sought, and
    /// another one where somebody was quicker.
    pub fn start(
        port: Option<u16>,
        log: &Path,
        build: impl Fn(u16) -> Command,
        ready: impl Fn(u16) -> bool,
    ) -> Self {
        for _ in 0..5 {
            let port = port.unwrap_or_else(free_port);
            let out = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(log)
                .unwrap();
            let child = build(port)
                .stdin(Stdio::null())
                .stdout(out.try_clone().unwrap())
                .stderr(out)
                .spawn()
                .unwrap();
            let mut server = Self { child, port };
            let ended = |server: &mut Self| server.child.try_wait().unwrap().is_some();
            let mut gone = false;
            let up = until(Duration::from_secs(60), || {
                gone = ended(&mut server);
                gone || ready(port)
            });
            if up && !gone {
                return server;
            }
        }
        panic!(
            "it does not start:\n{}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
    }

    /// Ends it without a word, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Asks again and again until the condition holds; false where it does not within `limit`.
pub fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
