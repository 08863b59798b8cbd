//! jq's standard definitions, and those of them that a filter can reach.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// A standard definition.
pub type Def = jaq_core::load::parse::Def<&'static str>;

static ALL: LazyLock<Vec<Def>> = LazyLock::new(|| {
    jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .collect()
});

/// Name → the words in the bodies of all definitions of that name.
static WORDS: LazyLock<HashMap<&str, HashSet<String>>> = LazyLock::new(|| {
    let mut out = HashMap::<&str, HashSet<String>>::new();
    for def in ALL.iter() {
        let text = format!("{:?}", def.body);
        out.entry(def.name)
            .or_default()
            .extend(words(&text).map(str::to_owned));
    }
    out
});

/// All of them.
pub fn all() -> Vec<Def> {
    ALL.clone()
}

/// Those whose name stands in `code`, and all that they use in turn. A word in a text or a field's name counts too: a
/// definition too many does no harm.
pub fn named_in(code: &str) -> Vec<Def> {
    let mut reached = HashSet::new();
    let mut open: Vec<&str> = words(code).collect();
    while let Some(word) = open.pop() {
        if let Some((name, inner)) = WORDS.get_key_value(word)
            && reached.insert(*name)
        {
            open.extend(inner.iter().map(String::as_str));
        }
    }
    let kept = ALL.iter().filter(|def| reached.contains(def.name));
    kept.cloned().collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '@'))
        .filter(|w| !w.is_empty())
}
