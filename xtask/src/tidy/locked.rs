//! What is locked and what is committed: no banned package, no package from nowhere, no foreign file.

use super::Finding;
use super::tree::Tree;

/// Packages that must not be locked at all, and why.
const BANNED: [(&str, &str); 12] = [
    ("rsa", "aws-lc-rs: `rsa` leaks through its timing and has no mended release"),
    ("openssl", "rustls with aws-lc-rs: one TLS library"),
    ("openssl-sys", "rustls with aws-lc-rs: one TLS library"),
    ("native-tls", "rustls with aws-lc-rs: one TLS library"),
    ("sqlx", "rusqlite and hand-written SQL behind the store's port"),
    ("sqlx-core", "rusqlite and hand-written SQL behind the store's port"),
    ("diesel", "rusqlite and hand-written SQL behind the store's port"),
    ("sea-orm", "rusqlite and hand-written SQL behind the store's port"),
    ("rust_decimal", "`ledger::Fen`: money is integer fen"),
    ("bigdecimal", "`ledger::Fen`: money is integer fen"),
    ("madsim", "the simulator's own world"),
    ("typst", "krilla: typst weighs too much for a server"),
];

/// Ends of names of fonts, programs, archives, databases and packed browser code.
const FOREIGN: [&str; 33] = [
    ".woff", ".woff2", ".ttf", ".otf", ".ttc", ".eot", ".exe", ".dll", ".so", ".dylib", ".a", ".o", ".rlib", ".wasm",
    ".jar", ".class", ".pyc", ".whl", ".zip", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".rar", ".tar", ".deb", ".rpm",
    ".db", ".sqlite", ".min.js", ".min.css", ".js.map",
];

/// Beginnings of names of browser libraries.
const LIBRARIES: [&str; 14] = [
    "jquery",
    "bootstrap",
    "vue",
    "react",
    "angular",
    "htmx",
    "alpine",
    "weui",
    "vant",
    "echarts",
    "chart.",
    "axe",
    "tailwind",
    "lodash",
];

/// No banned package, and none from a repository instead of the registry.
pub fn packages(tree: &Tree) -> Vec<Finding> {
    let Some(lock) = tree.file("Cargo.lock") else {
        return vec![Finding::new("Cargo.lock", 1, "Cargo.lock is missing", "commit it: builds are locked")];
    };
    let mut findings = Vec::new();
    for (line, text) in lock.lines() {
        if let Some(name) = text.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'))
            && let Some((_, instead)) = BANNED.iter().find(|(banned, _)| *banned == name)
        {
            findings.push(Finding::new(&lock.path, line, format!("`{name}` is locked"), instead));
        }
        if text.starts_with("source = \"git+") {
            findings.push(Finding::new(
                &lock.path,
                line,
                "a package from a git repository",
                "a release of the registry",
            ));
        }
    }
    findings
}

/// No fonts, programs, archives or browser libraries in the repository.
pub fn foreign_files(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let name = file.name().to_ascii_lowercase();
        let browser = file.is("js") || file.is("css");
        if FOREIGN.iter().any(|end| name.ends_with(end)) {
            let instead = "build it, make it in the test, or ask for the system's package";
            findings.push(Finding::new(&file.path, 1, "a font, program, archive or packed file", instead));
        } else if browser && LIBRARIES.iter().any(|library| name.starts_with(library)) {
            let instead = "write the few lines that are needed: pages work without a library";
            findings.push(Finding::new(&file.path, 1, "a browser library", instead));
        } else if file.path.split('/').any(|part| part == "node_modules") {
            findings.push(Finding::new(
                &file.path,
                1,
                "a package of npm",
                "install it below target/ where it is needed",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_packages_are_found_by_their_whole_name() {
        let lock = "[[package]]\nname = \"rsa\"\n\n[[package]]\nname = \"rsa-like\"\nsource = \"git+https://x\"\n";
        let found = packages(&Tree::of(&[("Cargo.lock", lock)]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(packages(&Tree::of(&[])).len(), 1, "no lock file");
    }

    #[test]
    fn foreign_files_are_found_by_name() {
        let table = [
            ("crates/web/assets/noto.woff2", true),
            ("crates/web/assets/app.min.js", true),
            ("crates/web/assets/htmx.js", true),
            ("node_modules/x/index.txt", true),
            ("crates/web/assets/app.js", false),
            ("crates/report/tests/data/people-2026.xlsx", false),
            ("crates/web/src/chart.rs", false),
        ];
        for (path, foreign) in table {
            assert_eq!(foreign_files(&Tree::of(&[(path, "")])).len(), usize::from(foreign), "{path}");
        }
    }
}
