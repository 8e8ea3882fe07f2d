//! Platform certificates: downloaded, proved, kept, and learned again when a message names one that is not known.
//!
//! The provider signs with a public key that was loaded by hand (`PUB_KEY_ID_...`), with a platform certificate, or, while
//! a merchant changes from one to the other, with both in turn. Both live in one [`PlatformKeys`] and each message
//! chooses by its serial.
//!
//! **What proves a list.** Its answer is signed like every other. Where the key that signed it is known, that key proves
//! it. Where it is not (the first list of all, or the first after a change), a certificate of the list itself may prove
//! it: everything in the list is sealed under the APIv3 key, which nobody but the provider and we have, so a certificate
//! that opens under it comes from the provider; and the signature over the list shows that it is fresh. A list of which
//! one entry does not open is not believed at all.
//!
//! **On disk** the entries are kept sealed, as they came: a file that somebody changed does not open.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use flows::ports::ChannelError;
use ledger::Micros;
use reqwest::Method;
use tokio::sync::Mutex;

use super::call::{RawAnswer, at};
use super::channel::WeChatPay;
use super::config::{Download, Merchant, hexadecimal};
use super::sign::{PlatformKey, PlatformKeys, Unproved};
use super::wire::{self, Certificate, Certificates};

/// How often a serial that strangers name can make us ask.
const ASK_AGAIN_MICROS: u64 = 60_000_000;
/// Between two downloads when all is well.
const HOUR: Duration = Duration::from_secs(3_600);
/// After a download that failed.
const MINUTE: Duration = Duration::from_secs(60);
/// The provider has at most a few certificates at once.
const MOST: usize = 32;

/// Why no certificates were learned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// The settings do not ask for certificates.
    #[error("certificates are not downloaded; set wechat.download_certificates")]
    Off,
    /// No answer, or one that is no list.
    #[error("the list of certificates did not come: {0}")]
    NoList(String),
    /// An entry is not what it should be.
    #[error("certificate {serial}: {problem}")]
    Entry {
        /// The serial number that the list gives it.
        serial: String,
        /// What is wrong.
        problem: String,
    },
    /// The answer's signature is not good.
    #[error("the list of certificates is not proved: {0}")]
    Unproved(#[from] Unproved),
}

/// The downloaded certificates, sealed as they came, and when they were last asked for.
pub(super) struct Shelf {
    on: bool,
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: BTreeMap<String, Certificate>,
    asked_at: Option<Micros>,
}

impl Shelf {
    /// Reads what an earlier run kept and adds it to `platform`. What does not open any more is left out: it is downloaded
    /// again.
    pub(super) fn open(
        download: Option<Download>,
        merchant: &Merchant,
        platform: &mut PlatformKeys,
        now: Micros,
    ) -> Shelf {
        let Some(Download { file }) = download else {
            return Shelf { on: false, file: None, state: Mutex::default() };
        };
        let (mut state, mut keys) = (State::default(), Vec::new());
        for certificate in file.as_deref().map(read_kept).unwrap_or_default() {
            match opened(merchant, &certificate) {
                Ok(Some(key)) if !key.ended(now) => {
                    state.kept.insert(key.id().to_owned(), certificate);
                    keys.push(key);
                }
                Ok(_) => {}
                Err(fault) => tracing::warn!("a kept platform certificate is not used: {fault}"),
            }
        }
        platform.learn(keys, now);
        Shelf { on: true, file, state: Mutex::new(state) }
    }
}

impl WeChatPay {
    /// Downloads the certificates now, and gives how many of the list are good.
    ///
    /// Errors: [`CertificateFault`]; what was known before stays known. Repeats: harmless.
    pub async fn refresh_certificates(&self) -> Result<usize, CertificateFault> {
        if !self.shelf.on {
            return Err(CertificateFault::Off);
        }
        let mut state = self.shelf.state.lock().await;
        self.download(&mut state).await
    }

