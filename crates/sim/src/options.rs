//! What a seed draws before its run: how large the world is, which faults are on, and how strong (swarm testing: a run with
//! few kinds of faults reaches depths that a run with all of them does not).

use std::fmt;

use crate::rng::Rng;

/// Where WeChat money goes in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Waits for the card (the default of the product).
    Tap,
    /// Spendable on line at once.
    Instant,
    /// The school changes its mind now and then.
    Mixed,
}

/// Something that happens in every run of that name, whatever the seed draws besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The provider is dark for two days.
    Dark,
    /// The same, and it changes its key in the middle.
    DarkWithNewKey,
}

impl Scenario {
    /// Every one.
    pub const ALL: [Scenario; 2] = [Scenario::Dark, Scenario::DarkWithNewKey];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Scenario::Dark => "dark",
            Scenario::DarkWithNewKey => "dark-with-new-key",
        }
    }

    /// The scenario of that name.
    pub fn from_name(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name)
    }
}

/// The world of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) days: u32,
    pub(crate) holders: usize,
    pub(crate) tills: usize,
    pub(crate) arrival: Arrival,
    /// A purchase module keeps its own count through a power cut; else it continues above the journal.
    pub(crate) hardware_modules: bool,
    /// The disk takes account rows with every so many batches.
    pub(crate) account_rows_every: u32,
    /// Acknowledged records that a terminal keeps, for a server that was restored.
    pub(crate) keep_records: u64,
    /// Hours from which and until when the provider is dark, besides what the faults do.
    pub(crate) dark: Option<(u32, u32)>,
    /// Hour in which the provider takes another key.
    pub(crate) new_key: Option<u32>,
    /// Minutes after which waiting money is reminded of, three times, and goes back (0 for never); then some holders come to
    /// a till seldom. What the product does by itself when none.
    pub(crate) waiting: Option<[u32; 4]>,
    pub(crate) faults: Faults,
}

