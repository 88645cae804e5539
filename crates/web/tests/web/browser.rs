//! The pages in a real browser: Debian's chromium without a window, driven by chromedriver.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::site::{HELLO, Site, TOKEN};

/// Far longer than anything here takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A phone's width, in CSS pixels.
const PHONE: u32 = 390;

/// Ends with the test, however that ends.
struct Browser {
    client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    async fn open(script: bool) -> Self {
        Self::open_with(if script {
            json!({})
        } else {
            json!({ "prefs": { "profile.managed_default_content_settings.javascript": 2 } })
        })
        .await
    }

    /// With a phone's narrow screen, which no window can be as narrow as.
    async fn open_on_a_phone() -> Self {
        let screen = json!({ "width": PHONE, "height": 844, "pixelRatio": 1, "mobile": true, "touch": true });
        Self::open_with(json!({ "mobileEmulation": { "deviceMetrics": screen } })).await
    }

    async fn open_with(mut options: serde_json::Value) -> Self {
        let profile = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // With the browser that it starts, so that both can be ended together.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts");
        let mut flags: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1100,900",
        ]
        .map(str::to_owned)
        .into();
        flags.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
        options["args"] = json!(flags);
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        let address = format!("http://127.0.0.1:{port}");
        let client = tokio::time::timeout(PATIENCE, async {
            loop {
                let connected = ClientBuilder::new(HttpConnector::new())
                    .capabilities(capabilities.clone())
                    .connect(&address)
                    .await;
                match connected {
                    Ok(client) => return client,
                    // Not listening yet.
                    Err(error) if format!("{error:?}").contains("Connect") => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Err(error) => panic!("no browser: {error}"),
                }
            }
        });
        Self { client: client.await.expect("chromedriver answers"), driver, _profile: profile }
    }

    async fn go(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Waits until an element says this.
    async fn until(&self, css: &str, text: &str) {
        let said = async {
            loop {
                if let Ok(element) = self.client.find(Locator::Css(css)).await
                    && element.text().await.is_ok_and(|said| said.contains(text))
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, said).await.is_err() {
            panic!("`{css}` never said `{text}`: {}", self.client.source().await.unwrap());
        }
    }

    async fn click(&self, css: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    /// A picture of the page, where someone wants to look at them.
    async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("BRANCHLINE_SCREENSHOTS") {
            let picture = self.client.screenshot().await.unwrap();
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
        }
    }

    async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = self.driver.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group {
            // It may have ended by itself.
            let _ = nix::sys::signal::killpg(
                nix::unistd::Pid::from_raw(group),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
    }
}

/// Serves a site on a free port until it is dropped; answers its address.
async fn serve(site: &Site) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = site.router(port);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://127.0.0.1:{port}")
}

const SERVICE: &str = "description: Build and test the service\non: {push: {}}\njobs:\n  \
    lint: {process: true, steps: [echo hello]}\n  build: {process: true, needs: [lint], steps: [echo hello]}\n  \
    unit: {process: true, needs: [build], steps: [echo hello]}\n  story: {process: true, needs: [build], steps: [echo hello]}\n  \
    ship: {process: true, needs: [unit, story], steps: [echo hello]}\n";

#[tokio::test]
#[cfg_attr(not(browser), ignore = "needs Debian's chromium and chromium-driver")]
async fn a_person_logs_in_watches_a_run_and_cancels_its_build() {
    let site = Site::with(&[("service", SERVICE)]).await;
    site.push().await;
    let address = serve(&site).await;
    let browser = Browser::open(true).await;
    browser.go(&address).await;
    browser.until("h1", "Log in").await;
    browser.picture("login").await;
    browser.client.find(Locator::Css("input[name=token]")).await.unwrap().send_keys(TOKEN).await.unwrap();
    browser.click("form button").await;
    browser.until("h1", "Repositories").await;
    browser.picture("repositories").await;

    let lease = site.begin().await;
    browser.go(&format!("{address}{}", site.path("/builds/1/runs/1"))).await;
    browser.until("#log-state", "live").await;
    browser.client.execute("window.sameDocument = true;", Vec::new()).await.unwrap();
    site.append(&lease, b"\x1b[1;32mCompiling\x1b[0m hello v0.1.0\n").await;
    browser.until("#log", "Compiling hello").await;
    site.append(&lease, b"10%").await;
    browser.until("#log .open", "10%").await;
    site.append(&lease, b"\r100%\n<script>document.title = 'broken'</script>\n").await;
    browser.until("#log", "<script>document.title").await;
    browser.until("#log", "100%").await;
    browser.picture("run").await;
    site.finish(&lease, 0).await;
    browser.until("#facts .badge", "passed").await;
    browser.until("#log-state", "complete").await;
    let same = browser.client.execute("return window.sameDocument === true;", Vec::new()).await.unwrap();
    assert_eq!(same, json!(true), "the page was loaded anew");
    assert!(!browser.client.title().await.unwrap().contains("broken"));

    browser.go(&format!("{address}{}", site.path("/builds/1"))).await;
    browser.until("#graph", "build\nqueued").await;
    let lease = site.begin().await;
    browser.until("#graph", "build\nrunning").await;
    browser.picture("build").await;
    browser.click("#cancel").await;
    browser.until("#graph", "ship\ncancelled").await;
    site.finish(&lease, 0).await;
    browser.until("#facts .badge", "cancelled").await;
    browser.picture("cancelled").await;
    browser.go(&format!("{address}{}", site.path(""))).await;
    browser.until("table", "service").await;
    browser.picture("repository").await;
    browser.close().await;
}

#[tokio::test]
#[cfg_attr(not(browser), ignore = "needs Debian's chromium and chromium-driver")]
async fn without_a_script_everything_but_live_updates_works() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    let address = serve(&site).await;
    let browser = Browser::open(false).await;
    let lease = site.begin().await;
    site.append(&lease, b"first\n").await;
    let run = format!("{address}{}", site.path("/builds/1/runs/1"));
    browser.go(&format!("{run}?token={TOKEN}")).await;
    browser.until("#log", "first").await;
    assert_eq!(browser.client.current_url().await.unwrap().as_str(), run, "the token has left the address");
    assert!(browser.client.find(Locator::Css(".has-script")).await.is_err(), "scripts run");
    site.append(&lease, b"second\n").await;
    browser.client.refresh().await.unwrap();
    browser.until("#log", "second").await;
    browser.go(&format!("{address}{}", site.path(""))).await;
    browser
        .client
        .find(Locator::Css("input[name=pipeline]"))
        .await
        .unwrap()
        .send_keys("hello")
        .await
        .unwrap();
    browser.click("form button").await;
    browser.until("h1", "#2 hello").await;
    browser.until("#graph", "hello\nqueued").await;
    browser.click("#cancel").await;
    browser.until("#facts", "cancelled by tester").await;
    browser.close().await;
}

