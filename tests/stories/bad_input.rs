//! Bad input: a clear error or an honest state, and the controller goes on.

use std::process::{Command, Stdio};

use crate::support::{Controller, Repository, branchline, until};

const GOOD: &str = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";

/// The controller still builds what is pushed.
fn goes_on(repository: &Repository, controller: &Controller) {
    let commit = repository.commit("Go on");
    let number = until("the newest build is of the newest commit", || {
        let builds = controller.json(&["builds"]);
        let good = builds["builds"]
            .as_array()?
            .iter()
            .find(|build| build["commit"] == commit && build["pipeline"] == "good")?;
        good["number"].as_u64()
    });
    assert_eq!(controller.ended(number)["status"], "passed");
}

fn invalid(name: &str, text: &[u8], says: &str) {
    let repository = Repository::empty();
    repository.write(&format!(".branchline/{name}.yaml"), text);
    repository.write(".branchline/good.yaml", GOOD);
    repository.commit("First");
    let controller = Controller::of(&[repository.path()]).start();
    let builds = [controller.ended(1), controller.ended(2)];
    let wrong = builds.iter().find(|build| build["pipeline"] == name).unwrap();
    assert_eq!(wrong["status"], "invalid", "{wrong}");
    let shown = controller.command(&["build", &wrong["number"].to_string()]);
    assert!(shown.stdout.contains(says), "{}", shown.stdout);
    goes_on(&repository, &controller);
}

#[test]
fn a_megabyte_of_garbage_is_an_invalid_build() {
    let mut state = 1u32;
    let garbage: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(1024 * 1024)
    .collect();
    invalid("garbage", &garbage, "UTF-8");
}

#[test]
fn an_alias_bomb_is_an_invalid_build() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = level - 1;
        let uses = vec![format!("*a{before}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
    }
    invalid("bomb", text.as_bytes(), "bomb.yaml:");
}

#[test]
fn a_cycle_is_named_with_its_path() {
    let text = "on: push\njobs:\n  a: {process: true, needs: [b], steps: [x]}\n  b: {process: true, needs: [a], steps: [x]}\n";
    invalid("cycle", text.as_bytes(), "a → b → a");
}

#[test]
fn a_nul_in_a_name_is_an_invalid_build() {
    invalid("nul", b"on: push\njobs:\n  \"a\\0b\": {process: true, steps: [x]}\n", "nul.yaml:3:3");
}

#[test]
fn a_job_cannot_be_named_as_a_path() {
    invalid("path", b"on: push\njobs:\n  ../../x: {process: true, steps: [x]}\n", "path.yaml:3:3");
}

#[test]
fn a_step_that_prints_two_hundred_megabytes_passes_in_bounded_memory() {
    let pipeline = "{on: push, jobs: {a: {process: true, checkout: false, steps: ['head -c 200000000 /dev/zero | tr \"\\0\" x | fold -w 99']}}}";
    let repository = Repository::with(&[("good", pipeline)]);
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(build["status"], "passed", "{build}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", controller.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(kib < 150 * 1024, "{kib} KiB");
    let mut logs = branchline()
        .args(["logs", "1/a", "--data"])
        .arg(controller.data())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let length = std::io::copy(&mut logs.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
    assert!(logs.wait().unwrap().success());
    assert!(length > 202_000_000, "{length}");
}

#[test]
fn a_repository_that_vanishes_is_said_to_be_gone_and_is_watched_again_when_it_is_back() {
    let repository = Repository::with(&[("good", GOOD)]);
    let controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    let elsewhere = repository.vanish();
    until("its trouble is shown", || {
        let repositories = controller.command(&["builds"]);
        (repositories.code == Some(0) && repositories.stderr.contains("cannot")).then_some(())
    });
    std::fs::rename(elsewhere, repository.path()).unwrap();
    goes_on(&repository, &controller);
    until("its trouble is over", || {
        let repositories = controller.command(&["builds"]);
        (repositories.code == Some(0) && !repositories.stderr.contains("cannot")).then_some(())
    });
}

/// A file system of a few MiB, which is unmounted again.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn new(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "branchline-test"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(status.success());
        Self(folder)
    }
}

impl TinyDisk {
    /// Makes room.
    fn enlarge(&self, size: &str) {
        let status =
            Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(self.0.path()).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

#[test]
#[ignore = "needs to mount a file system: run as root"]
fn a_full_disk_is_an_honest_end_and_the_controller_goes_on_when_there_is_room() {
    const BYTES: u64 = 50_000_000;
    let disk = TinyDisk::new("8m");
    let pipeline = format!(
        "{{on: push, jobs: {{a: {{process: true, checkout: false, steps: ['head -c {BYTES} /dev/zero | tr \"\\0\" x | fold -w 99']}}}}}}"
    );
    let repository = Repository::with(&[("good", &pipeline)]);
    let controller = Controller::of(&[repository.path()]).with_data(disk.0.path().join("data")).start();
    // The controller's copy of the log, the attempt's own and the store grow side by side. Where the copy or the store meets
    // the end of the disk, it is said, each in its words, and waited; where the attempt's own does and the rest finds
    // room, the run ends at once.
    let full = |text: &str| text.contains("pace left on") || text.contains("disk is full");
    let sentence = |build: &serde_json::Value| {
        build["runs"][0]["reason"]["sentence"].as_str().unwrap_or_default().to_owned()
    };
    until("it says that the disk is full", || {
        let ended = controller.build_now(1).filter(|build| build["ended_at"].is_string());
        let said = full(&controller.log()) || ended.is_some_and(|build| full(&sentence(&build)));
        said.then_some(())
    });
    // What is stored can still be read.
    let build = controller.build(1);
    assert!(build["status"] == "running" || full(&sentence(&build)), "{build}\n{}", controller.log());
    disk.enlarge("400m");
    let build = controller.ended(1);
    if build["status"] == "passed" {
        // There was room again before the attempt's own log met the end of the disk: then all of it is there.
        let log = controller.command(&["logs", "1/a"]).stdout;
        assert!(log.len() as u64 > BYTES, "{} bytes", log.len());
    } else {
        assert!(full(&sentence(&build)), "{build}");
    }
    repository.write(".branchline/good.yaml", GOOD);
    goes_on(&repository, &controller);
}
