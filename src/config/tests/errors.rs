//! What is refused: each with its line, its column, its key and its words.

use rstest::rstest;

use super::connectors;
use crate::config::load;
use crate::domain::diag::{Diag, Severity};

/// A small sound file; snippets are written below it.
pub const BASE: &str = r#"timezone = "Europe/Berlin"
[environments.production]
[connections.prom]
connector = "prometheus"
url = "http://prom:9090"
[metrics.error_rate]
connection = "prom"
kind = "ratio"
numerator = "a"
denominator = "b"
[metrics.p95]
connection = "prom"
kind = "quantile"
query = "q"
[[service]]
name = "checkout"
team = "shop"
"#;

fn found(snippet: &str) -> Vec<Diag> {
    match load(&format!("{BASE}{snippet}"), "cockpit.toml", &connectors()) {
        Ok((_, warnings)) => warnings,
        Err(diags) => diags,
    }
}

/// The only error, its line counted within the snippet.
pub fn error(snippet: &str) -> (u32, u32, String, String) {
    let lines = u32::try_from(BASE.lines().count()).unwrap();
    let errors: Vec<Diag> = found(snippet)
        .into_iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    let [diag] = errors.as_slice() else {
        panic!("expected one error, found {errors:#?}");
    };
    assert_eq!(diag.file, "cockpit.toml");
    let text = format!("{} ({})", diag.message, diag.help.as_deref().unwrap_or(""));
    (
        diag.line.saturating_sub(lines),
        diag.col,
        diag.key.clone(),
        text,
    )
}

