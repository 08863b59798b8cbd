//! Prints the error table of the judge in all its cells beside a fixed threshold, Fisher and Mann–Whitney at each look, and the
//! table of the shipped trigger over watches of 72 hours.
//!
//!     cargo bench --bench judge_table -- [--cells TEXT] [--runs 10000] [--state FILE]
//!
//! Every finished cell is appended to the state file (default: judge_table.tsv in the target folder), and a second run goes on where the first
//! ended. Seeded by the cell's name: the same runs give the same table. The comparison methods get a tenth of the runs.

mod methods;
mod triggers;
mod world;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cockpit::domain::judge::BaselineKind;
use methods::{End, Gate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use world::Mood;

const RATES: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];
const RATIOS: [f64; 3] = [0.001, 0.005, 0.02];
const KINDS: [BaselineKind; 3] = [
    BaselineKind::Concurrent,
    BaselineKind::Hour,
    BaselineKind::SevenDays,
];
const TRIGGER_EVENTS: [f64; 4] = [6.0, 20.0, 60.0, 300.0];
const TRIGGER_EFFECTS: [f64; 3] = [2.5, 3.0, 5.0];

struct Options {
    cells: String,
    runs: u32,
    state: PathBuf,
}

fn options() -> Result<Options, String> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let mut found = Options {
        cells: String::new(),
        runs: 10_000,
        state: target.join("judge_table.tsv"),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--cells" => found.cells = value()?,
            "--runs" => found.runs = value()?.parse().map_err(|e| format!("--runs: {e}"))?,
            "--state" => found.state = value()?.into(),
            // cargo says so to every bench
            "--bench" => {}
            other => {
                return Err(format!(
                    "unknown option {other}; there are --cells, --runs, --state"
                ));
            }
        }
    }
    Ok(found)
}

fn main() {
    if let Err(why) =
        options().and_then(|o| table(&o).map_err(|e| format!("{}: {e}", o.state.display())))
    {
        eprintln!("{why}");
        std::process::exit(64);
    }
}

fn table(options: &Options) -> io::Result<()> {
    let mut done = read(&options.state)?;
    for mood in Mood::ALL {
        for rate in RATES {
            for ratio in RATIOS {
                let name = format!("judge {} {rate}/s {}%", mood.word(), ratio * 100.0);
                cell(options, &mut done, &name, |rng, runs| {
                    judge_cell(rng, runs, mood, rate * 60.0, ratio)
                })?;
            }
        }
        for events in TRIGGER_EVENTS {
            let name = format!("trigger {} {events}/window", mood.word());
            cell(options, &mut done, &name, |rng, runs| {
                vec![trigger_cell(rng, runs / 10, mood, events / 5.0)]
            })?;
        }
    }
    print(&done)
}

type Done = BTreeMap<String, Vec<String>>;

/// Lines of the state file: `name @ runs`, tab, row. A cell counts as done at its own number of runs only.
fn read(path: &Path) -> io::Result<Done> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e),
    };
    let mut done = Done::new();
    // A line without its end was cut by a kill: it goes, and its cell is done again.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        std::fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .set_len(whole as u64)?;
    }
    for line in text
        .split_inclusive('\n')
        .filter_map(|l| l.strip_suffix('\n'))
    {
        if let Some((name, rows)) = line.split_once('\t') {
            done.insert(name.into(), rows.split('\t').map(Into::into).collect());
        }
    }
    Ok(done)
}

fn cell(
    options: &Options,
    done: &mut Done,
    name: &str,
    work: impl Fn(&mut ChaCha8Rng, u32) -> Vec<String>,
) -> io::Result<()> {
    let key = format!("{name} @ {}", options.runs);
    if !name.contains(&options.cells) || done.contains_key(&key) {
        return Ok(());
    }
    // FNV-1a of the name: a seed that does not depend on the order of the cells.
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let rows = work(&mut ChaCha8Rng::seed_from_u64(seed), options.runs.max(10));
    if let Some(folder) = options.state.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&options.state)?;
    writeln!(file, "{key}\t{}", rows.join("\t"))?;
    eprintln!("{key}");
    done.insert(key, rows);
    Ok(())
}

/// Ends counted for one method and one effect.
#[derive(Default, Clone)]
struct Tally {
    runs: u32,
    pass: u32,
    undecided: u32,
    delays: Vec<f64>,
}

impl Tally {
    fn add(&mut self, end: End) {
        self.runs += 1;
        match end {
            End::Fail(minute) => self.delays.push(minute),
            End::Pass => self.pass += 1,
            End::Undecided => self.undecided += 1,
        }
    }

