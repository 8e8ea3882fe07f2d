//! A till's line to the platform: how it comes and goes, and when it breaks at the worst moment.

use device::agent::pos::Input;
use link::ToTerminal;

use crate::till::Till;
use crate::world::{Event, World};

const MILLI: i64 = 1_000;
const SECOND: i64 = 1_000_000;

impl World {
    /// The till tries to connect, soon.
    pub(crate) fn link_again(&mut self, till: usize) {
        let Some(at) = self.tills.get_mut(till) else { return };
        let out = std::mem::take(&mut at.line_stays_out) || at.rng.chance(self.faults.outage);
        let wait = if out { at.rng.between(60, 5400) * SECOND } else { at.rng.between(SECOND / 5, 5 * SECOND) };
        let life = at.life;
        // What does not work is switched off and on again.
        let switched = out && self.faults.power_cut_hours > 0 && at.rng.chance(400);
        let off = at.rng.between(SECOND, 60 * SECOND);
        if out {
            self.counters.add("network: terminal without a connection for long");
        }
        if switched {
            self.counters.add("people: switch a till off and on");
            self.at(off, Event::PowerCut { till, life });
        }
        self.at(wait, Event::LinkTry { till, life });
    }

    /// It tries.
    pub(crate) fn link_try(&mut self, till: usize, life: u64) {
        let ready = |at: &&mut Till| at.life == life && at.agent.is_some() && at.conn.is_none();
        if self.tills.get_mut(till).filter(ready).is_some() {
            self.connect(till);
        }
    }

    /// Nobody is there, or nobody wants this terminal.
    pub(crate) fn link_refused(&mut self, till: usize) {
        self.feed(till, Input::LinkDown);
        self.link_again(till);
    }

    /// A connection stands.
    pub(crate) fn link_up(&mut self, till: usize, conn: u64) {
        let open = self.pipe_open(conn);
        let Some(at) = self.tills.get_mut(till) else { return };
        if !open || at.agent.is_none() || at.conn.is_some() {
            if open {
                self.abandon(conn);
            }
            return;
        }
        at.conn = Some(conn);
        self.feed(till, Input::LinkUp);
    }

    /// It is gone.
    pub(crate) fn link_down(&mut self, till: usize, conn: u64) {
        let Some(at) = self.tills.get_mut(till) else { return };
        if at.conn == Some(conn) {
            at.conn = None;
            self.feed(till, Input::LinkDown);
        } else if at.conn.is_some() || at.agent.is_none() {
            return;
        }
        self.link_again(till);
    }

    /// A frame reaches a till.
    pub(crate) fn frame_back(&mut self, till: usize, conn: u64, bytes: &[u8]) {
        if self.tills.get(till).is_none_or(|at| at.conn != Some(conn)) {
            return;
        }
        if let Ok(message) = link::decode::<ToTerminal>(bytes) {
            self.feed(till, Input::Platform(message));
        }
    }

    /// A debit at another till than the one at which the card was torn: nobody hears of it for a while. Meanwhile its holder,
    /// who sees how little is left, tops up and holds the card to a third.
    fn debited_in_a_hurry(&mut self, till: usize) {
        let (tills, rng) = (self.tills.len(), &mut self.hurry_rng);
        let Some(at) = self.tills.get_mut(till) else { return };
        let (Some(on), Some(conn)) = (at.reader, at.conn) else { return };
        let Some(me) = self.holders.get_mut(on.holder) else { return };
        let Some(from) = me.hurries_from.filter(|from| *from != till) else { return };
        me.hurries_from = None;
        at.line_stays_out = true;
        let others: Vec<usize> = (0..tills).filter(|other| ![from, till].contains(other)).collect();
        let (cut, holds) = (rng.between(0, 4 * MILLI), rng.between(30 * SECOND, 180 * SECOND));
        let third = rng.pick(&others);
        self.counters.add("people: debited elsewhere, the line gone, on to a third till");
        self.at(cut, Event::LinkCut { conn, counted: false });
        self.top_up(on.holder);
        if let Some(third) = third {
            self.at(holds, Event::HoldsThird { holder: on.holder, till: third });
        }
    }

    /// The line breaks at the worst moment: the purse is debited and nobody knows.
    pub(crate) fn cut_after_debit(&mut self, till: usize) {
        self.debited_in_a_hurry(till);
        let Some(at) = self.tills.get_mut(till) else { return };
        if let (true, Some(conn)) = (at.rng.chance(self.faults.cut_at_debit), at.conn) {
            let wait = at.rng.between(0, 4 * MILLI);
            // What takes the line away at the till may well keep it away.
            at.line_stays_out = at.rng.chance(700);
            self.counters.add("network: connection cut at a debit");
            self.at(wait, Event::LinkCut { conn, counted: false });
        }
    }

    /// The card left during a debit: its holder notices, and the line may go at that moment too.
    pub(crate) fn torn_debit(&mut self, till: usize) {
        let Some(at) = self.tills.get_mut(till) else { return };
        if let Some(visit) = at.visit.as_mut() {
            visit.torn = true;
            if let Some(me) = self.holders.get_mut(visit.holder)
                && self.hurry_rng.chance(self.faults.hurry)
            {
                me.hurries_from = Some(till);
            }
        }
        if let (true, Some(conn)) = (at.rng.chance(self.faults.cut_at_debit), at.conn) {
            let wait = at.rng.between(0, 20 * MILLI);
            self.counters.add("network: connection cut at a torn debit");
            self.at(wait, Event::LinkCut { conn, counted: false });
        }
    }
}
