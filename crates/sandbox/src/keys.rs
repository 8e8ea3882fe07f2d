//! A complete fresh set of keys: what the merchant would download from the portal, and the platform's other half.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::Micros;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber, date_time_ymd};
use serde::{Deserialize, Serialize};

use crate::config::{
    Config, ConfigError, PlatformCertificate, PlatformCertificateConfig, Setup, WechatConfig, WechatSetup, read,
};
use crate::{beijing, random};

/// What a person chooses about a new sandbox; all else is drawn at random.
#[derive(Clone, Debug)]
pub struct Choice {
    /// As in [`Config`].
    pub address: String,
    /// As in [`Config`].
    pub folder: Option<PathBuf>,
    /// As in [`Config`].
    pub retry_speed: u32,
    /// As in [`Config`].
    pub allowed_redirect_hosts: Vec<String>,
    /// As in [`WechatConfig`].
    pub merchant_name: String,
}

/// Both halves of one fresh set of keys. It has no `Debug` and is never logged.
pub struct KeySet {
    /// The sandbox's own half.
    pub setup: Setup,
    /// What the platform under test is configured with.
    pub merchant: MerchantSide,
}

/// What a merchant holds after joining: its own keys and the platform's public key.
#[derive(Clone)]
pub struct MerchantSide {
    /// The address of the sandbox; stands for the hosts of the API and of OAuth.
    pub address: String,
    /// The merchant number.
    pub mchid: String,
    /// The official account's id.
    pub appid: String,
    /// The official account's secret.
    pub app_secret: String,
    /// The APIv3 key: 32 characters.
    pub apiv3_key: String,
    /// Serial number of the merchant's certificate, upper-case hex.
    pub merchant_serial: String,
    /// The private key that signs requests, PKCS#8 PEM.
    pub merchant_private_key_pem: String,
    /// The certificate of that key, PEM.
    pub merchant_certificate_pem: String,
    /// Name of the platform's public key.
    pub platform_key_id: String,
    /// The public key that checks answers and notices, PEM.
    pub platform_public_key_pem: String,
}

/// A set of keys could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The crypto library could not make or encode an RSA key.
    #[error("no RSA key could be made")]
    Key,
    /// The merchant's certificate could not be made.
    #[error("no certificate could be made")]
    Certificate(#[from] rcgen::Error),
    /// A file is there already: keys are never replaced silently.
    #[error("{} exists; choose an empty folder or remove the old keys first", .0.display())]
    Exists(PathBuf),
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the set could not be read back.
    #[error(transparent)]
    Unreadable(#[from] ConfigError),
    /// The merchant's summary is not of the expected shape.
    #[error("{} is not a merchant summary", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
}

/// The plain facts of a [`MerchantSide`], as `merchant.toml` holds them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MerchantFacts {
    address: String,
    mchid: String,
    appid: String,
    merchant_serial: String,
    platform_key_id: String,
}

const CERTIFICATE_YEARS: i32 = 5;
const SANDBOX_FILE: &str = "sandbox.toml";
const MERCHANT_FOLDER: &str = "merchant";
const APP_SECRET: &str = "app_secret.txt";
const APIV3_KEY: &str = "apiv3_key.txt";
const MERCHANT_CERTIFICATE: &str = "merchant_certificate.pem";
const MERCHANT_PRIVATE_KEY: &str = "merchant_private_key.pem";
const PLATFORM_PRIVATE_KEY: &str = "platform_private_key.pem";
const PLATFORM_PUBLIC_KEY: &str = "platform_public_key.pem";
/// What a school pays for a payment where nothing else was agreed: 0.60 %.
const FEE_PER_TEN_THOUSAND: u32 = 60;
/// One in use and one to change to.
const PLATFORM_CERTIFICATES: usize = 2;
const MERCHANT_FACTS: &str = "merchant.toml";

