//! The verdict on counts as tables and properties.

use proptest::prelude::*;

use super::*;

fn beside(x1: f64, n1: f64, x0: f64, n0: f64) -> CountsInput {
    CountsInput::new(
        Counts::new(x1, n1),
        Counts::new(x0, n0),
        BaselineKind::Concurrent,
    )
}

fn word(input: &CountsInput) -> &'static str {
    judge_counts(input).verdict.word()
}

#[test]
fn verdicts_as_a_table() {
    for (x1, n1, x0, n0, wanted) in [
        (1000.0, 1e5, 1000.0, 1e5, "pass"),
        (1700.0, 1e5, 1000.0, 1e5, "fail"),
        // Surely worse than the baseline, and within the tolerance: neither.
        (1300.0, 1e5, 1000.0, 1e5, "undecided"),
        (12.0, 1e3, 10.0, 1e3, "undecided"),
        // Five-fold needs no more than this.
        (60.0, 1e3, 12.0, 1e3, "fail"),
        (0.0, 1e4, 100.0, 1e4, "pass"),
        // Four events fail nothing, however rare they were.
        (4.0, 10.0, 1000.0, 1e8, "undecided"),
        (5.0, 10.0, 1000.0, 1e8, "fail"),
    ] {
        assert_eq!(
            word(&beside(x1, n1, x0, n0)),
            wanted,
            "{x1}/{n1} against {x0}/{n0}"
        );
    }
}

#[test]
fn nothing_passes_before_minute_five_and_a_fail_waits_for_nothing() {
    let mut good = beside(1000.0, 1e5, 1000.0, 1e5);
    good.elapsed = Elapsed::Minutes(4.99);
    assert!(
        judge_counts(&good)
            .verdict
            .why()
            .unwrap()
            .contains("minute 5")
    );
    good.elapsed = Elapsed::Minutes(5.0);
    assert_eq!(word(&good), "pass");
    good.elapsed = Elapsed::Minutes(f64::NAN);
    assert_eq!(word(&good), "undecided");
    let mut bad = beside(2000.0, 1e5, 1000.0, 1e5);
    bad.elapsed = Elapsed::Minutes(0.5);
    assert_eq!(word(&bad), "fail");
}

#[test]
fn k_critical_metrics_ask_for_more() {
    // Find the first x1 that fails with one metric: with a thousand it does not.
    let first = (120..400)
        .map(f64::from)
        .find(|x| word(&beside(*x, 1e4, 100.0, 1e4)) == "fail")
        .unwrap();
    let mut many = beside(first, 1e4, 100.0, 1e4);
    many.critical_metrics = 1000;
    assert_eq!(word(&many), "undecided");
}

#[test]
fn higher_is_better_is_the_mirror() {
    for (x1, wanted) in [
        (1000.0, "pass"),
        (400.0, "fail"),
        (800.0, "undecided"),
        (2000.0, "pass"),
        (0.0, "fail"),
    ] {
        let mut orders = beside(x1, 1e5, 1000.0, 1e5);
        orders.direction = Direction::HigherIsBetter;
        let judged = judge_counts(&orders);
        assert_eq!(judged.verdict.word(), wanted, "{x1}: {judged:?}");
    }
    // Fewer than five expected events fail nothing.
    let mut few = beside(0.0, 490.0, 1e6, 1e8);
    few.direction = Direction::HigherIsBetter;
    assert_eq!(word(&few), "undecided");
}

#[test]
fn a_small_baseline_is_held_against_the_slo_and_never_fails() {
    let mut low = beside(3.0, 1e5, 2.0, 1e5);
    assert!(judge_counts(&low).verdict.why().unwrap().contains("no SLO"));
    low.slo = Some(0.001);
    let judged = judge_counts(&low);
    assert_eq!(judged.verdict, Verdict::Pass);
    assert!(judged.notes.contains(&"below SLO".to_owned()));
    // The 98 % bound of 3 events is 9.1 (chi-square, 8 degrees): 9e-5 does not clear it, 9.2e-5 does.
    for (slo, wanted) in [(9.0e-5, "undecided"), (9.2e-5, "pass")] {
        low.slo = Some(slo);
        assert_eq!(word(&low), wanted);
    }
    low.slo = Some(0.001);
    low.new.events = 5000.0;
    assert_eq!(word(&low), "undecided");
    low.new.events = 0.0;
    low.baseline.total = 0.0;
    assert_eq!(word(&low), "undecided");
    for slo in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        (low.baseline.total, low.slo) = (1e5, Some(slo));
        assert_eq!(word(&low), "undecided", "{slo}");
    }
}

