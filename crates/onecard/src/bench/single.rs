//! Single transfers, one at a time, on an otherwise idle engine, beside single syncs of the same disk.

use std::fs;
use std::sync::mpsc::channel;

use ledger::{Fen, Id};
use teller::job;

use super::calibrate::Calibrator;
use super::cleanup::Cleanup;
use super::histogram::percentile;
use super::load::tick;
use super::onecard::{Running, Template};
use super::payment::{Key, Pay};
use super::result::Single;
use super::workload::{Accounts, Draw};
use crate::Failure;
use crate::prompt::Said;

/// Transfers in a row, then as many syncs: both see the disk in the same state.
const IN_A_ROW: u32 = 20;
/// Transfers before the first that counts.
const WARM_UP: u32 = 200;

/// Measures `transfers` of them. Error: one is not answered as it should be.
pub fn run(
    template: &Template,
    transfers: u32,
    calibrator: &mut Calibrator,
    cleanup: &Cleanup,
) -> Result<Single, Failure> {
    let data = cleanup.path("single-book");
    template.copy(&data)?;
    let running = Running::start(&data, 1)?;
    let mut draw = Draw::new(8);
    let (mut nanos, mut syncs) = (Vec::new(), Vec::new());
    let warm_up = WARM_UP.min(transfers);
    for number in 1..=warm_up + transfers {
        let took = one(&running, u64::from(number), template.accounts, &mut draw)?;
        if number <= warm_up {
            continue;
        }
        nanos.push(took);
        if number % IN_A_ROW == 0 {
            for _ in 0..IN_A_ROW {
                syncs.push(calibrator.sync_once()?);
            }
        }
    }
    running.stop()?;
    fs::remove_dir_all(&data)?;
    nanos.sort_unstable();
    syncs.sort_unstable();
    Ok(Single {
        transfers,
        p50_ns: percentile(&nanos, 50),
        p99_ns: percentile(&nanos, 99),
        sync_p50_ns: percentile(&syncs, 50),
        sync_p99_ns: percentile(&syncs, 99),
    })
}

/// From hand-in to answer, nanoseconds.
fn one(running: &Running, number: u64, accounts: Accounts, draw: &mut Draw) -> Result<u64, Failure> {
    let from = u32::try_from(draw.below(u64::from(accounts.holders)))?;
    let to = u32::try_from(draw.below(u64::from(accounts.merchants)))?;
    let pay = Pay {
        key: Key::Client(1),
        number,
        mark: number,
        from: Accounts::holder(from),
        to: Accounts::merchant(to),
        amount: Fen::new(1),
        reference: Id::new(u128::from(number)),
    };
    let (answer, answered) = channel();
    let began = tick();
    let reply = move |outcome| {
        // Fails only when the bench no longer waits.
        let _ = answer.send(outcome);
    };
    let refused = || Said("the teller took no transfer".to_owned());
    running.door.hand_in(job(pay, reply)).map_err(|_| refused())?;
    match answered.recv()? {
        // The answer counts when the one who asked has it.
        Ok(told) if told.seq > 0 && !told.repeat => {
            Ok(u64::try_from(tick().duration_since(began).as_nanos()).unwrap_or(u64::MAX))
        }
        other => Err(Said(format!("a single transfer was answered with {other:?}")).into()),
    }
}
