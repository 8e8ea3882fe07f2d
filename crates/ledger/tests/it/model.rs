//! The book against a second book-keeper: a list of what was taken, read from its first line for every question. It keeps no
//! sum, no map and no pointer, counts in `i128`, and uses nothing of the book's but the names of its types.

use ledger::{
    Account, AccountKey, Book, Fen, Id, JournalRow, Kind, Mark, Micros, Pending, PostRefusal, Stage, Transfer,
};
use proptest::prelude::*;

use crate::sample::{ACCOUNTS, All, NOW, Wish, all_of, transfer_of, wish};

const MOST: i128 = i64::MAX as i128;

/// One line: what was asked for, and when. Its place in the list is its sequence.
#[derive(Clone, Copy, Debug)]
struct Line {
    asked: Transfer,
    recorded_at: Micros,
}

impl Line {
    /// Fen that move for good.
    fn moved(&self) -> i128 {
        match self.asked.stage {
            Stage::Direct | Stage::Post(_) => i128::from(self.asked.amount.get()),
            _ => 0,
        }
    }

    /// Sequence of the pend it ends.
    fn ends(&self) -> Option<u64> {
        match self.asked.stage {
            Stage::Post(seq) | Stage::Void(seq) => Some(seq),
            _ => None,
        }
    }

    fn names(&self, key: &AccountKey) -> bool {
        self.asked.debit == *key || self.asked.credit == *key
    }
}

/// Everything that was taken, in order.
#[derive(Clone, Debug, Default)]
pub struct Lines(Vec<Line>);

impl Lines {
    fn head(&self) -> u64 {
        self.0.len() as u64
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, &Line)> {
        (1..).zip(&self.0)
    }

    /// Fen posted from and to an account.
    fn posted(&self, key: &AccountKey) -> (i128, i128) {
        let of = |side: fn(&Transfer) -> AccountKey| {
            self.0.iter().filter(|line| side(&line.asked) == *key).map(Line::moved).sum()
        };
        (of(|asked| asked.debit), of(|asked| asked.credit))
    }

    /// The pend at `seq`, unless a later line ended it.
    fn open(&self, seq: u64) -> Option<&Transfer> {
        let (_, line) = self.numbered().find(|(at, _)| *at == seq)?;
        let ended = self.0.iter().any(|line| line.ends() == Some(seq));
        (matches!(line.asked.stage, Stage::Pend | Stage::PendUntil(_)) && !ended).then_some(&line.asked)
    }

    /// Fen set aside from and to an account, without the pend at `but`.
    fn aside(&self, key: &AccountKey, but: u64) -> (i128, i128) {
        let of = |side: fn(&Transfer) -> AccountKey| {
            let open = self.numbered().filter(|(seq, _)| *seq != but).filter_map(|(seq, _)| self.open(seq));
            open.filter(|pend| side(pend) == *key).map(|pend| i128::from(pend.amount.get())).sum()
        };
        (of(|asked| asked.debit), of(|asked| asked.credit))
    }

    /// Sequence of the newest line that names the account.
    fn newest(&self, key: &AccountKey) -> u64 {
        self.numbered().filter(|(_, line)| line.names(key)).map(|(seq, _)| seq).last().unwrap_or(0)
    }

    fn balance(&self, key: &AccountKey) -> i128 {
        let (debits, credits) = self.posted(key);
        credits - debits
    }

