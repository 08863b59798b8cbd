//! The rules in scope one by one over a span, for lanes and for a day's evidence.

use super::Timeline;
use super::compiled::{FOREVER, Sec, at_or_after, floor, instant};
use super::state::{Hold, HoldKind};
use crate::domain::time::{Instant, Span};

/// One rule over one stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpan {
    /// The rule as it decides there: name, kind, owner, strength; `from` and `until` are the stretch's own ends.
    pub hold: Hold,
    /// The whole stretch; it may reach beyond what was asked for.
    pub span: Span,
}

impl Timeline<'_> {
    /// Stretches of freezes that share an instant with `[from, to)`, by their start, at most `most` of them, and how many more there are.
    #[must_use]
    pub fn freezes_between(
        &self,
        from: Instant,
        to: Instant,
        most: usize,
    ) -> (Vec<RuleSpan>, usize) {
        let found = pick(
            &self.merged.chosen.freezes,
            &self.rules.freezes,
            (from, to),
            most,
        );
        let spans = found.0.into_iter().filter_map(|(index, start, end)| {
            let hold = self.freeze_hold(index, start)?;
            Some(RuleSpan {
                hold,
                span: span(start, end)?,
            })
        });
        (spans.collect(), found.1)
    }

    /// The same of windows.
    #[must_use]
    pub fn windows_between(
        &self,
        from: Instant,
        to: Instant,
        most: usize,
    ) -> (Vec<RuleSpan>, usize) {
        let found = pick(
            &self.merged.chosen.windows,
            &self.rules.windows,
            (from, to),
            most,
        );
        let spans = found.0.into_iter().filter_map(|(index, start, end)| {
            let window = self.rules.book.windows.get(index)?;
            let span = span(start, end)?;
            let hold = Hold {
                rule: window.name.clone(),
                kind: HoldKind::Window,
                from: Some(span.start),
                until: span.end,
                owner: window.owner.clone(),
                strength: None,
                override_by: Vec::new(),
                rollback: None,
                exempt: None,
            };
            Some(RuleSpan { hold, span })
        });
        (spans.collect(), found.1)
    }
}

fn span(start: Sec, end: Sec) -> Option<Span> {
    Some(Span {
        start: instant(start)?,
        end: if end == FOREVER { None } else { instant(end) },
    })
}

/// The earliest stretches of the chosen rules inside a span. Each rule is asked by binary search; only what is kept is sorted whole.
fn pick(
    chosen: &[usize],
    all: &[Box<[(Sec, Sec)]>],
    (from, to): (Instant, Instant),
    most: usize,
) -> (Vec<(usize, Sec, Sec)>, usize) {
    let (from, to) = (floor(from), floor(to));
    let mut found = Vec::new();
    let mut count = 0_usize;
    // Behind it nothing is kept any more.
    let mut last = FOREVER;
    for index in chosen {
        let Some(spans) = all.get(*index) else {
            continue;
        };
        let mut at = from;
        while let Some((start, end)) = at_or_after(spans, at).filter(|(start, _)| *start < to) {
            count += 1;
            if start <= last {
                found.push((*index, start, end));
            }
            // Never more in memory than a few times what is asked for.
            if found.len() >= most.saturating_mul(4).max(64) {
                found.sort_unstable_by_key(|(index, start, _)| (*start, *index));
                found.truncate(most);
                last = found.last().map_or(FOREVER, |(_, start, _)| *start);
            }
            at = end;
            if end == FOREVER {
                break;
            }
        }
    }
    found.sort_unstable_by_key(|(index, start, _)| (*start, *index));
    found.truncate(most);
    let more = count - found.len();
    (found, more)
}
