//! What is really built: banned packages must not be in it. The lock file alone cannot tell, because it also holds what
//! only unused features would take.

use super::Places;
use super::run::answer;

/// A build and the packages that must not be in it.
struct Ban {
    what: &'static str,
    selection: &'static [&'static str],
    banned: &'static [&'static str],
    why: &'static str,
}

const BANS: [Ban; 4] = [
    Ban {
        what: "the workspace",
        selection: &["--workspace", "--edges", "normal,build,dev"],
        banned: &[
            "ring",
            "rsa",
            "openssl",
            "openssl-sys",
            "native-tls",
            "sqlx",
            "sqlx-core",
            "diesel",
            "sea-orm",
            "madsim",
        ],
        why: "one TLS library, one crypto library, hand-written SQL",
    },
    Ban {
        what: "the simulator",
        selection: &["--package", "sim", "--edges", "normal"],
        banned: &["tokio", "reqwest", "hyper", "axum", "rusqlite", "libsqlite3-sys", "web", "onecard"],
        why: "the simulator polls the flows itself and knows no real time, socket or database",
    },
    Ban {
        what: "the product",
        selection: &["--package", "onecard", "--edges", "normal,build"],
        banned: &["sim", "sweep", "drill", "fail", "xtask", "proptest"],
        why: "no planted bug, no fail point and no tool of the tests may reach the product",
    },
    Ban {
        what: "the program of `cargo demo`",
        selection: &["--package", "onecard", "--edges", "normal,build"],
        banned: &["pcsc", "pcsc-sys"],
        why: "it builds with Rust and a C compiler alone; card readers are the feature `pcsc`",
    },
];

/// How many builds are clean, or which package is where it must not be.
pub fn check(places: &Places) -> Result<usize, String> {
    for ban in &BANS {
        let mut arguments = vec!["tree", "--locked", "--prefix", "none", "--format", "{p}"];
        arguments.extend(ban.selection);
        let Some(tree) = answer("cargo", &arguments, &places.root) else {
            return Err(format!("`cargo {}` gives nothing; run it to see why", arguments.join(" ")));
        };
        let found = found(&tree, ban.banned);
        if !found.is_empty() {
            let first = found.first().copied().unwrap_or_default();
            return Err(format!(
                "{} builds {} ({}); see who takes it with `cargo tree {} -i {first}`",
                ban.what,
                found.join(", "),
                ban.why,
                ban.selection.join(" ")
            ));
        }
    }
    Ok(BANS.len())
}

/// The banned ones among the packages of a tree, a package a line.
fn found<'a>(tree: &str, banned: &[&'a str]) -> Vec<&'a str> {
    banned.iter().copied().filter(|name| tree.lines().any(|line| line.split(' ').next() == Some(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_by_their_whole_name() {
        let tree = "onecard v0.1.0 (/x)\nring v0.17.14\nspring v1.0.0\nring-like v1.0.0\n";
        assert_eq!(found(tree, &["ring", "rsa"]), ["ring"]);
        assert!(found("spring v1.0.0\n", &["ring"]).is_empty());
    }
}
