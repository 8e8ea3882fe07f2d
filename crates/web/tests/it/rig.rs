//! A school behind the real router: the real teller on a thread of its own, the book in memory, real secrets and card keys,
//! a clock set by hand, and a payment provider that says what a test tells it to.

use std::future::ready;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use flows::nonces::Nonces;
use flows::people::{find_by_number, import};
use flows::ports::{
    Bridge, ChannelError, Clock, ListAsk, Listed, Notice, NoticeFault, Payment, PrepayWish, RawNotice, Reader,
    RefundNo, RefundState, RefundWish, Refunded, Repayment, Scene, Secrets, Ticket, Trade, Waiting, WeChat,
};
use flows::rows::Campus;
use flows::top_up::NoticeOutcome;
use flows::{School, card_issue, top_up};
use keys::{CardMasterKeys, Keyring, SoftSecrets, SystemEntropy};
use ledger::{Fen, Id, JournalRow, Micros, SchoolId};
use report::document::typeface::Typefaces;
use rules::calendar::CampusDay;
use rules::ids::{CardNo, OrderNo, PersonId};
use rules::roster::{Cell, Entry, RawRow, check};
use store::memory::{MemoryDisk, MemoryReader};
use teller::{Door, Engine, IdSource, Limits, RawKey, Schema, StoreError};
use web::{Web, WebConfig, router};

use crate::hand::Hand;

/// 2026-11-23 12:30:05 in Asia/Shanghai.
pub const START: Micros = Micros::from_seconds(1_795_408_205);
/// Where the pages are served.
pub const BASE: &str = "http://127.0.0.1:8080";
/// The sandbox's cashier of the demo.
pub const CASHIER: &str = "http://127.0.0.1:9090";
/// A password that is strong enough for everybody here.
pub const PASSWORD: &str = "qiu-tian-7531";

/// One school and its router.
pub struct Rig {
    pub school: School,
    pub provider: Arc<Provider>,
    pub app: Router,
    /// The card of [`Rig::holder`] and the terminals it is held to.
    pub hand: tokio::sync::Mutex<Hand>,
    /// The book as it is kept.
    pub disk: MemoryDisk,
    reader: Arc<Windows>,
    clock: Arc<HandClock>,
    teller: Option<JoinHandle<()>>,
}

impl Rig {
    /// A school without people, served on a loopback address as in the demo.
    pub fn new() -> Rig {
        Rig::with(|_| {})
    }

    /// A school whose pages are served as `change` says.
    pub fn with(change: impl FnOnce(&mut WebConfig)) -> Rig {
        let provider = Arc::new(Provider::default());
        Rig::of(provider.clone(), provider, None, change)
    }

    /// The same, with passwords and sealed data behind this port.
    pub fn with_secrets(secrets: Arc<dyn Secrets>, change: impl FnOnce(&mut WebConfig)) -> Rig {
        let provider = Arc::new(Provider::default());
        Rig::of(provider.clone(), provider, Some(secrets), change)
    }

    /// A school that talks to its provider through `wechat`.
    pub fn through(wechat: Arc<dyn WeChat>) -> Rig {
        Rig::of(wechat, Arc::new(Provider::default()), None, |_| {})
    }

    fn of(
        wechat: Arc<dyn WeChat>,
        provider: Arc<Provider>,
        secrets: Option<Arc<dyn Secrets>>,
        change: impl FnOnce(&mut WebConfig),
    ) -> Rig {
        let id = SchoolId::new(1).expect("a school's number");
        let keyring = Keyring::generate();
        let clock = Arc::new(HandClock(AtomicI64::new(START.get())));
        let disk = MemoryDisk::new(id, Campus::TABLES);
        let store = disk.open().expect("one writer");
        let mut engine =
            Engine::start(id, store, Box::new(Counting(0)), Limits::default()).expect("an empty book adds up");
        let reader = Arc::new(Windows { reader: disk.reader(), shut: AtomicBool::new(false) });
        let school = School {
            id,
            door: Door::new(1000),
            balances: engine.balances(),
            reader: reader.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            secrets: secrets.unwrap_or_else(|| Arc::new(SoftSecrets::new(&keyring).expect("threads"))),
            card_keys: Arc::new(CardMasterKeys::new(&keyring)),
            wechat,
            nonces: Arc::new(Nonces::default()),
        };
        let (door, wall) = (school.door.clone(), clock.clone());
        let teller = std::thread::spawn(move || {
            teller::run(&door, &mut engine, || teller::Paced::Follows(wall.now()));
        });
        let mut config = WebConfig {
            base_url: BASE.to_owned(),
            secure_cookies: false,
            school_name_zh: "示范大学".to_owned(),
            school_name_en: "Example University".to_owned(),
            wechat_authorize: Arc::new(|back, state| format!("{CASHIER}/authorize?redirect_uri={back}&state={state}")),
            pay_in_phone_browser: true,
            pay_by_code: true,
            client_header: None,
            cashier: Some(CASHIER.to_owned()),
            form_action_hosts: vec!["https://cashier.example".to_owned()],
            demo_link: None,
            domain_checks: vec![("MP_verify_abc.txt".to_owned(), "abc".to_owned())],
            guide: web::guide::GuideConfig::default(),
            typefaces: Typefaces::default(),
        };
        change(&mut config);
        let app = router(Web::new(school.clone(), config));
        let hand = tokio::sync::Mutex::new(Hand::new(&keyring));
        Rig { hand, school, provider, app, disk, reader, clock, teller: Some(teller) }
    }