/// The words that stand on two lines, the elements that hang out at the right, and the height of the highest row.
const LAYOUT: &str = r#"
    const broken = [];
    const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        if (text.parentElement.closest(".log, pre, .hidden, svg, thead")) continue;
        for (const word of text.data.matchAll(/[\p{L}\p{N}]+/gu)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            if (range.getClientRects().length > 1) broken.push(word[0]);
        }
    }
    const rows = [...document.querySelectorAll("tbody tr")];
    const outside = rows.flatMap((row) => [...row.children])
        .filter((cell) => cell.getBoundingClientRect().right > innerWidth)
        .map((cell) => cell.textContent);
    if (document.documentElement.scrollWidth > innerWidth) outside.push("the page");
    return { width: innerWidth, broken, outside, highest: Math.max(0, ...rows.map((row) => row.offsetHeight)) };
"#;

/// Gives every commit in a list a longer subject than the site's commits have.
const LONG_SUBJECTS: &str = r#"
    for (const cell of document.querySelectorAll("td.subject")) {
        cell.append(". Teach the service to greet people by name, whatever alphabet it is in");
    }
"#;

#[tokio::test]
#[cfg_attr(not(browser), ignore = "needs Debian's chromium and chromium-driver")]
async fn on_a_phone_no_word_is_broken_and_no_row_hangs_out() {
    const WRONG: &str = "on: {push: {}}\njobs: {a: {steps: [x], neds: []}}\n";
    let site = Site::with(&[("service", SERVICE), ("wrong", WRONG)]).await;
    site.push().await;
    let lease = site.begin().await;
    site.append(&lease, b"first\n").await;
    site.finish(&lease, 3).await;
    let address = serve(&site).await;
    let browser = Browser::open_on_a_phone().await;
    browser.go(&format!("{address}/?token={TOKEN}")).await;
    for (name, path) in [
        ("repositories", "/".to_owned()),
        ("repository", site.path("")),
        ("build", site.path("/builds/1")),
        ("invalid", site.path("/builds/2")),
        ("run", site.path("/builds/1/runs/1")),
    ] {
        browser.go(&format!("{address}{path}")).await;
        browser.until("h1", "").await;
        browser.client.execute(LONG_SUBJECTS, Vec::new()).await.unwrap();
        browser.picture(&format!("phone-{name}")).await;
        let layout = browser.client.execute(LAYOUT, Vec::new()).await.unwrap();
        assert_eq!(layout["width"], PHONE, "{name}");
        assert_eq!(layout["broken"], json!([]), "{name}");
        assert_eq!(layout["outside"], json!([]), "{name}");
        assert!(layout["highest"].as_u64().is_some_and(|pixels| pixels <= 120), "{name}: {layout}");
    }
    browser.close().await;
}
