//! Which patches an act is, given the object as it is now. Pure: what is wanted goes in, what would be sent comes out.

use serde_json::{Map, Value, json};

use super::api::{Form, Kind, Object, Patch};
use super::rollout::{aborted, current_hash, phase_of, stable_hash, step_index, steps};
use super::shape::{
    MARKS, Mark, app, flag, hash, image_parts, list, main_container, owned, revision, text,
    version, with_mark,
};
use crate::domain::act::{Act, Verb};
use crate::domain::time::Instant;

/// The label by which Argo Rollouts and Kubernetes tell templates apart; it is no part of the template itself.
const HASHES: [&str; 2] = ["rollouts-pod-template-hash", "pod-template-hash"];

/// In a mark: its act is whole only when this template's hash was promoted past the steps.
const THEN_FULL: &str = "then full ";

/// What an act sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Our mark alone, before an act on the status: a status patch cannot carry one.
    pub mark: Option<Patch>,
    /// The act.
    pub act: Patch,
    /// After it the rollout goes through its steps, unless it is promoted fully: the hash that it then rolls out.
    pub then_full: Option<String>,
}

/// What an act does, told without the object: for `--dry-run` and the journal.
#[must_use]
pub fn shown(act: &Act) -> Option<(bool, Value)> {
    let mark = json!({ MARKS: [{ "id": act.id }] });
    let spec = |spec: Value| json!({ "metadata": { "annotations": mark, "resourceVersion": "as read" }, "spec": spec });
    let status =
        |status: Value| json!({ "metadata": { "resourceVersion": "as read" }, "status": status });
    Some(match act.verb {
        Verb::Deploy => (
            false,
            spec(json!({ "template": { "image": act.args.get("version") } })),
        ),
        Verb::Rollback => (
            false,
            spec(
                json!({ "template": { "of revision": act.args.get("history_id"), "version": act.args.get("version") } }),
            ),
        ),
        Verb::PromoteFull => (true, status(json!({ "promoteFull": true }))),
        Verb::Promote if wants(act, "full") => (true, status(json!({ "promoteFull": true }))),
        Verb::Promote | Verb::Resume => (true, status(json!({ "pauseConditions": null }))),
        Verb::Pause => (false, spec(json!({ "paused": true }))),
        Verb::Abort => (true, status(json!({ "abort": true }))),
        Verb::Retry => (true, status(json!({ "abort": false }))),
        Verb::Restart => (false, spec(json!({ "restartAt": "now" }))),
        _ => return None,
    })
}

/// Is that argument set?
fn wants(act: &Act, arg: &str) -> bool {
    match act.args.get(arg) {
        Some(Value::Bool(on)) => *on,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

fn arg<'a>(act: &'a Act, name: &str) -> Option<&'a str> {
    act.args
        .get(name)
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty())
}

/// The plan of an act on `live`; `sets` are the namespace's ReplicaSets.
///
/// # Errors
/// Why the act makes no sense for the object as it is: nothing is sent then.
pub fn plan(
    act: &Act,
    object: &Object,
    live: &Value,
    sets: &[Value],
    now: Instant,
) -> Result<Plan, String> {
    let Some(read) = text(live, "/metadata/resourceVersion") else {
        return Err("the object has no resourceVersion, so it cannot be changed safely".into());
    };
    let of = On {
        act,
        object,
        live,
        sets,
        read,
        now,
    };
    match (act.verb, object.kind) {
        (Verb::Deploy, _) => of.deploy(),
        (Verb::Rollback, _) => of.rollback(),
        (Verb::Pause, _) => of.pause(),
        (Verb::Restart, _) => of.restart(),
        (Verb::Resume, Kind::Deployment) => of.unpause(),
        (Verb::PromoteFull, Kind::Rollout) => of.promote_full(),
        (Verb::Promote | Verb::Resume, Kind::Rollout) => of.promote(),
        (Verb::Abort, Kind::Rollout) => of.abort(),
        (Verb::Retry, Kind::Rollout) => of.retry(),
        (Verb::Promote | Verb::PromoteFull | Verb::Abort | Verb::Retry, _) => Err(format!(
            "a plain Deployment cannot {}: roll it back, or pause it",
            act.verb.word()
        )),
        _ => Err(format!("Kubernetes cannot {}", act.verb.word())),
    }
}

struct On<'a> {
    act: &'a Act,
    object: &'a Object,
    live: &'a Value,
    sets: &'a [Value],
    read: &'a str,
    now: Instant,
}

