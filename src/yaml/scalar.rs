use serde_json::Number;

use crate::json::is_exact_number as is_exact;

/// What a plain scalar means in the YAML 1.2 core schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Number(Number),
    /// An integer that fits neither `i64` nor `u64`.
    IntegerOutOfRange,
    /// `.inf`, `.nan`, or a float that rounds to infinity.
    NonFinite,
    /// A float that loses digits; this is what is left of it.
    Inexact(Number),
    /// Anything else: text.
    Text,
}

/// Finds the type of a plain scalar.
pub(crate) fn classify(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Plain::NonFinite,
        _ => number(text),
    }
}

fn number(text: &str) -> Plain {
    // Most scalars are words; do not try them as numbers.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Plain::Text;
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        Plain::NonFinite
    } else if is_digits(unsigned) {
        integer(unsigned.parse().ok(), text.starts_with('-'))
    } else if is_float(unsigned) {
        float(text)
    } else {
        Plain::Text
    }
}

/// The schema allows no sign before `0o` and `0x`.
fn radix(digits: &str, radix: u32) -> Plain {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Plain::Text;
    }
    integer(u64::from_str_radix(digits, radix).ok(), false)
}

fn integer(magnitude: Option<u64>, negative: bool) -> Plain {
    let number = match magnitude {
        Some(magnitude) if negative => 0_i64.checked_sub_unsigned(magnitude).map(Number::from),
        Some(magnitude) => Some(Number::from(magnitude)),
        None => None,
    };
    number.map_or(Plain::IntegerOutOfRange, Plain::Number)
}

fn float(text: &str) -> Plain {
    match text.parse().ok().and_then(Number::from_f64) {
        None => Plain::NonFinite,
        Some(number) if is_exact(text.trim_start_matches('+').as_bytes(), &number) => {
            Plain::Number(number)
        }
        Some(number) => Plain::Inexact(number),
    }
}

/// `( "." [0-9]+ | [0-9]+ ( "." [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let mantissa_fits = match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    mantissa_fits && exponent.is_none_or(is_digits)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
