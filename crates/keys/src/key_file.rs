//! The file of a keyring: JSON that a person can tell from other files, readable by its owner alone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use card::crypto::{Key, Key16};
use card::host::Masters;
use card::session::SessionForm;
use ledger::Id;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::entropy::random;
use crate::{Keyring, Sm4Masters};

/// Written into every file; another number is refused.
const FORMAT: u32 = 1;
/// Longer than any key file.
const MOST_BYTES: u64 = 64 * 1024;

/// Why a key file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileFault {
    /// The file cannot be opened, read or written; also when a file to be made is there already.
    #[error("the key file cannot be used")]
    Io(#[from] io::Error),
    /// Others than the owner may read or change the file.
    #[error("the key file has mode {0:04o}: others may read it; run chmod 600 on it, and make new keys if they did")]
    TooOpen(u32),
    /// The text is no key file. What stands there is not repeated.
    #[error("the key file is not as it was written: see line {line}, column {column}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Made by another version of this program.
    #[error("the key file has format {0}, this program reads format {FORMAT}")]
    Format(u32),
    /// The text of a transport key file is another. It is not repeated.
    #[error("the file holds no transport key: write 32 hexadecimal digits")]
    NotHexadecimal,
    /// A kind of key is missing.
    #[error("the key file has no {0}")]
    Missing(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    format: u32,
    instance: String,
    cards: BTreeMap<u8, MastersForm>,
    /// Missing where no card speaks SM4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sm4: Option<Sm4Form>,
    pepper: KeyText<32>,
    sealing: BTreeMap<u8, KeyText<32>>,
    lookup: KeyText<32>,
    /// Missing in files from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing: Option<KeyText<32>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sm4Form {
    /// 1 or 2.
    session_form: u8,
    cards: BTreeMap<u8, MastersForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MastersForm {
    load: KeyText<16>,
    purchase: KeyText<16>,
    tac: KeyText<16>,
    maintenance: KeyText<16>,
}

/// A key as base64 text.
struct KeyText<const N: usize>(Key<N>);

impl Keyring {
    /// The keyring of a file.
    ///
    /// Errors, in order: `Io`, `TooOpen` unless the owner alone may read and write it, `Malformed`, `Format`, `Missing`.
    pub fn load(path: &Path) -> Result<Keyring, KeyFileFault> {
        read(&private_text(path)?)
    }

    /// The keyring of a file, with a key of its own to sign with: a file from before there was one gets it now, durably,
    /// under its own name in one step.
    ///
    /// Errors: as `load`, and `Io` when the folder cannot be written; the file is then as it was.
    pub fn open(path: &Path) -> Result<Keyring, KeyFileFault> {
        let mut keys = Keyring::load(path)?;
        if keys.signing.is_none() {
            keys.signing = Some(Key::new(random()));
            keys.replace(path)?;
        }
        Ok(keys)
    }

    /// Gives the keyring of a file fresh SM4 masters, durably and in one step; every other key stays.
    ///
    /// Errors: as `load`, and `Io` when the folder cannot be written; the file is then as it was. Repeats: a file that has
    /// SM4 masters is left alone.
    pub fn add_sm4(path: &Path, form: SessionForm) -> Result<Keyring, KeyFileFault> {
        let before = Keyring::load(path)?;
        let after = before.clone().with_sm4(form);
        if after != before {
            after.replace(path)?;
        }
        Ok(after)
    }

    fn replace(&self, path: &Path) -> Result<(), KeyFileFault> {
        let beside = path.with_extension("json.new");
        // What an interrupted call left is no key file yet.
        let _ = std::fs::remove_file(&beside);
        self.save_new(&beside)?;
        std::fs::rename(&beside, path)?;
        sync_folder(path)?;
        Ok(())
    }

    /// Writes a new file with mode 0600, durably. Errors: `Io`, also when `path` exists; nothing is ever overwritten.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyFileFault> {
        let mut text = Zeroizing::new(Vec::with_capacity(MOST_BYTES as usize));
        serde_json::to_writer_pretty(&mut *text, &Form::of(self)).map_err(io::Error::from)?;
        text.push(b'\n');
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let written = file.write_all(&text).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
        if let Err(error) = written {
            // Half a key file would be refused at the next start and stand in the way of a new one.
            let _ = std::fs::remove_file(path);
            return Err(error.into());
        }
        Ok(())
    }
}

/// A card maker's transport key out of its file: 32 hexadecimal digits, white space around them.
///
/// Errors, in order: `Io`, `TooOpen` unless the owner alone may read and write it, `NotHexadecimal`.
pub fn read_transport_key(path: &Path) -> Result<Key16, KeyFileFault> {
    let text = private_text(path)?;
    let mut key = Zeroizing::new([0_u8; 16]);
    let digits = text.trim_ascii();
    if digits.len() != 2 * key.len() {
        return Err(KeyFileFault::NotHexadecimal);
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            // `from_str_radix` would take a sign for a digit.
            let value = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            *byte = (*byte << 4) | value.ok_or(KeyFileFault::NotHexadecimal)?;
        }
    }
    Ok(Key16::new(*key))
}

