//! Links within an archive. Invariant: from a link that is allowed, through any others that are, one stays within the archive.

/// Whether a link at `path`, both from the archive's top on, leads to something in it. `..` may only stand in front, where it counts from
/// the folder that the link itself is in: behind the name of another link it would count from wherever that one leads.
pub(crate) fn stays_within(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return false;
    }
    let depth = path.split('/').filter(|part| !part.is_empty()).count().saturating_sub(1);
    let parts: Vec<&str> = target.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let up = parts.iter().take_while(|part| **part == "..").count();
    up <= depth && parts.iter().skip(up).all(|part| *part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_within_or_is_none() {
        for (path, target) in
            [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../d/e"), ("a", "./b/"), ("lib.so", "lib.so.1")]
        {
            assert!(stays_within(path, target), "{path} -> {target}");
        }
        for (path, target) in [
            ("a", "/etc"),
            ("a", ".."),
            ("a", "../b"),
            ("a/b", "../../c"),
            ("a/b", "c/../../d"),
            ("a", ""),
            ("a", "b/.."),
        ] {
            assert!(!stays_within(path, target), "{path} -> {target}");
        }
    }
}
