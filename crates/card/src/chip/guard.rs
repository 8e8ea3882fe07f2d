//! Who may do what: secure messaging, authentication, PINs.

use super::{Chip, Place};
use crate::crypto::{Algorithm, Key16, mac_sm4, mac16, same_bytes};
use crate::keystore::{CONTROL_KEY, KeyKind};
use crate::memory::Lock;
use crate::secure::{Protected, authentication_under, reload_mac};
use crate::status::Status;

/// Wrong MACs in a row that lock the application for good.
const MOST_FAILURES: u8 = 3;

impl Chip {
    /// The data of a protected command for the directory that is selected: under the application's maintenance key, or
    /// under the control key in the root.
    pub(super) fn unwrapped(
        &mut self,
        body: &Protected,
        challenge: Option<Vec<u8>>,
        sealed: bool,
    ) -> Result<Vec<u8>, Status> {
        let (algorithm, key) = match self.field.place {
            Place::Root => self.controlled_by(body, challenge)?,
            Place::Application => self.maintained_by(body, challenge, KeyKind::Maintenance)?,
        };
        if sealed { body.opened(algorithm, &key).ok_or(Status::SecureMessagingWrong) } else { Ok(body.data.clone()) }
    }

    /// Checks a MAC under a key of the application. Three wrong ones in a row lock it for good.
    ///
    /// Errors, in order: 6985 outside of it or without a challenge of four bytes, 9403, 6988, 9303 at the third.
    pub(super) fn maintained_by(
        &mut self,
        body: &Protected,
        challenge: Option<Vec<u8>>,
        kind: KeyKind,
    ) -> Result<(Algorithm, Key16), Status> {
        let challenge = of_four(challenge)?;
        let application = self.application_mut()?;
        let key = application.first_key(kind)?;
        let (algorithm, key) = (key.algorithm, key.key.clone());
        if body.proves(algorithm, &key, challenge) {
            application.failures = 0;
            return Ok((algorithm, key));
        }
        application.failures = application.failures.saturating_add(1);
        if application.failures < MOST_FAILURES {
            return Err(Status::SecureMessagingWrong);
        }
        application.lock = Lock::Permanent;
        Err(Status::PermanentlyLocked)
    }

    /// Checks a MAC under the control key, which locks itself at last.
    ///
    /// Errors, in order: 6985 without a challenge of four bytes, 6983, 6988.
    pub(super) fn controlled_by(
        &mut self,
        body: &Protected,
        challenge: Option<Vec<u8>>,
    ) -> Result<(Algorithm, Key16), Status> {
        let challenge = of_four(challenge)?;
        let control = &mut self.memory.control;
        if control.tries.left == 0 {
            return Err(Status::AuthenticationLocked);
        }
        if !body.proves(control.algorithm, &control.key, challenge) {
            control.tries.miss();
            return Err(Status::SecureMessagingWrong);
        }
        control.tries.reset();
        Ok((control.algorithm, control.key.clone()))
    }

    /// EXTERNAL AUTHENTICATE. Errors, in order: 6985 without a challenge, 9403, 6983, 63Cx.
    pub(super) fn authenticate(
        &mut self,
        id: u8,
        cryptogram: &[u8],
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let challenge = challenge.ok_or(Status::ConditionsNotSatisfied)?;
        let key = if id == CONTROL_KEY {
            &mut self.memory.control
        } else {
            let keys = &mut self.application_mut()?.keys;
            let found = keys.iter_mut().find(|key| key.kind == KeyKind::External && key.id == id);
            found.ok_or(Status::UnknownKey)?
        };
        if key.tries.left == 0 {
            return Err(Status::AuthenticationLocked);
        }
        if !same_bytes(&authentication_under(key.algorithm, &key.key, &challenge), cryptogram) {
            key.tries.miss();
            return Err(Status::TriesLeft(key.tries.left));
        }
        key.tries.reset();
        if id == CONTROL_KEY {
            self.field.controlled = true;
        } else {
            self.field.authenticated = true;
        }
        Ok(Vec::new())
    }

