//! In which order the open releases can go live: what a release builds on stands before it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::policy::Release;

use super::View;

/// Ids of the open releases, what each builds on before it: by its own `depends_on`, and by that of its services within one
/// environment. Where nothing decides, by planned time and id; a circle is broken at its earliest release.
pub(super) fn order(view: &View<'_>, open: &[&Release]) -> Vec<String> {
    let mut takes: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (n, release) in open.iter().enumerate() {
        for change in &release.changes {
            let key = (release.environment.as_str(), change.service.as_str());
            takes.entry(key).or_default().push(n);
        }
    }
    let ids: BTreeMap<&str, usize> = open
        .iter()
        .enumerate()
        .map(|(n, r)| (r.id.as_str(), n))
        .collect();
    let needs = |n: usize, release: &Release| -> BTreeSet<usize> {
        let named = release
            .depends_on
            .iter()
            .filter_map(|id| ids.get(id.as_str()).copied());
        let implied = release
            .changes
            .iter()
            .filter_map(|c| view.policy.service(&c.service))
            .flat_map(|s| &s.depends_on)
            .filter_map(|d| takes.get(&(release.environment.as_str(), d.as_str())))
            .flatten()
            .copied();
        named.chain(implied).filter(|m| *m != n).collect()
    };
    let key = |n: usize| {
        let release = open.get(n);
        let planned = release.and_then(|r| r.planned);
        (
            planned.is_none(),
            planned,
            release.map(|r| r.id.as_str()),
            n,
        )
    };
    // What each still waits for, and who waits for it.
    let mut waits: Vec<BTreeSet<usize>> =
        open.iter().enumerate().map(|(n, r)| needs(n, r)).collect();
    let mut wanted: Vec<Vec<usize>> = vec![Vec::new(); open.len()];
    for (n, needs) in waits.iter().enumerate() {
        for m in needs {
            if let Some(list) = wanted.get_mut(*m) {
                list.push(n);
            }
        }
    }
    let mut free: BTreeSet<_> = BTreeSet::new();
    let mut bound: BTreeSet<_> = BTreeSet::new();
    for (n, needs) in waits.iter().enumerate() {
        if needs.is_empty() {
            free.insert(key(n));
        } else {
            bound.insert(key(n));
        }
    }
    let mut out = Vec::with_capacity(open.len());
    while let Some(next) = free.pop_first().or_else(|| bound.pop_first()) {
        let n = next.3;
        out.extend(open.get(n).map(|r| r.id.clone()));
        for waiting in wanted.get(n).into_iter().flatten() {
            if let Some(needs) = waits.get_mut(*waiting)
                && needs.remove(&n)
                && needs.is_empty()
                && bound.remove(&key(*waiting))
            {
                free.insert(key(*waiting));
            }
        }
    }
    out
}
