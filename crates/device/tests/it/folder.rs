//! A fresh folder for a test that needs files.

use std::fs;
use std::path::PathBuf;

/// An empty folder with this name, in the build's own folder for tests.
pub fn fresh(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("device").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the build's folder can be written");
    folder
}
