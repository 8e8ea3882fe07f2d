//! Who is signed in where, the proof of identity, the WeChat user that is bound (security page and its JSON twins).

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::browser::Browser;
use crate::rig::{BASE, CASHIER, PASSWORD, Rig};

const NUMBER: &str = "2026010101";
const FIRST: &str = "260042";

async fn signed_in(rig: &Rig) -> Browser {
    Browser::signed_in(rig, NUMBER, FIRST).await
}

/// Goes to WeChat from where it is told to, and comes back with a code.
async fn through_wechat(browser: &mut Browser, path: &str, code: &str) -> crate::browser::Answer {
    let leave = browser.get(path).await;
    assert!(leave.location().starts_with(&format!("{CASHIER}/authorize")), "{path}: {}", leave.location());
    let state = leave.location().rsplit_once("state=").expect("a state").1.to_owned();
    browser.get(&format!("/wechat/return?code={code}&state={state}")).await
}

/// A browser inside WeChat in which nobody is signed in comes from the menu.
async fn from_menu(rig: &Rig, code: &str) -> (Browser, crate::browser::Answer) {
    let mut browser = Browser::new(rig).in_wechat();
    assert_eq!(browser.get("/me/topup").await.location(), "/sign-in?next=/me/topup");
    let door = browser.get("/sign-in?next=/me/topup").await;
    door.says("content=\"0;url=/wechat/enter?next=/me/topup\"");
    door.says("href=\"/sign-in?by=password&#38;next=/me/topup\"");
    let answer = through_wechat(&mut browser, "/wechat/enter?next=/me/topup", code).await;
    (browser, answer)
}

/// Binds the WeChat user of this code by the pages of a holder who has just signed in.
async fn bind(rig: &Rig, code: &str) -> Browser {
    let mut browser = signed_in(rig).await.in_wechat();
    let named = through_wechat(&mut browser, "/me/security/wechat", code).await;
    assert_eq!(named.location(), "/me/security/wechat");
    let done = browser.fill("/me/security/wechat", &[]).await;
    assert_eq!(done.location(), "/me/security", "{}", done.text());
    browser
}

#[tokio::test]
async fn r23_a_bound_wechat_user_comes_from_the_menu_to_the_top_up_without_a_password() {
    let rig = Rig::new();
    rig.holder().await;
    let mut holder = bind(&rig, "mine").await;
    holder.get("/me/security").await.says("已绑定，自 2026-11-23 12:30 起");
    let (mut menu, entered) = from_menu(&rig, "mine").await;
    assert_eq!(entered.location(), "/me/topup");
    let page = menu.get("/me/topup").await;
    assert_eq!(page.status, StatusCode::OK, "who pays is known already");
    let fields = [("amount", "50"), ("key", &page.hidden("key")), ("token", &page.hidden("token"))];
    assert!(menu.post("/me/topup", &fields).await.location().starts_with("/pay/"));
    menu.get("/me/security").await.says("微信登录");

    let (mut stranger, unbound) = from_menu(&rig, "stranger").await;
    assert_eq!(unbound.location(), "/sign-in?by=unbound&next=/me/topup");
    stranger.get(unbound.location()).await.says("还没有绑定校园卡账户");
    assert_eq!(stranger.cookie("sid"), None);
    for path in ["/me", "/me/topup", "/me/records", "/me/security"] {
        assert!(stranger.get(path).await.location().starts_with("/sign-in"), "{path}: an openid alone shows nothing");
    }
    let (mut left_alone, silent) = from_menu(&rig, "silent").await;
    assert_eq!(silent.location(), "/sign-in?by=silent&next=/me/topup");
    left_alone.get(silent.location()).await.says("微信暂时没有回应");
    let (_, used) = from_menu(&rig, "used").await;
    assert_eq!(used.location(), "/sign-in?by=silent&next=/me/topup", "a code that was used, or of another application");
}

