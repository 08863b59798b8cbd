//! Risk: a sum of named points that anybody can read. It picks the class, and nothing else (SEMANTICS 3).

use std::collections::BTreeSet;

use chrono::{Datelike, Duration};

use crate::domain::event::Closing;
use crate::domain::policy::{Release, Reversible, RiskClass, RiskTable};
use crate::domain::record::Records;
use crate::domain::situation::{Conflict, Evidence, RiskPoint, RiskView};
use crate::domain::time::{self, Instant, Span, day_start};
use crate::domain::window::Fit;

use super::calendar::{ask, needed, targets};
use super::rollout::Rollout;
use super::{Proofs, View, passport};

/// More conflicts than this add nothing.
const MOST_CONFLICTS: u32 = 2;
/// Fewer releases of a service on record than this say nothing about its share of failed ones.
const FEW: u64 = 5;
/// z of a two-sided 95 % interval.
const Z: f64 = 1.959_964;

/// The class by points, or as it was kept when the deployment began. The declared class may raise it, never lower it.
pub(crate) fn class(view: &View<'_>) -> RiskClass {
    view.risk.as_ref().map_or(RiskClass::Low, |r| r.class)
}

/// Judges the current release; `conflicts` are those of the calendar.
pub(super) fn judge(view: &View<'_>, conflicts: &[Conflict]) -> Option<RiskView> {
    let release = view.release?;
    let table = &view.policy.risk;
    let mut out = RiskView {
        declared: release.risk,
        from: (table.normal_from, table.high_from),
        ..RiskView::default()
    };
    match view.state.and_then(|s| s.risk.as_ref()) {
        Some((class, total, kept)) => {
            (out.by_points, out.total) = (*class, *total);
            out.kept.clone_from(kept);
        }
        None => {
            out.points = points(view, release, conflicts);
            out.total = out.points.iter().map(|p| p.points).sum();
            out.by_points = by_sum(table, out.total);
        }
    }
    out.class = out.by_points.max(release.risk);
    Some(out)
}

/// The class of a sum.
fn by_sum(table: &RiskTable, total: u32) -> RiskClass {
    if total >= table.high_from {
        RiskClass::High
    } else if total >= table.normal_from {
        RiskClass::Normal
    } else {
        RiskClass::Low
    }
}

/// Each point in one line, for the journal and for people.
pub(crate) fn words(p: &RiskPoint) -> String {
    format!("{}: {} ({})", p.title, p.said, p.points)
}

/// The evidence behind the class.
pub(super) fn prove(view: &View<'_>, proofs: &mut Proofs) {
    let Some(risk) = &view.risk else {
        return;
    };
    let mut evidence = Evidence {
        title: "risk".to_owned(),
        lines: lines(risk),
        ..Evidence::default()
    };
    evidence.lines.push((
        "changed in".to_owned(),
        "[risk] and `risk` of the release, cockpit.toml".to_owned(),
    ));
    proofs.insert("risk".to_owned(), evidence);
}

/// Label and value of every point, the class first.
pub(super) fn lines(risk: &RiskView) -> Vec<(String, String)> {
    let raised = if risk.declared > risk.by_points {
        format!(", declared {}", risk.declared.word())
    } else {
        String::new()
    };
    let mut lines = vec![(
        "risk class".to_owned(),
        format!(
            "{} ({} points; normal from {}, high from {}{raised})",
            risk.class.word(),
            risk.total,
            risk.from.0,
            risk.from.1
        ),
    )];
    for p in &risk.points {
        lines.push((p.title.clone(), format!("{} ({})", p.said, p.points)));
    }
    for kept in &risk.kept {
        lines.push(("as it began".to_owned(), kept.clone()));
    }
    lines
}

fn point(id: &str, title: &str, points: u32, said: impl Into<String>) -> RiskPoint {
    RiskPoint {
        id: id.to_owned(),
        title: title.to_owned(),
        points,
        said: said.into(),
        known: true,
    }
}

fn unknown(table: &RiskTable, id: &str, title: &str, why: impl Into<String>) -> RiskPoint {
    RiskPoint {
        known: false,
        ..point(id, title, table.unknown, why)
    }
}

/// When the release starts: as planned, else now.
fn start(view: &View<'_>, release: &Release) -> Instant {
    release
        .planned
        .filter(|at| *at > view.at())
        .unwrap_or(view.at())
}

fn points(view: &View<'_>, release: &Release, conflicts: &[Conflict]) -> Vec<RiskPoint> {
    let table = &view.policy.risk;
    let mut out = size(view, table);
    out.push(idle(view, release, table));
    out.push(failed(view, release, table));
    out.push(window(view, release, table));
    out.push(conflicting(release, table, conflicts));
    out.push(irreversible(view, table));
    out.push(late(view, release, table));
    out.push(holiday(view, release, table));
    out
}

