//! Knows every secret that was resolved and takes it out of whatever is about to be shown, logged or journaled.

use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::domain::act::Receipt;
use crate::domain::observe::Fault;

/// What stands where a secret stood.
pub const MASK: &str = "•••";

/// The shortest run of a derived form (base64, one line of a key) that is looked for: shorter ones would hit ordinary words.
const DERIVED_MIN: usize = 6;

/// All resolved secrets in all the forms in which they may come back. Longer forms are replaced first.
#[derive(Default)]
pub struct Redactor {
    forms: RwLock<Vec<String>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// Remembers a secret's value: as it is, percent- and JSON-encoded, in base64 at each of the three offsets at which it may
    /// stand inside a longer text, and line by line.
    pub fn learn(&self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let mut found = vec![secret.to_owned()];
        let mut derived = encodings(secret);
        derived.extend(secret.lines().map(str::trim).map(str::to_owned));
        derived.retain(|form| form.len() >= DERIVED_MIN);
        found.append(&mut derived);
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for form in found {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// The text with every known form replaced by [`MASK`].
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let mut out = text.to_owned();
        for form in forms.iter() {
            if out.contains(form.as_str()) {
                out = out.replace(form.as_str(), MASK);
            }
        }
        out
    }

    /// The value with every string and key redacted.
    #[must_use]
    pub fn redact_json(&self, value: &serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(s) => Value::String(self.redact(s)),
            Value::Array(items) => items.iter().map(|v| self.redact_json(v)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(k, v)| (self.redact(k), self.redact_json(v)))
                .collect(),
            Value::Number(n) => {
                let (text, masked) = (n.to_string(), self.redact(&n.to_string()));
                if text == masked {
                    value.clone()
                } else {
                    Value::String(masked)
                }
            }
            other => other.clone(),
        }
    }

    /// The fault with its sentences redacted.
    #[must_use]
    pub fn fault(&self, mut fault: Fault) -> Fault {
        fault.what = self.redact(&fault.what);
        fault.hint = self.redact(&fault.hint);
        fault
    }

    /// The receipt with every field redacted.
    #[must_use]
    pub fn receipt(&self, receipt: Receipt) -> Receipt {
        Receipt {
            id: receipt.id.map(|id| self.redact(&id)),
            url: receipt.url.map(|url| self.redact(&url)),
            fields: receipt
                .fields
                .iter()
                .map(|(k, v)| (k.clone(), self.redact_json(v)))
                .collect(),
        }
    }
}

/// Percent, form, JSON and base64 forms.
fn encodings(secret: &str) -> Vec<String> {
    let percent = percent_encode(secret.as_bytes(), NON_ALPHANUMERIC).to_string();
    let mut forms = vec![
        percent.to_lowercase(),
        percent,
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        url_path(secret),
        serde_json::Value::String(secret.to_owned())
            .to_string()
            .trim_matches('"')
            .to_owned(),
    ];
    for offset in 0..3 {
        let mut padded = vec![0u8; offset];
        padded.extend_from_slice(secret.as_bytes());
        for engine in [&STANDARD, &URL_SAFE] {
            let text = engine.encode(&padded);
            // The first group holds padding bytes and the last may hold what follows: what lies between is the secret alone.
            let from = if offset == 0 { 0 } else { 4 };
            let to = padded.len() / 3 * 4;
            if let Some(core) = text.get(from..to) {
                forms.push(core.to_owned());
            }
        }
        if offset == 0 {
            forms.push(STANDARD.encode(secret).trim_end_matches('=').to_owned());
        }
    }
    forms
}

/// As the `url` crate writes it into a path.
fn url_path(secret: &str) -> String {
    url::Url::parse("http://h/")
        .map(|mut url| {
            url.set_path(secret);
            url.path().trim_start_matches('/').to_owned()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observe::FaultKind;

    const SECRET: &str = "s3cr3t/+tøken&=\"x\"";

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let r = Redactor::default();
        r.learn(SECRET);
        let user = STANDARD.encode(format!("me:{SECRET}"));
        let user2 = STANDARD.encode(format!("ana:{SECRET}!"));
        let percent = percent_encode(SECRET.as_bytes(), NON_ALPHANUMERIC).to_string();
        for text in [
            SECRET.to_owned(),
            percent.to_lowercase(),
            percent,
            STANDARD.encode(SECRET),
            format!("{}", serde_json::json!({ "a": SECRET })),
        ] {
            assert!(r.redact(&format!("a {text} b")).contains(MASK), "{text}");
        }
        for text in [user, user2] {
            let out = r.redact(&text);
            assert!(
                out.contains(MASK) && out.chars().count() <= 16,
                "{text} became {out}"
            );
        }
        assert_eq!(r.redact("nothing here"), "nothing here");
    }

    #[test]
    fn faults_receipts_and_json_are_masked() {
        let r = Redactor::default();
        r.learn("tok-12345");
        let fault = r.fault(Fault::new(FaultKind::Server, "said tok-12345", "tok-12345"));
        assert!(!fault.to_string().contains("12345"));
        let v = r.redact_json(&serde_json::json!({"tok-12345": ["x tok-12345", 1]}));
        assert!(!v.to_string().contains("12345"));
    }

    #[test]
    fn a_number_that_is_the_secret_is_masked() {
        let r = Redactor::default();
        r.learn("987654");
        assert_eq!(
            r.redact_json(&serde_json::json!(987_654)),
            serde_json::json!(MASK)
        );
    }
}
