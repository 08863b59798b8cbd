//! Other processes: this test binary, started again with a role.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

const ROLE: &str = "COCKPIT_TEST_STORE_ROLE";
const DIR: &str = "COCKPIT_TEST_STORE_DIR";

/// A command that plays a role on a data directory. Its lines that begin with "> " are what it says.
pub fn playing(role: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(arguments())
        .env(ROLE, role)
        .env(DIR, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// What makes the test harness run the role and nothing else.
pub fn arguments() -> [&'static str; 4] {
    [
        "--exact",
        "store::tests::child::role",
        "--nocapture",
        "--test-threads=1",
    ]
}

/// What a child said, from its output.
pub fn said(stdout: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stdout).into_owned();
    text.lines()
        .filter_map(|l| l.split_once("> "))
        .map(|(_, said)| said.to_string())
        .collect()
}

fn say(what: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    // One write a line, so that a kill never leaves half of one that reads as a whole.
    out.write_all(format!("\n> {what}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// No test but the entry of a child; without a role there is nothing to play.
#[tokio::test]
async fn role() {
    let (Ok(role), Ok(dir)) = (std::env::var(ROLE), std::env::var(DIR)) else {
        return;
    };
    let dir = Path::new(&dir);
    match role.as_str() {
        "append" => append_for_ever(dir).await,
        "append-200" => {
            let store = open(dir).await.unwrap();
            for n in 0..200 {
                let done = store
                    .append(keyed(n, &format!("{}/{n}", std::process::id())))
                    .await
                    .unwrap();
                say(done[0].stored.seq);
            }
        }
        "open" => match open(dir).await {
            Ok(store) => say(format!(
                "opened {:?}",
                store.append(event(1)).await.map(|_| ())
            )),
            Err(error) => say(error),
        },
        "read" => match open_read_only(dir).await {
            Ok(store) => say(format!(
                "events {}",
                store.events_since(0).await.unwrap().len()
            )),
            Err(error) => say(error),
        },
        "fill" => super::space::fill_until_refused(dir, say).await,
        other => panic!("no role {other}"),
    }
}

/// Appends in pairs until it is killed, and says each event after it was acknowledged.
async fn append_for_ever(dir: &Path) {
    let store = open(dir).await.unwrap();
    for n in 0.. {
        for done in store.append(vec![event(n), event(n)]).await.unwrap() {
            say(format!("{} {}", done.stored.seq, done.stored.hash));
        }
    }
}
