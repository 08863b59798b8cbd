//! The passport: the proof, line by line, that rollback would work now (SEMANTICS 8).

use crate::domain::act::Verb;
use crate::domain::journal::{Healthy, Journal};
use crate::domain::observe::Freshness;
use crate::domain::policy::{Policy, Reversible};
use crate::domain::record::Records;
use crate::domain::situation::{Evidence, Mark, Passport, PassportLine};
use crate::domain::time;
use crate::domain::verdict::Verdict;
use crate::domain::window::glob_matches;

use super::calendar::{rollback_refusals, unknown};
use super::rollout::Rollout;
use super::{Proofs, View};

/// Days after which a rehearsal no longer counts.
const REHEARSAL_DAYS: i64 = 30;
/// Expected seconds of a rollback of which nothing is known.
const EXPECTED: u64 = 300;

/// One passport a service of the current release.
pub(super) fn all(view: &View<'_>, proofs: &mut Proofs) -> Vec<Passport> {
    view.rollouts
        .iter()
        .map(|rollout| {
            let passport = one(view, rollout);
            proofs.insert(format!("passport/{}", passport.service), prove(&passport));
            passport
        })
        .collect()
}

/// Versions to pick from where none earned healthy, with what speaks for each.
fn others(rollout: &Rollout<'_>, bad: &str) -> Vec<(String, String)> {
    rollout
        .record
        .map(|d| {
            d.history
                .iter()
                .filter(|h| h.version != bad)
                .map(|h| {
                    let at = h.at.map_or_else(
                        || "no date".to_owned(),
                        |t| format!("deployed {} UTC", t.format("%F %H:%M")),
                    );
                    (
                        h.version.clone(),
                        format!("in the vendor's history, {at}; health not on record"),
                    )
                })
                .collect()
        })
        .unwrap_or_default()
}

fn one(view: &View<'_>, rollout: &Rollout<'_>) -> Passport {
    let service = &rollout.service.name;
    let environment = view.environment();
    let bad = &rollout.change.to;
    let target = view.journal.target(service, environment, bad);
    let to = target.map(|h| h.version.clone());
    let mut lines = vec![
        artifact(view, rollout, to.as_deref()),
        healthy(target, &others(rollout, bad)),
        changes(view, rollout, to.as_deref()),
        migrations(view, rollout),
        rights(view, rollout, to.as_deref()),
        freeze(view),
        path_when_down(view, rollout),
        history(view, rollout),
        rehearsal(view.policy, view.journal, view.at(), service, environment),
        fights(view, rollout),
    ];
    lines.extend(fast_path(view, rollout));
    lines.extend(kept(rollout, to.as_deref()));
    for line in &mut lines {
        line.mark = Mark::from(&line.verdict);
    }
    let passed = lines.iter().filter(|l| l.verdict == Verdict::Pass).count();
    Passport {
        service: service.clone(),
        environment: environment.to_owned(),
        from: Some(bad.clone()),
        to,
        others: others(rollout, bad),
        passed: u32::try_from(passed).unwrap_or(0),
        lines,
        no_return: no_return(view, rollout),
        expected: Some(expected(view, service, environment)),
    }
}

/// Expected seconds: median of earlier rollbacks here, else the default.
pub(super) fn expected(view: &View<'_>, service: &str, environment: &str) -> u64 {
    let mut known: Vec<i64> = view
        .journal
        .rollbacks
        .get(&(service.to_owned(), environment.to_owned()))
        .map(|list| list.iter().filter_map(|(_, s)| *s).collect())
        .unwrap_or_default();
    known.sort_unstable();
    known
        .get(known.len() / 2)
        .and_then(|s| u64::try_from(*s).ok())
        .unwrap_or(EXPECTED)
}

fn line(id: &str, title: &str, verdict: Verdict, note: impl Into<String>) -> PassportLine {
    PassportLine {
        id: id.to_owned(),
        title: title.to_owned(),
        mark: Mark::from(&verdict),
        verdict,
        note: note.into(),
    }
}

