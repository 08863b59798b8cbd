//! Approvals: by class, bound to versions and contract, void when either changes (SEMANTICS 3).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Duration, NaiveDateTime};
use serde_json::Value;

use crate::domain::contract;
use crate::domain::event::Contract;
use crate::domain::journal::Approval;
use crate::domain::policy::{ApprovalRule, Release, RiskClass};
use crate::domain::record::Records;
use crate::domain::situation::{ApprovalLine, ApprovalView, Mark, Refusal, Tone};
use crate::domain::time::Instant;

use super::{View, clock_full, driver, risk};

/// What a vendor's change record or ticket says about an approval. A connector's read of kind `change` (or `ticket`)
/// yields objects with these fields, one an approver.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ApprovalRecord {
    /// The vendor's number of the record, such as `CHG0030192`.
    pub id: String,
    /// approved, rejected, or anything else: requested.
    pub state: String,
    /// Who decided, as the vendor names them.
    pub by: Option<String>,
    /// When.
    pub at: Option<Instant>,
    /// The release it is for; none: the one it was asked about.
    pub release: Option<String>,
    /// The version it is for, where it names one.
    pub version: Option<String>,
}

impl ApprovalRecord {
    fn of(value: &Value) -> Option<Self> {
        let text = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        Some(Self {
            id: text("id")?,
            state: text("state").unwrap_or_default().to_lowercase(),
            by: text("by"),
            at: value.get("at").and_then(time_of),
            release: text("release"),
            version: text("version"),
        })
    }
    pub fn approved(&self) -> bool {
        self.state == "approved"
    }
    fn rejected(&self) -> bool {
        self.state == "rejected"
    }
}

/// RFC 3339, Unix seconds, or `2026-11-17 15:02:11`, which ServiceNow means in UTC.
fn time_of(value: &Value) -> Option<Instant> {
    if let Some(seconds) = value.as_i64() {
        return Instant::from_timestamp(seconds, 0);
    }
    let text = value.as_str()?.trim();
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Ok(at) = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(at.to_utc());
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .ok()
        .map(|local| local.and_utc())
}

/// The class that counts for the current release.
pub(crate) fn class_of(view: &View<'_>, release: &Release) -> RiskClass {
    risk::class(view).max(release.risk)
}

/// The rule for the current release's class.
pub(crate) fn rule<'a>(view: &View<'a>, release: &Release) -> Option<&'a ApprovalRule> {
    view.policy.approvals.get(&class_of(view, release))
}

/// The sealed contract, or the one that would be sealed now.
pub(crate) fn contract_in_force(view: &View<'_>) -> Contract {
    view.state
        .and_then(|s| s.contract.as_ref())
        .map(|(_, c, _)| c.clone())
        .or_else(|| view.release.map(|r| contract::of(view.policy, r)))
        .unwrap_or_default()
}

/// What an approval given now is bound to.
pub(crate) fn digest(view: &View<'_>, release: &Release) -> String {
    contract::approval_digest(release, &contract_in_force(view))
}

/// Service → content digest of its new image, where the registry tells it now.
pub(crate) fn images(view: &View<'_>, release: &Release) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for change in &release.changes {
        let (seen, freshness) = view.feed(&format!("artifact/{}/{}", change.service, change.to));
        if let Some(Records::Artifact(list)) = seen.map(|o| &o.records)
            && freshness.usable()
            && let Some(digest) = list.first().and_then(|a| a.digest.clone())
        {
            out.insert(change.service.clone(), digest);
        }
    }
    out
}

/// What change records or tickets say about the current release; `None` where they cannot be relied on now.
pub(crate) fn records(view: &View<'_>, release: &Release) -> Option<Vec<ApprovalRecord>> {
    let (seen, freshness) = view.feed(&format!("approvals/{}", release.id));
    let seen = seen.filter(|o| freshness.usable() && o.partial.is_none())?;
    let Records::Other(list) = &seen.records else {
        return None;
    };
    let mine = |r: &ApprovalRecord| {
        r.release.as_ref().is_none_or(|id| *id == release.id)
            && r.version
                .as_ref()
                .is_none_or(|v| release.changes.iter().any(|c| c.to == *v))
    };
    Some(
        list.iter()
            .filter_map(ApprovalRecord::of)
            .filter(mine)
            .collect(),
    )
}

/// An approval that a vendor's record holds and the journal does not: who, in which role, how known, until when.
pub(crate) struct Recorded {
    pub record: ApprovalRecord,
    pub by: String,
    pub role: String,
    pub how: String,
    pub expires: Instant,
}

