//! The calendar pane when it has room: which view, which days, what is supposed, and what is asked of the calendar for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, Days, Months, NaiveDate};
use chrono_tz::Tz;

use crate::domain::calendar::{About, Bar, CalendarSpan, Lane, Look, Scope, Suppose};
use crate::domain::situation::{Mark, Phase, StripSegment};
use crate::domain::time::{Instant, Span, day_start};

use super::layout::{Area, Pane, Shape};
use super::list::{ListId, matches};
use super::model::{Model, Overlay};

/// Days on the timeline: a release of the first day and its watch to T+72 h.
const LANE_DAYS: u64 = 4;
/// Seconds of one step of a what-if.
pub const STEP: i64 = 15 * 60;

/// The views of the pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The eight days as a list: also what the small pane shows.
    #[default]
    Agenda,
    /// One day, everything in it a row.
    Day,
    /// Monday to Sunday, a day a row with its hours.
    Week,
    /// A month in weeks.
    Month,
    /// Lanes over four days.
    Lanes,
}

impl View {
    /// In the order in which one key goes through them.
    pub const ALL: [Self; 5] = [
        Self::Agenda,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Lanes,
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Agenda => "agenda",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Lanes => "timeline",
        }
    }

    /// The next one, or the one before.
    #[must_use]
    pub fn turn(self, on: bool) -> Self {
        let at = Self::ALL.iter().position(|v| *v == self).unwrap_or(0);
        let n = Self::ALL.len();
        let to = (at + if on { 1 } else { n - 1 }) % n;
        Self::ALL.get(to).copied().unwrap_or_default()
    }
}

/// Where the person stands in the calendar.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// The view of the pane when it has room.
    pub view: View,
    /// The chosen day; `None`: today.
    pub cursor: Option<NaiveDate>,
    /// Times are shown in UTC.
    pub utc: bool,
    /// What is supposed; nothing real is done while something is.
    pub suppose: Option<Suppose>,
    /// The latest answer.
    pub span: Option<Arc<CalendarSpan>>,
    /// The last question, and whether its answer is still out.
    pub asked: Option<(Look, bool)>,
    /// The situation changed since the last question.
    pub stale: bool,
    seq: u64,
}

/// The zone that times are shown in.
#[must_use]
pub fn zone(model: &Model) -> Tz {
    match &model.situation {
        Some(s) if !model.calendar.utc => s.timezone,
        _ => Tz::UTC,
    }
}

/// Today, in that zone.
#[must_use]
pub fn today(model: &Model) -> NaiveDate {
    model.world().with_timezone(&zone(model)).date_naive()
}

/// The chosen day.
#[must_use]
pub fn cursor(model: &Model) -> NaiveDate {
    model.calendar.cursor.unwrap_or_else(|| today(model))
}

/// The detailed view that is drawn; `None` while the pane is small, shows its agenda, or is not drawn.
#[must_use]
pub fn drawn(model: &Model) -> Option<View> {
    let view = model.calendar.view;
    let alone = match model.shape() {
        Shape::Tiny => false,
        Shape::Compact => true,
        Shape::Wide => model.zoom,
    };
    (alone && model.pane == Pane::Calendar && view != View::Agenda && model.situation.is_some())
        .then_some(view)
}

/// Is a view drawn in which a day is chosen instead of a row?
#[must_use]
pub fn is_grid(model: &Model) -> bool {
    matches!(drawn(model), Some(View::Week | View::Month))
}

/// First day and number of days of a view.
#[must_use]
pub fn days_of(view: View, cursor: NaiveDate) -> (NaiveDate, u64) {
    match view {
        View::Agenda => (cursor, 8),
        View::Day => (cursor, 1),
        View::Week => (monday(cursor), 7),
        View::Month => {
            let first = cursor.with_day(1).unwrap_or(cursor);
            let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
            let from = monday(first);
            let days = u64::try_from((next - from).num_days()).unwrap_or(35);
            (from, days.div_ceil(7) * 7)
        }
        View::Lanes => (cursor, LANE_DAYS),
    }
}

