//! Commits and tags of a local clone, read by the `git` program.
//!
//! Nothing is ever fetched: protocols, lazy fetching, prompts, hooks, the file-system monitor, external diffs, text
//! conversion, signature programs and pagers are off, whatever the clone's own configuration says. Names become full
//! hashes before they are used, and only hashes reach `git log`. The person's own `safe.directory` is respected.

mod log;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use self::log::LogReader;
use crate::connect::context::DriverContext;
use crate::connect::driver::{Driver, Preview, ReadSpan};
use crate::connect::process::{Done, End, Job, More, beside, environment, run};
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::diag::Diag;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;
use crate::domain::record::{Artifact, Records};
use crate::domain::text::clean;

/// Most commits of one answer; more make it partial.
const MAX_COMMITS: usize = 1_000;
/// Most tags of one answer; more make it partial.
const MAX_TAGS: usize = 1_000;
/// Bytes of output that are listened to, other than a log's.
const MAX_OUTPUT: usize = 1 << 20;
/// How long git may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// Columns of git's own words in a fault.
const EXCERPT: usize = 200;

/// Options before git's subcommand: whatever a clone's configuration could start is off.
const GUARD: &[&str] = &[
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.sshCommand=false",
    "-c",
    "core.askPass=false",
    "-c",
    "credential.helper=",
    "-c",
    "diff.external=",
    "-c",
    "gpg.program=false",
    "-c",
    "gpg.ssh.program=false",
    "-c",
    "gpg.x509.program=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "protocol.allow=never",
    "-c",
    "submodule.recurse=false",
];

/// Environment beside `PATH`, `HOME` and the person's own configuration.
const QUIET: &[(&str, &str)] = &[
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", ""),
    ("GIT_PROTOCOL_FROM_USER", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "false"),
    ("SSH_ASKPASS", "false"),
    ("GIT_SSH_COMMAND", "false"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", "false"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_FLUSH", "0"),
];

/// A local clone.
///
/// Reads: `commits` (arguments `from`, `to`: what `to` has and `from` has not, newest first) and `tags` (optional
/// argument `version`: that one alone, with `present` false where it is missing). Versions are tags (also with the
/// setting `tag_prefix`, or `v`, before them), hashes of at least 7 digits, or branches.
pub struct Git {
    name: String,
    path: PathBuf,
    tag_prefix: String,
}

impl Git {
    /// A driver for the clone that the setting `path` names, from the folder of cockpit.toml on. Nothing is run here.
    ///
    /// # Errors
    /// No path; a demo file, which runs no program.
    pub fn new(connection: &Connection, context: &DriverContext) -> Result<Self, Vec<Diag>> {
        let refuse = |message: &str| Err(vec![context.diag(connection, "path", message)]);
        if context.shared.endpoints.is_some() {
            return refuse("a demo file runs no program, so it reads no clone");
        }
        let Some(path) = context.text("path") else {
            return refuse("path is missing: where is the clone?");
        };
        Ok(Self {
            name: format!("Git ({})", connection.name),
            path: beside(&context.shared.file, path),
            tag_prefix: context.text("tag_prefix").unwrap_or_default().to_owned(),
        })
    }

    fn job(&self, args: &[&str]) -> Job {
        let mut env = environment(&["XDG_CONFIG_HOME"]);
        env.extend(
            QUIET
                .iter()
                .map(|(k, v)| (OsString::from(k), OsString::from(v))),
        );
        // Only this folder itself is looked at, no repository further up.
        if let Some(parent) = self.path.parent().filter(|p| p.is_absolute()) {
            env.push(("GIT_CEILING_DIRECTORIES".into(), parent.into()));
        }
        let mut words: Vec<OsString> = vec!["-C".into(), self.path.clone().into()];
        words.extend(GUARD.iter().chain(args).map(OsString::from));
        Job {
            program: "git".into(),
            args: words,
            env,
            dir: None,
            input: Vec::new(),
            deadline: DEADLINE,
        }
    }

    /// Runs git and hands on its output; a failure other than exit code 1 of a quiet look-up is a fault.
    async fn git(&self, args: &[&str], output: impl FnMut(&[u8]) -> More) -> Result<Done, Fault> {
        let done = run(&self.job(args), output).await.map_err(|e| {
            self.fault(
                FaultKind::Config,
                format!("git cannot be run: {e}"),
                "install git",
            )
        })?;
        match done.end {
            End::Code(0 | 1) | End::Enough => Ok(done),
            End::Deadline => Err(self.fault(
                FaultKind::Timeout,
                format!("git took longer than {} s", DEADLINE.as_secs()),
                "look at the clone's size and disk",
            )),
            End::Code(_) | End::Signal => Err(self.complaint(&done)),
        }
    }

