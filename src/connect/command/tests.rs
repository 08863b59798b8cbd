use super::*;
use crate::connect::fake_native::open_native;
use crate::domain::policy::Setting;
use crate::domain::record::Oncall;
use rstest::rstest;

fn list(words: &[&str]) -> Setting {
    Setting::List(words.iter().map(|w| (*w).to_owned()).collect())
}

fn sh(script: &str) -> Setting {
    list(&["sh", "-c", script])
}

fn build(settings: &[(&str, Setting)]) -> Result<Command, Vec<Diag>> {
    let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
    let dir = ("dir".to_owned(), Setting::Text("/tmp".into()));
    let (connection, _, context) = open_native("command", settings.chain([dir]).collect(), false)?;
    context.shared.redactor.learn("hunter2-secret");
    Command::new(&connection, &context)
}

fn call(read: &str, args: &[(&str, &str)]) -> Call {
    Call {
        connection: "tool".into(),
        read: read.into(),
        args: args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        lookback: None,
    }
}

fn rollback(version: &str) -> Act {
    Act {
        id: "act-7".into(),
        connection: "tool".into(),
        verb: Verb::Rollback,
        args: BTreeMap::from([("version".to_owned(), Value::from(version))]),
        release: Some("r1".into()),
        service: Some("checkout".into()),
        environment: Some("production".into()),
        reason: "errors".into(),
        summary: "Roll back".into(),
    }
}

async fn read(settings: &[(&str, Setting)], name: &str) -> Result<Answer, Fault> {
    build(settings)
        .unwrap()
        .read(&call(name, &[("service", "checkout")]), None)
        .await
}

async fn act(script: &str) -> Outcome {
    build(&[
        ("rollback", sh(script)),
        ("timeout", Setting::Text("2s".into())),
    ])
    .unwrap()
    .act(&rollback("v1"))
    .await
}

#[tokio::test]
async fn a_read_gets_its_arguments_and_gives_records() {
    let script = r#"grep -q '"args":{"service":"checkout"}' && [ "$COCKPIT_READ" = oncall ] && echo '[{"level": 1, "person": "Ann"}]'"#;
    let answer = read(&[("argv", sh(script))], "oncall").await.unwrap();
    let ann = Oncall {
        level: 1,
        person: "Ann".into(),
        ..Oncall::default()
    };
    assert_eq!(answer.records, Records::Oncall(vec![ann]));
}

#[rstest]
#[case("exit 0", FaultKind::BadShape, "no JSON")]
#[case("echo done", FaultKind::BadShape, "no JSON")]
#[case("echo '[] trailing'", FaultKind::BadShape, "no JSON")]
#[case(
    "echo first >&2; printf 'no \\033[31mhunter2-secret\\n' >&2; exit 4",
    FaultKind::Refused,
    "code 4: no •••"
)]
#[case("kill -9 $$", FaultKind::Refused, "signal")]
#[case("sleep 60", FaultKind::Timeout, "within 1 s")]
#[case("yes", FaultKind::TooLarge, "8 MiB")]
#[case(
    "echo '[{\"persn\": 1}]'",
    FaultKind::BadShape,
    "did you mean \"person\""
)]
#[tokio::test]
async fn a_read_that_fails_says_why(
    #[case] script: &str,
    #[case] kind: FaultKind,
    #[case] words: &str,
) {
    let limit = Setting::Text(if script == "sleep 60" { "1s" } else { "20s" }.into());
    let fault = read(&[("oncall", sh(script)), ("timeout", limit)], "oncall")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, kind, "{fault}");
    assert!(fault.what.contains(words), "{fault}");
    assert!(fault.what.starts_with("Command (it): oncall: "), "{fault}");
}

#[rstest]
#[case("echo fine", Some(0), "fine")]
#[case("echo bad; echo worse >&2; exit 3", Some(3), "bad\nworse")]
#[case("kill -9 $$", None, "")]
#[case("echo begun; sleep 60", None, "begun")]
#[tokio::test]
async fn a_check_is_its_exit_code(
    #[case] script: &str,
    #[case] exit: Option<i32>,
    #[case] output: &str,
) {
    let limit = Setting::Text("2s".into());
    let answer = read(&[("check", sh(script)), ("timeout", limit)], "check")
        .await
        .unwrap();
    let run = CheckRun {
        exit,
        output: output.into(),
    };
    assert_eq!(answer.records, Records::Check(vec![run]));
}

