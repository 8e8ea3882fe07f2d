//! How the crates hang together: who may import whom, under which lints, by which names.

use super::Finding;
use super::tree::{File, Tree};

/// Which crates of ours each crate may import. Dev-dependencies are free.
const IMPORTS: [(&str, &[&str]); 18] = [
    ("ledger", &[]),
    ("card", &["ledger"]),
    ("link", &["ledger"]),
    ("rules", &["ledger"]),
    ("teller", &["ledger"]),
    ("flows", &["teller", "rules", "ledger", "link"]),
    ("store", &["flows", "teller", "rules", "ledger"]),
    ("pay", &["flows", "rules", "ledger"]),
    ("sandbox", &["ledger"]),
    ("keys", &["flows", "card", "ledger"]),
    ("report", &["rules", "ledger"]),
    ("device", &["rules", "ledger", "card", "link", "report"]),
    ("web", &["flows", "teller", "rules", "ledger", "link", "report"]),
    (
        "sim",
        &["ledger", "card", "link", "rules", "teller", "flows", "store", "pay", "sandbox", "keys", "report", "device"],
    ),
    (
        "onecard",
        &[
            "ledger", "card", "link", "rules", "teller", "flows", "store", "pay", "sandbox", "keys", "report",
            "device", "web",
        ],
    ),
    ("drill", &["ledger", "teller", "store"]),
    ("sweep", &["ledger", "card", "link", "rules", "teller", "flows", "store", "keys", "device"]),
    ("xtask", &[]),
];

/// What the pure crates may take from others, so that they build in seconds and do no input or output.
const PURE: [(&str, &[&str]); 5] = [
    ("ledger", &["blake3", "thiserror"]),
    ("card", &["aes", "cbc-mac", "cmac", "des", "sm4", "thiserror", "zeroize"]),
    ("link", &["ciborium", "serde", "thiserror"]),
    ("rules", &["jiff", "thiserror"]),
    // `fail` is optional there, and banned from the product's tree.
    ("teller", &["fail", "thiserror"]),
];

/// Lints that every pure crate denies outside tests.
const DENIED: [&str; 6] =
    ["unwrap_used", "expect_used", "panic", "indexing_slicing", "arithmetic_side_effects", "as_conversions"];

/// Crates that may come in through others, never directly.
const NOT_DIRECTLY: [(&str, &str); 7] = [
    ("chrono", "jiff: one library for time"),
    ("lazy_static", "`std::sync::LazyLock`"),
    ("once_cell", "`std::sync::OnceLock`"),
    ("rust_decimal", "`ledger::Fen`: money is integer fen"),
    ("bigdecimal", "`ledger::Fen`: money is integer fen"),
    ("chinese_holiday", "the calendar table: this crate panics outside its years"),
    ("madsim", "the simulator's own world"),
];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 9] = ["common", "util", "utils", "helper", "helpers", "types", "models", "shared", "manager"];

/// A dependency of a manifest.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    line: usize,
    dev: bool,
}

fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &File)> {
    tree.files
        .iter()
        .filter(|file| {
            file.name() == "Cargo.toml"
                && file.path.split('/').count() == if file.path.starts_with("xtask") { 2 } else { 3 }
        })
        .filter_map(|file| Some((file.crate_name()?, file)))
}

/// Reads the dependency tables of a manifest, the ones of one platform or one dependency included.
fn dependencies(manifest: &File) -> Vec<Dependency> {
    let (mut found, mut table): (Vec<Dependency>, Option<bool>) = (Vec::new(), None);
    for (line, text) in manifest.lines() {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_end_matches(']').trim_matches('[');
            let parts: Vec<&str> = header.rsplitn(2, "dependencies").collect();
            table = None;
            if let [rest, before] = parts.as_slice() {
                let dev = before.ends_with("dev-");
                match rest.strip_prefix('.') {
                    Some(name) => found.push(Dependency { name: name.trim_matches('"').to_owned(), line, dev }),
                    None if rest.is_empty() && !before.starts_with("workspace") => table = Some(dev),
                    None => {}
                }
            }
        } else if let (Some(dev), Some((key, value))) = (table, text.split_once('=')) {
            if text.starts_with('#') {
                continue;
            }
            let renamed = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
            let name = renamed.unwrap_or(key.split('.').next().unwrap_or(key).trim());
            found.push(Dependency { name: name.trim_matches('"').to_owned(), line, dev });
        }
    }
    found
}

/// Crates import only what the table allows.
pub fn imports(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, manifest) in manifests(tree) {
        let Some((_, allowed)) = IMPORTS.iter().find(|(known, _)| *known == name) else {
            let instead = "give it a row in the import table of xtask/src/tidy/crates.rs, or a place in another crate";
            findings.push(Finding::new(
                &manifest.path,
                1,
                format!("crate `{name}` is not in the import table"),
                instead,
            ));
            continue;
        };
        for dependency in dependencies(manifest).into_iter().filter(|dependency| !dependency.dev) {
            let ours = IMPORTS.iter().any(|(known, _)| *known == dependency.name);
            if ours && !allowed.contains(&dependency.name.as_str()) {
                let what = format!("`{name}` may not know `{}`", dependency.name);
                let instead = "turn the dependency around: a port in the inner crate, its adapter in the outer one";
                findings.push(Finding::new(&manifest.path, dependency.line, what, instead));
            }
        }
    }
    findings
}

