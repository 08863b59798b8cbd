//! Where folded samples go: a list of points, or a fixed number of columns for a chart.

use std::collections::BTreeMap;

/// Label → value.
pub type Labels = BTreeMap<String, String>;

/// Takes the samples of one series as they pass.
pub trait Sink: Clone {
    /// One finite sample at `time` (Unix seconds), usually later than the one before.
    fn put(&mut self, time: i64, value: f64);
    /// Another stretch of the same series.
    fn append(&mut self, other: Self);
    /// Called once after the last sample: brings the kept samples into order.
    fn settle(&mut self);
    /// Time of the newest sample; Unix seconds.
    fn newest(&self) -> Option<i64>;
}

/// Every sample: (Unix seconds, value), ascending after [`Sink::settle`], one a time (the last put wins).
impl Sink for Vec<(i64, f64)> {
    fn put(&mut self, time: i64, value: f64) {
        self.push((time, value));
    }
    fn append(&mut self, mut other: Self) {
        Vec::append(self, &mut other);
    }
    fn settle(&mut self) {
        if !self.is_sorted_by(|a, b| a.0 < b.0) {
            self.sort_by_key(|p| p.0);
            self.reverse();
            self.dedup_by_key(|p| p.0);
            self.reverse();
        }
        self.shrink_to_fit();
    }
    fn newest(&self) -> Option<i64> {
        self.last().map(|p| p.0)
    }
}

/// How the samples that share a column become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// Added up: increments.
    Sum,
    /// Their mean: levels.
    Mean,
    /// The largest: peaks must not vanish from a chart.
    Max,
}

impl Fold {
    /// The fold of that name (`sum`, `mean`, `max`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sum" => Some(Self::Sum),
            "mean" => Some(Self::Mean),
            "max" => Some(Self::Max),
            _ => None,
        }
    }
}

/// Equal columns over a span of bucket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// End of the first bucket, Unix seconds.
    pub start: i64,
    /// Length of a column in seconds; at least 1.
    pub width: i64,
    /// How many columns.
    pub count: usize,
}

impl Grid {
    /// At most `columns` equal columns over the bucket ends `start..=end` that lie `step` seconds apart; a column is a
    /// whole number of buckets.
    #[must_use]
    pub fn over(start: i64, end: i64, step: i64, columns: usize) -> Self {
        let step = step.max(1);
        let buckets = (end.saturating_sub(start)).max(0) / step + 1;
        let columns = i64::try_from(columns.max(1)).unwrap_or(i64::MAX);
        let each = (buckets - 1) / columns + 1;
        let count = usize::try_from((buckets - 1) / each + 1).unwrap_or(1);
        Self {
            start,
            width: each.saturating_mul(step),
            count,
        }
    }

    /// The column that holds a bucket end; `None` outside the span.
    fn column(&self, time: i64) -> Option<usize> {
        let offset = time.checked_sub(self.start)?;
        if offset < 0 {
            return None;
        }
        usize::try_from(offset / self.width.max(1))
            .ok()
            .filter(|i| *i < self.count)
    }
}

impl Grid {
    /// The times that belong to a column.
    fn times(&self, column: usize) -> std::ops::Range<i64> {
        let from = i64::try_from(column)
            .unwrap_or(i64::MAX)
            .saturating_mul(self.width)
            .saturating_add(self.start);
        from..from.saturating_add(self.width)
    }
}

/// What a column gathered.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    sum: f64,
    max: f64,
    samples: u32,
    last: i64,
}

/// One series in a fixed number of columns: memory is the grid's, whatever the answer's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    grid: Grid,
    cells: Vec<Cell>,
    /// The column of the sample before, with the times that belong to it: most samples need no division.
    recent: (usize, std::ops::Range<i64>),
}

impl Columns {
    const EMPTY: Cell = Cell {
        sum: 0.0,
        max: f64::NEG_INFINITY,
        samples: 0,
        last: i64::MIN,
    };