#[tokio::test]
async fn a_check_s_output_is_cleaned_and_cut() {
    let script = "printf 'pw hunter2-secret \\033[2Jx\\n'; head -c 300000 /dev/zero | tr '\\0' 'a' | fold -w 80";
    let answer = read(&[("check", sh(script))], "check").await.unwrap();
    let Records::Check(runs) = answer.records else {
        panic!()
    };
    assert_eq!(runs[0].exit, Some(0));
    assert!(
        runs[0].output.starts_with("pw ••• x\n"),
        "{:?}",
        runs[0].output.get(..40)
    );
    assert_eq!(runs[0].output.len(), CHECK_KEPT);
}

#[tokio::test]
async fn only_named_variables_arrive() {
    let script = r#"[ -z "$CARGO_MANIFEST_DIR" ] && [ -n "$CARGO_PKG_NAME" ]"#;
    let answer = read(
        &[("check", sh(script)), ("env", list(&["CARGO_PKG_NAME"]))],
        "check",
    )
    .await
    .unwrap();
    let Records::Check(runs) = answer.records else {
        panic!()
    };
    assert_eq!(runs[0].exit, Some(0), "run under cargo, which sets both");
}

#[tokio::test]
async fn an_act_is_told_its_intent_and_gives_a_receipt() {
    let script = r#"read line; echo "$line" | grep -q '"intent":"act-7"' || exit 1
        echo "$line" | grep -q '"version":"v1"' || exit 1
        echo "{\"id\": 12, \"url\": \"http://x\", \"mark\": \"$COCKPIT_INTENT\", \"token\": \"hunter2-secret\"}""#;
    let Outcome::Confirmed { receipt } = act(script).await else {
        panic!("not confirmed")
    };
    assert_eq!(receipt.id.as_deref(), Some("12"));
    assert_eq!(receipt.url.as_deref(), Some("http://x"));
    assert_eq!(receipt.fields["mark"], "act-7");
    assert_eq!(receipt.fields["token"], "•••");
}

#[rstest]
#[case("echo nobody home >&2; exit 1", "refused", "code 1: nobody home")]
#[case("exit 75", "unknown", "does not know")]
#[case("exit 0", "unknown", "no receipt")]
#[case("echo '[]'", "unknown", "no receipt")]
#[case("kill -9 $$", "unknown", "signal")]
#[case("echo '{}'; sleep 60", "unknown", "after 2 s")]
#[tokio::test]
async fn what_came_of_an_act_is_told_by_its_end(
    #[case] script: &str,
    #[case] word: &str,
    #[case] words: &str,
) {
    let outcome = act(script).await;
    assert_eq!(outcome.word(), word, "{outcome:?}");
    let (Outcome::Refused { why } | Outcome::Unknown { why }) = outcome else {
        panic!()
    };
    assert!(why.contains(words), "{why}");
}

#[tokio::test]
async fn an_act_that_cannot_be_run_is_refused_and_nothing_ran() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran");
    let touch = list(&["touch", mark.to_str().unwrap(), "{{ args.version }}"]);
    let driver = build(&[("rollback", touch), ("deploy", list(&["/no/such/program"]))]).unwrap();
    assert_eq!(driver.act(&rollback("--help")).await.word(), "refused");
    assert!(!mark.exists());
    for verb in [Verb::Deploy, Verb::Pause] {
        let outcome = driver
            .act(&Act {
                verb,
                ..rollback("v1")
            })
            .await;
        assert_eq!(outcome.word(), "refused", "{outcome:?}");
    }
    // Once it may run, it does: the test can fail.
    driver
        .act(&rollback(folder.path().join("x").to_str().unwrap()))
        .await;
    assert!(mark.exists());
}

