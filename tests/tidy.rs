//! The rules of the code that a compiler can't hold: who may use what, and how long things may be.

use std::fs;
use std::path::{Path, PathBuf};

/// Module → the crate's own modules that it may name.
const ARROWS: [(&str, &[&str]); 8] = [
    ("text", &["text"]),
    ("model", &["model"]),
    ("wire", &["wire", "model", "text"]),
    ("conf", &["conf", "model", "text"]),
    ("acl", &["acl", "wire", "model", "text"]),
    ("session", &["session", "acl", "wire", "model", "text"]),
    ("engine", &["engine", "wire", "conf", "model", "text"]),
    ("daemon", &["daemon", "engine", "session", "acl", "conf", "wire", "model", "text", "cli"]),
];

/// Dependency → the files and folders that may name it.
const DOORS: [(&str, &[&str]); 10] = [
    ("tokio::", &["src/daemon/"]),
    ("redis_protocol::", &["src/wire/frame.rs"]),
    ("clap::", &["src/cli.rs"]),
    ("rand::", &["src/engine/cx.rs", "src/daemon/"]),
    ("tracing_subscriber::", &["src/daemon/logging"]),
    ("rustls::", &["src/daemon/tls"]),
    ("webpki::", &["src/daemon/tls"]),
    ("x509_cert::", &["src/daemon/tls"]),
    ("pkcs8::", &["src/daemon/tls"]),
    ("nix::", &["src/daemon/"]),
];

/// What only the shell may touch: files, processes, sockets, clocks, the environment.
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::process",
    "std::env",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::unix::net",
    "Instant::now",
    "SystemTime",
    "std::time::Instant",
];

const MAX_FILE_LINES: usize = 450;
const MAX_FUNCTION_LINES: usize = 75;

fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path: PathBuf = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).expect("readable text")));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found.sort();
    found
}

/// The code of a file without its unit tests and comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let code = lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    code.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn imports_follow_the_arrows() {
    let mut problems = Vec::new();
    for (module, allowed) in ARROWS {
        let prefix = format!("src/{module}/");
        for (name, text) in
            sources("src").iter().filter(|(name, _)| name.starts_with(&prefix) && !is_test(name))
        {
            for (line, code) in code(text) {
                for used in code.split("crate::").skip(1) {
                    let used: String =
                        used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let is_module = ARROWS.iter().any(|(known, _)| *known == used);
                    if is_module && !allowed.contains(&used.as_str()) {
                        problems.push(format!("{name}:{line}: {module} must not use {used}"));
                    }
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn each_dependency_has_one_door() {
    let mut problems = Vec::new();
    for (name, text) in sources("src").iter().filter(|(name, _)| !is_test(name)) {
        for (line, code) in code(text) {
            for (dependency, doors) in DOORS {
                let named = code.match_indices(dependency).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                });
                if named && !doors.iter().any(|door| name.starts_with(door)) {
                    problems.push(format!("{name}:{line}: {dependency} is named outside {doors:?}"));
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn only_the_daemon_touches_the_outside_world() {
    let pure = |name: &str| !name.starts_with("src/daemon/") && name != "src/main.rs" && !is_test(name);
    let mut problems = Vec::new();
    for (name, text) in sources("src").iter().filter(|(name, _)| pure(name)) {
        for (line, code) in code(text) {
            for impure in IMPURE.iter().filter(|impure| code.contains(**impure)) {
                problems.push(format!("{name}:{line}: {impure}"));
            }
        }
    }
    report(&problems);
}

#[test]
fn files_and_functions_stay_readable() {
    let mut problems = Vec::new();
    for (name, text) in sources("src").into_iter().chain(sources("tests")) {
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            problems.push(format!("{name}: {lines} lines, at most {MAX_FILE_LINES}"));
        }
        let mut start: Option<(usize, String)> = None;
        for (index, line) in text.lines().enumerate() {
            let body = line.trim_start();
            let indent = line.len() - body.len();
            let begins = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "async fn ", "pub async fn "];
            if start.is_none()
                && begins.iter().any(|prefix| body.starts_with(prefix))
                && !line.trim_end().ends_with('}')
            {
                start = Some((index, " ".repeat(indent) + "}"));
            }
            if let Some((first, end)) = start.clone()
                && line == end
            {
                if index - first > MAX_FUNCTION_LINES {
                    problems.push(format!("{name}:{}: a function of {} lines", first + 1, index - first));
                }
                start = None;
            }
        }
    }
    report(&problems);
}

#[test]
fn nothing_is_left_open() {
    let marks = ["todo!(", "unimplemented!(", "TODO", "FIXME", "#[ignore"];
    let mut problems = Vec::new();
    for (name, text) in
        sources("src").into_iter().chain(sources("tests")).filter(|(name, _)| name != "tests/tidy.rs")
    {
        for (index, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                problems.push(format!("{name}:{}: {mark}", index + 1));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_departure_is_listed_for_operators() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = fs::read_to_string(root.join("docs/COMPATIBILITY.md")).expect("the list of departures");
    let departs = |text: &str| text.lines().any(|line| line.contains("Differs:"));
    let missing: Vec<String> = sources("src")
        .into_iter()
        .filter(|(name, text)| departs(text) && !listed.contains(name.trim_start_matches("src/")))
        .map(|(name, _)| format!("{name} departs from the reference, docs/COMPATIBILITY.md does not say so"))
        .collect();
    report(&missing);
}

/// Which test holds up which rule: the rows of the table by section, and what each names.
#[test]
fn every_test_that_the_documents_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/COMPATIBILITY.md")).expect("the table by section");
    let rows = text.lines().filter(|line| line.starts_with("| §"));
    let mut problems = Vec::new();
    for row in rows {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [section, _, shown, why_not] = columns[..] else {
            problems.push(format!("four columns are wanted: {row}"));
            continue;
        };
        let named: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        problems.extend(
            named
                .iter()
                .filter(|name| !names_a_test(root, name))
                .map(|name| format!("{section}: no test {name}")),
        );
        if named.is_empty() && why_not.trim().is_empty() {
            problems.push(format!("{section}: neither a test nor a reason"));
        }
    }
    report(&problems);
}

/// `failover.rs`, `engine/votes.rs::a_vote`, `src/wire/scan.rs::name` or `acl.play`.
fn names_a_test(root: &Path, name: &str) -> bool {
    if name.ends_with(".play") {
        return root.join("tests/parity/cases").join(name).is_file();
    }
    let (file, function) = name.split_once("::").unwrap_or((name, ""));
    let path = if file.starts_with("src/") { root.join(file) } else { root.join("tests").join(file) };
    let text = fs::read_to_string(path).unwrap_or_default();
    !text.is_empty() && (function.is_empty() || text.contains(&format!("fn {function}(")))
}