    /// INTERNAL AUTHENTICATE. Errors, in order: 6985, 9403, 6700 for a text that is not of whole blocks.
    pub(super) fn prove_self(&self, mode: u8, id: u8, data: &[u8]) -> Result<Vec<u8>, Status> {
        let kind = match mode {
            0x00 => KeyKind::Encrypt,
            0x01 => KeyKind::Decrypt,
            _ => KeyKind::Mac,
        };
        let key = self.application()?.key(kind, id)?;
        let algorithm = key.algorithm;
        match kind {
            KeyKind::Encrypt if data.len().is_multiple_of(algorithm.block()) => Ok(algorithm.seal(&key.key, data)),
            KeyKind::Decrypt => algorithm.open(&key.key, data).ok_or(Status::WrongLength),
            KeyKind::Mac => Ok(match algorithm {
                Algorithm::TripleDes => mac16(&key.key, [0; 8], data).to_vec(),
                Algorithm::Sm4 => mac_sm4(&key.key, [0; 16], data).to_vec(),
            }),
            _ => Err(Status::WrongLength),
        }
    }

    /// VERIFY PIN. Errors, in order: 6985, 9403, 6983, 63Cx.
    pub(super) fn verify_pin(&mut self, id: u8, digits: &[u8]) -> Result<Vec<u8>, Status> {
        self.field.pin = false;
        let pin = self.application_mut()?.pin.as_mut().filter(|pin| pin.id == id).ok_or(Status::UnknownKey)?;
        if pin.tries.left == 0 {
            return Err(Status::AuthenticationLocked);
        }
        if !same_bytes(&pin.digits, digits) {
            pin.tries.miss();
            return Err(Status::TriesLeft(pin.tries.left));
        }
        pin.tries.reset();
        self.field.pin = true;
        Ok(Vec::new())
    }

    /// PIN UNBLOCK: only who knows the PIN and holds the key. Errors: those of secure messaging, then 9403 without a PIN,
    /// 6988 for another one.
    pub(super) fn unblock_pin(
        &mut self,
        id: u8,
        body: &Protected,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let (algorithm, key) = self.maintained_by(body, challenge, KeyKind::UnblockPin)?;
        let digits = body.opened(algorithm, &key).ok_or(Status::SecureMessagingWrong)?;
        let pin = self.application_mut()?.pin.as_mut().filter(|pin| pin.id == id).ok_or(Status::UnknownKey)?;
        if !same_bytes(&pin.digits, &digits) {
            return Err(Status::SecureMessagingWrong);
        }
        pin.tries.reset();
        Ok(Vec::new())
    }

    /// RELOAD PIN. No challenge is in it: whoever heard it once can set that PIN again, as the standard has it.
    /// Errors, in order: 6985, 9403, 6983, 9302.
    pub(super) fn reload_pin(&mut self, id: u8, digits: &[u8], mac: [u8; 4]) -> Result<Vec<u8>, Status> {
        let application = self.application_mut()?;
        let key = application.keys.iter_mut().find(|key| key.kind == KeyKind::ReloadPin).ok_or(Status::UnknownKey)?;
        let pin = application.pin.as_mut().filter(|pin| pin.id == id).ok_or(Status::UnknownKey)?;
        if key.tries.left == 0 {
            return Err(Status::AuthenticationLocked);
        }
        if !same_bytes(&reload_mac(key.algorithm, &key.key, digits), &mac) {
            key.tries.miss();
            return Err(Status::WrongMac);
        }
        key.tries.reset();
        pin.digits = digits.to_vec();
        pin.tries.reset();
        Ok(Vec::new())
    }
}

/// Secure messaging takes a challenge of four bytes.
fn of_four(challenge: Option<Vec<u8>>) -> Result<[u8; 4], Status> {
    challenge.and_then(|challenge| challenge.try_into().ok()).ok_or(Status::ConditionsNotSatisfied)
}
