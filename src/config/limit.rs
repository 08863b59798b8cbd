//! Amounts with a unit and what a trigger compares with: `800ms`, `1%`, `2x baseline`, `slo`.

use super::place::shown;
use super::raw::scalar::Amount;
use crate::domain::policy::{Limit, Unit};

/// An amount in a metric's own unit: a percentage as 0..1, a time in seconds or milliseconds.
///
/// # Errors
/// A sentence for a wrong unit, a missing one, or a number that is none.
pub fn amount(amount: &Amount, unit: Unit) -> Result<f64, String> {
    match amount {
        Amount::Number(n) if unit == Unit::Number => Ok(*n),
        Amount::Number(_) => Err(format!("the number needs a unit; {}", example(unit))),
        Amount::Text(text) => in_unit(text, unit),
    }
}

fn in_unit(text: &str, unit: Unit) -> Result<f64, String> {
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(trimmed.len());
    let (number, suffix) = trimmed.split_at(digits);
    let wrong = || format!("\"{}\" is no amount here; {}", shown(text), example(unit));
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let factor = match (unit, suffix.trim()) {
        (Unit::Percent, "%") => 0.01,
        (Unit::Seconds, "s") | (Unit::Milliseconds, "ms") | (Unit::Number, "") => 1.0,
        (Unit::Seconds, "ms") => 0.001,
        (Unit::Milliseconds, "s") => 1000.0,
        _ => return Err(wrong()),
    };
    Some(number * factor)
        .filter(|n| n.is_finite())
        .ok_or_else(wrong)
}

fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Percent => "this metric is in percent: write for example \"1%\"",
        Unit::Seconds | Unit::Milliseconds => "this metric is a time: write for example \"800ms\"",
        Unit::Number => "this metric is a bare number: write for example 14",
    }
}

/// A trigger's limit: `Nx baseline`, `slo`, or an amount.
///
/// # Errors
/// A sentence that names the three forms.
pub fn limit(given: &Amount, unit: Unit) -> Result<Limit, String> {
    let Amount::Text(text) = given else {
        return amount(given, unit).map(Limit::Value);
    };
    let words = text.trim().to_lowercase();
    if words == "slo" {
        return Ok(Limit::Slo);
    }
    let times = words
        .strip_suffix("baseline")
        .map(str::trim_end)
        .unwrap_or(&words)
        .strip_suffix('x');
    if let Some(times) = times {
        let times: f64 = times.trim().parse().map_err(|_| {
            format!(
                "\"{}\" is no multiple of the baseline; write for example \"2x baseline\"",
                shown(text)
            )
        })?;
        if !times.is_finite() || times <= 0.0 {
            return Err(
                "a multiple of the baseline is above 0; write for example \"2x baseline\"".into(),
            );
        }
        return Ok(Limit::Baseline(times));
    }
    in_unit(text, unit)
        .map(Limit::Value)
        .map_err(|why| format!("{why}, or \"2x baseline\", or \"slo\""))
}

/// The limit in the words of the file, for a trigger's id.
pub fn words(limit: Limit, unit: Unit) -> String {
    match limit {
        Limit::Baseline(times) => format!("{times}x baseline"),
        Limit::Slo => "slo".into(),
        Limit::Value(value) => unit.show(value).replace(' ', ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2x baseline", Unit::Percent, Ok(Limit::Baseline(2.0)))]
    #[case("2.5 x Baseline", Unit::Seconds, Ok(Limit::Baseline(2.5)))]
    #[case("5x", Unit::Number, Ok(Limit::Baseline(5.0)))]
    #[case("slo", Unit::Percent, Ok(Limit::Slo))]
    #[case("800ms", Unit::Seconds, Ok(Limit::Value(0.8)))]
    #[case("1.5s", Unit::Milliseconds, Ok(Limit::Value(1500.0)))]
    #[case("5%", Unit::Percent, Ok(Limit::Value(0.05)))]
    #[case("14", Unit::Number, Ok(Limit::Value(14.0)))]
    #[case("5%", Unit::Seconds, Err(()))]
    #[case("5", Unit::Percent, Err(()))]
    #[case("0x baseline", Unit::Percent, Err(()))]
    #[case("infx", Unit::Percent, Err(()))]
    #[case("", Unit::Percent, Err(()))]
    #[case("1e9%", Unit::Percent, Err(()))]
    fn limits_are_read_in_their_unit(
        #[case] text: &str,
        #[case] unit: Unit,
        #[case] expected: Result<Limit, ()>,
    ) {
        let read = limit(&Amount::Text(text.into()), unit);
        assert_eq!(
            read.map_err(|why| assert!(why.contains("write"), "{why}")),
            expected
        );
    }
}
