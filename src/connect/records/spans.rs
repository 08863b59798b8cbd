//! When a calendar entry takes place, in any of the writings that vendors use: instants, days, and local times with or without a zone.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use crate::domain::recur::EventSpan;
use crate::domain::text::clean;
use crate::domain::time::{Resolved, resolve};

/// Most intervals of one entry.
const MOST: usize = 10_000;

/// An end of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// A whole day.
    Day(NaiveDate),
    /// A moment, or a local time in its zone.
    At(Resolved),
}

impl Point {
    fn resolved(self, zone: Tz) -> Resolved {
        match self {
            Self::Day(day) => resolve(day.and_time(NaiveTime::MIN), zone),
            Self::At(at) => at,
        }
    }
}

/// A list of `{start, end, through, zone}` as a list of [`EventSpan`]s, and whether all of them are made of whole days.
///
/// `start` and `end` are RFC 3339, Unix seconds or milliseconds, a day (`2026-12-28`) or a local time (`2026-12-28 18:00:00`); days and
/// local times are read in `zone`, else in `floating`. An `end` day is the first day after it, a `through` day the last one in it. Without
/// either a day lasts to its end, and a time has no length.
///
/// # Errors
/// What is no time or zone, a missing start, an end before its start, a key that means nothing.
pub(super) fn read(value: Value, floating: Tz) -> Result<(Value, bool), String> {
    let Value::Array(items) = value else {
        return Err("it is not a list".into());
    };
    if items.len() > MOST {
        return Err(format!("more than {MOST} intervals"));
    }
    let mut days = !items.is_empty();
    let mut spans = Vec::with_capacity(items.len());
    for item in items {
        let Value::Object(map) = item else {
            return Err("it holds something that is not an object".into());
        };
        let (span, day) = one(&map, floating)?;
        days &= day;
        spans.push(span);
    }
    spans.sort_by_key(|s| s.span);
    let spans = serde_json::to_value(spans).map_err(|e| e.to_string())?;
    Ok((spans, days))
}

fn one(map: &Map<String, Value>, floating: Tz) -> Result<(EventSpan, bool), String> {
    const KEYS: [&str; 4] = ["start", "end", "through", "zone"];
    if let Some(stray) = map.keys().find(|k| !KEYS.contains(&k.as_str())) {
        return Err(format!(
            "an interval has no {}, only {}",
            clean(stray, 40),
            KEYS.join(", ")
        ));
    }
    let zone = match map.get("zone").and_then(Value::as_str) {
        None | Some("") => floating,
        Some(name) => name
            .parse::<Tz>()
            .map_err(|_| format!("{} is no IANA zone", clean(name, 60)))?,
    };
    let point = |key: &str| match map.get(key) {
        None => Ok(None),
        Some(value) => point(value, zone),
    };
    let start = point("start")?.ok_or("an interval has no start")?;
    let last = match point("through")? {
        Some(Point::Day(day)) => day.checked_add_days(Days::new(1)).map(Point::Day),
        Some(Point::At(_)) => return Err("through names a day, not a time".into()),
        None => None,
    };
    let end = match (point("end")?, last) {
        (Some(_), Some(_)) => return Err("an interval has both end and through".into()),
        (given, last) => given.or(last),
    };
    let end = match (start, end) {
        // Some vendors write a single day with its own date as its end.
        (Point::Day(day), None) => day.checked_add_days(Days::new(1)).map(Point::Day),
        (Point::Day(day), Some(Point::Day(end))) if end == day => {
            day.checked_add_days(Days::new(1)).map(Point::Day)
        }
        (_, end) => end,
    };
    let begin = start.resolved(zone);
    let over = end.unwrap_or(start).resolved(zone);
    if over.latest() < begin.earliest() {
        return Err("an interval ends before it starts".into());
    }
    let whole = matches!((start, end), (Point::Day(_), Some(Point::Day(_))));
    Ok((EventSpan::between(begin, over), whole))
}