    /// From now on the database answers nobody.
    pub fn break_reading(&self) {
        self.reader.shut.store(true, Ordering::SeqCst);
    }

    /// The clock goes on by so many seconds.
    pub fn advance(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// A holder with a passport and no card; the first password is the passport's last six digits.
    pub async fn person(&self, number: &str, name: &str, passport: &str) -> PersonId {
        let report = import(&self.school, vec![entry(number, name, passport)], false).await.expect("readable");
        assert_eq!(report.added(), 1, "{report:?}");
        find_by_number(&self.school, number).await.expect("readable").expect("admitted")
    }

    /// The holder 林晓雨 with the card that the hand holds.
    pub async fn holder(&self) -> PersonId {
        let person = self.person("2026010101", "林晓雨", "E20260042").await;
        card_issue::issue(&self.school, person, crate::hand::CARD).await.expect("a free card");
        crate::hand::open_canteen(&self.school).await;
        person
    }

    /// A second holder with a card of no chip.
    pub async fn other(&self) -> PersonId {
        let person = self.person("2026010102", "王芳", "E20260043").await;
        card_issue::issue(&self.school, person, CardNo(0x2026_0000_0000_0043)).await.expect("a free card");
        person
    }

    /// An order of so many yuan that is not paid.
    pub async fn order(&self, person: PersonId, yuan: &str) -> OrderNo {
        let form: [u8; 16] = self.school.random();
        top_up::open(&self.school, person, yuan, Scene::InWeChat { openid: "openid-p".into() }, form)
            .await
            .expect("an order")
    }

    /// Delivers the notice that the order was paid.
    pub async fn pay(&self, no: OrderNo, fen: i64) {
        let body = format!("{no} 42000{no} {fen} CNY");
        let raw = RawNotice { timestamp: "", nonce: "", serial: "", signature: "", body: body.as_bytes() };
        assert_eq!(top_up::notice(&self.school, &raw).await, NoticeOutcome::Taken(no));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.school.door.close();
        if let Some(teller) = self.teller.take() {
            let _ = teller.join();
        }
    }
}

fn entry(number: &str, name: &str, passport: &str) -> Entry {
    let text = |text: &str| Cell::Text(text.to_owned());
    let row = RawRow {
        row_number: 2,
        number: text(number),
        name: text(name),
        document_kind: text("护照"),
        document_number: text(passport),
        category: text("学生"),
        department: text("计算机学院"),
        phone: text("13812345678"),
        remark: Cell::Empty,
    };
    check(&[row], CampusDay(20_261_123)).remove(0).expect("a right row")
}

/// Committed rows, as long as the database answers.
struct Windows {
    reader: MemoryReader,
    shut: AtomicBool,
}

impl Windows {
    fn shut<T: Send + 'static>(&self) -> Option<Waiting<'static, Result<T, StoreError>>> {
        let fault = StoreError { what: "read", why: "the disk is gone".to_owned() };
        self.shut.load(Ordering::SeqCst).then(|| -> Waiting<'static, _> { Box::pin(ready(Err(fault))) })
    }
}

impl Reader for Windows {
    fn rows(&self, keys: Vec<RawKey>) -> Waiting<'_, Result<Vec<Option<Vec<u8>>>, StoreError>> {
        self.shut().unwrap_or_else(|| self.reader.rows(keys))
    }

    fn list(&self, ask: ListAsk) -> Waiting<'_, Result<Vec<Listed>, StoreError>> {
        self.shut().unwrap_or_else(|| self.reader.list(ask))
    }

