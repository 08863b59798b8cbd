//! Two releases in each other's way: the same service, a dependency, the order, the environment's lock, the driver.

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::event::Closing;
use crate::domain::situation::{ConflictKind, Party, PartyKind};
use crate::domain::time::{Instant, Span};

use super::{Found, Plan, View, clock};

/// A dependency that is released so soon after is in the way too, minutes.
const AFTER: i64 = 30;

/// Plans by what two of them may share, each list by start.
type Index<'p, K> = BTreeMap<K, Vec<&'p Plan<'p>>>;

pub(super) fn find(view: &View<'_>, plans: &[Plan<'_>], out: &mut Found) {
    let mut services: Index<'_, (&str, &str)> = Index::new();
    let mut locks: Index<'_, &str> = Index::new();
    let mut drivers: Index<'_, &str> = Index::new();
    for plan in plans {
        let environment = plan.release.environment.as_str();
        for change in &plan.release.changes {
            let list = services
                .entry((environment, change.service.as_str()))
                .or_default();
            if list.last().is_none_or(|p| p.id() != plan.id()) {
                list.push(plan);
            }
        }
        if view
            .policy
            .environment(environment)
            .is_some_and(|e| e.exclusive)
        {
            locks.entry(environment).or_default().push(plan);
        }
        if let Some(driver) = &plan.driver {
            drivers.entry(driver).or_default().push(plan);
        }
    }
    for ((_, service), list) in &services {
        for pair in overlapping(view, list) {
            same_service(view, service, pair, out);
        }
    }
    for (environment, list) in &locks {
        for pair in overlapping(view, list) {
            locked(view, environment, pair, out);
        }
    }
    for (person, list) in &drivers {
        for pair in overlapping(view, list) {
            driven(view, person, pair, out);
        }
    }
    for plan in plans {
        depending(view, plan, &services, out);
        after(view, plan, plans, out);
    }
}

type Pair<'p> = (&'p Plan<'p>, &'p Plan<'p>);

/// The pairs of a list (by start) whose spans share time that is not over.
fn overlapping<'p>(view: &View<'_>, list: &[&'p Plan<'p>]) -> Vec<Pair<'p>> {
    let mut out = Vec::new();
    for (n, a) in list.iter().enumerate() {
        let later = list.iter().skip(n + 1).take_while(|b| b.start < a.end);
        out.extend(
            later
                .filter(|b| a.end.min(b.end) > view.at() && a.span().overlaps(&b.span()))
                .map(|b| (*a, *b)),
        );
    }
    out
}

/// What both spans share.
fn shared((a, b): Pair<'_>) -> (Instant, Option<Instant>) {
    (a.start.max(b.start), Some(a.end.min(b.end)))
}

/// Which of the two can still be moved, and to when.
fn apart(view: &View<'_>, (a, b): Pair<'_>) -> String {
    match (a.begun, b.begun) {
        (true, true) => format!("hold {} until {} is over", b.id(), a.id()),
        (true, false) => format!("move {} to {} or later", b.id(), clock(view, a.end)),
        (false, true) => format!("move {} to {} or later", a.id(), clock(view, b.end)),
        (false, false) => format!(
            "move {} or {}: {} is over at {}",
            a.id(),
            b.id(),
            a.id(),
            clock(view, a.end)
        ),
    }
}

fn same_service(view: &View<'_>, service: &str, pair: Pair<'_>, out: &mut Found) {
    let (a, b) = pair;
    out.push(
        ConflictKind::SameService,
        (a.party(), b.party()),
        service,
        shared(pair),
        format!(
            "{service} is in {} and in {} at the same time",
            a.id(),
            b.id()
        ),
        format!("{}, or ship both as one release", apart(view, pair)),
    );
}

fn locked(view: &View<'_>, environment: &str, pair: Pair<'_>, out: &mut Found) {
    let (a, b) = pair;
    out.push(
        ConflictKind::Lock,
        (a.party(), b.party()),
        environment,
        shared(pair),
        format!(
            "{environment} takes one release at a time, and {} and {} overlap there",
            a.id(),
            b.id()
        ),
        apart(view, pair),
    );
}

fn driven(view: &View<'_>, person: &str, pair: Pair<'_>, out: &mut Found) {
    let (a, b) = pair;
    out.push(
        ConflictKind::Driver,
        (a.party(), b.party()),
        person,
        shared(pair),
        format!("{person} drives {} and {} at the same time", a.id(), b.id()),
        format!("let somebody else drive one, or {}", apart(view, pair)),
    );
}