fn artifact(view: &View<'_>, rollout: &Rollout<'_>, to: Option<&str>) -> PassportLine {
    let title = "target exists and is pullable";
    let Some(to) = to else {
        return line("artifact", title, Verdict::not_run("no target version"), "");
    };
    if rollout.service.registry.is_none() {
        let why = format!(
            "set registry and image of service {} in cockpit.toml",
            rollout.service.name
        );
        return line("artifact", title, Verdict::not_run(why.clone()), why);
    }
    let (seen, freshness) = view.feed(&format!("artifact/{}/{to}", rollout.service.name));
    match (seen.map(|o| &o.records), freshness) {
        (_, Freshness::Never | Freshness::Stale) => {
            let why = format!("the registry's answer is {}", freshness.word());
            line("artifact", title, Verdict::undecided(why.clone(), 0), why)
        }
        (Some(Records::Artifact(list)), _) => match list.first() {
            Some(a) if a.present => line(
                "artifact",
                title,
                Verdict::Pass,
                a.digest.clone().unwrap_or_else(|| a.id.clone()),
            ),
            _ => line(
                "artifact",
                title,
                Verdict::Fail,
                format!("{to} is not in the registry"),
            ),
        },
        _ => line("artifact", title, Verdict::undecided("no answer", 0), ""),
    }
}

fn healthy(target: Option<&Healthy>, others: &[(String, String)]) -> PassportLine {
    let title = "target was healthy here for an hour or more";
    match target {
        Some(h) => line(
            "healthy",
            title,
            Verdict::Pass,
            format!(
                "{}, by the journal {} UTC",
                h.version,
                h.at.format("%F %H:%M")
            ),
        ),
        None => {
            let why = format!(
                "no version earned healthy here by the journal; {} to pick from",
                others.len()
            );
            line("healthy", title, Verdict::undecided(why.clone(), 0), why)
        }
    }
}

fn changes(view: &View<'_>, rollout: &Rollout<'_>, to: Option<&str>) -> PassportLine {
    let title = "what will change is known";
    let Some(release) = view.release else {
        return line("changes", title, Verdict::not_run("no release"), "");
    };
    let (seen, freshness) = view.feed(&format!("commits/{}/{}", release.id, rollout.service.name));
    let why = match (seen.map(|o| (&o.records, &o.partial)), freshness.usable()) {
        (Some((Records::Commit(list), None)), true) => {
            let note = format!(
                "{} commits leave; to {}",
                list.len(),
                to.unwrap_or("no target")
            );
            return line("changes", title, Verdict::Pass, note);
        }
        (Some((Records::Commit(list), Some(cut))), true) => {
            format!("{} commits leave, but the list is cut: {cut}", list.len())
        }
        _ => match &rollout.service.commits {
            None => format!(
                "set commits of service {} in cockpit.toml",
                rollout.service.name
            ),
            Some(name) => format!("commits from {name}: {}", freshness.word()),
        },
    };
    line("changes", title, Verdict::undecided(why.clone(), 0), why)
}

/// Past the point of no return, and why: declared, or found by a path glob over the commits.
pub(super) fn no_return(view: &View<'_>, rollout: &Rollout<'_>) -> Option<String> {
    rollout.started()?;
    one_way(view, rollout)
}

/// Why a deployment of it could not be taken back.
fn one_way(view: &View<'_>, rollout: &Rollout<'_>) -> Option<String> {
    let name = format!("{} {}", rollout.service.name, rollout.change.to);
    match &rollout.change.reversible {
        Reversible::No => Some(format!("{name} is declared not reversible")),
        Reversible::Until(event) => view
            .state
            .is_some_and(|s| s.noted(event))
            .then(|| format!("reversible until {event}, which happened")),
        Reversible::Undeclared => {
            let hits = touched(view, rollout);
            (!hits.is_empty()).then(|| {
                format!(
                    "the commits of {name} touch {}, and nobody declared it reversible",
                    some_of(&hits)
                )
            })
        }
        Reversible::Yes => None,
    }
}

