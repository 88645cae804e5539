//! Maps whose keys are numbers, in JSON: there a key is a text, and within a tagged row it is read back as one.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<K: Display, V: Serialize, S: Serializer>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(key, value)| (key.to_string(), value)))
}

pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: FromStr<Err: Display> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let texts = BTreeMap::<String, V>::deserialize(deserializer)?;
    texts.into_iter().map(|(key, value)| Ok((key.parse().map_err(D::Error::custom)?, value))).collect()
}

#[cfg(test)]
mod tests {
    use branchline_expression::Template;

    use crate::{
        BuildDefinition, BuildId, BuildProgress, Cell, CellValues, Context, JobDefinition, JobName, Late,
        Outcome, PoolName, RepositoryId, RepositoryName, Retention, Row,
    };

    fn read_back(row: impl Into<Row>) {
        let row = row.into();
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row, "{text}");
    }

    #[test]
    fn a_build_with_all_that_is_kept_of_it_is_read_back_from_json() {
        let build = BuildId { repository: RepositoryId::of(&RepositoryName::new("app")), number: 1 };
        let mut progress = BuildProgress::none_of(build.clone());
        progress.ended.insert(12, Outcome::Passed);
        progress.let_go.insert(JobName::new("test"), 3);
        progress.failed_fast.insert(JobName::new("test"));
        read_back(progress);
        let template = || Template::parse("${{ needs.a.status }}").unwrap();
        let env = || [("A".to_owned(), template())].into();
        let late = Late { condition: None, env: env(), on_worker: Vec::new(), steps: [(0, env())].into() };
        read_back(BuildDefinition {
            build,
            description: None,
            file: ".branchline/ci.yaml".to_owned(),
            jobs: vec![JobDefinition {
                name: JobName::new("test"),
                needs: Vec::new(),
                fail_fast: true,
                max_parallel: None,
                pool: PoolName::new("default"),
                first: 1,
                cells: vec![Cell { values: Some(Box::new(CellValues::default())), ..Cell::default() }],
                late: Some(Box::new(late)),
            }],
            problems: Vec::new(),
            context: Some(Box::new(Context::default())),
            retention: Retention::default(),
        });
    }
}
