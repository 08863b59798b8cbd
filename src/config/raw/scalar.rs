//! The small values of the format: lengths, moments, zones, numbers with a unit.

use std::borrow::Cow;

use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::config::place::shown;
use crate::config::suggest;
use crate::domain::recur::moment::{Moment, TimeOfDay};
use crate::domain::time::parse_duration;

/// Checks a text by the `format` of its schema.
///
/// # Errors
/// A sentence, and what to do.
pub fn check(format: Option<&str>, text: &str) -> Result<(), (String, Option<String>)> {
    let plain = |why: String| (why, None);
    match format {
        Some("length") => text.parse::<Length>().map(drop).map_err(plain),
        Some("moment") => text.parse::<Moment>().map(drop).map_err(plain),
        Some("time-of-day") => text.parse::<TimeOfDay>().map(drop).map_err(plain),
        Some("zone") => zone(text).map(drop),
        Some("page") => page(text).map_err(plain),
        _ => Ok(()),
    }
}

fn zone(text: &str) -> Result<Tz, (String, Option<String>)> {
    text.parse::<Tz>().map_err(|_| {
        let near = suggest::nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()));
        let help = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write an IANA name such as \"Europe/Berlin\"".to_owned(),
        };
        (format!("\"{}\" is no time zone", shown(text)), Some(help))
    })
}

/// A page that a person opens: http or https, no user name or password in it.
fn page(text: &str) -> Result<(), String> {
    let url = url::Url::parse(text).map_err(|e| {
        format!("this is no address ({e}); write for example \"https://wiki/checkout\"")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https addresses are opened".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address never holds a user name or password".into());
    }
    Ok(())
}

/// A length of time in whole seconds, written `90s`, `5m`, `2h`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Length(pub u64);

impl std::str::FromStr for Length {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = parse_duration(&shown(text))?.num_seconds();
        u64::try_from(seconds)
            .map(Self)
            .map_err(|_| "a length of time is not negative".into())
    }
}

impl TryFrom<String> for Length {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Length> for String {
    fn from(length: Length) -> Self {
        length.to_string()
    }
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = self.0;
        match s {
            0 => f.write_str("0s"),
            // A day reads "24h" up to three days: that is how people speak of watches.
            _ if s.is_multiple_of(86_400) && s > 3 * 86_400 => write!(f, "{}d", s / 86_400),
            _ if s.is_multiple_of(3_600) => write!(f, "{}h", s / 3_600),
            _ if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            _ => write!(f, "{s}s"),
        }
    }
}

/// Writes the schema of a text with a format.
macro_rules! text_format {
    ($name:ident, $format:literal, $what:literal) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format, "description": $what })
            }
        }
    };
}

text_format!(Length, "length", "A length of time: 90s, 5m, 2h, 7d");

/// A day, a local time or an instant; a date of TOML or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct When(pub Moment);
text_format!(
    When,
    "moment",
    "A day (2026-12-28), a local time (2026-12-28T18:00) or an instant (2026-12-28T18:00:00Z)"
);

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct ClockTime(pub TimeOfDay);
text_format!(
    ClockTime,
    "time-of-day",
    "A time of day: 09:30; 24:00 is midnight at the day's end"
);

/// An IANA time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Zone(pub Tz);
text_format!(Zone, "zone", "An IANA time zone: Europe/Berlin");

/// A page a person opens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Page(pub String);
text_format!(
    Page,
    "page",
    "An http or https address without user name and password"
);

/// A query; may have several lines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Query(pub String);
text_format!(
    Query,
    "query",
    "A query in the vendor's language; $bucket is the bucket's length"
);

/// One text, or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Texts {
    /// All of them.
    pub fn list(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Many(list) => list.clone(),
        }
    }
}

/// A number, or a text with a unit such as `800ms`, `1%`, `2x baseline`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Amount {
    /// A bare number.
    Number(f64),
    /// With a unit.
    Text(String),
}

/// true, false, or a text.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum FlagOrText {
    /// true or false.
    Flag(bool),
    /// A text.
    Text(String),
}

/// A value in a target table.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Argument {
    /// true or false.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Argument {
    /// As connectors take it.
    pub fn text(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Number(n) => n.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}
