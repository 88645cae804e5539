//! Repositories on other machines: asked for their refs as often as told, and less often while they do not answer.

use std::path::Path;

use crate::git_server::{Manners, Server};
use crate::support::{Controller, Repository, until};

const CI: &str = "{on: push, jobs: {a: {process: true, steps: ['git log --format=%s -1', 'cat note']}}}";

fn served() -> (Repository, Server) {
    let repository = Repository::with(&[("ci", CI)]);
    repository.write("note", "over http\n");
    repository.commit("First");
    let server = Server::start(repository.path().parent().unwrap(), Manners::default());
    (repository, server)
}

fn url(repository: &Repository, server: &Server) -> String {
    server.url(repository.path().file_name().unwrap().to_str().unwrap())
}

#[test]
fn a_repository_over_http_is_polled_cloned_at_the_commit_and_built() {
    let (repository, server) = served();
    let address = url(&repository, &server);
    let controller = Controller::of(&[Path::new(&address)]).with(&["--poll", "1s"]).start();
    assert_eq!(controller.ended(1)["status"], "passed", "{}", controller.log());
    let commit = repository.commit("Second");
    let build = controller.ended(2);
    assert_eq!(
        (&build["commit"], &build["status"]),
        (&commit.into(), &"passed".into()),
        "{}",
        controller.log()
    );
    let log = controller.command(&["logs", "2/a"]).stdout;
    assert!(log.ends_with("Second\nover http\n"), "{log}");
}

#[test]
fn a_server_that_does_not_answer_delays_nobody_else_and_its_trouble_is_shown() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = format!("http://127.0.0.1:{port}/dead");
    let controller = Controller::of(&[Path::new(&dead), repository.path()]).start();
    let path = repository.path().to_str().unwrap();
    until("the other one is built", || {
        let said = controller.command(&["build", "1", "--repository", path, "--json"]);
        (said.code == Some(0) && said.stdout.contains("\"passed\"")).then_some(())
    });
    let said = controller.command(&["builds", "--repository", "dead"]);
    assert!(said.stderr.contains("cannot be looked at"), "{}", said.stderr);
    assert!(said.stderr.contains(&format!("127.0.0.1:{port}")), "{}", said.stderr);
}
