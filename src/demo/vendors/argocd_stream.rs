//! Argo CD's stream of applications.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Params;
use super::argocd::shown;
use crate::demo::state::App;
use crate::demo::world::World;

/// Server-sent events where asked for, lines of JSON else; first every application, then each that changed.
pub(super) async fn stream(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let events = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"));
    let params = Params::parse(&query.unwrap_or_default());
    let wanted = params.get("name").map(str::to_owned);
    let kind = if events {
        "text/event-stream"
    } else {
        "application/json"
    };
    let start = Follow {
        world,
        wanted,
        events,
        seen: std::collections::BTreeMap::new(),
        quiet: 0,
    };
    let body = futures::stream::unfold(start, |mut follow| async {
        let text = follow.next().await;
        Some((Ok::<_, std::convert::Infallible>(text), follow))
    });
    (
        StatusCode::OK,
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        Body::from_stream(body),
    )
        .into_response()
}

struct Follow {
    world: Arc<World>,
    wanted: Option<String>,
    events: bool,
    /// How the application was last sent, without what changes by itself with time.
    seen: std::collections::BTreeMap<String, Arc<App>>,
    quiet: u32,
}

/// Real time between two looks at the world.
const LOOK: Duration = Duration::from_millis(200);
/// Looks without a change after which a comment keeps the connection alive (15 s).
const QUIET: u32 = 75;

impl Follow {
    async fn next(&mut self) -> String {
        loop {
            let text = self.changes();
            if !text.is_empty() {
                self.quiet = 0;
                return text;
            }
            self.quiet += 1;
            if self.quiet >= QUIET && self.events {
                self.quiet = 0;
                return ":\n\n".to_owned();
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn changes(&mut self) -> String {
        let view = self.world.view();
        let mut text = String::new();
        for name in view
            .timelines
            .keys()
            .filter(|name| self.wanted.as_ref().is_none_or(|wanted| wanted == *name))
        {
            let Some(app) = view.app(name) else { continue };
            let kind = match self.seen.get(name) {
                None => "ADDED",
                Some(seen) if **seen != **app => "MODIFIED",
                Some(_) => continue,
            };
            let Some(shown) = shown(&self.world.scenario, &view, name) else {
                continue;
            };
            self.seen.insert(name.clone(), Arc::clone(app));
            let event = json!({ "result": { "type": kind, "application": shown } });
            text.push_str(&if self.events {
                format!("data: {event}\n\n")
            } else {
                format!("{event}\n")
            });
        }
        text
    }
}
