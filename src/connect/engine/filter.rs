//! Filters run beside the loop, on the blocking pool, with a deadline. One that does not end is not run a second time beside itself:
//! its thread cannot be taken back. One that was only slow (a loaded machine) is run again once it has ended.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::connect::compile::Jq;
use crate::connect::jq::Scope;

/// Time for all filters of one answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Filters (by address) that did not end.
static ENDLESS: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// Runs `work` on the blocking pool within the deadline. `filters` are those it uses.
///
/// # Errors
/// What `work` says, or that it did not end.
pub async fn beside<T: Send + 'static>(
    filters: &[&Jq],
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let marks: Vec<usize> = filters.iter().map(|f| Arc::as_ptr(f) as usize).collect();
    let endless = || ENDLESS.lock().unwrap_or_else(PoisonError::into_inner);
    if marks.iter().any(|m| endless().contains(m)) {
        return Err("a filter has not ended since the read before".into());
    }
    // The thread keeps the filters allocated, so that their addresses are not given to others while they are marked.
    let kept: Vec<Jq> = filters.iter().map(|f| Arc::clone(f)).collect();
    let over = Arc::new(AtomicBool::new(false));
    let (ended, own) = (Arc::clone(&over), marks.clone());
    let run = move || {
        let done = work();
        let mut endless = ENDLESS.lock().unwrap_or_else(PoisonError::into_inner);
        ended.store(true, Ordering::SeqCst);
        endless.retain(|m| !own.contains(m));
        drop(kept);
        done
    };
    match tokio::time::timeout(DEADLINE, tokio::task::spawn_blocking(run)).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err("a filter broke".into()),
        Err(_) => {
            let mut endless = endless();
            if !over.load(Ordering::SeqCst) {
                endless.extend(marks);
            }
            Err("a filter did not end within 10 s".into())
        }
    }
}

/// The first output of one filter.
///
/// # Errors
/// jq's own sentence.
pub async fn one(filter: &Jq, input: Value, scope: Scope) -> Result<Value, String> {
    let own = Arc::clone(filter);
    beside(&[filter], move || own.one(&input, &scope)).await
}

/// All outputs of one filter, at most `cap`.
///
/// # Errors
/// jq's own sentence.
pub async fn all(
    filter: &Jq,
    input: Value,
    scope: Scope,
    cap: usize,
) -> Result<Vec<Value>, String> {
    let own = Arc::clone(filter);
    beside(&[filter], move || own.run(&input, &scope, cap)).await
}
