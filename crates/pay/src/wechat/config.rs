//! The settings of the channel and the key files they name, checked once at start-up.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::sign::{MerchantKey, PlatformKey, PlatformKeys, ResourceKey};

/// Table `[wechat]` of the configuration. Secrets are named by file and never stand in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeChatConfig {
    /// Where API v3 is: `https://api.mch.weixin.qq.com`, or the provider's other site.
    #[serde(default = "api_base")]
    pub api_base: String,
    /// Where the payer's browser finds the OAuth2 page.
    #[serde(default = "oauth_base")]
    pub oauth_base: String,
    /// Where a one-time code is exchanged for the payer's openid.
    #[serde(default = "token_base")]
    pub token_base: String,
    /// Application id of the official account.
    pub appid: String,
    /// Merchant id.
    pub mchid: String,
    /// File with the official account's AppSecret, one line.
    pub app_secret_file: PathBuf,
    /// Serial number of the merchant API certificate, hexadecimal.
    pub merchant_serial: String,
    /// File with the merchant API private key, PEM (`apiclient_key.pem`).
    pub merchant_key_file: PathBuf,
    /// File with the APIv3 key, 32 characters in one line.
    pub apiv3_key_file: PathBuf,
    /// The provider's keys. The first is the one that we ask the provider to sign with; while the provider changes keys,
    /// name the old one too, and keep it until no message used it for a week. May be empty when certificates are
    /// downloaded.
    #[serde(default)]
    pub platform_keys: Vec<PlatformKeyConfig>,
    /// Download the platform certificates and keep them fresh, beside `platform_keys` or instead of them.
    #[serde(default)]
    pub download_certificates: bool,
    /// Where downloaded certificates are kept; in memory alone when none is named.
    #[serde(default)]
    pub certificates_file: Option<PathBuf>,
    /// Our address for payment notices: https, no query, at most 255 characters.
    pub notify_url: String,
    /// Longest wait for a connection, in milliseconds.
    #[serde(default = "connect_ms")]
    pub connect_ms: u64,
    /// Longest wait for a whole answer, in milliseconds.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
}

/// One key of the provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformKeyConfig {
    /// `PUB_KEY_ID_...` as the merchant portal shows it, or the hexadecimal serial number of a platform certificate.
    pub serial: String,
    /// File with the public key or the platform certificate, PEM.
    pub public_key_file: PathBuf,
}

fn api_base() -> String {
    "https://api.mch.weixin.qq.com".to_owned()
}

fn oauth_base() -> String {
    "https://open.weixin.qq.com".to_owned()
}

fn token_base() -> String {
    "https://api.weixin.qq.com".to_owned()
}

fn connect_ms() -> u64 {
    3_000
}

/// Shorter than a page may take, so that a holder is told what a silent provider means.
fn deadline_ms() -> u64 {
    8_000
}

/// What is wrong with the settings, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// A value cannot be used.
    #[error("wechat.{field} {problem}")]
    Setting {
        /// Its name in the table.
        field: &'static str,
        /// What is wrong and what to write.
        problem: &'static str,
    },
    /// A file cannot be read.
    #[error("wechat.{field}: cannot read {}; see that the file exists and that this user may read it", path.display())]
    File {
        /// The setting that names the file.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("wechat.{field}: {} is not usable: {problem}; {fix}", path.display())]
    Content {
        /// The setting that names the file.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to put there.
        fix: &'static str,
    },
    /// The HTTP client cannot be made, usually because the system has no root certificates.
    #[error("cannot prepare HTTPS to WeChat: {0}; is the package ca-certificates installed?")]
    Https(String),
}

/// That platform certificates are downloaded.
pub(super) struct Download {
    /// Where they are kept; `None` for memory alone.
    pub file: Option<PathBuf>,
}

/// The settings with all keys read and every value checked. Prints nothing of itself: most of it is secret.
pub struct Merchant {
    pub(super) api_base: Url,
    pub(super) oauth_base: Url,
    pub(super) token_base: Url,
    pub(super) appid: String,
    pub(super) mchid: String,
    pub(super) app_secret: Zeroizing<String>,
    pub(super) key: MerchantKey,
    pub(super) resource_key: ResourceKey,
    pub(super) platform: PlatformKeys,
    pub(super) certificates: Option<Download>,
    pub(super) notify_url: String,
    pub(super) connect: Duration,
    pub(super) deadline: Duration,
}

impl WeChatConfig {
    /// Reads the key files and checks everything that can be checked without the provider.
    ///
    /// Shape: relative file names count from the process's folder; make them absolute first if they should not.
    /// Errors: the first fault in the order of the fields. Repeats: reads the files again.
    pub fn load(&self) -> Result<Merchant, ConfigFault> {
        let api_base = base("api_base", &self.api_base)?;
        let oauth_base = base("oauth_base", &self.oauth_base)?;
        let token_base = base("token_base", &self.token_base)?;
        check("appid", is_name(&self.appid), "must have 1 to 32 letters and digits, such as wx8888888888888888")?;
        check("mchid", is_name(&self.mchid), "must have 1 to 32 digits, such as 1900000001")?;
        let app_secret = self.app_secret()?;
        let serial = hexadecimal(&self.merchant_serial).ok_or(ConfigFault::Setting {
            field: "merchant_serial",
            problem: "must be hexadecimal digits: copy the certificate's serial number from the merchant portal",
        })?;
        let key = self.merchant_key(&serial)?;
        let resource_key = self.resource_key()?;
        let platform = self.platform(&key)?;
        check("notify_url", is_notify_url(&self.notify_url), "must be https without ? and #, at most 255 characters")?;
        let in_range = |millis: u64| (1..=60_000).contains(&millis);
        check("connect_ms", in_range(self.connect_ms), "must lie in 1..=60000")?;
        check("deadline_ms", in_range(self.deadline_ms), "must lie in 1..=60000")?;
        Ok(Merchant {
            api_base,
            oauth_base,
            token_base,
            appid: self.appid.clone(),
            mchid: self.mchid.clone(),
            app_secret,
            key,
            resource_key,
            platform,
            certificates: self.download_certificates.then(|| Download { file: self.certificates_file.clone() }),
            notify_url: self.notify_url.clone(),
            connect: Duration::from_millis(self.connect_ms),
            deadline: Duration::from_millis(self.deadline_ms),
        })
    }

