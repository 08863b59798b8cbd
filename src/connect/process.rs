//! Runs a program without a shell: a cleared environment, no controlling terminal, its own process group that is ended at
//! the deadline (or when nobody waits for it any more), output handed on as it comes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Standard error kept, in bytes; the rest is read and dropped.
const ERROR_KEPT: usize = 64 * 1024;

/// After the polite signal, so long until the last one.
const GRACE: Duration = Duration::from_secs(1);

/// How long output may still come from a program's children after it ended itself.
const LINGER: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program: a path, or a name looked up in `PATH` of `env`.
    pub program: OsString,
    /// Its arguments, word by word.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory; `None`: ours.
    pub dir: Option<PathBuf>,
    /// Given on standard input.
    pub input: Vec<u8>,
    /// When the process group is ended.
    pub deadline: Duration,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that was not ours.
    Signal,
    /// By us at the deadline.
    Deadline,
    /// By us, since its output was enough.
    Enough,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// How.
    pub end: End,
    /// The first 64 KiB of standard error, as they came.
    pub error: Vec<u8>,
}

/// Whether more output is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// Go on.
    Wanted,
    /// End the program.
    Enough,
}

/// The environment that every program gets: `PATH`, `HOME` and a plain locale, and those of `names` that are set here.
#[must_use]
pub fn environment<S: AsRef<str>>(names: &[S]) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = vec![("LC_ALL".into(), "C.UTF-8".into())];
    for name in ["PATH", "HOME"]
        .into_iter()
        .chain(names.iter().map(AsRef::as_ref))
    {
        if let Some(value) = std::env::var_os(name) {
            env.retain(|(known, _)| known != name);
            env.push((name.into(), value));
        }
    }
    env
}

/// A path as a person wrote it in `file`: `~/` is the home folder, a relative one starts beside the file.
#[must_use]
pub fn beside(file: &str, path: &str) -> PathBuf {
    if let (Some(rest), Some(home)) = (path.strip_prefix("~/"), std::env::home_dir()) {
        return home.join(rest);
    }
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    std::path::absolute(folder.join(path)).unwrap_or_else(|_| folder.join(path))
}

/// Where a program is: a path as given (from `dir`), a bare name by the `PATH` in `env`. `None`: nowhere, or no file that
/// may be executed.
#[must_use]
pub fn locate(
    program: &OsStr,
    env: &[(OsString, OsString)],
    dir: Option<&Path>,
) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.is_absolute() {
        let from = dir.map_or_else(|| path.to_owned(), |dir| dir.join(path));
        return executable(&from).then(|| path.to_owned());
    }
    let search = env.iter().find(|(name, _)| name == "PATH")?.1.clone();
    std::env::split_paths(&search)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(path))
        .find(|candidate| executable(candidate))
}

#[cfg(unix)]
fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// Runs the job to its end. `output` gets standard output in pieces.
///
/// # Errors
/// When the program could not be started; then nothing of it ran.
pub async fn run(job: &Job, mut output: impl FnMut(&[u8]) -> More) -> std::io::Result<Done> {
    let mut child = command(job)?.spawn()?;
    let mut group = Group::of(&child);
    let mut error = Vec::new();
    let ended = tokio::time::timeout(
        job.deadline,
        attend(&mut child, &job.input, &mut output, &mut error),
    )
    .await;
    let (end, left) = match ended {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(failure)) => return Err(failure),
        Err(_) => (End::Deadline, true),
    };
    if left {
        group.end(&mut child).await;
    }
    group.over = true;
    Ok(Done { end, error })
}