#[tokio::test]
async fn a_way_in_by_wechat_is_the_one_that_this_browser_began_and_only_once() {
    let rig = Rig::new();
    rig.holder().await;
    bind(&rig, "mine").await;
    let mut first = Browser::new(&rig).in_wechat();
    let leave = first.get("/wechat/enter").await;
    let state = leave.location().rsplit_once("state=").expect("a state").1.to_owned();
    let back = format!("/wechat/return?code=mine&state={state}");

    let mut victim = Browser::new(&rig).in_wechat();
    victim.get("/sign-in?by=password").await;
    assert_eq!(
        victim.get(&back).await.location(),
        "/sign-in?next=/wechat/return",
        "an attacker's code signs nobody in"
    );
    let other = victim.get("/wechat/enter").await;
    assert!(!other.location().contains(&state));
    assert!(victim.get(&back).await.location().starts_with("/sign-in"));
    assert_eq!(victim.cookie("sid"), None);

    let errand = first.cookie("wxvisit").expect("begun").to_owned();
    assert_eq!(first.get(&back).await.location(), "/me");
    assert!(first.cookie("sid").is_some() && first.cookie("wxvisit").is_none());
    assert_eq!(first.get(&back).await.status, StatusCode::FORBIDDEN, "over");
    first.set_cookie("wxvisit", &errand);
    assert_eq!(first.get(&back).await.status, StatusCode::FORBIDDEN, "bound to who was there before");
    assert_eq!(first.get("/wechat/enter?next=/me/records").await.location(), "/me/records", "signed in already");
}

#[tokio::test]
async fn codes_that_wechat_refuses_are_counted_and_people_who_are_not_bound_are_not() {
    let rig = Rig::new();
    let mut browser = Browser::new(&rig).in_wechat();
    let mut answers = Vec::new();
    for code in ["silent"; 30].iter().chain(&["stranger"; 30]).chain(&["used"; 601]) {
        let leave = browser.get("/wechat/enter").await;
        let state = leave.location().rsplit_once("state=").expect("a state").1.to_owned();
        answers.push(browser.get(&format!("/wechat/return?code={code}&state={state}")).await.status);
    }
    let refused = answers.iter().position(|status| *status == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused, Some(660), "the six hundred and first refused code");
}

