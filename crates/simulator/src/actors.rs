//! Everyone but the workers: functions that are woken by bells and deliveries, ticks, people, and nature. Invariant: each
//! does what its like does in the product, through the controller's own calls, and nothing more.

use std::sync::Arc;
use std::time::Duration;

use branchline_controller::{Controller, StartRequest};
use branchline_model::{Actor, BuildId, EffectKey, PipelineName, RefName, Row, RunId};
use branchline_ports::Ring;

use crate::fault::Fault;
use crate::git::DEFAULT_BRANCH;
use crate::house::House;
use crate::ledger::Whose;
use crate::pipelines::Pipeline;
use crate::turn;
use crate::worker::SLOTS;

/// Does whatever bells and deliveries ask for.
pub(crate) async fn function(house: Arc<House>) {
    let world = &house.world;
    let controller = house.controller();
    loop {
        let away_until = world.state().away_until;
        let time = world.state().time;
        if time < away_until {
            turn::sleep(world, away_until - time).await;
        }
        let (delivery, ring) = {
            let mut state = world.state();
            let delivery = (!state.deliveries.is_empty()).then(|| state.deliveries.remove(0));
            let ring = (delivery.is_none() && !state.rings.is_empty()).then(|| state.rings.remove(0));
            (delivery, ring)
        };
        if world.is_calm() {
            return;
        }
        match (delivery, ring) {
            (Some(repository), _) => observe(&house, &controller, repository).await,
            (None, Some(ring)) => answer(&house, &controller, ring).await,
            (None, None) => {
                let pause = world.state().chance.between(50, 3_000);
                turn::sleep(world, pause).await;
            }
        }
    }
}

async fn observe(house: &House, controller: &Controller, at: usize) {
    let Some(repository) = house.repository(at) else { return };
    house.world.operation("observe");
    let observed = controller.observe(&repository, None).await;
    house.world.note(|| match observed {
        Ok(observed) => format!("observed {repository}: {} events", observed.events),
        Err(error) => format!("observe {repository}: {error}"),
    });
}

async fn answer(house: &House, controller: &Controller, ring: Ring) {
    let world = &house.world;
    match ring {
        Ring::Events => {
            world.operation("resolve");
            let Ok(due) = controller.due_events(16).await else { return };
            for pending in due {
                let resolved = controller.resolve(&pending.event).await;
                world.note(|| format!("resolved {}: {resolved:?}", pending.event));
            }
        }
        Ring::EndedRuns => {
            world.operation("advance");
            let advanced = controller.advance().await;
            world.note(|| format!("advanced: {advanced:?}"));
        }
        Ring::Effects => {
            world.operation("perform");
            let performed = controller.perform().await;
            world.note(|| format!("performed: {performed:?}"));
        }
        _ => {}
    }
}

/// Ticks each minute; now and then several at once.
pub(crate) async fn ticker(house: Arc<House>) {
    let world = &house.world;
    loop {
        let away_until = world.state().away_until;
        let time = world.state().time;
        if time < away_until {
            turn::sleep(world, away_until - time).await;
        }
        if world.strikes(Fault::TicksAtOnce, None) {
            let many = world.state().chance.between(1, 10);
            for number in 0..many {
                let house = Arc::clone(&house);
                world.spawn(format!("tick {}", number + 2), Box::pin(async move { tick(&house).await }));
            }
        }
        tick(&house).await;
        let pause = if world.is_calm() { 60_000 } else { world.state().chance.between(5_000, 60_000) };
        turn::sleep(world, pause).await;
    }
}

/// So long may a tick take.
const LONGEST_TICK: Duration = Duration::from_secs(50);

/// One tick of a controller that has just been started.
pub(crate) async fn tick(house: &House) {
    let world = &house.world;
    let controller = house.controller();
    world.operation("tick");
    let ticked = controller.tick(LONGEST_TICK).await;
    world.note(|| format!("ticked: {ticked:?}"));
    world.state().ledger.ticks += 1;
}