fn monday(day: NaiveDate) -> NaiveDate {
    let back = u64::from(day.weekday().num_days_from_monday());
    day.checked_sub_days(Days::new(back)).unwrap_or(day)
}

fn plus(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(day)
}

/// So many days from a first one, as instants of the zone shown.
#[must_use]
pub fn span_of(zone: Tz, first: NaiveDate, days: u64) -> Span {
    Span::new(day_start(first, zone), day_start(plus(first, days), zone))
}

/// The days that are drawn.
#[must_use]
pub fn days(model: &Model) -> Vec<NaiveDate> {
    let (first, count) = days_of(drawn(model).unwrap_or_default(), cursor(model));
    (0..count).map(|n| plus(first, n)).collect()
}

/// The span that is drawn.
#[must_use]
pub fn period(model: &Model) -> Span {
    let view = drawn(model).unwrap_or_default();
    let from = match view {
        View::Agenda => today(model),
        _ => cursor(model),
    };
    let (first, count) = days_of(view, from);
    span_of(zone(model), first, count)
}

/// The answer for what is drawn, once it is there.
#[must_use]
pub fn span(model: &Model) -> Option<&CalendarSpan> {
    let span = model.calendar.span.as_deref()?;
    (span.look.span == period(model)).then_some(span)
}

/// `team:shop env:staging web`: whom the calendar is asked about, and the other words.
#[must_use]
pub fn scope(filter: &str) -> (Scope, String) {
    let mut scope = Scope::default();
    let mut words: Vec<&str> = Vec::new();
    for word in filter.split_whitespace() {
        let slot = match word.split_once(':') {
            Some(("team", name)) => Some((&mut scope.team, name)),
            Some(("service", name)) => Some((&mut scope.service, name)),
            Some(("env" | "environment", name)) => Some((&mut scope.environment, name)),
            _ => None,
        };
        match slot {
            Some((slot, name)) if !name.is_empty() => *slot = Some(name.to_owned()),
            Some(_) => {}
            None => words.push(word),
        }
    }
    (scope, words.join(" "))
}

/// Does a bar hold every other word of the filter?
#[must_use]
pub fn wanted(model: &Model, bar: &Bar) -> bool {
    let (_, words) = scope(model.filter(ListId::Calendar));
    let text = format!(
        "{} {} {} {}",
        bar.lane.word(),
        bar.name,
        bar.mark.word,
        bar.note
    );
    matches(&words, &text)
}

/// A lane of the timeline.
#[derive(Clone, Debug)]
pub struct LaneRow<'a> {
    /// Stable id.
    pub id: String,
    /// What stands at its left.
    pub label: String,
    /// Of what kind.
    pub lane: Lane,
    /// What lasts in it, by start.
    pub bars: Vec<&'a Bar>,
}

/// The lanes of the timeline: a row a release, freeze, level on call and watch; windows in one row where they are many.
#[must_use]
pub fn lanes(model: &Model) -> Vec<LaneRow<'_>> {
    let Some(span) = span(model) else {
        return Vec::new();
    };
    let mut names: Vec<&str> = span.lane(Lane::Window).map(|b| b.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let many = names.len() > 4;
    let mut out: Vec<LaneRow<'_>> = Vec::new();
    for bar in span.bars.iter().filter(|b| wanted(model, b)) {
        let (id, label) = match bar.lane {
            Lane::Release | Lane::Watch => (bar.id.clone(), bar.lane.word().to_owned()),
            Lane::Window if many => ("calendar/lane/window".into(), "windows".into()),
            Lane::Window => (
                format!("calendar/lane/window/{}", bar.name),
                bar.name.clone(),
            ),
            Lane::Freeze => (
                format!("calendar/lane/freeze/{}", bar.name),
                "FREEZE".into(),
            ),
            Lane::Holiday => ("calendar/lane/holiday".into(), "holiday".into()),
            Lane::Cover => (
                format!("calendar/lane/{}", bar.mark.word),
                format!("on call {}", bar.mark.word.trim_start_matches("level ")),
            ),
            Lane::Deadline => ("calendar/lane/deadline".into(), "deadline".into()),
        };
        // A release has its own row: among hundreds of them none is looked for.
        let own = matches!(bar.lane, Lane::Release | Lane::Watch);
        let mut rows = out.iter_mut().filter(|_| !own);
        match rows.find(|row| row.lane == bar.lane && row.id == id) {
            Some(row) => row.bars.push(bar),
            None => out.push(LaneRow {
                id,
                label,
                lane: bar.lane,
                bars: vec![bar],
            }),
        }
    }
    out
}

