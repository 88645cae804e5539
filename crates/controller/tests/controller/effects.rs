//! Effects: after their commit, at least once, not again without looking, and never forgotten.

use branchline_controller::Letter;
use branchline_core::effect::{HOLD, LONGEST_TRY, MOST_FAILURES};
use branchline_model::{Actor, AttemptEnd, DeadEffect, EffectKey, keys};
use branchline_ports::{Assignment, Clock};

use crate::house::{House, Way};

const CI: &str = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";

/// A run that a worker has, in a build that is to stop.
async fn stopping(way: Way) -> (House, Assignment) {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    let assignment = house.claim(1).await.remove(0);
    house.orders_go(way);
    house.controller.cancel_build(&house.id(1), &Actor::new("ann")).await.unwrap();
    (house, assignment)
}

fn told(house: &House) -> usize {
    house.orders.told.lock().unwrap().len()
}

/// Ticks at the times at which something is due, until the order is a dead letter.
async fn until_dead(house: &House) -> DeadEffect {
    loop {
        // Not whole ticks: its silence would end the attempt, and with it the need to stop it.
        house.controller.perform().await.unwrap();
        let effects = house.controller.effects().await.unwrap();
        if let Some(dead) = effects.dead.into_iter().next() {
            assert_eq!(effects.pending, [], "it is one or the other");
            return dead;
        }
        house.clock.set(effects.pending[0].next_try);
    }
}

#[tokio::test]
async fn nothing_is_performed_before_it_is_committed() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    house.claim(1).await;
    house.watched.refuse(true);
    house.controller.cancel_build(&house.id(1), &Actor::new("ann")).await.unwrap_err();
    house.controller.perform().await.unwrap();
    assert_eq!(told(&house), 0);
    house.watched.refuse(false);
    house.rest().await;
    assert_eq!(told(&house), 0, "nothing of the cancel was written, so nothing follows from it");
}

