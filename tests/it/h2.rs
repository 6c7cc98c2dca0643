//! A fake service that speaks HTTP/2 over TLS, frame by frame, so that it can break the rules.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// One frame of an answer, or the end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Frame {
    /// Status 200, with the announced length of the body.
    Head(Option<usize>),
    /// The same, without a body.
    HeadAlone,
    /// The same, packed with gzip.
    PackedHead,
    Data(&'static [u8]),
    LastData(&'static [u8]),
    Trailers,
    /// A reset with this code.
    Reset(u32),
    /// The connection is announced to end (GOAWAY), and ends.
    GoAway(u32),
}

impl Frame {
    fn bytes(self, stream: u32) -> Vec<u8> {
        match self {
            Frame::Head(length) => frame(HEADERS, END_HEADERS, stream, &head(length)),
            Frame::HeadAlone => frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(None)),
            Frame::PackedHead => {
                let packed = [&head(None)[..], &field(26, "gzip")].concat();
                frame(HEADERS, END_HEADERS, stream, &packed)
            }
            Frame::Data(data) => frame(DATA, 0, stream, data),
            Frame::LastData(data) => frame(DATA, END_STREAM, stream, data),
            Frame::Trailers => {
                // A literal field with a new name.
                let field = [&[0, 3][..], b"sum", &[1], b"7"].concat();
                frame(HEADERS, END_HEADERS | END_STREAM, stream, &field)
            }
            Frame::Reset(code) => frame(RESET, 0, stream, &code.to_be_bytes()),
            Frame::GoAway(code) => {
                let payload = [0_u32.to_be_bytes(), code.to_be_bytes()].concat();
                frame(GOAWAY, 0, 0, &payload)
            }
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// `:status: 200`, the content type of JSON, and the length if it is announced.
fn head(length: Option<usize>) -> Vec<u8> {
    let mut head = vec![0x88];
    head.extend(field(31, "application/json"));
    if let Some(length) = length {
        head.extend(field(28, &length.to_string()));
    }
    head
}

/// A field whose name is in the static table (RFC 7541, section 6.2.2).
fn field(index: u8, value: &str) -> Vec<u8> {
    let length = u8::try_from(value.len()).expect("a short value");
    let mut field = vec![0x0f, index - 15, length];
    field.extend_from_slice(value.as_bytes());
    field
}

/// A service that answers each request with the same frames.
pub(crate) struct H2Fake {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl H2Fake {
    pub(crate) fn start(answer: &'static [Frame]) -> H2Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let config = Arc::new(config());
        // It ends with the program of the tests.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, counter) = (Arc::clone(&config), Arc::clone(&counter));
                thread::spawn(move || serve(stream.ok()?, config, answer, &counter));
            }
        });
        H2Fake { address, requests }
    }

    pub(crate) fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// The certificate of the fake, which is made up for these tests.
pub(crate) fn certificate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/certificate.pem")
}

fn config() -> ServerConfig {
    let key = certificate().with_file_name("key.pem");
    let certificate = CertificateDer::from_pem_file(certificate()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: &[Frame],
    requests: &AtomicUsize,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let connection = ServerConnection::new(config).ok()?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).ok()?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).ok()?;
    // Requests come on one connection until the client or the answer ends it.
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; usize::try_from(length).ok()?];
        stream.read_exact(&mut payload).ok()?;
        match kind {
            SETTINGS if flags & ACK == 0 => {
                stream.write_all(&frame(SETTINGS, ACK, 0, &[])).ok()?;
            }
            HEADERS => {
                requests.fetch_add(1, Ordering::SeqCst);
                for part in answer {
                    let bytes = part.bytes(u32::from_be_bytes(id));
                    stream.write_all(&bytes).ok()?;
                }
                stream.flush().ok()?;
                if matches!(answer.last(), Some(Frame::GoAway(_))) {
                    return Some(());
                }
            }
            _ => {}
        }
    }
}