    /// Git's own words as a fault.
    fn complaint(&self, done: &Done) -> Fault {
        let words = clean(&String::from_utf8_lossy(&done.error), EXCERPT);
        let place = self.path.display();
        if words.contains("dubious ownership") {
            return self.fault(
                FaultKind::Config,
                format!("{place} belongs to another user, git refuses it"),
                format!("if you trust it: git config --global --add safe.directory {place}"),
            );
        }
        if words.contains("not a git repository") || words.contains("cannot change to") {
            return self.fault(
                FaultKind::Config,
                format!("there is no clone at {place}"),
                "clone it there, or set path in cockpit.toml",
            );
        }
        self.fault(
            FaultKind::Refused,
            format!("git says: {words}"),
            "look at the clone",
        )
    }

    async fn text(&self, args: &[&str]) -> Result<String, Fault> {
        let mut out = Vec::new();
        let done = self
            .git(args, |piece| {
                out.extend_from_slice(piece);
                if out.len() > MAX_OUTPUT {
                    More::Enough
                } else {
                    More::Wanted
                }
            })
            .await?;
        match done.end {
            End::Code(0) => Ok(String::from_utf8_lossy(&out).trim_end().to_owned()),
            End::Enough => {
                Err(self.fault(FaultKind::TooLarge, "git says too much", "ask for less"))
            }
            _ => Ok(String::new()),
        }
    }

    /// The full hash of the commit that a version names.
    async fn resolve(&self, version: &str) -> Result<String, Fault> {
        if !plain_name(version) {
            return Err(self.fault(
                FaultKind::Refused,
                format!("\"{}\" is no name of a version", clean(version, 60)),
                "a tag, a branch or a hash of at least 7 digits is one",
            ));
        }
        let prefixed = format!("refs/tags/{}{version}", self.tag_prefix);
        let mut names = vec![
            prefixed,
            format!("refs/tags/{version}"),
            format!("refs/tags/v{version}"),
        ];
        if version.len() >= 7 && version.bytes().all(|b| b.is_ascii_hexdigit()) {
            names.push(version.to_owned());
        }
        names.push(format!("refs/heads/{version}"));
        names.push(format!("refs/remotes/origin/{version}"));
        for name in names {
            let wanted = format!("{name}^{{commit}}");
            let args = [
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &wanted,
            ];
            let found = self.text(&args).await?;
            if is_hash(&found) {
                return Ok(found);
            }
        }
        Err(self.fault(
            FaultKind::NotFound,
            format!(
                "{} knows no tag, branch or commit \"{version}\"",
                self.path.display()
            ),
            format!(
                "nothing is fetched from here: git -C {} fetch --tags",
                self.path.display()
            ),
        ))
    }

    async fn commits(&self, call: &Call) -> Result<Answer, Fault> {
        let from = self.resolve(self.argument(call, "from")?).await?;
        let to = self.resolve(self.argument(call, "to")?).await?;
        let without = format!("^{from}");
        let count = format!("--max-count={}", MAX_COMMITS + 1);
        let args = [
            "log",
            "-z",
            "--name-only",
            "--no-color",
            "--no-decorate",
            "--no-ext-diff",
            "--no-mailmap",
            "--no-notes",
            "--no-renames",
            "--no-show-signature",
            "--no-textconv",
            "--encoding=UTF-8",
            "--ignore-submodules=none",
            "--submodule=short",
            &count,
            log::FORMAT,
            "--end-of-options",
            &to,
            &without,
            "--",
        ];
        let mut reader = LogReader::default();
        let done = self
            .git(&args, |piece| {
                reader.take(piece);
                More::Wanted
            })
            .await?;
        if done.end != End::Code(0) {
            return Err(self.complaint(&done));
        }
        let (mut commits, cut) = reader.finish().map_err(|what| {
            self.fault(
                FaultKind::BadShape,
                format!("git log: {what}"),
                "report the version of git",
            )
        })?;
        let mut notes = Vec::new();
        if commits.len() > MAX_COMMITS {
            commits.truncate(MAX_COMMITS);
            notes.push(format!("only the newest {MAX_COMMITS} commits"));
        }
        if cut {
            notes.push("a commit touches more paths than are listed".to_owned());
        }
        if self.text(&["rev-parse", "--is-shallow-repository"]).await? == "true" {
            notes.push("the clone is shallow, older commits are missing in it".to_owned());
        }
        Ok(answer(Records::Commit(commits), notes))
    }

