//! What a reload changes, a line each, and which of it waits until open releases close (SEMANTICS 13).

use serde_json::{Map, Value};

use super::place::shown;
use crate::domain::policy::Policy;
use crate::domain::time::duration_words;

/// Longest value repeated in a line, in characters.
const LONGEST: usize = 48;

/// What differs between two policies, a line each. What stays in force until open releases close says so.
#[must_use]
pub fn diff(old: &Policy, new: &Policy) -> Vec<String> {
    let (Ok(Value::Object(old)), Ok(Value::Object(new))) =
        (serde_json::to_value(old), serde_json::to_value(new))
    else {
        return vec!["the policies cannot be compared".to_owned()];
    };
    let mut lines = Vec::new();
    for key in keys(&old, &new) {
        // The digest differs with every byte, and the file's name is no rule.
        if matches!(key, "digest" | "file") {
            continue;
        }
        let mut walk = Walk {
            stays: String::new(),
            lines: &mut lines,
        };
        walk.values(
            singular(key),
            key,
            old.get(key).unwrap_or(&Value::Null),
            new.get(key).unwrap_or(&Value::Null),
        );
    }
    lines
}

/// `services` holds one `service` each.
fn singular(key: &str) -> &str {
    match key {
        "services" => "service",
        "windows" => "window",
        "freezes" => "freeze",
        "metrics" => "metric",
        "environments" => "environment",
        "connections" => "connection",
        "releases" => "release",
        "calendars" => "calendar",
        other => other,
    }
}

fn keys<'m>(old: &'m Map<String, Value>, new: &'m Map<String, Value>) -> Vec<&'m str> {
    let mut keys: Vec<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What of the old policy an open release goes on with.
fn stays(section: &str, field: &str) -> &'static str {
    const KEPT: &str = "; releases that are sealed and open keep the old one until they close, unless it is taken by name";
    const SEALED: &str = "; sealed contracts keep the old one";
    match (section, field) {
        ("freezes", _) | ("connections", "" | "connector" | "settings") => KEPT,
        ("services", "deployments" | "target" | "irreversible" | "registry" | "image") => KEPT,
        ("services", "gates" | "triggers" | "slo") => SEALED,
        ("metrics", _) => SEALED,
        ("releases", "environment") => KEPT,
        _ => "",
    }
}

struct Walk<'l> {
    stays: String,
    lines: &'l mut Vec<String>,
}

impl Walk<'_> {
    /// Compares two values; `what` names them, `section` is the policy's field.
    fn values(&mut self, what: &str, section: &str, old: &Value, new: &Value) {
        if old == new {
            return;
        }
        match (old, new) {
            (Value::Object(a), Value::Object(b))
                if section == "connections" && what == "connection" =>
            {
                self.named(what, section, &by_key(a), &by_key(b));
            }
            (Value::Array(a), Value::Array(b))
                if all_named(a) && all_named(b) && !(a.is_empty() && b.is_empty()) =>
            {
                self.named(what, section, &by_name(a), &by_name(b));
                if section == "environments" && order(a) != order(b) {
                    self.lines
                        .push("the order of promotion of the environments changed".into());
                }
            }
            (Value::Object(a), Value::Object(b)) => {
                for key in keys(a, b) {
                    // How a setting is kept is nobody's business: `url`, not `settings url text`.
                    let kept = ["text", "number", "flag", "list", "secret"];
                    let wrapped = section == "connections" && a.len() == 1 && b.len() == 1;
                    let inner = if wrapped && kept.contains(&key) {
                        what.to_owned()
                    } else {
                        format!("{what} {key}")
                    };
                    self.values(
                        &inner,
                        section,
                        a.get(key).unwrap_or(&Value::Null),
                        b.get(key).unwrap_or(&Value::Null),
                    );
                }
            }
            _ => {
                let (was, now) = (short(what, old), short(what, new));
                let line = if was == now {
                    format!("{} changed{}", shown(what), self.stays)
                } else {
                    format!("{}: {was} → {now}{}", shown(what), self.stays)
                };
                self.lines.push(line);
            }
        }
    }

    fn named(&mut self, what: &str, section: &str, old: &[(&str, &Value)], new: &[(&str, &Value)]) {
        let find = |list: &[(&str, &Value)], name: &str| {
            list.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).clone())
        };
        for (name, was) in old {
            let title = format!("{what} \"{}\"", shown(name));
            let Some(now) = find(new, name) else {
                self.lines
                    .push(format!("{title} is gone{}", self.tail(section, "")));
                continue;
            };
            if let (Value::Object(a), Value::Object(b)) = (was, &now) {
                for key in keys(a, b) {
                    let tail = self.tail(section, key);
                    let before = std::mem::replace(&mut self.stays, tail);
                    self.values(
                        &format!("{title}{}", singular_field(key)),
                        section,
                        a.get(key).unwrap_or(&Value::Null),
                        b.get(key).unwrap_or(&Value::Null),
                    );
                    self.stays = before;
                }
            }
        }
        for (name, _) in new {
            if find(old, name).is_none() {
                self.lines
                    .push(format!("{what} \"{}\" is new", shown(name)));
            }
        }
    }

    fn tail(&self, section: &str, field: &str) -> String {
        if self.stays.is_empty() {
            stays(section, field).to_owned()
        } else {
            self.stays.clone()
        }
    }
}

fn singular_field(key: &str) -> String {
    match key {
        "gates" => " gate",
        "triggers" => " trigger",
        // The connection's settings stand beside its connector in the file.
        "settings" => "",
        _ => return format!(" {key}"),
    }
    .to_owned()
}

fn name_of(value: &Value) -> Option<&str> {
    let object = value.as_object()?;
    ["id", "name", "service"]
        .iter()
        .find_map(|key| object.get(*key).and_then(Value::as_str))
}

fn all_named(list: &[Value]) -> bool {
    list.iter().all(|v| name_of(v).is_some())
}

fn by_name(list: &[Value]) -> Vec<(&str, &Value)> {
    list.iter().filter_map(|v| Some((name_of(v)?, v))).collect()
}

fn by_key(map: &Map<String, Value>) -> Vec<(&str, &Value)> {
    map.iter().map(|(k, v)| (k.as_str(), v)).collect()
}

fn order(list: &[Value]) -> Vec<&str> {
    list.iter().filter_map(name_of).collect()
}

/// Whether a field counts seconds.
fn is_length(what: &str) -> bool {
    const FIELDS: [&str; 10] = [
        "every",
        "window",
        "hold_for",
        "shelf_life",
        "ack_within",
        "turn",
        "length",
        "manual_shelf_life",
        "watch_long",
        "window_left",
    ];
    let field = what.rsplit(' ').next().unwrap_or(what);
    FIELDS.contains(&field) || what.starts_with("limits ")
}

/// A value in a line: short, and of an address only its host (its path may be a secret).
fn short(what: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => return "nothing".into(),
        Value::String(text) => text.clone(),
        Value::Number(n) => match n.as_i64() {
            Some(seconds) if is_length(what) => {
                return duration_words(chrono::Duration::try_seconds(seconds).unwrap_or_default());
            }
            _ => n.to_string(),
        },
        other => other.to_string(),
    };
    if let Ok(url) = url::Url::parse(&text)
        && url.has_host()
        && what.starts_with("connection")
    {
        return url.origin().ascii_serialization();
    }
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", shown(&cut))
}