/// Why the program must not take it back by itself, though a person may.
pub(super) fn never_by_itself(view: &View<'_>, rollout: &Rollout<'_>) -> Option<String> {
    if one_way(view, rollout).is_some() {
        return Some(match rollout.started() {
            Some(_) => "past the point of no return".to_owned(),
            None => "no way back once it is deployed".to_owned(),
        });
    }
    // Where paths decide, not to have read them is no leave to act.
    let by_paths = rollout.change.reversible == Reversible::Undeclared
        && !rollout.service.irreversible.is_empty();
    let read = read_paths(view, rollout).0.err().filter(|_| by_paths)?;
    Some(format!("the point of no return is not known: {read}"))
}

/// Three of the paths, and how many more there are.
fn some_of(paths: &[String]) -> String {
    let few: Vec<&str> = paths.iter().take(3).map(String::as_str).collect();
    match paths.len().saturating_sub(few.len()) {
        0 => few.join(", "),
        more => format!("{} and {more} more", few.join(", ")),
    }
}

/// Paths that carry what cannot be undone, as far as they were ever read: one that was found stays found when the list grows old
/// or is cut.
fn touched(view: &View<'_>, rollout: &Rollout<'_>) -> Vec<String> {
    let Some(release) = view.release else {
        return Vec::new();
    };
    let (seen, _) = view.feed(&format!("commits/{}/{}", release.id, rollout.service.name));
    let Some(Records::Commit(list)) = seen.map(|o| &o.records) else {
        return Vec::new();
    };
    let globs = &rollout.service.irreversible;
    let mut hits: Vec<String> = list
        .iter()
        .flat_map(|c| c.paths.iter())
        .filter(|p| globs.iter().any(|g| path_matches(g, p)))
        .cloned()
        .collect();
    hits.sort();
    hits.dedup();
    hits
}

/// The paths as last read, and how old that is; else why they cannot be told: a list that is cut or without paths proves nothing.
fn read_paths(view: &View<'_>, rollout: &Rollout<'_>) -> (Result<Vec<String>, String>, Freshness) {
    let unknown = |why: &str| Err(format!("the commits are not known: {why}"));
    let Some(release) = view.release else {
        return (unknown("no release"), Freshness::Never);
    };
    let (seen, freshness) = view.feed(&format!("commits/{}/{}", release.id, rollout.service.name));
    let Some((Records::Commit(list), partial)) = seen.map(|o| (&o.records, &o.partial)) else {
        return (unknown(freshness.word()), freshness);
    };
    let globs = &rollout.service.irreversible;
    let paths = if let Some(why) = partial {
        unknown(why)
    } else if !globs.is_empty() && list.iter().any(|c| c.paths.is_empty()) {
        unknown("the vendor does not say which paths they touch")
    } else {
        Ok(touched(view, rollout))
    };
    (paths, freshness)
}

/// Paths of the commits that carry what cannot be undone.
///
/// # Errors
/// Why that is not known: law 1, a list that is stale, cut or without paths proves nothing.
fn irreversible_paths(view: &View<'_>, rollout: &Rollout<'_>) -> Result<Vec<String>, String> {
    let (paths, freshness) = read_paths(view, rollout);
    if freshness.usable() {
        paths
    } else {
        Err(format!("the commits are not known: {}", freshness.word()))
    }
}

/// `**/x` also matches `x` at the root.
pub(super) fn path_matches(glob: &str, path: &str) -> bool {
    let flat = glob.replace("**", "*");
    glob_matches(&flat, path)
        || flat
            .strip_prefix("*/")
            .is_some_and(|rest| glob_matches(rest, path))
}

