//! What expressions may cost.
//!
//! The expression engine counts the steps of one evaluation, and the data that they make. It counts a list that stands in
//! another list many times only once, although whatever reads the whole reads it each time. So the operations that
//! repeat a value are limited here, and what an expression gives is counted in full. The steps of many evaluations
//! together are counted where a file alone decides how many there are; see [`Bound`].

use std::cell::Cell;

use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, filters, functions};

use super::lexer::{Kind, Token, tokens};

/// How many steps one evaluation of an expression may take. This limits endless ranges and loops.
pub(super) const FUEL: u64 = 1_000_000;

/// Bytes of a text that count as one step.
const BYTES_OF_A_STEP: usize = 16;
/// The deepest value that is written.
const DEEPEST: usize = 256;
/// The widest indentation and padding.
const WIDEST: usize = 1_000;
/// The largest number that a range reaches, in either direction.
const FARTHEST: isize = 1 << 53;

/// The filter that every factor of a product passes.
const FACTOR: &str = "_factor";
/// The filter that every whole expression passes.
const SPENT: &str = "_spent";

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
    static USED: Cell<u64> = const { Cell::new(0) };
}

/// Limits the steps that all expressions on this thread take together, until it is dropped. One inside another takes
/// part of its steps.
#[must_use]
pub(crate) struct Bound {
    before: u64,
    given: u64,
}

impl Bound {
    /// As many steps as one expression may take.
    pub(crate) fn of_one() -> Bound {
        Bound::of(FUEL)
    }

    /// As many steps as all expressions of one request may take together.
    pub(crate) fn of_many() -> Bound {
        Bound::of(4 * FUEL)
    }

    /// This many steps.
    fn of(steps: u64) -> Bound {
        let before = LEFT.get();
        let given = steps.min(before);
        LEFT.set(given);
        Bound { before, given }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let spent = self.given - LEFT.get().min(self.given);
        LEFT.set(match self.before {
            u64::MAX => u64::MAX,
            before => before.saturating_sub(spent),
        });
    }
}

/// Whether expressions on this thread may still take steps.
pub(super) fn has_left() -> bool {
    LEFT.get() > 0
}

/// Whether expressions on this thread share a number of steps.
pub(super) fn is_bound() -> bool {
    LEFT.get() != u64::MAX
}

/// Takes steps from what is left.
pub(super) fn spend(steps: u64) {
    if LEFT.get() != u64::MAX {
        LEFT.set(LEFT.get().saturating_sub(steps));
    }
}

/// The steps of the evaluation that just ended.
pub(super) fn used() -> u64 {
    USED.replace(0)
}

/// The steps that it takes to read a whole value, or `None` where these are more than `most`.
pub(super) fn weight(value: &Value, most: u64) -> Option<u64> {
    let mut left = most;
    take(value, 0, 0, &mut left)?;
    Some(most - left)
}

