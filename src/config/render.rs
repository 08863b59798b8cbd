//! Findings as people read them in a terminal: the sentence, the line it speaks of, what to do.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::mask::masked;
use crate::domain::diag::{Diag, Severity};

/// Most findings drawn; a file with more is not a slip of the fingers.
const MOST: usize = 100;

/// All findings, each with an excerpt of `source`. What may be a secret is masked in the excerpt.
#[must_use]
pub fn render(diags: &[Diag], source: &str, colour: bool) -> String {
    let source = masked(source);
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    for diag in diags.iter().take(MOST) {
        out.push_str(&one(diag, &source, &renderer));
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
    if diags.len() > MOST {
        let _ = write!(out, "\n\nand {} more", diags.len() - MOST);
    }
    out
}

fn one(diag: &Diag, source: &str, renderer: &Renderer) -> String {
    let level = match diag.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = if diag.key.is_empty() {
        diag.message.clone()
    } else {
        format!("{}: {}", diag.key, diag.message)
    };
    let Some((line, span)) = diag.span.and_then(|span| excerpt(span, source)) else {
        let title = format!("{}: {title}", diag.file);
        return plain(level, &title, diag.help.as_deref(), renderer);
    };
    let snippet = Snippet::source(line)
        .line_start(usize::try_from(diag.line).unwrap_or(1))
        .path(&diag.file)
        .annotation(AnnotationKind::Primary.span(span));
    let mut group = level.primary_title(&title).element(snippet);
    if let Some(help) = &diag.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

fn plain(level: Level<'_>, title: &str, help: Option<&str>, renderer: &Renderer) -> String {
    let mut group = annotate_snippets::Group::with_title(level.primary_title(title));
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

/// The line that a span begins on, and the part of it that the span covers: an excerpt of a whole table helps nobody.
fn excerpt((start, end): (usize, usize), source: &str) -> Option<(&str, std::ops::Range<usize>)> {
    let from = source.get(..start)?.rfind('\n').map_or(0, |n| n + 1);
    let line = source.get(from..)?.split('\n').next()?;
    let end = end.saturating_sub(from).clamp(start - from, line.len());
    line.is_char_boundary(end)
        .then_some((line, start - from..end))
}

/// A parser's message as a sentence of ours: one line, no trailing stop.
pub fn sentence(message: &str) -> String {
    let joined = message.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.trim_end_matches('.').to_owned()
}
