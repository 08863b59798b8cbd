//! Which key means which action. Built once; conflicts are refused at start.

use std::collections::BTreeMap;

use super::action::{self, Action, Group, Scope};
use super::key::Key;

/// Keys that terminals, multiplexers and shells keep for themselves.
const RESERVED: [char; 7] = ['h', 'j', 'k', 'l', 's', 'q', 'b'];

/// The keys in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    bound: BTreeMap<Key, Vec<&'static Action>>,
}

impl Keymap {
    /// The table's keys with the person's over them. A key that is given a new action loses its old one; an action that is
    /// given a new key keeps its others.
    ///
    /// # Errors
    /// Every conflict, unknown action and unreadable key, a sentence each.
    pub fn new(read_only: bool, overrides: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let mut map = Self {
            bound: BTreeMap::new(),
        };
        let mut errors = Vec::new();
        let mut taken = BTreeMap::new();
        for (text, id) in overrides {
            match reading(text, id) {
                Ok((key, action)) => {
                    taken.insert(key, text.clone());
                    if !(read_only && action.is_act()) {
                        map.bind(key, action, &mut errors);
                    }
                }
                Err(e) => errors.push(e),
            }
        }
        for action in action::offered(read_only) {
            for text in action.keys {
                match Key::parse(text) {
                    Ok(key) if taken.contains_key(&key) => {}
                    Ok(key) => map.bind(key, action, &mut errors),
                    Err(e) => errors.push(e),
                }
            }
        }
        if errors.is_empty() {
            Ok(map)
        } else {
            Err(errors)
        }
    }

    fn bind(&mut self, key: Key, action: &'static Action, errors: &mut Vec<String>) {
        let here = self.bound.entry(key).or_default();
        let clash = here.iter().find(|other| {
            other.id != action.id
                && (other.scope == action.scope
                    || other.scope == Scope::Global
                    || action.scope == Scope::Global)
        });
        match clash {
            Some(other) => errors.push(format!(
                "the key {key} means both \"{}\" and \"{}\"",
                other.id, action.id
            )),
            None if here.iter().any(|other| other.id == action.id) => {}
            None => here.push(action),
        }
    }

    /// What `key` means in one of these scopes.
    #[must_use]
    pub fn find(&self, key: Key, scopes: &[Scope]) -> Option<&'static Action> {
        let here = self.bound.get(&key)?;
        scopes
            .iter()
            .find_map(|scope| here.iter().find(|a| a.scope == *scope).copied())
    }

    /// The keys of an action, the shortest first.
    #[must_use]
    pub fn keys(&self, id: &str) -> Vec<Key> {
        let mut keys: Vec<Key> = self
            .bound
            .iter()
            .filter(|(_, actions)| actions.iter().any(|a| a.id == id))
            .map(|(key, _)| *key)
            .collect();
        keys.sort_by_key(|k| k.to_string().len());
        keys
    }

    /// The key shown for an action; empty where it has none.
    #[must_use]
    pub fn label(&self, id: &str) -> String {
        self.keys(id)
            .first()
            .map_or_else(String::new, Key::to_string)
    }
}

fn reading(text: &str, id: &str) -> Result<(Key, &'static Action), String> {
    let key = Key::parse(text)?;
    if let (true, super::key::Code::Char(c)) = (key.ctrl, key.code)
        && RESERVED.contains(&c)
    {
        return Err(format!(
            "{key} cannot be bound: terminals and multiplexers keep it for themselves"
        ));
    }
    if matches!(key.to_string().as_str(), "esc" | "ctrl-c") {
        return Err(format!("{key} cannot be bound: it always backs out"));
    }
    let action = action::by_id(id)
        .ok_or_else(|| format!("\"{id}\" (for the key {key}) is no action; `:` lists them"))?;
    Ok((key, action))
}

/// The key table as Markdown, for the README and the man page.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from("| key | action | what it does |\n| --- | --- | --- |\n");
    for group in [
        Group::Acts,
        Group::Row,
        Group::Move,
        Group::Show,
        Group::Program,
    ] {
        for a in action::ACTIONS.iter().filter(|a| a.group == group) {
            let keys: Vec<String> = a.keys.iter().map(|k| format!("`{k}`")).collect();
            let place = match a.scope {
                Scope::Global => String::new(),
                scope => format!(" ({})", scope.word()),
            };
            let keys = if keys.is_empty() {
                format!("`:` {}", a.id)
            } else {
                keys.join(" ")
            };
            out.push_str(&format!("| {keys} | {}{place} | {} |\n", a.verb, a.help));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    #[test]
    fn the_table_has_no_conflict() {
        Keymap::new(false, &BTreeMap::new()).unwrap();
        Keymap::new(true, &BTreeMap::new()).unwrap();
    }

    #[test]
    fn a_key_moves_and_leaves_its_old_action() {
        let map = Keymap::new(false, &over(&[("x", "rollback")])).unwrap();
        assert_eq!(
            map.find(Key::char('x'), &[Scope::Global]).unwrap().id,
            "rollback"
        );
        assert!(map.keys("steps").is_empty());
        assert_eq!(map.keys("rollback").len(), 2);
    }

    #[test]
    fn conflicts_and_strangers_are_refused_with_sentences() {
        let clash = Keymap::new(
            false,
            &over(&[
                ("o", "feeds"),
                ("O", "nothing"),
                ("ctrl-s", "feeds"),
                ("esc", "quit"),
            ]),
        );
        let errors = clash.unwrap_err().join("\n");
        assert!(errors.contains("\"nothing\""), "{errors}");
        assert!(errors.contains("ctrl-s cannot be bound"), "{errors}");
        assert!(errors.contains("esc cannot be bound"), "{errors}");
        // `space` ticks in one list and takes in another; a global action on it would clash with neither being meant.
        assert!(Keymap::new(false, &over(&[("space", "feeds")])).is_ok());
    }

    #[test]
    fn read_only_binds_no_act_even_by_override() {
        let map = Keymap::new(true, &over(&[("e", "rollback")])).unwrap();
        for a in action::ACTIONS.iter().filter(|a| a.is_act()) {
            assert!(map.keys(a.id).is_empty(), "{}", a.id);
        }
    }

    #[test]
    fn the_key_table_names_every_action() {
        let table = markdown();
        for a in action::ACTIONS {
            assert!(table.contains(a.help), "{}", a.id);
        }
    }
}
