//! The judge's rules as they are written, in plain numbers, to hold the program against: nothing here is the program's.

/// What must be reached for either verdict.
const NEEDED: f64 = 50.0;

/// Counts of both versions over the same part of a rollout, with the minutes that they were counted over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    pub x1: f64,
    pub n1: f64,
    pub t1: f64,
    pub x0: f64,
    pub n0: f64,
    pub t0: f64,
}

/// Noise of the seven days before.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Relative variance beyond chance from one ten minutes to the next.
    pub c2: f64,
    /// Relative variance from day to day beyond that.
    pub days: f64,
}

/// The question.
#[derive(Clone, Debug)]
pub struct Question {
    pub parts: Vec<Part>,
    pub noise: Noise,
    pub tolerance: f64,
    pub higher: bool,
    /// Beside a stable group.
    pub beside: bool,
    /// Against other days.
    pub week: bool,
    /// Metrics that the gate has.
    pub k: f64,
    /// Long enough for a pass, and nothing bars it.
    pub may_pass: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    pub verdict: &'static str,
    pub estimate: Option<f64>,
    /// E_F(1).
    pub fail: f64,
    /// E_P(T).
    pub pass: f64,
}

impl Question {
    fn rate(&self) -> f64 {
        let sum = |of: fn(&Part) -> f64| self.parts.iter().map(of).sum::<f64>();
        sum(|p| p.x0) / sum(|p| p.n0)
    }

    /// φ of the new version and of the baseline in one part.
    fn phis(&self, p: &Part) -> (f64, f64) {
        let rate = self.rate();
        let phi = |n: f64, t: f64| 1.0 + self.noise.c2 * rate * n / t * 10.0;
        (phi(p.n1, p.t1), phi(p.n0, p.t0))
    }

    fn day(&self) -> f64 {
        if self.week {
            2.0 * self.noise.days * (1.0 + 1.0 / 7.0)
        } else {
            0.0
        }
    }

    /// l(r, r0), added up over the parts.
    fn l(&self, r: f64, r0: f64, scale: impl Fn((f64, f64)) -> (f64, f64)) -> f64 {
        let one = |p: &Part| {
            let (phi1, phi0) = scale(self.phis(p));
            let (x, m) = (p.x1 / phi1, p.n1 * p.x0 / (p.n0 * phi1));
            let a = 1.0 / (phi0 / p.x0 + self.day());
            x * (r / r0).ln() - (x + a) * ((a + r * m) / (a + r0 * m)).ln()
        };
        self.parts.iter().map(one).sum()
    }

    /// E_F(r0).
    pub fn fail(&self, r0: f64) -> f64 {
        let each = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0].map(|q: f64| {
            let q = if self.higher { 1.0 / q } else { q };
            self.l(q * r0, r0, |phi| phi).exp()
        });
        each.iter().sum::<f64>() / 6.0
    }

    /// E_P(T).
    pub fn pass(&self, tolerance: f64) -> f64 {
        let (t, far) = if self.higher {
            (1.0 / tolerance, 2.0)
        } else {
            (tolerance, 0.5)
        };
        let under = |phi: f64| 1.0 + t * (phi - 1.0);
        let scale = |(phi1, phi0)| {
            let phi0 = if self.beside { under(phi0) } else { phi0 };
            (under(phi1), phi0)
        };
        0.6 * self.l(1.0, t, scale).exp()
            + 0.2 * self.l(t.sqrt(), t, scale).exp()
            + 0.2 * self.l(far, t, scale).exp()
    }

    pub fn answer(&self) -> Answer {
        let sum = |of: fn(&Part) -> f64| self.parts.iter().map(of).sum::<f64>();
        if sum(|p| p.x0) < 10.0 || sum(|p| p.n1) == 0.0 {
            return Answer {
                verdict: "undecided",
                estimate: None,
                fail: 0.0,
                pass: 0.0,
            };
        }
        let weigh = |x: f64, n: f64, p: &Part| x * n / (p.n0 + p.n1);
        let over: f64 = self.parts.iter().map(|p| weigh(p.x1, p.n0, p)).sum();
        let under: f64 = self.parts.iter().map(|p| weigh(p.x0, p.n1, p)).sum();
        let estimate = over / under;
        let worse = if self.higher {
            1.0 / estimate
        } else {
            estimate
        };
        let (fail, pass) = (self.fail(1.0), self.pass(self.tolerance));
        let expected: f64 = self.parts.iter().map(|p| p.n1 * p.x0 / p.n0).sum();
        let events = if self.higher { expected } else { sum(|p| p.x1) };
        let verdict = if fail >= NEEDED * self.k && worse > self.tolerance && events >= 5.0 {
            "fail"
        } else if self.may_pass && pass >= NEEDED && worse < self.tolerance && fail < NEEDED {
            "pass"
        } else {
            "undecided"
        };
        Answer {
            verdict,
            estimate: Some(estimate),
            fail,
            pass,
        }
    }

    /// Is one look of a trigger at so many times the baseline breached, by these counts of its window?
    pub fn breached(&self, times: f64) -> bool {
        let Some(p) = self.parts.first() else {
            return false;
        };
        if p.x0 < 10.0 {
            return false;
        }
        let (phi1, phi0) = self.phis(p);
        let day = self.day().max(0.01 * (1.0 + 1.0 / 7.0));
        let (x, m) = (p.x1 / phi1, p.n1 * p.x0 / (p.n0 * phi1));
        let a = 1.0 / (phi0 / p.x0 + day);
        let evidence = x * (x / m).ln() - (x + a) * ((a + x) / (a + m)).ln();
        x > m && x / m > times && evidence >= 10.0
    }
}

/// The noise of days of blocks of events and totals: each scaled to the mean traffic, the variance within the days beyond chance,
/// and that between them beyond it.
pub fn noise(days: &[Vec<(f64, f64)>]) -> Noise {
    let all = || days.iter().flatten();
    let count = all().count() as f64;
    let traffic = all().map(|b| b.1).sum::<f64>() / count;
    let scaled: Vec<Vec<f64>> = days
        .iter()
        .map(|day| day.iter().map(|(x, n)| x * traffic / n).collect())
        .collect();
    let mean = scaled.iter().flatten().sum::<f64>() / count;
    let chance = mean * all().map(|b| traffic / b.1).sum::<f64>() / count;
    let middle = |day: &[f64]| day.iter().sum::<f64>() / day.len() as f64;
    let within = scaled
        .iter()
        .map(|day| day.iter().map(|y| (y - middle(day)).powi(2)).sum::<f64>())
        .sum::<f64>()
        / (count - scaled.len() as f64);
    let means: Vec<f64> = scaled.iter().map(|day| middle(day)).collect();
    let between = means
        .iter()
        .map(|m| (m - middle(&means)).powi(2))
        .sum::<f64>()
        / (means.len() as f64 - 1.0);
    // The blocks of a day spread its mean by within ÷ their number.
    let part = scaled.iter().map(|day| 1.0 / day.len() as f64).sum::<f64>() / scaled.len() as f64;
    Noise {
        c2: ((within - chance) / (mean * mean)).max(0.0),
        days: ((between - within * part) / (mean * mean)).max(0.0),
    }
}
