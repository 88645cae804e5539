//! Every place for logs does what the port says: each situation of the suite, for each back end.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod folder {
    use branchline_artifacts::FolderArtifacts;

    fn opened() -> (FolderArtifacts, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (FolderArtifacts::open(folder.path()).unwrap(), folder)
    }

    branchline_testkit::artifacts_conformance!(opened());
}