#[tokio::test]
async fn two_people_cannot_have_one_wechat_user_and_another_user_takes_a_place_only_when_told() {
    let rig = Rig::new();
    rig.holder().await;
    rig.other().await;
    bind(&rig, "mine").await;
    let mut other = Browser::signed_in(&rig, "2026010102", "260043").await.in_wechat();
    through_wechat(&mut other, "/me/security/wechat", "mine").await;
    let refused = other.fill("/me/security/wechat", &[("instead", "yes")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.says("已绑定另一个校园卡账户");

    let mut again = Browser::new(&rig).in_wechat();
    again.fill("/sign-in?by=password", &[("number", NUMBER), ("password", PASSWORD)]).await;
    through_wechat(&mut again, "/me/security/wechat", "second").await;
    let page = again.get("/me/security/wechat").await;
    page.says("您的账户已绑定另一个微信");
    assert_eq!(page.hidden("instead"), "yes");
    let token = page.hidden("token");
    let refused = again.post("/me/security/wechat", &[("token", &token)]).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a form of before the first binding says nothing of it"
    );
    assert_eq!(again.fill("/me/security/wechat", &[("instead", "yes")]).await.location(), "/me/security");
    again.get("/me/security/wechat").await.says("绑定的就是当前这个微信");
    assert!(from_menu(&rig, "mine").await.1.location().contains("by=unbound"));
    assert_eq!(from_menu(&rig, "second").await.1.location(), "/me/topup");
}

#[tokio::test]
async fn what_opens_the_account_to_others_needs_the_password_again_after_ten_minutes() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = bind(&rig, "mine").await;
    rig.advance(600);
    let led = browser.get("/me/security/wechat").await;
    assert_eq!(led.location(), "/prove?next=/me/security/wechat");
    let token = browser.get("/me/security").await.hidden("token");
    let led = browser.post("/me/security/wechat/end", &[("token", &token)]).await;
    assert_eq!(led.location(), "/prove?next=/me/security");
    let before = browser.cookie("sid").expect("signed in").to_owned();
    let wrong = browser.fill("/prove?next=/me/security/wechat", &[("password", "wrong-77")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.says("查询密码不正确");
    assert!(!wrong.text().contains("wrong-77"), "no password is written back");
    let fields = [("password", PASSWORD), ("next", "/me/security/wechat")];
    let proved = browser.fill("/prove?next=/me/security/wechat", &fields).await;
    assert_eq!(proved.location(), "/continue?next=/me/security/wechat");
    assert_ne!(browser.cookie("sid"), Some(before.as_str()), "a new token");
    let page = browser.get("/me/security/wechat").await;
    page.says("绑定的就是当前这个微信");
    let mut thief = Browser::new(&rig).in_wechat();
    thief.set_cookie("sid", &before);
    assert!(thief.get("/me").await.location().starts_with("/sign-in"), "the old token is dead");
    let (mut menu, _) = from_menu(&rig, "mine").await;
    let token = page.hidden("token");
    for _ in 0..2 {
        let ended = browser.post("/me/security/wechat/end", &[("token", &token)]).await;
        assert_eq!(ended.location(), "/me/security");
    }
    browser.get("/me/security").await.says("已于 2026-11-23 12:40 解除绑定");
    assert!(menu.get("/me").await.location().starts_with("/sign-in"), "its sessions ended with it");
}

#[tokio::test]
async fn r77_a_locked_door_leaves_wechat_open_and_shows_there_that_it_is_locked() {
    let rig = Rig::new();
    rig.holder().await;
    bind(&rig, "mine").await;
    let mut guesser = Browser::new(&rig);
    for _ in 0..6 {
        guesser.fill("/sign-in", &[("number", NUMBER), ("password", "guess-77")]).await;
    }
    let (mut menu, entered) = from_menu(&rig, "mine").await;
    assert_eq!(entered.location(), "/me/topup");
    assert_eq!(menu.get("/me").await.status, StatusCode::OK);
    let locked = menu.fill("/prove?next=/me/security", &[("password", PASSWORD)]).await;
    assert_eq!(locked.status, StatusCode::UNPROCESSABLE_ENTITY);
    locked.says("密码验证已暂时锁定");
    let fields = [("old", "guess-77"), ("new", "kp3-zebra-91"), ("again", "kp3-zebra-91")];
    let change = menu.fill("/password", &fields).await;
    assert_eq!(change.status, StatusCode::UNPROCESSABLE_ENTITY, "not without the old one");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_others_at_once() {
    let rig = Rig::new();
    rig.holder().await;
    let mut desk = signed_in(&rig).await;
    let only = desk.get("/me/security").await;
    only.says("本机");
    assert!(!only.text().contains("value=\"others\""), "there are no others");
    let mut phone = Browser::new(&rig).on_phone();
    phone.fill("/sign-in", &[("number", NUMBER), ("password", PASSWORD)]).await;
    let mut tablet = Browser::new(&rig).on_phone();
    tablet.fill("/sign-in", &[("number", NUMBER), ("password", PASSWORD)]).await;
    let page = desk.get("/me/security").await;
    page.says("Chrome，Android");
    page.says("上次修改：2026-11-23 12:30<");
    assert_eq!(page.text().matches("本机").count(), 1);
    let list = desk.get("/api/v1/me/sessions").await.json();
    let list = list["sessions"].as_array().expect("a list").clone();
    assert_eq!(list.len(), 3);
    assert_eq!((list[0]["this"].as_bool(), list[0]["kind"].as_str()), (Some(true), Some("password")));
    assert_eq!(list[1]["device"], "Chrome, Android");
    for session in &list {
        for browser in [&desk, &phone, &tablet] {
            assert!(!browser.cookie("sid").expect("signed in").contains(session["id"].as_str().expect("a name")));
        }
    }
    let [first, second] = [1, 2].map(|at: usize| list[at]["id"].as_str().expect("a name").to_owned());
    let token = page.hidden("token");
    for _ in 0..2 {
        let ended = desk.post("/me/security/sessions", &[("token", &token), ("id", &first)]).await;
        assert_eq!(ended.location(), "/me/security");
    }
    let alive = async |browser: &mut Browser| browser.get("/me").await.status == StatusCode::OK;
    assert_eq!(usize::from(alive(&mut phone).await) + usize::from(alive(&mut tablet).await), 1);
    let path = format!("/api/v1/me/sessions/{second}");
    let ours = [("origin", BASE)];
    assert_eq!(desk.send(Method::DELETE, &path, &ours, Body::empty()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.send(Method::DELETE, &path, &ours, Body::empty()).await.status, StatusCode::NOT_FOUND);
    assert!(!alive(&mut phone).await && !alive(&mut tablet).await && alive(&mut desk).await);

    phone.fill("/sign-in", &[("number", NUMBER), ("password", PASSWORD)]).await;
    let token = desk.get("/me/security").await.hidden("token");
    assert_eq!(
        desk.post("/me/security/sessions", &[("token", &token), ("id", "others")]).await.location(),
        "/me/security"
    );
    assert!(!alive(&mut phone).await && alive(&mut desk).await);
    phone.fill("/sign-in", &[("number", NUMBER), ("password", PASSWORD)]).await;
    let others = desk.send(Method::DELETE, "/api/v1/me/sessions", &ours, Body::empty()).await;
    assert_eq!(others.status, StatusCode::NO_CONTENT);
    assert!(!alive(&mut phone).await && alive(&mut desk).await);
}

#[tokio::test]
async fn a_program_proves_changes_the_password_and_ends_the_binding_as_the_pages_do() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = bind(&rig, "mine").await;
    let state = browser.get("/api/v1/me/security").await.json();
    assert_eq!((state["wechat"]["state"].as_str(), state["password"]["own"].as_bool()), (Some("bound"), Some(true)));
    rig.advance(600);
    let ours = [("origin", BASE), ("content-type", "application/json")];
    let refused = browser.send(Method::DELETE, "/api/v1/me/wechat", &ours, Body::empty()).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("PROOF_REQUIRED")));
    let wrong = browser.send(Method::POST, "/api/v1/me/proof", &ours, r#"{"password":"wrong-77"}"#).await;
    assert_eq!((wrong.status.as_u16(), wrong.json()["code"].as_str()), (422, Some("PASSWORD_WRONG")));
    let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
    assert_eq!(browser.send(Method::POST, "/api/v1/me/proof", &ours, body).await.status, StatusCode::NO_CONTENT);
    for _ in 0..2 {
        let ended = browser.send(Method::DELETE, "/api/v1/me/wechat", &ours, Body::empty()).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(browser.get("/api/v1/me/security").await.json()["wechat"]["state"], "ended");
    let weak = format!(r#"{{"old":"{PASSWORD}","new":"123456"}}"#);
    let weak = browser.send(Method::POST, "/api/v1/me/password", &ours, weak).await;
    assert_eq!((weak.status.as_u16(), weak.json()["code"].as_str()), (422, Some("PASSWORD_WEAK")));
    let good = format!(r#"{{"old":"{PASSWORD}","new":"kp3-zebra-91"}}"#);
    let changed = browser.send(Method::POST, "/api/v1/me/password", &ours, good).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT);
    assert_eq!(browser.get("/api/v1/me").await.status, StatusCode::OK, "under the new cookie");
}

#[tokio::test]
async fn r77_a_program_at_a_locked_door_is_told_when_it_opens() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let ours = [("origin", BASE), ("content-type", "application/json")];
    let wrong = r#"{"password":"wrong-77"}"#;
    for _ in 0..5 {
        browser.send(Method::POST, "/api/v1/me/proof", &ours, wrong).await;
    }
    let new = format!(r#"{{"old":"{PASSWORD}","new":"kp3-zebra-91"}}"#);
    for (path, body) in [("/api/v1/me/proof", wrong.to_owned()), ("/api/v1/me/password", new)] {
        let locked = browser.send(Method::POST, path, &ours, body.clone()).await;
        assert_eq!((locked.status.as_u16(), locked.json()["code"].as_str()), (429, Some("PASSWORD_LOCKED")), "{path}");
        let wait: i64 = locked.header("retry-after").parse().expect("seconds");
        assert!((1_000..=1_800).contains(&wait), "{wait}");
        rig.advance(10);
        let later = browser.send(Method::POST, path, &ours, body).await;
        assert_eq!(later.header("retry-after"), (wait - 10).to_string(), "{path}");
    }
}

#[tokio::test]
async fn r77_the_change_page_lists_the_rules_first_and_then_says_which_one_was_broken() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let page = browser.get("/password").await;
    for rule in ["长度 6 到 64 位", "不含生日、学工号", "不是同一个字符", "不是很多人都在用的密码"]
    {
        page.says(rule);
    }
    let table = [
        ("8$kQz", "密码太短"),
        (PASSWORD, "与原密码相同"),
        ("888888", "同一个字符"),
        ("abc123", "连续或等差"),
        ("121212", "重复或对称"),
        (NUMBER, "含有您的学工号"),
        ("260042", "证件号码的一段"),
        ("woaini1314", "很多人都在用"),
    ];
    for (new, says) in table {
        let fields = [("old", PASSWORD), ("new", new), ("again", new)];
        let answer = browser.fill("/password", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        answer.says(says);
        answer.says("id=\"new-error\"");
    }
}
