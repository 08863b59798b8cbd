//! The file that `cockpit init` writes: commented, with every default in sight, and read without a complaint.

use std::fmt::Write as _;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde_json::Value;

use super::shape::schema_of;
use super::{raw, reference};

/// What a person answered to `cockpit init`.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Title on the screen.
    pub title: String,
    /// The zone people there live in.
    pub timezone: Tz,
    /// Environments in promotion order; `true`: protected.
    pub environments: Vec<(String, bool)>,
    /// Names of services.
    pub services: Vec<String>,
    /// Connections to begin with.
    pub connections: Vec<StarterConnection>,
    /// Which of them answers metrics queries, in Prometheus' language.
    pub metrics: Option<String>,
    /// Which of them shows and moves deployments.
    pub deployments: Option<String>,
}

/// A connection to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StarterConnection {
    /// Its name.
    pub name: String,
    /// Connector id.
    pub connector: String,
    /// Settings; secrets as references.
    pub settings: Vec<(String, String)>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            title: "My product".into(),
            timezone: Tz::UTC,
            environments: vec![("staging".into(), false), ("production".into(), true)],
            services: vec!["my-service".into()],
            connections: Vec::new(),
            metrics: None,
            deployments: None,
        }
    }
}

/// The file's text. It is read by [`super::load`] without an error, given that the connectors exist.
#[must_use]
pub fn starter(answers: &Answers) -> String {
    let mut out = String::new();
    head(&mut out, answers);
    connections(&mut out, answers);
    metrics(&mut out, answers);
    defaults(&mut out, answers);
    services(&mut out, answers);
    calendar(&mut out, answers);
    people(&mut out);
    checklist(&mut out, answers);
    oncall(&mut out);
    notify(&mut out);
    release(&mut out, answers);
    numbers::<raw::people::Risk>(
        &mut out,
        "risk",
        "Points of a release's risk, as shipped: their sum picks the class low, normal or high.",
    );
    numbers::<raw::Limits>(&mut out, "limits", "Numbers of the rules, as shipped.");
    out
}

/// A text as TOML writes it, whatever it holds.
fn quoted(text: &str) -> String {
    let clean: String = text
        .chars()
        .filter(|c| !super::place::hostile(*c))
        .collect();
    toml::Value::String(clean).to_string()
}

/// A key as TOML writes it.
fn key(text: &str) -> String {
    let bare = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { text.to_owned() } else { quoted(text) }
}

/// Appends lines; writing to a text does not fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{ let _ = writeln!($out, $($arg)*); }};
}

fn head(out: &mut String, answers: &Answers) {
    put!(
        out,
        "# What the release cockpit watches and rules by. Every key: docs/configuration.md, or `cockpit schema`."
    );
    put!(
        out,
        "# Nothing is read or run by this file before you looked at what it reaches: `cockpit trust`."
    );
    put!(out, "# Check it with `cockpit check`.\n");
    put!(out, "title = {}", quoted(&answers.title));
    put!(
        out,
        "# Local times of this file are read in this zone, with the offset of their own date."
    );
    put!(out, "timezone = {}\n", quoted(answers.timezone.name()));
    put!(
        out,
        "# Environments in the order of promotion. Protected: acts are confirmed by typing a name, approvals count, the band is loud."
    );
    for (name, protected) in &answers.environments {
        put!(out, "[environments.{}]", key(name));
        put!(out, "protected = {protected}");
    }
    put!(out, "");
}

fn connections(out: &mut String, answers: &Answers) {
    put!(
        out,
        "# Whom to ask: `cockpit connector list` shows the connectors, `cockpit connector show ID` their settings."
    );
    put!(
        out,
        "# A secret is a reference, never the value: env:NAME, file:PATH, command:PROGRAM ARG …"
    );
    for connection in &answers.connections {
        put!(out, "[connections.{}]", key(&connection.name));
        put!(out, "connector = {}", quoted(&connection.connector));
        for (name, value) in &connection.settings {
            put!(out, "{} = {}", key(name), quoted(value));
        }
    }
    if answers.connections.is_empty() {
        put!(out, "# [connections.prom]");
        put!(out, "# connector = \"prometheus\"");
        put!(out, "# url = \"http://prometheus.internal:9090\"");
        put!(
            out,
            "# every = \"30s\"                 # time between reads, where the connector's own does not suit"
        );
    }
    put!(out, "");
}