/// The command, started as leader of a session of its own where the system has `setsid` (so that no terminal can be
/// asked for a password), else as leader of its own process group.
fn command(job: &Job) -> std::io::Result<Command> {
    let program = locate(&job.program, &job.env, job.dir.as_deref()).ok_or_else(|| {
        std::io::Error::new(
            std::io::ErrorKind::NotFound,
            format!("no program {}", job.program.to_string_lossy()),
        )
    })?;
    let setsid = ["/usr/bin/setsid", "/bin/setsid"]
        .into_iter()
        .map(Path::new)
        .find(|path| executable(path));
    let mut command = match setsid {
        Some(setsid) => {
            let mut command = Command::new(setsid);
            command.arg("--").arg(program);
            command
        }
        None => {
            let mut command = Command::new(program);
            command.process_group(0);
            command
        }
    };
    command
        .args(&job.args)
        .env_clear()
        .envs(job.env.iter().map(|(k, v)| (k, v)))
        .stdin(if job.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(dir) = &job.dir {
        command.current_dir(dir);
    }
    Ok(command)
}

/// Feeds, reads and waits; also says whether something of the group is left to be ended.
async fn attend(
    child: &mut Child,
    input: &[u8],
    output: &mut impl FnMut(&[u8]) -> More,
    error: &mut Vec<u8>,
) -> std::io::Result<(End, bool)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut pipe) = stdin {
            // A program that does not read its input is no failure.
            let _ = pipe.write_all(input).await;
        }
        More::Wanted
    };
    let out = pump(stdout, output);
    let mut keep = |piece: &[u8]| {
        let room = ERROR_KEPT.saturating_sub(error.len());
        error.extend_from_slice(piece.get(..room).unwrap_or(piece));
        More::Wanted
    };
    let err = pump(stderr, &mut keep);
    let streams = async {
        tokio::pin!(out, err, feed);
        let (mut out_over, mut rest_over) = (false, false);
        let mut rest = futures::future::join(err, feed);
        while !(out_over && rest_over) {
            tokio::select! {
                more = &mut out, if !out_over => {
                    if more == More::Enough {
                        return More::Enough;
                    }
                    out_over = true;
                }
                _ = &mut rest, if !rest_over => rest_over = true,
            }
        }
        More::Wanted
    };
    tokio::pin!(streams);
    tokio::select! {
        more = &mut streams => {
            if more == More::Enough {
                return Ok((End::Enough, true));
            }
            child.wait().await.map(|status| (ended(status), false))
        }
        status = child.wait() => {
            let status = status?;
            Ok(match tokio::time::timeout(LINGER, &mut streams).await {
                Ok(More::Enough) => (End::Enough, true),
                Ok(More::Wanted) => (ended(status), false),
                // Its children hold the pipes: they belong to the group and go with it.
                Err(_) => (ended(status), true),
            })
        }
    }
}

fn ended(status: std::process::ExitStatus) -> End {
    status.code().map_or(End::Signal, End::Code)
}

/// Hands on what a pipe yields until it ends or enough was read.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, take: &mut impl FnMut(&[u8]) -> More) -> More {
    let Some(mut pipe) = pipe else {
        return More::Wanted;
    };
    let mut buffer = vec![0_u8; 32 * 1024];
    loop {
        match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => return More::Wanted,
            Ok(read) => {
                if take(buffer.get(..read).unwrap_or_default()) == More::Enough {
                    return More::Enough;
                }
            }
        }
    }
}

/// Ends the process group when it is dropped before the run is over.
struct Group {
    leader: Option<Pid>,
    over: bool,
}

