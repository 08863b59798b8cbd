use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::connect::fake_native::open_native;
use crate::domain::policy::Setting;
use rstest::rstest;

fn driver(settings: &[(&str, &str)]) -> Result<Git, Vec<Diag>> {
    let settings = settings
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Setting::Text((*v).to_owned())));
    open_native("git", settings.collect(), false)
        .and_then(|(connection, _, context)| Git::new(&connection, &context))
}

/// A clone for the tests; git's global configuration is left out when it is made.
struct Clone {
    folder: tempfile::TempDir,
}

impl Clone {
    fn new() -> Self {
        let clone = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        clone.git(&["init", "-q", "-b", "main"]);
        clone
    }
    fn git(&self, args: &[&str]) -> String {
        self.fed(args, b"")
    }
    fn fed(&self, args: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .arg("-C")
            .arg(self.folder.path())
            .args([
                "-c",
                "user.name=Ann",
                "-c",
                "user.email=ann@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "git {args:?}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }
    fn commit(&self, file: &str, message: &[u8]) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, message.len().to_string()).unwrap();
        self.git(&["add", "-A"]);
        self.fed(&["commit", "-q", "--allow-empty", "-F", "-"], message);
    }
    fn driver(&self) -> Git {
        driver(&[("path", self.folder.path().to_str().unwrap())]).unwrap()
    }
}

fn call(read: &str, args: &[(&str, &str)]) -> Call {
    Call {
        connection: "shop".into(),
        read: read.into(),
        args: args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        lookback: None,
    }
}