    fn journal(&self, seqs: Vec<u64>) -> Waiting<'_, Result<Vec<JournalRow>, StoreError>> {
        self.shut().unwrap_or_else(|| self.reader.journal(seqs))
    }
}

struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros::new(self.0.load(Ordering::SeqCst))
    }
}

struct Counting(u64);

impl IdSource for Counting {
    fn next(&mut self, now: Micros) -> Id {
        self.0 += 1;
        Id::time_ordered(now, self.0.to_be_bytes())
    }
}

/// Says of an order what a test put there.
#[derive(Default)]
pub struct Provider {
    /// What a query is answered.
    pub says: Mutex<Option<Result<Trade, ChannelError>>>,
    /// What a creation is answered; a prepay id when nothing is said.
    pub prepays: Mutex<Option<ChannelError>>,
}

impl WeChat for Provider {
    fn openid<'a>(&'a self, code: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        Box::pin(async move {
            match code {
                "silent" => Err(ChannelError::Unknown("no answer".into())),
                "used" => Err(ChannelError::Refused { code: "40163".into(), message: "code been used".into() }),
                code => Ok(format!("openid-{code}")),
            }
        })
    }

    fn prepay<'a>(&'a self, wish: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
        let said = self.prepays.lock().expect("no test panics in here").clone();
        let ticket = match &wish.scene {
            Scene::InWeChat { .. } => Ticket::Prepaid(format!("wx{}", wish.order)),
            Scene::PhoneBrowser { .. } => Ticket::Address(format!("https://wx.example/h5?prepay_id={}", wish.order)),
            Scene::Scan => Ticket::Code(format!("weixin://wxpay/bizpayurl?pr={}", wish.order)),
        };
        Box::pin(async move { said.map_or(Ok(ticket), Err) })
    }

    fn query(&self, _: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        let said = self.says.lock().expect("no test panics in here").clone();
        Box::pin(async move { said.unwrap_or(Ok(Trade::NotPaid)) })
    }

    fn close(&self, _: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        Box::pin(async { Ok(()) })
    }

    fn refund<'a>(&'a self, wish: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
        let RefundWish { refund, transaction, amount, total, .. } = wish.clone();
        let (refund, refund_id) = (refund.to_string(), format!("50{refund}"));
        let state = RefundState::Processing;
        let known = Refunded { refund, refund_id, transaction, order: String::new(), amount, total, state };
        Box::pin(async move { Ok(Repayment::Known(known)) })
    }

    fn query_refund(&self, _: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
        Box::pin(async { Ok(Repayment::NotFound) })
    }

    fn learn_serial<'a>(&'a self, _: &'a str) -> Waiting<'a, bool> {
        Box::pin(async { false })
    }

    /// The body is the payment (order, transaction, fen, currency), a refund that succeeded (its number, transaction, fen, of
    /// fen, `back`) or the name of a fault.
    fn open_notice(&self, notice: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault> {
        let text = std::str::from_utf8(notice.body).map_err(|_| NoticeFault::Malformed)?;
        let parts: Vec<&str> = text.split(' ').collect();
        if let [refund, transaction, amount, total, "back"] = parts[..] {
            let fen = |text: &str| text.parse().map(Fen::new).map_err(|_| NoticeFault::Malformed);
            return Ok(Notice::Refund(Refunded {
                refund: refund.to_owned(),
                refund_id: format!("50{refund}"),
                transaction: transaction.to_owned(),
                order: String::new(),
                amount: fen(amount)?,
                total: fen(total)?,
                state: RefundState::Success { at: now },
            }));
        }
        let [order, transaction, fen, currency] = parts[..] else {
            return Err(match text {
                "stale" => NoticeFault::Stale,
                "serial" => NoticeFault::UnknownSerial,
                "signature" => NoticeFault::WrongSignature,
                "sealed" => NoticeFault::Sealed,
                "foreign" => NoticeFault::Foreign,
                _ => NoticeFault::Malformed,
            });
        };
        Ok(Notice::Trade(Trade::Paid(Payment {
            order: order.to_owned(),
            transaction: transaction.to_owned(),
            amount: Fen::new(fen.parse().map_err(|_| NoticeFault::Malformed)?),
            currency: currency.to_owned(),
            paid_at: now,
        })))
    }

    fn bridge(&self, prepay_id: &str, now: Micros, nonce: &str) -> Bridge {
        Bridge {
            app_id: "wxapp".into(),
            time_stamp: now.seconds().to_string(),
            nonce_str: nonce.into(),
            package: format!("prepay_id={prepay_id}"),
            pay_sign: "c2lnbmF0dXJl+/==".into(),
        }
    }
}
