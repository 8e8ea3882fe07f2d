//! `cargo xtask power-cut`: runs the disk drills where nothing of them can be left behind.
//!
//! The drill makes and mounts its file system in a mount namespace of its own (`unshare --mount`). When its last process
//! ends, however it ends, the kernel unmounts what is in it and frees the loop device; a shell around it removes the files.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::test::run::answer;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How many power cuts.
    pub rounds: u32,
    /// On which file system: `xfs` or `ext4`.
    pub fs: &'static str,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish { rounds: 20, fs: "xfs" }
    }
}

impl Wish {
    /// Reads options; `None` for wrong ones.
    pub fn read(words: &[&str]) -> Option<Wish> {
        let mut wish = Wish::default();
        for pair in words.chunks(2) {
            match pair {
                ["--rounds", rounds] => wish.rounds = rounds.parse().ok().filter(|rounds| *rounds > 0)?,
                ["--fs", "xfs"] => wish.fs = "xfs",
                ["--fs", "ext4"] => wish.fs = "ext4",
                _ => return None,
            }
        }
        Some(wish)
    }
}

/// A program of the system and Debian's package that has it.
const TOOLS: [(&str, &str); 6] = [
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("xfs_io", "xfsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.ext4", "e2fsprogs"),
];

/// Where programs of the system administrator are, also for who came here by `sudo`.
const PATH: &str = "PATH=\"$PATH:/usr/sbin:/sbin\"; export PATH; ";

/// Makes a small file system and mounts it, as the drill does. Words: folder, kind.
const PROBE: &str = "set -e; mkdir -p \"$1/disk\"; trap 'rm -rf -- \"$1\"' EXIT; truncate -s 320M \"$1/probe.img\"; \
    case $2 in xfs) mkfs.xfs -q -f \"$1/probe.img\";; *) mkfs.ext4 -q -F \"$1/probe.img\";; esac; \
    unshare --mount sh -c 'mount -o loop \"$1/probe.img\" \"$1/disk\" && umount \"$1/disk\"' sh \"$1\"";

/// Runs a drill in a mount namespace of its own and removes its folder when all went well; a failed one is kept for whoever
/// wants to look, an interrupted one is not. Words: folder, program, its arguments.
const ALONE: &str = "folder=$1; shift; trap 'rm -rf -- \"$folder\"; exit 130' INT TERM HUP; \
    unshare --mount -- \"$@\"; done=$?; exit $done";

/// Why this machine cannot run the drill, and what to install where that is what it lacks.
pub fn missing(root: &Path, target: &Path, wish: Wish) -> Option<String> {
    let shell = |script: &str| answer("sh", &["-c", &format!("{PATH}{script}")], root);
    if shell("id -u").is_none_or(|id| id.trim() != "0") {
        return Some("mounting a file system needs root".to_owned());
    }
    if shell("test -e /dev/loop-control").is_none() {
        return Some("this machine has no loop devices (/dev/loop-control)".to_owned());
    }
    let wanted = |tool: &str| !tool.starts_with("mkfs.") || tool.ends_with(wish.fs);
    let lacking: Vec<&(&str, &str)> =
        TOOLS.iter().filter(|(tool, _)| wanted(tool) && shell(&format!("command -v {tool}")).is_none()).collect();
    if !lacking.is_empty() {
        let mut packages: Vec<&str> = lacking.iter().map(|(_, package)| *package).collect();
        packages.dedup();
        let tools: Vec<&str> = lacking.iter().map(|(tool, _)| *tool).collect();
        return Some(format!("missing: {}; on Debian: apt-get install {}", tools.join(", "), packages.join(" ")));
    }
    let folder = folder(target, "probe").display().to_string();
    let probe = answer("sh", &["-c", &format!("{PATH}{PROBE}"), "sh", &folder, wish.fs], root);
    probe.is_none().then(|| format!("{} in a file cannot be mounted here (mount -o loop)", wish.fs))
}

/// Builds the drill, with fail points, since the controls need a store that can be weakened.
pub fn build(root: &Path) -> Result<(), String> {
    let words = ["build", "--release", "--locked", "-p", "drill", "--features", "failpoints"];
    let built = Command::new("cargo").args(words).current_dir(root).status();
    match built {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("`cargo {}` did not end well", words.join(" "))),
    }
}

/// The command line that runs the drill.
pub fn line(target: &Path, wish: Wish) -> Vec<String> {
    let folder = folder(target, "power-cut").display().to_string();
    let program = target.join("release/onecard-drill").display().to_string();
    let shell = ["sh", "-c", &format!("{PATH}{ALONE}"), "sh", &folder, &program].map(str::to_owned);
    let rounds = wish.rounds.to_string();
    let drill = ["disks", "--fs", wish.fs, "--rounds", &rounds, "--folder", &folder].map(str::to_owned);
    [shell.as_slice(), drill.as_slice()].concat()
}

fn folder(target: &Path, what: &str) -> PathBuf {
    target.join(format!("drill-{what}"))
}

/// Checks, builds, runs.
pub fn main(root: &Path, wish: Wish) -> ExitCode {
    let target = crate::test::target(root);
    let told = |error: String| {
        eprintln!("{error}");
        ExitCode::FAILURE
    };
    if let Some(why) = missing(root, &target, wish) {
        return told(format!("power cuts cannot be tried here: {why}"));
    }
    if let Err(error) = build(root) {
        return told(error);
    }
    let line = line(&target, wish);
    let Some((program, words)) = line.split_first() else { return ExitCode::FAILURE };
    match Command::new(program).args(words).current_dir(root).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => told(format!("cannot start `{program}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_refused() {
        let table: [(&[&str], Option<Wish>); 8] = [
            (&[], Some(Wish { rounds: 20, fs: "xfs" })),
            (&["--rounds", "3"], Some(Wish { rounds: 3, fs: "xfs" })),
            (&["--fs", "ext4", "--rounds", "7"], Some(Wish { rounds: 7, fs: "ext4" })),
            (&["--rounds", "0"], None),
            (&["--rounds", "many"], None),
            (&["--rounds"], None),
            (&["--fs", "fat"], None),
            (&["--keep"], None),
        ];
        for (words, wanted) in table {
            assert_eq!(Wish::read(words), wanted, "{words:?}");
        }
    }

    #[test]
    fn an_interrupted_drill_leaves_no_files_and_a_failed_one_says_so() {
        let folder = std::env::temp_dir().join(format!("xtask-alone-{}", std::process::id()));
        // Without a namespace: this test needs no root.
        let script = ALONE.replace("unshare --mount -- ", "");
        let run = |inner: &str| {
            std::fs::create_dir_all(&folder).expect("a folder");
            let words = ["-c", &script, "sh", &folder.display().to_string(), "sh", "-c", inner];
            Command::new("sh").args(words).status().expect("a shell").code()
        };
        assert_eq!(run("exit 0"), Some(0));
        assert_eq!(run("exit 1"), Some(1));
        assert!(folder.exists(), "a failed drill is kept");
        // Not INT: a shell that was started in the background of another one ignores it from its first moment.
        assert_eq!(run("kill -TERM $PPID"), Some(130));
        assert!(!folder.exists(), "an interrupted one is removed");
    }
}
