//! The book of a school: version, settings in force, who serves it, anchors, backups.

use std::fs;

use ledger::Micros;
use rules::epoch::Epoch;
use store::anchors::{newest_anchor, require_anchored};
use store::sqlite::{OpenFault, SqliteHead, journal_mode, school_of};

use super::{Finding, Patient};
use crate::Failure;
use crate::anchors::{Notes, epoch_of};
use crate::backup::{self, NEWEST, Newest};
use crate::clock::wall;
use crate::prompt::minute;

/// A running server that moved the book writes an anchor every minute; so much later something is wrong, seconds.
const ANCHOR_LATE: i64 = 3 * 60;

/// A newest backup older than this is worth a word, seconds; and older than that is to be mended.
const BACKUP_OLD: i64 = 36 * 3600;
const BACKUP_LATE: i64 = 7 * 24 * 3600;

/// All of it.
pub fn look(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(unfinished) = backup::require_finished(&patient.data) {
        findings.push(Finding::fix("restore", unfinished.to_string()));
    }
    findings.push(match patient.served {
        true => Finding::fine("server", "one runs on this folder"),
        false => Finding::note("server", "none runs on this folder"),
    });
    if !patient.has_book {
        findings.push(Finding::note("book", "there is none yet; the first start of `onecard serve` makes it"));
        return findings;
    }
    findings.extend([version(patient), settings(patient)]);
    findings.push(anchors(patient).unwrap_or_else(|fault| Finding::unseen("anchors", fault.as_ref())));
    findings.push(newest_backup(patient));
    findings
}

fn version(patient: &Patient) -> Finding {
    let what = "book";
    match school_of(&patient.data) {
        Ok(school) => Finding::fine(what, format!("of school {}, made for this version", school.get())),
        Err(fault @ OpenFault::Older { .. }) if !patient.served => {
            Finding::note(what, format!("{fault}; the next start of the server does the same"))
        }
        Err(fault) => Finding::unseen(what, &fault),
    }
}

/// What a file can tell of its settings. Full sync is a matter of each connection: a server refuses to start without it.
fn settings(patient: &Patient) -> Finding {
    let what = "durability";
    match journal_mode(&patient.data) {
        Ok(mode) if mode == "wal" => {
            Finding::fine(what, "write-ahead log; the server checks full sync at its start and refuses less")
        }
        Ok(mode) if !patient.served => Finding::note(
            what,
            format!("the file is in mode {mode}, as a backup is; the server sets a write-ahead log"),
        ),
        Ok(mode) => {
            Finding::fix(what, format!("the server's book is in mode {mode}: stop the server and start it again"))
        }
        Err(fault) => Finding::unseen(what, &fault),
    }
}

fn anchors(patient: &Patient) -> Result<Finding, Failure> {
    let what = "anchors";
    let data = &patient.data;
    let Some(notes) = Notes::read(data)? else {
        return Ok(Finding::note(what, "none yet; a server of this version begins them"));
    };
    let school = school_of(data)?;
    if !notes.file.exists() {
        return Ok(Finding::fix(what, format!("{} is not there: is its disk mounted?", notes.file.display())));
    }
    let verifies = |text: &[u8], signature: &[u8]| notes.key.verifies(text, signature);
    // The newest anchor before the newest block, so that a block made in between does no harm.
    let newest = newest_anchor(&notes.file, school, &verifies)?;
    let head = SqliteHead::open(data, school)?;
    let (Some(newest), Some((now, at))) = (newest, head.newest()?) else {
        return Ok(Finding::note(what, "none yet; the server writes one every minute while there is news"));
    };
    let kept = head.block(newest.head.block)?.map(|(head, _)| head.link);
    let epoch = Epoch::number_of(epoch_of(data, school)?.as_ref());
    if let Err(unanchored) = require_anchored(&newest, epoch, now, kept) {
        return Ok(Finding::unseen(what, &unanchored));
    }
    let words = format!("newest block {} of {}, in {}", newest.head.block, minute(newest.at), notes.file.display());
    let behind = now.block > newest.head.block;
    let late = wall().since(newest.at) > ANCHOR_LATE * 1_000_000 && at.since(newest.at) > 0;
    if patient.served && behind && late {
        return Ok(Finding::fix(
            what,
            format!("{words}: the server cannot write them; see its log and mend that disk"),
        ));
    }
    if notes.file.parent() == Some(data.as_path()) {
        return Ok(Finding::note(what, format!("{words}; another disk is safer (`anchors` in the configuration)")));
    }
    Ok(Finding::fine(what, words))
}

fn newest_backup(patient: &Patient) -> Finding {
    let what = "backup";
    let text = match fs::read(patient.data.join(NEWEST)) {
        Ok(text) => text,
        Err(_) => return Finding::note(what, "none known; make one every day with `onecard backup`"),
    };
    let Ok(newest) = serde_json::from_slice::<Newest>(&text) else {
        return Finding::note(what, format!("{NEWEST} cannot be read; the next backup writes it anew"));
    };
    let at = Micros::new(newest.at);
    let words = format!("{} of {}", newest.to.display(), minute(at));
    match wall().since(at) / 1_000_000 {
        age if age > BACKUP_LATE => Finding::fix(what, format!("{words}, older than a week: make one every day")),
        age if age > BACKUP_OLD => Finding::note(what, format!("{words}, older than a day: make one every day")),
        _ => Finding::fine(what, words),
    }
}
