//! kubeconfig: which server, which authority, who we are. Read when the first request needs it, never before the file is trusted.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::exec::Plugin;
use super::yaml;
use crate::connect::transport::Own;

/// Largest kubeconfig and key file, bytes.
const LARGEST: u64 = 4 << 20;
/// Where a pod finds its account.
const IN_POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How a cluster is reached.
pub struct Access {
    /// The server's address.
    pub server: String,
    /// The context's namespace.
    pub namespace: Option<String>,
    /// Authority, certificate, proxy.
    pub own: Own,
    /// Who we are.
    pub auth: Auth,
    /// The context's name as people know it.
    pub context: String,
}

/// Who we are.
pub enum Auth {
    /// Nobody, or who the client certificate says.
    Anonymous,
    /// A token.
    Token(SecretString),
    /// A token that a file holds; it is renewed there.
    TokenFile(PathBuf),
    /// User and password.
    Basic(String, SecretString),
    /// A program says it.
    Exec(Box<Plugin>),
}

/// Reads the access of one context.
///
/// `files` are kubeconfig files, the first that names something wins; none: the account of the pod that we run in.
///
/// # Errors
/// A sentence that names the file and what is wrong with it, never a value.
pub async fn read(files: &[PathBuf], context: Option<&str>) -> Result<Access, String> {
    let mut parts = Vec::new();
    for path in files {
        let text = text_of(path).await?;
        let value = yaml::read(&text).map_err(|why| format!("{}: {why}", path.display()))?;
        if !value.is_object() {
            return Err(format!("{} is no kubeconfig", path.display()));
        }
        let dir = path.parent().map(Path::to_owned).unwrap_or_default();
        parts.push(Part { dir, value });
    }
    if parts.is_empty() {
        return in_pod().await;
    }
    let wanted = context
        .map(str::to_owned)
        .or_else(|| {
            parts
                .iter()
                .find_map(|p| text(&p.value, "current-context").map(str::to_owned))
        })
        .ok_or("the kubeconfig has no current-context: set context in this connection")?;
    let (_, context) = named(&parts, "contexts", "context", &wanted)?;
    let cluster =
        text(context, "cluster").ok_or_else(|| format!("the context {wanted} names no cluster"))?;
    let (cluster_dir, cluster) = named(&parts, "clusters", "cluster", cluster)?;
    let user = match text(context, "user") {
        Some(user) => Some(named(&parts, "users", "user", user)?),
        None => None,
    };
    assemble(&wanted, context, cluster_dir, cluster, user).await
}

/// One file of several.
struct Part {
    dir: PathBuf,
    value: Value,
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value
        .get(key)
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty())
}

/// The entry of that name, and the folder of the file that it stands in.
fn named<'a>(
    parts: &'a [Part],
    list: &str,
    key: &str,
    name: &str,
) -> Result<(&'a Path, &'a Value), String> {
    parts
        .iter()
        .find_map(|part| {
            let entries = part.value.get(list)?.as_array()?;
            let entry = entries
                .iter()
                .find(|e| e.get("name").and_then(Value::as_str) == Some(name))?;
            Some((part.dir.as_path(), entry.get(key)?))
        })
        .ok_or_else(|| format!("the kubeconfig has no {key} \"{name}\""))
}

async fn assemble(
    name: &str,
    context: &Value,
    dir: &Path,
    cluster: &Value,
    user: Option<(&Path, &Value)>,
) -> Result<Access, String> {
    let server = text(cluster, "server").ok_or("its cluster has no server")?;
    if cluster.get("insecure-skip-tls-verify") == Some(&Value::Bool(true)) {
        return Err(
            "its cluster says insecure-skip-tls-verify, which is not followed: name its certificate-authority".into(),
        );
    }
    if text(cluster, "tls-server-name").is_some() {
        return Err("its cluster says tls-server-name, which is not followed: use a server address that its certificate names".into());
    }
    let mut own = Own {
        authorities: pem(dir, cluster, "certificate-authority").await?,
        identity: None,
        proxy: text(cluster, "proxy-url").map(str::to_owned),
    };
    let mut auth = Auth::Anonymous;
    if let Some((dir, user)) = user {
        own.identity = identity(dir, user).await?;
        auth = auth_of(dir, user, cluster)?;
    }
    Ok(Access {
        server: server.to_owned(),
        namespace: text(context, "namespace").map(str::to_owned),
        own,
        auth,
        context: name.to_owned(),
    })
}

/// The client certificate with its key.
async fn identity(dir: &Path, user: &Value) -> Result<Option<SecretString>, String> {
    let certificate = pem(dir, user, "client-certificate").await?;
    let key = pem(dir, user, "client-key").await?;
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => identity_of(&certificate, &key).map(Some),
        _ => Err("its user has a client certificate without a key, or a key without one".into()),
    }
}

/// Certificate and key as one PEM.
///
/// # Errors
/// They are not text.
pub fn identity_of(certificate: &[u8], key: &[u8]) -> Result<SecretString, String> {
    let both = [certificate, b"\n", key].concat();
    String::from_utf8(both)
        .map(SecretString::from)
        .map_err(|_| "its client certificate or key is no PEM".into())
}

/// `KEY-data` in base64, or the file that `KEY` names.
async fn pem(dir: &Path, of: &Value, key: &str) -> Result<Option<Vec<u8>>, String> {
    if let Some(data) = text(of, &format!("{key}-data")) {
        return STANDARD
            .decode(data.trim())
            .map(Some)
            .map_err(|_| format!("its {key}-data is no base64"));
    }
    match text(of, key) {
        Some(path) => bytes_of(&dir.join(path)).await.map(Some),
        None => Ok(None),
    }
}

