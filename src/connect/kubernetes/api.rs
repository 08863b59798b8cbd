//! The few calls of the Kubernetes API that are made: list, get, patch.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use crate::connect::transport::{Payload, Reach, Reply, Request, Transport};
use crate::domain::observe::{Fault, FaultKind};

/// Objects of one page.
const PAGE: usize = 500;
/// Most pages of one list.
const PAGES: usize = 40;
/// What stands unescaped in a path's segment: the letters of a Kubernetes name.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An Argo Rollout.
    Rollout,
    /// A plain Deployment.
    Deployment,
    /// What a Rollout or Deployment keeps of each revision.
    ReplicaSet,
    /// An analysis of a Rollout.
    AnalysisRun,
    /// What changes an object's count of instances by itself.
    Autoscaler,
}

impl Kind {
    /// The group's path.
    fn group(self) -> &'static str {
        match self {
            Self::Rollout | Self::AnalysisRun => "/apis/argoproj.io/v1alpha1",
            Self::Deployment | Self::ReplicaSet => "/apis/apps/v1",
            Self::Autoscaler => "/apis/autoscaling/v2",
        }
    }

    /// The resource's name in paths and settings.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Rollout => "rollouts",
            Self::Deployment => "deployments",
            Self::ReplicaSet => "replicasets",
            Self::AnalysisRun => "analysisruns",
            Self::Autoscaler => "horizontalpodautoscalers",
        }
    }

    /// The word in a record's id.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::Deployment => "deployment",
            Self::ReplicaSet => "replicaset",
            Self::AnalysisRun => "analysisrun",
            Self::Autoscaler => "horizontalpodautoscaler",
        }
    }
}

/// Which objects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Within<'a> {
    /// One namespace; `None`: all.
    pub namespace: Option<&'a str>,
    /// Labels.
    pub selector: Option<&'a str>,
}

/// What a list brought.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The objects.
    pub items: Vec<Value>,
    /// The state of the cluster that it shows: a watch goes on from there.
    pub version: String,
    /// Why it is not all.
    pub partial: Option<String>,
}

/// One object's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Object {
    /// `rollout/shop/checkout`: the id in a record.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.kind.word(), self.namespace, self.name)
    }

    /// From a record's id.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let mut parts = id.split('/');
        let kind = match parts.next()? {
            "rollout" => Kind::Rollout,
            "deployment" => Kind::Deployment,
            _ => return None,
        };
        let (namespace, name) = (parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && !namespace.is_empty() && !name.is_empty();
        whole.then(|| Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// What a patch is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 7386: what is named is replaced, null removes.
    Merge,
    /// RFC 6902: a list of operations.
    Operations,
}

/// One patch.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The object's status, which is a resource of its own.
    pub status: bool,
    /// How it is written.
    pub form: Form,
    /// Its body.
    pub body: Value,
}

/// What came of a patch.
pub enum Patched {
    /// The object as it is now.
    Done(Value),
    /// The object is not as the patch expects it (409, or an operation's test): nothing was changed.
    Moved(Fault),
    /// Certainly not done.
    Refused(Fault),
    /// It may or may not have been done.
    Unclear(Fault),
}

/// The request for a list.
fn listing(kind: Kind, within: Within<'_>) -> Request {
    let mut request = match within.namespace {
        None => Request::get(format!("{}/{}", kind.group(), kind.plural())),
        Some(namespace) => {
            let mut request = Request::get(format!(
                "{}/namespaces/{}/{}",
                kind.group(),
                utf8_percent_encode(namespace, SEGMENT),
                kind.plural()
            ));
            request.template = format!(
                "{}/namespaces/{{namespace}}/{}",
                kind.group(),
                kind.plural()
            );
            request
        }
    };
    if let Some(selector) = within.selector {
        request = request.with_query("labelSelector", selector);
    }
    request
}

fn single(object: &Object, status: bool) -> Request {
    let tail = if status { "/status" } else { "" };
    let mut request = Request::get(format!(
        "{}/namespaces/{}/{}/{}{tail}",
        object.kind.group(),
        utf8_percent_encode(&object.namespace, SEGMENT),
        object.kind.plural(),
        utf8_percent_encode(&object.name, SEGMENT),
    ));
    request.template = format!(
        "{}/namespaces/{{namespace}}/{}/{{name}}{tail}",
        object.kind.group(),
        object.kind.plural()
    );
    request
}

/// The request for a watch from a version on.
#[must_use]
pub fn watching(kind: Kind, within: Within<'_>, version: &str) -> Request {
    listing(kind, within)
        .with_query("watch", "true")
        .with_query("allowWatchBookmarks", "true")
        .with_query("timeoutSeconds", "290")
        .with_query("resourceVersion", version)
}

/// The body of an answer.
fn body(transport: &Transport, request: &Request, reply: &Reply) -> Result<Value, Fault> {
    serde_json::from_slice(&reply.body).map_err(|_| {
        let what = format!("the answer is no JSON: {}", transport.excerpt(&reply.body));
        transport.fault(
            request,
            FaultKind::BadShape,
            &what,
            "is that the address of a Kubernetes API?",
        )
    })
}