fn migrations(view: &View<'_>, rollout: &Rollout<'_>) -> PassportLine {
    let title = "migrations between are reversible";
    if let Some(why) = no_return(view, rollout) {
        return line("migrations", title, Verdict::Fail, why);
    }
    if rollout.change.reversible == Reversible::No {
        return line(
            "migrations",
            title,
            Verdict::Fail,
            "declared not reversible",
        );
    }
    let declared = match &rollout.change.reversible {
        Reversible::Yes => Some("declared reversible".to_owned()),
        Reversible::Until(event) => Some(format!(
            "declared reversible until {event}, which nobody noted"
        )),
        Reversible::Undeclared | Reversible::No => None,
    };
    match (irreversible_paths(view, rollout), declared) {
        (Err(why), _) => line("migrations", title, Verdict::undecided(why.clone(), 0), why),
        (Ok(hits), Some(words)) if hits.is_empty() => {
            line("migrations", title, Verdict::Pass, words)
        }
        (Ok(hits), Some(words)) => {
            let note = format!("{words}; its commits touch {}", some_of(&hits));
            line("migrations", title, Verdict::Pass, note)
        }
        // A green that nobody earned: nothing was declared and nothing was looked for.
        (Ok(_), None) if rollout.service.irreversible.is_empty() => {
            let why = format!(
                "not declared: set reversible of the change, or irreversible of service {}",
                rollout.service.name
            );
            line("migrations", title, Verdict::not_run(why.clone()), why)
        }
        (Ok(hits), None) if hits.is_empty() => line(
            "migrations",
            title,
            Verdict::Pass,
            "none of the commits touches a path that carries one",
        ),
        (Ok(hits), None) => {
            let why = format!(
                "no way back once deployed: {}; declare the change reversible where it is",
                some_of(&hits)
            );
            line("migrations", title, Verdict::Fail, why)
        }
    }
}

/// Why the vendor cannot go back to that version: its rollback wants an entry of its history, and none names it.
pub(super) fn unnamed(view: &View<'_>, rollout: &Rollout<'_>, to: &str) -> Option<String> {
    let name = rollout.service.deployments.as_ref()?;
    let wants = view.policy.connections.get(name)?.rollback_by_history;
    let record = rollout.record.filter(|_| wants)?;
    let healthy = view
        .journal
        .target(
            &rollout.service.name,
            view.environment(),
            &rollout.change.to,
        )
        .filter(|h| h.version == to);
    let entry = record.entry_of(to, healthy.and_then(|h| h.revision.as_deref()));
    entry.is_none().then(|| {
        format!(
            "{name}'s history of {} does not name {to}: it cannot be asked for",
            rollout.service.name
        )
    })
}

fn rights(view: &View<'_>, rollout: &Rollout<'_>, to: Option<&str>) -> PassportLine {
    let title = "the connection can roll back";
    let name = rollout.service.deployments.as_deref().unwrap_or("");
    match view.policy.connections.get(name) {
        None => line(
            "rights",
            title,
            Verdict::Fail,
            "no deployments connection is configured",
        ),
        Some(c) if !c.can(Verb::Rollback) => line(
            "rights",
            title,
            Verdict::Fail,
            format!(
                "connection {name} has no rollback (connector {})",
                c.connector
            ),
        ),
        Some(_) if !rollout.freshness.usable() => {
            let why = format!(
                "{name} is {}: whether it still lets us in is not known",
                rollout.freshness.word()
            );
            line("rights", title, Verdict::undecided(why.clone(), 0), why)
        }
        Some(_) => match to.and_then(|to| unnamed(view, rollout, to)) {
            Some(why) => line("rights", title, Verdict::Fail, why),
            None => line(
                "rights",
                title,
                Verdict::Pass,
                format!("{name} has the action and answers with our credentials"),
            ),
        },
    }
}

fn freeze(view: &View<'_>) -> PassportLine {
    let title = "no freeze holds rollbacks";
    let Some(release) = view.release else {
        return line("freeze", title, Verdict::not_run("no release"), "");
    };
    if let Some(why) = unknown(view, release) {
        return line("freeze", title, Verdict::undecided(why.clone(), 0), why);
    }
    let (refusals, crossed) = rollback_refusals(view, release);
    match (refusals.first(), crossed.first()) {
        (Some(r), _) => line("freeze", title, Verdict::Fail, r.why.clone()),
        (None, Some(name)) => line(
            "freeze",
            title,
            Verdict::Pass,
            format!("freeze {name} is active and lets rollbacks pass"),
        ),
        (None, None) => line("freeze", title, Verdict::Pass, "none"),
    }
}

