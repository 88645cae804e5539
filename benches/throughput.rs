//! 1,000 one-step jobs of `true` without checkout in one build, end to end, against `xargs -P 2 -n 1 sh -c true` in turn
//! with it in the same run; and the most memory the controller took.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark tells its figures and fails loudly"
)]

mod support;

use std::fmt::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use branchline_model::{BuildId, BuildStatus};
use support::{Figures, Repository, Served, peak_memory, verdict};
use tokio::time::timeout;

const JOBS: usize = 1_000;
const ROUNDS: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    support::run(benchmark)
}

async fn benchmark() -> bool {
    let slots = std::env::var("SLOTS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let mut pipeline = String::from("on: push\njobs:\n");
    for job in 0..JOBS {
        writeln!(pipeline, "  j{job}: {{process: true, checkout: false, steps: ['true']}}").expect("text");
    }
    let repository = Repository::new(&[("ci", &pipeline)]);
    let served = Served::start(repository.path(), slots).await;
    let views = served.embedded.listen().controller.repositories().await.expect("rows");
    let id = views.into_iter().next().expect("a repository").repository.id;
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let base = xargs();
        let began = Instant::now();
        if number > 1 {
            repository.git(&["commit", "--quiet", "--allow-empty", "--message=Next"]);
        }
        ended(&served, &BuildId { repository: id.clone(), number }).await;
        let took = began.elapsed();
        #[expect(clippy::cast_precision_loss, reason = "a thousand fits")]
        let rate = |took: Duration| JOBS as f64 / took.as_secs_f64();
        // The first build began when the controller did: it warms up and is not counted.
        if number > 1 {
            println!(
                "{JOBS} runs in {:.2} s: {:.0} runs/s with {slots} slots; xargs -P 2: {:.0}/s; {:.0} %",
                took.as_secs_f64(),
                rate(took),
                rate(base),
                100.0 * rate(took) / rate(base)
            );
            times.push(took.as_secs_f64() * 1000.0);
            ratios.push(100.0 * rate(took) / rate(base));
        }
    }
    println!("{}", Figures::new(times).line("1,000 runs"));
    let memory = peak_memory();
    served.stop().await;
    let ratio = verdict("runs/s, % of xargs (median)", Figures::new(ratios).percentile(50), 25.0, false);
    verdict("most memory, MiB", memory, 150.0, true) && ratio
}

fn xargs() -> Duration {
    let began = Instant::now();
    let status = Command::new("sh")
        .args(["-c", &format!("seq {JOBS} | xargs -P 2 -n 1 sh -c true")])
        .stdout(Stdio::null())
        .status()
        .expect("xargs runs");
    assert!(status.success());
    began.elapsed()
}

async fn ended(served: &Served, id: &BuildId) {
    let mut listening = served.embedded.listen();
    timeout(PATIENCE, async {
        loop {
            if let Some(build) = listening.controller.build_alone(id).await.expect("rows")
                && build.state.has_ended()
            {
                assert_eq!(build.state.status(), BuildStatus::Passed);
                return;
            }
            drop(timeout(Duration::from_millis(20), listening.rings.recv()).await);
        }
    })
    .await
    .expect("the build ends");
}