#[rstest]
// Shape.
#[case("tean = \"x\"", 1, 1, "service[0].tean", "did you mean \"team\"?")]
#[case("[conections.x]", 1, 2, "conections", "did you mean \"connections\"?")]
#[case(
    "[[service]]\nname = 3",
    2,
    8,
    "service[1].name",
    "expected a text, found a whole number"
)]
#[case(
    "[[service]]\nteam = \"a\"",
    1,
    1,
    "service[1].name",
    "`name` is missing"
)]
#[case(
    "depends_on = \"payments\"",
    1,
    14,
    "service[0].depends_on",
    "expected a list, found a text"
)]
#[case(
    "depends_on = [\"checkout\", 1]",
    1,
    27,
    "service[0].depends_on[1]",
    "expected a text"
)]
#[case(
    "[limits]\npresence = \"half an hour\"",
    2,
    12,
    "limits.presence",
    "not a length of time"
)]
#[case(
    "[limits]\npresence = 30",
    2,
    12,
    "limits.presence",
    "expected a length of time"
)]
#[case(
    "[limits]\noverride_lasts = \"30h\"",
    2,
    18,
    "limits.override_lasts",
    "at most 24h"
)]
#[case(
    "[limits]\ngate_min = \"20m\"",
    1,
    1,
    "limits.gate_max",
    "shorter than gate_min"
)]
#[case("[keys]\nx = \"\"", 2, 5, "keys.x", "names no action")]
#[case(
    "runbook = \"ftp://wiki\"",
    1,
    11,
    "service[0].runbook",
    "only http and https"
)]
#[case(
    "runbook = \"https://ana:pw@wiki\"",
    1,
    11,
    "service[0].runbook",
    "never holds a user name"
)]
#[case("team = \"twice\"", 1, 1, "", "duplicate key")]
#[case("name", 1, 5, "", "key with no value")]
// Connections.
#[case(
    "[connections.x]\nconnector = \"promtheus\"",
    2,
    13,
    "connections.x.connector",
    "did you mean \"prometheus\"?"
)]
#[case(
    "[connections.x]\nconnector = \"prometheus\"",
    1,
    1,
    "connections.x.url",
    "connector prometheus needs `url`"
)]
#[case(
    "[connections.x]\nconnector = \"prometheus\"\nurl = \"http://a\"\nurk = 1",
    4,
    1,
    "connections.x.urk",
    "did you mean \"url\"?"
)]
#[case(
    "[connections.x]\nconnector = \"prometheus\"\nurl = \"http://ana:pw@a\"",
    3,
    7,
    "connections.x.url",
    "never holds a user name"
)]
#[case(
    "[connections.x]\nconnector = \"prometheus\"\nurl = \"demo:prom\"",
    3,
    7,
    "connections.x.url",
    "only in a file with [demo]"
)]
#[case(
    "[connections.x]\nconnector = \"prometheus\"\nurl = \"http://a\"\ntoken = \"abc\"",
    4,
    9,
    "connections.x.token",
    "write a reference"
)]
#[case(
    "[connections.x]\nconnector = \"github\"\nowner = 'a'\nrepo = 'b'",
    1,
    1,
    "connections.x.token",
    "write a reference"
)]
#[case(
    "[connections.x]\nconnector = \"prometheus\"\nurl = \"http://a\"\nevery = \"0s\"",
    4,
    9,
    "connections.x.every",
    "is 0"
)]
// Metrics.
#[case(
    "[metrics.m]\nconnection = \"prm\"\nkind = \"gauge\"\nquery = \"q\"",
    2,
    14,
    "metrics.m.connection",
    "did you mean \"prom\"?"
)]
#[case(
    "[metrics.m]\nconnection = \"prom\"\nkind = \"ration\"\nquery = \"q\"",
    3,
    8,
    "metrics.m.kind",
    "did you mean \"ratio\"?"
)]
#[case(
    "[metrics.m]\nconnection = \"prom\"\nkind = \"ratio\"\nnumerator = \"q\"",
    1,
    1,
    "metrics.m.denominator",
    "`denominator` is missing"
)]
#[case(
    "[metrics.m]\nconnection = \"prom\"\nkind = \"gauge\"\nquery = \"q\"\nnumerator = \"q\"",
    5,
    1,
    "metrics.m.numerator",
    "no meaning for this kind"
)]
#[case(
    "[metrics.m]\nconnection = \"prom\"\nkind = \"gauge\"\nquery = \"q\"\ngroups = {}",
    5,
    10,
    "metrics.m.groups",
    "label that tells them apart"
)]
// Services, gates, triggers.
#[case(
    "[[service]]\nname = \"checkout\"",
    2,
    8,
    "service[1].name",
    "defined twice"
)]
#[case(
    "deployments = \"argo\"",
    1,
    15,
    "service[0].deployments",
    "no connection \"argo\""
)]
#[case(
    "deployments = \"prom\"",
    1,
    15,
    "service[0].deployments",
    "reads no deployment"
)]
#[case(
    "depends_on = [\"chekout\"]",
    1,
    15,
    "service[0].depends_on[0]",
    "did you mean \"checkout\"?"
)]
#[case(
    "depends_on = [\"checkout\"]",
    1,
    14,
    "service[0].depends_on",
    "circle: checkout → checkout"
)]
#[case(
    "depends_on = [\"b\"]\n[[service]]\nname = \"b\"\ndepends_on = [\"c\"]\n[[service]]\nname = \"c\"\ndepends_on = [\"b\"]",
    4,
    14,
    "service[1].depends_on",
    "circle: b → c → b"
)]
#[case(
    "slo = { error_rte = \"1%\" }",
    1,
    9,
    "service[0].slo.error_rte",
    "did you mean \"error_rate\"?"
)]
#[case(
    "slo = { error_rate = 1 }",
    1,
    22,
    "service[0].slo.error_rate",
    "needs a unit"
)]
#[case("slo = { p95 = \"1%\" }", 1, 15, "service[0].slo.p95", "\"800ms\"")]
#[case(
    "[service.target.prod]\na = 'b'",
    1,
    17,
    "service[0].target.prod",
    "did you mean \"production\"?"
)]
#[case(
    "[[service.gate]]\nafter = \"step\"\nmetrics = []",
    3,
    11,
    "service[0].gate[0].metrics",
    "looks at no metric"
)]
#[case(
    "[[service.gate]]\nafter = \"step\"",
    1,
    1,
    "service[0].gate[0].metrics",
    "`metrics` is missing"
)]
#[case(
    "[[service.gate]]\nafter = \"stage\"\nmetrics = [\"p95\"]",
    2,
    9,
    "service[0].gate[0].after",
    "write \"step\""
)]
#[case(
    "[[service.gate]]\nafter = \"400%\"\nmetrics = [\"p95\"]",
    2,
    9,
    "service[0].gate[0].after",
    "at most 100%"
)]
#[case(
    "[[service.gate]]\nmetrics = [\"p95\", \"p59\"]",
    2,
    19,
    "service[0].gate[0].metrics[1]",
    "no metric \"p59\""
)]
#[case(
    "[[service.gate]]\nmetrics = [\"p95\"]\ntolerance = 0.5",
    3,
    13,
    "service[0].gate[0].tolerance",
    "above 1"
)]
#[case(
    "[[service.gate]]\nmetrics = [\"p95\"]\n[[service.gate]]\nmetrics = [\"p95\"]",
    3,
    1,
    "service[0].gate[1].after",
    "two gates after \"step\""
)]
#[case(
    "[[service.trigger]]\nmetric = \"p95\"",
    1,
    1,
    "service[0].trigger[0]",
    "neither `above` nor `below`"
)]
#[case(
    "[[service.trigger]]\nmetric = \"p95\"\nabove = \"slo\"",
    1,
    1,
    "service[0].trigger[0]",
    "no objective for p95"
)]
#[case(
    "[[service.trigger]]\nmetric = \"p95\"\nabove = \"2 times\"",
    3,
    9,
    "service[0].trigger[0].above",
    "\"2x baseline\""
)]
#[case(
    "[[service.trigger]]\nmetric = \"p95\"\nabove = \"0.5x baseline\"",
    3,
    9,
    "service[0].trigger[0].above",
    "more than 1"
)]
#[case(
    "[[service.trigger]]\nmetric = \"p95\"\nabove = \"1s\"\nthen = \"automatc\"",
    4,
    8,
    "service[0].trigger[0].then",
    "did you mean \"automatic\"?"
)]
#[case(
    "[[service.trigger]]\nmetric = \"p95\"\nabove = \"1s\"\nfor = \"0s\"",
    4,
    7,
    "service[0].trigger[0].for",
    "is 0"
)]
#[case(
    "[[service.trigger]]\nmetric = \"p95\"\nburn_rate = [\"14.4 over 1h/5m\"]",
    3,
    13,
    "service[0].trigger[0].burn_rate",
    "no ratio"
)]
#[case(
    "[[service.trigger]]\nmetric = \"error_rate\"\nburn_rate = [\"14.4 over 5m/1h\"]",
    3,
    13,
    "service[0].trigger[0].burn_rate",
    "the long window comes first"
)]
#[case(
    "[[service.trigger]]\nmetric = \"error_rate\"\nburn_rate = [\"fast\"]",
    3,
    13,
    "service[0].trigger[0].burn_rate",
    "14.4 over 1h/5m"
)]
#[case(
    "[[service.trigger]]\nmetric = \"error_rate\"\nburn_rate = [\"14.4 over 1h/5m\"]",
    1,
    1,
    "service[0].trigger[0]",
    "no objective for error_rate"
)]
#[case(
    "[[service.trigger]]\nmetric = \"error_rate\"\nabove = \"2x baseline\"\nburn_rate = [\"14.4 over 1h/5m\"]",
    4,
    13,
    "service[0].trigger[0].burn_rate",
    "write two triggers"
)]
#[case(
    "slo = { error_rate = \"1%\" }\n[[service.trigger]]\nmetric = \"error_rate\"\nburn_rate = [\"14.4 over 1h/5m\"]\nwindow = \"5m\"",
    5,
    1,
    "service[0].trigger[0].window",
    "stand in it"
)]
#[case(
    "[[defaults.trigger]]\nmetric = \"latency\"\nabove = \"1s\"",
    2,
    10,
    "defaults.trigger[0].metric",
    "no metric \"latency\""
)]
fn each_error_has_its_place_and_its_words(
    #[case] snippet: &str,
    #[case] line: u32,
    #[case] col: u32,
    #[case] key: &str,
    #[case] words: &str,
) {
    let (at, column, path, text) = error(snippet);
    assert_eq!((at, column, path.as_str()), (line, col, key), "{text}");
    assert!(text.contains(words), "{text}");
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"
timezone = "Mars/Olympus"
titel = "x"
[environments.production]
[connections.prom]
connector = "prometheus"
[metrics.error_rate]
connection = "prom"
kind = "ratio"
numerator = "a"
denominator = "b"
[[service]]
name = "checkout"
depends_on = ["nobody"]
[[service.trigger]]
metric = "p95"
above = "2x baseline"
[[freeze]]
name = "f"
start = 2026-12-28
end = 2026-12-01
[[release]]
id = "r"
environment = "production"
changes = [{ service = "nobody", to = 3 }]
"#;
    let diags = load(text, "f", &connectors()).unwrap_err();
    let errors = diags.iter().filter(|d| d.severity == Severity::Error);
    let places: Vec<(u32, &str)> = errors.map(|d| (d.line, d.key.as_str())).collect();
    assert_eq!(
        places,
        [
            (2, "timezone"),
            (3, "titel"),
            (5, "connections.prom.url"),
            (14, "service[0].depends_on[0]"),
            (16, "service[0].trigger[0].metric"),
            (21, "freeze[0].end"),
            (25, "release[0].changes[0].service"),
            (25, "release[0].changes[0].to"),
        ]
    );
}

