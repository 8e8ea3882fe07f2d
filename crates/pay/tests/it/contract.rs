//! The adapter against the sandbox: two readings of the provider's description that share no code.

use std::io;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use flows::ports::{
    ChannelError, Clock, Notice, NoticeFault, OrderNo, Payment, PrepayWish, RawNotice, RefundNo, RefundState,
    RefundWish, Repayment, Scene, Ticket, Trade, WeChat,
};
use ledger::{Fen, Micros, SchoolId};
use pay::wechat::account::{AccountFault, Menu, SubscribeMessage, TemplateMessage};
use pay::wechat::bills::{Bill, BillDay, BillFault, Direction, FlowKind, FundAccount, Row, Take, Totals};
use pay::wechat::{PlatformKeyConfig, WeChatConfig, WeChatPay};
use sandbox::{Choice, KeySet, Sandbox, generate};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::desk::{OPENID, Still, channel_at, folder, write};

/// 2026-11-22 12:30:05 in Beijing.
const START: i64 = 1_795_321_805;

/// RSA keys are slow to make: one set for all.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let choice = Choice {
        address: "http://127.0.0.1:8081".to_owned(),
        folder: None,
        retry_speed: 1,
        allowed_redirect_hosts: Vec::new(),
        merchant_name: "示范大学校园卡".to_owned(),
    };
    generate(&choice, Micros::from_seconds(START)).expect("keys")
});

/// A notice as it arrived.
struct Arrival {
    headers: HeaderMap,
    body: Bytes,
}

/// One provider, one merchant, one clock.
struct World {
    base: String,
    sandbox: Sandbox,
    clock: Arc<Still>,
    settings: WeChatConfig,
    arrived: UnboundedReceiver<Arrival>,
    http: reqwest::Client,
    next: u8,
}

async fn arrive(State(to): State<UnboundedSender<Arrival>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    to.send(Arrival { headers, body }).expect("the test listens");
    StatusCode::NO_CONTENT
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
    base
}

