//! Brief, handoff, review and notes: a situation rendered as Markdown.
