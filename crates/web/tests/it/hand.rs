//! A hand with a real software card at a terminal of the canteen.

use card::chip::Chip;
use card::files::{CardNumber, Profile, Validity};
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, Stamp};
use card::terminal::{self, DebitAnswer, LoadAnswer, PurchaseAnswer};
use flows::tap_load::{self, Onward};
use flows::terminal::NewTerminal;
use flows::{School, merchant, purchase, terminal as terminals};
use keys::Keyring;
use ledger::Id;
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::ids::{CardNo, EnrolmentId, TerminalNo};
use rules::load::{Session, Stage};

/// The one card with a chip.
pub const CARD: CardNo = CardNo(0x2026_0000_0000_0042);
const TERMINAL: TerminalNo = TerminalNo([0, 0, 1]);

/// The chip, and how often anything was asked of it.
pub struct Hand {
    chip: Chip,
    psam: SoftPsam,
    chance: u32,
    seq: u64,
}

impl Hand {
    /// A fresh card under the keys of this school.
    pub fn new(keyring: &Keyring) -> Hand {
        let (version, masters) = keyring.newest_card_masters().expect("a keyring has masters");
        let validity = Validity { from: [0x20, 0x26, 1, 1], until: [0x20, 0x36, 1, 1] };
        let profile = Profile { issuer: [1; 8], application_version: 1, key_version: version, validity };
        let mut serial = [0; 10];
        serial[2..].copy_from_slice(&CARD.0.to_be_bytes());
        let psam = SoftPsam::new(TERMINAL.with([0; 3]), [(version, masters.purchase.clone())].into());
        Hand { chip: Chip::personalise(serial, masters, &profile), psam, chance: 0, seq: 0 }
    }

    fn chip(&mut self, command: &[u8]) -> Vec<u8> {
        self.chance += 1;
        let chance = self.chance;
        self.chip.process(command, &mut || chance.to_be_bytes())
    }

    fn init(&mut self, amount: u32, nonce: [u8; 3]) -> Session {
        let terminal = TERMINAL.with(nonce);
        let answer = LoadAnswer::parse(&self.chip(&terminal::init_load(amount, terminal))).expect("a good card");
        Session {
            old_balance: answer.old_balance,
            n: answer.n,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
            random: answer.random,
            mac1: answer.mac1,
            amount,
            terminal,
        }
    }

    /// Lays the card down until it proves itself; gives the terminal's next step.
    async fn begin(&mut self, school: &School, at: EnrolmentId) -> Onward {
        self.chip.power_off();
        self.chip(&terminal::select_purse());
        let opened = tap_load::open(school, at, CARD, Stage::Load).await.expect("a usable card");
        let session = self.init(opened.amount, opened.nonce);
        tap_load::begin(school, at, CARD, session, &[]).await.expect("a good card")
    }

    /// A hold that is broken off after the platform released the money.
    pub async fn pull_away(&mut self, school: &School) {
        let at = enrolment(school).await;
        assert!(matches!(self.begin(school, at).await, Onward::Release { .. }), "something waits for the card");
    }

    /// A whole hold; the proof by which the card may pay.
    pub async fn hold(&mut self, school: &School) -> [u8; 16] {
        let at = enrolment(school).await;
        let mut onward = self.begin(school, at).await;
        loop {
            onward = match onward {
                Onward::Release { k, stamp, mac2, .. } => {
                    let stamp = Stamp { date: stamp.date, time: stamp.time };
                    let answer = self.chip(&terminal::credit_load(stamp, mac2));
                    let tac = terminal::parse_credit(&answer).expect("a good MAC2");
                    tap_load::confirm(school, at, CARD, k, tac).await.expect("a good TAC")
                }
                Onward::Again { nonce, amount } => {
                    let session = self.init(amount, nonce);
                    tap_load::begin(school, at, CARD, session, &[]).await.expect("a good card")
                }
                Onward::Done { hold, .. } => return hold,
            };
        }
    }

    async fn send(&mut self, school: &School, record: Record) -> Answer {
        self.seq += 1;
        purchase::take(school, enrolment(school).await, self.seq, record).await.expect("a decision")
    }

    /// Asks for a sale of so many fen in a fresh hold; what the terminal is told.
    pub async fn ask(&mut self, school: &School, fen: u32) -> Answer {
        let hold = self.hold(school).await;
        let not_after = school.now().after_seconds(5).get();
        self.send(school, Record::Authorise { card: CARD.0, hold, amount: fen, not_after }).await
    }

    /// A sale of so many fen, paid from the purse.
    pub async fn buy(&mut self, school: &School, fen: u32) {
        assert_eq!(self.ask(school, fen).await, Answer::PayFromPurse { amount: fen });
        let sale = self.debit(fen);
        assert_eq!(self.send(school, Record::Sale(sale)).await, Answer::Taken);
    }

    fn debit(&mut self, fen: u32) -> PurseSale {
        let terminal = TERMINAL.with([0; 3]);
        let opened = PurchaseAnswer::parse(&self.chip(&terminal::init_purchase(fen, terminal))).expect("enough money");
        let stamp = Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0x31, 0] };
        let request = PurchaseRequest {
            card: CardNumber(CARD.0),
            random: opened.random,
            m: opened.m,
            amount: fen,
            kind: Kind::Purchase,
            stamp,
            key_version: opened.key_version,
            algorithm: opened.algorithm,
        };
        let grant = self.psam.begin_purchase(&request).expect("a good module");
        let answer = DebitAnswer::parse(&self.chip(&terminal::debit(grant.tsn, stamp, grant.mac1))).expect("a debit");
        PurseSale {
            card: CARD.0,
            authorised_by: Some(self.seq),
            amount: fen,
            old_balance: opened.old_balance,
            m: opened.m,
            terminal,
            tsn: grant.tsn,
            stamp: link::Stamp { date: stamp.date, time: stamp.time },
            key_version: opened.key_version,
            algorithm: opened.algorithm,
            evidence: DebitEvidence::Tac(answer.tac),
        }
    }

    /// Calls the newest sale off.
    pub async fn call_off(&mut self, school: &School) {
        let of = self.seq;
        self.send(school, Record::Reverse { of }).await;
    }
}

/// A canteen with one terminal.
pub async fn open_canteen(school: &School) {
    merchant::add(school, "canteen", "第一食堂", "Canteen No. 1").await.expect("a good code");
    let new = NewTerminal {
        terminal: TERMINAL,
        merchant: "canteen".into(),
        place_zh: "第一食堂 3 号窗".into(),
        place_en: "Canteen 1, window 3".into(),
        certificate: [1; 32],
    };
    terminals::enrol(school, new).await.expect("a merchant");
}

async fn enrolment(school: &School) -> EnrolmentId {
    let found = terminals::by_certificate(school, [1; 32]).await.expect("readable");
    found.map_or(EnrolmentId(Id::new(0)), |enrolment| enrolment.id)
}