fn metrics(out: &mut String, answers: &Answers) {
    put!(
        out,
        "# Metrics, once for all services: one query, grouped by the label that names the service."
    );
    let (sign, name) = match &answers.metrics {
        Some(name) => ("", name.as_str()),
        None => ("# ", "prom"),
    };
    put!(out, "{sign}[metrics.error_rate]");
    put!(out, "{sign}connection = {}", quoted(name));
    put!(
        out,
        "{sign}kind = \"ratio\"                  # ratio | quantile | gauge | count"
    );
    put!(
        out,
        "{sign}direction = \"lower-is-better\"   # lower-is-better | higher-is-better"
    );
    put!(
        out,
        "{sign}unit = \"percent\"                # percent | seconds | milliseconds | number"
    );
    put!(out, "{sign}every = \"15s\"");
    put!(
        out,
        "{sign}noise = \"separate\"              # shared: one load balancer before canary and stable"
    );
    put!(
        out,
        "{sign}by = {{ service = \"service\", group = \"track\" }}"
    );
    put!(
        out,
        "{sign}groups = {{ canary = \"canary\", stable = \"stable\" }}   # without them a canary gate may fail, but never pass"
    );
    put!(
        out,
        "{sign}numerator = 'sum by (service, track) (increase(http_requests_total{{code=~\"5..\"}}[$bucket]))'"
    );
    put!(
        out,
        "{sign}denominator = 'sum by (service, track) (increase(http_requests_total[$bucket]))'"
    );
    put!(out, "{sign}[metrics.p95]");
    put!(out, "{sign}title = \"P95\"");
    put!(out, "{sign}connection = {}", quoted(name));
    put!(out, "{sign}kind = \"quantile\"");
    put!(out, "{sign}unit = \"seconds\"");
    put!(
        out,
        "{sign}decides = false                 # may this series decide a gate?"
    );
    put!(
        out,
        "{sign}query = 'histogram_quantile(0.95, sum by (service, le) (rate(http_request_duration_seconds_bucket[$bucket])))'\n"
    );
}

fn defaults(out: &mut String, answers: &Answers) {
    let metrics = if answers.metrics.is_some() { "" } else { "# " };
    put!(out, "# What every service has unless it says otherwise.");
    put!(out, "[defaults]");
    put!(
        out,
        "# Two triggers ship beside your own: 5x the baseline over 1m for 1m on ratios, and a quantile over its SLO for 5m."
    );
    put!(out, "shipped_triggers = true");
    match &answers.deployments {
        Some(name) => put!(out, "deployments = {}", quoted(name)),
        None => put!(
            out,
            "# deployments = \"argo\"          # the connection that shows and moves deployments"
        ),
    }
    put!(
        out,
        "{metrics}slo = {{ error_rate = \"1%\", p95 = \"800ms\" }}"
    );
    put!(
        out,
        "# irreversible = [\"**/migrations/**\"]   # paths whose change is a point of no return"
    );
    put!(
        out,
        "{metrics}[[defaults.gate]]               # a check after a step that must pass to go on"
    );
    put!(
        out,
        "{metrics}after = \"step\"                  # or a share of traffic: \"40%\""
    );
    put!(out, "{metrics}metrics = [\"error_rate\"]");
    put!(out, "{metrics}critical = true");
    put!(
        out,
        "{metrics}tolerance = 1.5                 # largest ratio of new to old that is tolerated"
    );
    put!(
        out,
        "{metrics}[[defaults.trigger]]            # an agreed condition that calls for rollback"
    );
    put!(out, "{metrics}metric = \"error_rate\"");
    put!(
        out,
        "{metrics}above = \"2x baseline\"           # or \"5%\", \"800ms\", \"slo\"; `below` for what should be high"
    );
    put!(
        out,
        "{metrics}for = \"5m\"                      # every look of this time must be breached; `window`: how far each looks back"
    );
    put!(
        out,
        "{metrics}then = \"propose\"                # notify | hold | propose | automatic (a countdown you can cancel)\n"
    );
}

fn services(out: &mut String, answers: &Answers) {
    for name in &answers.services {
        put!(out, "[[service]]");
        put!(out, "name = {}", quoted(name));
        put!(out, "# team = \"shop\"");
        put!(
            out,
            "# depends_on = [\"payments\"]      # deployed after them, rolled back before them"
        );
        put!(out, "# runbook = \"https://wiki.example/runbook\"");
        put!(
            out,
            "# dashboards = [\"https://grafana.example/d/service\"]"
        );
        put!(
            out,
            "# [service.target.production]    # what the connector must know to find it there\n# app = \"shop-prod\""
        );
    }
    put!(out, "");
}

fn calendar(out: &mut String, answers: &Answers) {
    let protected: Vec<String> = answers
        .environments
        .iter()
        .filter(|e| e.1)
        .map(|e| quoted(&e.0))
        .collect();
    put!(
        out,
        "# When deploying is permitted. No window for an environment: open at all times but freezes."
    );
    if !protected.is_empty() {
        put!(out, "[[window]]");
        put!(out, "name = \"working hours\"");
        put!(out, "environments = [{}]", protected.join(", "));
        put!(out, "days = [\"mon\", \"tue\", \"wed\", \"thu\"]");
        put!(out, "from = \"09:30\"");
        put!(out, "to = \"16:00\"");
    }
    put!(out, "# When it is not; a freeze beats every window.");
    put!(out, "# [[freeze]]");
    put!(out, "# name = \"year end\"");
    put!(out, "# start = 2026-12-18");
    put!(
        out,
        "# end = 2027-01-04                # the first day after it"
    );
    put!(
        out,
        "# strength = \"soft\"               # hard: an override needs a second person"
    );
    put!(
        out,
        "# rollback = \"allowed\"            # override: rolling back needs one, too"
    );
    put!(out, "# except = [\"security\", \"hotfix\"]");
    put!(out, "# override_by = [\"release-manager\"]");
    put!(out, "# owner = \"finance\"");
    put!(
        out,
        "# [[calendar]]                    # an .ics file or address, and what its entries become"
    );
    put!(out, "# connection = \"company\"");
    put!(
        out,
        "# rules = [{{ summary = \"*freeze*\", becomes = \"freeze\" }}]\n"
    );
}

