//! Good messages, and what breaks them.
use std::io::Write as _;
use std::path::Path;

use bson::{RawDocumentBuf, rawdoc};
use flate2::Compression;
use proto_tests::raw::{OP_COMPRESSED, OP_MSG, message, op_msg, op_query};
use rand::RngExt as _;
use rand::rngs::SmallRng;

/// A sequence section of kind 1.
fn sequence(field: &str, documents: &[RawDocumentBuf]) -> Vec<u8> {
    let documents: Vec<u8> = documents.iter().flat_map(|document| document.as_bytes().to_vec()).collect();
    let size = i32::try_from(4 + field.len() + 1 + documents.len()).unwrap().to_le_bytes();
    [&[1], &size[..], field.as_bytes(), &[0], &documents].concat()
}

fn compressed(plain: &[u8], id: u8) -> Vec<u8> {
    let payload = &plain[16..];
    let packed = match id {
        1 => snap::raw::Encoder::new().compress_vec(payload).unwrap(),
        2 => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(payload).unwrap();
            encoder.finish().unwrap()
        }
        3 => zstd::bulk::compress(payload, 1).unwrap(),
        _ => payload.to_vec(),
    };
    let size = i32::try_from(payload.len()).unwrap().to_le_bytes();
    message(9, OP_COMPRESSED, &[&OP_MSG.to_le_bytes(), &size, &[id], &packed])
}

/// Commands with every feature of BSON, good ones.
pub(crate) fn bodies() -> Vec<RawDocumentBuf> {
    let wide: bson::Document = (0..200).map(|n| (format!("field{n}"), bson::Bson::Int32(n))).collect();
    let wide = RawDocumentBuf::try_from(&wide).unwrap();
    let nested = (0..90).fold(rawdoc! { "end": 1 }, |inner, _| rawdoc! { "a": inner });
    vec![
        rawdoc! { "find": "c", "filter": { "a": { "$gt": 1, "$in": [1, "x", null] } }, "sort": { "a": 1 }, "$db": "m" },
        rawdoc! { "find": "c", "filter": { "$or": [{ "r": { "$regex": "^a+b", "$options": "i" } }, nested.clone()] }, "$db": "m" },
        rawdoc! { "insert": "c", "documents": [{ "a": 1, "n": nested }, { "a": "x", "w": wide }], "$db": "m" },
        rawdoc! { "update": "c", "updates": [{ "q": { "a": 1 }, "u": { "$inc": { "n.x": 1 }, "$push": { "l": { "$each": [1, 2], "$slice": -5 } } }, "upsert": true }], "$db": "m" },
        rawdoc! { "update": "c", "updates": [{ "q": { "a": 1 }, "u": { "$set": { "l.$[e].b": 1 } }, "arrayFilters": [{ "e.b": 0 }] }], "$db": "m" },
        rawdoc! { "delete": "c", "deletes": [{ "q": { "a": { "$lt": 0 } }, "limit": 1 }], "$db": "m" },
        rawdoc! { "findAndModify": "c", "query": { "a": 1 }, "update": [{ "$set": { "b": { "$add": ["$a", 1] } } }], "new": true, "$db": "m" },
        rawdoc! { "aggregate": "c", "pipeline": [{ "$match": { "a": 1 } }, { "$group": { "_id": "$a", "n": { "$sum": 1 } } }, { "$sort": { "n": -1 } }], "cursor": { "batchSize": 10 }, "$db": "m" },
        rawdoc! { "aggregate": "c", "pipeline": [{ "$project": { "x": { "$cond": [{ "$gt": ["$a", { "$literal": 3 }] }, { "$toString": "$a" }, { "$dateFromString": { "dateString": "2020-01-01" } }] } } }], "cursor": {}, "$db": "m" },
        rawdoc! { "count": "c", "query": { "a": { "$type": "string" } }, "$db": "m" },
        rawdoc! { "distinct": "c", "key": "a.b", "query": {}, "$db": "m" },
        rawdoc! { "getMore": 17i64, "collection": "c", "$db": "m" },
        rawdoc! { "explain": { "find": "c", "filter": { "a": 1 } }, "verbosity": "queryPlanner", "$db": "m" },
        rawdoc! { "listCollections": 1, "filter": { "name": "c" }, "nameOnly": true, "$db": "m" },
        rawdoc! { "listIndexes": "c", "$db": "m" },
        rawdoc! { "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": "n,,n=u,r=abcdefgh", "$db": "admin" },
        rawdoc! { "hello": 1, "maxAwaitTimeMS": 1i64, "topologyVersion": { "processId": bson::oid::ObjectId::from_bytes([1; 12]), "counter": 1i64 }, "$db": "admin" },
    ]
}