async fn commits(
    git: &Git,
    from: &str,
    to: &str,
) -> Result<(Vec<crate::domain::record::Commit>, Option<String>), Fault> {
    let answer = git
        .read(&call("commits", &[("from", from), ("to", to)]), None)
        .await?;
    match answer.records {
        Records::Commit(commits) => Ok((commits, answer.partial)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_commits_between_two_versions_come_with_their_paths() {
    let clone = Clone::new();
    clone.commit("a.txt", b"first");
    clone.git(&["tag", "v1.0"]);
    clone.commit("migrations/0001 add.sql", b"second\n\nbody");
    clone.commit("b.txt", b"third");
    clone.git(&["tag", "-a", "v1.1", "-m", "annotated"]);
    let git = clone.driver();
    let head = clone.git(&["rev-parse", "HEAD"]);
    for (from, to) in [
        ("v1.0", "v1.1"),
        ("1.0", "1.1"),
        ("v1.0", "main"),
        ("v1.0", &head),
        ("v1.0", &head[..7]),
    ] {
        let (list, partial) = commits(&git, from, to).await.unwrap();
        assert_eq!(partial, None);
        let titles: Vec<_> = list.iter().map(|c| c.title.as_str()).collect();
        assert_eq!(titles, ["third", "second"], "{from}..{to}");
        assert_eq!(list[1].paths, ["migrations/0001 add.sql"]);
        assert_eq!(list[0].author.as_deref(), Some("Ann"));
        assert_eq!(list[0].id, head);
        assert!(list[0].at.is_some());
    }
    assert!(commits(&git, "v1.1", "v1.0").await.unwrap().0.is_empty());
}

#[tokio::test]
async fn hostile_messages_are_cleaned_and_cut() {
    let clone = Clone::new();
    clone.commit("a", b"base");
    clone.git(&["tag", "v1"]);
    clone.commit(
        "a",
        b"\x1b]0;owned\x07fix \x1b[31mred\x1b[0m \xe2\x80\xaeevil",
    );
    clone.commit("a", "x".repeat(10 << 20).as_bytes());
    clone.commit("a", b"--upload-pack=touch");
    clone.git(&["tag", "v2"]);
    let (list, _) = commits(&clone.driver(), "v1", "v2").await.unwrap();
    assert_eq!(list[0].title, "--upload-pack=touch");
    assert_eq!(list[1].title.chars().count(), 200);
    assert!(list[1].title.ends_with('…'));
    assert_eq!(list[2].title, "fix red evil");
}

#[rstest]
#[case("v9.9", FaultKind::NotFound)]
#[case("0123456", FaultKind::NotFound)]
#[case("", FaultKind::Config)]
#[case("--output=/tmp/x", FaultKind::Refused)]
#[case("HEAD~1", FaultKind::Refused)]
#[case(":/first", FaultKind::Refused)]
#[case("v1^{/x}", FaultKind::Refused)]
#[case("a..b", FaultKind::Refused)]
#[case("@{-1}", FaultKind::Refused)]
#[case("v1\nv2", FaultKind::Refused)]
#[case("../../etc/passwd", FaultKind::Refused)]
#[tokio::test]
async fn a_name_that_is_no_known_version_is_a_clear_fault(
    #[case] name: &str,
    #[case] kind: FaultKind,
) {
    let clone = Clone::new();
    clone.commit("a", b"first");
    clone.git(&["tag", "v1"]);
    let fault = commits(&clone.driver(), "v1", name).await.unwrap_err();
    assert_eq!(fault.kind, kind, "{fault}");
    assert!(!fault.hint.is_empty());
    assert!(!fault.to_string().contains('\n'));
}

#[tokio::test]
async fn nothing_that_the_clone_configures_is_started() {
    let clone = Clone::new();
    let trap = clone.folder.path().join("trap.sh");
    let sprung = clone.folder.path().join("sprung");
    std::fs::write(
        &trap,
        format!("#!/bin/sh\ntouch {}\ncat\n", sprung.display()),
    )
    .unwrap();
    std::fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    clone.commit(".gitattributes", b"attributes");
    std::fs::write(
        clone.folder.path().join(".gitattributes"),
        "* diff=trap filter=trap\n",
    )
    .unwrap();
    clone.commit("a", b"first");
    clone.git(&["tag", "v1"]);
    clone.commit("a", b"the second");
    clone.git(&["tag", "v2"]);
    let trap = trap.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.editor",
        "diff.external",
        "diff.trap.command",
        "diff.trap.textconv",
        "filter.trap.clean",
        "filter.trap.smudge",
        "gpg.program",
        "pager.log",
        "credential.helper",
        "core.askPass",
    ] {
        clone.git(&["config", key, trap]);
    }
    clone.git(&["config", "log.showSignature", "true"]);
    clone.git(&[
        "config",
        "core.hooksPath",
        clone.folder.path().to_str().unwrap(),
    ]);
    let git = clone.driver();
    assert_eq!(commits(&git, "v1", "v2").await.unwrap().0.len(), 1);
    git.health().await.unwrap();
    git.read(&call("tags", &[]), None).await.unwrap();
    assert!(!sprung.exists());
}

#[tokio::test]
async fn a_missing_object_is_not_fetched() {
    let clone = Clone::new();
    clone.commit("a", b"first");
    clone.git(&["tag", "v1"]);
    let partial = tempfile::tempdir().unwrap();
    let target = partial.path().join("partial");
    let origin = format!("file://{}", clone.folder.path().display());
    clone.git(&["config", "uploadpack.allowFilter", "true"]);
    clone.commit("b", b"second");
    clone.git(&["tag", "v2"]);
    clone.git(&[
        "clone",
        "-q",
        "--no-checkout",
        "--filter=tree:0",
        &origin,
        target.to_str().unwrap(),
    ]);
    let git = driver(&[("path", target.to_str().unwrap())]).unwrap();
    let fault = commits(&git, "v1", "v2").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
}

#[tokio::test]
async fn a_shallow_clone_says_so() {
    let clone = Clone::new();
    clone.commit("a", b"first");
    clone.commit("a", b"the second");
    let shallow = tempfile::tempdir().unwrap();
    let target = shallow.path().join("shallow");
    let origin = format!("file://{}", clone.folder.path().display());
    clone.git(&[
        "clone",
        "-q",
        "--depth=1",
        &origin,
        target.to_str().unwrap(),
    ]);
    let git = driver(&[("path", target.to_str().unwrap())]).unwrap();
    let (_, partial) = commits(&git, "main", "main").await.unwrap();
    assert!(partial.unwrap().contains("shallow"));
}

#[tokio::test]
async fn tags_are_read_all_or_one() {
    let clone = Clone::new();
    clone.commit("a", b"first");
    clone.git(&["tag", "shop-1"]);
    clone.git(&["tag", "-a", "shop-2", "-m", "two"]);
    let path = clone.folder.path().to_str().unwrap().to_owned();
    let git = driver(&[("path", &path), ("tag_prefix", "shop-")]).unwrap();
    let head = clone.git(&["rev-parse", "HEAD"]);
    let Records::Artifact(mut tags) = git.read(&call("tags", &[]), None).await.unwrap().records
    else {
        panic!()
    };
    tags.sort_by(|a, b| a.version.cmp(&b.version));
    assert_eq!(
        tags.iter().map(|t| t.version.as_str()).collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert!(
        tags.iter()
            .all(|t| t.digest.as_deref() == Some(head.as_str()))
    );
    for (version, present) in [("2", true), ("3", false)] {
        let one = git
            .read(&call("tags", &[("version", version)]), None)
            .await
            .unwrap();
        let Records::Artifact(one) = one.records else {
            panic!()
        };
        assert_eq!(one[0].present, present);
    }
}

#[tokio::test]
async fn health_says_where_head_is_or_what_to_do() {
    let clone = Clone::new();
    let git = clone.driver();
    assert_eq!(git.health().await.unwrap_err().kind, FaultKind::Config);
    clone.commit("a", b"first");
    assert!(git.health().await.unwrap().starts_with("HEAD "));
    // A folder inside a clone is not that clone.
    let inner = clone.folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    for path in [inner.to_str().unwrap(), "/no/such/folder"] {
        let fault = driver(&[("path", path)])
            .unwrap()
            .health()
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Config);
        assert!(fault.what.contains("no clone"), "{fault}");
    }
}

#[test]
fn settings_are_checked() {
    for settings in [&[][..], &[("path", "")], &[("path", "x"), ("branch", "y")]] {
        assert!(driver(settings).is_err(), "{settings:?}");
    }
    assert_eq!(
        driver(&[("path", "/srv/shop")]).unwrap().path,
        PathBuf::from("/srv/shop")
    );
    assert_eq!(
        driver(&[("path", "shop")]).unwrap().path,
        PathBuf::from("/etc/cockpit/shop")
    );
    let path = [("path".to_owned(), Setting::Text("/srv/shop".into()))];
    let (connection, _, context) = open_native("git", path.into(), true).unwrap();
    assert!(
        Git::new(&connection, &context).is_err(),
        "a [demo] file runs nothing"
    );
}