/// Takes the steps of a value from `left`. Every value inside another costs its indentation too.
fn take(value: &Value, indent: usize, depth: usize, left: &mut u64) -> Option<()> {
    let text = value.as_str().map_or(0, str::len) + indent.saturating_mul(depth);
    *left = left.checked_sub(1 + (text / BYTES_OF_A_STEP) as u64)?;
    if depth > DEEPEST {
        return None;
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            for item in value.try_iter().ok()? {
                take(&item, indent, depth + 1, left)?;
            }
        }
        ValueKind::Map => {
            let pairs = value.as_object().and_then(|map| map.try_iter_pairs());
            for (key, member) in pairs.into_iter().flatten() {
                take(&key, indent, depth + 1, left)?;
                take(&member, indent, depth + 1, left)?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Replaces the operations that could cost far more than the engine counts. Each replacement checks the arguments, and
/// then runs the engine's own filter, which has a name that no expression can write.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.remove_global("debug");
    environment.add_function("range", range);
    environment.add_filter(FACTOR, factor);
    environment.add_filter(SPENT, spent);
    environment.add_filter(" batch", filters::batch);
    environment.add_filter(" slice", filters::slice);
    environment.add_filter(" map", filters::map);
    environment.add_filter(" indent", filters::indent);
    environment.add_filter(" format", filters::format);
    environment.add_filter(" tojson", filters::tojson);
    environment.add_filter(" pprint", filters::pprint);
    add_checked(environment, " batch", check_fill);
    add_checked(environment, " slice", check_fill);
    add_checked(environment, " map", check_map);
    add_checked(environment, " indent", check_indent);
    add_checked(environment, " format", check_format);
    add_checked(environment, " tojson", check_tojson);
    add_checked(environment, " pprint", check_pprint);
}

fn add_checked(
    environment: &mut Environment<'static>,
    inner: &'static str,
    check: fn(&State, &[Value]) -> Result<(), Error>,
) {
    let checked = move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
        let arguments: Vec<Value> = arguments.0.into_iter().map(Value::from).collect();
        check(state, &arguments)?;
        state.apply_filter(inner, &arguments)
    };
    environment.add_filter(inner.trim(), checked);
}

/// The expression as the engine runs it: every factor is checked, and the steps are read at the end. `None` where it
/// cannot be told what the factors are.
pub(super) fn guarded(text: &str) -> Option<String> {
    let all: Vec<Token> = tokens(text)
        .filter(|token| token.kind != Kind::Space)
        .collect();
    if !is_one_expression(&all) {
        return None;
    }
    let mut marks = Vec::new();
    for at in 0..all.len() {
        if is_product(&all, at) {
            marks.push(all[at].range.start);
            marks.push(all[end_of_factor(text, &all, at + 1)?].range.end);
        }
    }
    marks.sort_unstable();
    let mut guarded = String::with_capacity(text.len() + 16 * marks.len() + 16);
    guarded.push('(');
    let mut from = 0;
    for mark in marks {
        guarded.push_str(&text[from..mark]);
        guarded.push_str(&format!("|{FACTOR} "));
        from = mark;
    }
    guarded.push_str(&text[from..]);
    guarded.push_str(&format!(")|{SPENT}"));
    Some(guarded)
}

/// Whether parentheses around the tokens would change nothing.
fn is_one_expression(all: &[Token]) -> bool {
    let mut depth = 0_usize;
    for token in all {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') if depth == 0 => return false,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            Kind::Mark(',') if depth == 0 => return false,
            _ => {}
        }
    }
    depth == 0 && !all.is_empty()
}

/// Whether a token multiplies. Two of them are a power, and one before an argument spreads a list.
fn is_product(all: &[Token], at: usize) -> bool {
    let is_star = |at: usize| {
        all.get(at)
            .is_some_and(|token| token.kind == Kind::Mark('*'))
    };
    let touches = |one: usize, other: usize| all[one].range.end == all[other].range.start;
    let Some(before) = at.checked_sub(1) else {
        return false;
    };
    let is_power =
        (is_star(at + 1) && touches(at, at + 1)) || (is_star(before) && touches(before, at));
    let spreads = matches!(all[before].kind, Kind::Mark('(' | ','));
    is_star(at) && !is_power && !spreads
}

/// The last token of the factor that begins at a token: signs, a value with what follows it, and its filters and tests.
fn end_of_factor(text: &str, all: &[Token], start: usize) -> Option<usize> {
    let word = |at: usize| {
        let token = all.get(at).filter(|token| token.kind == Kind::Word)?;
        Some(&text[token.range.clone()])
    };
    let mark = |at: usize| match all.get(at)?.kind {
        Kind::Mark(mark) => Some(mark),
        _ => None,
    };
    let name = |mut at: usize| {
        word(at)?;
        while mark(at + 1) == Some('.') && word(at + 2).is_some() {
            at += 2;
        }
        match mark(at + 1) {
            Some('(') => end_of_group(all, at + 1),
            _ => Some(at),
        }
    };
    let mut end = end_of_value(text, all, start)?;
    loop {
        if mark(end + 1) == Some('|') {
            end = name(end + 2)?;
        } else if word(end + 1) == Some("is") {
            let at = end + 2 + usize::from(word(end + 2) == Some("not"));
            end = name(at)?;
            let takes = match all.get(end + 1).map(|token| token.kind) {
                Some(Kind::Word) => !matches!(word(end + 1)?, "and" | "or" | "else" | "is"),
                Some(Kind::Text | Kind::Mark('-' | '[' | '{')) => mark(end) != Some(')'),
                _ => false,
            };
            if takes {
                end = end_of_value(text, all, end + 1)?;
            }
        } else {
            return Some(end);
        }
    }
}

