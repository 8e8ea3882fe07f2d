//! What every terminal has, whatever it sells or opens: its line to the platform, its journal, and the upload of the one
//! over the other. What must not be lost is journalled and is sent only when it is durable.

use ledger::Micros;
use link::{Marked, Record, ToPlatform, ToTerminal, VERSION};
use rules::ids::TerminalNo;

use super::later;
use super::upload::Upload;
use crate::journal::{Entry, State};

/// Records that must have become old before the journal is rewritten without them: each time rewrites the file.
const FORGET_AT_ONCE: u64 = 64;

/// Numbers of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Fresh at every start of the terminal.
    pub boot: [u8; 16],
    /// How soon a record that the platform could not decide is sent again.
    pub resend_micros: i64,
    /// Acknowledged records that are kept, for a platform that was restored from an older backup (M9).
    pub keep_records: u64,
}

/// What a post wants done; the outputs of every agent can be made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Send this to the platform.
    Send(ToPlatform),
    /// Append this to the journal, make it durable, then tell the token; tokens rise.
    Journal {
        /// Comes back.
        token: u64,
        /// What to append.
        entry: Entry,
    },
    /// Records up to here may be dropped from the journal: see [`State::forget`].
    JournalDelete {
        /// Highest number to drop.
        through: u64,
    },
}

/// The connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Not tried yet.
    Starting,
    /// Gone, or could not be made.
    Down,
    /// Said hello.
    Greeting,
    /// Greeted.
    Up(Home),
}

/// What the platform said when it greeted the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its number.
    pub terminal: TerminalNo,
    /// Where it stands, Chinese.
    pub place_zh: String,
    /// The same in English.
    pub place_en: String,
}

/// What the platform said to the terminal as such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It greeted, or acknowledged more.
    Acknowledged,
    /// It answered a record.
    Answered(Marked),
    /// Nothing for the post, or nothing new: a stage of a tap may be meant.
    Nothing,
}

/// A terminal's line, journal and upload.
#[derive(Debug)]
pub struct Post {
    numbers: Numbers,
    book: State,
    upload: Upload,
    token: u64,
    durable: u64,
    line: Line,
    /// Platform's time less the terminal's, in microseconds, as of its newest word.
    offset_micros: i64,
}

impl Post {
    /// A post that continues from a journal, without a connection.
    pub fn new(numbers: Numbers, book: State) -> Post {
        let upload = Upload::default();
        Post { numbers, book, upload, token: 0, durable: 0, line: Line::Starting, offset_micros: 0 }
    }

    /// What the journal adds up to.
    pub fn book(&self) -> &State {
        &self.book
    }

    /// The connection.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// What the platform greeted it with, while connected.
    pub fn home(&self) -> Option<&Home> {
        match &self.line {
            Line::Up(home) => Some(home),
            Line::Starting | Line::Down | Line::Greeting => None,
        }
    }

    /// The platform's time, as far as the terminal knows it.
    pub fn platform_time(&self, now: Micros) -> Micros {
        later(now, self.offset_micros)
    }

    /// A connection stands: says hello.
    pub fn link_up<O: From<Errand>>(&mut self, out: &mut Vec<O>) {
        self.line = Line::Greeting;
        let (boot, last_seq) = (self.numbers.boot, self.book.last_seq());
        out.push(Errand::Send(ToPlatform::Hello { version: VERSION, boot, last_seq }).into());
    }

    /// The connection is gone.
    pub fn link_down(&mut self) {
        self.line = Line::Down;
    }

