//! A system of the school that is told of events: it loses answers, refuses, and is dark for hours. What it was told must be
//! the journal.

use flows::deliver::{self, Ahead, Round};
use flows::ports::{Parcel, Receipt};
use flows::webhook::{self, NewWebhook};
use rules::event::Kind as EventKind;

use crate::checker::Received;
use crate::notes::Who;
use crate::plant::Plant;
use crate::rng::Rng;
use crate::server::Said;
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// The one webhook of the world.
const NAME: &str = "portal";
/// The server waits so long for an answer.
const PATIENCE: i64 = 15 * SECOND;
/// Taken, with nothing to say.
const TAKEN: u16 = 204;

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manners {
    /// It refuses a parcel, out of a thousand.
    refuses: u32,
    /// Mean hours between its darknesses; 0 for never.
    dark_hours: u32,
}

impl Manners {
    /// What `seed` draws: in half of the worlds nobody listens. Planted bugs of others are looked for without it, because it
    /// costs time and shows nothing of them.
    pub(crate) fn draw(seed: u64, plant: Option<Plant>) -> Option<Manners> {
        let mut rng = Rng::fork(seed, "receiver's manners", 0);
        let (listens, refuses, dark_hours) = (rng.chance(500), rng.pick(&[0, 100, 400]), rng.pick(&[0, 3, 8]));
        let own = plant.is_none_or(|plant| [Plant::P98, Plant::P99, Plant::P100, Plant::P101].contains(&plant));
        let (refuses, dark_hours) = (refuses.unwrap_or(0), dark_hours.unwrap_or(0));
        (listens && own).then_some(Manners { refuses, dark_hours })
    }
}

/// The receiver.
pub(crate) struct Receiver {
    rng: Rng,
    manners: Option<Manners>,
    dark_until: i64,
    pub(crate) book: Received,
}

impl Receiver {
    pub(crate) fn new(seed: u64, plant: Option<Plant>) -> Receiver {
        let manners = Manners::draw(seed, plant);
        Receiver { rng: Rng::fork(seed, "receiver", 0), manners, dark_until: 0, book: Received::default() }
    }

    /// Somebody listens.
    pub(crate) const fn listens(&self) -> bool {
        self.manners.is_some()
    }

    fn refuses(&mut self) -> bool {
        let refuses = self.manners.map_or(0, |manners| manners.refuses);
        self.rng.chance(refuses)
    }
}

impl World {
    /// The school adds it, and it is told from the first event on.
    pub(crate) fn make_receiver(&mut self, school: &flows::School) -> Result<(), String> {
        if !self.receiver.listens() {
            return Ok(());
        }
        let new = NewWebhook {
            name: NAME.to_owned(),
            url: "https://portal.example.edu.cn/hook".to_owned(),
            kinds: Vec::new(),
            numbers: true,
            from_start: true,
            by: "the world".to_owned(),
        };
        self.settled(webhook::add(school, new))?.map_err(|refusal| refusal.to_string())?;
        Ok(())
    }

    pub(crate) fn plan_receiver_dark(&mut self) {
        let Some(hours) = self.receiver.manners.map(|manners| i64::from(manners.dark_hours)) else { return };
        if hours > 0 {
            let wait = self.receiver.rng.between(HOUR / 2, hours * 2 * HOUR);
            self.at(wait, Event::ReceiverDark);
        }
    }

    pub(crate) fn receiver_goes_dark(&mut self) {
        if self.calm {
            return;
        }
        self.counters.add("receiver: dark");
        self.receiver.dark_until = self.now + self.receiver.rng.between(HOUR, 6 * HOUR);
        self.plan_receiver_dark();
    }

    /// Tells what is due.
    pub(crate) fn tell_receiver(&mut self, boot: u64) {
        if boot != self.server.boot {
            return;
        }
        let courier = std::sync::Arc::clone(&self.server.courier);
        let Some(live) = self.server.live.as_mut() else { return };
        let (school, mut ahead) = (live.school.clone(), live.ahead.take().unwrap_or_default());
        live.spawn(async move {
            let round = deliver::round(&school, courier.as_ref(), NAME, &mut ahead).await;
            Said::Fed(ahead, round.ok())
        });
        self.run_server();
    }

    pub(crate) fn fed(&mut self, ahead: Ahead, round: Option<Round>) {
        let at = match round {
            Some(Round::At(at)) => at.since(self.wall()),
            Some(Round::Removed) | None => 0,
        };
        if let Some(live) = self.server.live.as_mut() {
            live.ahead = Some(ahead);
        }
        // Not every second, as the product would: a day has many of them.
        self.at(at.clamp(30 * SECOND, HOUR), Event::Feed { boot: self.server.boot });
    }

    /// A parcel leaves the server.
    pub(crate) fn send_parcel(&mut self, call: u64, parcel: Parcel) {
        for delay in self.net.http(&self.faults, &mut self.counters) {
            self.at(delay, Event::Parcel { call, parcel: Box::new(parcel.clone()) });
        }
        self.at(PATIENCE, Event::ParcelTimeout { call });
    }

    /// A parcel arrives.
    pub(crate) fn parcel_arrives(&mut self, call: u64, parcel: &Parcel) {
        if self.now < self.receiver.dark_until && !self.calm {
            self.counters.add("receiver: silent in the dark");
            return;
        }
        let refuses = self.receiver.refuses() && !self.calm;
        let takes = !refuses || self.receiver.rng.chance(500);
        if takes {
            self.counters.add_many("receiver: events", u64::try_from(parcel.events.len()).unwrap_or(0));
            let again = self.receiver.book.take(&parcel.events, &mut self.checker.findings);
            self.counters.add_many("receiver: told again", again);
            let restored = parcel.events.iter().filter(|event| event.kind() == EventKind::BookRestored).count();
            self.counters.add_many("receiver: told of a restore", u64::try_from(restored).unwrap_or(0));
        }
        let status = match (refuses, takes) {
            (true, true) => {
                self.counters.add("receiver: took a parcel and answered 500");
                500
            }
            (true, false) => {
                self.counters.add("receiver: refused");
                500
            }
            (false, _) => TAKEN,
        };
        let arrivals = self.net.http(&self.faults, &mut self.counters);
        if takes && arrivals.is_empty() {
            self.counters.add("receiver: took a parcel, its answer was lost");
        }
        for delay in arrivals {
            self.at(delay, Event::ParcelAnswered { call, status });
        }
    }

    pub(crate) fn parcel_answered(&mut self, call: u64, receipt: Receipt) {
        self.server.courier.answer(call, receipt);
        self.run_server();
    }

    /// The backup that comes back ends with this row; an epoch begins behind it.
    pub(crate) fn receiver_forgets(&mut self, epoch: u64) {
        let head = self.server.disk.journal_from(1).last().map_or(0, |row| row.seq);
        self.receiver.book.epoch_begins(epoch, head);
    }

    /// E1: all that the receiver was told, each event once, is the journal.
    pub(crate) fn compare_receiver(&mut self) {
        if !self.receiver.listens() {
            return;
        }
        let rows = self.server.disk.journal_from(1);
        if let Err(why) = self.receiver.book.is_journal(&rows) {
            self.checker.findings.add("E1", Who::NOBODY, || why);
        }
        self.counters.add("receiver: knows the whole journal");
    }
}
