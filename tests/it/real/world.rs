//! Eight days of traffic of twenty services, the same for the same end: a canary runs beside the stable version in the
//! last two hours, and one service's canary fails three times as often.

use std::fmt::Write as _;

/// Seconds between samples.
pub const STEP: i64 = 60;
/// Samples a series: eight days.
pub const SAMPLES: i64 = 8 * 24 * 60;
/// Minutes that the canaries have been running.
pub const CANARY: i64 = 120;
/// The service whose canary is bad.
pub const REGRESSED: &str = "checkout";

/// Names of the twenty services.
pub const SERVICES: [&str; 20] = [
    "accounts",
    "basket",
    "billing",
    "catalog",
    "checkout",
    "coupons",
    "delivery",
    "fraud",
    "gateway",
    "inventory",
    "loyalty",
    "mailer",
    "orders",
    "payments",
    "pricing",
    "profile",
    "ratings",
    "search",
    "sessions",
    "stock",
];

/// The world; times are Unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Time of the last sample; a whole minute.
    pub end: i64,
}

impl World {
    /// A world that ends with the last whole minute before `now`.
    pub fn until(now: i64) -> Self {
        Self {
            end: now - now.rem_euclid(STEP),
        }
    }

    /// Time of the first sample.
    pub fn start(self) -> i64 {
        self.end - (SAMPLES - 1) * STEP
    }

    /// Everything as OpenMetrics text, families together, each series ascending.
    pub fn open_metrics(self) -> String {
        let mut out = String::with_capacity(64 << 20);
        out.push_str("# TYPE http_requests counter\n");
        for service in SERVICES {
            for track in ["stable", "canary"] {
                for code in ["200", "500"] {
                    self.counter(&mut out, service, track, code);
                }
            }
        }
        out.push_str("# TYPE http_request_p95_seconds gauge\n");
        for service in SERVICES {
            for i in 0..SAMPLES {
                let ms = 120 + noise(service, "p95", i) % 60;
                let at = self.start() + i * STEP;
                let _ = writeln!(
                    out,
                    "http_request_p95_seconds{{service=\"{service}\"}} 0.{ms:03} {at}"
                );
            }
        }
        out.push_str("# EOF\n");
        out
    }

    fn counter(self, out: &mut String, service: &str, track: &str, code: &str) {
        let from = if track == "canary" {
            SAMPLES - CANARY
        } else {
            0
        };
        let head = format!(
            "http_requests_total{{service=\"{service}\",track=\"{track}\",code=\"{code}\"}}"
        );
        let mut total = 0;
        for i in from..SAMPLES {
            total += rise(service, track, code, i);
            let _ = writeln!(out, "{head} {total} {}", self.start() + i * STEP);
        }
    }

    /// What the counter rose by in the last `minutes` whole minutes.
    pub fn risen(self, service: &str, track: &str, code: &str, minutes: i64) -> i64 {
        (SAMPLES - minutes..SAMPLES)
            .map(|i| rise(service, track, code, i))
            .sum()
    }
}

/// Requests of one minute. One in a hundred fails; three in a hundred of the bad canary's.
fn rise(service: &str, track: &str, code: &str, i: i64) -> i64 {
    let requests = 300 + noise(service, track, i) % 100;
    let failed = match (service, track) {
        (REGRESSED, "canary") => requests * 3 / 100,
        _ => requests / 100,
    };
    if code == "500" {
        failed
    } else {
        requests - failed
    }
}

/// A number from 0 to 9,999 that depends on nothing but its arguments.
fn noise(service: &str, what: &str, i: i64) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in service.bytes().chain(what.bytes()).chain(i.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    i64::try_from((hash >> 20) % 10_000).unwrap_or(0)
}

#[test]
fn the_world_is_the_same_for_the_same_end_and_one_canary_is_bad() {
    let world = World::until(1_700_000_059);
    assert_eq!(world.end % STEP, 0);
    let rate = |service, track| {
        let failed = world.risen(service, track, "500", 60) as f64;
        failed / (failed + world.risen(service, track, "200", 60) as f64)
    };
    for service in SERVICES {
        let ratio = rate(service, "canary") / rate(service, "stable");
        assert_eq!(ratio > 2.5, service == REGRESSED, "{service}: {ratio}");
    }
}
