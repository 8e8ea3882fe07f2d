//! Stored forms, byte by byte: what is kept today must be read in ten years.

use ledger::{
    Account, AccountCode, AccountKey, Bodies, CodecError, Fen, Id, JournalRow, Kind, Micros, Pending, Reader, Writer,
};

use crate::sample::ACCOUNTS;

/// Three bytes: an owner and a part of 0 are left out.
const SCHOOL: AccountKey = AccountKey::new(AccountCode(1000), 0);
const PARTED: AccountKey = AccountKey { code: AccountCode(2000), owner: 7, part: 300 };

#[test]
fn a_field_has_its_width_its_most_significant_byte_first_and_nothing_beside_it() {
    let mut out = Writer::new();
    assert!(out.is_empty());
    out.u8(1).u16(0x0203).u32(0x0405_0607).u64(0x0809_0A0B_0C0D_0E0F).i64(-2).u128(3).raw(&[8, 9]).bytes(&[5, 6, 7]);
    let wanted = [
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15][..],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
        &[8, 9],
        &[0, 0, 0, 3, 5, 6, 7],
    ]
    .concat();
    assert_eq!((out.so_far(), out.len()), (wanted.as_slice(), wanted.len()));
    assert!(!out.is_empty());
    let mut from = Reader::new(&wanted);
    assert_eq!((from.u8(), from.u16(), from.u32()), (Ok(1), Ok(0x0203), Ok(0x0405_0607)));
    assert_eq!((from.u64(), from.i64(), from.u128()), (Ok(0x0809_0A0B_0C0D_0E0F), Ok(-2), Ok(3)));
    assert_eq!(from.end(), Err(CodecError::Long));
    assert_eq!((from.raw(2), from.bytes()), (Ok(&[8, 9][..]), Ok(&[5, 6, 7][..])));
    assert_eq!((from.end(), from.u8()), (Ok(()), Err(CodecError::Short)));
    assert_eq!(Reader::new(&[0, 0, 0, 3, 5, 6]).bytes(), Err(CodecError::Short));
    assert_eq!(out.done(), wanted);
}

#[test]
fn an_account_key_has_one_name_of_22_bytes() {
    let key = AccountKey { code: AccountCode(0x0102), owner: 0x0304, part: 0x0506_0708 };
    let bytes = [&[1, 2][..], &[0; 14], &[3, 4, 5, 6, 7, 8]].concat();
    assert_eq!(key.bytes(), bytes);
    for key in ACCOUNTS.into_iter().chain([key]) {
        assert_eq!(AccountKey::from_bytes(&key.bytes()), Ok(key));
    }
    assert_eq!(AccountKey::from_bytes(&bytes[..21]), Err(CodecError::Short));
    assert_eq!(AccountKey::from_bytes(&[&bytes[..], &[0]].concat()), Err(CodecError::Long));
}

#[test]
fn the_sums_of_an_account_survive_their_stored_form_and_no_other_bytes_mean_them() {
    let account = Account {
        debits_posted: Fen::new(1),
        credits_posted: Fen::new(64),
        debits_pending: Fen::new(2),
        credits_pending: Fen::new(3),
        last_seq: 5,
    };
    let bytes = [2, 0x80, 1, 4, 6, 5];
    assert_eq!(account.encode(), bytes);
    assert_eq!(Account::decode(&bytes), Ok(account));
    assert_eq!(Account::decode(&bytes[..5]), Err(CodecError::Short));
    assert_eq!(Account::decode(&[2, 0x80, 1, 4, 6, 5, 0]), Err(CodecError::Long));
    assert_eq!(Account::decode(&Account::default().encode()), Ok(Account::default()));
}

#[test]
fn money_set_aside_survives_its_stored_form_with_and_without_a_time() {
    let pending = Pending { debit: SCHOOL, credit: PARTED, amount: Fen::new(9), expires_at: None };
    let bytes = [3, 232, 0, 7, 208, 0x81, 7, 0xAC, 2, 18];
    let timed = Pending { expires_at: Some(Micros::new(0x0102_0304_0506_0708)), ..pending };
    let timed_bytes = [&bytes[..], &[1, 2, 3, 4, 5, 6, 7, 8]].concat();
    for (pending, bytes) in [(pending, bytes.to_vec()), (timed, timed_bytes.clone())] {
        assert_eq!(pending.encode(), bytes);
        assert_eq!(Pending::decode(&bytes), Ok(pending));
    }
    assert_eq!(Pending::decode(&bytes[..9]), Err(CodecError::Short));
    assert_eq!(Pending::decode(&timed_bytes[..17]), Err(CodecError::Short));
    assert_eq!(Pending::decode(&[&timed_bytes[..], &[0]].concat()), Err(CodecError::Long));
}

