use std::collections::BTreeMap;
use std::fmt;

use ledger::{Digest, Fen};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Journal rows read.
    pub journal_rows: u64,
    /// Blocks read.
    pub blocks: u64,
    /// Accounts that the journal names.
    pub accounts: u64,
    /// Pends that are open after the last journal row.
    pub pendings: u64,
    /// Guard rows read, by table.
    pub guard_rows: BTreeMap<String, u64>,
    /// Balances after the last journal row, added up by the thousand of their account code; together they are 0.
    pub sums: BTreeMap<u16, Fen>,
    /// The newest block.
    pub head: Head,
    /// Everything that does not hold, a sentence each, in the order found; at most [`Report::MOST`].
    pub findings: Vec<String>,
    /// How many findings there were beyond those.
    pub more: u64,
}

/// The end of the chain, as `verify` prints it and as an anchor remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Number of the newest block; 0 for none.
    pub block: u64,
    /// Sequence of the newest journal row; 0 for none.
    pub seq: u64,
    /// The chain's newest link; all zero for none.
    pub link: Digest,
}

impl Report {
    /// How many findings are told one by one.
    pub const MOST: usize = 200;

    /// Nothing was found: the book is whole.
    pub fn clean(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    pub(super) fn add(&mut self, finding: String) {
        if self.findings.len() < Report::MOST {
            self.findings.push(finding);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

/// The link in 64 hexadecimal digits.
pub fn link_text(link: &Digest) -> String {
    link.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts, sums and the head, then every finding, a line each.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "journal rows  {}", self.journal_rows)?;
        writeln!(out, "blocks        {}", self.blocks)?;
        writeln!(out, "accounts      {}", self.accounts)?;
        writeln!(out, "set aside     {}", self.pendings)?;
        for (table, count) in &self.guard_rows {
            writeln!(out, "rows          {count} {table}")?;
        }
        for (thousand, sum) in &self.sums {
            writeln!(out, "sum of {thousand}xxx  {sum}")?;
        }
        writeln!(out, "head          block {}, journal row {}", self.head.block, self.head.seq)?;
        writeln!(out, "link          {}", link_text(&self.head.link))?;
        for finding in &self.findings {
            writeln!(out, "WRONG         {finding}")?;
        }
        if self.more > 0 {
            writeln!(out, "WRONG         and {} more", self.more)?;
        }
        writeln!(out, "{}", if self.clean() { "the book is whole" } else { "the book is not whole" })
    }
}