fn auth_of(dir: &Path, user: &Value, cluster: &Value) -> Result<Auth, String> {
    if let Some(exec) = user.get("exec").filter(|e| e.is_object()) {
        return Plugin::read(exec, dir, info(cluster)).map(|p| Auth::Exec(Box::new(p)));
    }
    if let Some(path) = text(user, "tokenFile") {
        return Ok(Auth::TokenFile(dir.join(path)));
    }
    if let Some(token) = text(user, "token") {
        return Ok(Auth::Token(SecretString::from(token)));
    }
    if let Some(name) = text(user, "username") {
        let password = text(user, "password").unwrap_or_default();
        return Ok(Auth::Basic(name.to_owned(), SecretString::from(password)));
    }
    if user.get("auth-provider").is_some_and(|a| !a.is_null()) {
        return Err(
            "its user has an auth-provider, which kubectl no longer knows either: use exec".into(),
        );
    }
    Ok(Auth::Anonymous)
}

/// What a plugin is told of the cluster where it asks for it.
fn info(cluster: &Value) -> Value {
    json!({
        "server": cluster.get("server"),
        "certificate-authority-data": cluster.get("certificate-authority-data"),
        "config": cluster
            .get("extensions")
            .and_then(Value::as_array)
            .and_then(|list| list.iter().find(|e| e.get("name").and_then(Value::as_str) == Some("client.authentication.k8s.io/exec")))
            .and_then(|e| e.get("extension")),
    })
}

/// The account of the pod that we run in.
async fn in_pod() -> Result<Access, String> {
    let nowhere = "there is no kubeconfig: set kubeconfig in this connection, or KUBECONFIG; and this is no pod";
    let host = std::env::var("KUBERNETES_SERVICE_HOST").map_err(|_| nowhere.to_owned())?;
    let port = std::env::var("KUBERNETES_SERVICE_PORT").unwrap_or_else(|_| "443".into());
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let dir = Path::new(IN_POD);
    let namespace = text_of(&dir.join("namespace")).await?;
    Ok(Access {
        server: format!("https://{host}:{port}"),
        namespace: Some(namespace.trim().to_owned()),
        own: Own {
            authorities: Some(bytes_of(&dir.join("ca.crt")).await?),
            ..Own::default()
        },
        auth: Auth::TokenFile(dir.join("token")),
        context: "in this pod".to_owned(),
    })
}

/// Where kubectl would look: the files that are there, and those of `KUBECONFIG` that are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usual {
    /// To be read, in their order.
    pub files: Vec<PathBuf>,
    /// Named, and not there.
    pub missing: Vec<PathBuf>,
}

impl Usual {
    /// Of `KUBECONFIG`, else of the home folder.
    #[must_use]
    pub fn of_user() -> Self {
        let home = std::env::home_dir().map(|home| home.join(".kube/config"));
        match std::env::var_os("KUBECONFIG").filter(|l| !l.is_empty()) {
            Some(list) => Self::of(&list),
            None => Self {
                files: home.filter(|p| p.exists()).into_iter().collect(),
                missing: Vec::new(),
            },
        }
    }

    /// Of a list as it stands in `KUBECONFIG`; a relative path starts at the working folder, as it does for kubectl.
    #[must_use]
    pub fn of(list: &std::ffi::OsStr) -> Self {
        let paths = std::env::split_paths(list)
            .filter(|p| !p.as_os_str().is_empty())
            .map(|p| std::path::absolute(&p).unwrap_or(p));
        let (files, missing) = paths.partition(|p| p.exists());
        Self { files, missing }
    }

    /// The files, or why none of them can be read.
    ///
    /// # Errors
    /// `KUBECONFIG` names files, and none of them is there.
    pub fn found(&self) -> Result<&[PathBuf], String> {
        if self.files.is_empty() && !self.missing.is_empty() {
            return Err(self.lacks());
        }
        Ok(&self.files)
    }

    /// A fault's reason, with the files that were not there: what was looked for may stand in one of them.
    #[must_use]
    pub fn explain(&self, why: String) -> String {
        if self.missing.is_empty() {
            why
        } else {
            format!("{why}; {}", self.lacks())
        }
    }

    fn lacks(&self) -> String {
        let names: Vec<String> = self
            .missing
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        format!("KUBECONFIG names {}, which is not there", names.join(", "))
    }
}

/// A file of text.
///
/// # Errors
/// Why it cannot be read.
pub async fn text_of(path: &Path) -> Result<String, String> {
    String::from_utf8(bytes_of(path).await?).map_err(|_| format!("{} is not text", path.display()))
}

async fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let bad = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    let size = tokio::fs::metadata(path).await.map_err(bad)?.len();
    if size > LARGEST {
        return Err(format!("{} is larger than 4 MiB", path.display()));
    }
    tokio::fs::read(path).await.map_err(bad)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_relative_kubeconfig_is_read_and_a_missing_one_is_named() {
        // Tests run in the package's folder.
        let there = Usual::of("Cargo.toml:/nowhere/config".as_ref());
        assert_eq!(
            there.files,
            [std::env::current_dir().unwrap().join("Cargo.toml")]
        );
        assert_eq!(there.found().unwrap(), there.files);
        assert_eq!(
            there.explain("the kubeconfig has no context \"x\"".into()),
            "the kubeconfig has no context \"x\"; KUBECONFIG names /nowhere/config, which is not there"
        );
        let gone = Usual::of("/nowhere/config:".as_ref());
        assert_eq!(
            gone.found().unwrap_err(),
            "KUBECONFIG names /nowhere/config, which is not there"
        );
        // No KUBECONFIG and no file in the home folder: this may be a pod.
        assert_eq!(Usual::default().found().unwrap(), &[] as &[PathBuf]);
    }
}
