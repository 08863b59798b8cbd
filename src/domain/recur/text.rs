//! The values inside a recurrence rule, and the basic date forms of RFC 5545, read strictly.

use super::rrule::{Freq, Nth, Until};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Weekday};

/// A DATE of RFC 5545: eight digits.
#[must_use]
pub fn basic_date(text: &str) -> Option<NaiveDate> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok())
        .flatten()
}

/// A DATE-TIME of RFC 5545 without its zone: eight digits, `T`, six digits.
#[must_use]
pub fn basic_date_time(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once('T')?;
    let digits = time.len() == 6 && time.bytes().all(|b| b.is_ascii_digit());
    let time = digits
        .then(|| NaiveTime::parse_from_str(time, "%H%M%S").ok())
        .flatten()?;
    Some(basic_date(date)?.and_time(time))
}

pub(super) fn read_freq(value: &str) -> Result<Freq, String> {
    Ok(match value {
        "SECONDLY" => Freq::Secondly,
        "MINUTELY" => Freq::Minutely,
        "HOURLY" => Freq::Hourly,
        "DAILY" => Freq::Daily,
        "WEEKLY" => Freq::Weekly,
        "MONTHLY" => Freq::Monthly,
        "YEARLY" => Freq::Yearly,
        _ => {
            return Err(format!(
                "FREQ={value} is not a frequency of a recurrence rule"
            ));
        }
    })
}

pub(super) fn read_weekday(value: &str) -> Result<Weekday, String> {
    Ok(match value {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => {
            return Err(format!(
                "\"{value}\" is not a weekday of a recurrence rule (MO TU WE TH FR SA SU)"
            ));
        }
    })
}

pub(super) fn read_nth(value: &str) -> Result<Nth, String> {
    let wrong =
        || format!("BYDAY={value} is not a weekday (MO … SU, with a place such as 2SU or -1FR)");
    let split = value
        .len()
        .checked_sub(2)
        .filter(|at| value.is_char_boundary(*at))
        .ok_or_else(wrong)?;
    let (place, day) = value.split_at(split);
    let day = read_weekday(day).map_err(|_| wrong())?;
    if place.is_empty() {
        return Ok(Nth { nth: None, day });
    }
    let nth: i32 = place.parse().map_err(|_| wrong())?;
    if nth == 0 || nth.abs() > 53 {
        Err(wrong())
    } else {
        Ok(Nth {
            nth: Some(nth),
            day,
        })
    }
}

pub(super) fn read_until(value: &str) -> Result<Until, String> {
    let wrong = || format!("UNTIL={value} is neither a date nor a date with a time");
    if let Ok(day) = NaiveDate::parse_from_str(value, "%Y%m%d") {
        return Ok(Until::Day(day));
    }
    let (text, utc) = value
        .strip_suffix('Z')
        .map_or((value, false), |text| (text, true));
    let at = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").map_err(|_| wrong())?;
    Ok(if utc {
        Until::Utc(at.and_utc())
    } else {
        Until::Local(at)
    })
}

pub(super) fn positive(key: &str, value: &str) -> Result<u32, String> {
    match value.parse::<u32>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{key}={value} is not a number of at least 1")),
    }
}

pub(super) fn unsigned(key: &str, value: &str, low: u32, high: u32) -> Result<Vec<u32>, String> {
    value
        .split(',')
        .map(|text| match text.parse::<u32>() {
            Ok(n) if (low..=high).contains(&n) => Ok(n),
            _ => Err(format!("{key}={text} is not a number from {low} to {high}")),
        })
        .collect()
}

pub(super) fn signed(key: &str, value: &str, high: i32) -> Result<Vec<i32>, String> {
    value
        .split(',')
        .map(|text| match text.parse::<i32>() {
            Ok(n) if n != 0 && n.abs() <= high => Ok(n),
            _ => Err(format!(
                "{key}={text} is not a number from 1 to {high} or -{high} to -1"
            )),
        })
        .collect()
}
