//! What authenticates a connection's requests, as its connector file says.

use std::sync::Arc;

use base64::Engine as _;
use chrono::Duration;
use futures::future::BoxFuture;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::secrets::Secrets;
use super::template::{Template, Values};
use super::transport::{Credential, Credentials, Options, Payload, Request, Target, Transport};
use crate::domain::observe::{Fault, FaultKind};
use crate::domain::time::Instant;

/// One way of authenticating, compiled.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// `Authorization: Bearer …`.
    Bearer(Template),
    /// User and password.
    Basic(Template, Template),
    /// A header.
    Header(String, Template),
    /// A query parameter.
    Query(String, Template),
    /// OAuth 2 client credentials: address, id, secret, scope, audience.
    Client {
        /// Address of the token.
        token_url: Template,
        /// Client id.
        id: Template,
        /// Client secret.
        secret: Template,
        /// Scope asked for.
        scope: Option<String>,
        /// Audience asked for.
        audience: Option<String>,
    },
    /// A token that a 401 asks for; sends nothing by itself.
    Challenge {
        /// Address whose origin may give tokens beside the connection's own.
        token_url: Template,
        /// User, or nothing.
        user: Template,
        /// Password.
        password: Template,
    },
}

impl Scheme {
    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Bearer(t) | Self::Header(_, t) | Self::Query(_, t) => vec![t],
            Self::Basic(user, password) => vec![user, password],
            Self::Client {
                token_url,
                id,
                secret,
                ..
            } => vec![token_url, id, secret],
            Self::Challenge {
                token_url,
                user,
                password,
            } => vec![token_url, user, password],
        }
    }

    /// All of its secrets are given.
    fn applies(&self, secrets: &Secrets) -> bool {
        self.templates()
            .iter()
            .flat_map(|t| t.names("secret"))
            .all(|name| secrets.has(name))
    }
}

/// A connection's credentials.
pub struct Keys {
    schemes: Vec<Scheme>,
    settings: Value,
    secrets: Arc<Secrets>,
    /// For the token request, without credentials of its own.
    options: Options,
    token: Mutex<Option<(String, Instant)>>,
}

impl Keys {
    /// Keys by `schemes`; `options` are those of the connection (its credentials are not used).
    #[must_use]
    pub fn new(
        schemes: Vec<Scheme>,
        settings: Value,
        secrets: Arc<Secrets>,
        options: Options,
    ) -> Self {
        Self {
            schemes,
            settings,
            secrets,
            options,
            token: Mutex::default(),
        }
    }

    fn config(&self, why: &str) -> Fault {
        let fault = Fault::new(
            FaultKind::Config,
            format!("{}: {why}", self.options.name),
            "mend the reference in this connection's settings",
        );
        self.options.redactor.fault(fault)
    }

    async fn render(&self, template: &Template) -> Result<String, Fault> {
        let values = secret_values(&self.secrets, &self.settings, &[template])
            .await
            .map_err(|why| self.config(&why))?;
        template.render(&values).map_err(|why| self.config(&why))
    }

