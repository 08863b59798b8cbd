//! The five-minute tour of the demo: one hint in the footer at a time, gone on with by doing what it says.

use crate::domain::situation::Situation;

/// Where the tour stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Read the band.
    Band,
    /// Enter on a reason.
    Evidence,
    /// `p` is refused.
    Promote,
    /// `R`.
    Rollback,
    /// Watch the steps.
    Watch,
    /// `H`.
    Handoff,
    /// kill -9 and open again.
    Reopen,
    /// The scenario `blackout`.
    Blackout,
}

const STOPS: [Stop; 8] = [
    Stop::Band,
    Stop::Evidence,
    Stop::Promote,
    Stop::Rollback,
    Stop::Watch,
    Stop::Handoff,
    Stop::Reopen,
    Stop::Blackout,
];

/// The tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tour {
    /// Its hint is shown.
    pub shown: bool,
    /// Where it stands.
    pub stop: Stop,
}

impl Tour {
    /// At its first stop.
    #[must_use]
    pub fn new(shown: bool) -> Self {
        Self {
            shown,
            stop: Stop::Band,
        }
    }

    /// What a stop asked for was done; others take no notice.
    pub fn did(&mut self, stop: Stop) {
        if stop >= self.stop {
            let at = STOPS.iter().position(|s| *s == stop).unwrap_or(0);
            self.stop = STOPS.get(at + 1).copied().unwrap_or(Stop::Blackout);
        }
    }

    /// At the first situation: what was done before the program was opened again needs no hint any more.
    pub fn resume(&mut self, s: &Situation) {
        if s.handoff.is_some() {
            self.stop = Stop::Blackout;
        } else if s.plan.as_ref().is_some_and(|p| p.ended.is_some()) {
            self.stop = Stop::Handoff;
        } else if s.plan.is_some() {
            self.stop = Stop::Watch;
        }
    }

    /// A new situation: an ended plan goes on to the handoff.
    pub fn watch(&mut self, s: &Situation) {
        if self.stop == Stop::Watch && s.plan.as_ref().is_some_and(|p| p.ended.is_some()) {
            self.stop = Stop::Handoff;
        }
    }

    /// The hint, given how keys are labelled.
    #[must_use]
    pub fn hint(&self, key: impl Fn(&str) -> String) -> String {
        let at = STOPS.iter().position(|s| *s == self.stop).unwrap_or(0) + 1;
        let text = match self.stop {
            Stop::Band => format!(
                "the top line says where you are, what to do and why; press {} to stand on its reasons",
                key("band")
            ),
            Stop::Evidence => format!(
                "press {} on a reason: query, numbers and age behind it",
                key("evidence")
            ),
            Stop::Promote => format!(
                "press {} to promote: it is refused, with why and until when",
                key("promote")
            ),
            Stop::Rollback => format!(
                "press {} to roll back: Cancel has the focus, the name is typed",
                key("rollback")
            ),
            Stop::Watch => "watch the steps: asked, confirmed, metrics clear".into(),
            Stop::Handoff => format!("press {} to hand off, line by line", key("handoff")),
            Stop::Reopen => {
                "end this program the hard way (kill -9) and open it again: nothing is lost".into()
            }
            Stop::Blackout => {
                "play the scenario blackout and watch every green vanish: cockpit demo blackout"
                    .into()
            }
        };
        format!("tour {at}/{}: {text} · {} hides", STOPS.len(), key("tour"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tour_goes_on_by_doing_and_never_back() {
        let mut t = Tour::new(true);
        t.did(Stop::Band);
        assert_eq!(t.stop, Stop::Evidence);
        t.did(Stop::Band);
        assert_eq!(t.stop, Stop::Evidence);
        t.did(Stop::Rollback);
        assert_eq!(t.stop, Stop::Watch);
        for stop in STOPS {
            t.did(stop);
        }
        assert_eq!(t.stop, Stop::Blackout);
        assert!(t.hint(|id| id.into()).contains("blackout"));
    }
}
