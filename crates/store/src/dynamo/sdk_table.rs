//! The table in DynamoDB, through the AWS SDK. Invariant: each call is one request, tried once; every answer becomes
//! the outcome that `table` names, and what may have been done is never taken for what was not.

use std::collections::HashMap;
use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue as Value, CancellationReason, ConditionCheck, Delete, DeleteRequest, KeysAndAttributes,
    Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, WriteRequest,
};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use branchline_model::Key;
use branchline_ports::Order;

use super::item::{Item, LARGEST_VERSION, NO_VERSION};
use super::layout::{self, Attributes, JOURNAL, PARTITION, SORT, VERSION};
use super::table::{Cause, Condition, Got, Queried, Query, Table, TableError, Write};

/// An answer that takes longer is lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A table of an AWS account.
#[derive(Clone, Debug)]
pub struct SdkTable {
    client: Client,
    name: String,
}

impl SdkTable {
    /// The table of this name in a region; elsewhere than at AWS, where an endpoint is given.
    #[must_use]
    pub fn connect(
        name: impl Into<String>,
        region: impl Into<String>,
        endpoint: Option<&str>,
        credentials: SharedCredentialsProvider,
    ) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let mut config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.into()))
            .http_client(http)
            .credentials_provider(credentials);
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        Self::of(config, name.into())
    }

    fn of(config: Builder, name: String) -> Self {
        // Whoever calls knows better what may be tried again, and when.
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(ANSWER_WITHIN).build());
        Self { client: Client::from_conf(config.build()), name }
    }

    /// The client it calls with, and the table's name: for what is not a matter of rows.
    #[must_use]
    pub fn client(&self) -> (&Client, &str) {
        (&self.client, &self.name)
    }

    async fn put(&self, item: &Item, condition: &Condition) -> Result<(), TableError> {
        let expression = expression(condition);
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(layout::attributes(item)))
            .condition_expression(expression.text)
            .set_expression_attribute_values(expression.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let outcome = put.send().await;
        outcome.map(drop).map_err(|error| {
            use aws_sdk_dynamodb::operation::put_item::PutItemError as Why;
            match error.as_service_error() {
                Some(Why::ConditionalCheckFailedException(failed)) => refused(failed.item()),
                Some(Why::TransactionConflictException(_)) => cancelled(Cause::Conflict),
                _ => failed(&error),
            }
        })
    }

    async fn delete(&self, key: &Key, condition: &Condition) -> Result<(), TableError> {
        let expression = expression(condition);
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(layout::key_attributes(key)))
            .condition_expression(expression.text)
            .set_expression_attribute_values(expression.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let outcome = delete.send().await;
        outcome.map(drop).map_err(|error| {
            use aws_sdk_dynamodb::operation::delete_item::DeleteItemError as Why;
            match error.as_service_error() {
                Some(Why::ConditionalCheckFailedException(failed)) => refused(failed.item()),
                Some(Why::TransactionConflictException(_)) => cancelled(Cause::Conflict),
                _ => failed(&error),
            }
        })
    }

    fn transact_item(&self, write: &Write) -> Result<TransactWriteItem, TableError> {
        let Expression { text, values } = expression(write.condition());
        let returned = ReturnValuesOnConditionCheckFailure::AllOld;
        let item = TransactWriteItem::builder();
        let incomplete = |error: &dyn std::fmt::Display| TableError::Unavailable { why: error.to_string() };
        Ok(match write {
            Write::Put(put, _) => item.put(
                Put::builder()
                    .table_name(&self.name)
                    .set_item(Some(layout::attributes(put)))
                    .condition_expression(text)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(returned)
                    .build()
                    .map_err(|error| incomplete(&error))?,
            ),
            Write::Delete(key, _) => item.delete(
                Delete::builder()
                    .table_name(&self.name)
                    .set_key(Some(layout::key_attributes(key)))
                    .condition_expression(text)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(returned)
                    .build()
                    .map_err(|error| incomplete(&error))?,
            ),
            Write::Check(key, _) => item.condition_check(
                ConditionCheck::builder()
                    .table_name(&self.name)
                    .set_key(Some(layout::key_attributes(key)))
                    .condition_expression(text)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(returned)
                    .build()
                    .map_err(|error| incomplete(&error))?,
            ),
        }
        .build())
    }
}

