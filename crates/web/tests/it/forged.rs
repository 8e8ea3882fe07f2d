//! The attack table over HTTP: the real router, the real adapter, a real book. Nothing that is not the provider's own word
//! changes a byte of the book, and what is its word but does not fit credits nobody (R18, R20; decision table of payments,
//! rows 2, 4 to 7).

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use flows::cases::{Listed, list};
use flows::ports::NoticeFault;
use ledger::Fen;
use pay::wechat::{RefusedNotices, WeChatPay};
use rules::ids::OrderNo;
use store::verify::Archive;

use crate::attacks::{Attack, End, Forge, Sent};
use crate::browser::{Answer, Browser};
use crate::desk::{APIV3_KEY, APPID, MCHID, NOW, PLATFORM, SERIAL, STRANGER, Still, channel_at, settings, sign};
use crate::rig::{Rig, START};

/// The table must not shrink.
const LEAST: usize = 25;

/// A school with an order of ¥50 that waits for its payment, through the real adapter.
async fn school() -> (Rig, Arc<WeChatPay>, OrderNo) {
    // Nobody listens there: an adapter that asked about a forged notice would get no answer.
    let wechat = Arc::new(channel_at(&settings("http://127.0.0.1:1"), Still::at(NOW)));
    let rig = Rig::through(wechat.clone());
    rig.advance(NOW - START.seconds());
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    (rig, wechat, order)
}

/// What the provider, and others, could send about `order`.
fn table(order: OrderNo) -> (Sent, Vec<Attack>) {
    let (provider, stranger) = (|text: &[u8]| sign(&PLATFORM, text), |text: &[u8]| sign(&STRANGER, text));
    let number = order.to_string();
    let forge = Forge {
        now: NOW,
        provider: (&provider, SERIAL),
        stranger: &stranger,
        apiv3_key: APIV3_KEY,
        mchid: MCHID,
        appid: APPID,
        order: &number,
        total: 5_000,
    };
    (forge.good(), forge.attacks())
}

async fn deliver(rig: &Rig, sent: &Sent) -> Answer {
    let headers: Vec<(&str, &str)> = sent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Browser::new(rig).send(Method::POST, "/notify/wechat", &headers, sent.body.clone()).await
}

/// Every row of the book: journal, blocks, accounts, what is set aside, every guard row, every place in a list.
fn everything(rig: &Rig) -> Vec<String> {
    let (mut archive, mut rows) = (rig.disk.archive(), Vec::new());
    archive.freeze().expect("in memory");
    rows.push(format!("{:?}", archive.replay_from().expect("in memory")));
    rows.extend(archive.blocks(0, u32::MAX).expect("in memory").iter().map(|block| format!("{block:?}")));
    rows.extend(archive.journal(1, u64::MAX, u32::MAX).expect("in memory").iter().map(|row| format!("{row:?}")));
    archive.accounts(&mut |account| rows.push(format!("{account:?}"))).expect("in memory");
    archive.pendings(&mut |pending| rows.push(format!("{pending:?}"))).expect("in memory");
    for table in archive.tables().expect("in memory") {
        archive.guard_rows(&table, &mut |row| rows.push(format!("{table} {row:?}"))).expect("in memory");
    }
    archive.places(&mut |place| rows.push(format!("{place:?}"))).expect("in memory");
    rows
}

async fn total(rig: &Rig) -> i64 {
    let mut browser = Browser::signed_in(rig, "2026010101", "260042").await;
    browser.get("/api/v1/me").await.json()["total_fen"].as_i64().expect("a number")
}

fn status(fault: NoticeFault) -> StatusCode {
    match fault {
        NoticeFault::Malformed | NoticeFault::Sealed => StatusCode::BAD_REQUEST,
        NoticeFault::Stale | NoticeFault::UnknownSerial | NoticeFault::WrongSignature => StatusCode::UNAUTHORIZED,
        NoticeFault::Foreign => StatusCode::FORBIDDEN,
    }
}

