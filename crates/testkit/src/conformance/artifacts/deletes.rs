//! Removing a log: it is gone whole, and nothing else with it.

use branchline_ports::{Artifacts, LogLength};

use super::log::{append, attempt, time, whole};

/// Nothing is left of it: no byte, no time, and nothing that says it was closed.
pub async fn a_removed_log_reads_as_empty_whether_it_was_closed_or_not(artifacts: &dyn Artifacts) {
    for (number, closed) in [(1, false), (2, true)] {
        let of = attempt(number);
        artifacts.append_log(&of, 0, b"one\ntwo\n", &[time(0, 100), time(4, 200)]).await.unwrap();
        if closed {
            artifacts.close_log(&of).await.unwrap();
        }
        artifacts.delete_log(&of).await.unwrap();
        assert_eq!(whole(artifacts, &of).await, (Vec::new(), LogLength::default()));
        assert_eq!(artifacts.log_length(&of).await.unwrap(), LogLength::default());
    }
}

/// Whoever was cut off while removing it removes it again; one that never was is removed already.
pub async fn removing_twice_is_removing_once(artifacts: &dyn Artifacts) {
    append(artifacts, &attempt(1), 0, b"one\n").await;
    artifacts.close_log(&attempt(1)).await.unwrap();
    for number in [1, 1, 2] {
        artifacts.delete_log(&attempt(number)).await.unwrap();
    }
    assert_eq!(whole(artifacts, &attempt(1)).await.0, b"");
}

/// Logs of one build lie side by side.
pub async fn only_the_log_of_that_attempt_is_removed(artifacts: &dyn Artifacts) {
    for number in [1, 2, 11] {
        append(artifacts, &attempt(number), 0, format!("of {number}\n").as_bytes()).await;
        artifacts.close_log(&attempt(number)).await.unwrap();
    }
    artifacts.delete_log(&attempt(1)).await.unwrap();
    assert_eq!(whole(artifacts, &attempt(2)).await.0, b"of 2\n");
    assert_eq!(whole(artifacts, &attempt(11)).await.0, b"of 11\n");
}
