//! The same with the program itself, as a person starts it: two of them at once, and one that is killed at each step of the plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use cockpit::store::StoredEvent;
use rustix::process::{Pid, Signal, kill_process};

use crate::pty::terminal::{Start, Terminal};
use crate::pty::world::journal;

use super::{Flight, PATIENCE, Wrong};

/// The event with which an act is meant, before it is sent.
const INTENDED: &str = "intended";
/// Events that a plan without a fault appends, from its start to its end.
const EVENTS: usize = 16;

impl Flight {
    /// The program on this flight's file.
    fn program(&self) -> Terminal {
        let place = self.place();
        let words = |path: Option<std::path::PathBuf>| path.unwrap().display().to_string();
        let (config, data, trust) = (
            words(place.config),
            words(place.data_dir),
            place.trust.unwrap(),
        );
        Terminal::start(Start {
            args: vec!["--config", &config, "--data-dir", &data, "--trust", &trust],
            ..Start::default()
        })
    }

    fn journal(&self) -> Vec<StoredEvent> {
        journal(&self.folder.path().join("data"))
    }

    /// How often each kind of act arrived at the vendor.
    fn arrived(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.fake.seen().iter().filter(|s| s.method != "GET") {
            *counts.entry(seen.method.clone()).or_default() += 1;
        }
        counts
    }

    fn reads(&self) -> usize {
        self.fake
            .seen()
            .iter()
            .filter(|s| s.method == "GET")
            .count()
    }
}

/// Opens the dialog and fills it in, once what it needs was read. The key that confirms is left.
fn filled_in(t: &mut Terminal) {
    const BACK_TAB: &str = "\x1b[Z";
    t.see("R roll back…");
    t.send("R");
    t.see("[ Cancel ]");
    t.send(&format!("{BACK_TAB}checkout{BACK_TAB} drill"));
    t.until("what was typed", |t| {
        t.text().contains("type checkout  checkout") && t.text().contains("drill")
    });
    t.send("\t\t\t");
}

fn kinds(events: &[StoredEvent]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.event.kind.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn two_programs_on_one_store_that_confirm_at_once_roll_back_once() {
    let runtime = vendor();
    let flight = runtime.block_on(Flight::new(Wrong::Nothing));
    let (mut one, mut two) = (flight.program(), flight.program());
    filled_in(&mut one);
    filled_in(&mut two);
    one.send("\r");
    two.send("\r");
    for t in [&mut one, &mut two] {
        t.gone("[ Cancel ]");
        t.see("rolled back");
    }
    assert_eq!(
        flight.arrived(),
        BTreeMap::from([("PATCH".into(), 1), ("POST".into(), 1)])
    );
    let events = flight.journal();
    let told = kinds(&events);
    assert_eq!(
        (told["plan_started"], told["plan_ended"], told[INTENDED]),
        (1, 1, 2)
    );
    // Neither takes back what the other wrote: the new version was seen, and then it was gone.
    assert_eq!(told["deployment_seen"], 2, "{told:?}");
}

/// Where the program is killed.
#[derive(Clone, Copy, Debug)]
enum At {
    /// As soon as the journal holds so many events of the plan: between two steps.
    Event(usize),
    /// As an act arrives (its method): before anything is performed.
    Before(&'static str),
    /// The act is performed, and nobody is left to hear the answer.
    After(&'static str),
}

fn end(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

/// The vendor's own threads, while this one waits for the program.
fn vendor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Confirms in a dialog that is filled in, and is killed there.
fn kill(flight: &Flight, mut t: Terminal, at: At) {
    let victim = Arc::new(AtomicI32::new(0));
    let aim = victim.clone();
    flight.app.lock().unwrap().arrives = Some(Box::new(move |method, performed| {
        let hit = match at {
            At::Event(_) => false,
            At::Before(m) => !performed && m == method,
            At::After(m) => performed && m == method,
        };
        // Once: what comes after the restart is let be.
        let pid = if hit {
            aim.swap(0, Ordering::SeqCst)
        } else {
            0
        };
        if pid != 0 {
            end(pid);
        }
        pid == 0 || performed
    }));
    let before = flight.journal().len();
    victim.store(i32::try_from(t.id()).unwrap(), Ordering::SeqCst);
    t.send("\r");
    let patience = Instant::now() + PATIENCE;
    while !t.ended() {
        let late = Instant::now() > patience;
        assert!(!late, "{at:?} did not come:\n{}", t.text());
        match at {
            At::Event(n) if flight.journal().len() >= before + n => t.kill(),
            _ => t.quiet(Duration::from_millis(1)),
        }
    }
}

/// Confirms, is killed there, and starts again: the program that went on.
fn killed(flight: &Flight, at: At) -> Terminal {
    let mut t = flight.program();
    filled_in(&mut t);
    kill(flight, t, at);
    flight.program()
}

/// Each of them, four at a time.
fn each(points: Vec<At>, then: fn(At, &Flight, Terminal)) {
    let points = std::sync::Mutex::new(points);
    let next = || points.lock().unwrap().pop();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(at) = next() {
                    let runtime = vendor();
                    let flight = runtime.block_on(Flight::new(Wrong::Nothing));
                    let program = killed(&flight, at);
                    then(at, &flight, program);
                }
            });
        }
    });
}

