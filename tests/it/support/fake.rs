//! A fake service: plain HTTP/1.1 on a loopback port, one thread for each connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request that the fake received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub method: String,
    /// As it came, percent-encoded.
    pub path: String,
    /// As it came, percent-encoded, without the `?`.
    pub query: String,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        match self.query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.query),
        }
    }

    /// The origin that the request was sent to.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or_default())
    }
}

/// How a reply is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    Whole,
    /// The body alone, without a status line and headers.
    Bare,
    /// The body byte by byte, with a pause before each.
    Dribble(Duration),
    /// Half of the body; then the connection is closed.
    Cut,
    /// Nothing; the connection is closed.
    Drop,
    /// Nothing; the connection stays open until the client closes it.
    Hang,
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub manner: Manner,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        Reply {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
            manner: Manner::Whole,
        }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Reply {
        Reply::new(status, "application/json", body.to_string())
    }

    /// 200 and an empty object.
    pub(crate) fn ok() -> Reply {
        Reply::new(200, "application/json", "{}")
    }

    pub(crate) fn redirect(status: u16, location: impl Into<String>) -> Reply {
        Reply::new(status, "text/plain", "moved").with("location", location)
    }

    pub(crate) fn manner(manner: Manner) -> Reply {
        Reply {
            manner,
            ..Reply::new(200, "application/json", r#"{"slow": true}"#)
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A fake service that keeps the requests it received. It stops when it is dropped.
pub(crate) struct Fake {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stops: Arc<AtomicBool>,
}

impl Fake {
    /// Starts a service that answers by `handler`.
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stops = Arc::new(AtomicBool::new(false));
        let handler = Arc::new(handler);
        let (seen, stopped) = (Arc::clone(&requests), Arc::clone(&stops));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
                // The fake ignores a client that disconnects early.
                thread::spawn(move || serve(stream, &*handler, &seen));
            }
        });
        Fake {
            address,
            requests,
            stops,
        }
    }

    /// Starts a service that gives these replies in turn, and then repeats the last one.
    pub(crate) fn script(replies: impl Into<Vec<Reply>>) -> Fake {
        let replies = replies.into();
        let turn = Mutex::new(0);
        Fake::start(move |_| {
            let mut turn = turn.lock().expect("no panic");
            let reply = &replies[(*turn).min(replies.len() - 1)];
            *turn += 1;
            reply.clone()
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Such as `http://127.0.0.1:4711`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// Waits for the first request.
    #[track_caller]
    pub(crate) fn awaited(&self) {
        let begun = std::time::Instant::now();
        while self.requests().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(30), "no request came");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The paths and queries of the requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.requests().iter().map(Request::target).collect()
    }

    /// The one request so far.
    #[track_caller]
    pub(crate) fn only_request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// An origin at which nobody listens. A port that is free now may soon be used by another test; this one is reserved.
pub(crate) fn refused_origin() -> String {
    "http://127.0.0.1:1".to_owned()
}

fn serve(
    mut stream: TcpStream,
    handler: &dyn Fn(&Request) -> Reply,
    seen: &Mutex<Vec<Request>>,
) -> Option<()> {
    let request = read_request(&mut stream)?;
    seen.lock().ok()?.push(request.clone());
    let reply = handler(&request);
    let mut head = format!("HTTP/1.1 {} Fake\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!(
        "content-length: {}\r\nconnection: close\r\n\r\n",
        reply.body.len()
    ));
    match reply.manner {
        Manner::Drop => {}
        Manner::Hang => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).ok()?;
        }
        Manner::Bare => stream.write_all(&reply.body).ok()?,
        Manner::Cut => {
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(&reply.body[..reply.body.len() / 2]).ok()?;
        }
        Manner::Whole => {
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(&reply.body).ok()?;
        }
        Manner::Dribble(pause) => {
            stream.write_all(head.as_bytes()).ok()?;
            for byte in reply.body {
                thread::sleep(pause);
                stream.write_all(&[byte]).ok()?;
            }
        }
    }
    Some(())
}

/// The request, once it is complete; `None` if it is not HTTP.
fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&part[..count]),
        }
    };
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (path, query) = (path.to_owned(), query.to_owned());
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(Some(0), |(_, value)| value.parse().ok())?;
    let mut body = bytes.split_off(end + 4);
    let already = body.len();
    body.resize(length, 0);
    stream.read_exact(body.get_mut(already..)?).ok()?;
    Some(Request {
        method,
        path,
        query,
        headers,
        body,
    })
}
