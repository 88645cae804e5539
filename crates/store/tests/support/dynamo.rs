//! Tables in a DynamoDB: the emulator's, or where `BRANCHLINE_TEST_DYNAMODB_ENDPOINT` says.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use branchline_store::dynamo::SdkTable;
use branchline_testkit::conformance::carry_out;
use branchline_testkit::emulator::{DynamoEmulator, ENDPOINT};

/// A DynamoDB, and the tables that a test made there; they are removed with it.
pub struct Tables {
    endpoint: Option<String>,
    made: Mutex<Vec<SdkTable>>,
    _emulator: Option<DynamoEmulator>,
}

impl Tables {
    pub fn reached() -> Self {
        let (endpoint, emulator) = match std::env::var(ENDPOINT).as_deref() {
            Ok("aws") => (None, None),
            Ok(endpoint) if !endpoint.is_empty() => (Some(endpoint.to_owned()), None),
            _ => {
                let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
                let emulator = DynamoEmulator::of(target);
                (Some(emulator.endpoint().to_owned()), Some(emulator))
            }
        };
        Self { endpoint, made: Mutex::default(), _emulator: emulator }
    }

    fn connected(&self, name: &str) -> SdkTable {
        let from = |variable: &str| std::env::var(variable).ok();
        let credentials = match &self.endpoint {
            Some(_) => Credentials::new("test", "test", None, None, "test"),
            None => Credentials::new(
                from("AWS_ACCESS_KEY_ID").unwrap(),
                from("AWS_SECRET_ACCESS_KEY").unwrap(),
                from("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
        };
        let region = from("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
        SdkTable::connect(name, region, self.endpoint.as_deref(), SharedCredentialsProvider::new(credentials))
    }

    /// A table of this test's own, as infra/table.md says.
    pub fn new_table(&self) -> SdkTable {
        let test = std::thread::current().name().unwrap_or("test").replace("::", ".");
        let table = self.connected(&format!("branchline-test-{}-{test}", std::process::id()));
        carry_out(create(&table));
        self.made.lock().unwrap().push(table.clone());
        table
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        for table in self.made.get_mut().unwrap().drain(..) {
            carry_out(async {
                let (client, name) = table.client();
                client.delete_table().table_name(name).send().await.unwrap();
            });
        }
    }
}

async fn create(table: &SdkTable) {
    let (client, name) = table.client();
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let text = |name: &str| {
        let text = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        text.build().unwrap()
    };
    let made = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(text("pk"))
        .attribute_definitions(text("sk"))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .send()
        .await
        .unwrap();
    let mut status = made.table_description().and_then(|table| table.table_status()).cloned();
    while status != Some(aws_sdk_dynamodb::types::TableStatus::Active) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let described = client.describe_table().table_name(name).send().await.unwrap();
        status = described.table().and_then(|table| table.table_status()).cloned();
    }
}
