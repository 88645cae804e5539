//! What calls cost, in DynamoDB's request units ("Read and write operations" in its developer guide): a write unit is
//! 1 KiB of an item, a consistent read unit 4 KiB; a transaction's items count twice. Prices are not known here.

use std::ops::{Add, AddAssign, Sub};

/// Calls, and the units they used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls that read.
    pub read_requests: u64,
    /// Read units, consistent.
    pub read_units: u64,
    /// Calls that write.
    pub write_requests: u64,
    /// Write units.
    pub write_units: u64,
}

impl Usage {
    /// One call that read so many units.
    #[must_use]
    pub fn of_read(units: u64) -> Self {
        Self { read_requests: 1, read_units: units, ..Self::default() }
    }

    /// One call that wrote so many units.
    #[must_use]
    pub fn of_write(units: u64) -> Self {
        Self { write_requests: 1, write_units: units, ..Self::default() }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.read_requests += other.read_requests;
        self.read_units += other.read_units;
        self.write_requests += other.write_requests;
        self.write_units += other.write_units;
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sub for Usage {
    type Output = Self;

    /// What was used since `other` was taken.
    fn sub(self, other: Self) -> Self {
        Self {
            read_requests: self.read_requests - other.read_requests,
            read_units: self.read_units - other.read_units,
            write_requests: self.write_requests - other.write_requests,
            write_units: self.write_units - other.write_units,
        }
    }
}

/// The units of writing so many bytes; of nothing, too.
#[must_use]
pub fn write_units(bytes: usize) -> u64 {
    units(bytes, 1 << 10)
}

/// The units of reading so many bytes, consistently; of nothing, too.
#[must_use]
pub fn read_units(bytes: usize) -> u64 {
    units(bytes, 4 << 10)
}

fn units(bytes: usize, unit: usize) -> u64 {
    bytes.div_ceil(unit).max(1) as u64
}
