//! Feeds: what is read, how fresh it is, what fails and what to do about it; and what is wrong with the set-up.

use crate::domain::observe::{Freshness, Need, Subject};
use crate::domain::situation::{Evidence, FeedView, Mark, Tone};
use crate::domain::time;

use super::{Proofs, View};

/// Every feed, worst first.
pub(super) fn feeds(view: &View<'_>, proofs: &mut Proofs) -> Vec<FeedView> {
    let mut list: Vec<FeedView> = view.needs.iter().map(|need| feed(view, need)).collect();
    list.sort_by(|a, b| {
        (b.freshness, b.fault.is_some(), &a.need).cmp(&(a.freshness, a.fault.is_some(), &b.need))
    });
    for feed in &list {
        proofs.insert(format!("feed/{}", feed.need), prove(view, feed));
    }
    list
}

fn feed(view: &View<'_>, need: &Need) -> FeedView {
    let known = view.observed.feeds.get(&need.id);
    let (last, freshness) = view.feed(&need.id);
    let fault = known.and_then(|f| f.fault.clone());
    let partial = last.is_some_and(|o| o.partial.is_some());
    let mark = match (freshness, &fault) {
        (Freshness::Fresh | Freshness::Aging, _) if partial => Mark::new("partial", Tone::Hold),
        (Freshness::Fresh, None) => Mark::new("fresh", Tone::Pass),
        (Freshness::Fresh, Some(_)) => Mark::new("fresh, failing", Tone::Hold),
        (Freshness::Aging, _) => Mark::new("aging", Tone::Hold),
        (other, _) => Mark::new(other.word(), Tone::Unknown),
    };
    FeedView {
        need: need.id.clone(),
        source: need.call.connection.clone(),
        what: what(&need.subject),
        mark,
        read_at: last.map(|o| o.read_at),
        freshness,
        fault,
        feeds_verdict: feeds_verdict(&need.subject),
    }
}

/// Does a verdict hang on it? (SEMANTICS 12, BLIND.)
pub(super) fn feeds_verdict(subject: &Subject) -> bool {
    matches!(
        subject,
        Subject::Deployments { .. }
            | Subject::Metric { step: 60, .. }
            | Subject::Calendar { .. }
            | Subject::Alerts
    )
}

fn what(subject: &Subject) -> String {
    match subject {
        Subject::Deployments { .. } => "live deployments".to_owned(),
        Subject::Metric { metric, step, .. } if *step == 60 => format!("metric {metric}"),
        Subject::Metric { metric, .. } => format!("history of {metric}"),
        Subject::Alerts => "alerts".to_owned(),
        Subject::Oncall => "on-call".to_owned(),
        Subject::Incidents => "incidents".to_owned(),
        Subject::Calendar { name } => format!("calendar {name}"),
        Subject::Commits { service, .. } => format!("commits of {service}"),
        Subject::Builds { service, version } => format!("builds of {service} {version}"),
        Subject::Artifact { service, version } => format!("image of {service} {version}"),
        Subject::Approvals { release } => format!("approvals of {release}"),
        Subject::Reactions { .. } => "answers to the brief".to_owned(),
        Subject::Item { item } => format!("checklist item {item}"),
    }
}

fn prove(view: &View<'_>, feed: &FeedView) -> Evidence {
    let mut lines = vec![
        ("what".to_owned(), feed.what.clone()),
        ("connection".to_owned(), feed.source.clone()),
        ("state".to_owned(), feed.mark.word.clone()),
    ];
    if let Some(at) = feed.read_at {
        lines.push((
            "last good reading".to_owned(),
            format!("{} ago", time::age_words(view.at() - at)),
        ));
    }
    if let Some(fault) = &feed.fault {
        lines.push(("what went wrong".to_owned(), fault.what.clone()));
        lines.push(("what to do".to_owned(), fault.hint.clone()));
        if let Some(at) = fault.retry_at {
            lines.push((
                "tries again".to_owned(),
                format!("{} UTC", at.format("%H:%M:%S")),
            ));
        }
    }
    Evidence {
        title: format!("feed {}", feed.need),
        lines,
        source: Some(feed.source.clone()),
        read_at: feed.read_at,
        freshness: Some(feed.freshness),
        ..Evidence::default()
    }
}

/// What is wrong with the set-up, a sentence each.
pub(super) fn troubles(view: &View<'_>) -> Vec<String> {
    let session = &view.observed.session;
    let mut out = Vec::new();
    out.extend(session.journal_fault.clone());
    out.extend(view.journal.unreadable.clone());
    out.extend(session.untrusted.clone());
    out.extend(session.config_fault.clone());
    let held = session.held.iter();
    out.extend(held.map(|h| format!("{}; d lists it, s takes it by its name", h.said)));
    if let Some(rules) = view.observed.rules.as_deref() {
        out.extend(rules.problems.clone());
    }
    if view.policy.connections.is_empty() {
        out.push(
            "no connection is configured: add a [connections.NAME] table to cockpit.toml"
                .to_owned(),
        );
    }
    out
}
