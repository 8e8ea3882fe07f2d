use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a sandbox is told in its configuration file (TOML); secrets and keys are named by file.
///
/// Shape: file names are relative to the folder of the configuration file. A key that is not listed here is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address at which browsers and the platform under test reach this sandbox, without a path:
    /// `http://127.0.0.1:8081`.
    pub address: String,
    /// The folder that keeps orders and notices over a restart; without it they live in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// How many times faster than the provider's real schedule a notice is repeated and a refund arrives; 1 is the real
    /// one.
    #[serde(default = "real_speed")]
    pub retry_speed: u32,
    /// Where a browser may be sent back to: `host` (any port) or `host:port`.
    #[serde(default)]
    pub allowed_redirect_hosts: Vec<String>,
    /// WeChat Pay and the official account.
    pub wechat: WechatConfig,
}

/// The WeChat part of [`Config`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WechatConfig {
    /// The name that the cashier page shows to the payer.
    pub merchant_name: String,
    /// The merchant number, digits.
    pub mchid: String,
    /// The official account's id.
    pub appid: String,
    /// File with the official account's secret.
    pub app_secret_file: PathBuf,
    /// File with the APIv3 key: 32 characters.
    pub apiv3_key_file: PathBuf,
    /// Serial number of the merchant's API certificate, in hex.
    pub merchant_serial: String,
    /// PEM file that checks the merchant's signatures: its API certificate or its bare public key.
    pub merchant_key_file: PathBuf,
    /// Name of the platform's public key, `PUB_KEY_ID_` and digits.
    pub platform_key_id: String,
    /// PEM file (PKCS#8) of the private key that signs answers and notices.
    pub platform_private_key_file: PathBuf,
    /// What the platform keeps of a payment, in hundredths of a percent: 60 is 0.60 %.
    #[serde(default = "usual_fee")]
    pub fee_per_ten_thousand: u32,
    /// The platform's certificates, the one in use first; none where the merchant only knows the public key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platform_certificates: Vec<PlatformCertificateConfig>,
}

/// One platform certificate in [`WechatConfig`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformCertificateConfig {
    /// PEM file of the certificate.
    pub certificate_file: PathBuf,
    /// PEM file (PKCS#8) of its private key.
    pub private_key_file: PathBuf,
}

fn usual_fee() -> u32 {
    60
}

fn real_speed() -> u32 {
    1
}

/// A configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is missing or may not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration file is not TOML of the expected shape.
    #[error("{} is not a sandbox configuration", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
}

/// A configuration with all its secrets and keys in memory: all that [`crate::Sandbox::new`] needs.
///
/// It has no `Debug` and is never logged.
#[derive(Clone)]
pub struct Setup {
    /// As in [`Config`].
    pub address: String,
    /// As in [`Config`], but resolved.
    pub folder: Option<PathBuf>,
    /// As in [`Config`].
    pub retry_speed: u32,
    /// As in [`Config`].
    pub allowed_redirect_hosts: Vec<String>,
    /// The tour that leads to the operator's pages; none where the sandbox stands alone.
    pub tour: Option<Tour>,
    /// WeChat Pay and the official account.
    pub wechat: WechatSetup,
}

/// Who sends people to the operator's pages, and wants them back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tour {
    /// Its page; a link to it stands on every one of the operator's pages.
    pub address: String,
    /// What it has to say beside the bills, in Chinese and in English.
    pub beside_bills: (&'static str, &'static str),
}

/// The WeChat part of [`Setup`].
#[derive(Clone)]
pub struct WechatSetup {
    /// As in [`WechatConfig`].
    pub merchant_name: String,
    /// As in [`WechatConfig`].
    pub mchid: String,
    /// As in [`WechatConfig`].
    pub appid: String,
    /// The official account's secret.
    pub app_secret: String,
    /// The APIv3 key: 32 characters.
    pub apiv3_key: String,
    /// As in [`WechatConfig`].
    pub merchant_serial: String,
    /// The merchant's certificate or public key, PEM.
    pub merchant_key_pem: String,
    /// As in [`WechatConfig`].
    pub platform_key_id: String,
    /// The platform's private key, PKCS#8 PEM.
    pub platform_private_key_pem: String,
    /// As in [`WechatConfig`].
    pub fee_per_ten_thousand: u32,
    /// As in [`WechatConfig`].
    pub platform_certificates: Vec<PlatformCertificate>,
}

/// One platform certificate in [`WechatSetup`].
#[derive(Clone)]
pub struct PlatformCertificate {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// Its private key, PKCS#8 PEM.
    pub private_key_pem: String,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// Errors, in order: `Unreadable`, `Malformed`.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = read(path)?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Malformed { path: path.to_owned(), source: Box::new(source) })
    }

    /// Reads the files that this configuration names.
    ///
    /// Shape: `base` is the folder of the configuration file.
    /// Errors: `Unreadable` with the first file that cannot be read. What is inside is judged by
    /// [`crate::Sandbox::new`].
    pub fn load(&self, base: &Path) -> Result<Setup, ConfigError> {
        let wechat = &self.wechat;
        let secret = |name: &Path| read(&base.join(name)).map(|text| text.trim().to_owned());
        let certificate = |one: &PlatformCertificateConfig| {
            Ok(PlatformCertificate {
                certificate_pem: read(&base.join(&one.certificate_file))?,
                private_key_pem: secret(&one.private_key_file)?,
            })
        };
        Ok(Setup {
            address: self.address.clone(),
            folder: self.folder.as_ref().map(|folder| base.join(folder)),
            retry_speed: self.retry_speed,
            allowed_redirect_hosts: self.allowed_redirect_hosts.clone(),
            tour: None,
            wechat: WechatSetup {
                merchant_name: wechat.merchant_name.clone(),
                mchid: wechat.mchid.clone(),
                appid: wechat.appid.clone(),
                app_secret: secret(&wechat.app_secret_file)?,
                apiv3_key: secret(&wechat.apiv3_key_file)?,
                merchant_serial: wechat.merchant_serial.clone(),
                merchant_key_pem: secret(&wechat.merchant_key_file)?,
                platform_key_id: wechat.platform_key_id.clone(),
                platform_private_key_pem: secret(&wechat.platform_private_key_file)?,
                fee_per_ten_thousand: wechat.fee_per_ten_thousand,
                platform_certificates: wechat
                    .platform_certificates
                    .iter()
                    .map(certificate)
                    .collect::<Result<_, ConfigError>>()?,
            },
        })
    }
}

pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}
