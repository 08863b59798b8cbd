//! The plainest HTTP client there is, so that what the program reads is compared with what the server really said.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Status and body of a request to 127.0.0.1 (HTTP/1.0: no chunks, the answer ends with the connection).
pub fn request(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let cut = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let cut = cut.ok_or_else(|| std::io::Error::other("no HTTP answer"))?;
    let status = String::from_utf8_lossy(&answer[..cut])
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| std::io::Error::other("no status"))?;
    Ok((status, answer[cut + 4..].to_vec()))
}

/// A GET with its parameters, which must succeed, as JSON.
pub fn json(port: u16, path: &str, query: &[(&str, &str)]) -> serde_json::Value {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let (status, body) = request(port, "GET", &format!("{path}?{query}"), "").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// Does a GET answer 200?
pub fn answers(port: u16, path: &str) -> bool {
    request(port, "GET", path, "").is_ok_and(|(status, _)| status == 200)
}
