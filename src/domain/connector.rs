//! The connector format: what differs between vendors, as data. One file in `assets/connectors/` or in the user's directory is
//! one [`ConnectorSpec`]; unknown keys are errors. CONNECTORS in the documentation explains it with an example.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::act::{Danger, Verb};
use super::record::RecordKind;

/// Seconds after which an absent mark means that the act did not happen, where the connector does not say.
pub const SETTLES: u64 = 30;

/// The format's version that this program reads.
pub const FORMAT: u32 = 1;

/// One connector file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectorSpec {
    /// Version of the format: 1.
    pub format: u32,
    /// Unique; a user's file with the same id replaces ours.
    pub id: String,
    /// The vendor's name, as faults show it.
    pub name: String,
    /// Which protocol.
    pub driver: DriverKind,
    /// Where the vendor describes what this file uses.
    #[serde(default)]
    pub docs: Option<String>,
    /// What this file was checked against.
    #[serde(default)]
    pub verified: Verified,
    /// What a connection in cockpit.toml must or may give.
    #[serde(default)]
    pub settings: BTreeMap<String, SettingSpec>,
    /// How requests are authenticated.
    #[serde(default)]
    pub auth: AuthSpec,
    /// What holds for every request.
    #[serde(default)]
    pub http: HttpSpec,
    /// How `cockpit check` asks whether it works.
    #[serde(default)]
    pub health: Option<HealthSpec>,
    /// Reads by name.
    #[serde(default)]
    pub read: BTreeMap<String, ReadSpec>,
    /// Actions by name.
    #[serde(default)]
    pub action: BTreeMap<String, ActionSpec>,
    /// At least one per read and action.
    #[serde(default)]
    pub test: Vec<TestSpec>,
}

/// The protocol of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// HTTP as this file describes it.
    Http,
    /// The Prometheus query API.
    Prometheus,
    /// A local clone.
    Git,
    /// Any program.
    Command,
    /// An .ics file or address.
    Calendar,
    /// The Kubernetes API: Argo Rollouts and Deployments.
    Kubernetes,
}

/// What a file was checked against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// The vendor's documentation.
    #[default]
    Docs,
    /// The vendor's own API description.
    Contract,
    /// The running system.
    Live,
}

/// What one setting takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SettingSpec {
    /// Taken where the connection gives none.
    pub default: Option<Value>,
    /// Must be given.
    pub required: bool,
    /// Given as a reference only.
    pub secret: bool,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// What to write there.
    pub help: Option<String>,
}

/// What a setting's value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// A word.
    #[default]
    Text,
    /// An http(s) address, `demo:NAME` in a `[demo]` file, or a secret reference to one.
    Url,
    /// A number.
    Number,
    /// true or false.
    Flag,
    /// Several words.
    List,
    /// A file or folder.
    Path,
}

/// How requests are authenticated. Each part whose secret is given is applied; one whose optional secret is left out is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSpec {
    /// Nothing: says so in the file.
    pub none: Option<NoAuth>,
    /// `Authorization: Bearer …`.
    pub bearer: Option<BearerAuth>,
    /// User and password.
    pub basic: Option<BasicAuth>,
    /// Any header.
    pub header: Option<NamedAuth>,
    /// A query parameter.
    pub query: Option<NamedAuth>,
    /// OAuth 2 client credentials.
    pub client_credentials: Option<ClientCredentials>,
    /// OAuth 2 refresh token.
    pub refresh_token: Option<RefreshToken>,
    /// A service account's key file, as Google gives it out.
    pub google_service_account: Option<GoogleServiceAccount>,
    /// A token that a 401 asks for, as container registries do.
    pub challenge: Option<ChallengeAuth>,
}

/// No authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoAuth {}

/// `Authorization: Bearer …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerAuth {
    /// Template of the token.
    pub token: String,
}

/// HTTP basic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// Template of the user.
    pub user: String,
    /// Template of the password.
    pub password: String,
}

