//! A vendor for the tests: plain HTTP/1.1 over TCP on a free port of 127.0.0.1, answering as told, counting what reached it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// GET, POST, …
    pub method: String,
    /// Path with query, as sent.
    pub path: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Seen {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// How it answers.
#[derive(Clone, Debug)]
pub enum Says {
    /// Status, headers, body.
    Full(u16, Vec<(String, String)>, Vec<u8>),
    /// Promises more bytes than it sends, then closes.
    Cut(Vec<u8>),
    /// Reads the request and says nothing until the client leaves.
    Silence,
    /// Reads the request and closes.
    Close,
    /// Two answers to one request, one right after the other.
    Twice(Box<Says>, Box<Says>),
    /// This answer after a while.
    Late(std::time::Duration, Box<Says>),
    /// Sends headers and this text, then keeps the connection open.
    Open(Vec<u8>),
}

impl Says {
    /// 200 with a JSON body.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::status(200, value.to_string())
    }
    /// A status with a body.
    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Full(
            status,
            vec![("content-type".into(), "application/json".into())],
            body.into(),
        )
    }
    /// The same with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Full(_, headers, _) = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// The running fake; it ends when dropped.
pub struct Fake {
    /// Where it listens.
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Starts one that answers each request by `answer`.
    pub async fn start(answer: impl Fn(&Seen) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (seen.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    let mut stream = stream;
                    while let Some(request) = read(&mut stream).await {
                        log.lock().unwrap().push(request.clone());
                        if !write(&mut stream, answer(&request), request.method == "HEAD").await {
                            break;
                        }
                    }
                });
            }
        });
        Self { addr, seen, task }
    }

    /// Always the same answer.
    pub async fn always(says: Says) -> Self {
        Self::start(move |_| says.clone()).await
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Everything that reached it.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..n]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let mut seen = Seen {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers: lines
            .filter_map(|l| l.split_once(": "))
            .map(|(n, v)| (n.to_lowercase(), v.to_owned()))
            .collect(),
        body: bytes[end + 4..].to_vec(),
    };
    let length = seen
        .header("content-length")
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    while seen.body.len() < length {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok()?;
        if n == 0 {
            return None;
        }
        seen.body.extend_from_slice(&chunk[..n]);
    }
    Some(seen)
}

/// Whether the connection stays open.
async fn write(stream: &mut TcpStream, says: Says, head: bool) -> bool {
    match says {
        Says::Full(status, headers, body) => {
            let mut out = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                out.push_str(&format!("{name}: {value}\r\n"));
            }
            out.push_str("\r\n");
            let mut out = out.into_bytes();
            if !head {
                out.extend(body);
            }
            stream.write_all(&out).await.is_ok()
        }
        Says::Cut(body) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                body.len() + 100
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
            let _ = stream.shutdown().await;
            false
        }
        Says::Close => false,
        Says::Twice(first, second) => {
            Box::pin(write(stream, *first, head)).await
                && Box::pin(write(stream, *second, head)).await
        }
        Says::Late(pause, says) => {
            tokio::time::sleep(pause).await;
            Box::pin(write(stream, *says, head)).await
        }
        Says::Silence => {
            let mut chunk = [0; 64];
            let _ = stream.read(&mut chunk).await;
            false
        }
        Says::Open(body) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
            let mut chunk = [0; 64];
            let _ = stream.read(&mut chunk).await;
            false
        }
    }
}