/// One page of a list.
async fn page(transport: &Transport, request: &Request) -> Result<(Value, Vec<Value>), Fault> {
    let reply = transport.fetch(request).await?;
    let mut value = body(transport, request, &reply)?;
    let bad = |what: &str| {
        transport.fault(
            request,
            FaultKind::BadShape,
            what,
            "is that the address of a Kubernetes API?",
        )
    };
    let of_lists = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|k| k.ends_with("List"));
    let items = match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if of_lists => items,
        Some(Value::Null) if of_lists => Vec::new(),
        _ => return Err(bad("the answer is no list")),
    };
    let named = |v: &Value| v.pointer("/metadata/name").is_some_and(Value::is_string);
    if !items.iter().all(named) {
        return Err(bad("an object in the list has no name"));
    }
    Ok((value, items))
}

/// All objects of a kind, page by page.
///
/// # Errors
/// A [`Fault`].
pub async fn list(transport: &Transport, kind: Kind, within: Within<'_>) -> Result<List, Fault> {
    let mut out = List::default();
    let mut token = String::new();
    for _ in 0..PAGES {
        let mut request = listing(kind, within).with_query("limit", PAGE.to_string());
        if !token.is_empty() {
            request = request.with_query("continue", &token);
        }
        let (head, items) = match page(transport, &request).await {
            // The list grew old between two pages: it is read again, in one piece.
            Err(fault) if !token.is_empty() && fault.kind == FaultKind::NotFound => {
                let (head, items) = page(transport, &listing(kind, within)).await?;
                out.items.clear();
                (head, items)
            }
            other => other?,
        };
        out.items.extend(items);
        let meta = |key: &str| {
            head.pointer(&format!("/metadata/{key}"))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        out.version = meta("resourceVersion");
        token = meta("continue");
        if token.is_empty() {
            return Ok(out);
        }
    }
    out.partial = Some(format!(
        "only the first {} {}",
        out.items.len(),
        kind.plural()
    ));
    Ok(out)
}

/// A list's version and how many objects there are, as far as the cluster says it.
///
/// # Errors
/// A [`Fault`].
pub async fn glance(
    transport: &Transport,
    kind: Kind,
    within: Within<'_>,
) -> Result<(String, u64), Fault> {
    let request = listing(kind, within).with_query("limit", "1");
    let (head, items) = page(transport, &request).await?;
    let version = head
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let more = head
        .pointer("/metadata/remainingItemCount")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    Ok((version, more.saturating_add(items.len() as u64)))
}

/// One object.
///
/// # Errors
/// A [`Fault`]; `NotFound` where there is none.
pub async fn get(transport: &Transport, object: &Object) -> Result<Value, Fault> {
    let request = single(object, false);
    let reply = transport.fetch(&request).await?;
    let value = body(transport, &request, &reply)?;
    if is_it(&value, object) {
        return Ok(value);
    }
    Err(transport.fault(
        &request,
        FaultKind::BadShape,
        "the answer is another object",
        "is that the address of a Kubernetes API?",
    ))
}

/// The server's version.
///
/// # Errors
/// A [`Fault`].
pub async fn version(transport: &Transport) -> Result<String, Fault> {
    let request = Request::get("/version");
    let reply = transport.fetch(&request).await?;
    let value = body(transport, &request, &reply)?;
    match value.get("gitVersion").and_then(Value::as_str) {
        Some(version) => Ok(version.to_owned()),
        None => Err(transport.fault(
            &request,
            FaultKind::BadShape,
            "the answer names no version",
            "is that the address of a Kubernetes API?",
        )),
    }
}

fn is_it(value: &Value, object: &Object) -> bool {
    value.pointer("/metadata/name").and_then(Value::as_str) == Some(&object.name)
}

/// Sends a patch once.
pub async fn patch(transport: &Transport, object: &Object, patch: &Patch) -> Patched {
    let mut request = single(object, patch.status);
    request.method = Method::PATCH;
    request.idempotent = false;
    request.act = true;
    let content = match patch.form {
        Form::Merge => "application/merge-patch+json",
        Form::Operations => "application/json-patch+json",
    };
    request.headers = vec![("content-type".into(), content.into())];
    request.query = vec![("fieldManager".into(), "cockpit".into())];
    request.body = Payload::Json(patch.body.clone());
    let reply = match transport.try_send(&request).await {
        Ok(reply) => reply,
        Err(failure) if failure.reach == Reach::Unclear => return Patched::Unclear(failure.fault),
        Err(failure) => return Patched::Refused(failure.fault),
    };
    let Some(fault) = transport.status_fault(&request, &reply) else {
        return match body(transport, &request, &reply) {
            Ok(value) if is_it(&value, object) => Patched::Done(value),
            Ok(_) => Patched::Unclear(transport.fault(
                &request,
                FaultKind::BadShape,
                "the answer is another object",
                "",
            )),
            Err(fault) => Patched::Unclear(fault),
        };
    };
    match (reply.status, patch.form) {
        (409, _) | (422, Form::Operations) => Patched::Moved(fault),
        // The server gave up on a request that it had taken.
        (408 | 500..=599, _) => Patched::Unclear(fault),
        _ => Patched::Refused(fault),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connect::transport::Target;

    #[test]
    fn ids_go_there_and_back() {
        let id = "rollout/shop/checkout";
        assert_eq!(Object::parse(id).unwrap().id(), id);
        for bad in ["checkout", "pod/shop/x", "rollout//x", "rollout/a/b/c", ""] {
            assert_eq!(Object::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        let object = Object {
            kind: Kind::Deployment,
            namespace: "a/../b".into(),
            name: "x?y#z".into(),
        };
        let Target::Path(path) = single(&object, true).target else {
            return;
        };
        assert_eq!(
            path,
            "/apis/apps/v1/namespaces/a%2F..%2Fb/deployments/x%3Fy%23z/status"
        );
    }
}
