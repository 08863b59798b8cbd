//! What to read, how often, over which spans: a pure function of policy, journal and time.

use std::collections::{BTreeMap, BTreeSet};

use super::act::Outcome;
use super::disturbed::disturbed;
use super::journal::Journal;
use super::observe::{Call, Lookback, Need, Subject};
use super::policy::{Change, Check, ChecklistItem, Connection, Policy, Release, Section, Service};
use super::record::{Part, RecordKind};
use super::time::{Instant, Now};

/// Length of a live metric bucket, seconds.
pub const BUCKET: u64 = 60;
/// Length of a history block, seconds.
pub const BLOCK: u64 = 600;
/// What is read of a service without an open release, seconds.
pub const LAST_HOUR: u64 = 2 * 3600;
/// History behind a judgement, seconds: seven days, the hour before a deployment on each of them, and what lies around it where
/// that hour is not clean.
const HISTORY: u64 = 7 * 86_400 + 4 * 3600;
/// The three weeks before them, seconds: their weekdays stand in for days that are no fair baseline.
const WEEKS: u64 = 21 * 86_400;
/// Of the seven days so many may be disturbed before those weeks are read: three make a baseline.
const MAY_LACK: usize = 4;
/// The longest span of live buckets, seconds (a 72-hour watch with the hour before it).
const LONGEST: u64 = 74 * 3600;
/// The same while a watch has not ended: what was slept through is read from the store. Prometheus answers at most 11,000 points.
const SLEPT: u64 = 7 * 86_400;

/// Days before now for which calendars are read.
pub const CALENDAR_BACK: i64 = 40;
/// Days after now for which calendars are read: the index of windows and freezes reaches 400 days.
pub const CALENDAR_AHEAD: i64 = 430;

/// Id of the need that reads one part of a metric.
pub fn metric_need(metric: &str, part: Part, step: u64) -> String {
    format!("metric/{metric}/{}/{step}", part.key())
}

/// Id of the need that reads what proves a checklist item for one version of a service.
pub fn item_need(item: &str, service: &str, version: &str) -> String {
    format!("item/{item}/{service}/{version}")
}

/// The releases that are neither closed nor unknown, as planned now.
pub fn open_releases<'a>(policy: &'a Policy, journal: &'a Journal) -> Vec<&'a Release> {
    let closed = |id: &str| journal.release(id).is_some_and(|r| r.closing.is_some());
    let mut open = super::planning::releases(policy, journal);
    open.retain(|r| !closed(&r.id));
    open
}

/// Closed releases that left auto-sync off: they are put back by the program.
pub fn unrestored(journal: &Journal) -> BTreeSet<&str> {
    let off = journal
        .debts
        .values()
        .filter(|d| d.id.starts_with(AUTO_SYNC));
    off.filter_map(|d| d.release.as_deref())
        .filter(|id| journal.release(id).is_some_and(|r| r.closing.is_some()))
        .collect()
}

/// The services of open releases: those whose history is kept. The others need their last hour alone.
pub fn followed<'a>(policy: &'a Policy, journal: &'a Journal) -> BTreeSet<&'a str> {
    open_releases(policy, journal)
        .into_iter()
        .flat_map(|r| r.changes.iter().map(|c| c.service.as_str()))
        .collect()
}

/// What the debts of auto-sync that was held begin with.
const AUTO_SYNC: &str = "auto-sync/";

/// Everything to read now.
pub fn needs(policy: &Policy, journal: &Journal, now: Now) -> Vec<Need> {
    // What is sealed or attached is read, whatever the file says.
    let policy = &*super::planning::effective(policy, journal);
    let mut out = Needs {
        policy,
        list: Vec::new(),
    };
    let open = open_releases(policy, journal);
    out.deployments();
    let lookback = lookback(journal, &open, now.world);
    let further = further(policy, journal, &open, now.world);
    out.metrics(lookback, !open.is_empty(), further);
    out.everywhere();
    out.calendars(now.world);
    for release in &open {
        for change in &release.changes {
            if let Some(service) = policy.service(&change.service) {
                // Never the new version itself, which earns healthy too in time.
                let target = journal
                    .target(&service.name, &release.environment, &change.to)
                    .map(|h| h.version.clone());
                let from = change.from.clone().or_else(|| target.clone());
                out.change(
                    release,
                    service,
                    from.as_deref(),
                    &change.to,
                    target.as_deref(),
                );
            }
        }
        out.approvals(release);
        out.reactions(journal, release);
        out.proofs(journal, release);
    }
    out.items();
    let mut seen = BTreeSet::new();
    out.list.retain(|n| seen.insert(n.id.clone()));
    out.list
}

