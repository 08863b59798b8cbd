//! The engine on its own thread, so that nothing it waits for ever delays a key.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::unbounded_channel;

use crate::app::port::Fact;

use super::clock::LateClock;
use super::engine::{Engine, Start};
use super::ui::EngineHandle;

/// Threads that the engine's work is spread over; parsing goes to the blocking pool.
const WORKERS: usize = 2;

/// Starts the engine. `late` is set to its clock once that is known.
pub fn engine(start: Start, late: Arc<LateClock>) -> (EngineHandle, JoinHandle<()>) {
    let (facts_tx, facts) = unbounded_channel();
    let (orders, orders_rx) = unbounded_channel();
    let thread = std::thread::spawn(move || {
        crate::connect::transport::ensure_crypto();
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(e) => {
                let _ = facts_tx.send(Fact::Fatal(format!("no thread for the engine: {e}")));
                return;
            }
        };
        runtime.block_on(async move {
            match Engine::open(start, facts_tx.clone()).await {
                Ok((engine, inbox)) => {
                    late.set(engine.clock());
                    engine.run(inbox, orders_rx).await;
                }
                Err(e) => {
                    let _ = facts_tx.send(Fact::Fatal(e.to_string()));
                }
            }
        });
        runtime.shutdown_background();
    });
    (EngineHandle { facts, orders }, thread)
}
