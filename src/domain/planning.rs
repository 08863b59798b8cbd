//! Planning here instead of in cockpit.toml: a plan as it is typed, and releases moved to another start.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::conflict::DeadlineKind;
use super::journal::Journal;
use super::policy::{
    Change, ChangeKind, Deadlines, Policy, Purpose, Release, Reversible, RiskClass,
};
use super::suggest::nearest;
use super::text::clean;
use super::time::{Instant, parse_duration};
use super::{dates, journal};

/// Longest id or title, in characters.
const LONG: usize = 80;

/// The policy with every release of the file at the start it was moved to. The file says what a release is; the journal's move says
/// when, as long as the file still says what it said at the move: a start changed in the file later is the newer word.
///
/// A deployment that was attached takes the place of what was planned for its service, and what open releases sealed of
/// metrics and objectives counts ([`super::contract::in_force`]).
#[must_use]
pub fn effective<'a>(policy: &'a Policy, journal: &Journal) -> Cow<'a, Policy> {
    let policy = super::contract::in_force(Cow::Borrowed(policy), journal);
    attached(shifted(policy, journal), journal)
}

/// With the deployments that were attached to releases of the file.
fn attached<'a>(policy: Cow<'a, Policy>, journal: &Journal) -> Cow<'a, Policy> {
    let of = |id: &str, own: &Change| {
        let (other, planned) = journal.release(id)?.attached.get(&own.service)?;
        // A version that the file names later is the newer word.
        let here = planned.as_ref().is_none_or(|p| *p == own.to) || own.to == other.to;
        let differs = other.to != own.to || other.from != own.from;
        (here && differs).then(|| other.clone())
    };
    let differs = |r: &Release| r.changes.iter().any(|c| of(&r.id, c).is_some());
    if !policy.releases.iter().any(differs) {
        return policy;
    }
    let mut policy = policy.into_owned();
    for release in &mut policy.releases {
        for own in &mut release.changes {
            if let Some(other) = of(&release.id, own) {
                *own = other;
            }
        }
    }
    Cow::Owned(policy)
}

fn shifted<'a>(policy: Cow<'a, Policy>, journal: &Journal) -> Cow<'a, Policy> {
    let moved: Vec<(usize, Instant)> = policy
        .releases
        .iter()
        .enumerate()
        .filter_map(|(i, r)| Some((i, holds(journal, r)?.to)))
        .collect();
    if moved.is_empty() {
        return policy;
    }
    let mut policy = policy.into_owned();
    for (i, to) in moved {
        if let Some(release) = policy.releases.get_mut(i) {
            release.planned = Some(to);
        }
    }
    Cow::Owned(policy)
}

/// The move of a release of the file that holds, if any; `release` as the file has it, or as it was moved already.
fn holds<'a>(journal: &'a Journal, release: &Release) -> Option<&'a journal::Moved> {
    let moved = journal.release(&release.id)?.moved.as_ref()?;
    (moved.file == release.planned || release.planned == Some(moved.to)).then_some(moved)
}

/// The move that a release stands at, if it was moved.
#[must_use]
pub fn moved<'a>(journal: &'a Journal, release: &Release) -> Option<&'a journal::Moved> {
    let moved = journal.release(&release.id)?.moved.as_ref()?;
    (release.planned == Some(moved.to)).then_some(moved)
}

/// Every release that is planned, wherever: those of the file, then those of the journal alone.
#[must_use]
pub fn releases<'a>(policy: &'a Policy, journal: &'a Journal) -> Vec<&'a Release> {
    let known: std::collections::BTreeSet<&str> =
        policy.releases.iter().map(|r| r.id.as_str()).collect();
    let own = policy.releases.iter();
    let journaled = journal.releases.values().filter_map(|r| r.plan.as_ref());
    own.chain(journaled.filter(|p| !known.contains(p.id.as_str())))
        .collect()
}

/// What a plan is made of, as a person fills it in: key, label, must it be filled in.
pub const FIELDS: [(&str, &str, bool); 11] = [
    ("id", "id", true),
    ("title", "title", false),
    ("environment", "environment", true),
    ("services", "services", true),
    ("start", "start", true),
    ("length", "length", false),
    ("driver", "driver", false),
    ("author", "author", false),
    ("class", "class", false),
    ("deadlines", "deadlines", false),
    ("after", "goes after", false),
];

/// What is typed, read as a release: as far as it can be read, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The release; `None` where environment, services or start cannot be read, without which nothing can be said of it.
    pub release: Option<Release>,
    /// Field and sentence, in the order of the fields.
    pub problems: Vec<(String, String)>,
}

struct Reading<'a> {
    inputs: &'a BTreeMap<String, String>,
    problems: Vec<(String, String)>,
}

