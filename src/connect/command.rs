//! Any in-house tool as a source or an act: words in (never a shell), JSON out.
//!
//! A read gets `{"read": …, "args": …}` on standard input and answers with a JSON list of records (or an object with
//! `items`, `partial`, `newest`, `interval`). `check` is the exception: its exit code is the answer, 0 passes, and what it
//! prints is kept. An act gets `{"verb": …, "intent": …, "args": …}` and the intent's id in `COCKPIT_INTENT`.
//! Its exit code says what happened: 0 with a JSON object, the receipt: confirmed; 75, a signal, the deadline, or 0 without
//! a receipt: unknown; any other code promises that nothing happened: refused. `find` is asked for the mark of an act that
//! is unknown: it prints a receipt, or `null` where the mark certainly is not there.

mod argv;
mod records;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde_json::{Value, json};

use self::argv::Template;
use crate::connect::context::DriverContext;
use crate::connect::driver::{Driver, Preview, ReadSpan};
use crate::connect::process::{Done, End, Job, More, beside, environment, locate, run};
use crate::connect::records::clean_json;
use crate::connect::transport::Redactor;
use crate::domain::act::{Act, Outcome, Receipt, Verb};
use crate::domain::diag::Diag;
use crate::domain::observe::{Answer, Call, Fault, FaultKind};
use crate::domain::policy::Connection;
use crate::domain::record::{CheckRun, RecordKind, Records};
use crate::domain::text::{clean, clean_lines};
use crate::domain::time::parse_duration;

/// Bytes of a check's output that are kept.
const CHECK_KEPT: usize = 64 * 1024;
/// Read beyond that, so that a secret on the edge is still recognised.
const EDGE: usize = 8 * 1024;
/// Largest answer to a read, in bytes.
const MAX_ANSWER: usize = 8 << 20;
/// Bytes of an act's output that are listened to; the rest is read and dropped, the act is not disturbed.
const MAX_RECEIPT: usize = 1 << 20;
/// Columns of a program's own words in a fault.
const EXCERPT: usize = 300;
/// The exit code that says "I do not know whether it happened" (sysexits: a temporary failure).
const UNSURE: i32 = 75;
/// Longest time a program may be given.
const LONGEST: Duration = Duration::from_secs(3600);

/// A program, or one for each read and verb.
pub struct Command {
    name: String,
    common: Option<Template>,
    own: BTreeMap<String, Template>,
    timeout: Duration,
    env: Vec<String>,
    dir: PathBuf,
    redactor: Arc<Redactor>,
    /// The zone of days and of times that name none.
    zone: chrono_tz::Tz,
}

impl Command {
    /// A driver by the connection's settings: `argv` (for every read without its own), one list for each read
    /// (`deployments`, `check`, …) and verb (`deploy`, `rollback`, …), `find`, `health`, `timeout`, `env` (names that are
    /// passed on), `dir` (where it runs; from the folder of cockpit.toml on). Nothing is run here.
    ///
    /// # Errors
    /// A time or placeholder that does not exist, no program at all; a demo file, which runs no program.
    pub fn new(connection: &Connection, context: &DriverContext) -> Result<Self, Vec<Diag>> {
        let refuse =
            |key: &str, what: &str| vec![context.diag(connection, key, format!("{key} {what}"))];
        if context.shared.endpoints.is_some() {
            return Err(refuse(
                "connector",
                "is command, but a demo file runs no program",
            ));
        }
        let length = match context.settings.get("timeout") {
            Some(Value::String(text)) => text.as_str(),
            Some(_) => return Err(refuse("timeout", "is a text such as \"30s\"")),
            None => "60s",
        };
        let dir = context.text("dir").unwrap_or(".");
        let mut driver = Self {
            name: format!("Command ({})", connection.name),
            common: None,
            own: BTreeMap::new(),
            timeout: timeout(length).map_err(|why| refuse("timeout", &why))?,
            env: words(context.settings.get("env")),
            dir: beside(&context.shared.file, dir),
            redactor: context.shared.redactor.clone(),
            zone: context.shared.zone,
        };
        for (key, value) in context.settings.as_object().into_iter().flatten() {
            let argv = words(Some(value));
            if argv.is_empty() && !connection.settings.contains_key(key)
                || !(key == "argv" || known(key))
            {
                continue;
            }
            let template = Template::new(&argv).map_err(|why| refuse(key, &why))?;
            if key == "argv" {
                driver.common = Some(template);
            } else {
                driver.own.insert(key.clone(), template);
            }
        }
        if driver.common.is_none() && driver.own.is_empty() {
            return Err(refuse("argv", "is missing: name the program and its words"));
        }
        Ok(driver)
    }

