//! Brief, handoff, review and release notes: a situation and a template become Markdown.
//!
//! Every value is escaped on its way into the page, whatever the template says: a commit's title can make neither a link nor a
//! mention nor markup. Only addresses of the policy become links, through the filter `link`.

mod context;
mod escape;
mod value;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

use crate::domain::policy::Policy;
use crate::domain::situation::Situation;

pub use escape::escape;

/// How deep a template may nest calls.
const DEPTH: usize = 100;

/// Which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For the person on call, before the deployment.
    Brief,
    /// For the next driver.
    Handoff,
    /// For the review afterwards.
    Review,
    /// For everybody else: what changed.
    Notes,
}

impl Kind {
    /// The name of its template: a file `NAME.md` in the user's folder takes the place of ours.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Brief => "brief",
            Self::Handoff => "handoff",
            Self::Review => "review",
            Self::Notes => "notes",
        }
    }

    /// The template that comes with the program.
    #[must_use]
    pub fn template(self) -> &'static str {
        match self {
            Self::Brief => include_str!("../../assets/templates/brief.md"),
            Self::Handoff => include_str!("../../assets/templates/handoff.md"),
            Self::Review => include_str!("../../assets/templates/review.md"),
            Self::Notes => include_str!("../../assets/templates/notes.md"),
        }
    }
}

/// Writes a document about the current release, or about everything for a handoff. `template` is the text of the user's own one;
/// `None` takes ours.
///
/// # Errors
/// A sentence: no release to write about, or what is wrong with the template and in which line.
pub fn render(
    kind: Kind,
    s: &Situation,
    policy: &Policy,
    template: Option<&str>,
) -> Result<String, String> {
    if kind != Kind::Handoff && context::current(s).is_none() {
        return Err(format!(
            "no release is planned: there is nothing to write a {} about",
            kind.name()
        ));
    }
    let context = value::of(&context::context(s, policy));
    let source = template.unwrap_or(kind.template());
    let name = format!("{}.md", kind.name());
    environment()
        .render_named_str(&name, source, context)
        .map(|text| tidy(&text))
        .map_err(|e| sentence(&name, &e))
}

/// Values are escaped by the formatter, which no block and no filter of a template can switch off.
fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_recursion_limit(DEPTH);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    // The usual delimiters cannot be refused; should they ever be, the page only has more empty lines.
    if let Ok(syntax) = syntax.build() {
        env.set_syntax(syntax);
    }
    for filter in ["safe", "escape", "e"] {
        env.remove_filter(filter);
    }
    env.add_filter("link", escape::link);
    env.set_formatter(escape::format);
    env
}

/// At most one empty line in a row, none at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && empty) {
            out.push_str(line);
            out.push('\n');
        }
        empty = line.is_empty();
    }
    format!("{}\n", out.trim_end())
}

fn sentence(name: &str, e: &minijinja::Error) -> String {
    let place = e
        .line()
        .map_or(String::new(), |line| format!(", line {line}"));
    let detail = e.detail().map_or(String::new(), |d| format!(": {d}"));
    format!(
        "the template {name}{place} cannot be written: {}{detail}",
        e.kind()
    )
}

#[cfg(test)]
mod tests;
