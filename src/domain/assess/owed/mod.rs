//! What the program itself owes now: facts to journal, the next step of a rollback, the next escalation level, a due
//! checkpoint, a countdown's end. Each duty has a key that survives crashes, so that nothing is done twice.

mod notices;
mod people;
mod permission;
mod plan;
mod rollout;
mod trips;

use crate::domain::act::{Act, Outcome, Receipt};
use crate::domain::event::{Body, Measured, PlanStep, StepKind};
use crate::domain::journal::PlanState;
use crate::domain::needs::{BUCKET, metric_need};
use crate::domain::policy::{Release, Section};
use crate::domain::record::{DeployState, Deployment, Part};
use crate::domain::situation::{Duty, Phase, Situation, Task};
use crate::domain::time::Instant;
use crate::domain::verdict::Verdict;

use super::rollout::{Rollout, of_release};
use super::{View, checklist, unknown, watch};

pub(crate) use people::{brief_text, messages};
pub(crate) use permission::{approval_messages, glass_messages};
pub(crate) use rollout::steer;

/// A version earned healthy after serving this many seconds.
const HEALTHY: i64 = 3600;
/// A held rollout, or one whose end could not be proven, wants a decision within this many hours.
const HOLD_HOURS: i64 = 4;

/// Everything owed.
pub(super) fn owed(view: &View<'_>, s: &Situation) -> Vec<Duty> {
    let session = &view.observed.session;
    if session.read_only || session.journal_fault.is_some() || view.journal.unreadable.is_some() {
        return Vec::new();
    }
    let mut out = Owed {
        view,
        list: Vec::new(),
    };
    // Of a closed release nothing goes on but what it left off.
    if view.aside && view.state.is_some_and(|x| x.closing.is_some()) {
        if view.release.is_some_and(|r| session.drives.contains(&r.id)) {
            out.restores();
        }
        return out.list;
    }
    for release in super::needs::open_releases(view.policy, view.journal) {
        for rollout in of_release(view, release) {
            out.seen(release, &rollout);
            out.healthy(release, &rollout);
        }
    }
    out.gates(s);
    out.trips(s);
    out.sections(s);
    out.untick();
    out.acks();
    out.approvals();
    out.risk(s);
    let drives = view.release.is_some_and(|r| session.drives.contains(&r.id));
    if drives {
        out.checkpoints();
        out.watch_ends();
        out.notices(s);
        out.escalate();
        out.tell(s);
        out.tell_trips(s);
        out.glass();
        out.holds();
        out.on_trip(s);
        out.countdown(s);
        out.plan(s);
        out.restores();
        out.reconcile();
    }
    out.list
}

struct Owed<'a, 'b> {
    view: &'b View<'a>,
    list: Vec<Duty>,
}

impl Owed<'_, '_> {
    fn record(&mut self, key: String, release: Option<&str>, bodies: Vec<Body>) {
        self.record_as("cockpit", "program", key, release, bodies);
    }

    fn record_as(
        &mut self,
        actor: &str,
        known_by: &str,
        key: String,
        release: Option<&str>,
        bodies: Vec<Body>,
    ) {
        self.list.push(Duty {
            key,
            release: release.map(str::to_owned),
            task: Task::Record {
                actor: actor.to_owned(),
                known_by: known_by.to_owned(),
                bodies,
            },
        });
    }

    /// A vendor's deployment changed.
    fn seen(&mut self, release: &Release, rollout: &Rollout<'_>) {
        let Some(record) = rollout.news() else {
            return;
        };
        let service = &rollout.service.name;
        if record.version == rollout.change.to {
            let same = rollout.track.is_some_and(|t| {
                (t.state, t.step, t.weight) == (record.state, record.step, record.weight)
            });
            if !same {
                let body = seen_body(service, &release.environment, record, &record.version, None);
                // Counted on over versions, so that one that comes back is news again.
                let state = self.view.journal.release(&release.id);
                let known = state
                    .and_then(|s| s.tracks.get(service))
                    .map_or(0, |t| t.seen);
                let key = format!("seen/{}/{service}/{}/{known}", release.id, record.version);
                self.record(key, Some(&release.id), vec![body]);
            }
        } else if let Some(track) = rollout.track.filter(|t| !t.withdrawn()) {
            // Another version took its place: by our rollback, or by somebody else.
            let state = if track.finished.is_some() {
                DeployState::Superseded
            } else {
                DeployState::Cancelled
            };
            let body = seen_body(
                service,
                &release.environment,
                record,
                &rollout.change.to,
                Some(state),
            );
            let key = format!(
                "gone/{}/{service}/{}/{}",
                release.id, rollout.change.to, track.seen
            );
            self.record(key, Some(&release.id), vec![body]);
        }
    }

