use bson::{RawBson, rawdoc};

use super::find_and_modify::same_key;
use super::*;

#[test]
fn keys_of_inserted_documents() {
    let document = rawdoc! { "_id": 5, "a": { "b": "x" }, "tags": [1, 2] };
    assert_eq!(key_of(&rawdoc! { "_id": 1 }, &document), Some(rawdoc! { "_id": 5 }));
    assert_eq!(key_of(&rawdoc! { "a.b": 1 }, &document), Some(rawdoc! { "a.b": "x" }));
    assert_eq!(key_of(&rawdoc! { "no": -1 }, &document), Some(rawdoc! { "no": RawBson::Null }));
    assert_eq!(key_of(&rawdoc! { "tags": 1 }, &document), None);
}

#[test]
fn keys_of_updated_documents() {
    let set = rawdoc! { "q": { "_id": 1 }, "u": { "$set": { "a": 2 } } };
    assert_eq!(updated_key(&rawdoc! { "a": 1 }, &set), Some(rawdoc! { "a": 2 }));
    let upsert = rawdoc! { "q": { "_id": 1, "a": 3 }, "u": { "$inc": { "n": 1 } } };
    assert_eq!(updated_key(&rawdoc! { "_id": 1 }, &upsert), Some(rawdoc! { "_id": 1 }));
    assert_eq!(updated_key(&rawdoc! { "n": 1 }, &upsert), None);
    let replace = rawdoc! { "q": { "_id": 1 }, "u": { "a": 9 } };
    assert_eq!(updated_key(&rawdoc! { "a": 1 }, &replace), Some(rawdoc! { "a": 9 }));
}

#[test]
fn keys_are_the_same_whatever_their_numbers() {
    let key = rawdoc! { "a": 1, "b": -1, "c": "text" };
    assert!(same_key(&key, &rawdoc! { "a": 1.0, "b": -1_i64, "c": "text" }));
    for other in [
        rawdoc! { "b": -1, "a": 1, "c": "text" },
        rawdoc! { "a": 1, "b": 1, "c": "text" },
        rawdoc! { "a": 1, "b": -1 },
        rawdoc! { "a": 1, "b": -1, "c": "2d" },
    ] {
        assert!(!same_key(&key, &other), "{other:?}");
    }
}

#[test]
fn sequences_are_split_at_documents() {
    let (one, two) = (rawdoc! { "a": 1 }, rawdoc! { "b": "xyz" });
    let bytes: Vec<u8> = [one.as_bytes(), two.as_bytes()].concat();
    let batch = Batch::Sequence(bytes.into());
    assert_eq!(batch.count(), 2);
    assert_eq!(batch.documents().unwrap(), vec![&*one, &*two]);
}
