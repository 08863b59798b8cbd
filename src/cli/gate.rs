//! `cockpit gate RELEASE`: the verdict of a release's critical gates, for a pipeline. It journals what it sees and acts on
//! nothing.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout_at;

use crate::app::port::Fact;
use crate::domain::situation::{GateView, Situation};
use crate::domain::text::clean;
use crate::domain::verdict::Verdict;
use crate::report;
use crate::runtime::clock::tick_in;

use super::args::{Args, GateArgs};
use super::{exit, fail, out, session, watch};

/// The JSON answer.
#[derive(Serialize)]
struct Answer<'a> {
    release: &'a str,
    at: crate::domain::time::Instant,
    verdict: Verdict,
    gates: &'a [GateView],
}

/// Waits for a verdict; exit code 0 pass, 1 fail, 2 undecided, 3 not run.
pub fn gate(args: &Args, wanted: &GateArgs) -> u8 {
    session::look(args, |mut session| async move {
        if let Err(why) = session.engine.focus(&wanted.release).await {
            return fail(exit::USAGE, why);
        }
        session.engine.keep_records();
        watch::fly(session, |facts| listen(facts, wanted)).await
    })
}

async fn listen(mut facts: UnboundedReceiver<Fact>, wanted: &GateArgs) -> u8 {
    let end = tick_in(wanted.wait);
    let mut ended = std::pin::pin!(watch::ended());
    let mut last: Option<Arc<Situation>> = None;
    loop {
        let fact = tokio::select! {
            biased;
            number = &mut ended => return 128u8.saturating_add(number),
            fact = timeout_at(end, facts.recv()) => fact,
        };
        match fact {
            Err(_) => break,
            Ok(Some(Fact::Assessed(s))) => {
                let decided = report::gate_verdict(&s).is_decided();
                last = Some(s);
                if decided {
                    break;
                }
            }
            Ok(Some(Fact::Trouble(text))) => out::complain(&format!("cockpit: {text}")),
            Ok(Some(Fact::Fatal(why))) => return fail(exit::UNREACHABLE, why),
            Ok(Some(_)) => {}
            Ok(None) => return fail(exit::INTERNAL, "the engine stopped"),
        }
    }
    match last {
        Some(s) => said(&s, wanted),
        None => fail(exit::NOT_RUN, "nothing was known in that time"),
    }
}

fn said(s: &Situation, wanted: &GateArgs) -> u8 {
    let verdict = report::gate_verdict(s);
    if wanted.json {
        out::json(&Answer {
            release: &wanted.release,
            at: s.now.world,
            verdict,
            gates: &s.gates,
        });
        return report::gate_exit(s);
    }
    let mut text = verdict.word().to_owned();
    if let Some(why) = verdict.why() {
        text.push_str(&format!(": {}", clean(why, 300)));
    }
    for g in &s.gates {
        let part = if g.critical { "" } else { " (not critical)" };
        let line = format!(
            "{} {} after step {}{part}: {}; {}",
            g.service, g.gate, g.step, g.mark.word, g.said
        );
        text.push_str(&format!("\n  {}", clean(&line, 400)));
    }
    out::put(&text);
    report::gate_exit(s)
}
