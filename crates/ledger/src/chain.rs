use std::sync::LazyLock;

use blake3::Hasher;
use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};

use crate::{Bodies, Micros, SchoolId};

/// A BLAKE3 hash.
pub type Digest = [u8; 32];

/// A guard row that a batch wrote, as the chain remembers it: which row, and a hash of what it then held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Hash of table and key.
    pub key: [u8; 16],
    /// Hash of table, key and content; all zero when the row was deleted.
    pub content: [u8; 16],
}

/// One batch: the journal rows and guard rows that were committed together, linked to the batch before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// 1, 2, 3, with no gap.
    pub no: u64,
    /// Sequence of its first journal row; that of the next row to come when it has none.
    pub first_seq: u64,
    /// How many journal rows.
    pub rows: u32,
    /// Batch time.
    pub at: Micros,
    /// Guard rows written, in the order of their keys.
    pub changes: Vec<Change>,
    /// Hash over all of it and the link before.
    pub link: Digest,
}

fn short(hash: blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    half
}

fn length(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes()
}

/// A hasher under the context of guard rows. What the context makes of itself is worked out once.
fn guard_hasher() -> Hasher {
    static CONTEXT: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context("onecard guard row v1"));
    Hasher::new_from_context_key(&CONTEXT)
}

fn named(table: &str, key: &[u8]) -> Hasher {
    let mut hash = guard_hasher();
    hash.update(&length(table.as_bytes())).update(table.as_bytes()).update(&length(key)).update(key);
    hash
}

/// The chain's memory of one guard row: `body` is `None` when it was deleted.
pub fn row_digest(table: &str, key: &[u8], body: Option<&[u8]>) -> Change {
    let mut hash = named(table, key);
    let key = short(hash.finalize());
    let content = match body {
        Some(body) => short(hash.update(&length(body)).update(body).finalize()),
        None => [0; 16],
    };
    Change { key, content }
}

/// What [`row_digest`] has as the content of a row that holds `body`, without the work for the key.
pub fn content_digest(table: &str, key: &[u8], body: &[u8]) -> [u8; 16] {
    short(named(table, key).update(&length(body)).update(body).finalize())
}

/// The link of a batch, from the link before it (all zero before the first).
///
/// Shape: BLAKE3 over the school, the link before, number, first row, row count and time of the block; how long each row's
/// stored form is, then the forms; then the changes. Numbers are big-endian; a form's length takes two bytes.
pub fn chain_link(school: SchoolId, before: &Digest, block: &Block, rows: &Bodies) -> Digest {
    let mut hash = Hasher::new_derive_key("onecard block v1");
    hash.update(&school.get().to_be_bytes()).update(before);
    hash.update(&block.no.to_be_bytes()).update(&block.first_seq.to_be_bytes());
    hash.update(&block.rows.to_be_bytes()).update(&block.at.get().to_be_bytes());
    let (bytes, ends) = rows.parts();
    let mut start = 0_usize;
    let mut lengths = Vec::with_capacity(ends.len().saturating_mul(2));
    for end in ends {
        let length = u16::try_from(end.saturating_sub(start)).unwrap_or(u16::MAX);
        lengths.extend_from_slice(&length.to_be_bytes());
        start = *end;
    }
    hash.update(&lengths).update(bytes);
    let mut changes = Vec::with_capacity(block.changes.len().saturating_mul(32));
    for change in &block.changes {
        changes.extend_from_slice(&change.key);
        changes.extend_from_slice(&change.content);
    }
    hash.update(&changes);
    *hash.finalize().as_bytes()
}
