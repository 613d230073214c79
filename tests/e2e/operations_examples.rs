//! What the examples of operations name is there: metrics, settings, commands.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::{Home, PATIENCE, Server, repository};

fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![repository().join("examples/operations")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else {
                found.push((entry.path().display().to_string(), fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    assert!(found.len() > 8, "{found:?}");
    found
}

/// The words of a text that begin like this.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !part(c)).filter(|word| word.starts_with(prefix) && word.len() > prefix.len());
    words.map(ToOwned::to_owned).collect()
}

/// A metric's name without what its form adds.
fn plain(name: &str) -> &str {
    ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// The metrics that the sources count.
fn counted() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![repository().join("host")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let names =
                    text.split("metrics::").skip(1).filter_map(|rest| rest.split('"').nth(1).map(ToOwned::to_owned));
                found.extend(names.filter(|name| name.starts_with("cavra_")));
            }
        }
    }
    found
}

#[test]
fn metrics_that_are_named_are_counted() {
    let home = Home::new();
    let server: Server = home.serve(&[]);
    server.decide(&json!({"action_type": "read_file", "target": "a"}));
    let shown = server.get("/metrics").text().to_owned();
    let (counted, shown) = (counted(), words(&shown, "cavra_"));
    let shown: BTreeSet<&str> = shown.iter().map(|name| plain(name)).collect();
    let mut named = BTreeSet::new();
    for (file, text) in files().iter().filter(|(file, _)| file.contains("monitoring")) {
        for name in words(text, "cavra_") {
            assert!(counted.contains(plain(&name)), "{file} names {name}, which nothing counts");
            named.insert(plain(&name).to_owned());
        }
    }
    assert!(named.len() >= 10, "{named:?}");
    // What has labels is there from its first event on; all else always, or an alert would never see it begin.
    let labelled = ["cavra_plugin_errors_total", "cavra_store_derived_damaged_total"];
    for name in named.iter().filter(|name| !labelled.contains(&name.as_str())) {
        assert!(shown.contains(name.as_str()), "{name} is not shown by a server that has just begun");
    }
    // What begins at its first event does not increase by it: rules ask whether it was there before, too.
    let rules = fs::read_to_string(repository().join("examples/operations/monitoring/alerts.yaml")).unwrap();
    for name in labelled {
        let windows: Vec<&str> =
            rules.split(&format!("increase({name}[")).skip(1).map(|rest| rest.split(']').next().unwrap()).collect();
        assert!(!windows.is_empty(), "{name}");
        for window in windows {
            let first = format!("({name} unless {name} offset {window})");
            assert!(rules.contains(&first), "a rule misses the first event of {name}: {first}");
        }
    }
}

#[test]
fn settings_and_commands_that_are_named_are_there() {
    let home = Home::new();
    let known = home.cavra(&["config", "show", "--json"]).run().ok().stdout;
    for (file, text) in files() {
        for name in words(&text, "CAVRA_") {
            assert!(known.contains(&format!("\"{name}\"")), "{file} names {name}");
        }
    }
    let page = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    for name in words(&page, "CAVRA_") {
        assert!(known.contains(&format!("\"{name}\"")), "docs/operations.md names {name}");
    }
    let counted = counted();
    for name in words(&page, "cavra_").iter().filter(|name| !name.ends_with('_')) {
        assert!(counted.contains(plain(name)), "docs/operations.md names {name}");
    }
    let unit = fs::read_to_string(repository().join("examples/operations/systemd/cavra-backup.service")).unwrap();
    for command in unit.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/cavra ")) {
        let words: Vec<&str> = command.split(' ').take(2).chain(["--help"]).collect();
        home.cavra(&words).run().ok();
    }
    let dashboard = repository().join("examples/operations/monitoring/dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&fs::read_to_string(dashboard).unwrap()).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 5);
}

/// The service manager is told when the server answers, and when it ends.
#[test]
fn the_service_manager_is_told() {
    let home = Home::new();
    let socket = home.join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut bytes = [0; 200];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let server = home.serve(&[("NOTIFY_SOCKET", Path::new(&socket).to_str().unwrap())]);
    assert_eq!(told(), "READY=1");
    server.get("/health").ok();
    server.terminate();
    assert_eq!(told(), "STOPPING=1");
    // A manager that is gone keeps no server from serving.
    drop(manager);
    let server = home.serve(&[("NOTIFY_SOCKET", &home.at("nowhere"))]);
    std::thread::sleep(Duration::from_millis(1));
    server.get("/health").ok();
}

/// systemd takes the units as they are, where it is there to be asked.
#[test]
fn systemd_takes_the_units() {
    let asked = |arguments: &[&str]| std::process::Command::new("systemd-analyze").args(arguments).output();
    if asked(&["--version"]).is_err() {
        return;
    }
    let home = Home::new();
    let mut units = Vec::new();
    for entry in fs::read_dir(repository().join("examples/operations/systemd")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if [".service", ".socket", ".timer"].iter().any(|ending| name.ends_with(ending)) {
            // The program is where it is built, not where the example installs it.
            let text = fs::read_to_string(entry.path()).unwrap();
            home.write(&name, text.replace("/usr/local/bin/cavra", env!("CARGO_BIN_EXE_cavra")));
            units.push(home.at(&name));
        }
    }
    assert_eq!(units.len(), 4);
    for unit in &units {
        let checked = asked(&["verify", "--man=no", unit]).unwrap();
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success() && said.trim().is_empty(), "{unit}: {said}");
    }
}