#[test]
fn killed_at_each_step_of_the_plan_it_goes_on_and_repeats_nothing() {
    let mut points = vec![At::After("PATCH"), At::After("POST")];
    points.extend((1..=EVENTS).map(At::Event));
    each(points, |at, flight, mut t| {
        // An act that was meant and never sent ends the plan, once the vendor shows nothing of it.
        t.until("the plan's end", |t| {
            ["rolled back", "ended, not done"]
                .iter()
                .any(|end| t.text().contains(end))
        });
        let done = t.text().contains("rolled back");
        let events = flight.journal();
        let told = kinds(&events);
        println!("{at:?}: done {done}, {told:?}");
        let arrived = flight.arrived();
        assert!(arrived.values().all(|n| *n == 1), "{at:?}: {arrived:?}");
        assert_eq!((told["plan_started"], told["plan_ended"]), (1, 1), "{at:?}");
        assert!(
            told[INTENDED] - arrived.len() == usize::from(!done),
            "{at:?}: {arrived:?}"
        );
        let version = if done { "2.13.4" } else { "2.14.0" };
        assert_eq!(flight.app.lock().unwrap().version, version, "{at:?}");
    });
}

#[test]
fn where_the_driver_is_killed_the_other_program_takes_over_and_brings_the_plan_to_its_end() {
    let points = [At::Event(5), At::After("POST")];
    std::thread::scope(|scope| {
        for at in points {
            scope.spawn(move || {
                let runtime = vendor();
                let flight = runtime.block_on(Flight::new(Wrong::Nothing));
                // Who comes first holds the driver's lease.
                let mut driver = flight.program();
                filled_in(&mut driver);
                let mut other = flight.program();
                other.see("R roll back…");
                kill(&flight, driver, at);
                other.see("rolled back");
                let once = BTreeMap::from([("PATCH".into(), 1), ("POST".into(), 1)]);
                assert_eq!(flight.arrived(), once, "{at:?}");
                let events = flight.journal();
                let told = kinds(&events);
                assert_eq!((told["plan_started"], told["plan_ended"]), (1, 1), "{at:?}");
                assert_eq!(flight.app.lock().unwrap().version, "2.13.4", "{at:?}");
            });
        }
    });
}

#[test]
fn killed_as_an_act_went_out_that_never_happened_it_says_unknown_and_sends_nothing_again() {
    let points = vec![At::Before("PATCH"), At::Before("POST")];
    each(points, |at, flight, mut t| {
        t.see("? unknown");
        let before = flight.arrived();
        let reads = flight.reads();
        t.until("three more reads", |_| flight.reads() > reads + 3);
        assert_eq!(flight.arrived(), before, "{at:?}");
        assert_eq!(flight.app.lock().unwrap().version, "2.14.0", "{at:?}");
    });
}