impl Reading<'_> {
    fn text(&self, key: &str) -> String {
        let text = self.inputs.get(key).map_or("", |t| t.trim());
        clean(text, 500)
    }
    fn wrong(&mut self, key: &str, why: impl Into<String>) {
        self.problems.push((key.to_owned(), why.into()));
    }
    /// A name out of a list; says which is meant where it is a slip.
    fn known(&mut self, key: &str, what: &str, names: &[&str]) -> Option<String> {
        let text = self.text(key);
        if text.is_empty() || names.is_empty() || names.contains(&text.as_str()) {
            return (!text.is_empty()).then_some(text);
        }
        let why = unknown(what, &text, names);
        self.wrong(key, why);
        None
    }
}

fn unknown(what: &str, name: &str, names: &[&str]) -> String {
    let help = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if names.len() <= 8 => format!("there are {}", names.join(", ")),
        None => format!("there are {} of them", names.len()),
    };
    format!("no {what} is called {name}: {help}")
}

/// Reads what is typed.
#[must_use]
pub fn draft(
    policy: &Policy,
    journal: &Journal,
    inputs: &BTreeMap<String, String>,
    now: Instant,
) -> Draft {
    let mut r = Reading {
        inputs,
        problems: Vec::new(),
    };
    let id = id(&mut r, policy, journal);
    let title = Some(clean(&r.text("title"), LONG)).filter(|t| !t.is_empty());
    let environments: Vec<&str> = policy
        .environments
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    if r.text("environment").is_empty() {
        r.wrong("environment", "environment is missing");
    }
    let environment = r.known("environment", "environment", &environments);
    let changes = services(&mut r, policy);
    let planned = start(&mut r, policy, now);
    let length = length(&mut r);
    let people: Vec<&str> = policy.people.keys().map(String::as_str).collect();
    let driver = r.known("driver", "person", &people);
    let author = r.known("author", "person", &people);
    let class = class(&mut r);
    let deadlines = deadlines(&mut r, policy, now, planned);
    let depends_on = after(&mut r, policy, journal, &id);
    let place = |key: &str| FIELDS.iter().position(|(k, ..)| *k == key);
    r.problems.sort_by_key(|(key, _)| place(key));
    let release = match (environment, changes, planned) {
        (Some(environment), Some(changes), Some(planned)) => Some(Release {
            title: title.unwrap_or_else(|| id.clone()),
            id,
            environment,
            planned: Some(planned),
            length,
            driver,
            author,
            changes,
            purpose: class.purpose,
            significant: class.significant,
            risk: class.risk,
            failure_modes: Vec::new(),
            deadlines,
            depends_on,
        }),
        _ => None,
    };
    Draft {
        release,
        problems: r.problems,
    }
}

fn id(r: &mut Reading<'_>, policy: &Policy, journal: &Journal) -> String {
    let id = clean(&r.text("id"), LONG);
    let taken = |id: &str| {
        policy.release(id).is_some() || journal.release(id).is_some_and(|x| x.plan.is_some())
    };
    if id.is_empty() {
        r.wrong("id", "id is missing; for example checkout-2026.48");
    } else if taken(&id) {
        r.wrong("id", format!("{id} is planned already"));
    } else if journal.release(&id).is_some() {
        r.wrong("id", format!("{id} was flown before: the journal has it"));
    } else if id.contains(char::is_whitespace) {
        r.wrong("id", "an id has no spaces");
    }
    id
}

fn start(r: &mut Reading<'_>, policy: &Policy, now: Instant) -> Option<Instant> {
    let text = r.text("start");
    if text.is_empty() {
        r.wrong("start", "start is missing; for example mon 10:00");
        return None;
    }
    match dates::instant(&text, now, policy.timezone) {
        Ok(at) if at < now => {
            r.wrong("start", "that lies in the past");
            None
        }
        Ok(at) => Some(at),
        Err(why) => {
            r.wrong("start", why);
            None
        }
    }
}

fn length(r: &mut Reading<'_>) -> Option<u64> {
    let text = r.text("length");
    if text.is_empty() {
        return None;
    }
    match parse_duration(&text).map(|d| u64::try_from(d.num_seconds()).unwrap_or(0)) {
        Ok(0) => r.wrong("length", "the release takes no time"),
        Ok(seconds) => return Some(seconds),
        Err(why) => r.wrong("length", why),
    }
    None
}

/// How a release is looked at.
#[derive(Clone, Copy, Default)]
struct Class {
    risk: RiskClass,
    purpose: Purpose,
    significant: bool,
}

/// `high, hotfix, 72h`: risk class, purpose, length of the watch, in any order.
fn class(r: &mut Reading<'_>) -> Class {
    const WORDS: [&str; 8] = [
        "low", "normal", "high", "regular", "hotfix", "security", "24h", "72h",
    ];
    let mut class = Class::default();
    for word in r.text("class").split([',', ' ']).filter(|w| !w.is_empty()) {
        match word {
            "low" => class.risk = RiskClass::Low,
            "normal" => class.risk = RiskClass::Normal,
            "high" => class.risk = RiskClass::High,
            "regular" => class.purpose = Purpose::Regular,
            "hotfix" => class.purpose = Purpose::Hotfix,
            "security" => class.purpose = Purpose::Security,
            "24h" => class.significant = false,
            "72h" => class.significant = true,
            other => {
                let why = unknown("class", other, &WORDS);
                r.wrong("class", why);
            }
        }
    }
    class
}

