//! Work that may hang on a server, done in a thread of its own so that whoever asked can be told and can leave.
//! Invariant: after a cancel the caller is back within [`GRACE`], whatever the server does; the thread then ends by
//! itself at its next byte or its time limit, holding its own locks until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::error::CheckoutError;

/// How long work may take to notice that it is to stop.
const GRACE: Duration = Duration::from_secs(1);
/// How often a cancel is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// What the thread holds of its attendant.
pub(crate) struct Attendant {
    /// Set when the work is to stop.
    pub(crate) stop: Arc<AtomicBool>,
    say: mpsc::Sender<String>,
}

impl Attendant {
    /// Tells how far the work is; nobody may be listening any more.
    pub(crate) fn say(&self, text: String) {
        drop(self.say.send(text));
    }
}

/// Does the work in a thread; passes its words on, and a cancel to it.
pub(crate) fn attend<T: Send + 'static>(
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(String),
    work: impl FnOnce(&Attendant) -> Result<T, CheckoutError> + Send + 'static,
) -> Result<T, CheckoutError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (say, said) = mpsc::channel();
    let attendant = Attendant { stop: Arc::clone(&stop), say };
    let thread = std::thread::Builder::new()
        .name("git-fetch".to_owned())
        // The sender goes with the closure: the channel's end is the work's end.
        .spawn(move || work(&attendant))
        .map_err(|error| CheckoutError::disk(std::path::Path::new("a new thread"), &error))?;
    let mut leave_at = None;
    loop {
        match said.recv_timeout(LOOK) {
            Ok(text) => progress(text),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if leave_at.is_none() && cancel.load(Ordering::Relaxed) {
            stop.store(true, Ordering::Relaxed);
            leave_at = Some(Instant::now() + GRACE);
        }
        if leave_at.is_some_and(|at| Instant::now() >= at) {
            return Err(CheckoutError::Cancelled);
        }
    }
    match thread.join() {
        Ok(result) if leave_at.is_none() || result.is_ok() => result,
        Ok(_) => Err(CheckoutError::Cancelled),
        Err(_) => {
            Err(CheckoutError::disk(std::path::Path::new("fetch"), &"the fetch ended in a defect of ours"))
        }
    }
}
