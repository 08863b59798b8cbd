//! The HTTP clients: rustls with ring, the operating system's trust store, no automatic redirects and no automatic retries.

use std::sync::{Once, OnceLock};
use std::time::Duration;

use reqwest::{Client, redirect, retry};

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

/// The two clients that all connections of one file share, made when first used.
///
/// Acts have their own client without idle connections: on a reused connection that the other side is just closing, nobody could
/// tell whether the request arrived.
#[derive(Default)]
pub struct Clients {
    /// No proxy is used: the file may reach nothing but this machine.
    local: bool,
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

    /// The client for reads.
    ///
    /// # Errors
    /// A sentence, when TLS cannot be set up on this machine.
    pub fn reads(&self) -> Result<&Client, String> {
        self.reads
            .get_or_init(|| build(self.local, 4))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The client for acts: a fresh connection each time.
    ///
    /// # Errors
    /// A sentence, when TLS cannot be set up on this machine.
    pub fn acts(&self) -> Result<&Client, String> {
        self.acts
            .get_or_init(|| build(self.local, 0))
            .as_ref()
            .map_err(Clone::clone)
    }
}

fn build(local: bool, idle: usize) -> Result<Client, String> {
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
    builder.build().map_err(|e| {
        format!(
            "TLS could not be set up ({e}); is a certificate store installed (package ca-certificates)?"
        )
    })
}