impl World {
    async fn new() -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let clock = Still::at(START);
        let mut setup = KEYS.setup.clone();
        setup.address.clone_from(&base);
        let hand = Arc::clone(&clock);
        let sandbox = Sandbox::with_clock(setup, move || hand.now()).expect("a sandbox");
        let router = sandbox.router();
        tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
        let (sender, arrived) = unbounded_channel();
        let receiver = serve(Router::new().route("/notify/wechat", post(arrive)).with_state(sender)).await;
        let settings = settings(&base, &receiver);
        // The adapter's client installs the TLS provider; this one needs none but asks for it.
        let _ = channel_at(&settings, Arc::clone(&clock));
        let http = reqwest::Client::builder().tls_certs_only([]).build().expect("a client");
        World { base, sandbox, clock, settings, arrived, http, next: 0 }
    }

    fn wechat(&self) -> WeChatPay {
        channel_at(&self.settings, Arc::clone(&self.clock))
    }

    /// The same merchant without the public key.
    fn with_certificates_alone(&self) -> WeChatPay {
        let mut settings = self.settings.clone();
        settings.platform_keys.clear();
        settings.download_certificates = true;
        channel_at(&settings, Arc::clone(&self.clock))
    }

    fn pass(&self, seconds: i64) {
        self.clock.set(self.clock.now().seconds() + seconds);
    }

    /// What the sandbox's operator does.
    async fn control(&self, path: &str, body: serde_json::Value) {
        let answer = self.http.post(format!("{}{path}", self.base)).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
    }

    async fn switch(&self, switch: &str, mode: &str) {
        self.control("/control/switch", json!({ "switch": switch, "mode": mode, "number": 50 })).await;
    }

    fn number(&mut self) -> OrderNo {
        self.next += 1;
        OrderNo::new(SchoolId::new(1).expect("a school"), self.clock.now(), [self.next; 8])
    }

    fn wish(&mut self, scene: Scene) -> PrepayWish {
        PrepayWish {
            order: self.number(),
            amount: Fen::new(5000),
            description: "校园卡, 充值".to_owned(),
            scene,
            expires_at: self.clock.now().after_seconds(900),
        }
    }

    /// An order that was paid, and the payment.
    async fn paid(&mut self, wechat: &WeChatPay) -> Payment {
        let wish = self.wish(Scene::InWeChat { openid: OPENID.to_owned() });
        wechat.prepay(&wish).await.expect("a ticket");
        self.pay(wish.order).await;
        match wechat.query(wish.order).await {
            Ok(Trade::Paid(payment)) => payment,
            other => panic!("{other:?}"),
        }
    }

    async fn pay(&self, order: OrderNo) {
        self.control("/control/pay", json!({ "provider": "wechat", "out_trade_no": order.to_string() })).await;
    }

    /// Has the next notice delivered, and opens it.
    async fn news(&mut self, wechat: &WeChatPay) -> Result<Notice, NoticeFault> {
        self.sandbox.deliver_due().await;
        let Arrival { headers, body } = self.arrived.try_recv().expect("a notice");
        let header = |name: &str| headers.get(name).expect("a header").to_str().expect("ASCII");
        let raw = RawNotice {
            timestamp: header("Wechatpay-Timestamp"),
            nonce: header("Wechatpay-Nonce"),
            serial: header("Wechatpay-Serial"),
            signature: header("Wechatpay-Signature"),
            body: &body,
        };
        match wechat.open_notice(&raw, self.clock.now()) {
            Err(NoticeFault::UnknownSerial) if wechat.learn_serial(raw.serial).await => {
                wechat.open_notice(&raw, self.clock.now())
            }
            opened => opened,
        }
    }

    fn refund_of(&mut self, payment: &Payment, amount: i64) -> RefundWish {
        RefundWish {
            refund: RefundNo::from_id(self.number().id()),
            transaction: payment.transaction.clone(),
            amount: Fen::new(amount),
            total: payment.amount,
            reason: "销户退款".to_owned(),
        }
    }
}

fn settings(base: &str, receiver: &str) -> WeChatConfig {
    let (folder, side) = (folder(), &KEYS.merchant);
    WeChatConfig {
        api_base: base.to_owned(),
        oauth_base: base.to_owned(),
        token_base: base.to_owned(),
        appid: side.appid.clone(),
        mchid: side.mchid.clone(),
        app_secret_file: write(&folder, "app-secret", &side.app_secret),
        merchant_serial: side.merchant_serial.clone(),
        merchant_key_file: write(&folder, "apiclient_key.pem", &side.merchant_private_key_pem),
        apiv3_key_file: write(&folder, "apiv3-key", &side.apiv3_key),
        platform_keys: vec![PlatformKeyConfig {
            serial: side.platform_key_id.clone(),
            public_key_file: write(&folder, "pub_key.pem", &side.platform_public_key_pem),
        }],
        download_certificates: false,
        certificates_file: None,
        notify_url: format!("{receiver}/notify/wechat"),
        connect_ms: 2_000,
        deadline_ms: 5_000,
    }
}

#[tokio::test]
async fn an_order_of_each_scene_is_created_paid_asked_for_and_notified() {
    let mut world = World::new().await;
    let wechat = world.wechat();
    let scenes = [
        Scene::InWeChat { openid: OPENID.to_owned() },
        Scene::PhoneBrowser { address: "203.0.113.7".to_owned() },
        Scene::Scan,
    ];
    for scene in scenes {
        let wish = world.wish(scene.clone());
        let ticket = wechat.prepay(&wish).await;
        let fits = match (&scene, &ticket) {
            (Scene::InWeChat { .. }, Ok(Ticket::Prepaid(_))) | (Scene::PhoneBrowser { .. }, Ok(Ticket::Address(_))) => {
                true
            }
            (Scene::Scan, Ok(Ticket::Code(code))) => code.starts_with("weixin://"),
            _ => false,
        };
        assert!(fits, "{scene:?}: {ticket:?}");
        // The same wish again is the same order.
        assert!(wechat.prepay(&wish).await.is_ok());
        assert_eq!(wechat.query(wish.order).await, Ok(Trade::NotPaid));
        world.pay(wish.order).await;
        let asked = wechat.query(wish.order).await;
        let Ok(Trade::Paid(payment)) = &asked else { panic!("{asked:?}") };
        assert_eq!((payment.order.clone(), payment.amount), (wish.order.to_string(), wish.amount));
        assert_eq!((payment.currency.as_str(), payment.paid_at), ("CNY", world.clock.now()));
        assert_eq!(wechat.query_transaction(&payment.transaction).await, asked);
        let told = world.news(&wechat).await;
        assert_eq!(told, Ok(Notice::Trade(Trade::Paid(payment.clone()))), "{scene:?}");
    }
}