    fn header(&self, name: &str, value: &str) -> Result<Credential, Fault> {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| self.config(&format!("{name:?} is not a header's name")))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| self.config("the secret holds a line break or a control character"))?;
        Ok(Credential::Header(name, value))
    }

    async fn apply(&self, scheme: &Scheme) -> Result<Credential, Fault> {
        let auth = AUTHORIZATION.as_str();
        match scheme {
            Scheme::Bearer(t) => self.header(auth, &format!("Bearer {}", self.render(t).await?)),
            Scheme::Basic(user, password) => self.basic(user, password).await,
            Scheme::Header(name, t) => self.header(name, &self.render(t).await?),
            Scheme::Query(name, t) => Ok(Credential::Query(name.clone(), self.render(t).await?)),
            Scheme::Client { .. } => {
                let token = self.token(scheme).await?;
                self.header(auth, &format!("Bearer {token}"))
            }
            Scheme::Challenge { .. } => Err(self.config("a challenge comes from the vendor")),
        }
    }

    async fn basic(&self, user: &Template, password: &Template) -> Result<Credential, Fault> {
        let pair = format!(
            "{}:{}",
            self.render(user).await?,
            self.render(password).await?
        );
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        self.options.redactor.learn(&encoded);
        self.header(AUTHORIZATION.as_str(), &format!("Basic {encoded}"))
    }

    /// The token that a challenge asks for: from the realm it names, where that lies on `base`'s origin or on the one that the
    /// settings name. Credentials go nowhere else.
    async fn answer(&self, challenge: &Challenge, base: &Url) -> Result<Credential, Fault> {
        let own = self.schemes.iter().find_map(|s| match s {
            Scheme::Challenge {
                token_url,
                user,
                password,
            } => Some((token_url, user, password)),
            _ => None,
        });
        let Some((token_url, user, password)) = own else {
            return Err(self.config("this connector answers no challenge"));
        };
        let realm: Url = challenge
            .realm
            .parse()
            .map_err(|_| self.config("the vendor asks for a token at what is no address"))?;
        let named = self.render(token_url).await?;
        let named: Option<Url> = named.parse().ok();
        let known = realm.origin() == base.origin()
            || named.is_some_and(|url| url.origin() == realm.origin());
        if !known {
            let origin = realm.origin().ascii_serialization();
            let fault = Fault::new(
                FaultKind::Unauthorized,
                format!(
                    "{}: it wants a token from {origin}, which this connection does not name",
                    self.options.name
                ),
                format!(
                    "write token_url = \"{origin}\" in this connection, if that is where its tokens come from"
                ),
            );
            return Err(self.options.redactor.fault(fault));
        }
        let mut request = Request {
            template: "(token)".into(),
            ..Request::get("")
        };
        for (key, value) in [("service", &challenge.service), ("scope", &challenge.scope)] {
            if let Some(value) = value {
                request = request.with_query(key, value);
            }
        }
        let with_password = password.names("secret").all(|name| self.secrets.has(name));
        if with_password
            && !self.render(user).await?.is_empty()
            && let Credential::Header(name, value) = self.basic(user, password).await?
            && let Ok(value) = value.to_str()
        {
            request
                .headers
                .push((name.as_str().to_owned(), value.to_owned()));
        }
        let transport = Transport::new(realm, self.options.clone())?;
        let reply = transport.fetch(&request).await?;
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let token = ["token", "access_token"]
            .iter()
            .find_map(|key| body.get(*key).and_then(Value::as_str));
        let Some(token) = token else {
            let what = "the answer holds no token";
            return Err(transport.fault(&request, FaultKind::BadShape, what, "check token_url"));
        };
        self.options.redactor.learn(token);
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// The kept token, or a new one from half a minute before the old one's end.
    async fn token(&self, scheme: &Scheme) -> Result<String, Fault> {
        let mut kept = self.token.lock().await;
        let now = self.options.clock.now().real;
        if let Some((token, until)) = kept.as_ref()
            && now < *until
        {
            return Ok(token.clone());
        }
        let (token, lasts) = self.fetch_token(scheme).await?;
        self.options.redactor.learn(&token);
        let margin = Duration::seconds(30).min(lasts / 2);
        *kept = Some((token.clone(), now + lasts - margin));
        Ok(token)
    }

    async fn fetch_token(&self, scheme: &Scheme) -> Result<(String, Duration), Fault> {
        let Scheme::Client {
            token_url,
            id,
            secret,
            scope,
            audience,
        } = scheme
        else {
            return Err(self.config("no token is asked for"));
        };
        let url = self.render(token_url).await?;
        let url = url
            .parse()
            .map_err(|_| self.config("token_url is not an address"))?;
        let transport = Transport::new(url, self.options.clone())?;
        let mut form = vec![
            ("grant_type".to_owned(), "client_credentials".to_owned()),
            ("client_id".to_owned(), self.render(id).await?),
            ("client_secret".to_owned(), self.render(secret).await?),
        ];
        form.extend(scope.iter().map(|s| ("scope".to_owned(), s.clone())));
        form.extend(audience.iter().map(|a| ("audience".to_owned(), a.clone())));
        let request = Request {
            method: Method::POST,
            target: Target::Path(String::new()),
            template: "(token)".into(),
            body: Payload::Form(form),
            // Asking for a token twice does no harm.
            idempotent: true,
            ..Request::get("")
        };
        let reply = transport.fetch(&request).await?;
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let Some(token) = body.get("access_token").and_then(Value::as_str) else {
            let what = "the answer holds no access_token";
            return Err(transport.fault(&request, FaultKind::BadShape, what, "check token_url"));
        };
        let lasts = body
            .get("expires_in")
            .and_then(Value::as_i64)
            .unwrap_or(300);
        Ok((token.to_owned(), Duration::seconds(lasts.clamp(10, 86_400))))
    }
}

impl Credentials for Keys {
    fn credentials(&self) -> BoxFuture<'_, Result<Vec<Credential>, Fault>> {
        Box::pin(async {
            let mut out = Vec::new();
            for scheme in &self.schemes {
                let sent = !matches!(scheme, Scheme::Challenge { .. });
                if sent && scheme.applies(&self.secrets) {
                    out.push(self.apply(scheme).await?);
                }
            }
            Ok(out)
        })
    }

    fn challenged<'a>(
        &'a self,
        asked: &'a str,
        base: &'a Url,
    ) -> BoxFuture<'a, Result<Option<Credential>, Fault>> {
        Box::pin(async move {
            let answers = self
                .schemes
                .iter()
                .any(|s| matches!(s, Scheme::Challenge { .. }));
            match Challenge::parse(asked).filter(|_| answers) {
                Some(challenge) => self.answer(&challenge, base).await.map(Some),
                None => Ok(None),
            }
        })
    }

    fn refused(&self) {
        self.secrets.forget();
        if let Ok(mut token) = self.token.try_lock() {
            *token = None;
        }
    }
}

/// What a 401 asks for in `WWW-Authenticate`, when it asks for a bearer token.
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    fn parse(header: &str) -> Option<Self> {
        let bearer = http_auth::ChallengeParser::new(header)
            .filter_map(Result::ok)
            .find(|c| c.scheme.eq_ignore_ascii_case("bearer"))?;
        let value = |name: &str| {
            let mut all = bearer.params.iter();
            let (_, value) = all.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(value.to_unescaped())
        };
        Some(Self {
            realm: value("realm")?,
            service: value("service"),
            scope: value("scope"),
        })
    }
}

/// Settings and the secrets that these templates use.
///
/// # Errors
/// Why a secret cannot be had.
pub async fn secret_values(
    secrets: &Secrets,
    settings: &Value,
    templates: &[&Template],
) -> Result<Values, String> {
    let mut map = serde_json::Map::new();
    for name in templates.iter().flat_map(|t| t.names("secret")) {
        if let Some(value) = secrets.get(name).await? {
            map.insert(
                name.to_owned(),
                Value::String(value.expose_secret().to_owned()),
            );
        }
    }
    Ok(Values::default()
        .with("settings", settings.clone())
        .with("secret", Value::Object(map)))
}
