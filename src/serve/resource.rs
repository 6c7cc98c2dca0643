//! Large results as resources: what did not fit into a result is kept for a while, and can be read in parts. A part has
//! whole rows; what is no list is cut between characters, as a text.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::data::{self, Changed};
use super::gate::Caller;
use crate::definition::Root;
use crate::json::{Json, Kind, Part};

/// What every URI begins with.
const SCHEME: &str = "toolrun://results/";
/// How the URIs are made, for clients that want to know.
pub(super) const TEMPLATE: &str = "toolrun://results/{id}{?from}";
/// Most results that are kept.
const MOST: usize = 64;
/// Most bytes of all of them.
const MOST_BYTES: usize = 64 << 20;

/// A result that is kept.
struct Kept {
    id: String,
    /// The name of the only caller who may read it. Claims change, as with each token of an issuer.
    caller: String,
    output: Json,
    /// The member that holds the rows; `None` if the output itself is the list, or there are no rows.
    rows: Option<String>,
    is_list: bool,
}

/// The results that are kept. The oldest make room for new ones.
#[derive(Default)]
pub(super) struct Shelf(Mutex<VecDeque<Kept>>);

/// A part of a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub text: String,
    pub is_json: bool,
}

/// Why there is no part to read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPiece {
    #[error("there is no such resource; results are kept only for a while, so call the tool again")]
    Unknown,
    #[error("`from` must be a whole number")]
    From,
    #[error("the result ends at {0}")]
    Behind(usize),
}

impl Shelf {
    /// Keeps a result, and gives its URI. `None` if it is too large to be kept.
    pub(super) fn keep(
        &self,
        caller: &Caller,
        output: &Json,
        root: Root,
        rows: Option<&str>,
    ) -> Option<String> {
        if output.bytes().len() > MOST_BYTES {
            return None;
        }
        let part = output.part();
        let kind = part.kind();
        let is_itself = root
            .member(kind == Kind::Object, kind == Kind::Array)
            .is_none();
        let rows = rows.filter(|_| is_itself).map(str::to_owned);
        let list = rows_of(part, rows.as_deref());
        let id = uuid::Uuid::new_v4().simple().to_string();
        let uri = format!("{SCHEME}{id}");
        let kept = Kept {
            id,
            caller: caller.name.clone(),
            is_list: list.is_some(),
            output: output.clone(),
            rows,
        };
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.push_back(kept);
        let bytes = |shelf: &VecDeque<Kept>| -> usize {
            shelf.iter().map(|kept| kept.output.bytes().len()).sum()
        };
        while shelf.len() > MOST || bytes(&shelf) > MOST_BYTES {
            shelf.pop_front();
        }
        Some(uri)
    }

    /// A part of a result, of about this many bytes.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn read(&self, caller: &Caller, uri: &str, most: usize) -> Result<Piece, NoPiece> {
        let rest = uri.strip_prefix(SCHEME).ok_or(NoPiece::Unknown)?;
        let (id, query) = rest.split_once('?').unwrap_or((rest, ""));
        let from = match query.strip_prefix("from=") {
            Some(from) => from.parse().map_err(|_| NoPiece::From)?,
            None if query.is_empty() => 0,
            None => return Err(NoPiece::From),
        };
        let (output, rows, is_list) = {
            let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = shelf
                .iter()
                .find(|kept| kept.id == id && kept.caller == caller.name);
            let kept = kept.ok_or(NoPiece::Unknown)?;
            (kept.output.clone(), kept.rows.clone(), kept.is_list)
        };
        let next = |from: usize| format!("{SCHEME}{id}?from={from}");
        match rows_of(output.part(), rows.as_deref()).filter(|_| is_list) {
            Some(rows) => piece_of_rows(rows, from, most, next),
            None => piece_of_text(&output, from, most, next),
        }
    }
}

fn rows_of<'p>(output: Part<'p>, member: Option<&str>) -> Option<Part<'p>> {
    let rows = match member {
        Some(member) => output.member(member)?,
        None => output,
    };
    (rows.kind() == Kind::Array).then_some(rows)
}

/// Whole rows, one at least.
fn piece_of_rows(
    rows: Part<'_>,
    from: usize,
    most: usize,
    next: impl Fn(usize) -> String,
) -> Result<Piece, NoPiece> {
    let of = rows.elements().count();
    if from > 0 && from >= of {
        return Err(NoPiece::Behind(of));
    }
    let (mut given, mut bytes) = (Vec::new(), 0);
    let mut changed = Changed::default();
    for row in rows.elements().skip(from) {
        let row = data::value(row, &mut changed);
        bytes += row.to_string().len() + 1;
        if bytes > most && !given.is_empty() {
            break;
        }
        given.push(row);
    }
    let end = from + given.len();
    let mut piece = json!({ "from": from, "rows_total": of, "rows": given });
    if end < of {
        piece["next"] = next(end).into();
    }
    Ok(Piece {
        text: piece.to_string(),
        is_json: true,
    })
}

/// A part of the JSON text of the whole output.
fn piece_of_text(
    output: &Json,
    from: usize,
    most: usize,
    next: impl Fn(usize) -> String,
) -> Result<Piece, NoPiece> {
    let text = output.text();
    if from > 0 && from >= text.len() {
        return Err(NoPiece::Behind(text.len()));
    }
    let end = text.floor_char_boundary((from + most).min(text.len()));
    let part = text.get(from..end).ok_or(NoPiece::From)?;
    let part = data::shown(Value::from(part));
    let part = part.as_str().unwrap_or_default();
    let text = match end < text.len() {
        true => format!("{part}\n\n[this is a part; the next one is {}]", next(end)),
        false => part.to_owned(),
    };
    Ok(Piece {
        text,
        is_json: false,
    })
}
