use ledger::Micros;
use sandbox::{Choice, Config, KeyError, KeySet, MerchantSide, Sandbox, StartError, WechatKeysError, generate};
use x509_parser::pem::parse_x509_pem;

use crate::merchant::{Merchant, START, setup};
use crate::restart::Folder;

fn fresh() -> KeySet {
    let choice = Choice {
        address: "http://127.0.0.1:8081".into(),
        folder: Some("state".into()),
        retry_speed: 60,
        allowed_redirect_hosts: vec!["127.0.0.1:8080".into(), "school.example".into()],
        merchant_name: "示范大学\"一卡通\"".into(),
    };
    generate(&choice, Micros::from_seconds(START)).expect("keys")
}

#[tokio::test]
async fn a_written_set_is_read_back_and_both_sides_understand_each_other() {
    let (folder, keys) = (Folder::new("keys"), fresh());
    keys.write(folder.path()).expect("written");

    let config = Config::read(&folder.path().join("sandbox.toml")).expect("a configuration");
    assert_eq!(config.retry_speed, 60);
    assert_eq!(config.allowed_redirect_hosts, ["127.0.0.1:8080", "school.example"]);
    let read = config.load(folder.path()).expect("the files");
    assert_eq!(read.folder.as_deref(), Some(folder.path().join("state").as_path()));
    assert_eq!(read.wechat.merchant_name, "示范大学\"一卡通\"");

    let side = MerchantSide::read(&folder.path().join("merchant")).expect("the merchant's files");
    assert_eq!(side.apiv3_key, keys.merchant.apiv3_key);
    let merchant = Merchant { side, ..Merchant::with(read) };
    merchant.created(&merchant.order("KEYS000001")).await;
    assert!(matches!(keys.write(folder.path()), Err(KeyError::Exists(_))), "keys were replaced");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("modes");
    fresh().write(folder.path()).expect("written");
    let mut seen = 0;
    for folder in [folder.path().to_owned(), folder.path().join("merchant")] {
        assert_eq!(folder.metadata().expect("a folder").permissions().mode() & 0o777, 0o700);
        for entry in folder.read_dir().expect("a folder") {
            let entry = entry.expect("an entry");
            let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
            assert!(entry.path().is_dir() || mode == 0o600, "{}: {mode:o}", entry.path().display());
            seen += 1;
        }
    }
    assert_eq!(seen, 16, "nine files and a folder of the sandbox, six files of the merchant");
}

#[test]
fn the_merchants_certificate_carries_its_serial_number_and_its_years() {
    let keys = fresh();
    let (_, pem) = parse_x509_pem(keys.merchant.merchant_certificate_pem.as_bytes()).expect("PEM");
    let certificate = pem.parse_x509().expect("a certificate");
    let serial: String = certificate.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(serial, keys.merchant.merchant_serial);
    assert_eq!(serial.len(), 40);
    let validity = certificate.validity();
    assert!(validity.not_before.timestamp() < START && validity.not_after.timestamp() > START + 5 * 365 * 86_400);
    assert!(keys.merchant.platform_key_id.starts_with("PUB_KEY_ID_0000"));
    assert_eq!(keys.merchant.platform_key_id.len(), "PUB_KEY_ID_".len() + 28);
    assert_eq!(keys.merchant.apiv3_key.len(), 32);
}

#[tokio::test]
async fn the_merchants_bare_public_key_serves_as_well_as_its_certificate() {
    let mut setup = setup();
    let (_, pem) = parse_x509_pem(setup.wechat.merchant_key_pem.as_bytes()).expect("PEM");
    let certificate = pem.parse_x509().expect("a certificate");
    let spki = x509_parser::pem::Pem { label: "PUBLIC KEY".into(), contents: certificate.public_key().raw.to_vec() };
    setup.wechat.merchant_key_pem = written(&spki);
    let merchant = Merchant::with(setup);
    merchant.created(&merchant.order("KEYS000002")).await;
}

#[test]
fn a_key_that_cannot_be_used_stops_the_start() {
    let spoil = |change: fn(&mut sandbox::WechatSetup)| {
        let mut setup = setup();
        change(&mut setup.wechat);
        match Sandbox::new(setup) {
            Err(StartError::Wechat(error)) => error,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started"),
        }
    };
    assert_eq!(spoil(|wechat| wechat.merchant_key_pem.clear()), WechatKeysError::MerchantKey);
    assert!(matches!(spoil(|wechat| wechat.merchant_serial = "5F".into()), WechatKeysError::MerchantSerial { .. }));
    assert_eq!(spoil(|wechat| wechat.platform_private_key_pem.clear()), WechatKeysError::PlatformKey);
    assert_eq!(spoil(|wechat| wechat.platform_key_id = "5F00".into()), WechatKeysError::PlatformKeyId);
    assert_eq!(spoil(|wechat| wechat.apiv3_key.truncate(31)), WechatKeysError::Apiv3Key);
}

#[test]
fn an_unknown_key_of_the_configuration_is_an_error() {
    let folder = Folder::new("unknown-key");
    fresh().write(folder.path()).expect("written");
    let path = folder.path().join("sandbox.toml");
    let text = std::fs::read_to_string(&path).expect("text");
    std::fs::write(&path, text.replace("retry_speed", "retry_sped")).expect("written");
    assert!(matches!(Config::read(&path), Err(sandbox::ConfigError::Malformed { .. })));
    assert!(matches!(Config::read(&folder.path().join("none.toml")), Err(sandbox::ConfigError::Unreadable { .. })));
}

fn written(pem: &x509_parser::pem::Pem) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(&pem.contents);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {0}-----\n{1}\n-----END {0}-----\n", pem.label, lines.join("\n"))
}