/// A command in one of the forms in which it can be sent.
fn wrapped(body: &[u8], form: u8) -> Vec<u8> {
    let plain = message(9, OP_MSG, &[&[0; 5], body]);
    match form {
        0..4 => compressed(&plain, form),
        4 => {
            let mut checked = message(9, OP_MSG, &[&1u32.to_le_bytes(), &[0], body, &[0; 4]]);
            let at = checked.len() - 4;
            let crc = crc32c::crc32c(&checked[..at]);
            checked[at..].copy_from_slice(&crc.to_le_bytes());
            checked
        }
        _ => plain,
    }
}

/// Good messages: what drivers say first, and commands with every feature of the protocol.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
            seeds.push((0..line.len() / 2 * 2).step_by(2).map(byte).collect());
        }
    }
    for body in bodies() {
        seeds.extend((0..6).map(|form| wrapped(body.as_bytes(), form)));
    }
    let documents = [
        rawdoc! { "_id": bson::oid::ObjectId::from_bytes([7; 12]), "s": "x".repeat(300) },
        rawdoc! { "é": "ü" },
    ];
    let insert = rawdoc! { "insert": "c", "ordered": false, "$db": "m" };
    seeds.push(message(9, OP_MSG, &[&[0; 5], insert.as_bytes(), &sequence("documents", &documents)]));
    seeds.push(message(9, OP_MSG, &[&[0; 4], &sequence("documents", &documents), &[0], insert.as_bytes()]));
    seeds.push(op_query(9, "admin.$cmd", &rawdoc! { "isMaster": 1, "helloOk": true }));
    seeds
}

/// Messages that aim at one limit each.
pub(crate) fn aimed() -> Vec<Vec<u8>> {
    let deep = |depth: usize| (0..depth).fold(rawdoc! {}, |inner, _| rawdoc! { "a": inner });
    let twice = {
        let one = rawdoc! { "find": "c", "$db": "m" };
        let fields = &one.as_bytes()[4..one.as_bytes().len() - 1];
        let size = i32::try_from(5 + 2 * fields.len()).unwrap().to_le_bytes();
        [&size, fields, fields, &[0]].concat()
    };
    let mut unreadable = rawdoc! { "find": "c", "filter": { "name": "abcdef" }, "$db": "m" }.into_bytes();
    let at = unreadable.windows(6).position(|bytes| bytes == b"abcdef").unwrap();
    unreadable[at..at + 6].copy_from_slice(&[0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0]);
    let mut aimed: Vec<Vec<u8>> = [100, 150, 180, 200, 250, 1000, 100_000]
        .into_iter()
        .map(|depth| op_msg(1, 0, &rawdoc! { "find": "c", "filter": deep(depth), "$db": "m" }))
        .collect();
    aimed.push(message(1, OP_MSG, &[&[0; 5], &twice]));
    aimed.push(message(1, OP_MSG, &[&[0; 5], &unreadable]));
    // Bombs: megabytes of zeros in a few bytes, with true and with false sizes.
    let zeros = vec![0; 47_000_000];
    for id in 1..4 {
        let bomb = compressed(&[&[0; 16], &zeros[..]].concat(), id);
        for declared in [47_000_000, 48_000_000, 1000, i32::MAX, -1] {
            let mut lie = bomb.clone();
            lie[20..24].copy_from_slice(&declared.to_le_bytes());
            aimed.push(lie);
        }
    }
    // A compressed message within a compressed message, and more sequences than fields.
    let inner = compressed(&op_msg(1, 0, &rawdoc! { "ping": 1, "$db": "m" }), 3);
    let size = i32::try_from(inner.len() - 16).unwrap().to_le_bytes();
    aimed.push(message(1, OP_COMPRESSED, &[&OP_COMPRESSED.to_le_bytes(), &size, &[0], &inner[16..]]));
    let many: Vec<u8> = (0..5000).flat_map(|n| sequence(&format!("documents{n}"), &[])).collect();
    aimed.push(message(1, OP_MSG, &[&[0; 5], rawdoc! { "insert": "c", "$db": "m" }.as_bytes(), &many]));
    aimed
}

