//! Answers kept for `ETag` and `Last-Modified`: an unchanged answer costs the vendor and us almost nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{
    ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use url::Url;

use super::Reply;

/// Most answers kept per connection.
const ENTRIES: usize = 64;
/// Largest answer that is kept, in bytes.
const LARGEST: usize = 1 << 20;

/// Kept answers by whole address.
#[derive(Default)]
pub struct Cache {
    kept: Mutex<BTreeMap<String, Reply>>,
}

impl Cache {
    /// The answer kept for that address, as a 200.
    #[must_use]
    pub fn get(&self, url: &Url) -> Option<Reply> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(url.as_str()).cloned()
    }

    /// The headers that ask for a change only.
    #[must_use]
    pub fn conditions(&self, url: &Url) -> Vec<(HeaderName, HeaderValue)> {
        let Some(reply) = self.get(url) else {
            return Vec::new();
        };
        [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)]
            .into_iter()
            .filter_map(|(from, to)| Some((to, reply.headers.get(from)?.clone())))
            .collect()
    }

    /// Keeps a 200 that carries a mark; anything else is forgotten.
    pub fn put(&self, url: &Url, reply: &Reply) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(url.as_str());
        let marked = reply.headers.contains_key(ETAG) || reply.headers.contains_key(LAST_MODIFIED);
        if reply.status != 200 || !marked || reply.body.len() > LARGEST {
            return;
        }
        if kept.len() >= ENTRIES {
            kept.pop_first();
        }
        kept.insert(url.as_str().to_owned(), reply.clone());
    }
}
