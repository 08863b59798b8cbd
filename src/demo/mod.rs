//! The embedded world: simulated vendors on loopback HTTP, and the scenarios they play.
//!
//! A world is a pure function of (scenario, seed, accepted acts, world time). Every vendor has a port of its own on
//! 127.0.0.1 and answers in its own shape; the cockpit reaches it through its ordinary connectors. What is asked of a vendor
//! changes the world, the metrics follow, and with a data directory the acts outlive the process.
//!
//! - [`scenario`], [`shop`]: the format of `assets/demo/*.toml`
//! - [`opening`], [`state`], [`timeline`]: deployments over time; [`series`], [`promql`], [`eval`]: the metrics; [`alerts`]
//! - [`world`], [`log`]: acts, accepted and kept; [`fault`]: what is broken
//! - [`vendors`]: the HTTP faces, and the control port for tests

pub mod act;
pub mod alerts;
pub mod clock;
pub mod eval;
pub mod fault;
pub mod log;
pub mod noise;
pub mod opening;
pub mod pattern;
pub mod promql;
pub mod scenario;
pub mod series;
pub mod shop;
pub mod state;
pub mod timeline;
pub mod vendors;
pub mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use clock::ScaledClock;
use scenario::{Scenario, Seeded};
use world::World;

use crate::domain::time::Instant;

/// The vendors of the world, by the name under which a connection reaches them (`url = "demo:NAME"`).
pub const VENDORS: [&str; 8] = [
    "prometheus",
    "alertmanager",
    "argocd",
    "github",
    "pagerduty",
    "slack",
    "ics",
    "registry",
];

/// The demo could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The scenario is not there or does not read.
    #[error(transparent)]
    Scenario(#[from] scenario::ScenarioError),
    /// A file of the world cannot be used.
    #[error("the demo's world cannot be kept in {}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Another process plays on the same files.
    #[error("another demo is running on {}; end it, or use another data directory", path.display())]
    Locked {
        /// File.
        path: PathBuf,
    },
    /// The kept world is another scenario's.
    #[error("{} holds a world of the scenario {found:?}, not {asked:?}; start over with --fresh, or use another data directory", path.display())]
    OtherScenario {
        /// File.
        path: PathBuf,
        /// Scenario in the file.
        found: String,
        /// Scenario asked for.
        asked: String,
    },
    /// A line of the kept world does not read. The file is left as it is.
    #[error("{} line {line} is damaged ({why}); start over with --fresh", path.display())]
    Broken {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// No port on loopback.
    #[error("no port on 127.0.0.1 for the simulated {vendor}: {source}")]
    Port {
        /// Vendor.
        vendor: &'static str,
        /// Cause.
        source: std::io::Error,
    },
    /// What was served cannot be told.
    #[error("cannot print the endpoints: {0}")]
    Print(std::io::Error),
}

/// A running world. Dropping it closes the ports.
pub struct WorldHandle {
    /// Vendor's name to its address on loopback.
    pub endpoints: BTreeMap<String, SocketAddr>,
    /// The control port (`/__world/...`), for tests.
    pub control: SocketAddr,
    /// The world's clock.
    pub clock: Arc<ScaledClock>,
    /// The world itself.
    pub world: Arc<World>,
    tasks: JoinSet<()>,
}

/// An entry of the journal that the demo opens with, at its world time.
#[derive(Clone, Debug)]
pub struct JournalEntry {
    /// World time.
    pub at: Instant,
    /// Who, kind and fields.
    pub entry: Seeded,
}

/// Real time between two signs of life.
const BEAT: Duration = Duration::from_secs(2);

impl World {
    /// Starts a scenario on the caller's runtime, one ephemeral port of 127.0.0.1 a vendor. With `data_dir` the world keeps its
    /// start and its acts there and goes on from them, and leaves the control port's address in `world.control`; `fresh` starts over. `speed` is world seconds a real second.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn start(
        scenario: &str,
        data_dir: Option<&Path>,
        speed: f64,
        fresh: bool,
    ) -> Result<WorldHandle, WorldError> {
        let world = Arc::new(Self::new(
            Scenario::load(scenario)?,
            data_dir,
            speed,
            fresh,
        )?);
        let handle = WorldHandle::open(world).await?;
        if let Some(dir) = data_dir {
            tell(dir, handle.control)?;
        }
        Ok(handle)
    }
}

