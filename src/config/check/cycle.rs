//! Circles among services, or among releases, that depend on each other.

use std::collections::BTreeMap;

/// A name, and the names it depends on.
pub type Node<'a> = (&'a str, &'a [String]);

/// Every circle among the dependencies, once: the index of a node on it, and the names along it, first and last the same.
pub fn cycles<'a>(nodes: &[Node<'a>]) -> Vec<(usize, Vec<&'a str>)> {
    let index: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(n, (name, _))| (*name, n))
        .collect();
    let next = |at: usize| -> Vec<usize> {
        nodes
            .get(at)
            .into_iter()
            .flat_map(|(_, depends_on)| *depends_on)
            .filter_map(|d| index.get(d.as_str()).copied())
            .collect()
    };
    // 0: not seen, 1: on the way here, 2: done. An explicit stack: a long chain must not overflow the program's.
    let mut state = vec![0_u8; nodes.len()];
    let mut found = Vec::new();
    for root in 0..nodes.len() {
        let mut stack = vec![(root, next(root), 0_usize)];
        if state.get(root) != Some(&0) {
            continue;
        }
        set(&mut state, root, 1);
        while let Some((at, edges, done)) = stack.last_mut() {
            let Some(&to) = edges.get(*done) else {
                set(&mut state, *at, 2);
                stack.pop();
                continue;
            };
            *done += 1;
            match state.get(to) {
                Some(0) => {
                    set(&mut state, to, 1);
                    stack.push((to, next(to), 0));
                }
                Some(1) => {
                    let way = stack.iter().map(|(n, ..)| *n).skip_while(|n| *n != to);
                    let names = way
                        .chain([to])
                        .filter_map(|n| nodes.get(n))
                        .map(|(name, _)| *name);
                    found.push((to, names.collect()));
                }
                _ => {}
            }
        }
    }
    found
}

fn set(state: &mut [u8], at: usize, value: u8) {
    if let Some(cell) = state.get_mut(at) {
        *cell = value;
    }
}