/// The last token of a value with its signs, members, subscripts and calls.
fn end_of_value(text: &str, all: &[Token], start: usize) -> Option<usize> {
    let kind = |at: usize| all.get(at).map(|token| token.kind);
    let mut at = start;
    while kind(at) == Some(Kind::Mark('-')) {
        at += 1;
    }
    let mut end = match kind(at)? {
        Kind::Word => match end_of_exponent(text, all, at) {
            Some(end) => end,
            None => at,
        },
        Kind::Text => at,
        Kind::Mark('(' | '[' | '{') => end_of_group(all, at)?,
        _ => return None,
    };
    loop {
        end = match (kind(end + 1), kind(end + 2)) {
            (Some(Kind::Mark('.')), Some(Kind::Word)) => {
                end_of_exponent(text, all, end + 2).unwrap_or(end + 2)
            }
            (Some(Kind::Mark('[' | '(')), _) => end_of_group(all, end + 1)?,
            _ => return Some(end),
        };
    }
}

/// The last token of a number such as `1e-5`.
fn end_of_exponent(text: &str, all: &[Token], at: usize) -> Option<usize> {
    let number = &text[all.get(at)?.range.clone()];
    let is_open = number.starts_with(|c: char| c.is_ascii_digit()) && number.ends_with(['e', 'E']);
    let sign = all.get(at + 1)?;
    let is_sign =
        matches!(sign.kind, Kind::Mark('+' | '-')) && sign.range.start == all[at].range.end;
    (is_open && is_sign && all.get(at + 2)?.kind == Kind::Word).then_some(at + 2)
}

/// The token that closes the bracket at a token.
fn end_of_group(all: &[Token], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in all.iter().enumerate().skip(start) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether an expression names one of these often. Each time, the whole value may be read.
pub(super) fn is_repetitive(text: &str, names: &[String]) -> bool {
    const OFTEN: usize = 4;
    let mut before = None;
    let mut counts = vec![0_usize; names.len()];
    for token in tokens(text) {
        let word = &text[token.range.clone()];
        if token.kind == Kind::Word
            && before != Some(Kind::Mark('.'))
            && let Some(at) = names.iter().position(|name| name == word)
        {
            counts[at] += 1;
        }
        before = Some(token.kind)
            .filter(|kind| *kind != Kind::Space)
            .or(before);
    }
    counts.iter().any(|count| *count > OFTEN)
}

fn spent(state: &State, value: &Value) -> Value {
    USED.set(state.fuel_levels().map_or(0, |(consumed, _)| consumed));
    value.clone()
}

/// A factor is a number or a text: a list that is repeated is not counted in full.
fn factor(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::Plain => {
            Err(refused("only numbers and texts can be multiplied"))
        }
        _ => Ok(value.clone()),
    }
}

fn range(lower: isize, upper: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    let all = [Some(lower), upper, step];
    if all
        .into_iter()
        .flatten()
        .any(|number| !(-FARTHEST..=FARTHEST).contains(&number))
    {
        return Err(refused("range: the numbers are too large"));
    }
    functions::range(lower, upper, step)
}

/// The arguments by name.
fn named(arguments: &[Value]) -> Option<Kwargs> {
    let last = arguments.last().filter(|last| last.is_kwargs())?;
    Kwargs::try_from(last.clone()).ok()
}

/// An argument by its place, or else by its name.
fn argument(arguments: &[Value], at: usize, name: &str) -> Option<Value> {
    match arguments.get(at).filter(|value| !value.is_kwargs()) {
        Some(value) => Some(value.clone()),
        None => named(arguments)?.peek::<Value>(name).ok(),
    }
}

fn check_fill(_: &State, arguments: &[Value]) -> Result<(), Error> {
    argument(arguments, 2, "fill_with").map_or(Ok(()), |fill| must_be_small(&fill))
}

/// What `map` gives to every item may be in the result once for each.
fn check_map(_: &State, arguments: &[Value]) -> Result<(), Error> {
    let is_inner = |name: &Value| {
        name.as_str()
            .is_some_and(|name| name.starts_with([' ', '_']))
    };
    if arguments.get(1).is_some_and(is_inner) {
        return Err(Error::from(ErrorKind::UnknownFilter));
    }
    for value in arguments.iter().skip(1).filter(|value| !value.is_kwargs()) {
        must_be_small(value)?;
    }
    let Some(named) = named(arguments) else {
        return Ok(());
    };
    let mut values = named
        .args()
        .filter_map(|name| named.peek::<Value>(name).ok());
    values.try_for_each(|value| must_be_small(&value))
}