/// A header or a query parameter that authenticates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedAuth {
    /// Its name.
    pub name: String,
    /// Template of its value.
    pub value: String,
}

/// OAuth 2 client credentials: a token is fetched when first needed and again before it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// Template of the token's address.
    pub token_url: String,
    /// Template of the client's id.
    pub client_id: String,
    /// Template of its secret.
    pub client_secret: String,
    /// Asked for.
    #[serde(default)]
    pub scope: Option<String>,
    /// Asked for.
    #[serde(default)]
    pub audience: Option<String>,
}

/// OAuth 2 refresh token: a token is fetched with it when first needed and again before it expires. Used where nothing given before it
/// authenticates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshToken {
    /// Template of the token's address.
    pub token_url: String,
    /// Template of the client's id.
    pub client_id: String,
    /// Template of its secret.
    pub client_secret: String,
    /// Template of the refresh token.
    pub refresh_token: String,
}

/// A service account: a token is fetched for an assertion signed with its key (RFC 7523, RS256). Used where nothing given before it
/// authenticates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoogleServiceAccount {
    /// Template of the token's address; the one in the key file is not used.
    pub token_url: String,
    /// Template of the key file's text (JSON with `client_email` and `private_key`).
    pub key: String,
    /// Asked for.
    pub scope: String,
    /// Template of the person it stands in for, where an administrator allowed that; empty: itself.
    #[serde(default)]
    pub subject: String,
}

/// A token that a 401 with `WWW-Authenticate: Bearer realm=…,service=…,scope=…` asks for (the distribution specification's token
/// authentication). It is fetched from the realm, with user and password where they are given, and the read is sent once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeAuth {
    /// Template of the address whose origin may give tokens, where it is not the connection's own; may render to nothing.
    pub token_url: String,
    /// Template of the user; may render to nothing.
    pub user: String,
    /// Template of the password.
    pub password: String,
}

/// What holds for every request of a connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSpec {
    /// Template; requests, page links and redirects stay on its origin.
    pub base_url: String,
    /// Templates.
    pub headers: BTreeMap<String, String>,
    /// For a whole request, such as `15s`.
    pub timeout: String,
    /// Largest answer, such as `8MiB`.
    pub max_body: String,
    /// Ask with ETag and Last-Modified.
    pub conditional: bool,
    /// How the vendor tells of its limits.
    pub rate: RateSpec,
    /// jq over `{status, headers, body}`: a text here is a failure in spite of 2xx.
    pub fail: Option<String>,
}

impl Default for HttpSpec {
    fn default() -> Self {
        Self {
            base_url: "{{ settings.url }}".into(),
            headers: BTreeMap::new(),
            timeout: "15s".into(),
            max_body: "8MiB".into(),
            conditional: false,
            rate: RateSpec::default(),
            fail: None,
        }
    }
}

/// Headers and limits of the call rate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateSpec {
    /// Header that counts the calls left.
    pub remaining: Option<String>,
    /// Header that says when the count starts again.
    pub reset: Option<String>,
    /// Reads per minute that we allow ourselves.
    pub per_minute: Option<u32>,
}

/// `cockpit check`'s question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthSpec {
    /// The request.
    pub request: RequestSpec,
    /// jq over the answer: one sentence.
    #[serde(default)]
    pub says: Option<String>,
}

/// One request, all of it templates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpec {
    /// GET where nothing is said.
    pub method: Option<String>,
    /// Each `{{ }}` is one percent-encoded segment; `{{ x | path }}` keeps its slashes.
    pub path: String,
    /// Empty values are left out; a list repeats its key.
    pub query: BTreeMap<String, OneOrMany>,
    /// Empty values are left out.
    pub headers: BTreeMap<String, String>,
    /// Rendered leaf by leaf; a bare `{{ x }}` keeps x's type.
    pub json: Option<Value>,
    /// `application/x-www-form-urlencoded`; empty values are left out.
    pub form: Option<BTreeMap<String, String>>,
    /// Statuses outside 2xx that are answers too, such as 404 for "not there".
    pub statuses: Vec<u16>,
}

