//! A list's rows as they are drawn and moved through. Where there are hundreds of services two lists have thousands of rows, of which a
//! key moves one and a frame draws forty: what is the same for all of them is found once as a situation comes.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use crate::domain::situation::{DeployRow, MetricView, Situation};

use super::list::{Ids, ListId, Named};
use super::model::Model;
use super::rows::{self, Item, Key, Row};

/// What every key asks of the situation on screen, found once.
#[derive(Clone, Debug, Default)]
pub struct Found {
    of: Weak<Situation>,
    order: Vec<At>,
    /// Deployments that no release names.
    pub unplanned: usize,
    deploys: OnceCell<Columns>,
    metrics: OnceCell<Columns>,
}

/// How wide a list's columns are, and its loudest row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Names, in columns of the screen; likewise the others.
    pub name: usize,
    /// What stands behind the name.
    pub second: usize,
    /// Words of state.
    pub word: usize,
    /// Times.
    pub time: usize,
    /// Bars of steps, with the share of traffic and in a narrow list.
    pub bar: (usize, usize),
    /// There are deployments.
    pub deploys: bool,
    /// The row that needs a person most; at most one a list.
    pub loudest: Option<usize>,
}

impl Found {
    /// Finds it, unless it is of this situation already.
    pub fn renew(&mut self, situation: Option<&Arc<Situation>>) {
        match situation {
            Some(s) if !self.is_of(s) => {
                *self = Self {
                    of: Arc::downgrade(s),
                    order: order(s),
                    unplanned: unplanned(s),
                    ..Self::default()
                };
            }
            _ => {}
        }
    }

    fn is_of(&self, s: &Arc<Situation>) -> bool {
        std::ptr::eq(self.of.as_ptr(), Arc::as_ptr(s))
    }
}

fn unplanned(s: &Situation) -> usize {
    s.deployments.iter().filter(|d| d.unplanned).count()
}

/// Deployments on screen that no release names.
#[must_use]
pub fn unplanned_of(model: &Model) -> usize {
    match &model.situation {
        Some(s) if model.found.is_of(s) => model.found.unplanned,
        Some(s) => unplanned(s),
        None => 0,
    }
}

/// Where a row of the metrics pane stands in the situation.
#[derive(Clone, Copy, Debug)]
enum At {
    Metric(usize),
    Gate(usize),
    Trigger(usize),
}

/// Service by service, those with a rollout under way first: its metrics, gates, triggers.
fn order(s: &Situation) -> Vec<At> {
    let moving: BTreeSet<&str> = s
        .deployments
        .iter()
        .filter(|d| d.release.is_some() && d.state.in_flight())
        .map(|d| d.service.as_str())
        .collect();
    let metrics = s.metrics.iter().enumerate();
    let all = metrics.map(|(i, m)| (At::Metric(i), m.service.as_str()));
    let gates = s.gates.iter().enumerate();
    let all = all.chain(gates.map(|(i, g)| (At::Gate(i), g.service.as_str())));
    let triggers = s.triggers.iter().enumerate();
    let all = all.chain(triggers.map(|(i, t)| (At::Trigger(i), t.service.as_str())));
    let mut ranks: HashMap<&str, (bool, usize)> = HashMap::new();
    let mut ranked: Vec<((bool, usize), At)> = all
        .map(|(at, service)| {
            let next = (!moving.contains(service), ranks.len());
            (*ranks.entry(service).or_insert(next), at)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, at)| at).collect()
}

/// The rows of the metrics pane.
pub(super) fn flights(s: &Situation) -> Vec<Row<'_>> {
    let order = order(s).into_iter();
    order.filter_map(|at| flight(s, at)).collect()
}

fn flight(s: &Situation, at: At) -> Option<Row<'_>> {
    let (key, item): (Key<'_>, Item<'_>) = match at {
        At::Metric(i) => {
            let m = s.metrics.get(i)?;
            (Key::of("metric/", &m.id), Item::Metric(m))
        }
        At::Gate(i) => {
            let g = s.gates.get(i)?;
            (g.id.as_str().into(), Item::Gate(g))
        }
        At::Trigger(i) => {
            let t = s.triggers.get(i)?;
            (t.id.as_str().into(), Item::Trigger(t))
        }
    };
    Some(Row {
        id: Some(key.clone()),
        evidence: Some(key),
        item,
    })
}

