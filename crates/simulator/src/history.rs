//! One history, from a seed to its end: chaos, then calm, then the oracle. Invariant: the same seed and options make the
//! same history, byte for byte.

use std::path::Path;
use std::sync::Arc;

use branchline_model::{RefName, RepositoryName};
use branchline_store::MemoryStore;

use crate::actors;
use crate::coverage::Coverage;
use crate::fault::Fault;
use crate::git::{DEFAULT_BRANCH, Repository};
use crate::house::House;
use crate::oracle;
use crate::remote::Remote;
use crate::schedule::{Death, Schedule};
use crate::worker::Worker;
use crate::world::{Weather, World};

/// So many steps the chaos lasts at least, unless a seed says more.
const CHAOS_STEPS: u64 = 1_500;
/// So many faults every history has.
pub const LEAST_FAULTS: u64 = 10;
/// So many ticks must bring all to rest. Each is a minute: more than builds' times and the clock's jumps together.
const MOST_TICKS: u64 = 500;
/// So many steps no history takes.
const MOST_STEPS: u64 = 2_000_000;

/// What a history came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its seed.
    pub seed: u64,
    /// What must never be so, and was; `None` where all held.
    pub violation: Option<String>,
    /// How many turns were given.
    pub steps: u64,
    /// How many commits were made.
    pub commits: u64,
    /// How many builds there were.
    pub builds: u64,
    /// What was injected, and what it met.
    pub coverage: Coverage,
    /// The history, a line for each event, where it was asked for.
    pub history: Vec<String>,
}

/// What a history's rows are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A store in memory, whose port fails.
    Memory,
    /// The real store upon a table in memory, whose calls fail: so its transactions and journals are what is cut.
    Table,
}

impl Ground {
    /// The one that a seed has where nothing is said: they take turns.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        if seed.is_multiple_of(2) { Self::Table } else { Self::Memory }
    }
}

/// Lets a shorter history happen on a SQLite store in this folder, which is empty; `program` is the one that serves it
/// ([`crate::SERVE`]), and is killed now and then. Where the kill falls is the machine's chance: the same seed may go otherwise.
///
/// # Errors
/// No runtime could be made.
pub fn simulate_kills(seed: u64, program: &Path, folder: &Path, record: bool) -> std::io::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(async {
        let world = Arc::new(World::new(seed, record));
        world.state().rates.always(Fault::StoreKilled);
        let remote = Remote::new(&world, program, &folder.join("rows.sqlite"));
        history(&Arc::new(House::upon(&world, Arc::new(remote)))).await
    }))
}

/// Lets a seed's history happen. `record` keeps its text.
///
/// # Errors
/// No runtime could be made.
pub fn simulate(seed: u64, ground: Ground, record: bool) -> std::io::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(async {
        let world = Arc::new(World::new(seed, record));
        let house = match ground {
            Ground::Memory => House::upon(&world, Arc::new(MemoryStore::new())),
            Ground::Table => House::upon_a_table(&world),
        };
        history(&Arc::new(house)).await
    }))
}

async fn history(house: &Arc<House>) -> Verdict {
    let world = &house.world;
    found(house).await;
    let mut schedule = populate(house);
    chaos(world, &mut schedule).await;
    calm(world);
    let restless = rest(house, &mut schedule).await;
    if let Some(left) = restless {
        world.violated(format!("it does not come to rest: {left}"));
    } else {
        oracle::judge(house).await;
    }
    let mut state = world.state();
    Verdict {
        seed: world.seed,
        violation: state.violation.take(),
        steps: state.step,
        commits: state.ledger.commits,
        builds: state
            .ledger
            .rows
            .values()
            .filter(|row| matches!(row, branchline_model::Row::Build(_)))
            .count() as u64,
        coverage: std::mem::take(&mut state.coverage),
        history: state.history.take().unwrap_or_default(),
    }
}