/// A value that is put in many places must be a scalar or empty.
fn must_be_small(value: &Value) -> Result<(), Error> {
    let is_large = match value.kind() {
        ValueKind::Seq | ValueKind::Map => value.len() != Some(0),
        ValueKind::Iterable | ValueKind::Plain => true,
        _ => false,
    };
    match is_large {
        true => Err(refused(
            "a value that fills many places must be a scalar or empty",
        )),
        false => Ok(()),
    }
}

fn check_indent(state: &State, arguments: &[Value]) -> Result<(), Error> {
    let text = arguments
        .first()
        .and_then(Value::as_str)
        .unwrap_or_default();
    let width = argument(arguments, 1, "width").map_or(4, |width| size(&width));
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let bytes = text.len().saturating_add(width.saturating_mul(lines));
    state.consume_fuel((bytes / BYTES_OF_A_STEP) as u64)
}

/// A width in a format is written out in it, so that it is seen here.
fn check_format(_: &State, arguments: &[Value]) -> Result<(), Error> {
    let format = arguments
        .first()
        .and_then(Value::as_str)
        .unwrap_or_default();
    for part in format.split('%').skip(1) {
        let part = match part.starts_with('(') {
            true => part.split_once(')').map_or("", |(_, rest)| rest),
            false => part,
        };
        let is_flag = |c: char| c.is_ascii_digit() || "#-+ .*".contains(c);
        let flags = &part[..part.find(|c| !is_flag(c)).unwrap_or(part.len())];
        let numbers = flags.split(|c: char| !c.is_ascii_digit());
        let is_wide =
            |number: &str| !number.is_empty() && number.parse().map_or(true, |n: usize| n > WIDEST);
        if flags.contains('*') || numbers.clone().any(is_wide) {
            return Err(refused(&format!(
                "a format's width is a number up to {WIDEST}"
            )));
        }
    }
    Ok(())
}

fn check_tojson(state: &State, arguments: &[Value]) -> Result<(), Error> {
    let indent = argument(arguments, 1, "indent").map_or(0, |indent| match indent.kind() {
        ValueKind::Bool => 2,
        _ => size(&indent),
    });
    consume(state, arguments, indent)
}

fn check_pprint(state: &State, arguments: &[Value]) -> Result<(), Error> {
    consume(state, arguments, 4)
}

/// Takes the steps that it takes to write a value.
fn consume(state: &State, arguments: &[Value], indent: usize) -> Result<(), Error> {
    let Some(value) = arguments.first() else {
        return Ok(());
    };
    let most = state.fuel_levels().map_or(FUEL, |(_, remaining)| remaining);
    let mut left = most;
    match take(value, indent, 0, &mut left) {
        Some(()) => state.consume_fuel(most - left),
        None => Err(Error::from(ErrorKind::OutOfFuel)),
    }
}

/// A number of characters. What is none is left to the filter.
fn size(value: &Value) -> usize {
    match value.kind() {
        ValueKind::Number => usize::try_from(value.clone()).unwrap_or(usize::MAX),
        _ => 0,
    }
}

