//! A commit in a watched local repository → the first byte of its job's output stored, over 200 commits; and a start
//! through the API → the job's process started. Both with the controller in this process, on real files.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark tells its figures and fails loudly"
)]

#[expect(dead_code, reason = "each benchmark uses a part")]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use branchline_model::{Build, BuildId, EventStatus, RepositoryId, RunId};
use branchline_ports::Ring;
use support::{Figures, Repository, Served, verdict};
use tokio::time::timeout;

const COMMITS: usize = 200;
const PIPELINE: &str =
    "{on: {push: {}, manual: true}, jobs: {hello: {process: true, steps: ['echo hello']}}}";
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    support::run(|| async {
        let pushed = pushes().await;
        let started = starts().await;
        pushed && started
    })
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs_f64() * 1000.0
}

async fn pushes() -> bool {
    let repository = Repository::new(&[("ci", PIPELINE)]);
    let served = Served::start(repository.path(), 2).await;
    let mut listening = served.embedded.listen();
    let id = watched(&served).await;
    let mut parent = repository.git(&["rev-parse", "HEAD"]);
    until_ended(&served, &BuildId { repository: id.clone(), number: 1 }).await;

    let (mut noticed, mut resolved, mut planned, mut begun, mut stored) =
        (vec![], vec![], vec![], vec![], vec![]);
    for number in 2..2 + COMMITS as u64 {
        let commit = commit_after(&repository, &parent);
        let run = RunId { build: BuildId { repository: id.clone(), number }, index: 1 };
        let (began, clock) = (Instant::now(), now());
        repository.git(&["update-ref", "refs/heads/main", &commit, &parent]);
        let first_byte = timeout(PATIENCE, async {
            loop {
                let ring = listening.rings.recv().await.expect("rings");
                if let Ring::LogGrew(attempt) = ring
                    && attempt.run == run
                {
                    let log = listening.controller.read_log(&attempt, 0, 65_536).await.expect("a log");
                    if log.bytes.windows(7).any(|bytes| bytes == b"\nhello\n") {
                        return began.elapsed();
                    }
                }
            }
        })
        .await
        .expect("the first byte comes");
        until_ended(&served, &run.build).await;
        let build = listening.controller.build_alone(&run.build).await.expect("rows").expect("the build");
        let event = listening.controller.event(&build.cause).await.expect("rows").expect("the event");
        let view = listening.controller.run(&run).await.expect("rows").expect("the run");
        let EventStatus::Decided { read_at, at, .. } = event.status else {
            panic_on("the event is not decided")
        };
        let report = view.attempts.last().and_then(|last| last.attempt.report.clone()).expect("a report");
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        let since = |time: branchline_model::Timestamp| time.0 as f64 - clock;
        noticed.push(since(event.accepted_at));
        resolved.push(since(read_at));
        planned.push(since(at));
        begun.push(since(report.began_at.expect("a beginning")));
        stored.push(first_byte.as_secs_f64() * 1000.0);
        parent = commit;
    }
    served.stop().await;
    println!("commit (before `git update-ref` is run) →");
    for (what, values) in [
        ("  noticed and stored", noticed),
        ("  resolved", resolved),
        ("  planned", planned),
        ("  started", begun),
    ] {
        println!("{}", Figures::new(values).line(what));
    }
    let stored = Figures::new(stored);
    println!("{}", stored.line("  first byte of output stored"));
    let median = verdict("pickup, median ms", stored.percentile(50), 150.0, true);
    verdict("pickup, p99 ms", stored.percentile(99), 600.0, true) && median
}

async fn starts() -> bool {
    let repository = Repository::new(&[("ci", PIPELINE)]);
    let served = Served::start(repository.path(), 2).await;
    let id = watched(&served).await;
    until_ended(&served, &BuildId { repository: id.clone(), number: 1 }).await;
    let http = reqwest::Client::new();
    let url = format!("{}/api/v1/repositories/{id}/start", served.embedded.url());
    let mut figures = Vec::new();
    for number in 2..102 {
        let clock = now();
        let answer = http
            .post(&url)
            .bearer_auth(served.embedded.token())
            .json(&serde_json::json!({"pipeline": "ci"}))
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        let build = BuildId { repository: id.clone(), number };
        until_ended(&served, &build).await;
        let view = served.embedded.listen().controller.run(&RunId { build, index: 1 }).await;
        let view = view.expect("rows").expect("the run");
        let report = view.attempts.last().and_then(|last| last.attempt.report.clone()).expect("a report");
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        figures.push(report.began_at.expect("a beginning").0 as f64 - clock);
    }
    served.stop().await;
    let figures = Figures::new(figures);
    println!("{}", figures.line("start through the API → process"));
    verdict("start, median ms", figures.percentile(50), 25.0, true)
}

/// A commit on top of `parent` with the same files, made without moving any ref.
fn commit_after(repository: &Repository, parent: &str) -> String {
    let tree = repository.git(&["rev-parse", &format!("{parent}^{{tree}}")]);
    repository.git(&["commit-tree", &tree, "-p", parent, "-m", "Next"])
}

async fn watched(served: &Served) -> RepositoryId {
    let views = served.embedded.listen().controller.repositories().await.expect("rows");
    views.into_iter().next().expect("a repository").repository.id
}

async fn until_ended(served: &Served, id: &BuildId) -> Build {
    let mut listening = served.embedded.listen();
    timeout(PATIENCE, async {
        loop {
            if let Some(build) = listening.controller.build_alone(id).await.expect("rows")
                && build.state.has_ended()
            {
                return build;
            }
            drop(timeout(Duration::from_secs(1), listening.rings.recv()).await);
        }
    })
    .await
    .expect("the build ends")
}

fn panic_on(why: &str) -> ! {
    println!("{why}");
    std::process::exit(1)
}