impl On<'_> {
    fn mark(&self, at: &str) -> String {
        with_mark(
            self.live,
            Mark {
                id: self.act.id.clone(),
                at: at.to_owned(),
            },
        )
    }

    /// A change of the object itself; mark and change are one patch.
    fn spec(&self, spec: Value) -> Plan {
        Plan {
            mark: None,
            act: Patch {
                status: false,
                form: Form::Merge,
                body: json!({
                    "metadata": { "resourceVersion": self.read, "annotations": { MARKS: self.mark("") } },
                    "spec": spec,
                }),
            },
            then_full: None,
        }
    }

    /// A change of the status; the mark goes ahead of it, since a status patch changes nothing else. `at` is what the act moves
    /// away from, so that a mark without its act can be told.
    fn status(&self, status: Value, at: &str) -> Plan {
        Plan {
            mark: Some(Patch {
                status: false,
                form: Form::Merge,
                body: json!({
                    "metadata": { "resourceVersion": self.read, "annotations": { MARKS: self.mark(at) } },
                }),
            }),
            act: Patch {
                status: true,
                form: Form::Merge,
                body: json!({ "metadata": { "resourceVersion": self.read }, "status": status }),
            },
            then_full: None,
        }
    }

    /// Operations on the object as it was read, and the mark with them; `at` says what is still to be done after them.
    fn operations(&self, mut list: Vec<Value>, at: &str) -> Plan {
        let mut all =
            vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": self.read })];
        all.append(&mut list);
        let has = self
            .live
            .pointer("/metadata/annotations")
            .is_some_and(Value::is_object);
        all.push(if has {
            let path = format!("/metadata/annotations/{}", MARKS.replace('/', "~1"));
            json!({ "op": "add", "path": path, "value": self.mark(at) })
        } else {
            json!({ "op": "add", "path": "/metadata/annotations", "value": { MARKS: self.mark(at) } })
        });
        Plan {
            mark: None,
            act: Patch {
                status: false,
                form: Form::Operations,
                body: Value::Array(all),
            },
            then_full: None,
        }
    }

    fn name(&self) -> &str {
        &self.object.name
    }

    /// The template lies in the object itself.
    fn template(&self) -> Result<&Value, String> {
        if let Some(name) = text(self.live, "/spec/workloadRef/name") {
            return Err(format!(
                "its template lies in another object ({name}, by workloadRef): change it there"
            ));
        }
        self.live
            .pointer("/spec/template")
            .ok_or_else(|| "the object has no template".to_owned())
    }

    /// Nobody changed it since it was confirmed.
    fn still(&self, template: &Value) -> Result<(), String> {
        let Some(from) = arg(self.act, "from") else {
            return Ok(());
        };
        match version(template, self.name(), app(self.live)) {
            Some(now) if now == from => Ok(()),
            now => Err(format!(
                "it moved: it asks for {} now, not for {from}",
                now.as_deref().unwrap_or("no version that can be told")
            )),
        }
    }

    fn deploy(&self) -> Result<Plan, String> {
        let template = self.template()?;
        let wanted = arg(self.act, "version").ok_or("no version is given")?;
        if !plain_version(wanted) {
            return Err("that is no tag or digest of an image".into());
        }
        let at = main_container(template, self.name(), app(self.live))
            .ok_or("the template has no container")?;
        let image = list(template, "/spec/containers")
            .get(at)
            .and_then(|c| text(c, "/image"))
            .ok_or("the container names no image")?;
        if image_parts(image).1 == wanted {
            return Err(format!("it asks for {wanted} already"));
        }
        let path = format!("/spec/template/spec/containers/{at}/image");
        let change = vec![
            json!({ "op": "test", "path": path, "value": image }),
            json!({ "op": "replace", "path": path, "value": with_version(image, wanted) }),
        ];
        Ok(self.operations(change, ""))
    }

    /// The template of an earlier revision. A canary that goes back to what is stable does so at once; to anything older it would go
    /// through its steps, so it is promoted fully.
    fn rollback(&self) -> Result<Plan, String> {
        let template = self.template()?;
        self.still(template)?;
        if self.object.kind == Kind::Deployment && flag(self.live, "/spec/paused") {
            return Err("it is paused: resume it first, or nothing would move".into());
        }
        let set = self.target_set()?;
        let mut wanted = set
            .pointer("/spec/template")
            .cloned()
            .ok_or("that revision has no template")?;
        if let Some(labels) = wanted
            .pointer_mut("/metadata/labels")
            .and_then(Value::as_object_mut)
        {
            for key in HASHES {
                labels.remove(key);
            }
        }
        if same(&wanted, template) {
            return Err("it asks for that revision already".into());
        }
        let to = hash(set).unwrap_or_default().to_owned();
        let steps_wait = self.object.kind == Kind::Rollout && to != stable_hash(self.live);
        let then_full = Some(to).filter(|to| steps_wait && !to.is_empty());
        // The mark tells whoever finds it that the rollout is still to be promoted past its steps.
        let at = then_full.as_deref().map(|to| format!("{THEN_FULL}{to}"));
        let mut plan = self.operations(
            vec![json!({ "op": "replace", "path": "/spec/template", "value": wanted })],
            at.as_deref().unwrap_or_default(),
        );
        plan.then_full = then_full;
        Ok(plan)
    }

    /// The ReplicaSet to go back to: by revision, and where none is given by version. Both, where both are given.
    fn target_set(&self) -> Result<&Value, String> {
        let own = owned(self.live, self.sets);
        let version_of = |rs: &Value| {
            let template = rs.pointer("/spec/template").unwrap_or(&Value::Null);
            version(template, self.name(), app(self.live))
        };
        let wanted = arg(self.act, "version");
        let found = match arg(self.act, "history_id") {
            Some(id) => own
                .iter()
                .find(|rs| revision(rs).is_some_and(|r| r.to_string() == id)),
            None => {
                let wanted = wanted.ok_or("neither a revision nor a version is given")?;
                own.iter()
                    .find(|rs| version_of(rs).as_deref() == Some(wanted))
            }
        };
        let set = *found.ok_or("that revision is not kept any more (revisionHistoryLimit)")?;
        match (wanted, version_of(set)) {
            (Some(wanted), Some(is)) if is != wanted => Err(format!(
                "that revision runs {is}, not {wanted}: it is not what was confirmed"
            )),
            _ => Ok(set),
        }
    }

    fn pause(&self) -> Result<Plan, String> {
        if flag(self.live, "/spec/paused") {
            return Err("it is paused already".into());
        }
        Ok(self.spec(json!({ "paused": true })))
    }

    fn unpause(&self) -> Result<Plan, String> {
        if !flag(self.live, "/spec/paused") {
            return Err("it is not paused".into());
        }
        Ok(self.spec(json!({ "paused": false })))
    }

    /// Past all steps, pauses and analyses.
    fn promote_full(&self) -> Result<Plan, String> {
        if aborted(self.live) {
            return Err("it was aborted: retry it, or roll it back".into());
        }
        if current_hash(self.live) == stable_hash(self.live) {
            return Err("it is fully promoted already".into());
        }
        Ok(self.status(json!({ "promoteFull": true }), "full"))
    }

    fn promote(&self) -> Result<Plan, String> {
        let live = self.live;
        if wants(self.act, "full") {
            return self.promote_full();
        }
        if aborted(live) {
            return Err("it was aborted: retry it, or roll it back".into());
        }
        // What a person paused by hand goes on first: a pause of the step may then still be waiting for its own promotion.
        if flag(live, "/spec/paused") {
            return self.unpause();
        }
        let waits = list(live, "/status/pauseConditions");
        if let Some(since) = waits
            .first()
            .map(|w| text(w, "/startTime").unwrap_or("pause"))
        {
            return Ok(self.status(json!({ "pauseConditions": null }), since));
        }
        if !wants(self.act, "skip") {
            let phase = phase_of(live);
            return Err(format!(
                "it does not wait for anybody ({}): it goes on by itself",
                phase.word.to_lowercase()
            ));
        }
        let (at, count) = (step_index(live), steps(live).len());
        if at >= count {
            return Err("no step is left to skip".into());
        }
        let next = json!({ "pauseConditions": null, "currentStepIndex": at + 1 });
        Ok(self.status(next, &format!("step {at}")))
    }

    fn abort(&self) -> Result<Plan, String> {
        if flag(self.live, "/status/abort") {
            return Err("it is aborted already".into());
        }
        if current_hash(self.live) == stable_hash(self.live) {
            return Err("nothing is rolling out: there is nothing to abort".into());
        }
        Ok(self.status(json!({ "abort": true }), "abort"))
    }

    fn retry(&self) -> Result<Plan, String> {
        if !flag(self.live, "/status/abort") {
            return Err("it is not aborted".into());
        }
        Ok(self.status(json!({ "abort": false }), "retry"))
    }

    fn restart(&self) -> Result<Plan, String> {
        let now = self.now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Ok(match self.object.kind {
            Kind::Rollout => self.spec(json!({ "restartAt": now })),
            _ => self.spec(json!({ "template": { "metadata": { "annotations": { "kubectl.kubernetes.io/restartedAt": now } } } })),
        })
    }
}

