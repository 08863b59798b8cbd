//! What a vendor says beside a deployment's state: how long the fast way back is open, who else writes it, what its analyses prove.

use chrono::Duration;

use crate::domain::record::{Analysis, AnalysisMetric};
use crate::domain::situation::PassportLine;
use crate::domain::testkit::*;
use crate::domain::verdict::Verdict;

fn line(w: &World, id: &str) -> Option<PassportLine> {
    let s = w.assess();
    let passport = s.passports.iter().find(|p| p.service == "checkout")?;
    passport.lines.iter().find(|l| l.id == id).cloned()
}

#[test]
fn the_fast_way_back_counts_down_and_ends() {
    let mut w = World::deployed();
    assert_eq!(
        line(&w, "fast"),
        None,
        "the vendor keeps no old set running"
    );
    let until = w.now.world + Duration::minutes(10);
    w.record("checkout").fast_until = Some(until);
    w.minutes(1).unwrap();
    let open = line(&w, "fast").unwrap();
    assert_eq!(open.verdict, Verdict::Pass);
    assert!(open.note.contains("for 9 m more"), "{}", open.note);
    w.minutes(10).unwrap();
    let over = line(&w, "fast").unwrap();
    assert_ne!(over.verdict, Verdict::Pass);
    assert!(over.note.contains("its time ended"), "{}", over.note);
    // What is not fresh proves nothing.
    w.record("checkout").fast_until = Some(w.now.world + Duration::hours(2));
    w.minutes(1).unwrap();
    w.silent.push("deployments/".into());
    w.minutes(5).unwrap();
    let stale = line(&w, "fast").unwrap();
    assert!(
        matches!(stale.verdict, Verdict::Undecided { .. }),
        "{stale:?}"
    );
}

#[test]
fn somebody_who_writes_it_from_git_would_fight_a_rollback() {
    let mut w = World::deployed();
    w.record("checkout").managed_by = Some("Argo CD application shop".into());
    w.record("checkout").auto_sync = None;
    w.minutes(1).unwrap();
    let fights = line(&w, "fights").unwrap();
    assert!(
        matches!(fights.verdict, Verdict::Undecided { .. }),
        "{fights:?}"
    );
    assert!(
        fights.note.contains("Argo CD application shop"),
        "{fights:?}"
    );
}

#[test]
fn an_analysis_that_proves_nothing_says_so_in_the_evidence() {
    let mut w = World::deployed();
    w.record("checkout").analysis = vec![Analysis {
        name: "checkout-7".into(),
        state: "successful".into(),
        message: None,
        metrics: vec![AnalysisMetric {
            name: "error-rate".into(),
            state: "successful".into(),
            measurements: 0,
            doubt: Some("successful with 0 measurements".into()),
        }],
    }];
    w.minutes(1).unwrap();
    let s = w.assess();
    let evidence = &s.evidence["deploy/checkout/production"];
    let said = evidence
        .lines
        .iter()
        .find(|(title, _)| title.trim() == "error-rate");
    let (_, said) = said.unwrap_or_else(|| panic!("{:?}", evidence.lines));
    assert!(
        said.contains("proves nothing: successful with 0 measurements"),
        "{said}"
    );
}
