//! `cockpit demo`: the embedded world.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;

use crate::domain::policy::Policy;
use crate::domain::time::Clock;
use crate::runtime::engine::{World as EngineWorld, WorldMaker};

use super::args::{Args, DemoArgs};
use super::{exit, fail, fly, seed};

/// The repository's own cockpit.toml: it flies the embedded world.
const SHIPPED: &str = include_str!("../../cockpit.toml");

/// How an embedded world is started.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// World seconds a real second.
    pub speed: f64,
    /// Start over.
    pub fresh: bool,
}

impl Default for World {
    fn default() -> Self {
        Self {
            speed: 1.0,
            fresh: false,
        }
    }
}

impl World {
    /// What the engine calls when the file has a `[demo]` table.
    pub fn maker(self) -> WorldMaker {
        Box::new(move |policy: Policy, dir: PathBuf| {
            async move {
                let scenario = policy
                    .demo
                    .as_ref()
                    .map_or("regression", |d| d.scenario.as_str());
                if self.fresh {
                    start_over(&dir)?;
                }
                let handle =
                    crate::demo::world::World::start(scenario, Some(&dir), self.speed, self.fresh)
                        .await
                        .map_err(|e| e.to_string())?;
                let seeds = seed::seeds(&policy, &handle.journal())?;
                let clock: Arc<dyn Clock> = handle.clock.clone();
                Ok(EngineWorld {
                    endpoints: handle.endpoints.clone(),
                    clock,
                    seeds,
                    keep: Box::new(handle),
                })
            }
            .boxed()
        })
    }
}

/// The demo's own journal and cache go with its world.
fn start_over(dir: &std::path::Path) -> Result<(), String> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(format!("{}: {e}", dir.display())),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("cockpit.db") || name.starts_with("cockpit.lock") {
            std::fs::remove_file(entry.path())
                .map_err(|e| format!("{}: {e}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Flies the embedded world, or serves its vendors alone.
pub fn demo(args: &Args, demo: &DemoArgs) -> u8 {
    if !demo.speed.is_finite() || demo.speed <= 0.0 {
        return fail(exit::USAGE, "--speed is a number above 0");
    }
    if args.read_only && demo.fresh {
        return fail(
            exit::USAGE,
            "--fresh starts the world over, and --read-only changes nothing: give one of them",
        );
    }
    let Some(text) = scenario_text(&demo.scenario) else {
        let names = crate::config::SCENARIOS.join(", ");
        return fail(
            exit::USAGE,
            format!("no scenario is called {}: there are {names}", demo.scenario),
        );
    };
    if demo.serve {
        return serve(args, demo);
    }
    let world = World {
        speed: demo.speed,
        fresh: demo.fresh,
    };
    if args.plain || args.json || !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        let wanted = super::args::StatusArgs {
            json: args.json,
            plain: !args.json,
            wait: super::status::WAIT,
        };
        return super::status::look(
            args,
            &wanted,
            Some((PathBuf::from("cockpit.toml"), text)),
            world,
        );
    }
    fly::open(args, Some((PathBuf::from("cockpit.toml"), text)), world)
}

/// The shipped file with that scenario.
fn scenario_text(name: &str) -> Option<String> {
    crate::config::SCENARIOS.contains(&name).then(|| {
        SHIPPED.replacen(
            "scenario = \"regression\"",
            &format!("scenario = \"{name}\""),
            1,
        )
    })
}

fn serve(args: &Args, demo: &DemoArgs) -> u8 {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => return fail(exit::INTERNAL, e),
    };
    let result = runtime.block_on(crate::demo::serve(
        &demo.scenario,
        args.data_dir.as_deref(),
        demo.speed,
        demo.fresh,
        &mut std::io::stdout(),
        ended(),
    ));
    match result {
        Ok(()) => 0,
        Err(e) => fail(exit::UNREACHABLE, e),
    }
}

/// Until somebody ends it.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        _ = hup.recv() => {}
    }
}