fn people(out: &mut String) {
    put!(
        out,
        "# People by the name used here, and who may approve. Never the author, never the driver."
    );
    put!(out, "# [people.ana]");
    put!(out, "# os = \"ana\"");
    put!(out, "# vendor = [\"U0ANA\"]");
    put!(out, "# roles = [\"release-manager\"]");
    put!(out, "# [approvals]");
    put!(
        out,
        "# high = {{ of = [\"release-manager\"], count = 1 }}\n# connection = \"snow\"             # change records (ServiceNow) or tickets (Jira) that hold approvals, too\n"
    );
}

fn checklist(out: &mut String, answers: &Answers) {
    put!(
        out,
        "# At most 14 items. Automatic ones tick themselves and untick when their proof ages out."
    );
    let items: [(&str, &str, &str); 6] = [
        ("pre-deploy", "Approved", "approved"),
        ("pre-deploy", "Rollback passport valid", "passport-valid"),
        ("pre-deploy", "On-call briefed", "oncall-briefed"),
        ("deploy", "Observed in real time", "observed"),
        ("deploy", "Gates passed", "gates"),
        ("post-deploy", "Within baseline", "within-baseline"),
    ];
    for (section, title, check) in items {
        if check == "gates" && answers.metrics.is_none() {
            continue;
        }
        put!(
            out,
            "[[checklist]]\nsection = \"{section}\"\ntitle = \"{title}\"\ncheck = \"{check}\""
        );
    }
    put!(
        out,
        "[[checklist]]\nsection = \"pre-deploy\"\ntitle = \"Support knows\""
    );
    put!(out, "check = \"manual\"");
    put!(
        out,
        "shelf_life = \"12h\"              # after this a tick must be given again\n"
    );
}

fn oncall(out: &mut String) {
    put!(out, "[oncall]");
    put!(
        out,
        "ack_within = \"5m\"               # no answer: the next level is told"
    );
    put!(out, "# connection = \"pager\"          # who is on call");
    put!(
        out,
        "# channels = [{{ connection = \"chat\", channel = \"#releases\" }}]"
    );
    put!(
        out,
        "# release_manager = \"ana\"       # told after the last level"
    );
    put!(
        out,
        "# [[oncall.rotation]]           # or turns written here\n# level = 1\n# people = [\"ana\", \"ben\"]\n# start = 2026-11-02T09:00:00\n# turn = \"7d\"\n"
    );
}

fn notify(out: &mut String) {
    put!(
        out,
        "[notify]                         # told over channels while a release flies, once a change"
    );
    put!(
        out,
        "on = [\"trip\", \"checkpoint\", \"end\"]   # a trigger tripped, a checkpoint was taken, the watch ended"
    );
    put!(
        out,
        "# channels = [{{ connection = \"chat\", channel = \"#releases\" }}]\n"
    );
}

fn release(out: &mut String, answers: &Answers) {
    let service = answers
        .services
        .first()
        .map_or("my-service", String::as_str);
    let environment = answers
        .environments
        .last()
        .map_or("production", |e| e.0.as_str());
    put!(
        out,
        "# A planned release; `N` plans one in the cockpit, too."
    );
    put!(out, "# [[release]]");
    put!(out, "# id = \"2026.50\"");
    put!(out, "# environment = {}", quoted(environment));
    put!(out, "# planned = 2026-12-08T10:00:00");
    put!(
        out,
        "# purpose = \"regular\"             # hotfix, security: freezes may exempt them"
    );
    put!(
        out,
        "# risk = \"normal\"                 # low | normal | high; the points of [risk] may raise it"
    );
    put!(
        out,
        "# significant = false             # true: watched for 72h"
    );
    put!(
        out,
        "# changes = [{{ service = {}, to = \"1.2.3\", kind = \"version\", reversible = true }}]\n",
        quoted(service)
    );
}

/// Straight from the schema, so that a new number cannot be forgotten.
fn numbers<T: JsonSchema>(out: &mut String, table: &str, about: &str) {
    put!(out, "# {about}");
    put!(out, "[{table}]");
    let schema = schema_of::<T>(true);
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let what = property
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let default = property
            .get("default")
            .map(reference::literal)
            .unwrap_or_default();
        put!(out, "{:<34}# {what}", format!("{name} = {default}"));
    }
}