#[test]
fn every_syntax_error_is_reported() {
    let diags = load("a = \n[b\nc = 'x\n", "f", &connectors()).unwrap_err();
    assert!(diags.len() >= 2, "{diags:#?}");
    assert!(diags.iter().all(|d| d.line > 0 && !d.message.is_empty()));
}

#[test]
fn fifteen_items_are_too_many_and_it_says_why() {
    let items: String = (0..15)
        .map(|n| format!("[[checklist]]\nsection = \"deploy\"\ntitle = \"item {n}\"\n"))
        .collect();
    let (line, col, key, text) = error(&items);
    assert_eq!((line, col, key.as_str()), (14 * 3 + 1, 1, "checklist[14]"));
    assert!(
        text.contains("15 items") && text.contains("ticked without being read"),
        "{text}"
    );
}

#[rstest]
#[case(
    "check = \"parity\"\nenvironment = \"stagging\"",
    5,
    15,
    "checklist[0].environment",
    "stagging"
)]
#[case(
    "check = \"smoke-test\"\nconnection = \"prom\"",
    5,
    14,
    "checklist[0].connection",
    "command"
)]
#[case(
    "check = \"security-scan\"\nconnection = \"prom\"",
    5,
    14,
    "checklist[0].connection",
    "reads no findings"
)]
#[case(
    "check = \"security-scan\"\nup_to = \"grave\"",
    5,
    9,
    "checklist[0].up_to",
    "critical"
)]
#[case(
    "check = \"ci-green\"\nup_to = \"high\"",
    5,
    1,
    "checklist[0].up_to",
    "security-scan"
)]
#[case(
    "check = \"manual\"\nenvironment = \"production\"",
    5,
    1,
    "checklist[0].environment",
    "parity"
)]
fn each_kind_of_proof_takes_its_own_keys(
    #[case] keys: &str,
    #[case] line: u32,
    #[case] col: u32,
    #[case] key: &str,
    #[case] words: &str,
) {
    let item = format!("[[checklist]]\nsection = \"deploy\"\ntitle = \"it\"\n{keys}");
    let (at, column, path, text) = error(&item);
    assert_eq!((at, column, path.as_str()), (line, col, key), "{text}");
    assert!(text.contains(words), "{text}");
}

