//! A cluster that knows its callers by their certificate: a real TLS server, which lets in whom its authority signed.
//!
//! The certificates beside this file were made for this test alone (`openssl`, P-256, 100 years): `ca` signed `server` (127.0.0.1) and
//! `client`; `stranger` is signed by another authority.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use cockpit::connect::driver::Driver;
use cockpit::connect::transport::ensure_crypto;
use cockpit::domain::observe::FaultKind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::access::{from, kubeconfig};
use super::{Hand, call};

const CA: &str = include_str!("tls/ca.pem");
const SERVER: (&str, &str) = (
    include_str!("tls/server.pem"),
    include_str!("tls/server.key"),
);
const CLIENT: (&str, &str) = (
    include_str!("tls/client.pem"),
    include_str!("tls/client.key"),
);
const STRANGER: (&str, &str) = (
    include_str!("tls/stranger.pem"),
    include_str!("tls/stranger.key"),
);

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// The certificates of those that were let in, one a request.
type Guests = Arc<Mutex<Vec<CertificateDer<'static>>>>;

/// A server that answers every list with an empty one. It ends with the test's process.
fn server() -> (SocketAddr, Guests) {
    ensure_crypto();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(CA)).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
        .build()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER.1.as_bytes()).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(SERVER.0)], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let guests = Guests::default();
    let seen = guests.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut request = Vec::new();
            let mut byte = [0];
            // Who is not let in breaks off here.
            while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                request.push(byte[0]);
            }
            if !request.ends_with(b"\r\n\r\n") {
                continue;
            }
            let guest = stream.conn.peer_certificates().unwrap()[0].clone();
            seen.lock().unwrap().push(guest.into_owned());
            let body = if request.starts_with(b"GET /version") {
                r#"{"gitVersion":"v1.31.2"}"#
            } else {
                r#"{"kind":"List","metadata":{"resourceVersion":"1"},"items":[]}"#
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (addr, guests)
}

#[tokio::test]
async fn a_client_certificate_lets_us_in_and_another_does_not() {
    let (addr, guests) = server();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), CA).unwrap();
    let cluster = format!("    server: https://{addr}\n    certificate-authority: ca.pem");
    let user = |(certificate, key): (&str, &str)| {
        std::fs::write(dir.path().join("own.pem"), certificate).unwrap();
        std::fs::write(dir.path().join("own.key"), key).unwrap();
        "    client-certificate: own.pem\n    client-key: own.key".to_owned()
    };

    let path = kubeconfig(dir.path(), &cluster, &user(CLIENT));
    let k8s = from(&path, &[], Hand::new());
    assert_eq!(
        k8s.health().await.unwrap(),
        "Kubernetes v1.31.2 (prod, shop): 0 rollouts, 0 deployments"
    );
    let seen = guests.lock().unwrap().clone();
    assert!(seen.len() >= 3 && seen.iter().all(|c| *c == certificate(CLIENT.0)));

    // Without one, or with one that the cluster's authority did not sign, nobody gets in; no key is told.
    for user in ["    {}".to_owned(), user(STRANGER)] {
        let path = kubeconfig(dir.path(), &cluster, &user);
        let fault = from(&path, &[], Hand::new())
            .read(&call(), None)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
        assert!(!fault.to_string().contains("PRIVATE KEY"), "{fault}");
    }
    assert_eq!(guests.lock().unwrap().len(), seen.len());

    // And we let in nobody: a server that our own authority did not sign is not asked.
    std::fs::write(dir.path().join("ca.pem"), STRANGER.0).unwrap();
    let path = kubeconfig(dir.path(), &cluster, &user(CLIENT));
    let fault = from(&path, &[], Hand::new())
        .read(&call(), None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    assert_eq!(guests.lock().unwrap().len(), seen.len());
}
