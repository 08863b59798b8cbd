//! A watch that nobody watched for a while: what came due meanwhile is computed from the metric store's history, and says so.

use rustix::process::Signal;

use super::{RELEASE, Site};
use crate::pty::world;
use crate::real::http;

fn late(site: &Site) -> Vec<(u64, bool)> {
    site.checkpoints().iter().map(|p| (p.0, p.1)).collect()
}

#[test]
fn killed_and_started_a_day_later_it_takes_what_it_missed_from_history() {
    let site = Site::new();
    let mut first = site.start(&["watch", RELEASE, "--speed", "120"]);
    first.says(&["journal", "checkpoint T+5 m: "], 60);
    first.signal(Signal::KILL);
    assert_eq!(first.ends(20), -1);
    assert_eq!(late(&site), [(300, false)]);

    // Its world goes on without it, for 26 hours.
    let mut vendors = site.start(&["demo", "watch", "--serve"]);
    vendors.says(&["control http://"], 60);
    world::advance(&site.data(), 26 * 3600);
    vendors.signal(Signal::TERM);
    assert_eq!(vendors.ends(20), 0);

    let mut again = site.start(&["watch", RELEASE, "--speed", "120"]);
    again.says(&["journal", "checkpoint T+1 d (late): "], 90);
    again.signal(Signal::TERM);
    assert_eq!(again.ends(20), 128 + 15);
    let said = again.said();
    let last = said.last().unwrap();
    assert!(
        last.contains("ended by SIGTERM; checkout 2026.47 stands: watching"),
        "{last}"
    );
    assert_eq!(
        late(&site),
        [
            (300, false),
            (1800, true),
            (3600, true),
            (14_400, true),
            (86_400, true)
        ]
    );
    // From history: numbers, not gaps.
    for (after, _, word, numbers) in site.checkpoints() {
        assert_eq!(numbers, 8, "{after}: {word}");
        assert_ne!(word, "not run", "{after}");
    }
}

#[test]
fn a_clock_that_jumps_makes_everything_stale_first_and_late_then() {
    let site = Site::new();
    let mut flying = site.start(&["watch", RELEASE, "--speed", "20"]);
    flying.says(&["journal", "checkpoint T+5 m"], 90);
    let control = world::control(&site.data());
    let body = "{\"seconds\": 5400}";
    assert_eq!(
        http::request(control, "POST", "/__world/advance", body)
            .unwrap()
            .0,
        200
    );
    flying.says(&["journal", "checkpoint T+1 h (late): "], 90);
    let complained = flying.complained();
    assert!(
        complained.iter().any(|l| l.contains("the clock jumped")),
        "{complained:#?}"
    );
    flying.signal(Signal::INT);
    assert_eq!(flying.ends(20), 128 + 2);
    assert_eq!(late(&site)[1..], [(1800, true), (3600, true)]);
}