/// Commits, files and risky paths, over all services; what cannot be told of one cannot be told of the whole.
fn size(view: &View<'_>, table: &RiskTable) -> Vec<RiskPoint> {
    let title = "size of the change";
    let mut commits = 0_usize;
    let mut files: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut pathless = false;
    for rollout in &view.rollouts {
        match brought(view, rollout) {
            Err(why) => return vec![unknown(table, "commits", title, why)],
            Ok(list) => {
                commits += list.len();
                pathless |= list.iter().any(|c| c.paths.is_empty());
                let name = rollout.service.name.as_str();
                files.extend(
                    list.iter()
                        .flat_map(|c| &c.paths)
                        .map(|p| (name, p.as_str())),
                );
            }
        }
    }
    let many = |n: usize, from: u32, points: u32| {
        if u32::try_from(n).unwrap_or(u32::MAX) >= from {
            points
        } else {
            0
        }
    };
    let by_commits = many(commits, table.many_commits, table.commits);
    let mut out = vec![point(
        "commits",
        title,
        by_commits,
        format!("{commits} commits"),
    )];
    if pathless {
        let why = "the vendor does not say which files the commits touch";
        out.push(unknown(table, "files", "files touched", why));
        return out;
    }
    let by_files = many(files.len(), table.many_files, table.files);
    let said = format!("{} files", files.len());
    out.push(point("files", "files touched", by_files, said));
    out.push(risky(table, &files));
    out
}

fn risky(table: &RiskTable, files: &BTreeSet<(&str, &str)>) -> RiskPoint {
    let title = "paths that carry risk";
    let hits: Vec<&str> = files
        .iter()
        .map(|(_, path)| *path)
        .filter(|path| {
            table
                .risky_paths
                .iter()
                .any(|g| passport::path_matches(g, path))
        })
        .collect();
    match hits.as_slice() {
        [] => point("paths", title, 0, "none is touched"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" and {} more", rest.len())
            };
            point("paths", title, table.paths, format!("{first}{more}"))
        }
    }
}

/// The commits of a change, or why they are not known. Law 1: a stale or partial list proves nothing.
fn brought<'a>(
    view: &View<'a>,
    rollout: &Rollout<'_>,
) -> Result<&'a [crate::domain::record::Commit], String> {
    let service = &rollout.service.name;
    if rollout.service.commits.is_none() {
        return Err(format!("not known: set commits of service {service}"));
    }
    let id = view.release.map_or("", |r| r.id.as_str());
    let (seen, freshness) = view.feed(&format!("commits/{id}/{service}"));
    if !freshness.usable() {
        return Err(format!(
            "not known: commits of {service} are {}",
            freshness.word()
        ));
    }
    match seen.map(|o| (&o.records, &o.partial)) {
        Some((Records::Commit(list), None)) => Ok(list),
        Some((_, Some(why))) => Err(format!("not known: commits of {service} are cut: {why}")),
        _ => Err(format!("not known: no commits of {service}")),
    }
}

/// Days since the service was last released: by the journal, else by the vendor's record.
fn idle(view: &View<'_>, release: &Release, table: &RiskTable) -> RiskPoint {
    let title = "days since the last release";
    let mut longest: Option<(i64, &str)> = None;
    for rollout in &view.rollouts {
        let name = rollout.service.name.as_str();
        let Some(last) = last_release(view, release, rollout) else {
            return unknown(table, "idle", title, format!("none of {name} is on record"));
        };
        let days = (view.at() - last).num_days();
        longest = longest.max(Some((days, name)));
    }
    match longest {
        None => point("idle", title, 0, "the release changes no service"),
        Some((days, name)) => {
            let much = days >= i64::from(table.idle_days);
            let points = if much { table.idle } else { 0 };
            point("idle", title, points, format!("{days} d, {name}"))
        }
    }
}

fn last_release(view: &View<'_>, release: &Release, rollout: &Rollout<'_>) -> Option<Instant> {
    let service = &rollout.service.name;
    let journaled = view
        .journal
        .releases
        .iter()
        .filter(|(id, _)| **id != release.id)
        .filter_map(|(_, s)| s.tracks.get(service)?.finished)
        .max();
    let record = rollout.record.filter(|_| rollout.freshness.usable());
    let vendor = record.and_then(|d| {
        if d.version == rollout.change.to {
            let earlier = d.history.iter().filter(|h| h.version != d.version);
            earlier.filter_map(|h| h.at).max()
        } else {
            d.finished_at.or(d.started_at)
        }
    });
    journaled.max(vendor)
}

/// Share of the releases of these services, by the journal, that were rolled back or had an incident, with its interval.
fn failed(view: &View<'_>, release: &Release, table: &RiskTable) -> RiskPoint {
    let title = "failed share of its services";
    let (mut bad, mut all) = (0_u64, 0_u64);
    for (_, state) in view
        .journal
        .releases
        .iter()
        .filter(|(id, _)| **id != release.id)
    {
        let mine = release
            .changes
            .iter()
            .any(|c| state.tracks.contains_key(&c.service));
        if !mine {
            continue;
        }
        all += 1;
        let rolled = state.ever_rolled_back()
            || matches!(state.closing, Some((Closing::RolledBack, ..)))
            || !state.incidents.is_empty();
        bad += u64::from(rolled);
    }
    let (low, high) = wilson(bad, all);
    let said = format!(
        "{bad}/{all} ({:.0}–{:.0} % by a 95 % interval)",
        low * 100.0,
        high * 100.0
    );
    if all < FEW {
        return unknown(table, "failed", title, format!("too few to tell: {said}"));
    }
    let often = bad * 100 > all * u64::from(table.often_failed);
    point("failed", title, if often { table.failed } else { 0 }, said)
}

