//! Chance, from one seed. Invariant: the same seed answers the same questions alike; nothing else here draws.

/// A source of decisions.
#[derive(Clone, Debug)]
pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    /// The one that belongs to a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number from `low` up to, but not, `high`; `low` where there is none between.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        if low >= high { low } else { self.0.u64(low..high) }
    }

    /// A place in something of this length, which is not empty.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.0.usize(0..length.max(1))
    }

    /// Whether something happens that happens so many times in a million.
    pub(crate) fn in_a_million(&mut self, times: u32) -> bool {
        self.0.u32(0..1_000_000) < times
    }

    /// Whether something happens once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.0.u64(0..times.max(1)) == 0
    }

    /// One of these; `None` where there is none.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.0.usize(0..all.len())) }
    }
}

/// A number that looks like chance and belongs to a text and a seed: for what must not depend on who asks when.
pub(crate) fn mixed(seed: u64, text: &str) -> u64 {
    // FNV-1a, then the finalizer of SplitMix64.
    let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
