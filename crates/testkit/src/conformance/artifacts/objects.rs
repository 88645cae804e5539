//! Objects: written once, whole or not at all, and what was said of them.

use branchline_model::{Content, Digest, OBJECT_PART, ObjectKey};
use branchline_ports::{Artifacts, ObjectError, Objects, Pieces};

use super::log::pattern;

fn objects(artifacts: &dyn Artifacts) -> &dyn Objects {
    artifacts.objects().unwrap()
}

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

async fn put(artifacts: &dyn Artifacts, name: &str, bytes: &[u8]) -> Result<(), ObjectError> {
    let mut pieces = Some(bytes.to_vec());
    objects(artifacts).put_object(&key(name), &Content::of(bytes), &mut pieces).await
}

/// Bytes that come in pieces of so many.
struct Dribble(Vec<u8>, usize);

#[async_trait::async_trait]
impl Pieces for Dribble {
    async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let rest = self.0.split_off(self.1.min(self.0.len()));
        let piece = std::mem::replace(&mut self.0, rest);
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// Also one that holds nothing.
pub async fn an_object_is_read_back_whole_and_in_parts(artifacts: &dyn Artifacts) {
    for (name, bytes) in [("a/empty", Vec::new()), ("a/b/some.bin", pattern(0, 1_000))] {
        put(artifacts, name, &bytes).await.unwrap();
        let at = objects(artifacts);
        assert_eq!(at.check_object(&key(name), &Content::of(&bytes)).await, Ok(()));
        for (offset, most) in [(0, 10_000), (0, 0), (1, 5), (999, 5), (1_000, 5), (5_000, 5)] {
            let part = at.get_object(&key(name), offset, most).await.unwrap();
            let from = bytes.len().min(offset as usize);
            assert_eq!(part.bytes, bytes[from..bytes.len().min(from + most)], "{most} from {offset}");
            assert_eq!(part.length, bytes.len() as u64);
        }
    }
    let none = objects(artifacts).get_object(&key("a/none"), 0, 1).await;
    assert_eq!(none, Err(ObjectError::NotFound { key: "a/none".to_owned() }));
}

/// Pieces are cut anywhere.
pub async fn a_long_object_goes_in_parts_and_reads_as_one(artifacts: &dyn Artifacts) {
    let bytes = pattern(0, 2 * OBJECT_PART as usize + 12_345);
    let content = Content::of(&bytes);
    let at = objects(artifacts);
    at.put_object(&key("long"), &content, &mut Dribble(bytes.clone(), 3_000_001)).await.unwrap();
    assert_eq!(at.check_object(&key("long"), &content).await, Ok(()));
    let middle = at.get_object(&key("long"), OBJECT_PART - 10, 20).await.unwrap();
    assert_eq!(middle.bytes, bytes[OBJECT_PART as usize - 10..][..20]);
    assert_eq!(middle.length, content.bytes);
    let exact = pattern(7, OBJECT_PART as usize);
    put(artifacts, "exact", &exact).await.unwrap();
    assert_eq!(at.check_object(&key("exact"), &Content::of(&exact)).await, Ok(()));
}

/// Whoever comes second is told so, and changes nothing.
pub async fn an_object_is_never_written_twice(artifacts: &dyn Artifacts) {
    put(artifacts, "one", b"first").await.unwrap();
    for bytes in [&b"second"[..], b"first"] {
        assert_eq!(
            put(artifacts, "one", bytes).await,
            Err(ObjectError::AlreadyThere { key: "one".to_owned() })
        );
    }
    assert_eq!(objects(artifacts).get_object(&key("one"), 0, 100).await.unwrap().bytes, b"first");
}

/// Too few bytes, too many, others; short objects and long ones.
pub async fn what_is_not_what_was_said_of_it_never_becomes_an_object(artifacts: &dyn Artifacts) {
    let at = objects(artifacts);
    let long = pattern(0, OBJECT_PART as usize + 100);
    let mut other = long.clone();
    other[5] ^= 1;
    let cases: [(&[u8], &[u8]); 6] = [
        (b"said", b"done"),
        (b"said", b"sai"),
        (b"said", b"said!"),
        (&long, &other),
        (&long, &long[..OBJECT_PART as usize + 50]),
        (b"said", &long),
    ];
    for (said, sent) in cases {
        let written = at.put_object(&key("it"), &Content::of(said), &mut Some(sent.to_vec())).await;
        assert!(matches!(written, Err(ObjectError::Different { .. })), "{written:?}");
        assert_eq!(at.list_objects("", None, 10).await, Ok(Vec::new()));
    }
    put(artifacts, "it", b"said").await.unwrap();
    let wrong = Content { sha256: Digest::of(b"else"), ..Content::of(b"said") };
    for content in [Content::of(b"sai"), wrong] {
        let checked = at.check_object(&key("it"), &content).await;
        assert!(matches!(checked, Err(ObjectError::Different { .. })), "{checked:?}");
    }
    let none = at.check_object(&key("none"), &Content::of(b"said")).await;
    assert_eq!(none, Err(ObjectError::NotFound { key: "none".to_owned() }));
}

/// Only those that begin so, only behind a key, and only so many.
pub async fn objects_are_listed_in_the_order_of_their_keys_page_by_page(artifacts: &dyn Artifacts) {
    let mut names: Vec<String> = (0..25).map(|number| format!("app-1/{}/x{number}", number % 3)).collect();
    names.push("app-10/0/x".to_owned());
    names.push("other".to_owned());
    for name in &names {
        put(artifacts, name, name.as_bytes()).await.unwrap();
    }
    names.sort();
    for prefix in ["", "app-1", "app-1/", "app-1/1/", "app-1/1/x1", "none"] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = objects(artifacts).list_objects(prefix, after.as_ref(), 4).await.unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            found.extend(page.into_iter().map(|object| (object.key.to_string(), object.bytes)));
        }
        let expected: Vec<_> = names
            .iter()
            .filter(|name| name.starts_with(prefix))
            .map(|name| (name.clone(), name.len() as u64))
            .collect();
        assert_eq!(found, expected, "{prefix}");
    }
}

/// And its key is free again, for whoever gives keys.
pub async fn a_removed_object_is_gone_and_can_be_removed_again(artifacts: &dyn Artifacts) {
    put(artifacts, "a/one", b"1").await.unwrap();
    put(artifacts, "a/two", b"2").await.unwrap();
    for _ in 0..2 {
        objects(artifacts).delete_object(&key("a/one")).await.unwrap();
    }
    let left = objects(artifacts).list_objects("a/", None, 10).await.unwrap();
    assert_eq!(left.into_iter().map(|object| object.key).collect::<Vec<_>>(), [key("a/two")]);
    put(artifacts, "a/one", b"again").await.unwrap();
}
