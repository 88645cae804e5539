//! A pipeline file of 100 KB, read and checked whole: every job with a matrix, needs, conditions, templates, globs and a
//! regular expression. The bound is 10 ms. `cargo bench -p branchline-jobs-schema --bench language`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark tells its figures and fails loudly"
)]

use std::time::{Duration, Instant};

use branchline_jobs_schema::parse_pipeline;

const SIZE: usize = 100 * 1024;
const TIMES: usize = 101;
const BOUND: Duration = Duration::from_millis(10);

fn job(number: usize) -> String {
    let before = number.saturating_sub(1);
    let needs = if number == 0 { String::new() } else { format!("    needs: [job{before}]\n") };
    format!(
        r#"  job{number}:
{needs}    if: event.kind != "schedule" && changed("src/part{number}/**", "Cargo.*")
    matrix: {{rust: ["1.94", "1.95"], os: [bookworm, alpine]}}
    allow_failure: ${{{{ matrix.os == "alpine" }}}}
    container: {{image: "rust:${{{{ matrix.rust }}}}-${{{{ matrix.os }}}}", memory: 4GiB, user: "1000"}}
    worker: {{pool: linux, tags: [arm64, "gpu*"]}}
    env: {{PART: part{number}, TARGET: "${{{{ inputs.target }}}}", REF: "${{{{ event.branch }}}}"}}
    cache: [{{key: "cargo-${{{{ hash('Cargo.lock') }}}}", restore: [cargo-], paths: [target]}}]
    steps:
      - {{name: Build part {number}, run: cargo build --package part{number}, timeout: 10m}}
      - run: |
          cargo nextest run --package part{number}
          ./measure.sh "$PART"
      - {{run: ./collect-logs.sh, if: failure()}}
    artifacts:
      - {{name: binary, path: "target/release/part{number}", keep: 30d}}
    reports: {{junit: ["target/nextest/**/junit.xml"], progress: '\[(?<current>\d+)/(?<total>\d+)\]'}}
"#
    )
}

fn main() {
    let mut text = String::from(
        "on: {push: {branches: [main, \"release/**\"]}, manual: true}\n\
         inputs: {target: {type: choice, options: [staging, production], default: staging}}\njobs:\n",
    );
    let mut jobs = 0;
    while text.len() < SIZE {
        text.push_str(&job(jobs));
        jobs += 1;
    }
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            let pipeline = parse_pipeline("ci.yaml", text.as_bytes()).expect("a good file");
            let taken = start.elapsed();
            assert_eq!(pipeline.jobs.len(), jobs);
            taken
        })
        .collect();
    times.sort();
    let (least, median) =
        (times.first().copied().unwrap_or_default(), times.get(TIMES / 2).copied().unwrap_or_default());
    println!(
        "{} bytes, {jobs} jobs: {median:.1?} (median of {TIMES}; least {least:.1?}); the bound is {BOUND:?}",
        text.len()
    );
    assert!(least <= BOUND, "too slow");
}
