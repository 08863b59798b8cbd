use std::sync::Mutex;

use super::*;
use crate::connect::fake::{Fake, Says};
use crate::domain::time::{Instant, Now};

struct Hands(Mutex<Instant>);
impl Clock for Hands {
    fn now(&self) -> Now {
        let at = *self.0.lock().unwrap();
        Now {
            world: at,
            real: at,
        }
    }
}
fn hands() -> Arc<Hands> {
    Arc::new(Hands(Mutex::new("2026-11-21T12:00:00Z".parse().unwrap())))
}
fn options() -> Options {
    Options {
        timeout: Duration::from_millis(400),
        max_body: 1000,
        retries: 1,
        ..Options::new("Vendor (v)", hands())
    }
}
fn to(fake: &Fake, options: Options) -> Transport {
    Transport::new(fake.url().parse().unwrap(), options).unwrap()
}
fn post() -> Request {
    Request {
        method: Method::POST,
        idempotent: false,
        act: true,
        ..Request::get("/do")
    }
}

#[tokio::test]
async fn a_read_is_answered_with_its_query_and_headers() {
    let fake = Fake::always(Says::status(200, "{}")).await;
    let t = to(&fake, options());
    let reply = t
        .fetch(&Request::get("/a%20b").with_query("q", "x&y z"))
        .await
        .unwrap();
    assert_eq!(&reply.body[..], b"{}");
    assert_eq!(fake.seen()[0].path, "/a%20b?q=x%26y+z");
    assert_eq!(fake.seen()[0].header("accept"), Some("application/json"));
}

#[tokio::test]
async fn a_base_keeps_its_path() {
    let fake = Fake::always(Says::status(200, "{}")).await;
    let base = format!("{}/api/v3/", fake.url()).parse().unwrap();
    let t = Transport::new(base, options()).unwrap();
    t.fetch(&Request::get("/x")).await.unwrap();
    assert_eq!(fake.seen()[0].path, "/api/v3/x");
}

