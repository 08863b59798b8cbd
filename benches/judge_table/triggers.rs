//! The shipped trigger (`2x` over 5 m for 5 m) over simulated watches of 72 hours, one poll a minute.

use std::collections::VecDeque;

use cockpit::domain::judge::{
    BaselineKind, Counts, Limit, Noise, PollInput, PollState, Side, judge_poll,
};
use rand_chacha::ChaCha8Rng;

use crate::methods::noise;
use crate::world::{HOUR, Minutes, Mood, day, poisson, run};

const WINDOW: usize = 5;
const DAY: usize = 1440;
/// Requests a minute; only the events matter.
const REQUESTS: f64 = 100_000.0;

/// The minute of the first trip within `minutes`, at `mean` events a minute times `effect`; the window starts full of minutes
/// before the effect.
pub fn watch(
    rng: &mut ChaCha8Rng,
    mood: Mood,
    mean: f64,
    effect: f64,
    minutes: usize,
) -> Option<usize> {
    let before = run(rng, mood, mean, &[]);
    let noise: Noise = noise(&before, REQUESTS)?;
    let events: f64 = before.week.iter().flatten().sum();
    let span = (7 * HOUR) as f64;
    let baseline = Counts::new(events, REQUESTS * span).over(span);
    let mut window: VecDeque<f64> = before.hour.iter().rev().take(WINDOW).copied().collect();
    let mut stream = Minutes::new(mood, rng);
    let (mut today, mut breached) = (day(mood, rng), 0);
    for minute in 1..=minutes {
        if minute % DAY == 0 {
            today = day(mood, rng);
        }
        window.pop_front();
        let factor = stream.next(rng);
        window.push_back(poisson(rng, mean * effect * today * factor));
        let judged = judge_poll(&PollInput {
            window: Counts::new(window.iter().sum(), REQUESTS * WINDOW as f64).over(WINDOW as f64),
            baseline: Some(baseline),
            kind: BaselineKind::SevenDays,
            days: Some(7),
            noise,
            limit: Limit::TimesBaseline(2.0),
            side: Side::Above,
        });
        breached = if judged.state == PollState::Breached {
            breached + 1
        } else {
            0
        };
        // Five minutes of breached polls, the first at their start.
        if breached > WINDOW {
            return Some(minute);
        }
    }
    None
}
