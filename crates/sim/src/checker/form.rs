//! The forms that the chain hashes, written down anew from their description: an error in the product's must show.

use ledger::{AccountKey, Block, JournalRow, Kind, SchoolId};

/// A link of the chain.
pub(super) type Link = [u8; 32];

/// Which guard row, and what it holds; all zero for nothing.
pub(super) type Half = [u8; 16];

/// A number in groups of seven bits, the lowest first; all but the last say that more follow.
fn count(mut number: u64, out: &mut Vec<u8>) {
    while number > 127 {
        out.push(u8::try_from(128 + number % 128).unwrap_or(0));
        number /= 128;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

/// A number that may be below 0: 0, -1, 1, -2, 2 count as 0, 1, 2, 3, 4.
fn signed(number: i64, out: &mut Vec<u8>) {
    let twice = u128::from(number.unsigned_abs()) * 2;
    count(u64::try_from(if number < 0 { twice - 1 } else { twice }).unwrap_or(u64::MAX), out);
}

/// When a time-ordered identifier was made, microseconds.
fn made_at(id: u128) -> Option<i64> {
    let bytes = id.to_be_bytes();
    let [a, b, c, d, e, f, version, fraction, variant, ..] = bytes;
    let millis = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let rest = i64::from(version % 16) * 256 + i64::from(fraction);
    (version / 16 == 7 && variant / 64 == 2 && rest < 1000).then_some(millis * 1000 + rest)
}

/// A journal row as it is stored and hashed.
fn row(row: &JournalRow, out: &mut Vec<u8>) {
    let kind: u8 = match row.kind {
        Kind::Direct => 0,
        Kind::Pend => 1,
        Kind::Post => 2,
        Kind::Void => 3,
    };
    let (recorded, effective, reference) = (row.recorded_at.get(), row.effective_at.get(), row.reference.get());
    let told =
        [row.expires_at.is_some(), made_at(row.id.get()) != Some(recorded), effective != recorded, reference != 0];
    out.push(kind + (0..).zip(told).map(|(bit, told)| if told { 4_u8 << bit } else { 0 }).sum::<u8>());
    out.extend(row.id.get().to_be_bytes());
    account(&row.debit, out);
    account(&row.credit, out);
    signed(row.amount.get(), out);
    count(row.ref_seq, out);
    for prev in [row.debit_prev, row.credit_prev] {
        let back = if prev == 0 { 0 } else { row.seq - prev };
        signed(i64::try_from(back).unwrap_or(i64::MAX), out);
    }
    signed(row.debit_balance.get(), out);
    signed(row.credit_balance.get(), out);
    count(u64::from(row.code), out);
    let [expires, recorded_apart, effective_apart, refers] = told;
    if let (true, Some(at)) = (expires, row.expires_at) {
        out.extend(at.get().to_be_bytes());
    }
    if recorded_apart {
        out.extend(recorded.to_be_bytes());
    }
    if effective_apart {
        signed(effective - recorded, out);
    }
    if refers {
        out.extend(reference.to_be_bytes());
    }
}

/// Code, how many bytes of the owner follow (128 more when a part does), the owner without leading zeroes, the part.
fn account(key: &AccountKey, out: &mut Vec<u8>) {
    let owner: Vec<u8> = key.owner.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let parted = key.part != 0;
    out.extend(key.code.0.to_be_bytes());
    out.push(u8::try_from(owner.len()).unwrap_or(0) + if parted { 128 } else { 0 });
    out.extend(owner);
    if parted {
        count(u64::from(key.part), out);
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
        text.extend(u16::try_from(forms.len() - start).unwrap_or(0).to_be_bytes());
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
