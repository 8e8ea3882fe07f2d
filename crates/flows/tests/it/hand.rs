//! A hand with a card at a terminal, and a payment provider that says what it is told: the outside of the money flows.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use card::chip::Chip;
use card::files::{CardNumber, Profile, Validity};
use card::holder::HolderFile;
use card::host::KeySet;
use card::profile::Switches;
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, SessionForm, Stamp, Suite};
use card::terminal::{self, DebitAnswer, LoadAnswer, PurchaseAnswer};
use flows::ports::{
    Bridge, CardStamp, ChannelError, Notice, NoticeFault, Payment, PrepayWish, RawNotice, RefundState, RefundWish,
    Refunded, Repayment, Scene, Ticket, Trade, Waiting, WeChat,
};
use flows::rows::{Key, Row};
use flows::tap_load::{self, Onward};
use flows::terminal::NewTerminal;
use flows::{card_issue, merchant, purchase, terminal as terminals};
use keys::{CardMasterKeys, Keyring};
use ledger::{Fen, Micros};
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::ids::{CardNo, EnrolmentId, MerchantId, OrderNo, PersonId, RefundNo, TerminalNo};
use rules::load::{Session, Stage};
use rules::person::Standing;
use rules::words::Words;

use crate::people::admitted;
use crate::rig::Rig;

/// Says of an order or a refund what a test put there; remembers what it was told.
#[derive(Default)]
pub struct Provider {
    /// What it says of an order next.
    pub says: Mutex<Option<Result<Trade, ChannelError>>>,
    /// What a creation is answered; a prepay id when nothing else is said.
    pub prepays: Mutex<Vec<Result<Ticket, ChannelError>>>,
    /// Every creation it got.
    pub wishes: Mutex<Vec<PrepayWish>>,
    /// What a close is answered; that it is closed when nothing else is said.
    pub closes: Mutex<Vec<Result<(), ChannelError>>>,
    /// What a refund is answered; that it is under way when nothing else is said.
    pub repays: Mutex<Vec<Result<Repayment, ChannelError>>>,
    /// What it says of a refund when asked; that it never heard of it when nothing else is said.
    pub says_of_refund: Mutex<Option<Result<Repayment, ChannelError>>>,
    /// Every refund it was asked for.
    pub refund_wishes: Mutex<Vec<RefundWish>>,
    /// Serials of notices that it knows once they were asked about.
    pub serials: Mutex<Vec<&'static str>>,
    /// Serials that were asked about.
    pub learnt: Mutex<Vec<String>>,
    /// It never answers any more, as in a process that dies meanwhile.
    pub silent: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics in here")
}

impl Provider {
    /// From now on every query is answered like this.
    pub fn say(&self, trade: Result<Trade, ChannelError>) {
        *lock(&self.says) = Some(trade);
    }

    /// From now on every query of a refund is answered like this.
    pub fn say_of_refund(&self, repayment: Result<Repayment, ChannelError>) {
        *lock(&self.says_of_refund) = Some(repayment);
    }

    /// The next request for a refund is answered like this.
    pub fn repay(&self, repayment: Result<Repayment, ChannelError>) {
        lock(&self.repays).insert(0, repayment);
    }

    /// Requests for refunds so far.
    pub fn refunds_asked(&self) -> Vec<RefundWish> {
        lock(&self.refund_wishes).clone()
    }

