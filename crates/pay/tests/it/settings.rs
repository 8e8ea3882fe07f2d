//! Settings and key files: each fault is named, with what to do.

use std::path::PathBuf;

use pay::wechat::{PlatformKeyConfig, WeChatConfig};

use crate::desk::{MERCHANT, PLATFORM, SECRET, channel, folder, pem, private_der, public_der, settings, write};
use crate::signatures::certificate;

fn fault(change: impl FnOnce(&mut WeChatConfig)) -> String {
    let mut settings = settings("https://api.mch.weixin.qq.com");
    change(&mut settings);
    settings.load().err().map(|fault| fault.to_string()).unwrap_or_default()
}

type Change = Box<dyn FnOnce(&mut WeChatConfig)>;

fn file(content: &str) -> PathBuf {
    write(&folder(), "file", content)
}

#[test]
fn good_settings_load() {
    assert_eq!(fault(|_| ()), "");
    // A platform certificate does as well as a public key, if it is the one that its serial number names.
    let loads = |serial: &str| {
        let file = write(&folder(), "cert.pem", certificate(&PLATFORM, &[0x7C, 0x26, 0xE1]));
        let serial = serial.to_owned();
        fault(|settings| settings.platform_keys = vec![PlatformKeyConfig { serial, public_key_file: file }])
    };
    assert_eq!(loads("7c26e1"), "");
    assert!(loads("7c26e2").contains("another serial number"));
    // The real provider is never called here, but the way to it can be prepared.
    let _ = channel(&settings("https://api.mch.weixin.qq.com"));
}

#[test]
fn every_wrong_setting_is_named() {
    let table: Vec<(&str, Change)> = vec![
        ("api_base", Box::new(|settings| settings.api_base = "http://api.mch.weixin.qq.com".to_owned())),
        ("api_base", Box::new(|settings| settings.api_base = "http://127.0.0.1.example.com".to_owned())),
        ("api_base", Box::new(|settings| settings.api_base = "https://a/?x=1".to_owned())),
        ("api_base", Box::new(|settings| settings.api_base = "https://user:word@a/".to_owned())),
        ("api_base", Box::new(|settings| settings.api_base = "api.mch.weixin.qq.com".to_owned())),
        ("oauth_base", Box::new(|settings| settings.oauth_base = "https://a/#x".to_owned())),
        ("oauth_base", Box::new(|settings| settings.oauth_base = "javascript:alert(1)".to_owned())),
        ("token_base", Box::new(|settings| settings.token_base = "http://10.0.0.1".to_owned())),
        ("appid", Box::new(|settings| settings.appid = String::new())),
        ("appid", Box::new(|settings| settings.appid = "wx\"8".to_owned())),
        ("mchid", Box::new(|settings| settings.mchid = "1900000001\n".to_owned())),
        ("mchid", Box::new(|settings| settings.mchid = "1".repeat(33))),
        ("merchant_serial", Box::new(|settings| settings.merchant_serial = "51:57".to_owned())),
        ("platform_keys", Box::new(|settings| settings.platform_keys.clear())),
        ("platform_keys", Box::new(|settings| settings.platform_keys[1] = settings.platform_keys[0].clone())),
        ("platform_keys", Box::new(|settings| settings.platform_keys[0].serial = "PUB_KEY_ID_".to_owned())),
        ("platform_keys", Box::new(|settings| settings.platform_keys[0].serial = "key one".to_owned())),
        ("notify_url", Box::new(|settings| settings.notify_url = "https://a.example/n?x=1".to_owned())),
        ("notify_url", Box::new(|settings| settings.notify_url = "http://a.example/n".to_owned())),
        ("notify_url", Box::new(|settings| settings.notify_url = format!("https://a.example/{}", "n".repeat(255)))),
        ("connect_ms", Box::new(|settings| settings.connect_ms = 0)),
        ("deadline_ms", Box::new(|settings| settings.deadline_ms = 60_001)),
    ];
    for (field, change) in table {
        let text = fault(change);
        assert!(text.starts_with(&format!("wechat.{field} ")), "{field}: {text:?}");
    }
}

#[test]
fn every_wrong_file_is_named_with_what_to_put_there() {
    let own = file(&pem("PUBLIC KEY", &public_der(&MERCHANT)));
    let table: Vec<(&str, &str, Change)> = vec![
        ("app_secret_file", "see that the file exists", Box::new(|it| it.app_secret_file = "nowhere/secret".into())),
        ("app_secret_file", "AppSecret", Box::new(|it| it.app_secret_file = file(" \n"))),
        ("app_secret_file", "AppSecret", Box::new(|it| it.app_secret_file = file("two\nlines"))),
        ("merchant_key_file", "see that the file exists", Box::new(|it| it.merchant_key_file = folder())),
        ("merchant_key_file", "apiclient_key.pem", Box::new(|it| it.merchant_key_file = file("hello"))),
        ("merchant_key_file", "of another kind", {
            Box::new(|it| it.merchant_key_file = file(&pem("PUBLIC KEY", &public_der(&PLATFORM))))
        }),
        ("apiv3_key_file", "31 bytes instead of 32", Box::new(|it| it.apiv3_key_file = file(&"k".repeat(31)))),
        ("apiv3_key_file", "33 bytes instead of 32", Box::new(|it| it.apiv3_key_file = file(&"k".repeat(33)))),
        ("platform_keys", "see that the file exists", {
            Box::new(|it| it.platform_keys[1].public_key_file = "nowhere/pub_key.pem".into())
        }),
        ("platform_keys", "of another kind", {
            Box::new(|it| it.platform_keys[1].public_key_file = file(&pem("PRIVATE KEY", &private_der(&PLATFORM))))
        }),
        ("platform_keys", "not an RSA key", {
            let curve = rcgen::KeyPair::generate().expect("a P-256 key").public_key_pem();
            Box::new(move |it| it.platform_keys[0].public_key_file = file(&curve))
        }),
        ("platform_keys", "the merchant's own key", Box::new(move |it| it.platform_keys[0].public_key_file = own)),
    ];
    for (field, words, change) in table {
        let text = fault(change);
        assert!(text.starts_with(&format!("wechat.{field}: ")) && text.contains(words), "{field}, {words}: {text:?}");
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn an_unknown_or_missing_setting_is_an_error_and_addresses_have_defaults() {
    let full = r#"{"appid":"wx1","mchid":"1","app_secret_file":"a","merchant_serial":"AB","merchant_key_file":"b",
        "apiv3_key_file":"c","platform_keys":[{"serial":"PUB_KEY_ID_1","public_key_file":"d"}],"notify_url":"https://a/n"}"#;
    let read = |text: &str| serde_json::from_str::<WeChatConfig>(text).map_err(|error| error.to_string());
    let settings = read(full).expect("settings");
    assert_eq!(settings.api_base, "https://api.mch.weixin.qq.com");
    assert_eq!(settings.oauth_base, "https://open.weixin.qq.com");
    assert_eq!(settings.token_base, "https://api.weixin.qq.com");
    assert!(settings.connect_ms < settings.deadline_ms);
    let unknown = read(&full.replace("\"appid\"", "\"app_secret\":\"x\",\"appid\"")).expect_err("unknown");
    assert!(unknown.contains("unknown field `app_secret`"), "{unknown}");
    let missing = read(&full.replace("\"mchid\":\"1\",", "")).expect_err("missing");
    assert!(missing.contains("missing field `mchid`"), "{missing}");
}