/// A tag, or a digest; nothing that would change the image's name.
fn plain_version(text: &str) -> bool {
    let word = |t: &str| {
        !t.is_empty()
            && t.len() <= 128
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    match text.strip_prefix("sha256:") {
        Some(digest) => digest.len() == 64 && word(digest),
        None => word(text) && !text.starts_with(['.', '-']),
    }
}

fn with_version(image: &str, version: &str) -> String {
    let bare = image.split('@').next().unwrap_or(image);
    let base = match bare.rfind(':') {
        // A colon before the last slash belongs to the registry's port.
        Some(at) if !bare.get(at..).unwrap_or_default().contains('/') => {
            bare.get(..at).unwrap_or(bare)
        }
        _ => bare,
    };
    if version.starts_with("sha256:") {
        format!("{base}@{version}")
    } else {
        format!("{base}:{version}")
    }
}

/// The same template, but for nulls, empty maps and lists, and the hash that the controllers add.
fn same(a: &Value, b: &Value) -> bool {
    bare(a) == bare(b)
}

fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(key, _)| !HASHES.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), bare(value)))
                .filter(|(_, value)| !empty(value))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(bare).collect()),
        other => other.clone(),
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// What a rollback whose mark is found still lacks: the hash that is to be promoted past its steps. `None` where it is done, or where
/// somebody turned to something else since: aborted it, or asks for another template now.
#[must_use]
pub fn lacks_full<'a>(act: &Act, mark: &'a Mark, live: &Value) -> Option<&'a str> {
    let hash = mark.at.strip_prefix(THEN_FULL)?;
    // Before the controller has looked, hash and abort are still those of the template before.
    let taken_up = super::rollout::observed(live);
    let wanted = !taken_up || (current_hash(live) == hash && !aborted(live));
    let done = stable_hash(live) == hash || flag(live, "/status/promoteFull");
    (act.verb == Verb::Rollback && wanted && !done).then_some(hash)
}

