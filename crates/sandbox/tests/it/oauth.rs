use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;

use crate::merchant::{Answer, Merchant};

const RETURN: &str = "http%3A%2F%2F127.0.0.1%3A8080%2Flogin%2Fwechat%3Fnext%3D%252Fpay";

async fn authorize(merchant: &Merchant, cookie: Option<&str>) -> Answer {
    let target = format!(
        "/connect/oauth2/authorize?appid={}&redirect_uri={RETURN}&response_type=code&scope=snsapi_base&state=abc123",
        merchant.side.appid
    );
    let mut request = Request::get(target);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    merchant.send(request.body(Body::empty()).expect("a request")).await
}

/// The code in the address that the browser is sent to.
fn code(answer: &Answer) -> String {
    let location = answer.header("location");
    let rest = location.strip_prefix("http://127.0.0.1:8080/login/wechat?next=%2Fpay&code=").expect("our address");
    rest.strip_suffix("&state=abc123").expect("the state").to_owned()
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().expect("a cookie").to_owned()
}

async fn exchange(merchant: &Merchant, code: &str, secret: &str) -> Value {
    let target = format!(
        "/sns/oauth2/access_token?appid={}&secret={secret}&code={code}&grant_type=authorization_code",
        merchant.side.appid
    );
    let answer = merchant.get(&target).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.json()
}

#[tokio::test]
async fn a_browser_is_sent_back_at_once_with_a_code_that_works_once() {
    let merchant = Merchant::new();
    let secret = merchant.side.app_secret.clone();
    let answer = authorize(&merchant, None).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    let code = code(&answer);

    let token = exchange(&merchant, &code, &secret).await;
    assert_eq!(token["expires_in"], 7200);
    assert_eq!(token["scope"], "snsapi_base");
    assert_eq!(token["openid"].as_str().expect("a user").len(), 28);
    for name in ["access_token", "refresh_token"] {
        assert!(!token[name].as_str().expect("a token").is_empty());
    }
    assert_eq!(exchange(&merchant, &code, &secret).await["errcode"], 40163);
}

#[tokio::test]
async fn a_browser_stays_the_same_user_and_another_is_another() {
    let merchant = Merchant::new();
    let secret = merchant.side.app_secret.clone();
    let first = authorize(&merchant, None).await;
    let again = authorize(&merchant, Some(&cookie(&first))).await;
    let other = authorize(&merchant, Some("sandbox_wechat_user=forged")).await;
    let mut users = Vec::new();
    for answer in [&first, &again, &other] {
        users.push(exchange(&merchant, &code(answer), &secret).await["openid"].clone());
    }
    assert_eq!(users[0], users[1]);
    assert_ne!(users[0], users[2]);
}

#[tokio::test]
async fn a_code_lives_five_minutes() {
    let merchant = Merchant::new();
    let secret = merchant.side.app_secret.clone();
    let (in_time, late) = (authorize(&merchant, None).await, authorize(&merchant, None).await);
    merchant.clock.forward(300);
    assert!(exchange(&merchant, &code(&in_time), &secret).await["openid"].is_string());
    merchant.clock.forward(1);
    assert_eq!(exchange(&merchant, &code(&late), &secret).await["errcode"], 40029);
}

#[tokio::test]
async fn a_wrong_exchange_is_told_why_and_spends_no_code() {
    let merchant = Merchant::new();
    let secret = merchant.side.app_secret.clone();
    let code = code(&authorize(&merchant, None).await);
    assert_eq!(exchange(&merchant, &code, "wrong").await["errcode"], 40125);
    assert_eq!(exchange(&merchant, "unknown", &secret).await["errcode"], 40029);
    assert_eq!(exchange(&merchant, "", &secret).await["errcode"], 41008);
    for (target, errcode) in [
        (format!("/sns/oauth2/access_token?appid=wx1&secret={secret}&code={code}"), 40013),
        (format!("/sns/oauth2/access_token?appid={}&secret={secret}&code={code}", merchant.side.appid), 40002),
    ] {
        assert_eq!(merchant.get(&target).await.json()["errcode"], errcode, "{target}");
    }
    assert!(exchange(&merchant, &code, &secret).await["openid"].is_string());
}

#[tokio::test]
async fn a_browser_is_sent_nowhere_else() {
    let merchant = Merchant::new();
    let appid = &merchant.side.appid;
    let good = format!("appid={appid}&redirect_uri={RETURN}&response_type=code&scope=snsapi_base&state=a");
    for (from, to) in [
        (RETURN, "https%3A%2F%2Fevil.example%2F"),
        (RETURN, "http%3A%2F%2F127.0.0.1%3A8081%2F"),
        (RETURN, "javascript%3Aalert(1)"),
        (appid.as_str(), "wx0000000000000000"),
        ("snsapi_base", "snsapi_userinfo"),
        ("type=code", "type=token"),
        ("state=a", "state=%0d%0aSet-Cookie"),
    ] {
        let answer = merchant.get(&format!("/connect/oauth2/authorize?{}", good.replace(from, to))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{to}");
        assert!(!answer.headers.contains_key("location") && !answer.headers.contains_key("set-cookie"), "{to}");
    }
    assert_eq!(merchant.get(&format!("/connect/oauth2/authorize?{good}")).await.status, StatusCode::FOUND);
}
