//! An open way to one cluster: its transport, and who we are on it. Opened when the first request needs it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use futures::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::config::{self, Auth};
use super::exec::{self, Plugin};
use crate::connect::transport::{Clients, Credential, Credentials, Options, Redactor, Transport};
use crate::domain::observe::{Fault, FaultKind};
use crate::domain::text::clean;
use crate::domain::time::{Clock, Instant};

/// A plugin is asked again so long before what it said ends.
const MARGIN: i64 = 30;

/// Where a cluster's access is written down.
#[derive(Clone)]
pub struct Kubeconfig {
    /// The files; empty: the usual ones, else the pod's own account.
    pub files: Vec<PathBuf>,
    /// The context; `None`: the current one.
    pub context: Option<String>,
    /// The one program that a kubeconfig may run.
    pub exec: Option<String>,
    /// Environment variables that it may see.
    pub env: Vec<String>,
}

/// An open way to a cluster.
pub struct Session {
    /// Sends.
    pub transport: Arc<Transport>,
    /// The context's namespace.
    pub namespace: Option<String>,
    /// The context's name.
    pub context: String,
    keys: Option<Arc<Keys>>,
    /// Our client certificate came from a plugin: it ends, and then the whole way is opened anew.
    lent: bool,
}

impl Session {
    /// A way that needs no kubeconfig.
    #[must_use]
    pub fn direct(transport: Arc<Transport>) -> Self {
        Self {
            transport,
            namespace: None,
            context: String::new(),
            keys: None,
            lent: false,
        }
    }

    /// Reads the kubeconfig, asks its plugin where it has one, and opens the way.
    ///
    /// # Errors
    /// A `Config` fault without any secret.
    pub async fn open(from: &Kubeconfig, mut options: Options) -> Result<Self, Fault> {
        let fault = |why: String| {
            options.redactor.fault(Fault::new(
                FaultKind::Config,
                format!("{}: {why}", options.name),
                "mend this connection's settings or the kubeconfig",
            ))
        };
        let usual = if from.files.is_empty() {
            config::Usual::of_user()
        } else {
            config::Usual {
                files: from.files.clone(),
                missing: Vec::new(),
            }
        };
        let files = usual.found().map_err(&fault)?;
        let access = config::read(files, from.context.as_deref())
            .await
            .map_err(|why| fault(usual.explain(why)))?;
        let mut own = access.own;
        if let Auth::Exec(plugin) = &access.auth {
            allowed(plugin, from).map_err(&fault)?;
        }
        let keys = Arc::new(Keys::new(access.auth, from.env.clone(), &options));
        let lent = keys.certificate().await?;
        if let Some(identity) = &lent {
            own.identity = Some(identity.clone());
        }
        let url = access
            .server
            .parse()
            .map_err(|_| fault("the cluster's server is no address".to_owned()))?;
        options.credentials = keys.clone();
        options.clients = Arc::new(Clients::own(own));
        Ok(Self {
            transport: Arc::new(Transport::new(url, options)?),
            namespace: access.namespace,
            context: clean(&access.context, 80),
            keys: Some(keys),
            lent: lent.is_some(),
        })
    }

    /// Can it still be used? A client certificate that a plugin lent ends with the time it was lent for, or when it is refused.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.lent || self.keys.as_ref().is_none_or(|k| k.kept().is_some())
    }
}

/// A kubeconfig is no part of what was trusted, so the program that it runs must be named where trust looks.
fn allowed(plugin: &Plugin, from: &Kubeconfig) -> Result<(), String> {
    let command = clean(&plugin.command, 80);
    match &from.exec {
        Some(exec) if *exec == plugin.command => Ok(()),
        Some(exec) => Err(format!(
            "the kubeconfig runs {command}, but exec allows {}",
            clean(exec, 80)
        )),
        None => Err(format!(
            "the kubeconfig runs a program to sign in: write exec = \"{command}\" in this connection if that is what you want"
        )),
    }
}

