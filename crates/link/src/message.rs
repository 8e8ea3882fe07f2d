use serde::{Deserialize, Serialize};

/// Version of this message set; both sides must name the same.
pub const VERSION: u16 = 1;

/// Date `YYYYMMDD` and time `hhmmss` in BCD, campus time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Four bytes.
    pub date: [u8; 4],
    /// Three bytes.
    pub time: [u8; 3],
}

/// What a card answered to INITIALIZE FOR LOAD, with what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadInit {
    /// Amount given, in fen.
    pub amount: u32,
    /// Terminal id given: three bytes terminal, three bytes nonce.
    pub terminal: [u8; 6],
    /// Balance before, in fen.
    pub old_balance: u32,
    /// On-line counter N before.
    pub n: u16,
    /// Key version.
    pub key_version: u8,
    /// Algorithm.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's proof.
    pub mac1: [u8; 4],
}

/// What a tap is for: load what waits, or, after the sale, fill the purse up to the float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// First in a hold: resolve, then load what waits for the card.
    Load,
    /// Last in a hold: fill the purse up to the float from the account.
    Fill,
}

/// A proof the card gave for an earlier purchase (GET TRANSACTION PROVE, type 06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Off-line counter M of the purchase before it, as the sale recorded it.
    pub m: u16,
    /// TAC the card gave.
    pub tac: [u8; 4],
}

/// How sure the terminal is that the purse was debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DebitEvidence {
    /// The card's TAC, from the debit or from a proof.
    Tac([u8; 4]),
    /// The debit was sent, the card left before it answered: it may or may not have been debited.
    Unconfirmed,
}

/// A purse debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseSale {
    /// Card number.
    pub card: u64,
    /// Sequence of the authorisation that said `PayFromPurse`; `None` for a sale off line.
    pub authorised_by: Option<u64>,
    /// In fen.
    pub amount: u32,
    /// Balance before, in fen.
    pub old_balance: u32,
    /// Off-line counter M before.
    pub m: u16,
    /// Terminal id given to the card.
    pub terminal: [u8; 6],
    /// Number the purchase module counted.
    pub tsn: u32,
    /// The terminal's date and time.
    pub stamp: Stamp,
    /// Key version.
    pub key_version: u8,
    /// Algorithm.
    pub algorithm: u8,
    /// How sure it is.
    pub evidence: DebitEvidence,
}

/// What a terminal may not lose: journalled before it is sent, kept until acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// May this sale be paid? Not after `not_after` (microseconds since 1970).
    Authorise {
        /// Card number.
        card: u64,
        /// The hold in which the card proved itself.
        hold: [u8; 16],
        /// In fen.
        amount: u32,
        /// Microseconds since 1970; later it is refused.
        not_after: i64,
    },
    /// The authorisation `of` shall not count: it timed out here, or the sale was called off (M17).
    Reverse {
        /// Its sequence.
        of: u64,
    },
    /// The purse was, or may have been, debited.
    Sale(PurseSale),
    /// Evidence that settles an earlier unconfirmed [`Record::Sale`] of this terminal.
    Settle {
        /// Sequence of that sale.
        of: u64,
        /// The card's TAC, or `None`: the card proved, by showing the same M and balance, that it was not debited.
        tac: Option<[u8; 4]>,
    },
    /// The purchase module counted a number that no sale used.
    Gap {
        /// The number.
        tsn: u32,
    },
}

