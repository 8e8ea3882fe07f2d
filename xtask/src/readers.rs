//! `cargo xtask readers`: card readers of PC/SC around a command, without a card reader.
//!
//! The service (pcscd) and the driver of virtual readers (vpcd) run in namespaces of their own: the driver listens on all
//! addresses, and the service has one folder for the whole machine. When the first process in there ends, however it ends,
//! the kernel ends all others and unmounts what is in there; a shell around it removes the files. Any number of these can
//! run side by side.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::test::run::answer;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How many readers.
    pub readers: u8,
    /// What runs beside them; it finds them in `CARD_READERS`.
    pub command: Vec<String>,
}

impl Wish {
    /// Reads options; `None` for wrong ones.
    pub fn read(words: &[&str]) -> Option<Wish> {
        let (readers, command) = match words {
            ["--count", count, "--", command @ ..] => (count.parse().ok()?, command),
            ["--", command @ ..] => (2, command),
            _ => return None,
        };
        let wish = Wish { readers, command: command.iter().map(|word| (*word).to_owned()).collect() };
        ((1..=MOST).contains(&wish.readers) && !wish.command.is_empty()).then_some(wish)
    }
}

/// The service holds this many readers.
const MOST: u8 = 16;

/// A program or file, and Debian's package that has it.
const NEEDED: [(&str, &str); 5] = [
    ("command -v pcscd", "pcscd"),
    ("test -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so", "vsmartcard-vpcd"),
    ("command -v unshare", "util-linux"),
    ("command -v ip", "iproute2"),
    ("command -v mount", "mount"),
];

/// Where programs of the system administrator are, also for who came here by `sudo`.
const PATH: &str = "PATH=\"$PATH:/usr/sbin:/sbin\"; export PATH; ";

/// Runs what follows in namespaces of its own: files, network, processes. Words: folder, script, how many readers, command.
/// A signal may come before the shell has come to `job=$!`; `$!` itself is there from the fork on.
const ALONE: &str = "folder=$1; script=$2; shift 2; mkdir -p \"$folder\" || exit 1; \
    trap 'kill -9 \"$!\"; wait; rm -rf -- \"$folder\"; exit 130' INT TERM HUP; \
    unshare --mount --net --pid --fork --kill-child --mount-proc -- sh -c \"$script\" sh \"$folder\" \"$@\" & job=$!; \
    wait \"$job\"; done=$?; \
    if [ $done -ne 0 ] && [ -s \"$folder/pcscd.log\" ]; then echo 'the last words of pcscd:' >&2; \
    tail -n 5 \"$folder/pcscd.log\" >&2; fi; \
    rm -rf -- \"$folder\"; exit $done";

/// Inside. Each stanza has a copy of the driver, since stanzas that share one share its state; each driver makes two
/// readers, at neighbouring ports. The service adds two numbers to their names.
const INSIDE: &str = r#"
folder=$1; count=$2; shift 2
driver=/usr/lib/pcsc/drivers/serial/libifdvpcd.so
ip link set lo up || exit 1
mount -t tmpfs none /run && mkdir -p /run/pcscd || exit 1
readers=; stanza=0; left=$count
while [ "$left" -gt 0 ]; do
    port=$((35963 + 2 * stanza)); name="Virtual PCD $stanza"
    cp -L "$driver" "$folder/vpcd$stanza.so" || exit 1
    printf 'FRIENDLYNAME "%s"\nDEVICENAME /dev/null:%s\nLIBPATH %s/vpcd%s.so\nCHANNELID %s\n\n' \
        "$name" "$port" "$folder" "$stanza" "$port" >> "$folder/readers.conf"
    readers="$readers${readers:+,}$name 00 00=$port"; left=$((left - 1))
    if [ "$left" -gt 0 ]; then readers="$readers,$name 00 01=$((port + 1))"; left=$((left - 1)); fi
    stanza=$((stanza + 1))
