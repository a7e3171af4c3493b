//! Any bytes from a client: no panic, no frame that breaks its promises.
#![no_main]

// The decoder uses nothing of the crate, so that it is compiled here alone: the server around it takes minutes.
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the target uses a part of it")]
#[path = "../../src/wire/mod.rs"]
mod wire;

use bytes::BytesMut;
use wire::{Content, Inbound, Op, check_document, check_sequence, decode, encode_reply, request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(Inbound { content, shape })) = decode(&mut buffer) {
        let body = match content {
            Content::Refused(refusal) => refusal.reply_body(),
            Content::Frame(frame) => {
                assert_eq!(check_document(frame.body()), Ok(()));
                if let Op::Msg(msg) = &frame.op {
                    assert!(msg.sequences.iter().all(|sequence| check_sequence(&sequence.documents) == Ok(())));
                }
                let again = request::encode(&frame, None).expect("not longer than it was");
                let decoded = decode(&mut BytesMut::from(&again[..])).expect("decodes again").expect("whole");
                assert_eq!(decoded.content, Content::Frame(frame.clone()));
                frame.body().clone()
            }
        };
        assert!(encode_reply(&shape, 1, shape.request_id, body, false, false).is_some());
    }
});
