//! What `cargo xtask test` and the build service start must be there: a part that is gone is told, never skipped.

use super::Finding;
use super::tree::Tree;

/// Files that are started by their path.
const FILES: [(&str, &str); 2] = [
    (".ci/run", "a script that runs `cargo xtask test`"),
    ("tests/browser/story.py", "the journeys in a real browser, ending with a line `N passed, M failed`"),
];

/// Every part is there.
pub fn present(tree: &Tree) -> Vec<Finding> {
    let gone = FILES.iter().filter(|(path, _)| tree.file(path).is_none());
    let mut findings: Vec<Finding> = gone
        .map(|(path, instead)| Finding::new(path, 1, "the test run starts it and it is not there", instead))
        .collect();
    let manifest = tree.file("crates/sim/Cargo.toml");
    let named = manifest.is_some_and(|file| file.text.contains("name = \"onecard-sim\""));
    if !named && tree.file("crates/sim/src/bin/onecard-sim.rs").is_none() {
        let what = "the test run starts the binary `onecard-sim` and no crate has it";
        findings.push(Finding::new("crates/sim/Cargo.toml", 1, what, "a `[[bin]]` named onecard-sim in the crate sim"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_test_run_that_are_gone_are_told() {
        assert_eq!(present(&Tree::of(&[])).len(), 3);
        let whole = [(".ci/run", ""), ("tests/browser/story.py", ""), ("crates/sim/src/bin/onecard-sim.rs", "")];
        assert!(present(&Tree::of(&whole)).is_empty());
        let named = [whole[0], whole[1], ("crates/sim/Cargo.toml", "[[bin]]\nname = \"onecard-sim\"\n")];
        assert!(present(&Tree::of(&named)).is_empty());
        assert_eq!(present(&Tree::of(&[whole[0], ("crates/sim/Cargo.toml", "name = \"sim\"\n")])).len(), 2);
    }
}
