//! `cargo xtask simulate`: many seeds, their figures, and the whole history of each that broke a promise.

#![expect(clippy::print_stdout, reason = "what it finds is its output")]

use std::process::ExitCode;
use std::time::Instant;

use branchline_simulator::{
    Coverage, Found, Ground, SERVE, Verdict, missing, serve_store, simulate, simulate_kills, try_mutations,
};
use clap::Parser;

/// Lets histories happen, each from its seed, and asks of each whether every promise held.
#[derive(Parser)]
#[command(name = "cargo xtask simulate")]
struct Arguments {
    /// How many seeds; 500 where nothing is said.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What rows are kept in; they take turns where nothing is said.
    #[arg(long, value_enum)]
    store: Option<Kept>,
    /// So many violations end the run.
    #[arg(long, default_value_t = 10)]
    violations: u64,
    /// Put each deliberate fault into a copy of the code instead, and say which seed finds it (200 seeds each, unless said
    /// otherwise; only those with these words in their names, where any are given).
    #[arg(long, num_args = 0..=1, default_missing_value = "", value_name = "WORDS")]
    mutations: Option<String>,
    /// Print the whole history of each seed, also where nothing is wrong.
    #[arg(long)]
    history: bool,
}

/// What rows are kept in.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Kept {
    /// A store in memory, whose port fails.
    Memory,
    /// The real store upon a table that fails as DynamoDB may.
    Dynamo,
    /// SQLite in a process of its own, which is killed.
    Sqlite,
}

impl Arguments {
    fn simulate(&self, seed: u64, record: bool) -> std::io::Result<Verdict> {
        match self.store {
            Some(Kept::Memory) => simulate(seed, Ground::Memory, record),
            Some(Kept::Dynamo) => simulate(seed, Ground::Table, record),
            Some(Kept::Sqlite) => {
                let folder = tempfile::tempdir()?;
                simulate_kills(seed, &std::env::current_exe()?, folder.path(), record)
            }
            None => simulate(seed, Ground::of(seed), record),
        }
    }
}

fn main() -> std::io::Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if let (Some(SERVE), Some(file)) = (words.next().as_deref().and_then(|word| word.to_str()), words.next())
    {
        serve_store(file.as_ref())?;
        return Ok(ExitCode::SUCCESS);
    }
    let arguments = Arguments::parse();
    if let Some(only) = &arguments.mutations {
        return look_for_mutations(only, arguments.seeds.unwrap_or(200));
    }
    let begin = Instant::now();
    let (mut coverage, mut violations) = (Coverage::default(), 0);
    let (mut seeds, mut steps, mut commits, mut builds) = (0_u64, 0_u64, 0_u64, 0_u64);
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds.unwrap_or(500)) {
        let verdict = arguments.simulate(seed, arguments.history)?;
        seeds += 1;
        steps += verdict.steps;
        commits += verdict.commits;
        builds += verdict.builds;
        coverage.add(&verdict.coverage);
        for line in &verdict.history {
            println!("{line}");
        }
        if let Some(violation) = &verdict.violation {
            violations += 1;
            if !arguments.history {
                for line in arguments.simulate(seed, true)?.history {
                    println!("{line}");
                }
            }
            println!("\nseed {seed}: {violation}\nagain: cargo xtask simulate --seeds 1 --seed {seed}\n");
            if violations >= arguments.violations {
                break;
            }
        }
    }
    println!("{}", coverage.table());
    let missing = missing(&coverage);
    if !missing.is_empty() {
        println!("not met in this run:");
        missing.iter().for_each(|cell| println!("  {cell}"));
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{seeds} seeds in {seconds:.1} s ({:.0} a second), {steps} steps, {commits} commits, {builds} builds, {} \
         faults; {violations} violations",
        seeds as f64 / seconds.max(0.001),
        coverage.injected()
    );
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries every mutation; all must be found.
fn look_for_mutations(only: &str, seeds: u64) -> std::io::Result<ExitCode> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let mut all_found = true;
    try_mutations(&root, seeds, only, |mutation, found| match found {
        Found::By { seed, violation } => {
            println!("found by seed {seed:>3}: {}\n    {violation}", mutation.name);
        }
        Found::Missed => {
            all_found = false;
            println!("NOT FOUND in {seeds} seeds: {}", mutation.name);
        }
        Found::Unfit(why) => {
            all_found = false;
            println!("UNFIT: {}\n    {why}", mutation.name);
        }
    })?;
    Ok(if all_found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
