//! A card's memory as bytes, for a file or a simulator. Version 2 is written; version 1, of cards with four keys and the
//! purse alone, still opens.

use ledger::{CodecError, Reader, Writer, row_digest};

use crate::crypto::{Algorithm, Key16};
use crate::files::{CardKeys, LOG_RECORD_LENGTH, LogRecord, Profile, PublicFile};
use crate::filesystem::{File, FileForm, Shape};
use crate::holder::HolderFile;
use crate::host::KeySet;
use crate::keystore::{KeyKind, Pin, StoredKey, Tries};
use crate::memory::{Application, Lock, Memory, PROOF_DEPTH, Proof, Purse};
use crate::profile::{Counted, Switches};
use crate::session::{Kind, SessionForm, Suite};

/// First byte of an image.
const FORMAT: u8 = 2;
/// First byte of the images of before.
const FIRST_FORMAT: u8 = 1;
/// Records of a log in the first format.
const FIRST_LOG_DEPTH: usize = 10;
/// More files, keys or records than any card has.
const MOST: usize = 255;

/// An image is not that of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// Written by another version of this program.
    #[error("card image has format {0}, this program reads formats {FIRST_FORMAT} and {FORMAT}")]
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
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(FORMAT);
        write_switches(&mut out, &self.switches);
        out.u8(u8::from(self.blocked));
        write_key(&mut out, &self.control);
        write_files(&mut out, &self.files);
        out.u8(u8::from(self.application.is_some()));
        if let Some(application) = &self.application {
            write_application(&mut out, application);
        }
        let mut image = out.done();
        image.extend_from_slice(&checksum(&image));
        image
    }

    pub(crate) fn decode(image: &[u8]) -> Result<Memory, ImageFault> {
        let format = match image.first() {
            Some(format @ (&FORMAT | &FIRST_FORMAT)) => *format,
            Some(&other) => return Err(ImageFault::Format(other)),
            None => return Err(ImageFault::Damaged),
        };
        let (body, sum) = image.split_last_chunk::<16>().ok_or(ImageFault::Damaged)?;
        if checksum(body) != *sum {
            return Err(ImageFault::Damaged);
        }
        let mut from = Reader::new(body);
        from.u8()?;
        let memory = if format == FIRST_FORMAT { read_first(&mut from)? } else { read_memory(&mut from)? };
        from.end()?;
        Ok(memory)
    }
}

fn read_memory(from: &mut Reader<'_>) -> Result<Memory, CodecError> {
    Ok(Memory {
        switches: read_switches(from)?,
        blocked: flag(from)?,
        control: read_key(from)?,
        files: list(from, MOST, read_file)?,
        application: if flag(from)? { Some(read_application(from)?) } else { None },
    })
}

/// An image of before: the project's card with four keys, whose other keys follow from those.
fn read_first(from: &mut Reader<'_>) -> Result<Memory, CodecError> {
    let public = PublicFile::decode(&from.array::<30>()?)?;
    let key_version = from.u8()?;
    let [load, purchase, tac, maintenance] =
        [from.array()?, from.array()?, from.array()?, from.array()?].map(Key16::new);
    let set = KeySet { suite: Suite::TripleDes, keys: CardKeys { load, purchase, tac, maintenance } };
    let (balance, n, m, counter) = (from.u32()?, from.u16()?, from.u16()?, from.array()?);
    let purse = Purse {
        balance,
        n,
        m,
        log: list(from, FIRST_LOG_DEPTH, read_record)?,
        loads: Vec::new(),
        proofs: list(from, PROOF_DEPTH, read_proof)?,
    };
    let profile =
        Profile { issuer: public.issuer, application_version: public.version, key_version, validity: public.validity };
    let holder = HolderFile::NOBODY;
    let mut memory = Memory::personalised(public.serial, (&set, &[]), &profile, Switches::CAMPUS, &holder, counter);
    if let Some(application) = &mut memory.application {
        application.purse = purse;
        // The profile makes the same file of the same facts; the issuer's two bytes are the only others.
        if let Some(file) = application.files.iter_mut().find(|file| file.form.id == crate::profile::PUBLIC_ID) {
            file.rows = vec![public.encode()];
        }
    }
    Ok(memory)
}