/// The text of a file that its owner alone may read and write, wiped from memory on drop. Errors, in order: `Io`, `TooOpen`.
fn private_text(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileFault> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileFault::TooOpen(mode));
    }
    // One allocation for all: a buffer that grew would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MOST_BYTES as usize));
    file.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn read(text: &[u8]) -> Result<Keyring, KeyFileFault> {
    // The error's own words may quote the file, and so a key.
    let malformed = |error: serde_json::Error| KeyFileFault::Malformed { line: error.line(), column: error.column() };
    let form: Form = serde_json::from_slice(text).map_err(malformed)?;
    if form.format != FORMAT {
        return Err(KeyFileFault::Format(form.format));
    }
    if form.cards.is_empty() {
        return Err(KeyFileFault::Missing("card master keys"));
    }
    if form.sealing.is_empty() {
        return Err(KeyFileFault::Missing("sealing key"));
    }
    let sm4 = form.sm4.map(Sm4Form::masters).transpose()?;
    Ok(Keyring {
        instance: Id::parse(&form.instance).map_err(|_| KeyFileFault::Missing("instance id"))?,
        cards: form.cards.into_iter().map(|(version, masters)| (version, masters.masters())).collect(),
        sm4,
        pepper: form.pepper.0,
        sealing: form.sealing.into_iter().map(|(version, key)| (version, key.0)).collect(),
        lookup: form.lookup.0,
        signing: form.signing.map(|key| key.0),
    })
}

impl Form {
    fn of(keys: &Keyring) -> Form {
        Form {
            format: FORMAT,
            instance: keys.instance.to_string(),
            cards: keys.cards.iter().map(|(version, masters)| (*version, MastersForm::of(masters))).collect(),
            sm4: keys.sm4.as_ref().map(Sm4Form::of),
            pepper: KeyText(keys.pepper.clone()),
            sealing: keys.sealing.iter().map(|(version, key)| (*version, KeyText(key.clone()))).collect(),
            lookup: KeyText(keys.lookup.clone()),
            signing: keys.signing.clone().map(KeyText),
        }
    }
}

impl Sm4Form {
    fn of(sm4: &Sm4Masters) -> Sm4Form {
        Sm4Form {
            session_form: match sm4.form {
                SessionForm::Padded => 1,
                SessionForm::Doubled => 2,
            },
            cards: sm4.cards.iter().map(|(version, masters)| (*version, MastersForm::of(masters))).collect(),
        }
    }

    fn masters(self) -> Result<Sm4Masters, KeyFileFault> {
        let form = match self.session_form {
            1 => SessionForm::Padded,
            2 => SessionForm::Doubled,
            _ => return Err(KeyFileFault::Missing("form of SM4 session keys: write 1 or 2")),
        };
        if self.cards.is_empty() {
            return Err(KeyFileFault::Missing("SM4 card master keys"));
        }
        let cards = self.cards.into_iter().map(|(version, masters)| (version, masters.masters())).collect();
        Ok(Sm4Masters { form, cards })
    }
}

impl MastersForm {
    fn of(masters: &Masters) -> MastersForm {
        MastersForm {
            load: KeyText(masters.load.clone()),
            purchase: KeyText(masters.purchase.clone()),
            tac: KeyText(masters.tac.clone()),
            maintenance: KeyText(masters.maintenance.clone()),
        }
    }

    fn masters(self) -> Masters {
        let MastersForm { load, purchase, tac, maintenance } = self;
        Masters { load: load.0, purchase: purchase.0, tac: tac.0, maintenance: maintenance.0 }
    }
}

impl<const N: usize> Serialize for KeyText<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zeroizing::new(STANDARD.encode(self.0.expose())))
    }
}

impl<'de, const N: usize> Deserialize<'de> for KeyText<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<KeyText<N>, D::Error> {
        from.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor<const N: usize>;

impl<const N: usize> Visitor<'_> for KeyVisitor<N> {
    type Value = KeyText<N>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{N} bytes in base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeyText<N>, E> {
        let bytes = STANDARD.decode(text).map(Zeroizing::new).map_err(|_| E::custom("no base64"))?;
        let bytes: [u8; N] = bytes.as_slice().try_into().map_err(|_| E::custom("wrong length"))?;
        Ok(KeyText(Key::new(bytes)))
    }
}