#[rstest]
#[case(
    "[environments.staging]\nprotected = true",
    "environments.staging",
    "open at all times"
)]
#[case(
    "[metrics.m]\nconnection = 'prom'\nkind = 'gauge'\nquery = 'q'\nby = { service = 's', group = 'g' }",
    "metrics.m.by",
    "never pass"
)]
#[case("[[freeze]]\nname = 'f'\nstart = 2026-12-01", "freeze[0]", "no owner")]
#[case(
    "[connections.x]\nconnector = 'github'\nrepo = 'b'\nowner = 'env:OWNER'\ntoken = 'env:T'",
    "connections.x.owner",
    "no secret"
)]
#[case(
    "[people.ana]\n[approvals]\nhigh = { of = ['boss'] }",
    "approvals.high",
    "only 0 people"
)]
#[case(
    "deployments = 'cd'\n[[service.gate]]\nafter = 'step'\nmetrics = ['error_rate']\n[[service.trigger]]\nmetric = 'error_rate'\nabove = '2x baseline'\nthen = 'hold'\n[connections.cd]\nconnector = 'argocd'\nurl = 'http://cd'\ntoken = 'env:T'",
    "service[0]",
    "connector argocd cannot pause"
)]
fn warnings_do_not_refuse_the_file(#[case] snippet: &str, #[case] key: &str, #[case] words: &str) {
    let diags = found(snippet);
    let [warning] = diags.as_slice() else {
        panic!("{diags:#?}")
    };
    assert_eq!(
        (warning.severity, warning.key.as_str()),
        (Severity::Warning, key)
    );
    assert!(warning.message.contains(words), "{}", warning.message);
}

