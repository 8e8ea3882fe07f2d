//! A hand with a card at a terminal, and a payment provider that says what it is told: the outside of the money flows.

use std::sync::{Arc, Mutex};

use card::chip::Chip;
use card::files::{Profile, Validity};
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, Stamp};
use card::terminal::{self, DebitAnswer, LoadAnswer, PurchaseAnswer};
use flows::ports::{
    Bridge, CardStamp, ChannelError, NoticeFault, Payment, PrepayWish, RawNotice, Trade, Waiting, WeChat,
};
use flows::tap_load::{self, Onward};
use flows::terminal::NewTerminal;
use flows::{card_issue, merchant, purchase, terminal as terminals};
use keys::{CardMasterKeys, Keyring};
use ledger::{Fen, Micros};
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::ids::{CardNo, EnrolmentId, MerchantId, OrderNo, PersonId, TerminalNo};
use rules::load::{Session, Stage};
use rules::words::Words;

use crate::people::admitted;
use crate::rig::Rig;

/// Says of an order what a test put there; remembers what it was told.
#[derive(Default)]
pub struct Provider {
    /// What it says next.
    pub says: Mutex<Option<Result<Trade, ChannelError>>>,
    /// What a creation is answered; a prepay id when nothing else is said.
    pub prepays: Mutex<Vec<Result<String, ChannelError>>>,
    /// Every creation it got.
    pub wishes: Mutex<Vec<PrepayWish>>,
}

impl Provider {
    /// From now on every query is answered like this.
    pub fn say(&self, trade: Result<Trade, ChannelError>) {
        *self.says.lock().expect("no test panics in here") = Some(trade);
    }
}

impl WeChat for Provider {
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        Box::pin(async move { Ok(format!("openid-{code}")) })
    }
    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<String, ChannelError>> {
        self.wishes.lock().expect("no test panics in here").push(wish.clone());
        let said = self.prepays.lock().expect("no test panics in here").pop();
        Box::pin(async move { said.unwrap_or_else(|| Ok(format!("wx{}", wish.order))) })
    }
    fn query(&self, _: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        let said = self.says.lock().expect("no test panics in here").clone();
        Box::pin(async move { said.unwrap_or(Ok(Trade::NotPaid)) })
    }
    fn close(&self, _: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        Box::pin(async { Ok(()) })
    }
    /// The body is the payment: order, transaction, fen, currency.
    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Trade, NoticeFault> {
        let text = std::str::from_utf8(notice.body).map_err(|_| NoticeFault::Malformed)?;
        let parts: Vec<&str> = text.split(' ').collect();
        let [order, transaction, fen, currency] = parts[..] else { return Err(NoticeFault::WrongSignature) };
        Ok(Trade::Paid(Payment {
            order: order.to_owned(),
            transaction: transaction.to_owned(),
            amount: Fen::new(fen.parse().map_err(|_| NoticeFault::Malformed)?),
            currency: currency.to_owned(),
            paid_at: now,
        }))
    }
    fn bridge(&self, prepay_id: &str, _: Micros, _: &str) -> Bridge {
        let text = String::new;
        Bridge { app_id: text(), time_stamp: text(), nonce_str: text(), package: prepay_id.into(), pay_sign: text() }
    }
}

/// A school with one holder, one card and one terminal, and everything in hand.
pub struct Campus {
    pub rig: Rig,
    pub provider: Arc<Provider>,
    pub person: PersonId,
    pub merchant: MerchantId,
    pub at: EnrolmentId,
    pub chip: Chip,
    pub psam: SoftPsam,
    seq: u64,
    chance: u32,
}

/// The one card.
pub const CARD: CardNo = CardNo(0x2026_0000_0000_0042);
/// The one terminal.
pub const TERMINAL: TerminalNo = TerminalNo([0, 0, 1]);

impl Campus {
    pub fn new() -> Campus {
        let keyring = Keyring::generate();
        let provider = Arc::new(Provider::default());
        let rig = Rig::with(Arc::new(CardMasterKeys::new(&keyring)), provider.clone(), 100_000);
        let person = admitted(&rig);
        rig.run(card_issue::issue(&rig.school, person, CARD)).expect("a free card");
        let merchant = rig.run(merchant::add(&rig.school, "canteen", "食堂", "Canteen")).expect("a good code");
        let at = enrol(&rig, [1; 32]);
        let (version, masters) = keyring.newest_card_masters().expect("a keyring has masters");
        let validity = Validity { from: [0x20, 0x26, 1, 1], until: [0x20, 0x36, 1, 1] };
        let profile = Profile { issuer: [1; 8], application_version: 1, key_version: version, validity };
        let mut serial = [0; 10];
        serial[2..].copy_from_slice(&CARD.0.to_be_bytes());
        let chip = Chip::personalise(serial, masters, &profile);
        let psam = SoftPsam::new(TERMINAL.with([0; 3]), [(version, masters.purchase.clone())].into());
        Campus { rig, provider, person, merchant, at, chip, psam, seq: 0, chance: 0 }
    }

