//! Platform certificates: the first list, the hour after, a change of keys in flight, and lists that must not be believed.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rsa::KeyPair as RsaPair;
use flows::ports::{ChannelError, NoticeFault, RawNotice, Trade, WeChat};
use ledger::Micros;
use pay::wechat::sign::Unproved;
use pay::wechat::{CertificateFault, WeChatConfig, WeChatPay};

use crate::attacks::{SEAL_NONCE, envelope, seal};
use crate::desk::{
    APIV3_KEY, MERCHANT, NOW, OLD_PLATFORM, PLATFORM, SERIAL, STRANGER, Still, channel, channel_at, folder, order,
    settings, sign,
};
use crate::orders::transaction;
use crate::provider::{Provider, Reply};
use crate::signatures::certificate_of;

const FIRST: &str = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C";
const SECOND: &str = "2E6BC8F1A9D0437C8B1F5E2D3C4B5A6978877665";
const YEARS: (i32, i32) = (2024, 2029);

fn bytes(serial: &str) -> Vec<u8> {
    (0..serial.len()).step_by(2).map(|at| u8::from_str_radix(&serial[at..at + 2], 16).expect("hex")).collect()
}

/// An entry of the list, sealed under `apiv3`.
fn entry_under(apiv3: &[u8; 32], serial: &str, key: &RsaPair, years: (i32, i32)) -> String {
    let ciphertext = seal(apiv3, SEAL_NONCE, "certificate", &certificate_of(key, &bytes(serial), years));
    format!(
        r#"{{"serial_no":"{serial}","effective_time":"{}-01-01T00:00:00+08:00","expire_time":"{}-01-01T00:00:00+08:00",
        "encrypt_certificate":{{"algorithm":"AEAD_AES_256_GCM","nonce":"{SEAL_NONCE}","associated_data":"certificate",
        "ciphertext":"{ciphertext}"}}}}"#,
        years.0, years.1
    )
}

fn entry(serial: &str, key: &RsaPair) -> String {
    entry_under(APIV3_KEY, serial, key, YEARS)
}

fn list(entries: &[String]) -> String {
    format!(r#"{{"data":[{}]}}"#, entries.join(","))
}

fn by(key: &RsaPair, serial: &str, body: String) -> Reply {
    Reply::signed_by(key, serial, NOW, 200, body)
}

/// Settings with certificates and no key loaded by hand.
fn certificates_alone(base: &str, file: Option<&Path>) -> WeChatConfig {
    let mut settings = settings(base);
    settings.platform_keys.clear();
    settings.download_certificates = true;
    settings.certificates_file = file.map(Path::to_owned);
    settings
}

/// Whether a notice that `key` signed under `serial` at `at` opens at that time.
fn opens(wechat: &WeChatPay, key: &RsaPair, serial: &str, at: i64) -> Result<(), NoticeFault> {
    let body = envelope(&seal(APIV3_KEY, SEAL_NONCE, "transaction", &transaction("SUCCESS")));
    let signature = sign(key, format!("{at}\nN0\n{body}\n").as_bytes());
    let notice =
        RawNotice { timestamp: &at.to_string(), nonce: "N0", serial, signature: &signature, body: body.as_bytes() };
    wechat.open_notice(&notice, Micros::from_seconds(at)).map(drop)
}

#[tokio::test]
async fn the_first_list_is_proved_by_a_certificate_inside_it() {
    let provider = Provider::start().await;
    let wechat = channel(&certificates_alone(&provider.base, None));
    assert_eq!(opens(&wechat, &PLATFORM, FIRST, NOW), Err(NoticeFault::UnknownSerial));
    provider.will(by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM), entry(SECOND, &OLD_PLATFORM)])));
    assert_eq!(wechat.refresh_certificates().await, Ok(2));
    let seen = provider.only_seen();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v3/certificates"));
    assert!(!seen.has("Wechatpay-Serial"), "no key is known to ask for");
    seen.proved();
    assert_eq!(opens(&wechat, &PLATFORM, FIRST, NOW), Ok(()));
    assert_eq!(opens(&wechat, &OLD_PLATFORM, SECOND, NOW), Ok(()));
    assert_eq!(opens(&wechat, &OLD_PLATFORM, FIRST, NOW), Err(NoticeFault::WrongSignature));
}

