//! Folds a Prometheus answer straight from its bytes: no tree of values is built, strings are parsed where they lie.
//!
//! Times are Unix seconds (fractions are cut off); a bucket's time is its end. `NaN` and infinities are left out: they are
//! no data.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::sink::{Labels, Sink};
use crate::domain::text::clean;

/// Longest label or message kept, in columns.
const LINE: usize = 500;

/// What an answer held.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded<S> {
    /// Labels and what the sink kept; series with the same labels are one; in order of labels.
    pub series: BTreeMap<Labels, S>,
    /// `warnings` and `isPartial`, cleaned, in one sentence; `None`: the answer is whole. `infos` speak of the query (a name
    /// that does not look like a counter), never of missing data.
    pub partial: Option<String>,
    /// Newest finite sample of any series, Unix seconds; `None` without one.
    pub newest: Option<i64>,
}

impl<S: Sink> Folded<S> {
    /// Takes in a later stretch of the same query.
    pub fn join(&mut self, later: Self) {
        for (labels, sink) in later.series {
            match self.series.get_mut(&labels) {
                Some(known) => {
                    known.append(sink);
                    known.settle();
                }
                None => drop(self.series.insert(labels, sink)),
            }
        }
        self.newest = self.newest.max(later.newest);
        self.partial = match (self.partial.take(), later.partial) {
            (Some(a), Some(b)) if a != b => Some(clean(&format!("{a}; {b}"), LINE)),
            (a, b) => a.or(b),
        };
    }
}

/// Why an answer could not be folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no Prometheus answer; the parser's words, with line and column.
    Shape(String),
    /// The vendor says that it failed.
    Vendor {
        /// `errorType`, such as `bad_data`.
        kind: String,
        /// `error`, cleaned.
        message: String,
    },
}

/// Folds an answer of `/api/v1/query` or `/api/v1/query_range`; every series starts from `empty`.
///
/// # Errors
/// [`Unfit::Shape`] for bytes of another shape, [`Unfit::Vendor`] for `status: error`.
pub fn fold<S: Sink>(bytes: &[u8], empty: &S) -> Result<Folded<S>, Unfit> {
    let shape = |e: serde_json::Error| Unfit::Shape(clean(&e.to_string(), LINE));
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let envelope = EnvelopeSeed { empty }
        .deserialize(&mut parser)
        .map_err(shape)?;
    parser.end().map_err(shape)?;
    envelope.finish()
}

/// The vendor's `errorType` and `error` where the bytes are such an answer (it comes with 4xx and 5xx too).
#[must_use]
pub fn vendor_error(bytes: &[u8]) -> Option<(String, String)> {
    match fold::<Vec<(i64, f64)>>(bytes, &Vec::new()) {
        Err(Unfit::Vendor { kind, message }) => Some((kind, message)),
        _ => None,
    }
}

/// The outer object, whatever the order of its fields.
struct Envelope<S> {
    status: String,
    kind: String,
    message: String,
    partial: bool,
    notes: Vec<String>,
    series: Option<BTreeMap<Labels, S>>,
}

impl<S: Sink> Envelope<S> {
    fn finish(self) -> Result<Folded<S>, Unfit> {
        match self.status.as_str() {
            "error" => {
                return Err(Unfit::Vendor {
                    kind: self.kind,
                    message: self.message,
                });
            }
            "success" => {}
            other => {
                return Err(Unfit::Shape(format!(
                    "status is \"{other}\", not success or error"
                )));
            }
        }
        let Some(mut series) = self.series else {
            return Err(Unfit::Shape("the answer has no data".to_owned()));
        };
        series.values_mut().for_each(Sink::settle);
        let newest = series.values().filter_map(Sink::newest).max();
        let mut notes = self.notes;
        if self.partial {
            notes.insert(0, "the server says that the answer is partial".to_owned());
        }
        let partial = (!notes.is_empty()).then(|| clean(&notes.join("; "), LINE));
        Ok(Folded {
            series,
            partial,
            newest,
        })
    }
}