#[test]
fn an_account_in_a_row_takes_no_more_bytes_than_it_needs_and_has_one_form() {
    let owned = |owner, part| AccountKey { code: AccountCode(2000), owner, part };
    let table: [(AccountKey, Vec<u8>); 6] = [
        (owned(0, 0), vec![7, 208, 0]),
        (owned(255, 0), vec![7, 208, 1, 255]),
        (owned(256, 0), vec![7, 208, 2, 1, 0]),
        (owned(0, 1), vec![7, 208, 0x80, 1]),
        (owned(u128::MAX, 0), [&[7, 208, 16][..], &[255; 16]].concat()),
        (owned(u128::MAX, u32::MAX), [&[7, 208, 0x90][..], &[255; 16], &[255, 255, 255, 255, 15]].concat()),
    ];
    // Between an account of the school and an amount, as in a row.
    let around = |form: &[u8]| [&[3, 232, 0][..], form, &[18]].concat();
    for (credit, form) in table {
        let pending = Pending { debit: SCHOOL, credit, amount: Fen::new(9), expires_at: None };
        assert_eq!(pending.encode(), around(&form), "{credit:?}");
        assert_eq!(Pending::decode(&around(&form)), Ok(pending), "{credit:?}");
    }
    let bad: [(&str, Vec<u8>); 5] = [
        ("a zero in front of the owner", vec![7, 208, 2, 0, 1]),
        ("an owner of nothing but a zero", vec![7, 208, 1, 0]),
        ("an owner of 17 bytes", [&[7, 208, 17][..], &[255; 17]].concat()),
        ("a part that is said to follow and is 0", vec![7, 208, 0x81, 7, 0]),
        ("a part of more than 32 bits", vec![7, 208, 0x81, 7, 0x80, 0x80, 0x80, 0x80, 0x10]),
    ];
    for (what, form) in bad {
        assert_eq!(Pending::decode(&around(&form)), Err(CodecError::Unknown), "{what}");
    }
}

/// A row of which everything is left out that can be, and its bytes. The first of all identifiers, made at moment 0.
fn plain_row() -> (JournalRow, Vec<u8>) {
    let id = Id::time_ordered(Micros::new(0), [0; 8]);
    let row = JournalRow {
        seq: 10,
        id,
        kind: Kind::Direct,
        debit: SCHOOL,
        credit: PARTED,
        amount: Fen::new(9),
        ref_seq: 0,
        expires_at: None,
        debit_prev: 9,
        credit_prev: 0,
        debit_balance: Fen::new(-9),
        credit_balance: Fen::new(20),
        recorded_at: Micros::new(0),
        effective_at: Micros::new(0),
        code: 200,
        reference: Id::new(0),
    };
    let id = [0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    let rest = [3, 232, 0, 7, 208, 0x81, 7, 0xAC, 2, 18, 0, 2, 0, 17, 40, 0xC8, 1];
    (row, [&[0][..], &id, &rest].concat())
}

#[test]
fn a_journal_row_has_exactly_these_bytes() {
    let (plain, bytes) = plain_row();
    let with = |head: u8, more: &[u8]| [&[head][..], &bytes[1..], more].concat();
    let table = [
        (plain, bytes.clone()),
        (JournalRow { kind: Kind::Pend, ..plain }, with(1, &[])),
        (JournalRow { kind: Kind::Post, ..plain }, with(2, &[])),
        (JournalRow { kind: Kind::Void, ..plain }, with(3, &[])),
        (JournalRow { expires_at: Some(Micros::new(258)), ..plain }, with(4, &[0, 0, 0, 0, 0, 0, 1, 2])),
        (
            JournalRow { recorded_at: Micros::new(5), effective_at: Micros::new(5), ..plain },
            with(8, &[0, 0, 0, 0, 0, 0, 0, 5]),
        ),
        (JournalRow { effective_at: Micros::new(-3), ..plain }, with(16, &[5])),
        (JournalRow { reference: Id::new(1), ..plain }, with(32, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
    ];
    for (row, bytes) in &table {
        assert_eq!(row.encode(), *bytes, "{row:?}");
        assert_eq!(JournalRow::decode(10, bytes), Ok(*row), "{row:?}");
    }
    let bodies = Bodies::of(&table.each_ref().map(|(row, _)| *row));
    assert!(bodies.iter().eq(table.iter().map(|(_, bytes)| bytes.as_slice())), "one after the other");
    assert_eq!(Bodies::default().iter().count(), 0);
}

#[test]
fn a_row_with_a_field_that_could_have_been_left_out_is_no_row() {
    let (_, bytes) = plain_row();
    let with = |head: u8, more: &[u8]| [&[head][..], &bytes[1..], more].concat();
    let table: [(&str, Vec<u8>); 5] = [
        ("recorded when its identifier was made", with(8, &[0; 8])),
        ("effective when it was recorded", with(16, &[0])),
        ("belongs to nothing", with(32, &[0; 16])),
        ("a bit that says nothing", with(64, &[])),
        ("another bit that says nothing", with(128, &[])),
    ];
    for (what, bytes) in table {
        assert_eq!(JournalRow::decode(10, &bytes), Err(CodecError::Unknown), "{what}");
    }
    let mut reason = bytes.clone();
    reason.truncate(bytes.len() - 2);
    reason.extend([0x80, 0x80, 4]);
    assert_eq!(JournalRow::decode(10, &reason), Err(CodecError::Unknown), "a reason of more than 16 bits");
    let mut timeless = bytes;
    timeless[7] = 0;
    assert_eq!(JournalRow::decode(10, &timeless), Err(CodecError::Unknown), "nothing says when it was recorded");
}
