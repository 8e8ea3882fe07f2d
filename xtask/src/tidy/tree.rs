//! The files of the repository: what git knows or would take, never what it ignores.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file with its text.
#[derive(Clone, Debug)]
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    /// Empty for a file that is not UTF-8.
    pub text: String,
}

impl File {
    /// Whether the name ends in `.` and `extension`.
    pub fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, end)| end == extension)
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The crate's folder name for a file below `crates/`, `xtask` for one below that.
    pub fn crate_name(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        match (parts.next(), parts.next()) {
            (Some("crates"), Some(name)) => Some(name),
            (Some("xtask"), Some(_)) => Some("xtask"),
            _ => None,
        }
    }

    /// Lines with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// All files.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// In the order of their paths.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the repository at `root`.
    pub fn read(root: &Path) -> Result<Tree, String> {
        let mut paths = match listed_by_git(root) {
            Some(paths) => paths,
            None => walk(root, Path::new("")).map_err(|error| format!("cannot list {}: {error}", root.display()))?,
        };
        paths.sort();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            // A file that git knows may be deleted in the work tree.
            let Ok(bytes) = std::fs::read(root.join(&path)) else { continue };
            files.push(File { path, text: String::from_utf8(bytes).unwrap_or_default() });
        }
        Ok(Tree { files })
    }

    /// Files whose name ends in `.` and `extension`.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.is(extension))
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// A tree of `(path, text)`, for tests.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() });
        Tree { files: files.collect() }
    }
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// Without git: everything but build output and hidden folders.
fn walk(root: &Path, below: &Path) -> std::io::Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        let path: PathBuf = below.join(&name);
        let skipped = ["target", "node_modules", "__pycache__", ".git"].iter().any(|skip| name == *skip);
        if entry.file_type()?.is_dir() {
            if !skipped {
                paths.extend(walk(root, &path)?);
            }
        } else {
            paths.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(paths)
}
