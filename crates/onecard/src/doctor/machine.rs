//! The machine under a school: disk, permissions, keys, clock.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use keys::Keyring;
use store::sqlite::{SqliteHead, school_of};

use super::{Finding, Patient};
use crate::anchors::Notes;
use crate::backup::KEYS;
use crate::clock::{FOLLOWED, timed, wall};
use crate::confirmation::LEAPT;
use crate::prompt::minute;

/// Less free room than this is to be mended, KiB.
const LEAST_ROOM: u64 = 1024 * 1024;

/// A sync that takes longer than this makes every sale wait, microseconds.
const SLOW_SYNC: u64 = 100_000;

/// A disk that syncs faster than this does not wait for anything durable, or has a battery, microseconds.
const FAST_SYNC: u64 = 20;

/// All of it.
pub fn look(patient: &Patient) -> Vec<Finding> {
    let data = &patient.data;
    vec![versions(), clock(patient), file_system(data), room(data), sync(data), permissions(data), keys(patient)]
}

fn versions() -> Finding {
    let (program, engine) = (env!("CARGO_PKG_VERSION"), store::sqlite::engine_version());
    Finding::fine("program", format!("onecard {program}, SQLite {engine}"))
}

fn clock(patient: &Patient) -> Finding {
    let (what, now) = ("clock", wall());
    let shown = minute(now);
    if patient.served && patient.data.join(LEAPT).exists() {
        return Finding::fix(
            what,
            format!(
                "the server does not follow it, because it leapt; it shows {shown} (UTC+8): set it right, then run \
                 `onecard doctor --confirm-clock`"
            ),
        );
    }
    if !patient.has_book {
        return Finding::fine(what, format!("it shows {shown} (UTC+8)"));
    }
    let newest = school_of(&patient.data).and_then(|school| SqliteHead::open(&patient.data, school));
    let newest = match newest.map(|head| head.newest()) {
        Ok(Ok(newest)) => newest,
        Ok(Err(fault)) => return Finding::unseen(what, &fault),
        Err(fault) => return Finding::unseen(what, &fault),
    };
    match newest {
        Some((_, at)) if at.since(now) > FOLLOWED => Finding::fix(
            what,
            format!(
                "it shows {shown} (UTC+8), but the newest block was made at {}: set it right before the server starts",
                minute(at)
            ),
        ),
        Some((_, at)) => Finding::fine(what, format!("it shows {shown} (UTC+8), newest block {}", minute(at))),
        None => Finding::fine(what, format!("it shows {shown} (UTC+8)")),
    }
}

/// What `/proc/self/mountinfo` says of a file system.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Local(String),
    Memory(String),
    Network(String),
    Unknown,
}

fn file_system(data: &Path) -> Finding {
    let what = "file system";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let path = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    match kind_of(&mounts, &path) {
        Kind::Local(name) => Finding::fine(what, format!("{name}, local")),
        Kind::Memory(name) => {
            Finding::fix(what, format!("{name}: all of it is lost with the power; move the data folder to a disk"))
        }
        Kind::Network(name) => Finding::fix(
            what,
            format!("{name}: locks and syncs over a network are not sure; move the data folder to a local disk"),
        ),
        Kind::Unknown => Finding::note(what, "its kind is not known here; it must be on a local disk"),
    }
}

fn kind_of(mounts: &str, path: &Path) -> Kind {
    let mounted = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let point = PathBuf::from(unescaped(place.split(' ').nth(4)?));
        path.starts_with(&point).then_some((point.components().count(), kind.split(' ').next()?))
    });
    // Of several at one place the last one lies on top.
    let Some((_, name)) = mounted.max_by_key(|(depth, _)| *depth) else { return Kind::Unknown };
    let network = ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "afs"];
    if ["tmpfs", "ramfs"].contains(&name) {
        Kind::Memory(name.to_owned())
    } else if network.contains(&name) || (name.starts_with("fuse.") && name != "fuse.fuseblk") {
        Kind::Network(name.to_owned())
    } else {
        Kind::Local(name.to_owned())
    }
}

/// Space, tab, line end and backslash stand as `\040` and the like.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

fn room(data: &Path) -> Finding {
    let what = "free room";
    let output = Command::new("df").arg("-Pk").arg("--").arg(data).env("LC_ALL", "C").output();
    let free = output.ok().and_then(|output| free_of(&String::from_utf8_lossy(&output.stdout)));
    match free {
        Some(kib) if kib < LEAST_ROOM => {
            Finding::fix(what, format!("{} MiB: make room, with a full disk nothing can be paid", kib / 1024))
        }
        Some(kib) => Finding::fine(what, format!("{} GiB", kib / 1024 / 1024)),
        None => Finding::note(what, "not known here (`df` gave no answer)"),
    }
}

/// The fourth column of the last line: KiB available.
fn free_of(df: &str) -> Option<u64> {
    df.lines().skip(1).last()?.split_whitespace().nth(3)?.parse().ok()
}