/// Strength of every fault, out of a thousand where nothing else is said; 0 is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Network: a message never arrives; a connection hangs from there on.
    pub(crate) drop: u32,
    /// A message arrives twice.
    pub(crate) duplicate: u32,
    /// A message takes seconds.
    pub(crate) slow: u32,
    /// A message between servers takes minutes or hours.
    pub(crate) very_slow: u32,
    /// A frame arrives with other bytes.
    pub(crate) corrupt: u32,
    /// Mean seconds between cuts of a terminal's connection; 0 for never.
    pub(crate) cut_seconds: u32,
    /// A connection is cut when a purse was debited, before its terminal could tell.
    pub(crate) cut_at_debit: u32,
    /// A terminal that lost its connection stays without for an hour.
    pub(crate) outage: u32,

    /// Provider: no notice of an order ever comes.
    pub(crate) notice_silence: u32,
    /// A notice is sent twice at once.
    pub(crate) notice_twice: u32,
    /// Mean seconds between false notices of every kind; 0 for never.
    pub(crate) forged_seconds: u32,
    /// A creation is answered 5xx, before or after it was made.
    pub(crate) create_error: u32,
    /// A query or close is answered 429 or 5xx.
    pub(crate) ask_error: u32,
    /// A query is answered as of some seconds ago.
    pub(crate) stale_query: u32,
    /// An order is not to be found there for an hour; its notice comes late.
    pub(crate) lost_sight: u32,
    /// A payment takes the bank minutes or hours.
    pub(crate) slow_bank: u32,
    /// An order is charged twice.
    pub(crate) double_charge: u32,
    /// Another amount is charged, or in another currency.
    pub(crate) wrong_charge: u32,
    /// Mean hours between payments of orders that are none of ours; 0 for never.
    pub(crate) stranger_hours: u32,
    /// Mean hours between times when the provider is dark; 0 for never.
    pub(crate) dark_hours: u32,

    /// A request for a refund is answered 429 or 5xx, before or after it was taken.
    pub(crate) refund_error: u32,
    /// The provider refuses a refund for good.
    pub(crate) refund_refused: u32,
    /// A refund that it took fails for good.
    pub(crate) refund_closed: u32,
    /// The payer's account takes nothing back; a person repairs it hours later.
    pub(crate) refund_abnormal: u32,
    /// A refund takes hours.
    pub(crate) refund_slow: u32,
    /// Mean hours between times when the merchant's account is short; 0 for never.
    pub(crate) short_hours: u32,
    /// Mean hours between refunds by hand at the provider's portal; 0 for never.
    pub(crate) portal_hours: u32,
    /// About so many hours after the start the provider takes another key; 0 for never.
    pub(crate) new_key_hours: u32,
    /// Mean minutes between wishes of a clerk for a refund; 0 for never.
    pub(crate) clerk_minutes: u32,

    /// Server: the process dies during a commit that is kept, or lost.
    pub(crate) crash_at_commit: u32,
    /// The process dies after a commit, before anybody was answered.
    pub(crate) crash_before_reply: u32,
    /// Mean hours between deaths at any moment; 0 for never.
    pub(crate) crash_hours: u32,
    /// It dies when it reads rows.
    pub(crate) crash_at_load: u32,
    /// It dies while it starts: when it recovers, or at its first load.
    pub(crate) crash_at_start: u32,
    /// Mean hours between leaps of the machine's clock; 0 for never.
    pub(crate) leap_hours: u32,
    /// It starts on an old image of its disk.
    pub(crate) falls_back: u32,
    /// Its disk is lost once, so many hours after the newest backup; 0 for never.
    pub(crate) disk_lost_hours: u32,
    /// A commit is refused for want of room.
    pub(crate) disk_full: u32,
    /// A commit is refused by a constraint.
    pub(crate) constraint: u32,

    /// Terminal: mean hours between power cuts; 0 for never.
    pub(crate) power_cut_hours: u32,
    /// The power goes while a line is being written.
    pub(crate) power_cut_at_write: u32,
    /// The journal's disk takes seconds.
    pub(crate) slow_disk: u32,
    /// The clock of a terminal is off by so many hours at most.
    pub(crate) clock_hours: u32,

    /// Card: it is torn at some command of a hold.
    pub(crate) tear: u32,
    /// It is torn at a command that moves money.
    pub(crate) tear_money: u32,
    /// It is pulled at some moment of a hold.
    pub(crate) pull: u32,
    /// After a tear its holder goes to another till.
    pub(crate) wander: u32,
    /// After a tear its holder walks away.
    pub(crate) walk_away: u32,

    /// People: a button is pressed twice.
    pub(crate) double_click: u32,
    /// An order is not paid.
    pub(crate) no_pay: u32,
    /// An order is paid minutes later, or too late.
    pub(crate) late_pay: u32,
    /// The page says "paid" of what was not.
    pub(crate) false_ok: u32,
    /// Mean minutes between visits to a door with wrong passwords; 0 for never.
    pub(crate) guess_minutes: u32,
    /// Mean minutes between messages of a terminal that somebody took over; 0 for never.
    pub(crate) rogue_minutes: u32,
    /// Mean seconds between deeds of a holder who had his card copied; 0 for none.
    pub(crate) clone_seconds: u32,
    /// Mean hours between replacements of a till's device; 0 for never.
    pub(crate) replace_hours: u32,
    /// Mean hours between reports of lost cards; 0 for never.
    pub(crate) loss_hours: u32,
    /// Whose card was torn at a debit is in a hurry: another till, which loses its line, and then a third.
    pub(crate) hurry: u32,
    /// So many waiting orders a clerk gives back between the newest backup and the loss of the disk.
    pub(crate) refunds_before_loss: u32,
}