    fn answer<'a, T: Send + Unpin + 'a>(&'a self, answer: T) -> Waiting<'a, T> {
        let mut answer = Some(answer);
        // Asked while it was silent, it answers once it no longer is.
        Box::pin(poll_fn(move |_| match self.silent.load(Ordering::SeqCst) {
            true => Poll::Pending,
            false => answer.take().map_or(Poll::Pending, Poll::Ready),
        }))
    }
}

/// How a refund that was asked for like this stands at the provider.
pub fn refunded(wish: &RefundWish, state: RefundState) -> Refunded {
    Refunded {
        refund: wish.refund.to_string(),
        refund_id: format!("50{}", wish.refund),
        transaction: wish.transaction.clone(),
        order: String::new(),
        amount: wish.amount,
        total: wish.total,
        state,
    }
}

impl WeChat for Provider {
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        self.answer(Ok(format!("openid-{code}")))
    }
    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
        lock(&self.wishes).push(wish.clone());
        let said = lock(&self.prepays).pop();
        self.answer(said.unwrap_or_else(|| Ok(Ticket::Prepaid(format!("wx{}", wish.order)))))
    }
    fn query(&self, _: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        let said = lock(&self.says).clone();
        self.answer(said.unwrap_or(Ok(Trade::NotPaid)))
    }
    fn close(&self, _: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        let said = lock(&self.closes).pop();
        self.answer(said.unwrap_or(Ok(())))
    }
    fn refund<'a>(&'a self, wish: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
        lock(&self.refund_wishes).push(wish.clone());
        let said = lock(&self.repays).pop();
        self.answer(said.unwrap_or_else(|| Ok(Repayment::Known(refunded(wish, RefundState::Processing)))))
    }
    fn query_refund(&self, _: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
        let said = lock(&self.says_of_refund).clone();
        self.answer(said.unwrap_or(Ok(Repayment::NotFound)))
    }
    /// The body is the payment: order, transaction, fen, currency. Or the refund: its number, transaction, fen, of fen, and
    /// how far it is.
    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault> {
        let known = notice.serial.is_empty() || lock(&self.learnt).iter().any(|serial| serial == notice.serial);
        if !known {
            return Err(NoticeFault::UnknownSerial);
        }
        let text = std::str::from_utf8(notice.body).map_err(|_| NoticeFault::Malformed)?;
        let parts: Vec<&str> = text.split(' ').collect();
        let fen = |text: &str| text.parse().map(Fen::new).map_err(|_| NoticeFault::Malformed);
        match parts[..] {
            [order, transaction, amount, currency] => Ok(Notice::Trade(Trade::Paid(Payment {
                order: order.to_owned(),
                transaction: transaction.to_owned(),
                amount: fen(amount)?,
                currency: currency.to_owned(),
                paid_at: now,
            }))),
            [refund, transaction, amount, total, state] => Ok(Notice::Refund(Refunded {
                refund: refund.to_owned(),
                refund_id: format!("50{refund}"),
                transaction: transaction.to_owned(),
                order: String::new(),
                amount: fen(amount)?,
                total: fen(total)?,
                state: match state {
                    "SUCCESS" => RefundState::Success { at: now },
                    "CLOSED" => RefundState::Closed,
                    "ABNORMAL" => RefundState::Abnormal,
                    _ => return Err(NoticeFault::Malformed),
                },
            })),
            ["foreign"] => Err(NoticeFault::Foreign),
            ["stale"] => Err(NoticeFault::Stale),
            ["sealed"] => Err(NoticeFault::Sealed),
            _ => Err(NoticeFault::WrongSignature),
        }
    }
    fn learn_serial<'a>(&'a self, serial: &'a str) -> Waiting<'a, bool> {
        let known = lock(&self.serials).contains(&serial);
        if known {
            lock(&self.learnt).push(serial.to_owned());
        }
        self.answer(known)
    }
    fn bridge(&self, prepay_id: &str, _: Micros, _: &str) -> Bridge {
        let text = String::new;
        Bridge { app_id: text(), time_stamp: text(), nonce_str: text(), package: prepay_id.into(), pay_sign: text() }
    }
}

/// Inside WeChat, as everybody who tests pays.
pub fn in_wechat() -> Scene {
    Scene::InWeChat { openid: "payer".into() }
}

/// A school with one holder, one card and one terminal, and everything in hand.
pub struct Campus {
    pub rig: Rig,
    pub provider: Arc<Provider>,
    pub person: PersonId,
    pub merchant: MerchantId,
    pub at: EnrolmentId,
    pub terminal: TerminalNo,
    pub chip: Chip,
    pub psam: SoftPsam,
    /// The key that the card knows.
    key: u8,
    /// Hour of the terminal's clock, in BCD.
    pub hour: u8,
    keyring: Keyring,
    seq: u64,
    chance: u32,
}

/// Another terminal, to be used in turn with the first one.
pub struct OtherTill {
    at: EnrolmentId,
    terminal: TerminalNo,
    psam: SoftPsam,
    seq: u64,
}

/// The one card.
pub const CARD: CardNo = CardNo(0x2026_0000_0000_0042);
/// The one terminal.
pub const TERMINAL: TerminalNo = TerminalNo([0, 0, 1]);

