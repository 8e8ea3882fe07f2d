//! The steps, in their order: what is cheap and says most comes first.

use super::counts::Counting;

/// One step.
pub struct Step {
    /// Its name in the table and in the name of its log.
    pub name: &'static str,
    /// What it shows when it passes.
    pub shows: &'static str,
    /// Whether `--quick` runs it too.
    pub quick: bool,
    /// What is done.
    pub work: Work,
}

/// What a step does.
pub enum Work {
    /// The checks of `cargo xtask tidy`.
    Tidy,
    /// Bring in what later steps need.
    Install,
    /// Look for packages that must not be in what is built.
    Trees,
    /// Cut the power so many times, where the machine permits.
    PowerCuts(u32),
    /// Hold cards to readers of PC/SC, where the machine permits.
    CardReaders,
    /// Run a program; `{python}`, `{axe}`, `{sdk-python}`, `{sdk-modules}` and `{binary}` stand for places.
    Command {
        /// The program and its arguments.
        line: &'static [&'static str],
        /// How its output is counted.
        counting: Counting,
    },
}

/// All steps of `cargo xtask test`.
pub const STEPS: &[Step] = &[
    Step { name: "tidy", shows: "taste that a program can check", quick: true, work: Work::Tidy },
    Step {
        name: "cargo fmt",
        shows: "one layout of the code",
        quick: true,
        work: Work::Command { line: &["cargo", "fmt", "--all", "--check"], counting: Counting::Once },
    },
    Step { name: "install", shows: "the tools of the later steps are here", quick: false, work: Work::Install },
    Step { name: "dependency trees", shows: "no banned package is built", quick: false, work: Work::Trees },
    Step {
        name: "cargo clippy",
        shows: "no lint of the workspace fires",
        quick: true,
        work: Work::Command {
            line: &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
            counting: Counting::Once,
        },
    },
    Step {
        name: "cargo test",
        shows: "rules, vectors, contract of the stores, flows, pages, command line",
        quick: true,
        work: Work::Command {
            line: &["cargo", "test", "--workspace", "--locked", "--no-fail-fast"],
            counting: Counting::CargoTest,
        },
    },
    Step {
        name: "release build",
        shows: "the binary that people run",
        quick: false,
        work: Work::Command {
            line: &["cargo", "build", "--release", "--locked", "-p", "onecard"],
            counting: Counting::Once,
        },
    },
    Step {
        name: "simulator seeds",
        shows: "no money is lost or doubled under faults",
        quick: false,
        work: Work::Command {
            line: &[
                "cargo",
                "run",
                "--profile",
                "sim",
                "--locked",
                "-p",
                "sim",
                "--bin",
                "onecard-sim",
                "--",
                "--seeds",
                "1..200",
                "--days",
                "1",
            ],
            counting: Counting::SummaryOrOnce,
        },
    },
    Step {
        name: "simulator plants",
        shows: "the simulator finds every planted bug",
        quick: false,
        work: Work::Command {
            line: &[
                "cargo",
                "run",
                "--profile",
                "sim",
                "--locked",
                "-p",
                "sim",
                "--bin",
                "onecard-sim",
                "--",
                "--plants",
            ],
            counting: Counting::SummaryOrOnce,
        },
    },
    Step {
        name: "kills",
        shows: "a killed server keeps what it acknowledged, wherever it is killed",
        quick: false,
        work: Work::Command {
            line: &[
                "cargo",
                "run",
                "--release",
                "--locked",
                "-p",
                "drill",
                "--features",
                "failpoints",
                "--bin",
                "onecard-drill",
                "--",
                "kill",
                "--rounds",
                "22",
            ],
            counting: Counting::Summary,
        },
    },
    Step {
        name: "power cuts",
        shows: "a server keeps what it acknowledged when the power goes, the disk fails or fills up",
        quick: false,
        work: Work::PowerCuts(5),
    },
    Step {
        name: "merchant SDKs",
        shows: "merchant SDKs written by others take the sandbox for the provider",
        quick: false,
        work: Work::Command {
            line: &["{sdk-python}", "tests/sdk/run.py", "--binary", "{binary}", "--modules", "{sdk-modules}"],
            counting: Counting::Summary,
        },
    },
    Step {
        name: "card readers",
        shows: "real readers of PC/SC, a stranger's client, and a card pulled away at every bad moment",
        quick: false,
        work: Work::CardReaders,
    },
    Step {
        name: "webhooks",
        shows: "a receiver written from the documentation is told of everything once, whoever is killed or dark",
        quick: false,
        work: Work::Command {
            line: &["{python}", "tests/webhooks/run.py", "--binary", "{binary}"],
            counting: Counting::Summary,
        },
    },
    Step {
        name: "browser",
        shows: "people reach what they came for, in a real browser",
        quick: false,
        work: Work::Command {
            line: &["{python}", "tests/browser/story.py", "--binary", "{binary}", "--axe", "{axe}"],
            counting: Counting::Summary,
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_name_and_cargo_never_changes_the_lock_file() {
        let mut names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
        for step in STEPS {
            if let Work::Command { line: ["cargo", command, rest @ ..], .. } = step.work {
                assert!(*command == "fmt" || rest.contains(&"--locked"), "{}", step.name);
            }
        }
    }
}
