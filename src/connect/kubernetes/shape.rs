//! What Rollouts and Deployments have in common: their revisions, their images, our marks.

use serde_json::Value;

/// Where our marks lie: a list of the last acts, so that a later one does not wipe out an earlier one.
pub const MARKS: &str = "cockpit/intents";
/// Revisions that are kept beside the live one where the object does not say (`revisionHistoryLimit`).
pub const REVISIONS: i64 = 10;
/// How many marks are kept.
const KEPT: usize = 8;

/// A text below `pointer`; empty texts are none.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty())
}

/// A number below `pointer`.
#[must_use]
pub fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// A switch below `pointer`; off where it is not there.
#[must_use]
pub fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// A list below `pointer`; empty where there is none.
#[must_use]
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// An annotation.
#[must_use]
pub fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object
        .pointer("/metadata/annotations")?
        .get(name)?
        .as_str()
        .filter(|t| !t.is_empty())
}

/// A label.
#[must_use]
pub fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object
        .pointer("/metadata/labels")?
        .get(name)?
        .as_str()
        .filter(|t| !t.is_empty())
}

/// The number that Argo Rollouts or Kubernetes gave a revision.
#[must_use]
pub fn revision(object: &Value) -> Option<i64> {
    [
        "rollout.argoproj.io/revision",
        "deployment.kubernetes.io/revision",
    ]
    .into_iter()
    .find_map(|name| annotation(object, name))?
    .parse()
    .ok()
}

/// The hash of a ReplicaSet's template.
#[must_use]
pub fn hash(replicas: &Value) -> Option<&str> {
    label(replicas, "rollouts-pod-template-hash").or_else(|| label(replicas, "pod-template-hash"))
}

/// The ReplicaSets that belong to an object, newest revision first.
#[must_use]
pub fn owned<'a>(object: &Value, all: &'a [Value]) -> Vec<&'a Value> {
    let Some(uid) = text(object, "/metadata/uid") else {
        return Vec::new();
    };
    let mut out: Vec<&Value> = all
        .iter()
        .filter(|rs| {
            list(rs, "/metadata/ownerReferences")
                .iter()
                .any(|o| text(o, "/uid") == Some(uid) && flag(o, "/controller"))
        })
        .collect();
    out.sort_by_key(|rs| std::cmp::Reverse(revision(rs)));
    out
}

/// An image's name without registry, tag and digest, and its version: the tag, else the beginning of the digest.
#[must_use]
pub fn image_parts(image: &str) -> (&str, String) {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    };
    let version = match (tag, digest) {
        (Some(tag), _) => tag.to_owned(),
        (None, Some(digest)) => digest.chars().take(19).collect(),
        // Whatever "latest" is: it names no version.
        (None, None) => String::new(),
    };
    (name, version)
}

/// The container that carries the service: the one whose image or name is called like it, else the first.
#[must_use]
pub fn main_container(template: &Value, name: &str, app: Option<&str>) -> Option<usize> {
    let containers = list(template, "/spec/containers");
    let called = |word: &str| word == name || app == Some(word);
    containers
        .iter()
        .position(|c| text(c, "/image").is_some_and(|i| called(image_parts(i).0)))
        .or_else(|| {
            containers
                .iter()
                .position(|c| text(c, "/name").is_some_and(called))
        })
        .or(if containers.is_empty() { None } else { Some(0) })
}

/// The version that a pod template runs.
#[must_use]
pub fn version(template: &Value, name: &str, app: Option<&str>) -> Option<String> {
    let at = main_container(template, name, app)?;
    let image = text(list(template, "/spec/containers").get(at)?, "/image")?;
    Some(image_parts(image).1).filter(|v| !v.is_empty())
}

/// The label that says what an object is called elsewhere.
#[must_use]
pub fn app(object: &Value) -> Option<&str> {
    label(object, "app.kubernetes.io/name")
}

/// Who writes this object from a source of truth, and would put back what we change.
#[must_use]
pub fn managed_by(object: &Value) -> Option<String> {
    if let Some(id) = annotation(object, "argocd.argoproj.io/tracking-id") {
        let application = id.split(':').next().unwrap_or(id);
        return Some(format!("Argo CD application {application}"));
    }
    if let Some(name) = label(object, "argocd.argoproj.io/instance") {
        return Some(format!("Argo CD application {name}"));
    }
    let flux = [
        ("kustomize.toolkit.fluxcd.io/name", "Flux kustomization"),
        ("helm.toolkit.fluxcd.io/name", "Flux helm release"),
    ];
    flux.iter()
        .find_map(|(key, word)| label(object, key).map(|name| format!("{word} {name}")))
}

/// One of our marks: which act, and where the object stood when it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The act's id.
    pub id: String,
    /// What the act was to move away from; empty where the mark itself is the proof.
    pub at: String,
}

/// Our marks on an object, oldest first. A text that is not ours is none.
#[must_use]
pub fn marks(object: &Value) -> Vec<Mark> {
    let text = annotation(object, MARKS).unwrap_or_default();
    let Ok(Value::Array(items)) = serde_json::from_str(text) else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            Some(Mark {
                id: item.get("id")?.as_str()?.to_owned(),
                at: item
                    .get("at")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            })
        })
        .collect()
}

/// The annotation's text with one more mark.
#[must_use]
pub fn with_mark(object: &Value, mark: Mark) -> String {
    let mut all = marks(object);
    all.retain(|m| m.id != mark.id);
    all.push(mark);
    let skip = all.len().saturating_sub(KEPT);
    let items: Vec<Value> = all
        .into_iter()
        .skip(skip)
        .map(|m| {
            let mut item = serde_json::Map::from_iter([("id".to_owned(), Value::String(m.id))]);
            if !m.at.is_empty() {
                item.insert("at".to_owned(), Value::String(m.at));
            }
            Value::Object(item)
        })
        .collect();
    Value::Array(items).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("shop/checkout:2.14.0", "checkout", "2.14.0")]
    #[case("registry:5000/shop/checkout:2.14.0@sha256:abc", "checkout", "2.14.0")]
    #[case("registry:5000/checkout", "checkout", "")]
    #[case("checkout@sha256:0123456789abcdef", "checkout", "sha256:0123456789ab")]
    fn an_image_has_a_name_and_a_version(
        #[case] image: &str,
        #[case] name: &str,
        #[case] version: &str,
    ) {
        assert_eq!(image_parts(image), (name, version.to_owned()));
    }

    #[test]
    fn the_sidecar_is_not_the_service() {
        let template = json!({"spec": {"containers": [{"name": "proxy", "image": "envoy:1.30"}, {"name": "web", "image": "shop/checkout:2"}]}});
        assert_eq!(version(&template, "checkout", None).unwrap(), "2");
        assert_eq!(version(&template, "web", None).unwrap(), "2");
        assert_eq!(version(&template, "other", None).unwrap(), "1.30");
        assert_eq!(version(&json!({}), "other", None), None);
    }

    #[test]
    fn marks_are_kept_and_bounded() {
        let mut object = json!({"metadata": {"annotations": {}}});
        for n in 0..12 {
            let mark = Mark {
                id: format!("act/{n}"),
                at: String::new(),
            };
            object["metadata"]["annotations"][MARKS] = with_mark(&object, mark).into();
        }
        let ids: Vec<_> = marks(&object).into_iter().map(|m| m.id).collect();
        assert_eq!(ids.len(), KEPT);
        assert_eq!(ids.last().unwrap(), "act/11");
        object["metadata"]["annotations"][MARKS] = "somebody's".into();
        assert_eq!(marks(&object), Vec::new());
    }
}