impl Campus {
    pub fn new() -> Campus {
        let keyring = Keyring::generate();
        let (version, masters) = keyring.newest_card_masters().expect("a keyring has masters");
        let set = masters.key_set(Suite::TripleDes, CardNumber(CARD.0));
        let psam = SoftPsam::new(TERMINAL.with([0; 3]), [(version, masters.purchase.clone())].into());
        Campus::with(keyring, (version, set), psam)
    }

    /// The one card speaks SM4 alone; school and terminal speak both.
    pub fn of_sm4() -> Campus {
        let form = SessionForm::Doubled;
        let keyring = Keyring::generate().with_sm4(form);
        let sm4 = keyring.sm4_masters().expect("just added");
        let (&version, masters) = sm4.cards.last_key_value().expect("one version");
        let set = masters.key_set(Suite::Sm4(form), CardNumber(CARD.0));
        let triple_des = keyring.card_masters().iter().map(|(version, masters)| (*version, masters.purchase.clone()));
        let psam = SoftPsam::new(TERMINAL.with([0; 3]), triple_des.collect())
            .with_sm4(form, [(version, masters.purchase.clone())].into());
        Campus::with(keyring, (version, set), psam)
    }

    fn with(keyring: Keyring, (version, set): (u8, KeySet), psam: SoftPsam) -> Campus {
        let provider = Arc::new(Provider::default());
        let rig = Rig::with(Arc::new(CardMasterKeys::new(&keyring)), provider.clone(), 100_000);
        let person = admitted(&rig);
        rig.run(card_issue::issue(&rig.school, person, CARD)).expect("a free card");
        let merchant = rig.run(merchant::add(&rig.school, "canteen", "食堂", "Canteen")).expect("a good code");
        let at = enrol(&rig, TERMINAL, [1; 32]);
        let key = terminal::key_of(set.suite.algorithm().identifier());
        let switches = match set.suite {
            Suite::TripleDes => Switches::CAMPUS,
            Suite::Sm4(session_form) => Switches { session_form, ..Switches::CAMPUS },
        };
        let chip = Chip::with_key_sets(serial(CARD), &set, &[], &profile(version), switches, &HolderFile::NOBODY);
        let terminal = TERMINAL;
        Campus {
            rig,
            provider,
            person,
            merchant,
            at,
            terminal,
            chip,
            psam,
            key,
            hour: 0x12,
            keyring,
            seq: 0,
            chance: 0,
        }
    }

    /// A second terminal, enrolled under this number with a purchase module of its own.
    pub fn other_till(&self, terminal: TerminalNo) -> OtherTill {
        let at = enrol(&self.rig, terminal, [terminal.0[2]; 32]);
        let (version, masters) = self.keyring.newest_card_masters().expect("a keyring has masters");
        let psam = SoftPsam::new(terminal.with([0; 3]), [(version, masters.purchase.clone())].into());
        OtherTill { at, terminal, psam, seq: 0 }
    }

    /// From now on the hand stands at that terminal, and `till` is the one where it stood.
    pub fn walk_to(&mut self, till: &mut OtherTill) {
        std::mem::swap(&mut self.at, &mut till.at);
        std::mem::swap(&mut self.terminal, &mut till.terminal);
        std::mem::swap(&mut self.psam, &mut till.psam);
        std::mem::swap(&mut self.seq, &mut till.seq);
    }

    /// A fresh chip of this school.
    pub fn another_chip(&self, no: CardNo) -> Chip {
        personalised(no, &self.keyring)
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
        let opened = flows::top_up::open(&self.rig.school, self.person, yuan, in_wechat(), form);
        self.rig.run(opened).expect("an order")
    }

    pub fn notice(&self, body: &str) -> flows::top_up::NoticeOutcome {
        self.notice_under("", body)
    }

    /// A notice under a key with this serial; the empty one is known from the start.
    pub fn notice_under(&self, serial: &str, body: &str) -> flows::top_up::NoticeOutcome {
        let raw = RawNotice { timestamp: "", nonce: "", serial, signature: "", body: body.as_bytes() };
        self.rig.run(flows::top_up::notice(&self.rig.school, &raw))
    }

    /// The holder's account is closed.
    pub fn close_account(&self) {
        let closed = self.rig.run(self.rig.school.submit(CloseAccount(self.person)));
        assert!(closed.is_ok(), "closes");
    }

