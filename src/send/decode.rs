//! Content codings: decompresses bodies. A body that is cut off, broken or followed by something else is an error,
//! never a shorter body.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::error::SendError;

/// The codings that requests ask for.
pub(super) const ACCEPTED: &str = "gzip, br";

/// Most codings of one body, one on top of another. No honest service uses more.
const MOST_LAYERS: usize = 2;
/// Bytes that a decoder returns at a time.
const PIECE: usize = 32 << 10;
/// Most bytes of the header of a gzip member, with its name and comment.
const MOST_HEAD: usize = 68 << 10;
/// The largest window of brotli as a content coding is 16 MiB (RFC 7932, section 9.1).
const IS_LARGE_WINDOW: bool = false;

/// Where decoded bytes go.
type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> Result<(), SendError>;

/// Undoes the content codings of one response.
pub(super) struct Decoder {
    /// The coding that was applied last is decoded first.
    layers: Vec<Layer>,
    /// Bytes received, and how many may be received.
    came: u64,
    most: Most,
}

enum Layer {
    Gzip(Box<Gzip>),
    Brotli(Box<Brotli>),
}

impl Decoder {
    /// The decoder for a response with these header fields; `None` if the body has no coding. No layer may return more
    /// than `most` bytes.
    ///
    /// # Errors
    /// When the body has a coding that the request did not accept.
    pub(crate) fn of(headers: &HeaderMap, most: Most) -> Result<Option<Decoder>, SendError> {
        match headers.contains_key(CONTENT_ENCODING) {
            true => Decoder::of_coded(headers, most),
            false => Ok(None),
        }
    }

    // The states of decoders are large: a function that makes one must not stand in the way of bodies without a coding.
    #[inline(never)]
    fn of_coded(headers: &HeaderMap, most: Most) -> Result<Option<Decoder>, SendError> {
        let mut layers = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = String::from_utf8_lossy(value.as_bytes());
            for name in value.split(',').map(str::trim) {
                match name.to_ascii_lowercase().as_str() {
                    "" | "identity" => {}
                    "gzip" | "x-gzip" => layers.push(Layer::Gzip(Box::default())),
                    "br" => layers.push(Layer::Brotli(Box::default())),
                    _ => {
                        return Err(SendError::Response(format!(
                            "the body has the content-encoding {name:?}, and {ACCEPTED} were asked for"
                        )));
                    }
                }
            }
        }
        if layers.len() > MOST_LAYERS {
            return Err(SendError::Response(format!(
                "the body has {} content-encodings; more than {MOST_LAYERS} are not decoded",
                layers.len()
            )));
        }
        layers.reverse();
        Ok((!layers.is_empty()).then_some(Decoder {
            layers,
            came: 0,
            most,
        }))
    }

    /// Decodes the next bytes.
    ///
    /// # Errors
    /// When they are broken, or too many.
    pub(crate) fn push(&mut self, bytes: &[u8], sink: Sink<'_>) -> Result<(), SendError> {
        self.came += bytes.len() as u64;
        // Data that cannot be compressed grows a little.
        if self.came > self.most.bytes.saturating_add(self.most.bytes / 8 + 1024) {
            return Err(too_large(self.most));
        }
        push(&mut self.layers, bytes, self.most, sink)
    }

    /// Ends the body. A body without any bytes is empty, whatever its coding.
    ///
    /// # Errors
    /// When it is cut off.
    pub(crate) fn finish(&self) -> Result<(), SendError> {
        match self.came {
            0 => Ok(()),
            _ => self.layers.iter().try_for_each(Layer::finish),
        }
    }
}

/// How large a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub bytes: u64,
    /// What sets the limit.
    pub by: &'static str,
}

/// The error for a body that is too large.
pub(super) fn too_large(Most { bytes, by }: Most) -> SendError {
    SendError::Response(format!("the body is larger than {bytes} bytes, {by}"))
}

fn push(layers: &mut [Layer], bytes: &[u8], most: Most, sink: Sink<'_>) -> Result<(), SendError> {
    let Some((layer, inner)) = layers.split_first_mut() else {
        return sink(bytes);
    };
    let mut pass = |piece: &[u8]| push(inner, piece, most, &mut *sink);
    match layer {
        Layer::Gzip(gzip) => gzip.push(bytes, most, &mut pass),
        Layer::Brotli(brotli) => brotli.push(bytes, most, &mut pass),
    }
}