    /// The platform spoke. `waited` is the record whose answer a person waits for.
    pub fn heard<O: From<Errand>>(
        &mut self,
        message: &ToTerminal,
        waited: Option<u64>,
        now: Micros,
        out: &mut Vec<O>,
    ) -> Heard {
        match message {
            ToTerminal::Welcome { now: theirs, last_seq, acknowledged, terminal, place_zh, place_en } => {
                if self.line != Line::Greeting {
                    return Heard::Nothing;
                }
                self.offset_micros = theirs.saturating_sub(now.get());
                let (place_zh, place_en) = (place_zh.clone(), place_en.clone());
                self.line = Line::Up(Home { terminal: TerminalNo(*terminal), place_zh, place_en });
                self.book.continue_above(*last_seq);
                self.upload.connect(&self.book, *acknowledged, waited);
                self.tell_lowest(*acknowledged, out);
                Heard::Acknowledged
            }
            ToTerminal::Answered(marked) => {
                self.upload.answered(marked.seq);
                Heard::Answered(marked.clone())
            }
            ToTerminal::Acknowledged { through } => {
                self.upload.acknowledge(*through);
                Heard::Acknowledged
            }
            ToTerminal::Pong { now: theirs } => {
                self.offset_micros = theirs.saturating_sub(now.get());
                Heard::Nothing
            }
            ToTerminal::TapNonce { .. }
            | ToTerminal::TapAgain { .. }
            | ToTerminal::TapRelease { .. }
            | ToTerminal::TapDone { .. }
            | ToTerminal::TapRefused { .. } => Heard::Nothing,
        }
    }

    /// The platform acknowledges less than was deleted here: it went back to a backup. It must not wait for what is gone
    /// (M9).
    fn tell_lowest<O: From<Errand>>(&mut self, acknowledged: u64, out: &mut Vec<O>) {
        let kept = self.book.records().keys().next().copied();
        let lowest = kept.unwrap_or(self.book.last_seq().saturating_add(1));
        if lowest > acknowledged.saturating_add(1) {
            out.push(Errand::Send(ToPlatform::Kept { lowest }).into());
        }
    }

    /// Every record up to here is acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.upload.acknowledged()
    }

    /// Journals an entry; gives its token.
    pub fn write<O: From<Errand>>(&mut self, entry: Entry, out: &mut Vec<O>) -> u64 {
        self.token = self.token.saturating_add(1);
        self.book.apply(&entry);
        out.push(Errand::Journal { token: self.token, entry }.into());
        self.token
    }

    /// Journals a record under the next number, to be sent when durable; gives number and token.
    pub fn record<O: From<Errand>>(&mut self, record: Record, out: &mut Vec<O>) -> (u64, u64) {
        let seq = self.book.last_seq().saturating_add(1);
        let token = self.write(Entry::Record { seq, record }, out);
        self.upload.add(seq, &record, token);
        (seq, token)
    }

    /// The journal is durable up to and with this token.
    pub fn written(&mut self, token: u64) {
        self.durable = self.durable.max(token);
        self.upload.durable(self.durable);
    }

    /// Whether what was journalled under this token is durable.
    pub fn is_durable(&self, token: u64) -> bool {
        token <= self.durable
    }

    /// Sends what may be sent.
    pub fn pump<O: From<Errand>>(&mut self, waited: Option<u64>, now: Micros, out: &mut Vec<O>) {
        if self.home().is_none() {
            return;
        }
        while let Some((seq, record)) = self.upload.next(&self.book, waited, now) {
            let paid = self.book.was_paid(seq) && matches!(record, Record::Authorise { .. });
            let message = if paid { ToPlatform::Paid { seq, record } } else { ToPlatform::Journal { seq, record } };
            out.push(Errand::Send(message).into());
        }
    }

    /// When something is to be sent again.
    pub fn wake_at(&self) -> Option<Micros> {
        let sent = self.home().and_then(|_| self.upload.oldest_unanswered());
        sent.map(|sent| later(sent, self.numbers.resend_micros))
    }

    /// What was sent too long ago and not answered is sent again.
    pub fn look_at_clock(&mut self, now: Micros) {
        if self.wake_at().is_some_and(|at| at <= now) {
            self.upload.resend(later(now, self.numbers.resend_micros.saturating_neg()));
        }
    }

    /// Drops old acknowledged records, many at once. Not while something may refer to a record.
    pub fn shorten<O: From<Errand>>(&mut self, out: &mut Vec<O>) {
        let through = self.upload.acknowledged().saturating_sub(self.numbers.keep_records);
        let oldest = self.book.records().keys().next().copied().unwrap_or(u64::MAX);
        if oldest.saturating_add(FORGET_AT_ONCE) <= through {
            self.book.forget(through);
            out.push(Errand::JournalDelete { through }.into());
        }
    }
}
