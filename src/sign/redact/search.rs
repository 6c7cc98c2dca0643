//! The search for secrets in a text, in any notation.
//!
//! The text is read through a window in which notations are undone and the case of letters is ignored. Each secret is
//! searched for in it with an algorithm that is linear even in the worst case. Base64 and hex encode whole texts: if a
//! stretch of the window is long enough to hold a secret, and decodes to characters that a secret may have, it is
//! decoded and searched in the same way.

use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem::Finder;

use super::SHORTEST_IN_FILES;
use super::notation::{Reader, has_escape, undone};

/// How many encodings inside one another, such as base64 in base64, are searched.
const DEEPEST: usize = 2;

/// The smallest size of a window: what fits in a processor's cache.
const WINDOW: usize = 1 << 16;

/// The shortest part of a secret that is masked by itself, where parts of secrets are masked.
pub(super) const PIECE: usize = 12;

/// A prepared search.
pub(super) struct Search {
    needles: Vec<Needle>,
    /// Length of the shortest needle, in bytes.
    shortest: usize,
    /// How many bytes two windows share, so that no secret is cut in two.
    overlap: usize,
    /// The bytes that may occur in a text that holds a secret.
    may_be: [bool; 256],
}

/// A text that must not be shown.
struct Needle {
    /// As it is written. Escapes around a secret may swallow a part of it, so it is also searched for before notations
    /// are undone.
    verbatim: Finder<'static>,
    /// With its own notations undone, as the window shows it.
    undone: Finder<'static>,
    /// Without its first characters, which could complete an escape with the text in front of it, such as the `ab` of
    /// `100%ab`.
    swallowed: Vec<Finder<'static>>,
    /// Where in `undone` its rarest letter or digit is; none in a secret without any.
    rarest: Option<usize>,
}

/// The most bytes around a rare letter that are compared in a quick look. A longer comparison, made at each such letter
/// of a text, would not be linear.
const NEAR: usize = 64;

/// Letters, the rarest in answers first. Digits are more frequent than any.
const RARE: &[u8; 26] = b"qxjkvwyzgbfhupmcdnlorsaite";

impl Needle {
    fn new(text: &[u8]) -> Needle {
        let verbatim = folded(text);
        let undone = folded(&undone(text));
        // A secret that is mostly escapes is too short to recognise once they are undone.
        let undone = if undone.len() < PIECE {
            verbatim.clone()
        } else {
            undone
        };
        let finder = |text: &[u8]| Finder::new(text).into_owned();
        let digits = undone.iter().take_while(|c| c.is_ascii_hexdigit()).count();
        // What is left of a short secret would match by chance.
        let is_left = |cut: usize| undone.len() - cut >= SHORTEST_IN_FILES;
        let swallowed = [2, 3, 4]
            .into_iter()
            .filter(|cut| *cut <= digits && is_left(*cut));
        let rarity = |byte: u8| RARE.iter().position(|rare| *rare == byte);
        let rarest = (0..undone.len())
            .filter(|at| undone[*at].is_ascii_alphanumeric())
            .min_by_key(|at| rarity(undone[*at]).unwrap_or(RARE.len()));
        Needle {
            rarest,
            verbatim: finder(&verbatim),
            swallowed: swallowed.map(|cut| finder(&undone[cut..])).collect(),
            undone: finder(&undone),
        }
    }

    /// Whether a text without escapes may hold the secret. It does not if what is near the rarest letter is nowhere.
    fn may_be_in(&self, text: &[u8]) -> bool {
        let Some(rarest) = self.rarest else {
            return true;
        };
        let undone = self.undone.needle();
        let start = rarest.saturating_sub(NEAR / 2);
        let near = &undone[start..undone.len().min(start + NEAR)];
        let byte = undone[rarest];
        memchr::memchr2_iter(byte, byte.to_ascii_uppercase(), text).any(|at| {
            let from = at.checked_sub(rarest - start);
            let found = from.and_then(|from| text.get(from..from + near.len()));
            found.is_some_and(|found| {
                let found = found.iter().map(|byte| folded_byte(*byte));
                found.eq(near.iter().copied())
            })
        })
    }
}

/// A table with what a `const fn` gives for each byte. A table is quick whether or not the compiler optimises for size.
macro_rules! table {
    ($of:ident) => {{
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = $of(byte as u8);
            byte += 1;
        }
        table
    }};
}

