//! The chain: a link changes with everything it stands for.

use std::collections::BTreeSet;

use ledger::{
    Block, Bodies, Book, Change, Fen, Id, JournalRow, Micros, SchoolId, Stage, chain_link, content_digest, row_digest,
};

use crate::sample::{ACCOUNTS, NOW, transfer};

fn rows() -> Vec<JournalRow> {
    let mut book = Book::new();
    [(0, 1, 500), (1, 4, 200)]
        .map(|(debit, credit, fen)| transfer(Stage::Direct, ACCOUNTS[debit], ACCOUNTS[credit], fen))
        .map(|step| book.post(&step, NOW).expect("fits"))
        .to_vec()
}

fn block() -> Block {
    let change = |key, content| Change { key: [key; 16], content: [content; 16] };
    Block { no: 3, first_seq: 7, rows: 2, at: NOW, changes: vec![change(1, 2), change(3, 4)], link: [0; 32] }
}

#[test]
fn every_field_of_a_batch_changes_its_link() {
    let school = SchoolId::new(1).expect("a school");
    let (rows, block) = (rows(), block());
    let link = |block: &Block, rows: &[JournalRow]| chain_link(school, &[0; 32], block, &Bodies::of(rows));
    let row = |change: fn(&mut JournalRow)| {
        let mut rows = rows.clone();
        change(&mut rows[1]);
        rows
    };
    let mut all = vec![
        link(&block, &rows),
        chain_link(SchoolId::new(2).expect("a school"), &[0; 32], &block, &Bodies::of(&rows)),
        chain_link(school, &[1; 32], &block, &Bodies::of(&rows)),
        link(&Block { no: 4, ..block.clone() }, &rows),
        link(&Block { first_seq: 8, ..block.clone() }, &rows),
        link(&Block { rows: 3, ..block.clone() }, &rows),
        link(&Block { at: Micros::new(NOW.get() + 1), ..block.clone() }, &rows),
        link(&Block { changes: vec![block.changes[1], block.changes[0]], ..block.clone() }, &rows),
        link(&Block { changes: vec![block.changes[0]], ..block.clone() }, &rows),
        link(&block, &rows[..1]),
        link(&block, &[rows[1], rows[0]]),
    ];
    let changes: [fn(&mut JournalRow); 16] = [
        |row| row.seq += 1,
        |row| row.id = Id::new(1),
        |row| row.kind = ledger::Kind::Void,
        |row| row.debit.code.0 += 1,
        |row| row.debit.owner += 1,
        |row| row.credit.part += 1,
        |row| row.amount = Fen::new(1),
        |row| row.ref_seq += 1,
        |row| row.expires_at = Some(NOW),
        |row| row.debit_prev += 7,
        |row| row.credit_prev += 1,
        |row| row.debit_balance = Fen::new(1),
        |row| row.credit_balance = Fen::new(1),
        |row| row.effective_at = NOW.after_seconds(1),
        |row| row.code += 1,
        |row| row.reference = Id::new(1),
    ];
    all.extend(changes.map(|change| link(&block, &row(change))));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "two different batches have one link");
    assert_eq!(link(&Block { link: [9; 32], ..block.clone() }, &rows), all[0], "the link is not part of itself");
}

#[test]
fn a_row_digest_tells_table_key_and_content_apart() {
    let all = [
        row_digest("order", b"ab", Some(b"c")),
        row_digest("orde", b"rab", Some(b"c")),
        row_digest("order", b"a", Some(b"bc")),
        row_digest("order", b"ab", Some(b"")),
        row_digest("order", b"abc", Some(b"")),
        row_digest("card", b"ab", Some(b"c")),
    ];
    let contents: BTreeSet<_> = all.iter().map(|change| change.content).collect();
    assert_eq!(contents.len(), all.len());
    // Where one field ends is no guess, whatever stands in it.
    for between in [[0; 8], [1; 8]] {
        let (key, body) = ([b"a", &between[..], b"b"].concat(), [b"b", &between[..], b"c"].concat());
        let (long_key, long_body) = (row_digest("order", &key, Some(b"c")), row_digest("order", b"a", Some(&body)));
        assert_ne!(long_key.content, long_body.content, "{between:?}");
    }
    let deleted = row_digest("order", b"ab", None);
    assert_eq!(deleted.content, [0; 16]);
    assert_eq!(deleted.key, all[0].key, "the key's hash does not depend on the content");
    assert_eq!(deleted.key, all[3].key);
}

#[test]
fn a_content_digest_is_the_content_of_the_row_digest_under_the_context_of_guard_rows() {
    for (table, key, body) in [("order", &b"ab"[..], &b"c"[..]), ("card", b"", b""), ("account", &[0; 32], &[7; 99])] {
        let mut hash = blake3::Hasher::new_derive_key("onecard guard row v1");
        for field in [table.as_bytes(), key, body] {
            hash.update(&u64::try_from(field.len()).expect("short").to_be_bytes()).update(field);
        }
        let content = content_digest(table, key, body);
        assert_eq!(content[..], hash.finalize().as_bytes()[..16], "{table}");
        assert_eq!(content, row_digest(table, key, Some(body)).content, "{table}");
    }
}