/// Who we are, kept as long as it holds.
struct Keys {
    auth: Auth,
    env: Vec<String>,
    name: String,
    redactor: Arc<Redactor>,
    clock: Arc<dyn Clock>,
    grant: Mutex<Option<Kept>>,
    refused: AtomicBool,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Kept {
    token: Option<SecretString>,
    identity: Option<SecretString>,
    until: Option<Instant>,
}

impl Keys {
    fn new(auth: Auth, env: Vec<String>, options: &Options) -> Self {
        match &auth {
            Auth::Token(secret) | Auth::Basic(_, secret) => {
                options.redactor.learn(secret.expose_secret());
            }
            Auth::Anonymous | Auth::TokenFile(_) | Auth::Exec(_) => {}
        }
        Self {
            auth,
            env,
            name: options.name.clone(),
            redactor: options.redactor.clone(),
            clock: options.clock.clone(),
            grant: Mutex::default(),
            refused: AtomicBool::new(false),
            asking: tokio::sync::Mutex::default(),
        }
    }

    fn fault(&self, why: &str) -> Fault {
        self.redactor.fault(Fault::new(
            FaultKind::Config,
            format!("{}: {why}", self.name),
            "sign in by hand and look at the kubeconfig's user",
        ))
    }

    /// What the plugin said, while it holds.
    fn kept(&self) -> Option<Kept> {
        if self.refused.load(Ordering::Acquire) {
            return None;
        }
        let soon = self.clock.now().real + Duration::seconds(MARGIN);
        let kept = self.grant.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone().filter(|k| k.until.is_none_or(|at| at > soon))
    }

    /// Asks the plugin once, however many requests wait for it.
    async fn ask(&self, plugin: &Plugin) -> Result<Kept, Fault> {
        let _one = self.asking.lock().await;
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let grant = plugin
            .ask(&self.env)
            .await
            .map_err(|why| self.fault(&why))?;
        for secret in grant.token.iter().chain(&grant.identity) {
            self.redactor.learn(secret.expose_secret());
        }
        let kept = Kept {
            token: grant.token,
            identity: grant.identity,
            until: grant.until,
        };
        *self.grant.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        self.refused.store(false, Ordering::Release);
        Ok(kept)
    }

    /// The client certificate that a plugin lends.
    async fn certificate(&self) -> Result<Option<SecretString>, Fault> {
        match &self.auth {
            Auth::Exec(plugin) => Ok(self.ask(plugin).await?.identity),
            _ => Ok(None),
        }
    }

    async fn header(&self) -> Result<Option<String>, Fault> {
        let bearer = |token: &SecretString| format!("Bearer {}", token.expose_secret());
        match &self.auth {
            Auth::Anonymous => Ok(None),
            Auth::Token(token) => Ok(Some(bearer(token))),
            Auth::Basic(user, password) => Ok(Some(exec::basic(user, password.expose_secret()))),
            Auth::TokenFile(path) => {
                let text = config::text_of(path)
                    .await
                    .map_err(|why| self.fault(&why))?;
                let token = SecretString::from(text.trim());
                self.redactor.learn(token.expose_secret());
                Ok(Some(bearer(&token)))
            }
            Auth::Exec(plugin) => {
                let kept = match self.kept() {
                    Some(kept) => kept,
                    None => self.ask(plugin).await?,
                };
                Ok(kept.token.as_ref().map(bearer))
            }
        }
    }
}

impl Credentials for Keys {
    fn credentials(&self) -> BoxFuture<'_, Result<Vec<Credential>, Fault>> {
        Box::pin(async move {
            let Some(text) = self.header().await? else {
                return Ok(Vec::new());
            };
            let value = HeaderValue::from_str(&text)
                .map_err(|_| self.fault("the token holds a line break or a control character"))?;
            Ok(vec![Credential::Header(AUTHORIZATION, value)])
        })
    }

    fn refused(&self) {
        self.refused.store(true, Ordering::Release);
    }
}