fn refused(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::{Bound, guarded};
    use crate::template::{CallScope, Expression};

    fn eval(text: &str) -> Result<Option<Value>, String> {
        let expression = Expression::compile(text).map_err(|(_, message)| message)?;
        let params =
            json!({ "a": 2, "b": 3.5, "list": [1, 2], "text": "ab", "body": { "x": [[1]] } });
        let scope = CallScope {
            params: &params,
            settings: &json!({}),
        };
        expression.eval(&scope).map_err(|error| error.reason)
    }

    #[test]
    fn factors_are_found() {
        for (text, expected) in [
            ("a", "(a)|_spent"),
            ("a*b", "(a|_factor *b|_factor )|_spent"),
            ("a * -b ** 2", "(a |_factor * -b|_factor  ** 2)|_spent"),
            ("2 ** 3", "(2 ** 3)|_spent"),
            ("f(*a)", "(f(*a))|_spent"),
            ("'a*b' ~ c", "('a*b' ~ c)|_spent"),
            (
                "a * x.y[0](1).z | int | round(1) + 1",
                "(a |_factor * x.y[0](1).z | int | round(1)|_factor  + 1)|_spent",
            ),
            ("1 * 1e-5", "(1 |_factor * 1e-5|_factor )|_spent"),
            ("1.5 * 2.5", "(1.5 |_factor * 2.5|_factor )|_spent"),
            (
                "a * b is odd and c",
                "(a |_factor * b is odd|_factor  and c)|_spent",
            ),
            (
                "[a * (b * c)]",
                "([a |_factor * (b |_factor * c|_factor )|_factor ])|_spent",
            ),
        ] {
            assert_eq!(guarded(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["a) + (b", "a, b", "", "a *"] {
            assert_eq!(guarded(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_multiplied_keeps_its_value() {
        for (text, expected) in [
            ("a * 3", json!(6)),
            ("a * b * a", json!(14.0)),
            ("-a * a", json!(-4)),
            ("2 * text | length", json!(4)),
            ("text * 2", json!("abab")),
            ("3 * text", json!("ababab")),
            ("a * 3 is odd", json!(2)),
            ("1 + a * list[1] - 1", json!(4)),
            ("a * 2 ** 3", json!(16)),
            ("a * 3 if a * 2 == 4 else a * 5", json!(6)),
            ("[a * 2, a // 2 * 3, 7 % a * 2]", json!([4, 3, 2])),
            ("list | map('string') | join(',')", json!("1,2")),
            ("list | map('default', []) | list", json!([1, 2])),
            (
                "[{'k': 1}, {}] | map(attribute='k', default=0) | list",
                json!([1, 0]),
            ),
            ("list | batch(2, 0) | list", json!([[1, 2]])),
            ("[1] | tojson(indent=1)", json!("[\n 1\n]")),
            ("'a\nb' | indent(2)", json!("a\n  b")),
            ("'%05.1f' | format(1.25)", json!("001.2")),
        ] {
            assert_eq!(eval(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(eval("gone * 2 if gone is defined"), Ok(None));
    }

    /// Each of these would take minutes or all memory if it ran.
    #[test]
    fn what_costs_too_much_is_refused() {
        let deep = "([[[[1] * 99] * 99] * 99] * 99)";
        let fill = "[1] | batch(9000, [1] | batch(9000, 1) | list) | list";
        let mapped = "range(9000) | map('default', range(9000) | list, true) | list";
        let slow: Vec<String> = [
            "tojson",
            "string",
            "pprint",
            "escape",
            "upper",
            "trim",
            "list",
            "unique | list",
            "bool",
            "replace('1', '2')",
            "batch(2) | list",
            "min",
            "join",
            "items | list",
            "groupby('a')",
        ]
        .iter()
        .map(|filter| format!("{deep} | {filter}"))
        .collect();
        for text in [
            "[1] | tojson(indent=4000000000)",
            "[1] | tojson(4000000000)",
            "{'a': [1]} | tojson(1000000000)",
            "'a' | indent(9000000000)",
            "'a\nb' | indent(width=30000000, first=true)",
            "'%1000000000d' | format(1)",
            "'%.60000000f' | format(1.5)",
            "'%*d' | format(2000000000, 1)",
            "'n' * 9000000000",
            "'n' * 60000000",
            "[1] * 90000000",
            "90000000 * [1]",
            "list * 2",
            "{'a': 1} * 2",
            "range(1, 0, -9223372036854775807) | list",
            "range(5, -9223372036854775807, -3) | list",
            "range(9000) | map(' map', 'string') | list",
            "debug(list)",
            fill,
            mapped,
            &format!("{deep} == {deep}"),
            &format!("3 in {deep}"),
            &format!("{deep} ~ ''"),
            &format!("{{ {deep}: 1 }}"),
            &format!("[{}] | tojson", "body,".repeat(150) + "1"),
        ]
        .into_iter()
        .chain(slow.iter().map(String::as_str))
        {
            // The last is only long, not large, and stays allowed.
            let result = eval(text);
            assert!(
                result.is_err() || text.starts_with("[body"),
                "{text}: {result:?}"
            );
        }
    }

    #[test]
    #[ignore = "long"]
    fn many_expressions_share_their_steps() {
        let heavy = "range(20000) | map('string') | join | length";
        let run = || (0..100).map(|_| eval(heavy)).find_map(Result::err);
        assert_eq!(run(), None);
        let told = {
            let _bound = Bound::of_one();
            run()
        };
        assert!(told.is_some_and(|told| told.contains("steps together")));
        assert_eq!(run(), None);
        let _outer = Bound::of(1000);
        {
            let _inner = Bound::of(10);
            assert!(eval("a + 1").is_ok());
        }
        assert!(eval("a + 1").is_ok());
    }
}