    /// Every refusal whose condition holds, each looked at by itself, in the order in which [`PostRefusal`] tells them.
    pub fn refusals(&self, asked: &Transfer, now: Micros) -> Vec<PostRefusal> {
        let wanted = asked.amount;
        let amount = i128::from(wanted.get());
        let ends = Line { asked: *asked, recorded_at: now }.ends();
        let open = ends.and_then(|seq| self.open(seq));
        let pend = open.map(|pend| (pend.debit, pend.credit, pend.amount));
        let mut all = Vec::new();
        if amount < 1 {
            all.push(PostRefusal::AmountNotPositive);
        }
        if asked.debit == asked.credit {
            all.push(PostRefusal::SameAccount);
        }
        match (ends, pend) {
            (Some(seq), None) => all.push(PostRefusal::NotPending(seq)),
            (Some(seq), Some((debit, credit, pended))) => {
                if debit != asked.debit || credit != asked.credit {
                    all.push(PostRefusal::OtherAccounts(seq));
                }
                if matches!(asked.stage, Stage::Post(_)) && open.and_then(until).is_some_and(|at| at <= now) {
                    all.push(PostRefusal::Expired(seq));
                }
                if wanted > pended || (matches!(asked.stage, Stage::Void(_)) && wanted < pended) {
                    all.push(PostRefusal::OtherAmount { wanted, pended });
                }
            }
            (None, _) => {}
        }
        if matches!(asked.stage, Stage::Void(_)) {
            return all;
        }
        let left = self.balance(&asked.debit) - self.aside(&asked.debit, ends.unwrap_or(0)).0;
        if (2000..3000).contains(&asked.debit.code.0) && amount > left {
            let spendable = Fen::new(i64::try_from(left).expect("what a holder has can be counted"));
            all.push(PostRefusal::NotEnough { wanted, spendable });
        }
        let (debits, credits) = match asked.stage {
            Stage::Direct | Stage::Post(_) => (self.posted(&asked.debit).0, self.posted(&asked.credit).1),
            _ => (self.aside(&asked.debit, 0).0, self.aside(&asked.credit, 0).1),
        };
        if debits + amount > MOST || credits + amount > MOST {
            all.push(PostRefusal::TooLarge);
        }
        all
    }

    /// Takes it, or says why not.
    pub fn take(&mut self, asked: &Transfer, recorded_at: Micros) -> Result<(), PostRefusal> {
        match self.refusals(asked, recorded_at).first() {
            Some(refusal) => Err(*refusal),
            None => {
                self.0.push(Line { asked: *asked, recorded_at });
                Ok(())
            }
        }
    }

    /// The journal row that line `seq` must be.
    pub fn row(&self, seq: u64) -> JournalRow {
        let upto = |count: u64| Lines(self.0[..usize::try_from(count).expect("few")].to_vec());
        let (before, after) = (upto(seq - 1), upto(seq));
        let line = self.0[usize::try_from(seq - 1).expect("few")];
        let balance = |key| Fen::new(i64::try_from(after.balance(key)).expect("a balance can be counted"));
        JournalRow {
            seq,
            id: line.asked.id,
            kind: match line.asked.stage {
                Stage::Direct => Kind::Direct,
                Stage::Post(_) => Kind::Post,
                Stage::Void(_) => Kind::Void,
                _ => Kind::Pend,
            },
            debit: line.asked.debit,
            credit: line.asked.credit,
            amount: line.asked.amount,
            ref_seq: line.ends().unwrap_or(0),
            expires_at: until(&line.asked),
            debit_prev: before.newest(&line.asked.debit),
            credit_prev: before.newest(&line.asked.credit),
            debit_balance: balance(&line.asked.debit),
            credit_balance: balance(&line.asked.credit),
            recorded_at: line.recorded_at,
            effective_at: line.asked.effective_at,
            code: line.asked.code,
            reference: line.asked.reference,
        }
    }

    /// Every account that a line after the first `settled` ones names, in the order of keys.
    fn named(&self, settled: usize) -> Vec<AccountKey> {
        let lines = self.0[settled..].iter();
        let mut keys: Vec<AccountKey> = lines.flat_map(|line| [line.asked.debit, line.asked.credit]).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// The sums of these accounts.
    fn sums(&self, keys: Vec<AccountKey>) -> Vec<(AccountKey, Account)> {
        keys.into_iter().map(|key| (key, self.account(&key))).collect()
    }

    fn account(&self, key: &AccountKey) -> Account {
        let fen = |sum: i128| Fen::new(i64::try_from(sum).expect("a sum can be counted"));
        let ((debits, credits), (debits_aside, credits_aside)) = (self.posted(key), self.aside(key, 0));
        Account {
            debits_posted: fen(debits),
            credits_posted: fen(credits),
            debits_pending: fen(debits_aside),
            credits_pending: fen(credits_aside),
            last_seq: self.newest(key),
        }
    }

    fn pendings(&self) -> Vec<(u64, Pending)> {
        let pending = |pend: &Transfer| Pending {
            debit: pend.debit,
            credit: pend.credit,
            amount: pend.amount,
            expires_at: until(pend),
        };
        self.numbered().filter_map(|(seq, _)| Some((seq, pending(self.open(seq)?)))).collect()
    }

    /// Everything that can be seen of a book that took these lines.
    fn all(&self) -> All {
        (self.head(), self.sums(self.named(0)), self.pendings())
    }

    fn cut(&mut self, head: usize) {
        self.0.truncate(head);
    }
}

fn until(asked: &Transfer) -> Option<Micros> {
    match asked.stage {
        Stage::PendUntil(at) => Some(at),
        _ => None,
    }
}

/// What a test does with the book.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Posts a wish, so many microseconds after the one before, effective so long before or after.
    Post(Wish, u32, i32, u16),
    /// Spends, or sets aside, exactly what an account has left, and so many fen more.
    Edge {
        debit: usize,
        credit: usize,
        pend: bool,
        more: i64,
    },
    Mark,
    /// Takes back everything since one of the marks.
    Rollback(prop::sample::Index),
    Settle,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => (wish(), any::<u32>(), any::<i32>(), any::<u16>())
            .prop_map(|(wish, later, effective, code)| Deed::Post(wish, later, effective, code)),
        4 => (0..ACCOUNTS.len(), 0..ACCOUNTS.len(), any::<bool>(), -1_i64..=1)
            .prop_map(|(debit, credit, pend, more)| Deed::Edge { debit, credit, pend, more }),
        3 => Just(Deed::Mark),
        2 => any::<prop::sample::Index>().prop_map(Deed::Rollback),
        1 => Just(Deed::Settle),
    ]
}

