//! The figures that the program promises, each beside the floor's (`benches/floor`) in the same run, in a terminal of 200x50
//! that answers no query; the simulated vendors run in another process. Prints a table and ends with 1 where one misses.
//!
//! `cargo bench --bench floor --bench figures`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod session;
mod vendors;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session::{Program, Session, painted};
use vendors::Vendors;

/// Starts a side, and keys a side; medians are taken over them.
const STARTS: usize = 15;
const KEYS: usize = 200;
const QUEUED: usize = 500;
const IDLE: Duration = Duration::from_secs(60);
/// Between two starts: the vendors, on the same cores, work off what the last one had asked for.
const CALM: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(30);

/// One line of the table.
struct Line {
    what: &'static str,
    unit: &'static str,
    ours: f64,
    floor: Option<f64>,
    limit: Limit,
}

enum Limit {
    /// Times the floor's.
    Ratio(f64),
    /// In the line's unit.
    Most(f64),
}

impl Line {
    fn print(&self) -> bool {
        let ratio = self.floor.map(|f| self.ours / f);
        let (limit, ok) = match self.limit {
            Limit::Ratio(most) => (format!("{most} x"), ratio.is_some_and(|r| r <= most)),
            Limit::Most(most) => (format!("{most} {}", self.unit), self.ours <= most),
        };
        let floor = self
            .floor
            .map_or("–".to_owned(), |f| format!("{f:.3} {}", self.unit));
        let ratio = ratio.map_or("–".to_owned(), |r| format!("{r:.2}"));
        let ok_word = if ok { "yes" } else { "NO" };
        println!(
            "| {} | {:.3} {} | {floor} | {ratio} | {limit} | {ok_word} |",
            self.what, self.ours, self.unit
        );
        ok
    }
}

fn main() {
    // `cargo test --benches` must not measure.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let cockpit = PathBuf::from(env!("CARGO_BIN_EXE_cockpit"));
    let floor_file = floor_file();
    let floor = Program::new(&floor_file, &[]);
    let each = Program::new(&floor_file, &["--each"]);
    let folder = tempfile::tempdir().unwrap();
    let vendors = Vendors::start(&cockpit, &folder.path().join("world"));
    let ours = vendors.flight(&cockpit, folder.path());
    let mut lines = Vec::new();
    // One flight first, so that there is a journal and a cache.
    let mut s = Session::start(&ours);
    loaded(&mut s);
    lines.push(most("PSS, loaded", "MB", s.pss(), 30.0));
    lines.extend(idle(&mut s));
    drop(s);
    lines.extend(starts(&ours, &floor));
    lines.extend(keys(&vendors, &ours, &floor, &each));
    lines.extend(ends(&vendors, &ours, &floor));
    let size = std::fs::metadata(&cockpit).unwrap().len();
    lines.push(most("binary", "MB", size as f64 / 1e6, 30.0));
    println!(
        "| figure | ours | floor | ratio | limit | ok |\n| --- | --- | --- | --- | --- | --- |"
    );
    let missed = lines.iter().filter(|l| !l.print()).count();
    // An exit drops nothing, and the vendors would go on without anybody to ask them.
    drop((vendors, folder));
    std::process::exit(i32::from(missed > 0));
}

fn most(what: &'static str, unit: &'static str, ours: f64, limit: f64) -> Line {
    Line {
        what,
        unit,
        ours,
        floor: None,
        limit: Limit::Most(limit),
    }
}

fn beside(what: &'static str, unit: &'static str, ours: f64, floor: f64, limit: f64) -> Line {
    Line {
        what,
        unit,
        ours,
        floor: Some(floor),
        limit: Limit::Ratio(limit),
    }
}

