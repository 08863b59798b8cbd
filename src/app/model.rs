//! What the interface knows: the situation as it came, and where the person stands in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::situation::{Evidence, Refusal, Situation};
use crate::domain::time::{Instant, Now};

use super::action::Action;
use super::dialog::Dialog;
use super::edit::Edit;
use super::keymap::Keymap;
use super::layout::{Area, Layout, Pane, Shape, layout, metrics_split};
use super::list::{ListId, ListState};
use super::listed::{Found, Listed};
use super::options::Options;
use super::tour::Tour;

/// Seconds without a new situation after which nothing on screen counts as known.
pub const SILENCE: i64 = 90;

/// Spans that the charts may be drawn over, seconds.
pub const RANGES: [i64; 9] = [
    900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 259_200,
];

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    /// Good to know.
    Info,
    /// Went wrong; stays until it is dismissed.
    Error,
}

/// Something the program said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Counts up.
    pub number: u64,
    /// When, world time.
    pub at: Instant,
    /// The sentence.
    pub text: String,
    /// How loud.
    pub loudness: Loudness,
    /// It stands elsewhere on screen, so the footer leaves it out.
    pub quiet: bool,
}

/// An order that has not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// What it does.
    pub label: String,
    /// Since when, real time.
    pub since: Instant,
}

/// What is open over the panes, the topmost last.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// Keys.
    Help {
        /// Search words.
        query: Edit,
        /// First line drawn.
        scroll: usize,
    },
    /// Commands.
    Palette {
        /// Search words.
        query: Edit,
        /// Selected action.
        selected: Option<&'static str>,
    },
    /// What stands behind a row.
    Evidence {
        /// The row's evidence key, to follow it.
        key: Option<String>,
        /// As last seen.
        shown: Evidence,
        /// First line drawn.
        scroll: usize,
    },
    /// Why an act is refused.
    Refusal {
        /// What was wanted.
        label: String,
        /// Its permit's key, to follow it; `None` where the engine refused an order.
        key: Option<String>,
        /// The reasons.
        refusals: Vec<Refusal>,
        /// The selected one.
        selected: usize,
    },
    /// An act to confirm.
    Dialog(Box<Dialog>),
    /// A list.
    List(ListId),
    /// A document.
    Document {
        /// Its heading.
        title: String,
        /// Its text.
        markdown: String,
        /// First line drawn.
        scroll: usize,
    },
    /// Leave although something is in flight?
    Quit {
        /// The button "leave" has the focus; at first it has not.
        leave: bool,
    },
    /// A date on the calendar.
    GoTo {
        /// As typed.
        query: Edit,
        /// Which date that is.
        meant: Option<chrono::NaiveDate>,
        /// Why it is no date.
        complaint: Option<String>,
    },
}

/// What the interface knows.
#[derive(Clone, Debug)]
pub struct Model {
    /// As started.
    pub options: Options,
    /// Keys in force.
    pub keymap: Keymap,
    /// The time of the latest message.
    pub now: Now,
    /// Columns and rows of the window.
    pub size: (u16, u16),
    /// The latest situation.
    pub situation: Option<Arc<Situation>>,
    /// What was found in it as it came.
    pub found: Found,
    /// The focused pane.
    pub pane: Pane,
    /// The band's reasons have the focus instead of the pane.
    pub on_band: bool,
    /// One pane over the whole window.
    pub zoom: bool,
    /// Seconds that the charts are drawn over; `None`: since the deployment.
    pub range: Option<i64>,
    /// Where each list stands.
    pub lists: BTreeMap<ListId, ListState>,
    /// The list whose filter is being typed.
    pub filtering: Option<(ListId, Edit)>,
    /// What is open over the panes.
    pub overlays: Vec<Overlay>,
    /// Orders that have not come back.
    pub in_flight: BTreeMap<u64, InFlight>,
    /// Next order's number.
    pub next_seq: u64,
    /// What the program said, oldest first.
    pub notices: Vec<Notice>,
    /// Notices up to this number were seen or dismissed.
    pub dismissed: u64,
    /// The terminal says that it has the focus; until it says so nobody is known to look.
    pub focused: bool,
    /// The mouse is on.
    pub mouse: bool,
    /// Where the person stands in the calendar.
    pub calendar: super::calendar::Calendar,
    /// The tour.
    pub tour: Tour,
    /// Why the engine stopped.
    pub fatal: Option<String>,
    /// Terminal title last asked for.
    pub title: String,
    /// Release and service the engine was last told about.
    pub told: (Option<String>, Option<String>),
    /// The release that was chosen to be looked at.
    pub looking: Option<String>,
    /// The interface ends.
    pub quitting: bool,
}

impl Model {
    /// Before anything was read.
    ///
    /// # Errors
    /// The keymap's conflicts, a sentence each.
    pub fn new(options: Options, size: (u16, u16), now: Now) -> Result<Self, Vec<String>> {
        let keymap = Keymap::new(options.read_only, &options.keymap)?;
        Ok(Self {
            tour: Tour::new(options.hints),
            options,
            keymap,
            now,
            size,
            situation: None,
            found: Found::default(),
            pane: Pane::Deploys,
            on_band: false,
            zoom: false,
            range: None,
            lists: BTreeMap::new(),
            filtering: None,
            overlays: Vec::new(),
            in_flight: BTreeMap::new(),
            next_seq: 1,
            notices: Vec::new(),
            dismissed: 0,
            focused: false,
            mouse: false,
            calendar: super::calendar::Calendar::default(),
            fatal: None,
            title: String::new(),
            told: (None, None),
            looking: None,
            quitting: false,
        })
    }

