//! `cockpit watch RELEASE`: flies a release without a screen. It does what is owed like the interface, and prints one line
//! a change.

use std::future::Future;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::app::port::{Fact, Order};
use crate::domain::situation::{Phase, Situation};
use crate::report;

use super::args::{Args, WatchArgs};
use super::demo::World;
use super::session::{self, Session};
use super::{exit, fail, out};

/// Flies it until it is closed or the process is ended.
pub fn watch(args: &Args, wanted: &WatchArgs) -> u8 {
    session::run(
        args,
        None,
        World::default(),
        true,
        |mut session| async move {
            if let Err(why) = session.engine.focus(&wanted.release).await {
                return fail(exit::USAGE, why);
            }
            fly(session, follow).await
        },
    )
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

async fn follow(mut facts: UnboundedReceiver<Fact>) -> u8 {
    let mut last: Option<Arc<Situation>> = None;
    let mut ended = std::pin::pin!(ended());
    loop {
        let fact = tokio::select! {
            biased;
            number = &mut ended => return 128u8.saturating_add(number),
            fact = facts.recv() => fact,
        };
        match fact {
            Some(Fact::Assessed(s)) => {
                for line in report::line(&s, last.as_deref()) {
                    if !out::put(&line) {
                        return exit::UNREACHABLE;
                    }
                }
                if closed(&s) {
                    return report::exit_code(&s);
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

fn closed(s: &Situation) -> bool {
    let current = s.current.as_deref();
    s.releases
        .iter()
        .any(|r| Some(r.plan.id.as_str()) == current && r.phase == Phase::Closed)
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
