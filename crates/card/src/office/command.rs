//! Commands of the office, built: one function per command.

use crate::apdu::Command;
use crate::apdu::office::{
    BLOCK_CARD, OfficeCommand, UNBLOCK_APPLICATION, append_record_header, block_application_header, unblock_pin_header,
    update_binary_header, update_record_header, write_key_header,
};
use crate::crypto::{Algorithm, Key16};
use crate::filesystem::FileForm;
use crate::host::KeySet;
use crate::keystore::{KeyForm, KeyKind, OfficeUse, pin_form};
use crate::secure::{Header, TooLong, authentication_under, protect_sealed_under, protect_under, reload_mac};

/// SELECT by file id.
pub fn select_file(id: u16) -> Vec<u8> {
    Command::SelectFile(id).encode()
}

/// CREATE FILE in the directory that is selected, after EXTERNAL AUTHENTICATE with the control key.
pub fn create_file(form: FileForm) -> Vec<u8> {
    Command::Office(OfficeCommand::CreateFile(form)).encode()
}

/// EXTERNAL AUTHENTICATE, the answer to a challenge of four or eight bytes. A wrong key costs one try.
pub fn external_authenticate(algorithm: Algorithm, key: &Key16, id: u8, challenge: &[u8]) -> Vec<u8> {
    Command::ExternalAuthenticate { key: id, cryptogram: authentication_under(algorithm, key, challenge) }.encode()
}

/// INTERNAL AUTHENTICATE: the card encrypts `text`, whole blocks, under its key of that identifier.
pub fn internal_authenticate(id: u8, text: &[u8]) -> Vec<u8> {
    Command::InternalAuthenticate { mode: 0x00, key: id, data: text.to_vec() }.encode()
}

/// VERIFY PIN.
pub fn verify_pin(id: u8, pin: &[u8]) -> Vec<u8> {
    Command::VerifyPin { id, pin: pin.to_vec() }.encode()
}

/// WRITE KEY, encrypted under the control key that the card has now. Error: `TooLong` never for a key.
pub fn write_key(
    algorithm: Algorithm,
    control: &Key16,
    challenge: [u8; 4],
    form: &KeyForm,
) -> Result<Vec<u8>, TooLong> {
    protect_sealed_under(algorithm, control, challenge, write_key_header(form.kind, form.id), &form.encode())
}

/// WRITE KEY of a PIN.
pub fn write_pin(
    algorithm: Algorithm,
    control: &Key16,
    challenge: [u8; 4],
    id: u8,
    pin: &[u8],
) -> Result<Vec<u8>, TooLong> {
    protect_sealed_under(algorithm, control, challenge, write_key_header(KeyKind::Pin, id), &pin_form(pin))
}

/// UPDATE BINARY with a MAC; encrypted too when `sealed`. Error: `TooLong`.
pub fn update_binary(
    set: &KeySet,
    challenge: [u8; 4],
    (file, offset): (u8, u8),
    data: &[u8],
    sealed: bool,
) -> Result<Vec<u8>, TooLong> {
    let protect = if sealed { protect_sealed_under } else { protect_under };
    protect(set.suite.algorithm(), &set.keys.maintenance, challenge, update_binary_header(file, offset), data)
}

/// UPDATE RECORD with a MAC. Error: `TooLong`.
pub fn update_record(
    set: &KeySet,
    challenge: [u8; 4],
    (file, record): (u8, u8),
    data: &[u8],
) -> Result<Vec<u8>, TooLong> {
    protect_under(set.suite.algorithm(), &set.keys.maintenance, challenge, update_record_header(file, record), data)
}

/// APPEND RECORD with a MAC under any key: the maintenance key in the application, the control key in the root.
pub fn append_record(
    algorithm: Algorithm,
    key: &Key16,
    challenge: [u8; 4],
    file: u8,
    data: &[u8],
) -> Result<Vec<u8>, TooLong> {
    protect_under(algorithm, key, challenge, append_record_header(file), data)
}

/// APPLICATION BLOCK; for good when `permanent`. Repeats: harmless, each under a challenge of its own.
pub fn block_application(set: &KeySet, challenge: [u8; 4], permanent: bool) -> Vec<u8> {
    bare(set, challenge, block_application_header(permanent))
}

/// APPLICATION UNBLOCK. Three wrong ones lock the application for good: never try keys with it.
pub fn unblock_application(set: &KeySet, challenge: [u8; 4]) -> Vec<u8> {
    bare(set, challenge, UNBLOCK_APPLICATION)
}

/// CARD BLOCK: there is no way back.
pub fn block_card(set: &KeySet, challenge: [u8; 4]) -> Vec<u8> {
    bare(set, challenge, BLOCK_CARD)
}

/// PIN UNBLOCK: the tries of the PIN begin anew. Error: `TooLong` never for a PIN.
pub fn unblock_pin(set: &KeySet, challenge: [u8; 4], id: u8, pin: &[u8]) -> Result<Vec<u8>, TooLong> {
    let key = set.office_key(OfficeUse::UnblockPin);
    protect_sealed_under(set.suite.algorithm(), &key, challenge, unblock_pin_header(id), pin)
}

/// RELOAD PIN: another PIN, for a holder who forgot it. In clear, and good as often as it is heard: at the office's own
/// reader alone.
pub fn reload_pin(set: &KeySet, id: u8, pin: &[u8]) -> Vec<u8> {
    let key = set.office_key(OfficeUse::ReloadPin);
    let mac = reload_mac(set.suite.algorithm(), &key, pin);
    Command::Office(OfficeCommand::ReloadPin { id, pin: pin.to_vec(), mac }).encode()
}

/// A command without data under a MAC; it always fits.
fn bare(set: &KeySet, challenge: [u8; 4], header: Header) -> Vec<u8> {
    protect_under(set.suite.algorithm(), &set.keys.maintenance, challenge, header, &[]).unwrap_or_default()
}