impl Layer {
    fn finish(&self) -> Result<(), SendError> {
        match self {
            Layer::Gzip(gzip) if gzip.is_whole() => Ok(()),
            Layer::Gzip(_) => Err(broken("gzip", "is cut off")),
            Layer::Brotli(brotli) if brotli.is_whole => Ok(()),
            Layer::Brotli(_) => Err(broken("br", "is cut off")),
        }
    }
}

fn broken(coding: &str, what: &str) -> SendError {
    SendError::Response(format!("the body is packed with {coding} and {what}"))
}

/// Counts the bytes that a layer returned.
fn count(given: &mut u64, piece: &[u8], most: Most) -> Result<(), SendError> {
    *given += piece.len() as u64;
    match *given > most.bytes {
        true => Err(too_large(most)),
        false => Ok(()),
    }
}

/// Which part of a gzip member the next byte belongs to.
#[derive(Clone, Copy, Default, PartialEq)]
enum Stage {
    #[default]
    Head,
    Body,
    Tail,
}

/// A gzip body: one member after another, each with its checksum and length (RFC 1952).
struct Gzip {
    stage: Stage,
    /// The header or the trailer of a member, as far as it was received.
    aside: Vec<u8>,
    inflate: Decompress,
    sum: Crc,
    members: u64,
    given: u64,
    buffer: Vec<u8>,
}

impl Default for Gzip {
    fn default() -> Gzip {
        Gzip {
            stage: Stage::Head,
            aside: Vec::new(),
            inflate: Decompress::new(false),
            sum: Crc::new(),
            members: 0,
            given: 0,
            buffer: vec![0; PIECE],
        }
    }
}

impl Gzip {
    fn is_whole(&self) -> bool {
        self.members > 0 && self.stage == Stage::Head && self.aside.is_empty()
    }

    fn push(&mut self, bytes: &[u8], most: Most, sink: Sink<'_>) -> Result<(), SendError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.stage {
                Stage::Head => self.head(rest)?,
                Stage::Body => self.body(rest, most, sink)?,
                Stage::Tail => self.tail(rest)?,
            };
            rest = &rest[used..];
        }
        Ok(())
    }

    /// Takes bytes of a header and returns how many.
    fn head(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        let before = self.aside.len();
        let room = MOST_HEAD.saturating_sub(before).min(bytes.len());
        self.aside.extend_from_slice(&bytes[..room]);
        let magic = [0x1f, 0x8b, 8];
        let known = self.aside.len().min(magic.len());
        if self.aside[..known] != magic[..known] {
            return Err(broken(
                "gzip",
                match self.members {
                    0 => "is no gzip",
                    _ => "something else follows it",
                },
            ));
        }
        match head_length(&self.aside) {
            Some(length) => {
                self.aside.clear();
                self.inflate.reset(false);
                self.sum.reset();
                self.stage = Stage::Body;
                Ok(length - before)
            }
            None if self.aside.len() >= MOST_HEAD => Err(broken("gzip", "its head never ends")),
            None => Ok(room),
        }
    }

    /// Inflates bytes and returns how many it used.
    fn body(&mut self, bytes: &[u8], most: Most, sink: Sink<'_>) -> Result<usize, SendError> {
        let mut used = 0;
        loop {
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(&bytes[used..], &mut self.buffer, FlushDecompress::None)
                .map_err(|_| broken("gzip", "is broken"))?;
            let taken = usize::try_from(self.inflate.total_in() - before_in).unwrap_or_default();
            let made = usize::try_from(self.inflate.total_out() - before_out).unwrap_or_default();
            used += taken;
            let piece = &self.buffer[..made];
            self.sum.update(piece);
            count(&mut self.given, piece, most)?;
            if made > 0 {
                sink(piece)?;
            }
            match status {
                Status::StreamEnd => {
                    self.stage = Stage::Tail;
                    return Ok(used);
                }
                // There can be more only if the last piece filled the buffer, or bytes are left.
                _ if made == self.buffer.len() || (used < bytes.len() && taken + made > 0) => {}
                _ if used == bytes.len() => return Ok(used),
                _ => return Err(broken("gzip", "is broken")),
            }
        }
    }

    /// Takes bytes of a trailer and returns how many.
    fn tail(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        let used = (8 - self.aside.len()).min(bytes.len());
        self.aside.extend_from_slice(&bytes[..used]);
        if let [a, b, c, d, e, f, g, h] = self.aside[..] {
            let (sum, length) = (
                u32::from_le_bytes([a, b, c, d]),
                u32::from_le_bytes([e, f, g, h]),
            );
            if (sum, length) != (self.sum.sum(), self.sum.amount()) {
                return Err(broken("gzip", "its checksum is wrong"));
            }
            self.aside.clear();
            self.members += 1;
            self.stage = Stage::Head;
        }
        Ok(used)
    }
}

