//! What many services cost: a real Prometheus that scrapes them, and the cockpit beside it in a terminal of 200x50. Prints a
//! table and ends with 1 where a limit is missed, with 3 where Prometheus is not installed.
//!
//! `cargo bench --bench load -- --services 500 --metrics 6 --seconds 150`; `--cockpit FILE` measures another build.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    // Shared with the tests and the other bench, which use more of it.
    dead_code
)]

#[path = "../../tests/it/real/http.rs"]
mod http;
#[path = "../../tests/it/real/many.rs"]
mod many;
#[path = "../../tests/it/real/running.rs"]
mod running;
#[path = "../figures/session.rs"]
mod session;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use many::{METRICS, Many, Size};
use session::{Program, Session, painted};

/// Services of the cockpit whose keys are the measure.
const FEW: usize = 5;
/// Seconds between two readings.
const EVERY: u64 = 15;
/// Most queries a cycle, beside the focused chart.
const QUERIES: f64 = 12.0;
/// Most of a core, per cent.
const CORE: f64 = 10.0;
/// Key to paint: at most so many times that of few services.
const SLOWER: f64 = 1.2;
/// Keys a side: long enough for three cycles.
const KEYS: usize = 1200;
/// Between the first values and the measurement: what is read once is read by then.
const SETTLE: Duration = Duration::from_secs(45);
const LONG: Duration = Duration::from_secs(120);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    // `cargo test --benches` must not measure.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let number = |name: &str, default: usize| {
        let at = words.iter().position(|w| w == name);
        at.and_then(|at| words.get(at + 1))
            .map_or(default, |w| w.parse().expect(name))
    };
    let (services, metrics) = (number("--services", 500), number("--metrics", METRICS));
    let seconds = number("--seconds", 150);
    let cockpit = words.iter().position(|w| w == "--cockpit");
    let cockpit = cockpit.and_then(|at| words.get(at + 1)).map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_cockpit")),
        PathBuf::from,
    );
    let (Some(program), Some(tool)) = (installed("prometheus"), installed("promtool")) else {
        eprintln!("prometheus is not installed: there is nothing to measure against");
        std::process::exit(3);
    };
    let tools = (program.as_path(), tool.as_path());
    let size = |services: usize| Size {
        services,
        metrics: metrics.clamp(1, METRICS),
        every: EVERY,
        minutes: 150,
        days: 8,
    };
    let few = measure(tools, &cockpit, size(FEW), 30);
    let all = measure(tools, &cockpit, size(services), seconds);
    let ok = table(services, metrics, &few, &all);
    std::process::exit(i32::from(!ok));
}

fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|p| p.is_file())
}

/// What one cockpit showed.
struct Seen {
    /// Until every metric of the screen had a value, seconds.
    loaded: f64,
    queries: f64,
    bytes: f64,
    core: f64,
    pss: f64,
    keys: Vec<f64>,
    /// Of a core while keys are pressed, per cent.
    pressed: f64,
}

fn measure(tools: (&Path, &Path), cockpit: &Path, size: Size, seconds: usize) -> Seen {
    let server = Many::start(tools, size);
    // So that a bucket holds scrapes too, not only what was written before.
    std::thread::sleep(Duration::from_secs(2 * EVERY));
    let place = server.cockpit("flight");
    let text = |path: &Option<PathBuf>| path.as_ref().unwrap().display().to_string();
    let program = Program::new(
        cockpit,
        &[
            "--config",
            &text(&place.config),
            "--data-dir",
            &text(&place.data_dir),
            "--trust",
            place.trust.as_deref().unwrap(),
        ],
    );
    let mut s = Session::start(&program);
    s.until(LONG, painted).expect("no frame");
    s.take(Duration::from_millis(500));
    s.send("4");
    let known = s
        .until(LONG, |screen| {
            let text = screen.contents();
            text.contains("service-001") && text.contains("shown")
        })
        .expect("no metric has a value");
    let loaded = (known - s.began).as_secs_f64();
    s.take(SETTLE);
    let began = Instant::now();
    let (cpu, (asked, bytes)) = (s.cpu(), server.asked());
    s.take(Duration::from_secs(seconds as u64));
    let took = began.elapsed().as_secs_f64();
    let (cpu, (asked_now, bytes_now)) = (s.cpu().saturating_sub(cpu), server.asked());
    let cycles = took / EVERY as f64;
    let pss = s.pss();
    let (began, before) = (Instant::now(), s.cpu());
    let keys = keys(&mut s);
    let pressed = s.cpu().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    Seen {
        loaded,
        queries: (asked_now - asked) / cycles,
        bytes: (bytes_now - bytes) / cycles,
        core: cpu.as_secs_f64() / took * 100.0,
        pss,
        keys,
        pressed: pressed * 100.0,
    }
}

/// From each key to what is painted after it, walking down the list of metrics and up again.
fn keys(s: &mut Session) -> Vec<f64> {
    let mut times = Vec::new();
    for i in 0..KEYS {
        // Not in step with anything that the program does by itself.
        s.take(Duration::from_micros(20_000 + (i as u64 * 7_919) % 30_000));
        // Few services have few rows: at an end a key paints nothing.
        let at = s.send(if i / 20 % 2 == 0 { "j" } else { "k" });
        let painted = s.chunk(Instant::now() + Duration::from_secs(1));
        let Some(painted) = painted else {
            eprintln!("key {i} painted nothing: {:?}", s.marked(30));
            continue;
        };
        times.push((painted.0 - at).as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// Prints it; true where every limit is kept.
fn table(services: usize, metrics: usize, few: &Seen, all: &Seen) -> bool {
    println!(
        "| figure, {services} services x {metrics} metrics every {EVERY} s | {services} | {FEW} | limit | reached |\n| --- | --- | --- | --- | --- |"
    );
    let mut ok = true;
    let mut line = |what: &str, all: String, few: String, limit: Option<(String, bool)>| {
        let (limit, word) = match limit {
            Some((limit, reached)) => {
                ok &= reached;
                (limit, if reached { "yes" } else { "NO" })
            }
            None => ("–".to_owned(), "–"),
        };
        println!("| {what} | {all} | {few} | {limit} | {word} |");
    };
    let one = |v: f64| format!("{v:.1}");
    line(
        "range queries a cycle, by Prometheus' own count",
        one(all.queries),
        one(few.queries),
        Some((one(QUERIES), all.queries <= QUERIES)),
    );
    line(
        "kB a cycle on the wire",
        one(all.bytes / 1e3),
        one(few.bytes / 1e3),
        None,
    );
    line(
        "of one core, nothing touched",
        format!("{:.2} %", all.core),
        format!("{:.2} %", few.core),
        Some((format!("{CORE} %"), all.core <= CORE)),
    );
    line(
        "PSS",
        format!("{} MB", one(all.pss)),
        format!("{} MB", one(few.pss)),
        None,
    );
    line(
        "start to the first value on screen",
        format!("{} s", one(all.loaded)),
        format!("{} s", one(few.loaded)),
        None,
    );
    for (what, part) in [("key to paint p50", 0.5), ("key to paint p99", 0.99)] {
        let (a, f) = (quantile(&all.keys, part), quantile(&few.keys, part));
        let limit = (part == 0.5).then(|| (format!("{SLOWER} x"), a <= f * SLOWER));
        line(what, format!("{a:.2} ms"), format!("{f:.2} ms"), limit);
    }
    line(
        "of one core, 25 keys a second",
        format!("{:.1} %", all.pressed),
        format!("{:.1} %", few.pressed),
        None,
    );
    ok
}
