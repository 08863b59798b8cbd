//! When a vendor asks for quiet: `Retry-After`, rate headers, and our own limit per minute. One connection sleeps; the others go on.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration};
use reqwest::header::HeaderMap;

use crate::domain::time::Instant;

/// The longest sleep taken from a header: a clock gone wrong at the vendor must not silence a connection for a year.
const LONGEST: Duration = Duration::hours(1);

/// Sleep when the vendor says "too many" without saying for how long.
const UNSAID: Duration = Duration::seconds(60);

/// Which headers tell of a limit, and how often we may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateRules {
    /// Header that counts the calls left; 0 puts the connection to sleep.
    pub remaining: Option<String>,
    /// Header that says when the count starts again: Unix seconds, or seconds from now.
    pub reset: Option<String>,
    /// Reads per minute that we allow ourselves. Acts are never held back by it.
    pub per_minute: Option<u32>,
}

/// The quiet that one connection keeps.
#[derive(Debug, Default)]
pub struct Quiet {
    until: Mutex<Option<Instant>>,
    recent: Mutex<VecDeque<Instant>>,
}

impl Quiet {
    /// Until when nothing may be sent; `None` when it may.
    #[must_use]
    pub fn until(&self, now: Instant) -> Option<Instant> {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|at| at <= now) {
            *until = None;
        }
        *until
    }

    /// Nothing more is sent before `at`.
    pub fn sleep_until(&self, at: Instant) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(until.map_or(at, |known| known.max(at)));
    }

    /// Counts a read against our own limit; `Err` says from when on it is allowed.
    ///
    /// # Errors
    /// The instant at which the oldest read of the last minute no longer counts.
    pub fn admit(&self, rules: &RateRules, now: Instant) -> Result<(), Instant> {
        let Some(limit) = rules.per_minute else {
            return Ok(());
        };
        let minute = Duration::minutes(1);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent
            .front()
            .is_some_and(|at| now - *at >= minute || *at > now)
        {
            recent.pop_front();
        }
        match recent.front() {
            Some(oldest) if recent.len() >= limit.max(1) as usize => Err(*oldest + minute),
            _ => {
                recent.push_back(now);
                Ok(())
            }
        }
    }
}

/// What the answer's headers ask for: `Some(at)` when nothing may be sent before `at`, and whether this very answer was a refusal.
///
/// 429 always is one; 403 and 503 are when they carry `Retry-After` or an exhausted count (GitHub answers so).
#[must_use]
pub fn asked_quiet(
    status: u16,
    headers: &HeaderMap,
    rules: &RateRules,
    now: Instant,
) -> Option<(Instant, bool)> {
    let after = retry_after(headers, now);
    let exhausted = exhausted_until(headers, rules, now);
    let at = match status {
        429 => Some(after.or(exhausted).unwrap_or(now + UNSAID)),
        403 | 503 => after.or(exhausted),
        _ => return exhausted.map(|at| (clamp(at, now), false)),
    };
    at.map(|at| (clamp(at, now), true))
}

fn clamp(at: Instant, now: Instant) -> Instant {
    at.clamp(now + Duration::seconds(1), now + LONGEST)
}

/// `Retry-After` in seconds, or as an HTTP date read against the vendor's own `Date` where there is one, so that a clock that
/// differs from ours does no harm.
fn retry_after(headers: &HeaderMap, now: Instant) -> Option<Instant> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = (seconds * 1000.0).clamp(0.0, 86_400_000.0);
        return Some(now + Duration::milliseconds(millis as i64));
    }
    let at = http_date(text)?;
    let theirs = headers
        .get("date")
        .and_then(|v| v.to_str().ok())
        .and_then(http_date)
        .unwrap_or(now);
    Some(now + (at - theirs))
}

fn http_date(text: &str) -> Option<Instant> {
    DateTime::parse_from_rfc2822(text.trim())
        .ok()
        .map(|at| at.to_utc())
}

/// The instant of the reset header when the remaining header reads 0.
fn exhausted_until(headers: &HeaderMap, rules: &RateRules, now: Instant) -> Option<Instant> {
    let number = |name: &Option<String>| {
        headers
            .get(name.as_deref()?)?
            .to_str()
            .ok()?
            .trim()
            .parse::<f64>()
            .ok()
    };
    if number(&rules.remaining)? > 0.0 {
        return None;
    }
    let reset = number(&rules.reset).filter(|n| (0.0..1e11).contains(n));
    Some(match reset {
        // Unix seconds are large; anything below is a number of seconds from now.
        Some(at) if at > 1e8 => DateTime::from_timestamp(at as i64, 0).unwrap_or(now + UNSAID),
        Some(seconds) => now + Duration::seconds(seconds as i64),
        None => now + UNSAID,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn now() -> Instant {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }
    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(k, v)| {
                (
                    reqwest::header::HeaderName::from_static(k),
                    v.parse().unwrap(),
                )
            })
            .collect()
    }

    #[rstest]
    #[case(429, &[("retry-after", "30")], Some((30, true)))]
    #[case(429, &[("retry-after", "Sat, 21 Nov 2026 12:02:00 GMT")], Some((120, true)))]
    // Their clock is an hour ahead: two minutes stay two minutes.
    #[case(429, &[("retry-after", "Sat, 21 Nov 2026 13:02:00 GMT"), ("date", "Sat, 21 Nov 2026 13:00:00 GMT")], Some((120, true)))]
    #[case(429, &[], Some((60, true)))]
    #[case(429, &[("retry-after", "999999999")], Some((3600, true)))]
    #[case(429, &[("retry-after", "-5")], Some((1, true)))]
    #[case(503, &[("retry-after", "5")], Some((5, true)))]
    #[case(503, &[], None)]
    #[case(403, &[("x-left", "0"), ("x-reset", "1795262430")], Some((30, true)))]
    #[case(200, &[("x-left", "0"), ("x-reset", "45")], Some((45, false)))]
    #[case(200, &[("x-left", "3"), ("x-reset", "45")], None)]
    #[case(403, &[("x-left", "3")], None)]
    fn quiet_is_kept_as_asked(
        #[case] status: u16,
        #[case] list: &[(&'static str, &str)],
        #[case] expected: Option<(i64, bool)>,
    ) {
        let rules = RateRules {
            remaining: Some("x-left".into()),
            reset: Some("x-reset".into()),
            per_minute: None,
        };
        let got = asked_quiet(status, &headers(list), &rules, now());
        assert_eq!(
            got.map(|(at, refused)| ((at - now()).num_seconds(), refused)),
            expected
        );
    }

    #[test]
    fn our_own_limit_counts_one_minute() {
        let quiet = Quiet::default();
        let rules = RateRules {
            per_minute: Some(2),
            ..RateRules::default()
        };
        assert!(quiet.admit(&rules, now()).is_ok());
        assert!(quiet.admit(&rules, now() + Duration::seconds(10)).is_ok());
        assert_eq!(
            quiet.admit(&rules, now() + Duration::seconds(20)),
            Err(now() + Duration::seconds(60))
        );
        assert!(quiet.admit(&rules, now() + Duration::seconds(60)).is_ok());
    }

    #[test]
    fn a_sleep_ends() {
        let quiet = Quiet::default();
        quiet.sleep_until(now() + Duration::seconds(5));
        assert!(quiet.until(now()).is_some());
        assert!(quiet.until(now() + Duration::seconds(5)).is_none());
    }
}
