//! Random numbers that stay the same: SplitMix64, in integers alone, because a library's generator
//! may change with its version and a float's logarithm with the machine.

/// A stream of numbers that its seeds determine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of these seeds, in this order.
    #[must_use]
    pub fn of(seeds: &[u64]) -> Self {
        let mut random = Self(0x05ee_d0fa_5eed);
        for seed in seeds {
            random.0 ^= *seed;
            random.0 = random.draw();
        }
        random
    }

    /// The next number, any of 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `limit`; 0 when the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True so many times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the items; the default value when there is none.
    pub fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let at = self.below(items.len() as u64);
        usize::try_from(at).ok().and_then(|at| items.get(at)).copied().unwrap_or_default()
    }

    /// So many random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.draw().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// A log-normal number: `median_log2` and `spread_log2` are base-2 logarithms of the median and
    /// of one standard deviation, in 65536ths. Between powers of two it is interpolated in a line,
    /// which is off by up to 6 % and the same everywhere.
    pub fn log_normal(&mut self, median_log2: u64, spread_log2: u64) -> u64 {
        // Twelve uniform numbers add up to nearly a normal one, of mean 6 and deviation 1.
        let sum: u64 = (0..12).map(|_| self.below(1 << 16)).sum();
        let exponent = (median_log2 + ((spread_log2 * sum) >> 16)).saturating_sub(6 * spread_log2);
        let power = 1u64 << (exponent >> 16).min(40);
        power + ((power * (exponent & 0xffff)) >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn numbers_keep_their_range_and_their_shape() {
        let mut random = Random::of(&[1, 2]);
        assert!((0..1000).all(|_| (5..=7).contains(&random.between(5, 7))));
        assert_eq!(random.below(0), 0);
        let mut sizes: Vec<u64> = (0..2001).map(|_| random.log_normal(13 << 16, 3 << 15)).collect();
        sizes.sort_unstable();
        assert!((7000..9500).contains(&sizes[1000]), "median {}", sizes[1000]);
        assert!(sizes[1980] > 60_000 && sizes[20] < 1200, "tails {} {}", sizes[20], sizes[1980]);
    }

    #[test]
    fn seeds_count_in_their_order() {
        assert_ne!(Random::of(&[1, 2]).draw(), Random::of(&[2, 1]).draw());
        assert_eq!(Random::of(&[7]).draw(), Random::of(&[7]).draw());
    }
}
