//! The thread that talks to the card: connecting and transmitting may take as long as a driver likes, so whoever asks waits
//! for the answer no longer than he wants.

use std::ffi::CStr;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use pcsc::{
    Card, Context, Disposition, Error, MAX_BUFFER_SIZE, Protocol, Protocols, ReaderState, Scope, ShareMode, State,
};

use super::exchange::whole;
use super::sight::Place;
use crate::channel::Insertion;

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The card's answer, two bytes at least.
    Answer(Vec<u8>),
    /// The card was reset in between and has lost its session; this command did not reach it.
    Reset,
    /// No answer.
    Nothing(String),
}

enum Job {
    Exchange { insertion: Insertion, place: Place, command: Vec<u8>, to: SyncSender<Said> },
    LetGo,
}

/// The way to the thread; it ends when this is dropped and what is under way is over.
pub(super) struct Line(Sender<Job>);

impl Line {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Line> {
        let (jobs, given) = channel();
        thread::Builder::new().name("card".into()).spawn(move || serve(&given)).map(|_| Line(jobs))
    }

    /// One command to the card that lies at `place`. `None` when the time is over: the line is stuck.
    pub(super) fn exchange(
        &self,
        insertion: Insertion,
        place: Place,
        command: &[u8],
        within: Duration,
    ) -> Option<Said> {
        let (to, answer) = sync_channel(1);
        self.0.send(Job::Exchange { insertion, place, command: command.to_vec(), to }).ok()?;
        answer.recv_timeout(within).ok()
    }

    /// The card loses its power.
    pub(super) fn let_go(&self) {
        // Without the thread there is no connection either.
        let _ = self.0.send(Job::LetGo);
    }
}

/// A connection to the card of one insertion.
struct Link {
    insertion: Insertion,
    card: Card,
    /// It speaks T=0.
    contact: bool,
    /// It has answered a command, so that it may have a session.
    used: bool,
}

fn serve(jobs: &Receiver<Job>) {
    let mut link: Option<Link> = None;
    for job in jobs {
        match job {
            Job::LetGo => let_go(link.take(), Disposition::UnpowerCard),
            Job::Exchange { insertion, place, command, to } => {
                let said = exchange(&mut link, insertion, &place, &command);
                if !matches!(said, Said::Answer(_)) {
                    // It may have left without the service knowing: then powering it down confuses the service.
                    let_go(link.take(), Disposition::LeaveCard);
                }
                // Who asked may have given up.
                let _ = to.send(said);
            }
        }
    }
    let_go(link.take(), Disposition::UnpowerCard);
}

fn let_go(link: Option<Link>, disposition: Disposition) {
    if let Some(Link { card, .. }) = link {
        // Fails when the card has left or the service is gone; then there is nothing to switch off.
        if let Err((card, _)) = card.disconnect(disposition) {
            drop(card);
        }
    }
}

fn exchange(link: &mut Option<Link>, insertion: Insertion, place: &Place, command: &[u8]) -> Said {
    if link.as_ref().is_some_and(|link| link.insertion != insertion) {
        let_go(link.take(), Disposition::UnpowerCard);
    }
    let first = link.as_ref().is_none_or(|link| !link.used);
    match try_exchange(link, insertion, place, command) {
        // The service resets a card that it has only just noticed. It refuses the command then, before the card gets it,
        // and before the first answer no session can be lost: this is the first time that the command is sent.
        Ok(Err(Error::ResetCard)) if first => {
            let_go(link.take(), Disposition::LeaveCard);
            match try_exchange(link, insertion, place, command) {
                Ok(sent) => said(link, sent),
                Err(why) => Said::Nothing(why),
            }
        }
        Ok(sent) => said(link, sent),
        Err(why) => Said::Nothing(why),
    }
}

fn said(link: &mut Option<Link>, sent: Result<Vec<u8>, Error>) -> Said {
    match sent {
        // A card that is pulled away in mid-command may leave an answer of no bytes behind, as success.
        Ok(answer) if answer.len() < 2 => Said::Nothing("the answer has fewer than two bytes".to_owned()),
        Ok(answer) => {
            if let Some(link) = link {
                link.used = true;
            }
            Said::Answer(answer)
        }
        Err(Error::ResetCard) => Said::Reset,
        Err(error) => Said::Nothing(error.to_string()),
    }
}

/// Connects where that is needed, and sends. Error outside: nothing was sent.
fn try_exchange(
    link: &mut Option<Link>,
    insertion: Insertion,
    place: &Place,
    command: &[u8],
) -> Result<Result<Vec<u8>, Error>, String> {
    let link = match link {
        Some(link) => link,
        None => link.insert(connect(insertion, place)?),
    };
    let mut room = [0; MAX_BUFFER_SIZE];
    let mut send = |frame: &[u8]| link.card.transmit(frame, &mut room).map(<[u8]>::to_vec);
    Ok(whole(link.contact, command, &mut send))
}

/// Connects to the card of `place` alone, for as long as this connection lasts.
///
/// Exclusively: between INITIALIZE and CREDIT or DEBIT any command of another program would end the card's session, and a
/// terminal owns its reader anyway. Another program that holds the card is told of, and nothing is sent.
fn connect(insertion: Insertion, place: &Place) -> Result<Link, String> {
    let context = Context::establish(Scope::System).map_err(|error| error.to_string())?;
    let card = context.connect(&place.reader, ShareMode::Exclusive, Protocols::ANY).map_err(|error| match error {
        Error::SharingViolation => "another program uses the reader; close it".to_owned(),
        error => error.to_string(),
    })?;
    let protocol = card.status2_owned().map_err(|error| error.to_string())?.protocol2();
    // From here on the service tells when this card leaves. It could have been another one before.
    match now(&context, &place.reader) {
        Ok(Some(count)) if count == place.event.count => {
            Ok(Link { insertion, card, contact: protocol == Some(Protocol::T0), used: false })
        }
        Ok(_) => Err("the card was changed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The reader's count of events, where a card is present.
fn now(context: &Context, reader: &CStr) -> Result<Option<u32>, Error> {
    let mut state = [ReaderState::new(reader, State::UNAWARE)];
    context.get_status_change(Duration::ZERO, &mut state)?;
    let [state] = &state;
    Ok(state.event_state().contains(State::PRESENT).then(|| state.event_count()))
}