/// One value or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// One read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadSpec {
    /// What it yields.
    pub record: RecordKind,
    /// How often it is worth reading, such as `30s`.
    #[serde(default)]
    pub every: Option<String>,
    /// Arguments it takes.
    #[serde(default)]
    pub args: BTreeMap<String, ArgSpec>,
    /// The request; native drivers have none.
    #[serde(default)]
    pub request: Option<RequestSpec>,
    /// jq: answer → stream of items.
    #[serde(default = "identity")]
    pub items: String,
    /// Further pages.
    #[serde(default)]
    pub paginate: Option<Paginate>,
    /// A second call for each item.
    #[serde(default)]
    pub each: Option<EachSpec>,
    /// One jq per field. Without it the items themselves are the records.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// jq over the list of all items, their second answers beside them: what the records are made of. Where nothing is said, of each
    /// item.
    #[serde(default)]
    pub join: Option<String>,
    /// jq over a page: why it is not all of it; null where it is.
    #[serde(default)]
    pub partial: Option<String>,
    /// A stream on which any event means "read again".
    #[serde(default)]
    pub stream: Option<StreamSpec>,
}

fn identity() -> String {
    ".".into()
}

/// How further pages are asked for. Reaching `max_pages` while there is more makes the answer partial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Paginate {
    /// The `Link` header's `rel="next"`.
    Link {
        /// Most pages read.
        max_pages: u32,
    },
    /// A cursor in the answer, given back as a query parameter, or in the body of a request that has one.
    Cursor {
        /// jq: answer → cursor; null or empty: no more.
        take: String,
        /// The query parameter; of a JSON body the path in it, such as `variables.cursor`.
        param: String,
        /// Most pages read.
        max_pages: u32,
    },
    /// Numbered pages, or an offset when `step` is set.
    Page {
        /// The query parameter.
        param: String,
        /// The first page's number.
        #[serde(default = "one")]
        start: u32,
        /// Added for the next page.
        #[serde(default = "one")]
        step: u32,
        /// Items of a full page: a shorter one is the last.
        size: u32,
        /// Most pages read.
        max_pages: u32,
    },
    /// The next page's address in the answer.
    NextUrl {
        /// jq: answer → address; null or empty: no more.
        take: String,
        /// Most pages read.
        max_pages: u32,
    },
}

fn one() -> u32 {
    1
}

/// A second call for each item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EachSpec {
    /// The key under which its answer joins the item.
    #[serde(rename = "as")]
    pub name: String,
    /// jq over the item: only where it is true.
    #[serde(default)]
    pub when: Option<String>,
    /// Most second calls; items beyond it that would need one are left out and the answer is partial.
    #[serde(default = "twenty")]
    pub limit: usize,
    /// How many at a time.
    #[serde(default = "four")]
    pub concurrency: usize,
    /// The request; knows `item`.
    pub request: RequestSpec,
    /// jq over the answer.
    #[serde(default = "identity")]
    pub take: String,
}

fn twenty() -> usize {
    20
}
fn four() -> usize {
    4
}

/// A stream of changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamSpec {
    /// As in a request.
    pub path: String,
    /// As in a request.
    #[serde(default)]
    pub query: BTreeMap<String, OneOrMany>,
    /// The content type asked for.
    #[serde(default = "event_stream")]
    pub accept: String,
}

fn event_stream() -> String {
    "text/event-stream".into()
}

