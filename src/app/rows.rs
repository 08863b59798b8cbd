//! The rows of every list, borrowed from the situation. View, selection, filter, evidence and copy all read these.

use std::borrow::Cow;

use chrono::{Days, NaiveDate};

use crate::domain::calendar::Lane;
use crate::domain::event::{HandoffItem, PlanStep, StepState};
use crate::domain::policy::Section;
use crate::domain::situation::{
    AlertRow, CalendarRelease, CheckpointView, DebtView, DeployRow, FeedView, GateView, ItemView,
    JournalLine, LineView, MetricView, OncallRow, PassportLine, PlanView, Reason, ReleaseView,
    Situation, StripSegment, Tone, TriggerView,
};
use crate::domain::time::{Instant, day_start};

use super::calendar::{self, View};
use super::list::{ListId, Named, matches};
use super::listed;
use super::model::{Model, Notice};

/// One row.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Stable id; `None`: cannot be selected.
    pub id: Option<Key<'a>>,
    /// Key into the situation's evidence.
    pub evidence: Option<Key<'a>>,
    /// What it shows.
    pub item: Item<'a>,
}

/// A row's name, such as `metric/checkout/p95`: what it is of and the name itself, joined only where the whole is wanted.
/// Five hundred services have thousands of rows, and every key goes through all of them.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    of: &'static str,
    name: Cow<'a, str>,
}

impl<'a> Key<'a> {
    pub(super) fn of(of: &'static str, name: &'a str) -> Self {
        Self {
            of,
            name: Cow::Borrowed(name),
        }
    }

    /// The whole name.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if self.of.is_empty() {
            Cow::Borrowed(&self.name)
        } else {
            Cow::Owned(format!("{}{}", self.of, self.name))
        }
    }
}

impl Named for Key<'_> {
    fn is(&self, name: &str) -> bool {
        name.len() == self.of.len() + self.name.len()
            && name.strip_prefix(self.of) == Some(&*self.name)
    }
    fn whole(&self) -> String {
        self.text().into_owned()
    }
}

impl From<String> for Key<'_> {
    fn from(name: String) -> Self {
        Self {
            of: "",
            name: Cow::Owned(name),
        }
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(name: &'a str) -> Self {
        Self::of("", name)
    }
}

