//! What a card keeps without power, and its image as bytes.

use ledger::{CodecError, Reader, Writer, row_digest};

use crate::crypto::Key16;
use crate::files::{CardKeys, LOG_RECORD_LENGTH, LogRecord, PublicFile};
use crate::session::Kind;

/// Records that the cyclic log keeps.
pub(crate) const LOG_DEPTH: usize = 10;
/// Proofs that GET TRANSACTION PROVE can still find. Real cards keep few; nobody may rely on more.
pub(crate) const PROOF_DEPTH: usize = 4;

/// First byte of an image.
const FORMAT: u8 = 1;

/// What GET TRANSACTION PROVE answers for one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) kind: Kind,
    /// Counter after the transaction.
    pub(crate) seq: u16,
    pub(crate) mac: [u8; 4],
    pub(crate) tac: [u8; 4],
}

/// Survives a power cut as a whole: a transaction changes all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) public: PublicFile,
    pub(crate) key_version: u8,
    pub(crate) keys: CardKeys,
    pub(crate) balance: u32,
    pub(crate) n: u16,
    pub(crate) m: u16,
    pub(crate) counter: [u8; 16],
    /// Newest first.
    pub(crate) log: Vec<LogRecord>,
    /// Newest first.
    pub(crate) proofs: Vec<Proof>,
}

/// An image is not that of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// Written by another version of this program.
    #[error("card image has format {0}, this program reads format {FORMAT}")]
    Format(u8),
    /// Cut short, or a byte changed.
    #[error("card image is damaged: its checksum does not fit")]
    Damaged,
}

impl From<CodecError> for ImageFault {
    fn from(_: CodecError) -> ImageFault {
        ImageFault::Damaged
    }
}

impl Memory {
    /// Writes one transaction to log and proofs.
    pub(crate) fn record(&mut self, record: LogRecord, proof: Proof) {
        self.log.insert(0, record);
        self.log.truncate(LOG_DEPTH);
        self.proofs.insert(0, proof);
        self.proofs.truncate(PROOF_DEPTH);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(FORMAT).raw(&self.public.encode()).u8(self.key_version);
        for key in [&self.keys.load, &self.keys.purchase, &self.keys.tac, &self.keys.maintenance] {
            out.raw(key.expose());
        }
        out.u32(self.balance).u16(self.n).u16(self.m).raw(&self.counter);
        out.u8(count(&self.log));
        for record in &self.log {
            out.raw(&record.encode());
        }
        out.u8(count(&self.proofs));
        for proof in &self.proofs {
            out.u8(proof.kind.code()).u16(proof.seq).raw(&proof.mac).raw(&proof.tac);
        }
        let mut image = out.done();
        image.extend_from_slice(&checksum(&image));
        image
    }

    pub(crate) fn decode(image: &[u8]) -> Result<Memory, ImageFault> {
        match image.first() {
            Some(&FORMAT) => {}
            Some(&other) => return Err(ImageFault::Format(other)),
            None => return Err(ImageFault::Damaged),
        }
        let (body, sum) = image.split_last_chunk::<16>().ok_or(ImageFault::Damaged)?;
        if checksum(body) != *sum {
            return Err(ImageFault::Damaged);
        }
        let mut from = Reader::new(body);
        from.u8()?;
        let memory = Memory {
            public: PublicFile::decode(&from.array::<30>()?)?,
            key_version: from.u8()?,
            keys: CardKeys {
                load: Key16::new(from.array()?),
                purchase: Key16::new(from.array()?),
                tac: Key16::new(from.array()?),
                maintenance: Key16::new(from.array()?),
            },
            balance: from.u32()?,
            n: from.u16()?,
            m: from.u16()?,
            counter: from.array()?,
            log: list(&mut from, LOG_DEPTH, read_record)?,
            proofs: list(&mut from, PROOF_DEPTH, read_proof)?,
        };
        from.end()?;
        Ok(memory)
    }
}

fn count<T>(list: &[T]) -> u8 {
    u8::try_from(list.len()).unwrap_or(u8::MAX)
}

fn list<T>(
    from: &mut Reader<'_>,
    most: usize,
    read: fn(&mut Reader<'_>) -> Result<T, CodecError>,
) -> Result<Vec<T>, ImageFault> {
    let length = usize::from(from.u8()?);
    if length > most {
        return Err(ImageFault::Damaged);
    }
    (0..length).map(|_| read(from).map_err(ImageFault::from)).collect()
}

fn read_record(from: &mut Reader<'_>) -> Result<LogRecord, CodecError> {
    let bytes: [u8; 23] = from.array()?;
    LogRecord::decode(&bytes)
}

fn read_proof(from: &mut Reader<'_>) -> Result<Proof, CodecError> {
    let kind = Kind::of(from.u8()?).ok_or(CodecError::Unknown)?;
    Ok(Proof { kind, seq: from.u16()?, mac: from.array()?, tac: from.array()? })
}

fn checksum(body: &[u8]) -> [u8; 16] {
    row_digest("card image", &[], Some(body)).content
}

const _: () = assert!(LOG_RECORD_LENGTH == 23);
