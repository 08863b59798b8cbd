//! Watches: a stream that says "read again". Bookmarks move it on in quiet times; a version that grew too old (410) is asked for
//! anew. It never replaces the read: a quiet stream is no data.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::Value;

use super::api::{self, Kind, Within};
use crate::connect::transport::Transport;
use crate::domain::observe::{Fault, FaultKind};

/// Longest silence: the server ends a watch after 290 s.
const SILENCE: Duration = Duration::from_secs(330);
/// Most bytes of one watch.
const MOST: usize = 256 << 20;
/// Longest event.
const LONGEST: usize = 4 << 20;
/// Between two "read again" at the least.
pub const GAP: Duration = Duration::from_secs(1);

/// What to watch.
#[derive(Clone)]
pub struct Wanted {
    /// Sends.
    pub transport: Arc<Transport>,
    /// One namespace; `None`: all.
    pub namespace: Option<String>,
    /// Labels.
    pub selector: Option<String>,
}

/// One kind's watch between two events.
struct Watch {
    wanted: Wanted,
    kind: Kind,
    /// From where on; `None`: it is asked for.
    version: Option<String>,
    open: Option<Open>,
    /// The last connection brought nothing at all.
    barren: bool,
}

struct Open {
    chunks: BoxStream<'static, Result<Bytes, Fault>>,
    rest: BytesMut,
    brought: bool,
}

/// What a line of a watch says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Something changed; the version it is at.
    Changed(Option<String>),
    /// Nothing changed up to this version.
    Bookmark(String),
    /// The version is too old.
    Gone,
    /// Something is wrong.
    Bad(String),
}

/// The changes of these kinds, from these versions on.
pub fn changes(
    wanted: &Wanted,
    kinds: Vec<(Kind, Option<String>)>,
) -> BoxStream<'static, Result<(), Fault>> {
    let all = kinds.into_iter().map(|(kind, version)| {
        let watch = Watch {
            wanted: wanted.clone(),
            kind,
            version,
            open: None,
            barren: false,
        };
        stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            match watch.next().await {
                Ok(true) => Some((Ok(()), Some(watch))),
                Ok(false) => None,
                Err(fault) => Some((Err(fault), None)),
            }
        })
        .boxed()
    });
    stream::select_all(all).boxed()
}

/// At most one "read again" a `gap`: what comes in between is one.
pub fn spaced(
    inner: BoxStream<'static, Result<(), Fault>>,
    gap: impl Fn() -> Duration + Send + 'static,
) -> BoxStream<'static, Result<(), Fault>> {
    stream::unfold((inner, gap, false), |(mut inner, gap, wait)| async move {
        let mut told = None;
        if wait {
            tokio::time::sleep(gap()).await;
            while let Some(Some(next)) = inner.next().now_or_never() {
                let failed = next.is_err();
                told = Some(next);
                if failed {
                    break;
                }
            }
        }
        let next = match told {
            Some(next) => next,
            None => inner.next().await?,
        };
        Some((next, (inner, gap, true)))
    })
    .boxed()
}

