//! Findings as people read them in a terminal: the sentence, the line it speaks of, what to do.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::mask::masked;
use crate::domain::diag::{Diag, Severity};

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
    for diag in diags {
        out.push_str(&one(diag, &source, &renderer));
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
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
    let mut group = match diag.span.and_then(|span| within(span, source)) {
        Some(span) => level.primary_title(&title).element(
            Snippet::source(source)
                .path(&diag.file)
                .annotation(AnnotationKind::Primary.span(span)),
        ),
        None => {
            let title = format!("{}: {title}", diag.file);
            return plain(level, &title, diag.help.as_deref(), renderer);
        }
    };
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

/// The span, cut to one line and to characters: an excerpt of a whole table helps nobody.
fn within((start, end): (usize, usize), source: &str) -> Option<std::ops::Range<usize>> {
    let rest = source.get(start..)?;
    let line = rest.find('\n').map_or(source.len(), |n| start + n);
    let end = end.min(line).max(start);
    source.is_char_boundary(end).then_some(start..end)
}

/// A parser's message as a sentence of ours: one line, no trailing stop.
pub fn sentence(message: &str) -> String {
    let joined = message.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.trim_end_matches('.').to_owned()
}