/// Makes the repositories, and has them served and seen once, before any fault.
async fn found(house: &House) {
    let world = &house.world;
    world.state().weather = Weather::Calm;
    let count = world.state().chance.between(1, 4);
    for number in 1..=count {
        let mut state = world.state();
        let large = state.chance.one_in(12);
        let pipelines = actors::draw_pipelines(&mut state.chance, large);
        let url = format!("/srv/repository{number}");
        let mut repository = Repository {
            url,
            refs: std::collections::BTreeMap::new(),
            commits: std::collections::BTreeMap::new(),
            moves: std::collections::BTreeMap::new(),
            late: std::collections::BTreeMap::new(),
        };
        if let Some(commit) = repository.commit(pipelines) {
            repository.point(RefName::Branch(DEFAULT_BRANCH.to_owned()), commit);
        }
        state.forge.repositories.push(repository);
    }
    let mut schedule = Schedule::new(world);
    let controller = house.controller();
    let urls: Vec<String> =
        world.state().forge.repositories.iter().map(|repository| repository.url.clone()).collect();
    let worried = Arc::clone(world);
    world.spawn(
        "begin",
        Box::pin(async move {
            for url in urls {
                let added = controller.add_repository(&RepositoryName::new(&url), &url).await;
                let seen = match added {
                    Ok(id) => controller.observe(&id, None).await.map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                if let Err(error) = seen {
                    worried.violated(format!("{url} cannot be served: {error}"));
                }
            }
        }),
    );
    while schedule.step().await {}
    world.state().weather = Weather::Chaos;
}

fn populate(house: &Arc<House>) -> Schedule {
    let world = &house.world;
    let mut schedule = Schedule::new(world);
    let (functions, workers, people, pushes) = {
        let mut state = world.state();
        let chance = &mut state.chance;
        (chance.between(1, 4), chance.between(1, 4), chance.between(1, 3), chance.between(1, 6))
    };
    for number in 1..=functions {
        let house = Arc::clone(house);
        let begin = move || Box::pin(actors::function(Arc::clone(&house))) as crate::world::Work;
        schedule.add(format!("function {number}"), Death::Controller, Box::new(begin));
    }
    for number in 1..=people {
        let house = Arc::clone(house);
        let begin = move || Box::pin(actors::person(Arc::clone(&house))) as crate::world::Work;
        schedule.add(format!("api {number}"), Death::Controller, Box::new(begin));
    }
    for number in 1..=workers {
        let (house, doubles) = (Arc::clone(house), world.state().chance.one_in(8));
        let begin = move || {
            let worker = Worker::new(&house, &format!("worker{number}"), number > 1, doubles);
            Box::pin(worker.live()) as crate::world::Work
        };
        schedule.add(format!("worker {number}"), Death::Worker, Box::new(begin));
    }
    {
        let house = Arc::clone(house);
        let begin = move || Box::pin(actors::ticker(Arc::clone(&house))) as crate::world::Work;
        schedule.add("tick", Death::Controller, Box::new(begin));
    }
    world.spawn("nature", Box::pin(actors::nature(Arc::clone(house), pushes)));
    schedule
}

/// Lets things happen until enough has gone wrong.
async fn chaos(world: &World, schedule: &mut Schedule) {
    let more = world.state().chance.between(0, 2 * CHAOS_STEPS);
    let begin = world.state().step;
    loop {
        let (steps, faults, killed) = {
            let mut state = world.state();
            if state.violation.is_some() {
                return;
            }
            let killed = std::mem::take(&mut state.kill_controllers);
            (state.step - begin, state.coverage.injected(), killed)
        };
        if killed {
            schedule.kill_controllers();
        }
        let enough = steps >= CHAOS_STEPS + more && faults >= LEAST_FAULTS;
        if enough || steps > 20 * CHAOS_STEPS || !schedule.step().await {
            return;
        }
    }
}

fn calm(world: &World) {
    let mut state = world.state();
    state.note(|| "the calm begins: no fault any more, and no bell".to_owned());
    state.weather = Weather::Calm;
    state.rings.clear();
    state.deliveries.clear();
    (state.away_until, state.cut_off_until) = (0, 0);
}

/// Ticks until all is at rest; otherwise what is left.
async fn rest(house: &House, schedule: &mut Schedule) -> Option<String> {
    let world = &house.world;
    let begin = world.state().ledger.ticks;
    let mut looked = begin;
    loop {
        let (ticks, step) = {
            let state = world.state();
            if state.violation.is_some() {
                return None;
            }
            (state.ledger.ticks, state.step)
        };
        if ticks > looked {
            looked = ticks;
            match oracle::restless(house) {
                None if ticks > begin + 2 => return None,
                Some(left) if ticks > begin + MOST_TICKS || step > MOST_STEPS => return Some(left),
                _ => {}
            }
        }
        if !schedule.step().await {
            return Some("nobody is left to do anything".to_owned());
        }
    }
}
