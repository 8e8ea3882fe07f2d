use std::collections::BTreeMap;
use std::iter::Peekable;

use ledger::{
    Account, AccountKey, Block, Bodies, Book, Digest, Fen, JournalRow, Micros, Pending, SchoolId, chain_link,
    row_digest,
};
use teller::StoreError;

use super::{Found, GuardRow, Head, KeptAccount, KeptPending, Report, Unreadable, name_of};
use crate::hex;

/// More rows than any batch has; a block that claims more is damaged.
const MOST_ROWS_OF_BLOCK: u32 = 1 << 20;

/// The newest thing that the chain says of a guard row.
struct Newest {
    content: [u8; 16],
    block: u64,
}

/// What has been checked so far. Pure: it is handed rows and keeps findings.
pub(super) struct Check {
    school: SchoolId,
    report: Report,
    book: Book,
    /// The first journal row that did not follow; from there on balances are unknown.
    broken: Option<u64>,
    next_seq: u64,
    next_block: u64,
    /// Where the next block must begin, unless the one before could not be read.
    next_first: Option<u64>,
    /// Link of the block before, unless it is lost.
    before: Option<Digest>,
    last_at: Micros,
    newest: BTreeMap<[u8; 16], Newest>,
    anchors: BTreeMap<u64, Head>,
    compared: bool,
    /// Account rows that contain some of the tail: compared when the replay has come to the same row.
    later: BTreeMap<AccountKey, Account>,
}

impl Check {
    pub(super) fn new(school: SchoolId, anchors: &[Head]) -> Check {
        Check {
            school,
            report: Report::default(),
            book: Book::new(),
            broken: None,
            next_seq: 1,
            next_block: 1,
            next_first: Some(1),
            before: Some([0; 32]),
            last_at: Micros::new(i64::MIN),
            newest: BTreeMap::new(),
            anchors: anchors.iter().map(|anchor| (anchor.block, *anchor)).collect(),
            compared: false,
            later: BTreeMap::new(),
        }
    }

    pub(super) fn finding(&mut self, finding: String) {
        self.report.add(finding);
    }

    pub(super) const fn head(&self) -> u64 {
        self.book.head()
    }

    pub(super) const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Sequence of the block's last row; of the row before it when it has none.
    pub(super) fn last_of(block: &Block) -> u64 {
        block.first_seq.saturating_add(u64::from(block.rows)).saturating_sub(1)
    }

    const fn believes(&self, block: &Block) -> bool {
        block.rows <= MOST_ROWS_OF_BLOCK
    }

    pub(super) fn believable(&mut self, block: &Block) -> bool {
        let believable = self.believes(block);
        if !believable {
            self.finding(format!("block {} claims {} journal rows", block.no, block.rows));
        }
        believable
    }

    pub(super) fn unreadable_block(&mut self, unreadable: &Unreadable) {
        self.blocks_missing(unreadable.at);
        self.finding(format!("{}: {}", unreadable.row, unreadable.why));
        self.next_block = unreadable.at.saturating_add(1);
        (self.next_first, self.before) = (None, None);
    }

    fn blocks_missing(&mut self, no: u64) {
        if no <= self.next_block {
            return;
        }
        let last = no.saturating_sub(1);
        self.finding(match last == self.next_block {
            true => format!("block {last} is missing"),
            false => format!("blocks {} to {last} are missing", self.next_block),
        });
        (self.next_first, self.before) = (None, None);
    }

    /// A block and those of its rows that could be read.
    pub(super) fn block(&mut self, block: &Block, rows: &[JournalRow]) {
        let no = block.no;
        self.blocks_missing(no);
        if let Some(first) = self.next_first
            && block.first_seq != first
        {
            let told = block.first_seq;
            self.finding(format!("block {no} begins at journal row {told}, but the block before ends before {first}"));
        }
        if block.at < self.last_at {
            self.finding(format!("block {no} is older than the block before it"));
        }
        let whole = u32::try_from(rows.len()).is_ok_and(|count| count == block.rows);
        if whole
            && let Some(before) = &self.before
            && chain_link(self.school, before, block, &Bodies::of(rows)) != block.link
        {
            self.finding(format!(
                "block {no}: its link fits neither its {} journal row(s) from {}, its changes nor the link before it",
                block.rows, block.first_seq
            ));
        }
        if !whole && self.believes(block) {
            self.finding(format!("block {no}: {} of its {} journal row(s) can be read", rows.len(), block.rows));
        }
        for change in &block.changes {
            self.newest.insert(change.key, Newest { content: change.content, block: no });
        }
        if let Some(anchor) = self.anchors.remove(&no)
            && (anchor.link != block.link || anchor.seq != Check::last_of(block))
        {
            self.finding(format!("block {no} is another one than the anchor kept outside the database says"));
        }
        self.report.blocks = self.report.blocks.saturating_add(1);
        self.report.head = Head { block: no, seq: Check::last_of(block), link: block.link };
        self.next_block = no.saturating_add(1);
        self.next_first = Some(Check::last_of(block).saturating_add(1));
        self.before = Some(block.link);
        self.last_at = block.at;
    }

