use super::*;

fn whats(findings: &[Finding]) -> Vec<(usize, &str)> {
    findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect()
}

const RULES: &str = "\
[package]
name = \"rules\"

[lints]
workspace = true

[dependencies]
ledger.workspace = true
web = { path = \"../web\" }
# teller.workspace = true
tokio = \"1\"

[target.'cfg(unix)'.dependencies]
time = { package = \"chrono\", version = \"0.4\" }

[build-dependencies.flows]
path = \"../flows\"

[dev-dependencies]
onecard.workspace = true
";

#[test]
fn dependencies_are_read_from_every_kind_of_table() {
    let file = Tree::of(&[("crates/rules/Cargo.toml", RULES)]).files.remove(0);
    let found: Vec<(String, usize, bool)> =
        dependencies(&file).into_iter().map(|found| (found.name, found.line, found.dev)).collect();
    let wanted = [
        ("ledger", 8, false),
        ("web", 9, false),
        ("tokio", 11, false),
        ("chrono", 14, false),
        ("flows", 16, false),
        ("onecard", 20, true),
    ];
    assert_eq!(found, wanted.map(|(name, line, dev)| (name.to_owned(), line, dev)));
}

#[test]
fn forbidden_imports_are_told_and_dev_dependencies_are_free() {
    let tree = Tree::of(&[("crates/rules/Cargo.toml", RULES)]);
    assert_eq!(whats(&imports(&tree)), [(9, "`rules` may not know `web`"), (16, "`rules` may not know `flows`")]);
    assert_eq!(
        whats(&pure_dependencies(&tree)),
        [(11, "the pure crate `rules` takes `tokio`"), (14, "the pure crate `rules` takes `chrono`")]
    );
    assert_eq!(whats(&direct_dependencies(&tree)), [(14, "`chrono` as a direct dependency")]);
    let unknown = Tree::of(&[("crates/extra/Cargo.toml", "")]);
    assert_eq!(whats(&imports(&unknown)), [(1, "crate `extra` is not in the import table")]);
}

#[test]
fn a_crate_without_the_lints_of_the_workspace_is_found() {
    let table = [
        (RULES, 0),
        ("lints.workspace = true\n", 0),
        ("[package]\nname = \"x\"\n", 1),
        ("[lints]\n\n[other]\nworkspace = true\n", 1),
    ];
    for (text, count) in table {
        assert_eq!(lints(&Tree::of(&[("crates/rules/Cargo.toml", text)])).len(), count, "{text}");
    }
}

#[test]
fn a_pure_crate_with_a_short_deny_list_is_found() {
    let whole: String = DENIED.iter().map(|lint| format!("clippy::{lint},\n")).collect();
    let check = |text: &str| deny_lists(&Tree::of(&[("crates/card/src/lib.rs", text)])).len();
    assert_eq!(check(&format!("{whole}\npub mod x;\n")), 0);
    assert_eq!(check(&format!("{}\nmod x;\n", whole.replace("clippy::panic,", ""))), 1);
    assert_eq!(check("//! Nothing yet.\n"), 0);
}

#[test]
fn a_second_or_missing_clippy_toml_is_found() {
    assert!(one_clippy_toml(&Tree::of(&[("clippy.toml", "")])).is_empty());
    assert_eq!(one_clippy_toml(&Tree::of(&[("clippy.toml", ""), ("crates/web/.clippy.toml", "")])).len(), 1);
    assert_eq!(one_clippy_toml(&Tree::of(&[])).len(), 1);
}

#[test]
fn empty_names_are_found_in_folders_files_and_inline_modules() {
    let table = [
        ("crates/common/Cargo.toml", "", 1),
        ("crates/web/src/utils.rs", "", 1),
        ("crates/web/src/helpers/mod.rs", "", 1),
        ("crates/web/src/top_up.rs", "mod types {\n}\n", 1),
        ("crates/web/src/top_up.rs", "pub(crate) mod shared {\n}\n", 1),
        ("crates/web/src/top_up.rs", "mod tests {\n}\n", 0),
        ("crates/web/src/shared_link.rs", "", 0),
    ];
    for (path, text, count) in table {
        assert_eq!(names(&Tree::of(&[(path, text)])).len(), count, "{path}");
    }
}

#[test]
fn one_test_binary_a_crate() {
    let table = [
        ("crates/web/tests/it/main.rs", 0),
        ("crates/web/tests/it/pages.rs", 0),
        ("crates/web/tests/pages.rs", 1),
        ("crates/web/tests/more/main.rs", 1),
        ("crates/web/tests/data/people.csv", 0),
    ];
    for (path, count) in table {
        assert_eq!(test_binaries(&Tree::of(&[(path, "")])).len(), count, "{path}");
    }
}