#[tokio::test]
async fn t16_a_close_is_known_for_what_it_is() {
    let mut world = World::new().await;
    let wechat = world.wechat();
    let wish = world.wish(Scene::Scan);
    assert_eq!(wechat.query(wish.order).await, Ok(Trade::NotFound));
    wechat.prepay(&wish).await.expect("a ticket");
    world.pass(600);
    for _ in 0..2 {
        assert_eq!(wechat.close(wish.order).await, Ok(()));
    }
    assert_eq!(wechat.query(wish.order).await, Ok(Trade::Closed));
    assert!(wechat.prepay(&wish).await.is_err(), "a closed number is used up");

    let paid = world.paid(&wechat).await;
    let order = OrderNo::parse(&paid.order).expect("ours");
    assert!(wechat.close(order).await.is_err());
    assert_eq!(wechat.query(order).await, Ok(Trade::Paid(paid)));

    let typing = world.wish(Scene::InWeChat { openid: OPENID.to_owned() });
    wechat.prepay(&typing).await.expect("a ticket");
    let step = json!({ "provider": "wechat", "out_trade_no": typing.order.to_string(), "step": "begin" });
    world.control("/control/pay", step).await;
    let closed = wechat.close(typing.order).await;
    assert!(matches!(closed, Err(ChannelError::Unknown(_))), "{closed:?}");
}

#[tokio::test]
async fn refunds_come_to_each_of_their_ends() {
    let mut world = World::new().await;
    let wechat = world.wechat();
    let payment = world.paid(&wechat).await;
    world.news(&wechat).await.expect("the payment's notice");
    let wish = world.refund_of(&payment, 2000);
    assert_eq!(wechat.query_refund(wish.refund).await, Ok(Repayment::NotFound));
    let first = wechat.refund(&wish).await;
    let Ok(Repayment::Known(known)) = &first else { panic!("{first:?}") };
    assert_eq!((known.amount, known.total, known.state), (wish.amount, wish.total, RefundState::Processing));
    assert_eq!((known.refund.clone(), known.order.clone()), (wish.refund.to_string(), payment.order.clone()));
    assert_eq!(wechat.refund(&wish).await, first, "the same number is one refund");
    assert_eq!(wechat.query_refund(wish.refund).await, first);
    let other = RefundWish { amount: Fen::new(2001), ..wish.clone() };
    assert!(matches!(wechat.refund(&other).await, Ok(Repayment::Refused { .. })), "other parameters");
    let order = OrderNo::parse(&payment.order).expect("ours");
    assert!(matches!(wechat.query(order).await, Ok(Trade::Refunded(_))));

    for (outcome, end) in
        [("success", None), ("closed", Some(RefundState::Closed)), ("abnormal", Some(RefundState::Abnormal))]
    {
        world.pass(120);
        let wish = world.refund_of(&payment, 500);
        assert!(matches!(wechat.refund(&wish).await, Ok(Repayment::Known(_))));
        world.control("/control/refund", json!({ "out_refund_no": wish.refund.to_string(), "outcome": outcome })).await;
        let asked = wechat.query_refund(wish.refund).await;
        let Ok(Repayment::Known(known)) = &asked else { panic!("{outcome}: {asked:?}") };
        assert_eq!(known.state, end.unwrap_or(RefundState::Success { at: world.clock.now() }), "{outcome}");
        // The first refund may have ended meanwhile and tell of it too.
        let mut told = world.news(&wechat).await;
        while told != Ok(Notice::Refund(known.clone())) {
            told = world.news(&wechat).await;
        }
    }

    let unpaid = world.wish(Scene::Scan);
    wechat.prepay(&unpaid).await.expect("a ticket");
    let nowhere = RefundWish { transaction: "4200000000000000000000000000".to_owned(), ..world.refund_of(&payment, 1) };
    assert!(matches!(wechat.refund(&nowhere).await, Ok(Repayment::Refused { .. })));
    for (mode, expected) in [("not_enough", Some(Repayment::Short)), ("account_abnormal", None)] {
        world.pass(120);
        world.switch("refund", mode).await;
        let answer = wechat.refund(&world.refund_of(&payment, 1)).await;
        match expected {
            Some(expected) => assert_eq!(answer, Ok(expected)),
            None => assert!(matches!(answer, Ok(Repayment::Refused { .. })), "{mode}: {answer:?}"),
        }
    }
    world.switch("refund", "no_merchant").await;
    let answer = wechat.refund(&world.refund_of(&payment, 1)).await;
    assert!(matches!(&answer, Err(ChannelError::Unknown(text)) if text.contains("merchant_serial")), "{answer:?}");
}