    /// The next journal row; one that was seen before is left out.
    pub(super) fn row(&mut self, row: &JournalRow) {
        if row.seq < self.next_seq {
            return;
        }
        self.next_seq = row.seq.saturating_add(1);
        self.report.journal_rows = self.report.journal_rows.saturating_add(1);
        if self.broken.is_some() {
            return;
        }
        if let Err(refusal) = self.book.replay(row) {
            self.finding(format!("journal row {}: {refusal}", row.seq));
            self.broken = Some(row.seq);
        }
        self.book.settle_all();
        for key in [row.debit, row.credit] {
            if let Some(kept) = self.later.get(&key).filter(|kept| kept.last_seq == row.seq) {
                let finding = differs(&key, kept, &self.book.account(&key));
                self.later.remove(&key);
                finding.into_iter().for_each(|finding| self.report.add(finding));
            }
        }
    }

    pub(super) fn unreadable_row(&mut self, unreadable: &Unreadable) {
        if unreadable.at < self.next_seq {
            return;
        }
        self.next_seq = unreadable.at.saturating_add(1);
        self.report.journal_rows = self.report.journal_rows.saturating_add(1);
        self.finding(format!("{}: {}", unreadable.row, unreadable.why));
        self.broken = self.broken.or(Some(unreadable.at));
    }

    /// No row is kept between the last one seen and `seq`.
    pub(super) fn missing(&mut self, seq: u64) {
        if seq <= self.next_seq {
            return;
        }
        let (first, last) = (self.next_seq, seq.saturating_sub(1));
        self.finding(match first == last {
            true => format!("journal row {first} is missing"),
            false => format!("journal rows {first} to {last} are missing"),
        });
        self.broken = self.broken.or(Some(first));
        self.next_seq = seq;
    }

    /// A journal row after the end of the last block.
    pub(super) fn beyond(&mut self, seq: u64) {
        self.finding(format!("journal row {seq} is in no block"));
        self.report.journal_rows = self.report.journal_rows.saturating_add(1);
        self.broken = self.broken.or(Some(seq));
        self.next_seq = seq.saturating_add(1);
    }

    /// The checkpoint was made exactly here.
    pub(super) fn due(&self, applied: Option<u64>) -> bool {
        !self.compared && self.broken.is_none() && applied == Some(self.book.head())
    }

    pub(super) fn compare(&mut self) -> Compare<'_> {
        self.compared = true;
        Compare {
            accounts: self.book.accounts().sorted().into_iter().peekable(),
            head: self.book.head(),
            later: &mut self.later,
            report: &mut self.report,
        }
    }

    /// The rows of set-aside money are as of the newest block: `None` when its balances are unknown.
    pub(super) fn compare_pendings(&mut self) -> Option<ComparePendings<'_>> {
        if let Some(seq) = self.broken {
            self.finding(format!(
                "rows of money set aside were not compared, since what journal row {seq} did is unknown"
            ));
            return None;
        }
        let pendings: Box<dyn Iterator<Item = (&u64, &Pending)>> = Box::new(self.book.pendings());
        Some(ComparePendings { pendings: pendings.peekable(), report: &mut self.report })
    }

    pub(super) fn checkpoint_compared(&mut self, applied: Option<u64>) {
        for (key, kept) in std::mem::take(&mut self.later) {
            self.finding(format!(
                "{}: its row says that journal row {} names it last, the journal does not",
                name_of(&key),
                kept.last_seq
            ));
        }
        if self.compared {
            return;
        }
        let head = self.book.head();
        self.finding(match (self.broken, applied) {
            (_, None) => "recovery: the journal row from which a start replays is lost".to_owned(),
            (Some(seq), Some(_)) => {
                format!("account rows were not compared, since the balances after journal row {seq} are unknown")
            }
            (None, Some(applied)) => {
                format!("recovery: account rows are said to contain every journal row up to {applied}, the journal ends at {head}")
            }
        });
    }

    pub(super) fn table(&mut self, table: &str) {
        self.report.guard_rows.insert(table.to_owned(), 0);
    }

    pub(super) fn guard_row(&mut self, table: &str, row: GuardRow<'_>) {
        if let Some(count) = self.report.guard_rows.get_mut(table) {
            *count = count.saturating_add(1);
        }
        let change = row_digest(table, row.key, Some(row.body));
        let key = hex(row.key);
        if row.digest != change.content {
            self.finding(format!("{table} {key}: the digest beside it is not its own"));
        }
        match self.newest.remove(&change.key) {
            None => self.finding(format!("{table} {key}: no block ever wrote it")),
            Some(newest) if newest.content == [0; 16] => {
                self.finding(format!("{table} {key}: block {} deleted it, but it is there", newest.block));
            }
            Some(newest) if newest.content != change.content => {
                self.finding(format!("{table} {key}: block {} wrote it last, with another content", newest.block));
            }
            Some(_) => {}
        }
    }

    /// Every row that the chain remembers as written must have been seen.
    pub(super) fn guard_rows_done(&mut self) {
        let missing = std::mem::take(&mut self.newest);
        for (key, newest) in missing.iter().filter(|(_, newest)| newest.content != [0; 16]) {
            self.report.add(format!(
                "a guard row is missing: block {} wrote it last, the hash of its table and key is {}",
                newest.block,
                hex(key)
            ));
        }
    }

    /// Adds up, and says whether heads that are remembered outside are gone.
    pub(super) fn done(mut self) -> Report {
        let cut: Vec<u64> = self.anchors.keys().copied().collect();
        for block in cut {
            self.finding(format!("an anchor kept outside the database names block {block}, which is not there"));
        }
        let accounts = self.book.accounts().sorted();
        self.report.accounts = u64::try_from(accounts.len()).unwrap_or(u64::MAX);
        self.report.pendings = u64::try_from(self.book.pendings().count()).unwrap_or(u64::MAX);
        let mut total = Some(Fen::ZERO);
        for (key, account) in accounts {
            total = total.and_then(|total| total.plus(account.balance()));
            let sum = self.report.sums.entry(key.code.0 / 1000).or_default();
            match sum.plus(account.balance()) {
                Some(more) => *sum = more,
                None => self.report.add(format!("{}: the sum of balances can no longer be counted", name_of(key))),
            }
        }
        if total != Some(Fen::ZERO) {
            let total = total.map_or("too much to count".to_owned(), |total| total.to_string());
            self.report.add(format!("the balances of all accounts add up to {total}, not to 0.00"));
        }
        self.report
    }
}