    /// The version that served an hour without a failing verdict.
    fn healthy(&mut self, release: &Release, rollout: &Rollout<'_>) {
        let Some(record) = rollout.news() else {
            return;
        };
        let since = record.finished_at.or(record.started_at);
        let served = since.is_some_and(|t| (self.view.at() - t).num_seconds() >= HEALTHY);
        if record.state != DeployState::Succeeded || !served {
            return;
        }
        let service = &rollout.service.name;
        let place = (service.clone(), release.environment.clone());
        // The latest one, so that a version that came back is the latest again.
        let healthy = self.view.journal.healthy.get(&place);
        let known = healthy.and_then(|h| h.last()).is_some_and(|x| {
            x.version == record.version || rollout.read_at.is_none_or(|at| at < x.at)
        });
        let count = healthy.map_or(0, Vec::len);
        let own = record.version == rollout.change.to;
        let bad = own
            && self.view.journal.release(&release.id).is_some_and(|r| {
                r.gates.values().any(|(v, _, _)| *v == Verdict::Fail)
                    || r.trips.values().any(|t| t.cleared.is_none())
                    || r.checkpoints.values().any(|(v, _, _)| *v == Verdict::Fail)
            });
        if !known && !bad {
            self.record(
                format!(
                    "healthy/{service}/{}/{}/{count}",
                    release.environment, record.version
                ),
                None,
                vec![Body::EarnedHealthy {
                    service: service.clone(),
                    environment: release.environment.clone(),
                    version: record.version.clone(),
                    revision: record.live_revision().map(str::to_owned),
                }],
            );
        }
    }

    fn gates(&mut self, s: &Situation) {
        let Some(release) = self.view.release else {
            return;
        };
        for gate in &s.gates {
            let decided = matches!(gate.verdict, Verdict::Pass | Verdict::Fail);
            let known = self.view.state.and_then(|x| x.gates.get(&gate.id));
            // What one metric passed stands while the others are still looked at.
            let passed: Vec<&str> = gate
                .metrics
                .iter()
                .filter(|(_, mark, _)| mark.word == "pass")
                .map(|(metric, _, _)| metric.as_str())
                .collect();
            let kept = |metric: &&str| {
                known.is_some_and(|(_, list, _)| {
                    list.iter()
                        .any(|m| m.metric == *metric && m.verdict == Verdict::Pass)
                })
            };
            let failed = known.is_some_and(|(v, _, _)| v.is_fail());
            let told = match decided {
                true => known.is_some_and(|(v, _, _)| *v == gate.verdict),
                false => failed || passed.iter().all(kept),
            };
            if told {
                continue;
            }
            let opened = gate.opened.map_or(0, |at| at.timestamp());
            let measured = gate
                .metrics
                .iter()
                .map(|(metric, mark, said)| Measured {
                    metric: metric.clone(),
                    verdict: match mark.word.as_str() {
                        "pass" => Verdict::Pass,
                        "fail" => Verdict::Fail,
                        _ => Verdict::undecided(said.clone(), gate.n),
                    },
                    said: said.clone(),
                })
                .collect();
            self.record(
                format!(
                    "judged/{}/{}/{}/{opened}/{}",
                    release.id,
                    gate.id,
                    gate.verdict.word(),
                    passed.join(",")
                ),
                Some(&release.id),
                vec![Body::GateJudged {
                    service: gate.service.clone(),
                    gate: gate.gate.clone(),
                    step: gate.step,
                    verdict: gate.verdict.clone(),
                    measured,
                }],
            );
        }
    }

    fn trips(&mut self, s: &Situation) {
        let Some(release) = self.view.release else {
            return;
        };
        for trigger in &s.triggers {
            let key = (trigger.service.clone(), trigger.trigger.clone());
            let trip = self.view.state.and_then(|x| x.trips.get(&key));
            let open = trip.is_some_and(|t| t.cleared.is_none());
            let before = trip.map_or(0, |t| t.at.timestamp());
            let told = trip.map(|t| t.cleared.unwrap_or(t.at));
            if told.is_some_and(|t| self.metric_read(&trigger.metric).is_none_or(|at| at < t)) {
                continue;
            }
            if trigger.tripped && !open {
                let mut bodies = vec![Body::TriggerTripped {
                    service: trigger.service.clone(),
                    trigger: trigger.trigger.clone(),
                    said: trigger.distance.clone(),
                }];
                bodies.extend(self.hold_debt(release, trigger));
                self.record(
                    format!("trip/{}/{}/{before}", release.id, trigger.id),
                    Some(&release.id),
                    bodies,
                );
            } else if open && !trigger.tripped && trigger.undecided.is_none() {
                self.record(
                    format!("clear/{}/{}/{before}", release.id, trigger.id),
                    Some(&release.id),
                    vec![Body::TriggerCleared {
                        service: trigger.service.clone(),
                        trigger: trigger.trigger.clone(),
                    }],
                );
            }
        }
    }

    /// When the slowest part of a metric was read: what was read before the journal's last word about a trigger says
    /// nothing new of it.
    fn metric_read(&self, metric: &str) -> Option<Instant> {
        let metric = self.view.policy.metric(metric)?;
        let parts = metric.parts();
        let read = |(part, _): &(Part, _)| {
            let need = metric_need(&metric.id, *part, BUCKET);
            self.view.feed(&need).0.map(|o| o.read_at)
        };
        parts.iter().map(read).min().flatten()
    }

