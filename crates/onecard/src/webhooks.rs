//! The jobs that send events: one for each webhook, so that a receiver that does not answer delays nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flows::School;
use flows::deliver::{Ahead, Round, round};
use flows::ports::Courier;
use flows::webhook::names;
use tokio::task::{Id, JoinSet};

/// How often to look for webhooks that were added.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait after a fault of the disk.
const AFTER_FAULT: Duration = Duration::from_secs(5);
/// A job looks again after so long at the latest.
const LONGEST: Duration = Duration::from_secs(60);

/// Sends events to every webhook, for ever; one that is removed gets no more.
pub async fn run(school: &School, courier: Arc<dyn Courier>) {
    let mut jobs = JoinSet::new();
    let mut running: BTreeMap<Id, String> = BTreeMap::new();
    loop {
        match names(school.reader.as_ref()).await {
            Ok(names) => {
                for name in names {
                    if running.values().any(|known| *known == name) {
                        continue;
                    }
                    let (school, courier, of) = (school.clone(), Arc::clone(&courier), name.clone());
                    let job = jobs.spawn(async move { tell(&school, courier.as_ref(), &of).await });
                    running.insert(job.id(), name);
                }
            }
            Err(fault) => tracing::error!(%fault, "the webhooks could not be read; trying again"),
        }
        tokio::select! {
            Some(ended) = jobs.join_next_with_id() => {
                // A job that panicked begins again: what it had sent is sent once more at most.
                let id = ended.map_or_else(|fault| fault.id(), |(id, ())| id);
                running.remove(&id);
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Until it is removed.
async fn tell(school: &School, courier: &dyn Courier, name: &str) {
    let mut ahead = Ahead::default();
    loop {
        let pause = match round(school, courier, name, &mut ahead).await {
            Ok(Round::Removed) => return,
            Ok(Round::At(at)) => Duration::from_micros(at.since(school.now()).max(0).unsigned_abs()).min(LONGEST),
            Err(fault) => {
                tracing::error!(%fault, webhook = name, "events could not be read; trying again");
                AFTER_FAULT
            }
        };
        tokio::time::sleep(pause).await;
    }
}
