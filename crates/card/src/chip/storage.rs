//! Selecting, reading and writing files.

use super::{Chip, Place};
use crate::apdu::office::Body;
use crate::files::LogRecord;
use crate::filesystem::{Access, File, Guard, Shape};
use crate::memory::Lock;
use crate::profile::{LOAD_LOG_ID, LOG_ID, PUBLIC_ID, ROOT_ID, ROOT_NAME};
use crate::status::Status;

impl Chip {
    pub(super) fn select(&mut self, name: &[u8]) -> Result<Vec<u8>, Status> {
        if name == ROOT_NAME {
            return self.select_file(ROOT_ID);
        }
        match &self.memory.application {
            Some(application) if application.name == name => self.enter_application(),
            _ => Err(Status::FileNotFound),
        }
    }

    pub(super) fn select_file(&mut self, id: u16) -> Result<Vec<u8>, Status> {
        if id == ROOT_ID {
            self.enter(Place::Root);
            let directory: &[u8] = if self.memory.has_directory() { &[0x88, 0x01, 0x01] } else { &[] };
            return Ok(template(&ROOT_NAME, directory));
        }
        if self.memory.application.as_ref().is_some_and(|application| application.id == id) {
            return self.enter_application();
        }
        let here = self.files_here().iter().find(|file| file.form.id == id).ok_or(Status::FileNotFound)?;
        let fci = tagged(&[0x6F], &[tagged(&[0x82], &here.form.encode()), tagged(&[0x83], &id.to_be_bytes())].concat());
        let blocked = self.field.place == Place::Application
            && self.memory.application.as_ref().is_some_and(|application| application.lock != Lock::Open);
        if blocked && id != PUBLIC_ID {
            return Err(Status::Blocked);
        }
        self.field.file = Some(id);
        Ok(fci)
    }

    /// A temporarily blocked application says so and is selected all the same, to be unblocked.
    fn enter_application(&mut self) -> Result<Vec<u8>, Status> {
        self.enter(Place::Application);
        let application = self.application()?;
        match application.lock {
            Lock::Open => {}
            Lock::Temporary => return Err(Status::Blocked),
            Lock::Permanent => return Err(Status::PermanentlyLocked),
        }
        let public = application.file(PUBLIC_ID).and_then(|file| file.bytes().ok());
        let issuer = public.map(|bytes| tagged(&[0x9F, 0x0C], bytes)).unwrap_or_default();
        Ok(template(&application.name, &issuer))
    }

    /// Rights that were gained in one directory do not count in another.
    fn enter(&mut self, place: Place) {
        if self.field.place != place {
            self.field.authenticated = false;
            self.field.pin = false;
        }
        self.field.place = place;
        self.field.file = None;
    }

    fn files_here(&self) -> &[File] {
        match (self.field.place, &self.memory.application) {
            (Place::Application, Some(application)) => &application.files,
            _ => &self.memory.files,
        }
    }

    fn files_here_mut(&mut self) -> &mut Vec<File> {
        match (self.field.place, &mut self.memory.application) {
            (Place::Application, Some(application)) => &mut application.files,
            _ => &mut self.memory.files,
        }
    }

    /// The file with this short identifier, or the one that is selected for 0. Error: 6A82.
    pub(super) fn file(&self, short: u8) -> Result<&File, Status> {
        let selected = self.field.file;
        let found = self.files_here().iter().find(|file| is(file, short, selected));
        found.ok_or(Status::FileNotFound)
    }

    fn may(&self, access: Access) -> Result<(), Status> {
        let allowed = match access {
            Access::Free => true,
            Access::Pin => self.field.pin,
            Access::Authenticated => self.field.authenticated || self.field.controlled,
            Access::Never => false,
        };
        if allowed { Ok(()) } else { Err(Status::SecurityNotSatisfied) }
    }

    pub(super) fn read_binary(&self, short: u8, offset: u8, length: u8) -> Result<Vec<u8>, Status> {
        let file = self.file(short)?;
        let bytes = file.bytes()?;
        self.may(file.form.read)?;
        let rest = bytes.get(usize::from(offset)..).filter(|rest| !rest.is_empty()).ok_or(Status::WrongOffset)?;
        let left = u8::try_from(rest.len()).unwrap_or(u8::MAX);
        let length = if length == 0 { left } else { length };
        rest.get(..usize::from(length)).map(<[u8]>::to_vec).ok_or(Status::WrongExpectedLength(left))
    }

    pub(super) fn read_record(&self, short: u8, record: u8, length: u8) -> Result<Vec<u8>, Status> {
        let file = self.file(short)?;
        let bytes = match (self.log_of(file), &file.form.shape) {
            (Some(log), _) => {
                self.may(file.form.read)?;
                let row = usize::from(record).checked_sub(1).and_then(|place| log.get(place));
                row.map(LogRecord::encode).ok_or(Status::RecordNotFound)?
            }
            (None, Shape::Fixed { .. } | Shape::Variable { .. } | Shape::Cyclic { .. }) => {
                self.may(file.form.read)?;
                file.record(record)?.to_vec()
            }
            (None, _) => return Err(Status::WrongFileType),
        };
        let whole = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        if length == 0 || length == whole { Ok(bytes) } else { Err(Status::WrongExpectedLength(whole)) }
    }

    /// The log behind a file, which the card alone writes.
    fn log_of(&self, file: &File) -> Option<&[LogRecord]> {
        let application = self.application().ok().filter(|application| application.has_purse())?;
        match file.form.id {
            LOG_ID => Some(&application.purse.log),
            LOAD_LOG_ID => Some(&application.purse.loads),
            _ => None,
        }
    }

    /// Writes to a file, under its rights and its protection.
    pub(super) fn write(
        &mut self,
        short: u8,
        body: Body,
        challenge: Option<Vec<u8>>,
        change: impl FnOnce(&mut File, &[u8]) -> Result<(), Status>,
    ) -> Result<Vec<u8>, Status> {
        let file = self.file(short)?;
        let (guard, write) = (file.form.guard, file.form.write);
        if self.log_of(file).is_some() {
            return Err(Status::SecurityNotSatisfied);
        }
        self.may(write)?;
        let data = match body {
            Body::Plain(data) if guard == Guard::Plain => data,
            Body::Plain(_) => return Err(Status::SecureMessagingMissing),
            Body::Protected(body) => self.unwrapped(&body, challenge, guard == Guard::Sealed)?,
        };
        let selected = self.field.file;
        let file = self.files_here_mut().iter_mut().find(|file| is(file, short, selected));
        change(file.ok_or(Status::FileNotFound)?, &data).map(|()| Vec::new())
    }

    pub(super) fn data_object(&self, object: u16, length: u8) -> Result<Vec<u8>, Status> {
        match (object, &self.memory.switches.security_id) {
            (0x0000, Some(identifier)) if length == 0 || length == 9 => Ok(identifier.to_vec()),
            (0x0000, Some(_)) => Err(Status::WrongExpectedLength(9)),
            _ => Err(Status::DataNotFound),
        }
    }
}

fn is(file: &File, short: u8, selected: Option<u16>) -> bool {
    if short == 0 { selected == Some(file.form.id) } else { file.short() == short }
}

/// File control information of a directory.
fn template(name: &[u8], proprietary: &[u8]) -> Vec<u8> {
    tagged(&[0x6F], &[tagged(&[0x84], name), tagged(&[0xA5], proprietary)].concat())
}

/// An element of the file control information; values here are far below 128 bytes.
fn tagged(tag: &[u8], value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [tag, &[length], value].concat()
}