#[tokio::test]
async fn a_list_that_is_not_proved_teaches_nothing() {
    let provider = Provider::start().await;
    let good = list(&[entry(FIRST, &PLATFORM)]);
    let other_key = b"another-key-of-thirty-two-bytes-";
    let unproved = |fault| Err(CertificateFault::Unproved(fault));
    let bad_entry = "an entry";
    let table: Vec<(&str, Reply, Result<usize, CertificateFault>)> = vec![
        ("unsigned", Reply::unsigned(200, good.clone()), unproved(Unproved::Malformed)),
        ("signed by none of the list", by(&STRANGER, SECOND, good.clone()), unproved(Unproved::UnknownSerial)),
        ("forged", by(&STRANGER, FIRST, good.clone()), unproved(Unproved::WrongSignature)),
        ("old", Reply::signed_by(&PLATFORM, FIRST, NOW - 301, 200, good.clone()), unproved(Unproved::Stale)),
        (
            "a stranger's certificate under a stranger's key",
            by(&STRANGER, FIRST, list(&[entry_under(other_key, FIRST, &STRANGER, YEARS)])),
            Err(CertificateFault::Entry { serial: FIRST.to_owned(), problem: bad_entry.to_owned() }),
        ),
        (
            "one entry that does not open",
            by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM), entry_under(other_key, SECOND, &STRANGER, YEARS)])),
            Err(CertificateFault::Entry { serial: SECOND.to_owned(), problem: bad_entry.to_owned() }),
        ),
        (
            "a certificate under another's serial",
            by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM).replacen(FIRST, SECOND, 1)])),
            Err(CertificateFault::Entry { serial: SECOND.to_owned(), problem: bad_entry.to_owned() }),
        ),
        (
            "the merchant's own",
            by(&MERCHANT, FIRST, list(&[entry(FIRST, &MERCHANT)])),
            Err(CertificateFault::Entry { serial: FIRST.to_owned(), problem: bad_entry.to_owned() }),
        ),
        (
            "ended",
            by(&PLATFORM, FIRST, list(&[entry_under(APIV3_KEY, FIRST, &PLATFORM, (2020, 2025))])),
            unproved(Unproved::UnknownSerial),
        ),
        (
            "not begun",
            by(&PLATFORM, FIRST, list(&[entry_under(APIV3_KEY, FIRST, &PLATFORM, (2027, 2032))])),
            unproved(Unproved::UnknownSerial),
        ),
        ("nothing", by(&PLATFORM, FIRST, list(&[])), Err(CertificateFault::NoList("it has 0 entries".to_owned()))),
        (
            "no list",
            by(&PLATFORM, FIRST, "[]".to_owned()),
            Err(CertificateFault::NoList("HTTP 200, and no list in it".to_owned())),
        ),
        (
            "an error",
            Reply::signed_by(&PLATFORM, FIRST, NOW, 500, good.clone()),
            Err(CertificateFault::NoList("HTTP 500".to_owned())),
        ),
    ];
    for (what, reply, expected) in table {
        let wechat = channel(&certificates_alone(&provider.base, None));
        provider.will(reply);
        let mut got = wechat.refresh_certificates().await;
        if let Err(CertificateFault::Entry { problem, .. }) = &mut got {
            *problem = bad_entry.to_owned();
        }
        assert_eq!(got, expected, "{what}");
        for serial in [FIRST, SECOND] {
            assert_eq!(opens(&wechat, &PLATFORM, serial, NOW), Err(NoticeFault::UnknownSerial), "{what}");
        }
    }
}