    /// Keeps the certificates fresh, for ever: about hourly, and every minute while it fails. Without downloads it only
    /// waits.
    pub async fn keep_certificates(&self) {
        if !self.shelf.on {
            return std::future::pending().await;
        }
        loop {
            let pause = match self.refresh_certificates().await {
                Ok(_) => HOUR,
                Err(fault) => {
                    tracing::warn!("platform certificates were not refreshed: {fault}");
                    MINUTE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether `serial` is known, if need be after one download; at most one a minute, whoever asks.
    pub(super) async fn learn(&self, serial: &str) -> bool {
        let known = || self.keys().knows(serial, self.clock.now());
        if known() {
            return true;
        }
        // Only a certificate's serial can be learned: a public key comes by hand.
        if !self.shelf.on || hexadecimal(serial).is_none() {
            return false;
        }
        let mut state = self.shelf.state.lock().await;
        let now = self.clock.now();
        let lately = state.asked_at.is_some_and(|at| now.since(at).unsigned_abs() < ASK_AGAIN_MICROS);
        // Another task may have learned it while this one waited.
        if !known()
            && !lately
            && let Err(fault) = self.download(&mut state).await
        {
            tracing::warn!("platform certificates were not refreshed: {fault}");
        }
        known()
    }

    async fn download(&self, state: &mut State) -> Result<usize, CertificateFault> {
        state.asked_at = Some(self.clock.now());
        let raw = self.ask_list().await.map_err(|fault| match fault {
            ChannelError::Unknown(text) => CertificateFault::NoList(text),
            refused @ ChannelError::Refused { .. } => CertificateFault::NoList(refused.to_string()),
        })?;
        let now = self.clock.now();
        let (certificates, keys) = self.proved_list(&raw, now)?;
        let count = keys.iter().filter(|key| key.good_at(now)).count();
        for (certificate, key) in certificates.into_iter().zip(&keys) {
            state.kept.insert(key.id().to_owned(), certificate);
        }
        {
            let mut platform = self.platform.write().unwrap_or_else(PoisonError::into_inner);
            if !platform.learn(keys, now) {
                tracing::error!(
                    "the provider's list has another key under a serial that is known; the known one stays"
                );
            }
            // A certificate that left the list still proves what was signed with it, until it ends.
            state.kept.retain(|serial, _| platform.has(serial));
        }
        if let Some(file) = &self.shelf.file
            && let Err(fault) = write_kept(file, state.kept.values().cloned().collect())
        {
            tracing::warn!("platform certificates cannot be kept in {}: {fault}", file.display());
        }
        Ok(count)
    }

    async fn ask_list(&self) -> Result<RawAnswer, ChannelError> {
        let url = at(&self.merchant.api_base, "/v3/certificates")?;
        self.exchange(self.request(Method::GET, url, Vec::new())?).await
    }

    /// The entries of a list and their keys, in the same order, once the list is proved.
    fn proved_list(
        &self,
        raw: &RawAnswer,
        now: Micros,
    ) -> Result<(Vec<Certificate>, Vec<PlatformKey>), CertificateFault> {
        let proof = raw.proof();
        let by_known = match self.keys().verify(&proof, &raw.body, now) {
            Ok(()) => true,
            Err(Unproved::UnknownSerial) => false,
            Err(fault) => return Err(fault.into()),
        };
        if raw.status != 200 {
            return Err(CertificateFault::NoList(format!("HTTP {}", raw.status)));
        }
        let list: Certificates =
            wire::read(&raw.body).ok_or_else(|| CertificateFault::NoList("HTTP 200, and no list in it".to_owned()))?;
        if list.data.is_empty() || list.data.len() > MOST {
            return Err(CertificateFault::NoList(format!("it has {} entries", list.data.len())));
        }
        let (mut certificates, mut keys) = (Vec::new(), Vec::new());
        for certificate in list.data {
            if let Some(key) = opened(&self.merchant, &certificate)?
                && !key.ended(now)
            {
                certificates.push(certificate);
                keys.push(key);
            }
        }
        if !by_known {
            let signer = keys.iter().find(|key| key.id() == proof.serial).ok_or(Unproved::UnknownSerial)?;
            signer.verify(&proof, &raw.body, now)?;
        }
        Ok((certificates, keys))
    }
}

/// The key in a sealed entry; none for an entry that is sealed in a way of tomorrow.
fn opened(merchant: &Merchant, certificate: &Certificate) -> Result<Option<PlatformKey>, CertificateFault> {
    let Certificate { serial_no, encrypt_certificate: sealed } = certificate;
    let fault = |problem: String| CertificateFault::Entry { serial: serial_no.clone(), problem };
    if sealed.algorithm != "AEAD_AES_256_GCM" {
        tracing::warn!("a platform certificate is sealed with {}, which is not known here", sealed.algorithm);
        return Ok(None);
    }
    let serial = hexadecimal(serial_no).ok_or_else(|| fault("its serial number is not hexadecimal".to_owned()))?;
    let pem = merchant
        .resource_key
        .open(&sealed.nonce, &sealed.associated_data, &sealed.ciphertext)
        .map_err(|sealed| fault(format!("{sealed}; compare apiv3_key_file with the merchant portal")))?;
    let key = PlatformKey::from_pem(&serial, &pem).map_err(|problem| fault(problem.to_string()))?;
    if key.belongs_to(&merchant.key) {
        return Err(fault("it is the merchant's own".to_owned()));
    }
    Ok(Some(key))
}

fn read_kept(path: &Path) -> Vec<Certificate> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(fault) => {
            tracing::warn!("{} cannot be read: {fault}; certificates are downloaded again", path.display());
            return Vec::new();
        }
    };
    wire::read::<Certificates>(&bytes).map(|kept| kept.data).unwrap_or_else(|| {
        tracing::warn!("{} holds no certificates; they are downloaded again", path.display());
        Vec::new()
    })
}

/// Writes beside the file and renames, so that a crash leaves the old or the new one whole.
fn write_kept(path: &Path, data: Vec<Certificate>) -> std::io::Result<()> {
    let text = serde_json::to_vec(&Certificates { data })?;
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
