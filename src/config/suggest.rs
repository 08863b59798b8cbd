//! "Did you mean": the nearest of the names that would have been right.

pub use crate::domain::suggest::nearest;

/// Advice for an unknown name: the nearest one, else the list of what is known, else `none`.
pub fn advice<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    none: &str,
) -> String {
    if let Some(near) = nearest(word, candidates.clone()) {
        return format!("did you mean \"{near}\"?");
    }
    let known: Vec<&str> = candidates.into_iter().collect();
    match known.len() {
        0 => none.to_owned(),
        1..=24 => format!("known here: {}", known.join(", ")),
        n => format!(
            "{n} are known here, among them {}",
            known.get(..12).unwrap_or_default().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_listed() {
        let known = ["error_rate", "p95", "conversion"];
        assert_eq!(nearest("eror_rate", known), Some("error_rate"));
        assert_eq!(nearest("Conversions", known), Some("conversion"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(
            advice("zebra", known, "none"),
            "known here: error_rate, p95, conversion"
        );
        assert_eq!(advice("zebra", [], "define one"), "define one");
    }
}
