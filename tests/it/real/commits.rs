//! The git driver on a real repository.

use cockpit::domain::observe::FaultKind;
use cockpit::domain::record::Records;

use super::clone::{RealClone, TITLES};
use super::{call, connections};

#[tokio::test]
async fn commits_between_two_tags_are_listed_cleaned() {
    let Some(clone) = RealClone::new("commits") else {
        return;
    };
    let connections = connections(&[("repo", "git", &[("path", clone.path())])]);
    assert!(
        connections
            .health("repo")
            .await
            .unwrap()
            .starts_with("HEAD ")
    );
    let read = call("repo", "commits", &[("from", "1.0.0"), ("to", "v1.1.0")]);
    let Records::Commit(list) = connections.read(&read, None).await.unwrap().records else {
        panic!()
    };
    assert_eq!(list.len(), TITLES.len() + 1);
    assert!(list[0].title.ends_with('…') && list[0].title.len() < 1000);
    for (at, (commit, (_, title))) in list.iter().skip(1).rev().zip(TITLES).enumerate() {
        assert_eq!(commit.title, title);
        assert_eq!(commit.paths, [format!("migrations/{at} step.sql")]);
        assert_eq!(commit.author.as_deref(), Some("Ann Field"));
    }
}

#[tokio::test]
async fn a_tag_that_is_not_there_is_a_clear_fault() {
    let Some(clone) = RealClone::new("unknown tag") else {
        return;
    };
    let connections = connections(&[("repo", "git", &[("path", clone.path())])]);
    let read = call("repo", "commits", &[("from", "v1.0.0"), ("to", "v9.9.9")]);
    let fault = connections.read(&read, None).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert!(
        fault.what.contains("v9.9.9") && fault.hint.contains("fetch"),
        "{fault}"
    );
}