#[test]
fn a_canary_that_cannot_be_told_apart_may_fail_and_never_passes() {
    let barred = |x1| {
        let mut input = beside(x1, 1e5, 1000.0, 1e5);
        input.pass_barred = Some("the canary cannot be told from stable".into());
        judge_counts(&input).verdict
    };
    assert!(barred(1000.0).why().unwrap().contains("told from stable"));
    assert_eq!(barred(2000.0), Verdict::Fail);
}

#[test]
fn measured_noise_and_days_are_needed_where_they_count() {
    let seen = Dispersion {
        c2: 0.01,
        day_variance: 0.01,
        mean: 100.0,
        blocks: 42,
        days: 7,
    };
    let mut week = CountsInput::new(
        Counts::new(1000.0, 1e5).over(10.0),
        Counts::new(42_000.0, 42e5).over(420.0),
        BaselineKind::SevenDays,
    );
    assert_eq!(week.tolerance, 2.0);
    week.noise = Noise::Measured(seen);
    assert!(
        judge_counts(&week)
            .verdict
            .why()
            .unwrap()
            .contains("0 of at least 3 days")
    );
    week.days = Some(7);
    let judged = judge_counts(&week);
    assert_eq!(judged.notes, ["baseline of 7 days"]);
    assert!(judged.power.is_some());
    week.noise = Noise::Measured(Dispersion { blocks: 29, ..seen });
    assert!(
        judge_counts(&week)
            .verdict
            .why()
            .unwrap()
            .contains("29 of 30")
    );
    week.noise = Noise::Measured(seen);
    week.new.minutes = None;
    assert!(judge_counts(&week).verdict.why().unwrap().contains("span"));
}

