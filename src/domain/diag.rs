//! Diagnostics: one sentence for the person who must act, with the place it speaks of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad a diagnostic is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is used, but the reader should know.
    Warning,
    /// The file is refused.
    Error,
}

/// One finding in a file that a person wrote.
///
/// `line` and `col` are 1-based; 0 means that no place is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diag {
    /// Error or warning.
    pub severity: Severity,
    /// The file as the person named it.
    pub file: String,
    /// 1-based line, 0 if unknown.
    pub line: u32,
    /// 1-based column in characters, 0 if unknown.
    pub col: u32,
    /// Byte range in the file, for an excerpt.
    pub span: Option<(usize, usize)>,
    /// Dotted key path, such as `service[0].trigger[1].above`; may be empty.
    pub key: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do, a did-you-mean, or nothing.
    pub help: Option<String>,
}

impl Diag {
    /// An error without a place.
    pub fn error(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: 0,
            col: 0,
            span: None,
            key: String::new(),
            message: message.into(),
            help: None,
        }
    }

    /// The same finding with advice attached.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for Diag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.col)?;
        } else if !self.file.is_empty() {
            write!(f, "{}: ", self.file)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}