#[async_trait]
impl Table for SdkTable {
    async fn get(&self, keys: &[Key]) -> Result<Got, TableError> {
        if let [key] = keys {
            let get = self.client.get_item().table_name(&self.name).consistent_read(true);
            let found = get.set_key(Some(layout::key_attributes(key))).send().await;
            let found = found.map_err(|error| failed(&error))?;
            return Ok(Got {
                items: found.item().and_then(layout::item).into_iter().collect(),
                left: Vec::new(),
            });
        }
        let wanted = KeysAndAttributes::builder()
            .consistent_read(true)
            .set_keys(Some(keys.iter().map(layout::key_attributes).collect()))
            .build()
            .map_err(|error| TableError::Unavailable { why: error.to_string() })?;
        let found = self.client.batch_get_item().request_items(&self.name, wanted).send().await;
        let found = found.map_err(|error| failed(&error))?;
        let items = found.responses().into_iter().flat_map(HashMap::values).flatten();
        let left = found.unprocessed_keys().into_iter().flat_map(HashMap::values);
        Ok(Got {
            items: items.filter_map(layout::item).collect(),
            left: left.flat_map(KeysAndAttributes::keys).filter_map(layout::key).collect(),
        })
    }

    async fn query(&self, query: &Query) -> Result<Queried, TableError> {
        let range = SortRange::of(query);
        let limit = query.limit.saturating_add(range.at_most_left_out);
        let found = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression(range.text)
            .set_expression_attribute_values(Some(range.values))
            .scan_index_forward(query.order == Order::Ascending)
            // Without a limit a query goes on for its megabyte.
            .set_limit(i32::try_from(limit).ok())
            .send()
            .await
            .map_err(|error| failed(&error))?;
        let read: Vec<Item> = found.items().iter().filter_map(layout::item).collect();
        let more_after = found.last_evaluated_key().and_then(layout::key).map(|key| key.sort);
        let within = |item: &Item| {
            let sort = &item.key.sort;
            query.from != Bound::Excluded(sort.clone()) && query.to != Bound::Excluded(sort.clone())
        };
        let mut items: Vec<Item> = read.into_iter().filter(within).collect();
        if items.len() > query.limit {
            items.truncate(query.limit);
            return Ok(Queried { more_after: items.last().map(|item| item.key.sort.clone()), items });
        }
        Ok(Queried { items, more_after })
    }

    async fn write(&self, write: &Write) -> Result<(), TableError> {
        match write {
            Write::Put(item, condition) => self.put(item, condition).await,
            Write::Delete(key, condition) => self.delete(key, condition).await,
            Write::Check(key, _) => {
                let why = format!("`{key}`: a condition alone is no write, but a part of a transaction");
                Err(TableError::Unavailable { why })
            }
        }
    }

    async fn remove(&self, keys: &[Key]) -> Result<Vec<Key>, TableError> {
        let removal = |key: &Key| {
            let removal = DeleteRequest::builder().set_key(Some(layout::key_attributes(key))).build();
            removal.map(|removal| WriteRequest::builder().delete_request(removal).build())
        };
        let removals: Result<Vec<_>, _> = keys.iter().map(removal).collect();
        let removals = removals.map_err(|error| TableError::Unavailable { why: error.to_string() })?;
        let removed = self.client.batch_write_item().request_items(&self.name, removals).send().await;
        let removed = removed.map_err(|error| failed(&error))?;
        let left = removed.unprocessed_items().into_iter().flat_map(HashMap::values).flatten();
        Ok(left.filter_map(|left| layout::key(left.delete_request()?.key())).collect())
    }

