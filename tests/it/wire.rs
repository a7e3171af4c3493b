//! The decoder against what no driver sends: real messages, cut, flipped and mixed, thousands of them, always the
//! same ones.
use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use ermine::wire::{
    Compressor, Content, Frame, Inbound, Op, OpMsg, Sequence, check_document, decode, request,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Frames made from one seed.
const ROUNDS: usize = 2000;

/// The messages that drivers really sent: the captures of proto-tests, one message a line, after `#` comments.
fn captured() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto-tests/captures");
    let mut messages = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let digits: Vec<u8> = line.bytes().filter(u8::is_ascii_hexdigit).collect();
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            messages.push(digits.chunks(2).map(byte).collect());
        }
    }
    messages
}

/// Messages with every feature of the protocol.
fn made() -> Vec<Vec<u8>> {
    let body = bson::rawdoc! {
        "insert": "c", "ordered": true, "$db": "d", "deep": { "a": [1, 2.5, { "b": "text" }, null], "c": true },
    };
    let document = bson::rawdoc! { "_id": bson::oid::ObjectId::from_bytes([7; 12]), "s": "x".repeat(300) };
    let documents = [document.as_bytes(), document.as_bytes()].concat();
    let sequence = Sequence { identifier: Bytes::from_static(b"documents"), documents: documents.into() };
    let mut messages = Vec::new();
    for (checksum, sequences) in
        [(false, vec![]), (true, vec![]), (false, vec![sequence.clone()]), (true, vec![sequence])]
    {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let op = Op::Msg(OpMsg { more_to_come: false, exhaust_allowed: false, checksum, body, sequences });
        let frame = Frame { request_id: 1, op };
        messages.push(request::encode(&frame, None).unwrap().to_vec());
        for compressor in [Compressor::Noop, Compressor::Snappy, Compressor::Zlib, Compressor::Zstd] {
            messages.push(request::encode(&frame, Some(compressor)).unwrap().to_vec());
        }
    }
    messages
}

fn set_length(message: &mut [u8]) {
    let length = i32::try_from(message.len()).unwrap();
    if let Some(field) = message.get_mut(..4) {
        field.copy_from_slice(&length.to_le_bytes());
    }
}

fn mutate(random: &mut SmallRng, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut message = seed.to_vec();
    for _ in 0..random.random_range(1..4) {
        if message.is_empty() {
            break;
        }
        let at = random.random_range(0..message.len());
        match random.random_range(0..8) {
            0 => message[at] ^= 1 << random.random_range(0..8),
            1 => message[at] = random.random(),
            2 => message.truncate(at),
            3 => message.insert(at, random.random()),
            4 => {
                let end = random.random_range(at..message.len());
                message.drain(at..end);
            }
            // Lengths at their edges.
            5 if message.len() >= at + 4 => {
                let edge = [0i32, -1, 1, 4, 5, i32::MAX, i32::MIN, 48_000_000, 16_777_216]
                    [random.random_range(0..9)];
                message[at..at + 4].copy_from_slice(&edge.to_le_bytes());
            }
            6 if message.len() >= at + 4 => {
                let field = i32::from_le_bytes(message[at..at + 4].try_into().unwrap());
                let moved = field.wrapping_add(random.random_range(-3..=3));
                message[at..at + 4].copy_from_slice(&moved.to_le_bytes());
            }
            _ => {
                let from = random.random_range(0..other.len());
                message.extend_from_slice(&other[from..]);
            }
        }
    }
    // Most of them with a header that agrees, so that the inside is reached.
    if random.random_ratio(3, 4) {
        set_length(&mut message);
    }
    message
}

/// Decodes all there is; checks what every accepted frame promises.
fn check(bytes: &[u8]) -> (usize, usize, usize) {
    let mut buffer = BytesMut::from(bytes);
    let (mut frames, mut refusals) = (0, 0);
    loop {
        let before = buffer.len();
        match decode(&mut buffer) {
            Ok(None) => {
                assert_eq!(buffer.len(), before, "an unfinished message was taken");
                return (frames, refusals, 0);
            }
            Err(_) => return (frames, refusals, 1),
            Ok(Some(Inbound { content, shape })) => {
                assert!(buffer.len() < before);
                match content {
                    Content::Refused(refusal) => {
                        refusals += 1;
                        assert_eq!(check_document(&refusal.reply_body()), Ok(()));
                    }
                    Content::Frame(frame) => {
                        frames += 1;
                        assert_eq!(shape.wants_reply, !frame.wants_no_reply());
                        promises(&frame);
                    }
                }
            }
        }
    }
}

fn promises(frame: &Frame) {
    let mut documents = vec![frame.body().clone()];
    if let Op::Msg(msg) = &frame.op {
        for sequence in &msg.sequences {
            let mut rest = sequence.documents.clone();
            while !rest.is_empty() {
                let length = i32::from_le_bytes(rest[..4].try_into().unwrap());
                documents.push(rest.split_to(usize::try_from(length).unwrap()));
            }
        }
    }
    for document in documents {
        assert_eq!(check_document(&document), Ok(()));
        walk(bson::RawDocument::from_bytes(&document).unwrap());
    }
    // What was decoded says the same when a client sends it again.
    let again = request::encode(frame, None).unwrap();
    let Ok(Some(Inbound { content: Content::Frame(decoded), .. })) = decode(&mut BytesMut::from(&again[..]))
    else {
        panic!("not accepted again");
    };
    assert_eq!(&decoded, frame);
}

/// The bson library can step through everything that passed; it only minds text that is not UTF-8.
fn walk(document: &bson::RawDocument) {
    for element in document {
        match element {
            Ok((_, bson::RawBsonRef::Document(inner))) => walk(inner),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

#[test]
fn mutated_messages_never_break_the_decoder() {
    let seeds: Vec<Vec<u8>> = made().into_iter().chain(captured()).collect();
    let mut random = SmallRng::seed_from_u64(27017);
    let (mut frames, mut refusals, mut errors) = (0, 0, 0);
    for seed in &seeds {
        for _ in 0..ROUNDS {
            let other = &seeds[random.random_range(0..seeds.len())];
            let counted = check(&mutate(&mut random, seed, other));
            frames += counted.0;
            refusals += counted.1;
            errors += counted.2;
        }
    }
    // The mutations reach all three outcomes, or they test nothing.
    let all = seeds.len() * ROUNDS;
    assert!(
        frames > all / 20 && refusals > all / 50 && errors > all / 20,
        "{frames} {refusals} {errors} of {all}"
    );
}

#[test]
fn every_prefix_waits() {
    for seed in made().into_iter().chain(captured()) {
        for length in 0..seed.len() {
            let mut buffer = BytesMut::from(&seed[..length]);
            assert_eq!(decode(&mut buffer), Ok(None), "{length} of {}", seed.len());
        }
        assert_eq!(check(&seed).0, 1);
    }
}

#[test]
fn real_drivers_are_understood() {
    let captured = captured();
    assert!(captured.len() >= 10, "only {} captured messages", captured.len());
    let mut legacy = 0;
    for message in captured {
        let Ok(Some(inbound)) = decode(&mut BytesMut::from(&message[..])) else { panic!("not decoded") };
        legacy += usize::from(inbound.shape.legacy);
        assert!(matches!(inbound.content, Content::Frame(_)));
    }
    assert!(legacy > 0, "no legacy handshake among them");
}
