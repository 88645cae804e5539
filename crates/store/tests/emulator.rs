//! That the DynamoDB the suite is run against keeps the promises that the suite needs, by the SDK alone: an emulator
//! that loses a write would make the store look wrong, and one that never refuses would make it look right.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support {
    pub mod dynamo;
}

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue as Value, CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};
use branchline_model::Key;
use branchline_store::dynamo::{Cause, Condition, Table, TableError, Write};
use branchline_testkit::conformance::carry_out;

use support::dynamo::Tables;

const THREADS: u32 = 8;
const ADDITIONS: u32 = 20;

fn attributes(sort: &str, sum: u32) -> HashMap<String, Value> {
    HashMap::from([
        ("pk".to_owned(), Value::S("p".to_owned())),
        ("sk".to_owned(), Value::S(sort.to_owned())),
        ("v".to_owned(), Value::N(sum.to_string())),
    ])
}

fn put(name: &str, sort: &str, sum: u32, expected: Option<u32>) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(name)
        .set_item(Some(attributes(sort, sum)))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let put = match expected {
        Some(sum) => {
            put.condition_expression("v = :v").expression_attribute_values(":v", Value::N(sum.to_string()))
        }
        None => put.condition_expression("attribute_not_exists(pk)"),
    };
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

async fn sum(client: &Client, name: &str, sort: &str) -> u32 {
    let mut key = attributes(sort, 0);
    key.remove("v");
    let got =
        client.get_item().table_name(name).set_key(Some(key)).consistent_read(true).send().await.unwrap();
    number(got.item().unwrap())
}

fn number(item: &HashMap<String, Value>) -> u32 {
    item["v"].as_n().unwrap().parse().unwrap()
}

/// What a transaction was cancelled for; `None` where it was made.
async fn transact(client: &Client, items: Vec<TransactWriteItem>) -> Option<Vec<CancellationReason>> {
    match client.transact_write_items().set_transact_items(Some(items)).send().await {
        Ok(_) => None,
        Err(error) => match error.into_service_error() {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                Some(cancelled.cancellation_reasons().to_vec())
            }
            other => unreachable!("{other}"),
        },
    }
}

#[test]
#[ignore = "needs a DynamoDB"]
fn transactional_compare_and_set_from_eight_threads_loses_nothing() {
    let tables = Tables::reached();
    let table = tables.new_table();
    let (client, name) = table.client();
    carry_out(async {
        let made = transact(client, vec![put(name, "a", 0, None), put(name, "b", 0, None)]).await;
        assert_eq!(made, None);
    });
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                carry_out(async {
                    let mut added = 0;
                    while added < ADDITIONS {
                        let (a, b) = (sum(client, name, "a").await, sum(client, name, "b").await);
                        let both = vec![put(name, "a", a + 1, Some(a)), put(name, "b", b + 1, Some(b))];
                        added += u32::from(transact(client, both).await.is_none());
                    }
                });
            });
        }
    });
    carry_out(async {
        assert_eq!(sum(client, name, "a").await, THREADS * ADDITIONS);
        assert_eq!(sum(client, name, "b").await, THREADS * ADDITIONS);
    });
}

#[test]
#[ignore = "needs a DynamoDB"]
fn a_transaction_is_cancelled_whole_with_a_reason_for_each_item_and_what_was_found() {
    let tables = Tables::reached();
    let table = tables.new_table();
    let (client, name) = table.client();
    carry_out(async {
        assert_eq!(transact(client, vec![put(name, "there", 7, None)]).await, None);
        let check = ConditionCheck::builder().table_name(name).condition_expression("attribute_exists(pk)");
        let mut key = attributes("gone", 0);
        key.remove("v");
        let check =
            TransactWriteItem::builder().condition_check(check.set_key(Some(key)).build().unwrap()).build();
        let items = vec![put(name, "new", 1, None), put(name, "there", 8, None), check];
        let reasons = transact(client, items).await.unwrap();
        let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
        assert_eq!(codes, ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]);
        assert_eq!(reasons[1].item().map(number), Some(7));
        assert_eq!(reasons[2].item(), None);
        let read = client.query().table_name(name).consistent_read(true).key_condition_expression("pk = :p");
        let read = read.expression_attribute_values(":p", Value::S("p".to_owned())).send().await.unwrap();
        assert_eq!(read.items().iter().map(number).collect::<Vec<_>>(), [7], "none of it was made");
    });
}