/// What a row shows.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A heading with what stands at its right.
    Heading(Cow<'a, str>, String),
    /// The headings over the deploys' columns.
    Columns,
    /// A sentence.
    Text(Tone, Cow<'a, str>),
    /// A reason of the band.
    Reason(&'a Reason),
    /// A local day with its stretches.
    Day(NaiveDate, bool, Vec<&'a StripSegment>),
    /// A release on the calendar.
    Planned(&'a CalendarRelease),
    /// A deployment.
    Deploy(&'a DeployRow),
    /// A checklist item.
    Check(&'a ItemView),
    /// A step of the rollback.
    Step(&'a PlanStep, StepState, &'a str, Option<Instant>),
    /// A checkpoint of the watch.
    Checkpoint(&'a CheckpointView),
    /// A metric.
    Metric(&'a MetricView),
    /// A gate.
    Gate(&'a GateView),
    /// A trigger.
    Trigger(&'a TriggerView),
    /// A person on call.
    Oncall(&'a OncallRow),
    /// An alert.
    Alert(&'a AlertRow),
    /// A line of the journal.
    Journal(&'a JournalLine),
    /// A debt.
    Debt(&'a DebtView),
    /// A feed.
    Feed(&'a FeedView),
    /// A line of the passport.
    Proof(&'a PassportLine),
    /// A line of the handoff, taken or not.
    Handed(&'a HandoffItem, bool),
    /// A release.
    Release(&'a ReleaseView),
    /// What the program said.
    Notice(&'a Notice),
}

impl<'a> Row<'a> {
    fn new(id: impl Into<Key<'a>>, evidence: Option<String>, item: Item<'a>) -> Self {
        Self {
            id: Some(id.into()),
            evidence: evidence.map(Key::from),
            item,
        }
    }
    fn heading(text: impl Into<Cow<'a, str>>, right: impl Into<String>) -> Self {
        Self {
            id: None,
            evidence: None,
            item: Item::Heading(text.into(), right.into()),
        }
    }
    fn text(id: &str, evidence: Option<&str>, tone: Tone, text: impl Into<Cow<'a, str>>) -> Self {
        Self::new(
            id.to_owned(),
            evidence.map(Into::into),
            Item::Text(tone, text.into()),
        )
    }

    /// The row as one line of plain text.
    #[must_use]
    pub fn plain(&self) -> String {
        super::fields::plain(&self.item)
    }
}

/// The rows of a list, filtered.
#[must_use]
pub fn rows(model: &Model, list: ListId) -> Vec<Row<'_>> {
    let mut rows = match (&model.situation, list) {
        (_, ListId::Messages) => notices(model),
        (None, _) => Vec::new(),
        (Some(_), ListId::Calendar) if calendar::drawn(model).is_some() => return drawn(model),
        (Some(s), ListId::Calendar) => agenda(model, s),
        (Some(s), _) => of(s, list),
    };
    let filter = match list {
        ListId::Calendar => &calendar::scope(model.filter(list)).1,
        _ => model.filter(list),
    };
    if !filter.trim().is_empty() {
        rows.retain(|r| r.id.is_some() && matches(filter, &r.plain()));
    }
    rows
}

fn of(s: &Situation, list: ListId) -> Vec<Row<'_>> {
    match list {
        ListId::Band => s.band.reasons.iter().map(reason).collect(),
        ListId::Calendar => agenda_of(s, &s.calendar.strip),
        ListId::Deploys => deploys(s),
        ListId::Checklist => checklist(s),
        ListId::Metrics => listed::flights(s),
        ListId::Oncall => oncall(s),
        ListId::Journal => s.journal.iter().map(journal).collect(),
        ListId::Debts => debts(s),
        ListId::Feeds => s.feeds.iter().flat_map(feed).collect(),
        ListId::Passport => passport(s),
        ListId::Plan => s.plan.as_ref().map(plan).unwrap_or_default(),
        ListId::Handoff => handoff(s),
        ListId::Releases => s.releases.iter().map(release).collect(),
        ListId::Messages => Vec::new(),
    }
}

fn notices(model: &Model) -> Vec<Row<'_>> {
    let newest_first = model.notices.iter().rev();
    newest_first
        .map(|n| Row::new(format!("notice/{}", n.number), None, Item::Notice(n)))
        .collect()
}

fn reason(r: &Reason) -> Row<'_> {
    let id = r.evidence.clone().unwrap_or_else(|| r.text.clone());
    Row::new(id, r.evidence.clone(), Item::Reason(r))
}

fn deploys(s: &Situation) -> Vec<Row<'_>> {
    let mut rows = above_deploys(s);
    rows.extend(s.deployments.iter().map(deploy));
    rows
}

/// What stands above the deployments: the line that was stopped, and the columns' headings.
pub(super) fn above_deploys(s: &Situation) -> Vec<Row<'_>> {
    let columns = Row {
        id: None,
        evidence: None,
        item: Item::Columns,
    };
    let columns = (!s.deployments.is_empty()).then_some(columns);
    let line = s.line.iter().flat_map(|l| line(s, l));
    line.chain(columns).collect()
}

/// The line that was stopped, and who obeyed.
fn line<'a>(s: &Situation, l: &'a LineView) -> Vec<Row<'a>> {
    let at = super::words::moment(l.since, s.now.world, s.timezone);
    let mut out = vec![
        Row::heading("LINE STOPPED", format!("by {} {at}", l.by)),
        Row::text("line/why", None, Tone::Hold, l.reason.as_str()),
    ];
    out.extend(l.systems.iter().map(|x| {
        let id = format!("line/{}", x.service);
        let text = match x.note.as_str() {
            "" => format!("{}: {}", x.service, x.mark.word),
            note => format!("{}: {}, {note}", x.service, x.mark.word),
        };
        Row::text(&id, None, x.mark.tone, text)
    }));
    out
}

pub(super) fn deploy(d: &DeployRow) -> Row<'_> {
    Row {
        id: Some(d.id.as_str().into()),
        evidence: Some(Key::of("deploy/", &d.id)),
        item: Item::Deploy(d),
    }
}

fn journal(j: &JournalLine) -> Row<'_> {
    let key = format!("journal/{}", j.seq);
    Row::new(key.clone(), Some(key), Item::Journal(j))
}

/// What waits for a second person, then what is owed.
fn debts(s: &Situation) -> Vec<Row<'_>> {
    let asked = s.clearance.overrides.iter();
    let asked = asked.filter(|o| o.mark.word == "asked").map(|o| {
        let id = format!("asked/{}", o.rule);
        Row::text(&id, Some("calendar"), Tone::Hold, o.said.as_str())
    });
    asked.chain(s.debts.iter().map(debt)).collect()
}

fn debt(d: &DebtView) -> Row<'_> {
    let evidence = format!("debt/{}", d.debt.id);
    Row::new(d.debt.id.clone(), Some(evidence), Item::Debt(d))
}

/// A feed, and below it what is wrong and what to do.
fn feed(f: &FeedView) -> Vec<Row<'_>> {
    let evidence = format!("feed/{}", f.need);
    let mut out = vec![Row::new(f.need.clone(), Some(evidence), Item::Feed(f))];
    if let Some(fault) = &f.fault {
        out.push(Row {
            id: None,
            evidence: None,
            item: Item::Text(Tone::Plain, format!("  {fault}").into()),
        });
    }
    out
}

fn release(r: &ReleaseView) -> Row<'_> {
    let key = format!("release/{}", r.plan.id);
    Row::new(key.clone(), Some(key), Item::Release(r))
}

/// The agenda; with a scope in the filter its days are those of whom it names.
fn agenda<'a>(model: &'a Model, s: &'a Situation) -> Vec<Row<'a>> {
    let (scope, _) = calendar::scope(model.filter(ListId::Calendar));
    let found = calendar::span(model).filter(|_| !scope.is_whole());
    let Some(span) = found else {
        return agenda_of(s, &s.calendar.strip);
    };
    let named = |id: &str| span.bars.iter().any(|b| b.release.as_deref() == Some(id));
    let mut rows = agenda_of(s, &span.strip);
    rows.retain(|r| match &r.item {
        Item::Planned(p) => named(&p.id),
        Item::Day(..) => true,
        _ => false,
    });
    for (n, note) in span.notes.iter().enumerate() {
        let id = format!("calendar/note/{n}");
        rows.push(Row::text(&id, None, Tone::Unknown, note.as_str()));
    }
    rows
}

/// The rows of a detailed view: days where one is chosen, lanes, or everything in a day.
fn drawn(model: &Model) -> Vec<Row<'_>> {
    match calendar::drawn(model) {
        Some(View::Lanes) => calendar::lanes(model).into_iter().map(lane).collect(),
        Some(View::Day) => day_rows(model),
        _ => {
            let days = calendar::days(model).into_iter();
            days.map(|d| day_row(model, d)).collect()
        }
    }
}

fn day_row(model: &Model, day: NaiveDate) -> Row<'_> {
    let mut text = day.format("%a %-d %b %Y").to_string();
    if let Some(span) = calendar::span(model) {
        for s in calendar::strip_on(model, span, day) {
            text.push_str(&format!(" {}", s.mark.word));
        }
        for b in calendar::bars_on(model, span, day) {
            text.push_str(&format!("; {} {}", b.lane.word(), b.name));
        }
    }
    Row::text(&format!("calendar/day/{day}"), None, Tone::Plain, text)
}

fn lane(l: calendar::LaneRow<'_>) -> Row<'_> {
    let names: Vec<String> = l.bars.iter().map(|b| b.name.clone()).collect();
    let text = format!("{} {}", l.label, names.join(", "));
    Row::text(&l.id, None, Tone::Plain, text)
}

/// A day, everything in it a row.
fn day_rows(model: &Model) -> Vec<Row<'_>> {
    let Some(span) = calendar::span(model) else {
        return Vec::new();
    };
    let day = calendar::cursor(model);
    let zone = calendar::zone(model);
    let bars = calendar::bars_on(model, span, day);
    let rows = bars.into_iter().map(|b| {
        let word = match b.lane {
            Lane::Release | Lane::Cover => format!(" ({})", b.mark.word),
            _ => String::new(),
        };
        let note = if b.note.is_empty() {
            String::new()
        } else {
            format!("; {}", b.note)
        };
        let text = format!(
            "{:<8} {}  {}{word}{note}",
            b.lane.word(),
            super::words::from_to(b.span, day, zone),
            b.name
        );
        let tone = if b.lane == Lane::Freeze {
            Tone::Fail
        } else {
            Tone::Plain
        };
        Row::text(&b.id, None, tone, text)
    });
    rows.collect()
}

fn agenda_of<'a>(s: &'a Situation, strip: &'a [StripSegment]) -> Vec<Row<'a>> {
    let mut out = Vec::new();
    let c = &s.calendar;
    for (i, why) in c.reasons.iter().enumerate() {
        out.push(Row::text(
            &format!("calendar/reason/{i}"),
            Some("calendar"),
            c.state.tone,
            why.as_str(),
        ));
    }
    for name in &c.unread {
        out.push(Row::text(
            &format!("calendar/unread/{name}"),
            Some("calendar"),
            Tone::Unknown,
            format!("unknown: calendar {name} was not read"),
        ));
    }
    out.extend(days(s, strip));
    for r in &c.releases {
        out.push(Row::new(
            format!("calendar/release/{}", r.id),
            Some(format!("release/{}", r.id)),
            Item::Planned(r),
        ));
    }
    if let Some(last) = &c.last_shipped {
        out.push(Row::text(
            "calendar/last",
            Some("calendar"),
            Tone::Plain,
            format!("shipped last: {last}"),
        ));
    }
    out
}

/// Eight local days with the stretches that touch each.
fn days<'a>(s: &'a Situation, strip: &'a [StripSegment]) -> Vec<Row<'a>> {
    let zone = s.timezone;
    let today = s.now.world.with_timezone(&zone).date_naive();
    if strip.is_empty() {
        return Vec::new();
    }
    let dates = (0..8).filter_map(|n| today.checked_add_days(Days::new(n)));
    dates
        .map(|date| {
            let whole = crate::domain::time::Span {
                start: day_start(date, zone),
                end: date
                    .checked_add_days(Days::new(1))
                    .map(|d| day_start(d, zone)),
            };
            let here = strip.iter();
            let here = here.filter(|seg| seg.span.overlaps(&whole)).collect();
            let key = format!("calendar/day/{date}");
            Row::new(
                key,
                Some("calendar".into()),
                Item::Day(date, date == today, here),
            )
        })
        .collect()
}

/// Is there a plan that a person must see? Running, or ended with the release still open.
#[must_use]
pub fn visible_plan(s: &Situation) -> Option<&PlanView> {
    let open = !s.band.phase.is_some_and(|p| p.over());
    let mine = |p: &&PlanView| s.current.as_deref() == Some(p.plan.release.as_str());
    s.plan
        .as_ref()
        .filter(|p| p.ended.is_none() || (open && mine(p)))
}

fn checklist(s: &Situation) -> Vec<Row<'_>> {
    let mut out = visible_plan(s).map(plan).unwrap_or_default();
    for section in [Section::PreDeploy, Section::Deploy, Section::PostDeploy] {
        let items: Vec<&ItemView> = s
            .checklist
            .items
            .iter()
            .filter(|i| i.section == section)
            .collect();
        if items.is_empty() {
            continue;
        }
        let progress = s.checklist.sections.iter().find(|p| p.section == section);
        let progress = progress.map_or(String::new(), |p| p.words());
        out.push(Row::heading(section.word(), progress));
        out.extend(items.into_iter().map(|i| {
            let evidence = format!("item/{}", i.id);
            Row::new(i.id.clone(), Some(evidence), Item::Check(i))
        }));
    }
    if let Some(w) = &s.watch {
        let until = super::words::moment(w.until, s.now.world, s.timezone);
        let how = match &w.end {
            Some(end) => format!("ended, {}: {}", end.mark.word, end.said),
            None => format!("until {until}"),
        };
        out.push(Row::heading("WATCH", how));
        out.extend(w.checkpoints.iter().map(|c| {
            let key = format!("checkpoint/{}", c.after);
            Row::new(key.clone(), Some(key), Item::Checkpoint(c))
        }));
        out.extend(w.suspects.iter().map(|x| {
            let id = format!("suspect/{}/{}/{}", x.worse, x.service, x.version);
            let at = super::words::moment(x.at, s.now.world, s.timezone);
            let release = x.release.as_deref().unwrap_or("unplanned");
            let text = format!(
                "suspect for {}: {} {} ({release}) {at}, {}",
                x.worse, x.service, x.version, x.said
            );
            Row::text(&id, Some("watch/suspects"), Tone::Hold, text)
        }));
    }
    out
}

fn plan(p: &PlanView) -> Vec<Row<'_>> {
    let done = p.states.values();
    let done = done.filter(|(st, _)| matches!(st, StepState::Confirmed | StepState::Deferred));
    let right = match &p.ended {
        Some((true, _)) => "ended".to_string(),
        Some((false, _)) => "ended, not done".to_string(),
        None => format!("{}/{}", done.count(), p.plan.steps.len()),
    };
    let mut out = vec![Row::heading("ROLLBACK", right)];
    if let Some(why) = &p.stuck {
        out.push(Row::text("plan/stuck", None, Tone::Fail, why.as_str()));
    }
    if let Some((done, sentence)) = &p.ended {
        let tone = if *done { Tone::Plain } else { Tone::Fail };
        out.push(Row::text("plan/ended", None, tone, sentence.as_str()));
    }
    out.push(Row::text("plan/times", None, Tone::Plain, times(p)));
    out.extend(p.plan.steps.iter().map(|step| {
        let (state, said) = p
            .states
            .get(&step.id)
            .map_or((StepState::Waiting, ""), |(st, said)| (*st, said.as_str()));
        let at = p.times.get(&step.id).copied();
        let key = format!("step/{}", step.id);
        Row::new(key.clone(), Some(key), Item::Step(step, state, said, at))
    }));
    out
}

/// Trip → request → old version live → metrics clear, as far as it is.
fn times(p: &PlanView) -> String {
    let word = |seconds: Option<i64>| {
        let length = seconds.and_then(chrono::Duration::try_seconds);
        length.map_or_else(
            || {
                if p.ended.is_some() {
                    "not seen"
                } else {
                    "not yet"
                }
                .to_owned()
            },
            crate::domain::time::duration_words,
        )
    };
    let (request, live, clear) = p.times_to;
    let trip = match p.plan.tripped_at {
        Some(_) => format!("trip → request {}", word(request)),
        None => "no trip called for it".to_owned(),
    };
    format!(
        "{trip} · request → live {} · → clear {}",
        word(live),
        word(clear)
    )
}

fn oncall(s: &Situation) -> Vec<Row<'_>> {
    let o = &s.oncall;
    let mut out: Vec<Row<'_>> = o
        .rows
        .iter()
        .map(|r| {
            let id = format!("oncall/{}/{}", r.level, r.person);
            Row::new(id, Some("oncall".into()), Item::Oncall(r))
        })
        .collect();
    if !o.brief.word.is_empty() {
        let mut text = format!("brief: {}", o.brief.word);
        if !o.note.is_empty() {
            text = format!("{text}, {}", o.note);
        }
        out.push(Row::text(
            "oncall/brief",
            Some("oncall"),
            o.brief.tone,
            text,
        ));
    }
    if let Some(at) = o.escalates_at {
        let left = crate::domain::time::duration_words(at - s.now.world);
        let text = format!("escalates in {left}");
        out.push(Row::text(
            "oncall/escalates",
            Some("oncall"),
            Tone::Hold,
            text,
        ));
    }
    for (i, line) in o.incidents.iter().enumerate() {
        let text = format!("incident: {line}");
        out.push(Row::text(
            &format!("oncall/incident/{i}"),
            Some("oncall"),
            Tone::Fail,
            text,
        ));
    }
    out.extend(o.alerts.iter().map(|a| {
        let service = a.service.as_deref().unwrap_or("");
        let id = format!("alert/{}/{service}", a.name);
        Row::new(id, Some("oncall".into()), Item::Alert(a))
    }));
    if let Some(h) = &s.handoff {
        let taken = h.items.iter().filter(|(_, t)| *t).count();
        let text = format!(
            "handoff {} → {}: {taken} of {} taken",
            h.from,
            h.to,
            h.items.len()
        );
        out.push(Row::text("oncall/handoff", None, Tone::Hold, text));
    }
    out
}

