//! What a driver is built from: a connection's checked settings, its secrets, and the way to its vendor.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::auth::{Keys, Scheme, secret_values};
use super::secrets::Secrets;
use super::template::{Names, Place, Template, did_you_mean};
use super::transport::{Canned, Clients, Options, RateRules, Redactor, Transport};
use crate::domain::connector::{AuthSpec, ConnectorSpec, SettingKind, SettingSpec};
use crate::domain::diag::Diag;
use crate::domain::observe::{Fault, FaultKind};
use crate::domain::policy::{Connection, Setting};
use crate::domain::secret::SecretRef;
use crate::domain::time::{Clock, parse_duration};

/// What all connections of one file share.
#[derive(Clone)]
pub struct Shared {
    /// cockpit.toml as the person named it, for diagnostics.
    pub file: String,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Knows every secret of this file.
    pub redactor: Arc<Redactor>,
    /// The HTTP clients.
    pub clients: Arc<Clients>,
    /// `Some`: a `[demo]` file; names of the embedded world's vendors.
    pub endpoints: Option<Arc<BTreeMap<String, SocketAddr>>>,
    /// Answers in place of the vendors, for a connector's test rows; no secret is looked up then.
    pub canned: Option<Canned>,
    /// The zone that people here live in.
    pub zone: chrono_tz::Tz,
}

/// What one driver is built from.
pub struct DriverContext {
    /// What it shares with the others.
    pub shared: Shared,
    /// Settings, defaults taken, addresses resolved, without secrets: an object.
    pub settings: Value,
    /// Secrets by setting name, looked up when first needed.
    pub secrets: Arc<Secrets>,
}

impl DriverContext {
    /// Checks a connection's settings against its connector's.
    ///
    /// # Errors
    /// One diagnostic for each setting that is unknown, missing, of the wrong kind, or a secret written out.
    pub fn new(
        connection: &Connection,
        spec: &ConnectorSpec,
        shared: &Shared,
    ) -> Result<Self, Vec<Diag>> {
        let mut check = Check {
            connection,
            spec,
            shared,
            diags: Vec::new(),
        };
        let (mut settings, mut refs) = (serde_json::Map::new(), BTreeMap::new());
        for (name, setting) in &connection.settings {
            check.one(name, setting, &mut settings, &mut refs);
        }
        for (name, known) in &spec.settings {
            check.absent(name, known, &mut settings);
        }
        if !check.diags.is_empty() {
            return Err(check.diags);
        }
        let dummy = shared.endpoints.is_some() || shared.canned.is_some();
        let secrets = Secrets::new(refs, dummy, shared.redactor.clone());
        Ok(Self {
            shared: shared.clone(),
            settings: Value::Object(settings),
            secrets: Arc::new(secrets),
        })
    }

