//! Circles among services that depend on each other.

use std::collections::BTreeMap;

use crate::domain::policy::Service;

/// Every circle among the dependencies, once: the index of a service on it, and the names along it, first and last the same.
pub fn cycles(services: &[Service]) -> Vec<(usize, Vec<&str>)> {
    let index: BTreeMap<&str, usize> = services
        .iter()
        .enumerate()
        .map(|(n, s)| (s.name.as_str(), n))
        .collect();
    let next = |at: usize| -> Vec<usize> {
        services
            .get(at)
            .into_iter()
            .flat_map(|s| &s.depends_on)
            .filter_map(|d| index.get(d.as_str()).copied())
            .collect()
    };
    // 0: not seen, 1: on the way here, 2: done. An explicit stack: a long chain must not overflow the program's.
    let mut state = vec![0_u8; services.len()];
    let mut found = Vec::new();
    for root in 0..services.len() {
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
                        .filter_map(|n| services.get(n))
                        .map(|s| s.name.as_str());
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
