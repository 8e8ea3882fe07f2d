//! The reporting table says what the journal says, month by month, however it is fed.

use ledger::{AccountKey, Fen, Micros, Stage};
use proptest::prelude::*;
use rules::calendar::CampusMonth;
use rusqlite::Connection;
use store::sqlite::reports::{REPORTS_FILE, ReportFault, ReportReader, ReportWriter};

use crate::place::{Folder, InMemory, Place, school};
use crate::scribe::{BANK, Scribe, holder};

/// Campus months and the seconds at which they begin, written down by hand.
const MONTHS: [(&str, i64); 5] = [
    ("2026-09", 1_788_192_000),
    ("2026-10", 1_790_784_000),
    ("2026-11", 1_793_462_400),
    ("2026-12", 1_796_054_400),
    ("2027-01", 1_798_732_800),
];

fn month(text: &str) -> CampusMonth {
    CampusMonth::parse(text).expect("a month")
}

/// What a step of a random history does; numbers choose among what is possible.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Bank, or holder if there is one with money, to a holder or back.
    Direct(u8, u8, u16),
    Pend(u8, u8, u16),
    /// Posts a part, in tenths, of an open pend.
    Post(u8, u8),
    Void(u8),
    /// A block without rows.
    Nothing,
    /// So many hours go by.
    Wait(u16),
    /// To the last microsecond of the month.
    LastMoment,
    /// Some of the journal is taken.
    Feed(u8),
    /// The feeding process ends and another begins.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<(u8, u8, u16)>().prop_map(|(debit, credit, fen)| Step::Direct(debit, credit, fen)),
        4 => any::<(u8, u8, u16)>().prop_map(|(debit, credit, fen)| Step::Pend(debit, credit, fen)),
        3 => (any::<u8>(), 1_u8..=10).prop_map(|(pick, tenths)| Step::Post(pick, tenths)),
        2 => any::<u8>().prop_map(Step::Void),
        1 => Just(Step::Nothing),
        3 => (0_u16..300).prop_map(Step::Wait),
        1 => Just(Step::LastMoment),
        2 => (1_u8..9).prop_map(Step::Feed),
        1 => Just(Step::Restart),
    ]
}

/// The journal as the test itself keeps it: lines of signed amounts, added up anew for each question.
#[derive(Default)]
struct Paper {
    /// Account, second of recording, what moved, what was set aside.
    lines: Vec<(AccountKey, i64, i128, i128)>,
    /// Open pends: sequence, giver, receiver, amount.
    open: Vec<(u64, AccountKey, AccountKey, i64)>,
    seq: u64,
}

impl Paper {
    fn sum(&self, of: AccountKey) -> i128 {
        self.lines.iter().filter(|line| line.0 == of).map(|line| line.2).sum()
    }

    fn pended(&self, of: AccountKey) -> i128 {
        self.open.iter().filter(|pend| pend.1 == of).map(|pend| i128::from(pend.3)).sum()
    }

    /// The step as a transfer that the book takes; `None` when there is none.
    fn transfer(&self, step: Step) -> Option<(Stage, AccountKey, AccountKey, i64)> {
        let account = |pick: u8| if pick.is_multiple_of(4) { BANK } else { holder(u128::from(pick % 4)) };
        match step {
            Step::Direct(debit, credit, fen) | Step::Pend(debit, credit, fen) => {
                let (debit, credit) = (account(debit), account(credit));
                let left = self.sum(debit) - self.pended(debit);
                let fits = debit == BANK || i128::from(fen) <= left;
                let stage = if matches!(step, Step::Pend(..)) { Stage::Pend } else { Stage::Direct };
                (debit != credit && fen > 0 && fits).then_some((stage, debit, credit, i64::from(fen)))
            }
            Step::Post(pick, tenths) => {
                let (seq, debit, credit, fen) = *self.open.get(usize::from(pick) % self.open.len().max(1))?;
                Some((Stage::Post(seq), debit, credit, (fen * i64::from(tenths) / 10).max(1)))
            }
            Step::Void(pick) => {
                let (seq, debit, credit, fen) = *self.open.get(usize::from(pick) % self.open.len().max(1))?;
                Some((Stage::Void(seq), debit, credit, fen))
            }
            _ => None,
        }
    }

    fn write(&mut self, at: Micros, (stage, debit, credit, fen): (Stage, AccountKey, AccountKey, i64)) {
        self.seq += 1;
        let (second, fen_wide) = (at.get() / 1_000_000, i128::from(fen));
        let (moved, aside) = match stage {
            Stage::Direct => (fen_wide, 0),
            Stage::Post(seq) => (fen_wide, -self.close(seq)),
            Stage::Void(seq) => (0, -self.close(seq)),
            _ => {
                self.open.push((self.seq, debit, credit, fen));
                (0, fen_wide)
            }
        };
        self.lines.push((debit, second, -moved, -aside));
        self.lines.push((credit, second, moved, aside));
    }

    fn close(&mut self, seq: u64) -> i128 {
        let at = self.open.iter().position(|pend| pend.0 == seq).expect("it is open");
        i128::from(self.open.remove(at).3)
    }

