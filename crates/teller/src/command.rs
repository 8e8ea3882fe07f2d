use crate::{Desk, NotLoaded, Schema, Seen};

/// One thing that someone wants done to the book.
///
/// To write one: keep only plain data in it; name in `needs` every row that `decide` reads or writes, also those that may
/// not exist; let `decide` turn them into a rule's facts, ask the rule, and put what it says on the desk.
pub trait Command<S: Schema>: Send + 'static {
    /// What the caller is told when it was done; also a refusal that leaves a trace (M2).
    type Answer: Send + 'static;
    /// What the caller is told when nothing was done.
    type Refusal: Send + 'static;

    /// The rows this command must see, as far as the rows seen so far tell. It is asked again until it names no new one.
    fn needs(&self, seen: &Seen<'_, S>) -> Vec<S::Key>;

    /// Roughly how many bytes it will have written: a batch takes commands up to [`crate::Limits::bytes`].
    fn weight(&self) -> usize {
        512
    }

    /// Decides, without waiting for anything. An error leaves the desk untouched.
    fn decide(&self, desk: &mut Desk<'_, S>) -> Result<Self::Answer, Halt<S, Self::Refusal>>;
}

/// Why a command stopped.
pub enum Halt<S: Schema, R> {
    /// It is refused; nothing is left of it.
    Refuse(R),
    /// It must wait for a row.
    Wait(NotLoaded<S::Key>),
    /// The book itself is not what the rules rely on: the command is refused with an alarm.
    Broken(String),
}

impl<S: Schema, R> From<NotLoaded<S::Key>> for Halt<S, R> {
    fn from(missing: NotLoaded<S::Key>) -> Self {
        Halt::Wait(missing)
    }
}

/// Why a command has no answer of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Too much to do; nothing was done; try again in a moment.
    #[error("too busy; nothing was done, please try again in a moment")]
    Busy,
    /// The disk is full; nothing was done.
    #[error("the server has no room left; nothing was done, please tell the operator")]
    Full,
    /// This command cannot be carried out because of a fault in the program or the book; nothing was done.
    #[error("this could not be done because of an internal fault ({0}); nothing was done")]
    Poison(String),
    /// The server is stopping; whether it was done shows after the restart.
    #[error("the server is stopping; please look again in a moment")]
    Stopping,
}

/// A refusal of the command's own, or a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected<R> {
    /// The rules say no; nothing was done.
    Refused(R),
    /// The teller could not say.
    Fault(Fault),
}

/// What the caller gets.
pub type Settled<A, R> = Result<A, Rejected<R>>;

/// How a decision went, without its words.
#[derive(Debug)]
pub enum Step<K> {
    /// Its changes are on the desk.
    Done,
    /// It left nothing.
    Refused,
    /// It needs this row first.
    Wait(K),
    /// It found the book broken.
    Broken(String),
}

/// A command on its way through the teller, together with the one who waits for it.
pub trait Job<S: Schema>: Send {
    /// See [`Command::needs`].
    fn needs(&self, seen: &Seen<'_, S>) -> Vec<S::Key>;
    /// See [`Command::weight`].
    fn weight(&self) -> usize;
    /// Decides and keeps the words until they may be said.
    fn decide(&mut self, desk: &mut Desk<'_, S>) -> Step<S::Key>;
    /// Says them, or the fault.
    fn deliver(self: Box<Self>, fault: Option<Fault>);
    /// A row that a decision found missing, to be loaded next time.
    fn also_needs(&mut self, key: S::Key);
    /// How often it was put off.
    fn put_off(&self) -> u8;
}

struct Waiting<S: Schema, C: Command<S>, F> {
    command: C,
    words: Option<Result<C::Answer, C::Refusal>>,
    reply: F,
    extra: Vec<S::Key>,
}

/// A command and what to call with its outcome.
pub fn job<S, C, F>(command: C, reply: F) -> Box<dyn Job<S>>
where
    S: Schema,
    C: Command<S>,
    F: FnOnce(Settled<C::Answer, C::Refusal>) + Send + 'static,
{
    Box::new(Waiting { command, words: None, reply, extra: Vec::new() })
}

impl<S, C, F> Job<S> for Waiting<S, C, F>
where
    S: Schema,
    C: Command<S>,
    F: FnOnce(Settled<C::Answer, C::Refusal>) + Send + 'static,
{
    fn needs(&self, seen: &Seen<'_, S>) -> Vec<S::Key> {
        let mut keys = self.command.needs(seen);
        keys.extend(self.extra.iter().cloned());
        keys
    }

    fn weight(&self) -> usize {
        self.command.weight()
    }

    fn decide(&mut self, desk: &mut Desk<'_, S>) -> Step<S::Key> {
        self.words = None;
        match self.command.decide(desk) {
            Ok(answer) => {
                self.words = Some(Ok(answer));
                Step::Done
            }
            Err(Halt::Refuse(refusal)) => {
                self.words = Some(Err(refusal));
                Step::Refused
            }
            Err(Halt::Wait(NotLoaded(key))) => Step::Wait(key),
            Err(Halt::Broken(why)) => Step::Broken(why),
        }
    }

    fn deliver(self: Box<Self>, fault: Option<Fault>) {
        let outcome = match (fault, self.words) {
            (None, Some(Ok(answer))) => Ok(answer),
            (None, Some(Err(refusal))) => Err(Rejected::Refused(refusal)),
            (None, None) => Err(Rejected::Fault(Fault::Stopping)),
            (Some(fault), _) => Err(Rejected::Fault(fault)),
        };
        (self.reply)(outcome);
    }

    fn also_needs(&mut self, key: S::Key) {
        self.extra.push(key);
    }

    fn put_off(&self) -> u8 {
        u8::try_from(self.extra.len()).unwrap_or(u8::MAX)
    }
}
