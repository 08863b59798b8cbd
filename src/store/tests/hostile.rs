//! Any text and any bytes, in every column.

use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "",
        "\0",
        "a\0b",
        "'; DROP TABLE event; --",
        "\u{1b}[2J",
        "\u{202e}gpj.exe",
        "5:abc,",
        "-:,",
        "\r\n",
        "\u{feff}",
        "%s%n",
        "{{ secret }}",
        "NULL",
        "\u{fffd}",
        "é",
        "e\u{301}",
        "\"",
        "\\",
        "💥",
    ])
    .prop_map(str::to_string);
    prop_oneof![nasty, any::<String>()]
}

prop_compose! {
    fn any_event()(
        seconds in -60_000_000_000_i64..250_000_000_000,
        nanos in 0..1_000_000_000_u32,
        (actor, known_by, host) in (text(), text(), text()),
        release in prop::option::of(text()),
        kind in text(),
        version in any::<u32>(),
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), text().prop_map(String::into_bytes)],
    ) -> NewEvent {
        let at = Utc.timestamp_opt(seconds, nanos).unwrap();
        NewEvent { at, actor, known_by, host, release, kind, version, body, unique_key: None }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_event_is_kept_verified_and_exported_whole(
        events in prop::collection::vec(any_event(), 1..12),
        key in text(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_dir, store) = fresh().await;
            let mut events = events;
            events[0].unique_key = Some(key.clone());
            store.append(events.clone()).await.unwrap();
            let read = store.events_since(0).await.unwrap();
            assert_eq!(read.iter().map(|e| e.event.clone()).collect::<Vec<_>>(), events);
            assert_eq!(store.event_by_key(&key).await.unwrap().unwrap().seq, 1);
            assert!(!store.append(events[0].clone()).await.unwrap()[0].fresh);
            assert_eq!(verified(&store).await, events.len() as u64);
            let mut out = Vec::new();
            let done = store.export(Path::new("out"), &mut out).await.unwrap();
            let found = verify_export(&out[..], &[done.head.into()]).unwrap();
            assert_eq!(found, Verification::Verified { count: done.count, head: done.head, notes: vec![] });
            store.close().await;
        });
    }

    #[test]
    fn any_name_works_everywhere_else(a in text(), b in text(), body in prop::collection::vec(any::<u8>(), 0..64)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_dir, store) = fresh().await;
            store.take_lease(&a, &b, at(0)).await.unwrap();
            assert_eq!(store.leases().await.unwrap()[0].holder, b);
            let series = Series { metric: a.clone(), service: b.clone(), group: b.clone(), part: a.clone() };
            let set = Samples { series, points: vec![(i64::MIN + 1, 1.5), (i64::MAX, f64::MIN_POSITIVE)] };
            store.put_samples(std::slice::from_ref(&set)).await.unwrap();
            let query = SampleQuery { metric: a.clone(), service: Some(b.clone()), after: i64::MIN, until: i64::MAX, ..SampleQuery::default() };
            assert_eq!(store.samples(&query).await.unwrap(), [set]);
            let change = StateChange { source: a.clone(), key: b.clone(), at: at(0), body: body.clone() };
            store.put_states(std::slice::from_ref(&change)).await.unwrap();
            assert_eq!(store.states_at(&a, at(0)).await.unwrap(), [change]);
            store.close().await;
        });
    }
}

proptest! {
    #[test]
    fn no_export_line_panics(line in any::<Vec<u8>>()) {
        verify_export(&line[..], &[]).unwrap();
    }

    #[test]
    fn what_is_shown_is_one_clean_short_line(text in any::<String>()) {
        let shown = error::shown(&text);
        prop_assert!(shown.chars().count() <= 201 * 10);
        let bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        let dirty = shown.chars().any(bad);
        prop_assert!(!dirty);
    }
}
