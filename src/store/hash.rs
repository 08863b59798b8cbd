//! The hash of an event: SHA-256 over a canonical serialisation that can be redone with `sha256sum` (docs/journal.md).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The first piece of every serialisation; another layout gets another tag.
const TAG: &str = "cockpit event 1";

/// A SHA-256 hash. Shown and stored as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands where the first event names its predecessor: 64 zeros.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The first 16 digits: enough to compare by eye, printed in briefs and handoffs.
    pub fn short(&self) -> String {
        self.to_string().chars().take(16).collect()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = String;

    /// Reads exactly 64 lower-case hexadecimal digits: one hash has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || "not 64 lower-case hexadecimal digits".to_string();
        let digits = text.as_bytes();
        if digits.len() != 64
            || digits
                .iter()
                .any(|d| !matches!(d, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Hash(bytes))
    }
}

/// The stored fields of one event as bytes, in the order in which they are hashed. `None` is SQL's NULL.
pub(super) struct Fields<'a> {
    pub seq: u64,
    pub at: &'a [u8],
    pub actor: &'a [u8],
    pub known_by: &'a [u8],
    pub host: &'a [u8],
    pub release: Option<&'a [u8]>,
    pub kind: &'a [u8],
    pub version: i64,
    pub unique_key: Option<&'a [u8]>,
    pub body: &'a [u8],
    pub prev_hash: &'a [u8],
}

impl Fields<'_> {
    /// The hash of these fields.
    ///
    /// Each piece is a netstring, `LENGTH:BYTES,` with the length in decimal bytes; NULL is `-:,`. No two different
    /// events share a serialisation, since every length is told before its bytes.
    pub fn hash(&self) -> Hash {
        let mut sha = Sha256::new();
        let mut piece = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                sha.update(bytes.len().to_string().as_bytes());
                sha.update(b":");
                sha.update(bytes);
                sha.update(b",");
            }
            None => sha.update(b"-:,"),
        };
        piece(Some(TAG.as_bytes()));
        piece(Some(self.seq.to_string().as_bytes()));
        piece(Some(self.at));
        piece(Some(self.actor));
        piece(Some(self.known_by));
        piece(Some(self.host));
        piece(self.release);
        piece(Some(self.kind));
        piece(Some(self.version.to_string().as_bytes()));
        piece(self.unique_key);
        piece(Some(self.body));
        piece(Some(self.prev_hash));
        Hash(sha.finalize().into())
    }
}