fn write_switches(out: &mut Writer, switches: &Switches) {
    let Switches { session_form, log_seq, proof_seq, loads_apart, log_records, pin_for_load, pin_for_log, security_id } =
        *switches;
    out.u8(u8::from(session_form == SessionForm::Doubled));
    out.u8(u8::from(log_seq == Counted::Before)).u8(u8::from(proof_seq == Counted::Before));
    out.u8(u8::from(loads_apart)).u8(log_records).u8(u8::from(pin_for_load)).u8(u8::from(pin_for_log));
    out.u8(u8::from(security_id.is_some())).raw(&security_id.unwrap_or_default());
}

fn read_switches(from: &mut Reader<'_>) -> Result<Switches, CodecError> {
    let counted = |before| if before { Counted::Before } else { Counted::After };
    Ok(Switches {
        session_form: if flag(from)? { SessionForm::Doubled } else { SessionForm::Padded },
        log_seq: counted(flag(from)?),
        proof_seq: counted(flag(from)?),
        loads_apart: flag(from)?,
        log_records: from.u8()?,
        pin_for_load: flag(from)?,
        pin_for_log: flag(from)?,
        security_id: {
            let (there, id) = (flag(from)?, from.array()?);
            there.then_some(id)
        },
    })
}

fn write_key(out: &mut Writer, key: &StoredKey) {
    out.u8(key.kind.code()).u8(key.id).u8(key.version).u8(key.algorithm.identifier());
    out.u8(key.tries.limit).u8(key.tries.left).raw(key.key.expose());
}

fn read_key(from: &mut Reader<'_>) -> Result<StoredKey, CodecError> {
    Ok(StoredKey {
        kind: KeyKind::of(from.u8()?).ok_or(CodecError::Unknown)?,
        id: from.u8()?,
        version: from.u8()?,
        algorithm: Algorithm::of(from.u8()?).map_err(|_| CodecError::Unknown)?,
        tries: read_tries(from)?,
        key: Key16::new(from.array()?),
    })
}

fn read_tries(from: &mut Reader<'_>) -> Result<Tries, CodecError> {
    Ok(Tries { limit: from.u8()?, left: from.u8()? })
}

fn write_files(out: &mut Writer, files: &[File]) {
    out.u8(count(files));
    for file in files {
        out.u16(file.form.id).bytes(&file.form.encode()).u8(count(&file.rows));
        for row in &file.rows {
            out.bytes(row);
        }
    }
}

fn read_file(from: &mut Reader<'_>) -> Result<File, CodecError> {
    let id = from.u16()?;
    let form = FileForm::decode(id, from.bytes()?).map_err(|_| CodecError::Unknown)?;
    let rows = list(from, MOST, |from| Ok(from.bytes()?.to_vec()))?;
    let file = File { form, rows };
    if fits(&file) { Ok(file) } else { Err(CodecError::Unknown) }
}

/// Whether the rows are such as the form allows.
fn fits(file: &File) -> bool {
    let each = |most: u8, length: u8, exactly: bool| {
        let length = usize::from(length);
        file.rows.len() <= usize::from(most)
            && file.rows.iter().all(|row| if exactly { row.len() == length } else { row.len() <= length })
    };
    match file.form.shape {
        Shape::Binary(length) => file.rows.len() == 1 && each(1, length, true),
        Shape::Fixed { most, length } => file.rows.len() == usize::from(most) && each(most, length, true),
        Shape::Variable { most, length } => each(most, length, false),
        Shape::Cyclic { most, length } => each(most, length, true),
        Shape::Purse | Shape::Keys => file.rows.is_empty(),
        Shape::Application(_) => false,
    }
}

