//! `cockpit gate RELEASE`: may the release go on from its present step? For a pipeline. It journals what it sees and acts on
//! nothing.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout_at;

use crate::app::port::Fact;
use crate::domain::situation::{FeedView, GateView, Situation};
use crate::domain::text::clean;
use crate::domain::time::Instant;
use crate::domain::verdict::Verdict;
use crate::report;
use crate::runtime::clock::tick_in;

use super::args::{Args, GateArgs};
use super::{exit, fail, out, session, watch};

/// The JSON answer.
#[derive(Serialize)]
struct Answer<'a> {
    release: &'a str,
    at: Instant,
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
        let since = session.engine.now().world;
        watch::fly(session, |facts| listen(facts, wanted, since)).await
    })
}

/// `since`: when this process began to read.
async fn listen(mut facts: UnboundedReceiver<Fact>, wanted: &GateArgs, since: Instant) -> u8 {
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
                let decided = verdict(&s, since).is_decided();
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
        Some(s) => said(&s, wanted, verdict(&s, since)),
        None => fail(exit::NOT_RUN, "nothing was known in that time"),
    }
}

/// The verdict, a pass only by what this process read itself: another's reading may be about the step before.
fn verdict(s: &Situation, since: Instant) -> Verdict {
    let verdict = report::gate_verdict(s);
    match s
        .feeds
        .iter()
        .find(|f| decides(s, f) && f.read_at.is_none_or(|at| at < since))
    {
        Some(feed) if verdict == Verdict::Pass => {
            Verdict::undecided(format!("{} was not read yet by this process", feed.what), 0)
        }
        _ => verdict,
    }
}

/// Live deployments, and the minutes of the metrics that a gate or a trigger looks at.
fn decides(s: &Situation, feed: &FeedView) -> bool {
    let Some(rest) = feed.need.strip_prefix("metric/") else {
        return feed.need.starts_with("deployments/");
    };
    let gates = s
        .gates
        .iter()
        .flat_map(|g| g.metrics.iter().map(|(id, _, _)| id));
    let mut looked_at = gates.chain(s.triggers.iter().map(|t| &t.metric));
    let of = |id: &String| {
        rest.strip_prefix(id.as_str())
            .is_some_and(|r| r.starts_with('/'))
    };
    feed.feeds_verdict && looked_at.any(of)
}

fn said(s: &Situation, wanted: &GateArgs, verdict: Verdict) -> u8 {
    let code = verdict.exit_code();
    if wanted.json {
        out::json(&Answer {
            release: &wanted.release,
            at: s.now.world,
            verdict,
            gates: &s.gates,
        });
        return code;
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
    code
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::app::fixture::story;

    #[test]
    fn a_pass_counts_only_by_what_this_process_read() {
        let mut s = story();
        s.step_verdict = Verdict::Pass;
        let mut feed = s.feeds[0].clone();
        feed.feeds_verdict = true;
        s.feeds.clear();
        let read = s.now.world;
        let metric = s.triggers[0].metric.clone();
        feed.read_at = Some(read);
        for need in [
            "deployments/cd".to_owned(),
            format!("metric/{metric}/val/60"),
        ] {
            feed.need = need;
            s.feeds = vec![feed.clone()];
            assert_eq!(verdict(&s, read), Verdict::Pass);
            let later = read + chrono::Duration::seconds(1);
            let cached = verdict(&s, later);
            assert!(cached.why().unwrap().contains("not read yet"), "{cached:?}");
            s.step_verdict = Verdict::Fail;
            assert_eq!(
                verdict(&s, later),
                Verdict::Fail,
                "a Fail is not waited for"
            );
            s.step_verdict = Verdict::Pass;
            s.feeds[0].read_at = None;
            assert!(!verdict(&s, read).is_decided());
        }
        // What nothing looks at is not waited for.
        for need in ["metric/other/val/60", "oncall/pager"] {
            s.feeds[0].need = need.into();
            assert_eq!(verdict(&s, read), Verdict::Pass);
        }
    }
}