/// One argument of a read or an action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArgSpec {
    /// What to give.
    pub help: Option<String>,
    /// Taken where none is given; without one the argument is required. `{{ args.NAME }}` takes another argument's value,
    /// `{{ settings.NAME }}` the connection's setting; where that is empty, the argument is required.
    pub default: Option<Value>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// What it does, in the field's words.
    pub verb: Verb,
    /// The effect in one sentence, a template.
    pub summary: String,
    /// How much harm it can do.
    pub danger: Danger,
    /// Arguments it takes.
    #[serde(default)]
    pub args: BTreeMap<String, ArgSpec>,
    /// May it be sent twice without harm?
    #[serde(default)]
    pub idempotent: bool,
    /// jq over `{status, headers, body}`: a text here means that it did not happen.
    #[serde(default)]
    pub fail: Option<String>,
    /// Earlier calls; their answers are `steps.NAME`.
    #[serde(default)]
    pub steps: Vec<StepSpec>,
    /// The request that acts.
    #[serde(default)]
    pub request: Option<RequestSpec>,
    /// How the mark is looked up.
    #[serde(default)]
    pub find: Option<FindSpec>,
    /// jq over the answer, to the journal; `$headers` holds its headers.
    #[serde(default)]
    pub receipt: BTreeMap<String, String>,
}

/// A call before the one that acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// Its name under `steps`.
    #[serde(rename = "as")]
    pub name: String,
    /// The request.
    pub request: RequestSpec,
    /// jq over the answer.
    #[serde(default = "identity")]
    pub take: String,
    /// jq over what was taken: repeated until it is true.
    #[serde(default)]
    pub until: Option<String>,
    /// Pause between repetitions, such as `2s`.
    #[serde(default)]
    pub every: Option<String>,
    /// Most repetitions.
    #[serde(default)]
    pub max: Option<u32>,
}

/// How an act's mark is looked up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindSpec {
    /// The request.
    pub request: RequestSpec,
    /// jq over the answer, with `$intent`: what carries the mark; null or nothing: it is not there.
    pub take: String,
    /// jq over what was found; the action's own receipt where nothing is said.
    #[serde(default)]
    pub receipt: BTreeMap<String, String>,
    /// After this time an absent mark means that the act did not happen, such as `10m` where the vendor queues; `never` where absence
    /// proves nothing. [`SETTLES`] seconds where nothing is said.
    #[serde(default)]
    pub settles: Option<String>,
    /// Looked at first: where the mark is before it comes here, such as a queue.
    #[serde(default)]
    pub before: Option<Box<FindSpec>>,
}

impl FindSpec {
    /// Seconds after which an absent mark means that the act did not happen; `None`: absence proves nothing.
    ///
    /// # Errors
    /// Why it is no span.
    pub fn settled(&self) -> Result<Option<u64>, String> {
        match self.settles.as_deref() {
            None => Ok(Some(SETTLES)),
            Some("never") => Ok(None),
            Some(text) => super::time::parse_duration(text)
                .map(|span| Some(u64::try_from(span.num_seconds()).unwrap_or(0))),
        }
    }
}

/// A test row, run without any network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestSpec {
    /// The read it tests.
    pub read: Option<String>,
    /// The action it tests.
    pub action: Option<String>,
    /// The health question.
    pub health: bool,
    /// Settings; secrets get a dummy.
    pub settings: BTreeMap<String, Value>,
    /// Arguments.
    pub args: BTreeMap<String, Value>,
    /// What the vendor answers.
    pub answers: Vec<TestAnswer>,
    /// For each record, in order, the fields that must be so; the number of records too.
    pub expect: Option<Vec<Value>>,
    /// The request that an action must send: `method`, `path`, `json`, `form`.
    pub sends: Option<Value>,
    /// What an action must come to: confirmed, refused or unknown.
    pub outcome: Option<String>,
    /// The action is not performed: its mark is looked up, and must be found, or not.
    pub finds: Option<bool>,
    /// The receipt's fields that must be so.
    pub receipt: Option<Value>,
    /// A fault's kind that must come, such as `bad_shape`.
    pub fault: Option<String>,
}

/// One canned answer of a test row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestAnswer {
    /// GET where nothing is said.
    #[serde(default)]
    pub method: Option<String>,
    /// The rendered path without query.
    pub path: String,
    /// Query parameters that must be there.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// 200 where nothing is said.
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// JSON itself, or the name of a file beside the connector (`fixtures/…`).
    #[serde(default)]
    pub body: Option<Value>,
}