fn write_application(out: &mut Writer, application: &Application) {
    out.u16(application.id).bytes(&application.name);
    out.u8(match application.lock {
        Lock::Open => 0,
        Lock::Temporary => 1,
        Lock::Permanent => 2,
    });
    out.u8(application.failures);
    write_files(out, &application.files);
    out.u8(count(&application.keys));
    for key in &application.keys {
        write_key(out, key);
    }
    out.u8(u8::from(application.pin.is_some()));
    if let Some(pin) = &application.pin {
        out.u8(pin.id).bytes(&pin.digits).u8(pin.tries.limit).u8(pin.tries.left);
    }
    let purse = &application.purse;
    out.u32(purse.balance).u16(purse.n).u16(purse.m);
    for log in [&purse.log, &purse.loads] {
        out.u8(count(log));
        for record in log {
            out.raw(&record.encode());
        }
    }
    out.u8(count(&purse.proofs));
    for proof in &purse.proofs {
        out.u8(proof.kind.code()).u16(proof.seq).raw(&proof.mac).raw(&proof.tac);
    }
}

fn read_application(from: &mut Reader<'_>) -> Result<Application, CodecError> {
    Ok(Application {
        id: from.u16()?,
        name: from.bytes()?.to_vec(),
        lock: match from.u8()? {
            0 => Lock::Open,
            1 => Lock::Temporary,
            2 => Lock::Permanent,
            _ => return Err(CodecError::Unknown),
        },
        failures: from.u8()?,
        files: list(from, MOST, read_file)?,
        keys: list(from, MOST, read_key)?,
        pin: if flag(from)? {
            Some(Pin { id: from.u8()?, digits: from.bytes()?.to_vec(), tries: read_tries(from)? })
        } else {
            None
        },
        purse: Purse {
            balance: from.u32()?,
            n: from.u16()?,
            m: from.u16()?,
            log: list(from, MOST, read_record)?,
            loads: list(from, MOST, read_record)?,
            proofs: list(from, PROOF_DEPTH, read_proof)?,
        },
    })
}

fn flag(from: &mut Reader<'_>) -> Result<bool, CodecError> {
    match from.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(CodecError::Unknown),
    }
}

fn count<T>(list: &[T]) -> u8 {
    u8::try_from(list.len()).unwrap_or(u8::MAX)
}

