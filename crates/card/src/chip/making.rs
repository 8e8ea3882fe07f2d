//! What the card office sends: files, keys, blocks.

use super::{Chip, Place};
use crate::apdu::office::OfficeCommand;
use crate::filesystem::{File, FileForm, Shape};
use crate::keystore::{CONTROL_KEY, KeyForm, KeyKind, StoredKey, read_pin};
use crate::memory::{Application, Lock};
use crate::profile::ROOT_ID;
use crate::secure::Protected;
use crate::status::Status;

/// Files of a directory.
const MOST_FILES: usize = 32;
/// Keys of an application.
const MOST_KEYS: usize = 64;
/// Bytes of all records of a file.
const MOST_BYTES: u16 = 4_096;

impl Chip {
    pub(super) fn serve_office(
        &mut self,
        command: OfficeCommand,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        match command {
            OfficeCommand::CreateFile(form) => self.create(form),
            OfficeCommand::WriteKey { kind, id, body } => self.write_key(kind, id, &body, challenge),
            OfficeCommand::UpdateBinary { file, offset, body } => {
                self.write(file, body, challenge, |file, data| file.overwrite(offset, data))
            }
            OfficeCommand::UpdateRecord { file, record, body } => {
                self.write(file, body, challenge, |file, data| file.replace(record, data))
            }
            OfficeCommand::AppendRecord { file, body } => self.write(file, body, challenge, File::append),
            OfficeCommand::BlockApplication { permanent, body } => {
                self.maintained_by(&body, challenge, KeyKind::Maintenance)?;
                self.application_mut()?.lock = if permanent { Lock::Permanent } else { Lock::Temporary };
                Ok(Vec::new())
            }
            OfficeCommand::UnblockApplication(body) => {
                self.maintained_by(&body, challenge, KeyKind::Maintenance)?;
                self.application_mut()?.lock = Lock::Open;
                Ok(Vec::new())
            }
            OfficeCommand::BlockCard(body) => {
                self.unwrapped(&body, challenge, false)?;
                self.memory.blocked = true;
                Ok(Vec::new())
            }
            OfficeCommand::UnblockPin { id, body } => self.unblock_pin(id, &body, challenge),
            OfficeCommand::ReloadPin { id, pin, mac } => self.reload_pin(id, &pin, mac),
        }
    }

    /// CREATE FILE. Errors, in order: 6982 without the control key, 6A86 for what does not belong here or is too large,
    /// 6985 for a file that is there.
    fn create(&mut self, form: FileForm) -> Result<Vec<u8>, Status> {
        if !self.field.controlled {
            return Err(Status::SecurityNotSatisfied);
        }
        let size = match form.shape {
            Shape::Fixed { most, length } | Shape::Variable { most, length } | Shape::Cyclic { most, length } => {
                u16::from(most).saturating_mul(u16::from(length))
            }
            Shape::Binary(_) | Shape::Purse | Shape::Keys | Shape::Application(_) => 0,
        };
        if size > MOST_BYTES || form.id == ROOT_ID {
            return Err(Status::WrongParameters);
        }
        if matches!(form.shape, Shape::Application(_)) {
            return self.create_application(form);
        }
        let inside = self.field.place == Place::Application;
        if !inside && matches!(form.shape, Shape::Purse | Shape::Keys) {
            return Err(Status::WrongParameters);
        }
        let files = match &mut self.memory.application {
            Some(application) if inside => &mut application.files,
            _ => &mut self.memory.files,
        };
        let file = File::new(form);
        if files.iter().any(|other| other.form.id == file.form.id || same_short(other, &file)) {
            return Err(Status::ConditionsNotSatisfied);
        }
        if files.len() >= MOST_FILES {
            return Err(Status::WrongParameters);
        }
        files.push(file);
        Ok(Vec::new())
    }

    fn create_application(&mut self, form: FileForm) -> Result<Vec<u8>, Status> {
        if self.field.place != Place::Root {
            return Err(Status::WrongParameters);
        }
        if self.memory.application.is_some() {
            return Err(Status::ConditionsNotSatisfied);
        }
        self.memory.application = Some(Application::new(form));
        Ok(Vec::new())
    }

    /// WRITE KEY, always encrypted under the control key; key 0 of EXTERNAL AUTHENTICATE is that key itself. A key that is
    /// there is replaced.
    ///
    /// Errors, in order: those of secure messaging, 6988 for a text that does not open, 6A86 for a header that is none,
    /// 6985 outside of the application, 6A82 before there is a key file.
    fn write_key(
        &mut self,
        kind: KeyKind,
        id: u8,
        body: &Protected,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let (algorithm, control) = self.controlled_by(body, challenge)?;
        let plain = body.opened(algorithm, &control).ok_or(Status::SecureMessagingWrong)?;
        if (kind, id) == (KeyKind::External, CONTROL_KEY) {
            let form = KeyForm::decode(kind, id, &plain).map_err(|_| Status::WrongParameters)?;
            self.memory.control = form.stored();
            return Ok(Vec::new());
        }
        let application = self.application_mut()?;
        if !application.files.iter().any(|file| file.form.shape == Shape::Keys) {
            return Err(Status::FileNotFound);
        }
        if kind == KeyKind::Pin {
            application.pin = Some(read_pin(id, &plain).map_err(|_| Status::WrongParameters)?);
            return Ok(Vec::new());
        }
        let key = KeyForm::decode(kind, id, &plain).map_err(|_| Status::WrongParameters)?.stored();
        put(&mut application.keys, key)?;
        Ok(Vec::new())
    }
}

/// Two files that a short identifier could not tell apart; the key file has none.
fn same_short(one: &File, other: &File) -> bool {
    one.short() == other.short() && one.form.shape != Shape::Keys && other.form.shape != Shape::Keys
}

fn put(keys: &mut Vec<StoredKey>, key: StoredKey) -> Result<(), Status> {
    let full = keys.len() >= MOST_KEYS;
    match keys.iter_mut().find(|other| other.kind == key.kind && other.id == key.id) {
        Some(other) => *other = key,
        None if full => return Err(Status::WrongParameters),
        None => keys.push(key),
    }
    Ok(())
}