done
pcscd --foreground --config "$folder/readers.conf" > "$folder/pcscd.log" 2>&1 & service=$!
tries=0
while :; do
    listening=$(tail -n +2 /proc/net/tcp | grep -c ' 0A ')
    if [ -S /run/pcscd/pcscd.comm ] && [ "$listening" -ge "$count" ]; then break; fi
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$service"; then echo 'pcscd did not start' >&2; exit 1; fi
    sleep 0.05
done
export CARD_READERS="$readers"
"$@"; done=$?
kill "$service" 2>/dev/null; wait "$service"
exit $done
"#;

/// Why this machine cannot have virtual readers, and what to install where that is what it lacks.
pub fn missing(root: &Path) -> Option<String> {
    let shell = |script: &str| answer("sh", &["-c", &format!("{PATH}{script}")], root);
    if shell("id -u").is_none_or(|id| id.trim() != "0") {
        return Some("namespaces for pcscd need root".to_owned());
    }
    let lacking: Vec<&str> =
        NEEDED.iter().filter(|(probe, _)| shell(probe).is_none()).map(|(_, package)| *package).collect();
    if !lacking.is_empty() {
        return Some(format!("missing; on Debian: apt-get install {}", lacking.join(" ")));
    }
    let probe = "unshare --mount --net --pid --fork --kill-child --mount-proc sh -c 'ip link set lo up && mount -t tmpfs none /run'";
    shell(probe).is_none().then(|| "this machine permits no namespaces (unshare)".to_owned())
}

/// The command line that runs a command beside readers; `name` tells it from others of this process.
pub fn line(target: &Path, name: &str, wish: &Wish) -> Vec<String> {
    let folder = folder(target, name).display().to_string();
    let count = wish.readers.to_string();
    let shell = ["sh", "-c", &format!("{PATH}{ALONE}"), "sh", &folder, INSIDE, &count].map(str::to_owned);
    [shell.as_slice(), &wish.command].concat()
}

fn folder(target: &Path, name: &str) -> PathBuf {
    target.join("xtask").join(format!("readers-{name}-{}", std::process::id()))
}

/// Checks, runs.
pub fn main(root: &Path, wish: &Wish) -> ExitCode {
    if let Some(why) = missing(root) {
        eprintln!("virtual card readers cannot be had here: {why}");
        return ExitCode::FAILURE;
    }
    let line = line(&crate::test::target(root), "by-hand", wish);
    let Some((program, words)) = line.split_first() else { return ExitCode::FAILURE };
    match Command::new(program).args(words).current_dir(root).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start `{program}`: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_refused() {
        let wish = |readers, command: &[&str]| {
            Some(Wish { readers, command: command.iter().map(|word| (*word).to_owned()).collect() })
        };
        let table: [(&[&str], Option<Wish>); 7] = [
            (&["--", "opensc-tool", "-l"], wish(2, &["opensc-tool", "-l"])),
            (&["--count", "16", "--", "sh"], wish(16, &["sh"])),
            (&["--count", "17", "--", "sh"], None),
            (&["--count", "0", "--", "sh"], None),
            (&["--count", "2", "sh"], None),
            (&["--"], None),
            (&[], None),
        ];
        for (words, wanted) in table {
            assert_eq!(Wish::read(words), wanted, "{words:?}");
        }
    }

    #[test]
    fn nothing_is_left_behind_however_the_command_ends() {
        let folder = std::env::temp_dir().join(format!("xtask-readers-{}", std::process::id()));
        // Without namespaces: this test needs no root.
        let script = ALONE.replace("unshare --mount --net --pid --fork --kill-child --mount-proc -- ", "");
        let run = |inner: &str| {
            let words = ["-c", &script, "sh", &folder.display().to_string(), inner, "2", "command"];
            Command::new("sh").args(words).status().expect("a shell").code()
        };
        // TERM and not INT: whoever starts this in the background has INT ignored.
        for (inner, code) in [
            ("test -d $1 && exit 0", Some(0)),
            ("echo hello > $1/pcscd.log; exit 3", Some(3)),
            ("kill -TERM $PPID; exec cat /dev/zero > /dev/null", Some(130)),
        ] {
            assert_eq!(run(inner), code, "{inner}");
            assert!(!folder.exists(), "{inner}");
        }
    }
}