fn list<T>(
    from: &mut Reader<'_>,
    most: usize,
    read: fn(&mut Reader<'_>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let length = usize::from(from.u8()?);
    if length > most {
        return Err(CodecError::Unknown);
    }
    (0..length).map(|_| read(from)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{Access, Guard};

    fn with(file: File, proofs: usize) -> Memory {
        let keys = CardKeys {
            load: Key16::new([1; 16]),
            purchase: Key16::new([2; 16]),
            tac: Key16::new([3; 16]),
            maintenance: Key16::new([4; 16]),
        };
        let set = KeySet { suite: Suite::TripleDes, keys };
        let validity = crate::files::Validity { from: [0; 4], until: [0x99; 4] };
        let profile = Profile { issuer: [1; 8], application_version: 1, key_version: 1, validity };
        let (switches, nobody) = (Switches::CAMPUS, HolderFile::NOBODY);
        let mut memory = Memory::personalised([9; 10], (&set, &[]), &profile, switches, &nobody, [0; 16]);
        memory.files.push(file);
        let proof = Proof { kind: Kind::Load, seq: 1, mac: [5; 4], tac: [6; 4] };
        if let Some(application) = &mut memory.application {
            application.purse.proofs = vec![proof; proofs];
        }
        memory
    }

    fn file(shape: Shape, rows: &[usize]) -> File {
        let form = FileForm { id: 0x0009, guard: Guard::Plain, read: Access::Free, write: Access::Free, shape };
        File { form, rows: rows.iter().map(|length| vec![7; *length]).collect() }
    }

    #[test]
    fn a_file_whose_rows_its_form_does_not_allow_is_no_image() {
        let fixed = Shape::Fixed { most: 2, length: 3 };
        let (variable, cyclic) = (Shape::Variable { most: 2, length: 3 }, Shape::Cyclic { most: 2, length: 3 });
        let table: [(Shape, &[usize], bool); 24] = [
            (Shape::Binary(3), &[3], true),
            (Shape::Binary(3), &[], false),
            (Shape::Binary(3), &[2], false),
            (Shape::Binary(3), &[4], false),
            (Shape::Binary(3), &[3, 3], false),
            (fixed.clone(), &[3, 3], true),
            (fixed.clone(), &[3], false),
            (fixed.clone(), &[3, 3, 3], false),
            (fixed, &[3, 2], false),
            (variable.clone(), &[], true),
            (variable.clone(), &[1, 3], true),
            (variable.clone(), &[1, 4], false),
            (variable, &[1, 1, 1], false),
            (cyclic.clone(), &[], true),
            (cyclic.clone(), &[3], true),
            (cyclic.clone(), &[3, 3], true),
            (cyclic.clone(), &[3, 2], false),
            (cyclic.clone(), &[3, 4], false),
            (cyclic, &[3, 3, 3], false),
            (Shape::Keys, &[], true),
            (Shape::Keys, &[1], false),
            (Shape::Purse, &[], true),
            (Shape::Purse, &[1], false),
            (Shape::Application(vec![1; 5]), &[], false),
        ];
        for (shape, rows, good) in table {
            let memory = with(file(shape.clone(), rows), 0);
            let expected = if good { Ok(memory.clone()) } else { Err(ImageFault::Damaged) };
            assert_eq!(Memory::decode(&memory.encode()), expected, "{shape:?} {rows:?}");
        }
    }

    #[test]
    fn each_block_and_each_switch_is_read_as_it_was_written() {
        for lock in [Lock::Open, Lock::Temporary, Lock::Permanent] {
            let mut memory = with(file(Shape::Binary(1), &[1]), 0);
            if let Some(application) = &mut memory.application {
                application.lock = lock;
                application.failures = 2;
                application.pin = Some(Pin { id: 0, digits: vec![0x12, 0x34], tries: Tries { limit: 3, left: 1 } });
            }
            assert_eq!(Memory::decode(&memory.encode()), Ok(memory), "{lock:?}");
        }
        let one_by_one = [
            Switches { session_form: SessionForm::Doubled, ..Switches::CAMPUS },
            Switches { log_seq: Counted::Before, ..Switches::CAMPUS },
            Switches { proof_seq: Counted::Before, ..Switches::CAMPUS },
            Switches { loads_apart: true, ..Switches::CAMPUS },
            Switches { log_records: 20, ..Switches::CAMPUS },
            Switches { pin_for_load: true, ..Switches::CAMPUS },
            Switches { pin_for_log: true, ..Switches::CAMPUS },
            Switches { security_id: Some([7; 9]), ..Switches::CAMPUS },
        ];
        for switches in one_by_one {
            for blocked in [false, true] {
                let memory = Memory { switches, blocked, ..with(file(Shape::Binary(1), &[1]), 0) };
                assert_eq!(Memory::decode(&memory.encode()), Ok(memory), "{switches:?}");
            }
        }
    }

    #[test]
    fn a_card_keeps_four_proofs_and_no_image_more() {
        for (proofs, good) in [(3, true), (4, true), (5, false), (6, false)] {
            let memory = with(file(Shape::Binary(1), &[1]), proofs);
            let expected = if good { Ok(memory.clone()) } else { Err(ImageFault::Damaged) };
            assert_eq!(Memory::decode(&memory.encode()), expected, "{proofs}");
        }
    }

    #[test]
    fn an_image_under_a_right_checksum_is_refused_or_is_read_as_it_stands() {
        let image = with(file(Shape::Binary(1), &[1]), 1).encode();
        let mut refused = 0_usize;
        for place in 1..image.len() - 16 {
            for value in [0x00, 0x01, 0x02, 0x03, 0x7F, 0xFF] {
                let mut changed = image[..image.len() - 16].to_vec();
                changed[place] = value;
                changed.extend(checksum(&changed));
                match Memory::decode(&changed) {
                    // A file type has sizes that stand nowhere: they are written as they are always written.
                    Ok(memory) => assert_eq!(Memory::decode(&memory.encode()), Ok(memory), "{place} {value:02X}"),
                    Err(fault) => {
                        assert_eq!(fault, ImageFault::Damaged);
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }
}