/// What to say when an account row is another one than the journal makes it.
fn differs(key: &AccountKey, kept: &Account, made: &Account) -> Option<String> {
    (kept != made).then(|| {
        format!(
            "{}: its row says {} (last row {}), the journal says {} (last row {}), or the sums behind differ",
            name_of(key),
            kept.balance(),
            kept.last_seq,
            made.balance(),
            made.last_seq
        )
    })
}

/// Compares account rows, which come in the order of their keys, with what the replay made up to where a start replays.
pub(super) struct Compare<'a> {
    accounts: Peekable<std::vec::IntoIter<(&'a AccountKey, &'a Account)>>,
    /// Where the replay has come to.
    head: u64,
    later: &'a mut BTreeMap<AccountKey, Account>,
    report: &'a mut Report,
}

impl Compare<'_> {
    pub(super) fn account(&mut self, found: Found<KeptAccount>) {
        let kept = match found {
            Ok(kept) => kept,
            Err(unreadable) => return self.report.add(format!("{}: {}", unreadable.row, unreadable.why)),
        };
        let name = name_of(&kept.key);
        while let Some((missing, _)) = self.accounts.next_if(|(key, _)| **key < kept.key) {
            self.report.add(format!("{}: its row is missing", name_of(missing)));
        }
        let made = self.accounts.next_if(|(key, _)| **key == kept.key).map(|(_, account)| *account);
        if kept.account.last_seq > self.head {
            // It contains some of the tail.
            self.later.insert(kept.key, kept.account);
        } else {
            let finding = match made {
                None => Some(format!("{name}: no journal row names it")),
                Some(made) => differs(&kept.key, &kept.account, &made),
            };
            finding.into_iter().for_each(|finding| self.report.add(finding));
        }
        if !kept.digest_fits {
            self.report.add(format!("{name}: the digest beside it is not its own"));
        }
        if !kept.account.within(kept.key.code) {
            self.report.add(format!("{name}: it is below nothing"));
        }
    }

    /// The account rows cannot be read to their end.
    pub(super) fn cut_short(self, fault: &StoreError) {
        self.report.add(fault.to_string());
    }

    pub(super) fn done(self) {
        for (key, _) in self.accounts {
            self.report.add(format!("{}: its row is missing", name_of(key)));
        }
    }
}

/// Compares the rows of money set aside, which come in order, with what the replay made.
pub(super) struct ComparePendings<'a> {
    pendings: Peekable<Box<dyn Iterator<Item = (&'a u64, &'a Pending)> + 'a>>,
    report: &'a mut Report,
}

impl ComparePendings<'_> {
    pub(super) fn pending(&mut self, found: Found<KeptPending>) {
        let kept = match found {
            Ok(kept) => kept,
            Err(unreadable) => return self.report.add(format!("{}: {}", unreadable.row, unreadable.why)),
        };
        let seq = kept.seq;
        while let Some((missing, _)) = self.pendings.next_if(|(other, _)| **other < seq) {
            self.report.add(format!("pending {missing}: its row is missing"));
        }
        match self.pendings.next_if(|(other, _)| **other == seq) {
            None => self.report.add(format!("pending {seq}: the journal sets nothing aside there")),
            Some((_, pending)) if *pending != kept.pending => {
                self.report.add(format!("pending {seq}: the journal set something else aside"));
            }
            Some(_) => {}
        }
        if !kept.digest_fits {
            self.report.add(format!("pending {seq}: the digest beside it is not its own"));
        }
    }

    pub(super) fn done(self) {
        for (seq, _) in self.pendings {
            self.report.add(format!("pending {seq}: its row is missing"));
        }
    }
}
