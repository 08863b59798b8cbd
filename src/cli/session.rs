//! An engine for a command without a screen.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::app::port::Fact;
use crate::runtime::clock::RealClock;
use crate::runtime::engine::{Engine, EngineError, Inbox, Start};
use crate::runtime::load::{self, Loaded};
use crate::runtime::log;

use super::args::Args;
use super::demo::World;
use super::{exit, fail, fly};

/// A file that is not on disk: its path and its text.
pub type Text = Option<(PathBuf, String)>;

/// What a command works with.
pub struct Session {
    /// The engine.
    pub engine: Engine,
    /// Where its reads report to.
    pub inbox: Inbox,
    /// What it says.
    pub facts: UnboundedReceiver<Fact>,
}

/// Opens an engine and runs `work` with it; the exit code.
pub fn run<F, W>(args: &Args, text: Text, world: World, acts: bool, work: W) -> u8
where
    F: Future<Output = u8>,
    W: FnOnce(Session) -> F,
{
    crate::connect::transport::ensure_crypto();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let start = Start {
        place: args.place(),
        text,
        world: Some(world.maker()),
        clock: Arc::new(RealClock),
        acts,
    };
    let code = runtime.block_on(async {
        let (tx, facts) = unbounded_channel();
        match Engine::open(start, tx).await {
            Ok((engine, inbox)) => {
                work(Session {
                    engine,
                    inbox,
                    facts,
                })
                .await
            }
            Err(e) => not_opened(&e),
        }
    });
    runtime.shutdown_background();
    code
}

/// Opens an engine on the file that is found, for a look.
pub fn look<F, W>(args: &Args, work: W) -> u8
where
    F: Future<Output = u8>,
    W: FnOnce(Session) -> F,
{
    run(args, None, World::default(), false, work)
}

/// Runs a future of a command that needs no engine.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, u8> {
    Ok(runtime()?.block_on(work))
}

fn runtime() -> Result<tokio::runtime::Runtime, u8> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| fail(exit::INTERNAL, format!("no thread can be started: {e}")))
}

fn not_opened(error: &EngineError) -> u8 {
    match error {
        EngineError::Load(e) => fly::load_failed(e, false),
        other => fail(exit::UNREACHABLE, other),
    }
}

/// Reads the file without opening anything.
pub fn load(args: &Args) -> Result<Loaded, u8> {
    load::load(&args.place()).map_err(|e| fly::load_failed(&e, false))
}

/// Begins the log where one is asked for.
pub fn log(args: &Args) -> Result<(), u8> {
    let asked = args
        .log
        .clone()
        .or_else(|| std::env::var("COCKPIT_LOG").ok())
        .filter(|level| !level.is_empty());
    let Some(level) = asked else {
        return Ok(());
    };
    log::begin(&level, &load::data_dir(&args.place(), false))
        .map_err(|why| fail(exit::USAGE, why))?;
    // Its name alone: what was given with it may be an address with a password in it.
    let command = args
        .command
        .as_ref()
        .map_or_else(String::new, |c| format!("{c:?}"));
    let command = command.split('(').next().unwrap_or_default();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), command, "begins");
    Ok(())
}
