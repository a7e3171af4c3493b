//! What the documents of a writer must be.

use engine::Value;
use sql_tests::{Rng, doc, sub};

/// The values of one document. Fields that are not here follow from those that are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `_id`
    pub id: i32,
    /// Which writer's.
    pub writer: i32,
    /// How often it was incremented: shows a change that is applied twice.
    pub n: i32,
    /// In a unique index.
    pub u: i32,
    /// In several indexes.
    pub c: i32,
    /// An array.
    pub tags: Vec<i32>,
    /// In no index.
    pub pad: i32,
    /// In a sparse index.
    pub o: Option<i32>,
}

/// Values of `u` that all writers want.
pub const SHARED: usize = 30;

fn int(i: i32) -> Value {
    Value::Int32(i)
}

/// The strings that go with `c`.
pub fn words(c: i32) -> [Value; 2] {
    [format!("s{}", c % 7), format!("h{c}")].map(Value::String)
}

/// The place that goes with `c`.
pub fn place(c: i32) -> Value {
    Value::array_of(&[int(c), int(2 * c)])
}

impl Row {
    /// A new one.
    pub fn new(writer: i32, sequence: i32, rng: &mut Rng) -> Row {
        let id = writer * 1_000_000 + sequence;
        Row {
            id,
            writer,
            n: 0,
            u: 1000 + id,
            c: small(rng, 20),
            tags: tags(rng),
            pad: 0,
            o: (rng.below(3) == 0).then(|| small(rng, 10)),
        }
    }

    /// As it is stored.
    pub fn document(&self) -> Vec<u8> {
        let [s, h] = words(self.c);
        let tags: Vec<Value> = self.tags.iter().map(|t| int(*t)).collect();
        let mut fields = vec![
            ("_id", int(self.id)),
            ("w", int(self.writer)),
            ("n", int(self.n)),
            ("u", int(self.u)),
            ("c", int(self.c)),
            ("s", s),
            ("h", h),
            ("g", place(self.c)),
            ("tags", Value::array_of(&tags)),
            ("sub", sub(&[("x", int(self.n))])),
            ("pad", int(self.pad)),
        ];
        fields.extend(self.o.map(|o| ("o", int(o))));
        doc(&fields)
    }
}

/// A number below `n`.
pub fn small(rng: &mut Rng, n: usize) -> i32 {
    i32::try_from(rng.below(n)).unwrap_or(0)
}

/// A short list, often empty or with repetitions.
pub fn tags(rng: &mut Rng) -> Vec<i32> {
    (0..rng.below(5)).map(|_| small(rng, 8)).collect()
}
