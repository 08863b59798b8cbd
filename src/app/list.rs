//! Lists: which there are, and where each stands. A selection is a stable id, never an index.

/// Every list on screen or over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListId {
    /// The band's reasons.
    Band,
    /// Pane 1.
    Calendar,
    /// Pane 2.
    Deploys,
    /// Pane 3.
    Checklist,
    /// Pane 4.
    Metrics,
    /// Pane 5.
    Oncall,
    /// Pane 6.
    Journal,
    /// What is owed.
    Debts,
    /// Every feed.
    Feeds,
    /// The proof that rollback would work.
    Passport,
    /// The rollback's steps.
    Plan,
    /// The open handoff's lines.
    Handoff,
    /// Releases.
    Releases,
    /// What the program said.
    Messages,
}

impl ListId {
    /// The heading, as it stands on the border.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Band => "Reasons",
            Self::Calendar => "Calendar",
            Self::Deploys => "Deploys",
            Self::Checklist => "Checklist",
            Self::Metrics => "Metrics",
            Self::Oncall => "On-call",
            Self::Journal => "Journal",
            Self::Debts => "Debts",
            Self::Feeds => "Feeds",
            Self::Passport => "Rollback passport",
            Self::Plan => "Rollback steps",
            Self::Handoff => "Open handoff",
            Self::Releases => "Releases",
            Self::Messages => "Messages",
        }
    }
}

/// Where a list stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListState {
    /// Selected row's id. It stays when the row is gone, so that nothing else is acted upon by mistake.
    pub selected: Option<String>,
    /// Where the selected row was last seen, to go on from when it is gone.
    pub seen_at: usize,
    /// First row drawn.
    pub offset: usize,
    /// Words to filter by.
    pub filter: String,
    /// The person chose the row; until then lists that grow at their top stay there.
    pub chosen: bool,
    /// The person moved in it at all; until then the next thing to do is selected, where there is one.
    pub touched: bool,
}

/// What names a row.
pub trait Named {
    /// Is that its name?
    fn is(&self, name: &str) -> bool;
    /// The name.
    fn whole(&self) -> String;
}

impl Named for String {
    fn is(&self, name: &str) -> bool {
        self == name
    }
    fn whole(&self) -> String {
        self.clone()
    }
}

/// The names of a list's rows by their place; some rows have none and cannot be selected.
pub trait Ids {
    /// How many rows.
    fn len(&self) -> usize;
    /// Are there none?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Has the row a name?
    fn selectable(&self, at: usize) -> bool;
    /// Is that its name?
    fn is(&self, at: usize, name: &str) -> bool;
    /// Its name.
    fn name(&self, at: usize) -> Option<String>;
    /// The place of the row with that name.
    fn position(&self, name: &str) -> Option<usize> {
        (0..self.len()).find(|at| self.is(*at, name))
    }
}

impl ListState {
    /// Moves by `by` rows; rows that cannot be selected are stepped over.
    pub fn step(&mut self, ids: &impl Ids, by: i64) {
        let mut all = 0..ids.len();
        let Some(first) = all.find(|at| ids.selectable(*at)) else {
            return;
        };
        let target = match self.place(ids) {
            Some(at) => walk(ids, at, by),
            None => {
                let here = |at: &usize| ids.selectable(*at);
                let below = (self.seen_at..ids.len()).find(here);
                below
                    .or_else(|| (0..ids.len()).rfind(here))
                    .unwrap_or(first)
            }
        };
        self.selected = ids.name(target);
        self.seen_at = target;
        self.chosen = target > first;
        self.touched = true;
    }

    /// The selected row's place.
    #[must_use]
    pub fn place(&self, ids: &impl Ids) -> Option<usize> {
        let selected = self.selected.as_deref()?;
        // It mostly is where it was: a list of thousands need not be searched with every key.
        if ids.is(self.seen_at, selected) {
            return Some(self.seen_at);
        }
        ids.position(selected)
    }

    /// For lists on whose rows nothing acts: goes back to the first row where none was chosen, or the chosen one is gone.
    pub fn follow_top(&mut self, ids: &impl Ids) {
        if !self.chosen || self.place(ids).is_none() {
            self.selected = None;
            self.offset = 0;
            self.chosen = false;
        }
    }

