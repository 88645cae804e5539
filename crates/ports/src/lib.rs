//! The traits between the controller and the world, and the errors that name their outcomes.
//!
//! A trait promises only what every adapter can do atomically, and says what holds after a crash. Adapters know
//! these traits and the model; the controller knows these traits and the core; neither knows the other.

mod artifacts;
mod bell;
mod checkout;
mod clock;
mod hand_over;
mod launcher;
mod objects;
mod protocol;
mod store;

pub use artifacts::{Appends, ArtifactError, Artifacts, LineStart, LogLength, LogPart, Place};
pub use bell::{Bell, Ring};
pub use checkout::{Checkout, CheckoutError, CommitFiles, CommitInfo, Heads, PipelineFile};
pub use clock::Clock;
pub use hand_over::{BegunUpload, Destination, HandOver, NeededArtifact, NewArtifact};
pub use launcher::{LaunchError, Launcher};
pub use objects::{ListedObject, ObjectError, ObjectPart, Objects, Pieces, SignedRequest, Signer};
pub use protocol::{Assignment, Claimant, Heard, Lease, ProtocolError, Stored, WorkerProtocol};
pub use store::{CommitError, Order, Page, Store, StoreError};
