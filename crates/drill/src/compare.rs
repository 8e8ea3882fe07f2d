//! What was told to clients against what the book holds.

use std::collections::BTreeMap;

use ledger::{AccountKey, Id, Kind};

use crate::notes::Acknowledged;
use crate::operation::{Deed, Operation};
use crate::recount::Recount;
use crate::schema::Answer;
use crate::wire::Sums;

/// What the clients of a book know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Everything that was answered.
    pub acknowledged: BTreeMap<Id, Acknowledged>,
    /// Asked and not answered: done once or not at all.
    pub open: BTreeMap<Id, Operation>,
    /// Told that nothing was done; not done since.
    pub undone: BTreeMap<Id, Operation>,
}

/// How many unanswered operations were found done and not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unanswered {
    /// There, once, or its refusal is.
    pub kept: u64,
    /// Nothing of it is there.
    pub not_kept: u64,
}

/// Everything that was told and is not so, a sentence each with the key, and how the unanswered ones went.
pub(crate) fn compare(known: &Known, book: &Recount) -> (Vec<String>, Unanswered) {
    let (mut findings, mut unanswered) = (book.findings.clone(), Unanswered::default());
    for (operation, answer) in known.acknowledged.values() {
        match held(book, operation) {
            Ok(Some(held)) if held == *answer => {}
            Ok(Some(held)) => findings.push(format!("{operation}: acknowledged `{answer}`, the book has `{held}`")),
            Ok(None) => findings.push(format!("{operation}: acknowledged `{answer}`, LOST")),
            Err(finding) => findings.push(format!("{operation}: acknowledged `{answer}`, {finding}")),
        }
    }
    for operation in known.open.values() {
        match held(book, operation) {
            Ok(Some(_)) => unanswered.kept += 1,
            Ok(None) => unanswered.not_kept += 1,
            Err(finding) => findings.push(format!("{operation}: not answered, {finding}")),
        }
    }
    for operation in known.undone.values() {
        match held(book, operation) {
            Ok(None) => {}
            Ok(Some(held)) => findings.push(format!("{operation}: told that nothing was done, but it is `{held}`")),
            Err(finding) => findings.push(format!("{operation}: told that nothing was done, {finding}")),
        }
    }
    let asked = |key: &&Id| {
        known.acknowledged.contains_key(key) || known.open.contains_key(key) || known.undone.contains_key(key)
    };
    for key in book.rows.keys().chain(book.kept.keys()).filter(|key| !asked(key)) {
        findings.push(format!("{key}: in the book, and nobody asked for it"));
    }
    (findings, unanswered)
}

/// What the book has of an operation, when rows and kept answer are of one mind; else what is wrong.
fn held(book: &Recount, operation: &Operation) -> Result<Option<Answer>, String> {
    let rows = book.rows.get(&operation.key).map(Vec::as_slice).unwrap_or_default();
    let kept = book.kept.get(&operation.key);
    if let Some(kept) = kept
        && kept.payload != operation.payload()
    {
        return Err("its kept content is another one".to_owned());
    }
    match (rows, kept.map(|kept| kept.answer)) {
        ([], None) => Ok(None),
        ([], Some(answer @ (Answer::NotEnough | Answer::NothingSetAside))) => Ok(Some(answer)),
        ([row], Some(Answer::Done(seq))) => {
            let (debit, credit) = operation.accounts();
            let kind = match operation.deed {
                Deed::PayIn | Deed::Spend => Kind::Direct,
                Deed::SetAside => Kind::Pend,
                Deed::Settle => Kind::Post,
                Deed::GiveBack => Kind::Void,
            };
            let made = (row.seq, row.kind, row.debit, row.credit, row.amount.get());
            if made == (seq, kind, debit, credit, operation.fen) {
                Ok(Some(Answer::Done(seq)))
            } else {
                Err(format!("its journal row is {row:?}"))
            }
        }
        ([], Some(Answer::Done(seq))) => Err(format!("its answer `done {seq}` is kept, its journal row is LOST")),
        ([_], kept) => Err(format!("its journal row is there, its kept answer is {kept:?}")),
        (rows, _) => Err(format!("it is in the journal {} TIMES", rows.len())),
    }
}

/// Accounts whose sums the server has otherwise than the rows make them.
pub(crate) fn compare_sums(book: &Recount, server: &[(AccountKey, Sums)]) -> Vec<String> {
    let mut findings = Vec::new();
    for (account, told) in server {
        let made = book.sums.get(account).copied().unwrap_or_default();
        if *told != made {
            findings.push(format!("{account:?}: the server has {told:?}, the rows make {made:?}"));
        }
    }
    findings
}

/// What repeats were answered against what the first time was answered, or what was found kept.
pub(crate) fn compare_repeats(before: &Known, book: &Recount, repeats: &BTreeMap<Id, Acknowledged>) -> Vec<String> {
    let mut findings = Vec::new();
    let again = |key: &Id| repeats.get(key).map(|(_, answer)| *answer);
    for (key, (operation, answer)) in &before.acknowledged {
        if again(key) != Some(*answer) {
            findings.push(format!("{operation}: first `{answer}`, repeated {:?}", again(key)));
        }
    }
    for (key, operation) in before.open.iter().chain(&before.undone) {
        match (held(book, operation), again(key)) {
            (_, None) => findings.push(format!("{operation}: its repeat is not answered")),
            (Ok(Some(held)), Some(answer)) if held != answer => {
                findings.push(format!("{operation}: the book had `{held}`, its repeat is `{answer}`"));
            }
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
pub(crate) mod tests;
