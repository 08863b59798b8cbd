//! Points of a line as JSON writes them: a value that is no number is `null`, and reads back as "no data".

use serde::{Deserialize, Deserializer, Serializer};

/// Writes (bucket end, value) pairs.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(points: &[(i64, f64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(
        points
            .iter()
            .map(|(at, v)| (*at, Some(*v).filter(|v| v.is_finite()))),
    )
}

/// Reads them; a point without a value is left out.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(i64, f64)>, D::Error> {
    let points = Vec::<(i64, Option<f64>)>::deserialize(from)?;
    Ok(points
        .into_iter()
        .filter_map(|(at, v)| Some((at, v?)))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::domain::situation::Chart;

    #[test]
    fn what_is_no_number_is_null_and_the_schema_says_so() {
        let chart = Chart {
            new: vec![(60, 1.5), (120, f64::NAN), (180, f64::INFINITY)],
            ..Chart::default()
        };
        let json = serde_json::to_value(&chart).unwrap();
        assert_eq!(json["new"].to_string(), "[[60,1.5],[120,null],[180,null]]");
        let back: Chart = serde_json::from_value(json).unwrap();
        assert_eq!(back.new, [(60, 1.5)]);
        let schema = serde_json::to_string(&schemars::schema_for!(Chart)).unwrap();
        assert!(schema.contains("no data in that bucket"), "{schema}");
        assert!(schema.contains(r#"["number","null"]"#), "{schema}");
    }
}
