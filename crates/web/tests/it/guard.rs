//! Forged requests, other people's money, hostile texts, and the headers of every answer (T3, T11, T16; security headers).

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;
use futures_util::stream::{iter, pending};

use crate::browser::{Browser, encode};
use crate::rig::{BASE, Rig};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn signed_in(rig: &Rig) -> Browser {
    Browser::signed_in(rig, "2026010101", "260042").await.known_to_wechat().await
}

#[tokio::test]
async fn t16_a_form_without_our_token_changes_nothing() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "20").await;
    let mut browser = signed_in(&rig).await;
    let mut stranger = Browser::new(&rig);
    let foreign = stranger.get("/sign-in").await.hidden("token");
    let look = format!("/me/orders/{order}");
    let paths = ["/sign-in", "/password", "/me/topup", "/me/messages", "/sign-out", "/display", look.as_str()];
    for path in paths {
        for token in [None, Some(""), Some("0"), Some(&"0".repeat(64)), Some(&foreign)] {
            let mut fields: Vec<(&str, &str)> = vec![("amount", "50"), ("key", "00000000000000000000000000000001")];
            fields.extend(token.map(|token| ("token", token)));
            let answer = browser.post(path, &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token:?}");
            answer.says("页面已过期");
            answer.says("没有发生任何扣款或入账");
        }
    }
    assert_eq!(browser.get("/me").await.status, StatusCode::OK, "still signed in");
    assert_eq!(browser.get("/api/v1/me").await.json()["open_orders"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn t16_a_request_from_another_site_changes_nothing() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let page = browser.get("/me/topup").await;
    let (token, key) = (page.hidden("token"), page.hidden("key"));
    let body = encode(&[("token", &token), ("key", &key), ("amount", "50")]);
    let foreign: [&[(&str, &str)]; 5] = [
        &[FORM],
        &[FORM, ("origin", "null")],
        &[FORM, ("origin", "https://evil.example")],
        &[FORM, ("origin", "http://127.0.0.1:8081")],
        &[FORM, ("referer", "http://127.0.0.1:8080.evil.example/")],
    ];
    for headers in foreign {
        let answer = browser.send(Method::POST, "/me/topup", headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        answer.says("请求来自其他网站");
        let json = [("content-type", "application/json"), ("idempotency-key", "k1"), headers[headers.len() - 1]];
        let answer = browser.send(Method::POST, "/api/v1/me/topup", &json, r#"{"amount_fen":5000}"#).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("FOREIGN_ORIGIN")));
    }
    let referer = format!("{BASE}/me/topup");
    let answer = browser.send(Method::POST, "/me/topup", &[FORM, ("referer", &referer)], body).await;
    assert!(answer.location().starts_with("/pay/"), "an old web view sends no Origin");
}

#[tokio::test]
async fn t11_another_person_s_order_and_record_do_not_exist() {
    let rig = Rig::new();
    rig.holder().await;
    let other = rig.other().await;
    let order = rig.order(other, "50").await;
    let mut browser = signed_in(&rig).await;
    let token = browser.get("/me").await.hidden("token");
    let nobody = "261123123005000100000001";
    for no in [order.to_string().as_str(), nobody, "0", "x"] {
        for path in ["/pay/", "/me/orders/", "/me/records/", "/api/v1/me/orders/"] {
            let answer = browser.get(&format!("{path}{no}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}{no}");
        }
        let answer = browser.get(&format!("/me/orders/{no}/status")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let answer = browser.post(&format!("/me/orders/{no}"), &[("token", &token)]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    rig.pay(order, 5_000).await;
    assert_eq!(browser.get("/api/v1/me/records").await.json()["records"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn t16_hostile_texts_are_only_texts() {
    const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror='alert(1)'>&amp;";
    let rig = Rig::with(|config| config.school_name_zh = HOSTILE.to_owned());
    let person = rig.holder().await;
    flows::merchant::add(&rig.school, "canteen", HOSTILE, HOSTILE).await.expect("names are free texts");
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    rig.advance(1);
    rig.hand.lock().await.buy(&rig.school, 1_200).await;
    let mut browser = signed_in(&rig).await;
    let mut anonymous = Browser::new(&rig);
    let mut pages = vec![
        anonymous.fill("/sign-in", &[("number", HOSTILE), ("password", HOSTILE), ("next", HOSTILE)]).await,
        anonymous.get(&format!("/sign-in?{}", encode(&[("next", HOSTILE)]))).await,
        anonymous.get(&format!("/continue?{}", encode(&[("next", HOSTILE)]))).await,
        anonymous.get("/%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await,
    ];
    let key = browser.get("/me/topup").await.hidden("key");
    let fields = [("amount", HOSTILE), ("preset", HOSTILE), ("key", key.as_str())];
    pages.push(browser.fill("/me/topup", &fields).await);
    for path in ["/me", "/me/records", "/me?remind=%3Cscript%3E"] {
        pages.push(browser.get(path).await);
    }
    let records = browser.get("/api/v1/me/records").await.json();
    assert_eq!(records["records"][0]["merchant"]["zh"], HOSTILE);
    pages.push(browser.get(&format!("/me/records/{}", records["records"][0]["number"].as_str().expect("one"))).await);
    for page in pages {
        let text = page.text();
        assert!(page.header("content-type").starts_with("text/html"), "{text}");
        for broken_out in ["<script>alert", "<img", "onerror='"] {
            assert!(!text.contains(broken_out), "{broken_out} in {text}");
        }
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    let mut browser = signed_in(&rig).await;
    let css = browser.get("/me").await.text().split("href=\"/assets/").nth(2).map(|rest| rest[..20].to_owned());
    let css = format!("/assets/{}", css.expect("a style sheet").split('"').next().expect("a name"));
    let pay = format!("/pay/{order}");
    let mut paths: Vec<String> = [
        "/",
        "/sign-in",
        "/continue",
        "/password",
        "/me",
        "/me/topup",
        "/me/records",
        "/me/card",
        "/me/card/loss",
        "/wechat/return",
        "/api/v1/me",
        "/api/v1/me/records",
        "/api/v1/me/card",
        "/notify/wechat",
        "/healthz",
        "/nothing",
        "/assets/nothing.css",
        "/MP_verify_abc.txt",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend([css.clone(), pay.clone(), format!("/me/orders/{order}"), format!("/me/orders/{order}/status")]);
    paths.extend([format!("/me/records/{order}"), format!("/api/v1/me/orders/{order}")]);
    for path in &paths {
        for answer in [Browser::new(&rig).get(path).await, browser.get(path).await] {
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
            assert!(policy.ends_with("base-uri 'none'; frame-ancestors 'none'"), "{path}: {policy}");
            let cashier = policy.contains("form-action 'self' https://cashier.example;");
            assert_eq!(cashier, path.starts_with("/pay/"), "{path}: {policy}");
            assert!(cashier || policy.contains("form-action 'self';"), "{path}: {policy}");
            let referrer = if *path == pay { "strict-origin-when-cross-origin" } else { "same-origin" };
            assert_eq!(answer.header("referrer-policy"), referrer, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("permissions-policy"), "camera=(self), geolocation=(), microphone=()", "{path}");
            let kept = if *path == css { "public, max-age=31536000, immutable" } else { "no-store" };
            assert_eq!(answer.header("cache-control"), kept, "{path}");
            assert_eq!(answer.header("strict-transport-security"), "", "plain HTTP on loopback");
        }
    }
}

#[tokio::test]
async fn in_earnest_cookies_are_bound_to_the_host_and_tls_is_kept() {
    let rig = Rig::with(|config| {
        config.base_url = "https://card.example.edu.cn".to_owned();
        config.secure_cookies = true;
    });
    let mut browser = Browser::new(&rig);
    let answer = browser.get("/sign-in").await;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-visitor="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
}

#[tokio::test]
async fn t20_a_large_body_and_a_wrong_method_are_refused_in_plain_words() {
    let rig = Rig::new();
    let mut browser = Browser::new(&rig);
    let large = encode(&[("number", &"1".repeat(70_000))]);
    let answer = browser.send(Method::POST, "/sign-in", &[FORM, ("origin", BASE)], large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    answer.says("内容过大");
    let answer = browser.send(Method::DELETE, "/sign-in", &[("origin", BASE)], Body::empty()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    answer.says("不支持的操作");
    let answer = browser.send(Method::POST, "/sign-in", &[FORM, ("origin", BASE)], "number=1&number=2").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.says("内容有误");
    let answer = browser.get("/nothing").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    answer.says("没有找到");
}

/// Time goes by in this test alone: nothing asks the teller, who has a thread of its own.
#[tokio::test(start_paused = true)]
async fn t20_a_body_that_never_ends_is_given_up_after_five_seconds_and_is_no_failure_of_the_server_s() {
    let rig = Rig::new();
    let table = [
        ("/sign-in", FORM, ""),
        ("/me/topup", FORM, ""),
        ("/api/v1/me/proof", ("content-type", "application/json"), "BODY_TOO_SLOW"),
        ("/api/v1/me/topup", ("content-type", "application/json"), "BODY_TOO_SLOW"),
        ("/notify/wechat", ("content-type", "application/json"), "FAIL"),
    ];
    for (path, kind, code) in table {
        let begun = tokio::time::Instant::now();
        let first = iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
        let body = Body::from_stream(first.chain(pending()));
        let headers = [kind, ("origin", BASE), ("content-length", "700")];
        let answer = Browser::new(&rig).send(Method::POST, path, &headers, body).await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{path}");
        assert_eq!(begun.elapsed().as_secs(), 5, "{path}");
        match code {
            "" => {
                answer.says("内容没有在 5 秒内传完");
                answer.says("没有发生任何扣款或入账");
            }
            code => assert_eq!(answer.json()["code"], code, "{path}"),
        }
        if path != "/notify/wechat" {
            assert_eq!(answer.header("retry-after"), "1", "{path}");
        }
        assert!(!answer.text().contains("reference") && !answer.text().contains("故障编号"), "{}", answer.text());
    }
}

#[tokio::test]
async fn wechat_finds_the_file_that_proves_the_domain() {
    let answer = Browser::new(&Rig::new()).get("/MP_verify_abc.txt").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "abc"));
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_told_with_a_number_to_ask_by() {
    let rig = Rig::new();
    assert_eq!(Browser::new(&rig).get("/healthz").await.text(), "ok\n");
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    rig.break_reading();
    let health = Browser::new(&rig).get("/healthz").await;
    assert_eq!(health.status, StatusCode::INTERNAL_SERVER_ERROR);
    let answer = browser.get("/me").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    answer.says("故障编号");
    answer.says("钱不会丢");
    assert_eq!(browser.get("/api/v1/me").await.json()["code"], "INTERNAL");
}

#[tokio::test]
async fn a_server_that_takes_nothing_more_says_that_nothing_moved_and_when_to_try_again() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let form = browser.get("/me/topup").await;
    let fields = [("amount", "50"), ("key", &form.hidden("key")), ("token", &form.hidden("token"))];
    rig.school.door.close();
    let answer = browser.post("/me/topup", &fields).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    answer.says("请稍候再试");
    answer.says("没有发生任何扣款或入账");
    answer.says("故障编号");
    browser.set_cookie("lang", "en");
    browser.post("/me/topup", &fields).await.says("please try again in a moment");
    // What is only read is still shown.
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
}