#[tokio::test]
async fn t5_the_attack_table_changes_no_byte_of_the_book_and_the_good_notice_then_credits_once() {
    let (rig, wechat, order) = school().await;
    let (good, attacks) = table(order);
    let refused: Vec<(&str, &Sent, NoticeFault)> = attacks
        .iter()
        .filter_map(|Attack { what, sent, end }| match end {
            End::Refused(fault) => Some((*what, sent, *fault)),
            End::NoCredit => None,
        })
        .collect();
    assert!(refused.len() >= LEAST, "{}", refused.len());
    let before = everything(&rig);
    let mut counted = RefusedNotices::default();
    for (what, sent, fault) in refused {
        let answer = deliver(&rig, sent).await;
        // What is too large is not even read, so nobody counts it as a notice.
        let huge = sent.body.len() > 64 * 1024;
        assert_eq!(answer.status, if huge { StatusCode::PAYLOAD_TOO_LARGE } else { status(fault) }, "{what}");
        assert_eq!(answer.json()["code"], "FAIL", "{what}");
        if !huge {
            *match fault {
                NoticeFault::Malformed => &mut counted.malformed,
                NoticeFault::Stale => &mut counted.stale,
                NoticeFault::UnknownSerial => &mut counted.unknown_serial,
                NoticeFault::WrongSignature if what == "a probe" => &mut counted.probes,
                NoticeFault::WrongSignature => &mut counted.wrong_signature,
                NoticeFault::Sealed => &mut counted.sealed,
                NoticeFault::Foreign => &mut counted.foreign,
            } += 1;
        }
        assert!(answer.header("set-cookie").is_empty(), "{what}");
        assert_eq!(everything(&rig), before, "{what}");
    }
    assert_eq!(wechat.refused_notices(), counted, "every cause is counted");

    assert_eq!(deliver(&rig, &good).await.status, StatusCode::NO_CONTENT);
    let credited = everything(&rig);
    assert_ne!(credited, before);
    for _ in 0..2 {
        assert_eq!(deliver(&rig, &good).await.status, StatusCode::NO_CONTENT);
        assert_eq!(everything(&rig), credited, "a replay within its time is answered and changes nothing");
    }
    assert_eq!(wechat.refused_notices(), counted);
    assert_eq!(total(&rig).await, 5_000);
}

#[tokio::test]
async fn rows_2_6_7_the_providers_own_word_that_does_not_fit_lies_in_one_case_and_credits_nobody() {
    let (_, attacks) = table(OrderNo::parse("261124000000000112345678").expect("24 digits"));
    let count = attacks.iter().filter(|attack| attack.end == End::NoCredit).count();
    assert!(count >= 4, "{count}");
    for index in 0..count {
        let (rig, wechat, order) = school().await;
        let (_, attacks) = table(order);
        let attack = attacks.into_iter().filter(|attack| attack.end == End::NoCredit).nth(index).expect("counted");
        let what = attack.what;
        assert_eq!(deliver(&rig, &attack.sent).await.status, StatusCode::NO_CONTENT, "{what}");
        let suspended = everything(&rig);
        assert_eq!(deliver(&rig, &attack.sent).await.status, StatusCode::NO_CONTENT, "{what}");
        assert_eq!(everything(&rig), suspended, "{what}: a repeat is known");

        let cases = list(rig.school.reader.as_ref(), true, 10).await.expect("reads");
        let [Listed::Open { case, left }] = &cases[..] else { panic!("{what}: one open case: {cases:?}") };
        let paid = match what {
            "another amount" => 5_001,
            // An amount in a currency that the book does not keep is told in the case, and in no sum.
            "another currency" | "no currency" => 0,
            _ => 5_000,
        };
        assert_eq!((*left, case.amount), (Fen::new(paid), Fen::new(paid)), "{what}: all of it is in suspense");
        assert_eq!(wechat.refused_notices(), RefusedNotices::default(), "{what}");
        assert_eq!(total(&rig).await, 0, "{what}");
    }
}
