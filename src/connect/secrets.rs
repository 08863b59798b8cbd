//! Secrets: resolved when the first request needs them, never before the file is trusted, never in a `[demo]` file.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

use super::transport::Redactor;
use crate::domain::secret::SecretRef;
use crate::domain::text::clean;

/// What stands for every secret in a `[demo]` file and in a connector's test rows.
pub const DUMMY: &str = "dummy-secret";

/// Longest secret, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Time for a secret's command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The secrets of one connection.
pub struct Secrets {
    refs: BTreeMap<String, SecretRef>,
    dummy: bool,
    redactor: Arc<Redactor>,
    kept: Mutex<BTreeMap<String, SecretString>>,
}

impl Secrets {
    /// Secrets by setting name. With `dummy` none is ever looked up.
    #[must_use]
    pub fn new(refs: BTreeMap<String, SecretRef>, dummy: bool, redactor: Arc<Redactor>) -> Self {
        Self {
            refs,
            dummy,
            redactor,
            kept: Mutex::default(),
        }
    }

    /// Is that secret given?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.refs.contains_key(name)
    }

    /// The secret's value, looked up once. `None`: the connection gives none.
    ///
    /// # Errors
    /// A sentence that names the reference, never the value.
    pub async fn get(&self, name: &str) -> Result<Option<SecretString>, String> {
        let Some(reference) = self.refs.get(name) else {
            return Ok(None);
        };
        if self.dummy {
            return Ok(Some(SecretString::from(DUMMY)));
        }
        let mut kept = self.kept.lock().await;
        if let Some(value) = kept.get(name) {
            return Ok(Some(value.clone()));
        }
        let value = resolve(reference).await.map_err(|why| {
            format!(
                "the secret {name} ({}) cannot be had: {why}",
                shown(reference)
            )
        })?;
        self.redactor.learn(value.expose_secret());
        kept.insert(name.to_owned(), value.clone());
        Ok(Some(value))
    }

    /// Looks everything up anew next time: a token that was refused may have been renewed.
    pub fn forget(&self) {
        if let Ok(mut kept) = self.kept.try_lock() {
            kept.clear();
        }
    }
}

/// The reference as faults show it: a command by its program alone.
fn shown(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Command(argv) => {
            format!("command:{} …", argv.first().map_or("", String::as_str))
        }
        other => other.to_string(),
    }
}

/// Looks a secret up.
///
/// # Errors
/// Why it cannot be had.
pub async fn resolve(reference: &SecretRef) -> Result<SecretString, String> {
    let text = match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) => value,
            Err(std::env::VarError::NotPresent) => {
                return Err(format!("the environment variable {name} is not set"));
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(format!("the environment variable {name} is not text"));
            }
        },
        SecretRef::File(path) => read_file(path).await?,
        SecretRef::Command(argv) => run(argv).await?,
        SecretRef::Keyring { service, user } => {
            let argv = keyring(std::env::consts::OS, service, user)?;
            run(&argv).await.map_err(|why| {
                format!("{why}; the keyring is asked by {} (Debian: libsecret-tools), which must be there and unlocked", argv.first().map_or("", String::as_str))
            })?
        }
    };
    let value = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
    if value.trim().is_empty() {
        return Err("it is empty".into());
    }
    Ok(SecretString::from(value))
}

/// The command by which the OS's own keyring is asked: the Secret Service on Linux and the BSDs, the keychain on macOS. Their
/// own tools ask for the unlocking, too.
fn keyring(os: &str, service: &str, user: &str) -> Result<[String; 6], String> {
    if [service, user].iter().any(|word| word.starts_with('-')) {
        return Err("a keyring entry's name does not begin with a hyphen".into());
    }
    let words = match os {
        "macos" => [
            "security",
            "find-generic-password",
            "-ws",
            service,
            "-a",
            user,
        ],
        _ => [
            "secret-tool",
            "lookup",
            "service",
            service,
            "username",
            user,
        ],
    };
    Ok(words.map(str::to_owned))
}

async fn read_file(path: &str) -> Result<String, String> {
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|e| e.to_string())?;
    text_of(file).await
}

async fn text_of(from: impl tokio::io::AsyncRead + Unpin) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(|e| e.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err("it is longer than 64 KiB".into());
    }
    String::from_utf8(bytes).map_err(|_| "it is not text".into())
}

/// Runs argv without a shell; its standard output is the secret, its standard error is not shown.
async fn run(argv: &[String]) -> Result<String, String> {
    let (program, args) = argv.split_first().ok_or("the command is empty")?;
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("{}: {e}", clean(program, 80)))?;
    let out = child.stdout.take().ok_or("its output cannot be read")?;
    let whole = async {
        let text = text_of(out).await?;
        let status = child.wait().await.map_err(|e| e.to_string())?;
        if status.success() {
            Ok(text)
        } else {
            Err(format!("it ended with {status}"))
        }
    };
    tokio::time::timeout(COMMAND_TIMEOUT, whole)
        .await
        .map_err(|_| "the command did not end within 30 s".to_owned())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(refs: &[(&str, &str)], dummy: bool) -> Secrets {
        let refs = refs
            .iter()
            .map(|(k, v)| {
                (
                    (*k).to_owned(),
                    SecretRef::try_from((*v).to_owned()).unwrap(),
                )
            })
            .collect();
        Secrets::new(refs, dummy, Arc::default())
    }

    #[test]
    fn the_keyring_is_asked_by_the_systems_own_tool() {
        assert_eq!(
            keyring("linux", "github", "ana").unwrap().join(" "),
            "secret-tool lookup service github username ana"
        );
        assert_eq!(
            keyring("macos", "github", "ana").unwrap().join(" "),
            "security find-generic-password -ws github -a ana"
        );
        assert!(keyring("linux", "github", "--help").is_err());
    }

    #[tokio::test]
    async fn files_and_commands_give_secrets_that_are_known_to_the_redactor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "abc-def-ghi\n").unwrap();
        let s = secrets(
            &[
                ("f", &format!("file:{}", path.display())),
                ("c", "command:echo from-a-command"),
            ],
            false,
        );
        assert_eq!(
            s.get("f").await.unwrap().unwrap().expose_secret(),
            "abc-def-ghi"
        );
        assert_eq!(
            s.get("c").await.unwrap().unwrap().expose_secret(),
            "from-a-command"
        );
        assert!(s.get("none").await.unwrap().is_none());
        assert!(
            !s.redactor
                .redact("x abc-def-ghi from-a-command")
                .contains("abc")
        );
        std::fs::write(&path, "renewed-one").unwrap();
        s.forget();
        assert_eq!(
            s.get("f").await.unwrap().unwrap().expose_secret(),
            "renewed-one"
        );
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_said() {
        let s = secrets(
            &[
                ("e", "env:COCKPIT_TEST_NOT_SET"),
                ("k", "keyring:a/b"),
                ("c", "command:false hush"),
                ("f", "file:/nonexistent"),
            ],
            false,
        );
        for (name, part) in [
            ("e", "is not set"),
            ("k", "keyring"),
            ("c", "ended with"),
            ("f", "cannot be had"),
        ] {
            let why = s.get(name).await.unwrap_err();
            assert!(why.contains(part) && !why.contains("hush"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_demo_file_looks_nothing_up() {
        let s = secrets(&[("c", "command:/nonexistent/program")], true);
        assert_eq!(s.get("c").await.unwrap().unwrap().expose_secret(), DUMMY);
    }
}
