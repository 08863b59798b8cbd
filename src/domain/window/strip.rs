//! Segments for the calendar pane: from one instant to another, what holds, merged.

use super::Timeline;
use super::compiled::{Sec, at_or_after, floor, instant};
use crate::domain::time::{Instant, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most rule names kept per segment; the rest is counted.
const MAX_NAMES: usize = 8;

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
    /// [`Timeline::state_at`] at every whole second. Fractions of a second are cut from both ends.
    #[must_use]
    pub fn strip(&self, from: Instant, to: Instant) -> Vec<Segment> {
        let (from, to) = (floor(from), floor(to));
        if from >= to {
            return Vec::new();
        }
        let horizon = (floor(self.rules.from), floor(self.rules.to));
        let mut segments = Vec::new();
        let (low, high) = (
            from.clamp(horizon.0, horizon.1),
            to.clamp(horizon.0, horizon.1),
        );
        if low >= high {
            self.push(&mut segments, (from, to), SegmentKind::Unknown, &[], &[]);
            return segments;
        }
        self.push(&mut segments, (from, low), SegmentKind::Unknown, &[], &[]);
        self.sweep(&mut segments, low, high);
        self.push(&mut segments, (high, to), SegmentKind::Unknown, &[], &[]);
        segments
    }

    /// Walks the boundaries of all rules in scope inside `[from, to)`.
    fn sweep(&self, segments: &mut Vec<Segment>, from: Sec, to: Sec) {
        // (second, is a start, is a freeze, rule)
        let mut edges: Vec<(Sec, bool, bool, usize)> = Vec::new();
        let lists = [
            (false, &self.windows, &self.rules.windows),
            (true, &self.freezes, &self.rules.freezes),
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
        let mut active = [BTreeSet::new(), BTreeSet::new()];
        let mut here = from;
        for (at, starts, is_freeze, index) in edges {
            if at > here {
                self.push_active(segments, (here, at), &active);
                here = at;
            }
            if let Some(set) = active.get_mut(usize::from(is_freeze)) {
                if starts {
                    set.insert(index)
                } else {
                    set.remove(&index)
                };
            }
        }
        self.push_active(segments, (here, to), &active);
    }

    fn push_active(
        &self,
        segments: &mut Vec<Segment>,
        span: (Sec, Sec),
        [windows, freezes]: &[BTreeSet<usize>; 2],
    ) {
        let freezes: Vec<usize> = freezes.iter().copied().collect();
        let windows: Vec<usize> = windows.iter().copied().collect();
        let kind = if !freezes.is_empty() {
            SegmentKind::Freeze
        } else if self.windows.is_empty() || !windows.is_empty() {
            SegmentKind::Open
        } else {
            SegmentKind::Closed
        };
        self.push(segments, span, kind, &windows, &freezes);
    }

    /// Adds a segment, or lengthens the last one where nothing but time changed.
    fn push(
        &self,
        segments: &mut Vec<Segment>,
        span: (Sec, Sec),
        kind: SegmentKind,
        windows: &[usize],
        freezes: &[usize],
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
        let mut names = unread;
        names.extend(
            freezes
                .iter()
                .filter_map(|i| book.freezes.get(*i))
                .map(|f| f.name.clone()),
        );
        if freezes.is_empty() {
            names.extend(
                windows
                    .iter()
                    .filter_map(|i| book.windows.get(*i))
                    .map(|w| w.name.clone()),
            );
        }
        let more = names.len().saturating_sub(MAX_NAMES);
        names.truncate(MAX_NAMES);
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
