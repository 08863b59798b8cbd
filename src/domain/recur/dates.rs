//! Lengths of months and years, and week numbers with any first weekday.

use chrono::{Datelike, Duration, NaiveDate, Weekday};

/// Days in the month of `day`.
pub(super) fn days_in_month(day: NaiveDate) -> u32 {
    let next = if day.month() == 12 {
        NaiveDate::from_ymd_opt(day.year() + 1, 1, 1)
    } else {
        NaiveDate::from_ymd_opt(day.year(), day.month() + 1, 1)
    };
    next.and_then(|first| first.pred_opt())
        .map_or(31, |last| last.day())
}

/// 365 or 366.
pub(super) fn days_in_year(year: i32) -> u32 {
    if NaiveDate::from_ymd_opt(year, 2, 29).is_some() {
        366
    } else {
        365
    }
}

/// The number of the week that holds `day`, and how many weeks its week-year has. Week 1 is the first with at least four days in the
/// year (ISO 8601 with a chosen first weekday, as RFC 5545's WKST).
pub(super) fn week_number(day: NaiveDate, week_start: Weekday) -> (i32, i32) {
    let begin = day - Duration::days(i64::from(day.weekday().days_since(week_start)));
    // The fourth day of a week lies in the year the week belongs to.
    let year = (begin + Duration::days(3)).year();
    let first = first_week(year, week_start);
    let next = first_week(year + 1, week_start);
    let weeks =
        |from: NaiveDate, to: NaiveDate| i32::try_from((to - from).num_weeks()).unwrap_or(0);
    (weeks(first, begin) + 1, weeks(first, next))
}

/// The day on which week 1 of `year` begins.
fn first_week(year: i32, week_start: Weekday) -> NaiveDate {
    let fourth = NaiveDate::from_ymd_opt(year, 1, 4).unwrap_or(NaiveDate::MIN);
    fourth - Duration::days(i64::from(fourth.weekday().days_since(week_start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn week_numbers_are_iso_for_monday(days in 0..30_000_i64) {
            let day = NaiveDate::from_ymd_opt(1980, 1, 1).unwrap() + Duration::days(days);
            prop_assert_eq!(week_number(day, Weekday::Mon).0, day.iso_week().week() as i32);
        }
    }
}