/// The floor's newest build beside this one.
fn floor_file() -> PathBuf {
    let folder = std::env::current_exe()
        .unwrap()
        .parent()
        .map(Path::to_owned)
        .unwrap();
    std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .filter(|f| {
            f.file_name().to_string_lossy().starts_with("floor-") && f.path().extension().is_none()
        })
        .max_by_key(|f| f.metadata().and_then(|m| m.modified()).ok())
        .expect("the floor is not built: cargo bench --bench floor --bench figures")
        .path()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The value below which `part` of all lie.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// Waits until everything that is asked for once is there.
fn loaded(s: &mut Session) {
    s.until(LONG, |screen| screen.contents().contains("succeeded"))
        .expect("no deployment is shown");
    s.take(Duration::from_secs(15));
}

/// First frame, and first frame with what was known before.
fn starts(ours: &Program, floor: &Program) -> Vec<Line> {
    let (mut first, mut useful, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let mut s = Session::start(ours);
        let at = s.until(LONG, painted).expect("no frame");
        first.push(ms(at - s.began));
        let known = s
            .until(LONG, |screen| {
                screen.contents().contains("checkout 2026.47")
            })
            .expect("no cached state");
        useful.push(ms(known - at));
        s.send("q");
        s.take(LONG);
        std::thread::sleep(CALM);
        let mut s = Session::start(floor);
        let at = s.until(LONG, painted).expect("no frame");
        bare.push(ms(at - s.began));
    }
    vec![
        beside(
            "first painted frame, terminal mute",
            "ms",
            quantile(&mut first, 0.5),
            quantile(&mut bare, 0.5),
            1.5,
        ),
        most(
            "first useful frame after it (cache)",
            "ms",
            quantile(&mut useful, 0.5),
            30.0,
        ),
    ]
}

/// A session in which a list is focused.
fn ready(program: &Program, setup: &str) -> Session {
    let mut s = Session::start(program);
    s.until(LONG, painted).expect("no frame");
    if !setup.is_empty() {
        s.until(LONG, |screen| {
            screen.contents().contains("checkout 2026.47")
        })
        .expect("no cached state");
        s.take(Duration::from_secs(3));
        s.send(setup);
    }
    s.take(Duration::from_millis(700));
    s
}

/// Latency of each key and processor time of all of them.
fn pressed(s: &mut Session) -> (Vec<f64>, f64) {
    let mut times = Vec::new();
    let before = s.cpu();
    for i in 0..KEYS {
        // Not in step with anything that the program does by itself.
        s.take(Duration::from_micros(20_000 + (i as u64 * 7_919) % 30_000));
        let at = s.send(if i % 2 == 0 { "j" } else { "k" });
        let painted = s
            .chunk(Instant::now() + Duration::from_secs(1))
            .map(|c| c.0);
        times.push(painted.map_or(1_000.0, |p| ms(p - at)));
    }
    let cpu = ms(s.cpu().saturating_sub(before)) / KEYS as f64;
    (times, cpu)
}

/// Time until the last of many queued keys is on the screen.
fn queued(s: &mut Session, from: u16) -> f64 {
    s.send("g");
    s.take(Duration::from_millis(300));
    let top = s.marked(from);
    // Five down in all, whatever is left out shows.
    let keys = "jk".repeat((QUEUED - 5) / 2) + "jjjjj";
    let at = s.send(&keys);
    let mut last = at;
    while let Some((when, _)) = s.chunk(Instant::now() + Duration::from_millis(250)) {
        last = when;
    }
    let moved = s.marked(from).zip(top).map(|(now, top)| now - top);
    println!("rows moved by {} keys: {moved:?}", keys.len());
    ms(last - at)
}

fn keys(vendors: &Vendors, ours: &Program, floor: &Program, each: &Program) -> Vec<Line> {
    vendors.hang();
    let mut s = ready(ours, "3g");
    let (mut t, cpu) = pressed(&mut s);
    let many = queued(&mut s, 3);
    drop(s);
    vendors.answer();
    let mut f = ready(floor, "");
    let (mut tf, cpu_floor) = pressed(&mut f);
    drop(f);
    let mut f = ready(each, "");
    let many_floor = queued(&mut f, 3);
    let mut out = Vec::new();
    for (what, part, limit) in [
        ("key to paint p50, every feed hangs", 0.5, 1.6),
        ("key to paint p99, every feed hangs", 0.99, 2.0),
    ] {
        out.push(beside(
            what,
            "ms",
            quantile(&mut t, part),
            quantile(&mut tf, part),
            limit,
        ));
    }
    out.push(beside("processor time a key", "ms", cpu, cpu_floor, 1.6));
    out.push(beside(
        "500 queued keys (the floor draws after each)",
        "ms",
        many,
        many_floor,
        0.05,
    ));
    out
}

/// Processor time while nothing is touched, and bytes that changed nothing.
fn idle(s: &mut Session) -> Vec<Line> {
    let before = s.cpu();
    let end = Instant::now() + IDLE;
    let mut wasted = 0;
    let mut shown = s.screen().contents_formatted();
    while let Some((_, bytes)) = s.chunk(end) {
        let now = s.screen().contents_formatted();
        if now == shown {
            wasted += bytes.len();
        }
        shown = now;
    }
    let used = (s.cpu().saturating_sub(before)).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    vec![
        most("idle, of one core", "%", used, 0.5),
        most(
            "bytes written that changed nothing",
            "B",
            wasted as f64,
            0.0,
        ),
    ]
}

/// From the wish to end until the alternate screen is left, requests in flight.
fn ends(vendors: &Vendors, ours: &Program, floor: &Program) -> Vec<Line> {
    vendors.hang();
    let ways: [(&'static str, Option<Signal>); 4] = [
        ("restored after q, requests in flight", None),
        (
            "restored after TERM, requests in flight",
            Some(Signal::TERM),
        ),
        ("restored after INT, requests in flight", Some(Signal::INT)),
        ("restored after HUP, requests in flight", Some(Signal::HUP)),
    ];
    let one = |program: &Program, setup: &str, how: Option<Signal>| {
        let mut s = ready(program, setup);
        let at = how.map_or_else(|| None, |signal| Some(s.signal(signal)));
        let at = at.unwrap_or_else(|| s.send("q"));
        let back = s
            .until(LONG, |screen| !screen.alternate_screen())
            .expect("not restored");
        ms(back - at)
    };
    let lines = ways.map(|(what, how)| {
        let mut t: Vec<f64> = (0..3).map(|_| one(ours, "2", how)).collect();
        let mut f: Vec<f64> = (0..3).map(|_| one(floor, "", how)).collect();
        Line {
            what,
            unit: "ms",
            ours: quantile(&mut t, 0.5),
            floor: Some(quantile(&mut f, 0.5)),
            limit: Limit::Most(20.0),
        }
    });
    vendors.answer();
    lines.into()
}
