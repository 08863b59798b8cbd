//! A log for whoever looks into a fault: off unless asked for, to a file in the data directory, every line through the
//! redactor of the connections. Nothing is ever written to the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::connect::Connections;
use crate::domain::text::clean;

/// The file in the data directory.
pub const FILE: &str = "cockpit.log";
/// Columns after which a line is cut.
const LONGEST: usize = 2000;

/// Whose redactor takes secrets out: that of the connections opened last. Before any are, no secret was looked up.
static REDACTS: RwLock<Option<Arc<Connections>>> = RwLock::new(None);

/// From now on lines pass these connections' redactor.
pub fn redact_by(connections: Arc<Connections>) {
    *REDACTS.write().unwrap_or_else(PoisonError::into_inner) = Some(connections);
}

/// Begins to log what the program itself says at `level` (error, warn, info, debug or trace).
///
/// # Errors
/// A sentence for an unknown level or a file that cannot be written.
pub fn begin(level: &str, dir: &Path) -> Result<(), String> {
    let filter: LevelFilter = level.parse().map_err(|_| {
        format!("{level} is no log level: there are error, warn, info, debug and trace")
    })?;
    let path = dir.join(FILE);
    let failed = |e: io::Error| format!("the log {} cannot be written: {e}", path.display());
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = Arc::new(Mutex::new(options.open(&path).map_err(failed)?));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Redacted(file));
    // Only our own words: what libraries log may hold addresses and headers.
    let ours = Targets::new().with_target("cockpit", filter);
    tracing_subscriber::registry()
        .with(lines)
        .with(ours)
        .try_init()
        .map_err(|e| format!("the log cannot begin: {e}"))
}

/// Writes to the file, a line at a time, without secrets and without control characters.
#[derive(Clone)]
struct Redacted(Arc<Mutex<File>>);

impl<'a> MakeWriter<'a> for Redacted {
    type Writer = Self;
    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

impl Write for Redacted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = safe(&String::from_utf8_lossy(bytes));
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush()
    }
}

fn safe(line: &str) -> String {
    let redacts = REDACTS.read().unwrap_or_else(PoisonError::into_inner);
    let without = match redacts.as_ref() {
        Some(connections) => connections.redact(line),
        None => line.to_owned(),
    };
    clean(&without, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_forge_another() {
        assert_eq!(safe("a\nINFO forged\u{1b}[2J"), "a INFO forged");
    }

    #[test]
    fn an_unknown_level_is_refused_with_those_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let said = begin("loud", dir.path()).unwrap_err();
        assert!(said.contains("loud") && said.contains("debug"), "{said}");
    }
}