impl Options {
    /// What `seed` draws for a run of `days` days.
    pub(crate) fn draw(seed: u64, days: u32) -> Options {
        let mut rng = Rng::fork(seed, "options", 0);
        let arrival = rng.pick(&[Arrival::Tap, Arrival::Instant, Arrival::Mixed]).unwrap_or(Arrival::Tap);
        let hardware_modules = rng.chance(500);
        let mut faults = Faults::draw(&mut rng);
        let account_rows_every = rng.pick(&[1, 8, 64]).unwrap_or(1);
        faults.falls_back = drawn(&mut rng, &[100, 400]);
        faults.disk_lost_hours = drawn(&mut rng, &[1, 3, 6]);
        let keep_records = rng.pick(&[1000, 10]).unwrap_or(1000);
        // What a book forgot in a restore would explain too much of what two copies do.
        faults.clone_seconds = if faults.disk_lost_hours > 0 { 0 } else { drawn(&mut rng, &[20, 120]) };
        // Nor would a restored book know the new devices.
        faults.replace_hours = if faults.disk_lost_hours > 0 { 0 } else { drawn(&mut rng, &[1, 4]) };
        faults.loss_hours = drawn(&mut Rng::fork(seed, "lost cards", 0), &[2, 5]);
        faults.hurry = drawn(&mut Rng::fork(seed, "hurry", 0), &[300, 900]);
        if faults.disk_lost_hours > 0 {
            faults.refunds_before_loss = drawn(&mut Rng::fork(seed, "refunds before a loss", 0), &[2, 6]);
        }
        let (holders, tills, dark, new_key) = (30, 4, None, None);
        let waiting = Rng::fork(seed, "waiting", 0).pick(&[None, Some([5, 20, 50, 60]), Some([10, 40, 90, 180]), None]);
        let waiting = waiting.flatten();
        Options {
            days,
            holders,
            tills,
            arrival,
            hardware_modules,
            account_rows_every,
            keep_records,
            dark,
            new_key,
            waiting,
            faults,
        }
    }

    /// The same with a scenario: two days of darkness among four, in a smaller school where orders, second payments and
    /// refunds of all kinds are under way when it begins.
    pub(crate) fn with(self, scenario: Scenario) -> Options {
        let faults = Faults {
            dark_hours: 0,
            new_key_hours: 0,
            double_charge: 150,
            slow_bank: 150,
            late_pay: 150,
            refund_error: 200,
            refund_closed: 100,
            refund_abnormal: 100,
            refund_slow: 500,
            clerk_minutes: 20,
            ..self.faults
        };
        let new_key = (scenario == Scenario::DarkWithNewKey).then_some(48);
        Options { days: 4, holders: 4, tills: 1, dark: Some((24, 72)), new_key, faults, ..self }
    }
}

impl Faults {
    /// Everything off.
    pub(crate) const NONE: Faults = Faults {
        drop: 0,
        duplicate: 0,
        slow: 0,
        very_slow: 0,
        corrupt: 0,
        cut_seconds: 0,
        cut_at_debit: 0,
        outage: 0,
        notice_silence: 0,
        notice_twice: 0,
        forged_seconds: 0,
        create_error: 0,
        ask_error: 0,
        stale_query: 0,
        lost_sight: 0,
        slow_bank: 0,
        double_charge: 0,
        wrong_charge: 0,
        stranger_hours: 0,
        dark_hours: 0,
        refund_error: 0,
        refund_refused: 0,
        refund_closed: 0,
        refund_abnormal: 0,
        refund_slow: 0,
        short_hours: 0,
        portal_hours: 0,
        new_key_hours: 0,
        clerk_minutes: 0,
        crash_at_commit: 0,
        crash_before_reply: 0,
        crash_hours: 0,
        crash_at_load: 0,
        crash_at_start: 0,
        leap_hours: 0,
        falls_back: 0,
        disk_lost_hours: 0,
        disk_full: 0,
        constraint: 0,
        power_cut_hours: 0,
        power_cut_at_write: 0,
        slow_disk: 0,
        clock_hours: 0,
        tear: 0,
        tear_money: 0,
        pull: 0,
        wander: 0,
        walk_away: 0,
        double_click: 0,
        no_pay: 0,
        late_pay: 0,
        false_ok: 0,
        rogue_minutes: 0,
        clone_seconds: 0,
        replace_hours: 0,
        guess_minutes: 0,
        loss_hours: 0,
        hurry: 0,
        refunds_before_loss: 0,
    };

