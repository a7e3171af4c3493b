//! Zipfian keys as YCSB draws them: few are asked for often, and which ones is scattered over the key space.
//!
//! The method is that of Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994).

use rand::RngExt;

/// YCSB's constant.
const THETA: f64 = 0.99;

/// Draws keys from 0 to a count.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    count: u32,
    zeta: f64,
    eta: f64,
    alpha: f64,
}

impl Zipf {
    /// Over so many keys.
    pub(crate) fn new(count: u32) -> Self {
        let count = count.max(2);
        let zeta = |n: u32| (1..=n).map(|i| f64::from(i).powf(-THETA)).sum::<f64>();
        let all = zeta(count);
        let eta = (1.0 - (2.0 / f64::from(count)).powf(1.0 - THETA)) / (1.0 - zeta(2) / all);
        Self { count, zeta: all, eta, alpha: 1.0 / (1.0 - THETA) }
    }

    /// The place of a key by how often it is asked for, 0 first.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the count")]
    fn rank(&self, rng: &mut impl RngExt) -> u32 {
        let u: f64 = rng.random();
        let uz = u * self.zeta;
        if uz < 1.0 {
            return 0;
        }
        if uz < 1.0 + 0.5_f64.powf(THETA) {
            return 1;
        }
        let rank = f64::from(self.count) * (self.eta * u - self.eta + 1.0).powf(self.alpha);
        (rank as u32).min(self.count - 1)
    }

    /// A key.
    pub(crate) fn key(&self, rng: &mut impl RngExt) -> u32 {
        // FNV-1a, as YCSB scatters.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.rank(rng).to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        u32::try_from(hash % u64::from(self.count)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    #[test]
    fn few_keys_are_asked_for_often() {
        let (zipf, mut rng) = (Zipf::new(1000), SmallRng::seed_from_u64(1));
        let mut counts = vec![0_u32; 1000];
        for _ in 0..100_000 {
            counts[zipf.rank(&mut rng) as usize] += 1;
        }
        // 1 / (the harmonic number of 1000 to the power 0.99) = 0.129
        assert!((11_000..15_000).contains(&counts[0]), "{}", counts[0]);
        assert!((5_000..8_500).contains(&counts[1]), "{}", counts[1]);
        assert!(counts.iter().filter(|count| **count > 0).count() > 900);
        assert!((0..1000).all(|_| zipf.key(&mut rng) < 1000));
    }
}