/// Bars of the chosen day, filtered, by lane and start.
#[must_use]
pub fn bars_on<'a>(model: &'a Model, span: &'a CalendarSpan, day: NaiveDate) -> Vec<&'a Bar> {
    let whole = span_of(zone(model), day, 1);
    let here = |b: &&Bar| b.span.overlaps(&whole) || whole.contains(b.span.start);
    let bars = span.bars.iter().filter(here);
    bars.filter(|b| wanted(model, b)).collect()
}

/// What holds on a day.
#[must_use]
pub fn strip_on<'a>(
    model: &Model,
    span: &'a CalendarSpan,
    day: NaiveDate,
) -> Vec<&'a StripSegment> {
    let whole = span_of(zone(model), day, 1);
    let strip = span.strip.iter();
    strip.filter(|s| s.span.overlaps(&whole)).collect()
}

/// The pane inside its border: what stands above the rows, and the rows.
#[must_use]
pub fn split(model: &Model, inner: Area) -> (Area, Area) {
    let axis = match drawn(model) {
        Some(View::Day | View::Lanes) => 3,
        _ => 1,
    };
    let head = (axis + panel(model, inner)).min(inner.h);
    (
        Area::new(inner.x, inner.y, inner.w, head),
        Area::new(inner.x, inner.y + head, inner.w, inner.h - head),
    )
}

/// Lines of the what-if panel; none while nothing is supposed.
#[must_use]
pub fn panel(model: &Model, inner: Area) -> u16 {
    if model.calendar.suppose.is_none() {
        return 0;
    }
    let what = model
        .calendar
        .span
        .as_ref()
        .and_then(|s| s.what_if.as_ref());
    let lines = what.map_or(0, |w| u16::try_from(w.lines.len()).unwrap_or(8));
    (lines.clamp(5, 10) + 2).min(inner.h / 2)
}

/// What a row is about, for its evidence; `None`: nothing that the calendar tells one by one.
#[must_use]
pub fn about(model: &Model, id: &str) -> Option<About> {
    let zone = zone(model);
    if let Some(date) = id.strip_prefix("calendar/day/") {
        let date: NaiveDate = date.parse().ok()?;
        return Some(About::Span {
            span: span_of(zone, date, 1),
            title: date.format("%a %-d %b %Y").to_string(),
        });
    }
    let release = id
        .strip_prefix("calendar/release/")
        .or_else(|| id.strip_prefix("calendar/watch/"));
    if let Some(release) = release {
        return Some(About::Release(release.to_owned()));
    }
    let span = model.calendar.span.as_deref()?;
    if let Some(bar) = span.bars.iter().find(|b| b.id == id) {
        let title = format!("{} {}", bar.lane.word(), bar.name);
        return Some(About::Span {
            span: bounded(bar.span),
            title,
        });
    }
    let row = lanes(model).into_iter().find(|l| l.id == id)?;
    let first = row.bars.first()?;
    Some(About::Span {
        span: bounded(first.span),
        title: format!("{} {}", row.lane.word(), first.name),
    })
}

