//! What a person reads.

use axum::http::StatusCode;
use branchline_ports::WorkerProtocol;

use crate::site::{HELLO, NOW, Site};

const WRONG: &str = "on: {push: {}}\njobs: {a: {steps: [x], neds: []}}\n";

async fn site() -> Site {
    let site = Site::with(&[("hello", HELLO), ("wrong", WRONG)]).await;
    site.push().await;
    site
}

/// What a page says, without its markup.
fn text(html: &str) -> String {
    let main = html.split_once("<main").map_or(html, |(_, rest)| rest);
    let main = main.split_once("</main>").map_or(main, |(main, _)| main);
    let mut text = String::new();
    let mut inside = true;
    for letter in main.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn the_first_page_lists_repositories_with_their_newest_build_and_trouble() {
    let site = site().await;
    site.controller.record_trouble(&site.repository, "no <route>", crate::site::NOW).await.unwrap();
    let page = site.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    insta::assert_snapshot!(text(&page.body), @r##"Repositories example.org/acme/app Trouble cannot be reached since just now, tried once: no &lt;route&gt; invalid #2 wrong Say &#60;hello&#62; &#38; more main · 0123456789 · just now"##);
}

#[tokio::test]
async fn a_repositorys_page_lists_its_builds_and_has_a_form_to_start_one() {
    let site = site().await;
    insta::assert_snapshot!(text(&site.get(&site.path("")).await.body), @r##"example.org/acme/app Builds Status Build Commit Branch or tag Created Duration invalid #2 wrong 0123456789 Say &#60;hello&#62; &#38; more main just now running #1 hello 0123456789 Say &#60;hello&#62; &#38; more main just now 0 s Start a pipeline Pipeline Branch or tag Start Only pipelines with manual: true under on: can be started. A branch, or a tag as refs/tags/NAME. Empty: the default branch."##);
}

#[tokio::test]
async fn a_builds_page_shows_its_graph_and_why_its_runs_ended_so() {
    let site = site().await;
    let lease = site.begin().await;
    site.finish(&lease, 3).await;
    let page = site.get(&site.path("/builds/1")).await.body;
    insta::assert_snapshot!(text(&page), @r##"#1 hello failed Say &#60;hello&#62; &#38; more hello did not pass Branch or tag main Commit 0123456789 Author Ann O&#39;Nym Cause push Created just now Took 1.5 s File .branchline/hello.yaml Jobs and what they need Each job stands right of those that it needs. hello: failed hello failed · 1.5 s after: skipped after skipped Runs 2 of 2 runs have ended Status Job Needs Why Duration failed hello step echo hello failed with exit code 3 1.5 s skipped after hello hello , which it needs, did not pass"##);
    assert!(page.contains("<svg width=\"") && page.contains("#i-failed") && page.contains("#i-skipped"));
}

#[tokio::test]
async fn an_invalid_builds_page_shows_the_excerpts() {
    let site = site().await;
    let page = site.get(&site.path("/builds/2")).await.body;
    let said = text(&page);
    assert!(said.contains("What is wrong with the file") && said.contains("neds"), "{said}");
    assert!(said.contains("Runs There are none: nothing of an invalid pipeline file is run."), "{said}");
    assert!(!said.contains("Took"), "nothing was run that could take time: {said}");
}

#[tokio::test]
async fn a_runs_page_shows_its_steps_and_its_log_with_colours_as_text() {
    let site = site().await;
    let lease = site.begin().await;
    site.append(&lease, b"\x1b[32mhello\x1b[0m <script>alert(1)</script>\n10%\r100%\ncaf\xe9").await;
    let running = site.get(&site.path("/builds/1/runs/1")).await.body;
    assert!(running.contains("data-log=") && running.contains("Cancel run"));
    site.finish(&lease, 0).await;
    let page = site.get(&site.path("/builds/1/runs/1")).await.body;
    assert!(page.contains("<span class=\"f2\">hello</span> &lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("caf\u{fffd}") && page.contains("id=\"L3\"") && !page.contains("data-log="));
    let shown = text(&page);
    let (shown, _) = shown.split_once("Run definition").unwrap();
    insta::assert_snapshot!(shown, @r##"hello passed Commit 0123456789 Say &#60;hello&#62; &#38; more Pool default Worker here Took 1.5 s Steps Status Step Result Began Duration passed echo hello just now 1.5 s not begun echo second Log Times All of it, raw 54 bytes. echo hello 2026-11-21T07:00:00.000Z hello &lt;script&gt;alert(1)&lt;/script&gt; 2026-11-21T07:00:00.000Z 100% 2026-11-21T07:00:00.000Z caf�"##);
}

#[tokio::test]
async fn a_long_log_is_shown_a_window_at_a_time_and_the_windows_join() {
    let site = site().await;
    let lease = site.begin().await;
    let log: String =
        (1..=20_000).map(|number| format!("line {number} of many, and some more of it\n")).collect();
    site.append(&lease, log.as_bytes()).await;
    site.finish(&lease, 0).await;
    let last = site.get(&site.path("/builds/1/runs/1")).await.body;
    assert!(
        last.contains("line 20000 of") && !last.contains("line 15000 of") && last.contains("Earlier lines")
    );
    assert!(last.len() < 2_000_000);
    let mut from = "0,1,".to_owned();
    let mut seen = 0;
    loop {
        let page = site.get(&site.path(&format!("/builds/1/runs/1?attempt=1&from={from}"))).await.body;
        seen += page.matches("and some more of it").count();
        assert!(seen == 0 || page.contains(&format!("id=\"L{seen}\"")), "line {seen} has its number");
        let Some((before, _)) = page.split_once("\">Later lines</a>") else { break };
        from = before.rsplit("from=").next().unwrap().to_owned();
    }
    assert_eq!(seen, 20_000);
}

#[tokio::test]
async fn a_build_of_a_thousand_jobs_has_a_table_and_no_drawing() {
    let jobs: String =
        (0..1000).map(|job| format!("  job-{job}: {{process: true, steps: [\"true\"]}}\n")).collect();
    let site = Site::with(&[("many", &format!("on: {{push: {{}}}}\njobs:\n{jobs}"))]).await;
    site.push().await;
    let page = site.get(&site.path("/builds/1")).await.body;
    assert!(text(&page).contains("1000 jobs are too many to draw"), "{}", text(&page));
    assert!(!page.contains("class=\"edge\"") && page.matches("<tr>").count() == 1001);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[tokio::test]
async fn what_went_wrong_is_a_page_too() {
    let site = site().await;
    let page = site.get(&site.path("/builds/99")).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::NOT_FOUND, "text/html; charset=utf-8")
    );
    insta::assert_snapshot!(text(&page.body), @r##"Not Found there is no build app-c6a16d3c39/99 branchline builds lists those there are, and so does the repository&#39;s page Back to the repositories"##);
}

#[tokio::test]
async fn files_are_kept_for_ever_under_names_that_change_with_their_content() {
    let site = site().await;
    let page = site.get("/").await.body;
    for (before, kind) in
        [("<link rel=\"stylesheet\" href=\"", "text/css"), ("<script src=\"", "text/javascript")]
    {
        let path = page.split_once(before).unwrap().1.split('"').next().unwrap();
        let file = site.get(path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert!(
            file.header("content-type").starts_with(kind)
                && file.header("cache-control").contains("immutable")
        );
        assert_eq!(site.get(&path.replace('-', "-0")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_worker_that_falls_silent_and_is_lost_is_shown_to_be_so() {
    let site = site().await;
    let lease = site.begin().await;
    let seconds = |seconds| site.clock.step(std::time::Duration::from_secs(seconds));
    let said = async || text(&site.get(&site.path("/builds/1/runs/1")).await.body);
    let run = async || site.get(&site.api("/builds/1/runs/1")).await.json()["run"].clone();
    seconds(40);
    assert!(!said().await.contains("silent") && run().await["silent_since"].is_null());
    seconds(10);
    assert!(said().await.contains("its worker has been silent for 50 s"), "{}", said().await);
    assert_eq!(run().await["silent_since"], NOW.to_string());
    site.controller.heartbeat(&lease.worker, std::slice::from_ref(&lease)).await.unwrap();
    assert!(!said().await.contains("silent"));
    for _ in 0..7 {
        seconds(30);
        site.controller.tick(std::time::Duration::from_secs(60)).await;
    }
    let lost = said().await;
    assert!(lost.contains("tried again: in attempt 1, its worker here was lost"), "{lost}");
    let again = run().await;
    assert_eq!(
        (&again["status"], &again["again"]["reason"]["code"]),
        (&"queued".into(), &"worker_lost".into())
    );
    let build = text(&site.get(&site.path("/builds/1")).await.body);
    assert!(build.contains("tried again: in attempt 1"), "{build}");
    seconds(30);
    site.controller.tick(std::time::Duration::from_secs(60)).await;
    site.begin().await;
    let second = said().await;
    assert!(second.contains("Attempt 1: lost Attempt 2"), "{second}");
}
