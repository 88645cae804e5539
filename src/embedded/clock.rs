//! The machine's own clock, and ids that sort by time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use branchline_model::Timestamp;
use branchline_ports::Clock;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn fresh_id(&self) -> String {
        ulid::Ulid::generate().to_string()
    }
}
