//! Answers that are not sure: whatever was asked, nothing is believed that is not proved.

use flows::ports::{ChannelError, WeChat};
use pay::wechat::WeChatPay;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::desk::{NOW, OLD_PLATFORM, OLD_SERIAL, PLATFORM, SERIAL, channel, order, settings, wish};
use crate::orders::transaction;
use crate::provider::{NONCE, Provider, Reply, SERIAL_HEADER, SIGNATURE, TIMESTAMP};

#[derive(Clone, Copy, Debug)]
enum Call {
    Prepay,
    Query,
    Close,
}

const CALLS: [Call; 3] = [Call::Prepay, Call::Query, Call::Close];

impl Call {
    /// Makes the call and forgets the good.
    async fn make(self, wechat: &WeChatPay) -> Result<(), ChannelError> {
        match self {
            Call::Prepay => wechat.prepay(&wish()).await.map(drop),
            Call::Query => wechat.query(order()).await.map(drop),
            Call::Close => wechat.close(order()).await,
        }
    }

    /// What the provider answers when all is well.
    fn good(self) -> (u16, String) {
        match self {
            Call::Prepay => (200, r#"{"prepay_id":"wx1"}"#.to_owned()),
            Call::Query => (200, transaction("SUCCESS")),
            Call::Close => (204, String::new()),
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_proved_is_unknown() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    for call in CALLS {
        let (status, body) = call.good();
        let good = Reply::signed(status, body.clone());
        let at = |seconds: i64| Reply::signed_by(&PLATFORM, SERIAL, NOW + seconds, status, body.clone());
        let of_another = Reply::signed(status, "{}").headers.clone();
        let (signature, nonce) = (good.headers[4].1.clone(), good.headers[2].1.clone());
        let table = [
            ("unsigned", Reply::unsigned(status, body.clone())),
            ("signed by a stranger", Reply::forged(status, body.clone())),
            ("signed by the old key under the new serial", {
                Reply::signed_by(&OLD_PLATFORM, SERIAL, NOW, status, body.clone())
            }),
            ("unknown serial", Reply::signed_by(&PLATFORM, "PUB_KEY_ID_7", NOW, status, body.clone())),
            ("old", at(-301)),
            ("of tomorrow", at(301)),
            ("no timestamp", good.clone().without(TIMESTAMP)),
            ("no nonce", good.clone().without(NONCE)),
            ("no serial", good.clone().without(SERIAL_HEADER)),
            ("no signature", good.clone().without(SIGNATURE)),
            ("two signatures", good.clone().with(SIGNATURE, &signature)),
            ("two nonces", good.clone().with(NONCE, &nonce)),
            ("a later timestamp", good.clone().without(TIMESTAMP).with(TIMESTAMP, &(NOW + 1).to_string())),
            ("a signed-looking timestamp", good.clone().without(TIMESTAMP).with(TIMESTAMP, &format!("+{NOW}"))),
            ("no Base64", good.clone().without(SIGNATURE).with(SIGNATURE, "%%%")),
            ("a short signature", good.clone().without(SIGNATURE).with(SIGNATURE, "AAAA")),
            ("a probe", good.clone().without(SIGNATURE).with(SIGNATURE, &format!("WECHATPAY/SIGNTEST/{signature}"))),
            (
                "another answer's signature",
                Reply { headers: of_another, ..Reply::signed(status, transaction("CLOSED")) },
            ),
        ];
        for (what, reply) in table {
            provider.will(reply);
            let answer = call.make(&wechat).await;
            let Err(ChannelError::Unknown(text)) = answer else { panic!("{call:?}, {what}: {answer:?}") };
            assert!(text.contains("not proved"), "{call:?}, {what}: {text}");
        }
        for (what, reply) in [
            ("now", good),
            ("at the window's first second", at(-300)),
            ("at the window's last second", at(300)),
            ("by the old key", Reply::signed_by(&OLD_PLATFORM, OLD_SERIAL, NOW, status, body.clone())),
        ] {
            provider.will(reply);
            assert_eq!(call.make(&wechat).await, Ok(()), "{call:?}, {what}");
        }
    }
}

#[tokio::test]
async fn a_status_that_settles_nothing_is_unknown_although_it_is_proved() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let coded = [
        (202, "USER_PAYING"),
        (202, "ACCEPTED"),
        (301, "MOVED"),
        (304, "NOT_MODIFIED"),
        (400, "SYSTEM_ERROR"),
        (400, "SYSTEMERROR"),
        (403, "RATELIMIT_EXCEEDED"),
        (400, "FREQUENCY_LIMITED"),
        (403, "USERPAYING"),
        (400, "BANK_ERROR"),
        (408, "TIMEOUT"),
        (409, "CONFLICT"),
        (425, "TOO_EARLY"),
        (429, "FREQUENCY_LIMITED"),
        (429, "RATELIMIT_EXCEEDED"),
        (429, "A_CODE_OF_TOMORROW"),
        (500, "SYSTEM_ERROR"),
        (500, "PARAM_ERROR"),
        (502, "SERVICE_UNAVAILABLE"),
        (503, "SERVICE_UNAVAILABLE"),
    ];
    let bare = [
        Reply::signed(201, r#"{"prepay_id":"wx1"}"#),
        Reply::signed(206, transaction("SUCCESS")),
        Reply::signed(400, ""),
        Reply::signed(400, "<html>"),
        Reply::signed(400, r#"{"message":"words"}"#),
        Reply::signed(400, r#"{"code":"","message":"words"}"#),
        Reply::signed(400, r#"{"code":"PARAM_ERROR","code":"SYSTEM_ERROR"}"#),
        Reply::signed(400, r#"["PARAM_ERROR","words"]"#),
        Reply::signed(403, r#"{"code":403}"#),
        Reply::unsigned(500, ""),
    ];
    for call in CALLS {
        for reply in coded.iter().map(|(status, code)| Reply::fault(*status, code)).chain(bare.clone()) {
            let what = (reply.status, String::from_utf8_lossy(&reply.body).into_owned());
            provider.will(reply);
            let answer = call.make(&wechat).await;
            assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{call:?}, {what:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_final_refusal_counts_only_with_a_good_signature() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let table = [
        (400, "PARAM_ERROR"),
        (400, "INVALID_REQUEST"),
        (400, "APPID_MCHID_NOT_MATCH"),
        (400, "MCH_NOT_EXISTS"),
        (401, "SIGN_ERROR"),
        (403, "NO_AUTH"),
        (403, "RULE_LIMIT"),
        (403, "TRADE_ERROR"),
        (403, "ACCOUNT_ERROR"),
        (403, "OUT_TRADE_NO_USED"),
        (404, "MCH_NOT_EXISTS"),
        (422, "A_CODE_OF_TOMORROW"),
    ];
    for call in CALLS {
        for (status, code) in table {
            let body = format!(r#"{{"code":"{code}","message":"words"}}"#);
            provider.will(Reply::signed(status, body.clone()));
            let refused = ChannelError::Refused { code: code.to_owned(), message: "words".to_owned() };
            assert_eq!(call.make(&wechat).await, Err(refused), "{call:?}, {code}");
            for reply in [Reply::unsigned(status, body.clone()), Reply::forged(status, body)] {
                provider.will(reply);
                let answer = call.make(&wechat).await;
                assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{call:?}, {code}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_unproved_sign_error_tells_the_operator_what_to_check() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(Reply::unsigned(401, r#"{"code":"SIGN_ERROR","message":"words"}"#));
    let Err(ChannelError::Unknown(text)) = wechat.prepay(&wish()).await else { panic!("unknown") };
    for word in ["SIGN_ERROR", "merchant_serial", "clock"] {
        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    for status in [301, 302, 303, 307, 308] {
        for call in CALLS {
            provider.will(Reply::signed(status, "").with("Location", "/v3/elsewhere"));
            let answer = call.make(&wechat).await;
            assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{call:?}, {status}: {answer:?}");
            assert_ne!(provider.only_seen().target, "/v3/elsewhere");
        }
    }
}

#[tokio::test]
async fn an_answer_longer_than_any_answer_is_unknown() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let padded = |length: usize| {
        let body = transaction("SUCCESS");
        let rest = " ".repeat(length - body.len());
        Reply::signed(200, body + &rest)
    };
    provider.will(padded(256 * 1024));
    assert_eq!(Call::Query.make(&wechat).await, Ok(()));
    for length in [256 * 1024 + 1, 20 << 20] {
        provider.will(padded(length));
        let answer = Call::Query.make(&wechat).await;
        assert_eq!(answer, Err(ChannelError::Unknown("the answer is too long".to_owned())));
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let provider = Provider::start().await;
    let mut settings = settings(&provider.base);
    settings.deadline_ms = 200;
    let wechat = channel(&settings);
    for call in CALLS {
        // Nothing in the script: the provider takes the request and never answers.
        let Err(ChannelError::Unknown(text)) = call.make(&wechat).await else { panic!("{call:?}") };
        assert!(text.starts_with("no answer in time"), "{text}");
        provider.only_seen();
    }
}

/// A listener that takes every connection, says `first` and then does as told.
async fn rude(first: &'static str, then_hang_up: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            socket.write_all(first.as_bytes()).await.expect("the first words");
            if !then_hang_up {
                kept.push(socket);
            }
        }
    });
    base
}

#[tokio::test]
async fn a_broken_conversation_is_unknown() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"prepay_id\":";
    let bases = [
        ("hangs up at once", rude("", true).await),
        ("hangs up in the middle", rude(half, true).await),
        ("falls silent in the middle", rude(half, false).await),
        ("speaks no HTTP", rude("220 mail.example ESMTP\r\n", false).await),
        ("is not there", "http://127.0.0.1:1".to_owned()),
    ];
    for (what, base) in bases {
        let mut settings = settings(&base);
        settings.deadline_ms = 300;
        let wechat = channel(&settings);
        for call in CALLS {
            let answer = call.make(&wechat).await;
            assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{call:?}, {what}: {answer:?}");
        }
    }
}
