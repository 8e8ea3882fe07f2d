//! The forms that the chain hashes, written down anew from their description: an error in the product's must show.

use ledger::{AccountKey, Block, JournalRow, Kind, SchoolId};

/// A link of the chain.
pub(super) type Link = [u8; 32];

/// Which guard row, and what it holds; all zero for nothing.
pub(super) type Half = [u8; 16];

/// A journal row as it is hashed: big-endian, field after field.
fn row(row: &JournalRow, out: &mut Vec<u8>) {
    let kind: u8 = match row.kind {
        Kind::Direct => 0,
        Kind::Pend => 1,
        Kind::Post => 2,
        Kind::Void => 3,
    };
    out.extend(row.seq.to_be_bytes());
    out.extend(row.id.get().to_be_bytes());
    out.push(kind);
    account(&row.debit, out);
    account(&row.credit, out);
    out.extend(row.amount.get().to_be_bytes());
    for number in [row.ref_seq, row.debit_prev, row.credit_prev] {
        out.extend(number.to_be_bytes());
    }
    for number in [row.debit_balance.get(), row.credit_balance.get(), row.recorded_at.get(), row.effective_at.get()] {
        out.extend(number.to_be_bytes());
    }
    out.extend(row.code.to_be_bytes());
    out.extend(row.reference.get().to_be_bytes());
}

fn account(key: &AccountKey, out: &mut Vec<u8>) {
    out.extend(key.code.0.to_be_bytes());
    out.extend(key.owner.to_be_bytes());
    out.extend(key.part.to_be_bytes());
}

/// The link of a block after the link `before`.
pub(super) fn link(school: SchoolId, before: &Link, block: &Block, rows: &[JournalRow]) -> Link {
    let mut text = Vec::new();
    text.extend(school.get().to_be_bytes());
    text.extend(before);
    text.extend(block.no.to_be_bytes());
    text.extend(block.first_seq.to_be_bytes());
    text.extend(block.rows.to_be_bytes());
    text.extend(block.at.get().to_be_bytes());
    for each in rows {
        row(each, &mut text);
    }
    for change in &block.changes {
        text.extend(change.key);
        text.extend(change.content);
    }
    blake3::derive_key("onecard block v1", &text)
}

/// A guard row in the chain: its name, and what it holds.
pub(super) fn guard_row(table: &str, key: &[u8], body: Option<&[u8]>) -> (Half, Half) {
    let mut text = Vec::new();
    for part in [table.as_bytes(), key] {
        text.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        text.extend(part);
    }
    let name = half(&text);
    let Some(body) = body else { return (name, [0; 16]) };
    text.extend(u64::try_from(body.len()).unwrap_or(u64::MAX).to_be_bytes());
    text.extend(body);
    (name, half(&text))
}

fn half(text: &[u8]) -> Half {
    let whole = blake3::derive_key("onecard guard row v1", text);
    let mut half = [0; 16];
    half.copy_from_slice(whole.split_at(16).0);
    half
}