struct EnvelopeSeed<'s, S> {
    empty: &'s S,
}

impl<'de, S: Sink> DeserializeSeed<'de> for EnvelopeSeed<'_, S> {
    type Value = Envelope<S>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for EnvelopeSeed<'_, S> {
    type Value = Envelope<S>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Prometheus answer, an object with status and data")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = Envelope {
            status: String::new(),
            kind: String::new(),
            message: String::new(),
            partial: false,
            notes: Vec::new(),
            series: None,
        };
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Field::Status => out.status = map.next_value_seed(Line)?,
                Field::ErrorType => out.kind = map.next_value_seed(Line)?,
                Field::Error => out.message = map.next_value_seed(Line)?,
                Field::Notes => out.notes.extend(map.next_value_seed(Notes)?),
                Field::IsPartial => {
                    out.partial = map.next_value::<Option<bool>>()?.unwrap_or(false)
                }
                Field::Data => out.series = map.next_value_seed(DataSeed { empty: self.empty })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(out)
    }
}

/// Field names that matter; compared without allocating.
enum Field {
    Status,
    ErrorType,
    Error,
    Notes,
    IsPartial,
    Data,
    Result,
    Metric,
    Values,
    Value,
    Histogram,
    Other,
}

struct Key(Field);

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(Key(match name {
                    "status" => Field::Status,
                    "errorType" => Field::ErrorType,
                    "error" => Field::Error,
                    "warnings" => Field::Notes,
                    "isPartial" => Field::IsPartial,
                    "data" => Field::Data,
                    "result" => Field::Result,
                    "metric" => Field::Metric,
                    "values" => Field::Values,
                    "value" => Field::Value,
                    "histogram" | "histograms" => Field::Histogram,
                    _ => Field::Other,
                }))
            }
        }
        d.deserialize_identifier(Name)
    }
}

/// A text, cleaned to one line; null reads as empty.
struct Line;

impl<'de> DeserializeSeed<'de> for Line {
    type Value = String;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<String, D::Error> {
        d.deserialize_any(self)
    }
}

impl Visitor<'_> for Line {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }
    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(clean(text, LINE))
    }
    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }
}

/// `warnings`: the first few, cleaned; the rest are counted.
struct Notes;

/// How many notes are kept word for word.
const NOTES: usize = 3;

impl<'de> DeserializeSeed<'de> for Notes {
    type Value = Vec<String>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Notes {
    type Value = Vec<String>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut notes = Vec::new();
        let mut more = 0_usize;
        while let Some(note) = seq.next_element_seed(Line)? {
            if notes.len() < NOTES {
                notes.push(note);
            } else {
                more += 1;
            }
        }
        if more > 0 {
            notes.push(format!("and {more} more"));
        }
        Ok(notes)
    }
}

/// `data`: `None` where it is null or has no result.
struct DataSeed<'s, S> {
    empty: &'s S,
}

impl<'de, S: Sink> DeserializeSeed<'de> for DataSeed<'_, S> {
    type Value = Option<BTreeMap<Labels, S>>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for DataSeed<'_, S> {
    type Value = Option<BTreeMap<Labels, S>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with resultType and result")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Field::Result => {
                    found = Some(map.next_value_seed(ResultSeed { empty: self.empty })?)
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// `result`: a list of series, or for a scalar the pair itself.
struct ResultSeed<'s, S> {
    empty: &'s S,
}

impl<'de, S: Sink> DeserializeSeed<'de> for ResultSeed<'_, S> {
    type Value = BTreeMap<Labels, S>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for ResultSeed<'_, S> {
    type Value = BTreeMap<Labels, S>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all: BTreeMap<Labels, S> = BTreeMap::new();
        while let Some(item) = seq.next_element_seed(ItemSeed { empty: self.empty })? {
            match item {
                Item::Series(labels, sink) => match all.get_mut(&labels) {
                    Some(known) => known.append(sink),
                    None => drop(all.insert(labels, sink)),
                },
                Item::Time(time) => {
                    let Some(value) = seq.next_element_seed(Value)? else {
                        return Err(A::Error::custom("a scalar has a time but no value"));
                    };
                    let mut sink = self.empty.clone();
                    put(&mut sink, time, value);
                    all.insert(Labels::new(), sink);
                }
            }
        }
        Ok(all)
    }
}

