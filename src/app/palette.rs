//! What the palette and the help list for the words typed so far.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::action::{self, Action, Group};
use super::list::matches;

/// Actions offered, best match first; in the table's order where nothing is typed.
#[must_use]
pub fn palette(read_only: bool, query: &str) -> Vec<&'static Action> {
    let offered = action::offered(read_only);
    if query.trim().is_empty() {
        return offered.collect();
    }
    let pattern = Pattern::parse(query, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buf = Vec::new();
    let mut found: Vec<(u32, usize, &'static Action)> = offered
        .enumerate()
        .filter_map(|(i, a)| {
            let text = format!("{} {}", a.verb, a.id);
            let score = pattern.score(Utf32Str::new(&text, &mut buf), &mut matcher)?;
            Some((score, i, a))
        })
        .collect();
    found.sort_by_key(|(score, i, _)| (std::cmp::Reverse(*score), *i));
    found.into_iter().map(|(_, _, a)| a).collect()
}

/// One line of the help.
#[derive(Clone, Copy, Debug)]
pub enum HelpLine {
    /// A group's heading.
    Heading(Group),
    /// An action.
    Action(&'static Action),
}

/// The help's lines for the words typed, by group.
#[must_use]
pub fn help(read_only: bool, query: &str) -> Vec<HelpLine> {
    let mut out = Vec::new();
    for group in [
        Group::Acts,
        Group::Row,
        Group::Move,
        Group::Show,
        Group::Program,
    ] {
        let mut here = action::offered(read_only)
            .filter(|a| a.group == group)
            .filter(|a| {
                let text = format!("{} {} {} {}", a.keys.join(" "), a.verb, a.id, a.help);
                matches(query, &text)
            })
            .peekable();
        if here.peek().is_some() {
            out.push(HelpLine::Heading(group));
            out.extend(here.map(HelpLine::Action));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_by_a_few_letters() {
        assert_eq!(palette(false, "rollb").first().unwrap().id, "rollback");
        assert_eq!(palette(false, "hnd off").first().unwrap().id, "handoff");
        assert!(palette(false, "zzzz").is_empty());
        assert_eq!(palette(false, "").len(), action::ACTIONS.len());
    }

    #[test]
    fn read_only_lists_no_act() {
        assert!(palette(true, "roll back").iter().all(|a| !a.is_act()));
        let lines = help(true, "");
        assert!(
            lines
                .iter()
                .all(|l| !matches!(l, HelpLine::Action(a) if a.is_act()))
        );
    }
}
