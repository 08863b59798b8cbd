//! What was merged once is kept: a judgement asks the same targets again and again, and a calendar may hold thousands of rules.
//!
//! Everything kept is a function of the rules alone, so that nobody can tell whether an answer was kept or made.

use super::compiled::{Compiled, Sec, merge};
use super::state::{Hold, Standing};
use super::strip::Segment;
use super::{RuleBook, Scope, Target};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Targets kept before all are forgotten.
const TARGETS: usize = 8_192;
/// Answers kept for one set of rules before they are forgotten.
const ANSWERS: usize = 1_024;

/// A freeze in scope that does not hold for the target's kind of change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Exemption {
    pub index: usize,
    pub kind: String,
}

/// The rules that concern a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Chosen {
    /// Indexes of the windows in scope.
    pub windows: Vec<usize>,
    /// Indexes of the freezes that hold for the target.
    pub freezes: Vec<usize>,
    pub exempt: Vec<Exemption>,
}

/// Those rules, merged, with the answers they gave.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub chosen: Chosen,
    pub open: Box<[(Sec, Sec)]>,
    pub frozen: Box<[(Sec, Sec)]>,
    /// While every calendar is good: what was said at a second.
    pub standings: Kept<Sec, Standing>,
    /// The freezes of a span.
    pub holds: Kept<(Sec, Sec), Vec<Hold>>,
    /// While every calendar is good: the strip of a span.
    pub strips: Kept<(Sec, Sec), Vec<Segment>>,
}

/// Answers by question, at most [`ANSWERS`] of them.
#[derive(Debug)]
pub(super) struct Kept<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Copy + Eq + std::hash::Hash, V> Kept<K, V> {
    /// The answer to a question, made if it was not asked before.
    pub fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        if let Some(known) = lock(&self.0).get(&key) {
            return Arc::clone(known);
        }
        let made = Arc::new(make());
        let mut kept = lock(&self.0);
        if kept.len() >= ANSWERS {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&made));
        made
    }
}

/// What some rules have in common, and their places.
type Group<K> = (K, Vec<usize>);

/// Timelines by target and by set of rules.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Rules of one scope (and, for freezes, of one list of exempted kinds) are decided about together.
    windows: Vec<Group<Scope>>,
    freezes: Vec<Group<(Scope, Vec<String>)>>,
    targets: Mutex<HashMap<Target, Arc<Merged>>>,
    sets: Mutex<HashMap<Chosen, Arc<Merged>>>,
}

impl Memo {
    pub fn of(book: &RuleBook) -> Self {
        Self {
            windows: grouped(book.windows.iter().map(|w| w.scope.clone())),
            freezes: grouped(
                book.freezes
                    .iter()
                    .map(|f| (f.scope.clone(), f.except.clone())),
            ),
            ..Self::default()
        }
    }

    /// What concerns a target.
    pub fn target(&self, rules: &Compiled, target: &Target) -> Arc<Merged> {
        if let Some(known) = lock(&self.targets).get(target) {
            return Arc::clone(known);
        }
        let merged = self.set(rules, self.choose(target));
        let mut targets = lock(&self.targets);
        if targets.len() >= TARGETS {
            targets.clear();
        }
        targets.insert(target.clone(), Arc::clone(&merged));
        merged
    }

    /// What concerns a target, without the freezes of these names.
    pub fn without(
        &self,
        rules: &Compiled,
        target: &Target,
        lifted: &dyn Fn(&str) -> bool,
    ) -> Arc<Merged> {
        let whole = self.target(rules, target);
        let name = |index: &usize| rules.book.freezes.get(*index).map(|f| f.name.as_str());
        let mut chosen = whole.chosen.clone();
        chosen
            .freezes
            .retain(|index| !name(index).is_some_and(lifted));
        if chosen.freezes.len() == whole.chosen.freezes.len() {
            return whole;
        }
        self.set(rules, chosen)
    }

    fn choose(&self, target: &Target) -> Chosen {
        let mut chosen = Chosen::default();
        for (scope, indexes) in &self.windows {
            if scope.covers(target) {
                chosen.windows.extend(indexes);
            }
        }
        for ((scope, except), indexes) in &self.freezes {
            if !scope.covers(target) {
                continue;
            }
            match target.kinds.iter().find(|kind| except.contains(kind)) {
                Some(kind) => chosen.exempt.extend(indexes.iter().map(|index| Exemption {
                    index: *index,
                    kind: kind.clone(),
                })),
                None => chosen.freezes.extend(indexes),
            }
        }
        // In the policy's order, whatever the groups.
        chosen.windows.sort_unstable();
        chosen.freezes.sort_unstable();
        chosen.exempt.sort_by_key(|e| e.index);
        chosen
    }

    fn set(&self, rules: &Compiled, chosen: Chosen) -> Arc<Merged> {
        if let Some(known) = lock(&self.sets).get(&chosen) {
            return Arc::clone(known);
        }
        let union = |lists: &[Box<[(Sec, Sec)]>], chosen: &[usize]| {
            merge(
                chosen
                    .iter()
                    .filter_map(|i| lists.get(*i))
                    .flat_map(|spans| spans.iter().copied())
                    .collect(),
            )
        };
        let merged = Arc::new(Merged {
            open: union(&rules.windows, &chosen.windows),
            frozen: union(&rules.freezes, &chosen.freezes),
            chosen: chosen.clone(),
            ..Merged::default()
        });
        let mut sets = lock(&self.sets);
        if sets.len() >= ANSWERS {
            sets.clear();
        }
        sets.insert(chosen, Arc::clone(&merged));
        merged
    }
}

/// The indexes of equal keys together, in the order in which the keys first occur.
fn grouped<K: PartialEq>(keys: impl Iterator<Item = K>) -> Vec<(K, Vec<usize>)> {
    let mut groups: Vec<(K, Vec<usize>)> = Vec::new();
    for (index, key) in keys.enumerate() {
        // The rules of a calendar stand together: the last group is nearly always the one.
        match groups.iter_mut().rev().find(|(known, _)| *known == key) {
            Some((_, list)) => list.push(index),
            None => groups.push((key, vec![index])),
        }
    }
    groups
}

/// What is kept is whole at any time, so that a thread that ended while it held the lock did no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