/// Services of `x` that depend on services which other releases take to the same environment.
fn depending(view: &View<'_>, x: &Plan<'_>, services: &Index<'_, (&str, &str)>, out: &mut Found) {
    let soon = Span::new(x.start, x.end + Duration::minutes(AFTER));
    let reach = x.watched.max(x.end + Duration::minutes(AFTER));
    let mine = x.release.changes.iter();
    for service in mine.filter_map(|c| view.policy.service(&c.service)) {
        for needs in &service.depends_on {
            let key = (x.release.environment.as_str(), needs.as_str());
            let others = services.get(&key).into_iter().flatten();
            for y in others
                .take_while(|y| y.start < reach)
                .filter(|y| y.id() != x.id() && y.end > view.at())
            {
                let detail = format!("{}/{needs}", service.name);
                if soon.overlaps(&y.span()) {
                    dependency(view, &service.name, needs, (x, y), &detail, out);
                }
                if x.start < y.start && !y.begun {
                    wrong_order(view, &service.name, needs, (x, y), &detail, out);
                }
            }
        }
    }
}

/// `x` needs a service that `y` releases in the same span, or in the first half hour after.
fn dependency(
    view: &View<'_>,
    service: &str,
    needs: &str,
    (x, y): Pair<'_>,
    detail: &str,
    out: &mut Found,
) {
    let when = if y.start < x.end {
        "in the same span".to_owned()
    } else {
        let minutes = (y.start - x.end).num_minutes();
        format!("{minutes} min after it, while it is fresh")
    };
    let way = if x.begun {
        format!("move {} to {} or later", y.id(), clock(view, soon_end(x)))
    } else {
        format!(
            "ship {} first and start {} when it is over ({}), or make them one release",
            y.id(),
            x.id(),
            clock(view, y.end)
        )
    };
    out.push(
        ConflictKind::Dependency,
        (x.party(), y.party()),
        detail,
        (
            x.start.max(y.start),
            Some(y.end.min(soon_end(x)).max(x.start.max(y.start))),
        ),
        format!(
            "{service} of {} depends on {needs}, which {} releases {when}",
            x.id(),
            y.id()
        ),
        way,
    );
}

fn soon_end(x: &Plan<'_>) -> Instant {
    x.end + Duration::minutes(AFTER)
}

/// `x` goes live before the release of what it depends on, and is still watched when that one goes.
fn wrong_order(
    view: &View<'_>,
    service: &str,
    needs: &str,
    (x, y): Pair<'_>,
    detail: &str,
    out: &mut Found,
) {
    let mutual = y.release.changes.iter().any(|c| {
        view.policy.service(&c.service).is_some_and(|s| {
            s.depends_on
                .iter()
                .any(|d| x.release.changes.iter().any(|m| &m.service == d))
        })
    });
    let way = match (mutual, x.begun) {
        (true, _) => format!(
            "each of them builds on the other: make {} and {} one release, which is ordered by service",
            x.id(),
            y.id()
        ),
        (false, true) => format!(
            "move {} to after the watch of {} ({})",
            y.id(),
            x.id(),
            clock(view, x.watched)
        ),
        (false, false) => format!(
            "put {} before {}, or behind its watch ({})",
            y.id(),
            x.id(),
            clock(view, x.watched)
        ),
    };
    out.push(
        ConflictKind::Order,
        (x.party(), y.party()),
        detail,
        (x.start.max(view.at()), Some(y.end)),
        format!(
            "wrong order: {} takes {service} live before {} releases {needs}, on which it depends",
            x.id(),
            y.id()
        ),
        way,
    );
}

/// Releases that `x` names as standing before it.
fn after(view: &View<'_>, x: &Plan<'_>, plans: &[Plan<'_>], out: &mut Found) {
    for id in &x.release.depends_on {
        let y = plans.iter().find(|p| p.id() == id);
        let closing = view
            .journal
            .release(id)
            .and_then(|s| s.closing.as_ref())
            .map(|c| c.0);
        let other = || {
            y.map_or_else(
                || Party::new(PartyKind::Release, id.clone(), None),
                Plan::party,
            )
        };
        let mut say = |until, why: String, way: String| {
            let times = (x.start.max(view.at()), until);
            let parties = (x.party(), other());
            out.push(ConflictKind::Order, parties, "", times, why, way);
        };
        match (y, closing) {
            (Some(y), _) if y.settled || x.start >= y.end => {}
            (Some(y), _) => say(
                Some(y.end),
                format!(
                    "wrong order: {} builds on {id} and starts before that is over",
                    x.id()
                ),
                format!("move {} to {} or later", x.id(), clock(view, y.end)),
            ),
            (None, None) => say(
                None,
                format!(
                    "wrong order: {} builds on {id}, which has no time yet",
                    x.id()
                ),
                format!("plan {id} before {}", clock(view, x.start)),
            ),
            (None, Some(how @ (Closing::RolledBack | Closing::Abandoned))) => say(
                None,
                format!(
                    "wrong order: {} builds on {id}, which was {}",
                    x.id(),
                    how.word()
                ),
                format!("ship what {id} held first, or take it out of depends_on"),
            ),
            (None, Some(_)) => {}
        }
    }
}