    fn job(&self, args: Vec<String>, input: &Value, marks: &[(&str, &str)]) -> Job {
        let mut words = args.into_iter();
        let program = words.next().unwrap_or_default();
        let mut env = environment(&self.env);
        env.extend(marks.iter().map(|(k, v)| ((*k).into(), (*v).into())));
        Job {
            program: program.into(),
            args: words.map(Into::into).collect(),
            env,
            dir: Some(self.dir.clone()),
            input: input.to_string().into_bytes(),
            deadline: self.timeout,
        }
    }

    async fn records(&self, call: &Call) -> Result<Answer, Fault> {
        let kind = records::kind(&call.read)
            .ok_or_else(|| self.config(format!("there is no read \"{}\"", call.read)))?;
        let template = self
            .own
            .get(&call.read)
            .or(self.common.as_ref())
            .ok_or_else(|| {
                self.config(format!("neither {} nor argv names a program", call.read))
            })?;
        let args: BTreeMap<_, _> = call
            .args
            .iter()
            .map(|(k, v)| (k.clone(), Value::from(v.as_str())))
            .collect();
        let words = template.render(&args, None).map_err(|why| {
            self.fault(
                FaultKind::Refused,
                format!("{}: not run: {why}", call.read),
                "mend the arguments",
            )
        })?;
        let input = json!({"read": call.read, "args": args});
        let job = self.job(words, &input, &[("COCKPIT_READ", &call.read)]);
        if kind == RecordKind::Check {
            return self.check(&job).await;
        }
        let value = self.json(&job, &call.read).await?;
        records::answer(kind, value, self.zone).map_err(|why| {
            self.fault(
                FaultKind::BadShape,
                format!("{}: {why}", call.read),
                "mend what the program prints",
            )
        })
    }

    async fn check(&self, job: &Job) -> Result<Answer, Fault> {
        let mut out = Vec::new();
        let done = self
            .run(job, |piece| keep(&mut out, piece, CHECK_KEPT + EDGE))
            .await?;
        keep(&mut out, &done.error, CHECK_KEPT + EDGE);
        let exit = match done.end {
            End::Code(code) => Some(code),
            End::Signal | End::Deadline | End::Enough => None,
        };
        let run = CheckRun {
            exit,
            output: self.output(&out),
        };
        Ok(records::whole(Records::Check(vec![run])))
    }

    /// Runs a program that must end with 0 and print JSON.
    async fn json(&self, job: &Job, what: &str) -> Result<Value, Fault> {
        let mut out = Vec::new();
        let done = self
            .run(job, |piece| {
                out.extend_from_slice(piece);
                if out.len() > MAX_ANSWER {
                    More::Enough
                } else {
                    More::Wanted
                }
            })
            .await?;
        let fault =
            |kind, words: String, hint| Err(self.fault(kind, format!("{what}: {words}"), hint));
        match done.end {
            End::Code(0) => {}
            End::Code(code) => {
                let words = self.words(&done.error);
                return fault(
                    FaultKind::Refused,
                    format!("it ended with code {code}: {words}"),
                    "run it by hand",
                );
            }
            End::Signal => {
                return fault(
                    FaultKind::Refused,
                    "it was ended by a signal".into(),
                    "run it by hand",
                );
            }
            End::Deadline => {
                let words = format!("it did not end within {} s", self.timeout.as_secs());
                return fault(
                    FaultKind::Timeout,
                    words,
                    "raise timeout, or make it faster",
                );
            }
            End::Enough => {
                let words = format!("it printed more than {} MiB", MAX_ANSWER >> 20);
                return fault(FaultKind::TooLarge, words, "print less");
            }
        }
        serde_json::from_slice(&out)
            .map(|value| self.redactor.redact_json(&value))
            .or_else(|e| {
                fault(
                    FaultKind::BadShape,
                    format!("it ended with 0 but printed no JSON ({e})"),
                    "print JSON alone",
                )
            })
    }