    /// Opening, debits, credits, closing, count of a month.
    fn month(&self, of: AccountKey, from: i64, to: i64) -> (i128, i128, i128, i128, u64) {
        let before: i128 = self.lines.iter().filter(|line| line.0 == of && line.1 < from).map(|line| line.2).sum();
        let within: Vec<i128> = self
            .lines
            .iter()
            .filter(|line| line.0 == of && (from..to).contains(&line.1) && line.2 != 0)
            .map(|line| line.2)
            .collect();
        let debits: i128 = within.iter().filter(|amount| **amount < 0).map(|amount| -amount).sum();
        let credits: i128 = within.iter().filter(|amount| **amount > 0).sum();
        (before, debits, credits, before + within.iter().sum::<i128>(), within.len() as u64)
    }
}

fn wide(fen: Fen) -> i128 {
    i128::from(fen.get())
}

/// Takes all that is there, in chunks of one block.
fn feed_all(writer: &mut ReportWriter, place: &InMemory) {
    while !writer.feed(place.archive().as_mut(), 1).expect("feeds").complete {}
}

fn agree(folder: &Folder, place: &InMemory, paper: &Paper) {
    let reader = ReportReader::open(folder.path(), school()).expect("opens");
    let accounts = [BANK, holder(1), holder(2), holder(3)];
    for (at, (name, from)) in MONTHS.iter().enumerate() {
        let to = MONTHS.get(at + 1).map_or(i64::MAX, |(_, begins)| *begins);
        let month = month(name);
        for account in accounts {
            let kept = reader.month_of(&account, month).expect("reads");
            let found = (wide(kept.opening), wide(kept.debits), wide(kept.credits), wide(kept.closing), kept.count);
            assert_eq!(found, paper.month(account, *from, to), "{name} of {account:?}");
            let movements = reader.movements(&account, month).expect("reads");
            let lines = paper.lines.iter().filter(|line| line.0 == account && (*from..to).contains(&line.1));
            let expected: Vec<_> = lines.map(|line| (line.2, line.3)).collect();
            let found: Vec<_> = movements.iter().map(|line| (wide(line.amount), wide(line.set_aside))).collect();
            assert_eq!(found, expected, "{name} of {account:?}");
            assert!(movements.iter().map(|line| line.seq).is_sorted_by(|one, next| one < next));
            if let Some(last) = movements.last() {
                assert_eq!(last.balance, kept.closing);
            }
        }
        let (position, trial) = reader.trial_balance(month).expect("adds up");
        assert_eq!(position.head.seq, paper.seq);
        let sum = |pick: fn(&store::sqlite::reports::CodeTotal) -> Fen| trial.iter().map(|line| wide(pick(line))).sum();
        let (opening, debits, credits, closing): (i128, i128, i128, i128) =
            (sum(|line| line.opening), sum(|line| line.debits), sum(|line| line.credits), sum(|line| line.closing));
        assert_eq!((opening, closing, debits), (0, 0, credits), "{name} does not add up to nothing");
        let holders = (1..=3).map(|number| paper.month(holder(number), *from, to).3).sum::<i128>();
        assert_eq!(trial.iter().find(|line| line.code.0 == 2000).map_or(0, |line| wide(line.closing)), holders);
        let mut read = 0;
        let told = reader.check_month(place.archive().as_mut(), month, &mut |done, _| read = done).expect("compares");
        assert_eq!(told, Vec::<String>::new());
        assert!(read == paper.seq || to < i64::MAX, "the check of the last month reads the whole journal");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn monthly_totals_equal_those_added_up_from_the_journal(steps in proptest::collection::vec(step(), 1..90)) {
        let (place, folder) = (InMemory::new(), Folder::new());
        let mut store = place.open();
        let (mut scribe, mut paper) = (Scribe::new(), Paper::default());
        let mut writer = ReportWriter::open(folder.path(), school()).expect("opens");
        for step in steps {
            match step {
                // Not past the last of the months that stand above.
                Step::Wait(hours) if scribe.at.seconds() < 1_800_000_000 => {
                    scribe.at = scribe.at.after_seconds(i64::from(hours) * 3600);
                }
                Step::Wait(_) => {}
                Step::LastMoment => {
                    let now = scribe.at.seconds();
                    if let Some((_, begins)) = MONTHS.iter().find(|(_, begins)| *begins > now + 2) {
                        // A batch is recorded a second later than the scribe's time.
                        scribe.at = Micros::new((begins - 1) * 1_000_000 - 1);
                    }
                }
                Step::Feed(blocks) => {
                    let fed = writer.feed(place.archive().as_mut(), u32::from(blocks)).expect("feeds");
                    prop_assert!(!fed.anew);
                }
                Step::Restart => {
                    drop(writer);
                    writer = ReportWriter::open(folder.path(), school()).expect("opens again");
                }
                Step::Nothing => {
                    let batch = scribe.batch(&[]);
                    scribe.commit(&mut store, batch).expect("commits");
                }
                money => {
                    if let Some(transfer) = paper.transfer(money) {
                        let batch = scribe.batch(&[transfer]);
                        scribe.commit(&mut store, batch).expect("commits");
                        paper.write(scribe.at, transfer);
                    }
                }
            }
        }
        feed_all(&mut writer, &place);
        agree(&folder, &place, &paper);
    }
}

/// A small book of three months: a top-up, a pend posted in part in the next month, a pend voided in the one after.
pub fn three_months(store: &mut impl teller::Store) -> Scribe {
    let mut scribe = Scribe::new();
    let mut take = |seconds: i64, transfers: &[(Stage, AccountKey, AccountKey, i64)]| {
        scribe.at = Micros::from_seconds(seconds - 1);
        let batch = scribe.batch(transfers);
        scribe.commit(store, batch).expect("commits");
    };
    take(1_790_783_998, &[(Stage::Direct, BANK, holder(1), 10_000), (Stage::Pend, holder(1), holder(2), 3_000)]);
    take(1_790_784_000, &[(Stage::Post(2), holder(1), holder(2), 1_234), (Stage::Pend, holder(1), BANK, 500)]);
    take(1_793_462_400, &[(Stage::Void(4), holder(1), BANK, 500)]);
    scribe
}

#[test]
fn a_pend_shows_where_it_is_made_and_moves_money_in_the_month_of_its_post() {
    let (place, folder) = (InMemory::new(), Folder::new());
    three_months(&mut place.open());
    feed_all(&mut ReportWriter::open(folder.path(), school()).expect("opens"), &place);
    let raw = Connection::open(folder.path().join(REPORTS_FILE)).expect("opens");
    let sql = "SELECT seq || ' ' || recorded || ' ' || kind || ' ' || amount || ' ' || set_aside || ' ' || balance \
        FROM statement WHERE code = 2000 AND owner LIKE '%1' ORDER BY seq";
    let mut read = raw.prepare(sql).expect("reads");
    let lines: Vec<String> =
        read.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("reads");
    let expected = [
        "1 2026-09-30 23:59:58 direct 100.00 0.00 100.00",
        "2 2026-09-30 23:59:58 pend 0.00 -30.00 100.00",
        "3 2026-10-01 00:00:00 post -12.34 30.00 87.66",
        "4 2026-10-01 00:00:00 pend 0.00 -5.00 87.66",
        "5 2026-11-01 00:00:00 void 0.00 5.00 87.66",
    ];
    assert_eq!(lines, expected);
    let sql = "SELECT month || ' ' || opening || ' ' || debits || ' ' || credits || ' ' || closing || ' ' || count \
        FROM month_statement WHERE code = 2000 ORDER BY owner, month";
    let mut read = raw.prepare(sql).expect("reads");
    let lines: Vec<String> =
        read.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("reads");
    assert_eq!(
        lines,
        ["2026-09 0.00 0.00 100.00 100.00 1", "2026-10 100.00 12.34 0.00 87.66 1", "2026-10 0.00 0.00 12.34 12.34 1"]
    );
}

#[test]
fn a_table_that_is_not_there_is_said_to_be_missing_and_a_second_writer_waits() {
    let folder = Folder::new();
    let missing = ReportReader::open(folder.path(), school()).err().expect("there is none");
    assert!(matches!(missing, ReportFault::Missing { .. }) && missing.to_string().contains("onecard report"));
    let writer = ReportWriter::open(folder.path(), school()).expect("opens");
    let second = ReportWriter::open(folder.path(), school()).err().expect("there is one");
    assert!(matches!(second, ReportFault::InUse { .. }), "{second}");
    assert_eq!(
        ReportReader::open(folder.path(), school()).expect("opens").position().expect("reads"),
        Default::default()
    );
    let other = ledger::SchoolId::new(8).expect("a school");
    assert!(matches!(ReportReader::open(folder.path(), other), Err(ReportFault::Missing { .. })));
    drop(writer);
    drop(ReportWriter::open(folder.path(), other).expect("is made for the other school"));
    assert!(ReportReader::open(folder.path(), other).is_ok());
    let path = folder.path().join("nowhere");
    assert!(matches!(ReportWriter::open(&path, school()), Err(ReportFault::File { .. })));
}

/// Newest and next row by hand, from what `three_months` writes.
#[test]
fn rows_around_a_moment_are_named() {
    let (place, folder) = (InMemory::new(), Folder::new());
    three_months(&mut place.open());
    feed_all(&mut ReportWriter::open(folder.path(), school()).expect("opens"), &place);
    let reader = ReportReader::open(folder.path(), school()).expect("opens");
    let around = |account, seconds| {
        let found = reader.around(&account, Micros::from_seconds(seconds)).expect("reads");
        (found.last, found.next)
    };
    assert_eq!(around(holder(1), 0), (0, Some(1)));
    assert_eq!(around(holder(1), 1_790_783_997), (0, Some(1)));
    assert_eq!(around(holder(1), 1_790_783_998), (2, Some(3)));
    assert_eq!(around(holder(1), 1_793_462_399), (4, Some(5)));
    assert_eq!(around(holder(1), 1_793_462_400), (5, None));
    assert_eq!(around(holder(2), 1_793_462_400), (3, None));
    assert_eq!(around(holder(9), 1_793_462_400), (0, None));
}