    /// Keeps the selection drawn in `height` rows; selects the first row where nothing was ever selected.
    pub fn settle(&mut self, ids: &impl Ids, height: usize) {
        let first = (0..ids.len()).find(|at| ids.selectable(*at));
        if self.selected.is_none() {
            self.selected = first.and_then(|at| ids.name(at));
        }
        let most = ids.len().saturating_sub(height);
        if let Some(place) = self.place(ids) {
            self.seen_at = place;
            // The headings right above the first selectable row stay in sight with it.
            let top = if Some(place) == first { 0 } else { place };
            if top < self.offset {
                self.offset = top;
            }
            if place >= self.offset + height {
                self.offset = place + 1 - height.max(1);
            }
        }
        self.offset = self.offset.min(most);
    }
}

/// The selectable row so many further down, or up; the last one on the way where there are not so many.
fn walk(ids: &impl Ids, from: usize, by: i64) -> usize {
    let (mut at, mut left) = (from, by.unsigned_abs());
    let mut next = from;
    while left > 0 {
        let further = if by > 0 {
            next.checked_add(1).filter(|n| *n < ids.len())
        } else {
            next.checked_sub(1)
        };
        let Some(n) = further else {
            break;
        };
        next = n;
        if ids.selectable(n) {
            (at, left) = (n, left - 1);
        }
    }
    at
}

/// Does `text` hold every word of `filter`, whatever the case?
#[must_use]
pub fn matches(filter: &str, text: &str) -> bool {
    if filter.trim().is_empty() {
        return true;
    }
    let text = text.to_lowercase();
    filter
        .to_lowercase()
        .split_whitespace()
        .all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<N: Named> Ids for Vec<Option<N>> {
        fn len(&self) -> usize {
            self.as_slice().len()
        }
        fn selectable(&self, at: usize) -> bool {
            self.get(at).is_some_and(Option::is_some)
        }
        fn is(&self, at: usize, name: &str) -> bool {
            self.get(at)
                .and_then(Option::as_ref)
                .is_some_and(|id| id.is(name))
        }
        fn name(&self, at: usize) -> Option<String> {
            self.get(at).and_then(Option::as_ref).map(N::whole)
        }
    }

    fn ids(text: &str) -> Vec<Option<String>> {
        text.chars()
            .map(|c| (c != '-').then(|| c.to_string()))
            .collect()
    }

    #[test]
    fn the_selection_follows_the_row_and_never_jumps_to_another() {
        let mut s = ListState::default();
        s.settle(&ids("-ab-c"), 10);
        assert_eq!(s.selected.as_deref(), Some("a"));
        s.step(&ids("-ab-c"), 1);
        s.step(&ids("-ab-c"), 1);
        assert_eq!(
            s.selected.as_deref(),
            Some("c"),
            "headings are stepped over"
        );
        s.settle(&ids("cxab"), 10);
        assert_eq!((s.selected.as_deref(), s.seen_at), (Some("c"), 0));
        s.settle(&ids("xab"), 10);
        assert_eq!(s.place(&ids("xab")), None, "gone: nothing is selected");
        s.step(&ids("xab"), 1);
        assert_eq!(s.selected.as_deref(), Some("x"));
    }

    #[test]
    fn a_growing_list_stays_at_its_top_until_a_row_is_chosen() {
        let mut s = ListState::default();
        let see = |s: &mut ListState, text: &str| {
            s.follow_top(&ids(text));
            s.settle(&ids(text), 3);
            (s.selected.clone().unwrap(), s.offset)
        };
        assert_eq!(see(&mut s, "cba"), ("c".into(), 0));
        assert_eq!(see(&mut s, "edcba"), ("e".into(), 0));
        s.step(&ids("edcba"), 1);
        assert_eq!(see(&mut s, "gfedcba"), ("d".into(), 1));
        s.step(&ids("gfedcba"), -9);
        assert_eq!(see(&mut s, "hgfedcba"), ("h".into(), 0));
    }

    #[test]
    fn the_selection_stays_in_sight() {
        let all = ids("-abcdefghij");
        let mut s = ListState::default();
        s.settle(&all, 4);
        assert_eq!(s.offset, 0);
        s.step(&all, 100);
        s.settle(&all, 4);
        assert_eq!((s.selected.as_deref(), s.offset), (Some("j"), 7));
        s.step(&all, -100);
        s.settle(&all, 4);
        assert_eq!(s.offset, 0, "with its heading");
        s.settle(&ids(""), 0);
    }

    #[test]
    fn a_filter_wants_every_word() {
        assert!(matches("err CHECK", "checkout error rate"));
        assert!(!matches("err pay", "checkout error rate"));
        assert!(matches("  ", "x"));
    }
}
