//! The courier as the server holds it in this world: parcels go out as plain data, and what comes back is what the world
//! brings.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Mutex;

use flows::event::{Event, Told};
use flows::ports::{Courier, Parcel, Receipt, Waiting};
use futures_channel::oneshot;

use crate::plant::Plant;
use crate::ports::lock;

#[derive(Default)]
struct Desk {
    last: u64,
    out: Vec<(u64, Parcel)>,
    waiting: BTreeMap<u64, oneshot::Sender<Receipt>>,
}

/// The courier.
pub(crate) struct WorldCourier {
    plant: Option<Plant>,
    desk: Mutex<Desk>,
}

impl WorldCourier {
    pub(crate) fn new(plant: Option<Plant>) -> WorldCourier {
        WorldCourier { plant, desk: Mutex::default() }
    }

    /// Parcels that wait to leave.
    pub(crate) fn take(&self) -> Vec<(u64, Parcel)> {
        std::mem::take(&mut lock(&self.desk).out)
    }

    /// What came back; nobody may wait for it any more.
    pub(crate) fn answer(&self, call: u64, receipt: Receipt) {
        let waiting = lock(&self.desk).waiting.remove(&call);
        if let Some(waiting) = waiting {
            let _ = waiting.send(receipt);
        }
    }

    /// The process died.
    pub(crate) fn forget_calls(&self) {
        let mut desk = lock(&self.desk);
        desk.waiting.clear();
        desk.out.clear();
    }

    /// A parcel as the planted bugs make it.
    fn made(&self, parcel: &Parcel) -> Parcel {
        let mut parcel = parcel.clone();
        let events = &mut parcel.events;
        match self.plant {
            Some(Plant::P99) if events.len() > 1 => {
                events.pop();
            }
            Some(Plant::P100) => events.retain(|event| matches!(event.told, Told::Moved(_))),
            Some(Plant::P101) => events.iter_mut().for_each(first_epoch),
            _ => {}
        }
        parcel
    }
}

fn first_epoch(event: &mut Event) {
    if matches!(event.told, Told::Moved(_)) {
        event.id.epoch = 1;
    }
}

impl Courier for WorldCourier {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Waiting<'a, Receipt> {
        let parcel = self.made(parcel);
        let (tell, told) = oneshot::channel();
        let mut desk = lock(&self.desk);
        desk.last += 1;
        let call = desk.last;
        desk.out.push((call, parcel));
        if self.plant == Some(Plant::P98) {
            return Box::pin(ready(Receipt::Answered(204)));
        }
        desk.waiting.insert(call, tell);
        Box::pin(async move { told.await.unwrap_or_else(|_| Receipt::Silent("the process ended".to_owned())) })
    }
}