/// A book and the lines, driven together.
struct Both {
    book: Book,
    lines: Lines,
    now: Micros,
    /// Pends that were ever taken, also those that were taken back.
    pended: Vec<(u64, Pending)>,
    marks: Vec<(Mark, usize)>,
    settled: usize,
    start: Mark,
    /// What happened, to be sure that it does.
    taken: usize,
    refused: usize,
    taken_back: usize,
}

impl Both {
    fn new() -> Both {
        let book = Book::new();
        Both {
            start: book.mark(),
            book,
            lines: Lines::default(),
            now: NOW,
            pended: Vec::new(),
            marks: Vec::new(),
            settled: 0,
            taken: 0,
            refused: 0,
            taken_back: 0,
        }
    }

    fn post(&mut self, wish: Wish, later: u32, effective: i32, code: u16) {
        self.now = Micros::new(self.now.get() + i64::from(later));
        let number = u128::from(self.lines.head()) + u128::from(later);
        let wished = transfer_of(wish, &self.pended);
        let stage = match wished.stage {
            // Minutes from now, where times between deeds are of minutes too.
            Stage::PendUntil(at) => Stage::PendUntil(Micros::new(self.now.get() + at.since(NOW) * 100_000_000)),
            stage => stage,
        };
        let asked = Transfer {
            id: Id::new(number << 64 | 7),
            stage,
            effective_at: Micros::new(self.now.get() + i64::from(effective)),
            code,
            reference: Id::new(number),
            ..wished
        };
        let expected = self.lines.take(&asked, self.now).map(|()| self.lines.row(self.lines.head()));
        assert_eq!(self.book.post(&asked, self.now), expected, "{asked:?}");
        match expected {
            Ok(row) => {
                self.taken += 1;
                if row.kind == Kind::Pend {
                    let JournalRow { debit, credit, amount, expires_at, .. } = row;
                    let pending = Pending { debit, credit, amount, expires_at };
                    self.pended.push((row.seq, pending));
                }
            }
            Err(_) => self.refused += 1,
        }
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Post(wish, later, effective, code) => self.post(wish, later, effective, code),
            Deed::Edge { debit, credit, pend, more } => {
                let left = self.lines.balance(&ACCOUNTS[debit]) - self.lines.aside(&ACCOUNTS[debit], 0).0;
                let fen = i64::try_from(left).unwrap_or(0).saturating_add(more);
                let wish = match pend {
                    true => Wish::Pend { debit, credit, fen },
                    false => Wish::Direct { debit, credit, fen },
                };
                self.post(wish, 1, 0, 1);
            }
            Deed::Mark => self.marks.push((self.book.mark(), self.lines.0.len())),
            Deed::Rollback(at) => {
                if !self.marks.is_empty() {
                    let at = at.index(self.marks.len());
                    let (mark, head) = self.marks[at];
                    self.taken_back += self.lines.0.len() - head;
                    self.book.rollback(mark);
                    self.lines.cut(head);
                    self.marks.truncate(at + 1);
                }
            }
            Deed::Settle => {
                self.book.settle_all();
                self.start = self.book.mark();
                self.settled = self.lines.0.len();
                self.marks.clear();
            }
        }
        self.compare();
    }

    fn compare(&self) {
        assert_eq!(all_of(&self.book), self.lines.all());
        for key in &ACCOUNTS {
            let (account, own) = (self.book.account(key), self.lines.account(key));
            assert_eq!(account, own);
            let balance = self.lines.balance(key);
            assert_eq!(i128::from(account.balance().get()), balance);
            if (2000..3000).contains(&key.code.0) {
                let left = balance - self.lines.aside(key, 0).0;
                assert!(left >= 0, "{key:?} is below nothing");
                assert_eq!(i128::from(account.spendable().get()), left);
            }
            assert!(account.within(key.code));
        }
        assert_eq!(ACCOUNTS.iter().map(|key| self.lines.balance(key)).sum::<i128>(), 0, "money was made or lost");
        let changed = self.lines.sums(self.lines.named(self.settled));
        let places = self.book.changed(self.start).into_iter();
        let mut own: Vec<_> = places.map(|slot| *self.book.accounts().at(slot).expect("a place")).collect();
        own.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!(own, changed);
        let over = |(_, pending): &(u64, Pending)| pending.expires_at.is_some_and(|at| at <= self.now);
        let mut expired: Vec<_> = self.lines.pendings().into_iter().filter(over).collect();
        expired.sort_unstable_by_key(|(seq, pending)| (pending.expires_at, *seq));
        expired.truncate(2);
        assert_eq!(self.book.expired(self.now, 2), expired);
        for seq in 0..=self.lines.head() + 1 {
            let open = self.lines.pendings().into_iter().find(|(at, _)| *at == seq).map(|(_, pending)| pending);
            assert_eq!(self.book.pending(seq), open);
        }
    }

    /// Rows as the lines make them, not as the book gave them, are taken by another book: from nothing, and from a
    /// checkpoint after any of them.
    fn replay(&self, cut: u64) {
        let mut again = Book::new();
        for seq in 1..=self.lines.head() {
            assert_eq!(again.replay(&self.lines.row(seq)), Ok(()));
        }
        assert_eq!(all_of(&again), self.lines.all());
        let mut early = self.lines.clone();
        early.cut(usize::try_from(cut).expect("few"));
        let mut later = Book::restore(early.sums(early.named(0)), early.pendings(), early.head());
        for seq in cut + 1..=self.lines.head() {
            assert_eq!(later.replay(&self.lines.row(seq)), Ok(()));
        }
        assert_eq!(all_of(&later), self.lines.all());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_book_agrees_with_a_list_that_is_read_from_its_first_line(
        deeds in proptest::collection::vec(deed(), 1..70),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut both = Both::new();
        for deed in deeds {
            both.act(deed);
        }
        let heads = usize::try_from(both.lines.head() + 1).expect("few");
        both.replay(cut.index(heads) as u64);
    }
}