#[tokio::test]
async fn an_effect_is_not_begun_unless_its_taking_is_committed() {
    let (house, _) = stopping(Way::Open).await;
    house.watched.refuse(true);
    house.controller.perform().await.unwrap_err();
    assert_eq!(told(&house), 0);
    house.watched.refuse(false);
    house.rest().await;
    assert_eq!(told(&house), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_performers_at_once_one_gives_the_order() {
    let (house, _) = stopping(Way::Open).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let controller = house.controller.clone();
        all.spawn(async move { controller.perform().await.unwrap() });
    }
    let done: usize = all.join_all().await.into_iter().sum();
    assert_eq!((done, told(&house)), (1, 1));
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_looked_for_before_it_is_given_again() {
    let (house, _) = stopping(Way::AnswersLost).await;
    house.rest().await;
    assert_eq!(told(&house), 1);
    house.orders_go(Way::Open);
    house.step(2);
    house.rest().await;
    assert_eq!(told(&house), 1, "it had arrived");
    assert_eq!(house.controller.effects().await.unwrap().pending, []);
}

#[tokio::test]
async fn an_order_that_nobody_knows_of_is_given_again() {
    let (house, _) = stopping(Way::Silent).await;
    house.rest().await;
    house.orders_go(Way::Open);
    house.step(2);
    house.rest().await;
    assert_eq!(told(&house), 1);
}

#[tokio::test]
async fn an_effect_whose_performer_died_is_looked_for_and_performed_by_another_after_a_minute() {
    let (house, _) = stopping(Way::Away).await;
    // It dies after the taking: nothing that it says of the outcome is written.
    house.orders_go(Way::Open);
    let controller = house.controller.clone();
    let store = std::sync::Arc::clone(&house.watched);
    house.orders.before_next(move || store.refuse(true));
    controller.perform().await.unwrap_err();
    house.watched.refuse(false);
    house.rest().await;
    assert_eq!(told(&house), 1, "others leave it alone for now");
    house.step(61);
    house.rest().await;
    assert_eq!(told(&house), 1, "it was looked for, and had arrived");
    assert_eq!(house.controller.effects().await.unwrap().pending, []);
}

#[tokio::test]
async fn an_order_that_nobody_answers_is_given_up_before_another_takes_it_and_is_given_again() {
    let (house, _) = stopping(Way::Endless).await;
    let began = house.clock.now();
    let controller = house.controller.clone();
    let performing = tokio::spawn(async move { controller.perform().await });
    house.orders.given.notified().await;
    house.step(LONGEST_TRY.as_secs());
    assert_eq!(performing.await.unwrap().unwrap(), 0);
    let pending = house.controller.effects().await.unwrap().pending.remove(0);
    assert_eq!(pending.failures, 1);
    assert!(
        pending.last.is_doubtful() && pending.last.why().unwrap().contains("took too long"),
        "{pending:?}"
    );
    assert!(pending.next_try < began.after(HOLD), "{pending:?}");
    house.orders_go(Way::Open);
    house.step(1);
    house.rest().await;
    assert_eq!(told(&house), 1);
    assert_eq!(house.controller.effects().await.unwrap().pending, []);
}

#[tokio::test]
async fn an_order_that_was_taken_long_ago_is_not_given_any_more() {
    let (house, _) = stopping(Way::Open).await;
    let clock = std::sync::Arc::clone(&house.clock);
    // The machine sleeps just when the order has been taken.
    house.watched.before_next_commit(async move {
        clock.step(LONGEST_TRY);
    });
    house.controller.perform().await.unwrap();
    assert_eq!(told(&house), 0);
    house.step(1);
    house.rest().await;
    assert_eq!(told(&house), 1);
}

#[tokio::test]
async fn an_order_to_an_attempt_that_has_ended_is_settled_without_being_given() {
    let (house, assignment) = stopping(Way::Away).await;
    house.rest().await;
    house.carry_out(&assignment, AttemptEnd::Stopped).await.unwrap();
    house.orders_go(Way::Open);
    house.step(2);
    house.rest().await;
    assert_eq!((told(&house), house.status(1).await), (0, "cancelled"));
    assert_eq!(house.controller.effects().await.unwrap().pending, []);
}

#[tokio::test]
async fn an_order_whose_run_cannot_be_read_is_not_taken_for_settled() {
    let (house, assignment) = stopping(Way::Away).await;
    house.store.poison(keys::run(&assignment.lease.attempt.run));
    house.rest().await;
    assert_eq!(house.controller.effects().await.unwrap().pending.len(), 1, "it failed, and is shown");
    house.orders_go(Way::Open);
    house.step(2);
    house.rest().await;
    assert_eq!((told(&house), house.controller.effects().await.unwrap().pending.len()), (1, 0));
}

#[tokio::test]
async fn what_fails_again_and_again_becomes_a_dead_letter_that_says_why() {
    let (house, assignment) = stopping(Way::Away).await;
    let began = house.clock.now();
    let dead = until_dead(&house).await;
    assert_eq!(dead.failures, MOST_FAILURES);
    assert_eq!(dead.first_failure, began);
    assert_eq!(dead.last_failure, house.clock.now());
    assert_eq!(dead.why, "the worker `worker` cannot be told: it is away");
    assert_eq!(dead.effect.key(), EffectKey(format!("stop/{}", assignment.lease.attempt)));
    house.orders_go(Way::Open);
    house.step(86_400);
    house.controller.perform().await.unwrap();
    assert_eq!(told(&house), 0, "it waits for a person");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_sent_again_ten_times_is_sent_once_and_begins_anew() {
    let (house, _) = stopping(Way::Away).await;
    let key = until_dead(&house).await.effect.key();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (controller, key) = (house.controller.clone(), key.clone());
        all.spawn(async move { controller.resend_effect(&key).await.unwrap() });
    }
    assert!(all.join_all().await.iter().all(|letter| *letter == Letter::Sent));
    let effects = house.controller.effects().await.unwrap();
    assert_eq!((effects.dead.len(), effects.pending.len()), (0, 1));
    assert_eq!(effects.pending[0].failures, 0);
    house.orders_go(Way::Open);
    house.controller.perform().await.unwrap();
    assert_eq!(told(&house), 1);
    assert_eq!(house.controller.resend_effect(&key).await.unwrap(), Letter::Unknown);
}

#[tokio::test]
async fn a_dead_letter_that_is_dropped_is_gone() {
    let (house, _) = stopping(Way::Away).await;
    let key = until_dead(&house).await.effect.key();
    assert_eq!(house.controller.drop_effect(&key).await.unwrap(), Letter::Dropped);
    assert_eq!(house.controller.drop_effect(&key).await.unwrap(), Letter::Unknown);
    house.orders_go(Way::Open);
    house.step(86_400);
    house.controller.perform().await.unwrap();
    assert_eq!(told(&house), 0);
}

#[tokio::test]
async fn a_pending_effect_can_be_tried_now_but_not_dropped() {
    let (house, _) = stopping(Way::Away).await;
    house.rest().await;
    let key = house.controller.effects().await.unwrap().pending[0].effect.key();
    assert_eq!(house.controller.drop_effect(&key).await.unwrap(), Letter::Unknown);
    house.orders_go(Way::Open);
    house.rest().await;
    assert_eq!(told(&house), 0, "it is not due");
    assert_eq!(house.controller.resend_effect(&key).await.unwrap(), Letter::Sent);
    house.rest().await;
    assert_eq!(told(&house), 1);
}

#[tokio::test]
async fn five_hundred_orders_are_given_once_each() {
    let jobs: Vec<String> =
        (0..500).map(|job| format!("j{job}: {{process: true, checkout: false, steps: ['true']}}")).collect();
    let house = House::with(&[("ci", &format!("{{on: push, jobs: {{{}}}}}", jobs.join(", ")))]).await;
    house.look().await;
    assert_eq!(house.claim(500).await.len(), 500);
    house.controller.cancel_build(&house.id(1), &Actor::new("ann")).await.unwrap();
    assert_eq!(house.controller.perform().await.unwrap(), 500);
    assert_eq!(told(&house), 500);
    assert_eq!(house.controller.effects().await.unwrap().pending, []);
}
