//! A command on its way through the teller, watched: faults that no command of an honest world may meet are told to the
//! checker, and planted bugs put their hand on the desk here.

use std::sync::Mutex;

use flows::rows::{Campus, Key};
use teller::{Desk, Fault, Job, Seen, Step};

use crate::kept::Watch;
use crate::plant::{Plant, hooks};
use crate::ports::lock;

/// A watched command.
pub(crate) struct WatchedJob {
    inner: Box<dyn Job<Campus>>,
    plant: Option<Plant>,
    watch: Watch,
    named: Mutex<Vec<Key>>,
}

impl WatchedJob {
    pub(crate) fn around(inner: Box<dyn Job<Campus>>, plant: Option<Plant>, watch: &Watch) -> Box<dyn Job<Campus>> {
        Box::new(WatchedJob { inner, plant, watch: watch.clone(), named: Mutex::default() })
    }
}

impl Job<Campus> for WatchedJob {
    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = self.inner.needs(seen);
        if let Some(plant) = self.plant {
            hooks::also_needs(plant, &mut keys, seen);
            lock(&self.named).clone_from(&keys);
            hooks::needs_not(plant, &mut keys);
        }
        keys
    }

    fn decide(&mut self, desk: &mut Desk<'_, Campus>) -> Step<Key> {
        let Some(plant) = self.plant else { return self.inner.decide(desk) };
        let keys = lock(&self.named).clone();
        hooks::before(plant, &keys, desk);
        let step = self.inner.decide(desk);
        if matches!(step, Step::Done) {
            hooks::after(plant, &keys, desk);
        }
        step
    }

    fn deliver(self: Box<Self>, fault: Option<Fault>) {
        if let Some(Fault::Poison(why)) = &fault {
            self.watch.poisoned(why.clone());
        }
        self.inner.deliver(fault);
    }

    fn also_needs(&mut self, key: Key) {
        self.inner.also_needs(key);
    }

    fn weight(&self) -> usize {
        self.inner.weight()
    }

    fn put_off(&self) -> u8 {
        self.inner.put_off()
    }
}
