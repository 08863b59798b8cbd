//! A service account's assertion: a JSON web token (RFC 7519) signed with its RSA key (RS256), which is exchanged for a token (RFC 7523).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::domain::time::Instant;

/// The grant type of such an exchange.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion is good for, seconds: an hour is the longest that is taken.
const LASTS: i64 = 3600;

/// What is asked for.
pub(super) struct Wanted<'a> {
    /// The address that gives the token.
    pub audience: &'a str,
    /// Scope.
    pub scope: &'a str,
    /// Whom it stands in for; empty: itself.
    pub subject: &'a str,
    /// Real time.
    pub now: Instant,
}

/// What of the key file is used.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
}

/// The signed assertion.
///
/// # Errors
/// A sentence that holds nothing of the key.
pub(super) fn sign(key: &str, wanted: &Wanted<'_>) -> Result<String, String> {
    let no_key = |what: &str| format!("the service account's key {what}");
    let file: KeyFile = serde_json::from_str(key)
        .map_err(|_| no_key("is no JSON with client_email and private_key"))?;
    let der = PrivateKeyDer::from_pem_slice(file.private_key.as_bytes())
        .map_err(|_| no_key("holds no private key in PEM"))?;
    let signer = rustls::crypto::ring::sign::any_supported_type(&der)
        .ok()
        .and_then(|key| key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]))
        .ok_or_else(|| no_key("is no RSA key of 2048 bits or more"))?;
    let mut head = Map::from_iter([
        ("alg".to_owned(), json!("RS256")),
        ("typ".to_owned(), json!("JWT")),
    ]);
    head.extend(file.private_key_id.map(|id| ("kid".to_owned(), json!(id))));
    let begin = wanted.now.timestamp();
    let mut claims = Map::from_iter([
        ("iss".to_owned(), json!(file.client_email)),
        ("scope".to_owned(), json!(wanted.scope)),
        ("aud".to_owned(), json!(wanted.audience)),
        ("iat".to_owned(), json!(begin)),
        ("exp".to_owned(), json!(begin + LASTS)),
    ]);
    if !wanted.subject.is_empty() {
        claims.insert("sub".to_owned(), json!(wanted.subject));
    }
    let part = |map: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(map).to_string());
    let message = format!("{}.{}", part(head), part(claims));
    let signature = signer
        .sign(message.as_bytes())
        .map_err(|_| no_key("could not sign"))?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    /// Made for this test; it opens nothing.
    const KEY: &str = "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCZXyjvAzxh20BcObsxeG15FhJbP0puCqvAec4E/EbjlJH1uVPLoESpLVD5nt\
e/8oUy79bu8Z8cdfEezrbl1TsBc0P+ZEZsS9jBXtrULTwR5M1BwCu0THBwYPaUdwz+tu3CGo72rEi9EhRRKqxHwwP7R0W6i+RvoJdS9JdKEpz4\
t9W1720TBgH46QtjSh7UtGvw3v9YheQHOyozdnSw7CC94tij+bljWKS/YII1/+6xtyUq1OOQ1t1IKjQfc/gODWKdG3Ye2hwqg6mEWKAL1nmGaW\
cbkeo3DY46TFQf/8N9HDsc1siqCOlXHJkVR1TrKQ6+sJ7/dWyqDjmGGIj15zFzAgMBAAECggEAI9NPH/mNBrysvX48xDMBu1mVAxx3GdpDQUwS\
fCajtnBTYece9D8lGrF7qztX4T3YsEvG1Hy7Mm44Wv5lSa1zwYR3uvoYWx6ibJToH8zLLdDYw0WMz+pVD2MO5iIi9nKref4zK9qViRiqh0UlBg\
Q/L1h4KLmZrBuCjX2Vw1cytIP8AuuENYmEYA+hY53wLZW08t/GL1YeFzHflQWs2RoVcFLkWaBnWStqCKYb30LDrzydETJUcSOW3mf/kNptxRnE\
id/B8epAjukj+CFU8t3fPOgQOEuwPw36yChc5TTRtYfJiSJEl/dQkIq0p4yjouk6GWNppBF5R5bPa+36/hfCmQKBgQDIxXqxQZEu3tUntxirNp\
vbmy3MWmbmSwvhi/EmqBdtxWvWhB5G8JKFglCuzCLloTjEME5DUNVooxPlmri7EK4PGwX69HMy5zOYbuOLTZGrEY0HY32RT5K2qI9t9ULyHDYd\
6QMa94CO+XQoAiagVeCyra12lkcIl8cDJh+ybYVNeQKBgQDDj795SS/2PCq5noIs+vez/HskV3lUHpk+J3y2JUcBtguFHyaOwjpEMdjKfFtCcK\
tkLydwFszjOVpm8/AL7LuMvUTifhZu94N9vDpochD22HkfUnlCircOFUbJF+MwirBmSDk5ODlc1bkCubkdAeYsAwHArhf8J7+oYM0q+zi3SwKB\
gC/o6BFaeyG7LRRwHePlgSXTjwc/32Q/LlOhSGeYHxcj0Er9dhgpml1fro83yXAQm/I9ML/hjzuMBth4pnKFVXPnV/L92GuiPm62r3fzh7pR0t\
ybgkBlw7Xw3WE48MPDtapHi2UpALWdk3lkogEK3TbmOQmebM8BIQ2AUHoMpo3JAoGAXa0g+hcty1S83pdoIeXB+8yIrDremoXhwB0oJxQqNE6g\
rA7k6GNvh7Uc9Lmm+WeBIgdYa9/wGzQg8soNBZlLqboMIjZlxpf3u6YLkHZ7W9MMCg32mgJad3uHodI4eMsmfohAKQGesLKL4htW6ec7+38hOs\
vqH1Zm/2AHR3x5iYsCgYA3dyv9aYOOlZ26ICEG5YjS5GVxuoiH1PPvcWtdqzXkpcGbTOhe8Gb6AYBAxOJ2iN3XTm8QbVJefufU7iDK+Jsm0+gR\
9aPbyf5hbklK+x/1oeba+wM5AYOFTmzikWkLL5WQPt4WnbrPHBCANn4VGWgoHdW3WOsuXCePVZBt+8Y+6g==";
    /// Its public half.
    const PUBLIC: &str = "MIIBCgKCAQEAmV8o7wM8YdtAXDm7MXhteRYSWz9KbgqrwHnOBPxG45SR9blTy6BEqS1Q+Z7Xv/KFMu/W7vGfHHXxHs625dU7AXND/mRGbEvYwV\
7a1C08EeTNQcArtExwcGD2lHcM/rbtwhqO9qxIvRIUUSqsR8MD+0dFuovkb6CXUvSXShKc+LfVte9tEwYB+OkLY0oe1LRr8N7/WIXkBzsqM3Z0\
sOwgveLYo/m5Y1ikv2CCNf/usbclKtTjkNbdSCo0H3P4Dg1inRt2HtocKoOphFigC9Z5hmlnG5HqNw2OOkxUH//DfRw7HNbIqgjpVxyZFUdU6y\
kOvrCe/3Vsqg45hhiI9ecxcwIDAQAB";

    fn key_file(pem: &str) -> String {
        json!({ "type": "service_account", "client_email": "cockpit@acme.example", "private_key_id": "k1",
            "private_key": pem, "token_uri": "https://elsewhere.example/token" })
        .to_string()
    }

    fn pem() -> String {
        let word = "PRIVATE KEY";
        format!("-----BEGIN {word}-----\n{KEY}\n-----END {word}-----\n")
    }

    fn wanted(subject: &str) -> Wanted<'_> {
        Wanted {
            audience: "https://token.example",
            scope: "calendar.readonly",
            subject,
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn an_assertion_says_who_asks_and_its_signature_holds() {
        let token = sign(&key_file(&pem()), &wanted("ana@acme.example")).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let read = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(
            read(parts[0]),
            json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" })
        );
        let claims = read(parts[1]);
        assert_eq!(claims["iss"], "cockpit@acme.example");
        assert_eq!(claims["sub"], "ana@acme.example");
        // Where it is sent is what it is for, whatever the key file says.
        assert_eq!(claims["aud"], "https://token.example");
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            3600
        );
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        let message = format!("{}.{}", parts[0], parts[1]);
        let public = STANDARD.decode(PUBLIC).unwrap();
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let (_, algorithms) = known
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256)
            .unwrap();
        let holds = |message: &str| {
            algorithms.iter().any(|a| {
                a.verify_signature(&public, message.as_bytes(), &signature)
                    .is_ok()
            })
        };
        assert!(holds(&message));
        assert!(!holds(&format!("{message}x")));
    }

    #[test]
    fn a_key_that_cannot_be_used_is_told_without_showing_it() {
        for (key, words) in [
            ("hush-hush".to_owned(), "is no JSON"),
            (key_file("hush-hush"), "no private key in PEM"),
            (
                key_file("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----"),
                "the service account's key",
            ),
        ] {
            let why = sign(&key, &wanted("")).unwrap_err();
            assert!(why.contains(words), "{why}");
            assert!(!why.contains("hush"), "{why}");
        }
    }
}
