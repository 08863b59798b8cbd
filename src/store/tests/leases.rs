//! Leases between stores.

use super::*;

fn holder(taken: &LeaseTaken) -> (&str, bool) {
    match taken {
        LeaseTaken::Taken { lease, .. } => (&lease.holder, true),
        LeaseTaken::Held(lease) => (&lease.holder, false),
    }
}

#[tokio::test]
async fn a_lease_has_one_holder_until_it_lapses() {
    let (dir, a) = fresh().await;
    let b = open(dir.path()).await.unwrap();
    assert_eq!(
        holder(&a.take_lease("pay", "a", at(0)).await.unwrap()),
        ("a", true)
    );
    assert_eq!(
        holder(&b.take_lease("pay", "b", at(29)).await.unwrap()),
        ("a", false)
    );
    assert_eq!(
        holder(&b.take_lease("cart", "b", at(0)).await.unwrap()),
        ("b", true)
    );
    let renewed = a.renew_lease("pay", "a", at(10)).await.unwrap();
    assert_eq!(
        (renewed.acquired, renewed.renewed, renewed.expires),
        (at(0), at(10), at(40))
    );
    assert_eq!(
        holder(&b.take_lease("pay", "b", at(39)).await.unwrap()),
        ("a", false)
    );
    match b.take_lease("pay", "b", at(40)).await.unwrap() {
        LeaseTaken::Taken { lease, lapsed_from } => {
            assert_eq!(
                (lease.acquired, lapsed_from.as_deref()),
                (at(40), Some("a"))
            );
        }
        held => panic!("{held:?}"),
    }
    let lost = a.renew_lease("pay", "a", at(41)).await.unwrap_err();
    assert!(
        matches!(&lost, StoreError::LeaseLost { now_with, .. } if now_with == "b has it"),
        "{lost}"
    );
    assert!(!a.release_lease("pay", "a").await.unwrap());
    assert!(b.release_lease("pay", "b").await.unwrap());
    assert_eq!(
        holder(&a.take_lease("pay", "a", at(42)).await.unwrap()),
        ("a", true)
    );
    let names: Vec<_> = a
        .leases()
        .await
        .unwrap()
        .into_iter()
        .map(|l| (l.name, l.holder))
        .collect();
    assert_eq!(
        names,
        [
            ("cart".to_string(), "b".to_string()),
            ("pay".into(), "a".into())
        ]
    );
}

#[tokio::test]
async fn a_lapsed_lease_is_not_renewed_but_taken_again() {
    let (_dir, a) = fresh().await;
    a.take_lease("pay", "a", at(0)).await.unwrap();
    let lost = a.renew_lease("pay", "a", at(30)).await.unwrap_err();
    assert!(matches!(lost, StoreError::LeaseLost { .. }), "{lost}");
    match a.take_lease("pay", "a", at(31)).await.unwrap() {
        LeaseTaken::Taken {
            lease,
            lapsed_from: None,
        } => assert_eq!(lease.acquired, at(31)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_clock_that_went_back_neither_robs_nor_blocks() {
    let (_dir, a) = fresh().await;
    a.take_lease("pay", "a", at(3600)).await.unwrap();
    assert_eq!(
        holder(&a.take_lease("pay", "b", at(0)).await.unwrap()),
        ("a", false)
    );
    assert_eq!(
        holder(&a.take_lease("pay", "b", at(29)).await.unwrap()),
        ("a", false)
    );
    assert_eq!(
        holder(&a.take_lease("pay", "b", at(30)).await.unwrap()),
        ("b", true)
    );
}

#[tokio::test]
async fn a_handoff_moves_the_lease_in_one_step() {
    let (_dir, a) = fresh().await;
    a.take_lease("pay", "a", at(0)).await.unwrap();
    assert!(a.hand_lease("pay", "x", "b", at(1)).await.is_err());
    assert_eq!(
        a.hand_lease("pay", "a", "b", at(1)).await.unwrap().holder,
        "b"
    );
    assert!(a.renew_lease("pay", "a", at(2)).await.is_err());
    assert_eq!(
        a.renew_lease("pay", "b", at(2)).await.unwrap().acquired,
        at(1)
    );
}

#[tokio::test]
async fn an_append_may_depend_on_a_lease() {
    let (_dir, store) = fresh().await;
    store.take_lease("pay", "a", at(0)).await.unwrap();
    let under = |holder: &str, now, event| Append {
        events: vec![event],
        holding: Some(Holding {
            lease: "pay".into(),
            holder: holder.into(),
            now: at(now),
        }),
        ..Append::default()
    };
    store.append(under("a", 29, keyed(1, "k"))).await.unwrap();
    for refused in [under("a", 30, event(2)), under("b", 1, event(2))] {
        let error = store.append(refused).await.unwrap_err();
        assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
    }
    // A repetition writes nothing, so it needs nothing.
    assert!(!store.append(under("b", 99, keyed(1, "k"))).await.unwrap()[0].fresh);
    assert_eq!(verified(&store).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_want_a_lease_at_once_one_gets_it() {
    let (dir, first) = fresh().await;
    let mut stores = vec![first];
    for _ in 0..3 {
        stores.push(open(dir.path()).await.unwrap());
    }
    for round in 0..25 {
        let tasks = stores.clone().into_iter().enumerate().map(|(n, store)| {
            tokio::spawn(async move {
                let name = format!("pay-{round}");
                store
                    .take_lease(&name, &format!("p{n}"), at(0))
                    .await
                    .unwrap()
            })
        });
        let mut taken = 0;
        for task in tasks.collect::<Vec<_>>() {
            taken += usize::from(holder(&task.await.unwrap()).1);
        }
        assert_eq!(taken, 1, "round {round}");
    }
}
