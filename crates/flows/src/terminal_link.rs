//! What is said to a terminal's messages: each goes to the flow it is for, and the outcome becomes a message again.

use link::{Answer, LoadInit, Marked, Proof, Stage, Stamp, ToPlatform, ToTerminal};
use rules::ids::{CardNo, EnrolmentId};
use rules::load;
use rules::words::Words;

use crate::rows::Enrolment;
use crate::tap_load::{self, Onward};
use crate::{School, purchase, resent, terminal};

/// What is said to one message. Nothing for a record that cannot be decided now: the terminal sends it again.
pub async fn answer(school: &School, enrolment: &Enrolment, message: ToPlatform) -> Vec<ToTerminal> {
    let at = enrolment.id;
    match message {
        ToPlatform::Hello { .. } => welcome(school, enrolment).await,
        ToPlatform::TapOpen { ask, card, stage } => {
            let stage = match stage {
                Stage::Load => load::Stage::Load,
                Stage::Fill => load::Stage::Fill,
            };
            vec![match tap_load::open(school, at, CardNo(card), stage).await {
                Ok(opened) => {
                    ToTerminal::TapNonce { ask, nonce: opened.nonce, amount: opened.amount, prove: opened.prove }
                }
                Err(words) => refused(ask, words),
            }]
        }
        ToPlatform::TapBegin { ask, card, init, proofs } => {
            let proofs: Vec<_> = proofs.iter().map(|Proof { m, tac }| (*m, *tac)).collect();
            vec![onward(ask, tap_load::begin(school, at, CardNo(card), session(init), &proofs).await)]
        }
        ToPlatform::TapConfirm { ask, card, k, tac } => {
            vec![onward(ask, tap_load::confirm(school, at, CardNo(card), k, tac).await)]
        }
        ToPlatform::Journal { seq, record } => {
            answered(school, at, seq, purchase::take(school, at, seq, record).await).await
        }
        ToPlatform::Paid { seq, record } => {
            answered(school, at, seq, purchase::take_paid(school, at, seq, record).await).await
        }
        ToPlatform::Kept { lowest } => {
            // When it could not be decided, the terminal says it again when it connects again.
            let through = resent::kept(school, at, lowest).await;
            through.map(acknowledged).into_iter().collect()
        }
        ToPlatform::Ping => vec![ToTerminal::Pong { now: school.now().get() }],
    }
}

async fn answered(school: &School, at: EnrolmentId, seq: u64, answer: Option<Answer>) -> Vec<ToTerminal> {
    let Some(answer) = answer else { return Vec::new() };
    let mut answers = vec![ToTerminal::Answered(Marked { seq, answer })];
    answers.extend(terminal::acknowledged(school, at).await.ok().map(acknowledged));
    answers
}

const fn acknowledged(through: u64) -> ToTerminal {
    ToTerminal::Acknowledged { through }
}

async fn welcome(school: &School, enrolment: &Enrolment) -> Vec<ToTerminal> {
    // Read anew: records may have come on another connection since this one was made.
    let now = match terminal::by_certificate(school, enrolment.certificate).await {
        Ok(Some(now)) => now,
        Ok(None) | Err(_) => return Vec::new(),
    };
    vec![ToTerminal::Welcome {
        now: school.now().get(),
        last_seq: now.last_seq,
        acknowledged: now.contiguous,
        terminal: now.terminal.0,
        place_zh: now.place_zh,
        place_en: now.place_en,
    }]
}

const fn session(init: LoadInit) -> load::Session {
    load::Session {
        old_balance: init.old_balance,
        n: init.n,
        key_version: init.key_version,
        algorithm: init.algorithm,
        random: init.random,
        mac1: init.mac1,
        amount: init.amount,
        terminal: init.terminal,
    }
}

fn onward(ask: u32, outcome: Result<Onward, Words>) -> ToTerminal {
    match outcome {
        Ok(Onward::Release { k, amount, stamp, mac2 }) => {
            ToTerminal::TapRelease { ask, k, amount, stamp: Stamp { date: stamp.date, time: stamp.time }, mac2 }
        }
        Ok(Onward::Again { nonce, amount }) => ToTerminal::TapAgain { ask, nonce, amount },
        Ok(Onward::Done { hold, loaded, purse, account }) => {
            ToTerminal::TapDone { ask, hold, loaded, purse, account: account.get() }
        }
        Err(words) => refused(ask, words),
    }
}

fn refused(ask: u32, words: Words) -> ToTerminal {
    ToTerminal::TapRefused { ask, words: link::Words { code: words.code.to_owned(), zh: words.zh, en: words.en } }
}