/// Makes a complete fresh set: both RSA-2048 keys, the merchant's certificate, secrets and numbers.
///
/// Shape: `now` dates the certificate, which lives five years. The name of the platform key begins with
/// `PUB_KEY_ID_0000`, which no real one does, so that production can refuse a sandbox's keys.
/// Errors: `Key`, `Certificate`.
/// Repeats: each call makes other keys.
pub fn generate(choice: &Choice, now: Micros) -> Result<KeySet, KeyError> {
    let merchant_key = RsaPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Key)?;
    let platform_key = RsaPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Key)?;
    let merchant_private_key_pem = private_pem(&merchant_key)?;
    let (merchant_serial, merchant_certificate_pem) =
        certificate(&merchant_private_key_pem, "onecard sandbox merchant", &choice.merchant_name, now)?;
    let platform_certificates =
        (0..PLATFORM_CERTIFICATES).map(|_| platform_certificate(now)).collect::<Result<_, KeyError>>()?;

    let merchant = MerchantSide {
        address: choice.address.clone(),
        mchid: format!("1900{}", random::digits(6)),
        appid: format!("wx{}", random::hex(16)),
        app_secret: random::hex(32),
        apiv3_key: random::letters(32),
        merchant_serial,
        merchant_private_key_pem,
        merchant_certificate_pem,
        platform_key_id: format!("PUB_KEY_ID_0000{}", random::digits(24)),
        platform_public_key_pem: public_pem(&platform_key)?,
    };
    let setup = Setup {
        address: choice.address.clone(),
        folder: choice.folder.clone(),
        retry_speed: choice.retry_speed,
        allowed_redirect_hosts: choice.allowed_redirect_hosts.clone(),
        tour: None,
        wechat: WechatSetup {
            merchant_name: choice.merchant_name.clone(),
            mchid: merchant.mchid.clone(),
            appid: merchant.appid.clone(),
            app_secret: merchant.app_secret.clone(),
            apiv3_key: merchant.apiv3_key.clone(),
            merchant_serial: merchant.merchant_serial.clone(),
            merchant_key_pem: merchant.merchant_certificate_pem.clone(),
            platform_key_id: merchant.platform_key_id.clone(),
            platform_private_key_pem: private_pem(&platform_key)?,
            fee_per_ten_thousand: FEE_PER_TEN_THOUSAND,
            platform_certificates,
        },
    };
    Ok(KeySet { setup, merchant })
}

impl KeySet {
    /// Writes the set: `sandbox.toml` with the sandbox's files beside it, and the merchant's files in `merchant/`.
    ///
    /// Shape: folders get mode 0700 and files 0600; [`Config::read`] and [`MerchantSide::read`] read them back.
    /// Errors, in order: `Exists` (nothing is replaced), `Unwritable`.
    pub fn write(&self, folder: &Path) -> Result<(), KeyError> {
        let merchant_folder = folder.join(MERCHANT_FOLDER);
        make_folder(folder)?;
        make_folder(&merchant_folder)?;

        let (own, merchant) = (&self.setup.wechat, &self.merchant);
        for (name, content) in [
            (SANDBOX_FILE, self.sandbox_toml()),
            (APP_SECRET, line(&own.app_secret)),
            (APIV3_KEY, line(&own.apiv3_key)),
            (MERCHANT_CERTIFICATE, own.merchant_key_pem.clone()),
            (PLATFORM_PRIVATE_KEY, own.platform_private_key_pem.clone()),
        ] {
            write_new(&folder.join(name), &content)?;
        }
        for (files, one) in certificate_files().zip(&own.platform_certificates) {
            write_new(&folder.join(files.certificate_file), &one.certificate_pem)?;
            write_new(&folder.join(files.private_key_file), &one.private_key_pem)?;
        }
        for (name, content) in [
            (MERCHANT_FACTS, merchant.facts_toml()),
            (APP_SECRET, line(&merchant.app_secret)),
            (APIV3_KEY, line(&merchant.apiv3_key)),
            (MERCHANT_PRIVATE_KEY, merchant.merchant_private_key_pem.clone()),
            (MERCHANT_CERTIFICATE, merchant.merchant_certificate_pem.clone()),
            (PLATFORM_PUBLIC_KEY, merchant.platform_public_key_pem.clone()),
        ] {
            write_new(&merchant_folder.join(name), &content)?;
        }
        Ok(())
    }