/// What has no known end, or lasts for years, is looked at for a month.
fn bounded(span: Span) -> Span {
    let most = span.start + chrono::Duration::days(31);
    Span::new(span.start, span.end.map_or(most, |end| end.min(most)))
}

/// What is to be asked of the calendar now; `None` while nobody looks.
fn question(model: &Model) -> Option<Look> {
    model.situation.as_ref()?;
    let (scope, _) = scope(model.filter(ListId::Calendar));
    let about = match model.overlays.last() {
        Some(Overlay::Evidence { key: Some(key), .. }) => about(model, key),
        _ => None,
    };
    let draft = match model.overlays.last() {
        Some(Overlay::Dialog(d)) if d.live.is_some() => Some(d.request().inputs),
        _ => None,
    };
    let looks = drawn(model).is_some()
        || model.calendar.suppose.is_some()
        || about.is_some()
        || draft.is_some()
        || (!scope.is_whole() && model.pane == Pane::Calendar);
    looks.then(|| Look {
        seq: 0,
        span: period(model),
        scope,
        suppose: model.calendar.suppose.clone(),
        about,
        draft,
    })
}

/// The next question: one at a time, so that held keys never outrun the answers, and again after every new situation.
pub fn ask(model: &mut Model) -> Option<Look> {
    let Some(mut look) = question(model) else {
        // Nobody looks: what was answered grows old.
        model.calendar.span = None;
        model.calendar.asked = None;
        return None;
    };
    if let Some((last, out)) = &model.calendar.asked {
        look.seq = last.seq;
        if *out || (*last == look && !model.calendar.stale) {
            return None;
        }
    }
    model.calendar.seq += 1;
    look.seq = model.calendar.seq;
    model.calendar.stale = false;
    model.calendar.asked = Some((look.clone(), true));
    Some(look)
}

/// Takes an answer in. One to an older question than the last is not shown.
pub fn answered(model: &mut Model, span: Arc<CalendarSpan>) {
    match &mut model.calendar.asked {
        Some((look, out)) if look.seq == span.look.seq => *out = false,
        _ => return,
    }
    let shown = match model.overlays.last() {
        Some(Overlay::Evidence { key: Some(key), .. }) => about(model, key),
        _ => None,
    };
    match model.overlays.last_mut() {
        Some(Overlay::Evidence { shown: e, .. }) if shown.is_some() && shown == span.look.about => {
            if let Some(found) = &span.evidence {
                e.clone_from(found);
            }
        }
        Some(Overlay::Dialog(d)) => {
            if let (Some(inputs), Some(draft)) = (&span.look.draft, &span.draft) {
                d.judged(inputs, draft);
            }
        }
        _ => {}
    }
    model.calendar.span = Some(span);
}

/// Chooses a view; from the small pane it takes the whole window.
pub fn show(model: &mut Model, view: View) {
    model.calendar.view = view;
    if model.shape() == Shape::Wide && view != View::Agenda {
        model.zoom = true;
    }
    model.lists.entry(ListId::Calendar).or_default().selected = None;
}

/// By so many days.
pub fn sideways(model: &mut Model, days: i64) {
    let day = cursor(model);
    let count = Days::new(days.unsigned_abs());
    let to = if days < 0 {
        day.checked_sub_days(count)
    } else {
        day.checked_add_days(count)
    };
    choose(model, to.unwrap_or(day));
}

/// Chooses a day. Years that no calendar reaches are not gone to.
pub fn choose(model: &mut Model, day: NaiveDate) {
    if (1971..=2105).contains(&day.year()) {
        model.calendar.cursor = Some(day);
    }
}

/// Up and down where a day is chosen: by a day in the week, by a week in the month.
pub fn upright(model: &mut Model, by: i64) {
    match drawn(model) {
        Some(View::Month) => sideways(model, by.clamp(-60, 60) * 7),
        _ => sideways(model, by.clamp(-60, 60)),
    }
}