fn passport(s: &Situation) -> Vec<Row<'_>> {
    let mut out = Vec::new();
    for p in &s.passports {
        let (from, to) = (
            p.from.as_deref().unwrap_or("?"),
            p.to.as_deref().unwrap_or("?"),
        );
        out.push(Row::heading(
            format!("{} in {}: {from} → {to}", p.service, p.environment),
            format!("{}/{}", p.passed, p.lines.len()),
        ));
        if let Some(why) = &p.no_return {
            let id = format!("passport/{}/no-return", p.service);
            let text = format!("past the point of no return: {why}");
            out.push(Row::text(&id, None, Tone::Fail, text));
        }
        let evidence = format!("passport/{}", p.service);
        out.extend(p.lines.iter().map(|l| {
            Row::new(
                format!("{evidence}/{}", l.id),
                Some(evidence.clone()),
                Item::Proof(l),
            )
        }));
        for (version, said) in &p.others {
            let id = format!("{evidence}/other/{version}");
            let text = format!("or to {version}: {said}");
            out.push(Row::text(&id, Some(&evidence), Tone::Plain, text));
        }
    }
    out
}

fn handoff(s: &Situation) -> Vec<Row<'_>> {
    let Some(h) = &s.handoff else {
        return Vec::new();
    };
    let at = super::words::moment(h.at, s.now.world, s.timezone);
    let mut out = vec![Row::heading(
        format!("{} hands over to {}", h.from, h.to),
        at,
    )];
    out.extend(
        h.items
            .iter()
            .map(|(item, taken)| Row::new(item.id.clone(), None, Item::Handed(item, *taken))),
    );
    out
}
