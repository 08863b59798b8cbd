//! The words of the command line.

use std::path::PathBuf;

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
}

/// `cockpit demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// regression, happy, blackout or freeze
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
    #[arg(long, default_value = "10s", value_name = "TIME")]
    pub wait: String,
}