/// Pure crates take nothing but what the table allows.
pub fn pure_dependencies(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, manifest) in manifests(tree) {
        let Some((_, allowed)) = PURE.iter().find(|(known, _)| *known == name) else { continue };
        for dependency in dependencies(manifest).into_iter().filter(|dependency| !dependency.dev) {
            let ours = IMPORTS.iter().any(|(known, _)| *known == dependency.name);
            if !ours && !allowed.contains(&dependency.name.as_str()) {
                let what = format!("the pure crate `{name}` takes `{}`", dependency.name);
                findings.push(Finding::new(
                    &manifest.path,
                    dependency.line,
                    what,
                    "do that part at the edge, behind a port",
                ));
            }
        }
    }
    findings
}

/// No crate that the project does without.
pub fn direct_dependencies(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, manifest) in manifests(tree) {
        for dependency in dependencies(manifest).into_iter().filter(|dependency| !dependency.dev) {
            if let Some((_, instead)) = NOT_DIRECTLY.iter().find(|(banned, _)| *banned == dependency.name) {
                let what = format!("`{}` as a direct dependency", dependency.name);
                findings.push(Finding::new(&manifest.path, dependency.line, what, instead));
            }
            if dependency.name == "anyhow" && name != "onecard" {
                let instead = "an error enum of its own with thiserror";
                findings.push(Finding::new(&manifest.path, dependency.line, "`anyhow` below the binary", instead));
            }
        }
    }
    findings
}

/// Every crate takes the lints of the workspace; one that forgets has none.
pub fn lints(tree: &Tree) -> Vec<Finding> {
    let taken = |manifest: &File| {
        let mut lines = manifest.text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
        let inherited = |line: &str| line.replace(' ', "") == "workspace=true";
        lines.by_ref().take_while(|line| !line.starts_with('[')).any(inherited)
            || manifest.text.lines().any(|line| line.replace(' ', "") == "lints.workspace=true")
    };
    manifests(tree)
        .filter(|(_, manifest)| !taken(manifest))
        .map(|(_, manifest)| {
            Finding::new(
                &manifest.path,
                1,
                "the lints of the workspace are not taken",
                "add `[lints]` with `workspace = true`",
            )
        })
        .collect()
}

/// Pure crates deny what can panic or overflow.
pub fn deny_lists(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, _) in PURE {
        let path = format!("crates/{name}/src/lib.rs");
        let Some(file) = tree.file(&path) else { continue };
        let Some((before, _)) = file.text.split_once("\nmod ").or(file.text.split_once("\npub mod ")) else { continue };
        for lint in DENIED {
            if !before.contains(&format!("clippy::{lint}")) {
                let instead = "copy the deny attribute from the head of crates/ledger/src/lib.rs";
                findings.push(Finding::new(
                    &path,
                    1,
                    format!("the pure crate does not deny `clippy::{lint}`"),
                    instead,
                ));
            }
        }
    }
    findings
}

/// Clippy reads the nearest `clippy.toml`, so a second one replaces the first without a word.
pub fn one_clippy_toml(tree: &Tree) -> Vec<Finding> {
    let files: Vec<&File> =
        tree.files.iter().filter(|file| matches!(file.name(), "clippy.toml" | ".clippy.toml")).collect();
    let mut findings: Vec<Finding> = files
        .iter()
        .filter(|file| file.path != "clippy.toml")
        .map(|file| Finding::new(&file.path, 1, "a second clippy.toml", "put its lines into the one at the root"))
        .collect();
    if files.iter().all(|file| file.path != "clippy.toml") {
        findings.push(Finding::new("clippy.toml", 1, "the clippy.toml at the root is missing", "bring it back"));
    }
    findings
}

/// No crate or module with a name that says nothing.
pub fn names(tree: &Tree) -> Vec<Finding> {
    let instead = "name it after its subject";
    let mut findings = Vec::new();
    for (name, manifest) in manifests(tree) {
        if EMPTY_NAMES.contains(&name) {
            findings.push(Finding::new(&manifest.path, 1, format!("a crate called `{name}`"), instead));
        }
    }
    for file in tree.with_extension("rs") {
        let module =
            file.path.trim_end_matches("/mod.rs").trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
        if EMPTY_NAMES.contains(&module) {
            findings.push(Finding::new(&file.path, 1, format!("a module called `{module}`"), instead));
        }
        for (line, text) in file.lines() {
            let inline = text.trim().strip_suffix('{').and_then(|text| text.trim().rsplit_once("mod "));
            if let Some((_, module)) = inline.filter(|(_, module)| EMPTY_NAMES.contains(&module.trim())) {
                findings.push(Finding::new(&file.path, line, format!("a module called `{}`", module.trim()), instead));
            }
        }
    }
    findings
}

/// Each file right below `tests/` links one more binary.
pub fn test_binaries(tree: &Tree) -> Vec<Finding> {
    let direct = |file: &&File| {
        let parts: Vec<&str> = file.path.split('/').collect();
        matches!(parts.as_slice(), ["crates", _, "tests", name] if name.ends_with(".rs"))
            || matches!(parts.as_slice(), ["crates", _, "tests", folder, "main.rs"] if *folder != "it")
    };
    let findings = tree.files.iter().filter(direct);
    findings
        .map(|file| {
            Finding::new(&file.path, 1, "a second test binary of the crate", "make it a module of tests/it/main.rs")
        })
        .collect()
}

#[cfg(test)]
mod tests;
