//! The onecard binary.
fn main() {}
