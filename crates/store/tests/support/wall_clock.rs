//! The machine's time, for stores whose table is not in this process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use branchline_model::Timestamp;
use branchline_ports::Clock;

/// Reads the machine's time.
#[derive(Default)]
pub struct WallClock {
    ids: AtomicU64,
}

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn fresh_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{:016}p{}n{number}", self.now().0, std::process::id())
    }
}