    /// Where everything stands now.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let alarms = super::alarms::alarms(self).len();
        let alarms = u16::try_from(alarms).unwrap_or(u16::MAX);
        layout(self.size, self.pane, self.zoom, alarms)
    }

    /// How much fits.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape::of(self.size)
    }

    /// A list's filter.
    #[must_use]
    pub fn filter(&self, list: ListId) -> &str {
        match &self.filtering {
            Some((l, edit)) if *l == list => edit.text(),
            _ => self.lists.get(&list).map_or("", |s| s.filter.as_str()),
        }
    }

    /// The list that movement keys and row acts work on; `None` while something without rows is on top.
    #[must_use]
    pub fn focused_list(&self) -> Option<ListId> {
        match self.overlays.last() {
            Some(Overlay::List(list)) => Some(*list),
            Some(_) => None,
            None if self.shape() == Shape::Tiny => None,
            None if self.on_band => Some(ListId::Band),
            None => Some(self.pane.list()),
        }
    }

    /// Where a list's rows are drawn; `None`: not drawn.
    #[must_use]
    pub fn list_area(&self, list: ListId) -> Option<Area> {
        self.list_area_in(&self.layout(), list)
    }

    /// [`Self::list_area`] with the layout at hand.
    #[must_use]
    pub fn list_area_in(&self, l: &Layout, list: ListId) -> Option<Area> {
        if l.shape == Shape::Tiny {
            return None;
        }
        if self
            .overlays
            .iter()
            .any(|o| matches!(o, Overlay::List(id) if *id == list))
        {
            return Some(l.over.inner());
        }
        if list == ListId::Band {
            return Some(l.band);
        }
        let (_, area) = l.panes.iter().find(|(p, _)| p.list() == list)?;
        if list == ListId::Metrics {
            let rows = self
                .situation
                .as_ref()
                .map_or(0, |s| s.metrics.len() + s.gates.len() + s.triggers.len());
            return Some(metrics_split(area.inner(), rows).1);
        }
        if list == ListId::Calendar && super::calendar::drawn(self).is_some() {
            return Some(super::calendar::split(self, area.inner()).1);
        }
        Some(area.inner())
    }

    /// The selected row's id, if that row is there.
    #[must_use]
    pub fn selected(&self, list: ListId) -> Option<String> {
        let state = self.lists.get(&list)?;
        let rows = Listed::of(self, list);
        state.place(&rows).and_then(|_| state.selected.clone())
    }

    /// Nothing on screen counts as known: the engine stopped, or fell silent.
    #[must_use]
    pub fn silent(&self) -> bool {
        self.fatal.is_some()
            || self
                .situation
                .as_ref()
                .is_some_and(|s| (self.now.real - s.now.real).num_seconds() > SILENCE)
    }

    /// World time now: carried on from the latest message.
    #[must_use]
    pub fn world(&self) -> Instant {
        self.now.world
    }

    /// The real time at which the screen changes by itself at the latest: each second while a countdown or an act runs, else the
    /// next age label.
    #[must_use]
    pub fn next_change(&self) -> Instant {
        let counting = self.situation.as_ref().is_some_and(|s| {
            s.band.countdown.is_some()
                || s.oncall.escalates_at.is_some()
                || s.plan.as_ref().is_some_and(|p| p.ended.is_none())
        });
        let wait = if counting || !self.in_flight.is_empty() {
            1
        } else {
            15
        };
        self.now.real + chrono::Duration::seconds(wait)
    }

    /// Says something: in the footer now, among the messages later.
    pub fn say(&mut self, loudness: Loudness, text: impl Into<String>) {
        self.note(loudness, text, false);
    }

    /// Keeps something among the messages; `quiet`: it stands elsewhere on screen already.
    pub fn note(&mut self, loudness: Loudness, text: impl Into<String>, quiet: bool) {
        let number = self.notices.last().map_or(1, |n| n.number + 1);
        self.notices.push(Notice {
            number,
            at: self.now.world,
            text: text.into(),
            loudness,
            quiet,
        });
        if self.notices.len() > 200 {
            self.notices.remove(0);
        }
    }

    /// The notice that stands in the footer: what went wrong before what is good to know.
    #[must_use]
    pub fn notice(&self) -> Option<&Notice> {
        let open = |n: &&Notice| n.number > self.dismissed && !n.quiet;
        let wrong = |n: &&Notice| open(n) && n.loudness == Loudness::Error;
        let newest = self.notices.iter().rev();
        newest.clone().find(wrong).or(newest.clone().find(open))
    }

    /// Takes the notice off the footer; it stays among the messages. `false` where there was none.
    pub fn dismiss(&mut self) -> bool {
        let shown = self.notice().is_some();
        self.dismissed = self.notices.last().map_or(0, |n| n.number);
        shown
    }

    /// Acts under way: this interface's orders and the situation's rollback, a line each.
    #[must_use]
    pub fn under_way(&self) -> Vec<String> {
        let mut out: Vec<String> = self.in_flight.values().map(|f| f.label.clone()).collect();
        if let Some(p) = self.situation.as_ref().and_then(|s| s.plan.as_ref())
            && p.ended.is_none()
        {
            out.push(format!("rollback of {}", p.plan.release));
        }
        out
    }

    /// What an action is refused for, or `None` where it is permitted or knows no permit.
    #[must_use]
    pub fn refusals(&self, action: &Action) -> Option<&[Refusal]> {
        use crate::domain::situation::Permission;
        let key = action.permit(None)?;
        match self.situation.as_ref()?.permits.get(&key)? {
            Permission::Refused(list) => Some(list),
            Permission::Granted(_) => None,
        }
    }
}
