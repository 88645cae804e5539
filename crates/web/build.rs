//! Says to the tests whether there is a browser to drive, so that its tests are ignored, visibly, where there is none.

use std::path::Path;

fn main() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |name: &str| std::env::split_paths(&path).any(|folder| Path::new(&folder).join(name).is_file());
    // To build scripts, cargo listens on standard output (The Cargo Book, "Build Scripts").
    let mut said = String::from("cargo::rustc-check-cfg=cfg(browser)\ncargo::rerun-if-env-changed=PATH\n");
    if is_there("chromedriver") && is_there("chromium") {
        said.push_str("cargo::rustc-cfg=browser\n");
    }
    for name in ["/usr/bin/chromedriver", "/usr/bin/chromium"] {
        said.push_str(&format!("cargo::rerun-if-changed={name}\n"));
    }
    let _ = std::io::Write::write_all(&mut std::io::stdout(), said.as_bytes());
}
