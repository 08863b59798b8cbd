//! The HTTP clients: rustls with ring, the operating system's trust store, no automatic redirects and no automatic retries.

use std::sync::{Once, OnceLock};
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Proxy, redirect, retry};
use secrecy::{ExposeSecret, SecretString};

/// Time for name look-up, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes ring the process's crypto provider. May be called any number of times, from anywhere; a provider that was installed before
/// stays.
pub fn ensure_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// What a connection's clients have of their own, where the vendor is reached by its own authority or by a certificate of ours.
#[derive(Clone, Default)]
pub struct Own {
    /// Certificates (PEM) that alone are trusted; `None`: the operating system's trust store.
    pub authorities: Option<Vec<u8>>,
    /// Our certificate and its key (PEM).
    pub identity: Option<SecretString>,
    /// The proxy that leads there; `None`: as the environment says.
    pub proxy: Option<String>,
}

/// The two clients that all connections of one file share, made when first used.
///
/// Acts have their own client without idle connections: on a reused connection that the other side is just closing, nobody could
/// tell whether the request arrived.
#[derive(Default)]
pub struct Clients {
    /// No proxy is used: the file may reach nothing but this machine.
    local: bool,
    own: Own,
    reads: OnceLock<Result<Client, String>>,
    acts: OnceLock<Result<Client, String>>,
}

impl Clients {
    /// Clients for a real file (`local` false) or a `[demo]` file, which never goes through a proxy.
    #[must_use]
    pub fn new(local: bool) -> Self {
        Self {
            local,
            ..Self::default()
        }
    }

    /// Clients for one connection alone.
    #[must_use]
    pub fn own(own: Own) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    /// The client for reads.
    ///
    /// # Errors
    /// A sentence, when TLS cannot be set up on this machine.
    pub fn reads(&self) -> Result<&Client, String> {
        self.reads
            .get_or_init(|| build(self.local, 4, &self.own))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The client for acts: a fresh connection each time.
    ///
    /// # Errors
    /// A sentence, when TLS cannot be set up on this machine.
    pub fn acts(&self) -> Result<&Client, String> {
        self.acts
            .get_or_init(|| build(self.local, 0, &self.own))
            .as_ref()
            .map_err(Clone::clone)
    }
}

fn build(local: bool, idle: usize, own: &Own) -> Result<Client, String> {
    ensure_crypto();
    let mut builder = Client::builder()
        .user_agent(concat!("cockpit/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(idle)
        .pool_idle_timeout(Duration::from_secs(50));
    if local {
        builder = builder.no_proxy();
    }
    if let Some(pem) = &own.authorities {
        let list = Certificate::from_pem_bundle(pem)
            .map_err(|_| "the certificate authority is no PEM certificate".to_owned())?;
        if list.is_empty() {
            return Err("the certificate authority holds no certificate".to_owned());
        }
        builder = builder.tls_certs_only(list);
    }
    if let Some(pem) = &own.identity {
        let identity = Identity::from_pem(pem.expose_secret().as_bytes())
            .map_err(|_| "the client certificate or its key is no PEM".to_owned())?;
        builder = builder.identity(identity);
    }
    if let Some(proxy) = &own.proxy {
        // Its address may hold a password: it is not repeated.
        let proxy =
            Proxy::all(proxy).map_err(|_| "the proxy's address cannot be read".to_owned())?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|e| {
        format!(
            "TLS could not be set up ({e}); is a certificate store installed (package ca-certificates)?"
        )
    })
}