#[tokio::test]
async fn t33_certificates_are_fetched_followed_and_mixed_with_the_public_key() {
    let mut world = World::new().await;
    world.switch("keys", "certificate").await;
    world.switch("certificates", "first").await;
    let wechat = world.with_certificates_alone();
    let payment = world.paid(&wechat).await;
    assert_eq!(world.news(&wechat).await, Ok(Notice::Trade(Trade::Paid(payment))));

    // The provider begins to sign with its next certificate.
    for mode in ["first_of_two", "second_of_two", "second"] {
        world.switch("certificates", mode).await;
        // Nobody refreshed the list: the first message under the new serial does.
        world.pass(61);
        let payment = world.paid(&wechat).await;
        assert_eq!(world.news(&wechat).await, Ok(Notice::Trade(Trade::Paid(payment))), "{mode}");
    }

    // And then to change over to the public key, which was loaded meanwhile.
    world.switch("keys", "both").await;
    let mut settings = world.settings.clone();
    settings.download_certificates = true;
    let both = channel_at(&settings, Arc::clone(&world.clock));
    both.refresh_certificates().await.expect("a list");
    for _ in 0..8 {
        let payment = world.paid(&both).await;
        assert_eq!(world.news(&both).await, Ok(Notice::Trade(Trade::Paid(payment))));
    }
    world.switch("probe", "notices").await;
    world.paid(&both).await;
    assert_eq!(world.news(&both).await, Err(NoticeFault::WrongSignature));
    assert_eq!(both.refused_notices().probes, 1);
}

/// Keeps the rows.
#[derive(Default)]
struct Rows(Vec<Row>);

impl Take for Rows {
    fn text(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        self.0.push(row);
        Ok(())
    }
}