    async fn transact(&self, token: &str, writes: &[Write]) -> Result<(), TableError> {
        let items = writes.iter().map(|write| self.transact_item(write)).collect::<Result<_, _>>()?;
        let transact = self.client.transact_write_items().client_request_token(token);
        let outcome = transact.set_transact_items(Some(items)).send().await;
        outcome.map(drop).map_err(|error| match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match cancelled.cancellation_reasons().iter().map(cause).collect() {
                    Ok(causes) => TableError::Cancelled { causes },
                    Err(why) => TableError::Unavailable { why },
                }
            }
            _ => failed(&error),
        })
    }
}

/// A condition in DynamoDB's language.
struct Expression {
    text: String,
    values: Option<Attributes>,
}

fn expression(condition: &Condition) -> Expression {
    let number = |name: &str, number: u64| (name.to_owned(), Value::N(number.to_string()));
    let no_version = format!(
        "attribute_not_exists({VERSION}) OR NOT attribute_type({VERSION}, :n) OR NOT {VERSION} BETWEEN :least AND :most"
    );
    let bounds = [
        (":n".to_owned(), Value::S("N".to_owned())),
        number(":least", NO_VERSION + 1),
        number(":most", LARGEST_VERSION),
    ];
    let unmarked = format!("attribute_not_exists({JOURNAL})");
    let absent = format!("attribute_not_exists({PARTITION})");
    let (text, values) = match condition {
        Condition::Absent => (absent, None),
        Condition::Version(at) => {
            (format!("{VERSION} = :v AND {unmarked}"), Some(HashMap::from([number(":v", *at)])))
        }
        Condition::Unversioned => {
            let text = format!("attribute_exists({PARTITION}) AND ({no_version}) AND {unmarked}");
            (text, Some(HashMap::from(bounds)))
        }
        Condition::Older(than) => {
            let text = format!("{absent} OR (({no_version} OR {VERSION} < :v) AND {unmarked})");
            (text, Some(bounds.into_iter().chain([number(":v", *than)]).collect()))
        }
        Condition::Marked(journal) => {
            let values = HashMap::from([(":j".to_owned(), Value::S(journal.clone()))]);
            (format!("{JOURNAL} = :j"), Some(values))
        }
    };
    Expression { text, values }
}

/// A range of sort keys in DynamoDB's language, which knows no two-sided range that leaves its ends out.
struct SortRange {
    text: String,
    values: Attributes,
    /// So many items may be found that the query leaves out.
    at_most_left_out: usize,
}

impl SortRange {
    fn of(query: &Query) -> Self {
        let mut values = HashMap::from([(":p".to_owned(), Value::S(query.partition.clone()))]);
        let mut bound = |name: &str, sort: &str| {
            values.insert(name.to_owned(), Value::S(layout::sort_value(sort)));
        };
        let mut at_most_left_out = 0;
        let (mut from, mut to) = (None, None);
        if let Bound::Included(sort) | Bound::Excluded(sort) = &query.from {
            bound(":from", sort);
            from = Some(if matches!(query.from, Bound::Excluded(_)) { ">" } else { ">=" });
        }
        if let Bound::Included(sort) | Bound::Excluded(sort) = &query.to {
            bound(":to", sort);
            to = Some(if matches!(query.to, Bound::Excluded(_)) { "<" } else { "<=" });
        }
        let text = match (from, to) {
            (Some(from), Some(to)) => {
                at_most_left_out = usize::from(from == ">") + usize::from(to == "<");
                format!("{PARTITION} = :p AND {SORT} BETWEEN :from AND :to")
            }
            (Some(from), None) => format!("{PARTITION} = :p AND {SORT} {from} :from"),
            (None, Some(to)) => format!("{PARTITION} = :p AND {SORT} {to} :to"),
            (None, None) => format!("{PARTITION} = :p"),
        };
        Self { text, values, at_most_left_out }
    }
}

