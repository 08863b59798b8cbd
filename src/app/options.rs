//! What the command line and the file say about the interface.

use std::collections::BTreeMap;

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMode {
    /// Unless `NO_COLOR` is set (and not empty).
    #[default]
    Auto,
    /// Always, also with `NO_COLOR`.
    Always,
    /// Never: bold, dim and reverse alone.
    Never,
}

impl ColorMode {
    /// Whether colours are used, given the value of `NO_COLOR`.
    #[must_use]
    pub fn resolve(self, no_color: Option<&str>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => no_color.is_none_or(str::is_empty),
        }
    }
}

/// Which of the embedded themes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    /// Green, yellow, red.
    #[default]
    Default,
    /// No colour at all.
    Mono,
    /// Blue and yellow instead of green and red.
    ColourBlind,
}

impl ThemeName {
    /// Every theme with its name on the command line.
    pub const ALL: [(&'static str, Self); 3] = [
        ("default", Self::Default),
        ("mono", Self::Mono),
        ("colour-blind", Self::ColourBlind),
    ];

    /// The theme of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(n, _)| *n == name);
        found.map(|(_, theme)| *theme)
    }
}

/// How the interface is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Every act is removed.
    pub read_only: bool,
    /// ASCII instead of bars, marks, borders and braille.
    pub ascii: bool,
    /// When colours are used.
    pub color: ColorMode,
    /// Which theme.
    pub theme: ThemeName,
    /// Show the tour's hints in the demo.
    pub hints: bool,
    /// Key → action id, over the table's keys.
    pub keymap: BTreeMap<String, String>,
    /// The file's name as the person gave it, for the first frame.
    pub config: String,
    /// Words known before anything was read, such as DEMO.
    pub flags: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_only: false,
            ascii: false,
            color: ColorMode::Auto,
            theme: ThemeName::Default,
            hints: true,
            keymap: BTreeMap::new(),
            config: "cockpit.toml".into(),
            flags: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_counts_only_when_not_empty_and_not_overruled() {
        assert!(ColorMode::Auto.resolve(None));
        assert!(ColorMode::Auto.resolve(Some("")));
        assert!(!ColorMode::Auto.resolve(Some("1")));
        assert!(ColorMode::Always.resolve(Some("1")));
        assert!(!ColorMode::Never.resolve(None));
    }
}