/// Score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927), 95 %; everything where nothing was counted.
fn wilson(bad: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    #[allow(clippy::cast_precision_loss)] // releases are not counted beyond 2^52
    let (x, n) = (bad as f64, all as f64);
    let (p, z2) = (x / n, Z * Z);
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// What is left of the window once the release is through.
fn window(view: &View<'_>, release: &Release, table: &RiskTable) -> RiskPoint {
    let title = "what is left of the window";
    let at = start(view, release);
    let (need, _) = needed(view, release);
    let fits: Vec<Option<Fit>> = targets(view, release)
        .iter()
        .map(|target| ask(view, target, |t| t.fit(at, Duration::seconds(need))))
        .collect();
    let mut least: Option<i64> = None;
    for fit in fits {
        let left = match fit {
            Some(Fit::Fits { needed_s, left_s }) => left_s.map(|l| l - needed_s),
            Some(Fit::TooShort { needed_s, left_s }) => Some(left_s - needed_s),
            Some(Fit::NotOpen) => Some(i64::MIN),
            Some(Fit::Unknown) | None => {
                return unknown(table, "window", title, "windows and freezes are not known");
            }
        };
        least = match (least, left) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    let Some(left) = least else {
        return point("window", title, 0, "no end is known");
    };
    let wanted = i64::try_from(table.window_left).unwrap_or(i64::MAX);
    let points = if left < wanted { table.window } else { 0 };
    let said = match left {
        i64::MIN => "closed at its start".to_owned(),
        l if l < 0 => "it ends before the release is through".to_owned(),
        l => time::duration_words(Duration::seconds(l)),
    };
    point("window", title, points, said)
}

fn conflicting(release: &Release, table: &RiskTable, conflicts: &[Conflict]) -> RiskPoint {
    let mine = |c: &&Conflict| c.one.name == release.id || c.other.name == release.id;
    let count = conflicts.iter().filter(mine).count();
    let n = u32::try_from(count).unwrap_or(u32::MAX);
    let points = table.conflict.saturating_mul(n.min(MOST_CONFLICTS));
    let said = if n == 0 {
        "none".to_owned()
    } else {
        n.to_string()
    };
    point("conflicts", "conflicts", points, said)
}

fn irreversible(view: &View<'_>, table: &RiskTable) -> RiskPoint {
    let title = "parts that cannot be undone";
    let mut parts = Vec::new();
    for rollout in &view.rollouts {
        let name = &rollout.service.name;
        match &rollout.change.reversible {
            Reversible::Yes | Reversible::Undeclared => {}
            Reversible::Until(event) => parts.push(format!("{name} until {event}")),
            Reversible::No => parts.push(name.clone()),
        }
        let globs = &rollout.service.irreversible;
        let hits = brought(view, rollout)
            .unwrap_or(&[])
            .iter()
            .flat_map(|c| &c.paths);
        let hit = hits
            .into_iter()
            .find(|p| globs.iter().any(|g| passport::path_matches(g, p)));
        parts.extend(hit.map(|path| format!("{name} by {path}")));
    }
    if parts.is_empty() {
        return point("irreversible", title, 0, "none is declared or found");
    }
    point("irreversible", title, table.irreversible, parts.join(", "))
}

fn late(view: &View<'_>, release: &Release, table: &RiskTable) -> RiskPoint {
    let day = start(view, release)
        .with_timezone(&view.policy.timezone)
        .weekday();
    let late = table.late_days.iter().any(|d| d.weekday() == day);
    let points = if late { table.late } else { 0 };
    point("late", "weekday", points, day.to_string())
}

/// A holiday of a calendar that touches the local day of the start or the next.
fn holiday(view: &View<'_>, release: &Release, table: &RiskTable) -> RiskPoint {
    let zone = view.policy.timezone;
    let day = start(view, release).with_timezone(&zone).date_naive();
    let from = day_start(day, zone);
    let to = day
        .checked_add_days(chrono::Days::new(2))
        .map(|d| day_start(d, zone));
    let near = Span {
        start: from,
        end: to,
    };
    let holidays = view
        .observed
        .rules
        .as_deref()
        .map(|r| r.holidays.as_slice());
    let found = holidays
        .unwrap_or(&[])
        .iter()
        .find(|h| h.spans.iter().any(|s| s.overlaps(&near)));
    match found {
        Some(h) => point("holiday", "holidays", table.holiday, h.name.clone()),
        None => point("holiday", "holidays", 0, "none on that day or the next"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// Against the published table of Newcombe, Stat. Med. 17, 1998 (method 3): 81/263, 15/148, 0/20, 1/29.
    #[test]
    fn the_interval_equals_the_published_one() {
        for (x, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson(x, n);
            assert!(
                (l - low).abs() < 1e-4 && (h - high).abs() < 1e-4,
                "{x}/{n}: {l} {h}"
            );
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }
}