    /// A setting's text; `None` where it is not given or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.settings
            .get(name)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
    }

    /// A diagnostic that names this connection.
    #[must_use]
    pub fn diag(&self, connection: &Connection, setting: &str, message: impl Into<String>) -> Diag {
        diag(&self.shared, connection, setting, message)
    }

    /// The way to the vendor, by the connector's `[http]` and `[auth]`.
    ///
    /// # Errors
    /// An address, a time, a size or a template that cannot be used.
    pub fn line(&self, connection: &Connection, spec: &ConnectorSpec) -> Result<Line, Diag> {
        let bad = |message: String| Diag::error(format!("connector {}", spec.id), message);
        let names = names_of(spec);
        let base = Template::parse(&spec.http.base_url, Place::Auth, &names)
            .map_err(|e| bad(format!("http.base_url: {}", e.message)))?;
        let schemes =
            schemes(&spec.auth, &names).map_err(|(key, e)| bad(format!("{key}: {}", e.message)))?;
        let mut options = self.options(connection, spec)?;
        let values = super::template::Values::default().with("settings", self.settings.clone());
        let keys = Keys::new(
            schemes,
            self.settings.clone(),
            self.secrets.clone(),
            options.clone(),
        );
        options.credentials = Arc::new(keys);
        let line = Line {
            base,
            settings: self.settings.clone(),
            secrets: self.secrets.clone(),
            options,
            transport: OnceCell::new(),
        };
        if !line.is_secret() {
            let transport = line
                .open(&values)
                .map_err(|fault| self.diag(connection, "url", fault.to_string()))?;
            let _ = line.transport.set(Arc::new(transport));
        }
        Ok(line)
    }

    /// How requests are made, by the connector's `[http]`; without authentication.
    ///
    /// # Errors
    /// A time, a size or a template that cannot be used.
    pub fn options(&self, connection: &Connection, spec: &ConnectorSpec) -> Result<Options, Diag> {
        let bad = |message: String| Diag::error(format!("connector {}", spec.id), message);
        let names = names_of(spec);
        let mut options = Options::new(
            format!("{} ({})", spec.name, connection.name),
            self.shared.clock.clone(),
        );
        options.timeout =
            seconds(&spec.http.timeout).map_err(|e| bad(format!("http.timeout: {e}")))?;
        options.max_body =
            bytes(&spec.http.max_body).map_err(|e| bad(format!("http.max_body: {e}")))?;
        options.conditional = spec.http.conditional;
        options.rate = RateRules {
            remaining: spec.http.rate.remaining.clone(),
            reset: spec.http.rate.reset.clone(),
            per_minute: spec.http.rate.per_minute,
        };
        options.redactor = self.shared.redactor.clone();
        options.clients = self.shared.clients.clone();
        options.canned = self.shared.canned.clone();
        options.loopback = self.shared.endpoints.as_ref().map(|list| {
            Arc::new(
                list.values()
                    .map(SocketAddr::port)
                    .collect::<HashSet<u16>>(),
            )
        });
        let values = super::template::Values::default().with("settings", self.settings.clone());
        for (name, text) in &spec.http.headers {
            let header = Template::parse(text, Place::Text, &names)
                .and_then(|t| {
                    t.render(&values)
                        .map_err(|message| super::template::TemplateError { message, at: 0..0 })
                })
                .map_err(|e| bad(format!("http.headers.{name}: {}", e.message)))?;
            if !header.is_empty() {
                options.headers.push((name.clone(), header));
            }
        }
        Ok(options)
    }
}

/// A connection's way to its vendor. Where the address itself is a secret, it is looked up when first needed.
pub struct Line {
    base: Template,
    settings: Value,
    secrets: Arc<Secrets>,
    options: Options,
    transport: OnceCell<Arc<Transport>>,
}

impl Line {
    /// The vendor and connection as faults name them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The transport.
    ///
    /// # Errors
    /// A `Config` fault, when a secret address cannot be had or used.
    pub async fn transport(&self) -> Result<Arc<Transport>, Fault> {
        self.transport
            .get_or_try_init(|| async {
                let mut values = secret_values(&self.secrets, &self.settings, &[&self.base])
                    .await
                    .map_err(|why| self.config(&why))?;
                let mut settings = self.settings.clone();
                for name in self.base.names("settings") {
                    let secret = self
                        .secrets
                        .get(name)
                        .await
                        .map_err(|why| self.config(&why))?;
                    if let (Some(secret), Some(map)) = (secret, settings.as_object_mut()) {
                        use secrecy::ExposeSecret;
                        map.insert(
                            name.to_owned(),
                            Value::String(secret.expose_secret().to_owned()),
                        );
                    }
                }
                values = values.with("settings", settings);
                self.open(&values).map(Arc::new)
            })
            .await
            .cloned()
    }

    fn is_secret(&self) -> bool {
        self.base.uses("secret") || self.base.names("settings").any(|n| self.secrets.has(n))
    }

    fn open(&self, values: &super::template::Values) -> Result<Transport, Fault> {
        let text = self.base.render(values).map_err(|why| self.config(&why))?;
        let url: Url = text
            .parse()
            .map_err(|e| self.config(&format!("the url cannot be read ({e})")))?;
        Transport::new(url, self.options.clone()).map_err(|f| self.options.redactor.fault(f))
    }

