//! The HTTP rules that every connection keeps, whatever its connector.
//!
//! Requests stay on one origin; GETs retry with jitter, acts never; a body has a limit that is enforced while it streams; "too many
//! requests" puts this connection to sleep and no other; a `[demo]` file reaches nothing but ports that this program opened; a fault
//! names the connection and the path's template, never a rendered secret.

mod cache;
mod client;
mod fault;
mod rate;
mod redact;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use url::Url;

use crate::domain::observe::{Fault, FaultKind};
use crate::domain::time::Clock;

pub use cache::Cache;
pub use client::{Clients, Own, ensure_crypto};
pub use fault::{Failure, Reach};
pub use rate::{Quiet, RateRules, asked_quiet};
pub use redact::{MASK, Redactor};

/// Redirects followed for a read.
const REDIRECTS: usize = 5;

/// One thing that authenticates a request.
#[derive(Clone)]
pub enum Credential {
    /// A header; its value is marked as sensitive.
    Header(HeaderName, HeaderValue),
    /// A query parameter.
    Query(String, String),
}

/// What authenticates a connection's requests, resolved when the first one goes out.
pub trait Credentials: Send + Sync {
    /// The credentials for one request.
    ///
    /// # Errors
    /// A `Config` fault when a secret cannot be had, `Unauthorized` when a token is refused.
    fn credentials(&self) -> BoxFuture<'_, Result<Vec<Credential>, Fault>>;

    /// What answers a 401's `WWW-Authenticate` for a connection on `base`; `None` where nothing does.
    ///
    /// # Errors
    /// Why the token that is asked for cannot be had.
    fn challenged<'a>(
        &'a self,
        _asked: &'a str,
        _base: &'a Url,
    ) -> BoxFuture<'a, Result<Option<Credential>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    /// The vendor refused them (401): what was kept is asked for anew next time.
    fn refused(&self);
}

/// No authentication.
pub struct Anonymous;

impl Credentials for Anonymous {
    fn credentials(&self) -> BoxFuture<'_, Result<Vec<Credential>, Fault>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn refused(&self) {}
}

/// Answers in place of a vendor, for a connector's test rows: no network is touched.
pub type Canned = Arc<dyn Fn(&Request, &Url) -> Result<Reply, Failure> + Send + Sync>;

/// How a connection's requests are made.
#[derive(Clone)]
pub struct Options {
    /// Vendor and connection as faults name them, such as `Argo CD (argo)`.
    pub name: String,
    /// For a whole request, its body included; for a stream the longest silence.
    pub timeout: Duration,
    /// Largest body in bytes, after decompression.
    pub max_body: usize,
    /// Sent with every request; nothing secret.
    pub headers: Vec<(String, String)>,
    /// What authenticates.
    pub credentials: Arc<dyn Credentials>,
    /// How the vendor tells of its limits.
    pub rate: RateRules,
    /// Ask with ETag and Last-Modified.
    pub conditional: bool,
    /// `Some`: a `[demo]` file, only these ports of 127.0.0.1 are reached.
    pub loopback: Option<Arc<HashSet<u16>>>,
    /// How often a GET is tried again after a lost connection or 502, 503, 504.
    pub retries: usize,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Knows the secrets.
    pub redactor: Arc<Redactor>,
    /// The clients shared by all connections.
    pub clients: Arc<Clients>,
    /// Answers in place of the vendor.
    pub canned: Option<Canned>,
}

impl Options {
    /// Fifteen seconds, 8 MiB, no authentication, two retries, no limits, nothing conditional.
    #[must_use]
    pub fn new(name: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            name: name.into(),
            timeout: Duration::from_secs(15),
            max_body: 8 << 20,
            headers: Vec::new(),
            credentials: Arc::new(Anonymous),
            rate: RateRules::default(),
            conditional: false,
            loopback: None,
            retries: 2,
            clock,
            redactor: Arc::default(),
            clients: Arc::default(),
            canned: None,
        }
    }
}

