//! Server-sent events, as far as "read again" needs them: a bounded parser that any bytes may be fed to.

/// Longest event kept, in bytes; a longer one is an event without data.
const LONGEST: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `event:`; empty when not given.
    pub name: String,
    /// `data:` lines joined by newlines.
    pub data: String,
}

/// Reads events out of chunks as they arrive, wherever they are cut.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    overlong: bool,
    after_return: bool,
    event: Event,
    has_data: bool,
}

impl Parser {
    /// Feeds a chunk; returns the events that it completed. Comments (keep-alives) are none.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Event> {
        let mut done = Vec::new();
        for &byte in chunk {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    done.extend(self.end_line());
                }
                _ if self.line.len() >= LONGEST => self.overlong = true,
                _ => self.line.push(byte),
            }
        }
        done
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let overlong = std::mem::take(&mut self.overlong);
        if line.is_empty() && !overlong {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = value.chars().take(200).collect(),
            "data" => {
                if overlong || self.event.data.len() + value.len() > LONGEST {
                    self.event.data.clear();
                } else {
                    if self.has_data {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                }
                self.has_data = true;
            }
            _ => {}
        }
        None
    }
}

/// What an event says: go and read, or the stream's own failure. Argo CD wraps events in `{"result": …}` and failures in
/// `{"error": {"message": …}}`, both under status 200.
///
/// # Errors
/// The vendor's sentence.
pub fn meaning(event: &Event) -> Result<(), String> {
    let parsed: Option<serde_json::Value> = serde_json::from_str(&event.data).ok();
    let error = parsed
        .as_ref()
        .filter(|v| v.get("result").is_none())
        .and_then(|v| v.get("error"))
        .filter(|e| !e.is_null());
    match error {
        Some(e) => Err(e
            .get("message")
            .or(Some(e))
            .and_then(|m| m.as_str().map(str::to_owned))
            .unwrap_or_else(|| e.to_string())),
        None if event.name == "error" => Err(event.data.clone()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(events: &[Event]) -> Vec<&str> {
        events.iter().map(|e| e.data.as_str()).collect()
    }

    #[test]
    fn events_end_with_an_empty_line_in_any_line_ending() {
        let text = b"data: a\n\ndata:b\r\ndata: c\r\n\r\n: keep-alive\n\nevent: x\rdata: d\r\rid: 1\n\ndata: lost";
        let mut parser = Parser::default();
        let events = parser.feed(text);
        assert_eq!(data(&events), ["a", "b\nc", "d"]);
        assert_eq!(events[2].name, "x");
    }

    #[test]
    fn a_wrapped_error_is_one() {
        let event = |data: &str| Event {
            data: data.into(),
            ..Event::default()
        };
        assert!(meaning(&event(r#"{"result":{"type":"MODIFIED"}}"#)).is_ok());
        assert_eq!(
            meaning(&event(r#"{"error":{"grpc_code":14,"message":"gone"}}"#)),
            Err("gone".into())
        );
        assert!(meaning(&event("ping")).is_ok());
        assert!(meaning(&event(r#"{"error":null}"#)).is_ok());
    }

    #[test]
    fn an_endless_line_is_bounded() {
        let mut parser = Parser::default();
        for _ in 0..40 {
            parser.feed(&[b'x'; 100_000]);
            assert!(parser.line.len() <= LONGEST);
        }
        parser.feed(b"\n");
        let mut full = b"data: ".to_vec();
        full.extend(vec![b'y'; 2 * LONGEST]);
        full.extend(b"\n\n");
        let events = parser.feed(&full);
        assert_eq!(data(&events), [""], "too long: an event all the same");
    }

    proptest! {
        #[test]
        fn cutting_the_chunks_changes_nothing(bytes in prop::collection::vec(prop::sample::select(b"data: x\n\r\n:e".to_vec()), 0..200), at in 0usize..200) {
            let whole = Parser::default().feed(&bytes);
            let at = at.min(bytes.len());
            let mut parser = Parser::default();
            let mut parts = parser.feed(&bytes[..at]);
            parts.extend(parser.feed(&bytes[at..]));
            prop_assert_eq!(whole, parts);
        }
    }
}