/// The next view's worth of days, or the one before.
pub fn page(model: &mut Model, by: i64) {
    let day = cursor(model);
    match drawn(model) {
        Some(View::Month) => {
            let months = Months::new(u32::try_from(by.unsigned_abs()).unwrap_or(1));
            let to = if by < 0 {
                day.checked_sub_months(months)
            } else {
                day.checked_add_months(months)
            };
            choose(model, to.unwrap_or(day));
        }
        Some(View::Week) => sideways(model, by * 7),
        Some(View::Lanes) => sideways(model, by * LANE_DAYS.cast_signed()),
        _ => sideways(model, by),
    }
}

/// The first or last day that is drawn; in the month, of the month.
pub fn ends(model: &mut Model, last: bool) {
    let all = days(model);
    let month = cursor(model).month();
    let grid = drawn(model) == Some(View::Month);
    let mut here = all.iter().filter(|d| !grid || d.month() == month);
    let to = if last { here.next_back() } else { here.next() };
    if let Some(day) = to.copied() {
        choose(model, day);
    }
}

/// In a view of days the list's selection is the chosen day.
pub fn sync(model: &mut Model) {
    if is_grid(model) {
        let id = format!("calendar/day/{}", cursor(model));
        model.lists.entry(ListId::Calendar).or_default().selected = Some(id);
    }
}

/// The release of the selected row, or the first one of the chosen day, that has not begun.
#[must_use]
pub fn subject(model: &Model) -> Option<String> {
    let s = model.situation.as_ref()?;
    let open = |id: &str| {
        let found = s.releases.iter().find(|r| r.plan.id == id);
        found.is_some_and(|r| matches!(r.phase, Phase::Planned | Phase::Ready))
    };
    let state = model.lists.get(&ListId::Calendar);
    let row = state.and_then(|l| l.selected.as_deref()).and_then(|id| {
        id.strip_prefix("calendar/release/")
            .or_else(|| id.strip_prefix("calendar/watch/"))
    });
    if let Some(id) = row {
        return open(id).then(|| id.to_owned());
    }
    let day = match state.and_then(|l| l.selected.as_deref()) {
        Some(id) => id
            .strip_prefix("calendar/day/")
            .and_then(|d| d.parse().ok()),
        None => None,
    };
    let day = day.unwrap_or_else(|| cursor(model));
    let whole = span_of(zone(model), day, 1);
    let mut found = s.calendar.releases.iter();
    found
        .find(|r| r.at.is_some_and(|at| whole.contains(at)) && open(&r.id))
        .map(|r| r.id.clone())
}

/// Supposes that a release starts at another time, or that it is another time; again: the other of the two.
pub fn suppose(model: &mut Model) -> Result<(), String> {
    let now = model.world();
    let next = match &model.calendar.suppose {
        Some(Suppose::Release { .. }) => Suppose::Now { at: grid(now, 0) },
        other => {
            let id = subject(model);
            match (id, other) {
                (Some(id), _) => {
                    let at = planned(model, &id).filter(|at| *at > now);
                    let at = at.unwrap_or_else(|| grid(now, 1));
                    Suppose::Release { id, at }
                }
                (None, Some(_)) => {
                    return Err("select a release that has not begun to suppose its start".into());
                }
                (None, None) => Suppose::Now { at: grid(now, 0) },
            }
        }
    };
    if drawn(model).is_none() {
        show(model, View::Lanes);
    }
    supposed(model, next);
    Ok(())
}

fn planned(model: &Model, id: &str) -> Option<Instant> {
    let s = model.situation.as_ref()?;
    let release = s.releases.iter().find(|r| r.plan.id == id)?;
    release.plan.planned
}

/// The quarter of an hour at or before `at`, and so many further.
fn grid(at: Instant, steps: i64) -> Instant {
    let quarter = at.timestamp().div_euclid(STEP) + steps;
    chrono::DateTime::from_timestamp(quarter * STEP, 0).unwrap_or(at)
}

