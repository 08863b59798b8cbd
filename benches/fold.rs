//! Folding 27 MB of Prometheus matrix (50 series of 17,281 points) into the columns of a chart, beside plain serde
//! streaming over the same bytes; the memory it takes over the input; and whether a frame comes late meanwhile.
//!
//! `cargo bench --bench fold`; limits: 1.2 times plain streaming, 1 MB, no late frame.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cockpit::connect::prometheus::fold::fold;
use cockpit::connect::prometheus::sink::{Columns, Fold, Grid};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

const SERIES: usize = 50;
const POINTS: i64 = 17_281;
const STEP: i64 = 60;
const START: i64 = 1_795_000_020;
const COLUMNS: usize = 200;
const ROUNDS: usize = 31;
/// A frame at 30 a second.
const FRAME: Duration = Duration::from_millis(33);

fn main() {
    let body = matrix();
    if std::env::args().any(|word| word == "--memory") {
        return println!("{}", growth(&body));
    }
    println!(
        "input: {:.1} MB, {SERIES} series x {POINTS} points, {COLUMNS} columns",
        body.len() as f64 / 1e6
    );
    assert!(
        (plain(&body) - folded(&body)).abs() < 1.0,
        "both must see every sample"
    );
    let (plain_time, fold_time, ratio) = medians(&body);
    println!(
        "plain serde streaming: {plain_time:?}\nfold into columns:     {fold_time:?}  ({ratio:.2}x, limit 1.2x)"
    );
    match memory() {
        Some(bytes) => println!(
            "memory over the input: {:.2} MB (limit 1 MB)",
            bytes as f64 / 1e6
        ),
        None => println!("memory over the input: not measured (needs /proc)"),
    }
    let (idle, busy) = (lateness(None), lateness(Some(body)));
    println!("latest frame: {busy:?} while folding, {idle:?} without (late from {FRAME:?} on)");
    if ratio > 1.2 || busy >= FRAME {
        println!("MISSED");
        std::process::exit(1);
    }
}

/// The answer as a server writes it.
fn matrix() -> Vec<u8> {
    let mut out = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for series in 0..SERIES {
        if series > 0 {
            out.push(',');
        }
        let _ = write!(
            out,
            r#"{{"metric":{{"service":"service-{series:02}","track":"stable"}},"values":["#
        );
        let mut state = series as u64 + 1;
        for i in 0..POINTS {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = (state >> 33) as f64 / 65_536.0;
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(out, r#"{comma}[{},"{value:.11}"]"#, START + i * STEP);
        }
        out.push_str("]}");
    }
    out.push_str("]}}");
    out.into_bytes()
}

fn grid() -> Grid {
    Grid::over(START, START + (POINTS - 1) * STEP, STEP, COLUMNS)
}

/// The sum of everything, by way of the columns.
fn folded(body: &[u8]) -> f64 {
    match fold(body, &Columns::new(grid())) {
        Ok(folded) => folded
            .series
            .values()
            .flat_map(|columns| columns.points(Fold::Sum))
            .map(|point| point.1)
            .sum(),
        Err(unfit) => {
            println!("{unfit:?}");
            f64::NAN
        }
    }
}

/// The sum of everything, as thin as serde allows: derived structs, the pairs visited and dropped.
fn plain(body: &[u8]) -> f64 {
    #[derive(Deserialize)]
    struct Answer {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        result: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        values: Sum,
    }
    struct Sum(f64);
    impl<'de> Deserialize<'de> for Sum {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            struct Pairs;
            impl<'de> Visitor<'de> for Pairs {
                type Value = f64;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("pairs")
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<f64, A::Error> {
                    let mut sum = 0.0;
                    while let Some((time, text)) = seq.next_element::<(f64, &str)>()? {
                        black_box(time);
                        sum += text.parse::<f64>().unwrap_or(0.0);
                    }
                    Ok(sum)
                }
            }
            d.deserialize_seq(Pairs).map(Sum)
        }
    }
    serde_json::from_slice::<Answer>(body).map_or(f64::NAN, |answer| {
        answer.data.result.iter().map(|one| one.values.0).sum()
    })
}

/// Medians of both and of their ratio. They run in turns, and each pair is compared by itself, so that a slow moment of the
/// machine hits both.
fn medians(body: &[u8]) -> (Duration, Duration, f64) {
    let timed = |work: fn(&[u8]) -> f64| {
        let start = Instant::now();
        black_box(work(black_box(body)));
        start.elapsed()
    };
    let mut pairs: Vec<_> = (0..ROUNDS).map(|_| (timed(plain), timed(folded))).collect();
    let ratio = |pair: &(Duration, Duration)| pair.1.as_secs_f64() / pair.0.as_secs_f64();
    pairs.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let middle = pairs.get(ROUNDS / 2).map_or(f64::NAN, ratio);
    let (mut a, mut b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    a.sort();
    b.sort();
    let median = |list: &[Duration]| list.get(list.len() / 2).copied().unwrap_or_default();
    (median(&a), median(&b), middle)
}

/// Growth of the resident set by one fold, measured in a process of its own that has done nothing else.
fn memory() -> Option<u64> {
    let out = std::process::Command::new(std::env::current_exe().ok()?)
        .arg("--memory")
        .output()
        .ok()?;
    String::from_utf8(out.stdout).ok()?.trim().parse().ok()
}

fn growth(body: &[u8]) -> String {
    let kib = |field: &str| {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find(|line| line.starts_with(field))?
            .to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    // Sets the peak back to what is resident now.
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        return "not measured".into();
    }
    let before = kib("VmRSS:");
    let result = fold(body, &Columns::new(grid()));
    let peak = kib("VmHWM:");
    drop(black_box(result));
    match (before, peak) {
        (Some(before), Some(peak)) => (peak.saturating_sub(before) * 1024).to_string(),
        _ => "not measured".into(),
    }
}

/// The latest of a second of frames, with folds running off the loop where a body is given.
fn lateness(body: Option<Vec<u8>>) -> Duration {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
    {
        Ok(runtime) => runtime,
        Err(_) => return Duration::MAX,
    };
    runtime.block_on(async move {
        let work = body.map(|body| {
            tokio::task::spawn_blocking(move || (0..5).map(|_| folded(&body)).sum::<f64>())
        });
        let (start, mut latest) = (Instant::now(), Duration::ZERO);
        for frame in 1..=30 {
            let due = start + FRAME * frame;
            tokio::time::sleep_until(due.into()).await;
            latest = latest.max(due.elapsed());
        }
        if let Some(work) = work {
            let _ = work.await;
        }
        latest
    })
}
