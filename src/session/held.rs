//! Results that the proxy itself holds for a cursor, because no statement can make them again.
use std::collections::VecDeque;

use bson::raw::RawBsonRef;
use bson::{RawArrayBuf, RawDocumentBuf};

use crate::error::{Code, CommandError, Result, codes};

/// A page is no longer than a document may be (bytes).
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// Results that were not fetched yet.
#[derive(Debug)]
pub struct Held(VecDeque<RawDocumentBuf>);

impl Held {
    /// All results, in order.
    pub fn new(results: Vec<RawDocumentBuf>) -> Self {
        Self(results.into())
    }

    /// Everything was fetched.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next page: at most so many results, and never more than fit into a reply.
    pub fn page(&mut self, limit: Option<usize>) -> RawArrayBuf {
        let mut page = RawArrayBuf::new();
        let (mut count, mut bytes) = (0, 0);
        while limit.is_none_or(|limit| count < limit)
            && let Some(next) = self.0.front()
        {
            // Its place in the array costs a type, a number and an end.
            bytes += next.as_bytes().len() + 16;
            if count > 0 && bytes > MAX_PAGE {
                break;
            }
            count += 1;
            let Some(result) = self.0.pop_front() else { break };
            page.push(result);
        }
        page
    }
}

/// A batch size: 0 or more.
///
/// # Errors
/// 14 for something else than a number, 51024 for a negative one.
pub fn batch_size(path: &str, value: RawBsonRef<'_>) -> Result<usize> {
    let number = match value {
        RawBsonRef::Int32(number) => i64::from(number),
        RawBsonRef::Int64(number) => number,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "MongoDB cuts the fraction off, and as saturates"
        )]
        RawBsonRef::Double(number) => number as i64,
        _ => {
            let message = format!(
                "BSON field '{path}' is the wrong type, expected types '[long, int, decimal, double]'"
            );
            return Err(CommandError::client(codes::TYPE_MISMATCH, message));
        }
    };
    usize::try_from(number).map_err(|_| {
        let message = format!("BSON field 'batchSize' value must be >= 0, actual value '{number}'");
        CommandError::client(Code(51024), message)
    })
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn pages_end_at_their_limits() {
        let mut held = Held::new((0..5).map(|n| rawdoc! { "n": n }).collect());
        assert_eq!(held.page(Some(0)).iter_elements().count(), 0);
        assert_eq!(held.page(Some(2)).iter_elements().count(), 2);
        assert_eq!(held.page(None).iter_elements().count(), 3);
        assert!(held.is_empty());
        let large = rawdoc! { "x": "y".repeat(7_000_000) };
        let mut held = Held::new(vec![large.clone(), large.clone(), large]);
        assert_eq!(held.page(None).iter_elements().count(), 2);
        assert_eq!(held.page(None).iter_elements().count(), 1);
        assert!(held.is_empty());
    }

    #[test]
    fn batch_sizes() {
        assert_eq!(batch_size("b", RawBsonRef::Double(2.9)).unwrap(), 2);
        assert_eq!(batch_size("b", RawBsonRef::Int32(-1)).unwrap_err().code, Code(51024));
        assert_eq!(batch_size("b", RawBsonRef::Boolean(true)).unwrap_err().code, codes::TYPE_MISMATCH);
    }
}