#[tokio::test]
async fn a_mark_is_looked_up() {
    let find = |script: &str| build(&[("rollback", sh("exit 75")), ("find", sh(script))]).unwrap();
    let there = find(r#"echo "{\"id\": \"$COCKPIT_INTENT\"}""#)
        .find(&rollback("v1"))
        .await;
    assert_eq!(there.unwrap().unwrap().id.as_deref(), Some("act-7"));
    assert_eq!(find("echo null").find(&rollback("v1")).await, Ok(None));
    for script in ["exit 1", "true", "echo '[]'"] {
        assert!(
            find(script).find(&rollback("v1")).await.is_err(),
            "{script}"
        );
    }
    assert!(
        build(&[("rollback", sh("true"))])
            .unwrap()
            .find(&rollback("v1"))
            .await
            .is_err()
    );
}

#[test]
fn a_preview_shows_the_template_and_what_is_told() {
    let driver = build(&[
        ("rollback", list(&["roll", "--to={{ args.version }}"])),
        ("pause", sh("x")),
    ])
    .unwrap();
    let preview = driver.preview(&rollback("hunter2-secret")).unwrap();
    assert_eq!(
        (preview.method.as_str(), preview.path.as_str()),
        ("argv", "roll --to={{ args.version }}")
    );
    assert_eq!(preview.body["args"]["version"], "•••");
    assert_eq!(preview.body["intent"], "act-7");
    assert_eq!(driver.verbs(), [Verb::Rollback, Verb::Pause]);
    assert!(
        driver
            .preview(&Act {
                verb: Verb::Deploy,
                ..rollback("v1")
            })
            .is_none()
    );
}

#[tokio::test]
async fn health_looks_for_the_programs() {
    assert_eq!(
        build(&[("deploy", sh("x"))])
            .unwrap()
            .health()
            .await
            .unwrap(),
        "can be run for deploy"
    );
    assert_eq!(
        build(&[("health", sh("echo all well"))])
            .unwrap()
            .health()
            .await
            .unwrap(),
        "all well"
    );
    for settings in [
        ("deploy", list(&["no-such-program-here"])),
        ("health", sh("exit 3")),
    ] {
        assert!(build(&[settings]).unwrap().health().await.is_err());
    }
}

#[rstest]
#[case(&[], "argv")]
#[case(&[("argv", list(&[]))], "program")]
#[case(&[("argv", list(&["x"])), ("timeout", Setting::Text("2d".into()))], "between")]
#[case(&[("argv", list(&["x"])), ("timeout", Setting::Number(3.0))], "is a text")]
#[case(&[("argv", list(&["x"])), ("env", Setting::Flag(true))], "list of words")]
#[case(&[("argv", list(&["x"])), ("rolback", list(&["x"]))], "rollback")]
#[case(&[("argv", list(&["x", "{{ env.HOME }}"]))], "args.NAME")]
fn settings_are_checked(#[case] settings: &[(&str, Setting)], #[case] words: &str) {
    let diag = build(settings)
        .err()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect::<String>();
    assert!(diag.contains(words), "{diag}");
}

#[test]
fn a_demo_file_runs_no_program() {
    let settings = [("argv".to_owned(), list(&["true"]))];
    let (connection, _, context) = open_native("command", settings.into(), true).unwrap();
    assert!(Command::new(&connection, &context).is_err());
}

#[test]
fn the_connector_file_lists_every_read_and_verb() {
    let settings = [("argv".to_owned(), list(&["true"]))];
    let (_, spec, _) = open_native("command", settings.into(), false).unwrap();
    for (name, kind) in records::NAMES {
        let read = spec
            .read
            .get(name)
            .unwrap_or_else(|| panic!("{name} is no read"));
        assert_eq!(read.record, kind);
        assert!(spec.settings.contains_key(name), "{name} is no setting");
    }
    for verb in VERBS {
        let name = verb_key(verb);
        assert!(spec.settings.contains_key(&name), "{name} is no setting");
        assert_eq!(spec.action[&name].verb, verb);
    }
    let json = serde_json::to_value(schemars::schema_for!(Verb)).unwrap();
    assert_eq!(
        json["oneOf"].as_array().map_or(0, Vec::len),
        VERBS.len(),
        "a verb is missing in VERBS"
    );
}
