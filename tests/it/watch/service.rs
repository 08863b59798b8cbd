//! The headless watch as a clean service: read-only, a reader that goes away, a speed that makes no sense.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use super::{RELEASE, Site};

#[test]
fn read_only_it_observes_and_writes_nothing() {
    let site = Site::new();
    let mut first = site.start(&["watch", RELEASE, "--speed", "120"]);
    first.says(&["journal", "checkpoint T+5 m: "], 60);
    first.signal(Signal::HUP);
    assert_eq!(first.ends(20), 128 + 1);
    let before = site.events().len();
    let mut observer = site.start(&["--read-only", "watch", RELEASE, "--speed", "120"]);
    observer.says(
        &["observes, read-only: nobody holds the driver's lease"],
        60,
    );
    observer.says(&["checkpoint T+30 m: ahead → due"], 90);
    observer.signal(Signal::TERM);
    assert_eq!(observer.ends(20), 128 + 15);
    assert_eq!(site.events().len(), before);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let site = Site::new();
    let mut child = site
        .command(&["watch", RELEASE, "--speed", "600"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("checkout 2026.47"), "{line}");
    drop(reader);
    let mut errors = child.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut errors, &mut text);
        text
    });
    let mut code = None;
    let ended = crate::real::running::until(std::time::Duration::from_secs(60), || {
        code = child.try_wait().unwrap();
        code.is_some()
    });
    if !ended {
        child.kill().unwrap();
    }
    assert_eq!(code.and_then(|c| c.code()), Some(128 + 13));
    let said = said.join().unwrap();
    assert!(!said.contains("panic") && !said.contains("pipe"), "{said}");
}

#[test]
fn a_speed_is_for_an_embedded_world() {
    let site = Site::new();
    let mut wrong = site.start(&["watch", RELEASE, "--speed", "0"]);
    assert_eq!(wrong.ends(30), 64);
    assert!(wrong.complained()[0].contains("--speed"));
}