/// Leaves the control port's address in `world.control`; never half of it.
fn tell(dir: &Path, control: SocketAddr) -> Result<(), WorldError> {
    let path = dir.join("world.control");
    let part = dir.join("world.control.part");
    std::fs::write(&part, format!("http://{control}\n"))
        .and_then(|()| std::fs::rename(&part, &path))
        .map_err(|source| WorldError::Io { path, source })
}

impl WorldHandle {
    /// Opens the ports of a world.
    ///
    /// # Errors
    /// [`WorldError::Port`].
    pub async fn open(world: Arc<World>) -> Result<Self, WorldError> {
        let mut tasks = JoinSet::new();
        let mut endpoints = BTreeMap::new();
        for vendor in VENDORS {
            if let Some(router) = vendors::router(&world, vendor) {
                endpoints.insert(vendor.to_owned(), listen(&mut tasks, vendor, router).await?);
            }
        }
        let control = listen(
            &mut tasks,
            "control",
            vendors::control::routes(Arc::clone(&world)),
        )
        .await?;
        if let Some(path) = world.beat_path() {
            let clock = Arc::clone(&world.clock);
            tasks.spawn(async move {
                loop {
                    tokio::time::sleep(BEAT).await;
                    let (path, now) = (path.clone(), clock.world());
                    // A blocked disk delays the next sign of life, not the vendors.
                    let _ = tokio::task::spawn_blocking(move || log::beat(&path, now)).await;
                }
            });
        }
        Ok(Self {
            endpoints,
            control,
            clock: Arc::clone(&world.clock),
            world,
            tasks,
        })
    }

    /// The base URL of a vendor: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self, vendor: &str) -> Option<String> {
        self.endpoints
            .get(vendor)
            .map(|address| format!("http://{address}"))
    }

    /// What the demo's journal opens with, by time: what people did before the demo opened.
    #[must_use]
    pub fn journal(&self) -> Vec<JournalEntry> {
        let scenario = &self.world.scenario;
        scenario
            .journal
            .iter()
            .map(|entry| JournalEntry {
                at: scenario.at(entry.at),
                entry: entry.clone(),
            })
            .collect()
    }

    /// Closes the ports and leaves a last sign of life.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
        if let Some(path) = self.world.beat_path() {
            log::beat(&path, self.clock.world());
        }
    }
}

async fn listen(
    tasks: &mut JoinSet<()>,
    vendor: &'static str,
    router: Router,
) -> Result<SocketAddr, WorldError> {
    let port = |source| WorldError::Port { vendor, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(port)?;
    let address = listener.local_addr().map_err(port)?;
    tasks.spawn(async move {
        // Ends with the task; a listener that breaks shows as an unreachable vendor, which is what it is.
        let _ = axum::serve(listener, router).await;
    });
    Ok(address)
}

/// `demo --serve`: starts the world, writes one line `NAME URL` a vendor (and the control port) to `out`, and serves until
/// `end` resolves.
///
/// # Errors
/// See [`WorldError`].
pub async fn serve(
    scenario: &str,
    data_dir: Option<&Path>,
    speed: f64,
    fresh: bool,
    out: &mut dyn Write,
    end: impl Future<Output = ()>,
) -> Result<(), WorldError> {
    let handle = World::start(scenario, data_dir, speed, fresh).await?;
    let mut text = String::new();
    for (vendor, address) in &handle.endpoints {
        text.push_str(&format!("{vendor} http://{address}\n"));
    }
    text.push_str(&format!("control http://{}\n", handle.control));
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(WorldError::Print)?;
    end.await;
    handle.shutdown().await;
    Ok(())
}
