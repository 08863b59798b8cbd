//! Segments for the calendar pane: from one instant to another, what holds, merged.

use super::Timeline;
use super::compiled::{Sec, at_or_after, floor, instant};
use crate::domain::time::{Instant, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most rule names kept per segment; the rest is counted.
const MAX_NAMES: usize = 8;

/// Beyond so many starts and ends of rules, only what changes the kind makes a new segment: nobody could tell them apart.
const MAX_EDGES: usize = 2_000;

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SegmentKind {
    /// Permitted.
    Open,
    /// Outside every window in scope.
    Closed,
    /// A freeze holds.
    Freeze,
    /// A calendar is unread or stale, or the time lies outside the horizon.
    Unknown,
}

impl SegmentKind {
    /// Its word: "open", "closed", "FREEZE", "unknown".
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Freeze => "FREEZE",
            Self::Unknown => "unknown",
        }
    }
}

/// A stretch of time in which kind and deciding rules stay the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// `[start, end)`; the end is always known here.
    pub span: Span,
    /// What it is.
    pub kind: SegmentKind,
    /// The rules behind it, in the policy's order, at most eight: active freezes, else active windows; calendars where unknown.
    pub rules: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl Timeline<'_> {
    /// The segments that cover `[from, to)` without gap or overlap, ascending; empty where `to` is not after `from`. Their kinds agree with
    /// [`Timeline::state_at`] at every whole second. Fractions of a second are cut from both ends. Where more than `MAX_EDGES` starts
    /// and ends lie in it, neighbours of one kind are one segment that names the rules of all.
    #[must_use]
    pub fn strip(&self, from: Instant, to: Instant) -> Vec<Segment> {
        let (from, to) = (floor(from), floor(to));
        if from >= to {
            return Vec::new();
        }
        if self.calendars_unknown().is_empty() {
            return Vec::clone(&self.merged.strips.get((from, to), || self.drawn(from, to)));
        }
        self.drawn(from, to)
    }

    fn drawn(&self, from: Sec, to: Sec) -> Vec<Segment> {
        let horizon = (floor(self.rules.from), floor(self.rules.to));
        let (mut segments, none) = (Vec::new(), BTreeSet::new());
        let (low, high) = (
            from.clamp(horizon.0, horizon.1),
            to.clamp(horizon.0, horizon.1),
        );
        if low >= high {
            self.push(
                &mut segments,
                (from, to),
                SegmentKind::Unknown,
                [&none, &none],
            );
            return segments;
        }
        self.push(
            &mut segments,
            (from, low),
            SegmentKind::Unknown,
            [&none, &none],
        );
        self.sweep(&mut segments, low, high);
        self.push(
            &mut segments,
            (high, to),
            SegmentKind::Unknown,
            [&none, &none],
        );
        segments
    }

    /// Walks the boundaries of all rules in scope inside `[from, to)`.
    fn sweep(&self, segments: &mut Vec<Segment>, from: Sec, to: Sec) {
        // (second, is a start, is a freeze, rule)
        let mut edges: Vec<(Sec, bool, bool, usize)> = Vec::new();
        let lists = [
            (false, &self.merged.chosen.windows, &self.rules.windows),
            (true, &self.merged.chosen.freezes, &self.rules.freezes),
        ];
        for (is_freeze, chosen, all) in lists {
            for index in chosen {
                let Some(spans) = all.get(*index) else {
                    continue;
                };
                let mut at = from;
                while let Some((start, end)) =
                    at_or_after(spans, at).filter(|(start, _)| *start < to)
                {
                    edges.push((start.max(from), true, is_freeze, *index));
                    edges.push((end.min(to), false, is_freeze, *index));
                    at = end;
                }
            }
        }
        edges.sort_unstable();
        let coarse = edges.len() > MAX_EDGES;
        let mut active = [BTreeSet::new(), BTreeSet::new()];
        // Where coarse: the rules met since the kind last changed.
        let mut met = [BTreeSet::new(), BTreeSet::new()];
        let mut kind = None;
        let mut begun = from;
        let mut here = from;
        for (at, starts, is_freeze, index) in edges {
            if at > here && !coarse {
                self.push_active(segments, (here, at), &active);
            }
            if at > here && coarse {
                let now = self.kind(&active);
                if kind.is_some_and(|was| was != now) {
                    self.push_met(segments, (begun, here), kind, &met);
                    begun = here;
                    met = active.clone();
                } else {
                    for (all, some) in met.iter_mut().zip(&active) {
                        if kind.is_none() {
                            all.extend(some);
                        }
                    }
                }
                kind = Some(now);
            }
            here = here.max(at);
            let n = usize::from(is_freeze);
            if let (Some(set), Some(met)) = (active.get_mut(n), met.get_mut(n)) {
                if starts {
                    set.insert(index);
                    met.insert(index);
                } else {
                    set.remove(&index);
                }
            }
        }
        if coarse {
            let now = self.kind(&active);
            if here < to && kind.is_some_and(|was| was != now) {
                self.push_met(segments, (begun, here), kind, &met);
                begun = here;
                met = active;
            }
            self.push_met(
                segments,
                (begun, to),
                Some(now).filter(|_| here < to).or(kind),
                &met,
            );
        } else {
            self.push_active(segments, (here, to), &active);
        }
    }

    fn kind(&self, [windows, freezes]: &[BTreeSet<usize>; 2]) -> SegmentKind {
        if !freezes.is_empty() {
            SegmentKind::Freeze
        } else if self.has_no_window() || !windows.is_empty() {
            SegmentKind::Open
        } else {
            SegmentKind::Closed
        }
    }

    /// A stretch of one kind, with every rule of that kind in it.
    fn push_met(
        &self,
        segments: &mut Vec<Segment>,
        span: (Sec, Sec),
        kind: Option<SegmentKind>,
        [windows, freezes]: &[BTreeSet<usize>; 2],
    ) {
        let none = BTreeSet::new();
        match kind {
            Some(SegmentKind::Freeze) => {
                self.push(segments, span, SegmentKind::Freeze, [windows, freezes]);
            }
            Some(SegmentKind::Open) => {
                self.push(segments, span, SegmentKind::Open, [windows, &none]);
            }
            Some(other) => self.push(segments, span, other, [&none, &none]),
            None => {}
        }
    }

    fn push_active(
        &self,
        segments: &mut Vec<Segment>,
        span: (Sec, Sec),
        active: &[BTreeSet<usize>; 2],
    ) {
        let [windows, freezes] = active;
        self.push(segments, span, self.kind(active), [windows, freezes]);
    }

    /// Adds a segment, or lengthens the last one where nothing but time changed.
    fn push(
        &self,
        segments: &mut Vec<Segment>,
        span: (Sec, Sec),
        kind: SegmentKind,
        [windows, freezes]: [&BTreeSet<usize>; 2],
    ) {
        let (Some(start), Some(end)) = (instant(span.0), instant(span.1)) else {
            return;
        };
        if span.0 >= span.1 {
            return;
        }
        let unread = self.calendars_unknown();
        let kind = if unread.is_empty() {
            kind
        } else {
            SegmentKind::Unknown
        };
        let book = self.rules.book();
        let shown = if freezes.is_empty() { windows } else { freezes };
        let more = (unread.len() + shown.len()).saturating_sub(MAX_NAMES);
        let name = |index: &usize| {
            if freezes.is_empty() {
                book.windows.get(*index).map(|w| w.name.clone())
            } else {
                book.freezes.get(*index).map(|f| f.name.clone())
            }
        };
        let names: Vec<String> = unread
            .into_iter()
            .chain(shown.iter().filter_map(name))
            .take(MAX_NAMES)
            .collect();
        match segments.last_mut() {
            Some(last)
                if last.kind == kind
                    && last.rules == names
                    && last.more == more
                    && last.span.end == Some(start) =>
            {
                last.span.end = Some(end);
            }
            _ => segments.push(Segment {
                span: Span::new(start, end),
                kind,
                rules: names,
                more,
            }),
        }
    }
}
