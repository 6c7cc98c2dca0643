//! Finds where the values of a JSON text end while it is read, so that no more of it is in memory than one value.

use std::io::{self, Read};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// A JSON text that is being read.
pub(super) struct Scanner<R> {
    input: R,
    chunk: Vec<u8>,
    /// The bytes of the chunk that hold data, and the next one of them.
    filled: usize,
    at: usize,
    /// Where the chunk begins in the text.
    start: u64,
}

/// A value that was read.
pub(super) enum Value {
    /// Its text.
    Text(Vec<u8>),
    /// It has more bytes than were allowed, and was passed over.
    TooLarge,
    /// The text ends within it.
    Cut,
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(input: R) -> Scanner<R> {
        Scanner {
            input,
            chunk: vec![0; CHUNK],
            filled: 0,
            at: 0,
            start: 0,
        }
    }

    /// Bytes of the text that were taken so far.
    pub(super) fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    /// The next byte; it is not taken.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        while self.at == self.filled {
            self.start += self.filled as u64;
            (self.at, self.filled) = (0, 0);
            match self.input.read(&mut self.chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => self.filled = count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.chunk.get(self.at).copied())
    }

    /// Takes the byte that was peeked at.
    pub(super) fn take(&mut self) {
        self.at += 1;
    }

    /// The next byte that is not white space; it is not taken.
    pub(super) fn token(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Ok(Some(byte));
            }
            self.take();
        }
        Ok(None)
    }

    /// Takes the value that begins here. With more than `most` bytes it is passed over.
    pub(super) fn value(&mut self, most: usize) -> io::Result<Value> {
        let mut text = Vec::new();
        let mut is_too_large = false;
        let mut state = State::default();
        while self.peek()?.is_some() {
            let rest = &self.chunk[self.at..self.filled];
            let end = state.end(rest);
            let taken = end.unwrap_or(rest.len());
            match is_too_large || text.len() + taken > most {
                false => text.extend_from_slice(&rest[..taken]),
                true => (is_too_large, text) = (true, Vec::new()),
            }
            self.at += taken;
            if end.is_some() {
                return Ok(match is_too_large {
                    false => Value::Text(text),
                    true => Value::TooLarge,
                });
            }
        }
        Ok(Value::Cut)
    }
}

/// What is known of a value whose beginning was read.
#[derive(Default)]
struct State {
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
}

impl State {
    /// Where the value ends in the next bytes of the text; none if it goes on.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.is_in_string {
                at = self.within_string(bytes, at);
                if !self.is_in_string && self.depth == 0 {
                    return Some(at);
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' | b':' if self.depth == 0 => {
                    return Some(at);
                }
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// Goes on within a string, to behind its closing quote or to the end of the bytes.
    fn within_string(&mut self, bytes: &[u8], mut at: usize) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            at += 1;
        }
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                return bytes.len();
            };
            at += found + 1;
            if rest[found] == b'"' {
                self.is_in_string = false;
                return at;
            }
            if at == bytes.len() {
                self.is_escaped = true;
                return at;
            }
            at += 1;
        }
    }
}