    /// Whatever is due is done.
    pub fn due(&self) {
        self.rig.run(flows::due::run(&self.rig.school, 100)).expect("the disk is whole");
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
        let terminal = self.terminal.with(nonce);
        let answer =
            LoadAnswer::parse(&self.chip(&terminal::init_load_with(self.key, amount, terminal))).expect("a good card");
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
        self.begin_with(session, &[])
    }

    /// As `begin`, with proofs of debits that were asked for.
    pub fn begin_with(&self, session: Session, proofs: &[(u16, [u8; 4])]) -> Result<Onward, Words> {
        self.rig.run(tap_load::begin(&self.rig.school, self.at, CARD, session, proofs))
    }

    /// The chip's proof of the debit that it made at `m`, if it has it; what a terminal sends along for this counter.
    pub fn proof(&mut self, m: u16) -> Vec<(u16, [u8; 4])> {
        self.chip(&terminal::select_purse());
        let answer = self.chip(&terminal::prove(Kind::Purchase, m + 1));
        terminal::ProveAnswer::parse(&answer).map(|proof| (m, proof.tac)).into_iter().collect()
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
        let terminal = self.terminal.with([0; 3]);
        self.chip(&terminal::select_purse());
        let init = terminal::init_purchase_with(self.key, fen, terminal);
        let opened = PurchaseAnswer::parse(&self.chip(&init)).expect("enough money");
        // Another second for every sale, in BCD.
        let second = u8::try_from(self.chance % 60).expect("below 60");
        let stamp =
            Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [self.hour, 0, ((second / 10) << 4) | (second % 10)] };
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

    /// Makes an order, has it paid, and loads it.
    pub fn top_up_and_hold(&mut self, yuan: &str) {
        self.top_up(yuan);
        assert!(self.hold(Stage::Load).0 > 0, "something was loaded");
    }

    /// Debits the chip and sends the record; gives that.
    pub fn buy(&mut self, fen: u32) -> PurseSale {
        let sale = self.debit(fen, None);
        assert_eq!(self.send(Record::Sale(sale)), Answer::Taken);
        sale
    }

    pub fn balance(&self, account: ledger::AccountKey) -> i64 {
        self.rig.school.balance(&account).get()
    }
}

/// A chip with this number and the newest keys of a keyring.
pub fn personalised(no: CardNo, keyring: &Keyring) -> Chip {
    let (version, masters) = keyring.newest_card_masters().expect("a keyring has masters");
    Chip::personalise(serial(no), masters, &profile(version))
}

fn profile(key_version: u8) -> Profile {
    let validity = Validity { from: [0x20, 0x26, 1, 1], until: [0x20, 0x36, 1, 1] };
    Profile { issuer: [1; 8], application_version: 1, key_version, validity }
}

fn serial(no: CardNo) -> [u8; 10] {
    let mut serial = [0; 10];
    serial[2..].copy_from_slice(&no.0.to_be_bytes());
    serial
}

/// Enrols a terminal with a certificate of this fingerprint.
pub fn enrol(rig: &Rig, terminal: TerminalNo, certificate: [u8; 32]) -> EnrolmentId {
    let new = NewTerminal {
        terminal,
        merchant: "canteen".into(),
        place_zh: "食堂".into(),
        place_en: "Canteen".into(),
        certificate,
    };
    rig.run(terminals::enrol(&rig.school, new)).expect("a merchant")
}

/// What the closing of an account will leave; its desk is a step of its own.
struct CloseAccount(PersonId);

impl teller::Command<flows::rows::Campus> for CloseAccount {
    type Answer = ();
    type Refusal = ();

    fn needs(&self, _: &teller::Seen<'_, flows::rows::Campus>) -> Vec<Key> {
        vec![Key::Person(self.0)]
    }

    fn decide(
        &self,
        desk: &mut teller::Desk<'_, flows::rows::Campus>,
    ) -> Result<(), teller::Halt<flows::rows::Campus, ()>> {
        let Some(mut person) = desk.get(&Key::Person(self.0))?.and_then(Row::person).cloned() else {
            return Err(teller::Halt::Refuse(()));
        };
        person.standing = Standing::Closed;
        desk.put(Key::Person(self.0), Row::Person(Box::new(person)))?;
        Ok(())
    }
}