#[test]
fn weights_are_compared_each_with_its_own_minutes() {
    // 1 % errors at 5 % weight in a quiet hour, 4 % at 50 % in a bad one: the same on both sides. Pooled, it looks like 1.6×.
    let mut canary = beside(2000.0, 50_000.0, 2000.0, 50_000.0);
    canary.earlier = vec![Segment {
        new: Counts::new(50.0, 5000.0),
        baseline: Counts::new(950.0, 95_000.0),
    }];
    let judged = judge_counts(&canary);
    assert!((judged.estimate.unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(judged.verdict, Verdict::Pass);
    assert_eq!(judged.new.unwrap().events, 2050.0);
    canary.kind = BaselineKind::Hour;
    assert!(
        judge_counts(&canary)
            .verdict
            .why()
            .unwrap()
            .contains("concurrent")
    );
}

#[test]
fn an_undecided_says_what_shows_and_what_is_missing() {
    let mut early = beside(12.0, 1000.0, 110.0, 10_000.0);
    early.new.minutes = Some(2.0);
    early.elapsed = Elapsed::Minutes(2.0);
    let judged = judge_counts(&early);
    let why = judged.verdict.why().unwrap();
    assert!(
        why.contains("would show by now") && why.contains("more expected events (about"),
        "{why}"
    );
    let visible = judged.smallest_visible.unwrap();
    // What is said to show does fail, and a little less does not.
    let at = |r: f64| word(&beside(r * 11.0, 1000.0, 110.0, 10_000.0));
    assert_eq!(
        (at(visible * 1.0001), at(visible * 0.9999)),
        ("fail", "undecided")
    );
    let mut thin = beside(10.0, 1000.0, 12.0, 1000.0);
    thin.kind = BaselineKind::Hour;
    assert!(
        judge_counts(&thin)
            .verdict
            .why()
            .unwrap()
            .contains("Not decidable with this baseline")
    );
}

#[test]
fn an_unmeasured_history_decides_nothing_but_the_slo() {
    let block = Block {
        events: 20.0,
        total: 1000.0,
    };
    let mut input = beside(1000.0, 1e5, 1000.0, 1e5);
    (input.new.minutes, input.baseline.minutes) = (Some(10.0), Some(10.0));
    for (days, word) in [(4, "undecided"), (5, "pass")] {
        input.noise = Noise::from_history(&vec![vec![block; 6]; days]);
        assert_eq!(judge_counts(&input).verdict.word(), word);
    }
    input.noise = Noise::from_history(&vec![vec![block; 6]; 4]);
    assert_eq!(input.noise, Noise::Unknown { blocks: 24 });
    assert!(
        judge_counts(&input)
            .verdict
            .why()
            .unwrap()
            .contains("24 of 30")
    );
    input.noise = Noise::from_history(&vec![
        vec![
            Block {
                events: 0.0,
                ..block
            };
            6
        ];
        7
    ]);
    assert!(
        judge_counts(&input)
            .verdict
            .why()
            .unwrap()
            .contains("no event")
    );
    (input.new.events, input.baseline.events, input.slo) = (3.0, 0.0, Some(0.01));
    assert_eq!(word(&input), "pass");
}

#[test]
fn noise_is_shared_beside_a_concurrent_group_alone() {
    let mut shared = beside(1000.0, 1e5, 1000.0, 1e5);
    shared.noise = Noise::Shared;
    let judged = judge_counts(&shared);
    assert_eq!(judged.verdict, Verdict::Pass);
    assert!(judged.notes.is_empty());
    shared.kind = BaselineKind::Hour;
    assert!(
        judge_counts(&shared)
            .verdict
            .why()
            .unwrap()
            .contains("concurrent")
    );
}

#[test]
fn before_the_present_weight_has_traffic_no_time_is_promised() {
    let mut canary = beside(0.0, 0.0, 0.0, 0.0);
    canary.new.minutes = Some(0.1);
    canary.earlier = vec![Segment {
        new: Counts::new(10.0, 1000.0).over(4.0),
        baseline: Counts::new(90.0, 9000.0).over(4.0),
    }];
    let power = judge_counts(&canary).power.unwrap();
    assert_eq!((power.per_minute, power.pass_minutes), (None, None));
    assert!(power.pass_events.is_some());
}

#[test]
fn a_judgement_is_the_same_after_json_and_has_a_schema() {
    let mut input = beside(31.0, 4100.0, 40.0, 4800.0);
    input.noise = Noise::Measured(Dispersion {
        c2: 0.01,
        day_variance: 0.0,
        mean: 9.0,
        blocks: 42,
        days: 7,
    });
    (input.new.minutes, input.baseline.minutes) = (Some(5.0), Some(5.0));
    let judged = judge_counts(&input);
    assert!(judged.power.as_ref().unwrap().pass_minutes.is_some());
    let text = serde_json::to_string(&judged).unwrap();
    let back: Judgement = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (back.verdict, back.n, back.notes),
        (judged.verdict, judged.n, judged.notes)
    );
    let asked: CountsInput = serde_json::from_str(&serde_json::to_string(&input).unwrap()).unwrap();
    assert_eq!(asked, input);
    let schema = serde_json::to_string(&schemars::schema_for!(Judgement)).unwrap();
    for word in [
        "undecided",
        "not_run",
        "higher-is-better",
        "7d",
        "smallest_visible",
    ] {
        assert!(schema.contains(word), "{word}");
    }
}

#[test]
fn more_events_than_requests_never_pass() {
    assert_eq!(word(&beside(1000.0, 1e5, 2e5, 1e5)), "undecided");
    assert_eq!(word(&beside(2e5, 1e5, 1000.0, 1e5)), "fail");
}

/// Numbers as a broken feed might send them.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-1.0),
        Just(0.0),
        Just(-0.0),
        Just(f64::MIN_POSITIVE),
        Just(f64::MAX),
        Just(1e15),
        0.0..1e6f64,
    ]
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![
        Just(Direction::LowerIsBetter),
        Just(Direction::HigherIsBetter)
    ]
}

fn kind() -> impl Strategy<Value = BaselineKind> {
    prop_oneof![
        Just(BaselineKind::Concurrent),
        Just(BaselineKind::Hour),
        Just(BaselineKind::SevenDays)
    ]
}

fn sane() -> impl Strategy<Value = CountsInput> {
    (
        0u32..3000,
        1u32..200_000,
        0u32..3000,
        1u32..200_000,
        kind(),
        direction(),
        1.0..8.0f64,
    )
        .prop_map(|(x1, n1, x0, n0, kind, direction, phi)| {
            let counts = |x: u32, n: u32| Counts::new(f64::from(x.min(n)), f64::from(n)).over(10.0);
            let mut input = CountsInput::new(counts(x1, n1), counts(x0, n0), kind);
            input.direction = direction;
            input.days = Some(7);
            input.noise = Noise::Given {
                phi_new: phi,
                phi_baseline: phi,
                day_sd: 0.1,
            };
            input
        })
}