    /// A section's evidence is kept as it was when its phase ends.
    fn sections(&mut self, s: &Situation) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        // What was not read yet is no evidence: the first answers are waited for.
        let unread = |f: &crate::domain::situation::FeedView| {
            f.freshness == crate::domain::observe::Freshness::Never && f.fault.is_none()
        };
        if s.feeds.iter().any(unread) {
            return;
        }
        let phase = s.releases.first().map(|r| r.phase);
        let ended: &[Section] = match phase {
            Some(Phase::Deploying) => &[Section::PreDeploy],
            Some(Phase::Verifying | Phase::Watching) => &[Section::PreDeploy, Section::Deploy],
            _ => &[],
        };
        for section in ended {
            if state.kept.iter().any(|(x, _)| x == section) {
                continue;
            }
            let evidence = checklist::evidence_of(&s.checklist, *section);
            if !evidence.is_empty() {
                self.record(
                    format!("kept/{}/{}", release.id, section.word()),
                    Some(&release.id),
                    vec![Body::SectionKept {
                        section: *section,
                        evidence,
                    }],
                );
            }
        }
    }

    /// A tick that aged out takes itself back and says so.
    fn untick(&mut self) {
        let Some(release) = self.view.release else {
            return;
        };
        for (item, who, at) in checklist::aged_ticks(self.view) {
            let age = crate::domain::time::age_words(self.view.at() - at);
            self.record(
                format!("aged/{}/{item}/{}", release.id, at.timestamp()),
                Some(&release.id),
                vec![Body::Unticked {
                    item,
                    why: format!("ticked by {who} {age} ago: aged out, tick it again"),
                }],
            );
        }
    }

    fn checkpoints(&mut self) {
        let Some(release) = self.view.release else {
            return;
        };
        let began = watch::since(self.view).map_or(0, |at| at.timestamp());
        for due in watch::due(self.view) {
            self.record(
                format!("checkpoint/{}/{}/{began}", release.id, due.after),
                Some(&release.id),
                vec![Body::CheckpointTaken {
                    after: due.after,
                    late: due.late,
                    measured: due.measured,
                    verdict: due.verdict,
                }],
            );
        }
    }

    /// The watch's end, once.
    fn watch_ends(&mut self) {
        let Some(release) = self.view.release else {
            return;
        };
        if let Some((verdict, superseded_by, detail)) = watch::ends(self.view) {
            self.record(
                format!("watch-end/{}", release.id),
                Some(&release.id),
                vec![Body::WatchEnded {
                    verdict,
                    superseded_by,
                    detail,
                }],
            );
        }
    }

    /// Acts outside a plan without an outcome.
    fn reconcile(&mut self) {
        let open: Vec<Act> = unknown::open(self.view)
            .into_iter()
            .map(|a| a.act.clone())
            .collect();
        for act in open {
            // The vendor's live record may carry the mark: then nothing needs to be asked.
            if let Some(record) = unknown::marked(self.view, &act) {
                let receipt = Receipt {
                    id: Some(record.id.clone()),
                    ..Receipt::default()
                };
                let release = act.release.clone();
                let body = Body::Concluded {
                    act: act.id.clone(),
                    outcome: Outcome::Confirmed { receipt },
                };
                let key = format!("concluded/{}/confirmed", act.id);
                self.record(key, release.as_deref(), vec![body]);
                continue;
            }
            self.list.push(Duty {
                key: format!("find/{}", act.id),
                release: act.release.clone(),
                task: Task::Reconcile { act, step: None },
            });
        }
    }
}

/// The end of a plan that a person ends, with what it leaves as debts.
pub(crate) fn ended_by_hand(view: &View<'_>, plan: &PlanState, detail: &str) -> Vec<Body> {
    let list = Vec::new();
    Owed { view, list }.ending(plan, false, detail)
}

/// The act that a step sends.
pub(super) fn act_of(step: &PlanStep) -> Option<&Act> {
    match &step.kind {
        StepKind::Hold { act } | StepKind::Act { act, .. } | StepKind::Restore { act, .. } => {
            Some(act)
        }
        StepKind::AwaitVersion { .. } | StepKind::AwaitClear => None,
    }
}

/// `replaced`: another version serves, so no traffic is on this one any more.
fn seen_body(
    service: &str,
    environment: &str,
    record: &Deployment,
    version: &str,
    replaced: Option<DeployState>,
) -> Body {
    Body::DeploymentSeen {
        service: service.to_owned(),
        environment: environment.to_owned(),
        version: version.to_owned(),
        state: replaced.unwrap_or(record.state),
        step: record.step,
        steps: record.steps,
        weight: if replaced.is_some() {
            Some(0.0)
        } else {
            record.weight
        },
        started_at: record.started_at,
    }
}