/// A list's rows: each is made when it is asked for where there may be thousands.
#[derive(Debug)]
pub enum Listed<'a> {
    /// Whole rows.
    Rows(Vec<Row<'a>>),
    /// Those of the metrics pane.
    Metrics {
        /// Of which.
        s: &'a Situation,
        /// In this order.
        order: Order<'a>,
        /// Measured once.
        columns: Option<&'a OnceCell<Columns>>,
    },
    /// Those of the deploys.
    Deploys {
        /// Above them.
        head: Vec<Row<'a>>,
        /// The deployments.
        rows: &'a [DeployRow],
        /// Measured once.
        columns: Option<&'a OnceCell<Columns>>,
    },
}

/// The order of the metrics pane's rows.
#[derive(Debug)]
pub struct Order<'a>(Cow<'a, [At]>);

impl<'a> Listed<'a> {
    /// The rows of a list, filtered.
    #[must_use]
    pub fn of(model: &'a Model, list: ListId) -> Self {
        let plain = model.filter(list).trim().is_empty();
        let found = &model.found;
        match (&model.situation, list) {
            (Some(s), ListId::Metrics) if plain => {
                let known = found.is_of(s);
                Self::Metrics {
                    s,
                    order: Order(if known {
                        Cow::Borrowed(&found.order)
                    } else {
                        Cow::Owned(order(s))
                    }),
                    columns: known.then_some(&found.metrics),
                }
            }
            (Some(s), ListId::Deploys) if plain => Self::Deploys {
                head: rows::above_deploys(s),
                rows: &s.deployments,
                columns: found.is_of(s).then_some(&found.deploys),
            },
            _ => Self::Rows(rows::rows(model, list)),
        }
    }

    /// The row at a place.
    #[must_use]
    pub fn row(&self, at: usize) -> Option<Row<'a>> {
        match self {
            Self::Rows(rows) => rows.get(at).cloned(),
            Self::Metrics { s, order, .. } => order.0.get(at).and_then(|at| flight(s, *at)),
            Self::Deploys { head, rows, .. } => match at.checked_sub(head.len()) {
                Some(i) => rows.get(i).map(rows::deploy),
                None => head.get(at).cloned(),
            },
        }
    }

    /// Its columns, as `measure` finds them; once where the rows stay the same.
    pub fn columns(&self, measure: impl FnOnce(&Self) -> Columns) -> Columns {
        let (Self::Metrics { columns, .. } | Self::Deploys { columns, .. }) = self else {
            return measure(self);
        };
        match columns {
            Some(cell) => *cell.get_or_init(|| measure(self)),
            None => measure(self),
        }
    }

    /// The metric that a row is.
    #[must_use]
    pub fn metric(&self, at: usize) -> Option<&'a MetricView> {
        match self.row(at)?.item {
            Item::Metric(m) => Some(m),
            _ => None,
        }
    }
}

impl Ids for Listed<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Metrics { order, .. } => order.0.len(),
            Self::Deploys { head, rows, .. } => head.len() + rows.len(),
        }
    }
    fn selectable(&self, at: usize) -> bool {
        match self {
            Self::Rows(rows) => rows.get(at).is_some_and(|r| r.id.is_some()),
            Self::Metrics { order, .. } => at < order.0.len(),
            Self::Deploys { head, .. } => head.get(at).is_none_or(|r| r.id.is_some()),
        }
    }
    fn is(&self, at: usize, name: &str) -> bool {
        let is = |id: &Option<Key<'_>>| id.as_ref().is_some_and(|id| id.is(name));
        match self {
            Self::Rows(rows) => rows.get(at).is_some_and(|r| is(&r.id)),
            _ => self.row(at).is_some_and(|r| is(&r.id)),
        }
    }
    fn name(&self, at: usize) -> Option<String> {
        self.row(at)?.id.as_ref().map(Named::whole)
    }
}