/// Where a request goes, below the connection's base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Appended to the base; already percent-encoded; empty or beginning with `/`.
    Path(String),
    /// A whole address that the vendor gave (the next page); refused on another origin.
    Absolute(String),
}

/// A request's body.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Payload {
    /// None.
    #[default]
    Empty,
    /// JSON.
    Json(serde_json::Value),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET, POST, …
    pub method: Method,
    /// Where.
    pub target: Target,
    /// The path as faults show it: a template without any value.
    pub template: String,
    /// Query parameters, encoded when sent.
    pub query: Vec<(String, String)>,
    /// Headers of this request alone.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Payload,
    /// May be sent twice without harm. GET and HEAD always may.
    pub idempotent: bool,
    /// Belongs to an act: our own limit per minute does not hold it back, and it gets a connection of its own.
    pub act: bool,
}

impl Request {
    /// A read of `path`, which is its own template.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            method: Method::GET,
            template: path.clone(),
            target: Target::Path(path),
            query: Vec::new(),
            headers: Vec::new(),
            body: Payload::Empty,
            idempotent: true,
            act: false,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with_query(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    fn may_repeat(&self) -> bool {
        self.idempotent || self.is_read()
    }

    fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// A whole answer, of whatever status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, complete.
    pub body: Bytes,
    /// The address that answered; may hold secrets, never shown.
    pub url: Url,
}

impl Reply {
    /// A header's value as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// One connection's way to its vendor.
pub struct Transport {
    base: Url,
    options: Options,
    quiet: Quiet,
    cache: Cache,
}

impl Transport {
    /// A transport for `base`. Nothing is sent and no secret is resolved here.
    ///
    /// # Errors
    /// A `Config` fault: not http(s), with a user name or password in it, with a fragment, or outside this machine for a `[demo]` file.
    pub fn new(base: Url, options: Options) -> Result<Self, Fault> {
        let refuse = |what: &str, hint: &str| {
            Err(Fault::new(
                FaultKind::Config,
                format!("{}: the url {what}", options.name),
                hint,
            ))
        };
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return refuse("is not http or https", "write http://HOST or https://HOST");
        }
        if !base.username().is_empty() || base.password().is_some() {
            return refuse(
                "holds a user name or password",
                "give them as settings, as references such as env:NAME",
            );
        }
        if base.fragment().is_some() {
            return refuse("has a fragment", "leave out the part after #");
        }
        let transport = Self {
            base,
            options,
            quiet: Quiet::default(),
            cache: Cache::default(),
        };
        transport.check_reach(&transport.base)?;
        Ok(transport)
    }

    /// The vendor and connection as faults name them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The host that `check` prints.
    #[must_use]
    pub fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().to_owned()
    }