fn path_when_down(view: &View<'_>, rollout: &Rollout<'_>) -> PassportLine {
    let title = "a path when the vendor is down";
    match &rollout.service.runbook {
        Some(page) => line("path", title, Verdict::Pass, format!("runbook {page}")),
        None => {
            let why = format!(
                "set runbook of service {} in cockpit.toml",
                rollout.service.name
            );
            let _ = view;
            line("path", title, Verdict::not_run(why.clone()), why)
        }
    }
}

fn history(view: &View<'_>, rollout: &Rollout<'_>) -> PassportLine {
    let title = "expected minutes";
    let key = (rollout.service.name.clone(), view.environment().to_owned());
    let known = view
        .journal
        .rollbacks
        .get(&key)
        .map_or(0, |l| l.iter().filter(|(_, s)| s.is_some()).count());
    let seconds = expected(view, &rollout.service.name, view.environment());
    let words = time::duration_words(chrono::Duration::seconds(
        i64::try_from(seconds).unwrap_or(0),
    ));
    if known > 0 {
        let note = format!("{words}, median of {known} here");
        return line("expected", title, Verdict::Pass, note);
    }
    // Law 1: a default is no measurement. Rehearsals elsewhere are.
    let elsewhere: Vec<i64> = view
        .journal
        .rollbacks
        .iter()
        .filter(|((service, _), _)| *service == rollout.service.name)
        .flat_map(|(_, l)| l.iter().filter_map(|(_, s)| *s))
        .collect();
    match elsewhere.iter().max() {
        Some(longest) => line(
            "expected",
            title,
            Verdict::Pass,
            format!(
                "{}, the longest of {} rehearsals in other environments",
                time::duration_words(chrono::Duration::seconds(*longest)),
                elsewhere.len()
            ),
        ),
        None => line(
            "expected",
            title,
            Verdict::not_run("none is on record"),
            format!("{words} by default: none on record"),
        ),
    }
}

/// A rollback of this service in a lower environment within 30 days.
pub(super) fn rehearsal(
    policy: &Policy,
    journal: &Journal,
    now: time::Instant,
    service: &str,
    environment: &str,
) -> PassportLine {
    let title = "rehearsed in a lower environment within 30 days";
    let lower: Vec<&str> = policy
        .environments
        .iter()
        .map(|e| e.name.as_str())
        .take_while(|e| *e != environment)
        .collect();
    let last = lower
        .iter()
        .filter_map(|e| {
            journal
                .rollbacks
                .get(&(service.to_owned(), (*e).to_owned()))
        })
        .flatten()
        .map(|(at, _)| *at)
        .max();
    match last {
        Some(at) if (now - at).num_days() < REHEARSAL_DAYS => line(
            "rehearsal",
            title,
            Verdict::Pass,
            format!("{} ago", time::age_words(now - at)),
        ),
        Some(at) => line(
            "rehearsal",
            title,
            Verdict::Fail,
            format!("last one {} ago", time::age_words(now - at)),
        ),
        None => line(
            "rehearsal",
            title,
            Verdict::not_run("no rehearsal is on record"),
            "no rehearsal is on record",
        ),
    }
}