/// Did the act of that mark take effect? For acts on the status the mark went ahead of the act and alone proves nothing.
#[must_use]
pub fn took_effect(act: &Act, mark: &Mark, live: &Value) -> bool {
    let waits = list(live, "/status/pauseConditions");
    match (act.verb, mark.at.as_str()) {
        (_, "") | (Verb::Rollback, _) => true,
        (Verb::Abort, _) => aborted(live) || text(live, "/status/abortedAt").is_some(),
        (Verb::Retry, _) => !flag(live, "/status/abort"),
        (_, "full") => flag(live, "/status/promoteFull") || current_hash(live) == stable_hash(live),
        (_, at) if at.starts_with("step ") => format!("step {}", step_index(live)) != at,
        (_, since) => !waits
            .iter()
            .any(|w| text(w, "/startTime").unwrap_or("pause") == since),
    }
}

/// What an act is about: as long as it is the same, only the controller's own book-keeping went on.
#[must_use]
pub fn essence(live: &Value) -> Value {
    let of = |pointer: &str| live.pointer(pointer).cloned().unwrap_or_default();
    json!([
        of("/metadata/uid"),
        of("/metadata/generation"),
        of("/status/currentPodHash"),
        of("/status/stableRS"),
        of("/status/currentStepIndex"),
        of("/status/pauseConditions"),
        of("/status/abort"),
        of("/status/promoteFull"),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("reg:5000/shop/web:1", "2", "reg:5000/shop/web:2")]
    #[case("reg:5000/shop/web", "2", "reg:5000/shop/web:2")]
    #[case("shop/web:1@sha256:aa", "2", "shop/web:2")]
    fn an_image_keeps_its_name(#[case] image: &str, #[case] version: &str, #[case] new: &str) {
        assert_eq!(with_version(image, version), new);
    }

    #[rstest]
    #[case("2.14.0", true)]
    #[case("v1_2-rc.1", true)]
    #[case("evil/image:1", false)]
    #[case("a@b", false)]
    #[case("-x", false)]
    #[case("", false)]
    #[case("sha256:ab", false)]
    fn a_version_is_a_tag_or_a_digest(#[case] version: &str, #[case] plain: bool) {
        assert_eq!(plain_version(version), plain);
    }

    #[test]
    fn what_controllers_add_makes_no_other_template() {
        let ours = json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "image": "a:1" }] } });
        let theirs = json!({ "metadata": { "creationTimestamp": null, "labels": { "app": "x", "pod-template-hash": "h" } },
            "spec": { "securityContext": {}, "containers": [{ "image": "a:1", "resources": {} }] } });
        assert!(same(&ours, &theirs));
        assert!(!same(
            &ours,
            &json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "image": "a:2" }] } })
        ));
    }
}
