//! A real Prometheus, filled by its own backfill tool.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use super::http;
use super::program;
use super::running::Running;
use super::world::World;

/// A Prometheus with the world's eight days in it.
pub struct RealPrometheus {
    server: Running,
    program: PathBuf,
    folder: tempfile::TempDir,
    /// What it holds.
    pub world: World,
}

impl RealPrometheus {
    /// One of its own; `None` (and said) where it is not installed.
    pub fn start(test: &str) -> Option<Self> {
        let world = World::until(chrono::Utc::now().timestamp());
        Self::holding(test, world, World::open_metrics)
    }

    /// One of its own with another world's text in it, which ends where `world` says.
    pub fn holding(test: &str, world: World, text: impl FnOnce(World) -> String) -> Option<Self> {
        let (program, tool) = (program(test, "prometheus")?, program(test, "promtool")?);
        let folder = tempfile::tempdir().unwrap();
        backfill(&tool, folder.path(), &text(world));
        let server = serve(&program, folder.path(), None);
        Some(Self {
            server,
            program,
            folder,
            world,
        })
    }

    /// The one that tests share which only read; it ends with the last of them.
    pub fn shared(test: &str) -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<RealPrometheus>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let running = Arc::new(Self::start(test)?);
        *shared = Arc::downgrade(&running);
        Some(running)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again on the same port, with the same data.
    pub fn restart(&mut self) {
        self.server = serve(&self.program, self.folder.path(), Some(self.port()));
    }
}

fn backfill(tool: &Path, folder: &Path, metrics: &str) {
    let text = folder.join("world.om");
    std::fs::write(&text, metrics).unwrap();
    let out = Command::new(tool)
        .args([
            "tsdb",
            "create-blocks-from",
            "--max-block-duration=192h",
            "openmetrics",
            "--quiet",
        ])
        .arg(&text)
        .arg(folder.join("data"))
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    std::fs::remove_file(text).unwrap();
}

fn serve(program: &Path, folder: &Path, port: Option<u16>) -> Running {
    let config = folder.join("prometheus.yml");
    std::fs::write(&config, "global:\n  scrape_interval: 15s\n").unwrap();
    let build = |port: u16| {
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg("--storage.tsdb.retention.time=30d")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn")
            .current_dir(folder);
        command
    };
    Running::start(port, &folder.join("log"), build, |port| {
        http::answers(port, "/-/ready")
    })
}
