//! What a worker does with what it claims.

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use branchline_model::{AttemptEnd, RunDefinition, WorkerId};
use branchline_ports::Launcher;
use branchline_worker::{Drain, Workspace};
use support::{House, TestWorkspaces, definition, one, step, stop_order, until, until_true, with_checkout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_run_is_carried_out_reported_and_cleared_away() {
    let house = House::new();
    let passing = house.controller.enqueue(1, one("echo hello"));
    let failing = house.controller.enqueue(2, one("exit 3"));
    let worker = house.worker();
    assert_eq!(house.controller.end(&passing).await, AttemptEnd::Passed);
    assert_eq!(
        house.controller.end(&failing).await,
        AttemptEnd::StepFailed { step: "exit 3".to_owned(), exit: 3 }
    );
    assert_eq!(house.controller.printed(&passing), "hello\n");
    let known = house.controller.known(&passing).unwrap();
    assert!(known.log.starts_with(b"[branchline] run app-1f3c9a2e04/1/1, attempt 1, by worker here"));
    assert_eq!(known.times[0].offset, 0);
    let report = known.report.unwrap();
    assert_eq!(report.began_at, Some(report.steps[0].began_at));
    until_true("all is cleared away", || house.is_empty()).await;
    worker.end(Drain::Wait(Duration::from_secs(10))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_tree_is_there_before_the_first_step_and_the_log_tells_of_it() {
    let house = House::new();
    let attempt =
        house.controller.enqueue(1, with_checkout("https://example.org/a.git", one("cat file; ls")));
    let worker = house.worker();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert_eq!(house.controller.printed(&attempt), "from git\nfile\nhalf\n");
    let log = String::from_utf8(house.controller.known(&attempt).unwrap().log).unwrap();
    assert!(
        log.contains("git clone https://example.org/a.git here && cd here && git checkout 0123"),
        "{log}"
    );
    assert!(log.contains("[branchline] wrote 1 file\nfrom git\n"), "{log}");
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_tree_that_cannot_be_had_is_the_runs_end() {
    let house = House::new();
    let attempt =
        house.controller.enqueue(1, with_checkout("https://example.org/missing", one("echo never")));
    let worker = house.worker();
    let AttemptEnd::StartFailed { why } = house.controller.end(&attempt).await else { panic!() };
    assert!(why.contains("there is no such repository"), "{why}");
    assert!(house.controller.known(&attempt).unwrap().report.unwrap().steps.is_empty());
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_can_work_in_a_tree_that_exists() {
    let mut house = House::new();
    let tree = house.file("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("mine"), "kept").unwrap();
    house.workspace = Workspace::InPlace(tree.clone());
    let attempt =
        house.controller.enqueue(1, with_checkout("https://example.org/missing", one("echo new > made")));
    let worker = house.worker();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    until_true("all is cleared away", || house.is_empty()).await;
    assert_eq!(fs::read_to_string(tree.join("made")).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(tree.join("mine")).unwrap(), "kept");
    assert_eq!(house.workspaces.begun.load(Ordering::SeqCst), 0);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_with_the_controller_soon_after_it_was_printed() {
    let house = House::new();
    let stamp = house.file("stamp");
    let attempt = house.controller.enqueue(
        1,
        one(&format!(
            "until [ -e '{0}' ]; do sleep 0.005; done; date +%s%N; until [ -e '{0}.go' ]; do sleep 0.005; done",
            stamp.display()
        )),
    );
    let worker = house.worker();
    until("it has begun", || house.controller.known(&attempt)?.begun).await;
    fs::write(&stamp, "").unwrap();
    let known = until("a line has come", || {
        let known = house.controller.known(&attempt)?;
        String::from_utf8_lossy(&known.log).lines().last()?.parse::<u128>().ok()?;
        Some(known)
    })
    .await;
    let printed: u128 = String::from_utf8_lossy(&known.log).lines().last().unwrap().parse().unwrap();
    let came = std::time::SystemTime::now() - known.heard.unwrap().elapsed();
    let came = came.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    // 2 ms on a machine with nothing else to do; far less than any polling would take even on a busy one.
    let took = Duration::from_nanos(u64::try_from(came.saturating_sub(printed)).unwrap());
    assert!(took < Duration::from_millis(900), "{took:?}");
    assert_eq!(known.report, None);
    fs::write(house.file("stamp.go"), "").unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_run_is_said_to_have_begun_and_how_far_it_is() {
    let house = House::new();
    let go = house.file("go");
    let wait = format!("until [ -e '{}' ]; do sleep 0.01; done", go.display());
    let attempt = house.controller.enqueue(1, definition(vec![step("true"), step(&wait)]));
    let worker = house.worker();
    let told = until("progress is told", || house.controller.known(&attempt)?.progress.pop()).await;
    assert_eq!(told.len(), 2);
    assert!(told[0].end.is_some() && told[1].end.is_none());
    fs::write(&go, "").unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    let known = house.controller.known(&attempt).unwrap();
    assert_eq!(known.begun, known.report.unwrap().began_at);
    assert!(known.progress.len() <= 3, "{}", known.progress.len());
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_runs_than_slots_are_under_way_and_a_free_slot_is_filled_at_once() {
    let house = House::new();
    let count = house.file("count");
    // Each run writes how many there are while it runs.
    let run = format!(
        "cd '{0}'; echo $$ > run.$$; ls run.* | wc -l >> '{1}'; sleep 0.05; rm run.$$",
        house.folder.path().display(),
        count.display()
    );
    let attempts: Vec<_> = (1..=12).map(|number| house.controller.enqueue(number, one(&run))).collect();
    let begin = Instant::now();
    let worker = house.worker();
    for attempt in &attempts {
        assert_eq!(house.controller.end(attempt).await, AttemptEnd::Passed);
    }
    let counts: Vec<u32> =
        fs::read_to_string(&count).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(counts.iter().max(), Some(&2), "{counts:?}");
    // Looking for work once a second would take six.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_woken_worker_looks_at_once() {
    let house = House::new();
    let worker = house.worker();
    until_true("it has looked in vain", || house.controller.claims.load(Ordering::SeqCst) > 0).await;
    let begin = Instant::now();
    for number in 1..=6 {
        let attempt = house.controller.enqueue(number, one("true"));
        worker.handle.wake();
        assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    }
    // One after the other, looking once a second alone would take six.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_stopped_by_order_and_other_orders_do_no_harm() {
    let house = House::new();
    let here = WorkerId::new("here");
    let attempt = house.controller.enqueue(
        1,
        RunDefinition { grace: Duration::from_millis(100), ..one("trap '' TERM; sleep 1000; sleep 1000") },
    );
    let worker = house.worker();
    until("it has begun", || house.controller.known(&attempt)?.begun).await;
    let stranger = "app-1f3c9a2e04/9/9/9".parse().unwrap();
    worker.handle.stop(&here, &stranger, &stop_order()).await.unwrap();
    worker.handle.stop(&here, &attempt, &stop_order()).await.unwrap();
    worker.handle.stop(&here, &attempt, &stop_order()).await.unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Stopped);
    worker.handle.stop(&here, &attempt, &stop_order()).await.unwrap();
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_overtakes_its_run_is_not_lost() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one("echo never"));
    house.controller.away.store(true, Ordering::SeqCst);
    let worker = house.worker();
    worker.handle.stop(&WorkerId::new("here"), &attempt, &stop_order()).await.unwrap();
    house.controller.away.store(false, Ordering::SeqCst);
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Stopped);
    assert_eq!(house.controller.known(&attempt).unwrap().report.unwrap().began_at, None);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_ends_a_checkout_too() {
    let mut house = House::new();
    house.workspaces = Arc::new(TestWorkspaces { wait: Some(house.file("never")), ..Default::default() });
    let attempt = house.controller.enqueue(1, with_checkout("https://example.org/a.git", one("echo never")));
    let worker = house.worker();
    until_true("it is under way", || house.workspaces.begun.load(Ordering::SeqCst) > 0).await;
    worker.handle.stop(&WorkerId::new("here"), &attempt, &stop_order()).await.unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Stopped);
    assert!(house.workspaces.cancelled.load(Ordering::SeqCst), "its end came before that of the checkout");
    until_true("all is cleared away", || house.is_empty()).await;
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fenced_during_a_checkout_is_cleared_away_when_the_checkout_has_ended() {
    let mut house = House::new();
    house.workspaces = Arc::new(TestWorkspaces { wait: Some(house.file("never")), ..Default::default() });
    let attempt = house.controller.enqueue(1, with_checkout("https://example.org/a.git", one("echo never")));
    house.controller.fence_logs.store(true, Ordering::SeqCst);
    let worker = house.worker();
    until_true("the checkout has ended", || house.workspaces.cancelled.load(Ordering::SeqCst)).await;
    until_true("all is cleared away", || house.is_empty()).await;
    assert_eq!(house.controller.known(&attempt).unwrap().report, None);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fenced_is_is_killed_and_forgotten() {
    let house = House::new();
    let pid = house.file("pid");
    let attempt = house.controller.enqueue(
        1,
        one(&format!("echo $$ > '{}'; trap '' TERM; while :; do echo on; sleep 0.01; done", pid.display())),
    );
    let worker = house.worker();
    until("it has begun", || house.controller.known(&attempt)?.begun).await;
    let pid =
        until("it said who it is", || fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n')))
            .await;
    house.controller.change(&attempt, |known| known.fenced = true);
    until_true("its process is gone", || !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists())
        .await;
    until_true("its directory is gone", || house.is_empty()).await;
    assert_eq!(house.controller.known(&attempt).unwrap().report, None);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_is_away_for_a_while_misses_nothing() {
    let house = House::new();
    let go = house.file("go");
    let attempt = house.controller.enqueue(
        1,
        one(&format!("seq 1 1000; until [ -e '{}' ]; do sleep 0.005; done; seq 1001 50000", go.display())),
    );
    let worker = house.worker();
    until("it has begun", || house.controller.known(&attempt)?.begun).await;
    house.controller.away.store(true, Ordering::SeqCst);
    fs::write(&go, "").unwrap();
    let state = house.directory(&attempt).join("state");
    until_true("it has ended there", || {
        fs::read_to_string(&state).is_ok_and(|text| text.contains("\"ended\""))
    })
    .await;
    house.controller.lost_answers.store(3, Ordering::SeqCst);
    house.controller.away.store(false, Ordering::SeqCst);
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    let wanted: String = (1..=50_000).map(|number| format!("{number}\n")).collect();
    assert!(house.controller.printed(&attempt) == wanted);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_has_less_of_a_log_than_it_said_gets_it_again() {
    let house = House::new();
    let go = house.file("go");
    let attempt = house.controller.enqueue(
        1,
        one(&format!("seq 1 1000; until [ -e '{}' ]; do sleep 0.005; done; echo last", go.display())),
    );
    let worker = house.worker();
    until_true("a part has come", || {
        house.controller.known(&attempt).is_some_and(|known| known.log.ends_with(b"\n1000\n"))
    })
    .await;
    house.controller.change(&attempt, |known| {
        known.log.truncate(500);
        known.times.retain(|time| time.offset < 500);
    });
    fs::write(&go, "").unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert!(house.controller.printed(&attempt).ends_with("\n999\n1000\nlast\n"));
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_cannot_be_written_is_said_in_the_runs_end() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one("echo never"));
    // A file where the attempt's directory would be.
    fs::create_dir(house.root()).unwrap();
    fs::write(house.directory(&attempt), "").unwrap();
    let worker = house.worker();
    let AttemptEnd::StartFailed { why } = house.controller.end(&attempt).await else { panic!() };
    assert!(why.contains(&attempt.folder()), "{why}");
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_cannot_be_started_is_the_runs_end() {
    let mut house = House::new();
    house.spawner = Arc::new(branchline_supervisor::Spawner::of("/no/such/program".into()));
    let attempt = house.controller.enqueue(1, one("echo never"));
    let worker = house.worker();
    let AttemptEnd::StartFailed { why } = house.controller.end(&attempt).await else { panic!() };
    assert!(why.contains("/no/such/program"), "{why}");
    worker.end(Drain::HandOver).await;
}
