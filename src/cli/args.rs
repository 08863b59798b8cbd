//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::runtime::load::Place;

/// The terminal a release manager keeps open: windows, live deploys, metrics against baseline, on-call and rollback.
#[derive(Debug, Parser)]
#[command(name = "cockpit", version, about, max_term_width = 100)]
pub struct Args {
    /// The file to read instead of ./cockpit.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where journal and cache are kept
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Remove every act
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Trust the file of this digest for this run (pipelines)
    #[arg(long, global = true, value_name = "DIGEST")]
    pub trust: Option<String>,
    /// Print plain text instead of the interface
    #[arg(long)]
    pub plain: bool,
    /// Print JSON instead of the interface
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,
    /// ASCII only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Keep a log in the data directory: error, warn, info, debug or trace [env: COCKPIT_LOG]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
    /// default, mono or colour-blind
    #[arg(long, global = true, default_value = "default")]
    pub theme: String,
    /// What to do; nothing opens the interface
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Color {
    /// Unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Args {
    /// Where things are.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            read_only: self.read_only,
            trust: self.trust.clone(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fly the embedded world: no account, no network, no set-up
    Demo(DemoArgs),
    /// The situation as plain text or JSON
    Status(StatusArgs),
    /// Read the file and ask every connection how it is
    Check(CheckArgs),
    /// Show what the file reaches, and grant it
    Trust(TrustArgs),
    /// Write a commented cockpit.toml by asking
    Init(InitArgs),
    /// The JSON schema of cockpit.toml, or of the situation
    Schema(SchemaArgs),
    /// May a start happen, by windows, freezes, fit and cover?
    Window(WindowArgs),
    /// The next eight days: windows, freezes, releases; or the entries of any span, as text, JSON or iCalendar
    Calendar(CalendarArgs),
    /// Plans that are in each other's way, and the way out
    Conflicts(ConflictsArgs),
    /// May a release go on? The verdict of its gates and triggers, for a pipeline
    Gate(GateArgs),
    /// Judge two numbers or two files: is the new version worse?
    Judge(JudgeArgs),
    /// Run today's triggers over the history: when each would have tripped, and how often falsely
    Backtest(BacktestArgs),
    /// Fly a release without a screen: does what is owed, one line a change
    Watch(WatchArgs),
    /// Write the brief for on-call
    Brief(BriefArgs),
    /// Write the handoff to the next driver
    Handoff(DocumentArgs),
    /// Write the review of a release, and record what it found
    Review(ReviewArgs),
    /// Write release notes
    Notes(DocumentArgs),
    /// Record that somebody acknowledged the brief
    Ack(AckArgs),
    /// Approve the release, record that somebody did, or ask for it
    Approve(ApproveArgs),
    /// Override a rule that refuses the start: ask, confirm as the second person, decline, or break the glass
    Override(OverrideArgs),
    /// Verify, export or back up the journal
    Journal(JournalArgs),
    /// List, show, begin or test connectors
    Connector(ConnectorArgs),
    /// Completions for a shell
    Completions(CompletionsArgs),
    /// The manual page
    Man,
}

/// `cockpit demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// regression, happy, blackout, freeze or watch
    #[arg(default_value = "regression")]
    pub scenario: String,
    /// World seconds a real second; countdowns and dialogs stay in real time
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Start the world over
    #[arg(long)]
    pub fresh: bool,
    /// Serve the simulated vendors alone and print their addresses
    #[arg(long)]
    pub serve: bool,
}

/// How long a command waits for the first answers.
#[derive(Debug, clap::Args)]
pub struct Patience {
    /// How long to wait for the first answers
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = length)]
    pub wait: Duration,
}

/// `cockpit status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// JSON (its schema: cockpit schema --situation)
    #[arg(long)]
    pub json: bool,
    /// Plain text, the default
    #[arg(long, conflicts_with = "json")]
    pub plain: bool,
    /// How long to wait for the first answers
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = length)]
    pub wait: Duration,
}

/// `cockpit check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// JSON
    #[arg(long)]
    pub json: bool,
    /// The file alone: no connection is asked
    #[arg(long)]
    pub offline: bool,
    /// How long to wait for the numbers that forecast the gates
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = length)]
    pub wait: Duration,
}

/// `cockpit trust`.
#[derive(Debug, clap::Args)]
pub struct TrustArgs {
    /// Only show what the file reaches; exit code 0: it is trusted, 1: it is not
    #[arg(long)]
    pub show: bool,
    /// Grant it without asking
    #[arg(long, conflicts_with = "show")]
    pub yes: bool,
    /// Grant it if it still has this digest
    #[arg(long, value_name = "DIGEST", conflicts_with = "show")]
    pub digest: Option<String>,
}