    fn draw(rng: &mut Rng) -> Faults {
        let mut one = |strengths: &[u32]| drawn(rng, strengths);
        Faults {
            drop: one(&[2, 10, 40]),
            duplicate: one(&[5, 30, 100]),
            slow: one(&[5, 30, 100]),
            very_slow: one(&[5, 30]),
            corrupt: one(&[1, 5]),
            cut_seconds: one(&[120, 600, 3600]),
            cut_at_debit: one(&[50, 300, 700]),
            outage: one(&[50, 300]),
            notice_silence: one(&[100, 500, 1000]),
            notice_twice: one(&[50, 300]),
            forged_seconds: one(&[300, 1800]),
            create_error: one(&[50, 300]),
            ask_error: one(&[50, 300]),
            stale_query: one(&[100, 500]),
            lost_sight: one(&[20, 100]),
            slow_bank: one(&[50, 300]),
            double_charge: one(&[20, 100]),
            wrong_charge: one(&[20, 100]),
            stranger_hours: one(&[4, 12]),
            dark_hours: one(&[12, 30]),
            crash_at_commit: one(&[2, 10, 30]),
            crash_before_reply: one(&[2, 10, 30]),
            crash_hours: one(&[1, 6]),
            disk_full: one(&[2, 10]),
            constraint: one(&[2, 10]),
            power_cut_hours: one(&[1, 6, 24]),
            power_cut_at_write: one(&[2, 10]),
            slow_disk: one(&[20, 100]),
            clock_hours: one(&[1, 80]),
            tear: one(&[50, 200, 400]),
            tear_money: one(&[50, 300]),
            pull: one(&[50, 200, 400]),
            wander: one(&[200, 600]),
            walk_away: one(&[100, 400]),
            double_click: one(&[100, 500]),
            no_pay: one(&[50, 300]),
            late_pay: one(&[50, 300]),
            false_ok: one(&[50, 300]),
            rogue_minutes: one(&[5, 30]),
            crash_at_load: one(&[1, 5, 20]),
            crash_at_start: one(&[50, 300]),
            leap_hours: one(&[1, 4]),
            guess_minutes: one(&[5, 30]),
            refund_error: one(&[100, 400]),
            refund_refused: one(&[50, 200]),
            refund_closed: one(&[50, 300]),
            refund_abnormal: one(&[50, 300]),
            refund_slow: one(&[100, 500]),
            short_hours: one(&[6, 18]),
            portal_hours: one(&[8, 24]),
            new_key_hours: one(&[6, 24]),
            clerk_minutes: one(&[10, 60]),
            falls_back: 0,
            disk_lost_hours: 0,
            clone_seconds: 0,
            replace_hours: 0,
            loss_hours: 0,
            hurry: 0,
            refunds_before_loss: 0,
        }
    }
}

/// On in half of all runs, with one of these strengths.
fn drawn(rng: &mut Rng, strengths: &[u32]) -> u32 {
    if rng.chance(500) { rng.pick(strengths).unwrap_or(0) } else { 0 }
}

impl fmt::Display for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { days, holders, tills, arrival, hardware_modules, account_rows_every, keep_records, .. } = self;
        let Options { dark, new_key, waiting, faults, .. } = self;
        write!(
            out,
            "days={days} holders={holders} tills={tills} arrival={arrival:?} hardware_modules={hardware_modules}"
        )?;
        write!(out, " account_rows_every={account_rows_every} keep_records={keep_records}")?;
        if let Some((from, to)) = dark {
            write!(out, " dark={from}h..{to}h")?;
        }
        if let Some(hour) = new_key {
            write!(out, " new_key={hour}h")?;
        }
        if let Some(minutes) = waiting {
            write!(out, " waiting={minutes:?}min")?;
        }
        // The names of the faults that are on, as they stand in the source.
        let all = format!("{faults:?}");
        let fields = all.trim_start_matches("Faults { ").trim_end_matches(" }").split(", ");
        for field in fields.filter(|field| !field.ends_with(": 0")) {
            write!(out, " {}", field.replacen(": ", "=", 1))?;
        }
        Ok(())
    }
}