/// Records that count and are not journaled yet.
pub(crate) fn to_journal(view: &View<'_>) -> Vec<Recorded> {
    let (Some(release), Some(source)) = (view.release, &view.policy.approval_records) else {
        return Vec::new();
    };
    let Some(rule) = rule(view, release) else {
        return Vec::new();
    };
    let lasts = lasts(view);
    let known = |r: &ApprovalRecord, by: &str| {
        view.state.is_some_and(|s| {
            s.approvals
                .iter()
                .any(|a| a.record.as_ref() == Some(&r.id) && a.by == by)
        })
    };
    records(view, release)
        .unwrap_or_default()
        .into_iter()
        .filter(ApprovalRecord::approved)
        .filter_map(|record| {
            let by = view.policy.known_as(record.by.as_deref()?);
            let role = view
                .policy
                .roles(&by)
                .iter()
                .find(|r| rule.of.contains(r))?;
            let expires = record.at? + lasts;
            if expires <= view.at() || barred(view, release, &by).is_some() || known(&record, &by) {
                return None;
            }
            Some(Recorded {
                how: format!("change record {} at {source}", record.id),
                role: role.clone(),
                by,
                expires,
                record,
            })
        })
        .collect()
}

/// How long an approval lasts.
pub(crate) fn lasts(view: &View<'_>) -> Duration {
    let seconds = i64::try_from(view.policy.limits.approval_lasts).unwrap_or(4 * 3600);
    Duration::try_seconds(seconds).unwrap_or(Duration::hours(4))
}

/// Why that person may not approve this release at all: its author, its driver.
pub(crate) fn barred(view: &View<'_>, release: &Release, by: &str) -> Option<&'static str> {
    let is = |name: &Option<String>| {
        name.as_ref()
            .is_some_and(|n| view.policy.same_person(n, by))
    };
    if is(&release.author) {
        return Some("the author");
    }
    is(&driver(release, view.state)).then_some("the driver")
}

/// Why an approval on record does not count now.
fn void(view: &View<'_>, release: &Release, rule: &ApprovalRule, a: &Approval) -> Option<String> {
    if a.expires <= view.at() {
        return Some(format!(
            "expired {}",
            clock_full(a.expires, view.at(), view.policy.timezone)
        ));
    }
    if a.digest != digest(view, release) {
        return Some("given for other versions or another contract".to_owned());
    }
    let now = images(view, release);
    for (service, was) in &a.images {
        if now.get(service).is_some_and(|is| is != was) {
            return Some(format!("the image of {service} is another one by now"));
        }
    }
    if !rule.of.contains(&a.role) {
        let class = class_of(view, release).word();
        return Some(format!("{} does not count for class {class}", a.role));
    }
    if let Some(what) = barred(view, release, &a.by) {
        return Some(format!("{} is {what}", a.by));
    }
    let id = a.record.as_ref()?;
    let list = records(view, release)?;
    let mine = |r: &&ApprovalRecord| {
        r.id == *id
            && r.by
                .as_ref()
                .is_none_or(|b| view.policy.same_person(b, &a.by))
    };
    match list.iter().find(mine) {
        Some(r) if r.approved() => None,
        Some(r) if r.rejected() => Some(format!("{id} was rejected since")),
        _ => Some(format!("{id} no longer says approved")),
    }
}

/// Every approval on record, and whether it counts.
fn given(view: &View<'_>, release: &Release, rule: &ApprovalRule) -> Vec<ApprovalLine> {
    let list = view.state.map(|s| s.approvals.as_slice()).unwrap_or(&[]);
    list.iter()
        .map(|a| ApprovalLine {
            by: a.by.clone(),
            role: a.role.clone(),
            how: a.how.clone(),
            expires: a.expires,
            void: void(view, release, rule, a),
        })
        .collect()
}

/// Approval of the current release by the rule of its class: Ok with the words, or why not.
///
/// # Errors
/// The refusal: how many are missing, of whom, and what makes those on record void.
pub(crate) fn approval(view: &View<'_>) -> Result<String, Refusal> {
    let Some(release) = view.release else {
        return Err(Refusal::new("approval", "no release"));
    };
    let class = class_of(view, release).word();
    let Some(rule) = rule(view, release) else {
        return Ok(format!("class {class} needs no approval"));
    };
    let given = given(view, release, rule);
    let valid: BTreeSet<&str> = given
        .iter()
        .filter(|a| a.void.is_none())
        .map(|a| a.by.as_str())
        .collect();
    let count = u32::try_from(valid.len()).unwrap_or(u32::MAX);
    if count >= rule.count {
        let names: Vec<&str> = valid.into_iter().collect();
        return Ok(format!("by {}", names.join(", ")));
    }
    let mut why = format!(
        "class {class} needs {} approval{} of {}; has {count}",
        rule.count,
        if rule.count == 1 { "" } else { "s" },
        rule.of.join(" or ")
    );
    if let Some(last) = given.iter().rev().find(|a| a.void.is_some()) {
        let void = last.void.as_deref().unwrap_or_default();
        why.push_str(&format!(" ({}'s does not count: {void})", last.by));
    }
    let way = if asked(view, release).is_some() {
        "asked for; approve (V) gives one or writes one down"
    } else {
        "ask for it (E); approve (V) gives one or writes one down"
    };
    Err(Refusal::new(format!("approval/{class}"), why).way_out(way))
}

/// The open question: who asked for what is to be approved now, the note, and when.
fn asked<'a>(view: &View<'a>, release: &Release) -> Option<(&'a str, &'a str, Instant)> {
    let (by, note, at, bound) = view.state?.approval_asked.as_ref()?;
    (*bound == digest(view, release) && *at + lasts(view) > view.at()).then_some((
        by.as_str(),
        note.as_str(),
        *at,
    ))
}