    async fn perform(&self, act: &Act) -> Outcome {
        let verb = verb_key(act.verb);
        let refused = |why: String| Outcome::Refused {
            why: self.said(&format!("{}: {verb}: {why}", self.name)),
        };
        let unknown = |why: String| Outcome::Unknown {
            why: self.said(&format!("{}: {verb}: {why}", self.name)),
        };
        let Some(template) = self.own.get(&verb) else {
            return refused("no program is named for it".to_owned());
        };
        let words = match template.render(&act.args, Some(&act.id)) {
            Ok(words) => words,
            Err(why) => return refused(format!("not run: {why}")),
        };
        let job = self.job(words, &act_input(act), &[("COCKPIT_INTENT", &act.id)]);
        let mut out = Vec::new();
        let done = match run(&job, |piece| keep(&mut out, piece, MAX_RECEIPT)).await {
            Ok(done) => done,
            // It was never started only where the system says so; a failure while it ran leaves it open.
            Err(e) if never_started(&e) => return refused(format!("not run: {e}")),
            Err(e) => return unknown(format!("it was lost sight of: {e}")),
        };
        match done.end {
            End::Code(0) => match serde_json::from_slice(&out)
                .ok()
                .and_then(|v| self.receipt(&v))
            {
                Some(receipt) => Outcome::Confirmed { receipt },
                None => {
                    unknown("it ended with 0 but printed no receipt (a JSON object)".to_owned())
                }
            },
            End::Code(UNSURE) => unknown(format!(
                "it says that it does not know: {}",
                self.words(&done.error)
            )),
            End::Code(code) => refused(format!(
                "it ended with code {code}: {}",
                self.words(&done.error)
            )),
            End::Deadline => unknown(format!("it was ended after {} s", self.timeout.as_secs())),
            End::Signal | End::Enough => unknown("it was ended by a signal".to_owned()),
        }
    }

    async fn look(&self, act: &Act) -> Result<Option<Receipt>, Fault> {
        let template = self.own.get("find").ok_or_else(|| {
            self.config("no program is named in find, so a mark cannot be looked up")
        })?;
        let words = template.render(&act.args, Some(&act.id)).map_err(|why| {
            self.fault(
                FaultKind::Refused,
                format!("find: not run: {why}"),
                "mend the arguments",
            )
        })?;
        let job = self.job(words, &act_input(act), &[("COCKPIT_INTENT", &act.id)]);
        let value = self.json(&job, "find").await?;
        if value.is_null() {
            return Ok(None);
        }
        self.receipt(&value).map(Some).ok_or_else(|| {
            self.fault(
                FaultKind::BadShape,
                "find: it printed neither an object nor null",
                "mend what the program prints",
            )
        })
    }

    async fn says(&self) -> Result<String, Fault> {
        let env = environment(&self.env);
        for template in self.own.values().chain(&self.common) {
            if locate(template.program().as_ref(), &env, Some(&self.dir)).is_none() {
                return Err(self.config(format!(
                    "there is no program {} that may be run",
                    clean(template.program(), EXCERPT)
                )));
            }
        }
        if let Some(template) = self.own.get("health") {
            let words = template
                .render(&BTreeMap::new(), None)
                .map_err(|why| self.config(format!("health: {why}")))?;
            let mut out = Vec::new();
            let job = self.job(
                words,
                &json!({"read": "health", "args": {}}),
                &[("COCKPIT_READ", "health")],
            );
            let done = self
                .run(&job, |piece| keep(&mut out, piece, EXCERPT * 4))
                .await?;
            if done.end != End::Code(0) {
                let words = self.words(&done.error);
                return Err(self.fault(
                    FaultKind::Refused,
                    format!("health did not end with 0: {words}"),
                    "run it by hand",
                ));
            }
            return Ok(self.words(&out));
        }
        let names: Vec<_> = self.own.keys().map(String::as_str).collect();
        let names = if names.is_empty() {
            "every read".to_owned()
        } else {
            names.join(", ")
        };
        Ok(format!("can be run for {names}"))
    }

    async fn run(&self, job: &Job, output: impl FnMut(&[u8]) -> More) -> Result<Done, Fault> {
        run(job, output)
            .await
            .map_err(|e| self.config(format!("it cannot be run: {e}")))
    }

    /// A JSON object as a receipt: `id` and `url` by name, everything else as fields; redacted and cleaned.
    fn receipt(&self, value: &Value) -> Option<Receipt> {
        let cleaned = clean_json(&self.redactor.redact_json(value), EXCERPT);
        let Value::Object(map) = cleaned else {
            return None;
        };
        let mut receipt = Receipt::default();
        for (key, value) in map {
            match (key.as_str(), &value) {
                ("id", Value::String(text)) => receipt.id = Some(text.clone()),
                ("id", Value::Number(number)) => receipt.id = Some(number.to_string()),
                ("url", Value::String(text)) => receipt.url = Some(text.clone()),
                _ => drop(receipt.fields.insert(key, value)),
            }
        }
        Some(receipt)
    }