#[tokio::test]
async fn bills_tell_what_was_paid_and_given_back() {
    let mut world = World::new().await;
    let wechat = world.wechat();
    let day = BillDay::parse("2026-11-22").expect("a day");
    let payment = world.paid(&wechat).await;
    world.pass(120);
    let wish = world.refund_of(&payment, 2000);
    assert!(matches!(wechat.refund(&wish).await, Ok(Repayment::Known(_))));
    world.control("/control/refund", json!({ "out_refund_no": wish.refund.to_string(), "outcome": "success" })).await;
    assert_eq!(wechat.bill(Bill::All, day, &mut Rows::default()).await, Err(BillFault::Creating));
    world.pass(24 * 3600);

    let mut rows = Rows::default();
    let totals = wechat.bill(Bill::All, day, &mut rows).await;
    let Ok(Totals::Trade { count: 2, ordered, refunds_asked, .. }) = totals else { panic!("{totals:?}") };
    assert_eq!((ordered, refunds_asked), (Fen::new(5000), Fen::new(2000)));
    let [Row::Trade(paid), Row::Trade(back)] = rows.0.as_slice() else { panic!("{:?}", rows.0) };
    assert_eq!((paid.order.clone(), paid.transaction.clone()), (payment.order.clone(), payment.transaction.clone()));
    assert_eq!((paid.total, paid.at, paid.refund.is_none()), (payment.amount, payment.paid_at, true));
    let refund = back.refund.as_ref().expect("a refund");
    assert_eq!((refund.refund.clone(), refund.asked), (wish.refund.to_string(), wish.amount));

    for (bill, count) in [(Bill::Success, 1), (Bill::Refund, 1)] {
        let totals = wechat.bill(bill, day, &mut Rows::default()).await;
        assert!(matches!(totals, Ok(Totals::Trade { count: got, .. }) if got == count), "{bill:?}: {totals:?}");
    }
    let mut flows = Rows::default();
    let totals = wechat.bill(Bill::FundFlow(FundAccount::Basic), day, &mut flows).await;
    assert!(matches!(totals, Ok(Totals::FundFlow { .. })), "{totals:?}");
    let of = |kind: FlowKind, direction: Direction| {
        let fits = |row: &Row| matches!(row, Row::Flow(flow) if flow.kind == kind && flow.direction == direction);
        flows.0.iter().filter(|row| fits(row)).count()
    };
    assert_eq!((of(FlowKind::Payment, Direction::Income), of(FlowKind::Refund, Direction::Spending)), (1, 1));
    assert_eq!((of(FlowKind::Fee, Direction::Spending), of(FlowKind::Fee, Direction::Income)), (1, 1));
    let before = BillDay::parse("2026-11-21").expect("a day");
    assert_eq!(wechat.bill(Bill::All, before, &mut Rows::default()).await, Err(BillFault::NoStatement));

    for mode in ["wrong_hash", "truncated", "wrong_summary"] {
        world.switch("bill", mode).await;
        let outcome = wechat.bill(Bill::All, day, &mut Rows::default()).await;
        let refused = match mode {
            "wrong_hash" => matches!(outcome, Err(BillFault::Hash { .. })),
            "wrong_summary" => matches!(outcome, Err(BillFault::Summary { .. })),
            _ => outcome.is_err(),
        };
        assert!(refused, "{mode}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_official_account_takes_menu_and_messages() {
    let world = World::new().await;
    let wechat = world.wechat();
    let menu = Menu::campus_card("https://card.example.edu.cn/me/topup").expect("a menu");
    assert_eq!(wechat.account().create_menu(&menu).await, Ok(()));
    let data = [("amount1".to_owned(), "50.00元".to_owned())];
    let template = TemplateMessage {
        touser: OPENID.to_owned(),
        template_id: "T1".to_owned(),
        url: String::new(),
        data: data.clone().into(),
    };
    let sent = wechat.account().send_template(&template).await;
    assert!(matches!(sent, Ok(Some(_))), "{sent:?}");
    let subscribed = SubscribeMessage {
        touser: OPENID.to_owned(),
        template_id: "S1".to_owned(),
        page: String::new(),
        data: data.into(),
    };
    assert_eq!(wechat.account().send_subscribed(&subscribed).await, Ok(()));
    world.switch("message", "refused").await;
    let refused = wechat.account().send_subscribed(&subscribed).await;
    assert!(matches!(refused, Err(AccountFault::Refused { code: 43_101, .. })), "{refused:?}");
    world.switch("message", "busy").await;
    let later = wechat.account().send_subscribed(&subscribed).await;
    assert!(matches!(later, Err(AccountFault::Later { code: -1, .. })), "{later:?}");
}