    fn share(&self, count: u32) -> String {
        format!(
            "{:.2}",
            100.0 * f64::from(count) / f64::from(self.runs.max(1))
        )
    }

    fn failed(&self) -> String {
        self.share(self.delays.len() as u32)
    }

    /// Median minute of the Fail over all runs; `>10` when fewer than half failed.
    fn delay(&mut self) -> String {
        self.delays.sort_unstable_by(f64::total_cmp);
        self.delays
            .get(self.runs as usize / 2)
            .map_or(">10".into(), |m| format!("{m:.2}"))
    }
}

/// Three baselines in a row each: the judge's six figures, then false Fail and false Pass at 2T of the three others.
fn judge_cell(
    rng: &mut ChaCha8Rng,
    runs: u32,
    mood: Mood,
    requests: f64,
    ratio: f64,
) -> Vec<String> {
    // T and 2T differ by baseline: 1.5 and 3, or 2 and 4.
    let effects = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0];
    let mut tallies = vec![vec![vec![Tally::default(); effects.len()]; 4]; KINDS.len()];
    for index in 0..runs {
        let run = world::run(rng, mood, requests * ratio, &effects);
        let noise = methods::noise(&run, requests);
        for (kind, by_method) in KINDS.iter().zip(&mut tallies) {
            for (method, by_effect) in by_method.iter_mut().enumerate() {
                if method > 0 && index >= runs / 10 {
                    continue;
                }
                for (new, tally) in run.new.iter().zip(by_effect) {
                    let gate = Gate {
                        run: &run,
                        new,
                        requests,
                        kind: *kind,
                        noise,
                    };
                    tally.add(match method {
                        0 => gate.judge(),
                        1 => gate.threshold(),
                        2 => gate.fisher(),
                        _ => gate.ranks(),
                    });
                }
            }
        }
    }
    KINDS
        .iter()
        .zip(tallies)
        .map(|(kind, tallies)| row(*kind, &effects, tallies))
        .collect()
}

fn row(kind: BaselineKind, effects: &[f64], mut tallies: Vec<Vec<Tally>>) -> String {
    let tolerance = kind.default_tolerance();
    let mut cells = vec![kind.word().to_owned()];
    for (method, by_effect) in tallies.iter_mut().enumerate() {
        let at = |effect: f64| {
            let found = effects.iter().position(|e| *e == effect);
            found
                .and_then(|i| by_effect.get(i))
                .cloned()
                .unwrap_or_default()
        };
        let (same, edge, double) = (at(1.0), at(tolerance), at(2.0 * tolerance));
        cells.push(same.failed());
        if method > 0 {
            cells.push(double.share(double.pass));
            continue;
        }
        cells.extend([
            edge.share(edge.pass),
            double.share(double.pass),
            same.share(same.undecided),
        ]);
        cells.extend([double, at(3.0), at(5.0)].map(|mut t| t.delay()));
    }
    cells.join(" | ")
}

fn trigger_cell(rng: &mut ChaCha8Rng, watches: u32, mood: Mood, mean: f64) -> String {
    let false_trips = (0..watches)
        .filter(|_| triggers::watch(rng, mood, mean, 1.0, 72 * 60).is_some())
        .count();
    let mut cells = vec![format!("{false_trips} of {watches}")];
    for effect in TRIGGER_EFFECTS {
        let mut tally = Tally::default();
        for _ in 0..watches {
            let trip = triggers::watch(rng, mood, mean, effect, 60);
            tally.add(trip.map_or(End::Undecided, |minute| End::Fail(minute as f64)));
        }
        cells.push(tally.delay().replace(">10", ">60"));
    }
    cells.join(" | ")
}

const JUDGE_HEAD: &str = "| cell @ runs | baseline | false Fail % | false Pass % at T | at 2T | undecided % | min to Fail at 2T | 3× | 5× \
| threshold: false Fail % | false Pass % at 2T | Fisher: false Fail % | false Pass % at 2T | Mann–Whitney: false Fail % | false Pass % at 2T |";
const TRIGGER_HEAD: &str =
    "| cell @ runs | false trips in watches of 72 h | min to trip at 2.5× | 3× | 5× |";

fn print(done: &Done) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (kind, head) in [("judge ", JUDGE_HEAD), ("trigger ", TRIGGER_HEAD)] {
        writeln!(
            out,
            "{head}\n|{}",
            "---|".repeat(head.matches('|').count() - 1)
        )?;
        for (name, rows) in done.iter().filter(|(name, _)| name.starts_with(kind)) {
            let name = name.strip_prefix(kind).unwrap_or(name);
            for row in rows {
                writeln!(out, "| {name} | {row} |")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