/// `cockpit init`. Any answer given here is not asked for; with `--yes` nothing is.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Ask nothing: what is not given here is as the starter has it
    #[arg(long)]
    pub yes: bool,
    /// Where to write; an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Title on the screen
    #[arg(long)]
    pub title: Option<String>,
    /// Zone of local times, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// An environment, in promotion order; may be given several times
    #[arg(long = "environment", value_name = "NAME")]
    pub environments: Vec<String>,
    /// An environment that is protected; may be given several times
    #[arg(long = "protected", value_name = "NAME")]
    pub protected: Vec<String>,
    /// A service; may be given several times
    #[arg(long = "service", value_name = "NAME")]
    pub services: Vec<String>,
    /// Where Prometheus answers
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// Where Argo CD answers
    #[arg(long, value_name = "URL")]
    pub argocd: Option<String>,
    /// The repository at GitHub
    #[arg(long, value_name = "OWNER/REPO")]
    pub github: Option<String>,
}

/// `cockpit schema`.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// That of `cockpit status --json`
    #[arg(long)]
    pub situation: bool,
}

/// `cockpit window`.
#[derive(Debug, clap::Args)]
pub struct WindowArgs {
    /// When: RFC 3339, or local such as 2026-12-01T10:00; else now. May be given several times; - reads a time a line, and
    /// answers a line each with --json
    #[arg(long, value_name = "TIME")]
    pub at: Vec<String>,
    /// A start of this service: fit and cover are judged too; else windows and freezes of all
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Windows and freezes alone, also with a service
    #[arg(long)]
    pub rules_only: bool,
    /// In this environment; else in the last of the promotion order
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<String>,
    /// For a change of this kind, such as hotfix; may be given several times
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<String>,
    /// JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit conflicts`.
#[derive(Debug, clap::Args)]
pub struct ConflictsArgs {
    /// Only those of this release
    #[arg(long, value_name = "RELEASE")]
    pub release: Option<String>,
    /// JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit calendar`.
#[derive(Debug, clap::Args)]
pub struct CalendarArgs {
    /// From this day or time on, such as 2026-12-01; with it, or with --to or --ics, every entry is listed
    #[arg(long, value_name = "DAY|TIME")]
    pub from: Option<String>,
    /// Through this day, or up to this time; else four weeks
    #[arg(long, value_name = "DAY|TIME")]
    pub to: Option<String>,
    /// JSON: the situation's `calendar`, or the entries
    #[arg(long)]
    pub json: bool,
    /// An iCalendar file of releases, freezes and watches, else from 30 days ago to 180 days ahead
    #[arg(long, conflicts_with = "json")]
    pub ics: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit gate`.
#[derive(Debug, clap::Args)]
pub struct GateArgs {
    /// The release's id
    pub release: String,
    /// How long to wait for a verdict
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = length)]
    pub wait: Duration,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

/// `cockpit judge`.
#[derive(Debug, clap::Args)]
pub struct JudgeArgs {
    /// ratio: two counts; quantile: two files with one value a line
    #[arg(long, value_enum)]
    pub kind: JudgeKind,
    /// EVENTS/TOTAL, or a file
    #[arg(long, value_name = "COUNTS|FILE")]
    pub baseline: String,
    /// EVENTS/TOTAL, or a file
    #[arg(long, value_name = "COUNTS|FILE")]
    pub new: String,
    /// The largest ratio of new to baseline that is tolerated [default: 1.5, of a quantile 1.25]
    #[arg(long, value_name = "RATIO")]
    pub tolerance: Option<f64>,
    /// Which way is good
    #[arg(long, value_enum, default_value_t = Good::LowerIsBetter)]
    pub direction: Good,
    /// How much noisier than Poisson the counts are (1: not at all)
    #[arg(long)]
    pub phi: Option<f64>,
    /// Relative standard deviation from day to day, where the baseline is of other days
    #[arg(long, value_name = "SHARE")]
    pub day_sd: Option<f64>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

/// What is judged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum JudgeKind {
    /// Counts: events of total
    Ratio,
    /// Values, such as a latency every minute
    Quantile,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Good {
    /// Errors, latency
    LowerIsBetter,
    /// Conversion
    HigherIsBetter,
}

/// `cockpit backtest`.
#[derive(Debug, clap::Args)]
pub struct BacktestArgs {
    /// How many days back
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=90))]
    pub days: u16,
    /// The triggers of this release's services, as sealed where they are
    #[arg(long, value_name = "RELEASE", conflicts_with = "service")]
    pub release: Option<String>,
    /// The triggers of this service; else of every service, at most 50
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

/// `cockpit watch`.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// The release's id
    pub release: String,
    /// A JSON object a line
    #[arg(long)]
    pub json: bool,
    /// In an embedded world alone: world seconds a real second
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
}

/// `cockpit review`.
#[derive(Debug, clap::Args)]
pub struct ReviewArgs {
    /// The release's id
    pub release: String,
    /// Record it: the closed release is reviewed
    #[arg(long, requires = "found")]
    pub record: bool,
    /// With --record: what the review found
    #[arg(long, value_name = "TEXT", requires = "record")]
    pub found: Option<String>,
    /// With --record: who reviewed; else you
    #[arg(long, value_name = "PERSON", requires = "record")]
    pub by: Option<String>,
    /// With --record: show what would be journaled, and do none of it
    #[arg(long, requires = "record")]
    pub dry_run: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit handoff` and `notes`.
#[derive(Debug, clap::Args)]
pub struct DocumentArgs {
    /// The release's id
    pub release: String,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit brief`.
#[derive(Debug, clap::Args)]
pub struct BriefArgs {
    /// The release's id
    pub release: String,
    /// Send it to the person on call, too
    #[arg(long)]
    pub send: bool,
    /// With --send: show what would be sent and journaled, and do none of it
    #[arg(long, requires = "send")]
    pub dry_run: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit ack`.
#[derive(Debug, clap::Args)]
pub struct AckArgs {
    /// The release's id
    pub release: String,
    /// Who acknowledged; else the person who is on call
    #[arg(long, value_name = "PERSON")]
    pub by: Option<String>,
    /// Show what would be journaled, and do none of it
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit approve`.
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// The release's id
    pub release: String,
    /// Who approved: neither the author nor the driver nor the one who asks; you by your OS user, or another by word
    #[arg(long, value_name = "PERSON", required_unless_present = "ask")]
    pub by: Option<String>,
    /// Ask those who may approve, over every channel
    #[arg(long, conflicts_with = "by")]
    pub ask: bool,
    /// With --ask: a word to them
    #[arg(long, value_name = "TEXT", requires = "ask")]
    pub note: Option<String>,
    /// Show what would be journaled, and do none of it
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit override`.
#[derive(Debug, clap::Args)]
pub struct OverrideArgs {
    /// The release's id
    pub release: String,
    /// The rule as the refusal names it, such as "freeze/quarter end"; without it, what can be overridden is listed
    pub rule: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Confirm what somebody else asked for, as this person
    #[arg(long, value_name = "PERSON", conflicts_with_all = ["decline", "break_glass"])]
    pub second: Option<String>,
    /// Decline what somebody asked for, or withdraw your own request
    #[arg(long, conflicts_with = "break_glass")]
    pub decline: bool,
    /// Nobody answers: override alone; the rule's owner is told, and a review is due
    #[arg(long)]
    pub break_glass: bool,
    /// The name that the cockpit asks to be typed: the service's, or the release's where several change
    #[arg(long, value_name = "NAME")]
    pub typed: Option<String>,
    /// Show what would be journaled and sent, and do none of it
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    /// Patience.
    pub patience: Patience,
}

/// `cockpit journal`.
#[derive(Debug, clap::Args)]
pub struct JournalArgs {
    /// What to do with it
    #[command(subcommand)]
    pub what: JournalCommand,
}

/// What to do with the journal.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Redo the hash chain; exit code 1 names the first broken link
    Verify {
        /// Heads that somebody wrote down, such as 42:0123456789abcdef: they must still be there
        heads: Vec<String>,
        /// Verify this export instead of the journal
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// JSON
        #[arg(long)]
        json: bool,
    },
    /// Write one JSON object a line, oldest first
    Export {
        /// Where to; else to the standard output. An existing file is never overwritten
        file: Option<PathBuf>,
    },
    /// Copy the whole database while others go on writing, and verify the copy
    Backup {
        /// Where to; an existing file is never overwritten
        file: PathBuf,
    },
}

/// `cockpit connector`.
#[derive(Debug, clap::Args)]
pub struct ConnectorArgs {
    /// What to do
    #[command(subcommand)]
    pub what: ConnectorCommand,
}

/// What to do with connectors.
#[derive(Debug, Subcommand)]
pub enum ConnectorCommand {
    /// Every connector, shipped and your own
    List {
        /// JSON
        #[arg(long)]
        json: bool,
    },
    /// A connector's settings, reads and acts
    Show {
        /// Its id
        id: String,
        /// The whole file
        #[arg(long)]
        source: bool,
    },
    /// Begin a connector of your own: a commented file with a test row
    New {
        /// Its id: a-z, 0-9, - and _
        id: String,
        /// Where to; else into your connectors folder. An existing file is never overwritten
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Run a connector file's test rows, without any network
    Test {
        /// The file; its fixtures lie beside it
        file: PathBuf,
    },
}

/// `cockpit completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// A length of time on the command line.
fn length(text: &str) -> Result<Duration, String> {
    let length = crate::domain::time::parse_duration(text)?;
    length
        .to_std()
        .map_err(|_| format!("\"{text}\" is less than nothing"))
}