    async fn tags(&self, call: &Call) -> Result<Answer, Fault> {
        if let Some(version) = call.args.get("version").filter(|v| !v.is_empty()) {
            let digest = match self.resolve(version).await {
                Ok(hash) => Some(hash),
                Err(fault) if fault.kind == FaultKind::NotFound => None,
                Err(fault) => return Err(fault),
            };
            let tag = Artifact {
                id: version.clone(),
                version: version.clone(),
                present: digest.is_some(),
                digest,
            };
            return Ok(answer(Records::Artifact(vec![tag]), Vec::new()));
        }
        let count = format!("--count={}", MAX_TAGS + 1);
        let format = "--format=%(refname)%00%(objectname)%00%(*objectname)";
        let text = self
            .text(&[
                "for-each-ref",
                "--sort=-creatordate",
                &count,
                format,
                "refs/tags/",
            ])
            .await?;
        let mut tags: Vec<_> = text.lines().filter_map(|line| self.tag(line)).collect();
        let mut notes = Vec::new();
        if tags.len() > MAX_TAGS {
            tags.truncate(MAX_TAGS);
            notes.push(format!("only the newest {MAX_TAGS} tags"));
        }
        Ok(answer(Records::Artifact(tags), notes))
    }

    /// One line of the list of tags; an annotated tag's commit is the second hash.
    fn tag(&self, line: &str) -> Option<Artifact> {
        let mut fields = line.split('\0');
        let (name, object, commit) = (fields.next()?, fields.next()?, fields.next()?);
        let short = name.strip_prefix("refs/tags/")?;
        let version = short
            .strip_prefix(self.tag_prefix.as_str())
            .unwrap_or(short);
        let digest = if commit.is_empty() { object } else { commit };
        Some(Artifact {
            id: clean(name, EXCERPT),
            version: clean(version, EXCERPT),
            present: true,
            digest: Some(digest.to_owned()),
        })
    }

    async fn says(&self) -> Result<String, Fault> {
        let head = self
            .text(&[
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                "HEAD^{commit}",
            ])
            .await?;
        let place = self.path.display();
        if !is_hash(&head) {
            return Err(self.fault(
                FaultKind::Config,
                format!("{place} has no commit yet"),
                "fetch it, or set path in cockpit.toml",
            ));
        }
        let format = "--format=%cs";
        let date = self
            .text(&[
                "log",
                "--max-count=1",
                "--no-show-signature",
                "--no-patch",
                format,
                "--end-of-options",
                &head,
                "--",
            ])
            .await?;
        let short = head.get(..10).unwrap_or(&head);
        Ok(format!("HEAD {short} of {} in {place}", clean(&date, 20)))
    }

    fn argument<'c>(&self, call: &'c Call, name: &str) -> Result<&'c str, Fault> {
        match call.args.get(name).map(String::as_str) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.fault(
                FaultKind::Config,
                format!("the read \"{}\" needs the argument {name}", call.read),
                "name the version",
            )),
        }
    }

    fn fault(&self, kind: FaultKind, what: impl AsRef<str>, hint: impl Into<String>) -> Fault {
        Fault::new(kind, format!("{}: {}", self.name, what.as_ref()), hint)
    }
}

impl Driver for Git {
    fn read<'a>(
        &'a self,
        call: &'a Call,
        _: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            match call.read.as_str() {
                "commits" => self.commits(call).await,
                "tags" => self.tags(call).await,
                other => Err(self.fault(
                    FaultKind::Config,
                    format!("there is no read \"{other}\", only commits and tags"),
                    "mend it in cockpit.toml",
                )),
            }
        })
    }
    fn act<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Outcome> {
        let why = format!("{}: a clone is only read", self.name);
        Box::pin(async move { Outcome::Refused { why } })
    }
    fn find<'a>(&'a self, _: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        Box::pin(async {
            Err(self.fault(
                FaultKind::Config,
                "a clone is only read, no act leaves a mark there",
                "",
            ))
        })
    }
    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(self.says())
    }
    fn preview(&self, _: &Act) -> Option<Preview> {
        None
    }
    fn verbs(&self) -> Vec<Verb> {
        Vec::new()
    }
    fn changes<'a>(&'a self, _: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        None
    }
}

fn answer(records: Records, notes: Vec<String>) -> Answer {
    Answer {
        records,
        newest: None,
        partial: (!notes.is_empty()).then(|| notes.join("; ")),
        interval: None,
    }
}

/// A name without git's revision syntax (ranges, parents, searches, reflogs), options or control characters.
fn plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 250
        && !name.starts_with(['-', '/', '.'])
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains("//")
        && !name.ends_with(['/', '.'])
        && !name.contains(|c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c))
}

/// A full SHA-1 or SHA-256 in hex.
fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