impl Search {
    /// Prepares the search; `None` if there are no secrets.
    pub(crate) fn new<'s>(secrets: impl Iterator<Item = &'s str>) -> Option<Search> {
        let mut texts: Vec<Vec<u8>> = secrets.flat_map(forms).collect();
        texts.sort();
        texts.dedup();
        let needles: Vec<Needle> = texts.iter().map(|text| Needle::new(text)).collect();
        let lengths = || needles.iter().map(|needle| needle.undone.needle().len());
        let (shortest, longest) = (lengths().min()?, lengths().max()?);
        let is_ascii = texts.iter().all(|text| text.is_ascii());
        let mut may_be = [false; 256];
        for (byte, may_be) in (0..=u8::MAX).zip(&mut may_be) {
            *may_be = byte == b' ' || byte.is_ascii_graphic() || (!is_ascii && !byte.is_ascii());
        }
        Some(Search {
            needles,
            shortest,
            overlap: 4 * longest + 32 * longest.min(1024),
            may_be,
        })
    }

    /// Where secrets are in a text, in order. No two ranges touch.
    pub(crate) fn ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.find(text, 0)
    }

    /// Whether a text is long enough to hold a secret.
    pub(crate) fn fits(&self, text: &[u8]) -> bool {
        text.len() >= self.shortest
    }

    /// Where secrets, or parts of them of at least [`PIECE`] bytes, are in a text. Use it for messages only: its memory
    /// grows with the text, and its time with the text and all secrets.
    pub(crate) fn pieces(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = self.find(text, 0);
        let mut reader = Reader::new(text, false);
        reader.fill(usize::MAX);
        let read = folded(reader.bytes());
        found.extend(
            self.known_pieces(&read)
                .map(|piece| reader.source_range(piece)),
        );
        let plain = folded(text);
        found.extend(self.known_pieces(&plain));
        merged(found)
    }

    /// The parts of a folded text that are also parts of a secret.
    fn known_pieces<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (at, piece) in text.windows(PIECE).enumerate() {
            places.entry(piece).or_default().push(at);
        }
        let known = self
            .needles
            .iter()
            .flat_map(|needle| [needle.verbatim.needle(), needle.undone.needle()])
            .flat_map(|needle| needle.windows(PIECE));
        known
            .filter_map(move |piece| places.remove(piece))
            .flatten()
            .map(|at| at..at + PIECE)
    }

    fn find(&self, text: &[u8], depth: usize) -> Vec<Range<usize>> {
        if text.len() <= WINDOW && self.is_surely_without(text) {
            return Vec::new();
        }
        let (mut found, is_ambiguous) = self.find_as(text, depth, false);
        if is_ambiguous {
            found.extend(self.find_as(text, depth, true).0);
            found = merged(found);
        }
        found
    }

    /// Whether a text certainly holds no secret: it has no escape, so that it can be read in one way only, no stretch
    /// that could be base64 or hex of a secret, and no secret as it is. False means only that this is not certain.
    /// Most texts are told so, and this is quicker than the whole search.
    fn is_surely_without(&self, text: &[u8]) -> bool {
        if !self.fits(text) {
            return true;
        }
        if has_escape(text) {
            return false;
        }
        // The digits of hex are characters of base64, and hex of a secret is longer than its base64.
        if has_base64(text, 4 * self.base64_groups()) {
            return false;
        }
        !self.needles.iter().any(|needle| needle.may_be_in(text))
    }

    /// Groups of base64 that a secret fills at least, apart from its first and last bytes.
    fn base64_groups(&self) -> usize {
        (self.shortest.saturating_sub(2) / 3).max(1)
    }

    /// Reads a text as [`Reader::new`] describes. Returns whether it can be read in another way too.
    fn find_as(&self, text: &[u8], depth: usize, is_quoting: bool) -> (Vec<Range<usize>>, bool) {
        let mut found = Vec::new();
        let mut is_ambiguous = false;
        if !self.fits(text) {
            return (found, false);
        }
        let size = WINDOW.max(4 * self.overlap);
        let mut window = Reader::new(text, is_quoting);
        let mut buffer = Vec::new();
        loop {
            window.fill(size);
            let before = found.len();
            self.find_plain(text, &window, &mut buffer, &mut found);
            if depth < DEEPEST {
                self.find_in_base64(&window, depth, &mut found);
                self.find_in_hex(&window, depth, &mut found);
            }
            // Most windows hold nothing. What two overlapping windows both found counts once.
            if found.len() > before {
                found = merged(found);
            }
            is_ambiguous = is_ambiguous || window.is_ambiguous();
            if window.is_at_end() {
                return (found, is_ambiguous);
            }
            window.keep(self.overlap);
        }
    }

    fn find_plain(
        &self,
        text: &[u8],
        window: &Reader<'_>,
        buffer: &mut Vec<u8>,
        found: &mut Vec<Range<usize>>,
    ) {
        fold(window.bytes(), buffer);
        for needle in &self.needles {
            for part in hits(&needle.undone, buffer) {
                found.push(window.source_range(part));
            }
        }
        if window.is_verbatim() {
            return;
        }
        for finder in self.needles.iter().flat_map(|needle| &needle.swallowed) {
            for part in hits(finder, buffer).filter(|part| window.is_escape_before(part.start)) {
                found.push(window.source_range(part.start - 1..part.end));
            }
        }
        let source = window.source();
        fold(&text[source.clone()], buffer);
        for needle in &self.needles {
            for part in hits(&needle.verbatim, buffer) {
                found.push(source.start + part.start..source.start + part.end);
            }
        }
    }

    /// Base64, in either alphabet. It is not known where in the text the base64 begins, so all four ways to cut the
    /// window into groups of four characters are tried.
    fn find_in_base64(&self, window: &Reader<'_>, depth: usize, found: &mut Vec<Range<usize>>) {
        let bytes = window.bytes();
        let least = self.base64_groups();
        for shift in 0..4 {
            let groups = bytes.len().saturating_sub(shift) / 4;
            let group = |i: usize| &bytes[shift + 4 * i..shift + 4 * i + 4];
            stretches(
                groups,
                least,
                |i| self.is_telling(group(i)),
                |stretch| {
                    // The first and the last bytes share a group with other text.
                    let is_base64 = |i: usize| group(i).iter().all(|c| sextet(*c) < 64);
                    let first = match stretch.start.checked_sub(1) {
                        Some(before) if is_base64(before) => before,
                        _ => stretch.start,
                    };
                    let (start, end) = (shift + 4 * first, shift + 4 * stretch.end);
                    let more = bytes[end..].iter().take(4);
                    let end = end + more.take_while(|c| sextet(**c) < 64).count();
                    for hit in self.find(&unpack_base64(&bytes[start..end]), depth + 1) {
                        let last = hit.end - 1;
                        let mut part = start + hit.start / 3 * 4 + hit.start % 3
                            ..start + last / 3 * 4 + last % 3 + 2;
                        let padding = bytes[part.end..].iter().take(2);
                        part.end += padding.take_while(|c| **c == b'=').count();
                        found.push(window.source_range(part));
                    }
                },
            );
        }
    }

    fn find_in_hex(&self, window: &Reader<'_>, depth: usize, found: &mut Vec<Range<usize>>) {
        let bytes = window.bytes();
        let is_hex = |i: usize| bytes[i].is_ascii_hexdigit();
        stretches(bytes.len(), 2 * self.shortest, is_hex, |stretch| {
            for start in [stretch.start, stretch.start + 1] {
                let unpacked = unpack_hex(&bytes[start..stretch.end]);
                for hit in self.find(&unpacked, depth + 1) {
                    found.push(window.source_range(start + 2 * hit.start..start + 2 * hit.end));
                }
            }
        });
    }

    /// Whether four base64 characters decode to three bytes that a secret may have.
    fn is_telling(&self, group: &[u8]) -> bool {
        let &[a, b, c, d] = group else {
            return false;
        };
        let (a, b, c, d) = (sextet(a), sextet(b), sextet(c), sextet(d));
        let fits = |byte: u8| self.may_be[usize::from(byte)];
        (a | b | c | d) < 64
            && fits((a << 2) | (b >> 4))
            && fits((b << 4) | (c >> 2))
            && fits((c << 6) | d)
    }
}