fn refused(found: Option<&Attributes>) -> TableError {
    cancelled(Cause::Condition { found: found.and_then(layout::item).map(Box::new) })
}

fn cancelled(cause: Cause) -> TableError {
    TableError::Cancelled { causes: vec![Some(cause)] }
}

/// What one item's reason says ("TransactionCanceledException" in the API reference lists the codes).
fn cause(reason: &CancellationReason) -> Result<Option<Cause>, String> {
    match reason.code() {
        None | Some("None") => Ok(None),
        Some("ConditionalCheckFailed") => {
            Ok(Some(Cause::Condition { found: reason.item().and_then(layout::item).map(Box::new) }))
        }
        Some("TransactionConflict") => Ok(Some(Cause::Conflict)),
        Some("ProvisionedThroughputExceeded" | "ThrottlingError") => Ok(Some(Cause::Throttled)),
        Some(code) => {
            Err(format!("DynamoDB refuses an item: {code}: {}", reason.message().unwrap_or_default()))
        }
    }
}

/// What a request came to that failed in none of its own ways.
fn failed<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> TableError {
    let unknown = |why: String| TableError::Unknown { why };
    match error {
        SdkError::ServiceError(answered) => {
            let status = answered.raw().status().as_u16();
            let answer = answered.err();
            let (code, said) = (answer.code().unwrap_or("no code"), answer.message().unwrap_or_default());
            match code {
                "ProvisionedThroughputExceededException" | "RequestLimitExceeded" | "ThrottlingException" => {
                    TableError::Throttled
                }
                // The same token is at work at this moment: it may be done yet.
                "TransactionInProgressException" => unknown(code.to_owned()),
                _ if status >= 500 => unknown(format!("{status} {code}: {said}")),
                _ => TableError::Unavailable { why: format!("DynamoDB answers {status} {code}: {said}") },
            }
        }
        SdkError::ConstructionFailure(_) => TableError::Unavailable { why: chain(error) },
        _ => unknown(chain(error)),
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: Bound<&str>, to: Bound<&str>) -> SortRange {
        SortRange::of(&Query {
            partition: "p".to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            order: Order::Ascending,
            limit: 1,
        })
    }

    #[test]
    fn a_range_names_its_ends_once_and_says_how_many_it_may_find_too_many() {
        use Bound::{Excluded, Included, Unbounded};
        for (from, to, text, left_out) in [
            (Unbounded, Unbounded, "pk = :p", 0),
            (Included("a"), Unbounded, "pk = :p AND sk >= :from", 0),
            (Excluded("a"), Unbounded, "pk = :p AND sk > :from", 0),
            (Unbounded, Excluded("b"), "pk = :p AND sk < :to", 0),
            (Included("a"), Excluded("b"), "pk = :p AND sk BETWEEN :from AND :to", 1),
            (Excluded("a"), Excluded("b"), "pk = :p AND sk BETWEEN :from AND :to", 2),
        ] {
            let range = range(from, to);
            assert_eq!((range.text.as_str(), range.at_most_left_out), (text, left_out));
        }
    }

    #[test]
    fn reasons_become_causes() {
        let of = |code: &str| cause(&CancellationReason::builder().code(code).build());
        assert_eq!(of("None"), Ok(None));
        assert_eq!(of("ConditionalCheckFailed"), Ok(Some(Cause::Condition { found: None })));
        assert_eq!(of("TransactionConflict"), Ok(Some(Cause::Conflict)));
        assert_eq!(of("ThrottlingError"), Ok(Some(Cause::Throttled)));
        assert!(
            of("ItemCollectionSizeLimitExceeded").unwrap_err().contains("ItemCollectionSizeLimitExceeded")
        );
    }
}
