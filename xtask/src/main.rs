//! Checks and tasks of the repository.
fn main() {}
