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

    /// The card's turn is over.
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

/// The thread's end of the line.
#[derive(Default)]
struct Hand {
    link: Option<Link>,
    /// Whose turn is over: a card that is asked again has lost its session.
    over: Option<Insertion>,
}

/// Why a command has no answer.
enum Silence {
    /// It did not go out, or the service refused it: the card has not got it.
    NotSent(Error),
    /// Not sent, for this reason.
    NoCard(String),
    /// The card may have got it.
    Lost(Error),
}

fn serve(jobs: &Receiver<Job>) {
    let mut hand = Hand::default();
    for job in jobs {
        match job {
            Job::LetGo => hand.let_go(),
            Job::Exchange { insertion, place, command, to } => {
                let said = hand.exchange(insertion, &place, &command);
                if !matches!(said, Said::Answer(_)) {
                    hand.let_go();
                }
                // Who asked may have given up.
                let _ = to.send(said);
            }
        }
    }
    hand.let_go();
}

impl Hand {
    /// Frees the card. Its power is left to the service, which takes it from a card that nobody uses: a card may have gone
    /// without the service knowing, and powering that one down makes the service (1.9.9) miss the next.
    fn let_go(&mut self) {
        if let Some(Link { card, insertion, .. }) = self.link.take() {
            self.over = Some(insertion);
            leave(card);
        }
    }

    fn exchange(&mut self, insertion: Insertion, place: &Place, command: &[u8]) -> Said {
        if self.link.as_ref().is_some_and(|link| link.insertion != insertion) {
            self.let_go();
        }
        let used = self.link.as_ref().is_some_and(|link| link.used);
        let mut sent = self.send(insertion, place, command);
        // The service resets a card that it has only just noticed. It refuses the command then, and before the first
        // answer no session can be lost: this is the first time that the card gets the command.
        if !used && matches!(sent, Err(Silence::NotSent(Error::ResetCard))) {
            self.let_go();
            sent = self.send(insertion, place, command);
        }
        match sent {
            // A card that is pulled away in mid-command may leave an answer of no bytes behind, as success.
            Ok(answer) if answer.len() < 2 => Said::Nothing("the answer has fewer than two bytes".to_owned()),
            Ok(answer) => {
                if let Some(link) = &mut self.link {
                    link.used = true;
                }
                Said::Answer(answer)
            }
            Err(Silence::NotSent(Error::ResetCard)) => Said::Reset,
            Err(Silence::NotSent(error) | Silence::Lost(error)) => Said::Nothing(error.to_string()),
            Err(Silence::NoCard(why)) => Said::Nothing(why),
        }
    }

    /// Connects where that is needed, and sends.
    fn send(&mut self, insertion: Insertion, place: &Place, command: &[u8]) -> Result<Vec<u8>, Silence> {
        let fresh = self.over != Some(insertion);
        let link = match &mut self.link {
            Some(link) => link,
            none => none.insert(connect(insertion, place, fresh).map_err(Silence::NoCard)?),
        };
        let mut room = [0; MAX_BUFFER_SIZE];
        let mut frames = 0_u8;
        let mut send = |frame: &[u8]| {
            frames = frames.saturating_add(1);
            link.card.transmit(frame, &mut room).map(<[u8]>::to_vec)
        };
        let answer = whole(link.contact, command, &mut send);
        answer.map_err(|error| match error {
            // The service looks before it sends; what was sent before was not this frame but the command.
            Error::ResetCard if frames == 1 => Silence::NotSent(error),
            _ => Silence::Lost(error),
        })
    }
}

fn leave(card: Card) {
    // Fails when the service is gone; then there is nothing to free.
    if let Err((card, _)) = card.disconnect(Disposition::LeaveCard) {
        drop(card);
    }
}

/// Connects to the card of `place` alone, for as long as this connection lasts; one that is not `fresh` is reset.
///
/// Exclusively: between INITIALIZE and CREDIT or DEBIT any command of another program would end the card's session, and a
/// terminal owns its reader anyway. Another program that holds the card is told of, and nothing is sent.
fn connect(insertion: Insertion, place: &Place, fresh: bool) -> Result<Link, String> {
    let told = |error: Error| match error {
        Error::SharingViolation => "another program uses the reader; close it".to_owned(),
        error => error.to_string(),
    };
    let context = Context::establish(Scope::System).map_err(told)?;
    let mut card = context.connect(&place.reader, ShareMode::Exclusive, Protocols::ANY).map_err(told)?;
    // From here on the service tells when this card leaves. It could have been another one before.
    let mut ready = || {
        if count(&context, &place.reader)? != Some(place.event.count) {
            return Err(Error::RemovedCard);
        }
        if !fresh {
            card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard)?;
        }
        Ok(card.status2_owned()?.protocol2() == Some(Protocol::T0))
    };
    match ready() {
        Ok(contact) => Ok(Link { insertion, card, contact, used: false }),
        Err(error) => {
            leave(card);
            Err(told(error))
        }
    }
}

/// The reader's count of events, where a card is present.
fn count(context: &Context, reader: &CStr) -> Result<Option<u32>, Error> {
    let mut state = [ReaderState::new(reader, State::UNAWARE)];
    context.get_status_change(Duration::ZERO, &mut state)?;
    let [state] = &state;
    Ok(state.event_state().contains(State::PRESENT).then(|| state.event_count()))
}