    /// Knows the secrets of this file.
    #[must_use]
    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.options.redactor
    }

    /// Sends a request and reads its whole answer, of whatever status but "too many requests". GETs retry.
    ///
    /// # Errors
    /// A [`Fault`], redacted.
    pub async fn send(&self, request: &Request) -> Result<Reply, Fault> {
        self.try_send(request).await.map_err(|f| f.fault)
    }

    /// Like [`Self::send`], and a status outside 2xx is a fault too.
    ///
    /// # Errors
    /// A [`Fault`], redacted.
    pub async fn fetch(&self, request: &Request) -> Result<Reply, Fault> {
        let reply = self.send(request).await?;
        match self.status_fault(request, &reply) {
            Some(fault) => Err(fault),
            None => Ok(reply),
        }
    }

    /// Like [`Self::send`], and an error says how far the request got: what an act must know.
    ///
    /// # Errors
    /// A [`Failure`], redacted.
    pub async fn try_send(&self, request: &Request) -> Result<Reply, Failure> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(if request.may_repeat() {
                self.options.retries
            } else {
                0
            })
            .with_jitter();
        let attempt = || async {
            let outcome = self.follow(request).await;
            if worth_another(&outcome) {
                Err(outcome)
            } else {
                Ok(outcome)
            }
        };
        let outcome = attempt.retry(backoff).await.unwrap_or_else(|last| last);
        outcome.map_err(|failure| Failure {
            fault: self.options.redactor.fault(failure.fault),
            ..failure
        })
    }

    /// Opens a stream: its chunks as they come, at most `max_body` bytes in all, an error after a silence as long as the timeout.
    ///
    /// # Errors
    /// A [`Fault`], redacted; a status outside 2xx is one.
    pub async fn stream(
        &self,
        request: &Request,
    ) -> Result<BoxStream<'static, Result<Bytes, Fault>>, Fault> {
        self.stream_within(request, self.options.timeout, self.options.max_body)
            .await
    }

    /// Like [`Self::stream`], with its own longest silence and its own limit in bytes.
    ///
    /// # Errors
    /// A [`Fault`], redacted; a status outside 2xx is one.
    pub async fn stream_within(
        &self,
        request: &Request,
        idle: Duration,
        limit: usize,
    ) -> Result<BoxStream<'static, Result<Bytes, Fault>>, Fault> {
        let url = self.url(request).map_err(|f| f.fault)?;
        let opening =
            tokio::time::timeout(self.options.timeout, self.open(request, url, false, None));
        let response = match opening.await {
            Ok(opened) => opened.map_err(|f| self.options.redactor.fault(f.fault))?,
            Err(_) => return Err(self.fault_timeout(request)),
        };
        if !response.status().is_success() {
            if response.status().as_u16() == 401 {
                self.options.credentials.refused();
            }
            let reply = self.collect(request, response).await.map_err(|f| f.fault)?;
            return Err(self
                .status_fault(request, &reply)
                .unwrap_or_else(|| self.fault_timeout(request)));
        }
        let silence = self.fault_timeout(request);
        let cut = self.fault_cut(request);
        let large = self.fault_large(request);
        let state = Some((response.bytes_stream(), 0usize));
        Ok(futures::stream::unfold(state, move |state| {
            let (silence, cut, large) = (silence.clone(), cut.clone(), large.clone());
            async move {
                let (mut chunks, seen) = state?;
                match tokio::time::timeout(idle, chunks.next()).await {
                    Err(_) => Some((Err(silence), None)),
                    Ok(None) => None,
                    Ok(Some(Err(_))) => Some((Err(cut), None)),
                    Ok(Some(Ok(chunk))) => {
                        let seen = seen.saturating_add(chunk.len());
                        if seen > limit {
                            Some((Err(large), None))
                        } else {
                            Some((Ok(chunk), Some((chunks, seen))))
                        }
                    }
                }
            }
        })
        .boxed())
    }

    /// One attempt, with redirects on the same origin followed for a read.
    async fn follow(&self, request: &Request) -> Result<Reply, Failure> {
        let mut url = self.url(request)?;
        for _ in 0..=REDIRECTS {
            let exchange = self.exchange(request, url.clone());
            let reply = match tokio::time::timeout(self.options.timeout, exchange).await {
                Ok(reply) => reply?,
                Err(_) => return Err(Failure::unclear(self.fault_timeout(request))),
            };
            let redirected = matches!(reply.status, 301 | 302 | 303 | 307 | 308);
            let Some(to) = reply
                .header("location")
                .filter(|_| redirected && request.is_read())
            else {
                return Ok(reply);
            };
            let next = reply.url.join(to).map_err(|_| {
                Failure::answered(self.fault_redirect(request, "an address that cannot be read"))
            })?;
            if next.origin() != self.base.origin() {
                return Err(Failure::answered(
                    self.fault_redirect(request, "another host"),
                ));
            }
            self.check_reach(&next).map_err(Failure::not_sent)?;
            url = next;
        }
        Err(Failure::answered(
            self.fault_redirect(request, "one redirect after the other"),
        ))
    }

    /// One request, one answer; the cache answers 304.
    async fn exchange(&self, request: &Request, url: Url) -> Result<Reply, Failure> {
        if let Some(canned) = &self.options.canned {
            return canned(request, &url);
        }
        let conditional = self.options.conditional && request.method == Method::GET;
        let mut response = self.open(request, url.clone(), conditional, None).await?;
        if let Some(answer) = self.challenged(request, &response).await? {
            response = self
                .open(request, url.clone(), conditional, Some(answer))
                .await?;
        }
        if response.status().as_u16() == 401 {
            self.options.credentials.refused();
        }
        if response.status().as_u16() == 304
            && let Some(reply) = self.cache.get(&url)
        {
            return Ok(reply);
        }
        let reply = self.collect(request, response).await?;
        if conditional {
            self.cache.put(&url, &reply);
        }
        Ok(reply)
    }

    /// What to send once more with, where a read was refused with a challenge that can be answered.
    async fn challenged(
        &self,
        request: &Request,
        response: &Response,
    ) -> Result<Option<Credential>, Failure> {
        let asked = response
            .headers()
            .get(reqwest::header::WWW_AUTHENTICATE)
            .and_then(|v| v.to_str().ok())
            .filter(|_| response.status().as_u16() == 401 && request.is_read());
        match asked {
            Some(asked) => self
                .options
                .credentials
                .challenged(asked, &self.base)
                .await
                .map_err(Failure::answered),
            None => Ok(None),
        }
    }

    /// Sends; returns when the answer's headers are there and are no refusal for too many requests.
    async fn open(
        &self,
        request: &Request,
        mut url: Url,
        conditional: bool,
        instead: Option<Credential>,
    ) -> Result<Response, Failure> {
        self.admit(request).map_err(Failure::not_sent)?;
        let credentials = match instead {
            Some(credential) => vec![credential],
            None => self
                .options
                .credentials
                .credentials()
                .await
                .map_err(Failure::not_sent)?,
        };
        let cache_headers = if conditional {
            self.cache.conditions(&url)
        } else {
            Vec::new()
        };
        let headers = self.headers(request, &credentials)?;
        for credential in &credentials {
            if let Credential::Query(key, value) = credential {
                url.query_pairs_mut().append_pair(key, value);
            }
        }
        let client = if request.act {
            self.options.clients.acts()
        } else {
            self.options.clients.reads()
        }
        .map_err(|why| Failure::not_sent(self.fault(request, FaultKind::Config, &why, "")))?;
        let mut builder = client.request(request.method.clone(), url).headers(headers);
        for (name, value) in cache_headers {
            builder = builder.header(name, value);
        }
        builder = match &request.body {
            Payload::Empty => builder,
            Payload::Json(value) => builder.json(value),
            Payload::Form(fields) => builder.form(fields),
        };
        let response = builder
            .send()
            .await
            .map_err(|e| self.failure(request, &e))?;
        self.heed(request, &response)?;
        Ok(response)
    }

    /// Is the connection asleep, or our own limit reached?
    fn admit(&self, request: &Request) -> Result<(), Fault> {
        let now = self.options.clock.now().real;
        if let Some(at) = self.quiet.until(now) {
            return Err(self.fault_asleep(request, at));
        }
        if !request.act
            && let Err(at) = self.quiet.admit(&self.options.rate, now)
        {
            return Err(self.fault_own_limit(request, at));
        }
        Ok(())
    }

    /// Takes note of what the answer's headers ask for.
    fn heed(&self, request: &Request, response: &Response) -> Result<(), Failure> {
        let status = response.status().as_u16();
        let now = self.options.clock.now().real;
        match asked_quiet(status, response.headers(), &self.options.rate, now) {
            Some((at, refused)) => {
                self.quiet.sleep_until(at);
                if refused {
                    let fault = self.fault_limited(request, status, at);
                    // An overloaded vendor may have begun what was asked of it; a limiter refuses before that.
                    Err(if status == 503 {
                        Failure::unclear(fault)
                    } else {
                        Failure::answered(fault)
                    })
                } else {
                    Ok(())
                }
            }
            None => Ok(()),
        }
    }

    /// The whole body, up to the limit.
    async fn collect(&self, request: &Request, response: Response) -> Result<Reply, Failure> {
        let (status, headers, url) = (
            response.status().as_u16(),
            response.headers().clone(),
            response.url().clone(),
        );
        let limit = self.options.max_body;
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Failure::unclear(self.fault_cut(request)))?;
            if body.len().saturating_add(chunk.len()) > limit {
                return Err(Failure::unclear(self.fault_large(request)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status,
            headers,
            body: body.freeze(),
            url,
        })
    }

    /// The request's headers, with what authenticates marked as sensitive.
    fn headers(&self, request: &Request, credentials: &[Credential]) -> Result<HeaderMap, Failure> {
        let mut map = HeaderMap::new();
        map.insert(
            reqwest::header::ACCEPT,
            HeaderValue::from_static("application/json"),
        );
        for (name, value) in self.options.headers.iter().chain(&request.headers) {
            let pair = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .zip(HeaderValue::from_str(value).ok());
            let Some((name, value)) = pair else {
                let what = format!("the header {name:?} cannot be sent");
                return Err(Failure::not_sent(self.fault(
                    request,
                    FaultKind::Config,
                    &what,
                    "look for a line break or a control character in its value",
                )));
            };
            map.insert(name, value);
        }
        for credential in credentials {
            if let Credential::Header(name, value) = credential {
                let mut value = value.clone();
                value.set_sensitive(true);
                map.insert(name.clone(), value);
            }
        }
        Ok(map)
    }

    /// The whole address of a request, on this connection's origin.
    fn url(&self, request: &Request) -> Result<Url, Failure> {
        let refuse = |what: &str| {
            Failure::not_sent(self.fault(request, FaultKind::Config, what, "nothing was sent"))
        };
        let mut url = match &request.target {
            Target::Absolute(text) => self
                .base
                .join(text)
                .map_err(|_| refuse("the next page's address cannot be read"))?,
            Target::Path(path) => {
                let plain = path.is_empty() || path.starts_with('/') && !path.starts_with("//");
                if !plain || path.contains(['?', '#', '\\']) || has_dots(path) {
                    return Err(refuse(
                        "the path holds a segment that would leave its place",
                    ));
                }
                let mut url = self.base.clone();
                let base = self.base.path().trim_end_matches('/');
                if !path.is_empty() {
                    url.set_path(&format!("{base}{path}"));
                }
                url
            }
        };
        if url.origin() != self.base.origin() || !url.username().is_empty() {
            return Err(refuse("the next page lies on another host"));
        }
        self.check_reach(&url).map_err(Failure::not_sent)?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }

    /// For a `[demo]` file: nothing but http on 127.0.0.1 and the ports that this program opened.
    fn check_reach(&self, url: &Url) -> Result<(), Fault> {
        let Some(ports) = &self.options.loopback else {
            return Ok(());
        };
        let here = url.scheme() == "http" && url.host_str() == Some("127.0.0.1");
        let open = url
            .port_or_known_default()
            .is_some_and(|p| ports.contains(&p));
        if here && open {
            return Ok(());
        }
        Err(Fault::new(
            FaultKind::Refused,
            format!(
                "{}: a [demo] file reaches nothing but the embedded world",
                self.options.name
            ),
            "write url = \"demo:NAME\", or take [demo] out of the file",
        ))
    }
}

/// A `.` or `..` segment, in whatever encoding.
fn has_dots(path: &str) -> bool {
    path.split('/').any(|segment| {
        let plain = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
        plain == "." || plain == ".."
    })
}

/// A lost connection or a gateway's 502, 503, 504.
fn worth_another(outcome: &Result<Reply, Failure>) -> bool {
    match outcome {
        Ok(reply) => matches!(reply.status, 502..=504),
        Err(failure) => failure.fault.kind == FaultKind::Unreachable,
    }
}

#[cfg(test)]
mod tests;
