//! The judge and the methods it is held against, each run over one simulated gate.

use cockpit::domain::judge::{
    BaselineKind, Block, Counts, CountsInput, Elapsed, Noise, decide_counts, mann_whitney, measure,
};
use cockpit::domain::verdict::Verdict;
use statrs::function::gamma::ln_gamma;

use crate::world::{GATE, HOUR, LOOKS, Run};

/// How a gate ended: at which minute it failed, or whether it passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Fail(f64),
    Pass,
    Undecided,
}

/// A gate as the methods see it: requests a minute, and one effect of a run.
pub struct Gate<'a> {
    pub run: &'a Run,
    pub new: &'a [f64],
    pub requests: f64,
    pub kind: BaselineKind,
    pub noise: Option<Noise>,
}

/// The noise as the program would measure it; none when the history says nothing.
pub fn noise(run: &Run, requests: f64) -> Option<Noise> {
    let days: Vec<Vec<Block>> = run
        .week
        .iter()
        .map(|day| {
            day.chunks(10)
                .map(|block| Block {
                    events: block.iter().sum(),
                    total: requests * 10.0,
                })
                .collect()
        })
        .collect();
    measure(&days).ok().map(Noise::Measured)
}

impl Gate<'_> {
    /// The baseline at look `look` (from 1).
    fn baseline(&self, look: usize) -> Counts {
        let over =
            |events: f64, minutes: f64| Counts::new(events, self.requests * minutes).over(minutes);
        match self.kind {
            BaselineKind::Concurrent => over(
                self.run.stable.iter().take(look).sum(),
                look as f64 / LOOKS as f64,
            ),
            BaselineKind::Hour => over(self.run.hour.iter().sum(), HOUR as f64),
            BaselineKind::SevenDays => {
                over(self.run.week.iter().flatten().sum(), (7 * HOUR) as f64)
            }
        }
    }

    fn fresh(&self, look: usize) -> Counts {
        let minutes = look as f64 / LOOKS as f64;
        Counts::new(self.new.iter().take(look).sum(), self.requests * minutes).over(minutes)
    }

    /// The judge, looking every 15 s; a later Fail replaces a Pass.
    pub fn judge(&self) -> End {
        let Some(noise) = self.noise else {
            return End::Undecided;
        };
        let mut passed = false;
        for look in 1..=GATE * LOOKS {
            let minutes = look as f64 / LOOKS as f64;
            let mut input = CountsInput::new(self.fresh(look), self.baseline(look), self.kind);
            (input.noise, input.days, input.elapsed) = (noise, Some(7), Elapsed::Minutes(minutes));
            match decide_counts(&input) {
                Verdict::Fail => return End::Fail(minutes),
                Verdict::Pass => passed = true,
                _ => {}
            }
        }
        if passed { End::Pass } else { End::Undecided }
    }

    /// Fail as soon as `bad(look)`; whatever has not failed after ten minutes passed, as the tools of the field do.
    fn until(&self, step: usize, bad: impl Fn(usize) -> bool) -> End {
        (step..=GATE * LOOKS)
            .step_by(step)
            .find(|look| bad(*look))
            .map_or(End::Pass, |look| End::Fail(look as f64 / LOOKS as f64))
    }

    /// "Error rate above T times the baseline's", at each look from one minute on.
    pub fn threshold(&self) -> End {
        let tolerance = self.kind.default_tolerance();
        self.until(1, |look| {
            let (new, old) = (self.fresh(look), self.baseline(look));
            look >= LOOKS && new.events * old.total > tolerance * old.events * new.total
        })
    }

    /// Fisher's exact test at each look, one-sided 2 %.
    pub fn fisher(&self) -> End {
        self.until(1, |look| {
            fisher_upper(self.fresh(look), self.baseline(look)) < 0.02
        })
    }

    /// Mann–Whitney over the minutes' counts at each minute from the third, 2 % two-sided, upward.
    pub fn ranks(&self) -> End {
        let minute = |looks: &[f64]| {
            looks
                .chunks(LOOKS)
                .map(|c| c.iter().sum())
                .collect::<Vec<f64>>()
        };
        let (new, stable) = (minute(self.new), minute(&self.run.stable));
        let week: Vec<f64> = self.run.week.iter().flatten().copied().collect();
        self.until(LOOKS, |look| {
            let minutes = look / LOOKS;
            let ours = new.get(..minutes).unwrap_or(&new);
            let old = match self.kind {
                BaselineKind::Concurrent => stable.get(..minutes).unwrap_or(&stable),
                BaselineKind::Hour => &self.run.hour,
                BaselineKind::SevenDays => &week,
            };
            minutes >= 3
                && mann_whitney(ours, old).is_some_and(|t| {
                    t.p_value < 0.02 && t.u > (ours.len() * old.len()) as f64 / 2.0
                })
        })
    }
}

/// One-sided Fisher: the chance of at least so many events in the new group, given both totals.
fn fisher_upper(new: Counts, old: Counts) -> f64 {
    let (x, n, m) = (
        new.events,
        new.total.max(new.events),
        old.total.max(old.events),
    );
    let k = new.events + old.events;
    if x * m <= old.events * n {
        return 1.0;
    }
    let choose = |n: f64, k: f64| ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let mut term = (choose(n, x) + choose(m, k - x) - choose(n + m, k)).exp();
    let (mut sum, mut i) = (0.0, x);
    while i <= n.min(k) && term > sum * 1e-12 {
        sum += term;
        term *= (n - i) * (k - i) / ((i + 1.0) * (m - k + i + 1.0));
        i += 1.0;
    }
    sum
}