    /// Empty columns; memory is taken with the first sample.
    #[must_use]
    pub fn new(grid: Grid) -> Self {
        Self {
            grid,
            cells: Vec::new(),
            recent: (0, 0..0),
        }
    }

    fn merge(&mut self, column: usize, with: Cell) {
        if self.cells.is_empty() {
            self.cells = vec![Self::EMPTY; self.grid.count];
        }
        if let Some(cell) = self.cells.get_mut(column) {
            cell.sum += with.sum;
            cell.max = cell.max.max(with.max);
            cell.samples = cell.samples.saturating_add(with.samples);
            cell.last = cell.last.max(with.last);
        }
    }

    /// (newest bucket end in the column, folded value) of every column that has a sample.
    #[must_use]
    pub fn points(&self, fold: Fold) -> Vec<(i64, f64)> {
        self.cells
            .iter()
            .filter(|c| c.samples > 0)
            .map(|c| {
                let value = match fold {
                    Fold::Sum => c.sum,
                    Fold::Mean => c.sum / f64::from(c.samples),
                    Fold::Max => c.max,
                };
                (c.last, value)
            })
            .filter(|p| p.1.is_finite())
            .collect()
    }
}

impl Sink for Columns {
    fn put(&mut self, time: i64, value: f64) {
        if !self.recent.1.contains(&time) {
            let Some(column) = self.grid.column(time) else {
                return;
            };
            self.recent = (column, self.grid.times(column));
        }
        self.merge(
            self.recent.0,
            Cell {
                sum: value,
                max: value,
                samples: 1,
                last: time,
            },
        );
    }
    fn append(&mut self, other: Self) {
        for (column, cell) in other.cells.into_iter().enumerate() {
            if cell.samples > 0 {
                self.merge(column, cell);
            }
        }
    }
    fn settle(&mut self) {}
    fn newest(&self) -> Option<i64> {
        self.cells
            .iter()
            .map(|c| c.last)
            .max()
            .filter(|t| *t > i64::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 0, 60, 10, 60, 1)]
    #[case(60, 600, 60, 10, 60, 10)]
    #[case(60, 660, 60, 10, 120, 6)]
    #[case(0, 17_280 * 60, 60, 200, 87 * 60, 199)]
    #[case(0, 600, 60, 0, 660, 1)]
    #[case(100, 0, 60, 5, 60, 1)]
    fn a_grid_covers_its_span_in_at_most_that_many_columns(
        #[case] start: i64,
        #[case] end: i64,
        #[case] step: i64,
        #[case] columns: usize,
        #[case] width: i64,
        #[case] count: usize,
    ) {
        let grid = Grid::over(start, end, step, columns);
        assert_eq!((grid.width, grid.count), (width, count));
        assert!(grid.column(start).is_some());
        assert!(end < start || grid.column(end).is_some());
        assert_eq!(grid.column(start - 1), None);
    }

    #[test]
    fn columns_add_average_and_keep_peaks() {
        let mut left = Columns::new(Grid::over(60, 360, 60, 3));
        left.put(60, 1.0);
        left.put(120, 3.0);
        left.put(360, 5.0);
        left.put(9_999, 100.0);
        let mut right = Columns::new(Grid::over(60, 360, 60, 3));
        right.put(300, 7.0);
        left.append(right);
        assert_eq!(left.points(Fold::Sum), [(120, 4.0), (360, 12.0)]);
        assert_eq!(left.points(Fold::Mean), [(120, 2.0), (360, 6.0)]);
        assert_eq!(left.points(Fold::Max), [(120, 3.0), (360, 7.0)]);
        assert_eq!(left.newest(), Some(360));
    }

    #[test]
    fn points_are_put_in_order_and_the_last_of_one_time_counts() {
        let mut points: Vec<(i64, f64)> = vec![];
        for (t, v) in [(120, 2.0), (60, 1.0), (120, 3.0)] {
            Sink::put(&mut points, t, v);
        }
        points.settle();
        assert_eq!(points, [(60, 1.0), (120, 3.0)]);
    }
}