/// Starts, cancels and looks.
pub(crate) async fn person(house: Arc<House>) {
    let world = &house.world;
    let controller = house.controller();
    while !world.is_calm() {
        let pause = world.state().chance.between(500, 15_000);
        turn::sleep(world, pause).await;
        let what = world.state().chance.between(0, 8);
        match what {
            0 | 1 => start(&house, &controller).await,
            2 => {
                let Some(build) = some_build(&house) else { continue };
                world.operation("cancel_build");
                let cancelled = controller.cancel_build(&build, &Actor::new("ann")).await;
                world.note(|| format!("cancel build {build}: {cancelled:?}"));
            }
            3 => {
                let Some(run) = some_run(&house) else { continue };
                world.operation("cancel_run");
                let cancelled = controller.cancel_run(&run, &Actor::new("ann")).await;
                world.note(|| format!("cancel run {run}: {cancelled:?}"));
            }
            4 => send_again(&house, &controller).await,
            _ => look(&house, &controller).await,
        }
    }
}

async fn start(house: &House, controller: &Controller) {
    let world = &house.world;
    let (at, pipeline, key) = {
        let mut state = world.state();
        let repositories = state.forge.repositories.len();
        let at = state.chance.index(repositories);
        let pipeline = state.chance.between(1, 4);
        // Few keys, so that the same start is asked for again and again.
        (at, format!("p{pipeline}"), format!("key{}", state.chance.between(0, 4)))
    };
    let Some(repository) = house.repository(at) else { return };
    world.operation("start");
    let started = controller
        .start(StartRequest {
            repository,
            pipeline: PipelineName::new(pipeline),
            ref_name: None,
            idempotency_key: Some(key),
            actor: Actor::new("ann"),
            inputs: std::collections::BTreeMap::new(),
        })
        .await;
    world.note(|| format!("start: {started:?}"));
    if let Ok(started) = started {
        world.state().ledger.told.insert(started.event);
    }
}

/// Has an effect tried now; a dead letter is sent again.
async fn send_again(house: &House, controller: &Controller) {
    let Some(effect) = some_effect(house) else { return };
    house.world.operation("send_again");
    let sent = controller.resend_effect(&effect).await;
    house.world.note(|| format!("send {effect} again: {sent:?}"));
}

fn some_effect(house: &House) -> Option<EffectKey> {
    let mut state = house.world.state();
    let effects: Vec<EffectKey> = state
        .ledger
        .rows
        .values()
        .filter_map(|row| match row {
            Row::PendingEffect(pending) => Some(pending.effect.key()),
            Row::DeadEffect(dead) => Some(dead.effect.key()),
            _ => None,
        })
        .collect();
    state.chance.pick(&effects).cloned()
}

fn some_build(house: &House) -> Option<BuildId> {
    let mut state = house.world.state();
    let builds: Vec<BuildId> = state
        .ledger
        .rows
        .values()
        .filter_map(|row| match row {
            Row::Build(build) => Some(build.id.clone()),
            _ => None,
        })
        .collect();
    state.chance.pick(&builds).cloned()
}

fn some_run(house: &House) -> Option<RunId> {
    let mut state = house.world.state();
    let runs: Vec<RunId> = state
        .ledger
        .rows
        .values()
        .filter_map(|row| match row {
            Row::Run(run) => Some(run.id.clone()),
            _ => None,
        })
        .collect();
    state.chance.pick(&runs).cloned()
}

/// A build that is seen is seen whole.
async fn look(house: &House, controller: &Controller) {
    let Some(id) = some_build(house) else { return };
    house.world.operation("look");
    let Ok(seen) = controller.build(&id).await else { return };
    if house.world.state().ledger.poisoned.contains(&Whose::Build(id.clone())) {
        return;
    }
    match seen {
        // What was seen of it may have been retired meanwhile, and is seen whole or not at all.
        Some(view) if view.runs.len() != view.build.runs as usize => {
            let (runs, all) = (view.runs.len(), view.build.runs);
            house.world.violated(format!("build {id} is seen with {runs} of {all} runs"));
        }
        Some(_) => {}
        None if house.world.state().ledger.retired.contains_key(&id) => {}
        None => house.world.violated(format!("build {id} is not seen")),
    }
}

