//! Coming in, going out, and what a first password opens (R24 to R26).

use axum::http::StatusCode;

use crate::browser::Browser;
use crate::rig::{PASSWORD, Rig};

const NUMBER: &str = "2026010101";
const FIRST: &str = "260042";

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_door_and_back() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::new(&rig);
    assert_eq!(browser.get("/").await.location(), "/sign-in");
    assert_eq!(browser.get("/me").await.location(), "/sign-in");
    let pages = ["/me/topup", "/me/records", "/pay/261123123005000100000001", "/me/orders/261123123005000100000001"];
    for path in pages {
        let answer = browser.get(path).await;
        assert_eq!(
            (answer.status, answer.location()),
            (StatusCode::SEE_OTHER, format!("/sign-in?next={path}").as_str())
        );
    }

    let fields = [("number", NUMBER), ("password", FIRST), ("next", "/me/records")];
    assert_eq!(browser.fill("/sign-in?next=/me/records", &fields).await.location(), "/password?next=/me/records");
    let fields = [("old", FIRST), ("new", PASSWORD), ("again", PASSWORD), ("next", "/me/records")];
    let changed = browser.fill("/password?next=/me/records", &fields).await;
    assert_eq!(changed.location(), "/continue?next=/me/records");
    let onward = browser.get(changed.location()).await;
    onward.says("http-equiv=\"refresh\" content=\"0;url=/me/records\"");
    assert_eq!(browser.get("/").await.location(), "/me");
    assert_eq!(browser.get("/sign-in").await.location(), "/me");
}

#[tokio::test]
async fn t16_the_way_on_never_leads_to_another_host() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, NUMBER, FIRST).await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a%0d%0aX:y"] {
        let answer = browser.get(&format!("/continue?next={next}")).await;
        answer.says("content=\"0;url=/me\"");
        assert_eq!(browser.get(&format!("/sign-in?next={next}")).await.location(), "/me");
        let shown = browser.fill("/me", &[("back", next), ("theme", "dark")]).await;
        assert_eq!(shown.status, StatusCode::METHOD_NOT_ALLOWED);
        let token = browser.get("/me").await.hidden("token");
        let switched = browser.post("/display", &[("token", &token), ("back", next), ("theme", "dark")]).await;
        assert_eq!(switched.location(), "/");
    }
}

#[tokio::test]
async fn r26_a_first_password_opens_its_own_change_and_nothing_else() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    let mut browser = Browser::new(&rig);
    browser.fill("/sign-in", &[("number", NUMBER), ("password", FIRST)]).await;
    for path in ["/me", "/me/topup", "/me/records", "/wechat/return?code=a&state=b"] {
        assert!(browser.get(path).await.location().starts_with("/password"), "{path}");
    }
    for path in [format!("/pay/{order}"), format!("/me/orders/{order}"), format!("/me/orders/{order}/status")] {
        assert!(browser.get(&path).await.location().starts_with("/password"), "{path}");
    }
    let answer = browser.get("/api/v1/me").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["code"], "PASSWORD_CHANGE_REQUIRED");
}

#[tokio::test]
async fn r24_a_wrong_password_and_an_unknown_number_are_answered_alike() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::new(&rig);
    let mut answers = Vec::new();
    for number in [NUMBER, "9999999999"] {
        let answer = browser.fill("/sign-in", &[("number", number), ("password", "wrong-7531")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let text = answer.text();
        assert!(text.contains(&format!("value=\"{number}\"")), "the number is written back");
        assert!(!text.contains("wrong-7531"), "the password is not");
        answers.push(text.replace(number, "N"));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(browser.cookie("sid"), None);
}

#[tokio::test]
async fn r77_a_new_password_is_refused_with_the_reason_at_its_field() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::new(&rig);
    browser.fill("/sign-in", &[("number", NUMBER), ("password", FIRST)]).await;
    let table = [
        (["wrong-7531", PASSWORD, PASSWORD], "old-error"),
        ([FIRST, NUMBER, NUMBER], "new-error"),
        ([FIRST, PASSWORD, "other"], "again-error"),
    ];
    for ([old, new, again], field) in table {
        let answer = browser.fill("/password", &[("old", old), ("new", new), ("again", again)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        answer.says(&format!("id=\"{field}\""));
        assert_eq!(answer.text().matches("aria-invalid").count(), 1, "{field}");
        assert!(!answer.text().contains(old) || old == FIRST, "no password is written back");
    }
}

#[tokio::test]
async fn signing_out_ends_every_session_of_the_holder() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, NUMBER, FIRST).await.known_to_wechat().await;
    let mut second = Browser::new(&rig);
    second.fill("/sign-in", &[("number", NUMBER), ("password", PASSWORD)]).await;
    assert_eq!(second.get("/me").await.status, StatusCode::OK);

    let token = browser.get("/me").await.hidden("token");
    assert_eq!(browser.post("/sign-out", &[("token", &token)]).await.location(), "/sign-in?by=password");
    assert_eq!((browser.cookie("sid"), browser.cookie("payer")), (None, None));
    assert_eq!(browser.get("/me").await.location(), "/sign-in");
    assert_eq!(second.get("/me").await.location(), "/sign-in");
}

#[tokio::test]
async fn a_changed_password_and_a_sign_out_are_confirmed_once_and_by_no_address() {
    const CHANGED: &str = "查询密码已修改，其他设备上的登录已全部退出。";
    const OUT: &str = "您已退出登录。";
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, NUMBER, FIRST).await;
    browser.get("/me").await.says(CHANGED);
    assert!(!browser.get("/me").await.text().contains(CHANGED), "once");
    // Where the change leads on, the page in between keeps it for the one behind.
    let fields = [("old", PASSWORD), ("new", "chun-feng-8642"), ("again", "chun-feng-8642"), ("next", "/me/card")];
    let changed = browser.fill("/password", &fields).await;
    let between = browser.get(changed.location()).await.text();
    assert!(between.contains("http-equiv=\"refresh\"") && !between.contains(CHANGED), "{between}");
    browser.get("/me/card").await.says(CHANGED);

    let token = browser.get("/me").await.hidden("token");
    let out = browser.post("/sign-out", &[("token", &token)]).await;
    browser.get(out.location()).await.says(OUT);
    assert!(!browser.get("/sign-in").await.text().contains(OUT), "once");
    browser.set_cookie("done", "gift");
    let door = browser.get("/sign-in?done=password").await.text();
    assert!(!door.contains(CHANGED) && !door.contains("class=\"note"), "{door}");
}

