//! Random documents from a seed.

use engine::{ArrayWriter, Doc, DocWriter, Value};

/// SplitMix64: small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

pub const NAMES: [&str; 6] = ["a", "b", "c", "0", "1", ""];

const DOUBLES: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    5e-324,
    9_007_199_254_740_992.0,
    9_223_372_036_854_775_808.0,
    1e300,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];
const LONGS: [i64; 7] = [0, 1, -1, 9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX, i64::MIN];
const DECIMALS: [&str; 12] = [
    "0",
    "-0E+10",
    "1.0",
    "1",
    "0.1",
    "-1.50",
    "9007199254740993",
    "9223372036854775807.5",
    "1E+6144",
    "-Infinity",
    "NaN",
    "0.1000000000000000055511151231257827",
];
const TEXTS: [&str; 7] = ["", "a", "A", "ab", "a\0b", "é", "\u{10ffff}"];

pub fn value(r: &mut Random, depth: usize) -> Value {
    let text = |r: &mut Random| r.pick(&TEXTS).to_owned();
    let plain = |r: &mut Random| r.pick(&["", "a", "^a", "b"]).to_owned();
    // Strings, codes and symbols share their encoding.
    let encoded = |s: String| {
        let mut bytes = Vec::new();
        Value::String(s).encode(&mut bytes);
        bytes
    };
    match r.below(if depth == 0 { 20 } else { 24 }) {
        0 | 1 => Value::Int32(i32::try_from(r.below(7)).unwrap() - 3),
        2 => Value::Int64(r.pick(&LONGS)),
        3 => Value::Double(r.pick(&DOUBLES)),
        4 => Value::Decimal128(engine::decimal::encode(engine::decimal::parse(r.pick(&DECIMALS)).unwrap())),
        5 | 6 => Value::String(text(r)),
        7 => Value::Null,
        8 => Value::Undefined,
        9 => Value::Bool(r.below(2) == 1),
        10 => Value::DateTime(r.pick(&LONGS)),
        11 => Value::Timestamp { t: u32::try_from(r.below(3)).unwrap(), i: u32::MAX },
        12 => Value::ObjectId([u8::try_from(r.below(256)).unwrap(); 12]),
        13 => Value::Binary { subtype: r.pick(&[0, 2, 4, 0x80]), bytes: text(r).into_bytes() },
        14 => Value::Regex { pattern: plain(r), options: r.pick(&["", "i", "im"]).to_owned() },
        15 => Value::MinKey,
        16 => Value::MaxKey,
        17 => Value::Other { ty: 0x0D, bytes: encoded(text(r)) },
        18 => Value::Other { ty: 0x0E, bytes: encoded(text(r)) },
        19 => Value::Other { ty: 0x0C, bytes: [encoded(text(r)).as_slice(), &[7; 12]].concat() },
        20 | 21 => {
            let mut w = ArrayWriter::new();
            for _ in 0..r.below(4) {
                w.push(&value(r, depth - 1));
            }
            Value::Array(w.finish())
        }
        _ => Value::Document(document(r, depth - 1)),
    }
}

pub fn document(r: &mut Random, depth: usize) -> Vec<u8> {
    let mut w = DocWriter::new();
    for _ in 0..r.below(4) {
        let name = r.pick(&NAMES);
        w.put(name, &value(r, depth));
    }
    w.finish()
}

/// `{v: value}`
pub fn wrap(v: &Value) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put("v", v);
    w.finish()
}

/// A filter: mostly a sensible one, sometimes one with operands of wrong types.
pub fn filter(r: &mut Random, depth: usize) -> Vec<u8> {
    let mut w = DocWriter::new();
    for _ in 0..=r.below(2) {
        match r.below(if depth == 0 { 6 } else { 9 }) {
            0 => {
                let (name, v) = (path(r), value(r, 2));
                w.put(&name, &v);
            }
            1..=5 => {
                let (name, operators) = (path(r), operators(r, depth));
                w.put(&name, &Value::Document(operators));
            }
            _ => {
                let mut list = ArrayWriter::new();
                for _ in 0..=r.below(2) {
                    list.push(&Value::Document(filter(r, depth - 1)));
                }
                w.put(r.pick(&["$and", "$or", "$nor"]), &Value::Array(list.finish()));
            }
        }
    }
    w.finish()
}

pub fn path(r: &mut Random) -> String {
    let mut path = r.pick(&NAMES[..3]).to_owned();
    for _ in 0..r.below(6).saturating_sub(3) {
        path = format!("{path}.{}", r.pick(&NAMES));
    }
    path
}

pub fn operators(r: &mut Random, depth: usize) -> Vec<u8> {
    let mut w = DocWriter::new();
    let list = |r: &mut Random| {
        let mut w = ArrayWriter::new();
        for _ in 0..r.below(4) {
            w.push(&value(r, 1));
        }
        Value::Array(w.finish())
    };
    for _ in 0..=r.below(2) {
        let name = r.pick(&[
            "$eq",
            "$ne",
            "$lt",
            "$lte",
            "$gt",
            "$gte",
            "$in",
            "$nin",
            "$all",
            "$size",
            "$exists",
            "$type",
            "$mod",
            "$regex",
            "$options",
            "$bitsAllSet",
            "$bitsAnyClear",
            "$elemMatch",
            "$not",
            "$geoWithin",
            "$near",
        ]);
        let v = match name {
            _ if r.below(20) == 0 => value(r, 2),
            "$in" | "$nin" | "$all" | "$mod" => list(r),
            "$size" | "$bitsAllSet" | "$bitsAnyClear" => Value::Int32(i32::try_from(r.below(3)).unwrap()),
            "$type" => Value::String(r.pick(&["string", "number", "array", "null", "x"]).into()),
            "$regex" => Value::String(r.pick(&["a", "^A", "(", "b$"]).into()),
            "$options" => Value::String(r.pick(&["i", "", "q"]).into()),
            "$not" if depth > 0 => Value::Document(operators(r, depth - 1)),
            "$elemMatch" if depth > 0 && r.below(2) == 0 => Value::Document(operators(r, depth - 1)),
            "$elemMatch" if depth > 0 => Value::Document(filter(r, depth - 1)),
            _ => value(r, 2),
        };
        w.put(name, &v);
    }
    w.finish()
}

/// The document as text, for messages.
pub fn shown(bytes: &[u8]) -> String {
    engine::extjson::canonical(Doc::trusted(bytes))
}