/// An element of `result`.
enum Item<S> {
    Series(Labels, S),
    /// The first half of a scalar.
    Time(f64),
}

struct ItemSeed<'s, S> {
    empty: &'s S,
}

impl<'de, S: Sink> DeserializeSeed<'de> for ItemSeed<'_, S> {
    type Value = Item<S>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for ItemSeed<'_, S> {
    type Value = Item<S>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series with metric and values, or a time")
    }
    fn visit_f64<E>(self, time: f64) -> Result<Self::Value, E> {
        Ok(Item::Time(time))
    }
    fn visit_u64<E>(self, time: u64) -> Result<Self::Value, E> {
        Ok(Item::Time(time as f64))
    }
    fn visit_i64<E>(self, time: i64) -> Result<Self::Value, E> {
        Ok(Item::Time(time as f64))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut labels = Labels::new();
        let mut sink = self.empty.clone();
        let mut seen = false;
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Field::Metric => labels = map.next_value_seed(LabelSeed)?,
                Field::Values => {
                    map.next_value_seed(Points { sink: &mut sink })?;
                    seen = true;
                }
                Field::Value => {
                    let (time, value) = map.next_value_seed(Pair)?;
                    put(&mut sink, time, value);
                    seen = true;
                }
                // Native histograms have no single value; a query over them gives floats instead.
                Field::Histogram => {
                    map.next_value::<IgnoredAny>()?;
                    seen = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if !seen {
            return Err(A::Error::custom("a series has neither value nor values"));
        }
        Ok(Item::Series(labels, sink))
    }
}

struct LabelSeed;

impl<'de> DeserializeSeed<'de> for LabelSeed {
    type Value = Labels;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Labels, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LabelSeed {
    type Value = Labels;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels, an object of texts")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = Labels::new();
        while let Some(name) = map.next_key_seed(Line)? {
            labels.insert(name, map.next_value_seed(Line)?);
        }
        Ok(labels)
    }
}

/// `values`: a list of pairs, put into the sink as they pass.
struct Points<'s, S> {
    sink: &'s mut S,
}

impl<'de, S: Sink> DeserializeSeed<'de> for Points<'_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Points<'_, S> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [time, \"value\"]")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some((time, value)) = seq.next_element_seed(Pair)? {
            put(self.sink, time, value);
        }
        Ok(())
    }
}

/// Whole seconds far outside any calendar are no times; 253402300799 is the end of the year 9999.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Puts a sample where it is a number at a time that a calendar knows.
fn put<S: Sink>(sink: &mut S, time: f64, value: f64) {
    if value.is_finite() && (0.0..=LAST_SECOND).contains(&time) {
        #[allow(clippy::cast_possible_truncation)]
        // in range by the line above, and never negative
        sink.put(time as i64, value);
    }
}

/// `[time, "value"]`.
struct Pair;

impl<'de> DeserializeSeed<'de> for Pair {
    type Value = (f64, f64);
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for Pair {
    type Value = (f64, f64);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[time, \"value\"]")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let time = seq
            .next_element::<f64>()?
            .ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let value = seq
            .next_element_seed(Value)?
            .ok_or_else(|| A::Error::invalid_length(1, &self))?;
        Ok((time, value))
    }
}

/// A sample's value: a text such as `"0.25"`, `"NaN"` or `"+Inf"`; a bare number and null (no data) are understood too.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = f64;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<f64, D::Error> {
        d.deserialize_any(self)
    }
}

impl Visitor<'_> for Value {
    type Value = f64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number written as a text")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        text.parse()
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
    fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }
    fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }
    fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }
    fn visit_unit<E>(self) -> Result<f64, E> {
        Ok(f64::NAN)
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