#[tokio::test]
async fn why_the_first_password_must_be_changed_stays_beside_what_was_wrong() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::new(&rig);
    browser.fill("/sign-in", &[("number", NUMBER), ("password", FIRST)]).await;
    let refused = browser.fill("/password", &[("old", FIRST), ("new", "123456"), ("again", "123456")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.says("role=\"alert\"");
    refused.says("您正在使用初始密码。");
}

#[tokio::test]
async fn an_idle_session_ends() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, NUMBER, FIRST).await;
    rig.advance(1_700);
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
    rig.advance(1_801);
    assert_eq!(browser.get("/me").await.location(), "/sign-in");
}

#[tokio::test]
async fn a_page_that_asks_for_itself_keeps_no_session_alive() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    let mut browser = Browser::signed_in(&rig, NUMBER, FIRST).await;
    let status = format!("/me/orders/{order}/status");
    for _ in 0..17 {
        rig.advance(100);
        assert_eq!(browser.get(&status).await.status, StatusCode::OK);
    }
    rig.advance(100);
    assert!(browser.get(&status).await.location().starts_with("/sign-in"), "half an hour after its holder's last page");
}

#[tokio::test]
async fn whoever_signs_in_goes_on_where_they_were_with_all_that_was_asked() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, NUMBER, FIRST).await;
    rig.advance(1_801);
    let asked = "/me/records?kind=purchase&month=2026-10";
    let away = browser.get(asked).await.location().to_owned();
    assert_eq!(away, "/sign-in?next=%2Fme%2Frecords%3Fkind%3Dpurchase%26month%3D2026-10");
    let page = browser.get(&away).await;
    assert_eq!(page.hidden("next").replace("&#38;", "&"), asked);
    let token = page.hidden("token");
    let fields = [("token", token.as_str()), ("number", NUMBER), ("password", PASSWORD), ("next", asked)];
    let entered = browser.post("/sign-in", &fields).await;
    let onward = browser.get(entered.location()).await.text().replace("&#38;", "&");
    assert!(onward.contains(asked), "{onward}");
    for foreign in ["//evil.example/?a=b", "/me?x=https://evil.example", "/me/records?a=\"b"] {
        let mut browser = Browser::new(&rig);
        let fields = [("number", NUMBER), ("password", PASSWORD), ("next", foreign)];
        assert_eq!(browser.fill("/sign-in", &fields).await.location(), "/me", "{foreign}");
    }
}

#[tokio::test]
async fn language_and_look_are_chosen_once_and_drawn_by_the_server() {
    let rig = Rig::new();
    let mut browser = Browser::new(&rig);
    let page = browser.get("/sign-in").await;
    page.says("<html lang=\"zh-CN\" data-theme=\"auto\">");
    page.says("示范大学");
    let token = page.hidden("token");
    let back = [("token", token.as_str()), ("back", "/sign-in")];
    let switched = browser.post("/display", &[back[0], back[1], ("language", "en")]).await;
    assert_eq!(switched.location(), "/sign-in");
    let switched = browser.post("/display", &[back[0], back[1], ("theme", "dark")]).await;
    assert_eq!(switched.location(), "/sign-in");
    let page = browser.get("/sign-in").await;
    page.says("<html lang=\"en\" data-theme=\"dark\">");
    page.says("Example University");
    assert!(!page.text().contains("登录"), "no Chinese but the switch's own name");

    let mut english = Browser::new(&rig);
    english.headers = vec![("accept-language", "en-GB,en;q=0.9".into())];
    english.get("/sign-in").await.says("<html lang=\"en\"");
}

#[tokio::test]
async fn a_switch_keeps_what_was_asked_of_the_page_and_leads_to_no_other_host() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, NUMBER, FIRST).await;
    for address in ["/me/records?kind=purchase&month=2026-10", "/me/spending?month=2026-10"] {
        let page = browser.get(address).await;
        let (token, back) = (page.hidden("token"), page.hidden("back"));
        assert_eq!(back.replace("&#38;", "&").replace("&amp;", "&"), address);
        let switched = browser.post("/display", &[("token", &token), ("back", address), ("language", "en")]).await;
        assert_eq!(switched.location(), address);
        for elsewhere in ["//evil.example/?a=b", "https://evil.example", "/\\evil.example?", "/me?a\r\nx: y"] {
            let sent = [("token", token.as_str()), ("back", elsewhere), ("language", "en")];
            assert_eq!(browser.post("/display", &sent).await.location(), "/", "{elsewhere:?}");
        }
    }
}