    /// The configuration that names the files of [`KeySet::write`].
    fn config(&self) -> Config {
        let (setup, wechat) = (&self.setup, &self.setup.wechat);
        Config {
            address: setup.address.clone(),
            folder: setup.folder.clone(),
            retry_speed: setup.retry_speed,
            allowed_redirect_hosts: setup.allowed_redirect_hosts.clone(),
            wechat: WechatConfig {
                merchant_name: wechat.merchant_name.clone(),
                mchid: wechat.mchid.clone(),
                appid: wechat.appid.clone(),
                app_secret_file: APP_SECRET.into(),
                apiv3_key_file: APIV3_KEY.into(),
                merchant_serial: wechat.merchant_serial.clone(),
                merchant_key_file: MERCHANT_CERTIFICATE.into(),
                platform_key_id: wechat.platform_key_id.clone(),
                platform_private_key_file: PLATFORM_PRIVATE_KEY.into(),
                fee_per_ten_thousand: wechat.fee_per_ten_thousand,
                platform_certificates: certificate_files().take(wechat.platform_certificates.len()).collect(),
            },
        }
    }

    fn sandbox_toml(&self) -> String {
        let config = self.config();
        let wechat = &config.wechat;
        let folder = match &config.folder {
            Some(folder) => format!("folder = {}", quoted(&folder.display().to_string())),
            None => "# folder = \"state\"".to_owned(),
        };
        let hosts = toml::Value::from(config.allowed_redirect_hosts.clone());
        let file = |path: &Path| quoted(&path.display().to_string());
        let certificates: String = wechat
            .platform_certificates
            .iter()
            .map(|one| {
                let (certificate, key) = (file(&one.certificate_file), file(&one.private_key_file));
                format!(
                    "\n[[wechat.platform_certificates]]\ncertificate_file = {certificate}\nprivate_key_file = {key}\n"
                )
            })
            .collect();
        format!(
            "# Payment sandbox. File names are relative to this file. No real money moves here.\n\n\
             # The address at which browsers and the platform reach this sandbox.\n\
             address = {address}\n\
             # Keeps orders and notices over a restart; without it they live in memory.\n\
             {folder}\n\
             # How many times faster than in reality notices are repeated and refunds arrive; 1 is reality.\n\
             retry_speed = {speed}\n\
             # Where a browser may be sent back to: \"host\" for any port, or \"host:port\".\n\
             allowed_redirect_hosts = {hosts}\n\n\
             [wechat]\n\
             # The name that the cashier page shows.\n\
             merchant_name = {name}\n\
             mchid = {mchid}\n\
             appid = {appid}\n\
             app_secret_file = {app_secret}\n\
             apiv3_key_file = {apiv3}\n\
             # The merchant's API certificate checks the signatures of requests.\n\
             merchant_serial = {serial}\n\
             merchant_key_file = {merchant_key}\n\
             # The platform's key signs answers and notices.\n\
             platform_key_id = {key_id}\n\
             platform_private_key_file = {platform_key}\n\
             # What the platform keeps of a payment, in hundredths of a percent.\n\
             fee_per_ten_thousand = {fee}\n\
             # Platform certificates, the one in use first; the switches choose between them and the key.\n\
             {certificates}",
            address = quoted(&config.address),
            speed = config.retry_speed,
            name = quoted(&wechat.merchant_name),
            mchid = quoted(&wechat.mchid),
            appid = quoted(&wechat.appid),
            app_secret = file(&wechat.app_secret_file),
            apiv3 = file(&wechat.apiv3_key_file),
            serial = quoted(&wechat.merchant_serial),
            merchant_key = file(&wechat.merchant_key_file),
            key_id = quoted(&wechat.platform_key_id),
            platform_key = file(&wechat.platform_private_key_file),
            fee = wechat.fee_per_ten_thousand,
        )
    }
}

