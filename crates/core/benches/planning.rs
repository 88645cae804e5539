//! A push planned whole: a matrix of 1,022 cells between the jobs that it needs and that need it, 1,024 runs in all, each with a
//! condition, templates and a definition of its own. The bound is 20 ms. `cargo xtask bench planning`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark tells its figures and fails loudly"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use branchline_core::build::{self, Snapshot};
use branchline_core::facts::Facts;
use branchline_core::intent::SpecFile;
use branchline_core::pools::Setting;
use branchline_jobs_schema::parse_pipeline;
use branchline_model::{
    Change, CommitId, Event, EventKey, EventKind, EventStatus, PipelineName, RefName, Repository,
    RepositoryId, RepositoryName, Row, Timestamp, Version, Versioned,
};

const TIMES: usize = 51;
const RUNS: usize = 1_024;
const BOUND: Duration = Duration::from_millis(20);

/// 14 × 73 cells.
fn pipeline() -> String {
    let values = |count: usize| (0..count).map(|value| format!("v{value}")).collect::<Vec<_>>().join(", ");
    format!(
        "on: {{push: {{branches: [main]}}}}
env: {{LEVEL: '1', WHERE: '${{{{ event.branch }}}}'}}
jobs:
  prepare: {{process: true, steps: [./prepare.sh]}}
  test:
    needs: prepare
    if: event.kind == 'push' && matrix.one != 'none'
    matrix: {{one: [{}], two: [{}]}}
    allow_failure: ${{{{ matrix.two == 'v7' }}}}
    process: true
    env: {{CELL: '${{{{ matrix.one }}}}/${{{{ matrix.two }}}}'}}
    steps:
      - {{name: 'Test ${{{{ matrix.one }}}}', run: make test}}
      - {{run: ./collect.sh, if: failure()}}
    artifacts: [{{name: 'logs-${{{{ matrix.one }}}}-${{{{ matrix.two }}}}', path: logs}}]
  publish: {{needs: test, process: true, steps: [./publish.sh]}}
",
        values(14),
        values(73)
    )
}

fn main() -> ExitCode {
    let name = RepositoryName::new("/srv/app");
    let id = RepositoryId::of(&name);
    let versioned = Version(1);
    let repository = Repository {
        id: id.clone(),
        url: name.to_string(),
        name,
        default_branch: Some("main".to_owned()),
        first_seen: None,
        builds: 0,
    };
    let commit = CommitId::try_from("0123456789abcdef0123456789abcdef01234567".to_owned()).expect("an id");
    let kind = EventKind::RefMoved {
        name: RefName::Branch("main".to_owned()),
        before: None,
        after: commit,
        generation: 1,
    };
    let now = Timestamp(1_800_000_000_000);
    let event = Event {
        key: EventKey::new("bench"),
        repository: id,
        accepted_at: now,
        kind,
        status: EventStatus::Pending { failures: 0, next_try: now, why: None, missing: None },
    };
    let text = pipeline();
    let spec = parse_pipeline(".branchline/ci.yaml", text.as_bytes()).expect("a good file");
    let files =
        [SpecFile { file: ".branchline/ci.yaml".to_owned(), name: PipelineName::new("ci"), spec: Ok(spec) }];
    let (repository, event) =
        (Versioned { value: repository, version: versioned }, Versioned { value: event, version: versioned });
    let (facts, setting) = (Facts::default(), Setting::default());
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let snapshot = Snapshot {
                repository: &repository,
                event: &event,
                subject: "A change",
                message: "A change",
                author: "Ann",
                files: &files,
                facts: &facts,
                setting: &setting,
                read_at: now,
                page: None,
            };
            let start = Instant::now();
            let decision = build::decide(&snapshot, now).expect("it is planned");
            let taken = start.elapsed();
            let is_run = |change: &&Change| matches!(change, Change::Put { row: Row::Run(_), .. });
            assert_eq!(decision.plan.changes.iter().filter(is_run).count(), RUNS);
            taken
        })
        .collect();
    times.sort();
    let median = times.get(TIMES / 2).copied().unwrap_or_default();
    let slowest = times.last().copied().unwrap_or_default();
    let holds = median <= BOUND;
    println!(
        "{RUNS} runs planned: median {:.2} ms, slowest {:.2} ms ≤ {} ms: {}",
        median.as_secs_f64() * 1e3,
        slowest.as_secs_f64() * 1e3,
        BOUND.as_millis(),
        if holds { "holds" } else { "DOES NOT HOLD" }
    );
    ExitCode::from(u8::from(!holds))
}