    fn config(&self, why: &str) -> Fault {
        let fault = Fault::new(
            FaultKind::Config,
            format!("{}: {why}", self.options.name),
            "mend this connection's settings",
        );
        self.options.redactor.fault(fault)
    }
}

struct Check<'a> {
    connection: &'a Connection,
    spec: &'a ConnectorSpec,
    shared: &'a Shared,
    diags: Vec<Diag>,
}

impl Check<'_> {
    fn refuse(&mut self, setting: &str, message: String, help: Option<String>) {
        let mut found = diag(self.shared, self.connection, setting, message);
        found.help = help;
        self.diags.push(found);
    }

    fn one(
        &mut self,
        name: &str,
        setting: &Setting,
        settings: &mut serde_json::Map<String, Value>,
        refs: &mut BTreeMap<String, SecretRef>,
    ) {
        let Some(known) = self.spec.settings.get(name) else {
            let near = did_you_mean(name, self.spec.settings.keys().map(String::as_str));
            let help = near.trim_start_matches("; ").to_owned();
            return self.refuse(
                name,
                format!("{} has no setting {name}", self.spec.id),
                (!help.is_empty()).then_some(help),
            );
        };
        match setting {
            Setting::Secret(reference) if known.secret || known.kind == SettingKind::Url => {
                refs.insert(name.to_owned(), reference.clone());
            }
            Setting::Secret(_) => {
                self.refuse(name, format!("{name} is no secret: write its value"), None)
            }
            _ if known.secret => self.refuse(
                name,
                format!("{name} is a secret and is never written out"),
                Some("write a reference: env:NAME, file:PATH or command:PROGRAM ARG …".into()),
            ),
            plain => match self.value(known, plain) {
                Ok(value) => {
                    settings.insert(name.to_owned(), value);
                }
                Err(why) => self.refuse(name, why, known.help.clone()),
            },
        }
    }

    fn absent(
        &mut self,
        name: &str,
        known: &SettingSpec,
        settings: &mut serde_json::Map<String, Value>,
    ) {
        if self.connection.settings.contains_key(name) {
            return;
        }
        match &known.default {
            Some(value) => {
                settings.insert(name.to_owned(), value.clone());
            }
            None if known.required => {
                let help = known.help.clone().or_else(|| {
                    known
                        .secret
                        .then(|| format!("for example {name} = \"env:NAME\""))
                });
                self.refuse(name, format!("{} needs {name}", self.spec.id), help);
            }
            None => {}
        }
    }

    fn value(&self, known: &SettingSpec, setting: &Setting) -> Result<Value, String> {
        match (known.kind, setting) {
            (SettingKind::Url, Setting::Text(text)) => self.url(text).map(Value::String),
            (SettingKind::Text | SettingKind::Path, Setting::Text(text)) => {
                Ok(Value::String(text.clone()))
            }
            (SettingKind::Text, Setting::Number(n)) | (SettingKind::Number, Setting::Number(n)) => {
                Ok(number(*n))
            }
            (SettingKind::Flag, Setting::Flag(flag)) => Ok(Value::Bool(*flag)),
            (SettingKind::List, Setting::List(items)) => {
                Ok(items.iter().map(String::as_str).collect())
            }
            (SettingKind::List, Setting::Text(one)) => {
                Ok(Value::Array(vec![Value::String(one.clone())]))
            }
            (kind, _) => Err(format!("it takes {}", kind_words(kind))),
        }
    }

    /// `demo:NAME` becomes the embedded vendor's address; anything else stays.
    fn url(&self, text: &str) -> Result<String, String> {
        let Some(name) = text.strip_prefix("demo:") else {
            return Ok(text.to_owned());
        };
        let Some(endpoints) = &self.shared.endpoints else {
            return Err("demo: is for a file with [demo]".into());
        };
        endpoints
            .get(name)
            .map(|addr| format!("http://{addr}"))
            .ok_or_else(|| {
                let near = did_you_mean(name, endpoints.keys().map(String::as_str));
                format!("the embedded world has no {name}{near}")
            })
    }
}