proptest! {
    #[test]
    fn hostile_numbers_neither_panic_nor_leak_nor_pass_without_data(
        v in prop::array::uniform8(hostile()), kind in kind(), direction in direction(), k in 0u32..4,
    ) {
        let mut input = CountsInput::new(Counts::new(v[0], v[1]).over(v[4]), Counts::new(v[2], v[3]).over(v[5]), kind);
        (input.tolerance, input.slo, input.days) = (1.5 + v[6], Some(v[7]), Some(7));
        (input.direction, input.critical_metrics, input.elapsed) = (direction, k, Elapsed::Minutes(v[4]));
        input.noise = Noise::Measured(Dispersion { c2: v[6], day_variance: v[7], mean: 1.0, blocks: 42, days: 7 });
        let judged = judge_counts(&input);
        let text = serde_json::to_string(&judged).unwrap();
        let back: Judgement = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back.verdict.word(), judged.verdict.word(), "{}", text);
        if judged.verdict.is_decided() {
            prop_assert!(v[..6].iter().all(|x| x.is_finite() && *x >= 0.0) && v[1] > 0.0 && v[3] > 0.0);
        }
        if let Some(why) = judged.verdict.why() {
            prop_assert!(why.len() > 10, "{}", why);
        }
        prop_assert!(judged.tolerance.is_finite());
    }

    #[test]
    fn no_pass_without_data(x0 in 10.0..1e6f64, n0 in 1e6..1e9f64, kind in kind(), direction in direction()) {
        let mut input = CountsInput::new(Counts::new(0.0, 0.0), Counts::new(x0, n0), kind);
        (input.direction, input.days, input.slo) = (direction, Some(7), Some(0.5));
        prop_assert_eq!(word(&input), "undecided");
    }

    #[test]
    fn a_decision_lies_on_its_side_of_the_tolerance(input in sane()) {
        let judged = judge_counts(&input);
        let Some(estimate) = judged.estimate else { return Ok(()) };
        let worse = match input.direction {
            Direction::LowerIsBetter => estimate,
            Direction::HigherIsBetter => 1.0 / estimate,
        };
        match judged.verdict {
            Verdict::Fail => prop_assert!(worse > input.tolerance),
            Verdict::Pass => prop_assert!(worse < input.tolerance),
            _ => {}
        }
        let Interval { lower, upper } = judged.interval;
        prop_assert!(lower.is_none_or(|l| l <= estimate * 1.0001), "{judged:?}");
        prop_assert!(upper.is_none_or(|u| u >= estimate * 0.9999), "{judged:?}");
        prop_assert_eq!(decide_counts(&input).word(), judged.verdict.word());
    }

    #[test]
    fn more_errors_are_never_better(input in sane(), more in 1u32..500) {
        let rank = |input: &CountsInput| match decide_counts(input) {
            Verdict::Pass => 0,
            Verdict::Fail => 2,
            _ => 1,
        };
        let mut worse = input.clone();
        match input.direction {
            Direction::LowerIsBetter => worse.new.events = (input.new.events + f64::from(more)).min(input.new.total),
            Direction::HigherIsBetter => worse.new.events = (input.new.events - f64::from(more)).max(0.0),
        }
        prop_assert!(rank(&worse) >= rank(&input), "{:?} then {:?}", judge_counts(&input), judge_counts(&worse));
    }

    #[test]
    fn only_the_ratio_of_the_totals_counts(input in sane(), by in 1.0..1000.0f64) {
        let mut scaled = input.clone();
        scaled.new.total *= by;
        scaled.baseline.total *= by;
        let (a, b) = (judge_counts(&input), judge_counts(&scaled));
        prop_assert_eq!(a.verdict.word(), b.verdict.word());
        if let (Some(a), Some(b)) = (a.evidence, b.evidence) {
            prop_assert!((a.ln_fail - b.ln_fail).abs() < 1e-6 * (1.0 + a.ln_fail.abs()));
            prop_assert!((a.ln_pass - b.ln_pass).abs() < 1e-6 * (1.0 + a.ln_pass.abs()));
        }
    }
}