/// The texts that reveal a secret: the secret itself, and the garbled text that results when its UTF-8 is read as
/// Latin-1, or the other way around.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    if !secret.is_ascii() {
        let misread: String = secret.bytes().map(char::from).collect();
        forms.push(misread.into_bytes());
        let latin: Option<Vec<u8>> = secret.chars().map(|c| u8::try_from(c).ok()).collect();
        forms.extend(latin);
    }
    forms
}

fn hits<'h>(
    finder: &'h Finder<'static>,
    text: &'h [u8],
) -> impl Iterator<Item = Range<usize>> + 'h {
    let length = finder.needle().len();
    finder.find_iter(text).map(move |at| at..at + length)
}

/// Letters match in either case, both base64 alphabets count as one, and a form writes a space as `+`.
const fn folded_byte_of(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte | 0x20,
        b'+' | b'-' => b' ',
        b'_' => b'/',
        _ => byte,
    }
}

const FOLDED: [u8; 256] = table!(folded_byte_of);

fn folded_byte(byte: u8) -> u8 {
    FOLDED[usize::from(byte)]
}

fn fold(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    into.extend(text.iter().map(|byte| folded_byte(*byte)));
}

fn folded(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    fold(text, &mut folded);
    folded
}

/// Calls `visit` with each longest stretch of at least `least` numbers below `end` that all pass. It looks at the far
/// end of a possible stretch first, so it skips most numbers, and looks at none more than twice.
fn stretches(
    end: usize,
    least: usize,
    passes: impl Fn(usize) -> bool,
    mut visit: impl FnMut(Range<usize>),
) {
    let least = least.max(1);
    let (mut start, mut known) = (0, 0);
    while start + least <= end {
        match (known.max(start)..start + least)
            .rev()
            .find(|i| !passes(*i))
        {
            Some(failed) => {
                known = start + least;
                start = failed + 1;
            }
            None => {
                let mut stop = start + least;
                while stop < end && passes(stop) {
                    stop += 1;
                }
                visit(start..stop);
                start = stop + 1;
            }
        }
    }
}

