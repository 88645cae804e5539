//! `cargo xtask simulate`: many seeds, their figures, and the whole history of each that broke a promise.

#![expect(clippy::print_stdout, reason = "what it finds is its output")]

use std::process::ExitCode;
use std::time::Instant;

use branchline_simulator::{Coverage, missing, simulate};
use clap::Parser;

/// Lets histories happen, each from its seed, and asks of each whether every promise held.
#[derive(Parser)]
#[command(name = "cargo xtask simulate")]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the whole history of each seed, also where nothing is wrong.
    #[arg(long)]
    history: bool,
}

/// So many violations end the run.
const MOST_VIOLATIONS: u64 = 10;

fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let begin = Instant::now();
    let (mut coverage, mut violations) = (Coverage::default(), 0);
    let (mut seeds, mut steps, mut commits, mut builds) = (0_u64, 0_u64, 0_u64, 0_u64);
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        let verdict = simulate(seed, arguments.history)?;
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
                for line in simulate(seed, true)?.history {
                    println!("{line}");
                }
            }
            println!("\nseed {seed}: {violation}\nagain: cargo xtask simulate --seeds 1 --seed {seed}\n");
            if violations == MOST_VIOLATIONS {
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
