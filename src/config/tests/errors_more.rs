//! What is refused among windows, calendars, people, checklist and releases: each with its line, its column, its key and its words.

use rstest::rstest;

use super::errors::error;

#[rstest]
// Windows and freezes.
#[case("[[window]]\nname = \"w\"", 1, 1, "window[0]", "never says when")]
#[case(
    "[[window]]\nname = \"w\"\ndays = [\"mon\"]\nfrom = \"9:30\"\nto = \"25:00\"",
    5,
    6,
    "window[0].to",
    "not a time of day"
)]
#[case(
    "[[window]]\nname = \"w\"\ndays = [\"mo\"]\nfrom = \"9:30\"\nto = \"16:00\"",
    3,
    9,
    "window[0].days[0]",
    "did you mean \"mon\"?"
)]
#[case(
    "[[window]]\nname = \"w\"\ndays = [\"mon\"]\nfrom = \"9:30\"",
    1,
    1,
    "window[0].to",
    "`to` is missing"
)]
#[case(
    "[[window]]\nname = \"w\"\ncron = \"0 9 * *\"\nduration = \"1h\"",
    3,
    8,
    "window[0].cron",
    "not a cron pattern"
)]
#[case(
    "[[window]]\nname = \"w\"\ncron = \"0 9 * * *\"",
    1,
    1,
    "window[0].duration",
    "needs a `duration`"
)]
#[case(
    "[[window]]\nname = \"w\"\nstart = 2026-12-01\ncron = \"0 9 * * *\"\nduration = \"1h\"",
    1,
    1,
    "window[0]",
    "in two ways"
)]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = 2026-12-28\nend = 2026-12-01",
    4,
    7,
    "freeze[0].end",
    "not after the start"
)]
#[case(
    "[[freeze]]\nname = \"f\"\nend = 2026-12-01",
    1,
    1,
    "freeze[0].start",
    "`start` is missing"
)]
#[case("[[freeze]]\nname = \"f\"\nstart = 2026-13-01", 3, 9, "", "")]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = \"soon\"",
    3,
    9,
    "freeze[0].start",
    "neither a day"
)]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = 2026-12-01\nduration = \"1h\"\nrrule = \"FREQ=FORTNIGHTLY\"",
    5,
    9,
    "freeze[0].rrule",
    ""
)]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = 2026-12-01\ntimezone = \"Europe/Berln\"",
    4,
    12,
    "freeze[0].timezone",
    "did you mean \"Europe/Berlin\"?"
)]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = 2026-12-01\nservices = [\"pay*\"]",
    4,
    13,
    "freeze[0].services[0]",
    "matches no service"
)]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = 2026-12-01\nregions = [\"eu\"]",
    4,
    12,
    "freeze[0].regions[0]",
    "matches no region"
)]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = 2026-12-01\n[[freeze]]\nname = \"f\"\nstart = 2027-12-01",
    5,
    8,
    "freeze[1].name",
    "defined twice"
)]
#[case(
    "[[freeze]]\nname = \"f\"\nstart = 2026-12-01\nexcept = [\"hotfixes\"]",
    4,
    11,
    "freeze[0].except[0]",
    "did you mean \"hotfix\"?"
)]
// The rest.
#[case(
    "[[calendar]]\nconnection = \"prom\"\nrules = [{ becomes = \"freeze\" }]",
    2,
    14,
    "calendar[0].connection",
    "reads no event"
)]
#[case(
    "[approvals]\nhigh = { of = [] }",
    2,
    15,
    "approvals.high.of",
    "no role"
)]
#[case(
    "[approvals]\nconnection = \"snow\"",
    2,
    14,
    "approvals.connection",
    "no connection"
)]
#[case(
    "[approvals]\nconnection = \"prom\"",
    2,
    14,
    "approvals.connection",
    "reads no change records or tickets"
)]
#[case(
    "[risk]\nnormal_from = 5\nhigh_from = 4",
    3,
    13,
    "risk.high_from",
    "high_from is below normal_from"
)]
#[case("[risk]\ncommit = 2", 2, 1, "risk.commit", "did you mean")]
#[case(
    "[risk]\nlate_days = [\"freitag\"]",
    2,
    14,
    "risk.late_days[0]",
    "\"fri\""
)]
#[case(
    "[approvals]\nhuge = { of = [\"a\"] }",
    2,
    1,
    "approvals.huge",
    "known here: "
)]
#[case(
    "[[checklist]]\nsection = \"predeploy\"\ntitle = \"a\"",
    2,
    11,
    "checklist[0].section",
    "did you mean \"pre-deploy\"?"
)]
#[case(
    "[[checklist]]\nsection = \"deploy\"\ntitle = \"a\"\ncheck = \"command\"",
    1,
    1,
    "checklist[0].connection",
    "needs a `connection`"
)]
#[case(
    "[[checklist]]\nsection = \"deploy\"\ntitle = \"a\"\nrequired = [\"unit\"]",
    4,
    1,
    "checklist[0].required",
    "only for check"
)]
#[case(
    "[[checklist]]\nsection = \"deploy\"\ntitle = \"a b\"\n[[checklist]]\nsection = \"deploy\"\ntitle = \"A  B\"",
    4,
    1,
    "checklist[1]",
    "the id \"a-b\""
)]
#[case(
    "[oncall]\nchannels = [{ connection = \"prom\", channel = \"#x\" }, { connection = \"chat\" }]",
    2,
    69,
    "oncall.channels[1].connection",
    "no connection \"chat\""
)]
#[case(
    "[notify]\nchannels = [{ connection = \"prom\", channel = \"#x\" }, { connection = \"chat\" }]",
    2,
    69,
    "notify.channels[1].connection",
    "no connection \"chat\""
)]
#[case(
    "[notify]\non = [\"trip\", \"chekpoint\"]",
    2,
    15,
    "notify.on[1]",
    "checkpoint"
)]
#[case(
    "[people.ana]\n[oncall]\nrelease_manager = \"anna\"",
    3,
    19,
    "oncall.release_manager",
    "did you mean \"ana\"?"
)]
#[case(
    "[people.ana]\nos = 'x'\n[people.ben]\nos = 'x'",
    4,
    6,
    "people.ben.os",
    "already ana"
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"prod\"\nchanges = [{ service = \"checkout\", to = \"2\" }]",
    3,
    15,
    "release[0].environment",
    "did you mean \"production\"?"
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\nchanges = [{ service = \"chekout\", to = \"2\" }]",
    4,
    24,
    "release[0].changes[0].service",
    "did you mean \"checkout\"?"
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\nchanges = []",
    4,
    11,
    "release[0].changes",
    "changes nothing"
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\nchanges = [{ service = \"checkout\", to = \"2\", reversible = \"maybe\" }]",
    4,
    59,
    "release[0].changes[0].reversible",
    "\"until EVENT\""
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\nchanges = [{ service = \"checkout\" }]",
    4,
    12,
    "release[0].changes[0].to",
    "`to` is missing"
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\ndepends_on = [\"s\"]\nchanges = [{ service = \"checkout\", to = \"2\" }]",
    4,
    15,
    "release[0].depends_on[0]",
    "no release \"s\""
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\ndepends_on = [\"s\"]\nchanges = [{ service = \"checkout\", to = \"2\" }]\n[[release]]\nid = \"s\"\nenvironment = \"production\"\ndepends_on = [\"r\"]\nchanges = [{ service = \"checkout\", to = \"3\" }]",
    4,
    14,
    "release[0].depends_on",
    "circle: r → s → r"
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\nchanges = [{ service = \"checkout\", to = \"2\" }]\ndeadlines = { code_freeze = 2026-11-20, testing = 2026-11-20T23:00:00 }",
    5,
    51,
    "release[0].deadlines.testing",
    "\"testing done\" lies before \"code freeze\""
)]
#[case(
    "[[release]]\nid = \"r\"\nenvironment = \"production\"\nchanges = [{ service = \"checkout\", to = \"2\" }]\ndeadlines = { deploi = 2026-11-20 }",
    5,
    15,
    "release[0].deadlines.deploi",
    "did you mean \"deploy\"?"
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