/// The value of a base64 character in either alphabet; 255 for any other character.
const fn sextet_of(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => NO_SEXTET,
    }
}

/// Stands for a character that is none of base64.
const NO_SEXTET: u8 = 255;

const SEXTETS: [u8; 256] = table!(sextet_of);

fn sextet(byte: u8) -> u8 {
    SEXTETS[usize::from(byte)]
}

/// Whether a text has at least `least` characters of base64 in a row. As in [`stretches`], the far end is looked at
/// first, so most characters are skipped.
fn has_base64(text: &[u8], least: usize) -> bool {
    let mut start = 0;
    while let Some(stretch) = text.get(start..start + least) {
        match stretch.iter().rposition(|byte| sextet(*byte) == NO_SEXTET) {
            Some(other) => start += other + 1,
            None => return true,
        }
    }
    false
}

/// The bytes of base64 groups; the last group may be incomplete.
fn unpack_base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    for group in text.chunks(4) {
        let six = |i: usize| group.get(i).map(|c| sextet(*c));
        let (a, b) = (six(0).unwrap_or(0), six(1));
        bytes.extend(b.map(|b| (a << 2) | (b >> 4)));
        bytes.extend(six(2).zip(b).map(|(c, b)| (b << 4) | (c >> 2)));
        bytes.extend(six(3).zip(six(2)).map(|(d, c)| (c << 6) | d));
    }
    bytes
}

fn unpack_hex(text: &[u8]) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => c - b'0',
        _ => (c | 0x20) - b'a' + 10,
    };
    let (pairs, _) = text.as_chunks::<2>();
    pairs
        .iter()
        .map(|[high, low]| (digit(*high) << 4) | digit(*low))
        .collect()
}

