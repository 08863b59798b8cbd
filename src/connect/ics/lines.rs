//! Content lines: unfolding, properties with parameters, and the tree of components.

use super::{IcsRefused, Problem};

/// Deepest nesting of components.
const MAX_DEPTH: usize = 16;

/// A property: `NAME;PARAM=value:value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prop {
    /// Where it begins.
    pub line: usize,
    /// Upper case.
    pub name: String,
    /// Upper-case name and value, quotes removed.
    pub params: Vec<(String, String)>,
    /// As written.
    pub value: String,
}

impl Prop {
    /// A parameter's value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A component with what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    /// Where it begins.
    pub line: usize,
    /// Upper case, such as `VEVENT`.
    pub name: String,
    /// Its properties, in order.
    pub props: Vec<Prop>,
    /// Its components, in order.
    pub children: Vec<Component>,
}

/// Components whose lines are read; what stands in others (alarms, tasks, vendor's own) only has to begin and end.
fn is_read(name: &str) -> bool {
    matches!(
        name,
        "VCALENDAR" | "VEVENT" | "VTIMEZONE" | "STANDARD" | "DAYLIGHT"
    )
}

/// The components of a file, at least one.
pub(super) fn parse_components(bytes: &[u8]) -> Result<Vec<Component>, IcsRefused> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut roots = Vec::new();
    let mut stack: Vec<Component> = Vec::new();
    for (line, raw) in unfold(bytes) {
        let text = match String::from_utf8(raw) {
            Ok(text) => text,
            Err(_) => return Err(Problem::new(line, "the text is not UTF-8").into()),
        };
        if text.trim().is_empty() {
            continue;
        }
        let skipping = stack.iter().any(|c| !is_read(&c.name));
        let prop = match parse_line(line, &text) {
            Ok(prop) => prop,
            Err(_) if skipping => continue,
            Err(_) if stack.is_empty() => return Err(no_calendar(line, &text).into()),
            Err(problem) => return Err(problem.into()),
        };
        match prop.name.as_str() {
            "BEGIN" if stack.len() >= MAX_DEPTH => {
                return Err(Problem::new(line, "components are nested too deeply").into());
            }
            "BEGIN" => stack.push(Component {
                line,
                name: prop.value.trim().to_ascii_uppercase(),
                props: Vec::new(),
                children: Vec::new(),
            }),
            "END" => close(&mut stack, &mut roots, &prop)?,
            _ => match stack.last_mut() {
                Some(open) => open.props.push(prop),
                None => return Err(no_calendar(line, &text).into()),
            },
        }
    }
    if let Some(open) = stack.last() {
        let text = format!(
            "the file ends inside the {} that begins here: it was cut off",
            excerpt(&open.name)
        );
        return Err(Problem::new(open.line, text).into());
    }
    if roots.is_empty() {
        return Err(Problem::new(1, "the file is empty, not even an empty calendar").into());
    }
    Ok(roots)
}

fn close(
    stack: &mut Vec<Component>,
    roots: &mut Vec<Component>,
    prop: &Prop,
) -> Result<(), Problem> {
    let name = prop.value.trim().to_ascii_uppercase();
    let Some(done) = stack.pop() else {
        return Err(Problem::new(
            prop.line,
            format!("END:{} without its BEGIN", excerpt(&name)),
        ));
    };
    if done.name != name {
        let text = format!(
            "END:{} inside the {} that began on line {}",
            excerpt(&name),
            excerpt(&done.name),
            done.line
        );
        return Err(Problem::new(prop.line, text));
    }
    match stack.last_mut() {
        Some(parent) => parent.children.push(done),
        None => roots.push(done),
    }
    Ok(())
}

fn no_calendar(line: usize, text: &str) -> Problem {
    Problem::new(
        line,
        format!(
            "this is no calendar: \"{}\" stands where BEGIN:VCALENDAR should",
            excerpt(text)
        ),
    )
}

/// Logical lines with the number of their first physical line. A line that begins with a blank or a tab continues the one before; this is
/// done on bytes, because a fold may split a character.
fn unfold(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut lines: Vec<(usize, Vec<u8>)> = Vec::new();
    for (index, raw) in bytes.split(|b| *b == b'\n').enumerate() {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        match (raw.split_first(), lines.last_mut()) {
            (Some((b' ' | b'\t', rest)), Some((_, open))) => open.extend_from_slice(rest),
            _ => lines.push((index + 1, raw.to_vec())),
        }
    }
    lines
}

fn parse_line(line: usize, text: &str) -> Result<Prop, Problem> {
    let wrong = |why: &str| Problem::new(line, format!("\"{}\" {why}", excerpt(text)));
    let name_end = text
        .find([':', ';'])
        .ok_or_else(|| wrong("has no colon: it is no property"))?;
    let (name, mut rest) = text.split_at(name_end);
    if name.is_empty()
        || !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
    {
        return Err(wrong("does not begin with a property's name"));
    }
    let mut params = Vec::new();
    while let Some(after) = rest.strip_prefix(';') {
        let (key, value, tail) =
            parse_param(after).ok_or_else(|| wrong("has a parameter that is not understood"))?;
        params.push((key, value));
        rest = tail;
    }
    let value = rest
        .strip_prefix(':')
        .ok_or_else(|| wrong("has no colon after its parameters"))?;
    Ok(Prop {
        line,
        name: name.to_ascii_uppercase(),
        params,
        value: value.to_owned(),
    })
}

/// `KEY=value`, `KEY="quoted"`, or several values with commas; and what follows it.
fn parse_param(text: &str) -> Option<(String, String, &str)> {
    let (key, mut rest) = text.split_once('=')?;
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let mut value = String::new();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (inside, after) = quoted.split_once('"')?;
            value.push_str(inside);
            rest = after;
        } else {
            let end = rest.find([',', ';', ':', '"'])?;
            let (inside, after) = rest.split_at(end);
            value.push_str(inside);
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) => {
                value.push(',');
                rest = after;
            }
            None if rest.starts_with([';', ':']) => {
                return Some((key.to_ascii_uppercase(), value, rest));
            }
            None => return None,
        }
    }
}

/// At most 60 characters, without control or direction characters: fit for an error sentence.
pub(super) fn excerpt(text: &str) -> String {
    clean(text, 60)
}

/// Text from outside for the screen: control characters become blanks (line ends are kept apart by one), direction overrides and invisible
/// marks go, and it is cut at `most` characters.
pub(super) fn clean(text: &str, most: usize) -> String {
    let invisible = |c: char| matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}');
    let mut out: String = text
        .chars()
        .filter(|c| !invisible(*c))
        .take(most + 1)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if out.chars().count() > most {
        out = out.chars().take(most.saturating_sub(1)).collect();
        out.push('…');
    }
    out.trim().to_owned()
}
