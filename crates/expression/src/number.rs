//! Numbers: whole ones and ones with a fraction lie on one line, by the CEL specification ("Numeric Values").

use std::cmp::Ordering;

use crate::Value;

/// 2⁶³: the first number above every whole one.
const ABOVE: f64 = 9_223_372_036_854_775_808.0;

/// Which of two numbers is greater. `None` where one is not a number at all.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Int(left), Value::Double(right)) => against(*left, *right),
        (Value::Double(left), Value::Int(right)) => against(*right, *left).map(Ordering::reverse),
        _ => None,
    }
}

/// A whole number against one with a fraction, exactly: no whole number is rounded.
fn against(left: i64, right: f64) -> Option<Ordering> {
    if right.is_nan() {
        return None;
    }
    if right >= ABOVE {
        return Some(Ordering::Less);
    }
    if right < -ABOVE {
        return Some(Ordering::Greater);
    }
    let fraction = || 0.0.partial_cmp(&right.fract()).unwrap_or(Ordering::Equal);
    whole(right.trunc()).map(|whole| left.cmp(&whole).then_with(fraction))
}

/// The whole number that remains without the fraction, where it is within range.
pub(crate) fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "it is within the range")]
    (-ABOVE..ABOVE).contains(&number).then_some(number as i64)
}

/// The same number with a fraction, rounded where it has more than 53 bits.
pub(crate) fn double(number: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "CEL's double(int) rounds")]
    let double = number as f64;
    double
}

/// As CEL's `string(double)` writes it: `1`, `1.5`, `1e+30`, `NaN`, `+Inf`.
pub(crate) fn shown(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if number != 0.0 && !(1e-6..1e21).contains(&number.abs()) {
        return format!("{number:e}");
    }
    number.to_string()
}
