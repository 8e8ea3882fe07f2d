use ledger::{AccountCode, Book, Change, Id, Micros, Stage, Transfer};
use store::verify::{Found, GuardRow, KeptAccount, KeptPending, KeptPlace};
use teller::StoreError;

use super::*;

/// A disk of paper, to be scribbled on.
#[derive(Clone, Default)]
struct Paper {
    blocks: Vec<Block>,
    rows: Vec<JournalRow>,
    guards: Vec<(Vec<u8>, Vec<u8>, Half)>,
}

impl Archive for Paper {
    fn freeze(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
    fn replay_from(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
    fn blocks(&mut self, after: u64, most: u32) -> Result<Vec<Found<Block>>, StoreError> {
        let most = usize::try_from(most).expect("fits");
        Ok(self.blocks.iter().filter(|block| block.no > after).take(most).cloned().map(Ok).collect())
    }
    fn journal(&mut self, from: u64, to: u64, most: u32) -> Result<Vec<Found<JournalRow>>, StoreError> {
        let most = usize::try_from(most).expect("fits");
        let rows = self.rows.iter().filter(|row| from <= row.seq && row.seq <= to);
        Ok(rows.take(most).copied().map(Ok).collect())
    }
    fn accounts(&mut self, _: &mut dyn FnMut(Found<KeptAccount>)) -> Result<(), StoreError> {
        Ok(())
    }
    fn pendings(&mut self, _: &mut dyn FnMut(Found<KeptPending>)) -> Result<(), StoreError> {
        Ok(())
    }
    fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(vec![TABLE.to_owned()])
    }
    fn guard_rows(&mut self, _: &str, each: &mut dyn FnMut(GuardRow<'_>)) -> Result<(), StoreError> {
        for (key, body, digest) in &self.guards {
            each(GuardRow { key, body, digest });
        }
        Ok(())
    }
    fn places(&mut self, _: &mut dyn FnMut(Found<KeptPlace<'_>>)) -> Result<(), StoreError> {
        Ok(())
    }
    fn engine_check(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
    fn strays(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

const TABLE: &str = "order";

fn school() -> SchoolId {
    SchoolId::new(1).expect("a school's number")
}

const fn account(code: u16, owner: u128) -> AccountKey {
    AccountKey::new(AccountCode(code), owner)
}

const BANK: AccountKey = account(1100, 0);
const HOLDER: AccountKey = account(2200, 7);
const CARD: AccountKey = account(2300, 7);

/// Three blocks: money comes in; some of it is set aside; it is posted. Each wrote a guard row, the last one deleted one.
fn paper() -> (Paper, Book) {
    let (mut book, mut paper) = (Book::new(), Paper::default());
    let steps = [
        (BANK, HOLDER, 500, Stage::Direct, vec![(b"a", Some(b"one"))]),
        (HOLDER, CARD, 300, Stage::Pend, vec![(b"b", Some(b"two"))]),
        (HOLDER, CARD, 300, Stage::Post(2), vec![(b"a", Some(b"ten")), (b"b", None)]),
    ];
    for ((debit, credit, amount, stage, wrote), no) in steps.into_iter().zip(1_u64..) {
        let at = Micros::from_seconds(1000 + i64::try_from(no).expect("small"));
        let (id, effective_at, reference) = (Id::new(u128::from(no)), at, Id::new(9));
        let transfer =
            Transfer { id, debit, credit, amount: Fen::new(amount), stage, effective_at, code: 1, reference };
        let row = book.post(&transfer, at).expect("goes");
        let mut changes = Vec::new();
        for (key, body) in wrote {
            let (name, content) = form::guard_row(TABLE, key, body.map(|body| body.as_slice()));
            changes.push(Change { key: name, content });
            paper.guards.retain(|(other, _, _)| other != key);
            paper.guards.extend(body.map(|body| (key.to_vec(), body.to_vec(), content)));
        }
        paper.rows.push(row);
        paper.blocks.push(Block { no, first_seq: no, rows: 1, at, changes, link: [0; 32] });
    }
    link_anew(&mut paper);
    (paper, book)
}

/// As somebody would who knows how the chain is made.
fn link_anew(paper: &mut Paper) {
    let mut before = [0; 32];
    for block in &mut paper.blocks {
        let rows = paper.rows.iter().filter(|row| row.seq >= block.first_seq).take(1).copied().collect::<Vec<_>>();
        block.link = form::link(school(), &before, block, &rows);
        before = block.link;
    }
}

fn read(paper: &Paper) -> Result<Replay, String> {
    let mut replay = Replay::default();
    replay.catch_up(school(), &mut paper.clone())?;
    replay.guard_rows(&mut paper.clone())?;
    Ok(replay)
}

#[test]
fn i7_an_untouched_book_reads_as_the_engine_has_it() {
    let (paper, book) = paper();
    let replay = read(&paper).expect("sound");
    assert_eq!(replay.same_book(book.accounts().sorted().into_iter(), book.pendings()), Ok(()));
    assert_eq!(replay.same_pages(|key| book.account(key)), Ok(()));
    let less = Account { credits_posted: Fen::new(499), ..book.account(&HOLDER) };
    let other = |key: &AccountKey| if *key == HOLDER { less } else { book.account(key) };
    assert!(replay.same_pages(other).is_err_and(|why| why.contains("what pages show")));
}

#[test]
fn i7_every_scribble_is_told() {
    type Scribble = fn(&mut Paper);
    let table: [(&str, Scribble, bool, &str); 13] = [
        ("an amount", |paper| paper.rows[0].amount = Fen::new(501), false, "has the link"),
        ("a time", |paper| paper.blocks[1].at = Micros::from_seconds(1), false, "before the block before it"),
        ("a middle block", |paper| drop(paper.blocks.remove(1)), false, "due is (2, 2, 1)"),
        ("a middle row", |paper| paper.rows.retain(|row| row.seq != 2), false, "due is"),
        ("a row behind the end", |paper| drop(paper.blocks.pop()), false, "in no block"),
        ("what a row remembers", |paper| paper.rows[1].debit_prev = 0, true, "were named before"),
        (
            "more than was set aside",
            |paper| paper.rows[2].amount = Fen::new(301),
            true,
            "ends what row 2 does not keep",
        ),
        ("what was never set aside", |paper| paper.rows[2].ref_seq = 1, true, "ends what row 1 does not keep"),
        ("when a row was taken", |paper| paper.rows[1].recorded_at = Micros::from_seconds(5), true, "was recorded at"),
        ("a guard row", |paper| paper.guards[0].1 = b"eleven".to_vec(), false, "the chain last saw"),
        ("the digest beside it", |paper| paper.guards[0].2 = [1; 16], false, "another digest beside it"),
        ("a guard row gone", |paper| paper.guards.clear(), false, "0 guard rows stand, the chain names 1"),
        ("a row that was deleted", |paper| paper.guards.push((b"b".to_vec(), b"two".to_vec(), [0; 16])), false, "saw"),
    ];
    for (what, scribble, linked, why) in table {
        let (mut paper, _) = paper();
        scribble(&mut paper);
        if linked {
            link_anew(&mut paper);
        }
        let told = read(&paper).expect_err(what);
        assert!(told.contains(why), "{what}: {told}");
    }
}

#[test]
fn m5_a_checkpoint_with_its_tail_must_be_the_whole_journal() {
    let (paper, book) = paper();
    let replay = read(&paper).expect("sound");
    let last = paper.blocks.last().expect("three");
    let whole = Recovered {
        accounts: book.accounts().sorted().into_iter().map(|(key, account)| (*key, *account)).collect(),
        block: (3, last.link),
        at: last.at,
        ..Recovered::default()
    };
    let from_nothing = Recovered { accounts: Vec::new(), tail: paper.rows.clone(), ..whole.clone() };
    // An account row may be newer than the point from which the journal is replayed.
    let overlapping = Recovered { tail: paper.rows.clone(), ..whole.clone() };
    for given in [&whole, &from_nothing, &overlapping] {
        assert_eq!(replay.same_snapshot(given), Ok(()));
    }
    let late = Recovered { tail: paper.rows[1..].to_vec(), ..from_nothing.clone() };
    let short = Recovered { tail: paper.rows[..2].to_vec(), ..from_nothing };
    let lacking = Recovered { accounts: whole.accounts[1..].to_vec(), ..whole.clone() };
    let behind = Recovered { block: (2, paper.blocks[1].link), ..whole };
    for given in [&late, &short, &lacking, &behind] {
        assert!(replay.same_snapshot(given).is_err(), "{given:?}");
    }
}
