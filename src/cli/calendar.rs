//! `cockpit calendar`: the strip of the next eight days.

use crate::domain::observe::{Need, Subject};
use crate::report;

use super::args::{Args, CalendarArgs};
use super::{out, session, status};

/// Prints the calendar; exit code as of `cockpit window` for the current release.
pub fn calendar(args: &Args, wanted: &CalendarArgs) -> u8 {
    session::look(args, |mut session| async move {
        let calendars = |need: &Need| matches!(need.subject, Subject::Calendar { .. });
        let wait = wanted.patience.wait;
        let s = session
            .engine
            .look_for(&mut session.inbox, wait, calendars)
            .await;
        if wanted.json {
            out::json(&s.calendar);
        } else {
            out::put(&report::calendar(&s, status::options(args, s.now)));
        }
        session.engine.close().await;
        report::calendar_exit(&s)
    })
}