/// Pushes, outages, and jumps of the clock.
pub(crate) async fn nature(house: Arc<House>, pushes: u64) {
    let world = &house.world;
    let mut left = pushes;
    while !world.is_calm() {
        let pause = world.state().chance.between(200, 6_000);
        turn::sleep(world, pause).await;
        world.operation("nature");
        if left > 0 && world.state().chance.one_in(2) {
            left -= 1;
            push(&house);
        }
        for (fault, sign) in [(Fault::ClockForward, 1), (Fault::ClockBack, -1)] {
            if world.strikes(fault, None) {
                let range = if world.state().chance.one_in(3) { 4_000_000 } else { 5_000 };
                let jump = world.state().chance.between(1, range);
                if sign > 0 {
                    // What waits by the wall clock for a commit has waited long: it is there by now.
                    world
                        .state()
                        .forge
                        .repositories
                        .iter_mut()
                        .for_each(|repository| repository.late.clear());
                }
                world.shift_clock(sign * i64::try_from(jump).unwrap_or(0));
            }
        }
        // An attempt whose rows cannot be read keeps its slot of its worker: as many of them as it has slots would take it out.
        let may_poison = world.state().ledger.poisoned.len() + 1 < SLOTS;
        if may_poison && world.strikes(Fault::RowPoisoned, None) {
            let mut state = world.state();
            let keys = state.ledger.may_be_poisoned();
            if let Some((key, whose)) = state.chance.pick(&keys).cloned() {
                state.note(|| format!("`{key}` cannot be read any more"));
                state.ledger.poisoned.insert(whose);
                drop(state);
                house.poison.poison(key);
            }
        }
        if world.strikes(Fault::WorkersCutOff, None) {
            let mut state = world.state();
            state.cut_off_until = state.time + state.chance.between(150_000, 260_000);
        }
        if world.strikes(Fault::ControllersAway, None) {
            let mut state = world.state();
            let away = state.chance.between(60_000, 900_000);
            state.away_until = state.time + away;
            state.kill_controllers = true;
        }
    }
}

/// So long, in milliseconds, a server of a forge may be behind another.
const LONGEST_LAG: u64 = 300_000;

/// Moves a ref, as somebody who pushes does, and has it told.
fn push(house: &House) {
    let world = &house.world;
    let mut state = world.state();
    let at = {
        let repositories = state.forge.repositories.len();
        state.chance.index(repositories)
    };
    let kind = state.chance.between(0, 10);
    let branch = match state.chance.between(0, 3) {
        0 | 1 => RefName::Branch(DEFAULT_BRANCH.to_owned()),
        _ => RefName::Branch("topic".to_owned()),
    };
    let pipelines = match kind {
        0..=6 => draw_pipelines(&mut state.chance, false),
        _ => Vec::new(),
    };
    let older = {
        let number = state.chance.index(1_000);
        state.forge.repositories.get(at).and_then(|repository| {
            repository.commits.keys().nth(number % repository.commits.len().max(1)).cloned()
        })
    };
    let tag = RefName::Tag(format!("v{}", state.chance.between(1, 3)));
    let late = (kind <= 6 && state.strikes(Fault::GitLags, None))
        .then(|| state.time + state.chance.between(1_000, LONGEST_LAG));
    let Some(repository) = state.forge.repositories.get_mut(at) else { return };
    let what = match (kind, older) {
        (0..=6, _) => {
            let Some(commit) = repository.commit(pipelines) else { return };
            if let Some(at) = late {
                repository.late.insert(commit.clone(), at);
            }
            repository.point(branch.clone(), commit.clone());
            format!("push: {branch} is {commit}")
        }
        (7, Some(older)) => {
            repository.point(branch.clone(), older.clone());
            format!("forced push: {branch} is {older}")
        }
        (8, Some(older)) => {
            repository.point(tag.clone(), older.clone());
            format!("push: {tag} is {older}")
        }
        _ => {
            let gone = if branch.short() == DEFAULT_BRANCH { tag } else { branch };
            repository.refs.remove(&gone);
            format!("push: {gone} is deleted")
        }
    };
    state.note(|| format!("repository {at}: {what}"));
    if state.strikes(Fault::DeliveryLost, None) {
        return;
    }
    let doubled = state.strikes(Fault::DeliveryDoubled, None);
    let late = state.strikes(Fault::DeliveryLate, None);
    let times = if doubled { 2 } else { 1 };
    let wait = state.chance.between(1_000, 90_000);
    drop(state);
    for _ in 0..times {
        if late {
            let later = Arc::clone(world);
            world.spawn(
                "late delivery",
                Box::pin(async move {
                    turn::sleep(&later, wait).await;
                    later.state().deliveries.push(at);
                }),
            );
        } else {
            world.state().deliveries.push(at);
        }
    }
}

/// The pipelines of a commit: one to three, of few names.
pub(crate) fn draw_pipelines(chance: &mut crate::chance::Chance, large: bool) -> Vec<Pipeline> {
    let count = chance.between(1, 4);
    (1..=count).map(|number| Pipeline::draw(chance, format!("p{number}"), large && number == 1)).collect()
}
