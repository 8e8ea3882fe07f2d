//! The configuration file of `onecard serve`. Secrets are named by file; business rules are not here but in the book.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use ledger::SchoolId;
use pay::wechat::WeChatConfig;
use serde::Deserialize;

use crate::Failure;
use crate::campus::{GuidePart, ServicePart};
use crate::engine::Files;
use crate::prompt::Said;

/// Downloaded platform certificates, in the data folder where the configuration names no other file. They can be deleted
/// at any time: they are downloaded again.
const CERTIFICATES: &str = "wechat-certificates.json";

/// Everything `serve` is told. An unknown key is an error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the book, the keys and the terminals' authority.
    pub data: PathBuf,
    /// File of the anchors, best on another disk; in the data folder when none is named.
    pub anchors: Option<PathBuf>,
    /// Number of the school, 1 to 9999.
    #[serde(default = "first_school")]
    pub school: u16,
    /// Name of the school in Chinese.
    pub name_zh: String,
    /// Name of the school in English.
    pub name_en: String,
    /// A trial may use the sandbox's keys and plain HTTP on this machine. Never set it where real money is.
    #[serde(default)]
    pub trial: bool,
    /// Pages.
    pub web: WebPart,
    /// Terminals.
    pub terminals: TerminalPart,
    /// WeChat Pay.
    pub wechat: WeChatConfig,
    /// Where events may be sent.
    #[serde(default)]
    pub webhooks: WebhookPart,
    /// The card service centre.
    #[serde(default)]
    pub service: ServicePart,
    /// Texts of the guide that the campus writes itself.
    #[serde(default)]
    pub guide: GuidePart,
    /// Documents.
    #[serde(default)]
    pub report: ReportPart,
}

/// Table `[report]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportPart {
    /// Font of PDF documents: a file with Chinese characters. None: the first that is found in the usual places.
    pub font: Option<PathBuf>,
}

/// Table `[web]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebPart {
    /// Where browsers and the provider's notices come in.
    pub listen: SocketAddr,
    /// Address of the pages as browsers see it, without a path.
    pub base_url: String,
    /// Certificate chain (PEM) when this process speaks TLS itself; else a proxy before it does.
    pub certificate_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub key_file: Option<PathBuf>,
    /// Files by which WeChat checks that the domain is the school's: name such as `MP_verify_x.txt`, and its content.
    #[serde(default)]
    pub domain_checks: BTreeMap<String, String>,
    /// WeChat Pay may be called from a phone's browser: the merchant's product H5支付 is open.
    #[serde(default = "yes")]
    pub pay_in_phone_browser: bool,
    /// WeChat Pay may be called by a code on another screen: the merchant's product Native支付 is open.
    #[serde(default = "yes")]
    pub pay_by_code: bool,
    /// Header in which a proxy before this process names the browser's network address, such as `X-Forwarded-For`; its last
    /// entry counts. None when browsers come in directly.
    pub client_header: Option<String>,
    /// Address of a sandbox's cashier, offered on the pay page of a trial.
    pub sandbox_cashier: Option<String>,
}

/// Table `[terminals]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalPart {
    /// Where terminals come in, over mutual TLS.
    pub listen: SocketAddr,
    /// Host name or address that terminals connect to; stands in the platform's certificate for them.
    pub host: String,
}

/// Table `[webhooks]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookPart {
    /// Hosts that events may be sent to; none when it is left out.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Certificates (PEM) that are trusted beside the public ones: a school's own authority.
    pub ca_file: Option<PathBuf>,
}

impl WebhookPart {
    /// This machine alone.
    pub fn this_machine() -> WebhookPart {
        WebhookPart { allow: ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned).to_vec(), ca_file: None }
    }
}

const fn yes() -> bool {
    true
}

const fn first_school() -> u16 {
    1
}

/// Reads a configuration; environment variables `ONECARD_...` come before the file (`ONECARD_WEB__LISTEN`).
///
/// Errors: the file is missing or not TOML, a key is unknown or missing (the error names the file and the key), a value is
/// out of range.
pub fn read(path: &Path) -> Result<Config, Failure> {
    if !path.is_file() {
        return Err(Said(format!("there is no configuration file {}", path.display())).into());
    }
    let figment =
        Figment::new().merge(Toml::file_exact(path)).merge(Env::prefixed("ONECARD_").ignore(&["log"]).split("__"));
    let mut config: Config = figment.extract().map_err(|fault| Said(fault.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    config.data = folder.join(&config.data);
    let named = [
        &mut config.anchors,
        &mut config.web.certificate_file,
        &mut config.web.key_file,
        &mut config.report.font,
        &mut config.webhooks.ca_file,
    ];
    for file in named.into_iter().flatten() {
        *file = folder.join(&*file);
    }
    for file in
        [&mut config.wechat.app_secret_file, &mut config.wechat.merchant_key_file, &mut config.wechat.apiv3_key_file]
    {
        *file = folder.join(&*file);
    }
    config.guide.texts = config.guide.texts.map(|texts| folder.join(texts));
    for key in &mut config.wechat.platform_keys {
        key.public_key_file = folder.join(&key.public_key_file);
    }
    let certificates = config.wechat.certificates_file.take();
    config.wechat.certificates_file =
        Some(certificates.map_or_else(|| config.data.join(CERTIFICATES), |file| folder.join(file)));
    config.school_id()?;
    config.check_addresses()?;
    Ok(config)
}

impl Config {
    /// The school's number, checked.
    pub fn school_id(&self) -> Result<SchoolId, Said> {
        SchoolId::new(self.school).ok_or_else(|| Said("school must be a number from 1 to 9999".to_owned()))
    }

    /// Its files, as the engine wants them.
    pub fn files(&self) -> Files<'_> {
        Files { data: &self.data, anchors: self.anchors.as_deref() }
    }

    /// Files that it names and that are not in the data folder: secrets and certificates of others, texts of the campus.
    pub fn other_files(&self) -> Vec<PathBuf> {
        let wechat = &self.wechat;
        let own = [&wechat.app_secret_file, &wechat.merchant_key_file, &wechat.apiv3_key_file];
        let tls = [&self.web.certificate_file, &self.web.key_file, &self.webhooks.ca_file];
        let providers = wechat.platform_keys.iter().map(|key| &key.public_key_file);
        let texts = self.guide.files();
        own.into_iter().chain(tls.into_iter().flatten()).chain(providers).cloned().chain(texts).collect()
    }

    /// File of the keyring.
    pub fn keyring(&self) -> PathBuf {
        self.data.join("keys.json")
    }

    fn check_addresses(&self) -> Result<(), Said> {
        if self.trial {
            return Ok(());
        }
        if !self.web.base_url.starts_with("https://") {
            return Err(Said(format!(
                "web.base_url is {}: it must begin with https:// (or set trial = true on a machine without real money)",
                self.web.base_url
            )));
        }
        let sandboxed = self.wechat.platform_keys.iter().any(|key| key.serial.starts_with("PUB_KEY_ID_0000"))
            || self.wechat.api_base.starts_with("http://");
        if sandboxed || self.web.sandbox_cashier.is_some() {
            return Err(Said(
                "the WeChat keys are a sandbox's: put the merchant portal's in, or set trial = true".to_owned(),
            ));
        }
        Ok(())
    }
}
