//! The thread that looks at the reader: cards that come and leave, a reader that is unplugged and comes back, a service
//! that is started anew.

use std::ffi::{CStr, CString};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use pcsc::{Context, Disposition, Error, PNP_NOTIFICATION, Protocols, ReaderState, Scope, ShareMode, State};

use super::sight::{Event, Place, Sight};
use super::{Shared, chosen, names};

/// How long a look lasts when nothing changes.
const LOOK: Duration = Duration::from_millis(100);
/// How long to wait for a service that is not there.
const PAUSE: Duration = Duration::from_millis(500);

/// Looks until the other end of `stop` is dropped.
pub(super) fn watch(wanted: &str, sight: &Shared, stop: &Receiver<()>) {
    let mut life = 0_u32;
    let mut lost = false;
    while !stopped(stop) {
        let served = Context::establish(Scope::System).and_then(|context| {
            let mut watch = Watch { context: &context, wanted, sight, stop, life: &mut life, lost: &mut lost };
            watch.readers()
        });
        sight.tell(Sight::lost);
        life = life.wrapping_add(1);
        if let Err(error) = served {
            if !lost {
                tracing::error!("card reader {wanted}: the PC/SC service does not answer ({error}); is pcscd running?");
            }
            lost = true;
            if stop.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }
}

fn stopped(stop: &Receiver<()>) -> bool {
    stop.try_recv() == Err(TryRecvError::Disconnected)
}

struct Watch<'a> {
    context: &'a Context,
    wanted: &'a str,
    sight: &'a Shared,
    stop: &'a Receiver<()>,
    life: &'a mut u32,
    lost: &'a mut bool,
}

impl Watch<'_> {
    /// Until the service fails or the end.
    fn readers(&mut self) -> Result<(), Error> {
        while !stopped(self.stop) {
            match chosen(&names(self.context)?, self.wanted) {
                Some(name) => {
                    if std::mem::take(self.lost) {
                        tracing::warn!("card reader {}: it is back", self.wanted);
                    }
                    self.cards(&name)?;
                    self.sight.tell(Sight::lost);
                    *self.life = self.life.wrapping_add(1);
                }
                None => {
                    if !std::mem::replace(self.lost, true) {
                        tracing::error!("card reader {}: it is not there; is it plugged in?", self.wanted);
                    }
                    let mut readers = [ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
                    match self.context.get_status_change(LOOK, &mut readers) {
                        Ok(()) | Err(Error::Timeout) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    /// Resets a card that stayed where an exchange broke off; one that takes no power stays hidden. Not before the service
    /// has looked at it again: a reset that fails since the card has just left makes the service (1.9.9) miss the next one.
    fn doubt(&self) {
        let Some(place) = self.sight.lock().calm() else { return };
        let connected = self.context.connect(&place.reader, ShareMode::Exclusive, Protocols::ANY);
        let Ok(mut card) = connected else { return };
        let there = card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard).is_ok();
        if card.disconnect(Disposition::LeaveCard).is_ok() && there {
            self.sight.tell(|sight| sight.stayed(&place));
        }
    }

    /// Until this reader is gone, or the end.
    fn cards(&mut self, name: &CStr) -> Result<(), Error> {
        let mut reader = [ReaderState::new(name, State::UNAWARE)];
        while !stopped(self.stop) {
            match self.context.get_status_change(LOOK, &mut reader) {
                Err(Error::Timeout) => self.doubt(),
                Err(Error::UnknownReader | Error::ReaderUnavailable) => return Ok(()),
                Err(error) => return Err(error),
                Ok(()) => {
                    let [now] = &mut reader;
                    let state = now.event_state();
                    if state.intersects(State::UNKNOWN | State::UNAVAILABLE | State::IGNORE) {
                        return Ok(());
                    }
                    let event = Event { life: *self.life, count: now.event_count() };
                    let place = Place { reader: CString::from(name), event };
                    self.sight.tell(|sight| sight.saw(place, state.contains(State::PRESENT)));
                    now.sync_current_state();
                }
            }
        }
        Ok(())
    }
}