#[test]
#[ignore = "needs a DynamoDB"]
fn a_hundred_items_are_written_at_once_and_one_that_is_refused_refuses_all() {
    let tables = Tables::reached();
    let table = tables.new_table();
    let (client, name) = table.client();
    carry_out(async {
        let all = |expected: Option<u32>| {
            (0..100).map(|item| put(name, &format!("{item:03}"), 5, expected)).collect()
        };
        assert_eq!(transact(client, all(None)).await, None);
        let mut again: Vec<_> = all(Some(5));
        again[99] = put(name, "099", 6, Some(4));
        let reasons = transact(client, again).await.unwrap();
        assert_eq!(reasons[99].code(), Some("ConditionalCheckFailed"));
        for sort in ["000", "098", "099"] {
            assert_eq!(sum(client, name, sort).await, 5);
        }
    });
}

/// The attributes of an item; what is marked is held by the journal `j1`.
fn laid_out(version: Option<Value>, is_marked: bool, has_row: bool) -> HashMap<String, Value> {
    let mut item = attributes("s", 0);
    item.remove("v");
    item.extend(version.map(|version| ("v".to_owned(), version)));
    if has_row {
        item.insert("c".to_owned(), Value::S("c1".to_owned()));
    }
    if is_marked {
        item.insert("j".to_owned(), Value::S("j1".to_owned()));
    }
    item
}

#[test]
#[ignore = "needs a DynamoDB"]
fn a_condition_holds_of_any_item_exactly_where_the_table_in_memory_says_so() {
    let number = |number: &str| Some(Value::N(number.to_owned()));
    let mut items: Vec<Option<HashMap<String, Value>>> = vec![None, Some(laid_out(None, true, false))];
    for version in
        [number("5"), number("0"), number("-1"), number("1e30"), Some(Value::S("5".to_owned())), None]
    {
        items.extend([false, true].map(|is_marked| Some(laid_out(version.clone(), is_marked, true))));
    }
    let conditions = [
        Condition::Absent,
        Condition::Version(5),
        Condition::Unversioned,
        Condition::Older(5),
        Condition::Older(6),
        Condition::Marked("j1".to_owned()),
        Condition::Marked("j2".to_owned()),
    ];
    let tables = Tables::reached();
    let table = tables.new_table();
    let (client, name) = table.client();
    let key = Key::new("p", "s");
    let mut held = 0;
    carry_out(async {
        for (item, condition) in items.iter().flat_map(|item| conditions.iter().map(move |held| (item, held)))
        {
            table.remove(std::slice::from_ref(&key)).await.unwrap();
            if let Some(item) = item {
                client.put_item().table_name(name).set_item(Some(item.clone())).send().await.unwrap();
            }
            let found = table.get(std::slice::from_ref(&key)).await.unwrap().items.pop();
            let outcome = table.write(&Write::Delete(key.clone(), condition.clone())).await;
            assert_eq!(
                outcome.is_ok(),
                condition.holds(found.as_ref()),
                "{condition:?} of {item:?}: {outcome:?}"
            );
            if let Err(error) = outcome {
                let cause = Cause::Condition { found: found.map(Box::new) };
                assert_eq!(error, TableError::Cancelled { causes: vec![Some(cause)] });
            } else {
                held += 1;
            }
        }
    });
    assert!(held > 15, "{held}");
}
