//! References to secrets. The value itself never enters the domain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is kept. Written in cockpit.toml as `env:NAME`, `file:PATH`, `keyring:SERVICE/USER` or
/// `command:PROGRAM ARG …`; printing one prints the reference, never the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// The content of a file, without its last newline.
    File(String),
    /// An entry of the OS keyring: the Secret Service (attributes `service` and `username`), the keychain on macOS.
    Keyring {
        /// The entry's service.
        service: String,
        /// The entry's user.
        user: String,
    },
    /// The standard output of a command, argv without a shell.
    Command(Vec<String>),
}

impl TryFrom<String> for SecretRef {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let refused = || {
            "a secret is given as a reference: env:NAME, file:PATH, keyring:SERVICE/USER or command:PROGRAM ARG …; the value itself is never written here"
                .to_owned()
        };
        let (kind, rest) = text.split_once(':').ok_or_else(refused)?;
        if rest.trim().is_empty() {
            return Err(format!("the secret reference {kind}: names nothing"));
        }
        match kind {
            "env" => Ok(Self::Env(rest.to_owned())),
            "file" => Ok(Self::File(rest.to_owned())),
            "keyring" => {
                let (service, user) = rest
                    .split_once('/')
                    .ok_or_else(|| "a keyring reference is keyring:SERVICE/USER".to_owned())?;
                Ok(Self::Keyring {
                    service: service.to_owned(),
                    user: user.to_owned(),
                })
            }
            "command" => Ok(Self::Command(
                rest.split_whitespace().map(str::to_owned).collect(),
            )),
            _ => Err(refused()),
        }
    }
}

impl From<SecretRef> for String {
    fn from(secret: SecretRef) -> Self {
        secret.to_string()
    }
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Keyring { service, user } => write!(f, "keyring:{service}/{user}"),
            Self::Command(argv) => write!(f, "command:{}", argv.join(" ")),
        }
    }
}
