//! Receiving: the whole body of a response, decompressed, or an error.

use std::pin::pin;
use std::sync::OnceLock;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::Version;
use http::header::{HeaderMap, TRANSFER_ENCODING};
use url::Url;

use super::Policy;
use super::decode::{Decoder, Most, too_large};
use super::download::{Destination, Download};
use super::error::SendError;
use super::patience::{Late, Parts, Patience};
use super::{Body, Headers, Response, is_success, network_error, retry};
use crate::plan::Method;
use crate::sign::{Redactor, SignedRequest};

/// The status of a partial response.
const PARTIAL: u16 = 206;

/// Most bytes of the body of an error response that are kept.
const MOST_OF_ERROR: u64 = 8 << 20;

/// How to receive a response.
pub(super) struct Receiver<'r> {
    pub policy: &'r Policy,
    pub request: &'r SignedRequest<'r>,
    /// The base URL of the service.
    pub base: &'r Url,
    /// The file that the body of a success goes to, if it goes to one.
    pub destination: Option<&'r Destination>,
    /// Masks the secrets of the request in the response.
    pub redactor: &'r Redactor,
    /// How long to wait for the body of an error response.
    pub until: Instant,
    /// Counts the parts of the response.
    pub parts: &'r Parts,
}

impl Receiver<'_> {
    /// Reads the body; that of a success goes to a file, if there is a destination. If the body of an error response
    /// breaks off or cannot be read, the first part is kept: the status matters more than a whole body.
    pub(crate) async fn receive(
        &self,
        response: http::Response<Body>,
    ) -> Result<Box<Response>, SendError> {
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        let mut taken = Taken::new(self.most(status));
        let incomplete = match is_success(status) {
            true => {
                self.refuse_part(status)?;
                taken.open(self.destination)?;
                self.fill(&mut taken, &parts, body).await?;
                None
            }
            false => {
                let filling = pin!(self.fill(&mut taken, &parts, body));
                let patience = Patience {
                    last: self.until,
                    part: self.policy.timeout.read.0,
                    parts: self.parts,
                };
                match patience.wait_for(filling, Instant::now()).await {
                    Ok(Ok(())) => None,
                    Ok(Err(SendError::Response(reason))) => Some(reason),
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(Late::Part) => Some(Late::Part.error(&self.policy.timeout).to_string()),
                    Err(Late::Whole) => Some("the rest of it did not come in time".to_owned()),
                }
            }
        };
        let (body, download) = taken.finish();
        // On the heap, because it passes through many hands.
        Ok(Box::new(Response {
            status,
            retry_after: retry::retry_after(&parts.headers).wait(),
            headers: Headers::new(parts.headers, self.redactor),
            body,
            download,
            incomplete: incomplete.map(|reason| self.redactor.message(&reason)),
            attempts: 1,
            may_be_done: false,
            json: OnceLock::new(),
        }))
    }

    fn most(&self, status: u16) -> Most {
        let bytes = self.policy.limits.response_bytes;
        match !is_success(status) && bytes > MOST_OF_ERROR {
            true => Most {
                bytes: MOST_OF_ERROR,
                by: "the most that is read of an error",
            },
            false => Most {
                bytes,
                by: "the service's limits.response_bytes",
            },
        }
    }

    fn refuse_part(&self, status: u16) -> Result<(), SendError> {
        match status == PARTIAL && !self.request.asks_for_range() {
            true => Err(SendError::Response(
                "it is a partial response (206), which was not requested".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Reads the whole body.
    async fn fill(
        &self,
        taken: &mut Taken<'_>,
        parts: &http::response::Parts,
        mut body: Body,
    ) -> Result<(), SendError> {
        refuse_transfer_coding(&parts.headers)?;
        let decoder = match self.request.method {
            // Its header fields describe a body that is not sent.
            Method::Head => None,
            _ => Decoder::of(&parts.headers, taken.most)?,
        };
        let Some(mut decoder) = decoder else {
            taken.expected = body.exact_size().unwrap_or_default();
            while let Some(chunk) = self.next_chunk(&mut body, parts.version).await? {
                taken.take(chunk)?;
            }
            return Ok(());
        };
        while let Some(chunk) = self.next_chunk(&mut body, parts.version).await? {
            decoder.push(&chunk, &mut |piece| taken.add(piece))?;
        }
        decoder.finish()
    }

    /// The next piece of a body, as it was received.
    async fn next_chunk(
        &self,
        body: &mut Body,
        version: Version,
    ) -> Result<Option<Bytes>, SendError> {
        if let Some(piece) = body.next().await {
            self.parts.count();
            let piece = piece.map_err(|error| network_error(error, self.policy, self.base))?;
            return Ok(Some(piece));
        }
        // The HTTP client treats a stream that the service resets without an error as a complete one.
        match version == Version::HTTP_2 && !body.has_ended() {
            true => Err(SendError::Network {
                what: format!(
                    "the exchange with {} failed",
                    self.base.host_str().unwrap_or("the service")
                ),
                reason: "the service reset the stream before the end of the body".to_owned(),
            }),
            false => Ok(None),
        }
    }
}

/// The HTTP client decodes only `chunked`, and asks for no other transfer coding.
fn refuse_transfer_coding(headers: &HeaderMap) -> Result<(), SendError> {
    for value in headers.get_all(TRANSFER_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes());
        if !value.trim().eq_ignore_ascii_case("chunked") {
            return Err(SendError::Response(format!(
                "the body has the transfer-encoding {value:?}, which was not requested"
            )));
        }
    }
    Ok(())
}

/// The part of a body received so far, decompressed.
struct Taken<'d> {
    file: Option<(Download, &'d Destination)>,
    most: Most,
    /// The announced length of the body; 0 if none is announced.
    expected: u64,
    size: u64,
    // Most bodies come in one piece, which then needs no copy.
    only: Bytes,
    all: BytesMut,
}

impl<'d> Taken<'d> {
    fn new(most: Most) -> Taken<'d> {
        Taken {
            file: None,
            most,
            expected: 0,
            size: 0,
            only: Bytes::new(),
            all: BytesMut::new(),
        }
    }

    /// Sends the body to a file, if there is a destination.
    fn open(&mut self, destination: Option<&'d Destination>) -> Result<(), SendError> {
        if let Some(destination) = destination {
            self.file = Some((destination.begin()?, destination));
        }
        Ok(())
    }

    /// Takes a piece that may be the whole body.
    fn take(&mut self, piece: Bytes) -> Result<(), SendError> {
        if self.size > 0 || self.file.is_some() {
            return self.add(&piece);
        }
        let fits = self.count(piece.len());
        self.only = piece.slice(..fits);
        self.refuse_excess()
    }

    /// Takes one piece of several. Of a piece that is too large, the part that fits is kept: an error response is shown
    /// by it.
    fn add(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let fits = self.count(piece.len());
        let piece = &piece[..fits];
        if let Some((download, destination)) = &mut self.file {
            download.write(piece, destination)?;
            return self.refuse_excess();
        }
        if !self.only.is_empty() {
            let room = usize::try_from(self.expected.min(self.most.bytes)).unwrap_or_default();
            self.all.reserve(room.max(self.only.len() + piece.len()));
            self.all.extend_from_slice(&std::mem::take(&mut self.only));
        }
        self.all.extend_from_slice(piece);
        self.refuse_excess()
    }

    /// Counts a piece, and returns how many of its bytes fit.
    fn count(&mut self, length: usize) -> usize {
        let room = self.most.bytes.saturating_sub(self.size);
        self.size += length as u64;
        length.min(usize::try_from(room).unwrap_or(usize::MAX))
    }

    fn refuse_excess(&self) -> Result<(), SendError> {
        match self.size > self.most.bytes {
            true => Err(too_large(self.most)),
            false => Ok(()),
        }
    }

    fn finish(self) -> (Bytes, Option<Download>) {
        let body = match self.all.is_empty() {
            true => self.only,
            false => self.all.freeze(),
        };
        (body, self.file.map(|(download, _)| download))
    }
}
