//! What a first visit costs on the wire: at most 30 kB with style sheet, script and icon.

use axum::http::StatusCode;

use crate::browser::Browser;
use crate::rig::Rig;

/// Most bytes of a first visit.
const VISIT: usize = 30_000;
/// Most bytes of the style sheet, packed.
const STYLE: usize = 6_000;
/// Most bytes of the script, unpacked.
const SCRIPT: usize = 6_000;

/// Addresses in the head of a page.
fn assets(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for mark in ["href=\"/assets/", "src=\"/assets/"] {
        found.extend(page.split(mark).skip(1).filter_map(|rest| Some(format!("/assets/{}", rest.split('"').next()?))));
    }
    found
}

#[tokio::test]
async fn every_page_in_every_language_is_light() {
    let rig = Rig::new();
    let person = rig.holder().await;
    for _ in 0..25 {
        rig.advance(1);
        let order = rig.order(person, "10").await;
        rig.pay(order, 1_000).await;
    }
    rig.hand.lock().await.buy(&rig.school, 1_200).await;
    let open = rig.order(person, "50").await;
    let mut holder = Browser::signed_in(&rig, "2026010101", "260042").await.known_to_wechat().await;
    let mut visitor = Browser::new(&rig);
    let paths = [
        "/sign-in".to_owned(),
        "/nothing".to_owned(),
        "/password".to_owned(),
        "/me".to_owned(),
        "/help".to_owned(),
        "/help/first".to_owned(),
        "/help/all".to_owned(),
        "/me/topup".to_owned(),
        "/me/records".to_owned(),
        "/me/card".to_owned(),
        "/me/card/loss".to_owned(),
        "/me/messages".to_owned(),
        format!("/me/records/{open}"),
        format!("/me/orders/{open}"),
        format!("/pay/{open}"),
    ];
    for language in ["zh-CN", "en"] {
        for path in &paths {
            let browser = if path == "/sign-in" { &mut visitor } else { &mut holder };
            browser.headers = vec![("accept-language", language.into())];
            let plain = browser.get(path).await;
            let assets = assets(&plain.text());
            assert_eq!(assets.len(), 3, "{path}: style sheet, script, icon");
            browser.headers.push(("accept-encoding", "br".into()));
            let page = browser.get(path).await;
            assert_eq!(page.header("content-encoding"), "br", "{path}");
            let mut bytes = page.bytes.len();
            for asset in &assets {
                let answer = browser.get(asset).await;
                assert_eq!(answer.status, StatusCode::OK, "{asset}");
                bytes += answer.bytes.len();
                assert!(!asset.ends_with("app.css") || answer.bytes.len() <= STYLE, "{asset}: {}", answer.bytes.len());
            }
            assert!(bytes <= VISIT, "{path} in {language}: {bytes} bytes");
        }
    }
    assert!(include_str!("../../assets/app.js").len() <= SCRIPT);
}