fn fights(view: &View<'_>, rollout: &Rollout<'_>) -> PassportLine {
    let title = "what would fight it is known";
    let open = |why: &str| line("fights", title, Verdict::undecided(why, 0), why);
    let pass = |why: &str| line("fights", title, Verdict::Pass, why);
    if !rollout.freshness.usable() {
        return open(&format!("the live record is {}", rollout.freshness.word()));
    }
    let holds = rollout
        .service
        .deployments
        .as_ref()
        .and_then(|c| view.policy.connections.get(c))
        .is_some_and(|c| c.can(Verb::Hold) && c.can(Verb::ReleaseHold));
    if let Some((manager, None)) = rollout
        .record
        .and_then(|d| Some((d.managed_by.as_ref()?, d.auto_sync)))
    {
        return open(&format!(
            "{manager} writes it: whether it would put the bad version back is not known here"
        ));
    }
    match rollout.record.map(|d| (d.auto_sync, &d.hold_field)) {
        Some((Some(true), Some(_))) if holds => pass("auto-sync is on: it will be held"),
        Some((Some(true), _)) => line(
            "fights",
            title,
            Verdict::Fail,
            "auto-sync is on and cannot be held here and restored exactly: turn it off by hand first",
        ),
        Some((Some(false), _)) => pass("auto-sync is off"),
        Some((None, _)) if holds => open("the vendor does not say whether auto-sync is on"),
        // No auto-sync to hold is no proof that nothing deploys the bad version again: somebody declares what does.
        Some((None, _)) => match rollout.service.fought_by.as_deref() {
            Some([]) => pass(&format!("declared: nothing{}", scaled(rollout))),
            Some(list) => pass(&format!(
                "declared: {}, to be stopped by hand{}",
                list.join(", "),
                scaled(rollout)
            )),
            None => open(&format!(
                "a pipeline may deploy again: set fought_by of service {} in cockpit.toml{}",
                rollout.service.name,
                scaled(rollout)
            )),
        },
        None => open("no live record"),
    }
}

/// Who scales it, where the vendor says so.
fn scaled(rollout: &Rollout<'_>) -> String {
    match rollout.record.and_then(|d| d.autoscalers.as_deref()) {
        Some(list) if !list.is_empty() => format!("; {} sets its instances", list.join(", ")),
        _ => String::new(),
    }
}

/// How long the target stays in the vendor's history: each deployment pushes it one further out.
fn kept(rollout: &Rollout<'_>, to: Option<&str>) -> Option<PassportLine> {
    let record = rollout.record?;
    let limit = usize::try_from(record.history_limit?).ok()?;
    let at = record
        .history
        .iter()
        .position(|h| Some(h.version.as_str()) == to)?;
    let title = "the vendor still keeps the target";
    if !rollout.freshness.usable() {
        let why = format!("the live record is {}", rollout.freshness.word());
        return Some(line("kept", title, Verdict::undecided(why.clone(), 0), why));
    }
    let left = limit.saturating_sub(at);
    let many = if left == 1 {
        "deployment"
    } else {
        "deployments"
    };
    let note = format!("entry {} of {limit}: gone after {left} more {many}", at + 1);
    let verdict = if left == 0 {
        Verdict::undecided("the next clean-up may remove it", 0)
    } else {
        Verdict::Pass
    };
    Some(line("kept", title, verdict, note))
}

/// The old version still runs beside the new one for a while: until then going back is a switch of traffic. Only where the vendor
/// keeps it so.
fn fast_path(view: &View<'_>, rollout: &Rollout<'_>) -> Option<PassportLine> {
    let until = rollout.record?.fast_until?;
    let title = "the old version still runs beside the new one";
    let clock = until.format("%H:%M:%S");
    let left = until - view.at();
    Some(if !rollout.freshness.usable() {
        let why = format!("the live record is {}", rollout.freshness.word());
        line("fast", title, Verdict::undecided(why.clone(), 0), why)
    } else if left > chrono::Duration::zero() {
        let note = format!(
            "for {} more, until {clock} UTC: going back is a switch of traffic",
            time::duration_words(left)
        );
        line("fast", title, Verdict::Pass, note)
    } else {
        let why = format!("its time ended {clock} UTC: going back starts it anew");
        line("fast", title, Verdict::not_run(why.clone()), why)
    })
}

fn prove(passport: &Passport) -> Evidence {
    Evidence {
        title: format!(
            "passport of {}: {} of {}",
            passport.service,
            passport.passed,
            passport.lines.len()
        ),
        lines: passport
            .lines
            .iter()
            .map(|l| (l.title.clone(), format!("{}: {}", l.mark.word, l.note)))
            .collect(),
        ..Evidence::default()
    }
}