impl MerchantSide {
    /// Reads back the `merchant` folder that [`KeySet::write`] made.
    ///
    /// Errors, in order: `Unreadable`, `Malformed`.
    pub fn read(folder: &Path) -> Result<MerchantSide, KeyError> {
        let path = folder.join(MERCHANT_FACTS);
        let facts: MerchantFacts =
            toml::from_str(&read(&path)?).map_err(|source| KeyError::Malformed { path, source: Box::new(source) })?;
        let secret = |name: &str| read(&folder.join(name)).map(|text| text.trim().to_owned());
        Ok(MerchantSide {
            address: facts.address,
            mchid: facts.mchid,
            appid: facts.appid,
            app_secret: secret(APP_SECRET)?,
            apiv3_key: secret(APIV3_KEY)?,
            merchant_serial: facts.merchant_serial,
            merchant_private_key_pem: read(&folder.join(MERCHANT_PRIVATE_KEY))?,
            merchant_certificate_pem: read(&folder.join(MERCHANT_CERTIFICATE))?,
            platform_key_id: facts.platform_key_id,
            platform_public_key_pem: read(&folder.join(PLATFORM_PUBLIC_KEY))?,
        })
    }

    fn facts_toml(&self) -> String {
        format!(
            "# What the merchant is told by the sandbox; keys and secrets lie beside this file.\n\
             address = {}\nmchid = {}\nappid = {}\nmerchant_serial = {}\nplatform_key_id = {}\n",
            quoted(&self.address),
            quoted(&self.mchid),
            quoted(&self.appid),
            quoted(&self.merchant_serial),
            quoted(&self.platform_key_id),
        )
    }
}

/// The files of the platform's certificates, in their order.
fn certificate_files() -> impl Iterator<Item = PlatformCertificateConfig> {
    (1..).map(|number| PlatformCertificateConfig {
        certificate_file: format!("platform_certificate_{number}.pem").into(),
        private_key_file: format!("platform_certificate_{number}_private_key.pem").into(),
    })
}

fn platform_certificate(now: Micros) -> Result<PlatformCertificate, KeyError> {
    let private_key_pem = private_pem(&RsaPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Key)?)?;
    let (_, certificate_pem) = certificate(&private_key_pem, "onecard sandbox platform", "onecard sandbox", now)?;
    Ok(PlatformCertificate { certificate_pem, private_key_pem })
}

/// A self-signed certificate of a key, and its serial number in upper-case hex.
fn certificate(
    private_key_pem: &str,
    name: &str,
    organization: &str,
    now: Micros,
) -> Result<(String, String), KeyError> {
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(private_key_pem, &PKCS_RSA_SHA256)?;
    let mut serial: [u8; 20] = random::bytes();
    // A serial number is positive (the top bit is clear) and keeps its full length (the first byte is not zero).
    serial[0] = serial[0] & 0x3F | 0x40;

    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, organization);
    let year: i32 = beijing::day(now)[..4].parse().map_err(|_| KeyError::Key)?;
    // Whole years: a demo whose clock is moved back some months still lies within.
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + CERTIFICATE_YEARS, 12, 31);
    let pem = params.self_signed(&key)?.pem();
    Ok((serial.iter().map(|byte| format!("{byte:02X}")).collect(), pem))
}

fn private_pem(key: &RsaPair) -> Result<String, KeyError> {
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(key).map_err(|_| KeyError::Key)?;
    Ok(pem("PRIVATE KEY", der.as_ref()))
}

fn public_pem(key: &RsaPair) -> Result<String, KeyError> {
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).map_err(|_| KeyError::Key)?;
    Ok(pem("PUBLIC KEY", der.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (place, letter) in STANDARD.encode(der).chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn line(text: &str) -> String {
    format!("{text}\n")
}

fn make_folder(path: &Path) -> Result<(), KeyError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| KeyError::Unwritable { path: path.to_owned(), source })
}

fn write_new(path: &Path, content: &str) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(content.as_bytes()));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
        _ => KeyError::Unwritable { path: path.to_owned(), source },
    })
}
