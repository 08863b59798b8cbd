//! `cockpit status`: one look, then the situation.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;

use crate::domain::situation::Situation;
use crate::domain::time::parse_duration;
use crate::report;
use crate::runtime::clock::RealClock;
use crate::runtime::engine::{Engine, EngineError, Start};

use super::args::{Args, StatusArgs};
use super::demo::World;
use super::{exit, fail, fly};

/// Columns of the plain text.
const WIDTH: usize = 120;

/// Prints the situation.
pub fn status(args: &Args, wanted: &StatusArgs) -> u8 {
    look(args, wanted, None, World::default())
}

/// Prints the situation of a given text.
pub fn look(args: &Args, wanted: &StatusArgs, text: Option<(PathBuf, String)>, world: World) -> u8 {
    let patience = match parse_duration(&wanted.wait).map(|d| d.to_std()) {
        Ok(Ok(patience)) => patience,
        _ => {
            return fail(
                exit::USAGE,
                format!("--wait {} is no length of time", wanted.wait),
            );
        }
    };
    match once(args, text, world, patience) {
        Err(code) => code,
        Ok((situation, _)) => {
            let out = if wanted.json {
                report::json(&situation)
            } else {
                report::plain(
                    &situation,
                    report::Options {
                        width: WIDTH,
                        ascii: args.ascii,
                        now: situation.now,
                    },
                )
            };
            println!("{}", out.trim_end());
            report::exit_code(&situation)
        }
    }
}

/// One look with its engine, still open.
pub fn once(
    args: &Args,
    text: Option<(PathBuf, String)>,
    world: World,
    patience: std::time::Duration,
) -> Result<(Arc<Situation>, Engine), u8> {
    crate::connect::transport::ensure_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| fail(exit::INTERNAL, e))?;
    let start = Start {
        place: args.place(),
        text,
        world: Some(world.maker()),
        clock: Arc::new(RealClock),
        acts: false,
    };
    let result = runtime.block_on(async {
        let (facts, _rx) = unbounded_channel();
        let (engine, inbox) = Engine::open(start, facts).await?;
        Ok::<_, EngineError>(engine.once(inbox, patience).await)
    });
    runtime.shutdown_background();
    result.map_err(|e| match e {
        EngineError::Load(e) => fly::load_failed(&e, false),
        other => fail(exit::UNREACHABLE, other),
    })
}