#[tokio::test]
async fn statuses_are_faults_that_name_the_template() {
    for (status, kind) in [
        (401, FaultKind::Unauthorized),
        (403, FaultKind::Unauthorized),
        (404, FaultKind::NotFound),
        (418, FaultKind::Refused),
        (500, FaultKind::Server),
    ] {
        let fake = Fake::always(Says::status(status, r#"{"message":"no \u001b[31mway"}"#)).await;
        let t = to(&fake, options());
        let request = Request {
            template: "/hooks/{{ secret.hook }}".into(),
            ..Request::get("/hooks/abc")
        };
        let fault = t.fetch(&request).await.unwrap_err();
        assert_eq!(fault.kind, kind);
        assert!(
            fault
                .what
                .starts_with("Vendor (v): GET /hooks/{{ secret.hook }}: HTTP"),
            "{}",
            fault.what
        );
        assert!(fault.what.ends_with("no way"), "{}", fault.what);
        assert!(!fault.hint.is_empty());
    }
}

#[tokio::test]
async fn a_get_is_tried_again_and_an_act_never() {
    let fake = Fake::always(Says::status(503, "")).await;
    let t = to(&fake, options());
    assert_eq!(t.send(&Request::get("/")).await.unwrap().status, 503);
    assert_eq!(fake.seen().len(), 2);
    assert_eq!(t.send(&post()).await.unwrap().status, 503);
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn an_act_knows_how_far_it_got() {
    for says in [Says::Close, Says::Silence, Says::Cut(b"{".to_vec())] {
        let fake = Fake::always(says.clone()).await;
        let failure = to(&fake, options()).try_send(&post()).await.unwrap_err();
        assert_eq!(failure.reach, Reach::Unclear, "{says:?}: {failure:?}");
        assert_eq!(fake.seen().len(), 1, "sent exactly once: {says:?}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = closed.local_addr().unwrap();
    drop(closed);
    let t = Transport::new(format!("http://{addr}").parse().unwrap(), options()).unwrap();
    let failure = t.try_send(&post()).await.unwrap_err();
    assert_eq!(failure.reach, Reach::NotSent);
    assert_eq!(failure.fault.kind, FaultKind::Unreachable);
    assert!(failure.fault.hint.contains("nothing listens there"));
}

#[tokio::test]
async fn too_many_requests_put_the_connection_to_sleep_until_the_hour_said() {
    let fake = Fake::always(Says::status(429, "").with("retry-after", "30")).await;
    let clock = hands();
    let t = to(
        &fake,
        Options {
            clock: clock.clone(),
            ..options()
        },
    );
    let fault = t.send(&Request::get("/")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::RateLimited);
    assert_eq!(
        fault.retry_at,
        Some("2026-11-21T12:00:30Z".parse().unwrap())
    );
    let again = t.try_send(&post()).await.unwrap_err();
    assert_eq!(again.reach, Reach::NotSent);
    assert_eq!(fake.seen().len(), 1, "nothing is sent while asleep");
    *clock.0.lock().unwrap() += chrono::Duration::seconds(30);
    let awake = t.try_send(&post()).await.unwrap_err();
    assert_eq!(awake.reach, Reach::Answered, "429 is a clear refusal");
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn huge_slow_and_cut_answers_are_faults() {
    for (says, kind) in [
        (Says::status(200, vec![b'x'; 1001]), FaultKind::TooLarge),
        (Says::Silence, FaultKind::Timeout),
        (Says::Cut(b"{".to_vec()), FaultKind::Unreachable),
    ] {
        let fake = Fake::always(says).await;
        let fault = to(&fake, options())
            .send(&Request::get("/"))
            .await
            .unwrap_err();
        assert_eq!(fault.kind, kind, "{fault}");
    }
}

#[tokio::test]
async fn redirects_stay_on_the_origin() {
    let other = Fake::always(Says::status(200, "stolen")).await;
    let away = other.url();
    let fake = Fake::start(move |seen| match seen.path.as_str() {
        "/near" => Says::status(302, "").with("location", "/there"),
        "/far" => Says::status(302, "").with("location", &away),
        "/loop" => Says::status(302, "").with("location", "/loop"),
        _ => Says::status(200, "here"),
    })
    .await;
    let t = to(&fake, options());
    let near = t.fetch(&Request::get("/near")).await.unwrap();
    assert_eq!(&near.body[..], b"here");
    for path in ["/far", "/loop"] {
        let fault = t.send(&Request::get(path)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused, "{path}");
    }
    assert!(other.seen().is_empty());
    let act = Request {
        target: Target::Path("/near".into()),
        ..post()
    };
    assert_eq!(
        t.send(&act).await.unwrap().status,
        302,
        "an act is not sent on"
    );
}

#[tokio::test]
async fn next_pages_stay_on_the_origin_too() {
    let fake = Fake::always(Says::status(200, "{}")).await;
    let t = to(&fake, options());
    let page = |text: &str| Request {
        target: Target::Absolute(text.into()),
        ..Request::get("")
    };
    t.fetch(&page("/next?page=2")).await.unwrap();
    assert_eq!(fake.seen()[0].path, "/next?page=2");
    for bad in [
        "http://127.0.0.1:1/x",
        "//evil/x",
        "https://evil/",
        "http://u:p@127.0.0.1/",
    ] {
        assert_eq!(
            t.send(&page(bad)).await.unwrap_err().kind,
            FaultKind::Config,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn paths_that_would_leave_their_place_are_refused() {
    let fake = Fake::always(Says::status(200, "{}")).await;
    let t = to(&fake, options());
    for bad in [
        "/a/../b",
        "/a/%2e%2E/b",
        "/./a",
        "//evil/x",
        "a",
        "/a?b",
        "/a#b",
        "/a\\..\\b",
    ] {
        assert!(t.send(&Request::get(bad)).await.is_err(), "{bad}");
    }
    assert!(fake.seen().is_empty());
}

#[test]
fn addresses_with_user_names_other_schemes_and_foreign_hosts_are_refused() {
    let demo = Options {
        loopback: Some(Arc::new(HashSet::from([8080]))),
        ..options()
    };
    for bad in [
        "http://u:p@h/",
        "http://u@h/",
        "ftp://h/",
        "file:///etc/x",
        "http://h/#x",
    ] {
        assert!(
            Transport::new(bad.parse().unwrap(), options()).is_err(),
            "{bad}"
        );
    }
    for bad in [
        "http://127.0.0.1:8081/",
        "http://localhost:8080/",
        "https://127.0.0.1:8080/",
        "http://example.com:8080/",
        "http://[::1]:8080/",
    ] {
        assert!(
            Transport::new(bad.parse().unwrap(), demo.clone()).is_err(),
            "{bad}"
        );
    }
    assert!(Transport::new("http://127.0.0.1:8080/".parse().unwrap(), demo).is_ok());
}

#[tokio::test]
async fn an_unchanged_answer_is_not_sent_again() {
    let fake = Fake::start(|seen| {
        if seen.header("if-none-match") == Some("\"v1\"") {
            Says::status(304, "")
        } else {
            Says::status(200, "body").with("etag", "\"v1\"")
        }
    })
    .await;
    let t = to(
        &fake,
        Options {
            conditional: true,
            ..options()
        },
    );
    for _ in 0..2 {
        let reply = t.fetch(&Request::get("/")).await.unwrap();
        assert_eq!((reply.status, &reply.body[..]), (200, &b"body"[..]));
    }
    assert_eq!(fake.seen()[1].header("if-none-match"), Some("\"v1\""));
}

struct Key;
impl Credentials for Key {
    fn credentials(&self) -> BoxFuture<'_, Result<Vec<Credential>, Fault>> {
        Box::pin(async {
            Ok(vec![
                Credential::Header(
                    HeaderName::from_static("x-key"),
                    HeaderValue::from_static("hush-hush"),
                ),
                Credential::Query("key".into(), "hush-hush".into()),
            ])
        })
    }
    fn refused(&self) {}
}

#[tokio::test]
async fn a_secret_goes_to_the_vendor_and_nowhere_else() {
    let fake = Fake::always(Says::status(400, "your key hush-hush is bad")).await;
    let opts = options();
    opts.redactor.learn("hush-hush");
    let t = to(
        &fake,
        Options {
            credentials: Arc::new(Key),
            ..opts
        },
    );
    let fault = t.fetch(&Request::get("/")).await.unwrap_err();
    assert!(!fault.to_string().contains("hush-hush"), "{fault}");
    assert_eq!(fake.seen()[0].header("x-key"), Some("hush-hush"));
    assert_eq!(fake.seen()[0].path, "/?key=hush-hush");
}

#[tokio::test]
async fn a_stream_gives_its_chunks_and_ends_at_the_limit() {
    let fake = Fake::always(Says::Open(b"data: 1\n\n".to_vec())).await;
    let t = to(&fake, options());
    let mut chunks = t.stream(&Request::get("/s")).await.unwrap();
    assert_eq!(&chunks.next().await.unwrap().unwrap()[..], b"data: 1\n\n");
    let silent = chunks.next().await.unwrap().unwrap_err();
    assert_eq!(silent.kind, FaultKind::Timeout);
    assert!(chunks.next().await.is_none());

    let fake = Fake::always(Says::status(200, vec![b'x'; 1001])).await;
    let t = to(&fake, options());
    let chunks: Vec<_> = t.stream(&Request::get("/s")).await.unwrap().collect().await;
    assert_eq!(
        chunks.last().unwrap().as_ref().unwrap_err().kind,
        FaultKind::TooLarge
    );
    let fake = Fake::always(Says::status(403, "no")).await;
    let refused = to(&fake, options()).stream(&Request::get("/s")).await;
    assert_eq!(refused.err().unwrap().kind, FaultKind::Unauthorized);
}
