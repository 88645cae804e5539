//! The doctor: what is wrong among all the rows of a store, and what cures it. Invariant: pure over the rows it is shown; a
//! cure loses nothing that can be read, and leaves no build that can never end. It is for a store that nobody else writes.
//!
//! [`Examination`] is shown every row ([`Examination::see`]); its conclusion is a list of [`Finding`]s. What cannot be
//! understood counts as lost for whatever refers to it, so both are found. A cure may uncover what could not be seen
//! before: who repairs examines again until nothing is found.

mod ailment;
mod builds;
mod examination;
mod queues;

pub use ailment::Ailment;
use branchline_model::{Key, Plan};
pub use examination::Examination;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Of which row.
    pub key: Key,
    /// What is wrong.
    pub what: Ailment,
    /// What a repair does.
    pub cure: Cure,
}

/// What a repair does about a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Cure {
    /// These rows are moved out of the way, to where they are kept and never read.
    SetAside(Vec<Key>),
    /// These rows are written or removed.
    Write(Plan),
}
