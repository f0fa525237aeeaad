//! Values with a unit and bounds: [`Span`], [`Size`], [`Count`].
//!
//! Each is read from text (flag, environment) or from a TOML text or number by the same parser, so
//! that a bound holds wherever a value comes from. Invariant: MIN ≤ value ≤ MAX.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// A length of time; bounds in seconds.
pub(crate) type Span<const MIN: u64, const MAX: u64> = Bounded<Seconds, MIN, MAX>;
/// A number of bytes; bounds in bytes.
pub(crate) type Size<const MIN: u64, const MAX: u64> = Bounded<Bytes, MIN, MAX>;
/// A plain number.
pub(crate) type Count<const MIN: u64, const MAX: u64> = Bounded<Plain, MIN, MAX>;

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
/// As humantime counts it: 365.25 days.
pub(crate) const YEAR: u64 = 8766 * HOUR;

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;
pub(crate) const TIB: u64 = 1 << 40;

/// How a kind of value is read and written.
pub(crate) trait Unit {
    /// What the program works with.
    type Value: Copy + PartialOrd;

    /// An example of a good value, for error texts.
    const EXAMPLE: &'static str;

    /// Reads a value, or says in a few words why not.
    fn parse(text: &str) -> Result<Self::Value, String>;

    /// Writes a value so that [`Unit::parse`] reads the same one.
    fn show(value: Self::Value) -> String;

    /// A bound, as the const parameter gives it.
    fn bound(bound: u64) -> Self::Value;
}

/// A value of `U` between `MIN` and `MAX`, both included.
pub(crate) struct Bounded<U: Unit, const MIN: u64, const MAX: u64> {
    value: U::Value,
    unit: PhantomData<fn() -> U>,
}

impl<U: Unit, const MIN: u64, const MAX: u64> Bounded<U, MIN, MAX> {
    /// The value itself.
    pub(crate) fn get(self) -> U::Value {
        self.value
    }

    /// A value that the program knows to be within the bounds: bytes, seconds, or a number.
    pub(crate) fn of(value: u64) -> Self {
        debug_assert!(MIN <= value && value <= MAX);
        Self {
            value: U::bound(value),
            unit: PhantomData,
        }
    }
}

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// A number that is known when the program is compiled.
    pub(crate) const fn new(value: u64) -> Self {
        assert!(MIN <= value && value <= MAX);
        Self {
            value,
            unit: PhantomData,
        }
    }
}

impl<U: Unit, const MIN: u64, const MAX: u64> Clone for Bounded<U, MIN, MAX> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U: Unit, const MIN: u64, const MAX: u64> Copy for Bounded<U, MIN, MAX> {}

impl<U: Unit, const MIN: u64, const MAX: u64> fmt::Display for Bounded<U, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&U::show(self.value))
    }
}

impl<U: Unit, const MIN: u64, const MAX: u64> fmt::Debug for Bounded<U, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<U: Unit, const MIN: u64, const MAX: u64> FromStr for Bounded<U, MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = (U::bound(MIN), U::bound(MAX));
        let allowed = || {
            let (min, max) = (U::show(min), U::show(max));
            format!("give {min} to {max}, for example {}", U::EXAMPLE)
        };
        let value = U::parse(text.trim()).map_err(|why| format!("`{text}` {why}: {}", allowed()))?;
        if value < min || value > max {
            return Err(format!("`{text}` is out of bounds: {}", allowed()));
        }
        let unit = PhantomData;
        Ok(Self { value, unit })
    }
}

impl<'de, U: Unit, const MIN: u64, const MAX: u64> Deserialize<'de> for Bounded<U, MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextOrNumber(PhantomData))
    }
}

impl<U: Unit, const MIN: u64, const MAX: u64> Serialize for Bounded<U, MIN, MAX> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = self.to_string();
        // Plain numbers stay numbers in TOML.
        match text.parse::<u64>() {
            Ok(number) => to.serialize_u64(number),
            Err(_) => to.serialize_str(&text),
        }
    }
}

/// Hands a text, or a number as text, to the type's own parser.
struct TextOrNumber<T>(PhantomData<fn() -> T>);

impl<T: FromStr<Err = String>> de::Visitor<'_> for TextOrNumber<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// The unit of [`Span`].
pub(crate) enum Seconds {}

impl Unit for Seconds {
    type Value = Duration;
    const EXAMPLE: &'static str = "`15s`, `500ms` or `1m 30s`";

    fn parse(text: &str) -> Result<Duration, String> {
        humantime::parse_duration(text).map_err(|_| "is no length of time with a unit".into())
    }

    fn show(value: Duration) -> String {
        humantime::format_duration(value).to_string()
    }

    fn bound(bound: u64) -> Duration {
        Duration::from_secs(bound)
    }
}

/// The unit of [`Size`].
pub(crate) enum Bytes {}

/// Largest first, so that [`Bytes::show`] takes the largest that divides the value.
const SIZES: [(&str, u64); 9] = [
    ("TiB", TIB),
    ("GiB", GIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Unit for Bytes {
    type Value = u64;
    const EXAMPLE: &'static str = "`64MiB`, `16KiB` or `4096B`";

    fn parse(text: &str) -> Result<u64, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        SIZES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor))
            .ok_or_else(|| "is no size with a unit".into())
    }

    fn show(value: u64) -> String {
        SIZES
            .iter()
            .find(|(_, factor)| value.is_multiple_of(*factor))
            .map_or_else(
                || format!("{value}B"),
                |(name, factor)| format!("{}{name}", value / factor),
            )
    }

    fn bound(bound: u64) -> u64 {
        bound
    }
}

/// The unit of [`Count`].
pub(crate) enum Plain {}

impl Unit for Plain {
    type Value = u64;
    const EXAMPLE: &'static str = "`1000`";

    fn parse(text: &str) -> Result<u64, String> {
        text.parse().map_err(|_| "is no whole number".into())
    }

    fn show(value: u64) -> String {
        value.to_string()
    }

    fn bound(bound: u64) -> u64 {
        bound
    }
}
