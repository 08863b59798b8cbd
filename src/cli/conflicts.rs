//! `cockpit conflicts`: plans that are in each other's way, a paragraph each.

use serde::Serialize;

use crate::domain::observe::{Need, Subject};
use crate::domain::situation::{Conflict, DeadlineView, Situation};
use crate::domain::time::Instant;
use crate::report;

use super::args::{Args, ConflictsArgs};
use super::{exit, fail, out, session, status};

/// The JSON answer.
#[derive(Serialize)]
struct Answer<'s> {
    at: Instant,
    conflicts: Vec<&'s Conflict>,
    deadlines: Vec<&'s DeadlineView>,
    order: &'s [String],
    unknown: &'s [String],
}

/// Prints them; exit code 0 none, 1 some, 2 not known.
pub fn conflicts(args: &Args, wanted: &ConflictsArgs) -> u8 {
    session::look(args, |mut session| async move {
        let wants = |need: &Need| {
            matches!(
                need.subject,
                Subject::Calendar { .. }
                    | Subject::Oncall
                    | Subject::Builds { .. }
                    | Subject::Artifact { .. }
                    | Subject::Commits { .. }
            )
        };
        let wait = wanted.patience.wait;
        let s = session
            .engine
            .look_for(&mut session.inbox, wait, wants)
            .await;
        let ids: Vec<&str> = s.releases.iter().map(|r| r.plan.id.as_str()).collect();
        let code = match &wanted.release {
            Some(id) if !ids.contains(&id.as_str()) => {
                let why = format!("no release is called {id}: there are {}", ids.join(", "));
                fail(exit::USAGE, why)
            }
            release => said(args, wanted, &s, release.as_deref()),
        };
        session.engine.close().await;
        code
    })
}

fn said(args: &Args, wanted: &ConflictsArgs, s: &Situation, release: Option<&str>) -> u8 {
    let calendar = &s.calendar;
    let conflicts: Vec<&Conflict> = calendar
        .conflicts
        .iter()
        .filter(|c| release.is_none_or(|id| c.concerns(id)))
        .collect();
    let deadlines = calendar.deadlines.iter();
    let code = match (conflicts.is_empty(), calendar.unsure.is_empty()) {
        (false, _) => exit::FAIL,
        (true, false) => exit::UNDECIDED,
        (true, true) => exit::PASS,
    };
    if wanted.json {
        out::json(&Answer {
            at: s.now.world,
            conflicts,
            deadlines: deadlines
                .filter(|d| release.is_none_or(|id| d.release == id))
                .collect(),
            order: &calendar.order,
            unknown: &calendar.unsure,
        });
    } else {
        let options = status::options(args, s.now);
        out::put(&report::conflicts(s, &conflicts, options));
    }
    code
}
