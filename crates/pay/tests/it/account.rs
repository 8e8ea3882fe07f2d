//! The official account: token, menu, messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use pay::wechat::account::{AccountFault, Button, Menu, MenuFault, SubscribeMessage, TemplateMessage};

use crate::desk::{APPID, NOW, OPENID, SECRET, Still, channel, channel_at, settings};
use crate::provider::{Provider, Reply};

fn token(text: &str, seconds: i64) -> Reply {
    Reply::unsigned(200, format!(r#"{{"access_token":"{text}","expires_in":{seconds}}}"#))
}

fn says(errcode: i64) -> Reply {
    Reply::unsigned(200, format!(r#"{{"errcode":{errcode},"errmsg":"words"}}"#))
}

fn data() -> BTreeMap<String, String> {
    [("amount1", "50.00元"), ("time2", "2026年11月24日 00:00")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn template() -> TemplateMessage {
    TemplateMessage {
        touser: OPENID.to_owned(),
        template_id: "T1".to_owned(),
        url: "https://card.example.edu.cn/me".to_owned(),
        data: data(),
    }
}

fn subscribed() -> SubscribeMessage {
    SubscribeMessage { touser: OPENID.to_owned(), template_id: "S1".to_owned(), page: String::new(), data: data() }
}

#[tokio::test]
async fn a_message_goes_out_with_the_server_s_token() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(token("tok/1", 7200));
    provider.will(Reply::unsigned(200, r#"{"errcode":0,"errmsg":"ok","msgid":200228332}"#));
    assert_eq!(wechat.account().send_template(&template()).await, Ok(Some(200_228_332)));
    let seen = provider.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("POST", "/cgi-bin/stable_token"));
    assert_eq!(
        String::from_utf8(seen[0].body.clone()).expect("UTF-8"),
        format!(r#"{{"grant_type":"client_credential","appid":"{APPID}","secret":"{SECRET}","force_refresh":false}}"#)
    );
    assert_eq!(seen[1].target, "/cgi-bin/message/template/send?access_token=tok%2F1");
    assert_eq!(
        String::from_utf8(seen[1].body.clone()).expect("UTF-8"),
        format!(r#"{{"touser":"{OPENID}","template_id":"T1","url":"https://card.example.edu.cn/me","#)
            + r#""data":{"amount1":{"value":"50.00元"},"time2":{"value":"2026年11月24日 00:00"}}}"#
    );
    assert!(!seen[1].has("Authorization"), "this service has no signatures");

    provider.will(says(0));
    assert_eq!(wechat.account().send_subscribed(&subscribed()).await, Ok(()));
    let seen = provider.only_seen();
    assert_eq!(seen.target, "/cgi-bin/message/subscribe/bizsend?access_token=tok%2F1", "the token is kept");
    assert_eq!(
        String::from_utf8(seen.body.clone()).expect("UTF-8"),
        format!(r#"{{"touser":"{OPENID}","template_id":"S1","#)
            + r#""data":{"amount1":{"value":"50.00元"},"time2":{"value":"2026年11月24日 00:00"}}}"#
    );
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_used_up_when_that_fails() {
    let provider = Provider::start().await;
    let clock = Still::at(NOW);
    let wechat = channel_at(&settings(&provider.base), Arc::clone(&clock));
    provider.will(token("first", 7200));
    let targets = async |expected: &[&str]| {
        provider.will(says(0));
        assert_eq!(wechat.account().send_subscribed(&subscribed()).await, Ok(()));
        let seen: Vec<String> = provider.seen().into_iter().map(|seen| seen.target).collect();
        let short: Vec<&str> = seen.iter().map(|target| target.rsplit(['=', '/']).next().unwrap_or("")).collect();
        assert_eq!(short, expected);
    };
    targets(&["stable_token", "first"]).await;
    clock.set(NOW + 6_899);
    targets(&["first"]).await;
    // Five minutes before the end; the service is down, and the old one is still good.
    clock.set(NOW + 6_900);
    provider.will(Reply::unsigned(502, ""));
    targets(&["stable_token", "first"]).await;
    provider.will(token("second", 7200));
    targets(&["stable_token", "second"]).await;
    clock.set(NOW + 6_900 + 7_200);
    provider.will(Reply::unsigned(502, ""));
    let outcome = wechat.account().send_subscribed(&subscribed()).await;
    assert_eq!(outcome, Err(AccountFault::NoToken("HTTP 502".to_owned())), "an ended token is never used");
    provider.seen();
    // A token that is given near its end is used up all the same.
    provider.will(token("third", 200));
    targets(&["stable_token", "third"]).await;
    clock.set(NOW + 6_900 + 7_200 + 99);
    targets(&["third"]).await;
}

#[tokio::test]
async fn many_tasks_fetch_one_token() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(token("one", 7200));
    for _ in 0..3 {
        provider.will(says(0));
    }
    let message = subscribed();
    let send = || wechat.account().send_subscribed(&message);
    assert_eq!(tokio::join!(send(), send(), send()), (Ok(()), Ok(()), Ok(())));
    let asked = provider.seen().iter().filter(|seen| seen.target.contains("stable_token")).count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_spoilt_token_is_replaced_once() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(token("old", 7200));
    provider.will(says(42_001));
    provider.will(token("new", 7200));
    provider.will(says(0));
    assert_eq!(wechat.account().send_subscribed(&subscribed()).await, Ok(()));
    assert_eq!(provider.seen().len(), 4);

    // The service still gives the very token that it does not want: now another is forced.
    provider.will(says(40_001));
    provider.will(token("new", 7200));
    provider.will(token("forced", 7200));
    provider.will(says(0));
    assert_eq!(wechat.account().send_subscribed(&subscribed()).await, Ok(()));
    let seen = provider.seen();
    assert!(String::from_utf8_lossy(&seen[2].body).contains(r#""force_refresh":true"#));
    assert!(seen[3].target.ends_with("=forced"));

    // A second time it is no matter of the token's age.
    provider.will(says(40_014));
    provider.will(token("other", 7200));
    provider.will(says(40_001));
    let outcome = wechat.account().send_subscribed(&subscribed()).await;
    assert_eq!(outcome, Err(AccountFault::Later { code: 40_001, message: "words".to_owned() }));
    assert_eq!(provider.seen().len(), 3);
}

#[tokio::test]
async fn refusals_waits_and_doubts_are_told_apart() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(token("tok", 7200));
    let refused = |code| AccountFault::Refused { code, message: "words".to_owned() };
    let later = |code| AccountFault::Later { code, message: "words".to_owned() };
    let table = [
        (says(43_101), refused(43_101)),
        (says(40_003), refused(40_003)),
        (says(40_037), refused(40_037)),
        (says(47_003), refused(47_003)),
        (says(-1), later(-1)),
        (says(45_009), later(45_009)),
        (Reply::unsigned(502, "bad gateway"), AccountFault::Unknown("HTTP 502".to_owned())),
        (Reply::unsigned(200, "<html>"), AccountFault::Unknown("an answer that cannot be read".to_owned())),
        (Reply::unsigned(200, "{}"), AccountFault::Unknown("an answer that cannot be read".to_owned())),
        (
            Reply::unsigned(200, r#"{"errcode":43101,"errcode":0}"#),
            AccountFault::Unknown("an answer that cannot be read".to_owned()),
        ),
    ];
    for (reply, expected) in table {
        provider.will(reply);
        assert_eq!(wechat.account().send_subscribed(&subscribed()).await, Err(expected));
    }
}

#[tokio::test]
async fn t18_without_a_token_nothing_is_sent_and_no_secret_is_told() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    let replies = [
        says(40_125),
        Reply::unsigned(200, "{}"),
        Reply::unsigned(200, r#"{"access_token":"","expires_in":7200}"#),
        Reply::unsigned(200, r#"{"access_token":"a","expires_in":0}"#),
        Reply::unsigned(200, r#"{"access_token":"a"}"#),
        Reply::unsigned(500, ""),
    ];
    for reply in replies {
        provider.will(reply);
        let outcome = wechat.account().send_template(&template()).await;
        let Err(fault @ AccountFault::NoToken(_)) = outcome else { panic!("{outcome:?}") };
        assert!(!fault.to_string().contains(SECRET), "{fault}");
        provider.only_seen();
    }
}

#[tokio::test]
async fn r23_the_menu_leads_from_the_campus_card_to_its_top_up() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    provider.will(token("tok", 7200));
    provider.will(says(0));
    let menu = Menu::campus_card("https://card.example.edu.cn/me/topup").expect("a menu");
    assert_eq!(wechat.account().create_menu(&menu).await, Ok(()));
    let seen = provider.seen();
    assert_eq!(seen[1].target, "/cgi-bin/menu/create?access_token=tok");
    assert_eq!(
        String::from_utf8(seen[1].body.clone()).expect("UTF-8"),
        r#"{"button":[{"name":"校园卡","sub_button":[{"type":"view","name":"卡片充值","#.to_owned()
            + r#""url":"https://card.example.edu.cn/me/topup"}]}]}"#
    );
}

#[test]
fn a_menu_that_the_service_would_refuse_is_not_made() {
    let page = || Button::view("充值", "https://a.example/");
    let list = |count: usize| Button::List { name: "校园卡".to_owned(), sub_button: vec![page(); count] };
    let table = [
        (vec![page(); 3], None),
        (vec![list(5), page()], None),
        (vec![], Some(MenuFault::Count)),
        (vec![page(); 4], Some(MenuFault::Count)),
        (vec![list(0)], Some(MenuFault::Count)),
        (vec![list(6)], Some(MenuFault::Count)),
        (vec![Button::List { name: "a".to_owned(), sub_button: vec![list(1)] }], Some(MenuFault::Count)),
        (vec![Button::view("", "https://a.example/")], Some(MenuFault::Name)),
        (vec![Button::view("六个汉字太长", "https://a.example/")], Some(MenuFault::Name)),
        (vec![Button::view("充值", "http://a.example/")], Some(MenuFault::Address)),
        (vec![Button::view("充值", "javascript:alert(1)")], Some(MenuFault::Address)),
        (vec![Button::view("充值", &format!("https://a.example/{}", "x".repeat(1024)))], Some(MenuFault::Address)),
    ];
    for (buttons, fault) in table {
        assert_eq!(Menu::new(buttons.clone()).err(), fault, "{buttons:?}");
    }
}
