//! What a meaning looks like: read from the embedded themes, colours taken away where none are wanted.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::app::ThemeName;
use crate::domain::situation::Tone;

/// The embedded themes' text.
#[must_use]
pub fn source(name: ThemeName) -> &'static str {
    match name {
        ThemeName::Default => include_str!("../../assets/themes/default.toml"),
        ThemeName::Mono => include_str!("../../assets/themes/mono.toml"),
        ThemeName::ColourBlind => include_str!("../../assets/themes/colour-blind.toml"),
    }
}

/// The styles in force.
#[derive(Clone, Debug, Default)]
pub struct Theme {
    /// Glyphs are ASCII.
    pub ascii: bool,
    /// Ordinary text.
    pub text: Style,
    /// Old or secondary.
    pub dim: Style,
    /// Read first.
    pub bright: Style,
    /// Earned green.
    pub pass: Style,
    /// Needs a person, or waits.
    pub hold: Style,
    /// Bad.
    pub fail: Style,
    /// Not known.
    pub unknown: Style,
    /// The selected row of the focused list.
    pub selected: Style,
    /// A text cursor.
    pub cursor: Style,
    /// A protected environment's word.
    pub protected: Style,
    /// Another environment's word.
    pub environment: Style,
    /// DEMO, SOLO, READ-ONLY.
    pub flag: Style,
    /// Borders.
    pub border: Style,
    /// Titles.
    pub title: Style,
    /// The focused pane's title.
    pub title_focused: Style,
    /// A key.
    pub key: Style,
    /// A chart's line.
    pub value: Style,
    /// The old version's line.
    pub old: Style,
    /// The baseline's band.
    pub baseline: Style,
    /// The threshold's line.
    pub threshold: Style,
    /// The deployment's mark.
    pub deploy: Style,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[allow(dead_code)]
    name: String,
    style: std::collections::BTreeMap<String, Vec<String>>,
}

impl Theme {
    /// The theme of that name; without `color` only bold, dim, underline and reverse are left, of the theme without colour.
    ///
    /// An embedded theme always reads (a test reads them all); were one broken, everything would show as plain text.
    #[must_use]
    pub fn load(name: ThemeName, color: bool, ascii: bool) -> Self {
        let name = if color { name } else { ThemeName::Mono };
        let mut theme = Self::parse(source(name)).unwrap_or_default();
        theme.ascii = ascii;
        theme
    }

    /// Reads a theme's text.
    ///
    /// # Errors
    /// One sentence: what does not read, an unknown style or word.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut theme = Self::default();
        for (name, words) in &file.style {
            let slot = theme
                .slot(name)
                .ok_or_else(|| format!("no style is called \"{name}\""))?;
            *slot = style(words)?;
        }
        Ok(theme)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Style> {
        Some(match name {
            "text" => &mut self.text,
            "dim" => &mut self.dim,
            "bright" => &mut self.bright,
            "pass" => &mut self.pass,
            "hold" => &mut self.hold,
            "fail" => &mut self.fail,
            "unknown" => &mut self.unknown,
            "selected" => &mut self.selected,
            "cursor" => &mut self.cursor,
            "protected" => &mut self.protected,
            "environment" => &mut self.environment,
            "flag" => &mut self.flag,
            "border" => &mut self.border,
            "title" => &mut self.title,
            "title-focused" => &mut self.title_focused,
            "key" => &mut self.key,
            "value" => &mut self.value,
            "old" => &mut self.old,
            "baseline" => &mut self.baseline,
            "threshold" => &mut self.threshold,
            "deploy" => &mut self.deploy,
            _ => return None,
        })
    }

    /// What a meaning looks like.
    #[must_use]
    pub fn tone(&self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => self.text,
            Tone::Pass => self.pass,
            Tone::Fail => self.fail,
            Tone::Hold => self.hold,
            Tone::Unknown => self.unknown,
        }
    }

    /// The same where nothing counts as known any more: nothing looks passed.
    #[must_use]
    pub fn silenced(mut self) -> Self {
        self.pass = self.dim;
        self
    }

    /// The glyph, or its ASCII stand-in.
    #[must_use]
    pub fn glyph(&self, fine: &'static str, plain: &'static str) -> &'static str {
        if self.ascii { plain } else { fine }
    }
}

fn style(words: &[String]) -> Result<Style, String> {
    let mut style = Style::new();
    for word in words {
        style = match word.as_str() {
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "reverse" => style.add_modifier(Modifier::REVERSED),
            "underline" => style.add_modifier(Modifier::UNDERLINED),
            other => match other.strip_prefix("on-") {
                Some(name) => style.bg(color(name)?),
                None => style.fg(color(other)?),
            },
        };
    }
    Ok(style)
}

fn color(name: &str) -> Result<Color, String> {
    Ok(match name {
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "gray" => Color::Gray,
        "dark-gray" => Color::DarkGray,
        "light-red" => Color::LightRed,
        "light-green" => Color::LightGreen,
        "light-yellow" => Color::LightYellow,
        "light-blue" => Color::LightBlue,
        "light-magenta" => Color::LightMagenta,
        "light-cyan" => Color::LightCyan,
        "white" => Color::White,
        other => {
            return Err(format!(
                "\"{other}\" is neither a colour nor bold, dim, reverse or underline"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_themes_read() {
        for (name, theme) in ThemeName::ALL {
            let t = Theme::parse(source(theme)).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_ne!(t.selected, Style::new(), "{name}");
        }
    }

    #[test]
    fn without_colour_bold_and_reverse_are_left() {
        let t = Theme::load(ThemeName::Default, false, false);
        for s in [t.pass, t.fail, t.hold, t.unknown, t.protected, t.threshold] {
            assert_eq!((s.fg, s.bg), (None, None));
        }
        assert!(t.selected.add_modifier.contains(Modifier::REVERSED));
        assert!(t.bright.add_modifier.contains(Modifier::BOLD));
    }

    #[test]
    fn meanings_differ_in_every_theme_with_colour() {
        for theme in [ThemeName::Default, ThemeName::ColourBlind] {
            let t = Theme::load(theme, true, false);
            let all = [t.pass, t.hold, t.fail, t.unknown, t.selected];
            for (i, a) in all.iter().enumerate() {
                assert!(all.iter().skip(i + 1).all(|b| a != b), "{theme:?}");
            }
        }
    }

    #[test]
    fn a_broken_theme_says_what_is_wrong() {
        assert!(
            Theme::parse("name=\"x\"\n[style]\npas=[]")
                .unwrap_err()
                .contains("\"pas\"")
        );
        assert!(
            Theme::parse("name=\"x\"\n[style]\npass=[\"gren\"]")
                .unwrap_err()
                .contains("\"gren\"")
        );
    }
}