impl Watch {
    fn within(&self) -> Within<'_> {
        Within {
            namespace: self.wanted.namespace.as_deref(),
            selector: self.wanted.selector.as_deref(),
        }
    }

    /// Waits for the next change. `false`: this kind is not known to the cluster.
    async fn next(&mut self) -> Result<bool, Fault> {
        loop {
            if self.open.is_none() && !self.connect().await? {
                return Ok(false);
            }
            let line = match self.line().await? {
                Some(line) => line,
                None => {
                    // The server ends a watch by itself; one that never said anything is not asked again at once.
                    if self.open.take().is_none_or(|o| !o.brought)
                        && std::mem::replace(&mut self.barren, true)
                    {
                        return Err(self.fault("the watch ends at once"));
                    }
                    continue;
                }
            };
            if let Some(open) = &mut self.open {
                open.brought = true;
            }
            self.barren = false;
            match said(&line) {
                Said::Changed(version) => {
                    if version.is_some() {
                        self.version = version;
                    }
                    return Ok(true);
                }
                Said::Bookmark(version) => self.version = Some(version),
                Said::Gone => {
                    // Watched again before it is read again: what changes in between is not missed.
                    self.version = None;
                    self.open = None;
                    return self.connect().await;
                }
                Said::Bad(why) => return Err(self.fault(&why)),
            }
        }
    }

    /// Opens the watch. `false`: the cluster does not know this kind.
    async fn connect(&mut self) -> Result<bool, Fault> {
        for _ in 0..2 {
            let version = match &self.version {
                Some(version) => version.clone(),
                None => match api::glance(&self.wanted.transport, self.kind, self.within()).await {
                    Ok((version, _)) => version,
                    Err(fault) if fault.kind == FaultKind::NotFound => return Ok(false),
                    Err(fault) => return Err(fault),
                },
            };
            let request = api::watching(self.kind, self.within(), &version);
            match self
                .wanted
                .transport
                .stream_within(&request, SILENCE, MOST)
                .await
            {
                Ok(chunks) => {
                    self.version = Some(version);
                    self.open = Some(Open {
                        chunks,
                        rest: BytesMut::new(),
                        brought: false,
                    });
                    return Ok(true);
                }
                // 410 before the first event: the version is asked for anew, once.
                Err(fault) if fault.kind == FaultKind::NotFound && self.version.is_some() => {
                    self.version = None;
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(self.fault("the watch cannot be opened"))
    }

    /// The next whole line; `None` at the end.
    async fn line(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        loop {
            if let Some(at) = open.rest.iter().position(|b| *b == b'\n') {
                let line = open.rest.split_to(at + 1).freeze();
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            if open.rest.len() > LONGEST {
                return Err(self.fault("an event is larger than 4 MiB"));
            }
            match open.chunks.next().await {
                None => return Ok(None),
                Some(chunk) => open.rest.extend_from_slice(&chunk?),
            }
        }
    }

    fn fault(&self, what: &str) -> Fault {
        let request = api::watching(self.kind, self.within(), "");
        self.wanted.transport.fault(
            &request,
            FaultKind::BadShape,
            what,
            "it is read at its interval meanwhile",
        )
    }
}

fn said(line: &[u8]) -> Said {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return Said::Bad("an event is no JSON".to_owned());
    };
    let text = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let version = text("/object/metadata/resourceVersion");
    match (value.get("type").and_then(Value::as_str), version) {
        (Some("ADDED" | "MODIFIED" | "DELETED"), version) => Said::Changed(version),
        (Some("BOOKMARK"), Some(version)) => Said::Bookmark(version),
        (Some("ERROR"), _) if value.pointer("/object/code") == Some(&Value::from(410)) => {
            Said::Gone
        }
        (Some("ERROR"), _) => Said::Bad(format!(
            "the watch says: {}",
            crate::domain::text::clean(&text("/object/message").unwrap_or_default(), 160)
        )),
        _ => Said::Bad("an event of a kind that is not known".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}\n", Said::Changed(Some("7".into())))]
    #[case("{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}", Said::Bookmark("9".into()))]
    #[case(
        "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"reason\":\"Expired\"}}",
        Said::Gone
    )]
    #[case("{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"a\\u001b[2Jb\"}}", Said::Bad("the watch says: ab".into()))]
    #[case("{\"type\":\"NEW\"}", Said::Bad("an event of a kind that is not known".into()))]
    #[case("{\"ty", Said::Bad("an event is no JSON".into()))]
    fn a_line_says_one_thing(#[case] line: &str, #[case] expected: Said) {
        assert_eq!(said(line.as_bytes()), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_close_together_is_one() {
        let inner = stream::iter(std::iter::repeat_n(Ok(()), 50))
            .chain(stream::pending())
            .boxed();
        let mut out = spaced(inner, || GAP);
        assert_eq!(out.next().await, Some(Ok(())));
        assert_eq!(out.next().await, Some(Ok(())));
        let third = tokio::time::timeout(Duration::from_secs(60), out.next()).await;
        assert!(third.is_err(), "{third:?}");
    }
}
