//! `$sampleRate`: a random share of the documents.

use std::sync::atomic::{AtomicU64, Ordering};

/// The share to keep, and the state of its generator.
#[derive(Debug)]
pub struct SampleRate {
    rate: f64,
    state: AtomicU64,
}

impl SampleRate {
    /// Keeps documents with probability `rate` (0 to 1).
    #[must_use]
    pub fn new(rate: f64) -> Self {
        use std::hash::{BuildHasher, Hasher};
        // A fresh RandomState is seeded from the system's randomness.
        let seed = std::hash::RandomState::new().build_hasher().finish();
        Self { rate, state: AtomicU64::new(seed) }
    }

    /// Draws once.
    #[must_use]
    pub fn keep(&self) -> bool {
        // SplitMix64 (Steele, Lea, Flood 2014).
        let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        #[allow(clippy::cast_precision_loss, reason = "53 bits fit a double")]
        let unit = (z >> 11) as f64 / (1u64 << 53) as f64;
        unit < self.rate
    }
}