fn sync(data: &Path) -> Finding {
    let what = "sync";
    match probe(data) {
        Ok(micros) if micros > SLOW_SYNC => {
            Finding::fix(what, format!("{micros} µs: every payment waits for it; use a faster disk"))
        }
        Ok(micros) if micros < FAST_SYNC => Finding::note(
            what,
            format!("{micros} µs: so fast only with a cache that survives a power cut; make sure that it does"),
        ),
        Ok(micros) => Finding::fine(what, format!("{micros} µs for 4 KiB to be on the disk (median of {PROBES})")),
        Err(fault) => Finding::unseen(what, &fault),
    }
}

const PROBES: usize = 31;

/// Median of some real syncs of a file beside the book, which is removed again.
fn probe(data: &Path) -> io::Result<u64> {
    let path = data.join(format!("doctor-probe-{}", std::process::id()));
    let measured = File::create_new(&path).and_then(|mut file| {
        let mut times = Vec::with_capacity(PROBES);
        for _ in 0..PROBES {
            let (micros, done) = timed(|| file.write_all(&[0x5A; 4096]).and_then(|()| file.sync_data()));
            done?;
            times.push(micros);
        }
        times.sort_unstable();
        Ok(times.get(PROBES / 2).copied().unwrap_or(0))
    });
    fs::remove_file(&path)?;
    measured
}

fn permissions(data: &Path) -> Finding {
    let what = "permissions";
    let folder = match fs::metadata(data) {
        Ok(folder) => folder,
        Err(fault) => return Finding::unseen(what, &fault),
    };
    let mut wrong = Vec::new();
    let me = fs::metadata("/proc/self").map(|process| process.uid()).unwrap_or(folder.uid());
    if folder.uid() != me && me != 0 {
        wrong.push(format!("{} belongs to another user: chown it to the one that runs the server", data.display()));
    }
    if open_to_others(&folder) {
        wrong.push(format!("others may enter {}: run chmod 700 on it", data.display()));
    }
    for name in [KEYS, "terminals/ca-key.pem"] {
        let path = data.join(name);
        let Ok(file) = fs::metadata(&path) else { continue };
        if open_to_others(&file) {
            wrong.push(format!(
                "others may read {}: run chmod 600 on it, and make new keys if they did",
                path.display()
            ));
        }
        if file.uid() != folder.uid() {
            wrong.push(format!("{} belongs to another user than its folder: chown it", path.display()));
        }
    }
    match wrong.is_empty() {
        true => Finding::fine(what, "the data folder is its owner's alone, and so are the keys"),
        false => Finding::fix(what, wrong.join("; ")),
    }
}

fn open_to_others(found: &Metadata) -> bool {
    found.mode() & 0o077 != 0
}

fn keys(patient: &Patient) -> Finding {
    let what = "keys";
    let keyring = match Keyring::load(&patient.data.join(KEYS)) {
        Ok(keyring) => keyring,
        Err(fault) => return Finding::unseen(what, &fault),
    };
    let noted = match Notes::read(&patient.data) {
        Ok(noted) => noted,
        Err(fault) => return Finding::unseen(what, fault.as_ref()),
    };
    let own = keyring.instance_key().map(|key| key.public());
    if let (Some(noted), Some(own)) = (noted, own)
        && noted.key != own
    {
        return Finding::fix(what, "they are not the keys that the anchors were signed with: put the right file back");
    }
    let trial = patient.config.as_ref().is_some_and(|config| config.trial);
    match keyring.check_production() {
        Ok(()) => Finding::fine(what, "present, its owner's alone, none of them published"),
        Err(unfit) if trial => Finding::note(what, format!("{unfit} (allowed while `trial` is set)")),
        Err(unfit) => Finding::unseen(what, &unfit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_told_by_the_longest_mount_point_above_the_folder() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
             23 22 0:5 / /srv rw - nfs4 host:/srv rw\n\
             24 23 8:2 / /srv/card\\040data rw shared:1 - xfs /dev/sdb1 rw\n\
             25 22 0:6 / /run rw - tmpfs tmpfs rw\n\
             26 22 0:7 / /mnt rw - fuse.sshfs host: rw\n";
        let local = |name: &str| Kind::Local(name.to_owned());
        let table = [
            ("/var/lib/onecard", local("ext4")),
            ("/srv/card data/school", local("xfs")),
            ("/srv/card", Kind::Network("nfs4".to_owned())),
            ("/run/school", Kind::Memory("tmpfs".to_owned())),
            ("/runs", local("ext4")),
            ("/mnt/x", Kind::Network("fuse.sshfs".to_owned())),
        ];
        for (path, expected) in table {
            assert_eq!(kind_of(mounts, Path::new(path)), expected, "{path}");
        }
        assert_eq!(kind_of("", Path::new("/x")), Kind::Unknown);
    }

    #[test]
    fn free_room_is_read_from_the_last_line() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 40 60 40% /\n";
        assert_eq!(free_of(df), Some(60));
        assert_eq!(free_of(""), None);
        assert_eq!(free_of("Filesystem\n"), None);
    }

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("onecard-probe-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        probe(&folder).expect("syncs");
        assert_eq!(fs::read_dir(&folder).expect("reads").count(), 0);
        fs::remove_dir_all(&folder).expect("is removed");
    }
}
