//! A day of the calendar strip, in words.

use super::pen::Pen;
use super::theme::Theme;
use crate::domain::situation::{Mark, StripSegment};
use crate::domain::time::Instant;

/// A day in words: when it is open or frozen; today carries the cursor.
pub fn day(
    pen: &mut Pen<'_>,
    theme: &Theme,
    zone: chrono_tz::Tz,
    (date, today, now): (chrono::NaiveDate, bool, Instant),
    segs: &[&StripSegment],
    narrow: bool,
) {
    let cursor = if today { theme.glyph("▸", ">") } else { " " };
    let style = if today { theme.bright } else { theme.text };
    pen.put(cursor, theme.bright);
    pen.column(&date.format("%a %-d").to_string(), 7, style);
    let stretches = stretches(segs);
    let here = |s: &Stretch<'_>| today && s.holds(now);
    // In a narrow list what frames the day is left out ("closed … closed"), and the rest says from when until when.
    let frame = stretches.first().map(|s| &s.mark.word);
    let framed = stretches.len() > 2 && frame == stretches.last().map(|s| &s.mark.word);
    for (i, s) in stretches.iter().enumerate() {
        let starts = s.from.with_timezone(&zone);
        let dull = frame == Some(&s.mark.word) && !here(s);
        if narrow && framed && dull {
            continue;
        }
        let whole = i == 0 && midnight(starts) || starts.date_naive() < date;
        let clock = match s.until {
            Some(end) if narrow && framed => {
                let ends = end.with_timezone(&zone);
                format!("{}–{} ", starts.format("%H:%M"), ends.format("%H:%M"))
            }
            _ if whole => String::new(),
            _ => format!("{} ", starts.format("%H:%M")),
        };
        let style = theme.tone(s.mark.tone);
        let style = if here(s) {
            style.add_modifier(ratatui::style::Modifier::UNDERLINED)
        } else {
            style
        };
        pen.put(&clock, theme.dim);
        pen.put(&s.mark.word, style);
        if here(s) {
            pen.put(theme.glyph("◂", "<"), theme.bright);
        }
        pen.gap(1);
    }
    if let Some(rule) = segs.iter().find_map(|s| s.rules.first())
        && stretches.len() == 1
    {
        pen.put(rule, theme.dim);
    }
}

/// Neighbouring segments under one word.
struct Stretch<'a> {
    from: Instant,
    until: Option<Instant>,
    mark: &'a Mark,
}

impl Stretch<'_> {
    fn holds(&self, at: Instant) -> bool {
        self.from <= at && self.until.is_none_or(|end| at < end)
    }
}

fn stretches<'a>(segs: &[&'a StripSegment]) -> Vec<Stretch<'a>> {
    let mut out: Vec<Stretch<'a>> = Vec::new();
    for seg in segs {
        match out.last_mut() {
            Some(last) if *last.mark == seg.mark => last.until = seg.span.end,
            _ => out.push(Stretch {
                from: seg.span.start,
                until: seg.span.end,
                mark: &seg.mark,
            }),
        }
    }
    out
}

fn midnight(at: chrono::DateTime<chrono_tz::Tz>) -> bool {
    use chrono::Timelike;
    at.num_seconds_from_midnight() == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::layout::Area;
    use crate::domain::situation::Tone;
    use crate::domain::time::Span;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    fn at(text: &str) -> Instant {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn line(segs: &[(&str, &str, &str)], now: Option<&str>, narrow: bool) -> String {
        let segs: Vec<StripSegment> = segs
            .iter()
            .map(|(from, to, word)| StripSegment {
                span: Span::new(at(from), at(to)),
                mark: Mark::new(*word, Tone::Plain),
                rules: vec!["rule".into()],
            })
            .collect();
        let mut buf = Buffer::empty(Rect::new(0, 0, 60, 1));
        let theme = Theme::default();
        let mut pen = Pen::new(&mut buf, &theme, Area::new(0, 0, 60, 1), 0);
        let date = chrono::NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        let cursor = (date, now.is_some(), at(now.unwrap_or("24T00:00")));
        let refs: Vec<&StripSegment> = segs.iter().collect();
        day(&mut pen, &theme, chrono_tz::UTC, cursor, &refs, narrow);
        let text: String = buf.content.iter().map(|c| c.symbol()).collect();
        text.trim_end().to_string()
    }

    const DAY: [(&str, &str, &str); 3] = [
        ("23T18:00", "24T09:00", "closed"),
        ("24T09:00", "24T17:00", "open"),
        ("24T17:00", "25T09:00", "closed"),
    ];

    #[test]
    fn a_day_reads_in_words_with_the_cursor_where_now_is() {
        assert_eq!(
            line(&DAY, None, false),
            " Tue 24 closed 09:00 open 17:00 closed"
        );
        assert_eq!(line(&DAY, None, true), " Tue 24 09:00–17:00 open");
        assert_eq!(
            line(&DAY, Some("24T10:00"), true),
            "▸Tue 24 09:00–17:00 open◂"
        );
        let early = line(&DAY, Some("24T08:00"), true);
        assert!(
            early.contains("closed◂") && early.contains("09:00–17:00 open"),
            "{early}"
        );
    }

    #[test]
    fn neighbours_under_one_word_are_one_and_name_their_rule() {
        let split = [
            ("23T18:00", "24T12:00", "FREEZE"),
            ("24T12:00", "25T09:00", "FREEZE"),
        ];
        assert_eq!(line(&split, None, false), " Tue 24 FREEZE rule");
    }
}