#[tokio::test]
async fn an_unknown_serial_is_learned_once_a_minute_at_most() {
    let provider = Provider::start().await;
    let clock = Still::at(NOW);
    let wechat = channel_at(&certificates_alone(&provider.base, None), Arc::clone(&clock));
    provider.will(by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM)])));
    assert!(wechat.learn_serial(FIRST).await);
    assert!(wechat.learn_serial(FIRST).await);
    assert_eq!(provider.seen().len(), 1, "what is known is not asked for");

    for _ in 0..20 {
        assert!(!wechat.learn_serial(SECOND).await);
    }
    for never in ["", "PUB_KEY_ID_0119", "drop table", &"A".repeat(65)] {
        clock.set(NOW + 3_600);
        assert!(!wechat.learn_serial(never).await, "{never}");
    }
    assert!(provider.seen().is_empty(), "strangers cannot make us ask");

    clock.set(NOW + 60);
    let both = list(&[entry(FIRST, &PLATFORM), entry(SECOND, &OLD_PLATFORM)]);
    provider.will(Reply::signed_by(&PLATFORM, FIRST, NOW + 60, 200, both));
    assert!(wechat.learn_serial(SECOND).await);
    assert_eq!(provider.seen().len(), 1);
    assert_eq!(opens(&wechat, &OLD_PLATFORM, SECOND, NOW + 60), Ok(()));
}

#[tokio::test]
async fn many_tasks_that_meet_the_same_unknown_serial_ask_once() {
    let provider = Provider::start().await;
    let wechat = channel(&certificates_alone(&provider.base, None));
    provider.will(by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM)])));
    let (a, b, c) = tokio::join!(wechat.learn_serial(FIRST), wechat.learn_serial(FIRST), wechat.learn_serial(FIRST));
    assert!(a && b && c);
    assert_eq!(provider.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_under_a_serial_of_tomorrow_is_proved_after_one_download() {
    let provider = Provider::start().await;
    let clock = Still::at(NOW);
    let wechat = channel_at(&certificates_alone(&provider.base, None), Arc::clone(&clock));
    // The very first call of a new installation: nothing is known yet.
    provider.will(by(&PLATFORM, FIRST, transaction("NOTPAY")));
    provider.will(by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM)])));
    assert_eq!(wechat.query(order()).await, Ok(Trade::NotPaid));
    let seen = provider.seen();
    assert_eq!((seen.len(), seen[1].target.as_str()), (2, "/v3/certificates"));
    assert!(seen.iter().all(|request| !request.has("Wechatpay-Serial")), "certificates are not asked for by name");

    let later = NOW + 3_600;
    clock.set(later);
    let both = list(&[entry(FIRST, &PLATFORM), entry(SECOND, &OLD_PLATFORM)]);
    provider.will(Reply::signed_by(&OLD_PLATFORM, SECOND, later, 200, transaction("NOTPAY")));
    provider.will(Reply::signed_by(&OLD_PLATFORM, SECOND, later, 200, both));
    assert_eq!(wechat.query(order()).await, Ok(Trade::NotPaid));
    assert_eq!(provider.seen().len(), 2);

    // Within the minute another unknown serial is refused without asking again.
    provider.will(Reply::signed_by(&STRANGER, "0A0B0C", later, 200, transaction("NOTPAY")));
    assert_eq!(
        wechat.query(order()).await,
        Err(ChannelError::Unknown("HTTP 200, not proved: unknown key serial".to_owned()))
    );
    provider.only_seen();
}

#[tokio::test]
async fn t33_while_keys_change_both_prove_and_each_message_chooses_by_its_serial() {
    let provider = Provider::start().await;
    // The public key was loaded by hand; the provider still signs much with its certificate.
    let mut settings = settings(&provider.base);
    settings.platform_keys.truncate(1);
    settings.download_certificates = true;
    let wechat = channel(&settings);
    provider.will(Reply::signed(200, list(&[entry(FIRST, &OLD_PLATFORM)])));
    assert_eq!(wechat.refresh_certificates().await, Ok(1));
    assert_eq!(provider.only_seen().header("Wechatpay-Serial"), SERIAL, "the key loaded by hand is asked for");
    for _ in 0..3 {
        assert_eq!(opens(&wechat, &PLATFORM, SERIAL, NOW), Ok(()));
        assert_eq!(opens(&wechat, &OLD_PLATFORM, FIRST, NOW), Ok(()));
        assert_eq!(opens(&wechat, &PLATFORM, FIRST, NOW), Err(NoticeFault::WrongSignature));
        assert_eq!(opens(&wechat, &OLD_PLATFORM, SERIAL, NOW), Err(NoticeFault::WrongSignature));
    }
}

