//! A machine that is short of open files for a while. In a file of its own: the limit is that of the whole process.

mod support;

use std::fs;
use std::sync::atomic::Ordering;

use branchline_model::AttemptEnd;
use branchline_worker::Drain;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::{House, one, until_true};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shortage_of_open_files_delays_runs_and_ends_none() {
    let mut house = House::new();
    house.slots = 3;
    let (go, gone) = (house.file("go"), house.file("gone"));
    fs::write(&go, "").unwrap();
    let running =
        house.controller.enqueue(1, one(&format!("until [ -e '{}' ]; do sleep 0.01; done", gone.display())));
    let worker = house.worker();
    until_true("it has begun", || {
        house.controller.known(&running).is_some_and(|known| known.begun.is_some())
    })
    .await;

    let (usual, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 3, most).unwrap();
    let refused = fs::File::open("/dev/null").is_err();
    let waiting = house.controller.enqueue(2, one("echo hello"));
    worker.handle.wake();
    until_true("it was claimed", || house.controller.known(&waiting).is_some()).await;
    // The worker looks for work once a second, and as often whether what runs still lives.
    let claims = house.controller.claims.load(Ordering::SeqCst);
    until_true("it was short for two looks", || house.controller.claims.load(Ordering::SeqCst) >= claims + 3)
        .await;
    let reported = house.controller.all().iter().filter(|known| known.report.is_some()).count();
    setrlimit(Resource::RLIMIT_NOFILE, usual, most).unwrap();

    assert!(refused, "the limit does not count here");
    assert_eq!(reported, 0);
    fs::rename(&go, &gone).unwrap();
    assert_eq!(house.controller.end(&running).await, AttemptEnd::Passed);
    assert_eq!(house.controller.end(&waiting).await, AttemptEnd::Passed);
    until_true("all is cleared away", || house.is_empty()).await;
    worker.end(Drain::HandOver).await;
}
