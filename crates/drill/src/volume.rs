//! A file system in a file, which can be cut off from its disk.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::pause;

/// Bytes of the file; sparse, so that only what is used takes room. XFS makes nothing smaller than 300 MiB.
const SIZE: u64 = 512 << 20;
/// How often unmounting is tried: a killed process may take a moment to let go.
const TRIES: u32 = 100;
/// What one piece of ballast weighs.
const BALLAST: usize = 1 << 20;

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Xfs,
    Ext4,
}

impl Kind {
    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        match name {
            "xfs" => Some(Kind::Xfs),
            "ext4" => Some(Kind::Ext4),
            _ => None,
        }
    }
}

/// A mounted file system. It is unmounted and its file removed when this value goes.
#[derive(Debug)]
pub(crate) struct Volume {
    image: PathBuf,
    /// Where it is mounted.
    pub root: PathBuf,
    mounted: bool,
}

impl Volume {
    /// Makes one in `folder` and mounts it.
    pub(crate) fn make(folder: &Path, kind: Kind) -> Result<Volume, String> {
        let volume = Volume { image: folder.join("disk.img"), root: folder.join("disk"), mounted: false };
        let told = |path: &Path| {
            let path = path.display().to_string();
            move |fault: std::io::Error| format!("cannot make {path}: {fault}")
        };
        std::fs::create_dir_all(&volume.root).map_err(told(&volume.root))?;
        File::create(&volume.image).and_then(|file| file.set_len(SIZE)).map_err(told(&volume.image))?;
        match kind {
            Kind::Xfs => run("mkfs.xfs", &["-q", "-f"], &[&volume.image])?,
            Kind::Ext4 => run("mkfs.ext4", &["-q", "-F"], &[&volume.image])?,
        }
        let mut volume = volume;
        volume.mount()?;
        Ok(volume)
    }

    /// Mounts it; the file system's own journal is replayed.
    pub(crate) fn mount(&mut self) -> Result<(), String> {
        run("mount", &["-o", "loop"], &[&self.image, &self.root])?;
        self.mounted = true;
        Ok(())
    }

    /// Unmounts it.
    pub(crate) fn unmount(&mut self) -> Result<(), String> {
        let mut fault = String::new();
        for _ in 0..TRIES {
            match run("umount", &[], &[&self.root]) {
                Ok(()) => {
                    self.mounted = false;
                    return Ok(());
                }
                Err(why) => fault = why,
            }
            pause(Duration::from_millis(50));
        }
        Err(fault)
    }

    /// Gets ready to cut it off, so that nothing is left to be started when the moment comes.
    pub(crate) fn prepare_cut(&self) -> Result<Cut, String> {
        let mut command = Command::new("xfs_io");
        command.arg("-x").arg(&self.root).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map(Cut).map_err(|fault| cannot_run("xfs_io", &fault))
    }

    /// Power comes back: unmounted and mounted again.
    pub(crate) fn restore(&mut self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    /// Fills it up but for `room` bytes. The ballast goes when the file at the path given back is removed.
    pub(crate) fn fill(&self, room: u64) -> Result<PathBuf, String> {
        let path = self.root.join("ballast");
        let told = |fault: std::io::Error| format!("cannot write {}: {fault}", path.display());
        let mut file = File::create(&path).map_err(told)?;
        let piece = vec![0x5A; BALLAST];
        loop {
            match file.write_all(&piece).and_then(|()| file.sync_data()) {
                Ok(()) => {}
                Err(fault) if fault.kind() == std::io::ErrorKind::StorageFull => break,
                Err(fault) => return Err(told(fault)),
            }
        }
        let length = file.metadata().map_err(told)?.len();
        file.set_len(length.saturating_sub(room)).and_then(|()| file.sync_all()).map_err(told)?;
        Ok(path)
    }
}

/// A cut that waits for its moment.
#[derive(Debug)]
pub(crate) struct Cut(Child);

impl Cut {
    /// Cuts: nothing more reaches the disk, what was not synced is gone, and every call fails with EIO.
    pub(crate) fn now(mut self) -> Result<(), String> {
        if let Some(mut input) = self.0.stdin.take() {
            input.write_all(b"shutdown\nquit\n").map_err(|fault| cannot_run("xfs_io", &fault))?;
        }
        let output = self.0.wait_with_output().map_err(|fault| cannot_run("xfs_io", &fault))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() && said.is_empty() { Ok(()) } else { Err(format!("xfs_io: {said}")) }
    }
}

fn cannot_run(program: &str, fault: &std::io::Error) -> String {
    format!("cannot run {program}: {fault}; `cargo xtask power-cut` says what is missing")
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.mounted && self.unmount().is_err() {
            eprintln!("{} is still mounted: unmount it with `umount {0}`", self.root.display());
            return;
        }
        if let Err(fault) = std::fs::remove_file(&self.image) {
            eprintln!("cannot remove {}: {fault}", self.image.display());
        }
    }
}

/// Runs a program of the system.
fn run(program: &str, arguments: &[&str], paths: &[&Path]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).args(paths).stdin(Stdio::null()).output();
    let output = output.map_err(|fault| cannot_run(program, &fault))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(format!("{program}: {}: {said}", output.status))
}