    /// Makes an order and has it paid by notice.
    pub fn top_up(&mut self, yuan: &str) -> OrderNo {
        let no = self.order(yuan);
        let fen = Fen::parse_yuan(yuan).expect("an amount").get();
        self.notice(&format!("{no} t{no} {fen} CNY"));
        no
    }

    pub fn order(&mut self, yuan: &str) -> OrderNo {
        let mut form = [0; 16];
        self.chance += 1;
        form[..4].copy_from_slice(&self.chance.to_be_bytes());
        let opened = flows::top_up::open(&self.rig.school, self.person, yuan, "payer".into(), form);
        self.rig.run(opened).expect("an order")
    }

    pub fn notice(&self, body: &str) -> flows::top_up::NoticeOutcome {
        let raw = RawNotice { timestamp: "", nonce: "", serial: "", signature: "", body: body.as_bytes() };
        self.rig.run(flows::top_up::notice(&self.rig.school, &raw))
    }

    pub fn chip(&mut self, command: &[u8]) -> Vec<u8> {
        self.chance += 1;
        let chance = self.chance;
        self.chip.process(command, &mut || chance.to_be_bytes())
    }

    /// Lays the card down and lets it prove itself; does not go on.
    pub fn init(&mut self, stage: Stage) -> Result<Session, Words> {
        self.chip.power_off();
        self.chip(&terminal::select_purse());
        let opened = self.rig.run(tap_load::open(&self.rig.school, self.at, CARD, stage))?;
        Ok(self.init_with(opened.amount, opened.nonce))
    }

    pub fn init_with(&mut self, amount: u32, nonce: [u8; 3]) -> Session {
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

    pub fn begin(&self, session: Session) -> Result<Onward, Words> {
        self.rig.run(tap_load::begin(&self.rig.school, self.at, CARD, session, &[]))
    }

    /// Gives the card its release; the TAC.
    pub fn credit(&mut self, stamp: CardStamp, mac2: [u8; 4]) -> [u8; 4] {
        let stamp = Stamp { date: stamp.date, time: stamp.time };
        terminal::parse_credit(&self.chip(&terminal::credit_load(stamp, mac2))).expect("a good MAC2")
    }

    /// A whole hold; what it loaded and the hold by which the card may pay.
    pub fn hold(&mut self, stage: Stage) -> (u32, [u8; 16]) {
        let session = self.init(stage).expect("a usable card");
        let mut onward = self.begin(session).expect("a good card");
        let mut loaded_here = 0;
        loop {
            onward = match onward {
                Onward::Release { k, amount, stamp, mac2 } => {
                    let tac = self.credit(stamp, mac2);
                    loaded_here += amount;
                    let confirmed = tap_load::confirm(&self.rig.school, self.at, CARD, k, tac);
                    self.rig.run(confirmed).expect("a good TAC")
                }
                Onward::Again { nonce, amount } => {
                    let session = self.init_with(amount, nonce);
                    self.begin(session).expect("a good card")
                }
                Onward::Done { hold, loaded, .. } => return (loaded.max(loaded_here), hold),
            };
        }
    }

    /// Sends a record under the next number.
    pub fn send(&mut self, record: Record) -> Answer {
        self.seq += 1;
        self.send_as(self.seq, record)
    }

    pub fn send_as(&self, seq: u64, record: Record) -> Answer {
        self.rig.run(purchase::take(&self.rig.school, self.at, seq, record)).expect("a decision")
    }

    pub fn last_seq(&self) -> u64 {
        self.seq
    }

    pub fn authorise(&self, hold: [u8; 16], fen: u32) -> Record {
        let not_after = self.rig.school.now().after_seconds(5).get();
        Record::Authorise { card: CARD.0, hold, amount: fen, not_after }
    }

    /// Debits the chip; the record of it, with its TAC.
    pub fn debit(&mut self, fen: u32, authorised_by: Option<u64>) -> PurseSale {
        let terminal = TERMINAL.with([0; 3]);
        self.chip(&terminal::select_purse());
        let opened = PurchaseAnswer::parse(&self.chip(&terminal::init_purchase(fen, terminal))).expect("enough money");
        // Another second for every sale, in BCD.
        let second = u8::try_from(self.chance % 60).expect("below 60");
        let stamp = Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0, ((second / 10) << 4) | (second % 10)] };
        let request = PurchaseRequest {
            card: card::files::CardNumber(CARD.0),
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
            authorised_by,
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

    pub fn balance(&self, account: ledger::AccountKey) -> i64 {
        self.rig.school.balance(&account).get()
    }
}

/// Enrols the terminal with a certificate of this fingerprint.
pub fn enrol(rig: &Rig, certificate: [u8; 32]) -> EnrolmentId {
    let new = NewTerminal {
        terminal: TERMINAL,
        merchant: "canteen".into(),
        place_zh: "食堂".into(),
        place_en: "Canteen".into(),
        certificate,
    };
    rig.run(terminals::enrol(&rig.school, new)).expect("a merchant")
}