/// `None` for what means "no time": null, an empty text.
fn point(value: &Value, zone: Tz) -> Result<Option<Point>, String> {
    let Value::String(text) = value else {
        return Ok(super::time(value)?.map(|at| Point::At(Resolved::Once(at))));
    };
    let text = text.trim();
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(Some(Point::Day(day)));
    }
    let local = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
    ]
    .iter()
    .find_map(|shape| NaiveDateTime::parse_from_str(text, shape).ok());
    match local {
        Some(local) => Ok(Some(Point::At(resolve(local, zone)))),
        None => Ok(super::time(value)?.map(|at| Point::At(Resolved::Once(at)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Berlin;
    use rstest::rstest;
    use serde_json::json;

    fn spans(value: Value) -> Result<Vec<(String, String)>, String> {
        let (value, _) = read(value, Berlin)?;
        let spans: Vec<EventSpan> = serde_json::from_value(value).unwrap();
        let text = |at: crate::domain::time::Instant| at.format("%m-%dT%H:%M").to_string();
        Ok(spans
            .iter()
            .map(|s| (text(s.span.start), text(s.span.end.unwrap())))
            .collect())
    }

    #[rstest]
    #[case::instants(json!({"start": "2026-12-01T10:00:00+01:00", "end": 1_796_119_200}), "12-01T09:00", "12-01T10:00")]
    #[case::a_day(json!({"start": "2026-12-01"}), "11-30T23:00", "12-01T23:00")]
    #[case::its_own_end(json!({"start": "2026-12-01", "end": "2026-12-01"}), "11-30T23:00", "12-01T23:00")]
    #[case::days(json!({"start": "2026-12-24", "end": "2026-12-27"}), "12-23T23:00", "12-26T23:00")]
    #[case::through(json!({"start": "2026-12-24", "through": "2026-12-26"}), "12-23T23:00", "12-26T23:00")]
    #[case::a_zone(json!({"start": "2026-12-24", "zone": "America/New_York"}), "12-24T05:00", "12-25T05:00")]
    #[case::local(json!({"start": "2026-12-01 10:00:00", "end": "2026-12-01T11:00", "zone": "UTC"}), "12-01T10:00", "12-01T11:00")]
    #[case::no_length(json!({"start": "2026-12-01T10:00:00Z", "end": null}), "12-01T10:00", "12-01T10:00")]
    fn every_writing(#[case] item: Value, #[case] start: &str, #[case] end: &str) {
        assert_eq!(
            spans(json!([item])),
            Ok(vec![(start.to_owned(), end.to_owned())])
        );
    }

    #[rstest]
    #[case(json!([{"end": "2026-12-01"}]), "no start")]
    #[case(json!([{"start": ""}]), "no start")]
    #[case(json!([{"start": "soon"}]), "is no time")]
    #[case(json!([{"start": "2026-12-02", "end": "2026-12-01"}]), "before it starts")]
    #[case(json!([{"start": "2026-12-02", "zone": "Mars/Base"}]), "no IANA zone")]
    #[case(json!([{"start": "2026-12-02", "end": "2026-12-03", "through": "2026-12-03"}]), "both")]
    #[case(json!([{"start": "2026-12-02", "ends": "2026-12-03"}]), "has no ends")]
    #[case(json!([3]), "not an object")]
    #[case(json!({"start": 1}), "not a list")]
    fn what_is_not_understood_is_an_error(#[case] value: Value, #[case] words: &str) {
        let why = read(value, Berlin).unwrap_err();
        assert!(why.contains(words), "{why}");
    }

    #[test]
    fn a_doubtful_hour_leans_the_safe_way() {
        let item = json!([{"start": "2026-10-25 02:30:00", "end": "2026-10-25 04:00:00"}]);
        let (value, days) = read(item, Berlin).unwrap();
        assert!(!days);
        let spans: Vec<EventSpan> = serde_json::from_value(value).unwrap();
        let fold = spans[0].fold.unwrap();
        assert!(fold.freeze.start < fold.window.unwrap().start);
        let (_, days) = read(json!([{"start": "2026-10-25"}]), Berlin).unwrap();
        assert!(days);
    }
}
