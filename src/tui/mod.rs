//! The screen: panes, widgets, dialogs, theme, layout. The only folder that knows ratatui.