    fn app_secret(&self) -> Result<Zeroizing<String>, ConfigFault> {
        let (field, path) = ("app_secret_file", &self.app_secret_file);
        let bytes = one_line(field, path)?;
        let fix = "put the AppSecret of the official account there, one line";
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Ok(Zeroizing::new(text.to_owned()))
            }
            Ok(_) | Err(_) => Err(content(field, path, "it must be letters and digits", fix)),
        }
    }

    fn merchant_key(&self, serial: &str) -> Result<MerchantKey, ConfigFault> {
        let (field, path) = ("merchant_key_file", &self.merchant_key_file);
        let pem = read(field, path)?;
        let fix = "use apiclient_key.pem from the merchant portal";
        let key = MerchantKey::from_pem(serial, &pem).map_err(|fault| content(field, path, fault, fix))?;
        key.sign(b"start-up").map_err(|fault| content(field, path, fault, fix))?;
        Ok(key)
    }

    fn resource_key(&self) -> Result<ResourceKey, ConfigFault> {
        let (field, path) = ("apiv3_key_file", &self.apiv3_key_file);
        let bytes = one_line(field, path)?;
        <&[u8; 32]>::try_from(bytes.as_slice()).ok().and_then(ResourceKey::new).ok_or_else(|| {
            let problem = format!("it has {} bytes instead of 32", bytes.len());
            content(field, path, problem, "put the APIv3 key set in the merchant portal there, one line")
        })
    }

    fn platform(&self, merchant: &MerchantKey) -> Result<PlatformKeys, ConfigFault> {
        let field = "platform_keys";
        let mut seen = BTreeSet::new();
        let mut keys = Vec::new();
        for PlatformKeyConfig { serial, public_key_file: path } in &self.platform_keys {
            let id = platform_key_id(serial).ok_or(ConfigFault::Setting {
                field,
                problem: "has a serial that is neither PUB_KEY_ID_... nor hexadecimal digits",
            })?;
            let fix = "use pub_key.pem (or the platform certificate) from the merchant portal";
            let key =
                PlatformKey::from_pem(&id, &read(field, path)?).map_err(|fault| content(field, path, fault, fix))?;
            if key.belongs_to(merchant) {
                // Else whoever holds our key could forge the provider's notices, and real ones would be refused.
                return Err(content(field, path, "it is the merchant's own key", fix));
            }
            check(field, seen.insert(id), "names the same serial twice")?;
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        match keys.next() {
            Some(preferred) => Ok(PlatformKeys::new(preferred, keys)),
            None if self.download_certificates => Ok(PlatformKeys::default()),
            None => Err(ConfigFault::Setting {
                field,
                problem: "is empty: name the WeChat Pay public key (serial and file), or set download_certificates",
            }),
        }
    }
}

fn check(field: &'static str, good: bool, problem: &'static str) -> Result<(), ConfigFault> {
    if good { Ok(()) } else { Err(ConfigFault::Setting { field, problem }) }
}

fn content(field: &'static str, path: &Path, problem: impl ToString, fix: &'static str) -> ConfigFault {
    ConfigFault::Content { field, path: path.to_owned(), problem: problem.to_string(), fix }
}

fn read(field: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigFault> {
    fs::read(path).map(Zeroizing::new).map_err(|source| ConfigFault::File { field, path: path.to_owned(), source })
}

/// The file without blanks and line ends around.
fn one_line(field: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigFault> {
    let bytes = read(field, path)?;
    Ok(Zeroizing::new(bytes.trim_ascii().to_vec()))
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A serial number as the provider writes it: hexadecimal digits in capitals.
pub(super) fn hexadecimal(text: &str) -> Option<String> {
    let good = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_ascii_uppercase())
}

fn platform_key_id(text: &str) -> Option<String> {
    match text.strip_prefix("PUB_KEY_ID_") {
        Some(rest) => {
            let good = (1..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
            good.then(|| text.to_owned())
        }
        None => hexadecimal(text),
    }
}

/// https anywhere; http only to this machine, for the provider simulator.
fn safe_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let safe = match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => is_this_machine(&url),
        _ => false,
    };
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (safe && plain).then_some(url)
}

pub(super) fn is_this_machine(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

fn base(field: &'static str, text: &str) -> Result<Url, ConfigFault> {
    safe_url(text).ok_or(ConfigFault::Setting {
        field,
        problem: "must be an https address without ? and # (http only on 127.0.0.1), such as https://api.mch.weixin.qq.com",
    })
}

fn is_notify_url(text: &str) -> bool {
    text.len() <= 255 && safe_url(text).is_some()
}
