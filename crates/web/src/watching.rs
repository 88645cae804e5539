//! Saying that someone reads along in a log, so that its bytes are sent soon. Invariant: it is said again before it stops counting, and
//! not oftener; a failure to say so only makes bytes come later.

use std::time::{Duration, Instant};

use branchline_model::AttemptId;

use crate::web::App;

/// It counts for twice as long.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// One reader.
#[derive(Default)]
pub(crate) struct Watching {
    said: Option<Instant>,
}

impl Watching {
    /// Still reading along.
    pub(crate) async fn go_on(&mut self, app: &App, attempt: &AttemptId) {
        if self.said.is_some_and(|said| said.elapsed() < SAY_EVERY) {
            return;
        }
        self.said = Some(Instant::now());
        if let Err(error) = app.controller.watch_log(attempt).await {
            tracing::debug!(%attempt, %error, "it cannot be said that someone reads along");
        }
    }
}