/// Live buckets reach back to the hour before the earliest deployment of an open release.
fn lookback(journal: &Journal, open: &[&Release], now: Instant) -> u64 {
    let earliest = open
        .iter()
        .filter_map(|r| journal.release(&r.id))
        .flat_map(|r| r.tracks.values().map(|t| t.started))
        .min();
    let since = earliest.map_or(0, |t| (now - t).num_seconds().max(0));
    let watched = open
        .iter()
        .filter_map(|r| journal.release(&r.id))
        .any(|s| s.watch_end.is_none() && s.tracks.values().any(|t| t.finished.is_some()));
    u64::try_from(since)
        .unwrap_or(0)
        .saturating_add(LAST_HOUR)
        .min(if watched { SLEPT } else { LONGEST })
}

/// How much more of the history is read, in seconds, where too few of the seven days before a deployment under way
/// are a fair baseline.
fn further(policy: &Policy, journal: &Journal, open: &[&Release], now: Instant) -> u64 {
    let short = |release: &&Release| {
        release.changes.iter().any(|change| {
            let track = journal
                .release(&release.id)
                .and_then(|r| r.tracks.get(&change.service));
            let Some((track, service)) = track.zip(policy.service(&change.service)) else {
                return false;
            };
            let deployed = track.started.timestamp();
            let lost = |end: i64| disturbed(policy, journal, service, (end - 3600, end)).is_some();
            let many =
                |time: i64| (1..=7).filter(|day| lost(time - day * 86_400)).count() > MAY_LACK;
            // A checkpoint is held against the hour of its own time of day.
            let late = (now.timestamp() - deployed).rem_euclid(86_400);
            many(deployed) || many(deployed + late)
        })
    };
    if open.iter().any(short) { WEEKS } else { 0 }
}

/// The read that takes a span: `range` where there is one.
pub fn span_read(connection: &Connection) -> Option<&str> {
    match connection.reads.get_key_value("range") {
        Some((name, offer)) if offer.kind == RecordKind::Series => Some(name),
        _ => connection.read_of(RecordKind::Series).map(|(name, _)| name),
    }
}

/// The days of a calendar that are read, as arguments: whole days, so that they change once a day. `from` and `until` are RFC 3339,
/// `from_day` and `until_day` dates; both ends may be taken or left by a vendor.
fn around(now: Instant) -> BTreeMap<String, String> {
    let day = |days: i64| now.date_naive() + chrono::Duration::days(days);
    let (from, until) = (day(-CALENDAR_BACK), day(CALENDAR_AHEAD));
    BTreeMap::from([
        ("from".to_owned(), format!("{from}T00:00:00Z")),
        ("until".to_owned(), format!("{until}T00:00:00Z")),
        ("from_day".to_owned(), from.to_string()),
        ("until_day".to_owned(), until.to_string()),
    ])
}

struct Needs<'a> {
    policy: &'a Policy,
    list: Vec<Need>,
}

