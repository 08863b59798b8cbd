//! `cockpit watch RELEASE`: flies a release without a screen, as a service would. Where nobody else does it holds the driver's
//! lease and does what is owed, like the interface; else, and with `--read-only`, it observes. It prints one line a change,
//! ends with the watch, and says on its last line where the release stands.

use std::future::Future;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::app::port::{Fact, Order};
use crate::domain::situation::Situation;
use crate::report;

use super::args::{Args, WatchArgs};
use super::demo::World;
use super::session::{self, Session};
use super::{exit, fail, out};

/// What a shell says of a process whose reader went away: 128 and the number of SIGPIPE.
const NOBODY_READS: u8 = 128 + 13;

/// Flies it until its watch is over, it is closed, or the process is ended.
pub fn watch(args: &Args, wanted: &WatchArgs) -> u8 {
    if !wanted.speed.is_finite() || wanted.speed <= 0.0 {
        return fail(exit::USAGE, "--speed is a number above 0");
    }
    let world = World {
        speed: wanted.speed,
        ..World::default()
    };
    let fast = (wanted.speed - 1.0).abs() > f64::EPSILON;
    session::run(args, None, world, true, |mut session| async move {
        if fast && session.engine.policy().demo.is_none() {
            return fail(
                exit::USAGE,
                "--speed is for an embedded world: cockpit.toml has no [demo]",
            );
        }
        if let Err(why) = session.engine.focus(&wanted.release).await {
            return fail(exit::USAGE, why);
        }
        let ended = std::pin::pin!(ended());
        let json = wanted.json;
        fly(session, |facts| follow(facts, ended, json)).await
    })
}

/// Runs the engine beside `listen`, which says when to end and with which exit code.
pub async fn fly<F, L>(session: Session, listen: L) -> u8
where
    F: Future<Output = u8>,
    L: FnOnce(UnboundedReceiver<Fact>) -> F,
{
    let Session {
        engine,
        inbox,
        mut facts,
    } = session;
    // What was said before a release was in focus is about another one.
    while facts.try_recv().is_ok() {}
    let (orders, orders_rx) = unbounded_channel();
    let listening = async {
        let code = listen(facts).await;
        let _ = orders.send(Order::Shutdown);
        code
    };
    let ((), code) = tokio::join!(engine.run(inbox, orders_rx), listening);
    code
}

async fn follow(
    mut facts: UnboundedReceiver<Fact>,
    mut ended: std::pin::Pin<&mut impl Future<Output = u8>>,
    json: bool,
) -> u8 {
    let put = |change: &report::Change| out::put(&if json { change.json() } else { change.line() });
    let mut last: Option<Arc<Situation>> = None;
    loop {
        let fact = tokio::select! {
            biased;
            number = &mut ended => {
                if let Some(s) = &last {
                    let why = format!("ended by {}", name(number));
                    put(&report::standing(s, Some(&why)));
                }
                return 128u8.saturating_add(number);
            }
            fact = facts.recv() => fact,
        };
        match fact {
            Some(Fact::Assessed(s)) => {
                for change in report::changes(&s, last.as_deref()) {
                    if !put(&change) {
                        return NOBODY_READS;
                    }
                }
                if let Some(code) = report::watch_exit(&s) {
                    put(&report::standing(&s, None));
                    return code;
                }
                last = Some(s);
            }
            Some(Fact::Trouble(text)) => out::complain(&format!("cockpit: {text}")),
            Some(Fact::Fatal(why)) => return fail(exit::UNREACHABLE, why),
            Some(Fact::Done { .. } | Fact::Document { .. } | Fact::Keys(_) | Fact::Looked(_)) => {}
            None => return fail(exit::INTERNAL, "the engine stopped"),
        }
    }
}

fn name(signal: u8) -> &'static str {
    match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        _ => "SIGTERM",
    }
}

/// The number of the signal that ends the process.
pub async fn ended() -> u8 {
    let (Ok(mut hup), Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::hangup()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = hup.recv() => 1,
        _ = int.recv() => 2,
        _ = term.recv() => 15,
    }
}
