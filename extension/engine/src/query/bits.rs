//! `$bitsAllSet`, `$bitsAnySet`, `$bitsAllClear`, `$bitsAnyClear`.

use crate::error::Result;
use crate::raw::{Val, View};
use crate::{bail, codes, display, number};

/// Which of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitTest {
    /// `$bitsAllSet`
    AllSet,
    /// `$bitsAnySet`
    AnySet,
    /// `$bitsAllClear`
    AllClear,
    /// `$bitsAnyClear`
    AnyClear,
}

/// A test of bits. Bit 0 is the lowest bit of a number and the lowest bit of a binary's first byte.
#[derive(Clone, Debug)]
pub struct Bits {
    test: BitTest,
    /// Positions below 64.
    mask: u64,
    /// The other positions: in a number they repeat its sign, in a binary they may lie behind its end (clear).
    high: Vec<u32>,
}

impl Bits {
    /// Parses the operand `v` of the operator `name` at `path`: a mask (number or binary) or a list of positions.
    ///
    /// # Errors
    /// `BadValue` for anything else, `FailedToParse` for a mask that is no integer.
    pub fn parse(test: BitTest, name: &str, path: &str, v: Val<'_>) -> Result<Self> {
        let mut bits = Bits { test, mask: 0, high: Vec::new() };
        match v.view() {
            View::Array(list) => {
                for (i, p) in list.values().enumerate() {
                    bits.add(position(i, p)?);
                }
            }
            View::Binary { bytes, .. } => {
                for (at, byte) in (0u32..).zip(bytes) {
                    (0..8).filter(|bit| byte >> bit & 1 == 1).for_each(|bit| bits.add(at * 8 + bit));
                }
            }
            _ if v.is_number() => {
                let mask = crate::operand::integer(name, v)?;
                let Ok(mask) = u64::try_from(mask) else {
                    bail!(
                        codes::FAILED_TO_PARSE,
                        "Expected a non-negative number in: {name}: {}",
                        display::value(v)
                    );
                };
                bits.mask = mask;
            }
            _ => bail!(
                codes::BAD_VALUE,
                "{path} takes an Array, a number, or a BinData but received: {name}: {}",
                display::value(v)
            ),
        }
        bits.high.sort_unstable();
        bits.high.dedup();
        Ok(bits)
    }

    fn add(&mut self, position: u32) {
        if position < 64 {
            self.mask |= 1 << position;
        } else {
            self.high.push(position);
        }
    }

    /// Tests a number (an integral one that fits 64 bits) or a binary; everything else fails.
    #[must_use]
    pub fn test(&self, v: Val<'_>) -> bool {
        if let View::Binary { bytes, .. } = v.view() {
            let mut low = [0u8; 8];
            low.iter_mut().zip(bytes).for_each(|(l, b)| *l = *b);
            return self.decide(u64::from_le_bytes(low), |p| {
                let byte = usize::try_from(p / 8).ok().and_then(|at| bytes.get(at));
                byte.is_some_and(|b| b >> (p % 8) & 1 == 1)
            });
        }
        match number::exact_i64(v) {
            Some(i) => self.decide(i.cast_unsigned(), |_| i < 0),
            None => false,
        }
    }

    fn decide(&self, low: u64, high: impl Fn(u32) -> bool) -> bool {
        match self.test {
            BitTest::AllSet => low & self.mask == self.mask && self.high.iter().all(|p| high(*p)),
            BitTest::AnySet => low & self.mask != 0 || self.high.iter().any(|p| high(*p)),
            BitTest::AllClear => low & self.mask == 0 && !self.high.iter().any(|p| high(*p)),
            BitTest::AnyClear => low & self.mask != self.mask || !self.high.iter().all(|p| high(*p)),
        }
    }
}

fn position(index: usize, v: Val<'_>) -> Result<u32> {
    let Some(p) = v.is_number().then(|| number::exact_i64(v)).flatten() else {
        bail!(codes::BAD_VALUE, "bit positions must be an integer but got: {index}: {}", display::value(v));
    };
    if p < 0 {
        bail!(codes::BAD_VALUE, "bit positions must be >= 0 but got: {index}: {}", display::value(v));
    }
    match i32::try_from(p) {
        Ok(p) => Ok(p.cast_unsigned()),
        Err(_) => bail!(
            codes::BAD_VALUE,
            "bit positions cannot be represented as a 32-bit signed integer: {index}: {}",
            display::value(v)
        ),
    }
}