/// Moves what is supposed by quarters of an hour, onto whole quarters.
pub fn shift(model: &mut Model, quarters: i64) {
    let Some(what) = model.calendar.suppose.clone() else {
        return;
    };
    let at = what.at();
    let whole = at.timestamp().rem_euclid(STEP) == 0;
    // Back from between two quarters is the one before, not the one before that.
    let steps = if whole || quarters > 0 {
        quarters
    } else {
        quarters + 1
    };
    let to = grid(at, steps);
    // Nothing starts in the past.
    let to = to.max(grid(model.world(), 0));
    let next = match what {
        Suppose::Release { id, .. } => Suppose::Release { id, at: to },
        Suppose::Now { .. } => Suppose::Now { at: to },
    };
    supposed(model, next);
}

/// Takes it in, and keeps its day in sight.
fn supposed(model: &mut Model, what: Suppose) {
    let day = what.at().with_timezone(&zone(model)).date_naive();
    let shown = drawn(model).map(|view| days_of(view, cursor(model)));
    let seen = shown.is_some_and(|(first, n)| day >= first && day < plus(first, n));
    if !seen || is_grid(model) {
        choose(model, day);
    }
    model.calendar.suppose = Some(what);
}

/// The fields of the move's dialog as supposed.
#[must_use]
pub fn written(model: &Model) -> BTreeMap<String, String> {
    let Some(Suppose::Release { at, .. }) = &model.calendar.suppose else {
        return BTreeMap::new();
    };
    let zone = model.situation.as_ref().map_or(Tz::UTC, |s| s.timezone);
    // With its offset: exact also where a clock time comes twice.
    let text = at.with_timezone(&zone).to_rfc3339();
    BTreeMap::from([("start".to_owned(), text)])
}

/// The word of a day: what a cell of the month says of windows and freezes.
#[must_use]
pub fn day_mark(strip: &[&StripSegment]) -> Option<Mark> {
    let of = |word: &str| strip.iter().find(|s| s.mark.word == word);
    let found = of("FREEZE")
        .or_else(|| of("unknown"))
        .or_else(|| of("open"));
    found.or_else(|| strip.first()).map(|s| s.mark.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn weeks_begin_on_monday() {
        assert_eq!(
            days_of(View::Week, day("2026-11-21")),
            (day("2026-11-16"), 7)
        );
        assert_eq!(
            days_of(View::Week, day("2026-11-16")),
            (day("2026-11-16"), 7)
        );
        // November 2026 begins on a Sunday: six weeks; February 2027 has exactly four.
        assert_eq!(
            days_of(View::Month, day("2026-11-21")),
            (day("2026-10-26"), 42)
        );
        assert_eq!(
            days_of(View::Month, day("2027-02-14")),
            (day("2027-02-01"), 28)
        );
    }

    #[test]
    fn a_filter_holds_a_scope_and_words() {
        let (found, words) = scope("team:shop web env:staging now");
        assert_eq!(found.team.as_deref(), Some("shop"));
        assert_eq!(found.environment.as_deref(), Some("staging"));
        assert_eq!(words, "web now");
        assert_eq!(scope("team: x"), (Scope::default(), "x".into()));
    }

    #[test]
    fn the_day_of_a_jump_is_as_long_as_it_is() {
        let zone = Tz::Europe__Berlin;
        let hours = |d: &str| span_of(zone, day(d), 1).length().unwrap().num_hours();
        assert_eq!(
            [
                hours("2026-03-29"),
                hours("2026-10-25"),
                hours("2026-11-21")
            ],
            [23, 25, 24]
        );
    }

    #[test]
    fn a_step_lands_on_a_quarter_of_an_hour() {
        let at: Instant = "2026-11-21T15:42:10Z".parse().unwrap();
        assert_eq!(
            grid(at, 0),
            "2026-11-21T15:30:00Z".parse::<Instant>().unwrap()
        );
        assert_eq!(
            grid(at, 1),
            "2026-11-21T15:45:00Z".parse::<Instant>().unwrap()
        );
    }
}
