//! A merchant with fresh keys, a clock that stands still and settings that point to the provider of a test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flows::ports::{Clock, Entropy, OrderNo, PrepayWish, RefundNo, RefundWish, Scene};
use ledger::{Fen, Micros};
use pay::wechat::{PlatformKeyConfig, WeChatConfig, WeChatPay};

pub const APPID: &str = "wx8888888888888888";
pub const MCHID: &str = "1900000001";
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const APIV3_KEY: &[u8; 32] = b"thirty-two-characters-of-APIv3-k";
pub const MERCHANT_SERIAL: &str = "5157F09EFDC096DE15EBE81A47057A72";
/// The key in use, and the one before it.
pub const SERIAL: &str = "PUB_KEY_ID_0119000000012026110100000001";
pub const OLD_SERIAL: &str = "7C26E1F0A3B4C5D6E7F8091A2B3C4D5E6F708192";
/// 2026-11-24 00:00:00 +08:00.
pub const NOW: i64 = 1_795_449_600;
pub const ORDER: &str = "261124000000000112345678";
pub const REFUND: &str = "R261124000000000187654321";
pub const TRANSACTION: &str = "1217752501201407033233368018";
pub const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

/// Keys are slow to make: once for all tests.
pub static MERCHANT: LazyLock<RsaPair> = LazyLock::new(fresh);
pub static PLATFORM: LazyLock<RsaPair> = LazyLock::new(fresh);
pub static OLD_PLATFORM: LazyLock<RsaPair> = LazyLock::new(fresh);
pub static STRANGER: LazyLock<RsaPair> = LazyLock::new(fresh);

fn fresh() -> RsaPair {
    RsaPair::generate(KeySize::Rsa2048).expect("a key")
}

pub fn private_der(key: &RsaPair) -> Vec<u8> {
    AsDer::<Pkcs8V1Der>::as_der(key).expect("PKCS#8").as_ref().to_vec()
}

pub fn public_der(key: &RsaPair) -> Vec<u8> {
    AsDer::<PublicKeyX509Der>::as_der(key.public_key()).expect("SubjectPublicKeyInfo").as_ref().to_vec()
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Base64 of the RSA-SHA256 signature over `text`.
pub fn sign(key: &RsaPair, text: &[u8]) -> String {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).expect("a signature");
    STANDARD.encode(signature)
}

pub fn fits(key: &RsaPair, text: &[u8], signature: &str) -> bool {
    let signature = STANDARD.decode(signature).expect("Base64");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_der(key)).verify(text, &signature).is_ok()
}

/// A clock that stands still until a test moves it.
pub struct Still(AtomicI64);

impl Still {
    pub fn at(seconds: i64) -> Arc<Still> {
        Arc::new(Still(AtomicI64::new(seconds)))
    }

    pub fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for Still {
    fn now(&self) -> Micros {
        Micros::from_seconds(self.0.load(Ordering::SeqCst))
    }
}

/// Counts instead of drawing: no two fills are the same.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = count[index % count.len()];
        }
    }
}

/// A new folder below the build's own folder for test files.
pub fn folder() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("pay-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

/// Good settings with all files; `base` is where the provider listens.
pub fn settings(base: &str) -> WeChatConfig {
    let folder = folder();
    WeChatConfig {
        api_base: base.to_owned(),
        oauth_base: "https://open.weixin.qq.com".to_owned(),
        token_base: base.to_owned(),
        appid: APPID.to_owned(),
        mchid: MCHID.to_owned(),
        app_secret_file: write(&folder, "app-secret", format!("{SECRET}\n")),
        merchant_serial: MERCHANT_SERIAL.to_lowercase(),
        merchant_key_file: write(&folder, "apiclient_key.pem", pem("PRIVATE KEY", &private_der(&MERCHANT))),
        apiv3_key_file: write(&folder, "apiv3-key", [APIV3_KEY.as_slice(), b"\r\n"].concat()),
        platform_keys: vec![
            PlatformKeyConfig {
                serial: SERIAL.to_owned(),
                public_key_file: write(&folder, "pub_key.pem", pem("PUBLIC KEY", &public_der(&PLATFORM))),
            },
            PlatformKeyConfig {
                serial: OLD_SERIAL.to_lowercase(),
                public_key_file: write(&folder, "old.pem", pem("PUBLIC KEY", &public_der(&OLD_PLATFORM))),
            },
        ],
        download_certificates: false,
        certificates_file: None,
        notify_url: "https://card.example.edu.cn/notify/wechat".to_owned(),
        connect_ms: 2_000,
        deadline_ms: 5_000,
    }
}

pub fn channel(settings: &WeChatConfig) -> WeChatPay {
    channel_at(settings, Still::at(NOW))
}

pub fn channel_at(settings: &WeChatConfig, clock: Arc<Still>) -> WeChatPay {
    let merchant = settings.load().unwrap_or_else(|fault| panic!("{fault}"));
    let entropy = Arc::new(Counting(AtomicU64::new(1)));
    WeChatPay::new(merchant, clock, entropy).unwrap_or_else(|fault| panic!("{fault}"))
}

pub fn order() -> OrderNo {
    OrderNo::parse(ORDER).expect("24 digits")
}

pub fn wish() -> PrepayWish {
    PrepayWish {
        order: order(),
        amount: Fen::new(5000),
        description: "校园卡充值 \"50\" 元".to_owned(),
        scene: Scene::InWeChat { openid: OPENID.to_owned() },
        // The provider counts in seconds: the fraction falls away.
        expires_at: Micros::new((NOW + 900) * 1_000_000 + 999_999),
    }
}

pub fn refund() -> RefundNo {
    RefundNo::parse(REFUND).expect("R and 24 digits")
}

pub fn refund_wish() -> RefundWish {
    RefundWish {
        refund: refund(),
        transaction: TRANSACTION.to_owned(),
        amount: Fen::new(2000),
        total: Fen::new(5000),
        reason: "销户退款".to_owned(),
    }
}