impl Group {
    fn of(child: &Child) -> Self {
        let leader = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Self {
            leader,
            over: false,
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // Gone already is what is wanted.
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Politely, then surely; reaps the leader.
    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        let left = tokio::time::timeout(GRACE, child.wait()).await.is_ok();
        self.signal(Signal::KILL);
        if !left {
            let _ = child.start_kill();
            let _ = child.wait().await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.over {
            self.signal(Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn sh(script: &str) -> Job {
        Job {
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: environment::<&str>(&[]),
            dir: None,
            input: Vec::new(),
            deadline: Duration::from_secs(20),
        }
    }

    async fn all(job: &Job) -> (Done, String) {
        let mut out = Vec::new();
        let done = run(job, |piece| {
            out.extend_from_slice(piece);
            More::Wanted
        })
        .await
        .unwrap();
        (done, String::from_utf8_lossy(&out).into_owned())
    }

    /// Is any process of that group alive (zombies do not count)?
    fn alive(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit(')')
                .next()
                .unwrap_or("")
                .trim_start()
                .starts_with('Z')
        })
    }

    async fn gone(pid: &str) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        while alive(pid) && Instant::now() < until {
            tokio::task::yield_now().await;
        }
        !alive(pid)
    }

    #[tokio::test]
    async fn input_output_error_and_code_arrive() {
        let mut job = sh("cat; echo oops >&2; exit 3");
        job.input = b"hello".to_vec();
        let (done, out) = all(&job).await;
        assert_eq!(out, "hello");
        assert_eq!(
            done,
            Done {
                end: End::Code(3),
                error: b"oops\n".to_vec()
            }
        );
    }

    #[tokio::test]
    async fn the_environment_is_cleared() {
        let (_, out) = all(&sh("env")).await;
        for line in out.lines() {
            let name = line.split('=').next().unwrap();
            assert!(
                ["PATH", "HOME", "LC_ALL", "PWD", "SHLVL", "_", "OLDPWD"].contains(&name),
                "{line}"
            );
        }
        assert_eq!(
            environment(&["NO_SUCH_NAME_HERE"])
                .iter()
                .filter(|e| e.0 == "NO_SUCH_NAME_HERE")
                .count(),
            0
        );
    }

    #[tokio::test]
    async fn there_is_no_terminal_to_ask() {
        let (_, out) = all(&sh(
            "(echo asks > /dev/tty) 2>/dev/null && echo asked || echo none",
        ))
        .await;
        assert_eq!(out.trim(), "none");
    }

    #[tokio::test]
    async fn the_whole_group_is_ended_at_the_deadline() {
        let mut job = sh("trap '' TERM; sleep 300 & echo $$ $!; while :; do sleep 300; done");
        job.deadline = Duration::from_millis(600);
        let (done, out) = all(&job).await;
        assert_eq!(done.end, End::Deadline);
        let pids: Vec<_> = out.split_whitespace().collect();
        assert_eq!(pids.len(), 2, "{out}");
        for pid in pids {
            assert!(gone(pid).await, "{pid} lives on");
        }
    }

    #[tokio::test]
    async fn nobody_waiting_ends_it_too() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let job = sh("sleep 300 & echo $!; wait");
        let task = tokio::spawn(async move {
            let _ = run(&job, |piece| {
                if let Some(sender) = sender.take() {
                    let _ = sender.send(String::from_utf8_lossy(piece).trim().to_owned());
                }
                More::Wanted
            })
            .await;
        });
        let pid = receiver.await.unwrap();
        assert!(alive(&pid));
        task.abort();
        assert!(gone(&pid).await);
    }

    #[tokio::test]
    async fn a_child_that_keeps_the_pipe_open_does_not_hold_us() {
        let started = Instant::now();
        let (done, out) = all(&sh("sleep 300 & echo $!")).await;
        assert_eq!(done.end, End::Code(0));
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(gone(out.trim()).await, "left behind");
    }

    #[tokio::test]
    async fn enough_output_ends_an_endless_program() {
        let mut seen = 0;
        let done = run(&sh("yes"), |piece| {
            seen += piece.len();
            if seen > 100_000 {
                More::Enough
            } else {
                More::Wanted
            }
        })
        .await
        .unwrap();
        assert_eq!(done.end, End::Enough);
    }

    #[tokio::test]
    async fn endless_errors_are_read_but_not_kept() {
        let (done, _) = all(&sh("head -c 3000000 /dev/zero >&2; exit 1")).await;
        assert_eq!((done.end, done.error.len()), (End::Code(1), ERROR_KEPT));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_not_started() {
        let mut job = sh("");
        job.program = "surely-no-such-program".into();
        let failure = run(&job, |_| More::Wanted).await.unwrap_err();
        assert_eq!(failure.kind(), std::io::ErrorKind::NotFound);
        job.program = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into();
        assert!(run(&job, |_| More::Wanted).await.is_err());
    }
}