/// A text for the person at the terminal, in both languages, with its stable code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Stable code of the requirements, such as `CARD_STATE`.
    pub code: String,
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// From the terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToPlatform {
    /// First message of a connection.
    Hello {
        /// [`VERSION`].
        version: u16,
        /// Fresh at every start of the terminal.
        boot: [u8; 16],
        /// Highest sequence the terminal ever used.
        last_seq: u64,
    },
    /// A card lies on the reader.
    TapOpen {
        /// Comes back in the answer.
        ask: u32,
        /// Card number.
        card: u64,
        /// What for.
        stage: Stage,
    },
    /// The card answered INITIALIZE FOR LOAD under the nonce.
    TapBegin {
        /// Comes back in the answer.
        ask: u32,
        /// Card number.
        card: u64,
        /// The card's answer.
        init: LoadInit,
        /// Proofs the platform asked for in [`ToTerminal::TapNonce`], as far as the card gave them.
        proofs: Vec<Proof>,
    },
    /// The card took the load.
    TapConfirm {
        /// Comes back in the answer.
        ask: u32,
        /// Card number.
        card: u64,
        /// Attempt number.
        k: u32,
        /// The card's TAC.
        tac: [u8; 4],
    },
    /// A journalled record. Sent again until answered.
    Journal {
        /// Contiguous from 1 within an enrolment.
        seq: u64,
        /// What happened.
        record: Record,
    },
    /// Keep-alive.
    Ping,
    /// As [`ToPlatform::Journal`], for an authorisation whose answer was `Paid`: the goods are sold. A platform that was
    /// restored from a backup may not know of it any more.
    Paid {
        /// Contiguous from 1 within an enrolment.
        seq: u64,
        /// The authorisation.
        record: Record,
    },
    /// Records below this one were acknowledged and are not kept any more: said after a greeting whose acknowledgement went
    /// back below it, as after a restore from a backup. The answer is `Acknowledged`.
    Kept {
        /// Lowest number that can still be sent; the next one to be used when none is kept.
        lowest: u64,
    },
}

/// What the platform says to a journalled record. The same record always gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Paid from the account. Balances after, in fen: account, purse as the book has it.
    Paid {
        /// Account after.
        account: i64,
        /// Purse by the book.
        purse: i64,
    },
    /// The account does not cover it; the purse does: debit it, this much, and only now.
    PayFromPurse {
        /// In fen.
        amount: u32,
    },
    /// No. Balances in fen where the refusal is about money.
    Refused {
        /// Why.
        words: Words,
        /// Account and purse, for a refusal for lack of money (M18).
        balances: Option<(i64, i64)>,
    },
    /// The record is in the book (or in a case of it); nothing more is to be done for it here.
    Taken,
    /// Another record stands under this number: the terminal is quarantined until someone looks.
    Quarantined,
}

/// An answer with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// Sequence of the record.
    pub seq: u64,
    /// What is said to it.
    pub answer: Answer,
}

/// From the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToTerminal {
    /// First answer of a connection.
    Welcome {
        /// Microseconds since 1970, now.
        now: i64,
        /// Highest sequence the platform ever had of this enrolment; the terminal continues above it and above its own.
        last_seq: u64,
        /// Every record up to here is acknowledged.
        acknowledged: u64,
        /// Terminal number.
        terminal: [u8; 3],
        /// Where it stands, for its display.
        place_zh: String,
        /// The same in English.
        place_en: String,
    },
    /// Give INITIALIZE FOR LOAD this amount and, after the terminal number, this nonce.
    TapNonce {
        /// From the question.
        ask: u32,
        /// Three bytes.
        nonce: [u8; 3],
        /// In fen; at least 1, a mere probe when nothing waits.
        amount: u32,
        /// Purchases for which the card shall be asked for a proof (M before each).
        prove: Vec<u16>,
    },
    /// INITIALIZE again, with this amount and nonce; the attempt before is settled.
    TapAgain {
        /// From the question.
        ask: u32,
        /// Three bytes.
        nonce: [u8; 3],
        /// In fen.
        amount: u32,
    },
    /// Give this to the card now: CREDIT FOR LOAD.
    TapRelease {
        /// From the question.
        ask: u32,
        /// Attempt number.
        k: u32,
        /// In fen.
        amount: u32,
        /// The platform's date and time.
        stamp: Stamp,
        /// MAC2.
        mac2: [u8; 4],
    },
    /// The card is proved and nothing (more) is to be loaded.
    TapDone {
        /// From the question.
        ask: u32,
        /// Names this hold for an authorisation; it dies when the hold ends or after a short time.
        hold: [u8; 16],
        /// In fen: what this hold loaded, as far as this platform knows.
        loaded: u32,
        /// In fen: purse as the card proved it.
        purse: u32,
        /// In fen: what can be spent on line.
        account: i64,
    },
    /// No; the hold is over for loading. A sale may still be refused or made by its own answer.
    TapRefused {
        /// From the question.
        ask: u32,
        /// Why.
        words: Words,
    },
    /// Answer to a journalled record.
    Answered(Marked),
    /// Every record up to here is acknowledged and may be deleted.
    Acknowledged {
        /// Highest contiguous sequence.
        through: u64,
    },
    /// Keep-alive.
    Pong {
        /// Microseconds since 1970, now: the terminal's clock follows it.
        now: i64,
    },
}