#[tokio::test]
async fn t33_an_old_certificate_proves_until_it_ends_although_it_left_the_list() {
    let provider = Provider::start().await;
    let clock = Still::at(NOW);
    let wechat = channel_at(&certificates_alone(&provider.base, None), Arc::clone(&clock));
    let ending = entry_under(APIV3_KEY, FIRST, &OLD_PLATFORM, (2024, 2027));
    provider.will(by(&OLD_PLATFORM, FIRST, list(&[ending])));
    assert_eq!(wechat.refresh_certificates().await, Ok(1));
    provider.will(by(&OLD_PLATFORM, FIRST, list(&[entry(SECOND, &PLATFORM)])));
    assert_eq!(wechat.refresh_certificates().await, Ok(1));
    assert_eq!(opens(&wechat, &OLD_PLATFORM, FIRST, NOW), Ok(()));
    // 2027-01-01 00:00:00 UTC is its last second.
    let end = 1_798_761_600;
    clock.set(end);
    assert_eq!(opens(&wechat, &OLD_PLATFORM, FIRST, end), Ok(()));
    assert_eq!(opens(&wechat, &OLD_PLATFORM, FIRST, end + 1), Err(NoticeFault::UnknownSerial));
    assert_eq!(opens(&wechat, &PLATFORM, SECOND, end + 1), Ok(()));
}

#[tokio::test]
async fn a_serial_never_gets_another_key() {
    let provider = Provider::start().await;
    let wechat = channel(&certificates_alone(&provider.base, None));
    provider.will(by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM)])));
    assert_eq!(wechat.refresh_certificates().await, Ok(1));
    provider.will(by(&PLATFORM, FIRST, list(&[entry(FIRST, &STRANGER)])));
    assert_eq!(wechat.refresh_certificates().await, Ok(1));
    assert_eq!(opens(&wechat, &PLATFORM, FIRST, NOW), Ok(()));
    assert_eq!(opens(&wechat, &STRANGER, FIRST, NOW), Err(NoticeFault::WrongSignature));
}

#[tokio::test]
async fn kept_certificates_serve_after_a_restart_and_a_changed_file_serves_nothing() {
    let provider = Provider::start().await;
    let file = folder().join("wechat-certificates.json");
    let settings = certificates_alone(&provider.base, Some(&file));
    let wechat = channel(&settings);
    provider.will(by(&PLATFORM, FIRST, list(&[entry(FIRST, &PLATFORM)])));
    assert_eq!(wechat.refresh_certificates().await, Ok(1));
    assert_eq!(opens(&channel(&settings), &PLATFORM, FIRST, NOW), Ok(()));

    let kept = std::fs::read_to_string(&file).expect("kept");
    assert!(!kept.contains("BEGIN CERTIFICATE"), "sealed, as it came");
    let other = list(&[entry_under(b"another-key-of-thirty-two-bytes-", FIRST, &STRANGER, YEARS)]);
    for changed in [kept.replace("ciphertext\":\"", "ciphertext\":\"A"), other, "[]".to_owned(), String::new()] {
        std::fs::write(&file, &changed).expect("written");
        let again = channel(&settings);
        assert_eq!(opens(&again, &PLATFORM, FIRST, NOW), Err(NoticeFault::UnknownSerial), "{changed}");
        assert_eq!(opens(&again, &STRANGER, FIRST, NOW), Err(NoticeFault::UnknownSerial), "{changed}");
    }
}

#[tokio::test]
async fn without_downloads_nothing_is_asked() {
    let provider = Provider::start().await;
    let wechat = channel(&settings(&provider.base));
    assert!(wechat.learn_serial(SERIAL).await);
    assert!(!wechat.learn_serial(FIRST).await);
    assert_eq!(wechat.refresh_certificates().await, Err(CertificateFault::Off));
    assert!(provider.seen().is_empty());
}
