//! The thread that moves bytes between a reader and the driver, and sees cards come and go.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::channel::{CardChannel, Insertion};

/// How long a card may lie there unseen.
const LOOK: Duration = Duration::from_millis(20);

/// A command for the insertion it was meant for; another card never gets it.
pub(super) struct Command {
    pub(super) to: Insertion,
    pub(super) command: Vec<u8>,
}

pub(super) enum Event {
    In(Insertion),
    Out,
    Answer(Insertion, Vec<u8>),
}

/// Starts the thread; it ends when the sender of commands is dropped.
pub(super) fn start(card_channel: Box<dyn CardChannel>) -> io::Result<(Sender<Command>, UnboundedReceiver<Event>)> {
    let (commands, from_driver) = channel();
    let (to_driver, events) = unbounded_channel();
    std::thread::Builder::new()
        .name("card reader".into())
        .spawn(move || serve(card_channel, &from_driver, &to_driver))
        .map(|_| (commands, events))
}

fn serve(mut reader: Box<dyn CardChannel>, commands: &Receiver<Command>, events: &UnboundedSender<Event>) {
    let mut here = None;
    loop {
        match commands.recv_timeout(LOOK) {
            Ok(Command { to, command }) => {
                if here == Some(to) && reader.present() == here {
                    let answer = reader.transmit(&command);
                    let _ = events.send(Event::Answer(to, answer));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = reader.present();
        if now == here {
            continue;
        }
        if here.is_some() {
            reader.removed();
            let _ = events.send(Event::Out);
        }
        if let Some(insertion) = now {
            let _ = events.send(Event::In(insertion));
        }
        here = now;
    }
    reader.removed();
}