fn set_length(message: &mut [u8]) {
    let length = i32::try_from(message.len()).unwrap().to_le_bytes();
    if let Some(field) = message.get_mut(..4) {
        field.copy_from_slice(&length);
    }
}

/// One to three small damages behind the first bytes, which are damaged seldom: there it is seen at once.
fn damage(random: &mut SmallRng, bytes: &mut Vec<u8>, head: usize) {
    for _ in 0..random.random_range(1..4) {
        if bytes.len() <= head {
            break;
        }
        let within = if random.random_ratio(1, 8) { 0..bytes.len() } else { head..bytes.len() };
        let at = random.random_range(within);
        let end = random.random_range(at..bytes.len().min(at + 40));
        match random.random_range(0..9) {
            0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = random.random(),
            3 => bytes.truncate(at),
            4 => bytes.insert(at, random.random()),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ if bytes.len() >= at + 4 => {
                let field = i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                let (more, less) = (field.wrapping_add(1), field.wrapping_sub(1));
                let edges = [0, -1, 1, 4, 5, i32::MAX, i32::MIN, 16_777_216, more, less];
                bytes[at..at + 4].copy_from_slice(&edges[random.random_range(0..edges.len())].to_le_bytes());
            }
            _ => {}
        }
    }
}

/// A good message, damaged as a whole.
pub(crate) fn broken_message(random: &mut SmallRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut message = seeds[random.random_range(0..seeds.len())].clone();
    damage(random, &mut message, 16);
    if random.random_ratio(7, 8) {
        set_length(&mut message);
    }
    message
}

/// A good message with a damaged command: what only BSON, the command and the extension can find.
pub(crate) fn broken_command(random: &mut SmallRng, bodies: &[RawDocumentBuf]) -> Vec<u8> {
    let mut body = bodies[random.random_range(0..bodies.len())].as_bytes().to_vec();
    match random.random_range(0..4) {
        0 => {
            damage(random, &mut body, 4);
            set_length(&mut body);
        }
        // Another type, or another name.
        1 => {
            let types: Vec<usize> = (4..body.len() - 1)
                .filter(|at| body[*at] < 20 && body[at + 1].is_ascii_alphanumeric())
                .collect();
            let at = types[random.random_range(0..types.len())];
            body[at] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 255, 127]
                [random.random_range(0..20)];
        }
        // Letters only: the structure stays.
        _ => {
            let letters: Vec<usize> =
                (5..body.len()).filter(|at| body[*at].is_ascii_alphanumeric()).collect();
            for _ in 0..random.random_range(1..4) {
                let at = letters[random.random_range(0..letters.len())];
                body[at] = [b'$', b'.', b'0', b'-', b'x', 0xff, 0xc3, b'*'][random.random_range(0..8)];
            }
        }
    }
    wrapped(&body, random.random_range(0..6))
}