#[test]
fn what_is_drawn_takes_refuses_and_takes_back_often_enough_to_show_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut taken, mut refused, mut taken_back) = (0, 0, 0);
    let mut kinds: Vec<PostRefusal> = Vec::new();
    for _ in 0..150 {
        let mut both = Both::new();
        let deeds = proptest::collection::vec(deed(), 60).new_tree(&mut runner).expect("draws").current();
        for deed in deeds {
            if let Deed::Post(wish, ..) = deed {
                let first = both.lines.refusals(&transfer_of(wish, &both.pended), both.now).into_iter().next();
                kinds.extend(first.filter(|one| !kinds.iter().any(|other| name(other) == name(one))));
            }
            both.act(deed);
        }
        (taken, refused, taken_back) = (taken + both.taken, refused + both.refused, taken_back + both.taken_back);
    }
    assert!(
        taken > 1_500 && refused > 1_000 && taken_back > 300,
        "{taken} taken, {refused} refused, {taken_back} back"
    );
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

/// The refusal without its numbers.
pub fn name(refusal: &PostRefusal) -> &'static str {
    match refusal {
        PostRefusal::AmountNotPositive => "AmountNotPositive",
        PostRefusal::SameAccount => "SameAccount",
        PostRefusal::NotPending(_) => "NotPending",
        PostRefusal::OtherAccounts(_) => "OtherAccounts",
        PostRefusal::Expired(_) => "Expired",
        PostRefusal::OtherAmount { .. } => "OtherAmount",
        PostRefusal::NotEnough { .. } => "NotEnough",
        PostRefusal::TooLarge => "TooLarge",
        PostRefusal::NotReplayable(_) => "NotReplayable",
    }
}
