//! What cannot be written is shown for as long as it lasts.

use branchline_controller::Place;
use branchline_ports::Clock;

use crate::house::House;

const CI: &str = "{on: {push: {}, manual: true}, jobs: {a: {process: true, steps: ['true']}}}";

#[tokio::test]
async fn a_store_that_refuses_is_a_shortage_until_a_write_succeeds() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    assert_eq!(house.controller.shortages(), []);
    let since = house.clock.now();
    house.watched.refuse(true);
    house.start("ci", Some("one")).await.unwrap_err();
    house.step(10);
    house.start("ci", Some("one")).await.unwrap_err();
    let shortages = house.controller.shortages();
    assert_eq!((shortages.len(), shortages[0].place, shortages[0].since), (1, Place::Store, since));
    assert!(shortages[0].why.contains("told to refuse"), "{}", shortages[0].why);
    house.watched.refuse(false);
    house.start("ci", Some("one")).await.unwrap();
    assert_eq!(house.controller.shortages(), []);
}

#[tokio::test]
async fn a_shortage_that_nobody_meets_any_more_is_forgotten() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    house.watched.refuse(true);
    house.start("ci", Some("one")).await.unwrap_err();
    house.step(61);
    assert_eq!(house.controller.shortages(), []);
}