/// The length of the header of a gzip member; `None` if it is not complete.
fn head_length(bytes: &[u8]) -> Option<usize> {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const CHECKSUM: u8 = 2;
    let flags = *bytes.get(3)?;
    let mut length = 10;
    if flags & EXTRA != 0 {
        let [low, high] = [*bytes.get(length)?, *bytes.get(length + 1)?];
        length += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            length += 1 + bytes.get(length..)?.iter().position(|byte| *byte == 0)?;
        }
    }
    if flags & CHECKSUM != 0 {
        length += 2;
    }
    (bytes.len() >= length).then_some(length)
}

/// A brotli body (RFC 7932).
struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    is_whole: bool,
    given: u64,
    buffer: Vec<u8>,
}

impl Default for Brotli {
    fn default() -> Brotli {
        let allocator = StandardAlloc::default;
        let mut state = BrotliState::new(allocator(), allocator(), allocator());
        state.large_window = IS_LARGE_WINDOW;
        Brotli {
            state,
            is_whole: false,
            given: 0,
            buffer: vec![0; PIECE],
        }
    }
}

impl Brotli {
    fn push(&mut self, bytes: &[u8], most: Most, sink: Sink<'_>) -> Result<(), SendError> {
        let mut used = 0;
        loop {
            if self.is_whole {
                return match used == bytes.len() {
                    true => Ok(()),
                    false => Err(broken("br", "something else follows it")),
                };
            }
            let mut made = 0;
            let result = BrotliDecompressStream(
                &mut (bytes.len() - used),
                &mut used,
                bytes,
                &mut self.buffer.len(),
                &mut made,
                &mut self.buffer,
                &mut 0,
                &mut self.state,
            );
            let piece = &self.buffer[..made];
            count(&mut self.given, piece, most)?;
            if made > 0 {
                sink(piece)?;
            }
            match result {
                BrotliResult::ResultSuccess => self.is_whole = true,
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::NeedsMoreInput => return Ok(()),
                BrotliResult::ResultFailure => return Err(broken("br", "is broken")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::header::HeaderValue;
    use pretty_assertions::assert_eq;

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn decode(encodings: &[&'static str], bytes: &[u8], step: usize) -> Result<Vec<u8>, String> {
        let fields = encodings
            .iter()
            .map(|value| (CONTENT_ENCODING, HeaderValue::from_static(value)));
        let told = |error: SendError| error.to_string();
        let most = Most {
            bytes: LIMIT,
            by: "the limit",
        };
        let mut headers = HeaderMap::new();
        fields.for_each(|(name, value)| {
            headers.append(name, value);
        });
        let Some(mut decoder) = Decoder::of(&headers, most).map_err(told)? else {
            return Ok(bytes.to_vec());
        };
        let mut decoded = Vec::new();
        for piece in bytes.chunks(step) {
            let mut sink = |piece: &[u8]| {
                decoded.extend_from_slice(piece);
                Ok(())
            };
            decoder.push(piece, &mut sink).map_err(told)?;
        }
        decoder.finish().map_err(told)?;
        Ok(decoded)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A member whose header has every optional part.
    fn gzip_with_head(bytes: &[u8]) -> Vec<u8> {
        let encoder = flate2::GzBuilder::new()
            .extra(vec![7; 300])
            .filename("name")
            .comment("words");
        let mut encoder = encoder.write(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Brotli without compression: a window of 16 bits, one stored block, an empty last block.
    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len() - 1).unwrap();
        assert!(length < 1 << 16);
        // One bit for the window, one for "not the last", two for the size of the length, the length, "stored".
        let head = (length << 4) | (1 << 20);
        let mut packed = head.to_le_bytes()[..3].to_vec();
        packed.extend_from_slice(bytes);
        packed.push(0b11);
        packed
    }

    #[test]
    fn bodies_are_whole_whatever_the_pieces() {
        let data: Vec<u8> = (0..50_000_u32)
            .flat_map(|n| (n * n).to_le_bytes())
            .collect();
        let (one, two) = data.split_at(70_000);
        let members = [gzip(one), gzip_with_head(two), gzip(b"")].concat();
        let short = &data[..60_000];
        for (encodings, packed, expected) in [
            (vec!["gzip"], gzip(&data), &*data),
            (vec!["GZIP"], members.clone(), &data),
            (vec!["x-gzip"], gzip(b""), b""),
            (vec!["br"], brotli(short), short),
            (vec!["gzip, gzip"], gzip(&gzip(&data)), &data),
            (vec!["gzip", "gzip"], gzip(&members), &data),
            (vec!["br, gzip"], gzip(&brotli(short)), short),
            (vec!["identity"], data.clone(), &data),
            (vec!["identity, , gzip"], gzip(&data), &data),
            (vec![], data.clone(), &data),
            (vec!["gzip"], Vec::new(), b""),
            (vec!["br"], Vec::new(), b""),
        ] {
            for step in [1, 7, 4096, usize::MAX] {
                let decoded = decode(&encodings, &packed, step);
                assert!(
                    decoded.as_deref() == Ok(expected),
                    "{encodings:?} by {step}"
                );
            }
        }
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_an_error() {
        let (gzipped, members) = (
            gzip_with_head(b"some text"),
            [gzip(b"a"), gzip(b"b")].concat(),
        );
        for (encoding, packed, whole) in [
            ("gzip", &gzipped, vec![]),
            // Between two members a body looks complete.
            ("gzip", &members, vec![gzip(b"a").len()]),
            ("br", &brotli(b"some text"), vec![]),
        ] {
            for end in 1..packed.len() {
                let decoded = decode(&[encoding], &packed[..end], 64);
                match whole.contains(&end) {
                    true => assert_eq!(decoded, Ok(b"a".to_vec())),
                    false => assert!(decoded.unwrap_err().contains("is cut off"), "{end}"),
                }
            }
        }
    }

    #[test]
    #[ignore = "long"]
    fn what_is_not_as_it_says_is_an_error() {
        let with = |mut packed: Vec<u8>, at: usize, byte: u8| {
            let at = packed.len() - at;
            packed[at] ^= byte;
            packed
        };
        let head = [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0].to_vec();
        for (encoding, packed, expected) in [
            ("gzip", b"plain text".to_vec(), "is no gzip"),
            ("gzip", brotli(b"text"), "is no gzip"),
            (
                "gzip",
                [gzip(b"a"), b"garbage".to_vec()].concat(),
                "follows it",
            ),
            ("gzip", [gzip(b"a"), vec![0; 8]].concat(), "follows it"),
            ("gzip", with(gzip(b"text"), 8, 1), "checksum is wrong"),
            ("gzip", with(gzip(b"text"), 1, 1), "checksum is wrong"),
            (
                "gzip",
                [head.clone(), vec![b'a'; 70_000]].concat(),
                "never ends",
            ),
            (
                "gzip",
                [&head[..3], &[0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]].concat(),
                "is broken",
            ),
            (
                "br",
                [brotli(b"a"), b"garbage".to_vec()].concat(),
                "follows it",
            ),
            ("br", gzip(b"some longer text"), "br and"),
            ("br", vec![0xff; 64], "is broken"),
            ("zstd", b"a".to_vec(), "\"zstd\""),
            ("deflate", b"a".to_vec(), "gzip, br were asked for"),
            ("gzip, gzip, gzip", b"a".to_vec(), "3 content-encodings"),
            ("gzip, zstd", b"a".to_vec(), "\"zstd\""),
            ("gzip\tbr", b"a".to_vec(), "gzip\\tbr"),
        ] {
            for step in [1, usize::MAX] {
                let told = decode(&[encoding], &packed, step).unwrap_err();
                assert!(told.contains(expected), "{encoding} {expected}: {told}");
            }
        }
    }

    #[test]
    #[ignore = "long"]
    fn no_layer_gives_more_than_the_limit() {
        let zeros = |mebibytes: usize| vec![0; mebibytes << 20];
        let exact = zeros(1);
        assert_eq!(
            decode(&["gzip"], &gzip(&exact), 512).unwrap().len(),
            1 << 20
        );
        // The inner layer is far below the limit.
        let hidden = [gzip(b""); 1].concat().repeat(200_000);
        for (encoding, packed) in [
            ("gzip", gzip(&[exact, vec![0]].concat())),
            ("gzip", gzip(&zeros(8))),
            ("gzip, gzip", gzip(&gzip(&zeros(8)))),
            ("gzip, gzip", gzip(&hidden)),
            ("gzip", hidden),
        ] {
            let told = decode(&[encoding], &packed, 4096).unwrap_err();
            assert!(told.contains("larger than 1048576 bytes"), "{told}");
        }
    }
}