/// The ranges in order. Ranges that overlap or touch are merged.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    ranges
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn stretches_are_found_as_by_looking_at_each() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let marks: Vec<bool> = (0..random.usize(..60))
                .map(|_| random.u8(..10) > 1)
                .collect();
            let least = random.usize(1..9);
            let mut found = Vec::new();
            stretches(
                marks.len(),
                least,
                |i| marks[i],
                |stretch| found.push(stretch),
            );
            let mut expected = Vec::new();
            let mut start = 0;
            for i in 0..=marks.len() {
                if i == marks.len() || !marks[i] {
                    if i - start >= least {
                        expected.push(start..i);
                    }
                    start = i + 1;
                }
            }
            assert_eq!(found, expected, "{marks:?} {least}");
        }
    }

    /// The quick no is the no of the whole search, for secrets in every notation, whole, cut short and beside others.
    #[test]
    fn a_quick_no_is_a_no() {
        let secrets = [
            "sk-ant-admin01-CANARY7f3b9c",
            "deadbeefcafe0123",
            "p%40ss\\word&amp;é-long",
        ];
        let mut random = fastrand::Rng::with_seed(11);
        let (mut quick, mut none) = (0, 0);
        for secret in secrets {
            let search = Search::new([secret].into_iter()).expect("a secret");
            let hex = |text: &[u8]| -> String { text.iter().map(|b| format!("{b:02x}")).collect() };
            let base64 = |text: &[u8]| -> String {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD_NO_PAD.encode(text)
            };
            let shifted = format!(
                "{}{secret}{}",
                "x".repeat(random.usize(..3)),
                "y".repeat(random.usize(..3))
            );
            let written = [
                secret.to_owned(),
                secret.to_uppercase(),
                secret.replace('-', "+"),
                hex(secret.as_bytes()),
                base64(secret.as_bytes()),
                base64(shifted.as_bytes()),
                base64(hex(shifted.as_bytes()).as_bytes()),
                "a plain text that has nothing of it".to_owned(),
                "0123456789abcdefABCDEF".repeat(9),
            ];
            for text in written {
                for from in text.char_indices().map(|(at, _)| at).take(12) {
                    for (before, behind) in [
                        ("", ""),
                        ("{\"a\":\"", "\"}"),
                        ("Ab/", "+9"),
                        ("..\\", "&."),
                    ] {
                        let text = format!("{before}{}{behind}", &text[from..]);
                        let (found, is_ambiguous) = search.find_as(text.as_bytes(), 0, false);
                        let holds = !found.is_empty() || is_ambiguous;
                        none += usize::from(!holds);
                        if search.is_surely_without(text.as_bytes()) {
                            quick += 1;
                            assert!(!holds, "{text}");
                        }
                    }
                }
            }
        }
        assert!(quick * 4 > none, "only {quick} of {none} are quick");
    }

    #[test]
    fn what_falls_between_windows_is_found() {
        let secret = "sk-ant-admin01-CANARY7f3b9c";
        let search = Search::new([secret].into_iter()).expect("a secret");
        for before in (WINDOW - 80..WINDOW + 80).step_by(3) {
            let text = format!("{}{secret}{}", ".".repeat(before), ".".repeat(200));
            let found = search.ranges(text.as_bytes());
            let expected = std::iter::once(before..before + secret.len());
            assert!(found.into_iter().eq(expected), "{before}");
        }
    }

    #[test]
    fn a_secret_is_no_quick_no_wherever_it_is() {
        let long = "a-very.long,secret;".repeat(100);
        for secret in [
            "sk-ant-admin01-CANARY7f3b9c",
            "x;-",
            ";x-",
            "--;;..,,",
            &long,
        ] {
            let search = Search::new([secret].into_iter()).expect("a secret");
            for (before, behind) in (0..99).flat_map(|at| [(at, 0), (0, at), (at, at)]) {
                let text = format!("{}{secret}{}", ".".repeat(before), ".".repeat(behind));
                assert!(!search.is_surely_without(text.as_bytes()), "{text}");
                assert!(
                    !search.is_surely_without(text.to_uppercase().as_bytes()),
                    "{text}"
                );
                if secret.len() <= NEAR && secret.contains(char::is_alphabetic) {
                    let mut near_miss = text.clone();
                    near_miss.replace_range(before..=before, "?");
                    assert!(
                        search.is_surely_without(near_miss.as_bytes()),
                        "{near_miss}"
                    );
                }
                let text = text.replace(['x', 'v', 'k'], ".");
                let has_letters = secret.contains(char::is_alphabetic);
                assert_eq!(
                    search.is_surely_without(text.as_bytes()),
                    has_letters,
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn ranges_that_touch_are_one() {
        assert_eq!(
            merged(vec![5..8, 0..2, 2..3, 7..9, 20..21]),
            [0..3, 5..9, 20..21]
        );
    }

    /// Runs of every length at every place.
    #[test]
    fn a_run_of_base64_is_found_wherever_it_is() {
        for byte in 0..=u8::MAX {
            let is_base64 = byte.is_ascii_alphanumeric() || b"+-/_".contains(&byte);
            assert_eq!(has_base64(&[byte; 16], 16), is_base64, "{byte}");
            let folded = byte.to_ascii_lowercase();
            let expected = match folded {
                b'+' | b'-' => b' ',
                b'_' => b'/',
                _ => folded,
            };
            assert_eq!(folded_byte(byte), expected);
        }
        for least in [4, 20, 30, 31, 32, 40] {
            for (length, at) in (0..80).flat_map(|length| (0..40).map(move |at| (length, at))) {
                for (behind, short) in [(0, 0), (1, 25), (37, 18)] {
                    let mut text = vec![b'a'; short];
                    text.extend(vec![b'.'; at + 1]);
                    text.extend(vec![b'Z'; length]);
                    text.extend(vec![b'"'; behind]);
                    let expected = length.max(short) >= least;
                    assert_eq!(
                        has_base64(&text, least),
                        expected,
                        "{least} {length} {at} {behind}"
                    );
                }
            }
        }
    }
}