#[rstest]
#[case("[connections.c]\nconnector = 'command'\nargv = ['x']", "goes past it")]
#[case("[connections.g]\nconnector = 'git'\npath = '.'", "goes past it")]
#[case(
    "[connections.p]\nconnector = 'prometheus'\nurl = 'http://real:9090'",
    "only the embedded world"
)]
#[case(
    "[connections.p]\nconnector = 'prometheus'\nurl = 'env:URL'",
    "only the embedded world"
)]
#[case(
    "[connections.h]\nconnector = 'github'\nowner = 'a'\nrepo = 'b'",
    "needs `url`"
)]
fn a_demo_file_reaches_only_the_embedded_world(#[case] snippet: &str, #[case] words: &str) {
    let base = "timezone = 'UTC'\n[demo]\n[environments.production]\n";
    let diags = load(&format!("{base}{snippet}"), "f", &connectors()).unwrap_err();
    assert!(
        diags.iter().any(|d| d.message.contains(words)),
        "{diags:#?}"
    );
    let sound = "[connections.h]\nconnector = 'github'\nurl = 'demo:github'\nowner = 'a'\nrepo = 'b'\ntoken = 'env:T'";
    let (policy, _) = load(&format!("{base}{sound}"), "f", &connectors()).unwrap();
    assert_eq!(policy.demo.unwrap().scenario, "regression");
}

/// An index that lists a connector whose file cannot be read.
struct Broken;

impl crate::config::connectors::ConnectorIndex for Broken {
    fn ids(&self) -> Vec<String> {
        vec!["mine".into()]
    }
    fn get(&self, _: &str) -> Option<crate::config::connectors::ConnectorInfo> {
        None
    }
}

#[test]
fn a_connector_that_cannot_be_used_is_no_silence() {
    let text = "timezone = 'UTC'\n[environments.p]\n[connections.x]\nconnector = 'mine'\nurl = 3";
    let diags = load(text, "f", &Broken).unwrap_err();
    assert_eq!(diags.len(), 1);
    assert_eq!((diags[0].line, diags[0].col), (4, 13));
    assert!(
        diags[0].message.contains("cannot be used"),
        "{}",
        diags[0].message
    );
}

#[test]
fn an_unknown_scenario_is_refused() {
    let diags = load(
        "timezone = 'UTC'\n[demo]\nscenario = 'hapy'\n[environments.p]",
        "f",
        &connectors(),
    )
    .unwrap_err();
    assert_eq!(diags[0].help.as_deref(), Some("did you mean \"happy\"?"));
}

#[test]
fn a_gate_on_a_series_that_decides_nothing_is_warned_of() {
    let gate = "[[service.gate]]\nmetrics = [\"error_rate\", \"p95\"]";
    let warned = found(gate);
    let about = warned
        .iter()
        .find(|d| d.message.contains("decides nothing"));
    let about = about.unwrap_or_else(|| panic!("{warned:#?}"));
    assert_eq!(about.severity, Severity::Warning);
    assert_eq!(about.key, "service[0].gate[0].metrics[1]");
    let lines = u32::try_from(BASE.lines().count()).unwrap();
    assert_eq!(
        (about.file.as_str(), about.line - lines),
        ("cockpit.toml", 2)
    );
    let none = found("[[service.gate]]\nmetrics = [\"error_rate\"]");
    assert!(!none.iter().any(|d| d.message.contains("decides nothing")));
}