    /// A check's output: redacted before and after it is cleaned, then cut.
    fn output(&self, raw: &[u8]) -> String {
        let raw = self.redactor.redact(&String::from_utf8_lossy(raw));
        let mut text = self.redactor.redact(&clean_lines(&raw, 1_000, 10_000));
        let mut end = CHECK_KEPT.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text
    }

    /// A few of the program's own words; the end is where the reason stands.
    fn words(&self, raw: &[u8]) -> String {
        let text = self.redactor.redact(&String::from_utf8_lossy(raw));
        let last = text
            .lines()
            .rev()
            .map(|line| clean(line, EXCERPT))
            .find(|line| !line.is_empty());
        last.map_or_else(
            || "it says nothing".to_owned(),
            |line| self.redactor.redact(&line),
        )
    }

    fn said(&self, text: &str) -> String {
        self.redactor.redact(text)
    }

    fn config(&self, what: impl AsRef<str>) -> Fault {
        self.fault(FaultKind::Config, what, "mend it in cockpit.toml")
    }

    fn fault(&self, kind: FaultKind, what: impl AsRef<str>, hint: &str) -> Fault {
        self.redactor.fault(Fault::new(
            kind,
            format!("{}: {}", self.name, what.as_ref()),
            hint,
        ))
    }
}

impl Driver for Command {
    fn read<'a>(
        &'a self,
        call: &'a Call,
        _: Option<ReadSpan>,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(self.records(call))
    }
    fn act<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Outcome> {
        Box::pin(self.perform(act))
    }
    fn find<'a>(&'a self, act: &'a Act) -> BoxFuture<'a, Result<Option<Receipt>, Fault>> {
        Box::pin(self.look(act))
    }
    fn health(&self) -> BoxFuture<'_, Result<String, Fault>> {
        Box::pin(self.says())
    }
    fn preview(&self, act: &Act) -> Option<Preview> {
        let template = self.own.get(&verb_key(act.verb))?;
        Some(Preview {
            method: "argv".to_owned(),
            path: self.said(&template.shown()),
            body: self.redactor.redact_json(&act_input(act)),
        })
    }
    fn verbs(&self) -> Vec<Verb> {
        VERBS
            .into_iter()
            .filter(|verb| self.own.contains_key(&verb_key(*verb)))
            .collect()
    }
    fn changes<'a>(&'a self, _: &'a Call) -> Option<BoxStream<'a, Result<(), Fault>>> {
        None
    }
}

/// Every verb, in the order of the format.
const VERBS: [Verb; 22] = [
    Verb::Deploy,
    Verb::Rollback,
    Verb::Promote,
    Verb::PromoteFull,
    Verb::Abort,
    Verb::Pause,
    Verb::Resume,
    Verb::Restart,
    Verb::Retry,
    Verb::Hold,
    Verb::ReleaseHold,
    Verb::ToggleFlag,
    Verb::CreateIncident,
    Verb::Ack,
    Verb::PostMessage,
    Verb::UpdateMessage,
    Verb::Comment,
    Verb::Transition,
    Verb::Approve,
    Verb::Run,
    Verb::Silence,
    Verb::Annotate,
];

/// The verb as it is written in files, such as `release_hold`.
fn verb_key(verb: Verb) -> String {
    serde_json::to_value(verb)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Is it the name of a read, a verb, `find` or `health`?
fn known(key: &str) -> bool {
    records::kind(key).is_some()
        || matches!(key, "find" | "health")
        || VERBS.iter().any(|v| verb_key(*v) == key)
}

/// A list of words; nothing else is one.
fn words(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn timeout(text: &str) -> Result<Duration, String> {
    parse_duration(text)?
        .to_std()
        .ok()
        .filter(|length| (Duration::from_secs(1)..=LONGEST).contains(length))
        .ok_or_else(|| "is between 1s and 1h".to_owned())
}

/// What an act's program is told.
fn act_input(act: &Act) -> Value {
    json!({
        "verb": act.verb,
        "intent": act.id,
        "args": act.args,
        "release": act.release,
        "service": act.service,
        "environment": act.environment,
        "reason": act.reason,
        "summary": act.summary,
    })
}

/// Errors of the start itself, before any instruction of the program ran.
fn never_started(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidInput
            | ErrorKind::ArgumentListTooLong
            | ErrorKind::OutOfMemory
            | ErrorKind::WouldBlock
            | ErrorKind::NotADirectory
    )
}

/// Keeps the first `limit` bytes and lets the rest pass.
fn keep(out: &mut Vec<u8>, piece: &[u8], limit: usize) -> More {
    let room = limit.saturating_sub(out.len());
    out.extend_from_slice(piece.get(..room).unwrap_or(piece));
    More::Wanted
}

#[cfg(test)]
mod tests;
