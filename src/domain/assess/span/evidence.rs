//! Every rule that touches a day or a release, one by one, with owner and end, in local time and UTC.

use chrono::Duration;
use chrono_tz::Tz;

use crate::domain::calendar::{Bar, CalendarSpan, Lane};
use crate::domain::planning;
use crate::domain::policy::{Release, Reversible};
use crate::domain::situation::Evidence;
use crate::domain::time::{Span, age_words};
use crate::domain::window::Target;
use crate::domain::words::both_zones;

use super::super::View;
use super::super::phase_of;
use super::{Cx, start, strip};

fn ends(span: Span, zone: Tz) -> String {
    match span.end {
        Some(end) if end == span.start => both_zones(end, zone),
        Some(end) => format!(
            "{} – {}",
            both_zones(span.start, zone),
            both_zones(end, zone)
        ),
        None => format!("{} –, with no known end", both_zones(span.start, zone)),
    }
}

/// Everything that touches a span.
pub(super) fn of_span(
    cx: &Cx<'_>,
    target: &Target,
    found: &CalendarSpan,
    span: Span,
    title: &str,
) -> Evidence {
    let view = &cx.view(cx.observed, cx.now.world, None);
    let zone = view.policy.timezone;
    let mut lines = vec![("asked for".to_owned(), found.whom.clone())];
    lines.extend(found.notes.iter().map(|n| ("note".to_owned(), n.clone())));
    for s in strip(view, target, span) {
        let rules = if s.rules.is_empty() {
            String::new()
        } else {
            format!(": {}", s.rules.join(", "))
        };
        lines.push((
            s.mark.word.clone(),
            format!("{}{rules}", ends(s.span, zone)),
        ));
    }
    let touches = |b: &&Bar| b.span.overlaps(&span) || span.contains(b.span.start);
    for lane in Lane::ALL {
        for bar in found.lane(lane).filter(touches) {
            lines.push((lane.word().to_owned(), bar_words(bar, zone)));
        }
    }
    let here: Vec<&str> = found
        .lane(Lane::Release)
        .filter(touches)
        .filter_map(|b| b.release.as_deref())
        .collect();
    for conflict in cx.plans().conflicts {
        let touches = span.contains(conflict.from) || here.iter().any(|id| conflict.concerns(id));
        if touches {
            lines.push(("conflict".to_owned(), conflict.to_string()));
        }
    }
    lines.extend(calendars(view));
    Evidence {
        title: title.to_owned(),
        lines,
        ..Evidence::default()
    }
}

fn bar_words(bar: &Bar, zone: Tz) -> String {
    let word = match bar.lane {
        Lane::Release | Lane::Cover => format!(" ({})", bar.mark.word),
        _ => String::new(),
    };
    let note = if bar.note.is_empty() {
        String::new()
    } else {
        format!("; {}", bar.note)
    };
    format!("{}{word}: {}{note}", bar.name, ends(bar.span, zone))
}

/// When each calendar was read.
fn calendars(view: &View<'_>) -> Vec<(String, String)> {
    let read = |name: &str| {
        let (seen, freshness) = view.feed(&format!("calendar/{name}"));
        seen.map_or_else(
            || "never read".to_owned(),
            |o| {
                let age = age_words(view.at() - o.read_at);
                format!("read {age} ago, {}", freshness.word())
            },
        )
    };
    let all = view.policy.calendars.iter();
    all.map(|c| (format!("calendar {}", c.name), read(&c.name)))
        .collect()
}

/// Everything that touches a release: its plan, and its start as it is planned.
pub(super) fn of_release(cx: &Cx<'_>, id: &str) -> Option<Evidence> {
    let all = planning::releases(cx.policy, cx.journal);
    let release: &Release = all.into_iter().find(|r| r.id == id)?;
    let view = cx.view(cx.observed, cx.now.world, Some(release));
    let zone = cx.policy.timezone;
    let mut lines = Vec::new();
    let mut put = |label: &str, text: String| lines.push((label.to_owned(), text));
    put("environment", release.environment.clone());
    put("phase", phase_of(&view, release).word().to_owned());
    match release.planned {
        Some(at) => put("start", both_zones(at, zone)),
        None => put("start", "no date".to_owned()),
    }
    if let Some(note) = origin(cx, release) {
        put("plan", note);
    }
    for c in &release.changes {
        let from = c.from.as_deref().unwrap_or("what serves");
        let back = match &c.reversible {
            Reversible::Yes | Reversible::Undeclared => String::new(),
            Reversible::Until(event) => format!("; reversible until {event}"),
            Reversible::No => "; cannot be undone".to_owned(),
        };
        put("change", format!("{} {from} → {}{back}", c.service, c.to));
    }
    let state = cx.journal.release(&release.id);
    let driver = state
        .and_then(|s| s.driver.clone())
        .or_else(|| release.driver.clone());
    put("driver", driver.unwrap_or_else(|| "nobody".to_owned()));
    if let Some(at) = release.planned {
        // What began is judged as of its start no more: the rules then are in the journal.
        let begun = state.is_some_and(|s| !s.tracks.is_empty());
        let at = if begun {
            at
        } else {
            at.max(cx.now.world - Duration::days(8))
        };
        for line in start::judge(cx, release, at).0 {
            put(&line.label, line.text);
        }
    }
    lines.extend(calendars(&view));
    Some(Evidence {
        title: format!("{} at its planned start", release.title),
        lines,
        ..Evidence::default()
    })
}

/// Who planned or moved it, where that was not done in cockpit.toml.
pub(in crate::domain::assess) fn origin_of(view: &View<'_>, release: &Release) -> Option<String> {
    let zone = view.policy.timezone;
    let say = |at| super::super::clock_full(at, view.at(), zone);
    if let Some(moved) = planning::moved(view.journal, release) {
        let file = moved
            .file
            .map_or(String::new(), |at| format!(" (file says {})", say(at)));
        return Some(format!("moved by {} {}{file}", moved.by, say(moved.at)));
    }
    let (by, at) = view.journal.release(&release.id)?.planned_by.as_ref()?;
    let own = view.journal.release(&release.id)?.plan.as_ref() == Some(release);
    own.then(|| format!("planned by {by} {}", say(*at)))
}

fn origin(cx: &Cx<'_>, release: &Release) -> Option<String> {
    origin_of(&cx.view(cx.observed, cx.now.world, Some(release)), release)
}