/// Who asked for the approval that is to be given now.
pub(crate) fn asker(view: &View<'_>, release: &Release) -> Option<String> {
    asked(view, release).map(|(by, ..)| by.to_owned())
}

/// People who may approve: a role of the rule, neither author nor driver.
pub(crate) fn approvers(view: &View<'_>, release: &Release, rule: &ApprovalRule) -> Vec<String> {
    let able = view.policy.people.iter().filter(|(name, person)| {
        person.roles.iter().any(|r| rule.of.contains(r)) && barred(view, release, name).is_none()
    });
    able.map(|(name, _)| name.clone()).collect()
}

/// For every face.
pub(super) fn shown(view: &View<'_>) -> ApprovalView {
    let Some(release) = view.release else {
        return ApprovalView::default();
    };
    let state = approval(view);
    let Some(rule) = rule(view, release) else {
        return ApprovalView {
            mark: Mark::new("not needed", Tone::Plain),
            said: state.unwrap_or_default(),
            ..ApprovalView::default()
        };
    };
    let open = asked(view, release);
    let (mark, mut said) = match &state {
        Ok(words) => (
            Mark::new("approved", Tone::Pass),
            format!("approved {words}"),
        ),
        Err(refusal) if open.is_some() => (Mark::new("asked", Tone::Hold), refusal.why.clone()),
        Err(refusal) => (Mark::new("needed", Tone::Hold), refusal.why.clone()),
    };
    if let (Some((by, note, at)), Err(_)) = (open, &state) {
        let when = clock_full(at, view.at(), view.policy.timezone);
        said.push_str(&format!("; asked by {by} at {when}"));
        if !note.is_empty() {
            said.push_str(&format!(" ({note})"));
        }
    }
    ApprovalView {
        mark,
        said,
        of: rule.of.clone(),
        count: rule.count,
        digest: digest(view, release),
        given: given(view, release, rule),
        records: record_lines(view, release, rule),
    }
}

/// What the records say, and why one of them does not count.
fn record_lines(view: &View<'_>, release: &Release, rule: &ApprovalRule) -> Vec<String> {
    let Some(source) = &view.policy.approval_records else {
        return Vec::new();
    };
    let Some(list) = records(view, release) else {
        let (_, freshness) = view.feed(&format!("approvals/{}", release.id));
        return vec![format!("{source}: approvals are {}", freshness.word())];
    };
    if list.is_empty() {
        return vec![format!("{source}: no record of {}", release.id)];
    }
    list.iter()
        .map(|r| record_line(view, release, rule, r))
        .collect()
}

fn record_line(
    view: &View<'_>,
    release: &Release,
    rule: &ApprovalRule,
    r: &ApprovalRecord,
) -> String {
    let word = if r.approved() {
        "approved"
    } else if r.rejected() {
        "rejected"
    } else {
        "requested"
    };
    let Some(called) = &r.by else {
        let nobody = if r.approved() {
            ", by nobody it names: does not count"
        } else {
            ""
        };
        return format!("{} {word}{nobody}", r.id);
    };
    let by = view.policy.known_as(called);
    let able = view
        .policy
        .roles(&by)
        .iter()
        .any(|role| rule.of.contains(role));
    let why = match r.at {
        _ if !r.approved() => String::new(),
        _ if !view.policy.people.contains_key(&by) => {
            ": nobody in [people] has that vendor name".to_owned()
        }
        _ if !able => format!(": none of the roles {}", rule.of.join(", ")),
        None => ": it does not say when, so it does not count".to_owned(),
        Some(at) if at + lasts(view) <= view.at() => ": expired".to_owned(),
        Some(_) => barred(view, release, &by).map_or_else(String::new, |w| format!(": is {w}")),
    };
    format!("{} {word} by {by}{why}", r.id)
}
