//! The forms that the chain hashes, written down anew from their description: an error in the product's must show.

use ledger::{AccountKey, Block, JournalRow, Kind, SchoolId};

/// A link of the chain.
pub(super) type Link = [u8; 32];

/// Which guard row, and what it holds; all zero for nothing.
pub(super) type Half = [u8; 16];

/// Seven bits a byte, least significant first; the top bit says that more come.
fn count(value: u64, out: &mut Vec<u8>) {
    let mut rest = value;
    while rest > 127 {
        out.push((rest % 128) as u8 + 128);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// 0, -1, 1, -2, ... as counts.
fn signed(value: i64, out: &mut Vec<u8>) {
    let twice = value.unsigned_abs() * 2;
    count(if value < 0 { twice - 1 } else { twice }, out);
}

/// The account's code; how many bytes its owner has without leading zeroes, and whether a part follows; owner and part.
fn account(key: &AccountKey, out: &mut Vec<u8>) {
    let owner: Vec<u8> = key.owner.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    out.extend(key.code.0.to_be_bytes());
    out.push(owner.len() as u8 + if key.part == 0 { 0 } else { 128 });
    out.extend(owner);
    if key.part != 0 {
        count(key.part.into(), out);
    }
}

/// How far back a row lies; 0 for none.
fn back(row: &JournalRow, before: u64, out: &mut Vec<u8>) {
    signed(if before == 0 { 0 } else { row.seq as i64 - before as i64 }, out);
}

/// The moment in an identifier of the seventh kind: milliseconds, and their fraction behind the version.
fn moment(id: u128) -> Option<i64> {
    let (version, variant, fraction) = (id >> 76 & 15, id >> 62 & 3, id >> 64 & 4095);
    let sound = (version, variant) == (7, 2) && fraction < 1000;
    sound.then(|| (id >> 80) as i64 * 1000 + fraction as i64)
}

/// A journal row as it is hashed: what follows from its other fields is left out, and the first byte says what.
fn row(row: &JournalRow, out: &mut Vec<u8>) {
    let kind: u8 = match row.kind {
        Kind::Direct => 0,
        Kind::Pend => 1,
        Kind::Post => 2,
        Kind::Void => 3,
    };
    let (id, reference) = (row.id.get(), row.reference.get());
    let (recorded, effective) = (row.recorded_at.get(), row.effective_at.get());
    let follows = [row.expires_at.is_some(), moment(id) != Some(recorded), effective != recorded, reference != 0];
    let bits = follows.iter().zip([4, 8, 16, 32]).map(|(follows, bit)| if *follows { bit } else { 0 });
    out.push(kind + bits.sum::<u8>());
    out.extend(id.to_be_bytes());
    account(&row.debit, out);
    account(&row.credit, out);
    signed(row.amount.get(), out);
    count(row.ref_seq, out);
    back(row, row.debit_prev, out);
    back(row, row.credit_prev, out);
    signed(row.debit_balance.get(), out);
    signed(row.credit_balance.get(), out);
    count(row.code.into(), out);
    if let Some(at) = row.expires_at {
        out.extend(at.get().to_be_bytes());
    }
    if follows[1] {
        out.extend(recorded.to_be_bytes());
    }
    if follows[2] {
        signed(effective - recorded, out);
    }
    if follows[3] {
        out.extend(reference.to_be_bytes());
    }
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
    let mut forms = Vec::new();
    for each in rows {
        let start = forms.len();
        row(each, &mut forms);
        text.extend(((forms.len() - start) as u16).to_be_bytes());
    }
    text.extend(forms);
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
