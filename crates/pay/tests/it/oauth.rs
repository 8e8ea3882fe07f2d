//! The payer's openid by OAuth2.

use flows::ports::{ChannelError, WeChat};

use crate::desk::{APPID, SECRET, channel, settings};
use crate::provider::{Provider, Reply};

#[tokio::test]
async fn a_code_is_exchanged_for_the_openid() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let answer =
        r#"{"access_token":"AT","expires_in":7200,"refresh_token":"RT","openid":"oABC-_1","scope":"snsapi_base"}"#;
    provider.will(Reply::unsigned(200, answer).with("Content-Type", "text/plain"));
    assert_eq!(wechat.openid("0a1 b&c=%/中").await, Ok("oABC-_1".to_owned()));
    let seen = provider.only_seen();
    assert_eq!(seen.method, "GET");
    assert_eq!(
        seen.target,
        format!(
            "/sns/oauth2/access_token?appid={APPID}&secret={SECRET}&code=0a1%20b%26c%3D%25%2F%E4%B8%AD\
             &grant_type=authorization_code"
        )
    );
    assert!(!seen.has("Authorization"), "this service wants no signature");
}

#[tokio::test]
async fn refusals_and_doubts_are_told_apart() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let refused = [
        (r#"{"errcode":40029,"errmsg":"invalid code"}"#, "40029", "invalid code"),
        (r#"{"errcode":40163,"errmsg":"code been used"}"#, "40163", "code been used"),
        (r#"{"errcode":40125}"#, "40125", ""),
        (r#"{"openid":"oABC","errcode":40029,"errmsg":"invalid code"}"#, "40029", "invalid code"),
    ];
    for (body, code, message) in refused {
        provider.will(Reply::unsigned(200, body));
        let expected = ChannelError::Refused { code: code.to_owned(), message: message.to_owned() };
        assert_eq!(wechat.openid("c").await, Err(expected), "{body}");
    }
    let doubts = [
        (200, r#"{"errcode":-1,"errmsg":"system busy"}"#),
        (200, r#"{"errcode":45011,"errmsg":"api minute-quota reach limit"}"#),
        (200, "{}"),
        (200, ""),
        (200, "<html>"),
        (200, r#"{"openid":""}"#),
        (200, r#"{"openid":null}"#),
        (200, r#"{"openid":"a\nb"}"#),
        (200, r#"{"openid":"a","openid":"b"}"#),
        (200, r#"["oABC"]"#),
        (302, r#"{"openid":"oABC"}"#),
        (404, r#"{"openid":"oABC"}"#),
        (500, r#"{"openid":"oABC"}"#),
        (502, r#"{"errcode":40029}"#),
    ];
    for (status, body) in doubts {
        provider.will(Reply::unsigned(status, body));
        let answer = wechat.openid("c").await;
        assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{status} {body}: {answer:?}");
    }
}

#[tokio::test]
async fn what_can_be_no_code_is_refused_without_asking() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    for code in [String::new(), "c".repeat(513)] {
        let answer = wechat.openid(&code).await;
        assert!(matches!(answer, Err(ChannelError::Refused { .. })), "{answer:?}");
    }
    assert_eq!(provider.seen().len(), 0);
}

#[tokio::test]
async fn t18_a_failed_call_never_tells_the_secret() {
    let provider = Provider::start().await;
    let mut silent = settings(&provider.base);
    silent.deadline_ms = 200;
    for settings in [silent, settings("http://127.0.0.1:1")] {
        let fault = channel(&settings).openid("the-code").await.expect_err("no answer");
        let text = format!("{fault} {fault:?}");
        assert!(!text.contains(SECRET) && !text.contains("the-code") && !text.contains("secret="), "{text}");
    }
}

#[test]
fn the_browser_is_sent_to_the_silent_page_and_comes_back() {
    let wechat = channel(&settings("http://127.0.0.1:1"));
    assert_eq!(
        wechat.authorize_url("https://card.example.edu.cn/wx/back?to=/top-up&x=1", "s7 &#"),
        format!(
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid={APPID}\
             &redirect_uri=https%3A%2F%2Fcard.example.edu.cn%2Fwx%2Fback%3Fto%3D%2Ftop-up%26x%3D1\
             &response_type=code&scope=snsapi_base&state=s7%20%26%23#wechat_redirect"
        )
    );
}