impl Needs<'_> {
    /// Adds a need, if that connection offers a read of that kind.
    fn add(
        &mut self,
        id: String,
        subject: Subject,
        connection: &str,
        kind: RecordKind,
        args: BTreeMap<String, String>,
    ) {
        let Some((read, every)) = self
            .policy
            .connections
            .get(connection)
            .and_then(|c| c.read_of(kind))
        else {
            return;
        };
        self.list.push(Need {
            id,
            subject,
            call: Call {
                connection: connection.to_owned(),
                read: read.to_owned(),
                args,
                lookback: None,
            },
            kind,
            every,
        });
    }

    fn deployments(&mut self) {
        let connections: BTreeSet<&str> = self
            .policy
            .services
            .iter()
            .filter_map(|s| s.deployments.as_deref())
            .collect();
        for connection in connections {
            self.add(
                format!("deployments/{connection}"),
                Subject::Deployments {
                    environment: None,
                    service: None,
                },
                connection,
                RecordKind::Deployment,
                BTreeMap::new(),
            );
        }
    }

    fn metrics(&mut self, lookback: u64, history: bool, further: u64) {
        // The seven days are those before the deployment, also when a watch is days old.
        let past = HISTORY + lookback.saturating_sub(LAST_HOUR) + further;
        for metric in &self.policy.metrics {
            for (part, query) in metric.parts() {
                let spans = [(BUCKET, lookback, metric.every), (BLOCK, past, BLOCK)];
                for (step, seconds, every) in spans {
                    if step == BLOCK && !history {
                        continue;
                    }
                    let Some(read) = self
                        .policy
                        .connections
                        .get(&metric.connection)
                        .and_then(span_read)
                    else {
                        continue;
                    };
                    self.list.push(Need {
                        id: metric_need(&metric.id, part, step),
                        subject: Subject::Metric {
                            metric: metric.id.clone(),
                            part,
                            step,
                        },
                        call: Call {
                            connection: metric.connection.clone(),
                            read: read.to_owned(),
                            args: BTreeMap::from([("query".to_owned(), query.to_owned())]),
                            lookback: Some(Lookback { seconds, step }),
                        },
                        kind: RecordKind::Series,
                        every,
                    });
                }
            }
        }
    }

    /// Alerts and incidents of every connection that has them; on-call of the one that is named.
    fn everywhere(&mut self) {
        let names: Vec<String> = self.policy.connections.keys().cloned().collect();
        for name in names {
            self.add(
                format!("alerts/{name}"),
                Subject::Alerts,
                &name,
                RecordKind::Alert,
                BTreeMap::new(),
            );
            self.add(
                format!("incidents/{name}"),
                Subject::Incidents,
                &name,
                RecordKind::Incident,
                BTreeMap::new(),
            );
        }
        if let Some(name) = self.policy.oncall.connection.clone() {
            self.add(
                format!("oncall/{name}"),
                Subject::Oncall,
                &name,
                RecordKind::Oncall,
                BTreeMap::new(),
            );
        }
    }

    /// Every calendar by its read, over the days around `now` that the rules look at.
    fn calendars(&mut self, now: Instant) {
        for calendar in &self.policy.calendars {
            let Some(connection) = self.policy.connections.get(&calendar.connection) else {
                continue;
            };
            let named = calendar.read.as_deref().and_then(|read| {
                let (name, offer) = connection.reads.get_key_value(read)?;
                Some((name.as_str(), connection.every.unwrap_or(offer.every)))
            });
            let found = match calendar.read {
                Some(_) => named,
                None => connection.read_of(RecordKind::Event),
            };
            let Some((read, every)) = found else {
                continue;
            };
            self.list.push(Need {
                id: format!("calendar/{}", calendar.name),
                subject: Subject::Calendar {
                    name: calendar.name.clone(),
                },
                call: Call {
                    connection: calendar.connection.clone(),
                    read: read.to_owned(),
                    args: around(now),
                    lookback: None,
                },
                kind: RecordKind::Event,
                every,
            });
        }
    }

    /// Commits between the versions, CI of the new one, images of the new one and of those a rollback may want.
    fn change(
        &mut self,
        release: &Release,
        service: &Service,
        from: Option<&str>,
        to: &str,
        target: Option<&str>,
    ) {
        let args = |version: &str| {
            let mut args = service.args(&release.environment);
            args.insert("version".to_owned(), version.to_owned());
            if let Some(image) = &service.image {
                args.insert("image".to_owned(), image.clone());
            }
            args
        };
        if let (Some(connection), Some(from)) = (&service.commits, from) {
            let mut args = args(to);
            args.insert("from".to_owned(), from.to_owned());
            args.insert("to".to_owned(), to.to_owned());
            self.add(
                format!("commits/{}/{}", release.id, service.name),
                Subject::Commits {
                    release: release.id.clone(),
                    service: service.name.clone(),
                },
                connection,
                RecordKind::Commit,
                args,
            );
        }
        if let Some(connection) = &service.builds {
            self.add(
                format!("builds/{}/{to}", service.name),
                Subject::Builds {
                    service: service.name.clone(),
                    version: to.to_owned(),
                },
                connection,
                RecordKind::Build,
                args(to),
            );
        }
        if let Some(connection) = &service.registry {
            for version in [Some(to), from, target].into_iter().flatten() {
                self.add(
                    format!("artifact/{}/{version}", service.name),
                    Subject::Artifact {
                        service: service.name.clone(),
                        version: version.to_owned(),
                    },
                    connection,
                    RecordKind::Artifact,
                    args(version),
                );
            }
        }
    }

    /// Change records, or else tickets, that hold approvals of a release.
    fn approvals(&mut self, release: &Release) {
        let Some(name) = &self.policy.approval_records else {
            return;
        };
        let connection = self.policy.connections.get(name);
        let kind = [RecordKind::Change, RecordKind::Ticket]
            .into_iter()
            .find(|k| connection.is_some_and(|c| c.read_of(*k).is_some()));
        let versions: Vec<&str> = release.changes.iter().map(|c| c.to.as_str()).collect();
        let args = BTreeMap::from([
            ("release".to_owned(), release.id.clone()),
            ("title".to_owned(), release.title.clone()),
            ("environment".to_owned(), release.environment.clone()),
            ("version".to_owned(), versions.join(",")),
        ]);
        if let Some(kind) = kind {
            self.add(
                format!("approvals/{}", release.id),
                Subject::Approvals {
                    release: release.id.clone(),
                },
                &name.clone(),
                kind,
                args,
            );
        }
    }

    /// Reactions to messages of the brief, until somebody acknowledged.
    fn reactions(&mut self, journal: &Journal, release: &Release) {
        let Some(state) = journal.release(&release.id).filter(|s| s.acks.is_empty()) else {
            return;
        };
        for brief in &state.briefs {
            let Some(act) = journal.acts.get(&brief.act) else {
                continue;
            };
            let Some((Outcome::Confirmed { receipt }, _)) = &act.outcome else {
                continue;
            };
            let mut args: BTreeMap<String, String> = receipt
                .fields
                .iter()
                .filter_map(|(k, v)| v.as_str().map(|v| (k.clone(), v.to_owned())))
                .collect();
            if let Some(id) = &receipt.id {
                args.insert("id".to_owned(), id.clone());
            }
            self.add(
                format!("reactions/{}", brief.act),
                Subject::Reactions {
                    act: brief.act.clone(),
                },
                &act.act.connection,
                RecordKind::Reaction,
                args,
            );
        }
    }

    /// What proves a release's checklist items outside: scans, and smoke tests once there is something to test.
    fn proofs(&mut self, journal: &Journal, release: &Release) {
        let state = journal.release(&release.id);
        for item in &self.policy.checklist {
            // What is kept as it was is not read again.
            let kept =
                state.is_some_and(|s| s.kept.iter().any(|(section, _)| *section == item.section));
            if kept {
                continue;
            }
            let (connection, environment) = match &item.check {
                Check::SecurityScan { connection, .. } => (connection, None),
                Check::SmokeTest {
                    connection,
                    environment,
                    ..
                } => {
                    let here = environment
                        .as_ref()
                        .is_none_or(|e| *e == release.environment);
                    let started = state.is_some_and(|s| !s.tracks.is_empty());
                    if here && item.section != Section::PreDeploy && !started {
                        continue;
                    }
                    (connection, environment.as_deref())
                }
                _ => continue,
            };
            let Some(connection) = connection else {
                continue;
            };
            let place = environment
                .map(str::to_owned)
                .unwrap_or_else(|| self.place_of(release, item.section, &item.check));
            for change in &release.changes {
                self.proof(item, connection, release, change, &place);
            }
        }
    }

    /// Where an item without an environment of its own looks.
    fn place_of(&self, release: &Release, section: Section, check: &Check) -> String {
        let all = &self.policy.environments;
        let own = all.iter().position(|e| e.name == release.environment);
        let below = own.and_then(|i| all.get(i.checked_sub(1)?));
        match (check, section, below) {
            (Check::SmokeTest { .. }, Section::PreDeploy, Some(below)) => below.name.clone(),
            _ => release.environment.clone(),
        }
    }

    fn proof(
        &mut self,
        item: &ChecklistItem,
        connection: &str,
        release: &Release,
        change: &Change,
        place: &str,
    ) {
        let Some(service) = self.policy.service(&change.service) else {
            return;
        };
        let scan = matches!(item.check, Check::SecurityScan { .. });
        let Some(kind) = self
            .policy
            .connections
            .get(connection)
            .map(|c| proof_kind(c, scan))
        else {
            return;
        };
        let mut args = service.args(place);
        if let Some(image) = &service.image {
            args.insert("image".to_owned(), image.clone());
        }
        for (key, value) in [
            ("item", &item.id),
            ("version", &change.to),
            ("release", &release.id),
        ] {
            args.insert(key.to_owned(), value.clone());
        }
        self.add(
            item_need(&item.id, &service.name, &change.to),
            Subject::Item {
                item: item.id.clone(),
            },
            connection,
            kind,
            args,
        );
    }

    fn items(&mut self) {
        for item in &self.policy.checklist {
            if let Check::Command { connection } = &item.check {
                self.add(
                    format!("item/{}", item.id),
                    Subject::Item {
                        item: item.id.clone(),
                    },
                    connection,
                    RecordKind::Check,
                    BTreeMap::from([("item".to_owned(), item.id.clone())]),
                );
            }
        }
    }
}

/// A scan is read as findings, unless its connection only runs a check: then the exit code is the answer.
fn proof_kind(connection: &Connection, scan: bool) -> RecordKind {
    let reads = |kind| connection.read_of(kind).is_some();
    let set = |key: &str| connection.settings.contains_key(key);
    let only_check = set("check") && !set("findings");
    if scan && reads(RecordKind::Finding) && !(reads(RecordKind::Check) && only_check) {
        RecordKind::Finding
    } else {
        RecordKind::Check
    }
}