/// `code freeze mon 12:00, testing tue 09:00, deploy wed 18:00`; they follow each other, and what comes before the start does.
fn deadlines(
    r: &mut Reading<'_>,
    policy: &Policy,
    now: Instant,
    planned: Option<Instant>,
) -> Deadlines {
    let mut out = Deadlines::default();
    for part in r.text("deadlines").split([',', ';']).map(str::trim) {
        if part.is_empty() {
            continue;
        }
        let named = [
            ("code freeze", DeadlineKind::CodeFreeze),
            ("testing done", DeadlineKind::Testing),
            ("testing", DeadlineKind::Testing),
            ("deploy", DeadlineKind::Deploy),
        ]
        .into_iter()
        .find_map(|(name, kind)| Some((kind, part.strip_prefix(name)?)));
        let Some((kind, when)) = named else {
            r.wrong(
                "deadlines",
                format!("\"{part}\" is no deadline; write code freeze, testing or deploy and when"),
            );
            continue;
        };
        match dates::instant(when, now, policy.timezone) {
            Ok(at) if kind != DeadlineKind::Deploy && planned.is_some_and(|start| at > start) => {
                r.wrong("deadlines", format!("{} lies after the start", kind.word()));
            }
            Ok(at) if kind == DeadlineKind::Deploy && planned.is_some_and(|start| at <= start) => {
                r.wrong(
                    "deadlines",
                    format!("{} lies before the start", kind.word()),
                );
            }
            Ok(at) => match kind {
                DeadlineKind::CodeFreeze => out.code_freeze = Some(at),
                DeadlineKind::Testing => out.testing = Some(at),
                DeadlineKind::Deploy => out.deploy = Some(at),
            },
            Err(why) => r.wrong("deadlines", why),
        }
    }
    let times: Vec<Instant> = out.list().into_iter().map(|(_, at)| at).collect();
    if !times.is_sorted() {
        r.wrong("deadlines", "testing done lies before code freeze");
    }
    out
}

/// Ids of releases that must be live before it.
fn after(r: &mut Reading<'_>, policy: &Policy, journal: &Journal, own: &str) -> Vec<String> {
    let text = r.text("after");
    let all = releases(policy, journal);
    let ids: Vec<&str> = all.iter().map(|x| x.id.as_str()).collect();
    let mut out = Vec::new();
    for id in text.split([',', ' ']).filter(|w| !w.is_empty()) {
        if id == own {
            r.wrong("after", "a release does not go after itself");
        } else if ids.contains(&id) {
            out.push(id.to_owned());
        } else {
            let why = unknown("release", id, &ids);
            r.wrong("after", why);
        }
    }
    out
}

/// `checkout 2.13.4→2.14.0, payments 5.3.1`; also `->` and `>` for the arrow, `@` before the version.
fn services(r: &mut Reading<'_>, policy: &Policy) -> Option<Vec<Change>> {
    let text = r.text("services");
    let names: Vec<&str> = policy.services.iter().map(|s| s.name.as_str()).collect();
    let mut out: Vec<Change> = Vec::new();
    let mut sound = true;
    for part in text
        .split([',', ';'])
        .map(str::trim)
        .filter(|p| !p.is_empty())
    {
        match change(part, &names) {
            Ok(c) if out.iter().any(|o| o.service == c.service) => {
                r.wrong("services", format!("{} stands there twice", c.service));
                sound = false;
            }
            Ok(c) => out.push(c),
            Err(why) => {
                r.wrong("services", why);
                sound = false;
            }
        }
    }
    if out.is_empty() && sound {
        r.wrong(
            "services",
            "services are missing; for example checkout 2.13.4→2.14.0, payments 5.3.1",
        );
        return None;
    }
    sound.then_some(out)
}

fn change(part: &str, names: &[&str]) -> Result<Change, String> {
    let split = part.split_once([' ', '@', '=']);
    let (service, versions) = split.map_or((part, ""), |(s, v)| (s.trim(), v.trim()));
    if !names.contains(&service) {
        return Err(unknown("service", service, names));
    }
    let arrow = ["→", "->", ">"].iter().find_map(|a| versions.split_once(a));
    let (from, to) = match arrow {
        Some((from, to)) => (Some(from.trim()).filter(|f| !f.is_empty()), to.trim()),
        None => (None, versions),
    };
    for version in from.iter().chain([&to]) {
        if version.contains(char::is_whitespace) {
            return Err(format!("\"{version}\" is no version of {service}"));
        }
    }
    if to.is_empty() {
        return Err(format!(
            "to which version of {service}? write {service} 1.2.3"
        ));
    }
    if from == Some(to) {
        return Err(format!("{service} {to} is where it comes from, too"));
    }
    Ok(Change {
        service: service.to_owned(),
        from: from.map(str::to_owned),
        to: to.to_owned(),
        kind: ChangeKind::Version,
        reversible: Reversible::Undeclared,
    })
}
