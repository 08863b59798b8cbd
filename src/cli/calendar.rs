//! `cockpit calendar`: the strip of the next eight days, or every entry of a span as text, JSON or an iCalendar file.

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::domain::agenda::Agenda;
use crate::domain::assess;
use crate::domain::observe::{Need, Subject};
use crate::domain::rules::Rules;
use crate::domain::time::{Instant, Now, day_start, earliest};
use crate::report;

use super::args::{Args, CalendarArgs};
use super::session::{self, Session};
use super::{exit, fail, out, status};

/// The longest span that is listed, days: the rules are indexed for so long.
const LONGEST: i64 = 400;
/// Days listed where no end is given.
const LISTED: i64 = 28;
/// Days before and after today in an iCalendar file where nothing else is said.
const WRITTEN: (i64, i64) = (30, 180);

/// Prints the calendar; exit code as of `cockpit window` for the current release, of a list 0, and 2 where something is missing in it.
pub fn calendar(args: &Args, wanted: &CalendarArgs) -> u8 {
    session::look(args, |mut session| async move {
        let calendars = |need: &Need| matches!(need.subject, Subject::Calendar { .. });
        let wait = wanted.patience.wait;
        let s = session
            .engine
            .look_for(&mut session.inbox, wait, calendars)
            .await;
        if wanted.ics || wanted.from.is_some() || wanted.to.is_some() {
            let code = list(args, wanted, &session);
            session.engine.close().await;
            return code;
        }
        if wanted.json {
            out::json(&s.calendar);
        } else {
            out::put(&report::calendar(&s, status::options(args, s.now)));
        }
        session.engine.close().await;
        report::calendar_exit(&s)
    })
}

/// Lists the entries of a span.
fn list(args: &Args, wanted: &CalendarArgs, session: &Session) -> u8 {
    let policy = session.engine.policy();
    let now = session.engine.now();
    let (from, to) = match span(wanted, now.world, policy.timezone) {
        Ok(span) => span,
        Err(why) => return fail(exit::USAGE, why),
    };
    let observed = session.engine.observed();
    // The index reaches from days before the time it is made for to 400 days after it.
    let around = Now {
        world: from,
        real: now.real,
    };
    let rules = Rules::of(&policy, observed, around);
    let journal = session.engine.journal();
    let agenda = assess::agenda(&policy, journal, observed, &rules, now, (from, to));
    if wanted.ics {
        complain(&agenda);
        out::raw(&report::ics(&agenda, &policy.title, now.world));
    } else if wanted.json {
        out::json(&agenda);
    } else {
        let options = status::options(args, now);
        out::put(&report::agenda(&agenda, policy.timezone, options));
    }
    if agenda.is_whole() {
        exit::PASS
    } else {
        exit::UNDECIDED
    }
}

/// What an iCalendar file cannot say.
fn complain(agenda: &Agenda) {
    for name in &agenda.unread {
        out::complain(&format!(
            "cockpit: the calendar {name} was not read: its entries are not in this file"
        ));
    }
    for problem in &agenda.problems {
        out::complain(&format!("cockpit: {problem}"));
    }
}

/// The span that is asked for: whole days where days are named, the last one included.
fn span(wanted: &CalendarArgs, now: Instant, zone: Tz) -> Result<(Instant, Instant), String> {
    let today = now.with_timezone(&zone).date_naive();
    let day = |by: i64| day_start(today + Duration::days(by), zone);
    let (back, ahead) = if wanted.ics { WRITTEN } else { (0, LISTED) };
    let from = match &wanted.from {
        Some(text) => moment("--from", text, zone, false)?,
        None => day(-back),
    };
    let to = match (&wanted.to, &wanted.from) {
        (Some(text), _) => moment("--to", text, zone, true)?,
        (None, Some(_)) => from + Duration::days(if wanted.ics { back + ahead } else { ahead }),
        (None, None) => day(ahead),
    };
    if to <= from {
        return Err("--to is not after --from".to_owned());
    }
    if to - from > Duration::days(LONGEST) {
        return Err(format!("at most {LONGEST} days are listed at a time"));
    }
    Ok((from, to))
}

/// A day (its end, where it is the last one), RFC 3339, or a local time.
fn moment(flag: &str, text: &str, zone: Tz, last: bool) -> Result<Instant, String> {
    let year = text.get(..4).and_then(|y| y.parse::<i32>().ok());
    let near =
        year.is_some_and(|y| (1971..2200).contains(&y)) && text.as_bytes().get(4) == Some(&b'-');
    if !near {
        return Err(format!(
            "{flag} {text} is no day or time: write 2026-12-01, 2026-12-01T10:00 or RFC 3339"
        ));
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let next = day.checked_add_days(Days::new(1)).filter(|_| last);
        return Ok(day_start(next.unwrap_or(day), zone));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|shape| NaiveDateTime::parse_from_str(text, shape).ok())
        .map(|local| earliest(local, zone))
        .ok_or_else(|| {
            format!(
                "{flag} {text} is no day or time: write 2026-12-01, 2026-12-01T10:00 or RFC 3339"
            )
        })
}