fn number(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 9e15 {
        Value::from(n as i64)
    } else {
        Value::from(n)
    }
}

fn kind_words(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Text => "a word",
        SettingKind::Url => "an address such as https://HOST",
        SettingKind::Number => "a number",
        SettingKind::Flag => "true or false",
        SettingKind::List => "a list of words",
        SettingKind::Path => "a path",
    }
}

fn diag(
    shared: &Shared,
    connection: &Connection,
    setting: &str,
    message: impl Into<String>,
) -> Diag {
    let mut diag = Diag::error(shared.file.clone(), message);
    diag.key = format!("connections.{}.{setting}", connection.name);
    diag
}

/// The names that every template of a connector may use: its settings and secrets.
#[must_use]
pub fn names_of(spec: &ConnectorSpec) -> Names {
    let list = |secret: bool| {
        let names = spec.settings.iter().filter(|(_, s)| s.secret == secret);
        Some(names.map(|(n, _)| n.clone()).collect())
    };
    Names::from([("settings", list(false)), ("secret", list(true))])
}

/// The connector's `[auth]`, parsed.
///
/// # Errors
/// The key and what is wrong with its template.
pub fn schemes(
    auth: &AuthSpec,
    names: &Names,
) -> Result<Vec<Scheme>, (&'static str, super::template::TemplateError)> {
    let parse = |key: &'static str, text: &str| {
        Template::parse(text, Place::Auth, names).map_err(|e| (key, e))
    };
    let mut out = Vec::new();
    if let Some(a) = &auth.bearer {
        out.push(Scheme::Bearer(parse("auth.bearer.token", &a.token)?));
    }
    if let Some(a) = &auth.basic {
        out.push(Scheme::Basic(
            parse("auth.basic.user", &a.user)?,
            parse("auth.basic.password", &a.password)?,
        ));
    }
    if let Some(a) = &auth.header {
        out.push(Scheme::Header(
            a.name.clone(),
            parse("auth.header.value", &a.value)?,
        ));
    }
    if let Some(a) = &auth.query {
        out.push(Scheme::Query(
            a.name.clone(),
            parse("auth.query.value", &a.value)?,
        ));
    }
    if let Some(a) = &auth.client_credentials {
        out.push(Scheme::Client {
            token_url: parse("auth.client_credentials.token_url", &a.token_url)?,
            id: parse("auth.client_credentials.client_id", &a.client_id)?,
            secret: parse("auth.client_credentials.client_secret", &a.client_secret)?,
            scope: a.scope.clone(),
            audience: a.audience.clone(),
        });
    }
    if let Some(a) = &auth.challenge {
        out.push(Scheme::Challenge {
            token_url: parse("auth.challenge.token_url", &a.token_url)?,
            user: parse("auth.challenge.user", &a.user)?,
            password: parse("auth.challenge.password", &a.password)?,
        });
    }
    Ok(out)
}

/// A length of time such as `15s`, more than nothing and at most ten minutes.
///
/// # Errors
/// A sentence.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let length = parse_duration(text)?.to_std().map_err(|e| e.to_string())?;
    if length.is_zero() || length > Duration::from_secs(600) {
        return Err(format!("{text} is not between 1ms and 10m"));
    }
    Ok(length)
}

/// A size such as `8MiB`, at most 256 MiB.
///
/// # Errors
/// A sentence.
pub fn bytes(text: &str) -> Result<usize, String> {
    let trimmed = text.trim();
    let digits = trimmed.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match trimmed.get(digits.len()..).unwrap_or_default().trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        other => return Err(format!("no such unit: {other}; there is B, KiB and MiB")),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .filter(|n| (1..=256 << 20).contains(n))
        .ok_or_else(|| format!("{text} is not a size between 1B and 256MiB"))
}
