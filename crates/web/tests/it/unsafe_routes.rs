//! Every address that changes something, as the router names it, refuses what does not come from a page of ours.

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::browser::{Browser, encode};
use crate::rig::{BASE, Rig};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Method and path of every route, from the contents page itself: a new one is walked too.
pub fn routes(methods: &[(&str, Method)]) -> Vec<(Method, String)> {
    let mut found = Vec::new();
    let source = include_str!("../../src/router.rs").replace(['\n', ' '], "");
    for route in source.split(".route(\"").skip(1) {
        let (path, handlers) = route.split_once("\",").expect("a path and its handlers");
        for (word, method) in methods {
            if handlers.contains(word) {
                found.push((method.clone(), path.to_owned()));
            }
        }
    }
    found
}

/// The book as it is, in one number of blocks: a request that was refused has written nothing.
fn blocks(rig: &Rig) -> usize {
    store::verify::Archive::blocks(&mut rig.disk.archive(), 0, u32::MAX).expect("the disk is whole").len()
}

#[tokio::test]
async fn t16_every_route_that_changes_something_refuses_strangers_and_forms_of_other_sessions() {
    let rig = Rig::new();
    rig.holder().await;
    rig.other().await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await.known_to_wechat().await;
    let mut second = Browser::signed_in(&rig, "2026010102", "260043").await;
    let another = second.get("/me").await.hidden("token");
    let visitor = Browser::new(&rig).get("/sign-in").await.hidden("token");
    let own = browser.get("/me").await.hidden("token");
    let routes = routes(&[
        ("post(", Method::POST),
        ("put(", Method::PUT),
        ("patch(", Method::PATCH),
        ("delete(", Method::DELETE),
    ]);
    assert!(routes.len() >= 15, "{routes:?}");
    let before = blocks(&rig);
    for (method, path) in &routes {
        if path.starts_with("/notify/") {
            continue;
        }
        let path = &path.replace("{order}", "261123123005000100000001").replace("{id}", "00");
        let own_form = encode(&[("token", &own)]);
        for from in [None, Some(("origin", "null")), Some(("origin", "https://evil.example"))] {
            for headers in [vec![FORM], vec![("content-type", "application/json"), ("idempotency-key", "k")]] {
                let headers: Vec<_> = headers.into_iter().chain(from).collect();
                let answer = browser.send(method.clone(), path, &headers, own_form.clone()).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {headers:?}");
                let program = path.starts_with("/api/");
                assert!(!program || answer.json()["code"] == "FOREIGN_ORIGIN", "{method} {path}: {}", answer.text());
                assert!(program || answer.text().contains("请求来自其他网站"), "{method} {path}");
            }
        }
        let ours = [FORM, ("origin", BASE)];
        if path.starts_with("/api/") {
            if *method == Method::DELETE {
                // A form of another site cannot send it, and no script of one may.
                continue;
            }
            // A form, which other sites could send too, is never taken for a program's request.
            let answer = browser.send(method.clone(), path, &ours, encode(&[("token", &own)])).await;
            let refused = [StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE].contains(&answer.status);
            assert!(refused, "{method} {path}: {}", answer.text());
            continue;
        }
        for token in [None, Some(""), Some(another.as_str()), Some(visitor.as_str())] {
            let body = token.map(|token| encode(&[("token", token)])).unwrap_or_default();
            let answer = browser.send(method.clone(), path, &ours, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {token:?}");
            answer.says("页面已过期");
        }
    }
    assert_eq!(blocks(&rig), before, "nothing was written");
    assert_eq!(browser.get("/me").await.status, StatusCode::OK, "still signed in");
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "DELETE")];
    let answer = browser.send(Method::OPTIONS, "/api/v1/me/sessions", &preflight, Body::empty()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "", "scripts of other sites are told nothing");
}

#[tokio::test]
async fn every_route_answers_everybody_with_all_headers_whatever_the_answer_is() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await.to_string();
    let mut holder = Browser::signed_in(&rig, "2026010101", "260042").await.known_to_wechat().await;
    let mut visitor = Browser::new(&rig);
    let methods = [("", Method::GET), ("", Method::POST), ("", Method::DELETE), ("", Method::PUT), ("", Method::HEAD)];
    let mut paths = routes(&methods);
    paths.push((Method::GET, "/no/such/page".to_owned()));
    paths.push((Method::GET, "/api/v1/no/such".to_owned()));
    let mut statuses = std::collections::BTreeSet::new();
    for (method, path) in paths {
        let path =
            path.replace("{order}", &order).replace("{number}", &order).replace("{id}", "00").replace("{file}", "x");
        if path == "/sign-out" {
            continue;
        }
        let large = "x".repeat(70_000);
        for browser in [&mut visitor, &mut holder] {
            for body in ["", large.as_str()] {
                let ours = [FORM, ("origin", BASE)];
                let answer = browser.send(method.clone(), &path, &ours, body.to_owned()).await;
                statuses.insert(answer.status.as_u16());
                let at = format!("{method} {path} {}", answer.status);
                let policy = answer.header("content-security-policy");
                assert!(
                    policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "),
                    "{at}: {policy}"
                );
                assert!(policy.ends_with("base-uri 'none'; frame-ancestors 'none'"), "{at}: {policy}");
                assert!(!policy.contains("unsafe") && !policy.contains('*'), "{at}: {policy}");
                assert_eq!(answer.header("x-content-type-options"), "nosniff", "{at}");
                assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{at}");
                assert_eq!(answer.header("permissions-policy"), "camera=(self), geolocation=(), microphone=()", "{at}");
                assert_eq!(answer.header("cache-control"), "no-store", "{at}");
                assert!(answer.header("referrer-policy").contains("same-origin") || path.starts_with("/pay/"), "{at}");
                for cookie in answer.headers.get_all("set-cookie") {
                    let cookie = cookie.to_str().expect("text");
                    assert!(
                        cookie.contains("; Path=/") && cookie.contains("; HttpOnly; SameSite=Lax"),
                        "{at}: {cookie}"
                    );
                    assert!(!cookie.contains("Domain"), "{at}: {cookie}");
                }
            }
        }
    }
    assert!([200, 303, 400, 401, 403, 404, 405, 413].iter().all(|status| statuses.contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn t16_a_notice_needs_no_cookie_and_counts_by_its_signature_alone() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    let before = blocks(&rig);
    let answer = browser.send(Method::POST, "/notify/wechat", &[("origin", "https://evil.example")], "signature").await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(blocks(&rig), before);
}
